"""Calls along an axis refuse wrong arguments, and need no extra memory of the size of their arrays."""

import inspect
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from fastact import backends
from fastact import declare as row_table

import arrays
from arrays import refused
from passes import best_compiled, each_backend

BY_NAME = [(name, key) for name, row in row_table.ROWS.items() for key in row.by_name]
SCALED = [name for name, row in row_table.ROWS.items() if "scale" in row.by_name]
MASKED = [name for name, row in row_table.ROWS.items() if "mask" in row.by_name]


def passes(implementation, name, shape=(4, 3)):
    """The function and its backward pass, each with its operands, of which x is the last, and an out=."""
    of, row = backends.load(implementation), row_table.ROWS[name]
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(shape)
    grad = x[..., 0].copy() if row.reduces else x.copy()
    return (getattr(of, name), [x], grad.copy()), (getattr(of, name + "_backward"), [grad, x], x.copy())


@each_backend
@pytest.mark.parametrize("name", SCALED)
def test_scale_must_be_one_finite_number(implementation, name):
    """scale= must be one real, finite number."""
    for function, given, out in passes(implementation, name):
        label = function.__name__
        for wrong in ("1", None, 1j, np.ones(3), [1.0], True, object()):
            refused(TypeError, rf"{label}\(\) argument scale must be a real number, not", function, *given, scale=wrong, out=out)
        for wrong in (np.nan, np.inf, -np.inf, 10**400):
            refused(ValueError, rf"{label}\(\) argument scale must be finite, got", function, *given, scale=wrong, out=out)
        for right in (2, np.float32(2), np.int8(2), np.array(2.0)):
            arrays.assert_same_bits(function(*given, scale=right), function(*given, scale=2.0), "scale")


@each_backend
@pytest.mark.parametrize("name", MASKED)
def test_masks_must_be_boolean_and_broadcast(implementation, name):
    """mask= must be boolean and broadcast against x. causal= must be True or False, and needs the last of two or more axes."""
    for function, given, out in passes(implementation, name):
        label = function.__name__
        for wrong in (np.ones((4, 3)), np.ones(3, int), [0, 1, 1], 1, "mask", 0.5):
            refused(TypeError, rf"{label}\(\) argument mask must be boolean", function, *given, mask=wrong, out=out)
        for shape in ((4,), (3, 4), (2, 4, 3), (5, 3)):
            message = rf"{label}\(\) needs a mask that broadcasts against x: shapes \({shape[0]},.*\) and \(4, 3\)"
            refused(ValueError, message, function, *given, mask=np.ones(shape, bool), out=out)
        for wrong in (1, None, "yes", np.ones(3, bool)):
            refused(TypeError, rf"{label}\(\) argument causal must be True or False", function, *given, causal=wrong, out=out)
        message = rf"{label}\(\) with causal=True needs two dimensions or more and the last axis, got shape"
        vector = [values[0] for values in given]
        refused(ValueError, message, function, *vector, causal=True)
        if not row_table.ROWS[name].reduces:
            refused(ValueError, message, function, *given, axis=0, causal=True, out=out)
            refused(ValueError, message, function, *given, axis=(0, 1), causal=True, out=out)
        listed = function(*given, mask=[True, False, True])
        arrays.assert_same_bits(listed, function(*given, mask=np.array([1, 0, 1], bool)), "list")
        refused(TypeError, "unexpected keyword argument 'slant'", function, *given, mask=True, slant=1, out=out)


@each_backend
def test_sinks_must_be_real_and_broadcast(implementation):
    """sink= must be real, not NaN or +inf, and broadcast against the rows."""
    for function, given, out in passes(implementation, "softmax_one"):
        label = function.__name__
        for wrong in ("0", None, 1j, [None], np.array(["a"])):
            message = rf"{label}\(\) argument sink must be a real number or an array of real numbers"
            refused(TypeError, message, function, *given, sink=wrong, out=out)
        for wrong in (np.nan, np.inf, np.array([0, np.inf, 0, 0])):
            refused(ValueError, rf"{label}\(\) argument sink must be finite, or -inf", function, *given, sink=wrong, out=out)
        for shape in ((3,), (4, 3), (2, 4)):
            message = rf"{label}\(\) needs a sink that broadcasts against the shape of x without the axis: shapes .* and \(4,\)"
            refused(ValueError, message, function, *given, sink=np.zeros(shape), out=out)


@each_backend
@pytest.mark.parametrize("name", [name for name, row in row_table.ROWS.items() if row.slope])
def test_wrong_axes_are_refused(implementation, name):
    """Axes that repeat, are out of range or of a wrong kind are refused. Several axes raise the errors of one."""
    reduces = row_table.ROWS[name].reduces
    for function, given, out in passes(implementation, name):
        kinds = "an integer, a tuple of them or None"
        for wrong in ((0, 1.0), (None,), [0], (True,), ((0,),)):
            refused(TypeError, f"argument axis must be {kinds}, not", function, *given, axis=wrong, out=out)
        refused(ValueError, "repeated axis", function, *given, axis=(0, -2), out=out)
        refused(np.exceptions.AxisError, "axis 2 is out of bounds", function, *given, axis=(0, 2), out=out)
        if reduces:
            for wrong in (1, None, "yes"):
                refused(TypeError, "argument keepdims must be True or False", function, *given, keepdims=wrong, out=out)
            continue
        refused(ValueError, "output operand", function, *given, axis=(0, 1), out=np.ones((3, 4), np.float32))
        refused(TypeError, "return arrays must be of ArrayType", function, *given, axis=(0, 1), out=[1.0])
        refused(TypeError, "Cannot cast", function, *given, axis=(0, 1), out=np.ones((4, 3), int))
        refused(ValueError, "exactly one entry", function, *given, axis=(0, 1), out=(out, out))
        fixed = out.copy()
        fixed.flags.writeable = False
        refused(ValueError, "read-only", function, *given, axis=(0, 1), out=fixed)
        if len(given) == 2:
            refused(ValueError, "core dimension", function, given[0][:1], given[1], axis=(0, 1))


