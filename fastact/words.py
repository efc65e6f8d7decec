"""The words a formula may use, in NumPy. src_c/words.h has the same words, by the same names, in C.

Each word takes and returns arrays of one floating dtype (float32 or float64) and is right over the whole range. For
float32 the exponentials go through float64 and are rounded once: np.exp itself is off by up to 2.34 ULP in float32 on AVX2
and AVX-512 and np.expm1 by 2.53, which would put sigmoid at 3.3 ULP, over the 2 that the package promises with either
backend. np.tanh is kept as it is, 1.37 ULP (on a processor without AVX2, 2.13). The words run under the errstate
that fallback.py sets: an overflow in a branch that `where` drops is no error.
"""

import numpy as np

abs = np.abs
maximum = np.maximum
minimum = np.minimum
tanh = np.tanh


def exp(x):
    """e**x."""
    return np.exp(x, dtype=np.float64).astype(x.dtype, copy=False)


def expm1(x):
    """e**x - 1."""
    return np.expm1(x, dtype=np.float64).astype(x.dtype, copy=False)


def _left_tail(x):
    """sigmoid(-|x|) in float64: exp only ever sees a negative number, so it cannot overflow and the tail keeps its digits."""
    e = np.exp(-np.abs(x), dtype=np.float64)
    q = e / (1 + e)
    if x.dtype == np.float64:  # take back the rounding of 1 + e: 2.1 ULP without
        q += ((e - q) - q * e) / (1 + e)
    return q


def sigmoid(x):
    """1 / (1 + exp(-x)): the left tail, or 1 minus it, without a branch."""
    return np.abs((x >= 0) - _left_tail(x)).astype(x.dtype, copy=False)


def sigmoid_derivative(x):
    """exp(-x) / (1 + exp(-x))**2 = sigmoid(x) * (1 - sigmoid(x)), an even function."""
    q = _left_tail(x)
    return (q * (1 - q)).astype(x.dtype, copy=False)


def where(condition, yes, no):
    """yes where the condition holds, no elsewhere: on bits, since np.where branches: 4.0 ns an element, not 0.5."""
    dtype = np.result_type(yes, no)
    bits = np.dtype(f"i{dtype.itemsize}")
    yes, no = np.asarray(yes, dtype).view(bits), np.asarray(no, dtype).view(bits)
    selected = np.negative(condition.astype(bits))
    selected &= yes ^ no
    selected ^= no
    return selected.view(dtype)


def unless_nan(x, value):
    """`value`, but NaN where x is NaN: for a formula whose comparisons would let a NaN through as a number."""
    nan = np.isnan(x)
    if nan.any():
        value = where(nan, x, value)
    return value
