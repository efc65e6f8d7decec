"""Checks that turn the arguments of users into arrays of a network's dtype. Their errors say what would be right."""

import math
import operator

import numpy as np

from ..calls.arguments import is_half
from ..calls.elementwise import is_real


def network_dtype(dtype):
    """The dtype of a network, float32 or float64; anything else is refused."""
    if dtype is None:
        return np.dtype(np.float32)
    dtype = np.dtype(dtype)
    if dtype in (np.float32, np.float64):
        return dtype
    hint = "convert with astype"
    if is_half(dtype):
        hint = "leave dtype out; X may be of half precision, and predictions can be converted with astype"
    raise TypeError(f"a network computes in float32 or float64, not in {dtype}: {hint}")


def real(name, value):
    """An array of real numbers."""
    if np.ma.is_masked(value):
        raise TypeError(f"{name} must not be masked: fill it first, or leave its rows out")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be an array of numbers: {error}") from None
    if not is_real(array.dtype):
        hint = f": {name}.toarray() gives the array of a sparse matrix" if hasattr(value, "toarray") else ""
        if name == "y" and array.ndim and array.dtype.kind in "OSTU":
            hint = ": np.unique(y, return_inverse=True)[1] has an integer for each name"
        raise TypeError(f"{name} must be real numbers, got {type(value).__name__} of dtype {array.dtype}{hint}")
    return array


def checked(name, value, shape, dtype):
    """A finite array of this shape and dtype."""
    array = real(name, value)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    return finite(name, convert(array, dtype))


def convert(array, dtype):
    """The array in another dtype. Too large numbers become inf, and `finite` can refuse these; too small ones become 0."""
    with np.errstate(over="ignore", under="ignore"):
        return array.astype(dtype, copy=False)


def as_matrix(name, value, width, dtype):
    """An array of shape (..., width)."""
    array = real(name, value)
    if array.ndim == 0 or array.shape[-1] != width:
        raise ValueError(f"{name} must have shape (..., {width}), since the layer has {width} inputs; got {array.shape}")
    return convert(array, dtype)


def as_rows(name, value, width, dtype, empty=False):
    """A finite array of shape (rows, width), a row for each example; `empty` says whether it may have no rows."""
    if empty and type(value) is np.ndarray and value.dtype == dtype and value.ndim == 2 and value.shape[1] == width:
        return finite(name, value)  # so that small predictions are fast
    array = real(name, value)
    if array.ndim != 2 or array.shape[1] != width:
        hint = ""
        if array.shape == (width,):
            hint = f": one row is {name}[np.newaxis]"
        elif array.ndim == 1 and width == 1:
            hint = f": one number a row is {name}[:, np.newaxis]"
        elif array.ndim > 2 and math.prod(array.shape[1:]) == width:
            hint = f": {name}.reshape(len({name}), -1) has it"
        raise ValueError(f"{name} must have shape (rows, {width}), since the network has {width} inputs; got {array.shape}{hint}")
    if not (empty or len(array)):
        raise ValueError(f"{name} must have one row or more, got shape {array.shape}")
    return finite(name, convert(array, dtype))


def finite(name, array):
    """The array, if it has neither NaN nor inf."""
    with np.errstate(all="ignore"):
        total = np.add.reduce(array, axis=None)
    if math.isfinite(total):  # the sum is faster; of finite numbers it is nearly always finite
        return array
    wrong = ~np.isfinite(array)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = at[0] if len(at) == 1 else at
        count = int(wrong.sum())
        raise ValueError(f"{name} must be finite in {array.dtype}, got {array[at]} at {place}; {count} such entries in all")
    return array


def positive(caller, name, value):
    """A positive integer."""
    right = f"{caller}() argument {name} must be a positive integer"
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{right}, not {type(value).__name__} {value!r}") from None
    if number < 1:
        raise ValueError(f"{right}, got {value!r}")
    return number
