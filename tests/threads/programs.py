"""Programs that tests run in processes of their own: `python programs.py NAME`. Each ends with exit code 0 if all is well."""

import importlib.util
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np

import fastact
from fastact.compiled import _core

X = np.linspace(-4, 4, 300_000, dtype=np.float32)
ROWS = np.resize(X, (500, 600))
PATIENCE = 60  # seconds after which a child is thought to hang


def results():
    """The bits of some large calls."""
    loss, grad = fastact.cross_entropy_and_grad(ROWS, np.arange(500))
    return fastact.gelu(X).tobytes(), fastact.softmax(ROWS).tobytes(), float(loss), grad.tobytes()


def tasks():
    """The workers of this process, as folders of /proc."""
    every = Path("/proc/self/task").iterdir()
    return [task for task in every if (task / "comm").read_text(encoding="ascii").strip() == "fastact"]


def child(function):
    """Run a function in a forked child; its exit code."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(PATIENCE)
        code = 1
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def fork():
    """A child has workers of its own, also a child of a child, and the same bits. The parent keeps its workers."""
    with fastact.num_threads(1):
        expected = results()

    def in_child(children=1):
        assert _core.workers() == 0
        assert results() == expected
        assert _core.workers() == len(tasks()) == 2
        assert not children or child(lambda: in_child(children - 1)) == 0

    _core.set_eager(True)
    fastact.set_num_threads(3)
    assert results() == expected
    assert child(in_child) == 0
    assert results() == expected
    assert _core.workers() == len(tasks()) == 2


def fork_while_another_computes():
    """Children of a thread can compute while another thread of the parent does."""
    with fastact.num_threads(1):
        expected = results()
    ended = threading.Event()

    def compute():
        while not ended.is_set():
            fastact.softmax(ROWS)

    def in_child():
        assert results() == expected
        assert _core.workers() == 2

    _core.set_eager(True)
    fastact.set_num_threads(3)
    thread = threading.Thread(target=compute)
    thread.start()
    try:
        for _ in range(40):
            assert child(in_child) == 0
    finally:
        ended.set()
        thread.join()


def many_callers():
    """Many threads of Python call at once, each with a number of its own. All see bfloat16 first in the same moment."""
    with fastact.num_threads(1):
        expected = results()
    _core.set_eager(True)
    callers, wrong = 8, []
    together = threading.Barrier(callers)
    if importlib.util.find_spec("ml_dtypes"):
        import ml_dtypes

        halves = ROWS.astype(ml_dtypes.bfloat16)
    else:
        halves = ROWS.astype(np.float16)

    def call(number):
        try:
            together.wait()
            for function in fastact.sigmoid, fastact.softmax:
                assert function(halves).dtype == halves.dtype
            with fastact.num_threads(number):
                for _ in range(6):
                    assert results() == expected
                    assert fastact.get_num_threads() == number
                    fastact.set_num_threads(1 + number % 3)
        except BaseException as error:
            wrong.append(error)
            raise

    threads = [threading.Thread(target=call, args=(1 + i % 4,)) for i in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert _core.workers() <= 3


def number_and_bits(_):
    """What a child of multiprocessing has: the number of threads, and the results."""
    return fastact.get_num_threads(), results(), len(tasks())


def default_of_children(method, expected="1"):
    """Without a number that was set, children have 1 thread, or what FASTACT_NUM_THREADS says."""
    fastact.softmax(ROWS)  # decides the number of the parent
    with multiprocessing.get_context(method).Pool(2) as pool:
        for number, _, workers in pool.map(number_and_bits, range(4), chunksize=1):
            assert number == int(expected), number
            assert workers < int(expected)


def interrupted():
    """Ctrl-C ends a computation by KeyboardInterrupt on the main thread. Workers let only faults through."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its background jobs ignore it
    _core.set_eager(True)
    fastact.set_num_threads(3)
    results()
    for task in tasks():
        status = dict(
            line.split(":\t", 1) for line in (task / "status").read_text(encoding="ascii").splitlines() if ":\t" in line
        )
        blocked = int(status["SigBlk"], 16)
        assert blocked >> (signal.SIGINT - 1) & 1
        assert blocked >> (signal.SIGTERM - 1) & 1
        assert not blocked >> (signal.SIGSEGV - 1) & 1
    main = os.getpid()
    threading.Timer(0.2, os.kill, (main, signal.SIGINT)).start()
    try:
        while True:
            results()
    except KeyboardInterrupt:
        assert threading.current_thread() is threading.main_thread()
    results()


