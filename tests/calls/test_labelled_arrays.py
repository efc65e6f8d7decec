"""Tables and labelled arrays of pandas, polars and xarray are read rightly, and results have their type and labels."""

import numpy as np
import pytest

from fastact import backends
from fastact import declare as row_table

from arrays import assert_same_bits, refused
from passes import each_backend

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
ROWS = tuple(row_table.ROWS)
each_row = pytest.mark.parametrize("name", ROWS)


def frame(library):
    """A table of this library, and a function that says whether another table has the same labels."""
    made = pytest.importorskip(library)
    if library == "pandas":
        table = made.DataFrame(X, columns=["a", "b", "c"], index=["w", "x", "y", "z"])
        return table, lambda other: other.index.equals(table.index) and other.columns.equals(table.columns)
    if library == "polars":
        return made.DataFrame(X, schema=["a", "b", "c"], orient="row"), lambda other: other.columns == ["a", "b", "c"]
    coords = {"time": [10, 20, 30, 40], "place": ["a", "b", "c"], "hour": ("time", [1, 2, 3, 4])}
    table = made.DataArray(X, coords, ["time", "place"], "q")
    return table, lambda other: other.dims == table.dims and other.coords.equals(table.coords) and other.name == "q"


def column(library):
    """A column of that table, and a function that says whether another column has the same labels."""
    if library == "xarray":
        one = frame(library)[0][:, 0]
        return one, lambda other: other.dims == one.dims and other.coords.equals(one.coords)
    one = frame(library)[0]["a"]
    return one, lambda other: other.name == "a" and (library == "polars" or other.index.equals(one.index))


each_library = pytest.mark.parametrize("library", ["pandas", "polars", "xarray"])
each_kind = pytest.mark.parametrize("kind", [frame, column])


def of(implementation, name):
    """A public function of an implementation."""
    return getattr(backends.load(implementation), name)


def same(make, given, labelled, note):
    """Fail unless the call gives the type and the labels of `given`, and the bits that it gives for an array."""
    result, expected = make(given), make(given.to_numpy())
    assert type(result) is type(given), f"{note}: {type(result)}"
    assert labelled(result), note
    assert_same_bits(result.to_numpy(), expected, note)


@each_backend
@each_library
@each_kind
@each_row
def test_rows_keep_labels(implementation, library, kind, name):
    """Results keep the labels, forward and backward, along each axis, with every option, whichever operand has them."""
    (given, labelled), row = kind(library), row_table.ROWS[name]
    function, array = of(implementation, name), given.to_numpy()
    options = [{}, {"axis": 0}] + ([{"axis": 1}, {"axis": (0, 1)}] if array.ndim == 2 else [])
    if "mask" in row.by_name:
        options += [{"mask": array > 0}, {"mask": given > 0}] + ([{"causal": True}] if array.ndim == 2 else [])
    options += [{"scale": 0.5}] if "scale" in row.by_name else []
    options += [{"sink": array[..., 0] if array.ndim == 2 else 0.5}] if "sink" in row.by_name else []
    for chosen in options:
        numbers = {key: value.to_numpy() if hasattr(value, "to_numpy") else value for key, value in chosen.items()}
        of_kind = lambda x, chosen=chosen, numbers=numbers: numbers if isinstance(x, np.ndarray) else chosen  # noqa: E731
        if not row.reduces:
            same(lambda x, of_kind=of_kind: function(x, **of_kind(x)), given, labelled, f"{name}, {chosen}")
        else:
            result, expected = function(given, **chosen), function(array, **numbers)
            assert_same_bits(np.asarray(result), np.asarray(expected), f"{name}, {chosen}")
        if row.slope:
            backward = of(implementation, f"{name}_backward")
            grad = (lambda x, of_kind=of_kind: function(x, **of_kind(x))) if row.reduces else (lambda x: x)
            make = lambda x, of_kind=of_kind, grad=grad, backward=backward: backward(grad(x), x, **of_kind(x))  # noqa: E731
            same(make, given, labelled, f"{name} backward, {chosen}")
    if row.backward_from_output:
        same(lambda x: backward(x, y=x), given, labelled, f"{name} backward from y")
        same(lambda x: backward(array, y=x), given, labelled, f"{name} backward from y alone")
    if row.slope and not row.reduces:
        same(lambda x: backward(array, x), given, labelled, f"{name} backward from x alone")
        same(lambda x: backward(x, array), given, labelled, f"{name} backward, grad alone")
    out = np.empty_like(function(array))
    if not row.reduces:
        assert function(given, out=out) is out
        assert_same_bits(out, function(array), "out")
        refused(TypeError, rf"{name}\(\) needs an array for out=", function, array, out=given)


