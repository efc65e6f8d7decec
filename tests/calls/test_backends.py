"""The fallback and the compiled core give the same values, dtypes, shapes, types, errors and warnings for any call.

`ways` makes many calls of every public function, right and wrong ones, and each runs on both backends. DIFFERS has what
differs on purpose, with the reasons. An entry of DIFFERS that no longer differs fails.
"""

import functools
import re
import warnings

import numpy as np
import pytest

from fastact import backends

import arrays
from cases import FUNCTIONS, KEPT, X, case_of
from passes import COMPILED, needs_core


def filled(dtype, value=9):
    """A function that makes an out= of any shape, filled with a value."""
    return lambda shape: np.full(shape, value, dtype)


def read_only(shape):
    """An out= that cannot be written."""
    made = np.zeros(shape, np.float32)
    made.flags.writeable = False
    return made


def masked(array):
    """A masked array that masks nothing."""
    return np.ma.array(array, mask=np.zeros(array.shape, bool))


def huge(array):
    """Numbers too large for float32."""
    return array * 1e300


WRONG = {
    "complex": lambda x: x.astype(complex),
    "object": lambda x: x.astype(object),
    "string": lambda x: x.astype(str),
    "long double": lambda x: x.astype(np.longdouble),
    "date": lambda x: x.astype("M8[s]"),
    "structured": lambda x: np.zeros(x.shape, [("a", "f4")]),
    "None": lambda x: None,
    "text": lambda x: "text",
    "a ragged list": lambda x: [[1.0], [1.0, 2.0]],
    "another object": lambda x: object(),
    "a wrong shape": lambda x: np.ones((5, 3), np.float32),
    "three dimensions": lambda x: np.ones((3, 5, 7), np.float32),
    "one dimension": lambda x: np.ones(7, np.float32),
}
RIGHT = {
    "float32": lambda x: x.astype(np.float32),
    "float64": lambda x: x,
    "float16": lambda x: x.astype(np.float16),
    "bool": lambda x: x > 0,
    "int8": lambda x: x.astype(np.int8),
    "int32": lambda x: x.astype(np.int32),
    "uint64": lambda x: np.abs(x).astype(np.uint64),
    "a list": lambda x: x.tolist(),
    "Fortran order": lambda x: np.asfortranarray(x, np.float32),
    "byte-swapped": lambda x: x.astype(">f4"),
    "masked": masked,
    "a subclass": lambda x: x.astype(np.float32).view(arrays.Labelled),
    "no rows": lambda x: x[:0] if np.ndim(x) else x,
    "no columns": lambda x: x[:, :0] if np.ndim(x) == 2 else x,
    "0-d": lambda x: np.float32(x.flat[0]),
    "a number": lambda x: float(x.flat[0]),
    "NaN": lambda x: x * np.nan,
    "infinity": lambda x: np.where(x > 0, np.inf, x),
}
OUT = {
    "float32": filled(np.float32),
    "float64": filled(np.float64),
    "float16": filled(np.float16),
    "byte-swapped": filled(">f4"),
    "integers": filled(np.int64),
    "bool": filled(bool),
    "complex": filled(complex),
    "object": filled(object),
    "long double": filled(np.longdouble),
    "a list": lambda shape: [0.0],
    "a number": lambda shape: 1.0,
    "a string": lambda shape: "out",
    "read-only": read_only,
    "too long": lambda shape: np.zeros((*shape[:-1], 9), np.float32),
    "three dimensions": lambda shape: np.zeros((3, *shape), np.float32),
    "0-d": lambda shape: np.zeros((), np.float32),
    "a subclass": lambda shape: np.zeros(shape, np.float32).view(arrays.Labelled),
    "masked": lambda shape: masked(np.zeros(shape, np.float32)),
    "None": lambda shape: None,
}
KEYWORDS = {
    **{f"dtype {kind}": {"dtype": kind} for kind in (np.float32, "d", np.float16, int, complex, object, "text", ">f4", None)},
    **{f"casting {kind}": {"casting": kind} for kind in ("no", "equiv", "safe", "same_kind", "unsafe", "text", None)},
    **{f"casting {kind}, dtype": {"casting": kind, "dtype": np.float32} for kind in ("no", "safe", "same_kind", "unsafe")},
    **{f"order {kind}": {"order": kind} for kind in ("C", "F", "A", "K", "X", None)},
    **{f"subok {kind}": {"subok": kind} for kind in (True, False, 0, None)},
    **{f"signature {kind}": {"signature": kind} for kind in ("f->f", "ff->f", "text")},
    "an unknown keyword": {"slant": 1},
    "keepdims": {"keepdims": True},
    "axes": {"axes": [-1, -1]},
}
AXES = {f"axis {axis}": {"axis": axis} for axis in (0, -2, np.int8(1), 2, -3, 1.0, "0", None, (0,), (0, 1), (0, 0), True)}
WHERE = {
    "a mask": KEPT,
    "a row": KEPT[:1],
    "a list": KEPT.tolist(),
    "False": False,
    "numpy.True_": np.True_,
    "integers": KEPT.astype(int),
    "a wrong shape": np.ones(7, bool),
    "more dimensions": np.ones((3, 2, 4), bool),
    "None": None,
    "text": "text",
}
# The mask of elements that are compared, for each entry of WHERE. The other elements of a new array are undefined.
COUNTING = {"a mask": KEPT, "a row": KEPT[:1], "a list": KEPT, "False": False, "None": False, "more dimensions": False}


