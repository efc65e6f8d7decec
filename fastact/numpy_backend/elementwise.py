"""Make a NumPy function of a formula. It is called as a ufunc is, and evaluates the formula by its programs (programs.py).

Plain arrays of one shape go to a program at once. For others `np.nditer` does what a ufunc does itself: broadcasting, casting,
byte order, alignment, overlap, order and allocation. It hands out blocks of at most `BLOCK` elements.
"""

import warnings

import numpy as np

from ..calls.arguments import FLOAT16, LOOPS, checked_mask, checked_outs, computing, is_half, loop_dtype, overrides, rounded
from .double_double import Pair
from .programs import Program

FLOAT32, FLOAT64 = LOOPS

# Elements in a block. Smaller blocks are slower, larger ones hardly faster.
BLOCK = 32768


def as_loop(name, inputs, loop, casting):
    """The inputs as arrays; Python numbers take the dtype `loop`."""
    arrays = [np.asarray(value, dtype=loop if type(value) in (int, float) else None) for value in inputs]
    for array in arrays:
        if not np.can_cast(array.dtype, loop, casting):
            raise TypeError(f"Cannot cast {name} input from {array.dtype!r} to {loop!r} with casting rule {casting!r}")
    # Casts that may overflow are made here, since astype reports it. 0-d arrays too, to the dtype that computes: the iterators of
    # NumPy 2.0 to 2.2 cast them wrongly.
    return [
        array
        if array.ndim and np.can_cast(array.dtype, loop, "safe")
        else array.astype(loop, casting=casting, copy=False).astype(loop if array.ndim else computing(loop), copy=False)
        for array in arrays
    ]


class Casts:
    """Writes the results of one call, and reports floating-point errors of these casts once, at the end, as NumPy does.

    Attributes
    ----------
    loop : numpy.dtype
        The dtype of the call. A result is rounded to it first, without a report.
    met : set of str
        The floating-point errors of the casts to another dtype.
    """

    # A cast that causes each error, by the name of the error that NumPy gives to a handler.
    EXAMPLES = {  # noqa: RUF012
        "overflow": (1e300, np.float32),
        "underflow": (1e-300, np.float32),
        "invalid value": (np.nan, np.int64),
    }

    def __init__(self, loop, casting):
        self.loop, self.casting, self.met = loop, casting, set()

    def store(self, target, result, where=True):
        """Write a result to `target`, where the mask `where` is true."""
        if target.dtype == self.loop and where is True and not is_half(self.loop):
            target[...] = result
            return
        with np.errstate(all="call", call=lambda kind, _: self.met.add(kind)):
            np.copyto(target, rounded(result, self.loop), casting=self.casting, where=where)

    def report(self):
        """Let NumPy report the errors: by a warning, an exception or whatever np.errstate says."""
        for kind in sorted(self.met):
            value, dtype = self.EXAMPLES[kind]
            np.array(value).astype(dtype)


def wrapped(result, function, inputs, out, subok, place=0):
    """A result as a ufunc returns it: `out`, an instance of a subclass by __array_wrap__, a scalar or an array."""
    if out is not None:
        result = out  # the iterator may have computed in a copy, and copied that to out
    scalar = out is None and result.ndim == 0
    owner = wrapping(inputs) if out is None and subok else out
    if owner is None or type(owner) is np.ndarray:
        return result[()] if scalar else result
    arguments = result, (function, inputs, place), scalar
    try:
        return owner.__array_wrap__(*arguments)
    except TypeError as error:
        refusal = error
    for count in (2, 1):  # the signatures of NumPy 1
        try:
            made = owner.__array_wrap__(*arguments[:count])
        except TypeError:
            continue
        right = "must accept context and return_scalar arguments (positionally) in the future. (Deprecated NumPy 2.0)"
        warnings.warn(f"__array_wrap__ {right}", DeprecationWarning, stacklevel=4)
        return made
    raise refusal


