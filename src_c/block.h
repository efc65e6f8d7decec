/* The composed kernels of every formula, for REAL: the loop over whole vectors, with the formula inlined. */

#define FORMULAS
#include "formulas.h"
#undef FORMULAS

typedef V FN(vector)(const V *in);

static ALWAYS_INLINE void FN(run)(FN(vector) *formula, int arrays, int parameters, const T *const *in, const T *parameter, T *out, size_t n) {
    V a[MAX_INPUTS];
    for (int p = 0; p < parameters; p++) a[arrays + p] = FN(set)(parameter[p]);
    for (size_t i = 0; i < n; i += LANES) {
        for (int j = 0; j < arrays; j++) a[j] = LOAD(in[j] + i);
        STORE(out + i, formula(a));
    }
}

#define KERNEL(name, arrays, parameters)                                                                        \
    static void FN(uniform_##name)(const T *const *in, const T *parameter, T *out, size_t n) {                  \
        FN(run)(FN(vector_##name), arrays, parameters, in, parameter, out, n);                                  \
    }                                                                                                           \
    static void FN(general_##name)(const T *const *in, const T *parameter, T *out, size_t n) {                  \
        FN(run)(FN(vector_##name), arrays + parameters, 0, in, parameter, out, n);                              \
    }                                                                                                           \
    _Static_assert(parameters <= MAX_PARAMETERS, #name " has more parameters than MAX_PARAMETERS in fastact.h");
#include "formulas.h"
#undef KERNEL
