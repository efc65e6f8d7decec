"""The fast path of functions along an axis; part of _core.pyx.

There are three ways. Where the arrays are plain and their rows contiguous, and options are numbers, booleans or a plain mask, the
loop of the gufunc is called directly. Where the arrays are plain, and there are no options, the gufunc is called. Any other call
goes to its Call.
"""


cdef enum:
    MASKING = 4  # inputs of a masked evaluator after its arrays: scale, sink, limit and mask
    MAX_ROW_ARRAYS = 3 + MASKING
    MAX_DIMENSIONS = 64  # of a NumPy array
    ONE_A_ROW = -1  # in place of the bytes to the next entry


ctypedef struct Masking:
    double scale, sink
    bint causal
    PyObject *mask  # a plain array of booleans, or Py_None


ctypedef struct RowArray:
    char *at
    cnp.npy_intp block, row, entry  # bytes to the next block of rows, row, and entry


ctypedef struct Blocks:
    Threaded *threaded
    atomic_int wrong  # what went wrong in any block
    int arrays, mask  # how many there are, and which is the mask
    RowArray[MAX_ROW_ARRAYS] array
    cnp.npy_intp blocks
    cnp.npy_intp[2] counts  # rows in a block, entries in a row
    cnp.npy_intp[2 * MAX_ROW_ARRAYS] steps
    cnp.npy_intp mask_row  # bytes from the mask of a row to that of the next row of its block
    int axes  # how many axes the blocks lie along, the first ones
    cnp.npy_intp[MAX_DIMENSIONS] shape, mask_steps


# What is read where no entry is masked, and where a row has no limit
cdef cnp.npy_bool ALL_COUNT = 1
cdef cnp.npy_int64 NO_LIMIT = 1 << 62


cdef class RowShortcut(Rules):
    """The facts that the fast path of one function along an axis needs, taken from its RowCall."""

    cdef object from_input, from_output
    cdef object masked, masked_from_output  # the gufuncs that take scale, sink, limit and mask too; None where there are none
    cdef frozenset options
    cdef Masking usual
    cdef int operands
    cdef bint reduces

    def __init__(self, call):
        super().__init__(call)
        self.from_input, self.from_output = call.default
        self.masked, self.masked_from_output = [one if isinstance(one, np.ufunc) else None for one in call.masked]
        self.operands, self.reduces = len(call.operands), call.reduces
        self.options = frozenset(call.by_name.keys() - call.fixed.keys())
        settings = {**call.by_name, **call.fixed}
        self.usual = Masking(settings.get("scale", 1.0), settings.get("sink", -INFINITY), settings.get("causal", False), Py_None)


cdef bint take_option(object name, PyObject *given, Masking *masking):
    """Store an option; False where its value is not plain."""
    cdef double value
    if name == "mask":
        masking.mask = given
        return given == Py_None or (PyArray_CheckExact(given) and cnp.PyArray_TYPE(<cnp.ndarray>given) == cnp.NPY_BOOL)
    if name == "causal":
        masking.causal = given == Py_True
        return given == Py_True or given == Py_False
    value = plain_number(given, cnp.NPY_FLOAT64)
    if name == "scale":
        masking.scale = value
    elif name == "sink":
        masking.sink = value
    else:
        return False
    return value == value


cdef tuple OUT_AND_AXIS = ("out", "axis")


