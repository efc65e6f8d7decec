"""The truth: the definition that a declaration's docstring gives, and its derivative, evaluated in mpmath.

Nothing here knows how the package computes: a definition such as "x if x > 0 else alpha * (exp(x) - 1)" is evaluated as
written, with so many digits that its cancellations do not matter, and differentiated by a difference quotient.
"""

import contextlib
import functools
import json
import re

import mpmath
import numpy as np

from fastact.declare import ACTIVATIONS

from checkout import ROOT

# Digits for the smallest results (1e-46 and 1e-324), the steps of the difference quotient, and 40 to spare.
DIGITS = {np.float32: 130, np.float64: 430}
STEP = 1e-20  # relative to x, at most absolute


class Definition:
    """A definition as a function of mpmath numbers."""

    def __init__(self, text, digits):
        self.context = mpmath.MPContext()
        self.context.dps = self.digits = digits
        exact = re.sub(r"(?<![\w.])\d+\.\d+", r'mpf("\g<0>")', text)  # a decimal number means itself, not the nearest float
        self.code = compile(exact, text, "eval")
        self.words = {name: getattr(self.context, name) for name in dir(self.context) if not name.startswith("_")}
        self.words |= {"exp": self.exp, "erfc": self.erfc}

    def exp(self, x):
        """e**x: mpmath takes 12 ms for a huge whole number, but 0.1 for one and a half."""
        return self.context.exp(x - 0.5) * self.context.exp(0.5) if abs(x) > 1e9 else self.context.exp(x)

    def erfc(self, x):
        """The complementary error function: mpmath cannot do a huge number."""
        return self.context.mpf(0 if x > 0 else 2) if abs(x) > 1e5 else self.context.erfc(x)

    def __call__(self, x, parameters):
        """The exact value; of a gated pair for a value of 1. A large x gets more digits: a definition may add its square to 1."""
        self.context.dps = self.digits + (2 * int(self.context.log10(abs(x))) if abs(x) > 1 else 0)
        return self.context.mpf(eval(self.code, self.words, {"x": x, "gate": x, "value": self.context.mpf(1), **parameters}))

    def derivative(self, x, parameters, here=None):
        """The exact derivative, or None at a kink, where both sides differ; `here` is the value, where it is known."""
        step = self.context.mpf(STEP) * min(1, abs(x) or 1)
        before, after = (self(x + k * step, parameters) for k in (-1, 1))
        here = self(x, parameters) if here is None else here
        left, right = (here - before) / step, (after - here) / step
        if abs(left - right) > 1e-12 * max(abs(left), abs(right)):
            return None
        return (left + right) / 2


defined = functools.cache(Definition)  # a context of mpmath takes milliseconds to make


def points(dtype, every=1, more=()):
    """Finite numbers through bit space, so that every binade is visited, and more where activations bend and saturate.

    One of so many of them, but of the edges and of `more` each.
    """
    bits = np.dtype(dtype).itemsize * 8
    integers = np.arange(0, 2**bits - 1, 2**bits // 1201, dtype=f"u{bits // 8}")
    limits = np.finfo(dtype)
    edges = [limits.smallest_subnormal, limits.tiny, limits.max, 1e-30, 50, 40, 100, 103.97, 87.34, 708.4, 745.13]
    rng = np.random.default_rng(0)
    dense = [rng.uniform(-width, width, 400) for width in (1, 10, 30, 110, 760)] + [rng.uniform(0, 1, 400)]
    bulk = np.concatenate([integers.view(dtype), np.concatenate(dense).astype(dtype)])
    bulk = np.unique(bulk[np.isfinite(bulk)])[::every]
    return np.unique(np.concatenate([bulk, np.array([*edges, *np.negative(edges), *more], dtype)]))


@functools.cache
def record():
    """What `python benchmarks/accuracy.py` found: by the name of a function, by implementation, with the worst input as x."""
    return json.loads((ROOT / "benchmarks" / "accuracy.json").read_text(encoding="utf-8"))


def worst(activation):
    """The worst float32 inputs of an activation and its backward pass, which any implementation was found to have."""
    found = [one["x"] for name in (activation, f"{activation}_backward") for one in record().get(name, {}).values()]
    return sorted({x for x in found if x is not None and np.isfinite(x)})


def split(exact, dtype):
    """A list of exact values as float64, and what that leaves over in units of the last place of `dtype`."""
    high = np.array([float(value) for value in exact])
    with np.errstate(over="ignore"):
        unit = np.spacing(np.abs(high).astype(dtype)).astype(np.float64)
    unit[~np.isfinite(unit)] = np.inf  # beyond the largest number nothing is left over
    rest = [float((value - h) / u) for value, h, u in zip(exact, high.tolist(), unit.tolist(), strict=True)]
    return high, np.array(rest)


@functools.cache
def truth(activation, kind, dtype, given=(), every=1):
    """Points, and the exact values there in two parts: for `given` (name, number) pairs and else the usual parameters.

    The points are one of so many of the bulk, the edges and, for the usual parameters, the worst inputs on record. Kinks are left
    out, and what is outside the function's domain.
    """
    x, *exact = _values_and_derivatives(activation, dtype, given, every)
    exact = exact[kind != "forward"]
    kept = [value is not None for value in exact]
    return x[kept], *split([value for value in exact if value is not None], dtype)


@functools.cache
def _values_and_derivatives(activation, dtype, given, every):
    """Points, and the exact numbers there, None where there is none: the derivative needs the value too."""
    declared = ACTIVATIONS[activation]
    definition = defined(declared.definition, DIGITS[dtype])
    values = {**declared.values, **dict(given)}
    parameters = {name: None if value is None else definition.context.mpf(float(dtype(value))) for name, value in values.items()}
    x = points(dtype, every, () if given else worst(activation))
    exact, slopes = [None] * len(x), [None] * len(x)
    for i, value in enumerate(map(definition.context.mpf, x.tolist())):
        with contextlib.suppress(TypeError, ZeroDivisionError):  # a complex result, or a pole
            exact[i] = definition(value, parameters)
            slopes[i] = definition.derivative(value, parameters, exact[i])
    return x, exact, slopes


def last_place(high, dtype):
    """The unit in the last place of exact values, as float64; NaN where they overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.spacing(np.abs(high.astype(dtype))).astype(np.float64)


def ulps(got, high, rest=0.0, unit=None):
    """|got - exact| in units of the last place of the exact value high + rest; `unit` spares computing them again."""
    if unit is None:
        unit = last_place(high, got.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs((got.astype(np.float64) - high) / unit - rest)
        unclear = np.isnan(error)
        if unclear.any():  # an overflow must be infinite, and a NaN is wrong by any measure
            error[unclear] = np.where(got[unclear] == high[unclear].astype(got.dtype), 0, np.inf)
    return error


def near_zero(x, high):
    """Where an exact derivative (x in order) is close to a zero that it crosses, as silu's does, or touches, as snake's does."""
    size = np.abs(high)
    with np.errstate(over="ignore"):
        zero = high[:-1] * high[1:] < 0
    least = np.flatnonzero((size[1:-1] < 0.125) & (size[1:-1] <= size[:-2]) & (size[1:-1] <= size[2:])) + 1
    zeros = x[np.concatenate([np.flatnonzero(zero), least])]
    depth = np.zeros(len(x) + 1, int)
    np.add.at(depth, np.searchsorted(x, zeros - 0.25), 1)
    np.add.at(depth, np.searchsorted(x, zeros + 0.25), -1)
    return (np.cumsum(depth[:-1]) > 0) & (size < 0.125)
