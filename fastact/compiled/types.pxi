"""The dtypes of a call of a ufunc; part of _core.pyx."""


cdef int resolve_types(
    PyUFuncObject *ufunc, cnp.NPY_CASTING casting, PyArrayObject **operands, PyObject *types, PyArray_Descr **resolved
) except -1:
    """Choose a loop as NumPy does, after an error that names a dtype for which there is none.

    NumPy by itself knows no promotion to bfloat16, and would take Python numbers beside it for float64 data.
    """
    cdef int i, dtype
    for i in range(ufunc.nin):
        refuse_dtype(ufunc.name.decode(), <cnp.ndarray>operands[i])
    for i in range(ufunc.nin + ufunc.nout):
        if operands[i] != NULL:
            see((<cnp.ndarray>operands[i]).dtype)
    if types == NULL or types == Py_None:
        dtype = common_of_halves(ufunc, operands)
    else:
        dtype = asked_half(ufunc, <object>types)
    if dtype < 0:
        return PyUFunc_DefaultTypeResolver(ufunc, casting, operands, types, resolved)
    signature = signature_of(ufunc, operands, dtype)
    if bfloat16 < 0 or dtype == NPY_HALF:
        return PyUFunc_DefaultTypeResolver(ufunc, casting, operands, <PyObject *>signature, resolved)
    return resolve_to(ufunc, casting, operands, signature, resolved)


cdef int see(dtype) except -1:
    """Register bfloat16 when it is seen first."""
    if bfloat16 < 0 and (<cnp.dtype>dtype).num >= NPY_USERDEF and dtype == known_bfloat16():
        register_bfloat16(dtype)
    return 0


cdef bint is_float(PyUFuncObject *ufunc, int i) noexcept:
    """Whether an operand has the floating dtype of the loop."""
    return ufunc.types[i] != ufunc.types[ufunc.nin + ufunc.nout + i]


cdef bint is_half(int dtype) noexcept:
    return half_type(dtype) >= 0


cdef int common_of_halves(PyUFuncObject *ufunc, PyArrayObject **operands) except -2:
    """The number of the dtype that the operands promote to, if one of them is of half precision; else -1."""
    cdef PyArrayObject *data[MAX_INPUTS]
    cdef int i, dtype, n = 0, common
    cdef bint any_half = False, any_bfloat16 = False
    for i in range(ufunc.nin):
        if is_float(ufunc, i):
            dtype = cnp.PyArray_TYPE(<cnp.ndarray>operands[i])
            any_half |= is_half(dtype)
            any_bfloat16 |= half_type(dtype) == BFLOAT16
    if not any_half:
        return -1
    for i in range(ufunc.nin):
        if is_float(ufunc, i) and not is_number(operands[i]):
            data[n] = operands[i]
            n += 1
    common = PyArray_ResultType(n, data, 0, NULL).num
    return common if is_half(common) or any_bfloat16 else -1


cdef bint is_number(PyArrayObject *operand) except -1:
    """Whether NumPy made this array of a Python number. Such a number leaves float16 as it is."""
    cdef cnp.ndarray array = <cnp.ndarray>operand
    cdef PyArray_Descr *half
    if cnp.PyArray_NDIM(array) or is_half(cnp.PyArray_TYPE(array)):
        return False
    float16 = cnp.PyArray_DescrFromType(NPY_HALF)
    half = <PyArray_Descr *>float16
    return PyArray_ResultType(1, &operand, 1, &half).num == NPY_HALF


cdef int asked_half(PyUFuncObject *ufunc, types) except -2:
    """The number of the dtype if `dtype=` asks for half precision, else -1. A signature with inputs is NumPy's business."""
    cdef int i
    if not isinstance(types, tuple) or len(types) != ufunc.nin + ufunc.nout:
        return -1
    for i in range(len(types)):
        one = (<tuple>types)[i]
        if one is not None:
            one = np.dtype(one)
            see(one)
            return one.num if i >= ufunc.nin and is_float(ufunc, i) and is_half(one.num) else -1
    return -1


cdef tuple signature_of(PyUFuncObject *ufunc, PyArrayObject **operands, int dtype):
    """The dtypes of a loop. In half precision parameters that may be numbers are taken as float32."""
    cdef int n = ufunc.nin + ufunc.nout, i, loop = OF_FLOAT if dtype == cnp.NPY_FLOAT32 else OF_DOUBLE
    cdef const char *types = ufunc.types + (ufunc.ntypes - 1) * n
    if is_half(dtype):
        loop = OF_FLOAT16
        for i in range(ufunc.nin):
            if types[i] == NUMBER and cnp.PyArray_TYPE(<cnp.ndarray>operands[i]) != dtype:
                loop = OF_FLOAT16_AND_NUMBERS
    types = ufunc.types + loop * n
    return tuple([cnp.PyArray_DescrFromType(dtype if types[i] == NPY_HALF else types[i]) for i in range(n)])


cdef int resolve_to(
    PyUFuncObject *ufunc, cnp.NPY_CASTING casting, PyArrayObject **operands, tuple signature, PyArray_Descr **resolved
) except -1:
    """Resolve to these dtypes, as NumPy does for its own. It looks for a loop of bfloat16 only if an operand is of that type."""
    cdef int i
    cdef cnp.ndarray given
    for i in range(len(signature)):
        if operands[i] == NULL:
            continue
        given, right = <cnp.ndarray>operands[i], signature[i]
        if i < ufunc.nin and PyArray_CanCastArrayTo(given, right, casting):
            continue
        if i >= ufunc.nin and PyArray_CanCastTypeTo(right, given.dtype, casting):
            continue
        rule = ("no", "equiv", "safe", "same_kind", "unsafe")[<int>casting]
        kind, before, after = ("input", given.dtype, right) if i < ufunc.nin else ("output", right, given.dtype)
        what = f"ufunc '{ufunc.name.decode()}' {kind} from {before!r} to {after!r}"
        raise TypeError(f"Cannot cast {what} with casting rule '{rule}'")
    for i in range(len(signature)):
        Py_INCREF(signature[i])
        resolved[i] = <PyArray_Descr *><PyObject *>signature[i]
    return 0
