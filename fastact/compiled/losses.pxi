"""The fast path of losses; part of _core.pyx. It reads the arguments, and hands plain arrays over to means.pxi."""


cdef enum:
    MEAN = 0
    SUM = 1
    EACH = 2


ctypedef struct LossArguments:
    PyObject *grad  # of a backward pass
    PyObject *first  # a plain array with elements
    PyObject *target
    PyObject *out  # or Py_None
    int reduction
    Py_ssize_t axis, ignored  # of a loss of rows
    double[MAX_PARAMETERS] numbers  # the loss's own parameters


cdef class LossShortcut(Rules):
    """The facts that the fast path of one loss needs, taken from its LossCall."""

    cdef object evaluator, sum, condition
    cdef tuple names, usual  # all parameters that may be given by position, and the defaults of the loss's own
    cdef int operands, own, own_at
    cdef bint summed, graded, of_rows
    cdef Py_ssize_t axis, ignored  # of a loss of rows: the defaults
    cdef double slack  # NaN where the target has no labels

    def __init__(self, call):
        super().__init__(call)
        self.evaluator, self.sum = call.default[0], call.sum
        self.names, self.usual = tuple(call.parameters), tuple(call.usual)
        self.operands, self.own = len(call.operands), len(call.own)
        self.summed, self.graded = call.kind != "backward", call.kind != "loss"
        self.of_rows = "axis" in call.parameters
        self.axis, self.ignored = call.parameters.get("axis", 0), call.parameters.get("ignore_index", 0)
        self.own_at = len(self.names) - 1 - self.own  # the reduction is the last one
        self.slack = NAN if getattr(call, "slack", None) is None else call.slack
        self.condition = all_of(tuple(call.own), call.conditions)


cdef int reduction_of(PyObject *given):
    """The reduction that a text means; -1 for anything else."""
    if given == NULL:
        return MEAN
    if not PyUnicode_CheckExact(given):
        return -1
    text = <object>given
    return MEAN if text == "mean" else SUM if text == "sum" else EACH if text == "none" else -1


cdef bint broadcasts(PyObject *array, PyObject *like):
    """Whether a plain array of the dtype of `like`, with elements, has the shape of its last axes."""
    cdef int dimensions = cnp.PyArray_NDIM(<cnp.ndarray>like), fewer
    if float_type(array) < 0:
        return False
    fewer = dimensions - cnp.PyArray_NDIM(<cnp.ndarray>array)
    if fewer < 0 or cnp.PyArray_NDIM(<cnp.ndarray>array) == 0:
        return False
    return is_like(array, cnp.PyArray_TYPE(<cnp.ndarray>like), dimensions - fewer, cnp.PyArray_DIMS(<cnp.ndarray>like) + fewer)


cdef bint small_integer(PyObject *value, Py_ssize_t default, Py_ssize_t *to):
    """Store an integer, or the default in place of NULL; False where it is no Python integer of this size."""
    to[0] = default
    if value == NULL:
        return True
    if not PyLong_CheckExact(value):
        return False
    try:
        to[0] = <object>value
    except OverflowError:
        return False
    return True


cdef object plain_loss(LossShortcut self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames):
    """The result where all arguments are plain, else None."""
    cdef LossArguments given
    cdef PyObject *values[MAX_PARAMETERS + 3]
    cdef Py_ssize_t i, n = len(self.names), by_position = nargs - self.operands
    cdef cnp.ndarray weight = None
    cdef bint any_given = False
    cdef int dtype
    if not 0 <= by_position <= n:
        return None
    for i in range(n):
        values[i] = args[self.operands + i] if i < by_position else NULL
    given.out = Py_None
    for i in range(0 if kwnames == NULL else PyTuple_GET_SIZE(kwnames)):
        name = <object>PyTuple_GET_ITEM(kwnames, i)
        if name == "out":
            given.out = args[nargs + i]
        elif not take(self.names, name, args[nargs + i], values):
            return None

    given.grad = args[0]
    given.first, given.target = args[self.operands - 2], args[self.operands - 1]
    given.reduction = reduction_of(values[n - 1])
    dtype = float_type(given.first)
    if given.reduction < 0 or dtype < 0 or not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>given.first):
        return None
    if cnp.PyArray_SIZE(<cnp.ndarray>given.first) == 0:
        return None
    for i in range(self.own):
        last = values[self.own_at + i]
        if last == NULL or (last == Py_None and not self.of_rows):
            given.numbers[i] = self.usual[i]
            values[self.own_at + i] = PyTuple_GET_ITEM(<PyObject *>self.usual, i)
            continue
        any_given = True
        if not self.of_rows and i == self.own - 1 and broadcasts(last, given.first):
            weight, given.numbers[i] = <cnp.ndarray>last, 1.0
            continue
        given.numbers[i] = plain_number(last, cnp.NPY_FLOAT64 if self.of_rows else dtype)
        if given.numbers[i] != given.numbers[i]:
            return None
    if any_given and self.condition is not None:
        right = PyObject_Vectorcall(<PyObject *>self.condition, values + self.own_at, self.own, NULL)
        if not (right if weight is None else right.all()):
            return None
    if not self.of_rows:
        return loss_of_elements(self, &given, weight)
    if not small_integer(values[0], self.axis, &given.axis) or not small_integer(values[1], self.ignored, &given.ignored):
        return None
    return loss_of_rows(self, &given)


cdef object invoke_loss(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames):
    cdef FloatState callers = enter_default_state()
    try:
        result = plain_loss(<LossShortcut>self, args, nargs, kwnames)
    finally:
        restore_state(callers)
    return slow(<Rules>self, args, nargs, kwnames) if result is None else result


def loss_shortcut(call, str document):
    """A builtin function for a LossCall whose evaluators are ufuncs."""
    return builtin(call, LossShortcut(call), <void *>invoke_loss, document)
