/* The softmax family of one row at a time, in chunks. A strided row passes through buffers of 4 or 8 KiB. */

enum { ROW_CHUNK = 1024, ROW_BLOCK = 64, BLOCK_VECTORS = ROW_BLOCK / LANES };

/* From here on, rows of 512 KiB of floats, which leave no room in L2, exponentials are taken twice rather than stored and read
 * again: one row of 8 Mi, .46 ns an entry instead of .53. */
enum { LONG_ROW = 1 << 17 };

typedef struct {
    T *at;
    ptrdiff_t step; /* entries */
} Row;

#define EACH_CHUNK(n)                                                                                                   \
    for (size_t start = 0, count; start < (n) && (count = (n) - start < (size_t)ROW_CHUNK ? (n) - start : (size_t)ROW_CHUNK); \
         start += count)

/* Entries start ... start + count of a row, contiguous; and where to put as many. */
static inline const T *chunk_of(Row row, size_t start, size_t count, T *buffer) {
    if (row.step == 1) return row.at + start;
    for (size_t i = 0; i < count; i++) buffer[i] = row.at[(ptrdiff_t)(start + i) * row.step];
    return buffer;
}

static inline T *target_of(Row row, size_t start, T *buffer) { return row.step == 1 ? row.at + start : buffer; }

static inline void put_entry(Row row, size_t start, size_t count, const T *buffer) {
    if (row.step == 1) return;
    for (size_t i = 0; i < count; i++) row.at[(ptrdiff_t)(start + i) * row.step] = buffer[i];
}

/* Ask for the block that stands a chunk ahead of one, in the next row, while there is more to compute than to load: 1024 columns, .14 ns instead
 * of .18. */
static ALWAYS_INLINE void lanes_ahead(const T *p) {
    for (size_t i = 0; i < ROW_BLOCK; i += 64 / sizeof(T)) PREFETCH(p + ROW_CHUNK + i);
}
static ALWAYS_INLINE void ahead_to_write(T *p) {
    for (size_t i = 0; i < ROW_BLOCK; i += 64 / sizeof(T)) PREFETCH_TO_WRITE(p + ROW_CHUNK + i);
}

/* The maximum of contiguous entries, by lanes */
static ALWAYS_INLINE V maximum_by_lanes(const T *p, size_t n) {
    V m[4] = {NOTHING, NOTHING, NOTHING, NOTHING};
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (size_t k = 0; k < 4; k++) m[k] = MAX(LOAD(p + i + k * LANES), m[k]);
    for (; i < n; i += LANES) m[0] = MAX(LOAD_SOME(p + i, n - i, NOTHING), m[0]);
    return MAX(MAX(m[0], m[1]), MAX(m[2], m[3]));
}

static NOINLINE T row_maximum(Row x, size_t n) {
    T buffer[ROW_CHUNK];
    V m = NOTHING;
    EACH_CHUNK(n) m = MAX(maximum_by_lanes(chunk_of(x, start, count, buffer), count), m);
    return LARGEST_LANE(m);
}

static NOINLINE int row_is_moderate(Row x, size_t n) {
    T buffer[ROW_CHUNK];
    EACH_CHUNK(n) {
        const T *p = chunk_of(x, start, count, buffer);
        for (size_t i = 0; i < count; i += ROW_BLOCK) {
            V beyond = C(0);
            for (size_t k = i; k < i + ROW_BLOCK && k < count; k += LANES)
                beyond = SELECT(LT(ABS(LOAD_SOME(p + k, count - k, C(0))), C(MODERATE)), beyond, C(1)); /* NaN too */
            if (ANY(GT(beyond, C(0)))) return 0;
        }
    }
    return 1;
}

/* How a row's exponentials are taken that is not moderate */
static inline int how_far(T max) { return max < 8192 && max > -8192 ? NEARLY : FROM_AFAR; }

#include "rows/exp_sums.h"
#include "rows/rests.h"

/* How many entries go first, that the others begin with a whole line of both arrays: rows of 4096 entries, .135 ns an entry instead of .144. 0 where
 * that does not pay: in short rows, or where vectors were just written that lie across those to be read. */
