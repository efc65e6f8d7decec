"""The examples in docstrings: each shows numbers, and what it prints is recorded as every implementation prints it."""

import doctest
import runpy
from pathlib import Path

import numpy as np
import pytest

import fastact
from fastact import example_outputs, examples

from passes import each_implementation

GENERATOR = Path(__file__).parent.parent / "benchmarks" / "examples.py"
FUNCTIONS = sorted(name for name in fastact.__all__ if callable(getattr(fastact, name)))


@each_implementation
def test_outputs_are_current(implementation):
    """`python benchmarks/examples.py` would change nothing."""
    recorded = Path(example_outputs.__file__).read_text(encoding="utf-8")
    assert runpy.run_path(str(GENERATOR))["text"](implementation) == recorded


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_example_shows_numbers(name):
    """A learner can check the function by hand: at least one statement prints an array or a number."""
    wanted = [example.want for example in doctest.DocTestParser().get_examples(getattr(fastact, name).__doc__)]
    assert any(want.startswith(("array([", "np.float64(")) for want in wanted), wanted


def test_an_example_that_is_not_recorded_runs():
    """As of an activation that has just been added: it prints nothing."""
    lines = examples.shown("new", ["x = np.ones(2)", "fa.relu(x)", "fa.relu(x, out=x) is x  # in place"])
    test = doctest.DocTestParser().get_doctest(lines, {"np": np, "fa": fastact}, "new", None, 0)
    assert doctest.DocTestRunner().run(test) == (0, 3)
