"""float64 beside PyTorch and the plain NumPy line, on one thread: `python benchmarks/float64.py [--simd avx2]`.

Forward the opponent is the better of the two, backward PyTorch's kernel; a line without an opponent shows the time alone, as a
multiple of np.exp. Contestants take turns in one process. PyTorch writes to an existing array, as we do; the plain line makes
new ones. `--simd avx2` starts the program again in an environment that holds all of them to AVX2.
"""

import argparse
import math

import numpy as np
from held import HELD, hold

# PyTorch's kernels by our declaration, forward and backward: the operator, and what it takes besides `out`.
TORCH = {
    "sigmoid": ("sigmoid.out: x", "sigmoid_backward.grad_input: grad, y"),
    "tanh": ("tanh.out: x", "tanh_backward.grad_input: grad, y"),
    "relu": ("relu.out: x", "threshold_backward.grad_input: grad, x, 0"),
    "leaky_relu": ("leaky_relu.out: x, 0.01", "leaky_relu_backward.grad_input: grad, x, 0.01, False"),
    "elu": ("elu.out: x", "elu_backward.grad_input: grad, 1, 1, 1, False, x"),
    "relu6": ("hardtanh.out: x, 0, 6", "hardtanh_backward.grad_input: grad, x, 0, 6"),
    "selu": ("elu.out: x, ALPHA, SCALE", "elu_backward.grad_input: grad, ALPHA, SCALE, 1, False, x"),
    "celu": ("elu.out: x", "elu_backward.grad_input: grad, 1, 1, 1, False, x"),
    "gelu": ("gelu.out: x", "gelu_backward.grad_input: grad, x"),
    "gelu_tanh": ("gelu.out: x, approximate='tanh'", "gelu_backward.grad_input: grad, x, approximate='tanh'"),
    "silu": ("silu.out: x", "silu_backward.grad_input: grad, x"),
    "mish": ("mish.out: x", "mish_backward: grad, x"),
    "softplus": ("softplus.out: x", "softplus_backward.grad_input: grad, x, 1, 20"),
    "log_sigmoid": ("log_sigmoid.out: x", ""),  # its backward pass wants the exponentials of the forward pass
    "hard_sigmoid": ("hardsigmoid.out: x", "hardsigmoid_backward.grad_input: grad, x"),
    "hard_swish": ("hardswish.out: x", "hardswish_backward: grad, x"),
    "hard_tanh": ("hardtanh.out: x", "hardtanh_backward.grad_input: grad, x, -1, 1"),
    "hard_shrink": ("hardshrink.out: x", "hardshrink_backward.grad_input: grad, x, 0.5"),
    "soft_shrink": ("softshrink.out: x", "softshrink_backward.grad_input: grad, x, 0.5"),
    "threshold": ("threshold.out: x, 0.1, -0.2", "threshold_backward.grad_input: grad, x, 0.1"),
    "logit": ("logit.out: x", "logit_backward.grad_input: grad, x"),
    "glu": ("glu.out: x, -1", "glu_backward.grad_input: grad, x, -1"),
}
NAMES = {"ALPHA": 1.6732632423543772, "SCALE": 1.0507009873554805}
FROM_THE_OUTPUT = {"sigmoid", "tanh"}  # PyTorch's backward passes of these take y
OTHER_FUNCTION = {"gelu", "geglu"}  # their plain lines compute the tanh form, since NumPy has no erf
FORWARD, BACKWARD, FROM_OUTPUT = "forward", "backward", "backward y="


def torch_call(case, operands):
    """PyTorch's kernel on the same memory as a call without arguments, or None."""
    try:
        import torch
    except ImportError:
        return None
    if case.declared not in TORCH:
        return None
    torch.set_num_threads(1)
    operator, _, given = TORCH[case.declared][case.step != FORWARD].partition(": ")
    if not operator or (case.step == BACKWARD and case.declared in FROM_THE_OUTPUT):
        return None
    tensors = {name: torch.from_numpy(array) for name, array in operands.items()}
    kernel = torch.ops.aten
    for part in operator.split("."):
        kernel = getattr(kernel, part)
    target = {"grad_input": ", grad_input=out", "out": ", out=out"}.get(operator.partition(".")[2], "")
    return eval(f"lambda: kernel({given}{target})", {"kernel": kernel, **NAMES, **tensors})


def operands_of(case, size, rng):
    """Random arrays, N(0, 2), or from (0, 1) for the logit, and the arrays for the results."""
    import fastact

    shape = case.shape(size)
    wide = (shape[0], 2 * shape[1]) if case.split else shape
    made = {name: rng.uniform(0, 1, wide) if case.declared == "logit" else rng.normal(0, 2, wide) for name in case.operands}
    result = wide if case.step == BACKWARD else shape
    if case.step == FROM_OUTPUT:
        made["y"] = getattr(fastact, case.forward)(made["x"])
    return {**made, "grad": rng.normal(0, 1, shape), "out": np.empty(result), "second": np.empty(result)}


def cells(size, names):
    """(case, calls) of every elementwise function; each pass comes with its contestants, by label."""
    from fastact import simd
    from fastact.command.bench import contest
    from fastact.command.bench.case import cases
    from fastact.declare import ACTIVATIONS

    rng = np.random.default_rng(0)
    np.empty(contest.KEPT, np.uint8)  # so that the plain lines have no page faults
    for case in cases():
        if case.forward not in ACTIVATIONS or (names and case.forward not in names):
            continue
        if case.step == FROM_OUTPUT and case.declared not in FROM_THE_OUTPUT:
            continue
        operands = operands_of(case, size, rng)
        calls = {"fastact": case.call(simd, operands), "torch": torch_call(case, operands)}
        if case.step == FORWARD and case.declared not in OTHER_FUNCTION:
            calls["plain"] = case.plain_call(operands)
        exponents, out = rng.normal(0, 2, size), np.empty(size)
        calls["np.exp"] = lambda exponents=exponents, out=out: np.exp(exponents, out=out)
        yield case, {label: call for label, call in calls.items() if call}


def main():
    """Parse the arguments, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simd", choices=list(HELD), help="hold all contestants to this set")
    parser.add_argument("--functions", nargs="+", help="only these")
    parser.add_argument("--elements", type=int, default=1 << 16)
    parser.add_argument("--seconds", type=float, default=0.2, help="for each line")
    options = parser.parse_args()
    if options.simd:
        hold(options.simd)
    from fastact import simd
    from fastact.command.bench.clock import measure

    ratios = {}
    print(f"float64 on {simd}, {options.elements} elements: the best other time / ours; ns an element; ours in times of np.exp")
    for case, calls in cells(options.elements, options.functions):
        with np.errstate(all="ignore"):
            times = {label: nanoseconds / options.elements for label, nanoseconds in measure(calls, options.seconds).items()}
        exp = times.pop("np.exp")
        others = [time for label, time in times.items() if label != "fastact"]
        if others:
            ratios[case.title] = min(others) / times["fastact"]
        listed = "  ".join(f"{label} {time:.3f}" for label, time in times.items())
        ratio = f"{ratios[case.title]:6.2f}" if others else " " * 6
        print(f"{case.title:24}{ratio}   {listed}  ({times['fastact'] / exp:.1f} exp)", flush=True)
    if ratios:
        mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
        worst = min(ratios, key=ratios.get)
        print(f"{len(ratios)} cells: geometric mean {mean:.2f}, worst {ratios[worst]:.2f} ({worst})")


if __name__ == "__main__":
    main()
