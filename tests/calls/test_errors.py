"""Wrong input raises the same exception in every implementation, with a message that says what would be right.

No call that raises an error changes an array that it was given.
"""

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
    """The out= of a pass with something wrong in it: alone, or beside a right one where the pass has two results."""
    return (X.copy() if right is None else right, wrong) if one.outputs > 1 else wrong


@each_backend
@each_any_pass
@pytest.mark.parametrize("wrong", [np.ones(3, kind) for kind in (complex, object, np.longdouble, str, "M8[s]")], ids=str)
def test_dtypes_that_are_no_real_numbers_are_refused(implementation, one, wrong):
    """Complex, object, long double, string and date operands are refused, and never cast silently."""
    for i in range(one.operands):
        given = [wrong if i == j else X for j in range(one.operands)]
        refused(TypeError, NO_LOOP, one.of(implementation), *given)
        refused(TypeError, NO_LOOP, one.of(implementation), *given, out=outs(one, X.copy()))


@each_backend
@each_representative
def test_operands_that_are_no_arrays_are_refused(implementation, one):
    """None, text, other objects and ragged lists are refused."""
    absent = one.kind != "forward" and f"{one.activation}-from_output" in BY_NAME  # there None means that x is not given
    for wrong in ("text", object(), {}, *([] if absent else [None])):
        refused(TypeError, NO_LOOP, one.of(implementation), *[X] * (one.operands - 1), wrong)
    refused(ValueError, "inhomogeneous", one.of(implementation), *[X] * (one.operands - 1), [[1.0], [1.0, 2.0]])


@each_backend
@each_any_pass
@each_dtype
def test_out_of_a_wrong_kind_is_refused(implementation, one, dtype):
    """An out= of integers or booleans, a list, a number, a read-only array or a tuple of the wrong length is refused."""
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
def test_out_of_a_wrong_shape_is_refused(implementation, one):
    """An out= that is too long, too short or lacks an axis is refused with the shapes, because out= never broadcasts."""
    function, given = one.of(implementation), operands(one)
    refused(ValueError, NO_BROADCAST, function, *given, out=outs(one, np.ones(4, np.float32)))
    for shape in ((1,), ()):
        message = rf"non-broadcastable output operand with shape {re.escape(str(shape))}"
        refused(ValueError, message, function, *given, out=outs(one, np.ones(shape, np.float32)))
    message, out = r"non-broadcastable output .* \(3,\)", outs(one, np.ones(3), np.ones((2, 3)))
    refused(ValueError, message, function, *operands(one, np.ones((2, 3))), out=out)


@each_backend
@each(ROWS)
def test_out_of_a_wrong_shape_is_refused_for_rows(implementation, one):
    """An out= with rows of another length, or with another number of rows, is refused."""
    function, given = one.of(implementation), operands(one, np.ones((2, 3)))
    for wrong in ((2, 4), (2, 1), (2,), (3,), (3, 3), (3, 2)):
        refused(ValueError, "(?i)output|broadcast", function, *given, out=np.ones(wrong))
    refused(ValueError, "(?i)output|dimension", function, *given, out=np.ones(()))


@each_backend
@each_representative
def test_where_of_a_wrong_kind_is_refused(implementation, one):
    """A where= that is not boolean, or whose shape does not broadcast, is refused."""
    function, given = one.of(implementation), operands(one)
    for wrong in (np.array([0, 1, 1]), np.array([0.0, 1.0, 1.0]), X):
        message = r"Cannot cast array data from dtype\('.*'\) to dtype\('bool'\)"
        refused(TypeError, message, function, *given, where=wrong, out=outs(one, X.copy()))
    refused(ValueError, NO_BROADCAST, function, *given, where=np.ones(4, bool), out=outs(one, X.copy()))


@each_backend
@each(ROWS)
def test_where_is_refused_for_rows(implementation, one):
    """Functions along an axis refuse where=, because every entry of a row counts for the others."""
    message = rf"{one.function}\(\) has no where="
    refused(TypeError, message, one.of(implementation), *operands(one), where=X > 0, out=X.copy())


