"""Other libraries: which of them has which function, and how their users call it.

`NAMES` gives each library's name of the same function, where need be by parameters. PyTorch's, JAX's and SciPy's entries are
calls, of x and of `axis` or required parameters, which are made where these libraries are installed.
"""

import importlib
import importlib.util
import os

LIBRARIES = {"torch": "PyTorch", "jax": "JAX", "keras": "Keras", "onnx": "ONNX", "thinc": "thinc"}
# Those that can be called here.
CALLED = ("torch", "scipy", "jax")

NAMES = {
    "sigmoid": {
        "torch": "torch.sigmoid(x)",
        "jax": "nn.sigmoid(x)",
        "scipy": "special.expit(x)",
        "keras": "sigmoid",
        "onnx": "Sigmoid",
        "thinc": "sigmoid",
    },
    "tanh": {"torch": "torch.tanh(x)", "jax": "nn.tanh(x)", "keras": "tanh", "onnx": "Tanh"},
    "relu": {"torch": "F.relu(x)", "jax": "nn.relu(x)", "keras": "relu", "onnx": "Relu", "thinc": "relu"},
    "leaky_relu": {"torch": "F.leaky_relu(x)", "jax": "nn.leaky_relu(x)", "keras": "leaky_relu", "onnx": "LeakyRelu"},
    "elu": {"torch": "F.elu(x)", "jax": "nn.elu(x)", "keras": "elu", "onnx": "Elu"},
    "relu6": {"torch": "F.relu6(x)", "jax": "nn.relu6(x)", "keras": "relu6", "onnx": "Clip", "thinc": "relu_k"},
    "selu": {"torch": "F.selu(x)", "jax": "nn.selu(x)", "keras": "selu", "onnx": "Selu"},
    "celu": {"torch": "F.celu(x)", "jax": "nn.celu(x)", "keras": "celu", "onnx": "Celu"},
    "gelu": {
        "torch": "F.gelu(x)",
        "jax": "nn.gelu(x, approximate=False)",
        "scipy": "x * special.ndtr(x)",
        "keras": "gelu",
        "onnx": "Gelu",
        "thinc": "gelu",
    },
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
    "log_sigmoid": {
        "torch": "F.logsigmoid(x)",
        "jax": "nn.log_sigmoid(x)",
        "scipy": "special.log_expit(x)",
        "keras": "log_sigmoid",
    },
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
    "prelu": {"torch": "F.prelu(x, weight)", "keras": "PReLU", "onnx": "PRelu"},
    "squareplus": {"jax": "nn.squareplus(x)", "keras": "squareplus"},
    "sparse_plus": {"jax": "nn.sparse_plus(x)", "keras": "sparse_plus"},
    "sparse_sigmoid": {"jax": "nn.sparse_sigmoid(x)", "keras": "sparse_sigmoid"},
    "logit": {"torch": "torch.logit(x)", "jax": "jax.scipy.special.logit(x)", "scipy": "special.logit(x)"},
    "glu": {
        "torch": "F.glu(torch.stack([torch.ones_like(x), x]), dim=0)[0]",
        "jax": "nn.glu(jax.numpy.stack([jax.numpy.ones_like(x), x]), axis=0)[0]",
        "keras": "glu",
    },
    "swiglu": {"onnx": "SwiGLU"},
    "log_softmax": {
        "torch": "F.log_softmax(x, dim=axis)",
        "jax": "nn.log_softmax(x, axis=axis)",
        "scipy": "special.log_softmax(x, axis=axis)",
        "keras": "log_softmax",
        "onnx": "LogSoftmax",
    },
    "logsumexp": {
        "torch": "torch.logsumexp(x, dim=axis)",
        "jax": "nn.logsumexp(x, axis=axis)",
        "scipy": "special.logsumexp(x, axis=axis)",
        "keras": "logsumexp",
        "onnx": "ReduceLogSumExp",
    },
    "softmin": {"torch": "F.softmin(x, dim=axis)"},
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
    "softmax": {
        "torch": "F.softmax(x, dim=axis)",
        "jax": "nn.softmax(x, axis=axis)",
        "scipy": "special.softmax(x, axis=axis)",
        "keras": "softmax",
        "onnx": "Softmax",
        "thinc": "softmax",
    },
}


