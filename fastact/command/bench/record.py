"""The record of a run: as a file, and the figures that summarize it.

A record is a dictionary: "machine" has the facts of environment.py, "plain" the faults of plain lines (faults.py), and "rows" a
row for each case, size, dtype and number of threads (contest.py).
"""

import json
import math
import statistics

from ...declare import ROWS
from ...threads import MOST

OURS = ("compiled", "fallback")
DTYPES = ("float32", "float64", "float16", "bfloat16")  # the last is that of ml_dtypes
# The facts of the machine that the header of the report shows.
FACTS = ("fastact", "simd", "reason", "numpy", "blas", "cpu", "cores", "load")


def save(record, path):
    """Write the record as JSON, a row on a line."""
    parts = []
    for name, value in record.items():
        if isinstance(value, list):
            text = "[\n" + ",\n".join("  " + json.dumps(each, allow_nan=False) for each in value) + "\n ]"
        elif isinstance(value, dict):
            lines = (f"  {json.dumps(key)}: {json.dumps(each, allow_nan=False)}" for key, each in value.items())
            text = "{\n" + ",\n".join(lines) + "\n }"
        else:
            text = json.dumps(value)
        parts.append(f" {json.dumps(name)}: {text}")
    with open(path, "w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(parts) + "\n}\n")


def read(path):
    """The record in a file; a ValueError where it is none."""
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    except (ValueError, RecursionError):
        record = None
    return checked(record, repr(path))


def checked(record, name):
    """The record, if it has the form of this version's records; else a ValueError. A file may hold anything."""
    try:
        right = (
            all(is_text(record["machine"][fact]) for fact in FACTS)
            and is_text(record["machine"].get("peers", "none"))
            and all(map(is_fault, record["plain"].values()))
            and isinstance(record["rows"], list)
            and all(is_row(row, leading(record["rows"])) for row in record["rows"])
        )
    except (KeyError, TypeError, AttributeError):
        right = False
    if not right:
        raise ValueError(f"{name} is no record of this version's fastact bench --json")
    return record


def is_row(row, ours):
    """Whether this is a row of a record with a time of `ours`."""
    times, size = row["ns_per_element"], row["size"]
    return (
        all(is_text(row[name]) for name in ("name", "pass", "title"))
        and row["dtype"] in DTYPES
        and type(threads_of(row)) is int
        and 0 < threads_of(row) <= MOST
        and type(size) is int
        and 0 < size < 2**60
        and ours in times
        and all(map(is_text, times))
        and row["spread"] != {}
        and all(is_number(value) and value > 0 for value in (*times.values(), *row["spread"].values(), row.get("out", 1)))
    )


def is_fault(found):
    """Whether this is an entry of a record's "plain"."""
    return (
        is_text(found["name"])
        and is_text(found["line"])
        and all(map(is_text, found["warnings"]))
        and all(found[name] is None or is_number(found[name]) for name in ("ulp", "ours", "x"))
    )


def is_text(value):
    """Whether this is a text without control characters, for a terminal, and without mathtext, for a picture."""
    return isinstance(value, str) and 0 < len(value) < 1000 and value.isprintable() and "$" not in value


def is_number(value):
    """Whether this is a number of a size that can have been measured."""
    return type(value) in (int, float) and abs(value) < 1e39 and (value == 0 or abs(value) > 1e-46)


def leading(rows):
    """The label of the implementation that is compared: "compiled", or "fallback" where that is missing."""
    return next((label for label in OURS if any(label in row["ns_per_element"] for row in rows)), None)


def by_dtype(rows):
    """The rows of each dtype, in the order in which they were measured."""
    found: dict[str, list] = {}
    for row in rows:
        found.setdefault(row["dtype"], []).append(row)
    return found


def by_part(rows):
    """The rows of each dtype and number of threads, which belong together."""
    found: dict[tuple, list] = {}
    for row in rows:
        found.setdefault((row["dtype"], threads_of(row)), []).append(row)
    return found


def threads_of(row):
    """How many threads a row was measured on. Rows of earlier versions do not say so."""
    return row.get("threads", 1)


def peers(rows):
    """The labels of other libraries, in order."""
    return list(dict.fromkeys(label for row in rows for label in row["ns_per_element"] if label not in (*OURS, "plain")))


def mean(ratios):
    """The geometric mean; None where there are no ratios."""
    ratios = list(ratios)
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def ratios(rows, label):
    """For each row with a time of `label`: how many times as fast the leading implementation is."""
    ours = leading(rows)
    return [row["ns_per_element"][label] / row["ns_per_element"][ours] for row in rows if label in row["ns_per_element"]]


def is_along_axis(row):
    """Whether a row is of a function along an axis."""
    return row["name"].partition("[")[0] in ROWS


def headline(rows):
    """The geometric means by size: how many times as fast as the plain line the functions are.

    Parameters
    ----------
    rows : list of dict
        Of a record, all of one dtype and number of threads.

    Returns
    -------
    list of dict
        A dictionary for each size:

        - "size", and "passes": how many functions and backward passes have a plain line;
        - "faster": the mean of all of them, each making a new array as the plain line does; and "forward", "backward",
          "elementwise" and "along_axis": the means of a part of them;
        - "out": the mean of all with out=, "fallback": that of the NumPy fallback;
        - "slower": how many are slower than the plain line;
        - "peers": for each library, how many times as fast as its functions ours are.

        A mean is None where it has no rows.
    """
    found = []

    def faster_where(condition):
        return mean(ratios([row for row in compared if condition(row)], "plain"))

    for size in sorted({row["size"] for row in rows}):
        here = [row for row in rows if row["size"] == size]
        compared = [row for row in here if "plain" in row["ns_per_element"]]
        found.append(
            {
                "size": size,
                "passes": len(compared),
                "faster": faster_where(lambda row: True),
                "forward": faster_where(lambda row: row["pass"] == "forward"),
                "backward": faster_where(lambda row: row["pass"] != "forward"),
                "elementwise": faster_where(lambda row: not is_along_axis(row)),
                "along_axis": faster_where(is_along_axis),
                "out": mean(row["ns_per_element"]["plain"] / row["out"] for row in compared if "out" in row),
                "fallback": mean(
                    row["ns_per_element"]["plain"] / row["ns_per_element"]["fallback"]
                    for row in compared
                    if "fallback" in row["ns_per_element"]
                ),
                "slower": sum(ratio < 1 for ratio in ratios(compared, "plain")),
                "peers": {label: mean(ratios(here, label)) for label in peers(here)},
            }
        )
    return found


def spread(rows):
    """The median of the spreads of all measurements: by how much the median of a measurement's repeats exceeds their best."""
    found = [value for row in rows for value in row["spread"].values()]
    return statistics.median(found) if found else None
