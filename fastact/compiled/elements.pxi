"""The fast path of elementwise functions that have parameters or a backward pass; part of _core.pyx.

There are three ways. Where all arrays are plain and contiguous, the loop of the ufunc is called directly, since on few elements
NumPy's set-up takes most of the time. Where the arguments are plain, the ufunc is called. Any other call goes to its Call.
"""


cdef class Shortcut(Rules):
    """The facts that the fast path of one elementwise function needs, taken from its Call."""

    cdef object from_input, from_output, sum
    cdef object condition, output_condition  # functions of the parameters, or None
    cdef str option
    cdef dict evaluators
    cdef tuple names, defaults, defaults_f32, defaults_f64
    cdef int operands, n_parameters
    cdef bint splits

    def __init__(self, call):
        super().__init__(call)
        self.from_input, self.from_output = call.default
        self.option, self.evaluators = call.option, call.evaluators
        self.operands = len(call.operands)
        self.splits = getattr(call, "splits", False)
        self.sum = getattr(call, "sum", None)
        self.names = tuple(call.parameters)
        self.defaults = tuple(call.parameters.values())
        self.n_parameters = len(self.defaults)
        self.defaults_f32 = tuple([number(value, cnp.NPY_FLOAT32) for value in self.defaults])
        self.defaults_f64 = tuple([number(value, cnp.NPY_FLOAT64) for value in self.defaults])
        self.condition = all_of(self.names, call.requires)
        self.output_condition = all_of(self.names, call.requires + call.output_requires)


def all_of(names, conditions):
    """The conditions as one function, which is much faster than Call.demand but cannot say what is wrong; None without any."""
    if not conditions:
        return None
    text = " & ".join([f"({condition.co_filename})" for condition in conditions])
    return eval(f"lambda {', '.join(names)}: {text}", {"__builtins__": {}})


cdef tuple ONLY_OUT = ("out",)


cdef PyTypeObject *FLOAT32 = <PyTypeObject *>np.float32
cdef PyTypeObject *FLOAT64 = <PyTypeObject *>np.float64


cdef double plain_number(PyObject *given, int dtype):
    """The value of a number that float32 and float64 can hold, and that does not change the dtype of the computation; else NaN.

    In half precision the number stays a float32.
    """
    cdef double value = NAN
    cdef float single
    if Py_TYPE(given) == FLOAT32:
        if is_half(dtype):
            return NAN
        cnp.PyArray_ScalarAsCtype(<object>given, &single)
        if single >= FLT_MIN or single <= -FLT_MIN:  # in the caller's state the conversion of a smaller one may give 0
            value = single
    elif PyFloat_CheckExact(given) or (dtype == cnp.NPY_FLOAT64 and Py_TYPE(given) == FLOAT64):  # np.float64 is a float
        value = PyFloat_AS_DOUBLE(given)
    elif PyLong_CheckExact(given):
        try:
            value = PyLong_AsDouble(given)
        except OverflowError:
            pass
    return value if -3e38 < value < 3e38 else NAN


cdef bint take(tuple names, object name, PyObject *given, PyObject **values):
    """Store a parameter that is given by keyword; False where there is none of this name, or it has been given already."""
    cdef Py_ssize_t i
    for i in range(len(names)):
        if name == <str>names[i] and values[i] == NULL:
            values[i] = given
            return True
    return False


