/* The binary cross entropy of logits, its gradient, and both at once. Tables have l = log(1 + e^-|x|) and q = sigmoid(-|x|).
 * Let a be the weight of the label that x speaks against, and b the sum of the weights of both labels. The loss is a |x| + b l,
 * whose terms are not negative, and its derivative is +-(a - b q). Both are computed in doubles and rounded once.
 *
 * Beyond the tables both l and q are e^-|x|, to less than a float can show. For infinite logits and weights we take the composed
 * formulas. */

/* An operand in an array, or a number where `at` is NULL */
typedef struct {
    const float *at;
    float number;
} Operand;
static ALWAYS_INLINE f64_v operand(Operand o, size_t i) { return o.at ? f64_load_floats(o.at + i) : f64_set(o.number); }
static ALWAYS_INLINE f32_v float_operand(Operand o, size_t i) { return o.at ? f32_load(o.at + i) : f32_set(o.number); }

static ALWAYS_INLINE Fit softplus_tail_fit(void) {
    Fit fit = FIT_softplus;
    fit.value = direct;
    fit.uncovered = beyond_both;
    return fit;
}

/* What is computed, and of what. in[first] has the logits, in[first + 1] the target. */
typedef struct {
    int loss, slope, first, arrays;
    Operand grad, weight;
    Block *composed;
} Entropy;

/* `group` vectors from element i */
static ALWAYS_INLINE void entropy_group(int group, Entropy e, const float *const *in, const float *parameter, float *const *out,
                                        size_t i) {
    const Fit losses = softplus_tail_fit(), slopes = sigmoid_tail_fit();
    float computed[2][GROUP * f32_lanes];
    f32_v x[GROUP], l[GROUP], q[GROUP];
    f32_m any_far = {0}, any_infinite = {0}, infinite[GROUP];
    for (int v = 0; v < group; v++) {
        x[v] = f32_load(in[e.first] + i + v * f32_lanes);
        infinite[v] = f32_gt(f32_max(f32_abs(x[v]), float_operand(e.weight, i + v * f32_lanes)), f32_set(0x1.fffffep127f));
        any_infinite |= infinite[v];
        any_far |= losses.uncovered(losses, x[v]);
    }
    const int some_far = __builtin_expect(f32_any(any_far), 0), some_infinite = __builtin_expect(f32_any(any_infinite), 0);
    if (e.loss) fitted_values_beside(losses, group, x, NULL, l);
    if (e.slope) fitted_values_beside(slopes, group, x, NULL, q);
    if (some_infinite) {
        const float *from[MAX_INPUTS];
        for (int j = 0; j < e.arrays; j++) from[j] = in[j] + i;
        e.composed(from, parameter, (float *const[]){computed[0], computed[1]}, (size_t)group * f32_lanes);
    }
    for (int v = 0; v < group; v++) {
        for (int half = 0; half < 2; half++) {
            const size_t at = i + (size_t)(v * f32_lanes + half * f64_lanes);
            const f64_v z = half ? f32_second_half(x[v]) : f32_first_half(x[v]);
            const f64_v target = f64_load_floats(in[e.first + 1] + at), grad = operand(e.grad, at);
            const f64_v of_one = target * operand(e.weight, at), of_zero = f64_set(1) - target, both = of_one + of_zero;
            const f64_m negative = f64_gt(f64_set(0), z);
            const f64_v against = f64_select(negative, of_one, of_zero), size = f64_abs(z);
            f64_v rest, share, tail = f64_set(0);
            f64_m far = {0};
            if (some_far) {
                far = f64_gt(size, f64_set(losses.high));
                tail = short_exp(-size);
            }
            if (e.loss) {
                rest = half ? f32_second_half(l[v]) : f32_first_half(l[v]);
                if (some_far) rest = f64_select(far, tail, rest);
                f64_store_floats(out[0] + at, f64_fma(against, size, both * rest));
            }
            if (e.slope) {
                share = half ? f32_second_half(q[v]) : f32_first_half(q[v]);
                if (some_far) share = f64_select(far, tail, share);
                const f64_v slope = f64_fma(both, -share, against);
                f64_store_floats(out[e.loss] + at, f64_select(negative, f64_set(0) - slope, slope) * grad);
            }
        }
        for (int k = 0; k < e.loss + e.slope && some_infinite; k++) {
            float *to = out[k] + i + v * f32_lanes;
            f32_store(to, f32_select(infinite[v], f32_load(computed[k] + v * f32_lanes), f32_load(to)));
        }
    }
}

static ALWAYS_INLINE void entropy_block(Entropy e, const float *const *in, const float *parameter, float *const *out, size_t n) {
    size_t i = 0;
    for (; i + GROUP * f32_lanes <= n; i += GROUP * f32_lanes) entropy_group(GROUP, e, in, parameter, out, i);
    for (; i < n; i += f32_lanes) entropy_group(1, e, in, parameter, out, i);
}

static void binary_cross_entropy_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const Operand none = {NULL, 0}, weight = {NULL, parameter[0]};
    entropy_block((Entropy){1, 0, 0, 2, none, weight, binary_cross_entropy_uniform}, in, parameter, out, n);
}
static void binary_cross_entropy_fitted_general(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const Operand none = {NULL, 0}, weight = {in[2], 0};
    entropy_block((Entropy){1, 0, 0, 3, none, weight, binary_cross_entropy_general}, in, parameter, out, n);
}
static void binary_cross_entropy_backward_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const Operand grad = {in[0], 0}, weight = {NULL, parameter[0]};
    entropy_block((Entropy){0, 1, 1, 3, grad, weight, binary_cross_entropy_backward_uniform}, in, parameter, out, n);
}
static void binary_cross_entropy_backward_fitted_general(const float *const *in, const float *parameter, float *const *out,
                                                         size_t n) {
    const Operand grad = {in[0], 0}, weight = {in[3], 0};
    entropy_block((Entropy){0, 1, 1, 4, grad, weight, binary_cross_entropy_backward_general}, in, parameter, out, n);
}
static void binary_cross_entropy_both_fitted(const float *const *in, const float *parameter, float *const *out, size_t n) {
    const Operand grad = {NULL, parameter[0]}, weight = {NULL, parameter[1]};
    entropy_block((Entropy){1, 1, 0, 2, grad, weight, binary_cross_entropy_both_uniform}, in, parameter, out, n);
}
static void binary_cross_entropy_both_fitted_general(const float *const *in, const float *parameter, float *const *out,
                                                     size_t n) {
    const Operand grad = {in[2], 0}, weight = {in[3], 0};
    entropy_block((Entropy){1, 1, 0, 4, grad, weight, binary_cross_entropy_both_general}, in, parameter, out, n);
}
