/* Rows of at most 128 entries. A group of LANES contiguous rows is n whole vectors, and exponentials are taken of these,
 * whichever row an entry belongs to. A look-up brings a number of a row (its sum, its maximum) back to its entries. Several
 * groups go through each step together: a step loads what the one before stored, in other pieces, and would wait for those
 * stores. */

#include "rows/short_sums.h"

/* How the exponentials of a group are taken: by what and, unless moderately, the rows' maxima. */
typedef struct {
    int how;
    ALIGNED T max[SHORT_ROWS], shift[SHORT_ROWS], k[SHORT_ROWS], floor[SHORT_ROWS];
} Shifts;

static NOINLINE void find_shifts(const T *x, Group g, int by_maximum, Shifts *by) {
    row_maxima(x, g, by->max);
    by->how = NEARLY;
    for (size_t r = 0; r < g.rows; r += LANES) {
        const Shift mine = row_shift(LOAD(by->max + r), by_maximum ? 1 : RAISED);
        if (ANY(GT(ABS(mine.shift), C(0))) || ANY(IS_NAN(mine.shift))) by->how = FROM_AFAR;
        STORE(by->shift + r, mine.shift);
        STORE(by->k + r, mine.k);
        STORE(by->floor + r, mine.floor);
    }
}

/* With K = 0: 0 where that will not do for all of them. What was handed over before (`behind`) is streamed meanwhile. */
static NOINLINE int group_moderately(const T *x, T *e, Group g, Line *behind) {
    V seen = C(0);
    for (size_t i = 0, end; i < g.entries;) {
        const size_t step = i ? (size_t)STREAMED_STEP : 128; /* most batches that are not moderate show it soon */
        for (end = i + step < g.entries ? i + step : g.entries; i + 2 * LANES <= end; i += 2 * LANES) {
            V both[2] = {LOAD(x + i), LOAD(x + i + LANES)};
            PREFETCH(x + g.entries + i);
            PREFETCH(x + g.entries + i + LANES);
            moderate_exps(2, both, &seen);
            STORE(e + i, both[0]);
            STORE(e + i + LANES, both[1]);
        }
        for (; i < end; i += LANES) STORE(e + i, row_exp(MODERATELY, LOAD(x + i), no_shift(), &seen));
        stream_behind(behind, end);
        if (!is_moderate(seen)) return 0;
    }
    return 1;
}

static NOINLINE void group_nearly(const T *x, T *e, Group g, const Shifts *restrict by, Line *behind) {
    EACH_ENTRY_VECTOR(g, behind, {
        V entry = LOAD(x + i);
        PREFETCH(x + g.entries + i);
        if (0) entry = entry - PICK(by->shift + at, of);
        STORE(e + i, exp_above(entry, PICK(by->k + at, of), PICK(by->floor + at, of)));
    })
}
static NOINLINE void group_from_afar(const T *x, T *e, Group g, const Shifts *restrict by, Line *behind) {
    EACH_ENTRY_VECTOR(g, behind, {
        V entry = LOAD(x + i);
        PREFETCH(x + g.entries + i);
        if (1) entry = entry - PICK(by->shift + at, of);
        STORE(e + i, exp_above(entry, PICK(by->k + at, of), PICK(by->floor + at, of)));
    })
}

/* The exponentials of x, to e, which is apart from it */
static void group_exponentials(const T *x, T *e, Group g, int by_maximum, Shifts *by, Line *behind) {
    by->how = MODERATELY;
    if (!by_maximum && group_moderately(x, e, g, behind)) return;
    find_shifts(x, g, by_maximum, by);
    (by->how == NEARLY ? group_nearly : group_from_afar)(x, e, g, by, behind);
}

typedef struct {
    ALIGNED T scale[SHORT_ROWS], low[SHORT_ROWS], power[SHORT_ROWS];
} Factors;

/* restrict, and not through a pointer to all three: or the tables are loaded again for each vector, 1 cycle of 2.6 */
static NOINLINE void multiply_moderately(const T *e, T *out, Group g, const T *restrict scale, const T *restrict low,
                                      const T *restrict power) {
    EACH_ENTRY_VECTOR(g, NULL, {
        Factor f = {PICK(scale + at, of), C(0), C(0)};
        if (LOW_FACTORS) f.low = PICK(low + at, of);
        if (MODERATELY != MODERATELY) f.power = PICK(power + at, of);
        STORE(out + i, times_factor(MODERATELY, LOW_FACTORS, LOAD(e + i), f));
    })
    (void)low, (void)power;
}
static NOINLINE void multiply_apart(const T *e, T *out, Group g, const T *restrict scale, const T *restrict low,
                                      const T *restrict power) {
    EACH_ENTRY_VECTOR(g, NULL, {
        Factor f = {PICK(scale + at, of), C(0), C(0)};
        if (LOW_FACTORS) f.low = PICK(low + at, of);
        if (NEARLY != MODERATELY) f.power = PICK(power + at, of);
        STORE(out + i, times_factor(NEARLY, LOW_FACTORS, LOAD(e + i), f));
    })
    (void)low, (void)power;
}

