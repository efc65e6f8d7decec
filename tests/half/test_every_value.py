"""Every value of float16 and of bfloat16 through every elementwise function: the result of float32, rounded once."""

import numpy as np
import pytest

from fastact import backends

from halves import EVERY_BITS, assert_rounded, each_half, every_value, half, single
from passes import EVERY, each_compiled, each_implementation


def operands(one, dtype):
    """All values as the last operand, and others in every place beside them."""
    last = every_value(dtype)
    others = [np.random.default_rng(i).permutation(last) for i in range(one.operands - 1)]
    return [*others, last]


@each_half
@each_implementation
@pytest.mark.parametrize("one", EVERY, ids=str)
def test_every_value(implementation, name, one):
    """In one contiguous array; where there are parameters, with their defaults."""
    dtype, function = half(name), one.of(implementation)
    arrays = operands(one, dtype)
    if one.summed:  # with a parameter for each element nothing is summed
        function = getattr(backends.load(implementation), one.function)
        arrays.append(np.full(2**16, 0.25, dtype))
    with np.errstate(all="ignore"):
        wide = function(*map(single, arrays))
    with np.errstate(all="raise"):
        got = function(*arrays)
    assert_rounded(got, wide, dtype, str(one))


@each_half
@each_implementation
def test_every_value_with_other_parameters(implementation, name):
    """A number as parameter is not rounded to half precision, in contiguous and in strided arrays."""
    dtype = half(name)
    of = backends.load(implementation)
    x = every_value(dtype)
    for function, value in ((of.leaky_relu, 0.3), (of.elu, 1.1), (of.softplus, 0.7), (of.threshold, 0.1), (of.celu, 3)):
        numbers = (value, 0.123) if function is of.threshold else (value,)
        wide = function(single(x), *numbers)
        for given, right in ((x, wide), (x[::3], wide[::3]), (x.reshape(256, 256).T, wide.reshape(256, 256).T)):
            assert_rounded(function(given, *numbers), right, dtype, function)
            assert_rounded(function(given, *numbers, dtype=dtype), right, dtype, function)
            out = np.empty_like(given)
            assert function(given, *numbers, out=out) is out
            assert_rounded(out, right, dtype, function)
        assert_rounded(function(x[5], *numbers), wide[5], dtype, "a scalar")


@each_half
@each_compiled
def test_conversions_of_every_value(implementation, name):
    """relu keeps what is not negative, NaN too; all NaN become quiet; all sets have the same bits."""
    dtype = half(name)
    x = every_value(dtype)
    y = backends.load(implementation).relu(x).view(np.uint16)
    infinity, quiet = (0x7C00, 0x0200) if name == "float16" else (0x7F80, 0x0040)
    negative, nan = EVERY_BITS > 0x8000, infinity < (EVERY_BITS & 0x7FFF)
    assert (y[~negative & ~nan] == EVERY_BITS[~negative & ~nan]).all()
    assert (y[negative & ~nan] == 0).all()
    assert (y[nan] & 0x7FFF == EVERY_BITS[nan] & 0x7FFF | quiet).all()
    best = backends.load(backends.available()[0]).relu(x)
    assert (best.view(np.uint16) == y).all()


@each_half
@each_compiled
def test_rounding_of_floats(implementation, name):
    """Ties, their neighbours, subnormals and overflow round as NumPy's cast rounds, whatever the caller's state is."""
    dtype, of = half(name), backends.load(implementation)
    exact = every_value(dtype).astype(np.float32)
    exact = np.sort(exact[np.isfinite(exact)])
    ties = (exact[1:].astype(np.float64) + exact[:-1].astype(np.float64)) / 2
    with np.errstate(all="ignore"):
        ties = ties.astype(np.float32)
    near = np.concatenate([ties, np.nextafter(ties, np.float32(np.inf)), np.nextafter(ties, np.float32(-np.inf)), exact])
    top = np.float32(np.finfo(np.float16).max if name == "float16" else 3.3895e38)
    near = np.concatenate([near, [top, top * np.float32(1.0001), 65519.996, 65520, 3.4e38, -3.4e38, 1e-45, -1e-45, 0.0, -0.0]])
    near = near.astype(np.float32)
    # The product with the slope is a float32 of any bits: the float32 operand is the parameter.
    ones = np.full(near.shape, -1, dtype)
    got = of.leaky_relu(ones, near, dtype=dtype)
    assert_rounded(got, of.leaky_relu(ones.astype(np.float32), near), dtype, "rounding")
