"""The dtype of the data decides that of the result, not the dtype of labels or of a Python number.

Other tests here are about axis=None, scalars as rows, labels that are refused, and kinds of out=.
"""

import numpy as np
import pytest

from fastact import backends
from fastact import declare as row_table
from fastact.declare import ACTIVATIONS

import arrays
from arrays import refused
from passes import each_backend

LABEL_TYPES = (bool, np.uint8, np.int64, np.float16, np.float32, np.float64)
ROW_NAMES = tuple(row_table.ROWS)
X = np.random.default_rng(0).normal(0, 2, (3, 4, 5))
GRAD = np.random.default_rng(1).normal(0, 1, (3, 4, 5))


def row_calls(of, name, x, grad, **options):
    """The results of a function along an axis, and of its backward pass from the input and, where it can, from the output."""
    row = row_table.ROWS[name]
    yield getattr(of, name)(x, **options)
    if row.slope:
        backward = getattr(of, name + "_backward")
        yield backward(grad, x, **options)
        if row.backward_from_output:
            options.pop("sink", None)
            y = getattr(of, name)(np.asarray(x, options.get("dtype")), **options)
            yield backward(grad, y=y, **options)


@each_backend
def test_labels_never_widen(implementation):
    """Loss and gradient have the dtype of the logits, and the same values, whatever the dtype of the labels."""
    of = backends.load(implementation)
    index = np.arange(12).reshape(3, 4) % 5
    one_hot, binary = np.eye(5)[index], (X > 0.3).astype(float)
    for data in (np.float16, np.float32, np.float64):
        x, expected = X.astype(data), data
        by_index = of.cross_entropy_and_grad(x, index)
        by_distribution = of.cross_entropy_and_grad(x, one_hot.astype(x.dtype))
        for dtype in LABEL_TYPES:
            labels = one_hot.astype(dtype)
            same = by_distribution if labels.dtype.kind == "f" else by_index
            for reduction in ("mean", "sum", "none"):
                for loss in (of.cross_entropy(x, labels, reduction=reduction), *of.cross_entropy_and_grad(x, labels)):
                    assert loss.dtype == expected, (data, dtype, reduction)
            for got, right in zip(of.cross_entropy_and_grad(x, labels), same, strict=True):
                arrays.assert_same_bits(np.asarray(got), np.asarray(right), (data, dtype))
            along = of.cross_entropy_backward(1.0, x.swapaxes(0, 2), labels.swapaxes(0, 2), axis=0)
            np.testing.assert_allclose(along.swapaxes(0, 2), by_index[1], rtol=1e-5, atol=1e-8)
            labels = binary.astype(dtype)
            for got, right in (
                (of.binary_cross_entropy_with_logits(x, labels), of.binary_cross_entropy_with_logits(x, binary.astype(x.dtype))),
                (
                    of.binary_cross_entropy_with_logits_backward(1.0, x, labels),
                    of.binary_cross_entropy_with_logits_backward(1.0, x, binary.astype(x.dtype)),
                ),
            ):
                assert got.dtype == expected
                arrays.assert_same_bits(np.asarray(got), np.asarray(right), (data, dtype, "binary"))
    assert of.cross_entropy(X.astype(int), index).dtype == np.float64


@each_backend
def test_one_hot_integers_are_indices(implementation):
    """One-hot labels of integers give what the indices of their ones give, also for more rows than a block has."""
    of = backends.load(implementation)
    rng = np.random.default_rng(2)
    x, index = rng.normal(0, 2, (20000, 3)).astype(np.float32), rng.integers(0, 3, 20000)
    labels = np.arange(3) == index[:, None]
    for options in ({}, {"label_smoothing": 0.25}, {"reduction": "none"}):
        got = of.cross_entropy_and_grad(x, labels.astype(np.int8), **options)
        for one, right in zip(got, of.cross_entropy_and_grad(x, index, **options), strict=True):
            arrays.assert_same_bits(np.asarray(one), np.asarray(right), options)
    wide = labels.astype(np.float64)
    np.testing.assert_allclose(of.cross_entropy(x, wide), of.cross_entropy(x, index), rtol=1e-6)
    assert np.isnan(of.cross_entropy(np.empty((0, 3)), np.empty((0, 3), int)))


