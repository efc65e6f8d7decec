"""Runs the Python cells of documentation pages, each page in a process of its own: `python cells.py PAGE ... [--write]`.

A cell is a block of Python. The cells of a page share their variables, as in a notebook. A block of text right after a cell
shows what the cell prints. A cell without such a block prints nothing. `--write` puts what the cells print into the pages.

`<!-- needs: torch dask -->` names the packages that a page needs to run.
"""

import argparse
import contextlib
import difflib
import importlib.util
import io
import re
import subprocess
import sys
import warnings
from pathlib import Path

CELL = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<shown>.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def missing(text):
    """The packages that a page needs and that are missing here."""
    needed = " ".join(re.findall(r"<!-- needs: (.*?) -->", text)).split()
    return [name for name in needed if not importlib.util.find_spec(name)]


def printed(code, where, names):
    """What a cell prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, where, "exec"), names)
    return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines())


def run(path):
    """The text of the page, in which each cell is followed by what it prints."""
    text, parts, end, names = path.read_text(encoding="utf-8"), [], 0, {"__name__": "__main__"}
    for cell in CELL.finditer(text):
        line = text.count("\n", 0, cell.start("code"))
        got = printed("\n" * line + cell["code"], str(path), names)
        parts += [text[end : cell.end("code")], "```\n", f"\n```text\n{got}```\n" if got else ""]
        end = cell.end()
    return "".join([*parts, text[end:]])


def main():
    """Run one page in this process, or each of several in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE")
    parser.add_argument("--write", action="store_true", help="put what the cells print into the pages")
    options = parser.parse_args()
    if len(options.pages) > 1:
        flags = ["--write"] if options.write else []
        return sum(subprocess.run([sys.executable, __file__, page, *flags]).returncode for page in options.pages)
    warnings.simplefilter("error")
    (page,) = options.pages
    text = page.read_text(encoding="utf-8")
    current = run(page)
    if options.write:
        page.write_text(current, encoding="utf-8")
    elif text != current:
        shown, got = text.splitlines(keepends=True), current.splitlines(keepends=True)
        sys.stdout.writelines(difflib.unified_diff(shown, got, f"{page}, as it stands", f"{page}, as its cells print"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
