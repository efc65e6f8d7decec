"""Writes the table of functions into README.md, from the declarations and what was measured: `python benchmarks/readme_table.py`.

The worst errors come from accuracy.json (`python benchmarks/accuracy.py --write`), the speeds from speed.json
(`fastact bench --sizes 256Ki --json benchmarks/speed.json`). tests/test_readme.py says whether the table is current.
"""

import json
from pathlib import Path

from fastact import formulas  # noqa: F401  (fills ACTIVATIONS)
from fastact.declare import ACTIVATIONS

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- table: python benchmarks/readme_table.py -->\n", "<!-- end of table -->\n"


def worst(record, name):
    """The worst error of any compiled instruction set, and its input."""
    error, x = max(found for contestant, found in record["worst"][name].items() if contestant != "numpy")
    return f"{error:.2f} at {x:.6g}" if error else "exact"


def speed(rows, name, step):
    """Nanoseconds an element, and how many times faster than NumPy."""
    (row,) = [row for row in rows if row["name"] == name and row["pass"] == step]
    compiled, fallback = row["ns_per_element"]["compiled"], row["ns_per_element"]["NumPy"]
    return f"{compiled:.2f} ({fallback / compiled:.1f}x)"


def table():
    """The table, in Markdown."""
    accuracy = json.loads((HERE / "accuracy.json").read_text(encoding="utf-8"))
    measured = json.loads((HERE / "speed.json").read_text(encoding="utf-8"))
    machine, rows = measured["machine"], measured["rows"]
    lines = [
        "| function | definition | worst error forward, ULP | backward, ULP | ns forward | backward |",
        "|---|---|---|---|---|---|",
    ]
    for name, activation in ACTIVATIONS.items():
        arguments = ", ".join(["x", *(f"{parameter}={default}" for parameter, default in activation.parameters.items())])
        lines.append(
            f"| `{name}({arguments})` | `{activation.definition}` "
            f"| {worst(accuracy, name)} | {worst(accuracy, name + '_backward')} "
            f"| {speed(rows, name, 'forward')} | {speed(rows, name, 'backward')} |"
        )
    for shape, label in (("10", "rows of 10"), ("1024", "rows of 1024"), ("axis 0", "over axis 0")):
        case = f"softmax[{shape}]"
        lines.append(
            f"| `softmax(x, axis=-1)`, {label} | `exp(x) / sum(exp(x))` | within 4 | | {speed(rows, case, 'forward')} "
            f"| {speed(rows, case, 'backward')} |"
        )
    swept = "all 2^32" if accuracy["every"] == 1 else f"every {accuracy['every']}th of the 2^32"
    note = (
        f"Errors: the worst over {swept} float32 inputs, on any instruction set, with a gradient of 1 backward. Speeds: ns an "
        f"element, float32, 256 Ki elements, one thread, {machine['cpu']}, {machine['simd']}, NumPy {machine['numpy']}; in "
        "brackets how many times faster than the NumPy fallback in the same run."
    )
    return "\n".join([*lines, "", note, ""])


def current():
    """README.md as it should be."""
    text = README.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    return head + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    README.write_text(current(), encoding="utf-8")
