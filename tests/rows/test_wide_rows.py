"""Wide rows, in which entries differ much or are large, are exact in every layout, and change no bit of other rows."""

import functools

import numpy as np
import pytest

from fastact import backends

from passes import each_dtype, each_implementation

# The axis, the number of rows, and their length. Each layout is computed by another algorithm: "stored" keeps exponentials
# between two passes over a row, and "twice" computes them in both.
LAYOUTS = {
    "short": (-1, 40, 5),
    "in a chunk": (-1, 10, 300),
    "stored": (-1, 10, 1500),
    "twice": (-1, 10, 140_001),
    "side by side": (0, 20, 50),
    "side by side, twice": (0, 70, 2003),
}
each_layout = pytest.mark.parametrize("layout", LAYOUTS)


def wide_rows(dtype, count, n):
    """Ten kinds of wide rows, in turn.

    They are ramps up and down, a late and an early spike, entries far below 0, -inf, -1e30 as masks use it, two wide spreads,
    and entries at the limit of moderate rows, for which K is 0.
    """
    noise = np.random.default_rng(n).normal(0, 2, (10, n))
    ramp = np.linspace(-300, 300, n)
    noise[0] += ramp
    noise[1] -= ramp
    noise[2, -1 - n // 7] += 150
    noise[3, 0] += 150
    noise[4] -= 4000
    noise[5, n // 3 :] = -np.inf
    noise[6, ::3] = -1e30
    noise[7] *= 15
    noise[8] *= 5.5
    noise[9] += 43
    noise[9, 1::2] -= 86
    return noise.astype(dtype)[np.arange(count) % 10]


@functools.lru_cache(maxsize=1)  # every implementation uses these rows before the next ones are made
def with_truth(layout, dtype):
    """Wide rows of a layout, and the exact results of the first ten."""
    _, count, n = LAYOUTS[layout]
    rows = wide_rows(dtype, count, n)
    return rows, exactly(rows[:10])


@functools.lru_cache(maxsize=1)
def moderate_rows(layout, dtype):
    """Ordinary rows of a layout."""
    _, count, n = LAYOUTS[layout]
    return np.random.default_rng(0).normal(0, 2, (count, n)).astype(dtype)


def exactly(rows):
    """softmax, log_softmax and logsumexp of rows, in long double."""
    x = rows.astype(np.longdouble)
    top = x.max(axis=-1, keepdims=True)
    e = np.exp(x - top)
    e[np.arange(len(e)), x.argmax(axis=-1)] = 0
    rest = e.sum(axis=-1, keepdims=True)  # without the largest, 1, so that a small sum keeps its digits
    return np.exp(x - top) / (1 + rest), x - top - np.log1p(rest), (top + np.log1p(rest))[:, 0]


def assert_ulps(got, expected, bound, note):
    """Fail unless each entry is within `bound` ULP. Infinite entries must be equal."""
    rounded = expected.astype(got.dtype)
    finite = np.isfinite(rounded)
    assert (got[~finite] == rounded[~finite]).all(), note
    error = np.abs(np.where(finite, got, 0) - np.where(finite, expected, 0)) / np.spacing(np.where(finite, np.abs(rounded), 1))
    worst = np.unravel_index(error.argmax(), error.shape)
    assert error[worst] <= bound, f"{note}: off by {float(error[worst]):.2f} ULP at {worst}: {got[worst]!r}"


@each_implementation
@each_dtype
@each_layout
def test_wide_rows_are_exact(implementation, dtype, layout):
    """softmax, log_softmax, logsumexp, cross_entropy and its gradient are exact for wide rows, and the same in place."""
    axis, count, n = LAYOUTS[layout]
    functions, (rows, (probabilities, logarithms, sums)) = backends.load(implementation), with_truth(layout, dtype)
    target = np.where(np.arange(count) % 2, rows.argmax(axis=-1), n // 5)
    at_target = np.arange(10), target[:10]
    slopes = probabilities.copy()
    slopes[at_target] = np.expm1(logarithms[at_target])
    x = np.ascontiguousarray(np.moveaxis(rows, -1, axis))

    def gradient(x, axis, out=None):
        return functions.cross_entropy_backward(np.ones(count, dtype), x, target, axis=axis, reduction="none", out=out)

    for function, expected, bound in (
        (functions.softmax, probabilities, 4.3),  # the promise of 4, and 0.3 for the error of the reference in float64
        (functions.log_softmax, logarithms, 4.3),
        (gradient, slopes, 6),
    ):
        got, inplace = function(x, axis=axis), x.copy()
        assert function(inplace, axis=axis, out=inplace).tobytes() == got.tobytes()
        assert_ulps(np.moveaxis(got, axis, -1)[:10], expected, bound, f"{function.__name__}, {layout}")
    assert_ulps(functions.logsumexp(x, axis=axis)[:10], sums, 2, f"logsumexp, {layout}")
    loss = functions.cross_entropy(x, target, axis=axis, reduction="none")
    assert_ulps(loss[:10], -logarithms[at_target], 4, f"cross_entropy, {layout}")


@each_implementation
@each_dtype
@each_layout
def test_wide_rows_change_no_bit_of_moderate_ones(implementation, dtype, layout):
    """A moderate row has the same bits beside moderate and beside wide rows, subnormal results too."""
    axis, count, n = LAYOUTS[layout]
    functions = backends.load(implementation)
    target, weight = np.full(count, n // 2), np.ones(count, dtype)
    moderate = (np.random.default_rng(3).uniform(-1, 1, (count, n)) * (42.9 if dtype == np.float32 else 349)).astype(dtype)
    mixed = moderate.copy()
    mixed[1::2] = wide_rows(dtype, count, n)[1::2]

    def same_bits(name, call):
        alone, beside = (call(np.ascontiguousarray(np.moveaxis(rows, -1, axis))) for rows in (moderate, mixed))
        if alone.ndim > 1:
            alone, beside = np.moveaxis(alone, axis, -1), np.moveaxis(beside, axis, -1)
        assert beside[::2].tobytes() == alone[::2].tobytes(), f"{name}, {layout}"

    options = {"axis": axis, "reduction": "none"}
    same_bits("softmax", lambda x: functions.softmax(x, axis=axis))
    same_bits("log_softmax", lambda x: functions.log_softmax(x, axis=axis))
    same_bits("cross_entropy", lambda x: functions.cross_entropy(x, target, **options))
    same_bits("its gradient", lambda x: functions.cross_entropy_backward(weight, x, target, **options))


@each_implementation
@each_dtype
@each_layout
def test_in_place_gives_the_same_bits_beside_special_rows(implementation, dtype, layout):
    """A call in place gives the bits of a new array, if one row has NaN, infinity or logits beyond 8192 too."""
    axis, count, n = LAYOUTS[layout]
    functions, target = backends.load(implementation), np.full(count, n - 2)
    for special in (np.nan, np.inf, 9000, "-inf alone", "-9000"):
        rows = moderate_rows(layout, dtype).copy()
        if isinstance(special, str):
            rows[3] = -np.inf if special == "-inf alone" else rows[3] - 9000
        else:
            rows[3, n // 2] = special
        x = np.ascontiguousarray(np.moveaxis(rows, -1, axis))
        for name, call in (
            ("softmax", lambda x, out: functions.softmax(x, axis=axis, out=out)),
            ("log_softmax", lambda x, out: functions.log_softmax(x, axis=axis, out=out)),
            ("cross_entropy", lambda x, out: functions.cross_entropy_and_grad(x, target, axis=axis, out=out)),
        ):
            new, inplace = call(x, np.empty_like(x)), x.copy()
            same = call(inplace, inplace)
            for one, other in zip(*((new, same) if isinstance(new, tuple) else ([new], [same])), strict=True):
                np.testing.assert_array_equal(np.asarray(one), np.asarray(other), f"{name}, {layout}, {special}")


@each_implementation
@each_dtype
@pytest.mark.parametrize("n", [5, 18, 64, 300, 1500])
def test_zeros_of_masked_entries_do_not_depend_on_other_rows(implementation, dtype, n):
    """The gradient of logsumexp at a masked entry is 0 of the same sign beside finite rows as beside NaN."""
    backward = backends.load(implementation).logsumexp_backward
    x = np.random.default_rng(n).normal(0, 2, (6, n)).astype(dtype)
    mask, weight = np.random.default_rng(1).random(x.shape) < 0.7, np.full(6, -1, dtype)
    mask[:, 1] = False
    expected = backward(weight, x, mask=mask)
    x[5] = np.nan
    assert backward(weight, x, mask=mask)[:5].tobytes() == expected[:5].tobytes()


@each_implementation
@each_dtype
@pytest.mark.parametrize("axis", [-1, 0])
def test_a_row_does_not_depend_on_the_weights_of_others(implementation, dtype, axis):
    """The gradient of a row is exact whatever its weight is, and its bits do not depend on the weights of other rows."""
    functions = backends.load(implementation)
    for n in (2, 40, 300):
        rows = np.random.default_rng(n).normal(0, 2, (20, n)).astype(dtype)
        rows[::2, 1] = -100
        rows[::3] += dtype(80)  # too large for moderate rows
        x, target = np.ascontiguousarray(np.moveaxis(rows, -1, axis)), np.zeros(20, np.int64)
        weight = np.ones(20, dtype)
        weight[1::2] = np.resize([1e30, -1e-30, 2.0**33, np.inf, 1e20, 1e-20, 5e-10, 3e38], 10)
        probabilities = exactly(rows)[0]
        slopes = probabilities.copy()
        slopes[:, 0] -= 1
        for name, expected in (("cross_entropy", slopes), ("logsumexp", probabilities)):
            backward = getattr(functions, f"{name}_backward")
            options, last = ({"reduction": "none"}, (x, target)) if name == "cross_entropy" else ({}, (x,))
            given = np.ones_like(weight), weight
            ones, mixed = (np.moveaxis(backward(w, *last, axis=axis, **options), axis, -1) for w in given)
            assert mixed[::2].tobytes() == ones[::2].tobytes(), f"{name}, {n}"
            finite = np.isfinite(weight)
            right = (weight[finite, None] * expected[finite])[:, 1:].astype(dtype)
            np.testing.assert_allclose(mixed[finite, 1:], right, 8 * np.finfo(dtype).eps, np.finfo(dtype).tiny)


@each_implementation
def test_a_tiny_probability_keeps_its_digits(implementation):
    """A probability of 2^-123 is within 4 ULP, and has the same bits beside any other row."""
    softmax = backends.load(implementation).softmax
    row = np.array([41.64008712768555, -43.6568717956543], np.float32)
    for others in ([-43, 43], [0, 0], [1e4, 3]):
        for axis in (0, 1):
            found = np.moveaxis(softmax(np.stack([row, np.float32(others)], 1 - axis), axis=axis), axis, -1)[0, 1]
            assert abs(float(found) - 9.0365242100841e-38) <= 4 * np.spacing(found), (others, axis)
            beside_itself = np.moveaxis(softmax(np.stack([row, row], 1 - axis), axis=axis), axis, -1)[0, 1]
            assert found.tobytes() == beside_itself.tobytes(), (others, axis)


@each_implementation
def test_a_target_of_probability_zero_costs_infinity(implementation):
    """The loss is infinite for a target whose probability is 0, as an index, in a distribution and with smoothing."""
    loss = backends.load(implementation).cross_entropy
    for rows, target, options in (
        ([[0, -np.inf, 9000]], [1], {}),
        ([[0, -np.inf]], [[0.5, 0.5]], {}),
        ([[0, -np.inf]], [1], {"label_smoothing": 0.1}),
    ):
        assert loss(np.array(rows), np.array(target), **options) == np.inf


@each_implementation
@pytest.mark.parametrize("columns", [2, 10, 100, 300, 1500])
@pytest.mark.parametrize("axis", [0, -1])
def test_a_scale_brings_very_large_logits_back(implementation, columns, axis):
    """log_softmax of a small scale is finite where x - max is not."""
    x = np.full((40, columns), -3e38, np.float32)
    x[:, columns // 2] = 3e38
    x = np.ascontiguousarray(x.T if axis == 0 else x)
    result = backends.load(implementation).log_softmax(x, axis=axis, scale=1e-3)
    np.testing.assert_allclose(result, np.where(x > 0, 0, -6e35), rtol=1e-6)


@each_implementation
@pytest.mark.parametrize("columns", [10, 100, 300, 1500])
@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("sink", [1000.1, 40.1, -3.3])
def test_a_sink_keeps_the_digits_of_a_double(implementation, columns, axis, sink):
    """softmax_one of float32 is off by at most 4 ULP for a sink that is no float32 number."""
    x = np.random.default_rng(columns).normal(0, 1, (40, columns)).astype(np.float32)
    arranged = np.ascontiguousarray(x.T if axis == 0 else x)
    result = backends.load(implementation).softmax_one(arranged, axis=axis, sink=sink)
    top = np.maximum(x.max(axis=-1, keepdims=True), sink, dtype=float)
    exponentials = np.exp(x.astype(float) - top)
    truth = exponentials / (exponentials.sum(axis=-1, keepdims=True) + np.exp(sink - top))
    unit = np.spacing(np.maximum(truth, np.finfo(np.float32).tiny).astype(np.float32))
    assert (np.abs((result.T if axis == 0 else result) - truth) <= 4 * unit).all()


@each_implementation
@pytest.mark.parametrize("columns", [10, 100, 300, 1500])
@pytest.mark.parametrize("axis", [0, -1])
def test_tiny_gradients_of_small_logits_keep_their_digits(implementation, columns, axis):
    """softmax_backward is right where the products of exponentials and gradients would be subnormal."""
    generator = np.random.default_rng(columns)
    x = generator.normal(-43, 0.3, (40, columns)).astype(np.float32)
    grad = generator.normal(0, 1e-25, x.shape).astype(np.float32)
    p = np.exp(x.astype(float))
    p /= p.sum(axis=-1, keepdims=True)
    truth = p * (grad - (p * grad).sum(axis=-1, keepdims=True))
    arrange = (lambda a: np.ascontiguousarray(a.T)) if axis == 0 else (lambda a: a)
    result = backends.load(implementation).softmax_backward(arrange(grad), arrange(x), axis=axis)
    np.testing.assert_allclose(result.T if axis == 0 else result, truth, rtol=1e-6, atol=1e-6 * np.abs(truth).max())
