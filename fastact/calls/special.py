"""The calls of backward passes with two results, of prelu's, which sums one of them, and of glu, which splits its array."""

import itertools
import math
import operator

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .arguments import broadcast, checked_out, computing, is_half, loop_dtype, rounded
from .elementwise import Call, answers_for_itself, check_axis
from .operands import array_to_read, bridge, is_lazy, refuse_lazy_out, refuse_masked_out, unlabelled, weak_numbers


def read(call, names, values, kwargs):
    """The operands as plain arrays, and None. If one is lazy: the operands without labels, and the dtype of the computation."""
    values = [unlabelled(call.name, name, value) for name, value in zip(names, values, strict=True)]
    if any(map(is_lazy, values)):
        from . import lazy

        return lazy.read(call, names, values, kwargs)
    refuse_lazy_out(call.name, kwargs.get("out"))
    numbers = [type(value) in (int, float) for value in values]  # they stay Python numbers, which do not change the dtype
    arrays = zip(numbers, names, values, strict=True)
    return [value if number else array_to_read(call.name, name, value) for number, name, value in arrays], None


class TwoGradientsCall(Call):
    """A call of a backward pass that gives the gradients of two operands."""

    def evaluate(self, evaluator, operands, parameters, kwargs):
        """Call the evaluator, or the module for lazy or labelled operands."""
        more_than_arrays = bridge(*operands)
        if hasattr(more_than_arrays, "two_gradients"):
            return more_than_arrays.two_gradients(self, evaluator, operands, parameters, kwargs)
        return self.natively(evaluator, operands, parameters, kwargs)

    natively = Call.evaluate


class SummingCall(Call):
    """A call of a backward pass whose second result is the gradient of a parameter, summed to the parameter's shape."""

    def __init__(self, *args, sum=None, **facts):
        super().__init__(*args, **facts)
        self.sum = sum  # the compiled sum along one axis, or None

    def evaluate(self, evaluator, operands, parameters, kwargs):
        """Evaluate, and sum over the axes along which the parameter was broadcast: in float64, rounded once."""
        (parameter,) = self.parameters
        inputs = [*operands, *weak_numbers(operands, parameters)]
        inputs, lazy_loop = read(self, (*self.operands, parameter), inputs, kwargs)
        if lazy_loop is not None:
            return self.lazily(evaluator, inputs, lazy_loop, kwargs)
        loop = loop_dtype(self.name, inputs, kwargs.get("dtype"))
        shape, own_shape = broadcast(self.name, inputs), np.shape(inputs[-1])
        first, second = self.outputs(kwargs.pop("out", None))
        casting = kwargs.get("casting", "same_kind")
        for name, out, right in (("x", first, shape), (parameter, second, own_shape)):
            out = checked_out(self.name, out, loop, casting)
            if out is not None and out.shape != right:
                raise ValueError(f"{self.name}() needs out= of shape {right} for the gradient of {name}, got {out.shape}")
        # elements that `where` leaves out count 0
        every = np.zeros(shape, computing(loop)) if kwargs.get("where", True) is not True else None
        result, every = self.both(evaluator, inputs, (first, every), loop, kwargs)
        axes = broadcast_axes(own_shape, shape)
        with np.errstate(all="ignore"):
            total = rounded(sum_over(self.sum, every, axes).reshape(own_shape) if axes else every, loop)
            if second is None:
                return result, total[()]
            second[...] = total
        return result, second

    def both(self, evaluator, inputs, out, loop, kwargs):
        """Both results; the second in float32 if the first is of half precision, so that no term of the sum is rounded to it."""
        if not is_half(loop):
            return evaluator(*inputs, out=out, **kwargs)
        with np.errstate(all="ignore"):
            result, every = evaluator(*inputs, out=out, **{**kwargs, "dtype": computing(loop)})
            if out[0] is None:
                return rounded(result, loop), every
            if out[0].dtype != loop:  # a wider one, which gets the rounded results
                np.copyto(out[0], rounded(result, loop), where=kwargs.get("where", True))
            return result, every

    def lazily(self, evaluator, inputs, loop, kwargs):
        """Both gradients as lazy arrays."""
        from .lazy import two_results

        if is_half(loop):
            kwargs = {**kwargs, "dtype": computing(loop)}
        result, every = two_results(evaluator, inputs, computing(loop), kwargs)
        own_shape = np.shape(inputs[-1])
        total = every.sum(axis=broadcast_axes(own_shape, every.shape), dtype=np.float64)
        return result.astype(loop), total.reshape(own_shape).astype(computing(loop)).astype(loop)

    def outputs(self, out):
        """The two arrays that `out` means."""
        if out is None:
            return None, None
        refuse_masked_out(self.name, out)
        if not isinstance(out, tuple):
            raise TypeError(f"{self.name}() has two results: 'out' must be a tuple of arrays, not {type(out).__name__}")
        if len(out) != 2:
            raise ValueError(f"{self.name}() has two results: the 'out' tuple must have exactly two entries, not {len(out)}")
        return tuple(None if one is ... else one for one in out)


