/* What becomes of the entries of rows at last: exponentials become probabilities; entries become the
 * logarithms of these; or gradients are made, from exponentials or from y. All ways but in_double/exact.h end
 * so. They differ in how they bring the numbers of a row to its entries. */

enum { MULTIPLY, SUBTRACT, GRADIENT, GRADIENT_OF_OUTPUT };

/* What is known of the row of each lane. `mean` is the mean of the gradients times the scale; of log_softmax'
 * it is their sum times the scale, and times LOWER if y is given. For SUBTRACT it is
 * log(sum / largest exponential). */
typedef struct {
    Factor factor; /* of the exponentials */
    V mean, max;
} Numbers;

/* What is known of all rows */
typedef struct {
    V sign, scale; /* of the call's scale, and that itself */
    Scale size, unit;
} Ending;

static inline Ending ending_of(const Call *c) {
    return (Ending){C(c->scale < 0 ? -1 : 1), c->s.factor, c->size, scale_by(1)};
}

/* Whether x - max may overflow before it is scaled down. Such a row of log_softmax is left to exact_row. */
static inline int is_wide(const Call *c, V max) {
    return c->what == LOG_SOFTMAX && ABS_OF(c->scale) < 1 && ANY(GE(ABS(max), C(WIDE)));
}

/* Whether products of exponentials and gradients may have been subnormal. Exponentials are small where their
 * sum is. The mean of such a row would lose digits: it is left to exact_row. */
static inline int has_lost(V sum, V dot) {
    const V small = SELECT(LT(sum, C(0x1p-20)), ABS(dot), C(1));
    return ANY(LT(SELECT(GT(sum, C(0)), small, C(1)), C(SMALL_MEAN)));
}

/* From the mean of the gradients times the scale: p (scale grad - mean), or scale grad - p mean */
static ALWAYS_INLINE V gradient_of(int log, V p, V grad, V scale, V mean) {
    if (log) return FMA(grad, scale, -(p * mean));
    return p * FMA(grad, scale, -mean);
}

/* `x` are exponentials, entries or y. */
static ALWAYS_INLINE V finished(int end, int log, V x, V grad, Numbers n, Ending all) {
    if (end == MULTIPLY) return times_factor(x, n.factor);
    if (end == SUBTRACT) return log_entry(FMA(x, all.sign, -n.max), all.size, n.mean);
    V p = x;
    if (end == GRADIENT) p = x * n.factor.scale;
    if (end == GRADIENT_OF_OUTPUT && log) p = lifted_exp(x, all.unit);
    return gradient_of(log, p, grad, all.scale, n.mean);
}
