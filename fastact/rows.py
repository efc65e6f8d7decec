"""Every function along an axis: declaration, docstring and NumPy formula together. losses.py has the losses of rows.

A formula works on `numpy_backend.rows.Rows`, since a row may be longer than the cache. x(part) gives the entries of one part of
the axis. x.with_entries(lambda part: ...) makes as many rows with other entries. x.sum() and x.largest() go over whole rows.

From each declaration the package makes the public functions, their docstrings and signatures, the type stub, the reference
pages, the benchmark rows and the tables of the tests. The compiled core has loops of its own for the functions of this page. The
NumPy formula serves where it has none.

The first line of a docstring is the textbook definition, the other lines are the summary. The docstring of a backward formula
is the gradient. `plain` is the line of NumPy that people write: the benchmark compares with it. declare_rows.py says what else a
declaration can have.
"""

import math

import numpy as np

from .declare_rows import along_axis, draw
from .numpy_backend.logits import Logits

MASK = {"mask": None, "causal": False}
SCALED = {"scale": 1.0, **MASK}
# These facts hold for all functions that give probabilities or their logarithms.
PROBABILITIES = {
    "absent": -math.inf,
    "edges": "A row with a NaN or +inf, or of -inf alone,\n        is NaN; an empty axis gives an empty array.",
}


@along_axis(
    **PROBABILITIES,
    source="J. S. Bridle (1990), Probabilistic interpretation of feedforward classification network outputs",
    options=SCALED,
    bound=", each entry within 4 ULP of the exact value",
    example=(
        "x = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 1000.0]])",
        "fa.softmax(x)",
        "fa.softmax(x, mask=[True, True, False])",
        "fa.softmax(x, axis=0, out=x) is x  # in place",
    ),
    plain="(e := np.exp(x - x.max(axis=axis, keepdims=True))) / e.sum(axis=axis, keepdims=True)",
)
def softmax(x, masking=()):
    """exp(x) / sum(exp(x))

    Turns each row of scores (logits) into probabilities. Each row's own maximum is subtracted first, so that nothing
    overflows and the largest entry never underflows.
    """
    return Logits(x, *masking).softmax()


@softmax.derivative_from_output(
    example=(
        "y = fa.softmax(np.array([1.0, 2.0, 3.0]))",
        "grad = np.array([1.0, 0.0, 0.0])",
        "fa.softmax_backward(grad, y=y, out=grad)  # from the output, in place",
    ),
    plain="y * (grad - (grad * y).sum(axis=axis, keepdims=True))",
    plain_from_input="(y := (e := np.exp(x - x.max(axis=axis, keepdims=True))) / e.sum(axis=axis, keepdims=True))"
    " * (grad - (grad * y).sum(axis=axis, keepdims=True))",
)
def softmax_backward(grad, y, masking=()):
    """y * (grad - sum(grad * y))"""
    grad, y, scaled = _counted(grad, y, 0, masking)
    dot = grad.with_entries(lambda part: np.multiply(grad(part), y(part), dtype=np.float64)).sum()
    return scaled(lambda part: y(part) * np.subtract(grad(part), dot, dtype=np.float64))


def _counted(grad, y, nothing, masking):
    """The gradient and the output, 0 and `nothing` at masked entries; and a function that scales the result."""
    if not masking:
        return grad, y, grad.with_entries
    scale, _, kept = masking
    counted = grad.with_entries(lambda part: np.where(kept(part), grad(part), 0))
    outputs = y.with_entries(lambda part: np.where(kept(part), y(part), nothing))
    return counted, outputs, lambda entries: grad.with_entries(lambda part: scale * entries(part))


@along_axis(
    **PROBABILITIES,
    source="I. Goodfellow, Y. Bengio, A. Courville (2016), Deep learning, section 6.2.2.3",
    options=SCALED,
    hidden=-math.inf,
    bound=", a dominant entry within 2 ULP (4 in float64)",
    example=("fa.log_softmax(np.array([1.0, 2.0, 3.0]))", "fa.log_softmax(np.array([30.0, 0.0]))"),
    plain="(z := x - x.max(axis=axis, keepdims=True)) - np.log(np.exp(z).sum(axis=axis, keepdims=True))",
)
def log_softmax(x, masking=()):
    """x - log(sum(exp(x)))

    The logarithm of the softmax. Where one entry dominates, its logarithm is tiny, and keeps its digits.
    """
    return Logits(x, *masking).log_softmax()


