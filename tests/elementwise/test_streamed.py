"""Arrays too large for the caches: the same bits as those of a few elements, and nothing is written beside them."""

import functools

import numpy as np
import pytest

from fastact import backends

from passes import each_compiled, each_dtype

MI_BYTES = 1 << 20
STREAM_FROM = 48 * MI_BYTES  # bytes of all arrays: src_c/elementwise/loop.c
# One array, two of them, an array for each parameter, two results; those that are never streamed, and what only AVX-512 streams
CALLS = {
    "relu": 1,
    "hard_swish": 1,
    "relu_backward": 2,
    "hard_shrink_backward": 2,
    "reglu": 2,
    "reglu_backward": 3,
    "prelu": 2,
    "tanh": 1,
    "gelu_backward": 2,
    "silu_backward": 2,
    "swiglu": 2,
    "swiglu_backward": 3,
}


@functools.lru_cache(maxsize=1)
def operands(dtype):
    """Three arrays of 50 MiB with every kind of number, which nobody may change."""
    rng = np.random.default_rng(0)
    few = [rng.normal(0, 3, 100_003).astype(dtype) for _ in range(3)]
    for x in few:
        x[::1009] = np.nan
        x[5::1013] = -0.0
        x[7::1019] = np.inf
    count = 50 * MI_BYTES // np.dtype(dtype).itemsize
    made = [np.resize(x, count) for x in few]
    for x in made:
        x.flags.writeable = False
    return made


def bits(x):
    """A view as integers: NaN equals NaN, and -0 differs from 0."""
    return x.view(f"i{x.itemsize}")


def shifted(count, dtype, offset):
    """An array that begins so many elements after the start of a line, with 7 around it; and the whole of it."""
    room = np.full(count + 64, 7, dtype)
    start = -room.ctypes.data % 64 // room.itemsize + offset
    return room[start : start + count], room


def check(function, inputs, outputs, dtype, offsets):
    """The results at these offsets are those of short arrays."""
    count = len(inputs[0])
    made = [shifted(count, dtype, offset) for offset in offsets[:outputs]]
    out = tuple(y for y, _ in made)
    function(*inputs, out=out if outputs > 1 else out[0])
    ends = np.r_[:2000, count // 2 : count // 2 + 999, count - 2000 : count]
    expected = function(*[x[ends] for x in inputs])
    for (y, room), few in zip(made, expected if outputs > 1 else [expected], strict=True):
        np.testing.assert_array_equal(bits(y[ends]), bits(few))
        first = (y.ctypes.data - room.ctypes.data) // room.itemsize
        assert (room[:first] == 7).all() and (room[first + count :] == 7).all()
    return out


@each_compiled
@each_dtype
@pytest.mark.parametrize("name", CALLS)
def test_same_bits(implementation, dtype, name):
    """Beyond the size from which on results are streamed, wherever in a line they begin, and just below it."""
    function, arrays = getattr(backends.load(implementation), name), operands(dtype)
    outputs = 2 if CALLS[name] == 3 else 1
    least = STREAM_FROM // np.dtype(dtype).itemsize // (CALLS[name] + outputs)
    for count, offsets in ((least + 77, (0, 0)), (least + 1, (3, 3)), (least + 130, (1, 2)), (least - 1, (5, 5))):
        inputs = [x[:count] for x in arrays[: CALLS[name]]]
        results = check(function, inputs, outputs, dtype, offsets)
        part = 4_999  # every element once, in calls that stream nothing
        small = [function(*[x[i : i + part] for x in inputs]) for i in range(0, count, part)] if offsets == (3, 3) else []
        for k, y in enumerate(results if small else ()):
            whole = np.concatenate([few[k] if outputs > 1 else few for few in small])
            np.testing.assert_array_equal(bits(y), bits(whole))


@each_compiled
@each_dtype
@pytest.mark.parametrize("name", ["relu", "hard_swish", "relu_backward", "tanh"])
def test_in_place(implementation, dtype, name):
    """A large array that is its own output."""
    function, arrays = getattr(backends.load(implementation), name), operands(dtype)
    for offset in (0, 3):
        x, room = shifted(len(arrays[0]) - 64, dtype, offset)
        x[...] = arrays[0][: len(x)]
        others = [y[: len(x)] for y in arrays[1 : CALLS[name]]]
        expected = function(x, *others)
        function(x, *others, out=x)
        np.testing.assert_array_equal(bits(x), bits(expected))
        first = (x.ctypes.data - room.ctypes.data) // x.itemsize
        assert (room[:first] == 7).all() and (room[first + len(x) :] == 7).all()
