"""The picture of errors: the error of a function in ULP, over all exponents."""

import functools

import numpy as np

from .. import simd
from ..command.bench import peers
from ..command.bench.faults import ulps
from ..docstrings.elsewhere import CALLS
from . import curves, style
from .sheet import named

# EACH random numbers for each exponent and sign. Exponents of at most NEAR in magnitude get that many for each of PARTS parts,
# since functions bend there.
EACH, PARTS, NEAR = 512, 16, 8
# The shares of the width for exponents below these, for these, and above.
SHARES = (0.2, 0.62, 0.18)
# The promised errors: in ULP, and near a zero of the derivative an absolute one.
PROMISED, NEAR_ZERO = {"forward": 2, "backward": 4}, 2.0**-25
# The error that stands for NaN or infinity in place of a number. Any other error is smaller.
WRONG = 1e11
COLOURS = dict(zip(("fastact", "plain NumPy", "torch", "jax", "scipy"), style.CONTESTANTS, strict=True))
TICKS = (0, 1, 10, 100, 1e4, 1e6, 1e8, WRONG)


def errors(name):
    """Draw the error of a function and of its derivative in float32, beside other libraries' and that of the plain line.

    The error is in ULP, the distance between neighbouring float32 numbers at the exact value. Beyond four ULP it is the number of
    float32 numbers in between. The exact value is this package's float64 result, which is off by less than 10^-8 float32 ULP.
    Shown is, for each exponent and sign, the largest error among 512 random numbers, and near 1 among more. Near a zero of the
    derivative, which has no relative accuracy, an absolute error of 2^-25 counts as none.

    Parameters
    ----------
    name : str
        A function such as "sigmoid", with its default parameters, or its usual ones where it has no defaults. For a gated
        function the error is that of the gate's gradient, with a value of 1.

    Returns
    -------
    matplotlib.figure.Figure
        With PyTorch, JAX and SciPy, as far as they are installed and have the function, and with the line of NumPy that people
        write for it.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        For an unknown function.

    Examples
    --------
    >>> import fastact.plots
    >>> fastact.plots.errors("sigmoid").savefig("errors.svg")  # doctest: +SKIP
    """
    style.require()
    activation = named(name)
    x, at = inputs()
    found, note = {}, ""
    for i, kind in enumerate(PROMISED):
        exact = curves.evaluate(activation, x.astype(np.float64), activation.values)[i]
        near = near_zero(activation, x, exact) if kind == "backward" else np.zeros(x.shape, bool)
        note = r"near a zero of the derivative an error below $2^{-25}$ counts as none" if near.any() else ""
        found[kind] = {
            label: off(x, function(x.copy()), exact, near, library == "jax")
            for label, library, function in contestants(activation, kind)
        }
    return drawn(activation, x, at, found, note)


def inputs():
    """Rows of float32 numbers, one for each place along the picture, in order; and these places, from -1 to 1."""
    rng = np.random.default_rng(0)
    exponents = np.concatenate([np.full(PARTS if abs(e - 127) <= NEAR else 1, e, np.uint32) for e in range(255)])
    firsts = np.concatenate([np.arange(count) / count for count in np.unique(exponents, return_counts=True)[1]])
    widths = np.where(abs(exponents.astype(int) - 127) <= NEAR, (1 << 23) // PARTS, 1 << 23)
    mantissas = (
        rng.integers(0, widths[:, None], (len(exponents), EACH), np.uint32) + (firsts * (1 << 23)).astype(np.uint32)[:, None]
    )
    positive = (exponents[:, None] << 23 | mantissas).view(np.float32)
    at = place(exponents - 127.0 + firsts + widths / 2.0**24)
    return np.concatenate([-positive[::-1], positive]), np.concatenate([-at[::-1], at])


def place(exponent):
    """The place in the picture of positive numbers with this binary exponent, from 0 to 1."""
    return np.interp(exponent, [-127, -NEAR, NEAR + 1, 128], np.cumsum([0, *SHARES]))


def contestants(activation, kind):
    """(label, library, function of float32 x) for all that can be compared here, ours first."""
    which = ("forward", "backward").index(kind)
    yield f"fastact, {simd}", "fastact", lambda x: curves.evaluate(activation, x, activation.values)[which]
    line = getattr(activation, "plain" if kind == "forward" else "plain_backward", None)
    if line:
        yield "plain NumPy", "numpy", functools.partial(plain, line, activation)
    calls = CALLS.get(activation.name, {}) if len(activation.operands) == 1 else {}
    for library in peers.installed():
        if library in calls and (kind == "forward" or library != "scipy"):
            yield library, library, peers.of_numbers(library, activation.name, kind, **activation.values)


def plain(line, activation, x):
    """The result of the plain line."""
    given = {name: np.ones_like(x) if name == "value" else x for name in activation.operands}
    with np.errstate(all="ignore"):
        result = eval(f"({line})", {"np": np, "grad": np.ones_like(x), **activation.values, **given})
    result = np.asarray(result[0] if isinstance(result, tuple) else result)
    halves = np.split(result, 2, axis=-1) if result.shape != x.shape else [result]
    return halves[-1 if activation.operands[-1] == "gate" else 0]


def near_zero(activation, x, exact):
    """Where a small derivative is close to a zero that it crosses or touches."""
    grid = np.linspace(-40, 40, 40 * 1024 + 1)
    slope = curves.evaluate(activation, grid, activation.values)[1]
    size = np.abs(slope)
    with np.errstate(all="ignore"):
        crossed = grid[:-1][slope[:-1] * slope[1:] < 0]
        touched = grid[1:-1][(size[1:-1] < size[:-2]) & (size[1:-1] < size[2:]) & (size[1:-1] < 0.125)]
    zeros = np.sort(np.concatenate([crossed, touched]))
    if not zeros.size:
        return np.zeros(x.shape, bool)
    after = np.searchsorted(zeros, x)
    distance = np.minimum(np.abs(x - zeros[after.clip(max=zeros.size - 1)]), np.abs(x - zeros[after.clip(1) - 1]))
    return (distance < 0.25) & (np.abs(exact) < 0.125)


def off(x, got, exact, near, without_subnormal):
    """The errors in ULP; NaN where the exact value is NaN. Subnormal numbers can be left out: JAX makes them 0, on purpose."""
    with np.errstate(all="ignore"):
        got, rounded = got.astype(np.float32), exact.astype(np.float32)
        error, between = ulps(got, exact), np.abs(order(got) - order(rounded))
        error = np.where(np.isinf(error), WRONG, np.where(between > 4, between, error))
        error[near & (np.abs(got - exact) <= NEAR_ZERO)] = 0
    error[np.isnan(exact)] = np.nan
    if without_subnormal:
        tiny = np.finfo(np.float32).tiny
        error[((np.abs(x) < tiny) & (x != 0)) | ((np.abs(exact) < tiny) & (exact != 0))] = np.nan
    return error


def order(x):
    """The place of float32 numbers in their order, as integers: neighbours differ by 1."""
    bits = x.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits).astype(np.float64)


