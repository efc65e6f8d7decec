"""The numpydoc docstrings of the functions along an axis and of the losses."""

from ..rows import ROWS
from . import examples

KINDS = "float32 and float64 keep their dtype; float16, booleans and integers of up to 16 bits give float32, larger ones float64."
REFUSED = "complex, object, string and long double input, an `out` of a non-floating dtype"
PARAMETERS = {
    "scale": """    scale : float, default {default}
        Multiplies `x` first: 1 / temperature, or 1 / sqrt(d). The product is not rounded. The backward pass needs the same.
""",
    "mask": """    mask : array_like of bool, optional
        True where an entry counts (in numpy.ma's masks True hides one); broadcast against `x`. A masked entry may hold
        anything, NaN included.
""",
    "causal": """    causal : bool, default False
        Row i of the last axis but one counts columns 0 to i, as in attention; with `mask` both must allow an entry.
""",
    "sink": """    sink : float or array_like, default 0.0
        One more logit, in the denominator only; broadcast against the shape of `x` without the axis. -inf for none.
""",
    "keepdims": """    keepdims : bool, default False
        Whether the axis stays, with length 1.
""",
}
OTHERWISE = """
        Entries that a numpy.ma array masks take no part and stay masked; a pandas, polars or xarray object keeps its labels; a
        dask array or data frame gives a lazy one."""
KEYWORDS = """    **kwargs
        Other keywords of a NumPy gufunc: `dtype`, `casting`, `subok`.
"""


def clean(text):
    """The text without the indentation of this file."""
    return text.replace("\n    ", "\n").rstrip() + "\n"


def listing():
    """Name, call, aliases, where the backward pass starts, definition and slope of each function."""
    for name, row in ROWS.items():
        given = ", ".join(f"{key}={value!r}" for key, value in {**row.parameters, **row.by_name}.items())
        start = "" if not row.slope else "x" if row.reduces else "x or y="
        yield name, f"{name}(x, {given})", (), start, row.definition, row.slope
    for name, (call, start, definition, slope) in OTHERS.items():
        yield name, call, (), start, definition, slope


OTHERS = {
    "gumbel_softmax": (
        "gumbel_softmax(x, axis=-1, tau=1.0, hard=False, rng=None)",
        "y=",
        "softmax((x - log(e)) / tau) with exponential noise e",
        "y * (grad - sum(grad * y)) / tau",
    ),
    "cross_entropy": (
        "cross_entropy(logits, target, axis=-1, ignore_index=-100, label_smoothing=0.0, reduction='mean')",
        "logits, target",
        "-sum(t * log_softmax(logits)) with t = (1 - label_smoothing) * target + label_smoothing / n",
        "grad * (softmax(logits) * sum(t) - t)",
    ),
    "cross_entropy_and_grad": (
        "cross_entropy_and_grad(logits, target, axis=-1, ignore_index=-100, label_smoothing=0.0, reduction='mean')",
        "",
        "cross_entropy and its gradient in one pass",
        "",
    ),
    "binary_cross_entropy_with_logits": (
        "binary_cross_entropy_with_logits(logits, target, pos_weight=None, reduction='mean')",
        "logits, target",
        "pos_weight * target * log(1 + exp(-logits)) + (1 - target) * log(1 + exp(logits))",
        "grad * ((1 - target) * sigmoid(logits) - pos_weight * target * sigmoid(-logits))",
    ),
}


def axis(backward):
    """What is said of the axis."""
    text = "The axis of the forward pass."
    if not backward:
        text = "The axis of a row; several make one row, None all.\n        Axes whose strides do not make them one are copied."
    return f"    axis : int, tuple of int or None, default -1\n        {text}\n"


def parameters(row):
    """What follows the axis."""
    defaults = {**row.parameters, **row.by_name}
    return "".join(PARAMETERS[name].format(default=default) for name, default in defaults.items() if name != "axis")


def raised(row, backward):
    """What can be wrong."""
    kinds, values = ["an axis that is no integer"], ["an `out` of another shape or read-only"]
    if backward or not row.reduces:
        kinds.append("a lazy array whose chunks cut rows")
    if "mask" in row.by_name:
        kinds.append("a mask that is not boolean, or has a numpy.ma mask itself")
        values += ["a mask that does not broadcast", "`causal` off the last axis"]
    if "scale" in row.by_name:
        values.append("a scale that is not finite")
    both = "\n        Where both or neither of `x` and `y` are given." if backward and not row.reduces else ""
    return f"""    Raises
    ------
    TypeError
        For {REFUSED};
        {", ".join(kinds)}.{both}
    ValueError
        For {", ".join(values)}; an axis out of
        range (numpy.exceptions.AxisError).
"""


