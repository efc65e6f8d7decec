"""A network, layer or optimizer keeps its state through copy, pickle, joblib and other processes.

A copy shares no arrays with its original.
"""

import concurrent.futures
import copy
import multiprocessing
import pickle

import numpy as np
import pytest

from fastact.nn import SGD, Adam, Dense, Network

X, Y = np.random.default_rng(0).normal(size=(50, 2)), np.arange(50) % 3
COPIES = [copy.copy, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))]


def trained():
    """A network that was trained for three epochs."""
    return Network(Dense(2, 4, "elu", alpha=0.5), Dense(4, 3), rng=0).fit(X, Y, epochs=3, optimizer=Adam(0.01))


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_of_a_network_is_independent(copied):
    """A copy has arrays of its own, and copy and original learn on as the original would alone."""
    net, alone = trained(), trained()
    other = copied(net)
    assert np.shares_memory(other.layers[1].weights, other.parameters)
    assert np.shares_memory(net.layers[1].weights, net.parameters)
    assert not np.shares_memory(other.parameters, net.parameters)
    other.fit(X, Y, epochs=2, shuffle=False)
    np.testing.assert_array_equal(net.parameters, alone.parameters)
    np.testing.assert_array_equal(net.layers[0].weights, alone.layers[0].weights)
    for one in (net, alone):
        one.fit(X, Y, epochs=2, shuffle=False)
        np.testing.assert_array_equal(other.parameters, one.parameters)
        assert other.losses == one.losses


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_of_a_layer_belongs_to_no_network(copied):
    """A copy of a layer belongs to no network, and may become a part of another one."""
    net = trained()
    layer = copied(net.layers[0])
    kept = net.layers[0].weights.copy()
    layer.weights = 2 * layer.weights
    np.testing.assert_array_equal(net.layers[0].weights, kept)
    other = Network(layer, Dense(4, 2), rng=0)
    np.testing.assert_array_equal(other.layers[0].weights, 2 * kept)
    assert net.layers[0].network is net


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_leaves_moments_of_another_network_behind(copied):
    """If the optimizer now serves another network, a copy of the first network starts with new moments."""
    optimizer = Adam(0.01)
    net = Network(Dense(2, 4), Dense(4, 3), rng=0).fit(X, Y, optimizer=optimizer)
    Network(Dense(2, 9), Dense(9, 3), rng=0).fit(X, Y, optimizer=optimizer)
    other = copied(net).fit(X, Y, epochs=2, batch_size=50)
    assert other.optimizer.steps == 2


def test_a_pickle_stores_nothing_twice():
    """A pickle is as large as the weights and the two moments of Adam."""
    net = Network(Dense(300, 300), rng=0).fit(np.ones((1, 300)), [0], epochs=1)
    assert len(pickle.dumps(net)) < 3.1 * net.parameters.nbytes


@pytest.mark.parametrize("optimizer", [Adam(0.01), SGD(0.01, momentum=0.9)], ids=repr)
def test_a_network_from_a_memory_map_learns_on(tmp_path, optimizer):
    """A network whose arrays joblib maps into memory read-only learns on as the original does."""
    joblib = pytest.importorskip("joblib")
    net = trained().fit(X, Y, epochs=1, optimizer=optimizer)
    joblib.dump(net, tmp_path / "net")
    other = joblib.load(tmp_path / "net", mmap_mode="r").fit(X, Y, epochs=2)
    net.fit(X, Y, epochs=2)
    np.testing.assert_array_equal(other.parameters, net.parameters)


def learn(net):
    """Train two more epochs. The pool calls this in another process."""
    return net.fit(X, Y, epochs=2)


def test_a_network_goes_to_another_process_and_back():
    """A network that was trained in another process comes back with the weights of one that was trained here."""
    net = trained()
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        other = pool.submit(learn, net).result(timeout=60)
    np.testing.assert_array_equal(other.parameters, learn(net).parameters)
