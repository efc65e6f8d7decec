"""adam_step and sgd_step are as exact as they promise, have the same bits everywhere, and refuse wrong arguments."""

import pickle

import numpy as np
import pytest

import fastact
from fastact import backends

import arrays
from arrays import refused
from fenv import BITS, STATES, control, environment, state
from passes import IMPLEMENTATIONS, each_backend, each_compiled, each_dtype, each_implementation

NAMES = {
    "adam": ("parameters", "gradients", "first_moment", "second_moment"),
    "momentum": ("parameters", "gradients", "velocity"),
}
WAYS = {
    "adam": (4, {"step": 1}),
    "adamw": (4, {"step": 7, "rate": 0.01, "beta1": 0.8, "beta2": 0.99, "eps": 1e-6, "weight_decay": 0.1}),
    "adam without memory": (4, {"step": 10**6, "beta1": 0.0, "beta2": 0.0, "eps": 1}),
    "sgd": (2, {"rate": 0.1}),
    "momentum": (3, {"rate": 0.1, "momentum": 0.9}),
    "nesterov": (3, {"rate": 0.1, "momentum": 0.9, "nesterov": True}),
    "no momentum": (3, {"rate": 2}),
}
each_way = pytest.mark.parametrize("way", WAYS)


def take(implementation, way, given, **more):
    """Take a step with these arrays, in one of WAYS."""
    functions = backends.load(implementation)
    function = functions.adam_step if way.startswith("adam") else functions.sgd_step
    return function(*given, **{**WAYS[way][1], **more})


def made(way, dtype, shape, seed=0, spread=1.0):
    """Arrays as in the middle of training: ordinary numbers and some zeros. With spread=5 they cover ten decades."""
    rng, given = np.random.default_rng(seed), []
    for i in range(WAYS[way][0]):
        array = rng.normal(0, 1, shape) * 10.0 ** rng.uniform(-spread, spread, shape)
        array[rng.random(shape) < 0.05] = 0
        with np.errstate(all="ignore"):
            given.append((array**2 if i == 3 else array).astype(dtype))
    return given


def exact(way, given, step=1, rate=None, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, momentum=0.0, nesterov=False):
    """The exact results, in long double, each with the sum of the absolute values of its terms."""
    rate = (0.001 if way.startswith("adam") else 0.01) if rate is None else rate
    of = np.longdouble
    rate, beta1, beta2, eps, momentum = (of(value) for value in (rate, beta1, beta2, eps, momentum))
    p, g, *others = (array.astype(of) for array in given)
    if not others:
        return [(p - rate * g, abs(p) + abs(rate * g))]
    if way.startswith("adam"):
        v = beta2 * others[1] + (1 - beta2) * g * g
        by, kept = rate / (1 - beta1**step) / (np.sqrt(v / (1 - beta2**step)) + eps), 1 - rate * of(weight_decay)
        m, sizes = beta1 * others[0] + (1 - beta1) * g, beta1 * abs(others[0]) + (1 - beta1) * abs(g)
        return [(kept * p - by * m, abs(kept * p) + by * sizes), (m, sizes), (v, v)]
    velocity, sizes = momentum * others[0] + g, momentum * abs(others[0]) + abs(g)
    results = [(velocity, sizes)]
    if nesterov:
        velocity, sizes = g + momentum * velocity, abs(g) + momentum * sizes
    return [(p - rate * velocity, abs(p) + rate * sizes), *results]


@each_implementation
@each_dtype
@each_way
@pytest.mark.parametrize("spread", [1, 5])
def test_steps_are_as_exact_as_promised(implementation, dtype, way, spread):
    """The errors are within the bounds of the docstrings, relative to the sizes of the terms. The gradients stay."""
    given = made(way, dtype, 4001, spread=spread)
    before = [array.copy() for array in given]
    assert take(implementation, way, given) is given[0]
    arrays.assert_same_bits(given[1], before[1], "gradients")
    changed = [given[0], *given[2:]]
    for got, (right, size) in zip(changed, exact(way, before, **WAYS[way][1]), strict=True):
        unit = np.finfo(dtype).eps * np.maximum(size, np.finfo(dtype).smallest_normal)
        assert (np.abs(got - right) <= (4 if got is given[0] else 2) * unit).all()


