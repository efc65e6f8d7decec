"""Calls whose out= overlaps an operand in many ways, each as (note, name of the function, arguments, keywords)."""

import itertools

import numpy as np


class Memory:
    """Makes arrays that overlap: they are views of the same bytes."""

    def __init__(self, dtype):
        self.bytes, self.dtype = np.zeros(1 << 13, np.uint8), np.dtype(dtype)
        self.array((1 << 12,), 0, dtype=np.uint16)[...] = np.arange(1 << 12) % 7

    def array(self, shape, start=0, strides=None, dtype=None):
        """A view that starts at element `start`; with a dtype of its own, at byte `start`."""
        offset = start * self.dtype.itemsize if dtype is None else start
        dtype = np.dtype(dtype or self.dtype)
        strides = None if strides is None else tuple(step * dtype.itemsize for step in strides)
        return np.ndarray(shape, dtype, self.bytes, offset, strides)

    def filled(self, shape, start=0, strides=None, seed=0):
        """Such a view, filled with ordinary numbers."""
        made = self.array(shape, start, strides)
        made[...] = np.random.default_rng(seed).normal(0, 2, shape)
        return made


def separate(shape, dtype, seed=1):
    """An array that overlaps nothing."""
    return np.random.default_rng(seed).normal(0, 2, shape).astype(dtype)


def reductions(dtype):
    """Calls whose results are smaller than their operands."""
    memory = Memory(dtype)
    square, vector = (lambda: memory.filled((6, 6))), (lambda: memory.filled((7,)))
    for axis in (-1, 0):
        x = square()
        yield "square, in place", "logsumexp", (x,), {"axis": axis, "out": x}
        x = square()
        yield "square, transposed", "logsumexp", (x,), {"axis": axis, "out": x.T}
        x = square()
        yield "square, reversed", "logsumexp", (x,), {"axis": axis, "out": x[::-1]}
        x = square()
        yield "last column", "logsumexp", (x,), {"axis": axis, "out": x[:, -1]}
        x = square()
        yield "first row", "logsumexp", (x,), {"axis": axis, "out": x[0]}
        x = square()
        yield "masked, in place", "logsumexp", (x,), {"axis": axis, "mask": np.tri(6, dtype=bool), "out": x}
    x = vector()
    yield "vector, in place", "logsumexp", (x,), {"out": x}
    x = vector()
    yield "vector, one ahead", "logsumexp", (x,), {"out": memory.array((7,), 1)}
    x = vector()
    yield "vector, more rows", "logsumexp", (x,), {"out": memory.array((3, 7))}
    x = memory.filled((4, 3, 4))
    yield "cube, in place", "logsumexp", (x,), {"axis": 1, "out": x[:, :, :].transpose(2, 1, 0)}
    x = memory.filled((5, 1))
    yield "rows of one entry, in place", "logsumexp", (x,), {"out": memory.array((5,))}
    x = memory.filled((6, 5))
    yield "keepdims, first column", "logsumexp", (x,), {"keepdims": True, "out": x[:, :1]}
    x = memory.filled((4, 3, 5))
    yield "two axes", "logsumexp", (x,), {"axis": (0, 2), "out": x[1, :, 2]}
    x = memory.filled((6, 5))
    yield "all axes", "logsumexp", (x,), {"axis": None, "out": x[2, 2:3].reshape(())}
    logits, target = memory.filled((6, 5)), np.array([0, 1, 2, 3, 4, 0])
    yield "losses over logits", "cross_entropy", (logits, target), {"reduction": "none", "out": logits[:, 0]}
    logits = memory.filled((6, 5))
    yield "loss over logits", "cross_entropy", (logits, target), {"out": logits[2, 2:3].reshape(())}
    logits = memory.filled((6, 5))
    given = logits, separate((6, 5), dtype) > 0
    yield "binary loss over logits", "binary_cross_entropy_with_logits", given, {"out": logits[:1, 0].reshape(())}


