"""Generated files and the compiled core are as new as the formulas and programs that they come from.

check.py compares digests, so that this takes seconds, and time stamps do not matter.
"""

import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from fastact.compiled import codegen

from checkout import ROOT
from passes import needs_core

CHECK = "src_c/fit/check.py"
pytestmark = pytest.mark.skipif(not (ROOT / CHECK).exists(), reason="src_c is not beside the tests")


def complaint(root):
    """What check.py says is old in a checkout, or "" if nothing is."""
    return runpy.run_path(str(root / CHECK))["complaint"]()


@pytest.fixture
def copy(tmp_path):
    """A copy of the folders that check.py reads."""
    for folder in ("src_c", "fastact"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    return tmp_path


def change(path, before, after):
    """Replace one piece of a file."""
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def test_generated_files_are_current():
    """No generated file of this checkout is older than what it comes from."""
    assert complaint(ROOT) == ""


@pytest.mark.parametrize(
    ("formula", "before", "after", "named"),
    [
        ("formulas.py", "return damped(x * (n / d), x, e)", "return 2 * damped(x * (n / d), x, e)", ["mish"]),
        (
            "formulas.py",
            "return grad * gate_slope(beta * x)",
            "return grad * gate_slope(x)",
            ["silu_backward", "swiglu_backward"],
        ),
        (
            "numpy_backend/words.py",
            "return _damped_to(s * (1 + z * (e * s))",
            "return _damped_to(s * (2 + z * (e * s))",
            ["quick_gelu_backward", "silu_backward"],
        ),
        ("formulas.py", 'QUICK = constant("1.702")', 'QUICK = constant("1.7")', ["quick_gelu", "quick_gelu_backward"]),
        ("formulas.py", "def elu(x, alpha=1.0)", "def elu(x, alpha=2.0)", ["elu"]),
        ("numpy_backend/words.py", "def damped(a, x, e):", "def damped(a, x, e, unused=0):", ["mish", "gelu_tanh_backward"]),
    ],
)
def test_a_changed_formula_is_named(copy, formula, before, after, named):
    """check.py names the kernels whose formula has changed and no others, and the command to run."""
    change(copy / "fastact" / formula, before, after)
    said = complaint(copy)
    for name in named:
        assert f"the fitted kernel {name} is older than its formula in fastact/formulas.py" in said
    assert "relu" not in said
    assert said.endswith(": run `python src_c/fit`")


def test_prose_does_not_count(copy):
    """A change of docstrings or comments makes no generated file old."""
    change(copy / "fastact/formulas.py", "def mish(x):\n", "def mish(x):  # a comment\n")
    change(
        copy / "fastact/formulas.py",
        "    return damped(x * (n / d), x, e)",
        "    # another\n    return damped(x * (n / d), x, e)",
    )
    change(copy / "src_c/fit/tables.py", '"""', '"""Another word. ')
    assert complaint(copy) == ""


@pytest.mark.parametrize("path", [
    "src_c/fitted/generated/tables.h",
    "src_c/fitted/generated/kernels.h",
    "src_c/fitted/generated/tail_terms.h",
    "src_c/math/constants.h",
    "fastact/numpy_backend/coefficients.py",
])  # fmt: skip
def test_an_edited_file_is_named(copy, path):
    """A generated file that was edited by hand is named."""
    change(copy / path, "1", "2")
    assert complaint(copy) == f"{path} has been edited: run `python src_c/fit`"


@pytest.mark.parametrize(("program", "made"), [
    ("exp.py", "src_c/math/constants.h"),
    ("words.py", "fastact/numpy_backend/coefficients.py"),
    ("tables.py", "src_c/fitted/generated/tables.h"),
    ("kernels.py", "src_c/fitted/generated/kernels.h"),
    ("tails.py", "src_c/fitted/generated/tail_terms.h"),
])  # fmt: skip
def test_a_changed_program_is_named(copy, program, made):
    """When a program of src_c/fit has changed, check.py names the file that it makes."""
    with (copy / "src_c/fit" / program).open("a", encoding="utf-8") as file:
        file.write("MORE = 1\n")
    assert f"{made} is older than its program in src_c/fit" in complaint(copy)


@pytest.mark.parametrize("minor", range(10, 15))
def test_digests_do_not_depend_on_the_version_of_python(minor):
    """Any Python that can build the package finds the generated files current. pyenv's versions are tried, and those on PATH."""
    name = f"python3.{minor}"
    found = [str(path) for path in Path.home().glob(f".pyenv/versions/*/bin/{name}")] or [shutil.which(name)]
    if not found[0] or subprocess.run([found[0], "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"no {name} here")
    ran = subprocess.run([found[0], "src_c/fit", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


@needs_core
def test_the_core_is_as_new_as_the_formulas():
    """An editable install whose formulas have changed must be built again."""
    from fastact.compiled import _core

    message = "the compiled core is older than the formulas: run `pip install -e .`"
    assert _core.formulas_digest == codegen.digest(), message


def test_every_special_case_can_be_taken_out():
    """Each change of benchmarks/special_cases.py finds its text in one place of src_c/rows, and changes it."""
    program = runpy.run_path(str(ROOT / "benchmarks" / "special_cases.py"))
    texts = program["sources"]()
    assert len(texts) > 20
    for name, changes in program["CASES"].items():
        assert program["changed"](texts, changes) != texts, name
    with pytest.raises(ValueError, match="0 times"):
        program["changed"](texts, [("no such text", "")])


def test_every_rule_of_the_pool_can_be_taken_out(monkeypatch):
    """Each change of benchmarks/pool_cases.py finds its text in one place of pool.c, and changes it."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    program = runpy.run_path(str(ROOT / "benchmarks" / "pool_cases.py"))
    texts = {program["POOL"]: program["POOL"].read_text(encoding="utf-8")}
    assert len(program["CASES"]) > 4
    for name, changes in program["CASES"].items():
        assert program["changed"](texts, changes) != texts, name
    with pytest.raises(ValueError, match="0 times"):
        program["changed"](texts, [("no such text", "")])
