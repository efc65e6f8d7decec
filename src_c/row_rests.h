/* log(sum(e^x)) of rows apart, for REAL: from the sum of all exponentials but the largest, whose own is 1, so that a small rest keeps its
 * digits. Of rows of up to a chunk, as many as there are lanes go together: sums and maxima stay by lanes until they are folded, since by
 * itself a row waits 100 cycles for each of these. */

enum {
    FN(TOGETHER) = 8 * FN(ROW_CHUNK), /* entries that stay in L1 until they are read again */
    FN(REACH) = 2 * FN(ROW_CHUNK), /* how far ahead is asked for: 8 Mi elements of 128 columns, .25 ns instead of .27 with half of it */
};

static inline size_t FN(rows_together)(size_t n) {
    const size_t fit = n <= FN(ROW_CHUNK) ? FN(TOGETHER) / n : 1;
    return fit < LANES ? fit : LANES;
}

/* Of each row the sum, in two parts, the maximum, and by what the exponentials were taken */
typedef struct {
    ALIGNED T rest[FN(LOG_ROOM)], low[FN(LOG_ROOM)], max[FN(LOG_ROOM)], shift[FN(LOG_ROOM)], k[FN(LOG_ROOM)], floor[FN(LOG_ROOM)];
} FN(Rests);

/* The exponentials of the lesser entries of some vectors */
static ALWAYS_INLINE void FN(add_lesser)(int how, size_t count, const T *x, size_t reach, FN(Shift) by, V *seen, V *top, V *sum, V *carry) {
    V e[4];
    for (size_t k = 0; k < count; k++) e[k] = FN(take_lesser)(LOAD(x + k * LANES), top + k % 2);
    for (size_t i = 0; i < count * LANES; i += 64 / sizeof(T)) PREFETCH(x + reach + i);
    for (size_t k = 0; k < count; k += 2) FN(row_exps)(how, 2, e + k, by, seen);
    for (size_t k = 0; k < count; k += 2) *sum = FN(add_carried)(*sum, e[k] + e[k + 1], carry);
}

/* As many rows as there are lanes; 0 where exponentials have to be taken some other way. Rows shorter than two vectors never are moderate. */
static ALWAYS_INLINE int FN(rests_by)(int how, const FN(Row) *x, size_t rows, size_t n, FN(Rests) *r) {
    /* the maxima of the next rows are looked for first, all at once: 8 Mi elements of 1024 columns, .23 ns instead of .28 */
    const size_t reach = how == FN(MODERATELY) ? (size_t)FN(REACH) : rows * n;
    T buffer[FN(ROW_CHUNK)];
    V top[LANES], most[LANES], rest[LANES], carry[LANES], seen = C(0), low;
    for (size_t i = rows; i < LANES; i++) top[i] = most[i] = rest[i] = carry[i] = C(0);
    for (size_t i = 0; i < rows; i++) {
        const FN(Shift) by = {FN(set)(r->shift[i]), FN(set)(r->k[i]), FN(set)(r->floor[i])};
        const T *p = FN(chunk)(x[i], 0, n, buffer);
        V m[2] = {FN(load_some)(p, n, NOTHING), FN(load_some)(p + LANES, n > LANES ? n - LANES : 0, NOTHING)}, e[2], sum = C(0), lost = C(0);
        for (size_t k = 0; k < 2 * LANES; k += 64 / sizeof(T)) PREFETCH(p + reach + k);
        size_t j = 2 * LANES;
        for (; j + 4 * LANES <= n; j += 4 * LANES) FN(add_lesser)(how, 4, p + j, reach, by, &seen, m, &sum, &lost);
        if (j + 2 * LANES <= n) FN(add_lesser)(how, 2, p + j, reach, by, &seen, m, &sum, &lost), j += 2 * LANES;
        for (; j < n; j += LANES) {
            const V read = FN(load_some)(p + j, n - j, NOTHING);
            const M none = LE(read, NOTHING);
            const V lesser = FN(row_exp)(how, SELECT(none, C(0), FN(take_lesser)(read, m)), by, &seen);
            sum = FN(add_carried)(sum, SELECT(none, C(0), lesser), &lost);
        }
        e[0] = FN(take_lesser)(m[1], m);
        e[1] = top[i] = m[0];
        FN(row_exps)(how, 2, e, by, &seen);
        if (how == FN(MODERATELY) && !FN(is_moderate)(seen)) return 0;
        most[i] = e[1];
        rest[i] = FN(add_carried)(sum, e[0], &lost);
        carry[i] = lost;
    }
    STORE(r->rest, FN(sums_of_rest)(0, 0, 1, most, rest, carry, &low));
    STORE(r->low, low);
    if (how == FN(MODERATELY)) STORE(r->max, FN(maxima)(0, 0, top));
    return 1;
}
static APART int FN(rests_moderately)(const FN(Row) *x, size_t rows, size_t n, FN(Rests) *r) { return FN(rests_by)(FN(MODERATELY), x, rows, n, r); }
static APART void FN(rests_from_afar)(const FN(Row) *x, size_t rows, size_t n, FN(Rests) *r) { FN(rests_by)(FN(FROM_AFAR), x, rows, n, r); }

static void FN(rests_together)(const FN(Row) *x, size_t rows, size_t n, FN(Rests) *r) {
    T buffer[FN(ROW_CHUNK)];
    V max[LANES];
    if (FN(rests_moderately)(x, rows, n, r)) return;
    for (size_t i = 0; i < LANES; i++) max[i] = i < rows ? FN(maximum_by_lanes)(FN(chunk)(x[i], 0, n, buffer), n) : C(0);
    STORE(r->max, FN(maxima)(0, 0, max));
    const FN(Shift) by = FN(row_shift)(LOAD(r->max), FN(RAISED));
    STORE(r->shift, by.shift);
    STORE(r->k, by.k);
    STORE(r->floor, by.floor);
    FN(rests_from_afar)(x, rows, n, r);
}

/* log(sum(e^x)) of rows, in two parts */
static APART void FN(log_sums)(const FN(Row) *x, size_t rows, size_t n, T *high, T *low) {
    FN(Rests) r = {{0}, {0}, {0}, {0}, {0}, {0}};
    T maxima[FN(LOG_ROOM)] = {0}, lanes[2][LANES];
    if (n <= FN(ROW_CHUNK)) FN(rests_together)(x, rows, n, &r);
    for (size_t i = 0; i < rows && n > FN(ROW_CHUNK); i++) {
        const FN(Sum) s = FN(rest_of_row)(x[i], n);
        STORE(lanes[0], s.by.shift);
        STORE(lanes[1], s.by.k);
        r.rest[i] = s.sum;
        r.low[i] = s.low;
        r.max[i] = s.largest;
        maxima[i] = s.maxima;
        r.shift[i] = lanes[0][0];
        r.k[i] = lanes[1][0];
    }
    FN(logarithms)(r.rest, r.low, n > FN(ROW_CHUNK) ? maxima : NULL, r.max, r.shift, r.k, high, low, rows);
}
