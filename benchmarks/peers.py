"""Which other libraries have which function: for the README's table and, PyTorch and JAX, for accuracy.py.

`NAMES` gives each library's name of the same function, where need be by parameters. PyTorch's and JAX's entries are calls, and
accuracy.py makes them where these libraries are installed; the backward passes are their own, by automatic differentiation,
with a gradient of 1.
"""

import functools
import importlib.util

import numpy as np

LIBRARIES = {"torch": "PyTorch", "jax": "JAX", "keras": "Keras", "onnx": "ONNX", "thinc": "thinc"}
FRAMEWORKS = ("torch", "jax")

NAMES = {
    "sigmoid": {"torch": "torch.sigmoid(x)", "jax": "nn.sigmoid(x)", "keras": "sigmoid", "onnx": "Sigmoid", "thinc": "sigmoid"},
    "tanh": {"torch": "torch.tanh(x)", "jax": "nn.tanh(x)", "keras": "tanh", "onnx": "Tanh"},
    "relu": {"torch": "F.relu(x)", "jax": "nn.relu(x)", "keras": "relu", "onnx": "Relu", "thinc": "relu"},
    "leaky_relu": {"torch": "F.leaky_relu(x)", "jax": "nn.leaky_relu(x)", "keras": "leaky_relu", "onnx": "LeakyRelu"},
    "elu": {"torch": "F.elu(x)", "jax": "nn.elu(x)", "keras": "elu", "onnx": "Elu"},
    "relu6": {"torch": "F.relu6(x)", "jax": "nn.relu6(x)", "keras": "relu6", "onnx": "Clip", "thinc": "relu_k"},
    "selu": {"torch": "F.selu(x)", "jax": "nn.selu(x)", "keras": "selu", "onnx": "Selu"},
    "celu": {"torch": "F.celu(x)", "jax": "nn.celu(x)", "keras": "celu", "onnx": "Celu"},
    "gelu": {"torch": "F.gelu(x)", "jax": "nn.gelu(x, approximate=False)", "keras": "gelu", "onnx": "Gelu", "thinc": "gelu"},
    "gelu_tanh": {
        "torch": "F.gelu(x, approximate='tanh')",
        "jax": "nn.gelu(x, approximate=True)",
        "keras": "gelu",
        "onnx": "Gelu",
        "thinc": "gelu_approx",
    },
    "silu": {"torch": "F.silu(x)", "jax": "nn.silu(x)", "keras": "silu", "onnx": "Swish", "thinc": "swish"},
    "mish": {"torch": "F.mish(x)", "jax": "nn.mish(x)", "keras": "mish", "onnx": "Mish", "thinc": "mish"},
    "softplus": {"torch": "F.softplus(x)", "jax": "nn.softplus(x)", "keras": "softplus", "onnx": "Softplus"},
    "softsign": {"torch": "F.softsign(x)", "jax": "nn.soft_sign(x)", "keras": "softsign", "onnx": "Softsign"},
    "log_sigmoid": {"torch": "F.logsigmoid(x)", "jax": "nn.log_sigmoid(x)", "keras": "log_sigmoid"},
    "hard_sigmoid": {"torch": "F.hardsigmoid(x)", "jax": "nn.hard_sigmoid(x)", "keras": "hard_sigmoid", "onnx": "HardSigmoid"},
    "clipped_linear": {"thinc": "clipped_linear"},
    "hard_swish": {
        "torch": "F.hardswish(x)",
        "jax": "nn.hard_silu(x)",
        "keras": "hard_silu",
        "onnx": "HardSwish",
        "thinc": "hard_swish_mobilenet",
    },
    "hard_tanh": {"torch": "F.hardtanh(x)", "jax": "nn.hard_tanh(x)", "keras": "hard_tanh", "onnx": "Clip", "thinc": "hard_tanh"},
    "hard_shrink": {"torch": "F.hardshrink(x)", "keras": "hard_shrink", "onnx": "Shrink"},
    "soft_shrink": {"torch": "F.softshrink(x)", "keras": "soft_shrink", "onnx": "Shrink"},
    "tanh_shrink": {"torch": "F.tanhshrink(x)", "keras": "tanh_shrink"},
    "threshold": {"torch": "F.threshold(x, 0.1, -0.2)", "keras": "threshold"},
    "prelu": {"torch": "F.prelu(x, x.new_tensor([0.25]))", "keras": "PReLU", "onnx": "PRelu"},
    "squareplus": {"jax": "nn.squareplus(x)", "keras": "squareplus"},
    "sparse_plus": {"jax": "nn.sparse_plus(x)", "keras": "sparse_plus"},
    "sparse_sigmoid": {"jax": "nn.sparse_sigmoid(x)", "keras": "sparse_sigmoid"},
    "logit": {"torch": "torch.logit(x)", "jax": "jax.scipy.special.logit(x)"},
    "glu": {
        "torch": "F.glu(torch.stack([torch.ones_like(x), x]), dim=0)[0]",
        "jax": "nn.glu(jax.numpy.stack([jax.numpy.ones_like(x), x]), axis=0)[0]",
        "keras": "glu",
    },
    "swiglu": {"onnx": "SwiGLU"},
    "log_softmax": {"torch": "log_softmax", "jax": "log_softmax", "keras": "log_softmax", "onnx": "LogSoftmax"},
    "logsumexp": {"torch": "logsumexp", "jax": "logsumexp", "keras": "logsumexp", "onnx": "ReduceLogSumExp"},
    "softmin": {"torch": "softmin"},
    "hardmax": {"onnx": "Hardmax"},
    "sparsemax": {"keras": "sparsemax"},
    "gumbel_softmax": {"torch": "gumbel_softmax"},
    "cross_entropy": {
        "torch": "cross_entropy",
        "keras": "SparseCategoricalCrossentropy",
        "onnx": "SoftmaxCrossEntropyLoss",
        "thinc": "CategoricalCrossentropy",
    },
    "binary_cross_entropy_with_logits": {"torch": "binary_cross_entropy_with_logits", "keras": "BinaryCrossentropy"},
    "softmax": {"torch": "softmax", "jax": "softmax", "keras": "softmax", "onnx": "Softmax", "thinc": "softmax"},
}


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
    return (_torch if framework == "torch" else _jax)(NAMES[one.activation][framework], one.kind)(x)


@functools.cache
def _torch(call, kind):
    import torch

    torch.set_num_threads(1)
    function = eval(f"lambda x: {call}", {"torch": torch, "F": torch.nn.functional})

    def backward(x):
        given = torch.from_numpy(x.copy()).requires_grad_()
        function(given).sum().backward()
        return given.grad.numpy()

    return backward if kind == "backward" else lambda x: function(torch.from_numpy(x)).numpy()


@functools.cache
def _jax(call, kind):
    import jax

    function = eval(f"lambda x: {call}", {"jax": jax, "nn": jax.nn})
    backward = lambda x: jax.vjp(function, x)[1](jax.numpy.ones_like(x))[0]  # noqa: E731
    compiled = jax.jit(backward if kind == "backward" else function)
    return lambda x: np.asarray(compiled(x))
