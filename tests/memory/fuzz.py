"""Random calls of every public function between guard pages: `python tests/memory/fuzz.py --simd avx2 --calls 200000 --seed 0`.

A call must give what it gives for contiguous copies of its arrays. It must write nothing but `out`, and not even that if it
raises. A worker process makes the calls. If the worker dies or hangs, the program names the call, and another worker goes on
with the next one. `--only N` makes one call again.
"""

import argparse
import collections
import contextlib
import faulthandler
import mmap
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings

import numpy as np

from fastact import backends

from fuzz_arrays import Array
from fuzz_cases import Maker
from guarded import Region

SIZES = (1 << 12, 1 << 16, 1 << 21, 9 << 22, 1 << 27)
REFUSALS = (TypeError, ValueError, IndexError)
LARGEST_MARGIN = 256  # how many bytes beside the arrays of a large region are compared
HANGS = 120  # seconds after which a worker counts as hanging


class Memory:
    """The regions by slot and size. Each is made when it is first needed."""

    def __init__(self):
        self.regions = {}

    def region(self, slot, size):
        """The smallest region of a slot that has at least `size` bytes."""
        size = next(each for each in SIZES if size <= each)
        if (slot, size) not in self.regions:
            self.regions[slot, size] = Region(size)
        return self.regions[slot, size]


def windows(case, memory):
    """By slot, each region that a call uses, and the part of it that is compared."""
    every, found = [*case.inputs, *case.outs], {}
    for slot in {array.slot for array in every}:
        room = max(array.bytes for array in every if array.slot == slot)
        region, found_at = memory.region(slot, room), slice(None)
        if region.size > SIZES[1]:
            room = min(room + LARGEST_MARGIN, region.size)
            ends = {array.at for array in every if array.slot == slot}
            found_at = slice(None) if len(ends) > 1 else slice(room) if ends == {"start"} else slice(region.size - room, None)
        found[slot] = region, found_at
    return found


def with_arrays(value, places):
    """An argument in which `places` replaces each description of an array by an array."""
    if isinstance(value, tuple):
        return tuple(with_arrays(one, places) for one in value)
    return places.get(value, value) if isinstance(value, Array) else value


def call(function, case, places, without=()):
    """The result and None, or None and the exception."""
    args = [with_arrays(value, places) for value in case.args]
    kwargs = {name: with_arrays(value, places) for name, value in case.kwargs.items() if name not in without}
    if case.name.endswith("_backward") and "y" in kwargs and case.name not in ("gumbel_softmax_backward",):
        args.append(None)
    try:
        return function(*args, **kwargs), None
    except Exception as error:
        return None, error


def differences(got, expected, size, exactly):
    """What is wrong with a result, or None. Errors may be some roundings of `size`, or of the entry if it is larger."""
    if got.shape != expected.shape:
        return f"shape {got.shape}, expected {expected.shape}"
    if exactly:
        wrong = (got != expected) | (np.signbit(got) != np.signbit(expected)) if got.dtype.kind == "f" else got != expected
        wrong &= ~(np.isnan(got) & np.isnan(expected)) if got.dtype.kind == "f" else True
    elif got.dtype.kind != "f":
        wrong = got != expected
    else:
        kept = expected.dtype
        expected = expected if np.can_cast(expected.dtype, got.dtype) else expected.astype(got.dtype)
        finite, unit = np.isfinite(expected), max(map(np.finfo, (got.dtype, kept)), key=lambda each: each.eps)
        size = np.maximum(size, np.where(finite, np.abs(expected.astype(np.float64)), 0))
        far = np.abs(got.astype(np.float64) - expected.astype(np.float64)) > 32 * float(unit.eps) * size + float(unit.tiny)
        wrong = np.where(finite, far | ~np.isfinite(got), ~((got == expected) | (np.isnan(got) & np.isnan(expected))))
    if not wrong.any():
        return None
    at = tuple(map(int, np.argwhere(wrong)[0]))
    return f"{int(wrong.sum())} of {wrong.size} differ, first at {at}: {got[at]!r}, with copies {expected[at]!r}"


def array_size(array):
    """The size that sums over the rows of an array may have."""
    array = np.asarray(array)
    return np.abs(array[np.isfinite(array)]).max(initial=0).astype(np.float64) * max((1, *array.shape)) ** 0.5


def is_along(case, places, result):
    """Whether all arrays have one dtype, are aligned, and have rows along memory, a mask too. Then copies give the same bits."""
    arrays = [result, *(places[a] for a in (*case.args, case.kwargs.get("y")) if isinstance(a, Array))]
    mask = case.kwargs.get("mask")
    if isinstance(mask, Array) and places[mask].ndim and places[mask].strides[-1] not in (0, 1):
        return False
    return len({(array.dtype, array.shape) for array in arrays}) == 1 and all(
        array.flags.aligned
        and array.dtype.isnative
        and array.dtype.itemsize in (2, 4, 8)
        and array.dtype.kind == "f"
        and (array.strides[-1] == array.itemsize or array.shape[-1] == 1)
        for array in arrays
    )


