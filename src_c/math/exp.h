/* exp and expm1 on vectors of floats and of doubles, over the operations of simd/ and the constants of constants.h.
 * benchmarks/accuracy.json has the largest error of each function that uses them, and its input.
 *
 *   f32_...     float32
 *   f64_...     float64
 *   short_...   doubles that are rounded to floats in the end: a shorter polynomial, good to 2^-34
 *
 * All use expm1(r) of the remainder r = x - k ln 2, where |r| <= ln 2 / 2: e^x = (1 + expm1(r)) 2^k. */

/* Adding ROUNDER rounds to a whole number, which stands in the low bits of the sum. Subtracting ROUNDER gives that number. */
#define f32_ROUNDER 0x1.8p23
#define f64_ROUNDER 0x1.8p52
/* exp is 0 below EXP_LOW and infinite above EXP_HIGH. expm1 rounds to -1 below EXPM1_LOW. */
#define f32_EXP_LOW -105
#define f64_EXP_LOW -746
#define f32_EXP_HIGH 89
#define f64_EXP_HIGH 710
#define f32_EXPM1_LOW -30
#define f64_EXPM1_LOW -50
#define f32_MAX_EXPONENT 127
#define f64_MAX_EXPONENT 1023
/* The error of a softmax is the sum of the errors of two exponentials and of a sum. So the rows keep the error of r in float64,
 * too. The elementwise kernels do not: it makes exp slower, and their bound holds without. */
#ifndef f64_KEEPS_ERROR
#define f64_KEEPS_ERROR 0
#endif

/* expm1(r) for the remainder r of x, |x| <= 2^14. `whole` is k + ROUNDER. `error` is what rounding took off r; without it the
 * result would be .2 ULP worse. Even and odd powers have a sum each: two short chains of operations run side by side. */
static inline f32_v f32_expm1_remainder(f32_v x, f32_v *k, f32_v *whole) {
    *whole = f32_fma(x, f32_set(f32_LOG2E), f32_set(f32_ROUNDER));
    *k = *whole - f32_set(f32_ROUNDER);
#ifdef HAVE_FMA
    f32_v first = f32_fma(*k, f32_set(-f32_LN2_HI), x);
    f32_v r = f32_fma(*k, f32_set(-f32_LN2_LO), first);
    f32_v error = f32_fma(*k, f32_set(-f32_LN2_LO), first - r);
#else
    f32_v first = x - *k * f32_set(f32_LN2_HI) - *k * f32_set(f32_LN2_MID);
    f32_v last = *k * f32_set(f32_LN2_LO);
    f32_v r = first - last;
    f32_v error = (first - r) - last;
#endif
    const f32_v square = r * r;
    f32_v even = f32_set(f32_exp_q[4]), odd = f32_set(f32_exp_q[3]);
    even = f32_fma(even, square, f32_set(f32_exp_q[2]));
    odd = f32_fma(odd, square, f32_set(f32_exp_q[1]));
    even = f32_fma(even, square, f32_set(f32_exp_q[0]));
    return r + f32_fma(square, f32_fma(odd, r, even), error);
}

/* The same in float64, with a polynomial q of any degree, and with or without the error of r */
static inline __attribute__((always_inline)) f64_v f64_expm1_remainder_of_degree(const double *q, int degree, int keeps_error,
                                                                                 f64_v x, f64_v *k, f64_v *whole) {
    *whole = f64_fma(x, f64_set(f64_LOG2E), f64_set(f64_ROUNDER));
    *k = *whole - f64_set(f64_ROUNDER);
#ifdef HAVE_FMA
    f64_v first = f64_fma(*k, f64_set(-f64_LN2_HI), x);
    f64_v r = f64_fma(*k, f64_set(-f64_LN2_LO), first);
    f64_v error = f64_fma(*k, f64_set(-f64_LN2_LO), first - r);
#else
    f64_v first = x - *k * f64_set(f64_LN2_HI);
    f64_v last = *k * f64_set(f64_LN2_LO);
    f64_v r = first - last;
    f64_v error = (first - r) - last;
#endif
    const f64_v square = r * r;
    f64_v sums[2] = {f64_set(q[degree]), f64_set(q[degree - 1])};
    for (int i = degree - 2; i >= 0; i--) sums[(degree - i) % 2] = f64_fma(sums[(degree - i) % 2], square, f64_set(q[i]));
    const f64_v sum = f64_fma(sums[(degree - 1) % 2], r, sums[degree % 2]);
    if (keeps_error) return r + f64_fma(square, sum, error);
    return f64_fma(square, sum, r);
}
static inline f64_v f64_expm1_remainder(f64_v x, f64_v *k, f64_v *whole) {
    return f64_expm1_remainder_of_degree(f64_exp_q, 9, f64_KEEPS_ERROR, x, k, whole);
}
static inline f64_v short_expm1_remainder(f64_v x, f64_v *k, f64_v *whole) {
    return f64_expm1_remainder_of_degree(short_exp_q, 5, 0, x, k, whole);
}

