/* Made by `python src_c/fit`; do not edit. */

static void sigmoid_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_sigmoid, TAIL_sigmoid, NULL, 0}, in, parameter, out, n);
}

static void sigmoid_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_sigmoid_backward, TAIL_sigmoid_backward, NULL, 1}, in, parameter, out, n);
}

static void tanh_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_tanh, TAIL_none, tanh_uniform, 0}, in, parameter, out, n);
}

static void tanh_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_tanh_backward, TAIL_tanh_backward, NULL, 1}, in, parameter, out, n);
}

static void elu_fitted_standard(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_elu, TAIL_none, elu_uniform, 0}, in, parameter, out, n);
}

static void elu_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const float standard = 0x1.0000000000000p+0f;
    if (memcmp(parameter, &standard, sizeof standard) != 0)
        elu_uniform(in, parameter, out, n);
    else
        elu_fitted_standard(in, parameter, out, n);
}

static void elu_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    fitted_general(1, 0x1.0000000000000p+0f, elu_fitted, elu_general, in, out, n);
}

static void elu_backward_fitted_standard(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_elu_backward, TAIL_elu_backward, NULL, 1}, in, parameter, out, n);
}

static void elu_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const float standard = 0x1.0000000000000p+0f;
    if (memcmp(parameter, &standard, sizeof standard) != 0)
        elu_backward_uniform(in, parameter, out, n);
    else
        elu_backward_fitted_standard(in, parameter, out, n);
}

static void elu_backward_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    fitted_general(2, 0x1.0000000000000p+0f, elu_backward_fitted, elu_backward_general, in, out, n);
}

static void selu_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_selu, TAIL_none, selu_uniform, 0}, in, parameter, out, n);
}

static void selu_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_selu_backward, TAIL_selu_backward, NULL, 1}, in, parameter, out, n);
}

static void gelu_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_gelu, TAIL_none, gelu_outside, 0}, in, parameter, out, n);
}

static void gelu_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_gelu_backward, TAIL_none, gelu_backward_outside, 1}, in, parameter, out, n);
}

static void gelu_tanh_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_gelu_tanh, TAIL_none, gelu_tanh_outside, 0}, in, parameter, out, n);
}

static void gelu_tanh_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_gelu_tanh_backward, TAIL_none, gelu_tanh_backward_outside, 1}, in, parameter, out, n);
}

static void quick_gelu_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_quick_gelu, TAIL_quick_gelu, NULL, 0}, in, parameter, out, n);
}

static void quick_gelu_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_quick_gelu_backward, TAIL_quick_gelu_backward, NULL, 1}, in, parameter, out, n);
}

static void silu_fitted_standard(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_silu, TAIL_silu, NULL, 0}, in, parameter, out, n);
}

static void silu_composed(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    fitted_general(1, 0x1.0000000000000p+0f, silu_fitted_standard, silu_general, in, out, n);
}

static void silu_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const float standard = 0x1.0000000000000p+0f;
    if (memcmp(parameter, &standard, sizeof standard) != 0)
        scaled_block(1, BY_RATE, (Output){FIT_silu, TAIL_none, silu_composed, 0}, in, parameter, out, n);
    else
        silu_fitted_standard(in, parameter, out, n);
}

static void silu_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    scaled_block(1, BY_RATE, (Output){FIT_silu, TAIL_none, silu_composed, 0}, in, NULL, out, n);
}

static void silu_backward_fitted_standard(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_silu_backward, TAIL_silu_backward, NULL, 1}, in, parameter, out, n);
}

static void silu_backward_composed(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    fitted_general(2, 0x1.0000000000000p+0f, silu_backward_fitted_standard, silu_backward_general, in, out, n);
}

static void silu_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const float standard = 0x1.0000000000000p+0f;
    if (memcmp(parameter, &standard, sizeof standard) != 0)
        scaled_block(2, BY_RATE, (Output){FIT_silu_backward, TAIL_none, silu_backward_composed, 1}, in, parameter, out, n);
    else
        silu_backward_fitted_standard(in, parameter, out, n);
}

static void silu_backward_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    scaled_block(2, BY_RATE, (Output){FIT_silu_backward, TAIL_none, silu_backward_composed, 1}, in, NULL, out, n);
}

static void mish_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_mish, TAIL_mish, NULL, 0}, in, parameter, out, n);
}

static void mish_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_mish_backward, TAIL_mish_backward, NULL, 1}, in, parameter, out, n);
}

static void softplus_fitted_standard(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_softplus, TAIL_softplus, NULL, 0}, in, parameter, out, n);
}

static void softplus_composed(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    fitted_general(1, 0x1.0000000000000p+0f, softplus_fitted_standard, softplus_general, in, out, n);
}

