/* Groups of short rows, and the numbers of each row: its sum, its largest entry ... */

enum { SHORT_ROW = 128, SHORT_BUFFER = ROOM, SHORT_ROWS = 256, STREAMED_STEP = 256 };

/* How many entries go through these functions at a time. Streamed, with next to nothing to compute, memory is to be busy all the time: gradients
 * of 8 Mi elements of 10 columns, .19 ns instead of .24; and with few columns a batch leaves room in L1: softmax of standard deviation 30, .315
 * instead of .375. */
static inline size_t batch_entries(int streaming, int with_exponentials, size_t n) {
    return !streaming ? (size_t)SHORT_BUFFER : !with_exponentials ? 640 : n <= 12 && SHORT_BUFFER > 1280 ? 1280 : (size_t)SHORT_BUFFER;
}

/* Rows of one call of the functions below: `rows` of n entries, contiguous; `row_of` is the row, within its group, of each entry of a
 * group; `entries` are rows * n up to a whole vector, or a whole group. */
typedef struct {
    size_t rows, n, entries;
    const int32_t *row_of;
} Group;

static inline size_t batch_rows(size_t entries, size_t n) {
    const size_t rows = entries / (n * LANES) * LANES;
    return rows < SHORT_ROWS ? rows : (size_t)SHORT_ROWS;
}

/* Rows that are turned fill their last group. */
static inline Group group_of(size_t rows, size_t n, const int32_t *row_of) {
    const size_t filled = is_turned(n) ? (rows + LANES - 1) / LANES * LANES : rows;
    return (Group){rows, n, (filled * n + LANES - 1) / LANES * LANES, row_of};
}

static void entry_rows(int32_t *row, size_t n, size_t rows) {
    size_t e = 0;
    for (size_t i = 0; i < (is_turned(n) || rows > LANES ? LANES : rows); i++)
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
            const size_t until = (behind) && i + STREAMED_STEP < end ? i + STREAMED_STEP : end;                      \
            for (; i < until; of += LANES, i += LANES) __VA_ARGS__                               \
            stream_behind(behind, i);                                                        \
        }                                                                                        \
    }

/* What is found of each row: its sum, the sum of its products with another, its largest entry. */
enum { SUM, DOT, LARGEST, TOTAL, REST };

static ALWAYS_INLINE V include_entry(int what, V r, V a, V b, V *carry) {
    if (what == DOT) return FMA(a, b, r);
    if (what == LARGEST) return MAX(a, r);
    if (carry) return add_carried(r, a, carry);
    return r + a;
}

/* The sum (...) of each row, for `count` rows of up to LANES. The pointers walk from row to row: addresses by index made GCC keep 32
 * pointers in memory, .19 ns an entry instead of .11 in the backward pass of 10 columns. */
static ALWAYS_INLINE V reduce_group(int what, const T **p, const T **q, size_t n, size_t count) {
    const V fill = what == LARGEST ? NOTHING : C(0);
    const size_t whole = n / LANES * LANES, some = n - whole;
    V r[LANES];
    for (size_t i = count; i < LANES; i++) r[i] = C(0);
    UNROLLED for (size_t i = 0; i < count; i++) {
        V carry = C(0);
        r[i] = fill;
        if (n > LANES)
            for (size_t j = 0; j < whole; j += LANES) r[i] = include_entry(what, r[i], LOAD(*p + j), LOAD(*q + j), &carry);
        if (n <= LANES)
            r[i] = include_entry(what, r[i], LOAD_SOME(*p, n, fill), LOAD_SOME(*q, n, fill), NULL);
        else if (some)
            r[i] = include_entry(what, r[i], LOAD_SOME(*p + whole, some, fill), LOAD_SOME(*q + whole, some, fill), &carry);
        if (what == SUM && n > LANES) r[i] = r[i] - carry;
        *p += n;
        *q += n;
    }
    return what == LARGEST ? maxima_of(0, 0, r) : sums_of(0, 0, r);
}

