"""A fair clock: contestants take turns in one process."""

import gc
import itertools
import time

# A measurement lasts at least this many ns. Below, the first call, whose data the other contestant has just driven out
# of the cache, would count: at 256 Ki elements with a fifth of this it is one call in four.
SHORTEST = 1_000_000


def measure(calls, seconds, rounds=3):
    """The best of each call's times: on a shared machine the best is what repeats. Arguments as for `repeated`."""
    return {label: min(times) for label, times in repeated(calls, seconds, rounds).items()}


def repeated(calls, seconds, rounds=3):
    """Time `calls` in turn, round after round, so that a slow second hits all of them.

    Parameters
    ----------
    calls : dict
        Callables without arguments, by label.
    seconds : float
        Start no round after this time,
    rounds : int
        but make at least so many.

    Returns
    -------
    dict
        Lists of nanoseconds per call, one for each round, by label.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
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
    """How many repetitions last `SHORTEST`; also warms up what `call` touches."""
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