static void softplus_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const float standard = 0x1.0000000000000p+0f;
    if (memcmp(parameter, &standard, sizeof standard) != 0)
        scaled_block(1, BY_RATE, (Output){FIT_softplus, TAIL_none, softplus_composed, 0}, in, parameter, out, n);
    else
        softplus_fitted_standard(in, parameter, out, n);
}

static void softplus_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    scaled_block(1, BY_RATE, (Output){FIT_softplus, TAIL_none, softplus_composed, 0}, in, NULL, out, n);
}

static void log_sigmoid_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_log_sigmoid, TAIL_log_sigmoid, NULL, 0}, in, parameter, out, n);
}

static void log_sigmoid_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_log_sigmoid_backward, TAIL_log_sigmoid_backward, NULL, 1}, in, parameter, out, n);
}

static void tanh_shrink_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_tanh_shrink, TAIL_none, tanh_shrink_uniform, 0}, in, parameter, out, n);
}

static void tanh_shrink_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_tanh_shrink_backward, TAIL_none, tanh_shrink_backward_uniform, 1}, in, parameter, out, n);
}

static void squareplus_fitted_standard(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_squareplus, TAIL_none, squareplus_uniform, 0}, in, parameter, out, n);
}

static void squareplus_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const float standard = 0x1.0000000000000p+2f;
    if (memcmp(parameter, &standard, sizeof standard) != 0)
        squareplus_uniform(in, parameter, out, n);
    else
        squareplus_fitted_standard(in, parameter, out, n);
}

static void squareplus_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    fitted_general(1, 0x1.0000000000000p+2f, squareplus_fitted, squareplus_general, in, out, n);
}

static void squareplus_backward_fitted_standard(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_squareplus_backward, TAIL_none, squareplus_backward_uniform, 1}, in, parameter, out, n);
}

static void squareplus_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const float standard = 0x1.0000000000000p+2f;
    if (memcmp(parameter, &standard, sizeof standard) != 0)
        squareplus_backward_uniform(in, parameter, out, n);
    else
        squareplus_backward_fitted_standard(in, parameter, out, n);
}

static void squareplus_backward_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    fitted_general(2, 0x1.0000000000000p+2f, squareplus_backward_fitted, squareplus_backward_general, in, out, n);
}

static void serf_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_serf, TAIL_serf, NULL, 0}, in, parameter, out, n);
}

static void serf_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_serf_backward, TAIL_serf_backward, NULL, 1}, in, parameter, out, n);
}

static void logish_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_logish, TAIL_logish, NULL, 0}, in, parameter, out, n);
}

static void logish_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_logish_backward, TAIL_logish_backward, NULL, 1}, in, parameter, out, n);
}

static void snake_fitted_standard(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_snake, TAIL_none, snake_uniform, 0}, in, parameter, out, n);
}

static void snake_composed(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    fitted_general(1, 0x1.0000000000000p+0f, snake_fitted_standard, snake_general, in, out, n);
}

static void snake_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const float standard = 0x1.0000000000000p+0f;
    if (memcmp(parameter, &standard, sizeof standard) != 0)
        scaled_block(1, BY_RATE, (Output){FIT_snake, TAIL_none, snake_composed, 0}, in, parameter, out, n);
    else
        snake_fitted_standard(in, parameter, out, n);
}

static void snake_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    scaled_block(1, BY_RATE, (Output){FIT_snake, TAIL_none, snake_composed, 0}, in, NULL, out, n);
}

static void logit_fitted_standard(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_logit, TAIL_none, logit_outside, 0}, in, parameter, out, n);
}

static void logit_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const float standard = NAN_VALUE;
    if (memcmp(parameter, &standard, sizeof standard) != 0)
        logit_uniform(in, parameter, out, n);
    else
        logit_fitted_standard(in, parameter, out, n);
}

static void logit_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    fitted_general(1, NAN_VALUE, logit_fitted, logit_general, in, out, n);
}

static void lisht_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_lisht, TAIL_none, lisht_uniform, 0}, in, parameter, out, n);
}

static void lisht_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_lisht_backward, TAIL_none, lisht_backward_uniform, 1}, in, parameter, out, n);
}

static void celu_fitted_standard(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 1, 0, (Output){FIT_elu, TAIL_none, celu_uniform, 0}, in, parameter, out, n);
}

static void celu_composed(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    fitted_general(1, 0x1.0000000000000p+0f, celu_fitted_standard, celu_general, in, out, n);
}

static void celu_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const float standard = 0x1.0000000000000p+0f;
    if (memcmp(parameter, &standard, sizeof standard) != 0)
        scaled_block(1, BY_SCALE, (Output){FIT_elu, TAIL_none, celu_composed, 0}, in, parameter, out, n);
    else
        celu_fitted_standard(in, parameter, out, n);
}

static void celu_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    scaled_block(1, BY_SCALE, (Output){FIT_elu, TAIL_none, celu_composed, 0}, in, NULL, out, n);
}

