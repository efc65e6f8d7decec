"""Checksums of the results of every public function. `python results.py` prints those of each compiled set as JSON."""

import hashlib
import json

import numpy as np

from fastact import backends
from fastact import declare as row_table

import arrays
from passes import COMPILED, DTYPES, EVERY, OTHERS, ROWS, STEPS

ROW, COLUMN = (5, 409), (409, 5)


def values(dtype, seed, shape):
    """The values of a pool, special ones too, followed by normal numbers, so that some rows have no special value."""
    ordinary = np.random.default_rng(seed).normal(0, 4, np.prod(shape) - arrays.N).astype(dtype)
    return np.concatenate([arrays.pool(dtype, seed), ordinary]).reshape(shape)


def calls(implementation, dtype, shapes=(ROW, COLUMN)):
    """Calls of every function, each as (name of the call, function, arguments, keywords)."""
    of = backends.load(implementation)
    for one in EVERY:
        yield str(one), one.of(implementation), [values(dtype, i, shapes[0]) for i in range(one.operands)], {}
    for shape in shapes:
        x, grad = values(dtype, 0, shape), values(dtype, 1, shape)
        target, kept = np.arange(len(x)) % shape[1], grad > -3
        labels = np.where(kept, dtype(0.25), dtype(1))
        for one in ROWS:
            given = [x] if one.kind == "forward" else [grad, x]
            options = [{"axis": -1}, {"axis": 0}]
            if "mask" in row_table.ROWS[one.activation].by_name:
                options += [{"mask": kept}, {"causal": True, "scale": 0.5}]
            for keywords in options:
                yield f"{one} {keywords.get('axis', list(keywords))} {shape}", one.of(implementation), given, keywords
        others = {
            "binary_cross_entropy_with_logits": [(x, labels)],
            "binary_cross_entropy_with_logits_and_grad": [(x, labels)],
            "binary_cross_entropy_with_logits_backward": [(dtype(1), x, labels)],
            "cross_entropy": [(x, target), (x, labels)],
            "cross_entropy_and_grad": [(x, target), (x, labels)],
            "cross_entropy_backward": [(dtype(1), x, target), (dtype(1), x, labels)],
            "gumbel_softmax": [(x,)],
            "logsumexp": [(x,)],
            "logsumexp_backward": [(grad[:, 0], x)],
            "squared_error_and_grad": [(x, grad)],
        }
        for name in OTHERS:
            if name == "gumbel_softmax_backward":
                yield f"{name} {shape}", of.gumbel_softmax_backward, [grad], {"y": x}
                continue
            for given in others[name]:
                keywords = {"rng": 0} if name == "gumbel_softmax" else {}
                yield f"{name} {[each.dtype.char for each in given]} {shape}", getattr(of, name), given, keywords
        arrays_of_steps = [x, grad, x[::-1].copy(), np.abs(x)]
        for name, count, keywords in zip(STEPS, (4, 3), ({"step": 3}, {"momentum": 0.9, "nesterov": True}), strict=True):
            yield f"{name} {shape}", changed, [getattr(of, name), *arrays_of_steps[:count]], keywords


def changed(step, /, *given, **keywords):
    """Copies of the arrays of a step of an optimizer, after the step has changed them."""
    copies = [array.copy() for array in given]
    step(*copies, **keywords)
    return tuple(copies)


def checksum(result):
    """The checksum of the bits of a result, or of a tuple of results. All NaNs count as the same."""
    found = hashlib.sha256()
    for each in result if isinstance(result, tuple) else (result,):
        found.update(np.where(np.isnan(each), np.nan, each).astype(each.dtype).tobytes())
    return found.hexdigest()[:12]


def checksums(implementation):
    """The checksums of an implementation, by the name of the call and the dtype."""
    return {
        f"{name} {dtype.__name__}": checksum(function(*given, **keywords))
        for dtype in DTYPES
        for name, function, given, keywords in calls(implementation, dtype)
    }


if __name__ == "__main__":
    print(json.dumps({implementation: checksums(implementation) for implementation in COMPILED}))
