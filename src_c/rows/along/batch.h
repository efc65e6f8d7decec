/* What the rows of a batch are finished with */
typedef struct {
    ALIGNED T scale[LANES], low[LANES], power[LANES], mean[LANES], max[LANES];
} Finish;

/* The results of some rows, of which the first has the number `first` in its batch */
typedef struct {
    const Span *row;
    T *const *to;
    size_t first, count;
} Results;

static ALWAYS_INLINE void finish_vector(int end, int log, int masked, int whole, const T *x, Span row,
                                        size_t i, T *to, Numbers n, Ending all) {
    const size_t left = row.n - i;
    V grad = C(0);
    if (end >= GRADIENT) grad = load_lanes(whole, row.grad + i, left, C(0));
    V y = finished(end, log, load_lanes(whole, x + i, left, C(0)), grad, n, all);
    if (masked)
        y = SELECT(KEPT(row.mask + i, whole ? (size_t)LANES : left), y, end == SUBTRACT ? NOTHING : C(0));
    store_lanes(whole, to + i, y, left);
}

/* The results of a row, from `x`: exponentials, entries or y */
static ALWAYS_INLINE void finish_row(int end, int log, int masked, const T *x, Span row, T *to, Numbers n,
                                     Ending all) {
    size_t i = 0;
    BY_FOUR for (; i + LANES <= row.n; i += LANES) finish_vector(end, log, masked, 1, x, row, i, to, n, all);
    if (i < row.n) finish_vector(end, log, masked, 0, x, row, i, to, n, all);
}

static ALWAYS_INLINE void finish_rows(int end, int log, int masked, Results r, const Finish *f, Ending all) {
    for (size_t k = 0; k < r.count; k++) {
        const size_t i = r.first + k;
        const Factor factor = {C(f->scale[i]), C(f->low[i]), C(f->power[i])};
        const T *x = end == SUBTRACT ? r.row[k].x : r.row[k].e;
        const Numbers n = {factor, C(f->mean[i]), C(f->max[i])};
        finish_row(end, log, masked, x, r.row[k], r.to[k], n, all);
    }
}
static NOINLINE void multiply_rows(Results r, const Finish *f, Ending all) {
    finish_rows(MULTIPLY, 0, 0, r, f, all);
}
static NOINLINE void subtract_rows(int masked, Results r, const Finish *f, Ending all) {
    masked ? finish_rows(SUBTRACT, 1, 1, r, f, all) : finish_rows(SUBTRACT, 1, 0, r, f, all);
}
static NOINLINE void gradient_rows(int log, int masked, Results r, const Finish *f, Ending all) {
    if (log)
        masked ? finish_rows(GRADIENT, 1, 1, r, f, all) : finish_rows(GRADIENT, 1, 0, r, f, all);
    else
        masked ? finish_rows(GRADIENT, 0, 1, r, f, all) : finish_rows(GRADIENT, 0, 0, r, f, all);
}

static void finish_entries(const Call *c, Results r, const Finish *f) {
    const int masked = r.row[0].mask != NULL;
    const Ending all = ending_of(c);
    if (c->what == LOG_SOFTMAX)
        subtract_rows(masked, r, f, all);
    else if (is_backward(c->what))
        gradient_rows(is_log(c->what), masked, r, f, all);
    else {
        multiply_rows(r, f, all);
        for (size_t k = 0; k < r.count && masked; k++) {
            const T scale = f->scale[r.first + k];
            for (size_t j = 0; j < r.row[k].n && !(scale - scale == 0); j++)
                if (!r.row[k].mask[j]) r.to[k][j] = 0; /* not NaN, as the rest of the row is */
        }
    }
}

/* Let a row be of copies where entries, gradients or the mask are not contiguous. */
static void copy_strided(Entries e, Row grad, T *room, T *grads, char *bytes, Span *row) {
    for (size_t j = 0; j < e.n && e.step != 1; j++) room[j] = e.x[(ptrdiff_t)j * e.step];
    for (size_t j = 0; j < e.n && grad.at && grad.step != 1; j++)
        grads[j] = grad.at[(ptrdiff_t)j * grad.step];
    for (size_t j = 0; j < e.n && e.mask && e.mask_step != 1; j++)
        bytes[j] = e.mask[(ptrdiff_t)j * e.mask_step];
    if (e.step != 1) row->x = room;
    if (grad.at && grad.step != 1) row->grad = grads;
    if (e.mask && e.mask_step != 1) row->mask = bytes;
}

static inline size_t whole_pairs(size_t n) { return (n + PAIR - 1) / PAIR * PAIR; }

