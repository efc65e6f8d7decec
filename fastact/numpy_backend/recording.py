"""Record a formula: run it once on a `Value` for each array, and keep the calls of ufuncs that it makes, in order.

programs.py makes Python functions of a recording. Calls whose operands are all known are made at once, and a call that was made
before is not repeated. These rules keep every bit of the results.
"""

import numpy as np

BOOL = np.dtype(np.bool)
NEVER_OF_NAN = {np.less, np.less_equal, np.greater, np.greater_equal}


class Value(np.lib.mixins.NDArrayOperatorsMixin):
    """An array or a number of a formula while this is recorded.

    Attributes
    ----------
    function : callable or str
        The ufunc that makes it, or one of "input", "constant", "cast", "view", "patch" and "select".
    arguments : tuple
        The Values that the function takes.
    extra : object
        The number of an input, the 0-d array that is a constant, the function of a patch.
    dtype : numpy.dtype
    uniform : bool
        Whether it is one number for all elements.
    """

    def __init__(self, recording, function, arguments, extra, dtype, uniform):
        self.recording, self.function, self.arguments, self.extra = recording, function, arguments, extra
        self.dtype, self.uniform = dtype, uniform

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        if method != "__call__" or not (not keywords or keywords == {"out": (self,)}):  # a += b has out
            raise TypeError(f"a formula calls np.{ufunc.__name__} without keywords")
        return self.recording.call(ufunc, inputs)

    def astype(self, dtype, copy=True):
        """The value in another dtype."""
        return self.recording.cast(self, np.dtype(dtype))

    def view(self, dtype):
        """The bits of the value in another dtype of the same size."""
        return self.recording.view(self, np.dtype(dtype))

    @property
    def known(self):
        """The 0-d array that the value always is, or None."""
        return self.extra if self.function == "constant" else None


def recording_of(*values):
    """The recording that any of these values belongs to, or None where all are arrays and numbers."""
    return next((value.recording for value in values if isinstance(value, Value)), None)


class Recording:
    """The calls of one formula.

    Attributes
    ----------
    dtype : numpy.dtype
        What numbers of Python become that meet no value.
    values : list of Value
        In an order in which they can be computed.
    """

    def __init__(self, dtype):
        self.dtype, self.values = np.dtype(dtype), []
        self.made, self.selected = {}, {}

    def add(self, function, arguments, extra, dtype, uniform, key=None):
        """A new value, or the one of the same function and arguments."""
        key = function, *map(id, arguments), key, dtype
        if key not in self.made:
            self.made[key] = Value(self, function, arguments, extra, dtype, uniform)
            self.values.append(self.made[key])
        return self.made[key]

    def input(self, number, dtype, uniform):
        """The value that the operand of this number has, an array or a number."""
        return self.add("input", (), number, dtype, uniform, number)

    def constant(self, number, dtype=None):
        """A value that is always the same."""
        number = np.asarray(number, dtype)
        return self.add("constant", (), number, number.dtype, True, number.tobytes())

    def value(self, given, like):
        """A value as it is; numbers of Python take the dtype of the value `like`."""
        if isinstance(given, Value):
            return given
        weak = isinstance(given, (float, int)) and not isinstance(given, (np.generic, bool))
        return self.constant(given, like.dtype if weak and like.dtype != BOOL else None)

    def call(self, function, inputs):
        """The result of a ufunc."""
        like = next(one for one in inputs if isinstance(one, Value))
        values = [self.value(one, like) for one in inputs]
        types = function.resolve_dtypes((*(one.dtype for one in values), None))
        values = [self.cast(one, dtype) for one, dtype in zip(values, types, strict=False)]
        known = [one.known for one in values]
        if all(one is not None for one in known):
            return self.constant(function(*known))
        last = known[-1]
        if function in (np.multiply, np.divide) and last is not None and last == 1:
            return values[0]
        if function is np.multiply and known[0] is not None and known[0] == 1:
            return values[1]
        if function in NEVER_OF_NAN and any(one is not None and one != one for one in known):
            return self.constant(False)
        if function in (np.add, np.multiply):  # a + b is b + a, bit for bit
            values.sort(key=id)
        return self.add(function, tuple(values), None, types[-1], all(one.uniform for one in values))

    def cast(self, value, dtype):
        """A value in another dtype."""
        if value.dtype == dtype:
            return value
        if value.known is not None:
            return self.constant(value.known.astype(dtype))
        return self.add("cast", (value,), None, dtype, value.uniform)

    def view(self, value, dtype):
        """The bits of a value."""
        if value.function == "view":
            (value,) = value.arguments
        if value.dtype == dtype:
            return value
        if value.known is not None:
            return self.constant(value.known.view(dtype))
        return self.add("view", (value,), None, dtype, value.uniform)

    def patch(self, rare, slow, value, arguments):
        """`value`, but slow(*arguments) of the elements where `rare` holds; few elements are such."""
        if rare.known is not None and not rare.known:
            return self.value(value, arguments[0])
        value = self.value(value, next(one for one in (value, *arguments) if isinstance(one, Value) and one.dtype != BOOL))
        arguments = tuple(self.value(one, value) for one in arguments)
        return self.add("patch", (rare, value, *arguments), slow, value.dtype, False, slow)

    def select(self, condition, yes, no):
        """`yes` where the condition holds, `no` elsewhere."""
        if not isinstance(condition, Value):
            condition = self.constant(condition, BOOL)
        like = next((one for one in (yes, no) if isinstance(one, Value)), None)
        like = like or self.constant(0.0, self.dtype)
        yes, no = self.value(yes, like), self.value(no, like)
        dtype = np.result_type(yes.dtype, no.dtype)
        yes, no = self.cast(yes, dtype), self.cast(no, dtype)
        if condition.known is not None or yes is no:
            return yes if yes is no or condition.known else no
        inner = self.selected.get(id(yes))
        if inner and inner[2] is no:  # one selection in place of two
            condition, yes = self.call(np.logical_and, (condition, inner[0])), inner[1]
        uniform = condition.uniform and yes.uniform and no.uniform
        result = self.add("select", (condition, yes, no), None, dtype, uniform)
        self.selected[id(result)] = condition, yes, no
        return result


def select(condition, yes, no):
    """np.where, for arrays as for values that are recorded; numbers of Python take the dtype of the others."""
    recording = recording_of(condition, yes, no)
    if recording:
        return recording.select(condition, yes, no)
    return np.where(condition, yes, no)


def patch(rare, slow, value, *arguments):
    """`value`, but slow(*arguments) of the elements where `rare` holds: for what few elements need."""
    recording = recording_of(rare, value, *arguments)
    if recording:
        return recording.patch(rare, slow, value, arguments)
    value = np.array(np.broadcast_to(np.asarray(value, np.result_type(value, arguments[0])), np.shape(rare)))
    return patched(slow, rare, value, *arguments)


def patched(slow, rare, value, *arguments):
    """The same for arrays, in place."""
    if np.count_nonzero(rare):
        value[rare] = slow(*(one[rare] if np.ndim(one) else one for one in arguments))
    return value