def wrapping(inputs):
    """The input whose __array_wrap__ NumPy would call, by priority, or None where a plain array comes first."""
    found, highest = None, -np.inf
    for value in inputs:
        if type(value) is np.ndarray or isinstance(value, (bool, int, float, complex, str, bytes, np.generic)):
            priority, value = 0.0 if type(value) is np.ndarray else -1000000.0, None
        elif hasattr(value, "__array_wrap__"):
            priority = getattr(value, "__array_priority__", 0.0)
        else:
            continue
        if priority > highest or (found is None and value is not None and priority == highest == 0):
            found, highest = value, priority
    return found


def loop_types(inputs, outputs, parameters=""):
    """The attribute `types` of a ufunc. Each input and output has a letter: "f" stands for the dtype of the computation.

    Beside float16 data the compiled core takes numbers as parameters in a loop of its own, whose types it calls "F".
    """
    types = [f"{inputs}{parameters}->{outputs}".replace("f", loop.char) for loop in (*LOOPS, FLOAT16)]
    if parameters:
        types.append(f"{inputs}->{outputs}".replace("f", "e").replace("->", "F" * len(parameters) + "->"))
    return types


def warn_of_uninitialized():
    """Let NumPy warn of `where` without `out`, in its own words, if this version does."""
    np.positive(np.zeros(1), where=np.zeros(1, bool))


def like_a_ufunc(name, n_inputs, outputs, types, signature=None, plain=None, n_arrays=0):
    """Decorate an evaluator: it looks like a ufunc, and an operand's own __array_ufunc__ (pandas, dask) takes over its calls.

    `plain` is a short way for plain arrays (Evaluator.plain), of which there are `n_arrays`.
    """

    def decorate(evaluate):
        evaluate.__name__ = evaluate.__qualname__ = name  # Python names it in the error for an unexpected keyword

        def function(*inputs, **keywords):
            if plain is not None and inputs and (not keywords or keywords.keys() == {"out"}):
                result = plain(inputs[:n_arrays], inputs[n_arrays:], keywords.get("out"))
                if result is not None:
                    return result
            if not n_inputs <= len(inputs) <= n_inputs + outputs:
                most = n_inputs + outputs
                raise TypeError(f"{name}() takes from {n_inputs} to {most} positional arguments but {len(inputs)} were given")
            out = keywords.get("out")
            operands = (*inputs, *(out if isinstance(out, tuple) else (out,)))
            overriding = [value for value in operands if overrides(value)]
            if not overriding:
                if keywords.get("where", True) is not True and "out" not in keywords and len(inputs) == n_inputs:
                    warn_of_uninitialized()
                if type(keywords.get("subok", True)) is not bool:
                    raise TypeError(f"{name}() argument subok must be True or False, not {keywords['subok']!r}")
                return evaluate(*inputs, **keywords)
            for value in overriding:
                if type(value).__array_ufunc__ is None:
                    raise TypeError(f"operand '{type(value).__name__}' does not support ufuncs (__array_ufunc__=None)")
                if out is not None and not isinstance(out, tuple):
                    keywords["out"] = (out,)
                result = type(value).__array_ufunc__(value, function, "__call__", *inputs, **keywords)
                if result is not NotImplemented:
                    return result
            kinds = ", ".join(type(value).__name__ for value in operands)
            raise TypeError(f"operand type(s) all returned NotImplemented from __array_ufunc__ for {name}: {kinds}")

        function.__name__ = function.__qualname__ = name
        vars(function).update(nin=n_inputs, nout=outputs, nargs=n_inputs + outputs, signature=signature)
        vars(function).update(types=types, ntypes=len(types), identity=None, plain=plain)
        return function

    return decorate


def holds(dtype, number):
    """Whether a dtype has this number, rounded, without overflow or underflow, which NumPy would report."""
    facts = np.finfo(dtype)
    return not np.isfinite(number) or number == 0 or float(facts.tiny) <= abs(number) <= float(facts.max)