static void celu_backward_fitted_standard(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_elu_backward, TAIL_elu_backward, NULL, 1}, in, parameter, out, n);
}

static void celu_backward_composed(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    fitted_general(2, 0x1.0000000000000p+0f, celu_backward_fitted_standard, celu_backward_general, in, out, n);
}

static void celu_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const float standard = 0x1.0000000000000p+0f;
    if (memcmp(parameter, &standard, sizeof standard) != 0)
        scaled_block(2, BY_SCALE, (Output){FIT_elu_backward, TAIL_none, celu_backward_composed, 1}, in, parameter, out, n);
    else
        celu_backward_fitted_standard(in, parameter, out, n);
}

static void celu_backward_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    scaled_block(2, BY_SCALE, (Output){FIT_elu_backward, TAIL_none, celu_backward_composed, 1}, in, NULL, out, n);
}

static void softplus_backward_fitted_standard(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(ONE, 2, 1, (Output){FIT_sigmoid, TAIL_sigmoid, NULL, 1}, in, parameter, out, n);
}

static void softplus_backward_composed(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    fitted_general(2, 0x1.0000000000000p+0f, softplus_backward_fitted_standard, softplus_backward_general, in, out, n);
}

static void softplus_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const float standard = 0x1.0000000000000p+0f;
    if (memcmp(parameter, &standard, sizeof standard) != 0)
        scaled_block(2, BY_RATE, (Output){FIT_sigmoid, TAIL_none, softplus_backward_composed, 1}, in, parameter, out, n);
    else
        softplus_backward_fitted_standard(in, parameter, out, n);
}

static void softplus_backward_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    scaled_block(2, BY_RATE, (Output){FIT_sigmoid, TAIL_none, softplus_backward_composed, 1}, in, NULL, out, n);
}

static void glu_halves(const float *const *in, float *out, size_t rows, size_t count) {
    fitted_halves(1, (Output){FIT_sigmoid, TAIL_sigmoid, NULL, 1}, in, out, rows, count);
}

static void glu_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    glu_halves(in, out[0], 1, n);
}

static void swiglu_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(GATED_PAIR, 2, 0, (Output){FIT_silu, TAIL_silu, NULL, 2}, in, parameter, out, n);
}

static void geglu_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(GATED_PAIR, 2, 0, (Output){FIT_gelu, TAIL_none, geglu_outside, 2}, in, parameter, out, n);
}

static void geglu_tanh_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(GATED_PAIR, 2, 0, (Output){FIT_gelu_tanh, TAIL_none, geglu_tanh_outside, 2}, in, parameter, out, n);
}

static void glu_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(SIGMOID_SLOPES, 3, 2, (Output){sigmoid_tail_fit(), TAIL_none, glu_backward_uniform, 0}, in, parameter, out, n);
}

static void swiglu_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(GATE_SLOPES, 3, 1, (Output){FIT_swiglu_backward, TAIL_none, swiglu_backward_uniform, 0}, in, parameter, out, n);
}

static void geglu_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(GATE_SLOPES, 3, 1, (Output){FIT_geglu_backward, TAIL_none, geglu_backward_outside, 0}, in, parameter, out, n);
}

static void geglu_tanh_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    fitted_block(GATE_SLOPES, 3, 1, (Output){FIT_geglu_tanh_backward, TAIL_none, geglu_tanh_backward_outside, 0}, in, parameter, out, n);
}