cdef object invoke_elements(PyObject *self_, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames):
    cdef Shortcut self = <Shortcut>self_
    cdef PyObject *stack[MAX_INPUTS + 16]
    cdef PyObject *values[MAX_PARAMETERS]  # the parameters given, else NULL
    cdef double value
    cdef bint any_given = False
    cdef int kept = 0  # bit i: keyword i is passed on to the ufunc
    cdef Py_ssize_t i, keywords = 0 if kwnames == NULL else PyTuple_GET_SIZE(kwnames), given = nargs - self.operands
    cdef Py_ssize_t y_at = -1, out_at = -1
    cdef PyObject *last
    cdef int dtype
    cdef list hold = None  # keeps the parameters' arrays alive for the call
    if keywords > 16 or nargs < 1 or given > self.n_parameters or given < -1:
        return slow(self, args, nargs, kwnames)
    for i in range(self.n_parameters):
        values[i] = args[self.operands + i] if i < given else NULL
    ufunc, from_output, condition = self.from_input, self.from_output, self.condition
    for i in range(keywords):
        name = <object>PyTuple_GET_ITEM(kwnames, i)
        if name == "out":
            out_at = nargs + i
            kept |= 1 << i
        elif name == "y":
            y_at = nargs + i
        elif self.option is not None and name == self.option:
            last = args[nargs + i]
            chosen = self.evaluators.get(<object>last) if PyUnicode_CheckExact(last) else None
            if chosen is None:
                return slow(self, args, nargs, kwnames)
            ufunc, from_output = <tuple>chosen
        elif not take(self.names, name, args[nargs + i], values):
            return slow(self, args, nargs, kwnames)

    # The operands: x, or grad and one of x and y, or the two of a gated function, with or without grad.
    for i in range(min(nargs, self.operands)):
        stack[i] = args[i]
    if from_output is not None:
        last = args[1] if given >= 0 else Py_None
        if (last == Py_None) == (y_at < 0 or args[y_at] == Py_None):
            return slow(self, args, nargs, kwnames)
        if last == Py_None:
            ufunc, stack[1], condition = from_output, args[y_at], self.output_condition
    elif y_at >= 0 or given < 0:
        return slow(self, args, nargs, kwnames)
    last = stack[self.operands - 1]

    if self.splits:
        halves = None
        if values[0] == NULL or (PyLong_CheckExact(values[0]) and <object>values[0] == -1):
            halves = halves_in_place(self, stack, args[out_at] if out_at >= 0 else Py_None, <PyUFuncObject *>ufunc)
        return slow(self, args, nargs, kwnames) if halves is None else halves

    # The parameters become numbers of the operands' dtype. Anything but plain arrays and numbers goes to the Call.
    dtype = float_type(last)
    if self.n_parameters:
        for i in range(self.operands):
            if dtype < 0 or float_type(stack[i]) != dtype:
                return slow(self, args, nargs, kwnames)
        for i in range(self.n_parameters):
            if values[i] == NULL:
                values[i] = PyTuple_GET_ITEM(<PyObject *>self.defaults, i)
                if <object>values[i] is REQUIRED:
                    return slow(self, args, nargs, kwnames)
                defaults = self.defaults_f64 if dtype == cnp.NPY_FLOAT64 else self.defaults_f32
                stack[self.operands + i] = PyTuple_GET_ITEM(<PyObject *>defaults, i)
                continue
            any_given = True
            value = plain_number(values[i], dtype)
            if value != value or (condition is not None and 0 < abs(value) < 1e-45):  # it may round to 0 in float32
                return slow(self, args, nargs, kwnames)
            made = number(value, single_or_double(dtype))
            if hold is None:
                hold = []
            hold.append(made)
            stack[self.operands + i] = <PyObject *>made
        if any_given and condition is not None:
            if not PyObject_Vectorcall(<PyObject *>condition, values, self.n_parameters, NULL):
                return slow(self, args, nargs, kwnames)
    elif (<PyUFuncObject *>ufunc).nout == 2:  # TwoGradientsCall takes lazy arrays and out=None
        if out_at >= 0 and args[out_at] == Py_None:
            return slow(self, args, nargs, kwnames)
        for i in range(self.operands):
            if float_type(stack[i]) < 0:
                return slow(self, args, nargs, kwnames)

    if self.sum is not None:
        both = summed_in_place(self, stack, args[out_at] if out_at >= 0 else Py_None, <PyUFuncObject *>ufunc, dtype)
        return slow(self, args, nargs, kwnames) if both is None else both
    if out_at >= 0:
        # Anything but an array, a tuple or None goes to the Call: it is refused, or has functions of its own.
        if not PyArray_Check(args[out_at]) and type(<object>args[out_at]) is not tuple and args[out_at] != Py_None:
            return slow(self, args, nargs, kwnames)
        if elements_in_place(stack, self.operands, self.n_parameters, args[out_at], <PyUFuncObject *>ufunc):
            return <object>args[out_at]
    if is_half(dtype) and self.n_parameters:
        if out_at < 0 and (<PyUFuncObject *>ufunc).nout == 1 and cnp.PyArray_NDIM(<cnp.ndarray>last) > 0:
            new = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(<cnp.ndarray>last), cnp.PyArray_DIMS(<cnp.ndarray>last), dtype, 0)
            if elements_in_place(stack, self.operands, self.n_parameters, <PyObject *>new, <PyUFuncObject *>ufunc):
                return new
        # NumPy takes a 0-d array of float32 as data, which decide the dtype, and a Python float as a number.
        hold_numbers = tuple([float(<object>stack[self.operands + i]) for i in range(self.n_parameters)])
        for i in range(self.n_parameters):
            stack[self.operands + i] = PyTuple_GET_ITEM(<PyObject *>hold_numbers, i)

    # y, the option and the parameters are no keywords of the ufunc
    cdef Py_ssize_t inputs = self.operands + self.n_parameters, position = inputs
    for i in range(keywords):
        if kept >> i & 1:
            stack[position] = args[nargs + i]
            position += 1
    passed_names = None
    if position == inputs + keywords:
        passed_names = <object>kwnames if keywords else None
    elif position > inputs:
        passed_names = ONLY_OUT if position == inputs + 1 and out_at >= 0 else tuple([name for name in <tuple>kwnames if name != "y"])
    cdef FloatState callers = enter_default_state()  # NumPy's casts need it
    try:
        return PyObject_Vectorcall(<PyObject *>ufunc, stack, inputs, NULL if passed_names is None else <PyObject *>passed_names)
    finally:
        restore_state(callers)


