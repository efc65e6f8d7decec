/* Arithmetic of the wide formulas for float64: a value is the sum of two doubles, the second of which is what rounding took
 * off the first. Results are good to some 2^-100 for + - * /, 2^-58 for the words. An infinite or NaN first part leaves
 * nothing over: `low` is 0 then (clean), or the sum would be NaN. */
typedef struct {
    f64_v high, low;
} pair_w;
typedef double pair_t;

static inline V pair_load(const double *p) { return LOAD(p); }
static inline void pair_store(double *p, V a) { STORE(p, a); }
static inline W pair_of(V a) { return (W){a, C(0)}; }
static inline W pair_constant(V high, V low) { return (W){high, low}; }
static inline V pair_leading(W a) { return a.high; }
static inline V pair_trailing(W a) { return a.low; }
static inline W pair_select(M m, W yes, W no) { return (W){SELECT(m, yes.high, no.high), SELECT(m, yes.low, no.low)}; }
static inline V pair_clean(V low) { return SELECT(OP(nan)(low - low), C(0), low); }
static inline V pair_value(W a) { return a.high + pair_clean(a.low); }

/* For |a| >= |b| */
static inline W pair_fast_sum(V a, V b) {
    V high = a + b;
    return (W){high, pair_clean((a - high) + b)};
}
static inline W pair_sum(V a, V b) {
    V high = a + b, of_b = high - a;
    return (W){high, pair_clean((a - (high - of_b)) + (b - of_b))};
}
#ifdef HAVE_FMA
static inline V pair_product_low(V a, V b, V high) { return FMA(a, b, -high); }
#else
/* By parts whose products are exact, after Dekker. The halves are cut off (26 and 27 bits), not rounded off by Veltkamp's
 * multiplication, which would overflow from 2^996 on; so the 54 bits of a2 b2 take two products. */
static inline V pair_product_low(V a, V b, V high) {
    V a1 = OP(cut)(a), b1 = OP(cut)(b), a2 = a - a1, b2 = b - b1, b3 = OP(cut)(b2);
    return (((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b3) + a2 * (b2 - b3);
}
#endif

static inline W pair_add(W a, W b) {
    W sum = pair_sum(a.high, b.high);
    return pair_fast_sum(sum.high, sum.low + (a.low + b.low));
}
static inline W pair_negative(W a) { return (W){-a.high, -a.low}; }
static inline W pair_subtract(W a, W b) { return pair_add(a, pair_negative(b)); }
static inline W pair_multiply(W a, W b) {
    V high = a.high * b.high;
    return (W){high, pair_clean(pair_product_low(a.high, b.high, high) + FMA(a.high, b.low, a.low * b.high))};
}
static inline W pair_divide(W a, W b) {
    V high = a.high / b.high, product = high * b.high;
    V rest = ((a.high - product) - pair_product_low(high, b.high, product)) + (a.low - high * b.low);
    return (W){high, pair_clean(rest / b.high)};
}
static inline W pair_abs(W a) { return pair_select(LT(a.high, C(0)), pair_negative(a), (W){ABS(a.high), a.low}); }
/* for a positive a */
static inline W pair_with_sign(W a, W sign) { return (W){WITH_SIGN(a.high, sign.high), SELECT(LT(sign.high, C(0)), -a.low, a.low)}; }
static inline W pair_scaled_number(W a, V k) { return (W){f64_scaled(a.high, k), f64_scaled(a.low, k)}; }
static inline W pair_sqrt(W a) {
    V high = f64_sqrt(a.high), square = high * high;
    return (W){high, pair_clean(((a.high - square) - pair_product_low(high, high, square) + a.low) / (high + high))};
}

/* z - k (p[0] + p[1] + p[2]), where k p[0] and k p[1] are exact */
static inline W pair_without(W z, V k, const double *p) {
    W first = pair_sum(z.high, k * C(-p[0])), second = pair_sum(first.high, k * C(-p[1]));
    return pair_fast_sum(second.high, (first.low + second.low) + FMA(k, C(-p[2]), z.low));
}

/* e^z = 2^k (1 + t), for the z that do not overflow or vanish */
static inline W pair_exp_parts(W z, V low, V *k) {
    V x = MAX(low, MIN(C(f64_EXP_HIGH), z.high));
    *k = FMA(x, C(f64_LOG2E), C(f64_ROUNDER)) - C(f64_ROUNDER);
#ifdef HAVE_FMA
    V first = FMA(*k, C(-f64_LN2_HI), x);
    V r = FMA(*k, C(-f64_LN2_LO), first);
    V rest = FMA(*k, C(-f64_LN2_LO), first - r);
#else
    V first = x - *k * C(f64_LN2_HI), last = *k * C(f64_LN2_LO);
    V r = first - last;
    V rest = (first - r) - last;
#endif
    rest = rest + SELECT(GT(ABS(z.low), C(1)), C(0), z.low); /* beyond 2^53 z is clamped, and its second part no small thing */
    V square = r * r, half = square * C(0.5), tail = C(pair_exp_terms[9]);
    for (int i = 8; i >= 0; i--) tail = FMA(tail, r, C(pair_exp_terms[i]));
    /* t = r + r^2 / 2 + r^3 tail, each rounding kept */
    W more = pair_fast_sum(half, square * r * tail);
    W t = pair_fast_sum(r, more.high);
    return (W){t.high, t.low + (more.low + FMA(C(0.5), pair_product_low(r, r, square), FMA(t.high, rest, rest)))};
}

static inline W pair_exp(W z) {
    V k;
    W t = pair_exp_parts(z, C(f64_EXP_LOW), &k), p = pair_fast_sum(C(1), t.high);
    return (W){f64_scaled(p.high, k), pair_clean(f64_scaled(p.low + t.low, k))};
}

/* a e^z, rounded once, subnormal results too; 0 where e^z vanishes, however large a is */
static inline W pair_exp_times(W a, W z) {
    V k, far = C(-1400);
    W t = pair_exp_parts(z, far, &k), p = pair_fast_sum(C(1), t.high);
    p.low = p.low + t.low;
    V result = f64_scaled(pair_value(pair_multiply(a, p)), k);
    return pair_of(SELECT(LT(z.high, far), C(0), result));
}

/* a e^min(z, 0): e = e^-|z| would do but for subnormal results, which it has fewer digits for */
static inline W pair_damped(W a, W z, W e) {
    (void)e;
    return pair_exp_times(a, pair_select(GT(z.high, C(0)), pair_of(C(0)), z));
}

static inline W pair_expm1(W z) {
    V k, most = C(60);
    W t = pair_exp_parts((W){MAX(C(f64_EXPM1_LOW), MIN(most, z.high)), z.low}, C(f64_EXPM1_LOW), &k);
    V power = f64_scaled(C(1), k);
    W y = pair_add(pair_sum(power, C(-1)), (W){power * t.high, power * t.low});
    y = pair_select(GT(z.high, most), pair_exp(z), y); /* where 1 no longer matters */
    return (W){WITH_SIGN(ABS(y.high), z.high), y.low}; /* -0 keeps its sign */
}
