"""What there is to test, from the registry: every implementation, and every way to call every activation."""

from dataclasses import dataclass

import numpy as np
import pytest

import fastact
from fastact import backends
from fastact import declare as row_table
from fastact.declare import ACTIVATIONS
from fastact.docstrings.steps import LISTED

# Where the core is compiled, the fallback is tested beside all instruction sets; elsewhere it is tested alone.
IMPLEMENTATIONS = backends.available() if fastact.backend == "compiled" else ("numpy",)
COMPILED = tuple(name for name in IMPLEMENTATIONS if name != "numpy")
# All instruction sets share the code that understands a call and refuses a wrong one. So the best set stands for the rest.
BACKENDS = tuple(dict.fromkeys((IMPLEMENTATIONS[0], "numpy")))
DTYPES = (np.float32, np.float64)

# Where a parameter can lie when it is varied by itself: the first range that its conditions allow is taken.
RANGES = ((0.1, 1.9), (0.1, 0.45), (-1.9, -0.3))


@dataclass(frozen=True)
class Pass:
    """One way to call one activation: f(x), f_backward(grad, x) or f_backward(grad, y=y).

    An alternative (gelu_tanh) is called by its option, required parameters have their usual values unless they are given.
    """

    activation: str
    kind: str  # "forward", "backward" or "from_output"

    def __str__(self):
        return f"{self.activation}-{self.kind}"

    @property
    def declared(self):
        """The declaration; None for a function along an axis."""
        return ACTIVATIONS.get(self.activation)

    @property
    def public(self):
        """The public name of the activation, and the option that chooses it."""
        for name, declared in ACTIVATIONS.items():
            for value, other in declared.alternatives.items():
                if other is self.declared:
                    return name, {} if other is declared else {declared.option: value}
        return self.activation, {}

    @property
    def function(self):
        """The name of the public function."""
        return self.public[0] if self.kind == "forward" else f"{self.public[0]}_backward"

    @property
    def parameters(self):
        """The names of the parameters."""
        return tuple(self.declared.parameters) if self.declared else ()

    @property
    def operands(self):
        """How many arrays it takes, parameters not counted."""
        forward = len(self.declared.operands) if self.declared else 1
        return forward + (self.kind != "forward")

    @property
    def outputs(self):
        """How many arrays it returns."""
        return len(self.declared.gradients) if self.declared and self.kind == "backward" else 1

    @property
    def main(self):
        """Which of the gradients is that of x, or of the gate."""
        return next(i for i, name in enumerate(self.declared.gradients) if name in ("x", "gate"))

    def arrays(self, x):
        """The operands with x as the input: a gradient of 1, and of a gated pair x as its gate and a value of 1."""
        names = (*(["grad"] if self.kind == "backward" else []), *self.declared.operands)
        return [x if name in ("x", "gate") else np.ones_like(x) for name in names]

    @property
    def summed(self):
        """Whether a gradient is summed to the shape of a parameter."""
        return self.outputs > 1 and self.declared.gradients != self.declared.operands

    @property
    def direct(self):
        """Whether the public function is the elementwise one, with its operands, out= and where=."""
        return not self.summed and not (self.declared and self.declared.halves)

    @property
    def bare(self):
        """Whether the public function is a ufunc itself, with nothing around it."""
        return self.kind == "forward" and self.direct and not (self.parameters or ACTIVATIONS[self.public[0]].option)

    @property
    def wide(self):
        """Whether its formula is computed with more digits than its data have."""
        return {"forward": self.declared.wide, "backward": self.declared.wide_backward, "from_output": False}[self.kind]

    @property
    def conditions(self):
        """What the parameters must fulfil."""
        return self.declared.requires + (self.declared.output_requires if self.kind == "from_output" else ())

    def allows(self, **parameters):
        """Whether the parameters fulfil the conditions."""
        values = {**self.declared.values, **parameters}
        for condition in self.conditions:
            involved = [values[name] for name in compile(condition, condition, "eval").co_names]
            if not np.all(eval(condition, {"__builtins__": {}}, values)) or any(np.any(value != value) for value in involved):
                return False  # NaN fulfils no condition
        return True

    def range(self, name):
        """Numbers between which one parameter may lie while the others stay; None if there are none."""
        return next((ends for ends in RANGES if self.allows(**{name: np.linspace(*ends, 9)})), None)

    def numbers(self, name, dtype, count):
        """So many numbers for one parameter."""
        return np.linspace(*self.range(name), count).astype(dtype)

    @property
    def varied(self):
        """The parameters that can be varied one by one."""
        return tuple(name for name in self.parameters if self.range(name))

    def of(self, implementation):
        """The pass as a function of its arrays, and of parameters and out= by keyword; each element by itself."""
        function = getattr(backends.load(implementation), self.function)
        if not self.declared:
            return function if self.kind != "from_output" else lambda grad, y, **keywords: function(grad, y=y, **keywords)
        if self.declared.halves:
            return _of_two_operands(function, self.kind)
        given = {**self.declared.usual, **self.public[1]}
        if self.summed:
            return _not_summed(function, given)
        if self.kind == "from_output":
            return lambda grad, y, **keywords: function(grad, y=y, **{**given, **keywords})
        return (lambda *arrays, **keywords: function(*arrays, **{**given, **keywords})) if given else function


