"""The constants of exp and expm1, and of the exponentials of the rows."""

import mpmath
import numpy as np


def least_squares(powers, weight, values, round_to):
    """Coefficients of the columns of `powers`. Each is rounded, the last first, and those before it are then fitted again."""
    matrix, target = powers * weight[:, None], values * weight
    coefficients = np.zeros(powers.shape[1])
    for i in reversed(range(powers.shape[1])):
        fixed = matrix[:, i + 1 :] @ coefficients[i + 1 :]
        coefficients[i] = round_to(np.linalg.lstsq(matrix[:, : i + 1], target - fixed, rcond=None)[0][i])
    return coefficients


def exp_quotient(degree, round_to, steps=1):
    """q in exp(r) = 1 + r + r^2 q(r), |r| <= ln 2 / (2 steps), by least squares on the relative error of exp."""
    with mpmath.workdps(60):
        half = mpmath.log(2) / (2 * steps) * mpmath.mpf("1.001")
        r = [half * mpmath.cos(mpmath.pi * (2 * i + 1) / 400) for i in range(200)]
        values = np.array([float((mpmath.exp(t) - 1 - t) / t**2) for t in r])
    r = np.array([float(t) for t in r])
    powers = r[:, None] ** np.arange(degree + 1)
    return least_squares(powers, r * r / np.exp(r), values, round_to)


def power_quotient(degree, steps):
    """q in 2^(r / steps) = 1 + r q(r), |r| <= 1/2."""

    def quotient(r):
        return (mpmath.mpf(2) ** (r / steps) - 1) / r if abs(r) > 1e-20 else mpmath.log(2) / steps

    return mpmath.chebyfit(quotient, [mpmath.mpf("-0.5005"), mpmath.mpf("0.5005")], degree + 1)[::-1]


def log_quotient(degree, round_to):
    """q in log(1 + f) = f + f^2 (q(f) f - 1/2), -1/4 <= f <= 1/2, by least squares on the relative error of log."""
    with mpmath.workdps(60):
        f = [mpmath.mpf("0.125") + mpmath.mpf("0.376") * mpmath.cos(mpmath.pi * (2 * i + 1) / 401) for i in range(200)]
        values = np.array([float((mpmath.log1p(t) - t + t * t / 2) / t**3) for t in f])
    f = np.array([float(t) for t in f])
    powers = f[:, None] ** np.arange(degree + 1)
    return least_squares(powers, np.abs(f**3 / np.log1p(f)), values, round_to)


def parts(value, bits):
    """`value` as a sum of numbers: bits[i] is how many bits the i-th has."""
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
    """The first part of constants.h: the polynomials of exp, 1 / ln 2, and ln 2 in parts."""
    text = ""
    with mpmath.workdps(60):
        log2 = mpmath.log(2)
        for real, kind, degree, fused, exact in (
            ("f32", np.float32, 4, (24, 24), (10, 10, 24)),
            ("f64", np.float64, 9, (53, 53), (38, 0, 53)),
            ("short", np.float64, 5, None, None),
        ):
            q = exp_quotient(degree, kind)
            suffix = "f" if real == "f32" else ""
            listed = [f"{float(value).hex()}{suffix}" for value in q]
            text += "\n/* exp(r) = 1 + r + r^2 (q[0] + q[1] r + ...) */\n"
            text += f"static const {'float' if real == 'f32' else 'double'} {real}_exp_q[] = {{{', '.join(listed)}}};\n"
            if fused is None:  # short_exp has the other constants of f64
                continue
            text += "/* 1 / ln 2, and ln 2 as a sum of parts: two where FMA rounds once. Without it there are three, and k "
            text += "times the first is exact for |k| < 2^14. */\n"
            text += f"#define {real}_LOG2E {float(kind(float(1 / log2))).hex()}{suffix}\n#ifdef HAVE_FMA\n"
            for names, bits in ((("HI", "LO"), fused), (("HI", "MID", "LO"), exact)):
                text += "".join(
                    f"#define {real}_LN2_{n} {float(kind(v)).hex()}{suffix}\n"
                    for n, v in zip(names, parts(log2, bits), strict=True)
                )
                text += "#else\n" if len(names) == 2 else "#endif\n"
    return text


