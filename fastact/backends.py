"""The implementations side by side: one for each instruction set that this machine can run, and pure NumPy.

`load(name)` gives the public functions of one of them, so that tests and benchmarks can call all in one process;
the package itself publishes those that `choose` picks.
"""

import functools
import importlib
import os
import types
from typing import Any

import numpy as np

from .calls import element_losses, losses, sampling, special, steps
from .calls import elementwise as calls
from .calls import rows as row_calls
from .declare import ACTIVATIONS, DRAWS, LOSSES, ROWS
from .docstrings import elementwise as elementwise_docstrings
from .docstrings import losses as loss_docstrings
from .docstrings import rows as row_docstrings
from .docstrings import steps as step_docstrings
from .numpy_backend import evaluators as numpy_evaluators

try:
    # Unlike `from . import`, it says whether the file is absent or broken.
    _core: Any = importlib.import_module("fastact.compiled._core")
    missing: ImportError | None = None
except ImportError as error:
    _core = None
    missing = error


def available():
    """The names of the implementations that this machine can run, best first; the last is "numpy"."""
    return (*(_core.available() if _core else ()), "numpy")


def choose(environ=os.environ):
    """The implementation that the environment asks for, or the best, and why."""
    backend, simd = environ.get("FASTACT_BACKEND", ""), environ.get("FASTACT_SIMD", "")
    if backend not in ("", "compiled", "numpy"):
        raise ValueError(f"FASTACT_BACKEND must be 'compiled' or 'numpy', not {backend!r}")
    if backend == "numpy":
        return "numpy", "FASTACT_BACKEND=numpy is set"
    if not (_core and _core.available()):
        why = explain_missing()
        if backend == "compiled":
            raise ImportError(f"FASTACT_BACKEND=compiled is set, but {why}") from missing
        if simd:
            raise ValueError(f"FASTACT_SIMD={simd!r} cannot run here: {why}")
        return "numpy", why
    if simd:
        names = _core.available()
        if simd == "baseline":  # of x86-64, else of any processor
            simd = "sse2" if "sse2" in names else "scalar"
        if simd not in names:
            raise ValueError(f"FASTACT_SIMD={simd!r} cannot run here: this machine has {', '.join(names)}")
        return simd, "FASTACT_SIMD is set"
    return _core.available()[0], "the best instruction set of this machine"


def explain_missing():
    """Why there is no compiled core, in one line."""
    folder = os.path.dirname(os.path.abspath(__file__))
    if missing is None:
        return "this processor has none of the instruction sets that the compiled core was built for (FASTACT_SETS)"
    if getattr(missing, "name", None) != "fastact.compiled._core" or not isinstance(missing, ModuleNotFoundError):
        return f"the compiled core cannot be loaded: {missing}"
    if os.path.exists(os.path.join(folder, os.pardir, "setup.py")):
        return f"this is the source folder {folder}, which is not compiled: run from another folder, or pip install it"
    return (
        "the compiled core was not built: no working C compiler was found when fastact was installed; install one (gcc or "
        "clang), then pip install --force-reinstall --no-cache-dir fastact"
    )


@functools.cache
def load(name):
    """The public functions of one implementation, as a namespace."""
    if name not in available():
        raise ValueError(f"no implementation {name!r} here: this machine has {', '.join(available())}")
    functions, evaluators = {}, evaluators_by_name(name)
    publish = in_python if name == "numpy" else in_c
    for activation in ACTIVATIONS.values():
        if activation.public:
            forward, backward = elementwise(activation, evaluators, publish)
            for alias in (activation.name, *activation.aliases):
                functions[alias], functions[alias + "_backward"] = forward, backward
    for calls_of, declared in (along_axis, ROWS), (drawn, DRAWS), (of_loss, LOSSES):
        for one in declared.values():
            functions |= {call.name: publish(call, document) for call, document in calls_of(one, evaluators, functions)}
    for call in steps.calls(evaluators):
        functions[call.name] = publish(call, step_docstrings.TEXTS[call.name])
    return types.SimpleNamespace(**functions)


