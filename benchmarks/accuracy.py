"""The worst errors of every pass over all 2^32 float32 inputs: `python benchmarks/accuracy.py --write`.

The reference is the same pass in float64, in the best implementation of this machine. The tests compare that with mpmath. Its own
error is below 1e-8 ULP of float32.

With --write the worst errors go to benchmarks/accuracy.json, from which readme_table.py makes a table. `every` in an entry is
n where every n-th bit pattern was tried. A coarser sweep does not replace a finer one.

`--parameters` sweeps two other values of each parameter in place of the defaults. `--peers` also sweeps the functions of PyTorch
and JAX, where they are installed. Their backward passes are their own, with a gradient of 1.
"""

import argparse
import concurrent.futures
import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np

from fastact import backends

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "helpers"))
import peers
from oracle import near_zero, ulps
from passes import EVERY, FROM_INPUT

BLOCK = 1 << 18
JOBS = 64  # the bit patterns are divided into so many ranges, which the processes share
RECORD = Path(__file__).parent / "accuracy.json"
REFERENCE = backends.available()[0]
NEAR_ZERO = 2.0**-25


def evaluate(one, implementation, x, parameters):
    """The result of a pass at x, with a gradient of 1. A gated pair gets x as its gate, and 1 as its value."""
    if implementation in peers.FRAMEWORKS:
        return peers.evaluator(implementation, one.activation, one.kind)(x)
    got = one.of(implementation)(*one.arrays(x), **parameters)
    return got[one.main] if isinstance(got, tuple) else got


def zeros_of(one, parameters):
    """Points that are close to a zero of the derivative. There the promise is an absolute error."""
    x = np.linspace(-40, 40, 1 << 20)
    with np.errstate(all="ignore"):
        return x[near_zero(x, np.nan_to_num(evaluate(one, REFERENCE, x, parameters)))]


def sweep(one, contestants, parameters, first, last, every):
    """The worst (error, input, result) of each contestant over the bit patterns first, first + every, ..., below last."""
    worst = dict.fromkeys(contestants, (0.0, 0.0, 0.0))
    zeros = zeros_of(one, parameters) if one.kind == "backward" else np.empty(0)
    for start in range(first, last, BLOCK * every):
        x = np.arange(start, min(start + BLOCK * every, last), every, dtype=np.uint64).astype(np.uint32).view(np.float32)
        x = x[np.isfinite(x)]
        if not x.size:
            continue
        with np.errstate(all="ignore"):
            exact = evaluate(one, REFERENCE, x.astype(np.float64), parameters)
            rounded = exact.astype(np.float32)
        for contestant in contestants:
            with np.errstate(all="ignore"):
                got = evaluate(one, contestant, x, parameters)
                # Nearly all results are the nearest float32, which is off by at most half a ULP: only the others are measured.
                inexact = (got != rounded) & ~(np.isnan(got) & np.isnan(rounded))
                if contestant == "jax":  # JAX treats subnormal numbers as 0 on purpose
                    inexact &= normal(x) & normal(exact)
                at = np.flatnonzero(inexact)
                half = worst[contestant][0] < 0.5 and (rounded != exact)[np.isfinite(exact)].any()
                found = (0.5 if half else 0.0, float(x[0]), float(got[0]))
                if at.size:
                    errors = ulps(got[at], exact[at])
                    if contestant in peers.FRAMEWORKS:  # at a kink they may have chosen the slope of the other side
                        for side in (-np.inf, np.inf):
                            beside = evaluate(one, REFERENCE, np.nextafter(x[at].astype(np.float64), side), parameters)
                            errors = np.minimum(errors, ulps(got[at], beside))
                    if zeros.size:
                        place = np.searchsorted(zeros, x[at]).clip(1, len(zeros) - 1)
                        close = np.minimum(np.abs(x[at] - zeros[place]), np.abs(x[at] - zeros[place - 1])) < 1e-4
                        errors[close & (np.abs(got[at] - exact[at]) <= NEAR_ZERO)] = 0
                    i = int(errors.argmax())
                    found = max(found, (float(errors[i]), float(x[at][i]), float(got[at][i])), key=severity)
            worst[contestant] = max(worst[contestant], found, key=severity)
    return worst


def normal(x):
    """Where a number is not a subnormal float32."""
    return (np.abs(x) >= np.finfo(np.float32).tiny) | (x == 0)


def severity(found):
    """The sort key of (error, input, result): the larger error, and of equal errors the one whose input is nearest to 0."""
    return found[0], -abs(found[1])


def settings(one, further):
    """The parameters of each sweep: the usual values, or with `further` two other values of each parameter."""
    if not further:
        return [{name: float(np.float32(value)) for name, value in one.declared.values.items() if value is not None}]
    return [
        {name: float(number)}
        for name in one.varied
        if one.declared.values[name] is not None
        for number in one.numbers(name, np.float32, 11)[[1, 8]]
    ]


def main():
    """Sweep, print a line for each pass, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="take every n-th bit pattern (default: all 2^32)")
    parser.add_argument("--functions", help="comma-separated names of activations, with _backward for one pass (default: all)")
    parser.add_argument("--implementations", help="comma-separated names (default: all that this machine can run)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--parameters", action="store_true", help="two further settings of each parameter; nothing is written")
    parser.add_argument("--peers", action="store_true", help="also PyTorch and JAX")
    parser.add_argument("--write", action="store_true", help=f"write {RECORD.name}")
    options = parser.parse_args()
    chosen = [one for one in EVERY if one in FROM_INPUT]
    if options.functions:
        names = options.functions.split(",")
        chosen = [one for one in chosen if peers.title(one) in names or one.activation in names]
    contestants = options.implementations.split(",") if options.implementations else list(backends.available())
    # The range of a job is a multiple of `every`, so that no pattern is left out between two jobs.
    piece = -(-(2**32) // JOBS // options.every) * options.every
    with concurrent.futures.ProcessPoolExecutor(options.processes) as pool:
        for one in chosen:
            now = contestants + [name for name in peers.available() if options.peers and peers.has(name, one)]
            for parameters in settings(one, options.parameters):
                jobs = [
                    pool.submit(sweep, one, now, parameters, first, min(first + piece, 2**32), options.every)
                    for first in range(0, 2**32, piece)
                ]
                found = [job.result() for job in jobs]
                record = {contestant: max((part[contestant] for part in found), key=severity) for contestant in now}
                worst = "  ".join(f"{contestant} {error:.4g} at {x:.9g}" for contestant, (error, x, _) in record.items())
                given = ", ".join(f"{name}={value:.6g}" for name, value in parameters.items()) if options.parameters else ""
                print(f"{peers.title(one):24} {given} ULP: {worst}", flush=True)
                if options.write and not options.parameters:
                    write(peers.title(one), record, options.every)


def write(title, record, every):
    """Write the errors of a pass into the record, unless those in the record come from a finer sweep."""
    before = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    entry = before.setdefault(title, {})
    for contestant, (error, x, got) in record.items():
        if contestant not in entry or entry[contestant]["every"] >= every:
            entry[contestant] = {"ulp": error, "x": x, "every": every}
            if contestant in peers.FRAMEWORKS:
                entry[contestant] |= {"got": got, "version": importlib.metadata.version(contestant).split("+")[0]}
    RECORD.write_text(json.dumps(before, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
