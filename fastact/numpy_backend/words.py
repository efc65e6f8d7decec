"""The words that formulas may use, in NumPy. src_c/math has words of the same names in C, in words.h and wide.h.

Each word takes and returns arrays of one floating dtype, and is right over the whole range.

A direct formula gets float32 or float64. Its exponentials of float32 are computed in float64 and rounded once, since NumPy's
own float32 functions are off by too much: np.exp by up to 2.34 ULP and np.expm1 by 2.53, on AVX2 and AVX-512. With them sigmoid
would be off by 3.3 ULP, and the package promises 2. np.tanh is good enough: 1.37 ULP, and 2.13 on a processor without AVX2.

A wide formula gets float64 in place of float32, and pairs (double_double.py) in place of float64. So each of its words takes
both. They may be values that are recorded (recording.py). An overflow in a branch that `where` drops is no error.
"""

import numpy as np

from . import coefficients, reduce
from .double_double import Pair, constant, exact_sum, fast_sum, pair, product_low, same, times, total
from .recording import patch, select

# Words that exist in C for one kind of formula only.
DIRECT_ONLY = ("fma", "sigmoid", "sigmoid_derivative")
WIDE_ONLY = (
    "damped",
    "erf",
    "exp_times",
    "gate_slope",
    "log",
    "log1p",
    "log_ratio",
    "polynomial",
    "scaled_normal_tail",
    "sin",
    "sin_plus_cos",
    "tanh_cubic",
    "times_sigmoid",
    "times_sigmoid_derivative",
    "times_softplus",
)

LN2 = constant("0.69314718055994530941723212145817656807550013436026")
SQRT2 = constant("1.41421356237309504880168872420969807856967187537694807")
# ln 2 in two parts; the product of the first part and any exponent is exact
LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42fefa0000p-1"), float.fromhex("0x1.cf79abc9e3b3ap-40")


def where(condition, yes, no):
    """`yes` where the condition holds, `no` elsewhere."""
    if isinstance(yes, Pair) or isinstance(no, Pair):
        yes, no = pair(yes), pair(no)
        exact = yes.low is None and no.low is None
        low = None if exact else select(condition, _low(yes), _low(no))
        return Pair(select(condition, yes.high, no.high), low)
    return select(condition, yes, no)


def _low(x):
    return 0.0 if x.low is None else x.low


def unless_nan(x, value):
    """`value`, but NaN where x is NaN: for a formula whose comparisons would make a number of a NaN."""
    x = x.high if isinstance(x, Pair) else x
    if isinstance(value, Pair):
        return Pair(unless_nan(x, value.high), value.low)
    return patch(np.isnan(x), same, value, x)


def abs(x):
    """The absolute value."""
    if isinstance(x, Pair):
        return Pair(np.abs(x.high), None if x.low is None else where(x.high < 0, -x.low, x.low))
    return np.abs(x)


def maximum(a, b):
    """The larger, NaN where either is NaN."""
    if isinstance(a, Pair) or isinstance(b, Pair):
        return _chosen(pair(a), pair(b), np.maximum, np.less)
    return np.maximum(a, b)


def minimum(a, b):
    """The smaller, NaN where either is NaN."""
    if isinstance(a, Pair) or isinstance(b, Pair):
        return _chosen(pair(a), pair(b), np.minimum, np.greater)
    return np.minimum(a, b)


def _chosen(a, b, choose, other):
    """The larger or the smaller of two pairs."""
    if a.low is None and b.low is None:
        return Pair(choose(a.high, b.high))
    of_b = other(a.high, b.high)  # false of NaN
    return Pair(choose(a.high, b.high), where(of_b, _low(b), _low(a)))


def clip(x, low, high):
    """x between bounds."""
    return maximum(minimum(x, high), low)


def fma(a, b, c):
    """a b + c, as if rounded once: float32 in float64; of float64 the rounding errors of product and sum come last."""
    if c.dtype == np.float32:
        return (a.astype(np.float64) * b + c).astype(np.float32)
    product = a * b
    total = exact_sum(product, c)
    return Pair(total.high, total.low + product_low(a, b, product)).value()


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


def exp(x):
    """e**x. NumPy's function of float64 is within 0.53 ULP."""
    if isinstance(x, Pair):
        high = np.exp(x.high)
        return Pair(high, times(high, x.low))
    return np.exp(x.astype(np.float64, copy=False)).astype(x.dtype, copy=False)


def _exp_parts(x, rest):
    """t and k in e**(x + rest) = 2**k (1 + t), for a small rest; t is a pair."""
    k = np.rint(x * (1 / LN2))
    first, last = x - k * LN2_HIGH, k * LN2_LOW
    r = first - last
    rest = total((first - r) - last, rest)
    square = r * r
    # t = r + r**2 / 2 + r**3 tail
    t = fast_sum(r, square * 0.5 + square * r * polynomial(r, *coefficients.long_exp_terms))
    return Pair(t.high, t.low + (t.high * rest + rest)), k


