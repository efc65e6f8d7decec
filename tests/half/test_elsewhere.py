"""Half precision in other libraries' arrays, in networks and optimizers, and the calls of Keras and of ONNX models."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastact
from fastact import backends, nn

from arrays import refused
from halves import assert_rounded, each_half, half, single
from passes import best_compiled, each_backend

X = np.random.default_rng(0).normal(0, 2, (6, 8)).astype(np.float32)

# Keras' NumPy backend, as keras.src.backend.numpy.nn has them: functions that must keep the dtype of x, float16 too.
KERAS = {
    "relu": lambda of, x: of.relu(x),
    "relu6": lambda of, x: of.relu6(x),
    "sigmoid": lambda of, x: of.sigmoid(x),
    "tanh": lambda of, x: of.tanh(x),
    "tanh_shrink": lambda of, x: of.tanh_shrink(x),
    "softplus": lambda of, x: of.softplus(x),
    "softsign": lambda of, x: of.softsign(x),
    "soft_shrink": lambda of, x: of.soft_shrink(x, 0.5),
    "sparse_plus": lambda of, x: of.sparse_plus(x),
    "silu": lambda of, x: of.silu(x),
    "squareplus": lambda of, x: of.squareplus(x, 4),
    "log_sigmoid": lambda of, x: of.log_sigmoid(x),
    "leaky_relu": lambda of, x: of.leaky_relu(x, negative_slope=0.2),
    "hard_sigmoid": lambda of, x: of.hard_sigmoid(x),
    "hard_silu": lambda of, x: of.hard_silu(x),
    "elu": lambda of, x: of.elu(x, alpha=1.0),
    "selu": lambda of, x: of.selu(x),
    "celu": lambda of, x: of.celu(x, alpha=1.0),
    "gelu": lambda of, x: of.gelu(x, approximate="tanh"),
    "glu": lambda of, x: of.glu(x, axis=-1),
    "hard_tanh": lambda of, x: of.hard_tanh(x),
    "hard_shrink": lambda of, x: of.hard_shrink(x, 0.5),
    "threshold": lambda of, x: of.threshold(x, 0.5, 0.25),
    "softmax": lambda of, x: of.softmax(x, axis=-1),
    "softmax of all": lambda of, x: of.softmax(x, axis=None),
    "log_softmax": lambda of, x: of.log_softmax(x, axis=0),
    "sparsemax": lambda of, x: of.sparsemax(x),
    "logsumexp": lambda of, x: of.logsumexp(x, axis=1, keepdims=True),
}
# ONNX's nodes, by the calls in their place; their tests have tensors of float16
ONNX = {
    "Softmax": lambda of, x: of.softmax(x, axis=1),
    "LogSoftmax": lambda of, x: of.log_softmax(x, axis=-1),
    "Hardmax": lambda of, x: of.hardmax(x),
    "Sigmoid": lambda of, x: of.sigmoid(x),
    "HardSigmoid": lambda of, x: of.clipped_linear(x, 0.2, 0.5),
    "Gelu": lambda of, x: of.gelu(x),
    "Mish": lambda of, x: of.mish(x),
    "ThresholdedRelu": lambda of, x: of.threshold(x, 1.0, 0.0),
    "Celu": lambda of, x: of.celu(x, 2.0),
    "PRelu": lambda of, x: of.prelu(x, np.full((8,), 0.25, x.dtype)),
    "ReduceLogSumExp": lambda of, x: of.logsumexp(x, axis=(0, 1), keepdims=True),
    "SoftmaxCrossEntropyLoss": lambda of, x: of.cross_entropy(x, np.arange(6)),
}


@each_half
@each_backend
@pytest.mark.parametrize("call", [*KERAS.values(), *ONNX.values()], ids=[*KERAS, *(f"ONNX {name}" for name in ONNX)])
def test_calls_of_keras_and_onnx(implementation, name, call):
    """The dtype is kept, for arrays of several axes and for NumPy scalars of elementwise functions."""
    dtype, of = half(name), backends.load(implementation)
    assert_rounded(call(of, X.astype(dtype)), call(of, single(X.astype(dtype))), dtype, "float16 in, float16 out")


@each_backend
def test_chains_keep_the_type(implementation):
    """A layer as Keras writes it: a matrix product, a bias and an activation, each of half precision; then its gradient."""
    dtype, of = np.dtype(np.float16), backends.load(implementation)
    x, w, b = X.astype(dtype), X.T.astype(dtype), X[0, :6].astype(dtype)
    z = x @ w + b
    y = of.softmax(of.leaky_relu(z, 0.2), scale=0.5)
    back = of.leaky_relu_backward(of.softmax_backward(y, y=y, scale=0.5), z, 0.2)
    assert z.dtype == y.dtype == back.dtype == dtype


@each_backend
def test_pandas_and_xarray(implementation):
    """Labels stay, and float16 columns give float16 columns, with numbers as parameters too."""
    of, x = backends.load(implementation), X.astype(np.float16)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(x, columns=list("abcdefgh"))
    for got, right in (
        (of.gelu(frame), of.gelu(x)),
        (of.leaky_relu(frame, 0.3), of.leaky_relu(x, 0.3)),
        (of.softmax(frame), of.softmax(x)),
        (of.softmax(frame, scale=0.3), of.softmax(x, scale=0.3)),
        (of.gelu_backward(frame, frame), of.gelu_backward(x, x)),
    ):
        assert set(got.dtypes) == {np.dtype(np.float16)} and list(got.columns) == list("abcdefgh")
        assert (got.to_numpy() == right).all()
    series = frame["a"]
    assert of.leaky_relu(series, 0.3).dtype == np.float16 and of.logsumexp(frame).dtype == np.float16
    xarray = pytest.importorskip("xarray")
    named = xarray.DataArray(x, dims=("row", "column"))
    for got, right in ((of.gelu(named), of.gelu(x)), (of.elu(named, 0.3), of.elu(x, 0.3)), (of.softmax(named), of.softmax(x))):
        assert got.dims == named.dims and got.dtype == np.float16 and (got.to_numpy() == right).all()


@each_half
@each_backend
def test_masked_arrays(implementation, name):
    """Masked entries do not count, and stay masked."""
    dtype, of = half(name), backends.load(implementation)
    x = X.astype(dtype)
    hidden = np.ma.array(x, mask=X > 1)
    got = of.softmax(hidden)
    assert got.dtype == dtype and (got.mask == (X > 1)).all()
    assert (got.filled(0) == of.softmax(x, mask=X <= 1)).all()
    got = of.leaky_relu(hidden, 0.3)
    assert got.dtype == dtype and (got.mask == (X > 1)).all()
    assert (got.compressed() == of.leaky_relu(x, 0.3)[X <= 1]).all()
    assert of.logsumexp(hidden).dtype == dtype
    assert of.sparsemax(hidden).dtype == dtype


@each_half
def test_dask(name):
    """Lazy arrays stay lazy and of half precision; rows in several blocks are combined in float32."""
    da = pytest.importorskip("dask.array")
    dtype = half(name)
    x = X.astype(dtype)
    rows, columns = da.from_array(x, chunks=(2, -1)), da.from_array(x, chunks=(-1, 3))
    for lazy, right in (
        (fastact.gelu(rows), fastact.gelu(x)),
        (fastact.leaky_relu(rows, 0.3), fastact.leaky_relu(x, 0.3)),
        (fastact.softmax(rows, scale=0.3), fastact.softmax(x, scale=0.3)),
        (fastact.swiglu_backward(rows, rows, rows)[0], fastact.swiglu_backward(x, x, x)[0]),
        (fastact.prelu_backward(rows, rows, 0.3)[0], fastact.prelu_backward(x, x, 0.3)[0]),
        (fastact.prelu_backward(rows, rows, 0.3)[1], fastact.prelu_backward(x, x, 0.3)[1]),
        (fastact.logsumexp(rows), fastact.logsumexp(x)),
        (fastact.logsumexp(columns), fastact.logsumexp(x)),
    ):
        assert lazy.dtype == dtype
        assert lazy.compute().dtype == dtype and (lazy.compute() == right).all()
    chunked = fastact.dask.softmax(columns, axis=1)
    assert chunked.dtype == dtype and chunked.compute().dtype == dtype
    np.testing.assert_allclose(single(chunked.compute()), fastact.softmax(single(x)), rtol=2 ** -(10 if name == "float16" else 7))


@each_half
def test_networks(name):
    """A network does not compute in half precision, and says what to do. It takes data and weights of half precision."""
    dtype = half(name)
    for make in (lambda: nn.Network(nn.Dense(8, 2), dtype=dtype), lambda: nn.Dense(8, 2, dtype=dtype)):
        refused(TypeError, "float32 or float64, not in b?float16: leave dtype out; X may be of half precision", make)
    x, y = X.astype(dtype), np.arange(6) % 2
    one, other = (nn.Network(nn.Dense(8, 4, "relu"), nn.Dense(4, 2), rng=0) for _ in range(2))
    one.fit(x, y, epochs=2)
    other.fit(single(x), y, epochs=2)
    assert (one.parameters == other.parameters).all() and one.parameters.dtype == np.float32
    assert (one.predict(x) == other.predict(single(x))).all()
    layer = nn.Dense.of(X.T.astype(dtype))
    assert layer.dtype == np.float32 and (layer.weights == single(X.T.astype(dtype))).all()


@each_half
@each_backend
def test_steps_of_optimizers(implementation, name):
    """They need float32 parameters, and say why."""
    dtype, of = half(name), backends.load(implementation)
    x = X.astype(dtype)
    message = (
        "must have dtype float32 or float64, not .*: keep a copy of the network's parameters in float32, take the steps there"
    )
    refused(TypeError, message, of.sgd_step, x, x.copy())
    refused(TypeError, message, of.adam_step, x, x.copy(), x.copy(), x.copy(), step=1)


def test_sklearn():
    """The estimators convert data of float16, as those of scikit-learn do."""
    pytest.importorskip("sklearn")
    from fastact.sklearn import MLPClassifier

    y, x = np.arange(6) % 2, X.astype(np.float16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three epochs do not converge
        model = MLPClassifier(hidden_layer_sizes=(4,), max_iter=3, random_state=0).fit(x, y)
        wide = MLPClassifier(hidden_layer_sizes=(4,), max_iter=3, random_state=0).fit(x.astype(np.float64), y)
    assert (model.predict_proba(X) == wide.predict_proba(X)).all()


@best_compiled
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory differ elsewhere")
def test_no_memory_for_a_row(implementation):
    """A row for which there is no memory is a MemoryError, on the fast path and in a gufunc, and the next call works."""
    code = f"""
import resource
import numpy as np
from fastact import backends
of = backends.load({implementation!r})
x = np.ones((1, 1 << 25), np.float16)
of.softmax(x[:, :100]), of.softmax(np.ones((3, 3), np.float16), axis=0)
y = np.ones_like(x)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 24), -1))
for call in (lambda: of.softmax(x, out=x), lambda: of.softmax(x.T, axis=0, out=x.T), lambda: of.softmax(x[:, ::-1], out=y)):
    try:
        call()
    except MemoryError:
        print("MemoryError")
print(of.softmax(x[:, :4]).tolist())
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:4] == ["MemoryError"] * 3 + ["[[0.25, 0.25, 0.25, 0.25]]"], done.stderr
