"""Same bits everywhere: an elementwise result depends on its element alone, whatever array it stands in.

Expected are the results of calls on single elements (arrays.one_by_one), by the same implementation.
"""

import numpy as np
import pytest

import arrays
from arrays import ARRANGEMENTS, WRITABLE, N, assert_same_bits, one_by_one, operands
from passes import each_backward_pass, each_dtype, each_implementation, each_pass, each_pass_with_parameters


@each_implementation
@each_pass
@each_dtype
def test_every_layout(implementation, one, dtype):
    """Strides, orders, byte orders, alignments, 0-d, empty, broadcast: the operands laid out alike."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    expected = one_by_one(function, *inputs)
    for name, arrange in ARRANGEMENTS.items():
        assert_same_bits(function(*map(arrange, inputs)), arrays.native(arrange(expected)), name)


@each_implementation
@each_backward_pass
@each_dtype
def test_operands_laid_out_differently(implementation, one, dtype):
    """One operand contiguous, the other in each layout."""
    function, inputs = one.of(implementation), operands(dtype, 2)
    for name, arrange in ARRANGEMENTS.items():
        for turn in (0, 1):
            arranged = [arrange(values) if i == turn else arrays.native(arrange(values)) for i, values in enumerate(inputs)]
            flat = [arrays.native(values).ravel() for values in arranged]
            assert_same_bits(
                function(*arranged), one_by_one(function, *flat).reshape(arranged[0].shape), f"{name}, operand {turn}"
            )


@each_implementation
@each_pass
@each_dtype
def test_every_length_and_offset(implementation, one, dtype):
    """0 to 70 elements, from the front and up to the end: every tail, every alignment, every neighbour."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    expected = one_by_one(function, *inputs)
    for n in range(N + 1):
        assert_same_bits(function(*(values[:n] for values in inputs)), expected[:n], f"the first {n}")
        assert_same_bits(function(*(values[N - n :] for values in inputs)), expected[N - n :], f"the last {n}")


@each_implementation
@each_pass
@each_dtype
def test_large(implementation, one, dtype):
    """Longer than the C core's chunk of 256 and than the fallback's block of 32768, contiguous and strided."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    expected = one_by_one(function, *inputs)
    for size in (257, 1023, 32773, 100003):
        large, wanted = [np.resize(values, size) for values in inputs], np.resize(expected, size)
        for step in (1, 3, -1):
            assert_same_bits(function(*(values[::step] for values in large)), wanted[::step], f"{size}, step {step}")


@each_implementation
@each_pass
def test_neighbours_of_another_range(implementation, one):
    """A float32 result keeps its bits beside a lane that is huge, NaN or subnormal (fitted kernels blend two forms)."""
    function = one.of(implementation)
    inside = np.linspace(-7.9, 7.9, 64, dtype=np.float32)
    grad = [np.linspace(0.5, 2, 64, dtype=np.float32)] if one.operands == 2 else []
    expected = function(*grad, inside)
    for outside in (np.nan, np.inf, -np.inf, 3e38, -3e38, 20, -20, -95, 1e-42):
        for place in range(0, 64, 5):
            mixed = inside.copy()
            mixed[place::13] = outside
            same = mixed == inside
            assert_same_bits(function(*grad, mixed)[same], expected[same], f"{outside} from {place} on")


@each_implementation
@each_pass_with_parameters
@each_dtype
def test_parameters_broadcast(implementation, one, dtype):
    """A parameter for each element, row, column or the whole: bits as for that number alone."""
    function, inputs = one.of(implementation), [values.reshape(7, 10) for values in operands(dtype, one.operands)]
    numbers = np.linspace(0.1, 1.9, N).astype(dtype)
    for name in one.parameters:
        for shape in ((7, 10), (7, 1), (10,), (1, 1), ()):
            given = numbers[: int(np.prod(shape))].reshape(shape)
            flat = [values.ravel() for values in (*inputs, np.broadcast_to(given, (7, 10)))]
            expected = one_by_one(lambda *a, name=name: function(*a[:-1], **{name: float(a[-1][0])}), *flat).reshape(7, 10)
            for made in (given, np.asfortranarray(given), given.astype(given.dtype.newbyteorder())):
                assert_same_bits(function(*inputs, **{name: made}), expected, f"{name} of shape {shape}, {made.dtype.byteorder}")

    flat = [values.ravel() for values in inputs]
    for name in one.parameters:
        expected = function(*flat, **{name: numbers})
        for n in range(N + 1):
            assert_same_bits(
                function(*(values[:n] for values in flat), **{name: numbers[:n]}), expected[:n], f"{name}, length {n}"
            )


@each_implementation
@each_pass_with_parameters
@each_dtype
def test_parameters_positional(implementation, one, dtype):
    """Parameters by position, in order, are those by name; Python integers, NumPy scalars and 0-d arrays are numbers."""
    from fastact import implementations

    public, inputs = getattr(implementations.load(implementation), one.function), operands(dtype, one.operands)
    if one.kind == "from_output":
        leading, keywords = [inputs[0], None], {"y": inputs[1]}
    else:
        leading, keywords = inputs, {}
    for make in (float, int, dtype, lambda value: np.array(value, dtype), lambda value: np.array(value, np.float16)):
        by_name = public(*leading, **keywords, **dict.fromkeys(one.parameters, 2.0))
        assert_same_bits(public(*leading, *[make(2) for _ in one.parameters], **keywords), by_name, "positional")
        assert_same_bits(public(*leading, **keywords, **{name: make(2) for name in one.parameters}), by_name, "by name")


@each_implementation
@each_pass_with_parameters
def test_parameters_and_dtype(implementation, one):
    """A Python number leaves float32 as it is, a float64 array or NumPy scalar promotes, as in every ufunc."""
    function, inputs = one.of(implementation), operands(np.float32, one.operands)
    for name in one.parameters:
        assert function(*inputs, **{name: 0.5}).dtype == np.float32
        assert function(*inputs, **{name: 2}).dtype == np.float32
        assert function(*inputs, **{name: np.float32(0.5)}).dtype == np.float32
        for wide in (np.float64(0.5), np.array(0.5), np.full(N, 0.5), [0.5] * N):
            expected = function(*(values.astype(np.float64) for values in inputs), **{name: 0.5})
            assert_same_bits(function(*inputs, **{name: wide}), expected, f"{name} {type(wide)}")


@each_implementation
@each_pass_with_parameters
def test_parameters_beyond_float32(implementation, one):
    """A number that float32 cannot hold is infinite there, with NumPy's warning, in arrays of any size."""
    for size in (1, N, 40000):
        inputs = [np.resize(values, size) for values in operands(np.float32, one.operands)]
        for name in one.parameters:
            with pytest.warns(RuntimeWarning, match="overflow encountered in cast"):
                got = one.of(implementation)(*inputs, **{name: 1e300})
            assert_same_bits(got, one.of(implementation)(*inputs, **{name: np.inf}), f"{size} elements")


