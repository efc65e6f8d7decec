"""`Call`: a call of an elementwise function, and the base of all other calls.

An *evaluator* is called as a ufunc is: inputs and parameters by position, out=, where= and so on by name. Those of the compiled
core are ufuncs, those of the fallback are made in numpy_backend/. A Call fills in the defaults, checks the parameters, chooses an
evaluator by the option, by x or by y=, and calls it. rows.py has the calls along an axis; special.py, sampling.py and losses.py
have calls that do more.
"""

import functools
import re
from typing import Any

import numpy as np

from ..declare import REQUIRED
from .arguments import computing, integer, is_floating, loop_dtype, overrides
from .operands import half_of_frames, is_lazy, refuse_lazy_out, weak_numbers

# Keywords of other libraries, or of other functions here, and the keyword that may be meant.
ELSEWHERE = {
    "dim": "axis",
    "alpha": "negative_slope",
    "negative_slope": "alpha",
    "inplace": "out",
    "temperature": "tau",
    "attn_mask": "mask",
    "is_causal": "causal",
    "min": "min_val",
    "max": "max_val",
    "theta": "threshold",
    "lambda_": "lambd",
    "lr": "rate",
    "learning_rate": "rate",
    "betas": "beta1",
    "epsilon": "eps",
    "weight": "",  # weights of classes: only cross_entropy has them, and pos_weight is something else
}


