/* The composed kernels of the formulas for REAL: the loop over whole vectors, with the formula inlined. */
#define FUNCTIONS
#include "formulas.h"
#undef FUNCTIONS

typedef void FN(vector)(const V *in, V *out);

static ALWAYS_INLINE void FN(run)(FN(vector) *formula, int arrays, int parameters, int outputs, const FN(t) *const *in,
                                  const FN(t) *parameter, FN(t) *const *out, size_t n) {
    V a[MAX_INPUTS], y[MAX_OUTPUTS];
    for (int p = 0; p < parameters; p++) a[arrays + p] = C(parameter[p]);
    for (size_t i = 0; i < n; i += LANES) {
        for (int j = 0; j < arrays; j++) a[j] = FN(load)(in[j] + i);
        formula(a, y);
        for (int j = 0; j < outputs; j++) FN(store)(out[j] + i, y[j]);
    }
}

#define BLOCKS(name, arrays, parameters, outputs)                                                                             \
    static void FN(uniform_##name)(const FN(t) *const *in, const FN(t) *parameter, FN(t) *const *out, size_t n) {             \
        FN(run)(FN(vector_##name), arrays, parameters, outputs, in, parameter, out, n);                                       \
    }                                                                                                                         \
    static void FN(general_##name)(const FN(t) *const *in, const FN(t) *parameter, FN(t) *const *out, size_t n) {             \
        FN(run)(FN(vector_##name), arrays + parameters, 0, outputs, in, parameter, out, n);                                   \
    }                                                                                                                         \
    _Static_assert(parameters <= MAX_PARAMETERS, #name " has more parameters than MAX_PARAMETERS in fastact.h");
#define KERNEL(name, arrays, parameters, outputs, kind) BLOCKS_##kind(name, arrays, parameters, outputs)
#include "formulas.h"
#undef KERNEL
