/* Softmax and its backward passes along an axis, for REAL: the inner loops, and which algorithm serves a layout. None copies:
 * buffers are a few KiB of stack. Which one runs depends on the layout and the length of a row, never on other rows. */

#include "row_common.h"

#include "row_along.h"

#include "row_across.h"

#include "row_short.h"

typedef struct {
    char *data;
    ptrdiff_t outer, inner; /* bytes from row to row, and from entry to entry */
} FN(Operand);

enum { FN(SOFTMAX), FN(BACKWARD), FN(BACKWARD_FROM_OUTPUT) };

static inline T *FN(entry)(FN(Operand) a, size_t row) { return (T *)(a.data + (ptrdiff_t)row * a.outer); }
static inline ptrdiff_t FN(step)(FN(Operand) a) { return a.inner / (ptrdiff_t)sizeof(T); }

/* Each of these is inlined with a constant `what`: a branch on it inside the loops made GCC take exponentials for nothing. */
static ALWAYS_INLINE void FN(one_row)(int what, const FN(Operand) *a, size_t row, size_t n) {
    const FN(Row) first = {FN(entry)(a[0], row), FN(step)(a[0])}, second = {FN(entry)(a[1], row), FN(step)(a[1])};
    if (what == FN(SOFTMAX))
        FN(softmax_along)(first, second, n);
    else
        FN(backward_along)(what == FN(BACKWARD_FROM_OUTPUT), first, second, (FN(Row)){FN(entry)(a[2], row), FN(step)(a[2])}, n);
}

static ALWAYS_INLINE void FN(side_by_side)(int what, const FN(Operand) *a, size_t rows, size_t n) {
    for (size_t row = 0; row < rows; row += FN(TILE)) {
        const size_t width = rows - row < FN(TILE) ? rows - row : FN(TILE);
        if (what == FN(SOFTMAX))
            FN(softmax_across)(FN(entry)(a[0], row), FN(step)(a[0]), FN(entry)(a[1], row), FN(step)(a[1]), n, width);
        else
            FN(backward_across)(what == FN(BACKWARD_FROM_OUTPUT), FN(entry)(a[0], row), FN(step)(a[0]), FN(entry)(a[1], row),
                                FN(step)(a[1]), FN(entry)(a[2], row), FN(step)(a[2]), n, width);
    }
}

/* Group by group; a group that is not dense, or not full, passes through a buffer, with 0 for absent rows. */
static ALWAYS_INLINE void FN(short_rows)(int what, const FN(Operand) *a, size_t rows, size_t n) {
    const int inputs = what == FN(SOFTMAX) ? 1 : 2;
    T buffer[3][FN(GROUP)];
    int32_t row_of[FN(GROUP)];
    FN(entry_rows)(row_of, n, rows < LANES ? rows : LANES);
    for (size_t row = 0; row < rows; row += LANES) {
        const size_t count = rows - row < LANES ? rows - row : LANES;
        T *p[3];
        for (int k = 0; k <= inputs; k++) {
            const int dense = a[k].outer == (ptrdiff_t)(n * sizeof(T)) && count == LANES;
            p[k] = dense ? FN(entry)(a[k], row) : buffer[k];
            if (dense) continue;
            for (size_t i = 0; i < count && k < inputs; i++)
                for (size_t j = 0; j < n; j++) buffer[k][i * n + j] = FN(entry)(a[k], row + i)[j];
            for (size_t i = count * n; i < n * LANES; i++) buffer[k][i] = 0;
        }
        const size_t entries = (count * n + LANES - 1) / LANES * LANES;
        if (what == FN(SOFTMAX))
            FN(softmax_group)(p[0], p[1], n, entries, row_of);
        else
            FN(backward_group)(what == FN(BACKWARD_FROM_OUTPUT), p[0], p[1], p[2], n, entries, row_of);
        if (p[inputs] != buffer[inputs]) continue;
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < n; j++) FN(entry)(a[inputs], row + i)[j] = buffer[inputs][i * n + j];
    }
}

/* Rows of one entry: softmax is 1, and its gradient 0, but NaN where x (or grad) is not finite. */
static void FN(single_entries)(const FN(Operand) *a, int inputs, size_t rows) {
    for (size_t row = 0; row < rows; row++) {
        T value = inputs == 1;
        for (int k = 0; k < inputs; k++) value += *FN(entry)(a[k], row) - *FN(entry)(a[k], row);
        *FN(entry)(a[inputs], row) = value;
    }
}

static ALWAYS_INLINE void FN(rows)(int what, char **args, const intptr_t *dimensions, const intptr_t *steps) {
    const size_t rows = (size_t)dimensions[0], n = (size_t)dimensions[1];
    const int operands = what == FN(SOFTMAX) ? 2 : 3;
    const Flags flags = flags_get();
    FN(Operand) a[3];
    int lie_along = 1, lie_across = 1;
    for (int k = 0; k < operands; k++) {
        a[k] = (FN(Operand)){args[k], steps[k], steps[operands + k]};
        lie_along &= a[k].inner == sizeof(T);
        lie_across &= a[k].outer == sizeof(T);
    }
    if (n == 0)
        ;
    else if (n == 1 && what != FN(BACKWARD_FROM_OUTPUT))
        FN(single_entries)(a, operands - 1, rows);
    else if (lie_along && n <= FN(SHORT_ROW) && LANES > 1)
        FN(short_rows)(what, a, rows, n);
    else if (lie_across && !lie_along)
        FN(side_by_side)(what, a, rows, n);
    else
        for (size_t row = 0; row < rows; row++) FN(one_row)(what, a, row, n);
    flags_restore(flags);
}

#define LOOP(name, what)                                                                                      \
    static void FN(name##_loop)(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) { \
        (void)data;                                                                                           \
        FN(rows)(what, args, dimensions, steps);                                                              \
    }
LOOP(softmax, FN(SOFTMAX))
LOOP(softmax_backward, FN(BACKWARD))
LOOP(softmax_backward_from_output, FN(BACKWARD_FROM_OUTPUT))
#undef LOOP
