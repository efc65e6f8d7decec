/* The fitted kernels of a set whose registers hold a table. fitted.h says what an Output is. */

enum { FITTED_CHUNK = 1024, FITTED_MEMORY_BOUND = 1 };

static ALWAYS_INLINE void fitted_values_beside(Fit fit, int group, const f32_v *x, const f32_v *beside, f32_v *y) {
    f32_segment segment[GROUP];
    f32_v u[GROUP];
    for (int v = 0; v < group; v++) segment[v] = f32_find(fit.table, fit.segment(fit, x[v], u + v));
    values_of_segments(fit, group, segment, u, x, beside, NULL, y);
}

static ALWAYS_INLINE void fitted_values_scaled(Fit fit, int group, const f32_v *x, const f32_v *z, const f32_v *low,
                                               const Scale *scale, f32_v *y) {
    for (int v = 0; v < group; v++) { /* one vector at a time: the table then stays in registers */
        f32_v u;
        const f32_segment segment = f32_find(fit.table, fit.segment(fit, z[v], &u));
        values_of_segments(fit, 1, &segment, &u, x + v, low + v, scale + v, y + v);
    }
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
    float in[MAX_ARRAYS][FITTED_CHUNK + f32_lanes]; /* all inputs, gathered; for a tail in[0] is its argument, not gathered */
    f32_m mask[FITTED_CHUNK / f32_lanes + GROUP];
    unsigned char vector[FITTED_CHUNK / f32_lanes + GROUP]; /* which vectors have such elements */
} Late;
/* How many there are. The counts are not in Late, so that they stay in registers. */
typedef struct {
    size_t gathered, vectors;
} Counts;

/* Where the inputs are halves of rows, a half has `count` elements, of which `left` are left, and the inputs are `skipped` elements
 * ahead of the output. A `count` of 0 says that the inputs are whole arrays. */
typedef struct {
    size_t count, left, skipped;
} Place;
static ALWAYS_INLINE void next_vector(Place *place) {
    place->left -= f32_lanes;
    const int ends = place->left == 0;
    place->skipped += ends ? place->count : 0;
    place->left = ends ? place->count : place->left;
}

/* `group` vectors from element `at`, where x = in[argument]. One branch serves all of them: a branch for each would be
 * mispredicted. */
static ALWAYS_INLINE void fitted_group(int group, int kind, int arrays, int argument, Output output, const float *const *in,
                                       float *const *out, size_t at, size_t i, Place *place, Late *late, Counts *counts) {
    const Fit fit = output.fit;
    f32_v a[MAX_ARRAYS][GROUP], u;
    f32_m any = {0}, *mask = late->mask + i / f32_lanes, irregular = {0};
    for (int v = 0; v < group; v++) {
        for (int j = 0; j < arrays; j++) a[j][v] = f32_load(in[j] + place->skipped + at + v * f32_lanes);
        if (place->count) next_vector(place);
        any |= mask[v] = fit.uncovered(fit, a[argument][v]);
    }
    for (int v = 0; v < group; v++) { /* one vector at a time: the table then stays in registers */
        const f32_segment segment = f32_find(fit.table, fit.segment(fit, a[argument][v], &u));
        f32_v y[MAX_OUTPUTS];
        f32_m of_vector = {0};
        fitted_values(kind, output, segment, u, arrays, argument, a, v, y, &of_vector);
        irregular |= of_vector;
        for (int k = 0; k < outputs_of(kind); k++) f32_store(out[k] + at + v * f32_lanes, y[k]);
    }
    for (int v = 0; v < group && __builtin_expect(f32_any(irregular), 0); v++) {
        const f32_segment segment = f32_find(fit.table, fit.segment(fit, a[argument][v], &u));
        f32_store(out[0] + at + v * f32_lanes, corrected_pair(output, segment, u, argument, a, v));
    }
    if (!__builtin_expect(f32_any(any), 0)) return;
    for (int v = 0; v < group; v++) {
        late->vector[counts->vectors] = (unsigned char)(i / f32_lanes + (size_t)v);
        counts->vectors += output.tail.kind || f32_any(mask[v]);
        if (output.tail.kind) {
            float *to = out[0] + at + v * f32_lanes;
            f32_store(to, f32_select(mask[v], times_factors(f32_set(1), output.factors, arrays, a, v), f32_load(to)));
            f32_store(late->in[0] + i + v * f32_lanes, beyond(fit, a[argument][v]));
            continue;
        }
        for (int j = 0; j < arrays; j++) f32_store(late->in[j] + counts->gathered, f32_compress(mask[v], a[j][v]));
        counts->gathered += (size_t)f32_count(mask[v]);
    }
}

/* The tail of the elements that a mask selects. There `out` holds its factor. */
static NOINLINE void fitted_tail(const Tail *tail, const Late *late, float *out, size_t m) {
    for (size_t i = 0; i < m; i += f32_lanes) {
        const f32_m mask = late->mask[i / f32_lanes];
        if (!f32_any(mask)) continue;
        const f32_v x = f32_load(late->in[0] + i), factor = f32_load(out + i);
        float computed[f32_lanes];
        f64_store_floats(computed, exponential_tail(*tail, f32_first_half(x), f32_first_half(factor)));
        f64_store_floats(computed + f64_lanes, exponential_tail(*tail, f32_second_half(x), f32_second_half(factor)));
        f32_store(out + i, f32_select(mask, f32_load(computed), factor));
    }
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
        const f32_m mask = late->mask[v];
        f32_v y[MAX_OUTPUTS];
        for (int k = 0; k < outputs; k++)
            y[k] = f32_select(mask, f32_expand(mask, computed[k] + taken), f32_load(out[k] + start + v * f32_lanes));
        for (int k = 0; k < outputs; k++) f32_store(out[k] + start + v * f32_lanes, y[k]);
        taken += (size_t)f32_count(mask);
    }
}

static ALWAYS_INLINE void fitted_chunks(int kind, int arrays, int argument, Output output, const float *const *in,
                                        const float *parameter, float *const *out, size_t n, Place place) {
    Late late;
    const Tail tail = output.tail;
    for (size_t start = 0; start < n; start += FITTED_CHUNK) {
        const size_t m = n - start < FITTED_CHUNK ? n - start : FITTED_CHUNK;
        size_t i = 0;
        Counts counts = {0, 0};
        for (; i + GROUP * f32_lanes <= m; i += GROUP * f32_lanes)
            fitted_group(GROUP, kind, arrays, argument, output, in, out, start + i, i, &place, &late, &counts);
        for (; i < m; i += f32_lanes)
            fitted_group(1, kind, arrays, argument, output, in, out, start + i, i, &place, &late, &counts);
        if (!counts.vectors) continue;
        if (output.tail.kind)
            fitted_tail(&tail, &late, out[0] + start, m);
        else
            fitted_outside(output.outside, arrays, outputs_of(kind), parameter, &late, counts, out, start);
    }
}

/* out[0] = f(in[argument]) times its factors, or the outputs of a gated pair */
static ALWAYS_INLINE void fitted_block(int kind, int arrays, int argument, Output output, const float *const *in,
                                       const float *parameter, float *const *out, size_t n) {
    fitted_chunks(kind, arrays, argument, output, in, parameter, out, n, (Place){0});
}

static ALWAYS_INLINE void fitted_halves(int argument, Output output, const float *const *in, float *out, size_t rows,
                                        size_t count) {
    fitted_chunks(GATED_PAIR, 2, argument, output, in, NULL, (float *const[]){out}, rows * count, (Place){count, count, 0});
}
