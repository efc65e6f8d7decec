"""float32 activations held to AVX2, beside NumPy's multiply and PyTorch: `python benchmarks/avx2.py`.

All are held to AVX2, which is chosen at start-up, so this command starts itself again. They take turns in one process, into
memory that is allocated before, and the best of many rounds counts. A cell is one pass over 256 Ki elements: a multiple of
`np.multiply(x, x, out=o)` in the same turns and, where PyTorch is installed and has the function, PyTorch's time over ours. A
backward pass is compared from the output where PyTorch's starts there. Wide inputs, inputs with subnormal results, and a
parameter for each column are multiples of the usual call.
"""

import argparse
import math

from held import hold

hold("avx2", OMP_NUM_THREADS="1")

import numpy as np  # noqa: E402  (reads the environment when imported)

import fastact as fa  # noqa: E402
from fastact.command import bench  # noqa: E402

SIZE = 1 << 18
FLOOR = "np.multiply"
# What has an exponential, a logarithm, a sine or a root; the target is a multiple of the floor.
SMOOTH = [
    *("sigmoid", "tanh", "elu", "selu", "celu", "gelu", "gelu_tanh", "quick_gelu", "silu", "mish", "softplus", "log_sigmoid"),
    *("tanh_shrink", "squareplus", "serf", "logish", "snake", "logit", "lisht", "softcap"),
]
GATED = ("glu", "swiglu", "geglu", "geglu_tanh")
CHEAP = [
    *("relu", "leaky_relu", "relu6", "hard_tanh", "hard_swish", "hard_sigmoid", "hard_shrink", "soft_shrink", "threshold"),
    "softsign",
]
TARGETS = {"tanh": 4.8, "sigmoid": 6.1, "silu": 7.1, "softplus": 7.7, **dict.fromkeys(GATED, 11.5)}
TARGET, WIDE_TARGET, SUBNORMAL_TARGET, COLUMNS_TARGET = 10, 1.5, 4, 1.5
NUMBERS = {"softcap": (5.0,), "threshold": (0.1, 0.0)}
FROM_OUTPUT = {"sigmoid", "tanh"}


def function(name, step):
    """The public function, with the option that the name of a declaration means."""
    base = name if name == "hard_tanh" else name.removesuffix("_tanh")
    found = getattr(fa, base + ("_backward" if step == "backward" else ""))
    return (lambda *a, **k: found(*a, approximate="tanh", **k)) if base != name else found


def our_call(name, step, x, arrays, from_output=False):
    """A call of ours into memory that is there; arrays are the gradient, a second operand and two results."""
    grad, other, out, second = arrays
    call, numbers = function(name, step), NUMBERS.get(name, ())
    if from_output:
        y = function(name, "forward")(x)
        return lambda: call(grad, y=y, out=out)
    if name in GATED:
        if name == "glu":
            both = np.concatenate([other.reshape(-1, 512), x.reshape(-1, 512)], axis=1)
            row, into = grad.reshape(-1, 512), np.empty_like(both)
            return (lambda: call(both, out=out.reshape(row.shape))) if step == "forward" else (lambda: call(row, both, out=into))
        return (lambda: call(x, other, out=out)) if step == "forward" else (lambda: call(grad, x, other, out=(out, second)))
    return (lambda: call(x, *numbers, out=out)) if step == "forward" else (lambda: call(grad, x, *numbers, out=out))


