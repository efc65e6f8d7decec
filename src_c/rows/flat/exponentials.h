/* A batch on its way: x, or x times the sign of the scale, and -inf where it is masked; the exponentials;
 * how they were taken; and for each row the numbers that are found. `top` has the exponentials of the sinks,
 * or of a loss those at the targets. */
typedef struct {
    Group g;
    const T *x;
    const char *mask; /* a byte for each entry, or NULL */
    T *e;
    int by_k; /* the exponentials are not taken moderately */
    ALIGNED T max[SHORT_ROWS], shift[SHORT_ROWS], bias[SHORT_ROWS], floor[SHORT_ROWS];
    ALIGNED T sum[SHORT_ROWS], low[SHORT_ROWS], top[SHORT_ROWS];
} Batch;

static ALWAYS_INLINE void take_vectors(int masked, int count, const T *x, const char *mask, T *to, Scale s,
                                       V *seen) {
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
        const size_t start = i;
        end = i + at_most(256, entries - i);
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

/* Entries times the sign of the scale, and `fill` where they are masked; in a buffer if that changes any */
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

/* Take the exponentials of a batch, and find the maxima where they are needed. 0 where a row is left to
 * exact_row. */
static int take_batch(const Call *c, Batch *b, size_t row, T *settled, Stream *stream) {
    const Scale unit = scale_by(1);
    int far_rows = 0;
    V seen = C(0);
    for (size_t r = 0; r < b->g.rows && c->sink.data; r += LANES) {
        const Sinks sinks = sinks_of(c, row + r, at_most(LANES, b->g.rows - r));
        STORE(b->top + r, sink_exps(1, sinks, unit, no_shift(), &seen));
    }
    const int moderate = is_moderate(seen) && flat_moderate(b, c->s, stream);
    b->by_k = !moderate;
    if (moderate && !needs_rest(c->what)) return 1;
    b->x = settle_entries(b, b->x, c->scale < 0 ? -1 : 1, (T)-HUGE_VAL, settled);
    row_maxima(b->x, b->g, b->max);
    for (size_t r = 0; r < b->g.rows; r += LANES) {
        const V max = LOAD(b->max + r), size = max * c->size.factor;
        Sinks sinks = {NOTHING, C(0)};
        if (c->sink.data) sinks = sinks_of(c, row + r, at_most(LANES, b->g.rows - r));
        const V largest = MAX(size, sinks.high);
        const M far = GE(ABS(largest), C(FAR));
        Shift by = shift_by(SELECT(far, C(0), largest));
        if (moderate) by = no_shift();
        far_rows |= ANY(far);
        if ((c->sink.data && far_rows) || is_wide(c, max)) return 0;
        STORE(b->shift + r, moderate ? C(0) : SELECT(far, max, C(0)));
        STORE(b->bias + r, by.bias);
        STORE(b->floor + r, by.floor);
        if (c->sink.data) STORE(b->top + r, sink_exps(0, sinks, unit, by, NULL));
    }
    if (!moderate) flat_exps_by(far_rows, b, c->size);
    return 1;
}
