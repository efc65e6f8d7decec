/* Rows that lie side by side in memory, for functions off the last axis: neighbouring rows stand in the lanes
 * of a vector. Entry j of row i stands at p[j * step + i]. A tile is some of them. It is read in blocks of 8
 * entries, vector by vector; where there are two arrays, in blocks of 4, which leave room in L1. */

enum { TILE = LANES < 8 ? 32 * LANES : 256, TILE_VECTORS = TILE / LANES, TILE_BLOCK = 8, PAIR_BLOCK = 4 };

/* A tile of exponentials, of this many entries, stays in or near L2 between its passes; otherwise they are
 * taken twice. */
enum { TILE_ENTRIES = (1 << 20) / sizeof(T) };

/* How many entries of each vector follow one another. Those of rows 4 KiB apart share lines of L1, which
 * holds 12. */
static inline size_t tile_block(Row t) {
    return t.step % (ptrdiff_t)(4096 / sizeof(T)) ? (size_t)TILE_BLOCK : (size_t)TILE_BLOCK / 2;
}

/* What is found of each row of a tile */
typedef struct {
    size_t n, width;
    int by_k; /* the exponentials are not taken moderately */
    V sum[TILE_VECTORS], low[TILE_VECTORS], max[TILE_VECTORS];
    V bias[TILE_VECTORS], floor[TILE_VECTORS], shift[TILE_VECTORS];
    V place[TILE_VECTORS]; /* of the entry that a sum leaves out */
    Operand mask; /* without data where there is none; entries from the limit on are masked, too */
    const V *limit; /* or NULL */
} Tile;

static inline int is_masked(const Tile *t) { return t->mask.data || t->limit; }

/* The entries j of the rows of a vector, `fill` where they are masked */
static ALWAYS_INLINE V only_kept(const Tile *t, size_t j, size_t i, size_t v, V x, V fill) {
    const size_t count = at_most(LANES, t->width - i);
    const char *p = t->mask.data + (ptrdiff_t)j * t->mask.inner + (ptrdiff_t)i * t->mask.outer;
    if (t->mask.data && t->mask.outer == 1)
        x = SELECT(KEPT(p, count), x, fill);
    else if (t->mask.data) {
        char bytes[LANES] = {0};
        for (size_t k = 0; k < count; k++) bytes[k] = p[(ptrdiff_t)k * t->mask.outer];
        x = SELECT(KEPT(bytes, count), x, fill);
    }
    return t->limit ? SELECT(GT(t->limit[v], C(j)), x, fill) : x;
}

/* The processor does not foresee these addresses: each load asks for the entry a block ahead. */
static ALWAYS_INLINE V tile_load(int whole, Row t, size_t j, size_t i, size_t width) {
    const T *p = t.at + (ptrdiff_t)j * t.step + (ptrdiff_t)i;
    if (whole) PREFETCH(p + TILE_BLOCK * t.step);
    return load_lanes(whole, p, width - i, C(0));
}
static ALWAYS_INLINE void tile_store(int whole, int streaming, Row t, size_t j, size_t i, size_t width,
                                     V value) {
    T *p = t.at + (ptrdiff_t)j * t.step + (ptrdiff_t)i;
    if (whole)
        PUT(streaming, p, value);
    else
        STORE_SOME(p, value, width - i);
}

/* The sums of one vector of rows, in registers */
typedef struct {
    V sum, low, max, place;
    int inside; /* whether an entry to leave out may be near */
} TileSums;

/* One or two entries of the rows of a vector, from j on; kept if there is an `out`. `singly`: each entry
 * joins the sum by itself. */
