/* The functions along an axis of one instruction set for float32. */
#include "unit.h"
#include "flags.h"

#define f64_KEEPS_ERROR 1
#include "math/float.h"
#define ROWS_OF_FLOATS /* T is float */

/* exponentials.h explains these powers of two. The weight 2^-32 over a sum of a million times 2^RAISED is
 * normal. */
#define MODERATE_POWER 64
#define RAISED 44
#define LEAST_POWER -125
#define WIDE 0x1p100
#define SMALL_MEAN 0x1p-99

#include "rows/rows.h"
