"""The cases: each is one pass of one function on arrays of a shape. `Memory` has the arrays, which all cases share."""

import dataclasses
import math
import os
import re

import numpy as np

from ...backends import available, load
from ...declare import ACTIVATIONS, ROWS

# Elements: for a small call, the first cache, the second or third cache, and main memory.
SIZES = (16, 1 << 10, 256 << 10, 8 << 20)
QUICK_SIZES = SIZES[:3]
UNITS = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20}

# Lengths of softmax's rows: a row a lane of a vector, a row that fits registers, and a row that fits the first cache.
COLUMNS = (10, 128, 1024)
# The length of axis 1 where axis 0 is normalized. Then the entries of a row are far from each other in memory.
COLUMNS_ACROSS = 256

# The length of the rows of other functions along an axis. A smaller size is one shorter row.
COLUMNS_OF_OTHERS = 128

STEPS = ("forward", "backward", "backward y=")
# The attribute of a declaration that has the plain line of each step.
PLAIN = {"forward": "plain", "backward": "plain_backward", "backward y=": "plain_backward_from_output"}
# The length of the halves into which glu splits a row.
COLUMNS_SPLIT = 512

# How many temporary arrays a plain line, or another library, may hold at once.
TEMPORARY = 6

# So many random numbers are drawn, and then repeated: drawing millions takes longer than measuring.
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
    declared : str
        The name of its declaration: "gelu_tanh" of "gelu[tanh]".
    plain : str or None
        The line of NumPy that people write for it.
    columns : int or None
        The length of the last axis of a two-dimensional case's results.
    keywords : tuple of (str, object)
        The keywords of the call besides `out`.
    operands : tuple of str
        The arrays of the forward pass.
    numbers : tuple of float
        The required parameters.
    values : tuple of (str, object)
        All parameters: the plain line may use them.
    results : tuple of str
        The entries of `out`: "out", and for a second result "second", or "None" where that is a number.
    split : bool
        Whether the one operand is twice as long as the result.
    reduces : bool
        Whether the forward pass has one result for each row, and the backward pass one gradient.
    shortens : bool
        Whether a size below `columns` is one shorter row. Otherwise the case has no such size.
    """

    name: str
    step: str
    forward: str
    declared: str
    plain: str | None = None
    columns: int | None = None
    keywords: tuple = ()
    operands: tuple = ("x",)
    numbers: tuple = ()
    values: tuple = ()
    results: tuple = ("out",)
    split: bool = False
    reduces: bool = False
    shortens: bool = False

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
        """The largest number of arrays of the size of the result that exist at once."""
        written = len(self.results) - self.results.count("None") + (self.split and self.step == "backward")
        return (self.step != "forward") + len(self.operands) + self.split + written + TEMPORARY

    @property
    def parameterized(self):
        """Whether the function takes parameters (or an axis, or an option) besides its operands."""
        return self.forward not in ACTIVATIONS or bool(ACTIVATIONS[self.forward].parameters or self.keywords or self.split)

    def shape(self, size):
        """The shape of about `size` elements; (0, columns) where `size` is less than a row."""
        columns = min(self.columns, size) if self.shortens else self.columns
        return (size,) if columns is None else (size // columns, columns)

    def call(self, implementation, operands, out=True):
        """The call of this case as a function without arguments. With `out` it writes to an existing array."""
        given = list(self.operands) if self.step != "backward y=" else ["None"] if self.numbers else []
        given += map(repr, self.numbers)
        if self.step != "forward":
            given.insert(0, "grad")
        if self.step == "backward y=":
            given.append("y=y")
        given += [f"{name}={value!r}" for name, value in self.keywords]
        if out:
            given.append("out=" + (self.results[0] if len(self.results) == 1 else f"({', '.join(self.results)})"))
        # The call is spelt out as a user's would be. *operands and **keywords would make a small call slower.
        function = getattr(load(implementation), self.function)
        return eval(f"lambda: function({', '.join(given)})", {"function": function, **operands})

    def plain_call(self, operands):
        """The plain line as a call without arguments, or None where there is no usual one."""
        if self.plain is None:
            return None
        names = {"np": np, **dict(self.values), **operands}
        if self.split:
            names["value"], names["gate"] = np.split(operands["x"], 2, axis=-1)
        return eval(f"lambda: ({self.plain})", names)


def cases(columns=COLUMNS):
    """Every function, forward and backward; softmax over rows of `columns` elements and over axis 0."""
    found = []
    for activation in ACTIVATIONS.values():
        alternatives = activation.alternatives.items() if activation.option else [(None, activation)]
        for value, other in alternatives if activation.public else ():
            found += elementwise(activation, value, other)
    found += along_axis("softmax", columns, across=True)
    for name in ROWS:
        if name != "softmax":
            found += along_axis(name)
    return found


def elementwise(activation, value, other):
    """The cases of one activation with this value of its option; `other` is the alternative that the value chooses."""
    chosen = other is not activation
    for step, plain in PLAIN.items():
        second = () if activation.halves or step != "backward" else activation.gradients[1:]
        if step != "backward y=" or other.backward_from_output:
            yield Case(
                name=f"{activation.name}[{value}]" if chosen else activation.name,
                step=step,
                forward=activation.name,
                declared=other.name,
                plain=getattr(other, plain),
                columns=COLUMNS_SPLIT if activation.halves else None,
                keywords=((activation.option, value),) if chosen else (),
                operands=("x",) if activation.halves else activation.operands,
                numbers=tuple(activation.usual.values()),
                values=tuple(other.values.items()),
                results=("out", *("second" if name in activation.operands else "None" for name in second)),
                split=activation.halves,
                shortens=activation.halves,
            )


def along_axis(name, columns=None, across=False):
    """The cases of one function along an axis: for each length in `columns`, and along axis 0 if `across`."""
    row = ROWS[name]
    shapes = [(f"{name}[{count}]", count, -1) for count in columns or ()]
    shapes += [(f"{name}[axis 0]", COLUMNS_ACROSS, 0)] if across else []
    for title, count, axis in shapes or [(name, COLUMNS_OF_OTHERS, -1)]:
        passes = {"forward": row.forward, "backward": row.backward, "backward y=": row.backward_from_output}
        for step, plain in PLAIN.items():
            if passes[step]:
                yield Case(
                    name=title,
                    step=step,
                    forward=name,
                    declared=name,
                    plain=getattr(row, plain),
                    columns=count,
                    keywords=() if axis == -1 else (("axis", axis),),
                    values=(("axis", axis),),
                    reduces=row.reduces,
                    shortens=not shapes,
                )


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
        result = shape[:-1] if case.reduces else shape
        x, written = self.array("x", whole), result if case.step == "forward" else whole
        arrays = {name: self.array(name, written) for name in case.results if name != "None"}
        if case.step != "forward":
            arrays["grad"] = self.array("grad", result)
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
