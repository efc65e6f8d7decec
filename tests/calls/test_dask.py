"""fastact.dask computes softmax, log_softmax and logsumexp of chunked rows, lazily, as exactly as of whole rows."""

import doctest
import functools
import itertools
import os
import pickle
import subprocess
import sys

import mpmath
import numpy as np
import pytest

import fastact

import arrays
import oracle
from arrays import refused
from passes import each_dtype
from row_truth import exact

NAMES = ("softmax", "log_softmax")


@pytest.fixture
def chunked(da):
    """The module. To compute is an error, unless the test names a scheduler."""
    import fastact.dask

    return fastact.dask


def computed(array):
    """What a lazy array computes, here."""
    return array.compute(scheduler="sync")


def lengths(n, *cuts):
    """The lengths of chunks of an axis that is cut at these places."""
    return tuple(np.diff([0, *cuts, n]).tolist())


@each_dtype
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1.0, 0.1, -0.7])
def test_chunked_rows_keep_their_digits(da, chunked, dtype, name, scale):
    """Each entry is within 6 ULP of the exact value, also for large logits, and where one entry dominates its row."""
    rng = np.random.default_rng(0)
    for center, spread, dominant in ((0, 1, 0), (1000, 1, 0), (-300, 3, 0), (3e4, 30, 0), (0, 1, 40), (5000, 1, 12)):
        x = (center + rng.normal(0, spread, (4, 23))).astype(dtype)
        x[np.arange(4), [0, 7, 8, 22]] += dominant / scale
        high, rest = exact(x, scale, log=name == "log_softmax")
        for cuts in ((8,), (1, 2, 15), range(1, 23)):
            got = computed(getattr(chunked, name)(da.from_array(x, chunks=((1, 3), lengths(23, *cuts))), scale=scale))
            error = oracle.ulps(got, high, rest)
            assert error.max() <= 6, f"{error.max():.2f} ULP, center {center}, {cuts}"


@each_dtype
@pytest.mark.parametrize("name", NAMES)
def test_any_chunks_of_any_axis(da, chunked, dtype, name):
    """The result is that of the whole array, for every axis, mask and causal, and is lazy, with the same chunks and keys."""
    function, whole = getattr(chunked, name), getattr(fastact, name)
    x = np.random.default_rng(1).normal(0, 3, (3, 4, 6, 7)).astype(dtype)
    rng = np.random.default_rng(2)
    masks = [
        None,
        rng.random(x.shape) < 0.7,
        rng.random((3, 1, 1, 7)) < 0.6,
        rng.random(7) < 0.5,
        np.False_,
        rng.random((6, 7)) < 0.5,
    ]
    tolerance = 20 * np.finfo(dtype).eps
    for axis, mask, scale in itertools.product((-1, 0, 2), masks, (1.0, 0.125)):
        for causal in (False, True) if axis == -1 else (False,):
            d = da.from_array(x, chunks=(2, 4, (1, 5), (3, 1, 3)) if axis != 0 else ((1, 1, 1), 2, 3, 7))
            options = {"scale": scale, "causal": causal}
            right = whole(x, axis, mask=mask, **options)
            lazy_masks = [mask] if mask is None else [mask, da.from_array(mask, chunks=2)]
            for lazy_mask in lazy_masks:
                got, again = (function(d, axis, mask=lazy_mask, **options) for _ in range(2))
                assert isinstance(got, da.Array)
                assert (got.dtype, got.shape, got.chunks, got.name) == (dtype, x.shape, d.chunks, again.name)
                pickle.dumps(got.dask)
                values = computed(got)
                assert values.dtype == dtype
                np.testing.assert_allclose(values, right, rtol=tolerance, atol=tolerance if name == "log_softmax" else 0)


@each_dtype
@pytest.mark.parametrize("scale", [1.0, -2.0])
@pytest.mark.parametrize("name", NAMES)
def test_special_rows(da, chunked, dtype, name, scale):
    """Rows with NaN or infinities, masked rows and blocks, and huge entries are as those of whole arrays, without a warning."""
    inf, nan = np.inf, np.nan
    x = np.array(
        [
            [1, 2, 3, 4, 5, 6],
            [nan, 2, 3, 4, 5, 6],
            [-inf, -inf, 3, 4, -inf, 6],
            [-inf, -inf, -inf, -inf, -inf, -inf],
            [1, 2, inf, 4, 5, 6],
            [inf, -inf, -inf, -inf, -inf, 6],
            [0, 0, -3e38, -3e38, 3e38, 3e38],
            [-3e38, 3e38, 0, 0, 1, 0],
            [0, 0, -2000, -2000, -800, 1],
            [inf] * 6,
        ],
        dtype,
    )
    masks = [None, np.ones(x.shape, bool), x < 4, np.array([True, True, False, False, True, False]), np.isfinite(x), np.isnan(x)]
    function, whole = getattr(chunked, name), getattr(fastact, name)
    for mask, cuts in itertools.product(masks, ((2, 4), (1,), (1, 2, 3, 4, 5), (3, 3))):
        right = whole(x, scale=scale, mask=mask)
        lazy = function(da.from_array(x, chunks=((4, 6), lengths(6, *cuts))), scale=scale, mask=mask)
        with np.errstate(all="raise"):
            got = computed(lazy)
        np.testing.assert_allclose(got, right, rtol=1e-5 if dtype == np.float32 else 1e-13, atol=1e-300)


