/* The functions along an axis of one instruction set for float32. */
#include "unit.h"
#include "flags.h"

#define f64_KEEPS_ERROR 1
#include "math/float.h"

/* Where no |x| is larger, K may be 0: no exponential is subnormal and no sum overflows. We test it while we take the
 * exponentials, and take them again with another K where it fails. A test beforehand would be slower. */
#define MODERATE 43
/* We scale so that the largest exponential is 2^73, not 1. Every exponential that survives the division by the sum is then a
 * normal number, whatever the weight (is_ordinary). The largest is at least 2^72.5, and 2^(-94 - 72.5) times 2^16 is less than
 * 2^-150 and rounds to 0. The weight 2^-32 over a sum of a million times 2^73 is normal; with 90, the gradient of a weight 2^-31
 * was 18 ULP off. */
#define RAISED 73
/* The least power of two of an exponential. A smaller one, divided by the sum and times an ordinary weight, is 0. Times a
 * rounding error it would be subnormal, which is slow. */
#define LEAST_POWER -94
#define SMALL_FACTOR 0x1p-37 /* times e^-44 and 2^-25, a relative rounding error, it is above 2^-126 */

#include "rows/doubles.h"
#ifdef HAVE_SHORT_TABLE
#include "rows/float_exponentials.h"
#include "rows/float_logarithms.h"
#endif
#include "rows/family.h"
#include "rows/masked.h"
#include "rows/sparse.h"
#include "rows/loss.h"
#include "rows/sum.h"
#include "rows/table.h"
