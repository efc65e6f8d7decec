"""The calls of functions along an axis: checks of mask, scale and sink, the choice of the evaluator, several axes as one."""

import math
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from .arguments import LOOPS, checked_out, is_half, loop_dtype, refuse_dtype
from .elementwise import Call, answers_for_itself, check_axis, is_real
from .operands import bridge, weak_numbers

NO_LIMIT = np.int64(2**62)  # all columns count, where the call is not causal


class RowCall(Call):
    """A call of a function along an axis. `axis` is a keyword of the gufunc, and there is no `where`.

    Attributes
    ----------
    by_name : dict
        The keyword-only parameters with their defaults: scale, sink, mask and causal, and numbers of the function itself.
    own, conditions : dict, list of code
        These numbers with their defaults, and what they must fulfil.
    masked : tuple
        The evaluators from the input and from the output that take scale, sink, limit and mask too.
    fixed : dict
        Options that the user cannot set, with their values.
    reduces : bool
        Whether the result (in a backward pass, its gradient) has one entry for each row.
    ordered, composes, absent
        As in declare_rows.AlongAxis.
    """

    keywords = "out=None, **kwargs"

    def __init__(self, row, suffix, evaluators, masked):
        super().__init__(row.name + suffix, ("grad", "x") if suffix else ("x",), row.parameters, {None: evaluators})
        self.by_name, self.fixed, self.masked = row.by_name, row.fixed, masked
        self.reduces, self.ordered, self.composes, self.absent = row.reduces, row.ordered, row.composes, row.absent
        self.own, self.conditions = row.numbers, [compile(text, text, "eval") for text in row.requires]

    @property
    def has_shortcut(self):
        """Whether the core's fast path knows the settings: scale, sink and causal as numbers, and no mask unless one is given."""
        settings = {**self.by_name, **self.fixed}
        return not self.own and settings.get("mask") is None and np.ndim(settings.get("sink", 0)) == 0

    def check(self, name, value):
        """Refuse an axis that is no integer, no tuple of them and not None. NumPy checks their range later."""
        if name != "axis":
            check_flag(self.name, name, value)
        elif value is not None:
            for one in value if isinstance(value, tuple) else (value,):
                check_axis(self.name, one, ", a tuple of them or None")

    def evaluate(self, evaluator, operands, parameters, kwargs):
        """Call the evaluator."""
        if "where" in kwargs:
            raise TypeError(f"{self.name}() has no where=: every entry of a row counts")
        if kwargs.get("out") is ...:  # in NumPy this asks for a new array
            del kwargs["out"]
        if more_than_arrays := bridge(*operands, *map(kwargs.get, ("out", *self.by_name))):
            return more_than_arrays.row_call(self, evaluator, operands, parameters, kwargs)
        axis, keepdims = (*parameters, False)[:2]
        with_axis = self.with_axis(operands)
        scalars = [is_scalar(value) for value in with_axis]
        if all(scalars):
            return self.row_of_one(evaluator, operands, axis, kwargs)
        if any(scalars):
            name = self.operands[scalars.index(True) - len(with_axis)]
            raise ValueError(f"{self.name}() needs {name} with the axis {axis}, got a scalar")
        settings: Any = {**{name: kwargs.pop(name, default) for name, default in self.by_name.items()}, **self.fixed}
        numbers = checked_numbers(self.name, {name: settings.pop(name) for name in self.own}, self.conditions)
        from_output = evaluator is self.default[1]
        if self.needs_masking(settings, from_output):
            evaluator = self.masked[from_output]
        else:
            settings = None
        if kwargs.get("dtype") is not None and (numbers or settings is not None):
            evaluator = taking_dtype(evaluator)
        if numbers:
            evaluator = with_numbers(evaluator, len(operands), numbers)
        if any(map(answers_for_itself, operands)):
            return self.delegate(evaluator, operands, settings, axis, keepdims, kwargs)
        if settings is None and isinstance(axis, int) and not self.reduces:
            return self.plainly(evaluator, operands, axis, kwargs)
        return Whole(self, operands, axis, keepdims).evaluate(evaluator, settings, kwargs)

    def row_of_one(self, evaluator, operands, axis, kwargs):
        """A scalar, or an array without dimensions, is a row of one."""
        if axis is not None:
            normalize_axis_tuple(axis, 1)
        out = kwargs.pop("out", None)
        (out,) = out if isinstance(out, tuple) and len(out) == 1 else (out,)
        if out is not None and not self.is_per_row:
            checked_out(self.name, out, loop_dtype(self.name, operands, kwargs.get("dtype")), kwargs.get("casting", "same_kind"))
        view = out if out is None or self.is_per_row else out[..., None]
        arrays = [np.asanyarray(value) for value in operands]
        for name, array in zip(self.operands, arrays, strict=True):
            refuse_dtype(self.name, array, name)
        row = [*operands[:-1], arrays[-1][None]] if self.reduces else [array[None] for array in arrays]
        result = self.evaluate(evaluator, row, (-1,), {**kwargs, **({} if out is None else {"out": view})})
        return result if self.is_per_row else result[..., 0][()] if out is None else out

    @property
    def is_per_row(self):
        """Whether the result has one entry for each row."""
        return self.reduces and len(self.operands) == 1

    def with_axis(self, operands):
        """The operands, or their names, without a gradient that has one entry for each row, and no axis."""
        return operands[1:] if self.reduces and len(operands) == 2 else operands

    def operand_names(self, evaluator):
        """The names of the operands that this evaluator takes."""
        return [*self.operands[:-1], "y"] if evaluator is self.default[1] else list(self.operands)

    def whole(self, operands, axis, keepdims=False):
        """The checked shapes of a call. The operands need a shape and a dtype, and no values."""
        operands = [np.broadcast_to(np.empty((), value.dtype), value.shape) for value in operands]
        return Whole(self, operands, axis, keepdims)

    def plainly(self, evaluator, operands, axis, kwargs):
        """Call an evaluator that takes nothing but the operands."""
        # The axis counts from the end, since NumPy counts it in each operand and in out, and these may have fewer dimensions.
        dimensions = max(map(np.ndim, operands))
        axis = normalize_axis_index(axis, dimensions) - dimensions
        if all(value is None for value in kwargs.values()) and alike(operands):
            kwargs["out"] = new_like(operands[-1])  # the gufunc would make an array with the axis last in memory
        return evaluator(*operands, axis=axis, **kwargs)

    def delegate(self, evaluator, operands, settings, axis, keepdims, kwargs):
        """Call an evaluator with operands whose own __array_ufunc__ takes over the call."""
        if axis is None or isinstance(axis, tuple) or (settings and settings.get("causal")):
            kinds = ", ".join(type(value).__name__ for value in operands)
            raise TypeError(f"{self.name}() takes arrays for several axes and for causal=True, not {kinds}")
        if keepdims:
            kwargs["keepdims"] = True
        if settings:
            mask, shape = settings.get("mask"), getattr(operands[-1], "shape", None)
            mask = True if mask is None else mask
            mask = np.broadcast_to(mask, shape) if isinstance(shape, tuple) else mask
            operands = *operands, settings.get("scale", 1.0), settings.get("sink", -math.inf), NO_LIMIT, mask
        return evaluator(*operands, axis=operator.index(axis), **kwargs)

    def needs_masking(self, settings, from_output=False):
        """Check the options, as far as that needs no operands; returns whether they need the masked evaluator."""
        if "scale" in settings:
            settings["scale"] = finite_number(self.name, "scale", settings["scale"])
        if "causal" in settings:
            check_flag(self.name, "causal", settings["causal"])
        mask, sink = settings.get("mask"), settings.get("sink", -math.inf)
        if mask is not None:
            settings["mask"] = mask = checked_mask(self.name, mask)
        if "sink" in settings:
            settings["sink"] = sink = checked_sink(self.name, sink)
        sunk = not from_output and (np.ndim(sink) > 0 or sink > -math.inf)  # an output has the effect of the sink in it
        return bool(mask is not None or settings.get("causal") or settings.get("scale", 1.0) != 1.0 or sunk)


