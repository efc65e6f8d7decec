/* The elementwise inner loop of every ufunc, for REAL: strides, parameters and tails, once for all kernels and instruction
 * sets. Threads and streaming stores belong where a contiguous call hands `whole` elements to the kernel in one piece:
 * NumPy passes a contiguous array of any shape in one call of full length. */

enum { FN(CHUNK) = 256 }; /* elements gathered at once; 14 buffers of doubles are 28 KiB of stack */

static void FN(gather_chunk)(T *buffer, const char *from, intptr_t step, size_t n, size_t padded) {
    for (size_t i = 0; i < n; i++) buffer[i] = *(const T *)(from + (intptr_t)i * step);
    for (size_t i = n; i < padded; i++) buffer[i] = buffer[n - 1];
}

void CAT(fastact_loop, REAL)(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
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
    FN(block) *block = (FN(block) *)(uniform ? kernel->uniform : kernel->general);

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

    /* the tail, or all of it where strided: through buffers, so that the kernel sees whole vectors of the same kind */
    T buffer[MAX_INPUTS + MAX_OUTPUTS][FN(CHUNK)];
    for (int k = 0; k < kernel->outputs; k++) out[k] = buffer[MAX_INPUTS + k];
    for (size_t start = whole; start < n; start += FN(CHUNK)) {
        const size_t count = n - start < FN(CHUNK) ? n - start : FN(CHUNK);
        const size_t padded = (count + lanes - 1) / lanes * lanes;
        for (int j = 0; j < arrays; j++) {
            FN(gather_chunk)(buffer[j], args[j] + (intptr_t)start * steps[j], steps[j], count, padded);
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
