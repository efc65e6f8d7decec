/* The words of the formulas (fastact/words.py has the same in NumPy), once for all instruction sets and both precisions:
 * included for REAL = f32 and f64, over the operations of simd_*.h and the constants of polynomials.h.
 * How far off they are, and where, stands in benchmarks/accuracy.json; the forms are chosen for at most 2 ULP. */

/* Adding and subtracting ROUNDER rounds to a whole number, which then stands in the low bits of the sum. */
#define f32_ROUNDER 0x1.8p23
#define f64_ROUNDER 0x1.8p52
/* exp is 0 below the first, infinite above the second; expm1 is -1 to the last bit below the third. */
#define f32_EXP_LOW -105
#define f64_EXP_LOW -746
#define f32_EXP_HIGH 89
#define f64_EXP_HIGH 710
#define f32_EXPM1_LOW -30
#define f64_EXPM1_LOW -50
#define f32_MAX_EXPONENT 127
#define f64_MAX_EXPONENT 1023
#define f32_Q_DEGREE 4
#define f64_Q_DEGREE 9
#define f32_CARRIES_REST 1
#define f64_CARRIES_REST 0
/* 2^(k + LIFT) is normal for every k down to EXP_LOW / ln 2, and LOWER = 2^-LIFT takes the lift back in one rounding. */
#define f32_LIFT 26
#define f64_LIFT 54
#define f32_LOWER 0x1p-26
#define f64_LOWER 0x1p-54

/* expm1(r) of the remainder r = x - k ln 2, |r| <= ln 2 / 2; x must be within +-2^14. `whole` is k + ROUNDER.
 * In float32 the rounding of r is carried along (`rest`), which takes .2 ULP off; in float64 it would cost 7% of exp. */
static inline V FN(expm1_remainder)(V x, V *k, V *whole) {
    *whole = FMA(x, C(FN(LOG2E)), C(FN(ROUNDER)));
    *k = *whole - C(FN(ROUNDER));
#ifdef HAVE_FMA
    V first = FMA(*k, C(-FN(LN2_HI)), x);
    V r = FMA(*k, C(-FN(LN2_LO)), first);
    V rest = FMA(*k, C(-FN(LN2_LO)), first - r);
#else
    V first = x - *k * C(FN(LN2_HI));
    if (FN(LN2_MID) != 0) first = first - *k * C(FN(LN2_MID));
    V last = *k * C(FN(LN2_LO));
    V r = first - last;
    V rest = (first - r) - last;
#endif
    /* even and odd powers apart: two short chains of additions are done sooner than one long one */
    V square = r * r, q[2] = {C(FN(exp_q)[FN(Q_DEGREE)]), C(FN(exp_q)[FN(Q_DEGREE) - 1])};
    for (int i = FN(Q_DEGREE) - 2; i >= 0; i--) q[(FN(Q_DEGREE) - i) % 2] = FMA(q[(FN(Q_DEGREE) - i) % 2], square, C(FN(exp_q)[i]));
    V sum = FMA(q[(FN(Q_DEGREE) - 1) % 2], r, q[FN(Q_DEGREE) % 2]);
    if (FN(CARRIES_REST)) return r + FMA(square, sum, rest);
    return FMA(square, sum, r);
}

/* a * 2^k, rounded once, for a within [1/2, 2] and a whole k from twice the least exponent to MAX_EXPONENT + 1 */
#ifndef HAVE_SCALE
static inline V FN(scale)(V a, V k) {
    V half = FMA(k, C(0.5), C(FN(ROUNDER)));
    V other = (k - (half - C(FN(ROUNDER)))) + C(FN(ROUNDER));
    return (a * FN(pow2)(half)) * FN(pow2)(other);
}
#endif

/* e^x. The clamps take the constant first, so that NaN passes. */
static inline V FN(exp)(V x) {
    V k, whole;
    V t = FN(expm1_remainder)(MAX(C(FN(EXP_LOW)), MIN(C(FN(EXP_HIGH)), x)), &k, &whole);
    return FN(scale)(C(1) + t, k);
}

/* e^-|x|, what sigmoid and its derivative are made of: no overflow, so one clamp and a shorter scaling */
static inline V FN(exp_decay)(V x) {
    V k, whole;
    V t = FN(expm1_remainder)(MAX(C(FN(EXP_LOW)), -ABS(x)), &k, &whole);
#ifdef HAVE_SCALE
    return FN(scale)(C(1) + t, k);
#else
    return ((C(1) + t) * FN(pow2)(whole + C(FN(LIFT)))) * C(FN(LOWER));
#endif
}

/* e^x - 1 = (2^k - 1) + 2^k t, where 2^k - 1 is exact or does not matter; `low` is what the sum rounds off. For
 * x up to MAX_EXPONENT ln 2. */
static inline V FN(expm1_parts)(V t, V whole, V *low) {
    V power = FN(pow2)(whole), first = power - C(1);
    V high = FMA(power, t, first);
    *low = FMA(power, t, first - high);
    return high;
}

/* The power of 2 stops one short of where the result is still finite: then it is doubled. */
static inline V FN(expm1)(V x) {
    V k, whole, low;
    V t = FN(expm1_remainder)(MAX(C(FN(EXPM1_LOW)), MIN(C(FN(EXP_HIGH)), x)), &k, &whole);
    V y = FN(expm1_parts)(t, MIN(C(FN(ROUNDER) + FN(MAX_EXPONENT)), whole), &low);
    y = SELECT(GT(k, C(FN(MAX_EXPONENT))), y + y, y);
    return WITH_SIGN(ABS(y), x); /* -0 keeps its sign */
}

/* 1 / (1 + e^-x) = n / (1 + e) with e = e^-|x| and n = 1 or e. The remainder n - q (1 + e) is taken as (n - q) - q e,
 * where n - q is exact: so the rounding of 1 + e drops out (2.6 ULP without). */
static inline V FN(sigmoid)(V x) {
    V e = FN(exp_decay)(x);
    V n = SELECT(GE(x, C(0)), C(1), e);
    V inverse = C(1) / (C(1) + e);
    V q = n * inverse;
    return FMA(FMA(-q, e, n - q), inverse, q);
}

/* q - q^2 with q = e / (1 + e) <= 1/2 */
static inline V FN(sigmoid_derivative)(V x) {
    V e = FN(exp_decay)(x);
    V inverse = C(1) / (C(1) + e);
    V q = e * inverse;
    q = FMA(FMA(-q, e, e - q), inverse, q);
    return FMA(-q, q, q);
}

/* n / (2 - n) with n = -expm1(-2 |x|); the remainder n - q (2 - n) as (n - 2 q) + q n, where n - 2 q is exact */
static inline V FN(tanh)(V x) {
    V k, whole, low;
    V t = FN(expm1_remainder)(MAX(C(FN(EXPM1_LOW)), C(-2) * ABS(x)), &k, &whole);
    V n = ABS(FN(expm1_parts)(t, whole, &low));
    V inverse = C(1) / (C(2) - n);
    V q = n * inverse;
    V remainder = FMA(q, n, n - (q + q)) - FMA(low, q, low);
    return WITH_SIGN(FMA(remainder, inverse, q), x);
}

static inline V FN(where)(M condition, V yes, V no) { return SELECT(condition, yes, no); }

/* The larger, NaN where either is NaN */
static inline V FN(maximum)(V a, V b) { return SELECT(FN(nan)(a), a, MAX(a, b)); }
static inline V FN(minimum)(V a, V b) { return SELECT(FN(nan)(a), a, MIN(a, b)); }
static inline V FN(unless_nan)(V x, V value) { return SELECT(FN(nan)(x), x, value); }
