"""An elementwise result depends on its element alone, and has the same bits in whatever array the element stands.

The tests compare with calls on single elements (arrays.one_by_one) of the same implementation.
"""

import numpy as np
import pytest

from fastact import backends

import arrays
from arrays import ARRANGEMENTS, WRITABLE, N, apply, assert_same_bits, laid, one_by_one, operands, part, singles
from passes import (
    REPRESENTATIVES,
    each,
    each_backend,
    each_dtype,
    each_implementation,
    each_pass,
    each_pass_with_parameters,
    each_representative,
)

SEVERAL = each([one for one in REPRESENTATIVES if one.operands > 1])


@each_implementation
@each_representative
@each_dtype
def test_every_layout_gives_the_same_bits(implementation, one, dtype):
    """All operands have the same layout, which changes no bit."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    expected = singles(one, implementation, dtype)
    for name, arrange in ARRANGEMENTS.items():
        assert_same_bits(function(*map(arrange, inputs)), laid(expected, arrange), name)


@each_implementation
@SEVERAL
@each_dtype
def test_operands_laid_out_differently(implementation, one, dtype):
    """One operand has each layout in turn and the others are contiguous, which changes no bit."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    for name, arrange in ARRANGEMENTS.items():
        for turn in range(one.operands):
            arranged = [arrange(values) if i == turn else arrays.native(arrange(values)) for i, values in enumerate(inputs)]
            # test_every_length_and_offset shows that contiguous vectors have the bits of single calls.
            expected = apply(np.reshape, function(*(arrays.native(values).ravel() for values in arranged)), arranged[0].shape)
            assert_same_bits(function(*arranged), expected, f"{name}, operand {turn}")


@each_implementation
@each_representative
@each_dtype
def test_every_length_and_offset(implementation, one, dtype):
    """The first and the last n elements, for n from 0 to 70, have the bits of single calls: any remainder, any alignment."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    expected = singles(one, implementation, dtype)
    for n in range(N + 1):
        for which in (slice(n), slice(N - n, None)):
            assert_same_bits(function(*(values[which] for values in inputs)), part(expected, which), str(which))


@each_implementation
@each_pass
@each_dtype
def test_every_pass_in_some_layouts(implementation, one, dtype):
    """Every pass has the bits of single calls in some layouts. The other tests try all layouts, for one pass of each kind."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    expected = singles(one, implementation, dtype)
    for name in ("contiguous", "0-d", "every third, reversed", "Fortran", "misaligned"):
        arrange = ARRANGEMENTS[name]
        wanted = laid(expected, arrange)
        assert_same_bits(function(*map(arrange, inputs)), wanted, name)
    for n in (0, 3, 8, 17, 64):
        assert_same_bits(function(*(values[:n] for values in inputs)), part(expected, slice(n)), f"length {n}")
    for turn in range(one.operands - one.outputs + 1):
        given = [values.copy() for values in inputs]
        out = tuple(given[turn : turn + one.outputs]) if one.outputs > 1 else given[turn]
        function(*given, out=out)
        assert_same_bits(out, expected, f"in place from operand {turn} on")


