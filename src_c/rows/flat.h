/* Rows of up to 128 entries. A batch of contiguous rows is whole vectors, and exponentials are taken of these, whichever
 * row an entry belongs to. A look-up brings a number of a row (its sum, its maximum) back to its entries. */

enum { SHORT_ROW = LANES > 1 ? 8 * LANES : 0, SHORT_ROWS = 1024 / sizeof(T) };
enum { TAKEN_APART = 6 * LANES }; /* from here on, rows whose largest entry is left out go by along.h */

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

static ALWAYS_INLINE V reduced(int what, int folds, int odd, int has_two, V *r, V *rest, V *carry, V *low) {
    if (what == LARGEST) return maxima_of(folds, odd, r);
    if (what == TOTAL) return sums_in_parts(folds, odd, has_two, r, carry, low);
    if (what == REST) return sums_of_rest(folds, odd, has_two, r, rest, carry, low);
    return sums_of(folds, odd, r);
}

/* Where these go: the number of each row; and of sums of exponentials, what rounding takes off */
typedef struct {
    T *result, *low;
} Reduced;

static ALWAYS_INLINE void put_reduced(int what, Reduced to, size_t at, V result, V low) {
    STORE(to.result + at, result);
    if (what >= TOTAL) STORE(to.low + at, low);
}

#ifdef TURNS
static ALWAYS_INLINE V turned_rows(int what, int folds, int odd, const T *p, const T *q, V *low) {
    V r[TURNED], rest[TURNED], carry[TURNED];
    carry[0] = C(0); /* of 2 entries, which meet at once */
    UNROLLED for (int i = 0; i < odd << folds; i++) {
        r[i] = LOAD(p + LANES * i);
        if (what == DOT) r[i] = r[i] * LOAD(q + LANES * i);
    }
    return reduced(what, folds, odd, 0, r, rest, carry, low);
}

/* The constants of a turn stay in registers while it goes through all groups. */
static ALWAYS_INLINE void turned(int what, int folds, int odd, const T *p, const T *q, Group g, Reduced to) {
    for (size_t at = 0; at < g.rows; at += LANES, p += g.n * LANES, q += g.n * LANES) {
        V low = C(0);
        const V all = turned_rows(what, folds, odd, p, q, &low);
        put_reduced(what, to, at, all, low);
    }
}

/* 0 where rows of so many entries are not turned */
static ALWAYS_INLINE int turn_rows(int what, const T *p, const T *q, Group g, Reduced to) {
    switch (g.n) {
        case 2: turned(what, 1, 1, p, q, g, to); return 1;
        case 3: turned(what, 0, 3, p, q, g, to); return 1;
        case 4: turned(what, 2, 1, p, q, g, to); return 1;
        case 5: turned(what, 0, 5, p, q, g, to); return 1;
        case 6: turned(what, 1, 3, p, q, g, to); return 1;
        case 7: turned(what, 0, 7, p, q, g, to); return 1;
        case 9: turned(what, 0, 9, p, q, g, to); return 1;
        case 10: turned(what, 1, 5, p, q, g, to); return 1;
        case 11: turned(what, 0, 11, p, q, g, to); return 1;
        case 12: turned(what, 2, 3, p, q, g, to); return 1;
    }
    return 0;
}
#else
static inline int turn_rows(int what, const T *p, const T *q, Group g, Reduced to) {
    return (void)what, (void)p, (void)q, (void)g, (void)to, 0;
}
#endif

/* The sums of a row of several vectors, by lanes */
static ALWAYS_INLINE void add_vectors(int what, const T *p, const T *q, size_t n, V *sum, V *most, V *carry) {
    const V fill = what == LARGEST ? NOTHING : C(0);
    V s = LOAD(p), top = s, lost = C(0), other = C(0); /* sums and dots take turns in two, as in output.h */
    if (what == DOT) s = s * LOAD(q);
    if (what == REST) s = C(0);
    for (size_t j = LANES; j < n; j += LANES) {
        const V a = load_lanes(j + LANES <= n, p + j, n - j, fill);
        const V b = what == DOT ? load_lanes(j + LANES <= n, q + j, n - j, fill) : a;
        if (what == SUM || what == DOT) {
            V next = other + a;
            if (what == DOT) next = FMA(a, b, other);
            other = s;
            s = next;
        }
        if (what == LARGEST) s = MAX(a, s);
        if (what == TOTAL) s = add_carried(s, a, &lost);
        if (what == REST) s = add_exactly(s, take_lesser(a, &top), &lost);
    }
    *sum = s;
    if (what == SUM || what == DOT) *sum = s + other;
    *most = top;
    *carry = lost;
}

