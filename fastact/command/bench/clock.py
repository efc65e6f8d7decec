"""A fair clock: contestants take turns in one process."""

import gc
import itertools
import time

from ...threads import num_threads

# A measurement lasts at least this many ns. The other contestants drive the data out of the cache, so that the first call is
# slower than the next ones. In a shorter measurement it would count too much.
SHORTEST = 1_000_000


def measure(calls, seconds, rounds=3):
    """The best time of each call, since on a shared machine only the best repeats. Arguments are those of `repeated`."""
    return {label: min(times) for label, times in repeated(calls, seconds, rounds).items()}


def repeated(calls, seconds, rounds=3, threads=1):
    """Time `calls` in turn, round after round, so that a slow second hits all of them.

    Parameters
    ----------
    calls : dict
        Callables without arguments, by label.
    seconds : float
        Start no round after this time,
    rounds : int
        but make at least so many.
    threads : int
        How many our calls may take.

    Returns
    -------
    dict
        Lists of nanoseconds per call, one for each round, by label.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with num_threads(threads):
            repetitions = {label: enough(call) for label, call in calls.items()}
            times: dict[str, list[float]] = {label: [] for label in calls}
            end = time.perf_counter() + seconds
            while rounds > 0 or time.perf_counter() < end:
                rounds -= 1
                for label, call in calls.items():
                    times[label].append(elapsed(call, repetitions[label]) / repetitions[label])
    finally:
        if collecting:
            gc.enable()
    return times


def enough(call):
    """How many repetitions last `SHORTEST`. This also warms up the caches."""
    call()
    repetitions = 1
    while elapsed(call, repetitions) < SHORTEST:
        repetitions *= 2
    return repetitions


def elapsed(call, repetitions):
    """Nanoseconds for so many calls."""
    turns = itertools.repeat(None, repetitions)
    start = time.perf_counter_ns()
    for _ in turns:
        call()
    return time.perf_counter_ns() - start
