"""The exact values: the definition that a declaration's docstring gives, and its derivative, evaluated in mpmath.

Nothing here knows how the package computes. A definition such as "x if x > 0 else alpha * (exp(x) - 1)" is evaluated as it is
written. It has so many digits that its cancellations do not matter. A difference quotient gives the derivative.
"""

import contextlib
import functools
import json
import re

import mpmath
import numpy as np

from fastact.declare import ACTIVATIONS

from checkout import ROOT

# Enough digits for the smallest results (1e-46 and 1e-324) and for the steps of the difference quotient, and 40 to spare.
DIGITS = {np.float32: 130, np.float64: 430}
STEP = 1e-20  # relative to |x| below 1, absolute above


class Definition:
    """A definition as a function of mpmath numbers."""

    def __init__(self, text, digits):
        self.context = mpmath.MPContext()
        self.context.dps = self.digits = digits
        exact = re.sub(r"(?<![\w.])\d+\.\d+", r'mpf("\g<0>")', text)  # mpf('0.1') is 0.1 itself, not the nearest float
        self.code = compile(exact, text, "eval")
        self.words = {name: getattr(self.context, name) for name in dir(self.context) if not name.startswith("_")}
        self.words |= {"exp": self.exp, "erfc": self.erfc}

    def exp(self, x):
        """e**x. mpmath is slow for a huge whole number, but fast for half a number less."""
        return self.context.exp(x - 0.5) * self.context.exp(0.5) if abs(x) > 1e9 else self.context.exp(x)

    def erfc(self, x):
        """The complementary error function. mpmath fails for huge numbers, where the limit is exact enough."""
        return self.context.mpf(0 if x > 0 else 2) if abs(x) > 1e5 else self.context.erfc(x)

    def __call__(self, x, parameters):
        """The exact value at x; for a gated pair, the value at gate x where the other operand is 1.

        A large x gets more digits, because a definition may add the square of x to 1.
        """
        self.context.dps = self.digits + (2 * int(self.context.log10(abs(x))) if abs(x) > 1 else 0)
        return self.context.mpf(eval(self.code, self.words, {"x": x, "gate": x, "value": self.context.mpf(1), **parameters}))

    def derivative(self, x, parameters, here=None):
        """The exact derivative, or None at a kink. `here` is the value at x, if the caller knows it."""
        step = self.context.mpf(STEP) * min(1, abs(x) or 1)
        before, after = (self(x + k * step, parameters) for k in (-1, 1))
        here = self(x, parameters) if here is None else here
        left, right = (here - before) / step, (after - here) / step
        if abs(left - right) > 1e-12 * max(abs(left), abs(right)):
            return None
        return (left + right) / 2


defined = functools.cache(Definition)  # because a context of mpmath is slow to make


def points(dtype, every=1, more=()):
    """Finite numbers from every binade, and more of them where activations bend and saturate.

    Only every `every`-th of them is kept, but all edges and all numbers of `more`.
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
    """The record of `python benchmarks/accuracy.py`: for each function and implementation, with the worst input as "x"."""
    return json.loads((ROOT / "benchmarks" / "accuracy.json").read_text(encoding="utf-8"))


def worst(activation):
    """The float32 inputs on record at which an implementation is worst, for an activation and its backward pass."""
    found = [one["x"] for name in (activation, f"{activation}_backward") for one in record().get(name, {}).values()]
    return sorted({x for x in found if x is not None and np.isfinite(x)})


def split(exact, dtype):
    """A list of exact values in two parts: rounded to float64, and the rounding errors in ULP of `dtype`."""
    high = np.array([float(value) for value in exact])
    with np.errstate(over="ignore"):
        unit = np.spacing(np.abs(high).astype(dtype)).astype(np.float64)
    unit[~np.isfinite(unit)] = np.inf  # beyond the largest number the rounding error counts as 0
    rest = [float((value - h) / u) for value, h, u in zip(exact, high.tolist(), unit.tolist(), strict=True)]
    return high, np.array(rest)


@functools.cache
def truth(activation, kind, dtype, given=(), every=1):
    """Points x, and the exact values there in the two parts that `split` makes.

    `given` has (name, number) pairs of parameters; the other parameters have their usual values. The points are those of
    `points(dtype, every)` and, for the usual parameters, the worst inputs on record. Kinks and points outside the function's
    domain are left out.
    """
    x, *exact = _values_and_derivatives(activation, dtype, given, every)
    exact = exact[kind != "forward"]
    kept = [value is not None for value in exact]
    return x[kept], *split([value for value in exact if value is not None], dtype)


@functools.cache
def _values_and_derivatives(activation, dtype, given, every):
    """Points, the exact values there and the exact derivatives, None where there is none.

    One function computes both, because the derivative needs the value.
    """
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
    """One ULP of exact values, as float64; NaN where they overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.spacing(np.abs(high.astype(dtype))).astype(np.float64)


def ulps(got, high, rest=0.0, unit=None):
    """The error |got - exact| in ULP of the exact value, which is high and, in ULP, rest. `unit` is one ULP, if known."""
    if unit is None:
        unit = last_place(high, got.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs((got.astype(np.float64) - high) / unit - rest)
        unclear = np.isnan(error)
        if unclear.any():  # where the exact value overflows, infinity is right; NaN is always wrong
            error[unclear] = np.where(got[unclear] == high[unclear].astype(got.dtype), 0, np.inf)
    return error


def near_zero(x, high):
    """Where an exact derivative is close to one of its zeros: small, and at most 0.25 away in x.

    It may cross the zero, as silu's does, or touch it, as snake's does. x must be in ascending order.
    """
    size = np.abs(high)
    with np.errstate(over="ignore"):
        zero = high[:-1] * high[1:] < 0
    least = np.flatnonzero((size[1:-1] < 0.125) & (size[1:-1] <= size[:-2]) & (size[1:-1] <= size[2:])) + 1
    zeros = x[np.concatenate([np.flatnonzero(zero), least])]
    depth = np.zeros(len(x) + 1, int)
    np.add.at(depth, np.searchsorted(x, zeros - 0.25), 1)
    np.add.at(depth, np.searchsorted(x, zeros + 0.25), -1)
    return (np.cumsum(depth[:-1]) > 0) & (size < 0.125)
