"""Every backend behaves as NumPy's ufuncs do: in its warnings, in __array_wrap__, and in the attributes of a ufunc."""

import warnings

import numpy as np
import pytest

from fastact import backends

from cases import FUNCTIONS, X, case_of
from passes import COMPILED, each_backend, needs_core


@each_backend
@pytest.mark.parametrize("name", ["relu", "leaky_relu", "log_softmax_backward", "geglu_backward", "logsumexp_backward"])
def test_overflow_into_a_narrow_out(implementation, name):
    """An overflow in the cast to out= gives one warning, an error or nothing, as np.errstate says. The result is written."""
    case = case_of(name)
    function = getattr(backends.load(implementation), name)
    for shape in (X.shape, (3, 70_000)):

        def call(shape=shape):
            args, keywords = case.call(lambda array: np.resize(array * 1e150, shape if array.ndim > 1 else shape[:1]))
            outs = tuple(np.zeros(shape, np.float32) for _ in range(2))
            return args, {**keywords, "out": outs if name.startswith("geglu") else outs[0]}

        args, keywords = call()
        with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow encountered in"):
            function(*args, **keywords)
        written = np.array(keywords["out"])
        assert np.isinf(written).any()
        for mode, expected in (("warn", 1), ("ignore", 0)):
            args, keywords = call()
            with np.errstate(over=mode), warnings.catch_warnings(record=True) as given:
                warnings.simplefilter("always")
                function(*args, **keywords)
            assert [warning.category for warning in given] == [RuntimeWarning] * expected, [str(w.message) for w in given]
            np.testing.assert_array_equal(keywords["out"], written)


@each_backend
def test_where_without_out_warns_as_numpy_does(implementation):
    """where= without out= gives NumPy's warning, in versions that have one. With out= the other elements stay."""
    functions, mask = backends.load(implementation), np.array([True, False])
    for call in (
        lambda **keywords: np.negative(np.ones(2), **keywords),
        lambda **keywords: functions.relu(np.ones(2), **keywords),
        lambda **keywords: functions.leaky_relu_backward(np.ones(2), np.ones(2), **keywords),
    ):
        with warnings.catch_warnings(record=True) as given:
            warnings.simplefilter("always")
            call(where=mask)
            call(where=mask, out=None)
            call(where=True)
        found = [(warning.category, str(warning.message)) for warning in given]
        expected = found if call.__code__.co_names[0] == "np" else expected  # noqa: F821
        assert found == expected
    assert functions.relu(np.ones(2), where=mask, out=np.full(2, 9.0)).tolist() == [1, 9]


class OldArray:
    """An array with an __array_wrap__ of NumPy 1, as torch's tensors have.

    `signature` says whether it takes the array alone, the array and the context, or, as in NumPy 2, three arguments.
    """

    __array_priority__ = 1000

    def __init__(self, values, signature):
        self.values, self.signature = values, signature

    def __array__(self, dtype=None, copy=None):
        return self.values

    @property
    def __array_wrap__(self):
        """A function that takes `signature` arguments."""
        return {
            1: lambda array: ("array alone", array.shape),
            2: lambda array, context: (context[0].__name__, len(context[1]), context[2]),
            3: lambda array, context, scalar: ("all", scalar),
        }[self.signature]


@each_backend
def test_array_wrap_of_numpy_1_is_called(implementation):
    """An __array_wrap__ with fewer than three arguments is called, with NumPy's DeprecationWarning."""
    functions, x = backends.load(implementation), np.ones((2, 3))
    for signature, expected in ((1, ("array alone", (2, 3))), (2, ("relu", 1, 0))):
        with pytest.warns(DeprecationWarning, match="__array_wrap__ must accept context and return_scalar"):
            assert functions.relu(OldArray(x, signature)) == expected
    with pytest.warns(DeprecationWarning):
        assert functions.softmax(OldArray(x, 1)) == ("array alone", (2, 3))
    assert functions.relu(OldArray(x, 3)) == ("all", False)
    assert functions.relu(OldArray(np.array(1.0), 3)) == ("all", True)
    assert functions.sigmoid_backward(x, OldArray(x, 3)) == ("all", False)


class AttributeReader:
    """An array that reads the attributes of a ufunc before it calls it, as a polars Series does."""

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        return ufunc.nin, ufunc.nout, ufunc.nargs, ufunc.types, ufunc.ntypes, ufunc.signature, ufunc.identity


# glu and glu_backward are left out, because they split their array before a ufunc gets it.
@needs_core
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("glu", "glu_backward")])
def test_both_backends_have_the_same_ufunc_attributes(name):
    """What __array_ufunc__ gets has the same nin, nout, nargs, types, ntypes, signature and identity on both backends."""
    said = []
    for implementation in (COMPILED[0], "numpy"):
        args, keywords = case_of(name).single()
        try:
            said.append(getattr(backends.load(implementation), name)(*args[:-1], AttributeReader(), **keywords))
        except TypeError as error:
            said.append(type(error))
    assert said[0] == said[1]
