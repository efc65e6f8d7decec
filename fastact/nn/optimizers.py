"""The optimizers. A step is one call of a compiled function, which updates all parameters of a network."""

from typing import Any

import numpy as np

import fastact

from ..calls.steps import checked_numbers


class Optimizer:
    """The base of all optimizers. It has the rate, the number of steps, and the vector of parameters that a step changes.

    An optimizer of your own needs two methods: ``start(parameters)``, and ``step(parameters, gradients)``, which changes the
    vector of parameters in place.
    """

    def __init__(self, rate):
        self.rate = rate if callable(rate) else self.number("rate", rate)
        self.steps = 0
        self.parameters = None

    def number(self, name, value):
        """The value as a float, checked as fastact's steps check it."""
        return checked_numbers(type(self).__name__, {name: value})[0]

    def start(self, parameters):
        """Forget all steps, and make new vectors for the running means.

        Parameters
        ----------
        parameters : ndarray of shape (n,)
            The vector that `step` will change.
        """
        self.steps = 0
        self.parameters = parameters

    def begin(self, parameters):
        """The rate of the next step."""
        if parameters is not self.parameters:
            raise ValueError(
                f"{type(self).__name__}.step() needs the parameters that it was started with: call start(parameters)"
            )
        rate = self.number("rate", self.rate(self.steps)) if callable(self.rate) else self.rate
        self.steps += 1
        return rate

    def __getstate__(self):
        """Without the parameters. A network that is copied together with the optimizer sets them anew."""
        return self.__dict__ | {"parameters": None}

    def __setstate__(self, state):
        """Arrays are copied: joblib may map read-only files into memory, and a step writes the moments."""
        for name, value in state.items():
            setattr(self, name, value.copy() if isinstance(value, np.ndarray) else value)

    def __repr__(self):
        return f"{type(self).__name__}(rate={self.rate!r})"


class SGD(Optimizer):
    """Stochastic gradient descent: parameters -= rate * gradients, with momentum where that is not 0.

    Parameters
    ----------
    rate : float or callable
        The size of a step, or a function of the number of steps done.
    momentum : float
        The share of the last step's velocity that is kept.
    nesterov : bool
        Whether the gradient counts once more, ahead of the velocity.

    Examples
    --------
    >>> import numpy as np
    >>> from fastact.nn import SGD
    >>> parameters = np.array([1.0, 2.0])
    >>> optimizer = SGD(0.1)
    >>> optimizer.start(parameters)
    >>> optimizer.step(parameters, np.array([1.0, -1.0]))
    >>> parameters
    array([0.9, 2.1])
    """

    def __init__(self, rate=0.01, *, momentum=0.0, nesterov=False):
        super().__init__(rate)
        self.momentum, self.nesterov = self.number("momentum", momentum), bool(nesterov)
        if self.nesterov and not self.momentum:
            raise ValueError("SGD() argument nesterov=True needs a momentum > 0, got momentum=0")
        self.velocity = None

    def start(self, parameters):
        """As Optimizer.start."""
        super().start(parameters)
        self.velocity = np.zeros_like(parameters) if self.momentum else None

    def step(self, parameters, gradients):
        """Change the parameters in place."""
        rate = self.begin(parameters)
        fastact.sgd_step(parameters, gradients, self.velocity, rate=rate, momentum=self.momentum, nesterov=self.nesterov)


class Adam(Optimizer):
    """Adam: a step of about `rate` for each parameter, whatever the size of its gradients.

    Parameters
    ----------
    rate : float or callable
        The size of a step, or a function of the number of steps done.
    beta1, beta2 : float
        The shares that are kept of the mean gradient and of the mean square gradient, from 0 to below 1.
    eps : float
        What is added to the square root of the mean square.

    See Also
    --------
    fastact.adam_step : The formulas.
    AdamW : With weight decay.

    Examples
    --------
    >>> import numpy as np
    >>> from fastact.nn import Adam
    >>> parameters = np.array([1.0, 2.0])
    >>> optimizer = Adam(0.1)
    >>> optimizer.start(parameters)
    >>> optimizer.step(parameters, np.array([1.0, -100.0]))
    >>> parameters.round(6)
    array([0.9, 2.1])
    """

    weight_decay = 0.0

    def __init__(self, rate=0.001, *, beta1=0.9, beta2=0.999, eps=1e-8):
        super().__init__(rate)
        self.beta1, self.beta2 = self.number("beta1", beta1), self.number("beta2", beta2)
        self.eps = self.number("eps", eps)
        self.first_moment: Any = None
        self.second_moment: Any = None

    def start(self, parameters):
        """As Optimizer.start."""
        super().start(parameters)
        self.first_moment, self.second_moment = np.zeros_like(parameters), np.zeros_like(parameters)

    def step(self, parameters, gradients):
        """Change the parameters in place."""
        rate = self.begin(parameters)
        fastact.adam_step(
            parameters,
            gradients,
            self.first_moment,
            self.second_moment,
            step=self.steps,
            rate=rate,
            beta1=self.beta1,
            beta2=self.beta2,
            eps=self.eps,
            weight_decay=self.weight_decay,
        )


class AdamW(Adam):
    """Adam with decoupled weight decay: each step takes rate * weight_decay * parameters off besides.

    Parameters
    ----------
    rate, beta1, beta2, eps
        As for Adam.
    weight_decay : float
        How fast parameters that have no gradient fall.

    Examples
    --------
    >>> import numpy as np
    >>> from fastact.nn import AdamW
    >>> parameters = np.array([1.0, 2.0])
    >>> optimizer = AdamW(0.1, weight_decay=0.2)
    >>> optimizer.start(parameters)
    >>> optimizer.step(parameters, np.zeros(2))
    >>> parameters
    array([0.98, 1.96])
    """

    def __init__(self, rate=0.001, *, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
        super().__init__(rate, beta1=beta1, beta2=beta2, eps=eps)
        self.weight_decay = self.number("weight_decay", weight_decay)
