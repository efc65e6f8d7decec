"""The elementwise losses, reduced over all elements in blocks, so that nothing of the size of the data is made beside them."""

import math

import numpy as np

from ..numpy_backend.elementwise import broadcast, loop_dtype
from ..numpy_backend.rows import blocks, overlaps
from .elementwise import Call
from .losses import BLOCK, CAST, KINDS, LossCall, place, sum_quietly
from .operands import array_to_read

# Roundings may take a label so far below 0 or above 1.
SLACK = 1e-6


class ElementwiseLossCall(LossCall):
    """How an elementwise loss is called, which is reduced over all elements.

    Attributes
    ----------
    evaluator : callable
        Of the loss, of the gradient, or of both.
    usual : tuple of float
        What the evaluator takes after the arrays where nothing is asked for, beginning with `grad` if it has both results.
    slack : float or None
        How far roundings may take a label below 0 or above 1; None where the target has no labels.
    """

    slack = None

    def __init__(self, name, kind, parameters, evaluators, evaluator, usual):
        super().__init__(name, kind, parameters)
        self.evaluator, self.usual = evaluators[evaluator], usual
        self.sum, self.mean_of_elements = evaluators.get("sum", sum_quietly), evaluators.get("mean_of_elements")

    def __call__(self, *args, **kwargs):
        """The mean over plain arrays at once, without looking at everything; the rest by all the rules."""
        if self.mean_of_elements and self.kind != "backward" and len(args) == 2 and not kwargs.keys() - {"out"}:
            result = self.mean_of_elements(self.evaluator, self.slack, args, self.usual, kwargs.get("out"))
            if result is not None:
                return result
        return super().__call__(*args, **kwargs)

    def by_blocks(self, inputs, reduction, loop, out):
        """The loss, or both, of inputs that broadcast to the shape of the first one, as the evaluator takes them."""
        shape = inputs[0].shape
        loss_out, losses, slopes = self.places(out, shape, inputs[0], reduction, loop)
        if slopes is None and reduction == "none":
            return self.evaluator(*inputs, out=loss_out, dtype=loop)
        written = [array for array in (losses if reduction == "none" else None, slopes) if array is not None]
        for k, given in enumerate(inputs):
            if np.ndim(given):
                apart = given.copy() if any(overlaps(given, array) for array in written) else given
                inputs[k] = np.broadcast_to(np.asarray(apart), shape)
        total = 0.0
        for part in blocks(shape, BLOCK):
            given = [value[part] if np.ndim(value) else value for value in inputs]
            each = losses[part] if reduction == "none" else np.empty(np.shape(given[0]), loop)
            self.evaluator(*given, out=each if slopes is None else (each, slopes[part]), dtype=loop)
            if reduction != "none":
                total += float(self.sum(each.reshape(-1)))
        if reduction != "none":
            loss = self.reduced(total, reduction, math.prod(shape), loop, loss_out)
        else:
            loss = losses[()] if loss_out is None else losses
        return loss if slopes is None else (loss, slopes)


class SquaredErrorCall(ElementwiseLossCall):
    """How squared_error_and_grad is called."""

    first = "outputs"

    def __init__(self, name, evaluators):
        super().__init__(name, "both", {"reduction": "mean"}, evaluators, "squared_error_both", (1.0,))

    def compute(self, grad, outputs, target, options, out):
        """Check all of it, then compute it in blocks; a target never broadcasts."""
        if target.shape != outputs.shape:
            hint = f": pass np.reshape(target, {outputs.shape})" if target.size == outputs.size else ""
            right = f"a target of the shape of outputs, {outputs.shape}, got {target.shape}"
            raise ValueError(f"{self.name}() needs {right}{hint}")
        reduction = options["reduction"]
        weight = 1.0 if reduction != "mean" or not outputs.size else 1.0 / outputs.size
        return self.by_blocks([outputs, target, weight], reduction, loop_dtype(self.name, [outputs]), out)


class BinaryCrossEntropyCall(ElementwiseLossCall):
    """How binary_cross_entropy_with_logits is called."""

    slack = SLACK

    def __init__(self, name, kind, evaluators):
        suffix = {"loss": "", "both": "_both", "backward": "_backward"}[kind]
        usual = (1.0, 1.0) if kind == "both" else (1.0,)
        parameters = {"pos_weight": None, "reduction": "mean"}
        super().__init__(name, kind, parameters, evaluators, f"binary_cross_entropy{suffix}", usual)

    def check(self, name, value):
        """A weight is a number or an array of numbers."""
        if name == "pos_weight":
            return Call.check(self, name, value)
        return super().check(name, value)

    def compute(self, grad, logits, target, options, out):
        """Check all of it, then compute it, the loss in blocks."""
        weight, reduction = options["pos_weight"], options["reduction"]
        weight = 1.0 if weight is None else weight
        weight = weight if type(weight) in (int, float) else array_to_read(self.name, "pos_weight", weight)
        if not np.all(np.asarray(weight) >= 0):
            raise ValueError(f"{self.name}() needs pos_weight >= 0, got pos_weight={weight!r}")
        inputs = [logits, target, weight]
        loop = loop_dtype(self.name, [logits])
        if broadcast(self.name, inputs) != logits.shape:
            shapes = f"{logits.shape}, got {target.shape} and {np.shape(weight)}"
            raise ValueError(f"{self.name}() needs target and pos_weight that broadcast to the shape of logits, {shapes}")
        self.check_binary(target)
        if self.kind == "loss":
            return self.by_blocks(inputs, reduction, loop, out)
        if self.kind == "both":
            slope = 1.0 if reduction != "mean" or not logits.size else 1.0 / logits.size
            return self.by_blocks([logits, target, slope, weight], reduction, loop, out)
        slope = self.weight(grad, reduction, logits.size, logits.shape)
        out = self.gradient_out(out, logits, loop)
        slope = slope.astype(loop) if isinstance(slope, np.ndarray) and slope.dtype != loop else slope
        return self.evaluator(slope, *inputs, out=out, dtype=loop)

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


def calls(evaluators):
    """The calls of the elementwise losses."""
    yield SquaredErrorCall("squared_error_and_grad", evaluators)
    for suffix, kind in KINDS.items():
        yield BinaryCrossEntropyCall("binary_cross_entropy_with_logits" + suffix, kind, evaluators)
