"""Builds the C core where a C compiler works, and a pure Python package where none does.

FASTACT_BUILD=numpy leaves the core out; FASTACT_BUILD=compiled fails where it cannot be built.
FASTACT_BUILD_SIMD="scalar sse2" builds these instruction sets in place of the usual ones.
"""

import contextlib
import os
import runpy
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

# The instruction sets of x86-64 and what each needs of the compiler: one header, one row.
X86_SETS = {
    "scalar": [],
    "sse2": ["-msse2"],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mbmi2"],
}
# These come after CFLAGS of the environment, which then change no result. -ffast-math breaks NaN and error-free steps. Its
# negation does not negate its parts where CFLAGS name them, so they stand here too. Contraction differs between compilers.
# For clang, -fno-unsafe-math-optimizations asks for exact exceptions; we need none, since flags.h restores the flags. So
# -fno-trapping-math comes last; it also comes first, so that the negation contradicts nothing.
EXACT = [
    "-fno-trapping-math",
    "-fno-unsafe-math-optimizations",
    "-fno-fast-math",
    "-fno-finite-math-only",
    "-fno-associative-math",
    "-fno-reciprocal-math",
    "-fsigned-zeros",
    "-ffp-contract=off",
    "-fno-trapping-math",
]
# More of the kind, which only some compilers know. The last is for clang: it would unroll loops that are not marked so, which
# is a tenth of the wheel and no faster.
WHERE_KNOWN = ["-fno-single-precision-constant", "-fdenormal-fp-math=ieee", "-mfpmath=sse", "-mllvm -unroll-runtime=0"]
# Nothing is thrown through a kernel: the tables for it would be 40 KB of the wheel.
FLAGS = ["-std=c11", "-O3", "-g0", "-fno-asynchronous-unwind-tables", "-Wall", "-Wextra", *EXACT, "-fno-math-errno"]


class BuildCore(build_ext):
    """Compiles kernels.c and rows.c once for each instruction set."""

    def build_extension(self, extension):
        """Generate the C formulas, compile each set with its own flags, and link them into the extension."""
        sets, baseline = instruction_sets()
        strict = [] if complaint("", "-Werror") else ["-Werror"]  # the environment's flags may warn of anything
        known = [part for flag in WHERE_KNOWN if not complaint("", *flag.split(), *strict) for part in flag.split()]
        generated = Path(self.build_temp) / "generated"
        generated.mkdir(parents=True, exist_ok=True)
        text = runpy.run_path("fastact/codegen.py")["translate"]()
        (generated / "formulas.h").write_text(text, encoding="utf-8")

        def objects(name):
            """The objects of an instruction set, or the error that an old compiler makes of its flags."""
            try:
                return self.compiler.compile(
                    ["src_c/kernels.c", "src_c/rows.c"],
                    output_dir=str(Path(self.build_temp) / name),
                    include_dirs=["src_c", str(generated)],
                    macros=[("SIMD_HEADER", f'"simd_{name}.h"'), ("SET_NAME", name)],
                    extra_postargs=[*FLAGS, *known, *sets[name]],
                    depends=extension.depends,
                )
            except CompileError as error:
                return error

        with ThreadPoolExecutor(os.cpu_count()) as pool:  # compilers run side by side
            made = dict(zip(sets, pool.map(objects, sets), strict=True))
        for name, result in made.items():
            if not isinstance(result, CompileError):
                extension.extra_objects += result
                extension.define_macros.append((f"FASTACT_{name.upper()}", None))
            elif name == baseline or os.environ.get("FASTACT_BUILD") == "compiled" or os.environ.get("FASTACT_BUILD_SIMD"):
                raise result
            else:
                print(f"fastact: this compiler cannot build the {name} kernels, they are left out: {result}", file=sys.stderr)
        extension.extra_compile_args += known
        super().build_extension(extension)


