"""The losses of elements. They are reduced in blocks, so that no temporary array has the size of the data."""

import math

import numpy as np

from .arguments import blocks, broadcast, computing, is_half, loop_dtype, overlaps, rounded
from .elementwise import Call
from .losses import BLOCK, CAST, SUFFIXES, LossCall, place, quietly
from .operands import array_to_read

# A label may be out of 0..1 by this much: so far roundings may take it.
SLACK = 1e-6


class ElementLossCall(LossCall):
    """A call of an elementwise loss, which is reduced over all elements.

    Attributes
    ----------
    evaluator : callable
        It computes the loss, the gradient, or both.
    usual : tuple of float
        The defaults of the loss's own parameters.
    slack : float or None
        By how much a label may be out of 0..1; None where the target has no labels.
    """

    def __init__(self, loss, kind, evaluators):
        self.evaluator = evaluators[loss.evaluator + SUFFIXES[kind]]
        super().__init__(loss, kind, evaluators, self.evaluator)
        self.usual = tuple(1.0 if default is None else float(default) for default in loss.parameters.values())
        self.slack = SLACK if loss.labels else None

    def by_blocks(self, inputs, reduction, loop, out):
        """The loss, or the loss and the gradient, of the evaluator's inputs, which broadcast to the shape of the first one."""
        shape = inputs[0].shape
        loss_out, losses, slopes = self.places(out, shape, inputs[0], reduction, loop)
        if slopes is None and reduction == "none":
            return self.evaluated(inputs, loop, loss_out)
        written = [array for array in (losses if reduction == "none" else None, slopes) if array is not None]
        for k, given in enumerate(inputs):
            if isinstance(given, np.ndarray) and any(overlaps(given, array) for array in written):
                inputs[k] = given = given.copy()
            if np.ndim(given):
                inputs[k] = np.broadcast_to(np.asarray(given), shape)
        total = 0.0
        for part in blocks(shape, BLOCK):
            given = [value[part] if np.ndim(value) else value for value in inputs]
            each = losses[part] if reduction == "none" else np.empty(np.shape(given[0]), computing(loop))
            self.evaluated(given, loop, each if slopes is None else (each, slopes[part]), reduction != "none")
            if reduction != "none":
                total += float(self.sum(each.reshape(-1)))
        if reduction != "none":
            loss = self.reduced(total, reduction, math.prod(shape), loop, loss_out)
        else:
            loss = losses[()] if loss_out is None else losses
        return loss if slopes is None else (loss, slopes)

    def evaluated(self, inputs, loop, out, summed=False):
        """Call the evaluator; in half precision that of float32, which takes numbers as they are.

        Its results are then rounded, but for losses that will be summed.
        """
        if not is_half(loop):
            return self.evaluator(*inputs, out=out, dtype=loop)
        with quietly(loop):
            results = self.evaluator(*inputs, dtype=computing(loop))
            if out is None:
                return rounded(results, loop)
            pairs = zip(out, results, strict=True) if isinstance(out, tuple) else [(out, results)]
            for k, (to, result) in enumerate(pairs):
                to[...] = result if summed and k == 0 else rounded(result, loop)
        return out

    def check(self, name, value):
        """A parameter of the loss itself is a number or an array of numbers; LossCall checks the others."""
        return Call.check(self, name, value) if name in self.own else super().check(name, value)

    def compute(self, grad, outputs, target, options, out):
        """Check everything, then compute; the loss in blocks."""
        numbers, reduction = self.checked_numbers(options), options["reduction"]
        self.check_shapes(outputs, target, numbers)
        if self.slack is not None:
            self.check_binary(target)
        loop = loop_dtype(self.name, [outputs])
        if self.kind == "loss":
            return self.by_blocks([outputs, target, *numbers], reduction, loop, out)
        if self.kind == "both":
            slope = 1.0 if reduction != "mean" or not outputs.size else 1.0 / outputs.size
            return self.by_blocks([outputs, target, slope, *numbers], reduction, loop, out)
        slope = self.weight(grad, reduction, outputs.size, outputs.shape)
        out = self.gradient_out(out, outputs, loop)
        slope = slope.astype(loop) if isinstance(slope, np.ndarray) and slope.dtype != loop else slope
        return self.evaluated((slope, outputs, target, *numbers), loop, out)

    def checked_numbers(self, options):
        """The loss's own parameters, 1 where None is given."""
        numbers = {}
        for name in self.own:
            value = 1.0 if options[name] is None else options[name]
            numbers[name] = value if type(value) in (int, float) else array_to_read(self.name, name, value)
        self.demand(self.conditions, numbers, "needs", "")
        return list(numbers.values())

    def check_shapes(self, outputs, target, numbers):
        """Refuse labels and parameters that do not broadcast to the outputs, and any other target of another shape."""
        inputs = [outputs, target, *numbers]
        if self.slack is None and target.shape != outputs.shape:
            hint = f": pass np.reshape(target, {outputs.shape})" if target.size == outputs.size else ""
            right = f"a target of the shape of {self.first}, {outputs.shape}, got {target.shape}"
            raise ValueError(f"{self.name}() needs {right}{hint}")
        if broadcast(self.name, inputs) != outputs.shape:
            names, shapes = " and ".join(["target", *self.own]), " and ".join(str(np.shape(value)) for value in inputs[1:])
            right = f"{names} that broadcast to the shape of {self.first}, {outputs.shape}, got {shapes}"
            raise ValueError(f"{self.name}() needs {right}")

    def check_binary(self, target):
        """Refuse labels that are not between 0 and 1; NaN passes."""
        for part in blocks(target.shape, CAST):
            given = target[part]
            if given.size and 0 <= given.min() <= given.max() <= 1:
                continue
            wrong = (given < -SLACK) | (given > 1 + SLACK)
            if wrong.any():
                at = np.argwhere(wrong)[0]
                value = given[tuple(at)].item()
                raise ValueError(f"{self.name}() needs target labels between 0 and 1, got {value} at {place(part, at)}")
