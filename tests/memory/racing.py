"""Calls whose operands change while they run: `python tests/memory/racing.py --simd avx2`. A fault ends the program.

Another process shares the memory, and writes wild values into it all the time. It does what another thread could do, but does
not wait for the interpreter's lock. Whatever a call reads, it must end with a result or a refusal, and must write nothing
outside `out`: guard pages and known bytes around it show that. `--what objects` has arguments that change other arguments
when NumPy asks them for an array.
"""

import argparse
import contextlib
import faulthandler
import functools
import itertools
import os
import random
import signal
import sys
import threading
import warnings

import numpy as np

from fastact import backends
from fastact.declare import ACTIVATIONS, REQUIRED, ROWS

from guarded import FILLING, Region

REFUSALS = (IndexError, ValueError)
HANGS = 60  # seconds that one case may take
WILD_FLOATS = (np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-40, 1e5, -1e5, 0.0)

REGIONS = [Region(1 << 20) for _ in range(5)]


def wild_indices(n, dtype):
    """Indices out of range: by little, far enough to hit the guard pages, and the extremes of the dtype."""
    limits = np.iinfo(dtype)
    values = (n, n + 1, 3 * n + 1, 100 * n, 16000, 1 << 20, 1 << 31, 1 << 40, 1 << 62, limits.max, -1, -2, -3 * n, limits.min)
    return [value for value in values if limits.min <= value <= limits.max]


def write_for_ever(victims):
    """Make one entry at a time wild for a moment, and from time to time all entries."""
    rng, parent = random.Random(0), os.getppid()
    victims = [(array, array.copy(), wild) for array, wild in victims]
    for count in itertools.count():
        for array, sane, wild in victims:
            at = tuple(map(rng.randrange, array.shape))
            array[at] = rng.choice(wild)
            array[at] = sane[at]
            if count % 50 == 0:
                array[...] = rng.choice(wild)
                array[...] = sane
        if count % 1000 == 0 and os.getppid() != parent:
            os._exit(0)


@contextlib.contextmanager
def written(victims):
    """Another process writes into these arrays while the context lasts."""
    child = os.fork()
    if not child:
        try:
            write_for_ever(victims)
        finally:
            os._exit(1)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def race(name, function, victims, outs, rounds):
    """Make a call many times while another process writes into the victims. Return how often it was refused."""
    print(name, flush=True)
    refused = 0
    faulthandler.dump_traceback_later(HANGS, exit=True)
    with written(victims):
        for _ in range(rounds):
            try:
                function()
            except REFUSALS:
                refused += 1
            for region, out in outs:
                check(name, region, out)
    faulthandler.cancel_dump_traceback_later()
    return refused


def check(name, region, out):
    """End the program if bytes in the region of an out= have changed that are not its own."""
    image = region.bytes.copy()
    offset = out.ctypes.data - region.bytes.ctypes.data
    np.ndarray(out.shape, np.dtype((np.void, out.itemsize)), image, offset, out.strides)[...] = FILLED[out.itemsize]
    written = np.flatnonzero(image != FILLING)
    if written.size:
        sys.exit(f"{name}: {written.size} bytes outside out were written, first {written[0]}, out begins at {offset}")


FILLED = {size: np.frombuffer(bytes([FILLING]) * size, np.dtype((np.void, size)))[0] for size in (4, 8)}


def placed(k, values, layout="dense", at="end"):
    """An array with these values in region k, in one of the layouts."""
    REGIONS[k].bytes[...] = FILLING
    values = np.asarray(values)
    strides = {
        "dense": None,
        "Fortran": np.asfortranarray(values).strides,
        "strided": tuple(2 * step for step in np.ascontiguousarray(values).strides),
        "reversed": tuple(-step for step in np.ascontiguousarray(values).strides),
    }[layout]
    made = REGIONS[k].array(values.shape, values.dtype, strides, at)
    made[...] = values
    return made


