/* Rows of at most two vectors. A batch of contiguous rows is whole vectors, and exponentials are taken of these, whichever
 * row an entry belongs to. A look-up brings a number of a row (its sum, its maximum) back to its entries. */

enum { SHORT_ROW = LANES > 1 ? PAIR : 0, SHORT_ROWS = 1024 / sizeof(T) };

/* Rows of n entries; `row_of` is the row, among LANES, of each of their entries; `entries` are all up to a whole vector, or
 * a whole group of LANES rows. */
typedef struct {
    size_t rows, n, entries;
    const int32_t *row_of;
} Group;

/* Rows that are turned fill their last group. */
static inline Group group_of(size_t rows, size_t n, const int32_t *row_of) {
    const size_t filled = is_turned(n) ? (rows + LANES - 1) / LANES * LANES : rows;
    return (Group){rows, n, (filled * n + LANES - 1) / LANES * LANES, row_of};
}

static inline size_t end_of_rows(Group g, size_t i) {
    return i + g.n * LANES < g.entries ? i + g.n * LANES : g.entries;
}

static void number_rows(int32_t *row, size_t n) {
    for (size_t e = 0, i = 0; i < LANES; i++)
        for (size_t j = 0; j < n; j++) row[e++] = (int32_t)i;
}

/* What is found of each row: a sum, the sum of products with another, the largest entry; or the sum of entries that are
 * not negative, or of all but a largest, with what rounding takes off. */
enum { SUM, DOT, LARGEST, TOTAL, REST };

static ALWAYS_INLINE V reduced(int what, int folds, int odd, int has_two, V *r, V *rest, V *carry, V *low, V *top) {
    if (what == LARGEST) return maxima_of(folds, odd, r);
    if (what == TOTAL) return sums_in_parts(folds, odd, has_two, r, carry, low);
    if (what == REST) return sums_of_rest(folds, odd, has_two, r, rest, carry, low, top);
    return sums_of(folds, odd, r);
}

#ifdef TURNS
static ALWAYS_INLINE V turned_rows(int what, int folds, int odd, const T *p, const T *q, V *low, V *top) {
    V r[TURNED], rest[TURNED], carry[TURNED];
    carry[0] = C(0); /* of 2 entries, which meet at once */
    UNROLLED for (int i = 0; i < odd << folds; i++) {
        r[i] = LOAD(p + LANES * i);
        if (what == DOT) r[i] = r[i] * LOAD(q + LANES * i);
    }
    return reduced(what, folds, odd, 0, r, rest, carry, low, top);
}

static ALWAYS_INLINE V turned(int what, size_t n, const T *p, const T *q, V *low, V *top) {
    switch (n) {
        case 2: return turned_rows(what, 1, 1, p, q, low, top);
        case 3: return turned_rows(what, 0, 3, p, q, low, top);
        case 4: return turned_rows(what, 2, 1, p, q, low, top);
        case 5: return turned_rows(what, 0, 5, p, q, low, top);
        case 6: return turned_rows(what, 1, 3, p, q, low, top);
        case 7: return turned_rows(what, 0, 7, p, q, low, top);
        case 9: return turned_rows(what, 0, 9, p, q, low, top);
        case 10: return turned_rows(what, 1, 5, p, q, low, top);
        case 11: return turned_rows(what, 0, 11, p, q, low, top);
        default: return turned_rows(what, 2, 3, p, q, low, top);
    }
}
#else
static inline V turned(int what, size_t n, const T *p, const T *q, V *low, V *top) {
    return (void)what, (void)n, (void)p, (void)q, (void)low, (void)top, C(0);
}
#endif

/* `count` rows of up to LANES. Where there are two vectors in a row, they meet here. The pointers walk from row to row:
 * GCC would keep the addresses by index in memory. */
static ALWAYS_INLINE V short_rows(int what, int two, const T *p, const T *q, size_t n, size_t count, V *low, V *top) {
    const V fill = what == LARGEST ? NOTHING : C(0);
    V r[LANES], rest[LANES], carry[LANES];
    for (size_t i = count; i < LANES; i++) r[i] = rest[i] = carry[i] = C(0);
    UNROLLED for (size_t i = 0; i < count; i++, p += n, q += n) {
        const V a = two ? LOAD(p) : LOAD_SOME(p, n, fill), b = two ? LOAD_SOME(p + LANES, n - LANES, fill) : fill;
        r[i] = a;
        carry[i] = C(0);
        if (what == DOT) r[i] = a * (two ? LOAD(q) : LOAD_SOME(q, n, fill));
        if (!two) continue;
        if (what == DOT) r[i] = FMA(b, LOAD_SOME(q + LANES, n - LANES, fill), r[i]);
        if (what == SUM || what == TOTAL) r[i] = a + b;
        if (what == LARGEST) r[i] = MAX(a, b);
        if (what == TOTAL) carry[i] = sum_excess(a, b, r[i]);
        if (what == REST) rest[i] = take_lesser(b, r + i);
    }
    return reduced(what, 0, 0, two, r, rest, carry, low, top);
}

