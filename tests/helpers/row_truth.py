"""The functions along an axis and the losses as textbooks have them, in float64, and the softmax family in mpmath."""

import functools
import itertools

import mpmath
import numpy as np

from fastact.declare import ROWS

import oracle
from passes import Pass

DIGITS = 100


def softmax(x, axis=-1, sink=-np.inf):
    """exp(x) / (exp(sink) + sum(exp(x)))."""
    x = np.asarray(x, np.float64)
    top = np.maximum(x.max(axis=axis, keepdims=True), sink)
    e = np.exp(x - top)
    return e / (np.exp(sink - top) + e.sum(axis=axis, keepdims=True))


def hardmax(x, axis):
    """1 at the first of the largest."""
    x = np.moveaxis(np.asarray(x), axis, -1)
    return np.moveaxis(np.eye(x.shape[-1])[x.argmax(axis=-1)], -1, axis)


def threshold(x, axis, roots):
    """The exact threshold of sparsemax, or of entmax15 on halves, by sorting: the largest support that is consistent."""
    z = -np.sort(-np.moveaxis(np.maximum(x, -2), axis, -1), axis=-1)  # of numbers up to 0, of which those below -2 do not count
    count = np.arange(1, z.shape[-1] + 1)
    mean = np.cumsum(z, axis=-1) / count
    if roots:
        spread = count * (np.cumsum(z**2, axis=-1) / count - mean**2)
        taus = mean - np.sqrt(np.maximum((1 - spread) / count, 0))
    else:
        taus = mean - 1 / count
    size = (z >= taus).sum(axis=-1, keepdims=True)
    return np.moveaxis(np.take_along_axis(taus, size - 1, -1), -1, axis)


def sparsemax(x, axis):
    """max(x - tau, 0)."""
    x = x - np.max(np.asarray(x, np.float64), axis=axis, keepdims=True)
    return np.maximum(x - threshold(x, axis, False), 0)


def entmax15(x, axis):
    """max(x / 2 - tau, 0)**2."""
    x = (x - np.max(np.asarray(x, np.float64), axis=axis, keepdims=True)) / 2
    return np.maximum(x - threshold(x, axis, True), 0) ** 2


def spread_slope(weight):
    """weight * (grad - the mean of grad by weight)."""

    def slope(grad, y, axis):
        w = weight(y)
        total = w.sum(axis=axis, keepdims=True)
        return w * (grad - (w * grad).sum(axis=axis, keepdims=True) / np.where(total, total, 1))

    return slope


# The functions whose textbook form is more than a line of NumPy
FORWARD = {"hardmax": hardmax, "sparsemax": sparsemax, "entmax15": entmax15}
SLOPES = {"sparsemax": spread_slope(lambda y: (y > 0) * 1.0), "entmax15": spread_slope(np.sqrt)}


def forward(name, x, axis=-1):
    """A function along an axis in float64: its textbook form, or the line of NumPy that its declaration has."""
    x = np.asarray(x, np.float64)
    if name in FORWARD:
        return FORWARD[name](x, axis)
    return line(ROWS[name].plain, axis, x=x) if ROWS[name].plain else formula(Pass(name, "forward"), axis, x)


def slope(one, grad, last, axis):
    """Its backward pass in the same way, from the input or from the output."""
    declared, y = ROWS[one.activation], last if one.kind == "from_output" else forward(one.activation, last, axis)
    if one.activation in SLOPES:
        return SLOPES[one.activation](grad, y, axis)
    if declared.plain_backward_from_output:
        return line(declared.plain_backward_from_output, axis, grad=grad, y=y)
    if one.kind == "backward" and declared.plain_backward:
        return line(declared.plain_backward, axis, grad=grad, x=last)
    return formula(one, axis, grad, last)


def line(text, axis, **arrays):
    """The value of a declared line of NumPy."""
    return eval(text, {"np": np, "axis": axis, **arrays})


def formula(one, axis, *arrays):
    """The formula of a declaration that has no line, in the fallback, on contiguous rows of float64."""
    moved = [np.ascontiguousarray(np.moveaxis(array, axis, -1)) for array in arrays]
    return np.moveaxis(one.of("numpy")(*moved), -1, axis)


def logits(one, dtype, shape):
    """Operands of a pass: a gradient and logits, or the output that comes of them."""
    rng = np.random.default_rng(0)
    grad, x = rng.normal(0, 1, shape).astype(dtype), rng.normal(0, 4, shape).astype(dtype)
    if one.kind == "from_output":
        return [grad, forward(one.activation, x).astype(dtype)]
    return [x] if one.operands == 1 else [grad, x]


def plain(one, inputs, axis):
    """The textbook pass in float64."""
    if one.kind == "forward":
        return forward(one.activation, inputs[0], axis)
    grad, last = (np.asarray(values, np.float64) for values in inputs)
    return slope(one, grad, last, axis)


