"""Wrong data and labels raise an error that says what is wrong, and leave the network as it was."""

import numpy as np
import pytest

import fastact
from fastact.nn import Adam, Dense, Network

X = np.random.default_rng(0).normal(size=(12, 4))
CLASSES, YES, VALUES = np.arange(12) % 3, np.arange(12) % 2, np.linspace(0, 1, 12)


def with_value(value, at=(3, 1)):
    """The data with one wrong number."""
    wrong = X.copy()
    wrong[at] = value
    return wrong


@pytest.mark.parametrize(
    ("outputs", "data", "labels", "keywords", "error", "message"),
    [
        (3, X[:, :3], CLASSES, {}, ValueError, r"X must have shape \(rows, 4\).*got \(12, 3\)"),
        (3, X[0], CLASSES, {}, ValueError, r"one row is X\[np.newaxis\]"),
        (3, X.reshape(12, 2, 2), CLASSES, {}, ValueError, r"X.reshape\(len\(X\), -1\)"),
        (3, X[:0], CLASSES[:0], {}, ValueError, "X must have one row or more"),
        (3, with_value(np.nan), CLASSES, {}, ValueError, r"X must be finite in float32, got nan at \(3, 1\); 1 such"),
        (3, with_value(np.inf), CLASSES, {}, ValueError, "got inf"),
        (3, with_value(1e300), CLASSES, {}, ValueError, "X must be finite in float32, got inf"),
        (3, X.astype(complex), CLASSES, {}, TypeError, "complex"),
        (3, X.astype(str), CLASSES, {}, TypeError, "X must be real numbers"),
        (3, [[1, 2, 3, 4], [1, 2]], CLASSES, {}, ValueError, "X must be an array of numbers"),
        (3, np.ma.masked_less(X, 0), CLASSES, {}, TypeError, "masked"),
        (3, X, CLASSES[:5], {}, ValueError, "one label for each of the 12 rows of X, got 5 labels"),
        (3, X, 1, {}, ValueError, "one label for each"),
        (3, X, CLASSES + 1, {}, ValueError, r"classes in 0..2.*got 3 at 2: y - 1 counts from 0"),
        (3, X, CLASSES + 2, {}, ValueError, 'got 3 at 1: for numbers that are no classes there is loss="squared_error"'),
        (3, X, CLASSES - 1, {}, ValueError, "got -1 at 0"),
        (3, X, np.full(12, -100), {}, ValueError, "got -100"),
        (3, X, VALUES, {}, ValueError, r"pass y.astype\(int\)"),
        (3, X, CLASSES.astype(float), {"loss": "cross_entropy"}, ValueError, r"pass y.astype\(int\)"),
        (3, X, np.ones((12, 3), int), {}, ValueError, "0 but for one 1 a row"),
        (3, X, np.ones((12, 4), int), {}, ValueError, r"\(12,\) or \(12, 3\), got \(12, 4\)"),
        (3, X, CLASSES.astype(str), {}, TypeError, r"y must be real.*np.unique\(y, return_inverse"),
        (3, X, np.eye(3, dtype=int)[CLASSES] + np.eye(3, dtype=int)[0], {"loss": ["mse"]}, ValueError, r"loss \['mse'\] is unk"),
        (1, X, CLASSES, {}, ValueError, 'got 2 at 2: several classes need an output each, and loss="squared_error" fits other'),
        (1, X, np.where(YES, 1, -1), {}, ValueError, "y must be 0 or 1.*: of labels -1 and 1 y > 0 makes them"),
        (1, X, np.where(YES, np.nan, 0), {}, ValueError, "y must be finite"),
        (1, X, VALUES[:, np.newaxis] + np.zeros(2), {}, ValueError, r"shape \(12, 1\)"),
        (1, X, CLASSES, {"loss": "cross_entropy"}, ValueError, "two outputs or more"),
        (3, X, CLASSES, {"loss": "cross-entropy"}, ValueError, "did you mean 'cross_entropy'"),
        (3, X, CLASSES, {"loss": 3}, ValueError, "loss 3 is unknown"),
        (3, X, CLASSES, {"epochs": 0}, ValueError, "epochs must be a positive integer, got 0"),
        (3, X, CLASSES, {"batch_size": 2.5}, TypeError, "batch_size must be a positive integer, not float 2.5"),
        (3, X, CLASSES, {"validation": X}, TypeError, "validation must be a pair"),
        (3, X, CLASSES, {"validation": (X[:, :2], CLASSES)}, ValueError, "validation X must have shape"),
        (3, X, CLASSES, {"validation": (X, CLASSES + 1)}, ValueError, "classes in 0..2"),
        (1, X, YES, {"validation": (X, VALUES)}, ValueError, "same kind"),
    ],
)
def test_fit_refuses_wrong_input(outputs, data, labels, keywords, error, message):
    """fit raises the error. The network, its losses and its optimizer stay as they were, and a right call works."""
    net = Network(Dense(4, 5, "relu"), Dense(5, outputs), rng=0)
    right = CLASSES if outputs == 3 else YES
    net.fit(X, right, epochs=1)
    optimizer = net.optimizer
    state = net.parameters.copy(), net.losses.copy(), optimizer.steps, net.task
    with pytest.raises(error, match=message):
        net.fit(data, labels, **{"optimizer": Adam(0.1), **keywords})
    np.testing.assert_array_equal(net.parameters, state[0])
    assert (net.losses, optimizer.steps, net.task) == state[1:]
    assert net.optimizer is optimizer
    net.fit(X, right, epochs=1)