static ALWAYS_INLINE void reduce_rows(int what, const T *p, const T *q, Group g, T *result, T *low, T *top) {
    for (size_t at = 0; at < g.rows; at += LANES, p += g.n * LANES, q += g.n * LANES) {
        const size_t left = g.rows - at;
        V all, off = C(0), largest = C(0);
        if (is_turned(g.n))
            all = turned(what, g.n, p, q, &off, &largest);
        else if (g.n > LANES)
            all = left < LANES ? short_rows(what, 1, p, q, g.n, left, &off, &largest)
                               : short_rows(what, 1, p, q, g.n, LANES, &off, &largest);
        else
            all = left < LANES ? short_rows(what, 0, p, q, g.n, left, &off, &largest)
                               : short_rows(what, 0, p, q, g.n, LANES, &off, &largest);
        STORE(result + at, all);
        if (low) STORE(low + at, off);
        if (top) STORE(top + at, largest);
    }
}
static NOINLINE void row_sums(const T *p, Group g, T *result) { reduce_rows(SUM, p, p, g, result, NULL, NULL); }
static NOINLINE void row_dots(const T *p, const T *q, Group g, T *result) {
    reduce_rows(DOT, p, q, g, result, NULL, NULL);
}
static NOINLINE void row_maxima(const T *p, Group g, T *result) { reduce_rows(LARGEST, p, p, g, result, NULL, NULL); }
static NOINLINE void row_totals(const T *p, Group g, T *result, T *low) {
    reduce_rows(TOTAL, p, p, g, result, low, NULL);
}
static NOINLINE void row_rests(const T *p, Group g, T *result, T *low, T *top) {
    reduce_rows(REST, p, p, g, result, low, top);
}

/* A batch on its way: x, or the scaled x with its sign and -inf where it is masked; the exponentials; how they were taken;
 * and for each row the numbers that are found. */
typedef struct {
    Group g;
    const T *x;
    const char *mask; /* a byte for each entry, or NULL */
    T *e;
    int apart; /* not moderately */
    ALIGNED T max[SHORT_ROWS], shift[SHORT_ROWS], bias[SHORT_ROWS], floor[SHORT_ROWS];
    ALIGNED T sum[SHORT_ROWS], low[SHORT_ROWS], top[SHORT_ROWS], sink[SHORT_ROWS];
} Batch;

static ALWAYS_INLINE void take_vectors(int masked, int count, const Batch *b, size_t i, Scale s, V *seen) {
    V e[2];
    M kept[2];
    for (int v = 0; v < count; v++) {
        e[v] = LOAD(b->x + i + v * LANES);
        PREFETCH(b->x + b->g.entries + i + v * LANES);
        if (masked) kept[v] = KEPT(b->mask + i + v * LANES, LANES);
        if (masked) e[v] = SELECT(kept[v], e[v], C(0));
    }
    exps(1, count, e, s, no_shift(), seen);
    for (int v = 0; v < count; v++) STORE(b->e + i + v * LANES, masked ? SELECT(kept[v], e[v], C(0)) : e[v]);
}

/* The exponentials with K = 0; 0 where that will not do for all of them. */
static ALWAYS_INLINE int flat_moderately(int masked, const Batch *b, Scale s, Stream *stream) {
    V seen = C(0);
    for (size_t i = 0, end; i < b->g.entries;) {
        const size_t start = i, step = i ? 256 : 128; /* most batches that are not moderate show it soon */
        end = i + step < b->g.entries ? i + step : b->g.entries;
        for (; i + PAIR <= end; i += PAIR) take_vectors(masked, 2, b, i, s, &seen);
        for (; i < end; i += LANES) take_vectors(masked, 1, b, i, s, &seen);
        stream_some(stream, end - start);
        if (!is_moderate(seen)) return 0;
    }
    return 1;
}

