"""Masked entries of numpy.ma arrays take no part in a result, are masked in it, and may hold any value."""

import numpy as np
import pytest

from fastact import backends
from fastact import declare as row_table
from fastact.declare import ACTIVATIONS

import arrays
from arrays import refused
from passes import PASSES, each_backend, each_dtype

ROWS = tuple(row_table.ROWS)
MASKED = [name for name, row in row_table.ROWS.items() if "mask" in row.by_name]
SLOPED = [name for name, row in row_table.ROWS.items() if row.slope]
each_row = pytest.mark.parametrize("name", [name for name in ROWS if row_table.ROWS[name].absent is not None])
each_sloped = pytest.mark.parametrize("name", SLOPED)
LARGEST = {np.float32: np.finfo(np.float32).max, np.float64: np.finfo(np.float64).max}


def of(implementation, name):
    """A public function of an implementation."""
    return getattr(backends.load(implementation), name)


def masked(dtype=np.float64, shape=(5, 4, 6), seed=0):
    """An array of which a third is masked, with a whole row along each axis."""
    rng = np.random.default_rng(seed)
    x = np.ma.array(rng.normal(size=shape), dtype, mask=rng.random(shape) < 1 / 3)
    x[1, 2], x[:, 3, 0], x[4, :, 5] = np.ma.masked, np.ma.masked, np.ma.masked
    return x


def with_under(x, value):
    """The same array with another value under the mask."""
    return np.ma.array(np.where(np.ma.getmaskarray(x), x.dtype.type(value), x.data), mask=x.mask)


def close(got, expected, dtype):
    """Fail unless both are equal to a few ULP. The sum of fewer entries is added up in another order."""
    np.testing.assert_allclose(got, expected, rtol=64 * np.finfo(dtype).eps, atol=16 * np.finfo(dtype).eps)


def row_by_row(function, axis, *operands):
    """A masked array with the function of the visible entries of each row alone."""
    *others, x = (np.moveaxis(value, axis, -1) for value in operands)
    result = np.ma.masked_all(x.shape, x.dtype)
    for at in np.ndindex(x.shape[:-1]):
        seen = ~np.ma.getmaskarray(x)[at]
        if seen.any():
            result[at][seen] = function(*(value.data[at][seen] for value in (*others, x)))
    return np.moveaxis(result, -1, axis)


def test_softmax_ignores_a_masked_entry():
    """The softmax of ln 2 and ln 3 beside a masked entry is 0.4 and 0.6, as without it."""
    for implementation in backends.available():
        result = of(implementation, "softmax")(np.ma.array([np.log(2), 2, np.log(3)], mask=[0, 1, 0]))
        close(result.compressed(), [0.4, 0.6], np.float64)
        assert result.mask.tolist() == [False, True, False]


@each_backend
@each_dtype
@each_row
def test_masked_entries_take_no_part(implementation, dtype, name):
    """Each row gives what its visible entries alone give, along any axis, whatever lies under the mask."""
    function, x, reduces = of(implementation, name), masked(dtype), row_table.ROWS[name].reduces
    mask = x.mask.copy()
    for axis in (-1, 0, 1):
        result = function(x, axis=axis)
        assert isinstance(result, np.ma.MaskedArray)
        assert result.dtype == dtype
        if reduces:
            rows = np.moveaxis(x, axis, -1)
            seen = ~rows.mask.all(axis=-1)
            assert (result.mask == ~seen).all()
            close(result[seen], [function(row.compressed()) for row in rows[seen]], dtype)
            kept = function(x, axis=axis, keepdims=True)
            arrays.assert_same_bits(kept.filled(7), np.expand_dims(result.filled(7), axis), "keepdims")
        else:
            expected = row_by_row(function, axis, x)
            assert (result.mask == mask).all()
            assert (expected.mask == mask).all()
            close(result.compressed(), expected.compressed(), dtype)
        for value in (np.nan, np.inf, -np.inf, LARGEST[dtype]):
            other = function(with_under(x, value), axis=axis)
            assert (other.mask == result.mask).all()
            arrays.assert_same_bits(other.data, result.data, f"{value} under the mask")
    assert (x.mask == mask).all()


