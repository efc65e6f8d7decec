"""Every function gives the same bits with 1, 2, 3 and 7 threads, in every layout. Calls are cut as finely as may be."""

import functools
from pathlib import Path

import numpy as np
import pytest

import fastact
from fastact import backends

import results
from arrays import assert_same_bits
from passes import EVERY, REPRESENTATIVES, best_compiled, each, each_compiled, each_dtype

NUMBERS = (2, 3, 7)
N = 10_007
each_float = pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16], ids=lambda dtype: dtype.__name__)
pytestmark = pytest.mark.usefixtures("eager")


def same_with_all_numbers(call, note):
    """Fail unless a call, which returns its results, gives the same bits with each number of threads."""
    with fastact.num_threads(1):
        expected = call()
    for number in NUMBERS:
        with fastact.num_threads(number):
            assert_same_bits(call(), expected, f"{note}, {number} threads")


@each_compiled
@each_dtype
@np.errstate(all="ignore")
def test_every_function(implementation, dtype):
    """Elementwise functions, rows with masks, losses and steps, of rows along memory and across it, with special values."""
    for name, function, given, keywords in results.calls(implementation, dtype, ((61, 180), (180, 61))):
        same_with_all_numbers(functools.partial(function, *given, **keywords), f"{implementation} {name}")


LAYOUTS = {
    "contiguous": lambda x: x,
    "every second": lambda x: np.repeat(x, 2)[::2],
    "reversed": lambda x: x[::-1],
    "from the middle of a line": lambda x: np.concatenate([x[:5], x])[5:],
    "misaligned": lambda x: np.frombuffer(b"1" + x.tobytes(), np.uint8)[1:].view(x.dtype),
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
    "a big-endian copy": lambda x: x.astype(x.dtype.newbyteorder()),
}


@best_compiled
@each_float
@each(REPRESENTATIVES)
@np.errstate(all="ignore")
def test_layouts(implementation, one, dtype):
    """Operands in other layouts; outputs that are new, given, strided, or an operand; and a condition."""
    rng, function = np.random.default_rng(0), one.of(implementation)
    for name, arrange in LAYOUTS.items():
        operands = [arrange(rng.normal(0, 3, N).astype(dtype)) for _ in range(one.operands)]

        def outs(make):
            made = tuple(make() for _ in range(one.outputs))
            return made if one.outputs > 1 else made[0]

        def zeros():
            return np.zeros(N, dtype)

        def strided():
            return np.full(3 * N, 7, dtype)[1::3]

        same_with_all_numbers(lambda: function(*operands), name)  # noqa: B023
        same_with_all_numbers(lambda: function(*operands, out=outs(strided)), f"{name}, strided out")  # noqa: B023
        if one.direct:
            where = np.arange(N) % 4000 > 13
            same_with_all_numbers(lambda: function(*operands, out=outs(zeros), where=where), f"{name}, where")  # noqa: B023

        def in_place():
            changed = [operand.copy() for operand in operands]  # noqa: B023
            function(*changed, out=tuple(changed[: one.outputs]) if one.outputs > 1 else changed[0])
            return tuple(changed)

        same_with_all_numbers(in_place, f"{name}, in place")


@best_compiled
@each_float
def test_outputs_that_overlap_operands_otherwise(implementation, dtype):
    """An output one element further on, or the same memory backwards: NumPy copies the operand, or no part is computed apart."""
    functions = backends.load(implementation)
    memory = np.random.default_rng(0).normal(0, 3, N + 1).astype(dtype)

    def shifted(step):
        changed = memory.copy()
        functions.sigmoid(changed[:-1], out=changed[1:][::step])
        return changed

    same_with_all_numbers(lambda: shifted(1), "shifted")
    same_with_all_numbers(lambda: shifted(-1), "backwards")


@best_compiled
@each_dtype
def test_reduce_and_accumulate(implementation, dtype):
    """Methods of ufuncs, whose loops write where they read, give what calls one after the other give."""
    prelu = backends.evaluators_by_name(implementation)["prelu"]
    assert (prelu.nin, prelu.nout) == (2, 1)
    x = np.random.default_rng(0).uniform(0.5, 1.5, N).astype(dtype) * np.where(np.arange(N) % 2, 1, -1).astype(dtype)
    same_with_all_numbers(lambda: prelu.accumulate(x), "accumulate")
    same_with_all_numbers(lambda: prelu.reduce(x), "reduce")
    same_with_all_numbers(lambda: prelu.reduce(np.outer(x, x[:3])), "reduce over rows")
    same_with_all_numbers(lambda: prelu.reduceat(x, [0, 5000, 17]), "reduceat")
    same_with_all_numbers(lambda: prelu.outer(x, x[:2]), "outer")
    expected = x[0]
    for each_of_them in x[1:50]:
        expected = prelu(expected, each_of_them)
    assert prelu.accumulate(x)[49] == expected


