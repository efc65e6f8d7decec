"""`fastact bench` and `fastact info`: cases, clock, record, headline, printed text, and the messages for wrong arguments."""

import json
import math
import os
import sys

import numpy as np
import pytest

import fastact
from fastact import backends
from fastact.command import bench, cli
from fastact.command.bench import environment, peers, record, report
from fastact.compiled import codegen

from checkout import ROOT

OURS = "compiled" if fastact.backend == "compiled" else "fallback"
SOME = "sigmoid,elu_backward,softmax[10],logsumexp,prelu,glu,serf"


def row(title, size, times, out=None, spread=1.0):
    """A row of a record."""
    name, _, step = title.partition(" ")
    facts = {
        "name": name,
        "pass": step or "forward",
        "title": title,
        "dtype": "float32",
        "size": size,
        "shape": [size],
        "ns_per_element": times,
    }
    return {**facts, **({"out": out} if out else {}), "spread": dict.fromkeys(times, spread)}


ROWS = [
    row("sigmoid", 16, {"compiled": 2.0, "plain": 8.0, "fallback": 16.0, "torch": 6.0}, out=1.0),
    row("sigmoid backward", 16, {"compiled": 2.0, "plain": 18.0, "fallback": 36.0}, out=2.0),
    row("softmax[10]", 16, {"compiled": 4.0, "plain": 2.0, "fallback": 8.0, "torch": 2.0}, out=0.5),
    row("serf", 16, {"compiled": 1.0, "fallback": 100.0}, out=1.0, spread=1.5),
    row("sigmoid", 1024, {"compiled": 1.0, "plain": 5.0, "fallback": 10.0}, out=1.0),
]


RECORD = {
    "machine": {**dict.fromkeys(record.FACTS, "x"), "load": "0.10"},
    "plain": {"sigmoid": {"name": "sigmoid", "line": "y", "ulp": None, "ours": 0.9, "x": -90.0, "warnings": ["overflow"]}},
    "rows": ROWS,
}


def test_headline():
    """The headline has geometric means for each size, over the rows that have a plain line."""
    small, large = bench.headline(ROWS)
    assert (small["size"], small["passes"], small["slower"]) == (16, 3, 1)
    assert small["faster"] == pytest.approx((4 * 9 * 0.5) ** (1 / 3))
    assert small["forward"] == pytest.approx((4 * 0.5) ** (1 / 2))
    assert small["backward"] == pytest.approx(9)
    assert small["elementwise"] == pytest.approx((4 * 9) ** (1 / 2))
    assert small["along_axis"] == pytest.approx(0.5)
    assert small["out"] == pytest.approx((8 * 9 * 4) ** (1 / 3))
    assert small["fallback"] == pytest.approx((0.5 * 0.5 * 0.25) ** (1 / 3))
    assert small["peers"] == {"torch": pytest.approx((3 * 0.5) ** (1 / 2))}
    assert (large["size"], large["passes"], large["slower"], large["peers"]) == (1024, 1, 0, {})
    assert large["faster"] == pytest.approx(5)
    assert large["backward"] is None
    assert bench.headline([]) == []
    assert record.spread(ROWS) == 1


def test_a_record_is_read_as_it_was_saved(tmp_path):
    """Each row is on a line of its own. Numbers that JSON does not have, such as inf, are refused."""
    path = tmp_path / "record.json"
    written = RECORD
    bench.save(written, path)
    assert bench.read(path) == written
    assert sum('"title"' in line for line in path.read_text().splitlines()) == len(ROWS)
    with pytest.raises(ValueError, match="JSON compliant"):
        bench.save({"rows": [math.inf]}, path)


NO_RECORDS = ["", "[]", "{}", '{"rows": [{"title": "sigmoid"}], "machine": {}}', '{"rows": 3}', "[" * 100_000]


@pytest.mark.parametrize("text", NO_RECORDS, ids=range(len(NO_RECORDS)))
def test_a_file_that_is_no_record(tmp_path, text, capsys):
    """The error names the file."""
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["bench", "--read", str(path)])
    assert stopped.value.code == 2
    assert f"{str(path)!r} is no record" in capsys.readouterr().err


