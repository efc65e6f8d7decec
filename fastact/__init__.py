"""Neural-network activation functions for NumPy arrays: forward and backward, in place, compiled, with a pure NumPy fallback.

>>> import numpy as np, fastact as fa
>>> x = np.array([-1.0, 0.0, 2.0], dtype=np.float32)
>>> fa.relu(x, out=x)
array([0., 0., 2.], dtype=float32)

`fastact.backend` is "compiled" or "numpy", `fastact.simd` the instruction set in use; FASTACT_BACKEND and FASTACT_SIMD choose.
The console command `fastact` has `fastact info` and `fastact bench`.
"""

from . import implementations as _implementations

__version__ = "0.3.0"

simd, reason = _implementations.choose()
backend = "numpy" if simd == "numpy" else "compiled"
_functions = vars(_implementations.load(simd))
globals().update(_functions)

__all__ = ["__version__", "backend", "reason", "simd", *_functions]
