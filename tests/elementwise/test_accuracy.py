"""Every elementwise result is as close to the exact one as the package promises, for all finite inputs.

The tests compare results with three references:
- the definitions in mpmath, on the edges, the worst inputs on record and some hundred points between them;
- for float32, the float64 results of the first implementation, on every 19997th bit pattern;
- for float64, the results of the fallback, which computes with twice the digits, on 24,000 points.
`python benchmarks/accuracy.py` takes every bit pattern.
"""

import functools

import numpy as np
import pytest

import oracle
from oracle import ulps
from passes import (
    BACKWARD,
    EVERY,
    FROM_INPUT,
    IMPLEMENTATIONS,
    Pass,
    each,
    each_compiled,
    each_dtype,
    each_implementation,
    each_pass_from_input,
)

# The promise, in ULP. Near a zero of the derivative it is an absolute error instead.
BOUND = {"forward": 2, "backward": 4}
NEAR_ZERO = {np.float32: 2.0**-25, np.float64: 2.0**-54}

FROM_OUTPUT = [one for one in BACKWARD if one.kind == "from_output"]
# logit's eps, whose usual value is None, is not in the definition. test_edges.py tests it.
VARIED = [(one, name) for one in FROM_INPUT for name in one.varied if one.declared.values[name] is not None]
GATED = [one for one in BACKWARD if len(one.declared.operands) == 2]
PAIRS = [one for one in FROM_INPUT if len(one.declared.operands) == 2]
# The tests take only one of so many points of the oracle, because hundreds of digits are slow.
EVERY_POINT, EVERY_POINT_OF_PARAMETERS = {np.float32: 20, np.float64: 30}, 60


def evaluate(one, implementation, x, gradient=0, **parameters):
    """The result of the pass at x; where it has several, the one that `gradient` chooses."""
    got = one.of(implementation)(*one.arrays(x), **parameters)
    return got[gradient] if isinstance(got, tuple) else got


def check(one, x, got, high, rest=0.0, times=1):
    """Fail where an error exceeds `times` the bound, and name the worst input."""
    error = ulps(got, high, rest)
    if one.kind == "backward":
        with np.errstate(invalid="ignore"):
            good = np.abs(got - high) <= times * NEAR_ZERO[got.dtype.type]
        error[oracle.near_zero(x, high) & good] = 0
    worst = np.argmax(error)
    place = f"x = {x[worst]!r} ({float(x[worst]).hex()})"
    assert error[worst] <= times * BOUND[one.kind], (
        f"{one}: off by {error[worst]:.2f} ULP at {place}: {got[worst]!r}, exactly {high[worst]!r}"
    )


@each_implementation
@each_pass_from_input
@each_dtype
def test_results_agree_with_the_definition(implementation, one, dtype):
    """Forward and backward are as exact as promised, also in tails, for subnormals and where a function saturates."""
    x, high, rest = oracle.truth(one.activation, one.kind, dtype, every=EVERY_POINT[dtype])
    assert len(x) > (30 if one.activation == "logit" else 120)
    check(one, x, evaluate(one, implementation, x, one.main), high, rest)


@each_implementation
@each(GATED)
@each_dtype
def test_gradient_of_the_value_is_the_function_of_the_gate(implementation, one, dtype):
    """The gradient of the value of a gated pair, for a grad of 1, is f(gate), as exact as promised."""
    x, high, rest = oracle.truth(one.activation, "forward", dtype, every=EVERY_POINT[dtype])
    check(one, x, evaluate(one, implementation, x, 1 - one.main), high, rest)


@functools.cache
def every_19997th():
    """Every 19997th finite float32. Each binade has 419 of them."""
    x = np.arange(0, 2**32, 19997, dtype=np.uint64).astype(np.uint32).view(np.float32)
    return np.sort(x[np.isfinite(x)])


@functools.lru_cache(maxsize=1)
def wide_reference(one):
    """The float64 results of the best implementation, at the same inputs and parameters."""
    parameters = {
        name: float(np.float32(value)) for name, value in one.declared.values.items() if value is not None and one.parameters
    }
    return evaluate(one, IMPLEMENTATIONS[0], every_19997th().astype(np.float64), one.main, **parameters)


@each_implementation
@each_pass_from_input
def test_every_19997th_float32_agrees_with_float64(implementation, one):
    """215,000 inputs from all binades have float32 results as exact as promised."""
    x, high = every_19997th(), wide_reference(one)
    got = evaluate(one, implementation, x, one.main)
    inside = ~np.isnan(high)
    assert (np.isnan(got) == ~inside).all()
    check(one, x[inside], got[inside], high[inside])


@functools.cache
def any_operands():
    """Three arrays of float32: half of the numbers are of all magnitudes, half of those that networks have."""
    rng = np.random.default_rng(2)
    every = np.exp2(rng.uniform(-149, 128, (3, 40000))) * rng.choice([-1, 1], (3, 40000))
    return list(np.concatenate([every, rng.normal(0, 3, (3, 40000))], axis=1).astype(np.float32))


@functools.lru_cache(maxsize=1)
def reference_of_pair(one):
    """The float64 results of the best implementation, of these operands."""
    got = one.of(IMPLEMENTATIONS[0])(*(a.astype(np.float64) for a in any_operands()[: one.operands]))
    return got if isinstance(got, tuple) else (got,)


