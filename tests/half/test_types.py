"""Which calls compute in half precision: those whose data are of half precision, as NumPy's promotion says."""

import numpy as np
import pytest

from fastact import backends
from fastact.declare import ACTIVATIONS, ROWS

from arrays import refused
from cases import FUNCTIONS, case_of
from halves import assert_rounded, each_half, half, rounded, single
from passes import STEPS, each_backend

X = np.array([[0.5, -1.5, 2.5, 0.25], [1.0, 0.75, -0.5, 3.0]], np.float32)
OTHERS = (bool, np.int8, np.uint8, np.float32, np.float64)


def results(value):
    """The results of a call as a tuple."""
    return value if isinstance(value, tuple) else (value,)


@each_half
@each_backend
@pytest.mark.parametrize("function", [name for name in FUNCTIONS if name not in STEPS])
def test_every_function_keeps_the_type(implementation, name, function):
    """Operands of half precision give results of it: those of float32, rounded once."""
    dtype, of = half(name), backends.load(implementation)
    args, keywords = case_of(function).call(lambda array: array.astype(dtype))
    keywords = {key: value.astype(dtype) if isinstance(value, np.ndarray) else value for key, value in keywords.items()}
    with np.errstate(all="raise"):
        got = getattr(of, function)(*args, **keywords)
    wide = getattr(of, function)(*map(single, args), **{key: single(value) for key, value in keywords.items()})
    assert_rounded(got, wide, dtype, function)


@each_half
@each_backend
def test_promotion(implementation, name):
    """Beside other arrays: what np.result_type says. Beside Python numbers: half precision."""
    dtype, of = half(name), backends.load(implementation)
    x = X.astype(dtype)
    for other in OTHERS:
        expected, y = np.result_type(dtype, other), np.ones(X.shape, other)
        for got in (
            of.leaky_relu(x, y),
            of.leaky_relu(x, y[0, 0]),
            of.leaky_relu(x[0, 0], y),
            of.gelu_backward(x, y),
            of.gelu_backward(y, x),
            of.softmax_backward(x, y),
            of.softmax_backward(y, x),
            of.swiglu(x, y),
            *of.swiglu_backward(y, x, x),
            *of.prelu_backward(x, x, y),
        ):
            assert got.dtype == expected, other
    for number in (2, 0.3, True):
        assert of.leaky_relu(x, number).dtype == dtype
        assert of.swiglu(x, number).dtype == of.swiglu(number, x).dtype == dtype
        assert of.gelu_backward(number, x).dtype == of.logsumexp_backward(number, x).dtype == dtype
        assert of.prelu_backward(x, x, number)[1].dtype == dtype
    for number in (np.float32(2), np.float64(2)):
        assert of.leaky_relu(x, number).dtype == number.dtype
    assert of.leaky_relu(x, np.float32(0.3))[0, 1] == np.float32(-1.5) * np.float32(0.3)
    assert of.leaky_relu(X, dtype.type(0.25)).dtype == np.float32
    assert of.softplus(x, np.full(4, 0.7, dtype)).dtype == dtype


@each_backend
def test_float16_and_wider_integers(implementation):
    """int16 makes it float32, int32 float64, as in NumPy."""
    of, x = backends.load(implementation), X.astype(np.float16)
    for other in (np.int16, np.uint16, np.int32, np.int64):
        assert of.leaky_relu(x, np.ones(4, other)).dtype == np.result_type(np.float16, other)
        assert of.softmax_backward(x, np.ones(X.shape, other)).dtype == np.result_type(np.float16, other)


@each_backend
def test_float16_and_bfloat16_do_not_mix(implementation):
    """NumPy has no common dtype for them, and for bfloat16 and wide integers; it raises the error."""
    of, bfloat16 = backends.load(implementation), half("bfloat16")
    for one, other in ((np.float16, bfloat16), (bfloat16, np.int64)):
        for function in (of.leaky_relu, of.gelu_backward, of.softmax_backward, of.swiglu):
            refused(TypeError, "promot|loop with signature", function, X.astype(one), X.astype(other))


