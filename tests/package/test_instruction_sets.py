"""The headers of the instruction sets have the operations that the tables of src_c/README.md list, and no others."""

import re

import pytest

from checkout import ROOT

SOURCE = ROOT / "src_c"
HEADERS = ("avx512", "avx2", "sse2", "gnu", "scalar")
pytestmark = pytest.mark.skipif(not SOURCE.exists(), reason="src_c is not beside the tests")


def rows(head):
    """The cells of the table of src_c/README.md that has this head."""
    text = (SOURCE / "README.md").read_text(encoding="utf-8")
    table = text[text.index(head) :].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def names(cell):
    """The names in a cell."""
    return re.findall(r"`(\w+)`", cell)


def listed(header):
    """The operations and the macros that the tables list for a header."""
    operations = {f"{kind}_{name}" for cell, kinds, _ in rows("| operation |") for kind in kinds.split() for name in names(cell)}
    macros = set()
    for macro, headers, cell, _ in rows("| macro |"):
        if header in headers.split():
            operations |= set(names(cell))
            macros |= set(names(macro)) if not macro.startswith("no ") else set()
    return operations, macros


def text_of(header):
    """The text of a header; of scalar.h, the part for compilers that cannot use gnu.h."""
    text = (SOURCE / "simd" / f"{header}.h").read_text(encoding="utf-8")
    return text.split('#include "simd/gnu.h"')[1] if header == "scalar" else text


def found(header):
    """The operations and the macros that a header defines."""
    functions = re.findall(r"^static inline .*?\b((?:f32|f64)_\w+|stream_\w+)\(", text_of(header), re.M)
    assert len(functions) == len(set(functions))
    return set(functions), set(re.findall(r"^#define (HAVE_\w+|TURNS_\w+|HELD_\w+|LOOKUPS_\w+)", text_of(header), re.M))


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_has_what_the_tables_list(header):
    """A header has exactly the operations and macros that the tables list for it, and the types of its vectors."""
    operations, macros = found(header)
    listed_operations, listed_macros = listed(header)
    assert operations == listed_operations
    assert macros == listed_macros
    for kind in ("f32", "f64"):
        assert re.search(rf"^typedef .*\b{kind}_v\b", text_of(header), re.M)
        assert re.search(rf"^typedef .*\b{kind}_m\b", text_of(header), re.M)
        assert f"{kind}_lanes =" in text_of(header)


def test_every_header_is_tested():
    """HEADERS has every header of simd/, so that a new one must be listed in the tables."""
    assert {path.stem for path in (SOURCE / "simd").glob("*.h")} == set(HEADERS)


def test_every_operation_has_a_caller():
    """Every operation is used in the C core, or in the C that codegen.py writes."""
    callers = [path for path in SOURCE.rglob("*.[ch]") if path.parent.name != "simd"]
    callers.append(ROOT / "fastact" / "compiled" / "codegen.py")
    used = set(re.findall(r"\w+", " ".join(path.read_text(encoding="utf-8") for path in callers)))
    for header in HEADERS:
        assert listed(header)[0] <= used
