"""The decorators of rows.py and losses.py: functions along an axis, random draws, losses. declare.py has those of activations."""

from typing import NamedTuple

from .declare import DRAWS, LOSSES, ROWS, lines_of, slope_of


class AlongAxis:
    """One function along an axis: its formulas and the facts about it.

    A formula gets a `numpy_backend.rows.Rows` for each array. It returns one too, or an array of one number a row, (..., 1).

    Attributes
    ----------
    name, definition, summary, source : str
        As of an activation.
    slope : str
        The gradient of a whole row: the docstring of the backward formula. "" where there is no backward pass.
    forward, backward, backward_from_output : callable or None
        The formulas of (x), (grad, x) and (grad, y). A formula with the argument `masking` can leave entries out. That argument
        is (), or a `numpy_backend.logits.Masking`. Where `backward` is not declared, it calls the formula from the output with
        what `forward` gives.
    sink_slope : str
        The gradient of the sink, for each row, which the backward pass gives with `sink_grad=True`. "" where there is no sink.
    variant_of : AlongAxis or None
        The function that this one calls with the options `fixed`. The formulas of a variant have docstrings, and no code.
    numbers : dict
        Parameters of the formulas that are numbers, with their defaults: (x, eps=1e-5, masking=()) has one.
    requires : tuple of str
        What these numbers must fulfil, as of an activation.
    explained : dict
        What the docstring says of each number.
    by_name : dict
        The keyword-only parameters with their defaults: the numbers, and the options of the masking (scale, sink, mask, causal).
    fixed : dict
        The options that a variant sets.
    reduces : bool
        Whether there is one result for each row.
    ordered : bool
        Whether the first of equal entries counts more than the others.
    composes : bool
        Whether the function of its results for the parts of a row is its result for the row: logsumexp.
    absent : float or None
        An entry of this value does not change the results of the others. Masked entries of numpy.ma become this, where there is
        no `mask`. None refuses them.
    hidden : float
        The result at a masked entry.
    edges, bound : str
        Sentences of the docstring: on special rows, and on accuracy.
    example, backward_example : tuple of str
        The statements of an example. docstrings/example_outputs.py records what they print.
    plain, plain_backward, plain_backward_from_output : str or None
        The line of NumPy that people write for it, of x, `grad`, `y` and `axis`; as of an activation.
    """

    def __init__(
        self,
        forward,
        source="",
        options=None,
        requires=(),
        explained=None,
        variant_of=None,
        fixed=None,
        sink_slope="",
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
        self.name, self.variant_of = forward.__name__, variant_of
        self.definition, *summary = lines_of(forward)
        self.summary = "\n    ".join(summary)
        self.source = source
        self.forward = variant_of.forward if variant_of else forward
        self.backward = self.backward_from_output = None
        self.slope, self.sink_slope = "", sink_slope
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
        """The first part of its evaluators' names."""
        return self.variant_of.name if self.variant_of else self.name

    @property
    def parameters(self):
        """The parameters that may be given by position after the operands, with their defaults."""
        return {"axis": -1, "keepdims": False} if self.reduces else {"axis": -1}

    def __call__(self, *arguments):
        """Evaluate the forward formula: another formula may use it."""
        return self.forward(*arguments)

    def derivative(self, formula=None, *, example=(), plain=None):
        """Declare the gradient from the input."""
        if formula is None:
            return lambda formula: self.derivative(formula, example=example, plain=plain)
        self.backward = self.variant_of.backward if self.variant_of else formula
        self.slope = slope_of(formula, self.definition)
        self.backward_example, self.plain_backward = example or self.backward_example, plain
        return formula

    def derivative_from_output(self, formula=None, *, example=(), plain=None, plain_from_input=None):
        """Declare the gradient from the output; it serves from the input too, unless `derivative` declares that."""
        if formula is None:
            facts = {"example": example, "plain": plain, "plain_from_input": plain_from_input}
            return lambda formula: self.derivative_from_output(formula, **facts)

        def from_input(grad, x, *others):
            return formula(grad, self.forward(x, *others), *others)

        self.backward_from_output, self.backward = formula, self.backward or from_input
        if self.variant_of:
            self.backward_from_output, self.backward = self.variant_of.backward_from_output, self.variant_of.backward
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
    """The parameters of a formula after its `arrays` first ones, with their defaults."""
    names, defaults = formula.__code__.co_varnames[arrays : formula.__code__.co_argcount], formula.__defaults__ or ()
    if len(names) != len(defaults):
        raise TypeError(f"function {formula.__name__}: a parameter needs a default")
    return {name: default for name, default in zip(names, defaults, strict=True) if name != "masking"}


class Draw(NamedTuple):
    """A random draw along an axis: noise is added to x, and `soft` or `hard`, functions along an axis, are called on the sum."""

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
        """The parameters that may be given by position after the operand, with their defaults."""
        return {"axis": -1}

    @property
    def by_name(self):
        """The keyword-only parameters, with their defaults."""
        return {"tau": 1.0, "hard": False, "rng": None}


def draw(slope, **facts):
    """Declare a random draw by a function whose docstring says what it computes; the function has no code."""

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
        As of an activation. The public functions are `<name>`, `<name>_backward` and `<name>_and_grad`.
    kinds : tuple of str
        Which of these three there are: "loss", "backward" and "both".
    of_rows : bool
        True: there is one loss for each row of logits, and the target is an index or a distribution. False: there is one for
        each element.
    forward, backward, both : callable or None
        The formulas of a loss of rows: `forward` of (logits, target, <parameters>), the others with `grad` in front. The target
        is always a distribution: an index is made one first. `both` gives the loss and the gradient. Without it they are
        computed one after the other.
    evaluator : str
        The first part of its evaluators' names.
    first : str
        The name of the first array, whose gradient is computed: "logits" or "outputs".
    parameters : dict
        Its own parameters, which are numbers, with their defaults.
    requires : tuple of str
        What the parameters must fulfil, as of an activation.
    explained : dict
        What the docstring says of each parameter.
    weighted : callable or None
        A formula of (target, weight, <parameters>) on arrays: the target times the weights of the classes. With it the calls
        have the argument `weight`. The loss must be linear in the target; its other formulas get the usual parameters then.
    by_name : dict
        The keyword-only parameters, with their defaults.
    labels : bool
        Of a loss of elements. True: the target has labels from 0 to 1, and broadcasts. False: it has the shape of the outputs.
    bound : str
        How accurate the gradient is, for the docstring.
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
        weighted=None,
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
        self.weighted, self.by_name = weighted, {"weight": None} if weighted else {}
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
        """All parameters, with their defaults."""
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

    `core` is an activation that computes the loss, and whose backward pass computes the gradient. Without it there is only
    `<name>_and_grad`.
    """

    def declare(formula):
        made = Loss(formula, name, of_rows=False, kinds=("loss", "backward", "both") if core else ("both",), **facts)
        made.evaluator = made.evaluator.removesuffix("_both")
        if core is not None:
            if made.evaluator != core.name:
                wanted = f"{core.name}_both, after its core"
                raise TypeError(f"the formula of the loss {name!r} must be called {wanted}, not {formula.__name__}")
            made.definition, made.summary, made.slope = core.definition, core.summary, f"grad * ({core.slope})"
        return formula

    return declare
