/* The softmax family of rows that lie side by side in memory, for REAL: tile by tile (row_tile.h). */

/* Whether all entries of a tile are moderate */
static APART int FN(tile_is_moderate)(FN(Row) x, size_t n, size_t width) {
    EACH_TILE_VECTOR(n, width, {
        V beyond = C(0);
        (void)v;
        EACH_BLOCK_ENTRY beyond = SELECT(LT(ABS(FN(tile_load)(whole, x, j, i, width, C(0))), C(FN(MODERATE))), beyond, C(1)); /* NaN too */
        if (OP(any)(GT(beyond, C(0)))) return 0;
    })
    return 1;
}

static APART void FN(tile_maxima)(FN(Row) x, size_t n, size_t width, V *max) {
    EACH_VECTOR(width) max[v] = NOTHING;
    EACH_TILE_VECTOR(n, width, {
        V m = max[v];
        EACH_BLOCK_ENTRY m = MAX(FN(tile_load)(whole, x, j, i, width, C(0)), m);
        max[v] = m;
    })
}

/* How the exponentials of a tile that is not moderate are taken, by its maxima */
static int FN(tile_shifts)(const V *max, size_t width, int by_maximum, FN(Shift) *by) {
    V far = C(0);
    EACH_VECTOR(width) {
        far = MAX(ABS(max[v]), far);
        by[v] = FN(row_shift)(max[v], by_maximum ? 1 : FN(RAISED));
    }
    return OP(largest)(far) < 8192 ? FN(NEARLY) : FN(FROM_AFAR);
}

/* One entry of each row of a vector, or several, from j on: as sum_tile has them. Of few entries what a pair rounds off counts: these are added
 * singly. */
static ALWAYS_INLINE void FN(tile_entries)(int how, int what, int whole, int count, int singly, FN(Row) x, FN(Row) out, size_t j, size_t i,
                                           size_t width, FN(Shift) by, const V *place, V *top, V *sum, V *lost, V *seen) {
    V e[4] = {C(0), C(0), C(0), C(0)};
    for (int k = 0; k < count; k++) e[k] = FN(tile_load)(whole, x, j + k, i, width, C(0));
    for (int k = 0; k < count && what == FN(BUT_LARGEST); k += 2) {
        V *greater = count > 1 ? e + k + 1 : e; /* by pairs, since what waits for `top` is slow */
        if (count > 1) e[k] = FN(take_lesser)(e[k], greater);
        *greater = FN(take_lesser)(*greater, top);
    }
    for (int k = 0; k < count; k += 2) FN(row_exps)(how, count > 1 ? 2 : 1, e + k, by, seen);
    for (int k = 0; k < count; k++) {
        if (what == FN(BUT_ONE) && place) e[k] = SELECT(GE(*place, C(j + k)), SELECT(LE(*place, C(j + k)), C(0), e[k]), e[k]);
        if (out.at) FN(tile_store)(whole, 0, out, j + k, i, width, e[k]);
    }
    for (int k = 0; k < count; k += 2)
        if (singly && what == FN(BUT_LARGEST)) { /* 100 entries, one of which is far ahead, were off by 2.2 ULP */
            *sum = FN(add_exactly)(*sum, e[k], lost);
            if (count > 1) *sum = FN(add_exactly)(*sum, e[k + 1], lost);
        } else if (singly && count > 1) /* 9 entries were off by 4.06 ULP */
            *sum = FN(add_carried)(FN(add_carried)(*sum, e[k], lost), e[k + 1], lost);
        else if (what == FN(BUT_LARGEST))
            *sum = FN(add_exactly)(*sum, e[k] + e[k + 1], lost);
        else
            *sum = FN(add_carried)(*sum, e[k] + e[k + 1], lost);
}

#define ENTRIES(count) \
    FN(tile_entries)(how, what, whole, count, singly, x, to, j, i, width, mine, inside ? &at : NULL, &top, &s, &lost, &seen)
/* The sums of a tile's exponentials, which are written to `out` where there is one; or of all but one in each row: that at `place`, or a
 * largest one, which is found on the way; `low` is what rounding took off. 0 where they have to be taken some other way. */
