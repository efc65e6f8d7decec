"""Run the pool under the thread sanitizer: `python tests/threads/sanitize.py [flags of the compiler]`.

It needs gcc or clang with that sanitizer. What it finds it prints, and ends with another exit code than 0. With -U__linux__ the
pool waits as on other systems, without a futex.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src_c"


def compiled(folder, flags):
    """The program; the second value is what the compiler says where it cannot make it."""
    program = Path(folder) / "pool_race"
    command = [os.environ.get("CC", "gcc"), "-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=thread"]
    command += [
        *flags,
        f"-I{SOURCE}",
        str(HERE / "pool_race.c"),
        str(SOURCE / "threads" / "pool.c"),
        "-pthread",
        "-o",
        str(program),
    ]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return program, str(error)
    return program, ran.stderr if ran.returncode else ""


def main(*flags):
    """Compile and run."""
    with tempfile.TemporaryDirectory() as folder:
        program, problem = compiled(folder, flags)
        if problem:
            sys.exit(problem)
        environment = {**os.environ, "TSAN_OPTIONS": "halt_on_error=1 exitcode=66"}
        sys.exit(subprocess.run([str(program)], env=environment, check=False).returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
