"""Translate formulas.py and fused.py to C when the package is built. Run as a program, it prints the C.

The syntax tree of a formula becomes an inline C function, and a row of the table of kernels. The C uses the words of
src_c/math/words.h, or of src_c/math/wide.h for a wide formula. Nothing of the package is imported, since setup.py runs this
before there is a package.
"""

import ast
import hashlib
import re
import runpy
from fractions import Fraction
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent.parent
PAGES = PACKAGE / "formulas.py", PACKAGE / "fused.py"
NUMPY = PACKAGE / "numpy_backend"
OPERATORS = {ast.Add: ("+", "add"), ast.Sub: ("-", "subtract"), ast.Mult: ("*", "multiply"), ast.Div: ("/", "divide")}
COMPARISONS = {ast.Gt: "GT", ast.GtE: "GE", ast.Lt: "LT", ast.LtE: "LE"}
WIDE_COMPARISONS = {
    ast.Gt: "f64_gt({0}, {1})",
    ast.GtE: "f64_ge({0}, {1})",
    ast.Lt: "f64_gt({1}, {0})",
    ast.LtE: "f64_ge({1}, {0})",
}
MADE = "/* Made by fastact/compiled/codegen.py from the formulas and coefficients of fastact; do not edit. */\n\n"
EXPENSIVE = {"exp", "expm1", "sigmoid", "sigmoid_derivative", "tanh"}  # words of direct formulas
LATER = ("second", "third")  # the C parameters for the second and the third result
PASSES = {"derivative": "_backward", "derivative_from_output": "_backward_from_output"}


class FormulaError(SyntaxError):
    """A formula cannot be translated. The message has file, line and word."""


