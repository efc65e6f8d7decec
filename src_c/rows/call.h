/* A call of a function along an axis. */

enum {
    /* of x */
    SOFTMAX,
    LOG_SOFTMAX,
    LOGSUMEXP,
    /* of a weight and x: logsumexp's gradient */
    WEIGHTED,
    /* of grad and x */
    SOFTMAX_BACKWARD,
    LOG_SOFTMAX_BACKWARD,
    /* of grad and y */
    SOFTMAX_FROM_OUTPUT,
    LOG_SOFTMAX_FROM_OUTPUT,
    LOSS, /* of x: exponentials and sums, for loss.h */
    OPTIONED = 16, /* together with one of the others: scale, sink, limit and mask follow the arrays */
};
static inline int is_from_output(int what) {
    return what == SOFTMAX_FROM_OUTPUT || what == LOG_SOFTMAX_FROM_OUTPUT;
}
static inline int is_backward(int what) { return what >= SOFTMAX_BACKWARD && what < LOSS; }
static inline int is_log(int what) {
    return what == LOG_SOFTMAX || what == LOG_SOFTMAX_BACKWARD || what == LOG_SOFTMAX_FROM_OUTPUT;
}
/* Whether the sum of all but the largest exponential is asked for */
static inline int needs_rest(int what) { return what == LOG_SOFTMAX || what == LOGSUMEXP; }

typedef struct {
    int what;
    size_t rows, all_rows, n; /* all rows of the call, of which these may be a part */
    Operand first, x, out; /* the weight or the gradient; x or y; the result */
    Operand sink, limit, mask; /* without data where the call has none */
    double scale;
    Scale s, size; /* of the scale, and of its absolute value */
} Call;

/* A row as it is read: the entries from `n` on are masked, and those whose byte in the mask is 0. */
typedef struct {
    const T *x;
    const char *mask; /* or NULL */
    ptrdiff_t step, mask_step;
    size_t n;
} Entries;

static inline Entries entries_of(const Call *c, size_t row) {
    Entries e = {entry_at(c->x, row), NULL, c->x.inner / (ptrdiff_t)sizeof(T), 0, c->n};
    if (c->limit.data) {
        const int64_t limit = NUMBER_AT(int64_t, c->limit, row);
        e.n = limit < 0 ? 0 : (uint64_t)limit < c->n ? (size_t)limit : c->n;
    }
    if (c->mask.data) {
        const char *mask = c->mask.data + (ptrdiff_t)row * c->mask.outer;
        e.mask_step = c->mask.inner;
        if (e.mask_step)
            e.mask = mask;
        else if (!*mask) /* one for all entries */
            e.n = 0;
    }
    return e;
}

/* Whether the mask of a row is contiguous bytes, or one for all entries */
static inline int has_whole_mask(const Call *c) {
    return !c->mask.data || c->mask.inner == 0 || c->mask.inner == 1;
}

static inline double sink_of(const Call *c, size_t row) {
    return c->sink.data ? NUMBER_AT(double, c->sink, row) : -HUGE_VAL;
}

/* The rows of a vector: an operand with one number a row */
static inline V numbers_of(Operand a, size_t row, size_t count) {
    if (!a.outer) return C(*entry_at(a, row));
    if (a.outer == sizeof(T)) return LOAD_SOME(entry_at(a, row), count, C(0));
    T numbers[LANES] = {0};
    for (size_t i = 0; i < count; i++) numbers[i] = *entry_at(a, row + i);
    return LOAD(numbers);
}

/* The sinks of rows, and what rounding has taken off them */
typedef struct {
    V high, low;
} Sinks;
static inline Sinks sinks_of(const Call *c, size_t row, size_t count) {
    T high[LANES] = {0}, low[LANES] = {0};
    for (size_t i = 0; i < count; i++) {
        const double sink = sink_of(c, row + i);
        high[i] = (T)sink;
        low[i] = high[i] - high[i] == 0 ? (T)(sink - high[i]) : 0;
    }
    return (Sinks){LOAD(high), LOAD(low)};
}
/* Their exponentials, moderately or by K */
static inline V sink_exps(int moderately, Sinks s, Scale unit, Shift by, V *seen) {
    V e = s.high;
    exps(moderately, 1, &e, unit, by, seen);
    return FMA(e, s.low, e);
}

static void fill_entries(T *to, ptrdiff_t step, size_t start, size_t end, T value) {
    size_t j = start;
    for (; step == 1 && j + LANES <= end; j += LANES) STORE(to + j, C(value));
    for (; j < end; j++) to[(ptrdiff_t)j * step] = value;
}

/* Buffers of a call: exponentials, and copies of operands that are not dense. Short rows need less room, and
 * the numbers of rows. */
typedef struct {
    union {
        ALIGNED T e[2 * ROOM + LANES];
        struct {
            ALIGNED T flat_e[ROOM + LANES];
            ALIGNED int32_t row_of[ROOM + LANES];
        };
    };
    ALIGNED T x[ROOM + LANES], grad[ROOM + LANES], out[ROOM + LANES];
    ALIGNED char mask[ROOM + LANES];
    size_t mask_rows; /* how many rows of one mask for all rows stand in `mask` */
} Buffers;
