"""Make ufuncs and gufuncs of the kernels of one instruction set; part of _core.pyx."""


def load(str name, dict documents):
    """The ufuncs and gufuncs of one instruction set, by name; `documents` has the docstrings of those that are public."""
    cdef const InstructionSet *chosen = fastact_instruction_sets()[available().index(name)]
    cdef const Kernel *kernel = chosen.of_float.kernels
    cdef const Kernel *of_double = chosen.of_double.kernels
    cdef const RowKernel *row = chosen.rows_of_float
    cdef const RowKernel *row_of_double = chosen.rows_of_double
    ufuncs = {}
    while kernel.name != NULL:
        key = kernel.name.decode()
        types = "f" * (kernel.arrays + kernel.parameters + kernel.outputs)
        ufuncs[key] = make_ufunc(
            key, documents.get(key), types, kernel.outputs, NULL, fastact_float_loop, fastact_double_loop,
            elementwise(kernel, chosen.of_float), elementwise(of_double, chosen.of_double))
        kernel += 1
        of_double += 1
    while row.name != NULL:
        key = row.name.decode()
        inputs, results, plain = parse(row.signature.decode())
        types = "".join([letter for letter, _ in inputs + results])
        ufuncs[key] = make_ufunc(key, None, types, len(results), keep(plain), row.loop, row_of_double.loop, <void *>row, <void *>row_of_double)
        row += 1
        row_of_double += 1
    ufuncs["step_in_place"] = step_in_place
    return ufuncs


cdef void *elementwise(const Kernel *kernel, const Kernels *kernels) except NULL:
    """The data of the loop: the blocks of a kernel, or of its fitted form. Without parameters only `uniform` is called."""
    cdef Elementwise *made = <Elementwise *>forever(sizeof(Elementwise))
    cdef const Fitted *fitted = kernels.fitted
    made.arrays, made.parameters, made.outputs, made.lanes = kernel.arrays, kernel.parameters, kernel.outputs, kernels.lanes
    made.uniform, made.general, made.out_of_range = kernel.uniform, kernel.general, kernels.out_of_range
    made.stream, made.halves = kernels.stream if kernel.memory_bound else NULL, NULL
    while fitted.name != NULL:
        if <bytes>fitted.name == <bytes>kernel.name:
            made.uniform, made.halves = fitted.uniform, fitted.halves
            if fitted.memory_bound:
                made.stream = kernels.stream
            if fitted.general != NULL:
                made.general = fitted.general
        fitted += 1
    return made


cdef void *forever(size_t size) except NULL:
    """Memory that a ufunc keeps for the life of the process."""
    cdef void *memory = PyMem_Malloc(size)
    if memory == NULL:
        raise MemoryError
    return memory


cdef char *keep(str text) except NULL:
    """A copy of a text for the life of the process."""
    data = text.encode()
    cdef char *copy = <char *>forever(len(data) + 1)
    return strcpy(copy, <const char *>data)


TYPES = {"d": cnp.NPY_FLOAT64, "q": cnp.NPY_INT64, "?": cnp.NPY_BOOL}


cdef object make_ufunc(str name, str document, str operands, int nout, const char *signature, inner_loop *f32, inner_loop *f64, void *data_f32, void *data_f64):
    """A ufunc. `operands` has a letter for each input and output: "f" is the floating type of the loop, TYPES has the others."""
    cdef int n = len(operands)
    cdef PyUFuncGenericFunction *loops = <PyUFuncGenericFunction *>forever(2 * sizeof(PyUFuncGenericFunction))
    cdef void **data = <void **>forever(2 * sizeof(void *))
    cdef char *types = <char *>forever(2 * n)
    cdef int i
    loops[0], loops[1] = <PyUFuncGenericFunction>f32, <PyUFuncGenericFunction>f64
    data[0], data[1] = data_f32, data_f64
    for i in range(n):
        types[i], types[n + i] = TYPES.get(operands[i], cnp.NPY_FLOAT32), TYPES.get(operands[i], cnp.NPY_FLOAT64)
    # With out=x NumPy makes no copy: it assumes that a loop reads an element (a row of a gufunc) before it writes it.
    ufunc = PyUFunc_FromFuncAndDataAndSignature(
        loops, data, types, 2, n - nout, nout, PyUFunc_None, keep(name), NULL if document is None else keep(document), 0, signature)
    (<PyUFuncObject *>ufunc).type_resolver = resolve_types
    return ufunc


cdef int resolve_types(
    PyUFuncObject *ufunc, cnp.NPY_CASTING casting, PyArrayObject **operands, PyObject *types, PyArray_Descr **resolved
) except -1:
    """Choose a loop as NumPy does, after an error that names a dtype for which there is none."""
    cdef int i
    for i in range(ufunc.nin):
        refuse_dtype(ufunc.name.decode(), <cnp.ndarray>operands[i])
    return PyUFunc_DefaultTypeResolver(ufunc, casting, operands, types, resolved)
