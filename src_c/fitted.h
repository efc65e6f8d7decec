/* The fitted float32 kernels: a table of 32 polynomials, looked up in registers, inside a range, and the composed formula
 * outside. As fast as memory and about 1 ULP, but only where a 32-entry table fits the registers. The tables and the rows
 * FITTED stand in segments.h, made by fit.py.
 *
 * A table has a polynomial P for each segment of t = |x| or of x. A form says how P becomes the function, and beyond which
 * end of the table the function is no longer what the form makes of the table's end (u is t, clamped to the table):
 *
 *   form          function                      not covered
 *   COMPLEMENT    P for x < 0, 1 - P else       x < -high
 *   EVEN          P                             |x| > high
 *   ODD           x P as u P                    -
 *   CUBIC_SHIFTED x u u P; x -+ 1 beyond high   -
 *   EVEN_PRODUCT  |x| u P                       -
 *   SQUARE        u u P                         -
 *   ABOVE         max(x, 0) - u P               x < -high
 *   ABOVE_PLUS    max(x, 0) + P                 x < -high
 *   ABOVE_BOTH    the same                      |x| > high
 *   BELOW         min(x, 0) - P                 x > high
 *   STEP_BOTH     P for x < 0, 1 - P else       |x| > high
 *   COMPLEMENT_DOWN  P for x > 0, 1 - P else    x > high
 *   BENT          scale x for x > 0, -u P else  -
 *   BENT_SLOPE    scale for x > 0, P else       x < -high
 *   PRODUCT       x P                           x < low        (a table of x from here on)
 *   DIRECT        P                             x < low
 *   DIRECT_BOTH   P                             outside
 *   PRODUCT_BOTH  x P                           outside
 *
 * A lane that is covered keeps its table value whatever its neighbours are, so that a result never depends on them. */

enum {
    COMPLEMENT, EVEN, ODD, CUBIC_SHIFTED, EVEN_PRODUCT, SQUARE, ABOVE, ABOVE_PLUS, ABOVE_BOTH, BELOW, STEP_BOTH, COMPLEMENT_DOWN, BENT, BENT_SLOPE,
    PRODUCT, DIRECT, DIRECT_BOTH, PRODUCT_BOTH
};

typedef struct {
    int form, degree;
    float low, high, inverse_spacing, scale;
    const float (*table)[32];
} Fit;

/* y = f(x), for what a table does not cover */
typedef void rest_function(const float *x, double *y, size_t n);

enum { FITTED_CHUNK = 1024, GROUP = 4 };

/* The function at the vectors x[0], ... of a group, which shares each load of a coefficient's two registers: with two tables in
 * one kernel they do not stay there (1.2 times the time). */
static ALWAYS_INLINE void fitted_values(Fit fit, int group, const f32_v *x, f32_v *y) {
    const f32_v high = f32_set(fit.high), zero = f32_set(0);
    f32_v u[GROUP], z[GROUP], d[GROUP], c0[GROUP], q[GROUP];
    for (int v = 0; v < group; v++) {
        u[v] = f32_min(high, fit.form < PRODUCT ? f32_abs(x[v]) : x[v]); /* the constant first: NaN passes */
        if (fit.form >= PRODUCT) u[v] = f32_max(f32_set(fit.low), u[v]);
        z[v] = f32_fma(u[v], f32_set(fit.inverse_spacing), f32_set(0x1.8p23f)); /* the segment is the nearest multiple */
    }
    /* c0 + d * (c1 + c2 d + ...), d = u - centre */
    f32_lookups(fit.table[0], group, z, d);
    for (int v = 0; v < group; v++) d[v] = u[v] - d[v];
    f32_lookups(fit.table[fit.degree + 1], group, z, q);
    for (int i = fit.degree; i >= 2; i--) {
        f32_v c[GROUP];
        f32_lookups(fit.table[i], group, z, c);
        for (int v = 0; v < group; v++) q[v] = f32_fma(q[v], d[v], c[v]);
    }
    f32_lookups(fit.table[1], group, z, c0);

    for (int v = 0; v < group; v++) {
        const f32_v rest = d[v] * q[v], p = f32_fma(d[v], q[v], c0[v]), product = f32_fma(u[v], c0[v], u[v] * rest);
        switch (fit.form) {
        case COMPLEMENT:
        case STEP_BOTH:
            y[v] = f32_select(f32_ge(x[v], zero), f32_set(1) - p, p);
            break;
        case COMPLEMENT_DOWN:
            y[v] = f32_select(f32_ge(zero, x[v]), f32_set(1) - p, p);
            break;
        case ODD: {
            f32_v clamped = f32_with_sign(u[v], x[v]);
            y[v] = f32_fma(clamped, c0[v], clamped * rest);
            break;
        }
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
        case ABOVE_PLUS:
        case ABOVE_BOTH:
            y[v] = f32_max(zero, x[v]) + p;
            break;
        case BELOW:
            y[v] = f32_min(zero, x[v]) - p;
            break;
        case BENT:
            y[v] = f32_select(f32_gt(x[v], zero), f32_set(fit.scale) * x[v], f32_with_sign(product, x[v]));
            break;
        case BENT_SLOPE:
            y[v] = f32_select(f32_gt(x[v], zero), f32_set(fit.scale), p);
            break;
        case PRODUCT:
        case PRODUCT_BOTH:
            y[v] = f32_fma(x[v], c0[v], x[v] * rest);
            break;
        default:
            y[v] = p;
        }
    }
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
    case BELOW:
    case COMPLEMENT_DOWN:
        return f32_gt(x, f32_set(fit.high));
    case PRODUCT:
    case DIRECT:
        return f32_gt(f32_set(fit.low), x);
    case DIRECT_BOTH:
    case PRODUCT_BOTH:
        return f32_gt(f32_set(fit.low), x) | f32_gt(x, f32_set(fit.high));
    default:
        return f32_gt(f32_set(-fit.high), x);
    }
}

