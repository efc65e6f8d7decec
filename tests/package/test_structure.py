"""The package keeps its structure: names, docstrings and signatures agree, and functions can be pickled.

Functions also work in threads and forked processes, need little memory, and use no mathematics of the system.
"""

import concurrent.futures
import doctest
import functools
import importlib
import importlib.metadata
import inspect
import math
import os
import pickle
import platform
import re
import shutil
import subprocess
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastact
from fastact import backends
from fastact import docstrings as documentation
from fastact.calls import elementwise as calling
from fastact.command import cli
from fastact.declare import ACTIVATIONS
from fastact.declare import ROWS as DECLARED_ROWS
from fastact.numpy_backend import evaluators

import arrays
from passes import (
    COMPILED,
    EVERY,
    IMPLEMENTATIONS,
    OTHERS,
    PASSES,
    REPRESENTATIVES,
    ROWS,
    STEPS,
    THREADS,
    best_compiled,
    each,
    each_any_pass,
    each_backend,
    each_compiled,
    each_dtype,
    needs_core,
)

ALIASES = {
    alias + suffix: name + suffix
    for name, activation in ACTIVATIONS.items()
    for alias in activation.aliases
    for suffix in ("", "_backward")
}
PUBLIC = sorted({one.function for one in EVERY + ROWS} | set(ALIASES) | set(OTHERS) | set(STEPS))
each_public = pytest.mark.parametrize("name", PUBLIC)
CPUINFO = Path("/proc/cpuinfo")


def test_public_names_are_functions_and_four_facts():
    """__all__ has every function, those of threads and four facts, and dir() has four modules more.

    Any other attribute without an underscore is a module.
    """
    assert dir(fastact) == sorted([*fastact.__all__, "dask", "nn", "plots", "sklearn"])
    assert sorted(fastact.__all__) == sorted(["__version__", "backend", "reason", "register_bfloat16", "simd", *THREADS, *PUBLIC])
    assert len(set(fastact.__all__)) == len(fastact.__all__)
    assert all(callable(getattr(fastact, name)) for name in PUBLIC)
    others = {name for name in vars(fastact) if not name.startswith("_")} - set(fastact.__all__)
    assert all(inspect.ismodule(getattr(fastact, name)) for name in others)


def test_every_implementation_has_the_same_names():
    """Every implementation has the public functions of the package, and no others."""
    for implementation in IMPLEMENTATIONS:
        assert sorted(vars(backends.load(implementation))) == PUBLIC


@each_backend
def test_an_alias_is_the_same_function(implementation):
    """An alias is another name for the same function object."""
    functions = vars(backends.load(implementation))
    assert {"swish", "expit", "log_expit", "hard_silu", "swish_backward"} <= set(ALIASES)
    for alias, name in ALIASES.items():
        assert functions[alias] is functions[name]


@each_backend
def test_alternatives_are_not_public(implementation):
    """An alternative formula is no public function. Only an option of another function chooses it."""
    for name, activation in ACTIVATIONS.items():
        assert hasattr(backends.load(implementation), name) == activation.public


