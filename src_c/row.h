/* The softmax family along an axis, for REAL: the inner loops, and which algorithm serves a layout. None copies: buffers are a
 * few KiB of stack. Which one runs depends on the layout and the length of a row, never on other rows. */

#include "row_common.h"
#include "row_tree.h"
#include "row_log.h"
#include "row_along.h"
#include "row_logits.h"
#include "row_tile.h"
#include "row_across.h"
#include "row_short.h"
#include "row_short_log.h"
#include "row_middle.h"

typedef struct {
    char *data;
    ptrdiff_t outer, inner; /* bytes from row to row, and from entry to entry; inner is 0 for one number a row */
} FN(Operand);

static inline T *FN(entry)(FN(Operand) a, size_t row) { return (T *)(a.data + (ptrdiff_t)row * a.outer); }
static inline FN(Row) FN(row_of)(FN(Operand) a, size_t row) {
    return (FN(Row)){FN(entry)(a, row), a.inner / (ptrdiff_t)sizeof(T)};
}

#include "row_held.h"

enum {
    FN(SOFTMAX), FN(LOG_SOFTMAX), FN(LOGSUMEXP), /* x */
    FN(WEIGHTED), /* weight, x: logsumexp's gradient */
    FN(SOFTMAX_BACKWARD), FN(LOG_SOFTMAX_BACKWARD), /* grad, x */
    FN(SOFTMAX_FROM_OUTPUT), FN(LOG_SOFTMAX_FROM_OUTPUT), /* grad, y */
};
#define KIND(what) ((what) == FN(SOFTMAX_BACKWARD) || (what) == FN(SOFTMAX_FROM_OUTPUT) ? FN(OF_SOFTMAX) : FN(OF_LOG_SOFTMAX))
#define FROM_OUTPUT(what) ((what) >= FN(SOFTMAX_FROM_OUTPUT))

