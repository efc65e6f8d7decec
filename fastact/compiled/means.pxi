"""Losses on plain arrays, by loops alone; part of _core.pyx. losses.pxi has the fast path before it."""


cdef void add(Operands *operands, char *first, cnp.npy_intp step, cnp.npy_intp move) noexcept:
    """Add an operand of the loop."""
    operands.first[operands.count], operands.step[operands.count], operands.move[operands.count] = first, step, move
    operands.count += 1


cdef void add_plain(Operands *operands, PyObject *array) noexcept:
    """Add a contiguous array."""
    cdef cnp.npy_intp item = cnp.PyArray_ITEMSIZE(<cnp.ndarray>array)
    operands.halves |= is_half(cnp.PyArray_TYPE(<cnp.ndarray>array)) << operands.count
    add(operands, <char *>cnp.PyArray_DATA(<cnp.ndarray>array), item, item)


cdef void add_number(Operands *operands, double *place, double value, int dtype) noexcept:
    """Add a number, which is kept at `place`."""
    place[0] = value
    if dtype != cnp.NPY_FLOAT64:
        (<float *>place)[0] = nearest_float(value)
    add(operands, <char *>place, 0, 0)


cdef class Repeated:
    """An array that broadcasts over the elements: the numbers from element i on stand from index i % period on."""

    cdef cnp.ndarray array
    cdef cnp.npy_intp period, count

    def __init__(self, cnp.ndarray array, cnp.npy_intp elements):
        self.period, self.array = cnp.PyArray_SIZE(array), array
        if self.period < min(SUMMED, elements):  # so many copies that each block finds its numbers in one piece
            self.array = np.resize(array, min(self.period + SUMMED, elements))
        self.count = cnp.PyArray_SIZE(self.array)


cdef object loss_of_elements(LossShortcut self, LossArguments *given, cnp.ndarray weight):
    """The loss of elements, its gradient, or both; None where an array is not plain.

    `weight` is None, or the array of the last parameter. Losses that are reduced are summed in a small buffer.
    """
    cdef PyUFuncObject *ufunc = <PyUFuncObject *>self.evaluator
    cdef cnp.ndarray outputs = <cnp.ndarray>given.first
    cdef int dtype = cnp.PyArray_TYPE(outputs), which = loop_of(single_or_double(dtype), False), k
    cdef cnp.npy_intp item = cnp.PyArray_ITEMSIZE(outputs), count = cnp.PyArray_SIZE(outputs), blocks
    cdef bint backward = not self.summed, sums = self.summed and given.reduction != EACH, by_element = False
    cdef const Elementwise *kernel = kernel_of(ufunc, which)
    cdef double factor = 1.0
    if not safe_with(given.target, given.first) or (cnp.PyArray_NDIM(outputs) == 0 and not sums):
        return None
    losses, slopes = None, None
    if self.summed and not sums:
        losses = array_for_result(given, Py_None if self.graded else given.out, weight)
        if losses is None:
            return None
    elif not self.graded and given.out != Py_None:
        return None
    if self.graded:
        slopes = array_for_result(given, given.out, weight)
        if slopes is None:
            return None
    if backward:  # the gradient with respect to the loss of each element: an array, or a number
        by_element = given.reduction == EACH and float_type(given.grad) >= 0
        factor = 1.0 if by_element else plain_number(given.grad, dtype)
        if factor != factor or (by_element and not safe_with(given.grad, given.first)):
            return None
        if by_element and not safe_with(given.grad, <PyObject *>slopes):
            return None
    if self.slack == self.slack:
        if labels_out_of_range(kernel, given.target, self.slack):
            return None

    cdef ElementsJob job
    cdef Operands *operands = &job.operands
    cdef double[MAX_PARAMETERS] numbers
    cdef double[FEW] few
    cdef double total = 0
    cdef Repeated repeated
    cdef HalfLoop half
    cdef const Threaded *threaded = <const Threaded *>ufunc.data[which]
    job.loop, job.data, job.item, job.count = threaded.loop, threaded.data, item, count
    job.sum_loop, job.sum_data = (<PyUFuncObject *>self.sum).functions[which], (<PyUFuncObject *>self.sum).data[which]
    job.loss_item = sizeof(double) if which == OF_DOUBLE else sizeof(float)
    job.repeats = job.losses = -1
    operands.count = operands.halves = 0
    if by_element:
        add_plain(operands, given.grad)
    elif backward:
        add_number(operands, &numbers[self.own], factor / (count if given.reduction == MEAN else 1), dtype)
    add_plain(operands, given.first)
    add_plain(operands, given.target)
    if self.graded and not backward:
        add_number(operands, &numbers[self.own], 1.0 / (count if given.reduction == MEAN else 1), dtype)
    for k in range(self.own):
        add_number(operands, &numbers[k], given.numbers[k], dtype)
    if weight is not None:
        repeated = Repeated(weight, count)
        job.period, job.filled, job.repeats = repeated.period, repeated.count, operands.count - 1
        operands.first[job.repeats], operands.step[job.repeats] = <char *>cnp.PyArray_DATA(repeated.array), item
        operands.halves |= is_half(dtype) << job.repeats
    if sums:
        job.losses = operands.count
        add(operands, NULL, job.loss_item, 0)
    elif self.summed:
        add_plain(operands, <PyObject *>losses)
    if self.graded:
        add_plain(operands, <PyObject *>slopes)
    blocks = (count + SUMMED - 1) // SUMMED
    sums_of_blocks = None
    job.sums = few
    if sums and blocks > FEW:
        sums_of_blocks = cnp.PyArray_EMPTY(1, &blocks, cnp.NPY_FLOAT64, 0)
        job.sums = <double *>cnp.PyArray_DATA(<cnp.ndarray>sums_of_blocks)
    if is_half(dtype):
        half = wrapped_loop(job.loop, job.data, &half_types[half_type(dtype)], ufunc.nin, operands.count, operands.halves, 0)
        job.loop, job.data = fastact_half_loop, &half
    with nogil:
        share(blocks_of_elements, &job, blocks, 1, threaded.cost * <uint64_t>count)
    if sums:
        total = job.sums[0] if blocks == 1 else sum_of(self, job.sums, blocks)
        losses = number(total / count if given.reduction == MEAN else total, dtype)[()]
    return result_of(self, losses, slopes)


