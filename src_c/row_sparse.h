/* hardmax, sparsemax and entmax15, for REAL: one row at a time, in double. The threshold is found without sorting, by Newton's method
 * from below: the function is convex, so it rises to the root and never passes it. Mirrors fastact/sparse_formulas.py. */

enum { FN(SPARSEMAX), FN(ENTMAX15) };

/* The weight of an entry z above the threshold */
static ALWAYS_INLINE f64_v FN(above)(int what, f64_v z, double tau) {
    const f64_v over = f64_set(what == FN(ENTMAX15) ? 0.5 : 1) * z - f64_set(tau);
    return f64_select(f64_gt(over, f64_set(0)), over, f64_set(0));
}

static ALWAYS_INLINE double FN(threshold)(int what, const FN(Logits) *l) {
    FN(Part) part;
    double tau = -1, count = HUGE_VAL; /* it falls with every step, so that the loop ends, even where another thread writes x */
    for (;;) {
        FN(Adder) sum = {f64_set(0), f64_set(0)}, second = sum;
        EACH_PART(l->n) {
            FN(part)(l, start, count, &part);
            PART_VECTORS(count) {
                const f64_v z = f64_load(part.high + i), over = FN(above)(what, z, tau);
                const f64_m live = f64_gt(over, f64_set(0));
                if (what == FN(ENTMAX15)) {
                    FN(add)(&sum, over * over);
                    FN(add)(&second, over);
                } else {
                    FN(add)(&sum, f64_select(live, z, f64_set(0)));
                    FN(add)(&second, f64_select(live, f64_set(1), f64_set(0)));
                }
            }
        }
        const double first = f64_total(sum.sum, sum.carry), other = f64_total(second.sum, second.carry);
        if (what == FN(SPARSEMAX)) {
            if (!(other < count) || !(other > 0)) return tau;
            count = other;
            tau = (first - 1) / count;
        } else {
            const double next = tau + (first - 1) / (2 * other);
            if (!(next > tau)) return tau;
            tau = next;
        }
    }
}

/* The root of an entmax15, or 1 where a sparsemax is not 0: what a gradient's mean is weighted with. */
static ALWAYS_INLINE f64_v FN(sparse_weight)(int what, int from_output, f64_v value, double tau) {
    if (!from_output) value = FN(above)(what, value, tau);
    if (what == FN(ENTMAX15)) return from_output ? f64_sqrt(value) : value;
    return f64_select(f64_nan(value), value, f64_select(f64_gt(value, f64_set(0)), f64_set(1), f64_set(0)));
}

static void FN(sparse_forward)(int what, const FN(Logits) *l, FN(Row) out) {
    FN(Part) part;
    const int finite = l->base - l->base == 0;
    const double tau = !finite ? 0 : what == FN(SPARSEMAX) ? FN(threshold)(FN(SPARSEMAX), l) : FN(threshold)(FN(ENTMAX15), l);
    EACH_PART(l->n) {
        FN(part)(l, start, count, &part);
        PART_VECTORS(count) {
            f64_v over = FN(above)(what, f64_load(part.high + i), tau);
            if (what == FN(ENTMAX15)) over = over * over;
            f64_store(part.high + i, finite ? over : f64_set(NAN_VALUE));
        }
        FN(write)(out, start, count, part.high);
    }
}

