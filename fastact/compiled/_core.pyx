# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The C core as NumPy ufuncs and gufuncs, and the fast paths of small calls. No code here depends on a single function.

| file | what it has |
|---|---|
| c_api.pxi | the declarations of src_c, NumPy and Python |
| halves.pxi | the types of half precision |
| ufuncs.pxi | `load`, which makes the ufuncs and gufuncs of one instruction set |
| types.pxi | the dtypes of a call of a ufunc |
| threads.pxi | the numbers of threads, and jobs that threads share |
| elements.pxi | `shortcut`, the fast path of elementwise functions |
| rows.pxi | `row_shortcut`, the fast path of functions along an axis |
| losses.pxi | `loss_shortcut`, the fast path of losses |
| blocks.pxi | the blocks of losses, which threads share |
| means.pxi | the losses of plain arrays |
| steps.pxi | steps of optimizers |

A fast path takes a call whose arguments are plain arrays and numbers. It hands any other call over to the Call objects of the
folder calls/. Only these raise errors.
"""

from cpython.mem cimport PyMem_Malloc
from cpython.object cimport PyObject
from libc.float cimport FLT_MIN
from libc.math cimport INFINITY, NAN
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset, strcpy
cimport cython
cimport numpy as cnp

import threading

import numpy as np

from ..declare import REQUIRED
from ..calls.arguments import known_bfloat16, refuse_dtype
from ..numpy_backend.rows import parse

include "c_api.pxi"

cnp.import_array()
_import_umath()
formulas_digest = (<const char *>fastact_formulas).decode()  # codegen.digest() of the formulas that were compiled


def available():
    """The names of the instruction sets that this machine can run, best first."""
    cdef const InstructionSet *const *sets = fastact_instruction_sets()
    names = []
    while sets[len(names)] != NULL:
        names.append(sets[len(names)].name.decode())
    return tuple(names)


cdef int float_type(PyObject *operand):
    """The number of the dtype of a plain array of floats, which are of single, double or half precision; else -1."""
    cdef int dtype = -1
    if PyArray_CheckExact(operand):
        dtype = cnp.PyArray_TYPE(<cnp.ndarray>operand)
    if dtype >= NPY_USERDEF and bfloat16 < 0:
        see((<cnp.ndarray>operand).dtype)
    return dtype if dtype == cnp.NPY_FLOAT32 or dtype == cnp.NPY_FLOAT64 or half_type(dtype) >= 0 else -1


cdef bint is_like(PyObject *operand, int dtype, int dimensions, cnp.npy_intp *shape):
    """Whether this is a plain array of this dtype and shape."""
    if float_type(operand) != dtype or not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>operand):
        return False
    if cnp.PyArray_NDIM(<cnp.ndarray>operand) != dimensions:
        return False
    return cnp.PyArray_CompareLists(cnp.PyArray_DIMS(<cnp.ndarray>operand), shape, dimensions)


cdef bint safe_with(PyObject *operand, PyObject *out):
    """Whether this is a plain array with the dtype and shape of `out`, and is the same memory as `out` or shares none with it."""
    if float_type(operand) != cnp.PyArray_TYPE(<cnp.ndarray>out) or not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>operand):
        return False
    if not PyArray_SAMESHAPE(<cnp.ndarray>operand, <cnp.ndarray>out):
        return False
    return cnp.PyArray_DATA(<cnp.ndarray>operand) == cnp.PyArray_DATA(<cnp.ndarray>out) or disjoint(operand, out)


cdef bint disjoint(PyObject *operand, PyObject *out):
    """Whether two contiguous arrays share no memory."""
    cdef char *at = <char *>cnp.PyArray_DATA(<cnp.ndarray>operand)
    cdef char *to = <char *>cnp.PyArray_DATA(<cnp.ndarray>out)
    return at >= to + cnp.PyArray_NBYTES(<cnp.ndarray>out) or to >= at + cnp.PyArray_NBYTES(<cnp.ndarray>operand)


cdef enum:
    WITH_THE_LOCK = 4096  # bytes below which a loop takes less time than releasing the interpreter's lock


cdef void call_loop(
    PyUFuncGenericFunction loop, char **at, cnp.npy_intp *counts, cnp.npy_intp *steps, void *data, cnp.npy_intp bytes_
) noexcept:
    """Call a loop, without the interpreter's lock where that pays."""
    if bytes_ < WITH_THE_LOCK:
        loop(at, counts, steps, data)
    else:
        with nogil:
            loop(at, counts, steps, data)


cdef object number(object given, int dtype):
    """A number as a 0-d array, which NumPy converts much faster than a Python float. NaN stands for None."""
    cdef cnp.ndarray made = cnp.PyArray_EMPTY(0, NULL, dtype, 0)
    cdef double value = NAN if given is None or given is REQUIRED else given
    cdef float rounded
    if dtype == cnp.NPY_FLOAT32:
        (<float *>cnp.PyArray_DATA(made))[0] = nearest_float(value)
    elif dtype != cnp.NPY_FLOAT64:
        rounded = nearest_float(value)
        half_types[half_type(dtype)].narrow(&rounded, <uint16_t *>cnp.PyArray_DATA(made), 1)
    else:
        (<double *>cnp.PyArray_DATA(made))[0] = value
    return made


cdef class Rules:
    """The `self` of a builtin public function. It holds the Call, which knows all rules."""

    cdef object call

    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        # A builtin function is pickled as getattr(self, name). So `self` is pickled as the package.
        import importlib
        return importlib.import_module, ("fastact",)


cdef object slow(Rules self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames):
    """Hand a call over to its Call, in the default floating-point state, which NumPy's casts and sums need."""
    cdef Py_ssize_t i
    cdef FloatState callers
    keywords = {}
    if kwnames != NULL:
        for i in range(PyTuple_GET_SIZE(kwnames)):
            keywords[<object>PyTuple_GET_ITEM(kwnames, i)] = <object>args[nargs + i]
    operands = [<object>args[i] for i in range(nargs)]
    callers = enter_default_state()
    try:
        return self.call(*operands, **keywords)
    finally:
        restore_state(callers)


cdef object invoke_rules(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames):
    return slow(<Rules>self, args, nargs, kwnames)


def rules(call, str document):
    """A builtin function without a fast path."""
    return builtin(call, Rules(call), <void *>invoke_rules, document)


cdef object builtin(call, Rules self, void *function, str document):
    """A builtin function, which calls the C function `function` with `self`."""
    cdef PyMethodDef *method = <PyMethodDef *>forever(sizeof(PyMethodDef))
    method.ml_name = keep(call.name)
    method.ml_meth = function
    method.ml_flags = METH_FASTCALL | METH_KEYWORDS
    method.ml_doc = keep(f"{call.name}{call.signature}\n--\n\n{document}")
    return PyCFunction_NewEx(method, self, "fastact")


include "threads.pxi"
include "halves.pxi"
include "ufuncs.pxi"
include "types.pxi"
include "elements.pxi"
include "rows.pxi"
include "losses.pxi"
include "blocks.pxi"
include "means.pxi"
include "steps.pxi"
