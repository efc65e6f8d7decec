"""Losses of rows and their gradients agree with exact values, for every reduction, and refuse wrong input."""

import mpmath
import numpy as np
import pytest

from fastact import backends
from fastact.calls import losses

import arrays
import oracle
import row_truth
from arrays import refused
from passes import each_backend, each_dtype, each_implementation
from row_truth import assert_within

MPF = mpmath.MPContext()
MPF.dps = 60
REDUCTIONS = ("mean", "sum", "none")


def of(implementation, name):
    """A public function of an implementation."""
    return getattr(backends.load(implementation), name)


def batch(dtype, shape, spread=3.0, seed=0):
    """Random logits with the classes along the last axis, and a target index for each row."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, spread, shape).astype(dtype), rng.integers(0, shape[-1], shape[:-1])


def exact(logits, target, smoothing=0.0):
    """The exact losses and gradients from mpmath, each in the two parts of `oracle.split`."""
    n = logits.shape[-1]
    parts = [np.zeros(logits.shape[:-1]), np.zeros(logits.shape[:-1]), np.zeros(logits.shape), np.zeros(logits.shape)]
    for row in np.ndindex(logits.shape[:-1]):
        exponentials = [MPF.exp(MPF.mpf(value)) for value in logits[row].tolist()]
        total = MPF.fsum(exponentials)
        t = [float(i == target[row]) for i in range(n)] if target.ndim < logits.ndim else target[row].tolist()
        t = [(1 - MPF.mpf(smoothing)) * value + MPF.mpf(smoothing) / n for value in t]
        loss = -MPF.fsum(value * MPF.log(e / total) for value, e in zip(t, exponentials, strict=True))
        slope = [MPF.fsum(t) * e / total - value for value, e in zip(t, exponentials, strict=True)]
        (parts[0][row],), (parts[1][row],) = oracle.split([loss], logits.dtype.type)
        parts[2][row], parts[3][row] = oracle.split(slope, logits.dtype.type)
    return parts


def plain(logits, target, smoothing=0.0):
    """The losses and gradients by the textbook formulas in float64, with the classes along the last axis."""
    n = logits.shape[-1]
    t = np.eye(n)[target] if target.ndim < logits.ndim else target.astype(np.float64)
    return row_truth.cross_entropy(logits, (1 - smoothing) * t + smoothing / n)


@each_implementation
@each_dtype
@pytest.mark.parametrize("n", [2, 10, 33, 130])
@pytest.mark.parametrize("gap", [0, 5, 20, 50])
def test_cross_entropy_keeps_its_digits(implementation, dtype, n, gap):
    """Loss and gradient keep their digits where the target has nearly all probability.

    There the loss is log1p of a small sum, and the gradient p - 1 would cancel.
    """
    x, target = batch(dtype, (4, n), 1)
    x[np.arange(4), target] += gap
    loss, loss_rest, slope, slope_rest = exact(x, target)
    assert_within(4, of(implementation, "cross_entropy")(x, target, reduction="none"), loss, loss_rest, "loss")
    got = of(implementation, "cross_entropy_backward")(1.0, x, target, reduction="sum")
    assert_within(8, got, slope, slope_rest, "gradient")
    both = of(implementation, "cross_entropy_and_grad")(x, target, reduction="none")
    assert_within(4, both[0], loss, loss_rest, "loss of both")
    assert_within(8, both[1], slope, slope_rest, "gradient of both")


@each_implementation
@each_dtype
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("distribution", [False, True])
def test_reductions_and_smoothing(implementation, dtype, smoothing, distribution):
    """Reductions and smoothing agree with the textbook formulas, for indices and distributions.

    They do so along any axis, from any layout, new and in place.
    """
    functions = [of(implementation, "cross_entropy" + end) for end in ("", "_backward", "_and_grad")]
    for shape in ((7,), (5, 9), (2, 3, 4, 5)):
        x, target = batch(dtype, shape)
        if distribution:
            target = np.random.default_rng(3).random(shape).astype(dtype)
        each, slope = plain(x, target, smoothing)
        row_truth.assert_every_reduction(functions, x, target, (each, slope, each.size), label_smoothing=smoothing)


@each_implementation
@each_dtype
def test_ignored_rows_count_nothing(implementation, dtype):
    """Rows with ignore_index count nothing, whatever they hold. The mean is that of the others, and NaN if there are none."""
    loss, backward, both = (of(implementation, "cross_entropy" + end) for end in ("", "_backward", "_and_grad"))
    x, target = batch(dtype, (12, 8))
    for ignored in (-100, 3, 255, -1):
        t = target.copy()
        t[t == ignored] = 0
        keep = np.arange(12) % 3 != 0
        t[~keep] = ignored
        poisoned = x.copy()
        poisoned[~keep] = np.nan
        losses_of_rows, slope = plain(x[keep], t[keep])
        options = {"ignore_index": ignored}
        np.testing.assert_allclose(loss(poisoned, t, **options), losses_of_rows.mean(), rtol=1e-5)
        np.testing.assert_allclose(loss(poisoned, t, -1, ignored, 0.0, "sum"), losses_of_rows.sum(), rtol=1e-5)
        each = loss(poisoned, t, reduction="none", **options)
        assert (each[~keep] == 0).all()
        for got in (backward(1.0, poisoned, t, **options), both(poisoned, t, **options)[1]):
            assert (got[~keep] == 0).all()
            np.testing.assert_allclose(got[keep], slope / keep.sum(), rtol=0, atol=20 * np.finfo(dtype).eps)
        none = np.full(12, ignored)
        with np.errstate(all="raise"):
            assert np.isnan(loss(x, none, **options))
            assert loss(x, none, reduction="sum", **options) == 0
            assert (backward(1.0, x, none, **options) == 0).all()
    for code in ("i1", "u1", "i4", "u8"):
        assert loss(x, target.astype(code)) == loss(x, target)


@each_implementation
@each_dtype
def test_more_rows_than_a_block(implementation, dtype):
    """The sum over several blocks of rows is as exact as in float64, along the last axis and the first."""
    loss, both = of(implementation, "cross_entropy"), of(implementation, "cross_entropy_and_grad")
    x, target = batch(dtype, (3, losses.BLOCK + 5, 3))
    target[1, -1] = -100
    each, slope = plain(x, np.maximum(target, 0))
    each[1, -1] = slope[1, -1] = 0
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(loss(x, target), each.sum() / (each.size - 1), rtol=tolerance)
    np.testing.assert_allclose(loss(x, target, reduction="none"), each, rtol=0, atol=tolerance * 20)
    got, grad = both(np.ascontiguousarray(np.moveaxis(x, -1, 0)), target, 0)
    np.testing.assert_allclose(got, each.sum() / (each.size - 1), rtol=tolerance)
    np.testing.assert_allclose(np.moveaxis(grad, 0, -1), slope / (each.size - 1), rtol=0, atol=tolerance / each.size)


@each_implementation
def test_infinite_logits_and_empty_batches(implementation):
    """A target of probability 0 costs infinity, and a class of target 0 nothing. The mean over no rows is NaN, not a warning."""
    loss, backward = of(implementation, "cross_entropy"), of(implementation, "cross_entropy_backward")
    x = np.array([[0.0, -np.inf, 0.0], [-np.inf, 1.0, -np.inf], [np.nan, 0, 0], [np.inf, 0, 0], [-np.inf] * 3])
    with np.errstate(all="raise"):
        got = loss(x, np.array([0, 1, 1, 1, 1]), reduction="none")
        np.testing.assert_allclose(got[:2], [np.log(2), 0])
        assert np.isnan(got[2:]).all()
        assert loss(x[:1], np.array([1])) == np.inf
        one_hot = np.eye(3)[[0, 1, 1, 1, 1]]
        np.testing.assert_array_equal(loss(x, one_hot, reduction="none")[:2], got[:2])
        assert np.isnan(backward(np.ones(5), x, np.array([0, 1, 1, 1, 1]), reduction="none")[2:]).all()
        assert np.isnan(loss(np.empty((0, 3)), np.empty(0, int)))
        assert loss(np.empty((0, 3)), np.empty(0, int), reduction="sum") == 0
        assert backward(1.0, np.empty((0, 3)), np.empty(0, int)).shape == (0, 3)
        assert loss(np.array([1.0, 1.0]), np.array(0)) == np.log(2)
    huge = np.array([[1e30, -1e30], [1e308, 1e308]])
    with np.errstate(all="raise"):
        np.testing.assert_allclose(loss(huge, np.array([1, 0]), reduction="none"), [2e30, np.log(2)])


@each_backend
def test_cross_entropy_takes_other_kinds_of_arrays(implementation):
    """cross_entropy takes lists, integers, mixed dtypes, out= of each kind, overlapping memory and subclasses."""
    loss, backward, both = (of(implementation, "cross_entropy" + end) for end in ("", "_backward", "_and_grad"))
    x, target = batch(np.float32, (6, 5))
    assert loss(x.tolist(), target.tolist()).dtype == np.float64
    assert loss(np.arange(10).reshape(2, 5), [0, 1]).dtype == np.float64
    assert loss(x.astype(np.float16), target).dtype == np.float16
    assert loss(x, np.eye(5)[target]).dtype == np.float32
    out = np.empty((), np.float32)
    assert loss(x, target, out=out) is out
    assert out == loss(x, target)
    place, grad = np.empty((), np.float64), np.empty((6, 5))
    one, two = both(x, target, out=(place, grad))
    assert one is place
    assert two is grad
    np.testing.assert_allclose(two, backward(1.0, x, target), rtol=1e-6)
    memory = np.concatenate([x, x])
    expected = backward(1.0, memory[:6], target)
    backward(1.0, memory[:6], target, out=memory[1:7])
    arrays.assert_same_bits(memory[1:7], expected, "overlapping out")
    assert type(backward(1.0, x.view(arrays.Labelled), target)) is arrays.Labelled
    probabilities = np.eye(5, dtype=np.float32)[target]
    expected = backward(1.0, x, probabilities)
    arrays.assert_same_bits(backward(1.0, x, probabilities, out=probabilities), expected, "in place of the target")


def check_labels_are_refused(function, first, x, out):
    """Fail unless integer or boolean labels of the shape of logits are refused that are not one-hot."""
    right = np.arange(5) == np.arange(12).reshape(4, 3, 1) % 5
    for dtype in (bool, np.uint8, int):
        for row in ([0, 0, 0, 0, 0], [1, 0, 0, 1, 0]):
            labels = right.astype(dtype)
            labels[2, 1] = row
            message = r"needs labels of the shape of logits that are 0 but for one 1 a row, got \[.*\] at \(2, 1\)"
            refused(ValueError, message, function, *first, x, labels, **out)
    labels[2, 1] = [0, 0, 2, -1, 0]
    refused(ValueError, r"got \[ 0,  0,  2, -1,  0\] at \(2, 1\)", function, *first, x, labels, **out)
    one_class = right[..., :1].astype(int)
    refused(ValueError, "for one logit a row there is binary_cross_entropy_with_logits", function, *first, x[..., :1], one_class)


@each_backend
def test_wrong_arguments_are_refused(implementation):
    """The error names the wrong argument and says what would be right. Nothing is written before it."""
    x, target = batch(np.float32, (4, 3, 5))
    for end in ("", "_backward", "_and_grad"):
        function, name = of(implementation, "cross_entropy" + end), "cross_entropy" + end
        first = [1.0] if end == "_backward" else []
        out = {"out": x.copy() if end else np.ones((), np.float32)}
        for wrong, place in ((5, (2, 1)), (-1, (0, 0)), (-101, (3, 2))):
            t = target.copy()
            t[place] = wrong
            message = rf"{name}\(\) needs target indices in 0..4 or ignore_index=-100, got {wrong} at \({place[0]}, {place[1]}\)"
            refused(IndexError, message, function, *first, x, t, **out)
            t = t.astype(np.int8).T.copy().T
            refused(IndexError, message, function, *first, x, t, **out)
        refused(IndexError, "got 7 at 1", function, *first, x[0], np.array([0, 7, 0]))
        refused(IndexError, r"got 18446744073709551615 at \(0, 0\)", function, *first, x, np.full((4, 3), 2**64 - 1, np.uint64))
        message = r"argument target must have integer indices of shape \(4, 3\), which is .*, got int64 of shape \(4, 2\)"
        refused(ValueError, message, function, *first, x, target[:, :2], **out)
        for wrong in (target.astype(float), target > 0):
            message = rf"argument target must have integer indices .*, got {wrong.dtype} of shape \(4, 3\)"
            refused(TypeError, message, function, *first, x, wrong, **out)
        refused(ValueError, r": pass np.asarray\(target\).reshape\(\(4, 3\)\)", function, *first, x, target[..., None], **out)
        refused(ValueError, r": pass np.asarray\(target\).ravel\(\)", function, *first, x[0], target[0][:, None])
        check_labels_are_refused(function, first, x, out)
        refused(TypeError, "real numbers, .* not dtype complex128", function, *first, x.astype(complex), target, **out)
        message = "argument reduction must be 'mean' or 'sum' or 'none', got 'max'"
        refused(ValueError, message, function, *first, x, target, reduction="max")
        refused(TypeError, "argument reduction must be", function, *first, x, target, reduction=None)
        for wrong in (-0.1, 1.5):
            refused(ValueError, "needs 0 <= label_smoothing <= 1", function, *first, x, target, label_smoothing=wrong, **out)
        refused(ValueError, "label_smoothing must be finite", function, *first, x, target, label_smoothing=np.nan, **out)
        refused(TypeError, "label_smoothing must be a real number", function, *first, x, target, label_smoothing="0", **out)
        refused(TypeError, "argument ignore_index must be an integer", function, *first, x, target, ignore_index=1.0, **out)
        refused(TypeError, "argument axis must be an integer, not", function, *first, x, target, axis=(0, 1), **out)
        refused(np.exceptions.AxisError, "axis 3 is out of bounds", function, *first, x, target, axis=3, **out)
        refused(ValueError, "of at least one dimension", function, *first, 1.0, 0)
        refused(TypeError, "unexpected keyword argument 'slant'", function, *first, x, target, slant=1, **out)
        refused(TypeError, rf"{name}\(\) is missing target", function, *first, x)
        refused(TypeError, "takes logits by position only", function, *first, logits=x, target=target)
        refused(ValueError, "non-broadcastable output", function, *first, x, target, out=np.ones((4, 3), np.float32))
        refused(TypeError, "Cannot cast", function, *first, x, target, out=np.ones(x.shape if end else (), int))
    backward = of(implementation, "cross_entropy_backward")
    refused(ValueError, r"with reduction='mean' needs a scalar grad, got shape \(4, 3\)", backward, np.ones((4, 3)), x, target)
    refused(ValueError, r"needs grad of the loss's shape \(4, 3\)", backward, np.ones((4, 2)), x, target, reduction="none")
    refused(TypeError, "not dtype complex128 for grad", backward, 1j, x, target)


@each_implementation
@each_dtype
@pytest.mark.parametrize("pos_weight", [None, 2.5, 0.25])
def test_binary_cross_entropy_keeps_its_digits(implementation, dtype, pos_weight):
    """Each loss is within 2 ULP and each gradient within 4, also for large logits, for labels of 0, 1 and between."""
    loss = of(implementation, "binary_cross_entropy_with_logits")
    backward = of(implementation, "binary_cross_entropy_with_logits_backward")
    x = np.concatenate([np.linspace(-30, 30, 41), [-80, 80, -1e-20, 1e-20, 0.0, -100, 700, 5000]]).astype(dtype)
    weight = MPF.mpf(float(dtype(1 if pos_weight is None else pos_weight)))
    for t in (0.0, 1.0, 0.25):
        target = np.full_like(x, t)
        losses_of, slopes = [], []
        for value in map(MPF.mpf, x.tolist()):
            losses_of.append(weight * t * MPF.log1p(MPF.exp(-value)) + (1 - t) * MPF.log1p(MPF.exp(value)))
            slopes.append((1 - t) / (1 + MPF.exp(-value)) - weight * t / (1 + MPF.exp(value)))
        got = loss(x, target, pos_weight, "none")
        with np.errstate(all="raise"):
            slope = backward(np.ones_like(x), x, target, pos_weight, "none")
        assert_within(2, got, *oracle.split(losses_of, dtype), f"loss, target {t}")
        high, rest = oracle.split(slopes, dtype)
        near = np.abs(high) > (0.02 if t == 0.25 else 0)  # for a target of 0.25 the gradient has a zero, near which it cancels
        assert_within(4, np.where(near, slope, 0), np.where(near, high, 0), np.where(near, rest, 0), f"gradient, target {t}")
        np.testing.assert_allclose(loss(x, target, pos_weight), float(MPF.fsum(losses_of) / len(x)), rtol=1e-6)
        np.testing.assert_allclose(loss(x, target, pos_weight, "sum"), float(MPF.fsum(losses_of)), rtol=1e-6)
        np.testing.assert_allclose(backward(3.0, x, target, pos_weight), slope * 3 / len(x), rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(backward(3.0, x, target, pos_weight, "sum"), slope * 3, rtol=1e-6, atol=1e-40)
        inplace = x.copy()
        assert backward(1.0, inplace, target, pos_weight, out=inplace) is inplace
        np.testing.assert_array_equal(inplace, backward(1.0, x, target, pos_weight))


@each_backend
def test_binary_cross_entropy_of_other_arrays(implementation):
    """The binary loss is right for infinite logits, class weights, many elements, strides, broadcast and empty arrays."""
    loss = of(implementation, "binary_cross_entropy_with_logits")
    backward = of(implementation, "binary_cross_entropy_with_logits_backward")
    x, t = np.array([np.inf, -np.inf, np.inf, np.nan, 0.0]), np.array([1.0, 0.0, 0.0, 1.0, np.nan])
    with np.errstate(all="raise"):
        assert str(loss(x, t, reduction="none").tolist()) == "[0.0, 0.0, inf, nan, nan]"
        assert str(backward(np.ones(5), x, t, reduction="none").tolist()) == "[0.0, 0.0, 1.0, nan, nan]"
        assert np.isnan(loss(np.empty((0, 3)), np.empty((0, 3))))
        assert loss(np.empty((0, 3)), np.empty((0, 3)), reduction="sum") == 0
    rng = np.random.default_rng(0)
    x, t = rng.normal(0, 3, (3, 5000, 2)).astype(np.float32), (rng.random((5000, 2)) < 0.5).astype(np.float32)
    weight = np.array([0.5, 3.0], np.float32)
    wide = x.astype(np.float64)
    each = weight * t * np.logaddexp(0, -wide) + (1 - t) * np.logaddexp(0, wide)
    for given in (x, np.asfortranarray(x)):
        np.testing.assert_allclose(loss(given, t, weight, "none"), each, rtol=1e-5)
        np.testing.assert_allclose(loss(given, t, weight), each.mean(), rtol=1e-6)
    out = np.empty((), np.float32)
    assert loss(x, t, weight, out=out) is out
    assert loss(x, t.astype(int)).dtype == np.float32
    refused(ValueError, "that broadcast to the shape of logits", loss, x[0], np.ones((3, 5000, 2)))
    refused(ValueError, "could not be broadcast", loss, x, np.ones(3))
    refused(TypeError, "argument pos_weight must be a real number", loss, x, t, "2")
    refused(ValueError, "needs a scalar grad", backward, np.ones(3), x, t)
    refused(ValueError, "non-broadcastable output", backward, 1.0, x, t, out=np.ones(3, np.float32))
