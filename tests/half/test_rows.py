"""Rows and losses in half precision: the results of float32, rounded once, in every layout and with every option."""

import numpy as np
import pytest

from fastact import backends
from fastact.declare import ROWS as DECLARED

from halves import assert_rounded, each_half, half, rounded, single
from passes import best_compiled, each_implementation

# Rows that fit the buffers and rows that do not; along memory, across it, and between.
LAYOUTS = {
    "short": ((300, 7), -1, lambda x: x),
    "one of one": ((1, 1), -1, lambda x: x),
    "long": ((2, 9000), -1, lambda x: x),
    "one axis": ((1500,), 0, lambda x: x),
    "across": ((40, 530), 0, lambda x: x),
    "long, across": ((5000, 3), 0, lambda x: x),
    "the middle": ((3, 20, 70), 1, lambda x: x),
    "all": ((5, 6, 7), None, lambda x: x),
    "every second row": ((60, 33), -1, lambda x: x[::2]),
    "gaps in a row": ((20, 66), -1, lambda x: x[:, ::2]),
    "backwards": ((20, 66), -1, lambda x: x[::-1, ::-1]),
    "broadcast": ((1, 50), -1, lambda x: np.broadcast_to(x, (9, 50))),
    "no rows": ((0, 5), -1, lambda x: x),
    "no entries": ((5, 0), -1, lambda x: x),
}


def array(shape, dtype, seed=0):
    """Entries of a normal distribution."""
    return np.random.default_rng(seed).normal(0, 3, shape).astype(np.float32).astype(dtype)


def calls(of, name):
    """The ways to call one function along an axis, each with its operands: functions of x, grad and keywords."""
    row = DECLARED[name]
    yield lambda x, grad, **given: getattr(of, name)(x, **given)
    if row.slope:
        backward = getattr(of, f"{name}_backward")
        yield lambda x, grad, **given: backward(grad, x, **given)
        if row.backward_from_output:
            yield lambda x, grad, **given: backward(grad, y=x, **{k: v for k, v in given.items() if k != "sink"})


def options(name, shape):
    """Some options that the function takes."""
    rng = np.random.default_rng(3)
    every = {"scale": 0.3, "mask": rng.random(shape) < 0.7, "sink": 0.5, "causal": True}
    taken = {key: value for key, value in every.items() if key in DECLARED[name].by_name}
    yield {}
    for key, value in taken.items():
        yield {key: value}
    if len(taken) > 1:
        yield taken


@each_half
@each_implementation
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(implementation, name, layout):
    """New results, results in place, and results in another array."""
    dtype, of = half(name), backends.load(implementation)
    shape, axis, view = LAYOUTS[layout]
    x, grad = view(array(shape, dtype)), view(array(shape, dtype, 1))
    # In float32, rows that are neither along memory nor across it take another way, whose last bits may differ.
    plain = single(x) if layout not in ("gaps in a row", "backwards") else np.ascontiguousarray(single(x))
    wide_grad = np.ascontiguousarray(single(grad)) if plain.flags.c_contiguous else single(grad)
    for function, row in DECLARED.items():
        if x.size == 0 and function not in ("softmax", "logsumexp"):
            continue
        reduces = row.reduces
        for call in calls(of, function):
            weight = grad if not reduces else dtype.type(0.5)
            wide_weight = wide_grad if not reduces else np.float32(0.5)
            wide = call(plain, wide_weight, axis=axis)
            assert_rounded(call(x, weight, axis=axis), wide, dtype, (function, layout))
            if reduces or not x.size:
                continue
            out = np.full(x.shape, 7, dtype)
            assert call(x, weight, axis=axis, out=out) is out
            assert_rounded(out, wide, dtype, (function, layout, "out"))
            if layout != "broadcast":
                same = x.copy(order="K")
                assert_rounded(call(same, weight, axis=axis, out=same), wide, dtype, (function, layout, "in place"))
                same = grad.copy(order="K")
                assert_rounded(call(x, same, axis=axis, out=same), wide, dtype, (function, layout, "over the gradient"))


@each_half
@each_implementation
@pytest.mark.parametrize("function", [name for name, row in DECLARED.items() if row.by_name])
def test_options(implementation, name, function):
    """scale, sink, mask and causal, alone and together."""
    dtype, of = half(name), backends.load(implementation)
    for shape in ((2, 20, 30), (3, 4, 4), (40, 1200)):
        x, grad = array(shape, dtype), array(shape, dtype, 1)
        for given in options(function, shape):
            for call in calls(of, function):
                grad = grad if not DECLARED[function].reduces else array(shape[:-1], dtype, 1)
                wide = call(single(x), single(grad), **given)
                assert_rounded(call(x, grad, **given), wide, dtype, (shape, list(given)))
                if "causal" not in given:
                    wide = call(
                        single(x),
                        single(array(shape[:-2] + shape[-1:], dtype, 1)) if grad.ndim < x.ndim else single(grad),
                        axis=-2,
                        **{**given, **({"sink": 0.5} if "sink" in given else {})},
                    )
                    got = call(x, array(shape[:-2] + shape[-1:], dtype, 1) if grad.ndim < x.ndim else grad, axis=-2, **given)
                    assert_rounded(got, wide, dtype, (shape, list(given), "axis -2"))


