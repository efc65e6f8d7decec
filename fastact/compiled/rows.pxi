"""The fast path of functions along an axis; part of _core.pyx. Plain arrays go to the gufunc at once, or to its loop."""


cdef class RowShortcut(Rules):
    """The facts that the fast path of one function along an axis needs, taken from its RowCall."""

    cdef object from_input, from_output
    cdef int operands

    def __init__(self, call):
        super().__init__(call)
        self.from_input, self.from_output = call.default
        self.operands = len(call.operands)


cdef tuple OUT_AND_AXIS = ("out", "axis")


cdef object invoke_rows(PyObject *self_, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames):
    cdef RowShortcut self = <RowShortcut>self_
    cdef PyObject *stack[4]  # the operands, out and the axis
    cdef PyObject *y = Py_None
    cdef PyObject *out = Py_None
    cdef PyObject *last
    cdef Py_ssize_t i, keywords = 0 if kwnames == NULL else PyTuple_GET_SIZE(kwnames), given = nargs - self.operands
    cdef PyObject *axis = NULL
    if nargs < 1 or given > 1 or given < -1:
        return slow(self, args, nargs, kwnames)
    if given == 1:
        axis = args[self.operands]
    for i in range(keywords):
        name = <object>PyTuple_GET_ITEM(kwnames, i)
        if name == "out":
            out = args[nargs + i]
        elif name == "y":
            y = args[nargs + i]
        elif name == "axis" and given < 1:
            axis = args[nargs + i]
        else:
            return slow(self, args, nargs, kwnames)

    # the operands: x, or grad and one of x and y
    for i in range(min(nargs, self.operands)):
        stack[i] = args[i]
    evaluator = self.from_input
    if self.from_output is not None:
        last = args[1] if given >= 0 else Py_None
        if (last == Py_None) == (y == Py_None):
            return slow(self, args, nargs, kwnames)
        if last == Py_None:
            evaluator, stack[1] = self.from_output, y
    elif y != Py_None or given < 0:
        return slow(self, args, nargs, kwnames)

    last = stack[self.operands - 1]
    cdef int dimensions = 0 if float_type(last) < 0 else cnp.PyArray_NDIM(<cnp.ndarray>last)
    cdef int at = -1 if axis == NULL else axis_of(axis, dimensions)
    if dimensions == 0 or at >= dimensions:
        return slow(self, args, nargs, kwnames)
    if self.operands == 2 and (float_type(stack[0]) < 0 or cnp.PyArray_NDIM(<cnp.ndarray>stack[0]) != dimensions):
        return slow(self, args, nargs, kwnames)
    new = None
    if out == Py_None:
        new = new_like(stack, self.operands)
        out = <PyObject *>new
    if float_type(out) < 0 or cnp.PyArray_NDIM(<cnp.ndarray>out) != dimensions:
        return slow(self, args, nargs, kwnames)
    if at in (-1, dimensions - 1) and rows_in_place(stack, self.operands, out, <PyUFuncObject *>evaluator):
        return <object>out
    cdef object number = at
    stack[self.operands], stack[self.operands + 1] = out, <PyObject *>number
    cdef FloatState callers = enter_default_state()  # NumPy's casts need it
    try:
        return PyObject_Vectorcall(<PyObject *>evaluator, stack, self.operands, <PyObject *>OUT_AND_AXIS)
    finally:
        restore_state(callers)


cdef int axis_of(PyObject *axis, int dimensions) except? -2:
    """An axis as a number; `dimensions` where it is none, or not of so many."""
    if not PyLong_CheckExact(axis) or not -dimensions <= <object>axis < dimensions:
        return dimensions
    return <object>axis


cdef object new_like(PyObject **operands, int n_operands):
    """A new array with the memory layout of the last operand; None where operands differ in dtype or shape.

    The gufunc itself would make an array with the axis last in memory.
    """
    cdef cnp.ndarray last = <cnp.ndarray>operands[n_operands - 1]
    cdef int k
    for k in range(n_operands):
        if float_type(operands[k]) != cnp.PyArray_TYPE(last) or not cnp.PyArray_ISNOTSWAPPED(<cnp.ndarray>operands[k]):
            return None
        if not PyArray_SAMESHAPE(<cnp.ndarray>operands[k], last):
            return None
    for k in range(cnp.PyArray_NDIM(last)):
        if cnp.PyArray_STRIDE(last, k) == 0:  # entries share memory
            return cnp.PyArray_EMPTY(cnp.PyArray_NDIM(last), cnp.PyArray_DIMS(last), cnp.PyArray_TYPE(last), 0)
    return PyArray_NewLikeArray(last, cnp.NPY_KEEPORDER, NULL, 0)


cdef bint rows_in_place(PyObject **operands, int n_operands, PyObject *out, PyUFuncObject *gufunc):
    """Call the loop of a gufunc, if all arrays are plain rows; False where they are not. NumPy's set-up is slow on short rows."""
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
        if not safe_with(operands[k], out):
            return False
        at[k] = <char *>cnp.PyArray_DATA(<cnp.ndarray>operands[k])
    counts[0], counts[1] = bytes_ // (n * item), n
    for k in range(n_operands + 1):
        steps[k], steps[n_operands + 1 + k] = n * item, item
    call_loop(gufunc.functions[0 if dtype == cnp.NPY_FLOAT32 else 1], at, counts, steps, NULL, bytes_)
    return True


def row_shortcut(call, str document):
    """A builtin function for a RowCall whose evaluators are gufuncs."""
    return builtin(call, RowShortcut(call), <void *>invoke_rows, document)
