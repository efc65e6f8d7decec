"""Builds the package anew from a copy of its source, for the tests that are marked so."""

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
# The sets that every processor of the target can run: the one that is always built, and the one that any compiler can build.
BASELINE = "sse2" if "sse2" in COMPILED else "scalar"
PORTABLE = {"scalar", BASELINE}
# What the build needs, and the oldest major version of it.
TOOLS = {"pip": 1, "numpy": 2, "setuptools": 77} | ({"cython": 3} if fastact.backend == "compiled" else {})


def version(tool):
    """The major version of an installed package; 0 without it."""
    try:
        return int(importlib.metadata.version(tool).split(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return 0


def source_in(folder):
    """A copy of the source, in which nothing has been built; skips the test where the source or a tool is missing."""
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
    """A Python program that has ended, in an environment without the package's own variables but these."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FASTACT_", "PYTEST_"))}
    command = [sys.executable, *map(str, command)]
    return subprocess.run(command, cwd=folder, env={**kept, **environment}, capture_output=True, text=True, check=False)


def run(folder, *command, **environment):
    """What a Python program printed; it must succeed."""
    ran = started(folder, *command, **environment)
    assert ran.returncode == 0, f"{command}\n{ran.stdout[-5000:]}\n{ran.stderr[-5000:]}"
    return ran.stdout


def install(source, **environment):
    """Build and install the source: a folder to be in, and the variables with which Python finds the package there."""
    site, elsewhere = source.parent / "site", source.parent / "elsewhere"
    elsewhere.mkdir()
    options = ["--quiet", "--no-build-isolation", "--no-deps", "--no-cache-dir", "--target", site, source]
    run(elsewhere, "-m", "pip", "--disable-pip-version-check", "install", *options, FASTACT_BUILD=fastact.backend, **environment)
    return elsewhere, {"PYTHONPATH": str(site), "FASTACT_EXPECT": fastact.backend}