def shortcut(call, str document):
    """A builtin function for a Call of an elementwise function whose evaluators are ufuncs."""
    return builtin(call, Shortcut(call), <void *>invoke_elements, document)


cdef bint elements_in_place(PyObject **inputs, int n_arrays, int n_parameters, PyObject *out, PyUFuncObject *ufunc):
    """Call the loop of an elementwise ufunc, if all arrays have one shape and dtype; False where they have not.

    In half precision the second of two results may be of float32, a new array.
    """
    cdef PyObject *outs[2]
    cdef char *at[MAX_INPUTS + 2]
    cdef cnp.npy_intp steps[MAX_INPUTS + 2]
    cdef int inputs_ = n_arrays + n_parameters, k, j, which
    cdef bint float_second = False
    cdef HalfLoop half
    cdef Threaded threaded_
    outs[0] = out
    if ufunc.nout == 2:
        if type(<object>out) is not tuple or len(<tuple>out) != 2:
            return False
        outs[0], outs[1] = PyTuple_GET_ITEM(out, 0), PyTuple_GET_ITEM(out, 1)
    if float_type(outs[0]) < 0:
        return False
    which = loop_of(cnp.PyArray_TYPE(<cnp.ndarray>outs[0]), n_parameters > 0)
    cdef PyUFuncGenericFunction loop = ufunc.functions[which]
    cdef void *data = ufunc.data[which]
    if ufunc.nout == 2 and which >= OF_FLOAT16 and float_type(outs[1]) == cnp.NPY_FLOAT32:
        threaded_ = (<Threaded *>data)[0]
        half = (<HalfLoop *>threaded_.data)[0]
        half.halves &= ~(1 << (inputs_ + 1))
        threaded_.size[inputs_ + 1], threaded_.data = sizeof(float), &half
        data, float_second = &threaded_, True
    cdef cnp.npy_intp count = cnp.PyArray_SIZE(<cnp.ndarray>outs[0]), item = cnp.PyArray_ITEMSIZE(<cnp.ndarray>outs[0])
    for j in range(ufunc.nout):
        if not (j and float_second) and not safe_with(outs[j], outs[0]) or not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>outs[j]):
            return False
        at[inputs_ + j] = <char *>cnp.PyArray_DATA(<cnp.ndarray>outs[j])
        steps[inputs_ + j] = cnp.PyArray_ITEMSIZE(<cnp.ndarray>outs[j])
        if j and at[inputs_ + j] == at[inputs_]:
            return False
        for k in range(n_arrays):
            if not (j and float_second) and not safe_with(inputs[k], outs[j]):
                return False
    for k in range(inputs_):
        steps[k] = 0 if k >= n_arrays else item
        at[k] = <char *>cnp.PyArray_DATA(<cnp.ndarray>inputs[k])
    call_loop(loop, at, &count, steps, data, count * item)
    return True


cdef object summed_in_place(Shortcut self, PyObject **inputs, PyObject *out, PyUFuncObject *ufunc, int dtype):
    """The results of SummingCall for a parameter that is a number, by loops alone; None where an array is not plain."""
    cdef cnp.ndarray like = <cnp.ndarray>inputs[0], every
    cdef PyUFuncObject *gufunc = <PyUFuncObject *>self.sum
    cdef char *at[2]
    cdef double total
    cdef int summed_dtype = single_or_double(dtype), which = loop_of(single_or_double(dtype), False)  # of the terms of the sum
    cdef cnp.npy_intp item = 8 if summed_dtype == cnp.NPY_FLOAT64 else 4
    cdef cnp.npy_intp *counts = [1, cnp.PyArray_SIZE(like)]
    cdef cnp.npy_intp *steps = [0, 0, item]
    first, second = None, None
    if out != Py_None:
        if type(<object>out) is not tuple or len(<tuple>out) != 2:
            return None
        first, second = <tuple>out
    if second is not None or cnp.PyArray_NDIM(like) == 0:
        return None
    if first is None:
        first = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(like), cnp.PyArray_DIMS(like), dtype, 0)
    every = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(like), cnp.PyArray_DIMS(like), summed_dtype, 0)
    both = first, every
    if not elements_in_place(inputs, self.operands, self.n_parameters, <PyObject *>both, ufunc):
        return None
    at[0], at[1] = <char *>cnp.PyArray_DATA(every), <char *>&total
    call_loop(gufunc.functions[which], at, counts, steps, gufunc.data[which], counts[1] * item)
    return first, number(total, dtype)[()]


