"""The words that formulas may use, in NumPy. src_c/math has words of the same names in C, in words.h and wide.h.

Each word takes and returns arrays of one floating dtype, and is right over the whole range.

A direct formula gets float32 or float64. Its exponentials of float32 are computed in float64 and rounded once, since NumPy's
own float32 functions are off by too much: np.exp by up to 2.34 ULP and np.expm1 by 2.53, on AVX2 and AVX-512. With them sigmoid
would be off by 3.3 ULP, and the package promises 2. np.tanh is good enough: 1.37 ULP, and 2.13 on a processor without AVX2.

A wide formula gets float64 in place of float32, and pairs (double_double.py) in place of float64. So each of its words takes
both. elementwise.py sets the errstate: an overflow in a branch that `where` drops is no error.
"""

import numpy as np

from . import coefficients, reduce
from .double_double import Pair, clean, constant, exact_sum, fast_sum, pair, product_low

# Words that exist in C for one kind of formula only.
DIRECT_ONLY = ("fma", "sigmoid", "sigmoid_derivative")
WIDE_ONLY = ("damped", "erf", "exp_times", "log", "log1p", "polynomial", "scaled_normal_tail", "sin", "sin_plus_cos")

LN2 = constant("0.69314718055994530941723212145817656807550013436026")
SQRT2 = constant("1.41421356237309504880168872420969807856967187537694807")
# ln 2 in two parts; the product of the first part and any exponent is exact
LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42fefa0000p-1"), float.fromhex("0x1.cf79abc9e3b3ap-40")


def where(condition, yes, no):
    """`yes` where the condition holds, `no` elsewhere. It works on bits: np.where branches, and takes several times as long."""
    if isinstance(yes, Pair) or isinstance(no, Pair):
        yes, no = pair(yes), pair(no)
        return Pair(where(condition, yes.high, no.high), where(condition, yes.low, no.low))
    dtype = np.result_type(yes, no)
    if dtype.kind != "f":
        dtype = np.dtype(np.float64)
    bits = np.dtype(f"i{dtype.itemsize}")
    yes, no = np.asarray(yes, dtype).view(bits), np.asarray(no, dtype).view(bits)
    selected = np.negative(condition.astype(bits))
    selected &= yes ^ no
    selected ^= no
    return selected.view(dtype)


def unless_nan(x, value):
    """`value`, but NaN where x is NaN: for a formula whose comparisons would make a number of a NaN."""
    nan = np.isnan(x.high if isinstance(x, Pair) else x)
    if nan.any():
        value = where(nan, x, value)
    return value


def abs(x):
    """The absolute value."""
    if isinstance(x, Pair):
        return Pair(np.abs(x.high), where(x.high < 0, -x.low, x.low))
    return np.abs(x)


def maximum(a, b):
    """The larger, NaN where either is NaN."""
    if isinstance(a, Pair) or isinstance(b, Pair):
        a, b = pair(a), pair(b)
        return unless_nan(a, where(a < b, b, unless_nan(b, a)))
    return np.maximum(a, b)


def minimum(a, b):
    """The smaller, NaN where either is NaN."""
    if isinstance(a, Pair) or isinstance(b, Pair):
        a, b = pair(a), pair(b)
        return unless_nan(a, where(a > b, b, unless_nan(b, a)))
    return np.minimum(a, b)


def clip(x, low, high):
    """x between bounds."""
    return maximum(minimum(x, high), low)


def fma(a, b, c):
    """a b + c, as if rounded once: float32 in float64; of float64 the rounding errors of product and sum come last."""
    if c.dtype == np.float32:
        return (np.multiply(a, b, dtype=np.float64) + c).astype(np.float32)
    product = a * b
    total = exact_sum(product, c)
    return total.high + clean(total.low + product_low(a, b, product))


def sqrt(x):
    """The square root."""
    return x.sqrt() if isinstance(x, Pair) else np.sqrt(x)


def polynomial(x, *coefficients):
    """c0 + c1 x + c2 x**2 + ..., in float64: for parts of a formula that need no more digits."""
    x = x.high if isinstance(x, Pair) else x
    y = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        y = y * x + coefficient
    return y


def _exp_parts(z, low):
    """t and k in e**z = 2**k (1 + t), of a pair z; t is a pair."""
    x = np.clip(z.high, low, 710)
    k = np.rint(x * (1 / LN2))
    first, last = x - k * LN2_HIGH, k * LN2_LOW
    r = first - last
    rest = (first - r) - last + where(np.abs(z.low) > 1, 0, z.low)  # beyond 2**53 z is clipped, and z.low may be large
    square = r * r
    tail = polynomial(r, *coefficients.long_exp_terms)
    # t = r + r**2 / 2 + r**3 tail, with all rounding errors
    more = fast_sum(square * 0.5, square * r * tail)
    t = fast_sum(r, more.high)
    t.low += more.low + (0.5 * product_low(r, r, square) + (t.high * rest + rest))
    return t, np.nan_to_num(k).astype(np.int32)


def exp(x):
    """e**x."""
    if isinstance(x, Pair):
        t, k = _exp_parts(x, -746)
        p = fast_sum(np.ones_like(t.high), t.high)
        return Pair(p.high, p.low + t.low).scaled(k)
    return np.exp(x, dtype=np.float64).astype(x.dtype, copy=False)


