"""Tries the functions that test_own_row_function.py declares, in a process of its own: `python own_row_checks.py rows`."""

import contextlib
import doctest
import inspect
import io
import pickle
import sys

import numpy as np

import fastact as fa
from fastact import docstrings, nn, plots
from fastact.command import bench, cli

X = np.random.default_rng(0).normal(0, 2, (5, 7))
GRAD = np.random.default_rng(1).normal(0, 1, (5, 7))


def slopes(function, x):
    """The gradient of a function's sum, by central differences."""
    found = np.empty_like(x)
    for place in np.ndindex(x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][place] += 1e-5
        moved[1][place] -= 1e-5
        found[place] = (function(moved[0]).sum() - function(moved[1]).sum()) / 2e-5
    return found


def raised(kind, words, function, *given, **keywords):
    """A call fails with these words."""
    try:
        function(*given, **keywords)
    except kind as error:
        assert words in str(error), error
    else:
        raise AssertionError(f"no {kind.__name__}")


def rows():
    """share_of_squares and mean_of_squares."""
    for axis in (-1, 0, (0, 1), None):
        share = X**2 / (X**2).sum(axis=axis, keepdims=True)
        np.testing.assert_allclose(fa.share_of_squares(X, axis), share, rtol=1e-14)
        np.testing.assert_allclose(fa.mean_of_squares(X, axis=axis), (X**2).mean(axis=axis), rtol=1e-14)
        expected = slopes(lambda x, axis=axis: GRAD * fa.share_of_squares(x, axis=axis), X)
        np.testing.assert_allclose(fa.share_of_squares_backward(GRAD, X, axis=axis), expected, rtol=1e-7, atol=1e-9)
    mask, share = X > -1, fa.share_of_squares(X, mask=X > -1)
    np.testing.assert_allclose(share, np.where(mask, X**2, 0) / np.where(mask, X**2, 0).sum(-1, keepdims=True), rtol=1e-14)
    expected = slopes(lambda x: GRAD * fa.share_of_squares(x, mask=mask), X)
    np.testing.assert_allclose(fa.share_of_squares_backward(GRAD, X, mask=mask), expected, rtol=1e-7, atol=1e-9)
    assert np.array_equal(fa.share_of_squares(X, causal=True), fa.share_of_squares(X, mask=np.tri(*X.shape, dtype=bool)))
    for dtype in (np.float32, np.float64):
        x = X.astype(dtype)
        assert fa.share_of_squares(x).dtype == fa.mean_of_squares(x).dtype == fa.share_of_squares_backward(x, x).dtype == dtype
        expected = fa.share_of_squares(x, axis=0)
        assert fa.share_of_squares(x, axis=0, out=x) is x
        assert np.array_equal(x, expected)
    assert fa.share_of_squares(np.arange(1, 4, dtype=np.int8)).dtype == np.float32
    assert fa.mean_of_squares(X, keepdims=True).shape == (5, 1)
    raised(TypeError, "cannot start from y=", fa.share_of_squares_backward, GRAD, y=X)
    raised(TypeError, "did you mean axis=", fa.share_of_squares, X, dim=0)
    raised(TypeError, "takes no masked entries", fa.mean_of_squares, np.ma.array(X, mask=X > 1))
    hidden = fa.share_of_squares(np.ma.array(X, mask=~mask))
    assert np.array_equal(hidden.mask, ~mask) and np.array_equal(hidden.data[mask], share[mask])
    assert not hasattr(fa, "mean_of_squares_backward")
    np.testing.assert_allclose(fa.mean_of_squares(X, factor=3), 3 * fa.mean_of_squares(X), rtol=1e-14)
    np.testing.assert_allclose(fa.mean_of_squares(X[0, 0], factor=3), 3 * X[0, 0] ** 2, rtol=1e-14)
    assert fa.mean_of_squares(X, factor=3, dtype=np.float32).dtype == np.float32
    raised(ValueError, "needs factor > 0, got factor=-1", fa.mean_of_squares, X, factor=-1)
    raised(TypeError, "factor must be a real number", fa.mean_of_squares, X, factor="3")
    signature = "(x, /, axis=-1, keepdims=False, *, factor=1.0, out=None, **kwargs)"
    assert str(inspect.signature(fa.mean_of_squares)) == signature
    assert str(inspect.signature(fa.share_of_squares)) == "(x, /, axis=-1, *, mask=None, causal=False, out=None, **kwargs)"
    assert {"share_of_squares", "mean_of_squares"} <= {case.name for case in bench.cases()}
    variant()
    return ["share_of_squares", "share_of_squares_backward", "mean_of_squares", "half_softmin", "half_softmin_backward"]


