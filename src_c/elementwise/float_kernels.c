/* The elementwise kernels of one instruction set for float32. */
#include "unit.h"
#include "coefficients.h"
#include "math/float.h"
#include "math/words.h"
#include "math/float_wide.h"
#include "math/wide.h"
#include "elementwise/blocks.h"
#include "formulas.h"

#ifdef HAVE_TABLES
#include "fitted/fitted.h"
#else
static const Fitted fitted_kernels[] = {{0}};
#endif

const Kernels TABLE = {LANES, out_of_range, STREAM_BLOCK, kernels, fitted_kernels};
