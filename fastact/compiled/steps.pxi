"""Steps of optimizers on plain arrays, by their loops alone; part of _core.pyx. Any other call is left to calls/steps.py."""


def step_in_place(evaluator, tuple arrays, tuple coefficients):
    """A step of an optimizer, if all arrays are plain and share no memory; else False. It writes all arrays but the second."""
    cdef PyUFuncObject *ufunc = <PyUFuncObject *>evaluator
    cdef PyObject *first = PyTuple_GET_ITEM(<PyObject *>arrays, 0)
    cdef PyObject *array
    cdef int dtype = float_type(first), n = len(arrays), k, j
    if dtype != cnp.NPY_FLOAT32 and dtype != cnp.NPY_FLOAT64:
        return False
    cdef int which = loop_of(dtype, False)
    cdef cnp.npy_intp count = cnp.PyArray_SIZE(<cnp.ndarray>first), item = cnp.PyArray_ITEMSIZE(<cnp.ndarray>first)
    cdef char *at[MAX_INPUTS + MAX_OUTPUTS]
    cdef cnp.npy_intp steps[MAX_INPUTS + MAX_OUTPUTS]
    cdef double numbers[MAX_PARAMETERS]
    cdef float rounded[MAX_PARAMETERS]
    for k in range(n):
        array = PyTuple_GET_ITEM(<PyObject *>arrays, k)
        if float_type(array) != dtype or not PyArray_SAMESHAPE(<cnp.ndarray>array, <cnp.ndarray>first):
            return False
        if not (cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>array) if k == 1 else cnp.PyArray_ISCARRAY(<cnp.ndarray>array)):
            return False
        for j in range(k):
            if not disjoint(array, PyTuple_GET_ITEM(<PyObject *>arrays, j)):
                return False
        at[k] = <char *>cnp.PyArray_DATA(<cnp.ndarray>array)
        steps[k] = item
    for k in range(len(coefficients)):
        numbers[k] = PyFloat_AS_DOUBLE(PyTuple_GET_ITEM(<PyObject *>coefficients, k))
        rounded[k] = nearest_float(numbers[k])
        at[n + k], steps[n + k] = <char *>&rounded[k] if which == OF_FLOAT else <char *>&numbers[k], 0
    for k in range(ufunc.nout):
        at[ufunc.nin + k], steps[ufunc.nin + k] = at[k + (k > 0)], item
    call_loop(ufunc.functions[which], at, &count, steps, ufunc.data[which], count * item)
    return True
