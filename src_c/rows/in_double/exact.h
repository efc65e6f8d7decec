/* One row of the softmax family in double: rows that the faster ways leave out, and strides that they do not
 * serve. */

static inline void write_entries(Row out, size_t start, size_t count, const double *value) {
    T *to = out.at + (ptrdiff_t)start * out.step;
    if (out.step == 1)
        for (size_t i = 0; i < count; i++) to[i] = (T)value[i];
    else
        for (size_t i = 0; i < count; i++) to[(ptrdiff_t)i * out.step] = (T)value[i];
}

/* Entries of an array as doubles, `fill` where they are not kept */
static inline void read_entries(Row a, size_t start, size_t count, const unsigned char *kept, double fill,
                                double *value) {
    for (size_t i = 0; i < count; i++) {
        const double entry = a.at[(ptrdiff_t)(start + i) * a.step];
        value[i] = !kept || kept[i] ? entry : fill;
    }
    for (size_t i = count; i % f64_lanes; i++) value[i] = fill;
}

/* y of one part into part->high: the probabilities or their logarithms */
static void part_outputs(int log, const Logits *l, double rest, double log_rest, size_t start, size_t count,
                         Part *part) {
    part_from(l, start, count, part);
    for (size_t i = 0; i < count; i += f64_lanes) {
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
    for (size_t start = 0, count; start < l->n; start += count) {
        count = at_most(PART, l->n - start);
        part_outputs(log, l, rest, log_rest, start, count, &part);
        for (size_t i = 0; i < count; i++)
            part.high[i] = part.kept[i] ? part.high[i] * weight : log ? -HUGE_VAL : 0;
        write_entries(out, start, count, part.high);
    }
}

/* scale y (grad - sum(grad y)), or scale (grad - e^y sum(grad)), where what is not kept counts nothing; y is
 * read from `y` or, where that is NULL, comes from the logits. Of a dominant entry, e^y by expm1(y), which
 * keeps the digits of 1 - p. */
static void masked_backward(int log, const Logits *l, Row grad, const Row *y, Row out, double scale) {
    const double rest = y ? 0 : rest_of(l), log_rest = log && !y ? log1p_number(rest) : 0;
    Part part;
    Adder sum = {f64_set(0), f64_set(0)};
    f64_v plain = f64_set(0); /* infinite where a gradient is, which makes what a sum carries NaN */
    double slope[PART], total = 0;
    for (int writing = 0; writing < 2; writing++) {
        for (size_t start = 0, count; start < l->n; start += count) {
            count = at_most(PART, l->n - start);
            if (y) {
                read_part(l, start, count, part.high, part.kept);
                read_entries(*y, start, count, part.kept, log ? -HUGE_VAL : 0, part.high);
            } else if (writing || !log)
                part_outputs(log, l, rest, log_rest, start, count, &part);
            else
                read_part(l, start, count, part.high, part.kept);
            read_entries(grad, start, count, part.kept, 0, slope);
            for (size_t i = 0; i < count; i += f64_lanes) {
                const f64_v p = f64_load(part.high + i), g = f64_load(slope + i);
                if (!writing) {
                    f64_v term = g;
                    if (!log) term = g * p;
                    add_term(&sum, term);
                    plain = plain + term;
                    continue;
                }
                f64_v result = p * (g - f64_set(total));
                if (log) {
                    const f64_v near = (g - f64_set(total)) - f64_expm1(p) * f64_set(total);
                    const f64_v far = g - f64_exp_by(p, f64_set(0)) * f64_set(total);
                    result = f64_select(f64_gt(p, f64_set(-0.5)), near, far);
                }
                f64_store(part.high + i, result * f64_set(scale));
            }
            if (!writing) continue;
            for (size_t i = 0; i < count; i++) part.high[i] = part.kept[i] ? part.high[i] : 0;
            write_entries(out, start, count, part.high);
        }
        if (!writing) total = f64_total(sum.sum, sum.carry);
        if (total != total) total = f64_sum(plain);
    }
}

/* A row of a call. Its entries may have any stride, and be of any size. */
static NOINLINE void exact_row(const Call *c, size_t row) {
    const Entries e = entries_of(c, row);
    const Row x = row_of(c->x, row), out = row_of(c->out, row), first = row_of(c->first, row);
    Logits l = logits_of(x, c->n);
    const int log = is_log(c->what);
    l.sign = c->scale < 0 ? -1 : 1;
    l.size = l.sign * c->scale;
    l.limit = e.n;
    l.mask = e.mask;
    l.mask_step = e.mask_step;
    if (is_from_output(c->what)) {
        masked_backward(log, &l, first, &x, out, c->scale);
        return;
    }
    find_largest(&l, sink_of(c, row));
    if (c->what == LOGSUMEXP)
        *out.at = (T)row_logsumexp(&l);
    else if (is_backward(c->what))
        masked_backward(log, &l, first, NULL, out, c->scale);
    else
        masked_forward(log, &l, c->what == WEIGHTED ? *first.at : 1, out);
}

/* The logsumexp of a row: its largest entry times the size of the scale, plus `log`. A result below 1 in
 * size, in which the two cancel, and one that is not finite come from exact_row. */
static void put_logsumexp(const Call *c, size_t row, T max, T log) {
    T value[LANES];
    STORE(value, FMA(C(max), c->size.factor, C(log)) + C(max) * c->size.factor_low);
    if (*value - *value == 0 && ABS_OF(*value) > 1)
        *entry_at(c->out, row) = *value;
    else
        exact_row(c, row);
}
