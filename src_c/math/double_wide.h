/* The numbers of the wide formulas in the unit of float64: light arithmetic, good to about 2^-60. A W is the sum of two doubles.
 * `high` is what plain doubles would give, and never depends on `low`. `low` is the error of `high` to the first order. It is not
 * renormalised: where `high` is infinite or NaN, `low` may be anything, and wide_value drops it.
 *
 * `kind` is known when compiled, since everything is inlined: no operation is spent on a `low` that is 0. */
typedef struct {
    f64_v high, low;
    int kind;
    f64_v mantissa, exponent; /* of an exponential, which may be subnormal: high is mantissa 2^exponent, rounded */
} W;
#define COUNT(array) (int)(sizeof array / sizeof *array)
#include "math/series.h"
/* NEAREST: high is the double nearest to the sum. EXACT: low is 0. POWER: the number is a power of 2, too, in every lane. */
enum { SUM, NEAREST, EXACT, POWER };

static ALWAYS_INLINE W wide_kind(f64_v high, f64_v low, int kind) { return (W){.high = high, .low = low, .kind = kind}; }
static ALWAYS_INLINE W wide_pair(f64_v high, f64_v low) { return wide_kind(high, low, SUM); }
static ALWAYS_INLINE W wide_of(f64_v a) { return wide_kind(a, f64_set(0), EXACT); }
static ALWAYS_INLINE W wide_number(double a) {
    int power = a == 1 || a == -1 || a == 2 || a == -2 || a == 4 || a == -8 || a == 0.5 || a == 0.25;
    return wide_kind(f64_set(a), f64_set(0), power ? POWER : EXACT);
}
static ALWAYS_INLINE W wide_constant(double high, double low) {
    return wide_kind(f64_set(high), f64_set(low), low != 0 ? SUM : EXACT);
}
static ALWAYS_INLINE f64_v wide_leading(W a) { return a.high; }
static ALWAYS_INLINE f64_v wide_trailing(W a) { return a.low; }
static ALWAYS_INLINE int wide_exact(W a) { return a.kind >= EXACT; }
static ALWAYS_INLINE W wide_select(f64_m m, W yes, W no) {
    f64_v high = f64_select(m, yes.high, no.high);
    if (wide_exact(yes) && wide_exact(no)) return wide_of(high);
    return wide_kind(high, f64_select(m, yes.low, no.low), yes.kind && no.kind ? NEAREST : SUM);
}
/* The comparison is false for a NaN, which comes of low where high is infinite; and for 0, which may be a -0 in high. */
static ALWAYS_INLINE f64_v wide_value(W a) {
    f64_v sum = a.high + a.low;
    return a.kind != SUM ? a.high : f64_select(f64_gt(f64_abs(sum), f64_set(0)), sum, a.high);
}

/* a + b, for |a| >= |b| in the first function */
static ALWAYS_INLINE W wide_fast_sum(f64_v a, f64_v b) {
    f64_v high = a + b;
    return wide_pair(high, (a - high) + b);
}
static ALWAYS_INLINE W wide_sum(f64_v a, f64_v b) {
    f64_v high = a + b, of_b = high - a;
    return wide_pair(high, (a - (high - of_b)) + (b - of_b));
}
static ALWAYS_INLINE W wide_plus_low(W sum, W a) { return wide_exact(a) ? sum : wide_pair(sum.high, sum.low + a.low); }

/* The errors of a product `high` = a b, and of a quotient `high` = a / b times b */
#ifdef HAVE_FMA
static ALWAYS_INLINE f64_v wide_product_low(f64_v a, f64_v b, f64_v high) { return f64_fma(a, b, -high); }
static ALWAYS_INLINE f64_v wide_remainder(f64_v a, f64_v b, f64_v high) { return f64_fma(-high, b, a); }
#else
/* Dekker's way: the products of halves are exact. The halves, of 26 and 27 bits, are cut by a mask: Veltkamp's multiplication
 * would overflow from 2^996 on. So a2 b2 has 54 bits, and takes two products. */
