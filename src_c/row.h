/* Softmax and its backward passes along an axis, for REAL. Two algorithms serve every layout without a copy:
 *   along    one row at a time, in chunks; a strided row passes through buffers of 8 KiB
 *   across   neighbouring rows in the lanes: off the last axis they lie side by side in memory; short rows are brought so
 * Three passes: the maximum, the exponentials and their sum, the scaling. e^(x - max) is taken as e^x * 2^-K with
 * K = round(max / ln 2), while |max| < 2^13: so the rounding of x - max, amplified by its size (14 to 66 ULP in the usual
 * form), never happens. Beyond, every x that matters is within a factor 2 of max, and x - max is exact.
 * A row with NaN or +inf, or of -inf alone, becomes NaN by itself. */

enum { FN(ROW_CHUNK) = 1024, FN(SHORT_ROW) = 64, FN(ACROSS) = 4 };

/* ---- what one row is shifted by ---- */
typedef struct {
    V shift, k; /* e^(x - max) = e^(x - shift) * 2^-k, up to 2^(1/2) */
} FN(Shift);

static inline FN(Shift) FN(row_shift)(V max) {
    M small = LT(ABS(max), C(8192));
    V whole = FMA(SELECT(small, max, C(0)), C(FN(LOG2E)), C(FN(ROUNDER)));
    return (FN(Shift)){SELECT(small, C(0), max), whole - C(FN(ROUNDER))};
}

static inline V FN(shifted_exp)(V x, FN(Shift) by) {
    V k, whole;
    V t = FN(expm1_remainder)(MAX(C(-16384), x - by.shift), &k, &whole);
    return FN(scale)(C(1) + t, k - by.k);
}

/* ---- along: chunks of one row ---- */
typedef struct {
    const T *from;
    ptrdiff_t step;
} FN(Row);

/* Entries start ... start + count of a row, contiguous and padded to whole vectors with `fill`. */
static inline const T *FN(chunk)(FN(Row) row, size_t start, size_t count, T fill, T *buffer) {
    if (row.step == 1 && count % LANES == 0) return row.from + start;
    size_t i = 0;
    for (; i < count; i++) buffer[i] = row.from[(ptrdiff_t)(start + i) * row.step];
    for (; i % LANES; i++) buffer[i] = fill;
    return buffer;
}

static inline T *FN(chunk_target)(T *out, ptrdiff_t step, size_t start, size_t count, T *buffer) {
    return step == 1 && count % LANES == 0 ? out + start : buffer;
}

static inline void FN(put_chunk)(T *out, ptrdiff_t step, size_t start, size_t count, const T *from) {
    if (from == out + start && step == 1) return;
    for (size_t i = 0; i < count; i++) out[(ptrdiff_t)(start + i) * step] = from[i];
}

#define MINUS_INFINITY ((T) - __builtin_inf())
#define EACH_CHUNK(n) for (size_t start = 0, count; (count = FN(chunk_length)(n, start)) > 0; start += count)

/* The entries that follow `start`: as many whole vectors as a chunk holds, and the tail as a chunk of its own. */
static inline size_t FN(chunk_length)(size_t n, size_t start) {
    const size_t rest = n - start < FN(ROW_CHUNK) ? n - start : FN(ROW_CHUNK);
    return rest < LANES ? rest : rest - rest % LANES;
}

static T FN(row_max)(FN(Row) x, size_t n, T *buffer) {
    V a = C(MINUS_INFINITY), b = a, c = a, d = a;
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(x, start, count, MINUS_INFINITY, buffer);
        size_t i = 0;
        for (; i + 4 * LANES <= count; i += 4 * LANES) {
            a = MAX(a, LOAD(p + i));
            b = MAX(b, LOAD(p + i + LANES));
            c = MAX(c, LOAD(p + i + 2 * LANES));
            d = MAX(d, LOAD(p + i + 3 * LANES));
        }
        for (; i < count; i += LANES) a = MAX(a, LOAD(p + i));
    }
    return FN(largest)(MAX(MAX(a, b), MAX(c, d)));
}

