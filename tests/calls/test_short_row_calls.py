"""Calls of row functions on plain arrays go a short way in the core. They have the results and the errors of the long way.

A call with a keyword of a ufunc, subok=True, goes the long way, and means the same.
"""

import itertools
import math
import sys

import numpy as np
import pytest

from fastact.backends import evaluators_by_name, load
from fastact.declare import ROWS

from arrays import assert_same_bits
from passes import COMPILED, best_compiled, each_compiled, each_dtype

SHAPES = ((10,), (1,), (1, 10), (3, 1), (7, 5), (2, 3, 4), (3, 1, 8), (2, 3, 1, 5), (2, 3, 4, 6), (2, 40, 33))
# The functions whose loops the core has
EVALUATORS = evaluators_by_name(COMPILED[0]) if COMPILED else {}
COMPUTED = [name for name, row in ROWS.items() if isinstance(EVALUATORS.get(row.evaluator), np.ufunc)]
# Numbers for the options: they may have any of these types.
SCALES, SINKS = (0.5, -3, np.float64(0.1), np.float32(0.7), 0.0, 1), (0.0, 2, np.float64(-1.5), np.float32(0.25))


def python_calls(function):
    """The names of the Python functions that a call runs."""
    names = []
    sys.setprofile(lambda frame, event, _: names.append(frame.f_code.co_name) if event == "call" else None)
    try:
        function()
    finally:
        sys.setprofile(None)
    return names[1:]  # the first one is `function`


def masks(shape, rng):
    """Masks that broadcast to a shape: of each subset of its axes, with the others of length 1 or, the first ones, left out."""
    for kept in itertools.product((False, True), repeat=len(shape)):
        lengths = tuple(n if keep else 1 for n, keep in zip(shape, kept, strict=True))
        mask = rng.random(lengths) < 0.7
        yield mask
        yield mask.reshape(lengths[kept.index(True) :] if any(kept) else ())


def settings(name, shape, seed=0):
    """Options of a function for operands of this shape: none, each alone, and all together."""
    by_name, rng = ROWS[name].by_name, np.random.default_rng(seed)
    several = len(shape) > 1
    yield {}
    if "scale" in by_name:
        yield from ({"scale": scale} for scale in SCALES)
    if "sink" in by_name:
        yield from ({"sink": sink} for sink in SINKS)
    if "mask" in by_name:
        yield {"mask": None}
        for mask in masks(shape, rng):
            yield {"mask": mask}
            if several:
                yield {"mask": mask, "causal": True}
        if several:
            yield from ({"causal": causal} for causal in (True, False))
            every = {"scale": 0.3, "sink": 1.0, "mask": rng.random(shape) < 0.7, "causal": True}
            yield {option: value for option, value in every.items() if option in by_name}


def ways(name, shape, dtype, implementation):
    """The operands and keywords of a function and its backward pass, from the input and the output: (function, args, kwargs)."""
    row, of, rng = ROWS[name], load(implementation), np.random.default_rng(1)
    x, grad = (rng.normal(0, 3, shape).astype(dtype) for _ in range(2))
    x[..., -1] = -np.inf if row.absent == -math.inf else x[..., -1]
    function, backward = getattr(of, name), getattr(of, f"{name}_backward", None)
    if not row.reduces:
        yield function, (x,), {}
        if row.slope:
            yield backward, (grad, x), {}
            yield backward, (grad,), {"y": load("numpy").__dict__[name](x)}
        return
    for keepdims in ({}, {"keepdims": False}, {"keepdims": True}):
        yield function, (x,), keepdims
        if row.slope:
            each = grad[..., :1].copy() if keepdims.get("keepdims") else grad[..., 0].copy()
            for weight in (each, 1.0, -2, np.float32(0.3), np.float64(0.3)):
                yield backward, (weight, x), keepdims


def same(got, expected, note):
    """Two results have one type, one layout and the same bits."""
    assert type(got) is type(expected), note
    assert_same_bits(got, expected, note)
    assert np.shape(got) == np.shape(expected) and getattr(got, "strides", None) == getattr(expected, "strides", None), note


@each_compiled
@each_dtype
@pytest.mark.parametrize("name", COMPUTED)
def test_the_short_way_gives_the_same_bits(implementation, dtype, name):
    """For every shape and option, with a new result and an out, and in place of each operand that has the result's shape."""
    for shape in SHAPES:
        for function, args, keywords in ways(name, shape, dtype, implementation):
            for options in settings(name, shape):
                given = {**keywords, **options}
                note = f"{function.__name__}, {shape}, {given}"
                expected = function(*args, **given, subok=True)
                same(function(*args, **given), expected, note)
                if not isinstance(expected, np.ndarray) or expected.dtype != dtype:
                    continue
                out = np.full_like(expected, 7)
                assert function(*args, **given, out=out) is out, note
                assert_same_bits(out, expected, note)
                for place in range(len(args)):
                    copies = [arg.copy() if isinstance(arg, np.ndarray) else arg for arg in args]
                    if np.shape(args[place]) == expected.shape and isinstance(args[place], np.ndarray):
                        assert function(*copies, **given, out=copies[place]) is copies[place], note
                        assert_same_bits(copies[place], expected, f"{note}, in place")


