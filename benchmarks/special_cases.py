"""What each special case of src_c/rows is worth: `python benchmarks/special_cases.py [--write]`, in a checkout, on x86.

A case is taken out by a change of the source, below. The rows are then compiled without it, once for each instruction set and
precision. All of these cores take turns with the whole one in one process. A figure is the time without the case as a multiple
of the time with it, over CELLS: the geometric mean, how many cells take 10 % longer, and the cell that loses most. A case stays
if three cells take 10 % longer on one instruction set, or the mean is 1.5 % up. `--write` keeps the table in special_cases.md.
The first run compiles for about 15 minutes.
"""

import argparse
import concurrent.futures
import ctypes
import hashlib
import itertools
import math
import os
import pathlib
import subprocess
import tempfile
import time

import numpy as np

import fastact as fa
from fastact.command.bench.record import mean

ROOT = pathlib.Path(__file__).parents[1] / "src_c"
TABLE = pathlib.Path(__file__).with_name("special_cases.md")
CACHE = pathlib.Path(tempfile.gettempdir()) / "fastact-special-cases"
SETS = {"avx512": "-mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mbmi2", "avx2": "-mavx2 -mfma"}
FLAGS = "-std=c11 -O3 -shared -fPIC -fno-trapping-math -ffp-contract=off -fno-math-errno --param=inline-unit-growth=20"
PRECISIONS = {"float": np.float32, "double": np.float64}
HEAD = """# What the special cases of src_c/rows are worth

Each was taken out alone: `python benchmarks/special_cases.py --write`. How many times as long as with it: the geometric mean /
how many of the cells take 10 % longer / the worst."""
TAKEN_OUT = "## Taken out"  # what follows it in the file is kept

FIRST = '#include "rows/common.h"'  # before it, a macro is taken from all files
# The changes of each case: a text that stands in one place of src_c/rows, and what it becomes.
CASES = {
    "exponentials from tables": [(FIRST, f"#undef LOOKUPS\n#undef LOOKUPS_f32\n#undef LOOKUPS_f64\n{FIRST}")],
    "K = 0 for moderate rows": [
        ("const int moderate = is_moderate(seen) && flat_moderate(b, c->s, stream);", "const int moderate = 0;"),
        ("if (over || b->done)", "if (1)"),
        ("t->by_k = out.at == x.at ||", "t->by_k = 1 ||"),
    ],
    "streaming stores": [("#ifdef HAVE_STREAM\n    if (c->what", "#if 0\n    if (c->what")],
    "writing lines while others are computed": [
        ("stream_some(stream, PAIR);", "(void)stream;"),
        ("stream_some(stream, end - start);", "(void)stream;"),
        ("if (end >= GRADIENT) stream_some(stream, i - start);", "(void)stream, (void)start;"),
        ("stream_some(stream, n / LANES * LANES);", ""),
    ],
    "prefetching": [(FIRST, f"#undef PREFETCH\n#define PREFETCH(p) (void)(p)\n{FIRST}")],
    "short rows together as one array": [("SHORT_ROW = LANES > 1 ? 8 * LANES : 0", "SHORT_ROW = LANES > 1 ? LANES : 0")],
    "rows of up to 12 entries turned": [("return n > 1 && n <= TURNED && n != 8;", "return n > 99;")],
    "gradients held in registers": [("const int fits = c->n > LANES + LANES / 2 &&", "const int fits = c->n > 1000000 &&")],
    "logarithms in pairs of floats": [("#if defined(LOOKUPS_f32) && defined(ROWS_OF_FLOATS)", "#if 0")],
    "several longer rows together": [("most = at_most(LANES, fit);", "most = at_most(1, fit);")],
    "exponentials kept in the results": [("in_out = keeps && ", "in_out = 0 && keeps && ")],
    "one mask of all rows copied once": [
        ("f->mask_rows >= g.rows) return buffer;", "f->mask_rows >= (size_t)-1) return buffer;")
    ],
    "blocks of 4 where lines collide": [
        (
            "return t.step % (ptrdiff_t)(4096 / sizeof(T)) ? (size_t)TILE_BLOCK : (size_t)TILE_BLOCK / 2;",
            "return t.at ? (size_t)TILE_BLOCK : 0;",
        )
    ],
    "tiles up to a whole line": [("c->all_rows >= 4 * TILE ? before_line(c->out.data) : 0", "0 * before_line(c->out.data)")],
}