@each_backend
@each_any_pass
def test_unknown_keywords_are_refused_by_name(implementation, one):
    """The message names a keyword that the function does not have."""
    function, out = one.of(implementation), outs(one, X.copy())
    refused(TypeError, "unexpected keyword argument 'slant'", function, *operands(one), slant=1.0, out=out)
    if one.kind == "forward":
        refused(TypeError, "unexpected keyword argument 'y'", one.of(implementation), *operands(one), y=X)


@each_backend
def test_unknown_keywords_get_a_suggestion(implementation):
    """For keywords of other libraries and for typing errors the message suggests one, and else it lists all."""
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
def test_too_many_or_too_few_arguments_are_refused(implementation, one):
    """Too many arguments by position, too few, none, and an operand by keyword are refused."""
    function = getattr(backends.load(implementation), one.function)
    bare = one not in ROWS and one.bare  # a ufunc: NumPy gives its messages, and out= may stand by position
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
    """A parameter without a default must be given. The message names it and shows a call."""
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
def test_y_is_refused_where_it_cannot_be_the_start(implementation, one):
    """A backward pass that cannot start from the output refuses y= by name."""
    out = X.copy() if one.outputs == 1 else (X.copy(), None)
    for given in (operands(one), [X]):
        refused(TypeError, rf"{one.function}\(\) cannot start from y=", one.of(implementation), *given, y=X, out=out)


@each_backend
@each([one for one in BACKWARD if f"{one.activation}-from_output" in BY_NAME])
def test_backward_needs_input_or_output(implementation, one):
    """A backward pass takes either the input or y=. It refuses both, and neither."""
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
def test_parameters_of_a_wrong_kind_are_refused(implementation, one):
    """A parameter that is no real number and no array of them is refused. The message names it and the type it got."""
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
def test_conditions_on_parameters_are_checked(implementation, one):
    """A parameter outside its condition is refused. The message names the condition and the value.

    Some conditions hold only for a backward pass from the output.
    """
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
                BY_NAME[f"{one.activation}-backward"].of(implementation)(X, X, **{name: wrong})  # from the input it is allowed
    assert found
    assert one.allows()
    values = [one.declared.values[name] for name in one.parameters]
    function = getattr(backends.load(implementation), one.function)
    given, keywords = (operands(one), {}) if one.kind != "from_output" else ([X, None], {"y": X})
    arrays.assert_same_bits(function(*given, *values, **keywords), one.of(implementation)(*operands(one)), "by position")


@each_backend
@each([one for one in PASSES if one.declared.option])
def test_options_are_checked(implementation, one):
    """A wrong option is refused with the choices. A right one may be any string that is equal."""
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
def test_operands_that_do_not_broadcast_are_refused(implementation, one):
    """The message names the shapes of operands that do not broadcast."""
    refused(ValueError, NO_BROADCAST, one.of(implementation), *operands(one)[1:], np.ones(4, np.float32))


@each_backend
@each([one for one in ROWS if one.operands == 2])
def test_rows_of_different_length_are_refused(implementation, one):
    """Along the axis the lengths must be equal, because a row is not broadcast. The other axes must broadcast."""
    function = one.of(implementation)
    message = "mismatch in (its|their) core dimension"
    refused(ValueError, message, function, X, np.ones(4))
    refused(ValueError, message, function, np.ones((2, 1)), np.ones((2, 3)))
    refused(ValueError, "broadcast", function, np.ones((2, 3)), np.ones((4, 3)))


@each_backend
@each(ROWS)
def test_a_wrong_axis_is_refused(implementation, one):
    """An axis out of range raises NumPy's AxisError, which is a ValueError. One that is no integer raises a TypeError."""
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
def test_ufunc_keywords_of_a_wrong_kind_are_refused(implementation, one):
    """A dtype= without a loop, a cast that casting= forbids, and an unknown casting= are refused."""
    function, given = one.of(implementation), operands(one, X.astype(np.float64))
    refused(TypeError, "(?i)no loop matching the specified signature", function, *given, dtype=np.int64)
    refused(TypeError, "Cannot cast", function, *given, out=outs(one, X.copy(), np.ones(3)), casting="safe")
    refused(ValueError, "casting must be one of", function, *given, casting="never", out=outs(one, X.copy()))


@each_backend
def test_a_parameter_that_becomes_zero_in_float32_is_refused(implementation):
    """A parameter that is 0 in float32 is refused by name where the definition divides by it. float64 can hold it."""
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
