"""Multi-layer perceptrons for scikit-learn: its MLPClassifier and MLPRegressor, with fastact's activations and passes.

They take scikit-learn's parameters, and go where its estimators go: pipelines, grid searches, cross-validation::

    from fastact.sklearn import MLPClassifier

    make_pipeline(StandardScaler(), MLPClassifier((128,), "gelu")).fit(X, y)

The files: `classifier` and `regressor` turn outputs into predictions, `base` has the parameters and the training, `parameters`
checks the parameters.
"""

try:
    from .classifier import MLPClassifier
    from .regressor import MLPRegressor
except ImportError as error:
    if (error.name or "").partition(".")[0] not in ("sklearn", "scipy"):
        raise
    raise ImportError(f'fastact.sklearn needs scikit-learn 1.6 or later: pip install "fastact[sklearn]" ({error})') from error

__all__ = ["MLPClassifier", "MLPRegressor"]
