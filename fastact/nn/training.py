"""The training loop: epochs of shuffled batches, each a forward pass, a backward pass and a step of the optimizer."""

import math
import sys

import numpy as np

from . import losses
from .data import as_rows
from .passes import Passes


# An infinite loss is refused below.
@np.errstate(over="ignore", invalid="ignore", under="ignore")
def run(network, X, objective, epochs, batch_size, shuffle, rng, validate, progress):
    """Train for some epochs; the arguments are checked already.

    Parameters
    ----------
    network : Network
    X : ndarray of shape (rows, inputs)
    objective : Objective
    epochs, batch_size : int
    shuffle : bool
    rng : numpy.random.Generator
    validate : callable or None
        Returns the validation loss.
    progress : bool or None
    """
    rows = len(X)
    batch_size = min(batch_size, rows)
    passes = Passes(network.layers, batch_size, network.gradients)
    x_batch = np.empty((batch_size, X.shape[1]), X.dtype)
    y_batch = np.empty((batch_size, *objective.targets.shape[1:]), objective.targets.dtype)
    order = np.arange(rows)
    shown = bar(epochs, progress)
    try:
        for _ in range(epochs):
            before = network.parameters.copy()
            if shuffle:
                rng.shuffle(order)
            total = 0.0
            for start in range(0, rows, batch_size):
                if shuffle:
                    chosen = order[start : start + batch_size]
                    # mode="raise", the default, would copy through a buffer. The indices are in range.
                    x = X.take(chosen, axis=0, out=x_batch[: len(chosen)], mode="clip")
                    y = objective.targets.take(chosen, axis=0, out=y_batch[: len(chosen)], mode="clip")
                else:
                    x, y = X[start : start + batch_size], objective.targets[start : start + batch_size]
                total += passes.loss(x, y, objective) * len(x)
                stepped = network.optimizer.step(network.parameters, network.gradients)
                if stepped is not None and stepped is not network.parameters:
                    raise TypeError("optimizer.step() must change the parameters in place, but returned another array")
            loss = total / rows
            if not (math.isfinite(loss) and np.isfinite(network.parameters).all()):
                network.parameters[...] = before
                epoch = len(network.losses) + 1
                network.optimizer = None
                what = "a weight became infinite or NaN" if math.isfinite(loss) else f"the loss became {loss}"
                raise FloatingPointError(
                    f"{what} in epoch {epoch}: try an optimizer with a smaller rate, or data of standard "
                    f"deviation 1. The network is that of epoch {epoch - 1}"
                )
            validation = {} if validate is None else {"validation": validate()}
            if validation:  # NaN for epochs of earlier fits without validation
                network.validation_losses += [math.nan] * (len(network.losses) - len(network.validation_losses))
                network.validation_losses += validation.values()
            network.losses.append(loss)
            shown.show(loss=loss, **validation)
    finally:
        del network.validation_losses[len(network.losses) :]  # Ctrl-C may come between the two losses
        shown.close()


def validator(network, loss, validation, objective):
    """Check the validation data, and return a function that computes their loss."""
    try:
        X, y = validation
    except (TypeError, ValueError):
        raise TypeError("validation must be a pair, (X_test, y_test)") from None
    X = as_rows("validation X", X, network.shape[0], network.dtype)
    held_out = losses.objective(loss, y, len(X), network.layers[-1])
    if held_out.task != objective.task:
        raise ValueError(f"validation y must be of the same kind as y: {objective.task}, got {held_out.task}")

    def validate():
        outputs = network._outputs(X)
        return held_out(outputs, held_out.targets, out=np.empty_like(outputs))

    return validate


class Silence:
    """No progress bar."""

    def show(self, **losses):
        """Show nothing."""

    def close(self):
        """Nothing to close."""


class Lines(Silence):
    """A line an epoch on stderr, where tqdm is not installed."""

    def __init__(self, epochs):
        self.epochs, self.done = epochs, 0

    def show(self, **losses):
        """Print the losses of an epoch."""
        self.done += 1
        texts = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
        print(f"epoch {self.done}/{self.epochs}: {texts}", file=sys.stderr)


class Bar(Silence):
    """tqdm's bar."""

    def __init__(self, made):
        self.bar = made

    def show(self, **losses):
        """Move the bar on by an epoch."""
        self.bar.set_postfix({name: f"{value:.4g}" for name, value in losses.items()}, refresh=False)
        self.bar.update()

    def close(self):
        """Close the bar, which stays on the screen."""
        self.bar.close()


def bar(epochs, progress):
    """The progress bar. None: if stderr is a terminal and tqdm is installed; True: a bar or lines; False: nothing."""
    if progress is False or sys.stderr is None or (progress is None and not is_terminal(sys.stderr)):
        return Silence()
    try:
        from tqdm import tqdm
    except ImportError:
        return Silence() if progress is None else Lines(epochs)
    return Bar(tqdm(total=epochs, unit="epoch"))


def is_terminal(stream):
    """Whether a stream is a terminal."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # an object that can only write, or a closed file
        return False
