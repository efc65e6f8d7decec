"""Writing where it is told: out= of every kind, in place, overlapping, and where= masks."""

import numpy as np

import arrays
from arrays import WRITABLE, N, assert_same_bits, one_by_one, operands
from passes import each_backward_pass, each_dtype, each_implementation, each_pass, each_pass_with_parameters


def prepared(one, implementation, dtype):
    """The function, its operands and the results of single calls."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    return function, inputs, one_by_one(function, *inputs)


@each_implementation
@each_pass
@each_dtype
def test_in_place(implementation, one, dtype):
    """out= is one of the operands, in every layout."""
    function, inputs, expected = prepared(one, implementation, dtype)
    for name, arrange in WRITABLE.items():
        for i in range(one.operands):
            given = [arrange(values) for values in inputs]
            others = [values.tobytes() for j, values in enumerate(given) if j != i]
            assert function(*given, out=given[i]) is given[i]
            assert_same_bits(given[i], arrays.native(arrange(expected)), f"{name}, operand {i}")
            assert [values.tobytes() for j, values in enumerate(given) if j != i] == others, name


@each_implementation
@each_pass
@each_dtype
def test_in_place_large(implementation, one, dtype):
    """In place over many blocks, contiguous and strided."""
    function, inputs, expected = prepared(one, implementation, dtype)
    for step in (1, 2, -1):
        given = [np.resize(values, 100003)[::step] for values in inputs]
        function(*given, out=given[-1])
        assert_same_bits(given[-1], np.resize(expected, 100003)[::step], f"step {step}")


@each_implementation
@each_pass
@each_dtype
def test_the_same_array_for_every_operand(implementation, one, dtype):
    """f(x, x, out=x) reads each element before it writes it."""
    function, x = one.of(implementation), arrays.pool(dtype)
    expected = one_by_one(function, *[x] * one.operands)
    function(*[x] * one.operands, out=x)
    assert_same_bits(x, expected, "in place")


@each_implementation
@each_pass
@each_dtype
def test_out_in_every_layout(implementation, one, dtype):
    """Contiguous operands into an out of each layout, alone and as a tuple; nothing between its elements is touched."""
    function, inputs, expected = prepared(one, implementation, dtype)
    for name, arrange in WRITABLE.items():
        given = [arrays.native(arrange(values)) for values in inputs]
        for wrap in (lambda out: out, lambda out: (out,)):
            out = arrange(np.full(N, 9, dtype))
            assert function(*given, out=wrap(out)) is out
            assert_same_bits(out, arrays.native(arrange(expected)), name)
    wide = np.full(3 * N, 9, dtype)
    function(*inputs, out=wide[1::3])
    assert (wide[0::3] == 9).all()
    assert (wide[2::3] == 9).all()


@each_implementation
@each_pass
@each_dtype
def test_out_of_the_other_precision(implementation, one, dtype):
    """The operands choose the precision of the calculation; out only what it is rounded to."""
    function, inputs, expected = prepared(one, implementation, dtype)
    other = np.float64 if dtype is np.float32 else np.float32
    out = np.full(N, 9, other)
    with np.errstate(over="ignore", under="ignore"):  # NumPy's cast reports what float32 cannot hold
        function(*inputs, out=out)
        assert_same_bits(out, expected.astype(other), "out")


@each_implementation
@each_pass
@each_dtype
def test_overlapping_out(implementation, one, dtype):
    """Shifted and reversed views of the operand's memory: as if the operand had been copied first."""
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
            function(*given, out=memory[target])
            assert_same_bits(memory[target], expected, f"{name}, operand {i}")
    square = np.resize(arrays.pool(dtype), (40, 40))
    given = [square.copy()] * (one.operands - 1)
    expected = function(*given, square.copy())
    function(*given, square, out=square.T)
    assert_same_bits(square.T, expected, "transposed")


@each_implementation
@each_pass
@each_dtype
def test_where(implementation, one, dtype):
    """Written where the mask holds, untouched elsewhere: into another array and in place, in every layout."""
    function, inputs, expected = prepared(one, implementation, dtype)
    mask = np.random.default_rng(1).random(N) < 0.5
    for name, arrange in WRITABLE.items():
        given, arranged = [arrange(values) for values in inputs], arrange(mask) if name != "byte-swapped" else mask
        arranged = np.asarray(arranged)
        out = arrange(np.full(N, 9, dtype))
        function(*given, out=out, where=arranged)
        wanted = np.where(arranged, arrays.native(arrange(expected)), dtype(9))
        assert_same_bits(out, wanted, name)
        wanted = np.where(arranged, arrays.native(arrange(expected)), arrays.native(given[-1]))
        function(*given, out=given[-1], where=arranged)
        assert_same_bits(given[-1], wanted, f"{name}, in place")


