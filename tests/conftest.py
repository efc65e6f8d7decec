"""Makes sure that the tests see the installed package and the backend that they expect.

FASTACT_EXPECT says which backend must be in use: "compiled", the default, or "numpy". The tests stop where another one is in
use, so that they cannot pass on the fallback because the core was not built. They also stop where Python imported the source
folder, unless `pip install -e` has installed that folder.
"""

import gc
import importlib.metadata
import json
import os
from pathlib import Path

import hypothesis
import pytest

# The networks of the tests are small. On busy cores the threads of the BLAS would mostly wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Every run tries the same examples, leaves no files behind, and has no deadline: a busy machine must not fail a test.
hypothesis.settings.register_profile("fastact", derandomize=True, database=None, deadline=None, max_examples=60)
hypothesis.settings.register_profile("long", parent=hypothesis.settings.get_profile("fastact"), max_examples=3000)
hypothesis.settings.load_profile("fastact")


def pytest_configure():
    """Stop if the package or the backend is not the one to be tested."""
    import fastact
    from fastact.backends import explain_stale

    folder = Path(fastact.__file__).parent
    expected = os.environ.get("FASTACT_EXPECT", "compiled")
    if expected not in ("compiled", "numpy"):
        raise pytest.UsageError(f"FASTACT_EXPECT must be 'compiled' or 'numpy', not {expected!r}")
    if (folder.parent / "pyproject.toml").exists() and not is_editable(folder.parent):
        raise pytest.UsageError(
            f"fastact was imported from the source folder {folder}, not from an installed package: "
            "pip install it, and run `pytest` (not `python -m pytest`, which imports from the current folder)"
        )
    if fastact.backend == "compiled" and (stale := explain_stale()):
        raise pytest.UsageError(stale)
    if fastact.backend != expected:
        raise pytest.UsageError(
            f"the tests need the {expected} backend but fastact uses {fastact.backend!r}, because: {fastact.reason}. "
            "FASTACT_EXPECT=numpy tests the fallback"
        )


def is_editable(folder):
    """Whether the package is installed as a link to this checkout, by `pip install -e`."""
    try:
        link = json.loads(importlib.metadata.distribution("fastact").read_text("direct_url.json") or "{}")
    except importlib.metadata.PackageNotFoundError:
        return False
    return link.get("dir_info", {}).get("editable", False) and link["url"] == folder.as_uri()


def pytest_collection_finish():
    """Keep the garbage collector from walking through the thousands of collected tests each time it runs."""
    gc.collect()
    gc.freeze()


def pytest_report_header():
    """Say in one line which package is under test, and on which instruction set."""
    import fastact

    return f"fastact {fastact.__version__} from {Path(fastact.__file__).parent}, {fastact.simd} ({fastact.reason})"
