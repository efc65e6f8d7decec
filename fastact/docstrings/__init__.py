"""Docstrings and tables of functions, made of the declarations."""

from typing import NamedTuple

from ..declare import ACTIVATIONS, DRAWS, LOSSES, REQUIRED, ROWS, Activation
from . import steps


class Listed(NamedTuple):
    """A row of a table of functions: one function, or one with an option."""

    name: str
    call: str
    aliases: tuple
    start: str  # the arguments from which the backward pass can start
    definition: str
    slope: str
    declared: Activation | None


def listing():
    """A `Listed` for each public function and option."""
    for activation in (activation for activation in ACTIVATIONS.values() if activation.public):
        operands = ("x",) if activation.halves else activation.operands
        given = {"axis": -1} if activation.halves else activation.parameters
        arguments = [*operands, *(name if default is REQUIRED else f"{name}={default}" for name, default in given.items())]
        start = "x or y=" if activation.backward_from_output else ", ".join(operands)
        for value, other in activation.alternatives.items() if activation.option else [(None, activation)]:
            option = [f"{activation.option}={value!r}"] if activation.option else []
            name = activation.name if other is activation else f"{activation.name}[{value}]"
            call = f"{activation.name}({', '.join(arguments + option)})"
            yield Listed(name, call, activation.aliases, start, other.definition, other.slope, other)
    for one in (*ROWS.values(), *DRAWS.values()):
        start = "" if not one.slope else "y=" if one.name in DRAWS else "x or y=" if one.backward_from_output else "x"
        call = called(one.name, ("x",), {**one.parameters, **one.by_name})
        yield Listed(one.name, call, (), start, one.definition, one.slope, None)
    for loss in LOSSES.values():
        for kind, name in loss.names().items():
            call, start = called(name, (loss.first, "target"), {**loss.all_parameters, **loss.by_name}), ""
            definition, slope = f"{loss.name} and its gradient in one pass", ""
            if kind == "loss":
                start, definition, slope = f"{loss.first}, target", loss.definition, loss.slope
            elif "loss" not in loss.kinds:
                definition = f"{loss.definition} in one pass"
            if kind != "backward":
                yield Listed(name, call, (), start, definition, slope, None)
    for name, (call, definition) in steps.LISTED.items():
        yield Listed(name, call, (), "", definition, "", None)


def called(name, operands, parameters):
    """A call with all defaults, as text."""
    return f"{name}({', '.join([*operands, *(f'{key}={value!r}' for key, value in parameters.items())])})"
