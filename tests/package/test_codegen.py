"""The generator: formulas.py to C, and what it says about a formula that has no translation."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from fastact import formulas, fused_formulas
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
    """KERNEL(name, arrays, parameters, outputs, kind) for each pass of the registry, each with its function."""
    text = codegen.translate()
    suffixes = {"forward": "", "backward": "_backward", "from_output": "_backward_from_output"}
    expected = [
        (
            one.activation + suffixes[one.kind],
            str(one.operands),
            str(len(one.parameters)),
            str(one.outputs),
            "WIDE" if one.declared.wide and one.kind != "from_output" else "DIRECT",
        )
        for one in DECLARED
    ]
    for name, one in FUSED.items():
        text_of = re.search(rf"KERNEL\({name}, (\d), (\d), ", text)
        assert one.inputs == int(text_of[1]) + int(text_of[2])
        expected.append((name, *text_of.groups(), str(one.results), "WIDE" if one.wide else "DIRECT"))
    rows = re.findall(r"^KERNEL\((\w+), (\d), (\d), (\d), (\w+)\)$", text, re.M)
    assert sorted(rows) == sorted(expected)
    functions = re.findall(r"^static inline [VW] FN\(formula_(\w+)\)\(", text, re.M)
    assert sorted(name for name in functions if not name.startswith("_")) == sorted(name for name, *_ in expected)


def test_the_line_of_each_formula_is_named():
    """A comment above each C function leads back to its formula."""
    text = codegen.translate()
    for page in (formulas, fused_formulas):
        path = Path(page.__file__)
        lines = path.read_text(encoding="utf-8").splitlines()
        found = re.findall(rf"^/\* {path.name}:(\d+) \*/\nstatic inline [VW] FN\(formula_(\w+)\)", text, re.M)
        assert found
        for line, name in found:
            assert re.match(rf"def {name}\(", lines[int(line) - 1])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return x + 1", "(x + C(1.0))"),
        ("return -x / 2", "((-x) / C(2.0))"),
        ("return x**3", "((x * x) * x)"),
        ("return maximum(x, 0)", "FN(maximum_number)(x, C(0.0))"),
        ("return clip(x, -alpha, 2)", "FN(clip)(x, (-alpha), C(2.0))"),
        ("return where(x <= 0, alpha, x)", "FN(where)(LE(x, C(0.0)), alpha, x)"),
        ("return words.tanh(x)", "FN(tanh)(x)"),
        ("return abs(x)", "FN(abs)(x)"),
        ("z = x * alpha\nz = z + 1\nreturn z", "    V z = (x * alpha);\n    z = (z + C(1.0));\n    return z;"),
    ],
)
def test_translations(tmp_path, body, expected):
    """One of each construct."""
    assert expected in translate(tmp_path, body)


def test_a_formula_can_use_another(tmp_path):
    """An activation declared above is a word."""
    page = tmp_path / "page.py"
    first, second = (
        f"@activation\ndef {name}(x):\n    return {value}\n" for name, value in (("first", "x"), ("second", "x * first(x)"))
    )
    page.write_text(first + second, encoding="utf-8")
    assert "(x * FN(formula_first)(x))" in codegen.translate(page)


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
def test_formulas_without_a_translation(tmp_path, body, line, message):
    """A FormulaError with file, line and word."""
    with pytest.raises(codegen.FormulaError, match=re.escape(message)) as caught:
        translate(tmp_path, body)
    assert str(caught.value).startswith(f"{tmp_path / 'page.py'}:{line}: {message}")


def test_the_generator_imports_nothing_of_the_package():
    """setup.py runs it before there is a package."""
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
        ("return x + 1", "FN(add)(x, NUMBER(1.0))"),
        ("return -x / 2", "FN(divide)(FN(negative)(x), NUMBER(2.0))"),
        ("return x**3", "FN(multiply)(FN(multiply)(x, x), x)"),
        ("return x * SIXTH", "FN(multiply)(x, FN(constant)(C(0x1.5555555555555p-3), C(0x1.5555555555555p-57)))"),
        ("return where(x < alpha, x, 0)", "FN(where)(LT(FN(leading)(x), FN(leading)(alpha)), x, NUMBER(0.0))"),
        ("return polynomial(x, 1, 1 / 2)", "FN(polynomial)(x, 2, (const double[]){0x1.0000000000000p+0, 0x1.0000000000000p-1})"),
        ("return where(x > 0, x, _part(x))", "    if (OP(all)(chosen)) return yes;"),
        ("return x, alpha", "    *second = alpha;\n    return x;"),
        ("return x, alpha, 1", "    *second = alpha;\n    *third = NUMBER(1.0);\n    return x;"),
    ],
)
def test_wide_translations(tmp_path, body, expected):
    """A wide formula is made of calls; constants keep the digits that a float lacks; a part may be left out."""
    assert expected in translate_wide(tmp_path, body)


def test_words_of_the_other_kind(tmp_path):
    """A word that only wide formulas have, or only the others, is named."""
    with pytest.raises(codegen.FormulaError, match=r"page.py:8: 'log1p' is for wide formulas"):
        translate(tmp_path, "return log1p(x)")
    with pytest.raises(codegen.FormulaError, match=r"page.py:12: 'sigmoid' is for formulas that are not wide"):
        translate_wide(tmp_path, "return words.sigmoid(x)")


def test_words_are_the_same_in_python_and_in_c():
    """Every word of words.py stands in C for each kind of formula that may use it, with as many arguments."""
    source = ROOT / "src_c"
    if not source.exists():
        pytest.skip("src_c is not beside the tests")
    pattern = r"^static inline [VW] FN\({}\)\(([^)]*)\)"
    files = {path.name: path.read_text(encoding="utf-8") for path in source.glob("*.h")}
    headers = [text for name, text in files.items() if name.startswith("simd_")]
    assert len(headers) >= 4
    direct = files["exp.h"] + files["words.h"]
    mid, pair = (
        (files["wide.h"] + files["sine.h"] + files[f"{name}.h"] + (files["exp.h"] if name == "mid" else "")).replace(
            f" {name}_", " FN("
        )
        for name in ("mid", "pair")
    )
    for word, count in codegen.read_words(Path(words.__file__)).items():
        kinds = ([direct] if word not in words.WIDE_ONLY else []) + ([mid, pair] if word not in words.DIRECT_ONLY else [])
        for text in kinds:
            defined = re.findall(pattern.format(word), text, re.M)
            defined += re.findall(rf"^static inline [VW] FN\({word}\(([^)]*)\)", text, re.M)  # a pair_word, as renamed above
            if not defined:
                assert text is direct
                assert all(f" f32_{word}(" in header and f" f64_{word}(" in header for header in headers), f"{word} is not in C"
            elif count is not None:
                assert len(defined[0].split(",")) == count, f"{word} takes another number of arguments in C"


def test_the_fallback_knows_the_same_words():
    """Each word is callable on what its formulas see, and keeps the kind: arrays of both dtypes, and pairs."""
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
