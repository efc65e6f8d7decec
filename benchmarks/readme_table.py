"""Write the figures of README.md and the tables of benchmarks/README.md: `python benchmarks/readme_table.py`.

Formulas come from the declarations, figures from the records in this folder, each of which one command writes:

- accuracy.json: `python benchmarks/accuracy.py --write`
- speed.json and the others whose names begin with it: CONTRIBUTING.md has the commands
- rows.json, the softmax family beside other libraries: `python benchmarks/rows.py --write`
- networks.json: `python benchmarks/networks.py --write`
- row_options.json, masks and scales: `python benchmarks/row_options.py --write`, and the same with FASTACT_SIMD=avx2

tests/docs/test_readme.py fails where one of the documents is out of date.
"""

import json
import math
import re
import sys
import textwrap
from pathlib import Path

from fastact import docstrings as documentation
from fastact.command import bench
from fastact.command.bench.report import WRONG
from fastact.docstrings import elsewhere

sys.path.insert(0, str(Path(__file__).parent))
import peers

HERE = Path(__file__).parent
DOCUMENTS = (HERE.parent / "README.md", HERE / "README.md", HERE.parent / "docs" / "how-to" / "attention.md")
UNKNOWN = "not measured"
# The number of elements in the table of speeds. They fit into the cache, and a call's own time does not count beside them.
SIZE = 256 << 10
# The contestants of the records that the tables of speeds compare with.
BESIDE = {"plain": "the line of NumPy that people write", "torch": "PyTorch"}
# The records of speed, each with its instruction set
SPEEDS = {
    "speed.json": "AVX-512",
    "speed_threads.json": "AVX-512",
    "speed_half.json": "AVX-512",
    "speed_avx2.json": "AVX2",
}
# Contestants of networks.json that the figures name.
NETWORKS = {"fastact": "", "scikit-learn": "in scikit-learn", "PyTorch": "in PyTorch"}


def recorded(name):
    """A record of this folder."""
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def rows(head, lines):
    """A table in Markdown."""
    return "".join("| " + " | ".join(line) + " |\n" for line in [head, ["---"] * len(head), *lines])


def short(formula):
    """A formula whose long constants are cut after six decimals."""
    return re.sub(r"(\d\.\d{6})\d{4,}", r"\1...", formula)


def functions():
    """The table of functions: calls, formulas, and other libraries that have them."""
    lines = []
    for one in documentation.listing():
        names = ", ".join(f"`{text}`" for text in (one.call, *one.aliases))
        others = elsewhere.CALLS.get(one.declared.name if one.declared else one.name, ())
        having = ", ".join(title for library, title in elsewhere.LIBRARIES.items() if library in others)
        lines.append([names, f"`{short(one.definition)}`", f"`{short(one.slope)}`", f"`{one.start}`", having])
    return rows(["function", "definition", "derivative", "backward from", "also in"], lines)


def worst(found):
    """A worst error and its input, as text. A result that is NaN, inf or 0 in place of a number stands there by itself."""
    if found is None:
        return UNKNOWN
    error, got = found["ulp"], float(found.get("got", 1))
    if error <= 0.5:
        return "0.50" if error else "exact"
    wrong = "NaN" if math.isnan(got) else "inf" if math.isinf(got) else "0" if error > 1e3 and not got else ""
    return f"{wrong or (f'{error:.1e}' if error > 1e3 else f'{error:.2f}')} at {found['x']:.6g}"


def ours(entry):
    """The worst error that any instruction set of the compiled core has."""
    found = [value for name, value in entry.items() if name not in (*peers.FRAMEWORKS, "numpy")]
    return max(found, key=lambda value: value["ulp"], default=None)


