"""The functions along an axis over layouts, axes and lengths; in place; and a row's independence of other rows.

Here each result is compared with a plain NumPy one to a few roundings: test_softmax.py and test_values.py hold the bounds.
"""

import functools

import numpy as np
import pytest

from fastact.declare import ROWS as DECLARED_ROWS

import arrays
from arrays import WRITABLE, assert_same_bits, native
from passes import ROWS, Pass, each_backend, each_compiled, each_dtype, each_implementation, each_row_pass
from row_truth import assert_close, logits, plain

LENGTHS = (1, 2, 3, 7, 10, 15, 16, 17, 31, 63, 64, 65, 66, 129, 1023, 1025, 2100)
FEW = (1, 10, 65, 1025)  # for all but softmax, whose loops the others share


@functools.lru_cache(maxsize=1)  # the implementations take turns
def of_every_length(one, dtype):
    """Operands, the textbook's result, and the axis."""
    found, softmax = [], one.activation == "softmax"
    for n in LENGTHS if softmax else FEW:
        for others in ((1, 1), (5, 1), (1, 18), (3, 35)) if softmax else ((3, 35 if n < 100 else 5),):
            for axis in range(3):
                inputs = logits(one, dtype, [*others[:axis], n, *others[axis:]])
                found.append((inputs, plain(one, inputs, axis), axis))
    return found


@each_implementation
@each_row_pass
@each_dtype
def test_every_axis_and_length(implementation, one, dtype):
    """Rows of 1 to 2100 entries along each of three axes, in C and Fortran order, in any number."""
    function = one.of(implementation)
    for inputs, expected, axis in of_every_length(one, dtype):
        for order in "CF":
            given = [np.asarray(values, order=order) for values in inputs]
            named = axis if order == "C" else axis - 3
            assert_close(function(*given, axis=named), expected, f"{expected.shape}, axis {named}, {order}")


@each_implementation
@each_row_pass
@each_dtype
def test_every_short_length(implementation, one, dtype):
    """Of lengths that go their own ways (row_turn.h, row_held.h); in any number of rows the same bits."""
    function = one.of(implementation)
    for n in (*range(2, 18), 24, 25, 32, 33, 50, 64, 65, 80, 100, 113, 128):
        inputs = logits(one, dtype, (37, n))
        result = function(*inputs)
        assert_close(result, plain(one, inputs, -1), f"length {n}")
        for rows in (1, 5, 16, 33):
            assert_same_bits(function(*(values[:rows] for values in inputs)), result[:rows], f"length {n}, {rows} rows")


@each_implementation
@each_row_pass
@each_dtype
def test_every_layout(implementation, one, dtype):
    """Each layout of the zoo, along each of its axes: a new array, in place and into an out of the same layout."""
    function, inputs = one.of(implementation), [values.ravel() for values in logits(one, dtype, (7, 10))]
    for name, arrange in {**WRITABLE, "read-only": arrays.ARRANGEMENTS["read-only"]}.items():
        given = [arrange(values) for values in inputs]
        if given[0].ndim == 0:
            continue
        for axis in range(given[0].ndim):
            expected = plain(one, given, axis) if given[0].shape[axis] else np.empty(given[0].shape)
            before = [values.tobytes() for values in given]
            result = function(*given, axis=axis)
            assert_close(result, expected, f"{name}, axis {axis}")
            assert [values.tobytes() for values in given] == before, name
            if name == "read-only":
                continue
            out = arrange(np.full(arrays.N, 9, dtype))
            assert function(*given, axis=axis, out=out) is out
            assert_close(native(out), expected, f"{name}, axis {axis}, out")
            for i in range(one.operands):
                again = [arrange(values) for values in inputs]
                function(*again, axis=axis, out=again[i])
                assert_same_bits(again[i], out, f"{name}, axis {axis}, in place of operand {i}")