@functools.cache
def evaluators_by_name(name):
    """The evaluators of one implementation: NumPy's serve for functions along an axis for which the core has no loop."""
    compiled = {} if name == "numpy" else _core.load(name, documents())
    return {**compiled, **numpy_evaluators.evaluators(compiled)}


def elementwise(activation, evaluators, publish):
    """The two public functions of one activation; `publish` makes one of a call and a docstring."""
    name, operands, parameters = activation.name, activation.operands, activation.parameters
    names = {value: other.name for value, other in activation.alternatives.items()} or {None: name}
    facts = {"option": activation.option, "requires": activation.requires}
    kind: Any = calls.Call
    backward_kind: Any = calls.Call
    if activation.halves:
        operands, parameters = ("x",), {"axis": -1}
        kind = backward_kind = special.HalvesCall
    elif len(activation.gradients) > 1 and activation.gradients == activation.operands:
        backward_kind = special.TwoGradientsCall
    elif activation.gradients != activation.operands:
        backward_kind = functools.partial(special.SummingCall, sum=evaluators.get("sum"))
    document = elementwise_docstrings.forward(activation)
    if not is_bare(activation):
        forward = publish(kind(name, operands, parameters, by_option(evaluators, names), **facts), document)
    else:
        forward = evaluators[name]
        if not _is_ufunc(forward):
            calls.describe(forward, name, document, calls.ufunc_signature(operands))
    backward = backward_kind(
        name + "_backward",
        ("grad", *operands),
        parameters,
        by_option(evaluators, {value: other + "_backward" for value, other in names.items()}),
        output_requires=activation.output_requires,
        **facts,
    )
    return forward, publish(backward, elementwise_docstrings.backward(activation))


def along_axis(row, evaluators, _):
    """The calls of one function along an axis, with their docstrings."""
    for suffix, document in ("", row_docstrings.forward), ("_backward", row_docstrings.backward):
        if row.slope or not suffix:
            plain, masked = (evaluators_of(evaluators, row.evaluator + kind + suffix) for kind in ("", "_masked"))
            yield row_calls.RowCall(row, suffix, plain, masked), document(row)


def drawn(draw, _, functions):
    """The calls of one random draw, which is made of functions along an axis, with their docstrings."""
    yield sampling.GumbelCall(draw, functions), row_docstrings.forward_of_draw(draw)
    yield sampling.GumbelBackwardCall(draw, functions), row_docstrings.backward_of_draw(draw)


def of_loss(loss, evaluators, _):
    """The calls of one loss, with their docstrings."""
    call = losses.RowLossCall if loss.of_rows else element_losses.ElementLossCall
    for kind in loss.kinds:
        yield call(loss, kind, evaluators), loss_docstrings.document(loss, kind)


def evaluators_of(evaluators, name):
    """The evaluators from the input and from the output, None where there is none."""
    return evaluators.get(name), evaluators.get(name + "_from_output")


def by_option(evaluators, names):
    """The evaluators from the input and from the output, by the value of the option."""
    return {value: evaluators_of(evaluators, name) for value, name in names.items()}


def is_bare(activation):
    """Whether the forward evaluator is the public function: it takes its operands and no more."""
    return not (activation.parameters or activation.option or activation.halves)


def _is_ufunc(evaluator):
    return isinstance(evaluator, np.ufunc)


def in_c(call, document):
    """A public function for `call`: a builtin one, with a fast path in front where a ufunc does all of it."""
    if _is_ufunc(call.default[0]) and call.has_shortcut:
        shortcut = _core.row_shortcut if isinstance(call, row_calls.RowCall) else _core.shortcut
        call.function = shortcut(call, document)
    else:
        call.function = _core.rules(call, document)
    return call.function


def in_python(call, document):
    """A public function for `call`: a plain one."""
    call.function = calls.public(call, document)
    return call.function


def documents():
    """Docstrings for the ufuncs that are public as they are."""
    return {
        activation.name: elementwise_docstrings.forward(activation)
        for activation in ACTIVATIONS.values()
        if activation.public and is_bare(activation)
    }
