/* The names under which words.h, elementwise/ and rows/ use the operations of float32; double.h has those of float64.
 * src_c/README.md says what each operation does. */
#include "math/constants.h"
#include "math/exp.h"

typedef float T; /* a number */
typedef f32_v V; /* a vector of them */
typedef f32_m M; /* true or false for each lane of a vector */
enum { LANES = f32_lanes };
#define C(constant) f32_set((T)(constant)) /* a number in every lane */
#define LOAD f32_load
#define STORE f32_store
#define UNMASKED f32_unmasked
#define FMA f32_fma /* a * b + c; rounded once where HAVE_FMA */
#define MIN f32_min /* the second operand where either is NaN */
#define MAX f32_max
#define ABS f32_abs
#define SQRT f32_sqrt
#define WITH_SIGN f32_with_sign
#define GT f32_gt
#define GE f32_ge
#define SELECT f32_select
#define IS_NAN f32_nan
#define ANY f32_any
#define POW2 f32_pow2
#define SCALE f32_scale
#define EXPONENT f32_exponent
#define SUM_OF_LANES f32_sum
#define LARGEST_LANE f32_largest
#define PICK f32_pick
#define KEPT f32_kept
#define FIRST f32_first
#define LOAD_SOME f32_load_some
#define STORE_SOME f32_store_some
#define STREAM f32_stream
#define FOLD f32_fold
#define PERMUTE f32_permute
#define NEIGHBOURS f32_neighbours
#define BLEND f32_blend
#define FIRST_HALF f32_first_half
#define SECOND_HALF f32_second_half
#define EXP f32_exp
#define EXPM1 f32_expm1
#define EXPM1_REMAINDER f32_expm1_remainder
#define EXPM1_PARTS f32_expm1_parts
#define SCALED f32_scaled
#define ROUNDER f32_ROUNDER
#define LOG2E f32_LOG2E
#define EXP_LOW f32_EXP_LOW
#define EXPM1_LOW f32_EXPM1_LOW
#define MAX_EXPONENT f32_MAX_EXPONENT
#define LOAD_DOUBLES f64_load_floats /* numbers of the precision as a vector of doubles */
#define STORE_DOUBLES f64_store_floats
#define LT(a, b) GT(b, a)
#define LE(a, b) GE(b, a)

/* 2^(k + LIFT) is normal for every k down to EXP_LOW / ln 2. A product with LOWER = 2^-LIFT takes the lift back, rounded once. */
#define LIFT 26
#define LOWER 0x1p-26

/* Some sets have these for floats alone. */
#ifdef TURNS_f32
#define TURNS
#endif
#ifdef HELD_f32
#define HELD_VECTORS HELD_f32
#endif
#ifdef LOOKUPS_f32
#define LOOKUPS LOOKUPS_f32 /* entries of a table */
#define LOOKUP f32_lookup
#define LOOKUP_SCALED f32_lookup_scaled
#define OR_DIFFERENT f32_or_different
#define ANY_BIT f32_any_bit
#define POWERS_ERROR f32_powers_error
#define POWERS_BITS f32_powers_bits
#define MODERATE_BITS f32_moderate_bits
#define POWER_Q f32_power_q
#endif
