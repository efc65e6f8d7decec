"""PyTorch's and JAX's functions for accuracy.py; which library has what stands in fastact/bench/peers.py.

The backward passes are their own, by automatic differentiation, with a gradient of 1.
"""

import functools
import importlib.util

import numpy as np

from fastact.bench.peers import LIBRARIES, NAMES, function, jax_modules, torch_modules

__all__ = ["FRAMEWORKS", "LIBRARIES", "NAMES", "available", "evaluate", "has", "title"]

FRAMEWORKS = ("torch", "jax")


def title(one):
    """The name of a pass: silu, silu_backward."""
    return one.activation + ("_backward" if one.kind == "backward" else "")


def available():
    """The frameworks that are installed."""
    return tuple(name for name in FRAMEWORKS if importlib.util.find_spec(name))


def has(library, one):
    """Whether a library has the function."""
    return library in NAMES.get(one.activation, {})


def evaluate(framework, one, x):
    """A framework's forward pass at the float32 array x, or its backward pass with a gradient of 1."""
    return (_torch if framework == "torch" else _jax)(one.activation, one.kind)(x)


@functools.cache
def _torch(name, kind):
    torch = torch_modules()["torch"]
    function_of_one = function("torch", name, weight=torch.tensor([0.25]))

    def backward(x):
        given = torch.from_numpy(x.copy()).requires_grad_()
        function_of_one(given).sum().backward()
        return given.grad.numpy()

    return backward if kind == "backward" else lambda x: function_of_one(torch.from_numpy(x)).numpy()


@functools.cache
def _jax(name, kind):
    jax = jax_modules()["jax"]
    function_of_one = function("jax", name)
    backward = lambda x: jax.vjp(function_of_one, x)[1](jax.numpy.ones_like(x))[0]  # noqa: E731
    compiled = jax.jit(backward if kind == "backward" else function_of_one)
    return lambda x: np.asarray(compiled(x))
