/* hardmax, sparsemax and entmax15. The thresholds of several rows are found at once. */

enum { SPARSE_FORWARD, SPARSE_BACKWARD, SPARSE_FROM_OUTPUT };

static NOINLINE void sparse_forward(int what, Row x, size_t n, double base, double tau, Row out) {
    double part[PIECE];
    for (size_t start = 0, count; start < n; start += count) {
        count = at_most(PIECE, n - start);
        read_doubles(x, start, count, 0, part);
        ROLLED for (size_t i = 0; i < count; i += f64_lanes) {
            const f64_v over = above(f64_load(part + i), f64_set(base), f64_set(tau));
            f64_store(part + i, term_of(what, over) * f64_set(1.0 / (what * what)));
        }
        write_entries(out, start, count, part);
    }
}

/* The gradient less its weighted mean, times the weight. Where that is 0, an infinite gradient counts 0. */
static NOINLINE void sparse_backward(int what, int from_output, Row x, size_t n, double base, double tau,
                                     Row grad, Row out) {
    double weight[PIECE], slope[PIECE], mean = 0;
    Adder sum = {f64_set(0), f64_set(0)}, weights = sum;
    for (int writing = 0; writing < 2; writing++) {
        for (size_t start = 0, count; start < n; start += count) {
            count = at_most(PIECE, n - start);
            const int read = !writing || n > PIECE; /* else the buffers have the row still */
            if (read) read_doubles(x, start, count, from_output ? 0 : -HUGE_VAL, weight);
            if (read) read_doubles(grad, start, count, 0, slope);
            ROLLED for (size_t i = 0; i < count; i += f64_lanes) {
                f64_v w = f64_load(weight + i), g = f64_load(slope + i) - f64_set(mean);
                if (read && !from_output)
                    w = weight_of(what, above(w, f64_set(base), f64_set(tau))) * f64_set(1.0 / what);
                else if (read)
                    w = what == ENTMAX15 ? f64_sqrt(w) : weight_of(what, f64_max(f64_set(0), w));
                g = f64_select(f64_gt(w, f64_set(0)), w * g, f64_set(0) + w);
                f64_store(weight + i, writing ? g : w);
                if (writing) continue;
                add_to(&sum, g);
                add_to(&weights, w);
            }
            if (writing) write_entries(out, start, count, weight);
        }
        if (!writing) mean = total_in(sum) / total_in(weights);
    }
}

/* 1 at the first of the largest */
static void hardmax_row(Row x, size_t n, Row out) {
    V top;
    const double base = find_peak(x, n, &top);
    for (size_t j = 0, found = 0; j < n; j++) {
        const int is_first = !found && x.at[(ptrdiff_t)j * x.step] == base;
        out.at[(ptrdiff_t)j * out.step] = (T)(base == base ? is_first : base);
        found |= (size_t)is_first;
    }
}

/* x -> out, or grad, x or y -> out */
static ALWAYS_INLINE void sparse_rows(int what, int pass, char **args, const intptr_t *dimensions,
                                      const intptr_t *steps) {
    const size_t rows = (size_t)dimensions[0], n = (size_t)dimensions[1];
    const int operands = pass == SPARSE_FORWARD ? 2 : 3;
    const FloatState callers = enter_default_state();
    Operand a[3];
    for (int k = 0; k < operands; k++) a[k] = (Operand){args[k], steps[k], steps[operands + k]};
    const Operand logits = a[operands - 2]; /* or y */
    double base[COLUMNS] = {0}, tau[COLUMNS] = {0};
    for (size_t row = 0; row < rows; row++) {
        const size_t r = row % COLUMNS;
        const Row x = row_of(logits, row), out = row_of(a[operands - 1], row);
        if (what != HARDMAX && pass != SPARSE_FROM_OUTPUT && r == 0)
            find_thresholds(what, logits, row, at_most(COLUMNS, rows - row), n, base, tau);
        if (what == HARDMAX)
            hardmax_row(x, n, out);
        else if (pass == SPARSE_FORWARD)
            sparse_forward(what, x, n, base[r], tau[r], out);
        else
            sparse_backward(what, pass == SPARSE_FROM_OUTPUT, x, n, base[r], tau[r], row_of(a[0], row), out);
    }
    restore_state(callers);
}

#define SPARSE_LOOP(name, what, pass)                                                             \
    static int name(char **args, const intptr_t *dimensions, const intptr_t *steps, const void *data, \
                    size_t all_rows) {                                                            \
        (void)data, (void)all_rows;                                                               \
        sparse_rows(what, pass, args, dimensions, steps);                                         \
        return 0;                                                                                 \
    }
SPARSE_LOOP(hardmax_loop, HARDMAX, SPARSE_FORWARD)
SPARSE_LOOP(sparsemax_loop, SPARSEMAX, SPARSE_FORWARD)
SPARSE_LOOP(sparsemax_backward_loop, SPARSEMAX, SPARSE_BACKWARD)
SPARSE_LOOP(sparsemax_backward_from_output_loop, SPARSEMAX, SPARSE_FROM_OUTPUT)
SPARSE_LOOP(entmax15_loop, ENTMAX15, SPARSE_FORWARD)
SPARSE_LOOP(entmax15_backward_loop, ENTMAX15, SPARSE_BACKWARD)
SPARSE_LOOP(entmax15_backward_from_output_loop, ENTMAX15, SPARSE_FROM_OUTPUT)
#undef SPARSE_LOOP
