/* The functions along an axis, with the signatures of their gufuncs. api.h says what the letters mean. */
#define MASKING ",d(),d(),q(),?(n)" /* scale, sink, limit, mask */
#define FAMILY(name, signature, what) {name, signature, softmax_family_loop, what, NULL}
#define LOSS_OF_INDICES(name, signature, what) {name, signature, cross_entropy_loop, what, cross_entropy_part}
#define LOSS_OF_DISTRIBUTIONS(name, signature, what) \
    {name, signature, cross_entropy_loop, DISTRIBUTION | what, NULL}
const RowKernel TABLE[] = {
    FAMILY("softmax", "f(n)->f(n)", SOFTMAX),
    FAMILY("softmax_backward", "f(n),f(n)->f(n)", SOFTMAX_BACKWARD),
    FAMILY("softmax_backward_from_output", "f(n),f(n)->f(n)", SOFTMAX_FROM_OUTPUT),
    FAMILY("log_softmax", "f(n)->f(n)", LOG_SOFTMAX),
    FAMILY("log_softmax_backward", "f(n),f(n)->f(n)", LOG_SOFTMAX_BACKWARD),
    FAMILY("log_softmax_backward_from_output", "f(n),f(n)->f(n)", LOG_SOFTMAX_FROM_OUTPUT),
    FAMILY("logsumexp", "f(n)->f()", LOGSUMEXP),
    FAMILY("logsumexp_backward", "f(),f(n)->f(n)", WEIGHTED),
    FAMILY("softmax_masked", "f(n)" MASKING "->f(n)", OPTIONED | SOFTMAX),
    FAMILY("softmax_masked_backward", "f(n),f(n)" MASKING "->f(n)", OPTIONED | SOFTMAX_BACKWARD),
    FAMILY("softmax_masked_backward_from_output", "f(n),f(n)" MASKING "->f(n)",
           OPTIONED | SOFTMAX_FROM_OUTPUT),
    FAMILY("log_softmax_masked", "f(n)" MASKING "->f(n)", OPTIONED | LOG_SOFTMAX),
    FAMILY("log_softmax_masked_backward", "f(n),f(n)" MASKING "->f(n)", OPTIONED | LOG_SOFTMAX_BACKWARD),
    FAMILY("log_softmax_masked_backward_from_output", "f(n),f(n)" MASKING "->f(n)",
           OPTIONED | LOG_SOFTMAX_FROM_OUTPUT),
    FAMILY("logsumexp_masked", "f(n)" MASKING "->f()", OPTIONED | LOGSUMEXP),
    FAMILY("logsumexp_masked_backward", "f(),f(n)" MASKING "->f(n)", OPTIONED | WEIGHTED),
    LOSS_OF_INDICES("cross_entropy", "f(n),q(),d()->f()", WITH_LOSS),
    LOSS_OF_INDICES("cross_entropy_backward", "f(),f(n),q(),d()->f(n)", WITH_GRADIENT),
    LOSS_OF_INDICES("cross_entropy_both", "f(),f(n),q(),d()->f(),f(n)", WITH_BOTH),
    LOSS_OF_DISTRIBUTIONS("cross_entropy_distribution", "f(n),f(n),d()->f()", WITH_LOSS),
    LOSS_OF_DISTRIBUTIONS("cross_entropy_distribution_backward", "f(),f(n),f(n),d()->f(n)", WITH_GRADIENT),
    LOSS_OF_DISTRIBUTIONS("cross_entropy_distribution_both", "f(),f(n),f(n),d()->f(),f(n)", WITH_BOTH),
    {"hardmax", "f(n)->f(n)", hardmax_loop, 0, NULL},
    {"sparsemax", "f(n)->f(n)", sparsemax_loop, 0, NULL},
    {"sparsemax_backward", "f(n),f(n)->f(n)", sparsemax_backward_loop, 0, NULL},
    {"sparsemax_backward_from_output", "f(n),f(n)->f(n)", sparsemax_backward_from_output_loop, 0, NULL},
    {"entmax15", "f(n)->f(n)", entmax15_loop, 0, NULL},
    {"entmax15_backward", "f(n),f(n)->f(n)", entmax15_backward_loop, 0, NULL},
    {"entmax15_backward_from_output", "f(n),f(n)->f(n)", entmax15_backward_from_output_loop, 0, NULL},
    {"sum", "f(n)->d()", sum_loop, 0, NULL},
    {0},
};
