"""Write the pages of reference/functions/ when the pages are built: one for each public function, from its declaration.

A page has the function's picture, its formula and derivative, its docstrings, its worst errors and speeds, and what it is called
in other libraries. Errors and speeds come from the records in benchmarks/.
"""

import json
import math
from pathlib import Path

import fastact
from fastact import backends
from fastact import docstrings as documentation
from fastact.command import bench
from fastact.declare import ACTIVATIONS, DRAWS, LOSSES, ROWS
from fastact.docstrings import elsewhere, mathtext
from fastact.docstrings.steps import LISTED

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
FOLDER = Path(__file__).parent.parent / "reference" / "functions"
SETS = ("avx512", "avx2", "sse2", "scalar")
GROUPS = {
    "one": ("Of one array", "Each number becomes another number."),
    "pair": ("Gated pairs", "One array opens and closes the other."),
    "rows": ("Along an axis", "Each row of numbers becomes another row, or one number."),
    "losses": ("Losses", "How wrong the outputs are, and in which direction they should go."),
    "steps": ("Training steps", "What an optimizer does with the gradients."),
}
INTRODUCTION = """# The functions

{count} functions. Each page shows a function's formula and derivative, how exact and how fast it is, and what other libraries
call it.

```{{picture}} functions()
```
"""


def recorded(name):
    """A record of benchmarks/."""
    return json.loads((BENCHMARKS / name).read_text(encoding="utf-8"))


def functions():
    """The public functions by name, without aliases and backward passes. Each has its entries of `listing`, or none."""
    listed = {}
    for one in documentation.listing():
        listed.setdefault(one.name.partition("[")[0], []).append(one)
    aliases = {alias for (first, *_) in listed.values() for alias in first.aliases}
    names = [name for name in vars(backends.load(fastact.simd)) if not name.endswith("_backward")]
    return {name: listed.get(name, []) for name in names if name not in aliases}


def group(name):
    """The key of GROUPS to which a function belongs."""
    if name in ACTIVATIONS:
        return "pair" if len(ACTIVATIONS[name].operands) > 1 else "one"
    if name in LISTED:
        return "steps"
    return "rows" if name in ROWS or name in DRAWS else "losses"


def table(head, lines):
    """A table in Markdown, without the columns that are empty in every line."""
    kept = [i for i in range(len(head)) if i == 0 or any(line[i] for line in lines)]
    rows = [[line[i] for i in kept] for line in ([*head], [":--", *["--:"] * (len(head) - 1)], *lines)]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def formula(text, display=True):
    """A formula in LaTeX. A text that is words and no formula stays as it is."""
    try:
        latex = mathtext.latex(text, display=display)
    except ValueError:
        return f"`{text}`"
    if display:
        return f"$$\n{latex}\n$$"
    bar = r" \vert "  # a plain | would end a cell of a table
    return f"${latex.replace('|', bar)}$"


def formulas(listed):
    """The definitions and the derivatives."""
    text = ""
    for one in listed:
        option = one.name.partition("[")[2].rstrip("]")
        if option:
            text += f"With `{ACTIVATIONS[one.name.partition('[')[0]].option}={option!r}`:\n\n"
        text += f"{formula(one.definition)}\n\n"
        if one.slope:
            text += f"{derivative(one)}\n\n{formula(one.slope)}\n\n"
    return text


def derivative(one):
    """The sentence before the derivative."""
    if one.declared is None:
        return "The backward pass, of a whole row:"
    gradients = one.declared.gradients
    if len(gradients) == 1:
        return "Its derivative, which the backward pass multiplies the gradient by:"
    return f"Its derivatives, with respect to `{gradients[0]}` and to `{gradients[1]}`:"


def worst(found):
    """A worst error and its input. Where the result is NaN or infinite, that stands in place of the error."""
    if not found:
        return ""
    error, got = found["ulp"], float(found.get("got", 0))
    if error <= 0.5:
        return "0.50" if error else "exact"
    size = f"{error:.2f}" if error < 1e3 else f"{error:.1e}"
    return f"{size if math.isfinite(got) else got} at {found['x']:.6g}"


