"""Results go where out= and where= say: into any layout, in place, into memory that overlaps an operand, under a mask."""

import itertools

import numpy as np

import arrays
from arrays import WRITABLE, N, apply, assert_same_bits, laid, one_by_one, operands, outs, part, singles
from passes import (
    REPRESENTATIVES,
    each,
    each_backend,
    each_dtype,
    each_implementation,
    each_pass_with_parameters,
    each_representative,
)

SEVERAL = each([one for one in REPRESENTATIVES if one.operands > 1])


def prepared(one, implementation, dtype):
    """The function, its operands and the results of calls on single elements."""
    return one.of(implementation), operands(dtype, one.operands), singles(one, implementation, dtype)


def places(one):
    """The tuples of operands that the results can overwrite: as many as there are results, in every order."""
    return list(itertools.permutations(range(one.operands), one.outputs))


def chosen(one, arrays, place):
    """The operands of such a tuple, as an out=."""
    return tuple(arrays[i] for i in place) if one.outputs > 1 else arrays[place[0]]


@each_implementation
@each_representative
@each_dtype
def test_in_place_gives_the_same_bits(implementation, one, dtype):
    """out= may be one of the operands, in every layout. Two results may go to two operands, in any order."""
    function, inputs, expected = prepared(one, implementation, dtype)
    for name, arrange in WRITABLE.items():
        for place in places(one):
            given = [arrange(values) for values in inputs]
            others = [values.tobytes() for j, values in enumerate(given) if j not in place]
            out = chosen(one, given, place)
            results = function(*given, out=out)
            assert all(a is b for a, b in zip(results, out, strict=True)) if one.outputs > 1 else results is out
            assert_same_bits(out, laid(expected, arrange), f"{name}, operands {place}")
            assert [values.tobytes() for j, values in enumerate(given) if j not in place] == others, name


@each_implementation
@each_representative
@each_dtype
def test_in_place_over_many_blocks(implementation, one, dtype):
    """A call in place over many blocks has the bits of single calls, contiguous and strided."""
    function, inputs, expected = prepared(one, implementation, dtype)
    for step in (1, 2, -1):
        for place in places(one)[-2:]:
            given = [np.resize(values, 70001)[::step] for values in inputs]
            out = chosen(one, given, place)
            function(*given, out=out)
            assert_same_bits(out, part(apply(np.resize, expected, 70001), slice(None, None, step)), f"step {step}, {place}")


@each_backend
@each_representative
@each_dtype
def test_one_array_may_be_every_operand_and_out(implementation, one, dtype):
    """f(x, x, out=x) reads each element before it writes it."""
    function, x = one.of(implementation), arrays.pool(dtype)
    expected = one_by_one(function, *[x] * one.operands)
    out = (x, np.empty_like(x)) if one.outputs > 1 else x
    function(*[x] * one.operands, out=out)
    assert_same_bits(out, expected, "in place")


@each_backend
@each_representative
@each_dtype
def test_out_may_have_every_layout(implementation, one, dtype):
    """out= may have each layout, alone and in a tuple. Nothing between its elements changes."""
    function, inputs, expected = prepared(one, implementation, dtype)
    for name, arrange in WRITABLE.items():
        given = [arrays.native(arrange(values)) for values in inputs]
        for wrap in (lambda out: out, lambda out: out if isinstance(out, tuple) else (out,)):
            out = apply(arrange, outs(one, N, 9, dtype))
            results = function(*given, out=wrap(out))
            assert all(a is b for a, b in zip(results, out, strict=True)) if one.outputs > 1 else results is out
            assert_same_bits(out, laid(expected, arrange), name)
    wide = outs(one, 3 * N, 9, dtype)
    function(*inputs, out=part(wide, slice(1, None, 3)))
    for untouched in (slice(0, None, 3), slice(2, None, 3)):
        assert_same_bits(part(wide, untouched), outs(one, N, 9, dtype), "between")


@each_backend
@each([one for one in REPRESENTATIVES if one.outputs > 1])
@each_dtype
def test_an_entry_of_out_may_be_none(implementation, one, dtype):
    """Where an entry of the tuple is None, that result is a new array."""
    function, inputs, expected = prepared(one, implementation, dtype)
    for i in range(2):
        out = [None, None]
        out[i] = np.full(N, 9, dtype)
        results = function(*inputs, out=tuple(out))
        assert results[i] is out[i]
        assert_same_bits(results, expected, f"entry {i}")
    assert_same_bits(function(*inputs, out=(None, None)), expected, "neither")


