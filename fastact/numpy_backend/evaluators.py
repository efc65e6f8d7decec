"""The evaluators of the NumPy backend, by name: functions with the calling convention of a ufunc, from the declarations.

The compiled core has the same names and signatures, but for functions along an axis for which it has no loop.
"""

import numpy as np

from .. import formulas, fused_formulas, rows  # noqa: F401  (they fill the registries)
from ..declare import ACTIVATIONS, FUSED, LOSSES, ROWS
from ..declare_rows import takes_masking
from .elementwise import blockwise
from .logits import Masking
from .rows import along_axis

MASKING = ",d(),d(),q(),?(n)"  # scale, sink, limit, mask


def elementwise():
    """The name and the facts of each evaluator of the pages of formulas, as `blockwise` takes them."""
    for activation in ACTIVATIONS.values():
        name, n_parameters = activation.name, len(activation.parameters)
        operands, outputs, wide = len(activation.operands), len(activation.gradients), activation.wide
        for full_name, formula, arrays, results, in_pairs in (
            (name, activation.forward, operands, 1, wide),
            (name + "_backward", activation.backward, operands + 1, outputs, wide),
            (name + "_backward_from_output", activation.backward_from_output, 2, 1, False),
        ):
            if formula is not None:
                yield full_name, formula, arrays + n_parameters, results, in_pairs
    for name, one in FUSED.items():
        yield name, *one


def signatures():
    """The typed signature and the kernel of each evaluator along an axis, by name.

    In a signature "f" is float32 or float64, "d" float64, "q" int64 and "?" boolean; n is the axis.
    """
    return {name: facts for one in (*ROWS.values(), *LOSSES.values()) for name, *facts in kernels(one)}


def kernels(one):
    """The name, signature and kernel of each evaluator of a function along an axis or a loss of rows."""
    if one in LOSSES.values():
        yield from kernels_of_loss(one) if one.of_rows else ()
    elif one.of is None:
        result = "f()" if one.reduces else "f(n)"
        numbers = ",d()" * len(one.numbers)
        for suffix, signature, formula, hidden in (
            ("", f"f(n){numbers}->{result}", one.forward, None if one.reduces else one.hidden),
            ("_backward", f"{result},f(n){numbers}->f(n)", one.backward, 0),
            ("_backward_from_output", f"f(n),f(n){numbers}->f(n)", one.backward_from_output, 0),
        ):
            if formula is not None:
                yield one.name + suffix, signature, formula
                if takes_masking(one.forward):
                    masked = signature.replace("->", f"{MASKING}->")
                    yield f"{one.name}_masked{suffix}", masked, with_masking(formula, hidden)


def with_masking(formula, hidden=None):
    """A formula with the masking's operands after its arrays; masked entries of a row are `hidden`."""

    def kernel(*inputs):
        *arrays, scale, sink, limit, mask = inputs
        kept = mask.of(lambda part: mask(part) & (np.arange(part.start, part.stop) < limit))
        result = formula(*arrays, Masking(scale, sink, kept))
        return result if hidden is None else mask.of(lambda part: np.where(kept(part), result(part), hidden))

    return kernel


def kernels_of_loss(loss):
    """The name, signature and kernel of each evaluator of a loss of rows: the target is an index, or a distribution."""
    numbers = ",d()" * len(loss.parameters)
    both = loss.both or (lambda grad, *inputs: (loss.forward(*inputs), loss.backward(grad, *inputs)))
    for suffix, inputs, outputs, formula in (
        ("", "", "f()", loss.forward),
        ("_backward", "f(),", "f(n)", loss.backward),
        ("_both", "f(),", "f(),f(n)", both),
    ):
        yield f"{loss.name}_distribution{suffix}", f"{inputs}f(n),f(n){numbers}->{outputs}", formula
        yield f"{loss.name}{suffix}", f"{inputs}f(n),q(){numbers}->{outputs}", of_index(formula, 1 + bool(inputs))


def of_index(formula, position):
    """A formula whose target is not a distribution but an index; its results are 0 where that is -1."""

    def kernel(*inputs):
        logits, target = inputs[position - 1 : position + 1]
        one_hot = logits.of(lambda part: (np.arange(part.start, part.stop) == target).astype(np.float64))
        results = formula(*inputs[:position], one_hot, *inputs[position + 1 :])
        counted = [only_counted(target, result) for result in (results if isinstance(results, tuple) else (results,))]
        return tuple(counted) if len(counted) > 1 else counted[0]

    return kernel


def only_counted(target, result):
    """A result, 0 where the index is -1."""
    if isinstance(result, np.ndarray):
        return np.where(target < 0, 0, result)
    return result.of(lambda part: np.where(target < 0, 0, result(part)))


def evaluators(known=()):
    """All of them, but for those whose names are known: the compiled core's."""
    made = {name: blockwise(name, *facts) for name, *facts in elementwise() if name not in known}
    made |= {name: along_axis(name, *facts) for name, facts in signatures().items() if name not in known}
    for evaluator in made.values():
        evaluator.__module__ = "fastact.calls.ufuncs"  # where pickle finds it
    return made