static inline size_t entries_before_line(const T *p, const T *to, size_t n) {
    const int pays = n >= (p == to ? 2048 : 256) && ((uintptr_t)p - (uintptr_t)to) % (LANES * sizeof(T)) == 0;
    return pays ? unaligned(to, n) : 0;
}

/* to = f(entry) for the entries of p, as vectors; streamed where there is a line */
#define MAP_ROW(line, p, to, n, fill, expression)                             \
    do {                                                                      \
        size_t i_ = (line) ? unaligned(to, n) : entries_before_line(p, to, n); \
        if ((line) || i_) {                                                   \
            V entry = LOAD_SOME(p, i_, fill);                             \
            if (line)                                                         \
                begin_piece(line, to, expression, n);                     \
            else                                                              \
                STORE_SOME(to, expression, i_);                           \
        }                                                                     \
        for (; i_ + LANES <= (n); i_ += LANES) {                              \
            V entry = LOAD((p) + i_);                                         \
            PUT(line, (to) + i_, expression);                                 \
        }                                                                     \
        if (i_ < (n)) {                                                       \
            V entry = LOAD_SOME((p) + i_, (n) - i_, fill);                \
            if (line)                                                         \
                end_piece(line, (to) + i_, expression, (n) - i_);         \
            else                                                              \
                STORE_SOME((to) + i_, expression, (n) - i_);              \
        }                                                                     \
    } while (0)

/* to = e^(x - max) * factor, or p * factor: contiguous entries */
static NOINLINE void exponentials_moderately(Line *line, const T *x, T *to, size_t n, Shift by, Factor factor) {
    V seen = C(0);
    if (line)
        MAP_ROW(line, x, to, n, C(0), times_factor(MODERATELY, LOW_FACTORS, row_exp(MODERATELY, entry, by, &seen), factor));
    else
        MAP_ROW((Line *)NULL, x, to, n, C(0), times_factor(MODERATELY, LOW_FACTORS, row_exp(MODERATELY, entry, by, &seen), factor));
    (void)seen;
}
static NOINLINE void scale_moderately(Line *line, const T *p, T *to, size_t n, Factor factor) {
    if (line)
        MAP_ROW(line, p, to, n, C(0), times_factor(MODERATELY, LOW_FACTORS, entry, factor));
    else
        MAP_ROW((Line *)NULL, p, to, n, C(0), times_factor(MODERATELY, LOW_FACTORS, entry, factor));
}

static NOINLINE void exponentials_nearly(Line *line, const T *x, T *to, size_t n, Shift by, Factor factor) {
    V seen = C(0);
    if (line)
        MAP_ROW(line, x, to, n, C(0), times_factor(NEARLY, LOW_FACTORS, row_exp(NEARLY, entry, by, &seen), factor));
    else
        MAP_ROW((Line *)NULL, x, to, n, C(0), times_factor(NEARLY, LOW_FACTORS, row_exp(NEARLY, entry, by, &seen), factor));
    (void)seen;
}
static NOINLINE void scale_nearly(Line *line, const T *p, T *to, size_t n, Factor factor) {
    if (line)
        MAP_ROW(line, p, to, n, C(0), times_factor(NEARLY, LOW_FACTORS, entry, factor));
    else
        MAP_ROW((Line *)NULL, p, to, n, C(0), times_factor(NEARLY, LOW_FACTORS, entry, factor));
}

static NOINLINE void exponentials_from_afar(Line *line, const T *x, T *to, size_t n, Shift by, Factor factor) {
    V seen = C(0);
    if (line)
        MAP_ROW(line, x, to, n, C(0), times_factor(FROM_AFAR, LOW_FACTORS, row_exp(FROM_AFAR, entry, by, &seen), factor));
    else
        MAP_ROW((Line *)NULL, x, to, n, C(0), times_factor(FROM_AFAR, LOW_FACTORS, row_exp(FROM_AFAR, entry, by, &seen), factor));
    (void)seen;
}
static NOINLINE void scale_from_afar(Line *line, const T *p, T *to, size_t n, Factor factor) {
    if (line)
        MAP_ROW(line, p, to, n, C(0), times_factor(FROM_AFAR, LOW_FACTORS, entry, factor));
    else
        MAP_ROW((Line *)NULL, p, to, n, C(0), times_factor(FROM_AFAR, LOW_FACTORS, entry, factor));
}

