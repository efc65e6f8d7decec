"""The gradient of the sink is that of one more logit: against softmax over both, differences and exact values."""

import itertools

import mpmath
import numpy as np
import pytest

from fastact import backends

import arrays
import oracle
from arrays import refused
from passes import each_backend, each_dtype, each_implementation
from row_truth import assert_within

HEADS = 3


def functions_of(implementation):
    """softmax_one and its backward pass."""
    functions = backends.load(implementation)
    return functions.softmax_one, functions.softmax_one_backward


def attention(dtype, n=6, spread=2.0, seed=0):
    """Scores of two batches and three heads, their gradient, a sink for each head, and a mask of padding."""
    rng = np.random.default_rng(seed)
    x, grad = (rng.normal(0, width, (2, HEADS, n, n)).astype(dtype) for width in (spread, 1.0))
    sink = rng.normal(0, 2, (HEADS, 1)).astype(dtype)
    return x, grad, sink, rng.random((2, 1, 1, n)) < 0.7


def joint(x, grad, sink, scale=1.0, mask=None, causal=False):
    """Both gradients from the softmax over [scale * x, sink] in float64, with the rows along the last axis."""
    z = np.asarray(x, np.float64) * scale
    kept = np.broadcast_to(True if mask is None else mask, x.shape)
    kept = kept & np.tri(*x.shape[-2:], dtype=bool) if causal else kept
    each = np.broadcast_to(np.asarray(sink, np.float64), x.shape[:-1])[..., None]
    z = np.concatenate([np.where(kept, z, -np.inf), each], axis=-1)
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    y = e / e.sum(axis=-1, keepdims=True)
    g = np.concatenate([np.where(kept, grad, 0), np.zeros_like(each)], axis=-1)
    slope = y * (g - (g * y).sum(axis=-1, keepdims=True))
    return scale * slope[..., :-1], slope[..., -1]


def summed_to(rows, shape):
    """The sum over the axes along which an array of this shape was broadcast to the rows."""
    padded = (1,) * (rows.ndim - len(shape)) + tuple(shape)
    return rows.sum(axis=tuple(i for i in range(rows.ndim) if padded[i] == 1), keepdims=True).reshape(shape)


def options_of(mask):
    """Options of a call."""
    whole = {"mask": np.tile(mask, (1, HEADS, mask.shape[-1], 1))}
    return [
        {},
        {"scale": 0.125},
        {"scale": -0.7},
        {"causal": True},
        {"mask": mask},
        whole,
        {"scale": 3, "causal": True, "mask": mask},
    ]


@each_implementation
@each_dtype
def test_it_is_that_of_one_more_logit(implementation, dtype):
    """Both gradients are those of softmax over [x, sink], with every option, from x and from y, for every shape of the sink."""
    forward, backward = functions_of(implementation)
    x, grad, heads, mask = attention(dtype)
    rng = np.random.default_rng(1)
    sinks = [heads, np.float32(0.5), 0.0, rng.normal(size=6), rng.normal(size=x.shape[:-1]), rng.normal(size=(2, 1, 1))]
    for sink, given in itertools.product(sinks, options_of(mask)):
        slope, of_rows = joint(x, grad, sink, **given)
        right, allowed = summed_to(of_rows, np.shape(sink)), 60 * np.finfo(dtype).eps
        y = forward(x, sink=sink, **given)
        for last, y_given in (((x,), {}), ((), {"y": y})):
            got, of_sink = backward(grad, *last, sink=sink, sink_grad=True, **given, **y_given)
            arrays.assert_same_bits(got, backward(grad, *last, sink=sink, **given, **y_given), "with and without sink_grad")
            assert np.shape(of_sink) == np.shape(sink)
            assert of_sink.dtype == dtype
            np.testing.assert_allclose(of_sink, right, rtol=allowed, atol=allowed * np.abs(of_rows).sum() / np.size(sink))
        np.testing.assert_allclose(got, slope, rtol=0, atol=allowed * max(1, np.abs(slope).max()))


