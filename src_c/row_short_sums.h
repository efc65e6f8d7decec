/* Short rows, for REAL: groups of them, and what is found of each row, its sum, its largest entry ... */

enum { FN(SHORT_ROW) = 128, FN(SHORT_BUFFER) = FN(ROOM), FN(SHORT_ROWS) = 256, FN(STREAMED_STEP) = 256 };

/* How many entries go through these functions at a time. Streamed, with next to nothing to compute, memory is to be busy all the time: gradients
 * of 8 Mi elements of 10 columns, .19 ns instead of .24; and with few columns a batch leaves room in L1: softmax of standard deviation 30, .315
 * instead of .375. */
static inline size_t FN(batch_entries)(int streaming, int with_exponentials, size_t n) {
    return !streaming ? (size_t)FN(SHORT_BUFFER) : !with_exponentials ? 640 : n <= 12 ? 1280 : (size_t)FN(SHORT_BUFFER);
}

/* Rows of one call of the functions below: `rows` of n entries, contiguous; `row_of` is the row, within its group, of each entry of a
 * group; `entries` are rows * n up to a whole vector, or a whole group. */
typedef struct {
    size_t rows, n, entries;
    const int32_t *row_of;
} FN(Group);

static inline size_t FN(batch_rows)(size_t entries, size_t n) {
    const size_t rows = entries / (n * LANES) * LANES;
    return rows < FN(SHORT_ROWS) ? rows : (size_t)FN(SHORT_ROWS);
}

/* Rows that are turned fill their last group. */
static inline FN(Group) FN(group)(size_t rows, size_t n, const int32_t *row_of) {
    const size_t filled = FN(is_turned)(n) ? (rows + LANES - 1) / LANES * LANES : rows;
    return (FN(Group)){rows, n, (filled * n + LANES - 1) / LANES * LANES, row_of};
}

static void FN(entry_rows)(int32_t *row, size_t n, size_t rows) {
    size_t e = 0;
    for (size_t i = 0; i < (FN(is_turned)(n) || rows > LANES ? LANES : rows); i++)
        for (size_t j = 0; j < n; j++) row[e++] = (int32_t)i;
    while (e % LANES) row[e++] = 0;
}

/* A loop over vectors: i is the first entry of each, `at` the first row of its group, `of` the rows of its entries within that. What was handed
 * over before (`behind`, or NULL) is streamed meanwhile. */
#define EACH_ENTRY_VECTOR(g, behind, ...)                                                        \
    for (size_t at = 0, i = 0, end; at < (g).rows; at += LANES) {                                \
        const int32_t *of = (g).row_of;                                                          \
        end = i + (g).n * LANES < (g).entries ? i + (g).n * LANES : (g).entries;                 \
        while (i < end) {                                                                        \
            const size_t until = (behind) && i + FN(STREAMED_STEP) < end ? i + FN(STREAMED_STEP) : end;                      \
            for (; i < until; of += LANES, i += LANES) __VA_ARGS__                               \
            FN(stream_behind)(behind, i);                                                        \
        }                                                                                        \
    }

/* What is found of each row: its sum, the sum of its products with another, its largest entry. */
enum { FN(SUM), FN(DOT), FN(LARGEST), FN(TOTAL), FN(REST) };

static ALWAYS_INLINE V FN(include)(int what, V r, V a, V b, V *carry) {
    if (what == FN(DOT)) return FMA(a, b, r);
    if (what == FN(LARGEST)) return MAX(a, r);
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
    return what == FN(LARGEST) ? FN(maxima)(0, 0, r) : FN(sums)(0, 0, r);
}

/* The same for rows of whole groups that are turned, and their totals and rests */
#if CAT(TURNS, REAL)
static ALWAYS_INLINE V FN(turned_group)(int what, int folds, int odd, const T *p, const T *q, V *low) {
    V r[FN(TURNED)], rest[FN(TURNED)], carry[FN(TURNED)];
    carry[0] = C(0); /* of 2 entries, which meet at once */
    UNROLLED for (int i = 0; i < odd << folds; i++) {
        r[i] = LOAD(p + LANES * i);
        if (what == FN(DOT)) r[i] = r[i] * LOAD(q + LANES * i);
    }
    if (what == FN(LARGEST)) return FN(maxima)(folds, odd, r);
    if (what == FN(TOTAL)) return FN(sums_in_parts)(folds, odd, 0, r, carry, low);
    if (what == FN(REST)) return FN(sums_of_rest)(folds, odd, 0, r, rest, carry, low);
    return FN(sums)(folds, odd, r);
}

#define TURN(folds, odd)                                                                              \
    case (odd) << (folds):                                                                            \
        for (size_t at = 0; at < g.rows; at += LANES, p += g.n * LANES, q += g.n * LANES) {           \
            V rest = C(0);                                                                            \
            STORE(result + at, FN(turned_group)(what_, folds, odd, p, q, &rest));                     \
            if (low) STORE(low + at, rest);                                                           \
        }                                                                                             \
        return;
