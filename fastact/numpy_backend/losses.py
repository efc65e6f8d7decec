"""The cross entropy in NumPy, on rows of logits along the last axis: mirrors the C kernels.

A target that is an index becomes a distribution, 1 there. Loss and gradient keep the digits of a dominant target, whose
loss is log1p(rest) and whose gradient is -rest / (1 + rest): `rest` is the sum of all exponentials but the largest.
"""

import numpy as np

from .softmax import Logits


def loss_and_gradient(grad, logits, target, smoothing, gradient=True, loss=True):
    """Both for a distribution; None in place of what is not wanted."""
    shifted = Logits(logits)
    smooth = logits.of(lambda part: (1 - smoothing) * target(part) + smoothing / logits.n)
    return _loss(shifted, smooth) if loss else None, _gradient(grad, shifted, smooth) if gradient else None


def _loss(shifted, target):
    """The logarithms of the probabilities by the target; what is impossible and not wanted counts nothing."""
    log_p = shifted.log_softmax()
    each = target.of(lambda part: np.where(target(part) == 0, 0, -target(part) * log_p(part)))
    return np.where(np.isnan(shifted.rest), np.nan, each.sum())


def _gradient(grad, shifted, target):
    """The probabilities less the target; that of the largest logit from the rest and the target's other entries."""
    whole, total, at_leading = 1 + shifted.rest, target.sum(), np.zeros(target.each)

    def others(part):
        entries = target(part).copy(order="K")
        rows, at = shifted.leading(part)
        at_leading[rows] = entries[at]
        entries[at] = 0
        return entries

    leading = (target.of(others).sum() - at_leading * shifted.rest) / whole

    def slope(part):
        entries = total * (shifted.others(part) / whole) - target(part)
        rows, at = shifted.leading(part)
        entries[at] = leading[rows]
        return entries * grad

    return target.of(slope)


def of_distribution(logits, target, smoothing):
    """The loss."""
    return loss_and_gradient(1.0, logits, target, smoothing, gradient=False)[0]


def of_distribution_backward(grad, logits, target, smoothing):
    """The gradient."""
    return loss_and_gradient(grad, logits, target, smoothing, loss=False)[1]


def of_index(logits, target, smoothing):
    """The loss, 0 where the index is -1."""
    return np.where(target < 0, 0, of_distribution(logits, one_hot(logits, target), smoothing))


def of_index_backward(grad, logits, target, smoothing):
    """The gradient, 0 where the index is -1."""
    return counted(target, of_distribution_backward(grad, logits, one_hot(logits, target), smoothing))


def of_index_both(grad, logits, target, smoothing):
    """Loss and gradient, 0 where the index is -1."""
    loss, slope = loss_and_gradient(grad, logits, one_hot(logits, target), smoothing)
    return np.where(target < 0, 0, loss), counted(target, slope)


def counted(target, slope):
    """The gradient, 0 where the index is -1."""
    return slope.of(lambda part: np.where(target < 0, 0, slope(part)))


def one_hot(logits, target):
    """1 at each index, else 0."""
    return logits.of(lambda part: (np.arange(part.start, part.stop) == target).astype(np.float64))
