"""The networks of networks.py in plain NumPy, scikit-learn, PyTorch, JAX and ONNX Runtime, and the images of digits."""

import importlib.metadata
import importlib.util
import itertools

import numpy as np


def has(library):
    """Whether a library is installed."""
    return importlib.util.find_spec(library) is not None


def versions():
    """The versions of the libraries that are installed."""
    names = ("numpy", "scikit-learn", "torch", "jax", "onnxruntime")
    return {name: importlib.metadata.version(name) for name in names if has(name.replace("scikit-learn", "sklearn"))}


def images(dtype=np.float32):
    """scikit-learn's digits: images and labels to train with, images and labels of the 360 that are held out."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(7).permutation(len(found.data))
    data, labels = (found.data[order] / 16).astype(dtype), found.target[order]
    return data[360:], labels[360:], data[:360], labels[:360]


def digits(X, y, epochs, batch, rate):
    """Calls that train a network with ReLU and Adam on the digits, with layers of 64, 128 and 10 neurons."""
    found = {"scikit-learn": lambda: sklearn_digits(X, y, epochs, batch, rate, 0)}
    if has("torch"):
        found["PyTorch"] = torch_digits(X, y, epochs, batch, rate)
    return found


def sklearn_digits(X, y, epochs, batch, rate, seed):
    """scikit-learn's classifier, trained; it must not stop early."""
    from sklearn.neural_network import MLPClassifier

    facts = {"batch_size": batch, "max_iter": epochs, "learning_rate_init": rate, "random_state": seed}
    return MLPClassifier((128,), alpha=0, tol=0, n_iter_no_change=epochs + 1, **facts).fit(X, y)


def torch_digits(X, y, epochs, batch, rate):
    """A call that trains in PyTorch, with its fused Adam."""
    import torch

    torch.set_num_threads(1)
    data, labels = torch.from_numpy(X), torch.from_numpy(y)

    def train():
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
        optimizer = torch.optim.Adam(net.parameters(), rate, fused=True)
        for _ in range(epochs):
            for chosen in torch.randperm(len(data)).split(batch):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(net(data[chosen]), labels[chosen]).backward()
                optimizer.step()
        return net

    return train


def weights(layers):
    """He's initial weights, and biases of 0."""
    generator = np.random.default_rng(0)
    matrices = [(np.sqrt(2 / n) * generator.standard_normal((n, m))).astype(np.float32) for n, m in itertools.pairwise(layers)]
    return matrices, [np.zeros(m, np.float32) for m in layers[1:]]


def steps(data, labels, layers, rate):
    """Calls that make one training step, with ReLU, cross-entropy and Adam."""
    found = {"NumPy": numpy_step(data, labels, layers, rate)}
    if has("torch"):
        found["PyTorch"] = torch_step(data, labels, layers, rate)
    if has("jax"):
        found["JAX jit"] = jax_step(data, labels, layers, rate)
    found["scikit-learn"] = sklearn_step(data, labels, layers, rate)
    return found


def numpy_step(data, labels, layers, rate):
    """The training step that people write in NumPy: it makes new arrays, and applies Adam to one parameter after the other."""
    matrices, biases = weights(layers)
    parameters = [*matrices, *biases]
    means, squares = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
    one_hot = np.eye(layers[-1], dtype=np.float32)[labels]
    count = 0

    def step():
        nonlocal count
        count += 1
        inputs, x = [], data
        for i, (w, b) in enumerate(zip(matrices, biases, strict=True)):
            inputs.append(x)
            x = x @ w + b
            if i < len(matrices) - 1:
                x = np.maximum(x, 0)
        e = np.exp(x - x.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(len(p)), labels]).mean()
        grad = (p - one_hot) / np.float32(len(p))
        d_matrices, d_biases = [], []
        for i in range(len(matrices) - 1, -1, -1):
            d_matrices.insert(0, inputs[i].T @ grad)
            d_biases.insert(0, grad.sum(axis=0))
            if i:
                grad = (grad @ matrices[i].T) * (inputs[i] > 0)
        for p, g, m, v in zip(parameters, [*d_matrices, *d_biases], means, squares, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            p -= rate * (m / (1 - 0.9**count)) / (np.sqrt(v / (1 - 0.999**count)) + 1e-8)
        return loss

    return step


def torch_step(data, labels, layers, rate):
    """A training step of PyTorch, with its fused Adam."""
    import torch

    torch.set_num_threads(1)
    n, m, k, outputs = layers
    relu = torch.nn.ReLU()
    net = torch.nn.Sequential(torch.nn.Linear(n, m), relu, torch.nn.Linear(m, k), relu, torch.nn.Linear(k, outputs))
    optimizer = torch.optim.Adam(net.parameters(), rate, fused=True)
    x, y = torch.from_numpy(data), torch.from_numpy(labels)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    return step


def jax_step(data, labels, layers, rate):
    """A training step of JAX, compiled as one function."""
    import jax
    from jax import numpy as jnp

    x, y = jnp.asarray(data), jnp.asarray(labels)

    def loss(parameters):
        h = x
        for i, (w, b) in enumerate(parameters):
            h = h @ w + b
            if i < len(parameters) - 1:
                h = jax.nn.relu(h)
        return -jnp.take_along_axis(jax.nn.log_softmax(h), y[:, None], axis=1).mean()

    def adam(p, g, m, v, count):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        return p - rate * (m / (1 - 0.9**count)) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8), m, v

    def update(parameters, means, squares, count):
        gradients = jax.grad(loss)(parameters)
        made = jax.tree.map(lambda p, g, m, v: adam(p, g, m, v, count), parameters, gradients, means, squares)
        return tuple(jax.tree.map(lambda one, i=i: one[i], made, is_leaf=lambda one: isinstance(one, tuple)) for i in range(3))

    compiled = jax.jit(update, donate_argnums=(0, 1, 2))
    parameters = [list(map(jnp.asarray, pair)) for pair in zip(*weights(layers), strict=True)]
    state = [parameters, jax.tree.map(jnp.zeros_like, parameters), jax.tree.map(jnp.zeros_like, parameters)]
    count = 0

    def step():
        nonlocal count
        count += 1
        state[:] = compiled(*state, float(count))
        jax.block_until_ready(state[0])

    return step


