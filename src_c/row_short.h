/* Short rows, of at most 128 entries, for REAL: a group of LANES rows that follow one another in memory is n whole vectors, and
 * exponentials are taken on those, whatever row an entry is of. A row's number (its sum, its maximum) goes back to its entries by
 * a look-up of each entry's row. Several groups at a time go through each step: what one step stores, the next loads in other
 * pieces, and such loads wait for the stores. */

#include "row_short_sums.h"

/* How the exponentials of a group are taken: by what and, unless moderately, the rows' maxima. */
typedef struct {
    int how;
    ALIGNED T max[FN(SHORT_ROWS)], shift[FN(SHORT_ROWS)], k[FN(SHORT_ROWS)], floor[FN(SHORT_ROWS)];
} FN(Shifts);

static APART void FN(find_shifts)(const T *x, FN(Group) g, int by_maximum, FN(Shifts) *by) {
    FN(row_maxima)(x, g, by->max);
    by->how = FN(NEARLY);
    for (size_t r = 0; r < g.rows; r += LANES) {
        const FN(Shift) mine = FN(row_shift)(LOAD(by->max + r), by_maximum ? 1 : FN(RAISED));
        if (OP(any)(GT(ABS(mine.shift), C(0))) || OP(any)(OP(nan)(mine.shift))) by->how = FN(FROM_AFAR);
        STORE(by->shift + r, mine.shift);
        STORE(by->k + r, mine.k);
        STORE(by->floor + r, mine.floor);
    }
}

/* With K = 0: 0 where that will not do for all of them. What was handed over before (`behind`) is streamed meanwhile. */
static APART int FN(group_moderately)(const T *x, T *e, FN(Group) g, FN(Line) *behind) {
    V seen = C(0);
    for (size_t i = 0, end; i < g.entries;) {
        const size_t step = i ? (size_t)FN(STREAMED_STEP) : 128; /* most batches that are not moderate show it soon */
        for (end = i + step < g.entries ? i + step : g.entries; i + 2 * LANES <= end; i += 2 * LANES) {
            V both[2] = {LOAD(x + i), LOAD(x + i + LANES)};
            PREFETCH(x + g.entries + i);
            PREFETCH(x + g.entries + i + LANES);
            FN(moderate_exps)(2, both, &seen);
            STORE(e + i, both[0]);
            STORE(e + i + LANES, both[1]);
        }
        for (; i < end; i += LANES) STORE(e + i, FN(row_exp)(FN(MODERATELY), LOAD(x + i), FN(no_shift)(), &seen));
        FN(stream_behind)(behind, end);
        if (!FN(is_moderate)(seen)) return 0;
    }
    return 1;
}

#define GROUPS(name, shifted)                                                                                            \
    static APART void FN(group_##name)(const T *x, T *e, FN(Group) g, const FN(Shifts) *restrict by, FN(Line) *behind) { \
        EACH_ENTRY_VECTOR(g, behind, {                                                                                   \
            V entry = LOAD(x + i);                                                                                       \
            PREFETCH(x + g.entries + i);                                                                                 \
            if (shifted) entry = entry - OP(pick)(by->shift + at, of);                                                   \
            STORE(e + i, FN(exp_above)(entry, OP(pick)(by->k + at, of), OP(pick)(by->floor + at, of)));                  \
        })                                                                                                               \
    }
GROUPS(nearly, 0)
GROUPS(from_afar, 1)
#undef GROUPS

/* The exponentials of x, to e, which is apart from it */
static void FN(group_exponentials)(const T *x, T *e, FN(Group) g, int by_maximum, FN(Shifts) *by, FN(Line) *behind) {
    by->how = FN(MODERATELY);
    if (!by_maximum && FN(group_moderately)(x, e, g, behind)) return;
    FN(find_shifts)(x, g, by_maximum, by);
    (by->how == FN(NEARLY) ? FN(group_nearly) : FN(group_from_afar))(x, e, g, by, behind);
}

typedef struct {
    ALIGNED T scale[FN(SHORT_ROWS)], low[FN(SHORT_ROWS)], power[FN(SHORT_ROWS)];
} FN(Factors);

/* restrict, and not through a pointer to all three: or the tables are loaded again for each vector, 1 cycle of 2.6 */
#define MULTIPLY(name, how)                                                                                                             \
    static APART void FN(multiply_##name)(const T *e, T *out, FN(Group) g, const T *restrict scale, const T *restrict low,              \
                                          const T *restrict power) {                                                                     \
        EACH_ENTRY_VECTOR(g, NULL, {                                                                                                    \
            FN(Factor) f = {OP(pick)(scale + at, of), C(0), C(0)};                                                                      \
            if (LOW_FACTORS) f.low = OP(pick)(low + at, of);                                                                            \
            if (how != FN(MODERATELY)) f.power = OP(pick)(power + at, of);                                                              \
            STORE(out + i, FN(times)(how, LOW_FACTORS, LOAD(e + i), f));                                                                \
        })                                                                                                                              \
        (void)low, (void)power;                                                                                                         \
    }
