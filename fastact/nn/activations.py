"""The activation of a layer, found by its name: forward, backward, and the initial weights that suit it."""

import math

import numpy as np

import fastact

from ..calls.elementwise import nearest
from ..declare import ACTIVATIONS

# Functions are examined from -FAR to FAR. Beyond, no activation bends any more.
FAR = 20.0

# Elementwise functions of one array that no layer takes, and why.
UNFIT = {
    "logit": "it is defined on (0, 1) alone",
    "prelu": "its weight would have to be learnt, and leaky_relu has a fixed one",
}


def known():
    """The functions that a layer takes, elementwise ones of one array and softmax: their parameters by name."""
    found = {"softmax": ["scale"]}
    for activation in ACTIVATIONS.values():
        if activation.public and len(activation.operands) == 1 and activation.name not in UNFIT:
            parameters = [*activation.parameters, *([activation.option] if activation.option else [])]
            found |= dict.fromkeys([activation.name, *activation.aliases], parameters)
    return found


def names():
    """The names that a layer takes."""
    return sorted(known())


class Function:
    """The function that a layer applies to inputs @ weights + bias.

    Attributes
    ----------
    name : str or None
        The name in fastact, None for no activation and for a pair of the user's own functions.
    parameters : dict
        The parameters of the function, by name.
    from_output : bool
        Whether the backward pass can start from the output, so that the input may be overwritten.
    """

    def __init__(self, forward, backward, name=None, parameters=None, from_output=False):
        self._forward, self._backward = forward, backward
        self.name, self.parameters, self.from_output = name, parameters or {}, from_output

    @property
    def is_linear(self):
        """Whether there is no activation."""
        return self._forward is None

    @property
    def is_own(self):
        """Whether the user gave it as a pair of functions."""
        return self.name is None and not self.is_linear

    def forward(self, x, out=None):
        """f(x), a new array or in `out`."""
        if self.name is not None:
            return self._forward(x, out=out, **self.parameters)
        result = x if self.is_linear else self._forward(read_only(x))
        return write(result, np.empty_like(x) if out is None else out, "the activation's forward function")

    def backward(self, grad, x=None, y=None, out=None):
        """Multiply grad by f'(x), found from the input x or the output y; a new array or in `out`."""
        if self.name is not None:
            if y is not None:
                return self._backward(grad, y=y, out=out, **self.parameters)
            return self._backward(grad, x, out=out, **self.parameters)
        # A function of the user's may change the gradient that it gets. The caller's array must stay as it is.
        given = grad if grad is out else grad.copy()
        result = given if self.is_linear else self._backward(given, read_only(x))
        return write(result, given if out is None else out, "the activation's backward function")

    def slope(self, x):
        """The derivative at each x."""
        return self.backward(np.ones_like(x), x)

    @property
    def init(self):
        """The name of the initial weights that suit it: LeCun for selu, He where f grows like x, else Glorot.

        A function of the user's own gets He's, and is not called to find that out.
        """
        if self.is_own:
            return "he"
        if self.name == "selu":
            return "lecun"
        if self.is_linear or self.name == "softmax":
            return "glorot"
        return "he" if float(self.forward(np.array([FAR]))[0]) > FAR / 2 else "glorot"

    def __reduce__(self):
        """Pickle the name, where there is one."""
        if self.name is not None:
            return find, (self.name, self.parameters)
        return find, (None if self.is_linear else (self._forward, self._backward), {})

    def __repr__(self):
        if self.is_own:
            return f"({label(self._forward)}, {label(self._backward)})"
        return ", ".join([repr(self.name), *(f"{name}={value!r}" for name, value in self.parameters.items())])


def write(result, out, what):
    """Write the result to `out`, if it is another array; `what` names its function in an error."""
    if result is not out:
        if np.shape(result) != out.shape:
            raise ValueError(f"{what} must return an array of its input's shape {out.shape}, got {np.shape(result)}")
        np.copyto(out, result)
    return out


def read_only(array):
    """A read-only view for a function of the user's, which must not change the array."""
    view = array.view()
    view.flags.writeable = False
    return view


def label(function):
    """The name of a function of the user's."""
    return getattr(function, "__name__", repr(function))


def find(activation, parameters):
    """The activation that a name, one of fastact's functions, a pair of functions or None stands for.

    Parameters
    ----------
    activation : str, callable, (callable, callable) or None
    parameters : dict
        The parameters of the function, by name.

    Returns
    -------
    Function
    """
    if activation is None or isinstance(activation, (tuple, list)):
        if parameters:
            raise TypeError(
                f"Dense() got an unexpected argument {next(iter(parameters))!r}: only fastact's functions have parameters"
            )
        if activation is None:
            return Function(None, None, from_output=True)
        if len(activation) != 2 or not all(map(callable, activation)):
            raise TypeError(f"activation must be a pair of functions, f(x) and f_backward(grad, x), got {activation!r}")
        return Function(*activation)
    if callable(activation):
        name = getattr(activation, "__name__", "")
        if getattr(fastact, name, None) is not activation:
            raise TypeError(f"activation must be a name or a pair of functions (f, f_backward), got {name or activation!r} alone")
        activation = name
    if not isinstance(activation, str):
        given = f"{type(activation).__name__} {activation!r}"
        raise TypeError(f"activation must be a name, a pair of functions (f, f_backward) or None, not {given}")
    if activation not in names():
        near = nearest(activation, names())
        hint = f"did you mean {near!r}?" if near else f"it is one of {', '.join(names())}"
        if activation.lower() in ("linear", "identity", "none", ""):
            hint = "a layer without one takes None"
        elif activation in fastact.__all__:  # type: ignore[attr-defined]  # the stub has no __all__
            hint = UNFIT.get(activation, "it takes functions of one array, element by element, and softmax")
        raise ValueError(f"activation {activation!r} is none that a layer takes: {hint}")
    return named(str(activation), dict(parameters))


def named(name, parameters):
    """A function of fastact, tried once, so that a wrong parameter is refused here."""
    forward, backward = getattr(fastact, name), getattr(fastact, name + "_backward")
    takes = known()[name]
    for parameter, value in parameters.items():
        if parameter not in takes:  # among them where=, which would leave results unwritten
            right = f"whose parameters are {', '.join(takes)}" if takes else "which has no parameters"
            raise TypeError(f"Dense() got an unexpected argument {parameter!r} for {name!r}, {right}")
        if isinstance(value, (np.ndarray, list, tuple)) and np.ndim(value):
            raise TypeError(f"Dense() argument {parameter} must be one number for the whole layer, got {value!r}")
        if isinstance(value, (np.generic, np.ndarray)):
            value = parameters[parameter] = value.item()
        if isinstance(value, float) and math.isnan(value):
            raise ValueError(f"Dense() argument {parameter} must be a number, got {value!r}")
    sample = np.array([0.25, 0.5])
    output = forward(sample, **parameters)
    try:
        backward(np.ones(2), y=output, **parameters)
    except (TypeError, ValueError):  # the output does not determine the derivative
        from_output = False
    else:
        from_output = True
    return Function(forward, backward, name, parameters, from_output)
