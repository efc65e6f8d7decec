"""The types of half precision, and what a result of theirs must be: that of float32, rounded once."""

import sys

import numpy as np
import pytest

FLOAT16 = np.dtype(np.float16)
each_half = pytest.mark.parametrize("name", ["float16", "bfloat16"])
EVERY_BITS = np.arange(2**16, dtype=np.uint16)


def half(name):
    """The dtype of this name; the test is skipped where ml_dtypes is not installed."""
    return FLOAT16 if name == "float16" else np.dtype(pytest.importorskip("ml_dtypes").bfloat16)


def known():
    """The dtypes of half precision that this process has."""
    return [FLOAT16, *([np.dtype(sys.modules["ml_dtypes"].bfloat16)] if "ml_dtypes" in sys.modules else [])]


def every_value(dtype):
    """All values of a dtype, each NaN too."""
    return EVERY_BITS.view(dtype)


def single(value):
    """An array of half precision in float32; anything else as it is."""
    return value.astype(np.float32) if isinstance(value, (np.ndarray, np.generic)) and value.dtype in known() else value


def rounded(value, dtype):
    """A result of float32 in half precision, by NumPy's cast."""
    with np.errstate(all="ignore"):
        return np.asarray(value).astype(dtype)


def assert_rounded(got, of_float32, dtype, what):
    """Results are those of float32, rounded once: to the bit, but for the payload of NaN."""
    many = isinstance(got, tuple), isinstance(of_float32, tuple)
    assert many[0] == many[1], what
    for one, right in zip(got, of_float32, strict=True) if many[0] else [(got, of_float32)]:
        assert one.dtype == dtype, (what, one.dtype)
        assert np.asarray(right).dtype == np.float32, (what, np.asarray(right).dtype)
        expected = rounded(right, dtype)
        assert np.shape(one) == expected.shape, what
        same = np.asarray(one).view(np.uint16) == expected.view(np.uint16)
        with np.errstate(all="ignore"):  # a comparison of ml_dtypes warns of NaN
            same |= (np.asarray(one) != np.asarray(one)) & (expected != expected)
        at = np.argwhere(~same)
        assert not len(at), (what, len(at), at[0], np.asarray(one)[tuple(at[0])], np.asarray(right)[tuple(at[0])])
