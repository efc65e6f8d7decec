"""Calls of losses on plain arrays, which the core takes at once, give what the rules of all other calls give."""

import itertools

import numpy as np
import pytest

import fastact
from fastact import backends

import arrays
from passes import each_compiled, each_dtype

REDUCTIONS = ("mean", "sum", "none")
ENDS = ("", "_backward", "_and_grad")
BINARY = "binary_cross_entropy_with_logits"


def apart(x):
    """The same numbers with a gap behind each, which the core does not take at once."""
    wide = np.zeros((*x.shape, 2), x.dtype)
    wide[..., 0] = x
    return wide[..., 0]


def assert_alike(found, expected, note):
    """Results of the same types and shapes, with the same bits. A sum may differ by roundings."""
    found, expected = (one if isinstance(one, tuple) else (one,) for one in (found, expected))
    for one, other in zip(found, expected, strict=True):
        assert type(one) is type(other), note
        if isinstance(one, np.ndarray):
            arrays.assert_same_bits(one, other, note)
        np.testing.assert_allclose(one, other, rtol=4 * np.finfo(other.dtype).eps, err_msg=note)


@each_compiled
@each_dtype
@pytest.mark.parametrize("shape", [(7,), (4, 10), (3, 5000), (5000, 3), (2, 3, 16), (1, 1)], ids=str)
def test_losses_of_elements(implementation, dtype, shape):
    """The binary loss with each reduction, pos_weight and gradient, new and with out=."""
    rng = np.random.default_rng(0)
    x, grad = (3 * rng.normal(size=shape).astype(dtype) for _ in range(2))
    x.flat[::101] *= 30  # beyond the tables
    target = rng.choice(np.array([0, 0.25, 1, 1], dtype), shape)
    weights = [None, 1, 2.5, np.float64(2), rng.uniform(0, 3, shape[-1:]).astype(dtype), rng.uniform(0, 3, shape).astype(dtype)]
    for end, reduction, weight in itertools.product(ENDS, REDUCTIONS, weights):
        function, note = getattr(backends.load(implementation), BINARY + end), f"{end} {reduction} {weight}"
        first = [] if end != "_backward" else [grad] if reduction == "none" else [1.5]
        expected = function(*first, apart(x), target, weight, reduction)
        assert_alike(function(*first, x, target, weight, reduction), expected, note)
        if end or reduction == "none":
            place = x.copy()
            found = function(*first, place, target, weight, reduction, out=place)
            assert place is (found[1] if end == "_and_grad" else found)
            assert_alike(found, expected, f"{note}, in place")


@each_compiled
@each_dtype
@pytest.mark.parametrize(("shape", "axis"), [((4, 10), -1), ((5000, 3), 1), ((2, 5, 7), 1), ((2, 3000, 2), 0)], ids=str)
def test_losses_of_rows(implementation, dtype, shape, axis):
    """Cross entropy with each reduction, smoothing and gradient."""
    rng = np.random.default_rng(0)
    x = 3 * rng.normal(size=shape).astype(dtype)
    batch = np.delete(shape, axis)
    target, grad = rng.integers(0, shape[axis], batch), rng.normal(size=batch).astype(dtype)
    for end, reduction, smoothing, ignored in itertools.product(ENDS, REDUCTIONS, (0, 0.1, 1.0), (-100, -1, 1)):
        function = getattr(backends.load(implementation), "cross_entropy" + end)
        first = [] if end != "_backward" else [grad if reduction == "none" else 1.5]
        options = {"label_smoothing": smoothing, "reduction": reduction, "axis": axis, "ignore_index": ignored}
        expected = function(*first, x, target.astype(np.int32), **options)
        assert_alike(function(*first, x, target, **options), expected, f"{end} {options}")
        if end:
            place = x.copy()
            found = function(*first, place, target, out=place, **options)
            assert place is (found[1] if end == "_and_grad" else found)
            assert_alike(found, expected, f"{end} {options}, in place")


@each_compiled
def test_wrong_arguments_of_plain_calls(implementation):
    """What the rules refuse is refused on plain arrays, with every reduction, and nothing is written."""
    functions = backends.load(implementation)
    x, target = np.zeros((4, 10), np.float32), np.ones((4, 10), np.float32)
    for end, reduction in itertools.product(ENDS, REDUCTIONS):
        function, first = getattr(functions, BINARY + end), [np.ones_like(x)] if reduction == "none" else [1.0]
        out = np.full_like(x, 7)
        keywords = {"reduction": reduction} | ({"out": out} if end or reduction == "none" else {})
        first = first if end == "_backward" else []
        for weight in (-1, np.nan, np.full(10, -1, np.float32), np.full(10, np.nan, np.float32)):
            arrays.refused(ValueError, "needs pos_weight >= 0", function, *first, x, target, weight, **keywords)
        for weight in (np.ones(3, np.float32), np.ones((2, 4, 10), np.float32)):
            arrays.refused(ValueError, "broadcast", function, *first, x, target, weight, **keywords)
        for wrong in (-0.5, 1.5, np.inf):
            for at in ((0, 0), (3, 9), (1, 7)):
                labels = target.copy()
                labels[at] = wrong
                arrays.refused(ValueError, "needs target labels between 0 and 1", function, *first, x, labels, **keywords)
        assert (out == 7).all()
        entropy, first = getattr(functions, "cross_entropy" + end), [np.ones(4)] if reduction == "none" else [1.0]
        first, keywords = first if end == "_backward" else [], {"reduction": reduction} | ({"out": out} if end else {})
        index = np.array([0, 1, 2, 3])
        message = "needs 0 <= label_smoothing <= 1"
        arrays.refused(ValueError, message, entropy, *first, x, index, label_smoothing=1.5, **keywords)
        arrays.refused(IndexError, "needs target indices in 0..9", entropy, *first, x, index + 7, **keywords)
        arrays.refused(np.exceptions.AxisError, "axis 2 is out of bounds", entropy, *first, x, index, axis=2, **keywords)
        assert (out == 7).all()


def test_labels_a_little_out_of_range():
    """Roundings may take a label out of 0 to 1 by a millionth."""
    x, target = np.zeros(100, np.float32), np.ones(100, np.float32)
    for value, right in ((1 + 9e-7, True), (-9e-7, True), (1 + 3e-6, False), (-3e-6, False), (np.nan, True)):
        for at in (0, 70, 99):
            labels = target.copy()
            labels[at] = value
            if right:
                assert fastact.binary_cross_entropy_with_logits(x, labels).shape == ()
            else:
                with pytest.raises(ValueError, match="between 0 and 1"):
                    fastact.binary_cross_entropy_with_logits(x, labels)