@each_backend
def test_it_is_the_derivative(implementation):
    """It is the difference quotient of the function."""
    forward, backward = functions_of(implementation)
    x, grad, heads, mask = attention(np.float64)
    for sink, given in itertools.product((heads, heads[None, ..., None], np.array(0.3)), options_of(mask)):
        _, got = backward(grad, x, sink=sink, sink_grad=True, **given)
        for place in np.ndindex(sink.shape):
            low, high = sink.copy(), sink.copy()
            low[place] -= 1e-5
            high[place] += 1e-5
            total = ((forward(x, sink=high, **given) - forward(x, sink=low, **given)) * grad).sum() / 2e-5
            np.testing.assert_allclose(got[place], total, rtol=1e-7, atol=1e-9)


@each_implementation
@each_dtype
@pytest.mark.parametrize("distance", [-80.0, -30.0, -8.0, 0.0, 3.0, 60.0])
def test_it_keeps_its_digits_from_the_input(implementation, dtype, distance):
    """Each row's gradient is within 9 ULP, for large logits and for a sink with nearly nothing or nearly all, and any scale."""
    _, backward = functions_of(implementation)
    mp = mpmath.MPContext()
    mp.dps = 60
    rng = np.random.default_rng(3)
    x, grad = (1000 + rng.normal(0, 2, (12, 9))).astype(dtype), rng.uniform(0.5, 1.5, (12, 9)).astype(dtype)
    for scale in (1.0, 0.1, -0.7):
        sink, exact = (scale * 1000 + distance + rng.normal(size=12)).astype(dtype), []
        for row, g, of_row in zip(x.tolist(), grad.tolist(), sink.tolist(), strict=True):
            e = [mp.exp(mp.mpf(scale) * value) for value in row]
            of_sink = mp.exp(mp.mpf(of_row))
            total = mp.fsum(e) + of_sink
            exact.append(-of_sink / total * mp.fsum(a * b for a, b in zip(g, e, strict=True)) / total)
        _, got = backward(grad, x, sink=sink, scale=scale, sink_grad=True)
        assert_within(9, got, *oracle.split(exact, dtype), f"scale {scale}")


@each_implementation
def test_it_is_summed_in_float64(implementation):
    """The sum over many rows in float32 is rounded once."""
    _, backward = functions_of(implementation)
    rng = np.random.default_rng(4)
    x, grad = (rng.normal(1, 1, (20000, 8)).astype(np.float32) for _ in range(2))
    _, total = backward(grad, x, sink_grad=True)
    right = joint(x, grad, 0.0)[1].sum()
    assert abs(total - right) <= 0.75 * abs(np.spacing(total))


@each_implementation
@each_dtype
def test_masked_entries_do_not_matter(implementation, dtype):
    """What a masked entry or its gradient holds does not matter. A row that is masked as a whole gives 0, one with a NaN NaN."""
    forward, backward = functions_of(implementation)
    x, grad, sink, mask = attention(dtype)
    mask = np.tile(mask, (1, HEADS, 6, 1))
    mask[0, 1, 2] = False
    given = {"sink": sink, "mask": mask, "causal": True, "sink_grad": True}
    kept = mask & np.tri(6, dtype=bool)
    right = backward(grad, x, **given)[1]
    for poison in (np.nan, np.inf, -np.inf):
        spoilt, spoilt_grad = np.where(kept, x, poison).astype(dtype), np.where(kept, grad, poison).astype(dtype)
        with np.errstate(all="raise"):
            arrays.assert_same_bits(backward(spoilt_grad, spoilt, **given)[1], right, "from x")
            y = forward(x, sink=sink, mask=mask, causal=True)
            arrays.assert_same_bits(backward(spoilt_grad, y=y, **given)[1], backward(grad, y=y, **given)[1], "from y")
    assert backward(grad, x, sink=sink, mask=np.False_, sink_grad=True)[1].tolist() == [[0]] * HEADS
    assert backward(grad, x, sink=-np.inf, sink_grad=True)[1] == 0
    assert backward(grad, y=forward(x, sink=-np.inf), sink=-np.inf, sink_grad=True)[1] == 0
    x[0, 2, 1, 0] = np.nan
    assert np.isnan(backward(grad, x, sink=sink, sink_grad=True)[1])[:, 0].tolist() == [False, False, True]
    assert backward(np.ones((3, 0), dtype), np.ones((3, 0), dtype), sink_grad=True)[1] == 0


