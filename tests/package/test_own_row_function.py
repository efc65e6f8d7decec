"""A function along an axis or a loss, added to the end of one page and nowhere else, works like the others in every backend.

No C is compiled anew: the core has no loop for it, so its NumPy formula serves. A variant of softmax uses the loops of softmax.
"""

import re
import shutil
from pathlib import Path

import pytest

import fastact

from building import run
from checkout import ROOT

PAGES = {
    "rows": '''

@along_axis(
    source="nobody",
    options=MASK,
    absent=0.0,
    example=("fa.share_of_squares(np.array([3.0, 4.0]))",),
    plain="x**2 / (x**2).sum(axis=axis, keepdims=True)",
)
def share_of_squares(x, masking=()):
    """x**2 / sum(x**2)

    How much of a row's energy each entry has.
    """
    squares = _counted_squares(x, masking)
    total = squares.sum()
    return x.with_entries(lambda part: squares(part) / total)


@share_of_squares.derivative(example=("fa.share_of_squares_backward(np.array([1.0, 0.0]), np.array([3.0, 4.0]))",))
def share_of_squares_backward(grad, x, masking=()):
    """2 * x * (grad - sum(grad * y)) / sum(x**2)"""
    squares = _counted_squares(x, masking)
    total = squares.sum()
    mean = x.with_entries(lambda part: np.where(squares(part) > 0, grad(part), 0) * squares(part)).sum() / total
    return x.with_entries(lambda part: 2.0 * x(part) * (grad(part) - mean) / total)


def _counted_squares(x, masking):
    squares = x.with_entries(lambda part: np.square(x(part), dtype=np.float64))
    return x.with_entries(lambda part: np.where(masking.kept(part), squares(part), 0)) if masking else squares


@along_axis(
    source="nobody",
    reduces=True,
    requires=["factor > 0"],
    explained={"factor": "Multiplies the mean, positive."},
    edges="A row with a NaN is NaN.",
    plain="(x**2).mean(axis=axis)",
)
def mean_of_squares(x, factor=1.0):
    """factor * sum(x**2) / n"""
    return factor * x.with_entries(lambda part: np.square(x(part), dtype=np.float64)).sum() / x.n


@along_axis(
    **PROBABILITIES,
    variant_of=softmax,
    options=MASK,
    fixed={"scale": -0.5},
    source="nobody",
    example=("fa.half_softmin(np.array([3.0, 4.0]))",),
    plain="(e := np.exp((x.min(axis=axis, keepdims=True) - x) / 2)) / e.sum(axis=axis, keepdims=True)",
)
def half_softmin(x):
    """exp(-x / 2) / sum(exp(-x / 2))"""


@half_softmin.derivative_from_output(example=("fa.half_softmin_backward(np.array([1.0, 0.0]), y=np.array([0.2, 0.8]))",))
def half_softmin_backward(grad, y):
    """y * (sum(grad * y) - grad) / 2"""
''',
    "losses": '''

from .rows import softmax


@loss(
    source="G. W. Brier (1950), Verification of forecasts expressed in terms of probability",
    requires=["factor > 0"],
    explained={"factor": "Multiplies the loss, positive."},
    examples={"loss": ("fa.brier(np.zeros((1, 2)), np.array([1]))",)},
)
def brier(logits, target, factor=1.0):
    """factor * sum((softmax(logits) - target)**2)

    The squared distance of the probabilities from the truth.
    """
    y = softmax(logits)
    return factor * logits.with_entries(lambda part: np.square(y(part) - target(part))).sum()


@brier.derivative
def brier_backward(grad, logits, target, factor):
    """2 * grad * factor * y * (d - sum(d * y)) with y = softmax(logits) and d = y - target"""
    y = softmax(logits)
    d = logits.with_entries(lambda part: y(part) - target(part))
    mean = logits.with_entries(lambda part: d(part) * y(part)).sum()
    return logits.with_entries(lambda part: 2 * grad * factor * y(part) * (d(part) - mean))
''',
    "fused": '''

@element_loss("quartic_error", source="nobody", first="outputs", parameters={"factor": 1.0}, explained={"factor": "A weight."})
@fused(operands=2, results=2)
def quartic_error_both(outputs, target, grad, factor):
    """factor * (outputs - target)**4 and its gradient

    The fourth power of the difference.
    """
    difference = outputs - target
    square = difference * difference
    return factor * square * square, 4 * grad * factor * square * difference
''',
}
EACH_BACKEND = ("numpy", "compiled") if fastact.backend == "compiled" else ("numpy",)
OWN_ROWS = "_of_squares or half_softmin"
CHECKS = Path(__file__).parent / "own_row_checks.py"


@pytest.mark.parametrize("backend", EACH_BACKEND)
@pytest.mark.parametrize("page", PAGES)
def test_one_declaration_is_all(tmp_path, page, backend):
    """own_row_checks.py says what is tried: values, gradients, dtypes, keywords, docstring, tables."""
    elsewhere, variables = with_declarations(tmp_path, page)
    assert run(elsewhere, CHECKS, page, FASTACT_BACKEND=backend, **variables) == f"all right: {page}, {backend}\n"


@pytest.mark.build
@pytest.mark.parametrize("page, names, least", [("rows", OWN_ROWS, 100), ("losses", "brier", 10)], ids=["rows", "losses"])
def test_the_suite_takes_them(tmp_path, page, names, least):
    """The tests that are parametrized by declarations pass, with no table of theirs changed."""
    elsewhere, variables = with_declarations(tmp_path, page)
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml", ROOT / "tests"]
    variables |= {"FASTACT_BACKEND": fastact.backend, "FASTACT_EXPECT": fastact.backend}
    summary = run(elsewhere, *command, "-m", "not build", "-k", names, **variables).splitlines()[-1]
    passed = re.match(r"(\d+) passed", summary)
    assert passed, summary
    assert int(passed[1]) > least, summary


def with_declarations(folder, page):
    """A copy of the package with the declarations of PAGES: a folder to be in, and the variables with which Python finds it."""
    source, site, elsewhere = Path(fastact.__file__).parent, folder / "site", folder / "elsewhere"
    shutil.copytree(source, site / "fastact", ignore=shutil.ignore_patterns("__pycache__"))
    with (site / "fastact" / f"{page}.py").open("a", encoding="utf-8") as text:
        text.write(PAGES[page])
    elsewhere.mkdir()
    return elsewhere, {"PYTHONPATH": str(site)}