class Translator:
    """Translates formulas. The C of a wide formula has calls in place of operators: its values may be double-double numbers."""

    def __init__(self, words, direct_only=(), wide_only=()):
        self.path: Any = None  # the page that is being translated
        self.words = words
        self.only = {False: direct_only, True: wide_only}
        self.known = {}  # formula -> (number of arguments, whether it is wide)
        self.constants = {}  # name -> high and low part of its value, in C
        self.wide = False

    def fail(self, node, message):
        """Stop with file and line."""
        raise FormulaError(f"{self.path}:{node.lineno}: {message}")

    def number(self, value):
        """A number in C."""
        return f"wide_number({float(value)!r})" if self.wide else f"C({float(value)!r})"

    def expression(self, node, names):
        """One expression in C."""
        match node:
            case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
                return self.number(node.value)
            case ast.Name(id=name) if name in names:
                return name
            case ast.Name(id=name) if name in self.constants:
                high, low = self.constants[name]
                return f"wide_constant({high}, {low})" if self.wide else f"C({high})"
            case ast.Name():
                self.fail(node, f"unknown name {node.id!r}")
            case ast.UnaryOp(op=ast.USub()):
                operand = self.expression(node.operand, names)
                return f"wide_negative({operand})" if self.wide else f"(-{operand})"
            case ast.BinOp(op=ast.Pow()):
                return self.power(node, names)
            case ast.BinOp() if type(node.op) in OPERATORS:
                return self.operation(type(node.op), self.expression(node.left, names), self.expression(node.right, names))
            case ast.Compare(ops=[operator]) if type(operator) in COMPARISONS:
                left, right = self.expression(node.left, names), self.expression(node.comparators[0], names)
                if self.wide:
                    return WIDE_COMPARISONS[type(operator)].format(f"wide_leading({left})", f"wide_leading({right})")
                return f"{COMPARISONS[type(operator)]}({left}, {right})"
            case ast.Call(keywords=[]):
                return self.call(node, names)
        self.fail(node, f"no translation for {ast.unparse(node)!r} ({type(node).__name__})")

    def operation(self, operator, left, right):
        """The C of one of + - * /."""
        sign, name = OPERATORS[operator]
        return f"wide_{name}({left}, {right})" if self.wide else f"({left} {sign} {right})"

    def power(self, node, names):
        """The C of a constant power of a name, as a product."""
        exponent = node.right
        if not (isinstance(exponent, ast.Constant) and type(exponent.value) is int and exponent.value in (2, 3, 4)):
            self.fail(node, f"the exponent in {ast.unparse(node)!r} must be one of the constants 2, 3, 4")
        if not isinstance(node.left, ast.Name):
            self.fail(node, f"give the base of {ast.unparse(node)!r} a name first")
        base = self.expression(node.left, names)
        product = base
        for _ in range(exponent.value - 1):
            product = self.operation(ast.Mult, product, base)
        return product

    def call(self, node, names):
        """The C of a call: of a word, of `words.word`, or of a formula declared above."""
        match node.func:
            case ast.Name(id=word) if word in self.known or word in self.words:
                pass
            case ast.Attribute(value=ast.Name(id="words"), attr=word) if word in self.words:
                pass
            case _:
                self.fail(node, f"unknown word {ast.unparse(node.func)!r}")
        declared = isinstance(node.func, ast.Name) and word in self.known
        expected, wide = self.known[word] if declared else (self.words[word], self.wide)
        if not declared and word in self.only[not self.wide]:
            wide = not self.wide
        if wide != self.wide:
            self.fail(node, f"{word!r} is for {'' if wide else 'formulas that are not '}wide{' formulas' if wide else ''}")
        if expected is not None and len(node.args) != expected:
            self.fail(node, f"{word!r} takes {expected} arguments, got {len(node.args)}")
        if word == "polynomial" and not declared:
            return self.polynomial(node, names)
        if word in ("maximum", "minimum", "clip") and not declared and all(map(is_number, node.args[1:])):
            word += "_number"  # a number is not NaN, which saves two instructions
        prefix = "formula" if declared else "wide" if self.wide else "direct"
        return f"{prefix}_{word}({', '.join(self.expression(a, names) for a in node.args)})"

    def polynomial(self, node, names):
        """The C of the word `polynomial`, whose coefficients are constants."""
        values = []
        for argument in node.args[1:]:
            try:
                values.append(float(eval(compile(ast.Expression(argument), "", "eval"), {"__builtins__": {}})))
            except Exception:
                self.fail(argument, f"the coefficient {ast.unparse(argument)!r} of a polynomial must be a constant")
        listed = ", ".join(value.hex() for value in values)
        return f"wide_polynomial({self.expression(node.args[0], names)}, {len(values)}, (const double[]){{{listed}}})"

    def constant(self, node):
        """Note the value of a constant of a page, which is a number or a call of `constant` on a text."""
        value = node.value
        match value:
            case ast.Call(func=ast.Name(id="constant"), args=[ast.Constant(value=str(text))]):
                parts = (float(text), 0.0) if text == "nan" else split(text)
            case _:
                try:
                    parts = (float(eval(compile(ast.Expression(value), "", "eval"), {"__builtins__": {}})), 0.0)
                except Exception:
                    self.fail(node, f"no translation for {ast.unparse(node)!r}: a constant is a number or constant('...')")
        self.constants[node.targets[0].id] = tuple("NAN_VALUE" if part != part else part.hex() for part in parts)

    def function(self, node, name, wide):
        """One formula as an inline C function, which writes later results to *second and *third; and its counts."""
        self.wide = wide
        kind = "W" if wide else "V"
        arguments = [argument.arg for argument in node.args.args]
        names, lines, results = set(arguments), [], 1
        for statement in node.body:
            match statement:
                case ast.Expr(value=ast.Constant(value=str())):
                    continue
                case ast.Assign(targets=[ast.Name(id=target)]):
                    fresh = target not in names
                    lines.append(f"    {f'{kind} ' if fresh else ''}{target} = {self.expression(statement.value, names)};")
                    names.add(target)
                case ast.Return(value=ast.Tuple(elts=[first, *others])) if 0 < len(others) <= len(LATER):
                    results += len(others)
                    lines += [f"    *{to} = {self.expression(other, names)};" for to, other in zip(LATER, others, strict=False)]
                    lines.append(f"    return {self.expression(first, names)};")
                case ast.Return(
                    value=ast.Call(func=ast.Name(id="where"), args=[condition, yes, ast.Call(func=ast.Name(id=part)) as no])
                ) if part.startswith("_"):
                    # Where all lanes take the first branch, the second one, a function _name, is not computed.
                    lines.append(f"    f64_m chosen = {self.expression(condition, names)};")
                    lines.append(f"    {kind} yes = {self.expression(yes, names)};")
                    lines.append("    if (f64_all(chosen)) return yes;")
                    lines.append(f"    return wide_where(chosen, yes, {self.expression(no, names)});")
                case ast.Return(value=ast.expr()):
                    lines.append(f"    return {self.expression(statement.value, names)};")
                case _:
                    self.fail(
                        statement, f"a formula has only assignments and a return, not {ast.unparse(statement).splitlines()[0]!r}"
                    )
        if not lines or not isinstance(node.body[-1], ast.Return):
            self.fail(node, f"the formula {node.name!r} must end with a return")
        used = {part.id for statement in node.body for part in ast.walk(statement) if isinstance(part, ast.Name)}
        lines = [f"    (void){argument};" for argument in arguments if argument not in used] + lines
        listed = [f"{kind} {argument}" for argument in arguments] + [f"{kind} *{later}" for later in LATER[: results - 1]]
        head = f"/* {self.path.name}:{node.lineno} */\nstatic ALWAYS_INLINE {kind} formula_{name}({', '.join(listed)})"
        self.known[name] = len(arguments), wide
        return head + " {\n" + "\n".join(lines) + "\n}\n", len(arguments), results

    def blocks(self, name, wide, arrays, arguments, results):
        """The C functions that apply a formula to vectors, and to blocks whose parameters are numbers or arrays."""
        later = LATER[: results - 1]
        if wide:
            listed = ", ".join([*(f"wide_of(in[{i}])" for i in range(arguments)), *(f"&{each}" for each in later)])
            lines = [*(f"W {each};" for each in later), f"out[0] = wide_value(formula_{name}({listed}));"]
            lines += [f"out[{i}] = wide_value({each});" for i, each in enumerate(later, 1)]
        else:
            listed = ", ".join([*(f"in[{i}]" for i in range(arguments)), *(f"out + {i}" for i in range(1, results))])
            lines = [f"out[0] = formula_{name}({listed});"]
        kind, prefix = ("f64_v", "wide") if wide else ("V", "direct")
        text = f"static ALWAYS_INLINE void {name}_vectors(const {kind} *in, {kind} *out) {{ {' '.join(lines)} }}\n"
        blocks = [("uniform", (arrays, arguments - arrays)), ("general", (arguments, 0))]
        for block, taken in blocks[: 1 + (arguments > arrays)]:
            call = f"{prefix}_block({name}_vectors, {taken[0]}, {taken[1]}, {results}, in, parameter, out, n)"
            text += f"static void {name}_{block}(const T *const *in, const T *parameter, T *const *out, size_t n) {{ {call}; }}\n"
        return text


