/* sin(z), and sin(z) + cos(z), for wide formulas. The sum is a sine, too, of z + pi/4.
 *
 * We subtract a multiple of pi: r = z + shift pi - k pi, |r| <= pi/2. One odd polynomial then gives sin(r); multiples of pi/2
 * would need two, and a choice between them. Up to SIN_FAR we subtract k pi in three parts (wide_without). k times each of the
 * first two is exact, and r is good to 2^-85 for float64, 2^-52 for float32. Larger arguments go through payne_hanek.h, lane by
 * lane. The other lanes of their vector keep their bits.
 *
 * Worst found against mpmath, for a from 1e-3 to 1e5 and x from all binades, with the neighbours of multiples of pi/4 and
 * pi/(4 a): snake .501 ULP in float32 and .508 in float64; its derivative .501 and .509, or below 2^-54 absolute. */
#define SIN_FAR 0x1p20

/* sin(z + shift pi) for a shift of 0 or 1/4, where z = a x. Beyond SIN_FAR it uses a and x, since z may overflow. */
static ALWAYS_INLINE W wide_shifted_sin(W z, W a, W x, double shift) {
    f64_v k =
        (f64_fma(wide_leading(z), f64_set(0x1.45f306dc9c883p-2), f64_set(shift)) + f64_set(f64_ROUNDER)) - f64_set(f64_ROUNDER);
    W r = wide_without(z, k - f64_set(shift), pi_parts);
    f64_m far = f64_gt(f64_abs(wide_leading(z)), f64_set(SIN_FAR));
    if (f64_any(far)) {
        double high[f64_lanes], low[f64_lanes], odd[f64_lanes];
        W scaled = wide_multiply(a, wide_multiply(x, wide_number(FAR_SCALE)));
        f64_store(high, wide_leading(scaled));
        f64_store(low, wide_trailing(scaled));
        reduce_far(high, low, odd, f64_lanes, shift);
        W pi = wide_constant(0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53);
        r = wide_select(far, wide_multiply(wide_pair(f64_load(high), f64_load(low)), pi), r);
        k = f64_select(far, f64_load(odd), k);
    }
    f64_v half = f64_fma(k, f64_set(0.5), f64_set(f64_ROUNDER)) - f64_set(f64_ROUNDER);
    f64_v parity = f64_fma(half, f64_set(-2), k); /* 0 for an even k, else 1 or -1 */
    r = wide_select(f64_gt(f64_abs(parity), f64_set(0.5)), wide_negative(r), r);
    /* the polynomial is sin(r) / r by r^2 */
    return wide_multiply(r, wide_terms(wide_multiply(r, r), SIN_TERMS));
}

static ALWAYS_INLINE W wide_sin(W z) { return wide_shifted_sin(z, z, wide_number(1), 0); }

/* sin(a x) + cos(a x) = sqrt 2 sin(a x + pi / 4), for a product a x up to 2^1088 */
static ALWAYS_INLINE W wide_sin_plus_cos(W a, W x) {
    W root2 = wide_constant(0x1.6a09e667f3bcdp+0, -0x1.bdd3413b26456p-54);
    return wide_multiply(root2, wide_shifted_sin(wide_multiply(a, x), a, x, 0.25));
}
