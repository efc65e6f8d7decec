"""The evaluators of the implementation in use, by name, for pickle.

pickle finds a ufunc by its name in an imported module. So dask, joblib and process pools can send the ufuncs inside of public
functions. The names are the same on both backends. This module keeps the evaluators separate from the public functions, since
most have the same names.
"""

from .. import backends as _backends
from .. import simd as _simd

globals().update(_backends.evaluators_by_name(_simd))