@log_softmax.derivative_from_output(
    example=(
        "grad = np.array([1.0, 0.0, 0.0])",
        "fa.log_softmax_backward(grad, np.array([1.0, 2.0, 3.0]), out=grad)  # in place",
    ),
    plain="grad - np.exp(y) * grad.sum(axis=axis, keepdims=True)",
    plain_from_input="grad - (e := np.exp(x - x.max(axis=axis, keepdims=True)))"
    " / e.sum(axis=axis, keepdims=True) * grad.sum(axis=axis, keepdims=True)",
)
def log_softmax_backward(grad, y, masking=()):
    """grad - exp(y) * sum(grad)"""
    grad, y, scaled = _counted(grad, y, -np.inf, masking)
    total = grad.with_entries(lambda part: grad(part).astype(np.float64, copy=False)).sum()

    def entries(part):
        g, log = grad(part), y(part).astype(np.float64)  # a copy: strides would change NumPy's last bits
        # Where an entry dominates, 1 - p keeps its digits.
        return np.where(log > -0.5, (g - total) - np.expm1(log) * total, g - np.exp(log) * total)

    return scaled(entries)


@along_axis(
    source="P. Blanchard, D. J. Higham, N. J. Higham (2021), Accurately computing the log-sum-exp and softmax functions",
    options=MASK,
    absent=-math.inf,
    reduces=True,
    composes=True,
    edges="A row with a NaN is NaN; one that is empty, or masked as a whole, -inf.",
    example=("x = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 1000.0]])", "fa.logsumexp(x)", "fa.logsumexp(x, axis=0, keepdims=True)"),
    plain="(m := x.max(axis=axis)) + np.log(np.exp(x - np.expand_dims(m, axis)).sum(axis=axis))",
)
def logsumexp(x, masking=()):
    """log(sum(exp(x)))

    A smooth maximum, and the normalizer of log_softmax. A row of -inf alone gives -inf, one with +inf and no NaN +inf.
    """
    logits = Logits(x, *masking)
    total = logits.largest + (logits.largest_low + np.log1p(logits.sum_of_others))
    return np.where(np.isinf(logits.base), logits.base, total)


@logsumexp.derivative(
    example=("x = np.array([1.0, 2.0, 3.0])", "fa.logsumexp_backward(1.0, x, out=x)  # in place"),
    plain="np.expand_dims(grad, axis) * (e := np.exp(x - x.max(axis=axis, keepdims=True))) / e.sum(axis=axis, keepdims=True)",
)
def logsumexp_backward(grad, x, masking=()):
    """grad * softmax(x)"""
    y, weight = softmax(x, masking), grad * masking.scale if masking else grad
    return x.with_entries(lambda part: weight * y(part))


@along_axis(
    variant_of=softmax,
    fixed={"scale": -1.0},
    absent=math.inf,
    edges=PROBABILITIES["edges"],
    source="PyTorch, torch.nn.functional.softmin",
    example=("fa.softmin(np.array([1.0, 2.0, 3.0]))",),
    plain="(e := np.exp(x.min(axis=axis, keepdims=True) - x)) / e.sum(axis=axis, keepdims=True)",
)
def softmin(x):
    """exp(-x) / sum(exp(-x))

    The softmax of -x: the smallest entry has the largest probability.
    """


@softmin.derivative_from_output(
    example=("y = fa.softmin(np.array([1.0, 2.0, 3.0]))", "fa.softmin_backward(np.array([1.0, 0.0, 0.0]), y=y)"),
    plain="y * ((grad * y).sum(axis=axis, keepdims=True) - grad)",
    plain_from_input="(y := (e := np.exp(x.min(axis=axis, keepdims=True) - x)) / e.sum(axis=axis, keepdims=True))"
    " * ((grad * y).sum(axis=axis, keepdims=True) - grad)",
)
def softmin_backward(grad, y):
    """-y * (grad - sum(grad * y))"""


