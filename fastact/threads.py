"""How many threads a call may take: `set_num_threads`, `get_num_threads` and `num_threads`; and the number where nobody says.

The compiled core has a pool of threads, src_c/threads/pool.c, which starts with the first call that is worth it. A result does
not depend on their number. The NumPy backend runs each call on the thread that calls.
"""

import contextlib
import inspect
import math
import operator
import os
import sys
import threading

from . import backends

MOST, MOST_SPIN = 256, 200


def set_num_threads(n, /, *, spin=None):
    """Set how many threads a call may take, in all threads of this process.

    Results have the same bits for every number. A call takes more than one thread only where it has enough to compute: some ten
    thousand elements and more. It takes its own thread alone while another call has the others.

    Parameters
    ----------
    n : int
        From 1, which means that each call runs on the thread that calls it alone, to 256.
    spin : int, optional
        How many microseconds a thread waits awake for the next call after each, from 0 to 200. Calls that follow one another
        so closely need not wake it. At first it is 100, or FASTACT_SPIN.

    Raises
    ------
    TypeError
        If an argument is no integer.
    ValueError
        If an argument is too small or too large.

    See Also
    --------
    get_num_threads, num_threads

    Notes
    -----
    Where nothing is set, it is the environment variable FASTACT_NUM_THREADS; else the first number of OMP_NUM_THREADS; else 1 in
    a child of multiprocessing, and elsewhere the number of cores that the process may use: by its affinity, and by the quota of
    its cgroup. The NumPy backend has no threads of its own, and ignores the number.

    Examples
    --------
    >>> import fastact as fa
    >>> before = fa.get_num_threads()
    >>> fa.set_num_threads(1)
    >>> fa.get_num_threads()
    1
    >>> fa.set_num_threads(before)
    """
    n = checked("set_num_threads", "n", n, 1, MOST)
    spin = None if spin is None else checked("set_num_threads", "spin", spin, 0, MOST_SPIN)
    if _core():
        _core().set_threads(n)
        if spin is not None:
            _core().set_spin(spin)


def get_num_threads():
    """How many threads a call of this thread may take.

    Returns
    -------
    int
        1 with the NumPy backend.

    See Also
    --------
    set_num_threads, num_threads

    Examples
    --------
    >>> import fastact as fa
    >>> fa.get_num_threads() >= 1
    True
    """
    return _core().threads() if _core() else 1


def num_threads(n, /):
    """Set how many threads a call may take, for the calling thread, in a `with` block or in a decorated function.

    Blocks may be nested. At the end of each, the number is what it was before, also after an exception. Other threads keep
    their numbers.

    Parameters
    ----------
    n : int
        From 1 to 256.

    Returns
    -------
    context manager
        It can decorate a function too.

    Raises
    ------
    TypeError
        If n is no integer; or if what it decorates is a generator or asynchronous.
    ValueError
        If n is too small or too large.

    See Also
    --------
    set_num_threads, get_num_threads

    Examples
    --------
    >>> import numpy as np, fastact as fa
    >>> with fa.num_threads(1):
    ...     print(fa.get_num_threads(), fa.relu(np.array([-1.0, 2.0])))
    1 [0. 2.]
    """
    return _OwnNumber(checked("num_threads", "n", n, 1, MOST))


class _OwnNumber(contextlib.ContextDecorator):
    """The context of `num_threads`. It can be entered again, within itself and by several threads too."""

    def __init__(self, n):
        self.n, self.of_thread = n, threading.local()

    def __enter__(self):
        if core := _core():
            vars(self.of_thread).setdefault("before", []).append(core.own_threads())
            core.set_own_threads(self.n)

    def __exit__(self, *error):
        if core := _core():
            core.set_own_threads(self.of_thread.before.pop())

    def __call__(self, function):
        if any(
            is_so(function) for is_so in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
        ):
            name = getattr(function, "__qualname__", repr(function))
            raise TypeError(f"num_threads: {name} runs in pieces, after a decorator has ended: use a with block around the calls")
        return super().__call__(function)