def fresh(k, shape, dtype, layout="dense", at="end"):
    """Region k, and an out= in it between bytes of known value."""
    made = placed(k, np.zeros(shape, dtype), layout, at)
    REGIONS[k].bytes[...] = FILLING
    return REGIONS[k], made


def losses(functions):
    """Calls of the functions of cross_entropy whose targets change, for shapes that use each of their algorithms."""
    rng = np.random.default_rng(0)
    shapes = {(400, 10): -1, (40, 200): -1, (3, 3000): -1, (33, 300): 0, (300, 20): 0, (5, 12, 9): 1, (60, 127): 1}
    ways = (
        (np.int64, "dense", {}),
        (np.int64, "dense", {"reduction": "sum", "ignore_index": 0}),
        (np.int64, "strided", {"reduction": "none", "label_smoothing": 0.1}),
        (np.int32, "dense", {"reduction": "none"}),
        (np.uint8, "reversed", {"ignore_index": 255}),
    )
    layouts = ("dense", "Fortran", "strided")
    for (shape, axis), dtype, layout in itertools.product(shapes.items(), (np.float32, np.float64), layouts):
        n, batch = shape[axis], tuple(np.delete(shape, axis))
        for kind, (letter, target_layout, options) in itertools.product(("", "_backward", "_and_grad"), ways):
            if rng.random() > 0.35:
                continue  # all combinations would take too long, so about one in three is chosen
            logits = placed(0, rng.normal(0, 3, shape).astype(dtype), layout, rng.choice(["start", "end"]))
            target = placed(1, rng.integers(0, min(n, 200), batch).astype(letter), target_layout)
            options = {"axis": axis, **options}
            outs = [fresh(2, shape, dtype, layout, rng.choice(["start", "end"]))] if kind else []
            if outs:
                options["out"] = outs[0][1]
            grad = () if kind != "_backward" else (1.0,)
            if options.get("reduction") == "none":
                outs += [fresh(3, batch, dtype)] if kind != "_backward" else []
                grad = grad and (rng.normal(size=batch).astype(dtype),)
                options["out"] = tuple(out for _, out in outs[::-1]) if len(outs) > 1 else outs[0][1]
            function = getattr(functions, "cross_entropy" + kind)
            facts = shape, str(np.dtype(dtype)), layout, str(np.dtype(letter)), target_layout, sorted(options)
            call = functools.partial(function, *grad, logits, target, **options)
            yield f"cross_entropy{kind} {facts}", call, [(target, wild_indices(n, letter))], outs


def streamed(functions):
    """Calls whose targets change, with gradients so large that they are written past the caches."""
    rng = np.random.default_rng(3)
    regions = [Region(size) for size in (1 << 25, 1 << 25, 1 << 22)]
    shapes = ((450000, 10), -1), ((64, 70000), 0), ((60000, 75), -1)
    for (shape, axis), kind in itertools.product(shapes, ("_backward", "_and_grad")):
        for region in regions:
            region.bytes[...] = FILLING
        logits, out = (region.array(shape, np.float32) for region in regions[:2])
        logits[...] = rng.normal(0, 3, shape)
        target = regions[2].array(tuple(np.delete(shape, axis)), np.int64)
        target[...] = rng.integers(0, shape[axis], target.shape)
        given = [1.0] * (kind == "_backward")
        call = functools.partial(getattr(functions, "cross_entropy" + kind), *given, logits, target, axis=axis, out=out)
        yield f"cross_entropy{kind} {shape}", call, [(target, wild_indices(shape[axis], np.int64))], [(regions[1], out)]


