"""The textbook derivative that each declaration gives is the derivative of its textbook definition."""

import functools
import re

import numpy as np
import pytest

from fastact.declare import ACTIVATIONS

from oracle import Definition

DIGITS, STEP = 80, 1e-25
MPF = Definition("0", DIGITS).context.mpf


@functools.cache
def function(text):
    """A definition or a derivative as a function of a dict of numbers. The text may end in "with s = ..."."""
    found = re.fullmatch(r"(.*) with (\w+) = (.*)", text)
    given = Definition(f"(lambda {found[2]}: ({found[1]}))({found[3]})" if found else text, DIGITS)
    words = {**given.words, "sigmoid": lambda x: 1 / (1 + given.exp(-x))}
    return lambda values: eval(given.code, {**words, **{name: given.context.mpf(value) for name, value in values.items()}})


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_textbook_derivative(name):
    """Each declared derivative equals the difference quotient of the definition, at random points."""
    declared = ACTIVATIONS[name]
    rng = np.random.default_rng(5)
    definition, derivative = function(declared.definition), function(declared.slope)
    low, high = (0, 1) if name == "logit" else (-7, 7)
    for _ in range(30):
        values = {key: value for key, value in declared.values.items() if value is not None}
        values |= {operand: rng.uniform(low, high) for operand in declared.operands}
        slopes = derivative(values)
        for of, slope in zip(declared.gradients, slopes if isinstance(slopes, tuple) else (slopes,), strict=True):
            here = MPF(values[of])
            above, below = (definition({**values, of: here + step}) for step in (STEP, -STEP))
            assert abs((above - below) / (2 * STEP) - slope) <= 1e-14 * abs(slope)
