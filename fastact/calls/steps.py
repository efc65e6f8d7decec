"""The calls of `adam_step` and `sgd_step`, steps of optimizers.

The formulas are torch's. Everything is checked before anything is written. Numbers that depend on the number of the step are
computed in float64, so that float32 does not lose the digits of 1 - beta2.
"""

import inspect
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..declare import FUSED
from .arguments import LOOPS, integer, is_half
from .elementwise import refuse_unknown
from .operands import is_masked
from .rows import finite_number

LAST_STEP = 2**53
# Elements that the fallback computes at a time: a step has a dozen temporary arrays.
BLOCK = 16384
# float32 has all its digits for numbers between these: they need no further check.
SMALL, LARGE = 1e-37, 1e37
RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "rate": ("rate >= 0", lambda value: value >= 0),
    "beta1": ("0 <= beta1 < 1", lambda value: 0 <= value < 1),
    "beta2": ("0 <= beta2 < 1", lambda value: 0 <= value < 1),
    "eps": ("eps > 0", lambda value: value > 0),
    "weight_decay": ("weight_decay >= 0", lambda value: value >= 0),
    "momentum": ("momentum >= 0", lambda value: value >= 0),
}


class Step:
    """A call of a step. `run` takes the step; its signature is the public one, but for the last argument **unknown."""

    default = None, None  # no evaluator computes the whole call

    def __init__(self, run):
        self.run, self.name = run, run.__name__
        run.__qualname__ = self.name  # for Python's own messages
        signature = inspect.signature(run)
        self.signature = str(signature.replace(parameters=list(signature.parameters.values())[:-1]))

    def __call__(self, *args, **kwargs):
        """Take the step."""
        return self.run(*args, **kwargs)


def adam(evaluators):
    """The step of Adam and AdamW."""
    evaluator, in_place = evaluators["adam"], evaluators.get("step_in_place", in_blocks)

    def adam_step(
        parameters,
        gradients,
        first_moment,
        second_moment,
        *,
        step,
        rate=0.001,
        beta1=0.9,
        beta2=0.999,
        eps=1e-8,
        weight_decay=0.0,
        **unknown,
    ):
        if unknown:
            known = {"step", "rate", "beta1", "beta2", "eps", "weight_decay"}
            refuse_unknown("adam_step", unknown, known, known)
        if type(step) is not int or not 0 < step <= LAST_STEP:
            step = checked_step("adam_step", step)
        if not (type(rate) is type(beta1) is type(beta2) is type(eps) is type(weight_decay) is float) or not (
            0 <= rate < LARGE and 0 <= beta1 < 1 and 0 <= beta2 < 1 and SMALL < eps < LARGE and 0 <= weight_decay < LARGE
        ):
            given = {"rate": rate, "beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": weight_decay}
            rate, beta1, beta2, eps, weight_decay = checked_numbers("adam_step", given)
        root = math.sqrt(grown(beta2, step))
        size, least, keep = rate / grown(beta1, step) * root, eps * root, 1 - rate * weight_decay
        arrays = parameters, gradients, first_moment, second_moment
        numbers = beta1, 1 - beta1, beta2, 1 - beta2, size, least, keep
        if least < SMALL or size > LARGE or keep < -LARGE or not in_place(evaluator, arrays, numbers):
            names = "parameters", "gradients", "first_moment", "second_moment"
            dtype = check_arrays("adam_step", dict(zip(names, arrays, strict=True)))
            for name, value, number in (("eps", eps, least), ("rate", rate, size), ("weight_decay", weight_decay, keep)):
                check_held("adam_step", name, value, number, dtype)
            evaluate(evaluator, arrays, numbers)
        return parameters

    return Step(adam_step)


def sgd(evaluators):
    """The step of gradient descent, with or without momentum."""
    plain, classical, nesterovs = evaluators["sgd"], evaluators["sgd_momentum"], evaluators["sgd_nesterov"]
    in_place = evaluators.get("step_in_place", in_blocks)

    def sgd_step(parameters, gradients, velocity=None, *, rate=0.01, momentum=0.0, nesterov=False, **unknown):
        if unknown:
            known = {"velocity", "rate", "momentum", "nesterov"}
            refuse_unknown("sgd_step", unknown, known, known)
        if not (type(rate) is type(momentum) is float) or not (0 <= rate < LARGE and 0 <= momentum < LARGE):
            rate, momentum = checked_numbers("sgd_step", {"rate": rate, "momentum": momentum})
        if type(nesterov) is not bool:
            nesterov = checked_choice("sgd_step", "nesterov", nesterov)
        if nesterov and momentum == 0:
            raise ValueError(f"sgd_step() with nesterov=True needs momentum > 0, got momentum={momentum!r}")
        if velocity is None:
            if momentum:
                way = "pass velocity, an array that is zeros_like(parameters) before the first step, and keep it"
                raise ValueError(f"sgd_step() with momentum={momentum!r} needs velocity: {way}")
            arrays: tuple[Any, ...] = parameters, gradients
            numbers: tuple[float, ...] = (rate,)
            evaluator = plain
        else:
            evaluator = nesterovs if nesterov else classical
            arrays, numbers = (parameters, gradients, velocity), (rate, momentum)
        if rate > LARGE or momentum > LARGE or not in_place(evaluator, arrays, numbers):
            names = "parameters", "gradients", "velocity"
            dtype = check_arrays("sgd_step", dict(zip(names, arrays, strict=False)))
            check_held("sgd_step", "rate", rate, rate, dtype)
            check_held("sgd_step", "momentum", momentum, momentum, dtype)
            evaluate(evaluator, arrays, numbers)
        return parameters

    return Step(sgd_step)


