/* Short rows, of at most 128 entries, for REAL: a group of LANES rows that follow one another in memory is n whole vectors, and
 * exponentials are taken on those, whatever row an entry is of. A row's number (its sum, its maximum) goes back to its entries by
 * a look-up of each entry's row. Several groups at a time go through each step: what one step stores, the next loads in other
 * pieces, and such loads wait for the stores. */

enum { FN(SHORT_ROW) = 128, FN(SHORT_BUFFER) = 2048, FN(SHORT_ROWS) = 256 };

/* Rows of one call of the functions below: `rows` of n entries, contiguous; `row_of` is the row, within its group, of each entry of a
 * group; `entries` are rows * n up to a whole vector. */
typedef struct {
    size_t rows, n, entries;
    const int32_t *row_of;
} FN(Group);

static inline size_t FN(batch_rows)(size_t n) {
    const size_t rows = FN(SHORT_BUFFER) / (n * LANES) * LANES;
    return rows < FN(SHORT_ROWS) ? rows : (size_t)FN(SHORT_ROWS);
}

static void FN(entry_rows)(int32_t *row, size_t n, size_t rows) {
    size_t e = 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++) row[e++] = (int32_t)i;
    while (e % LANES) row[e++] = 0;
}

/* A loop over vectors: i is the first entry of each, `at` the first row of its group, `of` the rows of its entries within that. */
#define EACH_ENTRY_VECTOR(g)                                                                                              \
    for (size_t at = 0, i = 0, end; at < (g).rows && (end = i + (g).n * LANES < (g).entries ? i + (g).n * LANES : (g).entries); \
         at += LANES)                                                                                                     \
        for (const int32_t *of = (g).row_of; i < end; of += LANES, i += LANES)

/* What is found of each row: its sum, the sum of its products with another, its largest entry, its largest absolute value. */
enum { FN(SUM), FN(DOT), FN(LARGEST), FN(SIZE) };

static ALWAYS_INLINE V FN(include)(int what, V r, V a, V b, V *carry) {
    if (what == FN(DOT)) return FMA(a, b, r);
    if (what == FN(LARGEST)) return MAX(a, r);
    if (what == FN(SIZE)) return MAX(ABS(a), r);
    if (carry) return FN(add_carried)(r, a, carry);
    return r + a;
}

/* The sum (...) of each row, for `count` rows of up to LANES. The pointers walk from row to row: addresses by index made GCC keep 32
 * pointers in memory, .19 ns an entry instead of .11 in the backward pass of 10 columns. */
static ALWAYS_INLINE V FN(reduce_group)(int what, const T **p, const T **q, size_t n, size_t count) {
    const V fill = what == FN(LARGEST) ? NOTHING : C(0);
    const size_t whole = n / LANES * LANES, some = n - whole;
    V r[LANES];
    for (size_t i = count; i < LANES; i++) r[i] = C(0);
    UNROLLED for (size_t i = 0; i < count; i++) {
        V carry = C(0);
        r[i] = fill;
        if (n > LANES)
            for (size_t j = 0; j < whole; j += LANES) r[i] = FN(include)(what, r[i], LOAD(*p + j), LOAD(*q + j), &carry);
        if (n <= LANES)
            r[i] = FN(include)(what, r[i], FN(load_some)(*p, n, fill), FN(load_some)(*q, n, fill), NULL);
        else if (some)
            r[i] = FN(include)(what, r[i], FN(load_some)(*p + whole, some, fill), FN(load_some)(*q + whole, some, fill), &carry);
        if (what == FN(SUM) && n > LANES) r[i] = r[i] - carry;
        *p += n;
        *q += n;
    }
    return what == FN(LARGEST) || what == FN(SIZE) ? FN(maxima)(r) : FN(sums)(r);
}

/* The sum of a row without any rounding but the last */
static T FN(exact_sum)(const T *p, size_t n) {
    V sum = C(0), carry = C(0);
    for (size_t j = 0; j < n; j += LANES) sum = FN(add_carried)(sum, FN(load_some)(p + j, n - j, C(0)), &carry);
    return FN(total)(sum, carry);
}

