"""The argument `weight` of a loss of rows: a factor for each class."""

import numpy as np

from .arguments import refuse_dtype
from .operands import array_to_read


class ClassWeights:
    """The weights of classes in one call.

    They multiply the target. Where that is a class, and the parameters are the usual ones, the loss of the row is multiplied
    instead, which takes no array of the size of the logits.

    Attributes
    ----------
    of_index : ndarray
        The weight of each class, and then 0: that of the index -1, which a row has that does not count.
    indexed : bool
        Whether the targets are indices, not distributions.
    target : callable or None
        The weighted target, of (target, weight), for the evaluator of distributions. None where rows are multiplied.
    """

    def __init__(self, function, value, n, indexed, target):
        given = array_to_read(function, "weight", value)
        refuse_dtype(function, given, "weight")
        if given.shape != (n,):
            raise ValueError(f"{function}() needs weight of shape ({n},), a number for each class, got shape {given.shape}")
        self.of_index = np.append(given.astype(np.float64), 0.0)  # a copy: another thread may write the original after the check
        right = (self.of_index >= 0) & (self.of_index < np.inf)
        if not right.all():
            at = int(np.argmin(right))
            raise ValueError(f"{function}() needs weights that are finite and >= 0, got {self.of_index[at]} at {at}")
        self.indexed, self.target = indexed, target

    def applied(self, target):
        """What the evaluator gets; the factor of each row, or None; and which rows do not count, or None where it sees that."""
        if self.target is None:
            factor = self.of_index[target]
            return np.where(factor == 0, -1, target), factor, None  # a weight of 0 leaves out even an infinite loss
        left_out, weight = None, self.of_index[:-1]
        if self.indexed:
            left_out, target = target < 0, target[..., None] == np.arange(len(weight))
        return self.target(target, weight) if len(weight) else target, None, left_out


def product(values, factor, dtype=np.float64):
    """values * factor, rounded once from float64, without a warning where it overflows."""
    with np.errstate(all="ignore"):
        return np.multiply(values, factor, dtype=np.float64).astype(dtype, copy=False)
