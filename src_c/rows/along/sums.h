/* Rows along memory that are longer than those of flat/. Up to LANES of them go together, as many as the
 * buffers hold: their sums are taken by lanes, and folded at once. A row of more than ROW_CHUNK entries goes
 * by itself. */

/* Sums by lanes. Of log_softmax and its like: the sum of all but the largest entry of each lane, and these,
 * of two vectors side by side; at last `max` is the largest of both, and `top` its exponential. */
typedef struct {
    V sum, carry, top[2], max, dot;
} Lanes;

/* From here on, rows of 512 KiB of floats, which leave no room in L2, exponentials are taken twice rather
 * than stored and read again. */
enum { LONG_ROW = 1 << 17 };

/* What is summed: all exponentials; these and their products with a gradient; all but that of one entry; or
 * all but a largest, of x or of -x */
enum { ALL, ALL_AND_DOT, BUT_ONE, LESSER, LESSER_OF_NEGATIVE };

/* A row: contiguous entries, with a byte of the mask for each, or NULL */
typedef struct {
    const T *x, *grad;
    const char *mask;
    T *e; /* where exponentials are kept, or NULL */
    size_t n, target; /* the one entry that is left out */
} Span;

static ALWAYS_INLINE V zero_where(int none, M m, V a) {
    return none ? SELECT(m, C(0), a) : SELECT(m, a, C(0));
}

/* Two vectors of a row, from entry i on; the last two may be partial. */
static ALWAYS_INLINE void add_pair(int moderately, int masked, int what, int whole, Span row, size_t i,
                                   Scale s, Shift by, V *seen, Lanes *a, V *dot) {
    const int counted = masked || !whole, lesser = what >= LESSER;
    V v[2];
    M counts[2];
    for (size_t k = 0; k < 2; k++, i += LANES) {
        const size_t left = i < row.n ? row.n - i : 0;
        v[k] = load_lanes(whole, row.x + i, left, C(0));
        if (what == LESSER_OF_NEGATIVE) v[k] = -v[k];
        if (counted) counts[k] = masked ? KEPT(row.mask + i, whole ? (size_t)LANES : left) : FIRST(left);
        if (lesser) {
            v[k] = take_lesser(counted ? SELECT(counts[k], v[k], NOTHING) : v[k], a->top + k);
            if (counted) counts[k] = LE(v[k], NOTHING);
        }
        if (counted) v[k] = zero_where(lesser, counts[k], v[k]);
    }
    exps(moderately, 2, v, s, by, seen);
    i -= PAIR;
    for (size_t k = 0; k < 2; k++, i += LANES) {
        const size_t left = i < row.n ? row.n - i : 0;
        if (counted) v[k] = zero_where(lesser, counts[k], v[k]);
        if (row.e && !lesser) store_lanes(whole, row.e + i, v[k], left);
        if (what == ALL_AND_DOT) {
            const V grad = load_lanes(whole, row.grad + i, left, C(0));
            dot[k] = FMA(v[k], masked ? SELECT(counts[k], grad, C(0)) : grad, dot[k]);
        }
    }
    if (what == BUT_ONE && row.target - (i - PAIR) < PAIR) {
        T lanes[PAIR];
        for (size_t k = 0; k < 2; k++) STORE(lanes + k * LANES, v[k]);
        lanes[row.target - (i - PAIR)] = 0;
        for (size_t k = 0; k < 2; k++) v[k] = LOAD(lanes + k * LANES);
    }
    a->sum = add_carried(a->sum, v[0] + v[1], &a->carry);
}

/* Ask for what stands further ahead, in this row or the next. */
enum { AHEAD = 2 * ROW_CHUNK };
static ALWAYS_INLINE void pair_ahead(const T *p) {
    for (size_t i = 0; i < PAIR; i += LINE) PREFETCH(p + AHEAD + i);
}

