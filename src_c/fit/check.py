"""Which generated files are out of date. It compares digests, and needs neither NumPy nor a compiler.

made.json has the digest of the source of each product, and the digest of the text of each file. The sources of a product are
programs of this folder, and for a kernel its formula with all functions that it calls. The digests are of syntax trees, so
that comments and docstrings do not count.
"""

import ast
import hashlib
import json
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RECORD = HERE / "made.json"
COMMAND = "python src_c/fit"
FILES = {
    "constants": "src_c/math/constants.h",
    "coefficients": "fastact/numpy_backend/coefficients.py",
    "tables": "src_c/fitted/generated/tables.h",
    "kernels": "src_c/fitted/generated/kernels.h",
    "tail_terms": "src_c/fitted/generated/tail_terms.h",
}
PROGRAMS = {
    "constants": ["exp.py"],
    "coefficients": ["words.py"],
    "tables": ["tables.py", "exp.py"],
    "kernels": ["kernels.py", "tables.py", "tails.py", "exact.py"],
    "tail_terms": ["tails.py", "exp.py"],
}
MODULES = ["formulas.py", "numpy_backend/words.py", "numpy_backend/double_double.py", "numpy_backend/reduce.py"]


def digest_of(*parts):
    """A short digest of texts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def tree(node):
    """A syntax tree as text, without docstrings."""
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(each, clean=False) is not None:
            each.body = each.body[1:]
    return dump(node)


def dump(node):
    """A syntax tree as text. Fields that are empty are left out: each version of Python has others of these."""
    if isinstance(node, list):
        return f"[{' '.join(map(dump, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [f"{name}={dump(value)}" for name, value in ast.iter_fields(node) if value not in (None, [])]
    return f"{type(node).__name__}({' '.join(fields)})"


def program(name):
    """The syntax tree of a program of this folder, as text."""
    return tree(ast.parse((HERE / name).read_text(encoding="utf-8")))


def definitions():
    """The definitions of the modules of formulas and words, by module and name, formulas.py first."""
    found = {}
    for module in MODULES:
        for node in ast.parse((ROOT / "fastact" / module).read_text(encoding="utf-8")).body:
            match node:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                    found.setdefault((module, name), node)
    return found


def closure(name, known):
    """The digest of a formula and of all functions that it calls, directly or not."""
    seen, waiting = {}, [("formulas.py", name)]
    while waiting:
        module, name = waiting.pop()
        node = known[module, name]
        if (module, name) in seen:
            continue
        if isinstance(node, ast.FunctionDef):  # of the decorators only `wide` and `operands` change what is computed
            marks = [
                dump(each)
                for mark in node.decorator_list
                for each in getattr(mark, "keywords", ())
                if each.arg in ("wide", "operands")
            ]
            node = ast.FunctionDef(name=node.name, args=node.args, body=node.body, decorator_list=[])
            seen[module, name] = tree(node) + "".join(marks)
        else:
            seen[module, name] = tree(node)
        for each in ast.walk(node):
            used = each.id if isinstance(each, ast.Name) else each.attr if isinstance(each, ast.Attribute) else None
            waiting += [(where, used) for where in MODULES[MODULES.index(module) :] if (where, used) in known]
    return digest_of(*(seen[key] for key in sorted(seen)))


def fitted_names():
    """The names of the fitted kernels and tables: those that kernels.py and tables.py list."""
    names = []
    for path, variables in (("tables.py", {"TABLES"}), ("kernels.py", {"KERNELS", "GATES", "WRITTEN_BY_HAND"})):
        for node in ast.walk(ast.parse((HERE / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in variables:
                listed = [each for each in ast.walk(node.value) if isinstance(each, ast.Dict)]
                names += [key.value for each in listed for key in each.keys if isinstance(key, ast.Constant)]
    return sorted(set(names))


def sources():
    """The digests of the sources of each product now."""
    found = {product: digest_of(*map(program, programs)) for product, programs in PROGRAMS.items()}
    known = definitions()
    for name in fitted_names():
        found[f"kernel {name}"] = closure(name, known) if ("formulas.py", name) in known else "gone"
    return found


def texts():
    """The digest of the text of each generated file."""
    return {path: digest_of((ROOT / path).read_text(encoding="utf-8")) for path in FILES.values()}


def stale():
    """The files and kernels that are out of date, a line each."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    problems = []
    for product, digest in sources().items():
        if record["sources"].get(product) != digest:
            kind, _, name = product.partition(" ")
            problem = (
                f"the fitted kernel {name} is older than its formula in fastact/formulas.py"
                if name
                else f"{FILES[kind]} is older than its program in src_c/fit"
            )
            problems.append(problem)
    problems += [f"{path} has been edited" for path, digest in texts().items() if record["texts"].get(path) != digest]
    return problems


def complaint():
    """A message with the command that makes what is out of date, or "" where nothing is."""
    problems = stale()
    return f"{'; '.join(problems)}: run `{COMMAND}`" if problems else ""
