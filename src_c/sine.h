/* sin(z), and sin(z) + cos(z), for wide formulas: both are a sine, the second of z + pi / 4.
 *
 * The argument is brought to r = z + shift pi - k pi, |r| <= pi / 2, and one odd polynomial does the rest: with pi / 2 in place
 * of pi there would be two, and a choice between them. Up to SIN_FAR, k pi is taken away in three parts (FN(without), in mid.h
 * and pair.h), of which k times the first two is exact: r is good to 2^-85 for pairs, 2^-52 for mid. What is larger goes
 * through reduce.h, lane by lane; the other lanes of its vector do not notice.
 *
 * Worst found against mpmath, for a from 1e-3 to 1e5 and x from all binades, with the neighbours of multiples of pi / 4 and
 * pi / (4 a): snake .501 ULP in float32 and .508 in float64; its derivative .501 and .509, or below 2^-54 absolute. */
#define SIN_FAR 0x1p20

/* sin(z + shift pi) for a shift of 0 or 1/4, where z = a x: beyond SIN_FAR it is computed from a and x, since z may overflow */
static ALWAYS_INLINE W FN(shifted_sin)(W z, W a, W x, double shift) {
    V k = (FMA(FN(leading)(z), C(0x1.45f306dc9c883p-2), C(shift)) + C(f64_ROUNDER)) - C(f64_ROUNDER);
    W r = FN(without)(z, k - C(shift), pi_parts);
    M far = GT(ABS(FN(leading)(z)), C(SIN_FAR));
    if (OP(any)(far)) {
        double high[LANES], low[LANES], odd[LANES];
        W scaled = FN(multiply)(a, FN(multiply)(x, NUMBER(FAR_SCALE)));
        STORE(high, FN(leading)(scaled));
        STORE(low, FN(trailing)(scaled));
        reduce_far(high, low, odd, LANES, shift);
        W pi = FN(constant)(C(0x1.921fb54442d18p+1), C(0x1.1a62633145c07p-53));
        r = FN(select)(far, FN(multiply)(FN(constant)(LOAD(high), LOAD(low)), pi), r);
        k = SELECT(far, LOAD(odd), k);
    }
    V pairs = FMA(k, C(0.5), C(f64_ROUNDER)) - C(f64_ROUNDER), left = FMA(pairs, C(-2), k); /* 0 for an even k, else 1 or -1 */
    r = FN(select)(GT(ABS(left), C(0.5)), FN(negative)(r), r);
    /* sin(r) / r by r^2 */
    return FN(multiply)(r, FN(terms)(FN(multiply)(r, r), TERMS(sin)));
}

static inline W FN(sin)(W z) { return FN(shifted_sin)(z, z, NUMBER(1), 0); }

/* sin(a x) + cos(a x) = sqrt 2 sin(a x + pi / 4), for a product a x up to 2^1088 */
static inline W FN(sin_plus_cos)(W a, W x) {
    W root2 = FN(constant)(C(0x1.6a09e667f3bcdp+0), C(-0x1.bdd3413b26456p-54));
    return FN(multiply)(root2, FN(shifted_sin)(FN(multiply)(a, x), a, x, 0.25));
}
