/* The functions along an axis of one instruction set for float64. */
#include "unit.h"
#include "flags.h"

#define f64_KEEPS_ERROR 1
#include "math/double.h"

/* exponentials.h explains these powers of two. */
#define MODERATE_POWER 512
#define RAISED 200
#define LEAST_POWER -950
#define WIDE 0x1p960
#define SMALL_MEAN 0x1p-960

#include "rows/rows.h"