def installed():
    """Those of CALLED that are there; nothing is imported."""
    return tuple(name for name in CALLED if importlib.util.find_spec(name))


def function(library, declared, **values):
    """A library's function of its own arrays, or None: `values` are the axis, or required parameters as its users hold them."""
    call = NAMES.get(declared, {}).get(library)
    return eval(f"lambda x: {call}", {**MODULES[library](), **values}) if call else None


def torch_modules():
    """PyTorch on one thread."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    return {"torch": torch, "F": torch.nn.functional}


def jax_modules():
    """JAX, in the dtype that it is given."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    return {"jax": jax, "nn": jax.nn}


def scipy_modules():
    """SciPy's special functions."""
    return {"special": importlib.import_module("scipy.special")}


MODULES = {"torch": torch_modules, "jax": jax_modules, "scipy": scipy_modules}


def torch_call(case, operands):
    """The forward pass, or automatic differentiation's backward pass through a graph that is kept."""
    torch, values = torch_modules()["torch"], dict(case.values)
    given = [torch.from_numpy(operands["x"])]
    if "weight" in values:
        given.append(torch.tensor([values["weight"]], dtype=given[0].dtype))
        values["weight"] = given[1]
    call = function("torch", case.declared, **values)
    if call is None or case.step == "forward":
        return call and (lambda: call(given[0]))
    for tensor in given:
        tensor.requires_grad_()
    y, grad = call(given[0]), torch.from_numpy(operands["grad"])
    return lambda: torch.autograd.grad(y, given, grad, retain_graph=True)


def jax_call(case, operands):
    """The compiled function, or its compiled derivative."""
    jax = jax_modules()["jax"]
    call = function("jax", case.declared, **dict(case.values))
    if call is None:
        return None
    given = [jax.device_put(operands["x"])]
    if case.step != "forward":
        given.append(jax.device_put(operands["grad"]))
    compiled = jax.jit(call if case.step == "forward" else lambda x, grad: jax.vjp(call, x)[1](grad)[0])
    return lambda: compiled(*given).block_until_ready()


def scipy_call(case, operands):
    """SciPy's function, which has no backward pass."""
    call, x = function("scipy", case.declared, **dict(case.values)), operands["x"]
    return call and case.step == "forward" and (lambda: call(x))


CALLS = {"torch": torch_call, "jax": jax_call, "scipy": scipy_call}


def contestant(library):
    """A library as a contestant of contest.py, on functions of one array, forward and backward from the input."""

    def make(case, operands):
        of_one_array = case.operands == ("x",) and not case.split
        return CALLS[library](case, operands) if of_one_array and case.step != "backward y=" else None

    return make


def contestants(text):
    """Libraries as contestants, by name: those in `text`, or all that are installed where it is "installed".

    A ValueError says what to install.
    """
    names = [name.strip() for name in text.split(",")] if text != "installed" else installed()
    if not names:
        raise ValueError(f"none of {', '.join(CALLED)} is installed here: pip install torch, for instance")
    for name in names:
        if name not in CALLED:
            raise ValueError(f"unknown library {name!r}: choose among {', '.join(CALLED)}")
        if name not in installed():
            raise ValueError(f"{name} is not installed here: pip install {name}")
    if "jax" in names:
        hold_to_one_thread()
    return {name: contestant(name) for name in names}


def hold_to_one_thread():
    """Make JAX use one thread, before it is imported: it has no number of threads to set, and a thread for each core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")


def versions(names):
    """Libraries with their versions, as one text."""
    return ", ".join(f"{name} {importlib.import_module(name).__version__}" for name in names)