class Whole:
    """One call on arrays: their common shape, and the axis. Several axes are merged into one last axis."""

    def __init__(self, call, operands, axis, keepdims):
        self.call, self.keepdims = call, keepdims
        arrays = [np.asanyarray(value) for value in call.with_axis(operands)]
        for operand, array in zip(call.with_axis(call.operands), arrays, strict=True):
            refuse_dtype(call.name, array, operand)
        self.shape = shape = broadcast_rows(call.name, [array.shape for array in arrays])
        self.operands = operands
        if isinstance(axis, tuple) or axis is None:
            self.axes = tuple(range(len(shape))) if axis is None else normalize_axis_tuple(axis, len(shape))
        else:
            self.axes = (normalize_axis_index(operator.index(axis), len(shape)),)
        self.batch = tuple(length for i, length in enumerate(shape) if i not in self.axes)
        cores = {tuple(array.shape[i - len(shape)] for i in self.axes if len(shape) - i <= array.ndim) for array in arrays}
        if len(cores) > 1:
            raise ValueError(
                f"{call.name}: operands have a mismatch in their core dimension, axis {axis}: shapes {[a.shape for a in arrays]}"
            )
        # The axes in their order in memory, if the function allows that: merging then needs no copy.
        strides = (0,) * (len(shape) - arrays[-1].ndim) + arrays[-1].strides
        self.order = sorted(self.axes, key=lambda i: i if call.ordered else -abs(strides[i]))
        self.axis = self.axes[0] - len(shape) if len(self.axes) == 1 else -1
        others = weak_numbers(arrays, list(self.per_row(operands[: len(operands) - len(arrays)])))
        self.arrays = [*others, *map(self.rows, arrays)]
        loop = arrays[0].dtype
        fitting = [type(value) in (int, float) or (value.dtype, value.shape) == (loop, self.batch) for value in others]
        self.plain = alike(operands[len(others) :]) and all(fitting)
        self.empty_like = arrays[-1]

    def rows(self, array):
        """The array with its rows along `self.axis`. For several axes it is a view where strides allow that, else a copy."""
        if len(self.axes) == 1:
            return array
        whole = array if array.shape == self.shape else np.broadcast_to(array, self.shape, subok=True)
        moved = np.moveaxis(whole, self.order, range(-len(self.order), 0))
        return moved.reshape(*self.batch, math.prod(self.shape[i] for i in self.axes))

    def per_row(self, operands):
        """The gradients that have one entry for each row, without the axes that keepdims has kept."""
        for value in operands:
            value = value if type(value) in (int, float) else np.asanyarray(value)
            kept = tuple(1 if i in self.axes else length for i, length in enumerate(self.shape))
            if self.keepdims and np.ndim(value):
                if any(np.shape(value)[i - len(self.shape)] != 1 for i in self.axes if len(self.shape) - i <= np.ndim(value)):
                    raise ValueError(f"{self.call.name}() with keepdims needs grad of shape {kept}, got {np.shape(value)}")
                value = value.reshape([n for i, n in enumerate(value.shape) if i + len(kept) - value.ndim not in self.axes])
            yield value

    def evaluate(self, evaluator, settings, kwargs):
        """Call the evaluator on the rows, and give the result its shape."""
        inputs = self.arrays if settings is None else [*self.arrays, *self.masking(settings)]
        per_row = self.call.is_per_row
        out = kwargs.pop("out", None)
        if isinstance(out, tuple):
            if len(out) != 1:
                raise ValueError(f"{self.call.name}: the 'out' tuple must have exactly one entry, for the one output")
            (out,) = out
        if per_row and isinstance(out, np.ndarray):
            # NumPy makes no copy where x and out share memory, since it takes the result to be as large as x. Here it is not.
            inputs = [one.copy() if isinstance(one, np.ndarray) and np.may_share_memory(one, out) else one for one in inputs]
        if out is None:
            if not per_row and self.plain and not kwargs and len(self.axes) == 1:
                kwargs["out"] = new_like(self.empty_like)
            return self.finished(evaluator(*inputs, axis=self.axis, **kwargs), per_row)
        if per_row and self.keepdims:
            return self.into(out, evaluator, inputs, [1 if i in self.axes else n for i, n in enumerate(self.shape)], kwargs)
        if per_row or len(self.axes) == 1:
            return evaluator(*inputs, axis=self.axis, out=out, **kwargs)
        return self.into(out, evaluator, inputs, self.shape, kwargs)

    def finished(self, result, per_row):
        """A new result in the shape of the call."""
        if per_row:
            return np.expand_dims(result, self.axes) if self.keepdims else result
        if len(self.axes) == 1:
            return result
        lengths = [self.shape[i] for i in self.order]
        return np.moveaxis(result.reshape(*result.shape[:-1], *lengths), range(-len(lengths), 0), self.order)

    def into(self, out, evaluator, inputs, shape, kwargs):
        """Write to an `out` whose shape is not the evaluator's: through a view of it, or a new array."""
        name, shape = self.call.name, tuple(shape)
        loop = loop_dtype(name, self.operands, kwargs.get("dtype"))
        checked_out(name, out, loop, kwargs.get("casting", "same_kind"))
        if out.shape != shape:
            raise ValueError(f"{name}: non-broadcastable output operand with shape {out.shape}, needs {shape}")
        view = out.reshape(self.batch) if self.call.is_per_row else self.rows(out)
        if np.may_share_memory(view, out):
            evaluator(*inputs, axis=self.axis, out=view, **kwargs)
        else:
            result = evaluator(*inputs, axis=self.axis, **kwargs)
            out[...] = self.finished(result, self.call.is_per_row)
        return out

    def sink_of_rows(self, sink):
        """The sink without the axes, if it has them with length 1."""
        has_axes = np.ndim(sink) == len(self.shape) and all(np.shape(sink)[i] == 1 for i in self.axes)
        return np.squeeze(sink, self.axes) if has_axes else sink

    def masking(self, settings):
        """The operands of a masked evaluator: scale, sink, limit and mask."""
        name, shape, sink = self.call.name, self.shape, self.sink_of_rows(settings.get("sink", -math.inf))
        mask = whole_mask(name, settings.get("mask"), shape)
        try:
            np.broadcast_to(sink, self.batch)
        except ValueError:
            reason = f"the shape of x without the axis: shapes {np.shape(sink)} and {self.batch}"
            raise ValueError(f"{name}() needs a sink that broadcasts against {reason}") from None
        limit: Any = NO_LIMIT
        if settings.get("causal"):
            if len(shape) < 2 or self.axes != (len(shape) - 1,):
                reason = f"got shape {shape} and axis {self.axes[0] if len(self.axes) == 1 else self.axes}"
                raise ValueError(f"{name}() with causal=True needs two dimensions or more and the last axis, {reason}")
            limit = np.arange(1, shape[-2] + 1, dtype=np.int64)
        return settings.get("scale", 1.0), sink, limit, self.rows(mask)


