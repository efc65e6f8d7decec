"""Threads and processes: fork, spawn, signals, the end of a process, a system that makes no threads, and pools of workers."""

import concurrent.futures
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastact

from arrays import assert_same_bits
from passes import needs_core

PROGRAMS = Path(__file__).with_name("programs.py")
LINUX = sys.platform == "linux"
pytestmark = [needs_core, pytest.mark.skipif(not LINUX, reason="the programs read /proc")]


def run(*arguments, folder, **environment):
    """Run a program of programs.py, which must end well and print nothing to stderr."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FASTACT_") and key != "OMP_NUM_THREADS"}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(PROGRAMS), *arguments]
    ran = subprocess.run(
        command, env={**kept, **environment}, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr


PROGRAMS_ALONE = (
    "fork",
    "fork_while_another_computes",
    "interrupted",
    "many_callers",
    "no_memory",
    "refused",
    "sleep_without_burning",
)


@pytest.mark.parametrize("program", PROGRAMS_ALONE)
def test_program(program, tmp_path):
    """Each of these programs says in its docstring what it tests."""
    run(program, folder=tmp_path)


@pytest.mark.parametrize("computing", ["alone", "beside"])
@pytest.mark.parametrize("state", ["awake", "asleep"])
@pytest.mark.parametrize("how", ["sys.exit", "os._exit", "the end"])
def test_the_end_of_a_process(how, state, computing, tmp_path):
    """A process ends without a crash, whatever its workers do."""
    run("leave", how, state, computing, folder=tmp_path)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing(method, tmp_path):
    """They have one thread, whether fastact was imported or used before; or the number of FASTACT_NUM_THREADS."""
    run("default_of_children", method, folder=tmp_path)
    run("default_of_children", method, "2", folder=tmp_path, FASTACT_NUM_THREADS="2")
    run("default_of_children", method, "3", folder=tmp_path, OMP_NUM_THREADS="3")


def test_joblib(tmp_path):
    """Two workers of joblib do not take more threads than two."""
    pytest.importorskip("joblib")
    run("loky", folder=tmp_path)


def test_dask(tmp_path):
    """Nor do the workers of dask."""
    pytest.importorskip("distributed")
    run("dask_workers", folder=tmp_path)


@pytest.mark.usefixtures("eager")
def test_many_threads_at_once():
    """Python threads that compute at once get the right bits, each on the pool or alone."""
    rng = np.random.default_rng(0)
    made = [rng.normal(0, 3, (300, 400)).astype(np.float32) for _ in range(8)]
    target = rng.integers(0, 400, 300)

    def compute(x):
        return fastact.softmax(x), fastact.gelu_backward(x, x), fastact.cross_entropy_and_grad(x, target)

    with fastact.num_threads(1):
        expected = [compute(x) for x in made]

    def several(number):
        with fastact.num_threads(1 + number % 4):
            for _ in range(20):
                assert_same_bits(compute(made[number]), expected[number], f"thread {number}")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(several, range(8)))
