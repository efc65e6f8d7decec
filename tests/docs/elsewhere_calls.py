"""Compares one library with what fastact/docstrings/elsewhere.py says of it: `python elsewhere_calls.py torch`.

The program makes the calls of the table, prints those whose result is not that of fastact, and exits with their number.
"""

import importlib
import os
import sys
import types

import numpy as np

import fastact
from fastact.command.bench import peers
from fastact.declare import ACTIVATIONS
from fastact.docstrings import elsewhere

X = np.array([[-6.0, -2.5, -1.0, -0.25], [0.0, 0.3, 1.75, 5.0]], dtype=np.float32)
ARRAYS = {
    "logit": {"x": np.array([[0.1, 0.25, 0.5, 0.9]], dtype=np.float32)},
    "swiglu": {"gate": X, "value": X + 1},
    "cross_entropy": {"logits": X, "target": np.array([3, 0])},
    "binary_cross_entropy_with_logits": {"logits": X, "target": np.float32(X > 0)},
}
ROW_ARGUMENTS = {"axis": 1, "ignore_index": -100, "label_smoothing": 0.0, "reduction": "mean", "pos_weight": None, "weight": None}
# Calls whose values are not compared, and why.
NO_VALUES = {
    "gumbel_softmax": "each library draws other random numbers",
    ("prelu", "keras"): "the layer makes its weights itself",
    ("sparsemax", "keras"): "Keras 3.15 gives wrong values",
}
# Calls without the parameter, and what they equal in fastact. These defaults surprise users who come from the library.
DEFAULTS = {
    "keras": {
        "activations.leaky_relu(x)": "fa.leaky_relu(x, 0.2)",
        "activations.hard_sigmoid(x)": "fa.hard_sigmoid(x)",
        "ops.logsumexp(x)": "fa.logsumexp(x, axis=None)",
        "activations.softmax(x)": "fa.softmax(x)",
    },
    "jax": {
        "nn.leaky_relu(x)": "fa.leaky_relu(x)",
        "nn.gelu(x)": "fa.gelu(x, approximate='tanh')",
        "nn.logsumexp(x)": "fa.logsumexp(x, axis=None)",
        "nn.softmax(x)": "fa.softmax(x)",
    },
    "torch": {
        "F.leaky_relu(x)": "fa.leaky_relu(x)",
        "F.softplus(x * 10)": "fa.where(x > 2, x * 10, fa.softplus(x * 10))",
    },
    "onnx": {
        "LeakyRelu(x)": "fa.leaky_relu(x)",
        "HardSigmoid(x)": "fa.clipped_linear(x, 0.2, 0.5)",
        "Shrink(x, lambd=0.5)": "fa.hard_shrink(x)",
    },
    "thinc": {
        "thinc.hard_sigmoid(x)": "fa.clipped_linear(x, 0.2, 0.5)",
        "thinc.softmax(x, temperature=2.0)": "fa.softmax(x, scale=0.5)",
        "thinc.hard_swish(x)": "x * fa.clipped_linear(x, 0.2, 0.5)",
    },
    "scipy": {
        "special.softmax(x)": "fa.softmax(x, axis=None)",
        "special.log_softmax(x)": "fa.log_softmax(x, axis=None)",
        "special.logsumexp(x)": "fa.logsumexp(x, axis=None)",
    },
}


class Operators(dict):
    """ONNX operators by name. The reference evaluator of the ONNX package computes them."""

    def __missing__(self, name):
        if not name[0].isupper():
            raise KeyError(name)
        return lambda *inputs, **attributes: self.run(name, inputs, attributes)

    def run(self, name, inputs, attributes):
        """The output of a model of one node."""
        import onnx.reference
        from onnx import helper

        integers = {"ReduceLogSumExp": np.int64, "SoftmaxCrossEntropyLoss": np.int64}.get(name, np.float32)
        arrays = [np.asarray(given, np.float32 if i == 0 else integers) for i, given in enumerate(inputs)]
        names = [f"input_{i}" for i in range(len(arrays))]
        kinds = [
            helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for key, a in zip(names, arrays, strict=True)
        ]
        result = helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, None)
        graph = helper.make_graph([helper.make_node(name, names, ["output"], **attributes)], "one", kinds, [result])
        return onnx.reference.ReferenceEvaluator(helper.make_model(graph)).run(None, dict(zip(names, arrays, strict=True)))[0]


def names_of(library):
    """The objects behind the names in the calls of a library, and the function that makes its arrays."""
    if library == "onnx":
        return Operators(), np.asarray
    os.environ.setdefault("KERAS_BACKEND", "numpy")
    if library == "keras":
        keras = importlib.import_module("keras")
        return {key: getattr(keras, key) for key in ("activations", "layers", "losses", "ops")}, np.asarray
    if library == "thinc":
        return {"thinc": importlib.import_module("thinc.api").NumpyOps()}, np.asarray
    names = peers.names_of(library)
    arrays = {"torch": lambda: names["torch"].tensor, "jax": lambda: names["jax"].numpy.asarray, "scipy": lambda: np.asarray}
    return names, arrays[library]()


def settings(name):
    """The usual parameters of a function, and others; for a function along an axis, its keywords."""
    activation = ACTIVATIONS.get(name)
    if activation is None or activation.halves:
        return [ROW_ARGUMENTS]
    values = {key: value for key, value in activation.values.items() if value is not None}
    return [values, {key: 1.5 * value for key, value in values.items()}] if values else [values]


def ours(name, arrays, parameters):
    """The result of fastact, with those of the parameters that the function has."""
    if name == "gelu_tanh":
        return fastact.gelu(*arrays, approximate="tanh")
    rows = {"axis": 1} if parameters is ROW_ARGUMENTS and "binary" not in name else {}
    return getattr(fastact, name)(*arrays, **({} if parameters is ROW_ARGUMENTS else parameters), **rows)


def value(call, names):
    """The result of a call, as a NumPy array."""
    return np.asarray(eval(call, {"__builtins__": {}}, names))


def wrong_calls(library):
    """The calls whose result differs from fastact's, with the usual parameters, and with others if the call has them."""
    for name, calls in elsewhere.CALLS.items():
        if library not in calls:
            continue
        call, arrays, (usual, *others) = calls[library], ARRAYS.get(name, {"x": X}), settings(name)
        for parameters in [usual, *(each for each in others if all(key in call for key in each))]:
            names, array = names_of(library)
            weight = {"weight": array([parameters["weight"]])} if name == "prelu" else {}
            names.update({key: array(each) for key, each in arrays.items()}, **{**parameters, **weight}, tau=1.0, hard=False)
            got = value(call, names)
            if name in NO_VALUES or (name, library) in NO_VALUES:
                continue
            expected = ours(name, arrays.values(), parameters)
            if not np.allclose(got, expected, rtol=1e-3, atol=1e-5):
                yield f"{call}, {parameters}: {got}, fastact: {expected}"


def wrong_defaults(library):
    """The calls without parameters that do not give what DEFAULTS says."""
    here = types.SimpleNamespace(**vars(fastact), where=np.where)
    for call, same in DEFAULTS[library].items():
        names, array = names_of(library)
        names.update(x=array(X))
        got, expected = value(call, names), eval(same, {"fa": here, "x": X})
        if not np.allclose(got, expected, rtol=1e-3, atol=1e-5):
            yield f"{call}: {got}, {same}: {expected}"


if __name__ == "__main__":
    wrong = [*wrong_calls(sys.argv[1]), *wrong_defaults(sys.argv[1])]
    print(*wrong, sep="\n")
    sys.exit(len(wrong))
