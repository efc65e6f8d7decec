"""What a declaration of a function along an axis, of a random draw or of a loss becomes, as declare.py for activations."""

from typing import NamedTuple

from .declare import DRAWS, LOSSES, ROWS, lines_of, slope_of


class AlongAxis:
    """One function along an axis: its formulas, and what is said about it.

    A formula gets a `numpy_backend.rows.Rows` for each array, and returns one, or an array of one number a row, (..., 1).

    Attributes
    ----------
    name, definition, summary, source : str
        As of an activation.
    slope : str
        The gradient, of a whole row: the backward formula's docstring. "" where there is no backward pass.
    forward, backward, backward_from_output : callable or None
        The formulas of (x), (grad, x) and (grad, y). One that takes `masking` too can leave entries out: it is (), or a
        `numpy_backend.logits.Masking`. Without a `backward` the one from the output gets what `forward` gives.
    of : AlongAxis or None
        The function of which this is a variant, with the options `fixed`. Then its own formulas are nothing but docstrings.
    numbers : dict
        Parameters of the formulas and their defaults, numbers that stand between the arrays and `masking`: (x, eps=1e-5).
    requires : tuple of str
        What they must fulfil, as of an activation.
    explained : dict
        What the docstring says of each.
    by_name : dict
        What goes by its name alone, with the defaults: options of the masking, scale, sink, mask and causal, and the numbers.
    fixed : dict
        The options that a variant sets.
    reduces : bool
        One result for each row.
    ordered : bool
        The first of equal entries counts more than the others.
    composes : bool
        Of a function that reduces: what it makes of its own results for the parts of a row is its result for the row.
    absent : float or None
        The entry that counts as none would: masked entries of numpy.ma become this, where there is no `mask`. None refuses them.
    hidden : float
        What a masked entry is in the result.
    edges, bound : str
        For the docstring: what special rows give, and how accurate an entry is.
    example, backward_example : tuple of str
        The statements of an example; what they print is recorded in docstrings/example_outputs.py.
    plain, plain_backward, plain_backward_from_output : str or None
        The line of NumPy that people write for it, of x, `grad`, `y` and `axis`, as of an activation.
    """

    def __init__(
        self,
        forward,
        source="",
        options=None,
        requires=(),
        explained=None,
        of=None,
        fixed=None,
        reduces=False,
        ordered=False,
        composes=False,
        absent=None,
        hidden=0,
        edges="",
        bound="",
        example=(),
        plain=None,
    ):
        self.name, self.of = forward.__name__, of
        self.definition, *summary = lines_of(forward)
        self.summary = "\n    ".join(summary)
        self.source = source
        self.forward = of.forward if of else forward
        self.backward = self.backward_from_output = None
        self.slope = ""
        self.numbers, self.requires, self.explained = numbers_of(forward, 1), tuple(requires), explained or {}
        self.by_name, self.fixed = {**(options or {}), **self.numbers}, fixed or {}
        self.reduces, self.ordered, self.composes = reduces, ordered, composes
        self.absent, self.hidden, self.edges, self.bound = absent, hidden, edges, bound
        self.example, self.backward_example = example, ()
        self.plain, self.plain_backward, self.plain_backward_from_output = plain, None, None
        if (options or fixed) and not takes_masking(self.forward):
            raise TypeError(f"function {self.name}: a formula with options needs `masking`, {self.name}(x, masking=())")
        ROWS[self.name] = self

    @property
    def evaluator(self):
        """The stem of its evaluators' names."""
        return self.of.name if self.of else self.name

    @property
    def parameters(self):
        """What follows the operands."""
        return {"axis": -1, "keepdims": False} if self.reduces else {"axis": -1}

    def __call__(self, *arguments):
        """Inside another formula it is a word like any other."""
        return self.forward(*arguments)

    def derivative(self, formula=None, *, example=(), plain=None):
        """Declare the gradient from the input."""
        if formula is None:
            return lambda formula: self.derivative(formula, example=example, plain=plain)
        self.backward, self.slope = self.of.backward if self.of else formula, slope_of(formula, self.definition)
        self.backward_example, self.plain_backward = example or self.backward_example, plain
        return formula

    def derivative_from_output(self, formula=None, *, example=(), plain=None, plain_from_input=None):
        """Declare the gradient from the output, and with it the one from the input, unless that is declared too."""
        if formula is None:
            facts = {"example": example, "plain": plain, "plain_from_input": plain_from_input}
            return lambda formula: self.derivative_from_output(formula, **facts)

        def from_input(grad, x, *others):
            return formula(grad, self.forward(x, *others), *others)

        self.backward_from_output, self.backward = formula, self.backward or from_input
        if self.of:
            self.backward_from_output, self.backward = self.of.backward_from_output, self.of.backward
        self.slope = self.slope or slope_of(formula, self.definition)
        self.backward_example = example or self.backward_example
        self.plain_backward_from_output, self.plain_backward = plain, plain_from_input or self.plain_backward
        return formula


