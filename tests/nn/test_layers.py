"""Dense layers compute right passes outside of a network, own their arrays, and refuse wrong arguments."""

import numpy as np
import pytest

import fastact
from fastact.nn import Dense, Network
from fastact.nn import activations as known

INPUTS = [[0.2, 0.5, 1.2], [1.2, 1.1, 0.6]]


def test_the_layer_of_the_worked_example():
    """The layer of the worked example gives what its line of NumPy gives."""
    np.random.seed(0)  # noqa: NPY002
    weights = 0.1 * np.random.randn(3, 4)  # noqa: NPY002  (the example uses the legacy generator)
    layer = Dense.of(weights, np.zeros(4), "relu")
    outputs = layer.forward(INPUTS)
    assert outputs.dtype == np.float64
    np.testing.assert_array_equal(outputs, np.maximum(0, np.dot(INPUTS, weights) + np.zeros(4)))
    np.testing.assert_allclose(outputs[0], [0.11627268, 0.00841107, 0.08436441, 0.2117628], rtol=1e-6)
    assert layer.outputs is outputs


@pytest.mark.parametrize("name", known.names())
def test_forward_and_backward(name):
    """Both passes are those of fastact's function, for every activation, and write to no array of the caller."""
    parameters = {"threshold": {"threshold": 0.1, "value": -0.2}, "softcap": {"cap": 2.0}}.get(name, {})
    generator = np.random.default_rng(1)
    weights, bias, x = generator.normal(size=(3, 4)), generator.normal(size=4), generator.normal(size=(5, 3))
    layer = Dense.of(weights, bias, name, **parameters)
    sums = x @ weights + bias
    before = x.copy()
    np.testing.assert_array_equal(layer.forward(x), getattr(fastact, name)(sums, **parameters))
    x[...] = np.nan  # the layer has a copy
    grad = generator.normal(size=(5, 4))
    kept = grad.copy()
    if name == "softmax":
        d_sums = fastact.softmax_backward(grad, sums)
    else:
        d_sums = getattr(fastact, name + "_backward")(grad, sums, **parameters)
    np.testing.assert_allclose(layer.backward(grad), d_sums @ weights.T, rtol=1e-12)
    np.testing.assert_allclose(layer.d_weights, before.T @ d_sums, rtol=1e-12)
    np.testing.assert_allclose(layer.d_bias, d_sums.sum(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(grad, kept)


def test_names_of_activations():
    """All functions of one array are activations of layers, and functions that need more are not."""
    assert {"relu", "swish", "gelu", "softmax", "threshold", "softcap", "expit"} <= set(known.names())
    assert not {"logit", "prelu", "glu", "swiglu", "log_softmax"} & set(known.names())


def test_an_activation_may_be_a_function_or_a_pair():
    """fastact's own function stands for its name. The user may give a pair of functions."""
    assert Dense(2, 3, fastact.gelu).activation == "gelu"
    assert Dense(2, 3, "gelu", approximate="tanh").function.parameters == {"approximate": "tanh"}
    layer = Dense.of(np.eye(2), None, (np.square, lambda grad, x: 2 * x * grad))
    np.testing.assert_array_equal(layer.forward([[1.0, 3.0]]), [[1, 9]])
    np.testing.assert_array_equal(layer.backward([[1.0, 1.0]]), [[2, 6]])
    assert layer.activation is None


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Dense(2, 3, "rellu"), ValueError, "did you mean 'relu'"),
        (lambda: Dense(2, 3, "Leaky-ReLU"), ValueError, "did you mean 'leaky_relu'"),
        (lambda: Dense(2, 3, "logit"), ValueError, "activation 'logit' is none that a layer takes: it is defined on"),
        (lambda: Dense(2, 3, "prelu"), ValueError, "leaky_relu has a fixed one"),
        (lambda: Dense(2, 3, "swiglu"), ValueError, "takes functions of one array, element by element, and softmax"),
        (lambda: Dense(2, 3, "log_softmax"), ValueError, "takes functions of one array, element by element, and softmax"),
        (lambda: Dense(2, 3, np.tanh), TypeError, r"pair of functions \(f, f_backward\), got 'tanh' alone"),
        (lambda: Dense(2, 3, 7), TypeError, "not int 7"),
        (lambda: Dense(2, 3, (np.tanh,)), TypeError, "pair of functions"),
        (lambda: Dense(2, 3, "elu", beta=1), TypeError, "beta"),
        (lambda: Dense(2, 3, "elu", alpha="much"), TypeError, "alpha"),
        (lambda: Dense(2, 3, "elu", alpha=[1.0, 2.0]), TypeError, "one number"),
        (lambda: Dense(2, 3, "celu", alpha=0), ValueError, "alpha"),
        (lambda: Dense(2, 3, "threshold"), TypeError, "threshold"),
        (lambda: Dense(2, 3, None, alpha=1), TypeError, "unexpected argument 'alpha': only fastact's functions have"),
        (lambda: Dense(2, 3, activaton="relu"), TypeError, "unexpected argument 'activaton'"),
        (lambda: Dense(2, 3, "relu", seed=0), TypeError, "unexpected argument 'seed' for 'relu', which has no parameters"),
        (lambda: Dense(2, 3, "swish", alpha=1), TypeError, "unexpected argument 'alpha' for 'swish', whose parameters are beta"),
        (lambda: Dense(2, 3, "relu", where=False), TypeError, "unexpected argument 'where'"),  # it leaves memory unwritten
        (lambda: Dense(2, 3, "softmax", axis=0), TypeError, "unexpected argument 'axis' for 'softmax'"),
        (lambda: Dense(2, 3, "elu", alpha=np.nan), ValueError, "alpha must be a number, got nan"),
        (lambda: Dense(2, 3, "linear"), ValueError, "a layer without one takes None"),
        (lambda: Dense(2, 3, "None"), ValueError, "a layer without one takes None"),
        (lambda: Dense(0, 3), ValueError, "inputs must be a positive integer, got 0"),
        (lambda: Dense(2, 2.5), TypeError, "outputs must be a positive integer, not float 2.5"),
        (lambda: Dense(2, 3, dtype=np.float16), TypeError, "float32 or float64, not in float16"),
        (lambda: Dense(2, 3, init="hee"), ValueError, "init must be one of 'he'"),
        (lambda: Dense(2, 3, scale=-1), ValueError, "scale"),
        (lambda: Dense.of(np.ones(3)), ValueError, r"\(inputs, outputs\)"),
        (lambda: Dense.of(np.ones((2, 3)), np.ones(2)), ValueError, r"bias must have shape \(3,\), got \(2,\)"),
        (lambda: Dense.of([[1.0, np.nan]]), ValueError, "weights must be finite.*nan at"),
        (lambda: Dense.of(np.ones((2, 3), complex)), TypeError, "complex"),
        (lambda: Dense.of([[1, 2], [3]]), ValueError, "weights must be an array of numbers"),
        (lambda: Dense.of(np.ma.masked_less([[1.0, -2]], 0)), TypeError, "weights must not be masked"),
        (lambda: Dense.of(np.ones((2, 3)), np.ma.masked_less([1.0, -2, 1], 0)), TypeError, "bias must not be masked"),
        (lambda: Dense(2, 3, dtype=int), TypeError, "float32 or float64, not in int64"),
        (lambda: Dense(2, 3).forward(np.ones((4, 3))), ValueError, r"\(\.\.\., 2\)"),
        (lambda: Dense(2, 3).forward([["a", "b"]]), TypeError, "real numbers"),
        (lambda: Dense(2, 3).backward(np.ones((1, 3))), ValueError, "needs a forward pass"),
    ],
)
def test_wrong_arguments_are_refused(make, error, message):
    """Each error names what is wrong, and most say what would be right."""
    with pytest.raises(error, match=message):
        make()


