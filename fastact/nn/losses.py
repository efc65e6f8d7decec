"""The losses of training: one by name or a function of the user's, with the labels in its form."""

import numpy as np

import fastact

from ..calls.arguments import is_floating
from ..calls.elementwise import nearest
from .activations import label, read_only, write
from .data import convert, finite, real

# The names of losses, and fastact's functions that compute the loss and the gradient in one pass.
FUNCTIONS = {name: name + "_and_grad" for name in ("cross_entropy", "binary_cross_entropy_with_logits", "squared_error")}

# The meanings of a network's outputs: scores of classes, scores for yes or no, or values.
TASKS = ("classes", "binary", "values")

SIGMOIDS = ("sigmoid", "expit")


class Objective:
    """A loss together with the labels of all rows.

    Attributes
    ----------
    targets : ndarray
        The labels, a row for each row of the data.
    task : str
        The meaning of the outputs, one of TASKS.
    """

    def __init__(self, function, targets, task):
        self._function, self.targets, self.task = function, targets, task

    def __call__(self, outputs, targets, out):
        """The mean loss of some rows; its gradient with respect to the outputs goes to `out`."""
        loss, gradient = self._function(outputs, targets, out=out)
        write(gradient, out, "the gradient of the loss")
        return float(loss)


def guarded(function):
    """A loss of the user's, which can write only to `out`; an error says what it should return."""

    def loss_and_gradient(outputs, target, out):
        found = function(read_only(outputs), read_only(target), out=out)
        if not (isinstance(found, tuple) and len(found) == 2 and np.ndim(found[0]) == 0 and found[0] is not None):
            raise TypeError(f"loss {label(function)} must return a pair, the mean loss as one number and its gradient")
        return found

    return loss_and_gradient


def objective(loss, y, rows, layer):
    """The loss that a name or a callable chooses; with None the kind of the labels chooses it.

    Parameters
    ----------
    loss : str, callable or None
    y : array_like
        The labels: integers from 0 for cross-entropy, numbers for the squared error.
    rows : int
        How many rows the data have.
    layer : Dense
        The last layer.

    Returns
    -------
    Objective
    """
    width, dtype = layer.shape[1], layer.dtype
    y = real("y", y)
    if y.ndim == 0 or len(y) != rows:
        given = f"shape {y.shape}" if y.ndim == 0 else f"{len(y)} labels"
        raise ValueError(f"y must have one label for each of the {rows} rows of X, got {given}")
    whole = y.dtype.kind in "biu"
    if loss is None:
        loss = "squared_error" if not whole else "cross_entropy" if width > 1 else "binary_cross_entropy_with_logits"
    name = getattr(loss, "__name__", "")
    if getattr(fastact, name, None) is loss:  # a function of fastact stands for its name
        loss = name.removesuffix("_and_grad")
    if callable(loss):
        classes = whole and y.ndim == 1 and width > 1
        targets = y[:, np.newaxis] if y.ndim == 1 and width == 1 else y
        return Objective(guarded(loss), targets, "classes" if classes else "values")
    if not isinstance(loss, str) or loss not in FUNCTIONS:
        near = nearest(str(loss), FUNCTIONS)
        hint = f"did you mean {near!r}?" if near else f"it is one of {', '.join(map(repr, FUNCTIONS))}, or a function"
        raise ValueError(f"loss {loss!r} is unknown: {hint}")
    refuse_probabilities(loss, layer.function.name)
    function = getattr(fastact, FUNCTIONS[loss])
    if loss == "cross_entropy":
        return Objective(function, classes_or_distributions(y, width, dtype), "classes")
    targets = like_outputs(loss, y, width, dtype)
    if loss == "squared_error":
        return Objective(function, targets, "values")
    wrong = (targets < 0) | (targets > 1)
    if wrong.any():
        at = int(np.argwhere(wrong)[0][0])
        hint = 'several classes need an output each, and loss="squared_error" fits other numbers'
        if np.isin(y, (-1, 1)).all():
            hint = "of labels -1 and 1 y > 0 makes them"
        raise ValueError(f"y must be 0 or 1 under {loss}, got {y[at].tolist()!r} at {at}: {hint}")
    return Objective(function, targets, "binary")


def refuse_probabilities(loss, activation):
    """Refuse a last layer whose softmax or sigmoid the loss has inside."""
    inside = {"cross_entropy": ("softmax",), "binary_cross_entropy_with_logits": (*SIGMOIDS, "softmax")}.get(loss, ())
    if activation in inside:
        raise ValueError(
            f"the last layer must have no {activation} under loss {loss!r}, which has it inside: applied twice, it flattens the "
            "gradients; leave the activation out, and predict_proba will apply it"
        )


def classes_or_distributions(y, width, dtype):
    """Labels for cross-entropy: classes from 0 to width - 1, or a distribution over them for each row."""
    if width == 1:
        raise ValueError('loss "cross_entropy" needs two outputs or more: for one there is "binary_cross_entropy_with_logits"')
    if is_floating(y.dtype):
        if y.shape[1:] == (width,):
            return finite("y", convert(y, dtype).copy())
        hint = ": pass y.astype(int)" if y.ndim == 1 else ""
        right = f"integer classes or distributions of shape ({len(y)}, {width})"
        raise ValueError(f"y must be {right}, got {y.dtype} of shape {y.shape}{hint}")
    if y.shape[1:] == (width,):  # one-hot
        if ((y != 0) & (y != 1)).any() or (np.count_nonzero(y, axis=1) != 1).any():
            hint = 'for several classes a row there is loss="binary_cross_entropy_with_logits"'
            raise ValueError(f"y of shape {y.shape} must be 0 but for one 1 a row; classes have shape ({len(y)},); {hint}")
        return y.argmax(axis=1)
    if y.shape[1:] not in ((), (1,)):
        raise ValueError(f"y must have shape ({len(y)},) or ({len(y)}, {width}), got {y.shape}")
    wrong = (y < 0) | (y >= width)
    if wrong.any():
        at = int(np.argwhere(wrong)[0][0])
        from_one = y.min() == 1 and y.max() == width
        hint = "y - 1 counts from 0" if from_one else 'for numbers that are no classes there is loss="squared_error"'
        right = f"classes in 0..{width - 1}, as the network has {width} outputs"
        raise ValueError(f"y must be {right}; got {y[at].item()} at {at}: {hint}")
    return y.reshape(-1).astype(np.int64)


def like_outputs(loss, y, width, dtype):
    """Labels in the shape of the outputs; for one output (rows,) counts as (rows, 1)."""
    if y.ndim == 1 and width == 1:
        y = y[:, np.newaxis]
    if y.shape[1:] != (width,):
        hint = ""
        if y.ndim == 1 and is_floating(y.dtype):
            hint = ": floating labels choose squared_error; if these are classes, pass y.astype(int)"
        raise ValueError(f"y must have shape ({len(y)}, {width}) under loss {loss!r}, got {y.shape}{hint}")
    return finite("y", convert(y, dtype).copy())
