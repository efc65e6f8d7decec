/* One row at a time, in chunks, for REAL; a strided row passes through buffers of 8 KiB. */

enum { FN(ROW_CHUNK) = 1024, FN(ROW_BLOCK) = 64 };

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

static T FN(row_max)(FN(Row) x, size_t n, T *buffer) {
    const V nothing = C(MINUS_INFINITY);
    V max[4] = {nothing, nothing, nothing, nothing};
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(x, start, count, buffer);
        size_t i = 0;
        for (; i + 4 * LANES <= count; i += 4 * LANES)
            for (size_t k = 0; k < 4; k++) max[k] = MAX(max[k], LOAD(p + i + k * LANES));
        for (; i < count; i += LANES) max[0] = MAX(max[0], FN(load_some)(p + i, count - i, nothing));
    }
    return FN(largest)(MAX(MAX(max[0], max[1]), MAX(max[2], max[3])));
}

static void FN(softmax_along)(FN(Row) x, FN(Row) out, size_t n) {
    T buffer[FN(ROW_CHUNK)];
    const V nothing = C(MINUS_INFINITY);
    const FN(Shift) by = FN(row_shift)(FN(set)(FN(row_max)(x, n, buffer)));
    V sum = C(0), carry = C(0);
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(x, start, count, buffer);
        T *to = FN(target)(out, start, buffer);
        size_t i = 0;
        for (; i + FN(ROW_BLOCK) <= count; i += FN(ROW_BLOCK)) {
            /* two loops: with the sum in the first, GCC does not vectorize the scalar set, 3 times slower */
            for (size_t k = i; k < i + FN(ROW_BLOCK); k += LANES) STORE(to + k, FN(shifted_exp)(LOAD(p + k), by));
            for (size_t k = i; k < i + FN(ROW_BLOCK); k += 4 * LANES) {
                V pair = LOAD(to + k) + LOAD(to + k + LANES), other = LOAD(to + k + 2 * LANES) + LOAD(to + k + 3 * LANES);
                sum = FN(add_carried)(sum, pair + other, &carry);
            }
        }
        for (; i < count; i += LANES) {
            V e = FN(shifted_exp)(FN(load_some)(p + i, count - i, nothing), by);
            FN(store_some)(to + i, e, count - i);
            sum = FN(add_carried)(sum, e, &carry);
        }
        FN(put)(out, start, count, to);
    }
    const V inverse = FN(set)(1 / FN(sum)(sum - carry));
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(out, start, count, buffer);
        T *to = FN(target)(out, start, buffer);
        size_t i = 0;
        for (; i + LANES <= count; i += LANES) STORE(to + i, LOAD(p + i) * inverse);
        if (i < count) FN(store_some)(to + i, FN(load_some)(p + i, count - i, inverse) * inverse, count - i);
        FN(put)(out, start, count, to);
    }
}

/* sum(grad * softmax(x)), each term divided by the sum first: slower, but no sum overflows. NaN where the row has one. */
static T FN(normalized_dot)(FN(Row) grad, FN(Row) x, FN(Shift) by, V inverse, size_t n) {
    T dot = 0, e[LANES];
    for (size_t j = 0; j < n; j++) {
        STORE(e, FN(shifted_exp)(FN(set)(x.at[(ptrdiff_t)j * x.step]), by) * inverse);
        dot += e[0] * grad.at[(ptrdiff_t)j * grad.step];
    }
    return dot;
}

/* y * (grad - sum(grad * y)), where y is given, or e^(x - max) / sum from x */
static ALWAYS_INLINE void FN(backward_along)(int from_output, FN(Row) grad, FN(Row) y, FN(Row) out, size_t n) {
    T buffer[FN(ROW_CHUNK)], grad_buffer[FN(ROW_CHUNK)];
    const V nothing = from_output ? C(0) : C(MINUS_INFINITY);
    FN(Shift) by = {C(0), C(0)};
    if (!from_output) by = FN(row_shift)(FN(set)(FN(row_max)(y, n, buffer)));
    V sum = C(0), carry = C(0);
    double dot = 0; /* the lanes start anew with every chunk */
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(y, start, count, buffer), *g = FN(chunk)(grad, start, count, grad_buffer);
        V dots = C(0), others = C(0);
        size_t i = 0;
        for (; i + FN(ROW_BLOCK) <= count; i += FN(ROW_BLOCK)) {
            T taken[FN(ROW_BLOCK)];
            const T *e = from_output ? p + i : taken;
            if (!from_output)
                for (size_t k = 0; k < FN(ROW_BLOCK); k += LANES) STORE(taken + k, FN(shifted_exp)(LOAD(p + i + k), by));
            for (size_t k = 0; k < FN(ROW_BLOCK); k += 4 * LANES) {
                V a = LOAD(e + k), b = LOAD(e + k + LANES), c = LOAD(e + k + 2 * LANES), d = LOAD(e + k + 3 * LANES);
                if (!from_output) sum = FN(add_carried)(sum, (a + b) + (c + d), &carry);
                dots = FMA(c, LOAD(g + i + k + 2 * LANES), FMA(a, LOAD(g + i + k), dots));
                others = FMA(d, LOAD(g + i + k + 3 * LANES), FMA(b, LOAD(g + i + k + LANES), others));
            }
        }
        for (; i < count; i += LANES) {
            V e = FN(load_some)(p + i, count - i, nothing);
            if (!from_output) {
                e = FN(shifted_exp)(e, by);
                sum = FN(add_carried)(sum, e, &carry);
            }
            dots = FMA(e, FN(load_some)(g + i, count - i, C(0)), dots);
        }
        dot += FN(sum)(dots + others);
    }
    const T total = from_output ? 1 : FN(sum)(sum - carry);
    const V inverse = FN(set)(1 / total);
    V mean = FN(set)((T)(dot / total));
    if (!from_output && !(dot - dot == 0)) mean = FN(set)(FN(normalized_dot)(grad, y, by, inverse, n));
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(y, start, count, buffer), *g = FN(chunk)(grad, start, count, grad_buffer);
        T *to = FN(target)(out, start, buffer);
        size_t i = 0;
        for (; i + LANES <= count; i += LANES) {
            V e = LOAD(p + i);
            if (!from_output) e = FN(shifted_exp)(e, by) * inverse;
            STORE(to + i, e * (LOAD(g + i) - mean));
        }
        if (i < count) {
            V e = FN(load_some)(p + i, count - i, nothing);
            if (!from_output) e = FN(shifted_exp)(e, by) * inverse;
            FN(store_some)(to + i, e * (FN(load_some)(g + i, count - i, mean) - mean), count - i);
        }
        FN(put)(out, start, count, to);
    }
}
