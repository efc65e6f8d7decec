"""Public functions work on lazy arrays and in other processes: dask, a cluster, joblib and multiprocessing."""

import functools
import multiprocessing
import os
import pickle
import time

import numpy as np
import pytest

import fastact
from fastact import backends
from fastact import declare as row_table
from fastact.calls import ufuncs
from fastact.declare import ACTIVATIONS

from arrays import assert_same_bits, refused
from passes import STEPS

FUNCTIONS = {name: getattr(fastact, name) for name in vars(backends.load(fastact.simd))}
INNER = {name: made for name, made in vars(ufuncs).items() if hasattr(made, "nin")}
ROWS = tuple(row_table.ROWS)
SLOPED = [name for name, row in row_table.ROWS.items() if row.slope]
X = np.random.default_rng(0).uniform(0.1, 0.9, (8, 6)).astype(np.float32)
TARGET = np.array([0, 5, 2, 1, -100, 3, 4, 4])
LOSS_OF = {name: loss for loss in row_table.LOSSES.values() for name in loss.names().values()}
# These functions refuse lazy arrays: they need arrays in memory.
IN_MEMORY = ["gumbel_softmax", *LOSS_OF]

OPTIONS = {"adam_step": {"step": 1}, "sgd_step": {"momentum": 0.5}}


def plain(array):
    """The array as it is."""
    return array


def call(name, lift=plain, start="x"):
    """The result of a call of a public function, on arrays that `lift` makes from NumPy arrays.

    `start` says whether a backward pass starts from x or y. The result is None where it cannot start so.
    """
    function, x = FUNCTIONS[name], lift(X)
    forward = name.removesuffix("_backward")
    activation = next((one for one in ACTIVATIONS.values() if one.public and forward in (one.name, *one.aliases)), None)
    if activation:
        operands = [x] * (1 if activation.halves else len(activation.operands))
        if forward == name:
            return function(*operands, **activation.usual)
        if start == "y":
            return function(x, y=x, **activation.usual) if activation.backward_from_output and not activation.halves else None
        weight = {"weight": lift(np.full(6, 0.25, np.float32))} if name == "prelu_backward" else activation.usual
        return function(lift(X[:, :3]) if activation.halves else x, *operands, **weight)
    if forward in row_table.ROWS or forward == "gumbel_softmax":
        if name in ("gumbel_softmax", "gumbel_softmax_backward"):
            return function(x, rng=0) if name == forward else function(x, y=x, tau=0.5)
        if forward == name:
            return function(x)
        if start == "y":
            return function(x, y=x) if row_table.ROWS[forward].backward_from_output else None
        return function(lift(X[:, 0].copy()) if row_table.ROWS[forward].reduces else x, x)
    if name in STEPS:
        return function(*(lift(array) for array in arrays_of(name)), **OPTIONS[name])
    target = lift(TARGET if LOSS_OF[name].of_rows else X)
    return function(1.0, x, target) if name.endswith("_backward") else function(x, target)


def arrays_of(step):
    """The arrays of a step of an optimizer, each with memory of its own."""
    return [X + i for i in range(4 if step == "adam_step" else 3)]


def parts(result):
    """A result as a tuple, also where there is only one."""
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.filterwarnings("ignore:The numpy.linalg.linalg:DeprecationWarning")  # pickle looks for a ufunc in all modules
def test_everything_pickles_by_name():
    """Public functions and the ufuncs inside are pickled by name. The ufuncs have the same names on both backends."""
    assert set(backends.evaluators_by_name("numpy")) <= set(vars(ufuncs))
    for name, made in {**FUNCTIONS, **INNER}.items():
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            sent = pickle.dumps(made, protocol)
            assert pickle.loads(sent) is made, name
            assert len(sent) < 200, name
        if isinstance(made, np.ufunc) and name not in FUNCTIONS:
            assert b"fastact.calls.ufuncs" in sent, name