def test_info_lists_the_functions(capsys):
    """`fastact info --functions` has a line for each function.

    The line has the call, other names, whether the backward pass can start from y, and the definition.
    """
    assert cli.main(["info", "--functions"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in {ALIASES.get(name, name) for name in PUBLIC if not name.endswith("_backward")}:
        found = [line for line in lines if line.startswith(f"{name}(")]
        activation = ACTIVATIONS.get(name)
        assert len(found) == (len(activation.alternatives) or 1 if activation else 1)
        for line in found if activation else ():
            assert any(line.endswith(f" {other.definition}") for other in (activation, *activation.alternatives.values()))
            assert all(alias in line for alias in (*activation.aliases, *activation.parameters))
            assert (" x or y= " in line) == (activation.backward_from_output is not None)


def test_backend_simd_and_version_agree():
    """fastact.backend fits fastact.simd, and __version__ is that of the metadata."""
    assert fastact.simd in IMPLEMENTATIONS
    assert fastact.backend == ("numpy" if fastact.simd == "numpy" else "compiled")
    assert fastact.__version__ == importlib.metadata.version("fastact")
    assert fastact.reason


@needs_core
def test_the_least_instruction_set_is_there():
    """The build has the set that every processor of this architecture has: sse2 on x86-64, elsewhere scalar alone."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    assert "sse2" in COMPILED if x86 else COMPILED == ("scalar",)


@needs_core
@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64") or not CPUINFO.exists(), reason="the system lists no x86-64 features"
)
def test_every_instruction_set_of_this_machine_is_there():
    """The sets that can run agree with what the system says of the processor.

    Otherwise a broken detection would leave a set untested.
    """
    flags = set(re.search(r"^flags\s*:(.*)$", CPUINFO.read_text(encoding="utf-8"), re.M)[1].split())
    assert ("avx2" in COMPILED) == ({"avx2", "fma"} <= flags)
    assert ("avx512" in COMPILED) == ({"avx2", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl"} <= flags)


@each_backend
@each_public
def test_docstrings_are_numpydoc(implementation, name):
    """Docstrings have the sections of numpydoc in order, and describe each parameter of the signature."""
    function = getattr(backends.load(implementation), name)
    text = inspect.getdoc(function)
    sections = ["Parameters\n----------", "Returns\n-------", "Raises\n------", "Examples\n--------"]
    places = [text.find(section) for section in sections]
    assert all(place > 0 for place in places), f"missing section in {name}"
    assert places == sorted(places)
    parameters = text[places[0] : places[1]]
    described = {each for line in re.findall(r"^(\*{0,2}\w+(?:, \w+)*)(?= : |$)", parameters, re.M) for each in line.split(", ")}
    expected = set() if name in STEPS else {"out"}
    if not isinstance(function, np.ufunc):
        expected |= set(inspect.signature(function).parameters) - {"kwargs"}
    activation = ACTIVATIONS.get(ALIASES.get(name, name).removesuffix("_backward"))
    if activation:
        expected |= {"where", "**kwargs", *activation.parameters, *(["x"] if activation.halves else activation.operands)}
        for text_of in (activation.definition, activation.source, *activation.requires, *activation.aliases):
            assert text_of in text
    assert expected <= described


@each_backend
def test_docstring_examples_run(implementation, monkeypatch):
    """Every example of a docstring runs as a doctest, with each implementation."""
    functions = vars(backends.load(implementation))
    for name, function in functions.items():
        monkeypatch.setattr(fastact, name, function)
    runner = doctest.DocTestRunner()
    examples = 0
    for name, text in [("fastact", fastact.__doc__), *((name, function.__doc__) for name, function in functions.items())]:
        test = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
        assert test.examples, name
        examples += len(test.examples)
        runner.run(test)
    assert runner.summarize(verbose=False) == (0, examples)


@pytest.mark.parametrize(
    "module",
    ["fastact.docstrings.mathtext", "fastact.nn.files", "fastact.nn.layers", "fastact.nn.network", "fastact.nn.optimizers"],
)
def test_examples_of_modules_run(module):
    """The examples of layers and networks run as doctests. They are the same for each implementation."""
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 3
    assert not result.failed


def test_listed_calls_have_the_real_defaults():
    """The calls in tables of functions show each parameter with its real default."""
    functions = vars(backends.load("numpy"))
    listed = [one for one in documentation.listing() if "[" not in one.name and not isinstance(functions[one.name], np.ufunc)]
    assert {*STEPS, "softmax", "cross_entropy", "elu"} <= {one.name for one in listed}
    for one in listed:
        real = inspect.signature(functions[one.name]).parameters
        for name, parameter in inspect.signature(eval(f"lambda {one.call.partition('(')[2][:-1]}: 0")).parameters.items():
            assert real[name].default == parameter.default, one.call


@each_public
def test_signatures_are_the_same_in_every_implementation(name):
    """inspect.signature works, and gives the same for every implementation.

    A function that is a ufunc itself has NumPy's signature.
    """
    functions = [getattr(backends.load(implementation), name) for implementation in IMPLEMENTATIONS]
    if not hasattr(np.exp, "__signature__"):  # before NumPy 2.4 ufuncs have no signature
        functions = [function for function in functions if not isinstance(function, np.ufunc)]
    signatures = {inspect.signature(function) for function in functions}
    first = {next(iter(signature.parameters)) for signature in signatures}
    assert first == {"grad"} if name.endswith("_backward") else first <= {"x", "x1", "gate", "logits", "outputs", "parameters"}
    raw = {isinstance(function, np.ufunc) for function in functions}
    assert len(signatures) == len(raw)
    for signature in signatures:
        leading = next(iter(signature.parameters.values()))
        assert (leading.kind is inspect.Parameter.POSITIONAL_ONLY) == (name not in STEPS)
        assert ("out" in signature.parameters) == (name not in STEPS)
        assert ("where" in signature.parameters) == (ALIASES.get(name, name).removesuffix("_backward") in ACTIVATIONS)


@each_backend
@each_public
def test_functions_know_their_name_and_module(implementation, name):
    """__name__ is the public name, and __module__ is fastact. A ufunc has no __module__."""
    function = getattr(backends.load(implementation), name)
    assert function.__name__ == ALIASES.get(name, name)
    assert isinstance(function, np.ufunc) or function.__module__ == "fastact"


@each_public
def test_public_functions_are_pickled_by_name(name):
    """A public function comes back from pickle as the same function."""
    function = getattr(fastact, name)
    assert pickle.loads(pickle.dumps(function)) is function


@best_compiled
def test_forward_without_parameters_is_a_ufunc(implementation):
    """A forward function without parameters is a ufunc itself, so that it has methods such as `at`."""
    x = arrays.pool(np.float32)
    for one in EVERY:
        function = getattr(backends.load(implementation), one.function)
        assert isinstance(function, np.ufunc) == (one.kind == "forward" and one.bare)
        if isinstance(function, np.ufunc):
            changed, expected, others = x.copy(), x.copy(), [x[:3]] * (one.operands - 1)
            function.at(changed, [3, 4, 9], *others)
            expected[[3, 4, 9]] = function(x[[3, 4, 9]], *others)
            arrays.assert_same_bits(changed, expected, "at")


# A function whose required parameter has a condition is left out: fastact/calls checks the condition.
SHORT = [one for one in PASSES if not (one.declared.usual and one.conditions)]


@best_compiled
@each_dtype
@each(SHORT)
def test_simple_calls_avoid_the_slow_way(implementation, one, dtype, monkeypatch):
    """Calls of plain arrays with defaults, out= or an option never reach calls/elementwise.py, which is slow in comparison."""
    function, given = one.of(implementation), [np.full(3, 0.25, dtype)] * one.operands
    numbers = list(one.declared.usual.values())
    if numbers:
        public = getattr(backends.load(implementation), one.function)
        function = functools.partial(public, given[0], None, *numbers, y=given[1]) if one.kind == "from_output" else public
        given = [] if one.kind == "from_output" else [*given, *numbers]
    expected = function(*given)

    def slow_way(self, *args, **keywords):
        raise AssertionError

    monkeypatch.setattr(calling.Call, "__call__", slow_way)
    arrays.assert_same_bits(function(*given), expected, "new")
    out = arrays.outs(one, 3, 9, dtype)
    function(*given, out=out)
    arrays.assert_same_bits(out, expected, "out")


@each_backend
@each_any_pass
def test_calls_from_several_threads_give_the_same_bits(implementation, one):
    """Calls from several threads at once give the bits that calls one after the other give."""
    function = one.of(implementation)
    rng = np.random.default_rng(0)
    jobs = [[rng.normal(0, 5, (40, 50)).astype(np.float32) for _ in range(one.operands)] for _ in range(8)]
    names = one.varied[:1] if one.declared else ()
    parameters = [{name: float(one.numbers(name, float, 8)[i]) for name in names} for i in range(8)]
    expected = [function(*job, **keywords) for job, keywords in zip(jobs, parameters, strict=True)]
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(function, *jobs[i % 8], **parameters[i % 8]) for i in range(64)]
        for i, future in enumerate(futures):
            arrays.assert_same_bits(future.result(), expected[i % 8], f"call {i}")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_computes_the_same_bits():
    """A forked child can compute, and gets the same bits."""
    x = np.linspace(-3, 3, 1000, dtype=np.float32)
    expected = fastact.sigmoid(x).tobytes(), fastact.softmax(x).tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns where other threads run
        child = os.fork()
    if child == 0:
        same = (fastact.sigmoid(x).tobytes(), fastact.softmax(x).tobytes()) == expected
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def rows_of_the_core():
    """The passes along an axis that have a loop in C. The NumPy formula serves for the others, and needs memory."""
    suffixes = {"forward": "", "backward": "_backward", "from_output": "_backward_from_output"}
    made = importlib.import_module("fastact.compiled._core").load(COMPILED[0], {}) if COMPILED else {}
    return tuple(one for one in ROWS if DECLARED_ROWS[one.activation].evaluator + suffixes[one.kind] in made)


@best_compiled
@each_dtype
@each(REPRESENTATIVES + rows_of_the_core())
def test_in_place_makes_no_copy(implementation, one, dtype):
    """A call that changes 1 or 2 MiB in place needs less than 64 KiB more, along any axis."""
    function = one.of(implementation)
    memory = [np.full((512, 512), 0.25, dtype) for _ in range(one.operands)]
    for axis in ({"axis": -1}, {"axis": 0}) if one in ROWS else ({},):
        for i in range(one.operands):
            tracemalloc.start()
            function(*memory, out=(memory[i], memory[i - 1]) if one.outputs > 1 else memory[i], **axis)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 2**16, f"{peak} bytes, {axis}, in place of operand {i}"


@each_compiled
def test_gufuncs_of_the_core_are_as_declared(implementation):
    """Each gufunc of the core has a declaration with the same name, signature and types."""
    from fastact.compiled import _core

    gufuncs = {name: made for name, made in _core.load(implementation, {}).items() if getattr(made, "signature", None)}
    declared = evaluators.signatures()
    assert {"softmax", "logsumexp_masked_backward", "cross_entropy_both"} < gufuncs.keys() - {"sum"} <= declared.keys()
    for name in gufuncs.keys() - {"sum"}:
        typed = declared[name][0]
        types = [re.sub("[(n),]", "", typed).replace("f", letter) for letter in "fde"]
        assert [each.replace("l", "q") for each in gufuncs[name].types] == types, name
        assert gufuncs[name].signature == re.sub("[fdq?]", "", typed), name


@needs_core
@pytest.mark.skipif(shutil.which("nm") is None, reason="no nm here")
def test_the_core_imports_nothing_of_libm():
    """The core calls no mathematical function of the system, so that its bits do not depend on the system's libm."""
    from fastact.compiled import _core

    listing = subprocess.run(["nm", "-D", "--undefined-only", _core.__file__], capture_output=True, text=True, check=True).stdout
    imported = {line.split()[-1].split("@")[0] for line in listing.splitlines() if line.strip()}
    assert "memcpy" in imported  # shows that the listing was read rightly
    names = {name for name in dir(math) if not name.startswith("_")}
    names |= {"exp2", "exp10", "rint", "lrint", "nearbyint", "round", "lround", "scalbn", "fmin", "fmax", "sincos", "fma"}
    names |= {"feclearexcept", "fetestexcept", "feraiseexcept", "fegetenv", "fesetenv"}
    libm = {name + suffix for name in names for suffix in ("", "f", "l", "f32", "f64")}
    assert imported & libm == set()
    assert not [name for name in imported if name.startswith(("_ZGV", "__svml", "__exp", "__log", "__pow"))]
