"""What the package promises at single points: kinks, infinities, NaN, no warnings, identities, the worked example."""

import numpy as np
import pytest

import fastact
from fastact.declare import ACTIVATIONS

import oracle
from passes import BACKWARD, PASSES, ROWS, each_any_pass, each_dtype, each_implementation, each_pass, each_pass_from_input

BY_NAME = {str(one): one for one in PASSES}
# The derivative at 0: the saturated side owns the kink.
KINKS = {"relu": 0.0, "leaky_relu": 0.01, "elu": 1.0}


def values(dtype):
    """Finite numbers from every binade, up to the largest and down to the smallest."""
    limits = np.finfo(dtype)
    x = np.concatenate([oracle.points(dtype), [limits.max, -limits.max, limits.smallest_subnormal, 0.0, -0.0]]).astype(dtype)
    return x[np.isfinite(x)]


@each_implementation
@each_any_pass
@each_dtype
def test_no_floating_point_error_for_finite_input(implementation, one, dtype):
    """np.errstate(all="raise") passes: for one call, each element on its own, strided, in place, and with a wide gradient."""
    x = values(dtype)
    with np.errstate(all="raise"):
        if one.kind == "from_output":
            forward = BY_NAME.get(f"{one.activation}-forward", ROWS[0])
            x = forward.of(implementation)(x)
        function = one.of(implementation)
        for grad in (1.0, 1e-30, 1e30, 0.0):
            leading = [np.full(len(x), grad, dtype)] * (one.operands - 1)
            function(*leading, x)
            function(*(given[::3] for given in leading), x[::3])
            function(*leading, x, out=x.copy())
            for i in range(0, len(x), 40):
                function(*(given[i : i + 1] for given in leading), x[i : i + 1])


@each_implementation
@pytest.mark.parametrize("one", ROWS, ids=str)
@each_dtype
def test_no_floating_point_error_for_finite_rows(implementation, one, dtype):
    """The same for rows: of every length, along both axes, with entries of every size."""
    rng = np.random.default_rng(0)
    for n in (1, 2, 10, 64, 65, 1030):
        for spread in (1e-40, 1, 30, 100, 5000, 1e30):
            x = (rng.normal(0, 1, (19, n)) * spread).astype(dtype)
            with np.errstate(all="raise"):
                if one.kind == "from_output":
                    x = ROWS[0].of(implementation)(x)
                one.of(implementation)(*[np.ones_like(x)] * (one.operands - 1), x)
                one.of(implementation)(*[np.ones_like(x)] * (one.operands - 1), x, axis=0)


@each_implementation
@each_pass_from_input
@each_dtype
def test_limits_at_infinity(implementation, one, dtype):
    """At +-inf the limit of the definition and of its derivative."""
    definition = oracle.Definition(ACTIVATIONS[one.activation].definition, 800)
    context = definition.context
    parameters = {name: context.mpf(float(dtype(value))) for name, value in ACTIVATIONS[one.activation].parameters.items()}
    exact = definition if one.kind == "forward" else definition.derivative
    function = one.of(implementation)
    for sign in (-1, 1):
        limit = dtype(float(exact(sign * context.mpf(10) ** 320, parameters)))
        x = np.full(1, sign * np.inf, dtype)
        assert function(*[np.ones_like(x)] * (one.operands - 1), x) == limit
        beside = np.linspace(-3, 3, 40).astype(dtype)
        beside[7] = sign * np.inf
        assert function(*[np.ones_like(beside)] * (one.operands - 1), beside)[7] == limit


@each_implementation
@each_pass
@each_dtype
def test_nan(implementation, one, dtype):
    """NaN in, NaN out, in every lane; a NaN gradient wherever the derivative is not 0."""
    function = one.of(implementation)
    for n in (1, 5, 16, 70):
        for place in range(0, n, 3):
            x = np.linspace(0.1, 0.9, n).astype(dtype)
            others = [np.ones_like(x)] * (one.operands - 1)
            good = function(*others, x)
            assert not np.isnan(good).any()
            bad = x.copy()
            bad[place] = np.nan
            assert np.isnan(function(*others, bad)).tolist() == (np.arange(n) == place).tolist()
            if one.operands == 2:
                grad = np.ones_like(x)
                grad[place] = np.nan
                assert np.isnan(function(grad, x)).tolist() == ((np.arange(n) == place) & (good != 0)).tolist()


@each_implementation
@each_dtype
@pytest.mark.parametrize("one", [one for one in BACKWARD if one.activation in KINKS], ids=str)
def test_kinks(implementation, dtype, one):
    """relu'(0) = 0, leaky_relu'(0) = slope, elu'(0) = alpha, from the input and from the output, for both zeros."""
    zeros = np.array([0.0, -0.0], dtype)
    expected = dtype(KINKS[one.activation])
    assert (one.of(implementation)(np.ones_like(zeros), zeros) == expected).all()
    for name in one.parameters:
        assert (one.of(implementation)(np.ones_like(zeros), zeros, **{name: 0.25}) == 0.25).all()


@each_implementation
@each_dtype
@pytest.mark.parametrize("one", [BY_NAME["relu-backward"], BY_NAME["relu-from_output"]], ids=str)
def test_infinite_gradient_through_a_dead_unit(implementation, dtype, one):
    """It is 0, not inf * 0 = NaN; through a live unit it stays infinite."""
    x = np.array([-1.0, 0.0, -0.0, 2.0, -np.inf, np.inf], dtype)
    grad = np.full_like(x, -np.inf)
    assert one.of(implementation)(grad, x).tolist() == [0, 0, 0, -np.inf, 0, -np.inf]