@along_axis(
    **PROBABILITIES,
    source="ONNX, operator Hardmax",
    ordered=True,
    example=("fa.hardmax(np.array([[1.0, 2.0, 3.0], [3.0, 3.0, 1.0]]))",),
    plain="(x == x.max(axis=axis, keepdims=True)).astype(x.dtype)",
)
def hardmax(x):
    """1 at the first of the largest entries, else 0

    The limit of softmax(x, scale=s) for large s. It has no backward pass: its derivative is 0.
    """
    top = x.largest()
    first, nothing = x.position(top), np.where(np.isfinite(top), 0.0, np.nan)
    return x.with_entries(lambda part: np.where(np.arange(part.start, part.stop) == first, nothing + 1, nothing))


@along_axis(
    **PROBABILITIES,
    variant_of=softmax,
    options={"sink": 0.0, **SCALED},
    sink_slope="-(1 - sum(y)) * sum(grad * y)",
    source="E. Miller (2023), Attention is off by one",
    example=("fa.softmax_one(np.array([1.0, 2.0, 3.0]))", "fa.softmax_one(np.array([0.0, 0.0, -np.inf]))"),
    plain="(e := np.exp(x - (m := x.max(axis=axis, keepdims=True)))) / (np.exp(-m) + e.sum(axis=axis, keepdims=True))",
)
def softmax_one(x):
    """exp(x) / (exp(sink) + sum(exp(x)))

    A softmax that may sum to less than 1: the sink is one more logit that only counts in the denominator, so that an
    attention head can attend to nothing. The largest logit is subtracted all the same, and nothing overflows.
    """


@softmax_one.derivative_from_output(
    example=(
        "y = fa.softmax_one(np.array([1.0, 2.0, 3.0]))",
        "fa.softmax_one_backward(np.array([1.0, 0.0, 0.0]), y=y)",
        "scores, sink = np.zeros((2, 3, 4, 4)), np.array([[0.0], [1.0], [5.0]])  # three heads, a learnt sink for each",
        "_, d_sink = fa.softmax_one_backward(np.ones((2, 3, 4, 4)), scores, sink=sink, causal=True, sink_grad=True)",
        "d_sink.round(4)",
    ),
    plain="y * (grad - (grad * y).sum(axis=axis, keepdims=True))",
    plain_from_input="(y := (e := np.exp(x - (m := x.max(axis=axis, keepdims=True))))"
    " / (np.exp(-m) + e.sum(axis=axis, keepdims=True))) * (grad - (grad * y).sum(axis=axis, keepdims=True))",
)
def softmax_one_backward(grad, y):
    """y * (grad - sum(grad * y))"""


# sparsemax and entmax15 find the threshold tau by Newton's method, from below and without sorting. The function is convex, so
# that tau rises to the root and never passes it. A row that has arrived stays, while its neighbours go on.


@along_axis(
    **PROBABILITIES,
    source="A. F. T. Martins, R. F. Astudillo (2016), From softmax to sparsemax",
    example=("fa.sparsemax(np.array([[1.0, 2.0, 3.0], [1.0, 0.5, -3.0]]))",),
)
def sparsemax(x):
    """max(x - tau, 0) with tau such that it sums to 1

    The nearest probabilities to the scores: the small ones are exactly 0.
    """
    top = x.largest()
    z = x.with_entries(lambda part: x(part) - top)
    tau, count = np.full(x.each, -1.0), np.full(x.each, np.inf)
    while True:
        above = _larger(z, tau)
        # The minimum keeps the counts from rising: so the loop ends, even if another thread writes x.
        before, count = count, np.minimum(count, sum(above(part).sum(axis=-1, keepdims=True) for part in z.parts))
        if (before == count).all():
            break
        tau = np.where(count > 0, (_chosen(z, above).sum() - 1) / np.maximum(count, 1), tau)
    return _where_finite(top, _excess(z, tau))


