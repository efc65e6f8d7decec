/* What the fitted gelu kernels do below their tables, x < -5: float32 with the roundings carried that e^-v would amplify by v.
 * Wide data have a third of their elements there. */

#include "tail_terms.h"

/* e^(z + low) = p 2^k for z < 0, |low| < 2^-8. The scaling comes last: a float32 operation on a subnormal takes 100 times as long. */
static ALWAYS_INLINE f32_v f32_exp_tail(f32_v z, f32_v low, f32_v *k) {
    f32_v whole, t = f32_expm1_remainder(z, k, &whole);
    return f32_set(1) + f32_fma(low, f32_set(1) + t, t);
}
static ALWAYS_INLINE f32_v f32_series(const float *c, int count, f32_v y) {
    f32_v p = f32_set(c[count - 1]);
    for (int i = count - 2; i >= 0; i--) p = f32_fma(p, y, f32_set(c[i]));
    return p;
}

/* Phi(x) = phi(x) (1 + y P(y)) / -x and Phi(x) + x phi(x) = phi(x) x (1 + y Q(y)), y = 1 / x^2. The first coefficient of both is
 * 1 / sqrt(2 pi), rounded; log1p of what rounding did to it joins the exponent. */
static ALWAYS_INLINE f32_v gelu_tail_of(int slope, f32_v x, f32_v factor) {
    f32_v b = f32_max(f32_set(-30), x), square = b * b, y = f32_set(1) / square, k;
    f32_v low = f32_fma(f32_fma(b, b, -square), f32_set(-0.5f), f32_set(FAR_TAIL_LOG));
    f32_v series = f32_series(slope ? far_slope_terms : far_tail_terms, FAR_TERMS, y) * (slope ? b : f32_set(-1));
    f32_v p = f32_exp_tail(square * f32_set(-0.5f), low, &k);
    return f32_scaled(series * p * factor, k);
}
static ALWAYS_INLINE f32_v gelu_tail(f32_v x, f32_v factor) { return gelu_tail_of(0, x, factor); }
static ALWAYS_INLINE f32_v gelu_slope_tail(f32_v x, f32_v factor) { return gelu_tail_of(1, x, factor); }

/* sigmoid(-v) = e - e^2 with e = e^-v < 2^-24, v = t (c0 + c1 t^2) in two parts */
static ALWAYS_INLINE f32_v gelu_tanh_tail_of(int slope, f32_v x, f32_v factor) {
    f32_v t = f32_min(f32_set(30), -x), square = t * t, square_low = f32_fma(t, t, -square);
    f32_v cubic = f32_set(TANH_C1) * square;
    f32_v cubic_low = f32_fma(f32_set(TANH_C1), square, -cubic) + f32_fma(f32_set(TANH_C1), square_low, f32_set(TANH_C1_LOW) * square);
    f32_v sum = cubic + f32_set(TANH_C0), sum_low = (f32_set(TANH_C0) - (sum - cubic)) + (cubic_low + f32_set(TANH_C0_LOW));
    f32_v v = t * sum, low = f32_fma(t, sum, -v) + t * sum_low, k;
    f32_v p = f32_exp_tail(-v, -low, &k), e = f32_scaled(p, f32_max(f32_set(-64), k));
    if (!slope) {
        f32_v y = t * p;
        return f32_scaled(f32_fma(y, e, -y) * factor, k);
    }
    /* e (1 - e) (1 - t v' (1 - e)), v' = c0 + 3 c1 t^2 = 3 v / t - 2 c0 */
    f32_v outer = f32_fma(f32_set(3), v, f32_fma(f32_set(-2 * TANH_C0), t, f32_set(3) * low));
    f32_v y = (f32_set(1) - outer) * p;
    return f32_scaled(f32_fma(-e, f32_fma(-outer, p, y), y) * factor, k);
}
static ALWAYS_INLINE f32_v gelu_tanh_tail(f32_v x, f32_v factor) { return gelu_tanh_tail_of(0, x, factor); }
static ALWAYS_INLINE f32_v gelu_tanh_slope_tail(f32_v x, f32_v factor) { return gelu_tanh_tail_of(1, x, factor); }
