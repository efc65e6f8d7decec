/* Rows along memory that are longer than those of flat.h. Up to LANES of them, as many as fit a buffer, go together: their
 * sums are accumulated by lanes and folded at once, and the rows are finished. A row that is longer than a buffer goes by
 * itself. */

/* Sums by lanes. Of log_softmax and its like: the sum of all but the largest entry of each lane, and these, of two vectors
 * side by side; at last `max` is the largest of both, and `top` its exponential. */
typedef struct {
    V sum, carry, top[2], max, dot;
} Lanes;

/* From here on, rows of 512 KiB of floats, which leave no room in L2, exponentials are taken twice rather than stored and
 * read again. */
enum { LONG_ROW = 1 << 17 };

/* What is summed: all exponentials; these and their products with a gradient; all but that of one entry; or all but a
 * largest, of x or of -x */
enum { ALL, ALL_AND_DOT, BUT_ONE, LESSER, LESSER_OF_NEGATIVE };

/* A row: contiguous entries, with a byte of the mask for each, or NULL */
typedef struct {
    const T *x, *grad;
    const char *mask;
    T *e; /* where exponentials are kept, or NULL */
    size_t n, target, ahead; /* the one entry that is left out; and how far ahead memory is asked for */
} Span;

static ALWAYS_INLINE V zero_where(int none, M m, V a) { return none ? SELECT(m, C(0), a) : SELECT(m, a, C(0)); }

