/* The words of the wide formulas, for both kinds of wide numbers: a W is one double (float_wide.h) or the sum of two
 * (double_wide.h). The coefficients come from fastact/numpy_backend/coefficients.py. */

static ALWAYS_INLINE W wide_where(f64_m condition, W yes, W no) { return wide_select(condition, yes, no); }
static ALWAYS_INLINE W wide_unless_nan(W x, W value) { return wide_select(f64_nan(wide_leading(x)), x, value); }
static ALWAYS_INLINE W wide_maximum(W a, W b) {
    f64_v x = wide_leading(a), y = wide_leading(b);
    return wide_unless_nan(a, wide_select(f64_gt(y, x), b, wide_unless_nan(b, a)));
}
static ALWAYS_INLINE W wide_minimum(W a, W b) {
    f64_v x = wide_leading(a), y = wide_leading(b);
    return wide_unless_nan(a, wide_select(f64_gt(x, y), b, wide_unless_nan(b, a)));
}
static ALWAYS_INLINE W wide_clip_number(W x, W low, W high) { return wide_maximum_number(wide_minimum_number(x, high), low); }
static ALWAYS_INLINE W wide_clip(W x, W low, W high) { return wide_maximum(wide_minimum(x, high), low); }

/* c[0] + c[1] x + ... The first `doubled` coefficients are sums c + low, and their terms are wide. The other terms are doubles. */
static ALWAYS_INLINE W wide_terms(W x, int count, const double *c, int doubled, const double *low) {
    W value = wide_of(f64_series(c + doubled, count - doubled, wide_leading(x)));
    UNROLLED for (int i = doubled - 1; i >= 0; i--) value = wide_add(wide_constant(c[i], low[i]), wide_multiply(value, x));
    return value;
}
/* The same with terms in double: the formula adds the leading terms, which need more digits. */
static ALWAYS_INLINE W wide_polynomial(W x, int count, const double *c) { return wide_terms(x, count, c, 0, NULL); }

/* (x - tanh(x)) / x^3 from x^2, for |x| <= 1 */
static ALWAYS_INLINE W wide_with_first_term(f64_v y, const double *c, int count, double low) {
    return wide_plus_product(wide_constant(c[0], low), y, f64_series(c + 1, count - 1, y));
}
static ALWAYS_INLINE W wide_tanh_cubic(W square) { return wide_with_first_term(wide_leading(square), TANH_CUBIC_TERMS); }

/* n / (2 - n) with n = -expm1(-2 |z|) */
static ALWAYS_INLINE W wide_tanh(W z) {
    W n = wide_negative(wide_expm1(wide_multiply(wide_number(-2), wide_abs(z))));
    return wide_with_sign(wide_divide(n, wide_subtract(wide_number(2), n)), z);
}

/* a 2^-k in [1, 2), for a finite a > 0 */
static ALWAYS_INLINE W wide_mantissa(W a, f64_v *k) {
    f64_m small = f64_gt(f64_set(0x1p-1022), wide_leading(a));
    a = wide_times_power(a, f64_select(small, f64_set(0x1p54), f64_set(1)));
    f64_v exponent = f64_exponent(wide_leading(a));
    *k = exponent - f64_select(small, f64_set(54), f64_set(0));
    return wide_scaled_number(a, -exponent);
}

/* log(a / b) = k ln 2 + log(m / n) with m / n between 0.7 and 1.42. It keeps its digits where a and b are close. Vectors with
 * operands that are very small, very large or special take more steps. */
static ALWAYS_INLINE W wide_log_ratio(W a, W b) {
    f64_v x = wide_leading(a), y = wide_leading(b), sum = x + y, one = f64_set(1), more = f64_set(1.42), k;
    f64_v least = f64_min(x, y);
    int usual = f64_all(f64_ge(f64_min(least, f64_set(0x1p500) - sum), f64_set(0x1p-500)));
    W m = a, n = b;
    if (usual) {
        k = f64_exponent(x) - f64_exponent(y);
#ifdef HAVE_SCALE
        m = wide_scaled_number(a, -k);
#else
        m = wide_times_power(a, f64_pow2(f64_set(f64_ROUNDER) - k));
#endif
    } else {
        f64_v first, second;
        m = wide_mantissa(a, &first);
        n = wide_mantissa(b, &second);
        k = first - second;
    }
    f64_m above = f64_gt(wide_leading(m), more * wide_leading(n)), below = f64_gt(wide_leading(n), more * wide_leading(m));
    m = wide_times_power(m, f64_select(above, f64_set(0.5), f64_select(below, f64_set(2), one)));
    k = k + f64_select(above, one, f64_select(below, -one, f64_set(0)));
    W near = wide_log_of_shares(wide_difference(m, n), wide_fast_add(m, n), LOG_RATIO_TERMS);
    W value = wide_fast_add(wide_times_ln2(k), near);
    if (usual) return value;
    /* 0, inf, NaN, and negative numbers, which have no logarithm */
    f64_v extreme = f64_select(f64_gt(x, y), f64_set(HUGE_VAL), f64_set(-HUGE_VAL));
    value = wide_select(f64_gt(f64_set(HUGE_VAL), f64_max(x, y)), value, wide_of(extreme));
    W special = wide_of(f64_select(f64_ge(least, f64_set(0)), extreme, f64_set(NAN_VALUE)));
    return wide_select(f64_nan(sum), wide_of(sum), wide_select(f64_gt(least, f64_set(0)), value, special));
}
static ALWAYS_INLINE W wide_log(W x) { return wide_log_ratio(x, wide_number(1)); }

/* erfc(t / sqrt 2) / 2 * e^(t^2 / 2) for t >= 0: the tail of the normal distribution, without its factor e^(-t^2 / 2) */
static ALWAYS_INLINE W wide_scaled_normal_tail(W t) {
    W inverse = wide_divide(wide_number(1), wide_add(t, wide_number(normal_tail_centre[0])));
    W w = wide_add(wide_number(1), wide_multiply(wide_number(-2 * normal_tail_centre[0]), inverse));
    return wide_multiply(wide_terms(w, NORMAL_TAIL_TERMS), inverse);
}

/* erf(s) for s >= 0 */
static ALWAYS_INLINE W wide_erf(W s) {
    W y = wide_multiply(s, s), small = wide_terms(y, ERF_TERMS);
    W root2 = wide_constant(0x1.6a09e667f3bcdp+0, -0x1.bdd3413b26456p-54);
    W t = wide_minimum(wide_multiply(s, root2), wide_number(40));
    W complement = wide_exp_times(wide_multiply(wide_number(2), wide_scaled_normal_tail(t)), wide_negative(y));
    return wide_select(f64_gt(wide_leading(s), f64_set(1)), wide_subtract(wide_number(1), complement), wide_multiply(s, small));
}
#include "math/payne_hanek.h"
#include "math/sine.h"
