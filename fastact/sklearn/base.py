"""The base of the classifier and the regressor: the parameters, and the training with scikit-learn's rules to stop."""

import itertools
import math
import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data

from ..nn import SGD, Adam, AdamW, Dense, Network
from ..nn.data import finite
from ..nn.passes import Passes
from . import parameters

# scikit-learn's names for activations, where fastact's differ.
NAMES = {"identity": None, "logistic": "sigmoid"}

# learning_rate="adaptive" does not divide a rate below this one: training stops.
LEAST_RATE = 1e-6


class Loss:
    """The weighted sum over the rows of the loss of their outputs.

    Parameters
    ----------
    function : callable
        One of fastact's functions that return a loss and its gradient.
    elements : int
        How many losses it has for a row.
    share, slope : float
        The factors of these losses and of their gradients.
    """

    def __init__(self, function, elements=1, share=1.0, slope=1.0):
        self.function, self.elements, self.share, self.slope = function, elements, share, slope

    def __call__(self, outputs, targets, out):
        """The weighted sum of the losses of the rows. The gradient of their weighted mean is written to `out`."""
        y, weights, total_weight = targets
        if weights is None:  # the mean is faster than the loss of each row
            mean, _ = self.function(outputs, y, out=out)
            if self.slope * self.elements != 1:
                out *= self.slope * self.elements
            return self.share * float(mean) * self.elements * len(y)
        losses, _ = self.function(outputs, y, reduction="none", out=out)
        out *= (weights * (self.slope / total_weight))[:, np.newaxis]
        return self.share * float(weights @ losses.reshape(len(y), -1).sum(axis=1))


