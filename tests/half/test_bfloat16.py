"""How bfloat16 becomes known: at import, at the first call that sees it, or by register_bfloat16()."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastact
from fastact import backends

from halves import half
from passes import IMPLEMENTATIONS, needs_core

CALLS = {
    "sigmoid": "fa.sigmoid(x)",
    "leaky_relu": "fa.leaky_relu(x, 0.5)",
    "gelu_backward": "fa.gelu_backward(x, x, out=x)",
    "softmax": "fa.softmax(x)",
    "masked": "fa.softmax(x, scale=0.5)",
    "cross_entropy": "fa.cross_entropy(x, np.array([0, 1]))",
    "dtype": "fa.sigmoid(np.zeros(3), dtype='bfloat16')",
    "out": "fa.sigmoid(np.zeros((2, 3)), out=x)",
    "glu": "fa.glu(x[:, :2])",
    "prelu": "fa.prelu_backward(x, x, 0.5)[1]",
}


def run(code, implementation):
    """Run Python code in a new process with one implementation; returns what it prints."""
    choice = "FASTACT_BACKEND", "numpy"
    if implementation != "numpy":
        choice = "FASTACT_SIMD", implementation
    set_up = f"import os; os.environ[{choice[0]!r}] = {choice[1]!r}\nimport sys\nimport numpy as np\n"
    command = [sys.executable, "-c", set_up + code]
    return subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("implementation", dict.fromkeys((IMPLEMENTATIONS[0], "numpy")))
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_first_call(implementation, call):
    """Whichever function sees bfloat16 first computes in it. It does not matter which library was imported first."""
    half("bfloat16")
    last = f"x = np.ones((2, 3), 'bfloat16')\nprint({call}.dtype)"
    assert run(f"import fastact as fa\nimport ml_dtypes\n{last}", implementation) == "bfloat16"
    assert run(f"import ml_dtypes\nimport fastact as fa\n{last}", implementation) == "bfloat16"


def test_nothing_imports_ml_dtypes():
    """Neither the import of fastact nor calls without bfloat16 do; register_bfloat16() does, and may be called twice."""
    half("bfloat16")
    code = """import fastact as fa
fa.sigmoid(np.zeros(3, np.float16)), fa.softmax(np.zeros((2, 3)), scale=0.5), fa.leaky_relu(np.zeros(3), 0.5)
print("ml_dtypes" in sys.modules)
fa.register_bfloat16()
fa.register_bfloat16()
print("ml_dtypes" in sys.modules, fa.sigmoid(np.zeros(2, "bfloat16")))
"""
    for implementation in dict.fromkeys((IMPLEMENTATIONS[0], "numpy")):
        assert run(code, implementation).split("\n") == ["False", "True [0.5 0.5]"]


def test_without_ml_dtypes(monkeypatch):
    """register_bfloat16() says what to install."""
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(ImportError, match=r"register_bfloat16\(\) needs the dtype of ml_dtypes: pip install ml_dtypes"):
        fastact.register_bfloat16()


@needs_core
def test_all_instruction_sets_are_registered():
    """Those that were loaded before and those that are loaded later."""
    half("bfloat16")
    code = """from fastact import backends
before = backends.load(backends.available()[0])
import ml_dtypes
x = np.ones(3, "bfloat16")
print(before.sigmoid(x).dtype)
for name in backends.available():
    print(backends.load(name).sigmoid(x).dtype, backends.load(name).elu(x, 0.5).dtype)
"""
    assert set(run(code, IMPLEMENTATIONS[0]).split()) == {"bfloat16"}


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_other_dtypes_of_ml_dtypes(implementation):
    """Smaller floating dtypes go to float32, as before."""
    half("bfloat16")
    import ml_dtypes

    of, x = backends.load(implementation), np.array([0.5, -1.0, 2.0])
    for dtype in (ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fn):
        got = of.sigmoid(x.astype(dtype))
        assert got.dtype == np.float32 and (got == of.sigmoid(x.astype(np.float32))).all()