@each_backend
def test_binary_labels_are_between_0_and_1(implementation):
    """Labels outside [0, 1] by more than roundings are refused with value and position, and out= is untouched.

    A NaN label gives NaN.
    """
    of = backends.load(implementation)
    loss, backward = of.binary_cross_entropy_with_logits, of.binary_cross_entropy_with_logits_backward
    x, out = X.astype(np.float32), np.full(X.shape, 7, np.float32)
    for wrong in (-1e-5, 1.00001, 2, -np.inf, np.inf):
        labels = (x > 0).astype(np.float64)
        labels[2, 1, 3] = wrong
        labels[0, 0, 0] = np.nan
        message = rf"needs target labels between 0 and 1, got {wrong}(\.0)? at \(2, 1, 3\)"
        refused(ValueError, message, loss, x, labels)
        refused(ValueError, message, loss, x, labels, reduction="none", out=out)
        refused(ValueError, message, backward, 1.0, x, labels, out=out)
        assert (out == 7).all()
    refused(ValueError, r"got 2 at \(0, 0, 1\)", loss, x, np.arange(60).reshape(x.shape) + 1)
    for wrong in (-3, np.nan, [1.0, 1, -1, 1, 1]):
        refused(ValueError, "needs pos_weight >= 0, got pos_weight=", loss, x, x > 0, wrong)
        refused(ValueError, "needs pos_weight >= 0", backward, 1.0, x, x > 0, pos_weight=wrong, out=out)
    for weight in (2, 2.0, np.float64(2), [2.0], np.full(5, 2)):
        assert loss(x, x > 0, weight).dtype == backward(1.0, x, x > 0, weight).dtype == np.float32
    labels[2, 1, 3] = 1 + 1e-7
    each = loss(x, labels, reduction="none")
    assert np.isnan(each[0, 0, 0]) and np.isfinite(np.delete(each.ravel(), 0)).all()


@each_backend
@pytest.mark.parametrize("name", ROW_NAMES)
def test_dtype_of_rows(implementation, name):
    """dtype= gives the bits that an input of this dtype gives, with every option."""
    of, taken = backends.load(implementation), row_table.ROWS[name].by_name
    reduces = row_table.ROWS[name].reduces
    keep = X > -2
    options = {"scale": 0.5, "mask": keep, "causal": True, "sink": np.full((3, 4), 0.25)}
    for given in ({}, *({key: value} for key, value in options.items() if key in taken)):
        for dtype in (np.float16, np.float32, np.float64):
            for data in (np.float16, np.float32, np.float64, np.int64):
                x, grad = X.astype(data), (GRAD[..., 0] if reduces else GRAD).astype(data)
                cast = x.astype(dtype), grad.astype(dtype)
                expected = row_calls(of, name, *cast, **given)
                got = row_calls(of, name, x, grad, dtype=dtype, **given)
                for result, right in zip(got, expected, strict=True):
                    assert result.dtype == dtype
                    arrays.assert_same_bits(result, right, (given, dtype, data))
        refused(TypeError, "Cannot cast|same_kind|casting", getattr(of, name), X, dtype=np.float32, casting="safe", **given)
        refused(TypeError, "float32 or float64|signature", getattr(of, name), X, dtype=np.complex64, **given)
    if "tau" not in taken and name == "softmax":
        y = of.gumbel_softmax(X, rng=0, dtype=np.float32)
        assert y.dtype == of.gumbel_softmax_backward(GRAD, y=y, tau=0.5, dtype=np.float32).dtype == np.float32


@each_backend
@pytest.mark.parametrize("name", ROW_NAMES)
def test_rows_over_all_axes(implementation, name):
    """axis=None makes one row of all entries, for new arrays, in place, and for arrays that are not contiguous."""
    of, reduces = backends.load(implementation), row_table.ROWS[name].reduces
    for dtype in (np.float32, np.float64):
        for x, grad in ((X, GRAD), (X.T, GRAD.T), (X[::2, 1:], GRAD[::2, 1:]), (X[0, 0], GRAD[0, 0])):
            x, grad = x.astype(dtype), grad.astype(dtype)  # astype keeps the order of the axes in memory
            flat_grad = dtype(0.5) if reduces else grad.ravel()
            expected = row_calls(of, name, x.ravel(), flat_grad)
            for got, right in zip(row_calls(of, name, x, dtype(0.5) if reduces else grad, axis=None), expected, strict=True):
                np.testing.assert_allclose(np.ravel(got), np.ravel(right), rtol=4 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)
                if x.flags.c_contiguous:  # in other layouts the sums follow the order of memory
                    arrays.assert_same_bits(np.ravel(got), np.ravel(right), (dtype, x.shape))
        if not reduces:
            x = X.astype(dtype)
            got = getattr(of, name)(x, axis=None, out=x)
            assert got is x
            arrays.assert_same_bits(x.ravel(), getattr(of, name)(X.astype(dtype).ravel()), "in place")


