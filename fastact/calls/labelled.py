"""Calls with objects of pandas, polars and xarray. Their own methods read them, and make the results of the same class.

Nothing is imported from these libraries: a class is recognized by its name.
"""

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .operands import LABELLING, is_labelled, is_lazy, unlabelled

NUMBERS = "biuf"


def kind(value):
    """The library of a labelled object, and the name of its nearest base class in `TABLES`, "" if there is none."""
    library = ""
    for base in type(value).__mro__:
        root = base.__module__.partition(".")[0]
        if root in LABELLING:
            if (root, base.__name__) in TABLES:
                return root, base.__name__
            library = library or root
    return library, ""


class PandasTable:
    """Reads and makes Series and DataFrames of pandas."""

    @staticmethod
    def values(function, name, value):
        """Its numbers; missing ones are refused, since no array can hold them."""
        return numbers_of(function, name, value, [value.dtype] if value.ndim == 1 else list(value.dtypes))

    @staticmethod
    def axes(value):
        """The name and the labels of each axis."""
        return [(None, labels) for labels in value.axes]

    @staticmethod
    def like(value, array):
        """An object like this one, with other numbers."""
        labels = {"index": value.index, **({"name": value.name} if value.ndim == 1 else {"columns": value.columns})}
        return value._constructor(array, **labels).__finalize__(value)

    @staticmethod
    def reduced(value, array, axes, keepdims):
        """The result without these axes: a Series for a DataFrame, else an array."""
        if value.ndim != 2 or len(axes) != 1 or keepdims:
            return array
        return value._constructor_sliced(array, index=value.axes[1 - axes[0]])


class PolarsTable:
    """Reads and makes Series and DataFrames of polars."""

    @staticmethod
    def values(function, name, value):
        """Its numbers; missing ones are refused, since no array can hold them."""
        columns = list(value.iter_columns()) if hasattr(value, "iter_columns") else [value]
        for column in columns:
            array = column.to_numpy()
            if array.dtype.kind not in NUMBERS or array.ndim != 1:
                refuse_column(function, name, column.dtype, column.name, "cast(...)")
            if column.null_count():
                refuse_missing(function, name, column.dtype, column.name, "fill_null(value)")
        return value.to_numpy()

    @staticmethod
    def axes(value):
        """The name and the labels of each axis: only columns have labels."""
        return [(None, None), (None, value.columns)] if hasattr(value, "columns") else [(None, None)]

    @staticmethod
    def like(value, array):
        """An object like this one, with other numbers."""
        if hasattr(value, "columns"):
            return type(value)(array, schema=value.columns, orient="row")
        return type(value)(value.name, array)

    @staticmethod
    def reduced(value, array, axes, keepdims):
        """The array: without an axis no labels remain."""
        return array


class DataArray:
    """Reads and makes DataArrays of xarray."""

    @staticmethod
    def values(function, name, value):
        """The array that it holds, which may be lazy."""
        return value.data

    @staticmethod
    def axes(value):
        """The name and the labels of each axis."""
        return [(name, value.indexes.get(name)) for name in value.dims]

    @staticmethod
    def like(value, array):
        """An object like this one, with other numbers."""
        return value.copy(deep=False, data=array)

    @staticmethod
    def reduced(value, array, axes, keepdims):
        """A DataArray without these axes, or without their labels."""
        gone = [value.dims[i] for i in axes]
        coords = value.coords.to_dataset().drop_dims(gone).coords
        return type(value)(array, coords, [name for name in value.dims if keepdims or name not in gone], value.name)


TABLES: dict[tuple[str, str], Any] = {
    ("pandas", "Series"): PandasTable,
    ("pandas", "DataFrame"): PandasTable,
    ("polars", "Series"): PolarsTable,
    ("polars", "DataFrame"): PolarsTable,
    ("xarray", "DataArray"): DataArray,
}


def refuse_column(function, name, dtype, label, way):
    """Refuse a column that holds no numbers."""
    where = "" if label is None else f" in {label!r}"
    raise TypeError(f"{function}() takes real numbers, and {name} has dtype {dtype}{where}: pass numbers, {name}.{way} for one")


def refuse_missing(function, name, dtype, label, way):
    """Refuse a column with missing entries, which no array can hold."""
    where = "" if label is None else f" in {label!r}"
    raise TypeError(f"{function}() takes no missing values, and {name} has some, of dtype {dtype}{where}: pass {name}.{way}")


def numbers_of(function, name, value, dtypes):
    """An object of pandas as an array; its columns may have NumPy's dtypes, nullable, Arrow or sparse ones."""
    labels = list(value.columns) if np.ndim(value) == 2 else [getattr(value, "name", None)]
    plain = []
    for label, dtype in zip(labels, dtypes, strict=True):
        held = dtype
        if not isinstance(dtype, np.dtype):
            wrapper = (
                "subtype" if type(dtype).__name__ == "SparseDtype" else "numpy_dtype"
            )  # the latter of nullable and Arrow dtypes
            held = getattr(dtype, wrapper, dtype)
        if not isinstance(held, np.dtype) or held.kind not in NUMBERS:
            way = "factorize()[0]" if name == "target" else "astype(float)"
            refuse_column(function, name, dtype, label, "cat.codes" if str(dtype) == "category" else way)
        if held is not dtype and value.isna().any(axis=None):
            refuse_missing(function, name, dtype, label, "fillna(value)")
        plain.append(held)
    return np.asarray(value, np.result_type(*plain) if plain else np.float64)


