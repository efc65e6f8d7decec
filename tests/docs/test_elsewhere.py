"""What fastact/docstrings/elsewhere.py says of other libraries is true of those that are installed here."""

import importlib.util
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

import fastact
from fastact.docstrings import elsewhere

CALLS = Path(__file__).parent / "elsewhere_calls.py"


@pytest.mark.parametrize("library", elsewhere.LIBRARIES)
def test_calls(library):
    """Every call and every default, in a process of its own: these libraries start threads, and other tests fork."""
    if not importlib.util.find_spec(library):
        pytest.skip(f"{library} is not installed")
    done = subprocess.run([sys.executable, CALLS, library], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_names():
    """Every entry is of a function and a library that there are."""
    public = {*elsewhere.CALLS, *elsewhere.SURPRISES} - {"gelu_tanh"}
    assert public <= set(fastact.__all__)
    libraries = itertools.chain.from_iterable([*elsewhere.CALLS.values(), *elsewhere.SURPRISES.values()])
    assert set(libraries) == set(elsewhere.LIBRARIES) == set(elsewhere.PREFIXES)
