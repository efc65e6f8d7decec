"""The caller's floating-point state changes no bit of a result, and a call leaves it as it was.

The state is the rounding mode, and whether subnormals are flushed to 0.
"""

import functools
import itertools

import numpy as np
import pytest

from fastact.backends import load
from fastact.declare import ACTIVATIONS, REQUIRED, ROWS

from arrays import assert_same_bits
from fenv import BITS, CONTROL, STATES, control, environment, state
from passes import each_compiled, each_dtype

pytestmark = pytest.mark.skipif(not CONTROL, reason="the layout of fenv_t is not known here")


def numbers(shape, dtype, seed=0):
    """Ordinary numbers, large ones, whose results lie in the tails, and subnormal ones."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 3, shape)
    wide, tiny = rng.random(shape) < 0.2, rng.random(shape) < 0.1
    values[wide] *= 30
    values = values.astype(dtype)
    values[tiny] = rng.choice(np.array([1, 7, 1000], dtype), int(tiny.sum())) * np.finfo(dtype).smallest_subnormal
    return values


def elementwise(dtype):
    """Calls of every activation and backward pass, from the output too: short, long and strided, with usual parameters."""
    for activation, length in itertools.product(ACTIVATIONS.values(), (17, 3000)):
        if not activation.public:
            continue
        usual = {name: activation.usual[name] for name, default in activation.parameters.items() if default is REQUIRED}
        # NumPy would round a Python number in the caller's mode, so the parameters are arrays.
        usual = {name: np.array(value, dtype) for name, value in usual.items()}
        operands = [numbers((2, length), dtype, k) for k in range(len(activation.operands))]
        grad = numbers((2, length), dtype, 9)
        if activation.halves:
            operands, grad = [numbers((2, 2 * length), dtype)], numbers((2, length), dtype, 9)
        for option in activation.alternatives or [None]:
            given = {**usual, **({activation.option: option} if option else {})}
            yield activation.name, operands, given
            yield activation.name, [array[:, ::2] if not activation.halves else array for array in operands], given
            if not activation.halves:
                yield activation.name, operands, {**given, "out": np.empty_like(operands[0])}
            yield activation.name + "_backward", (grad, *operands), given
        if activation.backward_from_output is not None:
            y = load("numpy").__dict__[activation.name](*operands, **usual).astype(dtype)
            yield activation.name + "_backward", (grad,), {**usual, "y": y}


def along_axes(dtype):
    """Calls of every function along an axis, backward from the output too, plain, scaled and masked.

    The shapes are such that every algorithm for rows is used.
    """
    shapes = (((40, 10), -1), ((9, 200), -1), ((3, 3000), -1), ((300, 40), 0), ((20, 70), 0))
    for (name, row), (shape, axis) in itertools.product(ROWS.items(), shapes):
        x, grad = numbers(shape, dtype), numbers(shape, dtype, 1)
        first = grad.take(0, axis) if row.reduces else grad
        settings = [{"axis": axis}]
        if "mask" in row.by_name:
            settings.append({"axis": axis, "mask": np.random.default_rng(2).random(shape) < 0.8})
        if "scale" in row.by_name:
            settings.append({"axis": axis, "scale": 0.125})
        if "sink" in row.by_name:
            settings.append({"axis": axis, "sink": np.linspace(-2, 2, x.size // shape[axis])})
        for options in settings:
            yield name, (x,), options
            if row.slope:
                yield name + "_backward", (first, x), options
            if row.slope and not row.reduces:
                y = load("numpy").__dict__[name](x, **options).astype(dtype)
                yield name + "_backward", (grad,), {**{key: value for key, value in options.items() if key != "sink"}, "y": y}
    y = load("numpy").softmax(numbers((9, 20), dtype, 1))
    yield "gumbel_softmax_backward", (numbers((9, 20), dtype),), {"y": y, "tau": 0.5}


def losses(dtype):
    """Calls of every loss, with every reduction, for indices and for distributions."""
    shapes = ((40, 10), -1), ((9, 200), -1), ((3, 3000), -1), ((300, 40), 0)
    for (shape, axis), reduction in itertools.product(shapes, ("mean", "sum", "none")):
        logits, rng = numbers(shape, dtype), np.random.default_rng(3)
        batch = tuple(np.delete(shape, axis))
        index, distribution = rng.integers(0, shape[axis], batch), load("numpy").softmax(numbers(shape, dtype, 4), axis=axis)
        grad = numbers(batch, dtype, 5) if reduction == "none" else 0.75
        for target in (index, distribution):
            options = {"axis": axis, "reduction": reduction}
            yield "cross_entropy", (logits, target), options
            yield "cross_entropy", (logits, target), {**options, "label_smoothing": 0.125}
            yield "cross_entropy_backward", (grad, logits, target), options
            yield "cross_entropy_and_grad", (logits, target), options
        yield "cross_entropy", (logits, index), {"axis": axis}
        yield "cross_entropy_and_grad", (logits, index), {"axis": axis}
        labels, grad = (logits > 1).astype(dtype), numbers(shape, dtype, 5) if reduction == "none" else 0.75
        options = {"reduction": reduction, "pos_weight": np.array(2, dtype)}
        yield "binary_cross_entropy_with_logits", (logits, labels), options
        yield "binary_cross_entropy_with_logits_and_grad", (logits, labels), options
        yield "binary_cross_entropy_with_logits_and_grad", (logits, labels), {}
        yield "squared_error_and_grad", (logits, numbers(shape, dtype, 6)), {"reduction": reduction}
        yield "squared_error_and_grad", (logits, numbers(shape, dtype, 6)), {}
        yield "binary_cross_entropy_with_logits_backward", (grad, logits, labels), options


@functools.cache
def listed(cases, dtype):
    """The calls that elementwise, along_axes or losses makes, as a list."""
    return list(cases(dtype))


@functools.cache
def results(implementation, cases, dtype):
    """The results of these calls in the default state."""
    with np.errstate(all="ignore"):
        return [called(load(implementation), *call) for call in listed(cases, dtype)]


def called(functions, name, args, options):
    """A copy of the result, or of each. It is a copy because other calls use the same out=."""
    result = getattr(functions, name)(*args, **options)
    return tuple(map(np.copy, result)) if isinstance(result, tuple) else np.copy(result)


@each_compiled
@each_dtype
@pytest.mark.parametrize("bits", BITS, ids=STATES)
@pytest.mark.parametrize("cases", [elementwise, along_axes, losses], ids=lambda cases: cases.__name__)
def test_the_state_of_the_caller_changes_no_bit(implementation, dtype, bits, cases):
    """Every public function gives the bits of the default state, and leaves the caller's state as it was.

    gumbel_softmax is left out, because NumPy makes its noise.
    """
    functions, wrong = load(implementation), {}
    for (name, args, options), expected in zip(listed(cases, dtype), results(implementation, cases, dtype), strict=True):
        with np.errstate(all="ignore"), state(bits):
            before = environment()
            result = getattr(functions, name)(*args, **options)
            after = environment()
        assert control(after) == control(before), f"{name}: the caller's state has changed"
        result = tuple(map(np.asarray, result)) if isinstance(result, tuple) else np.asarray(result)
        shapes = [array.shape for array in args if isinstance(array, np.ndarray)]
        try:
            assert_same_bits(result, expected, f"{name} {shapes} {sorted(options)}")
        except AssertionError as error:
            wrong.setdefault(name, str(error))
    assert not wrong, f"{len(wrong)} functions:\n" + "\n".join(wrong.values())
    assert control(environment()) & bits == 0


def test_the_states_change_what_numpy_computes():
    """`fenv.state` really sets each state: sums and products of NumPy differ as they must."""
    one, small = np.ones(1, np.float32), np.full(1, 1e-10, np.float32)
    tiny = np.full(1, 1e-40, np.float32)
    expected = {"up": (1.0000001, 1), "down": (1, 1), "towards 0": (1, 1), "flushing": (1, 0), "up, flushing": (1.0000001, 0)}
    for name, bits in zip(STATES, BITS, strict=True):
        with state(bits):
            total, kept = one + small, tiny * one
        assert (np.float32(expected[name][0]) == total).all(), name
        assert (kept.view(np.int32) != 0) == expected[name][1], name
