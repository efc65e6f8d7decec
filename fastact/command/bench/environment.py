"""The facts about the machine on which figures depend."""

import os
import platform
import time

import numpy as np

from ... import __version__, reason, simd


def machine():
    """The facts that belong to every figure, as a dictionary of strings."""
    return {
        "fastact": __version__,
        "simd": simd,
        "reason": reason,
        "numpy": np.__version__,
        "blas": blas(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": processor(),
        "cores": str(os.cpu_count()),
        "load": load(),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def processor():
    """The processor's name, as well as the system knows it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def load():
    """How many processes wanted to run in the last minute; this one may be among them."""
    try:
        return f"{os.getloadavg()[0]:.2f}"
    except (AttributeError, OSError):  # Windows has no such number
        return "unknown"


def blas():
    """The library that NumPy's matrix products run, and its kernels: it may choose old ones on a new processor."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return f"{blas_of_the_build()}, kernels unknown: pip install threadpoolctl"
    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    # Another package may have loaded a BLAS of its own.
    found.sort(key=lambda library: "numpy" not in library["filepath"])
    if not found:
        return f"{blas_of_the_build()}, kernels unknown to threadpoolctl"
    name, version, kernels = (found[0].get(fact) for fact in ("internal_api", "version", "architecture"))
    return f"{name} {version or 'of unknown version'}, {kernels or 'unknown'} kernels, {found[0]['num_threads']} threads"


def blas_of_the_build():
    """The library that NumPy was built with."""
    facts = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return f"{facts.get('name', 'unknown BLAS')} {facts.get('version', '')}".strip()