/* The same for rows of whole groups that are turned, and their totals and rests */
#ifdef TURNS
static ALWAYS_INLINE V turned_group(int what, int folds, int odd, const T *p, const T *q, V *low) {
    V r[TURNED], rest[TURNED], carry[TURNED];
    carry[0] = C(0); /* of 2 entries, which meet at once */
    UNROLLED for (int i = 0; i < odd << folds; i++) {
        r[i] = LOAD(p + LANES * i);
        if (what == DOT) r[i] = r[i] * LOAD(q + LANES * i);
    }
    if (what == LARGEST) return maxima_of(folds, odd, r);
    if (what == TOTAL) return sums_in_parts(folds, odd, 0, r, carry, low);
    if (what == REST) return sums_of_rest(folds, odd, 0, r, rest, carry, low);
    return sums_of(folds, odd, r);
}

#define TURN(folds, odd)                                                                              \
    case (odd) << (folds):                                                                            \
        for (size_t at = 0; at < g.rows; at += LANES, p += g.n * LANES, q += g.n * LANES) {           \
            V rest = C(0);                                                                            \
            STORE(result + at, turned_group(what_, folds, odd, p, q, &rest));                     \
            if (low) STORE(low + at, rest);                                                           \
        }                                                                                             \
        return;
static NOINLINE void turned_sums(const T *p, const T *q, Group g, T *result, T *low) {
    enum { what_ = SUM };
    switch (g.n) { EACH_TURN(TURN) }
}

static NOINLINE void turned_dots(const T *p, const T *q, Group g, T *result, T *low) {
    enum { what_ = DOT };
    switch (g.n) { EACH_TURN(TURN) }
}

static NOINLINE void turned_maxima(const T *p, const T *q, Group g, T *result, T *low) {
    enum { what_ = LARGEST };
    switch (g.n) { EACH_TURN(TURN) }
}

static NOINLINE void turned_totals(const T *p, const T *q, Group g, T *result, T *low) {
    enum { what_ = TOTAL };
    switch (g.n) { EACH_TURN(TURN) }
}

static NOINLINE void turned_rests(const T *p, const T *q, Group g, T *result, T *low) {
    enum { what_ = REST };
    switch (g.n) { EACH_TURN(TURN) }
}
#undef TURN
#else
static inline void turned_sums(const T *p, const T *q, Group g, T *result, T *low) { (void)p, (void)q, (void)g, (void)result, (void)low; }
static inline void turned_dots(const T *p, const T *q, Group g, T *result, T *low) { (void)p, (void)q, (void)g, (void)result, (void)low; }
static inline void turned_maxima(const T *p, const T *q, Group g, T *result, T *low) { (void)p, (void)q, (void)g, (void)result, (void)low; }
static inline void turned_totals(const T *p, const T *q, Group g, T *result, T *low) { (void)p, (void)q, (void)g, (void)result, (void)low; }
static inline void turned_rests(const T *p, const T *q, Group g, T *result, T *low) { (void)p, (void)q, (void)g, (void)result, (void)low; }
#endif

/* The sum of a row without any rounding but the last */
static T exact_sum(const T *p, size_t n) {
    V sum = C(0), carry = C(0);
    for (size_t j = 0; j < n; j += LANES) sum = add_carried(sum, LOAD_SOME(p + j, n - j, C(0)), &carry);
    return total_of(sum, carry);
}

