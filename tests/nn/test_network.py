"""Networks learn, learn on in a second fit, and predict.

They change no array that they are given, and a step allocates nothing of the size of a batch.
"""

import sys
import threading
import tracemalloc

import numpy as np
import pytest

import fastact
from fastact.nn import SGD, Adam, Dense, Network
from fastact.nn.passes import Passes


def rings(rows=600, classes=3, seed=0):
    """Points in rings around 0, whose class is their ring. No line separates the classes."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, rows)
    angles, radii = generator.uniform(0, 2 * np.pi, rows), labels + generator.uniform(0.2, 0.8, rows)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1), labels


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "tanh", "gelu", "silu", "mish", "softplus"])
def test_a_network_learns_rings(activation):
    """A network classifies points right that it was not trained on, and its loss falls."""
    X, y = rings()
    X_test, y_test = rings(seed=1)
    net = Network(Dense(2, 32, activation), Dense(32, 3), rng=0)
    assert net.fit(X, y, epochs=60, optimizer=Adam(0.02), validation=(X_test, y_test)) is net
    assert net.score(X_test, y_test) > 0.95
    assert len(net.losses) == len(net.validation_losses) == 60
    assert net.losses[-1] < net.losses[0] / 5
    assert net.dtype == net.parameters.dtype == np.float32
    proba = net.predict_proba(X_test)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(proba.argmax(axis=1), net.predict(X_test))
    last = -np.log(proba[np.arange(len(proba)), y_test]).mean()
    assert net.validation_losses[-1] == pytest.approx(last, rel=1e-4)


def test_a_network_reads_digits():
    """A network with one hidden layer reads handwritten digits."""
    datasets = pytest.importorskip("sklearn.datasets")
    found = datasets.load_digits()
    order = np.random.default_rng(7).permutation(len(found.data))
    X, y = found.data[order] / 16, found.target[order]
    for activation in ("relu", "gelu"):
        net = Network(Dense(64, 128, activation), Dense(128, 10), rng=0)
        net.fit(X[360:], y[360:], epochs=40, batch_size=64, optimizer=Adam(1e-3))
        assert net.score(X[:360], y[:360]) >= 0.97


def test_binary_labels():
    """A network with one output takes labels 0 and 1 or booleans, of shape (rows,) or (rows, 1)."""
    X, y = rings(classes=2)
    for labels in (y, y.astype(bool), y[:, np.newaxis], y.astype(np.uint8)):
        net = Network(Dense(2, 16, "tanh"), Dense(16, 1), rng=0).fit(X, labels, epochs=60, optimizer=Adam(0.02))
        assert net.score(X, labels) > 0.95
        assert net.predict(X).shape == net.predict_proba(X).shape == (len(X),)
        np.testing.assert_array_equal(net.predict(X), net.predict_proba(X) > 0.5)


@pytest.mark.parametrize("name", ["sigmoid", "expit"])
def test_a_network_that_ends_in_sigmoid_predicts(name):
    """A network with given weights may end in sigmoid. Its outputs are probabilities, and it predicts 1 above one half."""
    X, _ = rings()
    weights = np.array([[1.0], [-2.0]])
    right = fastact.sigmoid(X @ weights)[:, 0]
    net = Network(Dense.of(weights, [0.0], name), task="binary")
    np.testing.assert_array_equal(net.predict_proba(X), right)
    np.testing.assert_array_equal(net.predict(X), right > 0.5)
    assert net.score(X, right > 0.5) == 1
    np.testing.assert_array_equal(Network(Dense.of(weights, [0.0], name)).predict_proba(X), right)


def test_several_labels_a_row():
    """A row may have several labels. Each is 0 or 1, and has a probability of its own."""
    X, _ = rings()
    y = (X > 0).astype(int)
    net = Network(Dense(2, 8, "tanh"), Dense(8, 2), rng=0)
    net.fit(X, y, loss="binary_cross_entropy_with_logits", epochs=20, optimizer=Adam(0.02))
    assert net.score(X, y) > 0.95
    np.testing.assert_array_equal(net.predict(X), net.predict_proba(X) > 0.5)
    assert net.predict(X).shape == y.shape


def test_floating_labels_choose_the_squared_error():
    """Floating labels choose the squared error. Labels of shape (rows,) never broadcast against outputs of (rows, 1)."""
    X = np.linspace(-3, 3, 200)[:, np.newaxis]
    for y in (np.sin(X[:, 0]), np.sin(X)):
        net = Network(Dense(1, 32, "tanh"), Dense(32, 1), rng=0).fit(X, y, epochs=200, optimizer=Adam(0.01))
        assert net.score(X, y) > 0.99
        assert net.predict(X).shape == (200,)
        assert net.losses[-1] == pytest.approx(np.mean((net.predict(X) - np.sin(X[:, 0])) ** 2), rel=0.5)
        with pytest.raises(ValueError, match="predicts values"):
            net.predict_proba(X)
    both = Network(Dense(1, 32, "tanh"), Dense(32, 2), rng=0)
    both.fit(X, np.hstack([np.sin(X), np.cos(X)]), epochs=200, optimizer=Adam(0.01))
    assert both.predict(X).shape == (200, 2)
    assert both.score(X, np.hstack([np.sin(X), np.cos(X)])) > 0.98


def test_distributions_and_one_hot():
    """Cross-entropy takes distributions and one-hot labels. The score compares with the most probable class."""
    X, y = rings()
    for labels in (np.eye(3, dtype=int)[y], np.eye(3)[y]):
        net = Network(Dense(2, 32, "relu"), Dense(32, 3), rng=0)
        net.fit(X, labels, epochs=40, optimizer=Adam(0.02), loss="cross_entropy")
        assert net.score(X, labels) == net.score(X, y) > 0.95


def test_a_loss_of_the_user():
    """A loss may be a function that returns the loss and its gradient, as a new array or in `out`."""

    def absolute_error(outputs, target, out):
        off = outputs - target
        return np.abs(off).mean(), np.sign(off) / off.size

    def in_place(outputs, target, out):
        loss, out[...] = absolute_error(outputs, target, out)
        return loss, out

    X = np.linspace(-3, 3, 200)[:, np.newaxis]
    nets = [Network(Dense(1, 32, "tanh"), Dense(32, 1), rng=0) for _ in range(2)]
    for net, loss in zip(nets, (absolute_error, in_place), strict=True):
        net.fit(X, np.sin(X[:, 0]), loss=loss, epochs=200, optimizer=Adam(0.01))
        assert net.score(X, np.sin(X[:, 0])) > 0.98
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)


def test_softmax_as_the_last_layer():
    """A network may end in softmax under the squared error. Its outputs are the probabilities."""
    X, y = rings()
    net = Network(Dense(2, 32, "relu"), Dense(32, 3, "softmax"), rng=0)
    net.fit(X, np.eye(3)[y], epochs=60, optimizer=Adam(0.02))
    assert net.score(X, y) == net.score(X, np.eye(3)[y]) > 0.95
    np.testing.assert_allclose(net.predict_proba(X).sum(axis=1), 1, rtol=1e-6)


def test_a_second_fit_goes_on():
    """Two fits of two epochs equal one fit of four, with the state of the optimizer and the order of the rows."""
    X, y = rings()
    one, two = (Network(Dense(2, 8, "tanh"), Dense(8, 3), rng=5) for _ in range(2))
    one.fit(X, y, epochs=4, optimizer=Adam(0.01))
    two.fit(X, y, epochs=2, optimizer=Adam(0.01)).fit(X, y, epochs=2)
    np.testing.assert_allclose(one.losses[:2], two.losses[:2])
    assert two.optimizer.steps == one.optimizer.steps == 4 * 10
    assert len(two.losses) == 4
    three, four = (Network(Dense(2, 8, "tanh"), Dense(8, 3), rng=5) for _ in range(2))
    three.fit(X, y, epochs=4, optimizer=SGD(0.1, momentum=0.9), shuffle=False)
    four.fit(X, y, epochs=2, optimizer=SGD(0.1, momentum=0.9), shuffle=False).fit(X, y, epochs=2, shuffle=False)
    np.testing.assert_array_equal(three.parameters, four.parameters)


def test_the_same_seed_gives_the_same_network():
    """Equal seeds give equal networks. rng= of fit gives another order of the rows."""
    X, y = rings()
    one, same, other = (Network(Dense(2, 8, "tanh"), Dense(8, 3), rng=5) for _ in range(3))
    one.fit(X, y, epochs=2)
    same.fit(X, y, epochs=2)
    other.fit(X, y, epochs=2, rng=1)
    np.testing.assert_array_equal(one.parameters, same.parameters)
    assert (one.parameters != other.parameters).any()


def test_nothing_given_is_changed():
    """fit changes neither data nor labels, in any dtype and layout."""
    X, y = rings()
    for data in (
        X,
        X.astype(np.float32),
        np.ma.array(X, mask=False),
        np.asfortranarray(X.astype(np.float32)),
        X[::2],
        X.astype(np.float32)[::-1],
    ):
        labels = y[: len(data)]
        kept = data.copy(), labels.copy()
        Network(Dense(2, 8, "relu"), Dense(8, 3), rng=0).fit(data, labels, epochs=2)
        np.testing.assert_array_equal(data, kept[0])
        np.testing.assert_array_equal(labels, kept[1])


def test_labels_and_data_do_not_change_the_dtype():
    """A network computes in float32, unless the arrays of its layers or dtype= say otherwise."""
    X, y = rings()
    net = Network(Dense(2, 3), rng=0).fit(X.astype(np.float64), y, epochs=1)
    assert net.forward(X).dtype == net.predict_proba(X).dtype == np.float32
    assert Network(Dense(2, 3, dtype=np.float64), Dense(3, 1)).dtype == np.float64
    assert Network(Dense.of(np.ones((2, 3))), Dense(3, 1)).layers[1].weights.dtype == np.float64
    assert Network(Dense.of(np.ones((2, 3), int))).dtype == np.float32
    assert Network(Dense(2, 3), dtype=np.float64).parameters.dtype == np.float64
    with pytest.raises(ValueError, match="one dtype, got float32 and float64"):
        Network(Dense.of(np.ones((2, 3))), Dense(3, 1, dtype=np.float32))


@pytest.mark.skipif(fastact.backend != "compiled", reason="NumPy's functions compute in parts")
def test_a_step_allocates_little():
    """A step allocates nothing of the size of a batch, whether the backward pass starts from the input or the output."""
    rows = 4096
    X, y = np.random.default_rng(0).normal(size=(rows, 64)).astype(np.float32), np.arange(rows) % 10
    from fastact.nn import losses

    for activation in ("relu", "gelu"):
        net, optimizer = Network(Dense(64, 128, activation), Dense(128, 10), rng=0), Adam()
        objective, passes = losses.objective(None, y, rows, net.layers[-1]), Passes(net.layers, rows, net.gradients)
        optimizer.start(net.parameters)
        peaks = []
        for _ in range(3):
            tracemalloc.start()
            passes.loss(X, objective.targets, objective)
            optimizer.step(net.parameters, net.gradients)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[-1] < rows * 10 * 4 / 2  # half the size of the outputs of a batch


def test_an_interrupted_network_is_usable():
    """Ctrl-C in the third epoch is raised, and the network has two epochs and can be used."""
    X, y = rings()
    net = Network(Dense(2, 8, "relu"), Dense(8, 3), rng=0)

    class Interrupted(Adam):
        def step(self, parameters, gradients):
            if self.steps == 25:
                raise KeyboardInterrupt
            super().step(parameters, gradients)

    with pytest.raises(KeyboardInterrupt):
        net.fit(X, y, epochs=9, optimizer=Interrupted(0.01), validation=(X, y))
    assert len(net.losses) == len(net.validation_losses) == 2
    assert 0 <= net.score(X, y) <= 1
    assert len(net.fit(X, y, epochs=1, optimizer=Adam()).losses) == 3


def test_threads_can_predict_at_once():
    """Threads that predict at once get right results, and store nothing in the layers."""
    X, y = rings()
    net = Network(Dense(2, 64, "gelu"), Dense(64, 3), rng=0).fit(X, y, epochs=2)
    state = {name: id(value) for layer in net.layers for name, value in layer.__dict__.items()}
    parts = [X[i::8] for i in range(8)]
    expected = [(net.predict(part), net.predict_proba(part)) for part in parts]
    wrong = []

    def predict(part, right):
        for _ in range(50):
            if (net.predict(part) != right[0]).any() or (net.predict_proba(part) != right[1]).any():
                wrong.append(len(part))

    threads = [threading.Thread(target=predict, args=pair) for pair in zip(parts, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert state == {name: id(value) for layer in net.layers for name, value in layer.__dict__.items()}


def test_many_rows_are_predicted_in_blocks():
    """Many rows are predicted in blocks, and the last rows are not left out."""
    net = Network(Dense(2, 3), rng=0)
    X = np.random.default_rng(0).normal(size=(10_001, 2)).astype(np.float32)
    np.testing.assert_allclose(net.predict_proba(X)[-3:], net.predict_proba(X[-3:]), rtol=1e-5)
    assert net.predict(X[:0]).shape == (0,)


def test_data_frames():
    """Data and labels may be tables and columns of pandas, and give the network that arrays give."""
    pandas = pytest.importorskip("pandas")
    X, y = rings()
    table = pandas.DataFrame(X, columns=["a", "b"])
    net = Network(Dense(2, 8, "relu"), Dense(8, 3), rng=0).fit(table, pandas.Series(y, index=y), epochs=2)
    same = Network(Dense(2, 8, "relu"), Dense(8, 3), rng=0).fit(X, y, epochs=2)
    np.testing.assert_array_equal(net.predict(table), same.predict(X))


def test_weights_of_torch_can_be_used():
    """Layers made of the transposed weights of a PyTorch model predict what the model predicts."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.GELU(), torch.nn.Linear(16, 3))
    layers = [
        Dense.of(part.weight.detach().numpy().T, part.bias.detach().numpy(), name)
        for part, name in ((model[0], "gelu"), (model[2], None))
    ]
    x = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(x)).softmax(dim=1).numpy()
    np.testing.assert_allclose(Network(*layers).predict_proba(x), expected, rtol=1e-5, atol=1e-7)


