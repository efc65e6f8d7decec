"""Builds the C core where a C compiler works, and a pure Python package where none does.

These variables of the environment choose what is built:

FASTACT_BUILD=numpy       leaves the core out; =compiled fails where it cannot be built
FASTACT_SETS="avx512"     builds these instruction sets alone
FASTACT_DEBUG=1           builds for a debugger
FASTACT_SANITIZE=address  builds with GCC's or clang's sanitizers of that name; undefined and thread are others

Objects stay in build/objects. One is compiled again if its flags, its source or a header that it includes has changed.
"""

import contextlib
import functools
import hashlib
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

# The instruction sets of x86-64 and what each needs of the compiler: src_c/simd/ has a header for each.
X86_SETS = {
    "scalar": [],
    "sse2": ["-msse2"],
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mbmi2"],
}
# Each of these is compiled once for each set, with flags of its own, which only GCC knows: inlining may make a unit grow by so
# many percent. The loops of wide formulas need more than GCC's 40, or calls stay in them. Rows are as fast with less. A short
# loop whose last instructions lie across two lines of code takes half as long again.
UNITS = {
    "elementwise/float_kernels": ["-falign-loops=64"],
    "elementwise/double_kernels": ["-falign-loops=64"],
    "rows/float_rows": ["--param=inline-unit-growth=20"],
    "rows/double_rows": ["--param=inline-unit-growth=20"],
    "half/conversions": [],
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
DEBUG, SANITIZE = bool(os.environ.get("FASTACT_DEBUG")), os.environ.get("FASTACT_SANITIZE", "")
EXAMINED = ["-g", "-fno-omit-frame-pointer"] if DEBUG or SANITIZE else []
EXAMINED += [f"-fsanitize={SANITIZE}"] if SANITIZE else []
# Nothing is thrown through a kernel: the tables for it would be 40 KB of the wheel.
OPTIMIZED = ["-O1"] if DEBUG else ["-O3"]
FLAGS = [
    "-std=c11",
    *OPTIMIZED,
    "-g0",
    "-fno-asynchronous-unwind-tables",
    "-Wall",
    "-Wextra",
    "-Werror=implicit-function-declaration",
    *EXACT,
    "-fno-math-errno",
    *EXAMINED,
]
OBJECTS, GENERATED = Path("build/objects"), Path("build/generated")


class BuildCore(build_ext):
    """Compiles the units of each instruction set, then the binding, and links them."""

    def build_extension(self, extension):
        """Generate the C of the formulas, compile what has changed, and link it."""
        sets, baseline = instruction_sets()
        if problem := runpy.run_path("src_c/fit/check.py")["complaint"]():
            raise SystemExit(f"fastact: {problem}")
        strict = [] if complaint("", "-Werror") else ["-Werror"]  # the environment's flags may warn of anything
        known = [part for flag in WHERE_KNOWN if not complaint("", *flag.split(), *strict) for part in flag.split()]
        is_gcc = holds("defined(__GNUC__) && !defined(__clang__)")
        codegen = runpy.run_path("fastact/compiled/codegen.py")
        write(GENERATED / "formulas.h", codegen["translate"]())
        write(GENERATED / "coefficients.h", codegen["coefficients"]())

        def unit(name, stem):
            """The object of one unit for one set, or the error that an old compiler makes of its flags."""
            macros = [("SIMD_HEADER", f'"simd/{name}.h"'), ("TABLE", f"fastact_{name}_{Path(stem).name}")]
            try:
                own = UNITS[stem] if is_gcc else []
                return self.compiled(f"src_c/{stem}.c", OBJECTS / name, macros, [*FLAGS, *known, *own, *sets[name]])
            except CompileError as error:
                return error

        jobs = [(name, stem) for stem in UNITS for name in sets]
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # compilers run side by side
            made = dict(zip(jobs, pool.map(lambda job: unit(*job), jobs), strict=True))
        objects, built = [], [("FASTACT_FORMULAS", f'"{codegen["digest"]()}"')]
        for name in sets:
            results = [made[name, stem] for stem in UNITS]
            failed = next((result for result in results if isinstance(result, CompileError)), None)
            if failed is None:
                objects += results
                built.append((f"FASTACT_{name.upper()}", None))
            elif name == baseline or os.environ.get("FASTACT_BUILD") == "compiled" or os.environ.get("FASTACT_SETS"):
                raise failed
            else:
                print(f"fastact: this compiler cannot build the {name} kernels, they are left out: {failed}", file=sys.stderr)
        flags = [*extension.extra_compile_args, *known]
        for precision in ("float", "double"):
            macros = [("T", precision), ("ELEMENTWISE_LOOP", f"fastact_{precision}_loop")]
            objects.append(self.compiled("src_c/elementwise/loop.c", OBJECTS / precision, macros, flags))
        for stem in ("loop", "loop_rows"):
            objects.append(self.compiled(f"src_c/half/{stem}.c", OBJECTS / "core", [], flags))
        objects.append(self.compiled("src_c/dispatch.c", OBJECTS / "core", built, flags))
        objects += [self.compiled(f"src_c/threads/{name}.c", OBJECTS / "core", [], flags) for name in ("pool", "split")]
        for (
            source
        ) in extension.sources:  # NumPy's version is in a macro: installers put its headers into another folder each time
            objects.append(self.compiled(source, OBJECTS / "core", extension.define_macros, flags, extension.include_dirs))
        self.link(extension, objects)

    def compiled(self, source, folder, macros, flags, include_dirs=()):
        """The object of a source; it is compiled only if its flags, its source or a header of ours has changed."""
        include_dirs = ["src_c", str(GENERATED), *include_dirs, sysconfig.get_path("include")]
        record = folder / f"{Path(source).stem}.json"
        key = repr([self.compiler.compiler_so, compiler_version(self.compiler.compiler_so[0]), macros, flags])
        with contextlib.suppress(OSError, ValueError):
            made = json.loads(record.read_text(encoding="utf-8"))
            if (
                made["key"] == key
                and Path(made["object"]).exists()
                and all(digest(path) == known for path, known in made["digests"].items())
            ):
                return made["object"]
        dependencies = folder / f"{Path(source).stem}.d"
        folder.mkdir(parents=True, exist_ok=True)
        (made,) = self.compiler.compile(
            [source],
            output_dir=str(folder),
            include_dirs=include_dirs,
            macros=macros,
            extra_postargs=[*flags, "-MMD", "-MF", str(dependencies)],
        )
        named = re.sub(r"\\\n", " ", dependencies.read_text(encoding="utf-8")).split(":", 1)[1].split()
        ours = {path: digest(path) for path in named if not Path(path).is_absolute()}
        record.write_text(json.dumps({"key": key, "digests": ours, "object": made}), encoding="utf-8")
        return made

    def link(self, extension, objects):
        """The extension module, linked again if an object has changed."""
        target = Path(self.get_ext_fullpath(extension.name))
        kept, record = OBJECTS / target.name, OBJECTS / "linked.json"
        state = json.dumps([[str(path), digest(path)] for path in objects] + [extension.extra_link_args, self.compiler.linker_so])
        if not kept.exists() or not record.exists() or record.read_text(encoding="utf-8") != state:
            self.compiler.link_shared_object(
                objects,
                str(kept),
                libraries=self.get_libraries(extension),
                library_dirs=extension.library_dirs,
                extra_postargs=extension.extra_link_args,
                export_symbols=self.get_export_symbols(extension),
                target_lang="c",
            )
            record.write_text(state, encoding="utf-8")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(kept, target)


def write(path, text):
    """Write a generated file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def digest(path):
    """The digest of a file's contents."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@functools.cache
def compiler_version(command):
    """The version of a compiler, as it prints it."""
    return subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout


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
    given = os.environ.get("FASTACT_SETS", "")
    asked = given.replace(",", " ").split() or usual
    if set(asked) - set(known):
        raise SystemExit(f"FASTACT_SETS={given!r} is not of the sets that this compiler builds: {', '.join(known)}")
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
    # GCC links code that flushes subnormal numbers to zero in the whole process for -ffast-math in CFLAGS, or -Ofast.
    # -s leaves out the names of static functions, 30 KB of the wheel.
    stripped = ["-Wl,-s"] if sys.platform == "linux" and not EXAMINED else []
    core = Extension(
        "fastact.compiled._core",
        ["fastact/compiled/_core.pyx"],
        include_dirs=[numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), ("FASTACT_NUMPY", numpy.__version__)],
        extra_compile_args=["-std=c11", "-O2", "-g0", "-Wall", "-Wextra", *EXACT, *EXAMINED],
        extra_link_args=["-O2", *EXACT, *EXAMINED, *stripped] if sys.platform != "win32" else [],
        libraries=([] if without_fenv else ["m"]) + ([] if sys.platform == "win32" else ["pthread"]),
    )
    return cythonize([core], build_dir="build/cython")


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildCore})
