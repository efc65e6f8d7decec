/* The words of the wide formulas, for both kinds of wide numbers: a W is one double (float_wide.h) or the sum of two
 * (double_wide.h). The coefficients come from fastact/numpy_backend/coefficients.py. */

/* log(1 + x) to 2^-38 for -0.7 <= x <= 2.1: a polynomial of s^2, times s = x / (2 + x) */
static inline f64_v f64_log1p_estimate(f64_v x) {
    f64_v s = x / (f64_set(2) + x), y = s * s, p = f64_set(short_log1p_terms[9]);
    for (int i = 8; i >= 0; i--) p = f64_fma(p, y, f64_set(short_log1p_terms[i]));
    return p * s;
}
static inline W wide_log1p(W x) { return wide_improved_log1p(x, f64_log1p_estimate(wide_leading(x))); }

static inline W wide_where(f64_m condition, W yes, W no) { return wide_select(condition, yes, no); }
static inline W wide_unless_nan(W x, W value) { return wide_select(f64_nan(wide_leading(x)), x, value); }
static inline W wide_maximum(W a, W b) {
    f64_v x = wide_leading(a), y = wide_leading(b);
    return wide_unless_nan(a, wide_select(f64_gt(y, x), b, wide_unless_nan(b, a)));
}
static inline W wide_minimum(W a, W b) {
    f64_v x = wide_leading(a), y = wide_leading(b);
    return wide_unless_nan(a, wide_select(f64_gt(x, y), b, wide_unless_nan(b, a)));
}
static inline W wide_clip_number(W x, W low, W high) { return wide_maximum_number(wide_minimum_number(x, high), low); }
static inline W wide_clip(W x, W low, W high) { return wide_maximum(wide_minimum(x, high), low); }

/* c[0] + c[1] x + ... The first `doubled` coefficients are sums c + low, and their terms are wide. The other terms are doubles. */
static inline W wide_terms(W x, int count, const double *c, int doubled, const double *low) {
    f64_v y = wide_leading(x), p = f64_set(c[count - 1]);
    for (int i = count - 2; i >= doubled; i--) p = f64_fma(p, y, f64_set(c[i]));
    W value = wide_of(p);
    for (int i = doubled - 1; i >= 0; i--)
        value = wide_add(wide_constant(f64_set(c[i]), f64_set(low[i])), wide_multiply(value, x));
    return value;
}
/* The same with terms in double: the formula adds the leading terms, which need more digits. */
static inline W wide_polynomial(W x, int count, const double *c) { return wide_terms(x, count, c, 0, NULL); }

/* n / (2 - n) with n = -expm1(-2 |z|) */
static inline W wide_tanh(W z) {
    W n = wide_negative(wide_expm1(wide_multiply(wide_number(-2), wide_abs(z))));
    return wide_with_sign(wide_divide(n, wide_subtract(wide_number(2), n)), z);
}

/* log(x) = k ln 2 + log1p(m - 1) with m between 0.7 and 1.42 */
static inline W wide_log(W x) {
    f64_v a = wide_leading(x), subnormal = f64_select(f64_gt(f64_set(0x1p-1022), a), f64_set(0x1p54), f64_set(1));
    f64_v k = f64_exponent(a * subnormal), m = f64_scaled(a * subnormal, -k);
    f64_m upper = f64_gt(m, f64_set(1.42));
    k = f64_select(upper, k + f64_set(1), k);
    W fraction = wide_scaled_number(wide_multiply(x, wide_of(subnormal)), -k);
    k = k - f64_select(f64_gt(f64_set(0x1p-1022), a), f64_set(54), f64_set(0));
    W ln2 = wide_constant(f64_set(0x1.62e42fefa39efp-1), f64_set(0x1.abc9e3b39803fp-56));
    W y = wide_add(wide_multiply(wide_of(k), ln2), wide_log1p(wide_subtract(fraction, wide_number(1))));
    f64_v extreme =
        f64_select(f64_gt(f64_set(0), a), f64_set(NAN_VALUE), f64_select(f64_gt(a, f64_set(0)), a, f64_set(-HUGE_VAL)));
    extreme = f64_select(f64_nan(a), a, extreme); /* inf, 0, and numbers without a logarithm */
    return wide_select(f64_gt(a, f64_set(0)), wide_select(f64_gt(a, f64_set(0x1.fffffffffffffp1023)), wide_of(extreme), y),
                       wide_of(extreme));
}

/* erfc(t / sqrt 2) / 2 * e^(t^2 / 2) for t >= 0: the tail of the normal distribution, without its factor e^(-t^2 / 2) */
static inline W wide_scaled_normal_tail(W t) {
    W inverse = wide_divide(wide_number(1), wide_add(t, wide_number(normal_tail_centre[0])));
    W w = wide_multiply(wide_subtract(t, wide_number(normal_tail_centre[0])), inverse);
    return wide_multiply(wide_terms(w, NORMAL_TAIL_TERMS), inverse);
}

/* erf(s) for s >= 0 */
static inline W wide_erf(W s) {
    W y = wide_multiply(s, s), small = wide_terms(y, ERF_TERMS);
    W root2 = wide_constant(f64_set(0x1.6a09e667f3bcdp+0), f64_set(-0x1.bdd3413b26456p-54));
    W t = wide_minimum(wide_multiply(s, root2), wide_number(40));
    W complement = wide_exp_times(wide_multiply(wide_number(2), wide_scaled_normal_tail(t)), wide_negative(y));
    return wide_select(f64_gt(wide_leading(s), f64_set(1)), wide_subtract(wide_number(1), complement), wide_multiply(s, small));
}
#include "math/payne_hanek.h"
#include "math/sine.h"