@each_backend
@each_row
def test_several_axes_make_one_row(implementation, name):
    """A function over several axes gives what it gives for one row of all their entries."""
    function, x = of(implementation, name), masked()
    flat = x.transpose(1, 0, 2).reshape(4, 30)
    result, expected = function(x, axis=(0, 2)), function(flat)
    if row_table.ROWS[name].reduces:
        assert np.ma.allclose(result, expected, rtol=1e-14)
        assert abs(function(x, axis=None) - function(x.compressed())) < 1e-14
        assert function(x, axis=None, keepdims=True).shape == (1, 1, 1)
    else:
        expected = expected.reshape(4, 5, 6).transpose(1, 0, 2)
        close(result.compressed(), expected.compressed(), np.float64)
    assert (result.mask == expected.mask).all()


@each_backend
@each_dtype
@each_sloped
def test_masked_gradients_count_as_zero(implementation, dtype, name):
    """A backward pass gives the gradients of the visible entries. A masked gradient counts as 0, and its result is masked."""
    function, backward, reduces = of(implementation, name), of(implementation, f"{name}_backward"), row_table.ROWS[name].reduces
    x = masked(dtype)
    if reduces:
        grad = np.ma.array(np.linspace(1, 2, 20, dtype=dtype).reshape(5, 4))
        grad[0, 1] = np.ma.masked
        union = x.mask | np.ma.getmaskarray(grad)[..., None]
    else:
        grad = masked(dtype, seed=1)
        union = x.mask | grad.mask
    counted = np.ma.array(np.where(grad.mask, 0, grad.data), grad.dtype)
    each = np.broadcast_to(counted.data[..., None], x.shape) if reduces else counted.data
    alone = (lambda g, z: backward(g[0], z)) if reduces else backward
    expected = row_by_row(alone, -1, np.ma.array(each), x)
    starts = [{}, {"y": function(x)}] if row_table.ROWS[name].backward_from_output else [{}]
    for given in starts:
        operands = [] if given else [x]
        result = backward(grad, *operands, **given)
        assert (result.mask == union).all()
        assert result.dtype == dtype
        close(result.compressed(), expected[~union], dtype)
        for value in (np.nan, np.inf):
            changed = {key: with_under(array, value) for key, array in given.items()}
            other = backward(with_under(grad, value), *(with_under(array, value) for array in operands), **changed)
            arrays.assert_same_bits(other.filled(7), result.filled(7), f"{value} under the mask")
        plain_grad = np.where(grad.mask, 0, grad.data)
        result = backward(plain_grad, *operands, **given)
        assert (result.mask == x.mask).all()
        plain = {key: array.data for key, array in given.items()}
        result = backward(grad, *([] if given else [x.data]), **plain)
        assert (result.mask == np.broadcast_to(grad.mask[..., None] if reduces else grad.mask, x.shape)).all()


@each_backend
@pytest.mark.parametrize("name", MASKED)
def test_options_hide_further_entries(implementation, name):
    """With mask=, causal=, scale= and sink= a call gives what a plain array gives whose masked entries mask= hides."""
    function, x, allowed = of(implementation, name), masked(), np.random.default_rng(3).random((4, 6)) < 0.8
    seen, row = ~x.mask, row_table.ROWS[name]
    options = [{"mask": allowed}, {"causal": True}, {"mask": allowed, "causal": True}]
    options += [{"scale": -0.5}, {"scale": 2.0, "mask": allowed[:1]}] if "scale" in row.by_name else []
    options += [{"sink": np.linspace(-1, 1, 4)}, {"sink": -np.inf, "mask": allowed}] if "sink" in row.by_name else []
    for given in options:
        result, expected = function(x, **given), function(x.data, **{**given, "mask": seen & given.get("mask", True)})
        arrays.assert_same_bits(result.data, expected, str(given))
        assert (result.mask == (x.mask.all(axis=-1) if row.reduces else x.mask)).all()
        backward = of(implementation, f"{name}_backward")
        grad = np.ones(x.shape[:-1] if row.reduces else x.shape)
        result = backward(grad, x, **given)
        expected = backward(grad, x.data, **{**given, "mask": seen & given.get("mask", True)})
        arrays.assert_same_bits(result.data, expected, f"backward, {given}")
        assert (result.mask == x.mask).all()


