"""`Logits`: the logits of rows, each less the largest of its row. The formulas of the softmax family start from them.

They are in float64, so that x - max keeps its digits for float32 (words.py says why the exponentials are in float64 too). For
float64 the rounding error of x - max is kept as well: exp would amplify it to 250 ULP.
"""

import functools
from typing import Any, NamedTuple

import numpy as np

from .double_double import clean, product_low
from .rows import sum_low


class Masking(NamedTuple):
    """The argument `masking` of a formula that can leave entries out."""

    scale: object  # one number a row
    sink: object  # one number a row
    kept: object  # a function of a part: which of its entries count


class Logits:
    """Rows of logits, scaled and masked, each entry less the largest of its row (or the sink, where that is larger).

    No function in it refers to it: so its arrays are freed with it at once, and need not wait for the garbage collector.

    Attributes
    ----------
    signed : Rows
        The logits with the sign of the scale, -inf where masked.
    base : ndarray
        The largest of these in each row.
    differences : Rows
        The scaled logit less the largest, as two arrays `high` and `low` whose sum it is. `high` is -inf where masked; `low` is 0
        for float32.
    largest, largest_low : ndarray
        The largest scaled logit or sink of each row, as a sum of two arrays.
    sink : ndarray or None
        The exponential of the sink less the largest.
    """

    def __init__(self, x, scale=None, sink=None, kept=None):
        self.x, self.sink = x, None
        self.largest_low: Any = 0.0
        if kept is None:
            self.signed, self.base = x, x.largest()
            self.largest, self.differences = self.base, x.with_entries(functools.partial(plain_differences, x, self.base))
            return
        self.signed = x.with_entries(lambda part: np.where(kept(part), np.where(scale < 0, -x(part), x(part)), -np.inf))
        self.base, size = self.signed.largest(), np.abs(scale)
        only_sink = np.isneginf(self.base) & (sink > -np.inf)
        self.base[only_sink] = 0
        largest = self.base * size
        self.largest_low = clean(product_low(self.base, size, largest))
        self.largest = np.where(only_sink, -np.inf, largest)
        shift = self._add_sink(sink) if (sink > -np.inf).any() else None
        self.differences = x.with_entries(functools.partial(scaled_differences, self.signed, self.base, size, kept, shift))

    def _add_sink(self, sink):
        """Let the sink count; returns by how much it exceeds the largest logit, negated, in two parts; 0 where it does not."""
        gap = self.largest - sink
        gap_low = clean(sum_low(self.largest, -sink, gap)) + self.largest_low
        sunk = gap < 0
        self.sink = np.where(sunk, 1, np.exp(-gap) * (1 - gap_low))
        # Of the sink's and the largest logit's exponential the larger is 1. This is the smaller.
        self.smaller = np.where(sunk, np.exp(gap) * (1 + gap_low), self.sink)
        self.largest, self.largest_low = np.where(sunk, sink, self.largest), np.where(sunk, 0, self.largest_low)
        return np.where(sunk, gap, 0), np.where(sunk, gap_low, 0)

    @functools.cached_property
    def leading(self):
        """A function of a part: which rows have their (first) largest entry in it, and the indices of these entries."""
        first = self.signed.position(self.base)

        def entries(part):
            at = first - part.start
            rows = np.nonzero((at >= 0) & (at < part.stop - part.start))
            return rows, (*rows[:-1], at[rows])

        return self.x.with_entries(entries)

    @functools.cached_property
    def others(self):
        """The exponentials with 0 in place of the largest entry's."""
        differences, leading = self.differences, self.leading

        def entries(part):
            high, low = differences(part)
            others = exponential(high.copy(order="K"), low)
            others[leading(part)[1]] = 0
            return others

        return self.x.with_entries(entries)

    @functools.cached_property
    def sum_of_others(self):
        """The sum of all exponentials but the largest, which is 1. It gives a dominant entry's logarithm and 1 - p."""
        if not self.x.parts:
            return np.zeros(self.x.each)
        total = self.others.sum()
        if self.sink is not None:
            total = total + self.smaller
        return np.where(np.isfinite(self.base), total, np.nan)

    def softmax(self):
        """The probabilities: the exponentials over their sum, the sink's among them."""
        differences = self.differences.entries  # without Rows' memory, since the exponentials are written over them
        exponentials = self.x.with_entries(lambda part: exponential(*differences(part)))
        total = exponentials.sum() if self.sink is None else exponentials.sum() + self.sink
        return self.x.with_entries(lambda part: exponentials(part) / total)

    def log_softmax(self):
        """The logarithms of the probabilities."""
        differences, log = self.differences, np.log1p(self.sum_of_others)

        def entries(part):
            high, low = differences(part)
            return high + (low - log)

        return self.x.with_entries(entries)


def plain_differences(x, base, part):
    """The entries of a part less the largest, as a sum of two arrays."""
    entries = x(part)
    high = entries - base
    return high, clean(sum_low(entries, -base, high)) if x.dtype == np.float64 else 0.0


def scaled_differences(signed, base, size, kept, shift, part):
    """size * (x - base), less the sink where that is larger, as a sum of two arrays."""
    # With a scale below 1 the difference may overflow though its product with the scale does not: so both numbers are halved.
    half = np.where(size < 1, 0.5, 1.0)
    x, base, factor = signed(part) * half, base * half, size / half
    difference = x - base
    high, low = difference * factor, 0.0
    if signed.dtype == np.float64:
        lost = clean(sum_low(x, -base, difference))
        low = clean(product_low(difference, factor, high)) + lost * factor
    if shift is not None:
        shifted = high + shift[0]
        if signed.dtype == np.float64:
            low = low + clean(sum_low(high, shift[0], shifted)) + shift[1]
            high = shifted
        else:
            high = shifted + shift[1]
    return np.where(kept(part), high, -np.inf), clean(low)


def exponential(high, low):
    """exp(high + low), written over `high`."""
    e = np.exp(high, out=high)
    if isinstance(low, np.ndarray) and low.ndim:
        e += e * low
    return e
