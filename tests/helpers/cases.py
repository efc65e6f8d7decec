"""A valid call of every public function, with arrays of any kind. Tests of calls start from it, and change one argument."""

import functools
from typing import NamedTuple

import numpy as np

from fastact import backends
from fastact.declare import ACTIVATIONS, LOSSES, ROWS

from passes import STEPS

FUNCTIONS = sorted(vars(backends.load("numpy")))
X = np.array([[0.5, -1.5, 2.5, 0.25], [1.0, 0.75, -0.5, 3.0]])
GRAD = np.array([[1.0, -2.0, 0.5, 0.25], [0.5, 1.0, 3.0, -1.0]])
KEPT = np.array([[True, False, True, True], [False, True, True, False]])
LOSS_OF = {name: (loss, kind) for loss in LOSSES.values() for kind, name in loss.names().items()}
ALIASES = {alias: name for name, declared in ACTIVATIONS.items() for alias in declared.aliases}


def operands(name):
    """The arguments of a valid call: arrays of data, the positional arguments that follow them, and keywords."""
    declared = ACTIVATIONS.get(ALIASES.get(name.removesuffix("_backward"), name.removesuffix("_backward")))
    if name in LOSS_OF:
        loss, kind = LOSS_OF[name]
        grad = [np.array(0.5)] if kind == "backward" else []
        if loss.of_rows:
            return [*grad, X], [np.array([1, 3])], {}
        return [*grad, X, np.abs(np.sign(X)) if loss.labels else GRAD], [], {}
    if name == "gumbel_softmax":
        return [X], [], {"rng": 1}
    if name == "gumbel_softmax_backward":
        return [GRAD], [], {"y": np.full(X.shape, 0.25)}
    if name.endswith("_backward") and name.removesuffix("_backward") in ROWS and ROWS[name.removesuffix("_backward")].reduces:
        return [GRAD[:, 0], X], [], {}
    if name in STEPS:
        moments = [KEPT.astype(float)] * (2 if name == "adam_step" else 0)
        return [X, GRAD, *moments], [], {"step": 2} if moments else {}
    if declared is None:
        return [GRAD, X] if name.endswith("backward") else [X], [], {}
    if declared.halves:
        return [GRAD[:, :2], X] if name.endswith("backward") else [X], [], {}
    data = [X, GRAD][: len(declared.operands)]
    return [GRAD + 1, *data] if name.endswith("backward") else data, list(declared.usual.values()), {}


class Case(NamedTuple):
    """One function, and the arguments of a valid call."""

    name: str
    data: list
    rest: list
    keywords: dict

    def call(self, make=lambda array: array, which=slice(None), **more):
        """The arguments, with the arrays that `which` chooses made into another kind, and with more keywords."""
        chosen = range(len(self.data))[which]
        chosen = [chosen] if isinstance(chosen, int) else chosen
        data = [make(array.copy()) if i in chosen else array.astype(np.float32) for i, array in enumerate(self.data)]
        return [*data, *self.rest], {**self.keywords, **more}

    def single(self, **more):
        """The arguments of a call with float32 arrays."""
        return self.call(lambda array: array.astype(np.float32), **more)

    def double(self, **more):
        """The arguments of a call with float64 arrays."""
        return self.call(**more)

    def outs(self, make):
        """An out= for each result."""
        made = tuple(map(make, result_shapes(self.name)))
        return made[0] if len(made) == 1 else made

    @property
    def last(self):
        """The index of the last array of data."""
        return len(self.data) - 1


def case_of(name):
    """The case of a public function."""
    return Case(name, *operands(name))


@functools.cache
def result_shapes(name):
    """The shapes of the results of a public function."""
    args, keywords = case_of(name).single()
    results = getattr(backends.load("numpy"), name)(*args, **keywords)
    return [np.shape(result) for result in (results if isinstance(results, tuple) else (results,))]
