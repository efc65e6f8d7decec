"""LaTeX from the formulas of the declarations, for matplotlib's mathtext and for MathJax."""

import ast
import re

GREEK = {"alpha": r"\alpha", "beta": r"\beta", "lambd": r"\lambda", "eps": r"\varepsilon", "pi": r"\pi"}
NAMED = {"tanh": r"\tanh", "cosh": r"\cosh", "sin": r"\sin", "log": r"\ln", "max": r"\max", "min": r"\min", "sigmoid": r"\sigma"}
SIGNS = {ast.USub: "-"}
COMPARISONS = {ast.Lt: "<", ast.LtE: r"\leq", ast.Gt: ">", ast.GtE: r"\geq", ast.Eq: "=", ast.NotEq: r"\neq"}

# How tightly the parts of a formula are bound, loosest first. A part needs brackets where its place wants a tighter one.
TUPLE, CONDITIONAL, COMPARISON, SUM, PRODUCT, POWER, ATOM = range(7)

# A number with more than MOST_DIGITS significant digits is rounded to ROUNDED. The declaration has the exact one.
MOST_DIGITS, ROUNDED = 6, 4


def latex(text, values=None, *, display=False):
    r"""The LaTeX of a declaration's `definition` or `slope`.

    Parameters
    ----------
    text : str
        A Python expression, which may end in "with s = ...".
    values : dict, optional
        Numbers to put in place of names. What they make trivial is left out: 1 x is x.
    display : bool, default False
        Fractions, and cases behind a brace, which matplotlib cannot draw; else everything stands on one line.

    Returns
    -------
    str
        Without dollar signs.

    Raises
    ------
    ValueError
        For a text that is no such expression.

    Examples
    --------
    >>> from fastact.docstrings.mathtext import latex
    >>> print(latex("1 / (1 + exp(-x))"))
    1/(1 + e^{-x})
    >>> print(latex("1 / (1 + exp(-x))", display=True))
    \frac{1}{1 + e^{-x}}
    >>> print(latex("x if x > 0 else alpha * (exp(x) - 1)", {"alpha": 1}))
    x\ \mathrm{if}\ x > 0,\ \mathrm{else}\ e^{x} - 1
    """
    # The slope that declare.slope_of gives to a backward formula without a docstring.
    if derived := re.fullmatch(r"d/dx \((.*)\)", text):
        inside = latex(derived[1], values, display=display)
        return rf"\frac{{d}}{{dx}}\left({inside}\right)" if display else f"d/dx\\,({inside})"
    main, _, short = text.partition(" with ")
    try:
        formula = _Translator(values or {}, display)
        parts = [formula(ast.parse(main, mode="eval").body)]
        if short:
            name, _, meaning = short.partition("=")
            parts += [r"\mathrm{with}", f"{name.strip()} = {formula(ast.parse(meaning.strip(), mode='eval').body)}"]
    except SyntaxError:
        raise ValueError(f"no formula: {text!r}") from None
    return (r"\quad " if display else r"\ ").join(parts)


