/* The inner loops of the softmax family, which choose the algorithm for a layout. The choice depends on the layout and the
 * length of a row, never on other rows. No algorithm copies an array: buffers are a few KiB of stack. */

#include "rows/common.h"
#include "rows/tree.h"
#include "rows/logarithms.h"
#include "rows/along.h"
#include "rows/logits.h"
#include "rows/tile.h"
#include "rows/across.h"
#include "rows/across_backward.h"
#include "rows/short.h"
#include "rows/short_log.h"
#include "rows/middle.h"

typedef struct {
    char *data;
    ptrdiff_t outer, inner; /* bytes from row to row, and from entry to entry; inner is 0 for one number a row */
} Operand;

static inline T *entry_at(Operand a, size_t row) { return (T *)(a.data + (ptrdiff_t)row * a.outer); }
static inline Row row_of(Operand a, size_t row) {
    return (Row){entry_at(a, row), a.inner / (ptrdiff_t)sizeof(T)};
}

#include "rows/held.h"

enum {
    SOFTMAX, LOG_SOFTMAX, LOGSUMEXP, /* x */
    WEIGHTED, /* weight, x: logsumexp's gradient */
    SOFTMAX_BACKWARD, LOG_SOFTMAX_BACKWARD, /* grad, x */
    SOFTMAX_FROM_OUTPUT, LOG_SOFTMAX_FROM_OUTPUT, /* grad, y */
};
#define KIND(what) ((what) == SOFTMAX_BACKWARD || (what) == SOFTMAX_FROM_OUTPUT ? OF_SOFTMAX : OF_LOG_SOFTMAX)
#define FROM_OUTPUT(what) ((what) >= SOFTMAX_FROM_OUTPUT)

#define BACKWARD(what, softmax, softmax_from_output, log_softmax, log_softmax_from_output)         \
    ((what) == SOFTMAX_BACKWARD       ? softmax                                               \
     : (what) == SOFTMAX_FROM_OUTPUT  ? softmax_from_output                                   \
     : (what) == LOG_SOFTMAX_BACKWARD ? log_softmax                                           \
                                          : log_softmax_from_output)

/* The logsumexp of a row. Where it is small, the difference of a maximum and a logarithm, it is taken once more in double; and it is
 * NaN only where the row has one. */
static void put_logsumexp(Operand x, Operand out, size_t row, size_t n, T value) {
    const Row entries = row_of(x, row);
    if (!(ABS_OF(value) > 1)) {
        Logits l = logits_of(entries, n);
        find_largest(&l, -HUGE_VAL);
        value = (T)row_logsumexp(&l);
    }
    *entry_at(out, row) = value;
}

/* x, or grad and x or y, and the result: operands that lie as rows; `weight` and the result of logsumexp are one number a row. */

/* The last line of a row that is streamed, and not followed by another, is written through the caches: fetched late, it holds up all stores
 * behind it, .1 us a row. */
static inline void expect_write(const Line *line, Operand out, size_t row, size_t n) {
    if (line && out.outer != (ptrdiff_t)(n * sizeof(T))) PREFETCH_TO_WRITE(entry_at(out, row) + n - 1);
}

static void middle_rows(int what, Line *line, const Operand *a, size_t rows, size_t n) {
    const int weighted = what == WEIGHTED;
    const size_t fit = MIDDLE_ROOM / whole_blocks(n), together = fit < LANES ? fit : LANES;
    for (size_t row = 0, count; row < rows; row += count) {
        Row x[LANES], out[LANES];
        T weight[LANES];
        count = rows - row < together ? rows - row : together;
        for (size_t i = 0; i < count; i++) {
            x[i] = row_of(a[weighted], row + i);
            out[i] = row_of(a[1 + weighted], row + i);
            if (weighted) weight[i] = *entry_at(a[0], row + i);
        }
        softmax_middle(line, x, out, count, n, weighted ? weight : NULL);
    }
}