@each_backend
@each_row
def test_masked_and_plain_out(implementation, name):
    """A masked out= gets data and mask. A plain out= gets 0 where entries are masked, or -inf if results are logarithms."""
    function, x, row = of(implementation, name), masked(), row_table.ROWS[name]
    expected = function(x)
    nothing = -np.inf if row.evaluator.startswith("log") else 0
    plain = np.full(expected.shape, 7.0)
    assert function(x, out=plain) is plain
    arrays.assert_same_bits(plain, expected.filled(nothing), "plain")
    out = np.ma.array(np.full(expected.shape, 7.0), mask=np.random.default_rng(5).random(expected.shape) < 0.5)
    shared = out[:]
    before = shared.mask.copy()
    assert function(x, out=(out,)) is out
    assert (out.mask == expected.mask).all()
    assert (shared.mask == before).all()
    arrays.assert_same_bits(out.filled(7), expected.filled(7), "masked")
    out = np.ma.array(np.full(expected.shape, 7.0), mask=True)
    assert function(x.filled(0), out=out) is out
    assert not out.mask.any()


@each_backend
@pytest.mark.parametrize("name", [name for name in ROWS if not row_table.ROWS[name].reduces])
def test_in_place_keeps_the_mask(implementation, name):
    """A call in place keeps the mask of the array."""
    function, x = of(implementation, name), masked()
    expected, inside = function(x), x.copy()
    assert function(inside, out=inside) is inside
    arrays.assert_same_bits(inside.filled(7), expected.filled(7), "in place")
    assert (inside.mask == x.mask).all()


@each_backend
@pytest.mark.parametrize("name", [name for name in SLOPED if not row_table.ROWS[name].reduces])
def test_out_of_the_backward_pass(implementation, name):
    """A plain out= of a backward pass gets 0 where entries are masked. The out= may also be the gradient."""
    backward, x, grad = of(implementation, f"{name}_backward"), masked(), masked(seed=1)
    expected, plain = backward(grad, x), np.full(x.shape, 7.0)
    backward(grad, x, out=plain)
    arrays.assert_same_bits(plain, expected.filled(0), "into a plain array")
    assert backward(grad, x, out=grad) is grad
    arrays.assert_same_bits(grad.filled(7), expected.filled(7), "in place")


@each_backend
@each_row
def test_other_kinds_of_masked_arrays(implementation, name):
    """Results are right for integers, arrays without masked entries, an empty axis and a subclass of MaskedArray."""

    class Own(np.ma.MaskedArray):
        pass

    function, reduces = of(implementation, name), row_table.ROWS[name].reduces
    for dtype, expected in ((np.int8, np.float32), (np.int64, np.float64)):
        x = np.ma.array([[1, 2, 3], [4, 5, 6]], dtype, mask=[[0, 1, 0], [0, 0, 1]])
        result = function(x)
        assert result.dtype == expected
        assert np.ma.allclose(result, function(x.astype(np.float64)), rtol=1e-6)
    x = masked()
    bare = np.ma.array(x.data)
    result = function(bare)
    assert isinstance(result, np.ma.MaskedArray)
    assert not np.ma.is_masked(result)
    arrays.assert_same_bits(result.data, function(x.data), "no masked entry")
    assert function(np.ma.array(np.ones((2, 0)), mask=True)).shape == ((2,) if reduces else (2, 0))
    assert type(function(x.view(Own))) is Own
    if reduces:
        assert function(np.ma.array([1.0, 2.0], mask=True)) is np.ma.masked
        assert function(np.ma.array([1.0, 2.0], mask=[1, 0])) == 2.0


@each_backend
def test_a_setting_with_masked_entries_is_refused(implementation):
    """A mask= or sink= with masked entries is refused, because its data would count silently.

    Without masked entries it counts as an array.
    """
    function, x = of(implementation, "softmax_one"), np.zeros((2, 3))
    mask, sink = np.ma.array([True, False, True]), np.ma.array([0.0, 1.0])
    arrays.assert_same_bits(function(x, mask=mask, sink=sink), function(x, mask=mask.data, sink=sink.data), "unmasked")
    mask[1], sink[0] = np.ma.masked, np.ma.masked
    for given in (x, np.ma.array(x, mask=x > 1)):
        message = r"softmax_one\(\) takes no masked entries, and {0} has 1: pass {0}.filled\(value\)"
        refused(TypeError, message.format("mask"), function, given, mask=mask)
        refused(TypeError, message.format("sink"), function, given, sink=sink)
        with pytest.raises(TypeError, match="and scale has 1"):
            function(given, scale=np.ma.masked)