static ALWAYS_INLINE void reduce_rows(int what, const T *p, const T *q, Group g, T *result) {
    size_t at = 0;
    if (what == SUM && sizeof(T) == sizeof(double) && g.n > 4 * LANES) { /* or softmax of 64 entries and more is off by 4.9 ULP */
        for (size_t r = 0; r < g.rows; r++) result[r] = exact_sum(p + r * g.n, g.n);
        for (size_t r = g.rows; r % LANES; r++) result[r] = 0;
        return;
    }
    if (g.n <= LANES)
        for (; at + LANES <= g.rows; at += LANES) STORE(result + at, reduce_group(what, &p, &q, g.n <= LANES ? g.n : LANES, LANES));
    else
        for (; at + LANES <= g.rows; at += LANES) STORE(result + at, reduce_group(what, &p, &q, g.n, LANES));
    if (at < g.rows) STORE(result + at, reduce_group(what, &p, &q, g.n, g.rows - at));
}
static NOINLINE void row_sums(const T *p, Group g, T *result) {
    if (is_turned(g.n))
        turned_sums(p, p, g, result, NULL);
    else
        reduce_rows(SUM, p, p, g, result);
}
static NOINLINE void row_maxima(const T *p, Group g, T *result) {
    if (is_turned(g.n))
        turned_maxima(p, p, g, result, NULL);
    else
        reduce_rows(LARGEST, p, p, g, result);
}
static NOINLINE void row_dots(const T *p, const T *q, Group g, T *result) {
    if (is_turned(g.n))
        turned_dots(p, q, g, result, NULL);
    else
        reduce_rows(DOT, p, q, g, result);
}

/* The sums of `count` rows of up to a vector's lanes, as the result and what that rounds off: if all steps of each sum counted, softmax
 * would be off by up to 5.1 ULP. */
#ifdef HAVE_FOLDS
enum { TOTALS = LANES };
static ALWAYS_INLINE void total_group(const T **p, size_t n, size_t count, T *result, T *low) {
    V r[LANES], carry[LANES], rest;
    for (size_t i = count; i < LANES; i++) r[i] = carry[i] = C(0);
    UNROLLED for (size_t i = 0; i < count; i++) {
        V sum = C(0), lost = C(0);
        if (n <= LANES)
            sum = LOAD_SOME(*p, n, C(0));
        else {
            const size_t whole = n / LANES * LANES; /* apart: masks for whole vectors took a cycle each */
            for (size_t j = 0; j < whole; j += LANES) sum = add_carried(sum, LOAD(*p + j), &lost);
            if (whole < n) sum = add_carried(sum, LOAD_SOME(*p + whole, n - whole, C(0)), &lost);
        }
        r[i] = sum;
        carry[i] = lost;
        *p += n;
    }
    STORE(result, sums_in_parts(0, 0, n > LANES, r, carry, &rest));
    STORE(low, rest);
}
#else
enum { TOTALS = f64_lanes };
static ALWAYS_INLINE void total_group(const T **p, size_t n, size_t count, T *result, T *low) {
    f64_v r[f64_lanes];
    for (size_t i = count; i < f64_lanes; i++) r[i] = f64_set(0);
    UNROLLED for (size_t i = 0; i < count; i++) {
        r[i] = f64_set(0);
        for (size_t j = 0; j < n; j += LANES) {
            const V entry = LOAD_SOME(*p + j, n - j, C(0));
            r[i] = r[i] + FIRST_HALF(entry);
            if (n - j > f64_lanes) r[i] = r[i] + SECOND_HALF(entry);
        }
        *p += n;
    }
    const f64_v sum = f64_sums(r);
    STORE_DOUBLES(result, sum);
    STORE_DOUBLES(low, sum - LOAD_DOUBLES(result));
}
#endif

static NOINLINE void row_totals(const T *p, Group g, T *result, T *low) {
    if (sizeof(T) == sizeof(double)) {
        row_sums(p, g, result);
        for (size_t r = 0; r < g.rows; r += LANES) STORE(low + r, C(0));
        return;
    }
    if (is_turned(g.n)) {
        turned_totals(p, p, g, result, low);
        return;
    }
    size_t at = 0;
    if (g.n <= LANES)
        for (; at + TOTALS <= g.rows; at += TOTALS) total_group(&p, g.n <= LANES ? g.n : LANES, TOTALS, result + at, low + at);
    else
        for (; at + TOTALS <= g.rows; at += TOTALS) total_group(&p, g.n, TOTALS, result + at, low + at);
    for (; at < (g.rows + LANES - 1) / LANES * LANES; at += TOTALS)
        total_group(&p, g.n, at < g.rows ? g.rows - at : 0, result + at, low + at);
}
