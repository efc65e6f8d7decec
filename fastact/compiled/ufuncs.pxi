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
            key, documents.get(key), types, kernel.outputs, None, kernel.arrays, chosen.half_types,
            threaded(fastact_float_loop, elementwise(kernel, chosen.of_float), cost_of_kernel(name, "f", kernel, chosen.of_float)),
            threaded(fastact_double_loop, elementwise(of_double, chosen.of_double), cost_of_kernel(name, "d", of_double, chosen.of_double)))
        kernel += 1
        of_double += 1
    while row.name != NULL:
        key = row.name.decode()
        inputs, results, plain = parse(row.signature.decode())
        types = "".join([letter for letter, _ in inputs + results])
        ufuncs[key] = make_ufunc(
            key, None, types, len(results), plain, len(inputs), chosen.half_types,
            threaded(fastact_row_loop, <void *>row, cost_of_rows(name, "f", key)),
            threaded(fastact_row_loop, <void *>row_of_double, cost_of_rows(name, "d", key)))
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


cdef uint32_t cost_of_kernel(str simd, str letter, const Kernel *kernel, const Kernels *kernels) except 0:
    """The picoseconds of an element. Tables serve many wide formulas too, and make all as fast as the direct ones."""
    cdef const Fitted *fitted = kernels.fitted
    kind = 2 if kernel.wide else 0 if kernel.memory_bound else 1
    while fitted.name != NULL:
        if <bytes>fitted.name == <bytes>kernel.name:
            kind = 1
        fitted += 1
    return COSTS[simd, letter][kind]


cdef uint32_t cost_of_rows(str simd, str letter, str name):
    """The same for a function along an axis. 0 keeps it on one thread: the bits of a sum depend on how many are taken at once."""
    if name == "sum":
        return 0
    return COSTS[simd, letter][3] * next((times for start, times in DEARER.items() if name.startswith(start)), 1)


cdef Threaded *threaded(part_loop *loop, void *data, uint32_t cost) except NULL:
    """The data of the loop that shares the work of `loop` among threads. make_ufunc adds what it must know of the operands."""
    cdef Threaded *made = <Threaded *>forever(sizeof(Threaded))
    made.loop, made.data, made.cost = loop, data, cost
    return made


cdef const Elementwise *kernel_of(PyUFuncObject *ufunc, int which) noexcept:
    """The kernel of an elementwise ufunc."""
    return <const Elementwise *>(<const Threaded *>ufunc.data[which]).data


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


cdef object make_ufunc(
    str name, str document, str operands, int nout, str signature, int first_parameter, const HalfType *half_types,
    Threaded *f32, Threaded *f64
):
    """A ufunc. `operands` has a letter for each input and output: "f" is the floating type of the loop, TYPES has the others.

    Inputs from `first_parameter` on are parameters. A gufunc has none: its first_parameter is nin.
    """
    cdef int n = len(operands), nin = n - nout, ntypes = OF_BFLOAT16 - (first_parameter == nin), i, loop
    cdef PyUFuncGenericFunction *loops = <PyUFuncGenericFunction *>forever(LOOPS * sizeof(PyUFuncGenericFunction))
    cdef void **data = <void **>forever(LOOPS * sizeof(void *))
    cdef char *types = <char *>forever(ntypes * n)
    cdef unsigned floats = sum([1 << i for i in range(n) if operands[i] == "f"]), cores = 0, halves
    cdef unsigned parameters = sum([1 << i for i in range(first_parameter, nin)])
    cdef HalfLoop *half
    cdef Threaded *of
    entries = [""] * n if signature is None else signature.replace("->", ",").split(",")
    cores = sum([1 << i for i in range(n) if entries[i] == "(n)"])
    for i in range(n):
        types[i], types[n + i] = TYPES.get(operands[i], cnp.NPY_FLOAT32), TYPES.get(operands[i], cnp.NPY_FLOAT64)
    data[OF_FLOAT], data[OF_DOUBLE] = f32, f64
    for loop in range(LOOPS):
        halves = 0
        if loop >= OF_FLOAT16:
            half = <HalfLoop *>forever(sizeof(HalfLoop))
            halves = floats & ~parameters if loop & 1 else floats
            half[0] = wrapped_loop(f32.loop, f32.data, &half_types[loop // 2 - 1], nin, n, halves, cores)
            data[loop] = threaded(fastact_half_loop, half, f32.cost)
        of = <Threaded *>data[loop]
        loops[loop] = <PyUFuncGenericFunction>fastact_threaded_loop
        of.inputs, of.outputs, of.rows = nin, nout, signature is not None
        for i in range(n):
            if loop >= OF_FLOAT16 and loop < ntypes:
                types[loop * n + i] = NPY_HALF if halves >> i & 1 else NUMBER if floats >> i & 1 else types[i]
            of.size[i] = 2 if halves >> i & 1 else cnp.PyArray_DescrFromType(types[(loop == OF_DOUBLE) * n + i]).itemsize
            of.core[i] = cores >> i & 1
    # With out=x NumPy makes no copy: it assumes that a loop reads an element (a row of a gufunc) before it writes it.
    ufunc = PyUFunc_FromFuncAndDataAndSignature(
        loops, data, types, ntypes, nin, nout, PyUFunc_None, keep(name), NULL if document is None else keep(document), 0,
        NULL if signature is None else keep(signature))
    (<PyUFuncObject *>ufunc).type_resolver = resolve_types
    with registering:
        ufuncs_made.append(ufunc)
        if bfloat16 >= 0:
            register_loops(<PyUFuncObject *>ufunc, bfloat16)
    return ufunc
