"""The picture of speed shows the ratios of a record, and refuses what is no record."""

import json

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from fastact import plots
from fastact.command import bench
from fastact.plots import ratios

import pictures


@pytest.mark.parametrize(("size", "factor"), [(None, 1), (16, 0.5)])
def test_the_picture_shows_the_ratios_of_a_record(tmp_path, size, factor):
    """The picture of a file shows the ratios of the size that is asked for, sorted and in their colours."""
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(pictures.RECORD), encoding="utf-8")
    figure = plots.speed(path, size=size)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == pictures.NAMES
    drawn = {line.get_color(): line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 5}
    assert np.allclose(drawn[plots.style.FUNCTION], [factor * 3**i / 2 for i in range(5)])
    assert np.allclose(drawn[plots.style.DERIVATIVE], [factor * (7 - i) for i in range(5)])
    assert any("A processor" in text.get_text() for text in figure.texts)


def test_rows_without_the_plain_line_are_left_out():
    """A function that was not compared with plain NumPy is left out."""
    rows = [dict(row) for row in pictures.RECORD["rows"]]
    for row in rows:
        row["ns_per_element"] = {**row["ns_per_element"], "fallback": 9.0}
        if row["name"] == "relu":
            del row["ns_per_element"]["plain"]
    (axes,) = plots.speed({**pictures.RECORD, "rows": rows}).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [name for name in pictures.NAMES if name != "relu"]


def test_the_first_number_of_threads_is_drawn():
    """Rows on other numbers of threads, or of another dtype, are left out; the picture says how many threads there were."""
    faster = [{**row, "threads": 3, "ns_per_element": {"compiled": 1.0, "plain": 5.0}} for row in pictures.RECORD["rows"]]
    halves = [{**row, "dtype": "float16"} for row in faster]
    figure = plots.speed({**pictures.RECORD, "rows": [*faster, *halves, *pictures.RECORD["rows"]]})
    assert {ratio for line in figure.axes[0].lines if len(line.get_xdata()) == 5 for ratio in line.get_xdata()} == {5}
    assert any(", 3 threads, " in text.get_text() for text in figure.texts)
    figure = plots.speed({**pictures.RECORD, "rows": [*pictures.RECORD["rows"], *faster]})
    assert any(", 1 thread, " in text.get_text() for text in figure.texts)


def test_a_dtype_and_a_number_of_threads_are_chosen():
    """dtype= and threads= choose rows of a record; the error for others says which there are."""
    rows = pictures.RECORD["rows"]
    for i, (dtype, threads) in enumerate((("float32", 2), ("float16", 1), ("float16", 2)), 2):
        rows = [*rows, *({**row, "dtype": dtype, "threads": threads, "ns_per_element": {"compiled": 1.0, "plain": i}}
                         for row in pictures.RECORD["rows"])]  # fmt: skip
    record = {**pictures.RECORD, "rows": rows}
    for given, ratio, said in (
        ({"threads": 2}, 2, "float32"),
        ({"dtype": "float16"}, 3, "float16"),
        ({"dtype": "float16", "threads": 2}, 4, "float16"),
    ):
        figure = plots.speed(record, **given)
        assert {x for line in figure.axes[0].lines if len(line.get_xdata()) == 5 for x in line.get_xdata()} == {ratio}
        assert any(f"elements of {said}," in text.get_text() for text in figure.texts)
    with pytest.raises(ValueError, match="no rows of float64 on 3 threads: it has float32 on 1 thread, float32 on 2 threads, f"):
        plots.speed(record, dtype="float64", threads=3)
    with pytest.raises(ValueError, match="no rows on 0 threads: it has"):
        plots.speed(record, threads=0)
    with pytest.raises(ValueError, match="give its file"):
        plots.speed(dtype="float16")
    with pytest.raises(ValueError, match="no rows of float64: it has"):
        plots.speed(record, dtype="float64")


def test_the_fallback_is_shown_where_nothing_is_compiled():
    """A record without the compiled core shows the ratios of the fallback, which is what users have there."""
    rows = [{**row, "ns_per_element": {"fallback": 2.0, "plain": 1.0}} for row in pictures.RECORD["rows"]]
    (axes,) = plots.speed({**pictures.RECORD, "rows": rows}).axes
    assert {ratio for line in axes.lines if len(line.get_xdata()) == 5 for ratio in line.get_xdata()} == {0.5}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "is no record of this version's fastact bench --json"),
        ("{", "is no record of this version's fastact bench --json"),
        ({"machine": {}, "rows": [{"name": "relu"}]}, "is no record"),
        ({**pictures.RECORD, "rows": []}, "no function of .* was compared with the plain line"),
        ({**pictures.RECORD, "rows": pictures.RECORD["rows"][2:3]}, "no function of .* was compared with the plain line"),
    ],
)
def test_a_wrong_record_is_refused(record, message, tmp_path):
    """The error says what is wrong with a record, and names the file."""
    path = tmp_path / "bench.json"
    path.write_text(record if isinstance(record, str) else json.dumps(record), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as raised:
        plots.speed(path)
    assert repr(str(path)) in str(raised.value)


def test_a_size_that_the_record_does_not_have_is_refused():
    """The error lists the sizes that the record has."""
    with pytest.raises(ValueError, match="no rows of 1Ki elements: it has 16, 256Ki"):
        plots.speed(pictures.RECORD, size=1024)
    for size in (0, "16"):
        with pytest.raises(ValueError, match=f"no rows of {size!r} elements: it has 16, 256Ki"):
            plots.speed(pictures.RECORD, size=size)


def test_a_measurement_is_a_record(monkeypatch):
    """`measured` gives a record of both passes of every function, which can be drawn."""
    monkeypatch.setattr(ratios, "USUAL", 64)
    chosen = [case for case in bench.cases() if case.name in ("relu", "silu")]
    monkeypatch.setattr(bench, "cases", lambda: chosen)
    seen = []
    record = ratios.measured(lambda work: seen.extend(work) or work)
    assert [(row["name"], row["pass"]) for row in record["rows"]] == [(case.name, case.step) for case, _ in seen]
    assert {row["pass"] for row in record["rows"]} == {"forward", "backward"}
    assert len(plots.speed(record).axes[0].get_yticklabels()) == 2
