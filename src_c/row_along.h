/* One row at a time, for REAL, in chunks; a strided row passes through buffers of 4 or 8 KiB. */

enum { FN(ROW_CHUNK) = 1024, FN(ROW_BLOCK) = 64, FN(BLOCK_VECTORS) = FN(ROW_BLOCK) / FN(lanes) };

/* From here on, rows of 512 KiB of floats, which leave no room in L2, exponentials are taken twice rather than stored and read
 * again: one row of 8 Mi, .46 ns an entry instead of .53. */
enum { FN(LONG_ROW) = 1 << 17 };

typedef struct {
    T *at;
    ptrdiff_t step; /* entries */
} FN(Row);

#define EACH_CHUNK(n)                                                                                                   \
    for (size_t start = 0, count; start < (n) && (count = (n) - start < (size_t)FN(ROW_CHUNK) ? (n) - start : (size_t)FN(ROW_CHUNK)); \
         start += count)

/* Entries start ... start + count of a row, contiguous; and where to put as many. */
static inline const T *FN(chunk)(FN(Row) row, size_t start, size_t count, T *buffer) {
    if (row.step == 1) return row.at + start;
    for (size_t i = 0; i < count; i++) buffer[i] = row.at[(ptrdiff_t)(start + i) * row.step];
    return buffer;
}

static inline T *FN(target)(FN(Row) row, size_t start, T *buffer) { return row.step == 1 ? row.at + start : buffer; }

static inline void FN(put)(FN(Row) row, size_t start, size_t count, const T *buffer) {
    if (row.step == 1) return;
    for (size_t i = 0; i < count; i++) row.at[(ptrdiff_t)(start + i) * row.step] = buffer[i];
}

/* Ask for the block that stands a chunk ahead of one, in the next row, while there is more to compute than to load: 1024 columns, .14 ns instead of .18. */
static ALWAYS_INLINE void FN(ahead)(const T *p) {
    for (size_t i = 0; i < FN(ROW_BLOCK); i += 64 / sizeof(T)) PREFETCH(p + FN(ROW_CHUNK) + i);
}
static ALWAYS_INLINE void FN(ahead_to_write)(T *p) {
    for (size_t i = 0; i < FN(ROW_BLOCK); i += 64 / sizeof(T)) PREFETCH_TO_WRITE(p + FN(ROW_CHUNK) + i);
}

/* The largest value of a row, or the largest absolute one: of a row that is moderate, or some too large one. */
static ALWAYS_INLINE T FN(scan)(int sizes, FN(Row) x, size_t n) {
    T buffer[FN(ROW_CHUNK)];
    const V start_of = sizes ? C(0) : NOTHING;
    V m[4] = {start_of, start_of, start_of, start_of};
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(x, start, count, buffer);
        size_t i = 0;
        for (; i + 4 * LANES <= count; i += 4 * LANES) {
            for (size_t k = 0; k < 4; k++) {
                const V entry = LOAD(p + i + k * LANES);
                m[k] = MAX(sizes ? ABS(entry) : entry, m[k]);
            }
            if (sizes && i % 256 == 0 && OP(any)(GE(MAX(MAX(m[0], m[1]), MAX(m[2], m[3])), C(FN(MODERATE))))) break;
        }
        for (; i < count; i += LANES) {
            const V entry = FN(load_some)(p + i, count - i, start_of);
            m[0] = MAX(sizes ? ABS(entry) : entry, m[0]);
        }
        if (sizes && OP(any)(GE(MAX(MAX(m[0], m[1]), MAX(m[2], m[3])), C(FN(MODERATE))))) break;
    }
    return OP(largest)(MAX(MAX(m[0], m[1]), MAX(m[2], m[3])));
}
static APART T FN(row_maximum)(FN(Row) x, size_t n) { return FN(scan)(0, x, n); }
static APART int FN(row_is_moderate)(FN(Row) x, size_t n) { return FN(scan)(1, x, n) < FN(MODERATE); }

/* How a row's exponentials are taken that is not moderate */
static inline int FN(how_far)(T max) { return max < 8192 && max > -8192 ? FN(NEARLY) : FN(FROM_AFAR); }

