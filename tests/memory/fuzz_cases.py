"""Random calls for fuzz.py: chooses a function and its arguments."""

import math

import numpy as np

from fastact.declare import ACTIVATIONS, REQUIRED, ROWS

from fuzz_arrays import FLOATS, SHORT, Array, ArrayMaker

# The ranges of parameters. All others lie between 0.05 and 0.45.
RANGES = {"threshold": (0.0, 0.5), "value": (-0.5, 0.0), "max_val": (1.0, 2.0), "min_val": (-1.0, 0.5)}


class Maker(ArrayMaker):
    """Makes the call that has this number."""

    def make(self):
        """A call of a function of a random family."""
        rng = self.rng
        family = rng.choices(("elementwise", "rows", "losses", "gumbel"), (45, 35, 18, 2))[0]
        return getattr(self, family)()

    def finish(self, name, args, kwargs, shapes, **facts):
        """The whole call, in most cases with an out=."""
        operands = [value for value in (*args, *kwargs.values()) if isinstance(value, Array)]
        dtype = next((a.dtype for a in operands if a.dtype in FLOATS), "f8")
        if shapes is not None and self.chance(0.65):
            repeats = facts.pop("repeats", True)
            outs = [self.out(tuple(shape), operands, dtype, repeats) for shape in shapes]
            kwargs["out"] = outs[0] if len(outs) == 1 and self.chance(0.9) else tuple(outs)
        facts.pop("repeats", None)
        outs = outs if "out" in kwargs else []
        if len({one.slot for one in outs}) < len(outs):
            facts["exact"] = self.out_valid = None  # the results may overlap each other
        floats = {one.dtype for one in (*operands, *outs) if one is not kwargs.get("where")}
        apart = not {one.slot for one in outs} & {one.slot for one in operands}
        if "where" in kwargs and (len(floats) > 1 or "dtype" in kwargs) and not apart:
            facts["exact"] = None  # NumPy rounds elements outside `where` to the dtype of the computation
        return Case(name, args, kwargs, self.out_valid, **facts)

    def elementwise(self):
        """An activation or its backward pass, with parameters, where= and y=."""
        activation = self.rng.choice([one for one in ACTIVATIONS.values() if one.public])
        backward, shape, dtype = self.chance(0.5), self.shape(), self.dtype()
        forward_operands = ("x",) if activation.halves else activation.operands
        kwargs, facts = {}, {"exact": True}
        if activation.halves:
            axis = self.axis(len(shape))
            kwargs = {"axis": axis} if axis != -1 or self.chance(0.3) else {}
            at = axis % max(len(shape), 1)
            whole = tuple(2 * n if i == at else n for i, n in enumerate(shape))
            if self.chance(0.05):
                whole, self.out_valid = shape, None
            args = [self.array(whole, dtype, ("any",))]
            args = [self.array(shape, dtype, ("any",)), *args] if backward else args
            return self.finish(activation.name + "_backward" * backward, args, kwargs, [whole if backward else shape], **facts)
        args = []
        for _ in range(len(forward_operands) + backward):
            own = dtype if self.chance(0.93) else self.dtype()
            args.append(self.array(self.broadcastable(shape), own, ("any",)))
        if len(args) > 1 and self.chance(0.04):
            args[1] = args[0]
        if backward and self.chance(0.4 if activation.backward_from_output else 0.02):
            kwargs["y"] = args.pop()
        for parameter, default in activation.parameters.items():
            if default is REQUIRED or self.chance(0.4):
                kwargs[parameter] = self.number(*self.range(activation, parameter), shape, dtype)
        if activation.option and self.chance(0.4):
            kwargs[activation.option] = "tanh"
        every = [value.shape for value in (*args, *kwargs.values()) if isinstance(value, Array)]
        shape = np.broadcast_shapes(*every)
        shapes = [shape]
        if backward and len(activation.gradients) > 1:
            shapes = [shape, shape]
            if activation.gradients != activation.operands:
                weight = kwargs["weight"]
                shapes[1] = weight.shape if isinstance(weight, Array) else ()
                facts["exact"] = False
        if self.chance(0.12):
            kwargs["where"] = self.array(self.broadcastable(shape), "?", ("flag",))
            facts["where"] = True
            if not facts["exact"]:
                facts["exact"] = None
        if self.chance(0.03):
            kwargs["dtype"] = self.rng.choice((np.float16, np.float32, np.float64))
            self.out_valid = None
        return self.finish(activation.name + "_backward" * backward, args, kwargs, shapes, repeats=len(shapes) == 1, **facts)

    def range(self, activation, parameter):
        """A range in which a parameter is allowed, or seldom one in which it may be refused."""
        if self.chance(0.03):
            return -2.0, 2.0
        return RANGES.get(parameter, (0.05, 0.45))

    def row_values(self):
        """The kind of values in rows."""
        return (self.rng.choices(("row", "wide", "special"), (70, 15, 15))[0],)

    def rows(self):
        """A function along one axis or several, or its backward pass, with options."""
        name, row = self.rng.choice(list(ROWS.items()))
        backward, dtype = bool(row.slope) and self.chance(0.5), self.dtype()
        shape, kwargs = self.shape() or (self.rng.choice(SHORT),), {}
        dimensions = len(shape)
        axis, axes = self.axis(dimensions), None
        if dimensions > 1 and self.chance(0.1 if not row.reduces else 0.3):
            axes = tuple(self.rng.sample(range(dimensions), self.rng.randrange(1, dimensions + 1)))
            axis = axes if not (row.reduces and self.chance(0.3)) else None
            axes = axes if axis is not None else tuple(range(dimensions))
        if axis != -1 or self.chance(0.3):
            kwargs["axis"] = axis
        axes = (axis % dimensions,) if axes is None else axes
        batch = tuple(n for i, n in enumerate(shape) if i not in axes)
        if "keepdims" in row.parameters and self.chance(0.4):
            kwargs["keepdims"] = True
        kept = tuple(1 if i in axes else n for i, n in enumerate(shape)) if kwargs.get("keepdims") else batch
        x = self.array(shape, dtype, self.row_values())
        args = [x]
        if backward:
            grad = self.array(self.broadcastable(kept) if row.reduces else shape, dtype, ("row",))
            args = [grad, x]
            if not row.reduces and self.chance(0.4):
                x.kind = ("unit",)
                args, kwargs["y"] = [grad], x
        options = dict(row.by_name) if self.chance(0.4) else {}
        if "scale" in options and self.chance(0.6):
            kwargs["scale"] = self.rng.choice((0.125, 2.0, -1.0, 0.0, 3, np.float32(0.5), 1e-3))
        if "mask" in options and self.chance(0.6):
            kwargs["mask"] = self.array(self.broadcastable(shape), "?", ("flag",))
        if "causal" in options and self.chance(0.3) and axes == (dimensions - 1,) and dimensions > 1:
            kwargs["causal"] = True
        if "sink" in options and self.chance(0.6):
            sink = self.array(self.broadcastable(batch), self.rng.choice(FLOATS), ("row",))
            kwargs["sink"] = sink if self.chance(0.6) else self.rng.choice((0.0, 2.5, -math.inf, np.float32(1)))
        results = [kept if row.reduces and not backward else shape]
        if backward and row.sink_slope and self.chance(0.4):
            kwargs["sink_grad"] = True
            results.append(getattr(kwargs.get("sink"), "shape", ()))
        exact = len(axes) == 1 and axes[0] == dimensions - 1
        scaled = backward or row.evaluator in ("sparsemax", "entmax15")
        return self.finish(
            name + "_backward" * backward,
            args,
            kwargs,
            results,
            exact=exact and "sink_grad" not in kwargs and "rows",
            scaled=scaled,
        )

    def gumbel(self):
        """gumbel_softmax with a seed, or its backward pass."""
        shape, dtype = self.shape() or (3,), self.rng.choice(FLOATS)
        axis, x = self.axis(len(shape)), self.array(shape, dtype, ("row",))
        kwargs = {"axis": axis, "tau": self.rng.choice((1.0, 0.5, 3))}
        if self.chance(0.5):
            kwargs |= {"rng": self.rng.randrange(100), "hard": self.chance(0.3)}
            return self.finish("gumbel_softmax", [x], kwargs, [shape], exact=False, repeats=False)
        kwargs["y"] = self.array(shape, dtype, ("unit",))
        return self.finish("gumbel_softmax_backward", [x], kwargs, [shape], exact=False, scaled=True)

    def losses(self):
        """A loss, its backward pass, or the function that gives both."""
        kind = self.rng.choice(("", "_backward", "_and_grad"))
        shape, dtype, kwargs = self.shape() or (self.rng.choice(SHORT),), self.dtype(), {}
        reduction = self.rng.choice(("mean", "sum", "none"))
        if reduction != "mean" or self.chance(0.2):
            kwargs["reduction"] = reduction
        logits = self.array(shape, dtype, self.row_values())
        if self.chance(0.25):
            labels = ("flag",) if self.chance(0.5) else ("unit",)
            target = self.array(self.broadcastable(shape), dtype if self.chance(0.8) else "i4", labels)
            if self.chance(0.4):
                kwargs["pos_weight"] = self.number(0.5, 3, shape, dtype)
            return self.loss("binary_cross_entropy_with_logits", kind, [logits, target], shape, shape, kwargs, reduction, dtype)
        if self.chance(0.15):
            target = self.array(shape, dtype if self.chance(0.8) else "i4", self.row_values())
            return self.loss("squared_error", "_and_grad", [logits, target], shape, shape, kwargs, reduction, dtype)
        axis = self.axis(len(shape))
        if axis != -1 or self.chance(0.3):
            kwargs["axis"] = axis
        axis %= len(shape)
        batch, n = shape[:axis] + shape[axis + 1 :], shape[axis]
        if self.chance(0.3):
            target = self.array(shape, dtype if self.chance(0.8) else self.dtype(), ("unit",))
        else:
            letter = self.rng.choice(("i8", "i8", "i8", "i4", "u1", "i2", "u8", ">i8"))
            unsigned, wild = letter[0] == "u", None
            ignored = self.rng.choice((None, 0, 255) if unsigned else (None, -100, -1, 0, n, 255))
            if self.chance(0.15) and (letter != "u1" or n < 250):
                wild = self.rng.choice((n, n + 3, 255) if unsigned else (n, n + 3, -2, -n - 1, 20000))
            target = self.array(batch, letter, ("index", min(n, 256) if letter == "u1" else n, ignored, wild))
            if ignored not in (None, -100) or self.chance(0.1):
                kwargs["ignore_index"] = ignored if ignored is not None else -100
        if self.chance(0.25):
            kwargs["label_smoothing"] = self.rng.choice((0.1, 1, 0.0, np.float32(0.3)))
        if self.chance(0.25):
            kwargs["weight"] = self.array((n,), dtype if self.chance(0.8) else "i4", ("unit",))
        return self.loss("cross_entropy", kind, [logits, target], shape, batch, kwargs, reduction, dtype)

    def loss(self, name, kind, args, shape, batch, kwargs, reduction, dtype):
        """The whole call of a loss."""
        result = batch if reduction == "none" else ()
        shapes = [result] if kind == "" else [shape]
        if kind == "_backward":
            grad = 0.5 if self.chance(0.5) and reduction != "none" else self.array(self.broadcastable(result), dtype, ("row",))
            args = [grad, *args]
        if kind == "_and_grad" and self.chance(0.4):
            shapes = [result, shape]
        single = {"single": True} if kind == "_and_grad" and len(shapes) == 1 else {}
        return self.finish(name + kind, args, kwargs, shapes, exact=False, scaled=True, repeats=False, **single)


