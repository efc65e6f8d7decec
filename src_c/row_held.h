/* Backward passes from y, for REAL, of rows that fit the registers with their gradients: no entry is loaded twice. The same bits as
 * row_along.h: .105 ns an entry instead of .14 (128 columns) or .19 (70), and .22 instead of .43 where 70 columns are streamed. */

#if CAT(HELD, REAL)
enum {
    FN(HELD) = CAT(HELD, REAL),
    FN(SHORT_FROM_OUTPUT) = 24, /* up to here, several rows in a vector take less (20 columns: .15 instead of .16) */
    FN(HELD_BATCH) = FN(ROOM),
};

/* Streamed are only rows that follow one another: a line of two rows would be written twice. */
static int FN(is_held)(const FN(Line) *line, size_t n, const FN(Operand) *a) {
    for (int k = 0; k < 3; k++)
        if (a[k].inner != sizeof(T)) return 0;
    return n > FN(SHORT_FROM_OUTPUT) && n <= FN(HELD) * LANES && !(line && a[2].outer != (ptrdiff_t)(n * sizeof(T)));
}

/* A row of so many vectors */
static ALWAYS_INLINE void FN(held_row)(int of, size_t vectors, const T *grad, const T *y, T *out, size_t n) {
    const size_t last = (vectors - 1) * LANES;
    V e[FN(HELD)], slope[FN(HELD)], dots[2] = {C(0), C(0)};
    UNROLLED for (size_t k = 0; k < vectors; k++) {
        e[k] = k * LANES < last ? LOAD(y + k * LANES) : FN(load_some)(y + last, n - last, of == FN(OF_SOFTMAX) ? C(0) : NOTHING);
        slope[k] = k * LANES < last ? LOAD(grad + k * LANES) : FN(load_some)(grad + last, n - last, C(0));
        dots[k % 2] = FN(add_product)(of, e[k], slope[k], dots[k % 2]);
        PREFETCH(grad + k * LANES + FN(ROW_CHUNK));
        PREFETCH(y + k * LANES + FN(ROW_CHUNK));
    }
    const V mean = FN(set)(OP(sum)(dots[0] + dots[1]));
    UNROLLED for (size_t k = 0; k < vectors; k++) {
        if (of == FN(OF_LOG_SOFTMAX)) e[k] = FN(exp_by)(e[k], C(0));
        const V value = FN(gradient)(of, e[k], slope[k], mean);
        if (k * LANES < last)
            STORE(out + k * LANES, value);
        else
            FN(store_some)(out + last, value, n - last);
    }
}

/* Streamed rows are handed over by the batch, and go out while the next are computed. */
static ALWAYS_INLINE void FN(held_rows)(int of, size_t vectors, FN(Line) *line, const FN(Operand) *a, size_t rows, size_t n) {
    const size_t batch = line ? FN(HELD_BATCH) / n : rows;
    for (size_t row = 0, count; row < rows; row += count) {
        T *results = line ? FN(room)(line) : NULL;
        count = rows - row < batch ? rows - row : batch;
        for (size_t r = 0; r < count; r++) {
            FN(held_row)(of, vectors, FN(entry)(a[0], row + r), FN(entry)(a[1], row + r), line ? results + r * n : FN(entry)(a[2], row + r), n);
            FN(stream_behind)(line, r * n);
        }
        if (line) FN(hand_over)(line, FN(entry)(a[2], row), results, count * n);
    }
}

#define HELD_BY(vectors) case vectors: FN(held_rows)(of_, vectors, line, a, rows, n); return;
#define HOLDING(name, of)                                                                           \
    static APART void FN(name##_held)(FN(Line) *line, const FN(Operand) *a, size_t rows, size_t n) { \
        enum { of_ = of };                                                                          \
        switch ((n + LANES - 1) / LANES) {                                                          \
            HELD_BY(2) HELD_BY(3) HELD_BY(4) HELD_BY(5) HELD_BY(6) HELD_BY(7) HELD_BY(8)             \
        }                                                                                           \
    }
HOLDING(softmax, FN(OF_SOFTMAX))
HOLDING(log_softmax, FN(OF_LOG_SOFTMAX))
#undef HOLDING
#undef HELD_BY
#else
enum { FN(SHORT_FROM_OUTPUT) = FN(SHORT_ROW) / 2 }; /* without exponentials to share, rows go one by one sooner */
static inline int FN(is_held)(const FN(Line) *line, size_t n, const FN(Operand) *a) { return (void)line, (void)n, (void)a, 0; }
static inline void FN(softmax_held)(FN(Line) *line, const FN(Operand) *a, size_t rows, size_t n) { (void)line, (void)a, (void)rows, (void)n; }
static inline void FN(log_softmax_held)(FN(Line) *line, const FN(Operand) *a, size_t rows, size_t n) { (void)line, (void)a, (void)rows, (void)n; }
#endif