#define TURNED(name, what)                                                                            \
    static APART void FN(turned_##name)(const T *p, const T *q, FN(Group) g, T *result, T *low) {     \
        enum { what_ = what };                                                                        \
        switch (g.n) { EACH_TURN(TURN) }                                                              \
    }
#else
#define TURNED(name, what) \
    static inline void FN(turned_##name)(const T *p, const T *q, FN(Group) g, T *result, T *low) { (void)p, (void)q, (void)g, (void)result, (void)low; }
#endif
TURNED(sums, FN(SUM))
TURNED(dots, FN(DOT))
TURNED(maxima, FN(LARGEST))
TURNED(totals, FN(TOTAL))
TURNED(rests, FN(REST))
#undef TURN
#undef TURNED

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
#define REDUCED(name, what, q, ...)                                         \
    static APART void FN(row_##name)(__VA_ARGS__, FN(Group) g, T *result) { \
        if (FN(is_turned)(g.n))                                             \
            FN(turned_##name)(p, q, g, result, NULL);                       \
        else                                                                \
            FN(reduce_rows)(what, p, q, g, result);                         \
    }
REDUCED(sums, FN(SUM), p, const T *p)
REDUCED(maxima, FN(LARGEST), p, const T *p)
REDUCED(dots, FN(DOT), q, const T *p, const T *q)
#undef REDUCED

/* The sums of `count` rows of up to a vector's lanes, as the result and what that rounds off: if all steps of each sum counted, softmax
 * would be off by up to 5.1 ULP. */
#ifdef HAVE_FOLDS
enum { FN(TOTALS) = LANES };
static ALWAYS_INLINE void FN(total_group)(const T **p, size_t n, size_t count, T *result, T *low) {
    V r[LANES], carry[LANES], rest;
    for (size_t i = count; i < LANES; i++) r[i] = carry[i] = C(0);
    UNROLLED for (size_t i = 0; i < count; i++) {
        V sum = C(0), lost = C(0);
        if (n <= LANES)
            sum = FN(load_some)(*p, n, C(0));
        else {
            const size_t whole = n / LANES * LANES; /* apart: masks for whole vectors took a cycle each */
            for (size_t j = 0; j < whole; j += LANES) sum = FN(add_carried)(sum, LOAD(*p + j), &lost);
            if (whole < n) sum = FN(add_carried)(sum, FN(load_some)(*p + whole, n - whole, C(0)), &lost);
        }
        r[i] = sum;
        carry[i] = lost;
        *p += n;
    }
    STORE(result, FN(sums_in_parts)(0, 0, n > LANES, r, carry, &rest));
    STORE(low, rest);
}
#else
enum { FN(TOTALS) = f64_lanes };
static ALWAYS_INLINE void FN(total_group)(const T **p, size_t n, size_t count, T *result, T *low) {
    f64_v r[f64_lanes];
    for (size_t i = count; i < f64_lanes; i++) r[i] = f64_set(0);
    UNROLLED for (size_t i = 0; i < count; i++) {
        r[i] = f64_set(0);
        for (size_t j = 0; j < n; j += LANES) {
            const V entry = FN(load_some)(*p + j, n - j, C(0));
            r[i] = r[i] + OP(first_half)(entry);
            if (n - j > f64_lanes) r[i] = r[i] + OP(second_half)(entry);
        }
        *p += n;
    }
    const f64_v sum = f64_sums(0, 0, r);
    FN(store_doubles)(result, sum);
    FN(store_doubles)(low, sum - LOAD_DOUBLES(result));
}
#endif

static APART void FN(row_totals)(const T *p, FN(Group) g, T *result, T *low) {
    if (sizeof(T) == sizeof(double)) {
        FN(row_sums)(p, g, result);
        for (size_t r = 0; r < g.rows; r += LANES) STORE(low + r, C(0));
        return;
    }
    if (FN(is_turned)(g.n)) {
        FN(turned_totals)(p, p, g, result, low);
        return;
    }
    size_t at = 0;
    if (g.n <= LANES)
        for (; at + FN(TOTALS) <= g.rows; at += FN(TOTALS)) FN(total_group)(&p, g.n <= LANES ? g.n : LANES, FN(TOTALS), result + at, low + at);
    else
        for (; at + FN(TOTALS) <= g.rows; at += FN(TOTALS)) FN(total_group)(&p, g.n, FN(TOTALS), result + at, low + at);
    for (; at < (g.rows + LANES - 1) / LANES * LANES; at += FN(TOTALS))
        FN(total_group)(&p, g.n, at < g.rows ? g.rows - at : 0, result + at, low + at);
}
