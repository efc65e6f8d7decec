"""The faults of plain lines: the worst error over a sample of all float32 inputs, and the warnings that they raise there.

The reference is our own function in float64, which the tests hold against mpmath.
"""

import numpy as np

from ...backends import available

# Every so many float32 numbers are in the sample, which has 860,000. It is a prime, so that no binade is favoured.
EVERY = 4999
# Functions along an axis get ROWS rows of COLUMNS logits with this standard deviation, and ROWS rows of the sample.
COLUMNS, DEVIATION, ROWS = 128, 10, 2048


def sample(every=EVERY):
    """One in `every` float32 numbers, by bit pattern, if it is finite; and the ends of the range."""
    patterns = np.arange(0, 1 << 32, every, dtype=np.uint64).astype(np.uint32).view(np.float32)
    limits = np.finfo(np.float32)
    edges = np.array([limits.smallest_subnormal, limits.tiny, limits.max, 0], np.float32)
    return np.concatenate([patterns[np.isfinite(patterns)], edges, -edges])


def rows_of(values):
    """Rows of usual logits, and rows of any finite numbers."""
    generator = np.random.default_rng(1)
    anything = generator.permutation(values)[: min(ROWS, len(values) // COLUMNS) * COLUMNS].reshape(-1, COLUMNS)
    return np.concatenate([generator.normal(0, DEVIATION, (ROWS, COLUMNS)).astype(np.float32), anything])


def wrong(cases, values=None):
    """The faults of the plain lines of forward passes.

    Parameters
    ----------
    cases : list of Case
    values : ndarray, optional
        The float32 inputs; a sample of all by default.

    Returns
    -------
    dict
        By the name of the declaration: the function's "name", the "line", its worst error "ulp" and that of our function
        "ours" in units of the last place (None: infinite, or NaN in place of a number), the input "x" where the line is worst
        (None for a row), and its "warnings".
    """
    values, found = sample() if values is None else values, {}
    for case in cases:
        if case.step == "forward" and case.plain and case.declared not in found:
            name = case.name if case.columns is None or case.split else case.forward
            found[case.declared] = {"name": name, "line": case.plain, **look(case, values)}
    return found


def look(case, values):
    """The errors and warnings of one plain line. A gated function gets the numbers as gates, with values of 1."""
    implementation, along = available()[0], case.columns is not None and not case.split
    x = rows_of(values) if along else values
    if case.forward == "logit":
        x = x[(x >= 0) & (x <= 1)]  # elsewhere it is NaN
    given = {name: x if name in ("x", "gate") else np.ones_like(x) for name in case.operands}
    if case.split:
        given["x"] = np.stack([np.ones_like(x), x], axis=-1)  # the value, then the gate
    exact = case.call(implementation, {name: array.astype(np.float64) for name, array in given.items()}, out=False)()
    ours = case.call(implementation, given, out=False)()
    warned = []
    with np.errstate(all="call", under="ignore", call=lambda kind, flag: warned.append(kind)):
        plain = case.plain_call(given)()
    errors = ulps(plain, exact).reshape(-1)
    i = errors.argmax()
    return {
        "ulp": finite(errors[i]),
        "ours": finite(ulps(ours, exact).max()),
        "x": None if along else float(x[i]),
        "warnings": sorted(set(warned)),
    }


def ulps(got, exact):
    """The errors in units of the last place of the exact values; infinite where only one of both is a finite float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        nearest = exact.astype(got.dtype)
        error = np.abs(got - exact) / np.spacing(np.abs(nearest)).astype(np.float64)
    same = (got == nearest) | (np.isnan(got) & np.isnan(nearest))
    return np.where(same & ~np.isfinite(error), 0, np.where(np.isnan(error), np.inf, error))


def finite(number):
    """A number for JSON: None in place of infinity."""
    return round(float(number), 2) if np.isfinite(number) else None