@each_backend
@pytest.mark.parametrize("kind", [bool, np.int8, np.uint8])
def test_small_integers_alone_are_float32(implementation, kind):
    """They are so in every function, though NumPy would take the loop of float16 for them."""
    of = backends.load(implementation)
    x = np.array([[0, 1, 1, 0], [1, 1, 0, 1]]).astype(kind)
    for name, declared in ACTIVATIONS.items():
        if declared.public and not declared.halves and len(declared.operands) == 1:
            assert getattr(of, name)(x, *declared.usual.values()).dtype == np.float32, name
            assert getattr(of, name)(x[0, 0], *declared.usual.values()).dtype == np.float32, name
    for name in ROWS:
        assert getattr(of, name)(x).dtype == np.float32


@each_half
@each_backend
def test_dtype_argument(implementation, name):
    """dtype= of half precision rounds operands to it; dtype= of another computes in that."""
    dtype, of = half(name), backends.load(implementation)
    for data in (np.float64, np.float32, np.float16, np.int8):
        if name == "bfloat16" and data is np.float16:
            continue
        x = X.astype(data)
        cast = x.astype(dtype)
        assert_rounded(of.gelu(x, dtype=dtype), of.gelu(single(cast)), dtype, data)
        assert_rounded(of.leaky_relu(x, 0.3, dtype=dtype), of.leaky_relu(single(cast), 0.3), dtype, data)
        assert_rounded(of.softmax(x, dtype=dtype), of.softmax(single(cast)), dtype, data)
        assert_rounded(of.softmax(x, scale=0.3, dtype=dtype), of.softmax(single(cast), scale=0.3), dtype, data)
    x = X.astype(dtype)
    for wide in (np.float32, np.float64):
        for got, right in (
            (of.gelu(x, dtype=wide), of.gelu(x.astype(wide))),
            (of.leaky_relu(x, 0.3, dtype=wide), of.leaky_relu(x.astype(wide), 0.3)),
            (of.softmax(x, dtype=wide), of.softmax(x.astype(wide))),
        ):
            assert got.dtype == wide and (got == right).all()
    refused(TypeError, "Cannot cast", of.sigmoid, X, dtype=dtype, casting="safe")
    refused(TypeError, "Cannot cast", of.softmax, X.astype(np.float64), dtype=dtype, casting="safe")


@each_half
@each_backend
def test_out_of_other_types(implementation, name):
    """A wider out= gets the rounded result; out= of half precision takes results of any floating dtype, not under "safe"."""
    dtype, of = half(name), backends.load(implementation)
    x = X.astype(dtype)
    for function, given in ((of.gelu, {}), (of.leaky_relu, {}), (of.softmax, {}), (of.softmax, {"scale": 0.5})):
        for wide in (np.float32, np.float64):
            out = np.empty(X.shape, wide)
            assert function(x, out=out, **given) is out
            assert (out == function(x, **given).astype(wide)).all()
            small = np.empty(X.shape, dtype)
            assert function(X.astype(wide), out=small, **given) is small
            assert (small == rounded(function(X.astype(wide), **given), dtype)).all()
        refused(TypeError, "Cannot cast", function, X, out=np.empty(X.shape, dtype), casting="safe", **given)
        refused(TypeError, "Cannot cast", function, x, out=np.empty(X.shape, int), **given)


