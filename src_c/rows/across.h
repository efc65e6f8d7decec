/* The softmax family of rows that lie side by side in memory, tile by tile (tile.h). */

/* Whether all entries of a tile are moderate */
static NOINLINE int tile_is_moderate(Row x, size_t n, size_t width) {
    EACH_TILE_VECTOR(n, width, {
        V beyond = C(0);
        (void)v;
        EACH_BLOCK_ENTRY beyond = SELECT(LT(ABS(tile_load(whole, x, j, i, width, C(0))), C(MODERATE)), beyond, C(1)); /* NaN too */
        if (ANY(GT(beyond, C(0)))) return 0;
    })
    return 1;
}

static NOINLINE void tile_maxima(Row x, size_t n, size_t width, V *max) {
    EACH_VECTOR(width) max[v] = NOTHING;
    EACH_TILE_VECTOR(n, width, {
        V m = max[v];
        EACH_BLOCK_ENTRY m = MAX(tile_load(whole, x, j, i, width, C(0)), m);
        max[v] = m;
    })
}

/* How the exponentials of a tile that is not moderate are taken, by its maxima */
static int tile_shifts(const V *max, size_t width, int by_maximum, Shift *by) {
    V far = C(0);
    EACH_VECTOR(width) {
        far = MAX(ABS(max[v]), far);
        by[v] = row_shift(max[v], by_maximum ? 1 : RAISED);
    }
    return LARGEST_LANE(far) < 8192 ? NEARLY : FROM_AFAR;
}

/* One entry of each row of a vector, or several, from j on: as sum_tile has them. Of few entries what a pair rounds off counts: these are added
 * singly. */
static ALWAYS_INLINE void tile_entries(int how, int what, int whole, int count, int singly, Row x, Row out, size_t j, size_t i,
                                           size_t width, Shift by, const V *place, V *top, V *sum, V *lost, V *seen) {
    V e[4] = {C(0), C(0), C(0), C(0)};
    for (int k = 0; k < count; k++) e[k] = tile_load(whole, x, j + k, i, width, C(0));
    for (int k = 0; k < count && what == BUT_LARGEST; k += 2) {
        V *greater = count > 1 ? e + k + 1 : e; /* by pairs, since what waits for `top` is slow */
        if (count > 1) e[k] = take_lesser(e[k], greater);
        *greater = take_lesser(*greater, top);
    }
    for (int k = 0; k < count; k += 2) row_exps(how, count > 1 ? 2 : 1, e + k, by, seen);
    for (int k = 0; k < count; k++) {
        if (what == BUT_ONE && place) e[k] = SELECT(GE(*place, C(j + k)), SELECT(LE(*place, C(j + k)), C(0), e[k]), e[k]);
        if (out.at) tile_store(whole, 0, out, j + k, i, width, e[k]);
    }
    for (int k = 0; k < count; k += 2)
        if (singly && what == BUT_LARGEST) { /* 100 entries, one of which is far ahead, were off by 2.2 ULP */
            *sum = add_exactly(*sum, e[k], lost);
            if (count > 1) *sum = add_exactly(*sum, e[k + 1], lost);
        } else if (singly && count > 1) /* 9 entries were off by 4.06 ULP */
            *sum = add_carried(add_carried(*sum, e[k], lost), e[k + 1], lost);
        else if (what == BUT_LARGEST)
            *sum = add_exactly(*sum, e[k] + e[k + 1], lost);
        else
            *sum = add_carried(*sum, e[k] + e[k + 1], lost);
}

#define ENTRIES(count) \
    tile_entries(how, what, whole, count, singly, x, to, j, i, width, mine, inside ? &at : NULL, &top, &s, &lost, &seen)
/* The sums of a tile's exponentials, which are written to `out` where there is one; or of all but one in each row: that at `place`, or a
 * largest one, which is found on the way; `low` is what rounding took off. 0 where they have to be taken some other way. */