/* A row; 0 where it is not moderate. */
static ALWAYS_INLINE int add_row(int moderately, int masked, int what, Span row, Scale s, Shift by,
                                 Stream *stream, Lanes *lanes) {
    const int lesser = what >= LESSER;
    Lanes a = {C(0), C(0), {NOTHING, NOTHING}, NOTHING, C(0)};
    V seen = C(0), dot[2] = {C(0), C(0)}, dot_carry = C(0);
    size_t i = 0;
    if (lesser && !masked && row.n >= PAIR)
        for (; i < PAIR; i += LANES) a.top[i / LANES] = what == LESSER ? LOAD(row.x + i) : -LOAD(row.x + i);
    while (i + PAIR <= row.n) {
        const size_t end = i + 8 * PAIR <= row.n ? i + 8 * PAIR : row.n - PAIR + 1;
        for (; i < end; i += PAIR) {
            pair_ahead(row.x + i);
            if (what == ALL_AND_DOT) pair_ahead(row.grad + i);
            add_pair(moderately, masked, what, 1, row, i, s, by, &seen, &a, dot);
            stream_some(stream, PAIR);
        }
        if (moderately && !is_moderate(seen)) return 0;
        if (what != ALL_AND_DOT) continue;
        a.dot = add_carried(a.dot, dot[0] + dot[1], &dot_carry);
        dot[0] = dot[1] = C(0);
    }
    if (i < row.n) add_pair(moderately, masked, what, 0, row, i, s, by, &seen, &a, dot);
    if (what == ALL_AND_DOT) a.dot = add_carried(a.dot, dot[0] + dot[1], &dot_carry);
    if (lesser) {
        V two[2];
        two[0] = take_lesser(a.top[1], a.top);
        two[1] = a.top[0];
        const M none[2] = {LE(two[0], NOTHING), LE(two[1], NOTHING)};
        a.max = a.top[0];
        for (int k = 0; k < 2; k++) two[k] = SELECT(none[k], C(0), two[k]);
        exps(moderately, 2, two, s, by, &seen);
        for (int k = 0; k < 2; k++) two[k] = SELECT(none[k], C(0), two[k]);
        a.sum = add_carried(a.sum, two[0], &a.carry);
        a.top[0] = two[1];
    }
    *lanes = a;
    return !moderately || is_moderate(seen);
}

/* Rows of a batch: what is found of each, by lanes, and then as numbers. `done` of them have their sums. */
typedef struct {
    size_t count, done;
    Span row[LANES];
    V sum[LANES], carry[LANES], top[LANES], max[LANES], dot[LANES];
    ALIGNED T largest[LANES], shift[LANES], bias[LANES], floor[LANES]; /* the first only of rows by K */
} Rows;

static ALWAYS_INLINE void keep_lanes(int what, const Lanes *a, Rows *b, size_t i) {
    b->sum[i] = a->sum;
    b->carry[i] = a->carry;
    if (what >= LESSER) b->top[i] = a->top[0];
    if (what >= LESSER) b->max[i] = a->max;
    if (what == ALL_AND_DOT) b->dot[i] = a->dot;
}

static ALWAYS_INLINE void add_moderate_rows(int masked, int what, Scale s, Rows *b, Stream *stream) {
    const size_t count = b->count;
    size_t i = 0;
    for (Lanes a; i < count && add_row(1, masked, what, b->row[i], s, no_shift(), stream, &a); i++)
        keep_lanes(what, &a, b, i);
    b->done = i;
}

/* The rows up to the first that is not moderate */
static NOINLINE void add_moderately(int what, const Call *c, Rows *b, Stream *stream) {
    const int masked = b->row[0].mask != NULL;
    if (what == ALL)
        masked ? add_moderate_rows(1, ALL, c->s, b, stream) : add_moderate_rows(0, ALL, c->s, b, stream);
    else if (what == ALL_AND_DOT)
        masked ? add_moderate_rows(1, ALL_AND_DOT, c->s, b, stream)
               : add_moderate_rows(0, ALL_AND_DOT, c->s, b, stream);
    else if (what == LESSER)
        masked ? add_moderate_rows(1, LESSER, c->size, b, stream)
               : add_moderate_rows(0, LESSER, c->size, b, stream);
    else if (what == LESSER_OF_NEGATIVE)
        masked ? add_moderate_rows(1, LESSER_OF_NEGATIVE, c->size, b, stream)
               : add_moderate_rows(0, LESSER_OF_NEGATIVE, c->size, b, stream);
    else
        add_moderate_rows(0, BUT_ONE, c->s, b, stream);
}

