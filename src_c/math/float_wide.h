/* The numbers of the wide formulas in the unit of float32: a W is one double. It has 29 bits more than a float: the rounding
 * errors of a formula stay far below the last bit of the float. */
typedef f64_v W;
#define COUNT(array) (int)(sizeof array / sizeof *array)
#include "math/series.h"

static ALWAYS_INLINE W wide_number(double a) { return f64_set(a); }
static ALWAYS_INLINE W wide_of(f64_v a) { return a; }
static ALWAYS_INLINE W wide_value(f64_v a) { return a; }
static ALWAYS_INLINE W wide_leading(f64_v a) { return a; }
static ALWAYS_INLINE W wide_trailing(f64_v a) {
    (void)a;
    return f64_set(0);
}
static ALWAYS_INLINE W wide_constant(double high, double low) { return (void)low, f64_set(high); }
static ALWAYS_INLINE W wide_pair(f64_v high, f64_v low) { return (void)low, high; }
static ALWAYS_INLINE W wide_add(f64_v a, f64_v b) { return a + b; }
static ALWAYS_INLINE W wide_fast_add(f64_v a, f64_v b) { return a + b; }
static ALWAYS_INLINE W wide_plus_product(f64_v a, f64_v b, f64_v c) { return a + b * c; }
static ALWAYS_INLINE W wide_times_power(f64_v a, f64_v power) { return a * power; }
static ALWAYS_INLINE W wide_subtract(f64_v a, f64_v b) { return a - b; }
static ALWAYS_INLINE W wide_difference(f64_v a, f64_v b) { return a - b; }
static ALWAYS_INLINE W wide_multiply(f64_v a, f64_v b) { return a * b; }
static ALWAYS_INLINE W wide_divide(f64_v a, f64_v b) { return a / b; }
static ALWAYS_INLINE W wide_negative(f64_v a) { return -a; }
static ALWAYS_INLINE W wide_abs(f64_v a) { return f64_abs(a); }
static ALWAYS_INLINE W wide_with_sign(f64_v a, f64_v sign) { return f64_with_sign(a, sign); }
static ALWAYS_INLINE W wide_select(f64_m m, f64_v yes, f64_v no) { return f64_select(m, yes, no); }
static ALWAYS_INLINE W wide_scaled_number(f64_v a, f64_v k) { return f64_scaled(a, k); }
static ALWAYS_INLINE W wide_sqrt(f64_v a) { return f64_sqrt(a); }

/* The larger and the smaller of a and b, where b is a number in the formula and so not NaN */
static ALWAYS_INLINE W wide_maximum_number(W a, W b) { return f64_max(b, a); }
static ALWAYS_INLINE W wide_minimum_number(W a, W b) { return f64_min(b, a); }

static ALWAYS_INLINE W wide_exp(W z) { return short_exp(z); }
static ALWAYS_INLINE W wide_expm1(W z) { return short_expm1(z); }

/* log((d + n) / (d - n)): a polynomial of s^2, times s = n / d */
static ALWAYS_INLINE W wide_log_of_shares(W n, W d, const double *terms, int count) {
    f64_v s = n / d, y = s * s, p = f64_set(terms[count - 1]);
    UNROLLED for (int i = count - 2; i >= 0; i--) p = f64_fma(p, y, f64_set(terms[i]));
    return p * s;
}
static ALWAYS_INLINE W wide_times_ln2(f64_v k) { return k * f64_set(0x1.62e42fefa39efp-1); }

static ALWAYS_INLINE W wide_log1p(f64_v x) {
    return wide_log_of_shares(x, f64_set(2) + x, short_log1p_terms, COUNT(short_log1p_terms));
}

/* a e^min(z, 0), from e = e^-|z| */
static ALWAYS_INLINE W wide_damped(f64_v a, f64_v z, f64_v e) {
    return f64_select(f64_gt(f64_set(0), z), f64_select(f64_gt(f64_set(-745), z), f64_nothing_of(a), a * e), a);
}

/* z - k (p[0] + p[1] + p[2]), for p of which k p[0] and k p[1] are exact */
static ALWAYS_INLINE W wide_without(f64_v z, f64_v k, const double *p) {
    return f64_fma(-k, f64_set(p[2]), f64_fma(-k, f64_set(p[1]), f64_fma(-k, f64_set(p[0]), z)));
}

/* a e^z. It is 0 for z < -745, however large a is. */
static ALWAYS_INLINE W wide_exp_times(f64_v a, f64_v z) {
    return f64_select(f64_gt(f64_set(-745), z), f64_nothing_of(a), a * wide_exp(z));
}

/* a / (1 + e^-z) */
static ALWAYS_INLINE W wide_times_sigmoid(f64_v a, f64_v z) {
    f64_v e = wide_exp(-f64_abs(z));
    return wide_damped(a / (f64_set(1) + e), z, e);
}
/* a e^-z / (1 + e^-z)^2 */
static ALWAYS_INLINE W wide_times_sigmoid_derivative(f64_v a, f64_v z) {
    f64_v e = wide_exp(-f64_abs(z)), inverse = f64_set(1) / (f64_set(1) + e);
    return wide_damped(a * (inverse * inverse), -f64_abs(z), e);
}
/* The derivative of z / (1 + e^-z): s (1 + z (1 - s)), where s is the sigmoid of z */
static ALWAYS_INLINE W wide_gate_slope(f64_v z) {
    z = f64_max(f64_set(-2000), f64_min(f64_set(2000), z));
    f64_v e = wide_exp(-f64_abs(z)), inverse = f64_set(1) / (f64_set(1) + e);
    f64_v rest = inverse * f64_select(f64_gt(f64_set(0), z), f64_set(1), e);
    return wide_damped(inverse * (f64_set(1) + z * rest), z, e);
}
/* a log(1 + e^z) */
static ALWAYS_INLINE W wide_times_softplus(f64_v a, f64_v z) {
    f64_v e = wide_exp(-f64_abs(z));
    return (f64_max(f64_set(0), z) + wide_log1p(e)) * a;
}

/* The coefficients of the words, as the last arguments of wide_terms */
#define TANH_CUBIC_TERMS short_tanh_cubic_terms, COUNT(short_tanh_cubic_terms), 0
#define LOG_RATIO_TERMS short_log1p_terms, COUNT(short_log1p_terms)
#define ERF_TERMS COUNT(short_erf_terms), short_erf_terms, 0, NULL
#define NORMAL_TAIL_TERMS COUNT(short_normal_tail_terms), short_normal_tail_terms, 0, NULL
#define SIN_TERMS COUNT(short_sin_terms), short_sin_terms, 0, NULL
