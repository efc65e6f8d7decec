"""What each rule of the pool of threads is worth: `python benchmarks/pool_cases.py [--write]`, in a checkout, on Linux.

A rule is taken out by a change of src_c/threads/pool.c, below. Each of these pools computes the same in turn, on two threads, in
one process: back to back, after pauses, and beside other processes that compute. A figure is the time without the rule as a
multiple of the time with it. A rule stays if three cells take 10 % longer without it, or their geometric mean is 1.5 % up. The
first lines compare the whole pool with one thread. `--write` keeps the table in pool_cases.md.
"""

import argparse
import contextlib
import ctypes
import multiprocessing
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np
from special_cases import changed, row_of

ROOT = pathlib.Path(__file__).parents[1] / "src_c"
POOL = ROOT / "threads" / "pool.c"
TABLE = pathlib.Path(__file__).with_name("pool_cases.md")
TAKEN_OUT = "## Taken out"  # what follows it in the file is kept
HEAD = """# What the rules of the pool of threads are worth

Each was taken out alone: `python benchmarks/pool_cases.py --write`. How many times as long as with it: the geometric mean / how
many of the cells take 10 % longer / the worst. A cell is a size of array, what other processes compute, and the pauses."""

# The changes of each rule: a text that stands in one place of pool.c, and what it becomes.
CASES = {
    "parts of one's own first": [("&range[(first + k) % now.ranges]", "&range[(0 * first + k) % now.ranges]")],
    "ranges of parts": [("now.ranges = helpers + 1;", "now.ranges = 1;")],
    "parts of .6 to 20 us": [
        ("const uint64_t of_part = is_eager() ? 1 : share < SHORTEST ? SHORTEST : share < LONGEST ? share : LONGEST;",
         "const uint64_t of_part = is_eager() ? 1 : share;"),
    ],
    "a core for a late worker": [("late ? bind_here(late) : (Bound){0}", "late < 0 ? bind_here(late) : (Bound){0}")],
    "away from the caller's core": [("return !is_eager() && core >= 0 &&", "return 0 && core >= 0 &&")],
    "more work after a pause": [("return picoseconds >= COLD ||", "return picoseconds < COLD || 1 ||")],
}  # fmt: skip

# The work: a rational function of floats, or their maximum with 0, which is bound by memory.
WORK = """
#include "threads/pool.h"
typedef struct { const float *x; float *y; } Arrays;
static void cheap_work(void *given, size_t start, size_t end) {
    const Arrays *const a = given;
    for (size_t i = start; i < end; i++) a->y[i] = a->x[i] > 0 ? a->x[i] : 0;
}
static void work(void *given, size_t start, size_t end) {
    const Arrays *const a = given;
    for (size_t i = start; i < end; i++) {
        float x = a->x[i], s = x * x, t = 1 + s * (0.3f + s * (0.01f + s * 0.001f));
        a->y[i] = x * (0.5f + s * (0.2f + s * 0.03f)) / t + t * (0.1f + s * (0.7f - s * 0.02f));
    }
}
void compute(const float *x, float *y, size_t n, size_t cost, int cheap) {
    Arrays arrays = {x, y};
    const Extent extent = {n, 0, 1024, n * cost};
    fastact_share(cheap ? cheap_work : work, &arrays, &extent);
}
"""
SIZES = {"32 Ki": 1 << 15, "64 Ki": 1 << 16, "128 Ki": 1 << 17, "256 Ki": 1 << 18, "1 Mi": 1 << 20, "8 Mi": 1 << 23}
LOADS = {"": 0, "beside one process": 1, "beside two": 2}
PAUSES = {"": 0.0, "pauses of 50 us": 50e-6, "pauses of 500 us": 500e-6, "pauses of 5 ms": 5e-3}


def pool(changes, folder, number):
    """The function that computes, with a pool of its own."""
    source, library = folder / f"pool{number}.c", folder / f"pool{number}.so"
    source.write_text(changed({POOL: POOL.read_text(encoding="utf-8")}, changes)[POOL] + WORK, encoding="utf-8")
    flags = ["-std=c11", "-O3", "-march=native", "-shared", "-fPIC", "-pthread", "-Wno-unused", f"-I{ROOT}"]
    subprocess.run(["gcc", *flags, str(source), "-o", str(library)], check=True)
    core = ctypes.CDLL(str(library))
    core.compute.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
    core.compute.restype = None
    return core


