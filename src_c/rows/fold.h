/* One number for each of as many rows as there are lanes: the sums, the largest entries, or the sums of all
 * entries but a largest. Vectors are combined two by two, until one is left, with a row in each lane. Each
 * vector belongs to one row, and they are folded (odd = 0); or the entries stand as in memory, and are
 * turned.
 *
 * Rows of up to 12 entries are turned. n vectors hold the entries of as many rows as there are lanes. The
 * entries of a row are brought into one lane of n vectors. Loaded row by row, a vector would be half empty
 * and lie across two cache lines.
 *
 * n = odd << folds. First neighbours are combined, `folds` times, which leaves `odd` numbers of each row.
 * Number i stands in lane i % LANES of vector i / LANES, and belongs to column i % odd. odd and LANES have no
 * common divisor, so a lane has one number of each column: with up * LANES % odd == 1, lane i of vector up *
 * c % odd has column (c + i) % odd. Then lane i moves by i % odd vectors, one bit of that number at a time.
 * Now vector c has column c, and row r stands in lane (odd * r + c) % LANES: the next column is one lane
 * further. */

#ifdef TURNS /* not doubles, which gain 5 to 10 % at the price of 25 KB */
enum { TURNED = 12, PART_LANES = 16 / (int)sizeof(T) };
static inline int is_turned(size_t n) { return n > 1 && n <= TURNED && n != 8; }

/* `neighbours` of two vectors come, within 128 bits, first from the one, then from the other. So after some
 * folds lane l has not number l. */
#define WIDTH(folds) (PART_LANES >> (folds))
#define NUMBER_IN(folds, l)                                              \
    ((l) / PART_LANES * WIDTH(folds) + (l) % PART_LANES % WIDTH(folds) + \
     (l) % PART_LANES / WIDTH(folds) * (LANES >> (folds)))
#define LANE_OF(folds, i)                                                                             \
    ((i) % (LANES >> (folds)) / WIDTH(folds) * PART_LANES + (i) / (LANES >> (folds)) * WIDTH(folds) + \
     (i) % (LANES >> (folds)) % WIDTH(folds))

#define OF_4(f, a, b, c, l) f(a, b, c, l), f(a, b, c, l + 1), f(a, b, c, l + 2), f(a, b, c, l + 3)
#define OF_16(f, a, b, c) \
    { OF_4(f, a, b, c, 0), OF_4(f, a, b, c, 4), OF_4(f, a, b, c, 8), OF_4(f, a, b, c, 12) }
#define OF_ODD(f, folds) \
    { f(folds, 1), f(folds, 3), f(folds, 5), f(folds, 7), f(folds, 9), f(folds, 11) }

/* Where the number 1, 2, 4, 8 after that in lane l is; where that of row r in column 0 is */
#define AHEAD(folds, by, unused, l) LANE_OF(folds, (NUMBER_IN(folds, (l) % LANES) + (by)) % LANES)
#define AHEADS(folds)                                                                    \
    {                                                                                    \
        OF_16(AHEAD, folds, 1, 0), OF_16(AHEAD, folds, 2, 0), OF_16(AHEAD, folds, 4, 0), \
            OF_16(AHEAD, folds, 8, 0)                                                    \
    }
#define ROW_LANE(folds, odd, unused, r) LANE_OF(folds, (odd) * (r) % LANES)
#define ROW_LANES(folds, odd) OF_16(ROW_LANE, folds, odd, 0)
static const int32_t ahead_by[3][4][16] = {AHEADS(0), AHEADS(1), AHEADS(2)};
static const int32_t row_lanes[3][6][16] = {OF_ODD(ROW_LANES, 0), OF_ODD(ROW_LANES, 1), OF_ODD(ROW_LANES, 2)};

/* Negative in lanes that are moved by 1, 2, 4, 8 vectors */
#define MOVES(folds, odd, by, l) (NUMBER_IN(folds, (l) % LANES) % (odd) & (by) ? -1 : 0)
#define MOVED(folds, odd)                                                                      \
    {                                                                                          \
        OF_16(MOVES, folds, odd, 1), OF_16(MOVES, folds, odd, 2), OF_16(MOVES, folds, odd, 4), \
            OF_16(MOVES, folds, odd, 8)                                                        \
    }
