/* softcap, cap tanh(x / cap). The cap is a number or an array. A cap beyond 2^+-100 takes the composed formula.
 *
 * Forward it is min(|x|, cap) P(|x / cap|), with a table of P(t) = tanh(t) / min(t, 1). The result has less than half the
 * relative rounding error of t, and small results are right, too. Backward it is the table of tanh'. There the quotient x / cap
 * is in two parts: the tail multiplies its relative error by 2 |x / cap|. */

typedef struct {
    f32_v cap, bound, inverse, low;
} Cap;

static ALWAYS_INLINE Cap cap_of(f32_v cap) {
    f32_v inverse = f32_set(1) / cap;
    return (Cap){cap, f32_set(128) * cap, inverse, f32_fma(-cap, inverse, f32_set(1)) * inverse};
}
static ALWAYS_INLINE f32_m usual_cap(f32_v cap) { return f32_gt(cap, f32_set(0x1p-100f)) & f32_gt(f32_set(0x1p100f), cap); }

static ALWAYS_INLINE void softcap_values(int group, const Cap *cap, const f32_v *x, f32_v *y) {
    const Fit fit = FIT_softcap;
    f32_v t[GROUP], cut[GROUP];
    for (int v = 0; v < group; v++) {
        t[v] = f32_abs(x[v]) * cap[v].inverse;
        cut[v] = f32_min(cap[v].cap, f32_abs(x[v]));
    }
    fitted_values_beside(fit, group, t, cut, y);
    for (int v = 0; v < group; v++) y[v] = f32_with_sign(y[v], x[v]);
}

static ALWAYS_INLINE void softcap_slopes(int group, const Cap *cap, const f32_v *x, const float *grad, f32_v *y) {
    const Fit fit = FIT_tanh_backward;
    f32_v z[GROUP], low[GROUP];
    for (int v = 0; v < group; v++) {
        const f32_v a = f32_max(-cap[v].bound, f32_min(cap[v].bound, x[v]));
        z[v] = f32_fma(a, cap[v].inverse, a * cap[v].low);
        const f32_v error = f32_fma(a, cap[v].inverse, -z[v]) + a * cap[v].low;
        low[v] = f32_select(f32_gt(f32_set(0), z[v]), -error, error);
    }
    fitted_values_beside(fit, group, z, low, y);
    for (int v = 0; v < group; v++) {
        const f32_v factor = f32_load(grad + v * f32_lanes);
        y[v] = y[v] * factor;
        const f32_m far = fit.uncovered(fit, z[v]);
        if (__builtin_expect(f32_any(far), 0)) {
            float tail[f32_lanes];
            const Tail exponential = TAIL_tanh_backward;
            const f32_v t = -f32_abs(z[v]);
            const f64_v first = f32_first_half(t) - f32_first_half(low[v]), second = f32_second_half(t) - f32_second_half(low[v]);
            f64_store_floats(tail, exponential_tail(exponential, first, f32_first_half(factor)));
            f64_store_floats(tail + f64_lanes, exponential_tail(exponential, second, f32_second_half(factor)));
            y[v] = f32_select(far, f32_load(tail), y[v]);
        }
    }
}

/* `group` vectors from element i */
static ALWAYS_INLINE void softcap_group(int group, int backward, const Cap *cap, const float *const *in, float *out, size_t i) {
    f32_v x[GROUP], y[GROUP];
    for (int v = 0; v < group; v++) x[v] = f32_load(in[backward] + i + v * f32_lanes);
    if (backward)
        softcap_slopes(group, cap, x, in[0] + i, y);
    else
        softcap_values(group, cap, x, y);
    for (int v = 0; v < group; v++) f32_store(out + i + v * f32_lanes, y[v]);
}

static ALWAYS_INLINE void capped_uniform(int backward, Block *composed, const float *const *in, const float *parameter,
                                         float *const *out, size_t n) {
    if (!f32_any(usual_cap(f32_set(*parameter)))) {
        composed(in, parameter, out, n);
        return;
    }
    Cap cap[GROUP];
    for (int v = 0; v < GROUP; v++) cap[v] = cap_of(f32_set(*parameter));
    size_t i = 0;
    for (; i + GROUP * f32_lanes <= n; i += GROUP * f32_lanes) softcap_group(GROUP, backward, cap, in, out[0], i);
    for (; i < n; i += f32_lanes) softcap_group(1, backward, cap, in, out[0], i);
}

static ALWAYS_INLINE void capped_general(int backward, Block *composed, const float *const *in, float *const *out, size_t n) {
    enum { CHUNK = 256 };
    float computed[CHUNK];
    for (size_t start = 0; start < n; start += CHUNK) {
        const size_t m = n - start < CHUNK ? n - start : CHUNK;
        const float *part[] = {in[0] + start, in[1] + start, in[backward + 1] + start};
        composed(part, NULL, (float *const[]){computed}, m);
        for (size_t i = 0; i < m; i += f32_lanes) {
            const Cap cap = cap_of(f32_load(part[backward + 1] + i));
            float y[f32_lanes];
            softcap_group(1, backward, &cap, (const float *const[]){part[0] + i, part[1] + i}, y, 0);
            f32_store(out[0] + start + i, f32_select(usual_cap(cap.cap), f32_load(y), f32_load(computed + i)));
        }
    }
}

static void softcap_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    capped_uniform(0, softcap_uniform, in, parameter, out, n);
}
static void softcap_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    capped_general(0, softcap_general, in, out, n);
}
static void softcap_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    capped_uniform(1, softcap_backward_uniform, in, parameter, out, n);
}
static void softcap_backward_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    capped_general(1, softcap_backward_general, in, out, n);
}
