/* The softmax family, scaled and masked: one row at a time. */

static inline void write_entries(Row out, size_t start, size_t count, const double *value) {
    T *to = out.at + (ptrdiff_t)start * out.step;
    if (out.step == 1)
        for (size_t i = 0; i < count; i++) to[i] = (T)value[i];
    else
        for (size_t i = 0; i < count; i++) to[(ptrdiff_t)i * out.step] = (T)value[i];
}

/* Entries of an array as doubles, `fill` where they are not kept */
static inline void read_entries(Row a, size_t start, size_t count, const unsigned char *kept, double fill, double *value) {
    for (size_t i = 0; i < count; i++) {
        const double entry = a.at[(ptrdiff_t)(start + i) * a.step];
        value[i] = !kept || kept[i] ? entry : fill;
    }
    for (size_t i = count; i % f64_lanes; i++) value[i] = fill;
}

/* y of one part into part->high: the probabilities or their logarithms */
static void part_outputs(int log, const Logits *l, double rest, double log_rest, size_t start, size_t count, Part *part) {
    part_from(l, start, count, part);
    PART_VECTORS(count) {
        f64_v y;
        if (log)
            y = f64_load(part->high + i) + (f64_load(part->low + i) - f64_set(log_rest));
        else
            y = part_exp(part, i) / f64_set(1 + rest);
        f64_store(part->high + i, y);
    }
}

static void masked_forward(int log, const Logits *l, double weight, Row out) {
    const double rest = rest_of(l), log_rest = log ? log1p_number(rest) : 0;
    Part part;
    EACH_PART(l->n) {
        part_outputs(log, l, rest, log_rest, start, count, &part);
        for (size_t i = 0; i < count; i++) part.high[i] = part.kept[i] ? part.high[i] * weight : log ? -HUGE_VAL : 0;
        write_entries(out, start, count, part.high);
    }
}

/* scale y (grad - sum(grad y)), or scale (grad - e^y sum(grad)), where what is not kept counts nothing; y is read from `y` or, where
 * that is NULL, comes from the logits. Of a dominant entry, e^y by expm1(y), which keeps the digits of 1 - p. */
static void masked_backward(int log, const Logits *l, Row grad, const Row *y, Row out, double scale) {
    const double rest = y ? 0 : rest_of(l), log_rest = log && !y ? log1p_number(rest) : 0;
    Part part;
    Adder sum = {f64_set(0), f64_set(0)};
    double slope[PART], total = 0;
    for (int writing = 0; writing < 2; writing++) {
        EACH_PART(l->n) {
            if (y) {
                read_part(l, start, count, part.high, part.kept);
                read_entries(*y, start, count, part.kept, log ? -HUGE_VAL : 0, part.high);
            } else if (writing || !log)
                part_outputs(log, l, rest, log_rest, start, count, &part);
            else
                read_part(l, start, count, part.high, part.kept);
            read_entries(grad, start, count, part.kept, 0, slope);
            PART_VECTORS(count) {
                const f64_v p = f64_load(part.high + i), g = f64_load(slope + i);
                if (!writing) {
                    if (log)
                        add_term(&sum, g);
                    else
                        add_term(&sum, g * p);
                    continue;
                }
                f64_v result = p * (g - f64_set(total));
                if (log) {
                    const f64_v near = (g - f64_set(total)) - f64_expm1(p) * f64_set(total);
                    result = f64_select(f64_gt(p, f64_set(-0.5)), near, g - f64_exp_by(p, f64_set(0)) * f64_set(total));
                }
                f64_store(part.high + i, result * f64_set(scale));
            }
            if (!writing) continue;
            for (size_t i = 0; i < count; i++) part.high[i] = part.kept[i] ? part.high[i] : 0;
            write_entries(out, start, count, part.high);
        }
        if (!writing) total = f64_total(sum.sum, sum.carry);
    }
}

#define NUMBER_AT(type, a, row) (*(const type *)((a).data + (ptrdiff_t)(row) * (a).outer))

/* [grad,] x or y, scale, sink, limit, mask -> out */
static void masked_rows(int what, char **args, const intptr_t *dimensions, const intptr_t *steps) {
    const size_t rows = (size_t)dimensions[0], n = (size_t)dimensions[1];
    const int arrays = what < WEIGHTED ? 1 : 2, log = what == LOG_SOFTMAX || (what > WEIGHTED && KIND(what) == OF_LOG_SOFTMAX);
    const FloatState callers = enter_default_state();
    Operand a[7];
    for (int k = 0, cores = 0; k < arrays + 5; k++) {
        const int core = (k < arrays && !(what == WEIGHTED && k == 0)) || k == arrays + 3 || (k == arrays + 4 && what != LOGSUMEXP);
        a[k] = (Operand){args[k], steps[k], core ? steps[arrays + 5 + cores++] : 0};
    }
    const Operand *setting = a + arrays, out = a[arrays + 4];
    for (size_t row = 0; row < rows; row++) {
        Logits l = logits_of(row_of(a[arrays - 1], row), n);
        const double scale = NUMBER_AT(double, setting[0], row);
        const int64_t limit = NUMBER_AT(int64_t, setting[2], row);
        l.sign = scale < 0 ? -1 : 1;
        l.size = l.sign * scale;
        l.limit = limit < 0 ? 0 : (uint64_t)limit < n ? (size_t)limit : n;
        l.mask = setting[3].data + (ptrdiff_t)row * setting[3].outer;
        l.mask_step = setting[3].inner;
        if (l.mask_step == 0 && n) { /* one for all entries: none are masked, or all */
            if (!*l.mask) l.limit = 0;
            l.mask = NULL;
        }
        const Row to = row_of(out, row), first = row_of(a[0], row);
        if (FROM_OUTPUT(what)) {
            const Row y = l.x;
            masked_backward(log, &l, first, &y, to, scale);
            continue;
        }
        find_largest(&l, NUMBER_AT(double, setting[1], row));
        if (what == LOGSUMEXP)
            *to.at = (T)row_logsumexp(&l);
        else if (what <= WEIGHTED)
            masked_forward(log, &l, what == WEIGHTED ? scale * *first.at : 1, to);
        else
            masked_backward(log, &l, first, NULL, to, scale);
    }
    restore_state(callers);
}
static void softmax_masked_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    masked_rows(SOFTMAX, args, dimensions, steps);
}
static void log_softmax_masked_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    masked_rows(LOG_SOFTMAX, args, dimensions, steps);
}
static void logsumexp_masked_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    masked_rows(LOGSUMEXP, args, dimensions, steps);
}
static void logsumexp_masked_backward_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    masked_rows(WEIGHTED, args, dimensions, steps);
}
static void softmax_masked_backward_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    masked_rows(SOFTMAX_BACKWARD, args, dimensions, steps);
}
static void softmax_masked_backward_from_output_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    masked_rows(SOFTMAX_FROM_OUTPUT, args, dimensions, steps);
}
static void log_softmax_masked_backward_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    masked_rows(LOG_SOFTMAX_BACKWARD, args, dimensions, steps);
}
static void log_softmax_masked_backward_from_output_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    masked_rows(LOG_SOFTMAX_FROM_OUTPUT, args, dimensions, steps);
}
