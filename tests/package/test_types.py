"""The type stub is current, has every function, and lets mypy accept right programs and refuse wrong ones."""

import inspect
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import fastact
from fastact import backends

from checkout import ROOT
from passes import IMPLEMENTATIONS

FOLDER = Path(fastact.__file__).parent
GENERATOR = ROOT / "benchmarks" / "stubs.py"

RIGHT = """
from typing import Any
import numpy as np
from numpy.typing import NDArray
import fastact as fa

x = np.ones((2, 4), np.float32)
y = np.ones(3)
a: NDArray[np.float32] = fa.sigmoid(x)
b: NDArray[np.float64] = fa.elu(y, 0.5, out=y)
c: NDArray[np.float32] = fa.elu_backward(x, x, alpha=0.5, out=x, where=x > 0)
d: NDArray[np.float32] = fa.elu_backward(x, y=x, out=x)
e: NDArray[np.float32] = fa.gelu(x, approximate="tanh")
f: tuple[NDArray[np.float32], NDArray[np.float32]] = fa.swiglu_backward(x, x, x, out=(x, None))
g: NDArray[np.float32] = fa.glu_backward(x, x, axis=0)
h: NDArray[np.float64] = fa.softcap_backward(y, y=y, cap=30.0)
i: NDArray[np.float64] = fa.threshold(y, 0.1, value=20)
j: NDArray[np.float64] = fa.logit(y, None)
k: NDArray[np.float32] = fa.softmax(x, axis=0, out=x)
l: NDArray[np.float32] = fa.softmax(x, (0, 1), scale=0.5, mask=x > 0, causal=True)
m: NDArray[np.float64] = fa.log_softmax_backward(y, y=y, mask=[True, False, True], out=y)
n: NDArray[np.float32] = fa.logsumexp_backward(1.0, x, None, keepdims=True)
o: NDArray[np.float32] = fa.softmax_one(x, sink=np.zeros(2))
p: NDArray[np.float64] = fa.gumbel_softmax(y, tau=0.5, hard=True, rng=np.random.default_rng(0))
q: NDArray[np.float32] = fa.cross_entropy_backward(1.0, x, np.array([0, 1]), out=x)
loss, r = fa.cross_entropy_and_grad(x, np.array([0, 1]), 1, -1, reduction="sum", out=(None, x))
s: NDArray[np.float32] = r
fa.binary_cross_entropy_with_logits(y, y, 2.0, "none")
v: NDArray[np.float32] = fa.squared_error_and_grad(x, y, "sum", out=x)[1]
w: NDArray[np.float32] = fa.binary_cross_entropy_with_logits_and_grad(x, x > 0, out=(None, x))[1]
fa.logsumexp(x, axis=None, keepdims=True, out=y)
fa.relu([1, 2, 3])
fa.relu(1.5, dtype=np.float32)
fa.elu(x, alpha=np.ones(4, np.float32))
fa.relu(x, out=(np.ones((2, 4)),))
fa.swish(x, beta=2.0, casting="same_kind")
t: NDArray[np.float32] = fa.adam_step(x, x, x, x, step=1, rate=0.5, weight_decay=0.1)
u: NDArray[np.float64] = fa.sgd_step(y, y, velocity=y, momentum=0.9, nesterov=True)
dx, dweight = fa.prelu_backward(x, x, np.ones(4, np.float32))
fa.nn.Dense, fa.nn.Network, fa.plots.functions, fa.sklearn.MLPClassifier
print(fa.backend, fa.simd, fa.reason, fa.__version__)
fa.set_num_threads(2, spin=0)
with fa.num_threads(1):
    count: int = fa.get_num_threads()

@fa.num_threads(2)
def decorated(x: int) -> int:
    return x

len_of: int = decorated(1)
"""
WRONG = """
fa.nn.Danse
fa.sigmoid(x, alpha=1.0)
fa.sigmoid(x=x)
fa.elu(x, beta=1.0)
fa.elu(x, None)
fa.gelu(x, approximate="foo")
fa.gelu(x, "tanh")
fa.gelu_backward(x, y=x)
fa.swiglu(x)
fa.swiglu_backward(x, x, x, y=x)
fa.swiglu_backward(x, x, x, out=x)
fa.prelu(x)
fa.threshold(x, 0.1)
fa.softmax(x, where=True)
fa.softmax(x, axis=0.5)
fa.softmax(x, axis="last")
fa.softmax(x, 0, 1.0)
fa.softmax(x, scale=None)
fa.sparsemax(x, mask=None)
fa.hardmax_backward(x, x)
fa.logsumexp_backward(x, y=x)
fa.cross_entropy(x, y, reduction="max")
fa.gumbel_softmax_backward(x)
fa.glu(x, axis=None)
fa.relu(x, out=[1.0])
fa.relu(x, inplace=True)
fa.gelu_tanh(x)
fa.adam_step(x, x, x, x)
fa.adam_step(x, x, y, x, step=1)
fa.sgd_step(x, [1.0])
fa.set_num_threads(1.5)
fa.set_num_threads()
fa.num_threads("2")
"""


