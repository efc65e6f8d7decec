"""The kernels made of the tables: the factors of each, and the function that serves beyond its table."""

import numpy as np
from tables import TABLES
from tails import hexadecimal

from fastact.declare import ACTIVATIONS
from fastact.numpy_backend.evaluators import evaluators as numpy_evaluators

# Tables whose kernels are in softcap.h and in GATES
OF_PAIRS = {"softcap", "swiglu_backward", "geglu_backward", "geglu_tanh_backward"}
# kernel: its table, the number of the input that the table takes, and the inputs that multiply the result (a bit for each)
KERNELS = {name: (name, 1, 0b1) if name.endswith("_backward") else (name, 0, 0) for name in TABLES if name not in OF_PAIRS} | {
    "celu": ("elu", 0, 0),
    "celu_backward": ("elu_backward", 1, 0b1),
    "softplus_backward": ("sigmoid", 1, 0b1),
    "glu": ("sigmoid", 1, 0b1),
    "swiglu": ("silu", 0, 0b10),
    "geglu": ("gelu", 0, 0b10),
    "geglu_tanh": ("gelu_tanh", 0, 0b10),
}
# Functions of the form s g(x / s), with s = 1 / p or s = p for a parameter p (scaled.h)
SCALED = {"silu": "BY_RATE", "softplus": "BY_RATE", "snake": "BY_RATE", "celu": "BY_SCALE"}
# The backward passes of gated pairs: their kind, the number of the input that the table takes, and the table
GATES = {
    "glu_backward": ("SIGMOID_SLOPES", 2, "sigmoid_tail_fit()"),
    "swiglu_backward": ("GATE_SLOPES", 1, "FIT_swiglu_backward"),
    "geglu_backward": ("GATE_SLOPES", 1, "FIT_geglu_backward"),
    "geglu_tanh_backward": ("GATE_SLOPES", 1, "FIT_geglu_tanh_backward"),
}
# Kernels that are written by hand, and kernels whose part outside the table is: the file of each
WRITTEN_BY_HAND = {
    "softcap": "softcap.h",
    "softcap_backward": "softcap.h",
    "snake_backward": "snake.h",
    "binary_cross_entropy": "cross_entropy.h",
    "binary_cross_entropy_backward": "cross_entropy.h",
    "binary_cross_entropy_both": "cross_entropy.h",
}
OUTSIDE_BY_HAND = dict.fromkeys(
    ("gelu", "gelu_backward", "gelu_tanh", "gelu_tanh_backward", "logit", "geglu_backward", "geglu_tanh_backward"), "tails.h"
)


def check():
    """Hold KERNELS and SCALED against the formulas."""
    rng = np.random.default_rng(0)
    evaluators = numpy_evaluators()
    for name, (table, argument, factors) in KERNELS.items():
        activation, base = ACTIVATIONS[name.removesuffix("_backward")], ACTIVATIONS[table.removesuffix("_backward")]
        inputs = [rng.uniform(0.06, 0.94, 1000) for _ in range(len(activation.operands) + name.endswith("_backward"))]
        inputs[argument] = inputs[argument] if table == "logit" else rng.normal(0, 3, 1000)
        ones = [np.ones(1000)] if table.endswith("_backward") else []
        expected = evaluators[table](*ones, inputs[argument], *values(base))
        for i, each in enumerate(inputs):
            expected = expected * (each if factors >> i & 1 else 1)
        found = evaluators[name](*inputs, *values(activation))
        if not np.allclose(found, expected, rtol=1e-12, atol=1e-14):
            raise SystemExit(
                f"the kernel {name} of src_c/fit/kernels.py is not the table of {table} times its factors: change KERNELS"
            )
    x, p = rng.normal(0, 3, 1000), rng.uniform(0.5, 2, 1000)
    for name, by in SCALED.items():
        s, of, slope = p if by == "BY_SCALE" else 1 / p, evaluators[name], evaluators[f"{name}_backward"]
        default, one = values(ACTIVATIONS[name]), np.ones(1000)
        if not (
            np.allclose(of(x, p), s * of(x / s, *default), rtol=1e-12, atol=1e-14)
            and np.allclose(slope(one, x, p), slope(one, x / s, *default), rtol=1e-12, atol=1e-14)
        ):
            raise SystemExit(f"{name} is not s g(x / s) with {by} of src_c/fit/kernels.py: change SCALED")


def values(activation):
    """The values of the parameters that the tables are made for."""
    return [np.nan if value is None else value for value in activation.parameters.values()]