def sklearn_step(data, labels, layers, rate):
    """A training step of scikit-learn: `partial_fit`, which also checks its data."""
    from sklearn.neural_network import MLPClassifier

    net = MLPClassifier(layers[1:-1], alpha=0, batch_size=len(data), learning_rate_init=rate)
    net.partial_fit(data, labels, classes=np.arange(layers[-1]))
    return lambda: net.partial_fit(data, labels)


def serving(net, data):
    """Calls that predict the same probabilities as a network of fastact, with its weights."""
    matrices, biases = [layer.weights for layer in net.layers], [layer.bias for layer in net.layers]
    found = {"NumPy": lambda: numpy_serving(matrices, biases, data)}
    if has("torch"):
        found["PyTorch"] = torch_serving(matrices, biases, data)
    if has("jax"):
        found["JAX jit"] = jax_serving(matrices, biases, data)
    if has("onnxruntime") and has("onnx"):
        found["ONNX Runtime"] = onnx_serving(matrices, biases, data)
    expected = net.predict_proba(data)
    for name, call in found.items():
        tolerance = 1e-3 if name == "NumPy" else 1e-5  # NumPy has no erf, so its line is gelu's tanh form
        if not np.allclose(np.asarray(call()), expected, atol=tolerance):
            raise AssertionError(f"{name} predicts something else")
    return found


def numpy_serving(matrices, biases, x):
    """The prediction that people write in NumPy."""
    for i, (w, b) in enumerate(zip(matrices, biases, strict=True)):
        x = x @ w + b
        if i < len(matrices) - 1:
            x = 0.5 * x * (1 + np.tanh(np.float32(0.7978845608) * (x + 0.044715 * x * x * x)))
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def torch_serving(matrices, biases, data):
    """A call that predicts in PyTorch, in inference mode."""
    import torch

    torch.set_num_threads(1)
    parts = []
    for w, b in zip(matrices, biases, strict=True):
        layer = torch.nn.Linear(*w.shape)
        layer.weight.data, layer.bias.data = torch.from_numpy(w.T.copy()), torch.from_numpy(b.copy())
        parts += [layer, torch.nn.GELU()]
    net = torch.nn.Sequential(*parts[:-1], torch.nn.Softmax(dim=1)).eval()
    x = torch.from_numpy(data)

    def predict():
        with torch.inference_mode():
            return net(x).numpy()

    return predict


def jax_serving(matrices, biases, data):
    """A call that predicts in JAX, compiled."""
    import jax

    def forward(x):
        for i, (w, b) in enumerate(zip(matrices, biases, strict=True)):
            x = x @ w + b
            if i < len(matrices) - 1:
                x = jax.nn.gelu(x, approximate=False)
        return jax.nn.softmax(x)

    compiled = jax.jit(forward)
    return lambda: np.asarray(compiled(data))


def onnx_serving(matrices, biases, data):
    """A call that predicts in ONNX Runtime, on one thread."""
    import onnx
    import onnxruntime

    make, nodes, arrays, name = onnx.helper, [], [], "x"
    for i, (w, b) in enumerate(zip(matrices, biases, strict=True)):
        arrays += [onnx.numpy_helper.from_array(w.copy(), f"w{i}"), onnx.numpy_helper.from_array(b.copy(), f"b{i}")]
        nodes.append(make.make_node("Gemm", [name, f"w{i}", f"b{i}"], [f"z{i}"]))
        last = i == len(matrices) - 1
        name = "p" if last else f"h{i}"
        nodes.append(make.make_node("Softmax" if last else "Gelu", [f"z{i}"], [name]))
    kind = onnx.TensorProto.FLOAT
    given = make.make_tensor_value_info("x", kind, [None, matrices[0].shape[0]])
    result = make.make_tensor_value_info("p", kind, [None, matrices[-1].shape[1]])
    graph = make.make_graph(nodes, "network", [given], [result], arrays)
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 20)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": data})[0]
