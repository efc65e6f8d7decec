"""Mean losses and steps of optimizers on plain arrays, by loops alone; part of _core.pyx. Any other call is left to calls/."""


cdef enum:
    SUMMED = 2048  # losses in the buffer, which has 16 KiB at most


cdef bint are_labels(cnp.ndarray target, double slack):
    """Whether all numbers of a plain array are from 0 to 1, give or take `slack`, or NaN."""
    cdef float *floats = <float *>cnp.PyArray_DATA(target)
    cdef double *doubles = <double *>cnp.PyArray_DATA(target)
    cdef float least = -slack, most = 1 + slack
    cdef cnp.npy_intp i, count = cnp.PyArray_SIZE(target)
    cdef int wrong = 0
    if cnp.PyArray_TYPE(target) == cnp.NPY_FLOAT32:
        for i in range(count):
            wrong |= (floats[i] < least) | (floats[i] > most)
    else:
        for i in range(count):
            wrong |= (doubles[i] < -slack) | (doubles[i] > 1 + slack)
    return not wrong


def mean_of_elements(evaluator_of_sums, evaluator, slack, tuple args, tuple parameters, out):
    """The mean loss of plain arrays, with its gradient if the evaluator has two results; None where an array is not plain.

    `parameters` are the evaluator's. With a gradient the first one is its factor, and is divided by the number of entries. `slack`
    says how far labels may be out of range; None where the target has no labels. The losses are summed in a small buffer.
    """
    cdef PyUFuncObject *ufunc = <PyUFuncObject *>evaluator
    cdef bint graded = ufunc.nout == 2
    cdef PyObject *outputs = PyTuple_GET_ITEM(<PyObject *>args, 0)
    cdef PyObject *target = PyTuple_GET_ITEM(<PyObject *>args, 1)
    cdef int dtype = float_type(outputs), k
    if dtype < 0 or not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>outputs) or cnp.PyArray_SIZE(<cnp.ndarray>outputs) == 0:
        return None
    if not safe_with(target, outputs) or (slack is not None and not are_labels(<cnp.ndarray>target, slack)):
        return None
    if graded and out is None:
        out = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(<cnp.ndarray>outputs), cnp.PyArray_DIMS(<cnp.ndarray>outputs), dtype, 0)
    elif graded:
        if float_type(<PyObject *>out) < 0 or not cnp.PyArray_ISCARRAY(<cnp.ndarray>out):
            return None
        if not safe_with(outputs, <PyObject *>out) or not safe_with(target, <PyObject *>out):
            return None
    elif out is not None:
        return None

    cdef cnp.npy_intp item = cnp.PyArray_ITEMSIZE(<cnp.ndarray>outputs), count = cnp.PyArray_SIZE(<cnp.ndarray>outputs), i = 0
    cdef int which = 0 if dtype == cnp.NPY_FLOAT32 else 1, n = len(parameters)
    cdef PyUFuncGenericFunction loop = ufunc.functions[which], sum_loop = (<PyUFuncObject *>evaluator_of_sums).functions[which]
    cdef double[SUMMED] losses
    cdef double numbers[MAX_PARAMETERS]
    cdef float rounded[MAX_PARAMETERS]
    cdef double part, total = 0
    cdef char *first[MAX_INPUTS + 2]
    cdef char *at[MAX_INPUTS + 2]
    cdef cnp.npy_intp steps[MAX_INPUTS + 2]
    cdef char **sum_at = [<char *>losses, <char *>&part]
    cdef cnp.npy_intp *sum_counts = [1, 0]
    cdef cnp.npy_intp *sum_steps = [0, 0, item]
    first[0], first[1] = <char *>cnp.PyArray_DATA(<cnp.ndarray>outputs), <char *>cnp.PyArray_DATA(<cnp.ndarray>target)
    steps[0] = steps[1] = item
    for k in range(n):
        numbers[k] = parameters[k] / (count if graded and k == 0 else 1)
        rounded[k] = nearest_float(numbers[k])
        first[2 + k], steps[2 + k] = <char *>&rounded[k] if which == 0 else <char *>&numbers[k], 0
    first[2 + n], steps[2 + n] = <char *>losses, item
    if graded:
        first[3 + n], steps[3 + n] = <char *>cnp.PyArray_DATA(<cnp.ndarray>out), item
    with nogil:
        while i < count:
            sum_counts[1] = min(SUMMED, count - i)
            for k in range(3 + n + graded):
                at[k] = first[k] + (0 if 2 <= k <= 2 + n else i * item)
            loop(at, sum_counts + 1, steps, ufunc.data[which])
            sum_loop(sum_at, sum_counts, sum_steps, NULL)
            total += part
            i += SUMMED
    loss = number(total / count, dtype)[()]
    return (loss, out) if graded else loss


