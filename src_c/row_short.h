/* Short rows, of at most 64 entries, for REAL: a group of LANES rows that follow one another in memory is n whole vectors.
 * The exponentials are taken on those, whatever row an entry is of; a sum goes back by a look-up of each entry's row. Of the last
 * group only the entries up to a whole vector count. */

enum { FN(SHORT_ROW) = 64, FN(GROUP) = FN(SHORT_ROW) * FN(lanes) };

/* The row within its group of each entry, for the first `rows` rows, to whole vectors. */
static void FN(entry_rows)(int32_t *row, size_t n, size_t rows) {
    size_t e = 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++) row[e++] = (int32_t)i;
    while (e % LANES) row[e++] = 0;
}

static inline T FN(short_sum)(const T *p, size_t n) {
    V sum = FN(load_some)(p, n, C(0)), carry = C(0);
    for (size_t j = LANES; j < n; j += LANES) sum = FN(add_carried)(sum, FN(load_some)(p + j, n - j, C(0)), &carry);
    return FN(sum)(sum - carry);
}

static inline void FN(group_sums)(const T *p, size_t n, T *sums) {
    for (size_t i = 0; i < LANES; i++) sums[i] = FN(short_sum)(p + i * n, n);
}

static inline T FN(short_max)(const T *p, size_t n) {
    V max = FN(load_some)(p, n, C(MINUS_INFINITY));
    for (size_t j = LANES; j < n; j += LANES) max = MAX(max, FN(load_some)(p + j, n - j, C(MINUS_INFINITY)));
    return FN(largest)(max);
}

/* Without a maximum, K = 0, where all |x| < 40: e^40 * 64 is far from overflow, e^-40 / (64 e^40) from underflow. */
static void FN(group_exp)(const T *x, T *e, size_t n, size_t entries, const int32_t *row) {
    V largest = C(0);
    for (size_t i = 0; i < entries; i += LANES) {
        V a = ABS(LOAD(x + i));
        largest = MAX(largest, SELECT(FN(nan)(a), C(0), a));
    }
    if (FN(largest)(largest) < 40) {
        const FN(Shift) none = {C(0), C(0)};
        for (size_t i = 0; i < entries; i += LANES) STORE(e + i, FN(shifted_exp)(LOAD(x + i), none));
        return;
    }
    T shift[LANES], k[LANES];
    for (size_t i = 0; i < LANES; i++) k[i] = FN(short_max)(x + i * n, n);
    const FN(Shift) by = FN(row_shift)(LOAD(k));
    STORE(shift, by.shift);
    STORE(k, by.k);
    for (size_t i = 0; i < entries; i += LANES) {
        const FN(Shift) mine = {FN(pick)(shift, row + i), FN(pick)(k, row + i)};
        STORE(e + i, FN(shifted_exp)(LOAD(x + i), mine));
    }
}

static void FN(softmax_group)(const T *x, T *out, size_t n, size_t entries, const int32_t *row) {
    T inverse[LANES];
    FN(group_exp)(x, out, n, entries, row);
    FN(group_sums)(out, n, inverse);
    STORE(inverse, C(1) / LOAD(inverse));
    for (size_t i = 0; i < entries; i += LANES) STORE(out + i, LOAD(out + i) * FN(pick)(inverse, row + i));
}

static ALWAYS_INLINE void FN(backward_group)(int from_output, const T *grad, const T *y, T *out, size_t n, size_t entries, const int32_t *row) {
    T e[FN(GROUP)], product[FN(GROUP)], inverse[LANES], mean[LANES];
    for (size_t i = entries; i < n * LANES; i++) e[i] = product[i] = 0;
    if (!from_output) {
        FN(group_exp)(y, e, n, entries, row);
        FN(group_sums)(e, n, inverse);
        STORE(inverse, C(1) / LOAD(inverse));
        for (size_t i = 0; i < entries; i += LANES) STORE(e + i, LOAD(e + i) * FN(pick)(inverse, row + i));
        y = e;
    }
    for (size_t i = 0; i < entries; i += LANES) STORE(product + i, LOAD(grad + i) * LOAD(y + i));
    FN(group_sums)(product, n, mean);
    for (size_t i = 0; i < entries; i += LANES) STORE(out + i, LOAD(y + i) * (LOAD(grad + i) - FN(pick)(mean, row + i)));
}