@each_implementation
@each_pass
@each_dtype
def test_where_broadcasts(implementation, one, dtype):
    """A mask of one row, one column or one element; a mask of more rows than the operands have makes more rows."""
    function, inputs, expected = prepared(one, implementation, dtype)
    grids, wanted = [values.reshape(7, 10) for values in inputs], expected.reshape(7, 10)
    for shape in ((10,), (7, 1), (1, 1), (), (2, 7, 10)):
        mask = (np.arange(int(np.prod(shape))) % 3 == 0).reshape(shape)
        full = np.broadcast_shapes(shape, (7, 10))
        out = np.full(full, 9, dtype)
        function(*grids, out=out, where=mask)
        assert_same_bits(out, np.where(mask, wanted, dtype(9)), f"mask of shape {shape}")
    out = np.full(N, 9, dtype)
    function(*inputs, out=out, where=False)
    assert (out == 9).all()
    function(*inputs, out=out, where=True)
    assert_same_bits(out, expected, "where=True")


@each_implementation
@each_pass
def test_where_large(implementation, one):
    """A mask over many blocks with long runs, in place."""
    function, inputs, expected = prepared(one, implementation, np.float32)
    given = [np.resize(values, 100003) for values in inputs]
    mask = (np.arange(100003) // 301) % 3 == 1
    wanted = np.where(mask, np.resize(expected, 100003), given[-1])
    function(*given, out=given[-1], where=mask)
    assert_same_bits(given[-1], wanted, "in place")


@each_implementation
@each_pass
@each_dtype
def test_larger_out_repeats_the_operands(implementation, one, dtype):
    """An out with more rows than the operands gets the result in each, as with every ufunc."""
    function, inputs, expected = prepared(one, implementation, dtype)
    out = np.full((3, N), 9, dtype)
    function(*inputs, out=out)
    assert_same_bits(out, np.broadcast_to(expected, (3, N)), "three rows")


@each_implementation
@each_backward_pass
@each_dtype
def test_operands_broadcast(implementation, one, dtype):
    """Grad and x of different shapes make every pair."""
    function, (grad, x) = one.of(implementation), operands(dtype, 2)
    grad, x = grad[:9, None], x[None, :11]
    expected = one_by_one(function, *(values.ravel() for values in np.broadcast_arrays(grad, x))).reshape(9, 11)
    assert_same_bits(function(grad, x), expected, "column and row")
    assert_same_bits(function(grad[0], x[0]), expected[0], "one element and row")
    assert_same_bits(function(grad[2, 0], x), expected[2:3], "scalar and row")


@each_implementation
@each_pass_with_parameters
@each_dtype
def test_out_is_the_parameter(implementation, one, dtype):
    """Even a parameter's own array can be overwritten."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    numbers = np.linspace(0.1, 1.9, N).astype(dtype)
    for name in one.parameters:
        out = numbers.copy()
        function(*inputs, **{name: out}, out=out)
        assert_same_bits(out, function(*inputs, **{name: numbers}), name)


@each_implementation
@each_pass
def test_ufunc_keywords(implementation, one):
    """dtype=, casting=, order= and subok= mean what they mean for a ufunc."""
    function, inputs = one.of(implementation), [values.reshape(7, 10) for values in operands(np.float32, one.operands)]
    expected = function(*(values.astype(np.float64) for values in inputs))
    assert_same_bits(function(*inputs, dtype=np.float64), expected, "dtype")
    assert_same_bits(function(*inputs, casting="safe"), function(*inputs), "casting")
    assert function(*inputs, order="F").flags.f_contiguous
    assert function(*(np.asfortranarray(values) for values in inputs)).flags.f_contiguous
    assert function(*(np.asfortranarray(values) for values in inputs), order="C").flags.c_contiguous
    assert type(function(*(values.view(arrays.Labelled) for values in inputs), subok=False)) is np.ndarray


@each_implementation
@each_pass
def test_where_leaves_other_dtypes_alone(implementation, one):
    """Elements that `where` spares keep every bit, though `out` has another dtype than the computation."""
    inputs, mask = [np.ones(4, np.float32)] * one.operands, np.array([True, False, True, False])
    for untouched in (0.1, np.pi):
        out = np.full(4, untouched)
        one.of(implementation)(*inputs, out=out, where=mask)
        assert out[1] == out[3] == untouched
        assert out[0] == out[2] != untouched
