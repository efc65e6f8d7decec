"""The losses of single elements and their gradients are exact, have the same bits in any layout, and refuse wrong input."""

import functools
import tracemalloc

import mpmath
import numpy as np
import pytest

from fastact import backends

import arrays
import oracle
from arrays import refused
from passes import best_compiled, each_backend, each_dtype, each_implementation
from row_truth import assert_within

BINARY = "binary_cross_entropy_with_logits"
REDUCTIONS = ("mean", "sum", "none")


def of(implementation, name):
    """A public function of an implementation."""
    return getattr(backends.load(implementation), name)


def squared(implementation):
    """squared_error_and_grad of an implementation."""
    return of(implementation, "squared_error_and_grad")


def batch(dtype, shape, labels=False, seed=0):
    """Random outputs, and a target of numbers or of labels 0 and 1."""
    rng = np.random.default_rng(seed)
    target = rng.random(shape) < 0.5 if labels else rng.normal(1, 3, shape)
    return rng.normal(0, 3, shape).astype(dtype), target.astype(dtype)


def both(implementation):
    """Both functions that give a loss and its gradient, each with whether its target is labels."""
    return ((squared(implementation), False), (of(implementation, f"{BINARY}_and_grad"), True))


@each_implementation
@each_dtype
def test_squared_error_within_2_ulp(implementation, dtype):
    """Loss and gradient are within 2 ULP, for every reduction and numbers of any size."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 1, 500) * 10.0 ** rng.uniform(-15, 15, 500), [0.0, 1.0, -0.0, 7.0]]).astype(dtype)
    t = np.where(rng.random(504) < 0.3, x * (1 + 4 * np.finfo(dtype).eps), rng.permutation(x)).astype(dtype)
    t[-3:] = [1.0, 0.0, 7.0]
    with mpmath.workdps(60):
        differences = [mpmath.mpf(a) - mpmath.mpf(b) for a, b in zip(x.tolist(), t.tolist(), strict=True)]
        losses, total = [d * d for d in differences], mpmath.fsum(d * d for d in differences)
        n = len(x)
        for reduction, loss, scale in (("mean", [total / n], mpmath.mpf(2) / n), ("sum", [total], 2), ("none", losses, 2)):
            with np.errstate(all="raise"):
                got, grad = squared(implementation)(x, t, reduction)
            assert got.dtype == grad.dtype == dtype
            assert_within(2, np.atleast_1d(got), *oracle.split(loss, dtype), f"loss, {reduction}")
            assert_within(2, grad, *oracle.split([scale * d for d in differences], dtype), f"gradient, {reduction}")


@each_implementation
@each_dtype
@pytest.mark.parametrize("pos_weight", [None, 2.5, "each"])
@pytest.mark.parametrize("shape", [(), (7,), (64, 10), (3, 5000, 2)])
def test_binary_loss_and_gradient_are_those_of_two_calls(implementation, dtype, pos_weight, shape):
    """Loss and gradient have the bits of the separate loss and backward functions, for every reduction, new and in place."""
    loss, backward, both_at_once = (of(implementation, BINARY + end) for end in ("", "_backward", "_and_grad"))
    x, t = batch(dtype, shape, True)
    pos_weight = np.linspace(0.5, 2, shape[-1] if shape else 1).astype(dtype) if pos_weight == "each" and shape else None
    for reduction in REDUCTIONS:
        right = loss(x, t, pos_weight, reduction)
        slope = backward(np.ones_like(x) if reduction == "none" else 1.0, x, t, pos_weight, reduction)
        place = x.copy()
        for grad, out in ((None, {}), (place, {"out": place})):
            got = both_at_once(x if grad is None else place, t, pos_weight, reduction, **out)
            arrays.assert_same_bits(np.asarray(got[0]), np.asarray(right), f"loss, {reduction}")
            arrays.assert_same_bits(np.asarray(got[1]), np.asarray(slope), f"gradient, {reduction}")
            assert grad is None or got[1] is grad


@each_implementation
@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("pos_weight", [None, 3.0])
def test_gradients_are_those_of_differences(implementation, labels, pos_weight):
    """The gradient is that of central differences of the loss, for each reduction to one number."""
    options = {"pos_weight": pos_weight} if labels else {}
    function = functools.partial(both(implementation)[labels][0], **options)
    x, t = batch(np.float64, (3, 4), labels)
    for reduction in ("mean", "sum"):
        _, grad = function(x, t, reduction=reduction)
        for i in np.ndindex(x.shape):
            ahead, behind = x.copy(), x.copy()
            ahead[i] += 1e-5
            behind[i] -= 1e-5
            rise = function(ahead, t, reduction=reduction)[0] - function(behind, t, reduction=reduction)[0]
            np.testing.assert_allclose(grad[i], rise / 2e-5, rtol=1e-8, atol=1e-9)


def layouts(x):
    """The same numbers in other layouts, each with its name."""
    yield "Fortran order", np.asfortranarray(x)
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    yield "strides", wide[..., ::2]
    memory = np.zeros(x.nbytes + 1, np.uint8)
    unaligned = np.frombuffer(memory.data, x.dtype, offset=1).reshape(x.shape)
    unaligned[...] = x
    yield "no alignment", unaligned
    yield "byte order", x.astype(x.dtype.newbyteorder())


@each_implementation
@each_dtype
@pytest.mark.parametrize("labels", [False, True])
def test_gradients_have_the_same_bits_in_any_layout(implementation, dtype, labels):
    """The bits of a gradient do not depend on layout, length or position. A loss may differ by roundings of its sum."""
    function = both(implementation)[labels][0]
    x, t = batch(dtype, (37, 300), labels)
    loss, grad = function(x, t)
    for name, laid in layouts(x):
        got, slope = function(laid, t)
        np.testing.assert_allclose(got, loss, rtol=2 * np.finfo(dtype).eps, err_msg=name)
        arrays.assert_same_bits(slope.astype(dtype), grad, name)
    for start, stop in ((0, 1), (3, 20), (5, 3000), (1000, 11100)):
        _, part = function(x.reshape(-1)[start:stop], t.reshape(-1)[start:stop], reduction="sum")
        _, whole = function(x, t, reduction="none")
        arrays.assert_same_bits(part, whole.reshape(-1)[start:stop], f"{start} to {stop}")


@each_implementation
@pytest.mark.parametrize("labels", [False, True])
def test_sums_of_many_entries_are_exact(implementation, labels):
    """A float32 loss of a million unequal entries has the exact mean, to one rounding."""
    function = both(implementation)[labels][0]
    x, t = batch(np.float32, 1_000_003, labels)
    x[::1000] *= 100
    for given in (x, np.concatenate([x, x])[: len(x)].reshape(-1, 1)):
        each, _ = function(given, t.reshape(given.shape), reduction="none")
        loss, _ = function(given, t.reshape(given.shape))
        np.testing.assert_allclose(loss, each.mean(dtype=np.float64), rtol=np.finfo(np.float32).eps)


@best_compiled
@each_dtype
@pytest.mark.parametrize("labels", [False, True])
def test_a_call_in_place_needs_little_memory(implementation, dtype, labels):
    """A call in place makes no other array of the size of the data, in any layout."""
    function = both(implementation)[labels][0]
    x, t = batch(dtype, (1024, 1024), labels)
    for given, target in ((x, t), (x.T, t.T), (x[:, ::2], t[:, ::2]), (x, t.T)):
        tracemalloc.start()
        function(given, target, out=given)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**19


@each_backend
@pytest.mark.parametrize("labels", [False, True])
def test_losses_take_other_kinds_of_arrays(implementation, labels):
    """Losses take lists, integers, mixed dtypes, scalars, empty arrays, subclasses, out= of each kind, NaN and infinity."""
    function = both(implementation)[labels][0]
    x, t = batch(np.float32, (6, 5), labels)
    whole = np.round(t).astype(np.float32)
    for target in (whole.astype(np.int64), whole.astype(np.int8), whole.astype(np.float64), whole.tolist(), whole == 1):
        expected = function(x, np.asarray(target, np.float32))
        for one, right in zip(function(x, target), expected, strict=True):
            arrays.assert_same_bits(np.asarray(one), np.asarray(right), "target of another dtype")
    loss, grad = function(x, t)
    assert type(loss) is np.float32
    assert function(x.astype(np.float16), t)[1].dtype == np.float16
    assert function(x.astype(int), t)[1].dtype == np.float64
    assert function(1.5, 1)[0].dtype == np.float64
    assert np.shape(function(np.array(1.5), np.array(1.0))[1]) == ()
    for shape in ((0,), (0, 3), (3, 0)):
        with np.errstate(all="raise"):
            empty = function(np.zeros(shape), np.zeros(shape))
        assert np.isnan(empty[0])
        assert empty[1].shape == shape
        assert function(np.zeros(shape), np.zeros(shape), reduction="sum")[0] == 0
    assert type(function(x.view(arrays.Labelled), t)[1]) is arrays.Labelled
    place, wide = np.empty((), np.float64), np.empty((6, 5))
    one, two = function(x, t, out=(place, wide))
    assert one is place
    assert two is wide
    np.testing.assert_array_equal(wide, grad)
    assert place == loss
    one, two = function(x, t, out=(None, x))
    assert two is x
    assert one == loss
    arrays.assert_same_bits(x, grad, "in place, in a tuple")
    x, t = batch(np.float32, (6, 5), labels)
    assert function(x, t, out=t)[1] is t
    arrays.assert_same_bits(t, grad, "in place of the target")
    with np.errstate(all="raise"):
        strange = np.array([np.nan, np.inf, -np.inf, 1.0, 3e38], np.float32)
        each, slope = function(strange, np.array([0, 0, 0, np.nan, 0], np.float32), reduction="none")
        assert np.isnan(each).tolist() == np.isnan(slope).tolist() == [True, False, False, True, False]
        assert each[1] == np.inf
        assert each[2] == (0 if labels else np.inf)
        assert function(strange[1:3], np.zeros(2, np.float32))[0] == np.inf


@each_backend
def test_wrong_arguments_are_refused(implementation):
    """The error names the wrong argument and says what would be right. Nothing is written before it."""
    x, _ = batch(np.float32, (4, 1))
    for function, labels in both(implementation):
        name = f"{BINARY}_and_grad" if labels else "squared_error_and_grad"
        out = {"out": np.ones_like(x)}
        t = np.ones((4, 1), np.float32)
        first = "logits" if labels else "outputs"
        refused(TypeError, rf"{name}\(\) is missing target", function, x)
        refused(TypeError, rf"{name}\(\) takes {first} by position only", function, **{first: x, "target": t})
        refused(TypeError, "real numbers, .* not dtype complex128 for target", function, x, t.astype(complex), **out)
        message = "argument reduction must be 'mean' or 'sum' or 'none', "
        refused(ValueError, f"{message}got 'max'", function, x, t, reduction="max", **out)
        refused(TypeError, f"{message}not", function, x, t, reduction=None, **out)
        refused(TypeError, "unexpected keyword argument 'axis': it takes .*out, .*reduction", function, x, t, axis=0, **out)
        refused(ValueError, rf"non-broadcastable output .* for {first} of \(4, 1\)", function, x, t, out=np.ones(4, np.float32))
        refused(TypeError, "Cannot cast", function, x, t, out=np.ones((4, 1), int))
        memory = np.ones(4, np.float32)
        shared = memory[1:2].reshape(()), memory.reshape(4, 1)
        refused(ValueError, "arrays that do not overlap in out=, for the loss and the gradient", function, x, t, out=shared)
        hidden = np.ma.array(x, mask=x > 0)
        message = rf"takes no masked entries, and {first} has \d: pass {first}.filled\(value\)"
        refused(TypeError, message, function, hidden, t, **out)
        refused(TypeError, "needs a plain array for out=", function, x, t, out=hidden)
    for wrong in (np.ones(4), np.ones((1, 4)), 1.0, np.ones((4, 2)), np.ones((1, 1))):
        hint = r": pass np.reshape\(target, \(4, 1\)\)$" if np.size(wrong) == 4 else "$"
        message = rf"^squared_error_and_grad\(\) needs a target of the shape of outputs, \(4, 1\), got \([\d, ]*\){hint}"
        refused(ValueError, message, squared(implementation), x, wrong, **out)
    function = of(implementation, f"{BINARY}_and_grad")
    for wrong in (-0.5, 1.5, np.inf):
        t[2] = wrong
        message = rf"{BINARY}_and_grad\(\) needs target labels between 0 and 1, got {wrong} at \(2, 0\)"
        for given in (t, t.astype(np.float64)):
            refused(ValueError, message, function, x.astype(given.dtype), given)
            refused(ValueError, message, function, x, given, **out)
    t[2] = 1 + 5e-7
    assert np.isfinite(function(x, t)[0])
    refused(ValueError, "needs pos_weight >= 0, got pos_weight=-1.0", function, x, np.ones((4, 1)), -1.0, **out)


@each_implementation
@each_dtype
def test_losses_agree_with_torch(implementation, dtype):
    """Losses and gradients are those of torch, to roundings."""
    torch = pytest.importorskip("torch")
    for (function, labels), name in zip(both(implementation), ("mse_loss", BINARY), strict=True):
        x, t = batch(dtype, (20, 3), labels)
        for reduction in ("mean", "sum"):
            tensor = torch.tensor(x, requires_grad=True)
            right = getattr(torch.nn.functional, name)(tensor, torch.tensor(t), reduction=reduction)
            right.backward()
            loss, grad = function(x, t, reduction=reduction)
            np.testing.assert_allclose(loss, right.item(), rtol=20 * np.finfo(dtype).eps)
            np.testing.assert_allclose(grad, tensor.grad.numpy(), rtol=0, atol=20 * np.finfo(dtype).eps)


@each_backend
def test_tables_are_read_in_their_order(implementation):
    """A table counts as its values. Tables whose labels have another order are refused."""
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"a": [0.5, 1.0], "b": [-1.0, 2.0]}, index=["x", "y"])
    for function, _ in both(implementation):
        right = function(table.to_numpy(), np.ones((2, 2)))
        loss, grad = function(table, pd.DataFrame(np.ones((2, 2)), table.index, table.columns))
        assert loss == right[0]
        np.testing.assert_array_equal(grad, right[1])
        refused(ValueError, "needs operands with the same labels, and those of target differ", function, table, table[::-1] > 0)


@each_backend
def test_a_target_inside_the_gradient(implementation):
    """A label of one number that lies in the memory of the gradient is read before that is written, over all blocks."""
    function = of(implementation, f"{BINARY}_and_grad")
    x, _ = batch(np.float32, (5, 8192))
    loss, grad = function(x, np.float32(0.75))
    out = np.full_like(x, 0.75)
    found = function(x, out[0, 0:1].reshape(()), out=(None, out))
    assert found[0] == loss
    arrays.assert_same_bits(out, grad, "gradient")