class Call:
    """A call of one elementwise function.

    Attributes
    ----------
    name : str
    operands : tuple of str
        ("x",) forward, ("grad", "x") backward; a gated function has two names in place of x.
    parameters : dict
        Names and defaults, REQUIRED where there is none.
    evaluators : dict
        For each value of the option, the default first, the evaluator from the input and the one from the output. The second is
        None where the output does not determine the derivative. Without an option the only key is None.
    option : str or None
        The keyword that chooses among the evaluators.
    requires, output_requires : tuple of code
        What the parameters must fulfil, and what besides to start from the output.
    by_name : dict
        Keyword-only parameters with their defaults: subclasses have some.
    function : callable
        The public function, which backends.py makes and stores here.
    """

    def __init__(self, name, operands, parameters, evaluators, option=None, requires=(), output_requires=()):
        self.name = name
        self.operands = operands
        self.parameters = parameters
        self.evaluators = evaluators
        self.option = option
        self.requires = tuple(compile(text, text, "eval") for text in requires)
        self.output_requires = tuple(compile(text, text, "eval") for text in output_requires)

    @property
    def default(self):
        """The two evaluators where the option is not given."""
        return next(iter(self.evaluators.values()))

    @property
    def signature(self):
        """The signature as text."""
        parts = [*self.operands, "/"]
        if self.default[1] is not None and REQUIRED not in self.parameters.values():
            parts[1] += "=None"  # Python's grammar lets no parameter without a default follow one with a default
        parts += [name if default is REQUIRED else f"{name}={default!r}" for name, default in self.parameters.items()]
        parts.append("*")
        if self.default[1] is not None:
            parts.append("y=None")
        if self.option is not None:
            parts.append(f"{self.option}={next(iter(self.evaluators))!r}")
        parts += [f"{name}={default!r}" for name, default in self.by_name.items()]
        return f"({', '.join(parts)}, {self.keywords})"

    @property
    def has_shortcut(self):
        """Whether the core may have a fast path in front of this call."""
        return True

    by_name: dict[str, Any] = {}  # noqa: RUF012  (nobody changes it)
    keywords = "out=None, where=True, **kwargs"
    of_ufuncs = frozenset(("out", "where", "casting", "order", "dtype", "subok", "signature"))  # keywords of a ufunc

    @property
    def example(self):
        """The shortest right call, for messages."""
        return f"{self.name}({', '.join([*self.operands, *self.required])})"

    @property
    def required(self):
        """The parameters that must be given."""
        return [name for name, default in self.parameters.items() if default is REQUIRED]

    def __call__(self, *args, **kwargs):
        """Bind the arguments to the signature, check them, and evaluate."""
        values = self.bind(args, kwargs)
        from_input, from_output = self.chosen(kwargs)
        operands = [values.get(name, REQUIRED) for name in self.operands]
        evaluator = from_input
        if self.operands[0] == "grad":
            y = kwargs.pop("y", None)
            if from_output is not None:
                x = operands[1]
                if (x is None or x is REQUIRED) == (y is None):
                    got = "got neither" if y is None else "got both"
                    output = ", ".join(["grad", *(f"{name}={name}" for name in self.required), "y=y"])
                    ways = f"the input, {self.example}, or the output, {self.name}({output})"
                    raise TypeError(f"{self.name}() takes either {ways}: {got}")
                if y is not None:
                    evaluator, operands[1] = from_output, y
            elif y is not None:
                raise TypeError(
                    f"{self.name}() cannot start from y=: the output does not determine the derivative; "
                    f"pass the input, {self.example}"
                )
        for name, value in zip((*self.operands, *self.parameters), (*operands, *self.numbers(values)), strict=True):
            if value is REQUIRED:
                raise TypeError(f"{self.name}() is missing {name}: {self.example}")
        self.demand(self.requires, values, "needs", "")
        if vanishing := self.vanishing(values, operands, kwargs):
            lost = ", ".join(f"{values[name]!r} is 0 in float32" for name in vanishing)
            self.demand(self.requires, {**values, **dict.fromkeys(vanishing, 0.0)}, "needs", f": {lost}")
        if evaluator is from_output:
            reason = ": otherwise the output does not determine the derivative; pass the input instead"
            self.demand(self.output_requires, values, "with y= needs", reason)
        return self.evaluate(evaluator, operands, self.numbers(values), kwargs)

    def bind(self, args, kwargs):
        """The operands and parameters by name; parameters are removed from `kwargs`."""
        names = (*self.operands, *self.parameters)
        if len(args) > len(names):
            raise TypeError(
                f"{self.name}() takes at most {len(names)} positional arguments ({', '.join(names)}), got {len(args)}; "
                "out= is given by keyword"
            )
        for name in self.operands:
            if name in kwargs:
                raise TypeError(f"{self.name}() takes {name} by position only: {self.example}")
        if not args:
            raise TypeError(f"{self.name}() is missing its first argument, {self.operands[0]}: an array")
        if unknown := kwargs.keys() - self.known:
            refuse_unknown(self.name, unknown, self.known, self.known - self.of_ufuncs | {"out"})
        values = {**self.parameters, **dict(zip(names, args, strict=False))}
        for name in self.parameters:
            if name in kwargs:
                if names.index(name) < len(args):
                    raise TypeError(f"{self.name}() got multiple values for argument {name!r}")
                values[name] = kwargs.pop(name)
            if values[name] is not REQUIRED:
                self.check(name, values[name])
        return values

    @functools.cached_property
    def known(self):
        """All keywords that the call takes."""
        own = {*self.parameters, *self.by_name, self.option, "y" if self.operands[0] == "grad" else None}
        return self.of_ufuncs | own - {None}

    def chosen(self, kwargs):
        """The evaluators that the option chooses."""
        if self.option not in kwargs:
            return self.default
        value, right = kwargs.pop(self.option), " or ".join(map(repr, self.evaluators))
        if not isinstance(value, str):
            raise TypeError(f"{self.name}() argument {self.option} must be {right}, not {type(value).__name__} {value!r}")
        if value not in self.evaluators:
            raise ValueError(f"{self.name}() argument {self.option} must be {right}, got {value!r}")
        return self.evaluators[value]

    def numbers(self, values):
        """The parameters in order."""
        return [values[name] for name in self.parameters]

    def vanishing(self, values, operands, kwargs):
        """The parameters, if there are conditions, that are not 0 but become 0 in the dtype of the computation."""
        if not self.requires:
            return []
        small = [name for name in self.parameters if type(values[name]) is float and 0 < abs(values[name]) < 1e-45]
        if not small or any(map(answers_for_itself, (*operands, *values.values()))):
            return []
        inputs = [value for value in (*operands, *weak_numbers(operands, self.numbers(values))) if value is not None]
        dtype = computing(loop_dtype(self.name, inputs, kwargs.get("dtype")))
        return [name for name in small if dtype.type(values[name]) == 0]

    def demand(self, conditions, values, needs, reason):
        """Refuse parameters that do not fulfil the conditions, NaN among them."""
        for condition in conditions:
            involved = {name: values[name] for name in condition.co_names}
            if any(map(is_lazy, involved.values())):
                continue  # comparing the values would compute them
            compared = {
                name: np.asarray(value) if isinstance(value, (list, tuple)) else value for name, value in involved.items()
            }
            try:
                fulfilled = bool(np.all(eval(condition, {"__builtins__": {}}, compared)))
                fulfilled = fulfilled and not any(np.any(value != value) for value in compared.values())
            except Exception:
                if any(map(answers_for_itself, involved.values())):
                    continue  # it cannot be compared; its own functions will check it
                raise
            if not fulfilled:
                got = ", ".join(f"{name}={value!r}" for name, value in involved.items())
                raise ValueError(f"{self.name}() {needs} {condition.co_filename}, got {got}{reason}")

    def evaluate(self, evaluator, operands, parameters, kwargs):
        """Call the evaluator. Parameters are further inputs of the ufunc, NaN in place of None."""
        parameters = [np.nan if value is None else value for value in parameters]
        if kwargs.get("out", ...) is None and evaluator.nout > 1:
            kwargs["out"] = (None,) * evaluator.nout  # a ufunc with several results refuses None
        refuse_lazy_out(self.name, kwargs.get("out"))
        numbers = weak_numbers(operands, parameters)
        if numbers is not parameters and kwargs.get("dtype") is None and (half := half_of_frames(operands)):
            kwargs["dtype"] = half  # the numbers are float32 now, which would decide
        return evaluator(*operands, *numbers, **kwargs)

    def check(self, name, value):
        """Refuse a parameter that is no real number and no array of them, unless it has an __array_ufunc__ of its own."""
        if isinstance(value, float) or (value is None and self.parameters[name] is None):
            return
        if isinstance(value, int):
            try:
                float(value)
            except OverflowError:
                raise ValueError(
                    f"{self.name}() argument {name} must be a number that a float can hold, got {value!r:.20}..."
                ) from None
            return
        if answers_for_itself(value):
            return
        if value is None or isinstance(value, (str, bytes)) or not is_real(np.asarray(value).dtype):
            raise TypeError(
                f"{self.name}() argument {name} must be a real number or an array of real numbers, "
                f"not {type(value).__name__} {value!r}"
            )


