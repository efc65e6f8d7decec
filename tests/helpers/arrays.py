"""Arrays for the tests: the same values in every memory layout that NumPy knows, and comparisons to the bit."""

import functools
import operator

import numpy as np
import pytest

N = 70  # values in a pool: they fill arrays of 7 x 10 and of 2 x 5 x 7


class Labelled(np.ndarray):
    """A subclass of ndarray that adds nothing."""


def pool(dtype, seed=0):
    """N values. The special ones lie scattered among ordinary ones, so that lanes of one vector need different treatment."""
    limits = np.finfo(dtype)
    edges = [limits.max, limits.tiny, limits.tiny / 3, limits.smallest_subnormal, limits.eps]
    special = [0.0, np.inf, *edges, 0.5, 1, 8, 30, 88.8, 103, 709.9, 745.2]
    rng = np.random.default_rng(seed)
    ordinary = rng.normal(0, 3, N - 2 * len(special) - 1)
    values = np.concatenate([special, np.negative(special), [np.nan], ordinary]).astype(dtype)
    return rng.permutation(values)


def operands(dtype, count, seed=0):
    """One pool for each operand, each with an order of its own."""
    return [pool(dtype, seed + i) for i in range(count)]


def _every(step):
    def arrange(values):
        wide = np.full(abs(step) * len(values), 7, values.dtype)
        wide[::step] = values
        return wide[::step]

    return arrange


def _grid(values):
    """Every second row and third column of a larger array."""
    wide = np.full((14, 30), 7, values.dtype)
    wide[::2, 1::3] = values.reshape(7, 10)
    return wide[::2, 1::3]


def _misaligned(values):
    view = np.zeros(values.nbytes + 1, np.uint8)[1:].view(values.dtype)
    view[...] = values
    return view


def _field(before):
    def arrange(values):
        record = np.zeros(len(values), [("before", before), ("value", values.dtype)])
        record["value"] = values
        return record["value"]

    return arrange


def _read_only(values):
    copy = values.copy()
    copy.flags.writeable = False
    return copy


# Each function makes an array from N values. An array of WRITABLE can be an out= too.
WRITABLE = {
    "contiguous": np.copy,
    "0-d": lambda values: values[3:4].reshape(()).copy(),
    "one element": lambda values: values[:1].copy(),
    "empty": lambda values: values[:0].copy(),
    "empty in 2-d": lambda values: values[:0].reshape(0, 3).copy(),
    "empty the other way": lambda values: values[:0].reshape(3, 0).copy(),
    "2-d": lambda values: values.reshape(7, 10).copy(),
    "Fortran": lambda values: np.asfortranarray(values.reshape(7, 10)),
    "transposed 3-d": lambda values: values.reshape(2, 5, 7).copy().transpose(1, 2, 0),
    "axes of length 1": lambda values: values.reshape(1, N, 1).copy(),
    "every second": _every(2),
    "every third": _every(3),
    "reversed": _every(-1),
    "every third, reversed": _every(-3),
    "grid": _grid,
    "grid, reversed": lambda values: _grid(values)[::-1, ::-1],
    "byte-swapped": lambda values: values.astype(values.dtype.newbyteorder()),
    "misaligned": _misaligned,
    "misaligned, reversed": lambda values: _misaligned(values)[::-1],
    "unaligned field": _field("i1"),
    "aligned field": lambda values: _field(values.dtype)(values),
    "subclass": lambda values: values.copy().view(Labelled),
}
ARRANGEMENTS = {
    **WRITABLE,
    "read-only": _read_only,
    "zero stride": lambda values: np.broadcast_to(values[5], N),
    "broadcast rows": lambda values: np.broadcast_to(values[:10], (7, 10)),
    "broadcast columns": lambda values: np.broadcast_to(values[:7, None], (7, 10)),
}


def native(array):
    """A plain contiguous copy in native byte order."""
    array = np.asarray(array)
    return array.astype(array.dtype.newbyteorder("="), order="C")


def apply(function, result, *arguments):
    """Apply the function to a result, or to each of a tuple of results."""
    return tuple(function(one, *arguments) for one in result) if isinstance(result, tuple) else function(result, *arguments)


def laid(result, arrange):
    """Results as plain arrays, with the shape that an arrangement gives them."""
    return apply(lambda values: native(arrange(values)), result)


def part(result, index):
    """A part of a result, or of each of a tuple of results."""
    return apply(operator.getitem, result, index)


def assert_same_bits(got, expected, note):
    """Fail unless dtype, shape and bits are equal, for a tuple in each of its results. Any NaN equals any other."""
    if isinstance(expected, tuple):
        assert isinstance(got, tuple), f"{note}: {type(got)}, expected a tuple"
        for k, (one, other) in enumerate(zip(got, expected, strict=True)):
            assert_same_bits(one, other, f"{note}, result {k}")
        return
    alike = type(got) is type(expected) is np.ndarray and (got.dtype, got.shape) == (expected.dtype, expected.shape)
    if alike and got.tobytes() == expected.tobytes():  # the short way, which nearly all calls take
        return
    assert np.shape(got) == np.shape(expected), f"{note}: shape {np.shape(got)}, expected {np.shape(expected)}"
    got, expected = native(got), native(expected)
    assert got.dtype == expected.dtype, f"{note}: {got.dtype}, expected {expected.dtype}"
    bits = f"u{got.itemsize}"
    differ = (got.view(bits) != expected.view(bits)) & ~(np.isnan(got) & np.isnan(expected))
    if differ.any():
        at = tuple(map(int, np.unravel_index(np.argmax(differ), differ.shape)))
        count = f"{differ.sum()} of {differ.size} differ"
        raise AssertionError(f"{note}: {count}, first at {at}: {got[at]!r}, expected {expected[at]!r}")


def one_by_one(function, *arrays):
    """The results of calls on single elements, which every longer call must repeat to the bit."""
    alone = [function(*(array[i : i + 1].copy() for array in arrays)) for i in range(len(arrays[0]))]
    if isinstance(alone[0], tuple):
        return tuple(map(np.concatenate, zip(*alone, strict=True)))
    return np.concatenate(alone)


@functools.cache
def singles(one, implementation, dtype):
    """The results of a pass on its operands, from calls on single elements."""
    return one_by_one(one.of(implementation), *operands(dtype, one.operands))


def outs(one, shape, value, dtype):
    """Arrays filled with a value, as an out= for the results of a pass."""
    made = tuple(np.full(shape, value, dtype) for _ in range(one.outputs))
    return made if one.outputs > 1 else made[0]


def refused(error, message, function, *args, **keywords):
    """Fail unless the call raises this error with this message, and changes none of the arrays that it was given."""
    out = keywords.get("out")
    every = (*args, *keywords.values(), *(out if isinstance(out, tuple) else ()))
    given = [value for value in every if isinstance(value, np.ndarray)]
    before = [value.tobytes() for value in given]
    with pytest.raises(error, match=message):
        function(*args, **keywords)
    assert [value.tobytes() for value in given] == before
