/* What the rows of a batch are finished with */
typedef struct {
    ALIGNED T scale[SHORT_ROWS], low[SHORT_ROWS], power[SHORT_ROWS], mean[SHORT_ROWS]; /* or the logarithms */
} FlatFinish;

/* The results of a batch, from `x`: exponentials, entries or y */
static ALWAYS_INLINE void finish_flat_by(int end, int log, const T *x, const T *grads, T *out, const Batch *b,
                                         const FlatFinish *f, Ending all, Stream *stream) {
    const Group g = b->g;
    const T *restrict scale = f->scale, *restrict low = f->low, *restrict power = f->power;
    const T *restrict mean = f->mean, *restrict max = b->max;
    for (size_t i = 0, at = 0; i < g.entries; at += LANES) {
        const size_t start = i;
        for (size_t last = end_of_rows(g, i), k = 0; i < last; i += LANES, k += LANES) {
            const int32_t *of = g.row_of + k;
            Numbers n = {{C(1), C(0), C(0)}, C(0), C(0)};
            V grad = C(0);
            if (end == MULTIPLY || end == GRADIENT) n.factor.scale = PICK(scale + at, of);
            if (end == MULTIPLY && LOW_FACTORS) n.factor.low = PICK(low + at, of);
            if (end == MULTIPLY) n.factor.power = PICK(power + at, of);
            if (end == SUBTRACT) n.max = PICK(max + at, of);
            if (end != MULTIPLY) n.mean = PICK(mean + at, of);
            if (end == GRADIENT_OF_OUTPUT) PREFETCH(x + g.entries + i);
            if (end >= GRADIENT) {
                grad = LOAD(grads + i);
                PREFETCH(grads + g.entries + i);
            }
            STORE(out + i, finished(end, log, LOAD(x + i), grad, n, all));
        }
        if (end >= GRADIENT) stream_some(stream, i - start);
    }
}
static NOINLINE void multiply_flat(const Batch *b, T *out, const FlatFinish *f, Ending all) {
    finish_flat_by(MULTIPLY, 0, b->e, NULL, out, b, f, all, NULL);
}
static NOINLINE void subtract_flat(const Batch *b, T *out, const FlatFinish *f, Ending all) {
    all.sign = C(1); /* x has the sign already */
    finish_flat_by(SUBTRACT, 1, b->x, NULL, out, b, f, all, NULL);
}
static NOINLINE void gradients_flat(int what, const Batch *b, const T *grad, T *out, const FlatFinish *f,
                                    Ending all, Stream *stream) {
    if (what == SOFTMAX_BACKWARD)
        finish_flat_by(GRADIENT, 0, b->e, grad, out, b, f, all, stream);
    else if (what == LOG_SOFTMAX_BACKWARD)
        finish_flat_by(GRADIENT, 1, b->e, grad, out, b, f, all, stream);
    else if (what == SOFTMAX_FROM_OUTPUT)
        finish_flat_by(GRADIENT_OF_OUTPUT, 0, b->x, grad, out, b, f, all, stream);
    else
        finish_flat_by(GRADIENT_OF_OUTPUT, 1, b->x, grad, out, b, f, all, stream);
}

static NOINLINE void clear_masked(const Batch *b, T *out, V value) {
    for (size_t i = 0; i < b->g.entries; i += LANES)
        STORE(out + i, SELECT(KEPT(b->mask + i, LANES), LOAD(out + i), value));
}

/* The factors of the exponentials. Returns whether all are finite. */
static NOINLINE int flat_factors(const Call *c, Batch *b, const T *weight, FlatFinish *f) {
    const size_t rows = b->g.rows;
    V wrong = C(0);
    row_totals(b->e, b->g, b->sum, b->low);
    for (size_t r = 0; r < rows; r += LANES) {
        V sum = LOAD(b->sum + r), rest = LOAD(b->low + r), over = C(1);
        if (c->sink.data) add_sinks(LOAD(b->top + r), &sum, &rest);
        if (weight) over = LOAD_SOME(weight + r, rows - r, C(0));
        Factor factor = quotient_of(over, sum, rest);
        const V counted = r + LANES <= rows ? factor.scale : SELECT(FIRST(rows - r), factor.scale, C(1));
        wrong = wrong + (counted - counted);
        if (!is_backward(c->what)) factor = power_apart(factor);
        STORE(f->scale + r, factor.scale);
        STORE(f->low + r, factor.low);
        STORE(f->power + r, factor.power);
    }
    return !ANY(IS_NAN(wrong));
}

/* The n entries or one number of rows, dense and up to a whole group; from memory where they stand so */
static const T *dense_rows(Operand a, size_t row, Group g, size_t n, T *buffer) {
    if ((n == 1 || a.inner == sizeof(T)) && a.outer == (ptrdiff_t)(n * sizeof(T)) && g.rows % LANES == 0)
        return entry_at(a, row);
    for (size_t r = 0, i = 0; r < g.rows; r++) {
        const Row from = row_of(a, row + r);
        for (size_t j = 0; j < n; j++) buffer[i++] = from.at[(ptrdiff_t)j * from.step];
    }
    for (size_t i = g.rows * n; i < g.entries; i++) buffer[i] = 0;
    return buffer;
}

/* The results of rows, from a buffer to where they belong */
static void scatter_rows(const Call *c, size_t row, size_t count, const T *from) {
    for (size_t r = 0; r < count; r++) {
        const Row to = row_of(c->out, row + r);
        for (size_t j = 0; j < c->n; j++) to.at[(ptrdiff_t)j * to.step] = *from++;
    }
}

