/* Contiguous rows of more than two vectors. Up to LANES of them, as many as fit a buffer, go together: their sums are
 * accumulated by lanes, folded at once, and the rows are finished. A row that is longer than a buffer goes by itself. */

/* Sums by lanes. Of log_softmax and its like: the sum of all but the largest entry of each lane, and these, of two vectors
 * side by side: x, or exponentials where these are kept, beside the largest x; at last `top` is the largest exponential. */
typedef struct {
    V sum, carry, top[2], max, dot[2];
} Lanes;

/* From here on, rows of 512 KiB of floats, which leave no room in L2, exponentials are taken twice rather than stored and
 * read again. */
enum { LONG_ROW = 1 << 17 };

/* What is summed: all exponentials, or these and their products with a gradient; all but the largest x; or all but the
 * largest exponential */
enum { ALL, ALL_AND_DOT, LESSER, LESSER_OF_NEGATIVE, KEPT_LESSER };

/* A row: contiguous entries, with a byte of the mask for each, or NULL */
typedef struct {
    const T *x, *grad;
    const char *mask;
    T *e; /* where exponentials are kept, or NULL */
    size_t n;
} Span;

static ALWAYS_INLINE V zero_where(int none, M m, V a) { return none ? SELECT(m, C(0), a) : SELECT(m, a, C(0)); }

/* Two vectors of a row, from entry i on; the last two may be partial. */
static ALWAYS_INLINE void add_pair(int moderately, int masked, int what, int whole, Span row, size_t i, Scale s, Shift by,
                                   V *seen, Lanes *a) {
    const int counted = masked || !whole, lesser = what == LESSER || what == LESSER_OF_NEGATIVE;
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
        if (what == KEPT_LESSER) a->max = MAX(counted ? SELECT(counts[k], v[k], NOTHING) : v[k], a->max);
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
            a->dot[k] = FMA(v[k], masked ? SELECT(counts[k], grad, C(0)) : grad, a->dot[k]);
        }
        if (what == KEPT_LESSER) v[k] = take_lesser(v[k], a->top + k);
    }
    a->sum = add_carried(a->sum, v[0] + v[1], &a->carry);
}

/* Ask for what stands a chunk ahead, in this row or the next. */
static ALWAYS_INLINE void pair_ahead(const T *p) {
    for (size_t i = 0; i < PAIR; i += LINE) PREFETCH(p + ROW_CHUNK + i);
}

/* A row; 0 where it is not moderate. */
static ALWAYS_INLINE int add_row(int moderately, int masked, int what, Span row, Scale s, Shift by, Stream *stream,
                                 Lanes *lanes) {
    const int lesser = what == LESSER || what == LESSER_OF_NEGATIVE;
    const V least = what == KEPT_LESSER ? C(0) : NOTHING;
    Lanes a = {C(0), C(0), {least, least}, NOTHING, {C(0), C(0)}};
    V seen = C(0);
    size_t i = 0;
    if (lesser && !masked && row.n >= PAIR)
        for (; i < PAIR; i += LANES) a.top[i / LANES] = what == LESSER ? LOAD(row.x + i) : -LOAD(row.x + i);
    for (; i + PAIR <= row.n; i += PAIR) {
        pair_ahead(row.x + i);
        if (what == ALL_AND_DOT) pair_ahead(row.grad + i);
        add_pair(moderately, masked, what, 1, row, i, s, by, &seen, &a);
        stream_some(stream, PAIR);
        if (moderately && i % (4 * PAIR) == 0 && !is_moderate(seen)) return 0;
    }
    if (i < row.n) add_pair(moderately, masked, what, 0, row, i, s, by, &seen, &a);
    if (what >= LESSER) {
        V two[2] = {take_lesser(a.top[1], a.top), a.top[0]};
        if (lesser) {
            const M none[2] = {LE(two[0], NOTHING), LE(two[1], NOTHING)};
            a.max = a.top[0];
            for (int k = 0; k < 2; k++) two[k] = SELECT(none[k], C(0), two[k]);
            exps(moderately, 2, two, s, by, &seen);
            for (int k = 0; k < 2; k++) two[k] = SELECT(none[k], C(0), two[k]);
        }
        a.sum = add_carried(a.sum, two[0], &a.carry);
        a.top[0] = two[1];
    }
    *lanes = a;
    return !moderately || is_moderate(seen);
}

/* Rows of a batch: what is found of each, by lanes, and then as numbers. `done` of them have their sums. */
typedef struct {
    size_t count, done;
    int staged, apart; /* x is a copy where exponentials go; not all rows were moderate */
    Span row[LANES];
    Lanes lanes[LANES];
    ALIGNED T shift[LANES], bias[LANES], floor[LANES];
} Rows;