static ALWAYS_INLINE void FN(reduce_rows)(int what, const T *p, const T *q, FN(Group) g, T *result) {
    size_t at = 0;
    if (what == FN(SUM) && sizeof(T) == sizeof(double) && g.n > 4 * LANES) { /* or softmax of 64 entries and more is off by 4.9 ULP */
        for (size_t r = 0; r < g.rows; r++) result[r] = FN(exact_sum)(p + r * g.n, g.n);
        for (size_t r = g.rows; r % LANES; r++) result[r] = 0;
        return;
    }
    if (g.n <= LANES)
        for (; at + LANES <= g.rows; at += LANES) STORE(result + at, FN(reduce_group)(what, &p, &q, g.n <= LANES ? g.n : LANES, LANES));
    else
        for (; at + LANES <= g.rows; at += LANES) STORE(result + at, FN(reduce_group)(what, &p, &q, g.n, LANES));
    if (at < g.rows) STORE(result + at, FN(reduce_group)(what, &p, &q, g.n, g.rows - at));
}
static APART void FN(row_sums)(const T *p, FN(Group) g, T *result) { FN(reduce_rows)(FN(SUM), p, p, g, result); }
static APART void FN(row_maxima)(const T *p, FN(Group) g, T *result) { FN(reduce_rows)(FN(LARGEST), p, p, g, result); }
static APART void FN(row_sizes)(const T *p, FN(Group) g, T *result) { FN(reduce_rows)(FN(SIZE), p, p, g, result); }
static APART void FN(row_dots)(const T *p, const T *q, FN(Group) g, T *result) { FN(reduce_rows)(FN(DOT), p, q, g, result); }

/* How the exponentials of a group are taken. Rows' maxima are found where they are not moderate, or `wanted`; with `by_maximum` K is
 * theirs in any case. */
static APART int FN(group_range)(const T *x, FN(Group) g, int wanted, int by_maximum, T *max, T *shift, T *k) {
    V size[2] = {C(0), C(0)}; /* two chains of maxima are done sooner than one */
    size_t i = 0;
    for (; i + 2 * LANES <= g.entries; i += 2 * LANES)
        for (size_t c = 0; c < 2; c++) size[c] = MAX(ABS(LOAD(x + i + c * LANES)), size[c]);
    for (; i < g.entries; i += LANES) size[0] = MAX(ABS(LOAD(x + i)), size[0]);
    const int moderate = !by_maximum && OP(largest)(MAX(size[0], size[1])) < FN(MODERATE);
    int near = 1;
    if (wanted || !moderate) FN(row_maxima)(x, g, max);
    for (size_t r = 0; r < g.rows && !moderate; r += LANES) {
        const FN(Shift) by = FN(row_shift)(LOAD(max + r));
        near &= OP(largest)(ABS(by.shift)) == 0;
        STORE(shift + r, by.shift);
        STORE(k + r, by.k);
    }
    for (size_t r = 0; r < g.rows && moderate && wanted; r += LANES) {
        STORE(shift + r, C(0));
        STORE(k + r, C(0));
    }
    return moderate ? FN(MODERATELY) : near ? FN(NEARLY) : FN(FROM_AFAR);
}

static ALWAYS_INLINE V FN(group_exp)(int how, V x, const T *shift, const T *k, const int32_t *of) {
    if (how == FN(MODERATELY)) return FN(moderate_exp)(x);
    if (how == FN(NEARLY)) return FN(exp_by)(x, OP(pick)(k, of));
    return FN(exp_by)(x - OP(pick)(shift, of), OP(pick)(k, of));
}

/* The exponentials; and those of the entries below their row's maximum, 0 for the others, with how many these are */
#define GROUPS(name, how)                                                                                                          \
    static APART void FN(group_##name)(const T *x, T *e, FN(Group) g, const T *shift, const T *k) {                                \
        if (how == FN(MODERATELY))                                                                                                 \
            for (size_t i = 0; i < g.entries; i += LANES) STORE(e + i, FN(moderate_exp)(LOAD(x + i)));                             \
        else                                                                                                                       \
            EACH_ENTRY_VECTOR(g) STORE(e + i, FN(group_exp)(how, LOAD(x + i), shift + at, k + at, of));                            \
    }                                                                                                                              \
    static APART T FN(group_below_##name)(const T *x, T *e, FN(Group) g, const T *max, const T *shift, const T *k) {               \
        V maxima = C(0);                                                                                                           \
        EACH_ENTRY_VECTOR(g) {                                                                                                     \
            const V entry = LOAD(x + i), taken = FN(group_exp)(how, entry, shift + at, k + at, of);                                \
            const M maximal = GE(entry, OP(pick)(max + at, of));                                                                   \
            maxima = maxima + SELECT(maximal, C(1), C(0));                                                                         \
            STORE(e + i, SELECT(maximal, taken - taken, taken)); /* NaN if it is not finite */                                     \
        }                                                                                                                          \
        return OP(sum)(maxima);                                                                                                    \
    }
