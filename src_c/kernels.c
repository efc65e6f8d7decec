/* All kernels of one instruction set: compiled once for each, with SIMD_HEADER and SET_NAME given by setup.py. */
#include "fastact.h"
#include "flags.h"
#include SIMD_HEADER
#include <math.h> /* HUGE_VAL; no function of it is called */

#ifdef __GNUC__
#define ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE inline
#endif

#define REAL f32
#include "real.h"
#include "polynomials.h"
#include "words.h"
#include "block.h"
#include "row.h"
#undef REAL
#define REAL f64
#include "real.h"
#include "words.h"
#include "block.h"
#include "row.h"

#ifdef HAVE_TABLES
#include "fitted.h"
#define N_FITTED (int)(sizeof fitted_kernels / sizeof *fitted_kernels)
#else
#define fitted_kernels NULL
#define N_FITTED 0
#endif

#define KERNEL(name, arrays, parameters) \
    {#name, arrays, parameters, f32_uniform_##name, parameters ? f32_general_##name : f32_uniform_##name, \
     f64_uniform_##name, parameters ? f64_general_##name : f64_uniform_##name},
static const Kernel kernels[] = {
#include "formulas.h"
};

#define ROW(name, arrays) {#name, arrays, f32_##name##_loop, f64_##name##_loop}
static const RowKernel rows[] = {ROW(softmax, 1), ROW(softmax_backward, 2), ROW(softmax_backward_from_output, 2)};

#define STRING2(x) #x
#define STRING(x) STRING2(x)
#define SET2(name) fastact_set_##name
#define SET(name) SET2(name)
const InstructionSet SET(SET_NAME) = {
    STRING(SET_NAME), f32_lanes, f64_lanes, kernels, (int)(sizeof kernels / sizeof *kernels),
    fitted_kernels, N_FITTED, rows, (int)(sizeof rows / sizeof *rows),
};