def errors(listed):
    """The section with the worst errors in ULP, for every pass that was swept."""
    record, lines, swept = recorded("accuracy.json"), [], {}
    for one in (one for one in listed if one.declared):
        for step in ("forward", "backward"):
            if entry := record.get(one.declared.name + ("_backward" if step == "backward" else "")):
                ours = max((entry[each] for each in SETS if each in entry), key=lambda found: found["ulp"], default=None)
                label = f"`{one.name}` {step}" if len(listed) > 1 else step
                swept |= {elsewhere.LIBRARIES.get(each, each): found["every"] for each, found in entry.items()}
                lines.append([label, worst(ours), *(worst(entry.get(each)) for each in ("numpy", "torch", "jax"))])
    if not lines:
        return ""
    return (
        "## Worst error\n\nIn ULP, units in the last place of a float32, over all inputs that were swept. "
        "Half a unit is the best that rounding allows. [How this is measured](../../explanation/accuracy.md).\n\n"
        + table(["pass", "fastact", "fallback", "PyTorch", "JAX"], lines)
        + f"\nSwept: {', '.join(f'{each} {share(every)}' for each, every in swept.items())}.\n\n"
    )


def share(every):
    """The share of all float32 inputs that was tried, as text."""
    return "every float32" if every == 1 else f"1 in {every}"


def speeds(name):
    """The section with the times of every pass and size, and the ratios to the line that people write."""
    record, lines = recorded("speed.json"), {}
    rows = [row for row in record["rows"] if row["name"].partition("[")[0] == name]
    sizes = sorted({row["size"] for row in rows})
    for row in rows:
        case = row["name"].removeprefix(name).strip("[]")
        case = f"rows of {case}" if case.isdigit() else case
        line = lines.setdefault(", ".join(filter(None, (row["pass"], case, row["dtype"]))), dict.fromkeys(sizes, ""))
        times = row["ns_per_element"]
        line[row["size"]] = time(times["compiled"]) + (f" ({times['plain'] / times['compiled']:.1f})" if "plain" in times else "")
    text = beside_others(name)
    if lines:
        head = ["pass", *map(bench.format_size, sizes)]
        text = table(head, [[label, *line.values()] for label, line in lines.items()]) + "\n" + text
    if not text:
        return ""
    machine = record["machine"]
    where = f"{machine['cpu']} with {machine['simd']} and NumPy {machine['numpy']}"
    return (
        "## Speed\n\nNanoseconds an element, by the number of elements: one thread, a new array for the result, "
        f"on {where}. "
        "In brackets how many times faster than the line of NumPy that people write. "
        f"`fastact bench --functions {name}` measures here.\n\n{plain(record['plain'].get(name))}{text}"
    )


def plain(found):
    """Sentences on the line of NumPy that people write, and its errors."""
    if not found:
        return ""
    text = f"That line is `{found['line']}`."
    place = "" if found["x"] is None else f" at x = {found['x']:.6g}"
    if found["ulp"] is None:  # JSON has no infinity
        text += f" It is infinitely wrong{place}."
    elif found["ulp"] > 10:
        text += f" It is off by up to {found['ulp']:.2g} ULP{place}."
    if found["warnings"]:
        text += f" NumPy warns of {' and '.join(found['warnings'])}."
    return text + "\n\n"


def beside_others(name):
    """The times of a function along an axis beside other libraries."""
    cells = [cell for cell in recorded("rows.json")["cells"] if cell["function"] in (name, f"{name}_backward")]
    libraries = list(dict.fromkeys(library for cell in cells for library in cell["ns_per_element"]))
    lines = [
        [f"`{cell['function']}`, {cell['layout']}", cell["size"], *(time(cell["ns_per_element"].get(each)) for each in libraries)]
        for cell in cells
    ]
    if not lines:
        return ""
    return f"Beside other libraries, into memory that was allocated before:\n\n{table(['rows', 'elements', *libraries], lines)}\n"


