"""The implementations: one for each instruction set that this machine can run, and one in pure NumPy.

`load(name)` makes the public functions of one implementation. Tests and benchmarks load several into one process. The package
publishes the implementation that `choose` names.

The functions are made in two steps. An *evaluator* computes: it is a ufunc, a gufunc, or a NumPy function that is called alike.
A *call* (of the folder calls/) checks the arguments of a public function and chooses its evaluator.
"""

import functools
import importlib
import os
import types
from typing import Any

import numpy as np

from .calls import arguments, element_losses, losses, sampling, sinks, special, steps
from .calls import elementwise as calls
from .calls import rows as row_calls
from .declare import ACTIVATIONS, DRAWS, LOSSES, ROWS
from .docstrings import elementwise as elementwise_docstrings
from .docstrings import losses as loss_docstrings
from .docstrings import rows as row_docstrings
from .docstrings import steps as step_docstrings
from .numpy_backend import evaluators as numpy_evaluators

try:
    # Unlike `from . import`, this error says whether the file is absent or broken.
    _core: Any = importlib.import_module("fastact.compiled._core")
    missing: ImportError | None = None
except ImportError as error:
    _core = None
    missing = error

if _core and (of_library := arguments.known_bfloat16()) is not None:
    _core.register_bfloat16(of_library)

FOLDER = os.path.dirname(os.path.abspath(__file__))


def available():
    """The names of the implementations that this machine can run, best first; the last is "numpy"."""
    return (*(_core.available() if _core else ()), "numpy")


def register_bfloat16():
    """Let all functions compute in the bfloat16 of ml_dtypes.

    They do so by themselves if ml_dtypes has been imported before fastact, and from the first call on that gets an array of
    bfloat16. Call this if another library is to see these loops earlier. It imports ml_dtypes; a second call does nothing.

    Raises
    ------
    ImportError
        If ml_dtypes is not installed.

    See Also
    --------
    sigmoid : one of the functions.

    Examples
    --------
    >>> import numpy as np, fastact as fa
    >>> fa.register_bfloat16()  # doctest: +SKIP
    >>> fa.sigmoid(np.zeros(2, "bfloat16"))  # doctest: +SKIP
    array([0.5, 0.5], dtype=bfloat16)
    """
    try:
        importlib.import_module("ml_dtypes")
    except ImportError as error:
        raise ImportError(f"register_bfloat16() needs the dtype of ml_dtypes: pip install ml_dtypes ({error})") from error
    if _core:
        _core.register_bfloat16(arguments.known_bfloat16())


register_bfloat16.__module__ = "fastact"


def choose(environ=os.environ):
    """The name of the implementation that the environment asks for, or of the best one; and the reason for the choice."""
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
        if simd == "baseline":  # what every x86-64 processor has, or any other processor
            simd = "sse2" if "sse2" in names else "scalar"
        if simd not in names:
            raise ValueError(f"FASTACT_SIMD={simd!r} cannot run here: this machine has {', '.join(names)}")
        return simd, "FASTACT_SIMD is set"
    return _core.available()[0], "the best instruction set of this machine"


def explain_missing():
    """Why there is no compiled core, in one line."""
    if missing is None:
        return "this processor has none of the instruction sets that the compiled core was built for (FASTACT_SETS)"
    if getattr(missing, "name", None) != "fastact.compiled._core" or not isinstance(missing, ModuleNotFoundError):
        return f"the compiled core cannot be loaded: {missing}"
    if in_checkout():
        return f"this is the source folder {FOLDER}, which is not compiled: run from another folder, or pip install it"
    return (
        "the compiled core was not built: no working C compiler was found when fastact was installed; install one (gcc or "
        "clang), then pip install --force-reinstall --no-cache-dir fastact"
    )


def explain_stale():
    """Say in one line that the compiled core does not fit the formulas. None where it fits, and outside of a checkout."""
    if not _core or not in_checkout():
        return None
    from .compiled import codegen

    try:
        if _core.formulas_digest == codegen.digest():
            return None
    except codegen.FormulaError as error:
        return f"the compiled core is older than the formulas, which cannot be compiled: {error}"
    return "the compiled core is older than the formulas: run `pip install --no-build-isolation -e .`"