def kernels():
    """The text of kernels.h. Each function stands there under its full name, so that a search finds it."""
    text, rows = "", []
    for name, (table, argument, factors) in KERNELS.items():
        activation = ACTIVATIONS[name.removesuffix("_backward")]
        arrays = len(activation.operands) + name.endswith("_backward")
        output = output_of(table, factors, f"{name}_outside" if table in OUTSIDE_BY_HAND else f"{name}_uniform")
        kind = "GATED_PAIR" if len(activation.operands) == 2 else "ONE"
        call = f"fitted_block({kind}, {arrays}, {argument}, {output}, in, parameter, out, n)"
        by = SCALED.get(name.removesuffix("_backward"))
        if activation.halves:
            text += of_halves(name, argument, output)
            rows.append(row(name, False, f"{name}_halves"))
        elif by:
            text += kernel(f"{name}_fitted_standard", f"    {call};\n")
            output = f"(Output){{FIT_{table}, TAIL_none, {name}_composed, {factors}}}"
            text += scaled(name, arrays, by, standard(activation), output)
            rows.append(row(name, True))
        elif activation.parameters:
            text += kernel(f"{name}_fitted_standard", f"    {call};\n")
            text += at_default(name, arrays, standard(activation))
            rows.append(row(name, True))
        else:
            text += kernel(f"{name}_fitted", f"    {call};\n")
            rows.append(row(name, False))
    for name, (kind, argument, fit) in GATES.items():
        outside = f"{name}_outside" if name in OUTSIDE_BY_HAND else f"{name}_uniform"
        output = f"(Output){{{fit}, TAIL_none, {outside}, 0}}"
        text += kernel(f"{name}_fitted", f"    fitted_block({kind}, 3, {argument}, {output}, in, parameter, out, n);\n")
        rows.append(row(name, False))
    rows += [row(name, True) for name in WRITTEN_BY_HAND]
    return text + "\nstatic const Fitted fitted_kernels[] = {\n    " + ",\n    ".join([*rows, "{0}"]) + ",\n};\n"


def row(name, has_general, halves="NULL"):
    """The row of a kernel in the table of all fitted kernels.

    With two inputs memory is as slow as the polynomials of AVX-512. A function that often leaves its table is slower than both.
    """
    activation, backward = ACTIVATIONS[name.removesuffix("_backward").removesuffix("_both")], name.endswith("_backward")
    of_table = KERNELS.get(name, (name,))[0]
    memory_bound = len(activation.operands) + backward >= 2 and of_table not in OUTSIDE_BY_HAND
    general = f"(any_block *){name}_fitted_general" if has_general else "NULL"
    return f'{{"{name}", {"FITTED_MEMORY_BOUND" if memory_bound else 0}, (any_block *){name}_fitted, {general}, {halves}}}'


def output_of(table, factors, outside):
    """The C of one Output: a table, its tail or the kernel for elements outside the table, and the factors."""
    tail, outside = (f"TAIL_{table}", "NULL") if TABLES[table].tail else ("TAIL_none", outside)
    return f"(Output){{FIT_{table}, {tail}, {outside}, {factors}}}"


def kernel(name, body):
    """The C of one block."""
    return f"\nstatic void {name}(const float *const *in, const float *parameter, float *const *out, size_t n) {{\n{body}}}\n"


def of_halves(name, argument, output):
    """The blocks of a gated pair: of the halves of rows, and of two arrays, which are the halves of one row."""
    text = f"\nstatic void {name}_halves(const float *const *in, float *out, size_t rows, size_t count) {{\n"
    text += f"    fitted_halves({argument}, {output}, in, out, rows, count);\n}}\n"
    return text + kernel(f"{name}_fitted", f"    (void)parameter;\n    {name}_halves(in, out[0], 1, n);\n")


def at_default(name, arrays, value):
    """The blocks of a kernel with a parameter, given as a number and as an array: the table is right for one value of it."""
    array = "    (void)parameter;\n"
    array += f"    fitted_general({arrays}, {value}, {name}_fitted, {name}_general, in, out, n);\n"
    return number(name, value, f"{name}_uniform(in, parameter, out, n)") + kernel(f"{name}_fitted_general", array)


def scaled(name, arrays, by, value, output):
    """The same where the parameter scales the argument. What scaled.h leaves out has the table or the composed formula."""
    outside = f"fitted_general({arrays}, {value}, {name}_fitted_standard, {name}_general, in, out, n)"
    text = kernel(f"{name}_composed", f"    (void)parameter;\n    {outside};\n")
    block = f"scaled_block({arrays}, {by}, {output}, in, "
    text += number(name, value, f"{block}parameter, out, n)")
    return text + kernel(f"{name}_fitted_general", f"    (void)parameter;\n    {block}NULL, out, n);\n")


def number(name, value, otherwise):
    """The block of a kernel whose parameter is a number: the table where it is the default."""
    text = f"    const float standard = {value};\n"
    text += "    if (memcmp(parameter, &standard, sizeof standard) != 0)\n"
    text += f"        {otherwise};\n"
    return kernel(f"{name}_fitted", f"{text}    else\n        {name}_fitted_standard(in, parameter, out, n);\n")


def standard(activation):
    """The default of an activation's parameter, in C."""
    values = ["NAN_VALUE" if value is None else hexadecimal(value) for value in activation.parameters.values()]
    return values[0] if values else "0"