cdef object invoke_rows(PyObject *self_, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames):
    cdef RowShortcut self = <RowShortcut>self_
    cdef PyObject *stack[4]  # the operands, out and the axis
    cdef PyObject *y = Py_None
    cdef PyObject *out = Py_None
    cdef PyObject *keepdims = Py_False
    cdef PyObject *last
    cdef PyObject *axis = NULL
    cdef Masking masking = self.usual
    cdef Py_ssize_t i, keywords = 0 if kwnames == NULL else PyTuple_GET_SIZE(kwnames), given = nargs - self.operands
    if nargs < 1 or given > 1 + self.reduces or given < -1:
        return slow(self, args, nargs, kwnames)
    if given >= 1:
        axis = args[self.operands]
    if given == 2:
        keepdims = args[self.operands + 1]
    for i in range(keywords):
        name = <object>PyTuple_GET_ITEM(kwnames, i)
        if name == "out":
            out = args[nargs + i]
        elif name == "y" and self.operands == 2:
            y = args[nargs + i]
        elif name == "axis" and given < 1:
            axis = args[nargs + i]
        elif name == "keepdims" and self.reduces and given < 2:
            keepdims = args[nargs + i]
        elif name not in self.options or not take_option(name, args[nargs + i], &masking):
            return slow(self, args, nargs, kwnames)

    # the operands: x, or grad and one of x and y
    for i in range(min(nargs, self.operands)):
        stack[i] = args[i]
    evaluator, masked = self.from_input, self.masked
    if self.from_output is not None:
        last = args[1] if given >= 0 else Py_None
        if (last == Py_None) == (y == Py_None):
            return slow(self, args, nargs, kwnames)
        if last == Py_None:
            evaluator, masked, stack[1] = self.from_output, self.masked_from_output, y
            masking.sink = -INFINITY  # an output has the effect of the sink in it
    elif y != Py_None or given < 0:
        return slow(self, args, nargs, kwnames)
    cdef bint masks = masking.mask != Py_None or masking.causal or masking.scale != 1 or masking.sink > -INFINITY
    if masks:
        evaluator = masked

    last = stack[self.operands - 1]
    cdef int dimensions = 0 if float_type(last) < 0 else cnp.PyArray_NDIM(<cnp.ndarray>last)
    cdef int at = -1 if axis == NULL else axis_of(axis, dimensions)
    if dimensions == 0 or at >= dimensions or evaluator is None or (keepdims != Py_True and keepdims != Py_False):
        return slow(self, args, nargs, kwnames)
    if at in (-1, dimensions - 1):
        result = rows_in_place(self, stack, out, keepdims == Py_True, <PyUFuncObject *>evaluator, &masking if masks else NULL)
        if result is not None:
            return result
    if masks or self.reduces:
        return slow(self, args, nargs, kwnames)
    if self.operands == 2 and (float_type(stack[0]) < 0 or cnp.PyArray_NDIM(<cnp.ndarray>stack[0]) != dimensions):
        return slow(self, args, nargs, kwnames)
    new = None
    if out == Py_None:
        new = new_like(stack, self.operands)
        out = <PyObject *>new
    if float_type(out) < 0 or cnp.PyArray_NDIM(<cnp.ndarray>out) != dimensions:
        return slow(self, args, nargs, kwnames)
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


