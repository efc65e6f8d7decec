"""Calls with dask's arrays and data frames: the function is called on each block when dask computes it.

A graph holds public functions and evaluators from ufuncs.py. A worker finds both by their names.
"""

import functools
import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .arguments import loop_dtype
from .operands import array_to_read, is_lazy, is_masked, refuse_out
from .special import broadcast_axes


def on_block(*arrays, function, names, **keywords):
    """Call the public function on one block: with operands by position and options by name."""
    given = dict(zip(names, arrays, strict=True))
    if keywords.get("sink_grad"):
        given["sink"] = sink_of_each_row(given, keywords)
        keywords.pop("sink", None)
    operands = [given.pop(name) for name in ("grad", "x") if name in given]
    return function(*operands, **given, **keywords)


def sink_of_each_row(given, keywords):
    """The sink in the shape of the rows of a block, so that the block gives the gradient of each of them."""
    shape = np.broadcast_shapes(*(np.shape(given[name]) for name in ("grad", "x", "y") if name in given))
    axes = normalize_axis_tuple(range(len(shape)) if keywords["axis"] is None else keywords["axis"], len(shape))
    sink = given.get("sink", keywords.get("sink", 0.0))
    sink = sink if np.ndim(sink) < len(shape) else np.squeeze(sink, axes)
    return np.broadcast_to(sink, [length for i, length in enumerate(shape) if i not in axes])


def row_call(call, evaluator, operands, parameters, kwargs):
    """A row function as a lazy array: blocks of whole rows."""
    refuse_out(call.name, kwargs.pop("out", None))
    axis, keepdims = (*parameters, False)[:2]
    if all(is_scalar(value) for value in call.with_axis(operands)):
        return row_of_one(call, evaluator, operands, axis, kwargs)
    names = call.operand_names(evaluator)
    if kwargs.get("mask") is None:
        kwargs.pop("mask", None)
    options = [name for name in ("mask", "sink") if kwargs.get(name) is not None]
    given = dict(zip(names, operands, strict=True)) | {name: kwargs.pop(name) for name in options}
    for name, value in kwargs.items():
        if is_lazy(value):
            array_to_read(call.name, name, value)  # refuses it
    keywords = {"axis": axis, **({"keepdims": keepdims} if call.reduces else {}), **kwargs}
    if any(map(is_frame, given.values())):
        return rows_of_frames(call, given, keywords)
    return LazyRows(call, names, {name: as_array(call.name, name, value) for name, value in given.items()}, keywords).result()


def is_scalar(value):
    """Whether this has no dimensions; False for a delayed object, which does not know."""
    return type(dimensions := getattr(value, "ndim", 0)) is int and dimensions == 0 and np.ndim(value) == 0


def row_of_one(call, evaluator, operands, axis, kwargs):
    """A lazy scalar is a row of one."""
    if axis is not None:
        normalize_axis_tuple(axis, 1)
    rows = [value[None] if is_lazy(value) else np.asarray(value)[None] for value in call.with_axis(operands)]
    result = row_call(call, evaluator, [*operands[: len(operands) - len(rows)], *rows], (-1, False), kwargs)
    return result if call.is_per_row else result[0]


def is_frame(value):
    """Whether this is a data frame of dask's, or a column of one."""
    return any(base.__module__.startswith(("dask.dataframe", "dask_expr")) for base in type(value).__mro__)


def as_array(function, name, value):
    """A dask array or one in memory; a Python number as it is."""
    import dask.array as da

    if type(value) in (int, float) or isinstance(value, da.Array):
        return value
    if is_lazy(value):
        way = "a dask array, or what it computes"
        if is_frame(value):
            way = f"{name}.to_dask_array(lengths=True), whose blocks dask.array.map_blocks(fastact.{function}, ...) takes, too"
        raise TypeError(f"{function}() takes arrays, lazy or not, and {name} is a lazy {type(value).__name__}: pass {way}")
    return np.asanyarray(value)


def read(call, names, values, kwargs):
    """The operands of an elementwise call as arrays, lazy or not, and the dtype of the computation."""
    refuse_out(call.name, kwargs.get("out"))
    if kwargs.pop("where", True) is not True:
        raise TypeError(f"{call.name}() takes no where= beside lazy operands")
    values = [as_array(call.name, name, value) for name, value in zip(names, values, strict=True)]
    small = [np.empty(0, value.dtype) if is_lazy(value) else value for value in values]
    return values, loop_dtype(call.name, small, kwargs.get("dtype"))


