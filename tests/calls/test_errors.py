"""Bad input: the same exception from every implementation, a message that says what would be right, and `out` untouched."""

import re

import numpy as np
import pytest

from fastact import backends
from fastact.declare import REQUIRED

import arrays
from arrays import refused
from passes import (
    BY_NAME,
    PASSES,
    REPRESENTATIVES,
    ROWS,
    WITH_PARAMETERS,
    each,
    each_any_pass,
    each_backend,
    each_dtype,
    each_representative,
)

X = np.array([0.5, -1.5, 2.5], np.float32)
NO_LOOP = "takes real numbers, at most float64, not dtype"
NO_BROADCAST = r"could not be broadcast together with shapes .*\(4,\)"


def operands(one, x=X):
    """As many arrays as the pass takes."""
    return [x] * one.operands


def outs(one, wrong, right=None):
    """The out= of a pass with something wrong in it: alone, or beside a right one."""
    return (X.copy() if right is None else right, wrong) if one.outputs > 1 else wrong


@each_backend
@each_any_pass
@pytest.mark.parametrize("wrong", [np.ones(3, kind) for kind in (complex, object, np.longdouble, str, "M8[s]")], ids=str)
def test_dtypes_that_are_no_real_numbers(implementation, one, wrong):
    """Complex, object, long double, string and date operands: never a silent cast."""
    for i in range(one.operands):
        given = [wrong if i == j else X for j in range(one.operands)]
        refused(TypeError, NO_LOOP, one.of(implementation), *given)
        refused(TypeError, NO_LOOP, one.of(implementation), *given, out=outs(one, X.copy()))


@each_backend
@each_representative
def test_operands_that_are_no_arrays(implementation, one):
    """None, text, objects, ragged lists."""
    absent = one.kind != "forward" and f"{one.activation}-from_output" in BY_NAME  # None would say that x is not given
    for wrong in ("text", object(), {}, *([] if absent else [None])):
        refused(TypeError, NO_LOOP, one.of(implementation), *[X] * (one.operands - 1), wrong)
    refused(ValueError, "inhomogeneous", one.of(implementation), *[X] * (one.operands - 1), [[1.0], [1.0, 2.0]])


@each_backend
@each_any_pass
@each_dtype
def test_out_of_a_wrong_kind(implementation, one, dtype):
    """Integers and booleans; lists and numbers; a read-only array; none or two arrays in a tuple."""
    function, given = one.of(implementation), operands(one, X.astype(dtype))
    for wrong in (np.int64, np.int8, bool):
        refused(TypeError, r"Cannot cast .*output .*from dtype\('float", function, *given, out=outs(one, np.ones(3, wrong)))
    for wrong in ([1.0, 2.0, 3.0], 1.0, "out", np.float32(1)):
        refused(TypeError, "return arrays must be of ArrayType", function, *given, out=outs(one, wrong))
    fixed = np.ones(3, dtype)
    fixed.flags.writeable = False
    refused(ValueError, "output array is read-only", function, *given, out=outs(one, fixed))
    for wrong in (tuple(np.ones((one.outputs + 1, 3), dtype)), ()):
        refused(ValueError, "exactly (one|2) entr", function, *given, out=wrong)
    if one.outputs > 1:
        refused(TypeError, "'out' must be a tuple of (2 )?arrays", function, *given, out=np.ones(3, dtype))


@each_backend
@each_representative
def test_out_of_a_wrong_shape(implementation, one):
    """Too long, too short, without an axis: out never broadcasts, and the shapes are named."""
    function, given = one.of(implementation), operands(one)
    refused(ValueError, NO_BROADCAST, function, *given, out=outs(one, np.ones(4, np.float32)))
    for shape in ((1,), ()):
        message = rf"non-broadcastable output operand with shape {re.escape(str(shape))}"
        refused(ValueError, message, function, *given, out=outs(one, np.ones(shape, np.float32)))
    message, out = r"non-broadcastable output .* \(3,\)", outs(one, np.ones(3), np.ones((2, 3)))
    refused(ValueError, message, function, *operands(one, np.ones((2, 3))), out=out)


@each_backend
@each(ROWS)
def test_out_of_a_wrong_shape_for_rows(implementation, one):
    """The length of the row must be that of out, and the rows as many."""
    function, given = one.of(implementation), operands(one, np.ones((2, 3)))
    for wrong in ((2, 4), (2, 1), (2,), (3,), (3, 3), (3, 2)):
        refused(ValueError, "(?i)output|broadcast", function, *given, out=np.ones(wrong))
    refused(ValueError, "(?i)output|dimension", function, *given, out=np.ones(()))