class Case:
    """One call.

    Attributes
    ----------
    valid : bool or None
        Whether out= is right. None if the maker of the call cannot tell.
    exact : bool, str or None
        Whether the bits must be those of a call with copies. "rows" means: if rows lie along memory in every array. None means
        that results are not compared.
    where : bool
        Whether the call has a where=.
    scaled : bool
        Whether errors are measured in roundings of the largest input, not of each entry.
    single : bool
        Whether out= is one array for the second of two results.
    """

    def __init__(self, name, args, kwargs, valid, exact, where=False, scaled=False, single=False):
        self.name, self.args, self.kwargs, self.valid = name, args, kwargs, valid
        self.exact, self.where, self.scaled, self.single = exact, where, scaled, single
        out = kwargs.get("out")
        self.outs = list(out) if isinstance(out, tuple) else [] if out is None else [out]
        self.inputs = [a for a in dict.fromkeys((*args, *kwargs.values())) if isinstance(a, Array) and a not in self.outs]

    def first_arguments(self, places):
        """The first two arguments, whose size the roundings of a scaled result are relative to."""
        return [places.get(value, value) if isinstance(value, Array) else value for value in self.args[:2]]

    @property
    def text(self):
        """The call as text, for messages."""
        return f"{self.name}({', '.join([*map(repr, self.args), *(f'{k}={v!r}' for k, v in self.kwargs.items())])})"
