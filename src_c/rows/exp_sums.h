/* The exponentials of one row and their sum, in chunks and blocks (along.h). They are stored where a later step needs them. */

/* Two entries are added before each step that carries its rounding: of all ways of adding 64 the one that still meets the bound; where
 * a block is 8 vectors, four before each were off by 4.01 ULP. */
static ALWAYS_INLINE void add_block(V *sum, const V *e, V *carry) {
    for (int k = 0; k < BLOCK_VECTORS; k += 2) *sum = add_carried(*sum, e[k] + e[k + 1], carry);
}

/* The sum of a row's lanes, in two parts, as middle.h has it for rows that it serves */
static ALWAYS_INLINE T row_total(size_t n, V sum, V carry, T *low) {
    T sums[LANES], lows[LANES];
    V lost;
    if (n > ROW_CHUNK) return total_parts(sum, carry, low);
    STORE(sums, sum_of_lanes(sum, carry, &lost));
    STORE(lows, lost);
    *low = *lows;
    return *sums;
}

/* What is summed: all exponentials, with the largest entry found or not; all but that of one entry, or but that of a largest one. */
enum { ALL, AND_LARGEST, BUT_ONE, BUT_LARGEST };

typedef struct {
    T sum, low, largest, maxima; /* in two parts; the last is how many equal the largest and are left out */
    int is_valid; /* if not, they have to be taken some other way */
    Shift by;
} Sum;

/* Running maxima: of this many vectors, so that their chains are short */
enum { TOPS = 4 };

/* 0 for the lane `index` of some vectors */
static inline void leave_out(V *e, size_t index) {
    T lanes[LANES];
    STORE(lanes, e[index / LANES]);
    lanes[index % LANES] = 0;
    e[index / LANES] = LOAD(lanes);
}

/* The entries of a block, or the first `count` of one; of each and the largest before it (m) the lesser, where the largest is left out. */
static ALWAYS_INLINE void read_block(int how, int what, int whole, size_t from, const T *p, size_t count, V *m, V *entry) {
    for (size_t k = from; k < BLOCK_VECTORS; k++) {
        const size_t at = k * LANES, left = at < count ? count - at : 0;
        const V read = whole ? LOAD(p + at) : LOAD_SOME(p + at, left, NOTHING);
        V *top = m + k % TOPS;
        entry[k] = whole || how != MODERATELY ? read : LOAD_SOME(p + at, left, C(0));
        if (what == BUT_LARGEST) entry[k] = MIN(*top, entry[k]); /* NaN passes */
        if (what == BUT_LARGEST || what == AND_LARGEST || how == ONLINE) *top = MAX(read, *top);
    }
}

/* Their exponentials */
static ALWAYS_INLINE void take_block(int how, int whole, size_t from, size_t count, Shift by, V *seen, V *e) {
    for (size_t k = 0; k < from; k++) e[k] = C(0);
    for (size_t k = from; k < BLOCK_VECTORS; k += 2) row_exps(how, 2, e + k, by, seen);
    for (size_t k = from; k < BLOCK_VECTORS && !whole; k++)
        e[k] = SELECT(GT(C(count) - C(k * LANES), LOAD(lane_numbers)), e[k], C(0));
}

static ALWAYS_INLINE V top_of(const V *m) { return MAX(MAX(m[0], m[1]), MAX(m[2], m[3])); }

/* The exponentials of the running maxima less those that equal the largest, added to the sum; returns how many are left out. */
static ALWAYS_INLINE T add_tops(const V *m, Shift by, T largest, V *sum, V *carry) {
    const V high[2] = {MAX(m[0], m[1]), MAX(m[2], m[3])}, top = MAX(high[0], high[1]);
    const M maximal = GE(top, C(largest));
    const V lesser[4] = {MIN(m[0], m[1]), MIN(m[2], m[3]), MIN(high[0], high[1]), SELECT(maximal, NOTHING, top)};
    V e[4];
    for (int k = 0; k < 4; k++) e[k] = exp_by(lesser[k] - by.shift, by.k);
    *sum = add_carried(*sum, e[0] + e[1], carry);
    *sum = add_carried(*sum, e[2] + e[3], carry);
    return SUM_OF_LANES(SELECT(maximal, C(1), C(0)));
}

/* Take K by a new maximum, and a sum and what it carries to that scale; 0 where no K will do. */
static ALWAYS_INLINE int raise_to(T max, Shift *by, V *sum, V *carry) {
    const Shift raised = row_shift(C(max), RAISED);
    if (how_far(max) == FROM_AFAR) return 0;
    *sum = rescaled(*sum, by->k - raised.k);
    *carry = rescaled(*carry, by->k - raised.k);
    *by = raised;
    return 1;
}

