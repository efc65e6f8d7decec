"""The networks in pictures show what the pictures say of them: gradients vanish, relus die, fits become better."""

import itertools

import numpy as np
import pytest

from fastact.plots import learning
from fastact.plots.digits import digits

X = np.linspace(-np.pi, np.pi, 257)


def test_the_gradient_vanishes_through_sigmoids():
    """Each sigmoid layer keeps at most a quarter of the gradient. The other activations keep it in size."""
    sizes = {name: learning.way_back(name) for name in learning.DEEP}
    assert {len(each) for each in sizes.values()} == {31}
    assert {each[-1] for each in sizes.values()} == {1.0}
    assert 1e-25 < sizes["sigmoid"][0] < 1e-15
    assert all(0.01 < each[0] < 100 for name, each in sizes.items() if name != "sigmoid")


def test_relus_die():
    """20 to 80 % of the relus die, though the network is still right. Neurons of leaky_relu do not die."""
    shares, score = learning.dying("relu")
    assert len(shares) == learning.EPOCHS
    assert 20 < shares[-1] < 80
    assert score > 0.8
    shares, score = learning.dying("leaky_relu")
    assert max(shares) == 0
    assert score > 0.8


def test_fits_of_a_sine_become_better():
    """The error of a fit falls with the number of neurons, from nearly 1 for a line to less than 0.1."""
    errors = [learning.farthest(learning.fitted(X, count), X) for count in learning.NEURONS]
    assert 0.8 < errors[0] < 1
    assert errors[1] < 0.3
    assert errors[-1] < 0.1
    assert errors == sorted(errors, reverse=True)


def test_a_bend_is_where_the_slope_changes():
    """Between two of the bends that are drawn, the network is a straight line."""
    net = learning.fitted(X, 8)
    at = np.concatenate([[-np.pi], learning.bends(net), [np.pi]])
    assert 4 <= len(at) - 2 <= 8
    for left, right in itertools.pairwise(at):
        y = net.predict(np.linspace(left, right, 9)[:, None]).ravel()
        assert np.allclose(y, np.linspace(y[0], y[-1], 9), atol=1e-9)
    assert learning.bends(learning.fitted(X, 0)).size == 0


@pytest.mark.parametrize(
    ("places", "apart", "expected"),
    [
        ([0, 10, 5], 1, [0, 10, 5]),
        ([1, 1, 1], 2, [-1, 1, 3]),
        ([5, 0, 0.5], 1, [5, -0.25, 0.75]),
        ([0, 0, 1.5], 1, [-0.5, 0.5, 1.5]),
    ],
)
def test_spread_moves_places_apart(places, apart, expected):
    """`spread` keeps the order of places, moves them apart, and leaves those that have room."""
    assert np.allclose(learning.spread(places, apart), expected)


def test_digits_can_be_told_apart():
    """The images are of ten digits. Most, but not all, have the label of their nearest neighbour, and a seed repeats them."""
    images, labels = digits(2000, np.random.default_rng(0))
    assert images.shape == (2000, 64)
    assert set(labels) == set(range(10))
    distances = ((images[1500:, None] - images[:1500]) ** 2).sum(-1)
    assert 0.7 < (labels[distances.argmin(1)] == labels[1500:]).mean() < 1
    again, _ = digits(2000, np.random.default_rng(0))
    assert np.array_equal(images, again)
