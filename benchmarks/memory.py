"""Functions as fast as memory beside NumPy and PyTorch, on one thread: `python benchmarks/memory.py [--simd avx2]`.

At 256 Ki elements the cheap functions as multiples of np.multiply, of one array twice or of two (squareplus: of np.sqrt). At 2 Mi
elements and more the ratio of PyTorch to ours, where PyTorch is installed, with and without np.sum of the result directly
afterwards, and that of np.multiply. Contestants take turns in one process. `--simd avx2` holds all of them to AVX2.
"""

import argparse
from functools import partial

from held import hold

PARSER = argparse.ArgumentParser(description=__doc__.splitlines()[0])
PARSER.add_argument("--simd", choices=["avx2"], help="hold all libraries to this instruction set")
PARSER.add_argument("--dtypes", nargs="+", default=["float32", "float64"], choices=["float32", "float64"])
PARSER.add_argument("--sizes", nargs="+", type=int, default=[2, 8, 32], help="in Mi elements")
PARSER.add_argument("--parts", nargs="+", default=["cheap", "large"], choices=["cheap", "large"])
PARSER.add_argument("--functions", nargs="+", help="only these")
PARSER.add_argument("--seconds", type=float, default=1, help="for one group of contestants")
ARGUMENTS = PARSER.parse_args()
if ARGUMENTS.simd:
    hold(ARGUMENTS.simd)

import numpy as np  # noqa: E402
from rows import best_times  # noqa: E402

import fastact  # noqa: E402

try:
    import torch
except ImportError:
    torch = None
else:
    torch.set_num_threads(1)

# name -> the most that it may take, as a multiple of np.multiply
FORWARD = {
    **dict.fromkeys(["relu", "relu6", "hard_shrink", "hard_tanh"], 1.07),
    **dict.fromkeys(["hard_sigmoid", "hard_swish", "sparse_plus", "clipped_linear", "squareplus"], 1.15),
    "softcap": 1.5,
}
SELECTIONS = ["relu", "relu6", "hard_tanh", "hard_shrink", "soft_shrink", "threshold", "sparse_sigmoid"]
BACKWARD = {
    **{f"{name}_backward": 1.07 for name in SELECTIONS},
    **{f"{name}_backward": 1.2 for name in ["hard_sigmoid", "hard_swish", "sparse_plus", "clipped_linear", "squareplus"]},
    **{f"{name}_backward": 1.5 for name in ["logit", "softcap"]},
    "reglu": 1.07,  # of two arrays, too
}
REQUIRED = {"softcap": (30.0,), "threshold": (0.1, -0.2)}  # parameters without defaults
# our function -> PyTorch's kernel, its keyword for the result, and what it wants besides
PEERS = {
    "relu": ("clamp_min.out", "out", (0,)),
    "relu_backward": ("threshold_backward.grad_input", "grad_input", (0,)),
    "hard_tanh": ("hardtanh.out", "out", ()),
    "hard_tanh_backward": ("hardtanh_backward.grad_input", "grad_input", (-1, 1)),
    "hard_sigmoid": ("hardsigmoid.out", "out", ()),
    "hard_sigmoid_backward": ("hardsigmoid_backward.grad_input", "grad_input", ()),
    "hard_swish": ("hardswish.out", "out", ()),
    "hard_shrink_backward": ("hardshrink_backward.grad_input", "grad_input", (0.5,)),
    "soft_shrink": ("softshrink.out", "out", ()),
    "leaky_relu": ("leaky_relu.out", "out", ()),
    "leaky_relu_backward": ("leaky_relu_backward.grad_input", "grad_input", (0.01, False)),
    "sigmoid": ("sigmoid.out", "out", ()),
    "silu_backward": ("silu_backward.grad_input", "grad_input", ()),
    "gelu_backward": ("gelu_backward.grad_input", "grad_input", ()),
}


def normal(n, dtype, count):
    """Arrays of normal numbers, and one for the result."""
    rng = np.random.default_rng(0)
    return [(2 * rng.standard_normal(n, np.float32)).astype(dtype) for _ in range(count)] + [np.empty(n, dtype)]


