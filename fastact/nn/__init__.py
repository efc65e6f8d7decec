"""Layers and networks for NumPy arrays: build, train, look inside, save.

A layer computes f(inputs @ weights + bias). A network is a chain of layers, which `fit` trains and `predict` serves::

    from fastact.nn import Adam, Dense, Network, load

    net = Network(Dense(64, 128, "gelu"), Dense(128, 10), rng=0)
    net.fit(X, y, epochs=20, optimizer=Adam(1e-3))
    net.predict(X)                   # the most probable class of each row
    print(net.health(X, y))          # dead and saturated neurons, the size of the gradients
    net.save("digits.npz")           # and load("digits.npz")

The files: `activations` finds a function by its name, `layers` has Dense, `network` has Network, `passes` the forward and the
backward pass through all layers in buffers, `training` the loop over epochs, `losses` the losses, `optimizers` the steps,
`health` the look inside a network, `files` saving and loading.
"""

from .files import load
from .health import Health
from .layers import Dense
from .network import Network
from .optimizers import SGD, Adam, AdamW

__all__ = ["SGD", "Adam", "AdamW", "Dense", "Health", "Network", "load"]
