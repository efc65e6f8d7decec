"""The blocks in which losses are computed and summed, and which threads share; part of _core.pyx.

The blocks do not depend on the number of threads, and their sums are added in order: so no bit does.
"""


cdef enum:
    SUMMED = 2048  # losses in the buffer, which has 16 KiB at most
    FEW = 64  # blocks whose sums need no array
    ENTRIES = 32768  # of a block of rows
    WIDE = 128  # rows side by side that stay together


ctypedef struct Operands:
    int count
    unsigned halves  # bit k: operand k is of half precision
    char *first[MAX_INPUTS + 2]
    cnp.npy_intp step[MAX_INPUTS + 2]  # the bytes from one element to the next, 0 for a number
    cnp.npy_intp move[MAX_INPUTS + 2]  # how far the next block of elements lies ahead, for each element of this one


ctypedef struct ElementsJob:
    Operands operands
    part_loop *loop
    void *data
    PyUFuncGenericFunction sum_loop
    void *sum_data
    cnp.npy_intp count, item, loss_item  # the bytes of an element, and of a loss in the buffer
    cnp.npy_intp period, filled  # of Repeated
    int repeats, losses  # which operand is Repeated, and which are losses to be summed; or -1
    double *sums  # of the blocks


@cython.cdivision(True)
cdef void blocks_of_elements(void *given, size_t start, size_t end) noexcept nogil:
    """The losses of some blocks of SUMMED elements, and their sums. Without sums all blocks are computed at once."""
    cdef ElementsJob *job = <ElementsJob *>given
    cdef double[SUMMED] buffer
    cdef char *at[MAX_INPUTS + 2]
    cdef char *sum_at[2]
    cdef cnp.npy_intp first = start * SUMMED, i, last, n
    cdef cnp.npy_intp[2] counts = [1, 0]
    cdef cnp.npy_intp[3] sum_steps = [0, 0, job.loss_item]
    cdef int k
    while first < min(<cnp.npy_intp>end * SUMMED, job.count):
        last = min(first + SUMMED if job.losses >= 0 else <cnp.npy_intp>end * SUMMED, job.count)
        i = first
        while i < last:
            n = last - i
            for k in range(job.operands.count):
                at[k] = job.operands.first[k] + i * job.operands.move[k]
            if job.repeats >= 0:
                at[job.repeats] += i % job.period * job.item
                n = min(n, job.filled - i % job.period)
            if job.losses >= 0:
                at[job.losses] = <char *>buffer + (i - first) * job.loss_item
            job.loop(at, &n, job.operands.step, job.data, n if job.losses >= 0 else job.count)
            i += n
        if job.losses >= 0:
            counts[1] = last - first
            sum_at[0], sum_at[1] = <char *>buffer, <char *>&job.sums[first // SUMMED]
            job.sum_loop(sum_at, counts, sum_steps, job.sum_data)
        first = last


ctypedef struct Cursor:
    char *at
    cnp.npy_intp outer, row  # the bytes from one block of rows to the next, and from one row to the next


ctypedef struct RowsJob:
    part_loop *loop
    void *data
    PyUFuncGenericFunction sum_loop
    void *sum_data
    Cursor[5 + MAX_PARAMETERS] cursors
    cnp.npy_intp[7 + MAX_PARAMETERS] steps
    HalfLoop half  # around the loop, in half precision
    cnp.npy_intp all_rows, n, loss_item
    int operands, losses  # which operand is the losses to be summed; or -1
    atomic_int wrong  # what went wrong in any block
    cnp.npy_intp in_block  # rows that are equally far from each other
    cnp.npy_intp rows, blocks  # those of them that are summed together, and how many such blocks there are
    double *sums


@cython.cdivision(True)
cdef void blocks_of_rows(void *given, size_t start, size_t end) noexcept nogil:
    """The losses of some blocks of rows, and their sums. Blocks that follow each other are computed at once."""
    cdef RowsJob *job = <RowsJob *>given
    cdef double[SUMMED] buffer
    cdef char *at[5 + MAX_PARAMETERS]
    cdef char *sum_at[2]
    cdef cnp.npy_intp[2] counts = [0, job.n]
    cdef cnp.npy_intp[2] sum_counts = [1, 0]
    cdef cnp.npy_intp[3] sum_steps = [0, 0, job.loss_item]
    cdef cnp.npy_intp block = start, last = end, several, outer, row, k
    cdef int wrong
    while block < last:
        outer, several = block // job.blocks, min(last - block, job.blocks - block % job.blocks)
        if job.losses >= 0:
            several = min(several, SUMMED // job.rows)
        row = block % job.blocks * job.rows
        counts[0] = min(several * job.rows, job.in_block - row)
        for k in range(job.operands):
            at[k] = job.cursors[k].at + outer * job.cursors[k].outer + row * job.cursors[k].row
        if job.losses >= 0:
            at[job.losses] = <char *>buffer
        wrong = job.loop(at, counts, job.steps, job.data, job.all_rows)
        if wrong:
            atomic_fetch_or(&job.wrong, wrong)
        for k in range(several if job.losses >= 0 else 0):
            sum_counts[1] = min(job.rows, counts[0] - k * job.rows)
            sum_at[0], sum_at[1] = <char *>buffer + k * job.rows * job.loss_item, <char *>&job.sums[block + k]
            job.sum_loop(sum_at, sum_counts, sum_steps, job.sum_data)
        block += several


cdef double sum_of(LossShortcut self, double *sums, cnp.npy_intp blocks):
    """The sum of the sums of blocks, which does not depend on the threads that made them."""
    cdef PyUFuncObject *gufunc = <PyUFuncObject *>self.sum
    cdef double total
    cdef char *at[2]
    cdef cnp.npy_intp[2] counts = [1, blocks]
    cdef cnp.npy_intp[3] steps = [0, 0, sizeof(double)]
    at[0], at[1] = <char *>sums, <char *>&total
    gufunc.functions[1](at, counts, steps, gufunc.data[1])
    return total
