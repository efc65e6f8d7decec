"""A new activation needs a declaration in formulas.py and nothing else: it is built, tested and listed."""

import re

import pytest

import fastact

from building import PORTABLE, install, run, source_in
from checkout import blocks


@pytest.mark.build
def test_the_activation_of_the_readme_is_built_tested_and_listed(tmp_path):
    """The activation that the README declares passes all tests of activations, and `fastact info --functions` lists it."""
    source = source_in(tmp_path)
    with open(source / "fastact" / "formulas.py", "a", encoding="utf-8") as page:
        page.write("\n\n" + blocks("python")[-1])
    # -DPLAIN_C builds the scalar set as older compilers do. No other test builds it so.
    elsewhere, environment = install(source, FASTACT_SETS=" ".join(PORTABLE), CFLAGS="-DPLAIN_C")
    listing = run(elsewhere, "-c", "from fastact.command.cli import main; main(['info', '--functions'])", **environment)
    assert re.search(r"^shifted_relu\(x, shift=1\.0\) +x +max\(x - shift, 0\)$", listing, re.M)
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", source / "pyproject.toml", source / "tests"]
    summary = run(elsewhere, *tests, "-k", "shifted_relu", **environment).splitlines()[-1]
    passed = re.match(r"(\d+) passed", summary)
    assert passed, summary
    assert int(passed[1]) > (60 if fastact.backend == "compiled" else 30), summary
