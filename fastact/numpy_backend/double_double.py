"""Double-double numbers, with twice the digits of a float64: a `Pair` is the unevaluated sum of two arrays, `high` and `low`.

`high` is the rounded value, `low` its rounding error. The fallback evaluates wide formulas of float64 with them: in plain
float64 the roundings of such a formula would add up to more than the promised 2 ULP. Sums and products follow D. E. Knuth and
T. J. Dekker. `low` is 0 where `high` is infinite or NaN: otherwise infinities would become NaN. src_c/math has the same in C.
"""

import numpy as np


class Constant(float):
    """A decimal number that no float holds: the nearest float, with the difference as `low`."""

    low = 0.0


def constant(text):
    """The decimal number that `text` says, to twice the digits of a float."""
    value = Constant(text)
    if value == value:
        digits, _, exponent = text.partition("e")
        power = int(exponent or 0) - len(digits.partition(".")[2])
        number, scale = int(digits.replace(".", "")) * 10 ** max(power, 0), 10 ** max(-power, 0)
        of_high, of_scale = value.as_integer_ratio()
        # Whole numbers keep this exact but for the division, which rounds once. Importing `fractions` would take longer.
        value.low = (number * of_scale - of_high * scale) / (scale * of_scale)
    return value


def clean(low):
    """`low`, with 0 in place of what is not finite."""
    low = np.asarray(low)
    np.copyto(low, 0, where=~np.isfinite(low))
    return low


def fast_sum(a, b):
    """a + b as a pair, for |a| >= |b|."""
    high = a + b
    return Pair(high, clean((a - high) + b))


def exact_sum(a, b):
    """a + b as a pair."""
    high = a + b
    of_b = high - a
    return Pair(high, clean((a - (high - of_b)) + (b - of_b)))


def cut(a):
    """a with the first 26 bits of its digits."""
    return (a.view(np.int64) & -(2**27)).view(np.float64)


def product_low(a, b, high):
    """The rounding error a * b - high of a product `high`, from parts whose products are exact.

    The parts are cut off bit by bit. Veltkamp's multiplication, the usual way, overflows from 2**996 on.
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

    __array_ufunc__ = None  # `array * pair` calls Pair.__rmul__

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
