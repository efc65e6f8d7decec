"""Reads and sets the floating-point state of the thread: its rounding mode, and whether it flushes subnormals to 0."""

import contextlib
import ctypes
import ctypes.util
import platform
import sys

# For each platform: the offset of the control word in the C library's fenv_t; the bits of that word that are no exception
# flags; and the bits that set each of STATES.
STATES = ("up", "down", "towards 0", "flushing", "up, flushing")  # the rounding mode, and whether subnormals are flushed to 0
LAYOUTS = {
    ("linux", "x86_64"): (28, 0xFFC0, (0x4000, 0x2000, 0x6000, 0x8040, 0xC040)),
    ("linux", "aarch64"): (0, 0x7C80000, (1 << 22, 2 << 22, 3 << 22, 1 << 24, 5 << 22)),
}
AT, CONTROL, BITS = LAYOUTS.get((sys.platform, platform.machine()), (0, 0, (0,) * 5))


def environment(library=ctypes.CDLL(ctypes.util.find_library("m"))):  # noqa: B008
    """The thread's floating-point environment, as the bytes of a fenv_t."""
    room = ctypes.create_string_buffer(256)
    library.fegetenv(room)
    return room


def control(room):
    """The control word of an environment, without the exception flags."""
    return int.from_bytes(room.raw[AT : AT + 4], "little") & CONTROL


@contextlib.contextmanager
def state(bits, library=ctypes.CDLL(ctypes.util.find_library("m"))):  # noqa: B008
    """Set these bits of the control word, and restore the environment at the end."""
    before = environment()
    other = ctypes.create_string_buffer(before.raw, 256)
    word = int.from_bytes(before.raw[AT : AT + 4], "little") | bits
    other[AT : AT + 4] = word.to_bytes(4, "little")
    try:
        library.fesetenv(other)
        yield
    finally:
        library.fesetenv(before)