def burn():
    """Compute for ever."""
    while True:
        pass


@contextlib.contextmanager
def load(processes):
    """So many other processes that compute."""
    others = [multiprocessing.get_context("spawn").Process(target=burn, daemon=True) for _ in range(processes)]
    for other in others:
        other.start()
    if others:
        time.sleep(1)
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.join()


def round_of(core, arguments, pause, seconds):
    """The time of one call. After pauses it is the mean, so that a call which waits for another process counts."""
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        if pause:
            time.sleep(pause)
        start = time.perf_counter()
        core.compute(*arguments)
        times.append(time.perf_counter() - start)
    return statistics.fmean(times)


def cost(core, cheap):
    """The picoseconds of an element, on one thread."""
    n = 1 << 16
    x, y = (ctypes.c_float * n)(), (ctypes.c_float * n)()
    return max(1, round(1e12 * min(round_of(core, (x, y, n, 0, cheap), 0, 0.01) for _ in range(20)) / n))


def measured(cores, size, picoseconds, cheap, pause, seconds):
    """The median of the rounds of each core, which take turns."""
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    y = np.empty_like(x)
    arguments = x.ctypes.data, y.ctypes.data, size, picoseconds, cheap
    times: list[list[float]] = [[] for _ in cores]
    turn, end = 0, time.perf_counter() + seconds * len(cores)
    while turn < 3 or time.perf_counter() < end:
        for k in range(len(cores)):
            which = (k + turn) % len(cores)
            if not pause:
                round_of(cores[which], arguments, 0, 0)
            times[which].append(round_of(cores[which], arguments, pause, seconds / 12))
        turn += 1
    return [statistics.median(one) for one in times]


def main():
    """Read the arguments, compile, measure, and print or keep the table."""
    from tqdm import tqdm

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.4, help="for each cell and pool")
    parser.add_argument("--case", help="only the rules that have this text in their names")
    parser.add_argument("--write", action="store_true", help="keep the table")
    arguments = parser.parse_args()
    cases = {name: changes for name, changes in CASES.items() if not arguments.case or arguments.case in name}
    with tempfile.TemporaryDirectory() as made:
        cores = [pool(changes, pathlib.Path(made), i) for i, changes in enumerate(([], [], *cases.values()))]
        for i, core in enumerate(cores):
            core.fastact_set_threads(2 if i else 1)
        picoseconds = [cost(cores[0], cheap) for cheap in range(2)]
        ratios: dict[str, list[tuple[float, str]]] = {name: [] for name in ("one thread", *cases)}
        for other, processes in LOADS.items():
            with load(processes):
                for size, elements in tqdm(SIZES.items(), other or "alone"):
                    for (pauses, pause), cheap in [*((pause, 0) for pause in PAUSES.items()), (("maximum", 0.0), 1)]:
                        times = measured(cores, elements, picoseconds[cheap], cheap, pause, arguments.seconds)
                        alone, whole, *without = times
                        cell = ", ".join(filter(None, (size, other, pauses)))
                        for name, seconds in zip(ratios, (alone, *without), strict=True):
                            ratios[name].append((seconds / whole, cell))
    gains = [f"| {cell} | {ratio:.2f} |" for ratio, cell in ratios.pop("one thread")]
    lines = ["| without | | |", "|---|---|---|", *(row_of(name, [of_case]) for name, of_case in ratios.items())]
    lines += ["", "Two threads, with all rules: how many times as fast as one.", "", "| cell | |", "|---|---|", *gains]
    print("\n".join(lines))
    if arguments.write:
        taken_out = TABLE.read_text(encoding="utf-8").partition(TAKEN_OUT)[2] if TABLE.exists() else "\n"
        TABLE.write_text(f"{HEAD}\n\n" + "\n".join(lines) + f"\n\n{TAKEN_OUT}{taken_out}", encoding="utf-8")


if __name__ == "__main__":
    main()