/* One output: f(x) times the inputs in `factors` (bits). What the table does not cover is computed by `tail`, in place, or
 * where that is NULL by `rest`, gathered. */
typedef struct {
    Fit fit;
    f32_v (*tail)(f32_v x, f32_v factor);
    rest_function *rest;
    int factors;
} Output;

static ALWAYS_INLINE f32_v times_factors(f32_v y, int factors, int arrays, f32_v (*const a)[GROUP], int v) {
    for (int j = 0; j < arrays; j++)
        if (factors >> j & 1) y = y * a[j][v];
    return y;
}

/* One output of a group. The lanes in `mask` get their tail, or the factors alone, since their x is gathered. */
static ALWAYS_INLINE void fitted_output(Output output, int group, int together, int arrays, f32_v (*const a)[GROUP], const f32_v *x,
                                        const f32_m *mask, int any, float *out) {
    f32_v y[GROUP];
    for (int v = 0; v < group; v += together) fitted_values(output.fit, together, x + v, y + v);
    for (int v = 0; v < group; v++) y[v] = times_factors(y[v], output.factors, arrays, a, v);
    if (__builtin_expect(any, 0))
        for (int v = 0; v < group; v++) {
            f32_v late = times_factors(f32_set(1), output.factors, arrays, a, v);
            if (output.tail) late = output.tail(f32_min(f32_set(-output.fit.high), x[v]), late);
            y[v] = f32_select(mask[v], late, y[v]);
        }
    for (int v = 0; v < group; v++) f32_store(out + v * f32_lanes, y[v]);
}

/* `group` vectors from element `at`, x = in[argument]; one test for all of them, since testing each mispredicts. Returns how many
 * x are gathered by now. */
static ALWAYS_INLINE size_t fitted_group(int group, int arrays, int argument, int outputs, Output first, Output second,
                                         const float *const *in, float *const *out, size_t at, float *gathered, f32_m *mask, size_t count) {
    f32_v a[MAX_ARRAYS][GROUP];
    f32_m any = 0;
    for (int v = 0; v < group; v++) {
        for (int j = 0; j < arrays; j++) a[j][v] = f32_load(in[j] + at + v * f32_lanes);
        mask[v] = not_covered(first.fit, a[argument][v]);
        if (outputs == 2) mask[v] |= not_covered(second.fit, a[argument][v]);
        any |= mask[v];
    }
    const int together = outputs == 2 ? group : 1; /* one table stays in the registers */
    fitted_output(first, group, together, arrays, a, a[argument], mask, any, out[0] + at);
    if (outputs == 2) fitted_output(second, group, together, arrays, a, a[argument], mask, any, out[1] + at);
    if (!first.tail && __builtin_expect(any, 0))
        for (int v = 0; v < group; v++) {
            f32_store(gathered + count, f32_compress(mask[v], a[argument][v]));
            count += (size_t)f32_count(mask[v]);
        }
    return count;
}

/* The gathered values of one output, put back, times the factors that wait in their place: in doubles where some are subnormal,
 * since float32 operations on such take up to 100 times as long. */