FORWARD, FROM_OUTPUT = ("softmax", "log_softmax"), ("softmax_backward_from_output", "log_softmax_backward_from_output")
LENGTHS = (3, 10, 16, 40, 64, 100, 200, 1024, 2048, 32768)
SMALL, LARGE = 1 << 18, 1 << 23
# Name, columns (negative: rows lie across memory), elements, standard deviation, option
CELLS = (
    *((name, n, SMALL, 1, "") for name in FORWARD + FROM_OUTPUT for n in (*LENGTHS, -256, -1024)),
    *((name, n, SMALL, 1, "") for name in ("logsumexp", "cross_entropy") for n in (10, 100, 1024, 2048, 4096, -256)),
    *((name, n, SMALL, 30, "") for name in FORWARD for n in (10, 64, 1024, -256)),
    *((name, n, SMALL, 1, option) for name in FORWARD for option in ("scale", "row mask", "full mask") for n in (16, 64, 1024)),
    *((name, n, LARGE, 1, "") for name in FORWARD + FROM_OUTPUT for n in (10, 64, 256, 1024, -256)),
)


class RowKernel(ctypes.Structure):
    """A row of the table in src_c/api.h."""

    LOOP = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 4, ctypes.c_size_t)
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("signature", ctypes.c_char_p),
        ("loop", LOOP),
        ("what", ctypes.c_int),
    ]


def changed(texts, changes):
    """Texts of the source, by path, without a case."""
    texts = dict(texts)
    for old, new in changes:
        paths = [path for path, text in texts.items() for _ in range(text.count(old))]
        if len(paths) != 1:
            raise ValueError(f"the source has {len(paths)} times, not once: {old}")
        texts[paths[0]] = texts[paths[0]].replace(old, new)
    return texts


def sources():
    """The files of src_c/rows, by path."""
    return {path.relative_to(ROOT): path.read_text() for path in sorted((ROOT / "rows").rglob("*.[ch]"))}


def core(changes, instruction_set, precision):
    """The functions of the rows without a case, by name."""
    texts = changed(sources(), changes)
    flags = f"{FLAGS} {SETS[instruction_set]}"
    digest = hashlib.sha256()
    for part in (
        flags,
        precision,
        *texts.values(),
        *(path.read_text() for folder in ("simd", "math") for path in sorted((ROOT / folder).iterdir())),
    ):
        digest.update(part.encode())
    folder = CACHE / digest.hexdigest()[:20]
    library = folder / "rows.so"
    if not library.exists():
        for path, text in texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        command = ["gcc", *flags.split(), f"-I{folder}", f"-I{ROOT}", f'-DSIMD_HEADER="simd/{instruction_set}.h"', "-DTABLE=rows"]
        made = folder / "made.so"
        subprocess.run([*command, folder / "rows" / f"{precision}_rows.c", "-o", made], check=True)
        made.rename(library)
    table = (RowKernel * 99).in_dll(ctypes.CDLL(str(library)), "rows")
    return {kernel.name.decode(): kernel for kernel in itertools.takewhile(lambda kernel: kernel.name, table)}


def call_of(cell, dtype, generator):
    """A function that calls a kernel of a core on the arrays of a cell."""
    name, n, size, deviation, option = cell
    rows = size // abs(n)
    shape = (rows, n) if n > 0 else (-n, rows)
    x, grad, out = (generator.standard_normal(shape).astype(dtype) for _ in range(3))
    if name in ("logsumexp", "cross_entropy"):
        out = np.empty(rows, dtype)
    x *= dtype(deviation)
    if "from_output" in name:
        x = (fa.softmax if name.startswith("softmax") else fa.log_softmax)(x, axis=-1 if n > 0 else 0)
    operands = [grad, x, out] if "from_output" in name else [x, out]
    if name == "cross_entropy":
        operands[1:1] = [np.arange(rows) % abs(n), np.array([0.0])]
    if option:
        name += "_masked"
        mask = generator.random((1, n) if option == "row mask" else shape) < (2 if option == "scale" else 0.5)
        numbers = [np.array([value]) for value in (0.1 if option == "scale" else 1.0, -np.inf, np.int64(1 << 62))]
        operands[-1:] = [*numbers, np.broadcast_to(mask, shape), out]
    matrices = [array for array in operands if array.ndim == 2]
    outer = [array.strides[n < 0] if array.ndim == 2 else array.strides[0] * (array.size == rows) for array in operands]
    steps = outer + [array.strides[n > 0] for array in matrices]
    arguments = [
        (ctypes.c_void_p * len(operands))(*(array.ctypes.data for array in operands)),
        (ctypes.c_ssize_t * 2)(rows, abs(n)),
        (ctypes.c_ssize_t * len(steps))(*steps),
    ]
    return lambda kernels: kernels[name].loop(*arguments, ctypes.byref(kernels[name]), rows), operands