static ALWAYS_INLINE void add_moderate_rows(int masked, int what, Scale s, Rows *b, Stream *stream) {
    const Shift by = no_shift();
    while (b->done < b->count && add_row(1, masked, what, b->row[b->done], s, by, stream, b->lanes + b->done)) b->done++;
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
        add_moderate_rows(0, KEPT_LESSER, c->s, b, stream);
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
        add_row(0, 0, KEPT_LESSER, row, c->s, by, stream, a);
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
    if (over || b->done || *c->wide)
        b->done = 0;
    else
        add_moderately(what, c, b, stream);
    b->apart = b->done < b->count;
    *c->wide = b->apart && !over ? 8 : *c->wide - (*c->wide > 0);
    for (size_t i = b->done; i < b->count; i++) {
        Span row = b->row[i];
        T max = row_maximum(row, sign), largest = max * (T)ABS_OF(c->scale), parts[2][LANES];
        const double sink = sink_of(c, first + i);
        if (sink > largest) largest = (T)sink;
        if (!(ABS_OF(largest) < FAR)) {
            if (c->sink.data || row.n > ROW_CHUNK) return 0;
            for (size_t j = 0; j < row.n; j++) row.e[j] = row.x[j] - sign * max;
            row.x = row.e;
            b->shift[i] = max;
            largest = 0;
        }
        const Shift by = shift_by(C(largest));
        STORE(parts[0], by.bias);
        STORE(parts[1], by.floor);
        b->bias[i] = parts[0][0];
        b->floor[i] = parts[1][0];
        add_row_by(what, c, row, by, stream, b->lanes + i);
    }
    return 1;
}

/* The sums of a batch in two parts, and the largest exponentials and entries where they are left out */
static NOINLINE void fold_batch(int what, const Rows *b, V *sum, V *low, V *top, V *max) {
    V r[LANES], rest[LANES], carry[LANES];
    for (size_t i = 0; i < LANES; i++) {
        const int there = i < b->count;
        r[i] = !there ? C(0) : what >= LESSER ? b->lanes[i].top[0] : b->lanes[i].sum;
        rest[i] = there ? b->lanes[i].sum : C(0);
        carry[i] = there ? b->lanes[i].carry : C(0);
    }
    if (what < LESSER) {
        *sum = sums_in_parts(0, 0, 1, r, carry, low);
        return;
    }
    *sum = sums_of_rest(0, 0, 1, r, rest, carry, low, top);
    for (size_t i = 0; i < LANES; i++) r[i] = i < b->count ? b->lanes[i].max : C(0);
    *max = maxima_of(0, 0, r);
}

static ALWAYS_INLINE void multiply_by(int apart, const T *e, T *out, size_t n, Factor f, Stream *stream) {
    size_t i = 0;
    for (; i + PAIR <= n; i += PAIR) {
        STORE(out + i, times_factor(apart, LOAD(e + i), f));
        STORE(out + i + LANES, times_factor(apart, LOAD(e + i + LANES), f));
        stream_some(stream, LANES);
    }
    for (; i < n; i += LANES) {
        const size_t left = n - i;
        STORE_SOME(out + i, times_factor(apart, LOAD_SOME(e + i, left, C(0)), f), left);
    }
}
static NOINLINE void multiply_row(int apart, const T *e, T *out, size_t n, Factor f, Stream *stream) {
    if (apart)
        multiply_by(1, e, out, n, f, stream);
    else
        multiply_by(0, e, out, n, f, stream);
}

/* (sign x - max) scale - log, and -inf where the mask is 0 */
static ALWAYS_INLINE void subtract_by(int exactly, int masked, Span row, T *out, V sign, V max, Scale s, V log,
                                      Stream *stream) {
    for (size_t i = 0; i < row.n; i += LANES) {
        const size_t left = row.n - i;
        const V x = left < LANES ? LOAD_SOME(row.x + i, left, C(0)) : LOAD(row.x + i);
        V y = log_entry(exactly, FMA(x, sign, -max), s, log);
        if (masked) y = SELECT(KEPT(row.mask + i, left), y, NOTHING);
        if (left < LANES)
            STORE_SOME(out + i, y, left);
        else
            STORE(out + i, y);
        stream_some(stream, LANES);
    }
}
static NOINLINE void subtract_row(const Call *c, Span row, T *out, V max, V log, Stream *stream) {
    const V sign = C(c->scale < 0 ? -1 : 1);
    const Scale s = c->size;
    if (c->scale != (T)c->scale)
        row.mask ? subtract_by(0, 1, row, out, sign, max, s, log, stream)
                 : subtract_by(0, 0, row, out, sign, max, s, log, stream);
    else
        row.mask ? subtract_by(1, 1, row, out, sign, max, s, log, stream)
                 : subtract_by(1, 0, row, out, sign, max, s, log, stream);
}

