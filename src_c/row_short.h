/* Short rows, of at most 128 entries, for REAL: a group of LANES rows that follow one another in memory is n whole vectors, and
 * exponentials are taken on those, whatever row an entry is of. A row's number (its sum, its maximum) goes back to its entries by
 * a look-up of each entry's row. Several groups at a time go through each step: what one step stores, the next loads in other
 * pieces, and such loads wait for the stores. */

enum { FN(SHORT_ROW) = 128, FN(SHORT_BUFFER) = 2048, FN(SHORT_ROWS) = 256 };

/* Rows of one call of the functions below: `rows` of n entries, contiguous; `row_of` is the row, within its group, of each entry of a
 * group; `entries` are rows * n up to a whole vector, or a whole group. */
typedef struct {
    size_t rows, n, entries;
    const int32_t *row_of;
} FN(Group);

static inline size_t FN(batch_rows)(size_t n) {
    const size_t rows = FN(SHORT_BUFFER) / (n * LANES) * LANES;
    return rows < FN(SHORT_ROWS) ? rows : (size_t)FN(SHORT_ROWS);
}

#ifndef HAVE_FOLDS
static inline int FN(is_turned)(size_t n) { return (void)n, 0; }
#endif

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

/* A loop over vectors: i is the first entry of each, `at` the first row of its group, `of` the rows of its entries within that. */
#define EACH_ENTRY_VECTOR(g)                                                                                              \
    for (size_t at = 0, i = 0, end; at < (g).rows && (end = i + (g).n * LANES < (g).entries ? i + (g).n * LANES : (g).entries); \
         at += LANES)                                                                                                     \
        for (const int32_t *of = (g).row_of; i < end; of += LANES, i += LANES)

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
#ifdef HAVE_FOLDS
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
#define REDUCED(name, what, ...)                                                    \
    static APART void FN(row_##name)(__VA_ARGS__, FN(Group) g, T *result) {         \
        if (FN(is_turned)(g.n))                                                     \
            FN(turned_##name)(p, OTHER, g, result, NULL);                           \
        else                                                                        \
            FN(reduce_rows)(what, p, OTHER, g, result);                             \
    }
#define OTHER p
REDUCED(sums, FN(SUM), const T *p)
REDUCED(maxima, FN(LARGEST), const T *p)
#undef OTHER
#define OTHER q
REDUCED(dots, FN(DOT), const T *p, const T *q)
#undef OTHER
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

/* How the exponentials of a group are taken: by what and, unless moderately, the rows' maxima. */
typedef struct {
    int how;
    T max[FN(SHORT_ROWS)], shift[FN(SHORT_ROWS)], k[FN(SHORT_ROWS)], floor[FN(SHORT_ROWS)];
} FN(Shifts);

static APART void FN(find_shifts)(const T *x, FN(Group) g, int by_maximum, FN(Shifts) *by) {
    FN(row_maxima)(x, g, by->max);
    by->how = FN(NEARLY);
    for (size_t r = 0; r < g.rows; r += LANES) {
        const FN(Shift) mine = FN(row_shift)(LOAD(by->max + r), by_maximum ? 0 : FN(RAISED));
        if (OP(any)(GT(ABS(mine.shift), C(0))) || OP(any)(OP(nan)(mine.shift))) by->how = FN(FROM_AFAR);
        STORE(by->shift + r, mine.shift);
        STORE(by->k + r, mine.k);
        STORE(by->floor + r, mine.floor);
    }
}

/* With K = 0: 0 where that will not do for all of them. */
static APART int FN(group_moderately)(const T *x, T *e, FN(Group) g) {
    V seen = C(0);
    for (size_t i = 0, end; i < g.entries;) {
        for (end = i + 128 < g.entries ? i + 128 : g.entries; i + 2 * LANES <= end; i += 2 * LANES) {
            V both[2] = {LOAD(x + i), LOAD(x + i + LANES)};
            PREFETCH(x + g.entries + i);
            PREFETCH(x + g.entries + i + LANES);
            FN(moderate_exps)(2, both, &seen);
            STORE(e + i, both[0]);
            STORE(e + i + LANES, both[1]);
        }
        for (; i < end; i += LANES) STORE(e + i, FN(row_exp)(FN(MODERATELY), LOAD(x + i), FN(no_shift)(), &seen));
        if (!FN(is_moderate)(seen)) return 0;
    }
    return 1;
}

#define GROUPS(name, shifted)                                                                 \
    static APART void FN(group_##name)(const T *x, T *e, FN(Group) g, const FN(Shifts) *restrict by) { \
        EACH_ENTRY_VECTOR(g) {                                                                \
            V entry = LOAD(x + i);                                                            \
            PREFETCH(x + g.entries + i);                                                      \
            if (shifted) entry = entry - OP(pick)(by->shift + at, of);                        \
            STORE(e + i, FN(exp_above)(entry, OP(pick)(by->k + at, of), OP(pick)(by->floor + at, of))); \
        }                                                                                     \
    }
GROUPS(nearly, 0)
GROUPS(from_afar, 1)
#undef GROUPS

/* The exponentials of x, to e, which is apart from it */
static void FN(group_exponentials)(const T *x, T *e, FN(Group) g, int by_maximum, FN(Shifts) *by) {
    by->how = FN(MODERATELY);
    if (!by_maximum && FN(group_moderately)(x, e, g)) return;
    FN(find_shifts)(x, g, by_maximum, by);
    (by->how == FN(NEARLY) ? FN(group_nearly) : FN(group_from_afar))(x, e, g, by);
}

/* Where results go: to `at`, and from there on to `streamed`, unless that is NULL. A group's are streamed while the next is computed:
 * all at once, stores hold up what follows (8 Mi elements of 10 columns: .29 ns an entry instead of .25). */
typedef struct {
    T *at, *streamed;
} FN(Place);

static ALWAYS_INLINE size_t FN(stream_until)(FN(Place) out, size_t done, size_t until) {
    for (; done + LANES <= until; done += LANES) PUT(1, out.streamed + done, LOAD(out.at + done));
    return done;
}

/* The expression for each vector of entries, with i, at and of as in EACH_ENTRY_VECTOR */
#define WRITE_GROUPS(g, out, expression)                                                                                    \
    do {                                                                                                                   \
        const size_t all_ = (g).rows * (g).n, head_ = (out).streamed ? FN(unaligned)((out).streamed, all_) : 0;            \
        size_t done_ = head_;                                                                                              \
        for (size_t at = 0, i = 0, end; at < (g).rows; at += LANES) {                                                      \
            const size_t before_ = i;                                                                                      \
            end = i + (g).n * LANES < (g).entries ? i + (g).n * LANES : (g).entries;                                       \
            for (const int32_t *of = (g).row_of; i < end; of += LANES, i += LANES) STORE((out).at + i, expression);        \
            if (before_ == 0 && (out).streamed) FN(store_some)((out).streamed, FN(load_some)((out).at, head_, C(0)), head_); \
            if ((out).streamed) done_ = FN(stream_until)(out, done_, before_);                                             \
        }                                                                                                                  \
        if (!(out).streamed) break;                                                                                        \
        done_ = FN(stream_until)(out, done_, all_);                                                                        \
        FN(store_some)((out).streamed + done_, FN(load_some)((out).at + done_, all_ - done_, C(0)), all_ - done_);         \
    } while (0)

typedef struct {
    T scale[FN(SHORT_ROWS)], low[FN(SHORT_ROWS)], power[FN(SHORT_ROWS)];
} FN(Factors);

/* restrict, and not through a pointer to all three: or the tables are loaded again for each vector, 1 cycle of 2.6 */
static APART void FN(multiply_moderately)(const T *e, FN(Place) out, FN(Group) g, const T *restrict scale, const T *restrict low) {
    const V none = C(0);
    if (LOW_FACTORS)
        WRITE_GROUPS(g, out, FN(times)(FN(MODERATELY), LOW_FACTORS, LOAD(e + i), FN(factor_in_parts)(OP(pick)(scale + at, of), OP(pick)(low + at, of), none)));
    else
        WRITE_GROUPS(g, out, FN(times)(FN(MODERATELY), LOW_FACTORS, LOAD(e + i), FN(factor_in_parts)(OP(pick)(scale + at, of), none, none)));
}
static APART void FN(multiply_apart)(const T *e, FN(Place) out, FN(Group) g, const T *restrict scale, const T *restrict low, const T *restrict power) {
    const V none = C(0);
    if (LOW_FACTORS)
        WRITE_GROUPS(g, out, FN(times)(FN(NEARLY), LOW_FACTORS, LOAD(e + i), FN(factor_in_parts)(OP(pick)(scale + at, of), OP(pick)(low + at, of), OP(pick)(power + at, of))));
    else
        WRITE_GROUPS(g, out, FN(times)(FN(NEARLY), LOW_FACTORS, LOAD(e + i), FN(factor_in_parts)(OP(pick)(scale + at, of), none, OP(pick)(power + at, of))));
}

/* weight (or 1) e / sum, where the exponentials were taken so */
static APART void FN(divide_short)(int how, const T *e, FN(Place) out, FN(Group) g, const T *weight, const T *sum, const T *sum_low) {
    FN(Factors) factors;
    V least = C(1);
    for (size_t r = 0; r < g.rows; r += LANES) {
        V over = C(1);
        if (weight) over = LOAD(weight + r);
        const FN(Factor) f = FN(quotient)(over, LOAD(sum + r), LOAD(sum_low + r));
        STORE(factors.scale + r, f.scale);
        STORE(factors.low + r, f.low);
        least = FN(least_size)(r + LANES <= g.rows ? f.scale : FN(load_some)(factors.scale + r, g.rows - r, C(1)), least);
    }
    how = FN(how_to_finish)(how, least);
    if (how == FN(MODERATELY)) {
        FN(multiply_moderately)(e, out, g, factors.scale, factors.low);
        return;
    }
    for (size_t r = 0; r < g.rows; r += LANES) {
        const FN(Factor) f = FN(apart)(how, (FN(Factor)){LOAD(factors.scale + r), LOAD(factors.low + r), C(0)});
        STORE(factors.scale + r, f.scale);
        STORE(factors.low + r, f.low);
        STORE(factors.power + r, f.power);
    }
    FN(multiply_apart)(e, out, g, factors.scale, factors.low, factors.power);
}

static APART void FN(softmax_short)(const T *x, FN(Place) out, FN(Group) g, const T *weight) {
    if (weight && g.rows > 1 && !FN(are_ordinary)(weight, g.rows)) { /* each by itself: no other's bits hang on a weight */
        const FN(Group) one = FN(group)(1, g.n, g.row_of);
        for (size_t r = 0; r < g.rows; r++) {
            T row[2 * FN(SHORT_ROW)] = {0}, own[LANES] = {weight[r]};
            memcpy(row, x + r * g.n, g.n * sizeof(T));
            FN(softmax_short)(row, (FN(Place)){row, NULL}, one, own);
            memcpy((out.streamed ? out.streamed : out.at) + r * g.n, row, g.n * sizeof(T));
        }
        return;
    }
    T e[FN(SHORT_BUFFER)], sum[FN(SHORT_ROWS)], low[FN(SHORT_ROWS)];
    FN(Shifts) by;
    FN(group_exponentials)(x, e, g, weight && !FN(are_ordinary)(weight, g.rows), &by);
    FN(row_totals)(e, g, sum, low);
    FN(divide_short)(by.how, e, out, g, weight, sum, low);
}

/* The gradients from softmax's output, from the exponentials of log_softmax's, and from log_softmax's */
#define GRADIENTS(name, of_what, how)                                                                                             \
    static ALWAYS_INLINE V FN(name##_entry)(const T *p, const T *grad, V mean, size_t entries) {                                  \
        const V entry = LOAD(p);                                                                                                  \
        PREFETCH(p + entries);                                                                                                    \
        PREFETCH(grad + entries);                                                                                                 \
        return FN(gradient)(of_what, how, LOAD(grad), mean);                                                                      \
    }                                                                                                                             \
    static APART void FN(name##_entries)(const T *p, const T *grad, FN(Place) out, FN(Group) g, const T *restrict mean) {         \
        WRITE_GROUPS(g, out, FN(name##_entry)(p + i, grad + i, OP(pick)(mean + at, of), g.entries));                              \
    }
GRADIENTS(softmax_gradient, FN(OF_SOFTMAX), entry)
GRADIENTS(log_softmax_gradient, FN(OF_LOG_SOFTMAX), entry)
GRADIENTS(log_softmax_gradient_from_output, FN(OF_LOG_SOFTMAX), FN(exp_by)(entry, C(0)))
#undef GRADIENTS

static APART void FN(backward_short)(int of_what, int from_output, const T *grad, const T *y, FN(Place) out, FN(Group) g) {
    T e[FN(SHORT_BUFFER)], mean[FN(SHORT_ROWS)];
    const T *p = y;
    if (!from_output) {
        FN(Shifts) by;
        FN(group_exponentials)(y, e, g, 0, &by);
        T sum[FN(SHORT_ROWS)], low[FN(SHORT_ROWS)];
        FN(row_totals)(e, g, sum, low);
        FN(divide_short)(by.how, e, (FN(Place)){e, NULL}, g, NULL, sum, low);
        p = e;
    }
    if (of_what == FN(OF_SOFTMAX))
        FN(row_dots)(p, grad, g, mean);
    else
        FN(row_sums)(grad, g, mean);
    if (of_what == FN(OF_SOFTMAX))
        FN(softmax_gradient_entries)(p, grad, out, g, mean);
    else if (from_output)
        FN(log_softmax_gradient_from_output_entries)(p, grad, out, g, mean);
    else
        FN(log_softmax_gradient_entries)(p, grad, out, g, mean);
}
