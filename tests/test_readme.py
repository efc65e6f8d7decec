"""README.md says what is true: its example runs, its table is current, its activation in ten lines translates."""

import re
import runpy
import types
from pathlib import Path

import pytest

import fastact
from fastact import codegen, formulas, words

README = Path(__file__).parent.parent / "README.md"
BENCHMARKS = README.parent / "benchmarks"


def blocks(language):
    """The code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_examples():
    """They run as they stand, one after the other."""
    *examples, _ = blocks("python")
    exec(compile("\n".join(examples), "README.md", "exec"), {})


def test_tables_are_current():
    """`python benchmarks/readme_table.py` would change nothing, and every function has its row."""
    table = types.SimpleNamespace(**runpy.run_path(str(BENCHMARKS / "readme_table.py")))
    text = README.read_text(encoding="utf-8")
    assert text == table.current()
    for name in fastact.__all__:
        if callable(getattr(fastact, name)) and not name.endswith("_backward"):
            assert re.search(rf"^\| .*`{name}[(`]", text, re.M)


def test_ten_lines(tmp_path):
    """The activation that it adds to the formulas page becomes C."""
    page = tmp_path / "formulas.py"
    page.write_text(Path(formulas.__file__).read_text(encoding="utf-8") + "\n\n" + blocks("python")[-1], encoding="utf-8")
    text = codegen.translate(page, Path(words.__file__))
    assert "KERNEL(shifted_relu, 1, 1, 1, DIRECT)" in text
    assert "KERNEL(shifted_relu_backward, 2, 1, 1, DIRECT)" in text


@pytest.mark.parametrize("command", ["bench", "test"])
def test_commands(command):
    """Each command stands in one block, on one line, after the marker by which .ci/run finds it."""
    assert re.search(rf"<!-- {command} command -->\n```sh\npython3 -m venv [^\n]*\n```\n", README.read_text(encoding="utf-8"))
