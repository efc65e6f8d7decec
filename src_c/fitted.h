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

/* One output: a table, which input it is of, and which inputs (bits) the result is multiplied by. */
typedef struct {
    Fit fit;
    int argument, factors;
} FittedOutput;

static ALWAYS_INLINE f32_v fitted_value(Fit fit, f32_v x) {
    const f32_v high = f32_set(fit.high), zero = f32_set(0);
    f32_v t = fit.form < PRODUCT ? f32_abs(x) : x;
    f32_v u = f32_min(high, t); /* the constant first: NaN passes */
    if (fit.form >= PRODUCT) u = f32_max(f32_set(fit.low), u);

    /* c0 + d * (c1 + c2 d + ...), d = u - centre; the segment is the nearest multiple of the spacing */
    f32_v z = f32_fma(u, f32_set(fit.inverse_spacing), f32_set(0x1.8p23f));
    f32_v d = u - f32_lookup(fit.table[0], z), c0 = f32_lookup(fit.table[1], z);
    f32_v q = f32_lookup(fit.table[fit.degree + 1], z);
    for (int i = fit.degree; i >= 2; i--) q = f32_fma(q, d, f32_lookup(fit.table[i], z));
    f32_v p = f32_fma(d, q, c0);

    switch (fit.form) {
    case COMPLEMENT:
    case STEP_BOTH:
        return f32_select(f32_ge(x, zero), f32_set(1) - p, p);
    case COMPLEMENT_DOWN:
        return f32_select(f32_ge(zero, x), f32_set(1) - p, p);
    case ODD: {
        f32_v clamped = f32_with_sign(u, x);
        return f32_fma(clamped, c0, clamped * (d * q));
    }
    case CUBIC_SHIFTED: {
        f32_v square = u * u;
        return f32_select(f32_gt(t, high), x - f32_with_sign(f32_set(1), x), x * f32_fma(square, c0, square * (d * q)));
    }
    case SQUARE:
        return u * f32_fma(u, c0, u * (d * q));
    case EVEN_PRODUCT:
        return t * f32_fma(u, c0, u * (d * q));
    case ABOVE:
        return f32_max(zero, x) - f32_fma(u, c0, u * (d * q));
    case ABOVE_PLUS:
    case ABOVE_BOTH:
        return f32_max(zero, x) + p;
    case BELOW:
        return f32_min(zero, x) - p;
    case BENT:
        return f32_select(f32_gt(x, zero), f32_set(fit.scale) * x, f32_with_sign(f32_fma(u, c0, u * (d * q)), x));
    case BENT_SLOPE:
        return f32_select(f32_gt(x, zero), f32_set(fit.scale), p);
    case PRODUCT:
    case PRODUCT_BOTH:
        return f32_fma(x, c0, x * (d * q));
    default:
        return p;
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

enum { FITTED_CHUNK = 1024, GROUP = 4 };

/* What the table does not cover, gathered from a whole chunk, so that the composed formula costs in proportion to it. */
typedef struct {
    float in[MAX_ARRAYS][FITTED_CHUNK + f32_lanes], out[MAX_OUTPUTS][FITTED_CHUNK + f32_lanes];
    f32_m mask[FITTED_CHUNK / f32_lanes];
    size_t count;
} Rest;

static ALWAYS_INLINE f32_v fitted_output(FittedOutput output, int arrays, const f32_v *a) {
    f32_v y = fitted_value(output.fit, a[output.argument]);
    for (int j = 0; j < arrays; j++)
        if (output.factors >> j & 1) y = y * a[j];
    return y;
}

/* One output of `group` vectors, from element `at`; what `other` does not cover either is set aside. One test for the group:
 * testing each vector mispredicts. */
static ALWAYS_INLINE void fitted_group(int group, int arrays, FittedOutput output, FittedOutput other, const float *const *in, size_t at,
                                       float *out, Rest *rest, f32_m *mask) {
    f32_v a[GROUP][MAX_ARRAYS];
    f32_m any = 0;
    for (int v = 0; v < group; v++) {
        for (int j = 0; j < arrays; j++) a[v][j] = f32_load(in[j] + at + v * f32_lanes);
        f32_store(out + v * f32_lanes, fitted_output(output, arrays, a[v]));
        mask[v] = not_covered(output.fit, a[v][output.argument]) | not_covered(other.fit, a[v][other.argument]);
        any |= mask[v];
    }
    if (__builtin_expect(any != 0, 0))
        for (int v = 0; v < group; v++) {
            for (int j = 0; j < arrays; j++) f32_store(rest->in[j] + rest->count, f32_compress(mask[v], a[v][j]));
            rest->count += (size_t)f32_count(mask[v]);
        }
}

/* The second output in a pass of its own: two tables at once do not fit the registers (1.3 times the time). */
static ALWAYS_INLINE void fitted_second(int arrays, FittedOutput output, const float *const *in, float *out, size_t at, size_t m) {
    f32_v a[MAX_ARRAYS];
    for (size_t i = at; i < at + m; i += f32_lanes) {
        for (int j = 0; j < arrays; j++) a[j] = f32_load(in[j] + i);
        f32_store(out + i, fitted_output(output, arrays, a));
    }
}

static ALWAYS_INLINE void fitted_block(int arrays, int outputs, FittedOutput first, FittedOutput second, f32_block *composed,
                                       const float *const *in, const float *parameter, float *const *out, size_t n) {
    Rest rest;
    float waiting[FITTED_CHUNK]; /* the first of two outputs: it may overwrite an input that the second needs */
    const float *const rest_in[] = {rest.in[0], rest.in[1], rest.in[2]};
    float *const rest_out[] = {rest.out[0], rest.out[1]};
    for (size_t start = 0; start < n; start += FITTED_CHUNK) {
        const size_t m = n - start < FITTED_CHUNK ? n - start : FITTED_CHUNK;
        float *target = outputs == 2 ? waiting : out[0] + start;
        size_t i = 0;
        rest.count = 0;
        for (; i + GROUP * f32_lanes <= m; i += GROUP * f32_lanes)
            fitted_group(GROUP, arrays, first, second, in, start + i, target + i, &rest, rest.mask + i / f32_lanes);
        for (; i < m; i += f32_lanes)
            fitted_group(1, arrays, first, second, in, start + i, target + i, &rest, rest.mask + i / f32_lanes);
        if (outputs == 2) {
            fitted_second(arrays, second, in, out[1], start, m);
            for (i = 0; i < m; i += f32_lanes) f32_store(out[0] + start + i, f32_load(waiting + i));
        }
        if (rest.count == 0) continue;
        size_t padded = (rest.count + f32_lanes - 1) / f32_lanes * f32_lanes;
        for (int j = 0; j < arrays; j++)
            for (size_t k = rest.count; k < padded; k++) rest.in[j][k] = rest.in[j][rest.count - 1];
        composed(rest_in, parameter, rest_out, padded);
        size_t taken = 0;
        for (size_t v = 0; v < m / f32_lanes; v++) {
            for (int k = 0; k < outputs; k++) f32_spread(out[k] + start + v * f32_lanes, rest.mask[v], rest.out[k] + taken);
            taken += (size_t)f32_count(rest.mask[v]);
        }
    }
}

/* The same for a parameter in an array: an element whose parameter is the default has the bits that it has for the number. */
static ALWAYS_INLINE void fitted_general_block(int arrays, float standard, f32_block *fitted, f32_block *composed,
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

#define OUTPUT(...) ((FittedOutput){__VA_ARGS__})
#include "segments.h"

#define FITTED(name, arrays, outputs, composed, first, second)                                                                \
    static void fitted_##name(const float *const *in, const float *parameter, float *const *out, size_t n) {                  \
        fitted_block(arrays, outputs, first, second, composed, in, parameter, out, n);            \
    }
#define FITTED_AT(name, arrays, standard, block, general, first)                                                              \
    static void fitted_##name(const float *const *in, const float *parameter, float *const *out, size_t n) {                  \
        const float expected = standard;                                                                                      \
        if (memcmp(parameter, &expected, sizeof expected) != 0)                                                               \
            block(in, parameter, out, n);                                                                                     \
        else                                                                                                                  \
            fitted_block(arrays, 1, first, first, block, in, parameter, out, n);                  \
    }                                                                                                                         \
    static void fitted_general_##name(const float *const *in, const float *parameter, float *const *out, size_t n) {          \
        (void)parameter;                                                                                                      \
        fitted_general_block(arrays, standard, fitted_##name, general, in, out, n);                                           \
    }
FITTED_KERNELS
#undef FITTED
#undef FITTED_AT
#define FITTED(name, arrays, outputs, composed, first, second) {#name, fitted_##name, NULL},
#define FITTED_AT(name, arrays, standard, block, general, first) {#name, fitted_##name, fitted_general_##name},
static const Fitted fitted_kernels[] = {FITTED_KERNELS};
#undef FITTED
#undef FITTED_AT
