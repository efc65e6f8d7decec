"""The same functions in other libraries, and what surprises those who switch.

`CALLS` gives each library's call. The call is written with this library's own argument names, so it also says which parameter is
which: `LeakyRelu(x, alpha=negative_slope)`. `PREFIXES` says what the first name of a call is. `SURPRISES` says where a default or
the meaning differs. The tables of functions, the reference pages, `fastact bench --peers` and the pictures of errors read them.
tests/docs/test_elsewhere.py makes every call where the library is installed.
"""

LIBRARIES = {"torch": "PyTorch", "jax": "JAX", "keras": "Keras", "scipy": "SciPy", "onnx": "ONNX", "thinc": "thinc"}

PREFIXES = {
    "torch": "`F` is `torch.nn.functional`.",
    "jax": "`nn` is `jax.nn`.",
    "keras": "`activations`, `layers`, `losses` and `ops` are modules of `keras`.",
    "scipy": "`special` is `scipy.special`.",
    "onnx": "Operators of the ONNX standard, with their attributes by name.",
    "thinc": "`thinc` is `thinc.api.NumpyOps()`.",
}

CALLS = {
    "sigmoid": {
        "torch": "torch.sigmoid(x)",
        "jax": "nn.sigmoid(x)",
        "keras": "activations.sigmoid(x)",
        "scipy": "special.expit(x)",
        "onnx": "Sigmoid(x)",
        "thinc": "thinc.sigmoid(x)",
    },
    "tanh": {"torch": "torch.tanh(x)", "jax": "nn.tanh(x)", "keras": "activations.tanh(x)", "onnx": "Tanh(x)"},
    "relu": {
        "torch": "F.relu(x)",
        "jax": "nn.relu(x)",
        "keras": "activations.relu(x)",
        "onnx": "Relu(x)",
        "thinc": "thinc.relu(x)",
    },
    "leaky_relu": {
        "torch": "F.leaky_relu(x, negative_slope=negative_slope)",
        "jax": "nn.leaky_relu(x, negative_slope=negative_slope)",
        "keras": "activations.leaky_relu(x, negative_slope=negative_slope)",
        "onnx": "LeakyRelu(x, alpha=negative_slope)",
    },
    "elu": {
        "torch": "F.elu(x, alpha=alpha)",
        "jax": "nn.elu(x, alpha=alpha)",
        "keras": "activations.elu(x, alpha=alpha)",
        "onnx": "Elu(x, alpha=alpha)",
    },
    "relu6": {
        "torch": "F.relu6(x)",
        "jax": "nn.relu6(x)",
        "keras": "activations.relu6(x)",
        "onnx": "Clip(x, 0, 6)",
        "thinc": "thinc.relu_k(x, n=6)",
    },
    "selu": {"torch": "F.selu(x)", "jax": "nn.selu(x)", "keras": "activations.selu(x)", "onnx": "Selu(x)"},
    "celu": {
        "torch": "F.celu(x, alpha=alpha)",
        "jax": "nn.celu(x, alpha=alpha)",
        "keras": "activations.celu(x, alpha=alpha)",
        "onnx": "Celu(x, alpha=alpha)",
    },
    "gelu": {
        "torch": "F.gelu(x)",
        "jax": "nn.gelu(x, approximate=False)",
        "keras": "activations.gelu(x)",
        "scipy": "x * special.ndtr(x)",
        "onnx": "Gelu(x)",
        "thinc": "thinc.gelu(x)",
    },
    "gelu_tanh": {
        "torch": "F.gelu(x, approximate='tanh')",
        "jax": "nn.gelu(x, approximate=True)",
        "keras": "activations.gelu(x, approximate=True)",
        "onnx": "Gelu(x, approximate='tanh')",
        "thinc": "thinc.gelu_approx(x)",
    },
    "silu": {
        "torch": "F.silu(x)",
        "jax": "nn.silu(x)",
        "keras": "activations.silu(x)",
        "onnx": "Swish(x, alpha=beta)",
        "thinc": "thinc.swish(x)",
    },
    "mish": {
        "torch": "F.mish(x)",
        "jax": "nn.mish(x)",
        "keras": "activations.mish(x)",
        "onnx": "Mish(x)",
        "thinc": "thinc.mish(x)",
    },
    "softplus": {
        "torch": "F.softplus(x, beta=beta)",
        "jax": "nn.softplus(x)",
        "keras": "activations.softplus(x)",
        "onnx": "Softplus(x)",
    },
    "softsign": {"torch": "F.softsign(x)", "jax": "nn.soft_sign(x)", "keras": "activations.softsign(x)", "onnx": "Softsign(x)"},
    "log_sigmoid": {
        "torch": "F.logsigmoid(x)",
        "jax": "nn.log_sigmoid(x)",
        "keras": "activations.log_sigmoid(x)",
        "scipy": "special.log_expit(x)",
    },
    "hard_sigmoid": {
        "torch": "F.hardsigmoid(x)",
        "jax": "nn.hard_sigmoid(x)",
        "keras": "activations.hard_sigmoid(x)",
        "onnx": "HardSigmoid(x, alpha=1 / 6)",
    },
    "clipped_linear": {
        "thinc": "thinc.clipped_linear(x, slope=slope, offset=offset, min_val=min_val, max_val=max_val)",
    },
    "hard_swish": {
        "torch": "F.hardswish(x)",
        "jax": "nn.hard_silu(x)",
        "keras": "activations.hard_silu(x)",
        "onnx": "HardSwish(x)",
        "thinc": "thinc.hard_swish_mobilenet(x)",
    },
    "hard_tanh": {
        "torch": "F.hardtanh(x, min_val=min_val, max_val=max_val)",
        "jax": "nn.hard_tanh(x)",
        "keras": "activations.hard_tanh(x)",
        "onnx": "Clip(x, min_val, max_val)",
        "thinc": "thinc.hard_tanh(x)",
    },
    "hard_shrink": {
        "torch": "F.hardshrink(x, lambd=lambd)",
        "keras": "activations.hard_shrink(x, threshold=lambd)",
        "onnx": "Shrink(x, lambd=lambd)",
    },
    "soft_shrink": {
        "torch": "F.softshrink(x, lambd=lambd)",
        "keras": "activations.soft_shrink(x, threshold=lambd)",
        "onnx": "Shrink(x, lambd=lambd, bias=lambd)",
    },
    "tanh_shrink": {"torch": "F.tanhshrink(x)", "keras": "activations.tanh_shrink(x)"},
    "threshold": {
        "torch": "F.threshold(x, threshold, value)",
        "keras": "activations.threshold(x, threshold, value)",
    },
    "prelu": {"torch": "F.prelu(x, weight)", "keras": "layers.PReLU()", "onnx": "PRelu(x, weight)"},
    "squareplus": {"jax": "nn.squareplus(x, b=b)", "keras": "activations.squareplus(x, b=b)"},
    "sparse_plus": {"jax": "nn.sparse_plus(x)", "keras": "activations.sparse_plus(x)"},
    "sparse_sigmoid": {"jax": "nn.sparse_sigmoid(x)", "keras": "activations.sparse_sigmoid(x)"},
    "logit": {"torch": "torch.logit(x)", "jax": "jax.scipy.special.logit(x)", "scipy": "special.logit(x)"},
    "glu": {"torch": "F.glu(x, dim=axis)", "jax": "nn.glu(x, axis=axis)", "keras": "activations.glu(x, axis=axis)"},
    "swiglu": {"onnx": "SwiGLU(gate, value)"},
    "softmax": {
        "torch": "F.softmax(x, dim=axis)",
        "jax": "nn.softmax(x, axis=axis)",
        "keras": "activations.softmax(x, axis=axis)",
        "scipy": "special.softmax(x, axis=axis)",
        "onnx": "Softmax(x, axis=axis)",
        "thinc": "thinc.softmax(x, axis=axis)",
    },
    "log_softmax": {
        "torch": "F.log_softmax(x, dim=axis)",
        "jax": "nn.log_softmax(x, axis=axis)",
        "keras": "activations.log_softmax(x, axis=axis)",
        "scipy": "special.log_softmax(x, axis=axis)",
        "onnx": "LogSoftmax(x, axis=axis)",
    },
    "logsumexp": {
        "torch": "torch.logsumexp(x, dim=axis)",
        "jax": "nn.logsumexp(x, axis=axis)",
        "keras": "ops.logsumexp(x, axis=axis)",
        "scipy": "special.logsumexp(x, axis=axis)",
        "onnx": "ReduceLogSumExp(x, [axis], keepdims=0)",
    },
    "softmin": {"torch": "F.softmin(x, dim=axis)"},
    "hardmax": {"onnx": "Hardmax(x, axis=axis)"},
    "sparsemax": {"keras": "activations.sparsemax(x, axis=axis)"},
    "gumbel_softmax": {"torch": "F.gumbel_softmax(x, tau=tau, hard=hard, dim=axis)"},
    "cross_entropy": {
        "torch": "F.cross_entropy(logits, target, weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing, "
        "reduction=reduction)",
        "keras": "losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignore_index)(target, logits)",
        "onnx": "SoftmaxCrossEntropyLoss(logits, target, ignore_index=ignore_index, reduction=reduction)",
    },
    "binary_cross_entropy_with_logits": {
        "torch": "F.binary_cross_entropy_with_logits(logits, target, pos_weight=pos_weight, reduction=reduction)",
        "keras": "losses.BinaryCrossentropy(from_logits=True)(target, logits)",
    },
}