static ALWAYS_INLINE int FN(sum_tile)(int how, int what, FN(Row) x, const FN(Row) *out, size_t n, size_t width, FN(Shift) *by, const V *place,
                                      V *max, V *sum, V *low) {
    const FN(Row) to = out ? *out : (FN(Row)){NULL, 0};
    const int by_less = what == FN(BUT_LARGEST) || (out && FN(tile_width)(1, 1, n) == FN(TILE)); /* else 4096 entries, written: .86 ns instead of .70 */
    const size_t block = by_less ? FN(tile_block)(x) : (size_t)FN(TILE_BLOCK);
    const int singly = n <= (what == FN(BUT_LARGEST) ? 512 : 64);
    V carry[FN(TILE_VECTORS)], limit[FN(TILE_VECTORS)];
    EACH_VECTOR(width) {
        sum[v] = carry[v] = C(0);
        limit[v] = NOTHING;
        if (how == FN(ONLINE)) max[v] = NOTHING;
    }
    EACH_TILE_VECTOR_BY(block, n, width, {
        V s = sum[v], lost = carry[v], seen = C(0), at = C(0), top = C(0);
        if (how == FN(ONLINE)) { /* as in sum_exponentials, for each lane */
            V m = NOTHING;
            EACH_BLOCK_ENTRY m = MAX(FN(tile_load)(whole, x, j, i, width, C(0)), m);
            const M over = GE(m, limit[v]);
            if (what != FN(BUT_LARGEST)) max[v] = MAX(m, max[v]);
            if (OP(any)(over)) {
                const FN(Shift) raised = FN(row_shift)(m, FN(RAISED));
                if (OP(any)(GE(SELECT(over, ABS(m), C(0)), C(8192)))) return 0;
                const V k = SELECT(over, raised.k, by[v].k);
                s = FN(rescaled)(s, by[v].k - k);
                lost = FN(rescaled)(lost, by[v].k - k);
                by[v].k = k;
                by[v].floor = SELECT(over, raised.floor, by[v].floor);
                limit[v] = FN(largest_by)(k);
            }
        }
        const FN(Shift) mine = how == FN(MODERATELY) ? FN(no_shift)() : by[v];
        size_t j = first;
        int inside = 0;
        if (what == FN(BUT_ONE)) {
            at = place[v];
            inside = OP(any)(LT(ABS(at - C(first)), C(FN(TILE_BLOCK))));
        }
        if (what == FN(BUT_LARGEST)) {
            top = first ? max[v] : FN(tile_load)(whole, x, 0, i, width, C(0));
            j += first == 0;
        }
        if (whole && how == FN(MODERATELY) && what == FN(BUT_LARGEST))
            for (; j + 4 <= end; j += 4) ENTRIES(4); /* 256 rows of 1024 entries: .19 ns instead of .21 */
        for (; j + 2 <= end; j += 2) ENTRIES(2);
        if (j < end) ENTRIES(1);
        if (how == FN(MODERATELY) && !FN(is_moderate)(seen)) return 0;
        sum[v] = s;
        carry[v] = lost;
        if (what == FN(BUT_LARGEST)) max[v] = top;
    })
    EACH_VECTOR(width) {
        const V rounded = sum[v] - carry[v];
        if (low) low[v] = (sum[v] - rounded) - carry[v];
        sum[v] = rounded;
    }
    EACH_VECTOR(width) {
        if (how == FN(ONLINE) && OP(any)(GE(ABS(max[v]), C(8192)))) return 0; /* as by the maximum, though K is raised by a lesser entry */
    }
    if (what != FN(BUT_LARGEST)) return 1;
    EACH_VECTOR(width) {
        if (how == FN(MODERATELY) && OP(any)(GE(ABS(max[v]), C(FN(MODERATE))))) return 0;
        if (how == FN(ONLINE)) {
            const FN(Shift) raised = FN(row_shift)(max[v], FN(RAISED));
            sum[v] = FN(rescaled)(sum[v], by[v].k - raised.k);
            if (low) low[v] = FN(rescaled)(low[v], by[v].k - raised.k);
            by[v] = raised;
        }
        sum[v] = sum[v] + (max[v] - max[v]); /* NaN if the largest is not finite */
    }
    return 1;
}
#undef ENTRIES

static ALWAYS_INLINE void FN(finish_tile)(int how, int streaming, FN(Row) x, FN(Row) out, size_t n, size_t width, const FN(Shift) *by,
                                          const FN(Factor) *factor) {
    V seen = C(0);
    EACH_TILE_VECTOR(n, width, {
        const FN(Shift) mine = how == FN(MODERATELY) ? FN(no_shift)() : by[v];
        const FN(Factor) f = factor[v];
        EACH_BLOCK_ENTRY {
            const V e = FN(row_exp)(how, FN(tile_load)(whole, x, j, i, width, C(0)), mine, &seen);
            FN(tile_store)(whole, streaming, out, j, i, width, FN(times)(how, 1, e, f));
        }
    })
    (void)seen;
}

