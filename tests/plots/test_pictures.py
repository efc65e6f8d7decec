"""In every picture no text touches another or leaves the figure.

The user's settings of matplotlib neither change a picture nor are changed by one.
"""

import concurrent.futures
import io
import re

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import matplotlib
from matplotlib import pyplot

from fastact import plots

import pictures

BY_NAME = {
    "all": plots.functions,
    "all, in a range": lambda: plots.functions(range=(-2000, 100)),
    "one": lambda: plots.functions("gelu"),
    "three": lambda: plots.functions("logit", "threshold", "snake"),
    "four": lambda: plots.functions("hard_shrink", "swiglu", "glu", "clipped_linear"),
    "nine": lambda: plots.functions("relu", "elu", "selu", "celu", "mish", "serf", "logish", "lisht", "softcap"),
    "a family of five": lambda: plots.functions("silu", beta=[0.1, 0.5, 1, 2, 10]),
    "families and one more": lambda: plots.functions("gelu", "elu", "threshold", "celu", alpha=np.linspace(0.25, 2, 8)),
    "a large family": lambda: plots.functions(min_val=[-4, -3, -2, -1], max_val=[0.125, 1, 2, 3]),
    "an option": lambda: plots.functions("gelu", approximate=["none", "tanh"]),
    "a family with poles": lambda: plots.functions("logit", eps=[None, 0.01, 0.1]),
    "tiny": lambda: plots.functions("sigmoid", "relu_squared", "logit", "snake", range=(-1e-30, 2e-30)),
    "huge": lambda: plots.functions("sigmoid", "relu_squared", "softcap", "snake", range=(-1e30, 1e30)),
    "narrow": lambda: plots.functions("sigmoid", "relu", "snake", range=(1000, 1000.0003)),
    "undefined": lambda: plots.functions("logit", range=(2, 3)),
    "errors": lambda: plots.errors("silu"),
    "errors, exact": lambda: plots.errors("relu"),
    "errors, a domain": lambda: plots.errors("logit"),
    "errors, a gated pair": lambda: plots.errors("swiglu"),
    "speed": lambda: plots.speed(pictures.RECORD),
    "speed, small": lambda: plots.speed(pictures.RECORD, size=16),
    "gradients": plots.gradients,
    "fit-sine": plots.fit_sine,
}


def png(figure):
    """The bytes of a picture as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None}, dpi=50)
    return file.getvalue()


@pytest.mark.parametrize("name", BY_NAME)
def test_nothing_touches_and_nothing_is_cut(name):
    """`pictures.faults`, which compares the boxes of all text, finds no fault."""
    assert pictures.faults(BY_NAME[name]()) == []


def test_faults_are_found():
    """`pictures.faults` finds a fault of each kind."""
    figure = plots.functions("relu")
    axes = figure.axes[0]
    axes.text(-6, 0, "crossed")
    axes.text(3, 0.5, "over")
    axes.text(3.2, 0.53, "another")
    figure.text(0.98, 0.5, "cut off")
    assert {re.sub("'[^']*'", "it", fault) for fault in pictures.faults(figure)} == {
        "a line goes through it",
        "it touches it",
        "it leaves the figure",
    }


@pytest.mark.parametrize("name", ["three", "a family of five", "errors", "speed", "fit-sine"])
@pytest.mark.parametrize("style", ["dark_background", "ggplot", "seaborn-v0_8"])
def test_the_style_in_use_changes_no_picture(name, style):
    """A style in use does not change a picture. Drawing changes no setting, and leaves no figure in pyplot."""
    expected = png(BY_NAME[name]())
    with pyplot.style.context(style):
        before = dict(matplotlib.rcParams)
        figure = BY_NAME[name]()
        assert dict(matplotlib.rcParams) == before
    assert png(figure) == expected
    assert pyplot.get_fignums() == []


# Settings of matplotlibrc that users change, and that matplotlib reads while it draws.
SETTINGS = {
    "text.usetex": True,
    "mathtext.fontset": "cm",
    "lines.solid_capstyle": "round",
    "lines.marker": "o",
    "legend.numpoints": 3,
    "legend.markerscale": 3,
    "xtick.alignment": "left",
    "ytick.alignment": "top",
}


@pytest.mark.parametrize("name", ["three", "a family of five", "errors", "speed", "fit-sine"])
def test_no_setting_changes_a_picture(name):
    """Settings do not change a picture. With text.usetex too, LaTeX is not run, which may not be installed."""
    expected = png(BY_NAME[name]())
    with matplotlib.rc_context(SETTINGS):
        assert png(BY_NAME[name]()) == expected


def test_threads_that_draw_at_once_give_the_same_pictures():
    """Pictures that several threads draw at once are the same as those drawn alone."""
    names = ["one", "three", "speed", "a family of five"] * 2
    expected = {name: png(BY_NAME[name]()) for name in set(names)}
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for name, found in zip(names, threads.map(lambda name: png(BY_NAME[name]()), names), strict=True):
            assert found == expected[name]


@pytest.mark.parametrize("name", ["three", "a family of five", "errors", "speed", "fit-sine"])
def test_saved_bytes_are_the_same_each_time(name, tmp_path):
    """A saved file has a title and a description, but no date, so that its bytes are the same each time.

    Saving changes no setting.
    """
    figure, before = BY_NAME[name](), dict(matplotlib.rcParams)
    again = BY_NAME[name]()
    for ending in ("svg", "png", "pdf"):
        plots.save(figure, tmp_path / f"first.{ending}")
        plots.save(again, tmp_path / f"second.{ending}")
        assert (tmp_path / f"first.{ending}").read_bytes() == (tmp_path / f"second.{ending}").read_bytes()
    assert dict(matplotlib.rcParams) == before
    text = (tmp_path / "first.svg").read_text(encoding="utf-8")
    title, description = figure.get_label().split("\n")
    assert f"<title>{title}</title>" in text
    assert len(description) > 40
    assert description[:40] in text
    assert "<dc:date>" not in text
    assert "<text" not in text


@pytest.mark.parametrize("setting", ["figure.autolayout", "figure.constrained_layout.use"])
def test_saving_twice_under_a_layout_gives_the_same_bytes(setting, tmp_path):
    """A second save gives the same bytes, also with settings under which matplotlib lays a saved figure out again."""
    figure = plots.functions("relu")
    with matplotlib.rc_context({setting: True}):
        for name in ("first.png", "second.png"):
            plots.save(figure, tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_colours_are_the_same_in_all_pictures():
    """The curves of functions have one colour, and those of derivatives another."""
    for figure in (plots.functions(), plots.functions("mish")):
        for axes in figure.axes:
            assert [line.get_color() for line in axes.lines[2:]] == [plots.style.DERIVATIVE, plots.style.FUNCTION]
