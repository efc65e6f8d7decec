"""The calls of gumbel_softmax, which draws noise, and of its backward pass."""

import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .arguments import blocks, checked_out, computing, is_half, loop_dtype, overlaps, rounded
from .elementwise import Call
from .operands import array_to_read, is_masked, refuse_masked_out
from .rows import RowCall, check_flag, finite_number

# How many numbers are drawn at a time.
DRAWN = 4096


class GumbelCall(Call):
    """A call of gumbel_softmax. x plus noise is written to the result, then its softmax or hardmax in place."""

    keywords = "out=None, **kwargs"
    of_ufuncs = frozenset(("out", "where", "dtype", "casting", "subok"))

    def __init__(self, draw, functions):
        super().__init__(draw.name, ("x",), draw.parameters, {None: (None, None)})
        self.by_name, self.softmax, self.hardmax = draw.by_name, functions[draw.soft.name], functions[draw.hard.name]

    check = RowCall.check
    reduces = False

    def evaluate(self, _, operands, parameters, kwargs):
        """Check everything, then draw."""
        (x,), (axis,) = operands, parameters
        tau = checked_tau(self.name, kwargs.pop("tau", 1.0))
        hard, rng = kwargs.pop("hard", False), kwargs.pop("rng", None)
        check_flag(self.name, "hard", hard)
        x = array_to_read(self.name, "x", x, besides=" with an rng of its own for each")
        try:
            rng = np.random.default_rng(rng)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{self.name}() argument rng must be a numpy.random.Generator, a seed or None: {error}") from None
        if "where" in kwargs:
            raise TypeError(f"{self.name}() has no where=: every entry of a row counts")
        function, scale = (self.hardmax, {}) if hard else (self.softmax, {"scale": 1 / tau})
        refuse_masked_out(self.name, kwargs.get("out"))
        check_flag(self.name, "subok", kwargs.get("subok", True))
        loop = loop_dtype(self.name, [x], kwargs.get("dtype"))
        out = checked_out(self.name, kwargs.pop("out", None), loop, kwargs.get("casting", "same_kind"))
        if out is not None and out.shape != x.shape:
            raise ValueError(f"{self.name}: non-broadcastable output operand with shape {out.shape}, for x of {x.shape}")
        if x.ndim == 0:
            raise ValueError(f"{self.name}() needs x of at least one dimension, along which to normalize; got a scalar")
        normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
        if is_half(loop):
            noisy = np.empty_like(x, computing(loop))
            add_noise(x, rng, noisy)
            result = rounded(function(noisy, axis, out=noisy, **scale, **{**kwargs, "dtype": None}), loop)
            if out is None:
                return result
            np.copyto(out, result, casting=kwargs.get("casting", "same_kind"))
            return out
        noisy = out if out is not None and out.dtype == loop else np.empty_like(x, loop)
        add_noise(x.copy() if overlaps(x, noisy) else x, rng, noisy)
        return function(noisy, axis, out=noisy if out is None else out, **scale, **kwargs)


class GumbelBackwardCall(Call):
    """A call of the backward pass. It needs y=, since the noise has not been kept."""

    keywords = "out=None, **kwargs"
    by_name = {"y": None, "tau": 1.0}  # noqa: RUF012
    check = RowCall.check

    def __init__(self, draw, functions):
        super().__init__(f"{draw.name}_backward", ("grad",), draw.parameters, {None: (None, None)})
        self.softmax_backward = functions[f"{draw.soft.name}_backward"]

    @property
    def example(self):
        """The shortest right call, for messages."""
        return f"{self.name}(grad, y=y)"

    def __call__(self, *args, **kwargs):
        """Bind the arguments to the signature, check them, and evaluate."""
        y, tau = kwargs.pop("y", None), checked_tau(self.name, kwargs.pop("tau", 1.0))
        values = self.bind(args, kwargs)
        if y is None:
            raise TypeError(f"{self.name}() starts from the output, since the noise has gone: {self.example}")
        grad = values["grad"]
        y = array_to_read(self.name, "y", y) if is_masked(y) else y
        grad = array_to_read(self.name, "grad", grad) if is_masked(grad) else grad
        return self.softmax_backward(grad, None, values["axis"], y=y, scale=1 / tau, **kwargs)


def checked_tau(function, value):
    """The temperature as a float, checked."""
    tau = finite_number(function, "tau", value)
    if tau <= 0 or 1 / tau == math.inf:
        raise ValueError(f"{function}() needs tau > 0, got tau={value!r}")
    return tau


def add_noise(x, rng, out):
    """Write x - log(noise). The noise is drawn in C order, so that it is the same for every layout and dtype."""
    for part in blocks(x.shape, DRAWN):
        noise = rng.standard_exponential(x[part].shape)
        np.maximum(noise, np.finfo(np.float64).tiny, out=noise)
        np.log(noise, out=noise)
        with np.errstate(invalid="ignore", over="ignore"):
            np.subtract(x[part], noise, out=out[part], casting="same_kind")
