"""glu splits one array, and prelu's backward pass sums a gradient: what the elementwise tests cannot test of them."""

import inspect
import pickle
import sys
import threading

import numpy as np
import pytest

import fastact
from fastact import backends

import arrays
from arrays import assert_same_bits, refused
from passes import BY_NAME, best_compiled, each_backend, each_compiled, each_dtype, each_implementation

X = np.array([0.5, -1.5, 2.5], np.float32)


def of(implementation, name):
    """A public function of an implementation."""
    return getattr(backends.load(implementation), name)


def split(dtype, shape, axis):
    """An array, its two halves, and a gradient of the shape of a half."""
    x = np.resize(arrays.pool(dtype), shape)
    first, second = np.split(x, 2, axis)
    return x, first, second, np.resize(arrays.pool(dtype, 3), first.shape)


SPLITS = [
    ((8,), -1),
    ((8,), 0),
    ((6, 10), 0),
    ((6, 10), 1),
    ((6, 10), -1),
    ((6, 10), -2),
    ((3, 4, 5), 1),
    ((3, 5, 4), -1),
    ((2, 0), 0),
    ((0, 2), -1),
    ((100, 32), -1),  # the vectors of a group lie in several rows
    ((7, 4, 160), -1),
    ((3, 4096), -1),
]


@each_implementation
@each_dtype
@pytest.mark.parametrize(("shape", "axis"), SPLITS, ids=str)
def test_glu(implementation, dtype, shape, axis):
    """glu is the first half times the sigmoid of the second: as a new array, with out= and where=, from any layout."""
    glu = of(implementation, "glu")
    x, first, second, _ = split(dtype, shape, axis)
    expected = BY_NAME["glu-forward"].of(implementation)(first, second)
    gate = 1 / (1 + np.exp(-np.clip(second.astype(np.float64), -700, 700)))
    with np.errstate(all="ignore"):
        plain = first.astype(np.float64) * gate
    middle = np.isfinite(plain) & (np.abs(first) < 1e30) & (np.abs(second) < 30)
    np.testing.assert_allclose(expected[middle], plain[middle], rtol=8 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)
    out = np.empty(first.shape, dtype)
    assert glu(x, axis, out=out) is out
    mask = np.arange(out.size).reshape(out.shape) % 2 == 0
    masked = np.full(first.shape, 9, dtype)
    glu(x, axis, out=masked, where=mask)
    assert_same_bits(masked, np.where(mask, expected, dtype(9)), "where")
    for got in (glu(x, axis), glu(x, axis=axis), out, glu(x.copy("F"), axis), glu(x[::-1][::-1], axis)):
        assert_same_bits(got, expected, "forward")
    assert_same_bits(glu(x.astype(x.dtype.newbyteorder()), axis), expected, "byte-swapped")


@each_implementation
@each_dtype
@pytest.mark.parametrize(("shape", "axis"), SPLITS, ids=str)
def test_glu_backward(implementation, dtype, shape, axis):
    """glu_backward gives one array with the gradients of both halves: new, in place, with out= and where=, from any layout."""
    backward = of(implementation, "glu_backward")
    x, first, second, grad = split(dtype, shape, axis)
    expected = np.concatenate(BY_NAME["glu-backward"].of(implementation)(grad, first, second), axis)
    for got in (backward(grad, x, axis), backward(grad, x, axis=axis), backward(grad.copy("F"), x.copy("F"), axis)):
        assert_same_bits(got, expected, "new")
    for out in (np.empty_like(x), np.empty_like(x, order="F"), np.full((*shape[:-1], 3 * shape[-1]), 9, dtype)[..., ::3]):
        assert backward(grad, x, axis, out=out) is out
        assert_same_bits(out, expected, "out")
        assert backward(grad, x, axis, out=(out,)) is out
    inplace = x.copy()
    assert backward(grad, inplace, axis, out=inplace) is inplace
    assert_same_bits(inplace, expected, "in place")
    ones = backward(dtype(1), x, axis)
    assert_same_bits(ones, backward(np.ones_like(grad), x, axis), "a scalar gradient")
    mask = np.arange(grad.size).reshape(grad.shape) % 2 == 0
    masked = np.full_like(x, 9)
    backward(grad, x, axis, out=masked, where=mask)
    assert_same_bits(masked, np.where(np.concatenate([mask, mask], axis), expected, dtype(9)), "where")


