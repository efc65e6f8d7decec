"""No call reads or writes outside its arrays, whatever other threads write into them, or gives other results if they overlap.

Calls that may crash are made by the programs beside this file, in a process of their own. So a crash is a failure
with a message. Run by hand, `fuzz.py` and `racing.py` can search for longer.
"""

import contextlib
import itertools
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastact
from fastact import backends
from fastact.declare import ACTIVATIONS

from arrays import assert_same_bits
from overlaps import Memory, full_size, reductions, separate
from passes import STEPS, best_compiled, each_backend, each_compiled, each_dtype, each_implementation

needs_mprotect = pytest.mark.skipif(sys.platform == "win32", reason="no mprotect")


def run(program, *arguments):
    """Run one of the programs beside this file. The test fails if the program fails, is ended by a signal, or hangs."""
    command = [sys.executable, str(Path(__file__).with_name(program)), *map(str, arguments)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    except subprocess.TimeoutExpired as error:
        pytest.fail(f"{' '.join(command)} hangs:\n{(error.stdout or b'')[-3000:]}")
    if done.returncode:
        how = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit status {done.returncode}"
        pytest.fail(f"{how} of {' '.join(command)}:\n{done.stdout[-6000:]}", pytrace=False)


@needs_mprotect
@each_implementation
def test_calls_between_guard_pages(implementation):
    """Random calls read and write nothing outside their arrays, and give what they give for copies."""
    run("fuzz.py", "--simd", implementation, "--calls", 200 if implementation == "numpy" else 600, "--seed", 1)


@each_compiled
def test_a_small_stack(implementation):
    """Every function runs in a thread of 128 KiB of stack."""
    run("small_stack.py", "--simd", implementation)


@needs_mprotect
@each_compiled
def test_indices_that_change_during_a_call(implementation):
    """While another process writes wild targets, calls end with a result or a refusal, and write nothing outside out=."""
    run("racing.py", "--simd", implementation, "--rounds", 2, "--what", "losses")


@needs_mprotect
@best_compiled
@pytest.mark.parametrize("what, rounds", [("rows", 2), ("restless", 10)])
def test_operands_that_change_during_a_call(implementation, what, rounds):
    """While another process writes wild values, calls end with a result or a refusal, and write nothing outside out=."""
    run("racing.py", "--simd", implementation, "--rounds", rounds, "--what", what)


@needs_mprotect
@each_backend
def test_arguments_that_change_other_arguments(implementation):
    """Arguments whose __array__, __index__ or __float__ changes the target or the logits' shape do no harm."""
    run("racing.py", "--simd", implementation, "--what", "objects")


def copied(value):
    """An argument, copied if it is an array, so that it overlaps nothing."""
    return value.copy() if isinstance(value, np.ndarray) else value


@each_implementation
@each_dtype
@pytest.mark.parametrize("cases", [reductions, full_size], ids=lambda cases: cases.__name__)
def test_out_that_overlaps_an_operand(implementation, dtype, cases):
    """If out= overlaps an operand, the result is that of copies, or the call is refused and does not change out=."""
    functions, wrong = backends.load(implementation), []
    for note, name, args, options in cases(dtype):
        function, out = getattr(functions, name), options["out"]
        outs = out if isinstance(out, tuple) else (out,)
        expected = function(*map(copied, args), **{key: copied(value) for key, value in options.items() if key != "out"})
        expected = expected if isinstance(expected, tuple) else (expected,)
        before = [array.copy() for array in outs]
        try:
            function(*args, **options)
        except ValueError as error:
            if any(one.tobytes() != other.tobytes() for one, other in zip(outs, before, strict=True)):
                wrong.append(f"{name}, {note}: out has changed, though it raised {error!r}")
            continue
        for got, right in zip(outs, expected[-len(outs) :], strict=True):
            # Bits may differ, because a copy may lie along memory where the operand lies across it.
            if not np.allclose(got, np.broadcast_to(right, got.shape), rtol=1e-4, atol=1e-5):
                wrong.append(f"{name}, {note}: {np.ravel(got)[-6:]}, of copies {np.broadcast_to(right, got.shape).ravel()[-6:]}")
    assert not wrong, "\n".join(wrong)


@each_implementation
@pytest.mark.parametrize("name", ["relu", "gelu", "softcap_backward", "swiglu_backward"])
def test_where_may_overlap_out(implementation, name):
    """A mask that is a view of the memory of out= counts as it was before the call."""
    inputs = [separate((40,), np.float32, k) for k in range(1 + name.endswith("backward") + name.startswith("swiglu"))]
    options = {"cap": 3.0} if name.startswith("softcap") else {}
    function, memory = getattr(backends.load(implementation), name), Memory(np.float32)
    out, mask = memory.array((40,)), memory.array((40,), 30, dtype=bool)
    outs = (out, np.zeros(40, np.float32)) if name.startswith("swiglu") else (out,)
    mask[...] = np.arange(40) % 3 == 0
    expected = function(*inputs, **options)
    expected = np.where(mask, expected[0] if len(outs) > 1 else expected, out)
    function(*inputs, **options, where=mask, out=outs)
    assert_same_bits(out, expected, name)


@each_implementation
@each_dtype
def test_axis_counts_in_the_operands(implementation, dtype):
    """axis= counts in the operands, even if out= has more dimensions. For matrices 1 is the last axis."""
    functions, x, grad = backends.load(implementation), separate((5, 5), dtype), separate((5, 5), dtype, 2)
    for name, options in itertools.product(("softmax", "log_softmax", "sparsemax", "hardmax"), ({}, {"scale": 0.5})):
        if options and "softmax" not in name:
            continue
        for axis in (0, 1):
            out = np.zeros((2, 5, 5), dtype)
            expected = getattr(functions, name)(x, axis=axis, **options)
            getattr(functions, name)(x, axis=axis, out=out, **options)
            np.testing.assert_allclose(out, np.broadcast_to(expected, out.shape), rtol=1e-5, err_msg=f"{name}, axis {axis}")
            if name == "hardmax":
                continue
            backward = getattr(functions, name + "_backward")
            expected = backward(grad, x, axis=axis, **options)
            backward(grad, x, axis=axis, out=out, **options)
            np.testing.assert_allclose(out, np.broadcast_to(expected, out.shape), 1e-3, 1e-6, err_msg=f"{name} backward, {axis}")


@each_implementation
def test_the_first_of_equal_entries_does_not_depend_on_memory(implementation):
    """Of equal largest entries hardmax takes the first in the order of the axes, whatever the order in memory is."""
    hardmax, x = backends.load(implementation).hardmax, np.zeros((2, 3, 2), np.float32)
    x[1, 0], x[0, 1] = 1, 1
    expected = hardmax(x, axis=(0, 1))
    for moved in itertools.permutations(range(3)):
        lies = np.ascontiguousarray(x.transpose(moved)).transpose(np.argsort(moved))
        assert_same_bits(hardmax(lies, axis=(0, 1)), expected, f"axes {moved}")
        assert_same_bits(hardmax(lies, axis=(1, 0)), hardmax(x, axis=(1, 0)), f"axes {moved}, the other way")


def refused():
    """Calls that are refused after some checks have passed, each with an out= that is filled with 7."""
    logits, target = separate((9000, 4), np.float32), np.zeros(9000, np.int64)
    target[-1] = 4  # the wrong index is in the second block of rows
    for kind, grad in (("_backward", (1.0,)), ("_and_grad", ())):
        for indices, options in ((target, {}), (target.astype(np.int32), {"reduction": "sum"})):
            yield "cross_entropy" + kind, (*grad, logits, indices), {"out": np.full_like(logits, 7), **options}
    yield "cross_entropy", (logits, target), {"out": np.full(9000, 7, np.float32), "reduction": "none"}
    for hard in (True, False):
        for dtype in (np.longdouble, np.int32):
            yield "gumbel_softmax", (logits,), {"rng": 1, "hard": hard, "out": np.full(logits.shape, 7, dtype)}
    yield "softmax", (logits,), {"out": np.full((9000, 5), 7, np.float32)}
    yield "prelu_backward", (logits, logits), {"weight": 0.25, "out": (np.full_like(logits, 7), np.full(3, 7, np.float32))}
    yield "glu_backward", (logits[:, :2], logits), {"out": np.full((9000, 5), 7, np.float32)}
    yield "glu_backward", (logits[:, :1], logits[:, :2]), {"out": np.full((9000, 4), 7, np.float32)}  # 1 would broadcast to 2
    yield "softmax", (logits,), {"scale": 2.0, "mask": np.ones((3, 3), bool), "out": np.full_like(logits, 7)}


@each_backend
def test_a_call_that_raises_leaves_out_alone(implementation):
    """A call that raises changes nothing in out=, however late it is refused."""
    for name, args, options in refused():
        out = options["out"]
        try:
            getattr(backends.load(implementation), name)(*args, **options)
        except (IndexError, ValueError, TypeError):
            for array in out if isinstance(out, tuple) else (out,):
                assert (array == 7).all(), f"{name} has written into out= before it raised"
        else:  # whether an out= of long double is refused depends on the call
            assert name == "gumbel_softmax" and out.dtype == np.longdouble, f"{name} {options} was not refused"


class ChangingShape:
    """An array-like that gives another shape each time it is asked."""

    looks = 0

    def __init__(self):
        self.count = 0

    @property
    def shape(self):
        """Another shape each time."""
        self.count += 1
        return (4, 4 + self.count % 3)

    @property
    def ndim(self):
        """1 and 2 in turn."""
        self.count += 1
        return 1 + self.count % 2

    def __len__(self):
        self.count += 1
        return 3 + self.count % 3

    def __array__(self, dtype=None, copy=None):
        self.count += 1
        ChangingShape.looks += 1
        return np.ones((4, 3 + self.count % 4), dtype or np.float32)


@each_backend
def test_arguments_that_change_their_shape_do_no_harm(implementation):
    """Array-likes whose shape differs each time are read without harm, or refused."""
    functions, x, needed = backends.load(implementation), np.ones((4, 4), np.float32), {}
    for name, activation in ACTIVATIONS.items():
        needed[name] = needed[name + "_backward"] = activation.usual
    for name, function in vars(functions).items():
        options, before = needed.get(name, {}), ChangingShape.looks
        for count, place in itertools.product((1, 2, 3), (0, 1, 2, *options, "y", "mask", "sink", "pos_weight", "out")):
            args = [ChangingShape() if place == k else x for k in range(count)]
            given = {**options, place: ChangingShape()} if isinstance(place, str) else options
            with contextlib.suppress(TypeError, ValueError, IndexError):
                function(*args, **given)
        assert name in STEPS or ChangingShape.looks > before, f"{name} was refused before it looked at an array"


@each_compiled
def test_labels_that_a_thread_fills_do_no_harm(implementation):
    """A thread may fill the labels while a loss runs, which does not hold the interpreter's lock."""
    run("racing.py", "--simd", implementation, "--what", "thread")


def test_programs_load_the_installed_package():
    """A program that starts in this folder imports the same fastact as the tests."""
    folder = Path(fastact.__file__).parent
    code = "import fastact; print(fastact.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).parent == folder