cdef bint labels_out_of_range(const Elementwise *kernel, PyObject *labels, double slack) noexcept:
    """Whether a label is out of 0..1 by more than `slack`."""
    cdef char *at = <char *>cnp.PyArray_DATA(<cnp.ndarray>labels)
    cdef cnp.npy_intp count = cnp.PyArray_SIZE(<cnp.ndarray>labels), i = 0, n
    cdef int half = half_type(cnp.PyArray_TYPE(<cnp.ndarray>labels))
    cdef float[SUMMED] floats
    if half < 0:
        return kernel.out_of_range(at, count, -slack, 1 + slack)
    while i < count:
        n = min(SUMMED, count - i)
        half_types[half].widen(<uint16_t *>at + i, floats, n)
        if kernel.out_of_range(floats, n, -slack, 1 + slack):
            return True
        i += n
    return False


cdef object array_for_result(LossArguments *given, PyObject *out, cnp.ndarray weight):
    """`out`, or a new array if it is None. None if it is not plain, or shares memory with an operand without being it."""
    cdef cnp.ndarray like = <cnp.ndarray>given.first
    if out == Py_None:
        return cnp.PyArray_EMPTY(cnp.PyArray_NDIM(like), cnp.PyArray_DIMS(like), cnp.PyArray_TYPE(like), 0)
    if float_type(out) < 0 or not cnp.PyArray_ISCARRAY(<cnp.ndarray>out) or not safe_with(given.first, out):
        return None
    if not safe_with(given.target, out) or (weight is not None and not disjoint(<PyObject *>weight, out)):
        return None
    return <object>out


cdef object result_of(LossShortcut self, losses, slopes):
    """What the function returns."""
    return (losses, slopes) if self.summed and self.graded else losses if self.summed else slopes


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


