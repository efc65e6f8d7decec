/* The cross entropy of rows of logits, for REAL: in double for any target and stride, and as fast as a softmax for indices of
 * contiguous rows. Mirrors fastact/loss_formulas.py. */

/* What a target is of an entry: (1 - s) times 1 at the index or its own entry of a distribution, and s / n */
typedef struct {
    const FN(Row) *distribution; /* or NULL */
    ptrdiff_t index;
    double share, rest; /* 1 - s, s / n */
} FN(Target);

static void FN(read_target)(FN(Target) t, size_t start, size_t count, double *value) {
    if (t.distribution)
        FN(read)(*t.distribution, start, count, NULL, 0, value);
    else
        for (size_t i = 0; i < count; i++) value[i] = (ptrdiff_t)(start + i) == t.index;
    for (size_t i = 0; i < count; i++) value[i] = t.share * value[i] + t.rest;
    for (size_t i = count; i % f64_lanes; i++) value[i] = 0;
}

/* grad * (sum(t) p - t); at the largest entry by the rest, since p may be near 1. The loss is -sum(t log p). */
static void FN(loss_exactly)(const FN(Logits) *l, FN(Target) t, double grad, T *loss, const FN(Row) *out) {
    FN(Part) part;
    double target[FN(PART)];
    FN(Adder) losses = {f64_set(0), f64_set(0)}, targets = losses;
    const double rest = FN(rest)(l), log_rest = FN(log1p_number)(rest);
    EACH_PART(l->n) {
        FN(part)(l, start, count, &part);
        FN(read_target)(t, start, count, target);
        PART_VECTORS(count) {
            const f64_v share = f64_load(target + i), log = f64_load(part.high + i) + (f64_load(part.low + i) - f64_set(log_rest));
            const f64_m counts = f64_gt(f64_abs(share), f64_set(0));
            FN(add)(&losses, f64_select(f64_nan(share), share, f64_select(counts, -share * log, f64_set(0))));
        }
        if (l->first - start < count) target[l->first - start] = 0;
        PART_VECTORS(count) FN(add)(&targets, f64_load(target + i));
    }
    if (loss) *loss = rest != rest ? (T)NAN_VALUE : (T)f64_total(losses.sum, losses.carry);
    if (!out || !l->n) return;
    double first;
    FN(read_target)(t, l->first, 1, target);
    first = target[0];
    const double others = f64_total(targets.sum, targets.carry), whole = 1 + rest, all = others + first;
    EACH_PART(l->n) {
        FN(part)(l, start, count, &part);
        FN(read_target)(t, start, count, target);
        PART_VECTORS(count) f64_store(part.high + i, f64_set(grad) * (f64_set(all) * (FN(part_exp)(&part, i) / f64_set(whole)) - f64_load(target + i)));
        if (l->first - start < count) part.high[l->first - start] = grad * ((others - first * rest) / whole);
        FN(write)(*out, start, count, part.high);
    }
}

/* What the loss is made of: far + log1p(rest) */
typedef struct {
    double far, rest;
} FN(LossTerms);

/* The sum of the other exponentials is `rest`, the target's `mine`, the sum of all `total`; `max` is the row's largest where it is known. */
static inline FN(LossTerms) FN(loss_terms)(double rest, double mine, double total, T x, const T *max, double top) {
    if (!max || x == *max) return (FN(LossTerms)){0, rest / mine};
    return (FN(LossTerms)){(double)*max - x, total / top - 1};
}