static ALWAYS_INLINE void tile_entries(int moderately, int masked, int what, int whole, int singly, int count,
                                       Row x, Row out, size_t j, size_t i, size_t width, V shift, Scale s,
                                       Shift by, TileSums *t, V *seen, const Tile *tile, size_t v, V none) {
    V e[2] = {C(0), C(0)};
    for (int k = 0; k < count; k++) {
        e[k] = tile_load(whole, x, j + k, i, width);
        if (!moderately) e[k] = e[k] - shift;
        if (masked) e[k] = only_kept(tile, j + k, i, v, e[k], none);
        if (what == LESSER_OF_NEGATIVE) e[k] = -e[k];
    }
    if (what >= LESSER) {
        V *greater = e + count - 1; /* of a pair first, since what waits for the largest is slow */
        if (count > 1) e[0] = take_lesser(e[0], greater);
        *greater = take_lesser(*greater, &t->max);
    }
    exps(moderately, count, e, s, by, seen);
    for (int k = 0; k < count; k++) {
        if (out.at) tile_store(whole, 0, out, j + k, i, width, e[k]);
        if (what == BUT_ONE && t->inside)
            e[k] = SELECT(GE(t->place, C(j + k)), SELECT(GE(C(j + k), t->place), C(0), e[k]), e[k]);
    }
    if (singly && what >= LESSER) { /* 100 entries, one of which is far ahead, were off by 2.2 ULP */
        t->sum = add_exactly(t->sum, e[0], &t->low);
        if (count > 1) t->sum = add_exactly(t->sum, e[1], &t->low);
    } else if (singly) /* 9 entries were off by 4.06 ULP */
        t->sum = add_carried(add_carried(t->sum, e[0], &t->low), e[1], &t->low);
    else if (what >= LESSER)
        t->sum = add_exactly(t->sum, e[0] + e[1], &t->low);
    else
        t->sum = add_carried(t->sum, e[0] + e[1], &t->low);
}

static ALWAYS_INLINE int tile_block_sums(int moderately, int masked, int what, int whole, int singly, Row x,
                                         Row out, size_t j, size_t end, size_t i, Tile *t, size_t v, Scale s,
                                         V none) {
    const int lesser = what >= LESSER;
    const V shift = moderately ? C(0) : t->shift[v];
    const Shift by = {t->bias[v], t->floor[v]};
    TileSums sums = {t->sum[v], t->low[v], t->max[v], C(0), 0};
    V seen = C(0);
    if (what == BUT_ONE) {
        sums.place = t->place[v];
        sums.inside = ANY(LT(ABS(sums.place - C(j)), C(TILE_BLOCK)));
    }
    if (lesser && j == 0) {
        V first = tile_load(whole, x, j, i, t->width) - shift;
        if (masked) first = only_kept(t, j, i, v, first, none);
        j++;
        sums.max = what == LESSER ? first : -first;
    }
    for (; j + 2 <= end; j += 2)
        tile_entries(moderately, masked, what, whole, singly, 2, x, out, j, i, t->width, shift, s, by, &sums,
                     &seen, t, v, none);
    if (j < end)
        tile_entries(moderately, masked, what, whole, singly, 1, x, out, j, i, t->width, shift, s, by, &sums,
                     &seen, t, v, none);
    t->sum[v] = sums.sum;
    t->low[v] = sums.low;
    t->max[v] = sums.max;
    return !moderately || is_moderate(seen);
}

