"""formulas.py to C, at build time: `python fastact/codegen.py` prints what the build compiles.

A formula's syntax tree becomes one inline C function over the vector type V and the words of src_c/words.h, and one
row of the kernel table for each pass. Only the tree is read: nothing of the package is imported, so that setup.py can
run this before there is a package.
"""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
COMPARISONS = {ast.Gt: "GT", ast.GtE: "GE", ast.Lt: "LT", ast.LtE: "LE"}
PASSES = {"derivative": "_backward", "derivative_from_output": "_backward_from_output"}


class FormulaError(SyntaxError):
    """A formula that has no translation, with file, line and word."""


class Translator:
    """Translates the formulas of one page."""

    def __init__(self, path, words):
        self.path = path
        self.words = words
        self.known = {}  # activation name -> number of its arguments

    def fail(self, node, message):
        """Stop with file and line."""
        raise FormulaError(f"{self.path}:{node.lineno}: {message}")

    def expression(self, node, names):
        """One expression in C."""
        match node:
            case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
                return f"C({float(node.value)!r})"
            case ast.Name():
                if node.id not in names:
                    self.fail(node, f"unknown name {node.id!r}")
                return node.id
            case ast.UnaryOp(op=ast.USub()):
                return f"(-{self.expression(node.operand, names)})"
            case ast.BinOp(op=ast.Pow()):
                return self.power(node, names)
            case ast.BinOp() if type(node.op) in OPERATORS:
                return f"({self.expression(node.left, names)} {OPERATORS[type(node.op)]} {self.expression(node.right, names)})"
            case ast.Compare(ops=[operator]) if type(operator) in COMPARISONS:
                left, right = self.expression(node.left, names), self.expression(node.comparators[0], names)
                return f"{COMPARISONS[type(operator)]}({left}, {right})"
            case ast.Call(keywords=[]):
                return self.call(node, names)
        self.fail(node, f"no translation for {ast.unparse(node)!r} ({type(node).__name__})")

    def power(self, node, names):
        """A constant power of a name, as a product."""
        exponent = node.right
        if not (isinstance(exponent, ast.Constant) and type(exponent.value) is int and exponent.value in (2, 3, 4)):
            self.fail(node, f"the exponent in {ast.unparse(node)!r} must be one of the constants 2, 3, 4")
        if not isinstance(node.left, ast.Name):
            self.fail(node, f"give the base of {ast.unparse(node)!r} a name first")
        return "(" + " * ".join([self.expression(node.left, names)] * exponent.value) + ")"

    def call(self, node, names):
        """A word, `words.word` or an activation declared above."""
        match node.func:
            case ast.Name(id=word) if word in self.known or word in self.words:
                pass
            case ast.Attribute(value=ast.Name(id="words"), attr=word) if word in self.words:
                pass
            case _:
                self.fail(node, f"unknown word {ast.unparse(node.func)!r}")
        declared = isinstance(node.func, ast.Name) and word in self.known
        expected = (self.known if declared else self.words)[word]
        if expected is not None and len(node.args) != expected:
            self.fail(node, f"{word!r} takes {expected} arguments, got {len(node.args)}")
        prefix = "formula_" if declared else ""
        return f"FN({prefix}{word})({', '.join(self.expression(a, names) for a in node.args)})"

    def function(self, node, name):
        """One formula as an inline C function."""
        arguments = [argument.arg for argument in node.args.args]
        names, lines = set(arguments), []
        for statement in node.body:
            match statement:
                case ast.Expr(value=ast.Constant(value=str())):
                    continue
                case ast.Assign(targets=[ast.Name(id=target)]):
                    fresh = target not in names
                    lines.append(f"    {'V ' if fresh else ''}{target} = {self.expression(statement.value, names)};")
                    names.add(target)
                case ast.Return(value=ast.expr()):
                    lines.append(f"    return {self.expression(statement.value, names)};")
                case _:
                    self.fail(
                        statement, f"a formula has only assignments and a return, not {ast.unparse(statement).splitlines()[0]!r}"
                    )
        if not lines or not isinstance(node.body[-1], ast.Return):
            self.fail(node, f"the formula {node.name!r} must end with a return")
        head = (
            f"/* {self.path.name}:{node.lineno} */\nstatic inline V FN(formula_{name})({', '.join('V ' + a for a in arguments)})"
        )
        self.known[name] = len(arguments)
        unpacked = ", ".join(f"in[{i}]" for i in range(len(arguments)))
        vector = f"static inline V FN(vector_{name})(const V *in) {{ return FN(formula_{name})({unpacked}); }}\n"
        return head + " {\n" + "\n".join(lines) + "\n}\n" + vector


def read_words(path):
    """The words that words.py defines, with the number of their arguments (None for one that is NumPy's own)."""
    words = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            words[node.name] = len(node.args.args)
        elif isinstance(node, ast.Assign):
            words[node.targets[0].id] = None
    return words


def decorator(node):
    """`activation`, or the base and the pass of `@base.derivative`; None for a function that is no formula."""
    for mark in node.decorator_list:
        mark = mark.func if isinstance(mark, ast.Call) else mark
        match mark:
            case ast.Name(id="activation"):
                return node.name, ""
            case ast.Attribute(value=ast.Name(id=base), attr=attribute) if attribute in PASSES:
                return base, PASSES[attribute]
    return None


def translate(page=HERE / "formulas.py", words=HERE / "words.py"):
    """The C text of a formulas page: the functions, then the table."""
    page = Path(page)
    translator = Translator(page, read_words(Path(words)))
    functions, rows = [], []
    for node in ast.parse(page.read_text(encoding="utf-8"), str(page)).body:
        if isinstance(node, ast.FunctionDef) and (declared := decorator(node)):
            base, suffix = declared
            functions.append(translator.function(node, base + suffix))
            operands = 2 if suffix else 1
            rows.append(f"KERNEL({base + suffix}, {operands}, {len(node.args.args) - operands})")
    return (
        "/* Made by fastact/codegen.py from fastact/formulas.py; do not edit. */\n"
        "#ifdef FORMULAS\n" + "\n".join(functions) + "#endif\n\n"
        "/* KERNEL(name, arrays, parameters) */\n#ifdef KERNEL\n" + "\n".join(rows) + "\n#endif\n"
    )


if __name__ == "__main__":
    print(re.sub(r"\n{3,}", "\n\n", translate()), end="")