def layouts(array):
    """The same numbers in other layouts, each with its name."""
    yield "another place", arrays_at(array, 4 * array.itemsize)
    yield "no alignment", arrays_at(array, 1)
    spaced = np.zeros((*array.shape, 3), array.dtype)[..., 1]
    spaced[...] = array
    yield "strides", spaced
    back = np.zeros_like(array)[::-1]
    back[...] = array
    yield "backwards", back


def arrays_at(array, offset):
    """A copy that begins this many bytes after the start of its memory."""
    memory = np.zeros(array.nbytes + offset, np.uint8)
    copy = np.frombuffer(memory.data, array.dtype, offset=offset)
    copy[...] = array
    return copy


@each_dtype
@each_way
def test_steps_have_the_same_bits_everywhere(dtype, way):
    """Every implementation, layout and length gives the same bits."""
    given = made(way, dtype, 1031, seed=1)
    right = [array.copy() for array in given]
    take(IMPLEMENTATIONS[0], way, right)
    for implementation in IMPLEMENTATIONS:
        whole = [array.copy() for array in given]
        take(implementation, way, whole)
        for got, expected in zip(whole, right, strict=True):
            arrays.assert_same_bits(got, expected, implementation)
        for laid in zip(*(layouts(array) for array in given), strict=True):
            take(implementation, way, [array for _, array in laid])
            for (name, got), expected in zip(laid, right, strict=True):
                arrays.assert_same_bits(got, expected, f"{implementation}, {name}")
        for start, stop in ((0, 1), (3, 20), (5, 5), (7, 1031), (1000, 1017)):
            part = [array[start:stop].copy() for array in given]
            take(implementation, way, part)
            for got, expected in zip(part, right, strict=True):
                arrays.assert_same_bits(got, expected[start:stop], f"{implementation}, {start} to {stop}")


@each_compiled
@each_dtype
@each_way
@pytest.mark.parametrize("bits", BITS, ids=STATES)
def test_the_state_of_the_caller_changes_no_bit(implementation, dtype, way, bits):
    """The caller's rounding mode, and whether subnormals are flushed, change no bit, and stay as they were."""
    for spaced in (1, 2):
        right, given = ([array[::spaced] for array in made(way, dtype, 501, spread=20)] for _ in range(2))
        take(implementation, way, right)
        with state(bits):
            before = environment()
            take(implementation, way, given)
            after = environment()
        assert control(after) == control(before)
        for got, expected in zip(given, right, strict=True):
            arrays.assert_same_bits(got, expected, way)


@each_implementation
@each_dtype
def test_nan_infinite_and_tiny_gradients(implementation, dtype):
    """A NaN or infinite gradient changes its own parameter alone, nothing warns, and a gradient of 0 moves nothing."""
    huge, tiny = np.sqrt(np.finfo(dtype).max) * dtype(20), np.finfo(dtype).smallest_subnormal
    gradients = np.array([np.nan, np.inf, 0, 1, huge, tiny, -huge], dtype)
    with np.errstate(all="raise"):
        for way in WAYS:
            given = [np.ones(7, dtype), gradients, *(np.zeros(7, dtype) for _ in range(WAYS[way][0] - 2))]
            take(implementation, way, given, **({"weight_decay": 0.0} if way == "adamw" else {}))
            assert np.isnan(given[0]).tolist() == [True, way.startswith("adam")] + [False] * 5
            assert given[0][2] == 1
            assert given[0][3] < 1
        moved, moments = np.ones(7, dtype), np.zeros((2, 7), dtype)
        backends.load(implementation).adam_step(moved, gradients, *moments, step=1)
        # The square of `huge` overflows, but (1 - beta2) times the square, which the second moment gets, does not.
        np.testing.assert_allclose(moved[4:], [0.999, 1, 1.001], rtol=1e-6)
        assert np.isfinite(moments[:, 2:]).all()
        still, moments = np.ones(1, dtype), np.array([[1], [np.inf]], dtype)
        backends.load(implementation).adam_step(still, np.ones(1, dtype), *moments, step=1)
        assert (still.item(), moments[1].item()) == (1, np.inf)
        for shape in ((), (0,), (3, 0), (2, 3)):
            given = [np.full(shape, value, dtype) for value in (1, 1, 0, 0)]
            result = backends.load(implementation).adam_step(*given, step=1, rate=0.5)
            assert result is given[0]
            np.testing.assert_allclose(result, np.full(shape, 0.5), rtol=1e-6)


