/* The tails of the fitted kernels: exponentials, in float32, beyond the tables. The exponential would amplify the rounding error
 * of its argument, so `low` keeps that. A tail takes x < 0 and a factor. The factor and the scaling by 2^k come last: operations
 * on subnormal numbers are slow. */

#include "fitted/generated/tail_terms.h"

/* e^(z + low) = (1 + t) 2^k for z < 0, |low| < 2^-8. The caller rounds a (1 + t) once, as a t + a. */
static ALWAYS_INLINE f32_v f32_exp_tail(f32_v z, f32_v low, f32_v *k) {
    f32_v whole, t = f32_expm1_remainder(z, k, &whole);
    return f32_fma(low, f32_set(1) + t, t);
}
/* a 2^k for |a| < 2^126 and any k < 0, rounded once. Without a scale for any k, the product v is 2^64 times larger where k < -64.
 * Where the result is subnormal, no product is: the sum of |v| and 2^-62 has its bits as the mantissa. */
static ALWAYS_INLINE f32_v f32_scaled_down(f32_v a, f32_v k) {
#ifdef HAVE_SCALE
    return f32_scale(a, k);
#else
    const f32_v one = f32_set(1), least = f32_set(0x1p-62f);
    const f32_m low = f32_gt(f32_set(-64), k);
    const f32_m zero = f32_gt(f32_set(-190), k) & f32_gt(f32_set(0x1p39f), f32_abs(a)); /* the result is below 2^-151 */
    a = f32_select(zero, f32_with_sign(f32_set(0), a), a);
    const f32_v once = a * f32_pow2(f32_max(f32_set(-126), k) + f32_set(f32_ROUNDER));
    const f32_v v = f32_select(low, f32_scaled(a, f32_max(f32_set(-252), k + f32_set(64))), once);
    const f32_m subnormal = low & f32_gt(least, f32_abs(v));
    const f32_v normal = v * f32_select(subnormal, one, f32_select(low, f32_set(0x1p-64f), one));
    return f32_select(subnormal, f32_with_sign(f32_less_bits(f32_abs(v) + least, least), v), normal);
#endif
}

/* With e = e^z and z = rate x: PLAIN is C e (1 - h e), GATED is C x e (1 - h e), and SLOPE is the derivative of GATED,
 * C e (1 + z - h e (1 + 2 z)). C = sign e^log_constant joins the exponent: as a factor it would be rounded twice. `bend` is h. */
enum { NO_TAIL, PLAIN, GATED, SLOPE };
typedef struct {
    int kind;
    float sign, log_constant, log_low, bend, rate, rate_low;
} Tail;
#define TAIL_none \
    { NO_TAIL, 0, 0, 0, 0, 0, 0 }
static ALWAYS_INLINE f32_v exponential_tail(Tail tail, f32_v x, f32_v factor) {
    const int kind = tail.kind;
    const float log_constant = tail.log_constant, rate = tail.rate, bend = tail.bend;
    f32_v b = f32_max(f32_set(-200), x), k, z = b, low = f32_set(0);
    if (rate != 1) {
        z = b * f32_set(rate);
        low = f32_fma(b, f32_set(rate), -z) + b * f32_set(tail.rate_low);
    }
    f32_v exponent = z;
    if (log_constant != 0) {
        exponent = z + f32_set(log_constant);
        low = (f32_set(log_constant) - (exponent - z)) + f32_set(tail.log_low);
    }
    f32_v t = f32_exp_tail(exponent, low, &k), a = kind == PLAIN ? f32_set(1) : b;
    if (kind == SLOPE) a = f32_set(1) + z;
    if (bend != 0) {
        f32_v e = f32_scaled(f32_set(1) + t, f32_max(f32_set(-64), k)) * f32_set(bend);
        if (kind == SLOPE)
            a = f32_fma(-e, f32_fma(f32_set(2), z, f32_set(1)), a);
        else
            t = f32_fma(-e, f32_set(1) + t, t);
    }
    a = a * f32_set(tail.sign * 0x1p-12f); /* |a| < 2^10 and k < -20: if a product overflows here, the result does, too */
    return f32_scaled_down(f32_fma(a, t, a) * factor, k + f32_set(12));
}

static ALWAYS_INLINE f32_v f32_series(const float *c, int count, f32_v y) {
    f32_v p = f32_set(c[count - 1]);
    for (int i = count - 2; i >= 0; i--) p = f32_fma(p, y, f32_set(c[i]));
    return p;
}

/* Phi(x) = phi(x) (1 + y P(y)) / -x and Phi(x) + x phi(x) = phi(x) x (1 + y Q(y)), y = 1 / x^2. The first coefficient of both is
 * 1 / sqrt(2 pi), rounded. FAR_TAIL_LOG, the logarithm of the exact value over the rounded one, joins the exponent. */
static ALWAYS_INLINE void gelu_tail(f32_v x, f32_v *value, f32_v *slope, f32_v *k) {
    f32_v b = f32_max(f32_set(-30), x), square = b * b, y = f32_set(1) / square;
    f32_v low = f32_fma(f32_fma(b, b, -square), f32_set(-0.5f), f32_set(FAR_TAIL_LOG));
    f32_v t = f32_exp_tail(square * f32_set(-0.5f), low, k);
    f32_v series = -f32_series(far_tail_terms, FAR_TAIL_TERMS, y);
    f32_v series_slope = f32_series(far_slope_terms, FAR_SLOPE_TERMS, y) * b;
    *value = f32_fma(series, t, series);
    *slope = f32_fma(series_slope, t, series_slope);
}

