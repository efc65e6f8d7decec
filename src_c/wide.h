/* The words of the wide formulas, once for both kinds of numbers: included for REAL = mid (mid.h) and pair (pair.h).
 * Coefficients come from fastact/coefficients.py. */

#include WIDE_ARITHMETIC

/* log(1 + x) for -0.7 <= x <= 2.1 to 2^-38, by s = x / (2 + x) */
static inline V FN(log1p_estimate)(V x) {
    V s = x / (C(2) + x), y = s * s, p = C(mid_log1p_terms[9]);
    for (int i = 8; i >= 0; i--) p = FMA(p, y, C(mid_log1p_terms[i]));
    return p * s;
}
#if TWO_PARTS
/* y + (1 + x) / e^y - 1 for an estimate y: one step of Newton's, whose error is the square of the estimate's */
static inline W pair_log1p(W x) {
    W y = pair_of(pair_log1p_estimate(x.high));
    W t = pair_expm1(pair_negative(y));
    return pair_add(y, pair_add(pair_add(x, t), pair_multiply(x, t)));
}
#else
static inline V mid_log1p(V x) { return mid_log1p_estimate(x); }
#endif

static inline W FN(where)(M condition, W yes, W no) { return FN(select)(condition, yes, no); }
static inline W FN(unless_nan)(W x, W value) { return FN(select)(OP(nan)(FN(leading)(x)), x, value); }
static inline W FN(maximum)(W a, W b) {
    V x = FN(leading)(a), y = FN(leading)(b);
    return FN(unless_nan)(a, FN(select)(LT(x, y), b, FN(unless_nan)(b, a)));
}
static inline W FN(minimum)(W a, W b) {
    V x = FN(leading)(a), y = FN(leading)(b);
    return FN(unless_nan)(a, FN(select)(GT(x, y), b, FN(unless_nan)(b, a)));
}
/* The same where b is a number, which cannot be NaN */
#if TWO_PARTS
static inline W pair_maximum_number(W a, W b) { return pair_select(LT(a.high, b.high), b, a); }
static inline W pair_minimum_number(W a, W b) { return pair_select(GT(a.high, b.high), b, a); }
#else
static inline V mid_maximum_number(V a, V b) { return MAX(b, a); }
static inline V mid_minimum_number(V a, V b) { return MIN(b, a); }
#endif
static inline W FN(clip_number)(W x, W low, W high) { return FN(maximum_number)(FN(minimum_number)(x, high), low); }
static inline W FN(clip)(W x, W low, W high) { return FN(maximum)(FN(minimum)(x, high), low); }

/* c[0] + c[1] x + ..., of which the first `doubled` coefficients are in two parts, c + low, and added in full */
static inline W FN(terms)(W x, int count, const double *c, int doubled, const double *low) {
    V y = FN(leading)(x), p = C(c[count - 1]);
    for (int i = count - 2; i >= doubled; i--) p = FMA(p, y, C(c[i]));
    W value = FN(of)(p);
    for (int i = doubled - 1; i >= 0; i--) value = FN(add)(FN(constant)(C(c[i]), C(low[i])), FN(multiply)(value, x));
    return value;
}
/* The coefficients of a word as the last arguments of terms */
#undef TERMS
#define COUNT(array) (int)(sizeof array / sizeof *array)
#if TWO_PARTS
#define TERMS(word) COUNT(pair_##word##_terms), pair_##word##_terms, COUNT(pair_##word##_terms_low), pair_##word##_terms_low
#else
#define TERMS(word) COUNT(mid_##word##_terms), mid_##word##_terms, 0, NULL
#endif

/* The same where only the leading terms, added by the formula, need more than a double */
static inline W FN(polynomial)(W x, int count, const double *c) { return FN(terms)(x, count, c, 0, NULL); }

/* n / (2 - n) with n = -expm1(-2 |z|) */
static inline W FN(tanh)(W z) {
    W n = FN(negative)(FN(expm1)(FN(multiply)(NUMBER(-2), FN(abs)(z))));
    return FN(with_sign)(FN(divide)(n, FN(subtract)(NUMBER(2), n)), z);
}

/* log(x) = k ln 2 + log1p(m - 1) with m between 0.7 and 1.42 */
static inline W FN(log)(W x) {
    V a = FN(leading)(x), subnormal = SELECT(LT(a, C(0x1p-1022)), C(0x1p54), C(1));
    V k = f64_exponent(a * subnormal), m = f64_scaled(a * subnormal, -k);
    M upper = GT(m, C(1.42));
    k = SELECT(upper, k + C(1), k);
    W fraction = FN(scaled_number)(FN(multiply)(x, FN(of)(subnormal)), -k);
    k = k - SELECT(LT(a, C(0x1p-1022)), C(54), C(0));
    W ln2 = FN(constant)(C(0x1.62e42fefa39efp-1), C(0x1.abc9e3b39803fp-56));
    W y = FN(add)(FN(multiply)(FN(of)(k), ln2), FN(log1p)(FN(subtract)(fraction, NUMBER(1))));
    V extreme = SELECT(LT(a, C(0)), C(NAN_VALUE), SELECT(GT(a, C(0)), a, C(MINUS_INFINITY)));
    extreme = SELECT(OP(nan)(a), a, extreme); /* inf, 0 and what has no logarithm */
    return FN(select)(GT(a, C(0)), FN(select)(GT(a, C(0x1.fffffffffffffp1023)), FN(of)(extreme), y), FN(of)(extreme));
}

/* erfc(t / sqrt 2) / 2 * e^(t^2 / 2) for t >= 0: the normal distribution's tail without its decay */
static inline W FN(scaled_normal_tail)(W t) {
    W inverse = FN(divide)(NUMBER(1), FN(add)(t, NUMBER(normal_tail_centre[0])));
    W w = FN(multiply)(FN(subtract)(t, NUMBER(normal_tail_centre[0])), inverse);
    return FN(multiply)(FN(terms)(w, TERMS(normal_tail)), inverse);
}

/* erf(s) for s >= 0 */
static inline W FN(erf)(W s) {
    W y = FN(multiply)(s, s), small = FN(terms)(y, TERMS(erf));
    W root2 = FN(constant)(C(0x1.6a09e667f3bcdp+0), C(-0x1.bdd3413b26456p-54));
    W t = FN(minimum)(FN(multiply)(s, root2), NUMBER(40));
    W rest = FN(exp_times)(FN(multiply)(NUMBER(2), FN(scaled_normal_tail)(t)), FN(negative)(y));
    return FN(select)(GT(FN(leading)(s), C(1)), FN(subtract)(NUMBER(1), rest), FN(multiply)(s, small));
}
#include "reduce.h"
#include "sine.h"