ctypedef struct Cursor:
    char *at
    cnp.npy_intp outer, row  # the bytes from one block of rows to the next, and from one row to the next


cdef bint are_indices(PyObject *target, PyObject *logits, int axis):
    """Whether this is a plain array of one index for each row, all in the range of the axis."""
    cdef int dimensions = cnp.PyArray_NDIM(<cnp.ndarray>logits), k
    if not PyArray_CheckExact(target) or cnp.PyArray_TYPE(<cnp.ndarray>target) != cnp.NPY_INT64:
        return False
    if cnp.PyArray_NDIM(<cnp.ndarray>target) != dimensions - 1 or not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>target):
        return False
    for k in range(dimensions - 1):
        if cnp.PyArray_DIM(<cnp.ndarray>target, k) != cnp.PyArray_DIM(<cnp.ndarray>logits, k + (k >= axis)):
            return False
    cdef cnp.npy_int64 *index = <cnp.npy_int64 *>cnp.PyArray_DATA(<cnp.ndarray>target)
    cdef cnp.npy_int64 signs = 0, last = cnp.PyArray_DIM(<cnp.ndarray>logits, axis) - 1
    cdef cnp.npy_intp i
    for i in range(cnp.PyArray_SIZE(<cnp.ndarray>target)):
        signs |= index[i] | (last - index[i])
    return signs >= 0


