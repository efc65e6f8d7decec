"""The estimators for scikit-learn pass its checks, and have the losses of its own perceptrons.

They also work in pipelines, searches, copies and with tables.
"""

import copy
import doctest
import inspect
import io
import pickle
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

import joblib
import scipy.sparse
from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import fastact
from fastact.nn import Network, activations, load
from fastact.sklearn import MLPClassifier, MLPRegressor

from labels import LABELS, SMALL, THREE, TWO, VALUES, X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("model", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("parameters", [{}, {"activation": "leaky_relu", "solver": "adamw", "alpha": 0.1}])
def test_estimators_pass_the_checks_of_scikit_learn(model, parameters):
    """All checks pass. The two in `skipped` are about a method and arrays that scikit-learn's perceptrons lack too."""
    skipped = {"check_array_api_input", "check_classifiers_multilabel_output_format_decision_function"}
    results = check_estimator(model(**parameters), on_skip=None, on_fail=None)
    assert len(results) > 50
    results = [one for one in results if not (one["status"] == "skipped" and "pandas is not installed" in str(one["exception"]))]
    assert not [one for one in results if one["status"] != "passed" and one["check_name"] not in skipped]


def both(kind, y, weighted=False, **parameters):
    """Our estimator and scikit-learn's, with the same initial weights, after some epochs of the same batches.

    Adam's epsilon is so small here that it does not matter that scikit-learn adds it before the bias correction.
    """
    weights = {"sample_weight": np.linspace(0, 2, len(X))} if weighted else {}
    ours = {"classifier": MLPClassifier, "regressor": MLPRegressor}[kind]
    theirs = {"classifier": neural_network.MLPClassifier, "regressor": neural_network.MLPRegressor}[kind]
    ours, theirs = (
        one(hidden_layer_sizes=(8, 5), shuffle=False, warm_start=True, max_iter=1, random_state=0).fit(X, y)
        for one in (ours, theirs)
    )
    for array, other in zip(theirs.coefs_ + theirs.intercepts_, ours.coefs_ + ours.intercepts_, strict=True):
        array[...] = other
    for one in (ours, theirs):
        one.best_loss_ = np.inf
        one.set_params(**{"max_iter": 20, "epsilon": 1e-13, **parameters}).fit(X, y, **weights)
    return ours, theirs


@pytest.mark.parametrize("solver", [{"solver": "adam"}, {"solver": "sgd", "learning_rate_init": 0.01}])
@pytest.mark.parametrize("batch_size", ["auto", 25])
@pytest.mark.parametrize("alpha", [0.0, 10.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("kind", "y"),
    [
        ("classifier", TWO),
        ("classifier", THREE),
        ("classifier", LABELS),
        ("regressor", VALUES),
        ("regressor", np.stack([VALUES, -2 * VALUES], axis=1)),
    ],
)
def test_the_same_losses_as_scikit_learn(kind, y, weighted, alpha, batch_size, solver):
    """Our losses are scikit-learn's in each epoch.

    The cases are kinds of labels, the penalty, weights of rows, a smaller last batch, and both solvers.
    """
    if weighted and "sample_weight" not in inspect.signature(neural_network.MLPClassifier.fit).parameters:
        pytest.skip("scikit-learn's MLP has no sample_weight yet")
    ours, theirs = both(kind, y, weighted, alpha=alpha, batch_size=batch_size, **solver)
    if not weighted or batch_size == "auto":  # scikit-learn weighs losses of batches by their rows, not by their weight
        np.testing.assert_allclose(ours.loss_curve_[1:], theirs.loss_curve_[1:], rtol=1e-6)
    for array, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-4, atol=1e-6)
    assert ours.out_activation_ == theirs.out_activation_
    assert ours.n_outputs_ == theirs.n_outputs_
    assert ours.n_layers_ == theirs.n_layers_ == 4
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.t_ == theirs.t_
    if kind == "classifier":
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    else:
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "parameters",
    [
        {"tol": 1e-2},
        {"tol": 1e-2, "n_iter_no_change": 3, "learning_rate_init": 0.01},
        {"solver": "sgd", "tol": 1e-2, "learning_rate_init": 0.1, "momentum": 0.5},
        {"solver": "sgd", "tol": 1e-2, "learning_rate_init": 0.1, "nesterovs_momentum": False},
        {"solver": "sgd", "tol": 1e-2, "learning_rate_init": 0.1, "momentum": 0},
        {"solver": "sgd", "tol": 1e-2, "learning_rate_init": 0.1, "momentum": 0, "learning_rate": "adaptive"},
        {"solver": "sgd", "tol": 1e-3, "learning_rate_init": 0.1, "momentum": 0, "learning_rate": "invscaling"},
    ],
)
def test_a_fit_stops_when_scikit_learn_does(parameters):
    """A fit ends after as many epochs as scikit-learn's, for each of its rules."""
    ours, theirs = both("classifier", THREE, max_iter=400, **parameters)
    assert 5 < ours.n_iter_ == theirs.n_iter_ < 400
    np.testing.assert_allclose(ours.best_loss_, theirs.best_loss_, rtol=1e-5)


