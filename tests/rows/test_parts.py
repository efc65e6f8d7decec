"""The fallback computes long rows in parts: it needs little memory, and the parts change no bit."""

import gc
import tracemalloc

import numpy as np
import pytest

from fastact import backends

from arrays import assert_same_bits
from passes import each_dtype

F = backends.load("numpy")  # the fallback
LONG = 1 << 21
LAYOUTS = {"one row": (1, LONG), "Fortran order": (1024, 2048), "few columns": (3, 1 << 17)}
MOST = 1.75 * 2**20  # bytes: less than one boolean for each entry


def calls(x, grad, y, log_y):
    """Calls of every function along an axis, in every variant, each as a function of out=.

    A call whose result is one number a row does not use its out=.
    """
    mask = np.broadcast_to(np.arange(x.shape[-1]) % 3 > 0, x.shape)
    masked, batch = {"mask": mask, "scale": 0.5}, x.shape[:-1]
    index, weight = np.full(batch, x.shape[-1] // 3), np.full(batch, 0.5, x.dtype)
    for name, output in (("softmax", y), ("log_softmax", log_y), ("softmax_one", y)):
        forward, backward = getattr(F, name), getattr(F, f"{name}_backward")
        for options in ({}, masked):
            yield lambda out, forward=forward, options=options: forward(x, out=out, **options)
            yield lambda out, backward=backward, options=options: backward(grad, x, out=out, **options)
            yield lambda out, backward=backward, options=options, output=output: backward(grad, y=output, out=out, **options)
    for name in ("softmin", "hardmax", "sparsemax", "entmax15"):
        yield lambda out, name=name: getattr(F, name)(x, out=out)
    for name in ("softmin_backward", "sparsemax_backward", "entmax15_backward"):
        yield lambda out, name=name: getattr(F, name)(grad, x, out=out)
        yield lambda out, name=name: getattr(F, name)(grad, y=y, out=out)
    for options in ({}, {"mask": mask}):
        yield lambda out, options=options: F.logsumexp(x, **options)
        yield lambda out, options=options: F.logsumexp_backward(weight, x, out=out, **options)
    for target in (index, y):
        for options in ({"reduction": "none"}, {"reduction": "none", "label_smoothing": 0.1}):
            yield lambda out, target=target, options=options: F.cross_entropy(x, target, **options)
            yield lambda out, target=target, options=options: F.cross_entropy_backward(weight, x, target, out=out, **options)
            yield lambda out, target=target, options=options: F.cross_entropy_and_grad(x, target, out=out, **options)


def given(dtype, shape, order="C"):
    """Logits, a gradient, and the outputs of softmax and log_softmax."""
    rng = np.random.default_rng(0)
    x, grad = (np.asarray(rng.normal(0, 3, shape).astype(dtype), order=order) for _ in range(2))
    return x, grad, F.softmax(x), F.log_softmax(x)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_temporary_arrays_are_small(layout):
    """A call needs at most 1.75 MiB beside the arrays of the caller, even if the garbage collector does not run."""
    arrays = given(np.float32, LAYOUTS[layout], "F" if layout in ("Fortran order", "few columns") else "C")
    out = np.empty_like(arrays[0])
    gc.disable()
    try:
        for number, call in enumerate(calls(*arrays)):
            tracemalloc.start()
            call(out)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak <= MOST, f"{layout}, call {number}: {peak / 2**20:.2f} MiB"
    finally:
        tracemalloc.stop()
        gc.enable()


@each_dtype
def test_a_row_across_memory_does_not_depend_on_its_neighbours(dtype):
    """A row across memory has the same bits among any number of rows.

    Few rows are one block, and many are cut into several. No block may have a single row, which NumPy would sum otherwise.
    """
    arrays = given(dtype, (300, 700), "F")
    full = [call(np.empty_like(arrays[0])) for call in calls(*arrays)]
    for rows in (2, 3, 47, 64, 94, 129, 130, 257):
        few = [np.asfortranarray(values[:rows]) for values in arrays]
        for number, (call, expected) in enumerate(zip(calls(*few), full, strict=True)):
            got = call(np.empty_like(few[0]))
            first = tuple(v[:rows] for v in expected) if isinstance(expected, tuple) else expected[:rows]
            assert_same_bits(got, first, f"{rows} rows, call {number}")


@each_dtype
def test_a_long_row_does_not_depend_on_its_neighbours(dtype):
    """A long row has the same bits alone, as a batch of one and as one of three."""
    arrays = given(dtype, (3, 70_003))
    full = [call(np.empty_like(arrays[0])) for call in calls(*arrays)]
    for chosen in (1, slice(1, 2)):
        few = [values[chosen].copy() for values in arrays]
        for number, (call, expected) in enumerate(zip(calls(*few), full, strict=True)):
            got = call(np.empty_like(few[0]))
            one = tuple(v[chosen] for v in expected) if isinstance(expected, tuple) else expected[chosen]
            assert_same_bits(got, one, f"{chosen}, call {number}")


@each_dtype
@pytest.mark.parametrize("shape", [(2, 40_003), (150, 700)], ids=["along", "across"])
def test_in_place_gives_the_same_bits(dtype, shape):
    """A call in place of any operand gives the bits of a new array, though it writes part by part."""
    order = "F" if shape[0] > 2 else "C"
    arrays = given(dtype, shape, order)
    expected = [call(np.empty_like(arrays[0])) for call in calls(*arrays)]
    for operand in range(len(arrays)):
        again = [values.copy(order="K") for values in arrays]
        for number, (call, right) in enumerate(zip(calls(*again), expected, strict=True)):
            got = call(again[operand])
            assert_same_bits(got, right, f"operand {operand}, call {number}")
            again[operand][...] = arrays[operand]


@each_dtype
def test_values_of_long_rows(dtype):
    """Long rows agree with the textbook formulas, wherever the largest entry is, with a part of -inf, and with NaN."""
    n = 100_003
    for place in (0, 40_000, n - 1):
        x = np.random.default_rng(place).normal(0, 2, n).astype(dtype)
        x[place] += 30
        x[50_000:90_000] = -np.inf
        wide = x.astype(np.longdouble)
        e = np.exp(wide - wide.max())
        e[place] = 0
        rest = e.sum()
        expected = np.exp(wide - wide.max()) / (1 + rest)
        np.testing.assert_allclose(F.softmax(x), expected, rtol=8 * np.finfo(dtype).eps, atol=0)
        np.testing.assert_allclose(F.log_softmax(x)[place], -np.log1p(rest), rtol=4 * np.finfo(dtype).eps)
        assert F.hardmax(x).nonzero()[0].tolist() == [place]
        slope = F.cross_entropy_backward(1.0, x, np.array(place))
        np.testing.assert_allclose(slope[place], -rest / (1 + rest), rtol=8 * np.finfo(dtype).eps)
        x[60_000] = np.nan
        for result in (F.softmax(x), F.sparsemax(x), F.hardmax(x), F.logsumexp(x)):
            assert np.isnan(result).all()