def _of_two_operands(function, kind):
    """The function of an array's halves as one of two operands."""

    def elementwise(*arrays, **keywords):
        *grad, first, second = (np.asarray(array)[..., None] for array in np.broadcast_arrays(*arrays))
        result = function(*grad, np.concatenate([first, second], axis=-1), **keywords)
        return result[..., 0] if kind == "forward" else (result[..., 0], result[..., 1])

    return elementwise


def _not_summed(function, given):
    """The backward pass with a parameter for each element, so that nothing is summed."""

    def elementwise(*arrays, **keywords):
        ((name, number),) = given.items()
        number = keywords.pop(name, number)
        dtype = np.result_type(number, *map(np.asarray, arrays))
        shape = np.broadcast_shapes(np.shape(number), *map(np.shape, arrays))
        return function(*arrays, np.broadcast_to(np.asarray(number, dtype), shape), **keywords)

    return elementwise


def _elementwise():
    for name, activation in ACTIVATIONS.items():
        for kind in ("forward", "backward", "from_output"):
            if kind != "from_output" or activation.backward_from_output is not None:
                yield Pass(name, kind)


def _chosen(activation):
    """Whether an option of another activation chooses this one."""
    return any(activation in other.alternatives.values() for other in ACTIVATIONS.values())


def _representatives():
    """One pass of each kind that the loops and calls tell apart: what they do to memory does not depend on the formula."""
    found = {}
    for one in PASSES:
        facts = one.declared
        kind = one.operands, len(one.parameters), one.outputs, one.wide, one.kind, one.bare, bool(facts.usual)
        found.setdefault((*kind, bool(one.public[1])), one)
    return tuple(found.values())


DECLARED = tuple(_elementwise())
# The kernel behind a loss of elements is no public function: tests/rows/test_element_losses.py tests it.
EVERY = tuple(one for one in DECLARED if one.declared.public or _chosen(one.declared))
PASSES = tuple(one for one in EVERY if one.direct)
WITH_PARAMETERS = tuple(one for one in PASSES if one.parameters)
BACKWARD = tuple(one for one in EVERY if one.kind != "forward")
FROM_INPUT = tuple(one for one in EVERY if one.kind != "from_output")
REPRESENTATIVES = _representatives()
SOFTMAX = tuple(Pass("softmax", kind) for kind in ("forward", "backward", "from_output"))
ROWS = tuple(
    Pass(name, kind)
    for name, row in row_table.ROWS.items()
    for kind in ("forward", *(["backward"] if row.slope else []), *(["from_output"] if row.backward_from_output else []))
    if not row.reduces
)
# Public functions that are no pass of one kind: several operands, reductions, noise.
OTHERS = (
    *(f"{name}{suffix}" for name in row_table.DRAWS for suffix in ("", "_backward")),
    *(name for loss in row_table.LOSSES.values() for name in loss.names().values()),
    *(name for name, row in row_table.ROWS.items() if row.reduces),
    *(f"{name}_backward" for name, row in row_table.ROWS.items() if row.reduces and row.slope),
)
# These change arrays in place.
STEPS = tuple(LISTED)
# These say how many threads a call may take. They are the same for every implementation.
THREADS = ("get_num_threads", "num_threads", "set_num_threads")
BY_NAME = {str(one): one for one in EVERY + ROWS}


def each(passes):
    """Parametrize a test by passes."""
    return pytest.mark.parametrize("one", passes, ids=str)


each_implementation = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
each_backend = pytest.mark.parametrize("implementation", BACKENDS)
needs_core = pytest.mark.skipif(not COMPILED, reason="no compiled core")
each_compiled = pytest.mark.parametrize("implementation", COMPILED or [pytest.param("", marks=needs_core)])
best_compiled = pytest.mark.parametrize("implementation", COMPILED[:1] or [pytest.param("", marks=needs_core)])
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
each_of_all = each(EVERY)
each_pass = each(PASSES)
each_representative = each(REPRESENTATIVES)
each_pass_from_input = each(FROM_INPUT)
each_pass_with_parameters = each([one for one in REPRESENTATIVES if one.parameters])
each_row_pass = each(ROWS)
each_any_pass = each(REPRESENTATIVES + ROWS)
