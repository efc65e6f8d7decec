"""fastact.sklearn beside scikit-learn on the digits, in accuracy and time: `python benchmarks/sklearn_digits.py`.

Both have the same settings and take turns. BLAS gets one thread.
"""

import argparse
import statistics
import time
import warnings

import network_peers as peers
import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

import fastact.sklearn
from fastact.command import bench

SETTINGS = {"hidden_layer_sizes": (128,), "batch_size": 64, "max_iter": 40, "learning_rate_init": 1e-3, "tol": 0.0}


def measure(classifier, data, seed):
    """The seconds of a fit, and the accuracy in percent on the rows that are held out."""
    train_x, train_y, test_x, test_y = data
    model = classifier(**SETTINGS, random_state=seed)
    start = time.perf_counter()
    model.fit(train_x, train_y)
    seconds = time.perf_counter() - start
    assert model.n_iter_ == SETTINGS["max_iter"], "it stopped early"
    return seconds, 100 * model.score(test_x, test_y)


def main():
    """Print a table with a line for each dtype."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many networks of each kind (default: 5)")
    seeds = parser.parse_args().seeds
    warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
    print(*(f"{name:<8} {value}" for name, value in (bench.machine() | {"sklearn": sklearn.__version__}).items()), sep="\n")
    rows = len(peers.images()[0])
    print(f"{rows} rows, {SETTINGS}; medians of seconds (in parentheses over the best) and means of accuracy, {seeds} seeds\n")
    print(f"{'dtype':8} {'fastact':>16} {'sklearn':>16} {'ratio':>6}   {'fastact':>8} {'sklearn':>8} {'differ':>7}")
    for dtype in (np.float64, np.float32):
        data = peers.images(dtype)
        results = [
            [measure(classifier, data, seed) for classifier in (fastact.sklearn.MLPClassifier, MLPClassifier)]
            for seed in range(seeds)
        ]
        ours, theirs = (statistics.median(one[i][0] for one in results) for i in range(2))
        best = [min(one[i][0] for one in results) for i in range(2)]
        our_score, their_score = (statistics.mean(one[i][1] for one in results) for i in range(2))
        times = f"{ours:7.3f} s ({ours / best[0]:.2f}) {theirs:7.3f} s ({theirs / best[1]:.2f}) {theirs / ours:6.2f}"
        print(f"{np.dtype(dtype).name:8} {times}   {our_score:6.2f} % {their_score:6.2f} % {our_score - their_score:+7.2f}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