@each_implementation
@each_row_pass
@each_dtype
def test_mixed_layouts(implementation, one, dtype):
    """Operands and out each in an order of its own."""
    function, inputs = one.of(implementation), logits(one, dtype, (6, 19, 40))
    for axis in range(3):
        expected = plain(one, inputs, axis)
        for orders in ((0, 1, 2), (1, 0, 2), (2, 1, 0), (0, 2, 1)):
            inverse = np.argsort(orders)
            moved = [np.ascontiguousarray(values.transpose(orders)).transpose(inverse) for values in inputs]
            assert_close(function(*moved[:-1], inputs[-1], axis=axis), expected, f"{orders} before, axis {axis}")
            out = np.empty(np.array((6, 19, 40))[list(orders)], dtype).transpose(inverse)
            assert_close(function(*inputs, axis=axis, out=out), expected, f"{orders} out, axis {axis}")


@each_implementation
@each_row_pass
@each_dtype
def test_in_place_gives_the_same_bits(implementation, one, dtype):
    """For long, short and strided rows, in place of each operand; and of all of them at once."""
    function = one.of(implementation)
    for shape, axis in (((40, 10), -1), ((40, 10), 0), ((3, 1100), -1), ((1100, 37), 0), ((5, 70, 6), 1), ((300,), 0)):
        inputs = logits(one, dtype, shape)
        expected = function(*inputs, axis=axis, out=np.empty(shape, dtype))
        for i in range(one.operands):
            given = [values.copy() for values in inputs]
            function(*given, axis=axis, out=given[i])
            assert_same_bits(given[i], expected, f"{shape}, axis {axis}, operand {i}")
        same = inputs[-1]
        expected = function(*[same] * one.operands, axis=axis, out=np.empty(shape, dtype))
        assert_same_bits(function(*[same] * one.operands, axis=axis, out=same), expected, f"{shape}, axis {axis}, all")


@each_implementation
@each_row_pass
@each_dtype
def test_a_new_result_is_what_out_would_hold(implementation, one, dtype):
    """Along any axis a new array lies in memory as the operand does, with the bits of one made by np.empty_like."""
    function = one.of(implementation)
    for shape in ((40, 10), (1100, 37), (5, 70, 6)):
        for order in "CF":
            inputs = [np.asarray(values, order=order) for values in logits(one, dtype, shape)]
            for axis in range(len(shape)):
                result, out = function(*inputs, axis=axis), np.empty_like(inputs[-1])
                assert result.strides == out.strides, f"{shape}, {order}, axis {axis}: {result.strides}, expected {out.strides}"
                assert_same_bits(result, function(*inputs, axis=axis, out=out), f"{shape}, {order}, axis {axis}")


