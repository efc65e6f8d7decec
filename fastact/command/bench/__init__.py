"""The benchmark: cases, contestants, a fair clock, and the report. The command runs it, and the programs of benchmarks/ use it.

`headline(rows)` gives the figures that the README quotes, from the rows that `fastact bench --json` wrote.
"""

from .case import COLUMNS, QUICK_SIZES, SIZES, STEPS, Case, Memory, cases, fits, format_size, parse_size
from .clock import measure, repeated
from .contest import contestants, implementations, ours, plain, run, work
from .environment import machine
from .faults import wrong
from .record import DTYPES, by_dtype, by_part, checked, headline, read, save

__all__ = [
    "COLUMNS",
    "DTYPES",
    "QUICK_SIZES",
    "SIZES",
    "STEPS",
    "Case",
    "Memory",
    "by_dtype",
    "by_part",
    "cases",
    "checked",
    "contestants",
    "fits",
    "format_size",
    "headline",
    "implementations",
    "machine",
    "measure",
    "ours",
    "parse_size",
    "plain",
    "read",
    "repeated",
    "run",
    "save",
    "work",
    "wrong",
]
