/* What the parts of the C core know of one another. */
#ifndef FASTACT_H
#define FASTACT_H
#include <stddef.h>
#include <stdint.h>

enum { MAX_PARAMETERS = 7, MAX_ARRAYS = 4, MAX_INPUTS = MAX_ARRAYS + MAX_PARAMETERS, MAX_OUTPUTS = 3 };

/* One function of arrays of floats, or of doubles: out[0][i] = f(in[0][i], ..., parameter[0], ...) for i < n, a multiple of the
 * lanes. An output may be one of the inputs. Blocks are kept as pointers of this type and called as what they are. */
typedef void any_block(void);

/* One pass of one activation. `uniform` takes the parameters as numbers, `general` as arrays that follow the others. */
typedef struct {
    const char *name;
    int arrays, parameters, outputs;
    any_block *uniform, *general;
} Kernel;

/* A faster form of a kernel, for its default parameters. `general` is NULL where there are none. */
typedef struct {
    const char *name;
    any_block *uniform, *general;
} Fitted;

/* The inner loop of a NumPy ufunc or gufunc. */
typedef void inner_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data);

/* What mean_of_losses tells the loop of a loss, which sees one block of rows at a time, and what the loop tells it */
typedef struct {
    intptr_t rows; /* in all blocks */
    int wrong; /* whether a target was no index in range */
} LossCall;

/* One function along an axis, with the signature of its gufunc. In it "f" is the float of the loop, "d" a double, "q" an int64
 * and "?" a bool, as in fastact/rows.py. */
typedef struct {
    const char *name, *signature;
    inner_loop *loop;
} RowKernel;

/* What the elementwise loop gets as `data`: the blocks of one kernel. */
typedef struct {
    int arrays, parameters, outputs, lanes;
    any_block *uniform, *general;
} Elementwise;

/* All kernels of one instruction set in one precision. The tables end with a row without a name. */
typedef struct {
    int lanes;
    const Kernel *kernels;
    const Fitted *fitted;
} Kernels;

typedef struct {
    const char *name;
    const Kernels *of_float, *of_double;
    const RowKernel *rows_of_float, *rows_of_double;
} InstructionSet;

/* elementwise/loop.h: the loops of all elementwise kernels */
inner_loop fastact_float_loop, fastact_double_loop;

/* dispatch.c: the sets that this processor and operating system can run, best first, ended by NULL */
const InstructionSet *const *fastact_instruction_sets(void);
#endif
