/* The functions along an axis of one instruction set for float64. */
#include "unit.h"
#include "flags.h"

#define f64_KEEPS_ERROR 1
#include "math/double.h"

/* Where no |x| is larger, K may be 0: no exponential is subnormal and no sum overflows. We test it while we take the
 * exponentials, and take them again with another K where it fails. A test beforehand would be slower. */
#define MODERATE 350
/* We scale so that the largest exponential is 2^200, not 1. Every exponential that survives the division by the sum is then a
 * normal number, whatever the weight (is_ordinary). */
#define RAISED 200
/* The least power of two of an exponential. A smaller one, divided by the sum and times an ordinary weight, is 0. Times a
 * rounding error it would be subnormal, which is slow. */
#define LEAST_POWER -950
#define SMALL_FACTOR 0x1p-460

#include "rows/doubles.h"
#include "rows/family.h"
#include "rows/masked.h"
#include "rows/sparse.h"
#include "rows/loss.h"
#include "rows/sum.h"
#include "rows/table.h"