/* `place` is NULL, or of the entry of each row that the sum leaves out */
#define TILES(name, how)                                                                                                            \
    static APART int FN(tile_take_##name)(FN(Row) x, const FN(Row) *out, size_t n, size_t width, FN(Shift) *by, const V *place, V *sum, V *low) { \
        if (place)                                                                                                                  \
            return FN(sum_tile)(how, FN(BUT_ONE), x, out, n, width, by, place, NULL, sum, low);                                          \
        return FN(sum_tile)(how, FN(ALL), x, out, n, width, by, NULL, NULL, sum, low);                                                   \
    }                                                                                                                               \
    static APART void FN(tile_finish_##name)(int streaming, FN(Row) x, FN(Row) out, size_t n, size_t width, const FN(Shift) *by,    \
                                             const FN(Factor) *factor) {                                                               \
        if (streaming)                                                                                                              \
            FN(finish_tile)(how, 1, x, out, n, width, by, factor);                                                                  \
        else                                                                                                                        \
            FN(finish_tile)(how, 0, x, out, n, width, by, factor);                                                                  \
    }
#define SUMS(name, how)                                                                                                             \
    static APART int FN(tile_sum_##name)(FN(Row) x, size_t n, size_t width, FN(Shift) *by, const V *place, V *max, V *sum, V *low) {        \
        if (place)                                                                                                                  \
            return FN(sum_tile)(how, FN(BUT_ONE), x, NULL, n, width, by, place, max, sum, low);                                     \
        return FN(sum_tile)(how, FN(ALL), x, NULL, n, width, by, NULL, max, sum, low);                                                   \
    }                                                                                                                               \
    static APART int FN(tile_rest_##name)(FN(Row) x, size_t n, size_t width, FN(Shift) *by, V *max, V *sum, V *low) {               \
        return FN(sum_tile)(how, FN(BUT_LARGEST), x, NULL, n, width, by, NULL, max, sum, low);                                          \
    }
EACH_HOW(TILES)
EACH_HOW_TO_SUM(SUMS)
#undef TILES
#undef SUMS

static ALWAYS_INLINE void FN(scale_tile_by)(int how, FN(Row) out, size_t n, size_t width, const FN(Factor) *factor) {
    EACH_TILE_VECTOR_BY(FN(tile_block)(out), n, width, {
        const FN(Factor) f = factor[v];
        EACH_BLOCK_ENTRY FN(tile_store)(whole, 0, out, j, i, width, FN(times)(how, 1, FN(tile_load)(whole, out, j, i, width, C(0)), f));
    })
}
static void FN(scale_tile)(int how, FN(Row) out, size_t n, size_t width, const FN(Factor) *factor) {
    if (how == FN(MODERATELY))
        FN(scale_tile_by)(FN(MODERATELY), out, n, width, factor);
    else
        FN(scale_tile_by)(FN(NEARLY), out, n, width, factor);
}

static void FN(no_shifts)(size_t width, FN(Shift) *by) {
    EACH_VECTOR(width) by[v] = FN(no_shift)();
}

/* As take_row for rows apart: how the exponentials of a tile were taken, by what and, unless moderately, the maxima */
static int FN(take_tile)(FN(Row) x, const FN(Row) *out, size_t n, size_t width, int by_maximum, const V *place, FN(Shift) *by, V *max, V *sum,
                         V *low) {
    const int before = out && out->at == x.at;
    FN(no_shifts)(width, by);
    if (!by_maximum && !(before && !FN(tile_is_moderate)(x, n, width)) &&
        (out ? FN(tile_take_moderately)(x, out, n, width, by, place, sum, low) : FN(tile_sum_moderately)(x, n, width, by, place, max, sum, low)))
        return FN(MODERATELY);
    if (!by_maximum && !out && FN(tile_sum_online)(x, n, width, by, place, max, sum, low)) return FN(NEARLY);
    FN(tile_maxima)(x, n, width, max);
    const int how = FN(tile_shifts)(max, width, by_maximum, by);
    if (out)
        (how == FN(NEARLY) ? FN(tile_take_nearly) : FN(tile_take_from_afar))(x, out, n, width, by, place, sum, low);
    else
        FN(tile_sum_from_afar)(x, n, width, by, place, max, sum, low);
    return how;
}

