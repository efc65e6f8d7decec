/* Made by src_c/fit_tables.py; do not edit. */

EXP_TAIL(sigmoid, PLAIN, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_sigmoid tail_sigmoid
EXP_TAIL(sigmoid_backward, PLAIN, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_sigmoid_backward tail_sigmoid_backward
#define TAIL_tanh NULL
EXP_TAIL(tanh_backward, PLAIN, 0x1.0000000000000p+0f, 0x1.62e4300000000p+0f, -0x1.05c6100000000p-28f, 0x0.0p+0f, 0x1.0000000000000p+1f, 0x0.0p+0f)
#define TAIL_tanh_backward tail_tanh_backward
#define TAIL_elu NULL
EXP_TAIL(elu_backward, PLAIN, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_elu_backward tail_elu_backward
#define TAIL_selu NULL
EXP_TAIL(selu_backward, PLAIN, 0x1.0000000000000p+0f, 0x1.20e3300000000p-1f, 0x1.53e97a0000000p-29f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_selu_backward tail_selu_backward
#define TAIL_gelu NULL
#define TAIL_gelu_backward NULL
#define TAIL_gelu_tanh NULL
#define TAIL_gelu_tanh_backward NULL
EXP_TAIL(quick_gelu, GATED, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.b3b6460000000p+0f, -0x1.78d4fe0000000p-26f)
#define TAIL_quick_gelu tail_quick_gelu
EXP_TAIL(quick_gelu_backward, SLOPE, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.b3b6460000000p+0f, -0x1.78d4fe0000000p-26f)
#define TAIL_quick_gelu_backward tail_quick_gelu_backward
EXP_TAIL(silu, GATED, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_silu tail_silu
EXP_TAIL(silu_backward, SLOPE, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_silu_backward tail_silu_backward
EXP_TAIL(mish, GATED, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p-1f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_mish tail_mish
EXP_TAIL(mish_backward, SLOPE, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p-1f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_mish_backward tail_mish_backward
EXP_TAIL(softplus, PLAIN, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_softplus tail_softplus
EXP_TAIL(log_sigmoid, PLAIN, -0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_log_sigmoid tail_log_sigmoid
EXP_TAIL(log_sigmoid_backward, PLAIN, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_log_sigmoid_backward tail_log_sigmoid_backward
#define TAIL_tanh_shrink NULL
#define TAIL_tanh_shrink_backward NULL
#define TAIL_squareplus NULL
#define TAIL_squareplus_backward NULL
EXP_TAIL(serf, GATED, 0x1.0000000000000p+0f, 0x1.eeb95c0000000p-4f, -0x1.ed67ce0000000p-29f, 0x1.c5bf8a0000000p-2f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_serf tail_serf
EXP_TAIL(serf_backward, SLOPE, 0x1.0000000000000p+0f, 0x1.eeb95c0000000p-4f, -0x1.ed67ce0000000p-29f, 0x1.c5bf8a0000000p-2f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_serf_backward tail_serf_backward
EXP_TAIL(logish, GATED, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.8000000000000p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_logish tail_logish
EXP_TAIL(logish_backward, SLOPE, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.8000000000000p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_logish_backward tail_logish_backward
#define TAIL_snake NULL
#define TAIL_logit NULL
#define TAIL_geglu_backward NULL
#define TAIL_geglu_tanh_backward NULL
#define TAIL_lisht NULL
#define TAIL_lisht_backward NULL

/* FITTED(name, arrays, table, input that it is of, factors, what computes the rest), FITTED_AT(name, arrays, default, kind, the same ...),
 * FITTED_GATE(name, kind, input, table, factors, table, factors, rest) */
#define FITTED_KERNELS \
    FITTED(sigmoid, 1, sigmoid, 0, 0, NULL) \
    FITTED(sigmoid_backward, 2, sigmoid_backward, 1, 1, NULL) \
    FITTED(tanh, 1, tanh, 0, 0, f32_uniform_tanh) \
    FITTED(tanh_backward, 2, tanh_backward, 1, 1, NULL) \
    FITTED_AT(elu, 1, 0x1.0000000000000p+0f, f32, elu, 0, 0, f32_uniform_elu) \
    FITTED_AT(elu_backward, 2, 0x1.0000000000000p+0f, f32, elu_backward, 1, 1, NULL) \
    FITTED(selu, 1, selu, 0, 0, mid_uniform_selu) \
    FITTED(selu_backward, 2, selu_backward, 1, 1, NULL) \
    FITTED(gelu, 1, gelu, 0, 0, rest_gelu) \
    FITTED(gelu_backward, 2, gelu_backward, 1, 1, rest_gelu_backward) \
    FITTED(gelu_tanh, 1, gelu_tanh, 0, 0, rest_gelu_tanh) \
    FITTED(gelu_tanh_backward, 2, gelu_tanh_backward, 1, 1, rest_gelu_tanh_backward) \
    FITTED(quick_gelu, 1, quick_gelu, 0, 0, NULL) \
    FITTED(quick_gelu_backward, 2, quick_gelu_backward, 1, 1, NULL) \
    FITTED_AT(silu, 1, 0x1.0000000000000p+0f, mid, silu, 0, 0, NULL) \
    FITTED_AT(silu_backward, 2, 0x1.0000000000000p+0f, mid, silu_backward, 1, 1, NULL) \
    FITTED(mish, 1, mish, 0, 0, NULL) \
    FITTED(mish_backward, 2, mish_backward, 1, 1, NULL) \
    FITTED_AT(softplus, 1, 0x1.0000000000000p+0f, mid, softplus, 0, 0, NULL) \
    FITTED(log_sigmoid, 1, log_sigmoid, 0, 0, NULL) \
    FITTED(log_sigmoid_backward, 2, log_sigmoid_backward, 1, 1, NULL) \
    FITTED(tanh_shrink, 1, tanh_shrink, 0, 0, mid_uniform_tanh_shrink) \
    FITTED(tanh_shrink_backward, 2, tanh_shrink_backward, 1, 1, mid_uniform_tanh_shrink_backward) \
    FITTED_AT(squareplus, 1, 0x1.0000000000000p+2f, mid, squareplus, 0, 0, mid_uniform_squareplus) \
    FITTED_AT(squareplus_backward, 2, 0x1.0000000000000p+2f, mid, squareplus_backward, 1, 1, mid_uniform_squareplus_backward) \
    FITTED(serf, 1, serf, 0, 0, NULL) \
    FITTED(serf_backward, 2, serf_backward, 1, 1, NULL) \
    FITTED(logish, 1, logish, 0, 0, NULL) \
    FITTED(logish_backward, 2, logish_backward, 1, 1, NULL) \
    FITTED_AT(snake, 1, 0x1.0000000000000p+0f, mid, snake, 0, 0, mid_uniform_snake) \
    FITTED_AT(logit, 1, NAN_VALUE, mid, logit, 0, 0, rest_logit) \
    FITTED(lisht, 1, lisht, 0, 0, mid_uniform_lisht) \
    FITTED(lisht_backward, 2, lisht_backward, 1, 1, mid_uniform_lisht_backward) \
    FITTED_AT(celu, 1, 0x1.0000000000000p+0f, mid, elu, 0, 0, mid_uniform_celu) \
    FITTED_AT(celu_backward, 2, 0x1.0000000000000p+0f, mid, elu_backward, 1, 1, NULL) \
    FITTED_AT(softplus_backward, 2, 0x1.0000000000000p+0f, mid, sigmoid, 1, 1, NULL) \
    FITTED(glu, 2, sigmoid, 1, 1, NULL) \
    FITTED(swiglu, 2, silu, 0, 2, NULL) \
    FITTED(geglu, 2, gelu, 0, 2, rest_geglu) \
    FITTED(geglu_tanh, 2, gelu_tanh, 0, 2, rest_geglu_tanh) \
    FITTED_GATE(glu_backward, GLU, 2, sigmoid, 1, sigmoid_backward, 3, NULL) \
    FITTED_GATE(swiglu_backward, SWIGLU, 1, silu_backward, 5, silu, 1, NULL) \
    FITTED_GATE(geglu_backward, GATED_BY_TABLE, 1, geglu_backward, 5, geglu_backward, 1, rest_geglu_backward) \
    FITTED_GATE(geglu_tanh_backward, GATED_BY_TABLE, 1, geglu_tanh_backward, 5, geglu_tanh_backward, 1, rest_geglu_tanh_backward)
