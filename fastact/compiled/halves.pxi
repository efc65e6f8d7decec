"""The types of half precision, float16 and the bfloat16 of ml_dtypes; part of _core.pyx.

A ufunc has the loops that the enumeration lists. NumPy gets those of bfloat16 later: its dtype has no number before ml_dtypes
is imported.
"""

cdef enum:
    OF_FLOAT, OF_DOUBLE
    OF_FLOAT16, OF_FLOAT16_AND_NUMBERS  # the second takes parameters as float32: a number is not rounded to half precision
    OF_BFLOAT16, OF_BFLOAT16_AND_NUMBERS
    LOOPS
    # The type of these numbers, for NumPy: the loop reads the real part. Under float32 NumPy would take this loop for parameters
    # that are float32 data, too, without asking resolve_types. Complex parameters have been refused before.
    NUMBER = cnp.NPY_COMPLEX64


cdef int bfloat16 = -1  # the number of its dtype, once that is known
cdef const HalfType *half_types = fastact_instruction_sets()[0].half_types  # for single numbers
ufuncs_made = []
registering = threading.Lock()  # for bfloat16 and ufuncs_made: threads of a free-threaded Python may see bfloat16 first at once


cdef void no_memory() noexcept with gil:
    """Report that a loop had no memory for its buffers."""
    PyErr_NoMemory()


fastact_no_memory = <void (*)() noexcept nogil>no_memory


cdef int half_type(int dtype) noexcept:
    """FLOAT16 or BFLOAT16 for the number of a dtype of half precision, else -1."""
    return FLOAT16 if dtype == NPY_HALF else BFLOAT16 if dtype == bfloat16 and dtype >= 0 else -1


cdef int loop_of(int dtype, bint with_numbers) noexcept:
    """The number of the loop for a dtype; `with_numbers` says whether parameters are numbers of float32 in half precision."""
    if half_type(dtype) >= 0:
        return OF_FLOAT16 + 2 * half_type(dtype) + with_numbers
    return OF_FLOAT if dtype == cnp.NPY_FLOAT32 else OF_DOUBLE


cdef int single_or_double(int dtype) noexcept:
    """The number of the dtype that computes: float32 for half precision."""
    return cnp.NPY_FLOAT64 if dtype == cnp.NPY_FLOAT64 else cnp.NPY_FLOAT32


cdef int pending_error() except -1:
    """Raise the MemoryError that a loop has set."""
    return 0 if PyErr_Occurred() == NULL else -1


cdef HalfLoop wrapped_loop(
    part_loop *loop, void *data, const HalfType *type, int inputs, int operands, unsigned halves, unsigned cores
) noexcept:
    """The data of a loop in half precision around this loop of float32."""
    cdef HalfLoop made
    made.loop, made.data, made.type = loop, data, type
    made.inputs, made.operands, made.halves, made.cores = inputs, operands, halves, cores
    return made


def register_bfloat16(dtype):
    """Give all ufuncs their loops for this dtype, which is the bfloat16 of ml_dtypes."""
    global bfloat16
    with registering:
        if bfloat16 < 0:
            for ufunc in ufuncs_made:
                register_loops(<PyUFuncObject *>ufunc, dtype.num)
            bfloat16 = dtype.num


cdef int register_loops(PyUFuncObject *ufunc, int number) except -1:
    """Give a ufunc its loops for bfloat16: those for float16 with another dtype."""
    cdef int types[MAX_INPUTS + MAX_OUTPUTS]
    cdef int n = ufunc.nin + ufunc.nout, loop, i
    for loop in range(OF_FLOAT16, ufunc.ntypes):
        for i in range(n):
            types[i] = ufunc.types[loop * n + i]
            if types[i] == NPY_HALF:
                types[i] = number
        PyUFunc_RegisterLoopForType(ufunc, number, ufunc.functions[loop + 2], types, ufunc.data[loop + 2])
    return 0
