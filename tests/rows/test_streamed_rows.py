"""Results too large for the caches, which are written past them: the same bits as those of a few rows at a time."""

import functools

import numpy as np
import pytest

from fastact import backends

from passes import each_compiled

# The axis and the shape of more than 16 MiB, with rows left over in each batch.
LAYOUTS = {
    "10 columns": (-1, (420_007, 10)),
    "37 columns": (-1, (113_503, 37)),
    "50 columns": (-1, (84_011, 50)),
    "101 columns": (-1, (41_603, 101)),
    "128 columns": (-1, (32_801, 128)),
    "300 columns": (-1, (14_003, 300)),
    "1000 columns": (-1, (4_203, 1000)),
    "1024 columns": (-1, (4_099, 1024)),
    "50,000 columns": (-1, (85, 50_001)),
    "one row": (-1, (1, 4_200_005)),
    "axis 0": (0, (271, 15_488)),
    "axis 0, some tiles": (0, (3_001, 1_440)),
    "axis 0, a tile": (0, (17_003, 256)),
    "axis 1": (1, (5, 211, 4_000)),
}
PARTS = 11
# Where targets that do not count are tried too: rows of each algorithm.
IGNORING = ("10 columns", "101 columns", "1000 columns", "50,000 columns", "axis 0, a tile")


@functools.lru_cache(maxsize=1)  # the instruction sets take turns
def normal(shape, count, seed):
    """So many arrays of normal numbers, which nobody may change."""
    rng = np.random.default_rng(seed)
    made = [rng.standard_normal(shape, dtype=np.float32) for _ in range(count)]
    for array in made:
        array.flags.writeable = False
    return made


@functools.lru_cache(maxsize=1)
def wide_and_moderate(layout):
    """Logits, a gradient, and the axis that counts the rows."""
    axis, shape = LAYOUTS[layout]
    x, grad = normal(shape, 2, 0)
    x = x * 5
    rows = next(i for i in range(len(shape)) if i != axis % len(shape))
    number = np.arange(shape[rows])
    wide = (number % 7 == 0) & (number // 331 % 2 == 0)  # some rows of some batches
    np.moveaxis(x, rows, 0)[wide] *= 10  # beyond what exponentials can be taken of without the row's maximum
    # And about where they are taken of the difference to the maximum, which is found last
    for i, (least, most) in enumerate(((8185, 8193), (8177, 8193), (-8196, -8180))):
        np.moveaxis(x, (rows, axis), (0, -1))[13 + 133 * i :: 401] = np.linspace(least, most, shape[axis], dtype=np.float32)
    return x, grad, rows


@each_compiled
@pytest.mark.parametrize("layout", LAYOUTS)
def test_streamed_results(implementation, layout):
    """Of the softmax family, forward and backward."""
    functions, (axis, shape) = backends.load(implementation), LAYOUTS[layout]
    x, grad, rows = wide_and_moderate(layout)
    for name in ("softmax", "log_softmax"):
        y = getattr(functions, name)(x, axis=axis, out=np.empty_like(x))
        slope = getattr(functions, name + "_backward")(grad, y=y, axis=axis, out=np.empty_like(x))
        for part in np.array_split(np.arange(shape[rows]), min(PARTS, shape[rows])):
            at = (slice(None),) * rows + (slice(part[0], part[-1] + 1),)
            if shape[rows] == 1:  # in place nothing is streamed
                few_y = getattr(functions, name)(few := x.copy(), axis=axis, out=few)
                few_slope = getattr(functions, name + "_backward")(few := grad.copy(), y=y, axis=axis, out=few)
            else:
                few_y = getattr(functions, name)(x[at].copy(), axis=axis)
                few_slope = getattr(functions, name + "_backward")(grad[at].copy(), y=few_y, axis=axis)
            np.testing.assert_array_equal(few_y, y[at], err_msg=name)
            np.testing.assert_array_equal(few_slope, slope[at], err_msg=name)


@each_compiled
@pytest.mark.parametrize(
    ("n", "gap"), [*((n, 0) for n in (10, 37, 128, 150, 300, 1000, 1025)), *((n, 5) for n in (10, 150, 1025))]
)
def test_nothing_beside(implementation, n, gap):
    """Streamed or not, nothing is written before, after or between rows, wherever in a line they begin."""
    functions = backends.load(implementation)
    rows = (17 << 20) // 4 // n
    x, grad = normal((rows, n), 2, 2)
    for offset in (0, 3, 16):
        room = np.full(16 + rows * (n + gap) + 32, 7, np.float32)
        first = offset - room.ctypes.data // 4 % 16 + 16
        around = room[first : first + rows * (n + gap)].reshape(rows, n + gap)
        out = around[:, :n]
        for name in ("softmax", "log_softmax"):
            forward, backward = getattr(functions, name), getattr(functions, name + "_backward")
            y = forward(x, out=out).copy()
            np.testing.assert_array_equal(y[-3:], forward(x[-3:]), err_msg=name)
            np.testing.assert_array_equal(y[:3], forward(x[:3]), err_msg=name)
            slope = backward(grad, y=y, out=out)
            np.testing.assert_array_equal(slope[-3:], backward(grad[-3:], y=y[-3:]), err_msg=name)
            np.testing.assert_array_equal(slope[:3], backward(grad[:3], y=y[:3]), err_msg=name)
            assert (around[:, n:] == 7).all() and (room[:first] == 7).all() and (room[first + around.size :] == 7).all()


@functools.lru_cache(maxsize=1)
def with_targets(layout, ignoring):
    """Logits, some rows of them huge, and targets."""
    axis, shape = LAYOUTS[layout]
    x = normal(shape, 1, 1)[0] * 5
    np.moveaxis(x, axis, -1)[..., 11::301, :] *= 1e4
    target = np.random.default_rng(1).integers(0, shape[axis], np.delete(shape, axis))
    if ignoring:  # targets go to the loops in blocks then
        target.ravel()[7::97] = -100
    return x, target


@each_compiled
@pytest.mark.parametrize(
    ("layout", "ignoring"), [*((layout, False) for layout in LAYOUTS), *((layout, True) for layout in IGNORING)]
)
def test_streamed_losses(implementation, layout, ignoring):
    """The gradients of cross_entropy, beside and over the logits, some rows by themselves; its mean is that of its losses."""
    functions, axis = backends.load(implementation), LAYOUTS[layout][0]
    x, target = with_targets(layout, ignoring)
    slope = np.full_like(x, 7)
    loss, _ = functions.cross_entropy_and_grad(x, target, axis=axis, out=slope)
    each = functions.cross_entropy(x, target, axis=axis, reduction="none")
    assert loss == pytest.approx(each[target >= 0].mean(dtype=np.float64), rel=2e-7)
    over = x.copy()
    functions.cross_entropy_and_grad(over, target, axis=axis, out=over)
    np.testing.assert_array_equal(over, slope)
    over[...] = 7
    functions.cross_entropy_backward(1.0, x, target, axis=axis, out=over)
    np.testing.assert_array_equal(over, slope)