def ways(case):
    """Every way to call a function, by name. Each is a function that makes the arguments of a call."""
    made = {f"of {kind}": (lambda make=make: case.call(make)) for kind, make in {**RIGHT, **WRONG}.items()}
    for kind, make in WRONG.items():
        made[f"last of {kind}"] = lambda make=make: case.call(make, which=case.last)
    for kind, make in OUT.items():
        made[f"out {kind}"] = lambda make=make: case.single(out=case.outs(make))
        made[f"out {kind}, float64"] = lambda make=make: case.double(out=case.outs(make))
        made[f"huge, out {kind}"] = lambda make=make: case.call(huge, out=case.outs(make))
    for kind, more in KEYWORDS.items():
        made[kind] = lambda more=more: case.single(**more)
        made[f"{kind}, float64"] = lambda more=more: case.double(**more)
        made[f"{kind}, out"] = lambda more=more: case.double(**more, out=case.outs(filled(np.float32)))
    made["huge, dtype"] = lambda: case.call(huge, dtype=np.float32)
    made["out twice"] = lambda: case.single(out=(np.zeros(X.shape),) * 3)
    made["out nowhere"] = lambda: case.single(out=())
    made["out in a tuple"] = lambda: case.single(out=(np.zeros(X.shape, np.float32),))
    made["too many by position"] = lambda: ([*case.single()[0], *[1.0] * 6], case.keywords)
    made["too few by position"] = lambda: (case.single()[0][:-1], case.keywords)
    made["none by position"] = lambda: ([], case.keywords)
    made["by name"] = lambda: (case.single()[0][1:], {"x": case.data[0]})
    made["in place"] = lambda: in_place(case)
    for kind, more in AXES.items():
        made[kind] = lambda more=more: case.single(**more)
        made[f"{kind}, out"] = lambda more=more: case.single(**more, out=np.zeros(X.shape, np.float32))
    for kind, mask in WHERE.items():
        made[f"where: {kind}"] = lambda mask=mask: case.single(where=mask)
        made[f"where and out: {kind}"] = lambda mask=mask: case.single(where=mask, out=case.outs(filled(np.float32)))
    made["where, and out None"] = lambda: case.single(where=KEPT, out=None)
    return made


def in_place(case):
    """The arguments of a call whose out= is the last of its arrays."""
    args, keywords = case.single()
    return args, {**keywords, "out": args[case.last]}


def outcome(function, call):
    """The outcome of a call: its results and outs, the public class of its error or None, and the categories of warnings."""
    args, keywords = call()
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        try:
            result, error = function(*args, **keywords), None
        except Exception as raised:
            classes = type(raised).__mro__
            result, error = None, next(c.__name__ for c in classes if c.__module__ in ("builtins", "numpy.exceptions"))
    out = keywords.get("out")
    values = [*(result if isinstance(result, tuple) else (result,)), *(out if isinstance(out, tuple) else (out,))]
    return values, error, sorted({warning.category.__name__ for warning in given})