def one_of_pair(pair, which):
    """One of both results of a block, which dask puts into a list for each axis that the result has not."""
    while isinstance(pair, list):
        (pair,) = pair
    return pair[which]


class LazyRows:
    """A row function of dask arrays.

    Attributes
    ----------
    names : list of str
        The names of the operands.
    given : dict
        The operands, and the options that are arrays: they have blocks.
    keywords : dict
        The other options, which are the same for each block.
    """

    def __init__(self, call, names, given, keywords):
        self.call, self.names, self.given, self.keywords = call, names, given, keywords
        self.with_axis, self.sink_grad = call.with_axis(names), keywords.get("sink_grad", False)
        self.tried = self.trial()
        ndim = max(given[name].ndim for name in self.with_axis)
        axis, self.keepdims = keywords["axis"], keywords.get("keepdims", False)
        self.axes = normalize_axis_tuple(range(ndim) if axis is None else axis, ndim)
        self.index = tuple(range(ndim))
        self.check_shapes()

    def trial(self):
        """The result of the call on one entry. It raises errors that do not depend on values, and has the class of the result."""
        small = {}
        for name, value in self.given.items():
            small[name] = value
            if hasattr(value, "ndim"):
                small[name] = np.ones_like(getattr(value, "_meta", value), shape=(1,) * value.ndim)
        keywords = {**self.keywords, "keepdims": True} if self.call.is_per_row else self.keywords
        return on_block(*small.values(), function=self.call.function, names=tuple(small), **keywords)

    def check_shapes(self):
        """Raise the errors of shapes that the whole arrays would raise, if all shapes are known."""
        shapes = {name: np.shape(value) for name, value in self.given.items()}
        if any(math.isnan(length) for shape in shapes.values() for length in shape):
            if self.keywords.get("causal"):
                raise TypeError(f"{self.call.name}() with causal=True needs the sizes of chunks: x.compute_chunk_sizes()")
            return
        empty = {name: np.broadcast_to(np.True_, shape) for name, shape in shapes.items()}
        whole = self.call.whole([empty[name] for name in self.names], self.keywords["axis"], self.keepdims)
        whole.masking({**{name: empty[name] for name in ("mask", "sink") if name in empty}, **self.keywords})

    def result(self):
        """The lazy array."""
        import dask.array as da

        if self.keywords.pop("causal", False):
            self.given["mask"] = self.causal_mask()
        if mask := self.along_rows("mask"):
            self.given["mask"] = self.given["mask"].rechunk(dict.fromkeys(mask, -1))
        if any(map(self.along_rows, self.with_axis)):
            return self.by_parts()
        if self.call.is_per_row:
            self.keywords["keepdims"] = True
        block = functools.partial(on_block, function=self.call.function, names=tuple(self.given), **self.keywords)
        blocks = [part for name, value in self.given.items() for part in (value, self.index_of(name))]
        meta = np.empty_like(self.tried[0] if self.sink_grad else self.tried, shape=(0,) * len(self.index))
        lengths = dict.fromkeys(self.axes, 1) if self.call.is_per_row else None
        result = da.blockwise(block, self.index, *blocks, token=self.call.name, meta=meta, adjust_chunks=lengths)
        if self.sink_grad:
            return self.both_of(result, meta)
        return da.squeeze(result, self.axes) if self.call.is_per_row and not self.keepdims else result

    def both_of(self, pairs, meta):
        """The gradients of the operand and of the sink, from an array whose blocks are pairs of them."""
        import dask.array as da

        own_shape = np.shape(self.given.get("sink", self.keywords.get("sink", 0.0)))
        rows = tuple(i for i in self.index if i not in self.axes)
        shape = own_shape if len(own_shape) < len(self.index) else tuple(own_shape[i] for i in rows)
        slope, each = (
            da.blockwise(one_of_pair, index, pairs, self.index, which=which, token=self.call.name, dtype=meta.dtype, meta=like)
            for which, (index, like) in enumerate(((self.index, meta), (rows, np.empty((0,) * len(rows), meta.dtype))))
        )
        total = each.sum(axis=broadcast_axes(shape, each.shape), dtype=np.float64)
        return slope, total.reshape(own_shape).astype(meta.dtype)

    def index_of(self, name):
        """The axes of the whole shape that an array has; None for a number."""
        value, index = self.given[name], self.index
        if not hasattr(value, "ndim"):
            return None
        without = value.ndim < len(index) if name == "sink" else name not in (*self.with_axis, "mask") and not self.keepdims
        if without:
            index = tuple(i for i in index if i not in self.axes)
        return index[len(index) - value.ndim :]

    def along_rows(self, name):
        """The axes of an array along which several blocks share a row."""
        value = self.given.get(name)
        if not is_lazy(value):
            return []
        return [k for k, i in enumerate(self.index_of(name)) if i in self.axes and value.numblocks[k] > 1]

    def causal_mask(self):
        """The mask that causal=True stands for, combined with the given one."""
        import dask.array as da

        arrays = [self.given[name] for name in self.with_axis]
        *_, rows, columns = np.broadcast_shapes(*(array.shape for array in arrays))
        candidates = [array.chunks[-2] for array in arrays if is_lazy(array) and array.ndim > 1]
        chunks = next((chunks for chunks in candidates if sum(chunks) == rows), (rows,))
        mask = da.arange(rows, chunks=(chunks,))[:, None] >= np.arange(columns)
        return mask & self.given["mask"] if "mask" in self.given else mask

    def by_parts(self):
        """Rows in several blocks: logsumexp of the results for the blocks, which are in float64; other functions are refused."""
        import dask.array as da

        x, name = self.given[self.with_axis[-1]], self.call.name
        if not self.call.is_per_row or not self.call.composes or is_masked(self.tried):
            operand = next(filter(self.along_rows, self.with_axis))
            axis = self.along_rows(operand)[0]
            chunks = f"axis {axis} of {operand} has chunks {self.given[operand].chunks[axis]}"
            raise TypeError(
                f"{name}() needs whole rows in a block, and {chunks}: pass {operand}.rechunk({{{axis}: -1}}), "
                f"or use dask.array.map_blocks(fastact.{name}, ...) if each block has rows of its own"
                + (f", or fastact.dask.{name}(), which takes them" if name in ("softmax", "log_softmax") else "")
            )
        if "mask" in self.given:
            x = da.where(self.given["mask"], x, self.call.absent)
        part = functools.partial(self.call.function, dtype=np.float64)
        result = da.reduction(x, part, self.call.function, self.axes, self.keepdims, np.float64)
        return result.astype(self.tried.dtype)


