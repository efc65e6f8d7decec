/* The tails of the fitted kernels: exponentials beyond the tables. Products with the other inputs are made in doubles, whose range
 * they never leave, and rounded once. A tail takes x < 0. */

#include "fitted/generated/tail_terms.h"

/* With e = e^z and z = rate x: PLAIN is C e (1 - h e), GATED is C x e (1 - h e), and SLOPE is the derivative of GATED,
 * C e (1 + z - h e (1 + 2 z)). C is `constant`, h is `bend`. */
enum { NO_TAIL, PLAIN, GATED, SLOPE };
typedef struct {
    int kind;
    double constant, bend, rate;
} Tail;
#define TAIL_none \
    { NO_TAIL, 0, 0, 0 }
static ALWAYS_INLINE f64_v exponential_tail(Tail tail, f64_v x, f64_v factor) {
    const f64_v one = f64_set(1), two = f64_set(2);
    const f64_v b = f64_max(f64_set(-400), x), z = b * f64_set(tail.rate), e = short_exp(z), bent = f64_set(tail.bend) * e;
    f64_v a = tail.kind == GATED ? b : one;
    if (tail.kind == SLOPE)
        a = one + z - bent * (one + two * z);
    else if (tail.bend != 0)
        a = a * (one - bent);
    return a * (e * f64_set(tail.constant)) * factor;
}

/* In floats, e^(z + low) = (1 + t) 2^k for z < 0, |low| < 2^-8. The exponential would amplify the rounding error of its argument,
 * so `low` keeps that. The caller rounds a (1 + t) once, as a t + a. */
static ALWAYS_INLINE f32_v f32_exp_tail(f32_v z, f32_v low, f32_v *k) {
    f32_v whole, t = f32_expm1_remainder(z, k, &whole);
    return f32_fma(low, f32_set(1) + t, t);
}

static ALWAYS_INLINE f32_v f32_series(const float *c, int count, f32_v y) {
    f32_v p = f32_set(c[count - 1]);
    for (int i = count - 2; i >= 0; i--) p = f32_fma(p, y, f32_set(c[i]));
    return p;
}

/* The tails of the two forms of gelu. Each returns t: gelu is value (1 + t) 2^k, and its derivative slope (1 + t) 2^k. */

/* Phi(x) = phi(x) (1 + y P(y)) / -x and Phi(x) + x phi(x) = phi(x) x (1 + y Q(y)), y = 1 / x^2. The first coefficient of both is
 * 1 / sqrt(2 pi), rounded. FAR_TAIL_LOG, the logarithm of the exact value over the rounded one, joins the exponent. */
static ALWAYS_INLINE f32_v gelu_tail(f32_v x, f32_v *value, f32_v *slope, f32_v *k) {
    f32_v b = f32_max(f32_set(-30), x), square = b * b, y = f32_set(1) / square;
    f32_v low = f32_fma(f32_fma(b, b, -square), f32_set(-0.5f), f32_set(FAR_TAIL_LOG));
    *value = -f32_series(far_tail_terms, FAR_TAIL_TERMS, y);
    *slope = f32_series(far_slope_terms, FAR_SLOPE_TERMS, y) * b;
    return f32_exp_tail(square * f32_set(-0.5f), low, k);
}

/* sigmoid(-v) = e - e^2 with e = e^-v < 2^-19, whose cube does not count; v = t (c0 + c1 t^2) in two parts */
static ALWAYS_INLINE f32_v gelu_tanh_tail(f32_v x, f32_v *value, f32_v *slope, f32_v *k) {
    f32_v t = f32_min(f32_set(22), -x), square = t * t, square_low = f32_fma(t, t, -square);
    f32_v cubic = f32_set(TANH_C1) * square;
    f32_v cubic_low =
        f32_fma(f32_set(TANH_C1), square, -cubic) + f32_fma(f32_set(TANH_C1), square_low, f32_set(TANH_C1_LOW) * square);
    f32_v sum = cubic + f32_set(TANH_C0), sum_low = (f32_set(TANH_C0) - (sum - cubic)) + (cubic_low + f32_set(TANH_C0_LOW));
    f32_v v = t * sum, low = f32_fma(t, sum, -v) + t * sum_low;
    f32_v r = f32_exp_tail(-v, -low, k), e = f32_scaled(f32_set(1) + r, f32_max(f32_set(-64), *k));
    *value = f32_fma(t, e, -t);
    /* e (1 - e) (1 - t v' (1 - e)), v' = c0 + 3 c1 t^2 = 3 v / t - 2 c0 */
    f32_v outer = f32_fma(f32_set(3), v, f32_fma(f32_set(-2 * TANH_C0), t, f32_set(3) * low));
    f32_v inner = f32_set(1) - outer;
    *slope = f32_fma(e, outer - inner, inner);
    return r;
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

/* a (1 + t) 2^k times the inputs in `factors` (a bit for each) */
static ALWAYS_INLINE void store_scaled(f32_v a, f32_v t, f32_v k, int factors, const float *const *in, size_t i, float *out) {
    const f64_v first = f32_first_half(a), second = f32_second_half(a), z = f64_set(f64_ROUNDER);
    const f64_v numbers[] = {f64_fma(first, f32_first_half(t), first), f64_fma(second, f32_second_half(t), second)};
    k = f32_max(f32_set(-1000), k); /* for a smaller k the result is 0, too */
    const f64_v powers[] = {f64_pow2(f32_first_half(k) + z), f64_pow2(f32_second_half(k) + z)};
    for (int half = 0; half < 2; half++, i += f64_lanes) {
        f64_v y = numbers[half] * powers[half];
        for (int j = 0; j < MAX_ARRAYS; j++)
            if (factors >> j & 1) y = y * f64_load_floats(in[j] + i);
        f64_store_floats(out + i, y);
    }
}
/* The kernel of gathered elements: the slope, the value or both, each times its factors */
enum { NONE = -1 };
typedef f32_v NormalTail(f32_v x, f32_v *value, f32_v *slope, f32_v *k);
static ALWAYS_INLINE void gathered_tail(NormalTail *tail, int argument, int slope_factors, int value_factors,
                                        const float *const *in, float *const *out, size_t n) {
    for (size_t i = 0; i < n; i += f32_lanes) {
        f32_v k, value, slope;
        const f32_v t = tail(f32_load(in[argument] + i), &value, &slope, &k);
        if (slope_factors != NONE) store_scaled(slope, t, k, slope_factors, in, i, out[0]);
        if (value_factors != NONE) store_scaled(value, t, k, value_factors, in, i, out[slope_factors != NONE]);
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
