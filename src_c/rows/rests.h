/* log(sum(e^x)) of a row from the sum of all exponentials but the largest, which is 1: a small sum then keeps its digits. Rows
 * of up to a chunk go together, as many as there are lanes, and their sums and maxima are folded at the end: one row alone would
 * wait for them. */

enum {
    TOGETHER = 8 * ROW_CHUNK, /* entries that stay in L1 until they are read again */
    REACH = 2 * ROW_CHUNK, /* how far ahead is asked for: 8 Mi elements of 128 columns, .25 ns instead of .27 with half of it */
};

static inline size_t rows_together(size_t n) {
    const size_t fit = n <= ROW_CHUNK ? TOGETHER / n : 1;
    return fit < LANES ? fit : LANES;
}

/* Of each row the sum, in two parts, the maximum, and by what the exponentials were taken */
typedef struct {
    ALIGNED T rest[LOG_ROOM], low[LOG_ROOM], max[LOG_ROOM], shift[LOG_ROOM], k[LOG_ROOM], floor[LOG_ROOM];
} Rests;

/* The exponentials of the lesser entries of some vectors */
static ALWAYS_INLINE void add_lesser(int how, size_t count, const T *x, size_t reach, Shift by, V *seen, V *top, V *sum, V *carry) {
    V e[4];
    for (size_t k = 0; k < count; k++) e[k] = take_lesser(LOAD(x + k * LANES), top + k % 2);
    for (size_t i = 0; i < count * LANES; i += 64 / sizeof(T)) PREFETCH(x + reach + i);
    for (size_t k = 0; k < count; k += 2) row_exps(how, 2, e + k, by, seen);
    for (size_t k = 0; k < count; k += 2) *sum = add_carried(*sum, e[k] + e[k + 1], carry);
}

/* As many rows as there are lanes; 0 where exponentials have to be taken some other way. Rows shorter than two vectors never are moderate. */
static ALWAYS_INLINE int rests_by(int how, const Row *x, size_t rows, size_t n, Rests *r) {
    /* the maxima of the next rows are looked for first, all at once: 8 Mi elements of 1024 columns, .23 ns instead of .28 */
    const size_t reach = how == MODERATELY ? (size_t)REACH : rows * n;
    T buffer[ROW_CHUNK];
    V top[LANES], most[LANES], rest[LANES], carry[LANES], seen = C(0), low;
    for (size_t i = rows; i < LANES; i++) top[i] = most[i] = rest[i] = carry[i] = C(0);
    for (size_t i = 0; i < rows; i++) {
        const Shift by = {C(r->shift[i]), C(r->k[i]), C(r->floor[i])};
        const T *p = chunk_of(x[i], 0, n, buffer);
        V m[2] = {LOAD_SOME(p, n, NOTHING), LOAD_SOME(p + LANES, n > LANES ? n - LANES : 0, NOTHING)}, e[2], sum = C(0), lost = C(0);
        for (size_t k = 0; k < 2 * LANES; k += 64 / sizeof(T)) PREFETCH(p + reach + k);
        size_t j = 2 * LANES;
        for (; j + 4 * LANES <= n; j += 4 * LANES) add_lesser(how, 4, p + j, reach, by, &seen, m, &sum, &lost);
        if (j + 2 * LANES <= n) add_lesser(how, 2, p + j, reach, by, &seen, m, &sum, &lost), j += 2 * LANES;
        for (; j < n; j += LANES) {
            const V read = LOAD_SOME(p + j, n - j, NOTHING);
            const M none = LE(read, NOTHING);
            const V lesser = row_exp(how, SELECT(none, C(0), take_lesser(read, m)), by, &seen);
            sum = add_carried(sum, SELECT(none, C(0), lesser), &lost);
        }
        e[0] = take_lesser(m[1], m);
        e[1] = top[i] = m[0];
        row_exps(how, 2, e, by, &seen);
        if (how == MODERATELY && !is_moderate(seen)) return 0;
        most[i] = e[1];
        rest[i] = add_carried(sum, e[0], &lost);
        carry[i] = lost;
    }
    STORE(r->rest, sums_of_rest(0, 0, 1, most, rest, carry, &low));
    STORE(r->low, low);
    if (how == MODERATELY) STORE(r->max, maxima_of(0, 0, top));
    return 1;
}
static NOINLINE int rests_moderately(const Row *x, size_t rows, size_t n, Rests *r) { return rests_by(MODERATELY, x, rows, n, r); }
static NOINLINE void rests_from_afar(const Row *x, size_t rows, size_t n, Rests *r) { rests_by(FROM_AFAR, x, rows, n, r); }

static void rests_together(const Row *x, size_t rows, size_t n, Rests *r) {
    T buffer[ROW_CHUNK];
    V max[LANES];
    if (rests_moderately(x, rows, n, r)) return;
    for (size_t i = 0; i < LANES; i++) max[i] = i < rows ? maximum_by_lanes(chunk_of(x[i], 0, n, buffer), n) : C(0);
    STORE(r->max, maxima_of(0, 0, max));
    const Shift by = row_shift(LOAD(r->max), RAISED);
    STORE(r->shift, by.shift);
    STORE(r->k, by.k);
    STORE(r->floor, by.floor);
    rests_from_afar(x, rows, n, r);
}

/* log(sum(e^x)) of rows, in two parts */
static NOINLINE void log_sums(const Row *x, size_t rows, size_t n, T *high, T *low) {
    Rests r = {{0}, {0}, {0}, {0}, {0}, {0}};
    T maxima[LOG_ROOM] = {0}, lanes[2][LANES];
    if (n <= ROW_CHUNK) rests_together(x, rows, n, &r);
    for (size_t i = 0; i < rows && n > ROW_CHUNK; i++) {
        const Sum s = rest_of_row(x[i], n);
        STORE(lanes[0], s.by.shift);
        STORE(lanes[1], s.by.k);
        r.rest[i] = s.sum;
        r.low[i] = s.low;
        r.max[i] = s.largest;
        maxima[i] = s.maxima;
        r.shift[i] = lanes[0][0];
        r.k[i] = lanes[1][0];
    }
    logarithms(r.rest, r.low, n > ROW_CHUNK ? maxima : NULL, r.max, r.shift, r.k, high, low, rows);
}