@each_implementation
@each_dtype
def test_axes_and_layouts(implementation, dtype):
    """Along any axis or several, from any layout, also of arrays that broadcast, and of scalars."""
    _, backward = functions_of(implementation)
    x, grad, _, _ = attention(dtype)
    close = {"rtol": 50 * np.finfo(dtype).eps, "atol": 50 * np.finfo(dtype).eps}
    for axis in (0, 1, -2, (2, 3), (-1, 1), None):
        axes = tuple(range(4)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        axes = [i % 4 for i in axes]
        others = [i for i in range(4) if i not in axes]
        shape = [x.shape[i] for i in others]
        rows, of_rows = (array.transpose(*others, *axes).reshape(*shape, -1) for array in (x, grad))
        for sink in (
            np.linspace(-1, 1, shape[-1]) if shape else 0.3,
            0.5,
            np.full([1 if i in axes else x.shape[i] for i in range(4)], 0.25),
        ):
            flat = np.reshape(sink, shape) if np.ndim(sink) == 4 else sink
            right = summed_to(joint(rows, of_rows, flat)[1], np.shape(flat)).reshape(np.shape(sink))
            for order in "CF":
                got = backward(np.asarray(grad, order=order), np.asarray(x, order=order), axis, sink=sink, sink_grad=True)[1]
                np.testing.assert_allclose(got, right, **close)
    right = joint(x, np.broadcast_to(grad[0, 0, 0], x.shape), 0.0)[1].sum()
    np.testing.assert_allclose(backward(grad[0, 0, 0], x, sink_grad=True)[1], right, **close)
    one, two = backward(dtype(2), dtype(0.5), sink=1.0, sink_grad=True)
    share = 1 / (1 + np.exp(-0.5))
    np.testing.assert_allclose([one, two], [2 * share * (1 - share)] * 2 * np.array([1, -1]), rtol=1e-6)


@each_implementation
@each_dtype
def test_out(implementation, dtype):
    """out= is an array for the gradient of x, or two; both in place of an operand, and other dtypes."""
    _, backward = functions_of(implementation)
    x, grad, sink, _ = attention(dtype)
    first, second = backward(grad, x, sink=sink, causal=True, sink_grad=True)
    for place in ("x", "grad"):
        given = {"x": x.copy(), "grad": grad.copy()}
        of_sink = sink.copy()
        got = backward(given["grad"], given["x"], sink=of_sink, causal=True, sink_grad=True, out=(given[place], of_sink))
        assert got[0] is given[place] and got[1] is of_sink
        arrays.assert_same_bits(got[0], first, place)
        arrays.assert_same_bits(got[1], second, "sink in place")
    alone = grad.copy()
    got = backward(alone, x, sink=sink, causal=True, sink_grad=True, out=alone)
    assert got[0] is alone
    arrays.assert_same_bits(got[1], second, "out alone")
    wide = np.empty(sink.shape)
    got = backward(grad, x, sink=sink, causal=True, sink_grad=True, out=(None, wide))
    assert got[1] is wide
    np.testing.assert_array_equal(wide, second)
    arrays.assert_same_bits(got[0], first, "None")
    assert backward(x, x, sink_grad=True, dtype=np.float64)[1].dtype == np.float64


@each_backend
def test_wrong_calls_are_refused(implementation):
    """The error names the argument, and nothing is written before it."""
    forward, backward = functions_of(implementation)
    x, grad, sink, _ = attention(np.float32)
    out = (x.copy(), sink.copy())
    given = {"sink": sink, "out": out}
    for wrong in (1, None, "yes"):
        refused(TypeError, "argument sink_grad must be True or False, not", backward, grad, x, sink_grad=wrong, **given)
    refused(TypeError, "unexpected keyword argument 'sink_grad'", forward, x, sink_grad=True)
    refused(
        TypeError,
        "unexpected keyword argument 'sink_grad'",
        backends.load(implementation).softmax_backward,
        grad,
        x,
        sink_grad=True,
    )
    given["sink_grad"] = True
    refused(ValueError, "needs two entries in the 'out' tuple, not 1", backward, grad, x, **{**given, "out": out[:1]})
    refused(
        ValueError,
        r"needs out= of shape \(3, 1\) for the gradient of sink, got \(3,\)",
        backward,
        grad,
        x,
        **{**given, "out": (None, np.ones(3, "f"))},
    )
    refused(TypeError, "Cannot cast", backward, grad, x, **{**given, "out": (None, np.ones((3, 1), int))})
    memory = np.ones((2, HEADS, 6, 6), np.float32)
    refused(
        ValueError, "arrays that do not overlap in out=", backward, grad, x, **{**given, "out": (memory, memory[0, :, 0, :1])}
    )
    refused(ValueError, "a sink that broadcasts", backward, grad, x, **{**given, "sink": np.ones((2, 3, 6, 2))})
    refused(ValueError, "sink must be finite", backward, grad, x, **{**given, "sink": np.nan})
    refused(TypeError, "real numbers", backward, grad.astype(complex), x, **given)
    refused(ValueError, "scale must be finite", backward, grad, x, scale=np.inf, **given)
    refused(TypeError, "has no where=", backward, grad, x, where=True, **given)
    refused(TypeError, "got both", backward, grad, x, y=x, **given)
    refused(ValueError, "causal=True needs", backward, grad, x, axis=0, causal=True, sink=0.0, sink_grad=True)
    refused(ValueError, "mismatch", backward, grad[..., :2], x, **given)
    refused(ValueError, "got a scalar", backward, 1.0, x, **given)


@each_backend
def test_arrays_of_other_libraries(implementation):
    """numpy.ma's masked entries take no part, and xarray keeps the labels of the sink."""
    _, backward = functions_of(implementation)
    x, grad, sink, mask = attention(np.float64)
    hidden = np.broadcast_to(~mask, x.shape)
    given = {"sink": sink, "sink_grad": True}
    right = backward(grad, x, mask=mask, **given)
    first, second = backward(grad, np.ma.array(x, mask=hidden), **given)
    assert (first.mask == hidden).all()
    np.testing.assert_allclose(second, right[1], rtol=1e-12)
    first, second = backward(np.ma.array(grad, mask=hidden), x, **given)
    np.testing.assert_allclose(second, backward(np.where(hidden, 0, grad), x, **given)[1], rtol=1e-12)
    xr = pytest.importorskip("xarray")
    names = ("batch", "head", "query", "key")
    scores, heads = xr.DataArray(x, dims=names), xr.DataArray(sink, dims=("head", "query"), coords={"head": list("abc")})
    first, second = backward(xr.DataArray(grad, dims=names), scores, sink=heads, sink_grad=True)
    assert first.dims == names and second.dims == heads.dims
    assert second["head"].values.tolist() == list("abc")
    np.testing.assert_array_equal(second.values, backward(grad, x, **given)[1])


@each_backend
def test_dask_arrays(implementation):
    """Both gradients of dask arrays are lazy, for every shape of the sink."""
    da = pytest.importorskip("dask.array")
    import fastact

    if implementation != fastact.simd:
        pytest.skip("the functions of the package are called on blocks")
    forward, backward = functions_of(implementation)
    x, grad, heads, mask = attention(np.float32)
    d, d_grad = (da.from_array(array, chunks=(1, 2, 3, -1)) for array in (x, grad))
    for sink, given in itertools.product((heads, heads[None, ..., None], 0.5, x[..., 0]), options_of(mask)):
        first, second = backward(grad, x, sink=sink, sink_grad=True, **given)
        lazy_sink = da.from_array(sink, chunks=1) if np.ndim(sink) else sink
        y = forward(d, sink=sink, **given)
        for got in (
            backward(d_grad, d, sink=sink, sink_grad=True, **given),
            backward(d_grad, d, sink=lazy_sink, sink_grad=True, **given),
            backward(grad, d, sink=sink, sink_grad=True, **given),
        ):
            assert all(isinstance(one, da.Array) for one in got)
            assert got[1].shape == np.shape(sink) and got[1].dtype == np.float32
            arrays.assert_same_bits(got[0].compute(scheduler="sync"), first, f"{given}")
            np.testing.assert_allclose(got[1].compute(scheduler="sync"), second, rtol=1e-5, atol=1e-6)
        _, of_y = backward(d_grad, y=y, sink=sink, sink_grad=True, **given)
        np.testing.assert_allclose(of_y.compute(scheduler="sync"), second, rtol=1e-4, atol=1e-5)
