"""The generator translates every formula of formulas.py to C, and names what it cannot translate."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from fastact import formulas, fused
from fastact.compiled import codegen
from fastact.declare import FUSED
from fastact.numpy_backend import words
from fastact.numpy_backend.double_double import Pair

from checkout import ROOT
from passes import DECLARED, DTYPES

PAGE = '''"""A page."""
from .declare import activation


@activation
def shape(x, alpha=1.0):
    """x"""
{body}
'''


def translate(tmp_path, body):
    """The C of a page with one formula."""
    page = tmp_path / "page.py"
    page.write_text(PAGE.format(body="\n".join("    " + line for line in body.splitlines())), encoding="utf-8")
    return codegen.translate(page)


def test_every_pass_has_one_row_and_one_function():
    """The C table has one row {name, arrays, parameters, outputs, memory_bound, wide, blocks} for each pass, and one function."""
    text = codegen.translate()
    row = r'^    {"(\w+)", (\d), (\d), (\d), [01], ([01]), \(any_block \*\)\1_uniform, (NULL|\(any_block \*\)\1_general)},$'
    found = re.findall(row, text, re.M)
    kinds = dict(re.findall(r"^static void (\w+)_uniform\(.*\) \{ (direct|wide)_block\(\1_vectors, ", text, re.M))
    rows = {name: (*numbers, kinds[name]) for name, *numbers, _, _ in found}
    assert all((parameters == "0") == (general == "NULL") for _, _, parameters, _, _, general in found)
    assert all((wide == "1") == (kinds[name] == "wide") for name, *_, wide, _ in found)
    assert len(rows) == len(found)
    suffixes = {"forward": "", "backward": "_backward", "from_output": "_backward_from_output"}
    for one in DECLARED:
        kind = "wide" if one.wide else "direct"
        expected = str(one.operands), str(len(one.parameters)), str(one.outputs), kind
        assert rows.pop(one.activation + suffixes[one.kind]) == expected
    for name, one in FUSED.items():
        arrays, parameters, *others = rows.pop(name)
        assert one.inputs == int(arrays) + int(parameters)
        assert others == [str(one.results), "wide" if one.wide else "direct"]
    assert rows == {}
    functions = re.findall(r"^static ALWAYS_INLINE [VW] formula_(\w+)\(", text, re.M)
    assert sorted(name for name in functions if not name.startswith("_")) == sorted(kinds)


def test_the_line_of_each_formula_is_named():
    """The comment above each C function names the file and the line of its formula."""
    text = codegen.translate()
    for page in (formulas, fused):
        path = Path(page.__file__)
        lines = path.read_text(encoding="utf-8").splitlines()
        found = re.findall(rf"^/\* {path.name}:(\d+) \*/\nstatic ALWAYS_INLINE [VW] formula_(\w+)\(", text, re.M)
        assert found
        for line, name in found:
            assert re.match(rf"def {name}\(", lines[int(line) - 1])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return x + 1", "(x + C(1.0))"),
        ("return -x / 2", "((-x) / C(2.0))"),
        ("return x**3", "((x * x) * x)"),
        ("return maximum(x, 0)", "direct_maximum_number(x, C(0.0))"),
        ("return clip(x, -alpha, 2)", "direct_clip(x, (-alpha), C(2.0))"),
        ("return where(x <= 0, alpha, x)", "direct_where(LE(x, C(0.0)), alpha, x)"),
        ("return words.tanh(x)", "direct_tanh(x)"),
        ("return abs(x)", "direct_abs(x)"),
        ("z = x * alpha\nz = z + 1\nreturn z", "    V z = (x * alpha);\n    z = (z + C(1.0));\n    return z;"),
    ],
)
def test_each_construct_is_translated(tmp_path, body, expected):
    """Each construct that a formula may have becomes the C that it means."""
    assert expected in translate(tmp_path, body)


def test_a_formula_can_use_another(tmp_path):
    """A formula can call an activation that is declared above it."""
    page = tmp_path / "page.py"
    first, second = (
        f"@activation\ndef {name}(x):\n    return {value}\n" for name, value in (("first", "x"), ("second", "x * first(x)"))
    )
    page.write_text(first + second, encoding="utf-8")
    assert "(x * formula_first(x))" in codegen.translate(page)


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("return cosh(x)", 8, "unknown word 'cosh'"),
        ("return np.exp(x)", 8, "unknown word 'np.exp'"),
        ("return words.cosh(x)", 8, "unknown word 'words.cosh'"),
        ("return x * beta", 8, "unknown name 'beta'"),
        ("if x > 0:\n    return x\nreturn alpha", 8, "a formula has only assignments and a return, not 'if x > 0:'"),
        ("for i in x:\n    pass\nreturn x", 8, "a formula has only assignments and a return"),
        ("x += 1\nreturn x", 8, "a formula has only assignments and a return, not 'x += 1'"),
        ("return x if alpha else 0", 8, "no translation for 'x if alpha else 0' (IfExp)"),
        ("return x**alpha", 8, "the exponent in 'x ** alpha' must be one of the constants 2, 3, 4"),
        ("return x**0.5", 8, "the exponent in 'x ** 0.5' must be one of the constants 2, 3, 4"),
        ("return (x + 1)**2", 8, "give the base of '(x + 1) ** 2' a name first"),
        ("return exp(x, alpha)", 8, "'exp' takes 1 arguments, got 2"),
        ("return where(x > 0, x)", 8, "'where' takes 3 arguments, got 2"),
        ("return exp(x=x)", 8, "no translation for 'exp(x=x)' (Call)"),
        ("return maximum(x, key=alpha)", 8, "no translation for 'maximum(x, key=alpha)' (Call)"),
        ("return x and alpha", 8, "no translation for 'x and alpha' (BoolOp)"),
        ("return 0 < x < 1", 8, "no translation for '0 < x < 1' (Compare)"),
        ("return x == 1", 8, "no translation for 'x == 1' (Compare)"),
        ("return x % 2", 8, "no translation for 'x % 2' (BinOp)"),
        ("return x * True", 8, "no translation for 'True' (Constant)"),
        ("return x[0]", 8, "no translation for 'x[0]' (Subscript)"),
        ("z = x\nw = z * v\nreturn w", 9, "unknown name 'v'"),
        ("z = x", 6, "the formula 'shape' must end with a return"),
        ("return x, x, x, x", 8, "no translation for '(x, x, x, x)' (Tuple)"),
    ],
)
def test_formulas_without_a_translation_are_refused(tmp_path, body, line, message):
    """A formula that has no translation raises a FormulaError with its file, line and word."""
    with pytest.raises(codegen.FormulaError, match=re.escape(message)) as caught:
        translate(tmp_path, body)
    assert str(caught.value).startswith(f"{tmp_path / 'page.py'}:{line}: {message}")


def test_the_generator_imports_nothing_of_the_package():
    """The generator imports neither NumPy nor fastact, because setup.py runs it before there is a package."""
    tree = ast.parse(Path(codegen.__file__).read_text(encoding="utf-8"))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert imported == []
    assert "numpy" not in names
    assert "fastact" not in names


WIDE_PAGE = """from .declare import activation