static const T moved_lanes[3][6][4][16] = {OF_ODD(MOVED, 0), OF_ODD(MOVED, 1), OF_ODD(MOVED, 2)};

/* Moves lanes at the step `folds`, when neighbours have been combined; does nothing at the others. */
static ALWAYS_INLINE void turn_lanes(int folds, int odd, int step, V *r) {
    V from[TURNED];
    int up = 0;
    if (!odd || step != folds) return;
    UNROLLED for (int i = 1; i < odd; i++) up = i * LANES % odd == 1 ? i : up;
    UNROLLED for (int c = 0; c < odd; c++) from[c] = r[c * up % odd];
    UNROLLED for (int bit = 0; 1 << bit < odd; bit++) {
        UNROLLED for (int c = 0; c < odd; c++)
            r[c] = BLEND(moved_lanes[folds][odd / 2][bit], from[c], from[(c - (1 << bit) + odd) % odd]);
        UNROLLED for (int c = 0; c < odd; c++) from[c] = r[c];
    }
}

static ALWAYS_INLINE V in_order(int folds, int odd, V a) {
    return odd ? PERMUTE(a, row_lanes[folds][odd / 2]) : a;
}
#else
static inline int is_turned(size_t n) { return (void)n, 0; }
#endif

enum { SUMS, MAXIMA, PARTS, RESTS }; /* PARTS: sums with their errors. RESTS: all but a largest, likewise. */

#ifdef HAVE_FOLDS
#ifndef TURNS
static inline void turn_lanes(int folds, int odd, int step, V *r) {
    (void)folds, (void)odd, (void)step, (void)r;
}
static inline V in_order(int folds, int odd, V a) { return (void)folds, (void)odd, a; }
#endif

static ALWAYS_INLINE void meet(int folds, int odd, int step, const V *two, V *first, V *second) {
#ifdef TURNS
    if (odd && step < folds) {
        NEIGHBOURS(two[0], two[1], first, second);
        return;
    }
    if (odd) {
        *first = two[0];
        *second = PERMUTE(two[1], ahead_by[folds][step - folds]);
        return;
    }
#endif
    (void)folds, (void)odd;
    FOLD(step, two[0], two[1], first, second);
}

/* A step combines `count` vectors, the last of which stays alone where that is odd. `rest` and `carry` are
 * there from the start, or come about on the way: the sums of all but the largest, and what these or all sums
 * have rounded off. */
static ALWAYS_INLINE void fold_step(int kind, int started, int folds, int odd, int step, int count, V *r,
                                    V *rest, V *carry) {
    const int rested = kind == RESTS && (step > 0 || started),
              carried = kind >= PARTS && (step > 1 || started);
    const int last = count - 1, carrying = kind == PARTS && (step > 0 || started);
    if (count < 2) return;
    turn_lanes(folds, odd, step, r);
    if (rested) turn_lanes(folds, odd, step, rest);
    if (carried) turn_lanes(folds, odd, step, carry);
    UNROLLED for (int i = 0; i < count / 2; i++) {
        V a, b, c, d, lost = C(0);
        meet(folds, odd, step, r + 2 * i, &a, &b);
        if (carried) {
            meet(folds, odd, step, carry + 2 * i, &c, &d);
            lost = c + d;
        }
        if (kind == SUMS) r[i] = a + b;
        if (kind == MAXIMA) r[i] = MAX(a, b);
        if (kind == PARTS) {
            r[i] = a + b;
            if (carrying) carry[i] = sum_excess(a, b, r[i]) + lost;
        }
        if (kind == RESTS) {
            const V lesser = take_lesser(a, &b);
            r[i] = b;
            if (!rested) {
                rest[i] = lesser;
                continue;
            }
            meet(folds, odd, step, rest + 2 * i, &c, &d);
            const V sum = c + d;
            rest[i] = sum + lesser;
            carry[i] = sum_excess(c, d, sum) + sum_excess(sum, lesser, rest[i]) + lost;
        }
    }
    if (count % 2 == 0) return;
    r[count / 2] = r[last];
    if (kind == RESTS) rest[count / 2] = rested ? rest[last] : C(0);
    if (kind >= PARTS) carry[count / 2] = carried ? carry[last] : C(0);
}