EACH_HOW(GROUPS)
#undef GROUPS

static void FN(group_exponentials)(const T *x, T *e, FN(Group) g, int by_maximum) {
    T max[FN(SHORT_ROWS)], shift[FN(SHORT_ROWS)], k[FN(SHORT_ROWS)];
    const int how = FN(group_range)(x, g, 0, by_maximum, max, shift, k);
    HOW(how, group, x, e, g, shift, k);
}

static APART void FN(softmax_short)(const T *x, T *out, FN(Group) g, const T *weight) {
    T factor[FN(SHORT_ROWS)];
    FN(group_exponentials)(x, out, g, weight && !FN(are_ordinary)(weight, g.rows));
    FN(row_sums)(out, g, factor);
    for (size_t r = 0; r < g.rows; r += LANES) STORE(factor + r, (weight ? LOAD(weight + r) : C(1)) / LOAD(factor + r));
    EACH_ENTRY_VECTOR(g) STORE(out + i, LOAD(out + i) * OP(pick)(factor + at, of));
}

/* As log_sums does for rows apart. Where no row has two equal maxima, which their number tells, they are not counted by row. */
static APART void FN(short_log_sums)(const T *x, FN(Group) g, T *high, T *low) {
    T e[FN(SHORT_BUFFER)], max[FN(SHORT_ROWS)], k[FN(SHORT_ROWS)], shift[FN(SHORT_ROWS)], below[FN(SHORT_ROWS)], maxima[FN(SHORT_ROWS)];
    const int how = FN(group_range)(x, g, 1, 0, max, shift, k);
    const int ties = HOW(how, group_below, x, e, g, max, shift, k) != (T)g.rows;
    FN(row_sums)(e, g, below);
    for (size_t r = 0; r < g.rows; r += LANES) STORE(maxima + r, C(1));
    if (ties)
        for (size_t r = 0; r < g.rows; r++) {
            maxima[r] = 0;
            for (size_t j = 0; j < g.n; j++) maxima[r] += x[r * g.n + j] >= max[r];
        }
    FN(logarithms)(below, maxima, max, shift, k, high, low, g.rows);
}

static APART void FN(log_softmax_short)(const T *x, T *out, FN(Group) g) {
    T high[FN(SHORT_ROWS)], low[FN(SHORT_ROWS)];
    FN(short_log_sums)(x, g, high, low);
    EACH_ENTRY_VECTOR(g) STORE(out + i, (LOAD(x + i) - OP(pick)(high + at, of)) - OP(pick)(low + at, of));
}

static APART void FN(backward_short)(int of_what, int from_output, const T *grad, const T *y, T *out, FN(Group) g) {
    T e[FN(SHORT_BUFFER)], inverse[FN(SHORT_ROWS)], mean[FN(SHORT_ROWS)];
    const T *p = y;
    if (!from_output) {
        FN(group_exponentials)(y, e, g, 0);
        FN(row_sums)(e, g, inverse);
        for (size_t r = 0; r < g.rows; r += LANES) STORE(inverse + r, C(1) / LOAD(inverse + r));
        EACH_ENTRY_VECTOR(g) STORE(e + i, LOAD(e + i) * OP(pick)(inverse + at, of));
        p = e;
    }
    if (of_what == FN(OF_SOFTMAX))
        FN(row_dots)(p, grad, g, mean);
    else
        FN(row_sums)(grad, g, mean);
    EACH_ENTRY_VECTOR(g) {
        V entry = LOAD(p + i);
        if (from_output && of_what == FN(OF_LOG_SOFTMAX)) entry = FN(exp_by)(entry, C(0));
        STORE(out + i, FN(gradient)(of_what, entry, LOAD(grad + i), OP(pick)(mean + at, of)));
    }
}
