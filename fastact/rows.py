"""The machinery of functions along an axis in NumPy: a kernel on blocks of rows gets the calling convention of a gufunc.

Like the elementwise fallback it works on blocks that stay in the cache. row_evaluators.py has the table of such functions.
"""

import math
import re

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .fallback import BLOCK, as_loop, checked_outs, like_a_ufunc, loop_dtype, wrapped

# The letters of a typed signature, "f(n),d(),q(),?(n)->f(n)": f is the dtype of the computation, the others are what they are.
FIXED = {"d": np.dtype(np.float64), "q": np.dtype(np.int64), "?": np.dtype(bool)}


def row_sum(terms, dtype):
    """The sum of float64 terms along the last axis, which is kept; the same for every layout.

    For a float32 computation np.sum will do. In float64 it adds one by one off the last axis in memory, 30 ULP in 1024: there
    halves are added, and what their sums round off.
    """
    if dtype == np.float32:
        return terms.sum(axis=-1, keepdims=True)
    terms = np.moveaxis(terms, -1, 0)
    lost = np.zeros(terms.shape[1:])
    while (n := len(terms)) > 1:
        a, b = terms[: n // 2], terms[n - n // 2 :]
        folded = a + b
        lost += sum_low(a, b, folded).sum(axis=0)
        terms = np.concatenate([folded, terms[n // 2 : n - n // 2]])
    total = terms.sum(axis=0)
    return (total + np.where(np.isfinite(lost), lost, 0))[..., None]


def sum_low(a, b, high):
    """What the sum `high` of a and b lacks."""
    of_b = high - a
    return (a - (high - of_b)) + (b - of_b)


def parse(signature):
    """The letters of inputs and of outputs, each with whether it has the core dimension n; and the signature that NumPy knows."""
    sides = [re.findall(r"([fdq?])\((n?)\)", side) for side in signature.split("->")]
    inputs, outputs = ([(letter, bool(core)) for letter, core in side] for side in sides)
    return inputs, outputs, re.sub(r"[fdq?](?=\()", "", signature)


def along_axis(name, signature, kernel):
    """Make a function with the calling convention of a gufunc from a kernel.

    The kernel gets each input with the rows along its last axis, of length 1 where the input has one entry a row, and
    returns the results in the same form, in float64 or in the dtype of the computation.
    """
    inputs, outputs, plain = parse(signature)
    floats = [i for i, (letter, _) in enumerate(inputs) if letter == "f"]

    @like_a_ufunc(name, len(inputs), len(outputs), plain)
    def function(*operands, out=None, axis=-1, casting="same_kind", dtype=None, subok=True):
        loop = loop_dtype(name, [operands[i] for i in floats], dtype)
        outs = checked_outs(name, out, len(outputs), loop, casting)
        views = []
        for value, (letter, core) in zip(operands, inputs, strict=True):
            kind = FIXED.get(letter, loop)
            (array,) = as_loop(name, [value], kind, casting if letter == "f" else "same_kind")
            views.append(_rows(array.astype(kind, copy=False), axis, core))
        lengths = {view.shape[-1] for view, (_, core) in zip(views, inputs, strict=True) if core}
        if len(lengths) > 1:
            shapes = [np.shape(value) for value in operands]
            raise ValueError(f"{name}: operands have a mismatch in their core dimension, axis {axis}: shapes {shapes}")
        (n,) = lengths
        batch = np.broadcast_shapes(*(view.shape[:-1] for view in views))
        for given, (_, core) in zip(outs, outputs, strict=True):
            if given is None:
                continue
            shape = _rows(given, axis, core).shape
            try:
                larger = np.broadcast_shapes(batch, shape[:-1])  # more rows in out than in the operands repeat the result
            except ValueError:
                larger = None
            if larger != shape[:-1] or shape[-1] != (n if core else 1):
                right = np.moveaxis(np.empty((*batch, n)), -1, axis).shape if core else batch
                raise ValueError(f"{name}: output operand of shape {given.shape} does not match the shape of the result, {right}")
            batch = larger
        views = [np.broadcast_to(view, (*batch, view.shape[-1])) for view in views]
        guide = next(view for view, (_, core) in zip(views, inputs, strict=True) if core)
        results = []
        for given, (_, core) in zip(outs, outputs, strict=True):
            like = np.moveaxis(guide, -1, axis) if core else np.broadcast_to(np.empty((), loop), batch)
            results.append(np.empty_like(like, loop, subok=False) if given is None else given)
        targets = [_rows(result, axis, core) for result, (_, core) in zip(results, outputs, strict=True)]
        views = [view.copy() if any(overlaps(view, target) for target in targets) else view for view in views]
        guide = next((target for target, (_, core) in zip(targets, outputs, strict=True) if core), guide)
        with np.errstate(all="ignore"):
            if any(target.size for target in targets):
                _by_blocks(kernel, loop, guide, targets, views)
        finished = [
            wrapped(result, function, operands, subok) if given is None else given
            for given, result in zip(outs, results, strict=True)
        ]
        return finished[0] if len(finished) == 1 else tuple(finished)

    return function


def _rows(array, axis, core):
    """A view with the axis last; a new one of length 1 for an array that has one entry a row."""
    return np.moveaxis(array, normalize_axis_index(axis, array.ndim), -1) if core else array[..., None]


def _by_blocks(kernel, loop, guide, targets, views):
    """Split along the other axes until a block fits the cache, the axis with the largest stride first; never into slivers."""
    split = max(range(guide.ndim - 1), key=lambda i: abs(guide.strides[i]) if guide.shape[i] > 1 else 0, default=None)
    step = 0
    if split is not None:
        # On 4 Mi elements, ns an element: strips of 2 columns (as many as fit the cache) 26, of 64 columns 5.3, of 256 3.6.
        fewest = 256 if abs(guide.strides[split]) == guide.itemsize else 1
        step = max(fewest, BLOCK * guide.shape[split] // max(guide.size, 1))
    if split is None or step >= guide.shape[split]:
        results = kernel(*views)
        for target, result in zip(targets, results if isinstance(results, tuple) else (results,), strict=True):
            # rounded to the dtype of the computation first
            target[...] = result if target.dtype == loop else result.astype(loop)
        return
    for start in range(0, guide.shape[split], step):
        part = (slice(None),) * split + (slice(start, start + step),)
        _by_blocks(kernel, loop, guide[part], [target[part] for target in targets], [view[part] for view in views])


def overlaps(view, target):
    """Whether writing `target` would change what is still to be read of `view`: not so where they are the very same elements."""
    same = (
        view.__array_interface__["data"][0] == target.__array_interface__["data"][0]  # [1] is whether it is read-only
        and view.strides == target.strides
        and view.shape == target.shape
        and view.dtype == target.dtype
    )
    return not same and np.may_share_memory(view, target)


def blocks(shape, most):
    """Indices of parts of an array that have `most` entries or fewer, in C order."""
    size = math.prod(shape)
    if size <= most:
        yield (...,)
    elif step := most // (size // shape[0]):
        yield from ((slice(start, start + step), ...) for start in range(0, shape[0], step))
    else:
        yield from ((i, *rest) for i in range(shape[0]) for rest in blocks(shape[1:], most))