@each_backend
@each_dtype
def test_steps_take_other_kinds_of_arrays(implementation, dtype):
    """Steps take subclasses, any layout, read-only gradients, NumPy numbers, and arrays by name."""
    for way in WAYS:
        given = made(way, dtype, (4, 5, 6))
        right = [array.copy() for array in given]
        take(implementation, way, right)
        together = np.zeros((4, 5, 6, len(given)), dtype)
        for i, array in enumerate(given):
            together[..., i] = array
        given[1].flags.writeable = False
        for laid in (
            [together[..., i] for i in range(len(given))],
            [np.asfortranarray(array) for array in given],
            [array.copy().view(arrays.Labelled) for array in given],
            given,
        ):
            numbers = {name: np.float64(value) for name, value in WAYS[way][1].items() if type(value) is float}
            steps = {name: np.int8(7) for name, value in WAYS[way][1].items() if value == 7}
            assert take(implementation, way, laid, **numbers, **steps) is laid[0]
            for got, expected in zip(laid, right, strict=True):
                arrays.assert_same_bits(np.asarray(got), expected, way)
    p, g, v = made("momentum", dtype, 9)
    by_name = [array.copy() for array in (p, g, v)]
    function = backends.load(implementation).sgd_step
    function(parameters=by_name[0], gradients=by_name[1], velocity=by_name[2], momentum=0.5, rate=1)
    function(p, g, v, momentum=0.5, rate=1)
    arrays.assert_same_bits(by_name[0], p, "by name")


@each_implementation
@each_dtype
@pytest.mark.parametrize("beta", [5e-324, 1e-300, 1e-17, 1e-9])
def test_a_tiny_beta_counts_as_zero(implementation, dtype, beta):
    """A beta so small that 1 - beta rounds to 1 gives what a beta of 0 gives."""
    functions, given = backends.load(implementation), made("adam", dtype, 9)
    right = [array.copy() for array in given]
    functions.adam_step(*given, step=3, beta1=beta, beta2=beta)
    functions.adam_step(*right, step=3, beta1=0.0, beta2=0.0)
    np.testing.assert_allclose(given[0], right[0], rtol=1e-6)