static ALWAYS_INLINE int sum_tile(int how, int what, Row x, const Row *out, size_t n, size_t width, Shift *by, const V *place,
                                      V *max, V *sum, V *low) {
    const Row to = out ? *out : (Row){NULL, 0};
    const int by_less = what == BUT_LARGEST || (out && tile_width(1, 1, n) == TILE); /* else 4096 entries, written: .86 ns instead of .70 */
    const size_t block = by_less ? tile_block(x) : (size_t)TILE_BLOCK;
    const int singly = n <= (what == BUT_LARGEST ? 512 : 64);
    V carry[TILE_VECTORS], limit[TILE_VECTORS];
    EACH_VECTOR(width) {
        sum[v] = carry[v] = C(0);
        limit[v] = NOTHING;
        if (how == ONLINE) max[v] = NOTHING;
    }
    EACH_TILE_VECTOR_BY(block, n, width, {
        V s = sum[v], lost = carry[v], seen = C(0), at = C(0), top = C(0);
        if (how == ONLINE) { /* as in sum_exponentials, for each lane */
            V m = NOTHING;
            EACH_BLOCK_ENTRY m = MAX(tile_load(whole, x, j, i, width, C(0)), m);
            const M over = GE(m, limit[v]);
            if (what != BUT_LARGEST) max[v] = MAX(m, max[v]);
            if (ANY(over)) {
                const Shift raised = row_shift(m, RAISED);
                if (ANY(GE(SELECT(over, ABS(m), C(0)), C(8192)))) return 0;
                const V k = SELECT(over, raised.k, by[v].k);
                s = rescaled(s, by[v].k - k);
                lost = rescaled(lost, by[v].k - k);
                by[v].k = k;
                by[v].floor = SELECT(over, raised.floor, by[v].floor);
                limit[v] = largest_by(k);
            }
        }
        const Shift mine = how == MODERATELY ? no_shift() : by[v];
        size_t j = first;
        int inside = 0;
        if (what == BUT_ONE) {
            at = place[v];
            inside = ANY(LT(ABS(at - C(first)), C(TILE_BLOCK)));
        }
        if (what == BUT_LARGEST) {
            top = first ? max[v] : tile_load(whole, x, 0, i, width, C(0));
            j += first == 0;
        }
        if (whole && how == MODERATELY && what == BUT_LARGEST)
            for (; j + 4 <= end; j += 4) ENTRIES(4); /* 256 rows of 1024 entries: .19 ns instead of .21 */
        for (; j + 2 <= end; j += 2) ENTRIES(2);
        if (j < end) ENTRIES(1);
        if (how == MODERATELY && !is_moderate(seen)) return 0;
        sum[v] = s;
        carry[v] = lost;
        if (what == BUT_LARGEST) max[v] = top;
    })
    EACH_VECTOR(width) {
        const V rounded = sum[v] - carry[v];
        if (low) low[v] = (sum[v] - rounded) - carry[v];
        sum[v] = rounded;
    }
    EACH_VECTOR(width) {
        if (how == ONLINE && ANY(GE(ABS(max[v]), C(8192)))) return 0; /* as by the maximum, though K is raised by a lesser entry */
    }
    if (what != BUT_LARGEST) return 1;
    EACH_VECTOR(width) {
        if (how == MODERATELY && ANY(GE(ABS(max[v]), C(MODERATE)))) return 0;
        if (how == ONLINE) {
            const Shift raised = row_shift(max[v], RAISED);
            sum[v] = rescaled(sum[v], by[v].k - raised.k);
            if (low) low[v] = rescaled(low[v], by[v].k - raised.k);
            by[v] = raised;
        }
        sum[v] = sum[v] + (max[v] - max[v]); /* NaN if the largest is not finite */
    }
    return 1;
}
#undef ENTRIES

static ALWAYS_INLINE void finish_tile(int how, int streaming, Row x, Row out, size_t n, size_t width, const Shift *by,
                                          const Factor *factor) {
    V seen = C(0);
    EACH_TILE_VECTOR(n, width, {
        const Shift mine = how == MODERATELY ? no_shift() : by[v];
        const Factor f = factor[v];
        EACH_BLOCK_ENTRY {
            const V e = row_exp(how, tile_load(whole, x, j, i, width, C(0)), mine, &seen);
            tile_store(whole, streaming, out, j, i, width, times_factor(how, 1, e, f));
        }
    })
    (void)seen;
}

/* `place` is NULL, or of the entry of each row that the sum leaves out */
static NOINLINE int tile_take_moderately(Row x, const Row *out, size_t n, size_t width, Shift *by, const V *place, V *sum, V *low) {
    if (place)
        return sum_tile(MODERATELY, BUT_ONE, x, out, n, width, by, place, NULL, sum, low);
    return sum_tile(MODERATELY, ALL, x, out, n, width, by, NULL, NULL, sum, low);
}
static NOINLINE void tile_finish_moderately(int streaming, Row x, Row out, size_t n, size_t width, const Shift *by,
                                         const Factor *factor) {
    if (streaming)
        finish_tile(MODERATELY, 1, x, out, n, width, by, factor);
    else
        finish_tile(MODERATELY, 0, x, out, n, width, by, factor);
}