WRONG_FACTS = {
    "machine": ([1], {}, {"cpu": "x"}, dict.fromkeys(record.FACTS), {**RECORD["machine"], "peers": 3}),
    "plain": (None, [], [3], {"sigmoid": 3}, {"sigmoid": {**RECORD["plain"]["sigmoid"], "ulp": "1"}}),
    "rows": (None, {}, "abc", [3]),
}
WRONG_IN_A_ROW = {
    "name": (None, 3, "$x_{", "a\x1b[31m"),
    "pass": (None, 3),
    "dtype": (None, 32, "float128"),
    "threads": (None, "1", 1.0, True, 0, 257),
    "title": (None, 3, "x" * 5000, "two\nlines"),
    "size": (None, "16", 1.5, True, 0, -1, 10**400),
    "ns_per_element": (None, [1], {}, {"plain": 2.0}, *({"compiled": x} for x in (0, -1, "1", None, math.inf, math.nan))),
    "spread": (None, [1], {}, {"compiled": "1"}, {"compiled": 0}),
    "out": ("1", None, 0),
}


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [("record", name, value) for name, values in WRONG_FACTS.items() for value in values]
    + [("row", name, value) for name, values in WRONG_IN_A_ROW.items() for value in values],
)
def test_a_wrong_record(tmp_path, place, name, value):
    """A record may have anything in it. The error is the same, whatever is wrong."""
    facts, rows = {name: value} if place == "record" else {}, [*ROWS]
    if place == "row":
        rows[0] = {**rows[0], name: value}
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**RECORD, "rows": rows, **facts}))
    with pytest.raises(ValueError, match="is no record of this version's fastact bench --json"):
        bench.read(path)


def test_the_clock_takes_turns():
    """Each round calls every contestant, one after the other."""
    order = []
    calls = {label: lambda label=label: order.append(label) or sum(range(100_000)) for label in "ab"}
    times = bench.repeated(calls, seconds=0, rounds=4)
    assert {label: len(each) for label, each in times.items()} == {"a": 4, "b": 4}
    runs = "".join(label for label, before in zip(order, [None, *order], strict=False) if label != before)
    assert runs.endswith("abababab")
    assert all(value > 0 for value in bench.measure(calls, seconds=0).values())


@pytest.mark.parametrize("case", bench.cases(), ids=lambda case: case.title)
def test_cases(case):
    """Each call gives the same result in a new array as in its own array for the result."""
    for size in (16, 3000):
        if 0 in case.shape(size):
            assert not bench.work([case], [size])
            continue
        operands = bench.Memory(size).operands(case, size)
        made = case.call(fastact.simd, operands, out=False)()
        given = case.call(fastact.simd, operands)()
        for new, old in zip(*(each if isinstance(each, tuple) else (each,) for each in (made, given)), strict=True):
            assert not np.may_share_memory(new, operands["out"])
            np.testing.assert_array_equal(new, old)


def test_the_machine():
    """The facts on which figures depend are all there."""
    facts = bench.machine()
    for name in ("cpu", "cores", "simd", "numpy", "blas", "load", "system", "python", "date", "fastact"):
        assert isinstance(facts[name], str)
        assert facts[name]
    assert facts["simd"] == fastact.simd


def test_blas_without_threadpoolctl(monkeypatch):
    """Without threadpoolctl the line says what to install."""
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert environment.blas().endswith("kernels unknown: pip install threadpoolctl")
    assert not environment.blas().startswith("unknown")


def test_info_names_the_kernels(capsys):
    """`fastact info` names the kernels of NumPy's BLAS, and the load."""
    assert cli.main(["info"]) == 0
    printed = capsys.readouterr().out
    assert "NumPy's BLAS" in printed
    assert "kernels" in printed
    assert "\nload" in printed


@pytest.mark.skipif(not (backends._core and backends.in_checkout()), reason="wants a compiled core beside its sources")
def test_info_notices_a_stale_core(monkeypatch, capsys):
    """A formula has changed, and the core has not been built again."""
    assert cli.main(["info"]) == 0
    assert "out of date" not in capsys.readouterr().out
    monkeypatch.setattr(codegen, "digest", lambda: "of other formulas")
    assert cli.main(["info"]) == 0
    printed = capsys.readouterr().out
    assert "\nout of date      the compiled core is older than the formulas: run `pip install" in printed
    monkeypatch.setattr(backends, "in_checkout", lambda: False)
    assert cli.main(["info"]) == 0
    assert "out of date" not in capsys.readouterr().out