/* What a gradient is made of: exponentials over their sum, or the output */
enum { FROM_EXPONENTIALS, FROM_OUTPUT };

/* The probabilities of some lanes */
static ALWAYS_INLINE V probability(int log, int from, V p, V inverse, Scale unit) {
    if (from == FROM_EXPONENTIALS) return p * inverse;
    return log ? lifted_exp(p, unit) : p;
}

/* p (scale grad - mean), or scale grad - p mean, from the entries of `row.x`; p and grad are 0 where the mask is. */
static ALWAYS_INLINE void gradients_by(int log, int from, int masked, Span row, T *out, V inverse, V scale, V mean,
                                       Stream *stream) {
    const Scale unit = scale_by(1);
    const V none = log && from == FROM_OUTPUT ? NOTHING : C(0);
    for (size_t i = 0; i < row.n; i += LANES) {
        const size_t left = row.n - i;
        V p = left < LANES ? LOAD_SOME(row.x + i, left, none) : LOAD(row.x + i);
        V grad = left < LANES ? LOAD_SOME(row.grad + i, left, C(0)) : LOAD(row.grad + i);
        if (masked) {
            const M kept = KEPT(row.mask + i, left);
            p = SELECT(kept, p, none);
            grad = SELECT(kept, grad, C(0));
        }
        const V y = gradient_of(log, probability(log, from, p, inverse, unit), grad, scale, mean);
        if (left < LANES)
            STORE_SOME(out + i, y, left);
        else
            STORE(out + i, y);
        stream_some(stream, LANES);
    }
}
static ALWAYS_INLINE void gradients_of(int log, int from, Span row, T *out, V inverse, V scale, V mean, Stream *stream) {
    row.mask ? gradients_by(log, from, 1, row, out, inverse, scale, mean, stream)
             : gradients_by(log, from, 0, row, out, inverse, scale, mean, stream);
}
static NOINLINE void gradient_row(int log, int from, Span row, T *out, V inverse, V scale, V mean, Stream *stream) {
    if (log)
        from ? gradients_of(1, FROM_OUTPUT, row, out, inverse, scale, mean, stream)
             : gradients_of(1, FROM_EXPONENTIALS, row, out, inverse, scale, mean, stream);
    else
        from ? gradients_of(0, FROM_OUTPUT, row, out, inverse, scale, mean, stream)
             : gradients_of(0, FROM_EXPONENTIALS, row, out, inverse, scale, mean, stream);
}

/* The sum of the gradients, or of their products with y, by lanes */
static ALWAYS_INLINE V dot_by(int log, int masked, Span row) {
    V dot[2] = {C(0), C(0)};
    for (size_t i = 0; i < row.n; i += PAIR)
        for (size_t k = 0; k < 2; k++) {
            const size_t at = i + k * LANES, left = at < row.n ? row.n - at : 0;
            V grad = left < LANES ? LOAD_SOME(row.grad + at, left, C(0)) : LOAD(row.grad + at);
            V y = log ? C(1) : left < LANES ? LOAD_SOME(row.x + at, left, C(0)) : LOAD(row.x + at);
            if (masked) {
                const M kept = KEPT(row.mask + at, left);
                grad = SELECT(kept, grad, C(0));
                y = SELECT(kept, y, C(0));
            }
            dot[k] = FMA(y, grad, dot[k]);
        }
    return dot[0] + dot[1];
}
static NOINLINE V dot_row(int log, Span row) {
    if (log) return row.mask ? dot_by(1, 1, row) : dot_by(1, 0, row);
    return row.mask ? dot_by(0, 1, row) : dot_by(0, 0, row);
}

/* Entries of a row of memory, contiguous: where they stand, or in a buffer */
static const T *contiguous(Row a, size_t n, T *buffer) {
    if (a.step == 1) return a.at;
    for (size_t j = 0; j < n; j++) buffer[j] = a.at[(ptrdiff_t)j * a.step];
    return buffer;
}

/* What a row is finished with */
typedef struct {
    int apart;
    Factor factor;
    V max, log, mean;
} Finish;

