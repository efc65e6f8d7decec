"""The benchmark's engine: cases, contestants and a fair clock. cli.py prints what it measures, benchmarks/ reuses it.

A *contestant* is an implementation ("avx512", ..., "numpy"), a *case* one pass of one function on one shape of data.
Every call writes into a warm array (`out=`), so that no contestant pays for page faults.
"""

import dataclasses
import gc
import itertools
import math
import os
import platform
import re
import time

import numpy as np

from . import __version__, simd
from .declare import ACTIVATIONS
from .implementations import available, load

SIZES = (16, 1 << 10, 32 << 10, 256 << 10, 4 << 20, 64 << 20)
QUICK_SIZES = SIZES[:4]
UNITS = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20}

# Few classes with the rows in the lanes, a row in registers, a row through the first cache.
COLUMNS = (10, 128, 1024)
# Of the array whose axis 0 is normalized: each row of it is contiguous, the axis is strided.
COLUMNS_ACROSS = 256

OPERANDS = {"forward": "x", "backward": "grad, x", "backward y=": "grad, y=y"}

# A measurement lasts at least this many ns. Below, the first call, whose data the other contestant has just driven out
# of the cache, would count: at 256 Ki elements with a fifth of this it is one call in four.
SHORTEST = 1_000_000

# Random numbers are drawn this often and then repeated: drawing 64 Mi takes longer than measuring them.
DRAWN = 1 << 20


def parse_size(text):
    """The number of elements that "262144" or "256Ki" means."""
    match = re.fullmatch(r"([1-9]\d{0,11})(Ki|Mi|)", text.strip())
    if not match:
        raise ValueError(f"{text!r} is no size: give numbers of elements such as 16, 1000, 32Ki or 4Mi")
    return int(match[1]) * UNITS[match[2]]


def format_size(size):
    """The shortest text that `parse_size` reads as `size`."""
    return min((f"{size // unit}{name}" for name, unit in UNITS.items() if size % unit == 0), key=len)


