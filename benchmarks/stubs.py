"""Write the type stub fastact/__init__.pyi from the declarations: `python benchmarks/stubs.py`.

tests/package/test_types.py fails where the stub is out of date.

Each function has two overloads. The precise one is for arrays of one floating dtype, with Python numbers as parameters. The
general one is for everything that NumPy can make an array of. A backward pass that may start from the output has two more.
"""

import inspect
from pathlib import Path

from fastact import backends  # its import runs the declarations, which fill ACTIVATIONS
from fastact.declare import ACTIVATIONS, DRAWS, LOSSES, REQUIRED, ROWS
from fastact.docstrings.steps import LISTED

ARRAYS = ("NDArray[_F]", "ArrayLike")
STUB = Path(__file__).parent.parent / "fastact" / "__init__.pyi"
HEAD = '''"""Made by benchmarks/stubs.py from the declarations; do not edit."""

from contextlib import AbstractContextManager, ContextDecorator
from typing import Any, Literal, SupportsIndex, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import dask as dask
from . import nn as nn
from . import plots as plots
from . import sklearn as sklearn

_F = TypeVar("_F", np.float16, np.float32, np.float64)
_Step = TypeVar("_Step", np.float32, np.float64)
_Casting = Literal["no", "equiv", "safe", "same_kind", "unsafe"]
_Order = Literal["K", "A", "C", "F"]
_Array = NDArray[Any]

__version__: str
backend: str
reason: str
simd: str

class _Context(ContextDecorator, AbstractContextManager[None, None]):
    def __exit__(self, *error: object) -> None: ...

def get_num_threads() -> int: ...
def num_threads(n: SupportsIndex, /) -> _Context: ...
def set_num_threads(n: SupportsIndex, /, *, spin: SupportsIndex | None = None) -> None: ...
def register_bfloat16() -> None: ...
'''
KEYWORDS = "casting: _Casting = ..., {order}subok: bool = ..."


# The types of the parameters of functions along an axis and of losses.
TYPES = {
    "axis": "int | tuple[int, ...] | None",
    "keepdims": "bool",
    "scale": "float",
    "mask": "ArrayLike | None",
    "causal": "bool",
    "sink": "ArrayLike",
    "tau": "float",
    "hard": "bool",
    "rng": "np.random.Generator | int | None",
    "ignore_index": "int",
    "reduction": 'Literal["mean", "sum", "none"]',
    "weight": "ArrayLike | None",
}


def function(name, precise, general, results=("NDArray[_F]",), masked=True):
    """The overloads of one function. `precise` and `general` have a list of arguments for each way to call it."""
    outputs = len(results)
    one, pair = "NDArray[_F]", "tuple[NDArray[_F] | None, NDArray[_F] | None]"
    keywords = KEYWORDS.format(order="order: _Order = ..., " if masked else "")
    where = "where: ArrayLike = ..., " if masked else ""
    text = ""
    for arguments in precise:
        out = f"{one} | tuple[{one}] | None" if outputs == 1 else f"{pair} | None"
        result = one if outputs == 1 else f"tuple[{', '.join(results)}]"
        text += f"@overload\ndef {name}({arguments}, out: {out} = ..., {where}{keywords}) -> {result}: ...\n"
    for arguments in general:
        out = "_Array | tuple[_Array] | None" if outputs == 1 else "tuple[_Array | None, _Array | None] | None"
        result = "Any" if outputs == 1 else "tuple[Any, Any]"
        given = f"{arguments}, out: {out} = ..., {where}dtype: DTypeLike = ..., {keywords}"
        text += f"@overload\ndef {name}({given}) -> {result}: ...\n"
    return text


def listed(parameters, kind):
    """The parameters, each with its type, and with its default if it has one."""
    texts = []
    for name, default in parameters.items():
        optional = " | None" if default is None else ""
        texts.append(f"{name}: {kind}{optional}" + ("" if default is REQUIRED else f" = {default!r}"))
    return texts


def passes(name, operands, parameters, kind, extra=(), from_output=False, **facts):
    """The overloads of a forward or a backward pass."""
    forms = {"NDArray[_F]": "float" if kind is None else kind, "ArrayLike": "ArrayLike" if kind is None else kind}
    lists = []
    for array, number in forms.items():
        arrays = [f"{operand}: {array}" for operand in operands]
        numbers = listed(parameters, number)
        ways = [[*arrays, "/", *numbers, "*", *extra]]
        if from_output:
            y = f"y: {array}"
            required = REQUIRED in parameters.values()
            none = ["x: None" if required else "x: None = ..."]
            ways.append([arrays[0], *none, "/", *numbers, "*", y, *extra])
            if required:
                ways.append([arrays[0], "/", "*", *numbers, y, *extra])
        lists.append([", ".join(way) for way in ways])
    return function(name, *lists, **facts)


def typed(values):
    """The parameters of a function along an axis, with types and defaults."""
    return [f"{name}: {TYPES.get(name, 'float')} = {default!r}" for name, default in values.items()]