def values(function, name, value):
    """The numbers of a labelled object, as an array in memory or a lazy one."""
    library, table = kind(value)
    if table:
        return TABLES[library, table].values(function, name, value)
    if library == "pandas" and hasattr(value, "dtype") and hasattr(value, "isna"):  # an Index, or the array of a column
        return numbers_of(function, name, value, [value.dtype])
    class_name = type(value).__name__
    if hasattr(value, "collect"):
        way = f"{name}.collect()"
    elif hasattr(value, "map_batches"):
        way = f"{name}.map_batches(lambda series: fastact.{function}(series), ...)"
    elif hasattr(value, "data_vars"):
        way = f"one of its arrays, or call {name}.map(fastact.{function})"
    else:
        way = "an array"
    raise TypeError(f"{function}() takes arrays, and {name} is a {library} {class_name}: pass {way}")


def table_of(value):
    """The class of `TABLES` for an object; None for one whose results are arrays."""
    return TABLES.get(kind(value))


def row_call(call, evaluator, operands, parameters, kwargs):
    """A row function of labelled operands. The result has the labels of the operand with the most axes."""
    axis, keepdims = (*parameters, False)[:2]
    names = call.operand_names(evaluator)
    given = dict(zip(names, operands, strict=True)) | kwargs
    out = given.get("out")
    if any(is_labelled(one) for one in (out if isinstance(out, tuple) else (out,))):
        raise TypeError(f"{call.name}() needs an array for out=, not {type(out).__name__}: use what it returns")
    may_have_labels = {*names, *call.by_name}
    arrays = {name: unlabelled(call.name, name, each) if name in may_have_labels else each for name, each in given.items()}
    with_axis = call.with_axis(names)
    tables = [given[name] for name in reversed(with_axis) if table_of(given[name])]
    like = max(tables, key=lambda table: len(table.shape), default=None)
    if like is not None:
        every = table_of(like).axes(like)
        axes = normalize_axis_tuple(range(len(every)) if axis is None else axis, len(every) or 1)
        axes = axes if every else ()  # a scalar is a row of one
        remaining = every if keepdims else [each for i, each in enumerate(every) if i not in axes]
        for name, value in given.items():
            if table_of(value) and value is not like:
                check_labels(call.name, name, value, every if name in (*with_axis, "mask") else remaining)
    result = call.evaluate(evaluator, [arrays.pop(name) for name in names], parameters, arrays)
    if like is None or out is not None:
        return result
    if isinstance(result, tuple):  # the gradient of the sink, too
        of_sink = given["sink"] if table_of(given.get("sink")) else None
        return relabelled(like, result[0]), result[1] if of_sink is None else relabelled(of_sink, result[1])
    if call.is_per_row:
        return table_of(like).reduced(like, result, axes, keepdims)
    return relabelled(like, result)


def relabelled(like, result):
    """A result with the labels of `like`, if it has its shape, and both are lazy or both are not."""
    return table_of(like).like(like, result) if result.shape == like.shape and is_lazy(result) == is_lazy(like) else result


def two_gradients(call, evaluator, operands, parameters, kwargs):
    """An elementwise function with two results, which polars and dask cannot call by themselves (nor xarray on dask arrays)."""
    if not any(is_lazy(value) or kind(value)[0] == "polars" for value in operands):
        return call.natively(evaluator, operands, parameters, kwargs)
    like = next((value for value in reversed(operands) if table_of(value)), None)
    for name, value in zip(call.operands, operands, strict=True):
        if table_of(value):
            check_labels(call.name, name, value, table_of(like).axes(like))
    arrays = [unlabelled(call.name, name, value) for name, value in zip(call.operands, operands, strict=True)]
    results = call.evaluate(evaluator, arrays, parameters, kwargs)
    return results if like is None or kwargs.get("out") is not None else tuple(relabelled(like, result) for result in results)


def check_alike(function, given, first, axis):
    """Refuse operands of a loss with other labels than the first one has; a target may lack the axis, `weight` has no other."""
    logits = given[first]
    if not table_of(logits):
        return
    every = table_of(logits).axes(logits)
    for name, value in given.items():
        if table_of(value) and value is not logits:
            if name == "weight":
                check_labels(function, name, value, [every[normalize_axis_tuple(axis, len(every))[0]]])
                continue
            lacking = axis is not None and len(table_of(value).axes(value)) < len(every)
            gone = normalize_axis_tuple(axis, len(every)) if lacking else ()
            check_labels(function, name, value, [labels for i, labels in enumerate(every) if i not in gone])


def check_labels(function, name, value, expected):
    """Refuse an object whose last axes have other labels than `expected`: entries of one position would not belong together."""
    for (axis, labels), (right_axis, right) in zip(table_of(value).axes(value)[::-1], expected[::-1], strict=False):
        if labels is None or right is None:
            same = True
        else:
            both_pandas = hasattr(labels, "equals") and hasattr(right, "equals")
            same = labels.equals(right) if both_pandas else list(labels) == list(right)
        if not same or (None not in (axis, right_axis) and axis != right_axis):
            raise ValueError(
                f"{function}() needs operands with the same labels, and those of {name} differ: align them, or pass an array"
            )
