/* The declarations that the parts of the C core share. */
#ifndef FASTACT_H
#define FASTACT_H
#include <stddef.h>
#include <stdint.h>

enum { MAX_PARAMETERS = 7, MAX_ARRAYS = 4, MAX_INPUTS = MAX_ARRAYS + MAX_PARAMETERS, MAX_OUTPUTS = 3 };

/* A block computes out[0][i] = f(in[0][i], ..., parameter[0], ...) for i < n, where n is a multiple of the lanes. An output may
 * be one of the inputs. The type differs between float and double, so tables keep blocks as pointers of this type; the caller
 * casts them back. */
typedef void any_block(void);

/* One pass of one activation. `uniform` takes the parameters as numbers, `general` as arrays that follow the others; it is NULL
 * where there are no parameters. */
typedef struct {
    const char *name;
    int arrays, parameters, outputs;
    int memory_bound; /* whether a large array takes no longer than moving it does */
    int wide; /* whether the formula is a wide one */
    any_block *uniform, *general;
} Kernel;

/* A gated pair of the halves of rows of 2 count numbers; in[0] and in[1] are the halves of the first row, and count is a multiple
 * of the lanes. Only kernels of float have it. */
typedef void halves_block(const float *const *in, float *out, size_t rows, size_t count);

/* A faster form of a kernel, for its default parameters, whose `memory_bound` joins that of the kernel. `general` is NULL where
 * there are no parameters, `halves` where the public function splits no array. */
typedef struct {
    const char *name;
    int memory_bound;
    any_block *uniform, *general;
    halves_block *halves;
} Fitted;

/* The inner loop of a NumPy ufunc or gufunc. */
typedef void inner_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data);

/* The same for a part of a call, whose arrays have `whole` elements or rows. They decide what bypasses the caches. It returns
 * what went wrong: a target was not an index in range, or there was no memory for buffers; or 0. */
typedef int part_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data, size_t whole);
enum { OUT_OF_RANGE = 1, NO_MEMORY = 2 };

/* The same of a function along an axis; `data` is its RowKernel, and `all_rows` are those of the whole call. */
typedef int row_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, const void *data, size_t all_rows);

/* One function along an axis, with the signature of its gufunc. In a signature "f" is the float of the loop, "d" a double, "q" an
 * int64 and "?" a bool, as in fastact/numpy_backend/evaluators.py. */
typedef struct {
    const char *name, *signature;
    row_loop *loop;
    int what; /* which of the functions of the loop this is */
} RowKernel;

/* Whether one of n numbers is less than `low` or more than `high`. NaN is neither. */
typedef int comparison(const void *numbers, size_t n, double low, double high);

/* The `data` of the elementwise loop: the blocks of one kernel. `stream` is NULL where its results are never streamed. */
typedef struct {
    int arrays, parameters, outputs, lanes;
    any_block *uniform, *general, *stream;
    halves_block *halves; /* or NULL */
    comparison *out_of_range;
} Elementwise;

/* All kernels of one instruction set in one precision. A row without a name ends each table. `stream` is a function that applies
 * a block and writes its results past the caches; NULL where the set has no such stores. */
typedef struct {
    int lanes;
    comparison *out_of_range;
    any_block *stream;
    const Kernel *kernels;
    const Fitted *fitted;
} Kernels;

/* A type of half precision: its conversions to float32 and back, for n elements */
typedef struct {
    void (*widen)(const uint16_t *from, float *to, size_t n);
    void (*narrow)(const float *from, uint16_t *to, size_t n);
} HalfType;

enum { FLOAT16, BFLOAT16, HALF_TYPES };

/* The `data` of the loop in half precision: the loop of float32 that it calls, and the data of that. Bit k of `halves` says whether operand k is of
 * half precision, bit k of `cores` whether it has the axis. */
typedef struct {
    part_loop *loop;
    void *data;
    const HalfType *type;
    int inputs, operands;
    unsigned halves, cores;
} HalfLoop;

typedef struct {
    const char *name;
    const Kernels *of_float, *of_double;
    const RowKernel *rows_of_float, *rows_of_double;
    const HalfType *half_types; /* HALF_TYPES of them */
} InstructionSet;

/* elementwise/loop.c: the loops of all elementwise kernels */
part_loop fastact_float_loop, fastact_double_loop;

/* half/loop.c: the loop in half precision of any ufunc or gufunc */
part_loop fastact_half_loop;

/* dispatch.c: the digest of the formulas that were compiled; and the sets that can run here, best first. NULL ends the list. */
extern const char fastact_formulas[];
const InstructionSet *const *fastact_instruction_sets(void);
#endif
