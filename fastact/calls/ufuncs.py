"""The evaluators of the implementation in use, by their names: pickle finds a ufunc only by its name in an imported module.

So dask, joblib and process pools can send what they have taken out of a public function. The names are the same on both
backends. They stand apart from the public functions, since most of these are called the same and are another object.
"""

from .. import backends as _backends
from .. import simd as _simd

globals().update(_backends.evaluators_by_name(_simd))