@each_backend
@pytest.mark.parametrize("start", range(9))
def test_glu_of_overlapping_arrays(implementation, start):
    """An out= that shares memory with x or grad in any way gets the bits that a new array would."""
    glu, backward = of(implementation, "glu"), of(implementation, "glu_backward")
    values = np.linspace(-3, 3, 16).astype(np.float32)
    memory = values.copy()
    expected = glu(values[:8])
    assert_same_bits(glu(memory[:8], out=memory[start : start + 4]), expected, "forward")
    for x, grad in (((0, 8), (8, 12)), ((8, 16), (0, 4)), ((4, 12), (4, 8))):
        memory = values.copy()
        expected = backward(values[slice(*grad)], values[slice(*x)])
        out = memory[start : start + 8]
        assert_same_bits(backward(memory[slice(*grad)], memory[slice(*x)], out=out), expected, "backward")


@each_backend
def test_glu_takes_lists_integers_and_subclasses(implementation):
    """glu and glu_backward take lists, integers and subclasses; grad may have more dimensions than x."""
    glu, backward = of(implementation, "glu"), of(implementation, "glu_backward")
    assert glu([[2.0, 3.0, 0.0, 0.0]]).tolist() == [[1.0, 1.5]]
    assert glu(np.array([2, 0], np.int8)).dtype == np.float32
    assert backward([1.0], [2.0, 0.0]).tolist() == [0.5, 0.5]
    assert backward(np.ones((3, 1)), np.array([2.0, 0.0]), 0).shape == (3, 2)
    x = np.array([2.0, 0.0], np.float32).view(arrays.Labelled)
    assert type(glu(x)) is type(backward(x[:1], x)) is arrays.Labelled


@each_backend
def test_glu_refuses_wrong_arguments(implementation):
    """An odd length, a scalar, a wrong axis or a wrong out= raises an error that says what is wrong."""
    for name, given in (("glu", []), ("glu_backward", [np.ones((2, 1), np.float32)])):
        function, x = of(implementation, name), np.ones((2, 2), np.float32)
        message = rf"{name}\(\) needs x of even length along the axis that it splits: axis -1 has 3"
        refused(ValueError, message, function, *given, np.ones((2, 3)), out=x.copy())
        for scalar in (1.0, np.float32(1), np.ones(())):
            refused(ValueError, rf"{name}\(\) needs x of at least one dimension", function, *given, scalar)
        refused(np.exceptions.AxisError, "axis 2 is out of bounds for array of dimension 2", function, *given, x, axis=2)
        for wrong in (1.0, None, "0", (0,), True):
            message = rf"{name}\(\) argument axis must be an integer, not {type(wrong).__name__}"
            refused(TypeError, message, function, *given, x, axis=wrong)
        refused(ValueError, "broadcast", function, *given, x, out=np.ones((2, 8), np.float32)[:, ::2][:, :3][:1, :2])
        refused(TypeError, "return arrays must be of ArrayType", function, *given, x, out=[1.0])
        refused(TypeError, "Cannot cast .*output", function, *given, x, out=np.ones((2, 2 if given else 1), int))
        refused(ValueError, "exactly one entry", function, *given, x, out=(x, x))
        refused(TypeError, "takes real numbers, at most float64, not dtype complex128", function, *given, x.astype(complex))
        refused(TypeError, "unexpected keyword argument 'slant'", function, *given, x, slant=1)
        refused(TypeError, rf"{name}\(\) takes x by position only", function, *given, x=x)
    backward = of(implementation, "glu_backward")
    refused(TypeError, r"glu_backward\(\) cannot start from y=", backward, X[:1], X[:2], y=X[:1])
    refused(TypeError, r"glu_backward\(\) is missing x", backward, X)
    refused(ValueError, "could not be broadcast", backward, np.ones((2, 3)), np.ones((2, 4)))
    refused(ValueError, r"operand with shape \(3,\), for x of \(2,\)", backward, X[:1], X[:2], out=X.copy())
    fixed = np.ones(2, np.float32)
    fixed.flags.writeable = False
    refused(ValueError, "read-only", backward, X[:1], X[:2], out=fixed)


WEIGHTS = [(), (1,), (10,), (7, 1), (7, 10), (1, 1)]


