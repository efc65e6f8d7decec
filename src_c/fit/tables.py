"""Makes the tables of the fitted float32 kernels (fitted.h): `python src_c/fit_tables.py` rewrites segments.h,
fitted_kernels.h and tail_terms.h, in seconds. Needs NumPy and mpmath; the results are committed, the build does not run this.

A table has 32 segments of one spacing, over t = |x| or over x. Segment j has a centre m, searched among the floats near its
middle so that f(m) is a float32 to 0.001 ULP: then c0 = f(m) carries no error, and f(m + d) = c0 + d * (c1 + c2 d + ...)
is nearly correctly rounded. The other coefficients are a weighted least-squares fit of the relative error at Chebyshev
nodes; they are rounded one at a time, the highest first, and the lower ones fitted again. The values come from the
declarations, in float64, by the fallback: a table is its row below, and nothing else.
"""

import math
import sys
from pathlib import Path

import mpmath
import numpy as np

HERE = Path(__file__).parent
SEGMENTS = 32
MADE = "/* Made by src_c/fit_tables.py; do not edit. */"

sys.path.insert(0, str(HERE.parent.parent))
from exp import least_squares, parts  # noqa: E402

from fastact.backends import numpy_evaluators  # noqa: E402
from fastact.declare import ACTIVATIONS  # noqa: E402

# name: (form in fitted.h, spacing, degree, segments on the negative side)
TABLES = {
    "sigmoid": ("COMPLEMENT", 0.76, 6, 0),
    "sigmoid_backward": ("EVEN", 0.76, 6, 0),
    "tanh": ("ODD", 0.287, 5, 0),
    "tanh_backward": ("EVEN", 0.38, 6, 0),
    "elu": ("BENT", 0.56, 5, 0),
    "elu_backward": ("BENT_SLOPE", 0.8, 6, 0),
    "selu": ("BENT", 0.56, 5, 0),
    "selu_backward": ("BENT_SLOPE", 0.8, 6, 0),
    "gelu": ("ABOVE", 0.178, 6, 0),
    "gelu_backward": ("COMPLEMENT_CUT", 0.1875, 6, 0),
    "gelu_tanh": ("ABOVE", 0.16, 6, 0),
    "gelu_tanh_backward": ("COMPLEMENT_CUT", 0.175, 6, 0),
    "quick_gelu": ("ABOVE", 0.45, 6, 0),
    "quick_gelu_backward": ("COMPLEMENT", 0.45, 6, 0),
    "silu": ("ABOVE", 0.76, 6, 0),
    "silu_backward": ("COMPLEMENT", 0.76, 6, 0),
    "mish": ("PRODUCT", 0.645, 7, 16),
    "mish_backward": ("DIRECT", 0.67, 7, 15),
    "softplus": ("ABOVE_PLUS", 0.76, 6, 0),
    "log_sigmoid": ("BELOW", 0.76, 6, 0),
    "log_sigmoid_backward": ("COMPLEMENT_DOWN", 0.76, 6, 0),
    "tanh_shrink": ("CUBIC_SHIFTED", 0.3, 6, 0),
    "tanh_shrink_backward": ("SQUARE", 0.3, 6, 0),
    "squareplus": ("ABOVE_BOTH", 0.5, 6, 0),
    "squareplus_backward": ("STEP_BOTH", 0.5, 6, 0),
    "serf": ("PRODUCT", 0.5, 7, 21),
    "serf_backward": ("DIRECT", 0.51, 7, 21),
    "logish": ("PRODUCT", 0.87, 7, 12),
    "logish_backward": ("DIRECT", 1.05, 7, 9),
    "snake": ("PRODUCT_BOTH", 0.7, 7, 16),
    "logit": ("CENTRED", 0.5, 7, 0),
    "softcap": ("QUOTIENT", 2 / 7, 5, 0),
    "geglu_backward": ("GATE", 0.1875, 7, 0),
    "geglu_tanh_backward": ("GATE", 0.175, 7, 0),
    "lisht": ("EVEN_PRODUCT", 0.287, 5, 0),
    "lisht_backward": ("ODD", 0.345, 6, 0),
}