def grown(beta, step):
    """1 - beta**step, with all its digits."""
    return -math.expm1(step * math.log(beta)) if beta else 1.0


def in_blocks(evaluator, arrays, numbers):
    """A step in NumPy, if all arrays are plain and share no memory; else False. It writes all arrays but the second."""
    first = arrays[0]
    for i, array in enumerate(arrays):
        if type(array) is not np.ndarray or array.dtype not in LOOPS or array.dtype != first.dtype or array.shape != first.shape:
            return False
        flags = array.flags
        if not (flags.c_contiguous and flags.aligned and (flags.writeable or i == 1)):
            return False
        if any(np.may_share_memory(array, other) for other in arrays[:i]):
            return False
    formula = FUSED[evaluator.__name__].formula
    numbers = [first.dtype.type(number) for number in numbers]
    rows = [array.reshape(-1) for array in arrays]
    changed = [rows[0], *rows[2:]]
    with np.errstate(all="ignore"):
        for start in range(0, first.size, BLOCK):
            part = slice(start, start + BLOCK)
            results = formula(*(row[part] for row in rows), *numbers)
            for row, result in zip(changed, results if isinstance(results, tuple) else (results,), strict=True):
                row[part] = result
    return True


def evaluate(evaluator, arrays, numbers):
    """Take a step in place on any arrays, as plain arrays: a subclass has no say."""
    arrays = [np.asarray(array) for array in arrays]
    first, _, *others = arrays
    evaluator(*arrays, *numbers, out=(first, *others) if others else first)


def checked_step(function, value):
    """The number of a step, an integer from 1 on."""
    try:
        step = integer(value)
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"{function}() argument step must be an integer, 1 for the first step, not {kind} {value!r}") from None
    if not 0 < step <= LAST_STEP:
        raise ValueError(f"{function}() needs 1 <= step <= 2**53, got step={step}: count steps from 1")
    return step


def checked_numbers(function, given):
    """The numbers as floats. One that is not finite or out of its range is refused."""
    numbers = []
    for name, value in given.items():
        numbers.append(finite_number(function, name, value))
        words, right = RANGES[name]
        if not right(numbers[-1]):
            raise ValueError(f"{function}() needs {words}, got {name}={value!r}")
    return numbers


def checked_choice(function, name, value):
    """The value as a bool; anything but True and False is refused."""
    if not isinstance(value, np.bool):
        raise TypeError(f"{function}() argument {name} must be True or False, not {type(value).__name__} {value!r}")
    return bool(value)


def check_held(function, name, value, number, dtype):
    """Refuse `value` if the number that the step makes of it is infinite in this dtype, or 0 for eps."""
    with np.errstate(all="ignore"):
        held = dtype.type(number)
    if not np.isfinite(held) or (name == "eps" and held == 0):
        wrong = "0" if name == "eps" else "infinite"
        raise ValueError(f"{function}() argument {name} must be a number for {dtype}, got {value!r}: in the step it is {wrong}")


def check_arrays(function, arrays):
    """The common dtype. Arrays of different dtypes or shapes, read-only ones and ones that share memory are refused."""
    first: Any = None
    for name, array in arrays.items():
        if is_masked(array):
            raise TypeError(f"{function}() takes plain arrays, and {name} is a masked one: pass {name}.data")
        if not isinstance(array, np.ndarray):
            kind = type(array).__name__
            raise TypeError(f"{function}() changes arrays in place: {name} must be a numpy.ndarray in memory, not {kind}")
        if array.dtype not in LOOPS:
            hint = ""
            if is_half(array.dtype):
                way = "keep a copy of the network's parameters in float32, take the steps there, and round it for each pass"
                hint = f": {way}, since small steps would round to nothing"
            raise TypeError(f"{function}() argument {name} must have dtype float32 or float64, not {str(array.dtype)!r}{hint}")
        if first is None:
            first = array
        if array.dtype != first.dtype:
            right = f"the dtype of parameters, {first.dtype}, not {array.dtype}"
            raise TypeError(f"{function}() argument {name} must have {right}: pass {name}.astype(parameters.dtype)")
        if array.shape != first.shape:
            raise ValueError(f"{function}() needs {name} of the shape of parameters, {first.shape}, got {array.shape}")
        if name != "gradients" and not array.flags.writeable:
            raise ValueError(f"{function}() changes {name} in place, and it is read-only: pass a writeable array")
    for one, other in itertools.combinations(arrays, 2):
        if share_memory(arrays[one], arrays[other]):
            raise ValueError(f"{function}() needs arrays that do not overlap: {one} and {other} share memory")
    return first.dtype


def share_memory(one, other):
    """Whether two arrays share memory; True where it would take long to find out."""
    try:
        return np.shares_memory(one, other, max_work=10000)  # type: ignore[arg-type]  # NumPy's stub takes 0 and -1 alone
    except np.exceptions.TooHardError:
        return True


def calls(evaluators):
    """The calls of all steps."""
    return adam(evaluators), sgd(evaluators)
