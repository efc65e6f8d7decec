"""The machinery of functions along an axis in NumPy: a kernel on blocks of rows gets the calling convention of a gufunc.

Like the elementwise fallback it works on blocks that stay in the cache, and on rows that are longer than a block by parts.
row_evaluators.py has the table of such functions.
"""

import math
import re

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .fallback import BLOCK, Casts, as_loop, checked_outs, like_a_ufunc, loop_dtype, loop_types, wrapped

# The letters of a typed signature, "f(n),d(),q(),?(n)->f(n)": f is the dtype of the computation, the others are what they are.
FIXED = {"d": np.dtype(np.float64), "q": np.dtype(np.int64), "?": np.dtype(bool)}

# A float64 sum is made of sums over so many entries, wherever the row is cut into parts.
UNIT = 128


class Rows:
    """The rows of a block, along the last axis: a function that gives the entries of one part of the axis.

    It remembers the part that it gave last: a block of one part is computed once, however often it is asked for.

    Attributes
    ----------
    entries : callable
        From a part to the entries there.
    parts : list of slice
        They make up the axis: one, unless the block would be too large for the cache; none where the axis is empty.
    each : tuple of int
        The shape of an array with one entry a row, (..., 1).
    dtype : numpy.dtype
        The one of the computation.
    """

    def __init__(self, entries, parts, each, dtype):
        self.entries, self.parts, self.each, self.dtype = entries, parts, each, dtype
        self.part = self.given = None

    def __call__(self, part):
        """The entries of a part, which nobody may change."""
        if part is not self.part:
            self.part, self.given = part, self.entries(part)
        return self.given

    def of(self, entries):
        """Other entries in as many rows."""
        return Rows(entries, self.parts, self.each, self.dtype)

    @property
    def n(self):
        """The length of a row."""
        return self.parts[-1].stop if self.parts else 0

    def largest(self):
        """The largest entry of each row, in float64; -inf where the axis is empty, NaN where there is one."""
        top = np.full(self.each, -np.inf)
        for part in self.parts:
            top = np.maximum(top, self(part).max(axis=-1, keepdims=True))
        return top

    def position(self, top):
        """Where the first entry is that equals `top`, which each row has; anywhere in a row whose top is NaN."""
        first = np.zeros(self.each, np.intp)
        for part in reversed(self.parts):
            entries = self(part)
            at = entries.argmax(axis=-1, keepdims=True)
            # of several parts only those that have it
            first = at if len(self.parts) == 1 else np.where(entries.max(axis=-1, keepdims=True) == top, part.start + at, first)
        return first

    def sum(self):
        """The sum of each row in float64, the same for every batch: it does not depend on how rows are cut into parts.

        For a float32 computation np.sum will do: off the last axis in memory it adds one by one, which can be continued. In
        float64 that would be 30 ULP in 1024: there halves are added, and what their sums round off.
        """
        total, lost = np.zeros(self.each), np.zeros(self.each)
        for part in self.parts:
            terms = self(part)
            if self.dtype == np.float32:
                terms = terms if part.start == 0 else np.concatenate([total, terms], axis=-1)
                total = terms.sum(axis=-1, keepdims=True)
            elif self.n <= UNIT:
                total, lost = add_halves(terms)
            else:
                sums, low = add_halves(in_units(terms))
                running = np.cumsum(np.concatenate([total, sums[..., 0]], axis=-1), axis=-1)
                low = low[..., 0] + sum_low(running[..., :-1], sums[..., 0], running[..., 1:])
                total, lost = running[..., -1:], np.cumsum(np.concatenate([lost, low], axis=-1), axis=-1)[..., -1:]
        return total + np.where(np.isfinite(lost), lost, 0) if self.dtype == np.float64 else total


def in_units(terms):
    """A row of units on an axis of its own, the last one filled up with zeros."""
    *others, n = terms.shape
    if n % UNIT:
        terms = np.concatenate([terms, np.zeros_like(terms, shape=(*others, -n % UNIT))], axis=-1)
    return terms.reshape(*others, -1, UNIT)


