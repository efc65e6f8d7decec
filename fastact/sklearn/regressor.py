"""The regressor."""

from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

import fastact

from .base import MLP, Loss


class MLPRegressor(RegressorMixin, MLP):
    """A multi-layer perceptron that predicts numbers: scikit-learn's MLPRegressor with fastact's activations and passes.

    It minimizes half the squared error. Parameters and attributes are those of `MLPClassifier`.

    See Also
    --------
    MLPClassifier : The parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from fastact.sklearn import MLPRegressor
    >>> X = np.linspace(-3, 3, 200)[:, np.newaxis]
    >>> model = MLPRegressor((32, 32), "tanh", batch_size=20, learning_rate_init=0.003, random_state=0)
    >>> model.fit(X, np.sin(X[:, 0])).predict([[-1.5], [0.5], [1.5]]).round(1)
    array([-1. ,  0.5,  1. ])
    """

    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch, from the weights of the last call on.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (rows, features)
        y : array_like of shape (rows,) or (rows, outputs)
        sample_weight : array_like of shape (rows,), optional
            How often each row counts.

        Returns
        -------
        MLPRegressor
            Itself.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def _targets(self, y, first, incremental, classes):
        """The targets, the number of outputs, the task, and no classes."""
        return y, 1 if y.ndim == 1 else y.shape[1], "values", None

    def _loss(self):
        """Half the squared error. As in scikit-learn, the loss is a mean over the outputs, and the gradient that of their sum."""
        return Loss(fastact.squared_error_and_grad, self.n_outputs_, share=0.5 / self.n_outputs_, slope=0.5)

    def _score(self, y, outputs, weights):
        """R^2."""
        return float(r2_score(y, outputs, sample_weight=weights))

    def predict(self, X):
        """The numbers of each row.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (rows, features)

        Returns
        -------
        ndarray of shape (rows,) or (rows, outputs)
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if self.n_outputs_ == 1 else outputs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
