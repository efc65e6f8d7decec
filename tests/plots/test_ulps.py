"""The picture of errors has inputs of every size, measures errors in ULP rightly, and our errors keep the promise in it."""

import numpy as np
import pytest

import fastact
from fastact.declare import ACTIVATIONS
from fastact.plots import curves, ulps


def test_inputs_are_of_every_exponent():
    """The inputs have every exponent, are in order and symmetric, and so are their places in the picture."""
    x, at = ulps.inputs()
    assert np.isfinite(x).all()
    assert len(np.unique(x.view(np.uint32) >> 23)) == 2 * 255
    assert np.all(np.diff(at) > 0)
    assert np.all(x[:-1].max(1) < x[1:].min(1))
    assert np.array_equal(-x[::-1], x)


@pytest.mark.parametrize("name", ["sigmoid", "silu", "softsign", "tanh_shrink", "swiglu", "logit"])
@pytest.mark.parametrize("kind", ulps.PROMISED)
def test_errors_keep_the_promise(name, kind):
    """The errors of fastact that the picture shows are within the promise that it draws as a line."""
    x, _ = ulps.inputs()
    activation = ACTIVATIONS[name]
    which = list(ulps.PROMISED).index(kind)
    exact = curves.evaluate(activation, x.astype(np.float64), {})[which]
    near = ulps.near_zero(activation, x, exact) if which else np.zeros(x.shape, bool)
    label, _, ours = next(ulps.contestants(activation, kind))
    error = ulps.off(x, ours(x), exact, near, False)
    assert label == f"fastact, {fastact.simd}"
    assert not np.isnan(error).all()
    assert np.nanmax(error) <= ulps.PROMISED[kind]
    # Values that are off by a few ULP must be seen.
    worse = ulps.off(x, np.nextafter(np.nextafter(np.nextafter(ours(x), 9), 9), 9), exact, near, False)
    assert np.nanmax(worse) > 2


def test_errors_are_distances_in_ulp():
    """A small error is measured in ULP, a large one as the count of floats in between.

    NaN, or infinity in place of a number, is worse than all.
    """
    exact = np.array([1 + 2.0**-25, 1.0, 1e-30, 1.0, np.inf, np.inf, 2.0, np.nan, 1.0])
    got = np.array([1, 1 + 2.0**-22, 0, -1, np.inf, 1, np.nan, 3, 1], np.float32)
    error = ulps.off(np.ones(9, np.float32), got, exact, np.zeros(9, bool), False)
    expected = [0.25, 2, int(np.float32(1e-30).view(np.int32)), 2 * 0x3F800000, 0, ulps.WRONG, ulps.WRONG, np.nan, 0]
    assert np.allclose(error, expected, equal_nan=True)


def test_near_a_zero_of_the_derivative_absolute_errors_count():
    """Near a zero of the derivative an absolute error is allowed. In a tail, where it is small too, none is."""
    silu, x = ACTIVATIONS["silu"], np.array([-1.2784, -1.3, -20, -5, 1], np.float32)
    exact = fastact.silu_backward(np.ones(5), x.astype(np.float64))
    assert ulps.near_zero(silu, x, exact).tolist() == [True, True, False, False, False]
    got = (exact + 2.0**-26).astype(np.float32)
    error = ulps.off(x, got, exact, ulps.near_zero(silu, x, exact), False)
    assert error[0] == error[1] == 0
    assert error[2] > 1000


def test_subnormal_numbers_can_be_left_out():
    """Subnormal inputs, and inputs with subnormal exact results, can be left out."""
    x = np.array([1e-40, 1, 1], np.float32)
    error = ulps.off(x, np.zeros(3, np.float32), np.array([1, 1e-40, 1]), np.zeros(3, bool), True)
    assert np.isnan(error).tolist() == [True, True, False]


@pytest.mark.parametrize(("library", "name"), [("torch", "silu"), ("torch", "prelu"), ("jax", "silu"), ("scipy", "sigmoid")])
def test_other_libraries_compute_the_same(library, name):
    """Other libraries, where installed, compute the same forward, and backward by their own differentiation."""
    pytest.importorskip(library)
    activation, x = ACTIVATIONS[name], np.linspace(-3, 3, 14, dtype=np.float32).reshape(2, 7)
    for i, kind in enumerate(ulps.PROMISED):
        found = {each: function for _, each, function in ulps.contestants(activation, kind)}
        if library == "scipy" and i:
            assert library not in found
        else:
            expected = curves.evaluate(activation, x, activation.values)[i]
            assert np.allclose(found[library](x), expected, rtol=1e-5)


def test_the_overflow_of_plain_numpy_is_seen():
    """The plain NumPy line is one of the contestants, gives no warning, and its overflow shows as a huge error."""
    sigmoid = ACTIVATIONS["sigmoid"]
    found = {label: function for label, _, function in ulps.contestants(sigmoid, "forward")}
    x, _ = ulps.inputs()
    got = found["plain NumPy"](x)
    exact = fastact.sigmoid(x.astype(np.float64))
    assert got.dtype == np.float32
    assert np.nanmax(ulps.off(x, got, exact, np.zeros(x.shape, bool), False)) > 1e6


@pytest.mark.parametrize("name", [name for name, one in ACTIVATIONS.items() if one.public])
@pytest.mark.parametrize("kind", ulps.PROMISED)
def test_every_plain_line_computes_the_function(name, kind):
    """Each declared plain NumPy line gives nearly what fastact gives. A function without a line has none in the picture.

    The bound is wide, because the line of gelu is the tanh form.
    """
    activation, x = ACTIVATIONS[name], np.linspace(0.1, 0.9, 14, dtype=np.float32).reshape(2, 7)
    found = {label: function for label, _, function in ulps.contestants(activation, kind)}
    line = activation.plain if kind == "forward" else activation.plain_backward
    assert ("plain NumPy" in found) == bool(line)
    if line:
        expected = curves.evaluate(activation, x, activation.values)[list(ulps.PROMISED).index(kind)]
        assert np.allclose(found["plain NumPy"](x), expected, rtol=1e-2)


def test_the_summary_says_the_size_and_place_of_an_error():
    """`summary` says how large the largest error is, and at which x."""
    x = np.array([[1, 2], [-88.7335, 4]], np.float32)
    assert (
        ulps.summary(x, "torch", np.array([[0, 1.25], [2.1e6, np.nan]]))
        == "torch: up to 2.1 million ULP, at x = \N{MINUS SIGN}88.7335"
    )
    assert ulps.summary(x, "torch", np.array([[0, ulps.WRONG], [1, 1]])).startswith("torch: NaN or infinite in place of a number")
    assert ulps.summary(x, "jax", np.zeros((2, 2))) == "jax, subnormal numbers left out: exact"
    assert ulps.summary(x, "fastact, sse2", np.full((2, 2), np.nan)) == "fastact, sse2: nothing to compare"