static NOINLINE int tile_take_nearly(Row x, const Row *out, size_t n, size_t width, Shift *by, const V *place, V *sum, V *low) {
    if (place)
        return sum_tile(NEARLY, BUT_ONE, x, out, n, width, by, place, NULL, sum, low);
    return sum_tile(NEARLY, ALL, x, out, n, width, by, NULL, NULL, sum, low);
}
static NOINLINE void tile_finish_nearly(int streaming, Row x, Row out, size_t n, size_t width, const Shift *by,
                                         const Factor *factor) {
    if (streaming)
        finish_tile(NEARLY, 1, x, out, n, width, by, factor);
    else
        finish_tile(NEARLY, 0, x, out, n, width, by, factor);
}

static NOINLINE int tile_take_from_afar(Row x, const Row *out, size_t n, size_t width, Shift *by, const V *place, V *sum, V *low) {
    if (place)
        return sum_tile(FROM_AFAR, BUT_ONE, x, out, n, width, by, place, NULL, sum, low);
    return sum_tile(FROM_AFAR, ALL, x, out, n, width, by, NULL, NULL, sum, low);
}
static NOINLINE void tile_finish_from_afar(int streaming, Row x, Row out, size_t n, size_t width, const Shift *by,
                                         const Factor *factor) {
    if (streaming)
        finish_tile(FROM_AFAR, 1, x, out, n, width, by, factor);
    else
        finish_tile(FROM_AFAR, 0, x, out, n, width, by, factor);
}
static NOINLINE int tile_sum_moderately(Row x, size_t n, size_t width, Shift *by, const V *place, V *max, V *sum, V *low) {
    if (place)
        return sum_tile(MODERATELY, BUT_ONE, x, NULL, n, width, by, place, max, sum, low);
    return sum_tile(MODERATELY, ALL, x, NULL, n, width, by, NULL, max, sum, low);
}
static NOINLINE int tile_rest_moderately(Row x, size_t n, size_t width, Shift *by, V *max, V *sum, V *low) {
    return sum_tile(MODERATELY, BUT_LARGEST, x, NULL, n, width, by, NULL, max, sum, low);
}

static NOINLINE int tile_sum_online(Row x, size_t n, size_t width, Shift *by, const V *place, V *max, V *sum, V *low) {
    if (place)
        return sum_tile(ONLINE, BUT_ONE, x, NULL, n, width, by, place, max, sum, low);
    return sum_tile(ONLINE, ALL, x, NULL, n, width, by, NULL, max, sum, low);
}
static NOINLINE int tile_rest_online(Row x, size_t n, size_t width, Shift *by, V *max, V *sum, V *low) {
    return sum_tile(ONLINE, BUT_LARGEST, x, NULL, n, width, by, NULL, max, sum, low);
}

static NOINLINE int tile_sum_from_afar(Row x, size_t n, size_t width, Shift *by, const V *place, V *max, V *sum, V *low) {
    if (place)
        return sum_tile(FROM_AFAR, BUT_ONE, x, NULL, n, width, by, place, max, sum, low);
    return sum_tile(FROM_AFAR, ALL, x, NULL, n, width, by, NULL, max, sum, low);
}
static NOINLINE int tile_rest_from_afar(Row x, size_t n, size_t width, Shift *by, V *max, V *sum, V *low) {
    return sum_tile(FROM_AFAR, BUT_LARGEST, x, NULL, n, width, by, NULL, max, sum, low);
}

static ALWAYS_INLINE void scale_tile_by(int how, Row out, size_t n, size_t width, const Factor *factor) {
    EACH_TILE_VECTOR_BY(tile_block(out), n, width, {
        const Factor f = factor[v];
        EACH_BLOCK_ENTRY tile_store(whole, 0, out, j, i, width, times_factor(how, 1, tile_load(whole, out, j, i, width, C(0)), f));
    })
}
static void scale_tile(int how, Row out, size_t n, size_t width, const Factor *factor) {
    if (how == MODERATELY)
        scale_tile_by(MODERATELY, out, n, width, factor);
    else
        scale_tile_by(NEARLY, out, n, width, factor);
}

static void no_shifts(size_t width, Shift *by) {
    EACH_VECTOR(width) by[v] = no_shift();
}

