"""The gradients of a network are those of central differences in float64, for every activation and loss."""

import numpy as np
import pytest

from fastact.declare import ACTIVATIONS
from fastact.nn import Dense, Network, activations, losses
from fastact.nn.passes import Passes

ROWS = 7


def usual(name):
    """Values for the parameters of an activation, for those without a default too."""
    found = [one for one in ACTIVATIONS.values() if name == one.name or name in one.aliases]
    return found[0].usual if found else {}


def labels(loss, generator):
    """Labels for three outputs, or for one output under binary cross-entropy."""
    if loss == "cross_entropy":
        return generator.integers(0, 3, ROWS)
    if loss == "squared_error":
        return generator.normal(size=(ROWS, 3))
    return generator.integers(0, 2, ROWS)


@pytest.mark.parametrize("keep_sums", [False, True], ids=["from y where possible", "from x"])
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error", "binary_cross_entropy_with_logits"])
@pytest.mark.parametrize("name", [*activations.names(), None])
def test_gradients_are_those_of_differences(name, loss, keep_sums):
    """The gradient of each array of parameters differs from central differences by at most 1e-6 of its norm."""
    generator = np.random.default_rng(3)
    outputs = 1 if loss.startswith("binary") else 3
    X = generator.normal(size=(ROWS, 5))
    net = Network(
        Dense(5, 6, name, **usual(name)), Dense(6, 4, name, **usual(name)), Dense(4, outputs), rng=generator, dtype=float
    )
    for layer in net.layers:
        layer.bias = 0.3 * generator.normal(size=layer.shape[1])
    objective = losses.objective(loss, labels(loss, generator), ROWS, net.layers[-1])
    gradients = np.full_like(net.parameters, np.nan)
    Passes(net.layers, ROWS, gradients, keep_sums).loss(X, objective.targets, objective)
    other = Passes(net.layers, ROWS, np.empty_like(gradients), keep_sums)

    def slope(i, step=1e-6):
        sides = []
        for at in (net.parameters[i] + step, net.parameters[i] - step):
            kept, net.parameters[i] = net.parameters[i], at
            sides.append(other.loss(X, objective.targets, objective))
            net.parameters[i] = kept
        return (sides[0] - sides[1]) / (2 * step)

    expected = np.array([slope(i) for i in range(len(net.parameters))])
    start = 0
    for layer in net.layers:
        for size in (layer.shape[0] * layer.shape[1], layer.shape[1]):
            part = slice(start, start + size)
            off = np.linalg.norm(gradients[part] - expected[part])
            assert off <= 1e-6 * np.linalg.norm(expected[part]) + 1e-12
            start += size


def test_forward_and_backward_of_a_network():
    """Network.forward and backward, which the user calls, give the gradients that fit computes in its buffers."""
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(ROWS, 5)), generator.integers(0, 3, ROWS)
    net = Network(Dense(5, 6, "gelu"), Dense(6, 3), rng=0, dtype=np.float64)
    objective = losses.objective(None, y, ROWS, net.layers[-1])
    gradients = np.empty_like(net.parameters)
    loss = Passes(net.layers, ROWS, gradients).loss(X, objective.targets, objective)
    outputs = net.forward(X)
    d_outputs = np.empty_like(outputs)
    assert objective(outputs, y, out=d_outputs) == loss
    assert net.backward(d_outputs).shape == X.shape
    np.testing.assert_allclose(net.gradients, gradients, rtol=1e-12, atol=1e-15)