def errors():
    """The table of worst errors beside PyTorch's and JAX's, and the share of the inputs that was tried."""
    record, lines = recorded("accuracy.json"), []
    for one in documentation.listing():
        if one.declared:
            name, line = one.declared.name, [f"`{one.name}`"]
            for title in (name, f"{name}_backward"):
                entry = record.get(title, {})
                line.append(worst(ours(entry)))
                line += [worst(entry.get(f)) if f in elsewhere.CALLS.get(name, ()) else "" for f in peers.FRAMEWORKS]
            lines.append(line)
    swept = {}
    for entry in record.values():
        for contestant, found in entry.items():
            version = [found["version"]] if "version" in found else []
            title = " ".join([elsewhere.LIBRARIES.get(contestant, contestant), *version])
            swept[title] = max(found["every"], swept.get(title, 1))
    ranges = ", ".join(f"{title} {'all' if every == 1 else f'1 in {every}'}" for title, every in swept.items())
    head = [f"{who}, {step}" for step in ("forward", "backward") for who in ("fastact", "PyTorch", "JAX")]
    return rows(["ULP", *head], lines) + f"\nOf the 2^32 float32 inputs: {ranges}.\n"


def speed(times):
    """Nanoseconds an element, and how many times as fast as each contestant of BESIDE."""
    if times is None:
        return UNKNOWN
    ratios = [f"{times[label] / times['compiled']:.1f}x" if label in times else "-" for label in BESIDE]
    return f"{times['compiled']:.2f} ({', '.join(ratios)})"


def columns():
    """The rows of SIZE elements of each dtype, instruction set and number of threads, by the heading of their column."""
    return {
        f"{dtype}, {simd}{f', {threads} threads' * (threads > 1)}": [row for row in found if row["size"] == SIZE]
        for name, simd in SPEEDS.items()
        for (dtype, threads), found in bench.by_part(recorded(name)["rows"]).items()
    }


def speeds():
    """A table of speeds for each pass, and the machine."""
    found = columns()
    measured = {(row["name"], row["pass"], column): row["ns_per_element"] for column, each in found.items() for row in each}
    text = ""
    for step in bench.STEPS:
        names = dict.fromkeys(case.name for case in bench.cases() if case.step == step)
        lines = [[f"`{name}`", *(speed(measured.get((name, step, column))) for column in found)] for name in names]
        text += rows([f"ns, {step}", *found], lines) + "\n"
    facts = recorded("speed.json")["machine"]
    machine = ", ".join([facts["cpu"], f"NumPy {facts['numpy']}", facts.get("peers", "no PyTorch")])
    return (
        f"{text}A call makes a new array of {bench.format_size(SIZE)} elements. In brackets, how many times as fast as "
        f"{' and '.join(BESIDE.values())}; for AVX2 all are held to that set. {machine}.\n"
    )


def rows_beside_others():
    """The softmax family beside other libraries, and fastact's own times as multiples of each other."""
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


def fast():
    """The figure of speed, beside the line that people write."""
    found = bench.headline(bench.by_dtype(recorded("speed.json")["rows"])["float32"])
    first, *others = [f"{one['faster']:.1f} on {bench.format_size(one['size'])}" for one in found]
    return (
        f"- **Fast.** {first.replace(' on', ' times as fast on')} elements of float32 as the line of NumPy that people write, "
        f"such as `1 / (1 + np.exp(-x))`; {', '.join(others)} (geometric means of {found[0]['passes']} forward and backward "
        "passes, on one core)."
    )


def sets_and_dtypes():
    """A table of the geometric means by instruction set and dtype."""
    means = {column: bench.headline(found)[0] for column, found in columns().items()}
    of_line = [f"{one['faster']:.1f}" for one in means.values()]
    of_torch = [f"{one['peers']['torch']:.1f}" for one in means.values()]
    head = [f"times as fast, {bench.format_size(SIZE)} elements", *means]
    return rows(head, [[f"as {BESIDE['plain']}", *of_line], [f"as {BESIDE['torch']}", *of_torch]])


