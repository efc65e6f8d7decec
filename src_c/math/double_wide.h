/* The numbers of the wide formulas in the unit of float64. A W is the sum of two doubles: `low` is the rounding error of `high`.
 * + - * / are good to about 2^-100, the words to 2^-58. Where `high` is infinite or NaN, `low` is 0 (wide_clean): inf - inf would
 * be NaN. */
typedef struct {
    f64_v high, low;
} W;

static inline W wide_of(f64_v a) { return (W){a, f64_set(0)}; }
static inline W wide_number(double a) { return wide_of(f64_set(a)); }
static inline W wide_constant(f64_v high, f64_v low) { return (W){high, low}; }
static inline f64_v wide_leading(W a) { return a.high; }
static inline f64_v wide_trailing(W a) { return a.low; }
static inline W wide_select(f64_m m, W yes, W no) {
    return (W){f64_select(m, yes.high, no.high), f64_select(m, yes.low, no.low)};
}
static inline f64_v wide_clean(f64_v low) { return f64_select(f64_nan(low - low), f64_set(0), low); }
static inline f64_v wide_value(W a) { return a.high + wide_clean(a.low); }

/* a + b for |a| >= |b| */
static inline W wide_fast_sum(f64_v a, f64_v b) {
    f64_v high = a + b;
    return (W){high, wide_clean((a - high) + b)};
}
static inline W wide_sum(f64_v a, f64_v b) {
    f64_v high = a + b, of_b = high - a;
    return (W){high, wide_clean((a - (high - of_b)) + (b - of_b))};
}
#ifdef HAVE_FMA
static inline f64_v wide_product_low(f64_v a, f64_v b, f64_v high) { return f64_fma(a, b, -high); }
#else
/* Dekker's way: the products of halves are exact. The halves, of 26 and 27 bits, are cut by a mask: Veltkamp's multiplication
 * would overflow from 2^996 on. So a2 b2 has 54 bits, and takes two products. */