def full_size(dtype):
    """Calls whose out= is as large as an operand, and lies over another part of it or over another operand."""
    memory = Memory(dtype)
    for name in ("softmax", "log_softmax", "softmin", "softmax_one", "hardmax", "sparsemax", "entmax15"):
        x = memory.filled((6, 6), 1)
        yield "one behind", name, (x,), {"out": memory.array((6, 6))}
        x = memory.filled((6, 6))
        yield "one ahead", name, (x,), {"out": memory.array((6, 6), 1)}
        x = memory.filled((6, 6))
        yield "transposed", name, (x,), {"out": x.T}
        x = memory.filled((6, 6))
        yield "more rows", name, (x,), {"out": memory.array((3, 6, 6))}
        if name == "hardmax":
            continue
        for key in ("x", "y"):
            slope, grad = name + "_backward", separate((6, 6), dtype)
            x = memory.array((6, 6))
            x[...] = np.abs(separate((6, 6), dtype))
            given = (grad, x) if key == "x" else (grad,)
            options = {} if key == "x" else {"y": x}
            yield f"{key} transposed", slope, given, {**options, "out": x.T}
            x[...] = np.abs(separate((6, 6), dtype))
            yield f"{key} one behind", slope, given, {**options, "out": memory.array((6, 6), 6)}
            grad, other = memory.filled((6, 6), 1), np.abs(separate((6, 6), dtype))
            given, options = ((grad, other), {}) if key == "x" else ((grad,), {"y": other})
            yield f"grad one ahead, {key}", slope, given, {**options, "out": memory.array((6, 6))}
    for name in ("softmax", "log_softmax", "softmax_one"):
        out = memory.array((6, 8))
        mask = memory.array((6, 8), 40, dtype=bool)
        mask[...] = np.random.default_rng(3).random((6, 8)) < 0.7
        yield "a mask in out", name, (separate((6, 8), dtype),), {"mask": mask, "out": out}
        mask = memory.array((8,), 5, dtype=bool)
        mask[...] = np.arange(8) % 3 > 0
        given = separate((6, 8), dtype), separate((6, 8), dtype, 2)
        yield "a mask of one row in out", name + "_backward", given, {"mask": mask, "out": out}
    sink = memory.array((6,), 16, dtype=np.float64)
    sink[...] = np.linspace(-2, 2, 6)
    yield "a sink in out", "softmax_one", (separate((6, 8), dtype),), {"sink": sink, "out": memory.array((6, 8))}
    grad = memory.filled((6,), 3)
    yield "gradient of rows in out", "logsumexp_backward", (grad, separate((6, 8), dtype)), {"out": memory.array((6, 8))}
    grad = memory.filled((6,), 0, (8,))
    yield "gradient of rows in out, column", "logsumexp_backward", (grad, separate((6, 8), dtype)), {"out": memory.array((6, 8))}
    x = memory.filled((6, 8))
    yield "merged axes", "logsumexp_backward", (2.0, x), {"axis": (0, 1), "out": memory.array((6, 8), 1)}
    yield from pairs(dtype, memory)
    yield from losses(dtype, memory)


def pairs(dtype, memory):
    """Calls of gated pairs, of glu, which splits one array, and of prelu's backward pass, which has two results."""
    for start, stop in ((0, 4), (4, 8), (2, 6)):
        x = memory.filled((6, 8))
        yield f"columns {start} to {stop}", "glu", (x,), {"out": x[:, start:stop]}
    x = memory.filled((6, 8))
    yield "dense over both", "glu", (x,), {"out": memory.array((6, 4), 1)}
    for start in (-1, 1, 4):
        x = memory.filled((6, 8), 8)
        yield f"shifted {start}", "glu_backward", (separate((6, 4), dtype), x), {"out": memory.array((6, 8), 8 + start)}
    grad = memory.filled((6, 4), 3)
    yield "gradient in out", "glu_backward", (grad, separate((6, 8), dtype)), {"out": memory.array((6, 8))}
    pair = tuple(memory.filled((40,), 50 * k, None, k) for k in range(3))
    yield "out of a pair, one ahead", "swiglu_backward", pair, {"out": (memory.array((40,), 51), memory.array((40,), 101))}
    pair = tuple(memory.filled((40,), 50 * k, None, k) for k in range(3))
    yield "out of a pair, crossed", "swiglu_backward", pair, {"out": (memory.array((40,), 99), memory.array((40,), 49))}
    pair = tuple(memory.filled((40,), 50 * k, None, k) for k in range(3))
    yield "out of a pair, two ahead, reversed", "geglu_backward", pair, {"out": (pair[0][::-1], pair[1][::-1])}
    weight = memory.filled((8,), 3)
    yield (
        "weight in the first out",
        "prelu_backward",
        (separate((6, 8), dtype), separate((6, 8), dtype, 2)),
        {
            "weight": weight,
            "out": (memory.array((6, 8)), np.zeros(8, dtype)),
        },
    )
    weight = memory.filled((8,), 3)
    yield (
        "weight in the second out",
        "prelu_backward",
        (separate((6, 8), dtype), separate((6, 8), dtype, 2)),
        {
            "weight": weight,
            "out": (np.zeros((6, 8), dtype), memory.array((8,), 5)),
        },
    )
    x = memory.filled((6, 8))
    yield (
        "x in both",
        "prelu_backward",
        (separate((6, 8), dtype), x),
        {
            "weight": 0.25,
            "out": (memory.array((6, 8), 1), memory.array((1,), 60).reshape(())),
        },
    )