/* Where the results of dense rows go first, and from there to where they belong */
static T *flat_results(const Call *c, Buffers *f, size_t row, size_t count, const Stream *stream) {
    const int direct =
        c->out.inner == sizeof(T) && c->out.outer == (ptrdiff_t)(c->n * sizeof(T)) && count % LANES == 0;
    return stream ? stream_room(stream) : direct ? entry_at(c->out, row) : f->out;
}
static void put_flat(const Call *c, size_t row, size_t count, const T *from, Stream *stream) {
    T *const to = entry_at(c->out, row);
    if (stream)
        stream_put(stream, to, count * c->n);
    else if (from != to)
        scatter_rows(c, row, count, from);
}

/* The bytes of the mask and the limit, dense; NULL where no entry is masked */
static const char *dense_mask(const Call *c, size_t row, Group g, Buffers *f) {
    char *buffer = f->mask;
    const int dense = c->mask.inner == 1 && c->mask.outer == (ptrdiff_t)g.n && g.rows % LANES == 0;
    if (!c->mask.data && !c->limit.data) return NULL;
    if (!c->limit.data && dense) return c->mask.data + (ptrdiff_t)row * c->mask.outer;
    if (!c->limit.data && !c->mask.outer && f->mask_rows >= g.rows) return buffer;
    f->mask_rows = c->limit.data || c->mask.outer ? 0 : g.rows;
    int all = 1;
    for (size_t r = 0, i = 0; r < g.rows; r++) {
        const Entries e = entries_of(c, row + r);
        for (size_t j = 0; j < g.n; j++, i++) {
            buffer[i] = j < e.n && (!e.mask || e.mask[(ptrdiff_t)j * e.mask_step]);
            all &= buffer[i];
        }
    }
    memset(buffer + g.rows * g.n, 1, g.entries - g.rows * g.n);
    return all ? NULL : buffer;
}

/* The means of the gradients (of log_softmax' their sums) times the scale. 0 where a row is left to
 * exact_row. */
static int flat_means(const Call *c, const Batch *b, const T *grad, FlatFinish *f) {
    const int log = is_log(c->what), from_output = is_from_output(c->what), lowered = log && from_output;
    if (log)
        row_sums(grad, b->g, f->mean);
    else
        row_dots(from_output ? b->x : b->e, grad, b->g, f->mean);
    for (size_t r = 0; r < b->g.rows; r += LANES) {
        V mean = LOAD(f->mean + r);
        if (c->what == SOFTMAX_BACKWARD && has_lost(LOAD(b->sum + r), mean)) return 0;
        if (c->what == SOFTMAX_BACKWARD) mean = mean * LOAD(f->scale + r);
        mean = SELECT(FIRST(b->g.rows - r), mean, C(0)) * c->s.factor;
        if (is_left(lowered, mean)) return 0;
        STORE(f->mean + r, mean * C(lowered ? LOWER : 1));
    }
    return 1;
}

static NOINLINE int flat_batch(const Call *c, Buffers *f, size_t row, size_t count, Stream *stream) {
    Batch batch, *b = &batch;
    FlatFinish by;
    const Ending all = ending_of(c);
    const int backward = is_backward(c->what), from_output = is_from_output(c->what),
              log = c->what == LOG_SOFTMAX;
    const T *grad = NULL, *weight = NULL;
    b->g = group_of(count, c->n, f->row_of);
    b->mask = dense_mask(c, row, b->g, f);
    b->x = dense_rows(c->x, row, b->g, c->n, f->x);
    if (from_output) b->x = settle_entries(b, b->x, 1, is_log(c->what) ? (T)-HUGE_VAL : 0, f->x);
    b->e = f->flat_e;
    T *const out = flat_results(c, f, row, count, stream);
    if (backward) grad = settle_entries(b, dense_rows(c->first, row, b->g, c->n, f->grad), 1, 0, f->grad);
    if (c->what == WEIGHTED) weight = dense_rows(c->first, row, b->g, 1, f->grad);
    for (size_t r = 0; r < count && weight; r++)
        if (!is_ordinary(weight[r])) return 0;
    if (!from_output && !take_batch(c, b, row, f->x, backward ? NULL : stream)) return 0;
    int finite = 1;
    if (!from_output && !needs_rest(c->what)) finite = flat_factors(c, b, weight, &by);
    if (backward) {
        if (!flat_means(c, b, grad, &by)) return 0;
        gradients_flat(c->what, b, grad, out, &by, all, stream);
    } else if (needs_rest(c->what)) {
        row_rests(b->e, b->g, b->sum, b->low);
        for (size_t r = 0; r < count; r += LANES) {
            const Shift shift = {LOAD(b->bias + r), C(0)};
            const V top = LOAD(b->max + r) - LOAD(b->shift + r);
            STORE(by.mean + r, log_of_rest(LOAD(b->sum + r), LOAD(b->low + r), top, c->size, shift));
        }
        if (log) subtract_flat(b, out, &by, all);
        for (size_t r = 0; r < count && !log; r++) put_logsumexp(c, row + r, b->max[r], by.mean[r]);
    } else
        multiply_flat(b, out, &by, all);
    if (b->mask && (backward || log || c->what == WEIGHTED || !finite))
        clear_masked(b, out, log ? NOTHING : C(0));
    if (c->what != LOGSUMEXP) put_flat(c, row, count, out, stream);
    return 1;
}

static Batches flat_batches(size_t n) {
    const size_t fit = ROOM / (n * LANES) * LANES, most = at_most(SHORT_ROWS, fit);
    return (Batches){most, most};
}