static NOINLINE void row_by_row(int what, Line *line, const Operand *a, size_t rows, size_t n) {
    if (what == LOG_SOFTMAX || what == LOGSUMEXP) {
        const size_t together = rows_together(n);
        for (size_t row = 0; row < rows; row += together) {
            const size_t count = rows - row < together ? rows - row : together;
            Row x[LANES], out[LANES];
            for (size_t i = 0; i < count; i++) x[i] = row_of(a[0], row + i), out[i] = row_of(a[1], row + i);
            for (size_t i = 0; i < count; i++) expect_write(line, a[1], row + i, n);
            if (what == LOG_SOFTMAX) {
                log_softmax_along(line, x, out, count, n);
                continue;
            }
            T high[LOG_ROOM], low[LOG_ROOM];
            log_sums(x, count, n, high, low);
            for (size_t i = 0; i < count; i++) put_logsumexp(a[0], a[1], row + i, n, high[i]);
        }
        return;
    }
    if ((what == SOFTMAX || what == WEIGHTED) && is_middle(line != NULL, n, a[what < WEIGHTED ? 1 : 2].outer)) {
        middle_rows(what, line, a, rows, n);
        return;
    }
    if (FROM_OUTPUT(what) && is_held(line, n, a)) {
        KIND(what) == OF_SOFTMAX ? softmax_held(line, a, rows, n) : log_softmax_held(line, a, rows, n);
        return;
    }
    for (size_t row = 0; row < rows; row++) {
        const Row first = row_of(a[0], row), second = row_of(a[1], row);
        expect_write(line, a[what < WEIGHTED ? 1 : 2], row, n);
        if (what == SOFTMAX)
            softmax_along(line, first, second, n, 1);
        else if (what == WEIGHTED)
            softmax_along(line, second, row_of(a[2], row), n, *first.at);
        else
            BACKWARD(what, softmax_backward_along, softmax_from_output_along, log_softmax_backward_along, log_softmax_from_output_along)(line, first, second, row_of(a[2], row), n);
    }
}

/* Larger than caches are */
enum { LARGE_BYTES = 16 << 20 };
static inline int is_large(size_t rows, size_t n) { return rows * n * sizeof(T) >= LARGE_BYTES; }

/* How many of the rows from `row` on make a tile. Of many tiles all but the first start with a whole line: softmax of 128 entries of 2048 rows takes
 * .26 ns an entry instead of .35. */
static size_t tile_rows(size_t tile, Operand out, size_t row, size_t rows) {
    const size_t head = row == 0 && rows >= 4 * tile ? unaligned((T *)out.data, rows) : 0;
    return head ? tile - LANES + head : rows - row < tile ? rows - row : tile;
}

static NOINLINE void side_by_side(int what, int streaming, const Operand *a, size_t rows, size_t n) {
    const Operand out = a[what < WEIGHTED ? 1 : 2], x = a[what == WEIGHTED];
    const int kept = (what == SOFTMAX || what == WEIGHTED) && !(FAST && (streaming || x.data == out.data));
    const size_t tile = tile_width(kept, is_large(2 * rows, n), n);
    for (size_t row = 0, width; row < rows; row += width) {
        width = tile_rows(tile, out, row, rows);
        const Row first = row_of(a[0], row), second = row_of(a[1], row);
        if (what == SOFTMAX)
            softmax_across(streaming, first, second, n, width, NULL);
        else if (what == LOG_SOFTMAX)
            log_softmax_across(streaming, first, second, n, width);
        else if (what == LOGSUMEXP) {
            ALIGNED T high[TILE], low[TILE];
            tile_log_sums(first, n, width, high, low);
            for (size_t i = 0; i < width; i++) put_logsumexp(a[0], a[1], row + i, n, high[i]);
        } else if (what == WEIGHTED)
            softmax_across(streaming, second, row_of(a[2], row), n, width, first.at);
        else
            BACKWARD(what, softmax_backward_across, softmax_from_output_across, log_softmax_backward_across, log_softmax_from_output_across)(streaming, first, second, row_of(a[2], row), n, width);
    }
}