SURPRISES = {
    "relu": {"torch": "NaN gives NaN in both. `F.relu_(x)` and `inplace=True` are `fa.relu(x, out=x)` here."},
    "leaky_relu": {
        "keras": "The default slope is 0.2, and was 0.3 in the layer of Keras 2. Here, in PyTorch, JAX and ONNX it is 0.01.",
        "onnx": "The slope is called `alpha`.",
    },
    "elu": {
        "torch": "`celu` is another function for every alpha but 1: elu multiplies by alpha, celu also divides x by it.",
    },
    "relu6": {"onnx": "There is no operator of this name: it is a Clip.", "thinc": "`relu_k` takes the limit as `n`."},
    "selu": {"onnx": "The scale and alpha are attributes `gamma` and `alpha`; their defaults are these."},
    "celu": {"torch": "With alpha = 1 this is elu. With any other alpha it is not."},
    "gelu": {
        "jax": '**The default is the tanh approximation.** Weights trained with it want `approximate="tanh"` here.',
        "keras": "The default is the exact one, as here.",
        "thinc": "An approximation of the normal distribution: off by up to 5e-7.",
    },
    "gelu_tanh": {"jax": "This is JAX's default.", "torch": "Models of the GPT-2 family use this one (`gelu_new`)."},
    "quick_gelu": {"torch": "No function of its own: CLIP's code writes `x * torch.sigmoid(1.702 * x)`."},
    "silu": {
        "torch": "No `beta`: it is always 1.",
        "jax": "No `beta`: it is always 1.",
        "keras": "No `beta`: it is always 1.",
        "onnx": "The factor is called `alpha`; the operator is new in opset 24.",
    },
    "softplus": {
        "torch": "Where `beta * x` is above `threshold=20` it returns x itself. Here there is no threshold, and no jump.",
        "jax": "No `beta`.",
        "keras": "No `beta`.",
        "scipy": "`special.softplus(x)` in new versions; no `beta`.",
    },
    "hard_sigmoid": {
        "keras": "Keras 3 computes (x + 3) / 6, as here. Keras 2 computed 0.2 x + 0.5: "
        "`fa.clipped_linear(x, slope=0.2, offset=0.5)`.",
        "onnx": "**The default alpha is 0.2**, that of Keras 2. The factor 1 / 6 has to be given.",
        "thinc": "Its `hard_sigmoid` is 0.2 x + 0.5: `fa.clipped_linear(x, slope=0.2, offset=0.5)`.",
    },
    "hard_swish": {"thinc": "Its `hard_swish` has the slope 0.2; `hard_swish_mobilenet` is this one."},
    "hard_tanh": {"jax": "The limits are always -1 and 1.", "keras": "The limits are always -1 and 1.", "onnx": "A Clip."},
    "hard_shrink": {"keras": "The parameter is called `threshold`.", "onnx": "`bias` is 0."},
    "soft_shrink": {"keras": "The parameter is called `threshold`.", "onnx": "`bias` has to be given: by default it is 0."},
    "threshold": {"keras": "The parameters are called `threshold` and `default_value`."},
    "prelu": {
        "torch": "One weight a channel belongs to **axis 1**. Here the weight broadcasts as in NumPy, against the last axis: "
        "for images (n, channels, height, width) give it the shape (channels, 1, 1).",
        "keras": "A layer that owns its weights; they start at 0 and have no batch axis.",
    },
    "logit": {
        "torch": "`eps=` clips x to [eps, 1 - eps] in both.",
        "scipy": "No `eps`.",
        "jax": "No `eps`.",
    },
    "glu": {"torch": "The second half is the gate, as here. SwiGLU code often has the gate first: `fa.swiglu(gate, value)`."},
    "swiglu": {
        "onnx": "The operator is new in opset 28.",
        "torch": "No function of its own: models write `F.silu(gate) * value`.",
    },
    "softmax": {
        "scipy": "**The default is `axis=None`**: the whole array is one row. `fa.softmax(x, axis=None)` is that.",
        "torch": "Without `dim` it guesses the axis and warns: axis 0 for 1 and 3 dimensions, axis 1 for 2.",
        "jax": "`where=` is the mask; here it is `mask=`.",
        "onnx": "Before opset 13 all axes from `axis` on are one row.",
        "thinc": "It subtracts the largest number of a row and divides by `temperature=` first: `scale=` is its reciprocal.",
    },
    "log_softmax": {
        "scipy": "**The default is `axis=None`.**",
        "torch": "Without `dim` it guesses the axis and warns.",
        "onnx": "Before opset 13 all axes from `axis` on are one row.",
    },
    "logsumexp": {
        "scipy": "**The default is `axis=None`.** `b=` are factors, here there is only `mask=`.",
        "jax": "**The default is `axis=None`.**",
        "keras": "**The default is `axis=None`.**",
        "torch": "`dim` has no default.",
    },
    "sparsemax": {"keras": "Rows do not sum to 1 in Keras 3.15: [-1, -0.25] gives [0.25, 1]; [0.125, 0.875] is right."},
    "gumbel_softmax": {"torch": "It draws from the global generator (`torch.manual_seed`); here `rng=` says which."},
    "cross_entropy": {
        "torch": "**The classes are axis 1**, here the last axis. In two dimensions that is the same; for images give `axis=1`.",
        "keras": "`from_logits=` is False by default: then it wants probabilities. The target comes first.",
        "onnx": "**The classes are axis 1.** No label smoothing.",
    },
    "binary_cross_entropy_with_logits": {
        "torch": "`pos_weight` has to be a tensor.",
        "keras": "`from_logits=` is False by default. The target comes first.",
    },
    "adam_step": {
        "torch": "The step of `torch.optim.AdamW`. `torch.optim.Adam` adds `weight_decay` to the gradients instead.",
        "keras": "The default epsilon is 1e-7, and is added before the second moment is corrected.",
    },
    "sgd_step": {
        "torch": "The step of `torch.optim.SGD` with `dampening=0`.",
        "keras": "The rate is inside of the velocity: after a change of the rate, steps differ.",
    },
}