def test_stub_is_current():
    """`python benchmarks/stubs.py` would change nothing, and the stub and py.typed are installed."""
    assert runpy.run_path(str(GENERATOR))["stub"]() == (FOLDER / "__init__.pyi").read_text(encoding="utf-8")
    assert (FOLDER / "py.typed").exists()


def test_stub_has_every_function():
    """The stub has every public function, with the parameters that it really has, in their order."""
    text = (FOLDER / "__init__.pyi").read_text(encoding="utf-8")
    for name, function in vars(backends.load(IMPLEMENTATIONS[-1])).items():
        overloads = [inspect.signature(eval(f"lambda {given}: 0")) for given in _arguments(text, function.__name__)]
        assert overloads, name
        real = [key for key in inspect.signature(function).parameters if key != "kwargs"]
        keywords = {"casting", "order", "subok", "dtype"}
        for signature in overloads:
            stated = [key for key in signature.parameters if key not in keywords]
            assert stated == [key for key in real if key in stated]
        assert set(real) == {key for signature in overloads for key in signature.parameters} - keywords
        if function.__name__ != name:
            assert f"\n{name} = {function.__name__}\n" in text


def _arguments(text, name):
    """The arguments of each overload, without their types."""
    for arguments in re.findall(rf"^def {name}\((.*)\) -> ", text, re.M):
        plain = re.sub(r"\[[^\[\]]*\]", "", re.sub(r"\[[^\[\]]*\]", "", re.sub(r"\[[^\[\]]*\]", "", arguments)))
        yield re.sub(r"(\w+): [^,=]*?(?= = |,|$)", r"\1", plain)


def test_mypy_accepts_right_programs_and_refuses_wrong_ones(tmp_path):
    """mypy --strict accepts the program RIGHT, and finds an error in each line of WRONG."""
    pytest.importorskip("mypy")
    (tmp_path / "right.py").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(RIGHT + WRONG, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--no-error-summary"]
    command += ["--cache-dir", str(tmp_path / "cache"), "right.py", "wrong.py"]
    # mypy does not follow the link of an editable install, so it gets the folder.
    environment = {**os.environ, "MYPYPATH": str(FOLDER.parent)} if FOLDER.parent == ROOT else None
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    lines = [line for line in ran.stdout.splitlines() if ": error:" in line]
    assert not [line for line in lines if not line.startswith("wrong.py:")], "\n".join(lines) + ran.stderr
    first = (RIGHT + "\n").count("\n") + 1
    found = {int(line.split(":")[1]) for line in lines}
    assert found == set(range(first, first + WRONG.strip().count("\n") + 1)), "\n".join(lines) + ran.stderr