static ALWAYS_INLINE void flat_by(int masked, const Batch *b, Scale s) {
    const T *restrict bias = b->bias, *restrict floor = b->floor, *restrict shift = b->shift, *x = b->x;
    for (size_t i = 0, at = 0; i < b->g.entries; at += LANES)
        for (size_t end = end_of_rows(b->g, i), k = 0; i < end; i += LANES, k += LANES) {
            const int32_t *of = b->g.row_of + k;
            const Shift by = {PICK(bias + at, of), PICK(floor + at, of)};
            const V e = exp_by(LOAD(x + i) - PICK(shift + at, of), s, by);
            STORE(b->e + i, masked ? SELECT(KEPT(b->mask + i, LANES), e, C(0)) : e);
        }
}

/* x with the sign of the scale, and -inf where it is masked */
static NOINLINE void settle_entries(Batch *b, T sign, T *to) {
    for (size_t i = 0; i < b->g.entries; i += LANES) {
        V x = LOAD(b->x + i) * C(sign);
        if (b->mask) x = SELECT(KEPT(b->mask + i, LANES), x, NOTHING);
        STORE(to + i, x);
    }
    b->x = to;
}

static NOINLINE int flat_moderate(const Batch *b, Scale s, Stream *stream) {
    return b->mask ? flat_moderately(1, b, s, stream) : flat_moderately(0, b, s, stream);
}
static NOINLINE void flat_exps_by(const Batch *b, Scale s) {
    if (b->mask)
        flat_by(1, b, s);
    else
        flat_by(0, b, s);
}

/* Take the exponentials of a batch, and find the maxima where they are needed. 0 where a row is left to exact_row. */
static int take_batch(const Call *c, Batch *b, T *settled, Stream *stream) {
    const Scale unit = scale_by(1);
    const int settle = b->mask || c->scale < 0;
    int moderate = 1;
    V seen = C(0);
    for (size_t r = 0; r < b->g.rows && c->sink.data; r += LANES) {
        V e = LOAD(b->sink + r);
        exps(1, 1, &e, unit, no_shift(), &seen);
        STORE(b->top + r, e);
    }
    moderate = is_moderate(seen) && flat_moderate(b, c->s, stream);
    b->apart = !moderate;
    if (moderate && !needs_rest(c->what)) return 1;
    if (settle) settle_entries(b, c->scale < 0 ? -1 : 1, settled);
    row_maxima(b->x, b->g, b->max);
    for (size_t r = 0; r < b->g.rows; r += LANES) {
        const V max = LOAD(b->max + r), size = max * c->size.factor;
        const V largest = c->sink.data ? MAX(size, LOAD(b->sink + r)) : size;
        const M far = GE(ABS(largest), C(FAR));
        Shift by = shift_by(SELECT(far, C(0), largest));
        if (moderate) by = no_shift();
        if (c->sink.data && ANY(far)) return 0;
        STORE(b->shift + r, moderate ? C(0) : SELECT(far, max, C(0)));
        STORE(b->bias + r, by.bias);
        STORE(b->floor + r, by.floor);
        if (c->sink.data) STORE(b->top + r, exp_by(LOAD(b->sink + r), unit, by));
    }
    if (!moderate) flat_exps_by(b, c->size);
    return 1;
}

/* e times weight / sum, by rows. A row without any entry is 0. */
static ALWAYS_INLINE void multiply_flat(int apart, const Batch *b, T *out, const T *restrict scale, const T *restrict low,
                                        const T *restrict power) {
    for (size_t i = 0, at = 0; i < b->g.entries; at += LANES)
        for (size_t end = end_of_rows(b->g, i), k = 0; i < end; i += LANES, k += LANES) {
            const int32_t *of = b->g.row_of + k;
            Factor f = {PICK(scale + at, of), C(0), C(0)};
            if (LOW_FACTORS) f.low = PICK(low + at, of);
            if (apart) f.power = PICK(power + at, of);
            STORE(out + i, times_factor(apart, LOAD(b->e + i), f));
        }
}

static NOINLINE void clear_masked(const Batch *b, T *out, V value) {
    for (size_t i = 0; i < b->g.entries; i += LANES) STORE(out + i, SELECT(KEPT(b->mask + i, LANES), LOAD(out + i), value));
}

