/* The logarithms of the sums of rows, in double. For results in float32 they are good to 2^-34. */

/* log(1 + x) for x >= 0 */
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
    y = f64_fma(k, f64_set(0x1.62e42fefa3800p-1), f64_fma(k, f64_set(0x1.ef35793c76730p-45), y)); /* ln 2 in two parts */
    return f64_select(f64_gt(f64_set(0x1p1000), x), y, x + x); /* what is infinite or NaN stays so */
}

#ifndef HAVE_FLOAT_LOGARITHMS
/* log(sum(e^x)) of `rows` rows as high + low, so that an entry less this is rounded twice only: from the sums of the exponentials of the
 * other entries than those that equal the maximum, in two parts, and how many do; or, without `maxima`, of all but one. That one's own
 * exponential, 1, is left out of the sum, so that a small rest keeps its digits. The arrays have room for whole vectors. */
static void logarithms(const T *rest, const T *rest_low, const T *maxima, const T *max, const T *shift, const T *k, T *high, T *low, size_t rows) {
    for (size_t r = 0; r < rows; r += f64_lanes) {
        const f64_v top = LOAD_DOUBLES(max + r);
        const f64_v inverse = exp_for_logarithm(LOAD_DOUBLES(shift + r) - top, -LOAD_DOUBLES(k + r));
        f64_v others = f64_set(0), below = LOAD_DOUBLES(rest + r) + LOAD_DOUBLES(rest_low + r);
        if (maxima) others = LOAD_DOUBLES(maxima + r) - f64_set(1);
        const f64_v log = log1p_of_doubles(f64_fma(below, inverse, others));
        STORE_DOUBLES(high + r, top + log);
        const f64_v rounded = LOAD_DOUBLES(high + r), back = rounded - top;
        STORE_DOUBLES(low + r, (top - (rounded - back)) + (log - back));
    }
}

/* ratio = far + log(1 + ratio) */
static void far_logarithms(const T *far, T *ratio, size_t rows) {
    for (size_t r = 0; r < rows; r += f64_lanes) STORE_DOUBLES(ratio + r, LOAD_DOUBLES(far + r) + log1p_of_doubles(LOAD_DOUBLES(ratio + r)));
}
#endif

/* Room for rows whose logarithms are taken together: as many as a vector of doubles holds, while they stay in L1 */
enum { LOG_ROWS = f64_lanes > 4 ? f64_lanes : 4, LOG_ROOM = LANES > LOG_ROWS ? LANES : LOG_ROWS };
