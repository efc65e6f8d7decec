"""Results are right where an operand, a parameter or a factor is as large or as small as a float can be.

Each of these inputs once gave an infinity, a NaN or a wrong digit, since a product on the way left the range of its precision.
"""

import mpmath
import numpy as np
import pytest

from fastact import backends

from arrays import assert_same_bits
from passes import IMPLEMENTATIONS, each_dtype, each_implementation

LARGEST = {np.float32: np.finfo(np.float32).max, np.float64: np.finfo(np.float64).max}


def of(implementation, name):
    """One function of one implementation."""
    return getattr(backends.load(implementation), name)


def assert_near(got, exact):
    """The result is within 2 ULP of a number of mpmath."""
    right = float(exact)
    assert abs(got - right) <= 2 * np.spacing(abs(right)), f"{got!r}, exactly {right!r}"


@each_implementation
@each_dtype
@pytest.mark.parametrize("gate", [-2000.0, -800.0, -np.inf, 3.0])
def test_a_nan_passes_every_gate(implementation, dtype, gate):
    """The value of a gated pair is NaN, also where the gate is closed."""
    assert np.isnan(of(implementation, "glu")(np.array([np.nan, gate], dtype))).all()


@each_implementation
@pytest.mark.parametrize("gate", [-0.1, -1.05, -3.0, -300.0, -725.546])
def test_large_values_pass_a_gate(implementation, gate):
    """A product with a sigmoid does not overflow before it is small."""
    value = LARGEST[np.float64]
    with mpmath.workdps(50):
        exact = mpmath.mpf(value) / (1 + mpmath.exp(-mpmath.mpf(gate)))
    assert_near(of(implementation, "glu")(np.array([value, gate]))[0], exact)


@each_implementation
def test_subnormal_parameters(implementation):
    """A quotient by a parameter whose reciprocal is infinite keeps its digits."""
    with mpmath.workdps(50):
        wave = mpmath.mpf(1e300) + mpmath.sin(mpmath.mpf(1e-310) * mpmath.mpf(1e300)) ** 2 / mpmath.mpf(1e-310)
        exact = mpmath.mpf(1e-310) * mpmath.expm1(mpmath.mpf(-1.65e-312) / mpmath.mpf(1e-310))
        slope = mpmath.exp(mpmath.mpf(-3.5e-323) / mpmath.mpf(5e-324))
    assert_near(of(implementation, "snake")(np.array([1e300]), 1e-310)[0], wave)
    assert_near(of(implementation, "celu")(np.array([-1.65e-312]), 1e-310)[0], exact)
    assert_near(of(implementation, "celu_backward")(np.array([1.0]), np.array([-3.5e-323]), 5e-324)[0], slope)


@each_implementation
def test_a_negative_alpha_of_celu(implementation):
    """The exponential is close to the largest number, and its argument is a rounded quotient."""
    x, alpha = -210.9574180799009, -0.3
    with mpmath.workdps(50):
        exact = mpmath.mpf(alpha) * mpmath.expm1(mpmath.mpf(x) / mpmath.mpf(alpha))
    assert_near(of(implementation, "celu")(np.array([x]), alpha)[0], exact)


@each_implementation
def test_a_large_gradient_far_left(implementation):
    """A slope that rounds to 0 gives 0, and neither infinity nor NaN."""
    grad, x = np.array([LARGEST[np.float32]]), np.array([-50.0], np.float32)
    assert of(implementation, "gelu_backward")(grad, x, approximate="tanh")[0] == 0
    both = of(implementation, "geglu_backward")(grad, x, np.zeros(1, np.float32), approximate="tanh")
    assert both[0][0] == 0
    assert of(implementation, "geglu")(np.array([-44.07]), np.array([-1.39e298]))[0] == pytest.approx(1.0185e-124, rel=1e-4)


@each_implementation
@pytest.mark.parametrize("name", ["leaky_relu", "elu"])
def test_zeros_of_both_signs_are_different_parameters(implementation, name):
    """A call does not take the program of an earlier call, whose parameter was the other zero."""
    function, x = of(implementation, name), np.array([-1.0])
    for alpha in (0.0, -0.0, 0.0):
        assert np.signbit(function(x, alpha)[0]) == np.signbit(alpha * np.float64(-1.0 if name == "leaky_relu" else np.expm1(-1)))


@pytest.mark.skipif(not {"avx2", "avx512"} <= set(IMPLEMENTATIONS), reason="this machine lacks AVX-512")
@pytest.mark.parametrize("name", ["mish_backward", "serf_backward", "logish_backward"])
def test_subnormal_tails_have_the_same_bits(name):
    """AVX2, which scales in two steps, rounds a subnormal result once, as AVX-512 does."""
    generator = np.random.default_rng(0)
    grad = (10 ** generator.uniform(-45, -36, 20000)).astype(np.float32)
    x = generator.uniform(-14, -9, 20000).astype(np.float32)
    assert_same_bits(of("avx2", name)(grad, x), of("avx512", name)(grad, x), name)
