"""A network: a chain of layers that learns."""

import copy
import itertools
from typing import Any

import numpy as np

import fastact

from . import files, health, losses, training
from .data import as_rows, checked, finite, positive, real
from .layers import Dense, one_dtype, views
from .optimizers import Adam
from .passes import Passes

# How many rows are predicted at a time, so that hidden layers take little memory.
BLOCK = 4096


class Network:
    """A chain of dense layers that learns from examples.

    Parameters
    ----------
    *layers : Dense
        From the inputs to the outputs. A layer belongs to one network.
    rng : int, numpy.random.Generator or None
        Draws the initial weights of the layers that have no `rng` and no weights of their own, and later the order of the rows
        in `fit`. The same seed gives the same network.
    dtype : dtype, optional
        float32 or float64; by default that of the layers whose arrays or `dtype` say which, else float32.
    task : {"classes", "binary", "values"}, optional
        What the outputs mean, for a network that `fit` does not train: "classes", the default for two outputs or more, are scores
        whose largest is the prediction; "binary" are scores above or below 0; "values", the default for one output, are the
        prediction themselves. `fit` sets it.

    Attributes
    ----------
    layers : tuple of Dense
    parameters, gradients : ndarray of shape (n,)
        All weights and biases, and the gradients of the last backward pass; the layers' arrays are views of them. Assigning to
        `parameters` copies into them.
    losses, validation_losses : list of float
        The mean loss of each epoch, over the batches as they came, and that of the validation data after it, NaN where there
        were none.
    loss : str, callable or None
        What the last fit was given as its loss.
    optimizer : object or None
        The one of the last fit.

    See Also
    --------
    Dense : A layer.
    load : A network from a file that `save` wrote.

    Examples
    --------
    >>> import numpy as np
    >>> from fastact.nn import Adam, Dense, Network
    >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> net = Network(Dense(2, 8, "tanh"), Dense(8, 2), rng=0)
    >>> net.fit(X, [0, 1, 1, 0], epochs=200, optimizer=Adam(0.05)).predict(X)  # exclusive or
    array([0, 1, 1, 0])
    """

    def __init__(self, *layers, rng=None, dtype=None, task=None):
        if len(layers) == 1 and isinstance(layers[0], (list, tuple)):
            layers = tuple(layers[0])
        if not layers:
            raise ValueError("Network() needs one layer or more: Network(Dense(64, 128, 'relu'), Dense(128, 10))")
        for i, layer in enumerate(layers):
            if not isinstance(layer, Dense):
                raise TypeError(f"Network() takes Dense layers, got {type(layer).__name__} as layer {i}")
            if layer.network is not None or layer in layers[:i]:
                raise ValueError(f"layer {i} belongs to a network already: make one for each")
        for i, (before, after) in enumerate(itertools.pairwise(layers)):
            if before.shape[1] != after.shape[0]:
                raise ValueError(f"layer {i} has {before.shape[1]} outputs, but layer {i + 1} has {after.shape[0]} inputs")
        if task is not None and task not in losses.TASKS:
            raise ValueError(f"Network() argument task must be one of {', '.join(map(repr, losses.TASKS))}, got {task!r}")
        self.layers = layers
        self.dtype = one_dtype(layers, dtype)
        self.rng = np.random.default_rng(rng)
        for layer in layers:
            layer.dtype = self.dtype
            if layer.rng is None and not layer.drawn:
                layer.draw(self.rng)
        self.task = task or ("classes" if layers[-1].function.name == "softmax" else None)
        self.losses, self.validation_losses, self.loss = [], [], None
        self.optimizer: Any = None
        self._bind()

    def _bind(self):
        """Lay all parameters into one vector, and all gradients into another."""
        size = sum((layer.shape[0] + 1) * layer.shape[1] for layer in self.layers)
        self._parameters, self._gradients = np.empty(size, self.dtype), np.zeros(size, self.dtype)
        parts = views(self.layers, self._parameters), views(self.layers, self._gradients)
        for layer, parameters, gradients in zip(self.layers, *parts, strict=True):
            layer.bind(self, parameters, gradients)

    @property
    def parameters(self):
        """All weights and biases, in one vector."""
        return self._parameters

    @parameters.setter
    def parameters(self, value):
        self._parameters[...] = checked("parameters", value, self._parameters.shape, self.dtype)

    @property
    def gradients(self):
        """The gradients of the last backward pass, in one vector."""
        return self._gradients

    def __getstate__(self):
        """Without the vectors, whose parts the layers hold; `goes_on` says whether the optimizer works for this network."""
        state = self.__dict__ | {"goes_on": getattr(self.optimizer, "parameters", None) is self._parameters}
        del state["_parameters"], state["_gradients"]
        return state

    def __setstate__(self, state):
        """Make the vectors and the views of the layers anew."""
        goes_on = state.pop("goes_on")
        self.__dict__.update(state)
        self._bind()
        if goes_on:
            self.optimizer.parameters = self._parameters

    def __copy__(self):
        """A copy has layers of its own, since a layer belongs to one network."""
        return copy.deepcopy(self)

    @property
    def shape(self):
        """How many numbers a row has before the first layer, and after the last one."""
        return self.layers[0].shape[0], self.layers[-1].shape[1]

    def forward(self, X):
        """The outputs of the last layer; each layer keeps its own, for `backward`.

        Parameters
        ----------
        X : array_like of shape (rows, inputs)

        Returns
        -------
        ndarray of shape (rows, outputs)
        """
        for layer in self.layers:
            X = layer.forward(X)
        return X

    def backward(self, d_outputs):
        """The gradient of the inputs of the last `forward`; those of the parameters go to `gradients`.

        Parameters
        ----------
        d_outputs : array_like of shape (rows, outputs)

        Returns
        -------
        ndarray of shape (rows, inputs)
        """
        for layer in reversed(self.layers):
            d_outputs = layer.backward(d_outputs)
        return d_outputs

    def fit(
        self,
        X,
        y,
        *,
        epochs=20,
        batch_size=64,
        optimizer=None,
        loss=None,
        validation=None,
        shuffle=True,
        rng=None,
        progress=None,
    ):
        """Learn from examples. A second call goes on where the first ended, with its optimizer and its loss.

        Parameters
        ----------
        X : array_like of shape (rows, inputs)
            The data, finite; roughly of standard deviation 1.
        y : array_like of shape (rows,) or (rows, outputs)
            Integers are classes, counted from 0 or one-hot, of one output 0 or 1. Floating numbers are values. (rows,) counts as
            (rows, 1) for one output.
        epochs : int
            How often all rows are seen.
        batch_size : int
            How many rows a step of the optimizer learns from.
        optimizer : SGD, Adam, AdamW or an object with `start` and `step`, optional
            By default that of the last call, Adam(0.001) in the first. One that is not of the last call starts anew.
        loss : str or callable, optional
            "cross_entropy", the default for classes; "binary_cross_entropy_with_logits", the default for 0 and 1 with one output;
            "squared_error", the default for values; or a function ``f(outputs, target, out=) -> (loss, gradient)``, where the
            gradient may be written to `out`.
        validation : (array_like, array_like), optional
            Data and labels whose loss is computed after each epoch.
        shuffle : bool
            Whether each epoch sees the rows in a new order.
        rng : int, numpy.random.Generator or None
            Draws these orders; by default the network's.
        progress : bool or None
            None shows a bar with the loss where stderr is a terminal and tqdm is installed; True shows it anyway, False never.

        Returns
        -------
        Network
            Itself.

        Raises
        ------
        ValueError, TypeError
            If something does not fit. The network is as before.
        FloatingPointError
            If the loss or a weight becomes NaN or infinite. The network is that of the epoch before, without its optimizer.
        KeyboardInterrupt
            After Ctrl-C. The network keeps what it has learnt, and `losses` the epochs that are done.
        """
        epochs, batch_size = positive("fit", "epochs", epochs), positive("fit", "batch_size", batch_size)
        X = as_rows("X", X, self.shape[0], self.dtype)
        loss = self.loss if loss is None else loss
        objective = losses.objective(loss, y, len(X), self.layers[-1])
        validate = None if validation is None else training.validator(self, loss, validation, objective)
        rng = self.rng if rng is None else np.random.default_rng(rng)
        optimizer = optimizer if optimizer is not None else self.optimizer if self.optimizer is not None else Adam()
        for method in ("start", "step"):
            if not callable(getattr(optimizer, method, None)) or isinstance(optimizer, type):
                raise TypeError(f"optimizer must be one such as Adam(0.001), with the methods start and step, got {optimizer!r}")
        if optimizer is not self.optimizer or getattr(optimizer, "parameters", self.parameters) is not self.parameters:
            optimizer.start(self.parameters)
        self.optimizer, self.task, self.loss = optimizer, objective.task, loss
        if self.layers[-1].function.name == "softmax":
            self.task = "classes"
        for layer in self.layers:
            layer.forget()
        training.run(self, X, objective, epochs, batch_size, shuffle, rng, validate, progress)
        return self

    def _predicted(self, X):
        """The outputs for a user's X, which is checked."""
        X = as_rows("X", X, self.shape[0], self.dtype, empty=True)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            return self._outputs(X)

    def _outputs(self, X):
        """The outputs of the last layer, a new array. Nothing is stored, so that threads do not meet. X may be sparse."""
        if X.shape[0] > BLOCK:
            outputs = np.empty((X.shape[0], self.shape[1]), self.dtype)
            for start in range(0, X.shape[0], BLOCK):
                outputs[start : start + BLOCK] = self._outputs(X[start : start + BLOCK])
            return outputs
        for layer in self.layers:
            sums = X @ layer.weights
            sums += layer.bias
            X = layer.function.forward(sums, out=sums)
        return X

    def predict(self, X):
        """The prediction for each row. It stores nothing, and may run in many threads at once.

        Parameters
        ----------
        X : array_like of shape (rows, inputs)

        Returns
        -------
        ndarray
            Classes, of shape (rows,): the index of the largest output; for a binary network 0 or 1. Of a network that was trained
            on floating numbers the outputs, of shape (rows, outputs), or (rows,) for one output.
        """
        outputs = self._predicted(X)
        task = self._task()
        if task == "classes":
            return outputs.argmax(axis=1)
        if self.shape[1] == 1:
            outputs = outputs[:, 0]
        return (outputs > (0.5 if self._ends_in_sigmoid else 0)).astype(np.intp) if task == "binary" else outputs

    def predict_proba(self, X):
        """The probability of each class. It stores nothing, and may run in many threads at once.

        Parameters
        ----------
        X : array_like of shape (rows, inputs)

        Returns
        -------
        ndarray
            Softmax of the outputs, of shape (rows, outputs). Of a binary network the probability of 1, of shape (rows,) for one
            output. The outputs themselves, where the last layer has that softmax or sigmoid.
        """
        if self.task == "values":
            raise ValueError("predict_proba() is for classes, and this network predicts values: use predict")
        outputs = self._predicted(X)
        if self.task == "binary" or self.shape[1] == 1:
            outputs = outputs[:, 0] if self.shape[1] == 1 else outputs
            return outputs if self._ends_in_sigmoid else fastact.sigmoid(outputs)
        if self.layers[-1].function.name == "softmax":
            return outputs
        return fastact.softmax(outputs, out=outputs)

    @property
    def _ends_in_sigmoid(self):
        """Whether the outputs are probabilities already."""
        return self.layers[-1].function.name in losses.SIGMOIDS

    def _task(self):
        """What the outputs mean."""
        return self.task or ("classes" if self.shape[1] > 1 else "values")

    def score(self, X, y):
        """The share of labels that are predicted rightly; of a network that predicts values R^2.

        Parameters
        ----------
        X : array_like of shape (rows, inputs)
        y : array_like of shape (rows,) or (rows, outputs)

        Returns
        -------
        float
            R^2 is 1 for a perfect prediction, and 0 for one that is no better than the mean of y; of several outputs their mean.
        """
        predicted = self.predict(X)
        y = finite("y", real("y", y))
        if self._task() == "classes" and y.ndim == 2 and y.shape[1] == self.shape[1] > 1:
            y = y.argmax(axis=1)
        if y.shape == (*predicted.shape, 1):
            y = y[..., 0]
        if y.shape != predicted.shape or not len(y):
            hint = ""
            if self._task() == "values" and y.ndim == 1 < predicted.ndim:
                hint = ": it predicts values; fitted with integer labels, from 0 or one-hot, it predicts classes"
            raise ValueError(
                f"score() needs one label or more, of the shape of predict(X) {predicted.shape}; got y of {y.shape}{hint}"
            )
        if self._task() != "values":
            return float((predicted == y).mean())
        predicted, y = predicted.astype(np.float64), y.astype(np.float64)
        left, off = ((y - predicted) ** 2).sum(axis=0), ((y - y.mean(axis=0)) ** 2).sum(axis=0)
        return float(np.mean(np.where(off > 0, 1 - left / np.where(off > 0, off, 1), left == 0)))

    def health(self, X, y=None, *, loss=None):
        """How each layer does: dead and saturated neurons, and the size of its gradient. It changes nothing.

        Parameters
        ----------
        X : array_like of shape (rows, inputs)
        y : array_like, optional
            Labels; without them there are no gradients.
        loss : str or callable, optional
            By default that of the last fit, or the one that the labels choose.

        Returns
        -------
        Health
            Prints as a table with a row a layer; its attributes are arrays.
        """
        X = as_rows("X", X, self.shape[0], self.dtype)
        loss = self.loss if loss is None else loss
        objective = None if y is None else losses.objective(loss, y, len(X), self.layers[-1])
        gradients = np.zeros_like(self.parameters)
        passes = Passes(self.layers, len(X), gradients, keep_sums=True)
        if objective is None:
            passes.forward(X)
        else:
            passes.loss(X, objective.targets, objective)
        return health.examine(self.layers, passes.sums(len(X)), None if objective is None else views(self.layers, gradients))

    def save(self, path):
        """Write the network to a file in NumPy's .npz format, without pickle: `load` and plain NumPy read it.

        Parameters
        ----------
        path : str, path or binary file
            The optimizer is not kept.
        """
        files.save(self, path)

    def __repr__(self):
        return f"Network({', '.join(map(repr, self.layers))})"
