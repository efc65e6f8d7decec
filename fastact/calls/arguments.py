"""The rules on dtypes, shapes and memory of operands, out= and where=, the same for all calls of both backends."""

import math
import operator
import sys

import numpy as np

LOOPS = (np.dtype(np.float32), np.dtype(np.float64))
FLOAT16 = np.dtype(np.float16)


def known_bfloat16():
    """The dtype bfloat16 of ml_dtypes; None as long as nobody has imported that library."""
    of_library = getattr(sys.modules.get("ml_dtypes"), "bfloat16", None)
    return None if of_library is None else np.dtype(of_library)


def is_half(dtype):
    """Whether this is a dtype of half precision, float16 or bfloat16."""
    return dtype.type is np.float16 or (dtype.kind == "V" and dtype == known_bfloat16())


def is_floating(dtype):
    """Whether this is a floating dtype. NumPy gives bfloat16 the kind of raw bytes."""
    return dtype.kind == "f" or is_half(dtype)


def computing(loop):
    """The dtype that computes the results of dtype `loop`: float32 for half precision."""
    return LOOPS[0] if is_half(loop) else loop


def rounded(values, loop):
    """Values in the dtype of a result. In half precision they are rounded to float32 first, and overflow is not reported."""
    if not is_half(loop):
        return values.astype(loop, copy=False)
    with np.errstate(all="ignore"):
        return values.astype(LOOPS[0]).astype(loop)


def refuse_dtype(name, array, argument=None):
    """Refuse an array of anything but real numbers of at most float64; `argument` is its name, for the message."""
    dtype = array.dtype
    if dtype.kind in "biuf" and dtype.itemsize <= 8:
        return
    if dtype.kind == "V" and dtype.names is None and dtype.isbuiltin == 2:
        return  # a dtype of a library, such as ml_dtypes: NumPy knows its casts
    given = f"dtype {dtype}"
    if dtype.kind == "O" and array.ndim == 0:
        given += f" of {type(array.item()).__name__}"
        given += ": pass its .toarray()" if hasattr(array.item(), "toarray") else ""
    raise TypeError(f"{name}() takes real numbers, at most float64, not {given}{f' for {argument}' if argument else ''}")


def loop_dtype(name, inputs, dtype=None):
    """The floating dtype that NumPy would pick for `inputs`. It is of half precision only if an input is, not for int8 alone."""
    if dtype is not None:
        dtype = np.dtype(dtype)
        if dtype not in LOOPS and not is_half(dtype):
            right = "float16, bfloat16, float32 or float64"
            raise TypeError(f"No loop matching the specified signature was found for {name}: dtype must be {right}, not {dtype}")
        return dtype.newbyteorder("=") if is_half(dtype) else dtype
    weak = [type(value) for value in inputs if type(value) in (int, float)]
    arrays = [np.asarray(value) for value in inputs if type(value) not in (int, float)]
    if not arrays:
        return LOOPS[1]
    for array in arrays:
        refuse_dtype(name, array)
    strong = [array.dtype for array in arrays]
    if any(map(is_half, strong)) and is_half(common := np.result_type(*strong)):
        return common.newbyteorder("=")
    for loop in LOOPS:
        if all(np.can_cast(given, loop, "safe") for given in strong):
            # A Python float is weak beside floats only: beside integers NumPy resolves it as float64.
            if float in weak and not any(map(is_floating, strong)):
                return LOOPS[1]
            return loop
    raise TypeError(
        f"{name} not supported for the input types {', '.join(map(str, strong))}: they could not be safely coerced to "
        "float32 or float64"
    )


def checked_outs(name, out, outputs, loop, casting):
    """The array or None that `out` has for each output; raises the errors of a ufunc."""
    if isinstance(out, tuple) and len(out) != outputs:
        count = "exactly one entry, for the one output" if outputs == 1 else f"exactly {outputs} entries, one for each output"
        raise ValueError(f"{name}: the 'out' tuple must have {count}, not {len(out)}")
    if not isinstance(out, tuple):
        if outputs > 1 and out is not None:
            raise TypeError(f"{name}: 'out' must be a tuple of {outputs} arrays, one for each output, not {type(out).__name__}")
        out = (out,) * outputs
    return [checked_out(name, one, loop, casting) for one in out]


def checked_out(name, out, loop, casting):
    """The array that one entry of `out` is, or None; raises the errors of a ufunc."""
    if isinstance(out, tuple):
        (out,) = checked_outs(name, out, 1, loop, casting)
    if out is None or out is ...:
        return None
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{name}: return arrays must be of ArrayType: out must be an array, not {type(out).__name__}")
    if not np.can_cast(loop, out.dtype, casting):
        raise TypeError(
            f"Cannot cast {name} output from {loop!r} to {out.dtype!r} with casting rule {casting!r}: "
            "out must be a floating array"
        )
    if not out.flags.writeable:
        raise ValueError(f"{name}: output array is read-only: out must be writeable")
    return out


def checked_mask(where, name, operands):
    """`where` as an array. An array must be boolean already; a list or a number is read as truth values."""
    if isinstance(where, (np.ndarray, np.generic)) and not np.can_cast(where.dtype, bool, "safe"):
        raise TypeError(f"Cannot cast array data from {where.dtype!r} to dtype('bool'): where must be boolean")
    mask = np.asarray(where, dtype=bool)
    broadcast(name, (*operands, mask))
    return mask


def integer(value):
    """An integer, as operator.index gives it; a TypeError for anything else, a boolean too."""
    if isinstance(value, (bool, np.bool)):
        raise TypeError("a boolean is no integer")
    return operator.index(value)


def broadcast(name, inputs):
    """The shape that inputs broadcast to, or the error of a ufunc."""
    shapes = [np.shape(value) for value in inputs]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " ".join(map(str, shapes))
        raise ValueError(f"{name}: operands could not be broadcast together with shapes {listed}") from None


def overrides(value):
    """Whether an operand has an __array_ufunc__ that is not ndarray's own."""
    own = getattr(type(value), "__array_ufunc__", np.ndarray.__array_ufunc__)
    return own is not np.ndarray.__array_ufunc__ and not isinstance(value, np.generic)


def overlaps(view, target):
    """Whether writing an element of `target` changes another element of `view`. False where both are the same elements."""
    return np.may_share_memory(view, target) and not (
        view.__array_interface__["data"][0] == target.__array_interface__["data"][0]  # the address
        and view.shape == target.shape
        and all(a == b for a, b, n in zip(view.strides, target.strides, view.shape, strict=True) if n > 1)
        and view.dtype == target.dtype
    )


def blocks(shape, most):
    """Indices of parts of an array that have `most` entries or fewer, in C order."""
    size = math.prod(shape)
    if size <= most:
        yield (...,)
    elif step := most // (size // shape[0]):
        yield from ((slice(start, start + step), ...) for start in range(0, shape[0], step))
    else:
        yield from ((i, *index) for i in range(shape[0]) for index in blocks(shape[1:], most))