def row(facts):
    """The overloads of a function along an axis and of its backward pass."""
    name, given = facts.name, [*typed(facts.parameters), "*", *typed(facts.by_name)]
    result = ["Any"] if facts.reduces else ["NDArray[_F]"]
    text = function(name, *([", ".join([f"x: {array}", "/", *given])] for array in ARRAYS), results=result, masked=False)
    if facts.slope:
        text += row_backward(facts, given, ["NDArray[_F]"], "sink_grad: Literal[False] = False" if facts.sink_slope else "")
        if facts.sink_slope:
            text += row_backward(facts, given, ["NDArray[_F]", "Any"], "sink_grad: Literal[True]")
    return text


def row_backward(facts, given, results, sink_grad):
    """The overloads of the backward pass of a function along an axis, with this option."""
    extra = [sink_grad] if sink_grad else []
    ways = [["x: {0}", "/", *given, *extra]]
    if facts.backward_from_output:
        ways.append(["x: None = ...", "/", *given[: given.index("*") + 1], "y: {0}", *typed(facts.by_name), *extra])
    lists = []
    for array in ARRAYS:
        grad = "grad: ArrayLike" if facts.reduces else f"grad: {array}"
        lists.append([", ".join([grad, *way]).format(array) for way in ways])
    return function(f"{facts.name}_backward", *lists, results=results, masked=False)


def draw(facts):
    """The overloads of a random draw and of its backward pass."""
    axis, options = typed(facts.parameters)[0], ", ".join(typed(facts.by_name))
    text = function(facts.name, *([f"x: {array}, /, {axis}, *, {options}"] for array in ARRAYS), masked=False)
    tau = typed({"tau": facts.by_name["tau"]})[0]
    lists = ([f"grad: {array}, /, {axis}, *, y: {array}, {tau}"] for array in ARRAYS)
    return text + function(f"{facts.name}_backward", *lists, masked=False)


def loss(facts):
    """The overloads of a loss, of its backward pass, and of the function that gives both results."""
    text, number = "", "float" if facts.of_rows else "ArrayLike"
    types = {**{name: number + " | None" * (default is None) for name, default in facts.parameters.items()}, "axis": "int"}
    parameters = [f"{name}: {types.get(name) or TYPES[name]} = {default!r}" for name, default in facts.all_parameters.items()]
    by_name = "".join(f"{one}, " for one in typed(facts.by_name))
    for kind, name in facts.names().items():
        grad = "grad: ArrayLike, " if kind == "backward" else ""
        for array in ARRAYS:
            gradient = "Any" if array == "ArrayLike" else array
            result = {"loss": "Any", "backward": gradient, "both": f"tuple[Any, {gradient}]"}[kind]
            pair = "_Array | None, _Array | None" if kind == "both" else "_Array"
            out = f"out: _Array | tuple[{pair}] | None = ..."
            given = f"{grad}{facts.first}: {array}, target: ArrayLike, /, {', '.join(parameters)}, *, {by_name}{out}"
            text += f"@overload\ndef {name}({given}) -> {result}: ...\n"
    return text


STEPS = {"step": "int", "velocity": "NDArray[_Step] | None", "nesterov": "bool"}


def step(name):
    """The declaration of a training step, from its signature."""
    given, marked = [], False
    for one in inspect.signature(getattr(backends.load("numpy"), name)).parameters.values():
        by_name = one.kind is inspect.Parameter.KEYWORD_ONLY
        given += ["*"] if by_name and not marked else []
        marked |= by_name
        default = "" if one.default is inspect.Parameter.empty else f" = {one.default!r}"
        given.append(f"{one.name}: {STEPS.get(one.name, 'float' if by_name else 'NDArray[_Step]')}{default}")
    return f"def {name}({', '.join(given)}) -> NDArray[_Step]: ...\n"


def stub():
    """The whole stub."""
    texts = [HEAD]
    for activation in ACTIVATIONS.values():
        if not activation.public:
            continue
        name, operands, parameters, kind = activation.name, activation.operands, activation.parameters, None
        extra = []
        if activation.option:
            choices = ", ".join(map(repr, activation.alternatives))
            extra.append(f"{activation.option}: Literal[{choices}] = ...")
        results = ["NDArray[_F]" if of in operands else "Any" for of in activation.gradients]
        if activation.halves:
            operands, parameters, kind, results = ("x",), {"axis": -1}, "int", results[:1]
        texts.append(passes(name, operands, parameters, kind, extra))
        backward, from_output = f"{name}_backward", activation.backward_from_output is not None
        texts.append(passes(backward, ("grad", *operands), parameters, kind, extra, from_output, results=results))
        texts += [f"{alias}{suffix} = {name}{suffix}\n" for alias in activation.aliases for suffix in ("", "_backward")]
    texts += [*map(row, ROWS.values()), *map(draw, DRAWS.values()), *map(loss, LOSSES.values())]
    texts += map(step, LISTED)
    return "".join(texts)


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