def test_progress_is_printed_to_a_terminal(capsys, monkeypatch):
    """progress=True prints a bar with tqdm and lines without it. By default nothing is printed if stderr is no terminal."""
    X, y = rings()
    net = Network(Dense(2, 3), rng=0)
    net.fit(X, y, epochs=2)
    net.fit(X, y, epochs=2, progress=False)
    assert capsys.readouterr().err == ""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    net.fit(X, y, epochs=2, progress=True, validation=(X, y))
    assert capsys.readouterr().err.count("loss") == 2
    monkeypatch.undo()
    pytest.importorskip("tqdm")
    net.fit(X, y, epochs=2, progress=True)
    assert "2/2" in capsys.readouterr().err


def test_fits_with_and_without_validation():
    """Each epoch has a validation loss, NaN if it had no validation. A second fit and health keep the first fit's loss."""
    X, y = rings(classes=2)
    net = Network(Dense(2, 8, "tanh"), Dense(8, 1), rng=0)
    net.fit(X, y, epochs=2, loss="squared_error").fit(X, y, epochs=1, validation=(X, y)).fit(X, y, epochs=1)
    assert len(net.losses) == 4
    assert np.isnan(net.validation_losses).tolist() == [True, True, False]
    assert (net.loss, net.task) == ("squared_error", "values")
    assert net.health(X, y).gradient.tolist() == net.health(X, y, loss="squared_error").gradient.tolist()
    assert "% dead" in repr(net.health(X))


def test_the_score_of_values_is_r2():
    """The score is the mean of R^2 over the outputs, as in scikit-learn. For labels that do not vary, R^2 is 1 or 0."""
    net = Network(Dense.of(np.eye(3)), task="values")
    X = np.array([[1.0, 2.0, 5.0], [3.0, 2.0, 5.0]])
    assert net.score(X, X) == 1
    assert net.score(X, X + np.array([0, 0, 1])) == pytest.approx(2 / 3)
    assert net.score(X, [[1, 2, 5], [5, 2, 5]]) == pytest.approx((0.5 + 1 + 1) / 3)
