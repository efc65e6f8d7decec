"""The formulas in mpmath: the code of formulas.py runs on the words below, with any number of digits.

>>> evaluate = exact_functions()["mish"]
>>> evaluate(mpmath.mpf(-30))  # doctest: +ELLIPSIS
mpf('-2.80728689...e-12')
"""

import ast
import inspect
import types

import mpmath

from fastact import formulas
from fastact.declare import ACTIVATIONS, REQUIRED


def where(condition, yes, no):
    """A choice between two numbers."""
    return yes if condition else no


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return 1 / (1 + mpmath.exp(-x))


def tanh_cubic(square):
    """(x - tanh(x)) / x**3 from x**2."""
    x = mpmath.sqrt(square)
    with mpmath.extraprec(int(-6 * mpmath.log(x + mpmath.mpf(2) ** -2000, 2)) + 20):  # what the difference loses
        return (x - mpmath.tanh(x)) / x**3 if x else mpmath.mpf(1) / 3


WORDS = {
    "abs": abs,
    "clip": lambda x, low, high: min(max(x, low), high),
    "damped": lambda a, x, e: a * mpmath.exp(min(x, 0)),
    "erf": mpmath.erf,
    "exp": mpmath.exp,
    "exp_times": lambda a, x: a * mpmath.exp(x),
    "expm1": mpmath.expm1,
    "gate_slope": lambda z: sigmoid(z) * (1 + z * sigmoid(-z)),
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "log_ratio": lambda a, b: mpmath.log(a / b),
    "maximum": max,
    "minimum": min,
    "polynomial": lambda x, *coefficients: mpmath.polyval(coefficients[::-1], x),
    "scaled_normal_tail": lambda t: mpmath.erfc(t / mpmath.sqrt(2)) / 2 * mpmath.exp(t * t / 2),
    "sigmoid": sigmoid,
    "sigmoid_derivative": lambda x: sigmoid(x) * sigmoid(-x),
    "sin": mpmath.sin,
    "sin_plus_cos": lambda a, x: mpmath.sin(a * x) + mpmath.cos(a * x),
    "sqrt": mpmath.sqrt,
    "tanh": mpmath.tanh,
    "tanh_cubic": tanh_cubic,
    "times_sigmoid": lambda a, z: a * sigmoid(z),
    "times_sigmoid_derivative": lambda a, z: a * sigmoid(z) * sigmoid(-z),
    "times_softplus": lambda a, z: a * mpmath.log1p(mpmath.exp(z)),
    "unless_nan": lambda x, value: value,
    "where": where,
}


def exact_constants():
    """The constants of formulas.py, with all the digits that stand there."""
    constants = {}
    for node in ast.parse(inspect.getsource(formulas)).body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="constant"), args=[ast.Constant(value=text)])
            ):
                constants[name] = mpmath.mpf(text)
    return constants


def exact_functions():
    """The formula of each pass from the input, by the name of its kernel, with the default parameters.

    A backward pass has the gradient 1.
    """
    names = {**WORDS, **exact_constants(), "words": types.SimpleNamespace(**WORDS)}
    for name, function in vars(formulas).items():
        if inspect.isfunction(function) and function.__module__ == formulas.__name__:
            names[name] = types.FunctionType(function.__code__, names)
    functions = {}
    for activation in ACTIVATIONS.values():
        forward, backward = (types.FunctionType(each.__code__, names) for each in (activation.forward, activation.backward))
        names[activation.name] = forward
        if len(activation.operands) == 1 and REQUIRED not in activation.parameters.values():
            values = [mpmath.nan if value is None else mpmath.mpf(value) for value in activation.parameters.values()]
            functions[activation.name] = lambda x, f=forward, v=values: f(x, *v)
            functions[activation.name + "_backward"] = lambda x, f=backward, v=values: f(mpmath.mpf(1), x, *v)
    return functions
