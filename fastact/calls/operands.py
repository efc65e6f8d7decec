"""Operands that are more than arrays: lazy (dask), labelled (pandas, polars, xarray) and masked (numpy.ma) ones.

None of these libraries is imported here. Objects are recognized by dask's protocol, or by the module of their class.
"""

import sys

import numpy as np

from .arguments import is_floating, is_half

# These types need no further look: so calls on plain arrays stay fast.
PLAIN = frozenset({np.ndarray, float, int, bool, str, type(None), np.float32, np.float64, np.bool})
LABELLING = frozenset({"pandas", "polars", "xarray"})


def is_lazy(value):
    """Whether this is a dask collection, or holds one, by dask's protocol."""
    graph = getattr(value, "__dask_graph__", None)
    return callable(graph) and not isinstance(value, type) and graph() is not None


def is_labelled(value):
    """Whether this is an object of pandas, polars or xarray, or of a class derived from one."""
    return any(base.__module__.partition(".")[0] in LABELLING for base in type(value).__mro__)


def is_masked(value):
    """Whether this is an array of numpy.ma, with masked entries or without."""
    # `import numpy` does not import numpy.ma. Until somebody does, there are no such arrays.
    return isinstance(value, getattr(sys.modules.get("numpy.ma"), "MaskedArray", ()))


def bridge(*values):
    """The module that takes over a call with these values; None where all are plain arrays and numbers.

    The order matters: a labelled object may hold a lazy array, and a lazy array may have masked blocks.
    """
    if PLAIN.issuperset(map(type, values)):
        return None
    parts = [part for value in values for part in (value if type(value) is tuple else (value,)) if type(part) not in PLAIN]
    if any(map(is_labelled, parts)):
        from . import labelled

        return labelled
    if any(map(is_lazy, parts)):
        from . import lazy

        return lazy
    if any(map(is_masked, parts)):
        from . import masked

        return masked
    return None


def unlabelled(function, name, value):
    """The array in memory or the lazy array that a labelled object holds; anything else unchanged."""
    if type(value) in PLAIN or not is_labelled(value):
        return value
    from . import labelled

    return labelled.values(function, name, value)


def array_to_read(function, name, value, instead=None, besides=""):
    """An operand that is only read, as an array. A lazy one is refused, and one with masked entries.

    Parameters
    ----------
    function, name : str
        The public function and its argument, for messages.
    value : array_like
    instead : str, optional
        For the message: what to pass in place of masked entries, where filled(value) is not enough.
    besides : str, optional
        For the message: what else a call on each block of a lazy operand needs.

    Returns
    -------
    numpy.ndarray
    """
    value = unlabelled(function, name, value)
    if is_lazy(value):
        raise TypeError(
            f"{function}() takes arrays in memory, and {name} is a lazy {type(value).__name__}: "
            f"pass {name}.compute(), or call it on each block, dask.array.map_blocks(fastact.{function}, ...){besides}"
        )
    if is_masked(value):
        if np.ma.is_masked(value):
            way = instead or f"{name}.filled(value)"
            raise TypeError(f"{function}() takes no masked entries, and {name} has {np.ma.count_masked(value)}: pass {way}")
        return value.data
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "__array_ufunc__") and not hasattr(value, "__array__"):
        raise TypeError(f"{function}() takes arrays, and {name} is {type(value).__name__}, which cannot be read as one")
    return np.asarray(value)


def weak_numbers(operands, parameters):
    """The parameters, with float32 in place of Python numbers where these would make a computation on float32 one on float64.

    NumPy does so beside integers, and pandas beside data frames.
    """
    if not any(type(value) in (int, float) for value in parameters):
        return parameters
    dtypes, frames = [], False
    for value in operands:
        if is_frame(value):
            dtypes += list(value.dtypes)
            frames = True
        elif type(value) not in (int, float):
            dtypes.append(getattr(value, "dtype", None) or np.asarray(value).dtype)
    if not all(isinstance(dtype, np.dtype) and np.can_cast(dtype, np.float32) for dtype in dtypes) or not dtypes:
        return parameters
    if not frames and any(map(is_floating, dtypes)):
        return parameters  # NumPy treats Python numbers as weak here
    return [np.float32(value) if type(value) in (int, float) else value for value in parameters]


def is_frame(value):
    """Whether this is a data frame, with a dtype for each column."""
    return getattr(value, "ndim", 0) == 2 and hasattr(value, "dtypes")


def half_of_frames(operands):
    """The dtype of half precision that all columns of data frames have; else None."""
    dtypes = [dtype for value in operands if is_frame(value) for dtype in value.dtypes]
    return dtypes[0] if dtypes and len(set(dtypes)) == 1 and isinstance(dtypes[0], np.dtype) and is_half(dtypes[0]) else None


def refuse_masked_out(function, out):
    """Refuse an array of numpy.ma as `out`: its mask would hide results."""
    if any(map(is_masked, out if isinstance(out, tuple) else (out,))):
        raise TypeError(f"{function}() needs a plain array for out=, not a masked one: pass out.data")


def refuse_out(function, out):
    """Refuse any `out`: a lazy array cannot be written, and a lazy result has no values yet to write."""
    if any(part is not None for part in (out if isinstance(out, tuple) else (out,))):
        raise TypeError(f"{function}() takes no out= where it or an operand is lazy: use what it returns")


def refuse_lazy_out(function, out):
    """Refuse a lazy `out`."""
    if any(map(is_lazy, out if isinstance(out, tuple) else (out,))):
        refuse_out(function, out)