static ALWAYS_INLINE void fitted_rest(Output output, const float *gathered, size_t count, const f32_m *mask, float *out, size_t m) {
    double computed[FITTED_CHUNK + f32_lanes];
    float rounded[FITTED_CHUNK + f32_lanes];
    size_t taken = 0;
    output.rest(gathered, computed, count);
    const int subnormal = f64_to_f32(computed, rounded, count) && output.factors;
    for (size_t v = 0; v < m / f32_lanes; v++) {
        f32_v y = f32_load(out + v * f32_lanes), late;
        if (subnormal)
            late = f32_times_expanded(y, mask[v], computed + taken);
        else {
            late = f32_expand(mask[v], rounded + taken);
            if (output.factors) late = late * y;
        }
        f32_store(out + v * f32_lanes, f32_select(mask[v], late, y));
        taken += (size_t)f32_count(mask[v]);
    }
}

static ALWAYS_INLINE void fitted_block(int arrays, int argument, int outputs, Output first, Output second, const float *const *in,
                                       float *const *out, size_t n) {
    float gathered[FITTED_CHUNK + f32_lanes];
    f32_m mask[FITTED_CHUNK / f32_lanes];
    for (size_t start = 0; start < n; start += FITTED_CHUNK) {
        const size_t m = n - start < FITTED_CHUNK ? n - start : FITTED_CHUNK;
        size_t i = 0, count = 0;
        for (; i + GROUP * f32_lanes <= m; i += GROUP * f32_lanes)
            count = fitted_group(GROUP, arrays, argument, outputs, first, second, in, out, start + i, gathered, mask + i / f32_lanes, count);
        for (; i < m; i += f32_lanes)
            count = fitted_group(1, arrays, argument, outputs, first, second, in, out, start + i, gathered, mask + i / f32_lanes, count);
        if (count == 0) continue;
        /* gathered from a whole chunk, the composed formula costs in proportion to how much there is */
        const size_t padded = (count + f32_lanes - 1) / f32_lanes * f32_lanes;
        for (i = count; i < padded; i++) gathered[i] = gathered[count - 1];
        fitted_rest(first, gathered, padded, mask, out[0] + start, m);
        if (outputs == 2) fitted_rest(second, gathered, padded, mask, out[1] + start, m);
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

/* The composed function of one array, for a derivative with a gradient of 1, at the default parameter */
#define REST(name, real, step, backward, parameter)                                                                           \
    static void rest_##name(const float *x, double *y, size_t n) {                                                            \
        for (size_t i = 0; i < n; i += step) {                                                                                \
            real##_vectors in[3], out[1];                                                                                     \
            in[0] = real##_splat(1);                                                                                          \
            in[backward] = real##_load(x + i);                                                                                \
            in[backward + 1] = real##_splat(parameter);                                                                       \
            real##_vector_##name(in, out);                                                                                    \
            real##_store_doubles(y + i, out[0]);                                                                      \
        }                                                                                                                     \
    }
typedef f32_v f32_vectors;
typedef f64_v mid_vectors;
#define f32_splat f32_set
#define mid_splat f64_set
#define mid_store_doubles f64_store
#include "segments.h"

#define OUTPUT(table, factors) ((Output){FIT_##table, TAIL_##table, REST_##table, factors})
#define FITTED(name, arrays, table, argument, factors)                                                                         \
    static void fitted_##name(const float *const *in, const float *parameter, float *const *out, size_t n) {                  \
        (void)parameter;                                                                                                      \
        fitted_block(arrays, argument, 1, OUTPUT(table, factors), OUTPUT(table, factors), in, out, n);                        \
    }
/* The backward pass of f(in[1]) * in[2]: the gradient in[0] times in[2] f'(in[1]), and times f(in[1]) */
#define FITTED_GATE(name, slope, value)                                                                                       \
    static void fitted_##name(const float *const *in, const float *parameter, float *const *out, size_t n) {                  \
        (void)parameter;                                                                                                      \
        fitted_block(3, 1, 2, OUTPUT(slope, 5), OUTPUT(value, 1), in, out, n);                                                \
    }
#define FITTED_AT(name, arrays, standard, composed, table, argument, factors)                                                 \
    FITTED(name##_standard, arrays, table, argument, factors)                                                                 \
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
#undef FITTED
#undef FITTED_GATE
#undef FITTED_AT
#define FITTED(name, arrays, table, argument, factors) {#name, fitted_##name, NULL},
#define FITTED_GATE(name, slope, value) {#name, fitted_##name, NULL},
#define FITTED_AT(name, arrays, standard, composed, table, argument, factors) {#name, fitted_##name, fitted_general_##name},
static const Fitted fitted_kernels[] = {FITTED_KERNELS};
#undef FITTED
#undef FITTED_GATE
#undef FITTED_AT
