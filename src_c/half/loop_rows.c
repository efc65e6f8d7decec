/* Rows in half precision: blocks of whole rows, or tiles of neighbouring rows, are converted to floats. */
#include "half/half.h"
#include <stdlib.h>

/* ON_STACK: floats in the buffers on the stack, 4 KiB. The loop of floats may need all the stack that a small thread has left,
 * so other buffers are taken from the heap. BLOCK: floats in a block of whole rows. TILE: floats in a tile, which has at least
 * LINE rows, the neighbours in a line of memory, and at most WIDEST. */
enum {
    ON_STACK = 1024,
    BLOCK = 4096,
    TILE = 262144,
    LINE = 32,
    WIDEST = 256,
    PIECE = 256,
    LARGE = 1 << 20,
    MOST = MAX_INPUTS + MAX_OUTPUTS
};

typedef struct {
    char *data;
    intptr_t outer, inner; /* bytes from row to row, and from entry to entry */
    int is_half, has_core;
    float *buffer; /* NULL for operands that the loop of floats takes as they are */
    int own; /* whether the buffer is no other operand's */
} Operand;

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
static intptr_t distance(intptr_t step) { return step < 0 ? -step : step; }

/* Rows along memory stay so; rows that lie side by side get a number of each row at a time, which lie `pitch` floats apart. */
static void move(const HalfLoop *h, const Operand *a, int writes, int across, intptr_t ahead, size_t row, size_t rows, size_t n,
                 size_t pitch) {
    char *const at = a->data + (intptr_t)row * a->outer;
    size_t lines = across ? n : rows, length = across ? rows : n;
    intptr_t line = across ? a->inner : a->outer, step = across ? a->outer : a->inner;
    if (!a->has_core) lines = 1, length = rows, line = 0, step = a->outer;
    if (!across) pitch = length;
    if (step == sizeof(uint16_t) && line == (intptr_t)(length * sizeof(uint16_t)) && pitch == length) length *= lines, lines = 1;
    /* While a piece is moved, memory is asked for the same of the next block. The rows compute long enough for it to come. */
    const size_t piece = ahead && step == sizeof(uint16_t) ? PIECE : length;
    for (size_t i = 0; i < lines; i++)
        for (size_t start = 0; start < length; start += piece) {
            char *const here = at + (intptr_t)i * line + (intptr_t)start * step;
            float *const floats = a->buffer + i * pitch + start;
            const size_t count = smaller(piece, length - start);
            for (size_t byte = 0; byte < 2 * PIECE && piece == PIECE; byte += 2 * LINE) {
                if (writes)
                    PREFETCH_TO_WRITE(here + ahead + byte);
                else
                    PREFETCH(here + ahead + byte);
            }
            if (writes)
                half_write(h->type, floats, here, step, count);
            else
                half_read(h->type, here, step, floats, count);
        }
}

int half_rows(const HalfLoop *h, char **args, const intptr_t *dimensions, const intptr_t *steps) {
    Operand operand[MOST];
    char *at[MOST];
    intptr_t float_steps[2 * MOST];
    float on_stack[ON_STACK], *floats = on_stack, *from_heap = NULL;
    const size_t rows = (size_t)dimensions[0], n = (size_t)dimensions[1];
    int cores = 0, lists = 0, across = 0, taken = 0, wrong = 0;
    const intptr_t *inner = steps + h->operands;
    if (!rows) return 0;
    for (int k = 0; k < h->operands; k++) {
        Operand *const a = &operand[k];
        const int is_output = k >= h->inputs;
        *a = (Operand){args[k], steps[k], 0, h->halves >> k & 1, h->cores >> k & 1, NULL, 0};
        if (a->has_core) a->inner = *inner++;
        if (!a->is_half) continue;
        /* a result takes the place of the first operand: the loop of floats allows that */
        a->own = !(is_output && a->has_core && cores && !taken++);
        cores += a->has_core && a->own;
        lists += !a->has_core;
        if (a->has_core && !is_output) across = distance(a->inner) > distance(a->outer) && a->outer;
    }
    /* How many rows go together */
    const size_t widths = (size_t)cores * larger(n, 1) + (size_t)lists;
    size_t together = larger(1, BLOCK / widths);
    if (across) together = smaller(WIDEST, larger(LINE, TILE / widths / LINE * LINE));
    together = smaller(together, rows);
    if (across) together = larger(together, 2); /* one row alone would look as if it lay along memory */
    if (widths * together > ON_STACK) {
        floats = from_heap = malloc(widths * together * sizeof(float));
        if (!from_heap) {
            if (widths * (across ? 2 : 1) > ON_STACK) return NO_MEMORY;
            floats = on_stack, together = ON_STACK / widths;
        }
    }
    const intptr_t is_large = rows * n * sizeof(uint16_t) >= LARGE;
    float *first = NULL;
    for (int k = 0; k < h->operands; k++) {
        Operand *const a = &operand[k];
        if (!a->is_half) continue;
        a->buffer = a->own ? floats : first;
        if (a->has_core && !first) first = floats;
        if (a->own) floats += a->has_core ? n * together : together;
    }
    for (size_t row = 0; row < rows; row += together) {
        const size_t count = smaller(together, rows - row);
        const intptr_t float_dimensions[] = {(intptr_t)count, (intptr_t)n};
        int core = h->operands;
        for (int k = 0; k < h->operands; k++) {
            const Operand *const a = &operand[k];
            at[k] = a->is_half ? (char *)a->buffer : a->data + (intptr_t)row * a->outer;
            float_steps[k] = a->outer;
            if (a->is_half) float_steps[k] = (intptr_t)sizeof(float) * (a->has_core && !across ? (intptr_t)n : 1);
            if (a->has_core) {
                float_steps[core] = a->inner;
                if (a->is_half) float_steps[core] = (intptr_t)sizeof(float) * (across ? (intptr_t)together : 1);
                core++;
            }
            if (a->is_half && k < h->inputs)
                move(h, a, 0, across, is_large * a->outer * (intptr_t)together, row, count, n, together);
        }
        wrong |= h->loop(at, float_dimensions, float_steps, h->data, count);
        for (int k = h->inputs; k < h->operands; k++)
            if (operand[k].is_half)
                move(h, &operand[k], 1, across, is_large * operand[k].outer * (intptr_t)together, row, count, n, together);
    }
    free(from_heap);
    return wrong;
}