@pytest.mark.parametrize("call", ["predict", "predict_proba", "health"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (X[:, :3], "shape"),
        (X[0], "one row is"),
        (with_value(np.nan), "got nan"),
        (with_value(-np.inf), "got -inf"),
        (np.tile([[np.inf, -np.inf, 0, 0]], (12, 1)), "got inf"),
    ],
)
def test_predictions_need_finite_data(call, data, message):
    """Predictions and health refuse data of a wrong shape, NaN and infinities."""
    net = Network(Dense(4, 5, "relu"), Dense(5, 3), rng=0)
    with pytest.raises(ValueError, match=message):
        getattr(net, call)(data)
    assert net.predict(X.astype(np.float32)).shape == (12,)


def test_large_finite_data_are_taken():
    """Data are taken as long as each number is finite, even if their sum overflows."""
    net = Network(Dense(4, 3), rng=0)
    assert net.predict(np.full((2, 4), 3e38, np.float32)).shape == (2,)


@pytest.mark.parametrize(
    ("activation", "labels", "outputs", "loss"),
    [
        ("softmax", CLASSES, 3, fastact.cross_entropy_and_grad),
        ("softmax", CLASSES, 3, None),
        ("sigmoid", YES, 1, None),
        ("expit", YES, 1, None),
        ("softmax", CLASSES, 3, "cross_entropy"),
    ],
)
def test_a_last_activation_that_the_loss_applies_too_is_refused(activation, labels, outputs, loss):
    """A loss that applies the activation itself refuses a network that ends in it, and says why."""
    with pytest.raises(ValueError, match="has it inside: applied twice, it flattens the gradients"):
        Network(Dense(4, outputs, activation)).fit(X, labels, loss=loss)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Network(), ValueError, "one layer or more"),
        (lambda: Network(Dense(2, 3), Dense(4, 1)), ValueError, "layer 0 has 3 outputs, but layer 1 has 4 inputs"),
        (lambda: Network(Dense(2, 3), "relu"), TypeError, "takes Dense layers, got str as layer 1"),
        (lambda: Network(*[Dense(2, 2)] * 2), ValueError, "layer 1 belongs to a network already"),
        (lambda: Network(Network(Dense(2, 2)).layers[0]), ValueError, "belongs to a network already"),
        (lambda: Network(Dense(2, 2), task="class"), ValueError, "task must be one of"),
        (lambda: Network(Dense(2, 2), dtype=np.float16), TypeError, "float16"),
        (lambda: Network(Dense(4, 3)).score(X, CLASSES[:5]), ValueError, r"shape of predict\(X\)"),
        (lambda: Network(Dense(4, 3)).score(X[:0], CLASSES[:0]), ValueError, "one label or more"),
        (lambda: Network(Dense(4, 3)).score(X, CLASSES.astype(str)), TypeError, "y must be real numbers"),
        (lambda: Network(Dense(4, 3)).score(X, np.ma.masked_equal(CLASSES, 0)), TypeError, "y must not be masked"),
        (lambda: Network(Dense(4, 1)).score(X, np.where(YES, np.nan, 0)), ValueError, "y must be finite"),
        (lambda: Network(Dense(4, 2), task="values").score(X, VALUES), ValueError, r"shape of predict\(X\) \(12, 2\)"),
        (lambda: Network(Dense(4, 3), task="values").score(X, CLASSES), ValueError, "it predicts values; fitted with integer"),
    ],
)
def test_wrong_networks_and_scores_are_refused(make, error, message):
    """Layers that do not fit each other, and labels that do not fit a score, are refused."""
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("rows", [1, 12])
@pytest.mark.parametrize("outputs", [1, 3])
def test_a_weight_of_zero_hides_no_wrong_data(rows, outputs):
    """The data themselves are checked, even if weights of 0 hide them from the outputs."""
    net = Network(Dense.of(np.zeros((4, outputs)), None, "sigmoid"), dtype=float)
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match="X must be finite"):
            net.predict(with_value(wrong, (0, 1))[:rows])
