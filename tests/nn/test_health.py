"""Network.health counts dead and saturated neurons, and measures the gradients of layers."""

import numpy as np
import pytest

from fastact.nn import Adam, Dense, Network

X = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def test_dead_neurons_are_counted():
    """Neurons of relu whose bias keeps them below 0 are dead."""
    layer = Dense(4, 10, "relu", rng=0)
    layer.bias = [-1000.0] * 3 + [0.0] * 7
    net = Network(layer, Dense(10, 2), rng=0)
    health = net.health(X, Y)
    np.testing.assert_allclose(health.dead, [30, 0])
    assert np.isnan(health.saturated).all()  # both layers are piecewise linear, and do not saturate
    assert "30.0" in str(health)
    assert str(health).splitlines()[0].split() == ["layer", "%", "dead", "%", "saturated", "gradient"]


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "gelu", "elu", "softplus", "silu"])
def test_saturated_neurons_are_counted(name):
    """Neurons whose bias keeps them far out where the function is flat are saturated, and not dead."""
    layer = Dense(4, 8, name, rng=0, scale=0.1)
    layer.bias = [-9.0] * 2 + [0.0] * 6
    health = Network(layer, Dense(8, 2), rng=0).health(X, Y)
    assert health.saturated[0] == 25
    assert health.dead[0] == 0
    assert np.isnan(health.saturated[1])


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "relu6", "hard_tanh", "hard_sigmoid", "soft_shrink", "relu_squared", "softmax"]
)
def test_functions_that_do_not_saturate_have_no_share(name):
    """The share of saturated neurons is NaN for piecewise linear functions, relu_squared and softmax."""
    health = Network(Dense(4, 3, name), rng=0).health(X)
    assert np.isnan(health.saturated[0])
    assert np.isnan(health.dead[0]) == (name == "softmax")


def test_the_gradient_vanishes_through_sigmoids_alone():
    """The gradient of the first layer is nearly 0 behind 30 sigmoid layers, but not behind 30 relu layers."""
    found = {}
    for name in ("sigmoid", "relu"):
        layers = [Dense(4, 32, name), *(Dense(32, 32, name) for _ in range(29)), Dense(32, 2)]
        found[name] = Network(*layers, rng=0).health(X, Y).gradient
    assert found["sigmoid"][0] < 1e-15 * found["sigmoid"][-1]
    assert found["relu"][0] > 1e-2 * found["relu"][-1]


def test_health_changes_nothing():
    """health changes neither parameters nor gradients nor the outputs that layers keep."""
    net = Network(Dense(4, 8, "gelu"), Dense(8, 2), rng=0).fit(X, Y, epochs=2, optimizer=Adam(0.01))
    net.forward(X)
    kept = net.parameters.copy(), net.gradients.copy(), net.layers[0].outputs
    health = net.health(X, Y)
    np.testing.assert_array_equal(net.parameters, kept[0])
    np.testing.assert_array_equal(net.gradients, kept[1])
    assert net.layers[0].outputs is kept[2]
    assert (health.gradient > 0).all()
    assert np.isnan(net.health(X).gradient).all()
