"""The examples in docstrings show numbers, and the recorded output is what every implementation prints."""

import doctest
import re
import runpy
from pathlib import Path

import numpy as np

import fastact
from fastact.docstrings import example_outputs, examples

from checkout import ROOT
from passes import THREADS, each_implementation

GENERATOR = ROOT / "benchmarks" / "examples.py"


@each_implementation
def test_outputs_are_current(implementation):
    """`python benchmarks/examples.py` would change nothing."""
    recorded = Path(example_outputs.__file__).read_text(encoding="utf-8")
    assert runpy.run_path(str(GENERATOR))["text"](implementation) == recorded


def test_every_example_shows_numbers():
    """At least one statement of each example prints an array or a number, so that a learner can check it by hand."""
    for name in set(fastact.__all__) - set(THREADS):
        if callable(function := getattr(fastact, name)):
            wanted = [example.want for example in doctest.DocTestParser().get_examples(function.__doc__)]
            assert any(re.search(r"\d", want) for want in wanted), name


def test_an_example_without_recorded_output_runs():
    """The example of an activation that has just been added has no recorded output. It runs, and prints nothing."""
    lines = examples.shown("new", ["x = np.ones(2)", "fa.relu(x)", "fa.relu(x, out=x) is x  # in place"])
    test = doctest.DocTestParser().get_doctest(lines, {"np": np, "fa": fastact}, "new", None, 0)
    assert doctest.DocTestRunner().run(test) == (0, 3)
