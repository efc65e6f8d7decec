"""What the core uses of src_c, NumPy and Python, part of _core.pyx."""

cdef extern from "api.h":
    enum: MAX_INPUTS, MAX_PARAMETERS, MAX_OUTPUTS
    ctypedef void inner_loop(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept nogil
    ctypedef int part_loop(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *, size_t) noexcept nogil
    enum: OUT_OF_RANGE, NO_MEMORY
    ctypedef void any_block() noexcept
    ctypedef struct Kernel:
        const char *name
        int arrays, parameters, outputs, memory_bound, wide
        any_block *uniform
        any_block *general
    ctypedef int comparison(const void *, size_t, double, double) noexcept nogil
    ctypedef void halves_block(const float *const *, float *, size_t, size_t) noexcept nogil
    ctypedef struct Fitted:
        const char *name
        int memory_bound
        any_block *uniform
        any_block *general
        halves_block *halves
    ctypedef struct RowKernel:
        const char *name
        const char *signature
    ctypedef struct Elementwise:
        int arrays, parameters, outputs, lanes
        any_block *uniform
        any_block *general
        any_block *stream
        halves_block *halves
        comparison *out_of_range
    ctypedef struct Kernels:
        int lanes
        comparison *out_of_range
        any_block *stream
        const Kernel *kernels
        const Fitted *fitted
    enum: FLOAT16, BFLOAT16, HALF_TYPES
    ctypedef struct HalfType:
        void (*widen)(const uint16_t *, float *, size_t) noexcept nogil
        void (*narrow)(const float *, uint16_t *, size_t) noexcept nogil
    ctypedef struct HalfLoop:
        part_loop *loop
        void *data
        const HalfType *type
        int inputs, operands
        unsigned halves, cores
    ctypedef struct InstructionSet:
        const char *name
        const HalfType *half_types
        const Kernels *of_float
        const Kernels *of_double
        const RowKernel *rows_of_float
        const RowKernel *rows_of_double
    const InstructionSet *const *fastact_instruction_sets()
    part_loop fastact_float_loop, fastact_double_loop, fastact_half_loop
    const char fastact_formulas[]

cdef extern from "<stdatomic.h>" nogil:
    ctypedef int atomic_int
    int atomic_fetch_or(atomic_int *, int)

cdef extern from "threads/pool.h":
    enum: MOST_THREADS, MOST_SPIN
    ctypedef void part_work(void *, size_t, size_t) noexcept nogil
    ctypedef struct Extent:
        size_t units, head, grain
        uint64_t picoseconds
    void fastact_share(part_work *, void *, const Extent *) noexcept nogil
    int fastact_threads() noexcept nogil
    int fastact_own_threads() noexcept nogil
    void fastact_set_threads(int) noexcept nogil
    void fastact_set_own_threads(int) noexcept nogil
    int (*fastact_decide_threads)() noexcept nogil
    void fastact_set_eager(int) noexcept nogil
    int fastact_spin() noexcept nogil
    void fastact_set_spin(int) noexcept nogil
    int fastact_workers() noexcept nogil

cdef extern from "threads/split.h":
    ctypedef struct Threaded:
        part_loop *loop
        void *data
        int inputs, outputs, rows
        uint32_t cost
        unsigned char *size
        unsigned char *core
    inner_loop fastact_threaded_loop
    part_loop fastact_row_loop
    void (*fastact_no_memory)() noexcept nogil

cdef extern from "flags.h":
    ctypedef struct FloatState:
        pass
    FloatState enter_default_state() noexcept nogil
    void restore_state(FloatState) noexcept nogil
    float nearest_float(double) noexcept nogil

cdef extern from "numpy/ndarraytypes.h":
    enum: NPY_HALF, NPY_USERDEF

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
        int nin, nout, ntypes
        const char *name
        const char *types
        PyUFunc_TypeResolutionFunc type_resolver
    int PyUFunc_DefaultTypeResolver(PyUFuncObject *, cnp.NPY_CASTING, PyArrayObject **, PyObject *, PyArray_Descr **) except -1
    int _import_umath() except -1
    int PyUFunc_RegisterLoopForType(PyUFuncObject *, int, PyUFuncGenericFunction, const int *, void *) except -1
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
    PyObject *Py_True
    PyObject *Py_False
    PyObject *PyTuple_GET_ITEM(PyObject *, Py_ssize_t)
    Py_ssize_t PyTuple_GET_SIZE(PyObject *)
    bint PyArray_CheckExact "PyArray_CheckExact"(PyObject *)
    bint PyArray_Check "PyArray_Check"(PyObject *)
    bint PyArray_SAMESHAPE "PyArray_SAMESHAPE"(cnp.ndarray, cnp.ndarray)
    cnp.dtype PyArray_ResultType "PyArray_ResultType"(cnp.npy_intp, PyArrayObject **, cnp.npy_intp, PyArray_Descr **)
    bint PyArray_CanCastArrayTo "PyArray_CanCastArrayTo"(cnp.ndarray, cnp.dtype, cnp.NPY_CASTING)
    bint PyArray_CanCastTypeTo "PyArray_CanCastTypeTo"(cnp.dtype, cnp.dtype, cnp.NPY_CASTING)
    void Py_INCREF(object)
    PyObject *PyErr_Occurred()
    PyObject *PyErr_NoMemory()
    object PyArray_NewLikeArray "PyArray_NewLikeArray"(cnp.ndarray, int order, PyArray_Descr *, int subok)
