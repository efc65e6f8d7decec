"""What holds NumPy, PyTorch and fastact to one instruction set: their variables, which they read when they start.

`python benchmarks/held.py avx2 COMMAND ...` runs a command with them.
"""

import os
import sys

# What NumPy calls the features above AVX2, as X86_V4 since 2.4 and by their own names before.
ABOVE_AVX2 = "X86_V4 AVX512_ICL AVX512_SPR AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL"
HELD = {
    "avx512": {"FASTACT_SIMD": "avx512"},
    "avx2": {"FASTACT_SIMD": "avx2", "ATEN_CPU_CAPABILITY": "avx2", "NPY_DISABLE_CPU_FEATURES": ABOVE_AVX2},
}


def hold(simd, **more):
    """Start this command again with these variables, unless it has them. NumPy warns of features that it does not know."""
    wanted = {**HELD[simd], **more}
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, "-W", "ignore", *sys.argv], {**os.environ, **wanted})


if __name__ == "__main__":
    chosen, *command = sys.argv[1:]
    os.execvpe(command[0], command, {**os.environ, **HELD[chosen], "PYTHONWARNINGS": "ignore"})
