"""The cross entropy in NumPy, on rows of logits along the last axis: mirrors the C kernels.

A target that is an index becomes a distribution, 1 there. Loss and gradient keep the digits of a dominant target, whose
loss is log1p(rest) and whose gradient is -rest / (1 + rest): `rest` is the sum of all exponentials but the largest.
"""

import numpy as np

from .row_formulas import Logits
from .rows import row_sum


def loss_and_gradient(grad, logits, target, smoothing, gradient=True, loss=True):
    """Both for a distribution; None in place of what is not wanted."""
    shifted, n = Logits(logits), logits.shape[-1]
    target = (1 - smoothing) * target + smoothing / n
    total = slope = None
    if loss:
        log_p = shifted.log_softmax()
        each = np.where(target == 0, 0, -target * log_p)
        total = np.where(np.isnan(shifted.rest), np.nan, row_sum(each, logits.dtype))
    if gradient and n == 0:
        slope = target
    elif gradient:
        whole = 1 + shifted.rest
        slope = row_sum(target, logits.dtype) * (shifted.exponentials / whole) - target
        others = target.copy()
        np.put_along_axis(others, shifted.first, 0, -1)
        leading = row_sum(others, logits.dtype) - np.take_along_axis(target, shifted.first, -1) * shifted.rest
        np.put_along_axis(slope, shifted.first, leading / whole, -1)
        slope *= grad
    return total, slope


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
    return np.where(target < 0, 0, of_distribution_backward(grad, logits, one_hot(logits, target), smoothing))


def of_index_both(grad, logits, target, smoothing):
    """Loss and gradient, 0 where the index is -1."""
    loss, slope = loss_and_gradient(grad, logits, one_hot(logits, target), smoothing)
    return np.where(target < 0, 0, loss), np.where(target < 0, 0, slope)


def one_hot(logits, target):
    """1 at each index, else 0."""
    return (np.arange(logits.shape[-1]) == target).astype(np.float64)