@contextlib.contextmanager
def errors_in(file):
    """Send into the file what this process, and those that it starts, write to stderr."""
    kept = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def complaint(text, *flags, link=False):
    """What the compiler of the target has against this C, in one line; "" where it takes it."""
    from setuptools._distutils.ccompiler import new_compiler
    from setuptools._distutils.sysconfig import customize_compiler

    compiler = new_compiler()
    customize_compiler(compiler)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+", errors="replace") as printed:
        source, library = Path(folder) / "probe.c", Path(folder) / "probe.so"
        source.write_text(text + "\nint probe(void) { return 0; }\n", encoding="utf-8")
        headers = [sysconfig.get_path("include")]
        try:
            with errors_in(printed):
                objects = compiler.compile([str(source)], output_dir=folder, include_dirs=headers, extra_postargs=list(flags))
                if link:
                    compiler.link_shared_object(objects, str(library))
        except Exception as error:  # whatever the compiler's absence looks like on this platform
            printed.seek(0)
            return next((line.strip() for line in printed if "error" in line), str(error))
        return "" if library.exists() or not link else "the compiler made no library"


def holds(condition):
    """Whether the compiler of the target takes this condition of the preprocessor for true."""
    return not complaint(f"#if !({condition})\n#error not so\n#endif")


def instruction_sets():
    """The sets to build for the target, with their flags, and the one that each of its processors can run.

    The compiler knows the target, which need not be this machine. A universal library of macOS has two targets, for which
    no one condition holds: it gets the portable set.
    """
    x86 = holds("defined(__x86_64__)")
    known = X86_SETS if x86 else {"scalar": []}
    baseline = "sse2" if x86 else "scalar"
    usual = [name for name in known if name != "scalar" or not x86]  # its bits are those of sse2
    given = os.environ.get("FASTACT_BUILD_SIMD", "")
    asked = given.replace(",", " ").split() or usual
    if set(asked) - set(known):
        raise SystemExit(f"FASTACT_BUILD_SIMD={given!r} is not of the sets that this compiler builds: {', '.join(known)}")
    if baseline not in asked:
        raise SystemExit(f"FASTACT_BUILD_SIMD={given!r} must have {baseline}, for processors that have no other")
    return {name: flags for name, flags in known.items() if name in asked}, baseline


def extensions():
    """The compiled core, or nothing, with one line that says why."""
    wanted = os.environ.get("FASTACT_BUILD", "")
    if wanted not in ("", "compiled", "numpy"):
        raise SystemExit(f"FASTACT_BUILD must be 'compiled' or 'numpy', not {wanted!r}")
    gnu = "#if !defined(__GNUC__) && !defined(__clang__)\n#error the kernels are in GNU C: gcc or clang can compile it\n#endif"
    problem = "FASTACT_BUILD=numpy is set" if wanted == "numpy" else complaint(f"{gnu}\n#include <Python.h>", *FLAGS, link=True)
    if problem:
        if wanted == "compiled":
            raise SystemExit(f"fastact: no working C compiler: {problem}")
        print(f"fastact: installing without the compiled core, pure NumPy will be used: {problem}", file=sys.stderr)
        return []
    import numpy
    from Cython.Build import cythonize

    without_fenv = holds("defined(__x86_64__) || defined(__aarch64__)")  # as flags.h says
    core = Extension(
        "fastact._core",
        ["fastact/_core.pyx", "src_c/loops.c", "src_c/dispatch.c"],
        include_dirs=["src_c", numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        extra_compile_args=["-std=c11", "-O2", "-g0", "-Wall", "-Wextra", *EXACT],
        # GCC links code that flushes subnormal numbers to zero in the whole process for -ffast-math in CFLAGS, or -Ofast.
        # -s leaves out the names of static functions, 30 KB of the wheel.
        extra_link_args=["-O2", *EXACT, *(["-Wl,-s"] if sys.platform == "linux" else [])] if sys.platform != "win32" else [],
        depends=[
            *map(str, sorted(Path("src_c").glob("*"))),
            *(f"fastact/{name}" for name in ("_core.pyx", "ufuncs.pxi", "in_place.pxi", "codegen.py")),
            *map(str, sorted(Path("fastact").glob("*formulas.py"))),
        ],
        libraries=[] if without_fenv else ["m"],
    )
    return cythonize([core], build_dir="build/cython")


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildCore})