def is_scalar(value):
    """Whether an operand has no dimensions, and no __array_ufunc__ of its own."""
    return np.ndim(value) == 0 and not answers_for_itself(value)


def taking_dtype(evaluator):
    """An evaluator with dtype=. A gufunc would give all operands this dtype, indices too: a signature gives it to the floats."""
    if not isinstance(evaluator, np.ufunc):
        return evaluator

    def evaluate(*inputs, dtype, **kwargs):
        loop = loop_dtype(evaluator.__name__, (), dtype)
        of_float32 = evaluator.types[0].replace("->", "")
        signature = tuple(loop if letter == "f" else np.dtype(letter) for letter in of_float32)
        return evaluator(*inputs, signature=signature, **kwargs)

    return evaluate


def with_numbers(evaluator, position, numbers):
    """An evaluator that gets these numbers after its first `position` inputs."""
    return lambda *inputs, **kwargs: evaluator(*inputs[:position], *numbers, *inputs[position:], **kwargs)


def checked_numbers(function, given, conditions):
    """The parameters as floats, checked. The caller uses these floats: an object may convert to another number the next time."""
    numbers = {name: finite_number(function, name, value) for name, value in given.items()}
    for condition in conditions:
        if not eval(condition, {"__builtins__": {}}, numbers):
            got = ", ".join(f"{name}={given[name]!r}" for name in condition.co_names)
            raise ValueError(f"{function}() needs {condition.co_filename}, got {got}")
    return list(numbers.values())


