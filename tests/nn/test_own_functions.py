"""Activations and losses of the user's own: what they may do, and what is refused."""

import numpy as np
import pytest

from fastact.nn import Dense, Network

X = np.random.default_rng(0).normal(size=(12, 4))
CLASSES = np.arange(12) % 3


def row_softmax(x):
    """Softmax, which needs rows."""
    p = np.exp(x - x.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def row_softmax_backward(grad, x):
    """Its backward pass."""
    y = row_softmax(x)
    return y * (grad - (grad * y).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("where", ["layer", "fit", "predict"])
def test_another_shape(where):
    """An activation that returns another shape than it was given is refused wherever it is called."""
    net = Network(Dense(4, 3, (lambda x: x[:, :1], lambda grad, x: grad)))
    call = {"layer": net.layers[0].forward, "fit": lambda x: net.fit(x, CLASSES), "predict": net.predict}[where]
    with pytest.raises(ValueError, match="activation's forward function must return an array of its input's shape"):
        call(X)
    layer = Dense(4, 3, (np.tanh, lambda grad, x: grad[:1]))
    layer.forward(X)
    with pytest.raises(ValueError, match="activation's backward function must return"):
        layer.backward(np.ones((12, 3)))


def test_layers_keep_their_dtype_and_their_sums():
    """Lists and float64 become the layer's arrays; an output may be changed without harm to the backward pass."""
    layer = Dense(4, 3, (lambda x: [list(row) for row in x.astype(float)], lambda grad, x: grad * (x > 0)), rng=0)
    outputs = layer.forward(X)
    assert type(outputs) is np.ndarray
    assert outputs.dtype == np.float32
    layer = Dense(4, 3, (lambda x: x[...], lambda grad, x: grad * (x > 0)), rng=0)
    outputs = layer.forward(X)
    right = layer.backward(np.ones((12, 3)))
    outputs = layer.forward(X)
    outputs[...] = -1
    np.testing.assert_array_equal(layer.backward(np.ones((12, 3))), right)
    with pytest.raises(TypeError, match="complex"):
        Dense(4, 3, (lambda x: x + 1j, lambda grad, x: grad)).forward(X)


def test_in_place():
    """A function that overwrites its input would spoil the derivative; one may overwrite the gradient, but not the caller's."""

    def relu(x):
        x[x < 0] = 0
        return x

    def backward(grad, x):
        grad *= x > 0
        return grad

    for call in (Network(Dense(4, 3, (relu, backward))).predict, Dense(4, 3, (relu, backward)).forward):
        with pytest.raises(ValueError, match="read-only"):
            call(X)
    layer = Dense(4, 3, (lambda x: x.clip(0), backward), rng=0)
    grad = np.ones((12, 3), np.float32)
    layer.forward(X)
    layer.backward(grad)
    assert (grad == 1).all()
    one = Network(Dense(4, 3, (lambda x: x.clip(0), backward)), rng=0).fit(X, CLASSES, epochs=3)
    same = Network(Dense(4, 3, "relu"), rng=0).fit(X, CLASSES, epochs=3)
    np.testing.assert_allclose(one.losses, same.losses, rtol=1e-5)


def test_functions_of_rows():
    """They learn, and can be examined."""
    net = Network(Dense(4, 3, (row_softmax, row_softmax_backward), init="glorot"), rng=0).fit(X, np.eye(3)[CLASSES], epochs=3)
    same = Network(Dense(4, 3, "softmax"), rng=0).fit(X, np.eye(3)[CLASSES], epochs=3)
    np.testing.assert_allclose(net.losses, same.losses, rtol=1e-3)
    assert net.health(X, np.eye(3)[CLASSES]).gradient[0] > 0


def test_the_gradient_of_a_loss_is_checked():
    """One of another shape does not broadcast."""
    net = Network(Dense(4, 3))
    with pytest.raises(ValueError, match="the gradient of the loss must return"):
        net.fit(X, CLASSES, loss=lambda outputs, target, out: (0.0, outputs[:, :1]))