def rows(functions):
    """Calls of functions along an axis whose arrays, masks and sinks change."""
    rng = np.random.default_rng(1)
    layouts = [((*shape,), -1, "dense") for shape in ((40, 10), (9, 200), (2, 3000))]
    layouts += [((70, 40), 0, "dense"), ((9, 30), -1, "strided")]
    for name, row in ROWS.items():
        for (shape, axis, layout), dtype in itertools.product(layouts, (np.float32, np.float64)):
            x, grad = (placed(k, rng.normal(0, 3, shape).astype(dtype), layout) for k in (0, 1))
            victims, options = [(x, WILD_FLOATS), (grad, WILD_FLOATS)], {"axis": axis}
            out = fresh(2, shape, dtype, layout)
            settings = [{}]
            if "mask" in row.by_name:
                mask = placed(3, rng.random(shape) < 0.8)
                victims.append((mask.view(np.uint8), (0, 1, 2, 255)))
                settings.append({"mask": mask})
            if "sink" in row.by_name:
                sink = placed(4, np.zeros(np.delete(shape, axis)))
                victims.append((sink, WILD_FLOATS))
                settings[-1] |= {"sink": sink, "scale": 0.5}
            for given in settings:
                options = {"axis": axis, **given}
                label = f"{name} {shape} {axis} {np.dtype(dtype)} {layout} {sorted(given)}"
                forward = getattr(functions, name)
                if row.reduces:
                    yield label, functools.partial(forward, x, **options), victims, []
                else:
                    yield label, functools.partial(forward, x, out=out[1], **options), victims, [out]
                    yield label + " in place", functools.partial(forward, x, out=x, **options), victims, []
                if not row.slope:
                    continue
                backward, first = getattr(functions, name + "_backward"), grad if not row.reduces else grad.take(0, axis)
                yield label + " backward", functools.partial(backward, first, x, out=out[1], **options), victims, [out]
                if not row.reduces:
                    yield label + " from output", functools.partial(backward, first, y=x, out=out[1], **options), victims, [out]


def elements(functions):
    """Calls of elementwise functions whose arrays change."""
    rng = np.random.default_rng(2)
    for activation, dtype in itertools.product(ACTIVATIONS.values(), (np.float32, np.float64)):
        if not activation.public:
            continue
        shape, count = (4, 300), 1 if activation.halves else len(activation.operands)
        arrays = [placed(k, rng.normal(0, 3, shape).astype(dtype)) for k in range(count)]
        usual = {name: value for name, value in activation.usual.items() if activation.parameters[name] is REQUIRED}
        half = (4, 150) if activation.halves else shape
        out = fresh(4, half, dtype)
        victims = [(array, WILD_FLOATS) for array in arrays]
        forward, backward = (getattr(functions, activation.name + suffix) for suffix in ("", "_backward"))
        yield activation.name, functools.partial(forward, *arrays, **usual, out=out[1]), victims, [out]
        grad = placed(3, rng.normal(0, 3, half).astype(dtype))
        victims = [*victims, (grad, WILD_FLOATS)]
        yield activation.name + " backward", functools.partial(backward, grad, *arrays, **usual), victims, []


def restless(functions):
    """Calls on a row that is replaced by another one all the time. A loop that repeats until nothing changes must end."""
    for dtype, name in itertools.product((np.float32, np.float64), ("sparsemax", "entmax15", "hardmax", "softmax", "logsumexp")):
        x = placed(0, np.linspace(-1, 0, 30000).astype(dtype))
        wild = [np.linspace(low, high, 30000).astype(dtype) for low, high in ((-1e-4, 0), (-2, 0), (-1e-2, 1), (0, 1e30))]
        yield f"{name}, restless {np.dtype(dtype)}", functools.partial(getattr(functions, name), x), [(x, wild)] * 2, []


def fill_labels(functions):
    """Call losses while a thread fills the labels with valid and wild ones, as a data loader might.

    Return how many calls were made, and how many were refused.
    """
    rng, sane = np.random.default_rng(0), np.zeros(20000, np.int64)
    logits, target = placed(0, rng.normal(size=(20000, 3)).astype(np.float32)), placed(1, sane)
    stop = threading.Event()

    def load():
        while not stop.is_set():
            target.fill(16000)
            target.fill(0)

    sys.setswitchinterval(1e-6)
    loader, refused = threading.Thread(target=load), 0
    loader.start()
    try:
        for _ in range(300):
            for function, options in (
                (functions.cross_entropy, {}),
                (functions.cross_entropy, {"reduction": "sum"}),
                (functions.cross_entropy_and_grad, {}),
                (functools.partial(functions.cross_entropy_backward, 1.0), {}),
            ):
                try:
                    function(logits, target, **options)
                except IndexError:
                    refused += 1
    finally:
        stop.set()
        loader.join()
    return 1200, refused


