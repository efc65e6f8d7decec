"""The numpydoc docstrings of the elementwise functions."""

from ..declare import REQUIRED
from . import examples, rows

KEYWORDS = """    where : array_like of bool, optional
        Where to compute; elsewhere `out` stays as it is.
    **kwargs
        The other keywords of a NumPy ufunc: `dtype`, `casting`, `order`, `subok`.
"""


def _also(activation, suffix=""):
    """The sentence on aliases."""
    names = " and ".join(f"`{alias}{suffix}`" for alias in activation.aliases)
    return f"\n\n    Also named {names}." if names else ""


def _operands(activation, kinds=rows.KINDS):
    """The arrays of the forward pass."""
    if activation.halves or activation.operands == ("x",):
        return f"    x : array_like\n        {kinds}\n"
    first, second = activation.operands
    return (
        f"    {first} : array_like\n        Broadcast against `{second}`. {kinds}\n"
        f"    {second} : array_like\n        Broadcast against `{first}`, of the same kind.\n"
    )


def _parameters(activation):
    """The parameters, the option, or the axis."""
    if activation.halves:
        first, second = activation.operands
        return f"    axis : int, default -1\n        Split into halves: the first is the {first}, the second the {second}.\n"
    lines = ""
    for name, default in activation.parameters.items():
        lines += f"    {name} : float or array_like" + ("" if default is REQUIRED else f", default {default}") + "\n"
        lines += f"        Broadcast against `{activation.operands[0]}`; a Python number does not change the dtype.\n"
    if activation.option:
        values = list(activation.alternatives)
        lines += f"    {activation.option} : {{{', '.join(map(repr, values))}}}, default {values[0]!r}\n"
        for value in values[1:]:
            lines += f"        {value!r} computes {activation.alternatives[value].definition}.\n"
    return lines


def _type_errors(activation):
    """The cases of TypeError besides wrong operands."""
    if activation.halves:
        return ", masked entries, an axis that is no integer"
    return ", a parameter that is missing or of a wrong kind" if activation.parameters else ""


def _value_errors(activation):
    """The cases of ValueError besides wrong shapes and `out`."""
    if activation.halves:
        return ", a scalar, and an odd length along the axis"
    text = "".join(f"; for parameters without {condition}" for condition in activation.requires)
    return text + (f"; for an unknown `{activation.option}`" if activation.option else "")


def forward(activation):
    """The docstring of a forward pass."""
    name = activation.name
    if activation.halves:
        shape, out = "Half as long along the axis", "Where to write."
    else:
        shape, out = "Of the broadcast shape", f"Where to write; `out={activation.operands[0]}` works in place."
    return rows.clean(f"""{name}: {activation.definition}

    {activation.summary}{_also(activation)}

    Parameters
    ----------
{_operands(activation)}{_parameters(activation)}    out : ndarray, optional
        {out} It must have the shape of the result and a floating dtype.
{KEYWORDS}
    Returns
    -------
    ndarray or scalar
        {shape}, dimensionless, within 2 ULP of the exact value. NaN gives NaN.

    Raises
    ------
    TypeError
        For complex, object, string and long double input, an `out` of a non-floating dtype{_type_errors(activation)}.
    ValueError
        For shapes that do not broadcast and a read-only `out`{_value_errors(activation)}.

    {examples.ending(activation, name, examples.forward(activation))}
    """)


PLACE = "ndarray, optional\n        Where to write, in the shape of the result and a floating dtype; `out={0}` works in place."


def _returns(activation):
    """The type and text of what a backward pass returns, and of `out`."""
    first, second = (*activation.gradients, None)[:2]
    if activation.halves:
        return "ndarray\n        Of the shape of `x`: the gradients of both halves", PLACE.format("x")
    if second is None:
        return "ndarray or scalar\n        Of the broadcast shape of `grad` and `x`", PLACE.format("grad")
    two = f"a tuple of two, for the gradients of `{first}` and of `{second}`, either may be None"
    shapes = ", each of the broadcast shape"
    if second not in activation.operands:
        shapes = f", the latter summed to the shape of `{second}`"
    return (
        f"(ndarray or scalar, ndarray or scalar)\n        The gradients of `{first}` and of `{second}`{shapes}",
        f"tuple of ndarray, optional\n        Where to write: {two}. Operands can be overwritten.",
    )


def backward(activation):
    """The docstring of a backward pass."""
    name = activation.name
    returns, out = _returns(activation)
    from_output = activation.backward_from_output is not None
    y = saturated = conditions = ""
    given = "For y=, since the output does not determine the derivative"
    if from_output:
        needs = "".join(f"; needs {condition}" for condition in activation.output_requires)
        y = f"    y : array_like, optional\n        The output of the forward pass, instead of `x`{needs}.\n"
        saturated = (
            "\n        From the output it is as good as the output: where that has saturated, the derivative has lost its digits."
        )
        given = "Where both or neither of `x` and `y` are given"
        conditions = "".join(f"; with y= for parameters without {condition}" for condition in activation.output_requires)
    kinds = "As in the forward pass, by position."
    masked = " and masked entries, since it sums" if activation.gradients != activation.operands and not activation.halves else ""
    gradients = " and to ".join(f"`{of}`" for of in activation.gradients)
    return rows.clean(f"""The gradient of {name}: grad times the derivative of {activation.definition}

    The derivative with respect to {gradients} is {activation.slope}.{_also(activation, "_backward")}

    Parameters
    ----------
    grad : array_like
        The gradient of the loss with respect to the output of `{name}`.
{_operands(activation, kinds)}{_parameters(activation)}{y}    out : {out}
{KEYWORDS}
    Returns
    -------
    {returns}; from the input within 4 ULP of the exact value.{saturated}
        At a kink the saturated side counts.

    Raises
    ------
    TypeError
        {given}, and for operands as in `{name}`{masked}.
    ValueError
        For shapes that do not broadcast and a read-only `out`{_value_errors(activation)}{conditions}.

    {examples.ending(activation, f"{name}_backward", examples.backward(activation))}
    """)