class MLP(BaseEstimator):
    """The base of the classifier and the regressor."""

    best_loss_: Any  # None before the first epoch, and with early stopping; without it the other two are None
    best_validation_score_: Any
    validation_scores_: Any

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        activation_params=None,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.activation_params = activation_params
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change

    def fit(self, X, y, sample_weight=None):
        """Train until the loss, or with `early_stopping` the validation score, no longer improves.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (rows, features)
            float32 is computed in float32, everything else in float64.
        y : array_like of shape (rows,) or (rows, outputs)
            Classes, an indicator matrix of labels, or the numbers of a regression.
        sample_weight : array_like of shape (rows,), optional
            How often each row counts.

        Returns
        -------
        object
            The estimator itself.
        """
        return self._fit(X, y, sample_weight)

    def _fit(self, X, y, sample_weight, incremental=False, classes=None):
        """Train to the end, or for one epoch if `incremental`."""
        parameters.check(self)
        if incremental and self.early_stopping:
            raise ValueError("partial_fit() has no rows to hold out: it needs early_stopping=False")
        first = not hasattr(self, "network_") or not (incremental or self.warm_start)
        X, y = validate_data(
            self,
            X,
            y,
            reset=first,
            accept_sparse="csr",
            dtype=(np.float64, np.float32),
            multi_output=True,
            y_numeric=isinstance(self, RegressorMixin),
        )
        y = y.toarray() if hasattr(y, "toarray") else y
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        weights = None if sample_weight is None else parameters.check_weights(sample_weight, X.shape[0])
        targets, width, task, labels = self._targets(y, first, incremental, classes)
        random = check_random_state(self.random_state)
        layers = self._new_layers(X.shape[1], width)
        if first:
            self._start(layers, X.dtype, task, random)
            if labels is not None:  # a regressor has none
                self.classes_ = labels
        now, then = f"{task} of {layers}", f"{self.network_.task} of {list(self.network_.layers)}"
        if now != then:
            raise ValueError(f"this {type(self).__name__} learns {then}, and cannot go on with {now}: fit a new one")
        dtype = self.network_.dtype
        X = as_dtype("X", X, dtype)
        targets = targets if task == "classes" else as_dtype("y", targets.reshape(X.shape[0], width), dtype)
        weights = None if weights is None else weights.astype(dtype)
        if self.network_.optimizer is None or not incremental:
            self._no_improvement_count = 0
            self.network_.optimizer = self._optimizer()
            self.network_.optimizer.start(self.network_.parameters)
        if self.early_stopping:
            (X, targets, weights), validation = self._hold_out(X, targets, weights, y, random)
            if self.validation_scores_ is None:
                self.validation_scores_, self.best_validation_score_ = [], -math.inf
            self._best_parameters = self.network_.parameters.copy()
            try:
                self._train(X, targets, weights, validation, incremental)
            finally:
                self.network_.parameters[...] = self.__dict__.pop("_best_parameters")
        else:
            if self.best_loss_ is None:
                self.best_loss_ = math.inf
            self._train(X, targets, weights, None, incremental)
        return self

    def _hold_out(self, X, targets, weights, y, random):
        """The rows to learn from (X, targets, weights), and the rows held out (X, y, weights), whose score says when to stop."""
        chosen, held = train_test_split(
            np.arange(X.shape[0]),
            test_size=self.validation_fraction,
            random_state=random,
            stratify=y if self.network_.task == "binary" and self.n_outputs_ == 1 else None,
        )
        if len(held) < 2:
            share = f"validation_fraction={self.validation_fraction} of {X.shape[0]} is {len(held)}"
            raise ValueError(f"early_stopping needs two rows or more to hold out, and {share}")
        train, validation = [X[chosen], targets[chosen], None], [X[held], y[held], None]
        if weights is not None:
            train[2], validation[2] = weights[chosen], weights[held]
            if not (train[2].any() and validation[2].any()):
                raise ValueError("sample_weight is zero for all rows that early_stopping holds out, or for all others")
        return train, validation

    def _new_layers(self, features, width):
        """The layers of a new network, whose weights are not drawn yet."""
        sizes = [features, *parameters.hidden_sizes(self), width]
        activation = self.activation
        if isinstance(activation, str):
            activation = NAMES.get(activation, activation)
        given = self.activation_params or {}
        hidden = [Dense(inputs, outputs, activation, **given) for inputs, outputs in itertools.pairwise(sizes[:-1])]
        return [*hidden, Dense(*sizes[-2:])]

    def _start(self, layers, dtype, task, random):
        """Make a new network, and reset all that training records."""
        rng = np.random.default_rng(random.randint(2**31, size=4))
        self.network_ = Network(*layers, rng=rng, dtype=dtype, task=task)
        self.n_outputs_, self.n_layers_ = self.network_.shape[1], len(layers) + 1
        self.out_activation_ = {"classes": "softmax", "binary": "logistic", "values": "identity"}[task]
        self.loss_curve_, self.t_ = [], 0
        self.best_loss_ = self.validation_scores_ = self.best_validation_score_ = None

    def _optimizer(self):
        """A new optimizer."""
        if self.solver == "sgd":
            nesterov = self.nesterovs_momentum and self.momentum > 0
            return SGD(self.learning_rate_init, momentum=self.momentum, nesterov=nesterov)
        moments = {"beta1": self.beta_1, "beta2": self.beta_2, "eps": self.epsilon}
        if self.solver == "adamw":
            return AdamW(self.learning_rate_init, weight_decay=self.alpha, **moments)
        return Adam(self.learning_rate_init, **moments)

    def _train(self, X, targets, weights, validation, incremental):
        """Run the epochs."""
        network, rows, total_weight = self.network_, X.shape[0], X.shape[0] if weights is None else float(weights.sum())
        size = min(200, rows) if self.batch_size == "auto" else min(self.batch_size, rows)
        if self.batch_size != "auto" and self.batch_size > rows:
            warnings.warn(f"batch_size={self.batch_size} is larger than the {rows} rows, and clipped to them", stacklevel=4)
        passes, order = Passes(network.layers, size, network.gradients), np.arange(rows)
        loss = self._loss()
        self.n_iter_ = 0
        try:
            while True:
                before = network.parameters.copy()
                if self.shuffle:
                    network.rng.shuffle(order)
                with np.errstate(all="ignore"):  # numbers that are not finite are refused below
                    total = sum(
                        self._step(passes, loss, X, targets, weights, order[start : start + size])
                        for start in range(0, rows, size)
                    )
                self.loss_ = total / total_weight
                if not (math.isfinite(self.loss_) and np.isfinite(network.parameters).all()):
                    network.parameters[...], network.optimizer = before, None
                    raise ValueError(
                        f"training diverged, with a loss of {self.loss_}: try a smaller learning_rate_init, or data of standard "
                        "deviation 1. The weights are those of the epoch before"
                    )
                self.n_iter_ += 1
                self.t_ += rows
                self.loss_curve_.append(self.loss_)
                if self.verbose:
                    print(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}")
                if self._converged(validation) or incremental:
                    return
                if self.n_iter_ == self.max_iter:
                    warnings.warn(
                        f"{type(self).__name__} has not converged in max_iter={self.max_iter} epochs",
                        ConvergenceWarning,
                        stacklevel=4,
                    )
                    return
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=4)

    def _step(self, passes, loss, X, targets, weights, chosen):
        """Learn from the chosen rows, and return their loss."""
        network = self.network_
        divisor: float = len(chosen)
        if weights is not None:
            weights = weights.take(chosen)
            divisor = float(weights.sum())
            if not divisor:
                return 0.0
        x = X.take(chosen, axis=0) if isinstance(X, np.ndarray) else X[chosen]
        total = passes.loss(x, (targets.take(chosen, axis=0), weights, divisor), loss)
        if self.alpha and self.solver != "adamw":
            for layer in network.layers:
                flat = layer.weights.reshape(-1)
                total += 0.5 * self.alpha * float(np.dot(flat, flat))
                layer.d_weights[...] += (self.alpha / divisor) * layer.weights
        network.optimizer.step(network.parameters, network.gradients)
        return total

    def _converged(self, validation):
        """Whether to stop after an epoch; with early stopping the best parameters are kept."""
        if validation is None:
            new, best = -self.loss_, -self.best_loss_
            self.best_loss_ = min(self.loss_, self.best_loss_)
        else:
            X, y, weights = validation
            new, best = self._score(y, self.network_._outputs(X), weights), self.best_validation_score_
            self.validation_scores_.append(new)
            if self.verbose:
                print(f"Validation score: {new:.6f}")
            if new > best:
                self.best_validation_score_ = new
                self._best_parameters = self.network_.parameters.copy()
        self._no_improvement_count = 0 if new >= best + self.tol else self._no_improvement_count + 1
        optimizer = self.network_.optimizer
        if self.solver == "sgd" and self.learning_rate == "invscaling":
            optimizer.rate = self.learning_rate_init / (self.t_ + 1) ** self.power_t
        if self._no_improvement_count <= self.n_iter_no_change:
            return False
        if self.solver == "sgd" and self.learning_rate == "adaptive" and optimizer.rate > LEAST_RATE:
            optimizer.rate /= 5
            self._no_improvement_count = 0
            return False
        if self.verbose:
            print(f"No improvement by more than tol={self.tol} in {self.n_iter_no_change} epochs. Stopping.")
        return True

    def _outputs(self, X):
        """The outputs of the network."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=(np.float64, np.float32))
        return self.network_._outputs(as_dtype("X", X, self.network_.dtype))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _layers(self):
        """The layers, once there are any."""
        if "network_" not in self.__dict__:
            raise AttributeError(f"this {type(self).__name__} is not fitted yet")
        return self.network_.layers

    # Views, so that they are the weights that predict, after pickling too.
    coefs_ = property(lambda self: [layer.weights for layer in self._layers()], doc="The weights of each layer.")
    intercepts_ = property(lambda self: [layer.bias for layer in self._layers()], doc="The bias of each layer.")


def as_dtype(name, array, dtype):
    """An array or sparse matrix in this dtype, if its numbers fit."""
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore"):  # what does not fit is inf, and refused
        array = array.astype(dtype)
    finite(name, array if isinstance(array, np.ndarray) else array.data)
    return array
