"""The forward and the backward pass through all layers, in place, in buffers that are made once."""

import numpy as np

from .layers import views


class Passes:
    """Both passes through all layers, for batches of up to `rows` rows. Of the arrays of users only `gradients` is written.

    Parameters
    ----------
    layers : sequence of Dense
    rows : int
        The largest number of rows.
    gradients : ndarray
        The vector that the backward pass writes: for each layer the gradients of its weights and of its bias.
    keep_sums : bool
        Whether inputs @ weights + bias are kept even where the backward pass can do with the outputs.
    """

    def __init__(self, layers, rows, gradients, keep_sums=False):
        self.layers = layers
        self._buffers_by_rows: dict[int, list] = {}
        self._gradients = list(views(layers, gradients))
        self._ones = np.ones(rows, gradients.dtype)
        whole = self._buffers_by_rows[rows] = []
        for layer in layers:
            sums = np.empty((rows, layer.shape[1]), layer.dtype)
            in_place = layer.function.from_output and not keep_sums
            whole.append((sums, sums if in_place else np.empty_like(sums), np.empty_like(sums)))

    def _buffers(self, rows):
        """For each layer three arrays: the sums, the outputs (in place of the sums where these are not kept), the gradient."""
        if rows not in self._buffers_by_rows:
            self._buffers_by_rows[rows] = [
                tuple(array[:rows] for array in arrays) for arrays in next(iter(self._buffers_by_rows.values()))
            ]
        return self._buffers_by_rows[rows]

    def forward(self, inputs):
        """The outputs of the last layer, in a buffer."""
        for layer, (sums, outputs, _) in zip(self.layers, self._buffers(inputs.shape[0]), strict=True):
            multiply(inputs, layer.weights, sums)
            np.add(sums, layer.bias, out=sums)
            layer.function.forward(sums, out=outputs)
            inputs = outputs
        return inputs

    def loss(self, inputs, targets, objective):
        """Forward, backward, and the mean loss of a batch."""
        buffers = self._buffers(inputs.shape[0])
        outputs = self.forward(inputs)
        loss = objective(outputs, targets, buffers[-1][2])
        for i in range(len(self.layers) - 1, -1, -1):
            layer, (sums, outputs, grad) = self.layers[i], buffers[i]
            if sums is outputs:
                layer.function.backward(grad, y=outputs, out=grad)
            else:
                layer.function.backward(grad, sums, out=grad)
            d_weights, d_bias = self._gradients[i]
            multiply((buffers[i - 1][1] if i else inputs).T, grad, d_weights)
            np.dot(self._ones[: len(grad)], grad, out=d_bias)  # BLAS sums over rows faster than np.sum does
            if i:
                np.matmul(grad, layer.weights.T, out=buffers[i - 1][2])
        return loss

    def sums(self, rows):
        """The inputs of the activations in the last pass, by layer. Only for keep_sums=True."""
        return [sums for sums, _, _ in self._buffers(rows)]


def multiply(rows, matrix, out):
    """The product of two matrices, in `out`; the first may be a sparse one of SciPy, which knows no `out`."""
    if type(rows) is np.ndarray:
        np.matmul(rows, matrix, out=out)
    else:
        out[...] = rows @ matrix
