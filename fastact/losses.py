"""Every loss of rows: declaration, docstring and NumPy formula together.

The rules are those of rows.py, whose functions these formulas may use. A formula gets the target as a distribution, whatever the
caller gave. `@loss` makes the public functions of a loss: its value, its gradient, and both from one pass.
"""

import numpy as np

from .declare_rows import loss
from .numpy_backend.logits import Logits

# Where the target dominates, its loss is log1p(s) and its gradient -s / (1 + s), where s is the sum of all exponentials but the
# largest (Logits.sum_of_others). This keeps the digits of both.


def _evened(target, label_smoothing, n):
    """The entries of a target, with the share `label_smoothing` of it spread evenly over all n classes."""
    return (1 - label_smoothing) * target + label_smoothing / n


def _weighted(target, weight, label_smoothing):
    """The smoothed target times the weights of the classes."""
    return weight * _evened(target, label_smoothing, len(weight))


CLASSES = "logits, labels = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), np.array([2, 0])"


@loss(
    source="C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna (2016), Rethinking the Inception architecture (label "
    "smoothing)",
    requires=["0 <= label_smoothing <= 1"],
    explained={"label_smoothing": "The share of the target that is spread evenly over all classes, 0 to 1."},
    weighted=_weighted,
    bound="; accurate where a target dominates: p - 1 keeps its digits",
    examples={
        "loss": (
            CLASSES,
            "fa.cross_entropy(logits, labels, reduction='none')",
            "fa.cross_entropy(logits, labels).round(8)",
            "fa.cross_entropy(logits, labels, weight=[4.0, 1.0, 1.0]).round(8)",
        ),
        "backward": (
            CLASSES,
            "fa.cross_entropy_backward(1.0, np.zeros((2, 3)), labels, weight=[4.0, 1.0, 1.0])  # rows count 1 / 5 and 4 / 5",
            "fa.cross_entropy_backward(1.0, logits, labels, ignore_index=0, out=logits)  # in place",
        ),
        "both": (
            CLASSES,
            "loss, grad = fa.cross_entropy_and_grad(logits, labels, out=logits)  # in place",
            "loss.round(8)",
            "grad",
            "fa.cross_entropy_and_grad(np.zeros((2, 3)), labels, weight=[4.0, 1.0, 1.0])[0].round(8)",
        ),
    },
)
def cross_entropy(logits, target, label_smoothing=0.0):
    """-sum(t * log_softmax(logits)) with t = (1 - label_smoothing) * target + label_smoothing / n

    The surprise at the right class, from logits, in one pass over them: a softmax, its logarithm and the mean.
    """
    return _surprise(Logits(logits), _smoothed(logits, target, label_smoothing))


@cross_entropy.derivative
def cross_entropy_backward(grad, logits, target, label_smoothing):
    """grad * (softmax(logits) * sum(t) - t)"""
    return _difference(grad, Logits(logits), _smoothed(logits, target, label_smoothing))


@cross_entropy.both_at_once
def cross_entropy_and_grad(grad, logits, target, label_smoothing):
    """The loss and the gradient from the same exponentials."""
    shifted, smooth = Logits(logits), _smoothed(logits, target, label_smoothing)
    return _surprise(shifted, smooth), _difference(grad, shifted, smooth)


def _smoothed(logits, target, label_smoothing):
    """The rows of the target, smoothed."""
    return logits.with_entries(lambda part: _evened(target(part), label_smoothing, logits.n))


def _surprise(shifted, target):
    """The sum of -target * log(p). An entry with a target of 0 counts 0, even where log(p) is -inf."""
    log_p = shifted.log_softmax()
    each = target.with_entries(lambda part: np.where(target(part) == 0, 0, -target(part) * log_p(part)))
    return np.where(np.isnan(shifted.sum_of_others), np.nan, each.sum())


def _difference(grad, shifted, target):
    """The gradient: the probabilities less the target. At the largest logit it is summed from the other entries."""
    whole, total, at_leading = 1 + shifted.sum_of_others, target.sum(), np.zeros(target.each)

    def others(part):
        entries = target(part).copy(order="K")
        rows, at = shifted.leading(part)
        at_leading[rows] = entries[at]
        entries[at] = 0
        return entries

    leading = (target.with_entries(others).sum() - at_leading * shifted.sum_of_others) / whole

    def slope(part):
        entries = total * (shifted.others(part) / whole) - target(part)
        rows, at = shifted.leading(part)
        entries[at] = leading[rows]
        return entries * grad

    return target.with_entries(slope)
