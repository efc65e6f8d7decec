/* The loop of every elementwise ufunc, which calls the blocks of all instruction sets. It is compiled twice: setup.py says that
 * T is float and ELEMENTWISE_LOOP fastact_float_loop, or the same for double. A contiguous array of any shape comes in one call,
 * and its whole vectors go to the block in one piece. */
#include "api.h"
#include "flags.h"

typedef void Block(const T *const *in, const T *parameter, T *const *out, size_t n);
typedef void StreamBlock(Block *, int arrays, int outputs, const T *const *in, const T *parameter, T *const *out, size_t n);

/* CHUNK: elements gathered at a time; 14 buffers of doubles take 28 KiB of stack. AHEAD: how many elements memory is asked for
 * before they are written. LARGE: the bytes of all arrays from which on they do not stay in the caches. STREAM_FROM: the bytes from
 * which on results are streamed. Below it, whoever reads the results next would lose more than the call gains. */
enum { CHUNK = 256, LINE = 64, AHEAD = 2048, LARGE = 32 << 20, STREAM_FROM = 48 << 20 };

#if defined(__GNUC__)
#define PREFETCH_TO_WRITE(p) __builtin_prefetch(p, 1)
#else
#define PREFETCH_TO_WRITE(p) (void)(p)
#endif

static void gather_chunk(T *buffer, const char *from, intptr_t step, size_t n, size_t padded) {
    for (size_t i = 0; i < n; i++) buffer[i] = *(const T *)(from + (intptr_t)i * step);
    for (size_t i = n; i < padded; i++) buffer[i] = buffer[n - 1];
}

/* One call of the loop. `arrays` counts the parameters too where they are arrays. */
typedef struct {
    const Elementwise *kernel;
    Block *block;
    int arrays, inputs;
    char **args;
    const intptr_t *steps;
    T parameter[MAX_PARAMETERS];
    size_t whole; /* elements of the whole call, of which this may be a part */
} Call;

static inline T *output(const Call *c, int k) { return (T *)c->args[c->inputs + k]; }

/* The elements from `start` to `end` go through buffers: the block sees whole vectors. */
static void through_buffers(const Call *c, size_t start, size_t end) {
    T buffer[MAX_INPUTS + MAX_OUTPUTS][CHUNK];
    const T *in[MAX_INPUTS];
    T *out[MAX_OUTPUTS];
    const size_t lanes = (size_t)c->kernel->lanes;
    for (int k = 0; k < c->kernel->outputs; k++) out[k] = buffer[MAX_INPUTS + k];
    for (; start < end; start += CHUNK) {
        const size_t count = end - start < CHUNK ? end - start : CHUNK;
        const size_t padded = (count + lanes - 1) / lanes * lanes;
        for (int j = 0; j < c->arrays; j++) {
            gather_chunk(buffer[j], c->args[j] + (intptr_t)start * c->steps[j], c->steps[j], count, padded);
            in[j] = buffer[j];
        }
        c->block(in, c->parameter, out, padded);
        for (int k = 0; k < c->kernel->outputs; k++) {
            const intptr_t step = c->steps[c->inputs + k];
            char *to = c->args[c->inputs + k] + (intptr_t)start * step;
            for (size_t i = 0; i < count; i++) *(T *)(to + (intptr_t)i * step) = out[k][i];
        }
    }
}

/* A large array in place: its memory is asked for early, to be written. n is a multiple of the lanes. */
static void in_place(const Call *c, T *x, size_t n) {
    for (size_t i = 0; i < n; i += CHUNK) {
        if (n - i >= AHEAD + CHUNK)
            for (size_t line = 0; line < CHUNK; line += LINE / sizeof(T)) PREFETCH_TO_WRITE(x + i + AHEAD + line);
        c->block((const T *const[]){x + i}, c->parameter, (T *const[]){x + i}, n - i < CHUNK ? n - i : CHUNK);
    }
}

/* Whether no output is an input, and all outputs begin at the same place of a line */
static int can_stream(const Call *c) {
    for (int k = 0; k < c->kernel->outputs; k++) {
        if (((uintptr_t)output(c, k) - (uintptr_t)output(c, 0)) % LINE) return 0;
        for (int j = 0; j < c->arrays; j++)
            if (c->args[j] == c->args[c->inputs + k]) return 0;
    }
    return 1;
}