/* The results of some entries of a row: from their exponentials, or as they are */
static void finish_entries(const Call *c, Span row, T *out, const Finish *f, Stream *stream) {
    if (c->what == SOFTMAX || c->what == WEIGHTED || c->what == LOSS)
        multiply_row(f->apart, row.x, out, row.n, f->factor, stream);
    else if (c->what == LOG_SOFTMAX)
        subtract_row(c, row, out, f->max, f->log, stream);
    else
        gradient_row(is_log(c->what), is_from_output(c->what), row, out, f->factor.scale, c->s.factor, f->mean, stream);
    for (size_t j = 0; j < row.n && row.mask && ANY(IS_NAN(f->factor.scale)); j++)
        if (!row.mask[j]) out[j] = 0; /* not NaN, as the rest of the row is */
}

/* Some entries of a long row; their exponentials, taken once more, where they are wanted and not kept */
static Span part_of(const Call *c, const Rows *b, size_t i, size_t start, T *buffer) {
    Span part = b->row[i];
    Lanes lanes;
    const size_t left = part.n - start;
    part.x += start;
    part.n = left < ROW_CHUNK ? left : (size_t)ROW_CHUNK;
    if (part.grad) part.grad += start;
    if (part.mask) part.mask += start;
    if (c->what == LOG_SOFTMAX || is_from_output(c->what)) return part;
    part.e = buffer;
    add_row_by(ALL, c, part, (Shift){C(b->bias[i]), C(b->floor[i])}, NULL, &lanes);
    part.x = buffer;
    return part;
}

static void finish_row(const Call *c, Buffers *f, const Rows *b, size_t first, size_t i, const Finish *by, Stream *stream) {
    const Row out = row_of(c->out, first + i);
    const int kept = b->row[i].e != NULL, of_exponentials = c->what != LOG_SOFTMAX && !is_from_output(c->what);
    const int whole = kept || (!stream && !of_exponentials);
    const size_t chunk = whole ? c->n : (size_t)ROW_CHUNK;
    const T rest = c->what == LOG_SOFTMAX ? (T)-HUGE_VAL : 0;
    for (size_t start = 0; start < b->row[i].n; start += chunk) {
        Span part = whole ? b->row[i] : part_of(c, b, i, start, f->e);
        if (whole && of_exponentials) part.x = part.e;
        T *to = stream ? stream_room(stream) + (kept ? i * c->n : 0) : out.step == 1 ? out.at + start : f->out;
        finish_entries(c, part, to, by, stream);
        if (stream && !kept) stream_put(stream, out.at + start, part.n);
        for (size_t j = 0; j < part.n && out.step != 1; j++) out.at[(ptrdiff_t)(start + j) * out.step] = to[j];
    }
    if (stream && kept)
        fill_entries(stream_room(stream) + i * c->n, 1, b->row[i].n, c->n, rest);
    else
        fill_entries(out.at, out.step, b->row[i].n, c->n, rest);
}

/* Where rows are read from, and where their exponentials go */
static void place_rows(const Call *c, Buffers *f, size_t first, Rows *b, Stream *stream) {
    const size_t pitch = (c->n + PAIR - 1) / PAIR * PAIR;
    const int keeps = c->what == SOFTMAX || c->what == WEIGHTED || (c->what == LOSS && c->out.data);
    b->staged = c->x.inner != sizeof(T);
    for (size_t i = 0; i < b->count; i++) {
        const Entries e = entries_of(c, first + i);
        Span *row = b->row + i;
        const size_t at = c->n <= ROW_CHUNK ? i * pitch : 0;
        row->n = e.n;
        row->e = c->n <= ROW_CHUNK ? f->e + at : NULL;
        if (keeps && c->n > ROW_CHUNK && c->n < LONG_ROW && !stream) row->e = entry_at(c->out, first + i);
        row->x = contiguous((Row){(T *)e.x, e.step}, e.n, f->e + at);
        row->mask = e.mask && e.mask_step != 1 ? f->mask + at : e.mask;
        for (size_t j = 0; j < e.n && row->mask == f->mask + at; j++) f->mask[at + j] = e.mask[(ptrdiff_t)j * e.mask_step];
        row->grad = is_backward(c->what) ? contiguous(row_of(c->first, first + i), e.n, f->grad + at) : NULL;
    }
}

/* The means of the gradients, times the scale. 0 where a row is left to exact_row. */
static int means_of(const Call *c, const Rows *b, V sum, V *mean) {
    const int log = is_log(c->what), from_output = is_from_output(c->what);
    V dots[LANES];
    for (size_t i = 0; i < LANES; i++) {
        dots[i] = C(0);
        if (i >= b->count) continue;
        dots[i] = b->lanes[i].dot[0] + b->lanes[i].dot[1];
        if (log || from_output) dots[i] = dot_row(log, b->row[i]);
    }
    V m = sums_of(0, 0, dots);
    if (!log && !from_output) m = SELECT(GT(sum, C(0)), m / sum, m);
    *mean = SELECT(FIRST(b->count), m * c->s.factor, C(0));
    if (is_left(log && from_output, *mean)) return 0;
    if (log && from_output) *mean = *mean * C(LOWER);
    return 1;
}

