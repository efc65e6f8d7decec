"""Make Python functions of a recorded formula (recording.py), and run them on arrays.

A program for small arrays is a line for each call. One for large arrays goes block by block, and its calls write to buffers that
are used again, so that all of them stay in the cache.
"""

import contextvars

import numpy as np

from .recording import Recording, Value, patched

# Up to this many elements an array is small.
SMALL = 4096
# Bytes of an operand in a block: the buffers of a formula fit into the second cache.
BLOCK = 2**17

# These ufuncs may write to the array that they read. Others are slower then, or give other last bits.
SIMPLE = {
    *(np.add, np.subtract, np.multiply, np.divide, np.negative, np.absolute, np.sqrt, np.rint),
    *(np.maximum, np.minimum, np.bitwise_and, np.bitwise_xor, np.left_shift, np.logical_and, np.logical_not),
}
# They take several times as long with a number as with an array of equal numbers.
FASTER_BY_ARRAY = {np.maximum, np.minimum}

BITS = {4: np.int32, 8: np.int64}

contexts: list[contextvars.Context] = []


def quietly(function, *arguments):
    """Call a function that ignores floating-point errors. np.errstate takes longer than a small call of a ufunc.

    A context serves one call at a time: a call that interrupts another, or runs beside it, takes another context.
    """
    try:
        context = contexts.pop()
    except IndexError:
        context = contextvars.Context()
        context.run(np.seterr, all="ignore")
    try:
        return context.run(function, *arguments)
    finally:
        contexts.append(context)


