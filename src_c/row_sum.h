/* The sums of one row's exponentials, for REAL, which are written where they are wanted; in chunks and blocks, as row_along.h has them. */

/* Two entries are added before each step that carries its rounding: of all ways of adding 64 the one that still meets the bound; where
 * a block is 8 vectors, four before each were off by 4.01 ULP. */
static ALWAYS_INLINE void FN(add_block)(V *sum, const V *e, V *carry) {
    for (int k = 0; k < FN(BLOCK_VECTORS); k += 2) *sum = FN(add_carried)(*sum, e[k] + e[k + 1], carry);
}

/* The sum of a row's lanes, in two parts, as row_middle.h has it for rows that it serves */
static ALWAYS_INLINE T FN(row_total)(size_t n, V sum, V carry, T *low) {
    T sums[LANES], lows[LANES];
    V lost;
    if (n > FN(ROW_CHUNK)) return FN(total_parts)(sum, carry, low);
    STORE(sums, FN(sum_of_lanes)(sum, carry, &lost));
    STORE(lows, lost);
    *low = *lows;
    return *sums;
}

/* What is summed: all exponentials, with the largest entry found or not; all but that of one entry, or but that of a largest one. */
enum { FN(ALL), FN(AND_LARGEST), FN(BUT_ONE), FN(BUT_LARGEST) };

typedef struct {
    T sum, low, largest, maxima; /* in two parts; the last is how many equal the largest and are left out */
    int is_valid; /* if not, they have to be taken some other way */
    FN(Shift) by;
} FN(Sum);

/* Running maxima: of this many vectors, so that their chains are short */
enum { FN(TOPS) = 4 };

/* 0 for the lane `index` of some vectors */
static inline void FN(leave_out)(V *e, size_t index) {
    T lanes[LANES];
    STORE(lanes, e[index / LANES]);
    lanes[index % LANES] = 0;
    e[index / LANES] = LOAD(lanes);
}

/* The entries of a block, or the first `count` of one; of each and the largest before it (m) the lesser, where the largest is left out. */
static ALWAYS_INLINE void FN(read_block)(int how, int what, int whole, size_t from, const T *p, size_t count, V *m, V *entry) {
    for (size_t k = from; k < FN(BLOCK_VECTORS); k++) {
        const size_t at = k * LANES, left = at < count ? count - at : 0;
        const V read = whole ? LOAD(p + at) : FN(load_some)(p + at, left, NOTHING);
        V *top = m + k % FN(TOPS);
        entry[k] = whole || how != FN(MODERATELY) ? read : FN(load_some)(p + at, left, C(0));
        if (what == FN(BUT_LARGEST)) entry[k] = MIN(*top, entry[k]); /* NaN passes */
        if (what == FN(BUT_LARGEST) || what == FN(AND_LARGEST) || how == FN(ONLINE)) *top = MAX(read, *top);
    }
}

/* Their exponentials */
static ALWAYS_INLINE void FN(take_block)(int how, int whole, size_t from, size_t count, FN(Shift) by, V *seen, V *e) {
    for (size_t k = 0; k < from; k++) e[k] = C(0);
    for (size_t k = from; k < FN(BLOCK_VECTORS); k += 2) FN(row_exps)(how, 2, e + k, by, seen);
    for (size_t k = from; k < FN(BLOCK_VECTORS) && !whole; k++)
        e[k] = SELECT(GT(C(count) - C(k * LANES), LOAD(FN(lane_numbers))), e[k], C(0));
}

static ALWAYS_INLINE V FN(top_of)(const V *m) { return MAX(MAX(m[0], m[1]), MAX(m[2], m[3])); }

/* The exponentials of the running maxima less those that equal the largest, added to the sum; returns how many are left out. */
static ALWAYS_INLINE T FN(add_tops)(const V *m, FN(Shift) by, T largest, V *sum, V *carry) {
    const V high[2] = {MAX(m[0], m[1]), MAX(m[2], m[3])}, top = MAX(high[0], high[1]);
    const M maximal = GE(top, FN(set)(largest));
    const V lesser[4] = {MIN(m[0], m[1]), MIN(m[2], m[3]), MIN(high[0], high[1]), SELECT(maximal, NOTHING, top)};
    V e[4];
    for (int k = 0; k < 4; k++) e[k] = FN(exp_by)(lesser[k] - by.shift, by.k);
    *sum = FN(add_carried)(*sum, e[0] + e[1], carry);
    *sum = FN(add_carried)(*sum, e[2] + e[3], carry);
    return OP(sum)(SELECT(maximal, C(1), C(0)));
}

