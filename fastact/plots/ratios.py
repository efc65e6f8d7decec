"""The picture of speed: how many times as fast as plain NumPy each function is."""

import collections
import math
import os

import numpy as np

from ..command import bench
from ..command.bench.record import leading, mean
from . import style

# The size that is drawn by default: large enough that the cost of calls does not count, and small enough for a cache.
USUAL = 1 << 18
PASSES = {"forward": style.FUNCTION, "backward": style.DERIVATIVE}
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
LINE = 0.165


def speed(source=None, *, size=None, dtype=None, threads=None):
    """Draw how many times as fast as plain NumPy each function is, forward and backward.

    Parameters
    ----------
    source : str, path or dict, optional
        A file that `fastact bench --json` wrote, or what is in it; None measures 256 Ki elements of float32 on one thread now,
        in less than a minute.
    size : int, optional
        Which of the source's numbers of elements to draw; default: 256 Ki, or the largest there is.
    dtype : str, optional
        Which of its dtypes, as "float16"; default: the first.
    threads : int, optional
        Which of its numbers of threads; default: the first.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        For what is no such file, or has no such size, dtype or number of threads; for the latter two without a file.
    OSError
        For a file that cannot be read.

    Examples
    --------
    >>> import fastact.plots
    >>> fastact.plots.speed("bench.json").savefig("speed.svg")  # doctest: +SKIP
    """
    style.require()
    source_name = repr(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else "the record"
    if source is None:
        if dtype is not None or threads is not None:
            raise ValueError("dtype= and threads= choose a part of a record: give its file, or what is in it")
        record = measured()
    else:
        record = bench.checked(source, source_name) if isinstance(source, dict) else bench.read(os.fspath(source))
    compared = [row for row in record["rows"] if row["pass"] in PASSES and "plain" in row["ns_per_element"]]
    if not compared:
        raise ValueError(f"no function of {source_name} was compared with the plain line, forward or backward")
    (dtype, threads), rows = part(bench.by_part(compared), dtype, threads, source_name)
    sizes = sorted({row["size"] for row in rows})
    size = (USUAL if USUAL in sizes else sizes[-1]) if size is None else size
    if size not in sizes:
        known = ", ".join(map(bench.format_size, sizes))
        wanted = bench.format_size(size) if isinstance(size, int) else repr(size)
        raise ValueError(f"{source_name} has no rows of {wanted} elements: it has {known}")
    ours = leading(rows)
    found: dict[str, dict[str, float]] = collections.defaultdict(dict)
    for row in rows:
        if row["size"] == size:
            found[row["name"]][row["pass"]] = row["ns_per_element"]["plain"] / row["ns_per_element"][ours]
    return drawn(found, size, dtype, threads, record["machine"])


def part(parts, dtype, threads, source):
    """The first of the parts of a record that has this dtype and number of threads, with their names."""
    for (its_dtype, its_threads), rows in parts.items():
        if dtype in (None, its_dtype) and threads in (None, its_threads):
            return (its_dtype, its_threads), rows
    wanted = f" of {dtype}" * (dtype is not None) + (f" on {on_threads(threads)}" if threads is not None else "")
    known = ", ".join(f"{name} on {on_threads(number)}" for name, number in parts)
    raise ValueError(f"{source} has no rows{wanted}: it has {known}")


def on_threads(number):
    """A number of threads as a text."""
    return f"{number} thread{'s' * (number != 1)}"


def measured(progress=iter):
    """A record of 256 Ki elements, measured now; `progress` wraps the list of measurements."""
    chosen = [case for case in bench.cases() if case.step in PASSES]
    work = progress(bench.work(chosen, [USUAL]))
    rows = list(bench.run(work, bench.contestants(), bench.Memory(USUAL), seconds=0.05))
    return {"machine": bench.machine(), "plain": {}, "rows": rows}


def drawn(found, size, dtype, threads, machine):
    """The figure: a line for each function, the fastest on top."""
    names = sorted(found, key=lambda name: found[name].get("forward", found[name].get("backward")))
    ratios = {kind: [found[name].get(kind, math.nan) for name in names] for kind in PASSES}
    means = {kind: mean(each[kind] for each in found.values() if kind in each) for kind in PASSES}
    means = {kind: each for kind, each in means.items() if each}
    said = ", ".join(f"{kind} {times(each)}" for kind, each in means.items())
    title = "How many times as fast as plain NumPy"
    caption = f"{bench.format_size(size)} elements of {dtype}, compared with the line of NumPy that people write"
    on = f"fastact {machine.get('fastact', '?')} ({machine.get('simd', '?')}), NumPy {machine.get('numpy', '?')}, "
    on += f"{on_threads(threads)}, "
    on += f"{machine.get('cpu', 'unknown processor')}, {str(machine.get('date', ''))[:10]}".rstrip(", ")
    left, width, top, height = max(style.extent(name, 8)[0] for name in names) + 0.25, 5.4, 1.12, LINE * (len(names) + 1)
    across = max(left + width + 0.3, style.extent(on, 7.5)[0] + 0.3, style.extent(title, 13, bold=True)[0] + 0.4)
    each = "; ".join(
        f"{name} {' and '.join(times(found[name][kind]) for kind in PASSES if kind in found[name])}" for name in names[::-1]
    )
    made = style.figure(across, top + height + 0.72, title, f"{caption}. Geometric means: {said}. Forward and backward: {each}.")
    down = made.get_size_inches()[1]
    style.write(made, 0.14 / across, 1 - 0.27 / down, title, 13, bold=True, va="center_baseline")
    style.write(made, 0.14 / across, 1 - 0.53 / down, caption, 8.5, style.QUIET, va="center_baseline")
    style.write(made, 0.14 / across, 0.16 / down, on, 7.5, style.QUIET, va="center_baseline")
    axes = style.panel(made, left, top, across - left - 0.3, height)
    panel(axes, names, ratios)
    handles = [style.dots(axes, [], [], colour, 5.5) for colour in PASSES.values()]
    style.legend(
        made, handles, [f"{kind}, geometric mean {times(means[kind])}" if kind in means else kind for kind in PASSES], 0.78
    )
    return made


def panel(axes, names, ratios):
    """The dots."""
    places = np.arange(len(names))
    every = np.array(list(ratios.values()))
    low, high = min(0.8, 0.85 * np.nanmin(every)), max(2.2, 1.15 * np.nanmax(every))
    axes.set_xscale("log")
    axes.set(xlim=(low, high), ylim=(-0.8, len(names) - 0.2))
    axes.hlines(places, low, high, color="#ececec", linewidth=0.7, linestyle="-", zorder=0)
    axes.axvline(1, color=style.INK, linewidth=0.9, linestyle="-", zorder=1, **style.PLAIN)
    shown = [tick for tick in TICKS if low <= tick <= high]
    axes.set_xticks(shown, [f"{tick:g}\N{MULTIPLICATION SIGN}" if tick != 1 else "as fast" for tick in shown])
    axes.set_yticks(places, names)
    axes.minorticks_off()
    axes.tick_params(axis="y", length=0, labelsize=8, labelcolor=style.INK)
    axes.spines["left"].set_visible(False)
    for kind, colour in reversed(PASSES.items()):
        style.dots(axes, ratios[kind], places, colour, 5.5, zorder=3)


def times(ratio):
    """A ratio as a text."""
    return f"{ratio:.2g}\N{MULTIPLICATION SIGN}" if ratio < 10 else f"{ratio:.0f}\N{MULTIPLICATION SIGN}"