static inline int taken_twice(const Line *line, size_t n) { return n >= LONG_ROW || (line && n > ROW_CHUNK); }

/* With K = 0 only a weight of ordinary size over the sum is neither subnormal nor infinite; otherwise, what is nothing stays so (common.h). */
#define LEAST_WEIGHT 0x1p-32
#define MOST_WEIGHT 0x1p16
static inline int is_ordinary(T weight) { /* NaN, too */
    return weight == 0 || !(ABS_OF(weight) <= (T)LEAST_WEIGHT || ABS_OF(weight) >= (T)MOST_WEIGHT);
}

static int are_ordinary(const T *weight, size_t rows) {
    V least = C(1), most = C(1);
    for (size_t r = 0; r < rows; r += LANES) {
        V size = ABS(LOAD_SOME(weight + r, rows - r, C(1)));
        size = SELECT(GT(size, C(0)), size, C(1));
        least = MIN(size, least);
        most = MAX(size, most);
    }
    return LARGEST_LANE(most) < (T)MOST_WEIGHT && !ANY(LE(least, C(LEAST_WEIGHT)));
}

/* weight * e^(x - max) / sum. Which of the ways is taken changes no bit: exponentials and sums are the same. */
static void softmax_along(Line *line, Row x, Row out, size_t n, T weight) {
    T buffer[ROW_CHUNK];
    const int along = x.step == 1 && out.step == 1, by_maximum = !is_ordinary(weight), twice = along && taken_twice(line, n);
    const Row row = {n <= ROW_CHUNK ? buffer : out.at, n <= ROW_CHUNK ? 1 : out.step};
    const Taken taken = take_row(x, twice ? NULL : &row, n, by_maximum, NO_ENTRY);
    const Factor quotient = quotient_of(C(weight), C(taken.sum), C(taken.low));
    const int how = how_to_finish(taken.how, least_size(quotient.scale, C(1)));
    const Factor factor = power_apart(how, quotient);
    if (twice)
        HOW(how, exponentials_moderately, exponentials_nearly, exponentials_from_afar, line, x.at, out.at, n, taken.by, factor);
    else if (along)
        HOW(how, scale_moderately, scale_nearly, scale_from_afar, line, row.at, out.at, n, factor);
    else
        EACH_CHUNK(n) {
            const T *p = chunk_of(row, start, count, buffer);
            T *to = target_of(out, start, buffer);
            HOW(how, scale_moderately, scale_nearly, scale_from_afar, NULL, p, to, count, factor);
            put_entry(out, start, count, to);
        }
}

static NOINLINE void subtract_row(Line *line, const T *p, T *to, size_t n, V high, V low) {
    if (line)
        MAP_ROW(line, p, to, n, C(0), (entry - high) - low);
    else
        MAP_ROW(0, p, to, n, C(0), (entry - high) - low);
}

static void log_softmax_along(Line *line, const Row *x, const Row *out, size_t rows, size_t n) {
    T high[LOG_ROOM], low[LOG_ROOM], buffer[ROW_CHUNK];
    log_sums(x, rows, n, high, low);
    for (size_t i = 0; i < rows; i++) {
        const V first = C(high[i]), rest = C(low[i]);
        if (x[i].step == 1 && out[i].step == 1)
            subtract_row(line, x[i].at, out[i].at, n, first, rest);
        else
            EACH_CHUNK(n) {
                const T *p = chunk_of(x[i], start, count, buffer);
                T *to = target_of(out[i], start, buffer);
                subtract_row(NULL, p, to, count, first, rest);
                put_entry(out[i], start, count, to);
            }
    }
}

/* What a backward pass multiplies: softmax's is p (grad - sum(grad p)), log_softmax's grad - p sum(grad); p is y, or e^y, or is
 * taken from x as e^(x - max) / sum. */
