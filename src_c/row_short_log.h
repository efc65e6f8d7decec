/* The logarithms of the softmax of short rows, for REAL: the largest entry is left out of the sums. */

/* A vector of exponentials without those of the largest entries, which are counted; one half added to the other, in double */
static ALWAYS_INLINE f64_v FN(below)(const T *x, const T *e, size_t left, T max, V *maxima) {
    const M maximal = GE(FN(load_some)(x, left, NOTHING), FN(set)(max));
    const V entry = FN(load_some)(e, left, C(0)), below = SELECT(maximal, entry - entry, entry); /* NaN if it is not finite */
    *maxima = *maxima + SELECT(maximal, C(1), C(0));
    f64_v sum = OP(first_half)(below);
    if (left > f64_lanes && sizeof(T) < sizeof(double)) sum = sum + OP(second_half)(below);
    return sum;
}

/* The sums of the exponentials of each row's entries below its maximum, in two parts, for `count` of as many rows as there are lanes in
 * doubles; `maxima` counts the others. In several counters: one chain of additions took 6 cycles of 11 a vector. Where one entry is far
 * ahead its logarithm is this sum: of floats it is taken in double, or the result would be off by up to 3.1 ULP. */
static ALWAYS_INLINE void FN(reduce_below)(const T **x, const T **e, size_t n, size_t count, const T *max, V *maxima, T *result, T *low) {
    f64_v r[f64_lanes];
    for (size_t i = count; i < f64_lanes; i++) r[i] = f64_set(0);
    UNROLLED for (size_t i = 0; i < count; i++) {
        f64_v sum = FN(below)(*x, *e, n, max[i], maxima + i % 4), carry = f64_set(0);
        for (size_t j = LANES; j < n; j += LANES) {
            const f64_v next = FN(below)(*x + j, *e + j, n - j, max[i], maxima + i % 4);
            if (sizeof(T) == sizeof(double))
                sum = f64_add_carried(sum, next, &carry);
            else
                sum = sum + next;
        }
        r[i] = sum;
        if (n > LANES) r[i] = sum - carry;
        *x += n;
        *e += n;
    }
    const f64_v total = f64_sums(r);
    FN(store_doubles)(result, total);
    FN(store_doubles)(low, total - LOAD_DOUBLES(result));
}

static APART T FN(row_sums_below)(const T *x, const T *e, FN(Group) g, const T *max, T *result, T *low) {
    V maxima[4] = {C(0), C(0), C(0), C(0)};
    enum { step = f64_lanes };
    size_t at = 0;
    if (g.n <= LANES)
        for (; at + step <= g.rows; at += step) FN(reduce_below)(&x, &e, g.n <= LANES ? g.n : LANES, step, max + at, maxima, result + at, low + at);
    else
        for (; at + step <= g.rows; at += step) FN(reduce_below)(&x, &e, g.n, step, max + at, maxima, result + at, low + at);
    for (; at < (g.rows + LANES - 1) / LANES * LANES; at += step)
        FN(reduce_below)(&x, &e, g.n, at < g.rows ? g.rows - at : 0, max + at, maxima, result + at, low + at);
    return OP(sum)((maxima[0] + maxima[1]) + (maxima[2] + maxima[3]));
}

/* As log_sums does for rows apart. Where no row has two equal maxima, which their number tells, they are not counted by row. */
static APART void FN(short_log_sums)(const T *x, FN(Group) g, T *high, T *low) {
    T e[FN(SHORT_BUFFER)], below[FN(SHORT_ROWS)], rest[FN(SHORT_ROWS)], maxima[FN(SHORT_ROWS)] = {0};
    FN(Shifts) by;
    FN(group_exponentials)(x, e, g, 0, &by);
    if (by.how == FN(MODERATELY)) {
        FN(row_maxima)(x, g, by.max);
        for (size_t r = 0; r < g.rows; r += LANES) {
            STORE(by.shift + r, C(0));
            STORE(by.k + r, C(0));
        }
    }
    const int ties = FN(row_sums_below)(x, e, g, by.max, below, rest) != (T)g.rows;
    for (size_t r = 0; r < g.rows && ties; r++) {
        size_t count = 0;
        for (size_t j = 0; j < g.n; j++) count += x[r * g.n + j] >= by.max[r];
        maxima[r] = (T)count;
    }
    FN(logarithms)(below, rest, ties ? maxima : NULL, by.max, by.shift, by.k, high, low, g.rows);
}

static APART void FN(subtract_short)(const T *x, FN(Place) out, FN(Group) g, const T *restrict high, const T *restrict low) {
    WRITE_GROUPS(g, out, (LOAD(x + i) - OP(pick)(high + at, of)) - OP(pick)(low + at, of));
}

static void FN(log_softmax_short)(const T *x, FN(Place) out, FN(Group) g) {
    T high[FN(SHORT_ROWS)], low[FN(SHORT_ROWS)];
    FN(short_log_sums)(x, g, high, low);
    FN(subtract_short)(x, out, g, high, low);
}
