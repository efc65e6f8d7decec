"""The package that users install has helpful errors, right metadata and a complete source distribution.

It also builds with other compilers and flags, which change no result.
"""

import importlib.metadata
import json
import re
import runpy
import tarfile
from pathlib import Path

import pytest

import fastact

import results
from building import BASELINE, FILES, FOLDERS, PORTABLE, install, run, source_in, started
from passes import COMPILED, needs_core

# Flags of gcc and clang that let the compiler change results, at least one of each kind.
FAST_MATH = (
    "-Ofast -ffast-math -funsafe-math-optimizations -ffinite-math-only -fassociative-math -freciprocal-math "
    "-fno-signed-zeros -ffp-contract=fast"
)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ReLU", "relu"),
        ("LeakyReLU", "leaky_relu"),
        ("leakyrelu", "leaky_relu"),
        ("Hardtanh", "hard_tanh"),
        ("SiLU_backward", "silu_backward"),
        ("log_sum_exp", "logsumexp"),
        ("CrossEntropyLoss", "cross_entropy"),
        ("swiss", "swish"),
        ("sofmax", "softmax"),
        ("relu_backwards", "relu_backward"),
        ("version", "__version__"),
    ],
)
def test_a_name_that_is_nearly_right_gets_a_suggestion(name, meant):
    """A name as other libraries spell it, or with a typing error, raises an AttributeError that suggests the right one."""
    with pytest.raises(AttributeError, match=f"^module 'fastact' has no attribute '{name}': did you mean '{meant}'\\?$"):
        getattr(fastact, name)


@pytest.mark.parametrize("name", ["convolution", "np", "__wrapped__", "_relu"])
def test_a_name_like_no_other_gets_no_suggestion(name):
    """A name that is like no public name raises an AttributeError without a suggestion."""
    with pytest.raises(AttributeError, match=f"^module 'fastact' has no attribute '{name}'$"):
        getattr(fastact, name)


def test_a_suggestion_is_made_once(tmp_path):
    """A traceback has our suggestion alone, and none that Python adds."""
    assert started(tmp_path, "-c", "import fastact; fastact.ReLU").stderr.splitlines()[-1].count("mean") == 1


def test_modules_can_be_imported(tmp_path):
    """Modules can be imported by their full name, though dir() does not show them."""
    run(tmp_path, "-c", "import fastact.declare; from fastact.command import bench, cli; fastact.declare, cli")


def test_import_is_lazy(tmp_path):
    """`import fastact` does not import difflib, which only suggestions need."""
    program = "import sys, numpy; sys.modules.pop('difflib', None); import fastact; assert 'difflib' not in sys.modules"
    run(tmp_path, "-c", program)


def test_an_older_numpy_is_refused(tmp_path):
    """With NumPy 1 the import raises an error that says which version is needed."""
    program = "import numpy; numpy.__version__ = '1.26.4'; del numpy.float32; import fastact"
    last = started(tmp_path, "-c", program).stderr.splitlines()[-1]
    needed = f"fastact {fastact.__version__} needs NumPy 2.0 or later, found 1.26.4: pip install 'numpy>=2'"
    assert last == f"ImportError: {needed}"


def test_metadata_is_complete():
    """The metadata have what PyPI shows of the package and what installers need."""
    found = importlib.metadata.metadata("fastact")
    classifiers = set(found.get_all("Classifier"))
    systems = {"MacOS", "Microsoft :: Windows", "POSIX :: Linux"}
    assert {f"Operating System :: {system}" for system in systems} < classifiers
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 14)} < classifiers
    assert "Typing :: Typed" in classifiers
    assert (Path(fastact.__file__).parent / "py.typed").exists()
    assert any(each.startswith("Intended Audience :: ") for each in classifiers)
    assert found["Maintainer"]
    assert found["Requires-Python"] == ">=3.10"
    wanted = [re.match(r"(\w+)[^;]*(?:; extra == .(\w+).)?$", each).groups() for each in found.get_all("Requires-Dist")]
    assert [name for name, extra in wanted if not extra] == ["numpy"]
    ecosystem = {name for name, extra in wanted if extra == "ecosystem"}
    assert ecosystem == {"dask", "distributed", "joblib", "pandas", "polars", "xarray"}


