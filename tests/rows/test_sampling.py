"""gumbel_softmax draws reproducibly from the right distribution, has softmax's gradient, and writes nothing on an error."""

import numpy as np
import pytest

from fastact import backends
from fastact.calls import sampling

import arrays
from arrays import assert_same_bits, refused
from passes import each_backend, each_dtype, each_implementation


def of(implementation, name="gumbel_softmax"):
    """A public function of an implementation."""
    return getattr(backends.load(implementation), name)


def noise(shape, seed):
    """The noise that gumbel_softmax adds to x for this seed."""
    return -np.log(np.random.default_rng(seed).standard_exponential(shape))


@each_implementation
@each_dtype
def test_a_draw_is_the_softmax_of_x_and_noise(implementation, dtype):
    """A draw is the softmax of (x + noise) / tau, and a seed gives the same draw along any axis, from any layout, in place."""
    function = of(implementation)
    for shape in ((5,), (7, 10), (3, sampling.DRAWN // 8, 20), (2, sampling.DRAWN + 3)):
        x = np.random.default_rng(1).normal(0, 2, shape).astype(dtype)
        noisy = x + noise(shape, 5) if x.size <= sampling.DRAWN else None
        for axis in (-1, 0, tuple(range(len(shape)))):
            expected = function(x, axis, tau=0.7, rng=5)
            if noisy is not None:
                e = np.exp((noisy - noisy.max(axis=axis, keepdims=True)) / 0.7)
                right = e / e.sum(axis=axis, keepdims=True)
                np.testing.assert_allclose(expected, right, rtol=1e-4 if dtype is np.float32 else 1e-12)
            np.testing.assert_allclose(expected.sum(axis=axis, dtype=np.float64), 1, rtol=1e-5)
            inplace = x.copy()
            assert function(inplace, axis, tau=0.7, rng=np.random.default_rng(5), out=inplace) is inplace
            assert_same_bits(inplace, expected, "in place")
            wide = np.full((*shape[:-1], 2 * shape[-1]), 7, dtype)[..., ::2]
            wide[...] = x
            np.testing.assert_allclose(function(wide, axis, tau=0.7, rng=5), expected, rtol=100 * np.finfo(dtype).eps)
            hard = function(x, axis, hard=True, rng=5)
            assert_same_bits(hard, of(implementation, "hardmax")(expected, axis), "hard")
        assert not np.array_equal(function(x, rng=6), function(x, rng=7))
        assert not np.array_equal(function(x), function(x))
    rng = np.random.default_rng(8)
    assert not np.array_equal(function(x, rng=rng), function(x, rng=rng))


@each_implementation
def test_hard_draws_have_the_frequencies_of_softmax(implementation):
    """Hard draws have the frequencies of the softmax, and draws with a small tau are close to hard ones."""
    x = np.log(np.array([0.05, 0.15, 0.3, 0.5]))
    hard = of(implementation)(np.broadcast_to(x, (40_000, 4)), hard=True, rng=3)
    assert (hard.sum(axis=-1) == 1).all()
    np.testing.assert_allclose(hard.mean(axis=0), np.exp(x), rtol=0, atol=0.01)
    soft = of(implementation)(np.broadcast_to(x, (40_000, 4)), tau=0.01, rng=3)
    assert np.abs(soft - hard).mean() < 0.01


@each_implementation
@each_dtype
def test_backward_is_the_gradient_of_softmax_over_tau(implementation, dtype):
    """The backward pass, which starts from the output, is the gradient of softmax divided by tau."""
    x = np.random.default_rng(1).normal(0, 2, (4, 9)).astype(dtype)
    grad = np.random.default_rng(2).normal(0, 1, (4, 9)).astype(dtype)
    backward = of(implementation, "gumbel_softmax_backward")
    for axis in (-1, 0, (0, 1)):
        y = of(implementation)(x, axis, tau=0.5, rng=0)
        expected = 2 * y * (grad - (grad * y).sum(axis=axis, keepdims=True))
        np.testing.assert_allclose(backward(grad, axis, y=y, tau=0.5), expected, rtol=0, atol=20 * np.finfo(dtype).eps)
        inplace = grad.copy()
        assert backward(inplace, axis=axis, y=y, tau=0.5, out=inplace) is inplace
    assert_same_bits(backward(grad, y=y), of(implementation, "softmax_backward")(grad, y=y), "tau of 1")


@each_backend
def test_draws_take_other_kinds_of_arrays(implementation):
    """Draws take lists, integers, subclasses, an out= of another dtype, empty arrays, NaN and infinity."""
    function = of(implementation)
    assert function([[1, 2, 3]], rng=0).dtype == np.float64
    assert function(np.array([1, 2], np.int8), rng=0).dtype == np.float32
    assert type(function(np.ones((2, 3)).view(arrays.Labelled), rng=0)) is arrays.Labelled
    out = np.empty(3, np.float32)
    assert function(np.ones(3), rng=0, out=(out,)) is out
    for shape in ((0,), (0, 3), (3, 0)):
        assert function(np.empty(shape)).shape == shape
    x = np.array([[np.nan, 1], [np.inf, 1], [-np.inf, -np.inf], [-np.inf, 1]])
    with np.errstate(all="raise"):
        y = function(x, rng=0)
    assert np.isnan(y).all(axis=-1).tolist() == [True, True, True, False]
    assert y[3].tolist() == [0, 1]
    memory = np.arange(12.0)
    expected = function(memory[:-1].copy(), rng=0)
    function(memory[:-1], rng=0, out=memory[1:])
    assert_same_bits(memory[1:], expected, "overlapping out")


@each_backend
def test_wrong_arguments_are_refused(implementation):
    """The error names the wrong argument, and nothing is written before it."""
    function, backward = of(implementation), of(implementation, "gumbel_softmax_backward")
    x = np.ones((2, 3), np.float32)
    for wrong in (0, -1.0, 1e-320):
        refused(ValueError, r"gumbel_softmax\(\) needs tau > 0, got tau=", function, x, tau=wrong, out=x)
        refused(ValueError, r"gumbel_softmax_backward\(\) needs tau > 0, got tau=", backward, x, y=x, tau=wrong, out=x)
    for wrong in ("1", None, 1j, np.ones(2), True):
        refused(TypeError, "argument tau must be a real number, not", function, x, tau=wrong, out=x)
    for wrong in (np.nan, np.inf, 10**400):
        refused(ValueError, "argument tau must be finite", function, x, tau=wrong, out=x)
    refused(TypeError, "argument hard must be True or False, not int 1", function, x, hard=1, out=x)
    for wrong in ("seed", 1.5, object(), -1):
        refused((TypeError), "argument rng must be a numpy.random.Generator, a seed or None", function, x, rng=wrong, out=x)
    refused(np.exceptions.AxisError, "axis 2 is out of bounds", function, x, axis=2, out=x)
    refused(TypeError, "argument axis must be an integer, a tuple of them or None", function, x, axis="last", out=x)
    refused(ValueError, "of at least one dimension", function, 1.0)
    refused(ValueError, "non-broadcastable output operand", function, x, out=np.ones(3, np.float32))
    refused(TypeError, "unexpected keyword argument 'slant'", function, x, slant=1, out=x)
    refused(TypeError, "has no where=", function, x, where=x > 0, out=x)
    refused(TypeError, "takes real numbers, at most float64, not dtype complex128", function, x.astype(complex), out=x)
    refused(TypeError, "starts from the output, since the noise has gone", backward, x)
    with pytest.raises(TypeError, match="takes at most"):
        backward(x, -1, x)


@each_backend
def test_a_refused_call_leaves_the_generator_as_it_was(implementation):
    """A refused call draws nothing, so that the state of the generator stays."""
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    with pytest.raises(ValueError, match="tau"):
        of(implementation)(np.ones(3), tau=-1.0, rng=rng)
    assert rng.bit_generator.state == before