@each_backend
def test_shapes_of_the_gradient_of_logsumexp(implementation):
    """The gradient must have the shape of the result, with or without the axis as keepdims says."""
    backward, x = backends.load(implementation).logsumexp_backward, np.ones((4, 3), np.float32)
    refused(ValueError, "broadcast|match", backward, np.ones(3), x, out=x.copy())
    refused(ValueError, r"with keepdims needs grad of shape \(4, 1\), got \(4, 3\)", backward, np.ones((4, 3)), x, -1, True)
    refused(ValueError, "[Oo]utput", backward, np.ones(4), x, out=np.ones((3, 4), np.float32))
    function = backends.load(implementation).logsumexp
    for keepdims, wrong in ((False, (4, 1)), (False, (3,)), (True, (4,)), (True, (1, 3))):
        refused(ValueError, "output|broadcast", function, x, -1, keepdims, out=np.ones(wrong, np.float32))
    refused(TypeError, "multiple values for argument 'keepdims'", function, x, -1, True, keepdims=True)


def in_place(of, dtype, rows, columns):
    """Calls, by name, that need no extra array. The closures of the calls hold their operands."""
    x, grad = np.zeros((rows, columns), dtype), np.ones((rows, columns), dtype)
    mask, target = np.arange(columns) % 3 > 0, np.zeros(rows, np.int64)
    one_a_row = np.ones(rows, dtype)
    generator = np.random.default_rng(0)  # made before memory is counted, because it imports numpy.random
    calls = {
        "mask": lambda: of.softmax(x, mask=mask, out=x),
        "causal": lambda: of.softmax(x, causal=True, out=x),
        "scale, axis 0": lambda: of.log_softmax(x, axis=0, scale=0.5, out=x),
        "several axes": lambda: of.softmax(x, axis=(0, 1), out=x),
        "sink": lambda: of.softmax_one(x, out=x),
        "sparsemax": lambda: of.sparsemax(x, out=x),
        "entmax15, axis 0": lambda: of.entmax15(x, axis=0, out=x),
        "hardmax": lambda: of.hardmax(x, out=x),
        "gumbel_softmax": lambda: of.gumbel_softmax(x, rng=generator, out=x),
        "backward": lambda: of.softmax_backward(grad, y=x, mask=mask, scale=0.5, out=grad),
        "backward from x": lambda: of.log_softmax_backward(grad, x, causal=True, out=grad),
        "logsumexp": lambda: of.logsumexp(x, axis=None),
        "logsumexp_backward": lambda: of.logsumexp_backward(one_a_row, x, out=x),
        "cross_entropy": lambda: of.cross_entropy(x, target),
        "cross_entropy_backward": lambda: of.cross_entropy_backward(1.0, x, target, out=x),
        "cross_entropy_and_grad": lambda: of.cross_entropy_and_grad(x, target, label_smoothing=0.1, out=x),
        "distribution": lambda: of.cross_entropy_and_grad(x, grad, out=x),
        "binary": lambda: of.binary_cross_entropy_with_logits(x, mask),
        "binary backward": lambda: of.binary_cross_entropy_with_logits_backward(1.0, x, mask, out=x),
    }
    return calls


@best_compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_in_place_needs_little_memory(implementation, dtype):
    """A call that changes 4 or 8 MiB in place needs less than 256 KiB more, as tracemalloc counts it."""
    for name, call in in_place(backends.load(implementation), dtype, 1024, 1024).items():
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**18, f"{name}: {peak} bytes"


PROGRAM = """
import resource, sys
import numpy as np
from fastact import backends

{in_place}
of = backends.load({implementation!r})
for call in in_place(of, np.float32, 8, 8).values():
    call()  # imports modules and fills caches, so that the memory for them is not counted below
calls = in_place(of, np.float32, 2048, 2048)
unit = 1 if sys.platform == "darwin" else 1024
touched = [cell.cell_contents for call in calls.values() for cell in call.__closure__]
for array in touched:
    if isinstance(array, np.ndarray):
        array += 0 if array.dtype.kind == "f" else False  # writes to all pages, so that the system has given them
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
for name, call in calls.items():
    call()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(name, after - before, sep="|")
    before = after
"""


@best_compiled
def test_the_process_needs_little_more_memory(implementation, tmp_path):
    """A call that changes 16 MiB in place needs about 1 MiB more, as the system counts it, with what C code allocates."""
    pytest.importorskip("resource")
    program = PROGRAM.format(in_place=inspect.getsource(in_place), implementation=implementation)
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    for line in ran.stdout.splitlines():
        name, grown = line.split("|")
        assert int(grown) < 3 * 2**19, f"{name}: {grown} bytes"
