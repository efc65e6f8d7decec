"""The curves of an activation, computed by the package's own functions, with a gap where a curve jumps."""

import numpy as np

import fastact

from ..declare import ACTIVATIONS

# The numbers of points on a large panel and on a small one.
SAMPLES, FEW = 1001, 401
# A step between neighbouring points is a jump if it is still there after so many halvings of their distance.
HALVINGS = 40


def drawable():
    """The activations of the contact sheet: the public ones of one array."""
    return [one for one in ACTIVATIONS.values() if one.public and one.operands == ("x",)]


def evaluate(activation, x, parameters):
    """The function and its derivative at x. For a gated function x is the gate, and the value is 1."""
    forward, backward = getattr(fastact, activation.name), getattr(fastact, activation.name + "_backward")
    ones = np.ones_like(x)
    with np.errstate(all="ignore"):
        if activation.halves:
            halves = np.stack([x if name == "gate" else ones for name in activation.operands])
            y, gradients = forward(halves, axis=0, **parameters), backward(ones[None], halves, axis=0, **parameters)
            return y[0], gradients[activation.operands.index("gate")]
        arrays = [ones if name == "value" else x for name in activation.operands]
        y, slope = forward(*arrays, **parameters), backward(ones, *arrays, **parameters)
        return y, slope[0] if isinstance(slope, tuple) else slope


class Curve:
    """A function and its derivative over a range, each as x and y with NaN in the gaps.

    Attributes
    ----------
    x, y : ndarray
        The function.
    slope_x, slope : ndarray
        The derivative.
    """

    def __init__(self, activation, parameters, low, high, samples=SAMPLES):
        x = places(low, high, samples)
        self.x, self.y = with_gaps(lambda at: evaluate(activation, at, parameters)[0], x)
        self.slope_x, self.slope = with_gaps(lambda at: evaluate(activation, at, parameters)[1], x)

    @property
    def domain(self):
        """The part of the range where the function is defined, as (low, high, whether it is the whole range), or None."""
        finite = np.isfinite(self.y)
        if not finite.any():
            return None
        inside = self.x[finite]
        # A jump has a NaN too, between its sides. NaN at an end means that the domain is narrower than the range.
        return float(inside[0]), float(inside[-1]), bool(finite[0] and finite[-1])


def places(low, high, samples):
    """Points in even steps, and in a wide range more points near 0, where activations bend."""
    even = np.linspace(low, high, samples)
    size = max(abs(low), abs(high))
    towards = np.geomspace(size * 1e-9, size, samples // 10) if size > 100 else np.empty(0)
    found = np.unique(np.concatenate([even, towards, -towards]))
    return found[(found >= low) & (found <= high)]


def with_gaps(function, x):
    """x and function(x), with a NaN between the two sides of each jump. Halving finds the sides."""
    y = function(x)
    with np.errstate(all="ignore"):
        steps = np.abs(np.diff(y))
        span = np.ptp(y[np.isfinite(y)]) if np.isfinite(y).any() else 0
    at = np.flatnonzero(steps > 1e-3 * span)
    first = steps[at]
    left, right, below, above = x[at], x[at + 1], y[at], y[at + 1]
    for _ in range(HALVINGS):
        if not at.size:
            break
        middle = (left + right) / 2
        value = function(middle)
        in_left = np.abs(value - below) > np.abs(above - value)
        right, above = np.where(in_left, middle, right), np.where(in_left, value, above)
        left, below = np.where(in_left, left, middle), np.where(in_left, below, value)
        alive = np.abs(above - below) > first / 2
        at, first, left, right, below, above = (each[alive] for each in (at, first, left, right, below, above))
    more_x = np.stack([left, (left + right) / 2, right], 1).ravel()
    more_y = np.stack([below, np.full_like(below, np.nan), above], 1).ravel()
    edges, last = ends(function, x, y)
    after = np.concatenate([np.repeat(at + 1, 3), edges + 1])
    return np.insert(x, after, [*more_x, *last]), np.insert(y, after, [*more_y, *function(last)])


def ends(function, x, y):
    """After which points a domain ends or begins, and the last number in it, which halving finds."""
    finite = np.isfinite(y)
    at = np.flatnonzero(finite[:-1] != finite[1:])
    inside, outside = np.where(finite[at], x[at], x[at + 1]), np.where(finite[at], x[at + 1], x[at])
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        defined = np.isfinite(function(middle))
        inside, outside = np.where(defined, middle, inside), np.where(defined, outside, middle)
    return at, inside