@best_compiled
@pytest.mark.parametrize("name", COMPUTED)
def test_the_short_way_runs_no_python(implementation, name):
    """Calls on contiguous rows do not leave the core, whatever the options."""
    shape = (2, 3, 5)
    for function, args, keywords in ways(name, shape, np.float32, implementation):
        if any(type(arg) is np.float64 for arg in args):
            continue  # the result is float64
        for options in settings(name, shape):
            given = {**keywords, **options}
            out = function(*args, **given)
            for more in ({}, {"out": out}, {"axis": -1}, {"axis": 2}):
                call = {**given, **more}
                assert not python_calls(lambda f=function, args=args, call=call: f(*args, **call)), (function.__name__, call)
            assert python_calls(lambda f=function, args=args, given=given: f(*args, **given, subok=True))


def outcome(function, *args, **keywords):
    """The result of a call, or its error and message."""
    try:
        return function(*args, **keywords)
    except Exception as error:
        return type(error), str(error)


def odd(name, shape, dtype):
    """Keywords that are not plain, many of them wrong: (what they are, keywords made of the operands and the result's shape)."""
    result = shape[:-1] if ROWS[name].reduces else shape
    frozen = np.zeros(result, dtype)
    frozen.flags.writeable = False
    yield from ({"axis": axis} for axis in (True, 1.0, None, 5, (0, -1), np.int64(-1)))
    yield from ({"keepdims": value} for value in (1, np.True_, None, "yes"))
    yield from ({"scale": value} for value in (np.nan, np.inf, "1", None, True, 1e300, 10**400, np.array(2.0), [0.5], 1 + 0j))
    yield from ({"sink": value} for value in (np.nan, np.inf, -np.inf, "0", None, True, np.zeros(shape[:-1]), np.ones(shape)))
    yield from ({"causal": value} for value in (1, None, np.True_, "yes"))
    yield from ({"mask": value} for value in (True, np.True_, [True] * shape[-1], 1, np.ones(shape, int), np.ones(shape), "mask"))
    for mask in (np.ones((9, *shape), bool), np.ones((7,), bool), np.zeros((0,), bool), np.ones((*shape, 2), bool)[..., 0]):
        yield {"mask": mask}
    yield from ({"out": out} for out in (..., frozen, (frozen,), [1.0], np.zeros((9, *result), dtype), np.zeros(result, int)))
    yield {"out": np.zeros((*result, 2), dtype)[..., 0]}
    yield from ({"y": value} for value in (np.ones(shape, dtype), "y", None))
    yield {"where": True}
    yield {"slant": 1}


@best_compiled
@each_dtype
@pytest.mark.parametrize("name", COMPUTED)
def test_what_is_not_plain_goes_the_long_way(implementation, dtype, name):
    """Arguments that the short way does not know have the results, the errors and the messages of the long way."""
    for shape in ((5,), (2, 3, 5)):
        for function, args, keywords in ways(name, shape, dtype, implementation):
            for options in odd(name, shape, dtype):
                given = {**keywords, **options}
                note = f"{function.__name__}, {shape}, {given}"
                got, expected = outcome(function, *args, **given), outcome(function, *args, **given, subok=True)
                if isinstance(expected, tuple):
                    assert isinstance(got, tuple) and got == expected, note
                else:
                    assert_same_bits(got, expected, note)


@best_compiled
@pytest.mark.parametrize("name", [name for name in COMPUTED if "mask" in ROWS[name].by_name])
def test_memory_that_is_shared_counts_as_it_was(implementation, name):
    """An out= that overlaps a mask, an operand in part, or the gradient of each row: as if these had been copied before."""
    for function, args, keywords in ways(name, (4, 8), np.float32, implementation):
        if any(type(arg) is np.float64 for arg in args):
            continue  # the result is float64
        expected = function(*args, **keywords, mask=np.arange(32).reshape(4, 8) % 3 > 0)
        room = np.zeros(expected.nbytes + 64, np.uint8)
        out = room[: expected.nbytes].view(np.float32).reshape(expected.shape)
        for at in (0, 4):
            mask = room[at : at + 32].view(bool).reshape(4, 8)
            mask[...] = np.arange(32).reshape(4, 8) % 3 > 0
            assert function(*args, **keywords, mask=mask, out=out) is out
            assert_same_bits(out, expected, f"a mask at {at}")
        for place, arg in enumerate(args):
            if isinstance(arg, np.ndarray):
                both = np.zeros(max(arg.size, expected.size) + 4, np.float32)
                moved, out = both[4 : 4 + arg.size].reshape(arg.shape), both[: expected.size].reshape(expected.shape)
                moved[...] = arg
                given = [moved if i == place else other for i, other in enumerate(args)]
                plain = function(*args, **keywords)
                assert function(*given, **keywords, out=out) is out
                assert_same_bits(out, plain, f"operand {place}")
