"""The health of a network: neurons that are dead or saturated, and the size of the gradients."""

import dataclasses
import itertools

import numpy as np

from .activations import FAR

# A derivative below this share of the largest one is small.
SMALL = 0.05
# A neuron is saturated if its derivative is small for more than this share of the rows.
MOST = 0.95


@dataclasses.dataclass(repr=False)
class Health:
    """What `Network.health` found, an entry a layer. Printed, it is a table.

    Attributes
    ----------
    layers : list of str
    dead : ndarray
        Per cent of the neurons whose derivative is 0 for every row: they learn nothing from these rows. NaN for softmax.
    saturated : ndarray
        Per cent of the neurons whose derivative is, for more than 95 % of the rows, smaller than 5 % of the largest derivative of
        the function. NaN where the word makes no sense: the function is piecewise linear, its derivative has no largest value,
        or it is softmax.
    gradient : ndarray
        The root mean square of the gradient of the weights; NaN without labels.
    """

    layers: list
    dead: np.ndarray
    saturated: np.ndarray
    gradient: np.ndarray

    def __repr__(self):
        lines = [("", "layer", "% dead", "% saturated", "gradient")]
        for i, name in enumerate(self.layers):
            shares = (f"{value:.1f}" if np.isfinite(value) else "-" for value in (self.dead[i], self.saturated[i]))
            lines.append((str(i), name, *shares, f"{self.gradient[i]:.2e}" if np.isfinite(self.gradient[i]) else "-"))
        widths = [max(len(line[column]) for line in lines) for column in range(5)]
        aligned = (str.rjust, str.ljust, str.rjust, str.rjust, str.rjust)
        texts = ([align(text, width) for align, text, width in zip(aligned, line, widths, strict=True)] for line in lines)
        return "\n".join("  ".join(text).rstrip() for text in texts)


def examine(layers, sums, gradients):
    """The health of layers, whose activations had the inputs `sums`; `gradients` has those of weights and bias by layer."""
    columns = []
    for layer, inputs, of_layer in zip(layers, sums, gradients or itertools.repeat(None), strict=False):
        function = layer.function
        dead, saturated, gradient = 0.0, np.nan, np.nan
        if function.name == "softmax":
            dead = np.nan
        elif not function.is_linear:
            slope = np.abs(function.slope(inputs))
            dead = 100 * np.mean((slope == 0).all(axis=0))
            if largest := largest_slope(function, inputs.dtype):
                saturated = 100 * np.mean((slope < SMALL * largest).mean(axis=0) > MOST)
        if of_layer:
            gradient = np.sqrt(np.mean(of_layer[0].astype(np.float64) ** 2))
        columns.append((dead, saturated, gradient))
    return Health([repr(layer) for layer in layers], *np.array(columns).T)


def largest_slope(function, dtype):
    """The largest derivative of a function, None where it is piecewise linear or its derivative grows without end."""
    x = np.linspace(-FAR, FAR, 4001).astype(dtype)[:, np.newaxis]  # in rows, which a function of the user's may need
    slope = np.abs(function.slope(x))
    if len(np.unique(slope)) <= 4 or not np.isfinite(slope).all():
        return None
    inner = slope[len(x) // 4 : -len(x) // 4].max()
    return slope.max() if slope.max() <= 1.5 * inner else None
