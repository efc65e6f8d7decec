/* The exponentials of the rows in float32 where the set has look-ups of 16 entries. They replace those of common.h: 2^(j / 16)
 * from a table, corrected by its rounding error, times a cubic. The error is .53 ULP. There are two ways of scaling, one of them
 * without vscalefps, which is slow. Both give the same bits. */
#define HAVE_TABLE_EXPONENTIALS 1

/* e^x = 2^(s / 16) (1 + t), and z = s + rounder; step by step for several, or too many operations wait for others: two vectors at once
 * take 4.5 cycles each instead of 4.9 */
static ALWAYS_INLINE void f32_sixteenths_of(int count, const f32_v *x, float rounder, f32_v *z, f32_v *s, f32_v *t) {
    f32_v r[4], q[4];
    for (int i = 0; i < count; i++) z[i] = f32_fma(x[i], f32_set(f32_SIXTEENTHS), f32_set(rounder));
    for (int i = 0; i < count; i++) s[i] = z[i] - f32_set(rounder);
    for (int i = 0; i < count; i++) r[i] = f32_fma(s[i], f32_set(-f32_SIXTEENTH_HI), x[i]);
    for (int i = 0; i < count; i++) r[i] = f32_fma(s[i], f32_set(-f32_SIXTEENTH_LO), r[i]);
    for (int i = 0; i < count; i++) q[i] = f32_fma(f32_set(f32_CUBIC), r[i], f32_set(f32_SQUARE));
    for (int i = 0; i < count; i++) q[i] = f32_fma(q[i], r[i], f32_set(1));
    for (int i = 0; i < count; i++) t[i] = f32_fma(q[i], r[i], f32_lookup(f32_sixteenths_error, z[i]));
}

static ALWAYS_INLINE void exps_above(int count, f32_v *x, f32_v by, f32_v floor) {
    f32_v z[4], s[4], t[4], power[4];
    for (int i = 0; i < count; i++) x[i] = f32_max(floor, x[i]); /* NaN passes */
    f32_sixteenths_of(count, x, f32_ROUNDER, z, s, t);
    for (int i = 0; i < count; i++) power[i] = f32_lookup(f32_sixteenths, z[i]);
    for (int i = 0; i < count; i++) x[i] = f32_scale(f32_fma(power[i], t[i], power[i]), f32_fma(s[i], f32_set(0.0625f), -by)); /* scale takes the floor */
}

/* Where -1024 <= s < 1024, no bit but the last eleven of 1024 + s + ROUNDER differs from ROUNDER's: `seen` gathers those that do, with
 * one operation instead of the two for the largest |x|. */
static ALWAYS_INLINE void moderate_exps(int count, f32_v *x, f32_v *seen) {
    f32_v z[4], s[4], t[4], power[4];
    f32_sixteenths_of(count, x, f32_ROUNDER + 1024, z, s, t);
    for (int i = 0; i < count; i++) power[i] = f32_lookup_scaled(f32_sixteenths_bits, z[i]);
    for (int i = 0; i < count; i++) *seen = f32_or_different(*seen, z[i], f32_set(f32_ROUNDER));
    for (int i = 0; i < count; i++) x[i] = f32_fma(power[i], t[i], power[i]);
}
static inline int is_moderate(f32_v seen) { return !f32_any_bit(seen, ~2047u); }
