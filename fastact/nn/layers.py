"""A dense layer: f(inputs @ weights + bias)."""

import copy
from typing import Any

import numpy as np

from ..calls.arguments import computing, is_floating
from . import activations
from .data import as_matrix, checked, convert, network_dtype, positive, real

# The variance of initial weights for n inputs and m outputs. It keeps the numbers of a deep network at one size.
INITS = {
    "he": lambda n, m: 2 / n,
    "lecun": lambda n, m: 1 / n,
    "glorot": lambda n, m: 2 / (n + m),
}


class Dense:
    """A layer of neurons: outputs = f(inputs @ weights + bias).

    Parameters
    ----------
    inputs, outputs : int
        How many numbers a row has before and after the layer.
    activation : str, (callable, callable) or None
        The name of one of fastact's elementwise functions of one array, or "softmax"; or a pair f(x), f_backward(grad, x),
        where x is read-only; None leaves out f.
    rng : int, numpy.random.Generator or None
        Draws the initial weights. Without it the network's does.
    dtype : dtype, optional
        float32, the default, or float64.
    init : {"he", "lecun", "glorot"}, optional
        Initial weights are normal with variance 2 / inputs, 1 / inputs or 2 / (inputs + outputs). By default He's where f grows
        like x, LeCun's for selu, and Glorot's elsewhere. The bias starts at 0.
    scale : float, optional
        The standard deviation of the initial weights, in place of `init`: 0.1 gives ``0.1 * randn``.
    **parameters : float
        Parameters of the activation: ``alpha=0.5``.

    Attributes
    ----------
    weights, d_weights : ndarray of shape (inputs, outputs)
        The weights, and their gradient after a backward pass. In a network both are views of its vectors `parameters` and
        `gradients`: the next backward pass overwrites the gradient. Assigning to `weights` copies into them.
    bias, d_bias : ndarray of shape (outputs,)
    outputs : ndarray or None
        What the last forward pass returned; None before it, and after the network's `fit`.

    See Also
    --------
    Network : A chain of layers.

    Notes
    -----
    Initial weights: K. He, X. Zhang, S. Ren, J. Sun (2015), Delving deep into rectifiers; Y. LeCun et al. (1998), Efficient
    BackProp; X. Glorot, Y. Bengio (2010), Understanding the difficulty of training deep feedforward neural networks.

    Examples
    --------
    >>> import numpy as np
    >>> from fastact.nn import Dense
    >>> layer = Dense.of([[1.0, -1.0], [2.0, 0.5]], [0.5, 0.0], "relu")
    >>> layer.forward([[1.0, 2.0]])
    array([[5.5, 0. ]])
    >>> layer.backward([[1.0, 1.0]])                # the gradient of the inputs
    array([[1., 2.]])
    >>> layer.d_weights
    array([[1., 0.],
           [2., 0.]])
    """

    _inputs: Any  # those of the last forward pass, None before it
    _sums: Any

    def __init__(self, inputs, outputs, activation=None, *, rng=None, dtype=None, init=None, scale=None, **parameters):
        self.shape = positive("Dense", "inputs", inputs), positive("Dense", "outputs", outputs)
        self.function = activations.find(activation, parameters)
        self.dtype_given = dtype is not None
        self.dtype = network_dtype(dtype)
        if init is not None and init not in INITS:
            raise ValueError(f"Dense() argument init must be one of {', '.join(map(repr, INITS))}, got {init!r}")
        if scale is not None and not (isinstance(scale, (int, float, np.number)) and 0 <= scale < np.inf):
            raise ValueError(f"Dense() argument scale must be a finite number that is not negative, got {scale!r}")
        self.init, self.scale = init, scale
        self.rng = None if rng is None else np.random.default_rng(rng)
        self.network = self.outputs = self._inputs = self._sums = self._d_weights = self._d_bias = None
        self._weights = self._bias = None  # drawn when they are first read, so that a network can draw them before

    @classmethod
    def of(cls, weights, bias=None, activation=None, **parameters):
        """A layer of given weights, which are copied.

        Parameters
        ----------
        weights : array_like of shape (inputs, outputs)
            float64 gives a layer in float64, other numbers one in float32. Those of a PyTorch `Linear` are transposed.
        bias : array_like of shape (outputs,), optional
            0 by default.
        activation, **parameters
            As in Dense.

        Returns
        -------
        Dense
        """
        weights = real("weights", weights)
        if weights.ndim != 2:
            raise ValueError(f"Dense.of() needs weights of shape (inputs, outputs), got shape {weights.shape}")
        given = [weights] if bias is None else [weights, real("bias", bias)]
        floating = [array.dtype for array in given if is_floating(array.dtype)]
        dtype = computing(np.result_type(*floating)) if floating else np.float32
        layer = cls(weights.shape[0], weights.shape[1], activation, dtype=dtype, **parameters)
        layer.weights = weights
        layer.bias = np.zeros(layer.shape[1], layer.dtype) if bias is None else bias
        return layer

    @property
    def activation(self):
        """The name of the activation, or None."""
        return self.function.name

    @property
    def drawn(self):
        """Whether the weights have been drawn or given."""
        return self._weights is not None

    def draw(self, rng):
        """Draw initial weights."""
        scale = self.scale
        if scale is None:
            scale = np.sqrt(INITS[self.init or self.function.init](*self.shape))
        self._weights = (scale * rng.standard_normal(self.shape)).astype(self.dtype)
        if self._bias is None:
            self._bias = np.zeros(self.shape[1], self.dtype)

    @property
    def weights(self):
        """The weights. The first use draws them, if nothing has set them."""
        if self._weights is None:
            self.draw(np.random.default_rng() if self.rng is None else self.rng)
        return self._weights

    @weights.setter
    def weights(self, value):
        value = checked("weights", value, self.shape, self.dtype)
        if self._weights is None:
            self._weights = np.empty(self.shape, self.dtype)
        self._weights[...] = value

    @property
    def bias(self):
        """The bias."""
        if self._bias is None:
            self._bias = np.zeros(self.shape[1], self.dtype)
        return self._bias

    @bias.setter
    def bias(self, value):
        self.bias[...] = checked("bias", value, self.shape[1:], self.dtype)

    d_weights = property(lambda self: self._d_weights, doc="The gradient of the weights, from the last backward pass.")
    d_bias = property(lambda self: self._d_bias, doc="The gradient of the bias, from the last backward pass.")

    def bind(self, network, parameters, gradients):
        """Become a part of a network: weights and bias move into these views of its vectors."""
        weights, bias = parameters
        weights[...], bias[...] = self.weights, self.bias
        self._weights, self._bias, self.network = weights, bias, network
        self._d_weights, self._d_bias = gradients

    def __getstate__(self):
        """Without the network. A network that is copied together with the layer binds it anew."""
        state = self.__dict__ | {"network": None}
        if self.network is not None:
            state |= {"_d_weights": None, "_d_bias": None}
        return state

    def __copy__(self):
        """With arrays of its own, since assigning to `weights` writes into them."""
        return copy.deepcopy(self)

    def forward(self, inputs):
        """f(inputs @ weights + bias).

        Parameters
        ----------
        inputs : array_like of shape (..., inputs)

        Returns
        -------
        ndarray of shape (..., outputs)
            A new array, kept as `outputs` too.
        """
        self._inputs = as_matrix("inputs", inputs, self.shape[0], self.dtype).copy()
        self._sums = self._inputs @ self.weights
        self._sums += self.bias
        self.outputs = self.function.forward(self._sums)
        return self.outputs

    def backward(self, d_outputs):
        """The gradient of the inputs of the last forward pass; those of weights and bias go to `d_weights` and `d_bias`.

        Parameters
        ----------
        d_outputs : array_like of the shape of `outputs`
            The gradient of the loss with respect to them.

        Returns
        -------
        ndarray of the shape of the inputs
        """
        if self._inputs is None:
            raise ValueError("backward() needs a forward pass before it: call forward(inputs)")
        d_outputs = convert(real("d_outputs", d_outputs), self.dtype)
        if d_outputs.shape != self._sums.shape:
            raise ValueError(f"backward() needs d_outputs of the shape of outputs {self._sums.shape}, got {d_outputs.shape}")
        d_sums = self.function.backward(d_outputs, self._sums)
        rows, d_rows = self._inputs.reshape(-1, self.shape[0]), d_sums.reshape(-1, self.shape[1])
        if self.network is None:
            self._d_weights, self._d_bias = rows.T @ d_rows, d_rows.sum(axis=0)
        else:
            np.matmul(rows.T, d_rows, out=self._d_weights)
            d_rows.sum(axis=0, out=self._d_bias)
        return d_sums @ self.weights.T

    def forget(self):
        """Forget the last forward pass."""
        self.outputs = self._inputs = self._sums = None

    def __repr__(self):
        return f"Dense({self.shape[0]}, {self.shape[1]}, {self.function!r})"


def views(layers, vector):
    """For each layer two views of a vector: its weights and its bias, or their gradients."""
    end = 0
    for layer in layers:
        start, middle = end, end + layer.shape[0] * layer.shape[1]
        end = middle + layer.shape[1]
        yield vector[start:middle].reshape(layer.shape), vector[middle:end]


def one_dtype(layers, dtype):
    """The dtype of a network of these layers."""
    given = {layer.dtype for layer in layers if layer.dtype_given}
    if dtype is not None:
        given.add(network_dtype(dtype))
    if len(given) > 1:
        raise ValueError(f"a network has one dtype, got {' and '.join(sorted(map(str, given)))}: convert the arrays with astype")
    return given.pop() if given else layers[0].dtype