/* `count` rows of up to LANES, each of one vector or of several, the last of which may be partial. The pointers walk from
 * row to row: GCC would keep the addresses by index in memory. */
static ALWAYS_INLINE V short_rows(int what, int several, const T *p, const T *q, size_t n, size_t count, V *low) {
    const V fill = what == LARGEST ? NOTHING : C(0);
    V r[LANES], rest[LANES], carry[LANES];
    for (size_t i = count; i < LANES; i++) r[i] = rest[i] = carry[i] = C(0);
    if (several && what == REST)
        ROLLED for (size_t i = 0; i < count; i++, p += n) add_vectors(what, p, q, n, rest + i, r + i, carry + i);
    else if (several)
        UNROLLED for (size_t i = 0; i < count; i++, p += n, q += n) add_vectors(what, p, q, n, r + i, rest + i, carry + i);
    else
        UNROLLED for (size_t i = 0; i < count; i++, p += n, q += n) {
            r[i] = LOAD_SOME(p, n, fill);
            if (what == DOT) r[i] = r[i] * LOAD_SOME(q, n, fill);
            carry[i] = rest[i] = C(0);
        }
    return reduced(what, 0, 0, several, r, rest, carry, low);
}

static ALWAYS_INLINE void reduce_rows(int what, const T *p, const T *q, Group g, Reduced to) {
    if (is_turned(g.n) && turn_rows(what, p, q, g, to)) return;
    for (size_t at = 0; at < g.rows; at += LANES, p += g.n * LANES, q += g.n * LANES) {
        const size_t left = g.rows - at < LANES ? g.rows - at : LANES;
        V all, low = C(0);
        if (g.n > LANES && left == LANES)
            all = short_rows(what, 1, p, q, g.n, LANES, &low);
        else if (g.n > LANES)
            all = short_rows(what, 1, p, q, g.n, left, &low);
        else if (left == LANES)
            all = short_rows(what, 0, p, q, g.n, LANES, &low);
        else
            all = short_rows(what, 0, p, q, g.n, left, &low);
        put_reduced(what, to, at, all, low);
    }
}
static NOINLINE void row_sums(const T *p, Group g, T *result) { reduce_rows(SUM, p, p, g, (Reduced){result, NULL}); }
static NOINLINE void row_dots(const T *p, const T *q, Group g, T *result) {
    reduce_rows(DOT, p, q, g, (Reduced){result, NULL});
}
static NOINLINE void row_maxima(const T *p, Group g, T *result) {
    reduce_rows(LARGEST, p, p, g, (Reduced){result, NULL});
}
static NOINLINE void row_totals(const T *p, Group g, T *result, T *low) {
    reduce_rows(TOTAL, p, p, g, (Reduced){result, low});
}
static NOINLINE void row_rests(const T *p, Group g, T *result, T *low) {
    reduce_rows(REST, p, p, g, (Reduced){result, low});
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

static ALWAYS_INLINE void take_vectors(int masked, int count, const T *x, const char *mask, T *to, Scale s, V *seen) {
    V e[2];
    M kept[2];
    for (int v = 0; v < count; v++) {
        e[v] = LOAD(x + v * LANES);
        if (masked) kept[v] = KEPT(mask + v * LANES, LANES);
        if (masked) e[v] = SELECT(kept[v], e[v], C(0));
    }
    exps(1, count, e, s, no_shift(), seen);
    for (int v = 0; v < count; v++) STORE(to + v * LANES, masked ? SELECT(kept[v], e[v], C(0)) : e[v]);
}

/* The exponentials with K = 0; 0 where that will not do for all of them. */
static ALWAYS_INLINE int flat_moderately(int masked, const Batch *b, Scale s, Stream *stream) {
    const size_t entries = b->g.entries;
    const T *x = b->x;
    const char *mask = b->mask;
    T *e = b->e;
    V seen = C(0);
    for (size_t i = 0, end; i < entries;) {
        const size_t start = i, step = i ? 256 : 128; /* most batches that are not moderate show it soon */
        end = i + step < entries ? i + step : entries;
        for (; i + PAIR <= end; i += PAIR) {
            for (size_t k = 0; k < PAIR; k += LINE) PREFETCH(x + entries + i + k);
            take_vectors(masked, 2, x + i, mask + i, e + i, s, &seen);
        }
        for (; i < end; i += LANES) take_vectors(masked, 1, x + i, mask + i, e + i, s, &seen);
        stream_some(stream, end - start);
        if (!is_moderate(seen)) return 0;
    }
    return 1;
}

static ALWAYS_INLINE void flat_by(int masked, int far, const Batch *b, Scale s) {
    const T *restrict bias = b->bias, *restrict floor = b->floor, *restrict shift = b->shift, *x = b->x;
    const char *mask = b->mask;
    const Group g = b->g;
    T *to = b->e;
    for (size_t i = 0, at = 0; i < g.entries; at += LANES)
        for (size_t end = end_of_rows(g, i), k = 0; i < end; i += LANES, k += LANES) {
            const int32_t *of = g.row_of + k;
            V e = LOAD(x + i);
            if (far) e = e - PICK(shift + at, of);
            e = exp_by(e, s, (Shift){PICK(bias + at, of), PICK(floor + at, of)});
            STORE(to + i, masked ? SELECT(KEPT(mask + i, LANES), e, C(0)) : e);
        }
}

/* Entries with the sign of the scale, and `fill` where they are masked; to a buffer, where it is not the same */
static NOINLINE const T *settle_entries(const Batch *b, const T *from, T sign, T fill, T *to) {
    const size_t entries = b->g.entries;
    const char *mask = b->mask;
    if (!mask && sign == 1) return from;
    for (size_t i = 0; i < entries; i += LANES) {
        const V x = LOAD(from + i) * C(sign);
        STORE(to + i, mask ? SELECT(KEPT(mask + i, LANES), x, C(fill)) : x);
    }
    return to;
}

static NOINLINE int flat_moderate(const Batch *b, Scale s, Stream *stream) {
    return b->mask ? flat_moderately(1, b, s, stream) : flat_moderately(0, b, s, stream);
}
static NOINLINE void flat_exps_by(int far, const Batch *b, Scale s) {
    if (b->mask)
        far ? flat_by(1, 1, b, s) : flat_by(1, 0, b, s);
    else
        far ? flat_by(0, 1, b, s) : flat_by(0, 0, b, s);
}

/* Take the exponentials of a batch, and find the maxima where they are needed. 0 where a row is left to exact_row. */
static int take_batch(const Call *c, Batch *b, T *settled, Stream *stream) {
    const Scale unit = scale_by(1);
    int far_rows = 0;
    V seen = C(0);
    for (size_t r = 0; r < b->g.rows && c->sink.data; r += LANES) {
        V e = LOAD(b->sink + r);
        exps(1, 1, &e, unit, no_shift(), &seen);
        STORE(b->top + r, e);
    }
    const int moderate = is_moderate(seen) && flat_moderate(b, c->s, stream);
    b->apart = !moderate;
    if (moderate && !needs_rest(c->what)) return 1;
    b->x = settle_entries(b, b->x, c->scale < 0 ? -1 : 1, (T)-HUGE_VAL, settled);
    row_maxima(b->x, b->g, b->max);
    for (size_t r = 0; r < b->g.rows; r += LANES) {
        const V max = LOAD(b->max + r), size = max * c->size.factor;
        const V largest = c->sink.data ? MAX(size, LOAD(b->sink + r)) : size;
        const M far = GE(ABS(largest), C(FAR));
        Shift by = shift_by(SELECT(far, C(0), largest));
        if (moderate) by = no_shift();
        far_rows |= ANY(far);
        if (c->sink.data && far_rows) return 0;
        STORE(b->shift + r, moderate ? C(0) : SELECT(far, max, C(0)));
        STORE(b->bias + r, by.bias);
        STORE(b->floor + r, by.floor);
        if (c->sink.data) STORE(b->top + r, exp_by(LOAD(b->sink + r), unit, by));
    }
    if (!moderate) flat_exps_by(far_rows, b, c->size);
    return 1;
}

/* e times weight / sum, by rows */
static ALWAYS_INLINE void multiply_by_rows(int apart, const T *e, T *out, Group g, const T *restrict scale,
                                           const T *restrict low, const T *restrict power) {
    for (size_t i = 0, at = 0; i < g.entries; at += LANES)
        for (size_t end = end_of_rows(g, i), k = 0; i < end; i += LANES, k += LANES) {
            const int32_t *of = g.row_of + k;
            Factor f = {PICK(scale + at, of), C(0), C(0)};
            if (LOW_FACTORS) f.low = PICK(low + at, of);
            if (apart) f.power = PICK(power + at, of);
            STORE(out + i, times_factor(apart, LOAD(e + i), f));
        }
}
static NOINLINE void multiply_flat(int apart, const T *e, T *out, Group g, const T *scale, const T *low, const T *power) {
    if (apart)
        multiply_by_rows(1, e, out, g, scale, low, power);
    else
        multiply_by_rows(0, e, out, g, scale, low, power);
}

static NOINLINE void clear_masked(const Batch *b, T *out, V value) {
    for (size_t i = 0; i < b->g.entries; i += LANES) STORE(out + i, SELECT(KEPT(b->mask + i, LANES), LOAD(out + i), value));
}

static NOINLINE void divide_flat(const Call *c, const Batch *b, T *out, const T *weight) {
    ALIGNED T scale[SHORT_ROWS], low[SHORT_ROWS], power[SHORT_ROWS];
    const size_t rows = b->g.rows;
    const int sunk = c->sink.data != NULL, masked = b->mask != NULL;
    V least = C(1), wrong = C(0);
    STORE(scale, C(0)); /* GCC cannot know that there is a row */
    for (size_t r = 0; r < rows; r += LANES) {
        V sum = LOAD(b->sum + r), rest = LOAD(b->low + r), over = C(1);
        if (sunk) add_sinks(LOAD(b->top + r), &sum, &rest);
        if (weight) over = LOAD_SOME(weight + r, rows - r, C(0));
        const Factor f = quotient_of(over, sum, rest);
        const V counted = r + LANES <= rows ? f.scale : SELECT(FIRST(rows - r), f.scale, C(1));
        if (masked) wrong = wrong + (counted - counted);
        least = MIN(factor_size(counted), least);
        STORE(scale + r, f.scale);
        STORE(low + r, f.low);
    }
    const int apart = b->apart || ANY(LT(least, C(SMALL_FACTOR)));
    if (apart) powers_apart(scale, low, power, rows);
    multiply_flat(apart, b->e, out, b->g, scale, low, power);
    if (masked && ANY(IS_NAN(wrong))) clear_masked(b, out, C(0));
}

/* (x - max) scale - log */
static ALWAYS_INLINE void subtract_by_rows(int exactly, const T *x, T *out, Group g, Scale s, const T *restrict max,
                                           const T *restrict log) {
    for (size_t i = 0, at = 0; i < g.entries; at += LANES)
        for (size_t end = end_of_rows(g, i), k = 0; i < end; i += LANES, k += LANES) {
            const int32_t *of = g.row_of + k;
            STORE(out + i, log_entry(exactly, LOAD(x + i) - PICK(max + at, of), s, PICK(log + at, of)));
        }
}
static NOINLINE void subtract_flat(const Call *c, const Batch *b, T *out, const T *log) {
    if (c->scale == (T)c->scale)
        subtract_by_rows(1, b->x, out, b->g, c->size, b->max, log);
    else
        subtract_by_rows(0, b->x, out, b->g, c->size, b->max, log);
    if (b->mask) clear_masked(b, out, NOTHING);
}

static ALWAYS_INLINE void gradients_by_rows(int log, int exponential, const T *p, const T *grad, T *out, Group g, V scale,
                                            const T *restrict mean, Stream *stream) {
    const Scale unit = scale_by(1);
    for (size_t i = 0, at = 0; i < g.entries; at += LANES) {
        const size_t start = i;
        for (size_t end = end_of_rows(g, i), k = 0; i < end; i += LANES, k += LANES) {
            V y = LOAD(p + i);
            if (exponential) y = lifted_exp(y, unit);
            PREFETCH(p + g.entries + i);
            PREFETCH(grad + g.entries + i);
            STORE(out + i, gradient_of(log, y, LOAD(grad + i), scale, PICK(mean + at, g.row_of + k)));
        }
        stream_some(stream, i - start);
    }
}
static NOINLINE void softmax_gradients_flat(const T *p, const T *grad, T *out, Group g, V scale, const T *mean,
                                            Stream *stream) {
    gradients_by_rows(0, 0, p, grad, out, g, scale, mean, stream);
}
static NOINLINE void log_gradients_flat(int exponential, const T *p, const T *grad, T *out, Group g, V scale, const T *mean,
                                        Stream *stream) {
    if (exponential)
        gradients_by_rows(1, 1, p, grad, out, g, scale, mean, stream);
    else
        gradients_by_rows(1, 0, p, grad, out, g, scale, mean, stream);
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
    const int direct = c->out.inner == sizeof(T) && c->out.outer == (ptrdiff_t)(c->n * sizeof(T)) && count % LANES == 0;
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
        log_gradients_flat(from_output, p, grad, out, b->g, c->s.factor, mean, stream);
    else
        softmax_gradients_flat(p, grad, out, b->g, c->s.factor, mean, stream);
    if (b->mask) clear_masked(b, out, C(0));
    return 1;
}

static NOINLINE int flat_batch(const Call *c, Buffers *f, size_t row, size_t count, Stream *stream) {
    Batch batch, *b = &batch;
    b->g = group_of(count, c->n, f->row_of);
    b->mask = dense_mask(c, row, b->g, f);
    b->x = dense_rows(c->x, row, b->g, c->n, f->x);
    if (is_from_output(c->what)) b->x = settle_entries(b, b->x, 1, is_log(c->what) ? (T)-HUGE_VAL : 0, f->x);
    b->e = f->flat_e;
    T *const out = flat_results(c, f, row, count, stream);
    ALIGNED T log[SHORT_ROWS];
    for (size_t r = 0; r < count && c->sink.data; r += LANES) {
        const size_t left = count - r < LANES ? count - r : LANES;
        STORE(b->sink + r, sinks_of(c, row + r, left));
    }
    if (is_backward(c->what)) {
        const T *grad = settle_entries(b, dense_rows(c->first, row, b->g, c->n, f->grad), 1, 0, f->grad);
        if (!backward_flat(c, f, b, grad, out, stream)) return 0;
    } else {
        const T *weight = c->what == WEIGHTED ? dense_rows(c->first, row, b->g, 1, f->grad) : NULL;
        for (size_t r = 0; r < count && weight; r++)
            if (!is_ordinary(weight[r])) return 0;
        if (!take_batch(c, b, f->x, stream)) return 0;
        if (!needs_rest(c->what)) {
            row_totals(b->e, b->g, b->sum, b->low);
            divide_flat(c, b, out, weight);
        } else {
            row_rests(b->e, b->g, b->sum, b->low);
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
    else
        put_flat(c, row, count, out, stream);
    return 1;
}

static Batches flat_batches(size_t n) {
    const size_t fit = ROOM / (n * LANES) * LANES, most = fit < SHORT_ROWS ? fit : (size_t)SHORT_ROWS;
    return (Batches){most, most};
}