def is_real(dtype):
    """Whether this is the dtype of real numbers."""
    return dtype.kind in "biu" or is_floating(dtype)


def refuse_unknown(function, unknown, known, told):
    """Refuse unknown keywords. The message says what the first was meant to be, or which keywords there are (`told`)."""
    name = min(unknown)
    meant = ELSEWHERE.get(name.lower(), name)
    near = meant if meant in known else nearest(name, known)
    hint = f"did you mean {near}=?" if near and meant else f"it takes {', '.join(sorted(told))}"
    raise TypeError(f"{function}() got an unexpected keyword argument {name!r}: {hint}")


def nearest(name, names, least=0.6):
    """The most similar of the names, without regard to case, hyphens and underscores; None if no similarity is above `least`."""
    import difflib  # here, since only an error needs it

    squeezed = {re.sub("[-_ ]", "", each): each for each in names}
    near = difflib.get_close_matches(re.sub("[-_ ]", "", name.lower()), squeezed, 1, least)
    return squeezed[near[0]] if near else None


def check_axis(function, value, others=""):
    """Refuse an axis that is no integer; `others` says what else would be right, for the message."""
    try:
        integer(value)
    except TypeError:
        raise TypeError(f"{function}() argument axis must be an integer{others}, not {type(value).__name__} {value!r}") from None


def answers_for_itself(value):
    """Whether this is no array but has an __array_ufunc__ of its own, to which NumPy hands the call over."""
    return overrides(value) and not isinstance(value, np.ndarray)


def public(call, document):
    """A plain function with the signature and the docstring of `call`."""
    function = short_way(call) if type(call) is Call and all(hasattr(one, "plain") for one in call.default if one) else None
    if function is None:

        def function(*args, **kwargs):
            return call(*args, **kwargs)

    return describe(function, call.name, document, call.signature)


def short_way(call):
    """A function for a call of the fallback: plain arrays and parameters known to be right go to the evaluator at once.

    Parameters that are given are right if a call with the same has passed, in the same dtype.
    """
    from_input, from_output = (one and one.plain for one in call.default)
    count = len(call.operands)
    passed: set[tuple] = set()
    usual = tuple(np.nan if value is None else value for value in call.parameters.values())
    complete, short = REQUIRED not in usual, {"out", "y"} if from_output else {"out"}

    def function(*args, **kwargs):
        evaluate, given, numbers = from_input, args[:count], args[count:]
        if kwargs:
            if not kwargs.keys() <= short:
                return call(*args, **kwargs)
            if args and kwargs.get("y") is not None:
                evaluate = from_output if len(args) == 1 or args[1] is None else None
                given = args[0], kwargs["y"]
        key = None
        if not numbers:
            numbers, right = usual, complete
        else:
            if all(type(number) is float for number in numbers):
                key = evaluate, getattr(args[0], "dtype", None), *numbers
            right = key in passed
        if right and evaluate and given:
            result = evaluate(given, numbers, kwargs.get("out"))
            if result is not None:
                return result
        result = call(*args, **kwargs)
        if key and len(passed) < 64:
            passed.add(key)
        return result

    return function


def ufunc_signature(operands):
    """The signature of a ufunc of these inputs, and of the fallback's function in its place."""
    return f"({', '.join(operands)}, /, out=None, *, where=True, **kwargs)"


def describe(function, name, document, signature):
    """Give a function its name, docstring and signature."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = "fastact"
    function.__doc__ = document
    function.__text_signature__ = signature
    return function