@each_implementation
@each(PAIRS)
def test_gated_pairs_of_any_operands(implementation, one):
    """A product with the other operand, or with a gradient, keeps the bound, whatever their magnitudes are."""
    operands = any_operands()[: one.operands]
    got = one.of(implementation)(*operands)
    for i, (found, high) in enumerate(zip(got if isinstance(got, tuple) else (got,), reference_of_pair(one), strict=True)):
        error = ulps(found, high)
        if one.kind == "backward" and i == one.main:  # near a zero of the slope
            size = np.prod([np.abs(a.astype(np.float64)) for a in operands if a is not operands[1 + one.main]], axis=0)
            error[np.abs(found - high) <= NEAR_ZERO[np.float32] * size] = 0
        worst = np.argmax(error)
        inputs = [float(a[worst]) for a in operands]
        assert error[worst] <= BOUND[one.kind], (
            f"{one}: off by {error[worst]:.2f} ULP at {inputs}: {found[worst]!r}, {high[worst]!r}"
        )


@functools.cache
def many_float64():
    """The oracle's points, and so many random ones that every segment of a table has some."""
    rng = np.random.default_rng(1)
    return np.unique(np.concatenate([oracle.points(np.float64), *(rng.uniform(-width, width, 7000) for width in (4, 30, 800))]))


@functools.lru_cache(maxsize=1)
def fallback_reference(one):
    """The float64 results of the fallback on these points."""
    return evaluate(one, "numpy", many_float64(), one.main)


@each_compiled
@each_pass_from_input
def test_float64_agrees_with_the_fallback(implementation, one):
    """The two differ by at most the sum of their bounds, in every segment of a table.

    The tests above compare the fallback itself with the definition.
    """
    x, high = many_float64(), fallback_reference(one)
    got = evaluate(one, implementation, x, one.main)
    inside = ~np.isnan(high)
    assert (np.isnan(got) == ~inside).all()
    check(one, x[inside], got[inside], high[inside], times=2)


@each_implementation
@each_dtype
@each(FROM_OUTPUT)
def test_backward_from_the_output_is_close(implementation, one, dtype):
    """A gradient from y has the error that the rounding of y makes: a few roundings of 1, or of the derivative if larger."""
    x, high, _ = oracle.truth(one.activation, "backward", dtype, every=EVERY_POINT[dtype])
    y = Pass(one.activation, "forward").of(implementation)(x)
    got = one.of(implementation)(np.ones_like(x), y)
    sensitive = np.maximum(1, np.abs(y)) if one.activation == "logit" else 1  # because its derivative grows as exp(|y|)
    allowed = 4 * np.finfo(dtype).eps * np.maximum(1, np.abs(high)) * sensitive
    kept = np.isfinite(y) & (np.abs(high) <= np.finfo(dtype).max)
    assert (np.abs(got[kept] - high[kept]) <= allowed[kept]).all()


@each_implementation
@each_dtype
@each([one for one in EVERY if one.kind != "forward"])
def test_backward_is_proportional_to_grad(implementation, one, dtype):
    """backward(grad, x) is grad times backward(1, x), within two roundings of a normal result."""
    rng = np.random.default_rng(0)
    x, grad = rng.normal(0, 3, 5000).astype(dtype), rng.normal(0, 10, 5000).astype(dtype)
    others = [x] * (one.operands - 1)
    got, unit = one.of(implementation)(grad, *others), one.of(implementation)(np.ones_like(x), *others)
    for values, ones in zip(*((part if isinstance(part, tuple) else (part,)) for part in (got, unit)), strict=True):
        np.testing.assert_allclose(values, grad.astype(np.float64) * ones, rtol=4 * np.finfo(dtype).eps, atol=0)


@each_implementation
@pytest.mark.parametrize(("one", "name"), VARIED, ids=str)
@each_dtype
def test_bounds_hold_for_other_parameters(implementation, one, name, dtype):
    """The bounds hold for parameters other than the defaults, given as numbers and as arrays."""
    for number in one.numbers(name, dtype, 11)[[1, 8] if dtype is np.float32 else [8]]:
        truth = oracle.truth(one.activation, one.kind, dtype, ((name, float(number)),), EVERY_POINT_OF_PARAMETERS)
        normal = np.abs(truth[0]) >= np.finfo(dtype).tiny  # a subnormal times a slope may round to 0, where the kink is
        x, high, rest = (values[normal] for values in truth)
        for given in (float(number), np.full(x.shape, number, dtype)):
            check(one, x, evaluate(one, implementation, x, one.main, **{name: given}), high, rest)


def test_the_oracle_sees_errors():
    """`check` fails for an error of 3 ULP, a lost tail, a NaN and an infinity."""
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
    """The difference quotient is right at a kink, in a tail, beside a change of sign and at the smallest numbers."""
    relu = oracle.Definition("max(0, x)", 130)
    assert relu.derivative(relu.context.mpf(0), {}) is None
    assert relu.derivative(relu.context.mpf(1e-45), {}) == 1
    tanh = oracle.Definition("(exp(x) - exp(-x)) / (exp(x) + exp(-x))", 430)
    assert float(tanh.derivative(tanh.context.mpf(300), {})) == pytest.approx(4 * np.exp(-600.0), rel=1e-12)
    assert float(tanh(tanh.context.mpf(5e-324), {})) == 5e-324
    silu = oracle.Definition("x / (1 + exp(-x))", 130)
    x = np.linspace(-3, 3, 601)
    slope = np.array([float(silu.derivative(silu.context.mpf(v), {})) for v in x.tolist()])
    near = oracle.near_zero(x, slope)
    assert near[np.abs(x + 1.278) < 0.1].all()
    assert not near[(x < -1.6) | (x > -1)].any()
