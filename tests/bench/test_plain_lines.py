"""The plain lines of NumPy that the benchmark compares with: they compute the same functions, apart from their known errors."""

import numpy as np
import pytest

import fastact
from fastact.command import bench
from fastact.command.bench import faults
from fastact.declare import ACTIVATIONS, ROWS

from passes import each_dtype

CASES = [case for case in bench.cases(columns=(10,)) if case.plain]
BY_TITLE = {case.title: case for case in CASES}
# The plain line of gelu is its tanh form, which differs from gelu by up to so much.
TANH_FORM = 1e-3


@each_dtype
@pytest.mark.parametrize("title", BY_TITLE)
def test_is_the_same_function(title, dtype):
    """A line gives the same results on usual numbers, in the dtype of the data: it is not slow because it computes in float64."""
    case = BY_TITLE[title]
    operands = bench.Memory(4000, dtype).operands(case, 4000)
    with np.errstate(all="raise"):
        results = case.plain_call(operands)(), case.call(fastact.simd, operands, out=False)()
    for plain, ours in zip(*(result if isinstance(result, tuple) else (result,) for result in results), strict=True):
        assert plain.dtype == ours.dtype == dtype
        assert plain.shape == ours.shape
        rounding = max(1000 * np.finfo(dtype).eps, 1e-9)  # gelu's lines have constants of ten digits
        absolute = TANH_FORM if case.declared in ("gelu", "geglu") else rounding
        np.testing.assert_allclose(plain, ours, rtol=rounding, atol=absolute * max(1, np.abs(ours).max()))


def test_who_has_a_line():
    """All forward passes but three have a plain line. The best-known functions have one for every pass."""
    forward = {case.declared for case in CASES if case.step == "forward"}
    public = {name for name, activation in ACTIVATIONS.items() if activation.public}
    assert (public | set(ROWS)) - forward == {"serf", "sparsemax", "entmax15"}
    for name in ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "softmax"):
        assert [case.step for case in CASES if case.forward == name and case.name in (name, f"{name}[10]")] == list(bench.STEPS)


def test_gelu_has_the_tanh_form():
    """gelu and its tanh form have the same plain line, because NumPy has no erf."""
    assert ACTIVATIONS["gelu"].plain == ACTIVATIONS["gelu_tanh"].plain
    assert "np.tanh" in ACTIVATIONS["gelu"].plain


@pytest.fixture(scope="module")
def found():
    """The errors and warnings of all plain lines, in a coarse sample."""
    return bench.wrong(bench.cases(), faults.sample(every=49_999))


def test_known_faults(found):
    """Known faults of plain lines are found, and none in the lines that are right."""
    assert found.keys() == {case.declared for case in CASES if case.step == "forward"}
    assert found["sigmoid"]["ulp"] > 1e6
    assert found["sigmoid"]["x"] < -87
    assert found["sigmoid"]["warnings"] == ["overflow"]
    assert found["softplus"]["ulp"] is None
    assert found["log_softmax"]["ulp"] > 1e6
    assert found["log_softmax"]["x"] is None
    assert found["logit"]["warnings"] == ["divide by zero"]
    for name in ("relu", "hard_tanh", "reglu"):
        assert found[name]["ulp"] == 0
        assert found[name]["warnings"] == []


def test_our_functions(found):
    """fastact's own functions keep their promise in the same sample."""
    for name, facts in found.items():
        assert facts["ours"] <= (4 if name in ROWS else 2), name


def test_units_of_the_last_place():
    """Errors are right for subnormal, normal and infinite numbers, and for NaN."""
    got = np.array([1, 1 + 2**-22, 2**-149, 3e38, np.inf, np.inf, np.nan, np.nan], np.float32)
    exact = np.array([1, 1, 2**-148, 4e38, 4e38, 1, np.nan, 1])
    assert faults.ulps(got, exact).tolist() == [0, 2, 1, np.inf, 0, np.inf, 0, np.inf]