def _power_of_two(k):
    """2**k of an array of whole numbers between -1022 and 1023."""
    return ((k + (2.0**52 + 1023)).view(np.int64) << 52).view(np.float64)


def exp_times(a, x):
    """a e**x, rounded once, even where the result is subnormal. It is 0 where e**x is 0, however large a is."""
    if isinstance(x, Pair):
        return _with_tail(a, x, a * exp(x))
    return patch(x < -745, _nothing_of, a * np.exp(x), a)


def _nothing_of(a):
    """0, or NaN where a is NaN."""
    return np.where(np.isnan(a), a, 0)


def _zero(x):
    return 0.0


def _with_tail(a, x, product):
    """The pair a e**x, given that product, whose digits are too few where e**x is subnormal."""
    a, product = pair(a), pair(product)
    far = x.high < -700
    high = patch(far, _tail, product.high, a.high, _low(a), x.high, _low(x))
    return Pair(high, patch(far, _zero, _low(product), x.high))


def _tail(a, a_low, x, x_low):
    """The array (a + a_low) e**(x + x_low), computed for x < -700."""
    bounded = np.maximum(x, -1400)
    t, k = _exp_parts(bounded, np.where(np.abs(x_low) > 1, 0, x_low))  # beyond 2**53 x_low may be large
    product = Pair(a * 0.5, a_low * 0.5) * (1 + t)  # half of it does not overflow
    return np.where(x < -1400, _nothing_of(a), np.ldexp(product.value(), k.astype(np.int32) + 1))


def damped(a, x, e):
    """a e**min(x, 0), given e = e**-|x|."""
    if isinstance(x, Pair):
        return where(x < 0, _with_tail(a, x, a * e), a)
    return where(x < 0, patch(x < -745, _nothing_of, a * e, a), a)


def _damped_to(product, a, x):
    """The product, a e**x where x < -700: its factors may be 0, subnormal or infinite there."""
    if isinstance(x, Pair):
        return _with_tail(a, x, product)
    return patch(x < -700, _far_product, product, a, x)


def _far_product(a, x):
    return np.where(x < -745, _nothing_of(a), a * np.exp(x))


def times_sigmoid(a, z):
    """a / (1 + e**-z). It is a e**z where e**-z may overflow."""
    return _damped_to(a / (1 + exp(-z)), a, z)


def times_sigmoid_derivative(a, z):
    """a e**-z / (1 + e**-z)**2, where the quotient is an even function of z."""
    x = -abs(z)
    e = exp(x)
    inverse = 1 / (1 + e)
    return _damped_to(a * (inverse * inverse) * e, a, x)


def gate_slope(z):
    """The derivative of z / (1 + e**-z), which is s * (1 + z * (1 - s)), where s is the sigmoid of z, and 1 - s is s e**-z."""
    z = minimum(z, 2000)
    e = exp(-z)
    s = 1 / (1 + e)
    return _damped_to(s * (1 + z * (e * s)), 1 + z, z)


def times_softplus(a, z):
    """a * log(1 + e**z)."""
    e = exp(-abs(z))
    if not isinstance(z, Pair):
        return (maximum(z, 0) + np.log1p(e)) * a
    logarithm = Pair(np.log1p(e.high), None if e.low is None else e.low / (1 + e.high))
    return _damped_to((maximum(z, 0) + logarithm) * a, a, z)


def expm1(x):
    """e**x - 1."""
    if isinstance(x, Pair):
        rest = None if x.low is None else patch(np.abs(x.high) > 710, _zero, x.low, x.high)  # beyond 2**53 it may be large
        t, k = _exp_parts(np.minimum(np.maximum(x.high, -50), 710), rest)
        power = _power_of_two(np.minimum(k, 1023))
        y = exact_sum(power, -1.0) + Pair(power * t.high, power * t.low)
        # Beyond 709 the power overflows. -0 keeps its sign, and so does a subnormal number.
        far, whole = x.high > 700, np.exp(x.high)
        low = where(far, 0.0 if rest is None else whole * rest, y.low)
        return Pair(np.copysign(where(far, whole, y.high), x.high), low)
    return np.expm1(x.astype(np.float64, copy=False)).astype(x.dtype, copy=False)


def log1p(x):
    """log(1 + x) for 0 <= x <= 1 in formulas, and for -0.7 <= x <= 2.1 here."""
    if not isinstance(x, Pair):
        return np.log1p(x)
    y = np.log1p(x.high)
    t = expm1(Pair(-y))  # for one step of Newton's method
    return fast_sum(y, (x + t + x * t).value())


def log(x):
    """The natural logarithm."""
    if isinstance(x, Pair):
        return Pair(np.log(x.high), None if x.low is None else x.low / x.high)
    return np.log(x)


def log_ratio(a, b):
    """log(a / b). It keeps its digits where a and b are close to each other."""
    ratio = a / b
    return where((ratio > 0.5) & (ratio < 2), log1p((a - b) / b), log(ratio))


