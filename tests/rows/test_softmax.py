"""softmax and its gradient agree with exact values, and are right for infinite, NaN, huge and empty rows."""

import functools

import mpmath
import numpy as np
import pytest

import oracle
from passes import SOFTMAX, each_dtype, each_implementation

BOUND = 4  # ULP of each entry, also of the smallest
WIDTHS = (1, 2, 3, 10, 16, 17, 64, 65, 128, 1000, 1024, 5000)
FORWARD, BACKWARD, FROM_OUTPUT = SOFTMAX
each_width = pytest.mark.parametrize("width", WIDTHS)


@functools.cache
def exact_rows(width, spread, dtype):
    """Three rows of logits, and their exact softmax in the two parts of `oracle.split`."""
    x = np.random.default_rng(width).normal(0, spread, (3, width)).astype(dtype)
    return x, *exact_softmax(x)


def exact_softmax(x):
    """The softmax of rows from mpmath, in the two parts of `oracle.split`."""
    context = mpmath.MPContext()
    context.dps = 40
    high, rest = np.empty(x.shape), np.empty(x.shape)
    for i, row in enumerate(x.tolist()):
        exponentials = [context.exp(value) for value in row]
        total = context.fsum(exponentials)
        high[i], rest[i] = oracle.split([e / total for e in exponentials], x.dtype.type)
    return high, rest


def check(x, got, high, rest):
    """Fail where an error exceeds the bound, and name the worst entry."""
    error = oracle.ulps(got, high, rest)
    excess = error - BOUND
    worst = np.unravel_index(np.argmax(excess), excess.shape)
    assert excess[worst] <= 0, f"off by {error[worst]:.2f} ULP where x = {x[worst]!r}: {got[worst]!r}, exactly {high[worst]!r}"


@each_implementation
@each_dtype
@each_width
@pytest.mark.parametrize("spread", [1, 30])
def test_each_entry_is_within_the_bound(implementation, dtype, width, spread):
    """Each entry, however small, is within the bound, along the last, the first and the middle axis, and strided."""
    x, high, rest = exact_rows(width, spread, dtype)
    softmax = FORWARD.of(implementation)
    check(x, softmax(x), high, rest)
    check(x, softmax(np.repeat(x, 2, axis=1)[:, ::2]), high, rest)
    for columns in (3, 70):  # 3 columns are few, and 70 are more than a vector has lanes
        tall = np.ascontiguousarray(np.resize(x, (columns, width)).T)
        check(x, softmax(tall, axis=0, out=tall)[:, :3].T, high, rest)
    middle = np.stack([x.T, x.T])
    check(x, softmax(middle, axis=1)[1].T, high, rest)


@each_implementation
@each_dtype
@each_width
def test_equal_entries_share_equally(implementation, dtype, width):
    """Equal logits give 1 / width, though a sum of equal terms may round in the same direction again and again."""
    x = np.repeat(np.linspace(-3, 3, 61), width).reshape(61, width).astype(dtype)
    high = np.full(x.shape, 1 / width)
    rest = float((mpmath.mpf(1) / width - mpmath.mpf(1 / width)) / np.spacing(1 / width)) if dtype is np.float64 else 0.0
    softmax = FORWARD.of(implementation)
    check(x, softmax(x), high, rest)
    tall = np.ascontiguousarray(x.T)
    check(x, softmax(tall, axis=0, out=tall).T, high, rest)


@each_implementation
@each_dtype
def test_a_long_row_is_within_the_bound(implementation, dtype):
    """Rows of a million entries, random or equal, are within the bound."""
    softmax, n = FORWARD.of(implementation), 1_000_003
    x = np.random.default_rng(0).normal(0, 1, n).astype(dtype)
    e = np.exp(x.astype(np.longdouble) - x.max())
    for given, exact in ((x, (e / e.sum()).astype(np.float64)), (np.full(n, 1.3, dtype), np.full(n, 1 / n))):
        # In float64 half a ULP more is allowed, because the reference is rounded to float64 too.
        assert oracle.ulps(softmax(given), exact).max() <= BOUND + (dtype is np.float64) / 2


