"""The picture of speed: what it reads, and what it refuses."""

import json

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from fastact import bench, plots
from fastact.plots import ratios

import pictures


@pytest.mark.parametrize(("size", "factor"), [(None, 1), (16, 0.5)])
def test_a_record(tmp_path, size, factor):
    """Read from a file: sorted, the ratios of the size that is asked for, in their colours."""
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
    """The two references are never mixed."""
    rows = [dict(row) for row in pictures.RECORD["rows"]]
    for row in rows:
        row["ns_per_element"] = {**row["ns_per_element"], "fallback": 9.0}
        if row["name"] == "relu":
            del row["ns_per_element"]["plain"]
    (axes,) = plots.speed({**pictures.RECORD, "rows": rows}).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [name for name in pictures.NAMES if name != "relu"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "was not written by `fastact bench --json`"),
        ("{", "was not written by `fastact bench --json`"),
        ({"machine": {}, "rows": [{"name": "relu"}]}, "was not written by"),
        ({**pictures.RECORD, "rows": []}, "nothing compiled"),
        (
            {**pictures.RECORD, "rows": [{**pictures.RECORD["rows"][0], "ns_per_element": {"fallback": 1.0, "plain": 2.0}}]},
            "nothing",
        ),
    ],
)
def test_a_wrong_record(record, message, tmp_path):
    """It is refused, and the file is named."""
    path = tmp_path / "bench.json"
    path.write_text(record if isinstance(record, str) else json.dumps(record), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as raised:
        plots.speed(path)
    assert str(path) in str(raised.value)


def test_a_size_that_the_record_does_not_have():
    """The message has those that it has."""
    with pytest.raises(ValueError, match="no rows of 1Ki elements: it has 16, 256Ki"):
        plots.speed(pictures.RECORD, size=1024)


def test_a_measurement(monkeypatch):
    """What is measured now is a record, of every function's two passes."""
    monkeypatch.setattr(ratios, "USUAL", 64)
    chosen = [case for case in bench.cases() if case.name in ("relu", "silu")]
    monkeypatch.setattr(bench, "cases", lambda: chosen)
    seen = []
    record = ratios.measured(lambda work: seen.extend(work) or work)
    assert [(row["name"], row["pass"]) for row in record["rows"]] == [(case.name, case.step) for case, _ in seen]
    assert {row["pass"] for row in record["rows"]} == {"forward", "backward"}
    if "compiled" in record["rows"][0]["ns_per_element"]:
        assert len(plots.speed(record).axes[0].get_yticklabels()) == 2
    else:
        with pytest.raises(ValueError, match="nothing compiled to compare NumPy with in the record"):
            plots.speed(record)
