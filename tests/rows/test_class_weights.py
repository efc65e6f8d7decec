"""cross_entropy with weights of classes agrees with exact values and with PyTorch, and refuses wrong weights."""

import concurrent.futures
import importlib.util
import itertools
import math
import multiprocessing

import mpmath
import numpy as np
import pytest

from fastact import backends
from fastact.calls import losses

import oracle
import row_truth
import torch_losses
from arrays import refused
from passes import each_backend, each_dtype, each_implementation
from row_truth import assert_within

ENDS = ("", "_backward", "_and_grad")
REDUCTIONS = ("mean", "sum", "none")
TARGETS = ("indices", "ignored", "one-hot", "distribution")


def functions_of(implementation):
    """cross_entropy, its backward pass and both at once."""
    return [getattr(backends.load(implementation), "cross_entropy" + end) for end in ENDS]


def batch(dtype, shape, target, seed=0):
    """Logits with the classes along the last axis, a target of one of the kinds of TARGETS, and weights; that of class 1 is 0."""
    rng = np.random.default_rng(seed)
    x, index = rng.normal(0, 3, shape).astype(dtype), rng.integers(0, shape[-1], shape[:-1])
    weight = rng.uniform(0.1, 3, shape[-1])
    weight[1] = 0
    made = {"one-hot": np.eye(shape[-1], dtype=int)[index], "distribution": rng.random(shape).astype(dtype)}
    if target == "ignored":
        index[rng.random(index.shape) < 0.3] = -100
    return x, made.get(target, index), weight


def plain(x, target, weight, smoothing=0.0):
    """The weighted losses, the gradients, and what the mean divides by: the textbook in float64, with the classes last."""
    n = x.shape[-1]
    counts = np.ones(x.shape[:-1])
    if target.dtype.kind == "i":
        index = target if target.ndim < x.ndim else target.argmax(axis=-1)
        index, left_out = np.maximum(index, 0), index < 0
        counts, target = np.where(left_out, 0, weight[index]), np.eye(n)[index]
        t = weight * ((1 - smoothing) * target + smoothing / n)
        t[left_out] = 0
    else:
        t = weight * ((1 - smoothing) * target + smoothing / n)
    return *row_truth.cross_entropy(x, t), counts.sum()


@each_implementation
@each_dtype
@pytest.mark.parametrize("gap", [0, 5, 20, 50])
def test_weighted_losses_keep_their_digits(implementation, dtype, gap):
    """Each loss is within 4 ULP and each gradient within 9, where the target has nearly all probability, too."""
    loss, backward, both = functions_of(implementation)
    mp = mpmath.MPContext()
    mp.dps = 60
    x, target, weight = batch(dtype, (12, 10), "indices", 1)
    x = (x / 3).astype(dtype)
    x[np.arange(12), target] += gap
    exact, slopes = [], []
    for row, index in zip(x.tolist(), target, strict=True):
        e = [mp.exp(mp.mpf(value)) for value in row]
        total, factor = mp.fsum(e), mp.mpf(weight[index])
        exact.append(factor * mp.log(total / e[index]) if factor else mp.mpf(0))
        slopes.append([factor * (value / total - (i == index)) for i, value in enumerate(e)])
    high, rest = oracle.split(exact, dtype)
    pairs = [oracle.split(row, dtype) for row in slopes]
    slope_high, slope_rest = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    assert_within(4, loss(x, target, reduction="none", weight=weight), high, rest, "loss")
    assert_within(9, backward(1.0, x, target, reduction="sum", weight=weight), slope_high, slope_rest, "gradient")
    one, two = both(x, target, reduction="none", weight=weight)
    assert_within(4, one, high, rest, "loss of both")
    assert_within(9, two, slope_high, slope_rest, "gradient of both")


@each_implementation
@each_dtype
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("kind", TARGETS)
def test_weights_with_every_reduction(implementation, dtype, smoothing, kind):
    """Weights agree with the textbook formulas for every kind of target, reduction and layout, new and in place."""
    for shape in ((7,), (5, 9), (2, 3, 4, 5)):
        if kind == "ignored" and len(shape) == 1:
            continue
        x, target, weight = batch(dtype, shape, kind)
        truth = plain(x, target, weight, smoothing)
        functions = functions_of(implementation)
        row_truth.assert_every_reduction(functions, x, target, truth, label_smoothing=smoothing, weight=weight)


