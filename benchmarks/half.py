"""float16 and bfloat16 beside PyTorch and beside float32, on one thread: `python benchmarks/half.py [--simd avx2]`.

For each function and size: ns an element, the ratio of PyTorch's time to ours, where it is installed, with its target, and ours
as a multiple of our float32, with its target where AVX2 has one. Contestants take turns in one process, and the best of many
rounds counts; PyTorch writes a new array, as its functions do. bfloat16 needs ml_dtypes.
"""

import argparse

from held import HELD, hold

PARSER = argparse.ArgumentParser(description=__doc__.splitlines()[0])
PARSER.add_argument("--simd", choices=list(HELD), help="hold both libraries to this instruction set")
PARSER.add_argument("--sizes", nargs="+", type=int, default=[1 << 18, 1 << 23], help="elements")
PARSER.add_argument("--seconds", type=float, default=0.4, help="for one line")
PARSER.add_argument("--functions", nargs="+", help="only these")
ARGUMENTS = PARSER.parse_args()
if ARGUMENTS.simd:
    hold(ARGUMENTS.simd)

import numpy as np  # noqa: E402
from rows import best_times  # noqa: E402

import fastact as fa  # noqa: E402

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None
try:
    import torch
except ImportError:
    torch = None
else:
    torch.set_num_threads(1)

# Columns of a row, and its axis
ROWS = {"softmax[10]": (10, -1), "softmax[1024]": (1024, -1), "softmax[32768]": (32768, -1), "softmax[1024, axis 0]": (1024, 0)}
# How many times as fast as PyTorch a function is to be
TARGETS = {
    "float16": {"sigmoid": 1.3, "silu": 1.3, "gelu": 1.3, "softmax[1024]": 1.5},
    "bfloat16": {"sigmoid": 1.3, "silu": 1.3, "gelu": 0.8, "softmax[1024]": 1.5},
}
OF_FLOAT32 = 1.3  # the multiple of float32's time that AVX2 is to stay below, of functions with a target
FUNCTIONS = ("sigmoid", "silu", "gelu", "relu", "tanh", "gelu_backward", *ROWS, "log_softmax[1024]", "cross_entropy[1024]")


def calls(name, x, grad, tensor, tensor_grad):
    """Our call in the dtype of x, and PyTorch's of the same values, or None."""
    out, peer = np.empty_like(x), None
    if name in ROWS or name in ("log_softmax[1024]", "cross_entropy[1024]"):
        columns, axis = ROWS.get(name, (1024, -1))
        whole = x.size // columns * columns
        shape = (-1, columns) if axis else (columns, -1)
        x, out = x[:whole].reshape(shape), out[:whole].reshape(shape)
        function = name.partition("[")[0]
        if function == "cross_entropy":
            index = np.arange(len(x)) % columns
            if torch:
                tensor, target = tensor[:whole].reshape(shape), torch.from_numpy(index)
                peer = lambda: torch.nn.functional.cross_entropy(tensor, target)  # noqa: E731
            return lambda: fa.cross_entropy(x, index), peer
        if torch:
            tensor = tensor[:whole].reshape(shape)
            peer = lambda: getattr(torch, function)(tensor, axis)  # noqa: E731
        return lambda: getattr(fa, function)(x, axis, out=out), peer
    if name == "gelu_backward":
        if torch:
            peer = lambda: torch.ops.aten.gelu_backward(tensor_grad, tensor)  # noqa: E731
        return lambda: fa.gelu_backward(grad, x, out=out), peer
    if torch:
        peer = lambda: getattr(torch.nn.functional, name, getattr(torch, name, None))(tensor)  # noqa: E731
    return lambda: getattr(fa, name)(x, out=out), peer


def line(name, dtype, size):
    """The figures of one function, as text."""
    rng = np.random.default_rng(0)
    x, grad = (rng.normal(0, 2, size).astype(np.float32) for _ in range(2))
    tensors = [torch.from_numpy(one).to(getattr(torch, dtype.name)) for one in (x, grad)] if torch else (None, None)
    ours, theirs = calls(name, x.astype(dtype), grad.astype(dtype), *tensors)
    contestants = {"ours": ours, "float32": calls(name, x, grad, *tensors)[0], **({"torch": theirs} if theirs else {})}
    best = {who: 1e9 * time for who, time in best_times(contestants, ARGUMENTS.seconds).items()}
    text = f"{size:>9} {dtype.name:<9} {name:<22} {best['ours'] / size:6.3f} ns"
    target = TARGETS[dtype.name].get(name)
    multiple = best["ours"] / best["float32"]
    text += f"  {multiple:5.2f} of float32"
    if fa.simd == "avx2" and target:
        text += f" (at most {OF_FLOAT32}{'' if multiple <= OF_FLOAT32 else ': MISSED'})"
    if theirs:
        ratio = best["torch"] / best["ours"]
        text += f"  torch {best['torch'] / size:6.3f} ns, {ratio:5.2f} times"
        if target and fa.simd != "avx2":
            text += f" (at least {target}{'' if ratio >= target else ': MISSED'})"
    return text


def main():
    """Print a line for each function, dtype and size."""
    print(f"fastact {fa.__version__} on {fa.simd}, PyTorch {torch.__version__ if torch else 'not installed'}")
    dtypes = [np.dtype(np.float16), *([np.dtype(ml_dtypes.bfloat16)] if ml_dtypes else [])]
    for size in ARGUMENTS.sizes:
        for dtype in dtypes:
            for name in ARGUMENTS.functions or FUNCTIONS:
                print(line(name, dtype, size), flush=True)


if __name__ == "__main__":
    main()
