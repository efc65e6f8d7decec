"""What a declaration on the formulas page becomes: one `Activation` in the registry `ACTIVATIONS`."""

ACTIVATIONS = {}


class Activation:
    """One elementwise activation: its formula, its backward formulas, and what is said about it.

    Attributes
    ----------
    name : str
    definition : str
        The textbook definition, the first line of the formula's docstring. The tests evaluate it in mpmath.
    summary, source : str
        One sentence for the user, and the paper that the function comes from.
    parameters : dict
        Parameter names and their defaults, in order.
    forward, backward, backward_from_output : callable or None
        The formulas, plain Python on NumPy arrays. `backward_from_output` is None where the output does not
        determine the derivative.
    output_rule : str or None
        A parameter that must be >= 0 for `backward_from_output`, because the sign of the output must be the input's.
    """

    def __init__(self, forward, source=""):
        # python -OO strips docstrings: nothing but the documentation is lost
        text = [line.strip() for line in (forward.__doc__ or forward.__name__).strip().splitlines()]
        self.name = forward.__name__
        self.definition = text[0]
        self.summary = " ".join(text[1:]).strip()
        self.source = source
        defaults = forward.__defaults__ or ()
        names = forward.__code__.co_varnames[1 : forward.__code__.co_argcount]
        self.parameters = dict(zip(names, defaults, strict=True))
        self.forward = forward
        self.backward = None
        self.backward_from_output = None
        self.output_rule = None
        ACTIVATIONS[self.name] = self

    def __call__(self, *arguments):
        """Inside another formula an activation is a word like any other."""
        return self.forward(*arguments)

    def derivative(self, formula):
        """Declare grad * f'(x), from the input."""
        self.backward = formula
        return self

    def derivative_from_output(self, formula=None, *, nonnegative=None):
        """Declare grad * f'(x), from the output y = f(x); `nonnegative` names the parameter that must be >= 0."""
        if formula is None:
            return lambda formula: self.derivative_from_output(formula, nonnegative=nonnegative)
        self.backward_from_output = formula
        self.output_rule = nonnegative
        return self


def activation(forward=None, *, source=""):
    """Declare an activation by its formula: the decorator of the formulas page."""
    if forward is None:
        return lambda forward: Activation(forward, source)
    return Activation(forward, source)
