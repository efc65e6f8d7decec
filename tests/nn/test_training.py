"""A network can be used whatever happens while it learns.

The tests try numbers that explode or vanish, Ctrl-C, other threads, and any kind of stderr.
"""

import io
import os
import signal
import sys
import threading
import time
import warnings

import numpy as np
import pytest

from fastact.nn import SGD, Adam, Dense, Network

X = np.random.default_rng(0).normal(size=(60, 4))
Y = np.arange(60) % 3


def network(activation="relu", outputs=3):
    """A small network."""
    return Network(Dense(4, 8, activation), Dense(8, outputs), rng=0)


@pytest.mark.parametrize("how", ["errors", "raise", "warn"])
def test_a_loss_that_explodes_raises_one_error(how):
    """A loss that becomes infinite or NaN raises one error, and no warning, under any filter of warnings.

    The network is that of the last epoch before it.
    """
    net = network(outputs=1).fit(X, X[:, 0], epochs=2)
    before = net.parameters.copy()
    state = "raise" if how == "raise" else "warn"
    with warnings.catch_warnings(), np.errstate(all=state), pytest.raises(FloatingPointError, match="The network is that of"):
        warnings.simplefilter("error" if how == "errors" else "always")
        net.fit(X, X[:, 0], optimizer=SGD(1e6), batch_size=1)
    np.testing.assert_array_equal(net.parameters, before)
    assert len(net.losses) == 2
    assert net.optimizer is None


def test_weights_that_explode_raise_an_error():
    """Weights that become infinite in the last step of an epoch raise an error, though the loss was finite before it."""
    net = network(outputs=1)
    before = net.parameters.copy()
    with pytest.raises(FloatingPointError, match=r"a weight became infinite or NaN in epoch 1: .* that of epoch 0"):
        net.fit(1e3 * X, X[:, 0], optimizer=SGD(1e37), epochs=1)
    np.testing.assert_array_equal(net.parameters, before)
    assert net.losses == []


@pytest.mark.parametrize("scale", [1, 1e-30, 1e-42])
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "snake", "gelu"])
def test_numbers_that_vanish_raise_no_error(activation, scale):
    """Numbers that underflow become 0 without an error, under np.errstate(all="raise") too."""
    net = Network(Dense(4, 8, activation), *(Dense(8, 8, activation) for _ in range(20)), Dense(8, 3), rng=0)
    with np.errstate(all="raise"):
        net.fit(scale * X, Y, epochs=20, validation=(scale * X, Y))
        network(activation, 1).fit(scale * X, scale * X[:, 0], epochs=3)
    assert np.isfinite(net.losses).all()


def interrupt_after(seconds):
    """Send the signal of Ctrl-C to this process."""
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def python_takes_interrupts():
    """Ctrl-C raises KeyboardInterrupt, also where the shell started pytest with that signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_takes_interrupts")
def test_interruption_at_any_moment():
    """After Ctrl-C at any moment every epoch that counts has both its losses, and the network learns on."""
    net = network().fit(X, Y, epochs=1, validation=(X, Y))
    for delay in np.random.default_rng(0).uniform(0.001, 0.01, 20):
        thread, before = threading.Thread(target=interrupt_after, args=(delay,)), net.optimizer.steps - len(net.losses)
        with pytest.raises(KeyboardInterrupt):
            thread.start()
            net.fit(X, Y, epochs=10**9, validation=(X, Y))
        thread.join()
        assert len(net.losses) == len(net.validation_losses)
        assert net.optimizer.steps - len(net.losses) - before in (0, 1)
        assert np.isfinite(net.predict_proba(X)).all()


def test_interruption_between_the_losses():
    """An epoch that was interrupted between its loss and its validation loss counts as none."""

    class Interrupting(list):
        def append(self, value):
            if len(self) == 3:
                raise KeyboardInterrupt
            super().append(value)

    net = network().fit(X, Y, epochs=1)
    net.losses = Interrupting(net.losses)
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, Y, epochs=9, validation=(X, Y))
    assert (len(net.losses), len(net.validation_losses)) == (3, 3)


def test_the_error_of_an_optimizer_is_raised():
    """An error in a step of an optimizer is raised, and the epochs before it stay."""

    class Failing(Adam):
        def step(self, parameters, gradients):
            if self.steps == 7:
                raise ZeroDivisionError("mine")
            super().step(parameters, gradients)

    net = network()
    with pytest.raises(ZeroDivisionError, match="mine"):
        net.fit(X, Y, batch_size=20, optimizer=Failing())
    assert len(net.losses) == 2
    net.fit(X, Y, epochs=1, optimizer=Adam())


def test_data_that_other_threads_write():
    """If other threads write to data and labels, a fit ends or raises an error of its own, and does no harm."""
    data, labels, stop = X.astype(np.float32), Y.copy(), threading.Event()

    def write():
        while not stop.is_set():
            data[::7], labels[...] = np.nan, -(2**60)
            data[...], labels[...] = X, Y

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(100):
            try:
                network().fit(data, labels, epochs=2)
            except (ValueError, FloatingPointError, IndexError) as error:
                assert any(text in str(error) for text in ("finite", "classes", "loss became nan", "needs target indices"))
    finally:
        stop.set()
        thread.join()


def test_predictions_while_it_learns():
    """Threads that predict while a network learns get finite probabilities and valid classes."""
    net, stop, wrong = network("gelu"), threading.Event(), []

    def predict():
        while not stop.is_set():
            if not np.isfinite(net.predict_proba(X)).all() or net.predict(X).max() > 2:
                wrong.append("a prediction")

    threads = [threading.Thread(target=predict) for _ in range(16)]
    for thread in threads:
        thread.start()
    net.fit(X, Y, epochs=100)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(net.losses) == 100


class OnlyWrites:
    """An object without flush or isatty, which some programs put in place of stderr."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        """Keep the text."""
        self.text += text


def test_a_fit_works_with_any_stderr(monkeypatch):
    """stderr may be None, as without a console, a closed file, or an object that can only write."""
    closed = io.StringIO()
    closed.close()
    for stderr in (None, closed, OnlyWrites()):
        monkeypatch.setattr(sys, "stderr", stderr)
        assert len(network().fit(X, Y, epochs=2).losses) == 2
    for tqdm in (True, False):
        if not tqdm:
            monkeypatch.setitem(sys.modules, "tqdm", None)
        monkeypatch.setattr(sys, "stderr", None)
        assert len(network().fit(X, Y, epochs=2, progress=True).losses) == 2
    monkeypatch.setattr(sys, "stderr", OnlyWrites())
    network().fit(X, Y, epochs=2, progress=True)
    assert sys.stderr.text.count("loss") == 2


def test_progress_without_a_console_writes_nowhere(capsys, monkeypatch):
    """If stderr is None, progress is not written to stdout, where print(file=None) would write."""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys, "stderr", None)
    network().fit(X, Y, epochs=2, progress=True)
    assert capsys.readouterr().out == ""
