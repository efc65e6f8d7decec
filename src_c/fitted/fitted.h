/* The fitted float32 kernels. Within a range a table of 32 polynomials gives the result; the table stands in registers. Beyond it
 * there is a tail, or another kernel. Fitted kernels are nearly as fast as memory, and right to about 1 ULP.
 *
 * forms.h has the forms of the tables, tails.h the tails. generated/tables.h has the tables and generated/kernels.h the kernels:
 * `python src_c/fit` makes both from the declarations.
 *
 * An element that the table covers has the value of the table, whatever its neighbours are: no result depends on them. */

#include "fitted/forms.h"
#include "fitted/tails.h"
#include "fitted/generated/tables.h"

enum { FITTED_CHUNK = 1024 };

/* One output: f(x) times the inputs in `factors` (a bit for each). `tail` computes the elements that the table does not cover,
 * where they stand. Where there is no tail, those elements are gathered, and the block `outside` computes them. */
typedef struct {
    Fit fit;
    f32_v (*tail)(f32_v x, f32_v factor);
    Block *outside;
    int factors;
} Output;

static ALWAYS_INLINE f32_v times_factors(f32_v y, int factors, int arrays, f32_v (*const a)[GROUP], int v) {
    for (int j = 0; j < arrays; j++)
        if (factors >> j & 1) y = y * a[j][v];
    return y;
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

/* The kinds of two outputs. GLU: sigmoid and its derivative, SWIGLU: silu' and silu, both from sigmoid(-|x|). GATED_BY_TABLE:
 * the slope and the value of a GATE. */
enum { ONE, GLU, SWIGLU, GATED_BY_TABLE };

static ALWAYS_INLINE Fit sigmoid_tail_fit(void) {
    Fit fit = FIT_sigmoid;
    fit.value = direct;
    fit.uncovered = beyond_both;
    return fit;
}

static ALWAYS_INLINE void two_of_sigmoid(int kind, int group, Fit fit, const f32_v *x, f32_v *y0, f32_v *y1) {
    const f32_v zero = f32_set(0), one = f32_set(1);
    for (int v = 0; v < group; v++) {
        f32_v p;
        fitted_values(fit, 1, x + v, &p);
        f32_v s = f32_select(f32_ge(x[v], zero), one - p, p), other = f32_select(f32_ge(x[v], zero), p, one - p);
        y0[v] = s;
        if (kind == SWIGLU) y0[v] = s * f32_fma(f32_min(f32_set(fit.high), x[v]), other, one);
        if (kind == SWIGLU) other = x[v];
        y1[v] = s * other;
    }
}

/* One output of a group, times its factors. Where it has a tail, the elements of `mask` are the factors alone. */
static ALWAYS_INLINE void store_output(Output output, int group, int arrays, f32_v (*const a)[GROUP], f32_v *y, const f32_m *mask,
                                       int any, float *out) {
    if (output.tail && __builtin_expect(any, 0))
        for (int v = 0; v < group; v++) y[v] = f32_select(mask[v], f32_set(1), y[v]);
    for (int v = 0; v < group; v++) f32_store(out + v * f32_lanes, times_factors(y[v], output.factors, arrays, a, v));
}

/* `group` vectors from element `at`, where x = in[argument]. One branch serves all of them: a branch for each would be
 * mispredicted. */
static ALWAYS_INLINE void fitted_group(int group, int kind, int arrays, int argument, int outputs, Output first, Output second,
                                       const float *const *in, float *const *out, size_t at, size_t i, Late *late,
                                       Counts *counts) {
    f32_v a[MAX_ARRAYS][GROUP];
    f32_m any = 0, *mask = late->mask[0] + i / f32_lanes, *other = late->mask[1] + i / f32_lanes;
    for (int v = 0; v < group; v++) {
        for (int j = 0; j < arrays; j++) a[j][v] = f32_load(in[j] + at + v * f32_lanes);
        any |= mask[v] = first.fit.uncovered(first.fit, a[argument][v]);
        if (outputs == 2 && first.tail) any |= other[v] = second.fit.uncovered(second.fit, a[argument][v]);
    }
    f32_v y[MAX_OUTPUTS][GROUP];
    if (kind == GLU || kind == SWIGLU)
        two_of_sigmoid(kind, group, sigmoid_tail_fit(), a[argument], y[0], y[1]);
    else /* one vector at a time: the table then stays in registers */
        for (int v = 0; v < group; v++) fitted_values_beside(first.fit, 1, a[argument] + v, NULL, y[outputs - 1] + v, y[0] + v);
    store_output(first, group, arrays, a, y[0], mask, any, out[0] + at);
    if (outputs == 2) store_output(second, group, arrays, a, y[1], other, any, out[1] + at);
    if (__builtin_expect(any, 0)) {
        for (int v = 0; v < group; v++) {
            late->vector[counts->vectors] = (unsigned char)(i / f32_lanes + (size_t)v);
            counts->vectors += first.tail || mask[v];
            if (first.tail) {
                f32_store(late->in[0] + i + v * f32_lanes, a[argument][v]);
                continue;
            }
            for (int j = 0; j < arrays; j++) f32_store(late->in[j] + counts->gathered, f32_compress(mask[v], a[j][v]));
            counts->gathered += (size_t)f32_count(mask[v]);
        }
    }
}

static ALWAYS_INLINE void fitted_tails(int group, Output output, const float *at, const f32_m *mask, float *out) {
    f32_m any = 0;
    for (int v = 0; v < group; v++) any |= mask[v];
    if (!any) return;
    for (int v = 0; v < group; v++) {
        f32_v y = f32_load(out + v * f32_lanes), x = f32_load(at + v * f32_lanes);
        f32_store(out + v * f32_lanes, f32_select(mask[v], output.tail(beyond(output.fit, x), y), y));
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
        if (first.tail) {
            fitted_tail(first, &late, late.mask[0], out[0] + start, m);
            if (outputs == 2) fitted_tail(second, &late, late.mask[1], out[1] + start, m);
        } else
            fitted_outside(first.outside, arrays, outputs, parameter, &late, counts, out, start);
    }
}

/* The same for a parameter in an array. An element whose parameter is the default gets the bits that the number gives. */
static ALWAYS_INLINE void fitted_general(int arrays, float standard, Block *fitted, Block *composed, const float *const *in,
                                         float *const *out, size_t n) {
    enum { CHUNK = 256 };
    float with_table[CHUNK], without[CHUNK];
    for (size_t start = 0; start < n; start += CHUNK) {
        const size_t m = n - start < CHUNK ? n - start : CHUNK;
        const float *part[MAX_INPUTS];
        for (int j = 0; j <= arrays; j++) part[j] = in[j] + start;
        fitted(part, &standard, (float *const[]){with_table}, m);
        composed(part, NULL, (float *const[]){without}, m);
        for (size_t i = 0; i < m; i += f32_lanes) {
            f32_m same = f32_same(f32_load(part[arrays] + i), f32_set(standard));
            f32_store(out[0] + start + i, f32_select(same, f32_load(with_table + i), f32_load(without + i)));
        }
    }
}

#include "fitted/softcap.h"
#include "fitted/snake.h"
#include "fitted/generated/kernels.h"