@pytest.mark.parametrize("name", NAMES)
def test_whole_rows_have_the_bits_of_arrays(da, chunked, name):
    """Where rows are not cut the bits are those of fastact's function. Small integers give float32, others float64."""
    function, whole = getattr(chunked, name), getattr(fastact, name)
    x = np.random.default_rng(3).normal(size=(6, 8)).astype(np.float32)
    arrays.assert_same_bits(computed(function(da.from_array(x, chunks=(2, 8)), causal=True)), whole(x, causal=True), "causal")
    for code in ("i1", "u1", "?", "f2", "i4", "i8"):
        given = (x > 0).astype(code)
        got, right = function(da.from_array(given, chunks=(3, 3))), whole(given)
        assert got.dtype == computed(got).dtype == right.dtype
        np.testing.assert_allclose(computed(got), right, rtol=1e-6)
    some = x[:, 0] > 0
    unknown = da.from_array(x, chunks=(2, 4))[da.from_array(some, chunks=2)]
    np.testing.assert_allclose(computed(function(unknown)), whole(x[some]), rtol=1e-6)
    refused(
        TypeError, r"mask or causal=True needs the sizes of chunks: x.compute_chunk_sizes\(\)", function, unknown, causal=True
    )
    assert computed(function(da.from_array(x[:0], chunks=(1, 4)))).shape == (0, 8)
    assert computed(function(da.from_array(np.array(2.5), chunks=()))) == whole(2.5)


@each_dtype
def test_logsumexp(da, chunked, dtype):
    """logsumexp of chunked rows is exact to 1 ULP for large logits, with masks and several axes."""
    x = (1000 + np.random.default_rng(4).normal(0, 3, (5, 12))).astype(dtype)
    mp = mpmath.MPContext()
    mp.dps = 50
    right = oracle.split([mp.log(mp.fsum(mp.exp(mp.mpf(value)) for value in row)) for row in x.tolist()], dtype)
    d = da.from_array(x, chunks=(2, 5))
    assert oracle.ulps(computed(chunked.logsumexp(d)), *right).max() <= 1
    for given in ({"axis": None}, {"axis": 0, "keepdims": True}, {"mask": x > 1000}, {"causal": True}):
        np.testing.assert_allclose(computed(chunked.logsumexp(d, **given)), fastact.logsumexp(x, **given), rtol=3e-7)


def test_wrong_arguments_are_refused(da, chunked):
    """The error names the argument and says what would be right."""
    x = np.ones((4, 6), np.float32)
    d = da.from_array(x, chunks=(2, 3))
    for name in (*NAMES, "logsumexp"):
        function = getattr(chunked, name)
        refused(TypeError, rf"fastact.dask.{name}\(\) takes a dask array, and x is ndarray: fastact.{name} takes", function, x)
        hidden = da.from_array(np.ma.array(x, mask=x > 0), chunks=(2, 3))
        refused(TypeError, rf"fastact.dask.{name}\(\) takes no masked blocks", function, hidden)
        refused(TypeError, "real numbers", function, d.astype(complex))
        refused(TypeError, "mask must be boolean", function, d, mask=x)
        refused(ValueError, r"a mask that broadcasts against x: shapes \(5,\)", function, d, mask=np.ones(5, bool))
        refused(TypeError, "causal must be True or False", function, d, causal=1)
        refused(ValueError, "causal=True needs two dimensions", function, d, axis=0, causal=True)
        refused(ValueError, "axis 2 is out of bounds", function, d, axis=2)
    for name in NAMES:
        function = getattr(chunked, name)
        refused(ValueError, "scale must be finite", function, d, scale=np.inf)
        for axis in (None, (0, 1), 1.0):
            refused(TypeError, rf"fastact.dask.{name}\(\) argument axis must be an integer, not", function, d, axis=axis)
        refused(TypeError, rf"or fastact.dask.{name}\(\), which takes them", getattr(fastact, name), d)


def test_two_workers_compute_chunked_rows(cluster):
    """Two processes compute what this one does, and each block stays where it is."""
    import dask.array as da

    import fastact.dask

    assert len(set(cluster.run(os.getpid).values()) | {os.getpid()}) == 3
    x = np.random.default_rng(5).normal(0, 20, (64, 300)).astype(np.float32)
    d, mask = da.from_array(x, chunks=(16, 70)), np.random.default_rng(6).random(x.shape) < 0.8
    for name, given in itertools.product(NAMES, ({}, {"scale": 0.1, "mask": mask}, {"causal": True}, {"axis": 0})):
        lazy = getattr(fastact.dask, name)(d, **given)
        got = cluster.compute(lazy).result(60)
        if "axis" not in given:  # blocks may arrive misaligned, and are copied row by row then
            arrays.assert_same_bits(got, computed(lazy), f"{name}, {sorted(given)}")
        np.testing.assert_allclose(got, getattr(fastact, name)(x, **given), rtol=1e-5, atol=1e-37)
    total = cluster.compute(fastact.dask.logsumexp(d)).result(60)
    np.testing.assert_allclose(total, fastact.logsumexp(x), rtol=2e-7)


def test_examples_run(chunked):
    """The docstrings' examples run as doctests."""
    import dask

    with dask.config.set(scheduler="sync"):
        result = doctest.testmod(chunked)
    assert result.attempted > 6 and not result.failed


def test_without_dask_the_error_says_what_to_install(tmp_path):
    """`import fastact` needs no dask, and imports none. fastact.dask says what to install."""
    program = (
        "import sys, fastact\n"
        "assert not {'dask', 'fastact.dask'} & sys.modules.keys()\n"
        "sys.modules['dask'] = None\n"
        "try:\n    import fastact.dask\nexcept ImportError as error:\n    print(error)\n"
    )
    run = functools.partial(subprocess.run, capture_output=True, text=True, cwd=tmp_path, check=True)
    done = run([sys.executable, "-c", program])
    assert done.stdout.startswith('fastact.dask needs dask: pip install "fastact[dask]" ('), done.stdout
