"""The picture of functions: one panel for a function, two for a family of curves."""

import collections
import itertools
import math

import numpy as np

from ..calls.elementwise import nearest
from ..declare import ACTIVATIONS, ROWS
from ..docstrings.mathtext import latex
from . import curves, style

RANGE = (-7.0, 7.0)
# The widths of a range with which matplotlib's own arithmetic works.
NARROWEST, WIDEST = 1e-100, 1e100
# Where the magnitude of the derivative is below this, the ground is shaded: little is learned there.
LITTLE = 0.05
# From this number of panels on they are small.
MANY = 10
KEY_SIZE = 8.5
FORMULA_SIZES = ((7.5, 7, 6.5, 6, 5.5), (9.5, 9, 8.5, 8, 7.5, 7))
# The largest number of curves in a family: the words beside more of them would have no room.
MOST_CURVES = 16


def functions(*names, range=None, **parameters):
    """Draw functions and their derivatives: all as a contact sheet, or some.

    The curves are computed by the package itself. Where a derivative jumps there is a gap, and where it is below 0.05 in
    magnitude the ground is shaded: there little is learned.

    Parameters
    ----------
    *names : str
        Functions, such as "silu"; if none is given every function of one array, or each that has the parameters. Of a gated
        function, such as "swiglu", the gate is drawn, with a value of 1.
    range : (float, float), optional
        From where to where; else from -7 to 7, or further where a function is nearly a line until there, or just the part
        in which it is defined.
    **parameters : float or sequence of float
        Parameters of the functions. Several values draw a family, on two panels: the function, and its derivative.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError
        For a name that is no text.
    ValueError
        For an unknown name, which is answered with the nearest, a parameter that none of the functions has, a value that the
        function refuses, and a range that is none.

    Examples
    --------
    >>> import fastact.plots
    >>> figure = fastact.plots.functions("silu", "gelu", beta=[0.5, 1, 2])  # doctest: +SKIP
    >>> figure.savefig("silu.svg")  # doctest: +SKIP
    """
    style.require()
    chosen = choose(names, parameters)
    settings = [given(one, parameters) for one in chosen]
    bounds = checked(range)
    samples = curves.SAMPLES if len(chosen) < MANY or any(len(values) > 1 for values in settings) else curves.FEW
    panels = []
    for one, values in zip(chosen, settings, strict=True):
        kinds = ("function", "slope") if len(values) > 1 else ("both",)
        panels += [Panel(one, values, bounds, kind, samples) for kind in kinds]
    return drawn(panels, chosen)


def names():
    """The activations by name and alias."""
    public = [one for one in ACTIVATIONS.values() if one.public]
    return {name: one for one in public for name in (one.name, *one.aliases)}


def named(name):
    """The activation of this name or alias."""
    if not isinstance(name, str):
        raise TypeError(f"names of functions are texts, one by one, as in functions('silu', 'gelu'), got {name!r}")
    known = names()
    if name in known:
        return known[name]
    if name in ROWS:
        raise ValueError(f"{name} cannot be drawn as a curve: it works along an axis, not on single numbers")
    for one in known.values():
        for value, other in one.alternatives.items():
            if other.name == name:
                raise ValueError(f"no elementwise function {name!r}: it is {one.name} with {one.option}={value!r}")
    near = nearest(str(name).removesuffix("_backward"), known)
    hint = f"did you mean {near!r}?" if near else f"it can be {', '.join(dict.fromkeys(known))}"
    raise ValueError(f"no elementwise function {name!r}: {hint}")


def choose(names, parameters):
    """The activations of these names; without names, those that take all the parameters."""
    chosen = [named(name) for name in names] or [one for one in curves.drawable() if set(parameters) <= set(taken(one))]
    for name in parameters:
        if not any(name in taken(one) for one in chosen):
            those = chosen or [one for one in curves.drawable() if taken(one)]
            of_each = [f"{one.name} takes {', '.join(taken(one)) or 'none'}" for one in those]
            raise ValueError(f"no parameter {name!r} here: {'; '.join(of_each)}")
    return chosen


def taken(one):
    """The names of the parameters that an activation can be drawn with."""
    return () if one.halves else (*one.parameters, *([one.option] if one.option else []))


