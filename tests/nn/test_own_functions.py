"""Activations and losses that the user writes work in layers and in fit, and wrong ones are refused."""

import numpy as np
import pytest

import fastact
from fastact.nn import Dense, Network

X = np.random.default_rng(0).normal(size=(12, 4))
CLASSES = np.arange(12) % 3


def row_softmax(x):
    """softmax in plain NumPy: a function of whole rows."""
    p = np.exp(x - x.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def row_softmax_backward(grad, x):
    """The backward pass of row_softmax."""
    y = row_softmax(x)
    return y * (grad - (grad * y).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("where", ["layer", "fit", "predict"])
def test_a_result_of_another_shape_is_refused(where):
    """An activation that returns another shape than it was given is refused wherever it is called."""
    net = Network(Dense(4, 3, (lambda x: x[:, :1], lambda grad, x: grad)))
    call = {"layer": net.layers[0].forward, "fit": lambda x: net.fit(x, CLASSES), "predict": net.predict}[where]
    with pytest.raises(ValueError, match="activation's forward function must return an array of its input's shape"):
        call(X)
    layer = Dense(4, 3, (np.tanh, lambda grad, x: grad[:1]))
    layer.forward(X)
    with pytest.raises(ValueError, match="activation's backward function must return"):
        layer.backward(np.ones((12, 3)))


def test_layers_keep_their_dtype_and_their_inputs_of_activations():
    """Lists and float64 results become arrays of the layer's dtype. The caller may change outputs without harm.

    The layer keeps the inputs of its activation for the backward pass, and complex results are refused.
    """
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


def test_activations_must_not_overwrite_their_input():
    """A forward function that overwrites its input is refused, because the derivative needs it.

    A backward function may overwrite its gradient, which is a copy of the caller's.
    """

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


def test_an_activation_may_be_a_function_of_rows():
    """A network with an activation of whole rows learns, and health can examine it."""
    net = Network(Dense(4, 3, (row_softmax, row_softmax_backward), init="glorot"), rng=0).fit(X, np.eye(3)[CLASSES], epochs=3)
    same = Network(Dense(4, 3, "softmax"), rng=0).fit(X, np.eye(3)[CLASSES], epochs=3)
    np.testing.assert_allclose(net.losses, same.losses, rtol=1e-3)
    assert net.health(X, np.eye(3)[CLASSES]).gradient[0] > 0


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (lambda outputs: (0.0, outputs[:, :1]), ValueError, "the gradient of the loss must return"),
        (lambda outputs: (0.0, outputs + 0j), TypeError, "complex"),
        (lambda outputs: 0.0, TypeError, "loss mine must return a pair, the mean loss as one number and its gradient"),
        (lambda outputs: (None, outputs), TypeError, "loss mine must return a pair"),
        (lambda outputs: ((outputs**2).mean(axis=1), outputs), TypeError, "loss mine must return a pair"),
    ],
)
def test_what_a_loss_returns_is_checked(result, error, message):
    """A loss must return one number, and a gradient that has the shape of the outputs."""

    def mine(outputs, target, out):
        return result(outputs)

    net = Network(Dense(4, 3))
    before = net.parameters.copy()
    with pytest.raises(error, match=message):
        net.fit(X, CLASSES, loss=mine)
    np.testing.assert_array_equal(net.parameters, before)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_loss_cannot_change_its_arguments(which, shuffle):
    """A loss can write neither to the outputs, which the backward pass may need, nor to the labels of the user."""
    y = np.ones(12)

    def mine(*arrays, out):
        arrays[which][...] = 0
        return 0.0, out

    with pytest.raises(ValueError, match="read-only"):
        Network(Dense(4, 1, "sigmoid")).fit(X, y, loss=mine, shuffle=shuffle)
    assert (y == 1).all()


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_loss_may_be_a_function_of_fastact(outputs):
    """A loss of fastact, given as a function, means the same as its name."""
    y = CLASSES if outputs == 3 else CLASSES > 0
    name = "cross_entropy" if outputs == 3 else "binary_cross_entropy_with_logits"
    for loss in (getattr(fastact, name), getattr(fastact, name + "_and_grad")):
        net, same = (Network(Dense(4, outputs), rng=0) for _ in range(2))
        assert net.fit(X, y, loss=loss).losses == same.fit(X, y, loss=name).losses
        assert net.task == same.task