def test_a_pool_of_processes_gives_the_same_bits():
    """Processes that spawn starts can unpickle functions and the ufuncs inside, and give the same bits."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        sent = {name: (made, (X,) * made.nin) for name, made in INNER.items() if not made.signature}
        sent |= {name: (FUNCTIONS[name], (X,)) for name in ROWS}
        waiting = {name: pool.apply_async(*job) for name, job in sent.items()}
        for name, job in waiting.items():
            assert_same_bits(job.get(60), sent[name][0](*sent[name][1]), name)


@pytest.mark.filterwarnings("ignore:.*resource_tracker.*", "ignore:.*leaked.*")
def test_joblib_gives_the_same_bits():
    """Processes that joblib starts (loky) give the same bits."""
    joblib = pytest.importorskip("joblib")
    names = ("gelu", "leaky_relu", "softmax", "glu", "prelu", "cross_entropy")
    jobs = [joblib.delayed(FUNCTIONS[name])(X, *((0.25,) if name == "prelu" else ())) for name in names[:-1]]
    jobs += [joblib.delayed(FUNCTIONS["cross_entropy"])(X, TARGET), joblib.delayed(INNER["gelu_backward"])(X, X)]
    results = joblib.Parallel(n_jobs=2, backend="loky")(jobs)
    for result, (function, args, _) in zip(results, jobs, strict=True):
        assert_same_bits(result, function(*args), str(function))


def lifted(da, chunks=(2, 3), along=False):
    """A function that makes dask arrays, chunked along the first axis, or along all axes."""
    return lambda array: da.from_array(array, chunks=chunks[: array.ndim] if along else (chunks[0], *[-1] * (array.ndim - 1)))


def same_lazily(da, make, lift, note):
    """Fail unless the call has a lazy result, with the same key each time, and the shape, dtype and bits of a NumPy call."""
    lazy, again, expected = parts(make(lift)), parts(make(lift)), parts(make(plain))
    for result, other, right in zip(lazy, again, expected, strict=True):
        assert isinstance(result, da.Array), note
        assert (result.shape, result.dtype) == (right.shape, right.dtype), note
        assert result.name == other.name, f"{note}: another key"
        pickle.dumps(result.dask)
        if note.startswith("prelu_backward") and right.ndim == 1:  # dask adds the sums of the chunks
            np.testing.assert_allclose(result.compute(scheduler="sync"), right, rtol=1e-6)
        else:
            assert_same_bits(result.compute(scheduler="sync"), right, note)


@pytest.mark.parametrize("name", IN_MEMORY)
def test_functions_that_need_arrays_in_memory_refuse_lazy_ones(da, name):
    """The message says what to do with a lazy array."""
    message = rf"{name}\(\) takes arrays in memory, and \w+ is a lazy Array: .*dask.array.map_blocks\(fastact.{name}, "
    refused(TypeError, message, call, name, lifted(da))


@pytest.mark.parametrize("name", STEPS)
def test_steps_refuse_lazy_arrays(da, name):
    """The steps of optimizers change arrays in place, so they refuse lazy arrays."""
    message = rf"{name}\(\) changes arrays in place: parameters must be a numpy.ndarray in memory, not Array"
    refused(TypeError, message, call, name, lifted(da))


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in (*IN_MEMORY, *STEPS)])
def test_lazy_arrays_give_lazy_results(da, name):
    """Every other public function gives a dask array for a dask array."""
    for start in ("x", "y"):
        if call(name, start=start) is not None:
            same_lazily(da, lambda lift, start=start: call(name, lift, start), lifted(da), f"{name} from {start}")
    if name.removesuffix("_backward") in ACTIVATIONS and name not in ("glu_backward",):
        same_lazily(da, lambda lift: call(name, lift), lifted(da, along=True), f"{name} in columns")


@pytest.mark.parametrize("name", ROWS)
def test_lazy_rows_with_every_option(da, name):
    """Functions along an axis are lazy with every option, whether one operand is lazy or all. A chunked row is refused."""
    function, row = FUNCTIONS[name], row_table.ROWS[name]
    x = np.random.default_rng(1).normal(size=(4, 6, 5))
    grad, allowed = x[::-1].copy(), x > -1
    options = [{"axis": axis} for axis in (-1, 1, 2, (1, 2), (-1, 1))]
    options += [{"keepdims": True}, {"keepdims": True, "axis": (1, 2)}] if row.reduces else []
    if "mask" in row.by_name:
        masks = (allowed, allowed[0], allowed[:, :1], allowed[:, :, :1], np.True_)
        options += [{"mask": mask} for mask in masks] + [
            {"causal": True},
            {"causal": True, "mask": allowed},
            {"causal": True, "mask": None},
        ]
    options += [{"scale": 0.5}, {"scale": np.float32(2), "dtype": np.float64}] if "scale" in row.by_name else []
    options += [{"sink": 1.0}, {"sink": x[:, :, 0]}, {"sink": x[0, :, 0]}] if "sink" in row.by_name else []
    lift = lifted(da, (2,))

    def cut(array):
        return da.from_array(array, chunks=tuple(max(1, n // 2) for n in array.shape))

    def options_for(to, given, other):
        """The options of a call. A mask or sink may be chunked otherwise than x."""
        arrays = {name: value for name, value in given.items() if name in ("mask", "sink") and np.ndim(value)}
        return given if to is plain else {**given, **{name: other(value) for name, value in arrays.items()}}

    backward = FUNCTIONS.get(f"{name}_backward")
    for given in options:
        for other in (plain, lift, cut):
            lifts = functools.partial(options_for, given=given, other=other)
            same_lazily(da, lambda to, lifts=lifts: function(to(x), **lifts(to)), lift, f"{name}, {given}")
            if backward:
                rows = grad.sum(given.get("axis", -1), keepdims=given.get("keepdims", False)) if row.reduces else grad
                make = functools.partial(lambda rows, lifts, to: backward(to(rows), to(x), **lifts(to)), rows, lifts)
                same_lazily(da, make, lift, f"{name} backward, {given}")
    empty = np.empty((0, 6, 5))
    same_lazily(da, lambda to: function(to(empty)), lift, "no row")
    same_lazily(da, lambda to: function(to(x[:, :, :0]), axis=1), lift, "no column")
    if backward:
        few = np.ones(6 if row.reduces else (6, 5))
        same_lazily(da, lambda to: backward(few, to(x)), lift, "grad of fewer dimensions")
        rows = grad[..., 0] if row.reduces else grad
        same_lazily(da, lambda to: backward(rows, to(x)), lift, "x alone")
        same_lazily(da, lambda to: backward(to(rows), x), lift, "grad alone")
    d = da.from_array(x, chunks=(2, 3, 5))
    if not row.reduces:
        chunks = r"axis 1 of x has chunks \(3, 3\): pass x.rechunk\({1: -1}\), or use dask.array.map_blocks"
        message = rf"{name}\(\) needs whole rows in a block, and {chunks}"
        refused(TypeError, message, function, d, axis=1)
    for out in (d, (d,), np.empty(x.shape)):
        refused(TypeError, rf"{name}\(\) takes no out= where it or an operand is lazy", function, d, out=out)
    refused(TypeError, rf"{name}\(\) takes no out= where it or an operand is lazy", function, x, out=d)
    refused(TypeError, "unexpected keyword argument 'slant'", function, d, slant=1)
    refused(TypeError, "takes real numbers", function, d.astype(complex))
    refused(ValueError, "axis 3 is out of bounds", function, d, axis=3)
    if "mask" in row.by_name:
        refused(ValueError, r"a mask that broadcasts against x: shapes \(7,\)", function, d, mask=np.ones(7, bool))
        refused(TypeError, "argument mask must be boolean", function, d, mask=d)


def test_a_lazy_logsumexp_of_chunked_rows(da):
    """logsumexp takes rows that are chunked: it computes each chunk, and adds the results in float64."""
    x = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
    d, function = da.from_array(x, chunks=(2, 3)), fastact.logsumexp
    for given in ({"axis": None}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"mask": x > 0}, {"causal": True, "mask": x > 0}):
        result, expected = function(d, **given), function(x, **given)
        assert (result.shape, result.dtype) == (expected.shape, np.float32)
        np.testing.assert_allclose(result.compute(scheduler="sync"), expected, rtol=2e-7)
    d = da.from_array(np.ma.array(x, mask=x > 0), chunks=(2, 3))
    refused(TypeError, r"needs whole rows in a block", function, d, mask=x > -1)


def test_lazy_arrays_of_masked_blocks_and_unknown_sizes(da):
    """Blocks of masked arrays keep their masks. Chunks of unknown size are refused by causal=True alone."""
    x = np.random.default_rng(1).normal(size=(4, 6))
    masked = np.ma.array(x, mask=x > 0.5)
    result = fastact.softmax(da.from_array(masked, chunks=(2, 6))).compute(scheduler="sync")
    assert (result.mask == masked.mask).all()
    assert_same_bits(result.data, fastact.softmax(masked).data, "masked blocks")
    some = x[:, 0] > 0
    unknown = da.from_array(x, chunks=(2, 6))[da.from_array(some, chunks=2)]
    assert_same_bits(fastact.softmax(unknown).compute(scheduler="sync"), fastact.softmax(x[some]), "unknown")
    refused(TypeError, r"causal=True needs the sizes of chunks: x.compute_chunk_sizes\(\)", fastact.softmax, unknown, causal=True)


def test_lazy_pairs_of_another_dtype(da):
    """dtype= reaches the blocks, and a Python number does not change the dtype."""
    for make in (
        lambda x: fastact.swiglu_backward(x, x, x, dtype=np.float64),
        lambda x: fastact.swiglu_backward(1.0, x, x),
        lambda x: fastact.prelu_backward(x, x, 0.25)[:1],
        lambda x: fastact.prelu_backward(x, x, 0.25, dtype=np.float64)[:1],
        lambda x: fastact.glu_backward(x[:, :3], x, dtype=np.float64),
        lambda x: fastact.glu_backward(1.0, x),
    ):
        same_lazily(da, lambda lift, make=make: make(lift(X)), lifted(da), "pairs")
    d = da.from_array(X, chunks=2)
    for name, operands in {"swiglu_backward": 3, "prelu_backward": 3, "glu_backward": 2}.items():
        for out in ((d, d), (X.copy(), None)):
            refused(TypeError, rf"{name}\(\) takes no out= where it or", FUNCTIONS[name], *[d] * operands, out=out)
        # swiglu_backward is a ufunc with two results, and for those NumPy itself raises the error.
        message = "takes no out= where it or" + ("|all returned NotImplemented" if name == "swiglu_backward" else "")
        refused(TypeError, message, FUNCTIONS[name], *[X] * operands, out=(d, d))
        refused(TypeError, rf"{name}\(\) takes no where= beside lazy", FUNCTIONS[name], *[d] * operands, where=X > 0)


def test_lazy_parameters_are_not_computed(da):
    """The conditions on a lazy parameter are not checked, because that would compute it."""
    alpha = np.full((8, 6), 0.5, np.float32)
    for name in ("celu", "celu_backward", "softcap"):
        operands = [X] * (2 if name.endswith("_backward") else 1)
        same_lazily(da, lambda lift, name=name, operands=operands: FUNCTIONS[name](*operands, lift(alpha)), lifted(da), name)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_lazy_frames(da):
    """Data frames of dask are taken by elementwise functions, and by functions along axis 1."""
    dd, pd = pytest.importorskip("dask.dataframe"), pytest.importorskip("pandas")
    frame = pd.DataFrame(X.astype(np.float64), columns=list("abcdef"))
    lazy = dd.from_pandas(frame, npartitions=2)
    for make in (
        fastact.gelu,
        fastact.sigmoid,
        lambda x: fastact.gelu_backward(x, x),
        lambda x: fastact.leaky_relu(x, 0.25),
        lambda x: fastact.softmax(x, axis=1, scale=0.5),
        lambda x: fastact.softmax_backward(x, x),
        lambda x: fastact.log_softmax_backward(x, y=x),
        lambda x: fastact.logsumexp(x, axis=1),
    ):
        result = make(lazy)
        assert hasattr(result, "npartitions")
        assert result._name == make(lazy)._name
        computed, expected = result.compute(scheduler="sync"), make(frame)
        assert type(computed) is type(expected)
        assert computed.equals(expected)
    single = fastact.leaky_relu(dd.from_pandas(frame.astype(np.float32), npartitions=2), 0.25)
    assert single.dtypes.tolist() == single.compute(scheduler="sync").dtypes.tolist() == [np.float32] * 6
    for given in ({"axis": 0}, {"axis": 1, "causal": True}, {"axis": 1, "mask": X > 0}):
        refused(TypeError, r"softmax\(\) of a dask DataFrame goes along axis=1", fastact.softmax, lazy, **given)
    refused(TypeError, r"glu\(\) takes arrays, lazy or not, .* pass x.to_dask_array", fastact.glu, lazy)
    refused(TypeError, r"softmax\(\) takes arrays, lazy or not", fastact.softmax, pytest.importorskip("dask").delayed(X))


def test_a_cluster_gives_the_same_bits(cluster):
    """Every public function gives the same bits in the processes of a cluster as in this process."""
    import dask.array as da

    pids = cluster.run(os.getpid)
    assert len(set(pids.values()) | {os.getpid()}) == 3
    assert set(cluster.run(lambda: __import__("fastact").simd).values()) == {fastact.simd}
    waiting = {}
    for name in FUNCTIONS:
        if name in STEPS:
            waiting[name, "x"] = cluster.submit(FUNCTIONS[name], *arrays_of(name), **OPTIONS[name])
            continue
        if name in IN_MEMORY:
            given = {"rng": 0} if name == "gumbel_softmax" else {}
            operands = [1.0] * name.endswith("_backward") + [X] + ([] if given else [TARGET if name.startswith("cross") else X])
            waiting[name, "x"] = cluster.submit(FUNCTIONS[name], *operands, **given)
            continue
        for start in ("x", "y"):
            lazy = call(name, lambda array: da.from_array(array, chunks=(2, *[-1] * (array.ndim - 1))), start)
            if lazy is not None:
                waiting[name, start] = cluster.compute(parts(lazy))
    for name, row in row_table.ROWS.items():
        if "mask" in row.by_name:
            d, mask = da.from_array(X, chunks=(2, 6)), da.from_array(X > 0.3, chunks=(4, 3))
            waiting[name, "options"] = cluster.compute((FUNCTIONS[name](d, causal=True, mask=mask),))
    assert {name for name, _ in waiting} == set(FUNCTIONS)
    for (name, start), future in waiting.items():
        got = future.result(60) if name in {*IN_MEMORY, *STEPS} else cluster.gather(future)
        expected = FUNCTIONS[name](X, causal=True, mask=X > 0.3) if start == "options" else call(name, start=start)
        for result, right in zip(parts(got) if name in {*IN_MEMORY, *STEPS} else got, parts(expected), strict=True):
            if name == "prelu_backward" and np.ndim(right) == 1:
                np.testing.assert_allclose(result, right, rtol=1e-6)
            else:
                assert_same_bits(result, right, f"{name} from {start}")


def test_a_worker_that_dies_changes_no_bit(cluster):
    """When a worker dies at work, another one takes over, and the bits are the same."""
    import dask.array as da

    def slowly(block):
        time.sleep(0.1)
        return block

    x = np.random.default_rng(2).normal(size=(32, 64)).astype(np.float32)
    lazy = fastact.softmax(fastact.gelu(da.from_array(x, chunks=(1, 64)).map_blocks(slowly, dtype=x.dtype)), causal=True)
    before = set(cluster.run(os.getpid).values())
    future = cluster.compute(lazy)
    deadline = time.monotonic() + 20
    while not all(cluster.processing().values()) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    assert future.status == "pending"
    os.kill(min(before), 9)
    assert_same_bits(future.result(60), fastact.softmax(fastact.gelu(x), causal=True), "after a death")
    cluster.wait_for_workers(2, 60)
    assert set(cluster.run(os.getpid).values()) != before


def test_lazy_columns_and_scalars(da):
    """A column of a lazy frame may have a parameter. A lazy scalar, or one of xarray, is a row of one entry."""
    pd, dd, xr = (pytest.importorskip(name) for name in ("pandas", "dask.dataframe", "xarray"))
    column = pd.Series(np.linspace(-2, 2, 6, dtype=np.float32), name="a")
    lazy = dd.from_pandas(column, 2)
    for function in (fastact.leaky_relu, fastact.silu, fastact.softplus, fastact.gelu, fastact.sigmoid):
        pd.testing.assert_series_equal(function(lazy).compute(scheduler="sync"), function(column))
    scalar, one = da.from_array(np.array([2.5, 1.0]), chunks=1)[0], xr.DataArray(2.5, name="q")
    assert fastact.softmax(scalar).compute(scheduler="sync") == 1 and fastact.logsumexp(scalar).compute(scheduler="sync") == 2.5
    assert fastact.softmax_backward(scalar, y=scalar).compute(scheduler="sync") == fastact.softmax_backward(2.5, y=2.5)
    assert fastact.softmax(one, axis=0).item() == 1 and fastact.softmax(one).name == "q"
    assert float(fastact.logsumexp(one)) == 2.5
    with pytest.raises(TypeError, match=r"gelu\(\) takes no out= where it or an operand is lazy"):
        fastact.gelu(np.ones(2), out=lazy)