@pytest.mark.build
def test_the_source_distribution_is_complete(tmp_path):
    """The source distribution has the C, the tests and the benchmarks, also if it is made without a compiler."""
    source = source_in(tmp_path)
    files = [file for part in FOLDERS for file in (source / part).rglob("*") if file.is_file()]
    needed = {*FILES, *(str(file.relative_to(source)) for file in files)}
    assert {
        "src_c/elementwise/float_kernels.c",
        "fastact/compiled/_core.pyx",
        "fastact/compiled/rows.pxi",
        "tests/conftest.py",
    } < needed
    run(source, "setup.py", "--quiet", "sdist", CC="/nonexistent/cc", CFLAGS="")
    with tarfile.open(source / "dist" / f"fastact-{fastact.__version__}.tar.gz") as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert needed - packed == set()
    assert not [name for name in packed if name.startswith("build")]


@pytest.mark.build
@needs_core
def test_flags_of_the_environment_change_no_result(tmp_path):
    """Flags such as -ffast-math change no bit, and leave the process as it was. The scalar set has the bits of the baseline."""
    elsewhere, environment = install(source_in(tmp_path), FASTACT_SETS=" ".join(PORTABLE), CFLAGS=FAST_MATH)
    run(elsewhere, "-c", "import fastact, numpy; assert numpy.float32(1e-40) * numpy.float32(1) > 0", **environment)
    found = json.loads(run(elsewhere, results.__file__, **environment))
    assert set(found) == PORTABLE
    expected = results.checksums(BASELINE)
    for name in found:
        assert [call for call in expected if found[name][call] != expected[call]] == []


@pytest.fixture
def building(tmp_path, monkeypatch):
    """The functions of setup.py, in a copy of the source."""
    monkeypatch.chdir(source_in(tmp_path))
    monkeypatch.setattr("setuptools.setup", lambda **options: None)
    monkeypatch.setenv("FASTACT_BUILD", "numpy")
    monkeypatch.delenv("FASTACT_SETS", raising=False)
    functions = runpy.run_path("setup.py")
    monkeypatch.delenv("FASTACT_BUILD")
    return functions


@pytest.mark.build
@needs_core
def test_the_target_decides_what_is_built(building, monkeypatch):
    """The compiler's target decides which sets are built, not the machine. -U__x86_64__ stands for another target."""
    sets, baseline = building["instruction_sets"]()
    assert (list(sets), baseline) in ((["sse2", "avx2", "avx512"], "sse2"), (["scalar"], "scalar"))
    monkeypatch.setenv("CFLAGS", "-U__x86_64__")
    assert building["instruction_sets"]() == ({"scalar": []}, "scalar")
    monkeypatch.setenv("FASTACT_SETS", "scalar avx2")
    with pytest.raises(SystemExit, match=r"='scalar avx2' is not of the sets that this compiler builds: scalar$"):
        building["instruction_sets"]()


@pytest.mark.build
@pytest.mark.skipif("sse2" not in COMPILED, reason="needs a compiler for x86-64")
def test_fastact_sets_chooses_the_sets_to_build(building, monkeypatch):
    """The build makes the sets that FASTACT_SETS names, and refuses an unknown one."""
    for asked, sets in (("sse2", ["sse2"]), ("avx2", ["avx2"]), ("avx2, scalar,sse2", ["scalar", "sse2", "avx2"])):
        monkeypatch.setenv("FASTACT_SETS", asked)
        assert list(building["instruction_sets"]()[0]) == sets
    monkeypatch.setenv("FASTACT_SETS", "sse2 neon")
    message = "FASTACT_SETS='sse2 neon' is not of the sets that this compiler builds: scalar, sse2, avx2, avx512"
    with pytest.raises(SystemExit, match=f"^{message}$"):
        building["instruction_sets"]()


@pytest.mark.build
@needs_core
@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"CFLAGS": "-U__GNUC__ -U__clang__"}, "the kernels are in GNU C"),
        ({"CFLAGS": "-include /nonexistent.h"}, "nonexistent.h"),
        ({"CC": "/nonexistent/cc"}, "/nonexistent/cc"),
    ],
    ids=["MSVC", "broken", "none"],
)
def test_without_a_working_compiler_the_package_is_pure_python(building, monkeypatch, capsys, variables, reason):
    """One line says why the core cannot be built, and the package is pure Python. FASTACT_BUILD=compiled stops the build."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert building["extensions"]() == []
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("fastact: installing without the compiled core, pure NumPy will be used: ")
    assert reason in said[0]
    monkeypatch.setenv("FASTACT_BUILD", "compiled")
    with pytest.raises(SystemExit, match=f"^fastact: no working C compiler: .*{reason}"):
        building["extensions"]()
