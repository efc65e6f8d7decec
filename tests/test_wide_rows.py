"""Rows whose largest entry comes late, or that have no moderate entry: exponentials by a K that is raised on the way, over every layout."""

import numpy as np
import pytest

from fastact import implementations

from passes import each_dtype, each_implementation

# Entries of a row, and rows: short, in one chunk, stored between the passes, taken twice, and the same side by side.
LAYOUTS = {
    "short": (-1, 5, 40),
    "a chunk": (-1, 5, 300),
    "stored": (-1, 3, 1500),
    "twice": (-1, 2, 140_001),
    "side by side": (0, 20, 50),
    "side by side, twice": (0, 70, 2003),
}


def wide_rows(dtype, count, n):
    """Ramps up and down, a late and an early spike, far below 0, -inf and a masking number, spread wide and about the limit of K = 0."""
    generator = np.random.default_rng(n)
    noise = generator.normal(0, 2, (10, n))
    ramp = np.linspace(-300, 300, n)
    kinds = [noise[0] + ramp, noise[1] - ramp, noise[2], noise[3], noise[4] - 4000, noise[5], noise[6], noise[7] * 15, noise[8] * 5.5, noise[9] + 43]
    kinds[2][-1 - n // 7] += 150
    kinds[3][0] += 150
    kinds[5][n // 3 :] = -np.inf
    kinds[6][::3] = -1e30
    kinds[9][1::2] -= 86
    kinds = np.array(kinds, dtype)
    return kinds[np.arange(count) % len(kinds)], kinds


def exactly(rows):
    """The softmax, its logarithm, and that of the sum, in 80 bits."""
    x = rows.astype(np.longdouble)
    shifted = x - x.max(axis=-1, keepdims=True)
    e = np.exp(shifted)
    dominant = np.arange(x.shape[-1]) == x.argmax(axis=-1)[:, None]
    rest = np.where(dominant, 0, e).sum(axis=-1, keepdims=True)  # a small rest keeps its digits
    return e / (1 + rest), shifted - np.log1p(rest), (x.max(axis=-1, keepdims=True) + np.log1p(rest))[:, 0]


def assert_ulps(got, expected, bound, note):
    """Each entry within so many units of its last place, or of the smallest number."""
    finite = np.isfinite(expected.astype(got.dtype))
    assert (got[~finite] == expected.astype(got.dtype)[~finite]).all(), note
    with np.errstate(invalid="ignore"):
        error = np.where(finite, np.abs(got - expected) / np.spacing(np.abs(expected.astype(got.dtype))), 0)
    worst = np.unravel_index(error.argmax(), error.shape)
    assert error[worst] <= bound, f"{note}: off by {float(error[worst]):.2f} ULP at {worst}: {got[worst]!r}"


@each_implementation
@each_dtype
@pytest.mark.parametrize("layout", LAYOUTS)
def test_wide_rows(implementation, dtype, layout):
    """Softmax and its logarithm, new and in place, the logarithm of the sum, and a loss with its gradient."""
    axis, count, n = LAYOUTS[layout]
    for start in range(0, 10, 5):
        _, kinds = wide_rows(dtype, count, n)
        kinds = kinds[(start + np.arange(count)) % 10]
        functions = implementations.load(implementation)
        x = np.ascontiguousarray(np.moveaxis(kinds, -1, axis))
        few = kinds[:10]
        probabilities, logarithms, sums = exactly(few)
        for name, expected in (("softmax", probabilities), ("log_softmax", logarithms)):
            got, inplace = getattr(functions, name)(x, axis=axis), x.copy()
            assert getattr(functions, name)(inplace, axis=axis, out=inplace).tobytes() == got.tobytes()
            assert_ulps(np.moveaxis(got, axis, -1)[:10], expected, 4.3, f"{name}, {layout}")
        assert_ulps(functions.logsumexp(x, axis=axis)[:10], sums, 2, f"logsumexp, {layout}")
        target = np.where(np.arange(count) % 2, kinds.argmax(axis=-1), n // 5)
        loss, grad = functions.cross_entropy(x, target, axis=axis, reduction="none"), x.copy()
        functions.cross_entropy_backward(np.ones(count, dtype), x, target, axis=axis, reduction="none", out=grad)
        inplace = x.copy()
        functions.cross_entropy_backward(np.ones(count, dtype), inplace, target, axis=axis, reduction="none", out=inplace)
        assert inplace.tobytes() == grad.tobytes()
        rows = np.arange(len(few))
        assert_ulps(loss[:10], -logarithms[rows, target[:10]], 4, f"cross_entropy, {layout}")
        expected = probabilities.copy()
        expected[rows, target[:10]] = np.expm1(logarithms[rows, target[:10]])
        assert_ulps(np.moveaxis(grad, axis, -1)[:10], expected, 6, f"its gradient, {layout}")


@each_implementation
@each_dtype
@pytest.mark.parametrize("layout", LAYOUTS)
def test_wide_rows_beside_moderate_ones(implementation, dtype, layout):
    """The same bits in both company and alone, subnormal results included."""
    axis, count, n = LAYOUTS[layout]
    kinds, _ = wide_rows(dtype, max(count, 40 if n < 1000 else count), n)
    edge = np.random.default_rng(3).uniform(-1, 1, kinds.shape) * 42.9 if dtype == np.float32 else kinds / 10
    edge[np.isnan(edge) | np.isinf(edge) | (np.abs(edge) > 349)] = 0
    moderate = edge.astype(dtype)
    functions = implementations.load(implementation)
    mixed = moderate.copy()
    mixed[1::2] = kinds[1::2]
    target = np.full(len(kinds), n // 2)
    calls = {
        "softmax": lambda x: functions.softmax(x, axis=axis),
        "log_softmax": lambda x: functions.log_softmax(x, axis=axis),
        "cross_entropy": lambda x: functions.cross_entropy(x, target, axis=axis, reduction="none"),
        "its gradient": lambda x: functions.cross_entropy_backward(np.ones(len(kinds), dtype), x, target, axis=axis, reduction="none"),
    }
    for name, call in calls.items():
        alone, beside = (call(np.ascontiguousarray(np.moveaxis(rows, -1, axis))) for rows in (moderate, mixed))
        if alone.ndim > 1:
            alone, beside = np.moveaxis(alone, axis, -1), np.moveaxis(beside, axis, -1)
        assert beside[::2].tobytes() == alone[::2].tobytes(), f"{name}, {layout}"
