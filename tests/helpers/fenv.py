"""The caller's rounding mode, and whether subnormals are flushed."""

import contextlib
import ctypes
import ctypes.util
import platform
import sys

# Where the control word lies in the C library's fenv_t, the bits of it that are no exception flags, and those of each state.
STATES = ("up", "down", "towards 0", "flushing", "up, flushing")
LAYOUTS = {
    ("linux", "x86_64"): (28, 0xFFC0, (0x4000, 0x2000, 0x6000, 0x8040, 0xC040)),
    ("linux", "aarch64"): (0, 0x7C80000, (1 << 22, 2 << 22, 3 << 22, 1 << 24, 5 << 22)),
}
AT, CONTROL, BITS = LAYOUTS.get((sys.platform, platform.machine()), (0, 0, (0,) * 5))


def environment(library=ctypes.CDLL(ctypes.util.find_library("m"))):  # noqa: B008
    """The thread's floating-point environment."""
    room = ctypes.create_string_buffer(256)
    library.fegetenv(room)
    return room


def control(room):
    """Its control word without the exception flags."""
    return int.from_bytes(room.raw[AT : AT + 4], "little") & CONTROL


@contextlib.contextmanager
def state(bits, library=ctypes.CDLL(ctypes.util.find_library("m"))):  # noqa: B008
    """Another state; the one before is restored whatever happens."""
    before = environment()
    other = ctypes.create_string_buffer(before.raw, 256)
    word = int.from_bytes(before.raw[AT : AT + 4], "little") | bits
    other[AT : AT + 4] = word.to_bytes(4, "little")
    try:
        library.fesetenv(other)
        yield
    finally:
        library.fesetenv(before)
