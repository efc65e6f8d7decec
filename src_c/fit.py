"""Makes the coefficients of the C core: `python src_c/fit.py` rewrites polynomials.h and segments.h.

polynomials.h has the constants of exp and expm1 (words.h); segments.h has the tables of the fitted float32 kernels
(fitted.h), made from the recipes below. Needs NumPy and mpmath; the results are committed, the build does not run this.

A segment table covers t = |x| from 0 with 32 segments. Segment j has a centre m, searched among the floats near its
middle so that f(m) is a float32 to 0.001 ULP: then c0 = f(m) carries no error, and f(m + d) = c0 + d * (c1 + c2 d + ...)
is nearly correctly rounded. The other coefficients are a weighted least-squares fit of the relative error at Chebyshev
nodes; they are rounded one at a time, the highest first, and the lower ones fitted again.
"""

from pathlib import Path

import mpmath
import numpy as np

HERE = Path(__file__).parent
SEGMENTS = 32
REACH = 31.49  # in spacings: the last segment ends at 31.5, and an index that rounds to 32 would wrap to 0


def _exp(t):
    return np.exp(-t)


# name: (the fitted function of t in float64, the end of the table, the degree of the polynomial, the form in fitted.h)
RECIPES = {
    "sigmoid": (lambda t: _exp(t) / (1 + _exp(t)), 15.75, 5, "COMPLEMENT"),
    "sigmoid_backward": (lambda t: _exp(t) / (1 + _exp(t)) ** 2, 15.75, 5, "EVEN_DERIVATIVE"),
    "tanh": (lambda t: np.where(t < 1e-4, 1 - t * t / 3, np.tanh(t) / np.where(t == 0, 1, t)), 9.02, 5, "ODD_CLAMPED"),
    "tanh_backward": (lambda t: 4 * _exp(2 * t) / (1 + _exp(2 * t)) ** 2, 7.75, 5, "EVEN_DERIVATIVE"),
}


def least_squares(powers, weight, values, round_to):
    """Coefficients for the columns `powers`, rounded one at a time, the last column first."""
    matrix, target = powers * weight[:, None], values * weight
    coefficients = np.zeros(powers.shape[1])
    for i in reversed(range(powers.shape[1])):
        fixed = matrix[:, i + 1 :] @ coefficients[i + 1 :]
        coefficients[i] = round_to(np.linalg.lstsq(matrix[:, : i + 1], target - fixed, rcond=None)[0][i])
    return coefficients


def chebyshev(low, high, count=200):
    """Chebyshev nodes of an interval."""
    return (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(count) + 0.5) / count)


def segment(function, low, high, degree):
    """Centre, coefficients and the largest relative error of one segment, in ULP (2^-24)."""
    middle = np.float32((low + high) / 2)
    candidates = middle + np.arange(-4000, 4001, dtype=np.float32) * np.spacing(middle)
    values = function(candidates.astype(np.float64))
    rounded = values.astype(np.float32)
    centre = float(candidates[np.argmin(np.abs(values - rounded) / np.spacing(rounded))])
    c0 = float(np.float32(function(np.float64(centre))))
    t = chebyshev(low, high)
    d, values = t - centre, function(t)
    powers = d[:, None] ** np.arange(1, degree + 1)
    coefficients = least_squares(powers, 1 / values, values - c0, np.float32)
    error = np.abs((c0 + powers @ coefficients) / values - 1).max() * 2.0**24
    return [centre, c0, *coefficients], error


def segments():
    """The text of segments.h."""
    text = "/* Made by src_c/fit.py; do not edit. FITTED(name, form, end, 1 / spacing, degree) */\n"
    for name, (function, end, degree, _) in RECIPES.items():
        spacing = end / REACH
        rows = [segment(function, max(j - 0.5, 0) * spacing, min((j + 0.5) * spacing, end), degree) for j in range(SEGMENTS)]
        table = np.array([row for row, _ in rows]).T
        text += f"\n/* {name}: fitted within {max(error for _, error in rows):.2f} ULP; the centres, then c0, c1 ... */\n"
        text += f"static const float table_{name}[{degree + 2}][32] __attribute__((aligned(64))) = {{\n"
        for row in table:
            text += "    {" + ", ".join(f"{float(value).hex()}f" for value in row) + "},\n"
        text += "};\n"
    text += "\n#define FITTED_KERNELS \\\n"
    for name, (_, end, degree, form) in RECIPES.items():
        text += (
            f"    FITTED({name}, {form}, {float(np.float32(end)).hex()}f, {float(np.float32(REACH / end)).hex()}f, {degree}) \\\n"
        )
    return text.removesuffix(" \\\n") + "\n"


def exp_quotient(degree, round_to):
    """q in exp(r) = 1 + r + r^2 q(r), |r| <= ln 2 / 2, by least squares on the relative error of exp."""
    with mpmath.workdps(60):
        half = mpmath.log(2) / 2 * mpmath.mpf("1.001")
        r = [half * mpmath.cos(mpmath.pi * (2 * i + 1) / 400) for i in range(200)]
        values = np.array([float((mpmath.exp(t) - 1 - t) / t**2) for t in r])
    r = np.array([float(t) for t in r])
    powers = r[:, None] ** np.arange(degree + 1)
    return least_squares(powers, r * r / np.exp(r), values, round_to)


def parts(value, bits):
    """`value` as a sum of numbers of so many bits each."""
    result = []
    for count in bits:
        if count == 0:
            result.append(0.0)
            continue
        mantissa, exponent = mpmath.frexp(value)
        part = mpmath.ldexp(mpmath.nint(mpmath.ldexp(mantissa, count)), exponent - count)
        result.append(float(part))
        value -= part
    return result


def polynomials():
    """The text of polynomials.h."""
    text = "/* Made by src_c/fit.py; do not edit. */\n"
    with mpmath.workdps(60):
        log2 = mpmath.log(2)
        for real, kind, degree, fused, exact in (
            ("f32", np.float32, 4, (24, 24), (10, 10, 24)),
            ("f64", np.float64, 9, (53, 53), (38, 0, 53)),
            ("mid", np.float64, 5, None, None),
        ):
            q = exp_quotient(degree, kind)
            suffix = "f" if real == "f32" else ""
            listed = [f"{float(value).hex()}{suffix}" for value in q]
            text += "\n/* exp(r) = 1 + r + r^2 (q[0] + q[1] r + ...) */\n"
            text += f"static const {'f64' if fused is None else real}_t {real}_exp_q[] = {{{', '.join(listed)}}};\n"
            if fused is None:  # the other constants are those of f64
                continue
            text += "/* 1 / ln 2, and ln 2 in parts: two where the product is fused, else such that k times the first is exact "
            text += "for |k| < 2^14 */\n"
            text += f"#define {real}_LOG2E {float(kind(float(1 / log2))).hex()}{suffix}\n#ifdef HAVE_FMA\n"
            for names, bits in ((("HI", "LO"), fused), (("HI", "MID", "LO"), exact)):
                text += "".join(
                    f"#define {real}_LN2_{n} {float(kind(v)).hex()}{suffix}\n"
                    for n, v in zip(names, parts(log2, bits), strict=True)
                )
                text += "#else\n" if len(names) == 2 else "#endif\n"
    return text


if __name__ == "__main__":
    (HERE / "polynomials.h").write_text(polynomials(), encoding="utf-8")
    (HERE / "segments.h").write_text(segments(), encoding="utf-8")