@each_implementation
def test_the_weighted_mean_is_rounded_once(implementation):
    """Over several blocks of rows the mean of float32 is the exact one of the losses of rows, rounded once."""
    loss, _, both = functions_of(implementation)
    x, target, weight = batch(np.float32, (3 * losses.BLOCK + 5, 6), "ignored")
    each = loss(x, target, reduction="none", weight=None).astype(np.float64)
    factors = np.where(target < 0, 0, weight[np.maximum(target, 0)])
    right = np.float32(math.fsum(factors * each) / math.fsum(factors))
    assert loss(x, target, weight=weight) == right
    assert both(x, target, weight=weight)[0] == right
    total = np.float32(math.fsum(factors * each))
    assert loss(x, target, weight=weight, reduction="sum") == total
    np.testing.assert_array_equal(loss(x, target, weight=weight, reduction="none"), (factors * each).astype(np.float32))


@each_implementation
def test_weights_of_one_change_no_bit(implementation):
    """Weights that are all 1 give the bits of a call without."""
    for kind, function in itertools.product(TARGETS, functions_of(implementation)):
        x, target, _ = batch(np.float32, (50, 6), kind)
        first = [0.3] if "backward" in function.__name__ else []
        for reduction in ("mean", "sum"):
            got, right = (function(*first, x, target, reduction=reduction, weight=w) for w in (np.ones(6, int), None))
            for one, other in zip(got, right, strict=True) if isinstance(got, tuple) else [(got, right)]:
                np.testing.assert_array_equal(one, other)


@each_implementation
@each_dtype
def test_weights_of_zero(implementation, dtype):
    """A class of weight 0 leaves its rows out, whatever they hold. The mean over no weight is NaN, its gradient 0."""
    loss, backward, both = functions_of(implementation)
    x = np.array([[0, 1, 2], [3, -np.inf, 0], [np.nan, 0, 0], [1, 0, 1]], dtype)
    target, weight = np.array([0, 1, 1, 2]), np.array([1.0, 0.0, 3.0])
    with np.errstate(all="raise"):
        each, slope, _ = plain(x[::3], target[::3], weight)
        np.testing.assert_allclose(loss(x, target, weight=weight), each.sum() / 4, rtol=1e-6)
        np.testing.assert_allclose(loss(x, target, weight=weight, reduction="none")[::3], each, rtol=1e-6)
        for got in (backward(1.0, x, target, weight=weight), both(x, target, weight=weight)[1]):
            assert (got[1:3] == 0).all()
            np.testing.assert_allclose(got[::3], slope / 4, rtol=1e-6)
        x[2] = 0
        for nothing, smoothing in ((np.zeros(3), 0.0), (np.array([0.0, 0.0, 5.0]), 0.1)):
            options = {"weight": nothing, "label_smoothing": smoothing}
            assert np.isnan(loss(x[:1], target[:1], **options))
            assert (backward(1.0, x[:1], target[:1], **options) == 0).all()
        assert np.isnan(loss(np.empty((0, 3), dtype), np.empty(0, int), weight=weight))
        assert loss(np.empty((0, 3), dtype), np.empty(0, int), weight=weight, reduction="sum") == 0
        assert loss(np.empty((2, 0), dtype), np.empty((2, 0), dtype), weight=[]) == loss(
            np.empty((2, 0), dtype), np.empty((2, 0), dtype)
        )
        assert np.isnan(loss(np.empty((2, 0), dtype), [-100, -100], label_smoothing=0.5, weight=[]))
        huge = np.array([1e308, 1e308, 1e308])
        assert loss(np.array([[0, 5e3, 0]], dtype), np.array([0]), weight=huge, reduction="none") == np.inf


@each_implementation
def test_smoothed_rows_that_do_not_count(implementation):
    """With smoothing and weights, too, an ignored row may hold anything."""
    loss, backward, both = functions_of(implementation)
    x, target, weight = batch(np.float64, (40, 7), "ignored")
    keep = target >= 0
    x[~keep] = np.nan
    options = {"weight": weight, "label_smoothing": 0.2}
    assert loss(x, target, **options) == pytest.approx(loss(x[keep], target[keep], **options), rel=1e-14)
    assert (loss(x, target, reduction="none", **options)[~keep] == 0).all()
    for got in (backward(1.0, x, target, **options), both(x, target, **options)[1]):
        assert (got[~keep] == 0).all()
        np.testing.assert_allclose(got[keep], backward(1.0, x[keep], target[keep], **options), rtol=1e-13, atol=1e-17)