@each_implementation
@each_row_pass
@each_dtype
def test_overlapping_out(implementation, one, dtype):
    """Shifted, reversed and transposed views of an operand's memory: as if it had been copied first."""
    function = one.of(implementation)
    views = {
        "rows ahead": lambda memory: (memory[1:], memory[:-1]),
        "rows behind": lambda memory: (memory[:-1], memory[1:]),
        "columns ahead": lambda memory: (memory[:, 3:], memory[:, :-3]),
        "columns behind": lambda memory: (memory[:, :-3], memory[:, 3:]),
        "rows reversed": lambda memory: (memory, memory[::-1]),
        "columns reversed": lambda memory: (memory, memory[:, ::-1]),
        "transposed": lambda memory: (memory, memory.T),
        "other steps": lambda memory: (memory[:, ::2], memory[:, : memory.shape[1] // 2]),
    }
    for n in (12, 80, 190) if one.activation == "softmax" else (12,):  # the last more than a block of the fallback
        for axis in (0, 1):
            for name, view in views.items():
                for i in range(one.operands):
                    inputs = logits(one, dtype, (n, n))
                    source, out = view(inputs[i])
                    given = [source if i == j else view(values)[0].copy() for j, values in enumerate(inputs)]
                    expected = plain(one, [values.copy() for values in given], axis)
                    function(*given, axis=axis, out=out)
                    assert_close(out, expected, f"{n}, axis {axis}, {name}, operand {i}")


@each_backend
@each_row_pass
@each_dtype
def test_out_of_the_other_precision_and_as_a_tuple(implementation, one, dtype):
    """The operands choose the precision; out only what it is rounded to."""
    function, inputs = one.of(implementation), logits(one, dtype, (6, 33))
    other = np.float64 if dtype is np.float32 else np.float32
    expected = function(*inputs).astype(other)
    for wrap in (lambda out: out, lambda out: (out,)):
        out = np.full((6, 33), 9, other)
        assert function(*inputs, out=wrap(out)) is out
        assert_same_bits(out, expected, "out")
    assert_same_bits(function(*inputs, out=None), function(*inputs), "out=None")


@each_backend
@each_row_pass
def test_larger_out_repeats_the_rows(implementation, one):
    """An out with more rows than the operands gets the result in each, as with every gufunc."""
    function, inputs = one.of(implementation), logits(one, np.float32, (4, 9))
    out = np.full((3, 4, 9), 9, np.float32)
    function(*inputs, out=out)
    assert_same_bits(out, np.broadcast_to(function(*inputs), (3, 4, 9)), "three times")


@each_backend
@each_row_pass
@each_dtype
def test_dtypes(implementation, one, dtype):
    """Lists and wide integers are float64, small integers are float32; one float64 operand promotes the rest."""
    function, inputs = one.of(implementation), logits(one, dtype, (3, 5))
    as_float64 = [values.astype(np.float64) for values in inputs]
    assert_same_bits(function(*(values.tolist() for values in inputs)), function(*as_float64), "lists")
    assert_same_bits(function(*inputs[:-1], as_float64[-1]), function(*as_float64), "one float64 operand")
    for code in ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"):
        loop = np.float32 if code in ("?", "i1", "u1", "i2", "u2") else np.float64
        values = np.array([[0, 1, 1], [1, 0, 1]]).astype(code)
        given = [values] * one.operands
        assert_same_bits(function(*given), function(*(v.astype(loop) for v in given)), code)
    assert_same_bits(function(*inputs, dtype=np.float64), function(*as_float64), "dtype")


@each_backend
@each_row_pass
@each_dtype
def test_subclass_is_kept(implementation, one, dtype):
    """A subclass of ndarray comes back as itself, whichever operand it is, along any axis."""
    function, inputs = one.of(implementation), logits(one, dtype, (4, 6))
    for i in range(one.operands):
        given = [values.view(arrays.Labelled) if i == j else values for j, values in enumerate(inputs)]
        for axis in (0, 1):
            assert type(function(*given, axis=axis)) is arrays.Labelled


@each_backend
@each_dtype
def test_backward_broadcasts(implementation, dtype):
    """One gradient for many rows, and one row for many gradients."""
    one = next(one for one in ROWS if one.kind == "backward")
    function, (grad, x) = one.of(implementation), logits(one, dtype, (6, 11))
    for g, z in ((grad[0], x), (grad, x[0]), (grad[:1], x), (grad[:, None], x[None])):
        full = np.broadcast_shapes(g.shape, z.shape)
        expected = plain(one, [np.broadcast_to(g, full), np.broadcast_to(z, full)], -1)
        assert_close(function(g, z), expected, f"{g.shape} and {z.shape}")


@each_implementation
@each_row_pass
@each_dtype
@pytest.mark.parametrize("axis", [-1, 0])
def test_a_row_does_not_depend_on_its_neighbours(implementation, one, dtype, axis):
    """Rows in another order, fewer of them, beside NaN and infinity: the same bits, while the layout is the same."""
    order = np.random.default_rng(2).permutation(40)
    fewest = 1 if axis == -1 else 2  # a single column lies as a row does, and a row's sum is made in another order

    def results(*rows):
        laid = [np.ascontiguousarray(np.moveaxis(values, -1, axis)) for values in rows]
        return np.moveaxis(one.of(implementation)(*laid, axis=axis, out=np.empty_like(laid[0])), axis, -1)

    softmax = one.activation == "softmax"
    for n in (2, 3, 10, 16, 17, 33, 64, 65, 300) if softmax else (3, 17, 65):
        inputs = logits(one, dtype, (40, n))
        inputs[-1][::3] *= 15  # rows within and beyond what needs no maximum
        if one.kind == "from_output":
            inputs[-1] = plain(Pass(one.activation, "forward"), inputs[-1:], -1).astype(dtype)
        full = results(*inputs)
        fewer = range(fewest, 40) if softmax else (fewest, 5, 17, 39)
        for name, chosen in {"permuted": order, **{f"{k} rows": np.arange(k) for k in fewer}}.items():
            assert_same_bits(results(*(values[chosen] for values in inputs)), full[chosen], f"length {n}, {name}")
        for row in (0, 3, 6):
            given = [values.copy() for values in inputs]
            for i, value in enumerate((np.nan, np.inf, -np.inf, 1e30, -1e30, 41, 1e-42)):
                if i != row:
                    given[-1][i] = value
            kept = [row, *range(7, 40)]
            assert_same_bits(results(*given)[kept], full[kept], f"length {n}, poisoned but {row}")


@each_compiled
@each_row_pass
@each_dtype
def test_wherever_in_a_line_rows_begin(implementation, one, dtype):
    """Many rows, of which the first go by themselves where the others then begin on whole lines: the bits of few rows."""
    function = one.of(implementation)
    short, long = ((5501, 3), (1702, 10), (833, 20), (170, 100)), ((30, 300), (22, 4100))
    for axis, shape in (*((-1, shape) for shape in short + long), (0, (5, 1100)), (0, (9, 2048))):
        inputs = logits(one, dtype, shape)
        parts = [slice(None, 17), slice(7, 40), slice(-21, None)]
        if axis == 0:
            parts = [(slice(None), part) for part in parts]
        expected = [function(*(np.ascontiguousarray(values[part]) for values in inputs), axis=axis) for part in parts]
        for offset in (0, 1, 4, 15):
            rooms = np.empty((len(inputs) + 1, inputs[0].size + 16), dtype)[:, offset : offset - 16]
            *given, out = (room.reshape(shape) for room in rooms)
            for room, values in zip(given, inputs, strict=True):
                room[...] = values
            function(*given, axis=axis, out=out)
            for part, few in zip(parts, expected, strict=True):
                assert_same_bits(out[part], few, f"{shape}, axis {axis}, offset {offset}")


@each_implementation
@each_row_pass
@each_dtype
def test_one_dimension_and_a_batch_of_one(implementation, one, dtype):
    """A vector, the same as the only row of a matrix, and as one row of many: the same bits."""
    function = one.of(implementation)
    for n in LENGTHS if one.activation == "softmax" else FEW:
        inputs = logits(one, dtype, (5, n))
        full = function(*inputs)
        for row in range(5):
            assert_same_bits(function(*(values[row] for values in inputs)), full[row], f"length {n}, vector")
            assert_same_bits(function(*(values[None, row] for values in inputs)), full[None, row], f"length {n}, one row")


class Duck:
    """An object that answers for itself, and has no other property of an array."""

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        return ufunc, method, len(inputs), keywords


@each_backend
@each_row_pass
def test_array_ufunc_override(implementation, one):
    """An object with __array_ufunc__ gets the call, with the axis, as any operand or out."""
    function, x = one.of(implementation), np.ones((2, 3), np.float32)
    for i in range(one.operands):
        ufunc, method, count, keywords = function(*(Duck() if i == j else x for j in range(one.operands)), axis=0)
        operands, masking = ",".join(["(n)"] * one.operands), ",(),(),(),(n)"
        row = DECLARED_ROWS[one.activation]
        masked = "scale" in row.fixed or ("sink" in row.by_name and one.kind != "from_output")
        assert ufunc.signature == f"{operands}{masking if masked else ''}->(n)"
        assert (method, count, keywords) == ("__call__", one.operands + 4 * masked, {"axis": 0})
    assert "out" in function(*[x] * one.operands, out=Duck())[3]