@each_backend
@each_representative
@each_dtype
def test_out_of_the_other_precision(implementation, one, dtype):
    """The operands choose the precision of the calculation. An out= of another dtype gets the result cast."""
    function, inputs, expected = prepared(one, implementation, dtype)
    other = np.float64 if dtype is np.float32 else np.float32
    out = outs(one, N, 9, other)
    with np.errstate(over="ignore", under="ignore"):  # NumPy's cast reports what float32 cannot hold
        function(*inputs, out=out)
        assert_same_bits(out, apply(np.ndarray.astype, expected, other), "out")


@each_implementation
@each_representative
@each_dtype
def test_out_may_overlap_an_operand(implementation, one, dtype):
    """An out= that is a shifted or reversed view of an operand gets what it would if the operand had been copied."""
    cases = {
        "one ahead": (slice(1, None), slice(None, -1)),
        "one behind": (slice(None, -1), slice(1, None)),
        "many ahead": (slice(20, None), slice(None, -20)),
        "many behind": (slice(None, -20), slice(20, None)),
        "reversed": (slice(None), slice(None, None, -1)),
        "halves": (slice(None, None, 2), slice(None, N * 16)),
        "halves back": (slice(None, N * 16), slice(None, None, 2)),
    }
    function = one.of(implementation)
    for name, (source, target) in cases.items():
        for i in range(one.operands):
            memory = np.resize(arrays.pool(dtype), N * 32)
            other = np.resize(arrays.pool(dtype, 5), memory[source].size)
            given = [memory[source] if i == j else other for j in range(one.operands)]
            expected = function(*(values.copy() for values in given))
            out = (memory[target], np.empty_like(expected[1])) if one.outputs > 1 else memory[target]
            function(*given, out=out)
            assert_same_bits(out, expected, f"{name}, operand {i}")
    square = np.resize(arrays.pool(dtype), (40, 40))
    given = [square.copy()] * (one.operands - 1)
    expected = function(*given, square.copy())
    out = (square.T, np.empty_like(square)) if one.outputs > 1 else square.T
    function(*given, square, out=out)
    assert_same_bits(out, expected, "transposed")


def masked(mask, yes, no):
    """np.where for a result, or for each of a tuple of results."""
    if isinstance(yes, tuple):
        return tuple(np.where(mask, a, b) for a, b in zip(yes, no, strict=True))
    return np.where(mask, yes, no)


@each_backend
@each_representative
@each_dtype
def test_where_chooses_what_is_written(implementation, one, dtype):
    """Elements are written where the mask is True, and stay elsewhere: in another array and in place, in every layout."""
    function, inputs, expected = prepared(one, implementation, dtype)
    mask = np.random.default_rng(1).random(N) < 0.5
    for name, arrange in WRITABLE.items():
        given, arranged = [arrange(values) for values in inputs], arrange(mask) if name != "byte-swapped" else mask
        arranged = np.asarray(arranged)
        out = apply(arrange, outs(one, N, 9, dtype))
        function(*given, out=out, where=arranged)
        wanted = masked(arranged, laid(expected, arrange), outs(one, (), 9, dtype))
        assert_same_bits(out, wanted, name)
        out = chosen(one, given, places(one)[-1])
        wanted = masked(arranged, laid(expected, arrange), apply(arrays.native, out))
        function(*given, out=out, where=arranged)
        assert_same_bits(out, wanted, f"{name}, in place")


@each_backend
@each_representative
@each_dtype
def test_where_broadcasts(implementation, one, dtype):
    """A mask of one row, column or element broadcasts. A mask with more axes than the operands gives more axes."""
    function, inputs, expected = prepared(one, implementation, dtype)
    grids, wanted = [values.reshape(7, 10) for values in inputs], apply(np.reshape, expected, (7, 10))
    for shape in ((10,), (7, 1), (1, 1), (), (2, 7, 10)):
        mask = (np.arange(int(np.prod(shape))) % 3 == 0).reshape(shape)
        full = np.broadcast_shapes(shape, (7, 10))
        out = outs(one, full, 9, dtype)
        function(*grids, out=out, where=mask)
        assert_same_bits(out, masked(mask, wanted, outs(one, (), 9, dtype)), f"mask of shape {shape}")
    out = outs(one, N, 9, dtype)
    function(*inputs, out=out, where=False)
    assert_same_bits(out, outs(one, N, 9, dtype), "where=False")
    function(*inputs, out=out, where=True)
    assert_same_bits(out, expected, "where=True")


