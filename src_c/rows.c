/* The row functions of one instruction set: compiled once for each, as kernels.c is. */
#include "core.h"
#include "flags.h"

#define COEFFICIENTS
#include "formulas.h"
#undef COEFFICIENTS

/* The bound of a softmax is made up of the errors of two exponentials and of a sum: each must be small. */
#define f64_CARRIES_REST 1

/* Where no |x| is larger, K = 0 will do: no exponential is subnormal, with the K of any such row, and no sum too large. That this is so is
 * found while the exponentials are taken, which then has to be done again by K: a look beforehand takes .02 ns an entry. */
#define f32_MODERATE 43
#define f64_MODERATE 350

#define REAL f64
#define BASE f64
#include "real.h"
#include "polynomials.h"
#include "exp.h"
static inline f64_v f64_exp_by(f64_v x, f64_v by);
#define f64_double_exp_by f64_exp_by
#include "row.h"
#include "row_masked.h"
#include "row_sparse.h"
#include "row_loss.h"
#include "sum.h"
#undef REAL
#define REAL mid
#include "real.h"
#include "exp.h"
#include "sum.h"
#ifndef HAVE_SHORT_TABLE /* else logarithms are taken in pairs of floats */
static inline f64_v f32_double_exp_by(f64_v x, f64_v by) {
    f64_v k, whole, t = mid_expm1_remainder(x, &k, &whole);
    return mid_scaled(f64_set(1) + t, k - by);
}
#endif
#undef REAL
#undef BASE
#define REAL f32
#define BASE f32
#include "real.h"
#include "exp.h"
#ifdef HAVE_SHORT_TABLE
#include "row_exp.h"
#include "row_log_pairs.h"
#endif
#include "row.h"
#include "row_masked.h"
#include "row_sparse.h"
#include "row_loss.h"

#define MASKING ",d(),d(),q(),?(n)" /* scale, sink, limit, mask */
#define ROW(name, signature) {#name, signature, f32_##name##_loop, f64_##name##_loop}
const RowKernel SET(fastact_rows)[] = {
    ROW(softmax, "f(n)->f(n)"),
    ROW(softmax_backward, "f(n),f(n)->f(n)"),
    ROW(softmax_backward_from_output, "f(n),f(n)->f(n)"),
    ROW(log_softmax, "f(n)->f(n)"),
    ROW(log_softmax_backward, "f(n),f(n)->f(n)"),
    ROW(log_softmax_backward_from_output, "f(n),f(n)->f(n)"),
    ROW(logsumexp, "f(n)->f()"),
    ROW(logsumexp_backward, "f(),f(n)->f(n)"),
    ROW(softmax_masked, "f(n)" MASKING "->f(n)"),
    ROW(softmax_masked_backward, "f(n),f(n)" MASKING "->f(n)"),
    ROW(softmax_masked_backward_from_output, "f(n),f(n)" MASKING "->f(n)"),
    ROW(log_softmax_masked, "f(n)" MASKING "->f(n)"),
    ROW(log_softmax_masked_backward, "f(n),f(n)" MASKING "->f(n)"),
    ROW(log_softmax_masked_backward_from_output, "f(n),f(n)" MASKING "->f(n)"),
    ROW(logsumexp_masked, "f(n)" MASKING "->f()"),
    ROW(logsumexp_masked_backward, "f(),f(n)" MASKING "->f(n)"),
    ROW(hardmax, "f(n)->f(n)"),
    ROW(sparsemax, "f(n)->f(n)"),
    ROW(sparsemax_backward, "f(n),f(n)->f(n)"),
    ROW(sparsemax_backward_from_output, "f(n),f(n)->f(n)"),
    ROW(entmax15, "f(n)->f(n)"),
    ROW(entmax15_backward, "f(n),f(n)->f(n)"),
    ROW(entmax15_backward_from_output, "f(n),f(n)->f(n)"),
    ROW(cross_entropy, "f(n),q(),d()->f()"),
    ROW(cross_entropy_backward, "f(),f(n),q(),d()->f(n)"),
    ROW(cross_entropy_both, "f(),f(n),q(),d()->f(),f(n)"),
    ROW(cross_entropy_distribution, "f(n),f(n),d()->f()"),
    ROW(cross_entropy_distribution_backward, "f(),f(n),f(n),d()->f(n)"),
    ROW(cross_entropy_distribution_both, "f(),f(n),f(n),d()->f(),f(n)"),
    {"sum", "f(n)->d()", mid_sum_loop, f64_sum_loop},
    {0},
};