@dataclasses.dataclass(frozen=True)
class Case:
    """One pass of one function on one shape of data.

    Attributes
    ----------
    name : str
        The function, with the shape where it matters: "sigmoid", "softmax[1024]", "softmax[axis 0]".
    step : str
        "forward", "backward" (from the input) or "backward y=" (from the output).
    forward : str
        The public name of the forward pass.
    columns : int or None
        The length of the last axis of a two-dimensional case.
    keywords : tuple of (str, object)
        What the call gives besides its operands and `out`.
    """

    name: str
    step: str
    forward: str
    columns: int | None = None
    keywords: tuple = ()

    @property
    def title(self):
        """Name and pass, as the tables show them."""
        return self.name if self.step == "forward" else f"{self.name} {self.step}"

    @property
    def function(self):
        """The public name of the function that is called."""
        return self.forward if self.step == "forward" else f"{self.forward}_backward"

    @property
    def arrays(self):
        """How many arrays a call reads and writes."""
        return 2 if self.step == "forward" else 3

    @property
    def parameterized(self):
        """Whether the function takes parameters (or an axis) besides its operands."""
        return self.forward not in ACTIVATIONS or bool(ACTIVATIONS[self.forward].parameters)

    def shape(self, size):
        """The shape of about `size` elements; no rows where not even one fits."""
        return (size,) if self.columns is None else (size // self.columns, self.columns)

    def call(self, implementation, operands):
        """A call of this case, without arguments."""
        arguments = ", ".join([OPERANDS[self.step], *(f"{name}={value!r}" for name, value in self.keywords), "out=out"])
        # A call spelt out costs what the user's call costs; *operands, **keywords would add a fifth to one on 16 elements.
        return eval(f"lambda: function({arguments})", {"function": getattr(load(implementation), self.function), **operands})


def cases(columns=COLUMNS):
    """Every function, forward and backward; softmax over rows of `columns` elements and over axis 0."""
    found = []
    for name, activation in ACTIVATIONS.items():
        steps = [step for step in OPERANDS if step != "backward y=" or activation.backward_from_output]
        found += [Case(name, step, name) for step in steps]
    shapes = [(str(count), count, ()) for count in columns] + [("axis 0", COLUMNS_ACROSS, (("axis", 0),))]
    for label, count, keywords in shapes:
        found += [Case(f"softmax[{label}]", step, "softmax", count, keywords) for step in OPERANDS]
    return found


def contestants():
    """The implementations to compare, by label: the one in use and NumPy, or NumPy alone where nothing is compiled."""
    return {"NumPy": "numpy"} if simd == "numpy" else {"compiled": simd, "NumPy": "numpy"}


class Memory:
    """Three buffers that all cases share, so that the largest size needs three arrays and no more.

    Parameters
    ----------
    size : int
        Elements of the largest case.
    dtype : dtype_like
    draw : callable, optional
        (generator, count) -> numbers; standard normal by default.
    """

    def __init__(self, size, dtype=np.float32, draw=np.random.Generator.standard_normal):
        generator = np.random.default_rng(2)
        self.x, self.grad, self.out = (np.empty(size, dtype) for _ in range(3))
        self.drawn = draw(generator, min(size, DRAWN)).astype(dtype)
        repeat(generator.standard_normal(min(size, DRAWN)), self.grad)

    def operands(self, case, size):
        """The arrays of one case, by name; what they held for the case before is overwritten."""
        shape = case.shape(size)
        x, grad, out = (buffer[: math.prod(shape)].reshape(shape) for buffer in (self.x, self.grad, self.out))
        repeat(self.drawn, x.reshape(-1))
        if case.step != "backward y=":
            return {"x": x, "grad": grad, "out": out}
        getattr(load(available()[0]), case.forward)(x, out=x, **dict(case.keywords))
        return {"y": x, "grad": grad, "out": out}


def fits(size, dtype):
    """Whether a `Memory` takes at most half of this machine's, as far as the system says."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return True
    return 3 * size * np.dtype(dtype).itemsize <= total / 2


def repeat(values, target):
    """Fill `target` with `values`, again and again."""
    for start in range(0, target.size, values.size):
        part = target[start : start + values.size]
        part[:] = values[: part.size]


def measure(calls, seconds, rounds=3):
    """Time `calls` in turn, round after round, and keep each one's best.

    On a shared machine the best is what repeats; and taking turns, a slow second hits all of them.

    Parameters
    ----------
    calls : dict
        Callables without arguments, by label.
    seconds : float
        Start no round after this time,
    rounds : int
        but make at least so many.

    Returns
    -------
    dict
        Nanoseconds per call, by label.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        repetitions = {label: enough(call) for label, call in calls.items()}
        best = dict.fromkeys(calls, math.inf)
        end = time.perf_counter() + seconds
        while rounds > 0 or time.perf_counter() < end:
            rounds -= 1
            for label, call in calls.items():
                best[label] = min(best[label], elapsed(call, repetitions[label]) / repetitions[label])
    finally:
        if collecting:
            gc.enable()
    return best


def enough(call):
    """How many repetitions last `SHORTEST`; also warms up what `call` touches."""
    call()
    repetitions = 1
    while elapsed(call, repetitions) < SHORTEST:
        repetitions *= 2
    return repetitions


def elapsed(call, repetitions):
    """Nanoseconds for so many calls."""
    turns = itertools.repeat(None, repetitions)
    start = time.perf_counter_ns()
    for _ in turns:
        call()
    return time.perf_counter_ns() - start


def run(work, contestants, memory, seconds):
    """Measure every (case, size) in `work`.

    Parameters
    ----------
    work : iterable of (Case, int)
    contestants : dict
        Implementations, by label.
    memory : Memory
        At least as large as the largest size.
    seconds : float
        For each case and size.

    Yields
    ------
    dict
        One row of the table: ns per element and GB/s (every array counted once) by label, ready for JSON.
    """
    for case, size in work:
        operands = memory.operands(case, size)
        calls = {label: case.call(implementation, operands) for label, implementation in contestants.items()}
        best = measure(calls, seconds)
        elements = math.prod(case.shape(size))
        yield {
            "name": case.name,
            "pass": case.step,
            "title": case.title,
            "size": size,
            "shape": case.shape(size),
            "ns_per_element": {label: ns / elements for label, ns in best.items()},
            "gb_per_s": {label: case.arrays * elements * memory.x.itemsize / ns for label, ns in best.items()},
        }


def work(chosen, sizes):
    """Every case with every size that it has a row for."""
    return [(case, size) for case in chosen for size in sizes if 0 not in case.shape(size)]


def machine():
    """What a figure depends on besides the code, as a dictionary of strings."""
    return {
        "fastact": __version__,
        "simd": simd,
        "numpy": np.__version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": processor(),
        "cores": str(os.cpu_count()),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def processor():
    """The processor's name, as well as the system knows it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