def mean_of_losses(evaluator_of_sums, evaluator, str kind, tuple args, tuple parameters, axis_, out):
    """The mean loss of plain rows, its gradient, or both; None where an array is not plain.

    `parameters` are the evaluator's. The losses are summed in a small buffer. A loss_part knows the number of all rows, so
    that it bypasses the caches where all gradients together, and not just those of a block, are too large for them.
    """
    cdef PyUFuncObject *ufunc = <PyUFuncObject *>evaluator
    cdef bint graded = kind != "loss", summed = kind != "backward"
    cdef PyObject *logits = PyTuple_GET_ITEM(<PyObject *>args, not summed)
    cdef PyObject *target = PyTuple_GET_ITEM(<PyObject *>args, 1 + (not summed))
    cdef int dtype = float_type(logits), dimensions, axis, k, n_parameters = len(parameters)
    cdef int losses_at = graded + 2 + n_parameters, operands = losses_at + summed + graded
    if dtype < 0 or not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>logits) or cnp.PyArray_SIZE(<cnp.ndarray>logits) == 0:
        return None
    dimensions = cnp.PyArray_NDIM(<cnp.ndarray>logits)
    if type(axis_) is not int or not -dimensions <= axis_ < dimensions or not (summed or type(args[0]) is float):
        return None
    axis = axis_ % dimensions
    if not are_indices(target, logits, axis):
        return None
    if graded and out is None:
        out = cnp.PyArray_EMPTY(dimensions, cnp.PyArray_DIMS(<cnp.ndarray>logits), dtype, 0)
    elif graded:
        if float_type(<PyObject *>out) < 0 or not cnp.PyArray_ISCARRAY(<cnp.ndarray>out) or not safe_with(logits, <PyObject *>out):
            return None
        if not disjoint(target, <PyObject *>out):
            return None
    elif out is not None:
        return None

    cdef cnp.npy_intp item = cnp.PyArray_ITEMSIZE(<cnp.ndarray>logits), in_all = cnp.PyArray_SIZE(<cnp.ndarray>target), n, after = 1, step, in_block, outer, row
    for k in range(axis + 1, dimensions):
        after *= cnp.PyArray_DIM(<cnp.ndarray>logits, k)
    n = cnp.PyArray_DIM(<cnp.ndarray>logits, axis)
    in_block, step = (in_all, n * item) if after == 1 else (after, item)
    cdef int which = 0 if dtype == cnp.NPY_FLOAT32 else 1
    cdef loss_part *part_of_loss = (<const RowKernel *>ufunc.data[which]).part
    cdef PyUFuncGenericFunction sum_loop = (<PyUFuncObject *>evaluator_of_sums).functions[which]
    cdef double[SUMMED] losses
    cdef double[MAX_PARAMETERS] numbers
    cdef double part, total = 0
    cdef cnp.ndarray weight = number((1.0 if summed else args[0]) / in_all, dtype)
    cdef Cursor[5 + MAX_PARAMETERS] cursors
    cdef char *at[5 + MAX_PARAMETERS]
    cdef char **sum_at = [<char *>losses, <char *>&part]
    cdef int wrong = 0
    cdef cnp.npy_intp[7 + MAX_PARAMETERS] steps
    cdef cnp.npy_intp *counts = [0, n]
    cdef cnp.npy_intp *sum_counts = [1, 0]
    cdef cnp.npy_intp *sum_steps = [0, 0, item]
    cursors[graded] = Cursor(<char *>cnp.PyArray_DATA(<cnp.ndarray>logits), in_block * n * item, step)
    cursors[graded + 1] = Cursor(<char *>cnp.PyArray_DATA(<cnp.ndarray>target), in_block * sizeof(cnp.npy_int64), sizeof(cnp.npy_int64))
    for k in range(n_parameters):
        numbers[k] = parameters[k]
        cursors[graded + 2 + k] = Cursor(<char *>&numbers[k], 0, 0)
    if summed:
        cursors[losses_at] = Cursor(<char *>losses, 0, 0)
    if graded:
        cursors[0] = Cursor(<char *>cnp.PyArray_DATA(weight), 0, 0)
        cursors[operands - 1] = Cursor(<char *>cnp.PyArray_DATA(<cnp.ndarray>out), in_block * n * item, step)
    steps[operands] = steps[operands + 1] = after * item
    for k in range(operands):
        steps[k] = item if summed and k == losses_at else cursors[k].row
    with nogil:
        for outer in range(in_all // in_block):
            row = 0
            while row < in_block:
                counts[0] = sum_counts[1] = min(SUMMED, in_block - row)
                for k in range(operands):
                    at[k] = cursors[k].at + outer * cursors[k].outer + row * cursors[k].row
                wrong |= part_of_loss(at, <const intptr_t *>counts, <const intptr_t *>steps, in_all)
                if summed:
                    sum_loop(sum_at, sum_counts, sum_steps, NULL)
                    total += part
                row += SUMMED
    if wrong:
        raise IndexError(f"cross_entropy needs target indices in 0..{n - 1}: another thread has written others during the call")
    if not summed:
        return out
    loss = number(total / in_all, dtype)[()]
    return (loss, out) if graded else loss


def step_in_place(evaluator, tuple arrays, tuple coefficients):
    """A step of an optimizer, if all arrays are plain and share no memory; else False. It writes all arrays but the second."""
    cdef PyUFuncObject *ufunc = <PyUFuncObject *>evaluator
    cdef PyObject *first = PyTuple_GET_ITEM(<PyObject *>arrays, 0)
    cdef PyObject *array
    cdef int dtype = float_type(first), n = len(arrays), k, j
    if dtype < 0:
        return False
    cdef int which = 0 if dtype == cnp.NPY_FLOAT32 else 1
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
        at[n + k], steps[n + k] = <char *>&rounded[k] if which == 0 else <char *>&numbers[k], 0
    for k in range(ufunc.nout):
        at[ufunc.nin + k], steps[ufunc.nin + k] = at[k + (k > 0)], item
    call_loop(ufunc.functions[which], at, &count, steps, ufunc.data[which], count * item)
    return True