cdef object loss_of_rows(LossShortcut self, LossArguments *given):
    """The loss of rows, its gradient, or both; None where an array is not plain.

    Losses that are reduced are summed in a small buffer, by blocks that do not depend on the number of threads. A loop
    knows the number of all rows, so that it bypasses the caches where all gradients together, and not just those of a block,
    are too large for them.
    """
    cdef PyUFuncObject *ufunc = <PyUFuncObject *>self.evaluator
    cdef bint graded = self.graded, summed = self.summed, reduced = given.reduction != EACH, sums = summed and reduced
    cdef PyObject *logits = given.first
    cdef PyObject *target = given.target
    cdef PyObject *grad = given.grad
    cdef int dtype = cnp.PyArray_TYPE(<cnp.ndarray>logits), dimensions = cnp.PyArray_NDIM(<cnp.ndarray>logits), axis, k
    cdef int losses_at = graded + 2 + self.own, operands = losses_at + summed + graded
    cdef double factor = 1.0
    cdef bint factor_alone = False
    if not -dimensions <= given.axis < dimensions or (dimensions == 1 and not reduced):
        return None
    axis = given.axis % dimensions
    if 0 <= given.ignored < cnp.PyArray_DIM(<cnp.ndarray>logits, axis) or not are_indices(target, logits, axis):
        return None
    losses, slopes = None, None
    if graded:
        slopes = <object>given.out
        if given.out == Py_None:
            slopes = cnp.PyArray_EMPTY(dimensions, cnp.PyArray_DIMS(<cnp.ndarray>logits), dtype, 0)
        elif float_type(given.out) < 0 or not cnp.PyArray_ISCARRAY(<cnp.ndarray>given.out):
            return None
        elif not safe_with(logits, given.out) or not disjoint(target, given.out):
            return None
    elif given.out != Py_None:
        return None
    if summed and not reduced:
        losses = cnp.PyArray_EMPTY(dimensions - 1, cnp.PyArray_DIMS(<cnp.ndarray>target), dtype, 0)
    if graded and not summed and not reduced:
        if not is_like(grad, dtype, dimensions - 1, cnp.PyArray_DIMS(<cnp.ndarray>target)) or not disjoint(grad, <PyObject *>slopes):
            return None
    elif graded and not summed:
        factor = plain_number(grad, cnp.NPY_FLOAT64)
        grad, factor_alone = NULL, True
        if factor != factor:
            return None

    cdef cnp.npy_intp item = cnp.PyArray_ITEMSIZE(<cnp.ndarray>logits), in_all = cnp.PyArray_SIZE(<cnp.ndarray>target), n, after = 1, step, in_block, blocks
    for k in range(axis + 1, dimensions):
        after *= cnp.PyArray_DIM(<cnp.ndarray>logits, k)
    n = cnp.PyArray_DIM(<cnp.ndarray>logits, axis)
    in_block, step = (in_all, n * item) if after == 1 else (after, item)
    cdef int which = loop_of(single_or_double(dtype), False)
    cdef RowsJob job
    cdef Cursor *cursors = job.cursors
    cdef cnp.npy_intp *steps = job.steps
    cdef double[MAX_PARAMETERS] numbers
    cdef double[FEW] few
    cdef double total = 0
    cdef const Threaded *threaded = <const Threaded *>ufunc.data[which]
    job.loop, job.data, job.all_rows, job.n, job.operands = threaded.loop, threaded.data, in_all, n, operands
    job.sum_loop, job.sum_data = (<PyUFuncObject *>self.sum).functions[which], (<PyUFuncObject *>self.sum).data[which]
    job.loss_item = sizeof(double) if which == OF_DOUBLE else sizeof(float)
    job.losses, job.wrong, job.in_block = losses_at if sums else -1, 0, in_block
    if is_half(dtype):
        job.half = wrapped_loop(job.loop, job.data, &half_types[half_type(dtype)], ufunc.nin, operands, 1 << graded, 1 << graded)
        job.loop, job.data = fastact_half_loop, &job.half
        if graded:
            job.half.cores |= 1 << (operands - 1)
            job.half.halves |= job.half.cores | (not summed and not factor_alone)
        if summed and not sums:
            job.half.halves |= 1 << losses_at
    cdef cnp.ndarray weight = number(factor / (in_all if given.reduction == MEAN else 1), single_or_double(dtype))
    cursors[graded] = Cursor(<char *>cnp.PyArray_DATA(<cnp.ndarray>logits), in_block * n * item, step)
    cursors[graded + 1] = Cursor(<char *>cnp.PyArray_DATA(<cnp.ndarray>target), in_block * sizeof(cnp.npy_int64), sizeof(cnp.npy_int64))
    for k in range(self.own):
        numbers[k] = given.numbers[k]
        cursors[graded + 2 + k] = Cursor(<char *>&numbers[k], 0, 0)
    if sums:
        cursors[losses_at] = Cursor(NULL, 0, 0)
    elif summed:
        cursors[losses_at] = Cursor(<char *>cnp.PyArray_DATA(<cnp.ndarray>losses), in_block * item, item)
    if graded:
        cursors[0] = Cursor(<char *>cnp.PyArray_DATA(weight), 0, 0)
        if grad != NULL and not summed:
            cursors[0] = Cursor(<char *>cnp.PyArray_DATA(<cnp.ndarray>grad), in_block * item, item)
        cursors[operands - 1] = Cursor(<char *>cnp.PyArray_DATA(<cnp.ndarray>slopes), in_block * n * item, step)
    steps[operands] = steps[operands + 1] = after * item
    for k in range(operands):
        steps[k] = cursors[k].row
        if summed and k == losses_at:
            steps[k] = job.loss_item if sums else item
    job.rows = SUMMED  # a power of 2, so that rows side by side fill whole lines
    while job.rows * n > ENTRIES and job.rows > (1 if after == 1 else WIDE):
        job.rows //= 2
    job.blocks = (in_block + job.rows - 1) // job.rows
    blocks = in_all // in_block * job.blocks
    sums_of_blocks = None
    job.sums = few
    if sums and blocks > FEW:
        sums_of_blocks = cnp.PyArray_EMPTY(1, &blocks, cnp.NPY_FLOAT64, 0)
        job.sums = <double *>cnp.PyArray_DATA(<cnp.ndarray>sums_of_blocks)
    with nogil:
        share(blocks_of_rows, &job, blocks, 1, threaded.cost * <uint64_t>(in_all * n))
    if job.wrong & NO_MEMORY:
        raise MemoryError
    if sums:
        total = job.sums[0] if blocks == 1 else sum_of(self, job.sums, blocks)
    if job.wrong & OUT_OF_RANGE:
        raise IndexError(f"cross_entropy needs target indices in 0..{n - 1}: another thread has written others during the call")
    if sums:
        losses = number(total / in_all if given.reduction == MEAN else total, dtype)[()]
    return result_of(self, losses, slopes)
