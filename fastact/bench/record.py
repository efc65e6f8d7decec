"""The record of a run: as a file, and the figures that it comes to.

A record has the facts of the "machine", the "dtype", in "plain" what each plain line is and gets wrong (faults.py), and "rows",
one for each case and size (contest.py).
"""

import json
import math
import statistics

from ..row_table import ROWS

OURS = ("compiled", "fallback")


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
        rows = record["rows"]
        if not all({"title", "size", "ns_per_element", "spread"} <= row.keys() for row in rows) or not record["machine"]:
            raise KeyError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path!r} is no record of this version's fastact bench --json") from None
    return record


def leading(rows):
    """The label of the implementation that is compared: "compiled", or "fallback" where there is nothing else."""
    return next((label for label in OURS if any(label in row["ns_per_element"] for row in rows)), None)


def peers(rows):
    """The labels of other libraries, in order."""
    return list(dict.fromkeys(label for row in rows for label in row["ns_per_element"] if label not in (*OURS, "plain")))


def mean(ratios):
    """The geometric mean; None of nothing."""
    ratios = list(ratios)
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def ratios(rows, label):
    """How many times faster than `label` the leading implementation is, of each row that has both."""
    ours = leading(rows)
    return [row["ns_per_element"][label] / row["ns_per_element"][ours] for row in rows if label in row["ns_per_element"]]


def is_along_axis(row):
    """Whether a row is of softmax or its kin."""
    return row["name"].partition("[")[0] in ROWS


def headline(rows):
    """The geometric means by size: how many times as fast as the plain line the functions are.

    Parameters
    ----------
    rows : list of dict
        Of a record.

    Returns
    -------
    list of dict
        One for each size: "size", "passes" (how many have a plain line), "faster" (all of them, each making a new array as the
        plain line does), of these "forward", "backward", "elementwise" and "along_axis", "out" (all, with out=), "fallback" (all,
        of the NumPy fallback), "slower" (how many are slower than the plain line), and under "peers" by library how many times
        as fast as its function ours is. A mean of nothing is None.
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