enum { OF_SOFTMAX, OF_LOG_SOFTMAX };
/* sum(grad * softmax(x)), each term divided by the sum first: slower, but no sum overflows. NaN where the row has one. */
static T normalized_dot(int of, Row grad, Row x, Shift by, V inverse, size_t n) {
    T dot = 0, e[LANES];
    for (size_t j = 0; j < n; j++) {
        STORE(e, row_exp(FROM_AFAR, C(x.at[(ptrdiff_t)j * x.step]), by, NULL) * inverse);
        dot += (of == OF_SOFTMAX ? e[0] : 1) * grad.at[(ptrdiff_t)j * grad.step];
    }
    return dot;
}

static ALWAYS_INLINE V add_product(int of, V p, V grad, V sum) {
    if (of == OF_SOFTMAX) return FMA(p, grad, sum);
    return sum + grad;
}

static ALWAYS_INLINE V gradient_of(int of, V p, V grad, V dot) {
    if (of == OF_SOFTMAX) return p * (grad - dot);
    return grad - p * dot;
}

static ALWAYS_INLINE void backward_by(int of, int from_output, Line *line, Row grad, Row y, Row out, size_t n,
                                          Shift by) {
    T buffer[ROW_CHUNK], grad_buffer[ROW_CHUNK];
    const V nothing = from_output && of == OF_SOFTMAX ? C(0) : NOTHING;
    const int exponential = !from_output || of == OF_LOG_SOFTMAX, how = from_output ? NEARLY : FROM_AFAR;
    /* Memory is to be read while gradients are streamed, too: that far ahead y is asked for then; or, if 0, with the sums. 8 Mi of 1024 columns,
     * .24 ns instead of .29; log_softmax's, of 2048 to 32768, whose sums are without y, .25 instead of .41 */
    const size_t ahead = !line || !from_output                                   ? 0
                         : of == OF_LOG_SOFTMAX || n < (size_t)ROW_CHUNK ? (size_t)ROW_CHUNK
                         : n <= 4 * (size_t)ROW_CHUNK                        ? n
                                                                                 : 0;
    V sum = C(0), carry = C(0);
    double dot = 0; /* the lanes start anew with every chunk */
    EACH_CHUNK(n) {
        const T *p = chunk_of(y, start, count, buffer), *g = chunk_of(grad, start, count, grad_buffer);
        V dots[2] = {C(0), C(0)};
        size_t i = 0;
        for (; i + ROW_BLOCK <= count; i += ROW_BLOCK) {
            V e[BLOCK_VECTORS];
            if (line && !ahead) lanes_ahead(p + i);
            if (line) lanes_ahead(g + i);
            for (int k = 0; k < BLOCK_VECTORS; k++) {
                e[k] = LOAD(p + i + k * LANES);
                if (!from_output) e[k] = row_exp(how, e[k], by, NULL);
                dots[k % 2] = add_product(of, e[k], LOAD(g + i + k * LANES), dots[k % 2]);
            }
            if (from_output) continue;
            add_block(&sum, e, &carry);
        }
        for (; i < count; i += LANES) {
            V e = LOAD_SOME(p + i, count - i, nothing), slope = LOAD_SOME(g + i, count - i, C(0));
            if (!from_output) {
                e = row_exp(how, e, by, NULL);
                sum = add_carried(sum, e, &carry);
            }
            const V other = dots[1];
            dots[1] = add_product(of, e, slope, dots[0]);
            dots[0] = other; /* as held.h does: by turns */
        }
        dot += SUM_OF_LANES(dots[0] + dots[1]);
    }
    const T total = from_output ? 1 : total_of(sum, carry);
    const V inverse = C(1 / total);
    V mean = C((T)(of == OF_SOFTMAX ? dot / total : dot));
    if (!from_output && !(dot - dot == 0)) mean = C(normalized_dot(of, grad, y, by, inverse, n));
    /* what L2 holds is read again from its end: 32768 columns, .128 ns instead of .142; log_softmax's y comes from further away, and took longer */
    const int back = from_output && of == OF_SOFTMAX && !line;
    const size_t pairs = (n + 2 * ROW_CHUNK - 1) / (2 * ROW_CHUNK);
    for (size_t k = 0; k < 2 * pairs; k++) {
        const size_t start = (back ? (2 * pairs - 1 - k) ^ 1 : k) * ROW_CHUNK, left = start < n ? n - start : 0;
        const size_t count = left < ROW_CHUNK ? left : ROW_CHUNK;
        if (!count) continue;
        const T *p = chunk_of(y, start, count, buffer), *g = chunk_of(grad, start, count, grad_buffer);
        T *to = target_of(out, start, buffer);
#define STEP(at, some, load, store)                                                                \
    do {                                                                                           \
        V e = load(p + (at), some, nothing);                                                       \
        if (exponential) e = row_exp(how, e, by, NULL);                                         \
        if (!from_output) e = e * inverse;                                                         \
        store(to + (at), gradient_of(of, e, load(g + (at), some, C(0)), mean), some);             \
    } while (0)
#define WHOLE(p, some, fill) LOAD(p)
#define STREAMED(p, value, some) PUT(line, p, value)
#define AS_HEAD(p, value, some) begin_piece(line, p, value, count)
#define AS_TAIL(p, value, some) end_piece(line, p, value, some)
        size_t i = line ? unaligned(to, count) : back ? entries_before_line(p, to, count) : 0; /* log_softmax's computes longer */
        if (line)
            STEP(0, i, LOAD_SOME, AS_HEAD);
        else if (i)
            STEP(0, i, LOAD_SOME, STORE_SOME);
        for (; i + LANES <= count; i += LANES) {
            if (ahead) PREFETCH(p + i + ahead);
            STEP(i, LANES, WHOLE, STREAMED);
        }
        if (i < count && line)
            STEP(i, count - i, LOAD_SOME, AS_TAIL);
        else if (i < count)
            STEP(i, count - i, LOAD_SOME, STORE_SOME);
#undef STEP
#undef WHOLE
#undef STREAMED
#undef AS_HEAD
#undef AS_TAIL
        put_entry(out, start, count, to);
    }
}