/* Where rows are read from, and where their exponentials go. A row that is not contiguous is copied. */
static void place_rows(const Call *c, Buffers *f, size_t first, Rows *b, Stream *stream) {
    const size_t pitch = whole_pairs(c->n);
    const int keeps = c->what == SOFTMAX || c->what == WEIGHTED || (c->what == LOSS && c->out.data);
    const int fits = c->n <= ROW_CHUNK, in_out = keeps && !fits && c->n < LONG_ROW && !stream;
    const int graded = is_backward(c->what);
    for (size_t i = 0; i < b->count; i++) {
        const Entries e = entries_of(c, first + i);
        Span *row = b->row + i;
        T *const room = f->e + (fits ? i * pitch : 0), *const grads = f->grad + (fits ? i * pitch : 0);
        char *const bytes = f->mask + (fits ? i * pitch : 0);
        const Row grad = graded ? row_of(c->first, first + i) : (Row){NULL, 1};
        *row = (Span){.x = e.x, .grad = grad.at, .mask = e.mask, .n = e.n};
        if (fits && (i + 1) * pitch <= 2 * (size_t)ROOM) row->e = room;
        if (in_out) row->e = entry_at(c->out, first + i);
        copy_strided(e, grad, room, grads, bytes, row);
    }
}

/* A row of more than ROW_CHUNK entries that is streamed, or whose exponentials are taken once more */
static void finish_by_chunks(const Call *c, Buffers *f, const Rows *b, size_t first, size_t i,
                             const Finish *by, Stream *stream) {
    T *const out = row_of(c->out, first + i).at;
    Lanes lanes;
    for (size_t start = 0; start < b->row[i].n; start += ROW_CHUNK) {
        Span part = b->row[i];
        const size_t left = part.n - start;
        T *to = stream ? stream_room(stream) : out + start;
        part.x += start;
        part.n = at_most(ROW_CHUNK, left);
        part.e = f->e;
        if (part.grad) part.grad += start;
        if (part.mask) part.mask += start;
        if (c->what != LOG_SOFTMAX)
            add_row_by(ALL, c, part, (Shift){C(b->bias[i]), C(b->floor[i])}, stream, &lanes);
        finish_entries(c, (Results){&part, &to, i, 1}, by);
        if (stream) stream_put(stream, out + start, part.n);
    }
}

/* The results of a batch, to the room of a stream, to memory, or through a buffer. Entries beyond the limit
 * are masked. */
static void finish_batch(const Call *c, Buffers *f, const Rows *b, size_t first, const Finish *by,
                         Stream *stream) {
    const T masked = c->what == LOG_SOFTMAX ? (T)-HUGE_VAL : 0;
    const int chunks = c->n > ROW_CHUNK && (stream || (!b->row[0].e && c->what != LOG_SOFTMAX));
    const int direct = c->out.inner == sizeof(T);
    T *to[LANES];
    for (size_t i = 0; i < b->count; i++) {
        to[i] = stream ? stream_room(stream) + i * c->n : direct ? entry_at(c->out, first + i) : f->out;
        if (chunks)
            finish_by_chunks(c, f, b, first, i, by, stream);
        else if (!direct)
            finish_entries(c, (Results){b->row + i, to + i, i, 1}, by);
        if (!direct) {
            const Row out = row_of(c->out, first + i);
            for (size_t j = 0; j < b->row[i].n; j++) out.at[(ptrdiff_t)j * out.step] = to[i][j];
            fill_entries(out.at, out.step, b->row[i].n, c->n, masked);
        }
    }
    if (direct && !chunks) finish_entries(c, (Results){b->row, to, 0, b->count}, by);
    for (size_t i = 0; i < b->count && direct; i++)
        fill_entries(chunks ? entry_at(c->out, first + i) : to[i], 1, b->row[i].n, c->n, masked);
    if (stream && !chunks) stream_put(stream, entry_at(c->out, first), b->count * c->n);
}

/* The sum of the gradients, or of their products with y, by lanes */
static ALWAYS_INLINE void add_dots(int log, int masked, int whole, Span row, size_t i, V *dot) {
    for (size_t k = 0; k < 2; k++, i += LANES) {
        const size_t left = whole ? (size_t)LANES : i < row.n ? row.n - i : 0;
        V grad = load_lanes(whole, row.grad + i, left, C(0)), y = C(1);
        if (!log) y = load_lanes(whole, row.x + i, left, C(0));
        if (masked) {
            const M kept = KEPT(row.mask + i, left);
            grad = SELECT(kept, grad, C(0));
            y = SELECT(kept, y, C(0));
        }
        dot[k] = FMA(y, grad, dot[k]);
    }
}
static ALWAYS_INLINE V dot_by(int log, int masked, Span row) {
    V total = C(0), carry = C(0);
    size_t i = 0;
    while (i < row.n) {
        const size_t end = i + 8 * PAIR <= row.n ? i + 8 * PAIR : row.n;
        V dot[2] = {C(0), C(0)};
        for (; i + PAIR <= end; i += PAIR) {
            add_dots(log, masked, 1, row, i, dot);
        }
        if (i < end) add_dots(log, masked, 0, row, i, dot), i = end;
        total = add_carried(total, dot[0] + dot[1], &carry);
    }
    return total;
}
static NOINLINE V sum_row(Span row) { return row.mask ? dot_by(1, 1, row) : dot_by(1, 0, row); }

