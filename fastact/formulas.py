"""Every elementwise activation, forward and backward: the one page that the rest is made from.

A formula is plain Python on arrays. It may use numbers, its arguments, `+ - * /`, comparisons, assignments to local
names, the words of words.py, and activations declared above it. From each declaration the package makes the public
function, its docstring, the NumPy fallback, the C kernel of every instruction set, the tests' oracle (the docstring's
first line is the textbook definition), the benchmark rows and the README's table. The formulas say *how* to
compute without overflow or lost digits; the definition says *what*.

Conventions: the saturated side owns a kink (relu'(0) = 0); a branch is selected, never multiplied by 0, so that an
infinite gradient through a dead unit is 0; NaN in gives NaN out (`unless_nan` where a comparison would hide it).
"""

from . import words
from .declare import activation
from .words import exp, expm1, maximum, unless_nan, where


@activation(source="D. E. Rumelhart, G. E. Hinton, R. J. Williams (1986), Learning representations by back-propagating errors")
def sigmoid(x):
    """1 / (1 + exp(-x))

    Squashes any number into (0, 1); its slope is at most 1/4, so gradients vanish through many layers.
    """
    return words.sigmoid(x)


@sigmoid.derivative
def sigmoid_backward(grad, x):
    return grad * words.sigmoid_derivative(x)


@sigmoid.derivative_from_output
def sigmoid_backward_from_output(grad, y):
    return grad * (y * (1 - y))


@activation(source="Y. LeCun, L. Bottou, G. B. Orr, K.-R. Mueller (1998), Efficient BackProp")
def tanh(x):
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x))

    A sigmoid centred on 0: tanh(x) = 2 sigmoid(2 x) - 1, in (-1, 1), with slope 1 at 0.
    """
    return words.tanh(x)


@tanh.derivative
def tanh_backward(grad, x):
    return grad * (4 * words.sigmoid_derivative(2 * x))


@tanh.derivative_from_output
def tanh_backward_from_output(grad, y):
    return grad * ((1 - y) * (1 + y))


@activation(source="V. Nair, G. E. Hinton (2010), Rectified linear units improve restricted Boltzmann machines")
def relu(x):
    """max(0, x)

    Keeps what is positive. A unit that is negative for every example has no gradient left: a dead ReLU.
    """
    return maximum(x, 0)


@relu.derivative
def relu_backward(grad, x):
    return unless_nan(x, where(x > 0, grad, 0))


@relu.derivative_from_output
def relu_backward_from_output(grad, y):
    return unless_nan(y, where(y > 0, grad, 0))


@activation(source="A. L. Maas, A. Y. Hannun, A. Y. Ng (2013), Rectifier nonlinearities improve neural network acoustic models")
def leaky_relu(x, negative_slope=0.01):
    """x if x > 0 else negative_slope * x

    A ReLU that lets a little gradient through where it is negative, so that no unit dies.
    """
    return where(x > 0, x, negative_slope * x)


@leaky_relu.derivative
def leaky_relu_backward(grad, x, negative_slope):
    return unless_nan(x, where(x > 0, grad, negative_slope * grad))


@leaky_relu.derivative_from_output(nonnegative="negative_slope")
def leaky_relu_backward_from_output(grad, y, negative_slope):
    return unless_nan(y, where(y > 0, grad, negative_slope * grad))


@activation(source="D.-A. Clevert, T. Unterthiner, S. Hochreiter (2016), Fast and accurate deep network learning by ELUs")
def elu(x, alpha=1.0):
    """x if x > 0 else alpha * (exp(x) - 1)

    Linear where positive, saturating smoothly at -alpha, so that activations average near 0.
    """
    return where(x > 0, x, alpha * expm1(x))


@elu.derivative
def elu_backward(grad, x, alpha):
    return where(x > 0, grad, grad * (alpha * exp(x)))


@elu.derivative_from_output(nonnegative="alpha")
def elu_backward_from_output(grad, y, alpha):
    return where(y > 0, grad, grad * (y + alpha))