/* The batches of loss.h and of this file begin so: the sums of rows in two parts, with the sinks. 0 where a row is left to
 * exact_row. */
static int sums_of_batch(int what, const Call *c, size_t first, Rows *b, Stream *stream, V *sum, V *low, V *top, V *max) {
    if (!add_batch(what, c, first, b, stream)) return 0;
    fold_batch(what, b, sum, low, top, max);
    if (!c->sink.data) return 1;
    const Scale unit = scale_by(1);
    const V e = exp_by(sinks_of(c, first, b->count), unit, (Shift){LOAD(b->bias), LOAD(b->floor)}), all = *sum + e;
    *low = *low - sum_excess(*sum, e, all);
    *sum = all;
    return 1;
}

/* A batch; 0 where a row is left to exact_row. Nothing is written then. */
static int along_batch(const Call *c, Buffers *f, size_t first, size_t count, Stream *stream) {
    ALIGNED T scale[LANES], low[LANES], power[LANES] = {0}, means[LANES], logs[LANES], tops[LANES];
    Rows b;
    Finish by = {0, {C(0), C(0), C(0)}, C(0), C(0), C(0)};
    V sum = C(1), rest, top, max, mean = C(0);
    Factor factor = {C(1), C(0), C(0)};
    const int negative = c->scale < 0;
    b.count = count;
    place_rows(c, f, first, &b, stream);
    if (needs_rest(c->what)) {
        if (!sums_of_batch(negative ? LESSER_OF_NEGATIVE : LESSER, c, first, &b, stream, &sum, &rest, &top, &max)) return 0;
        STORE(logs, log_of_rest(sum, rest, max, c->size, (Shift){LOAD(b.bias), C(0)}));
        STORE(tops, max);
        for (size_t i = 0; i < count && c->what == LOGSUMEXP; i++) put_logsumexp(c, first + i, tops[i] + b.shift[i], logs[i]);
        if (c->what == LOGSUMEXP) return 1;
    } else if (!is_from_output(c->what)) {
        const int what = c->what == SOFTMAX_BACKWARD ? ALL_AND_DOT : ALL;
        V weight = C(1);
        if (c->what == WEIGHTED) weight = numbers_of(c->first, first, count);
        for (size_t i = 0; i < count && c->what == WEIGHTED; i++)
            if (!is_ordinary(*entry_at(c->first, first + i))) return 0;
        if (!sums_of_batch(what, c, first, &b, stream, &sum, &rest, NULL, NULL)) return 0;
        factor = quotient_of(weight, sum, rest);
        factor.scale = SELECT(LE(sum, C(0)), C(0), factor.scale); /* a row without any entry is 0 */
        by.apart = !is_backward(c->what) && (b.apart || has_small_factor(SELECT(FIRST(count), factor.scale, C(1))));
        if (by.apart) factor = power_apart(factor);
    }
    if (is_backward(c->what) && !means_of(c, &b, sum, &mean)) return 0;
    STORE(scale, factor.scale);
    STORE(low, factor.low);
    if (by.apart) STORE(power, factor.power);
    STORE(means, mean);
    for (size_t i = 0; i < count; i++) {
        by.factor = (Factor){C(scale[i]), C(low[i]), C(power[i])};
        by.mean = C(means[i]);
        if (c->what == LOG_SOFTMAX) by.max = C(tops[i]), by.log = C(logs[i]);
        finish_row(c, f, &b, first, i, &by, stream);
    }
    if (stream && c->n <= ROW_CHUNK) stream_put(stream, entry_at(c->out, first), count * c->n);
    return 1;
}

static NOINLINE void along_rows(const Call *c, Buffers *f, Stream *stream) {
    const size_t pitch = (c->n + PAIR - 1) / PAIR * PAIR, fit = c->n <= ROW_CHUNK ? ROOM / pitch : 1;
    const size_t together = fit < LANES ? fit : LANES;
    for (size_t row = 0, count; row < c->rows; row += count) {
        count = c->rows - row < together ? c->rows - row : together;
        if (along_batch(c, f, row, count, stream)) continue;
        for (size_t r = row; r < row + count; r++) /* each by itself: no other's bits hang on it */
            if (count == 1 || !along_batch(c, f, r, 1, NULL)) exact_row(c, r);
    }
}
