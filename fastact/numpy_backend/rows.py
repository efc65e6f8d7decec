"""Make a function along an axis of a kernel on blocks of rows. It is called as a gufunc is.

A block stays in the cache. A row that is longer than a block is computed by parts. evaluators.py has the table of kernels.
"""

import functools
import math
import re
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..calls.arguments import checked_outs, computing, loop_dtype, overlaps
from .elementwise import BLOCK, Casts, as_loop, like_a_ufunc, loop_types, wrapped

# The letters of a typed signature such as "f(n),d(),q(),?(n)->f(n)", but for f, which is the dtype of the computation.
FIXED = {"d": np.dtype(np.float64), "q": np.dtype(np.int64), "?": np.dtype(bool)}

# The fewest rows of a block whose rows lie across memory: fewer neighbours in memory take several times as long.
STRIP = 128

# Entries of a part, of which a formula keeps a dozen at a time, in float64.
PART = 16384

# The float64 sum of a row across memory adds sums over so many entries. So it does not depend on where the row is cut.
UNIT = PART // STRIP


class Rows:
    """The rows of a block, along the last axis: a function that gives the entries of one part of the axis.

    It remembers the entries that it gave last: so a row of one part is computed once, however often it is called.

    Attributes
    ----------
    entries : callable
        From a part to the entries there.
    parts : list of slice
        Together they are the axis: one, unless the block would be too large for the cache; none where the axis is empty.
    each : tuple of int
        The shape of an array with one entry a row, (..., 1).
    unit : int or None
        How many entries are summed by themselves, before these sums are added. None: all entries of a part.
    dtype : numpy.dtype
        That of the computation.
    """

    def __init__(self, entries, parts, each, unit, dtype):
        self.entries, self.parts, self.each, self.unit, self.dtype = entries, parts, each, unit, dtype
        self.part = self.given = None

    def __call__(self, part):
        """The entries of a part. They must not be changed."""
        if part is not self.part:
            self.part, self.given = part, self.entries(part)
        return self.given

    def with_entries(self, entries):
        """Rows of the same shape; the function `entries` gives those of a part."""
        return Rows(entries, self.parts, self.each, self.unit, self.dtype)

    @property
    def n(self):
        """The length of a row."""
        return self.parts[-1].stop if self.parts else 0

    def largest(self):
        """The largest entry of each row, in float64; -inf where the axis is empty, NaN where there is one."""
        # `initial` makes NumPy faster on short rows.
        tops = [self(part).max(axis=-1, keepdims=True, initial=-np.inf) for part in self.parts] or [np.full(self.each, -np.inf)]
        return functools.reduce(np.maximum, tops).astype(np.float64)

    def position(self, top):
        """The index of the first entry that equals `top`, the largest one of its row; any index where `top` is NaN."""
        first: Any = 0
        for part in reversed(self.parts):
            entries = self(part)
            at = part.start + entries.argmax(axis=-1, keepdims=True)
            # A part without such an entry does not count.
            first = at if len(self.parts) == 1 else np.where(entries.max(axis=-1, keepdims=True) == top, at, first)
        return first

    def sum(self):
        """The sum of each row in float64. It does not depend on the other rows, or on how rows are cut into parts.

        A float32 computation uses np.sum. For rows across memory that adds one entry after the other, and can go on with the
        next part. In a float64 computation its error would reach 30 ULP on 1024 entries: there one half of the entries is added
        to the other, again and again, and the rounding errors are summed beside them.
        """
        total = lost = None
        for part in self.parts:
            terms = self(part)
            if self.dtype == np.float32:
                terms = terms if total is None else np.concatenate([total, terms], axis=-1)
                total = terms.sum(axis=-1, keepdims=True)
                continue
            if len(self.parts) == 1 and (self.unit is None or self.n <= self.unit):
                total, lost = add_halves(terms)
                continue
            sums, low = (units[..., 0] for units in add_halves(in_units(terms, self.unit)))
            if total is None:
                total, lost = np.zeros(self.each), np.zeros(self.each)
            running = np.cumsum(np.concatenate([total, sums], axis=-1), axis=-1)
            low = low + sum_low(running[..., :-1], sums, running[..., 1:])
            total, lost = running[..., -1:], np.cumsum(np.concatenate([lost, low], axis=-1), axis=-1)[..., -1:]
        if total is None:
            return np.zeros(self.each)
        return total if lost is None else total + np.where(np.isfinite(lost), lost, 0)


