/* The inner loop of every elementwise ufunc, which calls the blocks of all instruction sets. It is compiled twice: setup.py says that
 * T is float and ELEMENTWISE_LOOP fastact_float_loop, or the same for double. A contiguous array of any shape comes in one call,
 * and its whole vectors go to the block in one piece. */
#include "api.h"
#include "flags.h"

typedef void Block(const T *const *in, const T *parameter, T *const *out, size_t n);

enum { CHUNK = 256 }; /* elements gathered at a time: 14 buffers of doubles take 28 KiB of stack */

static void gather_chunk(T *buffer, const char *from, intptr_t step, size_t n, size_t padded) {
    for (size_t i = 0; i < n; i++) buffer[i] = *(const T *)(from + (intptr_t)i * step);
    for (size_t i = n; i < padded; i++) buffer[i] = buffer[n - 1];
}

void ELEMENTWISE_LOOP(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    const Elementwise *kernel = data;
    const size_t n = (size_t)dimensions[0], lanes = (size_t)kernel->lanes;
    const int inputs = kernel->arrays + kernel->parameters;
    const FloatState callers = enter_default_state();

    T parameter[MAX_PARAMETERS];
    int uniform = 1;
    for (int p = 0; p < kernel->parameters && n; p++) {
        parameter[p] = *(const T *)args[kernel->arrays + p];
        uniform &= steps[kernel->arrays + p] == 0;
    }
    const int arrays = uniform ? kernel->arrays : inputs;
    Block *block = (Block *)(uniform ? kernel->uniform : kernel->general);

    const T *in[MAX_INPUTS];
    T *out[MAX_OUTPUTS];
    int contiguous = 1;
    for (int j = 0; j < arrays; j++) {
        in[j] = (const T *)args[j];
        contiguous &= steps[j] == sizeof(T);
    }
    for (int k = 0; k < kernel->outputs; k++) {
        out[k] = (T *)args[inputs + k];
        contiguous &= steps[inputs + k] == sizeof(T);
    }
    const size_t whole = contiguous ? n - n % lanes : 0;
    if (whole) block(in, parameter, out, whole);

    /* The elements after the last whole vector, or all elements of strided arrays, go through buffers: the block sees whole
     * vectors. */
    T buffer[MAX_INPUTS + MAX_OUTPUTS][CHUNK];
    for (int k = 0; k < kernel->outputs; k++) out[k] = buffer[MAX_INPUTS + k];
    for (size_t start = whole; start < n; start += CHUNK) {
        const size_t count = n - start < CHUNK ? n - start : CHUNK;
        const size_t padded = (count + lanes - 1) / lanes * lanes;
        for (int j = 0; j < arrays; j++) {
            gather_chunk(buffer[j], args[j] + (intptr_t)start * steps[j], steps[j], count, padded);
            in[j] = buffer[j];
        }
        block(in, parameter, out, padded);
        for (int k = 0; k < kernel->outputs; k++) {
            char *to = args[inputs + k] + (intptr_t)start * steps[inputs + k];
            for (size_t i = 0; i < count; i++) *(T *)(to + (intptr_t)i * steps[inputs + k]) = out[k][i];
        }
    }
    restore_state(callers);
}