/* A tile's exponentials times the factors: those that are in `out` already, or taken once more. */
static void FN(finish_across)(int how, int twice, int streaming, FN(Row) x, FN(Row) out, size_t n, size_t width, const FN(Shift) *by,
                              FN(Factor) *factor) {
    V least = C(1);
    EACH_VECTOR(width) least = FN(least_size)(factor[v].scale, least);
    how = FN(how_to_finish)(how, least);
    EACH_VECTOR(width) factor[v] = FN(apart)(how, factor[v]);
    if (twice)
        EACH_STREAMED(streaming, FN(TILE_BLOCK), out, n, width, {
            HOW(how, tile_finish, direct, FN(from_entry)(x, start), to, count, width, by, factor);
        })
    else
        FN(scale_tile)(how, FN(entries)(1, out, 0, n), n, width, factor);
}

static void FN(softmax_across)(int streaming, FN(Row) x, FN(Row) out, size_t n, size_t width, const T *weight) {
    if (weight && width > 1 && !FN(are_ordinary)(weight, width)) { /* each by itself: no other's bits hang on a weight */
        for (size_t i = 0; i < width; i++) FN(softmax_across)(0, (FN(Row)){x.at + i, x.step}, (FN(Row)){out.at + i, out.step}, n, 1, weight + i);
        return;
    }
    V max[FN(TILE_VECTORS)] = {C(0)}, sum[FN(TILE_VECTORS)], low[FN(TILE_VECTORS)];
    FN(Shift) by[FN(TILE_VECTORS)];
    FN(Factor) factor[FN(TILE_VECTORS)];
    const int twice = FN(tile_twice)(streaming, x, out, n, width);
    const int how = FN(take_tile)(x, twice ? NULL : &out, n, width, weight && !FN(are_ordinary)(weight, width), NULL, by, max, sum, low);
    EACH_VECTOR(width) {
        V over = C(1);
        if (weight) over = FN(load_some)(weight + i, width - i, C(0));
        factor[v] = FN(quotient)(over, sum[v], low[v]);
    }
    FN(finish_across)(how, twice, streaming, x, out, n, width, by, factor);
}

/* As log_sums for rows apart */
static APART void FN(tile_log_sums)(FN(Row) x, size_t n, size_t width, T *high, T *low) {
    FN(Shift) by[FN(TILE_VECTORS)];
    V max[FN(TILE_VECTORS)], rest[FN(TILE_VECTORS)], lost[FN(TILE_VECTORS)];
    T array[5][LANES];
    FN(no_shifts)(width, by);
    if (!FN(tile_rest_moderately)(x, n, width, by, max, rest, lost) && !FN(tile_rest_online)(x, n, width, by, max, rest, lost)) {
        FN(tile_maxima)(x, n, width, max);
        FN(tile_shifts)(max, width, 0, by);
        FN(tile_rest_from_afar)(x, n, width, by, max, rest, lost);
    }
    EACH_VECTOR(width) {
        STORE(array[0], rest[v]);
        STORE(array[1], max[v]);
        STORE(array[2], by[v].shift);
        STORE(array[3], by[v].k);
        STORE(array[4], lost[v]);
        FN(logarithms)(array[0], array[4], NULL, array[1], array[2], array[3], high + i, low + i, LANES);
    }
}

static ALWAYS_INLINE void FN(subtract_tile)(int streaming, FN(Row) x, FN(Row) out, size_t n, size_t width, const T *high, const T *low) {
    EACH_TILE_VECTOR_BY(FN(tile_block)(x), n, width, {
        const V first_part = LOAD(high + i), rest = LOAD(low + i);
        EACH_BLOCK_ENTRY FN(tile_store)(whole, streaming, out, j, i, width, (FN(tile_load)(whole, x, j, i, width, C(0)) - first_part) - rest);
        (void)v;
    })
}

static void FN(log_softmax_across)(int streaming, FN(Row) x, FN(Row) out, size_t n, size_t width) {
    ALIGNED T high[FN(TILE)], low[FN(TILE)];
    FN(tile_log_sums)(x, n, width, high, low);
    EACH_STREAMED(streaming, FN(TILE_BLOCK), out, n, width, {
        if (direct)
            FN(subtract_tile)(1, x, to, n, width, high, low);
        else
            FN(subtract_tile)(0, FN(entries)(backwards, x, start, count), FN(entries)(backwards, to, 0, count), count, width, high, low);
    })
}