static inline f64_v wide_product_low(f64_v a, f64_v b, f64_v high) {
    f64_v a1 = f64_cut(a), b1 = f64_cut(b), a2 = a - a1, b2 = b - b1, b3 = f64_cut(b2);
    return (((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b3) + a2 * (b2 - b3);
}
#endif

static inline W wide_add(W a, W b) {
    W sum = wide_sum(a.high, b.high);
    return wide_fast_sum(sum.high, sum.low + (a.low + b.low));
}
static inline W wide_negative(W a) { return (W){-a.high, -a.low}; }
static inline W wide_subtract(W a, W b) { return wide_add(a, wide_negative(b)); }
static inline W wide_multiply(W a, W b) {
    f64_v high = a.high * b.high;
    return (W){high, wide_clean(wide_product_low(a.high, b.high, high) + f64_fma(a.high, b.low, a.low * b.high))};
}
static inline W wide_divide(W a, W b) {
    f64_v high = a.high / b.high, product = high * b.high;
    f64_v remainder = ((a.high - product) - wide_product_low(high, b.high, product)) + (a.low - high * b.low);
    return (W){high, wide_clean(remainder / b.high)};
}
static inline W wide_abs(W a) { return wide_select(f64_gt(f64_set(0), a.high), wide_negative(a), (W){f64_abs(a.high), a.low}); }
/* For a >= 0 */
static inline W wide_with_sign(W a, W sign) {
    return (W){f64_with_sign(a.high, sign.high), f64_select(f64_gt(f64_set(0), sign.high), -a.low, a.low)};
}
static inline W wide_scaled_number(W a, f64_v k) { return (W){f64_scaled(a.high, k), f64_scaled(a.low, k)}; }
static inline W wide_sqrt(W a) {
    f64_v high = f64_sqrt(a.high), square = high * high;
    return (W){high, wide_clean(((a.high - square) - wide_product_low(high, high, square) + a.low) / (high + high))};
}

/* z - k (p[0] + p[1] + p[2]), for p of which k p[0] and k p[1] are exact */
static inline W wide_without(W z, f64_v k, const double *p) {
    W first = wide_sum(z.high, k * f64_set(-p[0])), second = wide_sum(first.high, k * f64_set(-p[1]));
    return wide_fast_sum(second.high, (first.low + second.low) + f64_fma(k, f64_set(-p[2]), z.low));
}

/* e^z = 2^k (1 + t), with z clamped between `low` and EXP_HIGH */
static inline W wide_exp_parts(W z, f64_v low, f64_v *k) {
    f64_v x = f64_max(low, f64_min(f64_set(f64_EXP_HIGH), z.high));
    *k = f64_fma(x, f64_set(f64_LOG2E), f64_set(f64_ROUNDER)) - f64_set(f64_ROUNDER);
#ifdef HAVE_FMA
    f64_v first = f64_fma(*k, f64_set(-f64_LN2_HI), x);
    f64_v r = f64_fma(*k, f64_set(-f64_LN2_LO), first);
    f64_v error = f64_fma(*k, f64_set(-f64_LN2_LO), first - r);
#else
    f64_v first = x - *k * f64_set(f64_LN2_HI), last = *k * f64_set(f64_LN2_LO);
    f64_v r = first - last;
    f64_v error = (first - r) - last;
#endif
    /* Beyond 2^53 x is clamped, and z.low is not small. */
    error = error + f64_select(f64_gt(f64_abs(z.low), f64_set(1)), f64_set(0), z.low);
    f64_v square = r * r, half = square * f64_set(0.5), tail = f64_set(long_exp_terms[9]);
    for (int i = 8; i >= 0; i--) tail = f64_fma(tail, r, f64_set(long_exp_terms[i]));
    /* t = r + r^2 / 2 + r^3 tail, with the rounding error of each step */
    W more = wide_fast_sum(half, square * r * tail);
    W t = wide_fast_sum(r, more.high);
    return (W){t.high, t.low + (more.low + f64_fma(f64_set(0.5), wide_product_low(r, r, square), f64_fma(t.high, error, error)))};
}

static inline W wide_exp(W z) {
    f64_v k;
    W t = wide_exp_parts(z, f64_set(f64_EXP_LOW), &k), p = wide_fast_sum(f64_set(1), t.high);
    return (W){f64_scaled(p.high, k), wide_clean(f64_scaled(p.low + t.low, k))};
}

/* a e^z, rounded once even where it is subnormal. It is 0 for z < -1400, however large a is. */
static inline W wide_exp_times(W a, W z) {
    f64_v k, far = f64_set(-1400);
    W t = wide_exp_parts(z, far, &k), p = wide_fast_sum(f64_set(1), t.high);
    p.low = p.low + t.low;
    f64_v result = f64_scaled(wide_value(wide_multiply(a, p)), k);
    return wide_of(f64_select(f64_gt(far, z.high), f64_set(0), result));
}

/* a e^min(z, 0). It does not use e = e^-|z|, which has fewer digits where it is subnormal. */
static inline W wide_damped(W a, W z, W e) {
    (void)e;
    return wide_exp_times(a, wide_select(f64_gt(z.high, f64_set(0)), wide_of(f64_set(0)), z));
}

static inline W wide_expm1(W z) {
    f64_v k, most = f64_set(60);
    W t = wide_exp_parts((W){f64_max(f64_set(f64_EXPM1_LOW), f64_min(most, z.high)), z.low}, f64_set(f64_EXPM1_LOW), &k);
    f64_v power = f64_scaled(f64_set(1), k);
    W y = wide_add(wide_sum(power, f64_set(-1)), (W){power * t.high, power * t.low});
    y = wide_select(f64_gt(z.high, most), wide_exp(z), y); /* where e^z - 1 rounds to e^z */
    return (W){f64_with_sign(f64_abs(y.high), z.high), y.low}; /* -0 keeps its sign */
}

/* log(1 + x) by one Newton step from an estimate y: y + (1 + x) / e^y - 1. Its error is the square of the estimate's. */
static inline W wide_improved_log1p(W x, f64_v estimate) {
    W y = wide_of(estimate);
    W t = wide_expm1(wide_negative(y));
    return wide_add(y, wide_add(wide_add(x, t), wide_multiply(x, t)));
}

/* The larger and the smaller of a and b, where b is a number in the formula and so not NaN */
static inline W wide_maximum_number(W a, W b) { return wide_select(f64_gt(b.high, a.high), b, a); }
static inline W wide_minimum_number(W a, W b) { return wide_select(f64_gt(a.high, b.high), b, a); }

/* The coefficients of the words, as the last arguments of wide_terms */
#define COUNT(array) (int)(sizeof array / sizeof *array)
#define ERF_TERMS COUNT(long_erf_terms), long_erf_terms, COUNT(long_erf_terms_low), long_erf_terms_low
#define NORMAL_TAIL_TERMS \
    COUNT(long_normal_tail_terms), long_normal_tail_terms, COUNT(long_normal_tail_terms_low), long_normal_tail_terms_low
#define SIN_TERMS COUNT(long_sin_terms), long_sin_terms, COUNT(long_sin_terms_low), long_sin_terms_low
