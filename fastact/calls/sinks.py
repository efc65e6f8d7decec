"""The call of a backward pass that can give the gradient of the sink, too."""

from typing import Any

import numpy as np

from ..numpy_backend.double_double import clean, product_low
from ..numpy_backend.rows import sum_low
from .arguments import blocks, checked_out, computing, loop_dtype, rounded
from .elementwise import answers_for_itself
from .losses import CAST
from .operands import array_to_read, is_labelled, is_lazy, is_masked, refuse_masked_out
from .rows import RowCall, Whole, check_flag, is_scalar, taking_dtype
from .special import broadcast_axes, sum_over


class SinkCall(RowCall):
    """A call of the backward pass of a softmax with a sink.

    The sink is one more logit, whose probability is not in the result. So its gradient is that of a logit whose probability has
    no gradient: -share * sum(grad * y), where the share is the probability of the sink, 1 - sum(y).

    Attributes
    ----------
    probabilities : callable
        The evaluator of the forward pass with scale, sink, limit and mask.
    sum : callable or None
        The compiled sum along one axis.
    """

    def __init__(self, row, suffix, plain, masked, evaluators):
        super().__init__(row, suffix, plain, masked)
        self.by_name = {**self.by_name, "sink_grad": False}
        self.probabilities, self.sum = taking_dtype(evaluators[f"{row.evaluator}_masked"]), evaluators.get("sum")

    def evaluate(self, evaluator, operands, parameters, kwargs):
        """The gradient of the operand, and of the sink if that is asked for. The first has the same bits in both cases."""
        check_flag(self.name, "sink_grad", kwargs.get("sink_grad", False))
        scalars = [is_scalar(value) for value in operands]
        elsewhere = any(is_lazy(value) or is_labelled(value) for value in (*operands, *kwargs.values()))
        if not kwargs.get("sink_grad") or elsewhere or "where" in kwargs or any(scalars) != all(scalars):
            return super().evaluate(evaluator, operands, parameters, kwargs)
        if any(map(answers_for_itself, operands)):
            raise TypeError(f"{self.name}() with sink_grad=True takes arrays, not {type(operands[-1]).__name__}")
        del kwargs["sink_grad"]
        first, second = self.outputs(kwargs.pop("out", None))
        loop = loop_dtype(self.name, operands, kwargs.get("dtype"))
        slope = self.slope_of_sink(evaluator is self.default[1], operands, parameters[0], kwargs, loop)
        second = checked_out(self.name, second, loop, kwargs.get("casting", "same_kind"))
        if second is not None and second.shape != slope.shape:
            raise ValueError(f"{self.name}() needs out= of shape {slope.shape} for the gradient of sink, got {second.shape}")
        if isinstance(first, np.ndarray) and second is not None and np.may_share_memory(first, second):
            raise ValueError(f"{self.name}() needs arrays that do not overlap in out=, for the gradients of x and of sink")
        result = super().evaluate(evaluator, operands, parameters, {**kwargs, "out": first})
        if second is None:
            return result, slope[()]
        second[...] = slope
        return result, second

    def outputs(self, out):
        """The arrays or None for both gradients. An array alone is for the first."""
        if not isinstance(out, tuple):
            return out, None
        if len(out) != 2:
            raise ValueError(f"{self.name}() with sink_grad=True needs two entries in the 'out' tuple, not {len(out)}")
        refuse_masked_out(self.name, out[1])
        return out

    def slope_of_sink(self, from_output, operands, axis, given, loop):
        """The gradient of the sink, in its shape: summed in float64, and rounded once."""
        settings: Any = {name: given.get(name, default) for name, default in self.by_name.items()}
        settings |= {name: array_to_read(self.name, name, each) for name, each in settings.items() if is_masked(each)}
        self.needs_masking(settings)
        if is_scalar(operands[0]):
            operands, axis = [np.asanyarray(value)[None] for value in operands], -1
        # What numpy.ma masks takes no part; such an entry of the gradient counts 0.
        hidden = np.ma.getmaskarray(operands[1]) if is_masked(operands[1]) else None
        grad, last = (value if is_masked(value) else np.asanyarray(value) for value in operands)
        plain = [grad.filled(0) if is_masked(grad) else grad, last.data if is_masked(last) else last]
        whole = Whole(self, plain, axis, False)
        scale, sink, limit, mask = whole.masking(settings)
        counted = hidden is not None or settings["mask"] is not None or settings["causal"]
        if hidden is not None:
            mask = mask & ~whole.rows(np.broadcast_to(hidden, whole.shape))
        n = whole.arrays[-1].shape[whole.axis]
        grad, last, mask = (
            np.broadcast_to(np.moveaxis(array, whole.axis, -1), (*whole.batch, n)) for array in (*whole.arrays, mask)
        )
        sink, limit = np.broadcast_to(sink, whole.batch), np.broadcast_to(limit, whole.batch)
        slopes = np.zeros(whole.batch)
        for part in blocks(whole.batch, max(1, CAST // n)) if n else ():
            kept, entries = mask[part], last[part]
            y = entries
            if not from_output:
                y = self.probabilities(entries, scale, sink[part], limit[part], kept, dtype=computing(loop))
            if counted:
                kept = kept & (np.arange(n) < limit[part][..., None])
            with np.errstate(all="ignore"):
                total = self.summed(y, kept if counted else None)
                dot = self.summed(np.multiply(grad[part], y, dtype=np.float64), kept if counted else None)
                share = 1 - total
                if not from_output:
                    share = np.where(total < 0.5, share, share_by_largest(entries, y, scale, sink[part]))
                slopes[part] = 0 - np.where(np.isneginf(sink[part]), 0, np.maximum(share, 0)) * dot
        own_shape, shape = np.shape(settings["sink"]), np.shape(whole.sink_of_rows(settings["sink"]))
        with np.errstate(all="ignore"):
            total = np.asarray(sum_over(self.sum, slopes, broadcast_axes(shape, slopes.shape))).reshape(own_shape)
            return rounded(total, loop)

    def summed(self, terms, kept):
        """The sum of the terms of each row that are kept, in float64."""
        terms = terms if kept is None else np.where(kept, terms, 0)
        return terms.sum(axis=-1, dtype=np.float64) if self.sum is None else self.sum(np.asarray(terms))


def share_by_largest(x, y, scale, sink):
    """The probability of the sink, from the largest one of each row: with all digits, where 1 - sum(y) has lost them."""
    at = y.argmax(axis=-1)[..., None]
    top_x, top_y = (np.take_along_axis(array, at, -1)[..., 0].astype(np.float64) for array in (x, y))
    logit = top_x * scale
    gap = sink - logit
    gap_low = clean(sum_low(sink, -logit, gap)) - clean(product_low(np.asarray(top_x), np.float64(scale), logit))
    return top_y * np.exp(gap) * (1 + gap_low)
