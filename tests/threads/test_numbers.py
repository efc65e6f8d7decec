"""The number of threads: functions, contexts, the environment, cores, and what threadpoolctl and other libraries say."""

import concurrent.futures
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import fastact
from fastact import threads

from passes import needs_core

CORES = threads.cores()


def in_a_new_process(program, folder, **environment):
    """What a program prints; the variables about numbers of threads are only those given."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FASTACT_") and key != "OMP_NUM_THREADS"}
    ran = subprocess.run(
        [sys.executable, "-c", program], env={**kept, **environment}, cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@needs_core
def test_set_and_get():
    """The number that is set holds in all threads, and in those that come later."""
    before = fastact.get_num_threads()
    try:
        for number in (1, 2, np.int64(7), 256):
            fastact.set_num_threads(number)
            assert fastact.get_num_threads() == number
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                assert pool.submit(fastact.get_num_threads).result() == number
    finally:
        fastact.set_num_threads(before)


@pytest.mark.parametrize("value", [0, -1, 257, 10**20])
def test_numbers_out_of_range(value):
    """An error names the function, the argument, what is right, and the value."""
    with pytest.raises(ValueError, match=f"set_num_threads: n must be from 1 to 256, not {value}"):
        fastact.set_num_threads(value)
    with pytest.raises(ValueError, match=f"num_threads: n must be from 1 to 256, not {value}"):
        fastact.num_threads(value)


@pytest.mark.parametrize("value", [None, "2", 2.0, True, [2]], ids=str)
def test_no_integers(value):
    """What is no integer is a TypeError that says so."""
    with pytest.raises(TypeError, match="num_threads: n must be an integer from 1 to 256, not"):
        fastact.set_num_threads(value)
    with pytest.raises(TypeError, match="num_threads: n must be an integer from 1 to 256, not"):
        fastact.num_threads(value)


@needs_core
def test_spin():
    """A worker may wait from 0 to 200 us awake."""
    from fastact.compiled import _core

    assert (threads.MOST, threads.MOST_SPIN) == _core.MOST

    before, number = _core.spin(), fastact.get_num_threads()
    try:
        for spin in (0, 200, before):
            fastact.set_num_threads(number, spin=spin)
            assert _core.spin() == spin
    finally:
        _core.set_spin(before)
    for wrong in (-1, 201):
        with pytest.raises(ValueError, match=f"set_num_threads: spin must be from 0 to 200, not {wrong}"):
            fastact.set_num_threads(number, spin=wrong)


@needs_core
def test_contexts():
    """Contexts nest, end with an exception too, decorate a function, and hold for the thread that enters them."""
    outside = fastact.get_num_threads()
    entered, left = threading.Event(), threading.Event()

    def elsewhere():
        with fastact.num_threads(5):
            entered.set()
            left.wait()
            return fastact.get_num_threads()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        other = pool.submit(elsewhere)
        entered.wait()
        assert fastact.get_num_threads() == outside
        with fastact.num_threads(3):
            with fastact.num_threads(4), pytest.raises(ZeroDivisionError), fastact.num_threads(2):
                raise ZeroDivisionError
            with fastact.num_threads(4):
                assert fastact.get_num_threads() == 4
            assert fastact.get_num_threads() == 3
        left.set()
        assert other.result() == 5
        assert pool.submit(fastact.get_num_threads).result() == outside

    @fastact.num_threads(6)
    def decorated():
        return fastact.get_num_threads()

    assert (decorated(), decorated(), fastact.get_num_threads()) == (6, 6, outside)
    again = fastact.num_threads(2)
    with again, fastact.num_threads(3), again:
        assert fastact.get_num_threads() == 2
    with again, concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert pool.submit(decorated).result() == 6
        with fastact.num_threads(5):
            assert fastact.get_num_threads() == 5
        assert fastact.get_num_threads() == 2
    assert fastact.get_num_threads() == outside

    async def asynchronous():
        pass

    def generator():
        yield

    for function in asynchronous, generator:
        with pytest.raises(TypeError, match=f"{function.__name__} runs in pieces"):
            fastact.num_threads(2)(function)


PRINT = "import fastact as fa; print(fa.get_num_threads())"
VARIABLES = {
    "ours": ({"FASTACT_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3),
    "that of OpenMP": ({"OMP_NUM_THREADS": "5"}, 5),
    "the first of a list": ({"OMP_NUM_THREADS": " 4,3,2"}, 4),
    "none": ({}, CORES),
    "empty": ({"FASTACT_NUM_THREADS": "", "OMP_NUM_THREADS": ""}, CORES),
    "wrong for OpenMP": ({"OMP_NUM_THREADS": "many"}, CORES),
    "more than there may be": ({"OMP_NUM_THREADS": "1000"}, 256),
}


@needs_core
@pytest.mark.parametrize("name", VARIABLES)
def test_environment(name, tmp_path):
    """FASTACT_NUM_THREADS, else OMP_NUM_THREADS, else the cores of the process."""
    variables, number = VARIABLES[name]
    assert in_a_new_process(PRINT, tmp_path, **variables) == str(number)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "257", "2,1"])
def test_a_wrong_variable_stops_the_import(text, tmp_path):
    """The error names the variable and its value."""
    variables = {"FASTACT_NUM_THREADS": text}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FASTACT_")}
    command = [sys.executable, "-c", "import fastact"]
    ran = subprocess.run(command, env={**kept, **variables}, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.stderr.splitlines()[-1] == f"ValueError: FASTACT_NUM_THREADS must be a number from 1 to 256, not {text!r}"


@needs_core
def test_spin_of_the_environment(tmp_path):
    """FASTACT_SPIN says how long workers wait awake."""
    program = "import fastact; from fastact.compiled import _core; print(_core.spin())"
    assert in_a_new_process(program, tmp_path, FASTACT_SPIN="0") == "0"
    assert in_a_new_process(program, tmp_path) == "100"


def test_the_fallback_has_one_thread(tmp_path):
    """The NumPy backend takes the calls, checks them, and says 1."""
    program = (
        "import fastact as fa\n"
        "fa.set_num_threads(4, spin=0)\n"
        "with fa.num_threads(3): print(fa.get_num_threads(), fa.relu([-1.0, 2.0]))\n"
        "try: fa.set_num_threads(0)\n"
        "except ValueError: print('refused')"
    )
    assert in_a_new_process(program, tmp_path, FASTACT_BACKEND="numpy").split("\n") == ["1 [0. 2.]", "refused"]


@needs_core
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_affinity(tmp_path):
    """A process that may use one core has one thread."""
    program = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); " + PRINT
    assert in_a_new_process(program, tmp_path) == "1"


GROUPS = {
    "v2": ("0::/app/one\n", {"app/one/cpu.max": "250000 100000\n", "app/cpu.max": "max 100000\n"}, 2.5),
    "v2, of a parent": ("0::/app/one\n", {"app/one/cpu.max": "max 100000\n", "app/cpu.max": "50000 100000\n"}, 0.5),
    "v2, in a container": ("0::/\n", {"cpu.max": "100000 100000\n"}, 1.0),
    "v2, no limit": ("0::/\n", {"cpu.max": "max 100000\n"}, None),
    "v1": (
        "5:cpu,cpuacct:/job\n4:memory:/job\n",
        {"cpu/job/cpu.cfs_quota_us": "300000\n", "cpu/job/cpu.cfs_period_us": "100000\n"},
        3.0,
    ),
    "v1, in a container": (
        "5:cpuacct,cpu:/x/y\n",
        {"cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"},
        1.5,
    ),
    "v1, no limit": ("5:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
    "nonsense": ("what\n0::/\n", {"cpu.max": "a b c\n"}, None),
    "nothing": (None, {}, None),
}


@pytest.mark.parametrize("name", GROUPS)
def test_quotas(name, tmp_path, monkeypatch):
    """The quota of the cgroup, v1 or v2, or of a group around it, is an upper bound; part of a core counts as one."""
    group, files, quota = GROUPS[name]
    for path, text in ({"proc/self/cgroup": group} if group else {}).items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text, encoding="ascii")
    for path, text in files.items():
        (tmp_path / "sys/fs/cgroup" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sys/fs/cgroup" / path).write_text(text, encoding="ascii")
    assert min(threads.quotas(str(tmp_path)), default=None) == quota
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert threads.cores(str(tmp_path)) == (8 if quota is None else max(1, int(np.ceil(quota))))


THREADPOOLCTL = """
import {first}, {second}
from threadpoolctl import threadpool_info, threadpool_limits
import fastact
def mine(): return [one for one in threadpool_info() if one["user_api"] == "fastact"]
fastact.set_num_threads(3)
(one,) = mine()
assert (one["num_threads"], one["version"]) == (3, fastact.__version__), one
with threadpool_limits(1): assert fastact.get_num_threads() == 1
assert fastact.get_num_threads() == 3
with threadpool_limits({{"fastact": 2}}): assert fastact.get_num_threads() == 2
with threadpool_limits(1, user_api="blas"): assert fastact.get_num_threads() == 3
with fastact.num_threads(4):
    with threadpool_limits(1, user_api="fastact"): assert fastact.get_num_threads() == 1
    assert fastact.get_num_threads() == 4
assert fastact.get_num_threads() == 3
import sys
assert not [each for each in sys.meta_path if type(each).__module__.startswith("fastact")]
"""


@needs_core
@pytest.mark.parametrize(("first", "second"), [("threadpoolctl", "fastact"), ("fastact", "threadpoolctl")])
def test_threadpoolctl(first, second, tmp_path):
    """threadpool_info lists fastact once, and threadpool_limits limits it, whichever is imported first."""
    pytest.importorskip("threadpoolctl")
    in_a_new_process(THREADPOOLCTL.format(first=first, second=second), tmp_path)


@needs_core
def test_looking_for_threadpoolctl(tmp_path):
    """A look whether threadpoolctl is installed does not keep it from being found; nor does its absence."""
    pytest.importorskip("threadpoolctl")
    program = "import importlib.util, fastact; importlib.util.find_spec('threadpoolctl')\n"
    in_a_new_process(program + THREADPOOLCTL.format(first="fastact", second="threadpoolctl"), tmp_path)
    absent = "import sys, fastact; sys.path.clear(); sys.path_importer_cache.clear()\n"
    program = absent + "try: import threadpoolctl\nexcept ImportError: print('none')"
    assert in_a_new_process(program, tmp_path) == "none"
