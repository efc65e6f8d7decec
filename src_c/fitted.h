/* The fitted float32 kernels: a table of 32 polynomials in t = |x| (segments.h, made by fit.py) inside, the composed
 * formula outside. As fast as memory and about 1 ULP, but only where a 32-entry table fits the registers.
 *
 * Each form says how a value of the polynomial P becomes the result:
 *   COMPLEMENT       P(t) for x < 0, 1 - P(t) for x >= 0
 *   EVEN_DERIVATIVE  grad * P(t)
 *   ODD_CLAMPED      x * P(t), with x clamped to the table's end, where the function has saturated: nothing is outside
 * A lane inside keeps its table value whatever its neighbours are, so that a result never depends on them. */

/* c0 + d * (c1 + c2 d + ...), d = t - centre; the looked-up segment is the nearest multiple of the spacing */
static ALWAYS_INLINE f32_v segment_value(const float (*table)[32], int degree, float inverse_spacing, f32_v t, f32_v *c0) {
    f32_v z = f32_fma(t, f32_set(inverse_spacing), f32_set(0x1.8p23f));
    f32_v d = t - f32_lookup(table[0], z);
    f32_v q = f32_lookup(table[degree + 1], z);
    for (int i = degree; i >= 2; i--) q = f32_fma(q, d, f32_lookup(table[i], z));
    *c0 = f32_lookup(table[1], z);
    return d * q;
}

enum { COMPLEMENT, EVEN_DERIVATIVE, ODD_CLAMPED };

static ALWAYS_INLINE f32_v fitted_value(int form, const float (*table)[32], float end, float inverse_spacing, int degree, const f32_v *in) {
    f32_v c0, rest, x = in[form == EVEN_DERIVATIVE], t = f32_abs(x);
    if (form == ODD_CLAMPED) {
        t = f32_min(f32_set(end), t); /* the constant first: NaN passes */
        rest = segment_value(table, degree, inverse_spacing, t, &c0);
        f32_v clamped = f32_with_sign(t, x);
        return f32_fma(clamped, c0, clamped * rest);
    }
    rest = segment_value(table, degree, inverse_spacing, t, &c0) + c0;
    if (form == EVEN_DERIVATIVE) return in[0] * rest;
    return f32_select(f32_ge(x, f32_set(0)), f32_set(1) - rest, rest);
}

/* `group` vectors to one range test: testing each mispredicts. */
static ALWAYS_INLINE void fitted_group(int group, int form, const float (*table)[32], float end, float inverse_spacing, int degree,
                                       f32_vector *composed, const float *const *in, float *out, size_t i) {
    enum { LARGEST_GROUP = 4 };
    f32_v a[LARGEST_GROUP][2], y[LARGEST_GROUP];
    f32_m outside[LARGEST_GROUP], any = 0;
    for (int k = 0; k < group; k++) {
        a[k][0] = f32_load(in[0] + i + k * f32_lanes);
        if (form == EVEN_DERIVATIVE) a[k][1] = f32_load(in[1] + i + k * f32_lanes);
        y[k] = fitted_value(form, table, end, inverse_spacing, degree, a[k]);
        outside[k] = form == ODD_CLAMPED ? 0 : f32_gt(f32_abs(a[k][form == EVEN_DERIVATIVE]), f32_set(end));
        any |= outside[k];
    }
    if (__builtin_expect(any, 0))
        for (int k = 0; k < group; k++) y[k] = f32_select(outside[k], composed(a[k]), y[k]);
    for (int k = 0; k < group; k++) f32_store(out + i + k * f32_lanes, y[k]);
}

static ALWAYS_INLINE void fitted_block(int form, const float (*table)[32], float end, float inverse_spacing, int degree,
                                       f32_vector *composed, const float *const *in, float *out, size_t n) {
    size_t i = 0;
    for (; i + 4 * f32_lanes <= n; i += 4 * f32_lanes)
        fitted_group(4, form, table, end, inverse_spacing, degree, composed, in, out, i);
    for (; i < n; i += f32_lanes) fitted_group(1, form, table, end, inverse_spacing, degree, composed, in, out, i);
}

#include "segments.h"

#define FITTED(name, form, end, inverse_spacing, degree)                                                                       \
    static void fitted_##name(const float *const *in, const float *parameter, float *out, size_t n) {                          \
        (void)parameter;                                                                                                       \
        fitted_block(form, table_##name, end, inverse_spacing, degree, f32_vector_##name, in, out, n);                         \
    }
FITTED_KERNELS
#undef FITTED
#define FITTED(name, form, end, inverse_spacing, degree) {#name, fitted_##name, NULL},
static const Fitted fitted_kernels[] = {FITTED_KERNELS};
#undef FITTED
