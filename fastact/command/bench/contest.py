"""The measurement. A *contestant* is a function of a case and its arrays; it returns the call without arguments that is timed."""

import math
import statistics

import numpy as np

from ... import simd
from .clock import repeated

# glibc returns large freed arrays to the system, so that the next call has page faults. These can take most of the time of a
# plain line with several temporary arrays, and depend on what ran before. Once an array of this many bytes has been freed, glibc
# keeps freed memory of up to this size. No larger size has this effect.
KEPT = 31 << 20
# Rounds and ratios repeat to a few percent: more digits would be noise in the record.
DIGITS = 4


def ours(implementation, out=True):
    """An implementation as a contestant. With `out` it writes to an existing array, else it makes a new one."""
    return lambda case, operands: case.call(implementation, operands, out)


def plain(case, operands):
    """The plain line as a contestant."""
    return case.plain_call(operands)


def implementations():
    """The implementations to compare, by label: the one in use and the fallback; the fallback alone where nothing is compiled."""
    return {"fallback": "numpy"} if simd == "numpy" else {"compiled": simd, "fallback": "numpy"}


def contestants(peers=None):
    """All contestants, by label.

    The plain line makes a new array, and so do the calls that are compared with it. "out" is the first of our implementations
    once more, with an existing array as `out`.
    """
    own = implementations()
    return {
        **{label: ours(name, out=False) for label, name in own.items()},
        "plain": plain,
        "out": ours(next(iter(own.values()))),
        **(peers or {}),
    }


def run(work, contestants, memory, seconds, threads=1):
    """Measure every (case, size) in `work`.

    Parameters
    ----------
    work : iterable of (Case, int)
    contestants : dict
        Callables (case, operands) -> call, by label; None in place of a call leaves the contestant out.
    memory : Memory
        At least as large as the largest size.
    seconds : float
        For each case and size.
    threads : int
        How many our calls may take. `peers.set_threads` sets the number of other libraries.

    Yields
    ------
    dict
        One row of the record, ready for JSON. By label it has the best ns per element and the spread of the rounds, which is the
        median over the best. The time of "out" stands by itself.
    """
    np.empty(KEPT, np.uint8)
    for case, size in work:
        operands = memory.operands(case, size)
        calls = {label: make(case, operands) for label, make in contestants.items()}
        times = repeated({label: call for label, call in calls.items() if call}, seconds, threads=threads)
        elements = math.prod(case.shape(size))
        best = {label: rounded(min(each) / elements) for label, each in times.items()}
        row = {"name": case.name, "pass": case.step, "title": case.title, "dtype": memory.dtype.name}
        row |= {"threads": threads, "size": size, "shape": case.shape(size)}
        if "out" in best:
            row["out"] = best.pop("out")
        spread = {label: rounded(statistics.median(each) / min(each)) for label, each in times.items()}
        yield {**row, "ns_per_element": best, "spread": spread}


def rounded(number):
    """A number with `DIGITS` digits."""
    return float(f"{number:.{DIGITS}g}")


def work(chosen, sizes):
    """Every case with every size that it has a row for."""
    return [(case, size) for case in chosen for size in sizes if 0 not in case.shape(size)]
