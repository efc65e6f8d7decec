"""What scale=, sink=, mask= and causal= cost in functions along an axis: `python benchmarks/row_options.py [--write]`.

A figure is the time of a call with an option as a multiple of the call without it, on the same shape of 256 Ki elements and into
memory that is there. Both take turns in one process, and the best of many rounds counts. AIMS has the figures that the project
aims at; a "!" marks one that is missed. The last lines compare attention scores with NumPy and, where it is installed, PyTorch.
FASTACT_SIMD=avx2 holds all of them to AVX2. `--write` keeps the figures of the set that runs in row_options.json.
"""

import argparse
import json
import math
import os
import pathlib

from held import HELD, hold

if os.environ.get("FASTACT_SIMD") in HELD:
    hold(os.environ["FASTACT_SIMD"], OMP_NUM_THREADS="1")

import numpy as np

import fastact as fa
from fastact.command import bench

RECORD = pathlib.Path(__file__).with_name("row_options.json")
SIZE = 1 << 18
COLUMNS = (16, 64, 256, 1024)
# How many times as long as the call without the option.
AIMS = {
    "scale": 1.15,
    "softmin": 1.15,
    "sink": 1.2,
    "row mask": 1.4,
    "padding (8, 1, 1, n)": 1.4,
    "full mask": 1.8,
    "full mask, 10 %": 1.8,
    "full mask, 90 %": 1.8,
    "full mask, padding": 1.8,
    "causal": 0.8,
}
CAUSAL_FROM = 256  # columns; a causal call on fewer has no aim
ATTENTION = (12, 256, 256)  # heads, queries, keys
# How many times as fast on attention scores.
ATTENTION_AIMS = {"avx512": {"NumPy": 8, "PyTorch": 3}, "avx2": {"NumPy": 4, "PyTorch": 2}}
FROM_OUTPUT = " y="
FUNCTIONS = (
    *("softmax", "log_softmax", "logsumexp"),
    *("softmax_backward y=", "softmax_backward", "log_softmax_backward y=", "log_softmax_backward", "logsumexp_backward"),
)
# The options that a function does not have, and those that are measured for softmax alone.
LACKING = {
    "scale": {"logsumexp", "logsumexp_backward"},
    "softmin": {"logsumexp", "logsumexp_backward"},
    "sink": {"log_softmax", "logsumexp", "log_softmax_backward y=", "log_softmax_backward", "logsumexp_backward"},
    **dict.fromkeys(("full mask, 10 %", "full mask, 90 %", "full mask, padding"), {*FUNCTIONS} - {"softmax"}),
}


