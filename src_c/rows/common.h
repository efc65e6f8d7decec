/* What the algorithms of the softmax family share. An exponential is e^x 2^-K, with a whole number K near max / ln 2. So we never
 * round x - max, whose error the exponential would amplify: the usual form is off by 14 to 66 ULP. Another K changes only the
 * exponent of a result. Beyond |max| = 2^13 every x that counts is within a factor 2 of it, and x - max is exact.
 * A row that has NaN or +inf, or only -inf, becomes NaN without a test. */

typedef struct {
    V shift, k, floor; /* e^(x - max) = e^(x - shift) 2^-k, up to a power of two; and the least x - shift that counts */
} Shift;

/* How a row's exponentials are taken: with K = 0; by K; from x - shift; by a K that is raised on the way. A constant where it is used, as is every
 * `int` below. */
enum { MODERATELY, NEARLY, FROM_AFAR, ONLINE };

#define NOTHING C(-HUGE_VAL)
#define LN2 0.6931471805599453
#define ABS_OF(a) ((a) < 0 ? -(a) : (a))

static inline Shift no_shift(void) { return (Shift){C(0), C(0), C(-16384)}; }

/* An exponential that is subnormal takes three times as long to multiply; what is that far below a raised one is nothing over the sum. */
static inline Shift row_shift(V max, T raised) {
    M small = LT(ABS(max), C(8192));
    V whole = FMA(SELECT(small, max, C(0)), C(LOG2E), C(ROUNDER));
    const V k = (whole - C(ROUNDER)) - C(raised);
    V floor = C(-16384);
    if (raised > 1) floor = (k + C(LEAST_POWER)) * C(LN2);
    return (Shift){SELECT(small, C(0), max), k, floor};
}

/* Of `count` vectors: exps_above are e^x 2^-by for any x up to 2^14, or of `floor` where x is less; moderate_exps are e^x where |x| is below
 * 44, and tell whether it was. */
#ifndef HAVE_TABLE_EXPONENTIALS
static inline V plain_exp(V x, V by, V floor) {
    V k, whole;
    V t = EXPM1_REMAINDER(MAX(floor, x), &k, &whole);
    k = k - by;
#ifndef HAVE_SCALE
    k = MAX(C(-2 * MAX_EXPONENT + 2), k);
#endif
    return SCALED(C(1) + t, k);
}

static ALWAYS_INLINE void exps_above(int count, V *x, V by, V floor) {
    for (int i = 0; i < count; i++) x[i] = plain_exp(x[i], by, floor);
}

static ALWAYS_INLINE void moderate_exps(int count, V *x, V *seen) {
    for (int i = 0; i < count; i++) {
        *seen = MAX(ABS(x[i]), *seen);
        x[i] = plain_exp(x[i], C(0), C(-16384));
    }
}
static inline int is_moderate(V seen) { return LARGEST_LANE(seen) < MODERATE; }
#endif

static ALWAYS_INLINE V exp_above(V x, V by, V floor) {
    exps_above(1, &x, by, floor);
    return x;
}

static inline V exp_by(V x, V by) { return exp_above(x, by, C(-16384)); }

/* Where K is raised on the way: from this x on, e^x 2^-k might make a sum too large. */
static inline V largest_by(V k) { return (k + C(RAISED + 4)) * C(LN2); }

/* a 2^k, where a is 0 or k at most 0 */
static inline V rescaled(V a, V k) {
#ifndef HAVE_SCALE
    k = MAX(C(-2 * MAX_EXPONENT + 2), MIN(C(0), k));
#endif
    return SCALED(a, k);
}

static ALWAYS_INLINE void row_exps(int how, int count, V *x, Shift by, V *seen) {
    if (how == MODERATELY) {
        moderate_exps(count, x, seen);
        return;
    }
    for (int i = 0; i < count && how == FROM_AFAR; i++) x[i] = x[i] - by.shift;
    exps_above(count, x, by.k, by.floor);
}

static ALWAYS_INLINE V row_exp(int how, V x, Shift by, V *seen) {
    row_exps(how, 1, &x, by, seen);
    return x;
}

/* What exponentials are multiplied by: `scale` times 2^power. A product that is subnormal or less takes three times as long as others, a
 * power of two does not: it is taken apart, unless the exponentials are moderate and no factor is so small that a product might be. */
typedef struct {
    V scale, low, power; /* `low` is what rounding took off `scale`: without it 1 in a million entries is off by 4.0 to 4.8 ULP */
} Factor;

