"""PyTorch's and JAX's functions beside ours, where they are installed: for accuracy.py and the README's tables.

A table says which of them has which function: `"torch": lambda F, x: ...` over torch.nn.functional, `"jax"` over jax.nn. The
backward passes are their own, by automatic differentiation, with a gradient of 1.
"""

import functools
import importlib.util

import numpy as np

FRAMEWORKS = ("torch", "jax")

PEERS = {
    "sigmoid": {"torch": lambda F, x: F.sigmoid(x), "jax": lambda nn, x: nn.sigmoid(x)},
    "tanh": {"torch": lambda F, x: F.tanh(x), "jax": lambda nn, x: nn.tanh(x)},
    "relu": {"torch": lambda F, x: F.relu(x), "jax": lambda nn, x: nn.relu(x)},
    "leaky_relu": {"torch": lambda F, x: F.leaky_relu(x), "jax": lambda nn, x: nn.leaky_relu(x)},
    "elu": {"torch": lambda F, x: F.elu(x), "jax": lambda nn, x: nn.elu(x)},
    "relu6": {"torch": lambda F, x: F.relu6(x), "jax": lambda nn, x: nn.relu6(x)},
    "selu": {"torch": lambda F, x: F.selu(x), "jax": lambda nn, x: nn.selu(x)},
    "celu": {"torch": lambda F, x: F.celu(x), "jax": lambda nn, x: nn.celu(x)},
    "gelu": {"torch": lambda F, x: F.gelu(x), "jax": lambda nn, x: nn.gelu(x, approximate=False)},
    "gelu_tanh": {"torch": lambda F, x: F.gelu(x, approximate="tanh"), "jax": lambda nn, x: nn.gelu(x, approximate=True)},
    "silu": {"torch": lambda F, x: F.silu(x), "jax": lambda nn, x: nn.silu(x)},
    "mish": {"torch": lambda F, x: F.mish(x), "jax": lambda nn, x: nn.mish(x)},
    "softplus": {"torch": lambda F, x: F.softplus(x), "jax": lambda nn, x: nn.softplus(x)},
    "softsign": {"torch": lambda F, x: F.softsign(x), "jax": lambda nn, x: nn.soft_sign(x)},
    "log_sigmoid": {"torch": lambda F, x: F.logsigmoid(x), "jax": lambda nn, x: nn.log_sigmoid(x)},
    "hard_sigmoid": {"torch": lambda F, x: F.hardsigmoid(x), "jax": lambda nn, x: nn.hard_sigmoid(x)},
    "hard_swish": {"torch": lambda F, x: F.hardswish(x), "jax": lambda nn, x: nn.hard_silu(x)},
    "hard_tanh": {"torch": lambda F, x: F.hardtanh(x), "jax": lambda nn, x: nn.hard_tanh(x)},
    "hard_shrink": {"torch": lambda F, x: F.hardshrink(x)},
    "soft_shrink": {"torch": lambda F, x: F.softshrink(x)},
    "tanh_shrink": {"torch": lambda F, x: F.tanhshrink(x)},
    "threshold": {"torch": lambda F, x: F.threshold(x, 0.1, -0.2)},
    "squareplus": {"jax": lambda nn, x: nn.squareplus(x)},
    "sparse_plus": {"jax": lambda nn, x: nn.sparse_plus(x)},
    "sparse_sigmoid": {"jax": lambda nn, x: nn.sparse_sigmoid(x)},
    "logit": {"torch": lambda F, x: F.logit(x), "jax": lambda nn, x: nn.logit(x)},
}


def title(one):
    """The name of a pass: silu, silu_backward."""
    return one.activation + ("_backward" if one.kind == "backward" else "")


def available():
    """The frameworks that are installed."""
    return tuple(name for name in FRAMEWORKS if importlib.util.find_spec(name))


def has(framework, one):
    """Whether a framework has the function."""
    return framework in PEERS.get(one.activation, {})


def evaluate(framework, one, x):
    """A framework's forward pass at the float32 array x, or its backward pass with a gradient of 1."""
    return (_torch if framework == "torch" else _jax)(one.activation, one.kind)(x)


@functools.cache
def _torch(name, kind):
    import torch
    import torch.nn.functional

    torch.set_num_threads(1)
    functional = torch.nn.functional
    for missing in ("sigmoid", "tanh", "logit"):
        setattr(functional, missing, getattr(torch, missing))
    function = PEERS[name]["torch"]

    def forward(x):
        return function(functional, torch.from_numpy(x)).numpy()

    def backward(x):
        given = torch.from_numpy(x.copy()).requires_grad_()
        function(functional, given).sum().backward()
        return given.grad.numpy()

    return forward if kind == "forward" else backward


@functools.cache
def _jax(name, kind):
    import jax

    nn = jax.nn
    if not hasattr(nn, "logit"):
        nn.logit = jax.scipy.special.logit
    function = PEERS[name]["jax"]
    compiled = jax.jit(lambda x: function(nn, x))
    if kind == "backward":
        compiled = jax.jit(lambda x: jax.vjp(lambda z: function(nn, z), x)[1](jax.numpy.ones_like(x))[0])
    return lambda x: np.asarray(compiled(x))
