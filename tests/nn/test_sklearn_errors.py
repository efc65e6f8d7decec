"""The estimators for scikit-learn warn of or refuse what is wrong, and can be used afterwards."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.exceptions import ConvergenceWarning, NotFittedError

import fastact
from fastact.sklearn import MLPClassifier, MLPRegressor

from labels import LABELS, SMALL, THREE, TWO, VALUES, X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_warnings_and_verbose_output(capsys):
    """A fit that has not converged warns, and so does a batch_size larger than the data. verbose=True prints each epoch."""
    with pytest.warns(ConvergenceWarning, match="max_iter=5"):
        MLPRegressor(**SMALL).fit(X, VALUES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPRegressor((), learning_rate_init=0.1, max_iter=2000).fit(X, VALUES)
    with pytest.warns(UserWarning, match="batch_size=61 is larger than the 60 rows"):
        MLPRegressor(**SMALL, batch_size=61).fit(X, VALUES)
    assert capsys.readouterr().out == ""
    MLPRegressor(**SMALL, verbose=True, early_stopping=True).fit(X, VALUES)
    out = capsys.readouterr().out
    assert out.count("Iteration") == out.count("Validation score") == 5


def test_an_interrupted_fit_warns():
    """Ctrl-C ends the training with a warning, and the model predicts."""
    calls = []

    def forward(x):
        calls.append(len(x))
        if len(calls) == 20:
            raise KeyboardInterrupt
        return np.tanh(x)

    model = MLPRegressor((8,), (forward, fastact.tanh_backward), random_state=0)
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, VALUES)
    assert 0 < model.n_iter_ < 20
    assert np.isfinite(model.predict(X)).all()


def test_divergence_keeps_the_last_finite_weights():
    """Weights that would become infinite raise an error that says what to do. The model keeps the weights before it."""
    model = MLPRegressor(**SMALL, solver="sgd", learning_rate_init=1e-3).partial_fit(X, VALUES)
    before = model.predict(X)
    with pytest.raises(ValueError, match="smaller learning_rate_init"):
        model.partial_fit(1e200 * X, VALUES)
    np.testing.assert_array_equal(model.predict(X), before)
    model.partial_fit(X, VALUES)
    with pytest.raises(ValueError, match="y must be finite in float32"):
        MLPRegressor(**SMALL).fit(X.astype(np.float32), 1e60 * VALUES)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"solver": "lbfgs"}, "solver to be 'adam', 'adamw' or 'sgd' .*got 'lbfgs'"),
        ({"activation": "Relu"}, "did you mean 'relu'"),
        ({"hidden_layer_sizes": (5, 0)}, r"hidden_layer_sizes to be positive integers.*got \(5, 0\)"),
        ({"hidden_layer_sizes": "ten"}, "hidden_layer_sizes to be positive integers"),
        ({"alpha": -1}, "alpha to be a finite number that is at least 0, got -1"),
        ({"alpha": np.nan}, "alpha to be"),
        ({"batch_size": 0}, "batch_size to be 'auto' or a positive integer, got 0"),
        ({"batch_size": "all"}, "batch_size to be 'auto' or a positive integer, got 'all'"),
        ({"max_iter": 2.5}, "max_iter to be a positive integer, got 2.5"),
        ({"learning_rate": 0.1}, "learning_rate to be 'constant'.*the rate itself is learning_rate_init"),
        ({"learning_rate_init": 0}, "learning_rate_init to be a finite positive number, got 0"),
        ({"beta_1": 1.0}, "beta_1 to be a number that is at least 0 and less than 1, got 1.0"),
        ({"validation_fraction": 1}, "validation_fraction to be a number between 0 and 1, got 1"),
        ({"n_iter_no_change": 0}, "n_iter_no_change to be a positive integer or infinity, got 0"),
        ({"early_stopping": "yes"}, "early_stopping to be True or False, got 'yes'"),
        ({"activation_params": 0.5}, "activation_params to be a dict"),
        ({"early_stopping": True, "validation_fraction": 0.01}, "two rows or more"),
    ],
)
def test_wrong_parameters_are_refused(parameters, message):
    """The message names the parameter, the value, and what would be right."""
    with pytest.raises(ValueError, match=message):
        MLPRegressor(**parameters).fit(X, VALUES)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (VALUES, "continuous"),
        (np.stack([THREE, THREE], axis=1), "multioutput"),
        (np.where(X[:, 0] > 0, np.nan, 1.0), "NaN"),
        (np.array([1, "a"] * 30, object), "unknown"),
        (TWO[:5], "inconsistent numbers of samples"),
    ],
)
def test_wrong_labels_are_refused(y, message):
    """A classifier refuses labels that are no classes, or that are too few."""
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**SMALL).fit(X, y)


def test_what_a_fitted_model_refuses():
    """A fitted model refuses other classes, layers and features, and stays as it was."""
    with pytest.raises(NotFittedError):
        MLPClassifier().predict(X)
    with pytest.raises(AttributeError, match="not fitted"):
        MLPClassifier().coefs_  # noqa: B018
    with pytest.raises(ValueError, match="needs classes="):
        MLPClassifier(**SMALL).partial_fit(X, TWO)
    with pytest.raises(ValueError, match="early_stopping=False"):
        MLPRegressor(early_stopping=True).partial_fit(X, VALUES)
    model = MLPClassifier(**SMALL, warm_start=True).fit(X, THREE)
    before = model.predict_proba(X)
    for refused, message in [
        (lambda: model.fit(X, TWO), "cannot go on with"),
        (lambda: model.fit(X[:, :2], THREE), "2 features"),
        (lambda: model.partial_fit(X, THREE, classes=[0, 10, 20, 30]), "cannot go on with"),
        (lambda: model.partial_fit(X, TWO), r"not in classes_ \[ 0 10 20\]: \['no', 'yes'\]"),
        (lambda: model.partial_fit(X, np.full(60, 7)), r"\[7\]"),
        (lambda: model.partial_fit(np.full_like(X, np.nan), THREE), "NaN"),
        (lambda: model.set_params(activation="tanh").fit(X, THREE), "tanh"),
        (lambda: model.set_params(activation="relu", hidden_layer_sizes=(9,)).fit(X, THREE), r"Dense\(4, 9"),
    ]:
        with pytest.raises(ValueError, match=message):
            refused()
        np.testing.assert_array_equal(model.predict_proba(X), before)
    model = MLPClassifier(**SMALL).partial_fit(X, LABELS)
    with pytest.raises(ValueError, match="cannot go on with"):
        model.partial_fit(X, np.digitize(X[:, 1], [-0.5, 0.5]), classes=[0, 1, 2])


@pytest.mark.parametrize(
    ("weights", "message"),
    [(np.ones(59), "60 rows"), (-np.ones(60), "none negative"), (np.zeros(60), "zero"), (np.full(60, np.inf), "finite")],
)
def test_wrong_sample_weights_are_refused(weights, message):
    """sample_weight must have one finite number for each row, none negative, and not all 0."""
    with pytest.raises(ValueError, match=message):
        MLPRegressor(**SMALL).fit(X, VALUES, sample_weight=weights)


def test_early_stopping_needs_weights_among_the_rows_held_out():
    """sample_weight must not be 0 for all rows that early stopping holds out."""
    with pytest.raises(ValueError, match="sample_weight is zero for all rows that early_stopping holds out"):
        MLPRegressor(**SMALL, early_stopping=True).fit(X, VALUES, sample_weight=np.eye(60)[0])


def test_the_import_without_scikit_learn_says_what_to_install():
    """Without scikit-learn, importing fastact.sklearn raises an error that says what to install."""
    code = "import sys; sys.modules['sklearn'] = None\nimport fastact.sklearn"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'ImportError: fastact.sklearn needs scikit-learn 1.6 or later: pip install "fastact[sklearn]"' in result.stderr
