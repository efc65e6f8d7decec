/* Exponentials and sums in double, for the rows of both precisions. */

/* e^x 2^-by for any x up to 2^14 */
static inline f64_v f64_exp_by(f64_v x, f64_v by) {
    f64_v k, whole;
    f64_v t = f64_expm1_remainder(f64_max(f64_set(-16384), x), &k, &whole);
    k = k - by;
#ifndef HAVE_SCALE
    k = f64_max(f64_set(-2 * f64_MAX_EXPONENT + 2), k);
#endif
    return f64_scaled(f64_set(1) + t, k);
}

/* s + term, with the rounding of the sum carried to the next: entries of any number add up in order */
static inline f64_v f64_add_carried(f64_v s, f64_v term, f64_v *carry) {
    f64_v corrected = term - *carry, next = s + corrected;
    *carry = (next - s) - corrected;
    return next;
}

/* The sum of the lanes, less the carries, without the roundings on the way */
static inline double f64_total(f64_v sum, f64_v carry) {
    double a[f64_lanes], b[f64_lanes], high = 0, low = 0;
    f64_store(a, sum);
    f64_store(b, carry);
    for (int i = 0; i < f64_lanes; i++) {
        const double next = high + a[i], back = next - high;
        low += (high - (next - back)) + (a[i] - back) - b[i];
        high = next;
    }
    return high + low;
}

/* a * b - product, where it is finite */
static inline f64_v product_low(f64_v a, f64_v b, f64_v product) {
#ifdef HAVE_FMA
    const f64_v low = f64_fma(a, b, -product);
#else
    const f64_v a1 = f64_cut(a), b1 = f64_cut(b), a2 = a - a1, b2 = b - b1;
    const f64_v low = ((a1 * b1 - product) + (a1 * b2 + a2 * b1)) + a2 * b2;
#endif
    return f64_select(f64_gt(f64_set(HUGE_VAL), f64_abs(low)), low, f64_set(0));
}

/* a + b - sum, where it is finite */
static inline f64_v sum_low(f64_v a, f64_v b, f64_v sum) {
    const f64_v back = sum - a, low = (a - (sum - back)) + (b - back);
    return f64_select(f64_gt(f64_set(HUGE_VAL), f64_abs(low)), low, f64_set(0));
}

static inline double first_lane(f64_v a) {
    double lanes[f64_lanes];
    f64_store(lanes, a);
    return lanes[0];
}
