"""The gradient of every function along an axis and of every loss is that of differences of the function itself."""

import numpy as np
import pytest

from fastact import backends
from fastact.declare import LOSSES, ROWS

from cases import case_of
from passes import each_backend

WITH_SLOPE = sorted(name for name in ROWS if name + "_backward" in vars(backends.load("numpy")))
BOTH = sorted(loss.names()["both"] for loss in LOSSES.values())


def slopes(function, x):
    """The derivatives of `function`, which gives a number, with respect to each entry of x, by central differences."""
    found = np.empty_like(x)
    for place in np.ndindex(x.shape):
        low, high = x.copy(), x.copy()
        low[place] -= 1e-5
        high[place] += 1e-5
        found[place] = (function(high) - function(low)) / 2e-5
    return found


@each_backend
@pytest.mark.parametrize("name", WITH_SLOPE)
def test_gradients_of_rows(implementation, name):
    """The backward pass is grad times the derivative, summed over the row."""
    functions = vars(backends.load(implementation))
    (grad, x), _ = case_of(name + "_backward").double()
    x = 0.9 * x  # away from the kink of entmax15
    expected = slopes(lambda x: float((grad * functions[name](x)).sum()), x)
    np.testing.assert_allclose(functions[name + "_backward"](grad, x), expected, rtol=1e-7, atol=1e-9)


@each_backend
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", BOTH)
def test_gradients_of_losses(implementation, name, reduction):
    """The gradient that a loss returns is its derivative."""
    function = getattr(backends.load(implementation), name)
    (x, target), keywords = case_of(name).double(reduction=reduction)
    expected = slopes(lambda x: float(function(x, target, **keywords)[0]), x)
    np.testing.assert_allclose(function(x, target, **keywords)[1], expected, rtol=1e-7, atol=1e-9)
