"""Every elementwise activation, forward and backward. Everything else is made from this page.

A formula is plain Python on arrays. It may use numbers, its arguments, `+ - * /`, comparisons, assignments to local
names, the words of numpy_backend/words.py, and activations declared above it. From each declaration the package makes the
public function, its docstring, the NumPy fallback, the C kernel of every instruction set, the tests' oracle, the benchmark
rows and the tables of benchmarks/README.md.

The first line of a docstring is the textbook definition: it says *what* is computed. The docstring of a backward formula is
the textbook derivative. A formula says *how* to compute it without overflow or lost digits. `plain` is the line of NumPy that
people write: the benchmark compares with it.

Conventions:
- The saturated side owns a kink: relu'(0) = 0.
- A branch is selected, never multiplied by 0, so that an infinite gradient through a dead unit is 0.
- NaN in gives NaN out. `unless_nan` sees to that where a comparison would hide a NaN.
"""

from .declare import activation
from .numpy_backend import words
from .numpy_backend.words import (
    abs,
    clip,
    constant,
    damped,
    erf,
    exp,
    exp_times,
    expm1,
    fma,
    gate_slope,
    log1p,
    log_ratio,
    maximum,
    minimum,
    scaled_normal_tail,
    sin,
    sin_plus_cos,
    sqrt,
    tanh_cubic,
    times_sigmoid,
    times_sigmoid_derivative,
    times_softplus,
    unless_nan,
    where,
)


@activation(
    source="D. E. Rumelhart, G. E. Hinton, R. J. Williams (1986), Learning representations by back-propagating errors",
    aliases=["expit"],
    plain="1 / (1 + np.exp(-x))",
)
def sigmoid(x):
    """1 / (1 + exp(-x))

    Squashes any number into (0, 1); its slope is at most 1/4, so gradients vanish through many layers.
    """
    return words.sigmoid(x)


@sigmoid.derivative(plain="grad * (s := 1 / (1 + np.exp(-x))) * (1 - s)")
def sigmoid_backward(grad, x):
    """sigmoid(x) * (1 - sigmoid(x))"""
    return grad * words.sigmoid_derivative(x)


@sigmoid.derivative_from_output(plain="grad * y * (1 - y)")
def sigmoid_backward_from_output(grad, y):
    return grad * (y * (1 - y))


