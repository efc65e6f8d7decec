/* The elementwise kernels of one instruction set for float64. */
#include "unit.h"
#include "coefficients.h"
#include "math/double.h"
#include "math/words.h"
#include "math/double_wide.h"
#include "math/wide.h"
#include "elementwise/blocks.h"
#include "formulas.h"

static const Fitted fitted_kernels[] = {{0}}; /* tables serve floats alone */

const Kernels TABLE = {LANES, out_of_range, STREAM_BLOCK, kernels, fitted_kernels};