/* Two vectors of a row, from entry i on; the last two may be partial. */
static ALWAYS_INLINE void add_pair(int moderately, int masked, int what, int whole, Span row, size_t i, Scale s, Shift by,
                                   V *seen, Lanes *a, V *dot) {
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

/* Ask for what stands further ahead, in this row or the next: further where it comes from memory. */
enum { AHEAD = 2 * ROW_CHUNK, FAR_AHEAD = 8 * ROW_CHUNK };
static ALWAYS_INLINE void pair_ahead(const T *p, size_t ahead) {
    for (size_t i = 0; i < PAIR; i += LINE) PREFETCH(p + ahead + i);
}

/* A row; 0 where it is not moderate. */
static ALWAYS_INLINE int add_row(int moderately, int masked, int what, Span row, Scale s, Shift by, Stream *stream,
                                 Lanes *lanes) {
    const int lesser = what >= LESSER;
    Lanes a = {C(0), C(0), {NOTHING, NOTHING}, NOTHING, C(0)};
    V seen = C(0), dot[2] = {C(0), C(0)}, dot_carry = C(0);
    size_t i = 0;
    if (lesser && !masked && row.n >= PAIR)
        for (; i < PAIR; i += LANES) a.top[i / LANES] = what == LESSER ? LOAD(row.x + i) : -LOAD(row.x + i);
    while (i + PAIR <= row.n) {
        const size_t end = i + 8 * PAIR <= row.n ? i + 8 * PAIR : row.n - PAIR + 1;
        for (; i < end; i += PAIR) {
            pair_ahead(row.x + i, row.ahead);
            if (what == ALL_AND_DOT) pair_ahead(row.grad + i, row.ahead);
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
        V two[2] = {take_lesser(a.top[1], a.top), a.top[0]};
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
    int apart; /* not all rows were moderate */
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
        masked ? add_moderate_rows(1, ALL_AND_DOT, c->s, b, stream) : add_moderate_rows(0, ALL_AND_DOT, c->s, b, stream);
    else if (what == LESSER)
        masked ? add_moderate_rows(1, LESSER, c->size, b, stream) : add_moderate_rows(0, LESSER, c->size, b, stream);
    else if (what == LESSER_OF_NEGATIVE)
        masked ? add_moderate_rows(1, LESSER_OF_NEGATIVE, c->size, b, stream)
               : add_moderate_rows(0, LESSER_OF_NEGATIVE, c->size, b, stream);
    else
        add_moderate_rows(0, BUT_ONE, c->s, b, stream);
}

static ALWAYS_INLINE void add_by_k(int masked, int what, const Call *c, Span row, Shift by, Stream *stream, Lanes *a) {
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
    for (size_t i = 0; i < b->count; i++) {
        b->shift[i] = 0;
        b->floor[i] = (T)-HUGE_VAL;
        b->bias[i] = (T)ROUNDER;
        if (c->sink.data && !(ABS_OF(sink_of(c, first + i)) < MODERATE_POWER * LN2)) b->done = b->count;
    }
    if (over || b->done)
        b->done = 0;
    else
        add_moderately(what, c, b, stream);
    b->apart = b->done < b->count;
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

/* The sums of a batch in two parts, and the largest exponentials and entries where they are left out */
static NOINLINE void fold_batch(int what, int alone, Rows *b, V *sum, V *low, V *max) {
    if (alone) { /* a fold would take longer */
        T rest;
        *sum = C(what < LESSER ? total_parts(b->sum[0], b->carry[0], &rest)
                               : rest_in_parts(b->top[0], b->sum[0], b->carry[0], &rest));
        *low = C(rest);
        if (what >= LESSER) *max = C(LARGEST_LANE(b->max[0]));
        return;
    }
    for (size_t i = b->count; i < LANES; i++) b->sum[i] = b->carry[i] = b->top[i] = b->max[i] = C(0);
    if (what < LESSER) {
        *sum = sums_in_parts(0, 0, 1, b->sum, b->carry, low);
        return;
    }
    *sum = sums_of_rest(0, 0, 1, b->top, b->sum, b->carry, low);
    *max = maxima_of(0, 0, b->max);
}

/* What the rows of a batch are finished with */
typedef struct {
    int apart;
    ALIGNED T scale[LANES], low[LANES], power[LANES], means[LANES], max[LANES], log[LANES];
} Finish;

/* The results of some rows, of which the first has the number `first` in its batch */
typedef struct {
    const Span *row;
    T *const *to;
    size_t first, count;
} Results;

static ALWAYS_INLINE void multiply_by(int apart, Results r, const Finish *f) {
    for (size_t k = 0; k < r.count; k++) {
        const Factor factor = {C(f->scale[r.first + k]), C(f->low[r.first + k]), C(f->power[r.first + k])};
        const T *e = r.row[k].e;
        T *to = r.to[k];
        const size_t n = r.row[k].n;
        size_t i = 0;
        for (; i + PAIR <= n; i += PAIR) {
            STORE(to + i, times_factor(apart, LOAD(e + i), factor));
            STORE(to + i + LANES, times_factor(apart, LOAD(e + i + LANES), factor));
        }
        for (; i < n; i += LANES) {
            const size_t left = n - i;
            STORE_SOME(to + i, times_factor(apart, LOAD_SOME(e + i, left, C(0)), factor), left);
        }
    }
}
static NOINLINE void multiply_rows(Results r, const Finish *f) {
    if (f->apart)
        multiply_by(1, r, f);
    else
        multiply_by(0, r, f);
}

/* (sign x - max) scale - log, and -inf where the mask is 0 */
static ALWAYS_INLINE void subtract_by(int exactly, int masked, Results r, const Finish *f, V sign, Scale s) {
    for (size_t k = 0; k < r.count; k++) {
        const V max = C(f->max[r.first + k]), log = C(f->log[r.first + k]);
        const Span row = r.row[k];
        T *to = r.to[k];
        size_t i = 0;
        for (; i + PAIR <= row.n; i += PAIR) {
            for (size_t k = i; k < i + PAIR; k += LANES) {
                V y = log_entry(exactly, FMA(LOAD(row.x + k), sign, -max), s, log);
                if (masked) y = SELECT(KEPT(row.mask + k, LANES), y, NOTHING);
                STORE(to + k, y);
            }
        }
        for (; i < row.n; i += LANES) {
            const size_t left = row.n - i;
            V y = log_entry(exactly, FMA(LOAD_SOME(row.x + i, left, C(0)), sign, -max), s, log);
            if (masked) y = SELECT(KEPT(row.mask + i, left), y, NOTHING);
            STORE_SOME(to + i, y, left);
        }
    }
}
static NOINLINE void subtract_rows(const Call *c, Results r, const Finish *f) {
    const V sign = C(c->scale < 0 ? -1 : 1);
    const int exactly = c->scale == (T)c->scale, masked = r.row[0].mask != NULL;
    if (exactly)
        masked ? subtract_by(1, 1, r, f, sign, c->size) : subtract_by(1, 0, r, f, sign, c->size);
    else
        masked ? subtract_by(0, 1, r, f, sign, c->size) : subtract_by(0, 0, r, f, sign, c->size);
}

/* What a gradient is made of: exponentials over their sum, or the output */
enum { FROM_EXPONENTIALS, FROM_OUTPUT };

/* The probabilities of some lanes */
static ALWAYS_INLINE V probability(int log, int from, V p, V inverse, Scale unit) {
    if (from == FROM_EXPONENTIALS) return p * inverse;
    return log ? lifted_exp(p, unit) : p;
}

/* p (scale grad - mean), or scale grad - p mean; 0 where the mask is */
static ALWAYS_INLINE void gradient_vector(int log, int from, int masked, int whole, const T *x, const T *grads,
                                          const char *mask, T *to, size_t left, V inverse, V scale, V mean, Scale unit) {
    const V none = log && from == FROM_OUTPUT ? NOTHING : C(0);
    V p = load_lanes(whole, x, left, none), grad = load_lanes(whole, grads, left, C(0));
    if (masked) {
        const M kept = KEPT(mask, left);
        p = SELECT(kept, p, none);
        grad = SELECT(kept, grad, C(0));
    }
    V y = gradient_of(log, probability(log, from, p, inverse, unit), grad, scale, mean);
    if (masked) y = SELECT(KEPT(mask, left), y, C(0)); /* not -0, nor NaN */
    store_lanes(whole, to, y, left);
}

/* The gradients of some entries of a row, from `x`: its exponentials or the output */
static ALWAYS_INLINE void gradients_by(int log, int from, int masked, const T *x, Span row, T *to, V inverse, V scale,
                                       V mean) {
    const Scale unit = scale_by(1);
    size_t i = 0;
    for (; i + LANES <= row.n; i += LANES)
        gradient_vector(log, from, masked, 1, x + i, row.grad + i, row.mask + i, to + i, LANES, inverse, scale, mean, unit);
    if (i < row.n)
        gradient_vector(log, from, masked, 0, x + i, row.grad + i, row.mask + i, to + i, row.n - i, inverse, scale, mean, unit);
}
static ALWAYS_INLINE void gradients_of_rows(int log, int masked, Results r, const Finish *f, V scale) {
    for (size_t k = 0; k < r.count; k++) {
        const V inverse = C(f->scale[r.first + k]), mean = C(f->means[r.first + k]);
        gradients_by(log, FROM_EXPONENTIALS, masked, r.row[k].e, r.row[k], r.to[k], inverse, scale, mean);
    }
}
static NOINLINE void gradient_rows(int log, Results r, const Finish *f, V scale) {
    if (log)
        r.row[0].mask ? gradients_of_rows(1, 1, r, f, scale) : gradients_of_rows(1, 0, r, f, scale);
    else
        r.row[0].mask ? gradients_of_rows(0, 1, r, f, scale) : gradients_of_rows(0, 0, r, f, scale);
}

static void finish_entries(const Call *c, Results r, const Finish *f) {
    if (c->what == SOFTMAX || c->what == WEIGHTED || c->what == LOSS)
        multiply_rows(r, f);
    else if (c->what == LOG_SOFTMAX)
        subtract_rows(c, r, f);
    else
        gradient_rows(is_log(c->what), r, f, c->s.factor);
    for (size_t k = 0; k < r.count && r.row[0].mask; k++) {
        const T scale = f->scale[r.first + k];
        for (size_t j = 0; j < r.row[k].n && !(scale - scale == 0); j++)
            if (!r.row[k].mask[j]) r.to[k][j] = 0; /* not NaN, as the rest of the row is */
    }
}

/* Let a row be of copies where entries, gradients or the mask are not contiguous. */
static void copy_strided(Entries e, Row grad, T *room, T *grads, char *bytes, Span *row) {
    for (size_t j = 0; j < e.n && e.step != 1; j++) room[j] = e.x[(ptrdiff_t)j * e.step];
    for (size_t j = 0; j < e.n && grad.at && grad.step != 1; j++) grads[j] = grad.at[(ptrdiff_t)j * grad.step];
    for (size_t j = 0; j < e.n && e.mask && e.mask_step != 1; j++) bytes[j] = e.mask[(ptrdiff_t)j * e.mask_step];
    if (e.step != 1) row->x = room;
    if (grad.at && grad.step != 1) row->grad = grads;
    if (e.mask && e.mask_step != 1) row->mask = bytes;
}

static inline size_t whole_pairs(size_t n) { return (n + PAIR - 1) / PAIR * PAIR; }

/* Where rows are read from, and where their exponentials go. A row that is not contiguous is copied. */
static void place_rows(const Call *c, Buffers *f, size_t first, Rows *b, Stream *stream) {
    const size_t pitch = whole_pairs(c->n);
    const int keeps = c->what == SOFTMAX || c->what == WEIGHTED || (c->what == LOSS && c->out.data);
    const int fits = c->n <= ROW_CHUNK, in_out = keeps && !fits && c->n < LONG_ROW && !stream, graded = is_backward(c->what);
    for (size_t i = 0; i < b->count; i++) {
        const Entries e = entries_of(c, first + i);
        Span *row = b->row + i;
        T *const room = f->e + (fits ? i * pitch : 0), *const grads = f->grad + (fits ? i * pitch : 0);
        char *const bytes = f->mask + (fits ? i * pitch : 0);
        const Row grad = graded ? row_of(c->first, first + i) : (Row){NULL, 1};
        *row = (Span){e.x, grad.at, e.mask, fits && room < f->e + 2 * ROOM ? room : in_out ? entry_at(c->out, first + i) : NULL, e.n, 0, c->is_large ? FAR_AHEAD : AHEAD};
        copy_strided(e, grad, room, grads, bytes, row);
    }
}

/* A row that is longer than a buffer, and whose exponentials are taken once more; or whose results are streamed */
static void finish_by_chunks(const Call *c, Buffers *f, const Rows *b, size_t first, size_t i, const Finish *by,
                             Stream *stream) {
    T *const out = row_of(c->out, first + i).at;
    Lanes lanes;
    for (size_t start = 0; start < b->row[i].n; start += ROW_CHUNK) {
        Span part = b->row[i];
        const size_t left = part.n - start;
        T *to = stream ? stream_room(stream) : out + start;
        part.x += start;
        part.n = left < ROW_CHUNK ? left : (size_t)ROW_CHUNK;
        part.e = f->e;
        if (part.grad) part.grad += start;
        if (part.mask) part.mask += start;
        if (c->what != LOG_SOFTMAX)
            add_row_by(ALL, c, part, (Shift){C(b->bias[i]), C(b->floor[i])}, stream, &lanes);
        finish_entries(c, (Results){&part, &to, i, 1}, by);
        if (stream) stream_put(stream, out + start, part.n);
    }
}

/* The results of a batch, to the room of a stream, to memory, or through a buffer. Entries beyond the limit are masked. */
static void finish_batch(const Call *c, Buffers *f, const Rows *b, size_t first, const Finish *by, Stream *stream) {
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
            if (row.ahead == FAR_AHEAD) pair_ahead(row.grad + i, FAR_AHEAD);
            if (row.ahead == FAR_AHEAD && !log) pair_ahead(row.x + i, FAR_AHEAD);
            add_dots(log, masked, 1, row, i, dot);
        }
        if (i < end) add_dots(log, masked, 0, row, i, dot), i = end;
        total = add_carried(total, dot[0] + dot[1], &carry);
    }
    return total;
}
static NOINLINE V sum_row(Span row) { return row.mask ? dot_by(1, 1, row) : dot_by(1, 0, row); }

/* The means of the gradients, times the scale. 0 where a row is left to exact_row. */
static int means_of(const Call *c, const Rows *b, V sum, V *mean) {
    V dots[LANES];
    for (size_t i = 0; i < LANES; i++) dots[i] = C(0);
    for (size_t i = 0; i < b->count; i++)
        if (is_log(c->what))
            dots[i] = sum_row(b->row[i]);
        else
            dots[i] = b->dot[i];
    V m = sums_of(0, 0, dots);
    if (!is_log(c->what)) m = SELECT(GT(sum, C(0)), m / sum, m);
    *mean = SELECT(FIRST(b->count), m * c->s.factor, C(0));
    return !is_left(0, *mean);
}

/* The sums of a batch in two parts, with the sinks. 0 where a row is left to exact_row. */
static int sums_of_batch(int what, const Call *c, size_t first, Rows *b, Stream *stream, V *sum, V *low, V *max) {
    if (!add_batch(what, c, first, b, stream)) return 0;
    fold_batch(what, c->n > ROW_CHUNK, b, sum, low, max);
    if (!c->sink.data) return 1;
    add_sinks(exp_by(sinks_of(c, first, b->count), scale_by(1), (Shift){LOAD(b->bias), LOAD(b->floor)}), sum, low);
    return 1;
}

static NOINLINE int along_batch(const Call *c, Buffers *f, size_t first, size_t count, Stream *stream) {
    Rows b;
    Finish by = {.apart = 0};
    V sum = C(1), rest, max, mean = C(0), weight = C(1);
    Factor factor = {C(1), C(0), C(0)};
    b.count = count;
    place_rows(c, f, first, &b, stream);
    for (size_t i = 0; i < LANES; i++) b.bias[i] = b.floor[i] = 0;
    if (needs_rest(c->what)) {
        if (!sums_of_batch(c->scale < 0 ? LESSER_OF_NEGATIVE : LESSER, c, first, &b, stream, &sum, &rest, &max)) return 0;
        STORE(by.log, log_of_rest(sum, rest, max, c->size, (Shift){LOAD(b.bias), C(0)}));
        STORE(by.max, max);
        for (size_t i = 0; i < count && c->what == LOGSUMEXP; i++)
            put_logsumexp(c, first + i, by.max[i] + b.shift[i], by.log[i]);
        if (c->what == LOGSUMEXP) return 1;
    } else {
        if (c->what == WEIGHTED) weight = numbers_of(c->first, first, count);
        for (size_t i = 0; i < count && c->what == WEIGHTED; i++)
            if (!is_ordinary(*entry_at(c->first, first + i))) return 0;
        if (!sums_of_batch(c->what == SOFTMAX_BACKWARD ? ALL_AND_DOT : ALL, c, first, &b, stream, &sum, &rest, NULL))
            return 0;
        factor = quotient_of(weight, sum, rest);
        by.apart = !is_backward(c->what) && (b.apart || has_small_factor(SELECT(FIRST(count), factor.scale, C(1))));
    }
    if (is_backward(c->what) && !means_of(c, &b, sum, &mean)) return 0;
    STORE(by.scale, factor.scale);
    STORE(by.low, factor.low);
    if (by.apart) powers_apart(by.scale, by.low, by.power, LANES);
    STORE(by.means, mean);
    finish_batch(c, f, &b, first, &by, stream);
    return 1;
}

/* How many rows go together: as many as the buffers hold; or as L1, where they are only read */
static Batches batches_along(const Call *c, int streaming) {
    const int reads = c->what == LOG_SOFTMAX || c->what == LOGSUMEXP, graded = is_backward(c->what);
    const int copied = c->x.inner != sizeof(T) || (graded && c->first.inner != sizeof(T)) || !has_whole_mask(c);
    const size_t room = (copied || streaming ? 1 : reads ? 4 : 2) * (size_t)ROOM, fit = c->n <= ROW_CHUNK ? room / whole_pairs(c->n) : 1;
    const size_t most = fit < LANES ? fit : LANES;
    return (Batches){most, most};
}
