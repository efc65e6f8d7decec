"""PyTorch's and JAX's functions for accuracy.py; which library has what stands in fastact/elsewhere.py.

The backward passes are their own, by automatic differentiation, with a gradient of 1.
"""

import functools
import importlib.util

import numpy as np

from fastact import elsewhere
from fastact.bench.peers import function, jax_modules, torch_modules
from fastact.declare import ACTIVATIONS

FRAMEWORKS = ("torch", "jax")


def title(one):
    """The name of a pass: silu, silu_backward."""
    return one.activation + ("_backward" if one.kind == "backward" else "")


def available():
    """The frameworks that are installed."""
    return tuple(name for name in FRAMEWORKS if importlib.util.find_spec(name))


def has(library, one):
    """Whether a library has the function."""
    return library in elsewhere.CALLS.get(one.activation, {})


def evaluate(framework, one, x):
    """A framework's forward pass at the float32 array x, or its backward pass with a gradient of 1."""
    return (_torch if framework == "torch" else _jax)(one.activation, one.kind)(x)


def function_of_one(framework, name, numbers, **values):
    """A function of x alone, with the usual parameters; of glu the value is 1 and x the gate."""
    if name == "glu":
        glu = function(framework, name, axis=0)
        return lambda x: glu(numbers.stack([numbers.ones_like(x), x]))[0]
    return function(framework, name, **{**ACTIVATIONS[name].values, **values})


@functools.cache
def _torch(name, kind):
    torch = torch_modules()["torch"]
    forward = function_of_one("torch", name, torch, weight=torch.tensor([0.25]))

    def backward(x):
        given = torch.from_numpy(x.copy()).requires_grad_()
        forward(given).sum().backward()
        return given.grad.numpy()

    return backward if kind == "backward" else lambda x: forward(torch.from_numpy(x)).numpy()


@functools.cache
def _jax(name, kind):
    jax = jax_modules()["jax"]
    forward = function_of_one("jax", name, jax.numpy)
    backward = lambda x: jax.vjp(forward, x)[1](jax.numpy.ones_like(x))[0]  # noqa: E731
    compiled = jax.jit(backward if kind == "backward" else forward)
    return lambda x: np.asarray(compiled(x))
