"""The classifier."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import type_of_target

import fastact

from .base import MLP, Loss


class MLPClassifier(ClassifierMixin, MLP):
    """A multi-layer perceptron that tells classes apart: scikit-learn's MLPClassifier with fastact's activations and passes.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int or int, default (100,)
        How many neurons each hidden layer has; () makes a linear model.
    activation : str, default "relu"
        Any activation that `fastact.nn.Dense` takes, by its name; "identity" and "logistic" too.
    activation_params : dict, optional
        Parameters of the activation, such as {"alpha": 0.5} for elu.
    solver : {"adam", "adamw", "sgd"}, default "adam"
        What makes steps of gradients.
    alpha : float, default 0.0001
        L2 regularization: alpha / 2 times the sum of the squared weights, without the biases, is added to the loss of a batch
        before it is divided by the number of rows. For "adamw" its decoupled weight decay.
    batch_size : int, default "auto"
        How many rows a step learns from; "auto" is 200, or all rows if these are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"}, default "constant"
        For "sgd": the rate stays, falls as learning_rate_init / t ** power_t after t rows, or is divided by 5 whenever training
        would stop.
    learning_rate_init : float, default 0.001
        The size of a step.
    power_t : float, default 0.5
        For "invscaling".
    max_iter : int, default 200
        The largest number of epochs.
    shuffle : bool, default True
        Whether each epoch sees the rows in a new order.
    random_state : int, RandomState or None
        Draws the initial weights, the orders, and the rows that early stopping holds out.
    tol : float, default 0.0001
        By how much the loss or the validation score has to improve.
    verbose : bool, default False
        Whether each epoch prints a line.
    warm_start : bool, default False
        Whether `fit` goes on from the weights of the last one.
    momentum, nesterovs_momentum : float, default 0.9, and bool, default True
        For "sgd".
    early_stopping : bool, default False
        Whether rows are held out, whose score says when to stop and which epoch's weights are kept.
    validation_fraction : float, default 0.1
        The share of these rows.
    beta_1, beta_2, epsilon : float, default 0.9, 0.999 and 1e-8
        For "adam" and "adamw".
    n_iter_no_change : int, default 10
        How many epochs may pass without an improvement.

    Attributes
    ----------
    network_ : fastact.nn.Network
        What computes: it has `health` and `save`.
    coefs_, intercepts_ : list of ndarray
        The weights and the bias of each layer, views into the network.
    classes_ : ndarray
        The labels; of an indicator matrix the numbers of its columns. For the classifier only.
    loss_, best_loss_ : float
        The loss of the last epoch, penalty included, and the smallest; `best_loss_` is None with early stopping.
    loss_curve_ : list of float
        The loss of each epoch.
    validation_scores_, best_validation_score_ : list of float, float
        Accuracy or R^2 of the rows held out; None without early stopping.
    n_iter_, t_ : int
        How many epochs the last fit took, and how many rows have been seen in all.
    n_layers_, n_outputs_, n_features_in_ : int
        How many layers there are, the inputs counted as one, and how many outputs and features.
    feature_names_in_ : ndarray
        The names of the features, of a table.
    out_activation_ : str
        "softmax", "logistic" or "identity".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastact.sklearn import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16,), "gelu", learning_rate_init=0.01, random_state=0).fit(X, y)
    >>> model.predict(X[::30])
    array([0, 0, 1, 1, 2])
    >>> model.score(X, y)
    0.98
    """

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch, from the weights of the last call on.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (rows, features)
        y : array_like of shape (rows,) or (rows, labels)
        classes : array_like
            All labels that may ever come. The first call needs them.
        sample_weight : array_like of shape (rows,), optional
            How often each row counts.

        Returns
        -------
        MLPClassifier
            Itself.
        """
        return self._fit(X, y, sample_weight, incremental=True, classes=classes)

    def _targets(self, y, first, incremental, classes):
        """The targets, the number of outputs, the task, and the classes."""
        kind = type_of_target(y)
        if kind not in ("binary", "multiclass", "multilabel-indicator"):
            right = "one class a row, numbers without a fraction or texts, or an indicator matrix of 0 and 1"
            raise ValueError(f"Unknown label type: y must be {right}; this is {kind}")
        if kind == "multilabel-indicator":
            labels = np.arange(y.shape[1])
        elif classes is None and incremental:
            if first:
                raise ValueError("the first call of partial_fit() needs classes=, all labels that may ever come")
            labels = self.classes_
        else:
            labels = np.unique(y if classes is None else classes)
        if not first and not np.array_equal(labels, self.classes_):
            raise ValueError(f"this {type(self).__name__} has classes_ {self.classes_}, and cannot go on with {labels}")
        if kind == "multilabel-indicator":
            return y, len(labels), "binary", labels
        unknown = set(np.unique(y).tolist()) - set(labels.tolist())
        if unknown:
            raise ValueError(f"y has classes that are not in classes_ {labels}: {sorted(unknown)}")
        targets = np.searchsorted(labels, y)
        return (targets, 1, "binary", labels) if len(labels) == 2 else (targets, len(labels), "classes", labels)

    def _loss(self):
        """The cross-entropy."""
        if self.out_activation_ == "softmax":
            return Loss(fastact.cross_entropy_and_grad)
        return Loss(fastact.binary_cross_entropy_with_logits_and_grad, self.n_outputs_)

    def _labels(self, outputs):
        """The prediction that outputs stand for."""
        if self.out_activation_ == "softmax":
            return self.classes_[outputs.argmax(axis=1)]
        if self.n_outputs_ > 1:
            return (outputs > 0).astype(int)
        return self.classes_[(outputs[:, 0] > 0).astype(int)]

    def _score(self, y, outputs, weights):
        """The share of rows whose labels are all right."""
        right = self._labels(outputs) == y
        return float(np.average(right.all(axis=1) if right.ndim == 2 else right, weights=weights))

    def predict(self, X):
        """The most probable class of each row.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (rows, features)

        Returns
        -------
        ndarray of shape (rows,) or (rows, labels)
        """
        return self._labels(self._outputs(X))

    def predict_proba(self, X):
        """The probability of each class.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (rows, features)

        Returns
        -------
        ndarray of shape (rows, classes)
            Each row sums to 1, but for labels of an indicator matrix, which have a probability each.
        """
        return self._apply(X, fastact.softmax, fastact.sigmoid)

    def predict_log_proba(self, X):
        """The logarithm of the probability of each class, finite where the probability itself is rounded to 0.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (rows, features)

        Returns
        -------
        ndarray of shape (rows, classes)
        """
        return self._apply(X, fastact.log_softmax, fastact.log_sigmoid)

    def _apply(self, X, of_classes, of_labels):
        """Apply `of_classes` to the outputs where one class is right, `of_labels` where each label has its own probability."""
        outputs = self._outputs(X)
        if self.out_activation_ == "softmax":
            return of_classes(outputs, out=outputs)
        if self.n_outputs_ == 1:
            outputs = np.hstack([-outputs, outputs])
        return of_labels(outputs, out=outputs)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