def add_halves(terms):
    """The sum of float64 terms along the last axis, which is kept, and what that lacks."""
    lost = np.zeros((*terms.shape[:-1], 1))
    while (n := terms.shape[-1]) > 1:
        a, b = terms[..., : n // 2], terms[..., n - n // 2 :]
        folded = a + b
        lost += sum_low(a, b, folded).sum(axis=-1, keepdims=True)
        terms = np.concatenate([folded, terms[..., n // 2 : n - n // 2]], axis=-1) if n % 2 else folded
    return terms, lost


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

    The kernel gets `Rows` for each input that has the axis, and for another an array of one entry a row, (..., 1). It returns
    its results in the same form, in float64 or in the dtype of the computation. The entries of a part are asked for, and
    written, before those of the next: a kernel must have read the whole row for what it needs of other parts.
    """
    inputs, outputs, plain = parse(signature)
    floats = [i for i, (letter, _) in enumerate(inputs) if letter == "f"]
    types = loop_types("".join(letter for letter, _ in inputs), "".join(letter for letter, _ in outputs))

    @like_a_ufunc(name, len(inputs), len(outputs), types, plain)
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
        casts = Casts(loop, casting)
        cores = [core for _, core in inputs]
        for block in by_blocks(guide, targets + views) if any(target.size for target in targets) else ():
            compute(kernel, block[: len(targets)], block[len(targets) :], cores, casts)
        casts.report()
        finished = [wrapped(results[i], function, operands, outs[i], subok, i) for i in range(len(outputs))]
        return finished[0] if len(finished) == 1 else tuple(finished)

    return function


def _rows(array, axis, core):
    """A view with the axis last; a new one of length 1 for an array that has one entry a row."""
    return np.moveaxis(array, normalize_axis_index(axis, array.ndim), -1) if core else array[..., None]


def by_blocks(guide, arrays):
    """Split along all axes but the last until a block fits the cache, the one with the largest stride first; no slivers."""
    split = max(range(guide.ndim - 1), key=lambda i: (guide.shape[i] > 1, abs(guide.strides[i])), default=None)
    length = guide.shape[split] if split is not None else 1
    # On 4 Mi elements, ns an element: strips of 2 columns (as many as fit the cache) 26, of 64 columns 5.3, of 256 3.6.
    fewest = 256 if length > 1 and abs(guide.strides[split]) == guide.itemsize else 1
    step = max(fewest, BLOCK * length // max(guide.size, 1))
    # A last row alone would lie along memory, where the others may lie across it: it joins them.
    last = length - (step > 1)
    if step >= last:
        yield arrays
        return
    for start in range(0, last, step):
        part = (slice(None),) * split + (slice(start, start + step if start + step < last else length),)
        yield from by_blocks(guide[part], [array[part] for array in arrays])


def compute(kernel, targets, views, cores, casts):
    """Write the results of one block of rows."""
    n = next(view.shape[-1] for view, core in zip(views, cores, strict=True) if core)
    each = (*views[0].shape[:-1], 1)
    parts = cut(n, math.prod(each))
    given = [Rows(part_of(view), parts, each, casts.loop) if core else view for view, core in zip(views, cores, strict=True)]
    with np.errstate(all="ignore"):
        results = kernel(*given)
        for target, result in zip(targets, results if isinstance(results, tuple) else (results,), strict=True):
            if not isinstance(result, Rows):
                casts.store(target, result)
                continue
            for part in parts:
                casts.store(target[..., part], result(part))


def cut(n, rows):
    """The parts of the axis in a block of so many rows: one, unless this has more than twice the entries of a block."""
    width = n if n * rows <= 2 * BLOCK else max(UNIT, BLOCK // rows // UNIT * UNIT)
    return [slice(start, min(start + width, n)) for start in range(0, n, max(width, 1))]


def part_of(view):
    """The function that gives a part of the axis."""
    return lambda part: view[..., part]


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