# kernel: its table, the input it is of, and the inputs that the function is multiplied by (bits)
OTHER_KERNELS = {"softcap", "geglu_backward", "geglu_tanh_backward"}  # softcap.h and GATES have them
STANDARD = [name for name in TABLES if name not in OTHER_KERNELS]
KERNELS = {name: (name, 1, 0b1) if name.endswith("_backward") else (name, 0, 0) for name in STANDARD} | {
    "celu": ("elu", 0, 0),
    "celu_backward": ("elu_backward", 1, 0b1),
    "softplus_backward": ("sigmoid", 1, 0b1),
    "glu": ("sigmoid", 1, 0b1),
    "swiglu": ("silu", 0, 0b10),
    "geglu": ("gelu", 0, 0b10),
    "geglu_tanh": ("gelu_tanh", 0, 0b10),
}
# The backward passes of gated pairs: what their two outputs share, the input that the tables are of, each table and its factors
GATES = {
    "glu_backward": ("GLU", 2, ("sigmoid", 0b1), ("sigmoid_backward", 0b11)),
    "swiglu_backward": ("SWIGLU", 1, ("silu_backward", 0b101), ("silu", 0b1)),
    "geglu_backward": ("GATED_BY_TABLE", 1, ("geglu_backward", 0b101), ("geglu_backward", 0b1)),
    "geglu_tanh_backward": ("GATED_BY_TABLE", 1, ("geglu_tanh_backward", 0b101), ("geglu_tanh_backward", 0b1)),
}
WRITTEN_BY_HAND = ("softcap", "softcap_backward", "snake_backward")  # softcap.h and snake.h
# What is left beyond a table, in float32 (tails.h): kind, constant, bend and rate of an exponential; tables without are
# continued by the composed formula.
ROOT = 2 / math.sqrt(math.pi)
TAILS = {
    "sigmoid": ("PLAIN", 1, 0, 1),
    "sigmoid_backward": ("PLAIN", 1, 0, 1),
    "tanh_backward": ("PLAIN", 4, 0, 2),
    "elu_backward": ("PLAIN", 1, 0, 1),
    "selu_backward": ("PLAIN", 1.0507009873554804934 * 1.6732632423543772848, 0, 1),
    "quick_gelu": ("GATED", 1, 0, 1.702),
    "quick_gelu_backward": ("SLOPE", 1, 0, 1.702),
    "silu": ("GATED", 1, 0, 1),
    "silu_backward": ("SLOPE", 1, 0, 1),
    "mish": ("GATED", 1, 0.5, 1),
    "mish_backward": ("SLOPE", 1, 0.5, 1),
    "softplus": ("PLAIN", 1, 0, 1),
    "log_sigmoid": ("PLAIN", -1, 0, 1),
    "log_sigmoid_backward": ("PLAIN", 1, 0, 1),
    "serf": ("GATED", ROOT, 0.5, 1),
    "serf_backward": ("SLOPE", ROOT, 0.5, 1),
    "logish": ("GATED", 1, 1.5, 1),
    "logish_backward": ("SLOPE", 1, 1.5, 1),
}
# those that tails.h spells out, for what is gathered
SPELT_OUT = {"gelu", "gelu_backward", "gelu_tanh", "gelu_tanh_backward", "logit"}


def polynomial_of(name):
    """What the table of a function holds, by its form: a function of t, or of x."""
    form = TABLES[name][0]
    if form == "GATE":  # -gelu(-t), and its derivative
        gate = name.removesuffix("_backward").replace("geglu", "gelu")
        value, slope = (numpy_evaluators()[gate + suffix] for suffix in ("", "_backward"))
        return lambda t: -value(-t), lambda t: slope(np.ones_like(t), -t)
    activation = ACTIVATIONS[name.removesuffix("_backward")]
    parameters = [math.nan if value is None else value for value in activation.parameters.values()]
    evaluate = numpy_evaluators()[name]

    def value(x):
        x = np.where(x == 0, 1e-30, x)
        return evaluate(*([np.ones_like(x)] if name.endswith("_backward") else []), x, *parameters)

    if form == "CUBIC_SHIFTED":
        return lambda t: value(np.maximum(t, 1e-30)) / np.maximum(t, 1e-30) ** 3
    if form == "CENTRED":
        return lambda w: -value(np.minimum(w, 0.5 - 2.0**-30)) / np.clip(0.5 - w, 2.0**-30, 0.25)
    if form in ("ODD", "PRODUCT", "PRODUCT_BOTH"):
        return lambda t: value(t) / np.where(t == 0, 1e-30, t)
    if form == "QUOTIENT":  # a cap of 1; the segments meet at 1, and the last is 1: the limit is the cap
        last = (SEGMENTS - 1.5) * TABLES[name][1]
        return lambda t: np.where(t > last, 1, np.tanh(np.maximum(t, 1e-30)) / np.clip(t, 1e-30, 1))
    if form in ("EVEN_PRODUCT", "SQUARE"):
        return lambda t: value(t) / np.where(t == 0, 1e-30, t) ** 2
    if form in ("ABOVE", "BENT"):
        return lambda t: value(-t) / np.where(t == 0, -1e-30, -t)
    if form in ("DIRECT", "DIRECT_BOTH", "COMPLEMENT_DOWN"):
        return value
    if form == "BELOW":
        return lambda t: -value(t)
    return lambda t: value(-t)