/* The means of the gradients (of log_softmax' their sums) times the scale. 0 where a row is left to
 * exact_row. */
static int means_of(const Call *c, const Rows *b, V sum, V *mean) {
    V dots[LANES];
    for (size_t i = 0; i < LANES; i++) dots[i] = C(0);
    for (size_t i = 0; i < b->count; i++)
        if (is_log(c->what))
            dots[i] = sum_row(b->row[i]);
        else
            dots[i] = b->dot[i];
    V m = sums_of(0, 0, dots);
    if (!is_log(c->what) && has_lost(SELECT(FIRST(b->count), sum, C(1)), m)) return 0;
    if (!is_log(c->what)) m = SELECT(GT(sum, C(0)), m / sum, m);
    *mean = SELECT(FIRST(b->count), m * c->s.factor, C(0));
    return !is_left(0, *mean);
}

/* The sums of a batch in two parts, with the sinks. 0 where a row is left to exact_row. */
static int sums_of_batch(int what, const Call *c, size_t first, Rows *b, Stream *stream, V *sum, V *low,
                         V *max) {
    if (!add_batch(what, c, first, b, stream)) return 0;
    fold_batch(what, b, sum, low, max);
    if (!c->sink.data) return 1;
    const Shift by = {LOAD(b->bias), LOAD(b->floor)};
    add_sinks(sink_exps(0, sinks_of(c, first, b->count), scale_by(1), by, NULL), sum, low);
    return 1;
}

static NOINLINE int along_batch(const Call *c, Buffers *f, size_t first, size_t count, Stream *stream) {
    Rows b;
    Finish by;
    V sum = C(1), rest, max, mean = C(0), weight = C(1);
    Factor factor = {C(1), C(0), C(0)};
    b.count = count;
    place_rows(c, f, first, &b, stream);
    if (needs_rest(c->what)) {
        const int lesser = c->scale < 0 ? LESSER_OF_NEGATIVE : LESSER;
        if (!sums_of_batch(lesser, c, first, &b, stream, &sum, &rest, &max)) return 0;
        STORE(by.mean, log_of_rest(sum, rest, max, c->size, (Shift){LOAD(b.bias), C(0)}));
        STORE(by.max, max);
        if (is_wide(c, max + LOAD(b.shift))) return 0;
        for (size_t i = 0; i < count && c->what == LOGSUMEXP; i++)
            put_logsumexp(c, first + i, by.max[i] + b.shift[i], by.mean[i]);
        if (c->what == LOGSUMEXP) return 1;
    } else {
        if (c->what == WEIGHTED) weight = numbers_of(c->first, first, count);
        for (size_t i = 0; i < count && c->what == WEIGHTED; i++)
            if (!is_ordinary(*entry_at(c->first, first + i))) return 0;
        const int all = c->what == SOFTMAX_BACKWARD ? ALL_AND_DOT : ALL;
        if (!sums_of_batch(all, c, first, &b, stream, &sum, &rest, NULL)) return 0;
        factor = quotient_of(weight, sum, rest);
        if (!is_backward(c->what)) factor = power_apart(factor);
    }
    if (is_backward(c->what) && !means_of(c, &b, sum, &mean)) return 0;
    STORE(by.scale, factor.scale);
    STORE(by.low, factor.low);
    STORE(by.power, factor.power);
    if (is_backward(c->what)) STORE(by.mean, mean);
    finish_batch(c, f, &b, first, &by, stream);
    return 1;
}

/* How many rows go together: as many as the buffers hold; or as L1, where they are only read */
static Batches batches_along(const Call *c, int streaming) {
    const int reads = c->what == LOG_SOFTMAX || c->what == LOGSUMEXP, graded = is_backward(c->what);
    const int copied =
        c->x.inner != sizeof(T) || (graded && c->first.inner != sizeof(T)) || !has_whole_mask(c);
    const size_t rooms = copied || streaming ? 1 : reads ? 4 : 2;
    const size_t fit = c->n <= ROW_CHUNK ? rooms * ROOM / whole_pairs(c->n) : 1;
    const size_t most = at_most(LANES, fit);
    return (Batches){most, most};
}
