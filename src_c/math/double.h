/* The names under which words.h, elementwise/ and rows/ use the operations of float64; float.h has those of float32.
 * src_c/README.md says what each operation does. */
#include "math/constants.h"
#include "math/exp.h"

typedef double T; /* a number */
typedef f64_v V; /* a vector of them */
typedef f64_m M; /* true or false for each lane of a vector */
enum { LANES = f64_lanes };
#define C(constant) f64_set((T)(constant)) /* a number in every lane */
#define LOAD f64_load
#define STORE f64_store
#define UNMASKED f64_unmasked
#define FMA f64_fma /* a * b + c; rounded once where HAVE_FMA */
#define MIN f64_min /* the second operand where either is NaN */
#define MAX f64_max
#define ABS f64_abs
#define SQRT f64_sqrt
#define WITH_SIGN f64_with_sign
#define GT f64_gt
#define GE f64_ge
#define SELECT f64_select
#define IS_NAN f64_nan
#define ANY f64_any
#define POW2 f64_pow2
#define SCALE f64_scale
#define EXPONENT f64_exponent
#define SUM_OF_LANES f64_sum
#define LARGEST_LANE f64_largest
#define PICK f64_pick
#define KEPT f64_kept
#define FIRST f64_first
#define LOAD_SOME f64_load_some
#define STORE_SOME f64_store_some
#define STREAM f64_stream
#define FOLD f64_fold
#define PERMUTE f64_permute
#define FIRST_HALF(a) (a)
#define SECOND_HALF(a) f64_set(0)
#define EXP f64_exp
#define EXPM1 f64_expm1
#define EXPM1_REMAINDER f64_expm1_remainder
#define EXPM1_PARTS f64_expm1_parts
#define SCALED f64_scaled
#define ROUNDER f64_ROUNDER
#define LOG2E f64_LOG2E
#define EXP_LOW f64_EXP_LOW
#define EXPM1_LOW f64_EXPM1_LOW
#define MAX_EXPONENT f64_MAX_EXPONENT
#define LOAD_DOUBLES f64_load /* numbers of the precision as a vector of doubles */
#define STORE_DOUBLES f64_store
#define LT(a, b) GT(b, a)
#define LE(a, b) GE(b, a)

/* 2^(k + LIFT) is normal for every k down to EXP_LOW / ln 2. A product with LOWER = 2^-LIFT takes the lift back, rounded once. */
#define LIFT 54
#define LOWER 0x1p-54
#ifdef LOOKUPS_f64
#define LOOKUPS LOOKUPS_f64 /* entries of a table */
#define LOOKUP f64_lookup
#define LOOKUP_SCALED f64_lookup_scaled
#define OR_DIFFERENT f64_or_different
#define ANY_BIT f64_any_bit
#define POWERS_ERROR f64_powers_error
#define POWERS_BITS f64_powers_bits
#define MODERATE_BITS f64_moderate_bits
#define POWER_Q f64_power_q
#endif