/* Take K by a new maximum, and a sum and what it carries to that scale; 0 where no K will do. */
static ALWAYS_INLINE int FN(raise_to)(T max, FN(Shift) *by, V *sum, V *carry) {
    const FN(Shift) raised = FN(row_shift)(FN(set)(max), FN(RAISED));
    if (FN(how_far)(max) == FN(FROM_AFAR)) return 0;
    *sum = FN(rescaled)(*sum, by->k - raised.k);
    *carry = FN(rescaled)(*carry, by->k - raised.k);
    *by = raised;
    return 1;
}

/* The sum of a row's exponentials, which are written to `out` if it is wanted; BUT_ONE is that of `without`. Taken ONLINE, K is raised
 * where a block has larger entries than there were before, and the sum is scaled to it. */
static ALWAYS_INLINE FN(Sum) FN(sum_exponentials)(int how, int what, int writing, FN(Row) x, FN(Row) out, size_t n, FN(Shift) by, size_t without) {
    const FN(Sum) invalid = {0, 0, 0, 0, 0, by};
    FN(Sum) found;
    T buffer[FN(ROW_CHUNK)];
    V sum = C(0), carry = C(0), seen = C(0), limit = NOTHING, m[FN(TOPS)] = {NOTHING, NOTHING, NOTHING, NOTHING};
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(x, start, count, buffer);
        T *to = writing ? FN(target)(out, start, buffer) : buffer;
        for (size_t i = 0; i < count; i += FN(ROW_BLOCK)) {
            const size_t left = count - i;
            const int opening = start + i == 0 && what == FN(BUT_LARGEST);
            V e[FN(BLOCK_VECTORS)];
#define BLOCK(whole, from)                                                              \
    do {                                                                                \
        FN(read_block)(how, what, whole, from, p + i, left, m, e);                      \
        if (how == FN(ONLINE) && OP(any)(GE(FN(top_of)(m), limit))) {                   \
            if (!FN(raise_to)(OP(largest)(FN(top_of)(m)), &by, &sum, &carry)) return invalid; \
            limit = FN(largest_by)(by.k);                                               \
        }                                                                               \
        FN(take_block)(how, whole, from, left, by, &seen, e);                        \
    } while (0)
            FN(ahead)(p + i);
            if (writing) FN(ahead_to_write)(to + i);
            if (opening) {
                for (size_t k = 0; k < FN(TOPS); k++) m[k] = FN(load_some)(p + k * LANES, k * LANES < left ? left - k * LANES : 0, NOTHING);
                if (left >= FN(ROW_BLOCK))
                    BLOCK(1, FN(TOPS));
                else
                    BLOCK(0, FN(TOPS));
            } else if (left >= FN(ROW_BLOCK))
                BLOCK(1, 0);
            else
                BLOCK(0, 0);
#undef BLOCK
            if (how == FN(MODERATELY) && !FN(is_moderate)(seen)) return invalid;
            for (int k = 0; k < FN(BLOCK_VECTORS) && writing; k++)
                if (left >= FN(ROW_BLOCK))
                    STORE(to + i + k * LANES, e[k]);
                else if (left > (size_t)k * LANES)
                    FN(store_some)(to + i + k * LANES, e[k], left - (size_t)k * LANES);
            if (what == FN(BUT_ONE) && without - (start + i) < FN(ROW_BLOCK)) FN(leave_out)(e, without - (start + i));
            FN(add_block)(&sum, e, &carry);
        }
        if (writing) FN(put)(out, start, count, to);
    }
    const T largest = what == FN(AND_LARGEST) || what == FN(BUT_LARGEST) || how == FN(ONLINE) ? OP(largest)(FN(top_of)(m)) : 0;
    if (how == FN(ONLINE) && FN(how_far)(largest) == FN(FROM_AFAR)) return invalid; /* as by the maximum, though K is raised by a lesser entry */
    if (what != FN(BUT_LARGEST)) {
        found = (FN(Sum)){0, 0, largest, 0, 1, by};
        found.sum = FN(row_total)(n, sum, carry, &found.low);
        return found;
    }
    if (how == FN(ONLINE)) FN(raise_to)(largest, &by, &sum, &carry);
    const T maxima = FN(add_tops)(m, by, largest, &sum, &carry);
    int nan = !(largest - largest == 0);
    for (size_t k = 0; k < FN(TOPS); k++) nan |= OP(any)(OP(nan)(m[k]));
    found = (FN(Sum)){0, 0, largest, maxima, 1, by};
    found.sum = FN(total_parts)(sum, carry, &found.low);
    if (nan) found.sum = (T)NAN_VALUE;
    return found;
}

