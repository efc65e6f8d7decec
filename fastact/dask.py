"""Softmax, log_softmax and logsumexp of dask arrays along an axis that is chunked, lazily.

`fastact.softmax` takes dask arrays, too, if each row is in one block. Here a row may be in several::

    from fastact.dask import softmax

    p = softmax(da.from_array(scores, chunks=(1000, 5000)), axis=1)

Each block is computed by itself. A few numbers of each row and block say by what the result of the block is multiplied, so that
no block needs to go to another worker.
"""

import inspect
import operator

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

import fastact

from .calls.arguments import is_half
from .calls.elementwise import check_axis
from .calls.rows import whole_mask
from .docstrings import rows as row_docstrings

try:
    import dask.array as da
except ImportError as error:
    raise ImportError(f'fastact.dask needs dask: pip install "fastact[dask]" ({error})') from error

__all__ = ["log_softmax", "logsumexp", "softmax"]


ONE_AXIS = """    axis : int, default -1
        The axis of a row.
"""
TEXTS = {
    **row_docstrings.PARAMETERS,
    "x": f"""    x : dask.array.Array
        Scores. {row_docstrings.KINDS}
""",
    "axis": """    axis : int, tuple of int or None, default -1
        The axis of a row; several make one row, None all.
""",
    "scale": """    scale : float, default 1.0
        Multiplies `x` first: 1 / temperature, or 1 / sqrt(d).
""",
    "mask": row_docstrings.PARAMETERS["mask"].replace("array_like", "array_like or dask.array.Array"),
}


def explained(returns, examples, **texts):
    """A decorator that gives a function a numpydoc docstring. Its own one is the first line of it."""

    def complete(function):
        names, texts_of = inspect.signature(function).parameters, TEXTS | texts
        parameters = "".join(texts_of[name] for name in names)
        off = "and `causal` off the last axis"
        if "scale" in names:
            off = "`causal` off the last axis, and a scale that is not finite"
        function.__doc__ = row_docstrings.clean(f"""{function.__doc__}

    Parameters
    ----------
{parameters}
    Returns
    -------
    dask.array.Array
        {returns}

    Raises
    ------
    TypeError
        For an `x` that is no dask array, or has masked blocks, and for arguments that `fastact.{function.__name__}` refuses.
    ValueError
        For a mask that does not broadcast, {off}.

    Examples
    --------
    >>> import numpy as np, dask.array as da, fastact.dask
    {examples}
    """)
        return function

    return complete


@explained(
    """Of the shape, the dtype and the chunks of `x`. Where no row is chunked it is that of `fastact.softmax`, else entries may
        differ from those in the last bits. What holds for NaN, infinities and masked rows there holds here.""",
    """>>> x = da.from_array(np.array([1.0, 2.0, 3.0, 1000.0, 999.0]), chunks=2)
    >>> fastact.dask.softmax(x).compute().round(8)
    array([0.        , 0.        , 0.        , 0.73105858, 0.26894142])
    >>> fastact.dask.softmax(x, mask=[True, True, True, False, False]).compute().round(8)
    array([0.09003057, 0.24472847, 0.66524096, 0.        , 0.        ])""",
    axis=ONE_AXIS,
)
def softmax(x, axis=-1, *, scale=1.0, mask=None, causal=False):
    """softmax: exp(x) / sum(exp(x)), along an axis that may be chunked"""
    return by_blocks(fastact.softmax, x, axis, scale, mask, causal)


@explained(
    """Of the shape, the dtype and the chunks of `x`, -inf where masked. Where no row is chunked it is that of
        `fastact.log_softmax`, else entries may differ from those in the last bits. An entry that dominates keeps its digits.""",
    """>>> x = da.from_array(np.array([1.0, 2.0, 3.0, 1000.0, 960.0]), chunks=2)
    >>> fastact.dask.log_softmax(x).compute()
    array([-9.99000000e+02, -9.98000000e+02, -9.97000000e+02, -4.24835426e-18,
           -4.00000000e+01])""",
    axis=ONE_AXIS,
)
def log_softmax(x, axis=-1, *, scale=1.0, mask=None, causal=False):
    """log_softmax: x - log(sum(exp(x))), along an axis that may be chunked"""
    return by_blocks(fastact.log_softmax, x, axis, scale, mask, causal)


@explained(
    "One for each row, summed in float64: the same as `fastact.logsumexp` of a dask array.",
    """>>> x = da.from_array(np.array([1.0, 2.0, 3.0, 1000.0, 1000.0]), chunks=2)
    >>> fastact.dask.logsumexp(x).compute().round(6)
    np.float64(1000.693147)""",
)
def logsumexp(x, axis=-1, keepdims=False, *, mask=None, causal=False):
    """logsumexp: log(sum(exp(x))), along axes that may be chunked"""
    return fastact.logsumexp(checked("logsumexp", x), axis, keepdims, mask=mask, causal=causal)


