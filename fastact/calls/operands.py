"""Operands that are more than arrays: lazy (dask), labelled (pandas, polars, xarray) and masked (numpy.ma) ones.

None of these libraries is imported here: an object is known by dask's own protocol, or by the module of its class.
"""

import sys

import numpy as np

# What needs no second look, so that a call on plain arrays does not pay for the others.
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
    # Until numpy.ma is imported there is none: `import numpy` leaves it out.
    return isinstance(value, getattr(sys.modules.get("numpy.ma"), "MaskedArray", ()))


def bridge(*values):
    """The module that takes over a call with these values, None where there is nothing but arrays.

    Labels come off first, since what they label may be lazy; a lazy array may have masked blocks.
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
    """What an object of pandas, polars or xarray holds, an array in memory or a lazy one; anything else as it is."""
    if type(value) in PLAIN or not is_labelled(value):
        return value
    from . import labelled

    return labelled.values(function, name, value)


def array_to_read(function, name, value, instead=None, besides=""):
    """The array of an operand that is only read; refuses a lazy one, and one with masked entries.

    Parameters
    ----------
    function, name : str
        The public function and its argument, for messages.
    value : array_like
    instead : str, optional
        What to pass in place of masked entries, where filling them would not do.
    besides : str, optional
        What a call on each block of a lazy operand needs besides.

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
    """Parameters that leave a computation in float32 where the data are; of Python numbers, NumPy would make float64 beside
    integers, and pandas beside data frames.
    """
    if not any(type(value) in (int, float) for value in parameters):
        return parameters
    dtypes, frames = [], False
    for value in operands:
        if getattr(value, "ndim", 0) == 2 and hasattr(value, "dtypes"):
            dtypes += list(value.dtypes)
            frames = True
        elif type(value) not in (int, float):
            dtypes.append(getattr(value, "dtype", None) or np.asarray(value).dtype)
    if not all(isinstance(dtype, np.dtype) and np.can_cast(dtype, np.float32) for dtype in dtypes) or not dtypes:
        return parameters
    if not frames and any(dtype.kind == "f" for dtype in dtypes):
        return parameters  # they are weak already
    return [np.float32(value) if type(value) in (int, float) else value for value in parameters]


def refuse_masked_out(function, out):
    """An array of numpy.ma as `out` is an error: its mask would hide results."""
    if any(map(is_masked, out if isinstance(out, tuple) else (out,))):
        raise TypeError(f"{function}() needs a plain array for out=, not a masked one: pass out.data")


def refuse_out(function, out):
    """An `out` other than None is an error: a lazy array cannot be written to, and has no values yet that could be."""
    if any(part is not None for part in (out if isinstance(out, tuple) else (out,))):
        raise TypeError(f"{function}() takes no out= where it or an operand is lazy: use what it returns")


def refuse_lazy_out(function, out):
    """The same where no operand is lazy."""
    if any(map(is_lazy, out if isinstance(out, tuple) else (out,))):
        refuse_out(function, out)