@each_backend
@each_dtype
def test_weights_are_those_of_pytorch(implementation, dtype):
    """Loss and gradient are those of torch.nn.functional.cross_entropy, with every reduction, smoothing and kind of target."""
    if not importlib.util.find_spec("torch"):
        pytest.skip("torch is not installed")
    cases = []
    shapes, kinds = [(9, 4), (2, 6, 3, 5)], ("indices", "ignored", "distribution")
    for shape, kind, smoothing, reduction in itertools.product(shapes, kinds, (0.0, 0.1, 1.0), REDUCTIONS):
        x, target, weight = batch(dtype, (shape[0], *shape[2:], shape[1]), kind)
        target = np.moveaxis(target, -1, 1).copy() if kind == "distribution" else target
        grad = np.random.default_rng(5).normal(size=target.shape[:1] + shape[2:] if reduction == "none" else ()).astype(dtype)
        keywords = {"label_smoothing": smoothing, "reduction": reduction, "weight": weight.astype(dtype)}
        cases.append((np.moveaxis(x, -1, 1).copy(), target, grad, keywords))
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        expected = pool.submit(torch_losses.cross_entropies, cases).result()
    loss, backward, _ = functions_of(implementation)
    tolerance = 100 * np.finfo(dtype).eps
    for (x, target, grad, keywords), (right, slope) in zip(cases, expected, strict=True):
        np.testing.assert_allclose(loss(x, target, axis=1, **keywords), right, rtol=tolerance, atol=tolerance)
        got = backward(grad, x, target, axis=1, **keywords)
        np.testing.assert_allclose(got, slope, rtol=0, atol=tolerance * np.abs(slope).max())


@each_backend
def test_kinds_of_weights(implementation):
    """Weights may be a list, integers, booleans or of another dtype, and change no dtype. Labels have to be those of classes."""
    loss, backward, _ = functions_of(implementation)
    x, target, _ = batch(np.float32, (6, 4), "indices")
    right = loss(x, target, weight=np.array([1.0, 0.0, 1.0, 2.0]))
    for weight in ([1, 0, 1, 2], np.array([1, 0, 1, 2], np.uint8), np.array([1, 0, 1, 2], np.float16)):
        assert loss(x, target, weight=weight) == right
        assert loss(x, target, weight=weight).dtype == np.float32
    assert loss(x, target, weight=np.array([True, False, True, True])) == loss(x, target, weight=[1, 0, 1, 1])
    pd = pytest.importorskip("pandas")
    table, series = pd.DataFrame(x, columns=list("abcd")), pd.Series([1, 0, 1, 2], index=list("abcd"))
    np.testing.assert_allclose(loss(table, target, weight=series), right, rtol=1e-6)
    slope = backward(1.0, x, target, weight=[1, 0, 1, 2])
    np.testing.assert_allclose(backward(1.0, table, target, weight=series), slope, rtol=1e-6)
    refused(ValueError, "the same labels, and those of weight differ", loss, table, target, weight=series[::-1])


@each_backend
def test_wrong_weights_are_refused(implementation):
    """The error names the argument, the value and what would be right. Nothing is written before it."""
    x, target, _ = batch(np.float32, (6, 4), "indices")
    for function in functions_of(implementation):
        name = function.__name__
        first = [1.0] if name.endswith("_backward") else []
        out = {"out": np.ones((), np.float32) if name == "cross_entropy" else x.copy()}
        for shape in ((3,), (5,), (1, 4), (), (6,)):
            message = (
                rf"{name}\(\) needs weight of shape \(4,\), a number for each class, got shape \({', '.join(map(str, shape))}"
            )
            refused(ValueError, message, function, *first, x, target, weight=np.ones(shape), **out)
        for wrong in (-0.5, np.nan, np.inf):
            message = rf"{name}\(\) needs weights that are finite and >= 0, got {wrong} at 2"
            refused(ValueError, message, function, *first, x, target, weight=[1, 1, wrong, -1], **out)
        for wrong in (np.ones(4, complex), np.array(list("abcd")), np.ones(4, object)):
            message = rf"{name}\(\) takes real numbers, at most float64, not dtype .* for weight"
            refused(TypeError, message, function, *first, x, target, weight=wrong, **out)
        refused(
            TypeError,
            "weight has 1: pass weight.filled",
            function,
            *first,
            x,
            target,
            weight=np.ma.array([1] * 4, mask=[1, 0, 0, 0]),
        )
        refused(TypeError, "takes at most", function, *first, x, target, -1, -100, 0.0, "mean", np.ones(4))
    for name in ("binary_cross_entropy_with_logits", "squared_error_and_grad"):
        refused(TypeError, "unexpected keyword argument 'weight'", getattr(backends.load(implementation), name), x, x, weight=1.0)