def in_units(terms, unit):
    """The terms with an axis for units and one inside a unit; the last unit is filled up with zeros."""
    *others, n = terms.shape
    if unit is None:
        return terms[..., None, :]
    if n % unit:
        terms = np.concatenate([terms, np.zeros_like(terms, shape=(*others, -n % unit))], axis=-1)
    return terms.reshape(*others, -1, unit)


def add_halves(terms):
    """The sum of float64 terms along the last axis, which is kept with length 1, and the error of the sum."""
    lost = None
    while (n := terms.shape[-1]) > 1:
        a, b = terms[..., : n // 2], terms[..., n - n // 2 :]
        folded = a + b
        low = sum_low(a, b, folded).sum(axis=-1, keepdims=True)
        lost = low if lost is None else lost + low
        terms = np.concatenate([folded, terms[..., n // 2 : n - n // 2]], axis=-1) if n % 2 else folded
    return terms, np.zeros(terms.shape) if lost is None else lost


def sum_low(a, b, high):
    """The rounding error a + b - high of a sum `high`."""
    of_b = high - a
    return (a - (high - of_b)) + (b - of_b)


def parse(signature):
    """The inputs and the outputs, each as (letter, whether it has the axis n); and the signature without letters, as NumPy's."""
    sides = [re.findall(r"([fdq?])\((n?)\)", side) for side in signature.split("->")]
    inputs, outputs = ([(letter, bool(core)) for letter, core in side] for side in sides)
    return inputs, outputs, re.sub(r"[fdq?](?=\()", "", signature)


def along_axis(name, signature, kernel):
    """A function that is called as a gufunc is, made of a kernel.

    The kernel gets `Rows` for each input that has the axis, and an array of one entry a row, (..., 1), for another. It returns
    its results in the same form, in float64 or in the dtype of the computation. With out=x a part of the result is written before
    the next part is computed. So a kernel must read all that it needs of other parts before it returns.
    """
    inputs, outputs, plain = parse(signature)
    floats = [i for i, (letter, _) in enumerate(inputs) if letter == "f"]
    types = loop_types(*("".join(FIXED[one].char if one in FIXED else one for one, _ in side) for side in (inputs, outputs)))

    @like_a_ufunc(name, len(inputs), len(outputs), types, plain)
    def function(*operands, out=None, axis=-1, casting="same_kind", order="K", dtype=None, subok=True):
        if order not in ("K", "A", "C", "F", None):
            raise ValueError(f"{name}: order must be one of 'C', 'F', 'A' and 'K', not {order!r}")
        loop = loop_dtype(name, [operands[i] for i in floats], dtype)
        outs = checked_outs(name, out, len(outputs), loop, casting)
        views, n = views_of(name, operands, inputs, axis, loop, casting)
        batch = whole_batch(name, outs, outputs, axis, common_shape({view.shape[:-1] for view in views}), n)
        shapes = [(*batch, view.shape[-1]) for view in views]
        views = [v if v.shape == shape else np.broadcast_to(v, shape) for v, shape in zip(views, shapes, strict=True)]
        guide = next(view for view, (_, core) in zip(views, inputs, strict=True) if core)
        results = [
            new_result(guide, axis, core, loop, order) if given is None else given
            for given, (_, core) in zip(outs, outputs, strict=True)
        ]
        targets = [_rows(result, axis, core) for result, (_, core) in zip(results, outputs, strict=True)]
        views = [view.copy() if any(overlaps(view, target) for target in targets) else view for view in views]
        guide = next((target for target, (_, core) in zip(targets, outputs, strict=True) if core), guide)
        casts = Casts(loop, casting)
        unit = UNIT if lies_across(guide) else None
        for block in by_blocks(guide, targets + views) if any(target.size for target in targets) else ():
            compute(kernel, block[: len(targets)], block[len(targets) :], [core for _, core in inputs], n, unit, casts)
        casts.report()
        finished = [wrapped(results[i], function, operands, outs[i], subok, i) for i in range(len(outputs))]
        return finished[0] if len(finished) == 1 else tuple(finished)

    return function


def views_of(name, operands, inputs, axis, loop, casting):
    """The operands in the dtypes of the signature, with the axis last; and the length of the axis, which all share."""
    views = []
    for value, (letter, core) in zip(operands, inputs, strict=True):
        kind = FIXED.get(letter, loop)
        (array,) = as_loop(name, [value], kind, casting if letter == "f" else "same_kind")
        views.append(_rows(array.astype(kind, copy=False).astype(computing(kind), copy=False), axis, core))
    lengths = {view.shape[-1] for view, (_, core) in zip(views, inputs, strict=True) if core}
    if len(lengths) > 1:
        shapes = [np.shape(value) for value in operands]
        raise ValueError(f"{name}: operands have a mismatch in their core dimension, axis {axis}: shapes {shapes}")
    return views, lengths.pop()


def whole_batch(name, outs, outputs, axis, batch, n):
    """The shape of the result without the axis: that of the operands, or a larger one of `out`, to which it broadcasts."""
    for given, (_, core) in zip(outs, outputs, strict=True):
        if given is None:
            continue
        try:
            shape = _rows(given, axis, core).shape
            larger = common_shape({batch, shape[:-1]})
        except ValueError:
            shape, larger = (0,), None
        if larger != shape[:-1] or shape[-1] != (n if core else 1):
            right = np.moveaxis(np.empty((*batch, n)), -1, axis).shape if core else batch
            raise ValueError(f"{name}: output operand of shape {given.shape} does not match the shape of the result, {right}")
        batch = larger
    return batch


def new_result(guide, axis, core, loop, order):
    """A new array, with the memory layout of the operand whose rows are `guide`; one number a row where it has no axis."""
    moved = np.moveaxis(guide, -1, axis)
    like = moved if core and all(guide.strides) else np.empty(0)
    return np.empty_like(like, loop, order or "K", subok=False, shape=moved.shape if core else guide.shape[:-1])


def _rows(array, axis, core):
    """A view with the axis last; a new one of length 1 for an array that has one entry a row."""
    if not core:
        return array[..., None]
    axis = normalize_axis_index(axis, array.ndim)
    return array.transpose(*(i for i in range(array.ndim) if i != axis), axis)


def common_shape(shapes):
    """The shape that a set of shapes broadcasts to."""
    return np.broadcast_shapes(*shapes) if len(shapes) > 1 else next(iter(shapes))


def lies_across(guide):
    """Whether there is an axis along which neighbours are nearer than along the last one."""
    *others, along = guide.strides
    return any(abs(stride) < abs(along) and length > 1 for stride, length in zip(others, guide.shape, strict=False))


def by_blocks(guide, arrays):
    """Split along all axes but the last until a block fits the cache, first along the axis of the largest stride."""
    split = max(range(guide.ndim - 1), key=lambda i: (guide.shape[i] > 1, abs(guide.strides[i])), default=None)
    length = guide.shape[split] if split is not None else 1
    fewest = STRIP if length > 1 and abs(guide.strides[split]) == guide.itemsize else 1
    step = max(fewest, BLOCK * length // max(guide.size, 1))
    # A last row alone would be summed as one along memory, though the others lie across it. So it joins the block before.
    last = length - (step > 1)
    if split is None or step >= last:
        yield arrays
        return
    for start in range(0, last, step):
        part = (slice(None),) * split + (slice(start, start + step if start + step < last else length),)
        yield from by_blocks(guide[part], [array[part] for array in arrays])


def compute(kernel, targets, views, cores, n, unit, casts):
    """Write the results of one block of rows of n entries."""
    each = (*views[0].shape[:-1], 1)
    parts = cut(n, math.prod(each))
    given = [
        Rows(part_of(view), parts, each, unit, computing(casts.loop)) if core else view
        for view, core in zip(views, cores, strict=True)
    ]
    with np.errstate(all="ignore"):
        results = kernel(*given)
        for target, result in zip(targets, results if isinstance(results, tuple) else (results,), strict=True):
            if not isinstance(result, Rows):
                casts.store(target, result)
                continue
            for part in result.parts:
                casts.store(target[..., part], result(part))


def cut(n, rows):
    """The parts of an axis of n entries in a block of so many rows: one, unless the block has more than 2 * BLOCK entries."""
    width = n if n * rows <= 2 * BLOCK else max(UNIT, PART // rows // UNIT * UNIT)
    return [slice(start, min(start + width, n)) for start in range(0, n, max(width, 1))]


def part_of(view):
    """The function that gives the entries of a part."""
    return lambda part: view[..., part]
