"""scale, mask, causal and sink in bits: options that change nothing, masks that broadcast, and rows that others do not touch.

test_values.py holds the bounds of accuracy. Here two calls of one layout are compared, and every bit must agree.
"""

import numpy as np
import pytest

from fastact import backends
from fastact.declare import ROWS

from arrays import assert_same_bits
from passes import each_dtype, each_implementation

MASKABLE = {name: row for name, row in ROWS.items() if "mask" in row.by_name}
PASSES = [
    (name, kind)
    for name, row in MASKABLE.items()
    for kind in ("forward", "backward", *(["from_output"] if row.backward_from_output else []))
]
each_pass = pytest.mark.parametrize("name, kind", PASSES, ids=["-".join(one) for one in PASSES])
LENGTHS = (*range(1, 14), 16, 17, 24, 25, 32, 33, 64, 100, 128, 200, 1024, 2000)
FEW_LENGTHS = (1, 2, 10, 16, 33, 65, 100, 200, 2000)
COUNT = 37  # rows: more than any vector has lanes, and no multiple of them
# How (..., COUNT, n) rows lie: the arrangement of an array, and the axis.
LAYOUTS = {
    "along": (np.ascontiguousarray, -1),
    "across": (lambda rows: np.ascontiguousarray(rows.swapaxes(-1, -2)), -2),
    "strided": (lambda rows: np.repeat(rows, 2, axis=-1)[..., ::2], -1),
}
each_layout = pytest.mark.parametrize("layout", LAYOUTS)
KINDS_OF_ROWS = {"moderate": (1, 1), "wide": (30, 30), "mixed": (1, 30)}


def function_of(implementation, name, kind, layout="along"):
    """A pass as a function of (grad, x or y) in rows, which lays them out, its mask too, and returns rows."""
    function = getattr(backends.load(implementation), name + ("" if kind == "forward" else "_backward"))
    arrange, axis = LAYOUTS[layout]

    def run(grad, last, mask=None, **options):
        if mask is not None:
            options["mask"] = arrange(mask) if mask.ndim > 1 else mask
        last = arrange(last)
        if kind == "forward":
            result = function(last, axis=axis, **options)
        else:
            grad = grad if ROWS[name].reduces else arrange(grad)
            given, by_name = ([grad], {"y": last}) if kind == "from_output" else ([grad, last], {})
            result = function(*given, **by_name, axis=axis, **options)
        return np.moveaxis(result, axis, -1) if result.shape == last.shape else result

    return run


def operands(implementation, name, kind, dtype, shape, spreads=(1, 1), **options):
    """A gradient, and logits of which every second row has the second spread; or what the function makes of these."""
    generator = np.random.default_rng(shape[-1])
    x = generator.normal(0, 1, shape).astype(dtype)
    x[..., ::2, :] *= dtype(spreads[0])
    x[..., 1::2, :] *= dtype(spreads[1])
    grad = generator.normal(0, 1, shape[:-1] if ROWS[name].reduces else shape).astype(dtype)
    return grad, function_of(implementation, name, "forward")(None, x, **options) if kind == "from_output" else x


def said(options):
    """Options in a message: of a mask the shape."""
    return {name: value.shape if isinstance(value, np.ndarray) else value for name, value in options.items()}


def options_of(name, shape):
    """Options that a function has, alone and together."""
    generator = np.random.default_rng(1)
    full, row = generator.random(shape) < 0.5, generator.random((1, shape[-1])) < 0.5
    full[..., 5:7, :] = False  # rows that are masked as a whole
    full[..., 8, :] = True
    found = [{"mask": full}, {"mask": row}]
    has = ROWS[name].by_name
    if "scale" in has:
        found += [{"scale": 0.1}, {"scale": -1.0}, {"scale": 3.7, "mask": full}]
    if "sink" in has:
        found += [{"sink": 1.0}, {"sink": -3.0, "scale": 0.1, "mask": row}]
    return found


def causal_options_of(name, shape):
    """The same, with causal."""
    return [{"causal": True}, *({"causal": True, **options} for options in options_of(name, shape))]


@each_implementation
@each_dtype
@each_pass
@each_layout
def test_options_that_change_nothing(implementation, dtype, name, kind, layout):
    """Every default, a scale of 1 and a mask that is True everywhere give the bits of the call without them."""
    function, row = function_of(implementation, name, kind, layout), ROWS[name]
    for n in LENGTHS:
        whole, one_row = np.ones((COUNT, n), bool), np.ones((1, n), bool)
        nothing = [{"mask": whole}, {"mask": one_row}, row.by_name]
        if "scale" in row.by_name:
            nothing += [{"scale": 1.0}, {"scale": 1.0, "mask": whole}]
        for rows, spreads in KINDS_OF_ROWS.items():
            given = operands(implementation, name, kind, dtype, (COUNT, n), spreads)
            expected = function(*given)
            for options in nothing:
                assert_same_bits(function(*given, **options), expected, f"{rows} rows of {n}: {said(options)}")


