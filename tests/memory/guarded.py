"""Memory between guard pages, for arrays of any layout. A byte that is read or written outside it ends the process.

It needs a C library with mprotect, as Linux and macOS have it.
"""

import ctypes
import mmap

import numpy as np

# The bytes of the guard on each side. An index that is wrong by up to 16,384 floats hits it.
GUARD = 1 << 16
FILLING = 0xC3  # the value of bytes outside arrays; four of them are a float32 of about -391.5

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def extent(shape, strides, itemsize):
    """How many bytes an array needs before its first element, and from its first element on."""
    if 0 in shape:
        return 0, 0
    spans = [step * (length - 1) for step, length in zip(strides, shape, strict=True)]
    return -sum(span for span in spans if span < 0), sum(span for span in spans if span > 0) + itemsize


def dense(shape, itemsize):
    """The strides of an array in C order."""
    strides, step = [], itemsize
    for length in reversed(shape):
        strides.append(step)
        step *= max(length, 1)
    return tuple(reversed(strides))


class Region:
    """Writable memory between two guards.

    Attributes
    ----------
    bytes : numpy.ndarray
        The memory without the guards, as uint8.
    """

    def __init__(self, size):
        self.size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        whole = np.frombuffer(mmap.mmap(-1, self.size + 2 * GUARD), np.uint8)  # shared with a process that is forked later
        for start in (0, GUARD + self.size):
            if _libc.mprotect(whole.ctypes.data + start, GUARD, 0):
                raise OSError(ctypes.get_errno(), "mprotect failed")
        self.bytes = whole[GUARD : GUARD + self.size]
        self.bytes[...] = FILLING

    def array(self, shape, dtype, strides=None, at="end", shift=0, copy=None, start=0):
        """An array that ends at the upper guard or begins at the lower one, with `shift` bytes in between.

        If `copy`, a copy of the region's bytes from `start` on, is given, the array lies there.
        """
        dtype = np.dtype(dtype)
        strides = dense(shape, dtype.itemsize) if strides is None else strides
        before, after = extent(shape, strides, dtype.itemsize)
        offset = self.size - after - shift if at == "end" else before + shift
        return np.ndarray(shape, dtype, self.bytes if copy is None else copy, offset - start, strides)