def limit(n):
    """Set the number that holds for the calling thread: its own, if it has one, else that of all."""
    if (core := _core()) and core.own_threads():
        core.set_own_threads(checked("threadpoolctl", "limits", n, 1, MOST))
    else:
        set_num_threads(n)


def _core():
    """The compiled core if the package uses it, else None."""
    return backends._core if IN_USE else None


def checked(function, name, value, least, most):
    """An argument as an integer in range."""
    if isinstance(value, bool):
        raise TypeError(f"{function}: {name} must be an integer from {least} to {most}, not {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{function}: {name} must be an integer from {least} to {most}, not {value!r}") from None
    if not least <= number <= most:
        raise ValueError(f"{function}: {name} must be from {least} to {most}, not {value!r}")
    return number


def default(environ=os.environ):
    """The number of threads of this process where none was set."""
    return decided(environ)[0]


def decided(environ=os.environ):
    """The number of threads of this process where none was set, and a text that says where it comes from."""
    if asked := from_environment("FASTACT_NUM_THREADS", 1, MOST, environ):
        return asked, "by FASTACT_NUM_THREADS"
    first = environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # one number for each level of nested threads
    if first.isdecimal() and int(first) > 0:
        return min(int(first), MOST), "by OMP_NUM_THREADS"
    if is_child():
        return 1, "as in every child of multiprocessing"
    return min(cores(), MOST), "by the cores that this process may use"


def explain():
    """Where the number of threads comes from."""
    if not _core():
        return "for NumPy computes"
    number, why = decided()
    return why if number == get_num_threads() else "as the program has set it"


def from_environment(name, least, most, environ=os.environ):
    """The number that a variable of ours has, or None."""
    text = environ.get(name, "").strip()
    if not text:
        return None
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ValueError(f"{name} must be a number from {least} to {most}, not {environ[name]!r}")
    return int(text)


def is_child():
    """Whether this process is a child of multiprocessing, or becomes one: its siblings have the other cores."""
    process = sys.modules.get("multiprocessing.process")
    if not process:
        return False
    # While a spawned child imports the main module, it knows no parent yet.
    return process.parent_process() is not None or getattr(process.current_process(), "_inheriting", False)


def cores(root="/"):
    """How many cores this process may use, by its affinity and the quota of its cgroup."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        allowed = os.cpu_count() or 1
    return max(1, min([allowed, *map(math.ceil, quotas(root))]))


def quotas(root):
    """The cores' worth of time of each cgroup that has this process in it; the files are those of cgroup v2 and v1."""
    for line in _read(root, "proc/self/cgroup").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        folder = path.strip("/")
        while True:  # a container may see its own group as the root
            if not controllers:
                numbers = _read(root, "sys/fs/cgroup", folder, "cpu.max").split()
            else:
                files = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
                numbers = " ".join(_read(root, "sys/fs/cgroup", "cpu", folder, each) for each in files).split()
            if len(numbers) == 2 and all(number.isdecimal() and int(number) > 0 for number in numbers):
                yield int(numbers[0]) / int(numbers[1])
            if not folder:
                break
            folder = os.path.dirname(folder)


def _read(*path):
    """The text of a file; "" where there is none."""
    try:
        with open(os.path.join(*path), encoding="ascii") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""


def begin(backend):
    """Read the environment, and tell the core how to find the number of threads. The package calls it when it is imported."""
    global IN_USE
    IN_USE = backend == "compiled"
    from . import threadpools  # here, since it imports this module

    default()  # raises the error of a wrong variable
    spin = from_environment("FASTACT_SPIN", 0, MOST_SPIN)
    if backends._core:
        backends._core.begin_threads(default)
        if spin is not None:
            backends._core.set_spin(spin)
    if IN_USE:
        threadpools.begin()


IN_USE = False