/* One contiguous row: the softmax of softmax_by, times grad, but for the target. 0 where it is left to loss_exactly. */
static int FN(index_along)(int streaming, int writing, FN(Row) x, size_t index, T grad, FN(Row) out, size_t n, FN(LossTerms) *terms) {
    T buffer[FN(ROW_CHUNK)], max, mine[LANES], top[LANES];
    const int how = FN(row_range)(x, n, 0, &max);
    if (how == FN(FROM_AFAR)) return 0;
    const FN(Shift) by = how == FN(MODERATELY) ? (FN(Shift)){C(0), C(0)} : FN(row_shift)(FN(set)(max));
    const int twice = !writing || n >= FN(LONG_ROW) || (streaming && n > FN(ROW_CHUNK));
    const T entry_of_target = x.at[index];
    STORE(mine, FN(exp_by)(FN(set)(entry_of_target), by.k));
    STORE(top, FN(exp_by)(FN(set)(how == FN(MODERATELY) ? entry_of_target : max), by.k));
    const FN(Row) row = {streaming && !twice ? buffer : out.at, 1};
    const FN(Row) after = {x.at + index + 1, 1}, row_after = {row.at + index + 1, 1};
    double rest;
    if (twice)
        rest = (double)HOW(how, sum, x, index, by) + HOW(how, sum, after, n - index - 1, by);
    else
        rest = (double)HOW(how, take, x, row, index, by) + HOW(how, take, after, row_after, n - index - 1, by);
    const double total = rest + mine[0];
    *terms = FN(loss_terms)(rest, mine[0], total, entry_of_target, how == FN(MODERATELY) ? NULL : &max, top[0]);
    if (!writing) return 1;
    const V factor = FN(set)((T)(grad / total));
    if (twice) {
        HOW(how, exponentials, streaming, x.at, out.at, n, by, factor);
        out.at[index] = (T)(-grad * (rest / total));
    } else {
        row.at[index] = (T)-rest;
        FN(scale_row)(streaming, row.at, out.at, n, factor);
    }
    return 1;
}

/* A batch of short rows; `index` is each row's target. 0 where it is left to loss_exactly. */
static int FN(index_short)(const T *x, T *out, FN(Group) g, const int64_t *index, const T *grad, FN(LossTerms) *terms) {
    T max[FN(SHORT_ROWS)], shift[FN(SHORT_ROWS)], k[FN(SHORT_ROWS)], rest[FN(SHORT_ROWS)], factor[FN(SHORT_ROWS)], x_of[FN(SHORT_ROWS)];
    T mine[FN(SHORT_ROWS)], top[FN(SHORT_ROWS)];
    const int how = FN(group_range)(x, g, 0, max, shift, k);
    if (how == FN(FROM_AFAR)) return 0;
    const size_t padded = (g.rows + LANES - 1) / LANES * LANES;
    for (size_t r = 0; r < padded; r++) {
        x_of[r] = r < g.rows ? x[r * g.n + (size_t)index[r]] : 0;
        if (how == FN(MODERATELY)) k[r] = 0, max[r] = x_of[r];
    }
    HOW(how, group, x, out, g, shift, k);
    for (size_t r = 0; r < g.rows; r++) out[r * g.n + (size_t)index[r]] = 0;
    FN(row_sums)(out, g, rest);
    for (size_t r = 0; r < padded; r += LANES) {
        STORE(mine + r, FN(exp_by)(LOAD(x_of + r), LOAD(k + r)));
        STORE(top + r, FN(exp_by)(LOAD(max + r), LOAD(k + r)));
        STORE(factor + r, LOAD(grad + r) / (LOAD(rest + r) + LOAD(mine + r)));
    }
    for (size_t r = 0; r < g.rows; r++) {
        terms[r] = FN(loss_terms)(rest[r], mine[r], (double)rest[r] + mine[r], x_of[r], how == FN(MODERATELY) ? NULL : max + r, top[r]);
        out[r * g.n + (size_t)index[r]] = -rest[r];
    }
    EACH_ENTRY_VECTOR(g) STORE(out + i, LOAD(out + i) * OP(pick)(factor + at, of));
    return 1;
}

enum { FN(LOSS) = 1, FN(GRADIENT) = 2, FN(BOTH) = 3 };

/* The operands of a loss: grad, logits, target, label_smoothing -> loss, gradient; without those that are not there */
typedef struct {
    FN(Argument) grad, logits, target, smoothing, loss, out;
    int what, distribution;
    size_t n;
} FN(Losses);

