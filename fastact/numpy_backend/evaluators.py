"""The evaluators of the NumPy backend: functions that are called as ufuncs are, made of the declarations.

The compiled core has evaluators of the same names and signatures. It lacks those of functions along an axis that have no loop.
"""

import numpy as np

from .. import formulas, fused, losses, rows  # noqa: F401  (they fill the registries)
from ..declare import ACTIVATIONS, FUSED, LOSSES, REQUIRED, ROWS
from ..declare_rows import takes_masking
from .elementwise import blockwise
from .logits import Masking
from .rows import Rows, along_axis

NOT_GIVEN = {None: np.nan, REQUIRED: None}  # what Evaluator takes for these defaults
MASKING = ",d(),d(),q(),?(n)"  # scale, sink, limit, mask


def elementwise():
    """The arguments of `blockwise` for each elementwise evaluator."""
    for activation in ACTIVATIONS.values():
        name, n_parameters = activation.name, len(activation.parameters)
        operands, outputs = len(activation.operands), len(activation.gradients)
        for full_name, formula, arrays, results, is_wide in (
            (name, activation.forward, operands, 1, activation.wide),
            (name + "_backward", activation.backward, operands + 1, outputs, activation.wide_backward),
            (name + "_backward_from_output", activation.backward_from_output, 2, 1, False),
        ):
            if formula is not None:
                usual = tuple(NOT_GIVEN.get(value, value) for value in activation.parameters.values())
                yield full_name, formula, arrays + n_parameters, results, is_wide, usual
    for name, one in FUSED.items():
        yield name, *one


def signatures():
    """The typed signature and the kernel of each evaluator along an axis, by name.

    In a signature "f" is float32 or float64, "d" float64, "q" int64 and "?" boolean; n is the axis.
    """
    found = [kernel for row in ROWS.values() if row.variant_of is None for kernel in kernels_along_axis(row)]
    found += [kernel for loss in LOSSES.values() if loss.of_rows for kernel in kernels_of_loss(loss)]
    return {name: (signature, kernel) for name, signature, kernel in found}


def kernels_along_axis(row):
    """The name, signature and kernel of each evaluator of a function along an axis."""
    result = "f()" if row.reduces else "f(n)"
    numbers = ",d()" * len(row.numbers)
    for suffix, signature, formula, hidden in (
        ("", f"f(n){numbers}->{result}", row.forward, None if row.reduces else row.hidden),
        ("_backward", f"{result},f(n){numbers}->f(n)", row.backward, 0),
        ("_backward_from_output", f"f(n),f(n){numbers}->f(n)", row.backward_from_output, 0),
    ):
        if formula is not None:
            yield row.name + suffix, signature, formula
            if takes_masking(row.forward):
                masked = signature.replace("->", f"{MASKING}->")
                yield f"{row.name}_masked{suffix}", masked, with_masking(formula, hidden)


def with_masking(formula, hidden=None):
    """A kernel of the formula, with the operands scale, sink, limit and mask after its arrays; a masked result is `hidden`."""

    def kernel(*inputs):
        *arrays, scale, sink, limit, mask = inputs
        guide = next(one for one in arrays if isinstance(one, Rows))

        def entries(part):
            # In the memory layout of the operand: NumPy adds the entries of another layout in another order.
            out = np.empty_like(guide(part), bool)
            return np.logical_and(mask(part), np.arange(part.start, part.stop) < limit, out=out)

        kept = mask.with_entries(entries)
        result = formula(*arrays, Masking(scale, sink, kept))
        return result if hidden is None else mask.with_entries(lambda part: np.where(kept(part), result(part), hidden))

    return kernel


def kernels_of_loss(loss):
    """The name, signature and kernel of each evaluator of a loss of rows: one for targets of each kind."""
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
    """A kernel whose target is an index; the formula takes a distribution. The results are 0 where the index is -1."""

    def kernel(*inputs):
        logits, target = inputs[position - 1 : position + 1]
        one_hot = logits.with_entries(lambda part: (np.arange(part.start, part.stop) == target).astype(np.float64))
        results = formula(*inputs[:position], one_hot, *inputs[position + 1 :])
        counted = [only_counted(target, result) for result in (results if isinstance(results, tuple) else (results,))]
        return tuple(counted) if len(counted) > 1 else counted[0]

    return kernel


def only_counted(target, result):
    """A result, 0 where the index is -1."""
    if isinstance(result, np.ndarray):
        return np.where(target < 0, 0, result)
    return result.with_entries(lambda part: np.where(target < 0, 0, result(part)))


def evaluators(known=()):
    """The evaluators by name, without those in `known`, which the compiled core has."""
    made = {name: blockwise(name, *facts) for name, *facts in elementwise() if name not in known}
    made |= {name: along_axis(name, *facts) for name, facts in signatures().items() if name not in known}
    for evaluator in made.values():
        evaluator.__module__ = "fastact.calls.ufuncs"  # where pickle finds it
    return made