@each_implementation
@each_dtype
def test_saturation(implementation, dtype):
    """Far out the functions take their limits exactly, without a warning."""
    x = np.array([-np.inf, np.finfo(dtype).min, -1000, 1000, np.finfo(dtype).max, np.inf], dtype)
    expected = {"sigmoid": [0, 0, 0, 1, 1, 1], "tanh": [-1, -1, -1, 1, 1, 1]}
    with np.errstate(all="raise"):
        for name, limits in expected.items():
            assert BY_NAME[f"{name}-forward"].of(implementation)(x).tolist() == limits
            assert (BY_NAME[f"{name}-backward"].of(implementation)(np.ones_like(x), x) == 0).all()
        elu = BY_NAME["elu-forward"].of(implementation)
        assert elu(x[:3]).tolist() == [-1, -1, -1]
        assert elu(x[:3], alpha=2.5).tolist() == [-2.5, -2.5, -2.5]
        assert elu(x[3:]).tolist() == x[3:].tolist()


@each_implementation
@each_dtype
def test_signed_zero(implementation, dtype):
    """The tanh, leaky_relu and elu keep -0."""
    zeros = np.array([0.0, -0.0] * 9, dtype)
    for name in ("tanh", "leaky_relu", "elu"):
        y = BY_NAME[f"{name}-forward"].of(implementation)(zeros)
        assert (y == 0).all()
        assert np.signbit(y).tolist() == [False, True] * 9


@each_implementation
@each_dtype
def test_symmetry_and_range(implementation, dtype):
    """The tanh is odd, its derivative and the sigmoid's are even, to the bit; sigmoid lies in [0, 1], tanh in [-1, 1]."""
    x = values(dtype)
    ones = np.ones_like(x)
    sigmoid, tanh = (BY_NAME[f"{name}-forward"].of(implementation)(x) for name in ("sigmoid", "tanh"))
    assert (BY_NAME["tanh-forward"].of(implementation)(-x) == -tanh).all()
    for name in ("sigmoid", "tanh"):
        slope = BY_NAME[f"{name}-backward"].of(implementation)
        assert (slope(ones, -x) == slope(ones, x)).all()
        assert (slope(ones, x) >= 0).all()
    assert ((sigmoid >= 0) & (sigmoid <= 1)).all()
    assert (np.abs(tanh) <= 1).all()


@each_implementation
@each_dtype
def test_tanh_is_a_scaled_sigmoid(implementation, dtype):
    """That is, tanh(x) = 2 sigmoid(2 x) - 1, within the bounds of both."""
    x = np.linspace(-12, 12, 4001).astype(dtype)
    sigmoid, tanh = (BY_NAME[f"{name}-forward"].of(implementation) for name in ("sigmoid", "tanh"))
    # 2 ULP of each, where a unit of sigmoid below 1 is eps / 2 and counts twice
    assert np.abs(tanh(x) - (2 * sigmoid(2 * x) - 1)).max() <= 4 * np.finfo(dtype).eps


@each_implementation
@each_dtype
def test_tails(implementation, dtype):
    """Where others return 0 or lose all digits."""
    tiny = np.finfo(dtype).smallest_subnormal
    one = np.ones(1, dtype)
    for name, x, expected in (
        ("sigmoid-forward", -100, np.exp(-100.0)),
        ("sigmoid-backward", 50, np.exp(-50.0)),
        ("sigmoid-backward", -80, np.exp(-80.0)),
        ("tanh-backward", 40, 4 * np.exp(-80.0)),
        ("tanh-forward", 1e-30, 1e-30),
        ("elu-forward", -1e-30, -1e-30),
        ("elu-forward", -tiny, -tiny),
        ("elu-backward", -90, np.exp(-90.0)),
        ("relu-forward", tiny, tiny),
    ):
        given = [one] * (BY_NAME[name].operands - 1)
        got = BY_NAME[name].of(implementation)(*given, np.full(1, x, dtype))
        rounded = dtype(expected)
        assert abs(float(got[0]) - float(rounded)) <= 4 * float(np.spacing(abs(rounded))), name


def test_the_worked_example():
    """A dense layer of 3 by 4 random weights followed by ReLU: the negative value becomes 0, the others stay."""
    np.random.seed(0)  # noqa: NPY002  (the example is stated with the legacy generator)
    inputs = np.array([[0.2, 0.5, 1.2], [1.2, 1.1, 0.6]])
    weights, bias = 0.1 * np.random.randn(3, 4), np.zeros((1, 4))  # noqa: NPY002
    before = inputs @ weights + bias
    # The brief prints the fourth number as 0.21167282: two digits exchanged.
    stated = np.array([[0.11627268, 0.00841107, 0.08436441, 0.21176282], [0.41092453, -0.03484579, 0.2306009, 0.3395143]])
    np.testing.assert_allclose(before, stated, rtol=0, atol=5e-8)
    after = before.copy()
    after[1, 1] = 0
    assert (fastact.relu(before) == after).all()
    assert fastact.relu_backward(np.ones_like(before), before).tolist() == [[1, 1, 1, 1], [1, 0, 1, 1]]
    assert fastact.relu(before, out=before) is before
    assert (before == after).all()
    stated[0, 3] = 0.21167282
    assert fastact.relu(stated).tolist() == [stated[0].tolist(), [0.41092453, 0, 0.2306009, 0.3395143]]


def test_sigmoid_of_minus_1000():
    """0, without a warning (pytest turns warnings into errors)."""
    assert fastact.sigmoid(-1000) == 0
    assert fastact.sigmoid(np.float32(-1000)) == 0