def eighths():
    """The last part of constants.h, for wide formulas in float64: exp by a table of 2^(j / 8), and ln 2 for it and without it."""

    def listed(values):
        return ", ".join(float(value).hex() for value in values)

    def quotient(r):
        """(exp(r) - 1 - r) / r^2."""
        return (mpmath.exp(r) - 1 - r) / r**2 if abs(r) > 1e-9 else mpmath.mpf(1) / 2 + r / 6

    with mpmath.workdps(60):
        step = mpmath.log(2) / 8
        q = mpmath.chebyfit(quotient, [-step / 2 * 1.001, step / 2 * 1.001], 7)[::-1]
        powers = [mpmath.mpf(2) ** (mpmath.mpf(j) / 8) for j in range(8)]
        text = "\n/* exp(x) = 2^(s / 8) (1 + r + r^2 (q[0] + q[1] r + ...)), where s is the whole number nearest to x * EIGHTHS "
        text += "and r = x - s ln 2 / 8. s times the first part of ln 2 is exact. */\n"
        text += f"static const double f64_eighths_q[] = {{{listed(q)}}};\n"
        text += f"ALIGNED static const double f64_eighths[] = {{{listed(powers)}}};\n"
        text += "/* the rounding error of each */\n"
        text += f"ALIGNED static const double f64_eighths_error[] = {{{listed(power - float(power) for power in powers)}}};\n"
        high, low = parts(mpmath.log(2), (38, 53))
        for name, value in (
            ("LN2_FIRST", high),
            ("LN2_LAST", low),
            ("EIGHTHS", 1 / step),
            ("EIGHTH_FIRST", high / 8),
            ("EIGHTH_LAST", low / 8),
        ):
            text += f"#define f64_{name} {float(value).hex()}\n"
    return text


def powers():
    """The second part of constants.h, for the rows: 2^y by a table of 2^(j / steps) and a polynomial; and log."""
    text = (
        "\n/* For sets with look-ups: 2^(y / steps) = 2^(s / steps) (1 + r (q[0] + q[1] r + ...)), where s is the whole number "
    )
    text += "nearest to y and r = y - s. powers_error[j] is the rounding error of 2^(j / steps), divided by it. "
    text += "powers_bits[j] are the bits of this number, less j << shift: plus (s << shift) they are those of 2^(s / steps). "
    text += "moderate_bits do so "
    text += "for s + steps * lift. */\n"
    for real, kind, unsigned, steps, degree, lift in (
        ("f32", np.float32, np.uint32, 16, 2, 64),
        ("f32", np.float32, np.uint32, 8, 3, 64),
        ("f64", np.float64, np.uint64, 8, 6, 512),
    ):
        mantissa = np.finfo(kind).nmant
        shift = mantissa + 1 - steps.bit_length()
        suffix, c_type = ("f", "float") if real == "f32" else ("", "double")
        with mpmath.workdps(60):
            exact = [mpmath.mpf(2) ** (mpmath.mpf(j) / steps) for j in range(steps)]
            rounded = np.array([kind(float(power)) for power in exact])
            errors = [kind(float((power - mpmath.mpf(float(near))) / power)) for power, near in zip(exact, rounded, strict=True)]
            q = [kind(float(coefficient)) for coefficient in power_quotient(degree, steps)]
        bits = rounded.view(unsigned) - (np.arange(steps, dtype=unsigned) << unsigned(shift))
        moderate = bits - (unsigned(lift) << unsigned(mantissa))
        text += f"#if LOOKUPS_{real} == {steps}\n"
        for name, numbers in (("powers_error", errors), ("power_q", q)):
            listed = ", ".join(f"{float(number).hex()}{suffix}" for number in numbers)
            text += f"ALIGNED static const {c_type} {real}_{name}[] = {{{listed}}};\n"
        for name, numbers in (("powers_bits", bits), ("moderate_bits", moderate)):
            listed = ", ".join(f"0x{int(number):x}u{'' if real == 'f32' else 'll'}" for number in numbers)
            text += f"ALIGNED static const uint{8 * kind().nbytes}_t {real}_{name}[] = {{{listed}}};\n"
        text += "#endif\n"
    with mpmath.workdps(60):
        log_high, log_low = parts(mpmath.log(2), (16, 24))
    text += "/* log(1 + f) = f + f^2 (q(f) f - 1/2), for f from -1/4 to 1/2; and ln 2, whose first part has 16 bits */\n"
    listed = ", ".join(f"{float(value).hex()}f" for value in log_quotient(7, np.float32))
    text += f"static const float f32_log_q[] = {{{listed}}};\n"
    for name, value in (("LOG_HI", log_high), ("LOG_LO", log_low)):
        text += f"#define f32_{name} {float(np.float32(value)).hex()}f\n"
    return text