def test_early_stopping_keeps_the_best_weights():
    """The final weights are those of the epoch with the best score on the rows held out. A later epoch was worse."""
    rng = np.random.default_rng(3)
    inputs = rng.standard_normal((200, 5))
    y = inputs[:, 0] + 2 * rng.standard_normal(200)
    seen = []

    class Recorder(MLPRegressor):
        def _hold_out(self, *arguments):
            train, validation = super()._hold_out(*arguments)
            seen.append(validation)
            return train, validation

    model = Recorder((50,), early_stopping=True, max_iter=300, learning_rate_init=0.01, random_state=0).fit(inputs, y)
    held_x, held_y, _ = seen[0]
    assert len(held_y) == 20
    assert model.best_validation_score_ == max(model.validation_scores_) > model.validation_scores_[-1]
    assert model.score(held_x, held_y) == pytest.approx(model.best_validation_score_)
    assert model.best_loss_ is None
    assert model.n_iter_ == len(model.validation_scores_) < 300
    assert "_best_parameters" not in vars(model)


@pytest.mark.parametrize("y", [TWO, THREE, LABELS])
def test_early_stopping_of_classifiers(y):
    """The validation scores are accuracies for any labels, and the rows may be sparse and have weights."""
    model = MLPClassifier(**SMALL, early_stopping=True)
    model.fit(scipy.sparse.csr_array(X), y, sample_weight=np.linspace(1, 2, len(X)))
    assert len(model.validation_scores_) == 5
    assert all(0 <= score <= 1 for score in model.validation_scores_)


def test_a_classifier_reads_digits():
    """A classifier with leaky_relu, which scikit-learn does not have, reads more than 97 % of the digits right."""
    inputs, y = load_digits(return_X_y=True)
    order = np.random.default_rng(7).permutation(len(inputs))
    test, train = order[:360], order[360:]
    model = MLPClassifier((128,), "leaky_relu", batch_size=64, max_iter=40, random_state=0).fit(inputs[train] / 16, y[train])
    assert model.score(inputs[test] / 16, y[test]) > 0.97


@pytest.mark.parametrize("activation", [*activations.names(), "identity", "logistic"])
def test_every_activation_learns(activation):
    """Estimators take every activation by its name, and the loss falls."""
    given = {"threshold": {"threshold": 0.1, "value": 0.0}, "softcap": {"cap": 3.0}}.get(activation)
    for model, y in ((MLPClassifier, TWO), (MLPRegressor, VALUES)):
        model = model(**{**SMALL, "max_iter": 30}, activation=activation, activation_params=given).fit(X, y)
        assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_activation_params_reach_the_activation():
    """activation_params are the activation's parameters. The estimator's own alpha is the penalty."""
    one, other = (MLPRegressor(**SMALL, activation="elu", activation_params={"alpha": a}).fit(X, VALUES) for a in (0.1, 1.0))
    assert one.loss_ != other.loss_
    hidden = fastact.elu(X @ one.coefs_[0] + one.intercepts_[0], alpha=0.1)
    np.testing.assert_allclose(one.predict(X), (hidden @ one.coefs_[1] + one.intercepts_[1])[:, 0])


def test_alpha_is_the_weight_decay_of_adamw():
    """With solver="adamw", a larger alpha makes smaller weights."""
    sizes = [
        np.linalg.norm(MLPRegressor(**SMALL, solver="adamw", alpha=alpha, learning_rate_init=0.1).fit(X, VALUES).coefs_[0])
        for alpha in (0.0, 5.0)
    ]
    assert sizes[1] < 0.5 * sizes[0]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), "joblib"])
