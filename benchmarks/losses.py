"""Losses and glu beside PyTorch on one thread, and losses of a few rows: `python benchmarks/losses.py [--simd avx2]`.

Of 256 Ki float32 elements the ratio of PyTorch's time to ours, with its target. Of ten elements the time of a call in us, with
its target. Contestants take turns in one process, and the best of many rounds counts. `--simd avx2` holds both to AVX2; the
targets of glu are for AVX-512.
"""

import argparse

from held import HELD, hold

PARSER = argparse.ArgumentParser(description=__doc__.splitlines()[0])
PARSER.add_argument("--simd", choices=list(HELD), help="hold both libraries to this instruction set")
PARSER.add_argument("--seconds", type=float, default=0.5, help="for one line")
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

BINARY, SPLIT, CALL = 1.2, 1.1, 2.0  # the targets: of binary losses and of glu beside PyTorch, and of a short call in us
BINARY_SHAPES, SPLIT_SHAPES = [(1 << 18,), (1024, 256)], [(2048, 128), (256, 1024), (1024, 256), (1024, 512)]
NAME = "binary_cross_entropy_with_logits"
# The arguments of ours, and of PyTorch's. Its gradients are those of automatic differentiation.
BINARY_CASES = [
    ("x, t", "x, t"),
    ("x, t, reduction='none'", "x, t, reduction='none'"),
    ("x, t, pos_weight=2.0", "x, t, pos_weight=two"),
    ("x, t, pos_weight=w", "x, t, pos_weight=w"),
]
SHORT = [
    *(f"{NAME}{end}" for end in ("(x, t)", "(x, t, reduction='none')", "(x, t, pos_weight=2.0)", "_and_grad(x, t)")),
    *(f"{NAME}_backward({given})" for given in ("1.0, x, t", "grad, x, t, reduction='none'", "1.0, x, t, pos_weight=2.0")),
    *(f"cross_entropy(x, index{option})" for option in ("", ", reduction='none'", ", label_smoothing=0.1", ", ignore_index=-1")),
    *(f"cross_entropy_backward({given})" for given in ("1.0, x, index", "each, x, index, reduction='none'")),
    "cross_entropy_and_grad(x, index, label_smoothing=0.1)",
]


def operands(shape):
    """Random operands by name, with a target of labels and indices."""
    rng = np.random.default_rng(0)
    x, grad = rng.normal(0, 2, shape).astype(np.float32), rng.normal(0, 1, shape).astype(np.float32)
    index, w = rng.integers(0, shape[-1], shape[:-1]), np.full(shape[-1:], 2, np.float32)
    return {
        "x": x,
        "grad": grad,
        "t": (x > grad).astype(np.float32),
        "w": w,
        "index": index,
        "each": np.ones(shape[:-1], np.float32),
    }


def gradient(function, x, *others, **options):
    """PyTorch's loss and gradient."""
    x.grad = None
    function(x, *others, **options).backward()
    return x.grad


def binary(shape):
    """The calls of both libraries on a shape: (title, ours, PyTorch's, target)."""
    arrays = operands(shape)
    tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()} | {"two": torch.tensor(2.0)}
    learnt = {**tensors, "x": tensors["x"].clone().requires_grad_(True)}
    function = getattr(torch.nn.functional, NAME)
    for given, of_torch in BINARY_CASES:
        ours = {end: eval(f"lambda: f({given})", {"f": getattr(fastact, NAME + end), **arrays}) for end in ("", "_and_grad")}
        yield f"({given})", ours[""], eval(f"lambda: f({of_torch})", {"f": function, **tensors}), BINARY
        if "none" not in given:
            names = {"f": function, "gradient": gradient, **learnt}
            yield f"_and_grad({given})", ours["_and_grad"], eval(f"lambda: gradient(f, {of_torch})", names), BINARY


def split(shape):
    """The same of glu and its backward pass, with out= and without."""
    x = operands(shape)["x"]
    grad = x[:, : shape[1] // 2].copy()
    half, whole = np.empty_like(grad), np.empty_like(x)
    tensors = [torch.from_numpy(array.copy()) for array in (grad, x, half, whole)]
    aten, (g, given, to_half, to_whole) = torch.ops.aten, tensors
    yield "(x)", lambda: fastact.glu(x), lambda: torch.nn.functional.glu(given), SPLIT
    yield "(x, out=out)", lambda: fastact.glu(x, out=half), lambda: aten.glu.out(given, -1, out=to_half), SPLIT
    backward = aten.glu_backward.grad_input
    ours, theirs = lambda: fastact.glu_backward(grad, x, out=whole), lambda: backward(g, given, -1, grad_input=to_whole)
    yield "_backward(grad, x, out=out)", ours, theirs, None


def beside_torch(name, calls, shapes):
    """Print a line for each call."""
    for shape in shapes:
        for title, ours, theirs, target in calls(shape):
            times = best_times({"fastact": ours, "PyTorch": theirs}, ARGUMENTS.seconds)
            ratio = times["PyTorch"] / times["fastact"]
            mark, aim = "!" if target and ratio < target else " ", f"target {target}" if target else "no target"
            listed = "  ".join(f"{library} {1e6 * time:.1f}" for library, time in times.items())
            print(f"{mark} {name + title:64}{shape!s:14}{ratio:6.2f} ({aim})   {listed} us", flush=True)


def short_calls():
    """Print the time of each call of SHORT, less that of an empty one."""
    names = {**vars(fastact), **operands((1, 10))}
    for text in SHORT:
        calls = {"call": eval(f"lambda: {text}", names), "empty": lambda: None}
        repeated = {label: lambda call=call: [call() for _ in range(50)] for label, call in calls.items()}
        times = best_times(repeated, ARGUMENTS.seconds)
        taken = 1e6 * (times["call"] - times["empty"]) / 50
        print(f"{' ' if taken <= CALL else '!'} {text:74}{taken:6.2f} us (target {CALL})", flush=True)


def main():
    """Measure, and print."""
    print(f"float32 on {fastact.simd}: the time of PyTorch / ours")
    if torch is None:
        print("(PyTorch is not installed)")
    else:
        beside_torch(NAME, binary, BINARY_SHAPES)
        beside_torch("glu", split, SPLIT_SHAPES)
    short_calls()


if __name__ == "__main__":
    main()