def drawn(activation, x, at, found, note):
    """The figure: forward, and backward beside it."""
    lines = max(len(each) for each in found.values())
    width, height, gutter, beside = 4.9, 3.0, 0.75, 0.72
    top = 0.78 + 0.19 * lines
    title = f"{activation.name}{', with a value of 1,' if len(activation.operands) > 1 else ''} in float32: how far off?"
    said = " ".join(
        f"{kind.capitalize()}: {'; '.join(summary(x, *one) for one in each.items())}." for kind, each in found.items()
    )
    made = style.figure(2 * (gutter + width + beside), top + height + 0.55, title, said)
    across, down = made.get_size_inches()
    style.write(made, 0.14 / across, 1 - 0.27 / down, title, 13, bold=True, va="center_baseline")
    for i, (kind, each) in enumerate(found.items()):
        left = gutter + i * (gutter + width + beside)
        axes = style.panel(made, left, top, width, height)
        panel(axes, kind, at, each)
        heading = {"forward": "the function", "backward": "its derivative: the backward pass of a gradient of 1"}[kind]
        style.write(made, left / across, 1 - 0.58 / down, heading, 10, bold=True, va="center_baseline")
        for j, one in enumerate(each.items()):
            up = 1 - (0.8 + 0.19 * j) / down
            style.write(made, left / across, up, summary(x, *one), 8.5, COLOURS[one[0].split(",")[0]], va="center_baseline")
        below = f"x   ({note})" if note and kind == "backward" else "x"
        style.write(made, (left + width / 2) / across, 0.16 / down, below, 9, style.QUIET, ha="center", va="center_baseline")
    style.write(
        made, 0.16 / across, 1 - (top + height / 2) / down, "error in ULP, largest of each exponent", 9, style.QUIET,
        rotation=90, ha="center", va="center",
    )  # fmt: skip
    return made


def summary(x, label, error):
    """The line on a contestant: its largest error, and where it is."""
    label += ", subnormal numbers left out" if label == "jax" else ""
    if np.isnan(error).all():
        return f"{label}: nothing to compare"
    worst = np.unravel_index(np.nanargmax(error), error.shape)
    where = style.signed(f"x = {x[worst]:.6g}")
    if error[worst] >= WRONG:
        return f"{label}: NaN or infinite in place of a number, such as at {where}"
    return f"{label}: up to {amount(error[worst])} ULP, at {where}" if error[worst] else f"{label}: exact"


def amount(error):
    """An error as a short text."""
    if error < 1e6:
        return f"{error:.2g}" if error < 100 else f"{error:,.0f}"
    return f"{error / 1e6:,.{int(error < 1e7)}f} million"


def panel(axes, kind, at, each):
    """The lines of all contestants, ours on top, and the promise."""
    largest = {label: np.where(np.isnan(error).all(1), np.nan, np.nan_to_num(error).max(1)) for label, error in each.items()}
    top = max(50, *(np.nanmax([*line, 0]) for line in largest.values()))
    axes.set_yscale("symlog", linthresh=1, linscale=0.6)
    axes.set(xlim=(-1, 1), ylim=(0, 4 * top))
    shown = [tick for tick in TICKS if tick <= min(4 * top, 1e8)] + [WRONG] * int(top >= WRONG)
    axes.set_yticks(shown, [tick_label(tick) for tick in shown])
    numbers = {1e30: "10^{30}", 100: "100", 10: "10", 1: "1", 0.01: "0.01"}
    at_numbers = place(np.log2(list(numbers)))
    axes.set_xticks(
        [0, *at_numbers, *-at_numbers],
        ["0", *(f"${text}$" for text in numbers.values()), *(f"$-{text}$" for text in numbers.values())],
    )
    axes.minorticks_off()
    for i, (label, line) in reversed(list(enumerate(largest.items()))):
        style.line(axes, at, line, COLOURS[label.split(",")[0]], 1.7 if i == 0 else 1.2, zorder=3 + (i == 0))
    axes.axhline(PROMISED[kind], color=style.INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=2, **style.PLAIN)
    style.write(axes, 1.015, PROMISED[kind], f"promised:\n{PROMISED[kind]} ULP", 8, style.INK, ha="left", va="center")


def tick_label(tick):
    """The label of a tick of the error."""
    return "NaN, inf" if tick == WRONG else f"{tick:g}" if tick < 1000 else f"$10^{{{int(np.log10(tick))}}}$"
