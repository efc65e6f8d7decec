"""The public functions along an axis: one row for each, with what it takes, what computes it, and what is said of it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

NOTHING = MappingProxyType({})
AXIS = {"axis": -1}
MASK = {"mask": None, "causal": False}
SCALED = {"scale": 1.0, **MASK}


class Row(NamedTuple):
    """How one function and its backward pass are called.

    Attributes
    ----------
    definition, slope : str
        The textbook definition and the gradient, of a whole row; "" where there is no backward pass.
    summary, source : str
        For the docstring.
    example, backward_example : tuple of str
        The statements of an example; what they print is recorded in example_outputs.py.
    evaluator : str
        The name of the plain evaluator in numpy_backend/evaluators.py.
    parameters, by_name : dict
        What follows the operands, and what goes by its name alone, with the defaults.
    fixed : dict
        Options of the masked evaluator that this function sets.
    reduces : bool
        One result for each row, and no backward pass from the output.
    ordered : bool
        The first of equal entries counts more than the others.
    plain, plain_backward, plain_backward_from_output : str or None
        The line of NumPy that people write for it, of x, `grad`, `y` and `axis`, as in declare.py.
    """

    definition: str
    slope: str
    summary: str
    source: str
    example: tuple
    evaluator: str
    backward_example: tuple = ()
    parameters: Mapping = AXIS
    by_name: Mapping = NOTHING
    fixed: Mapping = NOTHING
    reduces: bool = False
    ordered: bool = False
    plain: str | None = None
    plain_backward: str | None = None
    plain_backward_from_output: str | None = None


ROWS = {
    "softmax": Row(
        "exp(x) / sum(exp(x))",
        "y * (grad - sum(grad * y))",
        "Turns each row of scores (logits) into probabilities. Each row's own maximum is subtracted first, so that nothing\n"
        "    overflows and the largest entry never underflows.",
        "J. S. Bridle (1990), Probabilistic interpretation of feedforward classification network outputs",
        (
            "x = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 1000.0]])",
            "fa.softmax(x)",
            "fa.softmax(x, mask=[True, True, False])",
            "fa.softmax(x, axis=0, out=x) is x  # in place",
        ),
        "softmax",
        (
            "y = fa.softmax(np.array([1.0, 2.0, 3.0]))",
            "grad = np.array([1.0, 0.0, 0.0])",
            "fa.softmax_backward(grad, y=y, out=grad)  # from the output, in place",
        ),
        by_name=SCALED,
        plain="(e := np.exp(x - x.max(axis=axis, keepdims=True))) / e.sum(axis=axis, keepdims=True)",
        plain_backward="(y := (e := np.exp(x - x.max(axis=axis, keepdims=True))) / e.sum(axis=axis, keepdims=True))"
        " * (grad - (grad * y).sum(axis=axis, keepdims=True))",
        plain_backward_from_output="y * (grad - (grad * y).sum(axis=axis, keepdims=True))",
    ),
    "log_softmax": Row(
        "x - log(sum(exp(x)))",
        "grad - exp(y) * sum(grad)",
        "The logarithm of the softmax. Where one entry dominates, its logarithm is tiny, and keeps its digits.",
        "I. Goodfellow, Y. Bengio, A. Courville (2016), Deep learning, section 6.2.2.3",
        ("fa.log_softmax(np.array([1.0, 2.0, 3.0]))", "fa.log_softmax(np.array([30.0, 0.0]))"),
        "log_softmax",
        ("grad = np.array([1.0, 0.0, 0.0])", "fa.log_softmax_backward(grad, np.array([1.0, 2.0, 3.0]), out=grad)  # in place"),
        by_name=SCALED,
        plain="(z := x - x.max(axis=axis, keepdims=True)) - np.log(np.exp(z).sum(axis=axis, keepdims=True))",
        plain_backward="grad - (e := np.exp(x - x.max(axis=axis, keepdims=True)))"
        " / e.sum(axis=axis, keepdims=True) * grad.sum(axis=axis, keepdims=True)",
        plain_backward_from_output="grad - np.exp(y) * grad.sum(axis=axis, keepdims=True)",
    ),
    "logsumexp": Row(
        "log(sum(exp(x)))",
        "grad * softmax(x)",
        "A smooth maximum, and the normalizer of log_softmax. A row of -inf alone gives -inf, one with +inf and no NaN +inf.",
        "P. Blanchard, D. J. Higham, N. J. Higham (2021), Accurately computing the log-sum-exp and softmax functions",
        ("x = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 1000.0]])", "fa.logsumexp(x)", "fa.logsumexp(x, axis=0, keepdims=True)"),
        "logsumexp",
        ("x = np.array([1.0, 2.0, 3.0])", "fa.logsumexp_backward(1.0, x, out=x)  # in place"),
        parameters={"axis": -1, "keepdims": False},
        by_name=MASK,
        reduces=True,
        plain="(m := x.max(axis=axis)) + np.log(np.exp(x - np.expand_dims(m, axis)).sum(axis=axis))",
        plain_backward="np.expand_dims(grad, axis)"
        " * (e := np.exp(x - x.max(axis=axis, keepdims=True))) / e.sum(axis=axis, keepdims=True)",
    ),
    "softmin": Row(
        "exp(-x) / sum(exp(-x))",
        "-y * (grad - sum(grad * y))",
        "The softmax of -x: the smallest entry has the largest probability.",
        "PyTorch, torch.nn.functional.softmin",
        ("fa.softmin(np.array([1.0, 2.0, 3.0]))",),
        "softmax",
        ("y = fa.softmin(np.array([1.0, 2.0, 3.0]))", "fa.softmin_backward(np.array([1.0, 0.0, 0.0]), y=y)"),
        fixed={"scale": -1.0},
        plain="(e := np.exp(x.min(axis=axis, keepdims=True) - x)) / e.sum(axis=axis, keepdims=True)",
        plain_backward="(y := (e := np.exp(x.min(axis=axis, keepdims=True) - x)) / e.sum(axis=axis, keepdims=True))"
        " * ((grad * y).sum(axis=axis, keepdims=True) - grad)",
        plain_backward_from_output="y * ((grad * y).sum(axis=axis, keepdims=True) - grad)",
    ),
    "hardmax": Row(
        "1 at the first of the largest entries, else 0",
        "",
        "The limit of softmax(x, scale=s) for large s. It has no backward pass: its derivative is 0.",
        "ONNX, operator Hardmax",
        ("fa.hardmax(np.array([[1.0, 2.0, 3.0], [3.0, 3.0, 1.0]]))",),
        "hardmax",
        ordered=True,
        plain="(x == x.max(axis=axis, keepdims=True)).astype(x.dtype)",
    ),
    "softmax_one": Row(
        "exp(x) / (exp(sink) + sum(exp(x)))",
        "y * (grad - sum(grad * y))",
        "A softmax that may sum to less than 1: the sink is one more logit that only counts in the denominator, so that an\n"
        "    attention head can attend to nothing. The largest logit is subtracted all the same, and nothing overflows.",
        "E. Miller (2023), Attention is off by one",
        ("fa.softmax_one(np.array([1.0, 2.0, 3.0]))", "fa.softmax_one(np.array([0.0, 0.0, -np.inf]))"),
        "softmax",
        ("y = fa.softmax_one(np.array([1.0, 2.0, 3.0]))", "fa.softmax_one_backward(np.array([1.0, 0.0, 0.0]), y=y)"),
        by_name={"sink": 0.0, **SCALED},
        plain="(e := np.exp(x - (m := x.max(axis=axis, keepdims=True)))) / (np.exp(-m) + e.sum(axis=axis, keepdims=True))",
        plain_backward="(y := (e := np.exp(x - (m := x.max(axis=axis, keepdims=True))))"
        " / (np.exp(-m) + e.sum(axis=axis, keepdims=True))) * (grad - (grad * y).sum(axis=axis, keepdims=True))",
        plain_backward_from_output="y * (grad - (grad * y).sum(axis=axis, keepdims=True))",
    ),
    "sparsemax": Row(
        "max(x - tau, 0) with tau such that it sums to 1",
        "grad - mean(grad over y > 0) if y > 0 else 0",
        "The nearest probabilities to the scores: the small ones are exactly 0.",
        "A. F. T. Martins, R. F. Astudillo (2016), From softmax to sparsemax",
        ("fa.sparsemax(np.array([[1.0, 2.0, 3.0], [1.0, 0.5, -3.0]]))",),
        "sparsemax",
        ("y = fa.sparsemax(np.array([1.0, 0.5, -3.0]))", "fa.sparsemax_backward(np.array([1.0, 0.0, 7.0]), y=y)"),
    ),
    "entmax15": Row(
        "max(x / 2 - tau, 0)**2 with tau such that it sums to 1",
        "s * (grad - sum(s * grad) / sum(s)) with s = sqrt(y)",
        "Between softmax and sparsemax: the small ones are exactly 0, the others bend smoothly.",
        "B. Peters, V. Niculae, A. F. T. Martins (2019), Sparse sequence-to-sequence models",
        ("fa.entmax15(np.array([[1.0, 2.0, 3.0], [2.0, 2.0, -3.0]]))",),
        "entmax15",
        ("y = fa.entmax15(np.array([1.0, 2.0, 3.0]))", "fa.entmax15_backward(np.array([0.0, 1.0, 0.0]), y=y)"),
    ),
}
