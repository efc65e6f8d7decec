"""The examples in docstrings.

Their statements are made of the declarations, or stand there. example_outputs.py records what they print, so that an import
computes nothing. `python benchmarks/examples.py` writes that file. tests/docs/test_examples.py fails if it is old.
"""

from ..declare import ACTIVATIONS, DRAWS, LOSSES, ROWS
from .example_outputs import OUTPUTS

X = "[-2.0, -0.4, 0.0, 0.7, 2.0]"
PAIR = ("[-2.0, 0.0, 2.0]", "[1.0, 2.0, 3.0]")
# Other inputs for functions that are NaN at X, or a straight line there.
INPUTS = {
    "hard_sigmoid": "[-4.0, -1.5, 0.0, 1.5, 4.0]",
    "hard_swish": "[-4.0, -1.5, 0.0, 1.5, 4.0]",
    "logit": "[0.1, 0.25, 0.5, 0.75, 0.9]",
    "relu6": "[-2.0, 0.0, 3.0, 6.0, 8.0]",
    "softcap": "[-100.0, -10.0, 0.0, 10.0, 100.0]",
}


def arrays(activation):
    """The statements that make the operands."""
    if activation.halves:
        return ["x = np.array([1.0, -2.0, 0.5, 3.0])"]
    if activation.operands == ("x",):
        return [f"x = np.array({INPUTS.get(activation.name, X)})"]
    return [f"{name} = np.array({given})" for name, given in zip(activation.operands, PAIR, strict=True)]


def variations(activation):
    """Keywords for further calls: the first parameter at half its default, and the other values of the option."""
    first = next(iter(activation.parameters.items()), None)
    if first and first[0] not in activation.usual and first[1]:
        yield f"{first[0]}={first[1] / 2}"
    yield from (f"{activation.option}={value!r}" for value in list(activation.alternatives)[1:])


def forward(activation):
    """The statements of a forward pass."""
    given = ", ".join([*activation.operands, *map(repr, activation.usual.values())] if not activation.halves else ["x"])
    call, first = f"fa.{activation.name}({given}", activation.operands[0]
    in_place = [] if activation.halves else [f"{call}, out={first}) is {first}  # in place"]
    return [*arrays(activation), f"{call})", *(f"{call}, {keyword})" for keyword in variations(activation)), *in_place]


def backward(activation):
    """The statements of a backward pass."""
    numbers = "".join(f", {value!r}" for value in activation.usual.values())
    function, operands = f"fa.{activation.name}_backward", ", ".join(activation.operands)
    if activation.halves:
        return [*arrays(activation), "grad = np.ones(2)", f"{function}(grad, x)"]
    start = [*arrays(activation), f"grad = np.ones_like({activation.operands[0]})"]
    if len(activation.gradients) > 1:
        names = [f"d_{operand}" for operand in activation.gradients]
        return [*start, f"{', '.join(names)} = {function}(grad, {operands}{numbers})", *names]
    start.append(f"{function}(grad, x{numbers})")
    if not activation.backward_from_output:
        return [*start, f"{function}(grad, x{numbers}, out=grad) is grad  # in place"]
    keywords = "".join(f", {name}={value!r}" for name, value in activation.usual.items())
    from_output = f"{function}(grad, y=y{keywords}, out=grad)  # from the output, in place"
    return [*start, f"y = fa.{activation.name}(x{numbers})", from_output]


def every():
    """The name of each function and its statements."""
    for name, activation in ACTIVATIONS.items():
        if activation.public:
            yield name, forward(activation)
            yield f"{name}_backward", backward(activation)
    for one in (*ROWS.values(), *DRAWS.values()):
        yield one.name, one.example
        if one.slope:
            yield f"{one.name}_backward", one.backward_example
    for loss in LOSSES.values():
        yield from ((name, loss.examples.get(kind, ())) for kind, name in loss.names().items())


def ending(declaration, name, statements):
    """The last sections of a docstring: the reference of a declaration, and the examples of one of its functions."""
    return f"""References
    ----------
    {declaration.source}.

    Examples
    --------
    >>> import numpy as np, fastact as fa
    {shown(name, statements)}"""


def shown(name, statements):
    """The statements and what they print. A result that has not been recorded yet is assigned, so that nothing is printed."""
    recorded, lines = OUTPUTS.get(name, {}), []
    for statement in statements:
        output = recorded.get(statement)
        assigned = statement if output or " = " in statement else f"result = {statement}"
        lines += [f">>> {assigned}", *(output.splitlines() if output else ())]
    return "\n    ".join(lines)
