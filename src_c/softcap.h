/* softcap, cap tanh(x / cap), by the tables of tanh and its derivative: the quotient is taken in two parts, since the tail of the
 * derivative amplifies its rounding by 2 |x / cap|. The cap is a number or an array; beyond 2^+-100, the composed formula. */

typedef struct {
    f32_v cap, bound, inverse, low;
} Cap;

static ALWAYS_INLINE Cap cap_of(f32_v cap) {
    f32_v inverse = f32_set(1) / cap;
    return (Cap){cap, f32_set(128) * cap, inverse, f32_fma(-cap, inverse, f32_set(1)) * inverse};
}
static ALWAYS_INLINE f32_m usual_cap(f32_v cap) { return f32_gt(cap, f32_set(0x1p-100f)) & f32_gt(f32_set(0x1p100f), cap); }

static ALWAYS_INLINE f32_v softcap_value(int backward, Cap cap, f32_v x, f32_v grad) {
    const f32_v a = f32_max(-cap.bound, f32_min(cap.bound, x));
    const f32_v z = f32_fma(a, cap.inverse, a * cap.low), rest = f32_fma(a, cap.inverse, -z) + a * cap.low;
    const f32_v low = f32_select(f32_gt(f32_set(0), z), -rest, rest);
    f32_v y;
    if (!backward) {
        fitted_values_of_two((Fit)FIT_tanh, 1, &z, &low, &y);
        return f32_select(f32_gt(f32_set(0x1p-13f), f32_abs(z)), x, cap.cap * y); /* a subnormal z has lost digits */
    }
    fitted_values_of_two((Fit)FIT_tanh_backward, 1, &z, &low, &y);
    y = y * grad;
    const f32_m far = not_covered((Fit)FIT_tanh_backward, z);
    if (__builtin_expect(far, 0)) {
        f32_v t = f32_max(f32_set(10), f32_abs(z)), k;
        f32_v p = f32_exp_tail(f32_set(-2) * t, f32_set(-2) * low, &k);
        p = f32_fma(f32_set(0.25f), p, f32_set(0.25f)); /* a quarter, so that no gradient overflows here */
        y = f32_select(far, f32_scaled(p * grad, k + f32_set(4)), y);
    }
    return y;
}

static ALWAYS_INLINE void softcap_uniform(int backward, f32_block *composed, const float *const *in, const float *parameter,
                                          float *const *out, size_t n) {
    if (!usual_cap(f32_set(*parameter))) {
        composed(in, parameter, out, n);
        return;
    }
    const Cap cap = cap_of(f32_set(*parameter));
    for (size_t i = 0; i < n; i += f32_lanes)
        f32_store(out[0] + i, softcap_value(backward, cap, f32_load(in[backward] + i), f32_load(in[0] + i)));
}

static ALWAYS_INLINE void softcap_general(int backward, f32_block *composed, const float *const *in, float *const *out, size_t n) {
    enum { CHUNK = 256 };
    float computed[CHUNK];
    for (size_t start = 0; start < n; start += CHUNK) {
        const size_t m = n - start < CHUNK ? n - start : CHUNK;
        const float *part[] = {in[0] + start, in[1] + start, in[backward + 1] + start};
        composed(part, NULL, (float *const[]){computed}, m);
        for (size_t i = 0; i < m; i += f32_lanes) {
            f32_v cap = f32_load(part[backward + 1] + i);
            f32_v y = softcap_value(backward, cap_of(cap), f32_load(part[backward] + i), f32_load(part[0] + i));
            f32_store(out[0] + start + i, f32_select(usual_cap(cap), y, f32_load(computed + i)));
        }
    }
}

#define SOFTCAP(name, backward)                                                                                               \
    static void fitted_##name(const float *const *in, const float *parameter, float *const *out, size_t n) {                  \
        softcap_uniform(backward, mid_uniform_##name, in, parameter, out, n);                                                 \
    }                                                                                                                         \
    static void fitted_general_##name(const float *const *in, const float *parameter, float *const *out, size_t n) {          \
        (void)parameter;                                                                                                      \
        softcap_general(backward, mid_general_##name, in, out, n);                                                            \
    }
SOFTCAP(softcap, 0)
SOFTCAP(softcap_backward, 1)
#undef SOFTCAP
#define SOFTCAP_KERNELS                                                                                                       \
    {"softcap", fitted_softcap, fitted_general_softcap},                                                                      \
    {"softcap_backward", fitted_softcap_backward, fitted_general_softcap_backward},