def variant():
    """half_softmin, which the loops of softmax compute: where these are compiled, without Python."""
    mask = X > -1
    x, grad, y = X.astype(np.float32), GRAD.astype(np.float32), fa.half_softmin(X.astype(np.float32))
    np.testing.assert_allclose(fa.half_softmin(X), np.exp(-X / 2) / np.exp(-X / 2).sum(-1, keepdims=True), rtol=1e-14)
    expected = slopes(lambda x: GRAD * fa.half_softmin(x, mask=mask), X)
    np.testing.assert_allclose(fa.half_softmin_backward(GRAD, X, mask=mask), expected, rtol=1e-7, atol=1e-9)
    out = np.empty_like(x)
    calls = {
        "plain": lambda **more: fa.half_softmin(x, **more),
        "out": lambda **more: fa.half_softmin(x, out=out, **more),
        "mask": lambda **more: fa.half_softmin(x, mask=mask, **more),
        "causal": lambda **more: fa.half_softmin(x, causal=True, **more),
        "backward": lambda **more: fa.half_softmin_backward(grad, x, mask=mask, **more),
        "from the output": lambda **more: fa.half_softmin_backward(grad, y=y, **more),
    }
    for name, call in calls.items():
        assert np.array_equal(call(), call(subok=True)), name
        functions = []
        sys.setprofile(lambda frame, event, _, found=functions: event == "call" and found.append(frame.f_code.co_name))
        call()
        sys.setprofile(None)
        assert functions[1:] == [] or fa.backend == "numpy", (name, functions)
    raised(TypeError, "unexpected keyword argument 'scale'", fa.half_softmin, X, scale=2.0)


def losses():
    """brier and its gradient."""
    target, labels = np.array([1, 2, -100, 0, 6]), np.eye(7)[[1, 2, 0, 0, 6]]
    y = fa.softmax(X)
    each = 3 * ((y - labels) ** 2).sum(-1)
    each[2] = 0
    np.testing.assert_allclose(fa.brier(X, target, factor=3, reduction="none"), each, rtol=1e-14)
    np.testing.assert_allclose(fa.brier(X, target, factor=3), each.sum() / 4, rtol=1e-14)
    np.testing.assert_allclose(fa.brier(X, y[::-1].copy(), reduction="sum"), ((y - y[::-1]) ** 2).sum(), rtol=1e-14)
    for of in (target, y[::-1].copy()):
        expected = slopes(lambda x, of=of: fa.brier(x, of), X)
        np.testing.assert_allclose(fa.brier_backward(1.0, X, of), expected, rtol=1e-7, atol=1e-9)
        loss, grad = fa.brier_and_grad(X, of)
        assert loss == fa.brier(X, of) and np.array_equal(grad, fa.brier_backward(1.0, X, of))
    np.testing.assert_allclose(fa.brier(X.T.copy(), target, axis=0), fa.brier(X, target), rtol=1e-14)
    single = X.astype(np.float32)
    loss, grad = fa.brier_and_grad(single, target, out=single)
    assert loss.dtype == grad.dtype == np.float32 and grad is single
    raised(ValueError, "needs factor > 0, got factor=0", fa.brier, X, target, factor=0)
    raised(IndexError, "target indices", fa.brier, X, target + 1)
    signature = "(logits, target, /, axis=-1, ignore_index=-100, factor=1.0, reduction='mean', *, out=None)"
    assert str(inspect.signature(fa.brier)) == signature
    assert "factor : float, default 1.0\n    Multiplies the loss, positive." in inspect.getdoc(fa.brier)
    return ["brier", "brier_backward", "brier_and_grad"]


def fused():
    """quartic_error and its gradient."""
    loss, grad = fa.quartic_error_and_grad(X, GRAD, factor=2.0)
    np.testing.assert_allclose(loss, 2 * ((X - GRAD) ** 4).mean(), rtol=1e-14)
    expected = slopes(lambda x: fa.quartic_error_and_grad(x, GRAD, factor=2.0)[0], X)
    np.testing.assert_allclose(grad, expected, rtol=1e-6, atol=1e-8)
    each = fa.quartic_error_and_grad(X, GRAD, reduction="none")[0]
    np.testing.assert_allclose(each, (X - GRAD) ** 4, rtol=1e-14)
    single = X.astype(np.float32)
    loss, grad = fa.quartic_error_and_grad(single, GRAD, out=single)
    assert loss.dtype == grad.dtype == np.float32 and grad is single
    raised(ValueError, "a target of the shape of outputs", fa.quartic_error_and_grad, X, X[0])
    assert str(inspect.signature(fa.quartic_error_and_grad)) == "(outputs, target, /, factor=1.0, reduction='mean', *, out=None)"
    return ["quartic_error_and_grad"]


def like_the_others(name):
    """What every public function has."""
    function = getattr(fa, name)
    assert name in fa.__all__
    assert function.__name__ == name and function.__module__ == "fastact"
    assert pickle.loads(pickle.dumps(function)) is function
    text = inspect.getdoc(function)
    for section in ("Parameters", "Returns", "Raises", "References", "Examples"):
        assert f"\n{section}\n{'-' * len(section)}\n" in text, section
    test = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    assert test.examples and not doctest.DocTestRunner().run(test).failed


def main(page):
    """Try the functions of one page, and that the rest is as it was."""
    names = {"rows": rows, "losses": losses, "fused": fused}[page]()
    for name in names:
        like_the_others(name)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        cli.main(["info", "--functions"])
    listed = {one.name for one in docstrings.listing()}
    for name in names:
        assert name.endswith("_backward") or (name in listed and f"\n{name}(" in printed.getvalue()), name
    assert nn.Dense and plots.functions and fa.softmax(X).shape == X.shape
    print(f"all right: {page}, {fa.backend}")


if __name__ == "__main__":
    main(*sys.argv[1:])
