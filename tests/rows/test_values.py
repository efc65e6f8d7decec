"""The softmax family against exact values: tiny and dominant entries, scales, masks, sinks, several axes; and the edges."""

import functools

import numpy as np
import pytest

import fastact
from fastact import backends

from passes import ROWS, each, each_dtype, each_implementation
from row_truth import FORWARD, assert_within, exact, forward, softmax

BOUND = 4  # units of the last place of each entry
SCALE = 1 / np.sqrt(128)
MASKING = ("softmax", "log_softmax", "softmax_one")


def of(implementation, name):
    """A public function."""
    return getattr(backends.load(implementation), name)


def rows(dtype, shape, spread=8.0, seed=0):
    """Logits."""
    return np.random.default_rng(seed).normal(0, spread, shape).astype(dtype)


@each_implementation
@each_dtype
@pytest.mark.parametrize("scale", [SCALE, 3.7, -0.3, 1e-30, 1e30])
def test_scale(implementation, dtype, scale):
    """Each entry, the tiny ones too: neither the scale nor the product is rounded."""
    x = rows(dtype, (3, 70), 60 / min(abs(scale), 1) if abs(scale) < 10 else 1)
    assert_within(BOUND, of(implementation, "softmax")(x, scale=scale), *exact(x, scale), "softmax")
    log = of(implementation, "log_softmax")(x, scale=scale)
    assert_within(BOUND, log, *exact(x, scale, log=True), "log_softmax")
    across = of(implementation, "softmax")(np.ascontiguousarray(x.T), axis=0, scale=scale)
    assert_within(BOUND, across.T, *exact(x, scale), "axis 0")


@each_implementation
@each_dtype
def test_scale_does_not_overflow_differences(implementation, dtype):
    """Logits near the largest number, made small by the scale."""
    largest = np.finfo(dtype).max
    x = np.array([[largest, -largest, 0], [-largest, 0, largest / 2]], dtype)
    for scale in (1 / float(largest), -1 / float(largest), 0.0):
        with np.errstate(all="raise"):
            assert_within(BOUND, of(implementation, "softmax")(x, scale=scale), *exact(x, scale))