def new_like(array):
    """A new array with the memory layout of this one; in C order where entries of this one share memory."""
    return np.empty(array.shape, array.dtype) if 0 in array.strides else np.empty_like(array)


def alike(operands):
    """Whether these are plain arrays of one shape and one floating dtype."""
    first = operands[0]
    return (
        all(type(value) is np.ndarray for value in operands)
        and len({(value.shape, value.dtype) for value in operands}) == 1
        and (first.dtype in LOOPS or (is_half(first.dtype) and first.dtype.isnative))
    )


def broadcast_rows(name, shapes):
    """The shape that the operands with the axis broadcast to, or an error."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " ".join(map(str, shapes))
        raise ValueError(
            f"{name}: operands could not be broadcast together, or have a mismatch in their core dimension: shapes {listed}"
        ) from None


def check_flag(function, name, value):
    """Refuse a value that is no boolean."""
    if not isinstance(value, (bool, np.bool)):
        raise TypeError(f"{function}() argument {name} must be True or False, not {type(value).__name__} {value!r}")


def is_number(dtype):
    """Whether this is the dtype of real numbers that are no truth values."""
    return dtype.kind != "b" and is_real(dtype)


def finite_number(function, name, value):
    """One real, finite number as a float."""
    if type(value) is float and math.isfinite(value):
        return value
    real = np.ndim(value) == 0 and not isinstance(value, (str, bytes)) and is_number(np.asarray(value).dtype)
    if not real and not (isinstance(value, int) and not isinstance(value, bool)):  # NumPy reads a huge integer as an object
        raise TypeError(f"{function}() argument {name} must be a real number, not {type(value).__name__} {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{function}() argument {name} must be finite, got {value!r:.20}")
    return number


def checked_mask(function, value):
    """A mask as an array of booleans."""
    mask = np.asarray(value)
    if mask.dtype != bool:
        raise TypeError(f"{function}() argument mask must be boolean, True where an entry counts, not {mask.dtype}")
    return mask


def whole_mask(function, mask, shape):
    """A mask in the shape of a call, all True where there is none."""
    try:
        return np.broadcast_to(np.True_ if mask is None else mask, shape)
    except ValueError:
        raise ValueError(f"{function}() needs a mask that broadcasts against x: shapes {mask.shape} and {shape}") from None


def checked_sink(function, value):
    """The sink as an array of float64, without NaN and +inf."""
    array = np.asarray(value)
    if not is_number(array.dtype):
        raise TypeError(
            f"{function}() argument sink must be a real number or an array of real numbers, not {type(value).__name__} {value!r}"
        )
    array = array.astype(np.float64)  # a copy: another thread may write the original after the check
    if not (array < np.inf).all():
        raise ValueError(f"{function}() argument sink must be finite, or -inf for none, got {value!r}")
    return array