@each_backend
@pytest.mark.parametrize("way", NAMES)
@pytest.mark.parametrize("spaced", [1, 2])
def test_wrong_arrays_are_refused(implementation, way, spaced):
    """The error names the array, and says what would be right."""
    functions, options = backends.load(implementation), WAYS[way][1]
    function, name = (functions.adam_step, "adam_step") if way == "adam" else (functions.sgd_step, "sgd_step")
    for i, argument in enumerate(NAMES[way]):

        def wrong(make, i=i):
            given = [array[::spaced] for array in made(way, np.float32, 24)]
            given[i] = make(given[i])
            return given

        for make in (lambda x: x.tolist(), lambda x: 1.0, lambda x: x[0], lambda x: object()):
            message = rf"{name}\(\) changes arrays in place: {argument} must be a numpy.ndarray in memory, not \w+"
            refused(TypeError, message, function, *wrong(make), **options)
        for dtype in (np.float16, int, bool, complex, object, np.longdouble, ">f4"):
            message = rf"{name}\(\) argument {argument} must have dtype float32 or float64, not '"
            refused(TypeError, message, function, *wrong(lambda x, dtype=dtype: x.astype(dtype)), **options)
        masked = wrong(lambda x: np.ma.array(x, mask=x > 0))
        refused(TypeError, rf"and {argument} is a masked one: pass {argument}.data", function, *masked, **options)
        if i:
            message = rf"argument {argument} must have the dtype of parameters, float32, not float64: pass {argument}.astype\("
            refused(TypeError, message, function, *wrong(lambda x: x.astype(np.float64)), **options)
            message = rf"{name}\(\) needs {argument} of the shape of parameters, \(\d+,\), got \("
            for make in (lambda x: x[:1], lambda x: x[:, None], lambda x: x[0, ...], lambda x: np.tile(x, 2)):
                refused(ValueError, message, function, *wrong(make), **options)
        if i != 1:
            given = wrong(lambda x: x)
            given[i].flags.writeable = False
            refused(ValueError, rf"changes {argument} in place, and it is read-only", function, *given, **options)
        for j in range(i):
            given = wrong(lambda x: x)
            memory = np.ones(25 * spaced, np.float32)
            given[i], given[j] = memory[::spaced][1:][: len(given[i])], memory[::spaced][: len(given[i])]
            message = rf"needs arrays that do not overlap: {NAMES[way][j]} and {argument} share memory"
            refused(ValueError, message, function, *given, **options)
            given[i] = given[j]
            refused(ValueError, message, function, *given, **options)


@each_backend
def test_wrong_numbers_are_refused(implementation):
    """The error names the argument, its value, and the range that is allowed."""
    of = backends.load(implementation)
    moments, two = made("adam", np.float32, 5), made("sgd", np.float32, 5)
    beyond = {"rate": -1e-9, "eps": 0.0, "beta1": 1.0, "beta2": 1, "weight_decay": -0.5, "momentum": -1}
    for name, outside in beyond.items():
        for function, given, options in ((of.adam_step, moments, {"step": 1}), (of.sgd_step, two, {})):
            if (name in ("rate", "momentum")) if function is of.sgd_step else name != "momentum":
                for wrong in (outside, -1.0, np.float32(-2)):
                    message = rf"\(\) needs .*{name} .*, got {name}={wrong!r}".replace("(-", r"\(-").replace("0)", r"0\)")
                    refused(ValueError, message, function, *given, **{**options, name: wrong})
                for wrong in (np.nan, np.inf, -np.inf, 10**400):
                    refused(ValueError, f"argument {name} must be finite", function, *given, **{**options, name: wrong})
                for wrong in ("0.1", None, 1j, np.ones(2), [0.1], True):
                    refused(TypeError, f"argument {name} must be a real number", function, *given, **{**options, name: wrong})
    for wrong in (0, -1, 2**53 + 1, 10**400):
        refused(ValueError, r"needs 1 <= step <= 2\*\*53, got step=", of.adam_step, *moments, step=wrong)
    for wrong in (1.0, "1", None, True, np.True_, np.ones(1)):
        refused(TypeError, "argument step must be an integer, 1 for the first step, not", of.adam_step, *moments, step=wrong)
    message = "argument eps must be a number for float32, got 1e-60: in the step it is 0"
    refused(ValueError, message, of.adam_step, *moments, step=1, eps=1e-60)
    refused(ValueError, "argument rate must be .*: in the step it is infinite", of.adam_step, *moments, step=1, rate=1e40)
    message = "argument weight_decay must be a number for float32"
    refused(ValueError, message, of.adam_step, *moments, step=1, rate=1e30, weight_decay=1e30)
    refused(ValueError, "argument rate must be a number for float32, got 1e", of.sgd_step, *two, rate=1e39)
    for name, meant in (("lr", "rate"), ("betas", "beta1"), ("learning_rate", "rate"), ("weight_decy", "weight_decay")):
        message = rf"adam_step\(\) got .* '{name}': did you mean {meant}=\?"
        refused(TypeError, message, of.adam_step, *moments, step=1, **{name: 1})
    message = "got an unexpected keyword argument 'out': it takes beta1, beta2, eps"
    refused(TypeError, message, of.adam_step, *moments, step=1, out=1)
    refused(TypeError, r"sgd_step\(\) got .* 'lr': did you mean rate=\?", of.sgd_step, *two, lr=1)
    refused(TypeError, r"^adam_step\(\) missing 1 required keyword-only argument: 'step'", of.adam_step, *moments)
    refused(TypeError, r"^adam_step\(\) missing .* 'second_moment'", of.adam_step, *moments[:3], step=1)
    refused(TypeError, r"adam_step\(\) takes 4 positional arguments but 5", of.adam_step, *moments, 1, step=1)
    refused(ValueError, r"with momentum=0.9 needs velocity: pass velocity, .*zeros_like", of.sgd_step, *two, momentum=0.9)
    refused(ValueError, "with nesterov=True needs momentum > 0, got momentum=0.0", of.sgd_step, *two, nesterov=True)
    refused(TypeError, "argument nesterov must be True or False, not int 1", of.sgd_step, *two, nesterov=1)
    refused(TypeError, "argument nesterov must be True or False, not str", of.sgd_step, *two, nesterov="no")


