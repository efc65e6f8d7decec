"""PyTorch's and JAX's functions for accuracy.py; which library has what stands in fastact/docstrings/elsewhere.py.

The backward passes are their own, by automatic differentiation.
"""

import functools
import importlib.util

from fastact.command.bench.peers import of_numbers
from fastact.declare import ACTIVATIONS
from fastact.docstrings import elsewhere

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


@functools.cache
def evaluator(framework, name, kind):
    """A framework's forward pass of a float32 array, or its backward pass with a gradient of 1, on one thread."""
    if framework == "torch":
        importlib.import_module("torch").set_num_threads(1)
    return of_numbers(framework, name, kind, **ACTIVATIONS[name].values)