/* How many short rows go first, that those which follow begin on a whole line, as they do while whole groups go: 10 columns take 4 to 12 % less.
 * 0 where none does, or few entries would share what this costs, which 8192 of 10 columns only just do. */
static size_t rows_before_line(Operand a, size_t rows, size_t n) {
    size_t count = 0;
    while (count < LANES && (uintptr_t)entry_at(a, count) % (LANES * sizeof(T))) count++;
    return count < LANES && rows * n >= 1 << 14 ? count : 0;
}

/* How many go from `row` on: those, a batch, whole groups, and what is left */
static inline size_t short_count(size_t row, size_t rows, size_t head, size_t batch) {
    const size_t left = rows - row;
    return row == 0 && head ? head : left >= batch ? batch : left >= LANES ? left / LANES * LANES : left;
}

/* Batch by batch; rows that are not dense, or do not fill their last group, pass through a buffer. */
static NOINLINE void short_rows(int what, Line *line, const Operand *a, size_t rows, size_t n) {
    const int operands = what < WEIGHTED ? 2 : 3;
    ALIGNED T buffer[3][SHORT_BUFFER];
    ALIGNED int32_t row_numbers[SHORT_BUFFER];
    entry_rows(row_numbers, n, rows);
    const size_t batch = batch_rows(batch_entries(line != NULL, !FROM_OUTPUT(what), n), n);
    const size_t head = rows_before_line(a[operands - 2], rows, n);
    for (size_t row = 0, count; row < rows; row += count) {
        count = short_count(row, rows, head, batch);
        const Group g = group_of(count, n, row_numbers);
        T *p[3];
        for (int k = 0; k < operands; k++) {
            const size_t entries = a[k].inner ? n : 1;
            const int dense = a[k].outer == (ptrdiff_t)(entries * sizeof(T)) && count % LANES == 0;
            const int is_output = k == operands - 1;
            p[k] = is_output && line ? free_room(line) : dense ? entry_at(a[k], row) : buffer[k];
            if (dense || is_output) continue;
            for (size_t i = 0; i < count; i++)
                for (size_t j = 0; j < entries; j++) buffer[k][i * entries + j] = entry_at(a[k], row + i)[j];
            for (size_t i = count * entries; i < g.entries; i++) buffer[k][i] = 0;
        }
        T *out = p[operands - 1], *to = entry_at(a[operands - 1], row);
        if (what == SOFTMAX)
            softmax_short(p[0], out, g, NULL, line);
        else if (what == LOG_SOFTMAX)
            log_softmax_short(p[0], out, g, line);
        else if (what == LOGSUMEXP) {
            ALIGNED T high[SHORT_ROWS], low[SHORT_ROWS];
            short_log_sums(p[0], buffer[1], g, high, low, NULL);
            for (size_t i = 0; i < count; i++) put_logsumexp(a[0], a[1], row + i, n, high[i]);
            continue;
        } else if (what == WEIGHTED)
            softmax_short(p[1], out, g, p[0], line);
        else
            backward_short(KIND(what), FROM_OUTPUT(what), p[0], p[1], out, g, line);
        if (line) hand_over(line, to, out, count * n);
        for (size_t i = 0; i < count && !line && out != to; i++)
            for (size_t j = 0; j < n; j++) entry_at(a[operands - 1], row + i)[j] = out[i * n + j];
    }
}

/* Rows of one entry */
static void single_entries(int what, const Operand *a, size_t rows) {
    const int operands = what < WEIGHTED ? 2 : 3;
    for (size_t row = 0; row < rows; row++) {
        const T x = *entry_at(a[operands - 2], row), first = *entry_at(a[0], row);
        T value = 0 * (x - x); /* NaN where x is not finite */
        if (what == SOFTMAX)
            value += 1;
        else if (what == LOGSUMEXP)
            value = x;
        else if (what == WEIGHTED)
            value += first;
        else if (what != LOG_SOFTMAX)
            value += first - first;
        *entry_at(a[operands - 1], row) = value;
    }
}