def chebyshev(low, high, count=200):
    """Chebyshev nodes of an interval."""
    return (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(count) + 0.5) / count)


def centre_of(functions, low, high):
    """A float near the middle where the values of the functions are nearly float32, and those values."""
    if low == 0 and len(functions) == 2:
        return 0.0, [float(np.float32(function(np.zeros(1))[0])) for function in functions]  # exact: 0 and 1/2
    middle = np.float32((low + high) / 2)
    step = max(float(np.spacing(middle)), (high - low) * 2.0**-20)
    candidates = (float(middle) + np.arange(-4000, 4001) * step).astype(np.float32)
    off = np.zeros(len(candidates))
    for function in functions:
        values = function(candidates.astype(np.float64))
        rounded = values.astype(np.float32)
        off = np.maximum(off, np.abs(values - rounded) / np.spacing(np.abs(rounded)))
    centre = float(candidates[np.argmin(off)])
    return centre, [float(np.float32(function(np.array([centre]))[0])) for function in functions]


def segment_with_slope(value, slope, low, high, degree):
    """The same for a polynomial whose derivative is wanted, too: c1 is as good as c0."""
    centre, (c0, c1) = centre_of([value, slope], low, high)
    t = chebyshev(low, high)
    d, exponents = t - centre, np.arange(2, degree + 1)
    powers = np.concatenate([d[:, None] ** exponents, exponents * d[:, None] ** (exponents - 1)])
    values = np.concatenate([value(t), slope(t)])
    known = np.concatenate([c0 + c1 * d, np.full_like(d, c1)])
    least = np.repeat([0 if low == 0 else np.abs(value(t)).max() / 64, np.abs(slope(t)).max() / 64], len(t))
    size = np.maximum(np.abs(values), least)
    coefficients = least_squares(powers, 1 / size, values - known, np.float32)
    return [centre, c0, c1, *coefficients], np.abs((known + powers @ coefficients - values) / size).max() * 2.0**24


def segment(function, low, high, degree):
    """Centre, coefficients and the largest error of one segment, in ULP (2^-24)."""
    if isinstance(function, tuple):
        return segment_with_slope(*function, low, high, degree)
    centre, (c0,) = centre_of([function], low, high)
    t = chebyshev(low, high)
    d, values = t - centre, function(t)
    exponents = np.arange(1, degree + 1)
    scale = min(1.0, 2.0 ** math.ceil(math.log2(8 * (high - low))))  # the powers of a tiny d would vanish beside d
    powers = (d / scale)[:, None] ** exponents
    size = np.maximum(np.abs(values), np.abs(values).max() / 64)  # near a zero of the function the error counts absolutely
    coefficients = least_squares(powers, 1 / size, values - c0, np.float32)
    error = np.abs((c0 + powers @ coefficients - values) / size).max() * 2.0**24
    return [centre, c0, *coefficients / scale**exponents], error


def hexadecimal(value):
    """A float32 in C."""
    return f"{float(np.float32(value)).hex()}f"