cdef object rows_in_place(
    RowShortcut self, PyObject **operands, PyObject *out, bint keepdims, PyUFuncObject *gufunc, Masking *masking
):
    """The result of a gufunc by its loop alone; None where an array is not plain rows. NumPy's set-up is slow on short rows."""
    cdef cnp.ndarray x = <cnp.ndarray>operands[self.operands - 1]
    if not cnp.PyArray_ISCARRAY_RO(x) or cnp.PyArray_SIZE(x) == 0:
        return None
    cdef Blocks call
    cdef int dtype = cnp.PyArray_TYPE(x), dimensions = cnp.PyArray_NDIM(x), last = self.operands, k, cores = 0
    cdef cnp.npy_intp n = cnp.PyArray_DIM(x, dimensions - 1), item = cnp.PyArray_ITEMSIZE(x), bytes_ = cnp.PyArray_NBYTES(x)
    # A reduction has an array with one entry for each row: the result, or the gradient. `each` is its number, or -1. The pairs
    # below are for the other arrays, and for this one.
    cdef int each = 2 - last if self.reduces else -1
    cdef cnp.npy_intp[MAX_DIMENSIONS] each_shape
    cdef int[2] lengths = [dimensions, dimensions - 1 + keepdims]
    cdef cnp.npy_intp *shapes[2]
    cdef cnp.npy_intp[2] rows = [n * item, item]
    cdef cnp.npy_intp[2] entries = [item, ONE_A_ROW]
    cdef double weight = NAN  # a gradient that is a number
    cdef float rounded
    shapes[0], shapes[1] = cnp.PyArray_DIMS(x), each_shape
    if self.reduces:
        memcpy(each_shape, shapes[0], dimensions * sizeof(cnp.npy_intp))
        each_shape[dimensions - 1] = 1
    for k in range(last):
        if not is_like(operands[k], dtype, lengths[k == each], shapes[k == each]):
            weight = plain_number(operands[k], dtype) if k == each and not is_half(dtype) else NAN
            if weight != weight:
                return None
    new = None
    if out == Py_None:
        new = cnp.PyArray_EMPTY(lengths[each == last], shapes[each == last], dtype, 0)
        out = <PyObject *>new
    elif not is_like(out, dtype, lengths[each == last], shapes[each == last]) or not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>out):
        return None
    for k in range(last):
        if (k == each and weight == weight) or disjoint(operands[k], out):
            continue
        if k == each or each == last or cnp.PyArray_DATA(<cnp.ndarray>operands[k]) != cnp.PyArray_DATA(<cnp.ndarray>out):
            return None

    cdef int which = loop_of(dtype, False)
    call.threaded, call.wrong, call.arrays, call.axes = <Threaded *>gufunc.data[which], 0, 0, 0
    call.counts[0], call.counts[1], call.mask = bytes_ // (n * item), n, -1
    if masking != NULL and not find_blocks(&call, masking, x, out):
        return None
    call.blocks = bytes_ // (n * item) // call.counts[0]
    for k in range(last):
        if k == each and weight == weight:
            rounded = nearest_float(weight)
            add_array(&call, <char *>&rounded if dtype == cnp.NPY_FLOAT32 else <char *>&weight, 0, ONE_A_ROW)
        else:
            add_array(&call, <char *>cnp.PyArray_DATA(<cnp.ndarray>operands[k]), rows[k == each], entries[k == each])
    limits = None
    if masking != NULL:
        limits = add_masking(&call, masking, dimensions)
    add_array(&call, <char *>cnp.PyArray_DATA(<cnp.ndarray>out), rows[each == last], entries[each == last])
    for k in range(call.arrays):
        call.steps[k] = call.array[k].row
        if call.array[k].entry != ONE_A_ROW:
            call.steps[call.arrays + cores] = call.array[k].entry
            cores += 1
    cdef size_t rows_of_all = call.blocks * call.counts[0]
    cdef char *at[MAX_ROW_ARRAYS]
    if call.blocks == 1:
        for k in range(call.arrays):
            at[k] = call.array[k].at
        call_loop(<PyUFuncGenericFunction>fastact_threaded_loop, at, call.counts, call.steps, call.threaded, bytes_)
        pending_error()
    elif bytes_ < WITH_THE_LOCK:
        call_blocks(&call, 0, rows_of_all)
    else:
        with nogil:
            share(call_blocks, &call, rows_of_all, 1, call.threaded.cost * <uint64_t>(rows_of_all * n))
    if call.wrong & NO_MEMORY:
        raise MemoryError
    return new[()] if new is not None and cnp.PyArray_NDIM(<cnp.ndarray>new) == 0 else <object>out


cdef bint find_blocks(Blocks *call, Masking *masking, cnp.ndarray x, PyObject *out):
    """Find rows whose masks and limits are equally far from each other; False where the options do not fit the arrays.

    A block of such rows is one call of the loop. It is all rows, unless the mask is one for some of the axes, or the call is
    causal: then every matrix is a block.
    """
    cdef cnp.ndarray mask
    cdef int dimensions = cnp.PyArray_NDIM(x), k, missing
    memcpy(call.shape, cnp.PyArray_DIMS(x), dimensions * sizeof(cnp.npy_intp))  # another thread may give x another shape
    memset(call.mask_steps, 0, dimensions * sizeof(cnp.npy_intp))
    if masking.mask != Py_None:
        mask = <cnp.ndarray>masking.mask
        missing = dimensions - cnp.PyArray_NDIM(mask)
        if missing < 0 or not cnp.PyArray_ISCARRAY_RO(mask) or not disjoint(masking.mask, out):
            return False
        for k in range(missing, dimensions):
            if cnp.PyArray_DIM(mask, k - missing) == 1:
                continue
            if cnp.PyArray_DIM(mask, k - missing) != call.shape[k]:
                return False
            call.mask_steps[k] = cnp.PyArray_STRIDE(mask, k - missing)
    if masking.causal and dimensions < 2:
        return False
    # From the last axis of the rows to the first: those along which the rows of a block lie.
    cdef bint limited = masking.causal and call.shape[dimensions - 2] > 1
    call.counts[0], call.axes, call.mask_row = 1, dimensions - 1, 0
    while call.axes > 0:
        k = call.axes - 1
        if call.counts[0] == 1:
            call.mask_row = call.mask_steps[k]
        elif call.shape[k] > 1 and (limited or call.mask_steps[k] != call.counts[0] * call.mask_row):
            break
        call.counts[0] *= call.shape[k]
        call.axes = k
    return True