@each_implementation
@each_representative
@each_dtype
def test_arrays_of_many_blocks(implementation, one, dtype):
    """Arrays longer than the C core's block of 256 and the fallback's of 32768 have the bits of single calls."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    expected = singles(one, implementation, dtype)
    for size in (257, 1023, 32773):
        large = [np.resize(values, size) for values in inputs]
        for step in (1, 3, -1):
            wanted = part(apply(np.resize, expected, size), slice(None, None, step))
            assert_same_bits(function(*(values[::step] for values in large)), wanted, f"{size}, step {step}")


@each_implementation
@each_pass
def test_neighbours_of_another_range(implementation, one):
    """A float32 result keeps its bits beside a lane that is huge, NaN or subnormal.

    A fitted kernel computes the lanes of one vector in two ways, and chooses for each lane.
    """
    function = one.of(implementation)
    inside = np.linspace(-7.9, 7.9, 64, dtype=np.float32)
    grad = [np.linspace(0.5, 2, 64, dtype=np.float32)] * (one.operands - 1)
    expected = function(*grad, inside)
    for outside in (np.nan, np.inf, -np.inf, 3e38, -3e38, 20, -20, -95, 1e-42):
        for place in range(0, 64, 5):
            mixed = inside.copy()
            mixed[place::13] = outside
            same = mixed == inside
            assert_same_bits(part(function(*grad, mixed), same), part(expected, same), f"{outside} from {place} on")


@each_implementation
@each_pass_with_parameters
@each_dtype
def test_parameters_broadcast(implementation, one, dtype):
    """A parameter may be an array for elements, rows or columns. A result has the bits of a call with that number alone."""
    function, inputs = one.of(implementation), [values.reshape(7, 10) for values in operands(dtype, one.operands)]
    flat = [values.ravel() for values in inputs]
    for name in one.varied:
        numbers = one.numbers(name, dtype, N)
        for shape in ((7, 10), (7, 1), (10,), (1, 1), ()):
            given = numbers[: int(np.prod(shape))].reshape(shape)
            each_number = np.broadcast_to(given, (7, 10)).ravel()
            expected = one_by_one(lambda *a, name=name: function(*a[:-1], **{name: float(a[-1][0])}), *flat, each_number)
            expected = apply(np.reshape, expected, (7, 10))
            for made in (given, np.asfortranarray(given), given.astype(given.dtype.newbyteorder())):
                assert_same_bits(function(*inputs, **{name: made}), expected, f"{name} of shape {shape}, {made.dtype.byteorder}")
        expected = function(*flat, **{name: numbers})
        for n in (*range(18), 31, 32, 33, 63, 64, 65, N):
            got = function(*(values[:n] for values in flat), **{name: numbers[:n]})
            assert_same_bits(got, part(expected, slice(n)), f"{name}, length {n}")


def allowed_integer(one):
    """An integer that is allowed for every parameter, or None."""
    return next((number for number in (2, 0) if one.allows(**dict.fromkeys(one.parameters, number))), None)


@each_backend
@each([one for one in REPRESENTATIVES if one.parameters and allowed_integer(one) is not None])
@each_dtype
def test_parameters_by_position(implementation, one, dtype):
    """Parameters by position mean the same as by name. Python integers, NumPy scalars and 0-d arrays count as numbers."""
    public, inputs = getattr(backends.load(implementation), one.function), operands(dtype, one.operands)
    if one.kind == "from_output":
        leading, keywords = [inputs[0], None], {"y": inputs[1]}
    else:
        leading, keywords = inputs, {}
    number = allowed_integer(one)
    by_name = public(*leading, **keywords, **dict.fromkeys(one.parameters, float(number)))
    for make in (float, int, dtype, lambda value: np.array(value, dtype), lambda value: np.array(value, np.float16)):
        given = {name: make(number) for name in one.parameters}
        assert_same_bits(public(*leading, *given.values(), **keywords), by_name, "positional")
        assert_same_bits(public(*leading, **keywords, **given), by_name, "by name")
        out = np.empty_like(inputs[0])
        assert public(*leading, **keywords, **given, out=out) is out
        assert_same_bits(out, by_name, "out")


@each_backend
@each_pass_with_parameters
def test_parameters_promote_as_in_every_ufunc(implementation, one):
    """A Python number keeps float32 results; a float64 array or NumPy scalar makes them float64, as in every ufunc."""
    function, inputs = one.of(implementation), operands(np.float32, one.operands)
    for name in one.varied:
        number = float(one.numbers(name, np.float32, 3)[1])
        assert function(*inputs, **{name: number}).dtype == np.float32
        assert function(*inputs, **{name: np.float32(number)}).dtype == np.float32
        for wide in (np.float64(number), np.array(number), np.full(N, number), [number] * N):
            expected = function(*(values.astype(np.float64) for values in inputs), **{name: number})
            assert_same_bits(function(*inputs, **{name: wide}), expected, f"{name} {type(wide)}")


@each_backend
@each_pass_with_parameters
def test_parameters_beyond_float32(implementation, one):
    """A parameter that float32 cannot hold becomes infinite in arrays of any size, with NumPy's warning."""
    for size in (1, N, 40000):
        inputs = [np.resize(values, size) for values in operands(np.float32, one.operands)]
        for name in one.parameters:
            sign = next((sign for sign in (1, -1) if one.allows(**{name: sign * np.inf})), None)
            if sign is not None:
                with pytest.warns(RuntimeWarning, match="overflow encountered in cast"):
                    got = one.of(implementation)(*inputs, **{name: sign * 1e300})
                assert_same_bits(got, one.of(implementation)(*inputs, **{name: sign * np.inf}), f"{size} elements")


