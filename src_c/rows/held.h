/* Backward passes from y, of rows that fit the registers together with their gradients. Each entry is loaded once. The bits are
 * those of along.h. */

#ifdef HELD_VECTORS
enum {
    SHORT_FROM_OUTPUT = 24, /* up to here, several rows in a vector take less (20 columns: .15 instead of .16) */
    HELD_BATCH = ROOM,
};

/* Streamed are only rows that follow one another: a line of two rows would be written twice. */
static int is_held(const Line *line, size_t n, const Operand *a) {
    for (int k = 0; k < 3; k++)
        if (a[k].inner != sizeof(T)) return 0;
    return n > SHORT_FROM_OUTPUT && n <= HELD_VECTORS * LANES && !(line && a[2].outer != (ptrdiff_t)(n * sizeof(T)));
}

/* A row of so many vectors */
static ALWAYS_INLINE void held_row(int of, size_t vectors, const T *grad, const T *y, T *out, size_t n) {
    const size_t last = (vectors - 1) * LANES;
    V e[HELD_VECTORS], slope[HELD_VECTORS], dots[2] = {C(0), C(0)};
    UNROLLED for (size_t k = 0; k < vectors; k++) {
        e[k] = k * LANES < last ? LOAD(y + k * LANES) : LOAD_SOME(y + last, n - last, of == OF_SOFTMAX ? C(0) : NOTHING);
        slope[k] = k * LANES < last ? LOAD(grad + k * LANES) : LOAD_SOME(grad + last, n - last, C(0));
        dots[k % 2] = add_product(of, e[k], slope[k], dots[k % 2]);
        PREFETCH(grad + k * LANES + ROW_CHUNK);
        PREFETCH(y + k * LANES + ROW_CHUNK);
    }
    const V mean = C(SUM_OF_LANES(dots[0] + dots[1]));
    UNROLLED for (size_t k = 0; k < vectors; k++) {
        if (of == OF_LOG_SOFTMAX) e[k] = exp_by(e[k], C(0));
        const V value = gradient_of(of, e[k], slope[k], mean);
        if (k * LANES < last)
            STORE(out + k * LANES, value);
        else
            STORE_SOME(out + last, value, n - last);
    }
}

/* Streamed rows are handed over by the batch, and go out while the next are computed. */
static ALWAYS_INLINE void held_rows(int of, size_t vectors, Line *line, const Operand *a, size_t rows, size_t n) {
    const size_t batch = line ? HELD_BATCH / n : rows;
    for (size_t row = 0, count; row < rows; row += count) {
        T *results = line ? free_room(line) : NULL;
        count = rows - row < batch ? rows - row : batch;
        for (size_t r = 0; r < count; r++) {
            held_row(of, vectors, entry_at(a[0], row + r), entry_at(a[1], row + r), line ? results + r * n : entry_at(a[2], row + r), n);
            stream_behind(line, r * n);
        }
        if (line) hand_over(line, entry_at(a[2], row), results, count * n);
    }
}

#define HELD_BY(vectors) case vectors: held_rows(of_, vectors, line, a, rows, n); return;
static NOINLINE void softmax_held(Line *line, const Operand *a, size_t rows, size_t n) {
    enum { of_ = OF_SOFTMAX };
    switch ((n + LANES - 1) / LANES) {
        HELD_BY(2) HELD_BY(3) HELD_BY(4) HELD_BY(5) HELD_BY(6) HELD_BY(7) HELD_BY(8)
    }
}
static NOINLINE void log_softmax_held(Line *line, const Operand *a, size_t rows, size_t n) {
    enum { of_ = OF_LOG_SOFTMAX };
    switch ((n + LANES - 1) / LANES) {
        HELD_BY(2) HELD_BY(3) HELD_BY(4) HELD_BY(5) HELD_BY(6) HELD_BY(7) HELD_BY(8)
    }
}
#undef HELD_BY
#else
enum { SHORT_FROM_OUTPUT = SHORT_ROW / 2 }; /* without exponentials to share, rows go one by one sooner */
static inline int is_held(const Line *line, size_t n, const Operand *a) { return (void)line, (void)n, (void)a, 0; }
static inline void softmax_held(Line *line, const Operand *a, size_t rows, size_t n) { (void)line, (void)a, (void)rows, (void)n; }
static inline void log_softmax_held(Line *line, const Operand *a, size_t rows, size_t n) { (void)line, (void)a, (void)rows, (void)n; }
#endif
