/* What all functions along an axis share: operands, vectors that are not full, and sums of which no rounding
 * is lost. */

typedef struct {
    char *data; /* NULL where there is none */
    ptrdiff_t outer, inner; /* bytes from row to row, and from entry to entry: 0 for one number a row */
} Operand;

typedef struct {
    T *at;
    ptrdiff_t step; /* entries */
} Row;

static inline T *entry_at(Operand a, size_t row) { return (T *)(a.data + (ptrdiff_t)row * a.outer); }
static inline Row row_of(Operand a, size_t row) {
    return (Row){entry_at(a, row), a.inner / (ptrdiff_t)sizeof(T)};
}
#define NUMBER_AT(type, a, row) (*(const type *)((a).data + (ptrdiff_t)(row) * (a).outer))

enum { ROOM = 8192 / sizeof(T) }; /* entries of a buffer. The buffers of a call fit 128 KiB of stack. */
enum { ROW_CHUNK = 1024, PAIR = 2 * LANES, LINE = 64 / sizeof(T) };

/* How many entries stand before the first whole line of memory */
static inline size_t before_line(const void *p) { return (LINE - (uintptr_t)p / sizeof(T) % LINE) % LINE; }

static inline size_t at_most(size_t most, size_t count) { return count < most ? count : most; }

#define NOTHING C(-HUGE_VAL)
#define ABS_OF(a) ((a) < 0 ? -(a) : (a))
#define LN2 0.6931471805599453

static const T lane_numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

#ifndef HAVE_PARTIAL
/* The first `count` entries at p, and `fill` in the lanes beyond; and the same for storing */
static inline V LOAD_SOME(const T *p, size_t count, V fill) {
    T a[LANES];
    if (count >= LANES) return LOAD(p);
    STORE(a, fill);
    for (size_t i = 0; i < count; i++) a[i] = p[i];
    return LOAD(a);
}

static inline void STORE_SOME(T *p, V value, size_t count) {
    T a[LANES];
    if (count >= LANES) {
        STORE(p, value);
        return;
    }
    STORE(a, value);
    for (size_t i = 0; i < count; i++) p[i] = a[i];
}
#endif

#ifndef HAVE_KEPT
/* The lanes below `count`, and those of them whose byte at p is not 0 */
static inline M FIRST(size_t count) { return GT(C(count), LOAD(lane_numbers)); }
static inline M KEPT(const char *p, size_t count) {
    T kept[LANES];
    for (size_t i = 0; i < LANES; i++) kept[i] = i < count && p[i] != 0;
    return GT(LOAD(kept), C(0));
}
#endif

static ALWAYS_INLINE V load_lanes(int whole, const T *p, size_t count, V fill) {
    if (whole) return LOAD(p);
    return LOAD_SOME(p, count, fill);
}
static ALWAYS_INLINE void store_lanes(int whole, T *p, V value, size_t count) {
    if (whole)
        STORE(p, value);
    else
        STORE_SOME(p, value, count);
}

/* s + term. `carry` is what the rounding adds, and the next term takes it off: the error does not grow with
 * the number of terms. */
static inline V add_carried(V s, V term, V *carry) {
    V corrected = term - *carry, next = s + corrected;
    *carry = (next - s) - corrected;
    return next;
}

/* How much too large the rounded sum of two numbers is that are not negative */
static inline V sum_excess(V a, V b, V sum) { return (sum - MAX(a, b)) - MIN(a, b); }

/* s + term, neither negative, with all that this rounds off added to the carry. add_carried loses some where
 * the term is larger. */
static inline V add_exactly(V s, V term, V *carry) {
    const V next = s + term;
    *carry = *carry + sum_excess(s, term, next);
    return next;
}

/* The exponentials of sinks join the sums of their rows. */
static inline void add_sinks(V sinks, V *sum, V *low) {
    const V all = *sum + sinks;
    *low = *low - sum_excess(*sum, sinks, all);
    *sum = all;
}

/* The lesser of an entry and the largest before it, which becomes the greater. An entry that is NaN is the
 * lesser; a largest that is NaN stays. */
static ALWAYS_INLINE V take_lesser(V entry, V *top) {
    const V lesser = MIN(*top, entry);
    *top = MAX(entry, *top);
    return lesser;
}

/* The sum of the lanes less the carries, without the roundings of the steps. `rest` is what its last rounding
 * takes off. Floats are added as doubles, doubles with what each step loses. */
static inline T total_parts(V sum, V carry, T *rest) {
    T a[LANES], b[LANES];
    STORE(a, sum);
    STORE(b, carry);
    double high = 0, low = 0;
    if (sizeof(T) < sizeof(double)) {
        f64_v doubles = f64_set(0);
        for (int i = 0; i < LANES; i += f64_lanes)
            doubles = doubles + (LOAD_DOUBLES(a + i) - LOAD_DOUBLES(b + i));
        high = f64_sum(doubles);
    }
    for (int i = 0; i < LANES && sizeof(T) == sizeof(double); i++) {
        const double next = high + a[i], back = next - high;
        low += (high - (next - back)) + (a[i] - back) - b[i];
        high = next;
    }
    const T rounded = (T)(high + low);
    *rest = (T)((high - rounded) + low);
    return rounded;
}
