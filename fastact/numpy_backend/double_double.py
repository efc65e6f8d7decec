"""Numbers with more digits than a float64: a `Pair` is the unevaluated sum of two arrays, `high` and `low`.

The fallback evaluates wide formulas of float64 with them: in plain float64 the roundings of such a formula would add up to more
than the promised 2 ULP. `high` is what plain float64 would compute, and never depends on `low`. `low` is its error to first
order, or None for a number that is exact. Where `high` is infinite or NaN, `low` is anything: `value` cleans it. Sums and
products follow D. E. Knuth and T. J. Dekker. Arrays may also be values that are recorded (recording.py).
"""

import math

import numpy as np

from .recording import patch


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
    return Pair(high, (a - high) + b)


def exact_sum(a, b):
    """a + b as a pair."""
    high = a + b
    of_b = high - a
    return Pair(high, (a - (high - of_b)) + (b - of_b))


def cut(a):
    """a with the first 26 bits of its digits."""
    a = np.float64(a) if isinstance(a, (int, float)) else a
    return (a.view(np.int64) & -(2**27)).view(np.float64)


def product_low(a, b, high):
    """The rounding error a * b - high of a product `high`, to 24 bits: the products of parts are exact, but for the last.

    The parts are cut off bit by bit. Veltkamp's multiplication, the usual way, overflows from 2**996 on.
    """
    a1, b1 = cut(a), cut(b)
    return ((a1 * b1 - high) + a1 * (b - b1)) + (a - a1) * b


def remainder(a, q, b):
    """a - q * b of a quotient q, in the same way. The first difference is exact."""
    q1, b1 = cut(q), cut(b)
    return ((a - q1 * b1) - q1 * (b - b1)) - (q - q1) * b


def pair(value):
    """A pair, from a pair, an array or a number."""
    return value if isinstance(value, Pair) else Pair(value, getattr(value, "low", None) or None)


def known(value):
    """The number that a value always is, or NaN."""
    value = getattr(value, "known", value)
    return float(value) if np.ndim(value) == 0 and value is not None else math.nan


def is_power_of_two(value):
    """Whether multiplying by this keeps all digits."""
    return math.frexp(known(value))[0] in (0.5, -0.5)


def total(*terms):
    """The sum of those terms that are not None, or None."""
    present = [term for term in terms if term is not None]
    return sum(present[1:], present[0]) if present else None


def times(a, b):
    """A product, None where a factor is None."""
    return None if a is None or b is None else a * b


def same(x):
    """x itself."""
    return x


class Pair:
    """high + low, with the arithmetic that formulas use."""

    __array_ufunc__ = None  # `array * pair` calls Pair.__rmul__

    def __init__(self, high, low=None):
        self.high, self.low = high, low

    def value(self):
        """The nearest array: high + low, but `high` where that is 0, for its sign, and where it is NaN."""
        if self.low is None:
            return self.high
        value = self.high + self.low
        return patch(np.logical_not(np.abs(value) > 0), same, value, self.high)

    def __add__(self, other):
        other = pair(other)
        if known(self.high) == 0 or known(other.high) == 0:
            return Pair(self.high + other.high, total(self.low, other.low))
        exact = exact_sum(self.high, other.high)
        return Pair(exact.high, total(exact.low, self.low, other.low))

    def __neg__(self):
        return Pair(-self.high, None if self.low is None else -self.low)

    def __sub__(self, other):
        return self + -pair(other)

    def __rsub__(self, other):
        return -self + other

    def __mul__(self, other):
        other = pair(other)
        high = self.high * other.high
        exact = is_power_of_two(self.high) or is_power_of_two(other.high)
        rest = None if exact else product_low(self.high, other.high, high)
        return Pair(high, total(rest, times(self.high, other.low), times(self.low, other.high)))

    def __truediv__(self, other):
        other = pair(other)
        if is_power_of_two(other.high) and other.low is None:
            return self * (1 / known(other.high))
        high = self.high / other.high
        rest = total(remainder(self.high, high, other.high), self.low, times(-high, other.low))
        return Pair(high, rest * high if known(self.high) == 1 else rest / other.high)

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

    def sqrt(self):
        """The square root."""
        high = np.sqrt(self.high)
        return Pair(high, total(remainder(self.high, high, high), self.low) / (high + high))