@each_backend
@each_representative
def test_where_of_a_wrong_kind(implementation, one):
    """A mask is boolean: a number would be a mistake; its shape must broadcast."""
    function, given = one.of(implementation), operands(one)
    for wrong in (np.array([0, 1, 1]), np.array([0.0, 1.0, 1.0]), X):
        message = r"Cannot cast array data from dtype\('.*'\) to dtype\('bool'\)"
        refused(TypeError, message, function, *given, where=wrong, out=outs(one, X.copy()))
    refused(ValueError, NO_BROADCAST, function, *given, where=np.ones(4, bool), out=outs(one, X.copy()))


@each_backend
@each(ROWS)
def test_where_is_refused_for_rows(implementation, one):
    """A row is one whole."""
    message = rf"{one.function}\(\) has no where="
    refused(TypeError, message, one.of(implementation), *operands(one), where=X > 0, out=X.copy())


@each_backend
@each_any_pass
def test_unknown_keywords(implementation, one):
    """Named in the message."""
    function, out = one.of(implementation), outs(one, X.copy())
    refused(TypeError, "unexpected keyword argument 'slant'", function, *operands(one), slant=1.0, out=out)
    if one.kind == "forward":
        refused(TypeError, "unexpected keyword argument 'y'", one.of(implementation), *operands(one), y=X)


@each_backend
def test_unknown_keywords_suggest(implementation):
    """The names of other libraries, and slips of the hand; else what there is."""
    of, labels = backends.load(implementation), np.array([0])
    for function, args, wrong, meant in (
        (of.softmax, (X,), "dim", "axis"),
        (of.log_softmax_backward, (X, X), "dim", "axis"),
        (of.leaky_relu, (X,), "alpha", "negative_slope"),
        (of.elu, (X,), "negative_slope", "alpha"),
        (of.elu, (X,), "inplace", "out"),
        (of.softmax, (X,), "is_causal", "causal"),
        (of.softmax, (X,), "attn_mask", "mask"),
        (of.gelu, (X,), "aproximate", "approximate"),
        (of.gumbel_softmax, (X,), "temperature", "tau"),
        (of.hard_tanh_backward, (X, X), "min", "min_val"),
        (of.glu, (np.ones(4),), "dim", "axis"),
        (of.cross_entropy, (X[None], labels), "label_smooth", "label_smoothing"),
    ):
        message = rf"{function.__name__}\(\) got an unexpected keyword argument '{wrong}': did you mean {meant}=\?"
        refused(TypeError, message, function, *args, **{wrong: 1})
    refused(TypeError, "'slant': it takes alpha, out", of.elu, X, slant=1)


@each_backend
@each([one for one in REPRESENTATIVES + ROWS if one.kind != "from_output"])
def test_numbers_of_arguments(implementation, one):
    """Too many by position, none, too few, and an operand by keyword."""
    function = getattr(backends.load(implementation), one.function)
    bare = one not in ROWS and one.bare  # a ufunc, or like one: NumPy's messages, out by position
    numbers = [1.0] * (1 if one in ROWS else len(one.parameters))
    refused(TypeError, r"positional arguments.*(got|but) ", function, *operands(one), *numbers, X.copy(), X)
    refused(TypeError, "positional arguments" if bare else rf"{one.function}\(\) is missing its first", function)
    names = ("x", "grad") if one in ROWS else (*one.declared.operands, "grad")
    for name in names[: one.operands]:
        message = "positional arguments|unexpected keyword" if bare else rf"{one.function}\(\) takes {name} by position only"
        refused(TypeError, message, function, *operands(one)[1:], **{name: X})
    if not bare and one not in ROWS and f"{one.activation}-from_output" not in BY_NAME and one.operands > 1:
        refused(TypeError, rf"{one.function}\(\) is missing {one.declared.operands[-1]}: ", function, *operands(one)[1:])


@each_backend
@each([one for one in WITH_PARAMETERS if REQUIRED in one.declared.parameters.values()])
def test_required_parameters(implementation, one):
    """One that has no default must be given: the message names it and shows the call."""
    function = getattr(backends.load(implementation), one.function)
    given, keywords = (operands(one), {}) if one.kind != "from_output" else (operands(one)[1:], {"y": X})
    required = [name for name, default in one.declared.parameters.items() if default is REQUIRED]
    for name in required:
        others = {other: one.declared.usual[other] for other in required if other != name}
        example = rf"{one.function}\(.*{name}.*\)"
        refused(TypeError, rf"{one.function}\(\) is missing {name}: {example}", function, *given, **others, **keywords)
        by_keyword = function(*given, **keywords, **one.declared.usual)
        arrays.assert_same_bits(by_keyword, one.of(implementation)(*operands(one)), "by keyword")


