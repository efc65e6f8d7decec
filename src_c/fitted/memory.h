/* The fitted kernels of a set that reads tables from memory. fitted.h says what an Output is.
 *
 * A chunk goes through three loops. The first finds the rows of the table and the elements that it does not cover. The second
 * evaluates the polynomials. The loads of a row wait for its number: within one loop every vector would wait. In the third, the
 * elements outside, gathered, get their tail or go through another kernel. Whatever does not depend on the form is one function
 * for all kernels. */

enum { FITTED_CHUNK = 1024, FITTED_MEMORY_BOUND = 0 }; /* the arithmetic of this set takes longer than memory */

/* The row of each element, and for each vector the bits of the elements outside */
typedef struct {
    uint32_t row[FITTED_CHUNK];
    unsigned char outside[FITTED_CHUNK / f32_lanes];
} Rows;

/* The inputs of the elements outside, gathered, and their places in the chunk */
typedef struct {
    float in[MAX_ARRAYS][FITTED_CHUNK + f32_lanes];
    uint16_t place[FITTED_CHUNK + 8];
    size_t count;
} Outside;

/* The table covers left <= x <= right. */
typedef struct {
    float left, right;
} Covered;
static ALWAYS_INLINE Covered covered_by(Fit fit) {
    Covered all = {-HUGE_VALF, HUGE_VALF};
    if (fit.uncovered == left_of_minus_high || fit.uncovered == beyond_both) all.left = -fit.high;
    if (fit.uncovered == left_of_low || fit.uncovered == left_and_right || fit.uncovered == near_ends) all.left = fit.low;
    if (fit.uncovered == right_of_high || fit.uncovered == beyond_both || fit.uncovered == left_and_right) all.right = fit.high;
    if (fit.uncovered == near_ends) all.right = 1 - fit.low;
    return all;
}
static ALWAYS_INLINE f32_m outside_of(Covered covered, f32_v x) {
    return f32_gt(f32_set(covered.left), x) | f32_gt(x, f32_set(covered.right));
}

/* Returns whether an element is outside. */
static ALWAYS_INLINE int find_rows_by(Fit fit, Covered covered, const float *x, size_t m, Rows *rows) {
    f32_m any = {0};
    for (size_t i = 0; i < m; i += f32_lanes) {
        f32_v u, a = f32_load(x + i);
        const f32_m outside = outside_of(covered, a);
        any |= outside;
        rows->outside[i / f32_lanes] = (unsigned char)f32_bits(outside);
        f32_store_rows(rows->row + i, fit.segment(fit, a, &u));
    }
    return f32_any(any);
}
static NOINLINE int find_rows_by_size(float high, float inverse_spacing, Covered covered, const float *x, size_t m, Rows *rows) {
    return find_rows_by((Fit){.segment = segment_by_size, .high = high, .inverse_spacing = inverse_spacing}, covered, x, m, rows);
}
static NOINLINE int find_rows_by_value(float low, float high, float inverse_spacing, Covered covered, const float *x, size_t m,
                                       Rows *rows) {
    return find_rows_by((Fit){.segment = segment_by_value, .low = low, .high = high, .inverse_spacing = inverse_spacing}, covered,
                        x, m, rows);
}
static ALWAYS_INLINE int find_rows(Fit fit, const float *x, size_t m, Rows *rows) {
    const Covered covered = covered_by(fit);
    if (fit.segment == segment_by_size) return find_rows_by_size(fit.high, fit.inverse_spacing, covered, x, m, rows);
    if (fit.segment == segment_by_value) return find_rows_by_value(fit.low, fit.high, fit.inverse_spacing, covered, x, m, rows);
    return find_rows_by(fit, covered, x, m, rows);
}

/* The outputs may lie on the inputs, so this precedes the second loop. The last vector is filled up with copies. */
static NOINLINE void gather_outside(const unsigned char *bits, size_t m, int arrays, const float *const *in, Outside *outside) {
    size_t count = 0;
    for (size_t i = 0; i < m; i += 64) {
        uint64_t word = 0;
        memcpy(&word, bits + i / f32_lanes, m - i < 64 ? (m - i) / f32_lanes : sizeof word);
        uint16_t *place = outside->place + count;
        count += (size_t)__builtin_popcountll(word);
        if (word == UINT64_MAX) {
            for (size_t k = 0; k < 64; k++) place[k] = (uint16_t)(i + k);
            continue;
        }
        for (; word; place += 8) /* by eights, so that few branches are mispredicted; what is too much is overwritten */
            for (int k = 0; k < 8; k++, word &= word - 1) place[k] = (uint16_t)(i + (size_t)__builtin_ctzll(word | 1ull << 63));
    }
    outside->count = count;
    for (int j = 0; j < arrays; j++) {
        if (count == m)
            memcpy(outside->in[j], in[j], m * sizeof in[j][0]);
        else
            for (size_t k = 0; k < count; k++) outside->in[j][k] = in[j][outside->place[k]];
        for (size_t k = count; k % f32_lanes; k++) outside->in[j][k] = outside->in[j][count - 1];
    }
}

static ALWAYS_INLINE void scatter(const Outside *outside, const float *computed, float *out) {
    if (outside->place[outside->count - 1] == outside->count - 1) /* places ascend: these are all from the first on */
        memcpy(out, computed, outside->count * sizeof computed[0]);
    else
        for (size_t k = 0; k < outside->count; k++) out[outside->place[k]] = computed[k];
}

