# cython: language_level=3, boundscheck=False, wraparound=False
"""The C core as NumPy ufuncs and gufuncs, one set for each instruction set. It does not grow with the functions.

`load` makes the ufuncs of one set; `shortcut` puts a fast path in front of a public function that has parameters or a
backward pass: what it does not recognize at a glance goes to calls/, which alone knows what is right and wrong.
"""

import functools

from cpython.mem cimport PyMem_Malloc
from cpython.object cimport PyObject
from libc.math cimport NAN
from libc.stdint cimport intptr_t
from libc.string cimport memcpy, strcpy
cimport numpy as cnp

import numpy as np

from ..declare import REQUIRED
from ..numpy_backend.elementwise import refuse_dtype
from ..numpy_backend.rows import parse

cdef extern from "api.h":
    enum: MAX_INPUTS, MAX_PARAMETERS, MAX_OUTPUTS
    ctypedef void inner_loop(char **, const intptr_t *, const intptr_t *, void *) noexcept nogil
    ctypedef void any_block() noexcept
    ctypedef struct Kernel:
        const char *name
        int arrays, parameters, outputs
        any_block *uniform
        any_block *general
    ctypedef struct Fitted:
        const char *name
        any_block *uniform
        any_block *general
    ctypedef struct LossCall:
        intptr_t rows
        int wrong
    ctypedef struct RowKernel:
        const char *name
        const char *signature
        inner_loop *loop
    ctypedef struct Elementwise:
        int arrays, parameters, outputs, lanes
        any_block *uniform
        any_block *general
    ctypedef struct Kernels:
        int lanes
        inner_loop *loop
        const Kernel *kernels
        const Fitted *fitted
    ctypedef struct InstructionSet:
        const char *name
        const Kernels *of_float
        const Kernels *of_double
        const RowKernel *rows_of_float
        const RowKernel *rows_of_double
    const InstructionSet *const *fastact_instruction_sets()

cdef extern from "flags.h":
    ctypedef struct FloatState:
        pass
    FloatState enter_default_state() noexcept nogil
    void restore_state(FloatState) noexcept nogil
    float nearest_float(double) noexcept nogil