BACKWARD = [one for one in PASSES + ROWS if one.kind == "backward"]


@each_backend
@each([one for one in BACKWARD if f"{one.activation}-from_output" not in BY_NAME])
def test_no_start_from_the_output(implementation, one):
    """Where y= is no start, it says so."""
    out = X.copy() if one.outputs == 1 else (X.copy(), None)
    for given in (operands(one), [X]):
        refused(TypeError, rf"{one.function}\(\) cannot start from y=", one.of(implementation), *given, y=X, out=out)


@each_backend
@each([one for one in BACKWARD if f"{one.activation}-from_output" in BY_NAME])
def test_input_or_output(implementation, one):
    """Backward takes the input or y=, not both and not neither."""
    function, name, out = one.of(implementation), one.function, X.copy()
    required = (
        [f", {parameter}" for parameter, default in one.declared.parameters.items() if default is REQUIRED]
        if one.declared
        else []
    )
    given = "".join(f"{parameter}={parameter[2:]}" for parameter in required)
    ways = rf"{name}\(grad, x{''.join(required)}\), or the output, {name}\(grad{given}, y=y\)"
    both = rf"{name}\(\) takes either the input, {ways}: got both"
    neither = rf"{name}\(\) takes either the input, .*: got neither"
    refused(TypeError, both, function, X, X, y=X, out=out)
    refused(TypeError, neither, function, X, out=out)
    refused(TypeError, neither, function, X, None, y=None)


@each_backend
@each(WITH_PARAMETERS)
def test_parameters_of_a_wrong_kind(implementation, one):
    """No real number and no array of them: the parameter and what it got are named."""
    call = one.of(implementation)
    for name, default in one.declared.parameters.items():
        for wrong in (None, "1", b"1", 1j, object(), np.array([1, None]), np.array(["a"]), [1j], {}):
            if wrong is None and default is None:
                continue
            right = "a real number or an array of real numbers"
            message = rf"{one.function}\(\) argument {name} must be {right}, not {type(wrong).__name__}"
            refused(TypeError, message, call, *operands(one), **{name: wrong}, out=X.copy())
        if name in one.varied:
            number = float(one.numbers(name, np.float64, 3)[1])
            refused(TypeError, NO_LOOP, call, *operands(one), **{name: np.longdouble(number)})
            refused(ValueError, NO_BROADCAST, call, *operands(one), **{name: np.full(4, number)})
        if one.kind != "from_output":
            public = getattr(backends.load(implementation), one.function)
            numbers = list(one.declared.values.values())
            refused(TypeError, rf"multiple values for argument '{name}'", public, *operands(one), *numbers, **{name: 1.0})


@each_backend
@each([one for one in PASSES if one.conditions])
def test_conditions(implementation, one):
    """Parameters that the definition (or the start from the output) cannot do with: the condition and the values are named."""
    found = 0
    for name in one.parameters:
        for wrong in (0.0, -1.0, -1, 99.0, np.float32(-1e-30), np.array([0.25, -0.5, 0.0]), [[-1.0]], np.nan, -np.inf, np.inf):
            compared = np.asarray(wrong)
            if one.allows(**{name: compared}):
                continue
            found += 1
            message = rf"{one.function}\(\) (with y= )?needs .*{name}.*, got .*{name}="
            refused(ValueError, message, one.of(implementation), *operands(one), **{name: wrong}, out=X.copy())
            if one.kind == "from_output" and BY_NAME[f"{one.activation}-backward"].allows(**{name: compared}):
                BY_NAME[f"{one.activation}-backward"].of(implementation)(X, X, **{name: wrong})  # from the input it is right
    assert found
    assert one.allows()
    values = [one.declared.values[name] for name in one.parameters]
    function = getattr(backends.load(implementation), one.function)
    given, keywords = (operands(one), {}) if one.kind != "from_output" else ([X, None], {"y": X})
    arrays.assert_same_bits(function(*given, *values, **keywords), one.of(implementation)(*operands(one)), "by position")


