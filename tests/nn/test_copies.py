"""Copies of networks, layers and optimizers: copy, pickle, joblib and other processes."""

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
    """A network that has learnt for some epochs."""
    return Network(Dense(2, 4, "elu", alpha=0.5), Dense(4, 3), rng=0).fit(X, Y, epochs=3, optimizer=Adam(0.01))


@pytest.mark.parametrize("copied", COPIES)
def test_networks(copied):
    """A copy has vectors of its own, and both learn on as one would alone."""
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
def test_layers_of_a_network(copied):
    """A copy of a layer belongs to no network, and may become a part of one."""
    net = trained()
    layer = copied(net.layers[0])
    kept = net.layers[0].weights.copy()
    layer.weights = 2 * layer.weights
    np.testing.assert_array_equal(net.layers[0].weights, kept)
    other = Network(layer, Dense(4, 2), rng=0)
    np.testing.assert_array_equal(other.layers[0].weights, 2 * kept)
    assert net.layers[0].network is net


@pytest.mark.parametrize("copied", COPIES)
def test_an_optimizer_that_left(copied):
    """A copy does not take over the moments that its optimizer gathered for another network."""
    optimizer = Adam(0.01)
    net = Network(Dense(2, 4), Dense(4, 3), rng=0).fit(X, Y, optimizer=optimizer)
    Network(Dense(2, 9), Dense(9, 3), rng=0).fit(X, Y, optimizer=optimizer)
    other = copied(net).fit(X, Y, epochs=2, batch_size=50)
    assert other.optimizer.steps == 2


def test_size():
    """Nothing is stored twice: the weights, and the two moments of Adam."""
    net = Network(Dense(300, 300), rng=0).fit(np.ones((1, 300)), [0], epochs=1)
    assert len(pickle.dumps(net)) < 3.1 * net.parameters.nbytes


@pytest.mark.parametrize("optimizer", [Adam(0.01), SGD(0.01, momentum=0.9)], ids=repr)
def test_memory_maps(tmp_path, optimizer):
    """What joblib maps into memory read-only learns on, too."""
    joblib = pytest.importorskip("joblib")
    net = trained().fit(X, Y, epochs=1, optimizer=optimizer)
    joblib.dump(net, tmp_path / "net")
    other = joblib.load(tmp_path / "net", mmap_mode="r").fit(X, Y, epochs=2)
    net.fit(X, Y, epochs=2)
    np.testing.assert_array_equal(other.parameters, net.parameters)


def learn(net):
    """In another process."""
    return net.fit(X, Y, epochs=2)


def test_processes():
    """A network goes to a process and back."""
    net = trained()
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        other = pool.submit(learn, net).result(timeout=60)
    np.testing.assert_array_equal(other.parameters, learn(net).parameters)