#define BACKWARD(what, how)                                                                                                        \
    ((what) == FN(SOFTMAX_BACKWARD) ? FN(softmax_backward_##how) : (what) == FN(SOFTMAX_FROM_OUTPUT) ? FN(softmax_from_output_##how) \
     : (what) == FN(LOG_SOFTMAX_BACKWARD) ? FN(log_softmax_backward_##how) : FN(log_softmax_from_output_##how))

/* The logsumexp of a row. Where it is small, the difference of a maximum and a logarithm, it is taken once more in double; and it is
 * NaN only where the row has one. */
static void FN(put_logsumexp)(FN(Operand) x, FN(Operand) out, size_t row, size_t n, T value) {
    const FN(Row) entries = FN(row_of)(x, row);
    if (!(ABS_OF(value) > 1)) {
        FN(Logits) l = FN(logits_of)(entries, n);
        FN(find_largest)(&l, -HUGE_VAL);
        value = (T)FN(row_logsumexp)(&l);
    }
    *FN(entry)(out, row) = value;
}

/* x, or grad and x or y, and the result: operands that lie as rows; `weight` and the result of logsumexp are one number a row. */

/* The last line of a row that is streamed, and not followed by another, is written through the caches: fetched late, it holds up all stores
 * behind it, .1 us a row. */
static inline void FN(expect)(const FN(Line) *line, FN(Operand) out, size_t row, size_t n) {
    if (line && out.outer != (ptrdiff_t)(n * sizeof(T))) PREFETCH_TO_WRITE(FN(entry)(out, row) + n - 1);
}

static void FN(middle_rows)(int what, FN(Line) *line, const FN(Operand) *a, size_t rows, size_t n) {
    const int weighted = what == FN(WEIGHTED);
    const size_t fit = FN(MIDDLE_ROOM) / FN(whole_blocks)(n), together = fit < LANES ? fit : LANES;
    for (size_t row = 0, count; row < rows; row += count) {
        FN(Row) x[LANES], out[LANES];
        T weight[LANES];
        count = rows - row < together ? rows - row : together;
        for (size_t i = 0; i < count; i++) {
            x[i] = FN(row_of)(a[weighted], row + i);
            out[i] = FN(row_of)(a[1 + weighted], row + i);
            if (weighted) weight[i] = *FN(entry)(a[0], row + i);
        }
        FN(softmax_middle)(line, x, out, count, n, weighted ? weight : NULL);
    }
}

static APART void FN(row_by_row)(int what, FN(Line) *line, const FN(Operand) *a, size_t rows, size_t n) {
    if (what == FN(LOG_SOFTMAX) || what == FN(LOGSUMEXP)) {
        const size_t together = FN(rows_together)(n);
        for (size_t row = 0; row < rows; row += together) {
            const size_t count = rows - row < together ? rows - row : together;
            FN(Row) x[LANES], out[LANES];
            for (size_t i = 0; i < count; i++) x[i] = FN(row_of)(a[0], row + i), out[i] = FN(row_of)(a[1], row + i);
            for (size_t i = 0; i < count; i++) FN(expect)(line, a[1], row + i, n);
            if (what == FN(LOG_SOFTMAX)) {
                FN(log_softmax_along)(line, x, out, count, n);
                continue;
            }
            T high[FN(LOG_ROOM)], low[FN(LOG_ROOM)];
            FN(log_sums)(x, count, n, high, low);
            for (size_t i = 0; i < count; i++) FN(put_logsumexp)(a[0], a[1], row + i, n, high[i]);
        }
        return;
    }
    if ((what == FN(SOFTMAX) || what == FN(WEIGHTED)) && FN(is_middle)(line != NULL, n, a[what < FN(WEIGHTED) ? 1 : 2].outer)) {
        FN(middle_rows)(what, line, a, rows, n);
        return;
    }
    if (FROM_OUTPUT(what) && FN(is_held)(line, n, a)) {
        KIND(what) == FN(OF_SOFTMAX) ? FN(softmax_held)(line, a, rows, n) : FN(log_softmax_held)(line, a, rows, n);
        return;
    }
    for (size_t row = 0; row < rows; row++) {
        const FN(Row) first = FN(row_of)(a[0], row), second = FN(row_of)(a[1], row);
        FN(expect)(line, a[what < FN(WEIGHTED) ? 1 : 2], row, n);
        if (what == FN(SOFTMAX))
            FN(softmax_along)(line, first, second, n, 1);
        else if (what == FN(WEIGHTED))
            FN(softmax_along)(line, second, FN(row_of)(a[2], row), n, *first.at);
        else
            BACKWARD(what, along)(line, first, second, FN(row_of)(a[2], row), n);
    }
}

/* Larger than caches are */
enum { FN(LARGE_BYTES) = 16 << 20 };
static inline int FN(is_large)(size_t rows, size_t n) { return rows * n * sizeof(T) >= FN(LARGE_BYTES); }

/* How many of the rows from `row` on make a tile. Of many tiles all but the first start with a whole line: softmax of 128 entries of 2048 rows takes
 * .26 ns an entry instead of .35. */
static size_t FN(tile_rows)(size_t tile, FN(Operand) out, size_t row, size_t rows) {
    const size_t head = row == 0 && rows >= 4 * tile ? FN(unaligned)((T *)out.data, rows) : 0;
    return head ? tile - LANES + head : rows - row < tile ? rows - row : tile;
}

static APART void FN(side_by_side)(int what, int streaming, const FN(Operand) *a, size_t rows, size_t n) {
    const FN(Operand) out = a[what < FN(WEIGHTED) ? 1 : 2], x = a[what == FN(WEIGHTED)];
    const int kept = (what == FN(SOFTMAX) || what == FN(WEIGHTED)) && !(FN(FAST) && (streaming || x.data == out.data));
    const size_t tile = FN(tile_width)(kept, FN(is_large)(2 * rows, n), n);
    for (size_t row = 0, width; row < rows; row += width) {
        width = FN(tile_rows)(tile, out, row, rows);
        const FN(Row) first = FN(row_of)(a[0], row), second = FN(row_of)(a[1], row);
        if (what == FN(SOFTMAX))
            FN(softmax_across)(streaming, first, second, n, width, NULL);
        else if (what == FN(LOG_SOFTMAX))
            FN(log_softmax_across)(streaming, first, second, n, width);
        else if (what == FN(LOGSUMEXP)) {
            ALIGNED T high[FN(TILE)], low[FN(TILE)];
            FN(tile_log_sums)(first, n, width, high, low);
            for (size_t i = 0; i < width; i++) FN(put_logsumexp)(a[0], a[1], row + i, n, high[i]);
        } else if (what == FN(WEIGHTED))
            FN(softmax_across)(streaming, second, FN(row_of)(a[2], row), n, width, first.at);
        else
            BACKWARD(what, across)(streaming, first, second, FN(row_of)(a[2], row), n, width);
    }
}

/* How many short rows go first, that those which follow begin on a whole line, as they do while whole groups go: 10 columns take 4 to 12 % less.
 * 0 where none does, or few entries would share what this costs, which 8192 of 10 columns only just do. */
static size_t FN(rows_before_line)(FN(Operand) a, size_t rows, size_t n) {
    size_t count = 0;
    while (count < LANES && (uintptr_t)FN(entry)(a, count) % (LANES * sizeof(T))) count++;
    return count < LANES && rows * n >= 1 << 14 ? count : 0;
}

/* How many go from `row` on: those, a batch, whole groups, and what is left */
static inline size_t FN(short_count)(size_t row, size_t rows, size_t head, size_t batch) {
    const size_t left = rows - row;
    return row == 0 && head ? head : left >= batch ? batch : left >= LANES ? left / LANES * LANES : left;
}

/* Batch by batch; rows that are not dense, or do not fill their last group, pass through a buffer. */
static APART void FN(short_rows)(int what, FN(Line) *line, const FN(Operand) *a, size_t rows, size_t n) {
    const int operands = what < FN(WEIGHTED) ? 2 : 3;
    ALIGNED T buffer[3][FN(SHORT_BUFFER)];
    ALIGNED int32_t row_of[FN(SHORT_BUFFER)];
    FN(entry_rows)(row_of, n, rows);
    const size_t batch = FN(batch_rows)(FN(batch_entries)(line != NULL, !FROM_OUTPUT(what), n), n);
    const size_t head = FN(rows_before_line)(a[operands - 2], rows, n);
    for (size_t row = 0, count; row < rows; row += count) {
        count = FN(short_count)(row, rows, head, batch);
        const FN(Group) g = FN(group)(count, n, row_of);
        T *p[3];
        for (int k = 0; k < operands; k++) {
            const size_t entries = a[k].inner ? n : 1;
            const int dense = a[k].outer == (ptrdiff_t)(entries * sizeof(T)) && count % LANES == 0;
            const int is_output = k == operands - 1;
            p[k] = is_output && line ? FN(room)(line) : dense ? FN(entry)(a[k], row) : buffer[k];
            if (dense || is_output) continue;
            for (size_t i = 0; i < count; i++)
                for (size_t j = 0; j < entries; j++) buffer[k][i * entries + j] = FN(entry)(a[k], row + i)[j];
            for (size_t i = count * entries; i < g.entries; i++) buffer[k][i] = 0;
        }
        T *out = p[operands - 1], *to = FN(entry)(a[operands - 1], row);
        if (what == FN(SOFTMAX))
            FN(softmax_short)(p[0], out, g, NULL, line);
        else if (what == FN(LOG_SOFTMAX))
            FN(log_softmax_short)(p[0], out, g, line);
        else if (what == FN(LOGSUMEXP)) {
            ALIGNED T high[FN(SHORT_ROWS)], low[FN(SHORT_ROWS)];
            FN(short_log_sums)(p[0], buffer[1], g, high, low, NULL);
            for (size_t i = 0; i < count; i++) FN(put_logsumexp)(a[0], a[1], row + i, n, high[i]);
            continue;
        } else if (what == FN(WEIGHTED))
            FN(softmax_short)(p[1], out, g, p[0], line);
        else
            FN(backward_short)(KIND(what), FROM_OUTPUT(what), p[0], p[1], out, g, line);
        if (line) FN(hand_over)(line, to, out, count * n);
        for (size_t i = 0; i < count && !line && out != to; i++)
            for (size_t j = 0; j < n; j++) FN(entry)(a[operands - 1], row + i)[j] = out[i * n + j];
    }
}

/* Rows of one entry */
static void FN(single_entries)(int what, const FN(Operand) *a, size_t rows) {
    const int operands = what < FN(WEIGHTED) ? 2 : 3;
    for (size_t row = 0; row < rows; row++) {
        const T x = *FN(entry)(a[operands - 2], row), first = *FN(entry)(a[0], row);
        T value = 0 * (x - x); /* NaN where x is not finite */
        if (what == FN(SOFTMAX))
            value += 1;
        else if (what == FN(LOGSUMEXP))
            value = x;
        else if (what == FN(WEIGHTED))
            value += first;
        else if (what != FN(LOG_SOFTMAX))
            value += first - first;
        *FN(entry)(a[operands - 1], row) = value;
    }
}

/* Streaming stores pay where the arrays leave the caches, and the output is not an input, whose lines are there. A call may be of
 * some of the rows: then what else NumPy hands a loop, `data`, tells how many there are in all. */
static int FN(is_streamed)(FN(Operand) out, size_t rows, size_t n, int along, size_t short_row) {
#ifdef HAVE_STREAM
    if (!FN(is_large)(rows, n) || (uintptr_t)out.data % sizeof(T)) return 0;
    return !along || n > short_row || out.outer == (ptrdiff_t)(n * sizeof(T));
#else
    (void)out, (void)rows, (void)n, (void)along, (void)short_row;
    return 0;
#endif
}

static inline void FN(end_streaming)(FN(Line) *line) {
#ifdef HAVE_STREAM
    if (line) {
        FN(finish_piece)(line);
        FN(flush)(line);
        stream_end();
    }
#endif
    (void)line;
}

static void FN(rows)(int what, char **args, const intptr_t *dimensions, const intptr_t *steps) {
    const size_t rows = (size_t)dimensions[0], n = (size_t)dimensions[1];
    const int operands = what < FN(WEIGHTED) ? 2 : 3, last = operands - 1;
    const FloatState callers = enter_default_state();
    const size_t short_row = FROM_OUTPUT(what) ? FN(SHORT_FROM_OUTPUT) : FN(SHORT_ROW);
    FN(Operand) a[3];
    int lie_along = 1, lie_across = 1, cores = 0;
    for (int k = 0; k < operands; k++) {
        const int core = !(what == FN(LOGSUMEXP) && k == last) && !(what == FN(WEIGHTED) && k == 0);
        a[k] = (FN(Operand)){args[k], steps[k], core ? steps[operands + cores++] : 0};
        lie_along &= !core || a[k].inner == sizeof(T);
        lie_across &= a[k].outer == sizeof(T);
    }
    int streaming = what != FN(LOGSUMEXP) && (lie_along || lie_across) && FN(is_streamed)(a[last], rows, n, lie_along, short_row);
    for (int k = 0; k < last; k++) streaming &= a[k].data != a[last].data;
    ALIGNED T rooms[2][FN(ROOM)];
    FN(Line) pending = {.rooms = rooms}, *line = streaming ? &pending : NULL;
    if (n == 0)
        for (size_t row = 0; row < rows && what == FN(LOGSUMEXP); row++) *FN(entry)(a[last], row) = (T)MINUS_INFINITY;
    else if (n == 1 && !FROM_OUTPUT(what))
        FN(single_entries)(what, a, rows);
    else if (lie_along && n <= short_row && LANES > 1 && !(line && what == FN(LOG_SOFTMAX) && n >= FN(TAKEN_APART)))
        FN(short_rows)(what, line, a, rows, n);
    else if (lie_across && !lie_along)
        FN(side_by_side)(what, streaming, a, rows, n);
    else
        FN(row_by_row)(what, line, a, rows, n);
    FN(end_streaming)(line);
    restore_state(callers);
}

#define LOOP(name, what)                                                                                      \
    static void FN(name##_loop)(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) { \
        (void)data;                                                                                           \
        FN(rows)(what, args, dimensions, steps);                                                              \
    }
LOOP(softmax, FN(SOFTMAX))
LOOP(log_softmax, FN(LOG_SOFTMAX))
LOOP(logsumexp, FN(LOGSUMEXP))
LOOP(logsumexp_backward, FN(WEIGHTED))
LOOP(softmax_backward, FN(SOFTMAX_BACKWARD))
LOOP(softmax_backward_from_output, FN(SOFTMAX_FROM_OUTPUT))
LOOP(log_softmax_backward, FN(LOG_SOFTMAX_BACKWARD))
LOOP(log_softmax_backward_from_output, FN(LOG_SOFTMAX_FROM_OUTPUT))
#undef LOOP
#undef BACKWARD