@best_compiled
@each_float
@pytest.mark.parametrize("shape", [(1, N), (3, 1 << 13), (40, 300), (500, 20), (3000, 3), (7, 30, 11), (2, 3, 4, 50)], ids=str)
def test_rows(implementation, dtype, shape):
    """Rows of all lengths along each axis, with masks, limits and sinks, new and in place, forward and backward."""
    functions, rng = backends.load(implementation), np.random.default_rng(0)
    x, grad = (rng.normal(0, 4, shape).astype(dtype) for _ in range(2))
    masks = [rng.random(shape) > 0.3, rng.random(shape[-1]) > 0.3]
    options = [{}, {"mask": masks[0]}, {"mask": masks[1], "scale": 0.5}, {"causal": True}, {"causal": True, "mask": masks[0]}]
    for name in ("softmax", "log_softmax", "softmax_one"):
        forward, backward = getattr(functions, name), getattr(functions, f"{name}_backward")
        y = forward(x)
        for axis in range(len(shape)):
            for given in options if axis == len(shape) - 1 else options[:1]:
                same_with_all_numbers(lambda: forward(x, axis, **given), f"{name} {axis} {given}")  # noqa: B023
                same_with_all_numbers(lambda: backward(grad, x, axis, **given), f"{name}_backward {axis} {given}")  # noqa: B023
                same_with_all_numbers(lambda: backward(grad, y=y, axis=axis, **given), f"{name} from y {axis} {given}")  # noqa: B023
                same_with_all_numbers(lambda: (a := x.copy(), forward(a, axis, out=a, **given)), "in place")  # noqa: B023
    for given in {}, {"mask": masks[0]}, {"causal": True}:
        same_with_all_numbers(lambda: functions.logsumexp(x, **given), f"logsumexp {given}")  # noqa: B023
    for axis in range(len(shape)):
        if shape[axis] % 2 == 0:
            halved = functions.glu(x, axis)
            same_with_all_numbers(lambda: functions.glu(x, axis), f"glu {axis}")  # noqa: B023
            same_with_all_numbers(lambda: functions.glu_backward(halved, x, axis), f"glu_backward {axis}")  # noqa: B023


@best_compiled
@each_float
@pytest.mark.parametrize("shape", [(N, 3), (3000, 10), (100, 700), (5, 9000), (6, 2500, 4), (4, 3, 3000)], ids=str)
def test_losses_of_rows(implementation, dtype, shape):
    """The sums and means of losses too, along the first axis, the last one, and one between; with indices that do not count."""
    functions, rng = backends.load(implementation), np.random.default_rng(0)
    x = rng.normal(0, 4, shape).astype(dtype)
    for axis in range(len(shape)):
        rest = shape[:axis] + shape[axis + 1 :]
        target = rng.integers(0, shape[axis], rest)
        some = np.where(rng.random(rest) < 0.2, -100, target)
        for reduction in ("mean", "sum", "none"):
            for index, smoothing in ((target, 0.0), (some, 0.0), (target, 0.1)):
                given = {"axis": axis, "reduction": reduction, "label_smoothing": smoothing}
                grad = dtype(0.5) if reduction != "none" else np.full(rest, 0.5, dtype)
                note = f"{axis} {reduction} {smoothing}"
                same_with_all_numbers(lambda: functions.cross_entropy(x, index, **given), note)  # noqa: B023
                same_with_all_numbers(lambda: functions.cross_entropy_and_grad(x, index, **given), note)  # noqa: B023
                same_with_all_numbers(lambda: functions.cross_entropy_backward(grad, x, index, **given), note)  # noqa: B023


@best_compiled
@each_float
@pytest.mark.parametrize("shape", [(N,), (N, 3), (9, 5000), (200, 129)], ids=str)
def test_losses_of_elements(implementation, dtype, shape):
    """The sums and means of losses, whose weights are a number, or an array that repeats."""
    functions, rng = backends.load(implementation), np.random.default_rng(0)
    x, target = rng.normal(0, 4, shape).astype(dtype), rng.random(shape).astype(dtype)
    for reduction in ("mean", "sum", "none"):
        for weight in (None, 2.0, rng.random(shape[-1]).astype(dtype), rng.random(shape).astype(dtype)):
            for name in ("binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits_and_grad"):
                function, note = getattr(functions, name), f"{name} {reduction} {np.shape(weight)}"
                call = functools.partial(function, x, target, pos_weight=weight, reduction=reduction)
                same_with_all_numbers(call, note)
        call = functools.partial(functions.squared_error_and_grad, x, target, reduction=reduction)
        same_with_all_numbers(call, f"squared_error {reduction}")


@best_compiled
@each_dtype
def test_large_losses_whose_last_part_is_short(implementation, dtype):
    """Gradients that bypass the caches, and do not begin with a line: the last part ends before the first line of it does."""
    backward, n = backends.load(implementation).binary_cross_entropy_with_logits_backward, (6 << 20) + 3
    x, grad = np.random.default_rng(0).normal(0, 4, (2, n)).astype(dtype)
    target, room = (x > 0).astype(dtype), np.empty(n + 16, dtype)
    for offset in range(8):
        out = room[offset : offset + n]
        same_with_all_numbers(lambda: backward(grad, x, target, reduction="none", out=out).copy(), f"{offset}")  # noqa: B023


@best_compiled
def test_workers_take_part(implementation, eager):
    """The calls above do run on other threads: there are workers, and the system counts what they computed."""
    function = backends.load(implementation).gelu
    x = np.linspace(-4, 4, 1 << 20, dtype=np.float64)
    with fastact.num_threads(3):
        before = worker_time()
        for _ in range(20):
            function(x, out=x)
        assert eager.workers() >= 2
        if before is not None:
            assert worker_time() > before


def worker_time():
    """How long the workers of this process have computed, in clock ticks; None where the system does not say."""
    ticks = 0
    try:
        for task in Path("/proc/self/task").iterdir():
            if (task / "comm").read_text(encoding="ascii").strip() == "fastact":
                ticks += sum(map(int, (task / "schedstat").read_text(encoding="ascii").split()[:1]))
    except OSError:
        return None
    return ticks


def test_all_passes_are_tried():
    """results.calls has each pass of each activation."""
    names = {name for name, *_ in results.calls("numpy", np.float32, ((61, 180),))}
    assert {str(one) for one in EVERY} <= names
