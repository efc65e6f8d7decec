"""Chooses shapes, dtypes, values and places in memory for the arrays of a random call, for fuzz_cases.py."""

import functools
import math
import random

import numpy as np

from guarded import dense, extent

SHORT = (1, 1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 15, 16, 17, 20, 24, 25, 31, 32, 33, 48, 63, 64, 65, 96, 100, 127, 128, 129, 256, 257)
FLOATS = ("f2", "f4", "f8")
ODD = ("i4", "u1", "i8", "?", ">f4", ">f8", "g", "c8")
NARROW = 1 << 17  # values in a pool


class Array:
    """The description of one array of a call: where it lies in memory, and what it holds.

    Attributes
    ----------
    slot : int
        The number of its region. An out= that overlaps an operand has the operand's.
    at, shift : str, int
        "start" or "end" of the region, and how many bytes lie between that guard and the array.
    kind : tuple or None
        The arguments of `pool` for its values. None for an out=, which is not filled.
    start : int
        The index in the pool of its first value.
    """

    def __init__(self, slot, shape, dtype, kind, strides, at, shift, start):
        self.slot, self.shape, self.dtype, self.kind = slot, tuple(shape), dtype, kind
        self.strides, self.at, self.shift, self.start = tuple(strides), at, shift, start

    @property
    def bytes(self):
        """How many bytes it needs in its region."""
        return sum(extent(self.shape, self.strides, np.dtype(self.dtype).itemsize)) + self.shift

    def view(self, region, copy=None, start=0):
        """The NumPy array in a region, or in a copy of the region's bytes from `start` on."""
        return region.array(self.shape, self.dtype, self.strides, self.at, self.shift, copy, start)

    def fill(self, array):
        """Write the values of this description into an array."""
        values, size = pool(*self.kind), math.prod(self.shape)
        part = values[self.start : self.start + size] if self.start + size <= len(values) else np.resize(values, size)
        array[...] = part.reshape(self.shape)

    def __repr__(self):
        where = f"{self.shift} bytes from the {self.at}" if self.shift else f"at the {self.at}"
        return f"<{self.dtype} {self.shape} strides {self.strides} {where} of region {self.slot}, {self.kind}[{self.start}:]>"


