"""Results too large for the caches are written past them (streamed), and have the bits of results of a few rows."""

import functools

import numpy as np
import pytest

from fastact import backends

from passes import each_compiled

# For each layout the axis and a shape of more than 16 MiB. The numbers of rows are no multiples of a vector's lanes.
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
# The layouts in which ignored targets are tried too: one for each algorithm.
IGNORING = ("10 columns", "101 columns", "1000 columns", "50,000 columns", "axis 0, a tile")


@functools.lru_cache(maxsize=1)  # every instruction set uses these arrays before the next ones are made
def normal(shape, count, seed):
    """Read-only arrays of normal numbers."""
    rng = np.random.default_rng(seed)
    made = [rng.standard_normal(shape, dtype=np.float32) for _ in range(count)]
    for array in made:
        array.flags.writeable = False
    return made


@functools.lru_cache(maxsize=1)
def wide_and_moderate(layout):
    """Logits with wide rows among moderate ones, a gradient, and the axis along which the rows are counted."""
    axis, shape = LAYOUTS[layout]
    x, grad = normal(shape, 2, 0)
    x = x * 5
    rows = next(i for i in range(len(shape)) if i != axis % len(shape))
    number = np.arange(shape[rows])
    wide = (number % 7 == 0) & (number // 331 % 2 == 0)  # some rows of some batches of rows
    np.moveaxis(x, rows, 0)[wide] *= 10  # so large that exp overflows unless the row's maximum is taken off
    # The entries of these rows lie around 8192 or -8192, beyond which x - max is computed first. The largest comes last.
    for i, (least, most) in enumerate(((8185, 8193), (8177, 8193), (-8196, -8180))):
        np.moveaxis(x, (rows, axis), (0, -1))[13 + 133 * i :: 401] = np.linspace(least, most, shape[axis], dtype=np.float32)
    return x, grad, rows


@each_compiled
@pytest.mark.parametrize("layout", LAYOUTS)
def test_streamed_results_have_the_bits_of_a_few_rows(implementation, layout):
    """softmax and log_softmax of all rows, forward and backward, have the bits of calls on a few rows."""
    functions, (axis, shape) = backends.load(implementation), LAYOUTS[layout]
    x, grad, rows = wide_and_moderate(layout)
    for name in ("softmax", "log_softmax"):
        y = getattr(functions, name)(x, axis=axis, out=np.empty_like(x))
        slope = getattr(functions, name + "_backward")(grad, y=y, axis=axis, out=np.empty_like(x))
        for part in np.array_split(np.arange(shape[rows]), min(PARTS, shape[rows])):
            at = (slice(None),) * rows + (slice(part[0], part[-1] + 1),)
            if shape[rows] == 1:  # one row cannot be split, but a call in place streams nothing
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
def test_nothing_is_written_beside_the_rows(implementation, n, gap):
    """Nothing is written before, after or between rows, wherever in a cache line they begin, streamed or not."""
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
    """Logits, of which some rows are huge, and targets, of which some are ignored if `ignoring`."""
    axis, shape = LAYOUTS[layout]
    x = normal(shape, 1, 1)[0] * 5
    np.moveaxis(x, axis, -1)[..., 11::301, :] *= 1e4
    target = np.random.default_rng(1).integers(0, shape[axis], np.delete(shape, axis))
    if ignoring:  # with ignored targets the loops get the targets in blocks
        target.ravel()[7::97] = -100
    return x, target


@each_compiled
@pytest.mark.parametrize(
    ("layout", "ignoring"), [*((layout, False) for layout in LAYOUTS), *((layout, True) for layout in IGNORING)]
)
def test_streamed_gradients_of_losses_have_the_same_bits(implementation, layout, ignoring):
    """The gradient of cross_entropy has the same bits in a new array, in place, and from the backward function.

    The mean loss is the mean of the losses of rows.
    """
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


# Calls whose row 777 the faster ways leave to the exact one.
LEFT = {
    "softmax_backward": lambda f, x, grad, many: f.softmax_backward(np.where(many == 777, np.inf, grad), x),
    "log_softmax_backward": lambda f, x, grad, many: f.log_softmax_backward(np.where(many == 777, np.inf, grad), x),
    "logsumexp_backward": lambda f, x, grad, many: f.logsumexp_backward(np.where(many == 777, 1e30, 1)[:, 0].astype(x.dtype), x),
    "softmax_one": lambda f, x, grad, many: f.softmax_one(np.where(many == 777, 9000, x)),
    "cross_entropy_backward": lambda f, x, grad, many: f.cross_entropy_backward(
        np.where(many == 777, 1e30, 1)[:, 0].astype(x.dtype), x, many[:, 0] % x.shape[1], reduction="none"
    ),
}


@each_compiled
@pytest.mark.parametrize("columns", [10, 100, 300])
@pytest.mark.parametrize("name", LEFT)
def test_a_row_that_is_left_changes_no_other_row(implementation, name, columns):
    """Rows that are streamed before one that goes past the stream keep their results."""
    functions, rows = backends.load(implementation), 4_200_000 // columns
    x, grad = normal((rows, columns), 2, 1)
    number = np.arange(rows)[:, np.newaxis]
    with np.errstate(all="ignore"):  # the row that is left has an infinite gradient
        every = LEFT[name](functions, x, grad, number)
        parts = np.array_split(np.arange(rows), 2 * PARTS)
        few = [LEFT[name](functions, x[part], grad[part], number[part]) for part in parts]
    np.testing.assert_array_equal(np.concatenate(few), every)