cdef enum:
    LONG_ROW = 65536  # elements of a half from which on one call for each row costs nothing, and may stream the result


cdef object halves_in_place(Shortcut self, PyObject **operands, PyObject *out, PyUFuncObject *ufunc):
    """The result of HalvesCall along the last axis, without NumPy; None where an array is not plain."""
    cdef PyObject *x = operands[self.operands - 1]
    cdef bint backward = self.operands == 2
    cdef int dtype = float_type(x), dimensions = 0 if dtype < 0 else cnp.PyArray_NDIM(<cnp.ndarray>x), k, n_arrays
    if dimensions == 0 or not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>x) or cnp.PyArray_SIZE(<cnp.ndarray>x) == 0:
        return None
    cdef cnp.npy_intp *whole = cnp.PyArray_DIMS(<cnp.ndarray>x)
    cdef cnp.npy_intp half[64]
    cdef cnp.npy_intp count = whole[dimensions - 1] // 2, rows = cnp.PyArray_SIZE(<cnp.ndarray>x) // whole[dimensions - 1]
    cdef cnp.npy_intp item = cnp.PyArray_ITEMSIZE(<cnp.ndarray>x)
    memcpy(half, whole, dimensions * sizeof(cnp.npy_intp))
    half[dimensions - 1] = count
    cdef int which = loop_of(dtype, False)
    cdef const Elementwise *kernel = kernel_of(ufunc, loop_of(single_or_double(dtype), False))
    cdef bint at_once = not is_half(dtype) and kernel.halves != NULL and count % kernel.lanes == 0 and count < LONG_ROW
    if 2 * count != whole[dimensions - 1]:
        return None
    if rows > 64 and count < 256 and not at_once:  # NumPy needs fewer calls for many short rows
        return None
    result = <object>out if out != Py_None else cnp.PyArray_EMPTY(dimensions, whole if backward else half, dtype, 0)
    cdef PyObject *to = <PyObject *>result
    if not is_like(to, dtype, dimensions, whole if backward else half) or not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>to):
        return None
    if not (safe_with(x, to) if backward else disjoint(x, to)):
        return None
    if backward and not (is_like(operands[0], dtype, dimensions, half) and disjoint(operands[0], to)):
        return None
    # For grad, the halves of x and those of the result: the first row, and how many halves lie between two rows.
    cdef char *at[5]
    cdef int halves[5]
    n_arrays = 0
    for array in ((<object>operands[0], <object>x, result) if backward else (<object>x, result)):
        parts = cnp.PyArray_DIM(array, dimensions - 1) // count
        for k in range(parts):
            at[n_arrays], halves[n_arrays] = <char *>cnp.PyArray_DATA(array) + k * count * item, parts
            n_arrays += 1
    cdef HalvesJob job
    job.kernel, job.loop, job.data, job.arrays = kernel if at_once else NULL, ufunc.functions[which], ufunc.data[which], n_arrays
    job.count, job.item = count, item
    for k in range(n_arrays):
        job.at[k], job.row[k] = at[k], halves[k] * count * item
    cdef uint64_t picoseconds = (<const Threaded *>job.data).cost * <uint64_t>(rows * count)
    if rows * count * item < WITH_THE_LOCK:
        halves_of_rows(&job, 0, rows)
    else:
        with nogil:
            share(halves_of_rows, &job, rows, 1, picoseconds)
    return result


ctypedef struct HalvesJob:
    const Elementwise *kernel  # its function of the halves of rows takes many of them at once; else NULL
    PyUFuncGenericFunction loop
    void *data
    int arrays
    char *at[5]
    cnp.npy_intp row[5]  # the bytes from one row to the next
    cnp.npy_intp count, item  # elements of a row, and their bytes


cdef void halves_of_rows(void *given, size_t start, size_t end) noexcept nogil:
    """Some of the rows."""
    cdef HalvesJob *job = <HalvesJob *>given
    cdef char *at[5]
    cdef cnp.npy_intp[5] steps = [job.item, job.item, job.item, job.item, job.item]
    cdef size_t row
    cdef int k
    cdef FloatState callers
    for k in range(job.arrays):
        at[k] = job.at[k] + <cnp.npy_intp>start * job.row[k]
    if job.kernel != NULL:
        callers = enter_default_state()
        job.kernel.halves(<const float **>at, <float *>at[2], end - start, job.count)
        restore_state(callers)
        return
    for row in range(start, end):
        job.loop(at, &job.count, steps, job.data)
        for k in range(job.arrays):
            at[k] += job.row[k]