@each_backend
@pytest.mark.parametrize("name", ROW_NAMES)
def test_scalars_are_rows_of_one_entry(implementation, name):
    """A number or a 0-d array is a row of one entry, for axis -1, 0, None and ()."""
    of, reduces = backends.load(implementation), row_table.ROWS[name].reduces
    for x in (2.5, np.float32(2.5), np.array(2.5), np.array(2.5, np.float32), 3, np.inf, -np.inf, np.nan):
        for axis in (-1, 0, None, ()):
            row, one = np.asarray(x)[None], 0.5 if reduces else np.full(1, 0.5)
            for got, right in zip(row_calls(of, name, x, 0.5, axis=axis), row_calls(of, name, row, one), strict=True):
                assert np.shape(got) == () and not isinstance(got, np.ndarray), got
                arrays.assert_same_bits(np.asarray(got), np.asarray(right).reshape(()), (x, axis))
                assert got.dtype == right.dtype
    out = np.empty((), np.float32)
    assert getattr(of, name)(2.5, out=out) is out
    assert out == getattr(of, name)(np.array([2.5])).item()
    refused(TypeError, "Cannot cast|same_kind", getattr(of, name), 2.5, out=np.empty((), int))
    if name == "softmax":
        assert of.softmax(2.0) == 1 and of.log_softmax(2.0) == 0
        assert of.softmax(2.0, mask=False) == 0
        refused(TypeError, "not dtype object of NoneType for x", of.softmax, None)


@each_backend
def test_numpy_scalars_as_parameters(implementation):
    """A NumPy scalar promotes as in NumPy: np.float32 keeps float32 results, np.float64 and np.int64 make them float64."""
    of = backends.load(implementation)
    for dtype in (np.float32, np.float64):
        x = X.astype(dtype)
        for value in (np.float32(0.25), np.float16(0.25), np.int8(2), np.float64(0.3), np.int64(2), np.array(0.25, np.float32)):
            got, like = of.leaky_relu(x, value), x + value
            assert got.dtype == like.dtype
            arrays.assert_same_bits(got, of.leaky_relu(x.astype(like.dtype), float(value)), (dtype, value))
            assert of.elu_backward(x, x, alpha=value).dtype == like.dtype
        out = np.empty_like(x)
        assert of.leaky_relu(x, np.float32(0.1), out=out) is out
        arrays.assert_same_bits(out, of.leaky_relu(x, float(np.float32(0.1))), dtype)
    refused(ValueError, "needs beta != 0", of.softplus, x, np.float32(0))


@each_backend
def test_losses_refuse_masked_entries(implementation):
    """The message says what to pass instead. A masked array without masked entries counts as an array."""
    of = backends.load(implementation)
    x, index, labels = X[0], np.arange(4), (X[0] > 0).astype(float)
    hidden, indices = np.ma.array(x, mask=x > 1), np.ma.array(index, mask=index > 2)
    for name, target, masked_target, instead in (
        ("cross_entropy", index, indices, r"ignore_index in their place, target.filled\(-100\)"),
        ("binary_cross_entropy_with_logits", labels, np.ma.array(labels, mask=labels > 0), r"target.filled\(value\)"),
    ):
        for end, grad in (("", ()), ("_backward", (1.0,))):
            function, out = getattr(of, name + end), np.full(x.shape if end else (), 7.0)
            message = r"takes no masked entries, and logits has \d+: pass logits.filled\(value\)"
            refused(TypeError, message, function, *grad, hidden, target)
            refused(TypeError, f"and target has \\d+: pass {instead}", function, *grad, x, masked_target, out=out)
            shown = function(*grad, np.ma.array(x), np.ma.array(target))
            arrays.assert_same_bits(np.asarray(shown), np.asarray(function(*grad, x, target)), name)
    filled = indices.filled(-100)
    assert of.cross_entropy(x, filled) == of.cross_entropy(x[:3], index[:3])