def sum_over(compiled, every, axes):
    """The sums over these axes in float64. Neighbouring axes are merged, since the compiled sum takes one axis."""
    if compiled is None or type(every) is not np.ndarray:
        return every.sum(axis=axes, dtype=np.float64)
    if len(axes) == every.ndim:
        return compiled(every.ravel(order="K"))
    runs = [list(run) for _, run in itertools.groupby(range(every.ndim), axes.__contains__)]
    total = every.reshape([math.prod(every.shape[i] for i in run) for run in runs])
    for axis, run in reversed(list(enumerate(runs))):
        if run[0] in axes:
            total = compiled(total, axis=axis)
    return total


def broadcast_axes(own_shape, shape):
    """The axes along which an array of this shape was broadcast."""
    offset = len(shape) - len(own_shape)
    return tuple(i for i in range(len(shape)) if i < offset or own_shape[i - offset] != shape[i])


class HalvesCall(Call):
    """A call of a gated function whose two operands are the halves of one array."""

    splits = True

    def check(self, name, value):
        """The axis is one integer."""
        check_axis(self.name, value)

    def evaluate(self, evaluator, operands, parameters, kwargs):
        """Split the last operand, and evaluate: backward both results go to the halves of one array."""
        lazy_loop = None
        if bridge(*operands, kwargs.get("out")):
            operands, lazy_loop = read(self, self.operands, operands, kwargs)
        *grad, x = operands
        x = x if answers_for_itself(x) else np.asanyarray(x)
        if np.ndim(x) == 0:
            raise ValueError(f"{self.name}() needs x of at least one dimension, which it splits; got a scalar")
        # from the end: then it is the same axis in a gradient or an output of more dimensions
        axis = normalize_axis_index(operator.index(parameters[0]), x.ndim) - x.ndim
        first, second = (x[half] for half in self.halves("x", x, axis))
        if not grad:
            return evaluator(first, second, **kwargs)
        if lazy_loop is not None:
            from .lazy import concatenated, two_results

            return concatenated(two_results(evaluator, (*grad, first, second), lazy_loop, kwargs), axis)
        out = kwargs.pop("out", None)
        refuse_masked_out(self.name, out)
        if isinstance(out, tuple):
            if len(out) != 1:
                raise ValueError(f"{self.name}(): the 'out' tuple must have exactly one entry, not {len(out)}")
            (out,) = out
        if out is not None and out is not ...:
            if not isinstance(out, np.ndarray):
                kind = type(out).__name__
                raise TypeError(f"{self.name}: return arrays must be of ArrayType: out must be an array, not {kind}")
            if out.ndim < -axis or out.shape[axis] != x.shape[axis]:
                raise ValueError(f"{self.name}: non-broadcastable output operand with shape {out.shape}, for x of {x.shape}")
            by_rows(evaluator, (*grad, first, second), tuple(out[half] for half in self.halves("out", out, axis)), kwargs)
            return out
        if type(x) is np.ndarray and type(np.asanyarray(grad[0])) is np.ndarray:
            shape, dtype = broadcast(self.name, [*grad, first]), loop_dtype(self.name, [*grad, first], kwargs.get("dtype"))
            whole = np.empty(doubled(shape, axis), dtype)
            by_rows(evaluator, (*grad, first, second), tuple(whole[half] for half in self.halves("out", whole, axis)), kwargs)
            return whole
        results = evaluator(*grad, first, second, **kwargs)
        whole = np.empty_like(results[0], shape=doubled(results[0].shape, axis))  # a subclass, as the evaluator made it
        for half, result in zip(self.halves("out", whole, axis), results, strict=True):
            whole[half] = result
        return whole

    def halves(self, name, array, axis):
        """The indices of the two halves of an array."""
        length = array.shape[axis]
        if length % 2:
            reason = f"along the axis that it splits: axis {axis} has {length}"
            raise ValueError(f"{self.name}() needs {name} of even length {reason}")
        after = (slice(None),) * (-axis - 1)
        return (..., slice(length // 2), *after), (..., slice(length // 2, None), *after)


def by_rows(evaluator, operands, out, kwargs):
    """Call the evaluator, which writes to the halves `out`.

    NumPy copies their rows through buffers of 8,192 elements, which is slow unless a row fills a buffer. So large arrays get
    buffers of about the length of a row.
    """
    length = out[0].shape[-1] if out[0].ndim > 1 and out[0].size >= 1 << 17 else 0
    if not 512 <= length < 8192:
        return evaluator(*operands, out=out, **kwargs)
    before = np.setbufsize(length // 16 * 16)
    try:
        return evaluator(*operands, out=out, **kwargs)
    finally:
        np.setbufsize(before)


def doubled(shape, axis):
    """The shape with an axis of twice the length."""
    return (*shape[:axis], 2 * shape[axis], *shape[len(shape) + axis + 1 :])
