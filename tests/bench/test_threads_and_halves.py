"""`fastact bench` on several threads and in half precision, and what `fastact info` says of both."""

import os
import subprocess
import sys
import types

import numpy as np
import pytest

import fastact
from fastact.command import bench, cli
from fastact.command.bench import peers, report
from fastact.declare import ACTIVATIONS

from halves import each_half, half
from passes import needs_core


def row(title, threads, size=16, dtype="float32", **times):
    """A row of a record; `threads` is None for a row of an earlier version."""
    facts = {"name": title, "pass": "forward", "title": title, "dtype": dtype, "size": size, "shape": [size]}
    facts |= {} if threads is None else {"threads": threads}
    return {**facts, "ns_per_element": times, "spread": dict.fromkeys(times, 1.0)}


def test_rows_of_one_dtype_and_number_of_threads_belong_together():
    """Rows that do not say their number were measured on one thread."""
    rows = [row("sigmoid", None, compiled=4.0), row("sigmoid", 2, compiled=2.0), row("gelu", 1, compiled=4.0)]
    rows.append(row("gelu", 2, dtype="float64", compiled=1.0))
    assert bench.by_part(rows) == {("float32", 1): [rows[0], rows[2]], ("float32", 2): [rows[1]], ("float64", 2): [rows[3]]}


def test_the_means_over_numbers_of_threads():
    """They compare the same function, size and dtype, and leave out what was not measured on both."""
    rows = [row("sigmoid", 1, compiled=4.0), row("gelu", 1, compiled=9.0), row("relu", 1, 1024, compiled=3.0)]
    rows += [row("sigmoid", 2, compiled=2.0), row("gelu", 2, compiled=1.125), row("mish", 2, compiled=1.0)]
    rows += [row("sigmoid", 3, dtype="float64", compiled=2.0)]
    head, line = report.thread_table(bench.by_part(rows))[1:]
    assert head.split() == ["geometric", "means", "16", "1Ki"]
    assert " ".join(line.split()) == "times as fast as on 1: float32, 2 threads 4.0x -"
    assert report.thread_table(bench.by_part(rows[:3])) == []


@pytest.fixture
def numbers(monkeypatch):
    """The numbers of threads that calls of sigmoid had, and those that PyTorch was set to."""
    seen = {"ours": [], "torch": []}
    call = bench.Case.call

    def noting(case, *given, **how):
        timed = call(case, *given, **how)
        return lambda: (seen["ours"].append(fastact.get_num_threads()), timed())[1]

    monkeypatch.setattr(bench.Case, "call", noting)
    monkeypatch.setattr(peers, "installed", lambda: ("torch",))
    monkeypatch.setattr(peers, "versions", lambda names: "torch 9.9")
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(set_num_threads=seen["torch"].append))
    monkeypatch.setitem(peers.CALLS, "torch", lambda case, operands: operands["x"].copy)
    monkeypatch.setattr(bench, "wrong", lambda chosen: {})
    return seen


@needs_core
def test_each_number_of_threads_is_measured(numbers, tmp_path, capsys):
    """Our calls and the peers have that number, and the caller has its own again. --read prints the same."""
    path, before = tmp_path / "record.json", fastact.get_num_threads()
    arguments = ["bench", "--quick", "--sizes", "16", "--functions", "sigmoid", "--peers", "torch", "--json", str(path)]
    assert cli.main([*arguments, "--threads", "2, 1,2"]) == 0
    assert list(dict.fromkeys(numbers["ours"])) == numbers["torch"] == [2, 1]
    assert fastact.get_num_threads() == before
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= report.WIDTH
    assert "of which 2 and 1 threads are used" in printed
    assert "elements of float32 on 2 threads (" in " ".join(printed.split())
    assert "torch 9.9, on as many threads" in printed
    assert "times as fast as on 2: float32, 1 thread" in printed
    assert list(bench.by_part(bench.read(path)["rows"])) == [("float32", 2), ("float32", 1)]
    assert cli.main(["bench", "--read", str(path)]) == 0
    assert capsys.readouterr().out == printed


@needs_core
def test_one_thread_is_the_default(numbers, capsys):
    """Whatever number the program has set: the README's figures are those of one thread."""
    with fastact.num_threads(3):
        assert cli.main(["bench", "--quick", "--sizes", "16", "--functions", "sigmoid", "--peers"]) == 0
    assert set(numbers["ours"]) == {1}
    assert numbers["torch"] == [1]
    printed = capsys.readouterr().out
    assert "of which one thread is used" in printed
    assert "torch 9.9, on one thread" in printed
    assert "times as fast as on" not in printed


