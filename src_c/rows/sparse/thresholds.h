/* The thresholds of sparsemax and entmax15. With over = x - max - tau, where that is positive, the results of
 * sparsemax are over, and those of entmax15 (over / 2)^2. tau is such that they add up to 1. Newton's method
 * finds it, in double and without sorting. It starts below the root: the function is convex, so that the
 * estimates rise to the root and never pass it. Several rows go together:
 *   1. We take the largest entry of each lane, and a first step with these alone, which is short: other
 *      entries could only raise tau.
 *   2. The entries above this threshold are few. They become a column of a table, which has one for each row.
 *   3. Each further step takes all columns at once. A column that has arrived stays while others go on.
 * A row with too many such entries is read as a whole at every step. */

enum { HARDMAX, SPARSEMAX, ENTMAX15 }; /* Entries count that are less than so much below the largest. */
enum {
    COLUMNS = f64_lanes,
    CANDIDATES = 64, /* of a column */
    PIECE = 1024 / sizeof(T), /* entries of a buffer */
};

/* Some entries of a row, one after another; in `room`, if they have gaps in memory */
static NOINLINE const T *close_gaps(Row x, size_t start, size_t count, T *room) {
    const T *p = x.at + (ptrdiff_t)start * x.step;
    for (size_t i = 0; i < count; i++) room[i] = p[(ptrdiff_t)i * x.step];
    return room;
}
static ALWAYS_INLINE const T *without_gaps(Row x, size_t start, size_t count, T *room) {
    return x.step == 1 ? x.at + start : close_gaps(x, start, count, room);
}

/* Those from i on in a vector, with `fill` beyond the last */
static ALWAYS_INLINE V entries_from(const T *p, size_t i, size_t count, double fill) {
    return i + LANES <= count ? LOAD(p + i) : LOAD_SOME(p + i, count - i, C(fill));
}

/* All of them as doubles, with `fill` up to whole vectors */
static ALWAYS_INLINE void read_doubles(Row x, size_t start, size_t count, double fill, double *value) {
    T room[PIECE];
    const T *p = without_gaps(x, start, count, room);
    ROLLED for (size_t i = 0; i < count; i += LANES) {
        const V entries = entries_from(p, i, count, fill);
        f64_store(value + i, FIRST_HALF(entries));
        if ((size_t)LANES > f64_lanes) f64_store(value + i + f64_lanes, SECOND_HALF(entries));
    }
}

/* A sum of any number of terms. Those of floats need no carry: the rounding of a result is larger by far. */
static ALWAYS_INLINE void add_to(Adder *a, f64_v term) {
    if (sizeof(T) == sizeof(double))
        add_term(a, term);
    else
        a->sum = a->sum + term;
}
static ALWAYS_INLINE double total_in(Adder a) {
    return sizeof(T) == sizeof(double) ? f64_total(a.sum, a.carry) : f64_sum(a.sum);
}

/* The largest entry of each lane, and of all; NaN if that is infinite, or an entry is NaN */
static ALWAYS_INLINE double find_peak(Row x, size_t n, V *top) {
    T room[PIECE];
    V wrong = C(0);
    *top = NOTHING;
    for (size_t start = 0; start < n; start += PIECE) {
        const size_t count = at_most(PIECE, n - start);
        const T *p = without_gaps(x, start, count, room);
        ROLLED for (size_t i = 0; i < count; i += LANES) {
            const V entries = entries_from(p, i, count, -HUGE_VAL);
            *top = MAX(entries, *top);
            wrong = SELECT(IS_NAN(entries), entries, wrong);
        }
    }
    const T largest = LARGEST_LANE(*top);
    return ANY(IS_NAN(wrong)) || largest - largest != 0 ? NAN_VALUE : largest;
}

/* Add those of up to SEARCHED entries that are at least `limit` to a column, which has `found`. Returns how
 * many it has then. Beyond CANDIDATES they overwrite each other. */
#ifdef HAVE_TABLES
#ifdef HAVE_TABLE_ROWS
enum { LANE_BITS = sizeof(T) / sizeof(float) }; /* bits_of has so many for each lane, and sets the lowest */
static inline uint64_t bits_of(M m) { return f32_bits((f32_m)m) & (LANE_BITS == 2 ? 0x55 : 0xff); }
#else
enum { LANE_BITS = 1 };
static inline uint64_t bits_of(M m) { return m; }
#endif
enum { SEARCHED = 64 / LANE_BITS };
static ALWAYS_INLINE size_t add_candidates(const T *p, size_t count, T limit, T *column, size_t found) {
    uint64_t bits = 0;
    ROLLED for (size_t i = 0; i < count; i += LANES)
        bits |= bits_of(GE(entries_from(p, i, count, -HUGE_VAL), C(limit))) << i * LANE_BITS;
    for (; bits; bits &= bits - 1)
        column[at_most(CANDIDATES, found++) * COLUMNS] = p[(size_t)__builtin_ctzll(bits) / LANE_BITS];
    return found;
}
#else
enum { SEARCHED = LANES };
static ALWAYS_INLINE size_t add_candidates(const T *p, size_t count, T limit, T *column, size_t found) {
    if (count == LANES && !ANY(GE(LOAD(p), C(limit)))) return found;
    for (size_t i = 0; i < count; i++) { /* an entry below is overwritten, or adds 0 to the sums */
        column[at_most(CANDIDATES, found) * COLUMNS] = p[i];
        found += p[i] >= limit;
    }
    return found;
}
#endif

