"""The softmax family in NumPy, along any axis: mirrors src_c/rows.c.

Like the elementwise fallback it works on blocks that stay in the cache. The exponentials are taken in float64 (words.py
says why), which also keeps the digits of x - max.
"""

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .fallback import BLOCK, as_loop, checked_out, like_a_ufunc, loop_dtype, wrapped


def _sum(terms, axis, dtype):
    """The sum of float64 terms with keepdims, the same for every layout.

    For float32 np.sum will do. In float64 it adds one by one off the last axis, 30 ULP in 1024: there halves are added.
    """
    if dtype == np.float32:
        return terms.sum(axis=axis, keepdims=True)
    terms = np.moveaxis(terms, axis, 0)
    while (n := len(terms)) > 1:
        folded = terms[: n // 2] + terms[n - n // 2 :]
        terms = np.concatenate([folded, terms[n // 2 : n - n // 2]])
    return np.moveaxis(terms, 0, axis)


def _softmax(axis, out, x):
    top = x.max(axis=axis, keepdims=True)
    e = np.subtract(x, top, dtype=np.float64)
    if x.dtype == np.float64:  # the rounding of x - max, which exp would amplify by its size: 250 ULP without
        back = e - x
        lost = (x - (e - back)) - (top + back)
        np.exp(e, out=e)
        lost *= e
        lost[~np.isfinite(lost)] = 0
        e += lost
    else:
        np.exp(e, out=e)
    np.divide(e, _sum(e, axis, x.dtype), out=out, casting="same_kind")


def _softmax_backward_from_output(axis, out, grad, y):
    dot = _sum(np.multiply(grad, y, dtype=np.float64), axis, grad.dtype)
    np.multiply(y, np.subtract(grad, dot, dtype=np.float64), out=out, casting="same_kind")


def _softmax_backward(axis, out, grad, x):
    y = np.empty(x.shape)
    _softmax(axis, y, x)
    _softmax_backward_from_output(axis, out, grad, y)


def _by_blocks(kernel, axis, out, *inputs):
    """Split along the other axes until a block fits the cache, the axis with the largest stride first; never into slivers."""
    others = [i for i in range(out.ndim) if i != axis]
    split = max(others, key=lambda i: abs(out.strides[i]) if out.shape[i] > 1 else 0, default=None)
    step = 0
    if split is not None:
        # On 4 Mi elements, ns an element: strips of 2 columns (as many as fit the cache) 26, of 64 columns 5.3, of 256 3.6.
        step = max(256 if abs(out.strides[split]) == out.itemsize else 1, BLOCK * out.shape[split] // out.size)
    if split is None or step >= out.shape[split]:
        loop = inputs[0].dtype
        block = out if out.dtype == loop else np.empty(out.shape, loop)  # rounded to the dtype of the computation first
        kernel(axis, block, *inputs)
        if block is not out:
            out[...] = block
        return
    for start in range(0, out.shape[split], step):
        part = (slice(None),) * split + (slice(start, start + step),)
        _by_blocks(kernel, axis, out[part], *(array[part] for array in inputs))


def _along_axis(name, kernel, n_inputs):
    """Make a function with the calling convention of a gufunc (n)[,(n)]->(n) from a kernel on blocks."""

    @like_a_ufunc(name, n_inputs, signature="(n)->(n)" if n_inputs == 1 else "(n),(n)->(n)")
    def function(*inputs, out=None, axis=-1, casting="same_kind", dtype=None, subok=True):
        loop = loop_dtype(name, inputs, dtype)
        out = checked_out(name, out, loop, casting)
        arrays = [array.astype(loop, copy=False) for array in as_loop(name, inputs, loop, casting)]
        axes = [normalize_axis_index(axis, array.ndim) for array in arrays]
        if len({array.shape[i] for array, i in zip(arrays, axes, strict=True)}) > 1:
            raise ValueError(
                f"{name}: operands have a mismatch in their core dimension, axis {axis}: shapes {[a.shape for a in arrays]}"
            )
        views = [np.moveaxis(array, i, -1) for array, i in zip(arrays, axes, strict=True)]
        shape = np.broadcast_shapes(*(view.shape for view in views))
        like = np.moveaxis(np.broadcast_to(views[0], shape), -1, axis)
        result = np.empty_like(like, subok=False) if out is None else out
        target = np.moveaxis(result, normalize_axis_index(axis, result.ndim), -1)
        try:
            views = [np.broadcast_to(view, target.shape) for view in views]
        except ValueError:
            raise ValueError(
                f"{name}: output operand of shape {out.shape} does not match the shape of the result, {like.shape}"
            ) from None
        views = [view.copy() if _overlaps(view, target) else view for view in views]
        with np.errstate(all="ignore"):
            if target.size:
                _by_blocks(kernel, target.ndim - 1, target, *views)
        return wrapped(result, function, inputs, subok) if out is None else out

    return function


def _overlaps(view, target):
    """Whether writing `target` would change what is still to be read of `view`: not so where they are the very same elements."""
    same = (
        view.__array_interface__["data"] == target.__array_interface__["data"]
        and view.strides == target.strides
        and view.dtype == target.dtype
    )
    return not same and np.may_share_memory(view, target)


softmax = _along_axis("softmax", _softmax, 1)
softmax_backward = _along_axis("softmax_backward", _softmax_backward, 2)
softmax_backward_from_output = _along_axis("softmax_backward_from_output", _softmax_backward_from_output, 2)