@activation(source="Y. LeCun, L. Bottou, G. B. Orr, K.-R. Mueller (1998), Efficient BackProp", plain="np.tanh(x)")
def tanh(x):
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x))

    A sigmoid centred on 0: tanh(x) = 2 sigmoid(2 x) - 1, in (-1, 1), with slope 1 at 0.
    """
    return words.tanh(x)


@tanh.derivative(plain="grad * (1 - np.tanh(x) ** 2)")
def tanh_backward(grad, x):
    """1 - tanh(x)**2"""
    return grad * (4 * words.sigmoid_derivative(2 * x))


@tanh.derivative_from_output(plain="grad * (1 - y**2)")
def tanh_backward_from_output(grad, y):
    return grad * ((1 - y) * (1 + y))


@activation(
    source="V. Nair, G. E. Hinton (2010), Rectified linear units improve restricted Boltzmann machines", plain="np.maximum(x, 0)"
)
def relu(x):
    """max(0, x)

    Keeps what is positive. A unit that is negative for every example has no gradient left: a dead ReLU.
    """
    return maximum(x, 0)


@relu.derivative(plain="grad * (x > 0)")
def relu_backward(grad, x):
    """1 if x > 0 else 0"""
    return unless_nan(x, where(x > 0, grad, 0))


@relu.derivative_from_output(plain="grad * (y > 0)")
def relu_backward_from_output(grad, y):
    return unless_nan(y, where(y > 0, grad, 0))


@activation(
    source="A. L. Maas, A. Y. Hannun, A. Y. Ng (2013), Rectifier nonlinearities improve neural network acoustic models",
    plain="np.maximum(x, negative_slope * x)",
)
def leaky_relu(x, negative_slope=0.01):
    """x if x > 0 else negative_slope * x

    A ReLU that lets a little gradient through where it is negative, so that no unit dies.
    """
    return where(x > 0, x, negative_slope * x)


@leaky_relu.derivative(plain="np.where(x > 0, grad, negative_slope * grad)")
def leaky_relu_backward(grad, x, negative_slope):
    """1 if x > 0 else negative_slope"""
    return unless_nan(x, where(x > 0, grad, negative_slope * grad))


@leaky_relu.derivative_from_output(requires=["negative_slope >= 0"], plain="np.where(y > 0, grad, negative_slope * grad)")
def leaky_relu_backward_from_output(grad, y, negative_slope):
    return unless_nan(y, where(y > 0, grad, negative_slope * grad))


@activation(
    source="D.-A. Clevert, T. Unterthiner, S. Hochreiter (2016), Fast and accurate deep network learning by ELUs",
    plain="np.where(x > 0, x, alpha * (np.exp(x) - 1))",
)
def elu(x, alpha=1.0):
    """x if x > 0 else alpha * (exp(x) - 1)

    Linear where positive, saturating smoothly at -alpha, so that activations average near 0.
    """
    return where(x > 0, x, alpha * expm1(x))


@elu.derivative(plain="np.where(x > 0, grad, grad * alpha * np.exp(x))")
def elu_backward(grad, x, alpha):
    """1 if x > 0 else alpha * exp(x)"""
    return where(x > 0, grad, grad * (alpha * exp(x)))


@elu.derivative_from_output(requires=["alpha >= 0"], plain="np.where(y > 0, grad, grad * (y + alpha))")
def elu_backward_from_output(grad, y, alpha):
    return where(y > 0, grad, grad * (y + alpha))


@activation(source="A. Krizhevsky (2010), Convolutional deep belief networks on CIFAR-10", plain="np.clip(x, 0, 6)")
def relu6(x):
    """min(max(x, 0), 6)

    A ReLU that saturates, so that few bits can hold it.
    """
    return minimum(maximum(x, 0), 6)


@relu6.derivative(plain="grad * ((x > 0) & (x < 6))")
def relu6_backward(grad, x):
    """1 if 0 < x < 6 else 0"""
    return unless_nan(x, where(x > 0, where(x < 6, grad, 0), 0))


@relu6.derivative_from_output(plain="grad * ((y > 0) & (y < 6))")
def relu6_backward_from_output(grad, y):
    return unless_nan(y, where(y > 0, where(y < 6, grad, 0), 0))


@activation(
    source="D. So, W. Manke, H. Liu, Z. Dai, N. Shazeer, Q. V. Le (2021), Primer: searching for efficient transformers",
    plain="np.maximum(x, 0) ** 2",
)
def relu_squared(x):
    """max(x, 0)**2

    A ReLU without a kink: its slope grows from 0.
    """
    positive = maximum(x, 0)
    return positive * positive


@relu_squared.derivative(plain="2 * grad * np.maximum(x, 0)")
def relu_squared_backward(grad, x):
    """2 * max(x, 0)"""
    return unless_nan(x, where(x > 0, 2 * (grad * x), 0))


@relu_squared.derivative_from_output
def relu_squared_backward_from_output(grad, y):
    return unless_nan(y, where(y > 0, 2 * (grad * sqrt(y)), 0))


SELU_SCALE = constant("1.0507009873554804934193349852946")
SELU_ALPHA = constant("1.6732632423543772848170429916717")
SELU_SCALE_ALPHA = constant("1.7580993408473768599402175208123")


@activation(
    source="G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter (2017), Self-normalizing neural networks",
    wide=True,
    plain="1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1))",
)
def selu(x):
    """1.0507009873554804934193349852946 * (x if x > 0 else 1.6732632423543772848170429916717 * (exp(x) - 1))

    An ELU with the scale and alpha that keep mean 0 and variance 1 from layer to layer.
    """
    return where(x > 0, SELU_SCALE * x, SELU_SCALE_ALPHA * expm1(x))


@selu.derivative(plain="1.0507009873554805 * grad * np.where(x > 0, 1, 1.6732632423543772 * np.exp(x))")
def selu_backward(grad, x):
    """1.0507009873554804934193349852946 * (1 if x > 0 else 1.6732632423543772848170429916717 * exp(x))"""
    return grad * where(x > 0, SELU_SCALE, exp_times(SELU_SCALE_ALPHA, minimum(x, 0)))


@selu.derivative_from_output
def selu_backward_from_output(grad, y):
    return grad * where(y > 0, SELU_SCALE, y + SELU_SCALE_ALPHA)


@activation(
    source="J. T. Barron (2017), Continuously differentiable exponential linear units",
    wide=True,
    requires=["alpha != 0"],
    plain="np.maximum(x, 0) + np.minimum(0, alpha * (np.exp(x / alpha) - 1))",
)
def celu(x, alpha=1.0):
    """x if x > 0 else alpha * (exp(x / alpha) - 1)

    An ELU whose slope is continuous for every alpha.
    """
    z = x / alpha
    return where(x > 0, x, where(abs(z) < 1e-17, x, alpha * expm1(z)))  # a subnormal z has lost digits: there the function is x


@celu.derivative(plain="np.where(x > 0, grad, grad * np.exp(x / alpha))")
def celu_backward(grad, x, alpha):
    """1 if x > 0 else exp(x / alpha)"""
    return grad * where(x > 0, 1, exp(x / alpha))


@celu.derivative_from_output(requires=["alpha > 0"])
def celu_backward_from_output(grad, y, alpha):
    return where(y > 0, grad, grad * ((y + alpha) / alpha))


INVERSE_SQRT_2PI = constant("0.39894228040143267793994605993438186847585863116493465766593")
GELU_LINEAR = constant("1.5957691216057307117597842397375274739034345246597386306637")  # 2 sqrt(2 / pi)
GELU_CUBIC = constant("0.07135481627260024877633875227986354099559207477016")  # 0.044715 times that
GELU_CUBIC_SLOPE = constant("0.21406444881780074632901625683959062298677622431048")


@activation(
    source="D. Hendrycks, K. Gimpel (2016), Gaussian error linear units (GELUs)",
    wide=True,
    option=("approximate", "none"),
    plain="0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))",  # the tanh form: NumPy has no erf
)
def gelu(x):
    """x * erfc(-x / sqrt(2)) / 2

    x weighted by the probability that a standard normal number is below it.
    """
    t = minimum(abs(x), 40)
    return maximum(x, 0) - exp_times(t * scaled_normal_tail(t), -(t * t) / 2)


@gelu.derivative(
    plain="0.5 * grad * (1 + (t := np.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))"
    " + x * (1 - t * t) * (0.7978845608 + 0.1070322244 * x * x))"
)
def gelu_backward(grad, x):
    """erfc(-x / sqrt(2)) / 2 + x * exp(-(x**2) / 2) / sqrt(2 * pi)"""
    t = minimum(abs(x), 40)
    left = exp_times(scaled_normal_tail(t) - t * INVERSE_SQRT_2PI, -(t * t) / 2)
    return grad * where(x < 0, left, 1 - left)


@gelu.alternative("tanh")
def gelu_tanh(x):
    """x / (1 + exp(-2 * sqrt(2 / pi) * (x + 0.044715 * x**3)))

    The same by a cubic and a tanh, since x (1 + tanh(u)) / 2 = x / (1 + exp(-2 u)).
    """
    t = minimum(abs(x), 40)
    v = t * (GELU_LINEAR + GELU_CUBIC * (t * t))
    return maximum(x, 0) - times_sigmoid(t, -v)


@gelu_tanh.derivative
def gelu_tanh_backward(grad, x):
    """s + 2 * x * s * (1 - s) * sqrt(2 / pi) * (1 + 0.134145 * x**2)
    with s = sigmoid(2 * sqrt(2 / pi) * (x + 0.044715 * x**3))
    """
    t = minimum(abs(x), 40)
    square = t * t
    v = t * (GELU_LINEAR + GELU_CUBIC * square)
    slope = GELU_LINEAR + GELU_CUBIC_SLOPE * square
    e = exp(-v)
    inverse = 1 / (1 + e)
    left = damped((1 - t * slope * inverse) * inverse, -v, e)
    return grad * where(x < 0, left, 1 - left)


QUICK = constant("1.702")


@activation(
    source="D. Hendrycks, K. Gimpel (2016), Gaussian error linear units (GELUs), section 2",
    wide=True,
    plain="x / (1 + np.exp(-1.702 * x))",
)
def quick_gelu(x):
    """x / (1 + exp(-1.702 * x))

    GELU by one sigmoid: close to it, and cheaper where that mattered.
    """
    return times_sigmoid(x, QUICK * x)


@quick_gelu.derivative(plain="grad * (s := 1 / (1 + np.exp(-1.702 * x))) * (1 + 1.702 * x * (1 - s))")
def quick_gelu_backward(grad, x):
    """sigmoid(1.702 * x) * (1 + 1.702 * x * sigmoid(-1.702 * x))"""
    return grad * gate_slope(QUICK * x)


@activation(
    source="S. Elfwing, E. Uchibe, K. Doya (2018), Sigmoid-weighted linear units for neural network function approximation in "
    "reinforcement learning; P. Ramachandran, B. Zoph, Q. V. Le (2017), Searching for activation functions (swish, with beta)",
    wide=True,
    aliases=["swish"],
    plain="x / (1 + np.exp(-x))",
)
def silu(x, beta=1.0):
    """x / (1 + exp(-beta * x))

    x times its own sigmoid: smooth, with a shallow dip below 0.
    """
    return times_sigmoid(x, beta * x)


@silu.derivative(plain="grad * (s := 1 / (1 + np.exp(-x))) * (1 + x * (1 - s))")
def silu_backward(grad, x, beta):
    """sigmoid(beta * x) * (1 + beta * x * sigmoid(-beta * x))"""
    return grad * gate_slope(beta * x)


@activation(
    source="D. Misra (2019), Mish: a self regularized non-monotonic activation function",
    wide=True,
    plain="x * np.tanh(np.log1p(np.exp(x)))",
)
def mish(x):
    """x * tanh(log(1 + exp(x)))

    x times the tanh of its softplus.
    """
    e = exp(-abs(x))
    n = where(x < 0, 2 + e, 1 + 2 * e)
    d = where(x < 0, 2 + e * (2 + e), 1 + 2 * e * (1 + e))
    return damped(x * (n / d), x, e)


@mish.derivative(plain="grad * ((t := np.tanh(np.log1p(np.exp(x)))) + x * (1 - t**2) / (1 + np.exp(-x)))")
def mish_backward(grad, x):
    """tanh(s) + x * sigmoid(x) / cosh(s)**2 with s = log(1 + exp(x))"""
    z = clip(x, -2000, 2000)
    e = exp(-abs(z))
    d = where(z < 0, 2 + e * (2 + e), 1 + 2 * e * (1 + e))
    n = where(z < 0, (2 + e) * d + 4 * z * (1 + e), (1 + 2 * e) * d + 4 * z * (e * e) * (1 + e))
    return grad * damped(n / (d * d), z, e)


def _log_one_plus_exp(z, e):
    """log(1 + exp(z)), from e = exp(-|z|)."""
    return maximum(z, 0) + log1p(e)


@activation(
    source="C. Dugas, Y. Bengio, F. Belisle, C. Nadeau, R. Garcia (2000), Incorporating second-order functional knowledge for "
    "better option pricing",
    wide=True,
    requires=["beta != 0"],
    plain="np.log1p(np.exp(x))",
)
def softplus(x, beta=1.0):
    """log(1 + exp(beta * x)) / beta

    A smooth ReLU; its derivative is the sigmoid. There is no threshold beyond which it would be cut off.
    """
    z = beta * x
    return where(z > 60, x, times_softplus(1 / beta, z))  # beyond 60 the function is x, and z may overflow


@softplus.derivative(plain="grad / (1 + np.exp(-x))")
def softplus_backward(grad, x, beta):
    """sigmoid(beta * x)"""
    return grad * times_sigmoid(1, beta * x)


@softplus.derivative_from_output(requires=["beta > 0"], plain="grad * (1 - np.exp(-y))")
def softplus_backward_from_output(grad, y, beta):
    return grad * -expm1(-(beta * y))


@activation(
    source="J. Turian, J. Bergstra, Y. Bengio (2009), Quadratic features and deep architectures for chunking",
    plain="x / (1 + np.abs(x))",
)
def softsign(x):
    """x / (1 + abs(x))

    A tanh that approaches its bounds slowly, without exponentials.
    """
    bounded = clip(x, -1e18, 1e18)
    return bounded / (1 + abs(bounded))


@softsign.derivative(plain="grad / (1 + np.abs(x)) ** 2")
def softsign_backward(grad, x):
    """1 / (1 + abs(x))**2"""
    d = 1 + abs(x)
    return grad / d / d


@softsign.derivative_from_output(plain="grad * (1 - np.abs(y)) ** 2")
def softsign_backward_from_output(grad, y):
    rest = 1 - abs(y)
    return grad * (rest * rest)


@activation(
    source="R. Collobert, K. Kavukcuoglu, C. Farabet (2011), Torch7: a Matlab-like environment for machine learning",
    wide=True,
    aliases=["log_expit"],
    plain="-np.log1p(np.exp(-x))",
)
def log_sigmoid(x):
    """-log(1 + exp(-x))

    The logarithm of the sigmoid, a log-likelihood that does not underflow.
    """
    return minimum(x, 0) - log1p(exp(-abs(x)))


@log_sigmoid.derivative(plain="grad / (1 + np.exp(x))")
def log_sigmoid_backward(grad, x):
    """sigmoid(-x)"""
    return grad * times_sigmoid(1, -x)


@log_sigmoid.derivative_from_output(plain="grad * (1 - np.exp(y))")
def log_sigmoid_backward_from_output(grad, y):
    return grad * -expm1(y)


@activation(
    source="M. Courbariaux, Y. Bengio, J.-P. David (2015), BinaryConnect: training deep neural networks with binary weights "
    "during propagations",
    plain="np.clip((x + 3) / 6, 0, 1)",
)
def hard_sigmoid(x):
    """min(max((x + 3) / 6, 0), 1)

    A sigmoid of straight lines.
    """
    return clip(x + 3, 0, 6) * (1 / 6)


@hard_sigmoid.derivative(plain="grad / 6 * ((x > -3) & (x < 3))")
def hard_sigmoid_backward(grad, x):
    """1 / 6 if -3 < x < 3 else 0"""
    return unless_nan(x, where(x > -3, where(x < 3, grad * (1 / 6), 0), 0))


@hard_sigmoid.derivative_from_output(plain="grad / 6 * ((y > 0) & (y < 1))")
def hard_sigmoid_backward_from_output(grad, y):
    return unless_nan(y, where(y > 0, where(y < 1, grad * (1 / 6), 0), 0))


@activation(
    source="M. Thoma, D. Hamann and others: thinc, ClippedLinear",
    requires=["min_val <= max_val"],
    plain="np.clip(slope * x + offset, min_val, max_val)",
)
def clipped_linear(x, slope=1.0, offset=0.0, min_val=0.0, max_val=1.0):
    """min(max(slope * x + offset, min_val), max_val)

    A straight line between two bounds: relu6, hard_tanh and hard_sigmoid are of this kind.
    """
    return clip(fma(slope, x, offset), min_val, max_val)


@clipped_linear.derivative(plain="grad * slope * (((y := slope * x + offset) > min_val) & (y < max_val))")
def clipped_linear_backward(grad, x, slope, offset, min_val, max_val):
    """slope if min_val < slope * x + offset < max_val else 0"""
    y = fma(slope, x, offset)
    # Where the offset is a bound, the sign of slope * x decides: the product may underflow, or be lost in the sum.
    side = x * where(slope > 0, 1, where(slope < 0, -1, 0))
    high = where(abs(offset - max_val) > 0, max_val, 0)
    low = where(abs(offset - min_val) > 0, min_val, 0)
    from_high = where(abs(offset - max_val) > 0, y, side)
    from_low = where(abs(offset - min_val) > 0, y, side)
    return unless_nan(y, where(from_low > low, where(from_high < high, grad * slope, 0), 0))


@clipped_linear.derivative_from_output(plain="grad * slope * ((y > min_val) & (y < max_val))")
def clipped_linear_backward_from_output(grad, y, slope, offset, min_val, max_val):
    return unless_nan(y, where(y > min_val, where(y < max_val, grad * slope, 0), 0))


@activation(
    source="A. Howard and others (2019), Searching for MobileNetV3",
    aliases=["hard_silu"],
    plain="x * np.clip((x + 3) / 6, 0, 1)",
)
def hard_swish(x):
    """x * min(max((x + 3) / 6, 0), 1)

    A SiLU of straight lines and a parabola.
    """
    # x + 3 is exact below -1. Above it x / 6 + 1 / 2 has lost less. At -3 the gate is -0, so that the product is +0.
    bounded = maximum(x, -3)
    gate = where(x > -1, minimum(x * (1 / 6) + 0.5, 1), (-3 - bounded) * (-1 / 6))
    return bounded * gate


@hard_swish.derivative(plain="grad * np.where(x > -3, np.where(x < 3, (2 * x + 3) / 6, 1), 0)")
def hard_swish_backward(grad, x):
    """0 if x <= -3 else (2 * x + 3) / 6 if x < 3 else 1"""
    return where(x <= -3, 0, where(x < 3, grad * ((2 * x + 3) * (1 / 6)), unless_nan(x, grad)))


@activation(
    source="R. Collobert (2004), Large scale machine learning",
    requires=["min_val <= max_val"],
    plain="np.clip(x, min_val, max_val)",
)
def hard_tanh(x, min_val=-1.0, max_val=1.0):
    """min(max(x, min_val), max_val)

    A tanh of straight lines: linear between its bounds, dead beyond them.
    """
    return clip(x, min_val, max_val)


@hard_tanh.derivative(plain="grad * ((x > min_val) & (x < max_val))")
def hard_tanh_backward(grad, x, min_val, max_val):
    """1 if min_val < x < max_val else 0"""
    return unless_nan(x, where(x > min_val, where(x < max_val, grad, 0), 0))


@hard_tanh.derivative_from_output(plain="grad * ((y > min_val) & (y < max_val))")
def hard_tanh_backward_from_output(grad, y, min_val, max_val):
    return unless_nan(y, where(y > min_val, where(y < max_val, grad, 0), 0))


@activation(
    source="D. L. Donoho, I. M. Johnstone (1994), Ideal spatial adaptation by wavelet shrinkage",
    requires=["lambd >= 0"],
    plain="x * (np.abs(x) > lambd)",
)
def hard_shrink(x, lambd=0.5):
    """x if abs(x) > lambd else 0

    Forgets what is small.
    """
    return unless_nan(x, where(abs(x) > lambd, x, 0))


@hard_shrink.derivative(plain="grad * (np.abs(x) > lambd)")
def hard_shrink_backward(grad, x, lambd):
    """1 if abs(x) > lambd else 0"""
    return unless_nan(x, where(abs(x) > lambd, grad, 0))


@hard_shrink.derivative_from_output(plain="grad * (y != 0)")
def hard_shrink_backward_from_output(grad, y, lambd):
    return unless_nan(y, where(abs(y) > 0, grad, 0))


@activation(
    source="D. L. Donoho (1995), De-noising by soft-thresholding",
    requires=["lambd >= 0"],
    plain="np.sign(x) * np.maximum(np.abs(x) - lambd, 0)",
)
def soft_shrink(x, lambd=0.5):
    """x - min(max(x, -lambd), lambd)

    Forgets what is small and moves the rest towards 0: the proximal step of an absolute value.
    """
    return unless_nan(x, where(x > lambd, x - lambd, where(x < -lambd, x + lambd, 0)))


@soft_shrink.derivative(plain="grad * (np.abs(x) > lambd)")
def soft_shrink_backward(grad, x, lambd):
    """1 if abs(x) > lambd else 0"""
    return unless_nan(x, where(abs(x) > lambd, grad, 0))


@soft_shrink.derivative_from_output(plain="grad * (y != 0)")
def soft_shrink_backward_from_output(grad, y, lambd):
    return unless_nan(y, where(abs(y) > 0, grad, 0))


@activation(
    source="R. Collobert, K. Kavukcuoglu, C. Farabet (2011), Torch7: a Matlab-like environment for machine learning",
    wide=True,
    plain="x - np.tanh(x)",
)
def tanh_shrink(x):
    """x - tanh(x)

    What tanh takes away: x**3 / 3 near 0, x - 1 far out.
    """
    square = x * x
    size = abs(x)
    e = exp(-2 * size)
    far = (size - 1) + 2 * e / (1 + e)  # tanh(size) = 1 - 2 e / (1 + e)
    return where(size < 1, x * square * tanh_cubic(square), where(x < 0, -far, far))


@tanh_shrink.derivative(plain="grad * np.tanh(x) ** 2")
def tanh_shrink_backward(grad, x):
    """tanh(x)**2"""
    y = words.tanh(x)
    return grad * (y * y)


@activation(
    source="K. Konda, R. Memisevic, D. Krueger (2015), Zero-bias autoencoders and the benefits of co-adapting features",
    usual={"threshold": 0.1, "value": -0.2},
    plain="np.where(x > threshold, x, value)",
)
def threshold(x, threshold, value):
    """x if x > threshold else value

    Keeps what is above a threshold, and puts a value in place of the rest.
    """
    return unless_nan(x, where(x > threshold, x, value))


@threshold.derivative(plain="grad * (x > threshold)")
def threshold_backward(grad, x, threshold, value):
    """1 if x > threshold else 0"""
    return unless_nan(x, where(x > threshold, grad, 0))


@threshold.derivative_from_output(requires=["value <= threshold"], plain="grad * (y > threshold)")
def threshold_backward_from_output(grad, y, threshold, value):
    return unless_nan(y, where(y > threshold, grad, 0))


@activation(
    source="K. He, X. Zhang, S. Ren, J. Sun (2015), Delving deep into rectifiers",
    usual={"weight": 0.25},
    plain="np.where(x > 0, x, weight * x)",
)
def prelu(x, weight):
    """x if x > 0 else weight * x

    A leaky ReLU whose slope is learnt: its backward pass gives the gradient of the weight, too.
    """
    return where(x > 0, x, weight * x)


@prelu.derivative(of=["x", "weight"], plain="np.where(x > 0, grad, weight * grad), (grad * np.minimum(x, 0)).sum()")
def prelu_backward(grad, x, weight):
    """(1 if x > 0 else weight), (0 if x > 0 else x)"""
    return unless_nan(x, where(x > 0, grad, weight * grad)), unless_nan(x, where(x > 0, 0, grad * x))


LARGE = 2.0**500
SMALL = 2.0**-520


@activation(
    source="J. T. Barron (2021), Squareplus: a softplus-like algebraic rectifier",
    wide=True,
    requires=["b >= 0"],
    plain="(x + np.sqrt(x**2 + b)) / 2",
)
def squareplus(x, b=4.0):
    """(x + sqrt(x**2 + b)) / 2

    A softplus without exponentials.
    """
    scale = where(abs(x) > LARGE, SMALL, 1)  # so that x * x does not overflow
    z = x * scale
    root = sqrt(z * z + b * scale * scale)
    # The denominator is 0 where x and b are 0: 1e-300 takes its place.
    return where(x > 0, (z + root) / 2 / scale, b * scale / maximum(2 * (root - z), 1e-300))


@squareplus.derivative(plain="grad * (1 + x / np.sqrt(x**2 + b)) / 2")
def squareplus_backward(grad, x, b):
    """(1 + x / sqrt(x**2 + b)) / 2"""
    bounded = clip(x, -1e300, 1e300)
    scale = where(abs(bounded) > LARGE, SMALL, 1)
    z = bounded * scale
    root = sqrt(z * z + b * scale * scale)
    twice = maximum(2 * root, 1e-300)
    return grad * where(z > 0, minimum((root + z) / twice, 1), b / twice / maximum(root - z, 1e-300) * scale * scale)


@squareplus.derivative_from_output
def squareplus_backward_from_output(grad, y, b):
    return grad * (y / (y + b / 4 / y))


@activation(source="JAX, jax.nn.sparse_plus", plain="np.where(x > -1, np.where(x < 1, (x + 1) ** 2 / 4, x), 0)")
def sparse_plus(x):
    """0 if x <= -1 else (x + 1)**2 / 4 if x < 1 else x

    A softplus that is exactly 0 below -1: the loss of a sparse sigmoid.
    """
    half = maximum(x, -1) * 0.5 + 0.5
    return where(x < 1, half * half, x)


@sparse_plus.derivative(plain="grad * np.clip((x + 1) / 2, 0, 1)")
def sparse_plus_backward(grad, x):
    """min(max((x + 1) / 2, 0), 1)"""
    return unless_nan(x, where(x > -1, grad * minimum(x * 0.5 + 0.5, 1), 0))


@sparse_plus.derivative_from_output
def sparse_plus_backward_from_output(grad, y):
    return unless_nan(y, where(y > 0, grad * minimum(sqrt(y), 1), 0))


@activation(source="JAX, jax.nn.sparse_sigmoid", plain="np.clip((x + 1) / 2, 0, 1)")
def sparse_sigmoid(x):
    """min(max((x + 1) / 2, 0), 1)

    The derivative of sparse_plus: a sigmoid that is exactly 0 below -1 and 1 above 1.
    """
    return clip(x * 0.5 + 0.5, 0, 1)


@sparse_sigmoid.derivative(plain="grad / 2 * (np.abs(x) < 1)")
def sparse_sigmoid_backward(grad, x):
    """1 / 2 if abs(x) < 1 else 0"""
    return unless_nan(x, where(abs(x) < 1, grad * 0.5, 0))


@sparse_sigmoid.derivative_from_output(plain="grad / 2 * ((y > 0) & (y < 1))")
def sparse_sigmoid_backward_from_output(grad, y):
    return unless_nan(y, where(y > 0, where(y < 1, grad * 0.5, 0), 0))


@activation(
    source="I. Bello, H. Pham, Q. V. Le, M. Norouzi, S. Bengio (2016), Neural combinatorial optimization with reinforcement "
    "learning; Gemma Team (2024), Gemma 2, where it caps logits",
    wide=True,
    requires=["cap > 0"],
    usual={"cap": 30.0},
    plain="cap * np.tanh(x / cap)",
)
def softcap(x, cap):
    """cap * tanh(x / cap)

    Almost x where it is small, and never beyond cap: it keeps logits in bounds.
    """
    z = x / cap
    return where(abs(z) < 1e-9, x, cap * words.tanh(z))  # a subnormal z has lost digits: there the function is x


@softcap.derivative(plain="grad * (1 - np.tanh(x / cap) ** 2)")
def softcap_backward(grad, x, cap):
    """1 - tanh(x / cap)**2"""
    return grad * times_sigmoid_derivative(4, 2 * (x / cap))


@softcap.derivative_from_output(plain="grad * (1 - (y / cap) ** 2)")
def softcap_backward_from_output(grad, y, cap):
    z = y / cap
    return grad * ((1 - z) * (1 + z))


NAN = constant("nan")


@activation(
    source="J. Berkson (1944), Application of the logistic function to bio-assay",
    wide=True,
    requires=["eps is None or (0 <= eps) & (eps <= 0.5)"],
    plain="np.log(x / (1 - x))",
)
def logit(x, eps=None):
    """log(x / (1 - x))

    The inverse of the sigmoid, for probabilities; with eps they are first clipped to [eps, 1 - eps].
    """
    # eps=None arrives as NaN, for which no comparison holds.
    # The upper end compares 1 - x, which is exact there, with eps: 1 - eps has lost the digits of a small eps.
    p = where(1 - x < eps, eps, where(x < eps, eps, x))
    y = log_ratio(p, 1 - p)
    return where(1 - x < eps, -y, y)


@logit.derivative(wide=False, plain="grad / (x * (1 - x))")
def logit_backward(grad, x, eps):
    """1 / (x * (1 - x))"""
    product = x * (1 - x)
    inside = where(product < 0, NAN, grad / abs(product))  # at -0 the slope is +inf, as at 0
    return where(x < eps, 0, where(1 - x < eps, 0, inside))


@logit.derivative_from_output(requires=["eps is None"])
def logit_backward_from_output(grad, y, eps):
    return grad * ((1 + exp(y)) * (1 + exp(-y)))


TWO_OVER_SQRT_PI = constant("1.1283791670955125738961589031215451716881012586579977136881")


def _serf_near(x, e):
    return x * erf(_log_one_plus_exp(x, e))


def _serf_slope_near(x, e):
    softly = _log_one_plus_exp(x, e)
    gate = where(x < 0, e, 1) / (1 + e)
    return erf(softly) + x * TWO_OVER_SQRT_PI * gate * exp(-(softly * softly))


def _serf_slope(x):
    e = exp(-abs(x))
    return where(x >= -60, _serf_slope_near(x, e), damped((1 + x) * TWO_OVER_SQRT_PI, x, e))


@activation(
    source="S. Nag, M. Bhattacharyya, A. Mukherjee, R. Kundu (2023), SERF: towards better training of deep neural networks",
    wide=True,
)
def serf(x):
    """x * erf(log(1 + exp(x)))

    A mish with the error function in place of tanh.
    """
    e = exp(-abs(x))
    return where(x >= -60, _serf_near(x, e), damped(x * TWO_OVER_SQRT_PI, x, e))


@serf.derivative
def serf_backward(grad, x):
    """erf(s) + x * 2 / sqrt(pi) * exp(-(s**2)) * sigmoid(x) with s = log(1 + exp(x))"""
    return grad * _serf_slope(clip(x, -2000, 2000))


def _logish_near(x, e):
    return x * log1p(where(x < 0, e, 1) / (1 + e))


def _logish_slope_near(x, e):
    inverse = 1 / (1 + e)
    y = where(x < 0, e, 1) * inverse
    return log1p(y) + x * e * inverse * inverse / (1 + y)


def _logish_slope(x):
    e = exp(-abs(x))
    return where(x >= -60, _logish_slope_near(x, e), damped(1 + x, x, e))


@activation(
    source="H. Zhu, H. Zeng, J. Liu, X. Zhang (2021), Logish: a new nonlinear nonmonotonic activation function",
    wide=True,
    plain="x * np.log(1 + 1 / (1 + np.exp(-x)))",
)
def logish(x):
    """x * log(1 + 1 / (1 + exp(-x)))

    x times the logarithm of 1 and its sigmoid.
    """
    e = exp(-abs(x))
    return where(x >= -60, _logish_near(x, e), damped(x, x, e))


@logish.derivative(plain="grad * (np.log(1 + (s := 1 / (1 + np.exp(-x)))) + x * s * (1 - s) / (1 + s))")
def logish_backward(grad, x):
    """log(1 + s) + x * s * (1 - s) / (1 + s) with s = sigmoid(x)"""
    return grad * _logish_slope(clip(x, -2000, 2000))


@activation(
    source="L. Ziyin, T. Hartwig, M. Ueda (2020), Neural networks fail to learn periodic functions and how to fix it",
    wide=True,
    requires=["a != 0"],
    plain="x + np.sin(a * x) ** 2 / a",
)
def snake(x, a=1.0):
    """x + sin(a * x)**2 / a

    Rises with ripples, so that a network can learn what is periodic.
    """
    z = a * x
    wave = sin(where(abs(z) > 1e18, 0, z))  # beyond 1e18 z may overflow, and the ripple is below the last digit of x
    return x + wave * wave / a


@snake.derivative(plain="grad * (1 + np.sin(2 * a * x))")
def snake_backward(grad, x, a):
    """1 + sin(2 * a * x)"""
    wave = sin_plus_cos(a, x)
    return grad * (wave * wave)


@activation(
    source="S. K. Roy, S. Manna, S. R. Dubey, B. B. Chaudhuri (2019), LiSHT: non-parametric linearly scaled hyperbolic tangent",
    wide=True,
    plain="x * np.tanh(x)",
)
def lisht(x):
    """x * tanh(x)

    Even, and never negative.
    """
    return x * words.tanh(x)


@lisht.derivative(plain="grad * ((t := np.tanh(x)) + x * (1 - t**2))")
def lisht_backward(grad, x):
    """tanh(x) + x * (1 - tanh(x)**2)"""
    z = clip(x, -2000, 2000)
    return grad * (words.tanh(z) + times_sigmoid_derivative(4 * z, 2 * z))


@activation(
    source="Y. N. Dauphin, A. Fan, M. Auli, D. Grangier (2017), Language modeling with gated convolutional networks",
    operands=2,
    wide=True,
    halves=True,
    plain="value / (1 + np.exp(-gate))",
)
def glu(value, gate):
    """value / (1 + exp(-gate))

    One half of the features lets the other through.
    """
    return times_sigmoid(value, gate)


@glu.derivative(plain="np.concatenate([grad * (s := 1 / (1 + np.exp(-gate))), grad * value * s * (1 - s)], axis=-1)")
def glu_backward(grad, value, gate):
    """sigmoid(gate), value * sigmoid(gate) * (1 - sigmoid(gate))"""
    return grad * times_sigmoid(1, gate), grad * value * times_sigmoid_derivative(1, gate)


def _swiglu_of_large(gate, value):
    return silu(gate, 1) * value


def _geglu_near(gate, value):
    t = minimum(abs(gate), 55)
    return maximum(gate, 0) * value - exp_times(t * scaled_normal_tail(t) * value, -(t * t) / 2)


def _geglu_of_large(gate, value):
    return gelu(gate) * value


def _geglu_tanh_near(gate, value):
    t = minimum(abs(gate), 55)
    v = t * (GELU_LINEAR + GELU_CUBIC * (t * t))
    return maximum(gate, 0) * value - times_sigmoid(t * value, -v)


def _geglu_tanh_of_large(gate, value):
    return gelu_tanh(gate) * value


@activation(
    source="N. Shazeer (2020), GLU variants improve transformer",
    operands=2,
    wide=True,
    plain="gate / (1 + np.exp(-gate)) * value",
)
def swiglu(gate, value):
    """gate / (1 + exp(-gate)) * value

    A value gated by the SiLU of another: the feed-forward layer of most language models.
    """
    # One product is not rounded before the other. It might overflow for a larger value.
    return where(abs(value) < 1e300, times_sigmoid(gate * value, gate), _swiglu_of_large(gate, value))


@swiglu.derivative(plain="grad * value * (s := 1 / (1 + np.exp(-gate))) * (1 + gate * (1 - s)), grad * gate * s")
def swiglu_backward(grad, gate, value):
    """sigmoid(gate) * (1 + gate * sigmoid(-gate)) * value, gate * sigmoid(gate)"""
    return silu_backward(grad, gate, 1) * value, grad * silu(gate, 1)


@activation(
    source="N. Shazeer (2020), GLU variants improve transformer",
    operands=2,
    wide=True,
    option=("approximate", "none"),
    plain="0.5 * gate * (1 + np.tanh(0.7978845608 * (gate + 0.044715 * gate * gate * gate))) * value",
)
def geglu(gate, value):
    """gate * erfc(-gate / sqrt(2)) / 2 * value

    A value gated by the GELU of another.
    """
    return where(abs(value) < 1e300, _geglu_near(gate, value), _geglu_of_large(gate, value))


@geglu.derivative
def geglu_backward(grad, gate, value):
    """(erfc(-gate / sqrt(2)) / 2 + gate * exp(-(gate**2) / 2) / sqrt(2 * pi)) * value, gate * erfc(-gate / sqrt(2)) / 2"""
    return gelu_backward(grad, gate) * value, grad * gelu(gate)


@geglu.alternative("tanh")
def geglu_tanh(gate, value):
    """gate / (1 + exp(-2 * sqrt(2 / pi) * (gate + 0.044715 * gate**3))) * value

    The same by a cubic and a tanh.
    """
    return where(abs(value) < 1e300, _geglu_tanh_near(gate, value), _geglu_tanh_of_large(gate, value))


@geglu_tanh.derivative
def geglu_tanh_backward(grad, gate, value):
    """(s + 2 * gate * s * (1 - s) * sqrt(2 / pi) * (1 + 0.134145 * gate**2)) * value, gate * s
    with s = sigmoid(2 * sqrt(2 / pi) * (gate + 0.044715 * gate**3))
    """
    return gelu_tanh_backward(grad, gate) * value, grad * gelu_tanh(gate)


@activation(source="N. Shazeer (2020), GLU variants improve transformer", operands=2, plain="np.maximum(gate, 0) * value")
def reglu(gate, value):
    """max(gate, 0) * value

    A value gated by the ReLU of another.
    """
    return unless_nan(gate, where(gate > 0, gate * value, 0))


@reglu.derivative(plain="grad * value * (gate > 0), grad * np.maximum(gate, 0)")
def reglu_backward(grad, gate, value):
    """(value if gate > 0 else 0), max(gate, 0)"""
    return unless_nan(gate, where(gate > 0, grad * value, 0)), unless_nan(gate, where(gate > 0, grad * gate, 0))


def _share(t, loss):
    """t times the loss; 0 where t is 0, even of an infinite loss."""
    return where(abs(t) > 0, t * loss, t)


def _against(logits, target, pos_weight):
    """The weight of the label that the logit speaks against."""
    return where(logits < 0, _share(target, pos_weight), 1 - target)


def _both_labels(target, pos_weight):
    """The sum of the weights of both labels."""
    return _share(target, pos_weight) + (1 - target)


@activation(
    source="D. R. Cox (1958), The regression analysis of binary sequences", operands=2, wide=True, public=False
)  # fused.py makes binary_cross_entropy_with_logits of it
def binary_cross_entropy(logits, target, pos_weight=1.0):
    """pos_weight * target * log(1 + exp(-logits)) + (1 - target) * log(1 + exp(logits))

    The surprise at a label of 0 or 1, or between, whose probability is the sigmoid of the logit.
    """
    distance = abs(logits)
    against = _share(_against(logits, target, pos_weight), distance)
    return against + times_softplus(_both_labels(target, pos_weight), -distance)


@binary_cross_entropy.derivative(of=["logits"])
def binary_cross_entropy_backward(grad, logits, target, pos_weight):
    """(1 - target) * sigmoid(logits) - pos_weight * target * sigmoid(-logits)"""
    slope = _against(logits, target, pos_weight) - times_sigmoid(_both_labels(target, pos_weight), -abs(logits))
    return grad * where(logits < 0, 0 - slope, slope)  # a zero is 0 for both