/* Contiguous arrays: all but the last elements, which fill no vector. Returns how many elements are done. */
static size_t whole_vectors(const Call *c, size_t n) {
    const int outputs = c->kernel->outputs, memory_bound = c->kernel->stream != NULL;
    const size_t bytes = c->whole * sizeof(T) * (size_t)(c->arrays + outputs);
    const int streaming = memory_bound && bytes >= STREAM_FROM && can_stream(c), is_large = memory_bound && bytes >= LARGE;
    const size_t to_line = (LINE - (uintptr_t)output(c, 0) % LINE) % LINE / sizeof(T);
    const size_t start = !is_large ? 0 : to_line < n ? to_line : n; /* a part of a large call may end before the line does */
    const size_t whole = (n - start) - (n - start) % (size_t)c->kernel->lanes;
    const T *in[MAX_INPUTS];
    T *out[MAX_OUTPUTS];
    for (int j = 0; j < c->arrays; j++) in[j] = (const T *)c->args[j] + start;
    for (int k = 0; k < outputs; k++) out[k] = output(c, k) + start;
    through_buffers(c, 0, start);
    if (streaming)
        ((StreamBlock *)c->kernel->stream)(c->block, c->arrays, outputs, in, c->parameter, out, whole);
    else if (is_large && c->arrays == 1 && outputs == 1 && in[0] == out[0])
        in_place(c, out[0], whole);
    else if (whole)
        c->block(in, c->parameter, out, whole);
    return start + whole;
}

/* The same where some arrays are one number for all elements, which goes to a buffer once. */
static size_t whole_vectors_of_numbers(const Call *c, size_t n) {
    T buffer[MAX_INPUTS][CHUNK];
    const size_t whole = n - n % (size_t)c->kernel->lanes;
    const T *in[MAX_INPUTS];
    T *out[MAX_OUTPUTS];
    for (int j = 0; j < c->arrays; j++)
        for (size_t i = 0; i < CHUNK && i < whole && c->steps[j] == 0; i++) buffer[j][i] = *(const T *)c->args[j];
    for (size_t start = 0; start < whole; start += CHUNK) {
        for (int j = 0; j < c->arrays; j++) in[j] = c->steps[j] == 0 ? buffer[j] : (const T *)c->args[j] + start;
        for (int k = 0; k < c->kernel->outputs; k++) out[k] = output(c, k) + start;
        c->block(in, c->parameter, out, whole - start < CHUNK ? whole - start : CHUNK);
    }
    return whole;
}

/* The loops of ufunc.reduce and accumulate: an element is computed from the result before it. */
static void one_by_one(const Call *c, size_t n) {
    for (size_t i = 0; i < n; i++) through_buffers(c, i, i + 1);
}

int ELEMENTWISE_LOOP(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data, size_t whole) {
    const Elementwise *kernel = data;
    const size_t n = (size_t)dimensions[0];
    const FloatState callers = enter_default_state();

    Call c = {kernel, NULL, kernel->arrays, kernel->arrays + kernel->parameters, args, steps, {0}, whole};
    int uniform = 1, contiguous = 1, numbers = 0;
    for (int p = 0; p < kernel->parameters && n; p++) {
        c.parameter[p] = *(const T *)args[kernel->arrays + p];
        uniform &= steps[kernel->arrays + p] == 0;
    }
    if (!uniform) c.arrays = c.inputs;
    c.block = (Block *)(uniform ? kernel->uniform : kernel->general);
    for (int j = 0; j < c.arrays; j++) {
        contiguous &= steps[j] == sizeof(T) || steps[j] == 0;
        numbers |= steps[j] == 0;
    }
    for (int k = 0; k < kernel->outputs; k++) contiguous &= steps[c.inputs + k] == sizeof(T);
    if (n > 1 && args[c.inputs] - args[0] == steps[0] && steps[c.inputs] == steps[0]) {
        one_by_one(&c, n);
        restore_state(callers);
        return 0;
    }
    const size_t done = !contiguous ? 0 : numbers ? whole_vectors_of_numbers(&c, n) : whole_vectors(&c, n);
    through_buffers(&c, done, n);
    restore_state(callers);
    return 0;
}
