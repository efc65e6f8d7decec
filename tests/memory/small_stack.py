"""Call every public function in threads of 128 KiB of stack, as some servers have: `python small_stack.py --simd avx2`.

The rows are of lengths that take different ways through the core. An overflow of the stack ends the process by a signal.
"""

import argparse
import sys
import threading
from pathlib import Path

import numpy as np

from fastact import backends
from fastact.declare import ROWS

sys.path.insert(0, str(Path(__file__).parent.parent / "helpers"))
from cases import FUNCTIONS, operands
from passes import STEPS

STACK = 128 << 10
ROWS_OF_A_CASE, REPEATED = 2, 40


def wider(value, columns, dtype):
    """An operand of a case with more rows and so many times as many columns."""
    value = np.asarray(value)
    if value.ndim and len(value) == ROWS_OF_A_CASE:
        value = np.tile(value, (REPEATED, columns) if value.ndim == 2 else REPEATED)
    return value.astype(dtype) if value.dtype.kind == "f" else value


def call(functions, name, columns, dtype):
    """One valid call, and for a row function one with a scale and a mask."""
    data, rest, keywords = operands(name)
    data = [wider(value, columns, dtype) for value in data]
    rest = [wider(value, columns, dtype) if isinstance(value, np.ndarray) else value for value in rest]
    keywords = {key: wider(value, columns, dtype) if isinstance(value, np.ndarray) else value for key, value in keywords.items()}
    if dtype is np.float16 and name in STEPS:
        return
    functions[name](*data, *rest, **keywords)
    if {"scale", "mask"} <= set(getattr(ROWS.get(name.removesuffix("_backward")), "by_name", ())):
        functions[name](*data, *rest, **keywords, scale=0.1, mask=data[-1] > -1)


def main():
    """Make the calls, each first on the main thread, which imports what it needs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simd", required=True)
    functions = vars(backends.load(parser.parse_args().simd))
    threading.stack_size(STACK)
    calls = [
        (functions, name, columns, dtype)
        for name in FUNCTIONS
        for columns in (1, 8, 32, 300)
        for dtype in (np.float16, np.float32, np.float64)
    ]
    with np.errstate(all="ignore"):
        for arguments in calls:
            call(*arguments)
            thread = threading.Thread(target=call, args=arguments)
            print(*arguments[1:], flush=True)
            thread.start()
            thread.join()


if __name__ == "__main__":
    main()