def rows_of_frames(call, given, keywords):
    """A row function of dask's data frames: it is called on each partition, which has whole rows."""
    import dask.dataframe as dd

    name, kinds = call.name, {type(value).__name__ for value in given.values() if not isinstance(value, (int, float))}
    if kinds != {"DataFrame"} or keywords["axis"] not in (1, -1) or any(map(keywords.get, ("causal", "keepdims", "sink_grad"))):
        options = ", ".join(f"{key}={value!r}" for key, value in keywords.items())
        raise TypeError(
            f"{name}() of a dask DataFrame goes along axis=1, with neither causal=True nor keepdims=True, and takes nothing but "
            f"DataFrames and numbers beside it, not {', '.join(sorted(kinds))} with {options}: use "
            f"map_partitions(fastact.{name}, ...), or .to_dask_array(lengths=True) and dask.array.map_blocks(fastact.{name}, ...)"
        )
    block = functools.partial(on_block, function=call.function, names=tuple(given), **keywords)
    return dd.map_partitions(block, *given.values(), token=name)


def two_gradients(call, evaluator, operands, parameters, kwargs):
    """An elementwise function with two results."""
    values, loop = read(call, call.operands, operands, kwargs)
    return two_results(evaluator, values, loop, kwargs)


def two_results(evaluator, inputs, loop, kwargs):
    """Both results of an elementwise evaluator of dask arrays."""
    import dask.array as da

    arrays = [np.asarray(value, loop) if type(value) in (int, float) else value for value in inputs]  # a number is weak
    signature = ",".join(["()"] * len(arrays)) + "->(),()"
    block = functools.partial(evaluator, **kwargs) if kwargs else evaluator  # dask has a dtype= of its own
    return da.apply_gufunc(block, signature, *arrays, output_dtypes=(loop, loop), allow_rechunk=True)


def concatenated(parts, axis):
    """Lazy arrays as one."""
    import dask.array as da

    return da.concatenate(parts, axis=axis)