static void FN(softmax_along)(FN(Row) x, T *out, ptrdiff_t step, size_t n) {
    T buffer[FN(ROW_CHUNK)];
    FN(Shift) by = FN(row_shift)(FN(set)(FN(row_max)(x, n, buffer)));
    double sum = 0; /* the lanes start anew with every chunk: 16 terms each of 16 lanes */
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(x, start, count, MINUS_INFINITY, buffer);
        T *to = FN(chunk_target)(out, step, start, count, buffer);
        V a = C(0), b = a, c = a, d = a;
        size_t i = 0;
        for (; i + 4 * LANES <= count; i += 4 * LANES) {
            V e[4];
            for (int k = 0; k < 4; k++) e[k] = FN(shifted_exp)(LOAD(p + i + k * LANES), by);
            for (int k = 0; k < 4; k++) STORE(to + i + k * LANES, e[k]);
            a = a + e[0];
            b = b + e[1];
            c = c + e[2];
            d = d + e[3];
        }
        for (; i < count; i += LANES) {
            V e = FN(shifted_exp)(LOAD(p + i), by);
            STORE(to + i, e);
            a = a + e;
        }
        sum += FN(sum)((a + b) + (c + d));
        FN(put_chunk)(out, step, start, count, to);
    }
    const V inverse = FN(set)((T)(1 / sum));
    EACH_CHUNK(n) {
        const T *p = FN(chunk)((FN(Row)){out, step}, start, count, 0, buffer);
        T *to = FN(chunk_target)(out, step, start, count, buffer);
        for (size_t i = 0; i < count; i += LANES) STORE(to + i, LOAD(p + i) * inverse);
        FN(put_chunk)(out, step, start, count, to);
    }
}

/* y * (grad - sum(grad * y)), where y is given, or e^(x - max) / sum */
static void FN(backward_along)(int from_output, FN(Row) grad, FN(Row) y, T *out, ptrdiff_t step, size_t n) {
    T buffer[FN(ROW_CHUNK)], grad_buffer[FN(ROW_CHUNK)];
    FN(Shift) by = {C(0), C(0)};
    if (!from_output) by = FN(row_shift)(FN(set)(FN(row_max)(y, n, buffer)));
    double sum = 0, dot = 0;
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(y, start, count, from_output ? 0 : MINUS_INFINITY, buffer);
        const T *g = FN(chunk)(grad, start, count, 0, grad_buffer);
        V sums = C(0), dots = C(0), more = C(0);
        for (size_t i = 0; i < count; i += LANES) {
            V e = LOAD(p + i);
            if (!from_output) e = FN(shifted_exp)(e, by);
            sums = sums + e;
            V other = dots;
            dots = FMA(e, LOAD(g + i), more); /* two chains in turn */
            more = other;
        }
        sum += FN(sum)(sums);
        dot += FN(sum)(dots + more);
    }
    if (from_output) sum = 1;
    const V inverse = FN(set)((T)(1 / sum)), mean = FN(set)((T)(dot / sum));
    EACH_CHUNK(n) {
        const T *p = FN(chunk)(y, start, count, from_output ? 0 : MINUS_INFINITY, buffer);
        const T *g = FN(chunk)(grad, start, count, 0, grad_buffer);
        T *to = FN(chunk_target)(out, step, start, count, buffer);
        for (size_t i = 0; i < count; i += LANES) {
            V e = LOAD(p + i);
            if (!from_output) e = FN(shifted_exp)(e, by) * inverse;
            STORE(to + i, e * (LOAD(g + i) - mean));
        }
        FN(put_chunk)(out, step, start, count, to);
    }
}

/* ---- across: `vectors` (1 to ACROSS) vectors of neighbouring rows; entry j of row i stands at p[j * step + i] ---- */

