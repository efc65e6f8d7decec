/* The fitted float32 kernels: a table of 32 polynomials, looked up in registers, inside a range, and the composed formula
 * outside. As fast as memory and about 1 ULP, but only where a 32-entry table fits the registers. The tables stand in
 * segments.h, the kernels made of them in fitted_kernels.h, both made by fit_tables.py from the declarations.
 *
 * A table has a polynomial P for each segment of t = |x| or of x. A form says how P becomes the function, and beyond which
 * end of the table the function is no longer what the form makes of the table's end (u is t, clamped to the table):
 *
 *   form          function                      not covered
 *   COMPLEMENT    P for x < 0, 1 - P else       x < -high
 *   COMPLEMENT_CUT   the same, 1 for x > high   x < -high
 *   EVEN          P                             |x| > high
 *   ODD           x P as u P                    -
 *   CUBIC_SHIFTED x u u P; x -+ 1 beyond high   -
 *   EVEN_PRODUCT  |x| u P                       -
 *   QUOTIENT      s P, with an s for each x     -
 *   SQUARE        u u P                         -
 *   ABOVE         max(x, 0) - u P               x < -high
 *   GATE          max(x, 0) - P, and its derivative  x < -high
 *   ABOVE_PLUS    max(x, 0) + P                 x < -high
 *   ABOVE_BOTH    the same                      |x| > high
 *   BELOW         min(x, 0) - P                 x > high
 *   STEP_BOTH     P for x < 0, 1 - P else       |x| > high
 *   COMPLEMENT_DOWN  P for x > 0, 1 - P else    x > high
 *   BENT          (scale + low) x for x > 0, -u P else  -
 *   BENT_SLOPE    scale for x > 0, P else       x < -high
 *   PRODUCT       x P                           x < low        (a table of x from here on)
 *   DIRECT        P                             x < low
 *   PRODUCT_BOTH  x P                           outside
 *   CENTRED       v P, v = x - 1/2 cut to +-1/4, a table of w = min(x, 1 - x), which is exact   w < low
 *
 * The segments of CENTRED are halves of binades: their number stands in the top bits of w.
 *
 * A lane that is covered keeps its table value whatever its neighbours are, so that a result never depends on them. */

enum {
    COMPLEMENT, COMPLEMENT_CUT, EVEN, ODD, CUBIC_SHIFTED, EVEN_PRODUCT, QUOTIENT, SQUARE, ABOVE, GATE, ABOVE_PLUS, ABOVE_BOTH, BELOW, STEP_BOTH,
    COMPLEMENT_DOWN, BENT, BENT_SLOPE, PRODUCT, DIRECT, PRODUCT_BOTH, CENTRED
};

typedef struct {
    int form, degree;
    float low, high, inverse_spacing, scale;
    const float (*table)[32];
} Fit;

enum { FITTED_CHUNK = 1024, GROUP = 4, BINADE_BITS = 10 };

#include "segments.h"

/* The function at the vectors x[0], ... of a group, which shares each load of a coefficient's two registers: with two tables in
 * one kernel they do not stay there (1.2 times the time). `beside`, where there is one, is what is to be added to |x|, or what a
 * QUOTIENT is of. A GATE puts its derivative in `slope`. */