/* sigmoid(-v) = e - e^2 with e = e^-v < 2^-24, v = t (c0 + c1 t^2) in two parts */
static ALWAYS_INLINE void gelu_tanh_tail(f32_v x, f32_v *value, f32_v *slope, f32_v *k) {
    f32_v t = f32_min(f32_set(30), -x), square = t * t, square_low = f32_fma(t, t, -square);
    f32_v cubic = f32_set(TANH_C1) * square;
    f32_v cubic_low =
        f32_fma(f32_set(TANH_C1), square, -cubic) + f32_fma(f32_set(TANH_C1), square_low, f32_set(TANH_C1_LOW) * square);
    f32_v sum = cubic + f32_set(TANH_C0), sum_low = (f32_set(TANH_C0) - (sum - cubic)) + (cubic_low + f32_set(TANH_C0_LOW));
    f32_v v = t * sum, low = f32_fma(t, sum, -v) + t * sum_low;
    f32_v r = f32_exp_tail(-v, -low, k), p = f32_set(1) + r, e = f32_scaled(p, f32_max(f32_set(-64), *k));
    f32_v y = f32_fma(t, r, t);
    *value = f32_fma(y, e, -y);
    /* e (1 - e) (1 - t v' (1 - e)), v' = c0 + 3 c1 t^2 = 3 v / t - 2 c0 */
    f32_v outer = f32_fma(f32_set(3), v, f32_fma(f32_set(-2 * TANH_C0), t, f32_set(3) * low));
    f32_v inner = f32_set(1) - outer;
    y = f32_fma(inner, r, inner);
    *slope = f32_fma(-e, f32_fma(-outer, p, y), y);
}

/* log(x / (1 - x)) where w, the smaller of x and 1 - x, is below 0.06: log(w) - log1p(-w), with its sign. log(w) is
 * k ln 2 + log1p(m - 1) with 0.75 <= m < 1.5. */
static ALWAYS_INLINE f32_v logit_tail(f32_v x) {
    const f32_m upper = f32_gt(x, f32_set(0.5f));
    f32_v w = f32_select(upper, f32_set(1) - x, x), m = f32_mantissa(w), r = m - f32_set(1);
    f32_v k = f32_exponent(w) + f32_select(f32_gt(f32_set(1), m), f32_set(1), f32_set(0));
    f32_v log = f32_fma(k, f32_set(f32_LN2_HI), f32_fma(k, f32_set(f32_LN2_LO), r * f32_series(log_terms, LOG_TERMS, r)));
    f32_v b = f32_min(f32_set(0.0625f), w);
    f32_v y = log + b * f32_series(log_complement_terms, LOG_COMPLEMENT_TERMS, b);
    y = f32_select(f32_gt(w, f32_set(0)), y, f32_select(f32_ge(w, f32_set(0)), f32_set(-HUGE_VALF), f32_set(NAN_VALUE)));
    return f32_select(upper, -y, y);
}
static void logit_outside(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    for (size_t i = 0; i < n; i += f32_lanes) f32_store(out[0] + i, logit_tail(f32_load(in[0] + i)));
}

/* a 2^k times the inputs in `factors` (a bit for each). The scaling comes last. Before it a is made 2^13 times smaller, so that
 * no factor makes it overflow. */
static ALWAYS_INLINE void store_scaled(f32_v a, f32_v k, int factors, const float *const *in, size_t i, float *out) {
    a = a * f32_set(0x1p-13f);
    for (int j = 0; j < MAX_ARRAYS; j++)
        if (factors >> j & 1) a = a * f32_load(in[j] + i);
    f32_store(out + i, f32_scaled_down(a, k + f32_set(13)));
}
/* The kernel of gathered elements: the slope, the value or both, each times its factors */
enum { NONE = -1 };
typedef void NormalTail(f32_v x, f32_v *value, f32_v *slope, f32_v *k);
static ALWAYS_INLINE void gathered_tail(NormalTail *tail, int argument, int slope_factors, int value_factors,
                                        const float *const *in, float *const *out, size_t n) {
    for (size_t i = 0; i < n; i += f32_lanes) {
        f32_v k, value, slope;
        tail(f32_load(in[argument] + i), &value, &slope, &k);
        if (slope_factors != NONE) store_scaled(slope, k, slope_factors, in, i, out[0]);
        if (value_factors != NONE) store_scaled(value, k, value_factors, in, i, out[slope_factors != NONE]);
    }
}
static void gelu_outside(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    gathered_tail(gelu_tail, 0, NONE, 0, in, out, n);
}
static void gelu_backward_outside(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    gathered_tail(gelu_tail, 1, 1, NONE, in, out, n);
}
static void geglu_outside(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    gathered_tail(gelu_tail, 0, NONE, 2, in, out, n);
}
static void geglu_backward_outside(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    gathered_tail(gelu_tail, 1, 5, 1, in, out, n);
}
static void gelu_tanh_outside(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    gathered_tail(gelu_tanh_tail, 0, NONE, 0, in, out, n);
}
static void gelu_tanh_backward_outside(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    gathered_tail(gelu_tanh_tail, 1, 1, NONE, in, out, n);
}
static void geglu_tanh_outside(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    gathered_tail(gelu_tanh_tail, 0, NONE, 2, in, out, n);
}
static void geglu_tanh_backward_outside(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    gathered_tail(gelu_tanh_tail, 1, 5, 1, in, out, n);
}
