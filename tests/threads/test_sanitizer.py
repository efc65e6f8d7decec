"""The thread sanitizer finds nothing in the pool, and would find something."""

import subprocess
import sys
from pathlib import Path

import pytest

SANITIZE = Path(__file__).with_name("sanitize.py")
SOURCE = Path(__file__).parents[2] / "src_c" / "threads"
RACE = """
#include <pthread.h>
static int n;
static void *count(void *p) { for (int i = 0; i < 100000; i++) n++; return p; }
int main(void) { pthread_t t; pthread_create(&t, 0, count, 0); count(0); pthread_join(t, 0); return n < 0; }
"""


@pytest.fixture
def has_sanitizer(tmp_path):
    """Whether the compiler has the sanitizer, and it can run here and finds a race."""
    (tmp_path / "race.c").write_text(RACE, encoding="ascii")
    command = ["gcc", "-fsanitize=thread", "-g", str(tmp_path / "race.c"), "-pthread", "-o", str(tmp_path / "race")]
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        pytest.skip("no gcc here")
    if made.returncode or not SOURCE.exists():
        pytest.skip("gcc has no thread sanitizer here, or there is no source")
    found = subprocess.run([str(tmp_path / "race")], capture_output=True, text=True, check=False)
    if "data race" not in found.stderr:
        pytest.skip("the thread sanitizer does not run here")


@pytest.mark.usefixtures("has_sanitizer")
@pytest.mark.parametrize("flags", [(), ("-U__linux__",)], ids=["futex", "condition variable"])
def test_no_race_in_the_pool(flags):
    """Four callers at once, jobs of all sizes, workers that sleep at once and that stay awake."""
    ran = subprocess.run([sys.executable, str(SANITIZE), *flags], capture_output=True, text=True, check=False, timeout=300)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr[-3000:]
    assert ran.stdout.strip().endswith("workers")
