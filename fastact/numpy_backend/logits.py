"""What the softmax family is made of in NumPy: `Logits`, the logits of a row, each less the largest.

They are in float64, which keeps the digits of x - max for float32 (words.py says why the exponentials are in float64 too). For
float64 what rounding takes off is kept beside them, since exp would amplify it by its size: 250 ULP without.
"""

import functools
from typing import Any, NamedTuple

import numpy as np

from .double_double import clean, product_low
from .rows import sum_low


class Masking(NamedTuple):
    """What a formula that leaves entries out gets besides its arrays: an array of one number a row for each of the first two."""

    scale: object
    sink: object
    kept: object  # the function that tells which entries of a part count


class Logits:
    """Rows of logits, scaled and masked, each entry less the largest of its row (or the sink, where that is larger).

    No function in it refers to it: the arrays of a block go when it does, not when the garbage is collected.

    Attributes
    ----------
    signed : Rows
        The logits with the sign of the scale, -inf where masked.
    base : ndarray
        The largest of these.
    differences : Rows
        Pairs high, low, whose sum is the logit less the largest; high is -inf where masked, low is 0 for float32.
    largest, largest_low : ndarray
        The largest, in two parts.
    sink : ndarray or None
        The exponential of the sink less the largest.
    """

    def __init__(self, x, scale=None, sink=None, kept=None):
        self.x, self.sink = x, None
        self.largest_low: Any = 0.0
        if kept is None:
            self.signed, self.base = x, x.largest()
            self.largest, self.differences = self.base, x.of(functools.partial(differences, x, self.base))
            return
        self.signed = x.of(lambda part: np.where(kept(part), np.where(scale < 0, -x(part), x(part)), -np.inf))
        self.base, size = self.signed.largest(), np.abs(scale)
        beside_sink = np.isneginf(self.base) & (sink > -np.inf)  # nothing but the sink counts
        self.base[beside_sink] = 0
        largest = self.base * size
        self.largest_low = clean(product_low(self.base, size, largest))
        self.largest = np.where(beside_sink, -np.inf, largest)
        shift = self._add(sink) if (sink > -np.inf).any() else None
        self.differences = x.of(functools.partial(scaled_differences, self.signed, self.base, size, kept, shift))

    def _add(self, sink):
        """Take the sink for the largest where it is, and its exponential; returns what the differences are less, in two parts."""
        gap = self.largest - sink
        gap_low = clean(sum_low(self.largest, -sink, gap)) + self.largest_low
        sunk = gap < 0
        self.sink = np.where(sunk, 1, np.exp(-gap) * (1 - gap_low))
        # what there is beside the exponential of the largest of all, which is 1
        self.beside = np.where(sunk, np.exp(gap) * (1 + gap_low), self.sink)
        self.largest, self.largest_low = np.where(sunk, sink, self.largest), np.where(sunk, 0, self.largest_low)
        return np.where(sunk, gap, 0), np.where(sunk, gap_low, 0)

    @functools.cached_property
    def leading(self):
        """Of a part, the rows that have the first of their largest entries there, and its indices."""
        first = self.signed.position(self.base)

        def entries(part):
            at = first - part.start
            rows = np.nonzero((at >= 0) & (at < part.stop - part.start))
            return rows, (*rows[:-1], at[rows])

        return self.x.of(entries)

    @functools.cached_property
    def others(self):
        """The exponentials with 0 in place of the largest entry's."""
        parts, leading = self.differences, self.leading

        def entries(part):
            high, low = parts(part)
            others = exponential(high.copy(order="K"), low)
            others[leading(part)[1]] = 0
            return others

        return self.x.of(entries)

    @functools.cached_property
    def rest(self):
        """The sum without the largest, whose exponential is 1: what a dominant entry's logarithm and 1 - p are made of."""
        if not self.x.parts:
            return np.zeros(self.x.each)
        rest = self.others.sum()
        if self.sink is not None:
            rest = rest + self.beside
        return np.where(np.isfinite(self.base), rest, np.nan)

    def softmax(self):
        """The probabilities: the exponentials over their sum, the sink's among them."""
        parts = self.differences.entries  # not remembered, since the exponentials are written over them
        exponentials = self.x.of(lambda part: exponential(*parts(part)))
        total = exponentials.sum() if self.sink is None else exponentials.sum() + self.sink
        return self.x.of(lambda part: exponentials(part) / total)

    def log_softmax(self):
        """Their logarithms."""
        parts, log = self.differences, np.log1p(self.rest)

        def entries(part):
            high, low = parts(part)
            return high + (low - log)

        return self.x.of(entries)


def differences(x, base, part):
    """The entries of a part less the largest, in two parts."""
    entries = x(part)
    high = entries - base
    return high, clean(sum_low(entries, -base, high)) if x.dtype == np.float64 else 0.0


def scaled_differences(signed, base, size, kept, shift, part):
    """The scaled ones, product and all, size (x - base); and less the sink, where that is larger."""
    half = np.where(size < 1, 0.5, 1.0)  # of numbers near the largest, whose difference would overflow
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
    """exp(high + low) in place of high; low is 0 for float32."""
    e = np.exp(high, out=high)
    if isinstance(low, np.ndarray) and low.ndim:
        e += e * low
    return e
