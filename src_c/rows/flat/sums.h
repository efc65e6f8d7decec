/* Rows of up to 8 vectors. A batch of contiguous rows is whole vectors, and exponentials are taken of
 * these, whichever row an entry belongs to. A look-up brings a number of a row (its sum, its maximum) back to
 * its entries. */

enum { SHORT_ROW = LANES > 1 ? 8 * LANES : 0, SHORT_ROWS = 1024 / sizeof(T) };

/* Rows of n entries; `row_of` is the row, among LANES, of each of their entries; `entries` are all up to a
 * whole vector, or a whole group of LANES rows. */
typedef struct {
    size_t rows, n, entries;
    const int32_t *row_of;
} Group;

/* Rows that are turned fill their last group. */
static inline Group group_of(size_t rows, size_t n, const int32_t *row_of) {
    const size_t filled = is_turned(n) ? (rows + LANES - 1) / LANES * LANES : rows;
    return (Group){rows, n, (filled * n + LANES - 1) / LANES * LANES, row_of};
}

static inline size_t end_of_rows(Group g, size_t i) {
    return i + g.n * LANES < g.entries ? i + g.n * LANES : g.entries;
}

static void number_rows(int32_t *row, size_t n) {
    for (size_t e = 0, i = 0; i < LANES; i++)
        for (size_t j = 0; j < n; j++) row[e++] = (int32_t)i;
}

/* What is found of each row: a sum, the sum of products with another, the largest entry; or the sum of
 * entries that are not negative, or of all but a largest, with what rounding takes off. */
enum { SUM, DOT, LARGEST, TOTAL, REST };

static ALWAYS_INLINE V reduced(int what, int folds, int odd, int has_two, V *r, V *rest, V *carry, V *low) {
    if (what == LARGEST) return maxima_of(folds, odd, r);
    if (what == TOTAL) return sums_in_parts(folds, odd, has_two, r, carry, low);
    if (what == REST) return sums_of_rest(folds, odd, has_two, r, rest, carry, low);
    return sums_of(folds, odd, r);
}

/* Where these go: the number of each row; and of sums of exponentials, what rounding takes off */
typedef struct {
    T *result, *low;
} Reduced;

static ALWAYS_INLINE void put_reduced(int what, Reduced to, size_t at, V result, V low) {
    STORE(to.result + at, result);
    if (what >= TOTAL) STORE(to.low + at, low);
}

#ifdef TURNS
static ALWAYS_INLINE V turned_rows(int what, int folds, int odd, const T *p, const T *q, V *low) {
    V r[TURNED], rest[TURNED], carry[TURNED];
    carry[0] = C(0); /* of 2 entries, which meet at once */
    UNROLLED for (int i = 0; i < odd << folds; i++) {
        r[i] = LOAD(p + LANES * i);
        if (what == DOT) r[i] = r[i] * LOAD(q + LANES * i);
    }
    return reduced(what, folds, odd, 0, r, rest, carry, low);
}

/* The constants of a turn stay in registers while it goes through all groups. */
static ALWAYS_INLINE void turned(int what, int folds, int odd, const T *p, const T *q, Group g, Reduced to) {
    for (size_t at = 0; at < g.rows; at += LANES, p += g.n * LANES, q += g.n * LANES) {
        V low = C(0);
        const V all = turned_rows(what, folds, odd, p, q, &low);
        put_reduced(what, to, at, all, low);
    }
}

/* 0 where rows of so many entries are not turned */
static ALWAYS_INLINE int turn_rows(int what, const T *p, const T *q, Group g, Reduced to) {
    switch (g.n) {
    case 2: turned(what, 1, 1, p, q, g, to); return 1;
    case 3: turned(what, 0, 3, p, q, g, to); return 1;
    case 4: turned(what, 2, 1, p, q, g, to); return 1;
    case 5: turned(what, 0, 5, p, q, g, to); return 1;
    case 6: turned(what, 1, 3, p, q, g, to); return 1;
    case 7: turned(what, 0, 7, p, q, g, to); return 1;
    case 9: turned(what, 0, 9, p, q, g, to); return 1;
    case 10: turned(what, 1, 5, p, q, g, to); return 1;
    case 11: turned(what, 0, 11, p, q, g, to); return 1;
    case 12: turned(what, 2, 3, p, q, g, to); return 1;
    }
    return 0;
}
#else
static inline int turn_rows(int what, const T *p, const T *q, Group g, Reduced to) {
    return (void)what, (void)p, (void)q, (void)g, (void)to, 0;
}
#endif

