"""The measurement: contestants on cases. A *contestant* makes, of a case and its arrays, a call without arguments."""

import math
import statistics

import numpy as np

from ... import simd
from .clock import repeated

# An array of so many bytes, once freed, makes glibc keep freed memory of up to that size instead of giving it back to the
# system, so that the next call has no page faults. They depend on what ran before, and can take most of the time of a plain
# line with several temporary arrays. It is the largest size that has this effect.
KEPT = 31 << 20
# Rounds and ratios repeat to a few percent: more digits would be noise in the record.
DIGITS = 4


def ours(implementation, out=True):
    """An implementation as a contestant, which writes into an array that is there already or, without `out`, makes a new one."""
    return lambda case, operands: case.call(implementation, operands, out)


def plain(case, operands):
    """The line that people write, as a contestant."""
    return case.plain_call(operands)


def implementations():
    """The implementations to compare, by label: the one in use and the fallback, or this alone where nothing is compiled."""
    return {"fallback": "numpy"} if simd == "numpy" else {"compiled": simd, "fallback": "numpy"}


def contestants(peers=None):
    """All who take part, by label; "out" is the first of our implementations once more, into an array that is there already.

    People's line makes a new array, and so do the calls that are compared with it.
    """
    own = implementations()
    return {
        **{label: ours(name, out=False) for label, name in own.items()},
        "plain": plain,
        "out": ours(next(iter(own.values()))),
        **(peers or {}),
    }


def run(work, contestants, memory, seconds):
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

    Yields
    ------
    dict
        One row of the record, ready for JSON: the best ns per element and the spread of the repeats (the median over the
        best) by label. What `out=` takes stands by itself.
    """
    np.empty(KEPT, np.uint8)
    for case, size in work:
        operands = memory.operands(case, size)
        calls = {label: make(case, operands) for label, make in contestants.items()}
        times = repeated({label: call for label, call in calls.items() if call}, seconds)
        elements = math.prod(case.shape(size))
        best = {label: rounded(min(each) / elements) for label, each in times.items()}
        row = {"name": case.name, "pass": case.step, "title": case.title, "size": size, "shape": case.shape(size)}
        if "out" in best:
            row["out"] = best.pop("out")
        spread = {label: rounded(statistics.median(each) / min(each)) for label, each in times.items()}
        yield {**row, "ns_per_element": best, "spread": spread}


def rounded(number):
    """A number with as many digits as it is worth."""
    return float(f"{number:.{DIGITS}g}")


def work(chosen, sizes):
    """Every case with every size that it has a row for."""
    return [(case, size) for case in chosen for size in sizes if 0 not in case.shape(size)]