/* Two entries are added before each step that carries its rounding: of all ways of adding 64 the one that still meets the bound. */
static ALWAYS_INLINE void FN(add_block)(V *sum, const V *e, V *carry) {
    if (FN(BLOCK_VECTORS) < 8)
        for (int k = 0; k < FN(BLOCK_VECTORS); k += 2) *sum = FN(add_carried)(*sum, e[k] + e[k + 1], carry);
    else
        for (int k = 0; k < FN(BLOCK_VECTORS) / 4; k++) {
            const int quarter = FN(BLOCK_VECTORS) / 4;
            *sum = FN(add_carried)(*sum, (e[k] + e[k + quarter]) + (e[k + 2 * quarter] + e[k + 3 * quarter]), carry);
        }
}

/* What is summed: all exponentials, while the largest entry is found or not; those of the entries below the maximum; or all but one. */
enum { FN(ALL), FN(AND_LARGEST), FN(BELOW_MAXIMUM), FN(BUT_ONE) };

typedef struct {
    T sum, maxima, largest; /* `maxima` is how many entries are as large as the largest, where only those below are summed */
    int is_moderate; /* if not, the moderate sum means nothing */
} FN(Sum);

/* 0 for the lane `index` of some vectors */
static inline void FN(leave_out)(V *e, size_t index) {
    T lanes[LANES];
    STORE(lanes, e[index / LANES]);
    lanes[index % LANES] = 0;
    e[index / LANES] = LOAD(lanes);
}

/* Sum a row's exponentials, without that of the entry `without`, and write them to `out` if it is wanted. */
static ALWAYS_INLINE FN(Sum) FN(sum_exponentials)(int how, int what, int writing, FN(Row) x, FN(Row) out, size_t n, FN(Shift) by, V largest, size_t without) {
    T buffer[FN(ROW_CHUNK)];
    V sum = C(0), carry = C(0), maxima = C(0), seen = C(0), top = NOTHING;
#define TAKEN(e, entry)                                            \
    V e = FN(row_exp)(how, entry, by, &seen);                      \
    if (what == FN(BELOW_MAXIMUM)) {                               \
        M maximal = GE(entry, largest);                            \
        maxima = maxima + SELECT(maximal, C(1), C(0));             \
        e = SELECT(maximal, e - e, e); /* NaN if it is not finite */ \
    }
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(x, start, count, buffer);
        T *to = writing ? FN(target)(out, start, buffer) : buffer;
        size_t i = 0;
        for (; i + FN(ROW_BLOCK) <= count; i += FN(ROW_BLOCK)) {
            V e[FN(BLOCK_VECTORS)];
            FN(ahead)(p + i);
            if (writing) FN(ahead_to_write)(to + i);
            for (int k = 0; k < FN(BLOCK_VECTORS); k++) {
                V entry = LOAD(p + i + k * LANES);
                TAKEN(taken, entry)
                if (writing) STORE(to + i + k * LANES, taken);
                e[k] = taken;
                if (what == FN(AND_LARGEST)) top = MAX(entry, top);
            }
            if (how == FN(MODERATELY) && i == 0 && !FN(is_moderate)(seen)) return (FN(Sum)){0, 0, 0, 0};
            if (without - (start + i) < FN(ROW_BLOCK)) FN(leave_out)(e, without - (start + i));
            FN(add_block)(&sum, e, &carry);
        }
        for (; i < count; i += LANES) {
            const V present = FN(load_some)(p + i, count - i, NOTHING);
            const V entry = how == FN(MODERATELY) && what != FN(BELOW_MAXIMUM) ? FN(load_some)(p + i, count - i, C(0)) : present;
            TAKEN(taken, entry)
            if (how == FN(MODERATELY)) taken = SELECT(GT(present, NOTHING), taken, SELECT(OP(nan)(present), present, C(0)));
            if (what == FN(AND_LARGEST)) top = MAX(present, top);
            if (writing) FN(store_some)(to + i, taken, count - i);
            if (without - (start + i) < LANES) FN(leave_out)(&taken, without - (start + i));
            sum = FN(add_carried)(sum, taken, &carry);
        }
        if (writing) FN(put)(out, start, count, to);
    }
