/* The products of gated pairs with their other operand. Two rounded products would be off by more than is promised. A group computes
 * its few irregular elements a second time, in a way that is right for them. */

/* s = sigmoid(x), or a gate x s(x), times the other operand. p_rest and `rest` are the rounding errors of p and of `below`. The
 * irregular elements are those of a small gate, which would lose digits, and those where inf - inf gave NaN. */
static ALWAYS_INLINE f32_m small_gate(Found f) { return f32_gt(f32_set(0x1p-60f), f.u); }
static ALWAYS_INLINE f32_v gated_pair(Fit fit, Found f, f32_v factor, f32_m *irregular) {
    f32_v y;
    if (fit.value == above) {
        const f32_v p = polynomial_of(f), p_rest = f32_fma(f.d, f.q, f.c0 - p);
        const f32_v below = f.u * p, rest = f32_fma(f.u, p_rest, f32_fma(f.u, p, -below));
        y = f32_fma(f32_max(f32_set(0), f.x), factor, -f32_fma(below, factor, rest * factor));
        *irregular = small_gate(f) | f32_nan(y);
    } else {
        const f32_v product = polynomial_times(factor, f);
        y = f32_select(f32_ge(f.x, f32_set(0)), factor - product, product);
        *irregular = f32_nan(y);
    }
    return y;
}
static ALWAYS_INLINE f32_v irregular_pair(Fit fit, Found f, f32_v factor) {
    const f32_v p = polynomial_of(f);
    if (fit.value == above)
        return f32_select(small_gate(f), f.x * (f32_set(0.5f) * factor), (f32_max(f32_set(0), f.x) - f.u * p) * factor);
    return f32_select(f32_ge(f.x, f32_set(0)), f32_set(1) - p, p) * factor;
}

/* y a b for |y| < 2. The larger factor comes first, and y is halved: no product on the way leaves the range of floats. */
static ALWAYS_INLINE f32_v product_in_range(f32_v y, f32_v a, f32_v b) {
    const f32_m first = f32_gt(f32_abs(a), f32_abs(b));
    y = (f32_set(0.5f) * y * f32_select(first, a, b)) * f32_select(first, b, a);
    return y + y;
}

/* The backward pass: grad times the gate, and grad times its slope and the other operand. The irregular elements here are those of
 * a small gate, and those where a product may have left the range of floats. */
static ALWAYS_INLINE void gated_slopes(int kind, Fit fit, Found f, f32_v grad, f32_v operand, f32_v *with_gate,
                                       f32_v *with_slope) {
    const f32_v one = f32_set(1), p = polynomial_of(f);
    const f32_m right = f32_ge(f.x, f32_set(0)), small = f32_gt(f32_set(0x1p-60f), f.u);
    f32_v value = f32_select(right, one - p, p), slope = p * (one - p);
    if (kind == GATE_SLOPES) value = gate(fit, f), slope = gate_slope(fit, f);
    *with_gate = grad * value;
    *with_slope = grad * operand * slope;
    const f32_v size = f32_abs(*with_slope);
    f32_m irregular = f32_gt(f32_set(0x1p-100f), size) | f32_gt(size, f32_set(0x1p126f));
    if (kind == GATE_SLOPES) irregular |= small;
    if (!__builtin_expect(f32_any(irregular), 0)) return;
    *with_slope = f32_select(irregular, product_in_range(slope, grad, operand), *with_slope);
    if (kind == GATE_SLOPES) *with_gate = f32_select(small, f.x * (f32_set(0.5f) * grad), *with_gate);
}
