"""What a declaration on the pages of formulas becomes: an entry of a registry, from which everything else is made.

formulas.py fills `ACTIVATIONS`, rows.py fills `ROWS`, `DRAWS` and `LOSSES` by declare_rows.py, fused_formulas.py fills `FUSED`
and adds losses.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

ACTIVATIONS: dict[str, "Activation"] = {}
ROWS: dict[str, Any] = {}
DRAWS: dict[str, Any] = {}
LOSSES: dict[str, Any] = {}
FUSED: dict[str, "Fused"] = {}

# The default of a parameter that has none: it must be given.
REQUIRED = inspect.Parameter.empty


def lines_of(formula):
    """The lines of a formula's docstring, without the empty ones: the definition, then the summary."""
    # python -OO strips docstrings: nothing but the documentation is lost
    return [line.strip() for line in (formula.__doc__ or formula.__name__).splitlines() if line.strip()]


def slope_of(formula, definition):
    """The textbook derivative: the docstring of a backward formula."""
    return " ".join((formula.__doc__ or f"d/dx ({definition})").split())


class Activation:
    """One elementwise activation: its formula, its backward formulas, and what is said about it.

    Attributes
    ----------
    name : str
    definition : str
        The textbook definition, the first line of the formula's docstring. The tests evaluate it in mpmath.
    summary, source : str
        One sentence for the user, and the paper that the function comes from.
    operands : tuple of str
        The arrays of the forward pass: ("x",), or ("gate", "value") for a gated pair.
    parameters : dict
        Parameter names and their defaults, in order; REQUIRED for one that has none.
    aliases : tuple of str
        Other names that the field has for it.
    requires : tuple of str
        What parameters must fulfil, as Python comparisons: ("alpha != 0",).
    wide : bool
        float32 is computed in float64 and rounded once, float64 in pairs of numbers (double_double.py): for formulas whose
        roundings would add up to more than the promised error.
    forward, backward, backward_from_output : callable or None
        The formulas, plain Python on NumPy arrays. `backward_from_output` is None where the output does not
        determine the derivative.
    slope : str
        The textbook derivative, which the backward pass multiplies the gradient by: the backward formula's docstring. Of two
        gradients both, with a comma between them; "with s = ..." at the end may name what occurs often.
    gradients : tuple of str
        What the backward pass returns the gradients of: the operands, and for prelu its weight too.
    output_requires : tuple of str
        What parameters must fulfil for `backward_from_output`, because the sign of the output must be the input's.
    usual : dict
        What required parameters are in examples, tests and benchmarks.
    halves : bool
        The public function takes one array, and the operands are its halves along an axis: glu.
    option : str or None
        The keyword that chooses among `alternatives`, formulas under one public name: gelu's "approximate".
    alternatives : dict
        Activations by the value of that keyword, the default first.
    public : bool
        False for an alternative, which is reached through the option alone, and for the core of a loss.
    plain, plain_backward, plain_backward_from_output : str or None
        The line of NumPy that people write for it, of the operands, `grad`, `y` and the parameters (or their defaults, where
        people leave these out): what `fastact bench` compares with. Of several usual lines the fastest, so that the
        comparison is fair; None where there is no usual one.
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
        self.forward = forward
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
        """A value for every parameter: its default, or the usual one."""
        return {name: self.usual[name] if default is REQUIRED else default for name, default in self.parameters.items()}

    def __call__(self, *arguments):
        """Inside another formula an activation is a word like any other."""
        return self.forward(*arguments)

    def derivative(self, formula=None, *, of=None, plain=None):
        """Declare grad * f'(x), from the input; `of` names what the gradients are of, where not of the operands."""
        if formula is None:
            return lambda formula: self.derivative(formula, of=of, plain=plain)
        self.backward, self.plain_backward = formula, plain or self.plain_backward
        self.slope = slope_of(formula, self.definition)
        self.gradients = tuple(of or self.operands)
        return formula

    def derivative_from_output(self, formula=None, *, requires=(), plain=None):
        """Declare grad * f'(x), from the output y = f(x); `requires` is what parameters must fulfil for that."""
        if formula is None:
            return lambda formula: self.derivative_from_output(formula, requires=requires, plain=plain)
        self.backward_from_output, self.plain_backward_from_output = formula, plain
        self.output_requires = tuple(requires)
        return formula

    def alternative(self, value):
        """Declare another formula, chosen by this value of the option; people write the same lines for it."""

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
    """A formula with several results, of `inputs` arrays and numbers."""

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
