"""The common parts of all pictures: colours, type, panels, saving.

All settings are explicit. matplotlib's rcParams belong to the user: they do not change a picture, and no picture changes them.
"""

import math
import os
import threading

# One colour for a function and one for its derivative, everywhere.
FUNCTION, DERIVATIVE, SATURATED = "#1f5ca6", "#d0435b", "#f4e4d1"
INK, QUIET, FAINT = "#222222", "#5f5f5f", "#b5b5b5"
# Activations side by side.
BY_NAME = {
    "sigmoid": DERIVATIVE,
    "tanh": "#d98a2b",
    "relu": FUNCTION,
    "leaky_relu": "#1f9684",
    "elu": "#6a4c93",
    "selu": "#7a6a4f",
}
# Implementations side by side: ours first.
CONTESTANTS = (FUNCTION, "#d98a2b", "#1f9684", "#6a4c93", DERIVATIVE)

# A line without markers.
PLAIN = {"marker": "None", "solid_capstyle": "butt", "solid_joinstyle": "round", "dash_capstyle": "butt"}

FONT = "DejaVu Sans"  # matplotlib brings it along
DPI = 100
MISSING = 'pictures need matplotlib, which is not installed: pip install "fastact[plot]"'

_saving = threading.Lock()


def require():
    """Refuse to go on without matplotlib."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ImportError(MISSING) from None


def figure(width, height, title, description):
    """An empty picture of so many inches; the title and the description are for those who cannot see it."""
    require()
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), dpi=DPI, facecolor="white", edgecolor="white", layout="none")
    made.set_label(f"{title}\n{description}")
    return made


def panel(made, left, top, width, height):
    """Axes at a place in inches, from the left and from the top: two quiet spines, no grid."""
    across, down = made.get_size_inches()
    place = (left / across, 1 - (top + height) / down, width / across, height / down)
    axes = made.add_axes(place, facecolor="white", axisbelow=True, xscale="linear", yscale="linear")
    axes.grid(False, which="both")
    axes.minorticks_off()
    for side, spine in axes.spines.items():
        spine.set(visible=side in ("left", "bottom"), color=FAINT, linewidth=0.8)
    axes.tick_params(
        which="both", direction="out", length=3, width=0.8, pad=3, color=FAINT, labelcolor=QUIET, labelsize=7.5,
        labelfontfamily=FONT, bottom=True, left=True, top=False, right=False, labelbottom=True, labelleft=True,
        labeltop=False, labelright=False, labelrotation=0,
    )  # fmt: skip
    for axis, placed in ((axes.xaxis, ("center", "top")), (axes.yaxis, ("right", "center_baseline"))):
        plainly(axis.get_major_ticks(1)[0].label1, *placed)  # the other ticks are made like the first
    return axes


def plainly(text, across=None, up=None):
    """Make a text that matplotlib wrote independent of rcParams."""
    text.set(usetex=False, antialiased=True, math_fontfamily="dejavusans")
    if across:
        text.set(ha=across, va=up)


def font(size, bold=False):
    """The keywords of a text."""
    return {
        "fontfamily": FONT, "math_fontfamily": "dejavusans", "fontsize": size, "fontweight": "bold" if bold else "normal",
        "fontstyle": "normal", "usetex": False, "parse_math": True, "antialiased": True,
    }  # fmt: skip


def write(where, x, y, text, size=8, colour=INK, bold=False, **placing):
    """A text in a figure (in its fractions) or in axes (in their data)."""
    return where.text(x, y, text, color=colour, **font(size, bold), **placing)


def line(axes, x, y, colour=FUNCTION, width=1.8, style="-", **options):
    """A line without markers."""
    return axes.plot(x, y, color=colour, linewidth=width, linestyle=style, **{**PLAIN, **options})[0]


def dots(axes, x, y, colour, size=6, **options):
    """Markers without a line."""
    return axes.plot(
        x, y, linestyle="None", markersize=size, color=colour,
        **{"marker": "o", "markerfacecolor": colour, "markeredgecolor": colour, "markeredgewidth": 1.2, **options},
    )[0]  # fmt: skip


def legend(made, handles, labels, top=0.12, size=9, **where):
    """A legend in one row, `top` inches below the upper edge."""
    from matplotlib.font_manager import FontProperties

    legend = made.legend(
        handles, labels, loc="upper center", bbox_to_anchor=(0.5, 1 - top / made.get_size_inches()[1]), ncols=len(labels),
        frameon=False, prop=FontProperties(family=FONT, size=size), labelcolor=INK, borderpad=0, borderaxespad=0,
        handlelength=2.2, handleheight=0.7, handletextpad=0.7, columnspacing=2.2, numpoints=1, markerscale=1, **where,
    )  # fmt: skip
    for text in legend.get_texts():
        plainly(text)
    return legend


def extent(text, size, bold=False):
    """The width and height of a text in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    properties = FontProperties(family=FONT, size=size, weight="bold" if bold else "normal", math_fontfamily="dejavusans")
    width, height, _ = text_to_path.get_text_width_height_descent(text, properties, ismath="$" in text)
    return width / 72, height / 72