@sparsemax.derivative_from_output(
    example=("y = fa.sparsemax(np.array([1.0, 0.5, -3.0]))", "fa.sparsemax_backward(np.array([1.0, 0.0, 7.0]), y=y)")
)
def sparsemax_backward(grad, y):
    """grad - mean(grad over y > 0) if y > 0 else 0"""
    return _spread(grad, y, y.with_entries(lambda part: (y(part) > 0).astype(np.float64)))


@along_axis(
    **PROBABILITIES,
    source="B. Peters, V. Niculae, A. F. T. Martins (2019), Sparse sequence-to-sequence models",
    example=("fa.entmax15(np.array([[1.0, 2.0, 3.0], [2.0, 2.0, -3.0]]))",),
)
def entmax15(x):
    """max(x / 2 - tau, 0)**2 with tau such that it sums to 1

    Between softmax and sparsemax: the small ones are exactly 0, the others bend smoothly.
    """
    top = x.largest()
    z = x.with_entries(lambda part: 0.5 * (x(part) - top))
    tau = np.full(x.each, -1.0)
    while True:
        above = _excess(z, tau)
        step = (_squares(above).sum() - 1) / (2 * above.sum())
        new = np.maximum(tau, tau + step)
        if not (new > tau).any():
            break
        tau = new
    return _where_finite(top, _squares(_excess(z, tau)))


@entmax15.derivative_from_output(
    example=("y = fa.entmax15(np.array([1.0, 2.0, 3.0]))", "fa.entmax15_backward(np.array([0.0, 1.0, 0.0]), y=y)")
)
def entmax15_backward(grad, y):
    """s * (grad - sum(s * grad) / sum(s)) with s = sqrt(y)"""
    return _spread(grad, y, y.with_entries(lambda part: np.sqrt(y(part), dtype=np.float64)))


def _larger(z, tau):
    """Which entries are above a threshold."""
    return z.with_entries(lambda part: z(part) > tau)


def _chosen(z, above):
    """The entries for which `above` is true, else 0."""
    return z.with_entries(lambda part: np.where(above(part), z(part), 0))


def _excess(z, tau):
    """By how much entries exceed a threshold, else 0."""
    return z.with_entries(lambda part: np.maximum(z(part) - tau, 0))


def _squares(z):
    """The squares of the entries."""
    return z.with_entries(lambda part: np.square(z(part)))


def _where_finite(top, y):
    """The entries of rows whose largest logit is finite, else NaN."""
    return y.with_entries(lambda part: np.where(np.isfinite(top), y(part), np.nan))


def _spread(grad, y, weight):
    """The gradient less its weighted mean, times the weight. Where the weight is 0, even an infinite gradient gives 0."""
    weighted = grad.with_entries(lambda part: np.where(weight(part) > 0, grad(part), 0) * weight(part))
    mean = weighted.sum() / weight.sum()

    def entries(part):
        live = weight(part) > 0
        return np.where(live, weight(part) * (grad(part) - mean), np.where(np.isnan(y(part)), np.nan, 0))

    return grad.with_entries(entries)


@draw(
    "y * (grad - sum(grad * y)) / tau",
    source="E. Jang, S. Gu, B. Poole (2017), Categorical reparameterization with Gumbel-softmax",
    soft=softmax,
    hard=hardmax,
    example=(
        "x = np.tile(np.log([0.1, 0.3, 0.6]), (10000, 1))",
        "fa.gumbel_softmax(x, hard=True, rng=0).mean(axis=0).round(1)",
        "fa.gumbel_softmax(x, tau=0.5, rng=0, out=x) is x  # in place",
    ),
    backward_example=("y = np.array([0.25, 0.75])", "fa.gumbel_softmax_backward(np.array([1.0, 0.0]), y=y, tau=0.5)"),
)
def gumbel_softmax(x):
    """softmax((x - log(e)) / tau) with exponential noise e

    A random draw from the softmax of x, made smooth so that a gradient can pass: the smaller tau, the nearer to one-hot.
    """
