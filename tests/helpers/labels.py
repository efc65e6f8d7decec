"""Data for tests of the estimators: rows, labels of each kind, and the settings of a small perceptron."""

import numpy as np

X = np.random.default_rng(0).standard_normal((60, 4))
TWO = np.where(X[:, 0] > 0, "yes", "no")
THREE = np.digitize(X[:, 1], [-0.5, 0.5]) * 10
LABELS = (X[:, :3] > 0).astype(int)
VALUES = X @ [1.0, 2.0, 3.0, 4.0]
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}
