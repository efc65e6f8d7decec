/* The words of the direct formulas, for every instruction set and both precisions. fastact/numpy_backend/words.py has the same
 * words in NumPy. benchmarks/accuracy.json has the largest error of each function, and its input. */

static inline V direct_exp(V x) { return EXP(x); }
static inline V direct_expm1(V x) { return EXPM1(x); }
static inline V direct_abs(V x) { return ABS(x); }
static inline V direct_sqrt(V x) { return SQRT(x); }

/* a b + c, as if rounded once */
#ifndef HAVE_FMA
/* The rounding errors of product and sum come last. The parts of a product are cut off bit by bit, as in double_double.py. Floats
 * are computed as doubles. */
static inline f64_v exact_fma(f64_v a, f64_v b, f64_v c) {
    const f64_v a1 = f64_cut(a), b1 = f64_cut(b), a2 = a - a1, b2 = b - b1, b3 = f64_cut(b2);
    const f64_v product = a * b, sum = product + c, of_c = sum - product;
    const f64_v of_product = (((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b3) + a2 * (b2 - b3);
    const f64_v rest = of_product + ((product - (sum - of_c)) + (c - of_c));
    return sum + f64_select(f64_nan(rest - rest), f64_set(0), rest);
}
#endif
static inline V direct_fma(V a, V b, V c) {
#ifdef HAVE_FMA
    return FMA(a, b, c);
#else
    T y[LANES];
    STORE_DOUBLES(y, exact_fma(FIRST_HALF(a), FIRST_HALF(b), FIRST_HALF(c)));
    if ((int)LANES > (int)f64_lanes) STORE_DOUBLES(y + f64_lanes, exact_fma(SECOND_HALF(a), SECOND_HALF(b), SECOND_HALF(c)));
    return LOAD(y);
#endif
}

/* e^-|x|, for sigmoid and its derivative. It cannot overflow: one clamp and a shorter scaling are enough. */
static inline V direct_exp_decay(V x) {
    V k, whole;
    V t = EXPM1_REMAINDER(MAX(C(EXP_LOW), -ABS(x)), &k, &whole);
#ifdef HAVE_SCALE
    return SCALED(C(1) + t, k);
#else
    return ((C(1) + t) * POW2(whole + C(LIFT))) * C(LOWER);
#endif
}

/* 1 / (1 + e^-x) = n / (1 + e) with e = e^-|x| and n = 1 or e. q is the quotient, and the remainder n - q (1 + e) corrects it.
 * We compute the remainder as (n - q) - q e, where n - q is exact: so the rounding error of 1 + e, which would make 2.6 ULP,
 * drops out. */
static inline V direct_sigmoid(V x) {
    V e = direct_exp_decay(x);
    V n = SELECT(GE(x, C(0)), C(1), e);
    V inverse = C(1) / (C(1) + e);
    V q = n * inverse;
    return FMA(FMA(-q, e, n - q), inverse, q);
}

/* q - q^2 with q = e / (1 + e) <= 1/2 */
static inline V direct_sigmoid_derivative(V x) {
    V e = direct_exp_decay(x);
    V inverse = C(1) / (C(1) + e);
    V q = e * inverse;
    q = FMA(FMA(-q, e, e - q), inverse, q);
    return FMA(-q, q, q);
}

/* n / (2 - n) with n = -expm1(-2 |x|). We compute the remainder n - q (2 - n) as (n - 2 q) + q n, where n - 2 q is exact. */
static inline V direct_tanh(V x) {
    V k, whole, low;
    V t = EXPM1_REMAINDER(MAX(C(EXPM1_LOW), C(-2) * ABS(x)), &k, &whole);
    V n = ABS(EXPM1_PARTS(t, whole, &low));
    V inverse = C(1) / (C(2) - n);
    V q = n * inverse;
    V remainder = FMA(q, n, n - (q + q)) - FMA(low, q, low);
    return WITH_SIGN(FMA(remainder, inverse, q), x);
}

static inline V direct_where(M condition, V yes, V no) { return SELECT(condition, yes, no); }

/* The larger and the smaller, NaN where either is NaN */
static inline V direct_maximum(V a, V b) { return SELECT(IS_NAN(a), a, MAX(a, b)); }
static inline V direct_minimum(V a, V b) { return SELECT(IS_NAN(a), a, MIN(a, b)); }
/* The same where b is a number in the formula. a is the second operand, so that NaN passes. */
static inline V direct_maximum_number(V a, V b) { return MAX(b, a); }
static inline V direct_minimum_number(V a, V b) { return MIN(b, a); }
static inline V direct_unless_nan(V x, V value) { return SELECT(IS_NAN(x), x, value); }
static inline V direct_clip(V x, V low, V high) { return direct_maximum(direct_minimum(x, high), low); }
static inline V direct_clip_number(V x, V low, V high) { return direct_maximum_number(direct_minimum_number(x, high), low); }
