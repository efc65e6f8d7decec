"""The report that `fastact bench` prints, for a reader who has never seen it. It has 100 columns."""

import math
import textwrap

from . import record as records
from .case import format_size

WIDTH = 100
CALLED = {"compiled": "the compiled functions are", "fallback": "the NumPy fallback, which is accurate rather than fast, is"}
# Above this load, or this spread of the rounds, the report has a warning.
BUSY, UNSTEADY = 1.0, 1.15
WRONG = 1000  # ULP: three digits of float32's seven are lost


def header(facts, dtypes, threads):
    """The lines that say what is measured, on how many threads, and on which machine."""
    compiled, line = facts["simd"] != "numpy", "the line of NumPy that people write"
    lines = {
        "fastact": f"{facts['fastact']}, " + (f"compiled for {facts['simd']}" if compiled else f"NumPy alone: {facts['reason']}"),
        "against": line + (", and fastact's own NumPy fallback" if compiled else ""),
        "processor": f"{facts['cpu']}, {facts['cores']} cores, of which {on_threads(threads)} used",
        "NumPy": f"{facts['numpy']}; its BLAS: {facts['blas']}",
        "load": facts["load"] + (" (the machine is busy: times may be off)" if is_busy(facts) else ""),
        "data": f"{listed(dtypes)}, standard normal",
        "calls": "y = f(x): a new array each time, as the plain line makes one; out= is timed besides",
        "memory": "there already, and what is freed is kept, as in a process that has run for a while",
        "time": "ns per element, the best of several rounds in which all take turns",
    }
    if "peers" in facts:
        number = "one thread" if threads == [1] else "as many threads" + " (SciPy on one)" * ("scipy" in facts["peers"])
        lines["peers"] = f"{facts['peers']}, on {number}; backward by their own automatic differentiation"
    if threads != [1]:
        lines["threads"] = "of the compiled functions and of peers; NumPy, and so the fallback, runs on one"
    if "bfloat16" in dtypes:
        lines["bfloat16"] = "of ml_dtypes; a line of NumPy with parameters gives a wider dtype, mostly float32"
    indent = " " * 11
    return [part for name, text in lines.items() for part in textwrap.wrap(f"{name:<11}{text}", WIDTH, subsequent_indent=indent)]


def on_threads(numbers):
    """How many threads are used, as the end of a sentence."""
    text = listed(map(str, numbers))
    return "one thread is" if text == "1" else f"{text} threads are"


def is_busy(facts):
    """Whether the machine had other work."""
    try:
        return float(facts["load"]) > BUSY
    except ValueError:
        return False


def report(record):
    """All lines that follow the header."""
    parts = records.by_part(record["rows"])
    if not parts:
        return ["nothing was measured"]
    lines = []
    plain = record["plain"]
    for (dtype, threads), rows in parts.items():
        data = dtype if threads == 1 else f"{dtype} on {threads} threads"
        lines += ["", *([data, ""] if len(parts) > 1 else []), *table(rows)]
        faults = {}
        if dtype == "float32":
            faults, plain = plain, {}  # they stand once, whatever the number of threads
        if faults:
            lines += ["", *wrong_table(faults)]
        for label in records.peers(rows):
            lines += ["", *peer_table(rows, label)]
        lines += ["", *summary(rows), "", *textwrap.wrap(conclusion(record["machine"], rows, data, faults), WIDTH)]
    return [*lines, *thread_table(parts)]