@each_backend
@each([one for one in PASSES if one.declared.option])
def test_options(implementation, one):
    """The choices are named; the one in use need not be spelt as the same object."""
    function = getattr(backends.load(implementation), one.function)
    option, choices = one.declared.option, one.declared.alternatives
    right = " or ".join(map(repr, choices))
    out = X.copy() if one.outputs == 1 else (X.copy(), X.copy())
    for wrong in ("", "tan", "TANH"):
        message = rf"{one.function}\(\) argument {option} must be {right}, got '{wrong}'"
        refused(ValueError, message, function, *operands(one), **{option: wrong}, out=out)
    for wrong in (None, True, 1, ["tanh"], b"tanh", np.array("tanh")):
        message = rf"{one.function}\(\) argument {option} must be {right}, not {type(wrong).__name__}"
        refused(TypeError, message, function, *operands(one), **{option: wrong}, out=out)
    for choice, declared in choices.items():
        expected = BY_NAME[f"{declared.name}-{one.kind}"].of(implementation)(*operands(one))
        for spelt in (choice, "".join(list(choice)), np.str_(choice)):
            arrays.assert_same_bits(function(*operands(one), **{option: spelt}), expected, repr(spelt))
    arrays.assert_same_bits(function(*operands(one)), one.of(implementation)(*operands(one)), "the default")


@each_backend
@each([one for one in REPRESENTATIVES if one.operands > 1])
def test_operands_that_do_not_broadcast(implementation, one):
    """The shapes are named."""
    refused(ValueError, NO_BROADCAST, one.of(implementation), *operands(one)[1:], np.ones(4, np.float32))


@each_backend
@each([one for one in ROWS if one.operands == 2])
def test_rows_that_do_not_fit(implementation, one):
    """Along the axis lengths must be equal (a row is not broadcast); the other axes must broadcast."""
    function = one.of(implementation)
    message = "mismatch in (its|their) core dimension"
    refused(ValueError, message, function, X, np.ones(4))
    refused(ValueError, message, function, np.ones((2, 1)), np.ones((2, 3)))
    refused(ValueError, "broadcast", function, np.ones((2, 3)), np.ones((4, 3)))


@each_backend
@each(ROWS)
def test_axis(implementation, one):
    """Out of range: NumPy's AxisError, a ValueError; no integer: a TypeError that says so."""
    function, given = one.of(implementation), operands(one, np.ones((3, 3), np.float32))
    for wrong in (2, -3, 99):
        message = f"axis {wrong} is out of bounds for array of dimension 2"
        refused(np.exceptions.AxisError, message, function, *given, axis=wrong, out=np.ones((3, 3)))
        assert issubclass(np.exceptions.AxisError, ValueError)
    for wrong in (1.0, "0", [0], np.float64(0), X, True):
        message = rf"{one.function}\(\) argument axis must be an integer, a tuple of them or None, not {type(wrong).__name__}"
        refused(TypeError, message, function, *given, axis=wrong, out=np.ones((3, 3)))
    for right in (np.int8(1), np.array(1)):
        assert function(*given, axis=right).tolist() == function(*given, axis=1).tolist()
    for scalar in (1.0, np.float32(1), np.ones(())):
        refused(np.exceptions.AxisError, "axis 1 is out of bounds", function, *operands(one, scalar), axis=1)
    if one.kind != "from_output":
        refused(TypeError, "multiple values for argument 'axis'", function, *given, 1, axis=1)


@each_backend
@each_any_pass
def test_ufunc_keywords_of_a_wrong_kind(implementation, one):
    """A dtype that there is no loop for, a cast that the rule forbids, an unknown rule."""
    function, given = one.of(implementation), operands(one, X.astype(np.float64))
    refused(TypeError, "(?i)no loop matching the specified signature", function, *given, dtype=np.int64)
    refused(TypeError, "Cannot cast", function, *given, out=outs(one, X.copy(), np.ones(3)), casting="safe")
    refused(ValueError, "casting must be one of", function, *given, casting="never", out=outs(one, X.copy()))


@each_backend
def test_a_parameter_that_its_dtype_cannot_hold(implementation):
    """Refused by name where it would be 0 in float32 and the definition divides by it; a float64 can hold it."""
    of = backends.load(implementation)
    message = r"needs {0} [!>]=? 0, got {0}=0.0: 1e-50 is 0 in float32"
    for name, parameter in (("celu", "alpha"), ("softplus", "beta"), ("snake", "a"), ("softcap", "cap")):
        function, backward = getattr(of, name), getattr(of, name + "_backward")
        refused(ValueError, rf"{name}\(\) " + message.format(parameter), function, X, 1e-50, out=X.copy())
        refused(ValueError, rf"{name}_backward\(\) " + message.format(parameter), backward, X, X, 1e-50)
        for result in (function(X.astype(float), 1e-50), function(X, 1e-50, dtype=np.float64)):
            assert np.isfinite(result).all()
        refused(ValueError, rf"{name}\(\) argument {parameter} must be .* a float can hold, got 1000", function, X, 10**400)
    assert of.hard_shrink(X, 1e-50).tolist() == X.tolist()