static void FN(exact_losses)(const FN(Losses) *a, size_t row, size_t rows) {
    for (; rows; row++, rows--) {
        FN(Logits) l = FN(logits_of)(FN(argument_row)(a->logits, row), a->n);
        const FN(Row) distribution = FN(argument_row)(a->target, row), out = FN(argument_row)(a->out, row);
        const double smoothing = NUMBER_AT(double, a->smoothing, row);
        const int64_t index = a->distribution ? 0 : NUMBER_AT(int64_t, a->target, row);
        const FN(Target) t = {a->distribution ? &distribution : NULL, index, 1 - smoothing, smoothing / (double)a->n};
        T *loss = a->what & FN(LOSS) ? (T *)(a->loss.at + (ptrdiff_t)row * a->loss.outer) : NULL;
        if (index < 0) { /* ignored */
            if (loss) *loss = 0;
            for (size_t j = 0; j < a->n && a->what & FN(GRADIENT); j++) out.at[(ptrdiff_t)j * out.step] = 0;
            continue;
        }
        FN(find_largest)(&l, -HUGE_VAL);
        FN(loss_exactly)(&l, t, a->what & FN(GRADIENT) ? NUMBER_AT(T, a->grad, row) : 0, loss, a->what & FN(GRADIENT) ? &out : NULL);
    }
}

static void FN(finish_losses)(const FN(Losses) *a, size_t row, size_t rows, const FN(LossTerms) *terms) {
    double rest[FN(SHORT_ROWS) + f64_lanes];
    for (size_t i = 0; i < rows; i++) rest[i] = terms[i].rest;
    for (size_t i = rows; i % f64_lanes; i++) rest[i] = 0;
    for (size_t i = 0; i < rows; i += f64_lanes) f64_store(rest + i, FN(log1p)(f64_load(rest + i)));
    for (size_t i = 0; i < rows; i++) *(T *)(a->loss.at + (ptrdiff_t)(row + i) * a->loss.outer) = (T)(terms[i].far + rest[i]);
}

/* Indices without smoothing, of rows that lie contiguous, batch by batch: `row` to `row` + `rows`. A gradient that is not wanted, or is
 * streamed, goes through a buffer. */
static void FN(index_batch)(int streaming, const FN(Losses) *a, size_t row, size_t rows, const int32_t *row_of) {
    const int writing = (a->what & FN(GRADIENT)) != 0;
    int64_t index[FN(SHORT_ROWS)];
    T grad[FN(SHORT_ROWS)];
    FN(LossTerms) terms[FN(SHORT_ROWS)];
    int fits = 1;
    for (size_t i = 0; i < (rows + LANES - 1) / LANES * LANES; i++) {
        const int64_t given = i < rows ? NUMBER_AT(int64_t, a->target, row + i) : 0;
        index[i] = given < 0 ? 0 : given;
        grad[i] = writing && i < rows ? NUMBER_AT(T, a->grad, row + i) : 0;
    }
    if (row_of) {
        T x[FN(SHORT_BUFFER)], out[FN(SHORT_BUFFER)];
        const size_t n = a->n, entries = (rows * n + LANES - 1) / LANES * LANES;
        const FN(Group) g = {rows, n, entries, row_of};
        const ptrdiff_t dense = (ptrdiff_t)(n * sizeof(T));
        const T *from = FN(argument_row)(a->logits, row).at;
        T *to = FN(argument_row)(a->out, row).at;
        const int copied = a->logits.outer != dense || rows % LANES, through = streaming || !writing || a->out.outer != dense || rows % LANES;
        if (copied) {
            for (size_t i = 0; i < rows; i++) memcpy(x + i * n, FN(argument_row)(a->logits, row + i).at, n * sizeof(T));
            for (size_t i = rows * n; i < entries; i++) x[i] = 0;
        }
        fits = FN(index_short)(copied ? x : from, through ? out : to, g, index, grad, terms);
        if (fits && streaming)
            MAP_ROW(1, out, to, rows * n, C(0), entry);
        else if (fits && through && writing)
            for (size_t i = 0; i < rows; i++) memcpy(FN(argument_row)(a->out, row + i).at, out + i * n, n * sizeof(T));
        if (!fits) FN(exact_losses)(a, row, rows);
    } else
        for (size_t i = 0; i < rows; i++) {
            const FN(Row) x = FN(argument_row)(a->logits, row + i), out = writing ? FN(argument_row)(a->out, row + i) : x;
            if (FN(index_along)(streaming, writing, x, (size_t)index[i], grad[i], out, a->n, terms + i)) continue;
            FN(exact_losses)(a, row + i, 1);
            terms[i] = (FN(LossTerms)){a->what & FN(LOSS) ? *(T *)(a->loss.at + (ptrdiff_t)(row + i) * a->loss.outer) : 0, 0};
        }
    if (fits && a->what & FN(LOSS)) FN(finish_losses)(a, row, rows, terms);
    for (size_t i = 0; i < rows; i++)
        if (NUMBER_AT(int64_t, a->target, row + i) < 0) FN(exact_losses)(a, row + i, 1);
}