def keywords(option, shape, generator):
    """The keywords of an option. A mask of one row keeps half of it exactly."""
    columns = shape[-1]
    if option == "row mask":
        return {"mask": generator.permutation(columns) < columns // 2}
    if option.endswith("padding"):
        return {"mask": np.arange(columns) < generator.integers(1, columns + 1, (*shape[:-1], 1))}
    if option == "padding (8, 1, 1, n)":
        return {"mask": np.arange(columns) < generator.integers(1, columns + 1, (8, 1, 1, 1))}
    if option.startswith("full mask"):
        kept = {"full mask": 0.5, "full mask, 10 %": 0.1, "full mask, 90 %": 0.9}[option]
        return {"mask": generator.random(shape) < kept}
    values = {"scale": {"scale": 0.1}, "softmin": {"scale": -1.0}, "sink": {"sink": 0.0}, "causal": {"causal": True}}
    return values.get(option, {})


def public(name, option, given):
    """The function that has the option, and its keywords: softmin and softmax_one are functions of their own."""
    if option == "softmin" and name == "softmax":
        return fa.softmin, {}
    return getattr(fa, name.replace("softmax", "softmax_one") if option == "sink" else name), given


def call(function, option, shape, dtype):
    """A call without arguments, into memory that is there. A backward pass from y gets the y of the same option."""
    generator = np.random.default_rng(0)
    x, upstream = generator.normal(0, 2, shape).astype(dtype), generator.normal(0, 1, shape).astype(dtype)
    given, out = keywords(option, shape, generator), np.empty(shape, dtype)
    per_row = np.ones(shape[:-1], dtype)
    name = function.removesuffix(FROM_OUTPUT)
    run, given = public(name, option, given)
    if name == "logsumexp":
        return lambda: run(x, out=per_row, **given)
    if name == "logsumexp_backward":
        return lambda: run(per_row, x, out=out, **given)
    if name == function:
        return lambda: run(upstream, x, out=out, **given) if name.endswith("_backward") else run(x, out=out, **given)
    forward, options = public(name.removesuffix("_backward"), option, given)
    y = forward(x, **options)
    return lambda: run(upstream, y=y, out=out, **given)


def shape_for(option, columns):
    """256 Ki elements: square blocks for a causal call, a batch of attention (8, heads, queries, keys) for padding, else rows."""
    if option == "causal":
        return max(1, SIZE // columns**2), columns, columns
    if option == "padding (8, 1, 1, n)":
        return 8, 2, SIZE // columns // 16, columns
    return SIZE // columns, columns


def ratios(function, options, columns, dtype, seconds):
    """The time of the call without an option, in ns an element, and the multiples of it by option."""
    calls = {option: call(function, option, shape_for(option, columns), dtype) for option in ("plain", *options)}
    if "causal" in options:
        calls["blocks"] = call(function, "plain", shape_for("causal", columns), dtype)
    best = bench.measure(calls, seconds, rounds=5)
    plain = {option: best["blocks" if option == "causal" else "plain"] for option in options}
    return best["plain"] / SIZE, {option: best[option] / plain[option] for option in options}


def compare(functions, options, dtype, seconds):
    """Print a table for each function, and yield (its cells' names, ratio, aim or None, ns an element of the plain call)."""
    for function in functions:
        chosen = [option for option in options if function not in LACKING.get(option, ())]
        if not chosen:
            continue
        cells = {columns: ratios(function, chosen, columns, dtype, seconds) for columns in COLUMNS}
        print(f"\n{dtype} {function:24}    aim" + "".join(f"{columns:8} " for columns in COLUMNS))
        print(f"  {'plain, ns an element':35}" + "".join(f"{plain:9.3f}" for plain, _ in cells.values()).removeprefix(" "))
        for option in chosen:
            line = f"  {option:29}{AIMS[option]:7.2f}"
            for columns, (plain, found) in cells.items():
                aim = AIMS[option] if option != "causal" or columns >= CAUSAL_FROM else None
                line += f"{found[option]:8.2f}{'!' if aim and found[option] > aim else ' '}"
                yield f"{dtype}, {function}, {option}, {columns}", found[option], aim, plain
            print(line, flush=True)


def attention(dtype, seconds):
    """Calls on attention scores, scaled and causal: ours, NumPy's line, and PyTorch's."""
    scores = np.random.default_rng(0).normal(0, 8, ATTENTION).astype(dtype)
    mask = np.where(np.tri(ATTENTION[-1], dtype=bool), 0, -np.inf).astype(dtype)
    out = np.empty_like(scores)

    def plain():
        z = scores / 8 + mask
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    calls = {"fastact": lambda: fa.softmax(scores, scale=0.125, causal=True, out=out), "NumPy": plain}
    try:
        import torch
    except ImportError:
        print("(PyTorch is not installed)")
    else:
        torch.set_num_threads(1)
        s, m = torch.from_numpy(scores), torch.from_numpy(mask)
        calls["PyTorch"] = lambda: torch.softmax(s * 0.125 + m, -1)
    best = bench.measure(calls, seconds, rounds=5)
    for other in (label for label in calls if label != "fastact"):
        ratio, aim = best[other] / best["fastact"], ATTENTION_AIMS.get(fa.simd, {}).get(other, 0)
        mark, times = "!" if ratio < aim else " ", f"{best['fastact'] / 1000:.0f} us, {other} {best[other] / 1000:.0f}"
        print(f"{dtype} {ATTENTION}, scale=.125, causal=True: {times}: {ratio:.2f} times as fast{mark} (aim {aim})", flush=True)
        yield f"{dtype}, attention, {other}", {"times_as_fast": round(ratio, 2), "us": round(best["fastact"] / 1000, 1)}


def main():
    """Parse the arguments, measure, print, and keep the record where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="for each function, dtype and number of columns")
    parser.add_argument("--dtype", nargs="+", default=["float32", "float64"], choices=["float32", "float64"])
    parser.add_argument("--function", nargs="+", default=FUNCTIONS, choices=FUNCTIONS, metavar="NAME", help=", ".join(FUNCTIONS))
    parser.add_argument("--option", nargs="+", default=list(AIMS), choices=list(AIMS), metavar="NAME", help=", ".join(AIMS))
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {RECORD.name}, those of other cells too")
    arguments = parser.parse_args()
    print(f"{fa.simd}, {SIZE >> 10} Ki elements: times with an option, as multiples of the time without")
    figures, aimed = {}, []
    for dtype in arguments.dtype:
        for cell, ratio, aim, plain in compare(arguments.function, arguments.option, dtype, arguments.seconds):
            figures[cell] = {"ratio": round(ratio, 3), "plain_ns_per_element": round(plain, 4)}
            aimed += [(ratio, aim)] if aim else []
    mean = math.exp(sum(math.log(ratio / aim) for ratio, aim in aimed) / max(1, len(aimed)))
    missed = sum(ratio > aim for ratio, aim in aimed)
    print(f"\n{missed} of {len(aimed)} aims missed; figure / aim: geometric mean {mean:.2f}\n")
    if "softmax" in arguments.function and "causal" in arguments.option:
        for dtype in arguments.dtype:
            figures |= dict(attention(dtype, arguments.seconds))
    if arguments.write:
        record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
        record[fa.simd] = {**record.get(fa.simd, {}), **figures}
        RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
