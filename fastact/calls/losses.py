"""The losses. They are computed in blocks of rows, so that no temporary array has the size of the logits."""

import functools
import math
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .arguments import blocks, checked_out, computing, integer, is_floating, is_half, loop_dtype, overlaps, refuse_dtype, rounded
from .class_weights import ClassWeights, product
from .elementwise import Call, check_axis
from .operands import array_to_read, is_labelled, refuse_masked_out
from .rows import checked_numbers, taking_dtype

REDUCTIONS = ("mean", "sum", "none")
SUFFIXES = {"loss": "", "backward": "_backward", "both": "_both"}  # of the names of evaluators
# Rows in a block: their losses, and their targets, take 64 KiB at most.
BLOCK = 8192
# Entries in a block that has to be cast: 512 KiB at most.
CAST = 65536


def quietly(loop):
    """Casts to half precision overflow without a warning, as a computation in float32 does."""
    return np.errstate(all="ignore") if is_half(loop) else np.errstate()


def sum_quietly(losses):
    """The sum in float64, without a warning where it overflows, as the compiled one."""
    with np.errstate(all="ignore"):
        return losses.sum(dtype=np.float64)


class LossCall(Call):
    """A call of a loss, of its backward pass, or of both at once.

    Attributes
    ----------
    kind : str
        "loss", "backward" (grad is the first operand) or "both".
    first : str
        The name of the operand whose gradient is computed.
    own : dict
        The parameters of the loss itself, with their defaults.
    conditions : list of code
        What these parameters must fulfil.
    """

    keywords = "out=None"
    of_ufuncs = frozenset(("out",))
    instead: dict[str, str] = {}  # noqa: RUF012  (for messages: what to pass in place of masked entries, by operand)

    compute: Any  # of (grad, logits, target, options, out): each kind of loss has its own

    def __init__(self, loss, kind, evaluators, evaluator):
        operands = (*(["grad"] if kind == "backward" else []), loss.first, "target")
        super().__init__(loss.names()[kind], operands, loss.all_parameters, {None: (evaluator, None)})
        self.kind, self.first, self.own, self.by_name = kind, loss.first, loss.parameters, loss.by_name
        self.conditions = [compile(text, text, "eval") for text in loss.requires]
        self.sum = evaluators.get("sum", sum_quietly)

    def check(self, name, value):
        """Refuse a wrong reduction or axis. Options that depend on the operands are checked later."""
        if name == "reduction":
            right = " or ".join(map(repr, REDUCTIONS))
            if not isinstance(value, str):
                raise TypeError(f"{self.name}() argument reduction must be {right}, not {type(value).__name__} {value!r}")
            if value not in REDUCTIONS:
                raise ValueError(f"{self.name}() argument reduction must be {right}, got {value!r}")
        elif name == "axis":
            check_axis(self.name, value)

    def evaluate(self, _, operands, parameters, kwargs):
        """Read the operands as arrays, and compute."""
        out = kwargs.pop("out", None)
        out = None if out is ... else out
        refuse_masked_out(self.name, out)
        options = dict(zip(self.parameters, parameters, strict=True))
        options |= {name: kwargs.pop(name, default) for name, default in self.by_name.items()}
        given = dict(zip(self.operands, operands, strict=True))
        if any(map(is_labelled, given.values())):
            from .labelled import check_alike

            check_alike(self.name, {**given, **options}, self.first, options.get("axis"))
        besides = " with reduction='none' and operands of as many dimensions, so that blocks belong together"
        arrays = []
        for name, value in given.items():
            arrays.append(array_to_read(self.name, name, value, self.instead.get(name), besides))
            refuse_dtype(self.name, arrays[-1], name)
        *grad, logits, target = arrays
        return self.compute(grad[0] if grad else np.float64(1), logits, np.asarray(target), options, out)

    def loss_out(self, out, shape, loop):
        """The array to which the loss is to be written, or None."""
        out = checked_out(self.name, out, loop, "same_kind")
        if out is not None and out.shape != shape:
            raise ValueError(f"{self.name}: non-broadcastable output operand with shape {out.shape}, for a loss of {shape}")
        return out

    def gradient_out(self, out, logits, loop):
        """The array to which the gradient is written, a new one where `out` is None."""
        out = checked_out(self.name, out, loop, "same_kind")
        if out is None:
            return np.empty_like(logits, loop)
        if out.shape != logits.shape:
            message = f"non-broadcastable output operand with shape {out.shape}, for {self.first} of {logits.shape}"
            raise ValueError(f"{self.name}: {message}")
        return out

    def places(self, out, shape, logits, reduction, loop):
        """Three arrays or None: the `out` of the loss, the array for the losses of all rows, and the one for the gradient."""
        # With kind "both" a tuple has an array for each result; a single array is for the gradient.
        loss_out, slope_out = out if isinstance(out, tuple) and len(out) == 2 and self.kind == "both" else (None, out)
        losses = None
        if self.kind != "backward":
            loss_out = self.loss_out(out if self.kind == "loss" else loss_out, shape if reduction == "none" else (), loop)
            losses = np.empty(shape, loop) if loss_out is None and reduction == "none" else loss_out
        if self.kind == "loss":
            return loss_out, losses, None
        slope_out = self.gradient_out(slope_out, logits, loop)
        if loss_out is not None and np.may_share_memory(loss_out, slope_out):
            raise ValueError(f"{self.name}() needs arrays that do not overlap in out=, for the loss and the gradient")
        return loss_out, losses, slope_out

    def weight(self, grad, reduction, count, shape):
        """The gradient with respect to each row's loss: an array of the loss's shape, or one number."""
        if reduction == "none":
            try:
                return np.broadcast_to(grad, shape)
            except ValueError:
                raise ValueError(f"{self.name}() needs grad of the loss's shape {shape}, got {grad.shape}") from None
        if grad.ndim:
            raise ValueError(f"{self.name}() with reduction={reduction!r} needs a scalar grad, got shape {grad.shape}")
        return float(grad) / ((count or math.inf) if reduction == "mean" else 1)

    def reduced(self, total, reduction, count, loop, out):
        """The reduced loss, rounded once from the sum `total`, and written to `out` if there is one."""
        with np.errstate(all="ignore"):
            total = rounded(np.divide(total if count else 0.0, count) if reduction == "mean" else np.float64(total), loop)
        if out is None:
            return total
        out[...] = total
        return out


