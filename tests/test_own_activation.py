"""The structure holds: an activation added to the end of formulas.py, and nothing else, is built, tested and listed."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_readme import blocks

import fastact

ROOT = Path(__file__).parent.parent
PARTS = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "fastact", "src_c", "tests")


# What the build needs, and the oldest major version of it.
TOOLS = {"pip": 1, "numpy": 2, "setuptools": 77} | ({"cython": 3} if fastact.backend == "compiled" else {})


def version(tool):
    """The major version of an installed package; 0 without it."""
    try:
        return int(importlib.metadata.version(tool).split(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return 0


def run(folder, *command, **environment):
    """What a Python program printed; it must succeed."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FASTACT_", "PYTEST_"))}
    ran = subprocess.run(
        [sys.executable, *command], cwd=folder, env={**kept, **environment}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout[-5000:]}\n{ran.stderr[-5000:]}"
    return ran.stdout


@pytest.mark.build
def test_the_activation_of_the_readme(tmp_path):
    """It passes what is parametrized by declarations, and appears in `fastact info --functions`."""
    missing = [part for part in PARTS if not (ROOT / part).exists()]
    missing += [tool for tool, oldest in TOOLS.items() if version(tool) < oldest]
    if missing:
        pytest.skip(f"a build needs a checkout and its tools; missing here: {', '.join(missing)}")
    source, site, elsewhere = tmp_path / "source", tmp_path / "site", tmp_path / "elsewhere"
    source.mkdir()
    elsewhere.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, source / part)
    with open(source / "fastact" / "formulas.py", "a", encoding="utf-8") as page:
        page.write("\n\n" + blocks("python")[-1])

    options = ["--quiet", "--no-build-isolation", "--no-deps", "--no-cache-dir", "--target", str(site), str(source)]
    # PLAIN_C: the scalar set as other compilers than GCC and clang see it, which no other test does
    build = {"FASTACT_BUILD": fastact.backend, "CFLAGS": "-DPLAIN_C"}
    run(elsewhere, "-m", "pip", "--disable-pip-version-check", "install", *options, **build)
    environment = {"PYTHONPATH": str(site), "FASTACT_EXPECT": fastact.backend}
    listing = run(elsewhere, "-c", "from fastact.cli import main; main(['info', '--functions'])", **environment)
    assert re.search(r"^shifted_relu\(x, shift=1\.0\) +x +max\(x - shift, 0\)$", listing, re.M)
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(source / "pyproject.toml"), str(source / "tests")]
    summary = run(elsewhere, *tests, "-k", "shifted_relu", **environment).splitlines()[-1]
    passed = re.match(r"(\d+) passed", summary)
    assert passed, summary
    assert int(passed[1]) > (100 if fastact.backend == "compiled" else 30), summary
