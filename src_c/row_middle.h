/* Rows of 129 to 1024 entries, for REAL: as many at a time as a buffer holds, so that their sums are folded and divided by together. By
 * itself a row takes 150 cycles for these: 256 columns, .26 ns an entry instead of .17. */

enum { FN(MIDDLE_ROW) = FN(ROW_CHUNK), FN(MIDDLE_ROOM) = FN(ROOM), FN(STREAMED_MIDDLE_ROW) = 384 };

/* Streamed are those alone that follow one another in memory, up to where a row by itself takes no longer: 256 columns of 8 Mi, .25 ns instead
 * of .30. */
static inline int FN(is_middle)(int streaming, size_t n, ptrdiff_t outer) {
    if (streaming && (n > FN(STREAMED_MIDDLE_ROW) || outer != (ptrdiff_t)(n * sizeof(T)))) return 0;
    return n > FN(SHORT_ROW) && n <= FN(MIDDLE_ROW);
}

static inline size_t FN(whole_blocks)(size_t n) { return (n + FN(ROW_BLOCK) - 1) / FN(ROW_BLOCK) * FN(ROW_BLOCK); }

/* The exponentials of a contiguous row, and their sums by lanes; 0 where they have to be taken some other way. */
static ALWAYS_INLINE int FN(middle_by)(int how, const T *x, T *e, size_t n, FN(Shift) by, V *sum, V *carry, FN(Line) *behind, size_t until) {
    V seen = C(0), s = C(0), lost = C(0), entry[FN(BLOCK_VECTORS)];
    size_t i = 0;
    for (; i + FN(ROW_BLOCK) <= n; i += FN(ROW_BLOCK)) {
        FN(ahead)(x + i);
        for (int k = 0; k < FN(BLOCK_VECTORS); k++) entry[k] = LOAD(x + i + k * LANES);
        for (int k = 0; k < FN(BLOCK_VECTORS); k += 2) FN(row_exps)(how, 2, entry + k, by, &seen);
        if (how == FN(MODERATELY) && !FN(is_moderate)(seen)) return 0;
        for (int k = 0; k < FN(BLOCK_VECTORS); k++) STORE(e + i + k * LANES, entry[k]);
        FN(stream_behind)(behind, until += FN(ROW_BLOCK));
        FN(add_block)(&s, entry, &lost);
    }
    if (i < n) {
        for (size_t k = 0; k < FN(BLOCK_VECTORS); k++) {
            const size_t at = i + k * LANES;
            entry[k] = C(0);
            if (at >= n) continue;
            STORE(e + at, FN(row_exp)(how, FN(load_some)(x + at, n - at, C(0)), by, &seen));
            entry[k] = FN(load_some)(e + at, n - at, C(0));
        }
        FN(add_block)(&s, entry, &lost);
    }
    *sum = s;
    *carry = lost;
    return how != FN(MODERATELY) || FN(is_moderate)(seen);
}
static APART int FN(middle_moderately)(const T *x, T *e, size_t n, V *sum, V *carry, FN(Line) *behind, size_t until) {
    return FN(middle_by)(FN(MODERATELY), x, e, n, FN(no_shift)(), sum, carry, behind, until);
}
static APART int FN(middle_nearly)(const T *x, T *e, size_t n, V *sum, V *carry, FN(Line) *behind, size_t until) {
    const T max = FN(row_maximum)((FN(Row)){(T *)x, 1}, n);
    if (FN(how_far)(max) == FN(FROM_AFAR)) return 0;
    return FN(middle_by)(FN(NEARLY), x, e, n, FN(row_shift)(FN(set)(max), FN(RAISED)), sum, carry, behind, until);
}

/* Softmax of `count` rows, times the weights; those far from 0, or of a weight that is not ordinary, go by themselves. The same bits as
 * softmax_along. */
static void FN(softmax_middle)(FN(Line) *line, const FN(Row) *x, const FN(Row) *out, size_t count, size_t n, const T *weight) {
    const size_t room = FN(whole_blocks)(n);
    ALIGNED T e[FN(MIDDLE_ROOM)], buffer[FN(MIDDLE_ROOM)], scale[LANES], low[LANES], power[LANES] = {0}, weights[LANES] = {0};
    V sum[LANES], carry[LANES], rest;
    int by_itself[LANES], how = FN(MODERATELY);
    T *results = line ? FN(room)(line) : NULL;
    for (size_t i = 0; i < LANES; i++) sum[i] = carry[i] = C(0);
    for (size_t i = 0; i < count; i++) {
        const T *p = FN(chunk)(x[i], 0, n, buffer);
        weights[i] = weight ? weight[i] : 1;
        by_itself[i] = !FN(is_ordinary)(weights[i]);
        if (by_itself[i] || FN(middle_moderately)(p, e + i * room, n, sum + i, carry + i, line, i * n)) continue;
        how = FN(NEARLY);
        by_itself[i] = !FN(middle_nearly)(p, e + i * room, n, sum + i, carry + i, line, i * n);
    }
    const V all = FN(sums_in_parts)(0, 0, 1, sum, carry, &rest);
    FN(Factor) f = FN(quotient)(LOAD(weights), all, rest);
    STORE(scale, f.scale);
    how = FN(how_to_finish)(how, FN(least_size)(FN(load_some)(scale, count, C(1)), C(1)));
    f = FN(apart)(how, f);
    STORE(scale, f.scale);
    STORE(low, f.low);
    if (how != FN(MODERATELY)) STORE(power, f.power);
    for (size_t i = 0; i < count; i++) {
        const FN(Row) to = line ? (FN(Row)){results + i * n, 1} : out[i];
        if (by_itself[i]) {
            FN(softmax_along)(NULL, x[i], to, n, weights[i]);
            continue;
        }
        const FN(Factor) mine = {FN(set)(scale[i]), FN(set)(low[i]), FN(set)(power[i])};
        HOW(how, scale, NULL, e + i * room, FN(target)(to, 0, buffer), n, mine);
        FN(put)(to, 0, n, buffer);
    }
    if (line) FN(hand_over)(line, out[0].at, results, count * n);
}