static ALWAYS_INLINE V fold(int kind, int started, int folds, int odd, V *r, V *rest, V *carry) {
    const int count = odd ? odd << folds : LANES;
    fold_step(kind, started, folds, odd, 0, count, r, rest, carry);
    fold_step(kind, started, folds, odd, 1, (count + 1) / 2, r, rest, carry);
    fold_step(kind, started, folds, odd, 2, (count + 3) / 4, r, rest, carry);
    fold_step(kind, started, folds, odd, 3, (count + 7) / 8, r, rest, carry);
    return in_order(folds, odd, r[0]);
}

#ifdef HELD_VECTORS
/* The sum of the lanes, with the bits that sums_of gives a row */
static inline V sum_in_every_lane(V a) {
    static const int32_t swapped[4][16] = {{2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13},
                                           {1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14},
                                           {4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11},
                                           {8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7}};
    UNROLLED for (int step = 0; LANES >> step > 1; step++) a = a + PERMUTE(a, swapped[step]);
    return a;
}
#endif

static ALWAYS_INLINE V sums_of(int folds, int odd, V *r) { return fold(SUMS, 0, folds, odd, r, NULL, NULL); }
static ALWAYS_INLINE V maxima_of(int folds, int odd, V *r) {
    return fold(MAXIMA, 0, folds, odd, r, NULL, NULL);
}

/* Sums of entries that are at least 0, and what they round off. With a carry, every step counts, and the
 * carry comes off. Without one, all steps but the first count: softmax is off by up to 3.9 ULP then. Were it
 * only the last two, 10 columns would be off by 4.1. */
static ALWAYS_INLINE V sums_in_parts(int folds, int odd, int has_carry, V *r, V *carry, V *low) {
    const V sum = fold(PARTS, has_carry, folds, odd, r, NULL, carry);
    *low = -in_order(folds, odd, carry[0]);
    return sum;
}

/* The sums of `rest` and, but for a largest one, of the lanes of `most`, with all that this rounds off: none
 * is negative. `carry` is of the rest already, unless there is none. */
static ALWAYS_INLINE V sums_of_rest(int folds, int odd, int has_rest, V *most, V *rest, V *carry, V *low) {
    fold(RESTS, has_rest, folds, odd, most, rest, carry);
    const V all = in_order(folds, odd, rest[0]), off = in_order(folds, odd, carry[0]);
    const V rounded = all - off;
    *low = (all - rounded) - off;
    return rounded;
}
#else
static inline V sums_of(int folds, int odd, const V *rows) {
    (void)folds, (void)odd;
    T a[LANES];
    for (int i = 0; i < LANES; i++) a[i] = SUM_OF_LANES(rows[i]);
    return LOAD(a);
}

static inline V maxima_of(int folds, int odd, const V *rows) {
    (void)folds, (void)odd;
    T a[LANES];
    for (int i = 0; i < LANES; i++) a[i] = LARGEST_LANE(rows[i]);
    return LOAD(a);
}

static inline V sums_in_parts(int folds, int odd, int has_carry, const V *rows, const V *carry, V *low) {
    T a[LANES], b[LANES];
    (void)folds, (void)odd;
    for (int i = 0; i < LANES; i++) a[i] = total_parts(rows[i], has_carry ? carry[i] : C(0), b + i);
    *low = LOAD(b);
    return LOAD(a);
}

/* The sum of the lanes of `rest` less the carries, and of all lanes of `most` but a largest */
static T rest_in_parts(V most, V rest, V carry, T *low) {
    T e[LANES];
    int first = 0;
    STORE(e, most);
    for (int k = 1; k < LANES; k++) first = e[k] > e[first] ? k : first;
    const T top = e[first];
    e[first] = 0;
    const V sum = add_exactly(rest, LOAD(e), &carry);
    return total_parts(sum, carry, low) + (top - top); /* NaN if the largest is */
}

static inline V sums_of_rest(int folds, int odd, int has_rest, V *most, V *rest, V *carry, V *low) {
    T a[LANES], b[LANES];
    (void)folds, (void)odd;
    for (int i = 0; i < LANES; i++) {
        const V sum = has_rest ? rest[i] : C(0), lost = has_rest ? carry[i] : C(0);
        a[i] = rest_in_parts(most[i], sum, lost, b + i);
    }
    *low = LOAD(b);
    return LOAD(a);
}
#endif
