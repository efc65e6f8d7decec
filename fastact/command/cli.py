"""The console command `fastact`: `fastact info`, `fastact bench` and `fastact plot`."""

import argparse
import importlib.util
import os
import sys
import typing

import numpy as np

from .. import __version__, backend, reason, register_bfloat16, sigmoid, simd, threads
from ..backends import FOLDER, available, explain_stale
from ..calls.arguments import known_bfloat16
from ..docstrings import listing
from ..plots.command import add as add_plot
from . import bench
from .bench import peers, report

DESCRIPTION = "Activation functions for NumPy arrays: what is installed here, and how fast it is."
BENCH_DESCRIPTION = (
    "Time every function, forward and backward (from the input, and from the output with y=), against the line of NumPy that "
    "people write for it and against the NumPy fallback, and say what that line gets wrong: on standard normal numbers, on one "
    "thread unless --threads says otherwise. All take turns and the best of several rounds counts, so that a noisy machine does "
    "not decide. A full run takes under four minutes for each dtype and number of threads."
)
# The width of the column of calls. Few calls are longer: they run over it.
CALL_WIDTH = 60


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line."""

    def error(self, message):
        """Say what is wrong and where the help is."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(arguments=None):
    """Run the command.

    Parameters
    ----------
    arguments : list of str, optional
        Without the program's name; the process's own by default.

    Returns
    -------
    int
        The exit code: 0, or 130 for a run that was interrupted. User errors exit with 2.
    """
    parser = Parser(prog="fastact", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"fastact {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    info_parser = commands.add_parser(
        "info", help="print version, backend and machine", description="Print version, backend and machine."
    )
    info_parser.add_argument("--functions", action="store_true", help="list the functions: call, definition, backward")
    info_parser.set_defaults(run=lambda options: functions() if options.functions else info())
    bench_parser = commands.add_parser(
        "bench",
        help="time the functions against the line of NumPy that people write",
        description=BENCH_DESCRIPTION,
    )
    bench_parser.set_defaults(run=lambda options: benchmark(options, bench_parser))
    bench_parser.add_argument("--quick", action="store_true", help="without 8Mi, and with fewer rounds: under a minute")
    bench_parser.add_argument(
        "--dtype",
        metavar="A,B",
        type=dtypes,
        default=["float32"],
        help="float32, float64, float16, bfloat16 (of ml_dtypes), or some of them, as in float64,float32; default: float32",
    )
    bench_parser.add_argument(
        "--functions",
        metavar="A,B,...",
        type=chosen_cases,
        help="only these, e.g. 'sigmoid,elu_backward,softmax[1024]'; default: all",
    )
    bench_parser.add_argument(
        "--sizes", metavar="N,N,...", type=sizes, help="numbers of elements, e.g. 16,1000,4Mi; default: 16,1Ki,256Ki,8Mi"
    )
    bench_parser.add_argument(
        "--peers",
        metavar="A,B,...",
        nargs="?",
        const="installed",
        help="also other libraries: torch, scipy, jax; default: those that are installed",
    )
    bench_parser.add_argument(
        "--threads",
        metavar="N,N,...",
        type=numbers_of_threads,
        default=[1],
        help="measure on each of these numbers of threads, as in 1,2; the peers run on the same number; default: 1",
    )
    bench_parser.add_argument("--read", metavar="FILE", help="print what --json has written, and measure nothing")
    bench_parser.add_argument("--json", metavar="FILE", type=writable, help="write machine and rows as JSON")
    add_plot(commands)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except BrokenPipeError:  # the reader has stopped, as in `fastact bench | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # as on a full disk
        parser.error(str(error))
    except KeyboardInterrupt:
        return 130


def info():
    """Print what is installed and what it runs on."""
    machine = bench.machine()
    lines = {
        "fastact": f"{__version__}, in {FOLDER}",
        "backend": backend,
        "because": reason,
        "out of date": explain_stale(),
        "instruction set": simd if backend == "compiled" else "none of its own; NumPy picks",
        "available here": ", ".join(available()),
        "threads": f"{threads.get_num_threads()} at most, {threads.explain()}",
        "bfloat16": bfloat16(),
        "NumPy": machine["numpy"],
        "Python": f"{machine['python']}, {machine['system']}",
        "NumPy's BLAS": machine["blas"],
        "processor": f"{machine['cpu']}, {machine['cores']} cores",
        "load": machine["load"],
    }
    for name, value in lines.items():
        if value is not None:
            print(f"{name:<15}  {value}")
    return 0


def bfloat16():
    """Whether the loops for bfloat16 are registered, or what registers them."""
    dtype, ufunc = known_bfloat16(), typing.cast(np.ufunc, sigmoid)
    if dtype is None and not importlib.util.find_spec("ml_dtypes"):
        return "not registered: ml_dtypes, whose dtype it is, is not installed"
    if backend != "compiled":
        return "needs no registration, for NumPy computes"
    if dtype is not None and ufunc.resolve_dtypes((dtype, None))[1] == dtype:
        return "registered"  # by this question, if not before
    return "not registered yet: the first call that gets such an array registers it"


