"""The pictures of networks: gradients that vanish, ReLUs that die, and lines that bend into a sine."""

import numpy as np

from . import style
from .digits import digits

DEPTH, WIDTH = 30, 128
DEEP = ("sigmoid", "tanh", "relu", "elu", "selu")
TRAINED = ("relu", "leaky_relu", "elu")
RATE, EPOCHS, LAST = 0.05, 30, 10
NEURONS = (0, 4, 8, 32)
STARTS = 8


def gradients():
    """Draw what deep networks and large steps do to gradients: sigmoids let them vanish, ReLUs die.

    On the left the size of the gradient on its way back through 30 layers of 128 neurons with their usual initial weights. On
    the right a network with 128 hidden neurons that learns digits with Adam at a rate of 0.05, which is too large: how many
    neurons have a derivative of 0 for every image, and how many images are told right in the end, the mean of ten epochs, of
    360 that were not learnt. The digits are drawn here, too.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> import fastact.plots
    >>> fastact.plots.gradients().savefig("gradients.svg")  # doctest: +SKIP
    """
    style.require()
    sizes = {name: way_back(name) for name in DEEP}
    trained = {name: dying(name) for name in TRAINED}
    title = "Vanishing gradients and dead ReLUs"
    left = ", ".join(f"{name} {size[0]:.0e}" for name, size in sizes.items())
    right = ", ".join(f"{name} {dead[-1]:.0f} % dead and {score:.0%} right" for name, (dead, score) in trained.items())
    said = f"What is left of a gradient of 1 at the inputs of {DEPTH} layers: {left}. After {EPOCHS} epochs: {right}."
    made = style.figure(11.4, 3.95, title, said)
    across, down = made.get_size_inches()
    top, height = 0.72, 2.6
    for x, head, text in (
        (
            0.12,
            f"The vanishing gradient: {DEPTH} layers of {WIDTH} neurons",
            "size of the gradient (root mean square) on its way back to the inputs",
        ),
        (6.05, f"Dead ReLUs: digits, at a learning rate of {RATE}", "neurons whose derivative is 0 for every image"),
    ):
        style.write(made, x / across, 1 - 0.24 / down, head, 11, bold=True, va="center_baseline")
        style.write(made, x / across, 1 - 0.47 / down, text, 8.5, style.QUIET, va="center_baseline")
    vanishing(style.panel(made, 0.62, top, 4.9, height), sizes, height)
    dead(style.panel(made, 6.5, top, 3.4, height), trained, height)
    for x, text in ((0.62 + 4.9 / 2, f"layer: {DEPTH} is the last, 0 are the inputs"), (6.5 + 3.4 / 2, "epoch")):
        style.write(made, x / across, 0.16 / down, text, 8.5, style.QUIET, ha="center", va="center_baseline")
    return made


def way_back(name):
    """The root mean square of the gradient at the inputs, after the first layer, and so on up to the last."""
    from ..nn import Dense, Network

    rng = np.random.default_rng(0)
    net = Network(*(Dense(WIDTH, WIDTH, name) for _ in range(DEPTH)), rng=0, dtype=np.float64)
    net.forward(rng.standard_normal((256, WIDTH)))
    gradient = rng.standard_normal((256, WIDTH))
    sizes = [1.0]
    for layer in reversed(net.layers):
        before = gradient
        gradient = layer.backward(gradient)
        sizes.append(sizes[-1] * float(np.sqrt(np.mean(gradient**2) / np.mean(before**2))))
    return sizes[::-1]


def dying(name):
    """The share of dead neurons after each epoch, in per cent, and the share of right answers for unknown images at the end.

    Large steps make the latter go up and down. So it is the mean of the last epochs.
    """
    from ..nn import Adam, Dense, Network

    images, labels = digits(1797, np.random.default_rng(0))
    known, unknown = slice(360, None), slice(360)
    net = Network(Dense(64, WIDTH, name), Dense(WIDTH, 10), rng=0)
    shares, scores, optimizer = [], [], Adam(RATE)
    for _ in range(EPOCHS):
        net.fit(images[known], labels[known], epochs=1, optimizer=optimizer, progress=False)
        shares.append(float(net.health(images[known]).dead[0]))
        scores.append(net.score(images[unknown], labels[unknown]))
    return shares, float(np.mean(scores[-LAST:]))


def vanishing(axes, sizes, height):
    """The left panel: a line for each function, with its name where the line starts."""
    exponents = np.log10(list(sizes.values()))
    low, high = np.floor(exponents.min() / 3) * 3 - 1, exponents.max() + 2.2
    axes.set(xlim=(-5.4, DEPTH), ylim=(low, high))
    decades = np.arange(np.ceil(low / 3) * 3, high + 1e-9, 3)
    axes.set_yticks(decades, [f"$10^{{{decade:.0f}}}$" if decade else "1" for decade in decades])
    axes.set_xticks(range(0, DEPTH + 1, 5))
    lost = np.log10(2.0**-24)
    axes.axhline(lost, color=style.FAINT, linewidth=0.9, linestyle=(0, (1.5, 2)), zorder=1, **style.PLAIN)
    style.write(
        axes, DEPTH, lost - 0.02 * (high - low), "below this, a weight near 1\nstays as it is in float32", 8, style.QUIET,
        ha="right", va="top",
    )  # fmt: skip
    for (name, size), place in zip(sizes.items(), spread(exponents[:, 0], (high - low) * 0.155 / height), strict=True):
        style.line(axes, range(DEPTH + 1), np.log10(size), style.BY_NAME[name], 1.8, zorder=3)
        style.write(axes, -0.4, place, name, 9, style.BY_NAME[name], bold=True, ha="right", va="center_baseline")