@each_backend
def test_a_reduction_keeps_the_labels_of_the_other_axes(implementation):
    """A DataFrame gives a Series, a DataArray one without the axis, and polars an array. keepdims gives what broadcasts."""
    logsumexp = of(implementation, "logsumexp")
    table, _ = frame("pandas")
    values = table.to_numpy()
    for axis, left in ((1, table.index), (-1, table.index), (0, table.columns)):
        result = logsumexp(table, axis=axis)
        assert type(result) is type(table["a"])
        assert result.index.equals(left)
        assert_same_bits(result.to_numpy(), logsumexp(values, axis=axis), "Series")
    kept = logsumexp(table, axis=1, keepdims=True)
    assert type(kept) is np.ndarray
    assert (table - kept).equals(table.sub(logsumexp(table, axis=1), axis=0))
    assert logsumexp(table, axis=None) == logsumexp(values, axis=None)
    backward = of(implementation, "logsumexp_backward")
    assert backward(logsumexp(table, axis=0), table, axis=0).columns.equals(table.columns)
    assert backward(kept, table, axis=1, keepdims=True).index.equals(table.index)
    assert type(logsumexp(frame("polars")[0])) is np.ndarray
    array, _ = frame("xarray")
    result = logsumexp(array, axis=1)
    assert (result.dims, set(result.coords), result.name) == (("time",), {"time", "hour"}, "q")
    assert (array - result).dims == array.dims
    kept = logsumexp(array, axis=1, keepdims=True)
    assert (kept.dims, kept.shape, set(kept.coords)) == (array.dims, (4, 1), {"time", "hour"})
    assert logsumexp(array, axis=None).dims == ()
    assert backward(kept, array, keepdims=True).equals(backward(result, array))
    stacked = array.stack(both=("time", "place"))
    assert logsumexp(stacked).dims == ()
    assert logsumexp(stacked.expand_dims("n")).dims == ("n",)


@each_backend
@each_library
def test_labels_that_differ_are_refused(implementation, library):
    """Operands whose labels differ are refused, because equal positions would not mean equal labels."""
    backward, softmax = of(implementation, "softmax_backward"), of(implementation, "softmax")
    table, _ = frame(library)
    if library == "xarray":
        others = [table.transpose(), table[::-1], table.rename(place="where")]
    else:
        others = [table[["b", "a", "c"]]] + ([table.iloc[::-1]] if library == "pandas" else [])
    for other in others:
        message = r"softmax_backward\(\) needs operands with the same labels, and those of grad differ"
        refused(ValueError, message, backward, other, table)
        if other.shape == table.shape:
            refused(ValueError, "and those of mask differ: align them", softmax, table, mask=other > 0)
    if library == "pandas":
        grad = of(implementation, "logsumexp")(table, axis=1)[::-1]
        refused(ValueError, "those of grad differ", of(implementation, "logsumexp_backward"), grad, table)


@each_backend
@each_library
@each_kind
def test_functions_that_read_labelled_operands_as_arrays(implementation, library, kind):
    """gumbel_softmax, glu and prelu_backward read labelled operands as arrays, and give arrays."""
    given, labelled = kind(library)
    calls = {
        "gumbel_softmax": lambda function, x: function(x, rng=0),
        "glu": lambda function, x: function(x, 0),
        "glu_backward": lambda function, x: function(x[:2], x, 0),
        "prelu_backward": lambda function, x: function(x, x, 0.25),
    }
    for name, make in calls.items():
        function = of(implementation, name)
        assert_same_bits(make(function, given), make(function, given.to_numpy()), name)
    same(lambda x: of(implementation, "gumbel_softmax_backward")(x, y=x), given, labelled, "gumbel_softmax_backward")


