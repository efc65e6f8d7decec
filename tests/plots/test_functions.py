"""The curves in pictures are the package's functions, with gaps where these jump, for the ranges and parameters asked for."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import fastact
from fastact import plots
from fastact.declare import ACTIVATIONS, Activation
from fastact.plots import curves, sheet


def lines(axes):
    """The (x, y) data of the curves in axes: the function's, then the derivative's."""
    slope, function = axes.lines[2:]
    return function.get_data(), slope.get_data()


def headings(figure):
    """The names of functions that a figure has as headings."""
    return [text.get_text() for text in figure.texts if text.get_fontweight() == "bold"]


def test_the_contact_sheet_has_every_function_of_one_array():
    """The sheet has every function of one array, in the order of the declarations, each with its formula."""
    figure = plots.functions()
    public = [one for one in ACTIVATIONS.values() if one.public and one.operands == ("x",)]
    assert headings(figure) == [one.name for one in public]
    assert len(figure.axes) == len(public)
    assert len(figure.texts) == 2 * len(public)


def test_a_new_function_is_on_the_sheet(monkeypatch):
    """A function that is declared appears on the sheet. Nothing else is needed."""

    def cube(x):
        """x**3"""

    monkeypatch.setattr("fastact.declare.ACTIVATIONS", ACTIVATIONS)
    before = dict(ACTIVATIONS)
    try:
        Activation(cube).derivative(cube)
        monkeypatch.setattr(fastact, "cube", lambda x: x**3, raising=False)
        monkeypatch.setattr(fastact, "cube_backward", lambda grad, x: 3 * grad * x**2, raising=False)
        figure = plots.functions()
        assert headings(figure)[-1] == "cube"
        (x, y), (slope_x, slope) = lines(figure.axes[-1])
        assert np.array_equal(y, x**3)
        assert np.array_equal(slope, 3 * slope_x**2)
    finally:
        ACTIVATIONS.clear()
        ACTIVATIONS.update(before)


@pytest.mark.parametrize("name", ["silu", "gelu", "softcap", "squareplus", "logit"])
def test_the_curves_are_the_functions(name):
    """Each point of a curve has the bits that the function gives."""
    (axes,) = plots.functions(name).axes
    (x, y), (slope_x, slope) = lines(axes)
    usual = ACTIVATIONS[name].values
    assert np.array_equal(y, getattr(fastact, name)(x, **usual), equal_nan=True)
    ones = np.ones_like(slope_x)
    assert np.array_equal(slope, getattr(fastact, name + "_backward")(ones, slope_x, **usual), equal_nan=True)


@pytest.mark.parametrize(
    ("name", "jumps", "slope_jumps"),
    [
        ("hard_sigmoid", [], [-3, 3]),
        ("hard_shrink", [-0.5, 0.5], [-0.5, 0.5]),
        ("threshold", [0.1], [0.1]),
        ("relu", [], [0]),
        ("selu", [], [0]),
        ("silu", [], []),
        ("sparse_plus", [], []),
    ],
)
@pytest.mark.parametrize("bounds", [None, (-5.3, 4.9), (-200, 100)])
def test_a_jump_is_a_gap(name, jumps, slope_jumps, bounds):
    """A curve has a gap at each jump, and nowhere else."""
    (axes,) = plots.functions(name, range=bounds).axes
    for (x, y), expected in zip(lines(axes), (jumps, slope_jumps), strict=True):
        gaps = np.flatnonzero(np.isnan(y))
        assert np.allclose(x[gaps], expected, rtol=0, atol=1e-6)
        assert np.all(np.diff(x) >= 0)


def test_the_curve_of_logit_ends_at_its_domain():
    """The curve of logit goes close to 0 and 1, where it has poles, and the picture shows its domain."""
    (axes,) = plots.functions("logit").axes
    assert np.allclose(axes.get_xlim(), (-0.05, 1.05), atol=1e-3)
    (x, y), _ = lines(axes)
    inside = x[np.isfinite(y)]
    assert 0 < inside[0] < 1e-9
    assert 1 - 1e-9 < inside[-1] < 1
    assert axes.get_ylim()[0] < -2 < 2 < axes.get_ylim()[1] < 50


def test_the_shade_is_where_the_derivative_is_small():
    """The shade covers the x where the derivative is small: for sigmoid |x| > 2.88, for relu x < 0."""
    for name, expected in (("sigmoid", [-7, -2.8872, 2.8872, 7]), ("relu", [-7, 0])):
        (axes,) = plots.functions(name).axes
        edges = []
        for path in axes.collections[0].get_paths():
            edges += [path.vertices[:, 0].min(), path.vertices[:, 0].max()]
        assert np.allclose(edges, expected, atol=1e-3)


def test_the_range_fits_the_function():
    """range= sets the range of x. Without it, the range is wide enough to show where a function bends and its plateau."""
    assert plots.functions("gelu", range=(-8, 8)).axes[0].get_xlim() == (-8, 8)
    assert plots.functions("gelu").axes[0].get_xlim() == sheet.RANGE
    assert plots.functions("softcap").axes[0].get_xlim()[1] > 20
    assert plots.functions("relu6").axes[0].get_ylim()[1] > 6
    assert 4 < plots.functions("relu").axes[0].get_ylim()[1] < 5


def test_several_values_of_a_parameter_give_a_family():
    """Each value of a parameter gives a curve with the value beside it. A function without the parameter has one curve."""
    figure = plots.functions("silu", "gelu", beta=[0.5, 1, np.float32(2)])
    function, slope, other = figure.axes
    for axes, name in ((function, "silu"), (slope, "silu_backward")):
        for line, beta in zip(axes.lines[2:], (0.5, 1, 2), strict=True):
            x, y = line.get_data()
            arguments = (x,) if name == "silu" else (np.ones_like(x), x)
            assert np.array_equal(y, getattr(fastact, name)(*arguments, beta=beta))
    assert len(other.lines) == 4
    texts = [text.get_text() for text in figure.texts]
    assert [text for text in texts if " = " in text] == ["beta = 0.5", "beta = 1", "beta = 2.0"]
    assert headings(figure) == ["silu", "derivative of silu", "gelu"]


def test_parameters_choose_the_functions():
    """With parameters and no names, every function that takes these parameters is drawn."""
    assert headings(plots.functions(beta=2)) == ["silu", "softplus"]
    assert headings(plots.functions(min_val=-2, max_val=2)) == ["clipped_linear", "hard_tanh"]


def test_a_gated_pair_is_drawn_over_its_gate():
    """A gated pair is drawn as a function of its gate, with a value of 1."""
    for name in ("swiglu", "glu"):
        figure = plots.functions(name)
        assert headings(figure) == [f"{name}, value = 1"]
        (x, y), (_, slope) = lines(figure.axes[0])
        assert np.allclose(y, fastact.silu(x) if name == "swiglu" else fastact.sigmoid(x))
        assert np.nanmax(slope) == pytest.approx(1.0998 if name == "swiglu" else 0.25, abs=1e-3)


def test_an_alias_draws_its_function():
    """An alias draws the same function, under the function's name."""
    assert headings(plots.functions("swish")) == ["silu"]


