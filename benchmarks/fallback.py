"""The NumPy fallback beside the plain lines of NumPy that people write, elementwise: `python benchmarks/fallback.py`.

Both make new arrays and take turns in one process, and the best of many rounds counts. It prints the time of the plain line
divided by the fallback's: the geometric mean of each pass, and the worst cells. It needs no compiled core.
"""

import argparse
import collections
import math

import numpy as np

from fastact.command.bench import STEPS, Memory, cases, format_size, ours, parse_size, plain, run, work
from fastact.declare import ACTIVATIONS

# The geometric mean that the project aims at, by size.
TARGETS = {"16": 0.35, "1Ki": 0.5, "256Ki": 0.7, "8Mi": 0.9}


def ratios(chosen, size, dtype, seconds):
    """The ratio of each case, best of the plain line over best of the fallback, and the ns an element of both."""
    contestants = {"fallback": ours("numpy", out=False), "plain": plain}
    for row in run(work(chosen, [size]), contestants, Memory(size * 2, dtype), seconds):
        times = row["ns_per_element"]
        yield row["pass"], row["title"], times["plain"] / times["fallback"], times["fallback"], times["plain"]


def mean(values):
    """The geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values))


def main():
    """Parse the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--functions", nargs="+", help="names as `fastact bench` has them (default: all with a plain line)")
    parser.add_argument("--passes", nargs="+", default=list(STEPS), choices=STEPS)
    parser.add_argument("--sizes", nargs="+", default=list(TARGETS))
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float64"], choices=["float32", "float64"])
    parser.add_argument("--seconds", type=float, default=0.1, help="for one cell; at least three rounds are made")
    parser.add_argument("--worst", type=int, default=8, help="how many of the worst cells to print, 0 for all")
    arguments = parser.parse_args()
    np.seterr(all="ignore")  # the plain lines overflow
    chosen = [case for case in cases() if case.plain and case.forward in ACTIVATIONS and case.step in arguments.passes]
    chosen = [case for case in chosen if not arguments.functions or case.name in arguments.functions]
    for dtype in arguments.dtypes:
        for size in map(parse_size, arguments.sizes):
            cells = list(ratios(chosen, size, dtype, arguments.seconds))
            passes = collections.defaultdict(list)
            for step, _, ratio, *_ in cells:
                passes[step].append(ratio)
            listed = "  ".join(f"{step} {mean(found):.2f} ({len(found)})" for step, found in passes.items())
            target, total = TARGETS.get(format_size(size)), mean([ratio for _, _, ratio, *_ in cells])
            print(f"{dtype} {format_size(size):6} geometric mean {total:.2f} (target {target})   {listed}", flush=True)
            for _, title, ratio, ns, line in sorted(cells, key=lambda cell: cell[2])[: arguments.worst or None]:
                print(f"    {title:28}{ratio:6.2f}   {ns:10.3f} ns, the plain line {line:.3f}", flush=True)


if __name__ == "__main__":
    main()