static ALWAYS_INLINE void fitted_values_beside(Fit fit, int group, const f32_v *x, const f32_v *beside, f32_v *y, f32_v *slope) {
    const f32_v high = f32_set(fit.high), zero = f32_set(0);
    f32_v u[GROUP], z[GROUP], d[GROUP], c0[GROUP], q[GROUP], change[GROUP];
    for (int v = 0; v < group; v++) {
        u[v] = x[v];
        if (fit.form == CENTRED) {
            u[v] = f32_min(f32_set(1) - x[v], x[v]);
            z[v] = f32_top_bits(u[v], BINADE_BITS);
            continue;
        }
        if (fit.form < PRODUCT) u[v] = f32_abs(u[v]);
        u[v] = f32_min(high, u[v]); /* the constant first: NaN passes */
        if (fit.form >= PRODUCT) u[v] = f32_max(f32_set(fit.low), u[v]);
        z[v] = f32_fma(u[v], f32_set(fit.inverse_spacing), f32_set(0x1.8p23f)); /* the segment is the nearest multiple */
    }
    /* c0 + d * (c1 + c2 d + ...), d = u - centre */
    f32_lookups(fit.table[0], group, z, d);
    for (int v = 0; v < group; v++) {
        d[v] = u[v] - d[v];
        if (beside && fit.form != QUOTIENT) d[v] = d[v] + beside[v];
    }
    f32_lookups(fit.table[fit.degree + 1], group, z, q);
    for (int i = fit.degree; i >= 2; i--) {
        f32_v c[GROUP];
        f32_lookups(fit.table[i], group, z, c);
        for (int v = 0; v < group; v++) {
            if (fit.form == GATE) change[v] = i == fit.degree ? q[v] : f32_fma(change[v], d[v], q[v]); /* the derivative of q */
            q[v] = f32_fma(q[v], d[v], c[v]);
        }
    }
    f32_lookups(fit.table[1], group, z, c0);

    for (int v = 0; v < group; v++) {
        const f32_v rest = d[v] * q[v], p = f32_fma(d[v], q[v], c0[v]), product = f32_fma(u[v], c0[v], u[v] * rest);
        switch (fit.form) {
        case COMPLEMENT:
        case COMPLEMENT_CUT:
        case STEP_BOTH:
            y[v] = f32_select(f32_ge(x[v], zero), f32_set(1) - p, p);
            if (fit.form == COMPLEMENT_CUT) y[v] = f32_select(f32_gt(x[v], high), f32_set(1), y[v]);
            break;
        case COMPLEMENT_DOWN:
            y[v] = f32_select(f32_ge(zero, x[v]), f32_set(1) - p, p);
            break;
        case ODD:
            y[v] = f32_with_sign(product, x[v]);
            break;
        case QUOTIENT:
            y[v] = f32_fma(beside[v], c0[v], beside[v] * rest);
            break;
        case CUBIC_SHIFTED: {
            f32_v square = u[v] * u[v], square_low = f32_fma(u[v], u[v], -square); /* 2.1 ULP without */
            f32_v inside = x[v] * f32_fma(square, c0[v], f32_fma(square, rest, square_low * c0[v]));
            y[v] = f32_select(f32_gt(f32_abs(x[v]), high), x[v] - f32_with_sign(f32_set(1), x[v]), inside);
            break;
        }
        case SQUARE:
            y[v] = u[v] * product;
            break;
        case EVEN_PRODUCT:
            y[v] = f32_abs(x[v]) * product;
            break;
        case ABOVE:
            y[v] = f32_max(zero, x[v]) - product;
            break;
        case GATE: {
            f32_v left = f32_fma(change[v], d[v], q[v]), s = f32_select(f32_ge(x[v], zero), f32_set(1) - left, left);
            slope[v] = f32_select(f32_gt(x[v], high), f32_set(1), s);
            y[v] = f32_max(zero, x[v]) - p;
            break;
        }
        case ABOVE_PLUS:
        case ABOVE_BOTH:
            y[v] = f32_max(zero, x[v]) + p;
            break;
        case BELOW:
            y[v] = f32_min(zero, x[v]) - p;
            break;
        case BENT: {
            f32_v finite = f32_min(f32_set(0x1.fffffep127f), x[v]), above = f32_fma(f32_set(fit.scale), x[v], f32_set(fit.low) * finite);
            y[v] = f32_select(f32_gt(x[v], zero), above, f32_with_sign(product, x[v]));
            break;
        }
        case BENT_SLOPE:
            y[v] = f32_select(f32_gt(x[v], zero), f32_set(fit.scale), p);
            break;
        case PRODUCT: /* far out P is a constant, and x may be infinite */
            y[v] = f32_select(f32_gt(x[v], high), x[v] * p, f32_fma(x[v], c0[v], x[v] * rest));
            break;
        case PRODUCT_BOTH:
            y[v] = f32_fma(x[v], c0[v], x[v] * rest);
            break;
        case CENTRED: {
            f32_v distance = f32_min(f32_set(0.25f), f32_set(0.5f) - u[v]);
            y[v] = f32_with_sign(f32_fma(distance, c0[v], distance * rest), x[v] - f32_set(0.5f));
            break;
        }
        default:
            y[v] = p;
        }
    }
}

static ALWAYS_INLINE void fitted_values(Fit fit, int group, const f32_v *x, f32_v *y) {
    fitted_values_beside(fit, group, x, NULL, y, NULL);
}

/* x where it is not covered, as the tails want it: negative; elsewhere the table's end, so that nothing overflows */
static ALWAYS_INLINE f32_v beyond(Fit fit, f32_v x) {
    if (fit.form >= PRODUCT) return f32_min(f32_set(fit.low), x);
    return f32_min(f32_set(-fit.high), fit.form == EVEN ? -f32_abs(x) : fit.form == BELOW || fit.form == COMPLEMENT_DOWN ? -x : x);
}

