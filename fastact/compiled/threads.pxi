"""The numbers of threads, and the costs by which work is shared among them; part of _core.pyx. fastact/threads.py has the rules."""

# The picoseconds that an element takes: of the cheap formulas, of the other direct ones, of the wide ones, and of functions along
# an axis. Arrays of 64 Ki elements were measured. `python benchmarks/threads.py --costs` measures them again.
COSTS = {
    ("avx512", "f"): (60, 150, 400, 180),
    ("avx512", "d"): (150, 600, 2000, 500),
    ("avx2", "f"): (60, 470, 1000, 400),
    ("avx2", "d"): (150, 1200, 4500, 1200),
    ("sse2", "f"): (150, 1500, 5300, 2700),
    ("sse2", "d"): (300, 3600, 16000, 3400),
    ("scalar", "f"): (150, 1500, 5300, 2700),
    ("scalar", "d"): (300, 3600, 16000, 3400),
}
# Functions along an axis that take so many times as long.
DEARER = {"sparsemax": 8, "entmax15": 16, "hardmax": 2, "cross_entropy_distribution": 16}

cdef object decide  # fastact.threads.default


cdef int decide_threads() noexcept with gil:
    """The number of threads of the process, where none was set."""
    try:
        return decide()
    except Exception:  # a loop cannot raise it; the package raises it when it is imported
        return 1


def begin_threads(default):
    """Take the function that says how many threads a process has where none was set."""
    global decide, fastact_decide_threads
    decide = default
    fastact_decide_threads = <int (*)() noexcept nogil>decide_threads


def threads():
    """How many threads the calls of this thread may take."""
    cdef int found
    with nogil:
        found = fastact_threads()
    return found


def set_threads(int number):
    """Set it for all threads that have no number of their own."""
    fastact_set_threads(number)


def own_threads():
    """The calling thread's own number of threads, or 0."""
    return fastact_own_threads()


def set_own_threads(int number):
    """Set it; 0 for none."""
    fastact_set_own_threads(number)


def spin():
    """How many microseconds a thread waits awake after a job."""
    return fastact_spin()


def set_spin(int microseconds):
    """Set it."""
    fastact_set_spin(microseconds)


def workers():
    """How many threads the pool has."""
    return fastact_workers()


def set_eager(bint eager):
    """Whether every call is shared among all threads, however little it computes. Tests want it."""
    fastact_set_eager(eager)


MOST = MOST_THREADS, MOST_SPIN


cdef void share(part_work *work, void *job, size_t units, size_t grain, uint64_t picoseconds) noexcept nogil:
    """Do the units of a job, on several threads where that pays. Parts are multiples of `grain` units."""
    cdef Extent extent
    extent.units, extent.head, extent.grain, extent.picoseconds = units, 0, grain, picoseconds
    fastact_share(work, job, &extent)
