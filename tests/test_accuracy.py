"""Every elementwise result against the exact one: the bounds that the package promises, over the whole line.

Two references: the definitions in mpmath, on a few thousand points; and for float32 on every 997th bit pattern the float64
fallback, which the first holds to its own bound.
"""

import functools

import numpy as np
import pytest

from fastact.declare import ACTIVATIONS

import oracle
from oracle import ulps
from passes import BACKWARD, FROM_INPUT, each_dtype, each_implementation, each_pass_from_input

# The promise, in units of the last place; near a zero of the derivative an absolute error instead.
BOUND = {"forward": 2, "backward": 4}
NEAR_ZERO = {np.float32: 2.0**-25, np.float64: 2.0**-54}

FROM_OUTPUT = [one for one in BACKWARD if one.kind == "from_output"]


def evaluate(one, implementation, x, **parameters):
    """The pass at x, with a gradient of 1."""
    function = one.of(implementation)
    return function(x, **parameters) if one.kind == "forward" else function(np.ones_like(x), x, **parameters)


def check(one, x, got, high, rest=0.0):
    """Fail with the worst input and its error."""
    error = ulps(got, high, rest)
    if one.kind == "backward":
        good = np.abs(got - high) <= NEAR_ZERO[got.dtype.type]
        error[oracle.near_sign_change(x, high) & good] = 0
    worst = np.argmax(error)
    place = f"x = {x[worst]!r} ({float(x[worst]).hex()})"
    assert error[worst] <= BOUND[one.kind], (
        f"{one}: off by {error[worst]:.2f} ULP at {place}: {got[worst]!r}, exactly {high[worst]!r}"
    )


@each_implementation
@each_pass_from_input
@each_dtype
def test_against_the_definition(implementation, one, dtype):
    """The declared definition and its derivative in mpmath, tails, subnormals and saturation included."""
    x, high, rest = oracle.truth(one.activation, one.kind, dtype)
    assert len(x) > 2000
    check(one, x, evaluate(one, implementation, x), high, rest)


@functools.cache
def every_997th():
    """Every 997th finite float32."""
    x = np.arange(0, 2**32, 997, dtype=np.uint64).astype(np.uint32).view(np.float32)
    return np.sort(x[np.isfinite(x)])


@functools.lru_cache(maxsize=1)
def wide_reference(one):
    """The fallback in float64, at the same inputs and parameters."""
    parameters = {name: float(np.float32(value)) for name, value in ACTIVATIONS[one.activation].parameters.items()}
    return evaluate(one, "numpy", every_997th().astype(np.float64), **parameters)


@each_implementation
@each_pass_from_input
def test_every_997th_float32(implementation, one):
    """4.3 million inputs from all binades."""
    x = every_997th()
    check(one, x, evaluate(one, implementation, x), wide_reference(one))


@each_implementation
@each_dtype
@pytest.mark.parametrize("one", FROM_OUTPUT, ids=str)
def test_from_the_output(implementation, one, dtype):
    """From y the error is that of y: a few roundings of the largest value, not relative to the derivative."""
    x, high, _ = oracle.truth(one.activation, "backward", dtype)
    y = next(forward for forward in FROM_INPUT if forward.activation == one.activation).of(implementation)(x)
    got = one.of(implementation)(np.ones_like(x), y)
    assert np.abs(got - high).max() <= 4 * np.finfo(dtype).eps


@each_implementation
@each_dtype
@pytest.mark.parametrize("one", BACKWARD, ids=str)
def test_gradient_multiplies(implementation, one, dtype):
    """backward(grad, x) is grad times backward(1, x), to two roundings of a normal result."""
    rng = np.random.default_rng(0)
    x, grad = rng.normal(0, 3, 5000).astype(dtype), rng.normal(0, 10, 5000).astype(dtype)
    function = one.of(implementation)
    expected = grad.astype(np.float64) * function(np.ones_like(x), x)
    np.testing.assert_allclose(function(grad, x), expected, rtol=4 * np.finfo(dtype).eps, atol=0)


@each_implementation
@pytest.mark.parametrize("one", [one for one in FROM_INPUT if one.parameters], ids=str)
@each_dtype
def test_other_parameters(implementation, one, dtype):
    """The bounds hold for parameters other than the defaults, given as numbers and as arrays."""
    for number in (0.3, 1.7):
        x, high, rest = oracle.truth(one.activation, one.kind, dtype, number, every=8)
        for given in (number, np.full(x.shape, number, dtype)):
            check(one, x, evaluate(one, implementation, x, **dict.fromkeys(one.parameters, given)), high, rest)


def test_the_oracle_sees_errors():
    """The checks above fail where they must: an error of 3 ULP, a lost tail, a NaN, a wrong sign of zero slope."""
    forward = next(one for one in FROM_INPUT if one.kind == "forward")
    x = np.array([-100, -1, 0.5, 2], np.float32)
    high = 1 / (1 + np.exp(-x.astype(np.float64)))
    good = high.astype(np.float32)
    check(forward, x, good, high)
    for place, wrong in ((1, good[1] + 3 * np.spacing(good[1])), (0, 0), (2, np.nan), (3, np.inf)):
        bad = good.copy()
        bad[place] = wrong
        with pytest.raises(AssertionError, match="ULP at x = "):
            check(forward, x, bad, high)


def test_the_oracle_differentiates():
    """The difference quotient, at a kink, in a tail, beside a sign change and at the smallest numbers."""
    relu = oracle.Definition("max(0, x)", 130)
    assert relu.derivative(relu.context.mpf(0), {}) is None
    assert relu.derivative(relu.context.mpf(1e-45), {}) == 1
    tanh = oracle.Definition("(exp(x) - exp(-x)) / (exp(x) + exp(-x))", 430)
    assert float(tanh.derivative(tanh.context.mpf(300), {})) == pytest.approx(4 * np.exp(-600.0), rel=1e-12)
    assert float(tanh(tanh.context.mpf(5e-324), {})) == 5e-324
    silu = oracle.Definition("x / (1 + exp(-x))", 130)
    x = np.linspace(-3, 3, 601)
    slope = np.array([float(silu.derivative(silu.context.mpf(v), {})) for v in x.tolist()])
    near = oracle.near_sign_change(x, slope)
    assert near[np.abs(x + 1.278) < 0.1].all()
    assert not near[(x < -1.6) | (x > -1)].any()