def functions():
    """Print a line for each function: its call, what its backward pass starts from, and its definition."""
    lines = [("function", "backward from", "definition")]
    lines += [(", ".join([one.call, *one.aliases]), one.start, one.definition) for one in listing()]
    width = max(len(start) for _, start, _ in lines)
    for call, start, definition in lines:
        print(f"{call:<{CALL_WIDTH}}  {start:<{width}}  {definition}")
    return 0


def benchmark(options, parser):
    """Run the benchmark that the options describe, and print and save it."""
    if options.read is not None:
        return reread(options.read, parser)
    chosen = options.functions or bench.cases()
    asked = options.sizes or (bench.QUICK_SIZES if options.quick else bench.SIZES)
    arrays = max(case.arrays for case in chosen)
    widest = max(options.dtype, key=lambda dtype: np.dtype(dtype).itemsize)
    too_large = [size for size in asked if not bench.fits(size, widest, arrays)]
    work = bench.work(chosen, [size for size in asked if size not in too_large])
    if not work and too_large:
        parser.error(
            f"{arrays} arrays of {format_sizes(too_large)} {widest} take over half of the memory: choose smaller --sizes"
        )
    if not work:
        parser.error(f"no row of {chosen[0].name} fits into {format_sizes(asked)} elements: choose larger --sizes")
    try:
        others = peers.contestants(options.peers, options.threads) if options.peers is not None else {}
    except ValueError as error:
        parser.error(f"argument --peers: {error}")
    machine = bench.machine() | ({"peers": peers.versions(others)} if others else {})
    print(*report.header(machine, options.dtype, options.threads), sep="\n", flush=True)
    if too_large:
        print(f"left out, for they would take over half of the memory: {format_sizes(too_large)}")

    rows, code = [], 0
    plain: dict[str, dict] = {}
    everyone = bench.contestants(others)
    try:
        for dtype in options.dtype:
            memory = bench.Memory(max(size for _, size in work), dtype)
            for number in options.threads:
                peers.set_threads(others, number)
                rows.extend(bench.run(progress(work), everyone, memory, 0.05 if options.quick else 0.15, threads=number))
        plain = bench.wrong(chosen) if "float32" in options.dtype else {}
    except KeyboardInterrupt:
        print("interrupted: this is what was measured until then", file=sys.stderr)
        code = 130
    record = {"machine": machine, "plain": plain, "rows": rows}
    print(*report.report(record), sep="\n")
    if options.json:
        bench.save(record, options.json)
    return code


def reread(path, parser):
    """Print the record of an earlier run."""
    try:
        record = bench.read(path)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    measured = [list(dict.fromkeys(facts)) for facts in zip(*bench.by_part(record["rows"]), strict=True)] or [[], [1]]
    print(*report.header(record["machine"], *measured), *report.report(record), sep="\n")
    return 0


def dtypes(text):
    """A list of dtypes, from a text with commas."""
    chosen = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in chosen:
        if name not in bench.DTYPES:
            raise argparse.ArgumentTypeError(f"unknown dtype {name!r}: choose among {', '.join(bench.DTYPES)}")
    if "bfloat16" in chosen:
        try:
            register_bfloat16()
        except ImportError:
            raise argparse.ArgumentTypeError("bfloat16 is a dtype of ml_dtypes: pip install ml_dtypes") from None
    return chosen


def numbers_of_threads(text):
    """A list of numbers of threads, from a text with commas."""
    try:
        return list(dict.fromkeys(threads.checked("--threads", "N", int(part), 1, threads.MOST) for part in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers from 1 to {threads.MOST}") from None


def progress(work):
    """`work`, with a bar of tqdm on stderr, or a plain counter without tqdm; with neither where stderr is no terminal."""
    try:
        from tqdm import tqdm
    except ImportError:
        return counter(work)
    return tqdm(work, unit="row", leave=False, disable=None)


def counter(work):
    """`work`, counted on one line of stderr."""
    for i, item in enumerate(work, 1):
        if sys.stderr.isatty():
            print(f"\r{i}/{len(work)} ", end="\r" if i == len(work) else "", file=sys.stderr, flush=True)
        yield item


def format_sizes(numbers):
    """Sizes as one text."""
    return ", ".join(map(bench.format_size, numbers))


def chosen_cases(text):
    """The cases that --functions names."""
    every, chosen = bench.cases(), []
    for name in text.split(","):
        found = [case for case in every if name.strip() in (case.name, case.forward, case.function)]
        if not found:
            names = ", ".join(dict.fromkeys(key for case in every for key in (case.forward, case.name)))
            raise argparse.ArgumentTypeError(
                f"unknown function {name.strip()!r}: choose among {names}, or one of them with _backward"
            )
        chosen += found
    return [case for case in every if case in chosen]


def sizes(text):
    """The sizes that --sizes names."""
    try:
        return sorted({bench.parse_size(part) for part in text.split(",")})
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def writable(path):
    """The path, if a file there can be written. This is tried before the long run, and leaves no file behind."""
    existed = os.path.exists(path)
    try:
        with open(path, "ab"):
            pass
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write {path!r}: {error.strerror}") from None
    if not existed:
        os.remove(path)
    return path
