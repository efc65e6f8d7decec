/* What the parts of the C core know of one another. */
#ifndef FASTACT_H
#define FASTACT_H
#include <stddef.h>
#include <stdint.h>

enum { MAX_PARAMETERS = 7, MAX_ARRAYS = 4, MAX_INPUTS = MAX_ARRAYS + MAX_PARAMETERS, MAX_OUTPUTS = 3 };

/* out[0][i] = f(in[0][i], ..., parameter[0], ...) for i < n, a multiple of the lanes; an output may be one of the inputs. */
typedef void f32_block(const float *const *in, const float *parameter, float *const *out, size_t n);
typedef void f64_block(const double *const *in, const double *parameter, double *const *out, size_t n);

/* One pass of one activation. `uniform_*` takes the parameters as numbers, `general_*` as arrays after the others. */
typedef struct {
    const char *name;
    int arrays, parameters, outputs;
    f32_block *uniform_f32, *general_f32;
    f64_block *uniform_f64, *general_f64;
} Kernel;

/* A faster float32 form of a kernel, for its default parameters; `general` is NULL where there are none. */
typedef struct {
    const char *name;
    f32_block *block, *general;
} Fitted;

/* The inner loop of a NumPy ufunc or gufunc. */
typedef void inner_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data);

/* What mean_of_losses tells the loop of a loss, which sees one block of rows at a time, and what the loop tells it */
typedef struct {
    intptr_t rows; /* in all blocks */
    int wrong; /* whether a target was no index in range */
} LossCall;

/* One function along an axis, with the signature of its gufunc, in which "f" is the float of the loop, "d" a double, "q" an int64 and
 * "?" a bool, as in fastact/row_evaluators.py. */
typedef struct {
    const char *name, *signature;
    inner_loop *loop_f32, *loop_f64;
} RowKernel;

/* All kernels of one instruction set. */
typedef struct {
    const char *name;
    int lanes_f32, lanes_f64;
    const Kernel *kernels;
    int n_kernels;
    const Fitted *fitted;
    int n_fitted;
    const RowKernel *rows; /* ended by one without a name */
} InstructionSet;

/* What the elementwise loops get as `data`: the blocks of one kernel for one precision. */
typedef void any_block(void);
typedef struct {
    int arrays, parameters, outputs, lanes;
    any_block *uniform, *general;
} Elementwise;

/* dispatch.c: the sets that this processor and operating system can run, best first, ended by NULL */
const InstructionSet *const *fastact_instruction_sets(void);

/* loops.c */
inner_loop fastact_loop_f32, fastact_loop_f64;
#endif