@each_implementation
@each_pass
@each_dtype
def test_scalars_and_lists(implementation, one, dtype):
    """Lists are float64 arrays; a scalar or 0-d array gives a NumPy scalar."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    expected = one_by_one(function, *inputs)
    wide = one_by_one(function, *(values.astype(np.float64) for values in inputs))
    assert_same_bits(function(*(values.tolist() for values in inputs)), wide, "lists")
    for i in range(N):
        for name, given, wanted in (
            ("NumPy scalar", [values[i] for values in inputs], expected[i]),
            ("0-d array", [values[i : i + 1].reshape(()) for values in inputs], expected[i]),
            ("Python float", [float(values[i]) for values in inputs], wide[i]),
        ):
            got = function(*given)
            assert isinstance(got, np.floating), name
            assert_same_bits(got, wanted, name)


@each_implementation
@each_pass
def test_integers_and_booleans(implementation, one):
    """They become floats as NumPy resolves them over float32 and float64 loops."""
    function = one.of(implementation)
    small, wide = ("?", "i1", "u1", "i2", "u2", "f2"), ("i4", "u4", "i8", "u8")
    for code in small + wide:
        values = np.array([0, 1, 1, 0, 1]).astype(code)
        # A parameter's Python float beside integers is a float64 to NumPy, beside floats it is weak.
        loop = np.float32 if code in small and (not one.parameters or code == "f2") else np.float64
        inputs = [values] * one.operands
        assert_same_bits(function(*inputs), function(*(values.astype(loop) for values in inputs)), code)


@each_implementation
@each_pass
@each_dtype
def test_subclass_is_kept(implementation, one, dtype):
    """A subclass of ndarray comes back as itself, whichever operand it is; a masked array keeps its mask."""
    function, inputs = one.of(implementation), operands(dtype, one.operands)
    mask = np.arange(N) % 3 == 0
    for i in range(one.operands):
        given = [values.view(arrays.Labelled) if i == j else values for j, values in enumerate(inputs)]
        assert type(function(*given)) is arrays.Labelled
        given = [np.ma.masked_array(values, mask) if i == j else values for j, values in enumerate(inputs)]
        result = function(*given)
        assert isinstance(result, np.ma.MaskedArray)
        assert (np.ma.getmaskarray(result) >= mask).all()


@each_implementation
@each_pass
@each_dtype
def test_inputs_stay_as_they_are(implementation, one, dtype):
    """No call writes to an operand that is not its out."""
    function = one.of(implementation)
    for name, arrange in WRITABLE.items():
        inputs = [arrange(values) for values in operands(dtype, one.operands)]
        before = [values.tobytes() for values in inputs]
        result = function(*inputs)
        assert [values.tobytes() for values in inputs] == before, name
        assert not any(np.shares_memory(result, values) for values in inputs), name


class Duck:
    """An object that answers for itself, as dask, xarray and pandas objects do."""

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        return ufunc, method, len(inputs), sorted(keywords)


@each_implementation
@each_pass
def test_array_ufunc_override(implementation, one):
    """An object with __array_ufunc__ gets the call, as any operand, parameter or out."""
    function, x = one.of(implementation), np.ones(3, np.float32)
    for i in range(one.operands):
        ufunc, method, count, keywords = function(*(Duck() if i == j else x for j in range(one.operands)))
        assert (ufunc.nin, ufunc.nout, ufunc.signature) == (one.operands + len(one.parameters), 1, None)
        assert (method, count, keywords) == ("__call__", one.operands + len(one.parameters), [])
    assert function(*[x] * one.operands, out=Duck())[3] == ["out"]
    if one.kind != "from_output":  # there a parameter may have to be >= 0, which an unknown object cannot tell
        for name in one.parameters:
            assert function(*[x] * one.operands, **{name: Duck()})[2] == one.operands + len(one.parameters)