/* As take_row for rows apart: how the exponentials of a tile were taken, by what and, unless moderately, the maxima */
static int take_tile(Row x, const Row *out, size_t n, size_t width, int by_maximum, const V *place, Shift *by, V *max, V *sum,
                         V *low) {
    const int before = out && out->at == x.at;
    no_shifts(width, by);
    if (!by_maximum && !(before && !tile_is_moderate(x, n, width)) &&
        (out ? tile_take_moderately(x, out, n, width, by, place, sum, low) : tile_sum_moderately(x, n, width, by, place, max, sum, low)))
        return MODERATELY;
    if (!by_maximum && !out && tile_sum_online(x, n, width, by, place, max, sum, low)) return NEARLY;
    tile_maxima(x, n, width, max);
    const int how = tile_shifts(max, width, by_maximum, by);
    if (out)
        (how == NEARLY ? tile_take_nearly : tile_take_from_afar)(x, out, n, width, by, place, sum, low);
    else
        tile_sum_from_afar(x, n, width, by, place, max, sum, low);
    return how;
}

/* A tile's exponentials times the factors: those that are in `out` already, or taken once more. */
static void finish_across(int how, int twice, int streaming, Row x, Row out, size_t n, size_t width, const Shift *by,
                              Factor *factor) {
    V least = C(1);
    EACH_VECTOR(width) least = least_size(factor[v].scale, least);
    how = how_to_finish(how, least);
    EACH_VECTOR(width) factor[v] = power_apart(how, factor[v]);
    if (twice)
        EACH_STREAMED(streaming, TILE_BLOCK, out, n, width, {
            HOW(how, tile_finish_moderately, tile_finish_nearly, tile_finish_from_afar, direct, from_entry(x, start), to, count, width, by, factor);
        })
    else
        scale_tile(how, entries_of(1, out, 0, n), n, width, factor);
}

static void softmax_across(int streaming, Row x, Row out, size_t n, size_t width, const T *weight) {
    if (weight && width > 1 && !are_ordinary(weight, width)) { /* each by itself: no other's bits hang on a weight */
        for (size_t i = 0; i < width; i++) softmax_across(0, (Row){x.at + i, x.step}, (Row){out.at + i, out.step}, n, 1, weight + i);
        return;
    }
    V max[TILE_VECTORS] = {C(0)}, sum[TILE_VECTORS], low[TILE_VECTORS];
    Shift by[TILE_VECTORS];
    Factor factor[TILE_VECTORS];
    const int twice = tile_twice(streaming, x, out, n, width);
    const int how = take_tile(x, twice ? NULL : &out, n, width, weight && !are_ordinary(weight, width), NULL, by, max, sum, low);
    EACH_VECTOR(width) {
        V over = C(1);
        if (weight) over = LOAD_SOME(weight + i, width - i, C(0));
        factor[v] = quotient_of(over, sum[v], low[v]);
    }
    finish_across(how, twice, streaming, x, out, n, width, by, factor);
}

/* As log_sums for rows apart */
static NOINLINE void tile_log_sums(Row x, size_t n, size_t width, T *high, T *low) {
    Shift by[TILE_VECTORS];
    V max[TILE_VECTORS], rest[TILE_VECTORS], lost[TILE_VECTORS];
    T array[5][LANES];
    no_shifts(width, by);
    if (!tile_rest_moderately(x, n, width, by, max, rest, lost) && !tile_rest_online(x, n, width, by, max, rest, lost)) {
        tile_maxima(x, n, width, max);
        tile_shifts(max, width, 0, by);
        tile_rest_from_afar(x, n, width, by, max, rest, lost);
    }
    EACH_VECTOR(width) {
        STORE(array[0], rest[v]);
        STORE(array[1], max[v]);
        STORE(array[2], by[v].shift);
        STORE(array[3], by[v].k);
        STORE(array[4], lost[v]);
        logarithms(array[0], array[4], NULL, array[1], array[2], array[3], high + i, low + i, LANES);
    }
}

static ALWAYS_INLINE void subtract_tile(int streaming, Row x, Row out, size_t n, size_t width, const T *high, const T *low) {
    EACH_TILE_VECTOR_BY(tile_block(x), n, width, {
        const V first_part = LOAD(high + i), rest = LOAD(low + i);
        EACH_BLOCK_ENTRY tile_store(whole, streaming, out, j, i, width, (tile_load(whole, x, j, i, width, C(0)) - first_part) - rest);
        (void)v;
    })
}

static void log_softmax_across(int streaming, Row x, Row out, size_t n, size_t width) {
    ALIGNED T high[TILE], low[TILE];
    tile_log_sums(x, n, width, high, low);
    EACH_STREAMED(streaming, TILE_BLOCK, out, n, width, {
        if (direct)
            subtract_tile(1, x, to, n, width, high, low);
        else
            subtract_tile(0, entries_of(backwards, x, start, count), entries_of(backwards, to, 0, count), count, width, high, low);
    })
}