@each_implementation
@each_dtype
@each_width
def test_rows_sum_to_one(implementation, dtype, width):
    """The entries of a row sum to 1, to their roundings."""
    for spread in (1, 30):
        x = exact_rows(width, spread, dtype)[0]
        sums = FORWARD.of(implementation)(x).astype(np.float64).sum(axis=-1)
        np.testing.assert_allclose(sums, 1, rtol=0, atol=BOUND * np.finfo(dtype).eps)


@each_implementation
@each_dtype
@each_width
def test_backward_is_within_a_few_roundings(implementation, dtype, width):
    """From x and from y, the errors are a few roundings of y times the largest gradient, in every algorithm."""
    eps = np.finfo(dtype).eps
    for spread in (1, 30):
        x, y, _ = exact_rows(width, spread, dtype)
        grad = np.random.default_rng(1).normal(0, 1, x.shape).astype(dtype)
        given_y = y.astype(dtype)
        for one, last, exact_y in ((BACKWARD, x, y), (FROM_OUTPUT, given_y, given_y.astype(np.longdouble))):
            expected = exact_y * (grad - (grad * exact_y).sum(axis=-1, keepdims=True))
            bound = 16 * eps * np.abs(grad).max() * exact_y
            bound = bound + 4 * np.finfo(dtype).smallest_subnormal
            function = one.of(implementation)
            tall = [np.ascontiguousarray(np.resize(values, (70, width)).T) for values in (grad, last)]
            for got in (function(grad, last), function(*tall, axis=0, out=tall[0])[:, :3].T, function(grad[0], last[0])[None]):
                assert (np.abs(got - expected[: len(got)]) <= bound[: len(got)]).all(), f"{one}, spread {spread}"


@each_implementation
def test_backward_is_the_jacobian(implementation):
    """The backward pass is the gradient of sum(grad * softmax(x)), by difference quotients of an exact softmax."""
    x, grad = np.array([0.3, -1.2, 2.0, 0.0]), np.array([1.0, -2.0, 0.5, 3.0])
    context = mpmath.MPContext()
    context.dps = 60

    def loss(values):
        exponentials = [context.exp(value) for value in values]
        return sum(g * e for g, e in zip(grad.tolist(), exponentials, strict=True)) / sum(exponentials)

    step = context.mpf(10) ** -20
    numbers = [context.mpf(value) for value in x.tolist()]
    slopes = []
    for i in range(len(x)):
        moved = [[value + sign * step * (i == j) for j, value in enumerate(numbers)] for sign in (1, -1)]
        slopes.append(float((loss(moved[0]) - loss(moved[1])) / (2 * step)))
    np.testing.assert_allclose(BACKWARD.of(implementation)(grad, x), slopes, rtol=1e-14)
    np.testing.assert_allclose(FROM_OUTPUT.of(implementation)(grad, FORWARD.of(implementation)(x)), slopes, rtol=1e-14)


@each_implementation
@each_dtype
@pytest.mark.parametrize("width", [2, 10, 64, 70, 1030])
@pytest.mark.parametrize("axis", [-1, 0])
def test_infinite_and_nan_entries(implementation, dtype, width, axis):
    """A row with NaN or +inf, or of -inf alone, is NaN, and no other row is. An entry of -inf becomes 0."""
    x = np.random.default_rng(0).normal(0, 1, (20, width)).astype(dtype)
    x[1, -1], x[4, 0], x[7], x[9, -1], x[12, 1:] = np.nan, np.inf, -np.inf, -np.inf, -np.inf
    x[15, 0], x[15, -1] = np.inf, np.nan
    bad = [1, 4, 7, 15]
    good = [i for i in range(20) if i not in bad]
    laid = x if axis == -1 else np.ascontiguousarray(x.T)
    for out in (None, np.empty_like(laid)):
        y = FORWARD.of(implementation)(laid, axis=axis, out=out)
        y = y if axis == -1 else y.T
        assert np.isnan(y[bad]).all()
        np.testing.assert_allclose(y[good].sum(axis=-1), 1, rtol=8 * np.finfo(dtype).eps)
        assert y[9, -1] == 0
        assert (y[12, 1:] == 0).all()
        grad = np.ones_like(laid)
        for one, last in ((BACKWARD, laid), (FROM_OUTPUT, np.ascontiguousarray(y if axis == -1 else y.T))):
            dx = one.of(implementation)(grad, last, axis=axis, out=out)
            dx = dx if axis == -1 else dx.T
            assert np.isnan(dx[bad]).all(), one
            assert (np.abs(dx[good]) < 1e-5).all(), one


