"""The numpydoc docstrings of the functions along an axis."""

from . import examples

KINDS = (
    "float16, bfloat16, float32 and float64 keep their dtype; booleans and integers of up to 16 bits give float32, larger ones "
    "float64."
)
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
        Row i of the last axis but one counts columns 0 to i, as in attention; with `mask` both must allow an entry. Rows and
        columns both count from 0, where their numbers differ too. For q queries that are the last of k keys, pass
        `mask=np.tri(q, k, k - q, dtype=bool)` instead.
""",
    "sink": """    sink : float or array_like, default 0.0
        One more logit, in the denominator only; broadcast against the shape of `x` without the axis, or with the axis of
        length 1. -inf for none.
""",
    "keepdims": """    keepdims : bool, default False
        Whether the axis stays, with length 1.
""",
}
SINK_GRAD = """    sink_grad : bool, default False
        Whether to return the gradient of `sink`, too: of each row {slope}, summed to the shape of
        `sink`. Where the share 1 - sum(y) of the sink is small, it loses digits with `y`; from `x` it keeps them.
"""
OTHER_ARRAYS_UNMASKED = """
        A pandas, polars or xarray object keeps its labels; a dask array or data frame gives a lazy one."""
OTHER_ARRAYS = """
        Entries that a numpy.ma array masks take no part and stay masked; a pandas, polars or xarray object keeps its labels; a
        dask array or data frame gives a lazy one."""
KEYWORDS = """    **kwargs
        Other keywords of a NumPy gufunc: `dtype`, `casting`, `subok`.
"""


def clean(text):
    """The text without the indentation of this file."""
    return text.replace("\n    ", "\n").rstrip() + "\n"


def axis(backward):
    """The text on the axis."""
    text = "The axis of the forward pass."
    if not backward:
        text = "The axis of a row; several make one row, None all.\n        Axes whose strides do not make them one are copied."
    return f"    axis : int, tuple of int or None, default -1\n        {text}\n"


def parameters(row):
    """The text on the parameters after the axis."""
    text = ""
    for name, default in {**row.parameters, **row.by_name}.items():
        if name in row.numbers:
            text += f"    {name} : float, default {default}\n        {row.explained[name]}\n"
        elif name != "axis":
            text += PARAMETERS[name].format(default=default)
    return text


def raised(row, backward):
    """The section of errors."""
    kinds, values = ["an axis that is no integer"], ["an `out` of another shape or read-only"]
    if backward or not row.composes:
        kinds.append("a lazy array whose chunks cut rows")
    if "mask" in row.by_name:
        kinds.append("a mask that is not boolean, or has a numpy.ma mask itself")
        values += ["a mask that does not broadcast", "`causal` off the last axis"]
    elif row.absent is None:
        kinds.append("masked entries")
    if "scale" in row.by_name:
        values.append("a scale that is not finite")
    values += [f"parameters without {condition}" for condition in row.requires]
    both = "\n        Where both or neither of `x` and `y` are given." if backward and row.backward_from_output else ""
    return f"""    Raises
    ------
    TypeError
        For {REFUSED};
        {", ".join(kinds)}.{both}
    ValueError
        For {", ".join(values)}; an axis out of
        range (numpy.exceptions.AxisError).
"""


def other_arrays(row):
    """The sentence on arrays of other libraries."""
    return OTHER_ARRAYS if "mask" in row.by_name or row.absent is not None else OTHER_ARRAYS_UNMASKED


def returned(row):
    """The section on what the forward pass returns."""
    edges = f" {row.edges}" if row.edges else ""
    if row.reduces:
        text = f"ndarray or scalar\n        One for each row, dimensionless{row.bound}.{edges}{other_arrays(row)}"
        return text + (
            "\n        A row of which numpy.ma masks every entry is masked." if other_arrays(row) is OTHER_ARRAYS else ""
        )
    text = f"ndarray\n        Of the shape of `x`, dimensionless{row.bound}.{edges}"
    if "mask" in row.by_name:
        hidden = f"{row.hidden:g}"
        text += f"\n        A masked entry is {hidden}, and so is every entry of a row that is masked as a whole."
    return text + other_arrays(row)


def forward(row):
    """The docstring of a function along an axis."""
    out = "" if row.reduces else "; `out=x` works in place, along any axis"
    return clean(f"""{row.name}: {row.definition}, along an axis

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
    {returned(row)}

{raised(row, False)}
    {examples.ending(row, row.name, row.example)}
    """)


def backward(row):
    """The docstring of a backward pass."""
    y, in_place = "", "x" if row.reduces else "grad"
    if row.backward_from_output:
        y = "    y : array_like, optional\n        The output of the forward pass: instead of `x`, and faster.\n"
    sink, sink_grad, two = "", "", ""
    if row.sink_slope:
        sink_grad = SINK_GRAD.format(slope=row.sink_slope)
        two = "\n        With `sink_grad` a tuple of two, where to write both gradients; either may be None."
        sink = "\n        With `sink_grad` a tuple of it and of the gradient of `sink`, rounded once from a float64 sum."
    masked = "; 0 where masked" if "mask" in row.by_name else ""
    hidden = (
        "\n        A masked entry of `grad` counts 0, and is masked in the result." if other_arrays(row) is OTHER_ARRAYS else ""
    )
    return clean(f"""The gradient of {row.name}: {row.slope}, along an axis

    Parameters
    ----------
    grad : array_like
        The gradient of the loss with respect to the output of `{row.name}`.
    x : array_like
        The input of the forward pass, by position.
{axis(True)}{parameters(row)}{sink_grad}{y}    out : ndarray, optional
        Where to write; `out={in_place}` works in place.{two}
{KEYWORDS}
    Returns
    -------
    ndarray
        The gradient of `x`, in the shape that `grad` and `x` broadcast to{masked}.{other_arrays(row)}{hidden}{sink}

{raised(row, True)}
    {examples.ending(row, f"{row.name}_backward", row.backward_example)}
    """)


def forward_of_draw(draw):
    """The docstring of a random draw."""
    return clean(f"""{draw.name}: {draw.definition}, along an axis

    {draw.summary}

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

    {examples.ending(draw, draw.name, draw.example)}
    """)


def backward_of_draw(draw):
    """The docstring of its backward pass."""
    return clean(f"""The gradient of {draw.name}: {draw.slope}, along an axis

    Parameters
    ----------
    grad : array_like
        The gradient of the loss with respect to the output of `{draw.name}`.
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
        Where `y` is missing, for masked entries, and for operands as in `{draw.soft.name}_backward`.
    ValueError
        For a tau that is not positive, and as in `{draw.soft.name}_backward`.

    {examples.ending(draw, f"{draw.name}_backward", draw.backward_example)}
    """)