/* The sums of the exponentials, without the largest or with it. 0 where they are not moderate. */
static ALWAYS_INLINE int tile_sums(int moderately, int masked, int what, Row x, Row out, Tile *t, Scale s,
                                   V none) {
    const size_t n = t->n, width = t->width;
    const size_t block = what >= LESSER || out.at ? tile_block(x) : (size_t)TILE_BLOCK;
    const int singly = n <= (what >= LESSER ? 512 : 64);
    const int lesser = what >= LESSER;
    int moderate = 1;
    V seen = C(0);
    for (size_t v = 0; v * LANES < width; v++) {
        t->sum[v] = t->low[v] = C(0);
        if (lesser) t->max[v] = NOTHING;
        if (!moderately) continue;
        t->bias[v] = C(ROUNDER);
        t->floor[v] = NOTHING;
        t->shift[v] = C(0);
    }
    for (size_t j = 0, end; j < n; j = end) {
        end = j + block < n ? j + block : n;
        for (size_t v = 0, i = 0; i < width; v++, i += LANES)
            if (i + LANES <= width)
                moderate &= tile_block_sums(moderately, masked, what, 1, singly, x, out, j, end, i, t, v, s,
                                            none);
            else
                moderate &= tile_block_sums(moderately, masked, what, 0, singly, x, out, j, end, i, t, v, s,
                                            none);
        if (!moderate) return 0;
    }
    for (size_t v = 0; v * LANES < width; v++) {
        V top = t->max[v];
        if (lesser && moderately) exps(1, 1, &top, s, no_shift(), &seen); /* whether it is moderate, too */
        const V rounded = t->sum[v] - t->low[v];
        t->low[v] = (t->sum[v] - rounded) - t->low[v];
        t->sum[v] = rounded;
    }
    return !moderately || is_moderate(seen);
}
static NOINLINE int tile_moderate_sums(int what, Row x, Row out, Tile *t, const Call *c) {
    const Row none = {NULL, 0};
    if (what == ALL) return tile_sums(1, 0, ALL, x, out, t, c->s, NOTHING);
    if (what == BUT_ONE) return tile_sums(1, 0, BUT_ONE, x, out, t, c->s, NOTHING);
    if (what == LESSER) return tile_sums(1, 0, LESSER, x, none, t, c->size, NOTHING);
    return tile_sums(1, 0, LESSER_OF_NEGATIVE, x, none, t, c->size, NOTHING);
}
static ALWAYS_INLINE void tile_sums_by(int masked, int what, Row x, Row out, Tile *t, const Call *c, V none) {
    const Row nowhere = {NULL, 0};
    if (what == ALL)
        tile_sums(0, masked, ALL, x, out, t, c->s, none);
    else if (what == BUT_ONE)
        tile_sums(0, 0, BUT_ONE, x, out, t, c->s, none);
    else if (what == LESSER)
        tile_sums(0, masked, LESSER, x, nowhere, t, c->size, none);
    else
        tile_sums(0, masked, LESSER_OF_NEGATIVE, x, nowhere, t, c->size, none);
}
/* `none` is an x whose exponential is 0. */
static NOINLINE void tile_sums_by_k(int what, Row x, Row out, Tile *t, const Call *c, V none) {
    is_masked(t) ? tile_sums_by(1, what, x, out, t, c, none) : tile_sums_by(0, what, x, out, t, c, none);
}

static NOINLINE void tile_maxima(Row x, Tile *t, V sign) {
    for (size_t v = 0; v * LANES < t->width; v++) t->max[v] = NOTHING;
    for (size_t j = 0, end; j < t->n; j = end) {
        end = j + TILE_BLOCK < t->n ? j + TILE_BLOCK : t->n;
        for (size_t v = 0, i = 0; i < t->width; v++, i += LANES) {
            const int whole = i + LANES <= t->width;
            V max = t->max[v];
            for (size_t k = j; k < end; k++) {
                V entry = sign * tile_load(whole, x, k, i, t->width);
                if (is_masked(t)) entry = only_kept(t, k, i, v, entry, NOTHING);
                max = MAX(entry, max);
            }
            t->max[v] = max;
        }
    }
}

/* The sums of a tile, with the sinks; kept in `out` if there is one. 0 where a row is left to exact_row. */
static int take_tile(int what, const Call *c, size_t first, Row x, Row out, Tile *t) {
    const V sign = C(c->scale < 0 ? -1 : 1);
    const Scale unit = scale_by(1);
    Sinks sink[TILE_VECTORS];
    V seen = C(0);
    for (size_t v = 0, i = 0; i < t->width && c->sink.data; v++, i += LANES) {
        sink[v] = sinks_of(c, first + i, at_most(LANES, t->width - i));
        sink_exps(1, sink[v], unit, no_shift(), &seen);
    }
    t->by_k = out.at == x.at || is_masked(t) || !is_moderate(seen) || !tile_moderate_sums(what, x, out, t, c);
    if (t->by_k) {
        tile_maxima(x, t, sign);
        for (size_t v = 0, i = 0; i < t->width; v++, i += LANES) {
            const V size = t->max[v] * c->size.factor;
            const V largest = c->sink.data ? MAX(size, sink[v].high) : size;
            const M far = GE(ABS(largest), C(FAR));
            const Shift by = shift_by(SELECT(far, C(0), largest));
            if (c->sink.data && ANY(far)) return 0;
            t->bias[v] = by.bias;
            t->floor[v] = by.floor;
            t->shift[v] = SELECT(far, sign * t->max[v], C(0));
        }
        tile_sums_by_k(what, x, out, t, c, sign * NOTHING);
    }
    for (size_t v = 0; v * LANES < t->width && c->sink.data; v++) {
        const Shift by = {t->bias[v], t->floor[v]};
        add_sinks(sink_exps(0, sink[v], unit, by, NULL), t->sum + v, t->low + v);
    }
    return 1;
}