def number(value):
    """A positive number with two or three digits."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def times(ratio):
    """How many times as fast."""
    return "-" if ratio is None else f"{ratio:.0f}x" if ratio >= 99.5 else f"{ratio:.1f}x" if ratio >= 1 else f"{ratio:.2f}x"


def by_title(rows):
    """The rows by function and pass, and then by size."""
    found: dict[str, dict] = {}
    for row in rows:
        found.setdefault(row["title"], {})[row["size"]] = row
    return found


def ratio(row, label):
    """How many times as fast as `label` ours is in a row; None where one is missing."""
    found = row and records.ratios([row], label)
    return found[0] if found else None


def table(rows):
    """A line for each function and pass: the time at each size, and how many times as fast as the plain line it is."""
    sizes, ours = sorted({row["size"] for row in rows}), records.leading(rows)
    titles = by_title(rows)
    width = max(len("function"), *map(len, titles))
    lines = [
        f"{'elements':<{width}}" + "".join(f"{format_size(size):>16}" for size in sizes),
        f"{'function':<{width}}" + f"{'ns':>9}{'plain':>7}" * len(sizes),
    ]
    for title, found in titles.items():
        line = f"{title:<{width}}"
        for size in sizes:
            row = found.get(size)
            line += f"{number(row and row['ns_per_element'][ours]):>9}{times(ratio(row, 'plain')):>7}"
        lines.append(line)
    return [*lines, "plain: how many times as fast as the plain line it is; -: no such row, or nobody writes a line"]


def peer_table(rows, label):
    """A line for each function that another library has: how many times as fast ours is, at each size."""
    rows = [row for row in rows if label in row["ns_per_element"]]
    sizes, titles = sorted({row["size"] for row in rows}), by_title(rows)
    width = max(24, *map(len, titles))
    lines = [f"{'times as fast as ' + label:<{width}}" + "".join(f"{format_size(size):>9}" for size in sizes)]
    for title, found in titles.items():
        lines.append(f"{title:<{width}}" + "".join(f"{times(ratio(found.get(size), label)):>9}" for size in sizes))
    return lines


def wrong_table(plain):
    """A line for each plain line: how far off it is, where, and what it warns of."""
    width = max(len(found["name"]) for found in plain.values())
    lines = [
        "what the plain line gets wrong, in a sample of all finite float32 and in rows of logits",
        f"{'function':<{width}}{'ULP':>9}{'at x':>11}{'fastact':>9}  {'warnings':<18}the line",
    ]
    for found in plain.values():
        warnings = ", ".join(each.split()[0] for each in found["warnings"])
        place = "" if found["x"] is None or found["ulp"] == 0 else f"{found['x']:.4g}"
        line = f"{found['name']:<{width}}{error(found['ulp']):>9}{place:>11}{error(found['ours']):>9}  {warnings:<18}"
        lines.append(line + cut(found["line"], WIDTH - len(line)))
    return [*lines, "ULP: the worst error in units of the last place; a tanh form stands for gelu, since NumPy has no erf"]


def error(ulp):
    """An error in ULP."""
    return "infinite" if ulp is None else "exact" if ulp == 0 else f"{ulp:.2f}" if ulp < WRONG else f"{ulp:.0e}"


def cut(text, width):
    """A text, cut to this width."""
    return text if len(text) <= width else text[: width - 3] + "..."


def summary(rows):
    """The geometric means by size."""
    found, ours = records.headline(rows), records.leading(rows)
    lines = [f"{'geometric means':<50}" + "".join(f"{format_size(one['size']):>9}" for one in found)]

    def line(text, values):
        if all(value == "-" for value in values):
            return
        lines.append(f"{text:<50}" + "".join(f"{value:>9}" for value in values))

    line("times as fast as the plain line", [times(one["faster"]) for one in found])
    line("  forward", [times(one["forward"]) for one in found])
    line("  backward", [times(one["backward"]) for one in found])
    line("  elementwise", [times(one["elementwise"]) for one in found])
    line("  softmax and its kin", [times(one["along_axis"]) for one in found])
    line("  all, with out=", [times(one["out"]) for one in found])
    if ours == "compiled":
        line("  the fallback (accurate, but pure NumPy)", [times(one["fallback"]) for one in found])
    line("slower than the plain line, of those compared", [f"{one['slower']}/{one['passes']}" for one in found])
    for label in records.peers(rows):
        line(f"times as fast as {label}, where it has the function", [times(one["peers"][label]) for one in found])
    return [*lines, f"spread of the repeats (median over best, median of all): {records.spread(rows):.2f}"]


def thread_table(parts):
    """The geometric means by size: how many times as fast as on the first number of threads each dtype is on the others."""
    lines: list[str] = []
    firsts: dict[str, int] = {}
    for (dtype, threads), rows in parts.items():
        if dtype not in firsts:
            firsts[dtype] = threads
            continue
        before = {(row["title"], row["size"]): row for row in parts[dtype, firsts[dtype]]}
        ours = records.leading(rows)
        found: dict[int, list] = {row["size"]: [] for row in before.values()}
        for row in rows:
            if (row["title"], row["size"]) in before:
                base = before[row["title"], row["size"]]["ns_per_element"]
                found[row["size"]] += [base[ours] / row["ns_per_element"][ours]] if ours in base else []
        if not lines:
            lines = ["", f"{'geometric means':<50}" + "".join(f"{format_size(size):>9}" for size in found)]
        means = "".join(f"{times(records.mean(ratios)):>9}" for ratios in found.values())
        lines.append(f"{f'times as fast as on {firsts[dtype]}: {dtype}, {threads} threads':<50}" + means)
    return lines


def listed(texts):
    """Texts as a phrase: a, b and c."""
    texts = list(texts)
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def conclusion(machine, rows, data, plain):
    """The conclusion on the rows of one dtype and number of threads, which `data` says, in a few sentences."""
    ours = records.leading(rows)
    found = [one for one in records.headline(rows) if one["faster"]]
    if not found:
        return "None of these functions has a plain line to compare with."
    speeds = listed(times(one["faster"])[:-1] for one in found)
    sizes = listed(format_size(one["size"]) for one in found)
    passes = max(one["passes"] for one in found)
    which = f"{passes} functions and backward passes" if passes > 1 else "one function"
    text = f"On this machine {CALLED[ours]} {speeds} times as fast as the plain NumPy line at {sizes} elements of {data}"
    text += f" (geometric mean of {which}, each making a new array)"
    slower = [(ratio(row, "plain"), row) for row in rows if (ratio(row, "plain") or 1) < 1]
    if slower:
        least, row = min(slower, key=lambda pair: pair[0])
        total = sum(one["passes"] for one in found)
        text += f"; the plain line wins in {len(slower)} of {total} rows, most clearly in {row['title']} at"
        text += f" {format_size(row['size'])} ({1 / least:.1f} times as fast)"
    if plain:
        plain = plain.values()
        bad = sum(one["ulp"] is None or one["ulp"] > WRONG for one in plain)
        warns = sum(bool(one["warnings"]) for one in plain)
        worst = max((one["ours"] for one in plain), key=lambda ulp: math.inf if ulp is None else ulp)
        text += f". Wrong by over {WRONG} ULP somewhere: {bad} of {len(plain)} plain lines, and {warns} warn of finite input;"
        text += f" fastact's largest error is {worst} ULP"
    text += "."
    if (records.spread(rows) or 1) > UNSTEADY or is_busy(machine):
        text += " The machine was not quiet: measure again before you quote these figures."
    return text
