"""The environment chooses the implementation, a missing core falls back to NumPy, and mistakes raise an error."""

import os
import subprocess
import sys

import pytest

import fastact
from fastact import backends

from passes import COMPILED, each_compiled, needs_core


@each_compiled
def test_environment_chooses_a_set(implementation):
    """FASTACT_SIMD chooses an instruction set, and `choose` gives the reason."""
    assert backends.choose({"FASTACT_SIMD": implementation}) == (implementation, "FASTACT_SIMD is set")
    assert backends.choose({"FASTACT_SIMD": implementation, "FASTACT_BACKEND": "compiled"})[0] == implementation


@needs_core
def test_the_best_set_is_chosen():
    """Without a variable the best set is chosen. A set that this machine does not have is an error."""
    assert backends.choose({}) == (COMPILED[0], "the best instruction set of this machine")
    with pytest.raises(ValueError, match=f"FASTACT_SIMD='mmx' cannot run here: this machine has {', '.join(COMPILED)}"):
        backends.choose({"FASTACT_SIMD": "mmx"})


@pytest.mark.skipif("sse2" not in COMPILED, reason="baseline is that of x86-64 here")
def test_baseline_is_sse2():
    """FASTACT_SIMD=baseline is sse2, which every x86-64 processor has."""
    assert backends.choose({"FASTACT_SIMD": "baseline"})[0] == "sse2"


def test_environment_chooses_a_backend():
    """FASTACT_BACKEND=numpy chooses the fallback, and `choose` gives the reason. Another name is an error."""
    assert backends.choose({"FASTACT_BACKEND": "numpy"}) == ("numpy", "FASTACT_BACKEND=numpy is set")
    with pytest.raises(ValueError, match="FASTACT_BACKEND must be 'compiled' or 'numpy', not 'torch'"):
        backends.choose({"FASTACT_BACKEND": "torch"})


def in_a_new_process(program, folder, **environment):
    """Run a program with only these FASTACT_ variables, in a folder without the source."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FASTACT_")}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env={**kept, **environment}, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", backends.available())
def test_environment_in_a_new_process(name, tmp_path):
    """`import fastact` uses the implementation that the environment asks for, and computes with it."""
    asked = {"FASTACT_BACKEND": "numpy"} if name == "numpy" else {"FASTACT_SIMD": name}
    program = "import fastact as fa; print(fa.backend, fa.simd, fa.relu([-1.0, 2.0]), fa.elu([2.0], alpha=3.0), sep='|')"
    backend = "numpy" if name == "numpy" else "compiled"
    assert in_a_new_process(program, tmp_path, **asked).stdout.strip() == f"{backend}|{name}|[0. 2.]|[2.]"


@pytest.mark.parametrize("asked", [{"FASTACT_BACKEND": "tensorflow"}, {"FASTACT_SIMD": "mmx"}], ids=str)
def test_environment_mistakes_stop_the_import(asked, tmp_path):
    """An unknown name in a variable raises a ValueError that names the variable, instead of a silent default."""
    ran = in_a_new_process("import fastact", tmp_path, **asked)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith(f"ValueError: {next(iter(asked))}")


def test_the_fallback_needs_no_core(tmp_path):
    """If the compiled core cannot be imported, the same names come from NumPy, and `reason` says why."""
    program = (
        "import sys; sys.modules['fastact.compiled._core'] = None\n"
        "import fastact as fa\n"
        "print(fa.backend, fa.simd, fa.reason, *sorted(fa.__all__), sep='|')"
    )
    backend, simd, reason, *names = in_a_new_process(program, tmp_path).stdout.strip().split("|")
    assert (backend, simd) == ("numpy", "numpy")
    assert "compiled core" in reason or "this is the source folder" in reason  # the second text is that of an editable install
    assert names == sorted(fastact.__all__)


def test_compiled_is_demanded_where_there_is_no_core(tmp_path):
    """With FASTACT_BACKEND=compiled and no core the import raises an error, and does not fall back to NumPy."""
    program = "import sys; sys.modules['fastact.compiled._core'] = None; import fastact"
    ran = in_a_new_process(program, tmp_path, FASTACT_BACKEND="compiled")
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("ImportError: FASTACT_BACKEND=compiled is set, but ")


def test_an_unknown_implementation_is_refused():
    """The error of `load` names the implementations that exist here."""
    with pytest.raises(ValueError, match="no implementation 'mmx' here: this machine has "):
        backends.load("mmx")
    assert fastact.simd in backends.available()


def test_the_package_works_without_docstrings(tmp_path):
    """Under `python -OO`, which drops docstrings, the package works as usual."""
    done = in_a_new_process("import fastact; print(fastact.elu(1.0))", tmp_path, PYTHONOPTIMIZE="2")
    assert (done.stdout, done.stderr) == ("1.0\n", "")