class _Translator:
    """Makes LaTeX of a syntax tree."""

    def __init__(self, values, display):
        self.values = values
        self.display = display

    def __call__(self, node, least=TUPLE):
        """The LaTeX of a node, in brackets where it is bound less tightly than `least`."""
        text, tightness = self.translate(self.simple(node))
        return text if tightness >= least else self.bracketed(text)

    def bracketed(self, text):
        return rf"\left({text}\right)" if r"\frac" in text or r"\begin" in text else f"({text})"

    def translate(self, node):
        """The LaTeX of a node, and how tightly it is bound."""
        try:
            return getattr(self, type(node).__name__.lower())(node)
        except (AttributeError, KeyError):  # formulas do not have this kind of node or operator
            raise ValueError(f"no LaTeX for {ast.unparse(node)!r}") from None

    def simple(self, node):
        """The node with numbers in place of names, and without a factor of 1 and a summand of 0."""
        if isinstance(node, ast.Name) and self.values.get(node.id) is not None:
            return ast.parse(str(self.values[node.id]), mode="eval").body
        if not isinstance(node, ast.BinOp) or not self.values:
            return node
        left, right = self.simple(node.left), self.simple(node.right)
        if isinstance(node.op, ast.Mult) and _is(left, 1):
            return right
        if isinstance(node.op, ast.Mult) and isinstance(left, ast.UnaryOp) and _is(self.simple(left.operand), 1):
            return ast.UnaryOp(left.op, right)
        if isinstance(node.op, (ast.Mult, ast.Div)) and _is(right, 1):
            return left
        if isinstance(node.op, ast.Add) and _is(left, 0):
            return right
        if isinstance(node.op, (ast.Add, ast.Sub)) and _is(right, 0):
            return left
        return ast.BinOp(left, node.op, right)

    def constant(self, node):
        text = repr(node.value)
        if len(re.sub(r"e.*|\W", "", text).strip("0")) > MOST_DIGITS:
            text = f"{node.value:.{ROUNDED}g}"
        digits, _, exponent = text.removesuffix(".0").partition("e")
        if not exponent:
            return digits, ATOM
        power = f"10^{{{int(exponent)}}}"
        return (power, POWER) if digits == "1" else (rf"{digits} \cdot {power}", PRODUCT)

    def name(self, node):
        if len(node.id) == 1:
            return node.id, ATOM
        return GREEK.get(node.id) or _upright(node.id), ATOM

    def unaryop(self, node):
        return SIGNS[type(node.op)] + self(node.operand, PRODUCT), SUM

    def binop(self, node):
        return {ast.Add: self.sum, ast.Sub: self.sum, ast.Mult: self.product, ast.Div: self.quotient, ast.Pow: self.power}[
            type(node.op)
        ](node.left, node.op, node.right)

    def sum(self, left, op, right):
        sign, least = ("+", SUM) if isinstance(op, ast.Add) else ("-", PRODUCT)
        summand = self(right, least)
        return f"{self(left, SUM)} {sign} {self.bracketed(summand) if summand.startswith('-') else summand}", SUM

    def product(self, left, op, right):
        factors = self.factor(left), self(right, PRODUCT)
        if not self.display and isinstance(self.simple(left), ast.BinOp) and isinstance(self.simple(left).op, ast.Div):
            factors = self.bracketed(factors[0]), factors[1]  # else the second factor would seem to be below the slash
        # Neighbouring words and numbers would be read as one.
        needs_dot = factors[1][0].isdigit() or any(part.startswith(r"\mathrm") and part.endswith("}") for part in factors)
        return (r" \cdot " if needs_dot else r"\,").join(factors), PRODUCT

    def factor(self, node):
        """The first factor, which may have a sign."""
        node = self.simple(node)
        return self(node, SUM if isinstance(node, ast.UnaryOp) else PRODUCT)

    def quotient(self, left, op, right):
        left = self.simple(left)
        if self.display and isinstance(left, ast.UnaryOp):
            return f"-{self.quotient(left.operand, op, right)[0]}", SUM
        if self.display:
            return rf"\frac{{{self(left)}}}{{{self(right)}}}", PRODUCT
        return f"{self.factor(left)}/{self(right, POWER)}", PRODUCT

    def power(self, base, op, exponent):
        base, raised = self.simple(base), self.inline(exponent)
        if isinstance(base, ast.Call) and isinstance(base.func, ast.Name) and base.func.id in ("tanh", "cosh", "sin"):
            return f"{NAMED[base.func.id]}^{{{raised}}}{self.arguments(base)}", ATOM
        return f"{self(base, ATOM)}^{{{raised}}}", POWER

    def inline(self, node):
        """The LaTeX of an exponent, on one line: a fraction in it would be too small."""
        return _Translator(self.values, False)(node)

    def call(self, node):
        name = node.func.id
        if name == "exp":
            return f"e^{{{self.inline(node.args[0])}}}", POWER
        if name == "sqrt":
            return rf"\sqrt{{{self(node.args[0])}}}", ATOM
        if name == "abs":
            return f"|{self(node.args[0])}|", ATOM
        return (NAMED.get(name) or _upright(name)) + self.arguments(node), ATOM

    def arguments(self, node):
        return self.bracketed(", ".join(self(argument, CONDITIONAL) for argument in node.args))

    def compare(self, node):
        parts = [self(node.left, SUM)]
        for op, right in zip(node.ops, node.comparators, strict=True):
            parts += [COMPARISONS[type(op)], self(right, SUM)]
        return " ".join(parts), COMPARISON

    def ifexp(self, node):
        if not self.display:
            yes, no = self(node.body, COMPARISON), self(node.orelse, CONDITIONAL)
            return rf"{yes}\ \mathrm{{if}}\ {self(node.test)},\ \mathrm{{else}}\ {no}", CONDITIONAL
        rows = []
        while isinstance(node, ast.IfExp):
            rows.append(rf"{self(node.body)} & \text{{if }} {self(node.test)}")
            node = node.orelse
        rows.append(rf"{self(node)} & \text{{else}}")
        lines = r" \\ ".join(rows)
        return rf"\begin{{cases}} {lines} \end{{cases}}", ATOM

    def tuple(self, node):
        return r";\quad ".join(self(element) for element in node.elts), TUPLE


def _is(node, number):
    return isinstance(node, ast.Constant) and node.value == number


def _upright(name):
    return rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}"
