"""The decorators of formulas.py and fused.py, and the registries that all declarations fill.

| registry | holds | its page |
|---|---|---|
| `ACTIVATIONS` | elementwise functions | formulas.py |
| `ROWS`, `DRAWS` | functions along an axis, random draws | rows.py |
| `LOSSES` | losses | losses.py and fused.py |
| `FUSED` | formulas with several results | fused.py |

declare_rows.py has the decorators of rows.py and losses.py. Functions, docstrings, C, stubs, tests and benchmarks are made from
the registries.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

ACTIVATIONS: dict[str, "Activation"] = {}
ROWS: dict[str, Any] = {}
DRAWS: dict[str, Any] = {}
LOSSES: dict[str, Any] = {}
FUSED: dict[str, "Fused"] = {}

# Stands in place of a default where a parameter must be given.
REQUIRED = inspect.Parameter.empty


def lines_of(formula):
    """The lines of a formula's docstring, without the empty ones: the definition, then the summary."""
    # python -OO strips docstrings. Then the documentation is lost, and nothing else.
    return [line.strip() for line in (formula.__doc__ or formula.__name__).splitlines() if line.strip()]


def slope_of(formula, definition):
    """The textbook derivative: the docstring of a backward formula."""
    return " ".join((formula.__doc__ or f"d/dx ({definition})").split())


class Activation:
    """One elementwise activation: its formulas and the facts about it.

    Attributes
    ----------
    name : str
    definition : str
        The textbook definition, the first line of the formula's docstring. The tests evaluate it in mpmath.
    summary, source : str
        One sentence for the user, and the paper that the function comes from.
    operands : tuple of str
        The arrays of the forward pass: ("x",), or ("gate", "value") for a gated function.
    parameters : dict
        Parameter names and their defaults, in order; REQUIRED for one that has none.
    aliases : tuple of str
        Other names that the field has for it.
    requires : tuple of str
        What parameters must fulfil, as Python comparisons: ("alpha != 0",).
    wide, wide_backward : bool
        Whether the formula, and the backward one from the input, are computed with more digits than their data have, since
        their roundings would add up to more than the promised error: for float32 in float64, for float64 in pairs of numbers
        (numpy_backend/double_double.py).
    forward, backward, backward_from_output : callable or None
        The formulas, plain Python on NumPy arrays. `backward_from_output` is None where the output does not
        determine the derivative.
    slope : str
        The textbook derivative: the docstring of the backward formula. The backward pass multiplies the gradient by it. A
        formula with two results has two, with a comma between them. "with s = ..." at the end may name a part.
    gradients : tuple of str
        The arguments whose gradients the backward pass returns: the operands, and for prelu its weight too.
    output_requires : tuple of str
        What parameters must fulfil besides for `backward_from_output`: the output must have the sign of the input.
    usual : dict
        Values of the required parameters for examples, tests and benchmarks.
    halves : bool
        Whether the public function takes one array whose halves along an axis are the operands, as glu does.
    option : str or None
        The keyword that chooses among the `alternatives`: "approximate" of gelu.
    alternatives : dict
        Formulas under one public name: activations by the value of the option, the default first.
    public : bool
        False for an alternative, which only the option reaches, and for the core of a loss.
    plain, plain_backward, plain_backward_from_output : str or None
        The line of NumPy that people write for it: `fastact bench` compares with it. It uses the operands, `grad`, `y` and the
        parameters, or their defaults where people leave these out. The fastest of several usual lines makes the comparison
        fair. None where there is no usual line.
    """

    def __init__(
        self,
        forward,
        source="",
        operands=1,
        aliases=(),
        requires=(),
        wide=False,
        option=None,
        usual=None,
        halves=False,
        public=True,
        plain=None,
    ):
        arguments = inspect.signature(forward).parameters
        self.name = forward.__name__
        self.definition, *summary = lines_of(forward)
        self.summary = " ".join(summary)
        self.source = source
        self.operands = tuple(arguments)[:operands]
        self.parameters = {name: arguments[name].default for name in tuple(arguments)[operands:]}
        self.aliases, self.requires, self.wide = tuple(aliases), tuple(requires), wide
        self.usual, self.halves = usual or {}, halves
        for name, default in self.parameters.items():
            if (default is REQUIRED) != (name in self.usual):
                raise TypeError(f"activation {self.name}: `usual` must say what {name} is, if it has no default, and only then")
        self.forward, self.wide_backward = forward, wide
        self.backward = None
        self.backward_from_output = None
        self.plain, self.plain_backward, self.plain_backward_from_output = plain, None, None
        self.slope = ""
        self.gradients = self.operands
        self.output_requires = ()
        self.option = option[0] if option else None
        self.alternatives = {option[1]: self} if option else {}
        self.public = public
        ACTIVATIONS[self.name] = self

    @property
    def values(self):
        """A value for every parameter: its default, or the one in `usual`."""
        return {name: self.usual[name] if default is REQUIRED else default for name, default in self.parameters.items()}

    def __call__(self, *arguments):
        """Evaluate the forward formula: another formula may use an activation as it uses a word."""
        return self.forward(*arguments)

    def derivative(self, formula=None, *, of=None, plain=None, wide=None):
        """Declare grad * f'(x), from the input; `of` names the arguments whose gradients it gives, by default the operands.

        It is wide where the activation is, unless `wide` says otherwise.
        """
        if formula is None:
            return lambda formula: self.derivative(formula, of=of, plain=plain, wide=wide)
        self.wide_backward = self.wide if wide is None else wide
        self.backward, self.plain_backward = formula, plain or self.plain_backward
        self.slope = slope_of(formula, self.definition)
        self.gradients = tuple(of or self.operands)
        return formula

    def derivative_from_output(self, formula=None, *, requires=(), plain=None):
        """Declare grad * f'(x), from the output y = f(x); `requires` says which parameters allow that."""
        if formula is None:
            return lambda formula: self.derivative_from_output(formula, requires=requires, plain=plain)
        self.backward_from_output, self.plain_backward_from_output = formula, plain
        self.output_requires = tuple(requires)
        return formula

    def alternative(self, value):
        """Declare the formula for this value of the option; its plain lines are those of the default."""

        def declare(forward):
            other = Activation(
                forward,
                self.source,
                len(self.operands),
                requires=self.requires,
                wide=self.wide,
                usual=self.usual,
                public=False,
                plain=self.plain,
            )
            other.plain_backward = self.plain_backward
            self.alternatives[value] = other
            return other

        return declare


def activation(forward=None, **facts):
    """Declare an activation by its formula: the decorator of the formulas page."""
    if forward is None:
        return lambda forward: Activation(forward, **facts)
    return Activation(forward)


class Fused(NamedTuple):
    """A formula with several results; `inputs` counts its arrays and numbers."""

    formula: Callable
    inputs: int
    results: int
    wide: bool


def fused(operands, results=1, wide=False):
    """Declare a formula with several results; its first `operands` arguments are arrays, the others numbers."""

    def declare(formula):
        FUSED[formula.__name__] = Fused(formula, len(inspect.signature(formula).parameters), results, wide)
        return formula

    return declare
