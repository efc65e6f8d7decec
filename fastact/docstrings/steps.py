"""The numpydoc docstrings of the steps of optimizers, and their rows in tables of functions."""

from .rows import clean

ARRAYS = """    parameters : ndarray
        float32 or float64; changed in place. Any strides; one vector of all parameters of a network takes the least time.
    gradients : ndarray
        Of the loss, by each parameter. All arrays have one shape and one dtype, and share no memory.
"""
RATE = """    rate : float, default {0}
        The learning rate, not negative.
"""
RAISED = """    Returns
    -------
    ndarray
        `parameters`, the same array. A NaN in `gradients` makes its own parameter NaN, and no other.

    Raises
    ------
    TypeError
        For what is no plain array in memory, a dtype other than float32 and float64, arrays of different dtypes, and numbers
        of a wrong kind.
    ValueError
        For arrays of different shapes, arrays that are read-only or share memory, and a number {0}.
        Nothing has been written then.
"""


# By name, the call and the formula.
LISTED = {
    "adam_step": (
        "adam_step(parameters, gradients, first_moment, second_moment, *, step, rate=0.001, beta1=0.9, beta2=0.999, eps=1e-08, "
        "weight_decay=0.0)",
        "m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) * g**2; p = (1 - rate * weight_decay) * p "
        "- rate / (1 - beta1**step) * m / (sqrt(v / (1 - beta2**step)) + eps)",
    ),
    "sgd_step": (
        "sgd_step(parameters, gradients, velocity=None, *, rate=0.01, momentum=0.0, nesterov=False)",
        "v = momentum * v + g; p = p - rate * v, or p - rate * (g + momentum * v) with nesterov",
    ),
}
TEXTS = {
    "adam_step": clean(f"""A step of Adam, or of AdamW, in place and in one pass over memory

    It computes::

        first_moment = beta1 * first_moment + (1 - beta1) * gradients
        second_moment = beta2 * second_moment + (1 - beta2) * gradients**2
        parameters = (1 - rate * weight_decay) * parameters
            - rate / (1 - beta1**step) * first_moment / (sqrt(second_moment / (1 - beta2**step)) + eps)

    Parameters
    ----------
{ARRAYS}    first_moment, second_moment : ndarray
        The running means of the gradients and of their squares, changed in place; zeros before the first step.
    step : int
        The number of this step, 1 for the first.
{RATE.format(0.001)}    beta1, beta2 : float, default 0.9 and 0.999
        What the running means keep in a step, 0 to 1, without 1.
    eps : float, default 1e-8
        Added to the denominator, positive.
    weight_decay : float, default 0.0
        The share of the parameters, times the rate, that they lose in a step: AdamW's. It is not in the gradients.

{RAISED.format("out of its range")}
    Notes
    -----
    Every backend, instruction set, layout and length gives the same bits. The parameters are within 4 ULP of the exact results,
    the moments within 2, where a unit is that of the sum of the sizes of the terms. As in torch a second moment that overflows
    holds its parameter still. In float32 a first gradient of up to 5e+20 does not make it overflow.

    References
    ----------
    D. P. Kingma, J. Ba (2015), Adam: a method for stochastic optimization.
    I. Loshchilov, F. Hutter (2019), Decoupled weight decay regularization.

    Examples
    --------
    >>> import numpy as np, fastact as fa
    >>> parameters, gradients = np.array([1.0, -1.0, 0.5]), np.array([0.5, -2.0, 0.0])
    >>> first, second = np.zeros(3), np.zeros(3)
    >>> fa.adam_step(parameters, gradients, first, second, step=1, rate=0.1).round(6)
    array([ 0.9, -0.9,  0.5])
    >>> first
    array([ 0.05, -0.2 ,  0.  ])
    """),
    "sgd_step": clean(f"""A step of gradient descent, with or without momentum, in place and in one pass over memory

    It computes::

        velocity = momentum * velocity + gradients
        parameters = parameters - rate * velocity, or with nesterov parameters - rate * (gradients + momentum * velocity)

    Parameters
    ----------
{ARRAYS}    velocity : ndarray, optional
        The running sum of gradients, changed in place; zeros before the first step. Needed where there is a momentum.
{RATE.format(0.01)}    momentum : float, default 0.0
        What the velocity keeps in a step, not negative.
    nesterov : bool, default False
        Whether the parameters move by where the velocity will be; needs a momentum.

{RAISED.format("out of its range, or a momentum without a velocity")}
    Notes
    -----
    Every backend, instruction set, layout and length gives the same bits. The parameters are within 4 ULP of the exact results,
    the velocity within 2, where a unit is that of the sum of the sizes of the terms.

    References
    ----------
    Y. Nesterov (1983), A method of solving a convex programming problem with convergence rate O(1/k^2).
    I. Sutskever, J. Martens, G. Dahl, G. Hinton (2013), On the importance of initialization and momentum in deep learning.

    Examples
    --------
    >>> import numpy as np, fastact as fa
    >>> parameters, velocity = np.array([1.0, -1.0]), np.zeros(2)
    >>> fa.sgd_step(parameters, np.array([0.5, -2.0]), velocity, rate=0.1, momentum=0.9)
    array([ 0.95, -0.8 ])
    >>> fa.sgd_step(parameters, np.array([0.5, -2.0]), velocity, rate=0.1, momentum=0.9)
    array([ 0.855, -0.42 ])
    """),
}