def test_backward_checks_its_gradient():
    """A gradient of another shape, complex, text or masked is refused."""
    layer = Dense(2, 3, rng=0)
    layer.forward(np.ones((4, 2)))
    for wrong in (np.ones((4, 3), complex), np.ones((4, 3)).astype(str), np.ma.masked_less(np.ones((4, 3)), 2)):
        with pytest.raises(TypeError, match="d_outputs must"):
            layer.backward(wrong)
    with pytest.raises(ValueError, match=r"shape of outputs \(4, 3\), got \(4, 1\)"):
        layer.backward(np.ones((4, 1)))


def test_returned_arrays_stay_as_they_are():
    """Later passes and a fit do not change arrays that a call has returned."""
    layer, x = Dense(2, 3, "relu", rng=0), np.ones((4, 2), np.float32)
    outputs = layer.forward(x)
    d_weights = [layer.backward(np.ones((4, 3))), layer.d_weights][1]
    kept = outputs.copy(), d_weights.copy()
    layer.forward(-x)
    layer.backward(np.ones((4, 3)))
    np.testing.assert_array_equal(outputs, kept[0])
    np.testing.assert_array_equal(d_weights, kept[1])
    net = Network(Dense(2, 3, rng=0))
    outputs = net.forward(x)
    kept = outputs.copy()
    net.fit(x, [0, 1, 2, 0], epochs=2)
    np.testing.assert_array_equal(outputs, kept)
    assert net.layers[0].outputs is None