@each_backend
def test_numbers_too_small_for_float32_are_right_in_float64(implementation):
    """An eps that float32 cannot hold is right for float64 arrays."""
    for array, eps in ((np.zeros(3), 1e-60), (np.zeros(3, np.float32), 1e-36)):
        given = [array.copy() for _ in range(4)]
        given[1][:] = [0, 1, -1]
        backends.load(implementation).adam_step(*given, step=1, eps=eps, rate=0.25)
        np.testing.assert_allclose(given[0], [0, -0.25, 0.25], rtol=1e-6)


@pytest.mark.parametrize("name", ["adam_step", "sgd_step"])
def test_steps_are_pickled_by_name(name):
    """A step comes back from pickle as the same function."""
    function = getattr(fastact, name)
    assert pickle.loads(pickle.dumps(function)) is function


@each_backend
@each_dtype
@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        ("adam", "Adam", {}),
        ("adam", "AdamW", {"weight_decay": 0.1}),
        ("sgd", "SGD", {}),
        ("sgd", "SGD", {"momentum": 0.9}),
        ("sgd", "SGD", {"momentum": 0.9, "nesterov": True}),
    ],
)
def test_steps_agree_with_torch(implementation, dtype, ours, theirs, options):
    """Fifty steps give the parameters that torch's optimizers give."""
    torch = pytest.importorskip("torch")
    functions, rng = backends.load(implementation), np.random.default_rng(0)
    parameters = rng.normal(size=100).astype(dtype)
    tensor = torch.nn.Parameter(torch.tensor(parameters.copy()))
    optimizer = getattr(torch.optim, theirs)([tensor], lr=0.01, **options)
    state = [np.zeros_like(parameters) for _ in range(2 if ours == "adam" else bool("momentum" in options))]
    for step in range(1, 51):
        gradients = rng.normal(size=100).astype(dtype)
        tensor.grad = torch.tensor(gradients)
        optimizer.step()
        if ours == "adam":
            functions.adam_step(parameters, gradients, *state, step=step, rate=0.01, **options)
        else:
            functions.sgd_step(parameters, gradients, *state, rate=0.01, **options)
    np.testing.assert_allclose(parameters, tensor.detach().numpy(), rtol=0, atol=40 * np.finfo(dtype).eps)
