/* The logarithm of the sum of a row, less that of its largest exponential: log(1 + rest / largest). */

/* log(1 + x) for x >= 0, in double. For results in float32 it is good to 2^-34. */
static inline f64_v log1p_of_doubles(f64_v x) {
    const f64_v one = f64_set(1);
    const f64_m small = f64_gt(f64_set(0.4), x);
    const f64_v u = one + x;
    f64_v k = f64_exponent(u), m = f64_scaled(u, -k);
    const f64_m upper = f64_gt(m, f64_set(1.42));
    k = f64_select(small, f64_set(0), f64_select(upper, k + one, k));
    const f64_v f = f64_select(small, x, f64_select(upper, f64_set(0.5) * m, m) - one);
    /* 2 atanh(f / (2 + f)), |f / (2 + f)| < .174: six terms of the series are good to 2^-34 */
    const f64_v s = f / (f64_set(2) + f), square = s * s;
    f64_v y = f64_set(2.0 / 11);
    for (int i = 4; i >= 0; i--) y = f64_fma(y, square, f64_set(2.0 / (2 * i + 1)));
    y = y * s;
    if (sizeof(T) == sizeof(double)) { /* a step of Newton's for e^y = 1 + f */
        const f64_v t = f64_expm1(-y);
        y = y + f64_fma(f, t, f + t);
    }
    y = f64_fma(k, f64_set(0x1.ef35793c76730p-45), y); /* ln 2 in two parts */
    y = f64_fma(k, f64_set(0x1.62e42fefa3800p-1), y);
    return f64_select(f64_gt(f64_set(0x1p1000), x), y, x + x); /* what is infinite or NaN stays so */
}

#if defined(LOOKUPS_f32) && defined(ROWS_OF_FLOATS)
/* log(1 + r + r_low), for r >= 0 that is finite, or NaN, and an r_low that is less than the last place of r.
 * Sums of two floats take its steps: a vector has twice as many as of doubles. The error is about 2^-26. */
static inline V log1p_of_parts(V r, V r_low) {
    const f32_v one = f32_set(1), larger = f32_max(one, r), smaller = f32_min(one, r), u = larger + smaller;
    const f32_v m = f32_mantissa(u);
    const f32_v k = f32_exponent(u * f32_set(4 / 3.0f)); /* u 4/3 reaches the next power where m < 1 */
    const f32_v f = m - one, square = f * f, unit = f32_pow2(f32_set(f32_ROUNDER) - k);
    const f32_v lost = ((smaller - (u - larger)) + r_low) * unit;
    f32_v q[4]; /* by pairs: what waits for eight products in a row holds up the next vector, too */
    for (int i = 0; i < 4; i++) q[i] = f32_fma(f32_set(f32_log_q[2 * i + 1]), f, f32_set(f32_log_q[2 * i]));
    for (int i = 2; i >= 0; i--) q[i] = f32_fma(q[i + 1], square, q[i]);
    const f32_v by_one_more = lost * f32_fma(f, f - one, one); /* lost / (1 + f), nearly */
    const f32_v y = f32_fma(square, f32_fma(q[0], f, f32_set(-0.5f)), by_one_more);
    const f32_v whole = k * f32_set(f32_LOG_HI), high = whole + f; /* whole is exact, and 0 or above f */
    return high + ((f - (high - whole)) + f32_fma(k, f32_set(f32_LOG_LO), y));
}

/* log(1 + rest / e), for rows whose largest entry is `top`, with the exponential e. The parts of e^-top keep
 * a small quotient exact. */
static inline V log_of_rest(V rest, V rest_low, V top, Scale s, Shift by) {
    const V x = -top, bias = C(2 * ROUNDER) - by.bias;
    V z, whole, t;
    reduce_exponents(1, &x, s, bias, &z, &whole, &t);
    const V power = LOOKUP_SCALED(POWERS_BITS, z);
    const V first = FMA(power, t, power), second = FMA(power, t, power - first);
    const V product = rest * first, low = FMA(rest_low, first, FMA(rest, first, -product) + rest * second);
    return log1p_of_parts(product, low);
}
#else
/* log(1 + r), for r >= 0 */
static V log1p_of_parts(V r, V r_low) {
    T a[LANES], low[LANES];
    STORE(a, r);
    STORE(low, r_low);
    for (int i = 0; i < LANES; i += f64_lanes)
        STORE_DOUBLES(a + i, log1p_of_doubles(LOAD_DOUBLES(a + i) + LOAD_DOUBLES(low + i)));
    return LOAD(a);
}

static V log_of_rest(V rest, V rest_low, V top, Scale s, Shift by) {
    T a[LANES], low[LANES], x[LANES], factor[LANES], factor_low[LANES], k[LANES];
    STORE(a, rest);
    STORE(low, rest_low);
    STORE(x, top);
    STORE(factor, s.factor);
    STORE(factor_low, s.factor_low);
    STORE(k, (by.bias - C(ROUNDER)) * C(1.0 / STEPS));
    for (int i = 0; i < LANES; i += f64_lanes) {
        const f64_v scale = LOAD_DOUBLES(factor + i) + LOAD_DOUBLES(factor_low + i);
        const f64_v entry = LOAD_DOUBLES(x + i), y = entry * scale, y_low = product_low(entry, scale, y);
        const f64_v inverse = f64_exp_by(-y, LOAD_DOUBLES(k + i));
        const f64_v sum = LOAD_DOUBLES(a + i) + LOAD_DOUBLES(low + i);
        STORE_DOUBLES(a + i, log1p_of_doubles(sum * f64_fma(inverse, -y_low, inverse)));
    }
    return LOAD(a);
}
#endif