def along_axis(forward=None, **facts):
    """Declare a function along an axis by its formula."""
    if forward is None:
        return lambda forward: AlongAxis(forward, **facts)
    return AlongAxis(forward)


def takes_masking(formula):
    """Whether a formula can leave entries out."""
    return "masking" in formula.__code__.co_varnames[: formula.__code__.co_argcount]


def numbers_of(formula, arrays):
    """The parameters after so many arrays, and their defaults."""
    names, defaults = formula.__code__.co_varnames[arrays : formula.__code__.co_argcount], formula.__defaults__ or ()
    if len(names) != len(defaults):
        raise TypeError(f"function {formula.__name__}: a parameter needs a default")
    return {name: default for name, default in zip(names, defaults, strict=True) if name != "masking"}


class Draw(NamedTuple):
    """A random draw along an axis: noise is added to x, then it is what `soft` or `hard`, functions along an axis, make of it."""

    name: str
    definition: str
    slope: str
    summary: str
    source: str
    soft: AlongAxis
    hard: AlongAxis
    example: tuple
    backward_example: tuple

    @property
    def parameters(self):
        """What follows the operand, with the defaults."""
        return {"axis": -1}

    @property
    def by_name(self):
        """What goes by its name alone, with the defaults."""
        return {"tau": 1.0, "hard": False, "rng": None}


def draw(slope, **facts):
    """Declare a random draw by a formula that has nothing but a docstring."""

    def declare(formula):
        definition, *summary = lines_of(formula)
        DRAWS[formula.__name__] = Draw(formula.__name__, definition, slope, "\n    ".join(summary), **facts)
        return formula

    return declare


class Loss:
    """A loss, its gradient, or both at once.

    Attributes
    ----------
    name, definition, summary, slope, source : str
        As of an activation. `name` is that of the loss; its other functions are `<name>_backward` and `<name>_and_grad`.
    kinds : tuple of str
        The functions that there are, of "loss", "backward" and "both".
    of_rows : bool
        One loss for each row of logits, whose target is an index or a distribution; else one for each element.
    forward, backward, both : callable or None
        The formulas of a loss of rows: of (logits, target, <parameters>), and with `grad` in front. A target is a distribution:
        an index has become one. `both` gives the loss and the gradient; without it they are computed one after the other.
    evaluator : str
        The stem of its evaluators' names.
    first : str
        What the gradient is of: "logits" or "outputs".
    parameters : dict
        Its own parameters and their defaults, numbers.
    requires : tuple of str
        What they must fulfil, as of an activation.
    explained : dict
        What the docstring says of each.
    labels : bool
        The target of a loss of elements has labels from 0 to 1, and broadcasts; else it has the shape of the outputs.
    bound : str
        For the docstring: how accurate the gradient is.
    examples : dict
        The statements of an example, by kind.
    """

    def __init__(
        self,
        formula,
        name,
        source="",
        first="logits",
        parameters=None,
        requires=(),
        explained=None,
        labels=False,
        of_rows=True,
        kinds=("loss", "backward", "both"),
        bound="",
        examples=None,
    ):
        self.name, self.evaluator = name, formula.__name__
        self.definition, *summary = lines_of(formula)
        self.summary, self.slope, self.source = "\n    ".join(summary), "", source
        self.forward, self.backward, self.both = formula, None, None
        self.first, self.parameters, self.requires = first, parameters or {}, tuple(requires)
        self.explained, self.labels, self.of_rows, self.kinds = explained or {}, labels, of_rows, kinds
        self.bound, self.examples = bound, examples or {}
        LOSSES[name] = self

    def derivative(self, formula):
        """Declare the gradient."""
        self.backward, self.slope = formula, slope_of(formula, self.definition)
        return formula

    def both_at_once(self, formula):
        """Declare the loss and the gradient together, where they share work."""
        self.both = formula
        return formula

    @property
    def all_parameters(self):
        """What follows the operands, with the defaults."""
        return {**({"axis": -1, "ignore_index": -100} if self.of_rows else {}), **self.parameters, "reduction": "mean"}

    def names(self):
        """The name of the public function of each kind."""
        return {kind: self.name + {"loss": "", "backward": "_backward", "both": "_and_grad"}[kind] for kind in self.kinds}


def loss(formula=None, **facts):
    """Declare a loss of rows by its formula."""
    if formula is None:
        return lambda formula: loss(formula, **facts)
    return Loss(formula, formula.__name__, parameters=numbers_of(formula, 2), **facts)


def element_loss(name, core=None, **facts):
    """Declare a loss of elements by the formula `<evaluator>_both` of the loss and its gradient, (outputs, target, grad, ...).

    `core` is the activation that has each of them by itself; without it there is only `<name>_and_grad`.
    """

    def declare(formula):
        made = Loss(formula, name, of_rows=False, kinds=("loss", "backward", "both") if core else ("both",), **facts)
        made.evaluator = made.evaluator.removesuffix("_both")
        if core is not None:
            made.definition, made.summary, made.slope = core.definition, core.summary, f"grad * ({core.slope})"
        return formula

    return declare
