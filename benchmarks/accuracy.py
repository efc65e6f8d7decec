"""The sweep: every float32 through every activation, `python benchmarks/accuracy.py`. 13 minutes on 2 cores; --every 97, 10 s.

The reference is the fallback in float64, which the tests hold against mpmath; its own error is below 1e-8 float32 ULP. With
--write the worst errors go to benchmarks/accuracy.json, from which README's table is made.
"""

import argparse
import concurrent.futures
import json
import sys
from pathlib import Path

import numpy as np

from fastact import implementations
from fastact.declare import ACTIVATIONS

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from oracle import last_place, ulps

BLOCK = 1 << 16
JOBS = 256  # pieces of bit space, to spread over the processes
RECORD = Path(__file__).parent / "accuracy.json"


def evaluate(namespace, name, x, parameters):
    """A forward pass, or a backward pass with a gradient of 1."""
    arguments = (np.ones_like(x), x) if name.endswith("_backward") else (x,)
    return getattr(namespace, name)(*arguments, *parameters)


def sweep(name, contestants, first, last, every):
    """The worst (error, input) of each contestant over the bit patterns first, first + every ... below last."""
    activation = ACTIVATIONS[name.removesuffix("_backward")]
    parameters = [float(np.float32(value)) for value in activation.parameters.values()]
    reference = implementations.load("numpy")
    worst = dict.fromkeys(contestants, (0.0, 0.0))
    for start in range(first, last, BLOCK * every):
        x = np.arange(start, min(start + BLOCK * every, last), every, dtype=np.uint64).astype(np.uint32).view(np.float32)
        x = x[np.isfinite(x)]
        if not x.size:
            continue
        exact = evaluate(reference, name, x.astype(np.float64), parameters)
        unit = last_place(exact, np.float32)
        for contestant in contestants:
            errors = ulps(evaluate(implementations.load(contestant), name, x, parameters), exact, unit=unit)
            at = int(errors.argmax())
            if errors[at] > worst[contestant][0]:
                worst[contestant] = (float(errors[at]), float(x[at]))
    return worst


def main():
    """Sweep, print a line for each function, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="take every n-th bit pattern (default: all 2^32)")
    parser.add_argument("--functions", help="comma-separated names (default: all, forward and backward)")
    parser.add_argument("--implementations", help="comma-separated names (default: all that this machine can run)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help=f"write {RECORD.name}")
    options = parser.parse_args()
    names = [name + suffix for name in ACTIVATIONS for suffix in ("", "_backward")]
    names = options.functions.split(",") if options.functions else names
    contestants = options.implementations.split(",") if options.implementations else list(implementations.available())
    # a multiple of `every` for each job, so that no pattern is left out between two jobs
    piece = -(-(2**32) // JOBS // options.every) * options.every
    record = {}
    with concurrent.futures.ProcessPoolExecutor(options.processes) as pool:
        for name in names:
            bounds = range(0, 2**32, piece)
            jobs = [pool.submit(sweep, name, contestants, first, min(first + piece, 2**32), options.every) for first in bounds]
            found = [job.result() for job in jobs]
            record[name] = {contestant: max(piece[contestant] for piece in found) for contestant in contestants}
            worst = "  ".join(f"{contestant} {error:.2f} at {x:.9g}" for contestant, (error, x) in record[name].items())
            print(f"{name:24} ULP: {worst}", flush=True)
    if options.write:
        before = json.loads(RECORD.read_text(encoding="utf-8"))
        if before["every"] == options.every:  # what was not swept now stays as it was
            record = {**before["worst"], **record}
        RECORD.write_text(json.dumps({"every": options.every, "worst": record}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