def cheap(dtype):
    """Multiples of the least that NumPy takes to move the same arrays, at 256 Ki elements."""
    x, other, out = normal(1 << 18, dtype, 2)
    probability = np.abs(np.tanh(x)) * dtype(0.98) + dtype(0.01)
    calls = {
        "multiply": partial(np.multiply, x, x, out=out),
        "multiply two": partial(np.multiply, x, other, out=out),
        "sqrt": partial(np.sqrt, probability, out=out),
    }
    limits = {}
    for name in filter(wanted, FORWARD):
        calls[name] = partial(getattr(fastact, name), x, *REQUIRED.get(name, ()), out=out)
        limits[name] = FORWARD[name], "sqrt" if name == "squareplus" else "multiply"
    for name in filter(wanted, BACKWARD):
        point = probability if name == "logit_backward" else x
        more = REQUIRED.get(name.removesuffix("_backward"), ())
        calls[name] = partial(getattr(fastact, name), other, point, *more, out=out)
        limits[name] = BACKWARD[name], "multiply two"
    times = best_times(calls, 3 * ARGUMENTS.seconds)
    for name, (limit, base) in limits.items():
        ratio = times[name] / times[base]
        title = f"{' !'[ratio > limit]} {dtype.__name__}  256 Ki  {name:24}"
        print(f"{title}{ratio:6.2f} times np.{base} (target {limit})", flush=True)


def wanted(name):
    """Whether the function was asked for."""
    return not ARGUMENTS.functions or name in ARGUMENTS.functions


def large(dtype, mi):
    """The ratio of PyTorch's time to ours, alone and with np.sum of the result; the same in place; and that of np.multiply."""
    *arrays, out = normal(mi << 20, dtype, 2)
    for name in filter(wanted, PEERS):
        inputs = arrays if name.endswith("_backward") else arrays[:1]
        calls = to(out, name, inputs)
        calls["NumPy"] = partial(np.multiply, inputs[0], inputs[-1], out=out)
        calls |= {
            f"{library}, read": partial(and_read, calls[library], out) for library in ("ours", "PyTorch") if library in calls
        }
        report(name, dtype, mi, best_times(calls, ARGUMENTS.seconds))
        if name in ("relu", "relu_backward"):
            report(name + ", in place", dtype, mi, best_times(to(inputs[0], name, inputs), ARGUMENTS.seconds))


def to(out, name, inputs):
    """Calls of our function and of PyTorch's that write to `out`."""
    calls = {"ours": partial(getattr(fastact, name), *inputs, out=out)}
    if torch:
        (kernel, overload), keyword, more = PEERS[name][0].split("."), *PEERS[name][1:]
        function = getattr(getattr(torch.ops.aten, kernel), overload)
        calls["PyTorch"] = partial(function, *map(torch.from_numpy, inputs), *more, **{keyword: torch.from_numpy(out)})
    return calls


def and_read(call, out):
    """What a call and the next reader of its result take together."""
    call()
    np.sum(out)


def report(name, dtype, mi, times):
    """One line: ns an element, and ratios to ours."""
    own, count = times["ours"], mi << 20
    line = f"  {dtype.__name__}  {mi:2} Mi  {name:24}{1e9 * own / count:6.3f} ns"
    for library in ("PyTorch", "NumPy"):
        if library in times:
            ratio = times[library] / own
            line += f"   {library} {ratio:5.2f}{' !'[library == 'PyTorch' and ratio < 0.95]}"
    if "PyTorch, read" in times:
        line += f"   read next: PyTorch {times['PyTorch, read'] / times['ours, read']:5.2f}"
    if "ours, read" in times:
        line += f" ({1e9 * times['ours, read'] / count:.3f} ns)"
    print(line, flush=True)


def main():
    """Measure what was asked for."""
    print(f"fastact {fastact.simd}, NumPy {np.__version__}, PyTorch {torch.__version__ if torch else 'not installed'}")
    for dtype in (getattr(np, name) for name in ARGUMENTS.dtypes):
        if "cheap" in ARGUMENTS.parts:
            cheap(dtype)
        for mi in ARGUMENTS.sizes if "large" in ARGUMENTS.parts else ():
            large(dtype, mi)


if __name__ == "__main__":
    main()