static ALWAYS_INLINE void add_by_k(int masked, int what, const Call *c, Span row, Shift by, Stream *stream,
                                   Lanes *a) {
    if (what == ALL)
        add_row(0, masked, ALL, row, c->s, by, stream, a);
    else if (what == ALL_AND_DOT)
        add_row(0, masked, ALL_AND_DOT, row, c->s, by, stream, a);
    else if (what == LESSER)
        add_row(0, masked, LESSER, row, c->size, by, stream, a);
    else if (what == LESSER_OF_NEGATIVE)
        add_row(0, masked, LESSER_OF_NEGATIVE, row, c->size, by, stream, a);
    else
        add_row(0, 0, BUT_ONE, row, c->s, by, stream, a);
}
static NOINLINE void add_row_by(int what, const Call *c, Span row, Shift by, Stream *stream, Lanes *a) {
    row.mask ? add_by_k(1, what, c, row, by, stream, a) : add_by_k(0, what, c, row, by, stream, a);
}

/* The largest x of a row, or of -x */
static ALWAYS_INLINE T maximum_of(int masked, Span row, T sign) {
    V m[4] = {NOTHING, NOTHING, NOTHING, NOTHING};
    for (size_t i = 0, k = 0; i < row.n; i += LANES, k++) {
        const size_t left = row.n - i;
        V x = C(sign) * (left < LANES ? LOAD_SOME(row.x + i, left, C(-sign * (T)HUGE_VAL)) : LOAD(row.x + i));
        if (masked) x = SELECT(KEPT(row.mask + i, left), x, NOTHING);
        m[k % 4] = MAX(x, m[k % 4]);
    }
    return LARGEST_LANE(MAX(MAX(m[0], m[1]), MAX(m[2], m[3])));
}
static NOINLINE T row_maximum(Span row, T sign) {
    return row.mask ? maximum_of(1, row, sign) : maximum_of(0, row, sign);
}

/* The sums of a batch. 0 where a row is left to exact_row. */
static int add_batch(int what, const Call *c, size_t first, Rows *b, Stream *stream) {
    const T sign = c->scale < 0 ? -1 : 1;
    const int over = b->row[0].e == b->row[0].x; /* exponentials go over x, which could not be read again */
    b->done = 0;
    for (size_t i = 0; i < LANES; i++) {
        b->shift[i] = 0;
        b->floor[i] = (T)-HUGE_VAL;
        b->bias[i] = (T)ROUNDER;
        if (i >= b->count || !c->sink.data) continue;
        if (!(ABS_OF(sink_of(c, first + i)) < MODERATE_POWER * LN2)) b->done = b->count;
    }
    if (over || b->done)
        b->done = 0;
    else
        add_moderately(what, c, b, stream);
    for (size_t i = b->done; i < b->count; i++) {
        Span row = b->row[i];
        T max = row_maximum(row, sign), largest = max * (T)ABS_OF(c->scale), parts[2][LANES];
        const double sink = sink_of(c, first + i);
        if (sink > largest) largest = (T)sink;
        if (!(ABS_OF(largest) < FAR)) {
            if (c->sink.data || !row.e || row.n > ROW_CHUNK) return 0;
            for (size_t j = 0; j < row.n; j++) row.e[j] = row.x[j] - sign * max;
            b->row[i].x = row.x = row.e;
            b->shift[i] = max;
            largest = 0;
        }
        const Shift by = shift_by(C(largest));
        STORE(parts[0], by.bias);
        STORE(parts[1], by.floor);
        b->bias[i] = parts[0][0];
        b->largest[i] = max;
        b->floor[i] = parts[1][0];
        Lanes a;
        add_row_by(what, c, row, by, stream, &a);
        keep_lanes(what, &a, b, i);
    }
    return 1;
}

/* The sums of a batch in two parts; and the largest entries, where the sums leave them out */
static NOINLINE void fold_batch(int what, Rows *b, V *sum, V *low, V *max) {
    for (size_t i = b->count; i < LANES; i++) b->sum[i] = b->carry[i] = b->top[i] = b->max[i] = C(0);
    if (what < LESSER) {
        *sum = sums_in_parts(0, 0, 1, b->sum, b->carry, low);
        return;
    }
    *sum = sums_of_rest(0, 0, 1, b->top, b->sum, b->carry, low);
    *max = maxima_of(0, 0, b->max);
}
