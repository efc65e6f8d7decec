"""The pages under docs/ are true: every cell runs and prints what the page shows, and every function has a page."""

import os
import re
import runpy
import subprocess
import sys
import types
from pathlib import Path

import pytest

import fastact

from checkout import ROOT
from passes import THREADS

DOCS = ROOT / "docs"
CELLS = Path(__file__).parent / "cells.py"
MADE = {"_build", "functions"}  # folders that the build of the documentation makes, and that are not in git
cells = types.SimpleNamespace(**runpy.run_path(str(CELLS)))
PAGES = sorted(page for page in DOCS.rglob("*.md") if not MADE & set(page.relative_to(DOCS).parts))
TITLES = [str(page.relative_to(DOCS)) for page in PAGES]


TEXTS = {title: page.read_text(encoding="utf-8") for title, page in zip(TITLES, PAGES, strict=True)}


@pytest.mark.parametrize("title", TITLES)
def test_every_cell_is_found(title):
    """The pattern that finds the cells of a page finds every block of Python."""
    assert len(cells.CELL.findall(TEXTS[title])) == len(re.findall(r"^ *```+ *(?:\{[\w-]+\} *)?py", TEXTS[title], re.MULTILINE))


@pytest.mark.parametrize("title", [title for title in TITLES if cells.CELL.search(TEXTS[title])])
def test_cells_print_what_the_page_shows(title):
    """Each page runs in a process of its own, because pages import libraries that start threads, and change global settings."""
    text, page = TEXTS[title], DOCS / title
    if missing := cells.missing(text):
        pytest.skip(f"not installed: {', '.join(missing)}")
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # several threads would wait for each other on busy cores
    done = subprocess.run([sys.executable, CELLS, page], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pages_are_there():
    """The folder has an index and the four kinds of pages, so that the tests above test some."""
    assert {"index.md", "tutorial", "how-to", "reference", "explanation"} <= {title.split(os.sep)[0] for title in TITLES}


def test_every_function_has_a_page():
    """Each public function stands on exactly one page of the reference, an alias on the page of its function.

    Pages that no program makes have the functions of no arrays.
    """
    pages = runpy.run_path(str(DOCS / "_extensions" / "reference_pages.py"))["pages"]()
    shown = re.findall(r"^\.\. autofunction:: fastact\.(\w+)$", "".join(pages.values()), re.MULTILINE)
    others = {"reference/threads.md": set(THREADS), "reference/index.md": {"register_bfloat16"}}
    for title, names in others.items():
        assert set(re.findall(r"^\.\. autofunction:: fastact\.(\w+)$", TEXTS[title.replace("/", os.sep)], re.MULTILINE)) == names
    public = {name for name in fastact.__all__ if callable(getattr(fastact, name))} - set.union(*others.values())
    aliases = {name for name in public - set(shown) if f"`{name.removesuffix('_backward')}`" in pages["index.md"]}
    assert len(shown) == len(set(shown))
    assert set(shown) == public - aliases
    for name in aliases:
        assert getattr(fastact, name).__name__ in shown
    for page in set(pages) - {"index.md"}:
        assert f"]({page})" in pages["index.md"]
