"""The functions of PyTorch and JAX, for accuracy.py. Their backward passes are their own, by automatic differentiation.

fastact/docstrings/elsewhere.py says which library has which function.
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
    """Whether a library has the function of a pass."""
    return library in elsewhere.CALLS.get(one.activation, {})


@functools.cache
def evaluator(framework, name, kind):
    """A framework's forward pass, or its backward pass with a gradient of 1: a function of a float32 array, on one thread."""
    if framework == "torch":
        importlib.import_module("torch").set_num_threads(1)
    return of_numbers(framework, name, kind, **ACTIVATIONS[name].values)