@each_backend
@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int16, np.float16, np.float32, np.int32, np.float64])
def test_parameters_do_not_widen(implementation, dtype):
    """Data that float32 holds give float32 results from every function, with numbers or defaults as parameters; float16 stays."""
    of = backends.load(implementation)
    expected = np.float16 if dtype is np.float16 else np.float32 if np.can_cast(dtype, np.float32) else np.float64
    x = np.array([[0, 1, 1, 0], [1, 1, 0, 1]]).astype(dtype)
    for name, declared in ACTIVATIONS.items():
        if not declared.public:
            continue
        data = [x] * len(declared.operands) if not declared.halves else [x]
        required = [declared.values[parameter] for parameter in declared.usual]
        given = [declared.values[parameter] for parameter in declared.parameters if declared.values[parameter] is not None]
        grad = x[:, :2] if declared.halves else x
        for parameters in (required, [] if declared.halves else given):
            results = getattr(of, name)(*data, *parameters), getattr(of, name + "_backward")(grad, *data, *parameters)
            for result in (results[0], *(results[1] if isinstance(results[1], tuple) else results[1:])):
                assert result.dtype == expected, (name, parameters)
    assert of.binary_cross_entropy_with_logits(x, x > 0).dtype == of.logsumexp_backward(1.0, x).dtype == expected
    with np.errstate(all="raise"):
        assert np.isfinite(of.softplus(x, 1e-30)).all() == (dtype is not np.float16)  # which does not hold 1e30


@each_backend
def test_ellipsis_and_masked_arrays_as_out(implementation):
    """out=... asks for a new array, as in NumPy from 2.3 on. A masked out= is refused where its mask could hide a result."""
    of, x, index = backends.load(implementation), X[0], np.arange(4)
    of_ufuncs = (lambda **out: of.leaky_relu(x, 0.1, **out),) if np.lib.NumpyVersion(np.__version__) >= "2.3.0" else ()
    for call in (
        lambda **out: of.softmax(x, **out),
        lambda **out: of.softmax(x, axis=None, **out),
        lambda **out: of.logsumexp(x, keepdims=True, **out),
        lambda **out: of.softmax_backward(x, y=x, scale=0.5, **out),
        lambda **out: of.softmax(np.ma.array(x, mask=x > 1), **out).filled(0),
        lambda **out: of.gumbel_softmax(x, rng=0, **out),
        lambda **out: of.cross_entropy(x, index, reduction="none", **out),
        lambda **out: of.glu_backward(x[:, :2], x[:, :4], **out),
        *of_ufuncs,
    ):
        arrays.assert_same_bits(call(out=...), call(), "out=...")
    assert of.softmax(3.0, out=...) == 1
    hidden = np.ma.array(np.full(x.shape, 7.0), mask=x > 1)
    refused(TypeError, "needs a plain array for out=", of.cross_entropy_backward, 1.0, x, index, out=hidden)
    refused(TypeError, "needs a plain array for out=", of.cross_entropy_and_grad, x, index, out=(None, hidden))
    refused(TypeError, "needs a plain array for out=", of.cross_entropy, x, index, reduction="none", out=np.ma.zeros(4))
    refused(TypeError, "needs a plain array for out=", of.gumbel_softmax, x, out=hidden)
    refused(TypeError, "needs a plain array for out=", of.glu_backward, x[:, :2], x[:, :4], out=hidden[:, :4])
    refused(TypeError, "needs a plain array for out=", of.prelu_backward, x, x, 0.5, out=(hidden, None))
    refused(TypeError, "argument subok must be", of.gumbel_softmax, x, subok=3, out=hidden.data)
    assert (hidden.data == 7).all()


@each_backend
def test_ignored_indices_of_any_kind(implementation):
    """ignore_index may be a number that int64 cannot hold, and all rows may be ignored where there are no classes."""
    of = backends.load(implementation)
    target = np.array([0, 1, 2, 2**63], np.uint64)
    assert of.cross_entropy(X[0], target, ignore_index=2**63) == of.cross_entropy(X[0, :3], target[:3])
    assert of.cross_entropy(np.zeros((3, 0)), [-100] * 3, reduction="none").tolist() == [0, 0, 0]