@each_implementation
@each_dtype
@pytest.mark.parametrize("one", [BACKWARD, FROM_OUTPUT], ids=str)
@pytest.mark.parametrize("axis", [-1, 0])
def test_a_nan_gradient_stays_in_its_row(implementation, dtype, one, axis):
    """NaN in the gradient of a row makes that row NaN, and no other."""
    rows = np.full((20, 12), 1 / 12, dtype)
    grad = np.ones_like(rows)
    grad[5, 3] = np.nan
    laid = [values if axis == -1 else np.ascontiguousarray(values.T) for values in (grad, rows)]
    dx = one.of(implementation)(*laid, axis=axis, out=np.empty_like(laid[0]))
    bad = np.isnan(dx if axis == -1 else dx.T)
    assert bad[5].all()
    assert bad.sum() == 12


@each_implementation
@each_dtype
@pytest.mark.parametrize("width", [2, 10, 70])
def test_each_row_has_its_own_maximum(implementation, dtype, width):
    """Logits may be too large for exp, and differ much between rows.

    If all rows used the maximum of the whole batch, the exponentials of some rows would underflow.
    """
    softmax = FORWARD.of(implementation)
    relative = np.linspace(-1, 0, width).astype(np.float64)
    expected = np.exp(relative) / np.exp(relative).sum()
    for base in (1000, -1000, 8000, -20000):
        x = np.stack([np.round((base + relative) * 64) / 64, np.zeros(width), -np.arange(width)]).astype(dtype)
        exact = np.exp(x[0].astype(np.float64) - base)
        np.testing.assert_allclose(softmax(x)[0], exact / exact.sum(), rtol=1e-6 if dtype is np.float32 else 1e-14)
        np.testing.assert_allclose(softmax(x.T, axis=0).T[0], exact / exact.sum(), rtol=1e-6 if dtype is np.float32 else 1e-14)
    np.testing.assert_allclose(softmax(relative.astype(dtype)), expected, rtol=1e-6)
    pair = softmax(np.array([[1000, 0], [-1000, -999]], dtype))
    assert pair[0].tolist() == [1, 0]
    np.testing.assert_allclose(pair[1], 1 / (1 + np.exp([1.0, -1.0])), rtol=1e-6)


@each_implementation
@each_dtype
def test_huge_logits_are_exact(implementation, dtype):
    """For logits up to the largest float, a far smaller entry becomes 0, and equal entries share equally."""
    softmax, largest = FORWARD.of(implementation), np.finfo(dtype).max
    for huge in (8191, 8193, 1e5, 1e30, largest):
        huge = dtype(huge)
        for n in (3, 70):
            x = np.zeros((3, n), dtype)
            x[0, 1], x[1], x[2] = huge, huge, -huge
            for y in (softmax(x), softmax(np.ascontiguousarray(x.T), axis=0).T):
                assert (y[0] == (np.arange(n) == 1)).all()
                np.testing.assert_allclose(y[1:], 1 / n, rtol=8 * np.finfo(dtype).eps)
    assert softmax(np.array([largest, -largest], dtype)).tolist() == [1, 0]


