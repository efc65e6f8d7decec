/* What the row algorithms share, for REAL. Three passes: the maximum, the exponentials and their sum, the scaling.
 * e^(x - max) is taken as e^x * 2^-K with K = round(max / ln 2), while |max| < 2^13: so the rounding of x - max, amplified
 * by its size (14 to 66 ULP in the usual form), never happens. Beyond, every x that matters is within a factor 2 of max,
 * and x - max is exact. A change of K is exact too: all algorithms give an entry the same exponential up to a power of 2.
 * A row with NaN or +inf, or of -inf alone, becomes NaN by itself. */

typedef struct {
    V shift, k; /* e^(x - max) = e^(x - shift) * 2^-k, up to a factor of 2^(1/2) */
} FN(Shift);

static inline FN(Shift) FN(row_shift)(V max) {
    M small = LT(ABS(max), C(8192));
    V whole = FMA(SELECT(small, max, C(0)), C(FN(LOG2E)), C(FN(ROUNDER)));
    return (FN(Shift)){SELECT(small, C(0), max), whole - C(FN(ROUNDER))};
}

static inline V FN(shifted_exp)(V x, FN(Shift) by) {
    V k, whole;
    V t = FN(expm1_remainder)(MAX(C(-16384), x - by.shift), &k, &whole);
    k = k - by.k;
#ifndef HAVE_SCALE
    k = MAX(C(-2 * FN(MAX_EXPONENT) + 2), k);
#endif
    return FN(scaled)(C(1) + t, k);
}

/* s + term, with the rounding of the sum carried to the next: entries of any number add up in order */
static inline V FN(add_carried)(V s, V term, V *carry) {
    V corrected = term - *carry, next = s + corrected;
    *carry = (next - s) - corrected;
    return next;
}

#define MINUS_INFINITY ((T) - HUGE_VAL)

/* The first `count` entries at p, and `fill` in the lanes beyond; and the same for storing */
#ifndef HAVE_PARTIAL
static inline V FN(load_some)(const T *p, size_t count, V fill) {
    T a[LANES];
    if (count >= LANES) return LOAD(p);
    STORE(a, fill);
    for (size_t i = 0; i < count; i++) a[i] = p[i];
    return LOAD(a);
}

static inline void FN(store_some)(T *p, V value, size_t count) {
    T a[LANES];
    if (count >= LANES) {
        STORE(p, value);
        return;
    }
    STORE(a, value);
    for (size_t i = 0; i < count; i++) p[i] = a[i];
}
#endif
