"""Neural-network activation functions for NumPy arrays: forward and backward, in place, compiled, with a pure NumPy fallback.

>>> import numpy as np, fastact as fa
>>> x = np.array([-1.0, 0.0, 2.0])
>>> fa.sigmoid(x)
array([0.26894142, 0.5       , 0.88079708])
>>> fa.sigmoid_backward(np.ones(3), x)  # the gradient: grad times the derivative at x
array([0.19661193, 0.25      , 0.10499359])
>>> fa.relu(x, out=x)  # in place
array([0., 0., 2.])

Where to begin:

- elementwise: `relu`, `leaky_relu`, `elu`, `sigmoid`, `tanh`, `gelu`, `silu` and many more, each with its `<name>_backward`;
- along an axis: `softmax`, with `scale=`, `mask=` and `causal=` for attention, `log_softmax`, `logsumexp` and others;
- losses: `cross_entropy_and_grad` gives the loss and the gradient of a batch;
- networks: `help(fastact.nn)`; `fastact.sklearn` has them for scikit-learn; pictures: `fastact.plots`;
- dask arrays: nearly all functions take them; `fastact.dask` has softmax of rows that are chunked.

`help(fastact.gelu)` tells everything about one function. In a terminal `fastact info --functions` lists all, `fastact plot`
draws them and `fastact bench` measures them. `fastact.backend` is "compiled" or "numpy", `fastact.simd` the instruction set in
use; FASTACT_BACKEND and FASTACT_SIMD choose.
"""

import importlib as _importlib

import numpy as _numpy

__version__ = "0.5.0"

if int(_numpy.__version__.split(".")[0]) < 2:
    raise ImportError(f"fastact {__version__} needs NumPy 2.0 or later, found {_numpy.__version__}: pip install 'numpy>=2'")

from . import backends as _backends  # after the check, since an older NumPy would fail inside it

simd, reason = _backends.choose()
backend = "numpy" if simd == "numpy" else "compiled"
_functions = vars(_backends.load(simd))
globals().update(_functions)
register_bfloat16 = _backends.register_bfloat16
from . import threads as _threads  # noqa: E402
from .calls import ufuncs as _ufuncs  # noqa: E402, F401  (pickle finds evaluators there)
from .threads import get_num_threads, num_threads, set_num_threads  # noqa: E402

_threads.begin(backend)

__all__ = ["__version__", "backend", "get_num_threads", "num_threads", "reason", "set_num_threads", "simd"]
__all__ += ["register_bfloat16", *_functions]
_SUBPACKAGES = ("dask", "nn", "plots", "sklearn")  # each is imported when it is first used


def __dir__():
    return sorted([*__all__, *_SUBPACKAGES])


def __getattr__(name):
    if name in _SUBPACKAGES:
        return _importlib.import_module(f"fastact.{name}")
    message = f"module 'fastact' has no attribute {name!r}"
    if not name.startswith("_"):
        import difflib  # here, since only an error needs it

        public = {each.replace("_", "").lower(): each for each in __all__}
        wanted = name.replace("_", "").lower()
        for ending in ("grad", "prime", "derivative"):
            wanted = wanted.removesuffix(ending) + "backward" if wanted.endswith(ending) else wanted
        longer = [each for each in sorted(public, key=len) if each.startswith(wanted) and len(wanted) > 3]
        for match in (longer or difflib.get_close_matches(wanted, public, 1, 0.7))[:1]:
            # Given `name`, Python's traceback would add a suggestion of its own.
            raise AttributeError(f"{message}: did you mean {public[match]!r}?", obj=__name__)
    raise AttributeError(message, name=name)