def is_number(node):
    """Whether an expression is a number, with or without a sign."""
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def is_cheap(node):
    """Whether a formula computes nothing that takes longer than moving an array: no exponential."""
    called = (part.func for part in ast.walk(node) if isinstance(part, ast.Call))
    return not {getattr(name, "id", getattr(name, "attr", "")) for name in called} & EXPENSIVE


def split(text):
    """A decimal number as the sum of two floats."""
    high = float(text)
    return high, float(Fraction(text) - Fraction(high))


def read_words(path):
    """The words of words.py with the number of their arguments; None for a function of NumPy, or one that takes any number."""
    words = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            words[node.name] = None if node.args.vararg else len(node.args.args)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.islower():
            words[node.targets[0].id] = None
    return words


def read_kinds(path):
    """The words for direct formulas only, and those for wide ones only, as words.py lists them."""
    listed = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and (name := ast.unparse(node.targets[0])) in ("DIRECT_ONLY", "WIDE_ONLY"):
            listed[name] = ast.literal_eval(node.value)
    return listed["DIRECT_ONLY"], listed["WIDE_ONLY"]


def keyword(call, name, default):
    """The constant value of a keyword of a decorator."""
    for given in call.keywords if isinstance(call, ast.Call) else ():
        if given.arg == name:
            return ast.literal_eval(given.value)
    return default


