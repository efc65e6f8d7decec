/* The exponentials of the rows in float32. exp_above is e^x 2^-by for any x up to 2^14, or of
 * `floor` where x is less; moderate_exp is e^x where |x| is below 44,
 * and tells whether it was.
 * Where there are 16-entry look-ups, 2^(j/16) by table and a cubic: .53 ULP, since the table's own rounding is made good; 13
 * operations, or 12 cheaper ones without vscalefps, which takes as long as three. Both give the same bits. */
#ifdef HAVE_SHORT_TABLE
/* e^x = 2^(s / 16) (1 + t); returns s + rounder */
static inline f32_v f32_sixteenths_of(f32_v x, float rounder, f32_v *s, f32_v *t) {
    const f32_v z = f32_fma(x, f32_set(f32_SIXTEENTHS), f32_set(rounder));
    *s = z - f32_set(rounder);
    const f32_v r = f32_fma(*s, f32_set(-f32_SIXTEENTH_LO), f32_fma(*s, f32_set(-f32_SIXTEENTH_HI), x));
    const f32_v q = f32_fma(f32_fma(f32_set(f32_CUBIC), r, f32_set(f32_SQUARE)), r, f32_set(1));
    *t = f32_fma(q, r, f32_lookup(f32_sixteenths_rest, z));
    return z;
}

static inline f32_v f32_exp_above(f32_v x, f32_v by, f32_v floor) {
    f32_v s, t;
    const f32_v z = f32_sixteenths_of(f32_max(floor, x), f32_ROUNDER, &s, &t); /* NaN passes */
    const f32_v power = f32_lookup(f32_sixteenths, z);
    return f32_scale(f32_fma(power, t, power), f32_fma(s, f32_set(0.0625f), -by)); /* scale takes the floor */
}

/* Where -1024 <= s < 1024, no bit but the last eleven of 1024 + s + ROUNDER differs from ROUNDER's: `seen` gathers those that do, with
 * one operation instead of the two for the largest |x|. */
static inline f32_v f32_moderate_exp(f32_v x, f32_v *seen) {
    f32_v s, t;
    const f32_v z = f32_sixteenths_of(x, f32_ROUNDER + 1024, &s, &t), power = f32_lookup_scaled(f32_sixteenths_less, z);
    *seen = f32_or_different(*seen, z, f32_set(f32_ROUNDER));
    return f32_fma(power, t, power);
}
static inline int f32_is_moderate(f32_v seen) { return !f32_any_bit(seen, ~2047u); }
#else
#define f32_exp_above f32_plain_exp
static inline f32_v f32_plain_exp(f32_v x, f32_v by, f32_v floor);
static inline f32_v f32_moderate_exp(f32_v x, f32_v *seen) {
    *seen = f32_max(f32_abs(x), *seen);
    return f32_plain_exp(x, f32_set(0), f32_set(-16384));
}
static inline int f32_is_moderate(f32_v seen) { return f32_largest(seen) < f32_MODERATE; }
#endif