/* Whether exponentials are off by so much that what a factor loses counts. Where it does not, it is rounded once. */
#if defined(HAVE_FMA) && defined(HAVE_SHORT_TABLE)
#define LOW_FACTORS (sizeof(T) == sizeof(double))
#elif defined(HAVE_FMA)
#define LOW_FACTORS 1
#else
#define LOW_FACTORS 0
#endif

/* weight / (sum + sum_low) */
static inline Factor quotient_of(V weight, V sum, V sum_low) {
#ifdef HAVE_FMA
    const V inverse = C(1) / sum; /* one division, which takes as long as 10 multiplications */
    Factor f = {weight * inverse, C(0), C(0)};
    const V low = FMA(-f.scale, sum_low, FMA(-f.scale, sum, weight)) * inverse;
    const M is_finite = LT(ABS(low), ABS(f.scale)); /* or low is NaN */
    const V rounded = f.scale + low;
    f.low = SELECT(is_finite, (f.scale - rounded) + low, C(0));
    f.scale = SELECT(is_finite, rounded, f.scale);
    return f;
#else /* in double: with the roundings of the sum and of the quotient, entries were off by up to 5.1 ULP */
    T over[LANES], parts[2][LANES];
    STORE(over, weight);
    STORE(parts[0], sum);
    STORE(parts[1], sum_low);
    for (int i = 0; i < LANES; i += f64_lanes)
        STORE_DOUBLES(over + i, LOAD_DOUBLES(over + i) / (LOAD_DOUBLES(parts[0] + i) + LOAD_DOUBLES(parts[1] + i)));
    return (Factor){LOAD(over), C(0), C(0)};
#endif
}

/* Of factors, the least size but 0; and how to go on with exponentials that were taken so, where it is that */
static inline V least_size(V factor, V least) { return MIN(SELECT(GT(ABS(factor), C(0)), ABS(factor), C(1)), least); }
static inline int how_to_finish(int how, V least) { return how == MODERATELY && ANY(LT(least, C(SMALL_FACTOR))) ? NEARLY : how; }

static inline Factor power_apart(int how, Factor f) {
    (void)how;
#ifdef HAVE_SCALE
    if (how == MODERATELY) return f;
    f.power = MAX(C(-2 * MAX_EXPONENT), MIN(C(2 * MAX_EXPONENT), EXPONENT(f.scale))); /* of 0 and infinity too */
    f.scale = SCALE(f.scale, -f.power);
    f.low = SCALE(f.low, -f.power);
#endif
    return f;
}

static ALWAYS_INLINE V times_factor(int how, int fully, V e, Factor f) {
    V product = e * f.scale;
#ifdef HAVE_FMA
    if (fully) product = FMA(e, f.scale, e * f.low);
#endif
    (void)fully;
#ifdef HAVE_SCALE
    if (how != MODERATELY) return SCALE(product, f.power);
#endif
    (void)how;
    return product;
}

/* s + term, with the rounding of the sum carried to the next: entries of any number add up in order */
static inline V add_carried(V s, V term, V *carry) {
    V corrected = term - *carry, next = s + corrected;
    *carry = (next - s) - corrected;
    return next;
}

/* How much too large the rounded sum of two numbers is that are not negative */
static inline V sum_excess(V a, V b, V sum) { return (sum - MAX(a, b)) - MIN(a, b); }

/* s + term, neither negative, with all that this rounds off added to the carry: that of add_carried is less where the term is larger. */
static inline V add_exactly(V s, V term, V *carry) {
    const V next = s + term;
    *carry = *carry + sum_excess(s, term, next);
    return next;
}

/* The lesser of an entry and the largest before it, which then is the greater. NaN stays in one of both. */
static ALWAYS_INLINE V take_lesser(V entry, V *top) {
    const V lesser = MIN(*top, entry);
    *top = MAX(entry, *top);
    return lesser;
}

/* The sum of the lanes without their roundings, which would be units in the last place of a row with one large entry: floats
 * are added as doubles, doubles with what each step loses. What its rounding takes off goes to `rest`. */