static ALWAYS_INLINE f32_m not_covered(Fit fit, f32_v x) {
    switch (fit.form) {
    case ODD:
    case CUBIC_SHIFTED:
    case SQUARE:
    case EVEN_PRODUCT:
    case BENT:
        return 0;
    case EVEN:
    case ABOVE_BOTH:
    case STEP_BOTH:
        return f32_gt(f32_abs(x), f32_set(fit.high));
    case CENTRED:
        return f32_gt(f32_set(fit.low), f32_min(f32_set(1) - x, x));
    case BELOW:
    case COMPLEMENT_DOWN:
        return f32_gt(x, f32_set(fit.high));
    case PRODUCT:
    case DIRECT:
        return f32_gt(f32_set(fit.low), x);
    case PRODUCT_BOTH:
        return f32_gt(f32_set(fit.low), x) | f32_gt(x, f32_set(fit.high));
    default:
        return f32_gt(f32_set(-fit.high), x);
    }
}

/* One output: f(x) times the inputs in `factors` (bits). What the table does not cover is computed by `tail`, in place, or
 * where that is NULL gathered, by a kernel for the rest, which pays where it is a third of wide data. */
typedef struct {
    Fit fit;
    f32_v (*tail)(f32_v x, f32_v factor);
    f32_block *rest;
    int factors;
} Output;

static ALWAYS_INLINE f32_v times_factors(f32_v y, int factors, int arrays, f32_v (*const a)[GROUP], int v) {
    for (int j = 0; j < arrays; j++)
        if (factors >> j & 1) y = y * a[j][v];
    return y;
}

/* What the tables of a chunk did not cover: computed when its table part is done, since the code of a tail would take the
 * table's registers (1.15 times the time). For a tail the lane holds until then what the result is multiplied by. */
typedef struct {
    float in[MAX_ARRAYS][FITTED_CHUNK + f32_lanes]; /* all inputs, gathered; for a tail in[0] is x in its place */
    f32_m mask[MAX_OUTPUTS][FITTED_CHUNK / f32_lanes + GROUP];
    unsigned char vector[FITTED_CHUNK / f32_lanes + GROUP]; /* the numbers of those that have such lanes */
} Late;
/* How many there are: apart, so that they stay in registers */
typedef struct {
    size_t gathered, vectors;
} Counts;

/* What two outputs are: of sigmoid(-|x|) both itself and its derivative, or silu' and silu; or the slope and value of a GATE. (One
 * exponential and e^(t^2 / 2) Phi(-t) by a table, without a rest, are 1.35 of np.exp on all data; a GATE .95, on wide data 1.9.) */
enum { ONE, GLU, SWIGLU, GATED_BY_TABLE };

static ALWAYS_INLINE Fit sigmoid_tail_fit(void) {
    Fit fit = FIT_sigmoid;
    fit.form = EVEN;
    return fit;
}

static ALWAYS_INLINE void two_of_sigmoid(int kind, int group, Fit fit, const f32_v *x, f32_v *y0, f32_v *y1) {
    const f32_v zero = f32_set(0), one = f32_set(1);
    for (int v = 0; v < group; v++) {
        f32_v p;
        fitted_values(fit, 1, x + v, &p);
        f32_v s = f32_select(f32_ge(x[v], zero), one - p, p), rest = f32_select(f32_ge(x[v], zero), p, one - p);
        y0[v] = s;
        if (kind == SWIGLU) y0[v] = s * f32_fma(f32_min(f32_set(fit.high), x[v]), rest, one);
        if (kind == SWIGLU) rest = x[v];
        y1[v] = s * rest;
    }
}

/* One output of a group, times its factors; where it has a tail, of the lanes in `mask` the factors alone */
static ALWAYS_INLINE void store_output(Output output, int group, int arrays, f32_v (*const a)[GROUP], f32_v *y, const f32_m *mask,
                                       int any, float *out) {
    if (output.tail && __builtin_expect(any, 0))
        for (int v = 0; v < group; v++) y[v] = f32_select(mask[v], f32_set(1), y[v]);
    for (int v = 0; v < group; v++) f32_store(out + v * f32_lanes, times_factors(y[v], output.factors, arrays, a, v));
}

