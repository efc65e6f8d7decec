/* The functions along an axis of one instruction set for float64. */
#include "unit.h"
#include "flags.h"

#define f64_KEEPS_ERROR 1
#include "math/double.h"

/* Where no |x| is larger, K = 0 will do: no exponential is subnormal, with the K of any such row, and no sum too large. That this is so is
 * found while the exponentials are taken, which then has to be done again by K: a look beforehand takes .02 ns an entry. */
#define MODERATE 350
/* K is that much less than would make the largest exponential 1: those of which something is left after the division by the sum are normal,
 * as they are with K = 0, whatever the weight (is_ordinary): the largest is at least 2^72.5, and 2^(-94 - 72.5) times 2^16 is less than 2^-150 and
 * rounds to 0; and 2^-32 over a sum of a million times 2^73 is normal (18 ULP of 2^-31's gradient went with 90). */
#define RAISED 200
/* The least power of two of an exponential: less is nothing over the sum, times any ordinary weight, but subnormal times what rounding
 * took off a factor, which is slow. */
#define LEAST_POWER -950
#define SMALL_FACTOR 0x1p-460

#include "rows/doubles.h"
#include "rows/family.h"
#include "rows/masked.h"
#include "rows/sparse.h"
#include "rows/loss.h"
#include "rows/sum.h"
#include "rows/table.h"
