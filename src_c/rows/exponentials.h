/* The exponentials of rows: e^(scale x) 2^-K, with a whole number K.
 *
 * K is near the largest scale x / ln 2, less RAISED. So x - max is never rounded, whose error the
 * exponential would amplify: the usual form is off by 14 to 66 ULP. Another K changes only the exponent of a
 * result. There are two ways:
 *
 * - moderately: K = 0. No exponential is subnormal, no sum overflows, if |scale x| < MODERATE_POWER ln 2.
 *   We test it while we take the exponentials, and take them again by K where it fails.
 * - by K: The largest exponential is near 2^RAISED. An exponential below 2^LEAST_POWER is 0: divided by the
 *   sum and times an ordinary weight it would be 0, too. All others are normal numbers. */

#if defined(LOOKUPS)
enum { STEPS = LOOKUPS };
#else
enum { STEPS = 1 };
#endif

/* A scale and what it makes of exponents: e^(scale x) = 2^((high + low) x / STEPS). Without look-ups high +
 * low are the scale. */
typedef struct {
    V high, low, factor, factor_low; /* the last two are the scale, rounded, and the rounding error */
} Scale;

static Scale scale_by(double scale) {
    const T factor = (T)scale;
    Scale s = {C(factor), C(scale - factor), C(factor), C(scale - factor)};
#ifdef LOOKUPS
    const double first = STEPS * 0x1.71547652b82fep+0, rest = STEPS * 0x1.777d0ffda0d24p-56; /* 1 / ln 2 */
    double high[f64_lanes], low[f64_lanes];
    f64_store(high, f64_set(scale * first));
    f64_store(low, f64_fma(f64_set(scale), f64_set(first), -f64_load(high)) + f64_set(scale * rest));
    s.high = C(*high);
    s.low = C((*high - (T)*high) + *low);
#endif
    return s;
}

typedef struct {
    V bias, floor; /* ROUNDER - STEPS K, and the least STEPS scale x / ln 2 whose exponential is not 0 */
} Shift;

static inline Shift no_shift(void) { return (Shift){C(ROUNDER), NOTHING}; }

/* The K of rows whose largest scale x is `max` */
static inline Shift shift_by(V max) {
    const V k = (FMA(max, C(LOG2E), C(ROUNDER)) - C(ROUNDER)) - C(RAISED);
    return (Shift){C(ROUNDER) - C(STEPS) * k, C(STEPS) * (k + C(LEAST_POWER))};
}

/* Beyond this size of max, K would not be exact enough, and x - max is exact: every x that counts is within a
 * factor 2. */
#define FAR 8192

#ifdef LOOKUPS
/* 2^(scale x / ln 2) = 2^(whole / STEPS) (1 + t), and z = whole + bias. Several vectors go step by step: one
 * by one, operations would wait for each other. */
static ALWAYS_INLINE void reduce_exponents(int count, const V *x, Scale s, V bias, V *z, V *whole, V *t) {
    enum { TERMS = sizeof POWER_Q / sizeof *POWER_Q };
    V r[4];
    for (int i = 0; i < count; i++) z[i] = FMA(x[i], s.high, bias);
    for (int i = 0; i < count; i++) whole[i] = z[i] - bias;
    for (int i = 0; i < count; i++) r[i] = FMA(x[i], s.high, -whole[i]);
    for (int i = 0; i < count; i++) r[i] = FMA(x[i], s.low, r[i]);
    for (int i = 0; i < count; i++) t[i] = FMA(C(POWER_Q[TERMS - 1]), r[i], C(POWER_Q[TERMS - 2]));
    UNROLLED for (int k = TERMS - 3; k >= 0; k--)
        for (int i = 0; i < count; i++) t[i] = FMA(t[i], r[i], C(POWER_Q[k]));
    for (int i = 0; i < count; i++) t[i] = FMA(t[i], r[i], LOOKUP(POWERS_ERROR, z[i]));
}

/* x becomes its exponential. The error is .53 ULP. `moderately` takes K = 0, whatever `by` is; and `seen`
 * collects the high bits for is_moderate: the rounded number of steps of an entry that is not moderate
 * differs from ROUNDER in one of them. */
static ALWAYS_INLINE void exps(int moderately, int count, V *x, Scale s, Shift by, V *seen) {
    V z[4], whole[4], t[4], power[4];
    reduce_exponents(count, x, s, moderately ? C(ROUNDER + MODERATE_POWER * STEPS) : by.bias, z, whole, t);
    for (int i = 0; i < count; i++) power[i] = LOOKUP_SCALED(moderately ? MODERATE_BITS : POWERS_BITS, z[i]);
    for (int i = 0; i < count && moderately; i++) *seen = OR_DIFFERENT(*seen, z[i], C(ROUNDER));
    for (int i = 0; i < count; i++) x[i] = FMA(power[i], t[i], power[i]);
    for (int i = 0; i < count && !moderately; i++) x[i] = SELECT(LT(whole[i], by.floor), C(0), x[i]);
}
static inline int is_moderate(V seen) { return !ANY_BIT(seen, -(2 * MODERATE_POWER * STEPS)); }
#else
/* What rounding takes off x * factor, and the low part of the factor times x */
static inline V scaled_low(V x, Scale s, V product) {
#ifdef HAVE_FMA
    return FMA(x, s.factor_low, FMA(x, s.factor, -product));
#else
    T a[LANES], b[LANES], p[LANES];
    STORE(a, x);
    STORE(b, s.factor);
    STORE(p, product);
    for (int i = 0; i < LANES; i += f64_lanes) {
        const f64_v first = LOAD_DOUBLES(a + i), second = LOAD_DOUBLES(b + i), both = LOAD_DOUBLES(p + i);
        STORE_DOUBLES(a + i, product_low(first, second, both));
    }
    return LOAD(a) + x * s.factor_low;
#endif
}

