"""The softmax family in NumPy, along any axis: mirrors src_c/rows.c.

Like the elementwise fallback it works on blocks that stay in the cache. The exponentials are taken in float64 (words.py
says why), which also keeps the digits of x - max.
"""

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .fallback import BLOCK, loop_dtype


def _softmax(axis, out, x):
    e = np.subtract(x, x.max(axis=axis, keepdims=True), dtype=np.float64)
    np.exp(e, out=e)
    np.divide(e, e.sum(axis=axis, keepdims=True), out=out, casting="same_kind")


def _softmax_backward_from_output(axis, out, grad, y):
    dot = np.multiply(grad, y, dtype=np.float64).sum(axis=axis, keepdims=True)
    np.multiply(y, np.subtract(grad, dot, dtype=np.float64), out=out, casting="same_kind")


def _softmax_backward(axis, out, grad, x):
    y = np.empty(x.shape)
    _softmax(axis, y, x)
    _softmax_backward_from_output(axis, out, grad, y)


def _by_blocks(kernel, axis, out, *inputs):
    """Split along the other axes until a block fits the cache, the axis with the largest stride first."""
    others = [i for i in range(out.ndim) if i != axis and out.shape[i] > 1]
    if out.size <= BLOCK or not others:
        kernel(axis, out, *inputs)
        return
    split = max(others, key=lambda i: abs(out.strides[i]))
    step = max(1, BLOCK * out.shape[split] // out.size)
    for start in range(0, out.shape[split], step):
        part = (slice(None),) * split + (slice(start, start + step),)
        _by_blocks(kernel, axis, out[part], *(array[part] for array in inputs))


def _along_axis(name, kernel, n_inputs):
    """Make a function with the calling convention of a gufunc (n)[,(n)]->(n) from a kernel on blocks."""

    def function(*inputs, out=None, axis=-1, casting="same_kind", dtype=None):
        if isinstance(out, tuple):
            (out,) = out
        loop = loop_dtype(name, inputs, dtype)
        arrays = [np.asanyarray(value) for value in inputs]
        if any(array.ndim == 0 for array in arrays):
            raise ValueError(f"{name}: Input operand does not have enough dimensions (at least 1 is needed, along which to normalize)")
        axes = [normalize_axis_index(axis, array.ndim) for array in arrays]
        if len({array.shape[i] for array, i in zip(arrays, axes, strict=True)}) > 1:
            raise ValueError(f"{name}: operands have a mismatch in their core dimension, axis {axis}: shapes {[a.shape for a in arrays]}")
        views = np.broadcast_arrays(*(np.moveaxis(array, i, -1) for array, i in zip(arrays, axes, strict=True)), subok=True)
        if out is None:
            like = np.empty_like(np.moveaxis(views[0], -1, axis), dtype=loop)
            result, target = like, np.moveaxis(like, axis, -1)
        else:
            if not isinstance(out, np.ndarray):
                raise TypeError(f"return arrays must be of ArrayType: out must be an array, not {type(out).__name__}")
            if not np.can_cast(loop, out.dtype, casting):
                raise TypeError(f"Cannot cast {name} output from {loop!r} to {out.dtype!r} with casting rule {casting!r}: out must be a floating array")
            if not out.flags.writeable:
                raise ValueError("output array is read-only")
            result, target = out, np.moveaxis(out, normalize_axis_index(axis, max(out.ndim, 1)), -1) if out.ndim else out
            if target.shape != views[0].shape:
                raise ValueError(f"{name}: output operand of shape {out.shape} does not match the shape of the result, {np.moveaxis(views[0], -1, axis).shape}")
            views = [view.copy() if _overlaps(view, target) else view for view in views]
        with np.errstate(all="ignore"):
            if target.size:
                _by_blocks(kernel, target.ndim - 1, target, *views)
        return result

    function.__name__ = function.__qualname__ = name
    return function


def _overlaps(view, target):
    """Whether writing `target` would change what is still to be read of `view`: not so where they are the very same elements."""
    same = view.__array_interface__["data"] == target.__array_interface__["data"] and view.strides == target.strides and view.dtype == target.dtype
    return not same and np.may_share_memory(view, target)


softmax = _along_axis("softmax", _softmax, 1)
softmax_backward = _along_axis("softmax_backward", _softmax_backward, 2)
softmax_backward_from_output = _along_axis("softmax_backward_from_output", _softmax_backward_from_output, 2)