/* The gradient less its weighted mean, times the weight; where there is none an infinite gradient counts nothing. */
static void FN(sparse_backward)(int what, int from_output, const FN(Logits) *l, FN(Row) grad, FN(Row) out) {
    FN(Part) part;
    FN(Adder) sum = {f64_set(0), f64_set(0)}, weights = sum;
    double slope[FN(PART)], mean = 0;
    const int finite = from_output || l->base - l->base == 0;
    double tau = 0;
    if (!from_output && finite) tau = what == FN(SPARSEMAX) ? FN(threshold)(FN(SPARSEMAX), l) : FN(threshold)(FN(ENTMAX15), l);
    for (int writing = 0; writing < 2; writing++) {
        EACH_PART(l->n) {
            if (from_output)
                FN(read)(l->x, start, count, NULL, 0, part.high);
            else
                FN(part)(l, start, count, &part);
            FN(read)(grad, start, count, NULL, 0, slope);
            PART_VECTORS(count) {
                f64_v weight = FN(sparse_weight)(what, from_output, f64_load(part.high + i), tau), g = f64_load(slope + i);
                if (!finite) weight = f64_set(NAN_VALUE);
                const f64_m live = f64_gt(weight, f64_set(0));
                if (!writing) {
                    FN(add)(&sum, f64_select(live, g * weight, f64_set(0)));
                    FN(add)(&weights, weight);
                    continue;
                }
                const f64_v none = f64_select(f64_nan(weight), weight, f64_set(0));
                f64_store(part.high + i, f64_select(live, weight * (g - f64_set(mean)), none));
            }
            if (writing) FN(write)(out, start, count, part.high);
        }
        if (!writing) mean = f64_total(sum.sum, sum.carry) / f64_total(weights.sum, weights.carry);
    }
}

enum { FN(HARDMAX) = 2, FN(SPARSE_FORWARD) = 0, FN(SPARSE_BACKWARD), FN(SPARSE_FROM_OUTPUT) };

/* x -> out, or grad, x or y -> out */
static void FN(sparse_rows)(int what, int pass, char **args, const intptr_t *dimensions, const intptr_t *steps) {
    const size_t rows = (size_t)dimensions[0], n = (size_t)dimensions[1];
    const int operands = pass == FN(SPARSE_FORWARD) ? 2 : 3;
    const FloatState callers = enter_default_state();
    FN(Operand) a[3];
    for (int k = 0; k < operands; k++) a[k] = (FN(Operand)){args[k], steps[k], steps[operands + k]};
    for (size_t row = 0; row < rows; row++) {
        FN(Logits) l = FN(logits_of)(FN(row_of)(a[operands - 2], row), n);
        const FN(Row) first = FN(row_of)(a[0], row), out = FN(row_of)(a[operands - 1], row);
        if (pass != FN(SPARSE_FROM_OUTPUT)) FN(find_largest)(&l, -HUGE_VAL);
        if (what == FN(HARDMAX))
            for (size_t j = 0; j < n; j++)
                out.at[(ptrdiff_t)j * out.step] = l.base - l.base != 0 ? (T)NAN_VALUE : j == l.first ? 1 : 0;
        else if (pass == FN(SPARSE_FORWARD))
            FN(sparse_forward)(what, &l, out);
        else
            FN(sparse_backward)(what, pass == FN(SPARSE_FROM_OUTPUT), &l, first, out);
    }
    restore_state(callers);
}
#define SPARSE_LOOP(name, what, pass)                                                                         \
    static void FN(name##_loop)(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) { \
        (void)data;                                                                                           \
        FN(sparse_rows)(what, pass, args, dimensions, steps);                                                 \
    }
SPARSE_LOOP(hardmax, FN(HARDMAX), FN(SPARSE_FORWARD))
SPARSE_LOOP(sparsemax, FN(SPARSEMAX), FN(SPARSE_FORWARD))
SPARSE_LOOP(sparsemax_backward, FN(SPARSEMAX), FN(SPARSE_BACKWARD))
SPARSE_LOOP(sparsemax_backward_from_output, FN(SPARSEMAX), FN(SPARSE_FROM_OUTPUT))
SPARSE_LOOP(entmax15, FN(ENTMAX15), FN(SPARSE_FORWARD))
SPARSE_LOOP(entmax15_backward, FN(ENTMAX15), FN(SPARSE_BACKWARD))
SPARSE_LOOP(entmax15_backward_from_output, FN(ENTMAX15), FN(SPARSE_FROM_OUTPUT))
#undef SPARSE_LOOP
