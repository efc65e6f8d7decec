/* Made by src_c/fit_tables.py; do not edit. */

/* REST(table, kind of numbers, lanes, input of the formula, default) */
EXP_TAIL(sigmoid, PLAIN, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_sigmoid tail_sigmoid
#define REST_sigmoid NULL
#define APART_sigmoid 0
EXP_TAIL(sigmoid_backward, PLAIN, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_sigmoid_backward tail_sigmoid_backward
#define REST_sigmoid_backward NULL
#define APART_sigmoid_backward 0
#define TAIL_tanh NULL
#define REST_tanh rest_tanh
#define APART_tanh 0
REST(tanh, f32, f32_lanes, 0, 0)
EXP_TAIL(tanh_backward, PLAIN, 0x1.0000000000000p+0f, 0x1.62e4300000000p+0f, -0x1.05c6100000000p-28f, 0x0.0p+0f, 0x1.0000000000000p+1f, 0x0.0p+0f)
#define TAIL_tanh_backward tail_tanh_backward
#define REST_tanh_backward NULL
#define APART_tanh_backward 0
#define TAIL_elu NULL
#define REST_elu rest_elu
#define APART_elu 0
REST(elu, f32, f32_lanes, 0, 0x1.0000000000000p+0f)
EXP_TAIL(elu_backward, PLAIN, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_elu_backward tail_elu_backward
#define REST_elu_backward NULL
#define APART_elu_backward 0
#define TAIL_selu NULL
#define REST_selu rest_selu
#define APART_selu 0
REST(selu, mid, f64_lanes, 0, 0)
EXP_TAIL(selu_backward, PLAIN, 0x1.0000000000000p+0f, 0x1.20e3300000000p-1f, 0x1.53e97a0000000p-29f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_selu_backward tail_selu_backward
#define REST_selu_backward NULL
#define APART_selu_backward 0
#define TAIL_gelu NULL
#define REST_gelu rest_gelu
#define APART_gelu 1
#define TAIL_gelu_backward NULL
#define REST_gelu_backward rest_gelu_backward
#define APART_gelu_backward 1
#define TAIL_gelu_tanh NULL
#define REST_gelu_tanh rest_gelu_tanh
#define APART_gelu_tanh 1
#define TAIL_gelu_tanh_backward NULL
#define REST_gelu_tanh_backward rest_gelu_tanh_backward
#define APART_gelu_tanh_backward 1
EXP_TAIL(quick_gelu, GATED, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.b3b6460000000p+0f, -0x1.78d4fe0000000p-26f)
#define TAIL_quick_gelu tail_quick_gelu
#define REST_quick_gelu NULL
#define APART_quick_gelu 0
EXP_TAIL(quick_gelu_backward, SLOPE, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.b3b6460000000p+0f, -0x1.78d4fe0000000p-26f)
#define TAIL_quick_gelu_backward tail_quick_gelu_backward
#define REST_quick_gelu_backward NULL
#define APART_quick_gelu_backward 0
EXP_TAIL(silu, GATED, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_silu tail_silu
#define REST_silu NULL
#define APART_silu 0
EXP_TAIL(silu_backward, SLOPE, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_silu_backward tail_silu_backward
#define REST_silu_backward NULL
#define APART_silu_backward 0
EXP_TAIL(mish, GATED, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p-1f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_mish tail_mish
#define REST_mish NULL
#define APART_mish 0
EXP_TAIL(mish_backward, SLOPE, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p-1f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_mish_backward tail_mish_backward
#define REST_mish_backward NULL
#define APART_mish_backward 0
EXP_TAIL(softplus, PLAIN, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_softplus tail_softplus
#define REST_softplus NULL
#define APART_softplus 0
EXP_TAIL(log_sigmoid, PLAIN, -0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_log_sigmoid tail_log_sigmoid
#define REST_log_sigmoid NULL
#define APART_log_sigmoid 0
EXP_TAIL(log_sigmoid_backward, PLAIN, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_log_sigmoid_backward tail_log_sigmoid_backward
#define REST_log_sigmoid_backward NULL
#define APART_log_sigmoid_backward 0
#define TAIL_tanh_shrink NULL
#define REST_tanh_shrink rest_tanh_shrink
#define APART_tanh_shrink 0
REST(tanh_shrink, mid, f64_lanes, 0, 0)
#define TAIL_tanh_shrink_backward NULL
#define REST_tanh_shrink_backward rest_tanh_shrink_backward
#define APART_tanh_shrink_backward 0
REST(tanh_shrink_backward, mid, f64_lanes, 1, 0)
#define TAIL_squareplus NULL
#define REST_squareplus rest_squareplus
#define APART_squareplus 0
REST(squareplus, mid, f64_lanes, 0, 0x1.0000000000000p+2f)
#define TAIL_squareplus_backward NULL
#define REST_squareplus_backward rest_squareplus_backward
#define APART_squareplus_backward 0
REST(squareplus_backward, mid, f64_lanes, 1, 0x1.0000000000000p+2f)
EXP_TAIL(serf, GATED, 0x1.0000000000000p+0f, 0x1.eeb95c0000000p-4f, -0x1.ed67ce0000000p-29f, 0x1.c5bf8a0000000p-2f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_serf tail_serf
#define REST_serf NULL
#define APART_serf 0
EXP_TAIL(serf_backward, SLOPE, 0x1.0000000000000p+0f, 0x1.eeb95c0000000p-4f, -0x1.ed67ce0000000p-29f, 0x1.c5bf8a0000000p-2f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_serf_backward tail_serf_backward
#define REST_serf_backward NULL
#define APART_serf_backward 0
EXP_TAIL(logish, GATED, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.8000000000000p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_logish tail_logish
#define REST_logish NULL
#define APART_logish 0
EXP_TAIL(logish_backward, SLOPE, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x0.0p+0f, 0x1.8000000000000p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f)
#define TAIL_logish_backward tail_logish_backward
#define REST_logish_backward NULL
#define APART_logish_backward 0
#define TAIL_snake NULL
#define REST_snake rest_snake
#define APART_snake 0
REST(snake, mid, f64_lanes, 0, 0x1.0000000000000p+0f)
#define TAIL_snake_backward NULL
#define REST_snake_backward rest_snake_backward
#define APART_snake_backward 0
REST(snake_backward, mid, f64_lanes, 1, 0x1.0000000000000p+0f)
#define TAIL_logit NULL
#define REST_logit rest_logit
#define APART_logit 0
#define TAIL_lisht NULL
#define REST_lisht rest_lisht
#define APART_lisht 0
REST(lisht, mid, f64_lanes, 0, 0)
#define TAIL_lisht_backward NULL
#define REST_lisht_backward rest_lisht_backward
#define APART_lisht_backward 0
REST(lisht_backward, mid, f64_lanes, 1, 0)

/* FITTED(name, arrays, table, input that it is of, factors), FITTED_AT(name, arrays, default, kind, the same ...),
 * FITTED_GATE(name, kind, input, table, factors, table, factors) */
#define FITTED_KERNELS \
    FITTED(sigmoid, 1, sigmoid, 0, 0) \
    FITTED(sigmoid_backward, 2, sigmoid_backward, 1, 1) \
    FITTED(tanh, 1, tanh, 0, 0) \
    FITTED(tanh_backward, 2, tanh_backward, 1, 1) \
    FITTED_AT(elu, 1, 0x1.0000000000000p+0f, f32, elu, 0, 0) \
    FITTED_AT(elu_backward, 2, 0x1.0000000000000p+0f, f32, elu_backward, 1, 1) \
    FITTED(selu, 1, selu, 0, 0) \
    FITTED(selu_backward, 2, selu_backward, 1, 1) \
    FITTED(gelu, 1, gelu, 0, 0) \
    FITTED(gelu_backward, 2, gelu_backward, 1, 1) \
    FITTED(gelu_tanh, 1, gelu_tanh, 0, 0) \
    FITTED(gelu_tanh_backward, 2, gelu_tanh_backward, 1, 1) \
    FITTED(quick_gelu, 1, quick_gelu, 0, 0) \
    FITTED(quick_gelu_backward, 2, quick_gelu_backward, 1, 1) \
    FITTED_AT(silu, 1, 0x1.0000000000000p+0f, mid, silu, 0, 0) \
    FITTED_AT(silu_backward, 2, 0x1.0000000000000p+0f, mid, silu_backward, 1, 1) \
    FITTED(mish, 1, mish, 0, 0) \
    FITTED(mish_backward, 2, mish_backward, 1, 1) \
    FITTED_AT(softplus, 1, 0x1.0000000000000p+0f, mid, softplus, 0, 0) \
    FITTED(log_sigmoid, 1, log_sigmoid, 0, 0) \
    FITTED(log_sigmoid_backward, 2, log_sigmoid_backward, 1, 1) \
    FITTED(tanh_shrink, 1, tanh_shrink, 0, 0) \
    FITTED(tanh_shrink_backward, 2, tanh_shrink_backward, 1, 1) \
    FITTED_AT(squareplus, 1, 0x1.0000000000000p+2f, mid, squareplus, 0, 0) \
    FITTED_AT(squareplus_backward, 2, 0x1.0000000000000p+2f, mid, squareplus_backward, 1, 1) \
    FITTED(serf, 1, serf, 0, 0) \
    FITTED(serf_backward, 2, serf_backward, 1, 1) \
    FITTED(logish, 1, logish, 0, 0) \
    FITTED(logish_backward, 2, logish_backward, 1, 1) \
    FITTED_AT(snake, 1, 0x1.0000000000000p+0f, mid, snake, 0, 0) \
    FITTED_AT(snake_backward, 2, 0x1.0000000000000p+0f, mid, snake_backward, 1, 1) \
    FITTED_AT(logit, 1, NAN_VALUE, mid, logit, 0, 0) \
    FITTED(lisht, 1, lisht, 0, 0) \
    FITTED(lisht_backward, 2, lisht_backward, 1, 1) \
    FITTED_AT(celu, 1, 0x1.0000000000000p+0f, mid, elu, 0, 0) \
    FITTED_AT(celu_backward, 2, 0x1.0000000000000p+0f, mid, elu_backward, 1, 1) \
    FITTED_AT(softplus_backward, 2, 0x1.0000000000000p+0f, mid, sigmoid, 1, 1) \
    FITTED(glu, 2, sigmoid, 1, 1) \
    FITTED(swiglu, 2, silu, 0, 2) \
    FITTED(geglu, 2, gelu, 0, 2) \
    FITTED(geglu_tanh, 2, gelu_tanh, 0, 2) \
    FITTED_GATE(glu_backward, GLU, 2, sigmoid, 1, sigmoid_backward, 3) \
    FITTED_GATE(swiglu_backward, SWIGLU, 1, silu_backward, 5, silu, 1) \
    FITTED_GATE(geglu_backward, TWO_TABLES, 1, gelu_backward, 5, gelu, 1) \
    FITTED_GATE(geglu_tanh_backward, TWO_TABLES, 1, gelu_tanh_backward, 5, gelu_tanh, 1)