def torch_calls(x, arrays):
    """PyTorch's own kernels into memory that is there, by (name, step)."""
    import torch

    torch.set_num_threads(1)
    aten, t = torch.ops.aten, torch.from_numpy
    x, grad, other, out, second = map(t, (x, *arrays))
    y = {"sigmoid": torch.sigmoid(x), "tanh": torch.tanh(x)}
    p = torch.sigmoid(x)
    pair = torch.cat([other.reshape(-1, 512), x.reshape(-1, 512)], 1)
    row, row_out, pair_out = grad.reshape(-1, 512), out.reshape(-1, 512), torch.empty_like(pair)
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    forward = {
        "sigmoid": lambda: aten.sigmoid.out(x, out=out),
        "tanh": lambda: aten.tanh.out(x, out=out),
        "elu": lambda: aten.elu.out(x, out=out),
        "selu": lambda: aten.elu.out(x, alpha, scale, out=out),
        "celu": lambda: aten.elu.out(x, 1, 1, 1, out=out),
        "gelu": lambda: aten.gelu.out(x, out=out),
        "gelu_tanh": lambda: aten.gelu.out(x, approximate="tanh", out=out),
        "quick_gelu": lambda: aten.sigmoid.out(1.702 * x, out=out).mul_(x),
        "silu": lambda: aten.silu.out(x, out=out),
        "mish": lambda: aten.mish.out(x, out=out),
        "softplus": lambda: aten.softplus.out(x, out=out),
        "log_sigmoid": lambda: aten.log_sigmoid.out(x, out=out),
        "tanh_shrink": lambda: torch.sub(x, aten.tanh.out(x, out=out), out=out),
        "serf": lambda: torch.erf(aten.softplus.out(x, out=out), out=out).mul_(x),
        "logit": lambda: aten.logit.out(p, out=out),
        "relu": lambda: torch.clamp_min(x, 0, out=out),
        "leaky_relu": lambda: aten.leaky_relu.out(x, out=out),
        "relu6": lambda: aten.hardtanh.out(x, 0, 6, out=out),
        "hard_tanh": lambda: aten.hardtanh.out(x, out=out),
        "hard_swish": lambda: aten.hardswish.out(x, out=out),
        "hard_sigmoid": lambda: aten.hardsigmoid.out(x, out=out),
        "hard_shrink": lambda: aten.hardshrink.out(x, out=out),
        "soft_shrink": lambda: aten.softshrink.out(x, out=out),
        "threshold": lambda: aten.threshold.out(x, 0.1, 0, out=out),
        "softsign": lambda: torch.div(x, torch.abs(x, out=out).add_(1), out=out),
        "glu": lambda: aten.glu.out(pair, 1, out=row_out),
        "swiglu": lambda: aten.silu.out(x, out=out).mul_(other),
        "geglu": lambda: aten.gelu.out(x, out=out).mul_(other),
        "geglu_tanh": lambda: aten.gelu.out(x, approximate="tanh", out=out).mul_(other),
    }
    backward = {
        "sigmoid": lambda: aten.sigmoid_backward.grad_input(grad, y["sigmoid"], grad_input=out),
        "tanh": lambda: aten.tanh_backward.grad_input(grad, y["tanh"], grad_input=out),
        "elu": lambda: aten.elu_backward.grad_input(grad, 1, 1, 1, False, x, grad_input=out),
        "selu": lambda: aten.elu_backward.grad_input(grad, alpha, scale, 1, False, x, grad_input=out),
        "celu": lambda: aten.elu_backward.grad_input(grad, 1, 1, 1, False, x, grad_input=out),
        "gelu": lambda: aten.gelu_backward.grad_input(grad, x, grad_input=out),
        "gelu_tanh": lambda: aten.gelu_backward.grad_input(grad, x, approximate="tanh", grad_input=out),
        "silu": lambda: aten.silu_backward.grad_input(grad, x, grad_input=out),
        "mish": lambda: aten.mish_backward(grad, x),
        "softplus": lambda: aten.softplus_backward.grad_input(grad, x, 1, 20, grad_input=out),
        "log_sigmoid": lambda: aten.log_sigmoid_backward.grad_input(grad, x, second, grad_input=out),
        "logit": lambda: aten.logit_backward.grad_input(grad, p, grad_input=out),
        "relu": lambda: aten.threshold_backward.grad_input(grad, x, 0, grad_input=out),
        "leaky_relu": lambda: aten.leaky_relu_backward.grad_input(grad, x, 0.01, False, grad_input=out),
        "relu6": lambda: aten.hardtanh_backward.grad_input(grad, x, 0, 6, grad_input=out),
        "hard_tanh": lambda: aten.hardtanh_backward.grad_input(grad, x, -1, 1, grad_input=out),
        "hard_swish": lambda: aten.hardswish_backward.out(grad, x, out=out),
        "hard_sigmoid": lambda: aten.hardsigmoid_backward.grad_input(grad, x, grad_input=out),
        "hard_shrink": lambda: aten.hardshrink_backward.grad_input(grad, x, 0.5, grad_input=out),
        "soft_shrink": lambda: aten.softshrink_backward.grad_input(grad, x, 0.5, grad_input=out),
        "threshold": lambda: aten.threshold_backward.grad_input(grad, x, 0.1, grad_input=out),
        "glu": lambda: aten.glu_backward.grad_input(row, pair, 1, grad_input=pair_out),
    }
    return {(name, step): call for step, of in (("forward", forward), ("backward", backward)) for name, call in of.items()}