class Evaluator:
    """A formula on arrays of one dtype, by a program for each kind of operands.

    Attributes
    ----------
    n_arrays : int
        The number of inputs that are arrays, as a rule; parameters follow.
    usual : tuple
        The defaults of the parameters, None where there is none. With a default the formula has fewer steps.
    """

    def __init__(self, formula, n_inputs, outputs, wide, usual):
        self.formula, self.n_inputs, self.outputs, self.wide = formula, n_inputs, outputs, wide
        self.n_arrays, self.usual = n_inputs - len(usual), usual
        self.programs: dict[tuple, Program] = {}
        self.found: dict[np.dtype, dict] = {loop: {} for loop in LOOPS}

    def record(self, dtype):
        """The function that evaluates the formula on values."""

        def evaluate(*values):
            if not self.wide:
                results = self.formula(*values)
            elif dtype == np.float32:
                results = self.formula(*(value.astype(np.float64) for value in values))
            else:
                results = self.formula(*map(Pair, values))
            results = results if isinstance(results, tuple) else (results,)
            return [result.value() if isinstance(result, Pair) else result for result in results]

        return evaluate

    def program(self, dtype, kinds):
        """The program for operands of these kinds."""
        if (dtype, kinds) not in self.programs:
            working = np.dtype(np.float64) if self.wide else dtype
            self.programs[dtype, kinds] = Program(self.record(dtype), dtype, working, kinds)
        return self.programs[dtype, kinds]

    def block(self, arrays, dtype):
        """The results for flat arrays, new arrays."""
        return self.program(dtype, ("array",) * self.n_inputs)(arrays[0].size, arrays, (None,) * self.outputs)

    def with_numbers(self, dtype, numbers):
        """The program for parameters that are these numbers, and those of them that are operands of it."""
        found = self.found[dtype]
        for number in numbers:
            if type(number) is not float:
                return None
        key = numbers if all(numbers) else repr(numbers)  # 0.0 and -0.0 are equal as keys
        made = found.get(key)
        if made is None:
            if len(numbers) != len(self.usual) or not all(holds(dtype, number) for number in numbers):
                return None
            constant = [b is not None and repr(a) == repr(float(b)) for a, b in zip(numbers, self.usual, strict=True)]
            kinds = [a if same else "number" for a, same in zip(numbers, constant, strict=True)]
            program = self.program(dtype, ("array",) * self.n_arrays + tuple(kinds))
            if len(found) > 64:
                found.clear()
            made = program, [np.array(a, dtype) for a, same in zip(numbers, constant, strict=True) if not same]
            found[key] = made
        return made

    def plain(self, arrays, numbers, out=None):
        """The result for contiguous arrays of one shape and dtype, and numbers; None where an input is anything else.

        It is what the iterator would give, without its checks, casts and copies.
        """
        first = arrays[0]
        if type(first) is not np.ndarray or len(arrays) != self.n_arrays:
            return None
        dtype, shape, size = first.dtype, first.shape, first.size
        if not ((dtype is FLOAT32 or dtype is FLOAT64) and size and shape):
            return None
        for array in arrays:
            flags = array.flags if type(array) is np.ndarray else None
            if not (flags and flags.c_contiguous and flags.aligned and array.dtype is dtype and array.shape == shape):
                return None
        found = self.with_numbers(dtype, numbers)
        if found is None:
            return None
        program, operands = found
        if len(shape) > 1:
            arrays = [array.reshape(-1) for array in arrays]
        if out is not None:
            return self.into(out, program, size, (*arrays, *operands), dtype, shape)
        results = program(size, (*arrays, *operands), (None,) * self.outputs)
        if len(shape) > 1:
            results = [result.reshape(shape) for result in results]
        return results[0] if self.outputs == 1 else tuple(results)

    def into(self, out, program, size, operands, dtype, shape):
        """The same for `out`; None if it is not one plain array for each result, apart from one another."""
        outs = out if type(out) is tuple else (out,)
        if len(outs) != self.outputs or (self.outputs > 1 and type(out) is not tuple):
            return None
        for i, one in enumerate(outs):
            flags = one.flags if type(one) is np.ndarray else None
            if not (flags and flags.behaved and flags.c_contiguous and one.dtype is dtype and one.shape == shape):
                return None
            if any(np.may_share_memory(one, other) for other in outs[:i]):
                return None
        apart = not any(np.may_share_memory(one, value) for one in outs for value in operands)
        targets = [one.reshape(-1) if apart else None for one in outs]
        for one, target, result in zip(outs, targets, program(size, operands, targets), strict=True):
            if result is not target:
                one[...] = result.reshape(shape)
        return outs[0] if self.outputs == 1 else outs