def compare(case, places, result, expected, before):
    """What is wrong with the results of a call, or None."""
    results, wanted = (value if isinstance(value, tuple) else (value,) for value in (result, expected))
    if len(results) != len(wanted):
        return f"{len(results)} results, with copies {len(wanted)}"
    outs = [places[out] for out in case.outs]
    sizes = [array_size(array) for array in case.first_arguments(before)] if case.scaled else [0]
    outs = [None, *outs] if outs and case.single else outs or [None] * len(results)
    for k, (value, other, out) in enumerate(zip(results, wanted, outs, strict=True)):
        if out is not None and value is not out:
            return f"result {k} is not out"
        got, other = np.array(value, order="C"), np.asarray(other)
        dtype = got.dtype.newbyteorder("=")
        if out is None and got.dtype != other.dtype:
            return f"result {k} of {got.dtype}, with copies {other.dtype}"
        if case.valid is None or case.where:  # out= may have more rows than the operands, and then repeats the result
            try:
                other = np.broadcast_to(other, got.shape)
            except ValueError:
                return f"result {k} of shape {got.shape}, with copies {other.shape}"
        other = np.array(other, order="C")
        if case.where:
            mask = np.broadcast_to(np.asarray(before[case.kwargs["where"]]), got.shape)
            other = np.where(mask, other.astype(dtype), got if out is None else before[case.outs[k]]).astype(dtype)
        exactly = case.exact is True or (case.exact == "rows" and is_along(case, places, value))
        if problem := differences(got.astype(dtype, copy=False), other.astype(dtype) if exactly else other, max(sizes), exactly):
            return f"result {k}: {problem}"
    return None


def run(functions, case, memory, counts):
    """Make one call. Return what is wrong, or None."""
    function, found = getattr(functions, case.name), windows(case, memory)
    for region, part in found.values():
        region.bytes[part] = 0xC3
    places = {array: array.view(found[array.slot][0]) for array in (*case.inputs, *case.outs)}
    for array in case.inputs:
        array.fill(places[array])
    before = {array: place.copy() for array, place in places.items()}
    images = {slot: region.bytes[part].copy() for slot, (region, part) in found.items()}
    result, error = call(function, case, places)
    if error is None:
        for array in case.outs:
            region, part = found[array.slot]
            array.view(region, images[array.slot], part.start or 0)[...] = places[array]
    for slot, (region, part) in found.items():
        changed = region.bytes[part] != images[slot]
        if changed.any():
            what = f"though it raised {error!r}" if error else "that are not of out"
            first = int(np.argmax(changed)) + (part.start or 0)
            return f"{int(changed.sum())} bytes of region {slot} changed {what}, the first is {first}"
    expected, refusal = call(function, case, before, without=("out", "where"))
    if error is not None:
        kind = next((kind for kind in REFUSALS if isinstance(error, kind)), None)
        if kind is None:
            return f"raised {error!r}\n{''.join(traceback.format_exception(error))}"
        counts[kind.__name__] += 1
        if case.valid and (refusal is None or type(refusal) is not type(error)):
            return f"raised {error!r}, with copies {refusal!r}"
        return None
    counts["results"] += 1
    if refusal is not None:
        return f"with copies it raised {refusal!r}"
    return None if case.exact is None else compare(case, places, result, expected, before)


def work(options, start, ring):
    """Make the calls from `start` on. The number of each call is written to the ring first, for the watching process."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    functions, memory, counts = backends.load(options.simd), Memory(), collections.Counter()
    numbers = [options.only] if options.only is not None else range(start, options.calls)
    for number in numbers:
        ring[:8] = number.to_bytes(8, "little")
        case = Maker(options.seed, number).make()
        if options.only is not None:
            print(case.text, flush=True)
        counts["calls"] += 1
        problem = run(functions, case, memory, counts)
        if problem:
            counts["faults"] += 1
            print(f"FAULT {options.simd} --seed {options.seed} --only {number}: {problem}\n    {case.text}", flush=True)
        ring[8:] = b"".join(counts[name].to_bytes(8, "little") for name in KEPT)
    return counts


KEPT = ("calls", "results", "faults", *(kind.__name__ for kind in REFUSALS))


def watch(options, arguments):
    """Run workers until all calls are made. A worker that dies or hangs counts as a fault."""
    total, start = collections.Counter(), 0
    with tempfile.TemporaryFile() as file:
        file.truncate(8 * (1 + len(KEPT)))
        ring = mmap.mmap(file.fileno(), 0)
        while start < options.calls:
            ring[:] = bytes(len(ring))
            command = [sys.executable, __file__, *arguments, "--worker", str(file.fileno()), "--start", str(start)]
            process = subprocess.Popen(command, pass_fds=[file.fileno()])
            seen, since = None, time.monotonic()
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(1)
                if ring[:8] != seen:
                    seen, since = ring[:8], time.monotonic()
                elif time.monotonic() - since > HANGS:
                    process.kill()
            number, *kept = (int.from_bytes(ring[8 * k : 8 * k + 8], "little") for k in range(1 + len(KEPT)))
            total.update(dict(zip(KEPT, kept, strict=True)))
            if process.returncode == 0:
                break
            if process.returncode > 0:
                sys.exit(f"the worker failed at {number}")
            why = signal.Signals(-process.returncode).name if process.returncode < 0 else f"exit status {process.returncode}"
            print(f"FAULT {options.simd} --seed {options.seed} --only {number}: the worker ended by {why}", flush=True)
            print(f"    {Maker(options.seed, number).make().text}", flush=True)
            total.update(calls=1, faults=1)
            start = number + 1
    print(f"{options.simd}, seed {options.seed}: " + ", ".join(f"{total[name]:,} {name}" for name in KEPT if total[name]))
    return total["faults"]


def main():
    """Parse the command line, and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simd", default=backends.available()[0], choices=backends.available())
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of one call, to be made again")
    parser.add_argument("--start", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        work(options, options.start, mmap.mmap(options.worker, 0))
    elif options.only is not None:
        sys.exit(bool(work(options, 0, bytearray(8 * (1 + len(KEPT))))["faults"]))
    else:
        sys.exit(bool(watch(options, sys.argv[1:])))


if __name__ == "__main__":
    main()