static const Fitted fitted_kernels[] = {
    {"sigmoid", 0, (any_block *)sigmoid_fitted, NULL, NULL},
    {"sigmoid_backward", FITTED_MEMORY_BOUND, (any_block *)sigmoid_backward_fitted, NULL, NULL},
    {"tanh", 0, (any_block *)tanh_fitted, NULL, NULL},
    {"tanh_backward", FITTED_MEMORY_BOUND, (any_block *)tanh_backward_fitted, NULL, NULL},
    {"elu", 0, (any_block *)elu_fitted, (any_block *)elu_fitted_general, NULL},
    {"elu_backward", FITTED_MEMORY_BOUND, (any_block *)elu_backward_fitted, (any_block *)elu_backward_fitted_general, NULL},
    {"selu", 0, (any_block *)selu_fitted, NULL, NULL},
    {"selu_backward", FITTED_MEMORY_BOUND, (any_block *)selu_backward_fitted, NULL, NULL},
    {"gelu", 0, (any_block *)gelu_fitted, NULL, NULL},
    {"gelu_backward", 0, (any_block *)gelu_backward_fitted, NULL, NULL},
    {"gelu_tanh", 0, (any_block *)gelu_tanh_fitted, NULL, NULL},
    {"gelu_tanh_backward", 0, (any_block *)gelu_tanh_backward_fitted, NULL, NULL},
    {"quick_gelu", 0, (any_block *)quick_gelu_fitted, NULL, NULL},
    {"quick_gelu_backward", FITTED_MEMORY_BOUND, (any_block *)quick_gelu_backward_fitted, NULL, NULL},
    {"silu", 0, (any_block *)silu_fitted, (any_block *)silu_fitted_general, NULL},
    {"silu_backward", FITTED_MEMORY_BOUND, (any_block *)silu_backward_fitted, (any_block *)silu_backward_fitted_general, NULL},
    {"mish", 0, (any_block *)mish_fitted, NULL, NULL},
    {"mish_backward", FITTED_MEMORY_BOUND, (any_block *)mish_backward_fitted, NULL, NULL},
    {"softplus", 0, (any_block *)softplus_fitted, (any_block *)softplus_fitted_general, NULL},
    {"log_sigmoid", 0, (any_block *)log_sigmoid_fitted, NULL, NULL},
    {"log_sigmoid_backward", FITTED_MEMORY_BOUND, (any_block *)log_sigmoid_backward_fitted, NULL, NULL},
    {"tanh_shrink", 0, (any_block *)tanh_shrink_fitted, NULL, NULL},
    {"tanh_shrink_backward", FITTED_MEMORY_BOUND, (any_block *)tanh_shrink_backward_fitted, NULL, NULL},
    {"squareplus", 0, (any_block *)squareplus_fitted, (any_block *)squareplus_fitted_general, NULL},
    {"squareplus_backward", FITTED_MEMORY_BOUND, (any_block *)squareplus_backward_fitted, (any_block *)squareplus_backward_fitted_general, NULL},
    {"serf", 0, (any_block *)serf_fitted, NULL, NULL},
    {"serf_backward", FITTED_MEMORY_BOUND, (any_block *)serf_backward_fitted, NULL, NULL},
    {"logish", 0, (any_block *)logish_fitted, NULL, NULL},
    {"logish_backward", FITTED_MEMORY_BOUND, (any_block *)logish_backward_fitted, NULL, NULL},
    {"snake", 0, (any_block *)snake_fitted, (any_block *)snake_fitted_general, NULL},
    {"logit", 0, (any_block *)logit_fitted, (any_block *)logit_fitted_general, NULL},
    {"lisht", 0, (any_block *)lisht_fitted, NULL, NULL},
    {"lisht_backward", FITTED_MEMORY_BOUND, (any_block *)lisht_backward_fitted, NULL, NULL},
    {"celu", 0, (any_block *)celu_fitted, (any_block *)celu_fitted_general, NULL},
    {"celu_backward", FITTED_MEMORY_BOUND, (any_block *)celu_backward_fitted, (any_block *)celu_backward_fitted_general, NULL},
    {"softplus_backward", FITTED_MEMORY_BOUND, (any_block *)softplus_backward_fitted, (any_block *)softplus_backward_fitted_general, NULL},
    {"glu", FITTED_MEMORY_BOUND, (any_block *)glu_fitted, NULL, glu_halves},
    {"swiglu", FITTED_MEMORY_BOUND, (any_block *)swiglu_fitted, NULL, NULL},
    {"geglu", 0, (any_block *)geglu_fitted, NULL, NULL},
    {"geglu_tanh", 0, (any_block *)geglu_tanh_fitted, NULL, NULL},
    {"glu_backward", FITTED_MEMORY_BOUND, (any_block *)glu_backward_fitted, NULL, NULL},
    {"swiglu_backward", FITTED_MEMORY_BOUND, (any_block *)swiglu_backward_fitted, NULL, NULL},
    {"geglu_backward", 0, (any_block *)geglu_backward_fitted, NULL, NULL},
    {"geglu_tanh_backward", 0, (any_block *)geglu_tanh_backward_fitted, NULL, NULL},
    {"softcap", 0, (any_block *)softcap_fitted, (any_block *)softcap_fitted_general, NULL},
    {"softcap_backward", FITTED_MEMORY_BOUND, (any_block *)softcap_backward_fitted, (any_block *)softcap_backward_fitted_general, NULL},
    {"snake_backward", FITTED_MEMORY_BOUND, (any_block *)snake_backward_fitted, (any_block *)snake_backward_fitted_general, NULL},
    {"binary_cross_entropy", FITTED_MEMORY_BOUND, (any_block *)binary_cross_entropy_fitted, (any_block *)binary_cross_entropy_fitted_general, NULL},
    {"binary_cross_entropy_backward", FITTED_MEMORY_BOUND, (any_block *)binary_cross_entropy_backward_fitted, (any_block *)binary_cross_entropy_backward_fitted_general, NULL},
    {"binary_cross_entropy_both", FITTED_MEMORY_BOUND, (any_block *)binary_cross_entropy_both_fitted, (any_block *)binary_cross_entropy_both_fitted_general, NULL},
    {0},
};
