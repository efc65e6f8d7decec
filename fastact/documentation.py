"""The numpydoc docstrings, made from the declarations."""

COMMON = """    out : ndarray, optional
        Where to write; `out={operand}` works in place. It must have the broadcast shape and a floating dtype.
    where : array_like of bool, optional
        Where to compute; elsewhere `out` stays as it is.
    **kwargs
        The other keywords of a NumPy ufunc: `dtype`, `casting`, `order`, `subok`.
"""


def _clean(text):
    """The text without the indentation of this file."""
    return text.replace("\n    ", "\n").rstrip() + "\n"


def _parameters(activation):
    lines = ""
    for name, default in activation.parameters.items():
        lines += f"    {name} : float or array_like, default {default}\n"
        lines += "        Broadcast against `x`; a Python number does not change the dtype.\n"
    return lines


def forward(activation):
    """The docstring of a forward pass."""
    kinds = ", a parameter of a wrong kind" if activation.parameters else ""
    return _clean(f"""{activation.name}: {activation.definition}

    {activation.summary}

    Parameters
    ----------
    x : array_like
        Any shape; float32 and float64 keep their dtype, integers and booleans go to float as NumPy resolves them.
{_parameters(activation)}{COMMON.format(operand="x")}
    Returns
    -------
    ndarray or scalar
        Of the broadcast shape, dimensionless, within 2 ULP of the exact value. NaN gives NaN.

    Raises
    ------
    TypeError
        For complex, object, string and long double input, an `out` of a non-floating dtype{kinds}.
    ValueError
        For shapes that do not broadcast and a read-only `out`.

    References
    ----------
    {activation.source}.

    Examples
    --------
    >>> import numpy as np, fastact as fa
    >>> x = np.array([-1.0, 0.0, 2.0], dtype=np.float32)
    >>> fa.{activation.name}(x, out=x) is x
    True
    """)


def backward(activation):
    """The docstring of a backward pass."""
    name = activation.name
    from_output, negative = "the output, instead of `x`", ""
    if activation.backward_from_output is None:
        from_output = "not of use here, since it does not determine the derivative"
        example = f">>> fa.{name}_backward(grad, x, out=grad) is grad"
    else:
        example = f">>> bool(np.allclose(fa.{name}_backward(grad, x), fa.{name}_backward(grad, y=fa.{name}(x))))"
    if activation.output_rule:
        negative = f", and for y= with a negative {activation.output_rule}"
        from_output += f"; needs {activation.output_rule} >= 0"
    return _clean(f"""The gradient of {name}: grad times the derivative of {activation.definition}

    Parameters
    ----------
    grad : array_like
        The gradient of the loss with respect to the output of `{name}`.
    x : array_like
        The input of the forward pass, by position.
{_parameters(activation)}    y : array_like, optional
        The output of the forward pass: {from_output}.
{COMMON.format(operand="grad")}
    Returns
    -------
    ndarray or scalar
        Of the broadcast shape of `grad` and `x`; from the input within 4 ULP of the exact value. From the output it is as
        good as the output: where that has saturated, the derivative has lost its digits. At a kink the saturated side counts.

    Raises
    ------
    TypeError
        Where both or neither of `x` and `y` are given, and for operands as in `{name}`.
    ValueError
        For shapes that do not broadcast and a read-only `out`{negative}.

    References
    ----------
    {activation.source}.

    Examples
    --------
    >>> import numpy as np, fastact as fa
    >>> x = np.array([-1.0, 0.5, 2.0])
    >>> grad = np.ones_like(x)
    {example}
    True
    """)


SOFTMAX = _clean("""softmax: exp(x) / sum(exp(x)) along an axis

    Turns each row of scores (logits) into probabilities. Each row's own maximum is subtracted first, so that nothing
    overflows and the largest entry never underflows.

    Parameters
    ----------
    x : array_like
        At least one dimension; float32 and float64 keep their dtype, integers and booleans go to float.
    axis : int, default -1
        The axis along which the results sum to 1.
    out : ndarray, optional
        Where to write; `out=x` works in place, along any axis.

    Returns
    -------
    ndarray
        Of the shape of `x`, dimensionless, each entry within 4 ULP of the exact value. A row with a NaN or +inf, or of -inf
        alone, is NaN; an empty axis gives an empty array.

    Raises
    ------
    TypeError
        For complex, object, string and long double input, an `out` of a non-floating dtype, an axis that is no integer.
    ValueError
        For a scalar, an `out` of another shape or read-only, and an axis out of range (numpy.exceptions.AxisError).

    References
    ----------
    J. S. Bridle (1990), Probabilistic interpretation of feedforward classification network outputs.

    Examples
    --------
    >>> import numpy as np, fastact as fa
    >>> fa.softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """)

SOFTMAX_BACKWARD = _clean("""The gradient of softmax: y * (grad - sum(grad * y)) along an axis

    Parameters
    ----------
    grad : array_like
        The gradient of the loss with respect to the output of `softmax`.
    x : array_like
        The input of the forward pass, by position.
    axis : int, default -1
        The axis of the forward pass.
    y : array_like, optional
        The output of the forward pass: instead of `x`, and faster.
    out : ndarray, optional
        Where to write; `out=grad` works in place.

    Returns
    -------
    ndarray
        Of the shape of `grad`.

    Raises
    ------
    TypeError
        Where both or neither of `x` and `y` are given, and for operands as in `softmax`.
    ValueError
        As in `softmax`.

    Examples
    --------
    >>> import numpy as np, fastact as fa
    >>> y = fa.softmax(np.array([1.0, 2.0, 3.0]))
    >>> bool(abs(fa.softmax_backward(np.array([1.0, 0.0, 0.0]), y=y).sum()) < 1e-15)
    True
    """)
