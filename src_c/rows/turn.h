/* Rows of up to 12 entries. n vectors hold the entries of as many rows as there are lanes. They are turned: the entries of a row
 * then stand in one lane of n vectors. Loaded row by row, a vector would be half empty and lie across two cache lines.
 *
 * n = odd << folds. First neighbours are combined, `folds` times, which leaves `odd` numbers of each row. Number i stands in
 * lane i % LANES of vector i / LANES, and belongs to column i % odd. odd and LANES have no common divisor, so a lane has one
 * number of each column: with UP * LANES % odd == 1, lane i of vector UP * c % odd has column (c + i) % odd. Then lane i moves
 * by i % odd vectors, one bit of that number at a time. Now vector c has column c, and row r stands in lane (odd * r + c) %
 * LANES: the next column is one lane further. */

#ifdef TURNS /* not doubles, which gain 5 to 10 % at the price of 25 KB: a wheel is to stay below 2 MB */
#define EACH_TURN(X) X(1, 1) X(0, 3) X(2, 1) X(0, 5) X(1, 3) X(0, 7) X(0, 9) X(1, 5) X(0, 11) X(2, 3)
enum { TURNED = 12, PART_LANES = 16 / (int)sizeof(T) };
static inline int is_turned(size_t n) { return n > 1 && n <= TURNED && n != 8; }

/* `neighbours` of two vectors come, within 128 bits, first from the one, then from the other. So after some folds lane l has not number l: */
#define WIDTH(folds) (PART_LANES >> (folds))
#define NUMBER_IN(folds, l) \
    ((l) / PART_LANES * WIDTH(folds) + (l) % PART_LANES % WIDTH(folds) + (l) % PART_LANES / WIDTH(folds) * (LANES >> (folds)))
#define LANE_OF(folds, i) \
    ((i) % (LANES >> (folds)) / WIDTH(folds) * PART_LANES + (i) / (LANES >> (folds)) * WIDTH(folds) + (i) % (LANES >> (folds)) % WIDTH(folds))

#define OF_16(f, a, b, c) {f(a, b, c, 0), f(a, b, c, 1), f(a, b, c, 2), f(a, b, c, 3), f(a, b, c, 4), f(a, b, c, 5), f(a, b, c, 6), f(a, b, c, 7), \
                           f(a, b, c, 8), f(a, b, c, 9), f(a, b, c, 10), f(a, b, c, 11), f(a, b, c, 12), f(a, b, c, 13), f(a, b, c, 14), f(a, b, c, 15)}
#define OF_ODD(f, folds) {f(folds, 1), f(folds, 3), f(folds, 5), f(folds, 7), f(folds, 9), f(folds, 11)}

/* Where the number 1, 2, 4, 8 after that in lane l is; where that of row r in column 0 is */
#define AHEAD(folds, by, unused, l) LANE_OF(folds, (NUMBER_IN(folds, (l) % LANES) + (by)) % LANES)
#define AHEADS(folds) {OF_16(AHEAD, folds, 1, 0), OF_16(AHEAD, folds, 2, 0), OF_16(AHEAD, folds, 4, 0), OF_16(AHEAD, folds, 8, 0)}
#define ROW_LANE(folds, odd, unused, r) LANE_OF(folds, (odd) * (r) % LANES)
#define ROW_LANES(folds, odd) OF_16(ROW_LANE, folds, odd, 0)
static const int32_t ahead_by[3][4][16] = {AHEADS(0), AHEADS(1), AHEADS(2)};
static const int32_t row_lanes[3][6][16] = {OF_ODD(ROW_LANES, 0), OF_ODD(ROW_LANES, 1), OF_ODD(ROW_LANES, 2)};

/* Negative in lanes that are moved by 1, 2, 4, 8 vectors */
#define MOVES(folds, odd, by, l) (NUMBER_IN(folds, (l) % LANES) % (odd) & (by) ? -1 : 0)
#define MOVED(folds, odd) {OF_16(MOVES, folds, odd, 1), OF_16(MOVES, folds, odd, 2), OF_16(MOVES, folds, odd, 4), OF_16(MOVES, folds, odd, 8)}
static const T moved_lanes[3][6][4][16] = {OF_ODD(MOVED, 0), OF_ODD(MOVED, 1), OF_ODD(MOVED, 2)};

/* Nothing, but at the step when neighbours have met */
static ALWAYS_INLINE void turn_lanes(int folds, int odd, int step, V *r) {
    V from[TURNED];
    int up = 0;
    if (!odd || step != folds) return;
    UNROLLED for (int i = 1; i < odd; i++) up = i * LANES % odd == 1 ? i : up;
    UNROLLED for (int c = 0; c < odd; c++) from[c] = r[c * up % odd];
    UNROLLED for (int bit = 0; 1 << bit < odd; bit++) {
        UNROLLED for (int c = 0; c < odd; c++) r[c] = BLEND(moved_lanes[folds][odd / 2][bit], from[c], from[(c - (1 << bit) + odd) % odd]);
        UNROLLED for (int c = 0; c < odd; c++) from[c] = r[c];
    }
}

static ALWAYS_INLINE void meet_turned(int folds, int step, V first, V second, V *a, V *b) {
    if (step < folds) {
        NEIGHBOURS(first, second, a, b);
        return;
    }
    *a = first;
    *b = PERMUTE(second, ahead_by[folds][step - folds]);
}

static ALWAYS_INLINE V in_order(int folds, int odd, V a) { return odd ? PERMUTE(a, row_lanes[folds][odd / 2]) : a; }
#else
static inline int is_turned(size_t n) { return (void)n, 0; }
static inline void turn_lanes(int folds, int odd, int step, V *r) { (void)folds, (void)odd, (void)step, (void)r; }
static inline void meet_turned(int folds, int step, V first, V second, V *a, V *b) { (void)folds, (void)step, (void)first, (void)second, (void)a, (void)b; }
static inline V in_order(int folds, int odd, V a) { return (void)folds, (void)odd, a; }
#endif
