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

/* Ask for the block that stands a chunk ahead of one, in the next row, while there is more to compute than to load: 1024 columns, .14 ns instead
 * of .18. */
static ALWAYS_INLINE void FN(ahead)(const T *p) {
    for (size_t i = 0; i < FN(ROW_BLOCK); i += 64 / sizeof(T)) PREFETCH(p + FN(ROW_CHUNK) + i);
}
static ALWAYS_INLINE void FN(ahead_to_write)(T *p) {
    for (size_t i = 0; i < FN(ROW_BLOCK); i += 64 / sizeof(T)) PREFETCH_TO_WRITE(p + FN(ROW_CHUNK) + i);
}

/* The maximum of contiguous entries, by lanes */
static ALWAYS_INLINE V FN(maximum_by_lanes)(const T *p, size_t n) {
    V m[4] = {NOTHING, NOTHING, NOTHING, NOTHING};
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (size_t k = 0; k < 4; k++) m[k] = MAX(LOAD(p + i + k * LANES), m[k]);
    for (; i < n; i += LANES) m[0] = MAX(FN(load_some)(p + i, n - i, NOTHING), m[0]);
    return MAX(MAX(m[0], m[1]), MAX(m[2], m[3]));
}

static APART T FN(row_maximum)(FN(Row) x, size_t n) {
    T buffer[FN(ROW_CHUNK)];
    V m = NOTHING;
    EACH_CHUNK(n) m = MAX(FN(maximum_by_lanes)(FN(chunk)(x, start, count, buffer), count), m);
    return OP(largest)(m);
}

static APART int FN(row_is_moderate)(FN(Row) x, size_t n) {
    T buffer[FN(ROW_CHUNK)];
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(x, start, count, buffer);
        for (size_t i = 0; i < count; i += FN(ROW_BLOCK)) {
            V beyond = C(0);
            for (size_t k = i; k < i + FN(ROW_BLOCK) && k < count; k += LANES)
                beyond = SELECT(LT(ABS(FN(load_some)(p + k, count - k, C(0))), C(FN(MODERATE))), beyond, C(1)); /* NaN too */
            if (OP(any)(GT(beyond, C(0)))) return 0;
        }
    }
    return 1;
}

/* How a row's exponentials are taken that is not moderate */
static inline int FN(how_far)(T max) { return max < 8192 && max > -8192 ? FN(NEARLY) : FN(FROM_AFAR); }

#include "row_sum.h"
#include "row_rests.h"

/* How many entries go first, that the others begin with a whole line of both arrays: rows of 4096 entries, .135 ns an entry instead of .144. 0 where
 * that does not pay: in short rows, or where vectors were just written that lie across those to be read. */
static inline size_t FN(entries_before_line)(const T *p, const T *to, size_t n) {
    const int pays = n >= (p == to ? 2048 : 256) && ((uintptr_t)p - (uintptr_t)to) % (LANES * sizeof(T)) == 0;
    return pays ? FN(unaligned)(to, n) : 0;
}

/* to = f(entry) for the entries of p, as vectors; streamed where there is a line */
#define MAP_ROW(line, p, to, n, fill, expression)                             \
    do {                                                                      \
        size_t i_ = (line) ? FN(unaligned)(to, n) : FN(entries_before_line)(p, to, n); \
        if ((line) || i_) {                                                   \
            V entry = FN(load_some)(p, i_, fill);                             \
            if (line)                                                         \
                FN(begin_piece)(line, to, expression, n);                     \
            else                                                              \
                FN(store_some)(to, expression, i_);                           \
        }                                                                     \
        for (; i_ + LANES <= (n); i_ += LANES) {                              \
            V entry = LOAD((p) + i_);                                         \
            PUT(line, (to) + i_, expression);                                 \
        }                                                                     \
        if (i_ < (n)) {                                                       \
            V entry = FN(load_some)((p) + i_, (n) - i_, fill);                \
            if (line)                                                         \
                FN(end_piece)(line, (to) + i_, expression, (n) - i_);         \
            else                                                              \
                FN(store_some)((to) + i_, expression, (n) - i_);              \
        }                                                                     \
    } while (0)

