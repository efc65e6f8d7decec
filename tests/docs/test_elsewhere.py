"""What fastact/docstrings/elsewhere.py says of other libraries is true, for those that are installed."""

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
def test_calls_of_other_libraries_give_the_same(library):
    """Every call and every default gives what the table says.

    Each library runs in a process of its own, because these libraries start threads and other tests fork.
    """
    if not importlib.util.find_spec(library):
        pytest.skip(f"{library} is not installed")
    done = subprocess.run([sys.executable, CALLS, library], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_entry_names_a_function_and_a_library():
    """Every entry of the table is about a public function, and about a library that the module lists."""
    public = {*elsewhere.CALLS, *elsewhere.SURPRISES} - {"gelu_tanh"}
    assert public <= set(fastact.__all__)
    libraries = itertools.chain.from_iterable([*elsewhere.CALLS.values(), *elsewhere.SURPRISES.values()])
    assert set(libraries) == set(elsewhere.LIBRARIES) == set(elsewhere.PREFIXES)