def difference(first, second, chosen=None):
    """How two outcomes differ, in words, or "". `chosen` is the mask of elements that are compared."""
    if first[1:] != second[1:]:
        return f"error and warnings {first[1:]} and {second[1:]}"
    for one, other in zip(first[0], second[0], strict=True):
        if type(one) is not type(other):
            return f"a {type(one).__name__} and a {type(other).__name__}"
        if not isinstance(one, (np.ndarray, np.generic)):
            continue
        if (one.dtype, one.shape) != (other.dtype, other.shape):
            return f"{one.dtype} {one.shape} and {other.dtype} {other.shape}"
        if np.ndim(one) == 2 and one.flags.f_contiguous != other.flags.f_contiguous:
            return f"strides {one.strides} and {other.strides}"
        if np.ma.isMaskedArray(one) and not np.array_equal(np.ma.getmaskarray(one), np.ma.getmaskarray(other)):
            return f"masks {one.mask!r} and {other.mask!r}"
        if one.dtype.kind not in "fcO":
            same = np.array_equal(one, other)
        else:
            a, b = (np.asarray(np.ma.filled(value, 7.0)).astype(complex) for value in (one, other))
            if chosen is not None and (np.ndim(chosen) == 0 or a.shape == X.shape):
                a, b = np.where(chosen, a, 0), np.where(chosen, b, 0)
            # An out= of float64 may hold a result that was computed in float32.
            bound = 16 * max(np.finfo(np.float32 if one.dtype.kind == "O" else one.dtype).eps, np.finfo(np.float32).eps)
            parts = ((a.real, b.real), (a.imag, b.imag))
            same = all(np.allclose(*pair, rtol=bound, atol=bound, equal_nan=True) for pair in parts)
        if not same:
            return f"{one!r} and {other!r}"
    return ""


# What differs on purpose: patterns of ways and of functions, and the reason.
DIFFERS = (
    ("signature .*", ".*", "dtype= means the same. The fallback has no second spelling, and raises a TypeError."),
    (
        "huge, dtype",
        "(?!softm).*",
        "An infinite gradient at an infinite input is 0 * inf: a formula gives NaN, and a fitted table, which ends before, inf.",
    ),
    (
        r"of Fortran order|axis (-2|\(0,\))",
        "gumbel_softmax_backward",
        "For operands of several dtypes a gufunc makes a result whose axis is the last in memory, the fallback one like grad.",
    ),
)
if np.lib.NumpyVersion(np.__version__) >= "2.1.0":
    DIFFERS += (("casting equiv", ".*", "NumPy refuses to cast a Python number under 'equiv', though not under 'no'."),)


@functools.cache
def differences(name):
    """The differences between the two backends, by the name of the way to call the function."""
    compiled, fallback = (getattr(backends.load(which), name) for which in (COMPILED[0], "numpy"))
    found = {}
    for way, call in ways(case_of(name)).items():
        counting = COUNTING.get(way.partition(": ")[2], KEPT) if way.startswith("where") else None
        if words := difference(outcome(compiled, call), outcome(fallback, call), counting):
            found[way] = words
    return found


def on_purpose(entry, name, way):
    """Whether an entry of DIFFERS covers this way to call this function."""
    return re.fullmatch(entry[0] + "(, out|, float64)?", way) and re.fullmatch(entry[1], name)


@needs_core
@pytest.mark.parametrize("name", FUNCTIONS)
def test_backends_agree(name):
    """Both backends have the same outcome in every way that DIFFERS does not cover."""
    found = {way: words for way, words in differences(name).items() if not any(on_purpose(one, name, way) for one in DIFFERS)}
    assert not found, "\n".join(f"{way}: {words}" for way, words in found.items())


@needs_core
@pytest.mark.parametrize("entry", DIFFERS, ids=lambda entry: entry[0])
def test_what_differs_on_purpose_still_differs(entry):
    """Each entry of DIFFERS covers a difference that exists. Delete an entry that fails here."""
    assert any(on_purpose(entry, name, way) for name in FUNCTIONS for way in differences(name))
