"""The evaluators along an axis that a backend has, and the NumPy ones: one table of names, typed signatures and kernels.

In a signature "f" is float32 or float64, "d" float64, "q" int64 and "?" boolean; n is the axis. The compiled core has the same
names and signatures.
"""

from . import losses, softmax, sparse
from .rows import along_axis

MASKING = ",d(),d(),q(),?(n)"  # scale, sink, limit, mask


def _family(name, plain, value=None):
    """One of the softmax family, plain and masked, where masked entries are `value`."""
    kernel = getattr(softmax, name)
    inputs, output = plain.split("->")
    stem, *rest = name.split("_backward")
    masked = f"{inputs}{MASKING}->{output}", softmax.masked(kernel, value)
    return {name: (plain, kernel), "_backward".join([stem + "_masked", *rest]): masked}


TABLE = {
    **_family("softmax", "f(n)->f(n)", 0),
    **_family("softmax_backward", "f(n),f(n)->f(n)", 0),
    **_family("softmax_backward_from_output", "f(n),f(n)->f(n)", 0),
    **_family("log_softmax", "f(n)->f(n)", float("-inf")),
    **_family("log_softmax_backward", "f(n),f(n)->f(n)", 0),
    **_family("log_softmax_backward_from_output", "f(n),f(n)->f(n)", 0),
    **_family("logsumexp", "f(n)->f()"),
    **_family("logsumexp_backward", "f(),f(n)->f(n)", 0),
    "hardmax": ("f(n)->f(n)", sparse.hardmax),
    "sparsemax": ("f(n)->f(n)", sparse.sparsemax),
    "sparsemax_backward": ("f(n),f(n)->f(n)", sparse.sparsemax_backward),
    "sparsemax_backward_from_output": ("f(n),f(n)->f(n)", sparse.sparsemax_backward_from_output),
    "entmax15": ("f(n)->f(n)", sparse.entmax15),
    "entmax15_backward": ("f(n),f(n)->f(n)", sparse.entmax15_backward),
    "entmax15_backward_from_output": ("f(n),f(n)->f(n)", sparse.entmax15_backward_from_output),
    "cross_entropy": ("f(n),q(),d()->f()", losses.of_index),
    "cross_entropy_backward": ("f(),f(n),q(),d()->f(n)", losses.of_index_backward),
    "cross_entropy_both": ("f(),f(n),q(),d()->f(),f(n)", losses.of_index_both),
    "cross_entropy_distribution": ("f(n),f(n),d()->f()", losses.of_distribution),
    "cross_entropy_distribution_backward": ("f(),f(n),f(n),d()->f(n)", losses.of_distribution_backward),
    "cross_entropy_distribution_both": ("f(),f(n),f(n),d()->f(),f(n)", losses.loss_and_gradient),
}


def in_numpy():
    """The NumPy evaluators, by name."""
    return {name: along_axis(name, signature, kernel) for name, (signature, kernel) in TABLE.items()}