def part_of_binade(j, spacing):
    """The j-th last of the parts that binades are divided into, below 1/2: the index that its top bits are, low and high."""
    binade = 2.0 ** (-2 - j * spacing // 1)
    low = binade * (2 - spacing - j * spacing % 1)
    return int(np.float32(low).view(np.uint32)) >> (23 + round(math.log2(spacing))), low, low + binade * spacing


def segments():
    """The text of segments.h."""
    text = f"{MADE}\n/* The centres of the segments, then c0, c1 ... */\n"
    for name, (form, spacing, degree, negative) in TABLES.items():
        function = polynomial_of(name)
        rows, errors = [None] * SEGMENTS, []
        for j in range(-negative, SEGMENTS - negative):
            low, high = (j - 0.5) * spacing, (j + 0.5) * spacing
            if form == "CENTRED":
                j, low, high = part_of_binade(j, spacing)
            elif not negative:
                low = max(low, 0)
            rows[j % SEGMENTS], error = segment(function, low, high, degree)
            errors.append(error)
        end, start = (SEGMENTS - negative - 0.51) * spacing, -(negative + 0.49) * spacing if negative else 0
        if form == "CENTRED":
            end, start = 0.5, part_of_binade(SEGMENTS - 1, spacing)[1]
        scale = polynomial_scale(name) if form.startswith("BENT") else 1
        if form.startswith("BENT"):
            start = scale - float(np.float32(scale))  # the second part of the scale
        text += f"\n/* {name}: fitted within {max(errors):.2f} ULP */\n"
        worst = int(np.argmax(errors)) - negative
        print(f"{name:24} {form:16} [{start:.2f}, {end:.2f}] degree {degree}: {max(errors):.2f} ULP in segment {worst}")
        text += f"static ALIGNED const float table_{name}[{degree + 2}][32] = {{\n"
        for row in np.array(rows).T:
            text += "    {" + ", ".join(f"{float(value).hex()}f" for value in row) + "},\n"
        text += "};\n"
        numbers = ", ".join(map(hexadecimal, (start, end, 1 / spacing, scale)))
        text += f"#define FIT_{name} {{{form}, {degree}, {numbers}, table_{name}}}\n"
    return text


def polynomial_scale(name):
    """What a function (or its derivative) multiplies a positive x by."""
    evaluate = numpy_evaluators()[name]
    parameters = list(ACTIVATIONS[name.removesuffix("_backward")].parameters.values())
    one = np.ones(1)
    return evaluate(*([one] if name.endswith("_backward") else []), one, *parameters)[0]


def standard(activation):
    """The default of an activation's parameter, in C."""
    values = ["NAN_VALUE" if value is None else hexadecimal(value) for value in activation.parameters.values()]
    return values[0] if values else "0"


def kernels():
    """The text of kernels.h: a function for each kernel, in full, so that a search for its name finds it."""
    text, rows = f"{MADE}\n", []
    for name in TABLES:
        if name in TAILS:
            text += exponential_tail(name)
    for name, (table, argument, factors) in KERNELS.items():
        activation = ACTIVATIONS[name.removesuffix("_backward")]
        arrays = len(activation.operands) + name.endswith("_backward")
        output = output_of(table, factors, f"{name}_rest" if table in SPELT_OUT else f"{name}_uniform")
        call = f"fitted_block(ONE, {arrays}, {argument}, 1, {output}, {output}, in, parameter, out, n)"
        if activation.parameters:
            text += kernel(f"{name}_fitted_standard", f"    {call};\n")
            text += at_default(name, arrays, standard(activation))
            rows.append(f'{{"{name}", (any_block *){name}_fitted, (any_block *){name}_fitted_general}}')
        else:
            text += kernel(f"{name}_fitted", f"    {call};\n")
            rows.append(f'{{"{name}", (any_block *){name}_fitted, NULL}}')
    for name, (kind, argument, *outputs) in GATES.items():
        listed = ", ".join(output_of(table, factors, f"{name}_rest") for table, factors in outputs)
        text += kernel(f"{name}_fitted", f"    fitted_block({kind}, 3, {argument}, 2, {listed}, in, parameter, out, n);\n")
        rows.append(f'{{"{name}", (any_block *){name}_fitted, NULL}}')
    for name in WRITTEN_BY_HAND:
        rows.append(f'{{"{name}", (any_block *){name}_fitted, (any_block *){name}_fitted_general}}')
    return text + "\nstatic const Fitted fitted_kernels[] = {\n    " + ",\n    ".join([*rows, "{0}"]) + ",\n};\n"


def exponential_tail(name):
    """The function that continues a table by an exponential."""
    kind, constant, bend, rate = TAILS[name]
    log = math.log(abs(constant))
    bend /= abs(constant)  # it is multiplied by the exponential with the constant
    values = math.copysign(1, constant), log, log - float(np.float32(log)), bend, rate, rate - float(np.float32(rate))
    numbers = ", ".join(map(hexadecimal, values))
    head = f"static ALWAYS_INLINE f32_v {name}_tail(f32_v x, f32_v factor) {{\n"
    return f"\n{head}    return exponential_tail({kind}, {numbers}, x, factor);\n}}\n"


def output_of(table, factors, rest):
    """The C of one Output: a table, its tail, or else the kernel that computes what is beyond, and the factors."""
    tail, rest = (f"{table}_tail", "NULL") if table in TAILS else ("NULL", rest)
    return f"(Output){{FIT_{table}, {tail}, {rest}, {factors}}}"


def kernel(name, body):
    """The C of one block."""
    return f"\nstatic void {name}(const float *const *in, const float *parameter, float *const *out, size_t n) {{\n{body}}}\n"


def at_default(name, arrays, value):
    """The blocks of a kernel whose table holds for one value of the parameter, as a number and as an array."""
    number = f"    const float standard = {value};\n"
    number += "    if (memcmp(parameter, &standard, sizeof standard) != 0)\n"
    number += f"        {name}_uniform(in, parameter, out, n);\n"
    number += f"    else\n        {name}_fitted_standard(in, parameter, out, n);\n"
    array = "    (void)parameter;\n"
    array += f"    fitted_general({arrays}, {value}, {name}_fitted, {name}_general, in, out, n);\n"
    return kernel(f"{name}_fitted", number) + kernel(f"{name}_fitted_general", array)


def tails():
    """The text of tail_terms.h: the normal distribution's far tail, and the exponent of gelu_tanh in two parts."""
    with mpmath.workdps(40):
        first = mpmath.mpf(float(np.float32(1 / mpmath.sqrt(2 * mpmath.pi))))

        def far(y):  # Phi(-t) t / phi(t), without its 1, over y = 1 / t^2
            t = 1 / mpmath.sqrt(y)
            return (mpmath.erfc(t / mpmath.sqrt(2)) * mpmath.exp(t * t / 2) * t * mpmath.sqrt(mpmath.pi / 2) - 1) / y

        text = f"{MADE}\nenum {{ FAR_TERMS = 7 }};\n"
        for name, function in (("far_tail", far), ("far_slope", lambda y: -1 - y * far(y))):
            fitted = mpmath.chebyfit(function, [mpmath.mpf(1) / 900, 1 / mpmath.mpf("5.6") ** 2], 6)[::-1]
            listed = ", ".join(hexadecimal(value) for value in (first, *(first * value for value in fitted)))
            text += f"static const float {name}_terms[FAR_TERMS] = {{{listed}}};\n"
        log_terms = mpmath.chebyfit(lambda r: mpmath.log1p(r) / r if r else mpmath.mpf(1), [-0.25, 0.5], 10)[::-1]
        rest_terms = mpmath.chebyfit(lambda w: -mpmath.log1p(-w) / w if w else mpmath.mpf(1), [0, 0.0625], 5)[::-1]
        for name, terms in (("log", log_terms), ("log_rest", rest_terms)):
            listed = ", ".join(map(hexadecimal, terms))
            text += f"enum {{ {name.upper()}_TERMS = {len(terms)} }};\nstatic const float {name}_terms[] = {{{listed}}};\n"
        y = chebyshev(0, (math.pi / 2) ** 2 * 1.001)
        values = 2 * np.sinc(np.sqrt(y) / np.pi) ** 2
        wave = least_squares(y[:, None] ** np.arange(7), 1 / values, values, np.float32)
        text += f"enum {{ WAVE_TERMS = 7 }};\nstatic const float wave_terms[] = {{{', '.join(map(hexadecimal, wave))}}};\n"
        quarter = mpmath.pi / 4
        high, middle, low = parts(quarter, (13, 24, 24))
        text += f"#define QUARTER_PI {hexadecimal(high)}\n#define QUARTER_PI_LOW {hexadecimal(middle)}\n"
        text += f"#define QUARTER_PI_LOWEST {hexadecimal(low)}\n"
        text += f"#define FAR_TAIL_LOG {hexadecimal(-mpmath.log(first * mpmath.sqrt(2 * mpmath.pi)))}\n"
        linear = 2 * mpmath.sqrt(2 / mpmath.pi)
        for name, value in (("TANH_C0", linear), ("TANH_C1", linear * mpmath.mpf("0.044715"))):
            high, low = parts(value, (24, 24))
            text += f"#define {name} {hexadecimal(high)}\n#define {name}_LOW {hexadecimal(low)}\n"
    return text


if __name__ == "__main__":
    OUT = HERE.parent / "fitted/generated"
    (OUT / "tables.h").write_text(segments(), encoding="utf-8")
    (OUT / "kernels.h").write_text(kernels(), encoding="utf-8")
    (OUT / "tail_terms.h").write_text(tails(), encoding="utf-8")