static NOINLINE void divide_flat(const Call *c, const Batch *b, T *out, const T *weight) {
    ALIGNED T scale[SHORT_ROWS], low[SHORT_ROWS], power[SHORT_ROWS];
    int apart = b->apart;
    V wrong = C(0);
    for (size_t r = 0; r < b->g.rows; r += LANES) {
        const size_t count = b->g.rows - r;
        V sum = LOAD(b->sum + r), rest = LOAD(b->low + r);
        if (c->sink.data) {
            const V all = sum + LOAD(b->top + r);
            rest = rest - sum_excess(sum, LOAD(b->top + r), all);
            sum = all;
        }
        Factor f = quotient_of(weight ? LOAD_SOME(weight + r, count, C(0)) : C(1), sum, rest);
        f.scale = SELECT(LE(sum, C(0)), C(0), f.scale);
        const V counted = SELECT(FIRST(count), f.scale, C(1));
        wrong = wrong + (counted - counted);
        apart |= has_small_factor(counted);
        STORE(scale + r, f.scale);
        STORE(low + r, f.low);
    }
    if (apart) powers_apart(scale, low, power, b->g.rows);
    if (apart)
        multiply_flat(1, b, out, scale, low, power);
    else
        multiply_flat(0, b, out, scale, low, NULL);
    if (b->mask && ANY(IS_NAN(wrong))) clear_masked(b, out, C(0));
}

/* (x - max) scale - log */
static NOINLINE void subtract_flat(const Call *c, const Batch *b, T *out, const T *restrict log) {
    const T *restrict max = b->max;
    const int exactly = c->scale == (T)c->scale;
    for (size_t i = 0, at = 0; i < b->g.entries; at += LANES)
        for (size_t end = end_of_rows(b->g, i), k = 0; i < end; i += LANES, k += LANES) {
            const int32_t *of = b->g.row_of + k;
            STORE(out + i, log_entry(exactly, LOAD(b->x + i) - PICK(max + at, of), c->size, PICK(log + at, of)));
        }
    if (b->mask) clear_masked(b, out, NOTHING);
}

static ALWAYS_INLINE void gradients_flat(int log, int exponential, const Batch *b, const T *p, const T *grad, T *out,
                                         V scale, const T *restrict mean, Stream *stream) {
    const Scale unit = scale_by(1);
    for (size_t i = 0, at = 0; i < b->g.entries; at += LANES) {
        const size_t start = i;
        for (size_t end = end_of_rows(b->g, i), k = 0; i < end; i += LANES, k += LANES) {
            V y = LOAD(p + i);
            if (exponential) y = lifted_exp(y, unit);
            PREFETCH(p + b->g.entries + i);
            PREFETCH(grad + b->g.entries + i);
            STORE(out + i, gradient_of(log, y, LOAD(grad + i), scale, PICK(mean + at, b->g.row_of + k)));
        }
        stream_some(stream, i - start);
    }
}
static NOINLINE void softmax_gradients_flat(const Batch *b, const T *p, const T *grad, T *out, V scale, const T *mean,
                                            Stream *stream) {
    gradients_flat(0, 0, b, p, grad, out, scale, mean, stream);
}
static NOINLINE void log_gradients_flat(int exponential, const Batch *b, const T *p, const T *grad, T *out, V scale,
                                        const T *mean, Stream *stream) {
    if (exponential)
        gradients_flat(1, 1, b, p, grad, out, scale, mean, stream);
    else
        gradients_flat(1, 0, b, p, grad, out, scale, mean, stream);
}