cdef void add_array(Blocks *call, char *at, cnp.npy_intp row, cnp.npy_intp entry) noexcept:
    call.array[call.arrays] = RowArray(at, call.counts[0] * row, row, entry)
    call.arrays += 1


cdef object add_masking(Blocks *call, Masking *masking, int dimensions):
    """Add the scale, the sink, the limit and the mask. Returns what must live as long as the call."""
    cdef cnp.ndarray limits = None
    cdef cnp.npy_intp k, rows = call.shape[dimensions - 2] if masking.causal else 0
    add_array(call, <char *>&masking.scale, 0, ONE_A_ROW)
    add_array(call, <char *>&masking.sink, 0, ONE_A_ROW)
    if masking.causal:
        limits = cnp.PyArray_EMPTY(1, &rows, cnp.NPY_INT64, 0)
        for k in range(rows):
            (<cnp.npy_int64 *>cnp.PyArray_DATA(limits))[k] = k + 1
        add_array(call, <char *>cnp.PyArray_DATA(limits), sizeof(cnp.npy_int64) if rows > 1 else 0, ONE_A_ROW)
        call.array[call.arrays - 1].block = 0  # each block begins with the first limit
    else:
        add_array(call, <char *>&NO_LIMIT, 0, ONE_A_ROW)
    call.mask = call.arrays
    if masking.mask == Py_None:
        add_array(call, <char *>&ALL_COUNT, 0, 0)
    else:
        add_array(call, <char *>cnp.PyArray_DATA(<cnp.ndarray>masking.mask), call.mask_row, call.mask_steps[dimensions - 1])
    call.array[call.mask].block = 0  # call_blocks moves it along the axes
    return limits


@cython.cdivision(True)
cdef void call_blocks(void *given, size_t start, size_t end) noexcept nogil:
    """Call a loop for some of the rows of all blocks, block by block."""
    cdef Blocks *call = <Blocks *>given
    cdef const Threaded *threaded = call.threaded
    cdef char *at[MAX_ROW_ARRAYS]
    cdef cnp.npy_intp[MAX_DIMENSIONS] index
    cdef cnp.npy_intp block = 0, rest, mask = 0, row = start, rows = end
    cdef cnp.npy_intp[2] counts = [0, call.counts[1]]
    cdef int k, wrong = 0
    rest = block = row // call.counts[0]
    row, rows = row % call.counts[0], rows - block * call.counts[0]
    for k in range(call.axes - 1, -1, -1):  # the mask of the first block
        index[k] = rest % call.shape[k]
        mask += index[k] * call.mask_steps[k]
        rest //= call.shape[k]
    while row < rows:
        counts[0] = min(rows, call.counts[0]) - row
        for k in range(call.arrays):
            at[k] = call.array[k].at + block * call.array[k].block + row * call.array[k].row + (mask if k == call.mask else 0)
        wrong |= threaded.loop(at, counts, call.steps, threaded.data, call.counts[0])
        block, row, rows = block + 1, 0, rows - call.counts[0]
        for k in range(call.axes - 1, -1, -1):  # the mask of the next block
            mask += call.mask_steps[k]
            index[k] += 1
            if index[k] < call.shape[k]:
                break
            mask -= call.shape[k] * call.mask_steps[k]
            index[k] = 0
    if wrong:
        atomic_fetch_or(&call.wrong, wrong)


def row_shortcut(call, str document):
    """A builtin function for a RowCall whose evaluators are gufuncs."""
    return builtin(call, RowShortcut(call), <void *>invoke_rows, document)