def assert_close(got, expected, note):
    """Equal to a few roundings of the largest entry."""
    assert got.shape == expected.shape, note
    allowed = 40 * np.finfo(got.dtype).eps * np.max(np.abs(expected), initial=1)
    if not (np.abs(got - expected) <= allowed).all():  # looked at first: assert_allclose takes longer than most calls
        np.testing.assert_allclose(got, expected, rtol=0, atol=allowed, err_msg=note)


def exact(x, scale=1.0, sink=-np.inf, kept=None, log=False):
    """The softmax of rows in mpmath, or its logarithm, as float64 and what that leaves over; 0 and -inf where masked."""
    kept = np.broadcast_to(True if kept is None else kept, x.shape)
    return _exact(x.dtype, x.shape, x.tobytes(), kept.tobytes(), float(scale), float(sink), log)


@functools.cache  # the same for every implementation
def _exact(dtype, shape, logits, kept, scale, sink, log):
    context = mpmath.MPContext()
    context.dps = DIGITS
    x, kept = np.frombuffer(logits, dtype).reshape(shape), np.frombuffer(kept, bool).reshape(shape)
    high, rest = np.full(shape, -np.inf if log else 0.0), np.zeros(shape)
    for row in np.ndindex(x.shape[:-1]):
        here = np.flatnonzero(kept[row])
        values = [context.mpf(scale) * context.mpf(value) for value in x[row][here].tolist()]
        exponentials = [context.exp(value) for value in values]
        total = context.fsum(exponentials) + (context.exp(sink) if sink > -np.inf else 0)
        if len(here):
            results = [v - context.log(total) for v in values] if log else [e / total for e in exponentials]
            high[row][here], rest[row][here] = oracle.split(results, x.dtype.type)
    return high, rest


def assert_within(bound, got, high, rest, note=""):
    """Fail with the worst entry and its error in units of the last place; what is infinite or masked must be equal."""
    special = ~np.isfinite(high)
    assert (got[special] == high[special]).all(), note
    error = np.where(special, 0, oracle.ulps(got, np.where(special, 0, high), rest))
    worst = np.unravel_index(np.argmax(error), error.shape)
    assert error[worst] <= bound, f"{note}: off by {error[worst]:.2f} ULP at {worst}: {got[worst]!r}, exactly {high[worst]!r}"


def cross_entropy(logits, distribution):
    """The losses of rows and the gradients in float64, with the classes along the last axis.

    A distribution may sum to any number.
    """
    x = np.asarray(logits, np.float64)
    shifted = x - x.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    slope = np.exp(log_p) * distribution.sum(axis=-1, keepdims=True) - distribution
    return -(distribution * log_p).sum(axis=-1), slope


def assert_every_reduction(functions, x, target, truth, **given):
    """cross_entropy, its backward pass and both at once agree with (losses, gradients, what the mean divides by).

    They do so with every reduction, along any axis, from any layout, new and in place.
    """
    loss, backward, both = functions
    losses, slope, counts = truth
    shape, tolerance = x.shape, 60 * np.finfo(x.dtype).eps
    expected = {"mean": losses.sum() / counts, "sum": losses.sum(), "none": losses}
    factors = {"mean": 2 / counts, "sum": 2.0, "none": np.arange(losses.size).reshape(shape[:-1])[..., None] / 8}
    layouts = itertools.product({-1, 0, len(shape) // 2}, "CF" if len(shape) == 2 else "C", expected)
    for axis, order, reduction in layouts:
        laid = np.asarray(np.moveaxis(x, -1, axis), order=order)
        t = np.asarray(np.moveaxis(target, -1, axis) if target.ndim == x.ndim else target, order=order)
        options = {"axis": axis, "reduction": reduction, **given}
        got = loss(laid, t, **options)
        assert np.asarray(got).dtype == x.dtype
        np.testing.assert_allclose(got, expected[reduction], rtol=tolerance, atol=tolerance)
        grad = 2.0 if reduction != "none" else factors["none"][..., 0].astype(x.dtype)
        right = np.moveaxis(factors[reduction] * slope, -1, axis)
        inplace, again = laid.copy(order="K"), laid.copy(order="K")
        assert backward(grad, inplace, t, **options, out=inplace) is inplace
        one, two = both(again, t, **options, out=again)
        assert two is again
        np.testing.assert_array_equal(one, got)
        for result in (backward(grad, laid, t, **options), inplace):
            assert result.shape == laid.shape
            np.testing.assert_allclose(result, right, rtol=0, atol=tolerance * np.abs(right).max(initial=1))
        unit = np.moveaxis(slope, -1, axis) / (counts if reduction == "mean" else 1)
        np.testing.assert_allclose(two, unit, rtol=0, atol=tolerance)
