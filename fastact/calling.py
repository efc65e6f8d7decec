"""The public functions: what a call means, and what is said when it is wrong. One copy for both backends.

An *evaluator* has the calling convention of a ufunc: (inputs and parameters, positionally, out=, where=, ...). The
compiled core's are ufuncs, the fallback's come from fallback.py and rows.py. Here the defaults are filled in, the
parameters checked, and a backward pass sent to its formula from the input or from the output.
"""

import operator

import numpy as np

from .fallback import overrides


class Call:
    """How one elementwise function is called.

    Attributes
    ----------
    name : str
    operands : tuple of str
        ("x",) forward, ("grad", "x") backward.
    parameters : dict
        Names and defaults.
    nonnegative : str or None
        The parameter that must be >= 0 to start from the output.
    from_input, from_output : callable
        The evaluators; `from_output` is None where the output does not determine the derivative.
    """

    def __init__(self, name, operands, parameters, from_input, from_output=None, nonnegative=None):
        self.name = name
        self.operands = operands
        self.parameters = parameters
        self.from_input = from_input
        self.from_output = from_output
        self.nonnegative = nonnegative

    @property
    def backward(self):
        """Whether this is a backward pass."""
        return len(self.operands) == 2

    @property
    def signature(self):
        """The signature as text."""
        x = "grad, x=None" if self.backward else "x"
        parameters = "".join(f", {name}={default!r}" for name, default in self.parameters.items())
        y = "y=None, " if self.backward else ""
        return f"({x}, /{parameters}, *, {y}out=None, {self.keywords})"

    keywords = "where=True, **kwargs"

    def __call__(self, *args, **kwargs):
        """Parse the arguments as the signature says, and evaluate."""
        names = (*self.operands, *self.parameters)
        if len(args) > len(names):
            raise TypeError(
                f"{self.name}() takes at most {len(names)} positional arguments ({', '.join(names)}), got {len(args)}; "
                "out= is given by keyword"
            )
        for name in self.operands:
            if name in kwargs:
                raise TypeError(f"{self.name}() takes {name} by position only: {self.name}({', '.join(self.operands)})")
        if not args:
            raise TypeError(f"{self.name}() is missing its first argument, {self.operands[0]}: an array")
        values = {**self.parameters, **dict(zip(names, args, strict=False))}
        for name in self.parameters:
            if name in kwargs:
                if names.index(name) < len(args):
                    raise TypeError(f"{self.name}() got multiple values for argument {name!r}")
                values[name] = kwargs.pop(name)
            self.check(name, values[name])
        evaluator, operands = self.from_input, [values.get(name) for name in self.operands]
        if self.backward:
            y = kwargs.pop("y", None)
            if (operands[1] is None) == (y is None):
                got = "got neither" if y is None else "got both"
                raise TypeError(
                    f"{self.name}() takes either the input, {self.name}(grad, x), or the output, {self.name}(grad, y=y): {got}"
                )
            if y is not None:
                evaluator, operands[1] = self.output_evaluator(values), y
        return self.evaluate(evaluator, operands, [values[name] for name in self.parameters], kwargs)

    def evaluate(self, evaluator, operands, parameters, kwargs):
        """Call the evaluator: a parameter is one more input of the ufunc."""
        return evaluator(*operands, *parameters, **kwargs)

    def check(self, name, value):
        """Refuse a parameter that is no real number and no array of them; what has its own __array_ufunc__ answers for itself."""
        if isinstance(value, (float, int)):
            return
        if answers_for_itself(value):
            return
        if value is None or isinstance(value, (str, bytes)) or np.asarray(value).dtype.kind not in "biuf":
            raise TypeError(
                f"{self.name}() argument {name} must be a real number or an array of real numbers, "
                f"not {type(value).__name__} {value!r}"
            )

    def output_evaluator(self, values):
        """The evaluator for y=, if the output says enough."""
        if self.from_output is None:
            raise TypeError(
                f"{self.name}() cannot start from y=: the output does not determine the derivative; "
                f"pass the input, {self.name}(grad, x)"
            )
        if self.nonnegative is not None:
            value = values[self.nonnegative]
            if not np.all(np.asarray(value) >= 0):
                raise ValueError(
                    f"{self.name}() with y= needs {self.nonnegative} >= 0, got {value!r}: otherwise the sign of the output is "
                    "not the input's; pass the input instead"
                )
        return self.from_output


class RowCall(Call):
    """How a function along an axis is called: `axis` is a keyword of the gufunc, and there is no `where`."""

    keywords = "**kwargs"

    def evaluate(self, evaluator, operands, parameters, kwargs):
        """Call the evaluator."""
        if "where" in kwargs:
            raise TypeError(f"{self.name}() has no where=: every entry of a row counts")
        for name, value in zip(self.operands, operands, strict=True):
            if np.ndim(value) == 0 and not answers_for_itself(value):
                raise ValueError(f"{self.name}() needs {name} of at least one dimension, along which to normalize; got a scalar")
        axis, plain = operator.index(parameters[0]), all(type(value) is np.ndarray for value in operands)
        dimensions = [np.ndim(value) for value in operands]
        if axis >= 0 and len(set(dimensions)) > 1 and not any(map(answers_for_itself, operands)):
            # NumPy would count the axis in each operand by itself, and not in what they broadcast to
            if axis >= max(dimensions):
                raise np.exceptions.AxisError(axis, max(dimensions))
            axis -= max(dimensions)
        alike = plain and len({(value.shape, value.dtype) for value in operands}) == 1
        if alike and not kwargs and operands[0].dtype in (np.float32, np.float64):
            kwargs["out"] = np.empty_like(operands[-1])  # a gufunc's own output would lie with the axis last
        return evaluator(*operands, axis=axis, **kwargs)

    def check(self, name, value):
        """The axis is one integer; NumPy says whether it is in range."""
        try:
            operator.index(value if not isinstance(value, (bool, np.bool)) else "")
        except TypeError:
            raise TypeError(f"{self.name}() argument axis must be an integer, not {type(value).__name__} {value!r}") from None


def answers_for_itself(value):
    """Whether this is no array, and NumPy hands a call with it over to its own __array_ufunc__."""
    return overrides(value) and not isinstance(value, np.ndarray)


def public(call, document):
    """A plain function with the signature and the docstring of `call`."""

    def function(*args, **kwargs):
        return call(*args, **kwargs)

    return describe(function, call.name, document, call.signature)


# What a ufunc of one input has: fastact.sigmoid is one, and the fallback's takes the same.
UFUNC_SIGNATURE = "(x, /, out=None, *, where=True, **kwargs)"


def describe(function, name, document, signature):
    """Give a function its name, docstring and signature."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = "fastact"
    function.__doc__ = document
    function.__text_signature__ = signature
    return function
