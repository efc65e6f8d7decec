/* The words of the direct formulas (fastact/words.py has the same in NumPy), once for all instruction sets and both
 * precisions: included for REAL = f32 and f64. How far off they are, and where, stands in benchmarks/accuracy.json. */

/* 2^(k + LIFT) is normal for every k down to EXP_LOW / ln 2, and LOWER = 2^-LIFT takes the lift back in one rounding. */
#define f32_LIFT 26
#define f64_LIFT 54
#define f32_LOWER 0x1p-26
#define f64_LOWER 0x1p-54

/* e^-|x|, what sigmoid and its derivative are made of: no overflow, so one clamp and a shorter scaling */
static inline V FN(exp_decay)(V x) {
    V k, whole;
    V t = FN(expm1_remainder)(MAX(C(FN(EXP_LOW)), -ABS(x)), &k, &whole);
#ifdef HAVE_SCALE
    return FN(scaled)(C(1) + t, k);
#else
    return ((C(1) + t) * OP(pow2)(whole + C(FN(LIFT)))) * C(FN(LOWER));
#endif
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
static inline V FN(maximum)(V a, V b) { return SELECT(OP(nan)(a), a, MAX(a, b)); }
static inline V FN(minimum)(V a, V b) { return SELECT(OP(nan)(a), a, MIN(a, b)); }
/* The same where b is a number, which cannot be NaN: the number first, so that NaN passes */
static inline V FN(maximum_number)(V a, V b) { return MAX(b, a); }
static inline V FN(minimum_number)(V a, V b) { return MIN(b, a); }
static inline V FN(unless_nan)(V x, V value) { return SELECT(OP(nan)(x), x, value); }
static inline V FN(clip)(V x, V low, V high) { return FN(maximum)(FN(minimum)(x, high), low); }
static inline V FN(clip_number)(V x, V low, V high) { return FN(maximum_number)(FN(minimum_number)(x, high), low); }
