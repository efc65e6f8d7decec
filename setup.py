"""Builds the C core where a C compiler works, and a pure Python package where none does.

FASTACT_BUILD=numpy leaves the core out; FASTACT_BUILD=compiled fails where it cannot be built.
"""

import os
import platform
import runpy
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

# The instruction sets and what each needs of the compiler: one header, one row.
SETS = {"scalar": []}
X86 = platform.machine().lower() in ("x86_64", "amd64")
if X86:
    SETS |= {
        "sse2": ["-msse2"],
        "avx2": ["-mavx2", "-mfma"],
        "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mbmi2"],
    }
# No value changes: contraction would differ between compilers, -ffast-math break NaN and error-free steps. The last two
# only say that errno and the flags need not be kept in order, which flags.h restores anyway.
FLAGS = ["-std=c11", "-O3", "-g0", "-Wall", "-Wextra", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]


class BuildCore(build_ext):
    """Compiles kernels.c and rows.c once for each instruction set."""

    def build_extension(self, extension):
        """Generate the C formulas, compile each set with its own flags, and link them into the extension."""
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
                    extra_postargs=[*FLAGS, *SETS[name]],
                    depends=extension.depends,
                )
            except CompileError as error:
                return error

        with ThreadPoolExecutor(os.cpu_count()) as pool:  # compilers run side by side: 28 s on two cores instead of 45
            made = dict(zip(SETS, pool.map(objects, SETS), strict=True))
        for name, result in made.items():
            if not isinstance(result, CompileError):
                extension.extra_objects += result
                extension.define_macros.append((f"FASTACT_{name.upper()}", None))
            elif name == "scalar" or os.environ.get("FASTACT_BUILD") == "compiled":
                raise result
            else:
                print(f"fastact: this compiler cannot build the {name} kernels, they are left out: {result}", file=sys.stderr)
        super().build_extension(extension)


def compiler_works():
    """Whether a C compiler and Python's headers are here: try, on one line of C."""
    from setuptools._distutils.ccompiler import new_compiler
    from setuptools._distutils.sysconfig import customize_compiler

    compiler = new_compiler()
    customize_compiler(compiler)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.c"
        source.write_text("#include <Python.h>\nint probe(void) { return PY_VERSION_HEX; }\n", encoding="utf-8")
        try:
            objects = compiler.compile([str(source)], output_dir=folder, include_dirs=[sysconfig.get_path("include")])
            compiler.link_shared_object(objects, str(Path(folder) / "probe.so"))
            if not (Path(folder) / "probe.so").exists():
                return "the compiler made no library"
        except Exception as error:  # whatever the compiler's absence looks like on this platform
            return str(error)
    return ""


def extensions():
    """The compiled core, or nothing, with one line that says why."""
    wanted = os.environ.get("FASTACT_BUILD", "")
    if wanted not in ("", "compiled", "numpy"):
        raise SystemExit(f"FASTACT_BUILD must be 'compiled' or 'numpy', not {wanted!r}")
    problem = "FASTACT_BUILD=numpy is set" if wanted == "numpy" else compiler_works()
    if problem:
        if wanted == "compiled":
            raise SystemExit(f"fastact: no working C compiler: {problem}")
        print(f"fastact: installing without the compiled core, pure NumPy will be used: {problem}", file=sys.stderr)
        return []
    import numpy
    from Cython.Build import cythonize

    core = Extension(
        "fastact._core",
        ["fastact/_core.pyx", "src_c/loops.c", "src_c/dispatch.c"],
        include_dirs=["src_c", numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        extra_compile_args=["-std=c11", "-O2", "-g0", "-Wall", "-Wextra"],
        # without the names of static functions, 30 KB of a wheel that is to stay below 2 MB
        extra_link_args=["-Wl,-s"] if sys.platform == "linux" else [],
        depends=[
            *map(str, sorted(Path("src_c").glob("*"))),
            *(f"fastact/{name}" for name in ("_core.pyx", "in_place.pxi", "codegen.py", "formulas.py")),
        ],
        libraries=[] if X86 or platform.machine().lower() in ("aarch64", "arm64") else ["m"],  # flags.h: fenv elsewhere
    )
    return cythonize([core], build_dir="build/cython")


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildCore})