@each_implementation
@each_dtype
@pytest.mark.parametrize("gap", [0.5, 5, 20, 50, 80])
@pytest.mark.parametrize("n", [2, 10, 17, 300])
def test_dominant_entry_of_log_softmax(implementation, dtype, gap, n):
    """Within 2 ULP: it is log1p of the rest, which a sum that holds the largest would lose."""
    x = -gap - np.abs(rows(dtype, (4, n), 1))
    x[np.arange(4), [0, n // 2, n - 1, 1]] = 3 * np.arange(4)
    x[1] += 300
    x = x.astype(dtype)
    high, rest = exact(x, log=True)
    top = x == x.max(axis=-1, keepdims=True)
    for got in (of(implementation, "log_softmax")(x), of(implementation, "log_softmax")(np.ascontiguousarray(x.T), axis=0).T):
        assert_within(2, np.where(top, got, 0), np.where(top, high, 0), np.where(top, rest, 0), "dominant")
        assert_within(BOUND, got, high, rest, "all")
    assert_within(2, -of(implementation, "cross_entropy")(x, x.argmax(axis=-1), reduction="none"), high[top], rest[top], "loss")


@functools.lru_cache(maxsize=1)  # the implementations take turns
def dominated(gap, n):
    """Many rows of which the second entry is the largest, and the logarithm of its probability."""
    x = -gap - np.abs(rows(np.float32, (400_000 // n, n), 1))
    x[:, 1] = 0
    x += rows(np.float32, (len(x), 1), 5, seed=1)
    exactly = x.astype(np.longdouble)
    rest = np.exp(exactly - exactly[:, 1:2])
    rest[:, 1] = 0
    return x, -np.log1p(rest.sum(axis=-1))


@each_implementation
@pytest.mark.parametrize("gap", [0.3, 5, 20, 50])
@pytest.mark.parametrize("n", [3, 5, 40, 300])
def test_dominant_entries_of_many_rows(implementation, gap, n):
    """In float32, of as many as it takes to find roundings that add up: 3.1 ULP while the sum of the others lost some."""
    x, right = dominated(gap, n)
    log_softmax = of(implementation, "log_softmax")
    for got in (log_softmax(x)[:, 1], log_softmax(np.ascontiguousarray(x.T), axis=0)[1]):
        error = np.abs(got - right) / np.spacing(np.abs(right.astype(np.float32)))
        assert error.max() <= 2, f"off by {float(error.max()):.2f} ULP in the row {x[error.argmax()]!r}"


@each_implementation
@each_dtype
def test_a_row_of_a_million(implementation, dtype):
    """Its sum keeps its digits."""
    x = rows(dtype, 1_000_003, 2)
    e = np.exp(x.astype(np.longdouble) - x.max())
    log_sum = np.log(e.sum())
    bound = 2 * np.finfo(dtype).eps * 20
    assert abs(of(implementation, "log_softmax")(x) - ((x.astype(np.longdouble) - x.max()) - log_sum)).max() <= bound
    assert abs(of(implementation, "logsumexp")(x) - (log_sum + x.max())) <= bound
    scaled = of(implementation, "softmax")(x, scale=1.0, mask=np.arange(len(x)) % 2 == 0)
    assert abs(scaled.sum(dtype=np.float64) - 1) <= 4 * np.finfo(dtype).eps
    assert abs(float(of(implementation, "sparsemax")(x).sum(dtype=np.float64)) - 1) <= 1e-5


@each_implementation
@each_dtype
def test_logsumexp(implementation, dtype):
    """Along one axis, several, and all; kept or not; new and in place; and its gradient."""
    function, backward = of(implementation, "logsumexp"), of(implementation, "logsumexp_backward")
    x = rows(dtype, (3, 5, 7))
    eps = 8 * np.finfo(dtype).eps
    for axis in (0, 1, -1, (0, 2), (1, 2), (-1, 0), (0, 1, 2), None, ()):
        for keepdims in (False, True):
            wide = x.astype(np.float64)
            expected = wide if axis == () else np.log(np.exp(wide).sum(axis=axis, keepdims=True))
            shape = expected.shape if keepdims or axis == () else np.log(np.exp(wide).sum(axis=axis)).shape
            got = function(x, axis, keepdims)
            assert got.shape == shape
            assert got.dtype == dtype
            np.testing.assert_allclose(got, expected.reshape(shape), rtol=eps)
            out = np.empty(shape, dtype)
            assert function(x, axis=axis, keepdims=keepdims, out=out) is out
            assert out.tobytes() == np.asarray(got).tobytes()
            grad = np.random.default_rng(1).normal(size=shape).astype(dtype)
            slope = np.exp(wide - expected) * grad.reshape(expected.shape)
            inplace = x.copy()
            assert backward(grad, inplace, axis, keepdims, out=inplace) is inplace
            for got in (backward(grad, x, axis, keepdims), inplace):
                np.testing.assert_allclose(got, slope, rtol=0, atol=eps * np.abs(slope).max())
    assert function(x.tolist()).dtype == np.float64
    np.testing.assert_allclose(backward(2.0, x), 2 * softmax(x), rtol=20 * eps)
    assert isinstance(function(x[0, 0]), dtype)


@each_implementation
@each_dtype
def test_logsumexp_at_its_edges(implementation, dtype):
    """-inf alone, no column, infinity and NaN."""
    function = of(implementation, "logsumexp")
    x = np.array([[-np.inf, -np.inf], [np.inf, 0], [np.nan, np.inf], [-np.inf, 2], [1e30, 1e30]], dtype)
    with np.errstate(all="raise"):
        assert str(function(x).tolist()) == str([-np.inf, np.inf, np.nan, 2.0, float(dtype(1e30))])
    assert function(np.empty((2, 0), dtype)).tolist() == [-np.inf, -np.inf]
    assert function(np.empty((0, 2), dtype)).shape == (0,)
    mask = np.array([[True, False], [False, True], [False, False], [True, False], [True, True]])
    assert function(x, mask=mask).tolist() == [-np.inf, 0, -np.inf, -np.inf, float(dtype(1e30))]


@each_implementation
@each_dtype
@pytest.mark.parametrize("n", [3, 40, 300, 1011, 1500])
def test_minus_infinity_has_no_part_in_logsumexp(implementation, dtype, n):
    """Its gradient is 0, of one sign in a row wherever it stands, whatever the weight and the maximum."""
    backward = of(implementation, "logsumexp_backward")
    top = np.linspace(-90, 90, 241)
    x = rows(dtype, (len(top), n)) + top[:, np.newaxis].astype(dtype)
    nothing = np.random.default_rng(1).random(x.shape) < 0.5
    nothing[:, 1] = False
    x[nothing] = -np.inf
    for weight in (1, -0.1, 65000, -131000, 3e38):
        weights = np.full(len(top), weight, dtype)
        for got in (backward(weights, x), backward(weights, np.asfortranarray(x))):
            assert (got[nothing] == 0).all()
            negative = np.signbit(got)
            assert not ((negative & nothing).any(axis=1) & (~negative & nothing).any(axis=1)).any()


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", MASKING)
def test_masks(implementation, dtype, name):
    """A masked entry counts nothing; the gradient of a row that is masked as a whole is 0."""
    function, backward = of(implementation, name), of(implementation, name + "_backward")
    log, sink = name == "log_softmax", 0.0 if name == "softmax_one" else -np.inf
    x, grad = rows(dtype, (6, 5, 33)), rows(dtype, (6, 5, 33), 1, 1)
    mask = np.random.default_rng(2).random(x.shape) < 0.5
    mask[0, 0], mask[3], mask[:, 4, 7:] = False, False, False
    for kept in (mask, mask[0], mask[0, 0], mask[:, :1], True, np.array([[True], [False], [True], [True], [False]])):
        whole = np.broadcast_to(kept, x.shape)
        for scale in (1.0, SCALE):
            y = function(x, mask=kept, scale=scale)
            assert_within(BOUND, y, *exact(x, scale, sink, whole, log), f"{name}, {scale}")
            p = np.exp(y) if log else y
            wide = np.where(whole, grad, 0).astype(np.float64)
            total = (wide * (1 if log else p)).sum(axis=-1, keepdims=True)
            slope = scale * np.where(whole, wide - p * total if log else p * (wide - total), 0)
            bound = 40 * np.finfo(dtype).eps * np.abs(slope).max(initial=1)
            for got in (
                backward(grad, x, mask=kept, scale=scale),
                backward(grad, y=y, mask=kept, scale=scale),
                backward(grad, x, mask=kept, scale=scale, out=x.copy()),
            ):
                assert np.abs(got - slope).max() <= bound


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", [*MASKING, "logsumexp"])
def test_causal_is_a_mask(implementation, dtype, name):
    """Row i keeps columns 0 to i, alone and beside a mask, for more rows than columns and fewer."""
    function, backward = of(implementation, name), of(implementation, name + "_backward")
    for shape in ((7, 7), (2, 9, 4), (3, 2, 5, 20)):
        x = rows(dtype, shape)
        triangle = np.tri(*shape[-2:], dtype=bool)
        mask = np.random.default_rng(2).random(shape[-1]) < 0.7
        grad = rows(dtype, shape[:-1] if name == "logsumexp" else shape, 1, 1)
        for given in (None, mask):
            both = triangle if given is None else triangle & given
            assert (function(x, causal=True, mask=given) == function(x, mask=both)).all()
            assert (backward(grad, x, causal=True, mask=given) == backward(grad, x, mask=both)).all()
            assert (function(x, axis=len(shape) - 1, causal=True, mask=given) == function(x, mask=both)).all()


@each_implementation
@each_dtype
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_masks_along_any_axis(implementation, dtype, axis):
    """And from any layout, in place, without a change of the mask."""
    function, x = of(implementation, "softmax"), rows(dtype, (4, 19, 6))
    mask = np.random.default_rng(2).random(x.shape) < 0.6
    expected = np.moveaxis(function(np.moveaxis(x, axis, -1).copy(), mask=np.moveaxis(mask, axis, -1).copy()), -1, axis)
    before = mask.copy()
    for given in (x.copy(), x.copy("F"), x[:, ::-1][:, ::-1]):
        np.testing.assert_allclose(function(given, axis=axis, mask=mask), expected, rtol=8 * np.finfo(dtype).eps)
    inplace = x.copy()
    assert function(inplace, axis=axis, mask=mask, out=inplace) is inplace
    np.testing.assert_allclose(inplace, expected, rtol=8 * np.finfo(dtype).eps)
    assert (mask == before).all()


@each_implementation
@each_dtype
def test_rows_of_minus_infinity_and_masks(implementation, dtype):
    """NaN where what is kept is -inf alone, as without a mask, or holds NaN or +inf; with a finite sink 0."""
    x = np.array([[-np.inf, 3, -np.inf], [np.nan, 1, 2], [2, np.inf, 1], [np.nan, 1, 2]], dtype)
    mask = np.array([[1, 0, 1], [1, 1, 0], [1, 1, 0], [0, 1, 1]], bool)
    with np.errstate(all="raise"):
        y, one = of(implementation, "softmax")(x, mask=mask), of(implementation, "softmax_one")(x, mask=mask)
    assert np.isnan(y).tolist() == [[True, False, True], [True, True, False], [True, True, False], [False] * 3]
    assert (y[~mask] == 0).all()
    assert one[0].tolist() == [0, 0, 0]
    assert np.isnan(one[1:3]).tolist() == [[True, True, False]] * 2
    assert of(implementation, "softmax_one")(np.full((2, 3), -np.inf, dtype)).tolist() == [[0, 0, 0]] * 2


@each_implementation
@each_dtype
@pytest.mark.parametrize("sink", [0.0, -3.5, 20.0, 500.0, -500.0])
def test_sinks(implementation, dtype, sink):
    """One more logit in the denominator, however large; for each row its own; -inf is none."""
    function, x = of(implementation, "softmax_one"), rows(dtype, (3, 4, 20), 10)
    for scale in (1.0, SCALE):
        assert_within(BOUND, function(x, sink=sink, scale=scale), *exact(x, scale, sink), f"{sink}, {scale}")
    each_sink = np.array([[sink], [-np.inf], [1.0]])
    y = function(x, sink=each_sink)
    for i in range(3):
        np.testing.assert_allclose(y[i], function(x[i], sink=float(each_sink[i, 0])), rtol=8 * np.finfo(dtype).eps)
    np.testing.assert_allclose(y[1], of(implementation, "softmax")(x[1]), rtol=8 * np.finfo(dtype).eps)
    across = function(np.moveaxis(x, -1, 0), axis=0, sink=each_sink)
    np.testing.assert_allclose(np.moveaxis(across, 0, -1), y, rtol=20 * np.finfo(dtype).eps)
    grad = rows(dtype, x.shape, 1, 1)
    backward, wide = of(implementation, "softmax_one_backward"), y.astype(np.float64)
    slope = wide * (grad - (grad * wide).sum(axis=-1, keepdims=True))
    for got in (backward(grad, x, sink=each_sink), backward(grad, y=y), backward(grad, y=y, sink=each_sink)):
        assert np.abs(got - slope).max() <= 40 * np.finfo(dtype).eps


@each_implementation
@each_dtype
@each(ROWS)
def test_several_axes(implementation, one, dtype):
    """As one axis, from any layout, into any out: the same as of a reshaped copy."""
    function, shape = one.of(implementation), (3, 4, 5, 2)
    x = [rows(dtype, shape, 2, i) for i in range(one.operands)]
    if one.kind == "from_output":
        x[-1] = forward(one.activation, x[-1].reshape(shape[0], -1)).reshape(shape).astype(dtype)
    for axis in ((1, 2, 3), (0, 1), (-1, 1), (2, 0), (0, 1, 2, 3), (1,), ()):
        last = [i - len(axis) for i in range(len(axis))]

        def flat(values, axis=axis, last=last):
            moved = np.moveaxis(values, axis, last)
            return np.ascontiguousarray(moved.reshape(*moved.shape[: 4 - len(axis)], -1)), moved.shape

        expected = function(*(flat(values)[0] for values in x))
        expected = np.moveaxis(expected.reshape(flat(x[0])[1]), last, axis)
        bound = 40 * np.finfo(dtype).eps * np.abs(expected).max()
        for order in "CF":
            given = [np.asarray(values, order=order) for values in x]
            out = np.empty(shape, dtype, order="C")
            inplace = [values.copy(order="K") for values in given]
            assert function(*given, axis=axis, out=out) is out
            function(*inplace, axis=axis, out=inplace[0])
            for got in (function(*given, axis=axis), out, inplace[0]):
                assert got.shape == shape
                assert np.abs(got - expected).max() <= bound
    np.testing.assert_array_equal(function(*x, axis=(1,)), function(*x, axis=1))


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", ["sparsemax", "entmax15"])
def test_sparse(implementation, dtype, name):
    """Against the exact threshold by sorting: equal entries, one, very many, far apart."""
    function, truth = of(implementation, name), FORWARD[name]
    for n in (1, 2, 3, 17, 64, 1000):
        for spread in (0.01, 0.3, 3, 1e4, 1e30):
            x = rows(dtype, (9, n), spread)
            x[1], x[2, 1:], x[3] = 5, -np.inf, np.round(x[3])
            for got in (function(x), function(np.ascontiguousarray(x.T), axis=0).T):
                np.testing.assert_allclose(got, truth(x, -1), rtol=0, atol=8 * np.finfo(dtype).eps, err_msg=f"{n}, {spread}")
                np.testing.assert_allclose(got.sum(axis=-1, dtype=np.float64), 1, rtol=40 * np.finfo(dtype).eps)
    assert (function(np.array([[3, 0, 0.5]], dtype)) == [[1, 0, 0]]).all()


@each_implementation
@each_dtype
@each([one for one in ROWS if one.activation in ("hardmax", "sparsemax", "entmax15", "softmin", "log_softmax")])
def test_edges(implementation, dtype, one):
    """A row with NaN or +inf (of softmin -inf), or of -inf alone, is NaN and no other is; empty arrays; without a warning."""
    function, sign = one.of(implementation), -1 if one.activation == "softmin" else 1
    for n in (2, 17, 70):
        x = rows(dtype, (12, n))
        bad = [1, 4, 7]
        x[1, -1], x[4, 0], x[7] = np.nan, np.inf * sign, -np.inf * sign
        x[9, 1:] = -np.inf * sign
        if one.kind == "from_output":
            x[[1, 4, 7]] = np.nan
            x = forward(one.activation, np.nan_to_num(x, nan=0.0, neginf=-9, posinf=9)).astype(dtype)
            x[bad] = np.nan
        for laid, axis in ((x, -1), (np.ascontiguousarray(x.T), 0)):
            grad = [np.ones_like(laid)] * (one.operands - 1)
            with np.errstate(all="raise"):
                y = np.moveaxis(function(*grad, laid, axis=axis), axis, -1)
            nan = np.isnan(y)
            assert nan[bad].any(axis=-1).all()
            if one.activation != "log_softmax" and one.kind == "forward":
                assert nan[bad].all()
            assert not nan[[i for i in range(12) if i not in bad]].any()
    for shape in ((0,), (3, 0), (0, 3), (2, 0, 3)):
        for axis in (*range(len(shape)), tuple(range(len(shape)))):
            assert function(*[np.empty(shape, dtype)] * one.operands, axis=axis).shape == shape


@each_implementation
def test_infinite_gradients_of_zeros(implementation):
    """They do not come through an entry that sparsemax or entmax15 has made 0."""
    y, grad = np.array([0.75, 0.25, 0.0]), np.array([1.0, 0.0, np.inf])
    for name in ("sparsemax", "entmax15"):
        got = of(implementation, name + "_backward")(grad, y=y)
        assert np.isfinite(got).all()
        assert got[2] == 0


@each_implementation
@each_dtype
def test_hardmax(implementation, dtype):
    """The first of several largest."""
    x = np.array([[1, 3, 3], [2, 2, 2], [-5, -np.inf, -4]], dtype)
    assert of(implementation, "hardmax")(x).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert of(implementation, "hardmax")(x, axis=0)[:, 1].tolist() == [1, 0, 0]
    assert not hasattr(fastact, "hardmax_backward")