@pytest.mark.parametrize("text", ["", "0", "257", "two", "1,,2", "1.5"])
def test_no_numbers_of_threads(text, capsys):
    """The error is one line that says what would be right."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["bench", "--threads", text])
    assert stopped.value.code == 2
    assert f"argument --threads: {text!r} is no list of numbers from 1 to 256" in capsys.readouterr().err


def test_jax_has_one_number_of_threads(monkeypatch, capsys):
    """It starts its threads once, so that a list of numbers is refused before JAX is imported."""
    monkeypatch.setattr(peers, "installed", lambda: ("jax",))
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(SystemExit):
        cli.main(["bench", "--threads", "1,2", "--peers", "jax"])
    assert "argument --peers: jax has as many threads as it starts with" in capsys.readouterr().err


@each_half
def test_a_run_in_half_precision(name, tmp_path, capsys):
    """The record and the report name the dtype. Errors of plain lines are those of float32, and are left out."""
    half(name)
    path = tmp_path / "record.json"
    arguments = ["--functions", "sigmoid,leaky_relu,softmax[10],serf,glu", "--dtype", f"{name},float64", "--json", str(path)]
    assert cli.main(["bench", "--quick", "--sizes", "16", *arguments]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= report.WIDTH
    assert f"{name} and float64, standard normal" in printed
    assert ("a line of NumPy with parameters gives a wider dtype" in printed) == (name == "bfloat16")
    assert "ULP" not in printed
    assert list(bench.by_part(bench.read(path)["rows"])) == [(name, 1), ("float64", 1)]


@each_half
@pytest.mark.parametrize("case", bench.cases(columns=(10,)), ids=lambda case: case.title)
def test_cases_in_half_precision(name, case):
    """Our functions keep the dtype, and the plain line runs: in float16 it gives float16, in bfloat16 perhaps a wider dtype."""
    operands = bench.Memory(3000, half(name)).operands(case, 3000)
    results = [case.call(fastact.simd, operands, out=False)()]
    given = case.call(fastact.simd, operands)()
    if case.plain:
        with np.errstate(all="ignore"):
            plain = case.plain_call(bench.Memory(3000, half(name)).operands(case, 3000))()
        first = plain[0] if isinstance(plain, tuple) else plain
        assert first.dtype.name in ((name,) if name == "float16" else (name, "float32", "float64"))
    for made, written in zip(*(each if isinstance(each, tuple) else (each,) for each in (*results, given)), strict=True):
        assert made.dtype == written.dtype == half(name)
        np.testing.assert_array_equal(made, written)


def test_bfloat16_without_its_library(monkeypatch, capsys):
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(SystemExit):
        cli.main(["bench", "--dtype", "bfloat16"])
    assert "argument --dtype: bfloat16 is a dtype of ml_dtypes: pip install ml_dtypes" in capsys.readouterr().err


@each_half
@pytest.mark.parametrize("library", ["torch", "jax"])
def test_peers_in_half_precision(library, name):
    """They get the same numbers in the same dtype. What they do not have is left out."""
    pytest.importorskip(library)
    make, compared = peers.contestant(library), 0
    for case in bench.cases(columns=(10,)):
        operands = bench.Memory(640, half(name)).operands(case, 640)
        call = make(case, operands)
        if call and case.step == "forward":
            compared += 1
            got = call()
            assert str(got.dtype).removeprefix("torch.") == name
            got = np.asarray(got.detach().float() if library == "torch" else got, np.float32)
            expected = case.call(fastact.simd, operands, out=False)().astype(np.float32)
            eps = 2.0 ** (-10 if name == "float16" else -7)
            np.testing.assert_allclose(np.squeeze(got), expected, rtol=20 * eps, atol=20 * eps, err_msg=case.title)
    assert compared >= len(ACTIVATIONS) // 4


def test_a_peer_without_half_precision(monkeypatch):
    """A library that raises is left out in half precision. In float32 the error is shown."""

    def refuse(case, operands):
        raise TypeError("no such loop")

    monkeypatch.setitem(peers.CALLS, "torch", refuse)
    case = next(case for case in bench.cases() if case.title == "sigmoid")
    assert peers.contestant("torch")(case, bench.Memory(16, "float16").operands(case, 16)) is None
    with pytest.raises(TypeError, match="no such loop"):
        peers.contestant("torch")(case, bench.Memory(16).operands(case, 16))


INFO = "import sys\nfrom fastact.command import cli\ncli.main(['info'])"


@needs_core
@pytest.mark.parametrize(
    ("program", "environment", "line"),
    [
        (INFO, {"FASTACT_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, "3 at most, by FASTACT_NUM_THREADS"),
        (INFO, {"OMP_NUM_THREADS": "5,2"}, "5 at most, by OMP_NUM_THREADS"),
        (INFO, {}, f"{fastact.threads.default({})} at most, by the cores that this process may use"),
        (f"import fastact\nfastact.set_num_threads(77)\n{INFO}", {}, "77 at most, as the program has set it"),
        (INFO, {"FASTACT_NUM_THREADS": "3", "FASTACT_BACKEND": "numpy"}, "1 at most, for NumPy computes"),
    ],
)
def test_info_says_where_the_number_of_threads_comes_from(program, environment, line, tmp_path):
    """In a new process, which has only these variables."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FASTACT_") and key != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**kept, **environment}, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert f"\nthreads          {line}\n" in done.stdout


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("", "not registered yet: the first call that gets such an array registers it"),
        ("import ml_dtypes, fastact", "registered"),
        ("import fastact; fastact.register_bfloat16()", "registered"),
        ("import fastact, ml_dtypes", "registered"),
        ("import sys; sys.modules['ml_dtypes'] = None", "not registered: ml_dtypes, whose dtype it is, is not installed"),
    ],
)
def test_info_says_whether_bfloat16_is_registered(before, line, tmp_path):
    """In a new process, where ml_dtypes is imported before fastact, after it, by it, or cannot be."""
    if "None" not in before:
        pytest.importorskip("ml_dtypes")
    if fastact.backend != "compiled" and "None" not in before:
        line = "needs no registration, for NumPy computes"
    done = subprocess.run([sys.executable, "-c", f"{before}\n{INFO}"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"\nbfloat16         {line}\n" in done.stdout