/* `group` vectors from element `at`, x = in[argument]; one test for all of them, since testing each mispredicts. */
static ALWAYS_INLINE void fitted_group(int group, int kind, int arrays, int argument, int outputs, Output first, Output second,
                                       const float *const *in, float *const *out, size_t at, size_t i, Late *late, Counts *counts) {
    f32_v a[MAX_ARRAYS][GROUP];
    f32_m any = 0, *mask = late->mask[0] + i / f32_lanes, *other = late->mask[1] + i / f32_lanes;
    for (int v = 0; v < group; v++) {
        for (int j = 0; j < arrays; j++) a[j][v] = f32_load(in[j] + at + v * f32_lanes);
        any |= mask[v] = not_covered(first.fit, a[argument][v]);
        if (outputs == 2 && first.tail) any |= other[v] = not_covered(second.fit, a[argument][v]);
    }
    f32_v y[MAX_OUTPUTS][GROUP];
    if (kind == GLU || kind == SWIGLU)
        two_of_sigmoid(kind, group, sigmoid_tail_fit(), a[argument], y[0], y[1]);
    else /* one by one: the table stays in the registers */
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

/* Gathered from the whole chunk, so that it costs in proportion to how much there is. */
static ALWAYS_INLINE void fitted_rest(f32_block *rest, int arrays, int outputs, const float *parameter, Late *late, Counts counts,
                                      float *const *out, size_t start) {
    float computed[MAX_OUTPUTS][FITTED_CHUNK + f32_lanes];
    const size_t count = (counts.gathered + f32_lanes - 1) / f32_lanes * f32_lanes;
    for (int j = 0; j < arrays; j++)
        for (size_t i = counts.gathered; i < count; i++) late->in[j][i] = late->in[j][counts.gathered - 1];
    rest((const float *const[]){late->in[0], late->in[1], late->in[2]}, parameter, (float *const[]){computed[0], computed[1]}, count);
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

/* out[k] = f_k(in[argument]) times its factors; of two outputs both have tails, or neither */
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
            fitted_rest(first.rest, arrays, outputs, parameter, &late, counts, out, start);
    }
}

/* The same for a parameter in an array: an element whose parameter is the default has the bits that it has for the number. */
static ALWAYS_INLINE void fitted_general(int arrays, float standard, f32_block *fitted, f32_block *composed,
                                         const float *const *in, float *const *out, size_t n) {
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

#include "fitted_kernels.h"

#define OUTPUT(table, factors, rest) ((Output){FIT_##table, TAIL_##table, rest, factors})
#define FITTED(name, arrays, table, argument, factors, rest)                                                                  \
    static void fitted_##name(const float *const *in, const float *parameter, float *const *out, size_t n) {                  \
        fitted_block(ONE, arrays, argument, 1, OUTPUT(table, factors, rest), OUTPUT(table, factors, rest), in, parameter, out, n); \
    }
/* The backward pass of a gated pair */
#define FITTED_GATE(name, kind, argument, first, first_factors, second, second_factors, rest)                                 \
    static void fitted_##name(const float *const *in, const float *parameter, float *const *out, size_t n) {                  \
        fitted_block(kind, 3, argument, 2, OUTPUT(first, first_factors, rest), OUTPUT(second, second_factors, rest), in,      \
                     parameter, out, n);                                                                                      \
    }
#define FITTED_AT(name, arrays, standard, composed, table, argument, factors, rest)                                                 \
    FITTED(name##_standard, arrays, table, argument, factors, rest)                                                                 \
    static void fitted_##name(const float *const *in, const float *parameter, float *const *out, size_t n) {                  \
        const float expected = standard;                                                                                      \
        if (memcmp(parameter, &expected, sizeof expected) != 0)                                                               \
            composed##_uniform_##name(in, parameter, out, n);                                                                 \
        else                                                                                                                  \
            fitted_##name##_standard(in, parameter, out, n);                                                                  \
    }                                                                                                                         \
    static void fitted_general_##name(const float *const *in, const float *parameter, float *const *out, size_t n) {          \
        (void)parameter;                                                                                                      \
        fitted_general(arrays, standard, fitted_##name, composed##_general_##name, in, out, n);                               \
    }
FITTED_KERNELS
#include "softcap.h"
#include "snake.h"
#undef FITTED
#undef FITTED_GATE
#undef FITTED_AT
#define FITTED(name, arrays, table, argument, factors, rest) {#name, fitted_##name, NULL},
#define FITTED_GATE(name, kind, argument, first, first_factors, second, second_factors, rest) {#name, fitted_##name, NULL},
#define FITTED_AT(name, arrays, standard, composed, table, argument, factors, rest) {#name, fitted_##name, fitted_general_##name},
static const Fitted fitted_kernels[] = {FITTED_KERNELS SOFTCAP_KERNELS SNAKE_KERNELS};
#undef FITTED
#undef FITTED_GATE
#undef FITTED_AT