@each_implementation
@each_dtype
@each_pass
@pytest.mark.parametrize("causal", [False, True])
def test_a_padding_mask_is_the_mask_that_it_broadcasts_to(implementation, dtype, name, kind, causal):
    """A mask (b, 1, 1, n) on scores (b, heads, queries, n): the bits of the whole mask; a causal limit as a mask of its own."""
    function = function_of(implementation, name, kind)
    scale = {"scale": 0.1} if "scale" in ROWS[name].by_name else {}
    for n in (1, 5, 16, 33, 64, 100, 200):
        for queries in (n, n + 3, max(1, n - 3)):
            shape = (4, 2, queries, n)
            ends = np.array([n, n // 2 + 1, 0, n]).reshape(4, 1, 1, 1)
            padding = np.arange(n) < ends
            padding[3, 0, 0, : n // 3] = False  # padding at the left
            whole = np.broadcast_to(padding, shape).copy()
            limited = whole & np.tri(queries, n, dtype=bool)
            given = operands(implementation, name, kind, dtype, shape, (1, 30))
            for options in ({}, scale):
                got = function(*given, mask=padding, causal=causal, **options)
                assert_same_bits(got, function(*given, mask=whole, causal=causal, **options), f"{shape}, {said(options)}")
                if causal:
                    np.testing.assert_allclose(got, function(*given, mask=limited, **options), 1e-3, 1e-5)


@each_implementation
@each_dtype
@each_pass
@each_layout
def test_a_row_with_options_does_not_depend_on_its_neighbours(implementation, dtype, name, kind, layout):
    """Beside rows of huge numbers, NaN and infinity, and among fewer rows, the bits are the same."""
    function = function_of(implementation, name, kind, layout)
    poison = [np.nan, np.inf, -np.inf, dtype(1e38), dtype(-1e38), np.finfo(dtype).max, dtype(1e-42), dtype(3000)]
    for n in FEW_LENGTHS:
        shape = COUNT, n
        causal = causal_options_of(name, shape) if LAYOUTS[layout][1] == -1 else []
        for options in (*options_of(name, shape), *causal):
            given = operands(implementation, name, kind, dtype, shape, (1, 30), **options)
            expected = function(*given, **options)
            for start in (0, 1, 20):
                bad = np.arange(start, start + 2 * len(poison), 2)
                good = np.setdiff1d(np.arange(COUNT), bad)
                poisoned = [values.copy() for values in given]
                for at, value in zip(bad, poison, strict=True):
                    for values in poisoned:
                        values[at] = value
                with np.errstate(all="ignore"):
                    got = function(*poisoned, **options)
                assert_same_bits(got[good], expected[good], f"rows of {n} from {start}: {said(options)}")
            for fewer in (2, 9, 20):
                mask = {"mask": options["mask"][:fewer]} if "mask" in options else {}
                got = function(*(values[:fewer] for values in given), **{**options, **mask})
                assert_same_bits(got, expected[:fewer], f"{fewer} rows of {n}: {said(options)}")


@each_implementation
@each_dtype
@each_pass
@each_layout
def test_a_masked_entry_never_matters(implementation, dtype, name, kind, layout):
    """Whatever it holds, its result is 0, or -inf for a logarithm, and the others keep their bits. So for a row masked whole."""
    function, row = function_of(implementation, name, kind, layout), ROWS[name]
    nothing = -np.inf if kind == "forward" and name.startswith("log") else 0
    for n in FEW_LENGTHS:
        shape = COUNT, n
        causal = causal_options_of(name, shape) if LAYOUTS[layout][1] == -1 else []
        for options in (*options_of(name, shape), *causal):
            kept = np.broadcast_to(options.get("mask", True), shape)
            kept = kept & np.tri(*shape, dtype=bool) if options.get("causal") else kept
            given = operands(implementation, name, kind, dtype, shape, (1, 30), **options)
            expected = function(*given, **options)
            none = ~kept.any(axis=-1)
            hidden = none if kind == "forward" and row.reduces else ~kept
            assert (expected[hidden] == nothing).all(), f"rows of {n}: {said(options)}"
            for value in (np.nan, np.inf, -np.inf, dtype(1e38), dtype(-1e38)):
                filled = [np.where(kept, values, dtype(value)) if values.shape == shape else values for values in given]
                assert_same_bits(function(*filled, **options), expected, f"rows of {n}, {value}: {said(options)}")
