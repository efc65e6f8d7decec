"""Sharing among threads, forced: also small calls are cut into parts, and all threads are woken."""

import pytest

import fastact


@pytest.fixture
def eager():
    """Every call is cut as finely as may be, and its parts run on all threads that the caller may have."""
    core = pytest.importorskip("fastact.compiled._core")
    core.set_eager(True)
    yield core
    core.set_eager(False)


@pytest.fixture(autouse=True)
def the_same_number_afterwards():
    """A test leaves the number of threads as it was."""
    before = fastact.get_num_threads()
    yield
    assert fastact.get_num_threads() == before