class Ticks:
    """At most so many ticks on an axis from low to high, and their labels."""

    def __init__(self, low, high, most):
        from matplotlib.ticker import MaxNLocator

        self.locator = MaxNLocator(nbins=most, steps=[1, 2, 3, 5, 10], min_n_ticks=1)
        values = self.locator.tick_values(low, high)
        self.values = [float(value) for value in values if low <= value <= high]
        self.labels = [self.label(value) for value in self.values]

    @property
    def width(self):
        """The width of the widest label, in inches."""
        return max((extent(label, 7.5)[0] for label in self.labels), default=0)

    def fit(self, length):
        """Whether the labels have room side by side on so many inches."""
        return len(self.labels) * (self.width + 0.08) <= length

    def label(self, value, position=None, step=None):
        """The label of a tick, with enough digits to tell the ticks apart."""
        step = step or (self.values[1] - self.values[0] if len(self.values) > 1 else abs(value) or 1)
        largest = max(map(abs, self.values), default=1)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        if largest < 1e5 and decimals < 5:
            text = f"{value:.{decimals}f}"
        elif abs(value) < step / 2:
            text = "0"
        else:
            digits = max(0, math.floor(math.log10(abs(value)) + 1e-9) - math.floor(math.log10(step) + 1e-9))
            mantissa, exponent = f"{value:.{digits}e}".split("e")
            text = f"{mantissa}e{int(exponent)}"
        return signed(text)

    def on(self, axis):
        """Give the axis its ticks. They change when somebody zooms in a window."""
        from matplotlib.ticker import FuncFormatter

        def label(value, position):
            places = axis.get_majorticklocs()
            return self.label(value, step=float(places[1] - places[0]) if len(places) > 1 else None)

        axis.set_major_locator(self.locator)
        axis.set_major_formatter(FuncFormatter(label))


def ticks(low, high, length, most=5):
    """As many ticks as have room on so many inches, side by side."""
    return next((made for count in range(most, 1, -1) if (made := Ticks(low, high, count)).fit(length)), Ticks(low, high, 1))


def signed(text):
    """A number with a minus sign in place of its hyphen."""
    return text.replace("-", "\N{MINUS SIGN}")


def endings():
    """The file formats that matplotlib can write."""
    require()
    from matplotlib.backend_bases import FigureCanvasBase

    return sorted(FigureCanvasBase.get_supported_filetypes())


def save(figure, path):
    """Write a picture to a file, in the format of the file's ending: the same bytes whenever it is called.

    An SVG (and a PNG and a PDF) has the picture's title and description in its metadata, for readers that cannot see it. Its
    text is drawn as paths, so that it looks the same everywhere.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Made by a function of `fastact.plots`.
    path : str or path
        Such as "functions.svg".

    Examples
    --------
    >>> import fastact.plots
    >>> fastact.plots.save(fastact.plots.functions("silu"), "silu.svg")  # doctest: +SKIP
    """
    require()
    import matplotlib

    title, _, description = str(figure.get_label()).partition("\n")
    kind = os.path.splitext(path)[1].lower()
    metadata = {
        ".svg": {"Title": title, "Description": description, "Date": None},
        ".svgz": {"Title": title, "Description": description, "Date": None},
        ".png": {"Title": title, "Description": description, "Software": None},
        ".pdf": {"Title": title, "Subject": description, "CreationDate": None},
    }.get(kind)
    settings = {"svg.hashsalt": "fastact", "svg.fonttype": "path", "savefig.bbox": None, "savefig.transparent": False}
    # savefig would give these to a figure without a layout engine.
    settings |= {"figure.autolayout": False, "figure.constrained_layout.use": False}
    # Only these settings are put back: rc_context would undo what another thread sets meanwhile.
    with _saving:
        before = {name: matplotlib.rcParams[name] for name in settings}
        matplotlib.rcParams.update(settings)
        try:
            figure.savefig(path, dpi=DPI, facecolor="white", edgecolor="white", metadata=metadata)
        finally:
            matplotlib.rcParams.update(before)