#undef TAKEN
    return (FN(Sum)){FN(total)(sum, carry), what == FN(BELOW_MAXIMUM) ? OP(sum)(maxima) : 0, what == FN(AND_LARGEST) ? OP(largest)(top) : 0,
                     how != FN(MODERATELY) || FN(is_moderate)(seen)};
}

#define HOW(how, f, ...) \
    ((how) == FN(MODERATELY) ? FN(f##_moderately)(__VA_ARGS__) : (how) == FN(NEARLY) ? FN(f##_nearly)(__VA_ARGS__) : FN(f##_from_afar)(__VA_ARGS__))
#define EACH_HOW(X) X(moderately, FN(MODERATELY)) X(nearly, FN(NEARLY)) X(from_afar, FN(FROM_AFAR))

#define NO_ENTRY ((size_t)-1 / 2)
#define SUMS(name, how)                                                                                            \
    static APART FN(Sum) FN(sum_##name)(FN(Row) x, size_t n, FN(Shift) by, size_t without) {                       \
        return FN(sum_exponentials)(how, FN(ALL), 0, x, x, n, by, NOTHING, without);                               \
    }                                                                                                              \
    static APART FN(Sum) FN(take_##name)(FN(Row) x, FN(Row) out, size_t n, FN(Shift) by, size_t without) {         \
        return FN(sum_exponentials)(how, FN(ALL), 1, x, out, n, by, NOTHING, without);                             \
    }                                                                                                              \
    static APART FN(Sum) FN(below_##name)(FN(Row) x, size_t n, FN(Shift) by, V largest) {                          \
        return FN(sum_exponentials)(how, FN(BELOW_MAXIMUM), 0, x, x, n, by, largest, NO_ENTRY);                    \
    }
EACH_HOW(SUMS)
#undef SUMS
static APART FN(Sum) FN(sum_and_largest)(FN(Row) x, size_t n) {
    return FN(sum_exponentials)(FN(MODERATELY), FN(AND_LARGEST), 0, x, x, n, (FN(Shift)){C(0), C(0)}, NOTHING, NO_ENTRY);
}

/* The exponentials of a row, written to `out` where there is one: their sum without that of the entry `without`, how they were taken and,
 * unless moderately, by what and the maximum. Nothing is written over a row that may have to be read again. */
typedef struct {
    T sum, max;
    int how;
    FN(Shift) by;
} FN(Taken);

static FN(Taken) FN(take_row)(FN(Row) x, const FN(Row) *out, size_t n, int by_maximum, size_t without) {
    FN(Taken) taken = {0, 0, FN(MODERATELY), {C(0), C(0)}};
    if (!by_maximum && !(out && out->at == x.at && !FN(row_is_moderate)(x, n))) {
        const FN(Sum) s = out ? FN(take_moderately)(x, *out, n, taken.by, without) : FN(sum_moderately)(x, n, taken.by, without);
        taken.sum = s.sum;
        if (s.is_moderate) return taken;
    }
    taken.max = FN(row_maximum)(x, n);
    taken.how = FN(how_far)(taken.max);
    taken.by = FN(row_shift)(FN(set)(taken.max), by_maximum ? 0 : FN(RAISED));
    const int near = taken.how == FN(NEARLY);
    if (out)
        taken.sum = (near ? FN(take_nearly) : FN(take_from_afar))(x, *out, n, taken.by, without).sum;
    else
        taken.sum = (near ? FN(sum_nearly) : FN(sum_from_afar))(x, n, taken.by, without).sum;
    return taken;
}

/* to = f(entry) for the entries of p, as vectors; streaming stores start where `to` is aligned. */
#define MAP_ROW(streaming, p, to, n, fill, expression)                                 \
    do {                                                                               \
        size_t i_ = (streaming) ? FN(unaligned)(to, n) : 0;                            \
        if (i_) {                                                                      \
            V entry = FN(load_some)(p, i_, fill);                                      \
            FN(store_some)(to, expression, i_);                                        \
        }                                                                              \
        for (; i_ + LANES <= (n); i_ += LANES) {                                       \
            V entry = LOAD((p) + i_);                                                  \
            PUT(streaming, (to) + i_, expression);                                     \
        }                                                                              \
        if (i_ < (n)) {                                                                \
            V entry = FN(load_some)((p) + i_, (n) - i_, fill);                         \
            FN(store_some)((to) + i_, expression, (n) - i_);                           \
        }                                                                              \
    } while (0)

/* to = e^(x - max) * factor, or p * factor: contiguous entries */
#define EXPONENTIALS(name, how)                                                                                         \
    static APART void FN(exponentials_##name)(int streaming, const T *x, T *to, size_t n, FN(Shift) by, V factor) {     \
        V seen = C(0);                                                                                                  \
        if (streaming)                                                                                                  \
            MAP_ROW(1, x, to, n, C(0), FN(row_exp)(how, entry, by, &seen) * factor);                                    \
        else                                                                                                            \
            MAP_ROW(0, x, to, n, C(0), FN(row_exp)(how, entry, by, &seen) * factor);                                    \
        (void)seen;                                                                                                     \
    }
EACH_HOW(EXPONENTIALS)
#undef EXPONENTIALS

static APART void FN(scale_row)(int streaming, const T *p, T *to, size_t n, V factor) {
    if (streaming)
        MAP_ROW(1, p, to, n, C(0), entry * factor);
    else
        MAP_ROW(0, p, to, n, C(0), entry * factor);
}

static inline int FN(taken_twice)(int streaming, size_t n) { return n >= FN(LONG_ROW) || (streaming && n > FN(ROW_CHUNK)); }

/* With K = 0 only a weight of ordinary size over the sum is neither subnormal nor infinite. */
static inline int FN(is_ordinary)(T weight) { return weight == 0 || (ABS_OF(weight) > (T)0x1p-32 && ABS_OF(weight) < (T)0x1p32); }

static int FN(are_ordinary)(const T *weight, size_t rows) {
    V least = C(1), most = C(1);
    for (size_t r = 0; r < rows; r += LANES) {
        V size = ABS(FN(load_some)(weight + r, rows - r, C(1)));
        size = SELECT(GT(size, C(0)), size, C(1));
        least = MIN(size, least);
        most = MAX(size, most);
    }
    return OP(largest)(most) < (T)0x1p32 && !OP(any)(LE(least, C(0x1p-32)));
}

/* weight * e^(x - max) / sum. Which of the ways is taken changes no bit: exponentials and sums are the same. */
static void FN(softmax_along)(int streaming, FN(Row) x, FN(Row) out, size_t n, T weight) {
    T buffer[FN(ROW_CHUNK)];
    const int along = x.step == 1 && out.step == 1, by_maximum = !FN(is_ordinary)(weight), twice = along && FN(taken_twice)(streaming, n);
    const FN(Row) row = {n <= FN(ROW_CHUNK) ? buffer : out.at, n <= FN(ROW_CHUNK) ? 1 : out.step};
    const FN(Taken) taken = FN(take_row)(x, twice ? NULL : &row, n, by_maximum, NO_ENTRY);
    const V factor = FN(set)(weight / taken.sum);
    if (twice)
        HOW(taken.how, exponentials, streaming, x.at, out.at, n, taken.by, factor);
    else if (along)
        FN(scale_row)(streaming, row.at, out.at, n, factor);
    else
        EACH_CHUNK(n) {
            const T *p = FN(chunk)(row, start, count, buffer);
            T *to = FN(target)(out, start, buffer);
            FN(scale_row)(0, p, to, count, factor);
            FN(put)(out, start, count, to);
        }
}

/* Rows whose logarithms are taken together: as many as a vector of doubles holds, while they stay in L1 */
enum { FN(LOG_ROWS) = f64_lanes > 4 ? f64_lanes : 4 };

/* log(sum(e^x)) of rows, in two parts. The sum of a moderate row is twice its largest term or more, but where one entry dominates: only
 * there, and in wide rows, are the entries below the maximum summed apart. */
static APART void FN(log_sums)(const FN(Row) *x, size_t rows, size_t n, T *high, T *low) {
    T max[FN(LOG_ROWS)], below[FN(LOG_ROWS)] = {0}, maxima[FN(LOG_ROWS)] = {0}, shift[LANES + FN(LOG_ROWS)] = {0}, k[LANES + FN(LOG_ROWS)] = {0};
    for (size_t i = 0; i < rows; i++) {
        FN(Shift) by = {C(0), C(0)};
        FN(Sum) s = FN(sum_and_largest)(x[i], n);
        const int how = s.is_moderate ? FN(MODERATELY) : FN(how_far)(max[i] = FN(row_maximum)(x[i], n));
        T top[LANES];
        if (s.is_moderate)
            max[i] = s.largest;
        else
            by = FN(row_shift)(FN(set)(max[i]), FN(RAISED));
        STORE(top, FN(exp_by)(FN(set)(max[i]), by.k));
        below[i] = s.sum - top[0];
        maxima[i] = 1;
        if (!s.is_moderate || !(s.sum >= 2 * top[0])) {
            s = HOW(how, below, x[i], n, by, FN(set)(max[i]));
            below[i] = s.sum;
            maxima[i] = s.maxima;
        }
        STORE(shift + i, by.shift);
        STORE(k + i, by.k);
    }
    for (size_t i = rows; i < FN(LOG_ROWS); i++) max[i] = 0;
    FN(logarithms)(below, maxima, max, shift, k, high, low, rows);
}

static APART void FN(subtract_row)(int streaming, const T *p, T *to, size_t n, V high, V low) {
    if (streaming)
        MAP_ROW(1, p, to, n, C(0), (entry - high) - low);
    else
        MAP_ROW(0, p, to, n, C(0), (entry - high) - low);
}

static void FN(log_softmax_along)(int streaming, const FN(Row) *x, const FN(Row) *out, size_t rows, size_t n) {
    T high[FN(LOG_ROWS)], low[FN(LOG_ROWS)], buffer[FN(ROW_CHUNK)];
    FN(log_sums)(x, rows, n, high, low);
    for (size_t i = 0; i < rows; i++) {
        const V first = FN(set)(high[i]), rest = FN(set)(low[i]);
        if (x[i].step == 1 && out[i].step == 1)
            FN(subtract_row)(streaming, x[i].at, out[i].at, n, first, rest);
        else
            EACH_CHUNK(n) {
                const T *p = FN(chunk)(x[i], start, count, buffer);
                T *to = FN(target)(out[i], start, buffer);
                FN(subtract_row)(0, p, to, count, first, rest);
                FN(put)(out[i], start, count, to);
            }
    }
}

/* What a backward pass multiplies: softmax's is p (grad - sum(grad p)), log_softmax's grad - p sum(grad); p is y, or e^y, or is
 * taken from x as e^(x - max) / sum. */
enum { FN(OF_SOFTMAX), FN(OF_LOG_SOFTMAX) };
#define EACH_BACKWARD(X)                         \
    X(softmax_backward, FN(OF_SOFTMAX), 0)       \
    X(softmax_from_output, FN(OF_SOFTMAX), 1)    \
    X(log_softmax_backward, FN(OF_LOG_SOFTMAX), 0) \
    X(log_softmax_from_output, FN(OF_LOG_SOFTMAX), 1)

/* sum(grad * softmax(x)), each term divided by the sum first: slower, but no sum overflows. NaN where the row has one. */
static T FN(normalized_dot)(int of, FN(Row) grad, FN(Row) x, FN(Shift) by, V inverse, size_t n) {
    T dot = 0, e[LANES];
    for (size_t j = 0; j < n; j++) {
        STORE(e, FN(row_exp)(FN(FROM_AFAR), FN(set)(x.at[(ptrdiff_t)j * x.step]), by, NULL) * inverse);
        dot += (of == FN(OF_SOFTMAX) ? e[0] : 1) * grad.at[(ptrdiff_t)j * grad.step];
    }
    return dot;
}

static ALWAYS_INLINE V FN(add_product)(int of, V p, V grad, V sum) {
    if (of == FN(OF_SOFTMAX)) return FMA(p, grad, sum);
    return sum + grad;
}

static ALWAYS_INLINE V FN(gradient)(int of, V p, V grad, V dot) {
    if (of == FN(OF_SOFTMAX)) return p * (grad - dot);
    return grad - p * dot;
}

static ALWAYS_INLINE void FN(backward_by)(int of, int from_output, int streaming, FN(Row) grad, FN(Row) y, FN(Row) out, size_t n,
                                          FN(Shift) by) {
    T buffer[FN(ROW_CHUNK)], grad_buffer[FN(ROW_CHUNK)];
    const V nothing = from_output && of == FN(OF_SOFTMAX) ? C(0) : NOTHING;
    const int exponential = !from_output || of == FN(OF_LOG_SOFTMAX), how = from_output ? FN(NEARLY) : FN(FROM_AFAR);
    V sum = C(0), carry = C(0);
    double dot = 0; /* the lanes start anew with every chunk */
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(y, start, count, buffer), *g = FN(chunk)(grad, start, count, grad_buffer);
        V dots[2] = {C(0), C(0)};
        size_t i = 0;
        for (; i + FN(ROW_BLOCK) <= count; i += FN(ROW_BLOCK)) {
            V e[FN(BLOCK_VECTORS)];
            for (int k = 0; k < FN(BLOCK_VECTORS); k++) {
                e[k] = LOAD(p + i + k * LANES);
                if (!from_output) e[k] = FN(row_exp)(how, e[k], by, NULL);
                dots[k % 2] = FN(add_product)(of, e[k], LOAD(g + i + k * LANES), dots[k % 2]);
            }
            if (from_output) continue;
            FN(add_block)(&sum, e, &carry);
        }
        for (; i < count; i += LANES) {
            V e = FN(load_some)(p + i, count - i, nothing), slope = FN(load_some)(g + i, count - i, C(0));
            if (!from_output) {
                e = FN(row_exp)(how, e, by, NULL);
                sum = FN(add_carried)(sum, e, &carry);
            }
            dots[0] = FN(add_product)(of, e, slope, dots[0]);
        }
        dot += OP(sum)(dots[0] + dots[1]);
    }
    const T total = from_output ? 1 : FN(total)(sum, carry);
    const V inverse = FN(set)(1 / total);
    V mean = FN(set)((T)(of == FN(OF_SOFTMAX) ? dot / total : dot));
    if (!from_output && !(dot - dot == 0)) mean = FN(set)(FN(normalized_dot)(of, grad, y, by, inverse, n));
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(y, start, count, buffer), *g = FN(chunk)(grad, start, count, grad_buffer);
        T *to = FN(target)(out, start, buffer);
#define STEP(at, some, load, store)                                                                \
    do {                                                                                           \
        V e = load(p + (at), some, nothing);                                                       \
        if (exponential) e = FN(row_exp)(how, e, by, NULL);                                         \
        if (!from_output) e = e * inverse;                                                         \
        store(to + (at), FN(gradient)(of, e, load(g + (at), some, C(0)), mean), some);             \
    } while (0)
#define WHOLE(p, some, fill) LOAD(p)
#define STREAMED(p, value, some) PUT(streaming, p, value)
        size_t i = streaming ? FN(unaligned)(to, count) : 0;
        if (i) STEP(0, i, FN(load_some), FN(store_some));
        for (; i + LANES <= count; i += LANES) STEP(i, LANES, WHOLE, STREAMED);
        if (i < count) STEP(i, count - i, FN(load_some), FN(store_some));
#undef STEP
#undef WHOLE
#undef STREAMED
        FN(put)(out, start, count, to);
    }
}

#define BACKWARD(name, of, from_output)                                                                                          \
    static APART void FN(name##_along)(int streaming, FN(Row) grad, FN(Row) y, FN(Row) out, size_t n) {                          \
        FN(Shift) by = {C(0), C(0)};                                                                                             \
        /* by the maximum: gradients of any size times e^x might be subnormal */                                                 \
        if (!from_output) by = FN(row_shift)(FN(set)(FN(row_maximum)(y, n)), 0);                                                  \
        if (streaming)                                                                                                           \
            FN(backward_by)(of, from_output, 1, grad, y, out, n, by);                                                            \
        else                                                                                                                     \
            FN(backward_by)(of, from_output, 0, grad, y, out, n, by);                                                            \
    }
EACH_BACKWARD(BACKWARD)
#undef BACKWARD