/* s + carry, the sum without its rounding: rows of any length add up in order */
static inline V FN(add_carried)(V s, V term, V *carry) {
    V corrected = term - *carry, next = s + corrected;
    *carry = (next - s) - corrected;
    return next;
}

static void FN(softmax_across)(const T *x, ptrdiff_t x_step, T *out, ptrdiff_t step, size_t n) {
    V max = C(MINUS_INFINITY);
    for (size_t j = 0; j < n; j++) max = MAX(max, LOAD(x + (ptrdiff_t)j * x_step));
    FN(Shift) by = FN(row_shift)(max);
    V sum = C(0), carry = C(0);
    for (size_t j = 0; j < n; j++) {
        V e = FN(shifted_exp)(LOAD(x + (ptrdiff_t)j * x_step), by);
        STORE(out + (ptrdiff_t)j * step, e);
        sum = FN(add_carried)(sum, e, &carry);
    }
    V inverse = C(1) / sum;
    for (size_t j = 0; j < n; j++) STORE(out + (ptrdiff_t)j * step, LOAD(out + (ptrdiff_t)j * step) * inverse);
}

static void FN(backward_across)(int from_output, const T *grad, ptrdiff_t grad_step, const T *y, ptrdiff_t y_step, T *out,
                                ptrdiff_t step, size_t n) {
    V max = C(MINUS_INFINITY), sum = C(0), carry = C(0), dot = C(0), dot_carry = C(0);
    if (!from_output)
        for (size_t j = 0; j < n; j++) max = MAX(max, LOAD(y + (ptrdiff_t)j * y_step));
    FN(Shift) by = FN(row_shift)(max);
    for (size_t j = 0; j < n; j++) {
        V e = LOAD(y + (ptrdiff_t)j * y_step);
        if (!from_output) e = FN(shifted_exp)(e, by);
        sum = FN(add_carried)(sum, e, &carry);
        dot = FN(add_carried)(dot, e * LOAD(grad + (ptrdiff_t)j * grad_step), &dot_carry);
    }
    V inverse = C(1);
    if (!from_output) inverse = inverse / sum;
    V mean = dot * inverse;
    for (size_t j = 0; j < n; j++) {
        V e = LOAD(y + (ptrdiff_t)j * y_step);
        if (!from_output) e = FN(shifted_exp)(e, by) * inverse;
        STORE(out + (ptrdiff_t)j * step, e * (LOAD(grad + (ptrdiff_t)j * grad_step) - mean));
    }
}

/* ---- the layouts of one call ---- */
typedef struct {
    char *data;
    ptrdiff_t outer, inner; /* bytes from row to row, and from entry to entry */
} FN(Operand);

enum { FN(SOFTMAX), FN(BACKWARD), FN(BACKWARD_FROM_OUTPUT) };

/* LANES rows side by side: entry j of row i at a[j * LANES + i]; absent rows repeat the last */
static void FN(bring_rows)(FN(Operand) from, size_t first, size_t rows, size_t n, T *a) {
    const T *p = (const T *)(from.data + (ptrdiff_t)first * from.outer);
    const ptrdiff_t step = from.outer / (ptrdiff_t)sizeof(T);
    if (rows == LANES && step < (1 << 26) && step > -(1 << 26)) {
        for (size_t j = 0; j < n; j++) STORE(a + j * LANES, FN(gather)(p + j, step));
        return;
    }
    for (size_t i = 0; i < LANES; i++)
        for (size_t j = 0; j < n; j++) a[j * LANES + i] = p[(ptrdiff_t)(i < rows ? i : rows - 1) * step + (ptrdiff_t)j];
}