def exp_times(a, x):
    """a e**x, rounded once, even where the result is subnormal. It is 0 where e**x is 0, however large a is."""
    if isinstance(x, Pair):
        t, k = _exp_parts(x, -1400)
        p = fast_sum(np.ones_like(t.high), t.high)
        product = pair(a) * Pair(p.high, p.low + t.low)
        return pair(where(x.high < -1400, 0, np.ldexp(product.value(), k)))
    return where(x < -745, 0, a * np.exp(x))


def damped(a, x, e):
    """a e**min(x, 0), given e = e**-|x|."""
    if isinstance(x, Pair):
        return exp_times(a, minimum(x, 0))
    return where(x < 0, where(x < -745, 0, a * e), a)


def expm1(x):
    """e**x - 1."""
    if isinstance(x, Pair):
        t, k = _exp_parts(Pair(np.clip(x.high, -50, 60), x.low), -50)
        power = np.ldexp(1.0, k)
        y = exact_sum(power, np.float64(-1)) + Pair(power * t.high, power * t.low)
        y = where(x.high > 60, exp(x), y)  # where subtracting 1 changes nothing
        return Pair(np.copysign(y.high, x.high), y.low)  # -0 keeps its sign
    return np.expm1(x, dtype=np.float64).astype(x.dtype, copy=False)


def log1p(x):
    """log(1 + x) for -0.7 <= x <= 2.1."""
    if not isinstance(x, Pair):
        return np.log1p(x)
    y = pair(np.log1p(x.high))
    t = expm1(-y)  # for one step of Newton's method
    return y + (x + t + x * t)


def log(x):
    """The natural logarithm."""
    if not isinstance(x, Pair):
        return np.log(x)
    fraction, k = np.frexp(x.high)
    k = k - (fraction < 0.71)
    y = k * pair(LN2) + log1p(x.scaled(-k) - 1)
    plain = np.isfinite(x.high) & (x.high > 0)
    return where(plain, y, np.log(x.high))


def tanh(x):
    """(e**x - e**-x) / (e**x + e**-x)."""
    if not isinstance(x, Pair):
        return np.tanh(x)
    n = -expm1(-2 * abs(x))
    y = n / (2 - n)
    return Pair(np.copysign(y.high, x.high), where(x.high < 0, -y.low, y.low))


def scaled_normal_tail(t):
    """erfc(t / sqrt(2)) / 2 * e**(t**2 / 2) for t >= 0: the tail of the normal distribution without its decay."""
    terms, low = coefficients.short_normal_tail_terms, []
    if isinstance(t, Pair):
        terms, low = coefficients.long_normal_tail_terms, coefficients.long_normal_tail_terms_low
    total = t + coefficients.normal_tail_centre[0]
    w = (t - coefficients.normal_tail_centre[0]) / total
    return _terms(w, terms, low) / total


def _terms(x, terms, low):
    """A polynomial whose leading coefficients are in two parts."""
    y = polynomial(x, *terms[len(low) :])
    for i in reversed(range(len(low))):
        y = Pair(np.float64(terms[i]), np.float64(low[i])) + y * x
    return y


def erf(s):
    """The error function for s >= 0."""
    terms, low = coefficients.short_erf_terms, []
    if isinstance(s, Pair):
        terms, low = coefficients.long_erf_terms, coefficients.long_erf_terms_low
    y = s * s
    rest = exp_times(2 * scaled_normal_tail(minimum(s * SQRT2, 40)), -y)
    return where(s > 1, 1 - rest, s * _terms(y, terms, low))


def _shifted_sin(z, a, x, shift):
    """sin(z + shift pi) for a pair z = a x and a shift of 0 or 1/4."""
    k, r = reduce.remainder(z, a, x, shift)
    y = r * _terms(r * r, coefficients.long_sin_terms, coefficients.long_sin_terms_low)
    return where(k % 2 != 0, -y, y)


def sin(z):
    """The sine."""
    return _shifted_sin(z, z, 1, 0) if isinstance(z, Pair) else np.sin(z)


def sin_plus_cos(a, x):
    """The sum sin(a x) + cos(a x) = sqrt(2) sin(a x + pi / 4), for a product up to 2**1088."""
    z = a * x
    return SQRT2 * _shifted_sin(z, a, x, 0.25) if isinstance(z, Pair) else np.sin(z) + np.cos(z)


def _left_tail(x):
    """sigmoid(-|x|) in float64. The exponent is never positive, so that exp cannot overflow and the tail keeps its digits."""
    e = np.exp(-np.abs(x), dtype=np.float64)
    q = e / (1 + e)
    if x.dtype == np.float64:  # correct the rounding of 1 + e, which would make the error 2.1 ULP
        q += ((e - q) - q * e) / (1 + e)
    return q


def sigmoid(x):
    """1 / (1 + exp(-x)): the left tail, or 1 minus it, without a branch."""
    return np.abs((x >= 0) - _left_tail(x)).astype(x.dtype, copy=False)


def sigmoid_derivative(x):
    """exp(-x) / (1 + exp(-x))**2 = sigmoid(x) * (1 - sigmoid(x)), an even function."""
    q = _left_tail(x)
    return (q * (1 - q)).astype(x.dtype, copy=False)
