"""The softmax family beside PyTorch, ONNX Runtime, JAX and NumPy: `python benchmarks/rows.py [--write | --calls | --threads 2]`.

It measures those of these libraries that are installed. Contestants take turns in one process, and the best of many rounds
counts. They write into memory that was allocated before; only JAX allocates its own. All run on one thread, or on as many as
`--threads` says; then JAX, which has no setting for that, is left out. `--write` keeps the figures in rows.json,
from which readme_table.py makes a table. `--calls` measures calls on one short row, as a server makes them, and nothing else.
TARGETS and CALL_TARGETS have the figures that the project aims at.
"""

import argparse
import json
import os
import pathlib
import random
import re
import time

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for np.vdot

import numpy as np

import fastact
from fastact.command import bench
from fastact.declare import ROWS

RECORD = pathlib.Path(__file__).with_name("rows.json")
SIZES = {"256 Ki": 1 << 18, "8 Mi": 1 << 23}
fastact.set_num_threads(1)  # as the libraries beside it, here and in the programs that take best_times from here
# A function that makes the shape of n elements, and the axis of the rows.
LAYOUTS = {
    "10 columns": (lambda n: (n // 10, 10), -1),
    "128 columns": (lambda n: (n // 128, 128), -1),
    "1024 columns": (lambda n: (n // 1024, 1024), -1),
    "32768 columns": (lambda n: (n // 32768, 32768), -1),
    "axis 0 of (n/256, 256)": (lambda n: (n // 256, 256), 0),
    "one row": (lambda n: (1, n), -1),
}
FORWARD, BACKWARD = ("softmax", "log_softmax"), ("softmax_backward", "log_softmax_backward")
# How many times as fast as the best of the other libraries.
TARGETS = {
    **{(name, layout): 1.2 for name in (*FORWARD, *BACKWARD) for layout in LAYOUTS},
    **{(name, "10 columns"): 5 for name in FORWARD},
    **{(name, "axis 0 of (n/256, 256)"): 2.5 for name in FORWARD},
    **{(name, "10 columns"): 10 for name in BACKWARD},
}
FLOOR = "floor"
READ_TWICE = {("one row", "8 Mi"), ("axis 0 of (n/256, 256)", "8 Mi")}  # the rows are larger than the cache
WIDE_TARGET = 1.5  # the time for logits of standard deviation 30, as a multiple of that for standard deviation 2
# The most that a call on a row of SHORT entries may take, in us: with operands alone and with an out, and with an option; of some
# functions; and of losses.
SHORT = 10
CALL_TARGET, CALL_TARGET_WITH_OPTION = 0.6, 1.2
CALL_TARGETS = {"sparsemax": 1.0, "entmax15": 1.0}
LOSS_CALL_TARGETS = {
    "cross_entropy(x, index)": 1.3,
    "cross_entropy_and_grad(x, index)": 1.3,
    "binary_cross_entropy_with_logits(x, labels)": 1.5,
    "binary_cross_entropy_with_logits_and_grad(x, labels)": 1.5,
}
OPTIONS = {"scale": "scale=0.5", "sink": "sink=1.0", "mask": "mask=mask", "causal": "causal=True"}
LOSS_TARGET = 1.3  # the time of cross_entropy_and_grad, as a multiple of that of softmax


def numpy_function(name, axis):
    """What a careful user of NumPy writes, with as few temporary arrays as possible."""

    def softmax(x, out):
        np.subtract(x, x.max(axis=axis, keepdims=True), out=out)
        np.exp(out, out=out)
        np.divide(out, out.sum(axis=axis, keepdims=True), out=out)

    def log_softmax(x, out):
        np.subtract(x, x.max(axis=axis, keepdims=True), out=out)
        np.subtract(out, np.log(np.exp(out).sum(axis=axis, keepdims=True)), out=out)

    def softmax_backward(grad, y, out):
        np.multiply(grad, y, out=out)
        np.subtract(grad, out.sum(axis=axis, keepdims=True), out=out)
        np.multiply(out, y, out=out)

    def log_softmax_backward(grad, y, out):
        np.exp(y, out=out)
        np.multiply(out, grad.sum(axis=axis, keepdims=True), out=out)
        np.subtract(grad, out, out=out)

    return locals()[name]


def floor(name, read_twice):
    """A function that moves the same memory and computes next to nothing. It shows what is possible, and is no contestant."""
    write = np.negative if name in FORWARD else np.multiply

    def move(*arrays):
        if read_twice:
            np.vdot(arrays[0], arrays[-2])
        write(*arrays)

    return move


def fastact_function(name, axis):
    """fastact's function: of the input forward, from the output backward."""
    function = getattr(fastact, name)
    if name in FORWARD:
        return lambda x, out: function(x, axis=axis, out=out)
    return lambda grad, y, out: function(grad, y=y, axis=axis, out=out)


def torch_function(name, axis):
    """PyTorch's own kernels, without automatic differentiation around them."""
    import torch

    torch.set_num_threads(fastact.get_num_threads())
    if name in FORWARD:
        kernel = getattr(torch.ops.aten, "_" + name).out
        return lambda x, out: kernel(x, axis, False, out=out)
    kernel = getattr(torch.ops.aten, f"_{name}_data").out
    target = "grad_input" if name == "softmax_backward" else "out"
    return lambda grad, y, out: kernel(grad, y, axis, torch.float32, **{target: out})


def torch_arrays(*arrays):
    """Tensors of PyTorch that share the memory of arrays."""
    import torch

    return [torch.from_numpy(array) for array in arrays]


def onnxruntime_function(name, axis, x, out):
    """A session of one node, bound to the arrays. ONNX Runtime has no backward passes."""
    import onnx
    import onnxruntime

    def tensor(label):
        return onnx.helper.make_tensor_value_info(label, onnx.TensorProto.FLOAT, x.shape)

    operator = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}[name]
    graph = onnx.helper.make_graph([onnx.helper.make_node(operator, ["x"], ["y"], axis=axis)], name, [tensor("x")], [tensor("y")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = fastact.get_num_threads(), 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for bind, label, array in ((binding.bind_input, "x", x), (binding.bind_output, "y", out)):
        bind(label, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    return lambda: session.run_with_iobinding(binding)


def jax_function(name, axis, *arrays):
    """JAX's compiled functions. It has no backward pass from the output, so that is written here and compiled by JAX."""
    import jax

    def softmax_backward(grad, y):
        return y * (grad - (grad * y).sum(axis=axis, keepdims=True))

    def log_softmax_backward(grad, y):
        return grad - jax.numpy.exp(y) * grad.sum(axis=axis, keepdims=True)

    forward = {"softmax": jax.nn.softmax, "log_softmax": jax.nn.log_softmax}
    function = locals().get(name) or (lambda x: forward[name](x, axis=axis))
    compiled, given = jax.jit(function), [jax.device_put(array) for array in arrays]
    return lambda: compiled(*given).block_until_ready()


def contestants(name, axis, read_twice, *arrays):
    """Calls without arguments, by library: of each library that is installed and has the function."""
    inputs = arrays[:-1]
    functions = {"fastact": fastact_function(name, axis), "NumPy": numpy_function(name, axis), FLOOR: floor(name, read_twice)}
    calls = {library: lambda function=function: function(*arrays) for library, function in functions.items()}
    makers = {
        "PyTorch": lambda: (lambda function, given: lambda: function(*given))(torch_function(name, axis), torch_arrays(*arrays)),
    }
    if fastact.get_num_threads() == 1:
        makers["JAX"] = lambda: jax_function(name, axis, *inputs)
    if name in FORWARD:
        makers["ONNX Runtime"] = lambda: onnxruntime_function(name, axis, *arrays)
    for library, make in makers.items():
        try:
            calls[library] = make()
        except ImportError:
            print(f"({library} is not installed)")
    return calls


def best_times(calls, seconds):
    """The best time of each call in seconds. They take turns for `seconds`, in another order each round.

    A call right after JAX's is slower, so no call should always come after it. A call that takes 100 times as long as the fastest
    gets only five rounds: otherwise one slow contestant would take all the time.
    """
    best = dict.fromkeys(calls, float("inf"))
    for call in calls.values():
        call()
    order, generator = list(calls), random.Random(0)
    rounds, end = 0, float("inf")
    while time.perf_counter() < end:
        generator.shuffle(order)
        for library in order:
            repeat = 1 if best[library] > 1e-3 else 4
            start = time.perf_counter()
            for _ in range(repeat):
                calls[library]()
            best[library] = min(best[library], (time.perf_counter() - start) / repeat)
        rounds += 1
        if rounds == 5:
            order = [library for library in order if best[library] < 100 * min(best.values())]
            end = time.perf_counter() + seconds
    return best


def operands(name, shape, axis, spread=2):
    """Random inputs of a pass, and the array for its result."""
    generator = np.random.default_rng(0)
    x = generator.normal(0, spread, shape).astype(np.float32)
    if name in FORWARD:
        return [x, np.empty_like(x)]
    y = getattr(fastact, name.removesuffix("_backward"))(x, axis=axis)
    return [generator.normal(0, 1, shape).astype(np.float32), y, np.empty_like(x)]


def compare(names, layouts, sizes, seconds):
    """Measure every cell, and print it: how many times as fast as the best of the others, and everyone's ns an element."""
    for name in names:
        for layout in layouts:
            for size in sizes:
                if layout == "one row" and size != "8 Mi":
                    continue
                shape, axis = LAYOUTS[layout]
                arrays = operands(name, shape(SIZES[size]), axis)
                count = arrays[0].size
                calls = contestants(name, axis, (layout, size) in READ_TWICE, *arrays)
                times = {library: 1e9 * t / count for library, t in best_times(calls, seconds).items()}
                least = times.pop(FLOOR)
                others = {library: t for library, t in times.items() if library != "fastact"}
                ratio, target = min(others.values()) / times["fastact"], TARGETS[name, layout]
                listed = "  ".join(f"{library} {t:.3f}" for library, t in times.items())
                mark = " " if ratio >= target else "!"
                listed += f"  ({FLOOR} {least:.3f})"
                print(f"{mark} {name:21}{layout:24}{size:8}{ratio:6.2f} (target {target})   {listed}", flush=True)
                rounded = {library: round(t, 4) for library, t in times.items()}
                yield {"function": name, "layout": layout, "size": size, "ns_per_element": rounded, FLOOR: round(least, 4)}


def print_summary(cells):
    """Print how many times as fast as the best of the others, as a geometric mean, and in how many cells another is faster."""
    ratios = []
    for cell in cells:
        others = [t for library, t in cell["ns_per_element"].items() if library not in ("fastact", "NumPy")]
        ratios += [min(others) / cell["ns_per_element"]["fastact"]] if others else []
    if ratios:
        mean = float(np.exp(np.mean(np.log(ratios))))
        print(
            f"beside other libraries than NumPy: {mean:.2f} times, below 1 in {sum(r < 1 for r in ratios)} of {len(ratios)} cells"
        )


def own_calls(shape, axis):
    """Calls on logits of standard deviation 2 and 30, and a loss with its gradient."""
    narrow, out = operands("softmax", shape, axis)
    wide, _ = operands("softmax", shape, axis, spread=30)
    rows = np.delete(shape, axis)
    target = np.random.default_rng(1).integers(0, shape[axis], rows)
    return {
        "softmax": lambda: fastact.softmax(narrow, axis=axis, out=out),
        "softmax, standard deviation 30": lambda: fastact.softmax(wide, axis=axis, out=out),
        "log_softmax": lambda: fastact.log_softmax(narrow, axis=axis, out=out),
        "log_softmax, standard deviation 30": lambda: fastact.log_softmax(wide, axis=axis, out=out),
        "cross_entropy and its gradient": lambda: fastact.cross_entropy_and_grad(narrow, target, axis=axis, out=out),
    }


def own_ratios(sizes, seconds):
    """Measure fastact's calls on wide logits, and its loss with gradient, as multiples of the time of another call of fastact."""
    for layout, (shape, axis) in LAYOUTS.items():
        for size in sizes:
            if layout == "one row":
                continue
            times = best_times(own_calls(shape(SIZES[size]), axis), seconds)
            for title, base, aim in (
                ("softmax, standard deviation 30", "softmax", WIDE_TARGET),
                ("log_softmax, standard deviation 30", "log_softmax", WIDE_TARGET),
                ("cross_entropy and its gradient", "softmax", LOSS_TARGET),
            ):
                ratio = times[title] / times[base]
                mark = " " if ratio <= aim else "!"
                print(f"{mark} {title:36}{layout:24}{size:8}{ratio:6.2f} times {base} (target {aim})", flush=True)
                yield {"function": title, "layout": layout, "size": size, "ratio": round(ratio, 3), "base": base, "target": aim}


def short_calls():
    """The calls on one short row of every function along an axis, with each option that it has, and of losses.

    As (text of the call, the line of NumPy for it or None, the target, the names in both).
    """
    memory = bench.Memory(SHORT)
    for name, row in ROWS.items():
        for case in bench.case.along_axis(name, columns=[SHORT]):
            names = {**memory.operands(case, SHORT), "mask": np.arange(SHORT) % 4 > 0, **dict(case.values)}
            given = {"forward": "x", "backward": "grad, x", "backward y=": "grad, y=y"}[case.step]
            plain = case.plain if case.plain is None else re.sub(r"\baxis\b(?!=)", "-1", case.plain)
            target = CALL_TARGETS.get(name, CALL_TARGET)
            yield f"{case.function}({given})", plain, target, names
            yield f"{case.function}({given}, out=out)", None, target, names
            for option in (one for one in OPTIONS if one in row.by_name):
                yield f"{case.function}({given}, {OPTIONS[option]})", None, CALL_TARGET_WITH_OPTION, names
    x = np.random.default_rng(0).normal(0, 2, (1, SHORT)).astype(np.float32)
    for text, target in LOSS_CALL_TARGETS.items():
        yield text, None, target, {"x": x, "index": np.array([3]), "labels": (x > 0).astype(np.float32)}


def time_short_calls(seconds):
    """Print what each short call takes in us, beside its target and NumPy's line. The time of an empty call is subtracted."""
    for text, plain, target, names in short_calls():
        names = {"np": np, "fastact": fastact, **names}
        calls = {"fastact": eval(f"lambda: fastact.{text}", names), "empty": lambda: None}
        if plain:
            calls["NumPy"] = eval(f"lambda: {plain}", names)
        best = bench.measure(calls, seconds, rounds=20)
        taken = (best["fastact"] - best["empty"]) / 1000
        beside = f"   NumPy {(best['NumPy'] - best['empty']) / 1000:.2f}" if plain else ""
        print(f"{' ' if taken <= target else '!'} {text:56}{taken:8.2f} us (target {target}){beside}", flush=True)


def main():
    """Parse the arguments, measure, print, and keep the record where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--functions", nargs="+", default=[*FORWARD, *BACKWARD], choices=[*FORWARD, *BACKWARD])
    parser.add_argument("--layouts", nargs="+", default=list(LAYOUTS), choices=list(LAYOUTS))
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--seconds", type=float, default=2, help="for one cell of the table")
    parser.add_argument("--no-peers", action="store_true", help="only what is compared with fastact itself")
    parser.add_argument("--calls", action="store_true", help="only calls on one short row")
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {RECORD.name}")
    parser.add_argument("--threads", type=int, default=1, help="for each library")
    arguments = parser.parse_args()
    fastact.set_num_threads(arguments.threads)
    if arguments.threads == 1:  # JAX can be restricted to one thread only in this way
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    elif arguments.write:
        parser.error("--write keeps the figures of one thread")
    if arguments.calls:
        time_short_calls(arguments.seconds / 20)
        return
    chosen = arguments.functions, arguments.layouts, arguments.sizes, arguments.seconds
    cells = [] if arguments.no_peers else list(compare(*chosen))
    print_summary(cells)
    own = list(own_ratios(arguments.sizes, arguments.seconds)) if arguments.threads == 1 else []
    if arguments.write:
        RECORD.write_text(json.dumps({"cells": cells, "own": own}, indent=1) + "\n")


if __name__ == "__main__":
    main()
