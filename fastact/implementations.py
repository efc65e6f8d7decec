"""The implementations side by side: one for each instruction set that this machine can run, and pure NumPy.

`load(name)` gives the public functions of one of them, so that tests and benchmarks can call all in one process;
the package itself publishes those that `choose` picks.
"""

import functools
import importlib
import os
import types

import numpy as np

from . import (
    calling,
    documentation,
    fallback,
    formulas,  # noqa: F401  (fills ACTIVATIONS)
    rows,
)
from .declare import ACTIVATIONS

try:
    _core = importlib.import_module("fastact._core")  # unlike `from . import`, it says whether the file is absent or broken
    missing = None
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
    if _core is None:
        why = explain_missing()
        if backend == "compiled":
            raise ImportError(f"FASTACT_BACKEND=compiled is set, but {why}") from missing
        if simd:
            raise ValueError(f"FASTACT_SIMD={simd!r} cannot run here: {why}")
        return "numpy", why
    if simd:
        names = _core.available()
        if simd == "baseline":
            simd = "sse2"
        if simd not in names:
            raise ValueError(f"FASTACT_SIMD={simd!r} cannot run here: this machine has {', '.join(names)}")
        return simd, "FASTACT_SIMD is set"
    return _core.available()[0], "the best instruction set of this machine"


def explain_missing():
    """Why there is no compiled core, in one line."""
    folder = os.path.dirname(os.path.abspath(__file__))
    if getattr(missing, "name", None) != "fastact._core" or not isinstance(missing, ModuleNotFoundError):
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
    evaluators = numpy_evaluators() if name == "numpy" else _core.load(name, documents())
    functions = {}
    for activation in ACTIVATIONS.values():
        name, parameters = activation.name, activation.parameters
        functions[name] = evaluators[name]
        if parameters:
            functions[name] = publish(calling.Call(name, ("x",), parameters, evaluators[name]), documentation.forward(activation))
        elif not _is_ufunc(evaluators[name]):
            calling.describe(evaluators[name], name, documentation.forward(activation), calling.UFUNC_SIGNATURE)
        backward = calling.Call(
            name + "_backward",
            ("grad", "x"),
            parameters,
            evaluators[name + "_backward"],
            evaluators.get(name + "_backward_from_output"),
            activation.output_rule,
        )
        functions[backward.name] = publish(backward, documentation.backward(activation))
    softmax = calling.RowCall("softmax", ("x",), {"axis": -1}, evaluators["softmax"])
    softmax_backward = calling.RowCall(
        "softmax_backward",
        ("grad", "x"),
        {"axis": -1},
        evaluators["softmax_backward"],
        evaluators["softmax_backward_from_output"],
    )
    functions["softmax"] = publish(softmax, documentation.SOFTMAX)
    functions["softmax_backward"] = publish(softmax_backward, documentation.SOFTMAX_BACKWARD)
    return types.SimpleNamespace(**functions)


def _is_ufunc(evaluator):
    return isinstance(evaluator, np.ufunc)


def publish(call, document):
    """A public function for `call`: the compiled shortcut in front of it where its evaluator is a ufunc."""
    if _is_ufunc(call.from_input):
        return _core.shortcut(call, isinstance(call, calling.RowCall), document)
    return calling.public(call, document)


def numpy_evaluators():
    """The fallback's evaluators, from the formulas."""
    evaluators = {}
    for activation in ACTIVATIONS.values():
        n_parameters = len(activation.parameters)
        for suffix, formula, operands in (
            ("", activation.forward, 1),
            ("_backward", activation.backward, 2),
            ("_backward_from_output", activation.backward_from_output, 2),
        ):
            if formula is not None:
                name = activation.name + suffix
                evaluators[name] = fallback.blockwise(name, formula, operands + n_parameters)
    for name in ("softmax", "softmax_backward", "softmax_backward_from_output"):
        evaluators[name] = getattr(rows, name)
    return evaluators


def documents():
    """Docstrings for the ufuncs that are public as they are."""
    return {
        activation.name: documentation.forward(activation) for activation in ACTIVATIONS.values() if not activation.parameters
    }