def in_checkout():
    """Whether the package lies beside setup.py. This is so in the source folder, which an editable install links."""
    return os.path.exists(os.path.join(FOLDER, os.pardir, "setup.py"))


@functools.cache
def load(name):
    """The public functions of one implementation, as a namespace."""
    if name not in available():
        raise ValueError(f"no implementation {name!r} here: this machine has {', '.join(available())}")
    functions: dict[str, Any] = {}
    evaluators = evaluators_by_name(name)
    publish = in_python if name == "numpy" else in_c
    for activation in ACTIVATIONS.values():
        if activation.public:
            forward, backward = elementwise(activation, evaluators, publish)
            for alias in (activation.name, *activation.aliases):
                functions[alias], functions[alias + "_backward"] = forward, backward
    for make_calls, declared in (row_calls_of, ROWS), (draw_calls_of, DRAWS), (loss_calls_of, LOSSES):
        for declaration in declared.values():
            for call, document in make_calls(declaration, evaluators, functions):
                functions[call.name] = publish(call, document)
    for call in steps.calls(evaluators):
        functions[call.name] = publish(call, step_docstrings.TEXTS[call.name])
    return types.SimpleNamespace(**functions)


@functools.cache
def evaluators_by_name(name):
    """The evaluators of one implementation. NumPy's serve for functions along an axis that have no loop in the core."""
    compiled = {} if name == "numpy" else _core.load(name, documents())
    return {**compiled, **numpy_evaluators.evaluators(compiled)}


def elementwise(activation, evaluators, publish):
    """The forward and the backward function of one activation; `publish` makes a function of a call and a docstring."""
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


def row_calls_of(row, evaluators, _):
    """The calls of one function along an axis, each with its docstring."""
    for suffix, document in ("", row_docstrings.forward), ("_backward", row_docstrings.backward):
        if row.slope or not suffix:
            plain, masked = (evaluators_of(evaluators, row.evaluator + kind + suffix) for kind in ("", "_masked"))
            if suffix and row.sink_slope:
                yield sinks.SinkCall(row, suffix, plain, masked, evaluators), document(row)
            else:
                yield row_calls.RowCall(row, suffix, plain, masked), document(row)


def draw_calls_of(draw, _, functions):
    """The calls of one random draw, each with its docstring; they call public functions along an axis."""
    yield sampling.GumbelCall(draw, functions), row_docstrings.forward_of_draw(draw)
    yield sampling.GumbelBackwardCall(draw, functions), row_docstrings.backward_of_draw(draw)


def loss_calls_of(loss, evaluators, _):
    """The calls of one loss, each with its docstring."""
    call = losses.RowLossCall if loss.of_rows else element_losses.ElementLossCall
    for kind in loss.kinds:
        yield call(loss, kind, evaluators), loss_docstrings.document(loss, kind)


def evaluators_of(evaluators, name):
    """The evaluator from the input and the one from the output; None in place of one that does not exist."""
    return evaluators.get(name), evaluators.get(name + "_from_output")


def by_option(evaluators, names):
    """These two evaluators for each value of the option; `names` has the name of each formula."""
    return {value: evaluators_of(evaluators, name) for value, name in names.items()}


def is_bare(activation):
    """Whether the forward evaluator is the public function: it takes nothing but its operands."""
    return not (activation.parameters or activation.option or activation.halves)


def _is_ufunc(evaluator):
    return isinstance(evaluator, np.ufunc)


def in_c(call, document):
    """A builtin public function for `call`, with a fast path in front where a ufunc computes the whole result."""
    if _is_ufunc(call.default[0]) and _is_ufunc(call.default[1] or call.default[0]) and call.has_shortcut:
        shortcut = _core.shortcut
        if isinstance(call, (row_calls.RowCall, losses.LossCall)):
            shortcut = _core.row_shortcut if isinstance(call, row_calls.RowCall) else _core.loss_shortcut
        call.function = shortcut(call, document)
    else:
        call.function = _core.rules(call, document)
    return call.function


def in_python(call, document):
    """A plain Python function for `call`."""
    call.function = calls.public(call, document)
    return call.function


def documents():
    """The docstrings of the ufuncs that are public functions, by name."""
    return {
        activation.name: elementwise_docstrings.forward(activation)
        for activation in ACTIVATIONS.values()
        if activation.public and is_bare(activation)
    }
