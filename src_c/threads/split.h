/* The loop that NumPy calls. It shares the work of large calls among threads. */
#ifndef FASTACT_SPLIT_H
#define FASTACT_SPLIT_H
#include "api.h"

/* The `data` of the loop: another loop and its data, and what must be known of a ufunc to call that for parts of its arrays. */
typedef struct {
    part_loop *loop;
    void *data;
    int inputs, outputs;
    int rows; /* whether it is a gufunc, with one core dimension */
    uint32_t cost; /* the picoseconds of an element, about */
    unsigned char size[MAX_INPUTS + MAX_OUTPUTS]; /* the bytes of an element */
    unsigned char core[MAX_INPUTS + MAX_OUTPUTS]; /* whether the operand has the core dimension */
} Threaded;

inner_loop fastact_threaded_loop;

/* Set a MemoryError; _core.pyx has it. It is called on the thread of the call. */
extern void (*fastact_no_memory)(void);

/* The loop of rows as a part_loop, whose data is its RowKernel. */
part_loop fastact_row_loop;
#endif