static ALWAYS_INLINE void exps(int moderately, int count, V *x, Scale s, Shift by, V *seen) {
    for (int i = 0; i < count; i++) {
        const V y = x[i] * s.factor, low = scaled_low(x[i], s, y);
        V k, whole, t = EXPM1_REMAINDER(y, &k, &whole);
        t = FMA(low, C(1) + t, t);
        if (!moderately) whole = k + by.bias;
        const V power = POW2(whole);
        x[i] = FMA(power, t, power);
        if (moderately)
            *seen = MAX(ABS(k), *seen);
        else
            x[i] = SELECT(LT(k, by.floor), C(0), x[i]);
    }
}
static inline int is_moderate(V seen) { return LARGEST_LANE(seen) < MODERATE_POWER; }
#endif

static ALWAYS_INLINE V exp_by(V x, Scale s, Shift by) {
    exps(0, 1, &x, s, by, NULL);
    return x;
}

/* What exponentials are multiplied by: `scale` times 2^power. A product that is subnormal takes three times
 * as long as others, and a power of two does not. So the power is taken apart. */
typedef struct {
    V scale, low, power; /* `low` is what rounding took off `scale` */
} Factor;

/* Whether exponentials are off by so much that what a factor loses counts. Where it does not, it is rounded
 * once. */
#if defined(HAVE_FMA) && !defined(LOOKUPS)
#define LOW_FACTORS 1
#else
#define LOW_FACTORS 0
#endif

/* weight / (sum + sum_low), and 0 for a row without any entry, whose sum is 0 */
static inline Factor quotient_of(V weight, V sum, V sum_low) {
#ifdef HAVE_FMA
    const V inverse = C(1) / sum; /* one division, which takes as long as 10 multiplications */
    Factor f = {weight * inverse, C(0), C(0)};
    const V low = FMA(-f.scale, sum_low, FMA(-f.scale, sum, weight)) * inverse;
    const M is_finite = LT(ABS(low), ABS(f.scale)); /* or low is NaN */
    const V rounded = f.scale + low;
    f.low = SELECT(is_finite, (f.scale - rounded) + low, C(0));
    f.scale = SELECT(LE(sum, C(0)), C(0), SELECT(is_finite, rounded, f.scale));
    return f;
#else /* in double: with the roundings of the sum and of the quotient, entries were off by up to 5.1 ULP */
    T over[LANES], parts[2][LANES];
    STORE(over, weight);
    STORE(parts[0], sum);
    STORE(parts[1], sum_low);
    for (int i = 0; i < LANES; i += f64_lanes)
        STORE_DOUBLES(over + i,
                      LOAD_DOUBLES(over + i) / (LOAD_DOUBLES(parts[0] + i) + LOAD_DOUBLES(parts[1] + i)));
    return (Factor){SELECT(LE(sum, C(0)), C(0), LOAD(over)), C(0), C(0)};
#endif
}

static inline Factor power_apart(Factor f) {
#ifdef HAVE_SCALE
    const V power = EXPONENT(f.scale);
    f.power = MAX(C(-2 * MAX_EXPONENT), MIN(C(2 * MAX_EXPONENT), power)); /* of 0 and infinity too */
    f.scale = SCALE(f.scale, -f.power);
    f.low = SCALE(f.low, -f.power);
#endif
    return f;
}

static inline Factor factor_of(V weight, V sum, V sum_low) {
    return power_apart(quotient_of(weight, sum, sum_low));
}

static ALWAYS_INLINE V times_factor(V e, Factor f) {
    V product = e * f.scale;
#ifdef HAVE_FMA
    if (LOW_FACTORS) product = FMA(e, f.scale, e * f.low);
#endif
#ifdef HAVE_SCALE
    product = SCALE(product, f.power);
#endif
    return product;
}

/* A weight is ordinary if no quotient by a sum is subnormal or infinite, and if no exponential counts that
 * is 0 by K. 0 and NaN are ordinary. */
static inline int is_ordinary(T weight) {
    const T size = ABS_OF(weight);
    return weight == 0 || !(size <= (T)0x1p-32 || size >= (T)0x1p16);
}

/* e^x 2^LIFT. It is normal unless it is 0. x is cut to where it becomes infinite, a quarter of a step above a
 * power of two: no logarithm of a probability is as large. */
static ALWAYS_INLINE V lifted_exp(V x, Scale unit) {
    const V largest = C((MAX_EXPONENT + 1 - LIFT + 0.25 / STEPS) * LN2);
    return exp_by(MIN(largest, x), unit,
                  (Shift){C(ROUNDER + STEPS * LIFT), C(STEPS * (1 - MAX_EXPONENT - LIFT))});
}

/* less scale - log, where `less` is x - max, not above 0. -inf times a low part of 0 would be NaN: for that
 * product `less` is cut to -2^60, below which it does not count. */
static ALWAYS_INLINE V log_entry(V less, Scale s, V log) {
    const V finite = MAX(C(-0x1p60), less);
    return FMA(less, s.factor, FMA(finite, s.factor_low, -log));
}

/* Whether a row is left to exact_row: its mean is not finite, since a sum has overflowed or the row has a
 * NaN; or so small that LOWER would make it subnormal. */
static inline int is_left(int lowered, V mean) {
    if (ANY(IS_NAN(mean - mean))) return 1;
    const V size = ABS(mean);
    return lowered && ANY(LT(SELECT(GT(size, C(0)), size, C(1)), C(SMALL_MEAN)));
}
