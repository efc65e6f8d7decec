/* The fitted kernels of a set whose registers hold a table. fitted.h says what an Output is. */

enum { FITTED_CHUNK = 1024 };

static ALWAYS_INLINE void fitted_values_beside(Fit fit, int group, const f32_v *x, const f32_v *beside, f32_v *y, f32_v *slope) {
    f32_segment segment[GROUP];
    f32_v u[GROUP];
    for (int v = 0; v < group; v++) segment[v] = f32_find(fit.table, fit.segment(fit, x[v], u + v));
    values_of_segments(fit, group, segment, u, x, beside, NULL, y, slope);
}

static ALWAYS_INLINE void fitted_values_scaled(Fit fit, int group, const f32_v *x, const f32_v *z, const f32_v *low,
                                               const Scale *scale, f32_v *y) {
    for (int v = 0; v < group; v++) { /* one vector at a time: the table then stays in registers */
        f32_v u;
        const f32_segment segment = f32_find(fit.table, fit.segment(fit, z[v], &u));
        values_of_segments(fit, 1, &segment, &u, x + v, low + v, scale + v, y + v, NULL);
    }
}

static ALWAYS_INLINE void fitted_values(Fit fit, int group, const f32_v *x, f32_v *y) {
    fitted_values_beside(fit, group, x, NULL, y, NULL);
}

/* The argument of a tail: x, made negative, where the table does not cover it. Elsewhere the end of the table, so that nothing
 * overflows. */
static ALWAYS_INLINE f32_v beyond(Fit fit, f32_v x) {
    if (fit.uncovered == left_of_low) return f32_min(f32_set(fit.low), x);
    if (fit.uncovered == beyond_both) x = -f32_abs(x);
    if (fit.uncovered == right_of_high) x = -x;
    return f32_min(f32_set(-fit.high), x);
}

/* The elements of a chunk that the tables do not cover. They come after all others of the chunk: the code of a tail would need
 * the registers of the table. Until then the output holds the factor of a tail. */
typedef struct {
    float in[MAX_ARRAYS][FITTED_CHUNK + f32_lanes]; /* all inputs, gathered; for a tail in[0] is x, not gathered */
    f32_m mask[MAX_OUTPUTS][FITTED_CHUNK / f32_lanes + GROUP];
    unsigned char vector[FITTED_CHUNK / f32_lanes + GROUP]; /* which vectors have such elements */
} Late;
/* How many there are. The counts are not in Late, so that they stay in registers. */
typedef struct {
    size_t gathered, vectors;
} Counts;

/* One output of a group, times its factors. Where it has a tail, the elements of `mask` are the factors alone. */
static ALWAYS_INLINE void store_output(Output output, int group, int arrays, f32_v (*const a)[GROUP], f32_v *y, const f32_m *mask,
                                       int any, float *out) {
    if (output.tail.kind && __builtin_expect(any, 0))
        for (int v = 0; v < group; v++) y[v] = f32_select(mask[v], f32_set(1), y[v]);
    for (int v = 0; v < group; v++) f32_store(out + v * f32_lanes, times_factors(y[v], output.factors, arrays, a, v));
}

/* `group` vectors from element `at`, where x = in[argument]. One branch serves all of them: a branch for each would be
 * mispredicted. */
static ALWAYS_INLINE void fitted_group(int group, int kind, int arrays, int argument, int outputs, Output first, Output second,
                                       const float *const *in, float *const *out, size_t at, size_t i, Late *late,
                                       Counts *counts) {
    f32_v a[MAX_ARRAYS][GROUP];
    f32_m any = {0}, *mask = late->mask[0] + i / f32_lanes, *other = late->mask[1] + i / f32_lanes;
    for (int v = 0; v < group; v++) {
        for (int j = 0; j < arrays; j++) a[j][v] = f32_load(in[j] + at + v * f32_lanes);
        any |= mask[v] = first.fit.uncovered(first.fit, a[argument][v]);
        if (outputs == 2 && first.tail.kind) any |= other[v] = second.fit.uncovered(second.fit, a[argument][v]);
    }
    f32_v y[MAX_OUTPUTS][GROUP];
    if (kind == GLU || kind == SWIGLU)
        for (int v = 0; v < group; v++) {
            f32_v p;
            fitted_values(sigmoid_tail_fit(), 1, a[argument] + v, &p);
            two_of_sigmoid(kind, sigmoid_tail_fit(), a[argument][v], p, y[0] + v, y[1] + v);
        }
    else /* one vector at a time: the table then stays in registers */
        for (int v = 0; v < group; v++) fitted_values_beside(first.fit, 1, a[argument] + v, NULL, y[outputs - 1] + v, y[0] + v);
    store_output(first, group, arrays, a, y[0], mask, f32_any(any), out[0] + at);
    if (outputs == 2) store_output(second, group, arrays, a, y[1], other, f32_any(any), out[1] + at);
    if (__builtin_expect(f32_any(any), 0)) {
        for (int v = 0; v < group; v++) {
            late->vector[counts->vectors] = (unsigned char)(i / f32_lanes + (size_t)v);
            counts->vectors += first.tail.kind || f32_any(mask[v]);
            if (first.tail.kind) {
                f32_store(late->in[0] + i + v * f32_lanes, a[argument][v]);
                continue;
            }
            for (int j = 0; j < arrays; j++) f32_store(late->in[j] + counts->gathered, f32_compress(mask[v], a[j][v]));
            counts->gathered += (size_t)f32_count(mask[v]);
        }
    }
}

