/* All kernels of one instruction set: compiled once for each, with SIMD_HEADER and SET_NAME given by setup.py. */
#include "fastact.h"
#include "flags.h"
#include SIMD_HEADER
#include <math.h> /* HUGE_VAL, NAN; no function of it is called */
#include <string.h>

#ifdef __GNUC__
#define ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE inline
#endif
#define NAN_VALUE NAN

#define COEFFICIENTS
#include "formulas.h"
#undef COEFFICIENTS

/* The direct formulas: each result is rounded as often as the formula has operations. */
#define DIRECT_FORMULAS
#define OF(a) (a)
#define VALUE(a) (a)
#define NUMBER_TYPE V
#define BLOCKS_DIRECT BLOCKS
#define BLOCKS_WIDE(name, arrays, parameters, outputs)

#define REAL f32
#define BASE f32
#include "real.h"
#include "polynomials.h"
#include "exp.h"
#include "words.h"
#include "block.h"
#include "row.h"
#undef REAL
#undef BASE
#define REAL f64
#define BASE f64
#include "real.h"
#include "exp.h"
#include "words.h"
#include "block.h"
#include "row.h"
#include "sum.h"

/* The wide ones: as if there were no rounding but the last. */
#undef DIRECT_FORMULAS
#undef OF
#undef VALUE
#undef NUMBER_TYPE
#undef BLOCKS_DIRECT
#undef BLOCKS_WIDE
#define WIDE_FORMULAS
#define OF FN(of)
#define VALUE FN(value)
#define NUMBER_TYPE W
#define NUMBER(constant) FN(of)(C(constant))
#define W FN(w)
#define BLOCKS_DIRECT(name, arrays, parameters, outputs)
#define BLOCKS_WIDE BLOCKS

#undef REAL
#define REAL mid
#define WIDE_ARITHMETIC "mid.h"
#define TWO_PARTS 0
#include "real.h"
#include "exp.h"
#include "wide.h"
#include "block.h"
#include "sum.h"
#undef REAL
#undef WIDE_ARITHMETIC
#undef TWO_PARTS
#define REAL pair
#define WIDE_ARITHMETIC "pair.h"
#define TWO_PARTS 1
#include "real.h"
#include "wide.h"
#include "block.h"

#ifdef HAVE_TABLES
#include "tails.h"
#include "fitted.h"
#define N_FITTED (int)(sizeof fitted_kernels / sizeof *fitted_kernels)
#else
#define fitted_kernels NULL
#define N_FITTED 0
#endif

#define FLOAT_DIRECT(form, name) f32_##form##_##name
#define DOUBLE_DIRECT(form, name) f64_##form##_##name
#define FLOAT_WIDE(form, name) mid_##form##_##name
#define DOUBLE_WIDE(form, name) pair_##form##_##name
#define KERNEL(name, arrays, parameters, outputs, kind)                                                                      \
    {#name, arrays, parameters, outputs, FLOAT_##kind(uniform, name), FLOAT_##kind(general, name),                           \
     DOUBLE_##kind(uniform, name), DOUBLE_##kind(general, name)},
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
    fitted_kernels, N_FITTED, rows, (int)(sizeof rows / sizeof *rows), mid_sum_loop, f64_sum_loop,
};
