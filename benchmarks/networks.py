"""Training and serving beside scikit-learn, PyTorch, JAX, ONNX Runtime, NumPy: `python benchmarks/networks.py [--write]`.

It needs scikit-learn, and measures those of the other libraries that are installed. Contestants take turns in one process, on one
thread and one core, in float32, and the best of many rounds counts. `--write` keeps the figures in networks.json.

The project aims at TARGETS, our time as a share of another library's, and at LEAST_ACCURACY.
"""

import argparse
import json
import os
import pathlib
import time
import warnings

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})  # JAX can be restricted to one thread only in this way

import network_peers as peers  # noqa: E402  (after the environment)
import numpy as np  # noqa: E402

from fastact.command import bench  # noqa: E402
from fastact.nn import Adam, Dense, Network  # noqa: E402

RECORD = pathlib.Path(__file__).with_name("networks.json")
ACTIVATIONS = ("relu", "leaky_relu", "elu", "tanh", "gelu", "silu", "mish")
SEEDS, EPOCHS, BATCH, RATE = 5, 40, 64, 1e-3
LAYERS = (784, 256, 128, 10)
LEAST_ACCURACY = 97.0
TARGETS = {
    ("digits", "scikit-learn"): 0.35,
    ("digits", "PyTorch"): 0.4,
    ("step, batch 64", "NumPy"): 0.70,
    ("step, batch 64", "PyTorch"): 0.75,
    ("step, batch 1024", "NumPy"): 0.97,
    ("serving, batch 1", "PyTorch"): 0.5,
    ("serving, batch 256", "PyTorch"): 0.85,
}


def trained(X, y, activation, seed):
    """A network of fastact, trained on the digits."""
    net = Network(Dense(64, 128, activation), Dense(128, 10), rng=seed)
    return net.fit(X, y, epochs=EPOCHS, batch_size=BATCH, optimizer=Adam(RATE), progress=False)


def best_times(contestants, rounds, seconds):
    """The shortest time of each contestant in ms, and its median as a multiple of that. They take turns within the seconds."""
    times = {name: [] for name in contestants}
    calls = {}
    for name, call in contestants.items():
        call()  # the first call compiles and allocates
        start = time.perf_counter()
        call()
        calls[name] = max(1, int(seconds / rounds / len(contestants) / (time.perf_counter() - start)))
    for _ in range(rounds):
        for name, call in contestants.items():
            for _ in range(calls[name]):
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
    best = {name: 1e3 * min(values) for name, values in times.items()}
    spread = {name: float(np.median(values) / min(values)) for name, values in times.items()}
    return best, spread


def accuracy():
    """The accuracy on the digits that are held out, for each activation and seed, and for scikit-learn's relu."""
    X, y, X_test, y_test = peers.images()
    found = {name: [100 * trained(X, y, name, seed).score(X_test, y_test) for seed in range(SEEDS)] for name in ACTIVATIONS}
    found["scikit-learn's relu"] = [
        100 * float((peers.sklearn_digits(X, y, EPOCHS, BATCH, RATE, seed).predict(X_test) == y_test).mean())
        for seed in range(SEEDS)
    ]
    return found


def jobs():
    """The contestants of each job, by name."""
    X, y, _, _ = peers.images()
    found = {"digits": {"fastact": lambda: trained(X, y, "relu", 0)}}
    found["digits"] |= peers.digits(X, y, EPOCHS, BATCH, RATE)
    generator = np.random.default_rng(0)
    for batch in (64, 1024):
        data = generator.standard_normal((batch, LAYERS[0]), dtype=np.float32)
        labels = generator.integers(0, LAYERS[-1], batch)
        net, step = network("relu"), Adam(RATE)
        step.start(net.parameters)
        found[f"step, batch {batch}"] = {"fastact": one_step(net, data, labels, step)} | peers.steps(data, labels, LAYERS, RATE)
    net = network("gelu")
    for batch in (1, 256):
        data = generator.standard_normal((batch, LAYERS[0]), dtype=np.float32)
        found[f"serving, batch {batch}"] = {"fastact": lambda data=data: net.predict_proba(data)} | peers.serving(net, data)
    return found


def network(activation):
    """The network of the jobs other than the digits, untrained."""
    n, m, k, outputs = LAYERS
    return Network(Dense(n, m, activation), Dense(m, k, activation), Dense(k, outputs), rng=0)


def one_step(net, data, labels, optimizer):
    """A training step as in `fit`. The batch is given, as it is for the other contestants."""
    from fastact.nn import losses
    from fastact.nn.passes import Passes

    objective, passes = losses.objective(None, labels, len(data), net.layers[-1]), Passes(net.layers, len(data), net.gradients)

    def step():
        passes.loss(data, objective.targets, objective)
        optimizer.step(net.parameters, net.gradients)

    return step


def main():
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep the figures in networks.json")
    parser.add_argument("--seconds", type=float, default=6, help="for each job")
    options = parser.parse_args()
    machine = bench.machine()
    print(*(f"{name:<8} {value}" for name, value in machine.items()), sep="\n", flush=True)
    found = accuracy()
    print(f"\nDigits, 64-128-10: % of 360 images right, in {SEEDS} seeds (at least {LEAST_ACCURACY} wanted)")
    for name, values in found.items():
        missed = "" if min(values) >= LEAST_ACCURACY or name not in ACTIVATIONS else "  NOT REACHED"
        print(f"{name:<20}{'  '.join(f'{value:.1f}' for value in values)}{missed}")
    rows = []
    for job, contestants in jobs().items():
        times, spread = best_times(contestants, 12, options.seconds)
        print(f"\n{job}: ms, ours as a share of theirs (in parentheses the median over the best)")
        for name, value in times.items():
            share, target = times["fastact"] / value, TARGETS.get((job, name))
            verdict = "" if target is None else f"  at most {target}: {'reached' if share <= target else 'NOT REACHED'}"
            lost = "  we lose" if share > 1 else ""
            print(f"  {name:<14}{value:>9.3f} ({spread[name]:.2f})   {share:5.2f}{verdict}{lost}", flush=True)
        rows.append({"job": job, "ms": times, "spread": spread})
    if options.write:
        with open(RECORD, "w", encoding="utf-8") as file:
            json.dump({"machine": machine, "versions": peers.versions(), "accuracy": found, "jobs": rows}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # scikit-learn warns that it has not converged after so many epochs
    main()