@pytest.mark.parametrize(
    ("names", "keywords", "message"),
    [
        (["sigmod"], {}, "no elementwise function 'sigmod': did you mean 'sigmoid'"),
        (["LeakyReLU"], {}, "did you mean 'leaky_relu'"),
        (["gelu_backward"], {}, "did you mean 'gelu'"),
        (["gelu_tanh"], {}, "it is gelu with approximate='tanh'"),
        (["convolution"], {}, "no elementwise function 'convolution': it can be sigmoid, expit, tanh"),
        (["softmax"], {}, "softmax cannot be drawn as a curve: it works along an axis"),
        (["gelu"], {"beta": 1}, "no parameter 'beta' here: gelu takes approximate"),
        (["silu", "elu"], {"slope": 1}, "no parameter 'slope' here: silu takes beta; elu takes alpha"),
        ([], {"gamma": 1}, "no parameter 'gamma' here: leaky_relu takes negative_slope; "),
        (["silu"], {"beta": []}, "argument beta must be a number or several, got none"),
        (["silu"], {"beta": range(17)}, "silu would have 17 curves: a family has at most 16"),
        (["celu"], {"alpha": [1, 0]}, "needs alpha != 0"),
        (["relu"], {"range": (1, 1)}, "argument range must be two finite numbers, the smaller first, got 1 and 1"),
        (["relu"], {"range": (0, np.inf)}, "two finite numbers"),
        (["relu"], {"range": (-1.5e308, 1.5e308)}, "two finite numbers"),
        (["relu"], {"range": 3}, "argument range must be two numbers, got 3"),
        (["relu"], {"range": (1e9, 1e9 + 1e-3)}, "too narrow to be drawn"),
        (["relu"], {"range": (-1e-320, 1e-320)}, "too narrow to be drawn"),
        (["relu"], {"range": (0, 1e-300)}, "too narrow to be drawn"),
        (["relu"], {"range": (-1e307, 1e307)}, "too wide to be drawn"),
        (["silu"], {"beta": np.ones((1, 2))}, "argument beta must be a number or several, got"),
    ],
)
def test_what_cannot_be_drawn_is_refused(names, keywords, message):
    """The error says what could be drawn."""
    with pytest.raises(ValueError, match=message):
        plots.functions(*names, **keywords)


@pytest.mark.parametrize("draw", [plots.functions, plots.errors])
@pytest.mark.parametrize("name", [["silu", "gelu"], ("silu",), None, 3])
def test_names_that_are_no_texts_are_refused(draw, name):
    """A name that is no text, such as a list of names, is refused."""
    with pytest.raises(TypeError, match=r"names of functions are texts, one by one, as in functions\('silu', 'gelu'\), got "):
        draw(name)


@pytest.mark.parametrize("end", [1e-99, 1e99])
def test_the_narrowest_and_the_widest_range_can_be_drawn(end, tmp_path):
    """The narrowest and the widest range are drawn without an overflow."""
    plots.save(plots.functions("silu", "relu", range=(-end, end)), tmp_path / "picture.png")


def test_a_wide_range_has_points_of_every_size():
    """A wide range also has points near 0, in order, and none outside it."""
    x = curves.places(-1e9, 1e6, 1001)
    assert np.all(np.diff(x) > 0)
    assert x[0] == -1e9
    assert x[-1] == 1e6
    assert ((np.abs(x) > 1) & (np.abs(x) < 10)).sum() > 4
