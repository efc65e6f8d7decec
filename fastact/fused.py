"""Formulas with several results from one pass over memory: the steps of optimizers, and losses with their gradients.

The rules are those of formulas.py, whose functions these formulas may use. Arrays come first, then numbers. `@fused` makes an
evaluator, `@element_loss` the public functions of a loss. A step uses only + - * / and square roots. Every instruction set and
NumPy round these in the same way, so that a step gives the same bits everywhere.
"""

from .declare import fused
from .declare_rows import element_loss
from .formulas import binary_cross_entropy, binary_cross_entropy_backward
from .numpy_backend.words import sqrt


@fused(operands=2)
def sgd(parameters, gradients, rate):
    """A step against the gradient."""
    return parameters - rate * gradients


@fused(operands=3, results=2)
def sgd_momentum(parameters, gradients, velocity, rate, momentum):
    """A step along a running sum of gradients."""
    velocity = momentum * velocity + gradients
    return parameters - rate * velocity, velocity


@fused(operands=3, results=2)
def sgd_nesterov(parameters, gradients, velocity, rate, momentum):
    """A step along the running sum as it will be after the next step."""
    velocity = momentum * velocity + gradients
    return parameters - rate * (gradients + momentum * velocity), velocity


@fused(operands=4, results=3)
def adam(parameters, gradients, first_moment, second_moment, beta1, share1, beta2, share2, rate, eps, keep):
    """A step by the running means of gradients and of their squares. The caller corrects `rate` and `eps` for their bias.

    The gradient is multiplied by share2 before it is squared, so that the square of a large one does not overflow.
    """
    first_moment = beta1 * first_moment + share1 * gradients
    second_moment = beta2 * second_moment + (share2 * gradients) * gradients
    return keep * parameters - rate * (first_moment / (sqrt(second_moment) + eps)), first_moment, second_moment


@element_loss(
    "squared_error",
    source="A.-M. Legendre (1805), Nouvelles methodes pour la determination des orbites des cometes",
    first="outputs",
    bound=", within 2 ULP like the loss",
    examples={
        "both": (
            "loss, grad = fa.squared_error_and_grad(np.array([[1.0], [2.0]]), np.array([[0.0], [4.0]]))",
            "float(loss), grad.tolist()",
        )
    },
)
@fused(operands=2, results=2)
def squared_error_both(outputs, target, grad):
    """(outputs - target)**2 and its gradient 2 * (outputs - target)

    The mean squared error, and its gradient; both are divided by the number of entries where it is the mean.
    """
    difference = outputs - target
    return difference * difference, (2 * grad) * difference


@element_loss(
    "binary_cross_entropy_with_logits",
    core=binary_cross_entropy,
    source="D. R. Cox (1958), The regression analysis of binary sequences",
    labels=True,
    parameters={"pos_weight": None},
    requires=["pos_weight >= 0"],
    explained={"pos_weight": "The weight of a target of 1 beside one of 0, not negative; broadcast like `target`. None for 1."},
    examples={
        "loss": (
            "logits, labels = np.array([-1000.0, 0.0]), np.array([1.0, 1.0])",
            "fa.binary_cross_entropy_with_logits(logits, labels, reduction='none')",
            "fa.binary_cross_entropy_with_logits(logits, labels).round(8)",
        ),
        "backward": (
            "logits, labels = np.array([-1000.0, 0.0]), np.array([1.0, 1.0])",
            "fa.binary_cross_entropy_with_logits_backward(1.0, logits, labels, out=logits)  # in place",
        ),
        "both": (
            "loss, grad = fa.binary_cross_entropy_with_logits_and_grad(np.zeros(2), np.array([0.0, 1.0]))",
            "round(float(loss), 6), grad.tolist()",
        ),
    },
)
@fused(operands=2, results=2, wide=True)
def binary_cross_entropy_both(logits, target, grad, pos_weight):
    """The loss of each entry, and its gradient."""
    return binary_cross_entropy(logits, target, pos_weight), binary_cross_entropy_backward(grad, logits, target, pos_weight)