MULTIPLY(moderately, FN(MODERATELY))
MULTIPLY(apart, FN(NEARLY))
#undef MULTIPLY

/* weight (or 1) e / sum, where the exponentials were taken so */
static APART void FN(divide_short)(int how, const T *e, T *out, FN(Group) g, const T *weight, const T *sum, const T *sum_low) {
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
        FN(multiply_moderately)(e, out, g, factors.scale, factors.low, NULL);
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

/* Results that are to be streamed go to a buffer, which has room for exponentials. With another 8 KiB L1 is full: 10 columns of standard deviation
 * 30, .40 ns instead of .35. */
static inline T *FN(scratch)(const FN(Line) *behind, T *out, T *buffer) { return behind ? out : buffer; }

static APART void FN(softmax_short)(const T *x, T *out, FN(Group) g, const T *weight, FN(Line) *behind) {
    if (weight && g.rows > 1 && !FN(are_ordinary)(weight, g.rows)) { /* each by itself: no other's bits hang on a weight */
        const FN(Group) one = FN(group)(1, g.n, g.row_of);
        for (size_t r = 0; r < g.rows; r++) {
            T row[2 * FN(SHORT_ROW)] = {0}, own[LANES] = {weight[r]};
            memcpy(row, x + r * g.n, g.n * sizeof(T));
            FN(softmax_short)(row, row, one, own, NULL);
            memcpy(out + r * g.n, row, g.n * sizeof(T));
        }
        return;
    }
    ALIGNED T buffer[FN(SHORT_BUFFER)], sum[FN(SHORT_ROWS)], low[FN(SHORT_ROWS)];
    T *e = FN(scratch)(behind, out, buffer);
    FN(Shifts) by;
    FN(group_exponentials)(x, e, g, weight && !FN(are_ordinary)(weight, g.rows), &by, behind);
    FN(row_totals)(e, g, sum, low);
    FN(divide_short)(by.how, e, out, g, weight, sum, low);
}

/* The gradients from softmax's output, from the exponentials of log_softmax's, and from log_softmax's */
#define GRADIENTS(name, of_what, how)                                                                                             \
    static ALWAYS_INLINE V FN(name##_entry)(const T *p, const T *grad, V mean, size_t ahead) {                                    \
        const V entry = LOAD(p);                                                                                                  \
        PREFETCH(p + ahead);                                                                                                      \
        PREFETCH(grad + ahead);                                                                                                   \
        return FN(gradient)(of_what, how, LOAD(grad), mean);                                                                      \
    }                                                                                                                             \
    static APART void FN(name##_entries)(const T *p, const T *grad, T *out, FN(Group) g, const T *restrict mean, FN(Line) *behind) { \
        const size_t ahead = behind ? (size_t)FN(SHORT_BUFFER) : g.entries;                                                       \
        EACH_ENTRY_VECTOR(g, behind, STORE(out + i, FN(name##_entry)(p + i, grad + i, OP(pick)(mean + at, of), ahead));)          \
    }
GRADIENTS(softmax_gradient, FN(OF_SOFTMAX), entry)
GRADIENTS(log_softmax_gradient, FN(OF_LOG_SOFTMAX), entry)
GRADIENTS(log_softmax_gradient_from_output, FN(OF_LOG_SOFTMAX), FN(exp_by)(entry, C(0)))
#undef GRADIENTS

static APART void FN(backward_short)(int of_what, int from_output, const T *grad, const T *y, T *out, FN(Group) g, FN(Line) *behind) {
    ALIGNED T e[FN(SHORT_BUFFER)], mean[FN(SHORT_ROWS)];
    const T *p = y;
    if (!from_output) {
        FN(Shifts) by;
        FN(group_exponentials)(y, e, g, 0, &by, NULL);
        ALIGNED T sum[FN(SHORT_ROWS)], low[FN(SHORT_ROWS)];
        FN(row_totals)(e, g, sum, low);
        FN(divide_short)(by.how, e, e, g, NULL, sum, low);
        p = e;
    }
    if (of_what == FN(OF_SOFTMAX))
        FN(row_dots)(p, grad, g, mean);
    else
        FN(row_sums)(grad, g, mean);
    if (of_what == FN(OF_SOFTMAX))
        FN(softmax_gradient_entries)(p, grad, out, g, mean, behind);
    else if (from_output)
        FN(log_softmax_gradient_from_output_entries)(p, grad, out, g, mean, behind);
    else
        FN(log_softmax_gradient_entries)(p, grad, out, g, mean, behind);
}
