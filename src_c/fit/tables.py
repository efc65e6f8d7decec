"""The tables of the fitted float32 kernels (fitted/forms.h). A row of TABLES and a declaration make a table: the NumPy
implementation computes the values, in float64.

A table has 32 segments of one spacing, over t = |x| or over x. Segment j has a centre m, a float near its middle for which f(m)
is a float32 to 0.001 ULP. So c0 = f(m) has no error, and f(m + d) = c0 + d * (c1 + c2 d + ...) is nearly correctly rounded.
The other coefficients come from a weighted least-squares fit of the relative error at Chebyshev nodes. Each is rounded, the
highest first, and the lower ones are then fitted again.
"""

import math
from typing import NamedTuple

import numpy as np
from exp import least_squares
from tails import chebyshev, exponential_tail, hexadecimal

from fastact.declare import ACTIVATIONS
from fastact.numpy_backend.evaluators import evaluators as numpy_evaluators

SEGMENTS = 32


class Table(NamedTuple):
    """How one function is fitted."""

    form: str  # of forms.h
    spacing: float
    degree: int
    negative: int = 0  # how many segments have a centre below 0
    left: int = 0  # the last segment that serves x < 0, of a GATE: far left the relative error counts
    tail: str = ""  # the kind of exponential beyond the table (tails.py); without one the composed formula serves, or tails.h


TABLES = {
    "sigmoid": Table("COMPLEMENT", 0.76, 6, tail="PLAIN"),
    "sigmoid_backward": Table("EVEN", 0.76, 6, tail="PLAIN"),
    "tanh": Table("ODD", 0.287, 5),
    "tanh_backward": Table("EVEN", 0.38, 6, tail="PLAIN"),
    "elu": Table("BENT", 0.56, 5),
    "elu_backward": Table("BENT_SLOPE", 0.8, 6, tail="PLAIN"),
    "selu": Table("BENT", 0.56, 5),
    "selu_backward": Table("BENT_SLOPE", 0.8, 6, tail="PLAIN"),
    "gelu": Table("ABOVE", 0.178, 6),
    "gelu_backward": Table("COMPLEMENT_CUT", 0.1875, 6),
    "gelu_tanh": Table("ABOVE", 0.16, 6),
    "gelu_tanh_backward": Table("COMPLEMENT_CUT", 0.175, 6),
    "quick_gelu": Table("ABOVE", 0.45, 6, tail="GATED"),
    "quick_gelu_backward": Table("COMPLEMENT", 0.45, 6, tail="SLOPE"),
    "silu": Table("ABOVE", 0.76, 6, tail="GATED"),
    "silu_backward": Table("COMPLEMENT", 0.76, 6, tail="SLOPE"),
    "mish": Table("PRODUCT", 0.645, 7, negative=16, tail="GATED"),
    "mish_backward": Table("DIRECT", 0.67, 7, negative=15, tail="SLOPE"),
    "softplus": Table("ABOVE_PLUS", 0.76, 6, tail="PLAIN"),
    "log_sigmoid": Table("BELOW", 0.76, 6, tail="PLAIN"),
    "log_sigmoid_backward": Table("COMPLEMENT_DOWN", 0.76, 6, tail="PLAIN"),
    "tanh_shrink": Table("CUBIC_SHIFTED", 0.3, 6),
    "tanh_shrink_backward": Table("SQUARE", 0.3, 6),
    "squareplus": Table("ABOVE_BOTH", 0.5, 6),
    "squareplus_backward": Table("STEP_BOTH", 0.5, 6),
    "serf": Table("PRODUCT", 0.5, 7, negative=21, tail="GATED"),
    "serf_backward": Table("DIRECT", 0.51, 7, negative=21, tail="SLOPE"),
    "logish": Table("PRODUCT", 0.87, 7, negative=12, tail="GATED"),
    "logish_backward": Table("DIRECT", 1.05, 7, negative=9, tail="SLOPE"),
    "snake": Table("PRODUCT_BOTH", 0.7, 7, negative=16),
    "logit": Table("CENTRED", 0.5, 7),
    "softcap": Table("QUOTIENT", 2 / 7, 5),
    "swiglu_backward": Table("GATE_BOTH", 0.4, 6),
    "geglu_backward": Table("GATE", 0.1875, 6, left=24),
    "geglu_tanh_backward": Table("GATE", 0.175, 6, left=25),
    "lisht": Table("EVEN_PRODUCT", 0.287, 5),
    "lisht_backward": Table("ODD", 0.345, 6),
}