@each_backend
def test_functions_that_return_arrays_refuse_masked_entries(implementation):
    """gumbel_softmax, glu and prelu_backward give plain arrays, and refuse masked entries.

    A masked array without masked entries counts as an array.
    """
    x = np.ma.array([[1.0, 2.0], [3.0, 4.0]])
    holed = np.ma.array(x, mask=[[1, 0], [0, 0]])
    calls = {
        "gumbel_softmax": lambda function, array: function(array, rng=0),
        "gumbel_softmax_backward": lambda function, array: function(array, y=x.data),
        "glu": lambda function, array: function(array),
        "glu_backward": lambda function, array: function(array[:, :1], x.data),
        "prelu_backward": lambda function, array: function(array, x.data, 0.25)[0],
    }
    for name, call in calls.items():
        function = of(implementation, name)
        assert type(call(function, x)) is np.ndarray, name
        arrays.assert_same_bits(call(function, x), call(function, x.data), name)
        message = rf"{name}\(\) takes no masked entries, and \w+ has 1: pass \w+.filled\(value\)"
        refused(TypeError, message, call, function, holed)
    backward = of(implementation, "gumbel_softmax_backward")
    refused(TypeError, r"takes no masked entries, and y has 1: pass y.filled", backward, x.data, y=holed)
    backward = of(implementation, "prelu_backward")
    refused(TypeError, r"and weight has 1: pass weight.filled", backward, x.data, x.data, holed)
    backward = of(implementation, "glu_backward")
    refused(TypeError, r"and x has 1: pass x.filled", backward, x.data[:, :1], holed)


@each_backend
@pytest.mark.parametrize("one", PASSES, ids=str)
def test_elementwise_functions_join_masks(implementation, one):
    """A result is masked where any operand is, as in numpy.ma, in a new array and in out=. A plain out= stays plain."""
    function, rng = one.of(implementation), np.random.default_rng(0)
    plain = [rng.uniform(0.1, 0.9, (4, 6)) for _ in range(one.operands)]
    expected = function(*plain)
    for holed in ((0,), (one.operands - 1,), range(one.operands)):
        given = [np.ma.array(x, mask=rng.random(x.shape) < 0.3) if i in holed else x for i, x in enumerate(plain)]
        union = np.logical_or.reduce([np.ma.getmaskarray(x) for x in given])
        results = function(*given)
        outs = arrays.apply(np.ma.array, arrays.outs(one, (4, 6), 7.0, np.float64))
        assert function(*given, out=outs) is outs or one.outputs > 1
        several = (each if one.outputs > 1 else (each,) for each in (results, outs, expected))
        for result, out, right in zip(*several, strict=True):
            for array in (result, out):
                assert isinstance(array, np.ma.MaskedArray)
                assert (np.ma.getmaskarray(array) == union).all()
                arrays.assert_same_bits(array.compressed(), right[~union], "visible entries")
        bare = arrays.outs(one, (4, 6), 7.0, np.float64)
        function(*given, out=bare)
        arrays.assert_same_bits(bare, expected, "a plain out")


def test_every_elementwise_function_is_tested():
    """Only glu is not in PASSES, and the tests above name it."""
    others = {name for name, declared in ACTIVATIONS.items() if declared.public} - {one.public[0] for one in PASSES}
    assert others == {"glu"}


@each_backend
def test_scalars(implementation):
    """A masked 0-d array is a row of one entry."""
    of = backends.load(implementation)
    assert of.softmax(np.ma.array(2.0, mask=False)) == 1
    assert of.logsumexp(np.ma.array(2.0)) == 2
    for function in (of.softmax, of.log_softmax, of.logsumexp, of.sparsemax):
        assert function(np.ma.masked) is np.ma.masked
        assert function(np.ma.array(2.0, mask=True)) is np.ma.masked
    assert of.softmax_backward(1.0, np.ma.array(2.0, mask=True)) is np.ma.masked


@each_backend
def test_wrong_masks_beside_masked_entries(implementation):
    """A wrong mask= raises the same errors for a masked array as for a plain one."""
    softmax, hidden = backends.load(implementation).softmax, np.ma.array([1.0, 2, 3], mask=[0, 1, 0])
    for wrong in (np.array([1.0, 0, 1]), "yes", [1, 0, 1]):
        with pytest.raises(TypeError, match=r"softmax\(\) argument mask must be boolean, True where an entry counts, not"):
            softmax(hidden, mask=wrong)
    with pytest.raises(ValueError, match=r"softmax\(\) needs a mask that broadcasts against x: shapes \(2,\) and \(3,\)"):
        softmax(hidden, mask=[True, False])
