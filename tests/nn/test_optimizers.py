"""The optimizers take the steps that their formulas say, serve one network at a time, and refuse wrong arguments."""

import numpy as np
import pytest

from fastact.nn import SGD, Adam, AdamW, Dense, Network


def run(optimizer, steps=5):
    """Parameters after some steps with the gradients of their squares."""
    parameters = np.array([1.0, -2.0, 3.0])
    optimizer.start(parameters)
    for _ in range(steps):
        optimizer.step(parameters, 2 * parameters)
    return parameters


def by_hand(kind, steps=5, momentum=0.9):
    """The same parameters, computed by the textbook formulas."""
    p, v, m = np.array([1.0, -2.0, 3.0]), np.zeros(3), np.zeros(3)
    for t in range(1, steps + 1):
        g = 2 * p
        if kind == "sgd":
            p = p - 0.1 * g
        elif kind in ("momentum", "nesterov"):
            v = momentum * v + g
            p = p - 0.1 * (g + momentum * v if kind == "nesterov" else v)
        else:
            if kind == "adamw":
                p = p * (1 - 0.1 * 0.01)
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            p = p - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return p


@pytest.mark.parametrize(
    ("optimizer", "kind"),
    [
        (SGD(0.1), "sgd"),
        (SGD(0.1, momentum=0.9), "momentum"),
        (SGD(0.1, momentum=0.9, nesterov=True), "nesterov"),
        (Adam(0.1), "adam"),
        (AdamW(0.1), "adamw"),
        (Adam(lambda step: 0.1), "adam"),
    ],
    ids=repr,
)
def test_steps_follow_the_formulas(optimizer, kind):
    """Five steps give what the formulas give, and again after a new start."""
    np.testing.assert_allclose(run(optimizer), by_hand(kind), rtol=1e-12)
    np.testing.assert_allclose(run(optimizer), by_hand(kind), rtol=1e-12)


def test_the_rate_may_be_a_function_of_the_step():
    """The rate may be a function, which gets the number of steps before this one."""
    asked = []
    run(SGD(lambda step: asked.append(step) or 0.1), steps=3)
    assert asked == [0, 1, 2]
    with pytest.raises(ValueError, match=r"SGD\(\) argument rate must be finite, got nan"):
        run(SGD(lambda step: np.nan))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(-0.1), r"SGD\(\) needs rate >= 0, got rate=-0.1"),
        (lambda: SGD(momentum=-1), "momentum"),
        (lambda: SGD(nesterov=True), "nesterov=True needs a momentum"),
        (lambda: Adam(np.inf), "rate"),
        (lambda: Adam(beta1=1), r"Adam\(\) needs 0 <= beta1 < 1, got beta1=1"),
        (lambda: Adam(beta2=-0.1), "beta2"),
        (lambda: Adam(eps=0), r"Adam\(\) needs eps > 0, got eps=0"),
        (lambda: AdamW(weight_decay=-1), "weight_decay"),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    """Each error names the argument and its value, as errors of adam_step and sgd_step do."""
    with pytest.raises(ValueError, match=message):
        make()
    with pytest.raises(TypeError, match=r"SGD\(\) argument rate must be a real number, not str 'fast'"):
        SGD("fast")


def test_an_optimizer_serves_one_network_at_a_time():
    """The moments of an optimizer belong to the parameters with which it was started."""
    optimizer = Adam()
    optimizer.start(np.zeros(3))
    with pytest.raises(ValueError, match="call start"):
        optimizer.step(np.zeros(3), np.zeros(3))
    X, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
    one, other = Network(Dense(2, 2), rng=0), Network(Dense(2, 2), rng=0)
    one.fit(X, y, epochs=1, optimizer=optimizer, shuffle=False)
    assert optimizer.steps == 1
    other.fit(X, y, epochs=1, optimizer=optimizer, shuffle=False)
    assert optimizer.steps == 1
    np.testing.assert_array_equal(one.parameters, other.parameters)


def test_an_optimizer_of_the_user():
    """An object with start and step is an optimizer. One that does not change the parameters in place is refused."""

    class Signs:
        def start(self, parameters):
            self.started = len(parameters)

        def step(self, parameters, gradients):
            parameters -= 0.01 * np.sign(gradients)

    X = np.random.default_rng(0).normal(size=(100, 2))
    net = Network(Dense(2, 2), rng=0).fit(X, X[:, 0] > 0, epochs=30, optimizer=Signs())
    assert net.score(X, X[:, 0] > 0) > 0.95
    assert net.optimizer.started == 6

    class Returns(Signs):
        def step(self, parameters, gradients):
            return parameters - 0.01 * gradients

    with pytest.raises(TypeError, match="must change the parameters in place"):
        net.fit(X, X[:, 0] > 0, optimizer=Returns())
    for wrong in (Adam, "adam", object()):
        with pytest.raises(TypeError, match="optimizer must be one such as Adam"):
            net.fit(X, X[:, 0] > 0, optimizer=wrong)
