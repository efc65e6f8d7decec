/* The inner loop of every ufunc and gufunc in half precision. Blocks of operands are converted to float32, the loop of float32
 * computes on them, and its results are rounded once. loop_rows.c has the part for gufuncs. */
#include "half/half.h"

/* FLOATS: floats in the buffers of all operands together, 8 KiB of stack. PART: elements gathered at a time. */
enum { FLOATS = 2048, PART = 256, VECTOR = 16 };

void half_read(const HalfType *type, const char *from, intptr_t step, float *to, size_t n) {
    if (step == sizeof(uint16_t)) {
        type->widen((const uint16_t *)from, to, n);
        return;
    }
    uint16_t gathered[PART];
    for (size_t start = 0; start < n; start += PART) {
        const size_t count = n - start < PART ? n - start : PART;
        for (size_t i = 0; i < count; i++) gathered[i] = *(const uint16_t *)(from + (intptr_t)(start + i) * step);
        type->widen(gathered, to + start, count);
    }
}

void half_write(const HalfType *type, const float *from, char *to, intptr_t step, size_t n) {
    if (step == sizeof(uint16_t)) {
        type->narrow(from, (uint16_t *)to, n);
        return;
    }
    uint16_t rounded[PART];
    for (size_t start = 0; start < n; start += PART) {
        const size_t count = n - start < PART ? n - start : PART;
        type->narrow(from + start, rounded, count);
        for (size_t i = 0; i < count; i++) *(uint16_t *)(to + (intptr_t)(start + i) * step) = rounded[i];
    }
}

static int is_half(const HalfLoop *h, int k) { return h->halves >> k & 1; }

/* Elements: an input that is one number for all is converted once. An output shares the buffer of an input, if there is one. */
static NOINLINE int half_elements(const HalfLoop *h, char **args, const intptr_t *dimensions, const intptr_t *steps) {
    float floats[FLOATS], numbers[MAX_INPUTS];
    float *buffer[MAX_INPUTS + MAX_OUTPUTS];
    char *at[MAX_INPUTS + MAX_OUTPUTS];
    intptr_t float_steps[MAX_INPUTS + MAX_OUTPUTS];
    int shared[MAX_INPUTS], n_shared = 0, place[MAX_INPUTS + MAX_OUTPUTS], buffers = 0;
    const size_t n = (size_t)dimensions[0];
    if (!n) return 0;
    for (int k = 0; k < h->operands; k++) {
        at[k] = args[k];
        float_steps[k] = steps[k];
        if (!is_half(h, k)) continue;
        const int is_output = k >= h->inputs, number = !is_output && steps[k] == 0;
        if (number) {
            half_read(h->type, args[k], 0, &numbers[k], 1);
            at[k] = (char *)&numbers[k];
        } else {
            place[k] = is_output && n_shared ? shared[--n_shared] : buffers++;
            if (!is_output) shared[n_shared++] = place[k];
        }
        float_steps[k] = number ? 0 : sizeof(float);
    }
    const size_t block = buffers ? FLOATS / (size_t)buffers / VECTOR * VECTOR : n;
    for (int k = 0; k < h->operands; k++) buffer[k] = is_half(h, k) && float_steps[k] ? floats + (size_t)place[k] * block : NULL;
    for (size_t start = 0; start < n; start += block) {
        const intptr_t count = (intptr_t)(n - start < block ? n - start : block);
        for (int k = 0; k < h->operands; k++) {
            char *const here = args[k] + (intptr_t)start * steps[k];
            if (buffer[k] && k < h->inputs) half_read(h->type, here, steps[k], buffer[k], (size_t)count);
            if (buffer[k])
                at[k] = (char *)buffer[k];
            else if (!is_half(h, k))
                at[k] = here;
        }
        h->loop(at, &count, float_steps, h->data, (size_t)count);
        for (int k = h->inputs; k < h->operands; k++)
            if (buffer[k]) half_write(h->type, buffer[k], args[k] + (intptr_t)start * steps[k], steps[k], (size_t)count);
    }
    return 0;
}

int fastact_half_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data, size_t whole) {
    const HalfLoop *h = data;
    const FloatState callers = enter_default_state();
    const int wrong = h->cores ? half_rows(h, args, dimensions, steps) : half_elements(h, args, dimensions, steps);
    restore_state(callers);
    (void)whole; /* blocks stay in the caches */
    return wrong;
}