class Program:
    """A formula for operands of certain kinds.

    Parameters
    ----------
    record : callable
        (values) -> results: it evaluates the formula on values that are recorded.
    dtype, working : numpy.dtype
        Of the operands and the results, and of the computation.
    kinds : tuple
        For each operand "array", "number", or the number that it always is.
    """

    def __init__(self, record, dtype, working, kinds):
        self.record, self.dtype, self.working, self.kinds = record, dtype, working, kinds
        self.recorded = quietly(self.recording)
        self.of_small = Source(*self.recorded).small()
        self.of_large: tuple | None = None

    def recording(self):
        """A recording, its inputs and its results."""
        recording = Recording(self.working)
        values = [
            recording.input(i, self.dtype, kind == "number") if isinstance(kind, str) else recording.constant(kind, self.dtype)
            for i, kind in enumerate(self.kinds)
        ]
        results = [recording.cast(recording.value(one, values[0]), self.dtype) for one in self.record(*values)]
        return recording, [value for value in values if value.function == "input"], results

    def __call__(self, size, operands, outs):
        """The results, flat arrays. The operands that are not constant: flat arrays of `size` elements, and 0-d arrays.

        An entry of `outs` is a flat array to write to, which must not overlap any operand, or None.
        """
        if size <= SMALL:
            return quietly(self.of_small, size, *operands)
        outs = [np.empty(size, self.dtype) if out is None else out for out in outs]
        quietly(self.by_blocks, size, operands, outs)
        return outs

    def large(self):
        """The function for blocks, and what it needs: made when a large array first comes."""
        if self.of_large is None:
            self.of_large = Source(*self.recorded).large()
        return self.of_large

    def by_blocks(self, size, operands, outs):
        """Run the program for large arrays."""
        function, needed = self.large()
        step = min(size, BLOCK // self.dtype.itemsize)
        buffers = {}
        for start in range(0, size, step):
            stop = min(start + step, size)
            places = []
            for kind, number, dtype in needed:
                if kind == "operand":
                    place = operands[number][start:stop]
                elif kind == "number":
                    place = operands[number]
                elif kind == "out":
                    place = outs[number][start:stop]
                else:
                    if (kind, number) not in buffers:
                        buffers[kind, number] = np.empty(step, dtype)
                        if kind == "constant":
                            buffers[kind, number][:] = np.frombuffer(number, dtype)
                    place = buffers[kind, number][: stop - start]
                places.append(place if place.dtype == dtype else place.view(dtype))
            function(*places)


def is_zero(value):
    """Whether all bits of a value are 0."""
    return value.known is not None and not value.known.tobytes().strip(b"\0")


def fresh(value, size):
    """A new array with the elements, or the one number, of a value."""
    return np.array(np.broadcast_to(value, size))


def selected(condition, yes, no, out):
    """np.where, by bits: np.where branches, and takes several times as long where it guesses wrong. `out` may be `no`."""
    count = np.count_nonzero(condition)
    if 0 < count < out.size:
        bits = BITS[out.itemsize]
        mask = np.negative(condition.view(np.int8)).astype(bits)
        no = no.view(bits)
        chosen = yes.view(bits) ^ no
        chosen &= mask
        np.bitwise_xor(chosen, no, out=out.view(bits))
    elif count or no is not out:
        out[...] = yes if count else no


def kept(condition, yes, out):
    """The same with 0 for `no`."""
    mask = np.negative(condition.view(np.int8)).astype(BITS[out.itemsize])
    np.bitwise_and(yes.view(mask.dtype), mask, out=out.view(mask.dtype))


class Source:
    """The text of a Python function that computes the results of a recording.

    Attributes
    ----------
    values : list of Value
        Those that the results need, in order.
    order : dict
        The place of each value in this list, by id.
    roots : dict
        For each value, by id, the value whose memory it is: a view has the memory of another.
    last : dict
        The last step that uses the memory of a value, by the id of its root.
    known : dict
        The global names of the function.
    """

    def __init__(self, recording, inputs, results):
        self.results = results
        needed, waiting = set(), list(results)
        while waiting:
            value = waiting.pop()
            if id(value) not in needed:
                needed.add(id(value))
                waiting += value.arguments
        self.values = [value for value in recording.values if id(value) in needed]
        self.order = {id(value): i for i, value in enumerate(self.values)}
        self.inputs = [id(value) for value in inputs]
        self.names = {each: f"t{i}" for i, each in enumerate([*self.inputs, *needed - set(self.inputs)])}
        self.known = {one.__name__: one for one in (patched, fresh, selected, kept, np.copyto, np.where)}
        self.lines: list[str] = []
        self.roots: dict[int, Value] = {}
        for value in self.values:
            viewed = value.function == "view" and not value.uniform
            self.roots[id(value)] = self.roots[id(value.arguments[0])] if viewed else value
        self.last = {}
        for i, value in enumerate(self.values):
            for each in (value, *value.arguments):
                self.last[self.root(each)] = i
        for value in results:
            self.last[self.root(value)] = len(self.values)

    def root(self, value):
        """The id of the value whose memory this one has."""
        return id(self.roots[id(value)])

    def owned(self, value):
        """Whether the program makes the memory of a value."""
        root = self.roots[id(value)]
        return not root.uniform and root.function not in ("input", "constant")

    def dying(self, value, i, others=()):
        """Whether nobody needs the memory of a value after step i, which may overwrite it then."""
        last = self.last[self.root(value)] == i
        return last and self.owned(value) and all(self.root(each) != self.root(value) for each in others)

    def name(self, thing, kind):
        """The name of an object that the text uses."""
        name = f"{kind}{id(thing)}"
        self.known[name] = thing  # which keeps its id
        return name

    def function(self, parameters, last=()):
        """The function that the lines make."""
        exec("\n    ".join([f"def program({', '.join(parameters)}):", *self.lines, *last, "pass"]), self.known)
        return self.known["program"]

    def expression(self, value, given, i):
        """What makes a value, of the names of its arguments; it may overwrite an argument."""
        match value.function:
            case "view" | "cast":
                return f"{given[0]}.{'view' if value.function == 'view' else 'astype'}({self.name(value.dtype, 'd')})"
            case "patch":
                return f"patched({self.name(value.extra, 'f')}, {', '.join(given)})"
            case "select":
                return f"where({', '.join(given)})"
        return f"{self.name(value.function, 'f')}({', '.join(given)})"

    def small(self):
        """A function (size, *operands) -> results."""
        for i, value in enumerate(self.values):
            name, function, arguments = self.names[id(value)], value.function, value.arguments
            given = [self.names[id(each)] for each in arguments]
            if function == "constant":
                self.known[name] = value.extra
            elif function == "patch" and not self.dying(arguments[1], i, (arguments[0], *arguments[2:])):
                given[1] = f"fresh({given[1]}, size)"
            elif function == "select" and self.dying(arguments[2], i, arguments[:2]):
                self.lines += [f"copyto({given[2]}, {given[1]}, where={given[0]})", f"{name} = {given[2]}"]
                continue
            elif function in FASTER_BY_ARRAY:
                for k, each in enumerate(arguments):
                    if each.known is not None:
                        given[k] = f"{self.name(np.full(SMALL, each.extra), 'k')}[:size]"
            if function not in ("input", "constant"):
                self.lines.append(f"{name} = {self.expression(value, given, i)}")
        returned, taken = [], set()
        for value in self.results:
            name = self.names[id(value)]
            own = self.owned(value) and self.root(value) not in taken
            taken.add(self.root(value))
            returned.append(name if own else f"fresh({name}, size)")
        return self.function(["size", *(self.names[each] for each in self.inputs)], [f"return {', '.join(returned)},"])

    def large(self):
        """A function that has a block of each array, and what these are: (kind, number, dtype)."""
        self.needed: dict[tuple, str] = {}
        self.places: dict[int, tuple] = {}  # kind and number, by the id of the root
        free: dict[int, list] = {}  # buffers that nobody uses, by the size of an element
        for number, value in enumerate(self.results):
            place = "out", number
            while value is not None and self.owned(value) and self.root(value) not in self.places:
                value = self.roots[id(value)]
                self.places[id(value)] = place
                changed, i = self.changed(value), self.order[id(value)]
                value = changed if changed and self.dying(changed, i, [x for x in value.arguments if x is not changed]) else None
        count = 0
        for i, value in enumerate(self.values):
            name, function, arguments = self.names[id(value)], value.function, value.arguments
            if function == "input":
                self.places[id(value)] = "number" if value.uniform else "operand", self.inputs.index(id(value))
                continue
            if function == "constant":
                self.known[name] = value.extra
                continue
            if function == "view" and not value.uniform:
                continue
            given = [self.text(each) for each in arguments]
            if function in FASTER_BY_ARRAY and not value.uniform:
                given = [
                    self.parameter("constant", each.extra.tobytes(), each.dtype) if each.known is not None else text
                    for each, text in zip(arguments, given, strict=True)
                ]
            if not self.owned(value):
                self.lines.append(f"{name} = {self.expression(value, given, i)}")
                continue
            roots = {self.root(each) for each in arguments if self.dying(each, i)}
            dead = [self.places[each] for each in roots if each in self.places and self.places[each][0] == "buffer"]
            changed = self.changed(value)
            if changed and self.dying(changed, i, [each for each in arguments if each is not changed]) and self.place(changed):
                inherited = self.place(changed)
                if self.places.setdefault(id(value), inherited) == inherited:
                    dead = [place for place in dead if place != inherited]
            if function in SIMPLE:
                self.release(dead, free)
            if id(value) not in self.places:
                spare = free.setdefault(value.dtype.itemsize, [])
                count += not spare
                self.places[id(value)] = spare.pop() if spare else ("buffer", (count, value.dtype.itemsize))
            if function not in SIMPLE:
                self.release(dead, free)
            target = self.text(value)
            if function == "patch":
                if target != given[1]:
                    self.lines.append(f"copyto({target}, {given[1]})")
                self.lines.append(self.expression(value, [given[0], target, *given[2:]], i))
            elif function == "select" and is_zero(arguments[2]):
                self.lines.append(f"kept({given[0]}, {given[1]}, {target})")
            elif function == "select":
                self.lines.append(f"selected({', '.join(given)}, {target})")
            elif function == "cast":
                self.lines.append(f"copyto({target}, {given[0]}, casting='unsafe')")
            else:
                self.lines.append(f"{self.name(function, 'f')}({', '.join(given)}, out={target})")
        for number, value in enumerate(self.results):
            if self.place(value) != ("out", number):
                self.lines.append(f"copyto({self.parameter('out', number, value.dtype)}, {self.text(value)})")
        return self.function(list(self.needed.values())), list(self.needed)

    @staticmethod
    def changed(value):
        """The argument that a value may be made of in place."""
        return {"patch": value.arguments[1:2], "select": value.arguments[2:]}.get(value.function, (None,))[0]

    @staticmethod
    def release(places, free):
        """Let buffers be used again."""
        for place in places:
            free.setdefault(place[1][1], []).append(place)

    def place(self, value):
        """Where the memory of a value is: the kind and the number of an argument; None for a local name."""
        return self.places.get(self.root(value))

    def text(self, value):
        """The name of a value in a program for large arrays."""
        place = self.place(value)
        return self.parameter(place[0], place[1], value.dtype) if place else self.names[id(value)]

    def parameter(self, kind, number, dtype):
        """The name of an argument that is a block of memory, or a number."""
        return self.needed.setdefault((kind, number, dtype), f"p{len(self.needed)}")