static void FN(short_rows)(int what, const FN(Operand) *operand, size_t rows, size_t n) {
    T a[FN(SHORT_ROW) * LANES], b[FN(SHORT_ROW) * LANES];
    const FN(Operand) out = operand[what == FN(SOFTMAX) ? 1 : 2];
    for (size_t first = 0; first < rows; first += LANES) {
        const size_t count = rows - first < LANES ? rows - first : LANES;
        FN(bring_rows)(operand[0], first, count, n, a);
        if (what == FN(SOFTMAX)) {
            FN(softmax_across)(a, LANES, a, LANES, n);
        } else {
            FN(bring_rows)(operand[1], first, count, n, b);
            FN(backward_across)(what == FN(BACKWARD_FROM_OUTPUT), a, LANES, b, LANES, a, LANES, n);
        }
        for (size_t i = 0; i < count; i++) {
            T *to = (T *)(out.data + (ptrdiff_t)(first + i) * out.outer);
            for (size_t j = 0; j < n; j++) to[j] = a[j * LANES + i];
        }
    }
}

static void FN(one_row)(int what, const FN(Operand) *operand, size_t row, size_t n) {
    FN(Row) in[2] = {{0}};
    const int arrays = what == FN(SOFTMAX) ? 1 : 2;
    for (int k = 0; k < arrays; k++)
        in[k] = (FN(Row)){(const T *)(operand[k].data + (ptrdiff_t)row * operand[k].outer), operand[k].inner / (ptrdiff_t)sizeof(T)};
    T *out = (T *)(operand[arrays].data + (ptrdiff_t)row * operand[arrays].outer);
    const ptrdiff_t step = operand[arrays].inner / (ptrdiff_t)sizeof(T);
    if (what == FN(SOFTMAX))
        FN(softmax_along)(in[0], out, step, n);
    else
        FN(backward_along)(what == FN(BACKWARD_FROM_OUTPUT), in[0], in[1], out, step, n);
}

static void FN(side_by_side)(int what, const FN(Operand) *operand, size_t row, size_t n) {
    const T *in = (const T *)operand[0].data + row;
    const ptrdiff_t step = operand[0].inner / (ptrdiff_t)sizeof(T), second = operand[1].inner / (ptrdiff_t)sizeof(T);
    if (what == FN(SOFTMAX)) {
        FN(softmax_across)(in, step, (T *)operand[1].data + row, second, n);
    } else {
        FN(backward_across)(what == FN(BACKWARD_FROM_OUTPUT), in, step, (const T *)operand[1].data + row, second,
                            (T *)operand[2].data + row, operand[2].inner / (ptrdiff_t)sizeof(T), n);
    }
}

static void FN(rows)(int what, char **args, const intptr_t *dimensions, const intptr_t *steps) {
    const size_t rows = (size_t)dimensions[0], n = (size_t)dimensions[1];
    const int operands = what == FN(SOFTMAX) ? 2 : 3;
    const Flags flags = flags_get();
    FN(Operand) operand[3];
    int lie_along = 1, lie_across = 1;
    for (int k = 0; k < operands; k++) {
        operand[k] = (FN(Operand)){args[k], steps[k], steps[operands + k]};
        lie_along &= operand[k].inner == sizeof(T);
        lie_across &= operand[k].outer == sizeof(T);
    }
    if (lie_along && n && n <= FN(SHORT_ROW) && rows > 1) {
        FN(short_rows)(what, operand, rows, n);
    } else {
        size_t row = 0;
        if (lie_across && !lie_along)
            for (; row + LANES <= rows; row += LANES) FN(side_by_side)(what, operand, row, n);
        for (; row < rows; row++) FN(one_row)(what, operand, row, n);
    }
    flags_restore(flags);
}

#define LOOP(name, what)                                                                                       \
    static void FN(name##_loop)(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) { \
        (void)data;                                                                                            \
        FN(rows)(what, args, dimensions, steps);                                                               \
    }
LOOP(softmax, FN(SOFTMAX))
LOOP(softmax_backward, FN(BACKWARD))
LOOP(softmax_backward_from_output, FN(BACKWARD_FROM_OUTPUT))
#undef LOOP
