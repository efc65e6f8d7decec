"""The softmax family in NumPy, on rows along the last axis: mirrors the C kernels.

All of it comes from one thing, `Logits`: the logits of a row, each less the largest. They are in float64, which keeps the
digits of x - max for float32 (words.py says why the exponentials are in float64 too); for float64 what rounding takes off is
kept beside them, since exp would amplify it by its size: 250 ULP without.
"""

import functools

import numpy as np

from .pairs import clean, product_low
from .rows import row_sum, sum_low


class Logits:
    """Rows of logits, scaled and masked, each entry less the largest of its row (or the sink, where that is larger).

    Attributes
    ----------
    high, low : ndarray
        The sum of both is the logit less the largest; -inf where masked. low is 0 for float32.
    largest, largest_low : ndarray
        The largest, in two parts.
    sink : ndarray or None
        The exponential of the sink less the largest.
    """

    def __init__(self, x, scale=None, sink=None, limit=None, mask=None):
        self.dtype, self.n, self.sink, self.low, self.largest_low = x.dtype, x.shape[-1], None, 0.0, 0.0
        if mask is None:
            self.signed = x
            self.base = self.largest = x.max(axis=-1, keepdims=True, initial=-np.inf).astype(np.float64)
            self.high = x - self.base
            if x.dtype == np.float64:
                self.low = clean(sum_low(x, -self.base, self.high))
            return
        kept = keeps(x, limit, mask)
        self.signed = np.where(kept, np.where(scale < 0, -x, x), -np.inf)  # float32 stays float32
        self.base = self.signed.max(axis=-1, keepdims=True, initial=-np.inf).astype(np.float64)
        beside_sink = np.isneginf(self.base) & (sink > -np.inf)  # nothing but the sink counts
        self.base[beside_sink] = 0
        self._scale(np.abs(scale))
        self.largest = np.where(beside_sink, -np.inf, self.largest)
        if (sink > -np.inf).any():
            self._add(sink)
        self.high = np.where(kept, self.high, -np.inf)
        self.low = clean(self.low)

    def _scale(self, size):
        """The scaled differences, product and all: size (x - base)."""
        half = np.where(size < 1, 0.5, 1.0)  # of numbers near the largest, whose difference would overflow
        x, base, factor = self.signed * half, self.base * half, size / half
        difference = x - base
        self.high, self.largest = difference * factor, self.base * size
        if self.dtype == np.float64:
            lost = clean(sum_low(x, -base, difference))
            self.low = clean(product_low(difference, factor, self.high)) + lost * factor
        self.largest_low = clean(product_low(self.base, size, self.largest))

    def _add(self, sink):
        """Take the sink for the largest where it is, and its exponential."""
        gap = self.largest - sink
        gap_low = clean(sum_low(self.largest, -sink, gap)) + self.largest_low
        self.sunk = gap < 0
        self.sink = np.where(self.sunk, 1, np.exp(-gap) * (1 - gap_low))
        shift, shift_low = np.where(self.sunk, gap, 0), np.where(self.sunk, gap_low, 0)
        shifted = self.high + shift
        if self.dtype == np.float64:
            self.low = self.low + clean(sum_low(self.high, shift, shifted)) + shift_low
            self.high = shifted
        else:
            self.high = shifted + shift_low
        self.largest, self.largest_low = np.where(self.sunk, sink, self.largest), np.where(self.sunk, 0, self.largest_low)

    @functools.cached_property
    def exponentials(self):
        """exp(logit - largest)."""
        e = np.exp(self.high)
        if self.dtype == np.float64:
            e += e * self.low
        return e

    @property
    def total(self):
        """The sum of the exponentials, the sink's among them."""
        total = row_sum(self.exponentials, self.dtype)
        return total if self.sink is None else total + self.sink

    @functools.cached_property
    def first(self):
        """Where the first of the largest entries of x is, an index that take_along_axis takes."""
        return self.signed.argmax(axis=-1, keepdims=True)

    @functools.cached_property
    def rest(self):
        """The sum without the largest, whose exponential is 1: what a dominant entry's logarithm and 1 - p are made of."""
        if self.n == 0:
            return np.zeros_like(self.base)
        others = self.exponentials.copy()
        leading = np.take_along_axis(others, self.first, -1)
        np.put_along_axis(others, self.first, 0, -1)
        rest = row_sum(others, self.dtype)
        if self.sink is not None:
            rest += np.where(self.sunk, leading, self.sink)
        return np.where(np.isfinite(self.base), rest, np.nan)

    def softmax(self):
        """The probabilities."""
        return self.exponentials / self.total

    def log_softmax(self):
        """Their logarithms."""
        return self.high + (self.low - np.log1p(self.rest))


def keeps(x, limit, mask):
    """Which entries are not masked."""
    return mask & (np.arange(x.shape[-1]) < limit)


def masked(formula, value=0):
    """A formula with the masking's operands after its arrays: masked entries of the result are `value`."""

    def with_mask(*inputs):
        *arrays, scale, sink, limit, mask = inputs
        return np.where(keeps(arrays[-1], limit, mask), formula(*arrays, (scale, sink, limit, mask)), value)

    return with_mask


def softmax(x, masking=()):
    """The exponentials over their sum."""
    return Logits(x, *masking).softmax()


def log_softmax(x, masking=()):
    """The logarithm of the softmax."""
    return Logits(x, *masking).log_softmax()


def logsumexp(x, *masking):
    """The logarithm of the sum of the exponentials."""
    logits = Logits(x, *masking)
    total = logits.largest + (logits.largest_low + np.log1p(logits.rest))
    return np.where(np.isinf(logits.base), logits.base, total)


def softmax_backward_from_output(grad, y, masking=()):
    """From the probabilities."""
    return _backward(grad, y, grad.dtype, _softmax_slope, masking)


def softmax_backward(grad, x, masking=()):
    """From the logits."""
    return _backward(grad, softmax(x, masking), grad.dtype, _softmax_slope, masking)


def log_softmax_backward_from_output(grad, y, masking=()):
    """From the logarithms of the probabilities."""
    return _backward(grad, y, grad.dtype, _log_softmax_slope, masking)


def log_softmax_backward(grad, x, masking=()):
    """From the logits."""
    return _backward(grad, log_softmax(x, masking), grad.dtype, _log_softmax_slope, masking)


def logsumexp_backward(grad, x, *masking):
    """From the logits."""
    y = grad * softmax(x, masking)
    return np.where(keeps(x, *masking[2:]), y * masking[0], 0) if masking else y


def _backward(grad, y, dtype, slope, masking):
    """The gradient of the logits from that of the outputs; what a masked gradient holds does not count."""
    if not masking:
        return slope(grad, y, dtype)
    scale, _, limit, mask = masking
    kept = keeps(y, limit, mask)
    return scale * slope(np.where(kept, grad, 0), np.where(kept, y, 0 if slope is _softmax_slope else -np.inf), dtype)


def _softmax_slope(grad, y, dtype):
    """The probabilities times what the gradient is more than its mean."""
    dot = row_sum(np.multiply(grad, y, dtype=np.float64), dtype)
    return y * np.subtract(grad, dot, dtype=np.float64)


def _log_softmax_slope(grad, y, dtype):
    """The gradient less the probability's share of its sum: of a dominant entry by 1 - p, which keeps its digits."""
    y = y.astype(np.float64)  # a copy, since NumPy's functions give other last bits for other strides
    total = row_sum(grad.astype(np.float64, copy=False), dtype)
    return np.where(y > -0.5, (grad - total) - np.expm1(y) * total, grad - np.exp(y) * total)