class RowLossCall(LossCall):
    """A call of a loss of rows: with indices, one-hot labels or distributions, along an axis.

    Attributes
    ----------
    index_evaluator, distribution_evaluator : callable
        The evaluators for targets that are indices, and for distributions.
    weighted : callable or None
        As in declare_rows.Loss.
    """

    instead = {"target": "ignore_index in their place, target.filled(-100)"}  # noqa: RUF012

    def __init__(self, loss, kind, evaluators):
        self.index_evaluator = evaluators[loss.name + SUFFIXES[kind]]
        super().__init__(loss, kind, evaluators, self.index_evaluator)
        self.distribution_evaluator = evaluators[f"{loss.name}_distribution{SUFFIXES[kind]}"]
        self.usual, self.weighted = tuple(map(float, loss.parameters.values())), loss.weighted

    def compute(self, grad, logits, target, options, out):
        """Check everything, then compute in blocks of rows."""
        if logits.ndim == 0:
            raise ValueError(f"{self.name}() needs logits of at least one dimension, along which to normalize; got a scalar")
        axis = normalize_axis_index(operator.index(options["axis"]), logits.ndim)
        reduction = options["reduction"]
        numbers = checked_numbers(self.name, {name: options[name] for name in self.own}, self.conditions)
        batch = logits.shape[:axis] + logits.shape[axis + 1 :]
        kind = self.kind_of_target(logits, target, batch)
        loop, n = loop_dtype(self.name, [logits]), logits.shape[axis]
        ignored = self.ignored(options["ignore_index"])
        targets = target if kind == "indices" else axis_last(target, axis)
        count = self.checked(targets, ignored, n) if kind == "indices" else math.prod(batch)
        if kind == "one-hot":
            self.check_one_hot(targets)
        evaluate, prepare = self.evaluator_of(kind, n, None if count == target.size else ignored)
        weights = self.class_weights(options, kind, n, numbers)
        if weights is not None:
            if kind != "distribution" and reduction == "mean":
                count = self.summed(weights, prepare, targets)
            if weights.target is not None:
                evaluate, numbers = self.distribution_evaluator, self.usual
        weight = None if self.kind == "loss" else self.weight(grad, reduction, count, batch)
        loss_out, losses, slope_out = self.places(out, batch, logits, reduction, loop)
        slopes = None if slope_out is None else axis_last(slope_out, axis)
        rows = axis_last(np.asarray(logits), axis)
        written = [array for array in (losses, slopes) if array is not None]
        inputs = [part.copy() if any(overlaps(part, array) for array in written) else part for part in (rows, targets)]
        if isinstance(weight, np.ndarray) and any(np.may_share_memory(weight, array) for array in written):
            weight = weight.copy()
        prepared = prepare, weights
        with quietly(loop):
            total = self.by_blocks(
                evaluate, prepared, weight, inputs, numbers, (losses, slopes), reduction == "none", computing(loop)
            )
        if self.kind == "backward":
            return slope_out
        if reduction != "none":
            loss = self.reduced(total, reduction, count, loop, loss_out)
        else:
            loss = losses[()] if loss_out is None else losses
        return loss if self.kind == "loss" else (loss, slope_out)

    def evaluator_of(self, kind, n, ignored):
        """The evaluator for a kind of target, and a function that makes its operand of targets."""
        if kind == "distribution":
            return self.distribution_evaluator, np.asarray
        if kind == "one-hot":
            return self.index_evaluator, functools.partial(np.argmax, axis=-1)
        return self.index_evaluator, functools.partial(as_index, self.name, n, ignored)

    def class_weights(self, options, kind, n, numbers):
        """The argument `weight`, or None."""
        if options.get("weight") is None:
            return None
        by_row = kind != "distribution" and tuple(numbers) == self.usual
        target = None if by_row else lambda target, weight: self.weighted(target, weight, *numbers)
        return ClassWeights(self.name, options["weight"], n, kind != "distribution", target)

    def summed(self, weights, prepare, targets):
        """The sum of the weights of the rows that count, of targets that are classes."""
        shape = targets.shape if prepare.func is as_index else targets.shape[:-1]
        each = (weights.of_index[prepare(targets[part])] for part in blocks(shape, BLOCK))
        return math.fsum(float(self.sum(of_rows.reshape(-1))) for of_rows in each)

    def by_blocks(self, evaluate, prepared, weight, arrays, numbers, written, each_row, loop):
        """Write the gradients, and the loss of each row if `each_row`; else returns the sum of the losses. `loop` computes."""
        (rows, targets), (losses, slopes), (prepare, weights), total = arrays, written, prepared, 0.0
        evaluate = functools.partial(taking_dtype(evaluate), dtype=loop)
        half = rows.dtype if is_half(rows.dtype) else None
        cast = rows.dtype != loop or (targets.ndim == rows.ndim and targets.dtype != loop) or (weights and weights.target)
        for part in blocks(rows.shape[:-1], max(1, CAST // max(rows.shape[-1], 1)) if cast else BLOCK):
            # astype keeps the layout of half precision in memory, and so the way of the rows; NumPy's buffers would not.
            logits, target = (one.astype(loop) if is_half(one.dtype) else one for one in (rows[part], prepare(targets[part])))
            factor, left_out = None, None
            if weights is not None:
                target, factor, left_out = weights.applied(target)
            inputs = [logits, target, *numbers]
            if self.kind != "loss":
                grad = weight[part].astype(loop, copy=False) if each_row else weight
                inputs.insert(0, grad if factor is None else product(grad, factor, loop))
            each = None
            if self.kind != "backward":
                each = losses[part] if each_row and factor is None and not half else np.empty(rows[part].shape[:-1], loop)
            slope = None if slopes is None else np.empty_like(logits) if half else slopes[part]
            results = [result for result in (each, slope) if result is not None]
            evaluate(*inputs, out=tuple(results))
            if left_out is not None and left_out.any():
                for result in results:
                    result[left_out] = 0
            if slopes is not None and half:
                slopes[part] = rounded(slope, half)
            if each is None:
                continue
            if not each_row:
                total += float(self.sum((each if factor is None else product(each, factor)).reshape(-1)))
            elif factor is not None:
                each = product(each, factor, loop if half else losses.dtype)
            if each_row and (half or factor is not None):
                losses[part] = rounded(each, half) if half else each
        return total

    def kind_of_target(self, logits, target, batch):
        """The kind of target: "indices", "one-hot" labels of integers or booleans, or a "distribution"."""
        kind, given = target.dtype.kind, f"got {target.dtype} of shape {target.shape}"
        if target.shape == logits.shape:
            return "distribution" if is_floating(target.dtype) or logits.size == 0 else "one-hot"
        if target.shape == batch and (kind in "iu" or target.size == 0):
            return "indices"
        right = f"integer indices of shape {batch}, which is that of logits without the axis, or a distribution of {logits.shape}"
        hint = ""
        if kind in "iu" and target.size == math.prod(batch):
            hint = f": pass np.asarray(target).{'ravel()' if len(batch) == 1 else f'reshape({batch})'}"
        elif is_floating(target.dtype) and target.shape == batch:
            hint = ": pass target.astype(int)"
        error = TypeError if target.shape == batch else ValueError
        raise error(f"{self.name}() argument target must have {right}, {given}{hint}")

    def check_one_hot(self, targets):
        """Refuse a row of labels that is not one 1 and else 0."""
        n = targets.shape[-1]
        for part in blocks(targets.shape[:-1], max(1, CAST // max(n, 1))):
            given = targets[part]
            wrong = ((given != 0) & (given != 1)).any(axis=-1) | (np.count_nonzero(given, axis=-1) != 1)
            if wrong.any():
                at = np.argwhere(wrong)[0]
                row = np.array2string(given[tuple(at)], threshold=8, separator=", ")
                hint = "; for one logit a row there is binary_cross_entropy_with_logits" if n == 1 else ""
                right = "labels of the shape of logits that are 0 but for one 1 a row"
                raise ValueError(f"{self.name}() needs {right}, got {row} at {place(part, at)}{hint}")

    def ignored(self, value):
        """`ignore_index`, the target of rows that do not count, as an integer."""
        try:
            return integer(value)
        except TypeError:
            kind = type(value).__name__
            raise TypeError(f"{self.name}() argument ignore_index must be an integer, not {kind} {value!r}") from None

    def checked(self, target, ignored, n):
        """How many rows count; refuses an index out of range."""
        if target.size and 0 <= target.min() <= target.max() < n and not 0 <= ignored < n:
            return target.size  # two passes over the targets instead of seven
        count = 0
        for part in blocks(target.shape, BLOCK):
            given = target[part]
            wrong = ((given < 0) | (given >= n)) & (given != ignored)
            if wrong.any():
                at = np.argwhere(wrong)[0]
                value, right = given[tuple(at)].item(), f"0..{n - 1} or ignore_index={ignored}"
                raise IndexError(f"{self.name}() needs target indices in {right}, got {value} at {place(part, at)}")
            count += int((given != ignored).sum())
        return count


def axis_last(array, axis):
    """A view with this axis as the last."""
    return array if axis == array.ndim - 1 else np.moveaxis(array, axis, -1)


def place(part, at):
    """The position in the whole array of the position `at` in a part, for messages."""
    found, at = [], [int(i) for i in at]
    for index in part[:-1]:
        found.append(index if isinstance(index, int) else index.start + at.pop(0))
    found += at
    return found[0] if len(found) == 1 else tuple(found)


def as_index(function, n, ignored, target):
    """A copy of indices, -1 where a row does not count. The copy itself is checked: another thread may write the original."""
    given = target.copy()
    made = given.astype(np.int64, copy=False)
    at = made.view(np.uint64)  # a negative index becomes a very large one
    if ignored is None:
        wrong = made.size and at.max() >= n
    else:
        left_out = given == ignored
        wrong = ((at >= n) & ~left_out).any()
    if wrong:
        raise IndexError(f"{function}() needs target indices in 0..{n - 1}: another thread has written others during the call")
    if ignored is not None:
        made[left_out] = -1
    return made