def returned(name, row):
    """What the forward pass returns."""
    if row.reduces:
        text = "ndarray or scalar\n        One for each row, dimensionless. A row with a NaN is NaN"
        text += f"; one that is empty, or masked as a whole, -inf.{OTHERWISE}"
        return text + "\n        A row of which numpy.ma masks every entry is masked."
    bound = {
        "softmax": ", each entry within 4 ULP of the exact value",
        "log_softmax": ", a dominant entry within 2 ULP (4 in float64)",
    }
    text = (
        f"ndarray\n        Of the shape of `x`, dimensionless{bound.get(name, '')}. A row with a NaN or +inf, or of -inf alone,"
    )
    text += "\n        is NaN; an empty axis gives an empty array."
    if "mask" in row.by_name:
        masked = "-inf" if row.evaluator.startswith("log") else "0"
        text += f"\n        A masked entry is {masked}, and so is every entry of a row that is masked as a whole."
    return text + OTHERWISE


def forward(name, row):
    """The docstring of a function of the table."""
    out = "" if row.reduces else "; `out=x` works in place, along any axis"
    return clean(f"""{name}: {row.definition}, along an axis

    {row.summary}

    Parameters
    ----------
    x : array_like
        A scalar is a row of one; {KINDS}
{axis(False)}{parameters(row)}    out : ndarray, optional
        Where to write{out}.
{KEYWORDS}
    Returns
    -------
    {returned(name, row)}

{raised(row, False)}
    References
    ----------
    {row.source}.

    Examples
    --------
    >>> import numpy as np, fastact as fa
    {examples.shown(name, row.example)}
    """)


def backward(name, row):
    """The docstring of a backward pass."""
    y = (
        ""
        if row.reduces
        else "    y : array_like, optional\n        The output of the forward pass: instead of `x`, and faster.\n"
    )
    masked = "; 0 where masked" if "mask" in row.by_name else ""
    return clean(f"""The gradient of {name}: {row.slope}, along an axis

    Parameters
    ----------
    grad : array_like
        The gradient of the loss with respect to the output of `{name}`.
    x : array_like
        The input of the forward pass, by position.
{axis(True)}{parameters(row)}{"" if row.reduces else y}    out : ndarray, optional
        Where to write; `out={"x" if row.reduces else "grad"}` works in place.
{KEYWORDS}
    Returns
    -------
    ndarray
        The gradient of `x`, in the shape that `grad` and `x` broadcast to{masked}.{OTHERWISE}
        A masked entry of `grad` counts 0, and is masked in the result.

{raised(row, True)}
    References
    ----------
    {row.source}.

    Examples
    --------
    >>> import numpy as np, fastact as fa
    {examples.shown(f"{name}_backward", row.backward_example)}
    """)


LOGITS = f"    logits : array_like\n        Scores, not probabilities; {KINDS}\n"
TARGET = """    target : array_like
        Integers, the index of the right class of each row, in the shape of `logits` without the axis; or an array of the
        shape of `logits`, a distribution for each row. One of integers or booleans must be one-hot: a single 1 in each row.
        Its dtype does not change that of the result.
"""
CROSS = """    axis : int, default -1
        The axis of the classes.
    ignore_index : int, default -100
        A row with this target counts nothing: loss and gradient are 0. For indices only.
    label_smoothing : float, default 0.0
        The share of the target that is spread evenly over all classes, 0 to 1.
"""
REDUCTION = """    reduction : {'mean', 'sum', 'none'}, default 'mean'
        Of the losses: the mean of those that are not ignored (NaN where there are none), the sum, or the loss of each.
"""
LABELS = """    target : array_like
        Labels from 0 to 1, broadcast against `logits`; their dtype does not change that of the result.
"""
WEIGHT = """    pos_weight : float or array_like, default None
        The weight of a target of 1 beside one of 0, not negative; broadcast against `logits`. None for 1.
"""
GRAD = """    grad : array_like
        The gradient with respect to the loss: a number such as 1.0, or with reduction='none' an array of the loss's shape.
"""
PLACE = "    out : ndarray, optional\n        Where to write {0}.\n"
IN_PLACE = "the gradient; `out=logits` works in place"


def loss(head, tail, given, out, returned, cross, example):
    """The docstring of a loss."""
    wrong = "IndexError\n        For an index that is neither a class nor `ignore_index`.\n    " if cross else ""
    kinds = "indices that are no integers, " if cross else ""
    labels = "labels that are not one-hot" if cross else "a label below 0 or above 1"
    source = (
        "C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna (2016), Rethinking the Inception architecture (label smoothing)"
        if cross
        else "D. R. Cox (1958), The regression analysis of binary sequences"
    )
    return clean(f"""{head}

    {tail}

    Parameters
    ----------
{given}{PLACE.format(out)}
    Returns
    -------
    {returned}

    Raises
    ------
    {wrong}TypeError
        For {REFUSED}, {kinds}and
        a parameter of a wrong kind.
    ValueError
        For shapes that do not fit, {labels}, an unknown reduction, and an `out` of another shape or read-only.

    References
    ----------
    {source}.

    Examples
    --------
    >>> import numpy as np, fastact as fa
    {example}
    """)