/* What an entry is above the threshold; what it adds to the sum, which is to be what^2; and what it weighs in
 * Newton's method and in the mean of a gradient */
static ALWAYS_INLINE f64_v above(f64_v x, f64_v base, f64_v tau) {
    return f64_max(f64_set(0), (x - base) - tau);
}
static ALWAYS_INLINE f64_v term_of(int what, f64_v over) {
    const f64_v square = over * over;
    return what == ENTMAX15 ? square : over;
}
static ALWAYS_INLINE f64_v weight_of(int what, f64_v over) {
    return what == ENTMAX15 ? over : f64_select(f64_gt(over, f64_set(0)), f64_set(1), over);
}

/* A step of Newton's method; for entmax15 on the root of the sum, which is convex, too, and nearer to a
 * straight line. A lane has arrived where it rises no more than `enough`: the next step of entmax15 would be
 * of the order of its square. */
static ALWAYS_INLINE f64_v next_tau(int what, f64_v tau, Adder sum, f64_v weights) {
    const f64_v excess = (sum.sum - f64_set(what * what)) - sum.carry, root = f64_sqrt(sum.sum);
    const f64_v step = excess / weights, longer = excess * root / ((root + f64_set(what)) * weights);
    return tau + (what == ENTMAX15 ? longer : step);
}
static ALWAYS_INLINE f64_v enough(int what) { return f64_set(what == ENTMAX15 ? 0x1p-30 : 0x1p-51); }

static ALWAYS_INLINE f64_v threshold_of_columns(int what, const T *columns, size_t length, f64_v base,
                                                f64_v tau) {
    for (;;) {
        Adder sum = {f64_set(0), f64_set(0)};
        f64_v weights = f64_set(0);
        for (size_t j = 0; j < length; j++) {
            const f64_v over = above(LOAD_DOUBLES(columns + j * COLUMNS), base, tau);
            add_to(&sum, term_of(what, over));
            weights = weights + weight_of(what, over);
        }
        const f64_v next = next_tau(what, tau, sum, weights);
        const f64_m rises = f64_gt(next, tau + enough(what));
        if (!f64_any(rises)) return next;
        tau = f64_select(rises, next, tau);
    }
}

/* tau rises at each step: so the loop ends, even where another thread writes x. */
static NOINLINE double threshold_of_row(int what, Row x, size_t n, double base, double tau) {
    double part[PIECE];
    for (double least = -HUGE_VAL; tau > least;) {
        Adder sum = {f64_set(0), f64_set(0)};
        f64_v weights = f64_set(0);
        for (size_t start = 0, count; start < n; start += count) {
            count = at_most(PIECE, n - start);
            read_doubles(x, start, count, -HUGE_VAL, part);
            ROLLED for (size_t i = 0; i < count; i += f64_lanes) {
                const f64_v over = above(f64_load(part + i), f64_set(base), f64_set(tau));
                add_to(&sum, term_of(what, over));
                weights = weights + weight_of(what, over);
            }
        }
        sum = (Adder){f64_set(total_in(sum)), f64_set(0)};
        least = tau + first_lane(enough(what));
        tau = first_lane(next_tau(what, f64_set(tau), sum, f64_set(f64_sum(weights))));
    }
    return tau;
}

/* The largest entries and the thresholds of up to COLUMNS rows of x, from `row` on */
static NOINLINE void find_thresholds(int what, Operand x, size_t row, size_t rows, size_t n, double *base,
                                     double *tau) {
    T columns[(CANDIDATES + 1) * COLUMNS], room[PIECE];
    double sums[COLUMNS], weights[COLUMNS];
    size_t found[COLUMNS], length = 0;
    for (size_t r = 0; r < COLUMNS; r++) {
        V top = NOTHING;
        base[r] = r < rows ? find_peak(row_of(x, row + r), n, &top) : 0;
        const V over = MAX((top - C(base[r])) + C(what), C(0)), one = SELECT(GT(over, C(0)), C(1), C(0));
        sums[r] = what == ENTMAX15 ? SUM_OF_LANES(over * over) : SUM_OF_LANES(over);
        weights[r] = what == ENTMAX15 ? SUM_OF_LANES(over) : SUM_OF_LANES(one);
    }
    const Adder sum = {f64_load(sums), f64_set(0)};
    /* The sums are off by less than 2^-16. */
    const f64_v first = next_tau(what, f64_set(-what - 0x1p-16), sum, f64_load(weights));
    f64_store(tau, first);
    for (size_t j = 0; j < at_most(CANDIDATES, n); j++)
        STORE_DOUBLES(columns + j * COLUMNS, f64_set(-HUGE_VAL));
    for (size_t r = 0; r < rows; r++) {
        found[r] = 0;
        for (size_t start = 0; start < n && found[r] <= CANDIDATES; start += SEARCHED) {
            const size_t count = at_most(SEARCHED, n - start);
            const T *p = without_gaps(row_of(x, row + r), start, count, room);
            found[r] = add_candidates(p, count, (T)(base[r] + tau[r]), columns + r, found[r]);
        }
        if (found[r] <= CANDIDATES && found[r] > length) length = found[r];
    }
    f64_store(sums, threshold_of_columns(what, columns, length, f64_load(base), first));
    for (size_t r = 0; r < rows; r++) {
        const int fits = found[r] <= CANDIDATES;
        tau[r] = fits ? sums[r] : threshold_of_row(what, row_of(x, row + r), n, base[r], tau[r]);
    }
}
