/* What becomes of the entries of rows at last: exponentials become probabilities; entries become the
 * logarithms of these; or gradients are made, from exponentials or from y. All ways end so. They differ in
 * how they bring the numbers of a row to its entries. */

enum { MULTIPLY, SUBTRACT, GRADIENT, GRADIENT_OF_OUTPUT };

/* What is known of the row of each lane */
typedef struct {
    Factor factor; /* of the exponentials */
    V mean; /* of the gradients times the scale; or the logarithm of the sum of exponentials */
    V max;
} Numbers;

/* What is known of all rows */
typedef struct {
    V sign, scale; /* of the call's scale, and that itself */
    Scale size, unit;
} Ending;

static inline Ending ending_of(const Call *c) {
    return (Ending){C(c->scale < 0 ? -1 : 1), c->s.factor, c->size, scale_by(1)};
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