@functools.cache
def pool(kind, *facts):
    """Values of a kind.

    "row" has ordinary numbers, "wide" larger ones, "special" also zeros, infinities and NaN, "any" also extreme numbers.
    "unit" has numbers in [0, 1], "between" in the range of `facts`, "flag" booleans, "integer" integers. "index" has integers
    below n, ignored ones and wild ones, as `facts` says.
    """
    rng = np.random.default_rng(1)
    normal = rng.normal(0, 3, NARROW)
    if kind == "index":
        n, ignored, wild = facts
        values = rng.integers(0, max(n, 1), NARROW)
        if ignored is not None:
            values[rng.random(NARROW) < 0.2] = ignored
        if wild is not None:
            values[rng.integers(0, NARROW, NARROW // 40)] = wild
        return values
    if kind == "flag":
        return rng.random(NARROW) < 0.8
    if kind == "integer":
        return rng.integers(0, 100, NARROW)
    if kind == "unit":
        return rng.random(NARROW)
    if kind == "between":
        return rng.uniform(*facts, NARROW)
    if kind == "wide":
        return normal * 100
    if kind != "row":
        special = [0.0, -0.0, np.inf, -np.inf, np.nan]
        if kind == "any":
            special += [3e38, -3e38, 1e-38, 1e-45, 89.0, -104.0, 745.0, -746.0, 1e300, 5e-324, 1.0, -1.0, 0.5]
        at = rng.integers(0, NARROW, NARROW // (4 if kind == "any" else 30))
        normal[at] = rng.choice(special, len(at))
    return normal


class ArrayMaker:
    """Makes the arrays of the call that has this number."""

    def __init__(self, seed, number):
        self.rng = random.Random(seed << 32 | number)
        self.slots, self.out_valid = 0, True
        self.large = self.rng.random() < 0.0004

    def chance(self, share):
        """True with this probability."""
        return self.rng.random() < share

    def shape(self):
        """A shape with 0 to 4 dimensions. Few are long, and very few are larger than the caches."""
        rng, size = self.rng, self.rng.random()
        if self.large:
            n = rng.choice((1, 2, 7, 10, 16, 33, 70, 128, 200, 1000, 1025, 5000, 1 << 18))
            shape = [-(-((1 << 22) + rng.randrange(1000)) // n), n]
            return tuple(shape if self.chance(0.7) else shape[::-1])
        if size < 0.02:
            shape = [rng.choice((rng.randrange(1, 1500), rng.randrange(1, 9000), rng.randrange(1, 70000)))]
            shape += [rng.randrange(1, 4)] * rng.randrange(2)
        elif size < 0.05:
            shape = [rng.randrange(300, 6000), rng.randrange(1, 40)]
        else:
            shape = [rng.choice(SHORT) for _ in range(rng.choices((0, 1, 2, 3, 4), (2, 30, 40, 20, 8))[0])]
            while math.prod(shape) > 4000:
                shape[rng.randrange(len(shape))] = rng.randrange(1, 6)
            if shape and self.chance(0.03):
                shape[rng.randrange(len(shape))] = 0
        rng.shuffle(shape)
        return tuple(shape)

    def dtype(self):
        """A floating dtype, seldom another one."""
        return self.rng.choice(ODD) if self.chance(0.08) else self.rng.choice(FLOATS)

    def strides(self, shape, itemsize, broadcast):
        """Strides with any order of axes and any steps, also backwards, and of 0 if the array is only read."""
        rng, kind = self.rng, self.rng.random()
        if kind < 0.4 or self.large:
            return dense(shape, itemsize)
        order = list(range(len(shape)))[::-1]
        if kind < 0.55:
            order.reverse()
        elif kind < 0.7:
            rng.shuffle(order)
        strides, step = [0] * len(shape), itemsize * (rng.choice((1, 1, 2, 3)) if kind > 0.7 else 1)
        for axis in order:
            strides[axis] = step
            step *= max(shape[axis], 1)
            step += itemsize * rng.choice((0, 0, 1, 5)) if kind > 0.6 else 0
        for axis in order:
            if kind > 0.8 and self.chance(0.5):
                strides[axis] *= -1
            if kind > 0.93 and broadcast and self.chance(0.5):
                strides[axis] = 0
        return tuple(strides)

    def array(self, shape, dtype, kind, broadcast=True):
        """An array in a region of its own."""
        itemsize, slot = np.dtype(dtype).itemsize, self.slots
        self.slots += 1
        shift = self.rng.randrange(1, 2 * itemsize + 6) if self.chance(0.12) else 0
        at = self.rng.choice(("start", "end"))
        strides = self.strides(shape, itemsize, broadcast and kind is not None)
        return Array(slot, shape, dtype, kind, strides, at, shift, self.rng.randrange(NARROW - 5000))

    def broadcastable(self, shape):
        """A shape that broadcasts to this one, mostly itself."""
        if self.chance(0.8):
            return shape
        part = [1 if self.chance(0.4) else length for length in shape]
        return tuple(part[self.rng.randrange(len(part) + 1) :])

    def number(self, low, high, shape, dtype):
        """A parameter between low and high: a Python number, a NumPy scalar, or an array that broadcasts."""
        value, kind = self.rng.uniform(low, high), self.rng.random()
        if kind < 0.5:
            return value
        if kind < 0.6:
            return round(value) or 1
        if kind < 0.8:
            return self.rng.choice((np.float32, np.float64, np.float16))(value)
        return self.array(self.broadcastable(shape), dtype, ("between", low, high))

    def axis(self, dimensions):
        """An axis, positive or negative, most often the last, seldom one out of range."""
        if self.chance(0.5) or not dimensions:
            return -1
        return self.rng.randrange(-dimensions, dimensions + self.chance(0.02))

    def out(self, shape, operands, dtype, repeats=True):
        """An out= for a result of this shape: apart from all operands, in place of one, or overlapping a part of one."""
        rng, kind, itemsize = self.rng, self.rng.random(), np.dtype(dtype).itemsize
        partner = rng.choice(operands) if operands else None
        if partner is not None and kind < 0.22 and partner.shape == shape and 0 not in partner.strides:
            if np.dtype(partner.dtype).kind != "f":
                self.out_valid = None
            return Array(partner.slot, shape, partner.dtype, None, partner.strides, partner.at, partner.shift, 0)
        if self.chance(0.08):
            dtype = rng.choice(("f2", "f4", "f8", ">f4", "i4", "?", "g"))
            itemsize = np.dtype(dtype).itemsize
            self.out_valid = None
        if self.chance(0.08) and repeats and not self.large:
            shape = (*[rng.randrange(1, 4)] * rng.randrange(2), *(rng.randrange(1, 5) if n == 1 else n for n in shape))
            self.out_valid = None
        elif self.chance(0.03):
            shape = (*shape[:-1], rng.randrange(1, 5))
            self.out_valid = None
        strides = self.strides(shape, itemsize, False)
        if partner is None or kind > 0.6:
            made = self.array(shape, dtype, None)
            made.strides = strides
            return made
        if partner.shape == shape and partner.dtype == dtype and self.chance(0.5) and 0 not in partner.strides:
            strides = partner.strides
        shift = rng.choice((0, itemsize, 2 * itemsize, 7 * itemsize, rng.randrange(1, 40) * itemsize, rng.randrange(1, 64)))
        made = Array(partner.slot, shape, dtype, None, strides, partner.at, partner.shift, 0)
        (made if self.chance(0.5) else partner).shift += shift
        return made
