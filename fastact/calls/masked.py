"""Row functions of numpy.ma arrays: a masked entry does not count, and is masked in the result."""

import numpy as np

from .arguments import is_floating, loop_dtype
from .operands import array_to_read, is_masked
from .rows import checked_mask, whole_mask


def row_call(call, evaluator, operands, parameters, kwargs):
    """Compute with plain arrays, without the masked entries, and mask the result."""
    if np.ndim(operands[-1]) == 0:
        return call.row_of_one(evaluator, operands, parameters[0], kwargs)
    out = kwargs.pop("out", None)
    out = out[0] if isinstance(out, tuple) and len(out) == 1 else out
    for name, value in kwargs.items():
        kwargs[name] = array_to_read(call.name, name, value) if is_masked(value) else value
    names = call.operand_names(evaluator)
    plain = [value.data if is_masked(value) else np.asanyarray(value) for value in operands]
    hidden = [np.ma.getmaskarray(value) for value in operands]
    whole = call.whole(plain, *parameters)
    kwargs = leave_out(call, names[-1], plain, hidden[-1], whole, kwargs)
    gone = masked_results(call, plain, hidden, whole)
    result = call.evaluate(evaluator, plain, parameters, {**kwargs, "out": out.data if is_masked(out) else out})
    if gone.any() and np.ndim(result) and (len(names) == 2 or "mask" not in call.by_name):
        np.copyto(result, 0, where=gone)
    if out is None:
        return masked_like(operands, result, gone, kwargs)
    if is_masked(out):
        out.unshare_mask()
        out.mask = np.broadcast_to(gone, out.shape)
    return out


def leave_out(call, name, plain, hidden, whole, kwargs):
    """Leave out the masked entries of the last operand: by the option `mask`, or by a value in their place."""
    gone = np.broadcast_to(hidden, whole.shape)
    if not gone.any():
        return kwargs
    if "mask" in call.by_name:
        mask = kwargs.get("mask")
        mask = mask if mask is None else checked_mask(call.name, mask)
        return {**kwargs, "mask": ~gone & whole_mask(call.name, mask, whole.shape)}
    plain[-1] = filled(plain[-1], hidden, uncounted(call, name, gone), loop_dtype(call.name, plain, kwargs.get("dtype")))
    return kwargs


def masked_results(call, plain, hidden, whole):
    """The mask of the result. Masked entries of a gradient are replaced by 0 in `plain`."""
    gone = np.broadcast_to(hidden[-1], whole.shape)
    if len(hidden) == 2:
        gone = gone | (each_entry(hidden[0], whole) if call.reduces else hidden[0])
        if gone.any():
            plain[0] = filled(plain[0], hidden[0] if call.reduces else gone, 0, plain[0].dtype)
        return gone
    if call.reduces:
        return gone.all(axis=whole.axes, keepdims=whole.keepdims) & (gone.size > 0)
    return gone.copy()  # out may be x, whose mask changes


def masked_like(operands, result, gone, kwargs):
    """A new result as an array of the last masked operand's class."""
    if not np.ndim(result):
        return np.ma.masked if gone.all() else result
    like = next((value for value in reversed(operands) if is_masked(value)), None)
    if like is None or not kwargs.get("subok", True):
        return result
    result = result.view(type(like))
    if gone.any():
        result.mask = gone
    return result


def uncounted(call, name, gone):
    """The value of an entry that does not count: 0 for a probability, else the declared one; an error where none is declared."""
    if call.absent is None:
        count = np.count_nonzero(gone)
        raise TypeError(f"{call.name}() takes no masked entries, and {name} has {count}: pass {name}.filled(value)")
    return 0.0 if name == "y" else call.absent


def filled(array, hidden, value, dtype):
    """A copy with this value where entries are hidden; integers become floats of this dtype."""
    return np.where(hidden, array.dtype.type(value) if is_floating(array.dtype) else dtype.type(value), array)


def each_entry(of_rows, whole):
    """A value of each row, repeated for each of its entries."""
    if not whole.keepdims:
        rows = of_rows.reshape((1,) * (len(whole.batch) - of_rows.ndim) + of_rows.shape)
        of_rows = np.expand_dims(rows, whole.axes)
    return np.broadcast_to(of_rows, whole.shape)
