"""Measure each speed that the project aims at, and print it with its target: `python benchmarks/figures.py [--wheel FILE]`.

Contestants take turns, and the best of several rounds counts (bench/clock.py). Where an instruction set is compared with the
NumPy fallback, NumPy itself is restricted to that set. NumPy chooses its features when it is imported, so this command starts a
process for each set. This is a report and not a test: the exit code is 0 even if a target is missed.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from held import ABOVE_AVX2

import fastact
from fastact.backends import available
from fastact.command import bench
from fastact.declare import ROWS

SIZE = 256 << 10
TARGETS = {
    "sigmoid": 4,
    "elu": 3.5,
    "leaky_relu": 2.5,
    "sigmoid_backward": 2.5,
    "tanh": 1.2,
    "softmax[1024]": 4,
    "softmax[10]": 15,
}
WIDE_TARGETS = {"sigmoid": 2, "tanh": 1.1, "elu": 2.5}
WIDE = {
    "standard deviation 6": lambda generator, count: generator.normal(0, 6, count),
    "uniform in +-14": lambda generator, count: generator.uniform(-14, 14, count),
}
SUBNORMAL = {"uniform in [-102, -88]": lambda generator, count: generator.uniform(-102, -88, count)}
# NumPy's names of the processor features above each instruction set: X86_V3 and X86_V4 since NumPy 2.4, the others before.
ABOVE_BASELINE = "X86_V3 AVX2 FMA3 " + ABOVE_AVX2
NUMPY_WITHOUT = {"avx512": "", "avx2": ABOVE_AVX2, "sse2": ABOVE_BASELINE, "scalar": ABOVE_BASELINE}
# The most that a pass may take on AVX-512, as a multiple of the time of np.exp: on standard normal numbers, and on others.
EXP_TARGETS = {"forward": 0.8, "backward": 1.2, "gated pairs": 1.2}
EXP_TARGETS_ON = {**dict.fromkeys(WIDE, 1.5), **dict.fromkeys(SUBNORMAL, 4)}
CALL_TARGET, CALL_TARGET_WITH_PARAMETERS = 1.2, 1.8
IMPORT_TARGET = 15  # ms
WHEEL_TARGET = 2.0


def ratios(cases, memory, implementation, seconds=0.3):
    """For each case (title, how many times as fast as the fallback, ns an element)."""
    contestants = {"compiled": bench.ours(implementation), "NumPy": bench.ours("numpy")}
    for row in bench.run(bench.work(cases, [SIZE]), contestants, memory, seconds):
        times = row["ns_per_element"]
        yield row["title"], times["NumPy"] / times["compiled"], times["compiled"]


class Report:
    """Prints figures, and counts those that reach their target."""

    def __init__(self):
        self.reached = self.total = 0

    def add(self, text, value, target, reached, unit=""):
        """Print and count one figure; `reached` says whether it reaches its target."""
        self.total += 1
        self.reached += reached
        print(f"{'  ' if reached else '! '}{text:<88} {value:8.2f}{unit}   (target {target}{unit})", flush=True)

    def at_most(self, kind, found, target):
        """Count many figures (value, title), none of which may exceed the target. Print those that do, or else the largest."""
        found.sort(reverse=True)
        missed = [(value, title) for value, title in found if value > target]
        for value, title in missed or found[:1]:
            self.add(f"{kind}: {title}", value, target, value <= target)
        passed = len(found) - len(missed or found[:1])
        self.reached += passed
        self.total += passed
        print(f"     {kind}: {len(found) - len(missed)} of {len(found)}", flush=True)


def fallback_targets(report):
    """The speeds of TARGETS on standard normal numbers, and of WIDE_TARGETS on wider ones, as multiples of the fallback's."""
    named = {case.title.replace(" backward", "_backward"): case for case in bench.cases()}
    memory = bench.Memory(SIZE)
    for name, target in TARGETS.items():
        for _, ratio, ns in ratios([named[name]], memory, fastact.simd):
            report.add(f"{name}, {ns:.3f} ns an element, times faster than the fallback", ratio, target, ratio >= target)
    for what, draw in WIDE.items():
        memory = bench.Memory(SIZE, draw=draw)
        for name, target in WIDE_TARGETS.items():
            for _, ratio, ns in ratios([named[name]], memory, fastact.simd):
                report.add(f"{name}, {what}, {ns:.3f} ns", ratio, target, ratio >= target)