static void FN(loss_rows)(int distribution, int what, char **args, const intptr_t *dimensions, const intptr_t *steps) {
    const size_t rows = (size_t)dimensions[0], n = (size_t)dimensions[1];
    const int graded = (what & FN(GRADIENT)) != 0, operands = graded + 3 + (what == FN(BOTH) ? 2 : 1);
    const Flags flags = flags_get();
    FN(Argument) list[6], none = {NULL, 0, 0};
    for (int k = 0, cores = 0; k < operands; k++) {
        const int core = k == graded || (distribution && k == graded + 1) || (graded && k == operands - 1);
        list[k] = (FN(Argument)){args[k], steps[k], core ? steps[operands + cores++] : 0};
    }
    const FN(Losses) a = {graded ? list[0] : none, list[graded], list[graded + 1], list[graded + 2],
                          what & FN(LOSS) ? list[graded + 3] : none, graded ? list[operands - 1] : none, what, distribution, n};
    int fast = !distribution && n && a.logits.inner == sizeof(T) && (!graded || a.out.inner == sizeof(T));
    for (size_t row = 0; row < rows && fast; row++) {
        fast = NUMBER_AT(double, a.smoothing, row) == 0;
        if (!a.smoothing.outer) break;
    }
    if (fast) {
        int streaming = 0;
#ifdef HAVE_STREAM
        streaming = graded && rows * n * sizeof(T) >= FN(STREAMED_BYTES) && a.out.at != a.logits.at && (uintptr_t)a.out.at % sizeof(T) == 0 &&
                    (n > FN(SHORT_ROW) || a.out.outer == (ptrdiff_t)(n * sizeof(T)));
#endif
        const int grouped = n <= FN(SHORT_ROW) && LANES > 1;
        int32_t row_of[FN(SHORT_BUFFER)];
        if (grouped) FN(entry_rows)(row_of, n, rows < LANES ? rows : LANES);
        const size_t batch = grouped ? FN(batch_rows)(n) : FN(LOG_ROWS);
        for (size_t row = 0; row < rows; row += batch) {
            const size_t count = rows - row < batch ? rows - row : batch;
            FN(index_batch)(streaming, &a, row, count, grouped ? row_of : NULL);
        }
#ifdef HAVE_STREAM
        if (streaming) stream_end();
#endif
    } else
        FN(exact_losses)(&a, 0, rows);
    flags_restore(flags);
}
#define LOSS_LOOP(name, distribution, what)                                                                   \
    static void FN(name##_loop)(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) { \
        (void)data;                                                                                           \
        FN(loss_rows)(distribution, what, args, dimensions, steps);                                           \
    }
LOSS_LOOP(cross_entropy, 0, FN(LOSS))
LOSS_LOOP(cross_entropy_backward, 0, FN(GRADIENT))
LOSS_LOOP(cross_entropy_both, 0, FN(BOTH))
LOSS_LOOP(cross_entropy_distribution, 1, FN(LOSS))
LOSS_LOOP(cross_entropy_distribution_backward, 1, FN(GRADIENT))
LOSS_LOOP(cross_entropy_distribution_both, 1, FN(BOTH))
#undef LOSS_LOOP