@each_implementation
@each_dtype
def test_a_shift_changes_nothing(implementation, dtype):
    """softmax(x + c) is softmax(x), to roundings, if x + c is exact."""
    x = np.random.default_rng(0).integers(-100, 100, (5, 33)).astype(dtype) / 8
    softmax = FORWARD.of(implementation)
    for shift in (64, -512, 8192, 65536):
        np.testing.assert_allclose(softmax(x + dtype(shift)), softmax(x), rtol=8 * np.finfo(dtype).eps)


@each_implementation
@each_dtype
def test_rows_of_one_entry_and_empty_arrays(implementation, dtype):
    """A row of one entry is 1 with gradient 0, to roundings. An empty axis, or no rows, gives an empty array."""
    softmax, backward, from_output = (one.of(implementation) for one in SOFTMAX)
    x = np.array([[-3], [0], [1e30], [-1e30], [7]], dtype)
    eps = np.finfo(dtype).eps
    for axis, laid in ((-1, x), (0, x.T.copy()), (1, x[:, :, None])):
        np.testing.assert_allclose(softmax(laid, axis=axis), 1, rtol=eps)
        assert (np.abs(backward(np.ones_like(laid), laid, axis=axis)) <= 2 * eps).all()
        assert (from_output(np.full_like(laid, 5), np.ones_like(laid), axis=axis) == 0).all()
    for shape in ((0,), (3, 0), (0, 3), (2, 0, 3), (0, 0)):
        empty = np.empty(shape, dtype)
        for axis in range(-len(shape), len(shape)):
            for result in (softmax(empty, axis=axis), backward(empty, empty, axis=axis), from_output(empty, empty, axis=axis)):
                assert result.shape == shape
                assert result.dtype == dtype
            assert softmax(empty, axis=axis, out=empty) is empty


@each_implementation
@each_dtype
@pytest.mark.parametrize("width", [1, 2, 64, 65, 100, 2000])
def test_gradients_near_the_largest_number_do_not_overflow(implementation, dtype, width):
    """Equal gradients give 0 to roundings, however large they are, because no sum on the way overflows."""
    huge = np.finfo(dtype).max / 4
    grad, x = np.full((3, width), huge), np.tile(np.linspace(-1, 1, width), (3, 1)).astype(dtype)
    grad = grad.astype(dtype)
    for axis, arrays in ((-1, (grad, x)), (0, (np.ascontiguousarray(grad.T), np.ascontiguousarray(x.T)))):
        result = BACKWARD.of(implementation)(*arrays, axis=axis)
        assert (np.abs(result) <= 64 * np.finfo(dtype).eps * huge).all()


@each_implementation
@each_dtype
def test_a_row_of_one_entry_is_exact(implementation, dtype):
    """A row of one finite entry is exactly 1 and its gradient exactly 0. It is NaN if the entry is not finite."""
    x = np.random.default_rng(0).normal(0, 30, (50, 1)).astype(dtype)
    for given, axis in ((x, -1), (x[::-1], -1), (np.ascontiguousarray(x.T), 0), (x[0], 0)):
        assert (FORWARD.of(implementation)(given, axis=axis) == 1).all()
        assert (BACKWARD.of(implementation)(given * 7, given, axis=axis) == 0).all()
    odd = np.array([[np.inf], [-np.inf], [np.nan], [1]], dtype)
    assert np.isnan(FORWARD.of(implementation)(odd)).ravel().tolist() == [True, True, True, False]


@each_implementation
def test_the_axis_of_a_broadcast_gradient(implementation):
    """axis= counts in the shape to which gradient and x broadcast."""
    rng = np.random.default_rng(0)
    grad, x = rng.random((4, 4)), rng.random((3, 4, 4))
    for one in (BACKWARD, FROM_OUTPUT):
        function = one.of(implementation)
        for axis in (1, 2, -1, -2):
            expected = function(np.broadcast_to(grad, x.shape), x, axis=axis)
            np.testing.assert_allclose(function(grad, x, axis=axis), expected, 1e-14)
        with pytest.raises(np.exceptions.AxisError, match="axis 3 is out of bounds for array of dimension 3"):
            function(grad, x, axis=3)