def best_times(call, cores, seconds):
    """The best time of a call in each core, which take turns in an order that turns, too."""
    best = [math.inf] * len(cores)
    end = time.perf_counter() + seconds
    turn = 0
    while turn < 5 or time.perf_counter() < end:
        for i in range(len(cores)):
            i = (i + turn) % len(cores)
            start = time.perf_counter()
            call(cores[i])
            best[i] = min(best[i], time.perf_counter() - start)
        turn += 1
    return best


def label(cell):
    """What a cell is called in the table."""
    name, n, size, deviation, option = cell
    parts = [name.replace("_backward_from_output", "' from y"), f"{n} columns" if n > 0 else f"axis 0 of {-n}", option]
    return ", ".join(filter(None, [*parts, "deviation 30" * (deviation > 1), "8 Mi" * (size == LARGE)]))


def measured(instruction_set, precision, cases, seconds):
    """For each case, how many times as long each cell takes without it."""
    from tqdm import tqdm

    names = list(cases)
    cores = [core([], instruction_set, precision)] + [core(cases[name], instruction_set, precision) for name in names]
    figures = {name: [] for name in names}
    for cell in tqdm(CELLS, f"{instruction_set} {precision}"):
        call, operands = call_of(cell, PRECISIONS[precision], np.random.default_rng(1))
        whole, *without = best_times(call, cores, seconds * (8 if cell[2] == LARGE else 1))
        for name, seconds_without in zip(names, without, strict=True):
            figures[name].append((seconds_without / whole, label(cell)))
        del operands
    return figures


def row_of(case, figures):
    """A row of the table: mean, cells over 1.10 and the worst, for each list of ratios and their cells."""
    parts, stays = [], False
    for ratios in figures:
        average = mean(ratio for ratio, _ in ratios)
        over = sum(ratio > 1.1 for ratio, _ in ratios)
        worst, cell = max(ratios)
        parts.append(f"{average:.3f} / {over} / {worst:.2f} ({cell})")
        stays |= over >= 3 or average >= 1.015
    return f"| {case} | {' | '.join(parts)} | {'stays' if stays else 'goes'} |"


def main():
    """Read the arguments, compile, measure, and print or keep the table."""
    from tqdm import tqdm

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="for each cell; eight times as many for 8 Mi elements")
    parser.add_argument("--case", help="only the cases that have this text in their names")
    parser.add_argument("--write", action="store_true", help="keep the table")
    arguments = parser.parse_args()
    cases = {name: changes for name, changes in CASES.items() if not arguments.case or arguments.case in name}
    kinds = [(instruction_set, precision) for precision in PRECISIONS for instruction_set in SETS]
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        jobs = [(changes, *kind) for kind in kinds for changes in ([], *cases.values())]
        list(tqdm(pool.map(lambda job: core(*job), jobs), "compiled", len(jobs)))
    figures = [measured(*kind, cases, arguments.seconds) for kind in kinds]
    lines = [f"| without | {' | '.join(f'{set_} {precision}' for set_, precision in kinds)} | |", "|---" * (len(kinds) + 2) + "|"]
    lines += [row_of(case, [of_kind[case] for of_kind in figures]) for case in cases]
    print("\n".join(lines))
    if arguments.write:
        taken_out = TABLE.read_text().partition(TAKEN_OUT)[2]
        TABLE.write_text(f"{HEAD}\n\n" + "\n".join(lines) + f"\n\n{TAKEN_OUT}{taken_out}")


if __name__ == "__main__":
    main()
