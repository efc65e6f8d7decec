"""Other libraries as contestants, where they are installed: PyTorch, SciPy and JAX, by the calls of elsewhere.py."""

import importlib
import importlib.util
import os

import numpy as np

from ...calls.arguments import is_half
from ...docstrings import elsewhere

# The libraries that can be called here.
CALLED = ("torch", "scipy", "jax")


def installed():
    """The installed ones of CALLED. Nothing is imported."""
    return tuple(name for name in CALLED if importlib.util.find_spec(name))


def names_of(library):
    """The objects that the names in a library's calls stand for, by name."""
    module = importlib.import_module(library)
    if library == "torch":
        return {"torch": module, "F": module.nn.functional}
    if library == "jax":
        importlib.import_module("jax.scipy.special")
        return {"jax": module, "nn": module.nn}
    return {"special": importlib.import_module("scipy.special")}


def function(library, declared, **values):
    """A library's function of its own arrays, or None. `values` are the axis, or parameters in the library's types."""
    call = elsewhere.CALLS.get(declared, {}).get(library)
    return eval(f"lambda x: {call}", {**names_of(library), **values}) if call else None


def of_numbers(library, declared, step, **values):
    """A library's function of a NumPy array of float32, or its own backward pass for a gradient of 1.

    For glu the array is the gate, and the value is 1. SciPy has no backward passes.
    """
    if library == "scipy":
        return np.errstate(all="ignore")(function(library, declared, **values))
    module, stack = importlib.import_module(library), declared == "glu"
    numbers = module if library == "torch" else module.numpy
    if library == "torch" and "weight" in values:
        values["weight"] = module.tensor([values["weight"]])
    call = function(library, declared, **({"axis": 0} if stack else values))
    forward = (lambda x: call(numbers.stack([numbers.ones_like(x), x]))[0]) if stack else call
    if library == "jax":
        backward = lambda x: module.vjp(forward, x)[1](numbers.ones_like(x))[0]  # noqa: E731
        compiled = module.jit(backward if step == "backward" else forward)
        return lambda x: np.asarray(compiled(x))

    def evaluate(x):
        given = module.from_numpy(x.copy()).requires_grad_(step == "backward")
        result = forward(given)
        if step == "backward":
            result.sum().backward()
            result = given.grad
        return result.numpy()

    return evaluate


def torch_call(case, operands):
    """The forward pass, or the backward pass by automatic differentiation, through a graph that is kept."""
    torch, values = importlib.import_module("torch"), dict(case.values)
    given = [tensor(operands["x"])]
    if "weight" in values:
        given.append(torch.tensor([values["weight"]], dtype=given[0].dtype))
        values["weight"] = given[1]
    call = function("torch", case.declared, **values)
    if call is None or case.step == "forward":
        return call and (lambda: call(given[0]))
    for each in given:
        each.requires_grad_()
    y, grad = call(given[0]), tensor(operands["grad"])
    return lambda: torch.autograd.grad(y, given, grad, retain_graph=True)


def tensor(array):
    """A tensor of PyTorch in the memory of an array. PyTorch takes the bits of bfloat16 as integers."""
    torch = importlib.import_module("torch")
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def jax_call(case, operands):
    """The compiled function, or its compiled derivative."""
    jax = importlib.import_module("jax")
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
        if case.operands != ("x",) or case.split or case.step == "backward y=":
            return None
        try:
            call = CALLS[library](case, operands)
            if call and is_half(operands["x"].dtype):
                call()
        except (RuntimeError, TypeError):
            if not is_half(operands["x"].dtype):
                raise
            return None  # the library does not have this function in half precision
        return call

    return make


def contestants(text, threads=(1,)):
    """Libraries as contestants, by name: those in `text`, or all that are installed where it is "installed".

    `threads` are the numbers of threads on which they will run. A ValueError says what to install.
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
        if len(threads) > 1:
            raise ValueError("jax has as many threads as it starts with: give --threads one number, or other libraries")
        hold_to_threads(*threads)
        importlib.import_module("jax").config.update("jax_enable_x64", True)  # or it would compute float64 in float32
    return {name: contestant(name) for name in names}


def hold_to_threads(number):
    """Make JAX use so many threads. It starts a thread for each core, has no setting for that, and must not be imported yet."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-number:])
    eigen = str(number > 1).lower()
    os.environ.setdefault("XLA_FLAGS", f"--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={number}")


def set_threads(names, number):
    """Set on how many threads these libraries run. SciPy always takes one."""
    if "torch" in names:
        importlib.import_module("torch").set_num_threads(number)


def versions(names):
    """Libraries with their versions, as one text."""
    return ", ".join(f"{name} {importlib.import_module(name).__version__}" for name in names)
