"""What there is to test, from the registry: every implementation, and every way to call every activation."""

from dataclasses import dataclass

import numpy as np
import pytest

import fastact
from fastact import implementations
from fastact.declare import ACTIVATIONS

# On the fallback only the fallback: the run on the compiled core tests it beside all instruction sets.
IMPLEMENTATIONS = implementations.available() if fastact.backend == "compiled" else ("numpy",)
COMPILED = tuple(name for name in IMPLEMENTATIONS if name != "numpy")
DTYPES = (np.float32, np.float64)


@dataclass(frozen=True)
class Pass:
    """One way to call one activation: f(x), f_backward(grad, x) or f_backward(grad, y=y)."""

    activation: str
    kind: str  # "forward", "backward" or "from_output"
    parameters: tuple = ()

    def __str__(self):
        return f"{self.activation}-{self.kind}"

    @property
    def function(self):
        """The name of the public function."""
        return self.activation if self.kind == "forward" else f"{self.activation}_backward"

    @property
    def operands(self):
        """How many arrays it takes, parameters not counted."""
        return 1 if self.kind == "forward" else 2

    def of(self, implementation):
        """The pass as a function of its arrays, and of parameters and out= by keyword."""
        function = getattr(implementations.load(implementation), self.function)
        if self.kind == "from_output":
            return lambda grad, y, **keywords: function(grad, y=y, **keywords)
        return function


def _elementwise():
    for activation in ACTIVATIONS.values():
        kinds = {"forward": activation.forward, "backward": activation.backward, "from_output": activation.backward_from_output}
        for kind, formula in kinds.items():
            if formula is not None:
                yield Pass(activation.name, kind, tuple(activation.parameters))


PASSES = tuple(_elementwise())
WITH_PARAMETERS = tuple(one for one in PASSES if one.parameters)
BACKWARD = tuple(one for one in PASSES if one.operands == 2)
FROM_INPUT = tuple(one for one in PASSES if one.kind != "from_output")
ROWS = tuple(Pass("softmax", kind) for kind in ("forward", "backward", "from_output"))

each_implementation = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
needs_core = pytest.mark.skipif(not COMPILED, reason="no compiled core")
each_compiled = pytest.mark.parametrize("implementation", COMPILED or [pytest.param("", marks=needs_core)])
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
each_pass = pytest.mark.parametrize("one", PASSES, ids=str)
each_backward_pass = pytest.mark.parametrize("one", BACKWARD, ids=str)
each_pass_from_input = pytest.mark.parametrize("one", FROM_INPUT, ids=str)
each_pass_with_parameters = pytest.mark.parametrize("one", WITH_PARAMETERS, ids=str)
each_row_pass = pytest.mark.parametrize("one", ROWS, ids=str)
each_any_pass = pytest.mark.parametrize("one", PASSES + ROWS, ids=str)
