"""Writes README.md's tables, from the declarations and what was measured: `python benchmarks/readme_table.py`.

The worst errors come from accuracy.json (`python benchmarks/accuracy.py --write`), the speeds from speed.json
(`fastact bench --sizes 256Ki --json benchmarks/speed.json`), the softmax family beside other libraries from rows.json
(`python benchmarks/rows.py --write`, where these are installed). tests/test_readme.py says whether the tables are current.
"""

import json
import math
import re
import sys
from pathlib import Path

from fastact import bench, documentation

sys.path.insert(0, str(Path(__file__).parent))
import peers

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
UNKNOWN = "not measured"


def recorded(name):
    """What a command has written to a file beside this one."""
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def rows(head, lines):
    """A table in Markdown."""
    return "".join("| " + " | ".join(line) + " |\n" for line in [head, ["---"] * len(head), *lines])


def short(formula):
    """A formula with the first digits of its long constants."""
    return re.sub(r"(\d\.\d{6})\d{4,}", r"\1...", formula)


def functions():
    """The functions: calls, formulas, and who else has them."""
    lines = []
    for one in documentation.listing():
        names = ", ".join(f"`{text}`" for text in (one.call, *one.aliases))
        others = peers.NAMES.get(one.declared.name if one.declared else one.name, ())
        having = ", ".join(title for library, title in peers.LIBRARIES.items() if library in others)
        lines.append([names, f"`{short(one.definition)}`", f"`{short(one.slope)}`", f"`{one.start}`", having])
    return rows(["function", "definition", "derivative", "backward from", "also in"], lines)


def worst(found):
    """A worst error and its input."""
    if found is None:
        return UNKNOWN
    error, got = found["ulp"], float(found.get("got", 1))
    if error <= 0.5:
        return "0.50" if error else "exact"
    wrong = "NaN" if math.isnan(got) else "inf" if math.isinf(got) else "0" if error > 1e3 and not got else ""
    return f"{wrong or (f'{error:.1e}' if error > 1e3 else f'{error:.2f}')} at {found['x']:.6g}"


def ours(entry):
    """The worst of the instruction sets."""
    found = [value for name, value in entry.items() if name not in (*peers.FRAMEWORKS, "numpy")]
    return max(found, key=lambda value: value["ulp"], default=None)


def errors():
    """The worst errors beside PyTorch's and JAX's, and what they were swept with."""
    record, lines = recorded("accuracy.json"), []
    for one in documentation.listing():
        if one.declared:
            name, line = one.declared.name, [f"`{one.name}`"]
            for title in (name, f"{name}_backward"):
                entry = record.get(title, {})
                line.append(worst(ours(entry)))
                line += [worst(entry.get(f)) if f in peers.NAMES.get(name, ()) else "" for f in peers.FRAMEWORKS]
            lines.append(line)
    swept = {}
    for entry in record.values():
        for contestant, found in entry.items():
            title = " ".join([peers.LIBRARIES.get(contestant, contestant), *([found["version"]] if "version" in found else [])])
            swept[title] = max(found["every"], swept.get(title, 1))
    ranges = ", ".join(f"{title} {'all' if every == 1 else f'1 in {every}'}" for title, every in swept.items())
    head = [f"{who}, {step}" for step in ("forward", "backward") for who in ("fastact", "PyTorch", "JAX")]
    return rows(["ULP", *head], lines) + f"\nOf the 2^32 float32 inputs: {ranges}.\n"


def speed(measured, name, step):
    """Nanoseconds an element, and how many times faster than NumPy."""
    times = measured.get((name, step))
    return f"{times['compiled']:.2f} ({times['NumPy'] / times['compiled']:.1f}x)" if times else UNKNOWN


def speeds():
    """The speeds of every pass, and the machine."""
    record = recorded("speed.json")
    measured = {(row["name"], row["pass"]): row["ns_per_element"] for row in record["rows"]}
    cases = {(case.name, case.step) for case in bench.cases()}
    names = dict.fromkeys(case.name for case in bench.cases())
    lines = [
        [f"`{name}`", *(speed(measured, name, step) if (name, step) in cases else "" for step in bench.STEPS)] for name in names
    ]
    machine = record["machine"]
    return rows(["ns", *bench.STEPS], lines) + f"\n{machine['cpu']}, {machine['simd']}, NumPy {machine['numpy']}.\n"


def rows_beside_others():
    """The softmax family beside other libraries, and the ratios to itself."""
    record = recorded("rows.json")
    libraries = list(dict.fromkeys(library for cell in record["cells"] for library in cell["ns_per_element"]))
    lines = []
    for cell in record["cells"]:
        times = cell["ns_per_element"]
        others = [t for library, t in times.items() if library != "fastact"]
        ratio = f"{min(others) / times['fastact']:.2f}x"
        entries = [f"{times[library]:.2f}" if library in times else "" for library in libraries]
        lines.append([f"`{cell['function']}`", cell["layout"], cell["size"], *entries, ratio, f"{cell['floor']:.2f}"])
    table = rows(["ns", "rows", "elements", *libraries, "beside the best", "floor"], lines)
    own = [[one["function"], one["layout"], one["size"], f"{one['ratio']:.2f} times {one['base']}"] for one in record["own"]]
    return f"{table}\n{rows(['fastact', 'rows', 'elements', 'takes'], own)}"


TABLES = {"functions": functions, "errors": errors, "speeds": speeds, "rows": rows_beside_others}


def current():
    """README.md as it should be."""
    text = README.read_text(encoding="utf-8")
    pattern = r"(<!-- table of (\w+) -->\n).*?(<!-- end of table -->\n)"
    return re.sub(pattern, lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n{found[3]}", text, flags=re.DOTALL)


if __name__ == "__main__":
    README.write_text(current(), encoding="utf-8")
