"""Operands that are more than arrays: lazy (dask), labelled (pandas, polars, xarray) and masked (numpy.ma) ones.

None of these libraries is imported here: a lazy operand is known by dask's own protocol, any other is read by NumPy.
"""

import numpy as np


def is_lazy(value):
    """Whether this is a dask collection, or holds one, by dask's protocol."""
    graph = getattr(value, "__dask_graph__", None)
    return callable(graph) and not isinstance(value, type) and graph() is not None


def array_to_read(function, name, value, instead="x.filled(value)"):
    """The array of an operand that is only read; refuses a lazy one, and one with masked entries.

    Parameters
    ----------
    function, name : str
        The public function and its argument, for messages.
    value : array_like
    instead : str
        What to pass in place of masked entries.

    Returns
    -------
    numpy.ndarray
    """
    if is_lazy(value):
        raise TypeError(
            f"{function}() takes arrays in memory, and {name} is a lazy {type(value).__name__}: "
            f"call it on each block, dask.array.map_blocks(fastact.{function}, ...), or pass {name}.compute()"
        )
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            raise TypeError(f"{function}() takes no masked entries, and {name} has {np.ma.count_masked(value)}: pass {instead}")
        return value.data
    return value if isinstance(value, np.ndarray) else np.asarray(value)