def test_a_run(tmp_path, capsys):
    """The report fits into the promised width and names the machine. --read prints the same from the record."""
    path = tmp_path / "record.json"
    assert cli.main(["bench", "--quick", "--sizes", "16,2000", "--functions", SOME, "--json", str(path)]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= report.WIDTH
    kept = bench.read(path)
    for fact in ("cpu", "numpy", "blas", "load", "fastact"):
        assert kept["machine"][fact] in printed
    labels = {"compiled", "plain", "fallback"} if OURS == "compiled" else {"plain", "fallback"}
    for each in kept["rows"]:
        expected = labels - ({"plain"} if each["name"] == "serf" else set())
        assert each["ns_per_element"].keys() == expected
        assert each["spread"].keys() == {*expected, "out"}
        assert min(each["spread"].values()) >= 1
        assert each["out"] > 0
    chosen = {"sigmoid", "elu", "softmax[10]", "logsumexp", "prelu", "glu", "serf"}
    assert {each["name"] for each in kept["rows"]} == chosen
    assert kept["plain"]["sigmoid"]["line"] == "1 / (1 + np.exp(-x))"
    assert "Wrong by over 1000 ULP somewhere: " in " ".join(printed.split())
    assert fastact.backend == "compiled" or fastact.reason in " ".join(printed.split())
    assert cli.main(["bench", "--read", str(path)]) == 0
    assert capsys.readouterr().out == printed


def test_the_conclusion():
    """The conclusion has the means, the rows in which the plain line wins, and a warning if the machine was not quiet."""
    machine = {"load": "0.10"}
    plain = {"sigmoid": {"ulp": 2e6, "ours": 1.0, "warnings": ["overflow"]}, "relu": {"ulp": 0, "ours": 0.0, "warnings": []}}
    text = report.conclusion(machine, ROWS, "float32", plain)
    assert "are 2.6 and 5.0 times as fast as the plain NumPy line at 16 and 1Ki elements of float32" in text
    assert "wins in 1 of 4 rows, most clearly in softmax[10] at 16 (2.0 times as fast)" in text
    assert "Wrong by over 1000 ULP somewhere: 1 of 2 plain lines, and 1 warn of finite input" in text
    assert "largest error is 1.0 ULP." in text
    assert "not quiet" not in text
    assert "not quiet" in report.conclusion({"load": "3.00"}, ROWS, "float32", plain)
    busy = [{**each, "spread": {"compiled": 1.4}} for each in ROWS]
    assert "not quiet" in report.conclusion(machine, busy, "float32", plain)


def test_a_run_that_is_interrupted(monkeypatch, tmp_path, capsys):
    """The rows measured so far are kept, even if the interruption comes after the last one. `info` keeps nothing."""

    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "wrong", interrupted)
    path = tmp_path / "record.json"
    arguments = ["bench", "--quick", "--sizes", "16", "--functions", "relu", "--json", str(path)]
    assert cli.main(arguments) == 130
    assert "interrupted" in capsys.readouterr().err
    assert {row["name"] for row in bench.read(path)["rows"]} == {"relu"}
    monkeypatch.setattr(bench, "machine", interrupted)
    assert cli.main(["info"]) == 130


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--read", ""], "No such file or directory: ''"), (["--peers", ""], "unknown library '': choose among")],
)
def test_an_empty_argument(arguments, message, capsys):
    """An empty argument is an error at once. It does not start a run of minutes as if the option were absent."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["bench", "--sizes", "16", "--functions", "relu", *arguments])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_disk_that_is_full(monkeypatch, capsys):
    """The error is one line, and no traceback."""

    def full(*given, **how):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bench, "save", full)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["bench", "--sizes", "16", "--functions", "relu", "--quick", "--json", os.devnull])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "fastact: error: [Errno 28] No space left on device (see fastact --help)\n"


def test_a_run_without_plain_lines(capsys):
    """The conclusion says that there is nothing to compare with."""
    assert cli.main(["bench", "--quick", "--sizes", "16", "--functions", "serf"]) == 0
    assert capsys.readouterr().out.endswith("None of these functions has a plain line to compare with.\n")


def test_float64(capsys):
    """A run in float64 has times and no errors: errors are measured in float32."""
    assert cli.main(["bench", "--quick", "--sizes", "16", "--functions", "sigmoid", "--dtype", "float64"]) == 0
    printed = capsys.readouterr().out
    assert "float64" in printed
    assert "ULP" not in printed


def test_two_dtypes(tmp_path, capsys):
    """Each has its own tables and its own conclusion, and its rows in the record; a picture has the first."""
    path = tmp_path / "record.json"
    arguments = ["bench", "--quick", "--sizes", "16", "--functions", "sigmoid", "--dtype", "float64,float32", "--json", str(path)]
    assert cli.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "float64 and float32, standard normal" in printed
    text = " ".join(printed.split())
    assert text.index("16 elements of float64") < text.index("ULP: the worst error") < text.index("16 elements of float32")
    parts = bench.by_dtype(bench.read(path)["rows"])
    assert list(parts) == ["float64", "float32"]
    assert [each["title"] for each in parts["float64"]] == [each["title"] for each in parts["float32"]]
    assert cli.main(["bench", "--read", str(path)]) == 0
    assert capsys.readouterr().out == printed
    with pytest.raises(SystemExit):
        cli.main(["bench", "--dtype", "float32,float128"])
    assert "unknown dtype 'float128': choose among float32, float64, float16, bfloat16" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "installed", "message"),
    [
        ("torch", ("scipy",), "torch is not installed here: pip install torch"),
        ("scipy,jax", ("scipy",), "jax is not installed here: pip install jax"),
        ("keras", (), "unknown library 'keras': choose among torch, scipy, jax"),
        (None, (), "none of torch, scipy, jax is installed here: pip install torch, for instance"),
    ],
)
def test_a_peer_that_is_missing(monkeypatch, capsys, asked, installed, message):
    """The error is one line that says what to install, or which libraries there are."""
    monkeypatch.setattr(peers, "installed", lambda: installed)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["bench", "--peers", *([asked] if asked else [])])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"fastact bench: error: argument --peers: {message} (see fastact bench --help)\n"


def test_peers_take_part_when_asked(monkeypatch, tmp_path, capsys):
    """With --peers other libraries stand in the table, the means and the record. Without it they are not looked for."""
    asked = []
    monkeypatch.setattr(peers, "installed", lambda: asked.append(1) or ("scipy",))
    monkeypatch.setattr(peers, "versions", lambda names: "scipy 9.9")
    monkeypatch.setitem(peers.CALLS, "scipy", lambda case, operands: case.step == "forward" and (lambda: operands["x"].copy()))
    path = tmp_path / "record.json"
    arguments = ["bench", "--quick", "--sizes", "16", "--functions", "sigmoid", "--json", str(path)]
    assert cli.main(arguments) == 0
    assert not asked
    assert "as fast as scipy" not in capsys.readouterr().out
    assert cli.main([*arguments, "--peers"]) == 0
    printed = capsys.readouterr().out
    assert "scipy 9.9" in printed
    assert "times as fast as scipy" in printed
    kept = bench.read(path)
    assert [each["pass"] for each in kept["rows"] if "scipy" in each["ns_per_element"]] == ["forward"]
    assert bench.headline(kept["rows"])[0]["peers"]["scipy"] > 0


@pytest.mark.parametrize("library", peers.CALLED)
def test_peers_compute_the_same(library):
    """A library that is installed is timed on the same function: it gives the same numbers."""
    pytest.importorskip(library)
    make, compared = peers.contestant(library), 0
    for case in bench.cases(columns=(10,)):
        operands = bench.Memory(640).operands(case, 640)
        call = make(case, operands)
        if call:
            compared += 1
            results = (
                each if isinstance(each, (tuple, list)) else (each,) for each in (call(), case.call(fastact.simd, operands)())
            )
            for got, expected in zip(*results, strict=True):
                got = np.asarray(got.detach() if library == "torch" else got)
                assert got.dtype == np.float32
                np.testing.assert_allclose(np.squeeze(got), expected, rtol=1e-4, atol=1e-5, err_msg=case.title)
    assert compared >= (5 if library == "scipy" else 50)


def test_the_record_of_the_project():
    """The records of speed have only cases of this version. A new case may be missing until it is measured."""
    for name in ("speed.json", "speed_avx2.json"):
        kept = bench.read(ROOT / "benchmarks" / name)
        assert {each["title"] for each in kept["rows"]} <= {case.title for case in bench.cases()}
        assert list(bench.by_part(kept["rows"])) == [("float32", 1), ("float64", 1)]