@each_backend
@each_representative
@each_dtype
def test_scalars_and_lists(implementation, one, dtype):
    """A list counts as a float64 array. A scalar or 0-d array gives a NumPy scalar."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    expected = singles(one, implementation, dtype)
    wide = one_by_one(function, *(values.astype(np.float64) for values in inputs))
    assert_same_bits(function(*(values.tolist() for values in inputs)), wide, "lists")
    for i in range(0, N, 3):
        for name, given, wanted in (
            ("NumPy scalar", [values[i] for values in inputs], expected),
            ("0-d array", [values[i : i + 1].reshape(()) for values in inputs], expected),
            ("Python float", [float(values[i]) for values in inputs], wide),
        ):
            got = function(*given)
            assert apply(lambda result: isinstance(result, np.floating), got) in (True, (True, True)), name
            assert_same_bits(got, part(wanted, i), name)


@each_backend
@each_representative
def test_integers_and_booleans(implementation, one):
    """Integers and booleans become float32 where it holds them all, and else float64, whatever the parameters are."""
    function = one.of(implementation)
    small, wide = ("?", "i1", "u1", "i2", "u2"), ("i4", "u4", "i8", "u8")
    for code in small + wide:
        values = np.array([0, 1, 1, 0, 1]).astype(code)
        loop = np.float32 if code in small else np.float64
        inputs = [values] * one.operands
        assert_same_bits(function(*inputs), function(*(values.astype(loop) for values in inputs)), code)


@each_backend
@each_representative
@each_dtype
def test_subclass_is_kept(implementation, one, dtype):
    """A result has the subclass of ndarray that any operand has. The result of a masked array keeps its mask."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    mask = np.arange(N) % 3 == 0
    for i in range(one.operands):
        given = [values.view(arrays.Labelled) if i == j else values for j, values in enumerate(inputs)]
        assert apply(type, function(*given)) in (arrays.Labelled, (arrays.Labelled,) * one.outputs)
        given = [np.ma.masked_array(values, mask) if i == j else values for j, values in enumerate(inputs)]
        results = function(*given)
        for result in results if one.outputs > 1 else [results]:
            assert isinstance(result, np.ma.MaskedArray)
            assert (np.ma.getmaskarray(result) >= mask).all()


@each_backend
@each_representative
@each_dtype
def test_inputs_stay_as_they_are(implementation, one, dtype):
    """No call writes to an operand that is not its out."""
    function = one.of(implementation)
    for name, arrange in WRITABLE.items():
        inputs = [arrange(values) for values in operands(dtype, one.operands)]
        before = [values.tobytes() for values in inputs]
        results = function(*inputs)
        assert [values.tobytes() for values in inputs] == before, name
        for result in results if one.outputs > 1 else [results]:
            assert not any(np.shares_memory(result, values) for values in inputs), name


class Duck:
    """An object that handles ufunc calls itself, as those of dask, xarray and pandas do."""

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        return ufunc, method, len(inputs), sorted(keywords)


@each_backend
@each_pass
def test_array_ufunc_override(implementation, one):
    """An object with __array_ufunc__ gets the call, whether it is an operand, a parameter or out=."""
    function, x = one.of(implementation), np.ones(3, np.float32)
    for i in range(one.operands):
        ufunc, method, count, keywords = function(*(Duck() if i == j else x for j in range(one.operands)))
        assert (ufunc.nin, ufunc.nout, ufunc.signature) == (one.operands + len(one.parameters), one.outputs, None)
        assert (method, count, keywords) == ("__call__", one.operands + len(one.parameters), [])
    out = Duck() if one.outputs == 1 else (Duck(), None)
    assert function(*[x] * one.operands, out=out)[3] == ["out"]
    for name in one.varied:
        assert function(*[x] * one.operands, **{name: Duck()})[2] == one.operands + len(one.parameters)
