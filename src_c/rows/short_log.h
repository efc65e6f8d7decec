/* The logarithms of the softmax of short rows. The sums leave the largest entry out. */

/* Rows of that many entries and more are taken apart (rests.h): 128 columns, .19 ns instead of .22; 64 columns would take .23 instead of .22.
 * Streamed they go by themselves (row.h): 8 Mi, .22 ns instead of .25. */
enum { TAKEN_APART = 6 * LANES };

/* The sums of all exponentials of each row but a largest, in two parts, for `count` rows of up to LANES. Where one entry is far ahead its
 * logarithm is this sum: it was off by up to 3.1 ULP while roundings were lost here. */
static ALWAYS_INLINE void rest_of_group(const T **e, size_t n, size_t count, T *rest, T *low) {
    const size_t whole = n / LANES * LANES;
    V most[LANES], sum[LANES], carry[LANES], lost;
    for (size_t i = count; i < LANES; i++) most[i] = sum[i] = carry[i] = C(0);
    if (n <= LANES)
        UNROLLED for (size_t i = 0; i < count; i++) {
            sum[i] = carry[i] = C(0);
            most[i] = LOAD_SOME(*e, n, C(0));
            *e += n;
        }
    else /* 21 KB less, in 32 KB of L1: 40 columns, .31 ns instead of .36 */
        ROLLED for (size_t i = 0; i < count; i++) {
            V top = LOAD(*e), s = C(0), lost = C(0);
            for (size_t j = LANES; j < n; j += LANES) {
                const V entry = j < whole ? LOAD(*e + j) : LOAD_SOME(*e + j, n - j, C(0));
                s = add_exactly(s, take_lesser(entry, &top), &lost);
            }
            most[i] = top;
            sum[i] = s;
            carry[i] = lost;
            *e += n;
        }
    STORE(rest, sums_of_rest(0, 0, n > LANES, most, sum, carry, &lost));
    STORE(low, lost);
}

static NOINLINE void row_rests(const T *e, Group g, T *rest, T *low) {
    if (is_turned(g.n)) {
        turned_rests(e, e, g, rest, low);
        return;
    }
    size_t at = 0;
    if (g.n <= LANES)
        for (; at + LANES <= g.rows; at += LANES) rest_of_group(&e, g.n <= LANES ? g.n : LANES, LANES, rest + at, low + at);
    else
        for (; at + LANES <= g.rows; at += LANES) rest_of_group(&e, g.n, LANES, rest + at, low + at);
    if (at < g.rows) rest_of_group(&e, g.n, g.rows - at, rest + at, low + at);
}

/* As log_sums does for rows apart */
static NOINLINE void short_log_sums(const T *x, T *e, Group g, T *high, T *low, Line *behind) {
    if (g.n >= TAKEN_APART) {
        Row rows[LANES];
        for (size_t at = 0; at < g.rows; at += LANES) {
            const size_t count = g.rows - at < LANES ? g.rows - at : LANES;
            for (size_t i = 0; i < count; i++) rows[i] = (Row){(T *)x + (at + i) * g.n, 1};
            log_sums(rows, count, g.n, high + at, low + at);
        }
        return;
    }
    ALIGNED T rest[SHORT_ROWS], rest_low[SHORT_ROWS];
    Shifts by;
    group_exponentials(x, e, g, 0, &by, behind);
    if (by.how == MODERATELY) {
        row_maxima(x, g, by.max);
        for (size_t r = 0; r < g.rows; r += LANES) {
            STORE(by.shift + r, C(0));
            STORE(by.k + r, C(0));
        }
    }
    row_rests(e, g, rest, rest_low);
    logarithms(rest, rest_low, NULL, by.max, by.shift, by.k, high, low, g.rows);
}

static NOINLINE void subtract_short(const T *x, T *out, Group g, const T *restrict high, const T *restrict low) {
    EACH_ENTRY_VECTOR(g, NULL, STORE(out + i, (LOAD(x + i) - PICK(high + at, of)) - PICK(low + at, of));)
}

static void log_softmax_short(const T *x, T *out, Group g, Line *behind) {
    ALIGNED T buffer[SHORT_BUFFER], high[SHORT_ROWS], low[SHORT_ROWS];
    short_log_sums(x, scratch_of(behind, out, buffer), g, high, low, behind);
    subtract_short(x, out, g, high, low);
}
