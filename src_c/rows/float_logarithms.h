/* The logarithms of the sums of float32 rows, for sets with FMA and a short table of exponentials. They are sums of two floats,
 * not doubles: so a vector has twice as many. The relative error is about 2^-26. */

#define HAVE_FLOAT_LOGARITHMS

/* a + b, and what that rounds off */
static inline f32_v f32_two_sum(f32_v a, f32_v b, f32_v *low) {
    const f32_v sum = a + b, back = sum - a;
    *low = (a - (sum - back)) + (b - back);
    return sum;
}

/* log(1 + r + r_low) as high + low, for r >= 0 that is finite, or NaN, and an r_low that is less than the last place of r */
static inline f32_v f32_log1p_parts(f32_v r, f32_v r_low, f32_v *low) {
    const f32_v one = f32_set(1), larger = f32_max(one, r), smaller = f32_min(one, r), u = larger + smaller;
    const f32_v m = f32_mantissa(u), k = f32_exponent(u * f32_set(4 / 3.0f)); /* u 4/3 reaches the next power of two where m < 1 */
    const f32_v f = m - one, square = f * f, rest = f32_scale((smaller - (u - larger)) + r_low, -k);
    f32_v q[4]; /* by pairs: what waits for eight products in a row holds up the next vector, too */
    for (int i = 0; i < 4; i++) q[i] = f32_fma(f32_set(f32_log_q[2 * i + 1]), f, f32_set(f32_log_q[2 * i]));
    for (int i = 2; i >= 0; i--) q[i] = f32_fma(q[i + 1], square, q[i]);
    const f32_v y = f32_fma(square, f32_fma(q[0], f, f32_set(-0.5f)), rest * f32_fma(f, f - one, one)); /* rest / (1 + f), nearly */
    const f32_v whole = k * f32_set(f32_LOG_HI), high = whole + f; /* the first is exact, and more than f or 0 */
    *low = (f - (high - whole)) + f32_fma(k, f32_set(f32_LOG_LO), y);
    return high;
}

/* As in logarithms.h */
static void logarithms(const float *rest, const float *rest_low, const float *maxima, const float *max, const float *shift, const float *k, float *high,
                           float *low, size_t rows) {
    for (size_t r = 0; r < rows; r += f32_lanes) {
        /* e^(shift - max) 2^k in two parts, and the rest times it, plus the number of other maxima */
        const f32_v top = f32_load(max + r), below = f32_load(rest + r);
        f32_v z, s, t, lost = f32_set(0);
        const f32_v below_top = f32_load(shift + r) - top;
        f32_sixteenths_of(1, &below_top, f32_ROUNDER, &z, &s, &t);
        const f32_v power = f32_lookup(f32_sixteenths, z), first = f32_fma(power, t, power), second = f32_fma(power, t, power - first);
        const f32_v by = f32_fma(s, f32_set(0.0625f), f32_load(k + r)), product = below * first;
        const f32_v second_part = f32_fma(f32_load(rest_low + r), first, f32_fma(below, first, -product) + below * second);
        f32_v product_low = f32_scale(second_part, by), sum = f32_scale(product, by);
        if (maxima) {
            sum = f32_two_sum(f32_load(maxima + r) - f32_set(1), sum, &lost);
            product_low = product_low + lost;
        }
        f32_v log_low, sum_low;
        const f32_v log = f32_log1p_parts(sum, product_low, &log_low), total = f32_two_sum(top, log, &sum_low);
        const f32_v both = sum_low + log_low, rounded = total + both; /* the first is less; or so small that what is lost is nothing */
        f32_store(high + r, rounded);
        f32_store(low + r, both - (rounded - total));
    }
}

static void far_logarithms(const float *far, float *ratio, size_t rows) {
    for (size_t r = 0; r < rows; r += f32_lanes) {
        f32_v low;
        const f32_v log = f32_log1p_parts(f32_load(ratio + r), f32_set(0), &low);
        f32_store(ratio + r, f32_load(far + r) + (log + low));
    }
}