@each_backend
@each_library
def test_losses_of_labelled_arrays(implementation, library):
    """The logits, the targets or both may have labels. If both have, the labels must be the same."""
    made, table = pytest.importorskip(library), frame(library)[0]
    target = np.array([0, 1, 2, 0])
    if library == "xarray":
        labels, others = table[:, 0].copy(data=target), table[::-1, 0].copy(data=target)
    else:
        labels = made.Series(target, index=table.index) if library == "pandas" else made.Series(target)
        others = labels[::-1]
    for name in ("cross_entropy", "cross_entropy_and_grad"):
        function = of(implementation, name)
        assert_same_bits(function(np.ones((4, 3)), labels), function(np.ones((4, 3)), target), name)
        assert_same_bits(function(table, labels), function(table.to_numpy(), target), name)
    function = of(implementation, "binary_cross_entropy_with_logits")
    assert_same_bits(function(table, table > 0), function(table.to_numpy(), table.to_numpy() > 0), "binary")
    if library != "polars":  # rows of polars have no labels
        message = "needs operands with the same labels, and those of target differ"
        refused(ValueError, message, of(implementation, "cross_entropy"), table, others)
        refused(ValueError, message, of(implementation, "cross_entropy_backward"), 1.0, table, table[::-1] > 0)
        refused(ValueError, message, function, table, table[::-1] > 0)
    if library == "pandas":
        weight = made.Series([1.0, 2.0, 3.0], index=table.columns)
        expected = function(table.to_numpy(), table.to_numpy() > 0, weight.to_numpy())
        assert_same_bits(function(table, table > 0, weight), expected, "weight")
        refused(ValueError, "those of pos_weight differ", function, table, table > 0, weight[::-1])


@each_backend
@each_library
@each_kind
def test_elementwise_functions_keep_labels(implementation, library, kind):
    """The library's __array_ufunc__ gives labels to the results of elementwise functions, also where there are two."""
    given, labelled = kind(library)
    for name, operands in {"gelu": 1, "sigmoid": 1, "leaky_relu": 1, "gelu_backward": 2, "swiglu": 2}.items():
        function = of(implementation, name)
        if (library, kind) == ("polars", frame):  # a DataFrame of polars has no __array_ufunc__
            assert_same_bits(function(*[given] * operands), function(*[given.to_numpy()] * operands), name)
        else:
            same(lambda x, function=function, operands=operands: function(*[x] * operands), given, labelled, name)
    backward = of(implementation, "swiglu_backward")
    for i in range(2):
        same(lambda x, i=i: backward(x, x, x)[i], given, labelled, f"swiglu_backward, {i}")