@each_half
@each_backend
def test_where_shapes_and_order(implementation, name):
    """where=, arrays without dimensions, without elements, of Fortran order, of another byte order, and misaligned ones."""
    dtype, of = half(name), backends.load(implementation)
    x = X.astype(dtype)
    for function, numbers in ((of.gelu, ()), (of.leaky_relu, ()), (of.leaky_relu, (0.3,)), (of.softplus, (0.7,))):
        wide = function(X, *numbers)
        out = np.full(X.shape, 7, dtype)
        function(x, *numbers, where=x > 0, out=out)
        assert_rounded(out, np.where(X > 0, wide, np.float32(7)), dtype, "where")
        assert_rounded(function(x[1, 2], *numbers), wide[1, 2], dtype, "scalar")
        assert_rounded(function(x[1, 2, ...], *numbers), wide[1, 2], dtype, "0-d")
        out = np.empty((), dtype)
        assert function(x[1, 2, ...], *numbers, out=out) is out and out == rounded(wide[1, 2], dtype)
        assert function(x[:0], *numbers).dtype == dtype and function(x[:0], *numbers).shape == (0, 4)
        assert function(np.asfortranarray(x), *numbers).flags.f_contiguous
        assert_rounded(function(np.asfortranarray(x), *numbers), wide, dtype, "Fortran")
        assert_rounded(function(np.broadcast_to(x[:1], (5, 4)), *numbers), np.broadcast_to(wide[:1], (5, 4)), dtype, "broadcast")
        shifted = np.zeros(x.nbytes + 1, np.uint8)[1:].view(dtype).reshape(x.shape)
        shifted[...] = x
        assert_rounded(function(shifted, *numbers), wide, dtype, "misaligned")
        assert_rounded(function(shifted, *numbers, out=shifted), wide, dtype, "misaligned, in place")
        if name == "float16":
            assert_rounded(function(x.astype(">f2"), *numbers), wide, dtype, "byte order")
    for view in (x[::-1, ::2], x.T):
        assert_rounded(of.softmax(view), of.softmax(np.ascontiguousarray(single(view))), dtype, view.strides)


@each_half
@each_backend
def test_overlapping_memory(implementation, name):
    """Results are as if the operands had been copied first."""
    dtype, of = half(name), backends.load(implementation)
    for shift in (1, 7, 64):
        pool = np.random.default_rng(0).normal(0, 2, 6000).astype(np.float32).astype(dtype)
        right = of.gelu(pool[:-shift].copy())
        of.gelu(pool[:-shift], out=pool[shift:])
        assert (pool[shift:] == right).all()
        pool = np.random.default_rng(0).normal(0, 2, 6000).astype(np.float32).astype(dtype)
        right = of.gelu_backward(pool[shift:].copy(), pool[:-shift].copy())
        of.gelu_backward(pool[shift:], pool[:-shift], out=pool[:-shift])
        assert (pool[:-shift] == right).all()


@each_half
@each_backend
def test_overflow_is_silent(implementation, name):
    """What half precision cannot hold becomes inf without a warning, and what is too small 0."""
    dtype, of = half(name), backends.load(implementation)
    x = np.array([np.finfo(np.float16).max, -2.0, 1e-7], np.float32).astype(dtype)
    with np.errstate(all="raise"):
        for got in (
            of.leaky_relu_backward(x, x, 1e30),
            of.relu_squared(x),
            of.squareplus(x, 1e38),
            of.silu_backward(x, x),
            of.softmax(x),
        ):
            assert got.dtype == dtype
        index = np.array([0])
        of.cross_entropy_and_grad(x[None], index, reduction="sum")
        of.cross_entropy_backward(1e30, x[None], index, reduction="sum")
        of.cross_entropy(x[None], index, weight=np.array([1e30, 1, 1]), reduction="none")
        of.prelu_backward(x, x, 1e30)
        of.gumbel_softmax(x, rng=0)
        assert np.isinf(of.leaky_relu(x, 1e38)[1]) == (name == "float16")


@each_half
@each_backend
def test_both_results_in_a_wider_out_are_rounded(implementation, name):
    """dtype= of half precision decides what results can be, whatever memory they go to."""
    dtype, prelu_backward = half(name), backends.load(implementation).prelu_backward
    grad, x = np.float32([[1 / 3, -1e5], [2 / 3, 3.0]]), np.float32([[-1.0, -1.0], [-2.0, 0.5]])
    wide = np.zeros((2, 2), np.float32), np.zeros((), np.float32)
    with np.errstate(all="ignore"):
        plain = prelu_backward(grad, x, 0.7, dtype=dtype)
        prelu_backward(grad, x, 0.7, dtype=dtype, out=wide)
    np.testing.assert_array_equal(wide[0], plain[0].astype(np.float32))
    np.testing.assert_array_equal(wide[1], np.float32(plain[1]))
    some = np.array([[True, False], [True, True]])
    kept = np.full((2, 2), 9, np.float32)
    with np.errstate(all="ignore"):
        prelu_backward(grad, x, 0.7, dtype=dtype, out=(kept, wide[1]), where=some)
    np.testing.assert_array_equal(kept, np.where(some, plain[0].astype(np.float32), 9))
