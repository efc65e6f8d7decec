/* hardmax, sparsemax and entmax15: one row at a time, in double. Newton's method finds the threshold, without sorting. It starts
 * below: the function is convex, so the estimates rise to the root and never pass it. */

enum { SPARSEMAX, ENTMAX15 };

/* The weight of an entry z above the threshold */
static ALWAYS_INLINE f64_v above_threshold(int what, f64_v z, double tau) {
    const f64_v over = f64_set(what == ENTMAX15 ? 0.5 : 1) * z - f64_set(tau);
    return f64_select(f64_gt(over, f64_set(0)), over, f64_set(0));
}

static ALWAYS_INLINE double find_threshold(int what, const Logits *l) {
    Part part;
    double tau = -1, count = HUGE_VAL; /* it falls with every step, so that the loop ends, even where another thread writes x */
    for (;;) {
        Adder sum = {f64_set(0), f64_set(0)}, second = sum;
        EACH_PART(l->n) {
            part_from(l, start, count, &part);
            PART_VECTORS(count) {
                const f64_v z = f64_load(part.high + i), over = above_threshold(what, z, tau);
                const f64_m live = f64_gt(over, f64_set(0));
                if (what == ENTMAX15) {
                    add_term(&sum, over * over);
                    add_term(&second, over);
                } else {
                    add_term(&sum, f64_select(live, z, f64_set(0)));
                    add_term(&second, f64_select(live, f64_set(1), f64_set(0)));
                }
            }
        }
        const double first = f64_total(sum.sum, sum.carry), other = f64_total(second.sum, second.carry);
        if (what == SPARSEMAX) {
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
static ALWAYS_INLINE f64_v sparse_weight(int what, int from_output, f64_v value, double tau) {
    if (!from_output) value = above_threshold(what, value, tau);
    if (what == ENTMAX15) return from_output ? f64_sqrt(value) : value;
    return f64_select(f64_nan(value), value, f64_select(f64_gt(value, f64_set(0)), f64_set(1), f64_set(0)));
}

static void sparse_forward(int what, const Logits *l, Row out) {
    Part part;
    const int finite = l->base - l->base == 0;
    const double tau = !finite ? 0 : what == SPARSEMAX ? find_threshold(SPARSEMAX, l) : find_threshold(ENTMAX15, l);
    EACH_PART(l->n) {
        part_from(l, start, count, &part);
        PART_VECTORS(count) {
            f64_v over = above_threshold(what, f64_load(part.high + i), tau);
            if (what == ENTMAX15) over = over * over;
            f64_store(part.high + i, finite ? over : f64_set(NAN_VALUE));
        }
        write_entries(out, start, count, part.high);
    }
}

/* The gradient less its weighted mean, times the weight; where there is none an infinite gradient counts nothing. */
static void sparse_backward(int what, int from_output, const Logits *l, Row grad, Row out) {
    Part part;
    Adder sum = {f64_set(0), f64_set(0)}, weights = sum;
    double slope[PART], mean = 0;
    const int finite = from_output || l->base - l->base == 0;
    double tau = 0;
    if (!from_output && finite) tau = what == SPARSEMAX ? find_threshold(SPARSEMAX, l) : find_threshold(ENTMAX15, l);
    for (int writing = 0; writing < 2; writing++) {
        EACH_PART(l->n) {
            if (from_output)
                read_entries(l->x, start, count, NULL, 0, part.high);
            else
                part_from(l, start, count, &part);
            read_entries(grad, start, count, NULL, 0, slope);
            PART_VECTORS(count) {
                f64_v weight = sparse_weight(what, from_output, f64_load(part.high + i), tau), g = f64_load(slope + i);
                if (!finite) weight = f64_set(NAN_VALUE);
                const f64_m live = f64_gt(weight, f64_set(0));
                if (!writing) {
                    add_term(&sum, f64_select(live, g * weight, f64_set(0)));
                    add_term(&weights, weight);
                    continue;
                }
                const f64_v none = f64_select(f64_nan(weight), weight, f64_set(0));
                f64_store(part.high + i, f64_select(live, weight * (g - f64_set(mean)), none));
            }
            if (writing) write_entries(out, start, count, part.high);
        }
        if (!writing) mean = f64_total(sum.sum, sum.carry) / f64_total(weights.sum, weights.carry);
    }
}

enum { HARDMAX = 2, SPARSE_FORWARD = 0, SPARSE_BACKWARD, SPARSE_FROM_OUTPUT };

/* x -> out, or grad, x or y -> out */
static void sparse_rows(int what, int pass, char **args, const intptr_t *dimensions, const intptr_t *steps) {
    const size_t rows = (size_t)dimensions[0], n = (size_t)dimensions[1];
    const int operands = pass == SPARSE_FORWARD ? 2 : 3;
    const FloatState callers = enter_default_state();
    Operand a[3];
    for (int k = 0; k < operands; k++) a[k] = (Operand){args[k], steps[k], steps[operands + k]};
    for (size_t row = 0; row < rows; row++) {
        Logits l = logits_of(row_of(a[operands - 2], row), n);
        const Row first = row_of(a[0], row), out = row_of(a[operands - 1], row);
        if (pass != SPARSE_FROM_OUTPUT) find_largest(&l, -HUGE_VAL);
        if (what == HARDMAX)
            for (size_t j = 0; j < n; j++)
                out.at[(ptrdiff_t)j * out.step] = l.base - l.base != 0 ? (T)NAN_VALUE : j == l.first ? 1 : 0;
        else if (pass == SPARSE_FORWARD)
            sparse_forward(what, &l, out);
        else
            sparse_backward(what, pass == SPARSE_FROM_OUTPUT, &l, first, out);
    }
    restore_state(callers);
}
static void hardmax_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    sparse_rows(HARDMAX, SPARSE_FORWARD, args, dimensions, steps);
}
static void sparsemax_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    sparse_rows(SPARSEMAX, SPARSE_FORWARD, args, dimensions, steps);
}
static void sparsemax_backward_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    sparse_rows(SPARSEMAX, SPARSE_BACKWARD, args, dimensions, steps);
}
static void sparsemax_backward_from_output_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    sparse_rows(SPARSEMAX, SPARSE_FROM_OUTPUT, args, dimensions, steps);
}
static void entmax15_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    sparse_rows(ENTMAX15, SPARSE_FORWARD, args, dimensions, steps);
}
static void entmax15_backward_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    sparse_rows(ENTMAX15, SPARSE_BACKWARD, args, dimensions, steps);
}
static void entmax15_backward_from_output_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    sparse_rows(ENTMAX15, SPARSE_FROM_OUTPUT, args, dimensions, steps);
}
