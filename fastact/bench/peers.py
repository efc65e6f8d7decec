"""Other libraries as contestants, where they are installed: PyTorch, SciPy and JAX, by the calls of fastact/elsewhere.py."""

import importlib
import importlib.util
import os

from .. import elsewhere

# Those that can be called here.
CALLED = ("torch", "scipy", "jax")


def installed():
    """Those of CALLED that are there; nothing is imported."""
    return tuple(name for name in CALLED if importlib.util.find_spec(name))


def function(library, declared, **values):
    """A library's function of its own arrays, or None: `values` are the axis, or the parameters as its users hold them."""
    call = elsewhere.CALLS.get(declared, {}).get(library)
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