def polynomial_of(name):
    """The function that the polynomials of a table are fitted to, by its form: a function of t, or of x."""
    form = TABLES[name].form
    if form.startswith("GATE"):  # -gelu(-t), and its derivative
        gate = {"swiglu": "silu", "geglu": "gelu", "geglu_tanh": "gelu_tanh"}[name.removesuffix("_backward")]
        value, slope = (numpy_evaluators()[gate + suffix] for suffix in ("", "_backward"))
        parameters = ACTIVATIONS[gate].parameters.values()
        return lambda t: -value(-t, *parameters), lambda t: slope(np.ones_like(t), -t, *parameters)
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
        last = (SEGMENTS - 1.5) * TABLES[name].spacing
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


def centre_of(functions, low, high):
    """A float near the middle where the values of all functions are nearly floats, and those values."""
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
    """A segment whose derivative is computed, too: c1 has no error either."""
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
    scale = min(1.0, 2.0 ** math.ceil(math.log2(8 * (high - low))))  # without it the powers of a tiny d would be lost beside d
    powers = (d / scale)[:, None] ** exponents
    size = np.maximum(np.abs(values), np.abs(values).max() / 64)  # near a zero of the function the error counts absolutely
    coefficients = least_squares(powers, 1 / size, values - c0, np.float32)
    error = np.abs((c0 + powers @ coefficients - values) / size).max() * 2.0**24
    return [centre, c0, *coefficients / scale**exponents], error


def part_of_binade(j, spacing):
    """The j-th part of a binade below 1/2, counted downwards: the index in its top bits, its low and its high end."""
    binade = 2.0 ** (-2 - j * spacing // 1)
    low = binade * (2 - spacing - j * spacing % 1)
    return int(np.float32(low).view(np.uint32)) >> (23 + round(math.log2(spacing))), low, low + binade * spacing


def table(name):
    """The text of one table: the centres of the segments, then c0, c1 ..."""
    form, spacing, degree, negative, _, tail = TABLES[name]
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
    start, end = ends(name)
    scale = polynomial_scale(name) if form.startswith("BENT") else 1
    if form.startswith("BENT"):
        start = scale - float(np.float32(scale))  # the second part of the scale
    worst = int(np.argmax(errors)) - negative
    print(f"{name:24} {form:16} [{start:.2f}, {end:.2f}] degree {degree}: {max(errors):.2f} ULP in segment {worst}")
    text = f"/* {name}: fitted within {max(errors):.2f} ULP */\n"
    text += f"static ALIGNED const float table_{name}[TABLE_SIZE({degree + 2})] = {{\n"
    for i, column in enumerate(np.array(rows).T):
        text += f"    COLUMN({i}, " + ", ".join(map(hexadecimal, column)) + "),\n"
    numbers = ", ".join(map(hexadecimal, (start, end, 1 / spacing, scale)))
    text += f"}};\n#define FIT_{name} {{{form}, {degree}, {numbers}, table_{name}}}\n"
    if not tail:
        return text
    return text + exponential_tail(name, tail, -start if negative else end, form in ("BELOW", "COMPLEMENT_DOWN"))


def ends(name):
    """Where a table begins and ends, within its first and last segment."""
    form, spacing, _, negative, left, _ = TABLES[name]
    if form == "CENTRED":
        return part_of_binade(SEGMENTS - 1, spacing)[1], 0.5
    if form == "GATE":
        return -(left + 0.49) * spacing, (SEGMENTS - 0.51) * spacing
    return -(negative + 0.49) * spacing if negative else 0, (SEGMENTS - negative - 0.51) * spacing


def polynomial_scale(name):
    """The factor of a positive x: the value of the function, or of its derivative, at 1."""
    evaluate = numpy_evaluators()[name]
    parameters = list(ACTIVATIONS[name.removesuffix("_backward")].parameters.values())
    one = np.ones(1)
    return evaluate(*([one] if name.endswith("_backward") else []), one, *parameters)[0]
