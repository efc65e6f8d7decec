"""The pages under docs/ say what is true: every cell runs and prints what the page shows, and every function has a page."""

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

DOCS = ROOT / "docs"
CELLS = Path(__file__).parent / "cells.py"
MADE = {"_build", "functions"}  # by the build, and not in git
cells = types.SimpleNamespace(**runpy.run_path(str(CELLS)))
PAGES = sorted(page for page in DOCS.rglob("*.md") if not MADE & set(page.relative_to(DOCS).parts))
TITLES = [str(page.relative_to(DOCS)) for page in PAGES]


TEXTS = {title: page.read_text(encoding="utf-8") for title, page in zip(TITLES, PAGES, strict=True)}


@pytest.mark.parametrize("title", TITLES)
def test_every_cell_is_found(title):
    """By the pattern that runs them."""
    assert len(cells.CELL.findall(TEXTS[title])) == len(re.findall(r"^ *```+ *(?:\{[\w-]+\} *)?py", TEXTS[title], re.MULTILINE))


@pytest.mark.parametrize("title", [title for title in TITLES if cells.CELL.search(TEXTS[title])])
def test_cells(title):
    """In a process of its own: pages import what starts threads, and set what is global."""
    text, page = TEXTS[title], DOCS / title
    if missing := cells.missing(text):
        pytest.skip(f"not installed: {', '.join(missing)}")
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # several would wait for each other on busy cores
    done = subprocess.run([sys.executable, CELLS, page], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pages_are_there():
    """The four kinds of pages came with the tests."""
    assert {"index.md", "tutorial", "how-to", "reference", "explanation"} <= {title.split(os.sep)[0] for title in TITLES}


def test_every_function_has_a_page():
    """One that shows its docstring and that of its backward pass; an alias stands on the page of its function."""
    pages = runpy.run_path(str(DOCS / "_extensions" / "reference_pages.py"))["pages"]()
    shown = re.findall(r"^\.\. autofunction:: fastact\.(\w+)$", "".join(pages.values()), re.MULTILINE)
    public = {name for name in fastact.__all__ if callable(getattr(fastact, name))}
    aliases = {name for name in public - set(shown) if f"`{name.removesuffix('_backward')}`" in pages["index.md"]}
    assert len(shown) == len(set(shown))
    assert set(shown) == public - aliases
    for name in aliases:
        assert getattr(fastact, name).__name__ in shown
    for page in set(pages) - {"index.md"}:
        assert f"]({page})" in pages["index.md"]
