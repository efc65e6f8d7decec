/* The elementwise inner loop for double. */
typedef double T;
#include "elementwise/loop.h"

void fastact_double_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    elementwise_loop(args, dimensions, steps, data);
}