static ALWAYS_INLINE f64_v wide_product_low(f64_v a, f64_v b, f64_v high) {
    f64_v a1 = f64_cut(a), b1 = f64_cut(b), a2 = a - a1, b2 = b - b1, b3 = f64_cut(b2);
    return (((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b3) + a2 * (b2 - b3);
}
static ALWAYS_INLINE f64_v wide_remainder(f64_v a, f64_v b, f64_v high) {
    f64_v product = high * b;
    return (a - product) - wide_product_low(high, b, product);
}
#endif

static ALWAYS_INLINE W wide_with_lows(W sum, W a, W b) {
    if (wide_exact(a) && wide_exact(b)) return wide_kind(sum.high, sum.low, NEAREST);
    return wide_plus_low(wide_plus_low(sum, a), b);
}
static ALWAYS_INLINE W wide_add(W a, W b) { return wide_with_lows(wide_sum(a.high, b.high), a, b); }
/* For |a| >= |b|, or a = 0 */
static ALWAYS_INLINE W wide_fast_add(W a, W b) { return wide_with_lows(wide_fast_sum(a.high, b.high), a, b); }
/* a + b c, for a sum between a / 2 and 2 a. Where FMA rounds once, the product is not rounded. */
static ALWAYS_INLINE W wide_plus_product(W a, f64_v b, f64_v c) {
    f64_v high = f64_fma(b, c, a.high);
    return wide_pair(high, f64_fma(b, c, a.high - high) + a.low);
}
static ALWAYS_INLINE W wide_negative(W a) { return wide_kind(-a.high, -a.low, a.kind); }
static ALWAYS_INLINE W wide_subtract(W a, W b) { return wide_add(a, wide_negative(b)); }
static ALWAYS_INLINE W wide_multiply(W a, W b) {
    f64_v high = a.high * b.high;
    if (a.kind == POWER) return wide_kind(high, a.high * b.low, b.kind == POWER ? EXACT : b.kind);
    if (b.kind == POWER) return wide_kind(high, a.low * b.high, a.kind);
    f64_v low = wide_product_low(a.high, b.high, high);
    if (wide_exact(a) && wide_exact(b)) return wide_kind(high, low, NEAREST);
    if (!wide_exact(a)) low = f64_fma(a.low, b.high, low);
    if (!wide_exact(b)) low = f64_fma(a.high, b.low, low);
    return wide_pair(high, low);
}
static ALWAYS_INLINE W wide_times_power(W a, f64_v power) { return wide_multiply(a, wide_kind(power, f64_set(0), POWER)); }
/* Where b is exact, it may be subnormal, and its reciprocal infinite: the remainder is then that of numbers 2^200 times as large.
 * The reciprocal of b serves the remainder, too. It is too inexact for `high` where it is subnormal or infinite; b may be that
 * small or large where it is an argument. A parameter's reciprocal stands outside the loop. */
static ALWAYS_INLINE W wide_divide(W a, W b) {
    if (b.kind == POWER) return wide_multiply(a, wide_kind(f64_set(1) / b.high, f64_set(0), POWER));
    f64_v high = a.high / b.high;
    if (wide_exact(b)) {
        f64_v larger = f64_select(f64_gt(f64_set(0x1p-800), f64_abs(b.high)), f64_set(0x1p200), f64_set(1));
        a = wide_times_power(a, larger);
        b = wide_of(b.high * larger);
    }
    f64_v inverse = f64_set(1) / b.high;
    if (!wide_exact(b)) high = a.high * inverse;
    f64_v remainder = wide_remainder(a.high, b.high, high);
    if (!wide_exact(b)) remainder = f64_fma(-high, b.low, remainder);
    if (!wide_exact(a)) remainder = remainder + a.low;
    return wide_kind(high, remainder * inverse, wide_exact(a) && wide_exact(b) ? NEAREST : SUM);
}
/* For a and b of one sign, within a factor of 2 */
static ALWAYS_INLINE W wide_difference(W a, W b) {
    W difference = wide_plus_low(wide_of(a.high - b.high), a);
    return wide_plus_low(difference, wide_negative(b));
}
static ALWAYS_INLINE W wide_with_sign_of(f64_v high, W a, f64_v sign) {
    if (wide_exact(a)) return wide_of(high);
    return wide_kind(high, a.low * f64_with_sign(f64_set(1), sign), a.kind);
}
static ALWAYS_INLINE W wide_abs(W a) { return wide_with_sign_of(f64_abs(a.high), a, a.high); }
/* For a >= 0 */
static ALWAYS_INLINE W wide_with_sign(W a, W sign) { return wide_with_sign_of(f64_with_sign(a.high, sign.high), a, sign.high); }
static ALWAYS_INLINE W wide_scaled_number(W a, f64_v k) {
    f64_v high = f64_scaled(a.high, k);
    return wide_exact(a) ? wide_of(high) : wide_kind(high, f64_scaled(a.low, k), a.kind);
}
static ALWAYS_INLINE W wide_sqrt(W a) {
    f64_v high = f64_sqrt(a.high), remainder = wide_remainder(a.high, high, high);
    if (!wide_exact(a)) remainder = remainder + a.low;
    return wide_kind(high, remainder / (high + high), wide_exact(a) ? NEAREST : SUM);
}

/* z - k (p[0] + p[1] + p[2]), for p of which k p[0] and k p[1] are exact. z may cancel, so that its low part counts as much as
 * the rest: the sum is renormalised. */
static ALWAYS_INLINE W wide_without(W z, f64_v k, const double *p) {
    W first = wide_sum(z.high, k * f64_set(-p[0])), second = wide_sum(first.high, k * f64_set(-p[1]));
    return wide_fast_sum(second.high, (first.low + second.low) + f64_fma(k, f64_set(-p[2]), z.low));
}

/* `low`, which is larger, infinite or NaN only where `high` is out of reach */
static ALWAYS_INLINE f64_v wide_small(f64_v low) { return f64_max(f64_min(low, f64_set(0x1p-40)), f64_set(-0x1p-40)); }

/* r = x - k step + z.low, where step has two parts and k times the first is exact, and the rounding error of r */
static ALWAYS_INLINE f64_v wide_reduced(f64_v x, W z, f64_v k, double first, double last, f64_v *error) {
    f64_v part = f64_fma(k, f64_set(-first), x), rest = k * f64_set(-last);
    if (!wide_exact(z)) rest = f64_fma(k, f64_set(-last), wide_small(z.low));
    f64_v r = part + rest;
    *error = (part - r) + rest;
    return r;
}

/* e^z = 2^k (power + power t), where x is z.high, clamped; `power` is 1, or 2^(j / 8) from a table. */
typedef struct {
    W power, t;
    f64_v r, rest, error, k; /* t is r + rest + error */
} WideExp;
static ALWAYS_INLINE WideExp wide_exp_steps(f64_v x, W z) {
    f64_v error;
#ifdef LOOKUPS_f64
    f64_v whole = f64_fma(x, f64_set(f64_EIGHTHS), f64_set(f64_ROUNDER)), s = whole - f64_set(f64_ROUNDER);
    f64_v r = wide_reduced(x, z, s, f64_EIGHTH_FIRST, f64_EIGHTH_LAST, &error);
    W power = wide_pair(f64_lookup(f64_eighths, whole), f64_lookup(f64_eighths_error, whole));
    f64_v k = s * f64_set(0.125); /* f64_scale rounds it down */
    f64_v rest = (r * r) * f64_series(f64_eighths_q, COUNT(f64_eighths_q), r);
#else
    f64_v k = f64_fma(x, f64_set(f64_LOG2E), f64_set(f64_ROUNDER)) - f64_set(f64_ROUNDER);
    f64_v r = wide_reduced(x, z, k, f64_LN2_FIRST, f64_LN2_LAST, &error);
    W power = wide_number(1);
    f64_v rest = (r * r) * f64_fma(f64_series(long_exp_terms, COUNT(long_exp_terms), r), r, f64_set(0.5));
#endif
    W t = wide_fast_sum(r, rest);
    return (WideExp){power, wide_pair(t.high, t.low + error), r, rest, error, k};
}
/* e^z = 2^k p. p is off by .56 of its last place with the table, and by .75 without. */
static ALWAYS_INLINE f64_v wide_exp_parts(f64_v x, W z, f64_v *k) {
    WideExp e = wide_exp_steps(x, z);
    *k = e.k;
#ifdef LOOKUPS_f64 /* The error of r does not count, since r is small. */
    return f64_fma(e.power.high, e.r + e.rest, e.power.low) + e.power.high;
#else
    return f64_set(1) + (e.r + (e.rest + e.error));
#endif
}

/* a 2^k, rounded once, for a whole number k above -2022 */
static ALWAYS_INLINE f64_v wide_scaled(f64_v a, f64_v k) {
#ifdef HAVE_SCALE
    return f64_scale(a, k);
#else
    f64_v first = f64_max(f64_set(-1000), f64_min(f64_set(1000), k));
    a = a * f64_pow2(first + f64_set(f64_ROUNDER));
    if (f64_all(f64_ge(f64_set(1000), f64_abs(k)))) return a;
    return a * f64_pow2((k - first) + f64_set(f64_ROUNDER));
#endif
}

static ALWAYS_INLINE W wide_exp(W z) {
    f64_v k, p = wide_exp_parts(f64_max(f64_set(-1400), f64_min(f64_set(f64_EXP_HIGH), z.high)), z, &k);
    return (W){wide_scaled(p, k), f64_set(0), EXACT, p, k};
}

/* a mantissa 2^exponent, rounded once even where it is subnormal. It is 0 for z < -1400, however large a is. */
static ALWAYS_INLINE W wide_times_parts(W a, W z, f64_v mantissa, f64_v exponent) {
    f64_v result = wide_scaled(wide_value(wide_multiply(a, wide_of(mantissa))), exponent);
    return wide_of(f64_select(f64_gt(f64_set(-1400), z.high), f64_nothing_of(result), result));
}
/* a e^z */
static ALWAYS_INLINE W wide_exp_times(W a, W z) {
    W e = wide_exp(z);
    return wide_times_parts(a, z, e.mantissa, e.exponent);
}
/* a e^min(z, 0), from e = wide_exp(-|z|) */
static ALWAYS_INLINE W wide_damped(W a, W z, W e) {
    f64_m above = f64_gt(z.high, f64_set(0));
    return wide_times_parts(a, z, f64_select(above, f64_set(1), e.mantissa), f64_select(above, f64_set(0), e.exponent));
}

/* e^x - 1 = (2^k power - 1) + 2^k power t. Where 2^k overflows, the result may still be finite: it is computed for k - 1, and
 * doubled. Then -1 does not count. */
static ALWAYS_INLINE W wide_expm1(W z) {
    f64_v most = f64_set(1023.9375), x = f64_max(f64_set(f64_EXPM1_LOW), f64_min(f64_set(f64_EXP_HIGH), z.high));
    WideExp e = wide_exp_steps(x, z);
    f64_m huge = f64_gt(e.k, most);
    f64_v k = f64_min(most, e.k);
#ifdef HAVE_SCALE
    f64_v power = f64_scale(e.power.high, k), more = f64_scale(e.power.low, k);
#else
    f64_v power = f64_pow2(f64_select(huge, f64_set(1023), k) + f64_set(f64_ROUNDER)), more = f64_set(0);
#endif
    W t = wide_multiply(wide_of(power), e.t), whole = wide_sum(power, f64_set(-1)), y = wide_fast_sum(whole.high, t.high);
    f64_v low = y.low + ((t.low + whole.low) + more), high = f64_select(huge, y.high + y.high, y.high);
    low = f64_select(huge, low + low, low);
    return wide_pair(f64_with_sign(f64_abs(high), z.high), low); /* -0 keeps its sign */
}

/* The larger and the smaller of a and b, where b is a number in the formula and so not NaN */
static ALWAYS_INLINE W wide_maximum_number(W a, W b) { return wide_select(f64_gt(b.high, a.high), b, a); }
static ALWAYS_INLINE W wide_minimum_number(W a, W b) { return wide_select(f64_gt(a.high, b.high), b, a); }

/* e^-|z| = p 2^k, and e, which is the same but for digits below 2^-1000 */
typedef struct {
    f64_v p, e, k, power;
} WideDecay;
static ALWAYS_INLINE WideDecay wide_decay(W z) {
    f64_v k, p = wide_exp_parts(f64_max(f64_set(-1400), -f64_abs(z.high)), wide_negative(wide_abs(z)), &k);
#ifdef HAVE_SCALE
    f64_v power = k, e = f64_scale(p, k);
#else
    f64_v power = f64_pow2(f64_max(f64_set(-1000), k) + f64_set(f64_ROUNDER)), e = p * power;
#endif
    return (WideDecay){p, e, k, power};
}
/* a 2^k where the mask is true, else a. A result that is subnormal is rounded once. It is 0 for z < -1400, however large a is. */
static ALWAYS_INLINE W wide_decayed(f64_v a, W z, WideDecay decay, f64_m where) {
#ifdef HAVE_SCALE
    a = f64_scale(a, f64_select(where, decay.k, f64_set(0)));
#else
    a = a * f64_select(where, decay.power, f64_set(1));
    if (f64_all(f64_ge(decay.k, f64_set(-1000)))) return wide_of(a);
    f64_v more = f64_select(where, f64_min(f64_set(0), decay.k + f64_set(1000)), f64_set(0));
    a = a * f64_pow2(more + f64_set(f64_ROUNDER));
#endif
    return wide_of(f64_select(f64_gt(f64_set(-1400), z.high), f64_nothing_of(a), a));
}

/* a / (1 + e^-z) = a n / (1 + e) with e = e^-|z|, and n = e where z < 0, else 1. The factor 2^k of n comes last, and another 2,
 * so that a n / (1 + e) does not overflow before. The remainder of the quotient is (n - q) - q e, where n - q is exact: the
 * rounding error of 1 + e drops out. */
static ALWAYS_INLINE W wide_times_sigmoid(W a, W z) {
    WideDecay decay = wide_decay(z);
    f64_m negative = f64_gt(f64_set(0), z.high);
#ifdef HAVE_SCALE
    decay.k = decay.k + f64_set(1);
#else
    decay.power = decay.power + decay.power;
#endif
    f64_v n = f64_select(negative, decay.p * f64_set(0.5), f64_set(1)), inverse = f64_set(1) / (f64_set(1) + decay.e),
          q = n * inverse;
    f64_v low = f64_fma(-q, decay.e, n - q) * inverse;
    if (a.kind == POWER) return wide_decayed(a.high * (q + low), z, decay, negative);
    low = a.high * low;
    if (!wide_exact(a)) low = f64_fma(a.low, q, low);
    /* Where a is infinite, low is no number, or infinite. */
    low = f64_max(f64_min(low, f64_set(0x1p1000)), f64_set(-0x1p1000));
    return wide_decayed(f64_fma(a.high, q, low), z, decay, negative);
}

/* a b / (1 + e)^2 = a b / (1 + rest). The remainder of the quotient q = a / (1 + rest) is (a - q) - q rest, so that the rounding
 * error of 1 + rest drops out, as in wide_times_sigmoid. */
static ALWAYS_INLINE f64_v wide_over_square(f64_v a, f64_v b, f64_v e) {
    f64_v rest = f64_fma(e, e, e + e), inverse = f64_set(1) / (f64_set(1) + rest), q = a * inverse;
    f64_v low = f64_fma(-q, rest, a - q) * inverse;
    return f64_fma(q, b, low * b);
}

/* The derivative of z / (1 + e^-z), with e = e^-|z|: e (1 + z + e) / (1 + e)^2 where z < 0, and (1 + e (1 + z)) / (1 + e)^2
 * elsewhere. Near the zero of the first, 1 + z is exact. Beyond the bounds of z the result does not change. */
static ALWAYS_INLINE W wide_gate_slope(W z) {
    z.high = f64_max(f64_set(-2000), f64_min(f64_set(2000), z.high));
    WideDecay decay = wide_decay(z);
    f64_v one = f64_set(1), e = decay.e, next = one + z.high;
    if (!wide_exact(z)) next = next + wide_small(z.low);
    f64_m negative = f64_gt(f64_set(0), z.high);
    f64_v sum = f64_fma(f64_select(negative, one, e), next, f64_select(negative, e, one));
    return wide_decayed(wide_over_square(sum, f64_select(negative, decay.p, one), e), z, decay, negative);
}

/* a e^-z / (1 + e^-z)^2: a times the derivative of the sigmoid, an even function */
static ALWAYS_INLINE W wide_times_sigmoid_derivative(W a, W z) {
    WideDecay decay = wide_decay(z);
    W slope = wide_of(decay.p / f64_fma(decay.e, f64_set(2) + decay.e, f64_set(1)));
    return wide_decayed(wide_value(wide_multiply(a, slope)), wide_negative(wide_abs(z)), decay,
                        f64_ge(f64_set(0), -f64_abs(z.high)));
}

/* log((d + n) / (d - n)) = h (1 + h^2 P(h^2)) with h = 2 n / d. `low` is all but h.high, up to an eighth of it: for a sum, or a
 * product with a number that has no `low` of this size. */
static ALWAYS_INLINE W wide_log_of_shares(W n, W d, const double *terms, int count) {
    W h = wide_divide(wide_multiply(wide_number(2), n), d);
    f64_v y = h.high * h.high;
    return wide_pair(h.high, f64_fma(h.high * y, f64_series(terms, count, y), h.low));
}
/* k ln 2 for a whole number |k| < 2^14. The first part is exact. */
static ALWAYS_INLINE W wide_times_ln2(f64_v k) { return wide_pair(k * f64_set(f64_LN2_FIRST), k * f64_set(f64_LN2_LAST)); }
/* log(1 + x) for 0 <= x <= 1, in the same two parts, and renormalised */
static ALWAYS_INLINE W wide_log1p_parts(W x) {
    return wide_log_of_shares(x, wide_fast_add(wide_number(2), x), long_log1p_terms, COUNT(long_log1p_terms));
}
static ALWAYS_INLINE W wide_log1p(W x) {
    W parts = wide_log1p_parts(x);
    return wide_fast_sum(parts.high, parts.low);
}

/* a log(1 + e^z). Below -60 this is a e^z. */
static ALWAYS_INLINE W wide_times_softplus(W a, W z) {
    WideDecay decay = wide_decay(z);
    f64_m far = f64_gt(f64_set(-60), z.high);
    /* The error of this sum counts only where z is the larger. */
    W y = wide_fast_add(wide_maximum_number(wide_of(z.high), wide_number(0)), wide_log1p_parts(wide_of(decay.e)));
    return wide_decayed(wide_value(wide_multiply(a, wide_select(far, wide_of(decay.p), y))), z, decay, far);
}

/* The coefficients of the words, as the last arguments of wide_terms */
#define TANH_CUBIC_TERMS long_tanh_cubic_terms, COUNT(long_tanh_cubic_terms), long_tanh_cubic_terms_low[0]
#define LOG_RATIO_TERMS long_log_terms, COUNT(long_log_terms)
#define ERF_TERMS COUNT(long_erf_terms), long_erf_terms, COUNT(long_erf_terms_low), long_erf_terms_low
#define NORMAL_TAIL_TERMS \
    COUNT(long_normal_tail_terms), long_normal_tail_terms, COUNT(long_normal_tail_terms_low), long_normal_tail_terms_low
#define SIN_TERMS COUNT(long_sin_terms), long_sin_terms, COUNT(long_sin_terms_low), long_sin_terms_low
