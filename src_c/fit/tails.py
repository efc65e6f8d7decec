"""The tails beyond the tables: exponentials whose constants come from the formulas, and the constants of tails.h.

Far out a function is C e^z (1 - h e^z) with z = rate x (PLAIN), that times x (GATED), or the derivative of GATED (SLOPE).
The program reads C, h and rate off the exact formula. It compares the tail with the formula at the end of the table.
"""

import mpmath
import numpy as np
from exact import exact_constants, exact_functions
from exp import least_squares, parts

DIGITS = 80
FAR = -700  # h e^-700 is too small to count, and no formula changes its form there
NEAR = -60  # the term after h is too small to count


def hexadecimal(value):
    """A float32 in C."""
    return f"{float(np.float32(value)).hex()}f"


def shape(kind, constant, bend, rate, x):
    """The tail of this kind at x; `bend` is h."""
    z, e = rate * x, mpmath.exp(rate * x)
    if kind == "SLOPE":
        return constant * e * (1 + z - bend * e * (1 + 2 * z))
    return constant * e * (1 - bend * e) * (x if kind == "GATED" else 1)


def exponential(name, kind, end, mirrored):
    """C, h and rate of f(x) for x < -end, or of f(-x) where it is mirrored; h is 0 where it does not count."""
    # A SLOPE has the constants of its GATED.
    function = exact_functions()[name.removesuffix("_backward") if kind == "SLOPE" else name]

    def without_factor(x):
        return function(-x if mirrored else x) / (x if kind in ("GATED", "SLOPE") else 1)

    with mpmath.workdps(DIGITS + 700):
        first, second = (mpmath.log(abs(without_factor(mpmath.mpf(x)))) for x in (FAR, 2 * FAR))
        rate = mpmath.mpf(mpmath.nstr((second - first) / FAR, 50))  # 1 and not 1 - 1e-304
        constant = without_factor(mpmath.mpf(FAR)) / mpmath.exp(rate * FAR)
        constant = mpmath.mpf(mpmath.nstr(constant, 50))
        bend = (1 - without_factor(mpmath.mpf(NEAR)) / (constant * mpmath.exp(rate * NEAR))) / mpmath.exp(rate * NEAR)
        bend = mpmath.mpf(mpmath.nstr(bend, 20))
        if abs(bend) * mpmath.exp(-rate * end) < mpmath.ldexp(1, -30):
            bend = mpmath.mpf(0)
        exact = exact_functions()[name]
        for x in (-end, -end - 1, -end - 10):
            value = exact(mpmath.mpf(-x if mirrored else x))
            off = abs(shape(kind, constant, bend, rate, mpmath.mpf(x)) / value - 1)
            if off > mpmath.ldexp(1, -25):
                meant = f"the derivative of {name.removesuffix('_backward')}" if kind == "SLOPE" else f"a {kind} tail"
                where = f"at {x:.2f} it is off by {mpmath.nstr(100 * off, 3)} %"
                raise SystemExit(
                    f"{name} is not {meant} far out, {where}: change both formulas, or the tail in src_c/fit/tables.py"
                )
    return constant, bend, rate


def exponential_tail(name, kind, end, mirrored):
    """The C of the numbers of the exponential that continues a table."""
    constant, bend, rate = exponential(name, kind, end, mirrored)
    numbers = ", ".join(float(value).hex() for value in (constant, bend, rate))
    return f"#define TAIL_{name} {{{kind}, {numbers}}}\n"


def chebyshev(low, high, count=200):
    """Chebyshev nodes of an interval."""
    return (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(count) + 0.5) / count)


def listed(name, values):
    """An array of floats in C, and its length."""
    count = f"{name.upper()}_TERMS"
    return (
        f"enum {{ {count} = {len(values)} }};\n"
        f"static const float {name}_terms[{count}] = {{{', '.join(map(hexadecimal, values))}}};\n"
    )


def normal_tails():
    """The series of gelu's tail and of its derivative's, by y = 1 / t^2."""
    first = mpmath.mpf(float(np.float32(1 / mpmath.sqrt(2 * mpmath.pi))))

    def far(y):
        t = 1 / mpmath.sqrt(y)
        return (mpmath.erfc(t / mpmath.sqrt(2)) * mpmath.exp(t * t / 2) * t * mpmath.sqrt(mpmath.pi / 2) - 1) / y

    text = ""
    for name, function in (("far_tail", far), ("far_slope", lambda y: -1 - y * far(y))):
        fitted = mpmath.chebyfit(function, [mpmath.mpf(1) / 900, 1 / mpmath.mpf("4.5") ** 2], 6)[::-1]
        text += listed(name, [first, *(first * value for value in fitted)])
    return text + f"#define FAR_TAIL_LOG {hexadecimal(-mpmath.log(first * mpmath.sqrt(2 * mpmath.pi)))}\n"


def logarithms():
    """For logit's tail: log1p(r) / r and -log1p(-w) / w."""
    near = mpmath.chebyfit(lambda r: mpmath.log1p(r) / r if r else mpmath.mpf(1), [-0.25, 0.5], 10)[::-1]
    complement = mpmath.chebyfit(lambda w: -mpmath.log1p(-w) / w if w else mpmath.mpf(1), [0, 0.0625], 5)[::-1]
    return listed("log", near) + listed("log_complement", complement)


def wave():
    """For snake's derivative: 2 sin(r)^2 / r^2 by r^2, and pi / 4 in three parts."""
    y = chebyshev(0, (np.pi / 2) ** 2 * 1.001)
    values = 2 * np.sinc(np.sqrt(y) / np.pi) ** 2
    text = listed("wave", least_squares(y[:, None] ** np.arange(7), 1 / values, values, np.float32))
    for name, part in zip(("", "_LOW", "_LOWEST"), parts(mpmath.pi / 4, (13, 24, 24)), strict=True):
        text += f"#define QUARTER_PI{name} {hexadecimal(part)}\n"
    return text


def gelu_tanh_exponent():
    """The two coefficients of the polynomial in gelu_tanh (formulas.py), each in two parts."""
    text, constants = "", exact_constants()
    for name, constant in (("TANH_C0", "GELU_LINEAR"), ("TANH_C1", "GELU_CUBIC")):
        high, low = parts(constants[constant], (24, 24))
        text += f"#define {name} {hexadecimal(high)}\n#define {name}_LOW {hexadecimal(low)}\n"
    return text


def tail_terms():
    """The text of tail_terms.h."""
    with mpmath.workdps(40):
        return "".join(part() for part in (normal_tails, logarithms, wave, gelu_tanh_exponent))