/* The sum of a row's exponentials, which are written to `out` if it is wanted; BUT_ONE is that of `without`. Taken ONLINE, K is raised
 * where a block has larger entries than there were before, and the sum is scaled to it. */
static ALWAYS_INLINE Sum sum_exponentials(int how, int what, int writing, Row x, Row out, size_t n, Shift by, size_t without) {
    const Sum invalid = {0, 0, 0, 0, 0, by};
    Sum found;
    T buffer[ROW_CHUNK];
    V sum = C(0), carry = C(0), seen = C(0), limit = NOTHING, m[TOPS] = {NOTHING, NOTHING, NOTHING, NOTHING};
    EACH_CHUNK(n) {
        const T *p = chunk_of(x, start, count, buffer);
        T *to = writing ? target_of(out, start, buffer) : buffer;
        for (size_t i = 0; i < count; i += ROW_BLOCK) {
            const size_t left = count - i;
            const int opening = start + i == 0 && what == BUT_LARGEST;
            V e[BLOCK_VECTORS];
#define BLOCK(whole, from)                                                              \
    do {                                                                                \
        read_block(how, what, whole, from, p + i, left, m, e);                      \
        if (how == ONLINE && ANY(GE(top_of(m), limit))) {                   \
            if (!raise_to(LARGEST_LANE(top_of(m)), &by, &sum, &carry)) return invalid; \
            limit = largest_by(by.k);                                               \
        }                                                                               \
        take_block(how, whole, from, left, by, &seen, e);                        \
    } while (0)
            lanes_ahead(p + i);
            if (writing) ahead_to_write(to + i);
            if (opening) {
                for (size_t k = 0; k < TOPS; k++) m[k] = LOAD_SOME(p + k * LANES, k * LANES < left ? left - k * LANES : 0, NOTHING);
                if (left >= ROW_BLOCK)
                    BLOCK(1, TOPS);
                else
                    BLOCK(0, TOPS);
            } else if (left >= ROW_BLOCK)
                BLOCK(1, 0);
            else
                BLOCK(0, 0);
#undef BLOCK
            if (how == MODERATELY && !is_moderate(seen)) return invalid;
            for (int k = 0; k < BLOCK_VECTORS && writing; k++)
                if (left >= ROW_BLOCK)
                    STORE(to + i + k * LANES, e[k]);
                else if (left > (size_t)k * LANES)
                    STORE_SOME(to + i + k * LANES, e[k], left - (size_t)k * LANES);
            if (what == BUT_ONE && without - (start + i) < ROW_BLOCK) leave_out(e, without - (start + i));
            add_block(&sum, e, &carry);
        }
        if (writing) put_entry(out, start, count, to);
    }
    const T largest = what == AND_LARGEST || what == BUT_LARGEST || how == ONLINE ? LARGEST_LANE(top_of(m)) : 0;
    if (how == ONLINE && how_far(largest) == FROM_AFAR) return invalid; /* as by the maximum, though K is raised by a lesser entry */
    if (what != BUT_LARGEST) {
        found = (Sum){0, 0, largest, 0, 1, by};
        found.sum = row_total(n, sum, carry, &found.low);
        return found;
    }
    if (how == ONLINE) raise_to(largest, &by, &sum, &carry);
    const T maxima = add_tops(m, by, largest, &sum, &carry);
    int nan = !(largest - largest == 0);
    for (size_t k = 0; k < TOPS; k++) nan |= ANY(IS_NAN(m[k]));
    found = (Sum){0, 0, largest, maxima, 1, by};
    found.sum = total_parts(sum, carry, &found.low);
    if (nan) found.sum = (T)NAN_VALUE;
    return found;
}

#define HOW(how, moderately, nearly, from_afar, ...) \
    ((how) == MODERATELY ? moderately(__VA_ARGS__) : (how) == NEARLY ? nearly(__VA_ARGS__) : from_afar(__VA_ARGS__))

#define NO_ENTRY ((size_t)-1)
static NOINLINE Sum take_moderately(Row x, Row out, size_t n, Shift by, size_t without) {
    return without == NO_ENTRY ? sum_exponentials(MODERATELY, ALL, 1, x, out, n, by, 0)
                               : sum_exponentials(MODERATELY, BUT_ONE, 1, x, out, n, by, without);
}