/* to = e^(x - max) * factor, or p * factor: contiguous entries */
#define EXPONENTIALS(name, how)                                                                                             \
    static APART void FN(exponentials_##name)(FN(Line) *line, const T *x, T *to, size_t n, FN(Shift) by, FN(Factor) factor) { \
        V seen = C(0);                                                                                                      \
        if (line)                                                                                                           \
            MAP_ROW(line, x, to, n, C(0), FN(times)(how, LOW_FACTORS, FN(row_exp)(how, entry, by, &seen), factor));                         \
        else                                                                                                                \
            MAP_ROW((FN(Line) *)NULL, x, to, n, C(0), FN(times)(how, LOW_FACTORS, FN(row_exp)(how, entry, by, &seen), factor)); \
        (void)seen;                                                                                                         \
    }                                                                                                                       \
    static APART void FN(scale_##name)(FN(Line) *line, const T *p, T *to, size_t n, FN(Factor) factor) {                     \
        if (line)                                                                                                           \
            MAP_ROW(line, p, to, n, C(0), FN(times)(how, LOW_FACTORS, entry, factor));                                                      \
        else                                                                                                                \
            MAP_ROW((FN(Line) *)NULL, p, to, n, C(0), FN(times)(how, LOW_FACTORS, entry, factor)); \
    }
EACH_HOW(EXPONENTIALS)
#undef EXPONENTIALS

static inline int FN(taken_twice)(const FN(Line) *line, size_t n) { return n >= FN(LONG_ROW) || (line && n > FN(ROW_CHUNK)); }

/* With K = 0 only a weight of ordinary size over the sum is neither subnormal nor infinite; otherwise, what is nothing stays so (row_common.h). */
#define LEAST_WEIGHT 0x1p-32
#define MOST_WEIGHT 0x1p16
static inline int FN(is_ordinary)(T weight) { /* NaN, too */
    return weight == 0 || !(ABS_OF(weight) <= (T)LEAST_WEIGHT || ABS_OF(weight) >= (T)MOST_WEIGHT);
}

static int FN(are_ordinary)(const T *weight, size_t rows) {
    V least = C(1), most = C(1);
    for (size_t r = 0; r < rows; r += LANES) {
        V size = ABS(FN(load_some)(weight + r, rows - r, C(1)));
        size = SELECT(GT(size, C(0)), size, C(1));
        least = MIN(size, least);
        most = MAX(size, most);
    }
    return OP(largest)(most) < (T)MOST_WEIGHT && !OP(any)(LE(least, C(LEAST_WEIGHT)));
}

/* weight * e^(x - max) / sum. Which of the ways is taken changes no bit: exponentials and sums are the same. */
static void FN(softmax_along)(FN(Line) *line, FN(Row) x, FN(Row) out, size_t n, T weight) {
    T buffer[FN(ROW_CHUNK)];
    const int along = x.step == 1 && out.step == 1, by_maximum = !FN(is_ordinary)(weight), twice = along && FN(taken_twice)(line, n);
    const FN(Row) row = {n <= FN(ROW_CHUNK) ? buffer : out.at, n <= FN(ROW_CHUNK) ? 1 : out.step};
    const FN(Taken) taken = FN(take_row)(x, twice ? NULL : &row, n, by_maximum, NO_ENTRY);
    const FN(Factor) quotient = FN(quotient)(FN(set)(weight), FN(set)(taken.sum), FN(set)(taken.low));
    const int how = FN(how_to_finish)(taken.how, FN(least_size)(quotient.scale, C(1)));
    const FN(Factor) factor = FN(apart)(how, quotient);
    if (twice)
        HOW(how, exponentials, line, x.at, out.at, n, taken.by, factor);
    else if (along)
        HOW(how, scale, line, row.at, out.at, n, factor);
    else
        EACH_CHUNK(n) {
            const T *p = FN(chunk)(row, start, count, buffer);
            T *to = FN(target)(out, start, buffer);
            HOW(how, scale, NULL, p, to, count, factor);
            FN(put)(out, start, count, to);
        }
}

static APART void FN(subtract_row)(FN(Line) *line, const T *p, T *to, size_t n, V high, V low) {
    if (line)
        MAP_ROW(line, p, to, n, C(0), (entry - high) - low);
    else
        MAP_ROW(0, p, to, n, C(0), (entry - high) - low);
}