def show(title, value, target, text=""):
    """A line with a mark where the target is missed."""
    print(f"{'! ' if value > target else '  '}{title:24}{value:6.2f} (target {target}){text}", flush=True)


def main():
    """Measure, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--functions", nargs="+", default=[*SMOOTH, *GATED, *CHEAP])
    parser.add_argument("--seconds", type=float, default=0.2, help="for one cell")
    options = parser.parse_args()
    generator = np.random.default_rng(0)

    def draw(spread):
        return generator.normal(0, spread, SIZE).astype(np.float32)

    x, wide, subnormal = draw(2), draw(6), generator.uniform(-102, -88, SIZE).astype(np.float32)
    share = generator.uniform(0, 1, SIZE).astype(np.float32)
    arrays = [draw(1), draw(1), np.empty(SIZE, np.float32), np.empty(SIZE, np.float32)]
    floor = {FLOOR: lambda: np.multiply(x, x, out=arrays[2])}
    try:
        theirs = torch_calls(x, arrays)
    except ImportError:
        theirs = {}
        print("(PyTorch is not installed)")
    ratios = {}
    for name in options.functions:
        for step in ("forward", "backward"):
            given = share if name == "logit" else x
            title = name + ("_backward" if step == "backward" else "")
            calls = {"ours": our_call(name, step, given, arrays), **floor}
            if name in SMOOTH:
                calls["wide"] = our_call(name, step, wide, arrays)
                calls["subnormal"] = our_call(name, step, -subnormal if name == "log_sigmoid" else subnormal, arrays)
            if name in GATED:
                calls["wide"] = our_call(name, step, wide, arrays)
            if (name, step) in theirs:
                calls["torch"] = theirs[name, step]
                if step == "backward" and name in FROM_OUTPUT:
                    calls["ours y="] = our_call(name, step, given, arrays, from_output=True)
            if name == "logit":
                del calls["wide"], calls["subnormal"]
            best = bench.measure(calls, options.seconds)
            text = f"  {best['ours'] / SIZE:.3f} ns"
            if "torch" in best:
                ratios[title] = best["torch"] / best.get("ours y=", best["ours"])
                text += f"  torch / ours {ratios[title]:.2f}"
            if "wide" in best:
                text += f"  wide {best['wide'] / best['ours']:.2f}"
            if "subnormal" in best:
                text += f"  subnormal {best['subnormal'] / best['ours']:.2f}"
            target = TARGETS.get(name, TARGET) if step == "forward" or name in GATED else TARGET
            show(title, best["ours"] / best[FLOOR], target, text)
            for kind, target in (("wide", WIDE_TARGET), ("subnormal", SUBNORMAL_TARGET)):
                if kind in best and best[kind] > target * best["ours"]:
                    show(f"{title}, {kind}", best[kind] / best["ours"], target)
    if ratios:
        mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
        below = sorted((ratio, title) for title, ratio in ratios.items() if ratio < 1)
        print(f"\ntorch / ours: geometric mean {mean:.2f} (target 1.6), {len(below)} of {len(ratios)} cells below 1 (target 13):")
        print("  " + ", ".join(f"{title} {ratio:.2f}" for ratio, title in below))
    print("\na parameter for each column, times the call with the default")
    table, column = x.reshape(-1, 512), np.linspace(0.5, 2, 512, dtype=np.float32)
    grad, out = arrays[0].reshape(-1, 512), arrays[2].reshape(-1, 512)
    for name in ("elu", "celu", "silu", "softplus", "squareplus", "snake"):
        for step in ("forward", "backward"):
            call, given = function(name, step), [table] if step == "forward" else [grad, table]
            best = bench.measure(
                {
                    "usual": lambda call=call, given=given: call(*given, out=out),
                    "columns": lambda call=call, given=given: call(*given, column, out=out),
                },
                options.seconds,
            )
            show(name + ("_backward" if step == "backward" else ""), best["columns"] / best["usual"], COLUMNS_TARGET)


if __name__ == "__main__":
    main()