#define HOW(how, f, ...) \
    ((how) == FN(MODERATELY) ? FN(f##_moderately)(__VA_ARGS__) : (how) == FN(NEARLY) ? FN(f##_nearly)(__VA_ARGS__) : FN(f##_from_afar)(__VA_ARGS__))
#define EACH_HOW(X) X(moderately, FN(MODERATELY)) X(nearly, FN(NEARLY)) X(from_afar, FN(FROM_AFAR))
#define EACH_HOW_TO_SUM(X) X(moderately, FN(MODERATELY)) X(online, FN(ONLINE)) X(from_afar, FN(FROM_AFAR)) /* where nothing is written */

#define NO_ENTRY ((size_t)-1)
#define TAKES(name, how)                                                                                           \
    static APART FN(Sum) FN(take_##name)(FN(Row) x, FN(Row) out, size_t n, FN(Shift) by, size_t without) {         \
        return without == NO_ENTRY ? FN(sum_exponentials)(how, FN(ALL), 1, x, out, n, by, 0)                       \
                                   : FN(sum_exponentials)(how, FN(BUT_ONE), 1, x, out, n, by, without);            \
    }
#define SUMS(name, how)                                                                                            \
    static APART FN(Sum) FN(sum_##name)(FN(Row) x, size_t n, FN(Shift) by, size_t without) {                       \
        return without == NO_ENTRY ? FN(sum_exponentials)(how, FN(ALL), 0, x, x, n, by, 0)                         \
                                   : FN(sum_exponentials)(how, FN(BUT_ONE), 0, x, x, n, by, without);              \
    }
EACH_HOW(TAKES)
EACH_HOW_TO_SUM(SUMS)
#undef TAKES
#undef SUMS
static APART FN(Sum) FN(rest_online)(FN(Row) x, size_t n, FN(Shift) by) {
    return FN(sum_exponentials)(FN(ONLINE), FN(BUT_LARGEST), 0, x, x, n, by, 0);
}
static APART FN(Sum) FN(rest_from_afar)(FN(Row) x, size_t n, FN(Shift) by) {
    return FN(sum_exponentials)(FN(FROM_AFAR), FN(BUT_LARGEST), 0, x, x, n, by, 0);
}
static APART FN(Sum) FN(sum_and_largest)(FN(Row) x, size_t n) {
    return FN(sum_exponentials)(FN(MODERATELY), FN(AND_LARGEST), 0, x, x, n, FN(no_shift)(), 0);
}

/* The exponentials of a row, written to `out` where there is one: their sum without that of the entry `without`, how they were taken and,
 * unless moderately, by what and the maximum. Nothing is written over a row that may have to be read again. */
typedef struct {
    T sum, low, max;
    int how;
    FN(Shift) by;
} FN(Taken);

static FN(Taken) FN(take_row)(FN(Row) x, const FN(Row) *out, size_t n, int by_maximum, size_t without) {
    FN(Taken) taken = {0, 0, 0, FN(MODERATELY), FN(no_shift)()};
    if (!by_maximum && !(out && out->at == x.at && !FN(row_is_moderate)(x, n))) {
        const FN(Sum) s = out ? FN(take_moderately)(x, *out, n, taken.by, without) : FN(sum_moderately)(x, n, taken.by, without);
        taken.sum = s.sum;
        taken.low = s.low;
        if (s.is_valid) return taken;
    }
    if (!by_maximum && !out) {
        const FN(Sum) s = FN(sum_online)(x, n, taken.by, without);
        if (s.is_valid) return (FN(Taken)){s.sum, s.low, s.largest, FN(NEARLY), s.by};
    }
    taken.max = FN(row_maximum)(x, n);
    taken.how = FN(how_far)(taken.max);
    taken.by = FN(row_shift)(FN(set)(taken.max), by_maximum ? 1 : FN(RAISED));
    const FN(Sum) s = !out                        ? FN(sum_from_afar)(x, n, taken.by, without)
                      : taken.how == FN(NEARLY) ? FN(take_nearly)(x, *out, n, taken.by, without)
                                                : FN(take_from_afar)(x, *out, n, taken.by, without);
    taken.sum = s.sum;
    taken.low = s.low;
    return taken;
}

/* As much for log(sum(e^x)): the sum without the largest. Where that is no more than half of all, it is taken off the sum of all, which is
 * found sooner. */
static FN(Sum) FN(rest_of_row)(FN(Row) x, size_t n) {
    FN(Shift) by = FN(no_shift)();
    T top[LANES];
    FN(Sum) s = FN(sum_and_largest)(x, n);
    STORE(top, FN(exp_by)(FN(set)(s.largest), by.k));
    if (s.is_valid && s.sum >= 2 * top[0]) {
        const T all = s.sum;
        s.sum = all - top[0];
        s.low = ((all - s.sum) - top[0]) + s.low;
        s.maxima = 1;
        return s;
    }
    s = FN(rest_online)(x, n, by);
    if (s.is_valid) return s;
    by = FN(row_shift)(FN(set)(FN(row_maximum)(x, n)), FN(RAISED));
    return FN(rest_from_afar)(x, n, by);
}