def right():
    """The figure of accuracy: the worst error of all, and how many passes of other libraries are wrong for some input."""
    record = recorded("accuracy.json")
    backward = {title for title in record if title.endswith("_backward")}
    worst = [
        max(found["ulp"] for title in titles for name, found in record[title].items() if name not in peers.FRAMEWORKS)
        for titles in (record.keys() - backward, backward)
    ]
    theirs = []
    for framework in peers.FRAMEWORKS:
        found = [entry[framework] for entry in record.values() if framework in entry]
        wrong = sum(not one["ulp"] <= WRONG for one in found)
        theirs.append(f"{wrong} of {len(found)} passes in {elsewhere.LIBRARIES[framework]} {found[0]['version']}")
    return (
        f"- **Right for every input.** Over all float32 numbers the worst error found is {worst[0]:.2f} ULP forward and "
        f"{worst[1]:.2f} backward (0.5 is a perfect rounding). "
        f"Wrong by more than {WRONG} ULP for some input: {', '.join(theirs)}."
    )


def small():
    """The figure of networks: training and serving beside other libraries."""
    times = {job["job"]: job["ms"] for job in recorded("networks.json")["jobs"]}
    learnt, served = (beside(times["digits"], 1, "ms"), beside(times["serving, batch 1"], 1000, "us"))
    return f"- **Small networks.** Learning handwritten digits takes {learnt}; a prediction of 784-256-128-10 takes {served}."


def beside(times, scale, unit):
    """Our time, and the others' in parentheses."""
    ours, *others = (f"{times[name] * scale:.0f} {unit} {place}" for name, place in NETWORKS.items() if name in times)
    return f"{ours}({', '.join(others)})"


def attended(simd, dtype, other):
    """How many times as fast scaled, causal attention weights are as in another library."""
    return recorded("row_options.json")[simd][f"{dtype}, attention, {other}"]


def scores():
    """The figure of attention."""
    numpy, torch = (attended("avx512", "float32", other) for other in ("NumPy", "PyTorch"))
    return (
        "- **Attention at the speed of plain softmax.** Scaled, causal weights of (12, 256, 256) scores take "
        f"{numpy['us']:.0f} us, {numpy['times_as_fast']:.1f} times as fast as NumPy's line and {torch['times_as_fast']:.1f} "
        "times as fast as PyTorch's."
    )


def attention():
    """The table of docs/how-to/attention.md."""
    lines = [
        [
            f"{dtype}, {label}",
            f"{attended(simd, dtype, 'NumPy')['us']:.0f} us",
            *(f"{attended(simd, dtype, other)['times_as_fast']:.1f}" for other in ("NumPy", "PyTorch")),
        ]
        for simd, label in (("avx512", "AVX-512"), ("avx2", "AVX2"))
        for dtype in ("float32", "float64")
    ]
    return rows(["", "fastact", "times as fast as NumPy", "times as fast as PyTorch"], lines)


def figures():
    """The figures of README.md."""
    texts = (fast(), right(), scores(), small())
    wrapped = (textwrap.wrap(text, 130, subsequent_indent="  ", break_on_hyphens=False) for text in texts)
    return "".join(f"{line}\n" for lines in wrapped for line in lines) + "\n" + sets_and_dtypes()


def plain_lines():
    """The table of the errors and warnings of the lines that people write."""
    lines = []
    for one in recorded("speed.json")["plain"].values():
        at = "" if one["x"] is None else f" at {one['x']:.6g}"
        lines.append([f"`{one['name']}`", f"`{one['line']}`", ulp(one["ulp"]) + at, ulp(one["ours"]), ", ".join(one["warnings"])])
    return rows(["function", "the line that people write", "its worst error in ULP", "ours", "its warnings"], lines)


def ulp(error):
    """An error as text. None stands for an infinite one, as where the result is NaN."""
    return "inf" if error is None else f"{error:.1e}" if error > WRONG else f"{error:.2f}"


PARTS = {
    "figures": figures,
    "functions": functions,
    "errors": errors,
    "speeds": speeds,
    "plain lines": plain_lines,
    "rows": rows_beside_others,
    "attention": attention,
}


def current(document):
    """The text of a document with its made parts made anew."""
    text = document.read_text(encoding="utf-8")
    pattern = r"(<!-- made: ([a-z ]+) -->\n).*?(<!-- end -->\n)"
    return re.sub(pattern, lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}", text, flags=re.DOTALL)


if __name__ == "__main__":
    for document in DOCUMENTS:
        document.write_text(current(document), encoding="utf-8")