@each_half
@each_implementation
def test_gradient_of_the_sink(implementation, name):
    """It is summed in float64, from probabilities of float32."""
    dtype, of = half(name), backends.load(implementation)
    x, grad = array((2, 3, 8, 9), dtype), array((2, 3, 8, 9), dtype, 1)
    for sink in (0.5, np.array([[0.0], [1.0], [5.0]])):
        for given in ({}, {"scale": 0.5, "mask": x > -2}):
            wide = of.softmax_one_backward(single(grad), single(x), sink=sink, sink_grad=True, **given)
            got = of.softmax_one_backward(grad, x, sink=sink, sink_grad=True, **given)
            assert_rounded(got, wide, dtype, (np.shape(sink), list(given)))


@each_half
@each_implementation
def test_gumbel_softmax(implementation, name):
    """The noise is added in float32. A draw of one seed is that of float32, rounded."""
    dtype, of = half(name), backends.load(implementation)
    x = array((6, 50), dtype)
    for given in ({}, {"tau": 0.5}, {"hard": True}, {"axis": 0}, {"axis": None}):
        wide = of.gumbel_softmax(single(x), rng=5, **given)
        assert_rounded(of.gumbel_softmax(x, rng=5, **given), wide, dtype, given)
        same = x.copy()
        assert of.gumbel_softmax(same, rng=5, out=same, **given) is same
        assert_rounded(same, wide, dtype, given)
    y = of.gumbel_softmax(x, rng=5)
    assert_rounded(of.gumbel_softmax_backward(x, y=y), of.gumbel_softmax_backward(single(x), y=single(y)), dtype, "backward")


LOSSES = ("", "_backward", "_and_grad")


def loss_calls(of, loss, x, target, reduction, **given):
    """The loss, its gradient and both."""
    grad = x[(0,) * (x.ndim - 1)][:1].reshape(()) if reduction != "none" else None
    if hasattr(of, loss):
        yield getattr(of, loss)(x, target, reduction=reduction, **given)
        if grad is None:
            axis = given.get("axis", -1)
            shape = x.shape if loss != "cross_entropy" else tuple(np.delete(x.shape, axis))
            grad = np.resize(x, shape)
        yield getattr(of, f"{loss}_backward")(grad, x, target, reduction=reduction, **given)
    yield getattr(of, f"{loss}_and_grad")(x, target, reduction=reduction, **given)


@each_half
@each_implementation
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy(implementation, name, reduction):
    """Indices, distributions, weights of classes, rows that do not count, any axis; sums lose nothing to half precision."""
    dtype, of = half(name), backends.load(implementation)
    rng = np.random.default_rng(4)
    for shape, axis in (((9, 5), -1), ((3000, 10), -1), ((4, 7, 50), 1), ((2, 5000), -1), ((60, 40), 0)):
        x = array(shape, dtype)
        index = rng.integers(0, shape[axis], np.delete(shape, axis))
        some = index.copy()
        some.flat[::3] = -100
        spread = np.abs(array(shape, dtype, 2))
        for target, given in (
            (index, {}),
            (some, {}),
            (index, {"label_smoothing": 0.1}),
            (index, {"weight": rng.random(shape[axis])}),
            (index, {"weight": rng.random(shape[axis]), "label_smoothing": 0.1}),
            (spread, {}),
        ):
            got = loss_calls(of, "cross_entropy", x, target, reduction, axis=axis, **given)
            wide = loss_calls(of, "cross_entropy", single(x), single(target), reduction, axis=axis, **given)
            for one, right in zip(got, wide, strict=True):
                assert_rounded(one, right, dtype, (shape, axis, list(given)))
    x = array((50, 8), dtype)
    out = x.copy()
    loss, grad = of.cross_entropy_and_grad(out, np.arange(50) % 8, reduction=reduction, out=out)
    assert grad is out
    assert_rounded((loss, grad), of.cross_entropy_and_grad(single(x), np.arange(50) % 8, reduction=reduction), dtype, "in place")