/* The entries of rows, dense, with `fill` for masked ones and up to a whole group; from memory where they stand so */
static const T *dense_rows(Operand a, size_t row, const Batch *b, T fill, T *buffer) {
    const Group g = b->g;
    const size_t n = a.inner ? g.n : 1;
    if (!b->mask && a.inner == sizeof(T) && a.outer == (ptrdiff_t)(n * sizeof(T)) && g.rows % LANES == 0)
        return entry_at(a, row);
    for (size_t r = 0, i = 0; r < g.rows; r++) {
        const Row from = row_of(a, row + r);
        for (size_t j = 0; j < n; j++, i++)
            buffer[i] = b->mask && n == g.n && !b->mask[i] ? fill : from.at[(ptrdiff_t)j * from.step];
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

/* The bytes of the mask and the limit, dense; NULL where no entry is masked */
static const char *dense_mask(const Call *c, size_t row, Group g, char *buffer) {
    const int dense = c->mask.inner == 1 && c->mask.outer == (ptrdiff_t)g.n && g.rows % LANES == 0;
    if (!c->mask.data && !c->limit.data) return NULL;
    if (!c->limit.data && dense) return c->mask.data + (ptrdiff_t)row * c->mask.outer;
    if (row && !c->limit.data && !c->mask.outer) return buffer; /* the same for all rows */
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

/* p (grad - sum(grad p)) scale, or scale (grad - p sum(grad)); 0 where a row is left to exact_row */
static int backward_flat(const Call *c, Buffers *f, Batch *b, const T *grad, T *out, Stream *stream) {
    ALIGNED T mean[SHORT_ROWS];
    const int log = is_log(c->what), from_output = is_from_output(c->what);
    const T *p = b->x;
    if (!from_output) {
        if (!take_batch(c, b, f->x, NULL)) return 0;
        row_totals(b->e, b->g, b->sum, b->low);
        divide_flat(c, b, b->e, NULL);
        p = b->e;
    }
    if (log)
        row_sums(grad, b->g, mean);
    else
        row_dots(p, grad, b->g, mean);
    for (size_t r = 0; r < b->g.rows; r += LANES) {
        const V m = SELECT(FIRST(b->g.rows - r), LOAD(mean + r), C(0)) * c->s.factor;
        if (is_left(log && from_output, m)) return 0;
        STORE(mean + r, m * C(log && from_output ? LOWER : 1));
    }
    if (log)
        log_gradients_flat(from_output, b, p, grad, out, c->s.factor, mean, stream);
    else
        softmax_gradients_flat(b, p, grad, out, c->s.factor, mean, stream);
    return 1;
}

/* One batch; 0 where a row is left to exact_row. Nothing is written then. */
static int flat_batch(const Call *c, Buffers *f, Batch *b, const int32_t *row_of, size_t row, size_t count, Stream *stream) {
    b->g = group_of(count, c->n, row_of);
    b->mask = dense_mask(c, row, b->g, f->mask);
    b->x = dense_rows(c->x, row, b, c->what == LOG_SOFTMAX_FROM_OUTPUT ? -HUGE_VAL : 0, f->x);
    b->e = f->e;
    const int direct = c->out.inner == sizeof(T) && c->out.outer == (ptrdiff_t)(c->n * sizeof(T)) && count % LANES == 0;
    T *const to = entry_at(c->out, row), *out = stream ? stream_room(stream) : direct ? to : f->out;
    ALIGNED T log[SHORT_ROWS];
    for (size_t r = 0; r < count && c->sink.data; r += LANES) {
        const size_t left = count - r < LANES ? count - r : LANES;
        STORE(b->sink + r, sinks_of(c, row + r, left));
    }
    if (is_backward(c->what)) {
        if (!backward_flat(c, f, b, dense_rows(c->first, row, b, 0, f->grad), out, stream)) return 0;
    } else {
        const T *weight = c->what == WEIGHTED ? dense_rows(c->first, row, b, 0, f->grad) : NULL;
        for (size_t r = 0; r < count && weight; r++)
            if (!is_ordinary(weight[r])) return 0;
        if (!take_batch(c, b, f->x, stream)) return 0;
        if (!needs_rest(c->what)) {
            row_totals(b->e, b->g, b->sum, b->low);
            divide_flat(c, b, out, weight);
        } else {
            row_rests(b->e, b->g, b->sum, b->low, b->top);
            for (size_t r = 0; r < count; r += LANES) {
                const Shift by = {LOAD(b->bias + r), C(0)};
                const V top = LOAD(b->max + r) - LOAD(b->shift + r);
                STORE(log + r, log_of_rest(LOAD(b->sum + r), LOAD(b->low + r), top, c->size, by));
            }
        }
    }
    if (c->what == LOG_SOFTMAX) subtract_flat(c, b, out, log);
    if (c->what == LOGSUMEXP)
        for (size_t r = 0; r < count; r++) put_logsumexp(c, row + r, b->max[r], log[r]);
    else if (stream)
        stream_put(stream, to, count * c->n);
    else if (out != to)
        scatter_rows(c, row, count, out);
    return 1;
}

static NOINLINE void flat_rows(const Call *c, Buffers *f, Stream *stream) {
    ALIGNED int32_t row_of[2 * LANES * LANES];
    Batch b;
    const size_t fit = ROOM / (c->n * LANES) * LANES, most = fit < SHORT_ROWS ? fit : (size_t)SHORT_ROWS;
    const size_t batch = stream && is_from_output(c->what) && most > 2 * LANES ? 2 * LANES : most;
    number_rows(row_of, c->n);
    for (size_t row = 0, count; row < c->rows; row += count) {
        const size_t left = c->rows - row;
        count = left >= batch ? batch : left >= LANES ? left / LANES * LANES : left;
        if (flat_batch(c, f, &b, row_of, row, count, stream)) continue;
        for (size_t r = row; r < row + count; r++) /* each by itself: no other's bits hang on it */
            if (!flat_batch(c, f, &b, row_of, r, 1, NULL)) exact_row(c, r);
    }
}