def given(one, parameters):
    """All combinations of the values of this activation's parameters, as keywords."""
    values = {name: [default] for name, default in one.values.items()}
    for name, several in parameters.items():
        if name in taken(one):
            several = list(several) if np.iterable(several) and not isinstance(several, str) else [several]
            if any(np.ndim(each) for each in several):
                raise ValueError(f"argument {name} must be a number or several, got {several!r}")
            values[name] = list(dict.fromkeys(each.item() if isinstance(each, np.generic) else each for each in several))
            if not values[name]:
                raise ValueError(f"argument {name} must be a number or several, got none")
    found = [dict(zip(values, each, strict=True)) for each in itertools.product(*values.values())]
    if len(found) > MOST_CURVES:
        raise ValueError(f"{one.name} would have {len(found)} curves: a family has at most {MOST_CURVES}")
    for keywords in found:
        curves.evaluate(one, np.ones(1), keywords)  # the function itself refuses a wrong parameter
    return found


def checked(range):
    """The ends of a range as floats, or None."""
    if range is None:
        return None
    try:
        low, high = map(float, range)
    except (TypeError, ValueError):
        raise ValueError(f"argument range must be two numbers, got {range!r}") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high and math.isfinite(high - low)):
        raise ValueError(f"argument range must be two finite numbers, the smaller first, got {low:g} and {high:g}")
    if high - low < max(NARROWEST, 1e-9 * abs(low), 1e-9 * abs(high)):
        raise ValueError(f"argument range is too narrow to be drawn: {low!r} to {high!r}")
    if high - low > WIDEST:
        raise ValueError(f"argument range is too wide to be drawn: {low!r} to {high!r}")
    return low, high


class Panel:
    """One panel: a function with its derivative, or the functions or the derivatives of a family."""

    def __init__(self, one, values, bounds, kind, samples):
        self.one, self.values, self.kind = one, values, kind
        self.low, self.high, self.curves, whole = traced(one, values, bounds, samples)
        self.bottom, self.top = self.limits(bounds is None, whole)

    def limits(self, usual, whole):
        """The lower and the upper end of the panel."""
        y = np.concatenate([curve.y for curve in self.curves])
        slope = np.concatenate([curve.slope for curve in self.curves])
        y, slope = y[np.isfinite(y)], slope[np.isfinite(slope)]
        if not y.size:
            return -1.0, 1.0
        if not whole:  # near poles the curves would be vertical lines
            y, slope = (np.quantile(each, [0.03, 0.97]) for each in (y, slope))
        elif usual:
            y = np.clip(y, *self.clipped(y))
        low, high = float(y.min()), float(y.max())
        if self.kind == "slope":
            low, high = float(slope.min()), float(slope.max())
        elif self.kind == "both":
            room = max(high - low, 2)  # with all of a large derivative in it, the function would look flat
            low, high = min(low, max(slope.min(), low - room)), max(high, min(slope.max(), high + room))
        low, high = min(low, 0) if low < high else low, high
        margin = 0.09 * (high - low) or 0.1 * abs(high) or 1
        return low - margin, high + margin

    def clipped(self, y):
        """The limits at which a curve that grows without end is cut. A plateau at an end of it stays in the picture."""
        height = 0.6 * (self.high - self.low) / 2
        flat = [
            curve.y[end]
            for curve in self.curves
            for end in (0, -1)
            if abs(curve.slope[end]) < LITTLE and np.isfinite(curve.y[end])
        ]
        return min([-height, *flat]), max([height, *flat])

    @property
    def varied(self):
        """The names of the parameters that have several values."""
        return [name for name in self.values[0] if any(each[name] != self.values[0][name] for each in self.values)]

    @property
    def keys(self):
        """The words beside each curve of a family."""
        values = self.values if self.kind != "both" else ()
        return [style.signed(", ".join(f"{name} = {each[name]}" for name in self.varied)) for each in values]

    @property
    def formula(self):
        """The formula as mathtext, with the numbers that do not vary."""
        chosen = self.one.alternatives.get(self.values[0].get(self.one.option), self.one)
        text = chosen.slope if self.kind == "slope" else chosen.definition
        numbers = {name: value for name, value in self.values[0].items() if name not in self.varied}
        numbers = {name: value for name, value in numbers.items() if isinstance(value, (int, float))}
        try:
            return f"${latex(text, {**numbers, **dict.fromkeys(self.one.operands[1:] and ('value',), 1)})}$"
        except ValueError:
            return ""

    @property
    def name(self):
        """The heading."""
        return self.one.name if len(self.one.operands) == 1 else f"{self.one.name}, value = 1"

    @property
    def saturates(self):
        """Whether a part of the ground is shaded."""
        return any((np.abs(curve.slope) < LITTLE).any() for curve in self.curves)

    def write(self, made, left, top, width, size):
        """Write name and formula above the axes; a formula that finds no room is left out."""
        across, down = made.get_size_inches()
        heading = self.name if self.kind != "slope" else f"derivative of {self.name}"
        up = 1 - (top - (0.3 if size > 10 else 0.265)) / down
        style.write(made, left / across, up, heading, size, bold=True, va="baseline", ha="left")
        for smaller in FORMULA_SIZES[size > 10]:
            if self.formula and style.extent(self.formula, smaller)[0] < width + 0.1:
                up = 1 - (top - (0.09 if size > 10 else 0.07)) / down
                style.write(made, left / across, up, self.formula, smaller, style.QUIET, va="baseline", ha="left")
                break

    def draw(self, axes):
        """Draw the curves."""
        axes.set(xlim=(self.low, self.high), ylim=(self.bottom, self.top))
        if not any(curve.domain for curve in self.curves):
            middle = (self.low + self.high) / 2
            style.write(axes, middle, 0.5, "not defined here", 9, style.QUIET, ha="center", va="center")
        for spread in (axes.axhline, axes.axvline):
            spread(0, color=style.FAINT, linewidth=0.7, linestyle="-", zorder=1, **style.PLAIN)
        if self.kind != "both":
            for curve, colour in zip(self.curves, shades(self.kind, len(self.curves)), strict=True):
                x, y = (curve.slope_x, curve.slope) if self.kind == "slope" else (curve.x, curve.y)
                style.line(axes, x, y, colour, 1.8, zorder=3)
            return
        (curve,) = self.curves
        x, below = shallow(curve.slope_x, curve.slope)
        axes.fill_between(
            x, 0, 1, where=below, transform=axes.get_xaxis_transform(),
            facecolor=style.SATURATED, edgecolor="none", linewidth=0, zorder=0,
        )  # fmt: skip
        style.line(axes, curve.slope_x, curve.slope, style.DERIVATIVE, 1.2, zorder=2)
        style.line(axes, curve.x, curve.y, style.FUNCTION, 2, zorder=3)