/* The sums of a row of several vectors, by lanes */
static ALWAYS_INLINE void add_vectors(int what, const T *p, const T *q, size_t n, V *sum, V *most, V *carry) {
    const V fill = what == LARGEST ? NOTHING : C(0);
    V s = LOAD(p), top = s, lost = C(0), other = C(0); /* two sums take turns, as in along/output.h */
    if (what == DOT) s = s * LOAD(q);
    if (what == REST) s = C(0);
    for (size_t j = LANES; j < n; j += LANES) {
        const V a = load_lanes(j + LANES <= n, p + j, n - j, fill);
        const V b = what == DOT ? load_lanes(j + LANES <= n, q + j, n - j, fill) : a;
        if (what == SUM || what == DOT) {
            V next = other + a;
            if (what == DOT) next = FMA(a, b, other);
            other = s;
            s = next;
        }
        if (what == LARGEST) s = MAX(a, s);
        if (what == TOTAL) s = add_carried(s, a, &lost);
        if (what == REST) s = add_exactly(s, take_lesser(a, &top), &lost);
    }
    *sum = s;
    if (what == SUM || what == DOT) *sum = s + other;
    *most = top;
    *carry = lost;
}

/* `count` rows of up to LANES, each of one vector or of several, the last of which may be partial. The
 * pointers walk from row to row: GCC would keep the addresses by index in memory. */
static ALWAYS_INLINE V short_rows(int what, int several, const T *p, const T *q, size_t n, size_t count,
                                  V *low) {
    const V fill = what == LARGEST ? NOTHING : C(0);
    V r[LANES], rest[LANES], carry[LANES];
    for (size_t i = count; i < LANES; i++) r[i] = rest[i] = carry[i] = C(0);
    if (several && what == REST)
        ROLLED for (size_t i = 0; i < count; i++, p += n)
            add_vectors(what, p, q, n, rest + i, r + i, carry + i);
    else if (several)
        UNROLLED for (size_t i = 0; i < count; i++, p += n, q += n)
            add_vectors(what, p, q, n, r + i, rest + i, carry + i);
    else
        UNROLLED for (size_t i = 0; i < count; i++, p += n, q += n) {
            r[i] = LOAD_SOME(p, n, fill);
            if (what == DOT) r[i] = r[i] * LOAD_SOME(q, n, fill);
            carry[i] = rest[i] = C(0);
        }
    return reduced(what, 0, 0, several, r, rest, carry, low);
}

static ALWAYS_INLINE void reduce_rows(int what, const T *p, const T *q, Group g, Reduced to) {
    if (is_turned(g.n) && turn_rows(what, p, q, g, to)) return;
    for (size_t at = 0; at < g.rows; at += LANES, p += g.n * LANES, q += g.n * LANES) {
        const size_t left = g.rows - at < LANES ? g.rows - at : LANES;
        V all, low = C(0);
        if (g.n > LANES && left == LANES)
            all = short_rows(what, 1, p, q, g.n, LANES, &low);
        else if (g.n > LANES)
            all = short_rows(what, 1, p, q, g.n, left, &low);
        else if (left == LANES)
            all = short_rows(what, 0, p, q, g.n, LANES, &low);
        else
            all = short_rows(what, 0, p, q, g.n, left, &low);
        put_reduced(what, to, at, all, low);
    }
}
static NOINLINE void row_sums(const T *p, Group g, T *result) {
    reduce_rows(SUM, p, p, g, (Reduced){result, NULL});
}
static NOINLINE void row_dots(const T *p, const T *q, Group g, T *result) {
    reduce_rows(DOT, p, q, g, (Reduced){result, NULL});
}
static NOINLINE void row_maxima(const T *p, Group g, T *result) {
    reduce_rows(LARGEST, p, p, g, (Reduced){result, NULL});
}
static NOINLINE void row_totals(const T *p, Group g, T *result, T *low) {
    reduce_rows(TOTAL, p, p, g, (Reduced){result, low});
}
static NOINLINE void row_rests(const T *p, Group g, T *result, T *low) {
    reduce_rows(REST, p, p, g, (Reduced){result, low});
}
