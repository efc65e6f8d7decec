"""The LaTeX of the declarations' formulas means what the formulas mean, and matplotlib can draw it."""

import math
import re

import numpy as np
import pytest

import fastact  # noqa: F401  (fills ACTIVATIONS)
from fastact.declare import ACTIVATIONS
from fastact.docstrings.mathtext import latex

TEXTS = {f"{one.name} {kind}": (one, getattr(one, kind)) for one in ACTIVATIONS.values() for kind in ("definition", "slope")}
each_text = pytest.mark.parametrize("name", TEXTS)

WORDS = {name: getattr(math, name) for name in ("exp", "tanh", "cosh", "sin", "sqrt", "log", "erf", "erfc", "pi")}
WORDS |= {"max": max, "min": min, "abs": abs, "sigmoid": lambda x: 1 / (1 + math.exp(-x))}
BACK = {
    r"\sigma": "sigmoid",
    r"\ln": "log",
    r"\alpha": "alpha",
    r"\beta": "beta",
    r"\lambda": "lambd",
    r"\varepsilon": "eps",
    r"\pi": "pi",
    r"\leq": "<=",
    r"\geq": ">=",
    r"\quad": "",
    r"\ ": " ",
    r"\,": "*",
    r"\cdot": "*",
    r"\tanh": "tanh",
    r"\cosh": "cosh",
    r"\sin": "sin",
    r"\max": "max",
    r"\min": "min",
    ";": ",",
    ", else": " else",
}


def back(text):
    """Python from LaTeX on one line. It replaces one symbol after the other, and shares no code with `latex`."""
    text = re.sub(r"\\mathrm\{([^}]*)\}", lambda found: found[1].replace(r"\_", "_"), text)
    for symbol, word in BACK.items():
        text = re.sub(re.escape(symbol) + ("(?![a-z])" if symbol[-1].isalpha() else ""), word, text)
    text = text.replace(",  else", " else").replace(", else", " else")
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text)
    text = re.sub(r"(tanh|cosh|sin)\^\{2\}(\((?:[^()]|\([^()]*\))*\))", r"\1\2**2", text)
    while found := re.search(r"(\\sqrt|\be\^|\^)\{([^{}]*)\}", text):
        opening = {r"\sqrt": "sqrt(", "e^": "exp(", "^": "**("}[found[1]]
        text = text[: found.start()] + opening + found[2] + ")" + text[found.end() :]
    return text


def values(text, names):
    """The value of a formula, evaluated as Python. "with s = ..." is computed first."""
    main, _, short = text.partition(" with ")
    if short:
        name, _, meaning = short.partition("=")
        names = {**names, name.strip(): eval(meaning.strip(), WORDS, names)}
    return np.array(eval(main, WORDS, names))


@each_text
def test_latex_means_what_the_formula_means(name):
    """The LaTeX, translated back to Python, gives the same numbers as the formula."""
    one, text = TEXTS[name]
    numbers = {name: {"eps": 0.1}.get(name, 0.75 + 0.1 * i) for i, name in enumerate(one.parameters)}
    for x in (-3.3, -0.7, 0.2, 0.6, 2.9):
        if one.name == "logit" and not 0 < x < 1:
            continue
        names = {**dict(zip(one.operands, (x, 0.3), strict=False)), **numbers, "x": x}
        names = {**names, **({"target": 0.3} if one.name == "binary_cross_entropy" else {})}
        expected = values(text, names)
        rtol = 1e-3 if re.search(r"\d{8}", text) else 1e-12  # the LaTeX rounds a long number
        assert np.allclose(values(back(latex(text)), names), expected, rtol), back(latex(text))
        # `latex` can put numbers in place of names. It leaves out factors that are 1.
        for given in (numbers, dict.fromkeys(numbers, 1), dict.fromkeys(numbers, 0.5)):
            put = back(latex(text, given))
            assert np.allclose(values(put, {**names, **given}), values(text, {**names, **given}), rtol=1e-3), put


@each_text
def test_matplotlib_can_draw_the_latex(name):
    """matplotlib draws it with the names of parameters and with their numbers."""
    parser = pytest.importorskip("matplotlib.mathtext").MathTextParser("path")
    one, text = TEXTS[name]
    for given in ({}, one.values):
        assert parser.parse(f"${latex(text, given)}$").width > 0


@each_text
def test_the_display_form_is_well_formed(name):
    r"""Brackets and \left ... \right come in pairs, each case has a condition, and a slash stands only in a power."""
    text = latex(TEXTS[name][1], display=True)
    for opening, closing in (("{", "}"), ("(", ")"), (r"\left", r"\right"), (r"\begin{cases}", r"\end{cases}")):
        assert text.count(opening) == text.count(closing)
    power = r"\^\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
    assert "/" not in re.sub(power, "", text)
    for cases in re.findall(r"\\begin\{cases\}(.*?)\\end\{cases\}", text):
        assert all(line.count("&") == 1 for line in cases.split(r" \\ "))


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("1 / (1 + exp(-x))", {}, r"1/(1 + e^{-x})"),
        ("x if x > 0 else alpha * (exp(x) - 1)", {"alpha": 1.0}, r"x\ \mathrm{if}\ x > 0,\ \mathrm{else}\ e^{x} - 1"),
        ("x / (1 + exp(-beta * x))", {"beta": 1}, r"x/(1 + e^{-x})"),
        ("x / (1 + exp(-beta * x))", {"beta": np.float64(2.5)}, r"x/(1 + e^{-2.5\,x})"),
        ("min(max(slope * x + offset, min_val), 1)", {"slope": 1, "offset": 0, "min_val": -1}, r"\min(\max(x, -1), 1)"),
        ("a / b * c", {}, r"(a/b)\,c"),
        ("a / (b * c)", {}, r"a/(b\,c)"),
        ("a - (b - c)", {}, r"a - (b - c)"),
        ("a - b", {"b": -2}, r"a - (-2)"),
        ("(-x)**2", {}, r"(-x)^{2}"),
        ("(x**2)**3", {}, r"(x^{2})^{3}"),
        ("1.0507009873554805 * x", {}, r"1.051\,x"),
        ("0.044715 * x", {}, r"0.044715\,x"),
        ("2 * 3", {}, r"2 \cdot 3"),
        ("x * 1e-5", {}, r"x \cdot 10^{-5}"),
        ("x * 2e-5", {}, r"x \cdot 2 \cdot 10^{-5}"),
        ("d/dx (x / 2)", {}, r"d/dx\,(x/2)"),
    ],
)
def test_the_form_on_one_line(text, given, expected):
    """The LaTeX is what a person would write: few brackets, no factors that are 1, rounded numbers."""
    assert latex(text, given) == expected


def test_the_display_form():
    """The display form has fractions and cases. A sign stands before the fraction."""
    assert latex("-x / 2", display=True) == r"-\frac{x}{2}"
    assert latex("0 if x <= -1 else x / 4 if x < 1 else x", display=True) == (
        r"\begin{cases} 0 & \text{if } x \leq -1 \\ \frac{x}{4} & \text{if } x < 1 \\ x & \text{else} \end{cases}"
    )
    assert latex("tanh(s) with s = log(x)", display=True) == r"\tanh(s)\quad \mathrm{with}\quad s = \ln(x)"


@pytest.mark.parametrize("text", ["x +", "x[0]", "lambda: x", "not x", "a @ b", "a.b(x)"])
def test_what_is_no_formula_is_refused(text):
    """Text that is no formula raises a ValueError that says so."""
    with pytest.raises(ValueError, match=r"^no (formula|LaTeX)"):
        latex(text)
