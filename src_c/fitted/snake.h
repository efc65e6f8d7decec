/* The derivative of snake for a = 1: 1 + sin(2 x) = 2 sin(x + pi / 4)^2. One polynomial of the distance from the nearest zero
 * serves all x up to SNAKE_FAR. It needs no table: data of a wide range would leave that. */

/* From r = x - n pi / 4. The nearest zero has n = 4 m - 1; n times the first part of pi / 4 is exact. */
static ALWAYS_INLINE f32_v snake_slope(f32_v x) {
    f32_v whole = f32_fma(x, f32_set(0x1.45f306p-2f), f32_set(0.25f)) + f32_set(0x1.8p23f);
    f32_v n = f32_fma(f32_set(4), whole - f32_set(0x1.8p23f), f32_set(-1));
    f32_v zero = n * f32_set(-QUARTER_PI), first = x + zero, part = first - x;
    f32_v r = f32_fma(-n, f32_set(QUARTER_PI_LOW), first);
    /* the rounding error of r: squaring doubles it, and without it the result would be 4.8 ULP off */
    f32_v low = f32_fma(-n, f32_set(QUARTER_PI_LOW), first - r) +
                ((x - (first - part)) + f32_fma(-n, f32_set(QUARTER_PI_LOWEST), zero - part));
    f32_v y = f32_fma(r, r, r * (low + low));
    return y * f32_series(wave_terms, WAVE_TERMS, y);
}

/* Beyond it we take the composed formula: next to a zero far out, the distance has too few digits. (2^-25 absolute holds to
 * 1000.) */
#define SNAKE_FAR 38.0f
static ALWAYS_INLINE void snake_group(int group, const float *const *in, const float *parameter, float *out, size_t i) {
    f32_v x[GROUP], y[GROUP];
    f32_m any = {0}, far[GROUP];
    for (int v = 0; v < group; v++) {
        x[v] = f32_load(in[1] + i + v * f32_lanes);
        any |= far[v] = f32_gt(f32_abs(x[v]), f32_set(SNAKE_FAR));
        y[v] = f32_load(in[0] + i + v * f32_lanes) * snake_slope(x[v]);
    }
    if (__builtin_expect(f32_any(any), 0)) {
        float computed[GROUP * f32_lanes];
        snake_backward_uniform((const float *const[]){in[0] + i, in[1] + i}, parameter, (float *const[]){computed},
                               (size_t)group * f32_lanes);
        for (int v = 0; v < group; v++) y[v] = f32_select(far[v], f32_load(computed + v * f32_lanes), y[v]);
    }
    for (int v = 0; v < group; v++) f32_store(out + i + v * f32_lanes, y[v]);
}

static void snake_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const float standard = 1;
    if (memcmp(parameter, &standard, sizeof standard) != 0) {
        snake_backward_uniform(in, parameter, out, n);
        return;
    }
    size_t i = 0;
    for (; i + GROUP * f32_lanes <= n; i += GROUP * f32_lanes) snake_group(GROUP, in, parameter, out[0], i);
    for (; i < n; i += f32_lanes) snake_group(1, in, parameter, out[0], i);
}
static void snake_backward_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    (void)parameter;
    fitted_general(2, 1, snake_backward_fitted, snake_backward_general, in, out, n);
}