@each_half
@each_implementation
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses_of_elements(implementation, name, reduction):
    """Every loss of elements, with its own parameters as numbers and as arrays."""
    dtype, of = half(name), backends.load(implementation)
    from fastact.declare import LOSSES as DECLARED_LOSSES

    seen = 0
    for loss, facts in DECLARED_LOSSES.items():
        if facts.of_rows:
            continue
        for shape in ((5000,), (3, 70), (300, 41)):
            x = array(shape, dtype)
            target = (array(shape, dtype, 2) > 0).astype(dtype) if facts.labels else array(shape, dtype, 2)
            wheres = [{}, {next(iter(facts.parameters)): 1.7}] if facts.parameters else [{}]
            if facts.parameters:
                wheres.append({next(reversed(facts.parameters)): np.abs(array(shape[-1:], dtype, 3)) + dtype.type(1)})
            for given in wheres:
                wide_given = {key: single(value) for key, value in given.items()}
                got = loss_calls(of, loss, x, target, reduction, **given)
                wide = loss_calls(of, loss, single(x), single(target), reduction, **wide_given)
                for one, right in zip(got, wide, strict=True):
                    assert_rounded(one, right, dtype, (loss, shape, list(given)))
                    seen += 1
    assert seen > 10


@each_implementation
def test_many_rows_are_summed_in_double(implementation):
    """A mean of 70,000 losses of 10 each. Their sum is no float16, and neither is their number."""
    of = backends.load(implementation)
    x = np.zeros((70000, 2), np.float16)
    x[:, 0] = 10
    loss, grad = of.cross_entropy_and_grad(x, np.ones(70000, int))
    assert loss == np.float16(10.000046) and loss.dtype == np.float16
    assert (np.abs(grad[:, 0]) > 0).all()  # 1 / 70000 is subnormal in float16
    assert np.isinf(of.cross_entropy(x, np.ones(70000, int), reduction="sum"))


@each_half
@each_implementation
def test_losses_that_take_the_long_way(implementation, name):
    """Indices of other integers, gradients in other arrays, and layouts that no fast path takes."""
    dtype, of = half(name), backends.load(implementation)
    x, index = array((60, 40), dtype), np.random.default_rng(5).integers(0, 40, 60)
    wide = of.cross_entropy_and_grad(single(x), index)
    assert_rounded(of.cross_entropy_and_grad(x, index.astype(np.int32)), wide, dtype, "int32")
    grad = of.cross_entropy_and_grad(x, index, out=np.empty(x.shape, np.float32))[1]
    assert grad.dtype == np.float32 and (grad == rounded(wide[1], dtype)).all()  # as out= of every ufunc
    grad = of.cross_entropy_and_grad(single(x), index, out=np.empty(x.shape, dtype))[1]
    assert_rounded(grad, wide[1], dtype, "a float32 loss with a gradient of half precision")
    got = of.cross_entropy_and_grad(np.asfortranarray(x), index)
    assert_rounded(got, of.cross_entropy_and_grad(np.asfortranarray(single(x)), index), dtype, "Fortran")
    across = of.cross_entropy_and_grad(single(x), index[:40], axis=0)
    assert_rounded(of.cross_entropy_and_grad(x, index[:40].astype(np.int32), axis=0), across, dtype, "across")
    target = (x > 0).astype(dtype)
    of_elements = of.binary_cross_entropy_with_logits(single(x[::2]), single(target[::2]), reduction="none")
    got = of.binary_cross_entropy_with_logits(x[::2], target[::2], reduction="none")
    assert_rounded(got, of_elements, dtype, "strided")
    assert of.binary_cross_entropy_with_logits(x[0, 0], target[0, 0], reduction="none").dtype == dtype


@each_half
@best_compiled
def test_a_row_that_tiles_leave_over(implementation, name):
    """The last of 257 rows that lie side by side in memory is computed as the others are."""
    of, dtype = backends.load(implementation), half(name)
    numbers = np.random.default_rng(3).standard_normal((1000, 60 * 257)).astype(dtype)
    x = numbers.reshape(1000, 60, 257).transpose(1, 0, 2).copy()
    assert_rounded(of.softmax(x, axis=1), of.softmax(single(x), axis=1), dtype, "softmax")


@each_half
@each_implementation
def test_a_target_is_smoothed_in_float32(implementation, name):
    """With weights of 1 a smoothed distribution gives what it gives without weights."""
    of, dtype, rng = backends.load(implementation), half(name), np.random.default_rng(0)
    logits = rng.standard_normal((256, 5)).astype(dtype)
    target = rng.dirichlet(np.ones(5), 256).astype(dtype)
    without = of.cross_entropy_and_grad(logits, target, reduction="none", label_smoothing=0.3)
    weighted = of.cross_entropy_and_grad(logits, target, reduction="none", label_smoothing=0.3, weight=np.ones(5))
    for got, expected in zip(weighted, without, strict=True):
        assert np.abs(single(got) - single(expected)).max() <= 2 ** (-9 if name == "bfloat16" else -12)