def dead(axes, trained, height):
    """The right panel: a line for each function, and its end in words."""
    axes.set(xlim=(1, EPOCHS), ylim=(-17, 104))
    axes.set_yticks(range(0, 101, 20), [f"{share} %" for share in range(0, 101, 20)])
    axes.set_xticks(range(5, EPOCHS + 1, 5))
    ends = [shares[-1] for shares, _ in trained.values()]
    places = spread(ends, 121 * 0.33 / height)
    for i, ((name, (shares, score)), place) in enumerate(zip(trained.items(), places, strict=True)):
        # The third line is dashed, so that a line below it is seen.
        style.line(axes, range(1, EPOCHS + 1), shares, style.BY_NAME[name], 2, "-" if i < 2 else (0, (3, 3)), zorder=3 + i)
        text = f"{name}: {shares[-1]:.0f} % dead\n{score:.0%} right in the end"
        style.write(axes, EPOCHS + 0.6, place, text, 8, style.BY_NAME[name], bold=True, ha="left", va="center", clip_on=False)


def spread(places, gap):
    """The places, moved as little as possible to be at least `gap` from each other, in their order."""
    order = np.argsort(places, kind="stable")
    sorted_places = np.array(places, float)[order]
    groups = []  # (sum of the members' wishes, number of members); a group moves as one
    for i, place in enumerate(sorted_places):
        groups.append((place - i * gap, 1))
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            total, count = groups.pop()
            groups[-1] = groups[-1][0] + total, groups[-1][1] + count
    found = np.repeat([total / count for total, count in groups], [count for _, count in groups])
    result = np.empty(len(order))
    result[order] = found + gap * np.arange(len(order))
    return result


def fit_sine():
    """Draw how a network of ReLUs bends a line into a sine: without an activation, and with 4, 8 and 32 neurons.

    Each ReLU bends the line once, at a circle, if it does so in the range that is drawn. Networks begin with random weights: the
    one that comes closest of eight is shown.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> import fastact.plots
    >>> fastact.plots.fit_sine().savefig("sine.svg")  # doctest: +SKIP
    """
    style.require()
    x = np.linspace(-np.pi, np.pi, 257)
    nets = {count: fitted(x, count) for count in NEURONS}
    found = {count: (net.predict(x[:, None]).ravel(), bends(net)) for count, net in nets.items()}
    largest = {count: farthest(net, x) for count, net in nets.items()}
    title = "ReLU bends a line into a sine: every neuron is one bend"
    said = "; ".join(f"{heading(count)}, largest error {error:.2f}" for count, error in largest.items())
    width, height, gap, left, top = 2.55, 2.1, 0.18, 0.45, 0.78
    made = style.figure(left + len(found) * (width + gap), top + height + 0.32, title, f"Fits of a sine: {said}.")
    across, down = made.get_size_inches()
    style.write(made, 0.12 / across, 1 - 0.24 / down, title, 12, bold=True, va="center_baseline")
    for i, (count, (y, at)) in enumerate(found.items()):
        start = left + i * (width + gap)
        axes = style.panel(made, start, top, width, height)
        axes.set(xlim=(-3.45, 3.45), ylim=(-1.62, 1.35))
        axes.set_yticks([-1, 0, 1], [style.signed(f"{tick}") for tick in (-1, 0, 1)])
        axes.set_xticks([-np.pi, 0, np.pi], [r"$-\pi$", "0", r"$\pi$"])
        axes.tick_params(labelleft=i == 0)
        style.line(axes, x, np.sin(x), "#cccccc", 6, zorder=1, solid_capstyle="round")
        style.line(axes, x, y, style.FUNCTION, 2, zorder=2)
        bent = nets[count].predict(at[:, None]).ravel()
        style.dots(axes, at, bent, style.DERIVATIVE, 4.5, markerfacecolor="white", zorder=3)
        style.write(made, start / across, 1 - 0.62 / down, heading(count), 10, bold=True, va="center_baseline")
        style.write(axes, 3.4, -1.52, f"largest error {largest[count]:.2f}", 8.5, style.QUIET, ha="right", va="bottom")
    return made


def farthest(net, x):
    """The largest error of a network."""
    return float(np.abs(net.predict(x[:, None]).ravel() - np.sin(x)).max())


def heading(count):
    """The text above a panel."""
    return f"{count} ReLU neurons" if count else "no activation: a line"


def fitted(x, count):
    """The network with so many neurons that fits a sine best."""
    from ..nn import Adam, Dense, Network

    steps, found = 1500, []
    for seed in range(STARTS if count else 1):
        layers = [Dense(1, count, "relu"), Dense(count, 1)] if count else [Dense(1, 1)]
        net = Network(*layers, rng=seed, dtype=np.float64)
        smaller_and_smaller = Adam(lambda step: 0.03 * (1 - step / (steps + 1)))
        net.fit(
            x[:, None], np.sin(x), epochs=steps, batch_size=len(x), optimizer=smaller_and_smaller, shuffle=False, progress=False
        )
        found.append(net)
    return min(found, key=lambda net: farthest(net, x))


def bends(net):
    """Where the neurons of the first layer bend the line."""
    if len(net.layers) == 1:
        return np.empty(0)
    first, last = net.layers
    # A neuron does not bend the line if one of its weights is 0.
    bending = (first.weights[0] != 0) & (last.weights[:, 0] != 0)
    at = -first.bias[bending] / first.weights[0, bending]
    return np.sort(at[np.abs(at) < np.pi])