@each_implementation
@each_dtype
@pytest.mark.parametrize("shape", WEIGHTS, ids=str)
def test_prelu_backward(implementation, dtype, shape):
    """The gradient of x is elementwise. The gradient of the weight is summed to its shape in float64, and rounded once."""
    rng = np.random.default_rng(0)
    backward = of(implementation, "prelu_backward")
    grad, x = rng.normal(size=(2, 7, 10)).astype(dtype)
    weight = rng.uniform(0.1, 0.4, shape).astype(dtype)
    dx, dweight = backward(grad, x, weight)
    assert_same_bits(dx, BY_NAME["leaky_relu-backward"].of(implementation)(grad, x, negative_slope=weight), "dx")
    terms = np.where(x > 0, 0, grad * x).astype(np.float64)
    axes = tuple(i for i in range(2) if i < 2 - len(shape) or shape[i - 2 + len(shape)] == 1)
    expected = terms.sum(axis=axes).reshape(shape) if axes else terms
    assert dweight.shape == shape
    assert dweight.dtype == dtype
    # Terms cancel, and a sum in another order has other roundings.
    close = {"rtol": np.finfo(dtype).eps, "atol": 2**-50 * np.abs(terms).sum()}
    np.testing.assert_allclose(dweight, expected, **close)
    outs = np.empty_like(x), np.empty_like(weight)
    assert all(got is out for got, out in zip(backward(grad, x, weight, out=outs), outs, strict=True))
    assert_same_bits(outs, (dx, dweight), "out")
    inplace = x.copy(), weight.copy()
    backward(grad, *inplace, out=inplace)
    assert_same_bits(inplace, (dx, dweight), "in place")
    for i in range(2):
        out = [None, None]
        out[i] = np.empty_like((x, weight)[i])
        got = backward(grad, x, weight=weight, out=tuple(out))
        assert got[i] is out[i]
        assert_same_bits(got, (dx, dweight), f"only {i}")
    mask = rng.random(x.shape) < 0.5
    masked = np.full_like(x, 9), np.full_like(weight, 9)
    backward(grad, x, weight, out=masked, where=mask)
    assert_same_bits(masked[0], np.where(mask, dx, dtype(9)), "where")
    expected = (terms * mask).sum(axis=axes).reshape(shape) if axes else terms * mask
    np.testing.assert_allclose(masked[1], expected, **close)


@each_implementation
@each_dtype
@pytest.mark.parametrize("shape", [(33, 70, 5, 9), (300, 1, 3, 2), (0, 4, 1, 1), (2, 3, 40, 40)], ids=str)
def test_prelu_backward_per_channel(implementation, dtype, shape):
    """A weight may be one for each channel of images. The order of the memory changes its gradient by roundings alone."""
    rng = np.random.default_rng(1)
    backward = of(implementation, "prelu_backward")
    grad, x = rng.normal(size=(2, *shape)).astype(dtype)
    terms = np.where(x > 0, 0, grad * x).astype(np.float64)
    layouts = {(shape[1], 1, 1): (0, 2, 3), (shape[2], 1): (0, 1, 3), shape[3:]: (0, 1, 2), (*shape[:2], 1, 1): (2, 3)}
    for own, axes in layouts.items():
        weight = rng.uniform(0.1, 0.4, own).astype(dtype)
        dweight = backward(grad, x, weight)[1]
        close = {"rtol": np.finfo(dtype).eps, "atol": 2**-50 * np.abs(terms).sum()}
        np.testing.assert_allclose(dweight, terms.sum(axis=axes).reshape(own), **close)
        fortran = backward(np.asfortranarray(grad), np.asfortranarray(x), weight)[1]
        np.testing.assert_allclose(fortran, dweight, **close)


@each_compiled
@each_dtype
@pytest.mark.parametrize("shape", [(33, 70, 5, 9), (2, 3, 40, 40)], ids=str)
def test_the_gradient_of_a_weight_does_not_depend_on_its_neighbours(implementation, dtype, shape):
    """The gradients of the other weights keep their bits if the first weight is left out. NumPy's sums do not do that."""
    rng = np.random.default_rng(1)
    backward, weight = of(implementation, "prelu_backward"), rng.uniform(0.1, 0.4, shape[-1]).astype(dtype)
    grad, x = rng.normal(size=(2, *shape)).astype(dtype)
    dweight = backward(grad, x, weight)[1]
    assert_same_bits(backward(grad[..., 1:], x[..., 1:], weight[1:])[1], dweight[1:], "without the first")


