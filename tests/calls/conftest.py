"""Fixtures of dask: its arrays, and two worker processes."""

import pytest


@pytest.fixture
def da():
    """dask.array. To compute is an error, unless the test names a scheduler."""
    dask, array = pytest.importorskip("dask"), pytest.importorskip("dask.array")

    def too_early(*args, **keywords):
        raise AssertionError("computed before compute()")

    with dask.config.set(scheduler=too_early):
        yield array


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes."""
    distributed = pytest.importorskip("distributed")
    pytest.importorskip("dask.array")
    with (
        distributed.LocalCluster(processes=True, n_workers=2, threads_per_worker=1, dashboard_address=None) as made,
        distributed.Client(made) as client,
    ):
        yield client