def beside_exp(report):
    """The times of every activation, forward and backward from the input, as multiples of the time of np.exp.

    np.exp always gets standard normal numbers.
    """
    draws = {"": np.random.Generator.standard_normal, **WIDE, **SUBNORMAL}
    x = np.random.default_rng(2).standard_normal(SIZE, dtype=np.float32)
    out = np.empty_like(x)
    for what, draw in draws.items():
        memory, found = bench.Memory(SIZE, draw=draw), {}
        for case in bench.cases():
            if case.forward in ROWS or case.step == "backward y=" or (what and case.forward == "logit"):
                continue
            operands = memory.operands(case, SIZE)
            if case.forward == "logit":
                operands["x"][:] = np.random.default_rng(3).uniform(0, 1, SIZE)
            calls = {"call": case.call(fastact.simd, operands), "np.exp": lambda: np.exp(x, out=out)}
            best = bench.measure(calls, 0.1)
            kind = "gated pairs" if len(case.operands) == 2 or case.split else case.step
            found.setdefault(kind, []).append((best["call"] / best["np.exp"], f"{case.title}, {best['call'] / SIZE:.3f} ns"))
        for kind, figures in found.items():
            name = f"{kind}{', ' if what else ''}{what}, times np.exp"
            report.at_most(name, figures, EXP_TARGETS_ON.get(what, EXP_TARGETS[kind]))


def slowest(implementation):
    """Print the cases that are slower than the fallback, or else the one that gains least. `every_set` reads this."""
    found = []
    for dtype in (np.float32, np.float64):
        memory = bench.Memory(SIZE, dtype)
        found += [
            (ratio, f"{title}, {np.dtype(dtype)}") for title, ratio, _ in ratios(bench.cases(), memory, implementation, 0.1)
        ]
    found.sort()
    for ratio, title in [row for row in found if row[0] < 1] or found[:1]:
        print(f"{ratio}|{title} (of {len(found)})")


def every_set(report):
    """Whether any case is slower than the fallback, on any instruction set."""
    for name in available()[:-1]:
        environment = {key: value for key, value in os.environ.items() if key != "NPY_ENABLE_CPU_FEATURES"}
        environment["NPY_DISABLE_CPU_FEATURES"] = NUMPY_WITHOUT.get(name, "")
        # -W ignore: NumPy warns of features that it does not know, or that the machine does not have.
        command = [sys.executable, "-W", "ignore", __file__, "--slowest", name]
        child = subprocess.run(command, env=environment, capture_output=True, text=True)
        if child.returncode:  # this NumPy was built to need one of those features
            report.add(f"{name}, not measured: {' '.join(child.stderr.splitlines()[-2:])}", np.nan, 1, False)
            continue
        for line in child.stdout.splitlines():
            ratio, title = line.split("|")
            report.add(f"{name}, least gain: {title}", float(ratio), 1, float(ratio) >= 1)


def calls(report):
    """The times of calls on 16 elements, as multiples of np.tanh's. The time of an empty call is subtracted from both."""
    memory, found = bench.Memory(16), {}
    for case, _ in bench.work(bench.cases(columns=(16,)), [16]):
        if case.forward in ROWS and case.forward != "softmax":
            continue
        operands = memory.operands(case, 16)
        x, out = memory.drawn.copy(), np.empty(16, np.float32)
        named = {
            "np.tanh": lambda x=x, out=out: np.tanh(x, out=out),
            "call": case.call(fastact.simd, operands),
            "empty": lambda: None,
        }
        best = bench.measure(named, 0.2, rounds=20)
        net = {label: time - best["empty"] for label, time in best.items()}
        figures = found.setdefault(CALL_TARGET_WITH_PARAMETERS if case.parameterized else CALL_TARGET, [])
        figures.append((net["call"] / net["np.tanh"], f"{case.title}, {net['call']:.0f} ns"))
    for target, figures in found.items():
        report.at_most("16 elements, times np.tanh", figures, target)


def import_time(report, rounds=20):
    """The time of `import fastact` after `import numpy`, the best of several new processes."""
    statements = "import time, numpy; start = time.perf_counter(); import fastact; print(time.perf_counter() - start)"
    # `python -c` imports from its current folder first. In the checkout that would be the source folder.
    options = {"cwd": tempfile.gettempdir(), "capture_output": True, "text": True, "check": True}
    added = 1e3 * min(float(subprocess.run([sys.executable, "-c", statements], **options).stdout) for _ in range(rounds))
    report.add("import fastact, added to NumPy's own", added, IMPORT_TARGET, added < IMPORT_TARGET, " ms")


def main():
    """Measure, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=pathlib.Path, help="also weigh this wheel")
    parser.add_argument("--slowest", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.slowest:
        slowest(options.slowest)
        return
    if fastact.backend == "numpy":
        sys.exit(f"there is nothing compiled to measure: {fastact.reason}")
    machine = bench.machine()
    print(f"fastact {machine['fastact']}, {machine['simd']}, NumPy {machine['numpy']}, {machine['cpu']}")
    print("float32, 256 Ki elements, one thread, unless said")
    report = Report()
    fallback_targets(report)
    if fastact.simd == "avx512":
        beside_exp(report)
    every_set(report)
    calls(report)
    import_time(report)
    if options.wheel:
        size = options.wheel.stat().st_size / 1e6
        report.add(f"{options.wheel.name}", size, WHEEL_TARGET, size < WHEEL_TARGET, " MB")
    print(f"\n{report.reached} of {report.total} figures reached")


if __name__ == "__main__":
    main()