def shallow(x, slope):
    """x with the places where the derivative's magnitude crosses LITTLE, and whether it is below it."""
    over = np.abs(slope) - LITTLE
    at = np.flatnonzero(over[:-1] * over[1:] < 0)
    share = over[at] / (over[at] - over[at + 1])
    places = x[at] + share * (x[at + 1] - x[at])
    return np.insert(x, at + 1, places), np.insert(over, at + 1, 0.0) <= 0


def traced(one, values, bounds, samples):
    """The ends of the range, the curves in it, and whether they are defined everywhere."""
    low, high = bounds or RANGE
    while True:
        found = [curves.Curve(one, each, low, high, samples) for each in values]
        domains = [curve.domain for curve in found if curve.domain]
        whole = len(domains) == len(found) and all(domain[2] for domain in domains)
        if bounds or (whole and not straight(found)) or high > 1e6 or not domains:
            return low, high, found, whole
        if not whole:
            left, right = min(domain[0] for domain in domains), max(domain[1] for domain in domains)
            margin = 0.05 * (right - left)
            bounds = low, high = max(left - margin, low), min(right + margin, high)
        else:
            low, high = 4 * low, 4 * high


def straight(found):
    """Whether all curves are nearly straight lines: then a wider range shows more."""
    slopes = [curve.slope[np.isfinite(curve.slope)] for curve in found]
    return all(np.ptp(each) < 0.2 * np.abs(each).max() for each in slopes)


def shades(kind, count):
    """The colours of a family: from light to the full colour and darker."""
    full = np.array([int((style.FUNCTION, style.DERIVATIVE)[kind == "slope"][i : i + 2], 16) for i in (1, 3, 5)]) / 255
    for share in np.linspace(-0.62, 0.45, count) if count > 1 else [0.0]:
        yield tuple(full + (1 - full) * -share if share < 0 else full * (1 - share))


