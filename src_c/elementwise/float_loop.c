/* The elementwise inner loop for float. */
typedef float T;
#include "elementwise/loop.h"

void fastact_float_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    elementwise_loop(args, dimensions, steps, data);
}