@each_backend
def test_prelu_backward_of_unusual_operands(implementation):
    """prelu_backward is right for a Python number as weight, a long sum, operands that broadcast, an empty array and NaN."""
    backward = of(implementation, "prelu_backward")
    dx, dweight = backward(np.ones(2, np.float32), np.array([-2, 3], np.float32), 0.25)
    assert (dx.tolist(), dweight) == ([0.25, 1.0], -2.0)
    assert type(dweight) is np.float32
    dx, dweight = backward(1.0, -2.0, 0.25)
    assert (dx, dweight) == (0.25, -2.0)
    assert type(dweight) is np.float64
    many = np.full(1 << 22, -0.1, np.float32)
    assert backward(np.ones_like(many), many, 0.25)[1] == np.float32(np.float64(np.float32(-0.1)) * many.size)
    assert backward(np.ones((3, 1)), -np.ones(4), np.full(4, 0.5))[1].tolist() == [-3.0] * 4
    assert backward(np.ones((3, 1)), -np.ones(1), np.full(4, 0.5))[1].tolist() == [-3.0] * 4
    dx, dweight = backward(np.empty((0, 3)), np.empty((0, 3)), np.full(3, 0.5))
    assert (dx.shape, dweight.tolist()) == ((0, 3), [0.0, 0.0, 0.0])
    assert np.isnan(backward(np.ones(2), np.array([np.nan, 1.0]), 0.25)[1])
    assert backward(np.array([np.inf, 1.0]), np.array([5.0, -1.0]), 0.25)[1] == -1.0


@each_backend
def test_prelu_backward_refuses_wrong_arguments(implementation):
    """A wrong out=, a missing weight or an operand that is no array raises an error, and nothing is written before it."""
    backward = of(implementation, "prelu_backward")
    name = r"prelu_backward\(\)"
    dx, dweight = X.copy(), np.ones((), np.float32)
    refused(TypeError, rf"{name} has two results: 'out' must be a tuple of arrays", backward, X, X, 0.25, out=dx)
    refused(ValueError, rf"{name} has two results: .* exactly two entries, not 1", backward, X, X, 0.25, out=(dx,))
    message = rf"{name} needs out= of shape \(\) for the gradient of weight, got \(3,\)"
    refused(ValueError, message, backward, X, X, 0.25, out=(dx, X.copy()))
    message = rf"{name} needs out= of shape \(3,\) for the gradient of x, got \(2, 3\)"
    refused(ValueError, message, backward, X, X, 0.25, out=(np.ones((2, 3), np.float32), dweight))
    refused(TypeError, "Cannot cast .*output", backward, X, X, 0.25, out=(dx, np.ones((), int)))
    refused(TypeError, "Cannot cast .*output", backward, X, X, 0.25, out=(np.ones(3, int), dweight))
    refused(TypeError, "return arrays must be of ArrayType", backward, X, X, 0.25, out=(dx, 1.0))
    refused(TypeError, rf"{name} is missing weight: prelu_backward\(grad, x, weight\)", backward, X, X, out=(dx, dweight))
    refused(TypeError, rf"{name} is missing x: ", backward, X, weight=0.25)
    refused(TypeError, rf"{name} cannot start from y=", backward, X, None, 0.25, y=X)
    refused(TypeError, rf"{name} argument weight must be a real number", backward, X, X, "0.25")
    refused(TypeError, "takes real numbers, at most float64, not dtype complex128", backward, X, X.astype(complex), 0.25)
    refused(ValueError, r"could not be broadcast together with shapes .*\(4,\)", backward, X, X, np.ones(4))
    refused(TypeError, "unexpected keyword argument 'slant'", backward, X, X, 0.25, slant=1, out=(dx, dweight))

    class Duck:
        def __array_ufunc__(self, *args, **keywords):
            raise AssertionError

    refused(TypeError, rf"{name} takes arrays, and x is Duck", backward, X, Duck(), 0.25)


def test_signatures_and_pickling():
    """glu and prelu_backward have signatures and can be pickled, like functions that are ufuncs inside."""
    assert str(inspect.signature(fastact.glu)) == "(x, /, axis=-1, *, out=None, where=True, **kwargs)"
    assert str(inspect.signature(fastact.prelu_backward)) == "(grad, x, /, weight, *, out=None, where=True, **kwargs)"
    for function in (fastact.glu, fastact.glu_backward, fastact.prelu_backward):
        assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="this Python has no lock to release")
@best_compiled
@pytest.mark.parametrize("columns", [64, 1024, 2046, 3000])
def test_glu_lets_other_threads_run(implementation, columns):
    """Another thread runs while a long call works, whatever the length of a row."""
    glu, started, finished = backends.load(implementation).glu, threading.Event(), []
    x = np.zeros((40_000_000 // columns, columns), np.float32)
    out = np.zeros((len(x), columns // 2), np.float32)

    def call():
        started.set()
        glu(x, out=out)
        finished.append(True)

    before = sys.getswitchinterval()
    sys.setswitchinterval(60)  # a thread keeps the interpreter's lock until it releases it by itself
    try:
        caller = threading.Thread(target=call)
        caller.start()
        started.wait()
        meanwhile = not finished
    finally:
        sys.setswitchinterval(before)
        caller.join()
    assert meanwhile