def losses(dtype, memory):
    """Calls of losses and of their gradients."""
    indices = np.array([0, 7, 2, 3, 4, 5])
    for start, axis in itertools.product((-1, 1, 8), (0, 1)):
        shape = (6, 8) if axis else (8, 6)
        logits = memory.filled(shape, 8)
        out = {"axis": axis, "out": memory.array(shape, 8 + start)}
        yield f"logits, shifted {start}", "cross_entropy_backward", (1.0, logits, indices), out
        logits = memory.filled(shape, 8)
        yield f"logits, shifted {start}", "cross_entropy_and_grad", (logits, indices), out
    memory.array((6, 8))[...] = 1 / 8
    for start in (1, 8):
        target = memory.array((6, 8), start)
        target[...] = 1 / 8
        target[:, 0] = 0.5
        given = 1.0, separate((6, 8), dtype), target
        yield f"distribution, shifted {start}", "cross_entropy_backward", given, {"out": memory.array((6, 8))}
        yield f"distribution, transposed {start}", "cross_entropy_backward", given, {"out": memory.array((6, 8), start, (1, 6))}
    target = memory.array((6,), 16, dtype=np.int64)
    target[...] = indices
    yield "indices in out", "cross_entropy_backward", (1.0, separate((6, 8), dtype), target), {"out": memory.array((6, 8))}
    target[...] = indices
    yield "indices in out", "cross_entropy_and_grad", (separate((6, 8), dtype), target), {"out": memory.array((6, 8))}
    target[...] = indices
    out = memory.array((6,), 16, dtype=dtype)
    yield "indices in the losses", "cross_entropy", (separate((6, 8), dtype), target), {"reduction": "none", "out": out}
    grad = memory.filled((6,), 2)
    options = {"reduction": "none", "out": memory.array((6, 8))}
    yield "gradient in out", "cross_entropy_backward", (grad, separate((6, 8), dtype), indices), options
    weight, labels = memory.filled((8,), 3), (separate((6, 8), dtype) > 0).astype(dtype)
    options = {"pos_weight": np.abs(weight), "out": memory.array((6, 8))}
    yield "weight in out", "binary_cross_entropy_with_logits_backward", (1.0, separate((6, 8), dtype), labels), options
    target = memory.array((6, 8), 1)
    target[...] = labels
    given = separate((6, 8), dtype), target
    yield "labels in out", "binary_cross_entropy_with_logits", given, {"reduction": "none", "out": memory.array((6, 8))}
    target[...] = labels
    yield "labels in out", "binary_cross_entropy_with_logits_backward", (1.0, *given), {"out": memory.array((6, 8))}
    for name in ("binary_cross_entropy_with_logits_and_grad", "squared_error_and_grad"):
        for reduction in ("mean", "none"):
            target[...] = labels
            yield f"target in out, {reduction}", name, given, {"reduction": reduction, "out": memory.array((6, 8))}
            outputs = memory.filled((6, 8), 8)
            options = {"reduction": reduction, "out": memory.array((6, 8), 7)}
            yield f"outputs in out, {reduction}", name, (outputs, labels), options