/* 0, or NaN where a is NaN */
static inline f64_v f64_nothing_of(f64_v a) { return f64_select(f64_nan(a), a, f64_set(0)); }

/* a * 2^k, rounded once, for a within [1/2, 2] and a whole k from twice the least exponent to MAX_EXPONENT + 1 */
static inline f32_v f32_scaled(f32_v a, f32_v k) {
#ifdef HAVE_SCALE
    return f32_scale(a, k);
#else
    f32_v half = f32_fma(k, f32_set(0.5f), f32_set(f32_ROUNDER));
    f32_v other = (k - (half - f32_set(f32_ROUNDER))) + f32_set(f32_ROUNDER);
    return (a * f32_pow2(half)) * f32_pow2(other);
#endif
}
static inline f64_v f64_scaled(f64_v a, f64_v k) {
#ifdef HAVE_SCALE
    return f64_scale(a, k);
#else
    f64_v half = f64_fma(k, f64_set(0.5), f64_set(f64_ROUNDER));
    f64_v other = (k - (half - f64_set(f64_ROUNDER))) + f64_set(f64_ROUNDER);
    return (a * f64_pow2(half)) * f64_pow2(other);
#endif
}

/* e^x. x is the second operand of min and max, so that NaN passes. */
static inline f32_v f32_exp(f32_v x) {
    f32_v k, whole, t = f32_expm1_remainder(f32_max(f32_set(f32_EXP_LOW), f32_min(f32_set(f32_EXP_HIGH), x)), &k, &whole);
    return f32_scaled(f32_set(1) + t, k);
}
static inline f64_v f64_exp(f64_v x) {
    f64_v k, whole, t = f64_expm1_remainder(f64_max(f64_set(f64_EXP_LOW), f64_min(f64_set(f64_EXP_HIGH), x)), &k, &whole);
    return f64_scaled(f64_set(1) + t, k);
}
static inline f64_v short_exp(f64_v x) {
    f64_v k, whole, t = short_expm1_remainder(f64_max(f64_set(f64_EXP_LOW), f64_min(f64_set(f64_EXP_HIGH), x)), &k, &whole);
    return f64_scaled(f64_set(1) + t, k);
}

/* e^x - 1 = (2^k - 1) + 2^k t for x <= MAX_EXPONENT ln 2. 2^k - 1 is exact, or its error is too small to count. `low` is the
 * rounding error of the sum. */
static inline f32_v f32_expm1_parts(f32_v t, f32_v whole, f32_v *low) {
    f32_v power = f32_pow2(whole), first = power - f32_set(1), high = f32_fma(power, t, first);
    *low = f32_fma(power, t, first - high);
    return high;
}
static inline f64_v f64_expm1_parts(f64_v t, f64_v whole, f64_v *low) {
    f64_v power = f64_pow2(whole), first = power - f64_set(1), high = f64_fma(power, t, first);
    *low = f64_fma(power, t, first - high);
    return high;
}

/* e^x - 1. For the largest x the result is finite, but 2^k is not: k stops at MAX_EXPONENT, and the result is doubled. -0 keeps
 * its sign. */
static inline f32_v f32_expm1(f32_v x) {
    f32_v k, whole, low, t = f32_expm1_remainder(f32_max(f32_set(f32_EXPM1_LOW), f32_min(f32_set(f32_EXP_HIGH), x)), &k, &whole);
    f32_v y = f32_expm1_parts(t, f32_min(f32_set(f32_ROUNDER + f32_MAX_EXPONENT), whole), &low);
    y = f32_select(f32_gt(k, f32_set(f32_MAX_EXPONENT)), y + y, y);
    return f32_with_sign(f32_abs(y), x);
}
static inline f64_v f64_finished_expm1(f64_v t, f64_v k, f64_v whole, f64_v x) {
    f64_v low, y = f64_expm1_parts(t, f64_min(f64_set(f64_ROUNDER + f64_MAX_EXPONENT), whole), &low);
    y = f64_select(f64_gt(k, f64_set(f64_MAX_EXPONENT)), y + y, y);
    return f64_with_sign(f64_abs(y), x);
}
static inline f64_v f64_expm1(f64_v x) {
    f64_v k, whole, t = f64_expm1_remainder(f64_max(f64_set(f64_EXPM1_LOW), f64_min(f64_set(f64_EXP_HIGH), x)), &k, &whole);
    return f64_finished_expm1(t, k, whole, x);
}
static inline f64_v short_expm1(f64_v x) {
    f64_v k, whole, t = short_expm1_remainder(f64_max(f64_set(f64_EXPM1_LOW), f64_min(f64_set(f64_EXP_HIGH), x)), &k, &whole);
    return f64_finished_expm1(t, k, whole, x);
}