/* weight (or 1) e / sum, where the exponentials were taken so */
static NOINLINE void divide_short(int how, const T *e, T *out, Group g, const T *weight, const T *sum, const T *sum_low) {
    Factors factors;
    V least = C(1);
    for (size_t r = 0; r < g.rows; r += LANES) {
        V over = C(1);
        if (weight) over = LOAD(weight + r);
        const Factor f = quotient_of(over, LOAD(sum + r), LOAD(sum_low + r));
        STORE(factors.scale + r, f.scale);
        STORE(factors.low + r, f.low);
        least = least_size(r + LANES <= g.rows ? f.scale : LOAD_SOME(factors.scale + r, g.rows - r, C(1)), least);
    }
    how = how_to_finish(how, least);
    if (how == MODERATELY) {
        multiply_moderately(e, out, g, factors.scale, factors.low, NULL);
        return;
    }
    for (size_t r = 0; r < g.rows; r += LANES) {
        const Factor f = power_apart(how, (Factor){LOAD(factors.scale + r), LOAD(factors.low + r), C(0)});
        STORE(factors.scale + r, f.scale);
        STORE(factors.low + r, f.low);
        STORE(factors.power + r, f.power);
    }
    multiply_apart(e, out, g, factors.scale, factors.low, factors.power);
}

/* Results that are to be streamed go to a buffer, which has room for exponentials. With another 8 KiB L1 is full: 10 columns of standard deviation
 * 30, .40 ns instead of .35. */
static inline T *scratch_of(const Line *behind, T *out, T *buffer) { return behind ? out : buffer; }

static NOINLINE void softmax_short(const T *x, T *out, Group g, const T *weight, Line *behind) {
    if (weight && g.rows > 1 && !are_ordinary(weight, g.rows)) { /* each by itself: no other's bits hang on a weight */
        const Group one = group_of(1, g.n, g.row_of);
        for (size_t r = 0; r < g.rows; r++) {
            T row[2 * SHORT_ROW] = {0}, own[LANES] = {weight[r]};
            memcpy(row, x + r * g.n, g.n * sizeof(T));
            softmax_short(row, row, one, own, NULL);
            memcpy(out + r * g.n, row, g.n * sizeof(T));
        }
        return;
    }
    ALIGNED T buffer[SHORT_BUFFER], sum[SHORT_ROWS], low[SHORT_ROWS];
    T *e = scratch_of(behind, out, buffer);
    Shifts by;
    group_exponentials(x, e, g, weight && !are_ordinary(weight, g.rows), &by, behind);
    row_totals(e, g, sum, low);
    divide_short(by.how, e, out, g, weight, sum, low);
}

/* The gradients from softmax's output, from the exponentials of log_softmax's, and from log_softmax's */
static ALWAYS_INLINE V softmax_gradient_entry(const T *p, const T *grad, V mean, size_t ahead) {
    const V entry = LOAD(p);
    PREFETCH(p + ahead);
    PREFETCH(grad + ahead);
    return gradient_of(OF_SOFTMAX, entry, LOAD(grad), mean);
}
static NOINLINE void softmax_gradient_entries(const T *p, const T *grad, T *out, Group g, const T *restrict mean, Line *behind) {
    const size_t ahead = behind ? (size_t)SHORT_BUFFER : g.entries;
    EACH_ENTRY_VECTOR(g, behind, STORE(out + i, softmax_gradient_entry(p + i, grad + i, PICK(mean + at, of), ahead));)
}
static ALWAYS_INLINE V log_softmax_gradient_entry(const T *p, const T *grad, V mean, size_t ahead) {
    const V entry = LOAD(p);
    PREFETCH(p + ahead);
    PREFETCH(grad + ahead);
    return gradient_of(OF_LOG_SOFTMAX, entry, LOAD(grad), mean);
}
static NOINLINE void log_softmax_gradient_entries(const T *p, const T *grad, T *out, Group g, const T *restrict mean, Line *behind) {
    const size_t ahead = behind ? (size_t)SHORT_BUFFER : g.entries;
    EACH_ENTRY_VECTOR(g, behind, STORE(out + i, log_softmax_gradient_entry(p + i, grad + i, PICK(mean + at, of), ahead));)
}
static ALWAYS_INLINE V log_softmax_gradient_from_output_entry(const T *p, const T *grad, V mean, size_t ahead) {
    const V entry = LOAD(p);
    PREFETCH(p + ahead);
    PREFETCH(grad + ahead);
    return gradient_of(OF_LOG_SOFTMAX, exp_by(entry, C(0)), LOAD(grad), mean);
}
static NOINLINE void log_softmax_gradient_from_output_entries(const T *p, const T *grad, T *out, Group g, const T *restrict mean, Line *behind) {
    const size_t ahead = behind ? (size_t)SHORT_BUFFER : g.entries;
    EACH_ENTRY_VECTOR(g, behind, STORE(out + i, log_softmax_gradient_from_output_entry(p + i, grad + i, PICK(mean + at, of), ahead));)
}

static NOINLINE void backward_short(int of_what, int from_output, const T *grad, const T *y, T *out, Group g, Line *behind) {
    ALIGNED T e[SHORT_BUFFER], mean[SHORT_ROWS];
    const T *p = y;
    if (!from_output) {
        Shifts by;
        group_exponentials(y, e, g, 0, &by, NULL);
        ALIGNED T sum[SHORT_ROWS], low[SHORT_ROWS];
        row_totals(e, g, sum, low);
        divide_short(by.how, e, e, g, NULL, sum, low);
        p = e;
    }
    if (of_what == OF_SOFTMAX)
        row_dots(p, grad, g, mean);
    else
        row_sums(grad, g, mean);
    if (of_what == OF_SOFTMAX)
        softmax_gradient_entries(p, grad, out, g, mean, behind);
    else if (from_output)
        log_softmax_gradient_from_output_entries(p, grad, out, g, mean, behind);
    else
        log_softmax_gradient_entries(p, grad, out, g, mean, behind);
}
