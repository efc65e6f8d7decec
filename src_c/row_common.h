/* What the row algorithms share, for REAL. Exponentials are taken as e^x 2^-K for a whole K near max / ln 2: the rounding
 * of x - max, amplified by its size (14 to 66 ULP in the usual form), never happens, and another K changes no bit but those of
 * the exponent. Beyond |max| = 2^13 every x that matters is within a factor 2 of it, and x - max is exact.
 * A row with NaN or +inf, or of -inf alone, becomes NaN by itself. */

typedef struct {
    V shift, k; /* e^(x - max) = e^(x - shift) 2^-k, up to a factor of 2^(1/2) */
} FN(Shift);

/* K is that much less than would make the largest exponential 1: those further down stay normal, as they are with K = 0. */
enum { FN(RAISED) = 16 };

/* How a row's exponentials are taken: with K = 0; by K; from x - shift. A constant where it is used, as is every `int` below. */
enum { FN(MODERATELY), FN(NEARLY), FN(FROM_AFAR) };

#define NOTHING C(MINUS_INFINITY)
#define ABS_OF(a) ((a) < 0 ? -(a) : (a))

static inline FN(Shift) FN(row_shift)(V max, T raised) {
    M small = LT(ABS(max), C(8192));
    V whole = FMA(SELECT(small, max, C(0)), C(FN(LOG2E)), C(FN(ROUNDER)));
    return (FN(Shift)){SELECT(small, C(0), max), (whole - C(FN(ROUNDER))) - C(raised)};
}

/* e^x 2^-by for any x up to 2^14 */
static inline V FN(plain_exp)(V x, V by) {
    V k, whole;
    V t = FN(expm1_remainder)(MAX(C(-16384), x), &k, &whole);
    k = k - by;
#ifndef HAVE_SCALE
    k = MAX(C(-2 * FN(MAX_EXPONENT) + 2), k);
#endif
    return FN(scaled)(C(1) + t, k);
}

static ALWAYS_INLINE V FN(row_exp)(int how, V x, FN(Shift) by, V *seen) {
    if (how == FN(MODERATELY)) return FN(moderate_exp)(x, seen);
    if (how == FN(NEARLY)) return FN(exp_by)(x, by.k);
    return FN(exp_by)(x - by.shift, by.k);
}

#define LOAD_DOUBLES(p) (sizeof(T) == sizeof(double) ? f64_load((const double *)(p)) : mid_load((const float *)(p)))

/* s + term, with the rounding of the sum carried to the next: entries of any number add up in order */
static inline V FN(add_carried)(V s, V term, V *carry) {
    V corrected = term - *carry, next = s + corrected;
    *carry = (next - s) - corrected;
    return next;
}

/* The sum of the lanes without their roundings, which would be units in the last place of a row with one large entry: floats
 * are added as doubles, doubles with what each step loses. */
static inline T FN(total)(V sum, V carry) {
    T a[LANES], b[LANES];
    STORE(a, sum);
    STORE(b, carry);
    if (sizeof(T) < sizeof(double)) {
        f64_v doubles = f64_set(0);
        for (int i = 0; i < LANES; i += f64_lanes) doubles = doubles + (LOAD_DOUBLES(a + i) - LOAD_DOUBLES(b + i));
        return (T)f64_sum(doubles);
    }
    double high = 0, low = 0;
    for (int i = 0; i < LANES; i++) {
        const double next = high + a[i], back = next - high;
        low += (high - (next - back)) + (a[i] - back) - b[i];
        high = next;
    }
    return (T)(high + low);
}

#ifndef HAVE_PARTIAL
/* The first `count` entries at p, and `fill` in the lanes beyond; and the same for storing */
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

#ifndef HAVE_ROW_TREES
/* The sum, or the largest lane, of each of as many vectors as there are lanes */
static inline V FN(sums)(const V *rows) {
    T a[LANES];
    for (int i = 0; i < LANES; i++) a[i] = OP(sum)(rows[i]);
    return LOAD(a);
}

static inline V FN(maxima)(const V *rows) {
    T a[LANES];
    for (int i = 0; i < LANES; i++) a[i] = OP(largest)(rows[i]);
    return LOAD(a);
}
#endif

#ifdef HAVE_STREAM
/* The number of entries up to where streaming stores may start */
static inline size_t FN(unaligned)(const T *p, size_t n) {
    const size_t vector = LANES * sizeof(T), count = (vector - (uintptr_t)p % vector) % vector / sizeof(T);
    return (uintptr_t)p % sizeof(T) || count > n ? n : count;
}
#define PUT(streaming, p, value) ((streaming) ? OP(stream)(p, value) : STORE(p, value))
#else
static inline size_t FN(unaligned)(const T *p, size_t n) { return (void)p, (void)n, 0; }
#define PUT(streaming, p, value) ((void)(streaming), STORE(p, value))
#endif