def placed(panels, columns):
    """The row and column of each panel: a family starts a row."""
    row, column = 0, 0
    for panel in panels:
        if column == columns or (panel.kind == "function" and column):
            row, column = row + 1, 0
        yield row, column
        column += 1


def drawn(panels, chosen):
    """The figure with all panels, and a legend above them."""
    families = any(panel.kind != "both" for panel in panels)
    count, large = len(panels), families or len(panels) < MANY
    columns = 2 if families else min(count, 3) if large and count != 4 else round(math.sqrt(1.4 * count))
    cells = list(placed(panels, columns))
    width, height = ((6.0, 3.7) if count == 1 else (3.3, 2.5)) if large else (1.62, 1.3)
    sides = [style.ticks(panel.bottom, panel.top, 1.4 * height, 6 if large else 5) for panel in panels]
    foots = [style.ticks(panel.low, panel.high, width, 7 if large else 5) for panel in panels]
    gutter = max(0.2, *(axis.width for axis in sides + foots)) + 0.14
    size = 12 if large else 9
    heading = size / 72 + (0.31 if large else 0.25)
    head = 0.12 if all(panel.kind != "both" for panel in panels) else 0.4
    step = heading + height + 0.32
    beside = max((style.extent(text, KEY_SIZE)[0] + 0.85 for panel in panels for text in panel.keys), default=0.0)
    across, down = columns * (gutter + width) + max(beside, gutter / 2, 0.2), head + (cells[-1][0] + 1) * step
    made = style.figure(max(across, 7.1), down, *words(chosen))
    start = (made.get_size_inches()[0] - across) / 2
    usual = collections.Counter((panel.low, panel.high) for panel in panels).most_common(1)[0][0]
    for i, (panel, side, foot, (row, column)) in enumerate(zip(panels, sides, foots, cells, strict=True)):
        left, top = start + column * (gutter + width) + gutter, head + row * step + heading
        axes = style.panel(made, left, top, width, height)
        side.on(axes.yaxis)
        foot.on(axes.xaxis)
        below = (row + 1, column) in cells
        axes.tick_params(labelbottom=large or not below or (panel.low, panel.high) != usual)
        panel.draw(axes)
        panel.write(made, left, top, width, size)
        if panel.kind == "slope":
            key(made, panels[i - 1], panel, left + width + 0.15, top)
    legend(made, panels)
    return made


def legend(made, panels):
    """The legend of the panels that have both curves."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    both = [panel for panel in panels if panel.kind == "both"]
    if both:
        lines = (style.FUNCTION, 2), (style.DERIVATIVE, 1.4)
        handles = [Line2D([], [], color=colour, linewidth=width, linestyle="-", **style.PLAIN) for colour, width in lines]
        labels = ["the function", "its derivative"]
        if any(panel.saturates for panel in both):
            handles.append(Patch(facecolor=style.SATURATED, edgecolor="none"))
            labels.append(f"saturated: |derivative| < {LITTLE}, little is learned here")
        style.legend(made, handles, labels)


def key(made, function, slope, left, top):
    """The legend beside a family: the colours of each value in both panels."""
    from matplotlib.lines import Line2D

    across, down = made.get_size_inches()
    entries = zip(shades("function", len(function.values)), shades("slope", len(function.values)), slope.keys, strict=True)
    for i, (*colours, text) in enumerate(entries):
        y = 1 - (top + 0.1 + 0.155 * i) / down
        for j, colour in enumerate(colours):
            ends = [(left + 0.27 * j) / across, (left + 0.27 * j + 0.22) / across]
            made.add_artist(Line2D(ends, [y, y], color=colour, linewidth=2, linestyle="-", **style.PLAIN))
        style.write(made, (left + 0.6) / across, y, text, KEY_SIZE, va="center_baseline", ha="left")


def words(chosen):
    """The title and the description of the picture."""
    names = " and ".join(one.name for one in chosen) if len(chosen) < 4 else f"{len(chosen)} activation functions"
    kinds = "; ".join(f"{one.name}(x) = {one.definition}" if len(chosen) < MANY else one.name for one in chosen)
    return f"{names} with {'its derivative' if len(chosen) == 1 else 'their derivatives'}", f"Curves of {kinds}."