static NOINLINE Sum take_nearly(Row x, Row out, size_t n, Shift by, size_t without) {
    return without == NO_ENTRY ? sum_exponentials(NEARLY, ALL, 1, x, out, n, by, 0)
                               : sum_exponentials(NEARLY, BUT_ONE, 1, x, out, n, by, without);
}

static NOINLINE Sum take_from_afar(Row x, Row out, size_t n, Shift by, size_t without) {
    return without == NO_ENTRY ? sum_exponentials(FROM_AFAR, ALL, 1, x, out, n, by, 0)
                               : sum_exponentials(FROM_AFAR, BUT_ONE, 1, x, out, n, by, without);
}
static NOINLINE Sum sum_moderately(Row x, size_t n, Shift by, size_t without) {
    return without == NO_ENTRY ? sum_exponentials(MODERATELY, ALL, 0, x, x, n, by, 0)
                               : sum_exponentials(MODERATELY, BUT_ONE, 0, x, x, n, by, without);
}

static NOINLINE Sum sum_online(Row x, size_t n, Shift by, size_t without) {
    return without == NO_ENTRY ? sum_exponentials(ONLINE, ALL, 0, x, x, n, by, 0)
                               : sum_exponentials(ONLINE, BUT_ONE, 0, x, x, n, by, without);
}

static NOINLINE Sum sum_from_afar(Row x, size_t n, Shift by, size_t without) {
    return without == NO_ENTRY ? sum_exponentials(FROM_AFAR, ALL, 0, x, x, n, by, 0)
                               : sum_exponentials(FROM_AFAR, BUT_ONE, 0, x, x, n, by, without);
}
static NOINLINE Sum rest_online(Row x, size_t n, Shift by) {
    return sum_exponentials(ONLINE, BUT_LARGEST, 0, x, x, n, by, 0);
}
static NOINLINE Sum rest_from_afar(Row x, size_t n, Shift by) {
    return sum_exponentials(FROM_AFAR, BUT_LARGEST, 0, x, x, n, by, 0);
}
static NOINLINE Sum sum_and_largest(Row x, size_t n) {
    return sum_exponentials(MODERATELY, AND_LARGEST, 0, x, x, n, no_shift(), 0);
}

/* The exponentials of a row, written to `out` where there is one: their sum without that of the entry `without`, how they were taken and,
 * unless moderately, by what and the maximum. Nothing is written over a row that may have to be read again. */
typedef struct {
    T sum, low, max;
    int how;
    Shift by;
} Taken;

static Taken take_row(Row x, const Row *out, size_t n, int by_maximum, size_t without) {
    Taken taken = {0, 0, 0, MODERATELY, no_shift()};
    if (!by_maximum && !(out && out->at == x.at && !row_is_moderate(x, n))) {
        const Sum s = out ? take_moderately(x, *out, n, taken.by, without) : sum_moderately(x, n, taken.by, without);
        taken.sum = s.sum;
        taken.low = s.low;
        if (s.is_valid) return taken;
    }
    if (!by_maximum && !out) {
        const Sum s = sum_online(x, n, taken.by, without);
        if (s.is_valid) return (Taken){s.sum, s.low, s.largest, NEARLY, s.by};
    }
    taken.max = row_maximum(x, n);
    taken.how = how_far(taken.max);
    taken.by = row_shift(C(taken.max), by_maximum ? 1 : RAISED);
    const Sum s = !out                        ? sum_from_afar(x, n, taken.by, without)
                      : taken.how == NEARLY ? take_nearly(x, *out, n, taken.by, without)
                                                : take_from_afar(x, *out, n, taken.by, without);
    taken.sum = s.sum;
    taken.low = s.low;
    return taken;
}

/* As much for log(sum(e^x)): the sum without the largest. Where that is no more than half of all, it is taken off the sum of all, which is
 * found sooner. */
static Sum rest_of_row(Row x, size_t n) {
    Shift by = no_shift();
    T top[LANES];
    Sum s = sum_and_largest(x, n);
    STORE(top, exp_by(C(s.largest), by.k));
    if (s.is_valid && s.sum >= 2 * top[0]) {
        const T all = s.sum;
        s.sum = all - top[0];
        s.low = ((all - s.sum) - top[0]) + s.low;
        s.maxima = 1;
        return s;
    }
    s = rest_online(x, n, by);
    if (s.is_valid) return s;
    by = row_shift(C(row_maximum(x, n)), RAISED);
    return rest_from_afar(x, n, by);
}