static ALWAYS_INLINE void fitted_tails(int group, Output output, const float *at, const f32_m *mask, float *out) {
    f32_m any = {0};
    for (int v = 0; v < group; v++) any |= mask[v];
    if (!f32_any(any)) return;
    for (int v = 0; v < group; v++) {
        f32_v y = f32_load(out + v * f32_lanes), x = f32_load(at + v * f32_lanes);
        f32_store(out + v * f32_lanes, f32_select(mask[v], exponential_tail(output.tail, beyond(output.fit, x), y), y));
    }
}

static ALWAYS_INLINE void fitted_tail(Output output, const Late *late, const f32_m *mask, float *out, size_t m) {
    size_t i = 0;
    for (; i + 2 * f32_lanes <= m; i += 2 * f32_lanes) fitted_tails(2, output, late->in[0] + i, mask + i / f32_lanes, out + i);
    for (; i < m; i += f32_lanes) fitted_tails(1, output, late->in[0] + i, mask + i / f32_lanes, out + i);
}

/* The elements outside, gathered from the whole chunk: the cost is in proportion to their number. */
static ALWAYS_INLINE void fitted_outside(Block *outside, int arrays, int outputs, const float *parameter, Late *late,
                                         Counts counts, float *const *out, size_t start) {
    float computed[MAX_OUTPUTS][FITTED_CHUNK + f32_lanes];
    const size_t count = (counts.gathered + f32_lanes - 1) / f32_lanes * f32_lanes;
    for (int j = 0; j < arrays; j++)
        for (size_t i = counts.gathered; i < count; i++) late->in[j][i] = late->in[j][counts.gathered - 1];
    outside((const float *const[]){late->in[0], late->in[1], late->in[2]}, parameter, (float *const[]){computed[0], computed[1]},
            count);
    size_t taken = 0;
    for (size_t j = 0; j < counts.vectors; j++) {
        const size_t v = late->vector[j];
        const f32_m mask = late->mask[0][v];
        f32_v y[MAX_OUTPUTS];
        for (int k = 0; k < outputs; k++)
            y[k] = f32_select(mask, f32_expand(mask, computed[k] + taken), f32_load(out[k] + start + v * f32_lanes));
        for (int k = 0; k < outputs; k++) f32_store(out[k] + start + v * f32_lanes, y[k]);
        taken += (size_t)f32_count(mask);
    }
}

/* out[k] = f_k(in[argument]) times its factors. Two outputs both have tails, or neither has. */
static ALWAYS_INLINE void fitted_block(int kind, int arrays, int argument, int outputs, Output first, Output second,
                                       const float *const *in, const float *parameter, float *const *out, size_t n) {
    Late late;
    for (size_t start = 0; start < n; start += FITTED_CHUNK) {
        const size_t m = n - start < FITTED_CHUNK ? n - start : FITTED_CHUNK;
        size_t i = 0;
        Counts counts = {0, 0};
        for (; i + GROUP * f32_lanes <= m; i += GROUP * f32_lanes)
            fitted_group(GROUP, kind, arrays, argument, outputs, first, second, in, out, start + i, i, &late, &counts);
        for (; i < m; i += f32_lanes)
            fitted_group(1, kind, arrays, argument, outputs, first, second, in, out, start + i, i, &late, &counts);
        if (!counts.vectors) continue;
        if (first.tail.kind) {
            fitted_tail(first, &late, late.mask[0], out[0] + start, m);
            if (outputs == 2) fitted_tail(second, &late, late.mask[1], out[1] + start, m);
        } else
            fitted_outside(first.outside, arrays, outputs, parameter, &late, counts, out, start);
    }
}
