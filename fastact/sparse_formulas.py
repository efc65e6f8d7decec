"""hardmax, sparsemax and entmax15 in NumPy, on rows along the last axis: mirrors the C kernels.

The sparse ones find a threshold without sorting, by Newton's method from below: the function is convex, so it rises to the root
and never passes it. A row that has arrived stays, whatever its neighbours still need.
"""

import numpy as np

from .rows import row_sum


def hardmax(x):
    """1 at the first of the largest, else 0."""
    top = x.max(axis=-1, keepdims=True)
    y = (np.arange(x.shape[-1]) == x.argmax(axis=-1, keepdims=True)).astype(x.dtype)
    return np.where(np.isfinite(top), y, np.nan)


def sparsemax(x):
    """max(x - tau, 0), where tau is such that it sums to 1."""
    top = x.max(axis=-1, keepdims=True)
    z = np.subtract(x, top, dtype=np.float64)
    tau, count = np.full(top.shape, -1.0), None
    while True:
        above = z > tau
        before, count = count, above.sum(axis=-1, keepdims=True)
        if before is not None and (before == count).all():
            break
        tau = np.where(count > 0, (row_sum(np.where(above, z, 0), x.dtype) - 1) / np.maximum(count, 1), tau)
    return np.where(np.isfinite(top), np.maximum(z - tau, 0), np.nan)


def entmax15(x):
    """max(x / 2 - tau, 0)**2, where tau is such that it sums to 1."""
    top = x.max(axis=-1, keepdims=True)
    z = 0.5 * np.subtract(x, top, dtype=np.float64)
    tau = np.full(top.shape, -1.0)
    while True:
        above = np.maximum(z - tau, 0)
        step = (row_sum(above * above, x.dtype) - 1) / (2 * row_sum(above, x.dtype))
        new = np.maximum(tau, tau + step)
        if not (new > tau).any():
            break
        tau = new
    return np.where(np.isfinite(top), np.square(np.maximum(z - tau, 0)), np.nan)


def sparsemax_backward_from_output(grad, y):
    """What the gradient is more than its mean over the entries that are not 0."""
    return _spread(grad, y, (y > 0).astype(np.float64))


def entmax15_backward_from_output(grad, y):
    """The same with a mean by the roots of the entries, and times these."""
    return _spread(grad, y, np.sqrt(y, dtype=np.float64))


def _spread(grad, y, weight):
    """The gradient less its weighted mean, times the weight; where there is none an infinite gradient counts nothing."""
    live = weight > 0
    mean = row_sum(np.where(live, grad, 0) * weight, grad.dtype) / row_sum(weight, grad.dtype)
    return np.where(live, weight * (grad - mean), np.where(np.isnan(y), np.nan, 0))


def sparsemax_backward(grad, x):
    """From the logits."""
    return sparsemax_backward_from_output(grad, sparsemax(x))


def entmax15_backward(grad, x):
    """From the logits."""
    return entmax15_backward_from_output(grad, entmax15(x))
