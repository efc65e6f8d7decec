"""Checks of the parameters of an estimator."""

import math
import numbers
from typing import Any

import numpy as np

# Kinds of numbers: the class, a test, and the words for an error.
NOT_NEGATIVE = numbers.Real, lambda value: 0 <= value < math.inf, "a finite number that is at least 0"
POSITIVE = numbers.Real, lambda value: 0 < value < math.inf, "a finite positive number"
DECAY = numbers.Real, lambda value: 0 <= value < 1, "a number that is at least 0 and less than 1"
COUNT = numbers.Integral, lambda value: value >= 1, "a positive integer"
SWITCH = (bool, np.bool_), lambda value: True, "True or False"

RIGHT: dict[str, tuple[Any, Any, str]] = {
    "alpha": NOT_NEGATIVE,
    "learning_rate_init": POSITIVE,
    "power_t": NOT_NEGATIVE,
    "max_iter": COUNT,
    "tol": NOT_NEGATIVE,
    "momentum": (numbers.Real, lambda value: 0 <= value <= 1, "a number from 0 to 1"),
    "validation_fraction": (numbers.Real, lambda value: 0 < value < 1, "a number between 0 and 1"),
    "beta_1": DECAY,
    "beta_2": DECAY,
    "epsilon": POSITIVE,
    "n_iter_no_change": (numbers.Real, lambda value: value >= 1, "a positive integer or infinity"),
    "shuffle": SWITCH,
    "warm_start": SWITCH,
    "nesterovs_momentum": SWITCH,
    "early_stopping": SWITCH,
    "batch_size": (
        (numbers.Integral, str),
        lambda value: value == "auto" if isinstance(value, str) else value >= 1,
        "'auto' or a positive integer",
    ),
    "activation_params": ((dict, type(None)), lambda value: True, "a dict such as {'alpha': 0.5}, or None"),
    "solver": (
        str,
        lambda value: value in ("adam", "adamw", "sgd"),
        "'adam', 'adamw' or 'sgd' ('lbfgs' is one of scikit-learn's own estimators alone)",
    ),
    "learning_rate": (
        str,
        lambda value: value in ("constant", "invscaling", "adaptive"),
        "'constant', 'invscaling' or 'adaptive' (the rate itself is learning_rate_init)",
    ),
}


def check(estimator):
    """Refuse an estimator with a wrong parameter."""
    for name, (kind, test, right) in RIGHT.items():
        value = getattr(estimator, name)
        if not (isinstance(value, kind) and test(value)):
            raise ValueError(f"{type(estimator).__name__} needs {name} to be {right}, got {value!r}")


def hidden_sizes(estimator):
    """The sizes of the hidden layers, as a list."""
    sizes = estimator.hidden_layer_sizes
    listed = list(sizes) if np.iterable(sizes) else [sizes]
    if not all(isinstance(size, numbers.Integral) and int(size) > 0 for size in listed):
        right = "positive integers, one a hidden layer, such as (100,) or (100, 50)"
        raise ValueError(f"{type(estimator).__name__} needs hidden_layer_sizes to be {right}, got {sizes!r}")
    return [int(size) for size in listed]


def check_weights(weights, rows):
    """The weights of rows, as an array."""
    weights = np.asarray(weights, np.float64)
    if weights.shape != (rows,):
        raise ValueError(f"sample_weight must have one weight for each of the {rows} rows, got shape {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError("sample_weight must be finite, none negative and not all zero")
    return weights