def test_integers_do_not_change_the_dtype():
    """The dtype of a layer is that of the floating arrays that it is given. Integers do not count."""
    weights = np.ones((2, 3), np.float32)
    assert Dense.of(weights, [0, 0, 0]).dtype == Dense.of(weights.astype(int)).dtype == np.float32
    assert Dense.of(weights, np.zeros(3)).dtype == Dense.of(weights.astype(int), np.zeros(3)).dtype == np.float64
    assert Dense.of(weights.astype(">f4")).weights.dtype == np.float32


def test_numbers_too_large_for_float32_are_infinite():
    """A number too large for float32 becomes infinite, forward and backward, without a warning."""
    layer = Dense.of(np.ones((1, 1), np.float32))
    assert layer.forward([[1e300]]) == np.inf
    assert layer.backward([[-1e300]]) == -np.inf


def test_one_row_and_many_axes():
    """The passes take a single row, and any number of leading axes."""
    layer = Dense(2, 3, "tanh", rng=0)
    assert layer.forward([1.0, 2.0]).shape == (3,)
    assert layer.backward([1.0, 0.0, 0.0]).shape == (2,)
    x = np.random.default_rng(0).normal(size=(4, 5, 2))
    assert layer.forward(x).shape == (4, 5, 3)
    assert layer.backward(np.ones((4, 5, 3))).shape == (4, 5, 2)
    assert layer.d_weights.shape == (2, 3)


def test_parameters_are_views_of_one_vector():
    """The parameters of a network are views of one vector, and assigning to one writes into the vector."""
    layers = Dense(2, 3, "relu"), Dense(3, 1)
    net = Network(*layers, rng=0)
    assert net.parameters.shape == net.gradients.shape == (2 * 3 + 3 + 3 + 1,)
    for layer in layers:
        for array in (layer.weights, layer.bias):
            assert np.shares_memory(array, net.parameters)
        assert np.shares_memory(layer.d_weights, net.gradients)
    layers[1].weights = [[1], [2], [3]]
    layers[1].bias = [4]
    np.testing.assert_array_equal(net.parameters[-4:], [1, 2, 3, 4])
    with pytest.raises(ValueError, match=r"weights must have shape \(3, 1\), got \(3, 2\)"):
        layers[1].weights = np.ones((3, 2))
    with pytest.raises(ValueError, match="bias must be finite"):
        layers[1].bias = [np.inf]
    net.forward([[1.0, 2.0]])
    net.backward([[1.0]])
    np.testing.assert_array_equal(net.gradients[-1], 1)


def test_assigning_all_parameters():
    """All parameters can be assigned at once. They are copied into the layers."""
    net = Network(Dense(2, 3, "relu"), Dense(3, 1), rng=0)
    vector = np.arange(13.0)
    net.parameters = vector
    np.testing.assert_array_equal(net.layers[1].weights, [[9], [10], [11]])
    assert np.shares_memory(net.layers[1].weights, net.parameters)
    for wrong, message in ((vector[1:], r"shape \(13,\), got \(12,\)"), (vector * np.nan, "must be finite")):
        with pytest.raises(ValueError, match=message):
            net.parameters = wrong
    with pytest.raises(AttributeError):
        net.gradients = vector


@pytest.mark.parametrize(
    ("name", "variance"), [("relu", 2 / 400), ("gelu", 2 / 400), ("selu", 1 / 400), ("tanh", 2 / 500), (None, 2 / 500)]
)
def test_initial_weights_fit_the_activation(name, variance):
    """The variance of the weights is that of He, LeCun or Glorot, as the activation needs it."""
    layer = Dense(400, 100, name, rng=0)
    assert abs(layer.weights.var() / variance - 1) < 0.05
    assert layer.weights.dtype == layer.bias.dtype == np.float32
    assert not layer.bias.any()


def test_chosen_initial_weights():
    """The user can choose the initial weights by init=, by their standard deviation, and by the seed."""
    assert abs(Dense(400, 100, "relu", rng=0, init="lecun").weights.var() * 400 - 1) < 0.05
    assert abs(Dense(400, 100, "relu", rng=0, scale=0.1).weights.std() - 0.1) < 0.005
    one, same = Network(Dense(3, 4, "relu"), rng=7), Network(Dense(3, 4, "relu"), rng=7)
    np.testing.assert_array_equal(one.parameters, same.parameters)
    given = Dense(3, 4, rng=1).weights
    np.testing.assert_array_equal(Network(Dense(3, 4, rng=1), rng=7).layers[0].weights, given)
    assert (Network(Dense(3, 4)).parameters != Network(Dense(3, 4)).parameters).any()
