"""hardmax, sparsemax and entmax15 in NumPy, on rows along the last axis: mirrors the C kernels.

The sparse ones find a threshold without sorting, by Newton's method from below: the function is convex, so it rises to the root
and never passes it. A row that has arrived stays, whatever its neighbours still need.
"""

import numpy as np


def hardmax(x):
    """1 at the first of the largest, else 0."""
    top = x.largest()
    first, nothing = x.position(top), np.where(np.isfinite(top), 0.0, np.nan)
    return x.of(lambda part: np.where(np.arange(part.start, part.stop) == first, nothing + 1, nothing))


def sparsemax(x):
    """max(x - tau, 0), where tau is such that it sums to 1."""
    top = x.largest()
    z = x.of(lambda part: x(part) - top)
    tau, count = np.full(x.each, -1.0), np.full(x.each, np.inf)
    while True:
        above = larger(z, tau)
        # The counts fall with every step, so that the loop ends, even where another thread writes x.
        before, count = count, np.minimum(count, sum(above(part).sum(axis=-1, keepdims=True) for part in z.parts))
        if (before == count).all():
            break
        tau = np.where(count > 0, (chosen(z, above).sum() - 1) / np.maximum(count, 1), tau)
    return finite(top, excess(z, tau))


def larger(z, tau):
    """Which entries are above a threshold."""
    return z.of(lambda part: z(part) > tau)


def chosen(z, above):
    """These entries, else 0."""
    return z.of(lambda part: np.where(above(part), z(part), 0))


def entmax15(x):
    """max(x / 2 - tau, 0)**2, where tau is such that it sums to 1."""
    top = x.largest()
    z = x.of(lambda part: 0.5 * (x(part) - top))
    tau = np.full(x.each, -1.0)
    while True:
        above = excess(z, tau)
        step = (squares(above).sum() - 1) / (2 * above.sum())
        new = np.maximum(tau, tau + step)
        if not (new > tau).any():
            break
        tau = new
    return finite(top, squares(excess(z, tau)))


def excess(z, tau):
    """What the entries are more than a threshold, else 0."""
    return z.of(lambda part: np.maximum(z(part) - tau, 0))


def squares(z):
    """The squares of the entries."""
    return z.of(lambda part: np.square(z(part)))


def finite(top, y):
    """The entries of rows whose largest logit is finite, else NaN."""
    return y.of(lambda part: np.where(np.isfinite(top), y(part), np.nan))


def sparsemax_backward_from_output(grad, y):
    """What the gradient is more than its mean over the entries that are not 0."""
    return _spread(grad, y, y.of(lambda part: (y(part) > 0).astype(np.float64)))


def entmax15_backward_from_output(grad, y):
    """The same with a mean by the roots of the entries, and times these."""
    return _spread(grad, y, y.of(lambda part: np.sqrt(y(part), dtype=np.float64)))


def _spread(grad, y, weight):
    """The gradient less its weighted mean, times the weight; where there is none an infinite gradient counts nothing."""
    weighted = grad.of(lambda part: np.where(weight(part) > 0, grad(part), 0) * weight(part))
    mean = weighted.sum() / weight.sum()

    def entries(part):
        live = weight(part) > 0
        return np.where(live, weight(part) * (grad(part) - mean), np.where(np.isnan(y(part)), np.nan, 0))

    return grad.of(entries)


def sparsemax_backward(grad, x):
    """From the logits."""
    return sparsemax_backward_from_output(grad, sparsemax(x))


def entmax15_backward(grad, x):
    """From the logits."""
    return entmax15_backward_from_output(grad, entmax15(x))
