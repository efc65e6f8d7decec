"""Reduce the argument of a sine to [-pi / 2, pi / 2], exactly, for pairs (double_double.py). src_c/math/sine.h has it in C.

np.sin is within 0.51 ULP for a float64 of any size. That is enough for float32 results. In a pair the second part counts as
well, and may itself be large.
"""

import numpy as np

from . import coefficients
from .double_double import Pair, constant, cut, exact_sum, fast_sum

PI = constant("3.14159265358979323846264338327950288419716939937510582097494")
SIN_FAR = 2.0**20  # up to here, the products of a whole number and pi's first two parts are exact
FAR_SCALE = 2.0**-64  # larger arguments are multiplied by it: unscaled they may overflow
INVERSE_PI_WORDS = np.array(coefficients.inverse_pi_words, np.uint64)
WORD, MASK = np.uint64(32), np.uint64(2**32 - 1)


def exact_product(a, b):
    """a * b as a pair, with all digits: also the product of the second parts is made of exact ones."""
    high, a1, b1 = a.high * b.high, cut(a.high), cut(b.high)
    a2, b2 = a.high - a1, b.high - b1
    b3 = cut(b2)
    low = (((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b3) + a2 * (b2 - b3)
    return Pair(high, low + (a.high * b.low + a.low * b.high))


def remainder(z, a, x, shift):
    """Whole k (modulo 2) and r in z + shift pi = k pi + r with |r| <= pi / 2, where z = a x and shift is 0 or 1/4."""
    k = np.rint(z.high * (1 / PI) + shift)
    turns = shift - k
    first = exact_sum(z.high, turns * coefficients.pi_parts[0])
    second = exact_sum(first.high, turns * coefficients.pi_parts[1])
    r = fast_sum(second.high, first.low + second.low + (turns * coefficients.pi_parts[2] + z.low))
    far = np.abs(z.high) > SIN_FAR
    if far.any():  # from a and x, since z may overflow
        scaled = exact_product(a, x * FAR_SCALE)
        k[far], turns = half_turns(scaled.high[far], scaled.low[far], shift)
        large = turns * PI
        r.high[far], r.low[far] = large.high, large.low
    return k, r


def half_turns(high, low, shift):
    """k and t in (high + low) / FAR_SCALE + shift pi = (k + t) pi modulo 2 pi, with k = 0 or 1, |t| <= 1/2; t of inf is NaN."""
    total = [np.full(high.shape, value, np.uint64) for value in (int((shift + 0.5) * 2**31), 0, 0)]
    add_half_turns(total, high)
    add_half_turns(total, low)
    t = fast_sum((total[0] & np.uint64(2**31 - 1)) * 2.0**-31 - 0.5, (total[1] << WORD | total[2]) * 2.0**-95)
    return (total[0] >> np.uint64(31)).astype(np.float64), Pair(t.high + (high - high), t.low)


def add_half_turns(total, x):
    """total += x / (pi FAR_SCALE) modulo 2. The three words of `total` are digits to base 2**32, the highest first, in 2**-95.

    After M. H. Payne and R. N. Hanek: x = m 2**e with a whole m below 2**53. Only a window of 160 bits of 1 / pi matters: m times
    the bits before it is even, and m times the bits after it is less than 2**-105.
    """
    bits = x.view(np.uint64)
    place = (bits >> np.uint64(52) & np.uint64(2**11 - 1)).astype(np.int64) - 1075 + 64 + 159  # the window's first bit
    m = np.where(place < 0, np.uint64(0), bits & np.uint64(2**52 - 1) | np.uint64(2**52))  # x is below 2**-106 where this is 0
    word, offset = np.divmod(np.maximum(place, 0), 32)
    product = [np.zeros_like(m) for _ in range(5)]
    for j, part in enumerate((m & MASK, m >> WORD)):
        carry = np.zeros_like(m)
        for i in range(4, j - 1, -1):
            two = INVERSE_PI_WORDS[word + i] << WORD | INVERSE_PI_WORDS[word + i + 1]
            carry += product[i - j] + part * (two >> (32 - offset).astype(np.uint64) & MASK)
            product[i - j] = carry & MASK
            carry >>= WORD
    flip = np.where(x < 0, MASK, np.uint64(0))  # flipping all bits negates the product, but for one unit of the last place
    carry = np.zeros_like(m)
    for i in (2, 1, 0):
        carry += total[i] + (product[i] ^ flip)
        total[i] = carry & MASK
        carry >>= WORD
