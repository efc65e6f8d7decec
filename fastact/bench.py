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

SIZES = (16, 1 << 10, 32 << 10, 256 << 10, 4 << 20)
QUICK_SIZES = SIZES[:4]
UNITS = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20}

# Few classes with the rows in the lanes, a row in registers, a row through the first cache.
COLUMNS = (10, 128, 1024)
# Of the array whose axis 0 is normalized: each row of it is contiguous, the axis is strided.
COLUMNS_ACROSS = 256

STEPS = ("forward", "backward", "backward y=")
# Of the halves that glu splits an array into.
COLUMNS_SPLIT = 512

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
        The function, with the shape or the option where it matters: "sigmoid", "gelu[tanh]", "softmax[1024]", "softmax[axis 0]".
    step : str
        "forward", "backward" (from the input) or "backward y=" (from the output).
    forward : str
        The public name of the forward pass.
    columns : int or None
        The length of the last axis of a two-dimensional case's results.
    keywords : tuple of (str, object)
        What the call gives by keyword besides its operands and `out`.
    operands : tuple of str
        The arrays of the forward pass.
    numbers : tuple of float
        Required parameters.
    results : tuple of str
        Where the call writes: "out", and for the second of two results "second", or "None" where it is summed to a number.
    split : bool
        Whether the one operand is twice as wide as the result.
    """

    name: str
    step: str
    forward: str
    columns: int | None = None
    keywords: tuple = ()
    operands: tuple = ("x",)
    numbers: tuple = ()
    results: tuple = ("out",)
    split: bool = False

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
        """How many arrays of the results' size a call reads and writes."""
        written = len(self.results) - self.results.count("None") + (self.split and self.step == "backward")
        return (self.step != "forward") + len(self.operands) + self.split + written

    @property
    def parameterized(self):
        """Whether the function takes parameters (or an axis, or an option) besides its operands."""
        return self.forward not in ACTIVATIONS or bool(ACTIVATIONS[self.forward].parameters or self.keywords or self.split)

    def shape(self, size):
        """The shape of about `size` elements; no rows where not even one fits, but of halves a shorter one."""
        columns = min(self.columns, size) if self.split else self.columns
        return (size,) if columns is None else (size // columns, columns)

    def call(self, implementation, operands):
        """A call of this case, without arguments."""
        given = list(self.operands) if self.step != "backward y=" else ["None"] if self.numbers else []
        given += map(repr, self.numbers)
        if self.step != "forward":
            given.insert(0, "grad")
        if self.step == "backward y=":
            given.append("y=y")
        out = self.results[0] if len(self.results) == 1 else f"({', '.join(self.results)})"
        arguments = ", ".join([*given, *(f"{name}={value!r}" for name, value in self.keywords), f"out={out}"])
        # A call spelt out costs what the user's call costs; *operands, **keywords would add a fifth to one on 16 elements.
        return eval(f"lambda: function({arguments})", {"function": getattr(load(implementation), self.function), **operands})


def cases(columns=COLUMNS):
    """Every function, forward and backward; softmax over rows of `columns` elements and over axis 0."""
    found = []
    for activation in ACTIVATIONS.values():
        alternatives = activation.alternatives.items() if activation.option else [(None, activation)]
        for value, other in alternatives if activation.public else ():
            chosen = other is not activation
            facts = {
                "name": f"{activation.name}[{value}]" if chosen else activation.name,
                "forward": activation.name,
                "keywords": ((activation.option, value),) if chosen else (),
                "operands": ("x",) if activation.halves else activation.operands,
                "numbers": tuple(activation.usual.values()),
                "columns": COLUMNS_SPLIT if activation.halves else None,
                "split": activation.halves,
            }
            for step in STEPS:
                second = () if activation.halves or step != "backward" else activation.gradients[1:]
                results = ("out", *("second" if of in activation.operands else "None" for of in second))
                if step != "backward y=" or other.backward_from_output:
                    found.append(Case(step=step, results=results, **facts))
    shapes = [(str(count), count, ()) for count in columns] + [("axis 0", COLUMNS_ACROSS, (("axis", 0),))]
    for label, count, keywords in shapes:
        found += [Case(f"softmax[{label}]", step, "softmax", count, keywords) for step in STEPS]
    return found


def contestants():
    """The implementations to compare, by label: the one in use and NumPy, or NumPy alone where nothing is compiled."""
    return {"NumPy": "numpy"} if simd == "numpy" else {"compiled": simd, "NumPy": "numpy"}


class Memory:
    """Buffers that all cases share, so that the largest size needs few arrays.

    Parameters
    ----------
    size : int
        Elements of the largest case's results.
    dtype : dtype_like
    draw : callable, optional
        (generator, count) -> numbers; standard normal by default.
    """

    def __init__(self, size, dtype=np.float32, draw=np.random.Generator.standard_normal):
        generator = np.random.default_rng(2)
        self.dtype = np.dtype(dtype)
        self.drawn = draw(generator, min(size, DRAWN)).astype(dtype)
        self.beside = generator.standard_normal(min(size, DRAWN)).astype(dtype)
        self.buffers = {}

    def array(self, name, shape):
        """A part of the buffer of this name."""
        size = math.prod(shape)
        if name not in self.buffers or self.buffers[name].size < size:
            self.buffers[name] = np.zeros(size, self.dtype)
        return self.buffers[name][:size].reshape(shape)

    def operands(self, case, size):
        """The arrays of one case, by name; what they held for the case before is overwritten."""
        shape = case.shape(size)
        whole = (*shape[:-1], 2 * shape[-1]) if case.split else shape
        x = self.array("x", whole)
        arrays = {name: self.array(name, whole if case.step == "backward" else shape) for name in case.results if name != "None"}
        if case.step != "forward":
            arrays["grad"] = self.array("grad", shape)
            repeat(self.beside, arrays["grad"].reshape(-1))
        for name in case.operands[1:]:
            arrays[name] = self.array(name, shape)
            repeat(self.beside, arrays[name].reshape(-1))
        repeat(self.drawn, x.reshape(-1))
        functions = load(available()[0])
        if case.forward == "logit":
            functions.sigmoid(x, out=x)  # it is defined between 0 and 1
        arrays[case.operands[0]] = x
        if case.step == "backward y=":
            arrays["y"] = getattr(functions, case.forward)(x, *case.numbers, out=x, **dict(case.keywords))
        return arrays


def fits(size, dtype, arrays):
    """Whether so many arrays take at most half of this machine's memory, as far as the system says."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return True
    return arrays * size * np.dtype(dtype).itemsize <= total / 2


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
            "gb_per_s": {label: case.arrays * elements * memory.dtype.itemsize / ns for label, ns in best.items()},
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