static NOINLINE void tails_outside(const Tail *tail, int argument, int factors, const Outside *outside, float *out) {
    float computed[FITTED_CHUNK];
    for (size_t i = 0; i < outside->count; i += f64_lanes) {
        f64_v factor = f64_set(1);
        for (int j = 0; j < MAX_ARRAYS; j++)
            if (factors >> j & 1) factor = factor * f64_load_floats(outside->in[j] + i);
        f64_store_floats(computed + i, exponential_tail(*tail, -f64_abs(f64_load_floats(outside->in[argument] + i)), factor));
    }
    scatter(outside, computed, out);
}

static NOINLINE void others_outside(Block *block, int outputs, const float *parameter, const Outside *outside,
                                    float *const *out) {
    float computed[MAX_OUTPUTS][FITTED_CHUNK];
    const size_t count = (outside->count + f32_lanes - 1) / f32_lanes * f32_lanes;
    block((const float *const[]){outside->in[0], outside->in[1], outside->in[2]}, parameter,
          (float *const[]){computed[0], computed[1]}, count);
    for (int k = 0; k < outputs; k++) scatter(outside, computed[k], out[k]);
}

static ALWAYS_INLINE void fitted_values_beside(Fit fit, int group, const f32_v *x, const f32_v *beside, f32_v *y) {
    uint32_t rows[GROUP][f32_lanes];
    f32_v u[GROUP];
    for (int v = 0; v < group; v++) f32_store_rows(rows[v], fit.segment(fit, x[v], u + v));
    for (int v = 0; v < group; v++) {
        const f32_segment segment = f32_find(fit.table, rows[v]);
        values_of_segments(fit, 1, &segment, u + v, x + v, beside ? beside + v : NULL, NULL, y + v);
    }
}

static ALWAYS_INLINE void fitted_values_scaled(Fit fit, int group, const f32_v *x, const f32_v *z, const f32_v *low,
                                               const Scale *scale, f32_v *y) {
    uint32_t rows[GROUP][f32_lanes];
    f32_v u[GROUP];
    for (int v = 0; v < group; v++) f32_store_rows(rows[v], fit.segment(fit, z[v], u + v));
    for (int v = 0; v < group; v++) {
        const f32_segment segment = f32_find(fit.table, rows[v]);
        values_of_segments(fit, 1, &segment, u + v, x + v, low + v, scale + v, y + v);
    }
}

/* One vector: the function's values, times their factors */
static ALWAYS_INLINE void fitted_vector(int kind, int arrays, int argument, Output output, const float *const *in,
                                        float *const *out, const uint32_t *rows) {
    const Fit fit = output.fit;
    const f32_segment segment = f32_find(fit.table, rows);
    f32_v a[MAX_ARRAYS][GROUP], u, y[MAX_OUTPUTS];
    for (int j = 0; j < arrays; j++) a[j][0] = f32_load(in[j]);
    (void)fit.segment(fit, a[argument][0], &u);
    f32_m irregular = {0};
    fitted_values(kind, output, segment, u, arrays, argument, a, 0, y, &irregular);
    if (__builtin_expect(f32_any(irregular), 0)) y[0] = corrected_pair(output, segment, u, argument, a, 0);
    for (int k = 0; k < outputs_of(kind); k++) f32_store(out[k], y[k]);
}

/* out[0] = f(in[argument]) times its factors, or the outputs of a gate */
static ALWAYS_INLINE void fitted_block(int kind, int arrays, int argument, Output output, const float *const *in,
                                       const float *parameter, float *const *out, size_t n) {
    const int outputs = outputs_of(kind);
    const Tail tail = output.tail;
    Rows rows;
    Outside outside;
    for (size_t start = 0; start < n; start += FITTED_CHUNK) {
        const size_t m = n - start < FITTED_CHUNK ? n - start : FITTED_CHUNK;
        const float *from[MAX_ARRAYS];
        float *to[MAX_OUTPUTS];
        for (int j = 0; j < arrays; j++) from[j] = in[j] + start;
        for (int k = 0; k < outputs; k++) to[k] = out[k] + start;
        const int any = find_rows(output.fit, from[argument], m, &rows);
        if (any) gather_outside(rows.outside, m, arrays, from, &outside);
        const size_t end = any && outside.count == m ? 0 : m; /* all may be outside */
        for (size_t i = 0; i < end; i += f32_lanes) {
            const float *at[MAX_ARRAYS];
            float *result[MAX_OUTPUTS];
            for (int j = 0; j < arrays; j++) at[j] = from[j] + i;
            for (int k = 0; k < outputs; k++) result[k] = to[k] + i;
            fitted_vector(kind, arrays, argument, output, at, result, rows.row + i);
        }
        if (any && tail.kind) tails_outside(&tail, argument, output.factors, &outside, to[0]);
        if (any && !tail.kind && output.outside) others_outside(output.outside, outputs, parameter, &outside, to);
    }
}

static ALWAYS_INLINE void fitted_halves(int argument, Output output, const float *const *in, float *out, size_t rows,
                                        size_t count) {
    for (size_t row = 0; row < rows; row++) {
        const float *const from[] = {in[0] + 2 * row * count, in[1] + 2 * row * count};
        fitted_block(GATED_PAIR, 2, argument, output, from, NULL, (float *const[]){out + row * count}, count);
    }
}