def leave(how, state, computing="alone"):
    """End the process while workers are awake or asleep, and perhaps while another thread computes."""
    _core.set_eager(True)
    fastact.set_num_threads(4, spin=200)

    def compute():
        while True:
            fastact.softmax(ROWS)

    if computing == "beside":
        threading.Thread(target=compute, daemon=True).start()
    results()
    if state == "asleep":
        time.sleep(0.05)
    if how == "sys.exit":
        sys.exit(0)
    if how == "os._exit":
        os._exit(0)


def refused():
    """Where the system makes no thread, calls run alone. After set_num_threads it is asked again."""
    with fastact.num_threads(1):
        expected = results()
    y = np.empty_like(X)
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    unlimited = resource.getrlimit(resource.RLIMIT_AS)
    _core.set_eager(True)
    fastact.set_num_threads(3)
    resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 10), unlimited[1]))
    for _ in range(3):
        fastact.gelu(X, out=y)
    assert _core.workers() == 0
    resource.setrlimit(resource.RLIMIT_AS, unlimited)
    fastact.gelu(X, out=y)
    assert _core.workers() == 0
    fastact.set_num_threads(3)
    assert results() == expected
    assert _core.workers() == 2
    assert y.tobytes() == expected[0]


def no_memory():
    """Rows in half precision for whose buffers there is no memory raise MemoryError, whichever thread found none."""
    x = np.resize(X.astype(np.float16), (4, 9_000_000))  # a row in float32 is more than malloc keeps
    out, target = np.empty_like(x), np.arange(4)
    calls = {
        "the fast path": lambda: fastact.softmax(x, out=out),
        "a mask": lambda: fastact.softmax(x.reshape(2, 2, -1), causal=True, out=out.reshape(2, 2, -1)),
        "the gufunc": lambda: fastact.softmax(x[:, ::-1], out=out),
        "a loss": lambda: fastact.cross_entropy(x, target),
        "a gradient": lambda: fastact.cross_entropy_and_grad(x, target, out=out),
    }
    _core.set_eager(True)
    fastact.set_num_threads(3)
    fastact.gelu(X)
    assert _core.workers() == 2
    unlimited = resource.getrlimit(resource.RLIMIT_AS)
    for threads in (1, 3):
        for name, call in calls.items():
            with fastact.num_threads(threads):
                call()
                used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (used + (4 << 20), unlimited[1]))
                raised = False
                try:
                    call()
                except MemoryError:
                    raised = True
                finally:
                    resource.setrlimit(resource.RLIMIT_AS, unlimited)
                assert raised, (name, threads)
    assert np.array_equal(fastact.softmax(x[:1]), fastact.softmax(x[:1].astype(np.float32)).astype(np.float16))


def sleep_without_burning():
    """Workers that nobody needs are asleep, and take no time: after the time that they stay awake, or at once with spin=0."""
    _core.set_eager(True)
    for spin in (0, 200):
        fastact.set_num_threads(3, spin=spin)
        results()
        time.sleep(0.1)
        before = [(task / "schedstat").read_text(encoding="ascii") for task in tasks()]
        time.sleep(0.2)
        assert len(before) == 2
        assert [(task / "schedstat").read_text(encoding="ascii") for task in tasks()] == before
        for task in tasks():
            assert (task / "stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "S"


def loky(variables=""):
    """Workers of joblib have one thread each where two share two cores, and none of ours beside it."""
    import joblib

    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        found = joblib.Parallel()(joblib.delayed(number_and_bits)(i) for i in range(6))
    assert [(number, workers) for number, _, workers in found] == [(1, 0)] * 6


def dask_workers():
    """Processes of a dask cluster have the number that dask gives them by OMP_NUM_THREADS: 1."""
    import distributed

    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        client = distributed.Client(cluster)
        assert [number for number, *_ in client.gather(client.map(number_and_bits, range(4)))] == [1] * 4
        client.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