def tanh(x):
    """(e**x - e**-x) / (e**x + e**-x)."""
    if not isinstance(x, Pair):
        return np.tanh(x)
    n = -expm1(-2 * abs(x))
    y = n / (2 - n)
    return Pair(np.copysign(y.high, x.high), where(x.high < 0, -y.low, y.low))


def tanh_cubic(square):
    """(x - tanh(x)) / x**3 from x**2, for |x| <= 1."""
    terms, low = coefficients.short_tanh_cubic_terms, []
    if isinstance(square, Pair):
        terms, low = coefficients.long_tanh_cubic_terms, coefficients.long_tanh_cubic_terms_low
    return _terms(square, terms, low)


def scaled_normal_tail(t):
    """erfc(t / sqrt(2)) / 2 * e**(t**2 / 2) for t >= 0: the tail of the normal distribution without its decay."""
    terms, low = coefficients.short_normal_tail_terms, []
    if isinstance(t, Pair):
        terms, low = coefficients.long_normal_tail_terms, coefficients.long_normal_tail_terms_low
    total = t + coefficients.normal_tail_centre[0]
    w = (t - coefficients.normal_tail_centre[0]) / total
    return _terms(w, terms, low) / total


def _terms(x, terms, low):
    """A polynomial; `low` has the rest of its leading coefficients. Of a pair the last two steps are pairs."""
    count = min(len(low), 2)
    y = polynomial(x, *terms[count:])
    for i in reversed(range(count)):
        y = Pair(terms[i], low[i]) + y * x
    return y


def erf(s):
    """The error function for s >= 0."""
    terms, low = coefficients.short_erf_terms, []
    if isinstance(s, Pair):
        terms, low = coefficients.long_erf_terms, coefficients.long_erf_terms_low
    y = s * s
    rest = exp_times(2 * scaled_normal_tail(minimum(s * SQRT2, 40)), -y)
    return where(s > 1, 1 - rest, s * _terms(y, terms, low))


def _near_sin(z, shift):
    """sin(z + shift pi) for |z| <= reduce.SIN_FAR and a shift of 0 or 1/4."""
    wide = isinstance(z, Pair)
    x = z.high if wide else z
    k = np.rint(x * (1 / reduce.PI) + shift)
    turns = shift - k
    first, second, third = (turns * part for part in coefficients.pi_parts)  # the first two are exact
    if wide:
        one = exact_sum(x, first)
        two = exact_sum(one.high, second)
        r = fast_sum(two.high, total(one.low, two.low, third, z.low))
    else:
        r = x + first + second + third
    y = r * _terms(r * r, coefficients.long_sin_terms, coefficients.long_sin_terms_low if wide else [])
    flip = (k + 1.5 * 2.0**52).view(np.int64) << 63  # an odd k changes the sign
    parts = [(part.view(np.int64) ^ flip).view(np.float64) for part in ((y.high, y.low) if wide else (y,))]
    return Pair(*parts) if wide else parts[0]


def _far_sin(i, shift):
    """A function that has part i of a sine of any size; its arguments are the parts of z, a and x."""

    def part(z, z_low, a, a_low, x, x_low):
        k, r = reduce.remainder(Pair(z, z_low), Pair(a, a_low), Pair(x, x_low), shift)
        y = r * _terms(r * r, coefficients.long_sin_terms, coefficients.long_sin_terms_low)
        y = where(k % 2 != 0, -y, y)
        return (y.high, y.low)[i]

    return part


FAR_SIN = {(i, shift): _far_sin(i, shift) for i in (0, 1) for shift in (0, 0.25)}


def _shifted_sin(z, a, x, shift):
    """sin(z + shift pi) for a pair z = a x."""
    a, x, y = pair(a), pair(x), _near_sin(z, shift)
    far = np.logical_not(np.abs(z.high) <= reduce.SIN_FAR)
    parts = z.high, _low(z), a.high, _low(a), x.high, _low(x)
    return Pair(*(patch(far, FAR_SIN[i, shift], part, *parts) for i, part in enumerate((y.high, y.low))))


def sin(z):
    """The sine."""
    if isinstance(z, Pair):
        return _shifted_sin(z, z, 1.0, 0)
    return patch(np.logical_not(np.abs(z) <= reduce.SIN_FAR), np.sin, _near_sin(z, 0), z)


def sin_plus_cos(a, x):
    """The sum sin(a x) + cos(a x) = sqrt(2) sin(a x + pi / 4), for a product up to 2**1088."""
    z = a * x
    if isinstance(z, Pair):
        return SQRT2 * _shifted_sin(z, a, x, 0.25)
    return patch(np.logical_not(np.abs(z) <= reduce.SIN_FAR), _far_sum, SQRT2 * _near_sin(z, 0.25), z)


def _far_sum(z):
    return np.sin(z) + np.cos(z)


def _left_tail(x):
    """sigmoid(-|x|) in float64. The exponent is never positive, so that exp cannot overflow and the tail keeps its digits."""
    e = np.exp(-np.abs(x.astype(np.float64, copy=False)))
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