@each_backend
def test_dtypes_of_columns(implementation):
    """Columns of nullable, Arrow and sparse numbers are read. Missing values and other dtypes are refused by name."""
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    softmax, expected = of(implementation, "softmax"), of(implementation, "softmax")(np.array([1.0, 2.0]))
    for dtype in ("Float64", "Int64", "int64", "Sparse[float64]", "double[pyarrow]"):
        result = softmax(pd.Series([1, 2], dtype=dtype, name="n"))
        assert result.name == "n"
        assert_same_bits(result.to_numpy(), expected, dtype)
    assert_same_bits(softmax(pd.array([1.0, 2.0])), expected, "extension array")
    assert_same_bits(softmax(pd.Index([1.0, 2.0])), expected, "Index")
    mixed = pd.DataFrame({"a": [1.0, 2.0], "b": [True, False], "c": np.array([3, 4], np.int8)})
    assert_same_bits(softmax(mixed).to_numpy(), softmax(np.array([[1.0, 1, 3], [2, 0, 4]])), "mixed")
    assert softmax(pd.DataFrame({"a": np.float32([1, 2]), "b": [True, False]})).dtypes.tolist() == [np.float32] * 2
    mixed = pl.DataFrame({"a": [1, 2], "b": [0.5, 1.0]})
    assert_same_bits(softmax(mixed).to_numpy(), softmax(mixed.to_numpy()), "polars, mixed")
    assert_same_bits(softmax(pl.Series([1, 2])).to_numpy(), expected, "polars integers")
    message = r"softmax\(\) takes no missing values, and x has some, of dtype {} in 'w': pass x.{}"
    refused(TypeError, message.format("Float64", "fillna"), softmax, pd.Series([1.0, None], dtype="Float64", name="w"))
    refused(TypeError, message.format("Float64", "fill_null"), softmax, pl.DataFrame({"a": [1.0, 2.0], "w": [1.0, None]}))
    message = r"softmax\(\) takes real numbers, and x has dtype {}"
    words = pd.DataFrame({"a": [1, 2], "b": np.array(["x", 1], object)})
    refused(TypeError, message.format("object in 'b': pass numbers, x.astype"), softmax, words)
    refused(TypeError, message.format("category: pass numbers, x.cat.codes"), softmax, pd.Series([1, 2], dtype="category"))
    refused(TypeError, message.format("datetime64"), softmax, pd.Series(pd.date_range("2020", periods=2)))
    refused(TypeError, message.format("complex128"), softmax, pd.Series([1j]))
    refused(TypeError, message.format("String in 'b'"), softmax, pl.DataFrame({"a": [1.0], "b": ["x"]}))
    refused(TypeError, message.format("List"), softmax, pl.Series([[1.0], [2.0]]))
    classes = words.b.astype("category")
    for name in ("glu", "gumbel_softmax"):
        refused(TypeError, rf"{name}\(\) takes real numbers, and x has dtype category", of(implementation, name), classes)


@each_backend
def test_other_objects_are_refused(implementation):
    """Lazy frames, expressions and datasets are refused, and the message says what to call."""
    pl, xr = pytest.importorskip("polars"), pytest.importorskip("xarray")
    softmax, table = of(implementation, "softmax"), frame("polars")[0]
    refused(TypeError, r"x is a polars LazyFrame: pass x.collect\(\)", softmax, table.lazy())
    message = r"x is a polars Expr: pass x.map_batches\(lambda series: fastact.softmax\(series\), "
    refused(TypeError, message, softmax, pl.col("a"))
    selected = table.select(pl.col("a").map_batches(lambda series: softmax(series), return_dtype=pl.Float32))
    assert_same_bits(selected["a"].to_numpy(), softmax(X[:, 0].copy()), "map_batches")
    array, labelled = frame("xarray")
    dataset = array.to_dataset()
    refused(TypeError, r"x is a xarray Dataset: .* x.map\(fastact.softmax\)", softmax, dataset)
    assert labelled(dataset.map(softmax)["q"])
    assert isinstance(dataset, xr.Dataset)


def test_xarray_around_dask_stays_lazy():
    """A DataArray that holds a dask array gives a lazy result with labels, or an error that says what must be in memory."""
    import fastact

    dask, array = pytest.importorskip("dask.array"), frame("xarray")[0]
    lazy = array.chunk({"time": 2})
    for make in (
        fastact.gelu,
        lambda x: fastact.softmax(x, scale=0.5, mask=x > 0),
        lambda x: fastact.softmax_backward(x, x, causal=True),
        lambda x: fastact.logsumexp(x, axis=1),
        lambda x: fastact.logsumexp(x, axis=1, keepdims=True),
        lambda x: fastact.swiglu_backward(x, x, x)[1],
    ):
        result, expected = make(lazy), make(array)
        assert isinstance(result.data, dask.Array)
        assert result.compute(scheduler="sync").identical(expected)
    assert isinstance(fastact.glu(lazy, 0), dask.Array)
    refused(TypeError, r"needs whole rows in a block, and axis 0 of x", fastact.softmax, lazy, axis=0)
    refused(TypeError, r"gumbel_softmax\(\) takes arrays in memory, .*map_blocks", fastact.gumbel_softmax, lazy)
