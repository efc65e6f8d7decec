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

/* The same to the digits that logarithms of the precision need */
static inline f64_v exp_for_logarithm(f64_v x, f64_v by) {
    if (sizeof(T) == sizeof(double)) return f64_exp_by(x, by);
    f64_v k, whole, t = short_expm1_remainder(x, &k, &whole);
    return f64_scaled(f64_set(1) + t, k - by);
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

#ifndef HAVE_FOLDS
/* The sums of as many vectors as there are lanes, one in each */
static inline f64_v f64_sums(const f64_v *rows) {
    double sums[f64_lanes];
    for (int i = 0; i < f64_lanes; i++) sums[i] = f64_sum(rows[i]);
    return f64_load(sums);
}
#endif