def blockwise(name, formula, n_inputs, outputs=1, wide=False, usual=()):
    """A function of `n_inputs` arrays with the keywords of a ufunc, made of a formula; `usual` as for Evaluator."""
    evaluate = Evaluator(formula, n_inputs, outputs, wide, usual)

    types = loop_types("f" * evaluate.n_arrays, "f" * outputs, "f" * (n_inputs - evaluate.n_arrays))

    @like_a_ufunc(name, n_inputs, outputs, types, None, evaluate.plain, evaluate.n_arrays)
    def function(*inputs, out=None, where=True, casting="same_kind", order="K", dtype=None, subok=True):
        if len(inputs) > n_inputs:
            if out is not None:
                raise TypeError("cannot specify 'out' as both a positional and keyword argument")
            inputs, out = inputs[:n_inputs], (*inputs[n_inputs:], *[None] * (n_inputs + outputs - len(inputs)))
            out = out[0] if outputs == 1 else out
        loop = loop_dtype(name, inputs, dtype)
        outs = checked_outs(name, out, outputs, loop, casting)
        operands = as_loop(name, inputs[: evaluate.n_arrays], loop, casting)
        operands += as_loop(name, inputs[evaluate.n_arrays :], computing(loop), casting)
        masks = [] if where is True else [checked_mask(where, name, operands)]
        casts, working = Casts(loop, casting), computing(loop)
        new = ["writeonly", "allocate", "no_broadcast", "no_subtype"]
        # With a mask the block is read too, since masked elements stay as they are.
        given = ["readwrite" if masks else "writeonly", "aligned", "no_broadcast", "overlap_assume_elementwise"]
        with np.nditer(  # type: ignore[call-overload]  # NumPy's stub does not know lists that are put together
            [*operands, *masks, *outs],
            flags=["external_loop", "buffered", "copy_if_overlap", "zerosize_ok", "delay_bufalloc", "refs_ok"],
            # contig: NumPy's own functions give other last bits for other strides
            op_flags=[
                *[["readonly", "aligned", "contig", "overlap_assume_elementwise"]] * n_inputs,
                *[["readonly", "overlap_assume_elementwise"]] * len(masks),
                *(new if target is None else given for target in outs),
            ],
            op_dtypes=[
                *[working] * n_inputs,
                *[bool] * len(masks),
                *(loop if target is None else target.dtype.newbyteorder("=") for target in outs),
            ],
            casting="same_kind",
            order=order,
            buffersize=BLOCK,
        ) as blocks:
            blocks.reset()
            for block in blocks:
                where = block[n_inputs] if masks else True
                for target, result in zip(block[n_inputs + len(masks) :], evaluate.block(block[:n_inputs], working), strict=True):
                    casts.store(target, result, where)
            results = blocks.operands[n_inputs + len(masks) :]
        casts.report()
        finished = [wrapped(results[i], function, inputs, outs[i], subok, i) for i in range(outputs)]
        return finished[0] if outputs == 1 else tuple(finished)

    return function
