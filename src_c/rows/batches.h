/* Rows go in batches, and alone where a batch fails. */

/* Some rows by one of the faster ways, from `row` on. Returns 0 where one is left to exact_row. Results are
 * not written then, but `out` may hold exponentials, unless it is an operand, too. */
typedef int batch_way(const Call *c, Buffers *f, size_t row, size_t count, Stream *stream);

/* How many rows go together at most, and how many in the first batch */
typedef struct {
    size_t most, first;
} Batches;

/* How many of the rows from `row` on make a batch: as many as may, or else whole vectors, or the last ones */
static inline size_t batch_rows(Batches by, size_t row, size_t rows) {
    const size_t left = rows - row;
    if (row == 0 && by.first < rows) return by.first;
    return left >= by.most ? by.most : left > LANES ? left / LANES * LANES : left;
}

/* All rows. Where one is left, each of its batch goes by itself: no other's bits hang on it. Before that, the
 * stream is emptied: these rows go past it, and through its room. */
static NOINLINE void rows_in_batches(batch_way *way, const Call *c, Buffers *f, Batches by, Stream *stream) {
    for (size_t row = 0, count; row < c->rows; row += count) {
        count = batch_rows(by, row, c->rows);
        if (way(c, f, row, count, stream)) continue;
        if (stream) stream_flush(stream);
        for (size_t r = row; r < row + count; r++)
            if (count == 1 || !way(c, f, r, 1, NULL)) exact_row(c, r);
    }
    if (stream) stream_finish(stream);
}
