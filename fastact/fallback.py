"""A formula as a NumPy function with a ufunc's calling convention, evaluated block by block in cache.

`np.nditer` does what a ufunc's machinery does (broadcasting, casting, byte order, alignment, overlap, order, allocation);
the formula sees contiguous or strided blocks of at most `BLOCK` elements, so that its temporaries stay in the cache.
"""

import numpy as np

# Elements in a block. On 256 Ki float32, ns an element, tanh takes .51 with 4096, .38 with 8192, .28 with 32768, .27 with 65536.
BLOCK = 32768

LOOPS = (np.dtype(np.float32), np.dtype(np.float64))


def loop_dtype(name, inputs, dtype=None):
    """The floating dtype that NumPy would pick among float32 and float64 loops for `inputs`."""
    if dtype is not None:
        dtype = np.dtype(dtype)
        if dtype not in LOOPS:
            raise TypeError(
                f"No loop matching the specified signature was found for {name}: dtype must be float32 or float64, not {dtype}"
            )
        return dtype
    weak = [value for value in inputs if type(value) in (int, float)]
    strong = [np.asarray(value).dtype for value in inputs if type(value) not in (int, float)]
    if not strong:
        return LOOPS[1]
    for loop in LOOPS:
        if all(np.can_cast(given, loop, "safe") for given in strong):
            # A Python float is weak beside floats only: beside integers NumPy resolves it as float64.
            if weak and not any(given.kind == "f" for given in strong):
                return LOOPS[1]
            return loop
    raise TypeError(
        f"{name} not supported for the input types {', '.join(map(str, strong))}: they could not be safely coerced to float32 "
        "or float64 (complex, object, string and long double input is refused)"
    )


def checked_out(name, out, loop, casting):
    """The array that `out` means, or None; raises what a ufunc raises."""
    if isinstance(out, tuple):
        if len(out) != 1:
            raise ValueError(f"{name}: the 'out' tuple must have exactly one entry, for the one output, not {len(out)}")
        (out,) = out
    if out is None:
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


def wrapped(result, function, inputs, subok):
    """A new result as the type that its inputs ask for (a subclass, a pandas Series ...), or a scalar where it is 0-d."""
    others = [
        value
        for value in inputs
        if type(value) is not np.ndarray and not isinstance(value, np.generic) and hasattr(value, "__array_wrap__")
    ]
    if subok and others:
        first = max(others, key=lambda value: getattr(value, "__array_priority__", 0.0))
        return first.__array_wrap__(result, (function, inputs, 0), False)
    return result[()] if result.ndim == 0 else result


def is_plain(inputs, out):
    """Whether a call needs nothing of the iterator: one block, the same shape and dtype. Its set-up would cost 7 us of 11."""
    first = inputs[0] if inputs else None
    if type(first) is not np.ndarray or first.dtype not in LOOPS or not 0 < first.size <= BLOCK or first.ndim == 0:
        return False
    arrays = [value for value in (*inputs, out) if type(value) is not float and value is not None]
    return all(
        type(value) is np.ndarray
        and value.dtype == first.dtype
        and value.dtype.isnative
        and value.shape == first.shape
        and value.flags.c_contiguous
        and value.flags.aligned
        for value in arrays
    ) and (out is None or out.flags.writeable)


def blockwise(name, formula, n_inputs):
    """Make a function of `n_inputs` arrays, with the keywords of a ufunc, from a formula on blocks."""

    def function(*inputs, out=None, where=True, casting="same_kind", order="K", dtype=None, subok=True):
        if where is True and dtype is None and casting == "same_kind" and order == "K" and is_plain(inputs, out):
            with np.errstate(all="ignore"):
                result = formula(*(np.asarray(value, inputs[0].dtype) for value in inputs))
            if out is None:
                return result
            out[...] = result
            return out
        if len(inputs) == n_inputs + 1 and out is None:
            *inputs, out = inputs
        if len(inputs) != n_inputs:
            raise TypeError(f"{name}() takes from {n_inputs} to {n_inputs + 1} positional arguments but {len(inputs)} were given")
        loop = loop_dtype(name, inputs, dtype)
        out = checked_out(name, out, loop, casting)
        operands = [np.asarray(value, dtype=loop if type(value) in (int, float) else None) for value in inputs]
        # contiguous: NumPy's own functions give other last bits for other strides
        flags = [["readonly", "aligned", "contig", "overlap_assume_elementwise"]] * n_inputs
        dtypes = [loop] * n_inputs
        masked = where is not True
        if masked:
            mask = np.asarray(where)
            if not np.can_cast(mask.dtype, bool, "safe"):
                raise TypeError(f"Cannot cast array data from {mask.dtype!r} to dtype('bool'): where must be boolean")
            operands.append(mask)
            flags = [*flags, ["readonly", "overlap_assume_elementwise"]]
            dtypes = [*dtypes, np.dtype(bool)]
        if out is None:
            output_flags = ["writeonly", "allocate", "no_broadcast", "no_subtype"]
        else:
            # With a mask the untouched elements are read first, so that writing a block back leaves them as they were.
            output_flags = ["readwrite" if masked else "writeonly", "aligned", "no_broadcast", "overlap_assume_elementwise"]
        with (
            np.errstate(all="ignore"),
            np.nditer(
                [*operands, out],
                flags=["external_loop", "buffered", "copy_if_overlap", "zerosize_ok", "delay_bufalloc"],
                op_flags=[*flags, output_flags],
                op_dtypes=[*dtypes, loop],
                casting=casting if np.can_cast(np.float64, np.float32, casting) else "same_kind",
                order=order,
                buffersize=BLOCK,
            ) as blocks,
        ):
            blocks.reset()
            for arguments in blocks:
                np.copyto(arguments[-1], formula(*arguments[:n_inputs]), where=arguments[n_inputs] if masked else True)
            result = blocks.operands[-1]
        return wrapped(result, function, inputs, subok) if out is None else out

    function.__name__ = function.__qualname__ = name
    function.nin = n_inputs  # numpy.ma asks a function for it, as of a ufunc
    return function