SIXTH = constant("0.16666666666666666666666666666666667")


def _part(x):
    return exp(-x)


@activation(wide=True)
def shape(x, alpha=1.0):
{body}
"""


def translate_wide(tmp_path, body):
    """The C of a page with one wide formula."""
    page = tmp_path / "page.py"
    page.write_text(WIDE_PAGE.format(body="\n".join("    " + line for line in body.splitlines())), encoding="utf-8")
    return codegen.translate(page)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return x + 1", "wide_add(x, wide_number(1.0))"),
        ("return -x / 2", "wide_divide(wide_negative(x), wide_number(2.0))"),
        ("return x**3", "wide_multiply(wide_multiply(x, x), x)"),
        ("return x * SIXTH", "wide_multiply(x, wide_constant(0x1.5555555555555p-3, 0x1.5555555555555p-57))"),
        ("return where(x < alpha, x, 0)", "wide_where(f64_gt(wide_leading(alpha), wide_leading(x)), x, wide_number(0.0))"),
        ("return polynomial(x, 1, 1 / 2)", "wide_polynomial(x, 2, (const double[]){0x1.0000000000000p+0, 0x1.0000000000000p-1})"),
        ("return where(x > 0, x, _part(x))", "    if (f64_all(chosen)) return yes;"),
        ("return x, alpha", "    *second = alpha;\n    return x;"),
        ("return x, alpha, 1", "    *second = alpha;\n    *third = wide_number(1.0);\n    return x;"),
    ],
)
def test_each_wide_construct_is_translated(tmp_path, body, expected):
    """A wide formula becomes calls, its constants keep all digits, and where() may leave out a part that no lane needs."""
    assert expected in translate_wide(tmp_path, body)


def test_words_of_the_other_kind_are_refused(tmp_path):
    """A word that only wide formulas may use, or only the others, is refused by name in a formula of the other kind."""
    with pytest.raises(codegen.FormulaError, match=r"page.py:8: 'log1p' is for wide formulas"):
        translate(tmp_path, "return log1p(x)")
    with pytest.raises(codegen.FormulaError, match=r"page.py:12: 'sigmoid' is for formulas that are not wide"):
        translate_wide(tmp_path, "return words.sigmoid(x)")


def test_words_are_the_same_in_python_and_in_c():
    """Every word of words.py is in C for each kind of formula that may use it, with the same number of arguments."""
    source = ROOT / "src_c"
    if not source.exists():
        pytest.skip("src_c is not beside the tests")
    math = {path.name: path.read_text(encoding="utf-8") for path in (source / "math").glob("*.h")}
    units = {
        "direct": math["words.h"],
        "wide, of floats": math["float_wide.h"] + math["wide.h"] + math["sine.h"],
        "wide, of doubles": math["double_wide.h"] + math["wide.h"] + math["sine.h"],
    }
    for word, count in codegen.read_words(Path(words.__file__)).items():
        for unit, text in units.items():
            kind = unit.partition(",")[0]
            if word in {"direct": words.WIDE_ONLY, "wide": words.DIRECT_ONLY}[kind]:
                continue
            defined = re.findall(rf"^static (?:ALWAYS_INLINE|inline) (?:[VW]|f64_v) {kind}_{word}\(([^)]*)\)", text, re.M)
            assert len(defined) == 1, f"{word} is not in C, {unit}"
            assert count in (None, len(defined[0].split(","))), f"{word} takes another number of arguments in C, {unit}"


def test_words_keep_the_kind_of_their_arguments():
    """In the fallback each word takes arrays of both dtypes, or pairs in wide formulas, and gives the same kind."""
    for word, count in codegen.read_words(Path(words.__file__)).items():
        function = getattr(words, word)
        kinds = [np.array([0.25, 0.5], dtype) for dtype in DTYPES] if word not in words.WIDE_ONLY else [np.array([0.25, 0.5])]
        if word not in words.DIRECT_ONLY:
            kinds.append(Pair(np.array([0.25, 0.5]), np.zeros(2)))
        for x in kinds:
            given = [x] * (count or 2)
            if word == "where":
                given[0] = x > 0
            if word == "polynomial":
                given[1:] = [0.5]
            result = function(*given)
            assert type(result) is type(x) or word == "polynomial", word
            assert isinstance(x, Pair) or word == "polynomial" or result.dtype == x.dtype, word
