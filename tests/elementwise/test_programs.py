"""The fallback's programs: those for small and for large arrays, with parameters as numbers and as arrays, give the same bits."""

import threading

import numpy as np

from fastact import backends
from fastact.numpy_backend import programs
from fastact.numpy_backend.double_double import Pair, product_low, remainder
from fastact.numpy_backend.recording import Recording

import arrays
from passes import EVERY, each, each_dtype, each_of_all

SIZE = programs.BLOCK // 4 + 3 * programs.SMALL + 5  # blocks of float64, a short one, and small arrays


def inputs(one, dtype):
    """Operands with all kinds of numbers; the same few at either end of a block."""
    rng = np.random.default_rng(5)
    for _ in range(one.operands):
        x = rng.normal(0, 4, SIZE).astype(dtype)
        x[::7] = rng.choice(np.array([0, -0.0, 1, -1, 3, 1e-30, -200, 800, np.inf, -np.inf, np.nan], dtype), len(x[::7]))
        yield x


def assert_same_bits(got, expected):
    """That of arrays.py, which numbers the results itself."""
    arrays.assert_same_bits(got, expected, "another way")


def several(result):
    """A tuple of results."""
    return result if isinstance(result, tuple) else (result,)


@each_of_all
@each_dtype
def test_large_small_and_by_the_iterator(one, dtype):
    """One array, its small parts, and a strided view of it."""
    function, given = one.of("numpy"), list(inputs(one, dtype))
    expected = several(function(*given))
    parts = [several(function(*(x[i : i + programs.SMALL] for x in given))) for i in range(0, SIZE, programs.SMALL)]
    strided = several(function(*(np.repeat(x, 2)[::2] for x in given)))
    for i, whole in enumerate(expected):
        assert_same_bits(np.concatenate([part[i] for part in parts]), whole)
        assert_same_bits(strided[i], whole)


@each([one for one in EVERY if one.varied])
@each_dtype
def test_parameters(one, dtype):
    """A number that is the default, another number, and arrays of them."""
    function, given = one.of("numpy"), list(inputs(one, dtype))
    for name in one.varied:
        default = one.declared.values[name]
        for value in {float(one.range(name)[0]), *([float(default)] if default is not None else [])}:
            expected = several(function(*given, **{name: value}))
            again = several(function(*given, **{name: value}))  # the first call checked the parameter
            general = several(function(*given, **{name: np.full(SIZE, value, dtype)}))
            for i, whole in enumerate(expected):
                assert_same_bits(again[i], whole)
                assert_same_bits(general[i], whole)


@each([one for one in EVERY if one.direct and one.outputs == 1])
@each_dtype
def test_out_that_overlaps(one, dtype):
    """out= in place, and shifted by one element."""
    function, given = one.of("numpy"), list(inputs(one, dtype))
    for size in (100, SIZE - 1):
        *others, last = (x[:size] for x in given)
        expected = function(*others, last)
        for shift in (0, 1):
            memory = given[-1].copy()
            result = function(*others, memory[:size], out=memory[shift : size + shift])
            assert_same_bits(result, expected)
            assert np.shares_memory(result, memory)


def test_calls_within_calls_and_beside_others():
    """Each takes a context of its own, and the caller's errstate stays."""
    silu, x = backends.load("numpy").silu, np.linspace(-9, 9, SIZE)
    expected = silu(x)
    assert_same_bits(programs.quietly(silu, x), expected)
    found = []
    threads = [threading.Thread(target=lambda: found.extend(silu(x) for _ in range(5))) for _ in range(4)]
    with np.errstate(all="raise"):
        for thread in threads:
            thread.start()
        silu(x)
        for thread in threads:
            thread.join()
        assert set(np.geterr().values()) == {"raise"}
    assert len(found) == 20
    for result in found:
        assert_same_bits(result, expected)


def test_recorded_once():
    """A call of the same operands is recorded once, in either order, and one of numbers not at all."""
    recording = Recording(np.float64)
    x, y = (recording.input(i, np.dtype(np.float64), False) for i in (0, 1))
    assert x + y is y + x
    assert x - y is not y - x
    assert x * 1 is x
    assert (x < np.nan).known == np.array(False)
    assert recording.select(x > 0, x, x) is x


def test_errors_of_products_and_quotients():
    """product_low and remainder are the errors to 2^-75 of the result, held against whole numbers."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(1, 2, 1000), rng.uniform(1, 2, 1000)
    low, rest = product_low(a, b, a * b), remainder(a, a / b, b)
    for i in range(1000):
        first, second, product = (int(value * 2**52) for value in (a[i], b[i], a[i] * b[i]))
        assert abs((first * second - product * 2**52) - low[i] * 2.0**104) <= 2.0**29
        assert abs((first * 2**53 - int(a[i] / b[i] * 2**53) * second) - rest[i] * 2.0**105) <= 2.0**30
    assert Pair(a, None).value() is a
