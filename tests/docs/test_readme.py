"""README.md and benchmarks/README.md are true: their examples run, and the parts that a program makes are current."""

import re
import runpy
import types
from pathlib import Path

import pytest

import fastact
from fastact import backends, formulas
from fastact.compiled import codegen
from fastact.numpy_backend import words

from checkout import README, ROOT, TABLES, blocks

PAGES = (README, TABLES, ROOT / "CONTRIBUTING.md", ROOT / "src_c" / "README.md")


@pytest.mark.parametrize("examples", [blocks("python")[:-1], blocks("python", TABLES)], ids=["README", "benchmarks"])
def test_examples_run(examples, tmp_path, monkeypatch):
    """The examples of a page run as they stand, one after the other."""
    monkeypatch.chdir(tmp_path)
    assert examples
    exec(compile("\n".join(examples), "README.md", "exec"), {})


@pytest.mark.parametrize(
    "document", [README, TABLES, ROOT / "docs" / "how-to" / "attention.md"], ids=["README", "benchmarks", "attention"]
)
def test_made_parts_are_current(document):
    """`python benchmarks/readme_table.py` would change nothing."""
    made = types.SimpleNamespace(**runpy.run_path(str(ROOT / "benchmarks" / "readme_table.py")))
    assert document in made.DOCUMENTS
    assert document.read_text(encoding="utf-8") == made.current(document)


def test_every_function_has_a_row_in_the_table():
    """benchmarks/README.md has a row for every function of arrays but backward passes."""
    text = TABLES.read_text(encoding="utf-8")
    for name in vars(backends.load(fastact.simd)):
        if not name.endswith("_backward"):
            assert re.search(rf"^\| .*`{name}[(`]", text, re.M), name


def test_the_readme_is_short():
    """README.md has at most 130 lines."""
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 130


@pytest.mark.skipif(not all(page.exists() for page in PAGES), reason="the pages are those of a checkout")
def test_links_lead_somewhere():
    """A link leads to a file that exists, and to a heading that the file has."""
    links = [(page, link) for page in PAGES for link in re.findall(r"\[[^]]*\]\(([^)]*)\)", page.read_text(encoding="utf-8"))]
    assert links
    for page, target in links:
        path, _, heading = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.M)
            assert heading in [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings], target


def test_the_activation_of_the_readme_becomes_c(tmp_path):
    """The activation that the README adds to formulas.py can be translated to C."""
    page = tmp_path / "formulas.py"
    page.write_text(Path(formulas.__file__).read_text(encoding="utf-8") + "\n\n" + blocks("python")[-1], encoding="utf-8")
    text = codegen.translate(page, Path(words.__file__))
    assert '{"shifted_relu", 1, 1, 1, ' in text
    assert '{"shifted_relu_backward", 2, 1, 1, ' in text


@pytest.mark.parametrize("command", ["bench", "test"])
def test_commands_stand_where_ci_finds_them(command):
    """Each command stands on one line of a block of its own, after the marker by which .ci/run finds it."""
    assert re.search(rf"<!-- {command} command -->\n```sh\npython3 -m venv [^\n]*\n```\n", README.read_text(encoding="utf-8"))