SCALAR = "scalar or ndarray\n        The loss, rounded once from a float64 sum; with reduction='none' one for each {0}."
SLOPE = "ndarray\n        The gradient of `logits`, of their shape; accurate where a target dominates: p - 1 keeps its digits."
IN_PLACE_BOTH = f"{IN_PLACE}.\n        Or a tuple of two, where to write the loss and the gradient; either may be None"
BOTH = "(scalar or ndarray, ndarray)\n        The loss, and the gradient of `logits`, as the two functions give them"
TEXTS = {
    "gumbel_softmax": clean(f"""gumbel_softmax: {OTHERS["gumbel_softmax"][2]}, along an axis

    A random draw from the softmax of x, made smooth so that a gradient can pass: the smaller tau, the nearer to one-hot.

    Parameters
    ----------
    x : array_like
        At least one dimension; {KINDS}
    axis : int, tuple of int or None, default -1
        The axis of a row; several make one row, None all of them.
    tau : float, default 1.0
        The temperature, positive.
    hard : bool, default False
        Whether to give the draw itself, 1 at one entry and else 0. For a gradient draw twice from the same seed, hard and not:
        the backward pass starts from the soft one.
    rng : numpy.random.Generator or seed, optional
        Where the noise comes from. The same seed gives the same draw in any layout, up to the rounding of the dtype.
    out : ndarray, optional
        Where to write; `out=x` works in place, and the noise needs no array of its own.
{KEYWORDS}
    Returns
    -------
    ndarray
        Of the shape of `x`, dimensionless. A row with a NaN or +inf, or of -inf alone, is NaN.

    Raises
    ------
    TypeError
        For {REFUSED}, lazy arrays, masked
        entries (pass `x.filled(-np.inf)` for them), an axis that is no integer, an rng that is neither a generator nor a seed.
    ValueError
        For a scalar, a tau that is not positive, and an `out` of another shape or read-only.

    References
    ----------
    E. Jang, S. Gu, B. Poole (2017), Categorical reparameterization with Gumbel-softmax.

    Examples
    --------
    >>> import numpy as np, fastact as fa
    {examples.other("gumbel_softmax")}
    """),
    "gumbel_softmax_backward": clean(f"""The gradient of gumbel_softmax: {OTHERS["gumbel_softmax"][3]}, along an axis

    Parameters
    ----------
    grad : array_like
        The gradient of the loss with respect to the output of `gumbel_softmax`.
    axis : int, tuple of int or None, default -1
        The axis of the forward pass.
    y : array_like
        The output of the forward pass, not hard: the noise has gone, so there is no start from x.
    tau : float, default 1.0
        The temperature of the forward pass.
    out : ndarray, optional
        Where to write; `out=grad` works in place.
{KEYWORDS}
    Returns
    -------
    ndarray
        Of the shape of `grad`.

    Raises
    ------
    TypeError
        Where `y` is missing, for masked entries, and for operands as in `softmax_backward`.
    ValueError
        For a tau that is not positive, and as in `softmax_backward`.

    References
    ----------
    E. Jang, S. Gu, B. Poole (2017), Categorical reparameterization with Gumbel-softmax.

    Examples
    --------
    >>> import numpy as np, fastact as fa
    {examples.other("gumbel_softmax_backward")}
    """),
    "cross_entropy": loss(
        f"cross_entropy: {OTHERS['cross_entropy'][2]}",
        "The surprise at the right class, from logits, in one pass over them: a softmax, its logarithm and the mean.",
        LOGITS + TARGET + CROSS + REDUCTION,
        "the loss",
        SCALAR.format("row"),
        True,
        examples.other("cross_entropy"),
    ),
    "cross_entropy_backward": loss(
        f"The gradient of cross_entropy: {OTHERS['cross_entropy'][3]}",
        "With the factor of the reduction: divided by the number of rows that count where it is the mean.",
        GRAD + LOGITS + TARGET + CROSS + REDUCTION,
        IN_PLACE,
        SLOPE,
        True,
        examples.other("cross_entropy_backward"),
    ),
    "cross_entropy_and_grad": loss(
        "cross_entropy and cross_entropy_backward with a grad of 1, in one pass over the logits",
        "What a training step needs.",
        LOGITS + TARGET + CROSS + REDUCTION,
        IN_PLACE_BOTH,
        BOTH,
        True,
        examples.other("cross_entropy_and_grad"),
    ),
    "binary_cross_entropy_with_logits": loss(
        f"binary_cross_entropy_with_logits: {OTHERS['binary_cross_entropy_with_logits'][2]}",
        "The surprise at labels of 0 and 1 (or between), whose probability is the sigmoid of the logit; without overflow.",
        LOGITS + LABELS + WEIGHT + REDUCTION,
        "the loss",
        SCALAR.format("element"),
        False,
        examples.other("binary_cross_entropy_with_logits"),
    ),
    "binary_cross_entropy_with_logits_backward": loss(
        f"The gradient of binary_cross_entropy_with_logits: {OTHERS['binary_cross_entropy_with_logits'][3]}",
        "With the factor of the reduction: divided by the number of elements where it is the mean.",
        GRAD + LOGITS + LABELS + WEIGHT + REDUCTION,
        IN_PLACE,
        "ndarray\n        The gradient of `logits`, of their shape.",
        False,
        examples.other("binary_cross_entropy_with_logits_backward"),
    ),
}
