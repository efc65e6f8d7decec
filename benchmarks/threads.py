"""Several threads beside one: `python benchmarks/threads.py [--threads 2] [--only sigmoid,softmax] [--seconds 60]`.

Each case is measured with one thread and with several, in turn, round after round, and the best of all rounds counts. It is
called back to back, and with pauses of 5 ms, in which the workers fall asleep; of those calls the median of a round counts.
The figures are how many times as fast the threads are. LEAST has what the project aims at.

`--json FILE` keeps the times in us. `--peers` compares elementwise functions with PyTorch and ONNX Runtime on the same number of
threads; rows.py has `--threads` for the softmax family. `--costs` prints the picoseconds that fastact/compiled/threads.pxi lists,
for this machine's sets.
"""

import argparse
import json
import statistics
import time

import numpy as np

import fastact
from fastact import backends
from fastact.declare import ACTIVATIONS

SIZES = {
    "16": 16,
    "1 Ki": 1 << 10,
    "32 Ki": 1 << 15,
    "64 Ki": 1 << 16,
    "128 Ki": 1 << 17,
    "256 Ki": 1 << 18,
    "1 Mi": 1 << 20,
    "8 Mi": 1 << 23,
}
PAUSE, ROUND_OF_PAUSES, ROUND = 0.005, 7, 0.005  # seconds of a pause and of a round, and how many calls have pauses
LEAST = {("sigmoid", "256 Ki"): 1.8, ("gelu", "256 Ki"): 1.8, ("sigmoid", "8 Mi"): 1.9, ("gelu", "8 Mi"): 1.9}
LEAST |= {(name, "256 Ki"): 1.7 for name in ("gelu_backward", "silu_backward", "softmax", "softmax_backward", "log_softmax")}
NEVER_UNDER = 0.95


def elementwise(name):
    """A call of an elementwise function, or of its backward pass."""
    function = getattr(fastact, name)

    def make(n):
        x, y = np.random.default_rng(0).normal(0, 2, (2, n)).astype(np.float32)
        out = np.empty_like(x)
        return (lambda: function(y, x, out=out)) if name.endswith("_backward") else (lambda: function(x, out=out))

    return make


