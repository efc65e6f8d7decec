/* exp and expm1 on vectors, over the operations of simd_*.h and the constants of polynomials.h: included for REAL = f32, f64
 * and mid. How far off they are, and where, stands in benchmarks/accuracy.json; the forms are chosen for at most 2 ULP. */

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
#ifndef f64_CARRIES_REST
#define f64_CARRIES_REST 0
#endif
/* mid works on doubles, for results to 2^-34 */
#define mid_ROUNDER f64_ROUNDER
#define mid_EXP_LOW f64_EXP_LOW
#define mid_EXP_HIGH f64_EXP_HIGH
#define mid_EXPM1_LOW f64_EXPM1_LOW
#define mid_MAX_EXPONENT f64_MAX_EXPONENT
#define mid_Q_DEGREE 5
#define mid_CARRIES_REST 0
#define mid_LOG2E f64_LOG2E
#define mid_LN2_HI f64_LN2_HI
#define mid_LN2_MID f64_LN2_MID
#define mid_LN2_LO f64_LN2_LO

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
static inline V FN(scaled)(V a, V k) {
#ifdef HAVE_SCALE
    return OP(scale)(a, k);
#else
    V half = FMA(k, C(0.5), C(FN(ROUNDER)));
    V other = (k - (half - C(FN(ROUNDER)))) + C(FN(ROUNDER));
    return (a * OP(pow2)(half)) * OP(pow2)(other);
#endif
}

/* e^x. The clamps take the constant first, so that NaN passes. */
static inline V FN(exp)(V x) {
    V k, whole;
    V t = FN(expm1_remainder)(MAX(C(FN(EXP_LOW)), MIN(C(FN(EXP_HIGH)), x)), &k, &whole);
    return FN(scaled)(C(1) + t, k);
}

/* e^x - 1 = (2^k - 1) + 2^k t, where 2^k - 1 is exact or does not matter; `low` is what the sum rounds off. For
 * x up to MAX_EXPONENT ln 2. */
static inline V FN(expm1_parts)(V t, V whole, V *low) {
    V power = OP(pow2)(whole), first = power - C(1);
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
