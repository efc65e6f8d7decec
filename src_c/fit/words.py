"""The coefficients of the wide words, for the fallback and for C.

Each is a polynomial that interpolates its function at Chebyshev nodes, in 40 digits, and is then rounded. The *short* ones serve
results in float32: their error is about 2^-35. The *long* ones serve float64: their error is 2^-58, and their leading
coefficients are in two parts.
"""

import mpmath

mpmath.mp.dps = 40
ROOT2 = mpmath.sqrt(2)

# scaled_normal_tail(t) = P(w) / (t + CENTRE) with w = (t - CENTRE) / (t + CENTRE)
CENTRE = 4


def normal_tail(w):
    """P(w): erfc(t / sqrt 2) / 2 * exp(t**2 / 2) * (t + CENTRE)."""
    t = CENTRE * (1 + w) / (1 - w)
    return mpmath.erfc(t / ROOT2) / 2 * mpmath.exp(t * t / 2) * (t + CENTRE)


def log1p_odd(y):
    """log((1 + s) / (1 - s)) / s, where y = s**2."""
    s = mpmath.sqrt(y)
    return 2 * mpmath.atanh(s) / s if y > 1e-20 else mpmath.mpf(2)


def log1p_rest(y):
    """(log((1 + s) / (1 - s)) / h - 1) / y, where h = 2 s and y = h**2."""
    s = mpmath.sqrt(y) / 2
    return (mpmath.atanh(s) / s - 1) / y if y > 1e-15 else mpmath.mpf(1) / 12 + y / 80


def tanh_cubic(y):
    """(x - tanh(x)) / x**3, where y = x**2."""
    x = mpmath.sqrt(y)
    return (x - mpmath.tanh(x)) / x**3 if y > 1e-10 else mpmath.mpf(1) / 3 - 2 * y / 15


def erf_odd(y):
    """erf(s) / s, where y = s**2."""
    s = mpmath.sqrt(y)
    return mpmath.erf(s) / s if y > 1e-20 else 2 / mpmath.sqrt(mpmath.pi)


def exp_tail(r):
    """(exp(r) - 1 - r - r**2 / 2) / r**3."""
    if abs(r) < 1e-4:
        return sum(r**k / mpmath.factorial(k + 3) for k in range(6))
    return (mpmath.exp(r) - 1 - r - r * r / 2) / r**3


def sin_odd(y):
    """sin(r) / r, where y = r**2."""
    return mpmath.sinc(mpmath.sqrt(y))


def pi_parts():
    """pi in three parts: the first two of 32 bits, so that multiples of them are exact."""
    first = mpmath.floor(mpmath.ldexp(mpmath.pi, 30)) / 2**30
    second = mpmath.floor(mpmath.ldexp(mpmath.pi - first, 62)) / 2**62
    return [float(part) for part in (first, second, mpmath.pi - first - second)]


def inverse_pi_words():
    """1 / pi in whole numbers of 32 bits, the first five 0: enough digits to reduce 2**1088 modulo pi."""
    count = 43
    with mpmath.workprec(32 * count + 64):
        whole = int(mpmath.ldexp(1 / mpmath.pi, 32 * (count - 5)))
    return [whole >> 32 * i & 0xFFFFFFFF for i in reversed(range(count))]


def upto(t):
    """The w of a t."""
    return mpmath.mpf(t - CENTRE) / (t + CENTRE)


# r**2 for an r slightly over pi / 2: rounding may choose the other of the two nearest multiples of pi
SIN_REACH = (mpmath.pi / 2) ** 2 + mpmath.mpf(2) ** -16

# name: (function, low, high, number of coefficients, how many of them are in two parts, comment)
FITS = {
    "short_normal_tail_terms": (normal_tail, -1, upto(16), 12, 0, "scaled_normal_tail, t <= 16: beyond, float32 has 0"),
    "long_normal_tail_terms": (normal_tail, -1, upto(40), 26, 3, "the same, t <= 40"),
    "short_log1p_terms": (log1p_odd, 0, 0.2917, 10, 0, "log1p(x) / s by s**2, s = x / (2 + x), -0.7 <= x <= 2.1"),
    "long_log1p_terms": (log1p_rest, 0, mpmath.mpf("0.4448"), 10, 0, "(log1p(x) / h - 1) / h**2 by h**2, h = 2 s, 0 <= x <= 1"),
    "long_log_terms": (log1p_rest, 0, mpmath.mpf("0.1212"), 7, 0, "the same, 0.7 <= 1 + x <= 1.42"),
    "short_tanh_cubic_terms": (tanh_cubic, 0, 1, 9, 0, "(x - tanh(x)) / x**3 by x**2, |x| <= 1"),
    "long_tanh_cubic_terms": (tanh_cubic, 0, 1, 16, 1, "the same"),
    "short_erf_terms": (erf_odd, 0, 1, 8, 0, "erf(s) / s by s**2, s <= 1"),
    "long_erf_terms": (erf_odd, 0, 1, 12, 1, "the same"),
    "short_sin_terms": (sin_odd, 0, SIN_REACH, 6, 0, "sin(r) / r by r**2, |r| <= pi / 2"),
    "long_sin_terms": (sin_odd, 0, SIN_REACH, 9, 3, "the same"),
    "long_exp_terms": (exp_tail, -0.3467, 0.3467, 10, 0, "(exp(r) - 1 - r - r**2 / 2) / r**3, |r| <= ln 2 / 2"),
}


def coefficients(made):
    """Fit, print how good each is, and give the text of coefficients.py."""
    text = f'"""Coefficients of the words, lowest power first; codegen.py gives them to C. {made}"""\n'
    text += f"\nnormal_tail_centre = [{float(CENTRE)!r}]\n"
    text += "\n# pi in three parts, the first two of 32 bits\n"
    text += "pi_parts = [\n" + "".join(f"    {value!r},\n" for value in pi_parts()) + "]\n"
    text += "\n# 1 / pi in whole numbers of 32 bits, the first five 0\n"
    text += "inverse_pi_words = [\n" + "".join(f"    0x{value:08X},\n" for value in inverse_pi_words()) + "]\n"
    for name, (function, low, high, count, doubled, comment) in FITS.items():
        fitted, error = mpmath.chebyfit(function, [low, high], count, error=True)
        fitted = fitted[::-1]
        points = [low + (high - low) * mpmath.mpf(i) / 60 for i in range(61)]
        relative = mpmath.log(error / min(abs(function(point)) for point in points), 2)
        print(f"{name}: {count} coefficients, within 2^{float(relative):.1f}")
        high_parts = [float(value) for value in fitted]
        low_parts = [float(value - part) for value, part in zip(fitted, high_parts, strict=True)]
        for suffix, values in (("", high_parts), ("_low", low_parts[:doubled])):
            if values:
                text += f"\n# {comment}, within 2^{float(relative):.0f}\n" if not suffix else "\n"
                text += f"{name}{suffix} = [\n" + "".join(f"    {value!r},\n" for value in values) + "]\n"
    return text