def by_blocks(function, x, axis, scale, mask, causal):
    """softmax or log_softmax."""
    name = function.__name__
    checked(name, x)
    check_axis(f"fastact.dask.{name}", axis)
    options = {"scale": scale, "causal": causal}
    mask = mask if mask is None or isinstance(mask, da.Array) else np.asarray(mask)
    small = None if mask is None else np.ones((1,) * mask.ndim, mask.dtype)
    # The call on one entry raises the errors that do not depend on values, and has the dtype of the result.
    tried = function(np.ones((1,) * x.ndim, x.dtype), axis, mask=small, **options)
    if x.ndim == 0:
        return function(x, axis, mask=mask, **options)
    axis = normalize_axis_index(operator.index(axis), x.ndim)
    if x.numblocks[axis] == 1:
        return function(x, axis, mask=mask, **options)
    if is_half(tried.dtype):  # the factors of blocks are applied in float32
        return by_blocks(function, x.astype(np.float32), axis, scale, mask, causal).astype(tried.dtype)
    kept = None
    if mask is not None or causal:
        if np.isnan(x.shape).any():
            raise TypeError(f"{name}() with mask or causal=True needs the sizes of chunks: x.compute_chunk_sizes()")
        kept = whole_kept(name, x, mask, causal)
    log, index = function is fastact.log_softmax, tuple(range(x.ndim))
    arrays = (x, index) if kept is None else (x, index, kept, index)
    given, meta = {"axis": axis, "scale": float(scale)}, np.empty((0,) * x.ndim, tried.dtype)
    probabilities, results = (
        da.blockwise(block_result, index, *arrays, token=name, function=each, meta=meta, align_arrays=False, **given)
        for each in (fastact.softmax, function)
    )
    facts = da.blockwise(
        block_facts,
        (*index, x.ndim),
        probabilities,
        index,
        *arrays,
        token=f"{name}-facts",
        new_axes={x.ndim: 3},
        adjust_chunks={axis: 1},
        align_arrays=False,
        meta=np.empty((0,) * (x.ndim + 1)),
        **given,
    ).rechunk({axis: -1})
    shares = da.blockwise(
        block_shares, index, facts, (*index, x.ndim), token=f"{name}-shares", concatenate=True, meta=meta, log=log, **given
    ).rechunk({axis: 1})
    parts = results, index, shares, index, *arrays[2:]
    return da.blockwise(combined, index, *parts, token=name, log=log, meta=meta, align_arrays=False)


def checked(name, x):
    """x, if it is a dask array of plain blocks."""
    if not isinstance(x, da.Array):
        way = f"fastact.{name} takes other arrays"
        raise TypeError(f"fastact.dask.{name}() takes a dask array, and x is {type(x).__name__}: {way}")
    if isinstance(getattr(x, "_meta", None), np.ma.MaskedArray):
        raise TypeError(f"fastact.dask.{name}() takes no masked blocks: pass x.map_blocks(np.ma.filled, value), or mask=")
    return x


def whole_kept(name, x, mask, causal):
    """Which entries count, in the chunks of x."""
    kept = np.True_
    if mask is not None:
        whole_mask(name, np.broadcast_to(np.True_, mask.shape), x.shape)  # refuses one that does not fit
        kept = da.asarray(mask)
    if causal:
        rows, columns = (da.arange(x.shape[i], chunks=(x.chunks[i],)) for i in (-2, -1))
        kept = kept & (rows[:, None] >= columns)
    return da.broadcast_to(kept, x.shape).rechunk(x.chunks)


def block_result(x, kept=None, *, function, axis, scale):
    """The result for the entries of one block, as if there were no others. A row of -inf alone has what a masked one has."""
    if np.isneginf(largest(x, kept, axis, scale)).any():
        nothing = -np.inf if scale >= 0 else np.inf
        kept = x != nothing if kept is None else kept & (x != nothing)
    return function(x, axis, scale=scale, mask=kept)


def largest(x, kept, axis, scale):
    """The largest entry of each row, with the sign of the scale, in float64."""
    x = np.asarray(x, fastact.softmax(x[:0].ravel()).dtype) if x.dtype.kind in "biu" else x
    signed = np.negative(x) if scale < 0 else x
    signed = signed if kept is None else np.where(kept, signed, -np.inf)
    return signed.max(axis=axis, keepdims=True, initial=-np.inf).astype(np.float64)


def block_facts(probabilities, x, kept=None, *, axis, scale):
    """Of each row of a block: the largest entry, the sum of exp(entry - largest), 1 / max(softmax), and whether one counts."""
    top = largest(x, kept, axis, scale)
    with np.errstate(all="ignore"):
        total = 1 / probabilities.max(axis=axis, keepdims=True, initial=0).astype(np.float64)
    counts = np.full(top.shape, x.shape[axis] > 0) if kept is None else kept.any(axis=axis, keepdims=True)
    return np.stack([top, total, counts], axis=-1)


def block_shares(facts, *, axis, scale, log):
    """The share that each block has of the sum of a row, or its logarithm, from what block_facts says of all blocks."""
    top, total, counts = np.moveaxis(facts, -1, 0)
    counts, size = counts > 0, abs(scale)
    of_tops = fastact.softmax(top, axis, scale=size, mask=counts)
    with np.errstate(all="ignore"):
        each = np.where(of_tops == 0, 0, total * of_tops)
        whole = each.sum(axis=axis, keepdims=True)
        share = np.where(whole == 0, 0, each / whole)
        if not log:
            return share
        # The largest share keeps the digits of its distance from 1. A logarithm of a tiny one is a sum, so that none is lost.
        first = each.argmax(axis=axis, keepdims=True)
        others = each.copy()
        np.put_along_axis(others, first, 0, axis)
        leading = -np.log1p(others.sum(axis=axis, keepdims=True) / np.take_along_axis(each, first, axis))
        tiny = fastact.log_softmax(top, axis, scale=size, mask=counts) + np.log(total / whole)
        logs = np.where(share > 1e-290, np.log(share), np.where(counts & (top > -np.inf), tiny, share))
        np.put_along_axis(logs, first, np.where(whole == 0, 0, leading), axis)
        return logs  # where the results of a block are -inf, 0 or NaN


def combined(block, share, kept=None, *, log):
    """The results of a block times its share of a row, or plus the logarithm of that."""
    combine, hidden = (np.add, -np.inf) if log else (np.multiply, 0)
    with np.errstate(all="ignore"):
        result = combine(block, share, out=np.empty_like(block), casting="same_kind")
    if kept is not None:
        result[~kept] = hidden  # in a row that is NaN, too
    return result