class Changing:
    """An argument that changes another array when NumPy or Python asks it for its value."""

    def __init__(self, value, change):
        self.value, self.change = value, change

    def __array__(self, dtype=None, copy=None):
        self.change()
        return np.asarray(self.value, dtype)

    def __index__(self):
        self.change()
        return self.value

    def __float__(self):
        self.change()
        return float(self.value)


def objects(functions):
    """Calls with arguments that change the target, or the shape of the logits, when their value is asked for."""
    rng = np.random.default_rng(0)
    for shape, axis, dtype in itertools.product(((400, 10), (40, 200), (3, 3000)), (-1, 0), (np.float32, np.float64)):
        n, batch = shape[axis], tuple(np.delete(shape, axis))
        for wild, reduction in itertools.product((n, n + 2, 16000, 1 << 40, -7), ("mean", "sum", "none")):
            logits = placed(0, rng.normal(0, 3, shape).astype(dtype))
            target, out = placed(1, rng.integers(0, n, batch)), fresh(2, shape, dtype)
            change = functools.partial(target.fill, wild)
            grad = Changing(np.ones(batch, dtype) if reduction == "none" else 0.5, change)
            name = f"{shape} axis {axis} {np.dtype(dtype)} {reduction}, target becomes {wild}"
            options = {"axis": axis, "reduction": reduction}
            call = functools.partial(functions.cross_entropy_backward, grad, logits, target, out=out[1], **options)
            yield f"grad of cross_entropy_backward {name}", call, target, [out]
            for kind in ("cross_entropy", "cross_entropy_and_grad"):
                for given in ({"ignore_index": Changing(-100, change)}, {"label_smoothing": Changing(0.25, change)}):
                    call = functools.partial(getattr(functions, kind), logits, target, **options, **given)
                    yield f"{', '.join(given)} of {kind} {name}", call, target, []
    for kind, given in (("_backward", None), ("", "ignore_index"), ("_and_grad", "ignore_index"), ("", "label_smoothing")):
        logits, target = placed(0, rng.normal(0, 3, (1, 100))), placed(1, np.array([99]))

        def change(logits=logits):
            logits.shape = (10, 10)

        options = {given: Changing(-100 if given == "ignore_index" else 0.25, change)} if given else {}
        grad = () if given else (Changing(1.0, change),)
        call = functools.partial(getattr(functions, "cross_entropy" + kind), *grad, logits, target, **options)
        yield f"{given or 'grad'} of cross_entropy{kind}, logits become 10 x 10", call, target, []


def main():
    """Parse the command line, and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simd", default=backends.available()[0], choices=backends.available())
    parser.add_argument("--rounds", type=int, default=20)
    races = ["losses", "streamed", "rows", "elements", "restless"]
    parser.add_argument("--what", nargs="*", default=races, help=f"{', '.join(races)}; or objects; or thread")
    options = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    functions, calls, refused = backends.load(options.simd), 0, 0
    if options.what == ["objects"]:
        for name, call, target, outs in objects(functions):
            print(name, flush=True)
            before = target.copy()
            try:
                call()
            except REFUSALS:
                refused += 1
            target[...] = before
            calls += 1
            for region, out in outs:
                check(name, region, out)
    elif options.what == ["thread"]:
        calls, refused = fill_labels(functions)
    else:
        for case in itertools.chain.from_iterable(globals()[family](functions) for family in options.what):
            refused += race(*case, options.rounds)
            calls += options.rounds
    print(f"{options.simd}: {calls} calls, {refused} refused")


if __name__ == "__main__":
    main()
