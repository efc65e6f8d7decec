"""Builds the package from a copy of its source, for the tests that are marked `build`."""

import importlib.metadata
import os
import shutil
import subprocess
import sys

import pytest

import fastact

from checkout import ROOT
from passes import COMPILED

FILES = ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE")
FOLDERS = ("fastact", "src_c", "tests", "benchmarks")
# The sets that every processor of this architecture can run. The build always makes BASELINE; any compiler can make scalar.
BASELINE = "sse2" if "sse2" in COMPILED else "scalar"
PORTABLE = {"scalar", BASELINE}
# What the build needs, with the oldest major version that will do.
TOOLS = {"pip": 1, "numpy": 2, "setuptools": 77} | ({"cython": 3} if fastact.backend == "compiled" else {})


def version(tool):
    """The major version of an installed package, 0 where it is not installed."""
    try:
        return int(importlib.metadata.version(tool).split(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return 0


def source_in(folder):
    """A copy of the source, in which nothing has been built. The test is skipped where the source or a tool is missing."""
    missing = [part for part in FILES + FOLDERS if not (ROOT / part).exists()]
    missing += [tool for tool, oldest in TOOLS.items() if version(tool) < oldest]
    if missing:
        pytest.skip(f"a build needs a checkout and its tools; missing here: {', '.join(missing)}")
    source = folder / "source"
    source.mkdir()
    for part in FILES:
        shutil.copy(ROOT / part, source / part)
    for part in FOLDERS:
        shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    return source


def started(folder, *command, **environment):
    """Run a Python program to its end. Of the variables FASTACT_* and PYTEST_* it sees only those given here."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FASTACT_", "PYTEST_"))}
    command = [sys.executable, *map(str, command)]
    return subprocess.run(command, cwd=folder, env={**kept, **environment}, capture_output=True, text=True, check=False)


def run(folder, *command, **environment):
    """What a Python program printed. The test fails if the program does."""
    ran = started(folder, *command, **environment)
    assert ran.returncode == 0, f"{command}\n{ran.stdout[-5000:]}\n{ran.stderr[-5000:]}"
    return ran.stdout


def install(source, **environment):
    """Build and install the source. Return a folder to run Python in, and the variables by which it finds the package."""
    site, elsewhere = source.parent / "site", source.parent / "elsewhere"
    elsewhere.mkdir()
    options = ["--quiet", "--no-build-isolation", "--no-deps", "--no-cache-dir", "--target", site, source]
    run(elsewhere, "-m", "pip", "--disable-pip-version-check", "install", *options, FASTACT_BUILD=fastact.backend, **environment)
    return elsewhere, {"PYTHONPATH": str(site), "FASTACT_EXPECT": fastact.backend}
