"""Numbers with twice the digits of a float64: a `Pair` is the sum of two arrays, the second what rounding took off the first.

The fallback evaluates wide formulas with them, where plain float64 would let the roundings of a formula add up to more than
the promised 2 ULP; src_c/pair.h is the same in C. Sums and products after D. E. Knuth and T. J. Dekker. Where the first part
is infinite or NaN nothing is left over: the second is 0, or the sum would be NaN.
"""

import numpy as np


class Constant(float):
    """A decimal number that no float holds: a float with `low`, what is missing."""

    low = 0.0


def constant(text):
    """The decimal number that `text` says, to twice the digits of a float."""
    value = Constant(text)
    if value == value:
        digits, _, exponent = text.partition("e")
        power = int(exponent or 0) - len(digits.partition(".")[2])
        number, scale = int(digits.replace(".", "")) * 10 ** max(power, 0), 10 ** max(-power, 0)
        of_high, of_scale = value.as_integer_ratio()
        # exact but for the division, which rounds once; the fractions module would take a tenth of the import
        value.low = (number * of_scale - of_high * scale) / (scale * of_scale)
    return value


def clean(low):
    """`low`, but 0 where it is not finite."""
    low = np.asarray(low)
    np.copyto(low, 0, where=~np.isfinite(low))
    return low


def fast_sum(a, b):
    """a + b for |a| >= |b|."""
    high = a + b
    return Pair(high, clean((a - high) + b))


def exact_sum(a, b):
    """a + b."""
    high = a + b
    of_b = high - a
    return Pair(high, clean((a - (high - of_b)) + (b - of_b)))


def cut(a):
    """The first 26 bits of the digits."""
    return (a.view(np.int64) & -(2**27)).view(np.float64)


def product_low(a, b, high):
    """What the product `high` of a and b lacks, by parts whose products are exact.

    The halves (26 and 27 bits) are cut off: by Veltkamp's multiplication they would overflow from 2**996 on.
    """
    a1, b1 = cut(a), cut(b)
    a2, b2 = a - a1, b - b1
    b3 = cut(b2)
    return (((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b3) + a2 * (b2 - b3)


def pair(value):
    """A pair, from a pair, an array or a number."""
    if isinstance(value, Pair):
        return value
    return Pair(np.asarray(value, np.float64), np.asarray(getattr(value, "low", 0.0)))


class Pair:
    """high + low, with the arithmetic that formulas use."""

    __array_ufunc__ = None  # an array beside a pair leaves the operation to the pair

    def __init__(self, high, low):
        self.high, self.low = high, low

    def value(self):
        """The nearest array."""
        return self.high + self.low

    def __add__(self, other):
        other = pair(other)
        total = exact_sum(self.high, other.high)
        return fast_sum(total.high, total.low + (self.low + other.low))

    def __neg__(self):
        return Pair(-self.high, -self.low)

    def __sub__(self, other):
        return self + -pair(other)

    def __rsub__(self, other):
        return -self + other

    def __mul__(self, other):
        other = pair(other)
        high = self.high * other.high
        low = product_low(self.high, other.high, high) + (self.high * other.low + self.low * other.high)
        return Pair(high, clean(low))

    def __truediv__(self, other):
        other = pair(other)
        high = self.high / other.high
        product = high * other.high
        rest = ((self.high - product) - product_low(high, other.high, product)) + (self.low - high * other.low)
        return Pair(high, clean(rest / other.high))

    def __rtruediv__(self, other):
        return pair(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __lt__(self, other):
        return self.high < pair(other).high

    def __le__(self, other):
        return self.high <= pair(other).high

    def __gt__(self, other):
        return self.high > pair(other).high

    def __ge__(self, other):
        return self.high >= pair(other).high

    def scaled(self, k):
        """Times 2**k."""
        return Pair(np.ldexp(self.high, k), np.ldexp(self.low, k))

    def sqrt(self):
        """The square root."""
        high = np.sqrt(self.high)
        square = high * high
        return Pair(high, clean(((self.high - square) - product_low(high, high, square) + self.low) / (high + high)))