class Page:
    """Reads the decorators of formulas."""

    def __init__(self):
        self.activations = {}  # name -> (operands, wide)

    def declared(self, node):
        """(name of the kernel, number of arrays, whether it is wide); None for a function without a decorator."""
        for call in node.decorator_list:
            mark = call.func if isinstance(call, ast.Call) else call
            match mark:
                case ast.Name(id="activation"):
                    self.activations[node.name] = keyword(call, "operands", 1), keyword(call, "wide", False)
                    operands, wide = self.activations[node.name]
                    return node.name, operands, wide
                case ast.Name(id="fused"):
                    return node.name, keyword(call, "operands", None), keyword(call, "wide", False)
                case ast.Attribute(value=ast.Name(id=base), attr="alternative"):
                    operands, wide = self.activations[node.name] = self.activations[base]
                    return node.name, operands, wide
                case ast.Attribute(value=ast.Name(id=base), attr=attribute) if attribute in PASSES:
                    operands, wide = self.activations[base]
                    from_output = attribute == "derivative_from_output"
                    wide = keyword(call, "wide", wide) and not from_output
                    return base + PASSES[attribute], 2 if from_output else operands + 1, wide
        return None


def statements(pages):
    """The statements of the pages, one after the other, each with the path of its page."""
    for path in pages:
        for node in ast.parse(path.read_text(encoding="utf-8"), str(path)).body:
            yield path, node


def translate(page=None, words=NUMPY / "words.py"):
    """The C of all pages of formulas, or of one: the functions, then the table of kernels."""
    translator, declarations = Translator(read_words(Path(words)), *read_kinds(Path(words))), Page()
    functions, rows = [], []
    for path, node in statements([Path(page)] if page else PAGES):
        translator.path = path
        if isinstance(node, ast.Assign):
            translator.constant(node)
        elif isinstance(node, ast.FunctionDef) and (declared := declarations.declared(node)):
            name, arrays, wide = declared
            text, arguments, results = translator.function(node, name, wide)
            functions.append(text + translator.blocks(name, wide, arrays, arguments, results))
            memory_bound = int(not wide and is_cheap(node))
            listed = f'"{name}", {arrays}, {arguments - arrays}, {results}, {memory_bound}, {int(wide)}'
            general = f"(any_block *){name}_general" if arguments > arrays else "NULL"
            rows.append(f"    {{{listed}, (any_block *){name}_uniform, {general}}},\n")
        elif isinstance(node, ast.FunctionDef):  # wide formulas call it
            functions.append(translator.function(node, node.name, True)[0])
    return MADE + "\n".join(functions) + "\nstatic const Kernel kernels[] = {\n" + "".join(rows) + "    {0},\n};\n"


def digest():
    """The digest of what is compiled. Line numbers do not count."""
    text = re.sub(r"/\*.*?\*/\n", "", translate() + coefficients())
    return hashlib.sha256(text.encode()).hexdigest()


def coefficients(path=NUMPY / "coefficients.py"):
    """The C of the coefficients of the words."""
    return MADE + "".join(
        f"static const double {name}[{len(values)}] = {{{', '.join(float(value).hex() for value in values)}}};\n"
        for name, values in runpy.run_path(str(path)).items()
        if isinstance(values, list)
    )


if __name__ == "__main__":
    print(coefficients() + "\n" + re.sub(r"\n{3,}", "\n\n", translate()), end="")
