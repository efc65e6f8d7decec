"""The worst errors of every pass in float64, over a million points: `python benchmarks/accuracy64.py`.

The points are spread over all float64 bit patterns, and over intervals around 0. The reference is the same formula, evaluated in
NumPy's long double. So this measures rounding errors alone; the tests compare the formulas with mpmath. It needs a long double
with a mantissa of 64 bits, 11 more than float64 has: an x86 processor.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from fastact import backends, formulas
from fastact.numpy_backend import coefficients, words
from fastact.numpy_backend.double_double import Constant

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "helpers"))
from oracle import near_zero
from passes import FROM_INPUT

LONG = np.longdouble
BOUND = {"forward": 2, "backward": 4}


def long_terms(x, name):
    """A polynomial in long double. Its leading coefficients are sums of two float64 numbers."""
    terms = [LONG(value) for value in getattr(coefficients, name)]
    for i, low in enumerate(getattr(coefficients, f"{name}_low")):
        terms[i] += LONG(low)
    return words.polynomial(x, *terms)


def scaled_normal_tail(t):
    """The word of words.py, in long double."""
    (centre,) = coefficients.normal_tail_centre
    return long_terms((t - centre) / (t + centre), "long_normal_tail_terms") / (t + centre)


def erf(s):
    """The word of words.py, in long double."""
    complement = 2 * scaled_normal_tail(np.minimum(s * np.sqrt(LONG(2)), 40)) * np.exp(-s * s)
    return np.where(s > 1, 1 - complement, s * long_terms(s * s, "long_erf_terms"))


def sigmoid(x):
    """The word of words.py, in long double: it does not overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


IN_LONG = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "log_ratio": lambda a, b: np.where(np.abs(a / b - 1) < 0.5, np.log1p((a - b) / b), np.log(a / b)),
    "sqrt": np.sqrt,
    "sin": np.sin,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "sigmoid_derivative": lambda x: sigmoid(x) * sigmoid(-x),
    "fma": lambda a, b, c: a * b + c,
    "sin_plus_cos": lambda a, x: np.sin(a * x) + np.cos(a * x),
    "exp_times": lambda a, x: np.where(x < -11000, 0, a * np.exp(x)),
    "damped": lambda a, x, e: np.where(x < 0, np.where(x < -11000, 0, a * e), a),
    "tanh_cubic": lambda square: long_terms(square, "long_tanh_cubic_terms"),
    "times_sigmoid": lambda a, z: a * sigmoid(z),
    "times_sigmoid_derivative": lambda a, z: a * sigmoid(z) * sigmoid(-z),
    "times_softplus": lambda a, z: a * (np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))),
    "gate_slope": lambda z: sigmoid(z) * (1 + z * sigmoid(-z)),
    "where": np.where,
    "unless_nan": lambda x, value: np.where(np.isnan(x), x, value),
    "scaled_normal_tail": scaled_normal_tail,
    "erf": erf,
}


def in_long_double():
    """Replace the words and constants of the formulas, so that the formulas compute in long double."""
    for name, word in IN_LONG.items():
        setattr(words, name, word)
        if hasattr(formulas, name) and name not in ("sigmoid", "tanh"):  # in formulas.py these two names are activations
            setattr(formulas, name, word)
    for name, value in vars(formulas).items():
        if isinstance(value, Constant):
            setattr(formulas, name, LONG(value) + LONG(value.low))


def main():
    """Print the worst error of each pass and implementation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--implementations", help="comma-separated names (default: all)")
    options = parser.parse_args()
    contestants = options.implementations.split(",") if options.implementations else backends.available()
    half = options.points // 2
    bits = np.linspace(0, 2**64 - 2, half).astype(np.uint64).view(np.float64)
    rng = np.random.default_rng(0)
    dense = np.concatenate([rng.uniform(-width, width, half // 5) for width in (1, 5, 30, 120, 760)])
    x = np.unique(np.concatenate([bits[np.isfinite(bits)], dense]))
    results = {}
    for one in FROM_INPUT:
        for contestant in contestants:
            with np.errstate(all="ignore"):
                got = one.of(contestant)(*one.arrays(x))
            results[one, contestant] = got[one.main] if isinstance(got, tuple) else got
    in_long_double()
    for one in FROM_INPUT:
        formula = one.declared.forward if one.kind == "forward" else one.declared.backward
        values = [LONG("nan") if value is None else LONG(value) for value in one.declared.values.values()]
        with np.errstate(all="ignore"):
            exact = formula(*one.arrays(x.astype(LONG)), *values)
            exact = exact[one.main] if isinstance(exact, tuple) else exact
            unit = np.spacing(np.abs(exact.astype(np.float64))).astype(LONG)
            exempt = np.zeros(len(x), bool)
            if one.kind == "backward":  # beyond 1000 the points are too sparse for near_zero to see the zeros of snake'
                exempt = near_zero(x, exact.astype(np.float64)) | ((np.abs(x) > 1e3) & (one.activation == "snake"))
            line = []
            for contestant in contestants:
                error = np.abs(results[one, contestant] - exact)
                ulps = np.where(exempt & (error <= 2.0**-54), 0, error / unit)
                ulps[~np.isfinite(exact.astype(np.float64)) | ~np.isfinite(unit)] = 0
                ulps[np.isnan(ulps)] = np.inf
                worst = int(ulps.argmax())
                mark = " !" if ulps[worst] > BOUND[one.kind] else ""
                line.append(f"{contestant} {float(ulps[worst]):.3g} at {x[worst]!r}{mark}")
        print(f"{one!s:24} ULP: {'  '.join(line)}", flush=True)


if __name__ == "__main__":
    main()