def test_a_copy_learns_on_as_its_original(copied):
    """A copy predicts and learns on as its original. Its coefs_ and intercepts_ are the arrays that predict."""
    if copied == "joblib":

        def copied(model):
            file = io.BytesIO()
            joblib.dump(model, file)
            return joblib.load(io.BytesIO(file.getvalue()))

    model = MLPClassifier(**SMALL).partial_fit(X, THREE, classes=np.unique(THREE))
    other = copied(model)
    np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(X))
    model.partial_fit(X, THREE), other.partial_fit(X, THREE)
    np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(X))
    other.coefs_[-1][...] = 0
    other.intercepts_[-1][...] = [0, 0, 1]
    assert (other.predict(X) == 20).all()
    assert not np.array_equal(model.predict(X), other.predict(X))


def test_pipelines_clones_and_searches():
    """Estimators work in a pipeline, as clones, in cross-validation, and in a grid search with two processes."""
    model = make_pipeline(StandardScaler(), MLPClassifier((16,), learning_rate_init=0.01, random_state=0, max_iter=100))
    assert clone(model).fit(X, TWO).score(X, TWO) > 0.95
    assert cross_val_score(model, X, TWO, cv=3).mean() > 0.8
    grid = {"mlpclassifier__activation": ["relu", "mish"], "mlpclassifier__activation_params": [None, {}]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of joblib's workers
        search = GridSearchCV(model, grid, cv=2, n_jobs=2).fit(X, TWO)
    assert search.best_score_ > 0.8
    pickle.loads(pickle.dumps(search)).predict(X)


def test_tables_of_pandas():
    """Names of columns are kept, and other names are refused. StandardScaler may give tables to an estimator."""
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=list("abcd"))
    y = pandas.Series(TWO, index=np.arange(60) + 5)
    model = MLPClassifier(**SMALL).fit(table, y.astype("category"))
    assert list(model.feature_names_in_) == list("abcd")
    assert set(model.predict(table)) <= {"yes", "no"}
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table[list("dcba")])
    make_pipeline(StandardScaler().set_output(transform="pandas"), MLPRegressor(**SMALL)).fit(table, VALUES).predict(table)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float32_stays_float32(dtype):
    """float32 data are computed in float32, all other data in float64."""
    model = MLPClassifier(**SMALL).fit(X.astype(dtype), THREE)
    assert {array.dtype for array in (*model.coefs_, *model.intercepts_, model.predict_proba(X.astype(dtype)))} == {
        np.dtype(dtype)
    }
    assert MLPRegressor(**SMALL).fit(X.astype(dtype), VALUES).predict(X.astype(dtype)).dtype == dtype
    assert MLPRegressor(**SMALL).fit((9 * X).astype(int), THREE).coefs_[0].dtype == np.float64


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csc_matrix, scipy.sparse.coo_array])
def test_sparse_rows_give_what_dense_rows_give(kind):
    """A fit on sparse rows or sparse labels predicts what a fit on dense ones predicts."""
    inputs = np.where(np.abs(X) > 0.5, X, 0)
    dense, sparse = (MLPClassifier(**SMALL, batch_size=16).fit(form, THREE) for form in (inputs, kind(inputs)))
    np.testing.assert_allclose(dense.predict_proba(inputs), sparse.predict_proba(kind(inputs)), rtol=1e-9)
    labels = MLPClassifier(**SMALL).fit(inputs, scipy.sparse.csr_array(LABELS))
    np.testing.assert_array_equal(labels.predict(inputs), MLPClassifier(**SMALL).fit(inputs, LABELS).predict(inputs))


def test_probabilities():
    """Logarithms of probabilities are finite, probabilities sum to 1, and a single class has probability 1."""
    model = MLPClassifier(**SMALL).fit(X, TWO)
    with np.errstate(all="raise"):
        logarithms = model.predict_log_proba(1e5 * X)
    assert np.isfinite(logarithms).all()
    assert logarithms.min() < -1000
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)))
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    alone = MLPClassifier(**SMALL).fit(X, ["a"] * 60)
    assert (alone.predict(X) == "a").all()
    np.testing.assert_array_equal(alone.predict_proba(X), np.ones((60, 1)))
    assert MLPClassifier(**SMALL).fit(X, LABELS).predict_proba(X).shape == (60, 3)