static void FN(log_softmax_along)(FN(Line) *line, const FN(Row) *x, const FN(Row) *out, size_t rows, size_t n) {
    T high[FN(LOG_ROOM)], low[FN(LOG_ROOM)], buffer[FN(ROW_CHUNK)];
    FN(log_sums)(x, rows, n, high, low);
    for (size_t i = 0; i < rows; i++) {
        const V first = FN(set)(high[i]), rest = FN(set)(low[i]);
        if (x[i].step == 1 && out[i].step == 1)
            FN(subtract_row)(line, x[i].at, out[i].at, n, first, rest);
        else
            EACH_CHUNK(n) {
                const T *p = FN(chunk)(x[i], start, count, buffer);
                T *to = FN(target)(out[i], start, buffer);
                FN(subtract_row)(NULL, p, to, count, first, rest);
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

static ALWAYS_INLINE void FN(backward_by)(int of, int from_output, FN(Line) *line, FN(Row) grad, FN(Row) y, FN(Row) out, size_t n,
                                          FN(Shift) by) {
    T buffer[FN(ROW_CHUNK)], grad_buffer[FN(ROW_CHUNK)];
    const V nothing = from_output && of == FN(OF_SOFTMAX) ? C(0) : NOTHING;
    const int exponential = !from_output || of == FN(OF_LOG_SOFTMAX), how = from_output ? FN(NEARLY) : FN(FROM_AFAR);
    /* Memory is to be read while gradients are streamed, too: that far ahead y is asked for then; or, if 0, with the sums. 8 Mi of 1024 columns,
     * .24 ns instead of .29; log_softmax's, of 2048 to 32768, whose sums are without y, .25 instead of .41 */
    const size_t ahead = !line || !from_output                                   ? 0
                         : of == FN(OF_LOG_SOFTMAX) || n < (size_t)FN(ROW_CHUNK) ? (size_t)FN(ROW_CHUNK)
                         : n <= 4 * (size_t)FN(ROW_CHUNK)                        ? n
                                                                                 : 0;
    V sum = C(0), carry = C(0);
    double dot = 0; /* the lanes start anew with every chunk */
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(y, start, count, buffer), *g = FN(chunk)(grad, start, count, grad_buffer);
        V dots[2] = {C(0), C(0)};
        size_t i = 0;
        for (; i + FN(ROW_BLOCK) <= count; i += FN(ROW_BLOCK)) {
            V e[FN(BLOCK_VECTORS)];
            if (line && !ahead) FN(ahead)(p + i);
            if (line) FN(ahead)(g + i);
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
            const V other = dots[1];
            dots[1] = FN(add_product)(of, e, slope, dots[0]);
            dots[0] = other; /* as row_held.h does: by turns */
        }
        dot += OP(sum)(dots[0] + dots[1]);
    }
    const T total = from_output ? 1 : FN(total)(sum, carry);
    const V inverse = FN(set)(1 / total);
    V mean = FN(set)((T)(of == FN(OF_SOFTMAX) ? dot / total : dot));
    if (!from_output && !(dot - dot == 0)) mean = FN(set)(FN(normalized_dot)(of, grad, y, by, inverse, n));
    /* what L2 holds is read again from its end: 32768 columns, .128 ns instead of .142; log_softmax's y comes from further away, and took longer */
    const int back = from_output && of == FN(OF_SOFTMAX) && !line;
    const size_t pairs = (n + 2 * FN(ROW_CHUNK) - 1) / (2 * FN(ROW_CHUNK));
    for (size_t k = 0; k < 2 * pairs; k++) {
        const size_t start = (back ? (2 * pairs - 1 - k) ^ 1 : k) * FN(ROW_CHUNK), left = start < n ? n - start : 0;
        const size_t count = left < FN(ROW_CHUNK) ? left : FN(ROW_CHUNK);
        if (!count) continue;
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
#define STREAMED(p, value, some) PUT(line, p, value)
#define AS_HEAD(p, value, some) FN(begin_piece)(line, p, value, count)
#define AS_TAIL(p, value, some) FN(end_piece)(line, p, value, some)
        size_t i = line ? FN(unaligned)(to, count) : back ? FN(entries_before_line)(p, to, count) : 0; /* log_softmax's computes longer */
        if (line)
            STEP(0, i, FN(load_some), AS_HEAD);
        else if (i)
            STEP(0, i, FN(load_some), FN(store_some));
        for (; i + LANES <= count; i += LANES) {
            if (ahead) PREFETCH(p + i + ahead);
            STEP(i, LANES, WHOLE, STREAMED);
        }
        if (i < count && line)
            STEP(i, count - i, FN(load_some), AS_TAIL);
        else if (i < count)
            STEP(i, count - i, FN(load_some), FN(store_some));
#undef STEP
#undef WHOLE
#undef STREAMED
#undef AS_HEAD
#undef AS_TAIL
        FN(put)(out, start, count, to);
    }
}

#define BACKWARD(name, of, from_output)                                                                                          \
    static APART void FN(name##_along)(FN(Line) *line, FN(Row) grad, FN(Row) y, FN(Row) out, size_t n) {                          \
        FN(Shift) by = FN(no_shift)();                                                                                             \
        /* by the maximum: gradients of any size times e^x might be subnormal */                                                 \
        if (!from_output) by = FN(row_shift)(FN(set)(FN(row_maximum)(y, n)), 0);                                                  \
        if (line)                                                                                                           \
            FN(backward_by)(of, from_output, line, grad, y, out, n, by);                                                            \
        else                                                                                                                     \
            FN(backward_by)(of, from_output, NULL, grad, y, out, n, by);                                                            \
    }
EACH_BACKWARD(BACKWARD)
#undef BACKWARD
#undef LEAST_WEIGHT
#undef MOST_WEIGHT