/* Streaming stores pay where the arrays leave the caches, and the output is not an input, whose lines are there. A call may be of
 * some of the rows: then what else NumPy hands a loop, `data`, tells how many there are in all. */
static int is_streamed(Operand out, size_t rows, size_t n, int along, size_t short_row) {
#ifdef HAVE_STREAM
    if (!is_large(rows, n) || (uintptr_t)out.data % sizeof(T)) return 0;
    return !along || n > short_row || out.outer == (ptrdiff_t)(n * sizeof(T));
#else
    (void)out, (void)rows, (void)n, (void)along, (void)short_row;
    return 0;
#endif
}

static inline void end_streaming(Line *line) {
#ifdef HAVE_STREAM
    if (line) {
        finish_piece(line);
        flush_line(line);
        stream_end();
    }
#endif
    (void)line;
}

static void family_rows(int what, char **args, const intptr_t *dimensions, const intptr_t *steps) {
    const size_t rows = (size_t)dimensions[0], n = (size_t)dimensions[1];
    const int operands = what < WEIGHTED ? 2 : 3, last = operands - 1;
    const FloatState callers = enter_default_state();
    const size_t short_row = FROM_OUTPUT(what) ? SHORT_FROM_OUTPUT : SHORT_ROW;
    Operand a[3];
    int lie_along = 1, lie_across = 1, cores = 0;
    for (int k = 0; k < operands; k++) {
        const int core = !(what == LOGSUMEXP && k == last) && !(what == WEIGHTED && k == 0);
        a[k] = (Operand){args[k], steps[k], core ? steps[operands + cores++] : 0};
        lie_along &= !core || a[k].inner == sizeof(T);
        lie_across &= a[k].outer == sizeof(T);
    }
    int streaming = what != LOGSUMEXP && (lie_along || lie_across) && is_streamed(a[last], rows, n, lie_along, short_row);
    for (int k = 0; k < last; k++) streaming &= a[k].data != a[last].data;
    ALIGNED T rooms[2][ROOM];
    Line pending = {.rooms = rooms}, *line = streaming ? &pending : NULL;
    if (n == 0)
        for (size_t row = 0; row < rows && what == LOGSUMEXP; row++) *entry_at(a[last], row) = (T)-HUGE_VAL;
    else if (n == 1 && !FROM_OUTPUT(what))
        single_entries(what, a, rows);
    else if (lie_along && n <= short_row && LANES > 1 && !(line && what == LOG_SOFTMAX && n >= TAKEN_APART))
        short_rows(what, line, a, rows, n);
    else if (lie_across && !lie_along)
        side_by_side(what, streaming, a, rows, n);
    else
        row_by_row(what, line, a, rows, n);
    end_streaming(line);
    restore_state(callers);
}

static void softmax_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    family_rows(SOFTMAX, args, dimensions, steps);
}
static void log_softmax_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    family_rows(LOG_SOFTMAX, args, dimensions, steps);
}
static void logsumexp_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    family_rows(LOGSUMEXP, args, dimensions, steps);
}
static void logsumexp_backward_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    family_rows(WEIGHTED, args, dimensions, steps);
}
static void softmax_backward_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    family_rows(SOFTMAX_BACKWARD, args, dimensions, steps);
}
static void softmax_backward_from_output_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    family_rows(SOFTMAX_FROM_OUTPUT, args, dimensions, steps);
}
static void log_softmax_backward_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    family_rows(LOG_SOFTMAX_BACKWARD, args, dimensions, steps);
}
static void log_softmax_backward_from_output_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    family_rows(LOG_SOFTMAX_FROM_OUTPUT, args, dimensions, steps);
}
#undef BACKWARD
