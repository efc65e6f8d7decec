"""The numpydoc docstrings of the losses."""

from . import examples
from .rows import KINDS, REFUSED, clean

GRAD = """    grad : array_like
        The gradient with respect to the loss: a number such as 1.0, or with reduction='none' an array of the loss's shape.
"""
CLASSES = """    target : array_like
        Integers, the index of the right class of each row, in the shape of `logits` without the axis; or an array of the
        shape of `logits`, a distribution for each row. One of integers or booleans must be one-hot: a single 1 in each row.
        Its dtype does not change that of the result.
    axis : int, default -1
        The axis of the classes.
    ignore_index : int, default -100
        A row with this target counts nothing: loss and gradient are 0. For indices only.
"""
LABELS = """    target : array_like
        Labels from 0 to 1, broadcast against `logits`; their dtype does not change that of the result.
"""
NUMBERS = """    target : array_like
        Numbers in the shape of `outputs`: a target never broadcasts. Its dtype does not change that of the result.
"""
REDUCTION = """    reduction : {{'mean', 'sum', 'none'}}, default 'mean'
        Of the losses: the mean{counted} (NaN where there are none), the sum, or the loss of each.
"""
WEIGHT = """    weight : array_like, optional
        A factor for each class, not negative. It multiplies the losses of the rows of that class, and the mean divides by the
        sum of the factors of the rows that count. A class of weight 0 leaves its rows out. In a distribution, and after
        smoothing, it multiplies the share of the class; the mean of distributions divides by the number of rows.
"""


def given(loss, kind):
    """The section of parameters, without `out`."""
    first = "Scores, not probabilities" if loss.first == "logits" else "Of a network"
    text = GRAD if kind == "backward" else ""
    text += f"    {loss.first} : array_like\n        {first}; {KINDS}\n"
    text += CLASSES if loss.of_rows else LABELS if loss.labels else NUMBERS
    for name, default in loss.parameters.items():
        or_array = "" if loss.of_rows else " or array_like"
        text += f"    {name} : float{or_array}, default {default}\n        {loss.explained[name]}\n"
    text += REDUCTION.format(counted=" of those that are not ignored" if loss.of_rows else "")
    return text + (WEIGHT if loss.weighted else "")


def returned(loss, kind):
    """The section of results, and where `out` says to write them."""
    entry = "row" if loss.of_rows else "element"
    value = f"The loss, rounded once from a float64 sum; with reduction='none' one for each {entry}."
    slope = f"he gradient of `{loss.first}`, of their shape{loss.bound}."
    in_place = f"the gradient; `out={loss.first}` works in place"
    if kind == "loss":
        return f"scalar or ndarray\n        {value}", "the loss"
    if kind == "backward":
        return f"ndarray\n        T{slope}", in_place
    two = f"{in_place}.\n        Or a tuple of two, where to write the loss and the gradient; either may be None"
    return f"(scalar or ndarray, ndarray)\n        {value}\n        And t{slope}", two


def beginning(loss, kind):
    """The first line of the docstring, and the sentence that follows."""
    entries = "rows that count" if loss.of_rows else "elements"
    if kind == "loss":
        return f"{loss.name}: {loss.definition}", loss.summary
    if kind == "backward":
        reduction = f"With the factor of the reduction: divided by the number of {entries} where it is the mean."
        return f"The gradient of {loss.name}: {loss.slope}", reduction
    if "loss" not in loss.kinds:
        return f"{loss.names()[kind]}: {loss.definition}, in one pass over memory", loss.summary
    return f"{loss.name} and its backward pass with a grad of 1, in one pass", "What a training step needs."


def document(loss, kind):
    """The docstring of one function of a loss."""
    head, tail = beginning(loss, kind)
    result, out = returned(loss, kind)
    index = "IndexError\n        For an index that is neither a class nor `ignore_index`.\n    " if loss.of_rows else ""
    kinds = "indices that are no integers, " if loss.of_rows else ""
    values = "labels that are not one-hot, " if loss.of_rows else "a label below 0 or above 1, " if loss.labels else ""
    values += "a weight of another length, negative or not finite, " if loss.weighted else ""
    conditions = "".join(f"parameters without {condition}, " for condition in loss.requires)
    return clean(f"""{head}

    {tail}

    Parameters
    ----------
{given(loss, kind)}    out : ndarray, optional
        Where to write {out}.

    Returns
    -------
    {result}

    Raises
    ------
    {index}TypeError
        For {REFUSED}, {kinds}and
        a parameter of a wrong kind.
    ValueError
        For shapes that do not fit, {values}
        an unknown reduction, {conditions}and an `out` of another shape or read-only.

    {examples.ending(loss, loss.names()[kind], loss.examples.get(kind, ()))}
    """)
