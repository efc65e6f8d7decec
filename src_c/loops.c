/* The elementwise inner loops, for both precisions; compiled once, for the baseline. */
#include "fastact.h"
#include "flags.h"

#define REAL f32
#define BASE f32
#include "real.h"
#include "loop.h"
#undef REAL
#undef BASE
#define REAL f64
#define BASE f64
#include "real.h"
#include "loop.h"