cdef extern from "numpy/ufuncobject.h":
    ctypedef void (*PyUFuncGenericFunction)(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept nogil
    ctypedef struct PyUFuncObject
    ctypedef struct PyArrayObject
    ctypedef struct PyArray_Descr
    ctypedef int (*PyUFunc_TypeResolutionFunc)(
        PyUFuncObject *, cnp.NPY_CASTING, PyArrayObject **, PyObject *, PyArray_Descr **) except -1
    ctypedef struct PyUFuncObject:
        PyUFuncGenericFunction *functions
        void **data
        int nin, nout
        const char *name
        PyUFunc_TypeResolutionFunc type_resolver
    int PyUFunc_DefaultTypeResolver(PyUFuncObject *, cnp.NPY_CASTING, PyArrayObject **, PyObject *, PyArray_Descr **) except -1
    int _import_umath() except -1
    enum: PyUFunc_None
    object PyUFunc_FromFuncAndDataAndSignature(
        PyUFuncGenericFunction *, void **, char *, int ntypes, int nin, int nout, int identity, const char *name,
        const char *doc, int unused, const char *signature)

cdef extern from "Python.h":
    ctypedef struct PyMethodDef:
        const char *ml_name
        void *ml_meth
        int ml_flags
        const char *ml_doc
    int METH_FASTCALL, METH_KEYWORDS
    object PyCFunction_NewEx(PyMethodDef *, object self, object module)
    object PyObject_Vectorcall(PyObject *, PyObject *const *, size_t, PyObject *)
    bint PyFloat_CheckExact(PyObject *)
    bint PyLong_CheckExact(PyObject *)
    bint PyUnicode_CheckExact(PyObject *)
    double PyFloat_AS_DOUBLE(PyObject *)
    ctypedef struct PyTypeObject
    PyTypeObject *Py_TYPE(PyObject *)
    double PyLong_AsDouble(PyObject *) except? -1
    PyObject *Py_None
    PyObject *PyTuple_GET_ITEM(PyObject *, Py_ssize_t)
    Py_ssize_t PyTuple_GET_SIZE(PyObject *)
    bint PyArray_CheckExact "PyArray_CheckExact"(PyObject *)
    bint PyArray_Check "PyArray_Check"(PyObject *)
    bint PyArray_SAMESHAPE "PyArray_SAMESHAPE"(cnp.ndarray, cnp.ndarray)

cdef extern from *:
    const char *FASTACT_FORMULAS

cnp.import_array()
_import_umath()
formulas_digest = FASTACT_FORMULAS.decode()  # codegen.digest() of the pages that were compiled


def available():
    """The names of the instruction sets that this machine can run, best first."""
    cdef const InstructionSet *const *sets = fastact_instruction_sets()
    names = []
    while sets[len(names)] != NULL:
        names.append(sets[len(names)].name.decode())
    return tuple(names)


include "ufuncs.pxi"


cdef class Rules:
    """A public function without a fast path: its Call does all of it."""

    cdef object call

    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        # A builtin function pickles as getattr(its self, its name): here the package.
        import importlib
        return importlib.import_module, ("fastact",)


cdef class Shortcut(Rules):
    """What the fast path of one public function knows; its Call knows the rest."""

    cdef object from_input, from_output, sum
    cdef object condition, output_condition  # functions of the parameters, or None
    cdef str option
    cdef dict evaluators
    cdef tuple names, defaults, defaults_f32, defaults_f64
    cdef int operands, n_parameters
    cdef bint rows, splits

    def __init__(self, call, rows):
        super().__init__(call)
        self.from_input, self.from_output = call.default
        self.option, self.evaluators = call.option, call.evaluators
        self.operands = len(call.operands)
        self.rows = rows
        self.splits = getattr(call, "splits", False)
        self.sum = getattr(call, "sum", None)
        self.names = () if rows else tuple(call.parameters)
        self.defaults = () if rows else tuple(call.parameters.values())
        self.n_parameters = len(self.defaults)
        self.defaults_f32 = tuple([number(value, cnp.NPY_FLOAT32) for value in self.defaults])
        self.defaults_f64 = tuple([number(value, cnp.NPY_FLOAT64) for value in self.defaults])
        self.condition = all_of(self.names, call.requires)
        self.output_condition = all_of(self.names, call.requires + call.output_requires)


cdef tuple ONLY_OUT = ("out",)


def all_of(names, conditions):
    """The conditions as one function: 50 ns for a call of it, 9 us for Call.demand, which also says what is wrong."""
    if not conditions:
        return None
    text = " and ".join([f"({condition.co_filename})" for condition in conditions])
    return eval(f"lambda {', '.join(names)}: {text}", {"__builtins__": {}})


cdef PyTypeObject *FLOAT32 = <PyTypeObject *>np.float32
cdef PyTypeObject *FLOAT64 = <PyTypeObject *>np.float64


cdef double plain_number(PyObject *given, int dtype):
    """A number that both dtypes hold and that leaves a computation in `dtype`, else NaN."""
    cdef double value = NAN
    cdef float single
    if Py_TYPE(given) == FLOAT32:
        cnp.PyArray_ScalarAsCtype(<object>given, &single)
        value = single
    elif PyFloat_CheckExact(given) or (dtype == cnp.NPY_FLOAT64 and Py_TYPE(given) == FLOAT64):  # np.float64 is a float
        value = PyFloat_AS_DOUBLE(given)
    elif PyLong_CheckExact(given):
        try:
            value = PyLong_AsDouble(given)
        except OverflowError:
            pass
    return value if -3e38 < value < 3e38 else NAN


cdef object number(object given, int dtype):
    """A 0-d array: NumPy takes it in 30 ns, a Python float in 260. NaN stands for None."""
    cdef cnp.ndarray made = cnp.PyArray_EMPTY(0, NULL, dtype, 0)
    cdef double value = NAN if given is None or given is REQUIRED else given
    if dtype == cnp.NPY_FLOAT32:
        (<float *>cnp.PyArray_DATA(made))[0] = nearest_float(value)
    else:
        (<double *>cnp.PyArray_DATA(made))[0] = value
    return made


cdef int float_type(PyObject *operand):
    """NPY_FLOAT32 or NPY_FLOAT64 for a plain array of that type, else -1."""
    cdef int dtype = -1
    if PyArray_CheckExact(operand):
        dtype = cnp.PyArray_TYPE(<cnp.ndarray>operand)
    return dtype if dtype == cnp.NPY_FLOAT32 or dtype == cnp.NPY_FLOAT64 else -1


cdef object slow(Rules self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames):
    """By all the rules, and in the default floating-point state: casts and sums beside the kernels are in it, too."""
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


include "in_place.pxi"


cdef bint rows_in_place(PyObject **operands, int n_operands, PyObject *out, PyUFuncObject *gufunc):
    """Call the loop of a gufunc itself, where all arrays are plain rows: its own set-up takes 400 ns of 560 on one short row."""
    cdef int dtype = float_type(out), dimensions = 0 if dtype < 0 else cnp.PyArray_NDIM(<cnp.ndarray>out), k
    if dimensions == 0 or not cnp.PyArray_ISCARRAY(<cnp.ndarray>out) or cnp.PyArray_SIZE(<cnp.ndarray>out) == 0:
        return False
    cdef cnp.npy_intp n = cnp.PyArray_DIM(<cnp.ndarray>out, dimensions - 1)
    cdef cnp.npy_intp bytes_ = cnp.PyArray_NBYTES(<cnp.ndarray>out), item = cnp.PyArray_ITEMSIZE(<cnp.ndarray>out)
    cdef char *at[3]
    cdef cnp.npy_intp counts[2]
    cdef cnp.npy_intp steps[6]
    at[n_operands] = <char *>cnp.PyArray_DATA(<cnp.ndarray>out)
    for k in range(n_operands):
        if not beside(operands[k], out):
            return False
        at[k] = <char *>cnp.PyArray_DATA(<cnp.ndarray>operands[k])
    counts[0], counts[1] = bytes_ // (n * item), n
    for k in range(n_operands + 1):
        steps[k], steps[n_operands + 1 + k] = n * item, item
    call_loop(gufunc.functions[0 if dtype == cnp.NPY_FLOAT32 else 1], at, counts, steps, NULL, bytes_)
    return True


cdef bint take(tuple names, object name, PyObject *given, PyObject **values):
    """Put a parameter that is given by keyword into its place; False where it is none, or has been given."""
    cdef Py_ssize_t i
    for i in range(len(names)):
        if name == <str>names[i] and values[i] == NULL:
            values[i] = given
            return True
    return False


cdef object invoke_rules(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames):
    return slow(<Rules>self, args, nargs, kwnames)


cdef object invoke(PyObject *self_, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames):
    cdef Shortcut self = <Shortcut>self_
    cdef PyObject *stack[MAX_INPUTS + 16]
    cdef PyObject *values[MAX_PARAMETERS]  # the parameters given, else NULL
    cdef double value
    cdef bint any_given = False
    cdef int kept = 0  # bit i: the ufunc is given keyword i, too
    cdef Py_ssize_t i, keywords = 0 if kwnames == NULL else PyTuple_GET_SIZE(kwnames), given = nargs - self.operands
    cdef Py_ssize_t y_at = -1, out_at = -1
    cdef bint last_axis = True
    cdef PyObject *last
    cdef int dtype
    cdef list hold = None  # keeps the parameters' arrays alive for the call
    if keywords > 16 or nargs < 1 or given > self.n_parameters or given < -1:
        return slow(self, args, nargs, kwnames)
    for i in range(self.n_parameters):
        values[i] = args[self.operands + i] if i < given else NULL
    ufunc, from_output, condition = self.from_input, self.from_output, self.condition
    for i in range(keywords):
        name = <object>PyTuple_GET_ITEM(kwnames, i)
        if name == "out":
            out_at = nargs + i
            kept |= 1 << i
        elif name == "y":
            y_at = nargs + i
        elif self.option is not None and name == self.option:
            last = args[nargs + i]
            chosen = self.evaluators.get(<object>last) if PyUnicode_CheckExact(last) else None
            if chosen is None:
                return slow(self, args, nargs, kwnames)
            ufunc, from_output = <tuple>chosen
        elif self.rows and name == "axis" and PyLong_CheckExact(args[nargs + i]):
            last_axis = <object>args[nargs + i] == -1
            kept |= 1 << i
        elif not take(self.names, name, args[nargs + i], values):
            return slow(self, args, nargs, kwnames)

    # the operands: x, or grad and one of x and y, or a gated pair, with or without grad
    for i in range(min(nargs, self.operands)):
        stack[i] = args[i]
    if from_output is not None:
        last = args[1] if given >= 0 else Py_None
        if (last == Py_None) == (y_at < 0 or args[y_at] == Py_None):
            return slow(self, args, nargs, kwnames)
        if last == Py_None:
            ufunc, stack[1], condition = from_output, args[y_at], self.output_condition
    elif y_at >= 0 or given < 0:
        return slow(self, args, nargs, kwnames)
    last = stack[self.operands - 1]

    if self.splits:
        halves = None
        if values[0] == NULL or (PyLong_CheckExact(values[0]) and <object>values[0] == -1):
            halves = halves_in_place(self, stack, args[out_at] if out_at >= 0 else Py_None, <PyUFuncObject *>ufunc)
        return slow(self, args, nargs, kwnames) if halves is None else halves

    if self.rows and out_at < 0 and last_axis and float_type(last) >= 0 and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>last):
        new = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(<cnp.ndarray>last), cnp.PyArray_DIMS(<cnp.ndarray>last), float_type(last), 0)
        if rows_in_place(stack, self.operands, <PyObject *>new, <PyUFuncObject *>ufunc):
            return new
    if self.rows and (out_at < 0 or float_type(args[out_at]) < 0):
        return slow(self, args, nargs, kwnames)
    if self.rows and last_axis and rows_in_place(stack, self.operands, args[out_at], <PyUFuncObject *>ufunc):
        return <object>args[out_at]

    # the parameters, as numbers of the operands' own dtype; anything but plain arrays and floats is calls/'s
    dtype = float_type(last)
    if self.rows:
        if dtype < 0 or cnp.PyArray_NDIM(<cnp.ndarray>last) == 0:
            return slow(self, args, nargs, kwnames)
        if cnp.PyArray_NDIM(<cnp.ndarray>last) != cnp.PyArray_NDIM(<cnp.ndarray>args[out_at]):
            return slow(self, args, nargs, kwnames)
        if self.operands == 2 and (float_type(args[0]) < 0 or cnp.PyArray_NDIM(<cnp.ndarray>args[0]) != cnp.PyArray_NDIM(<cnp.ndarray>last)):
            return slow(self, args, nargs, kwnames)
    elif self.n_parameters:
        for i in range(self.operands):
            if dtype < 0 or float_type(stack[i]) != dtype:
                return slow(self, args, nargs, kwnames)
        for i in range(self.n_parameters):
            if values[i] == NULL:
                values[i] = PyTuple_GET_ITEM(<PyObject *>self.defaults, i)
                if <object>values[i] is REQUIRED:
                    return slow(self, args, nargs, kwnames)
                defaults = self.defaults_f32 if dtype == cnp.NPY_FLOAT32 else self.defaults_f64
                stack[self.operands + i] = PyTuple_GET_ITEM(<PyObject *>defaults, i)
                continue
            any_given = True
            value = plain_number(values[i], dtype)
            if value != value or (condition is not None and 0 < abs(value) < 1e-45):  # it may be 0 in float32
                return slow(self, args, nargs, kwnames)
            made = number(value, dtype)
            if hold is None:
                hold = []
            hold.append(made)
            stack[self.operands + i] = <PyObject *>made
        if any_given and condition is not None:
            if not PyObject_Vectorcall(<PyObject *>condition, values, self.n_parameters, NULL):
                return slow(self, args, nargs, kwnames)

    elif (<PyUFuncObject *>ufunc).nout == 2:  # PairCall takes what is lazy, and None for out=
        if out_at >= 0 and args[out_at] == Py_None:
            return slow(self, args, nargs, kwnames)
        for i in range(self.operands):
            if float_type(stack[i]) < 0:
                return slow(self, args, nargs, kwnames)

    if self.sum is not None:
        both = summed_in_place(self, stack, args[out_at] if out_at >= 0 else Py_None, <PyUFuncObject *>ufunc, dtype)
        return slow(self, args, nargs, kwnames) if both is None else both
    if out_at >= 0 and not self.rows:
        # what is no array has functions of its own, or is refused
        if not PyArray_Check(args[out_at]) and type(<object>args[out_at]) is not tuple and args[out_at] != Py_None:
            return slow(self, args, nargs, kwnames)
        if elements_in_place(stack, self.operands, self.n_parameters, args[out_at], <PyUFuncObject *>ufunc):
            return <object>args[out_at]

    # of the keywords, y, the option and the parameters are no longer there
    cdef Py_ssize_t inputs = self.operands + self.n_parameters, position = inputs
    for i in range(keywords):
        if kept >> i & 1:
            stack[position] = args[nargs + i]
            position += 1
    rest = None
    if position == inputs + keywords:
        rest = <object>kwnames if keywords else None
    elif position > inputs:
        rest = ONLY_OUT if position == inputs + 1 and out_at >= 0 else tuple([name for name in <tuple>kwnames if name != "y"])
    cdef FloatState callers = enter_default_state()  # for the casts of NumPy
    try:
        return PyObject_Vectorcall(<PyObject *>ufunc, stack, inputs, NULL if rest is None else <PyObject *>rest)
    finally:
        restore_state(callers)


def shortcut(call, bint rows, str document):
    """A builtin function for a Call whose evaluators are ufuncs."""
    return builtin(call, Shortcut(call, rows), <void *>invoke, document)


def rules(call, str document):
    """A builtin function for any other Call."""
    return builtin(call, Rules(call), <void *>invoke_rules, document)


cdef object builtin(call, Rules self, void *function, str document):
    cdef PyMethodDef *method = <PyMethodDef *>forever(sizeof(PyMethodDef))
    method.ml_name = keep(call.name)
    method.ml_meth = function
    method.ml_flags = METH_FASTCALL | METH_KEYWORDS
    method.ml_doc = keep(f"{call.name}{call.signature}\n--\n\n{document}")
    return PyCFunction_NewEx(method, self, "fastact")