static inline T total_parts(V sum, V carry, T *rest) {
    T a[LANES], b[LANES];
    STORE(a, sum);
    STORE(b, carry);
    double high = 0, low = 0;
    if (sizeof(T) < sizeof(double)) {
        f64_v doubles = f64_set(0);
        for (int i = 0; i < LANES; i += f64_lanes) doubles = doubles + (LOAD_DOUBLES(a + i) - LOAD_DOUBLES(b + i));
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

static inline T total_of(V sum, V carry) {
    T rest;
    return total_parts(sum, carry, &rest);
}

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

/* Results that are streamed come in pieces, which begin and end within lines. The entries of a line that is not whole wait for the piece that
 * follows: a part of a line has to be fetched before it is written, and holds up all stores behind it, .15 us a piece (8 Mi elements of 10
 * columns, .25 ns instead of .20). */
enum { ROOM = 8192 / sizeof(T) }; /* so few bytes that all buffers of a call fit a thread of 128 KiB of stack */
typedef struct {
    T held[LANES], *at; /* `count` entries, of the line that begins at `at` */
    size_t count;
    const T *from; /* a piece of `all` entries that goes to `to` while the next is computed; `done` are there */
    T *to;
    size_t done, all;
    T (*rooms)[ROOM]; /* two, for pieces that are handed over */
} Line;

/* That of them which is not being streamed */
static inline T *free_room(const Line *line) { return line->rooms[line->all && line->from == line->rooms[0]]; }

#ifdef HAVE_STREAM
#define PUT(streaming, p, value) ((streaming) ? STREAM(p, value) : STORE(p, value))

/* The number of entries up to where streaming stores may start */
static inline size_t unaligned(const T *p, size_t n) {
    const size_t vector = LANES * sizeof(T), count = (vector - (uintptr_t)p % vector) % vector / sizeof(T);
    return (uintptr_t)p % sizeof(T) || count > n ? n : count;
}

/* Write what waits, now that nothing follows it. */
static NOINLINE void flush_line(Line *line) {
    if (line->count) STORE_SOME(line->at, LOAD(line->held), line->count);
    line->count = 0;
}

/* Of a piece of n entries at `to`, write those before the first whole line, which are the first lanes of `head`. They are joined with what waits
 * in a register: memory that was written in two parts can be read only when all stores before are done. */
static NOINLINE void begin_piece(Line *line, T *to, V head, size_t n) {
    static const int32_t lanes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const size_t count = unaligned(to, n), waiting = line->count;
    if (waiting && line->at + waiting != to) {
        flush_line(line);
        begin_piece(line, to, head, n);
    } else if (waiting) {
        const V joined = SELECT(GT(C(waiting), LOAD(lane_numbers)), LOAD(line->held), PERMUTE(head, lanes + 16 - waiting));
        STORE(line->held, joined);
        line->count += count;
        if (line->count < LANES) return;
        STREAM(line->at, joined);
        line->count = 0;
    } else if (count)
        STORE_SOME(to, head, count);
}

/* Those after the last whole line, `some` at `to`, the first lanes of `tail` */
static inline void end_piece(Line *line, T *to, V tail, size_t some) {
    if (!some) return;
    STORE(line->held, tail);
    line->at = to;
    line->count = some;
}

/* Whole lines of `from`, up to `until` entries; returns how many are done. */
static ALWAYS_INLINE size_t stream_until(T *to, const T *from, size_t done, size_t until) {
    for (; done + LANES <= until; done += LANES) STREAM(to + done, LOAD(from + done));
    return done;
}

/* Write some of what was handed over, or all of it; where memory is to be busy while something is computed: 8 Mi elements of 128 columns,
 * .20 ns instead of .23. */
static ALWAYS_INLINE void stream_behind(Line *line, size_t until) {
    if (line) line->done = stream_until(line->to, line->from, line->done, until < line->all ? until : line->all);
}
static NOINLINE void finish_piece(Line *line) {
    if (!line->all) return;
    stream_behind(line, line->all);
    end_piece(line, line->to + line->done, LOAD_SOME(line->from + line->done, line->all - line->done, C(0)), line->all - line->done);
    line->done = line->all = 0;
}

/* n entries that follow one another, in a buffer that stays as it is until the next are handed over */
static NOINLINE void hand_over(Line *line, T *to, const T *from, size_t n) {
    finish_piece(line);
    begin_piece(line, to, LOAD_SOME(from, n, C(0)), n);
    line->from = from;
    line->to = to;
    line->all = n;
    line->done = unaligned(to, n);
}
#else
#define PUT(streaming, p, value) ((void)(streaming), STORE(p, value))
static inline size_t unaligned(const T *p, size_t n) { return (void)p, (void)n, 0; }
static inline void flush_line(Line *line) { (void)line; }
static inline void begin_piece(Line *line, T *to, V head, size_t n) { (void)line, (void)to, (void)head, (void)n; }
static inline void end_piece(Line *line, T *to, V tail, size_t some) { (void)line, (void)to, (void)tail, (void)some; }
static inline size_t stream_until(T *to, const T *from, size_t done, size_t until) { return (void)to, (void)from, (void)until, done; }
static inline void stream_behind(Line *line, size_t until) { (void)line, (void)until; }
static inline void finish_piece(Line *line) { (void)line; }
static inline void hand_over(Line *line, T *to, const T *from, size_t n) { (void)line, (void)to, (void)from, (void)n; }
#endif