/* The dots, those taken again that are not finite: a sum has overflowed, or the row has a NaN. */
static V FN(finite_dots)(int of, V dots, V inverse, FN(Shift) by, FN(Row) grad, FN(Row) x, size_t n, size_t width) {
    T dot[LANES], inverses[LANES], shift[LANES], k[LANES];
    STORE(dot, dots);
    STORE(inverses, inverse);
    STORE(shift, by.shift);
    STORE(k, by.k);
    for (size_t i = 0; i < LANES && i < width; i++) {
        if (dot[i] - dot[i] == 0) continue;
        const FN(Shift) mine = {FN(set)(shift[i]), FN(set)(k[i]), C(-16384)};
        const FN(Row) row = {x.at + i, x.step}, gradient = {grad.at + i, grad.step};
        dot[i] = FN(normalized_dot)(of, gradient, row, mine, FN(set)(inverses[i]), n);
    }
    return LOAD(dot);
}

static ALWAYS_INLINE void FN(gradient_tile)(int of, int from_output, int streaming, FN(Row) grad, FN(Row) y, FN(Row) out, size_t n, size_t width,
                                            const FN(Shift) *by, const V *inverse, const V *dot) {
    EACH_TILE_VECTOR_BY(FN(PAIR_BLOCK), n, width, {
        const FN(Shift) mine = by[v];
        const V over = inverse[v], total = dot[v];
        EACH_BLOCK_ENTRY {
            V e = FN(tile_load)(whole, y, j, i, width, C(0)), slope = FN(tile_load)(whole, grad, j, i, width, C(0));
            if (!from_output || of == FN(OF_LOG_SOFTMAX)) e = FN(row_exp)(from_output ? FN(NEARLY) : FN(FROM_AFAR), e, mine, NULL);
            if (!from_output) e = e * over;
            FN(tile_store)(whole, streaming, out, j, i, width, FN(gradient)(of, e, slope, total));
        }
    })
}

static ALWAYS_INLINE void FN(backward_tile)(int of, int from_output, int streaming, FN(Row) grad, FN(Row) y, FN(Row) out, size_t n,
                                              size_t width) {
    FN(Shift) by[FN(TILE_VECTORS)];
    V max[FN(TILE_VECTORS)], sum[FN(TILE_VECTORS)], carry[FN(TILE_VECTORS)], dot[FN(TILE_VECTORS)], dot_carry[FN(TILE_VECTORS)];
    if (!from_output) {
        FN(tile_maxima)(y, n, width, max);
        FN(tile_shifts)(max, width, 1, by);
    }
    EACH_VECTOR(width) {
        if (from_output) by[v] = FN(no_shift)();
        sum[v] = carry[v] = dot[v] = dot_carry[v] = C(0);
    }
    EACH_TILE_VECTOR_BY(FN(PAIR_BLOCK), n, width, {
        const FN(Shift) mine = by[v];
        V s = C(0), d = C(0);
        EACH_BLOCK_ENTRY {
            const V slope = FN(tile_load)(whole, grad, j, i, width, C(0));
            V e = C(1);
            if (!from_output) {
                e = FN(row_exp)(FN(FROM_AFAR), FN(tile_load)(whole, y, j, i, width, C(0)), mine, NULL);
                s = s + e;
            }
            if (from_output && of == FN(OF_SOFTMAX)) e = FN(tile_load)(whole, y, j, i, width, C(0));
            d = FN(add_product)(of, e, slope, d);
        }
        if (!from_output) sum[v] = FN(add_carried)(sum[v], s, &carry[v]);
        dot[v] = FN(add_carried)(dot[v], d, &dot_carry[v]);
    })
    EACH_VECTOR(width) {
        if (!from_output) {
            sum[v] = C(1) / sum[v];
            if (of == FN(OF_SOFTMAX)) dot[v] = dot[v] * sum[v];
            const FN(Row) mine = {y.at + i, y.step}, gradient = {grad.at + i, grad.step};
            dot[v] = FN(finite_dots)(of, dot[v], sum[v], by[v], gradient, mine, n, width - i);
        }
    }
    EACH_STREAMED(streaming, FN(PAIR_BLOCK), out, n, width, {
        if (direct)
            FN(gradient_tile)(of, from_output, 1, grad, y, to, n, width, by, sum, dot);
        else
            FN(gradient_tile)(of, from_output, 0, FN(entries)(backwards, grad, start, count), FN(entries)(backwards, y, start, count),
                              FN(entries)(backwards, to, 0, count), count, width, by, sum, dot);
    })
}

#define BACKWARD(name, of, from_output)                                                                                           \
    static APART void FN(name##_across)(int streaming, FN(Row) grad, FN(Row) y, FN(Row) out, size_t n, size_t width) {         \
        FN(backward_tile)(of, from_output, streaming, grad, y, out, n, width);                                                    \
    }
EACH_BACKWARD(BACKWARD)
#undef BACKWARD