def rows(name, columns, axis=-1):
    """A call of a function along an axis."""
    function = getattr(fastact, name)

    def make(n):
        shape = max(1, n // columns), min(n, columns)
        x, y = np.random.default_rng(0).normal(0, 2, (2, *shape)).astype(np.float32)
        out = np.empty_like(x)
        if name.endswith("_backward"):
            return lambda: function(y, x, axis, out=out)
        return lambda: function(x, axis, out=out)

    return make


def loss(name, columns):
    """A call of a loss with its gradient."""
    function = getattr(fastact, name)

    def make(n):
        x, y = np.random.default_rng(0).normal(0, 2, (2, max(1, n // columns), min(n, columns))).astype(np.float32)
        target = np.arange(len(x)) % x.shape[1] if name.startswith("cross") else (y > 0).astype(np.float32)
        out = np.empty_like(x)
        return lambda: function(x, target, out=out)

    return make


def step():
    """A step of Adam."""

    def make(n):
        arrays = np.abs(np.random.default_rng(0).normal(0, 2, (4, n)).astype(np.float32))
        return lambda: fastact.adam_step(*arrays, step=3)

    return make


CASES = {
    **{name: elementwise(name) for name in ("sigmoid", "gelu", "relu", "gelu_backward", "silu_backward", "relu_backward")},
    "softmax": rows("softmax", 128),
    "softmax, 10 columns": rows("softmax", 10),
    "softmax, axis 0 of 256": rows("softmax", 256, 0),
    "softmax_backward": rows("softmax_backward", 128),
    "log_softmax": rows("log_softmax", 1024),
    "cross_entropy, 10 columns": loss("cross_entropy_and_grad", 10),
    "cross_entropy, 1024 columns": loss("cross_entropy_and_grad", 1024),
    "binary_cross_entropy": loss("binary_cross_entropy_with_logits_and_grad", 64),
    "adam_step": step(),
}


def elapsed(call, repetitions):
    """Seconds for one of so many calls."""
    start = time.perf_counter()
    for _ in range(repetitions):
        call()
    return (time.perf_counter() - start) / repetitions


def after_pauses(call):
    """The median of calls after pauses."""
    times = []
    for _ in range(ROUND_OF_PAUSES):
        time.sleep(PAUSE)
        times.append(elapsed(call, 1))
    return statistics.median(times)


def measured(call, threads, seconds):
    """The times by number of threads: the best back to back, and the median after pauses, which vary."""
    call()
    repetitions = max(3, round(ROUND / elapsed(call, 3)))
    times_of = {(number, paused): [] for number in (1, threads) for paused in (False, True)}
    for paused in (False, True):  # first all rounds without pauses: after pauses in vain no thread is woken for a while
        end = time.perf_counter() + seconds / 2
        while time.perf_counter() < end or len(times_of[1, paused]) < 3:
            for number in 1, threads:
                with fastact.num_threads(number):
                    if paused:
                        times_of[number, True].append(after_pauses(call))
                    else:
                        elapsed(call, repetitions)
                        times_of[number, False].append(elapsed(call, repetitions))
    return {key: statistics.median(times) if key[1] else min(times) for key, times in times_of.items()}


# By function: PyTorch's, and the operator of ONNX with its attributes where ONNX Runtime has one
PEERS = {
    "sigmoid": ("sigmoid", "Sigmoid", {}),
    "tanh": ("tanh", "Tanh", {}),
    "relu": ("relu", "Relu", {}),
    "gelu": ("gelu", "Gelu", {}),
    "silu": ("silu", None, {}),
    "elu": ("elu", "Elu", {}),
    "selu": ("selu", "Selu", {}),
    "celu": ("celu", "Celu", {}),
    "leaky_relu": ("leaky_relu", "LeakyRelu", {"alpha": 0.01}),
    "softplus": ("softplus", "Softplus", {}),
    "softsign": ("softsign", "Softsign", {}),
    "hard_sigmoid": ("hardsigmoid", "HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_swish": ("hardswish", "HardSwish", {}),
    "mish": ("mish", "Mish", {}),
    "log_sigmoid": ("logsigmoid", None, {}),
    "sigmoid_backward": ("sigmoid_backward", None, {}),
    "tanh_backward": ("tanh_backward", None, {}),
    "gelu_backward": ("gelu_backward", None, {}),
    "silu_backward": ("silu_backward", None, {}),
}


def torch_call(name, arrays, out, threads):
    """PyTorch's kernel without automatic differentiation, into memory that is there where it can."""
    import torch

    torch.set_num_threads(threads)
    given = [torch.from_numpy(array) for array in arrays]
    result = torch.from_numpy(out)
    if name.endswith("_backward"):
        kernel = getattr(torch.ops.aten, name).grad_input
        return lambda: kernel(*given, grad_input=result)
    kernel = getattr(torch.ops.aten, {"logsigmoid": "log_sigmoid"}.get(name, name), None)
    if kernel is not None and "out" in kernel.overloads():
        return lambda: kernel.out(*given, out=result)
    function = getattr(torch.nn.functional, name)
    return lambda: function(*given)


def onnxruntime_call(operator, attributes, x, out, threads):
    """ONNX Runtime's kernel, from and into memory that is there."""
    import onnx
    import onnxruntime

    x = x.reshape(-1)
    tensors = [onnx.helper.make_tensor_value_info(label, onnx.TensorProto.FLOAT, x.shape) for label in "xy"]
    node = onnx.helper.make_node(operator, ["x"], ["y"], **attributes)
    graph = onnx.helper.make_graph([node], "one", tensors[:1], tensors[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_input("x", "cpu", 0, np.float32, x.shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, np.float32, out.shape, out.ctypes.data)
    return lambda: session.run_with_iobinding(binding)


def compare(threads, seconds, chosen):
    """Print, for each function at 256 Ki and 8 Mi, how many times as fast as the faster of the other two fastact is."""
    ratios, cells = [], [(name, size) for name in chosen for size in ("256 Ki", "8 Mi")]
    fastact.set_num_threads(threads)
    for name, size in cells:
        of_torch, operator, attributes = PEERS[name]
        x, y, out = np.random.default_rng(0).normal(0, 2, (3, SIZES[size])).astype(np.float32)
        arrays = (
            [y, getattr(fastact, name.removesuffix("_backward"))(x)] if name in ("sigmoid_backward", "tanh_backward") else [y, x]
        )
        arrays = arrays if name.endswith("_backward") else [x]
        function = getattr(fastact, name)
        calls = {"fastact": lambda: function(*arrays, out=out)}  # noqa: B023
        if name in ("sigmoid_backward", "tanh_backward"):
            calls["fastact"] = lambda: function(arrays[0], y=arrays[1], out=out)  # noqa: B023
        calls["torch"] = torch_call(of_torch, arrays, out, threads)
        if operator:
            calls["ONNX Runtime"] = onnxruntime_call(operator, attributes, x, out, threads)
        best, end = dict.fromkeys(calls, np.inf), time.perf_counter() + seconds / len(cells)
        repetitions = 20 if size == "256 Ki" else 2
        while time.perf_counter() < end or np.inf in best.values():
            for label, call in calls.items():
                best[label] = min(best[label], elapsed(call, repetitions))
        ratios.append(min(best[label] for label in calls if label != "fastact") / best["fastact"])
        listed = "  ".join(f"{label} {1e6 * seconds:.1f}" for label, seconds in best.items())
        print(f"{name:20s} {size:>7s} {ratios[-1]:6.2f}   us: {listed}", flush=True)
    mean, slower = float(np.exp(np.mean(np.log(ratios)))), sum(ratio < 1 for ratio in ratios)
    print(f"geometric mean {mean:.2f}, below 1 in {slower} of {len(ratios)} cells")


def costs():
    """The picoseconds of an element for each set and dtype: of cheap, other direct and wide formulas, and of softmax."""
    kinds = {
        "cheap": ("relu", "hard_swish"),
        "direct": ("sigmoid", "tanh"),
        "wide": ("gelu", "softplus", "mish"),
        "rows": ("softmax",),
    }
    assert ACTIVATIONS.keys() > {"relu", "gelu"}
    for implementation in backends.available()[:-1]:
        functions = backends.load(implementation)
        for dtype in np.float32, np.float64:
            x = np.random.default_rng(0).normal(0, 2, (512, 128)).astype(dtype)
            out, found = np.empty_like(x), []
            for names in kinds.values():
                calls = [lambda name=name: getattr(functions, name)(x, out=out) for name in names]  # noqa: B023
                with fastact.num_threads(1):
                    found.append([round(min(elapsed(call, 3) for _ in range(20)) / x.size * 1e12) for call in calls])
            print(implementation, np.dtype(dtype).char, dict(zip(kinds, found, strict=True)))


def main():
    """Measure all cases, and print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--sizes", default="")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--costs", action="store_true")
    options = parser.parse_args()
    if options.costs:
        costs()
        return
    if options.peers:
        compare(options.threads, options.seconds, [name for name in PEERS if not options.only or name in options.only.split(",")])
        return
    chosen = [name for name in CASES if not options.only or any(name.startswith(each) for each in options.only.split(","))]
    sizes = [size for size in SIZES if not options.sizes or size.replace(" ", "") in options.sizes.split(",")]
    seconds, record = options.seconds / (len(chosen) * len(sizes)), []
    for name in chosen:
        for size in sizes:
            times = measured(CASES[name](SIZES[size]), options.threads, seconds)
            ratio, paused = (times[1, way] / times[options.threads, way] for way in (False, True))
            missed = ratio < LEAST.get((name, size), NEVER_UNDER) or paused < NEVER_UNDER
            best = {f"{number}{' paused' * after}": 1e6 * seconds for (number, after), seconds in times.items()}
            record.append({"case": name, "size": size, **best})
            print(
                f"{name:28s} {size:>7s} {times[1, False] * 1e6:10.2f} us {ratio:6.2f} {paused:6.2f}{'  !' * missed}", flush=True
            )
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1)


if __name__ == "__main__":
    main()