@each_implementation
@each_representative
def test_where_over_many_blocks(implementation, one):
    """A mask with long runs is right over many blocks, in place."""
    function, inputs, expected = prepared(one, implementation, np.float32)
    given = [np.resize(values, 70001) for values in inputs]
    mask = (np.arange(70001) // 301) % 3 == 1
    out = chosen(one, given, places(one)[-1])
    wanted = masked(mask, apply(np.resize, expected, 70001), out)
    function(*given, out=out, where=mask)
    assert_same_bits(out, wanted, "in place")


@each_backend
@each_representative
@each_dtype
def test_larger_out_repeats_the_operands(implementation, one, dtype):
    """An out= with more rows than the operands gets the result in each row, as with every ufunc."""
    function, inputs, expected = prepared(one, implementation, dtype)
    out = outs(one, (3, N), 9, dtype)
    function(*inputs, out=out)
    assert_same_bits(out, apply(np.broadcast_to, expected, (3, N)), "three rows")


@each_backend
@SEVERAL
@each_dtype
def test_operands_broadcast(implementation, one, dtype):
    """Operands of different shapes broadcast, and every pair has the bits of a single call."""
    function, (*others, x) = one.of(implementation), operands(dtype, one.operands)
    others, x = [values[:9, None] for values in others], x[None, :11]
    expected = one_by_one(function, *(values.ravel() for values in np.broadcast_arrays(*others, x)))
    expected = apply(np.reshape, expected, (9, 11))
    assert_same_bits(function(*others, x), expected, "columns and row")
    assert_same_bits(function(*(values[0] for values in others), x[0]), part(expected, 0), "one element and row")
    assert_same_bits(function(*(values[2, 0] for values in others), x), part(expected, slice(2, 3)), "scalar and row")


@each_backend
@each_pass_with_parameters
@each_dtype
def test_out_may_be_a_parameter(implementation, one, dtype):
    """out= may be the array of a parameter."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    for name in one.varied:
        out = one.numbers(name, dtype, N)
        expected = function(*inputs, **{name: out.copy()})
        function(*inputs, **{name: out}, out=out)
        assert_same_bits(out, expected, name)


@each_backend
@each_representative
def test_ufunc_keywords_are_obeyed(implementation, one):
    """dtype=, casting=, order= and subok= mean what they mean for a ufunc."""
    function, inputs = one.of(implementation), [values.reshape(7, 10) for values in operands(np.float32, one.operands)]
    expected = function(*(values.astype(np.float64) for values in inputs))
    assert_same_bits(function(*inputs, dtype=np.float64), expected, "dtype")
    assert_same_bits(function(*inputs, casting="safe"), function(*inputs), "casting")
    for order, given in (("F", inputs), ("K", [np.asfortranarray(values) for values in inputs])):
        assert apply(lambda result: result.flags.f_contiguous, function(*given, order=order)) in (True, (True, True))
    inputs = [np.asfortranarray(values) for values in inputs]
    assert apply(lambda result: result.flags.c_contiguous, function(*inputs, order="C")) in (True, (True, True))
    plain = function(*(values.view(arrays.Labelled) for values in inputs), subok=False)
    assert apply(type, plain) in (np.ndarray, (np.ndarray,) * one.outputs)


@each_backend
@each_representative
def test_where_leaves_other_dtypes_alone(implementation, one):
    """Elements outside the mask keep every bit, even if out= has another dtype than the computation."""
    inputs, mask = [np.ones(4, np.float32)] * one.operands, np.array([True, False, True, False])
    for untouched in (0.1, np.pi):
        out = outs(one, 4, untouched, np.float64)
        one.of(implementation)(*inputs, out=out, where=mask)
        for result in out if one.outputs > 1 else [out]:
            assert result[1] == result[3] == untouched
            assert result[0] == result[2] != untouched