@pytest.mark.parametrize(
    ("y", "dtype"), [(TWO.astype(object), object), (TWO == "yes", bool), (THREE + 0.0, np.float64), (THREE, THREE.dtype)]
)
def test_predictions_are_of_the_kind_of_the_labels(y, dtype):
    """Classes have the dtype of the labels, and predictions are among the labels."""
    model = MLPClassifier(**SMALL).fit(X, y)
    assert model.classes_.dtype == dtype
    assert set(model.predict(X)) <= set(y)


def test_a_column_of_labels_warns():
    """Labels of shape (rows, 1) are taken, with scikit-learn's warning."""
    with pytest.warns(DataConversionWarning, match="column-vector"):
        assert MLPClassifier(**SMALL).fit(X, TWO[:, np.newaxis]).predict(X).shape == (60,)
    with pytest.warns(DataConversionWarning, match="column-vector"):
        assert MLPRegressor(**SMALL).fit(X, VALUES[:, np.newaxis]).predict(X).shape == (60,)


def test_partial_fit_is_one_epoch():
    """Each call of partial_fit is one epoch, with the optimizer of the calls before. A call need not have all classes."""
    model = MLPClassifier((8,), batch_size=10, random_state=0)
    for _ in range(3):
        model.partial_fit(X[:30], np.where(THREE == 20, 0, THREE)[:30], classes=[0, 10, 20])
    with pytest.warns(UserWarning, match="batch_size=10 is larger than the 1 rows"):
        model.partial_fit(X[:1], THREE[:1])
    assert model.n_iter_ == 1
    assert len(model.loss_curve_) == 4
    assert model.t_ == 91
    assert model.network_.optimizer.steps == 10
    assert model.predict_proba(X).shape == (60, 3)
    model = MLPClassifier(**SMALL).partial_fit(X, LABELS).partial_fit(X, LABELS)
    assert model.predict(X).shape == (60, 3)
    learnt = MLPRegressor((8,), learning_rate_init=0.01, random_state=0)
    for _ in range(200):
        learnt.partial_fit(X, VALUES)
    assert learnt.score(X, VALUES) > 0.9


def test_warm_start_goes_on():
    """With warm_start=True a second fit goes on from the weights of the first. early_stopping may change in between."""
    model = MLPRegressor(**SMALL, warm_start=True).fit(X, VALUES).fit(X, VALUES)
    assert len(model.loss_curve_) == 10
    assert (np.diff(model.loss_curve_) < 0).all()
    assert model.n_iter_ == 5
    model.set_params(early_stopping=True).fit(X, VALUES)
    assert len(model.validation_scores_) == 5
    model.set_params(early_stopping=False, warm_start=False).fit(X, VALUES)
    assert model.validation_scores_ is None
    assert len(model.loss_curve_) == 5


def test_the_network_of_an_estimator():
    """network_ is a Network, which health examines, and which can be saved and loaded."""
    model = MLPClassifier(**SMALL).fit(X.astype(np.float32), THREE)
    assert isinstance(model.network_, Network)
    assert "dead" in str(model.network_.health(X))
    file = io.BytesIO()
    model.network_.save(file)
    np.testing.assert_array_equal(model.classes_[load(io.BytesIO(file.getvalue())).predict(X)], model.predict(X))


def test_a_batch_without_weight_teaches_nothing():
    """A batch whose rows have weight 0 changes nothing."""
    weights = np.repeat([0.0, 1.0], 30)
    model = MLPRegressor(**SMALL, batch_size=30, shuffle=False).fit(X, VALUES, sample_weight=weights)
    alone = MLPRegressor(**SMALL, batch_size=30, shuffle=False).fit(X[30:], VALUES[30:])
    np.testing.assert_allclose(model.predict(X), alone.predict(X))


def test_examples_of_docstrings():
    """The examples in the estimators' docstrings run as doctests."""
    for module in (sys.modules[one.__module__] for one in (MLPClassifier, MLPRegressor)):
        result = doctest.testmod(module)
        assert result.attempted > 3
        assert not result.failed