def time(nanoseconds):
    """Nanoseconds with three digits."""
    return "" if nanoseconds is None else f"{nanoseconds:.0f}" if nanoseconds >= 100 else f"{nanoseconds:#.3g}"


def others(listed, name):
    """The section with the same function in other libraries, and differences that surprise those who switch."""
    lines, used = [], []
    for key in [one.declared.name if one.declared else one.name for one in listed] or [name]:
        calls, surprises = elsewhere.CALLS.get(key, {}), elsewhere.SURPRISES.get(key, {})
        for library, title in elsewhere.LIBRARIES.items():
            if library in calls or library in surprises:
                used.append(library)
                call = f"`{calls[library]}`. " if library in calls else ""
                option = " (tanh)" if key.endswith("_tanh") else ""
                lines.append(f"- **{title}{option}**: {call}{surprises.get(library, '')}".rstrip() + "\n")
    if not lines:
        return ""
    prefixes = " ".join(elsewhere.PREFIXES[library] for library in elsewhere.LIBRARIES if library in used)
    return f"## The same elsewhere\n\nWritten with the argument names of this page. {prefixes}\n\n{''.join(lines)}\n"


def picture(name):
    """The picture of a function of one array; other functions have none."""
    if group(name) != "one" or ACTIVATIONS[name].halves:
        return ""
    return f'```{{picture}} functions("{name}")\n```\n\n'


def page(name, listed):
    """The page of one function."""
    backward = f"{name}_backward"
    documented = [name, *([backward] if hasattr(fastact, backward) else [])]
    docstrings = "".join(f".. autofunction:: fastact.{each}\n\n" for each in documented)
    aliases = " and ".join(f"`{alias}`" for alias in (listed[0].aliases if listed else ()))
    declared = {**ACTIVATIONS, **ROWS, **DRAWS, **LOSSES}.get(name)
    summary = " ".join(declared.summary.split()) + "\n\n" if declared else ""
    return (
        f"# {name}\n\n{summary}"
        + (f"Also named {aliases}.\n\n" if aliases else "")
        + picture(name)
        + (f"## Formula\n\n{formulas(listed)}" if listed else "")
        + f"## Calls\n\n```{{eval-rst}}\n{docstrings}```\n\n"
        + errors(listed)
        + speeds(name)
        + others(listed, name)
    )


def overview(found):
    """The list of all functions."""
    text = INTRODUCTION.format(count=len(found))
    for key, (title, sentence) in GROUPS.items():
        members = {name: listed for name, listed in found.items() if group(name) == key}
        if not members:
            continue
        text += f"\n## {title}\n\n{sentence}\n\n| function | definition | backward from |\n| :-- | :-- | :-- |\n"
        for name, listed in members.items():
            names = ", ".join([f"[`{name}`]({name}.md)", *(f"`{alias}`" for alias in (listed[0].aliases if listed else ()))])
            definition = formula(listed[0].definition, display=False) if listed else ""
            start = f"`{listed[0].start}`" if listed and listed[0].start else ""
            text += f"| {names} | {definition} | {start} |\n"
        text += "\n```{toctree}\n:hidden:\n\n" + "".join(f"{breakable(name)} <{name}>\n" for name in members) + "```\n"
    return text


def breakable(name):
    """A name that a narrow column may break after an underscore."""
    return name.replace("_", "_\u200b")


def pages():
    """The text of each page by its file's name."""
    found = functions()
    return {f"{name}.md": page(name, listed) for name, listed in found.items()} | {"index.md": overview(found)}


def write(app=None):
    """Write the pages that have changed, and remove pages of functions that no longer exist."""
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app):
    """Write the pages before they are read."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
