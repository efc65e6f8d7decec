/* Rows of 129 to 1024 entries: as many at a time as a buffer holds. The rows of a buffer share the folds of their sums and the
 * divisions. */

enum { MIDDLE_ROW = ROW_CHUNK, MIDDLE_ROOM = ROOM, STREAMED_MIDDLE_ROW = 384 };

/* Streamed are those alone that follow one another in memory, up to where a row by itself takes no longer: 256 columns of 8 Mi, .25 ns instead
 * of .30. */
static inline int is_middle(int streaming, size_t n, ptrdiff_t outer) {
    if (streaming && (n > STREAMED_MIDDLE_ROW || outer != (ptrdiff_t)(n * sizeof(T)))) return 0;
    return n > SHORT_ROW && n <= MIDDLE_ROW;
}

static inline size_t whole_blocks(size_t n) { return (n + ROW_BLOCK - 1) / ROW_BLOCK * ROW_BLOCK; }

/* The exponentials of a contiguous row, and their sums by lanes; 0 where they have to be taken some other way. */
static ALWAYS_INLINE int middle_by(int how, const T *x, T *e, size_t n, Shift by, V *sum, V *carry, Line *behind, size_t until) {
    V seen = C(0), s = C(0), lost = C(0), entry[BLOCK_VECTORS];
    size_t i = 0;
    for (; i + ROW_BLOCK <= n; i += ROW_BLOCK) {
        lanes_ahead(x + i);
        for (int k = 0; k < BLOCK_VECTORS; k++) entry[k] = LOAD(x + i + k * LANES);
        for (int k = 0; k < BLOCK_VECTORS; k += 2) row_exps(how, 2, entry + k, by, &seen);
        if (how == MODERATELY && !is_moderate(seen)) return 0;
        for (int k = 0; k < BLOCK_VECTORS; k++) STORE(e + i + k * LANES, entry[k]);
        stream_behind(behind, until += ROW_BLOCK);
        add_block(&s, entry, &lost);
    }
    if (i < n) {
        for (size_t k = 0; k < BLOCK_VECTORS; k++) {
            const size_t at = i + k * LANES;
            entry[k] = C(0);
            if (at >= n) continue;
            STORE(e + at, row_exp(how, LOAD_SOME(x + at, n - at, C(0)), by, &seen));
            entry[k] = LOAD_SOME(e + at, n - at, C(0));
        }
        add_block(&s, entry, &lost);
    }
    *sum = s;
    *carry = lost;
    return how != MODERATELY || is_moderate(seen);
}
static NOINLINE int middle_moderately(const T *x, T *e, size_t n, V *sum, V *carry, Line *behind, size_t until) {
    return middle_by(MODERATELY, x, e, n, no_shift(), sum, carry, behind, until);
}
static NOINLINE int middle_nearly(const T *x, T *e, size_t n, V *sum, V *carry, Line *behind, size_t until) {
    const T max = row_maximum((Row){(T *)x, 1}, n);
    if (how_far(max) == FROM_AFAR) return 0;
    return middle_by(NEARLY, x, e, n, row_shift(C(max), RAISED), sum, carry, behind, until);
}

/* Softmax of `count` rows, times the weights; those far from 0, or of a weight that is not ordinary, go by themselves. The same bits as
 * softmax_along. */
static void softmax_middle(Line *line, const Row *x, const Row *out, size_t count, size_t n, const T *weight) {
    const size_t room = whole_blocks(n);
    ALIGNED T e[MIDDLE_ROOM], buffer[MIDDLE_ROOM], scale[LANES], low[LANES], power[LANES] = {0}, weights[LANES] = {0};
    V sum[LANES], carry[LANES], rest;
    int by_itself[LANES], how = MODERATELY;
    T *results = line ? free_room(line) : NULL;
    for (size_t i = 0; i < LANES; i++) sum[i] = carry[i] = C(0);
    for (size_t i = 0; i < count; i++) {
        const T *p = chunk_of(x[i], 0, n, buffer);
        weights[i] = weight ? weight[i] : 1;
        by_itself[i] = !is_ordinary(weights[i]);
        if (by_itself[i] || middle_moderately(p, e + i * room, n, sum + i, carry + i, line, i * n)) continue;
        how = NEARLY;
        by_itself[i] = !middle_nearly(p, e + i * room, n, sum + i, carry + i, line, i * n);
    }
    const V all = sums_in_parts(0, 0, 1, sum, carry, &rest);
    Factor f = quotient_of(LOAD(weights), all, rest);
    STORE(scale, f.scale);
    how = how_to_finish(how, least_size(LOAD_SOME(scale, count, C(1)), C(1)));
    f = power_apart(how, f);
    STORE(scale, f.scale);
    STORE(low, f.low);
    if (how != MODERATELY) STORE(power, f.power);
    for (size_t i = 0; i < count; i++) {
        const Row to = line ? (Row){results + i * n, 1} : out[i];
        if (by_itself[i]) {
            softmax_along(NULL, x[i], to, n, weights[i]);
            continue;
        }
        const Factor mine = {C(scale[i]), C(low[i]), C(power[i])};
        HOW(how, scale_moderately, scale_nearly, scale_from_afar, NULL, e + i * room, target_of(to, 0, buffer), n, mine);
        put_entry(to, 0, n, buffer);
    }
    if (line) hand_over(line, out[0].at, results, count * n);
}