static NOINLINE void softmax_backward_along(Line *line, Row grad, Row y, Row out, size_t n) {
    Shift by = no_shift();
    /* by the maximum: gradients OF_SOFTMAX any size times e^x might be subnormal */
    if (!0) by = row_shift(C(row_maximum(y, n)), 0);
    if (line)
        backward_by(OF_SOFTMAX, 0, line, grad, y, out, n, by);
    else
        backward_by(OF_SOFTMAX, 0, NULL, grad, y, out, n, by);
}

static NOINLINE void softmax_from_output_along(Line *line, Row grad, Row y, Row out, size_t n) {
    Shift by = no_shift();
    /* by the maximum: gradients OF_SOFTMAX any size times e^x might be subnormal */
    if (!1) by = row_shift(C(row_maximum(y, n)), 0);
    if (line)
        backward_by(OF_SOFTMAX, 1, line, grad, y, out, n, by);
    else
        backward_by(OF_SOFTMAX, 1, NULL, grad, y, out, n, by);
}

static NOINLINE void log_softmax_backward_along(Line *line, Row grad, Row y, Row out, size_t n) {
    Shift by = no_shift();
    /* by the maximum: gradients OF_LOG_SOFTMAX any size times e^x might be subnormal */
    if (!0) by = row_shift(C(row_maximum(y, n)), 0);
    if (line)
        backward_by(OF_LOG_SOFTMAX, 0, line, grad, y, out, n, by);
    else
        backward_by(OF_LOG_SOFTMAX, 0, NULL, grad, y, out, n, by);
}

static NOINLINE void log_softmax_from_output_along(Line *line, Row grad, Row y, Row out, size_t n) {
    Shift by = no_shift();
    /* by the maximum: gradients OF_LOG_SOFTMAX any size times e^x might be subnormal */
    if (!1) by = row_shift(C(row_maximum(y, n)), 0);
    if (line)
        backward_by(OF_LOG_SOFTMAX, 1, line, grad, y, out, n, by);
    else
        backward_by(OF_LOG_SOFTMAX, 1, NULL, grad, y, out, n, by);
}
#undef LEAST_WEIGHT
#undef MOST_WEIGHT
