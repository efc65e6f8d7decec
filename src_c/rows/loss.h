/* The cross entropy of rows of logits. It serves any target and stride in double. Contiguous rows with an index as target take a
 * way as fast as a softmax. */

/* What a target is of an entry: (1 - s) times 1 at the index or its own entry of a distribution, and s / n */
typedef struct {
    const Row *distribution; /* or NULL */
    ptrdiff_t index;
    double share, rest; /* 1 - s, s / n */
} Target;

static void read_target(Target t, size_t start, size_t count, double *value) {
    if (t.distribution)
        read_entries(*t.distribution, start, count, NULL, 0, value);
    else
        for (size_t i = 0; i < count; i++) value[i] = (ptrdiff_t)(start + i) == t.index;
    for (size_t i = 0; i < count; i++) value[i] = t.share * value[i] + t.rest;
    for (size_t i = count; i % f64_lanes; i++) value[i] = 0;
}

/* grad * (sum(t) p - t); at the largest entry by the rest, since p may be near 1. The loss is -sum(t log p). */
static void loss_exactly(const Logits *l, Target t, double grad, T *loss, const Row *out) {
    Part part;
    double target[PART];
    Adder losses = {f64_set(0), f64_set(0)}, targets = losses;
    f64_v infinite = f64_set(0); /* terms apart, which would make what a sum carries NaN */
    const double rest = rest_of(l), log_rest = log1p_number(rest);
    EACH_PART(l->n) {
        part_from(l, start, count, &part);
        read_target(t, start, count, target);
        PART_VECTORS(count) {
            const f64_v share = f64_load(target + i), log = f64_load(part.high + i) + (f64_load(part.low + i) - f64_set(log_rest));
            const f64_m counts = f64_gt(f64_abs(share), f64_set(0));
            const f64_v term = f64_select(f64_nan(share), share, f64_select(counts, -share * log, f64_set(0)));
            const f64_m endless = f64_gt(f64_abs(term), f64_set(0x1.fffffffffffffp1023));
            infinite = f64_select(endless, infinite + term, infinite);
            add_term(&losses, f64_select(endless, f64_set(0), term));
        }
        if (l->first - start < count) target[l->first - start] = 0;
        PART_VECTORS(count) add_term(&targets, f64_load(target + i));
    }
    if (loss) *loss = l->n && rest != rest ? (T)NAN_VALUE : (T)(f64_total(losses.sum, losses.carry) + f64_sum(infinite));
    if (!out || !l->n) return;
    double first;
    read_target(t, l->first, 1, target);
    first = target[0];
    const double others = f64_total(targets.sum, targets.carry), whole = 1 + rest, all = others + first;
    EACH_PART(l->n) {
        part_from(l, start, count, &part);
        read_target(t, start, count, target);
        PART_VECTORS(count) {
            const f64_v p = part_exp(&part, i) / f64_set(whole);
            f64_store(part.high + i, f64_set(grad) * (f64_set(all) * p - f64_load(target + i)));
        }
        if (l->first - start < count) part.high[l->first - start] = grad * ((others - first * rest) / whole);
        write_entries(*out, start, count, part.high);
    }
}

/* The losses of rows are far + log1p(ratio). Where the target is not hopelessly small, ratio is the sum of the others over its own
 * exponential; otherwise far is what the largest entry is ahead of it, and ratio the sum less the largest over the largest. Neither
 * hangs on how the exponentials were taken, so that no row's bits do. */
#define FAR_RATIO ((T)0x1p60)
static ALWAYS_INLINE M near_terms(V rest, V mine, T *far, T *ratio) {
    const V quotient = rest / mine;
    STORE(far, C(0));
    STORE(ratio, quotient);
    return GE(quotient, C(FAR_RATIO)); /* which will not do */
}
static ALWAYS_INLINE void far_terms(M is_far, V rest, V mine, V top, V x, V max, T *far, T *ratio) {
    STORE(far, SELECT(is_far, max - x, C(0)));
    STORE(ratio, SELECT(is_far, ((rest - top) + mine) / top, LOAD(ratio)));
}

static T exp_of_entry(T x, V k) {
    T lanes[LANES];
    STORE(lanes, exp_by(C(x), k));
    return lanes[0];
}

/* One contiguous row: weight * (softmax - 1 at the index), where there is an `out`. 0 where it is left to loss_exactly. */
static int index_along(Line *line, Row x, size_t index, T weight, const Row *out, size_t n, T *far, T *ratio) {
    T buffer[ROW_CHUNK];
    const int twice = out && taken_twice(line, n);
    const Row row = {n <= ROW_CHUNK || !out ? buffer : out->at, 1};
    const int over = out && row.at == x.at && !twice; /* exponentials are written over x: its maximum may be asked for */
    const T entry = x.at[index], first = over ? row_maximum(x, n) : 0;
    if (how_far(first) == FROM_AFAR) return 0;
    const Taken taken = take_row(x, out && !twice ? &row : NULL, n, 0, index);
    if (taken.how == FROM_AFAR) return 0;
    const T rest = taken.sum, mine = out && !twice ? row.at[index] : exp_of_entry(entry, taken.by.k);
    *far = 0;
    *ratio = rest / mine;
    if (*ratio >= FAR_RATIO) {
        const T max = over ? first : taken.how == MODERATELY ? row_maximum(x, n) : taken.max, top = exp_of_entry(max, taken.by.k);
        *far = max - entry;
        *ratio = ((rest - top) + mine) / top;
    }
    if (!out) return 1;
    const Factor quotient = quotient_of(C(weight), C(rest + mine), C(0));
    const int how = how_to_finish(taken.how, least_size(quotient.scale, C(1)));
    const Factor factor = power_apart(how, quotient);
    if (twice) {
        T product[LANES];
        STORE(product, times_factor(how, LOW_FACTORS, C(-rest), factor));
        HOW(how, exponentials_moderately, exponentials_nearly, exponentials_from_afar, line, x.at, out->at, n, taken.by, factor);
        if (line) flush_line(line);
        out->at[index] = product[0];
    } else {
        row.at[index] = -rest;
        HOW(how, scale_moderately, scale_nearly, scale_from_afar, line, row.at, out->at, n, factor);
    }
    return 1;
}

/* A batch of short rows, with what is at `target` for each; without an `out` there is no gradient. 0 where one of them is left to
 * loss_exactly. */
static int index_short(const T *x, T *out, Group g, const int64_t *index, const T *weight, T *far, T *ratio, Line *behind) {
    ALIGNED T buffer[SHORT_BUFFER], rest[SHORT_ROWS], sum[SHORT_ROWS], low[SHORT_ROWS], mine[SHORT_ROWS];
    T *e = scratch_of(behind, out, buffer);
    Shifts by;
    group_exponentials(x, e, g, 0, &by, behind);
    if (by.how == FROM_AFAR) return 0;
    T *target = e;
    for (size_t r = 0; r < g.rows; r++, target += g.n) {
        mine[r] = target[index[r]];
        target[index[r]] = 0;
    }
    for (size_t r = g.rows; r % LANES; r++) mine[r] = 0;
    row_sums(e, g, rest);
    int has_maxima = by.how != MODERATELY;
    for (size_t r = 0; r < g.rows; r += LANES) {
        const V own = LOAD(mine + r), others = LOAD(rest + r);
        const M is_far = near_terms(others, own, far + r, ratio + r);
        STORE(sum + r, others + own);
        STORE(low + r, C(0));
        if (!ANY(is_far)) continue;
        T entry[LANES] = {0};
        for (size_t i = 0; i < LANES && r + i < g.rows; i++) entry[i] = x[(r + i) * g.n + (size_t)index[r + i]];
        if (!has_maxima) row_maxima(x, g, by.max);
        has_maxima = 1;
        const V top = exp_by(LOAD(by.max + r), by.how == MODERATELY ? C(0) : LOAD(by.k + r));
        far_terms(is_far, others, own, top, LOAD(entry), LOAD(by.max + r), far + r, ratio + r);
    }
    if (!out) return 1;
    target = e;
    for (size_t r = 0; r < g.rows; r++, target += g.n) target[index[r]] = -rest[r];
    divide_short(by.how, e, out, g, weight, sum, low);
    return 1;
}

/* A tile of rows side by side */
static int index_across(int streaming, Row x, const int64_t *index, const T *weight, const Row *out, size_t n, size_t width, T *far,
                            T *ratio) {
    V max[TILE_VECTORS] = {C(0)}, rest[TILE_VECTORS], place[TILE_VECTORS];
    Factor factor[TILE_VECTORS] = {{C(0), C(0), C(0)}};
    ALIGNED T entry[TILE] = {0}, at[TILE] = {0}, product[TILE];
    Shift by[TILE_VECTORS];
    for (size_t i = 0; i < width; i++) {
        at[i] = (T)index[i];
        entry[i] = x.at[index[i] * x.step + (ptrdiff_t)i];
    }
    EACH_VECTOR(width) place[v] = LOAD(at + i);
    const int twice = tile_twice(streaming, x, out ? *out : (Row){NULL, 0}, n, width);
    int has_maxima = out && out->at == x.at && !twice; /* exponentials are written over x */
    if (has_maxima) tile_maxima(x, n, width, max);
    if (has_maxima && tile_shifts(max, width, 0, by) == FROM_AFAR) return 0;
    const int how = take_tile(x, twice ? NULL : out, n, width, 0, place, by, max, rest, NULL);
    if (how == FROM_AFAR) return 0;
    has_maxima |= how != MODERATELY;
    EACH_VECTOR(width) {
        const V own = LOAD(entry + i), mine = exp_by(own, by[v].k);
        const M is_far = near_terms(rest[v], mine, far + i, ratio + i);
        factor[v] = quotient_of(LOAD_SOME(weight + i, width - i, C(0)), rest[v] + mine, C(0));
        STORE(product + i, times_factor(NEARLY, LOW_FACTORS, -rest[v], power_apart(NEARLY, factor[v])));
        if (!ANY(is_far)) continue;
        if (!has_maxima) tile_maxima(x, n, width, max);
        has_maxima = 1;
        far_terms(is_far, rest[v], mine, exp_by(max[v], by[v].k), own, max[v], far + i, ratio + i);
    }
    if (!out) return 1;
    finish_across(how, twice, streaming, x, *out, n, width, by, factor);
    for (size_t i = 0; i < width; i++) out->at[index[i] * out->step + (ptrdiff_t)i] = product[i];
    return 1;
}

enum { LOSS = 1, GRADIENT = 2, BOTH = 3 };

/* The operands of a loss: grad, logits, target, label_smoothing -> loss, gradient; without those that are not there */
typedef struct {
    Operand grad, logits, target, smoothing, loss, out;
    int what, distribution;
    size_t n;
    LossCall *call; /* or NULL */
} Losses;

/* Targets that are no index in range. A row that is ignored does not count: its results are 0. A wrong target names no entry: its results are NaN.
 * The callers of these loops have refused wrong targets. One that is met here was written by another thread meanwhile. */
enum { IGNORED = -1, WRONG = -2 };

static inline int64_t checked_index(int64_t index, size_t n) {
    return index == IGNORED || (uint64_t)index < n ? index : WRONG;
}

/* Copies and checks the targets of rows. Only this copy is used afterwards: other threads may write the caller's memory. Returns whether all are
 * indices in range. */
static int read_indices(const Losses *a, size_t row, size_t rows, int64_t *index) {
    const int64_t *at = (const int64_t *)(a->target.data + (ptrdiff_t)row * a->target.outer);
    int64_t all = 0;
    if (a->target.outer == sizeof(int64_t)) {
        for (size_t i = 0; i < rows; i += 8) PREFETCH(at + rows + i); /* the next batch's */
        memcpy(index, at, rows * sizeof(int64_t));
    } else
        for (size_t i = 0; i < rows; i++) index[i] = NUMBER_AT(int64_t, a->target, row + i);
    SETTLE(index);
    for (size_t i = 0; i < rows; i++) {
        index[i] = checked_index(index[i], a->n);
        all |= index[i];
    }
    if (all < 0 && a->call)
        for (size_t i = 0; i < rows; i++) a->call->wrong |= index[i] == WRONG;
    return all >= 0;
}

/* One row, by its index, which has been checked, or its distribution */
static void exact_loss(const Losses *a, size_t row, int64_t index) {
    const Row distribution = row_of(a->target, row), out = row_of(a->out, row);
    const double smoothing = NUMBER_AT(double, a->smoothing, row);
    const Target t = {a->distribution ? &distribution : NULL, index, 1 - smoothing, smoothing / (double)a->n};
    T *loss = a->what & LOSS ? entry_at(a->loss, row) : NULL;
    if (index < 0) {
        const T value = index == IGNORED ? 0 : (T)NAN_VALUE;
        if (loss) *loss = value;
        for (size_t j = 0; j < a->n && a->what & GRADIENT; j++) out.at[(ptrdiff_t)j * out.step] = value;
        return;
    }
    Logits l = logits_of(row_of(a->logits, row), a->n);
    find_largest(&l, -HUGE_VAL);
    loss_exactly(&l, t, a->what & GRADIENT ? NUMBER_AT(T, a->grad, row) : 0, loss, a->what & GRADIENT ? &out : NULL);
}

static void exact_losses(const Losses *a, size_t rows) {
    for (size_t row = 0; row < rows; row++) {
        int64_t index = 0;
        if (!a->distribution) read_indices(a, row, 1, &index);
        exact_loss(a, row, index);
    }
}

static void finish_losses(const Losses *a, size_t row, size_t rows, const T *far, T *ratio) {
    far_logarithms(far, ratio, rows);
    if (a->loss.outer == sizeof(T))
        memcpy(entry_at(a->loss, row), ratio, rows * sizeof(T));
    else
        for (size_t i = 0; i < rows; i++) *entry_at(a->loss, row + i) = ratio[i];
}

/* Rows of n entries from `from` to `to`, with the steps of each in bytes: from entry to entry, and from row to row */
static void copy_rows(const char *from, ptrdiff_t inner, ptrdiff_t outer, char *to, ptrdiff_t to_inner, ptrdiff_t to_outer, size_t rows,
                          size_t n) {
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < rows; i++)
            *(T *)(to + (ptrdiff_t)j * to_inner + (ptrdiff_t)i * to_outer) = *(const T *)(from + (ptrdiff_t)j * inner + (ptrdiff_t)i * outer);
}

/* Short rows, through buffers where they are not dense or the gradient is streamed, or not wanted. */
static int index_group(Line *line, const Losses *a, size_t row, Group g, const int64_t *index, const T *weight, T *far, T *ratio) {
    ALIGNED T x[SHORT_BUFFER], buffer[SHORT_BUFFER];
    const ptrdiff_t dense = (ptrdiff_t)(g.n * sizeof(T));
    const int writing = a->what & GRADIENT, whole = g.rows % LANES == 0;
    const int copied = a->logits.inner != sizeof(T) || a->logits.outer != dense || !whole;
    const int through = !writing || a->out.inner != sizeof(T) || a->out.outer != dense || !whole;
    T *to = row_of(a->out, row).at;
    if (copied) copy_rows((char *)row_of(a->logits, row).at, a->logits.inner, a->logits.outer, (char *)x, sizeof(T), dense, g.rows, g.n);
    for (size_t i = g.rows * g.n; i < g.entries; i++) x[i] = 0;
    T *out = !writing ? NULL : line ? free_room(line) : through ? buffer : to;
    if (!index_short(copied ? x : row_of(a->logits, row).at, out, g, index, weight, far, ratio, line)) return 0;
    if (line)
        hand_over(line, to, out, g.rows * g.n);
    else if (through && writing)
        copy_rows((char *)out, sizeof(T), dense, (char *)to, a->out.inner, a->out.outer, g.rows, g.n);
    return 1;
}

/* The loss that loss_exactly has left, as terms */
static void exact_terms(const Losses *a, size_t row, int64_t index, T *far, T *ratio) {
    exact_loss(a, row, index);
    *far = a->what & LOSS ? *entry_at(a->loss, row) : 0;
    *ratio = 0;
}

/* How rows lie whose targets are indices without smoothing; all others are left to loss_exactly. */
enum { ALONG, SHORT, ACROSS };

/* One row or, unless they lie ALONG, several. 0 where one of them is left to loss_exactly. */
static int index_rows(int layout, Line *line, const Losses *a, size_t row, size_t rows, const int64_t *index, const T *weight,
                      const int32_t *of, T *far, T *ratio) {
    const Row x = row_of(a->logits, row), to = row_of(a->out, row), *out = a->what & GRADIENT ? &to : NULL;
    if (layout == ACROSS) return index_across(line != NULL, x, index, weight, out, a->n, rows, far, ratio);
    expect_write(line, a->out, row, a->n);
    if (layout == ALONG) return index_along(line, x, (size_t)*index, *weight, out, a->n, far, ratio);
    const Group g = group_of(rows, a->n, of);
    return index_group(line, a, row, g, index, weight, far, ratio);
}

/* `rows` of them from `row` on. Among several, one that is left to loss_exactly makes each go by itself: so that no other's bits
 * depend on it. */
static void index_batch(int layout, Line *line, const Losses *a, size_t row, size_t rows, const int32_t *row_of) {
    const int writing = a->what & GRADIENT;
    int64_t target[SHORT_ROWS], index[SHORT_ROWS];
    ALIGNED T weight[SHORT_ROWS + LANES], far[SHORT_ROWS], ratio[SHORT_ROWS], by_itself[2][LANES];
    const int every = read_indices(a, row, rows, target);
    for (size_t i = 0; i < rows; i++) index[i] = target[i] & ~(target[i] >> 63); /* 0 for a row that does not count, which is computed all the same */
    const T first = writing ? NUMBER_AT(T, a->grad, row) : 0;
    for (size_t i = 0; i < rows; i++) weight[i] = first;
    for (size_t i = 0; i < rows && writing && a->grad.outer; i++) weight[i] = NUMBER_AT(T, a->grad, row + i);
    for (size_t i = rows; i % LOG_ROOM; i++) weight[i] = far[i] = ratio[i] = 0;
    const int together = layout != ALONG && are_ordinary(weight, a->grad.outer ? rows : 1) &&
                         index_rows(layout, line, a, row, rows, index, weight, row_of, far, ratio);
    for (size_t i = 0; i < rows && !together; i++) {
        T weights[LANES] = {weight[i]};
        if (is_ordinary(weight[i]) &&
            index_rows(layout, layout == ALONG ? line : NULL, a, row + i, 1, index + i, weights, row_of, by_itself[0], by_itself[1])) {
            far[i] = by_itself[0][0];
            ratio[i] = by_itself[1][0];
        } else
            exact_terms(a, row + i, target[i], far + i, ratio + i);
    }
    if (a->what & LOSS) finish_losses(a, row, rows, far, ratio);
    if (every) return;
    if (line) finish_piece(line), flush_line(line); /* what is not written yet would go over what follows */
    for (size_t i = 0; i < rows; i++)
        if (target[i] < 0) exact_loss(a, row + i, target[i]);
}

static void index_losses(int layout, const Losses *a, size_t rows, size_t in_all) {
    const int graded = a->what & GRADIENT;
    const int streaming = graded && a->out.data != a->logits.data && is_streamed(a->out, in_all, a->n, layout != ACROSS, SHORT_ROW);
    ALIGNED T rooms[2][ROOM];
    Line pending = {.rooms = rooms}, *line = streaming ? &pending : NULL;
    ALIGNED int32_t row_of[SHORT_BUFFER];
    if (layout == SHORT) entry_rows(row_of, a->n, rows);
    const int kept = graded && !(FAST && (streaming || a->out.data == a->logits.data));
    const size_t tile = tile_width(kept, is_large(2 * in_all, a->n), a->n);
    const size_t batch = layout == SHORT ? batch_rows(batch_entries(streaming, 1, a->n), a->n) : LOG_ROWS;
    const size_t head = layout == SHORT && streaming ? rows_before_line(a->logits, rows, a->n) : 0; /* else a call is of few rows */
    for (size_t row = 0, count; row < rows; row += count) {
        count = layout == SHORT ? short_count(row, rows, head, batch) : rows - row < batch ? rows - row : batch;
        if (layout == ACROSS) count = tile_rows(tile, a->out, row, rows);
        index_batch(layout, line, a, row, count, row_of);
    }
    end_streaming(line);
}

/* `call` is NULL where NumPy calls. */
static void loss_rows(int distribution, int what, char **args, const intptr_t *dimensions, const intptr_t *steps, LossCall *call) {
    const size_t rows = (size_t)dimensions[0], n = (size_t)dimensions[1];
    const int graded = (what & GRADIENT) != 0, operands = graded + 3 + (what == BOTH ? 2 : 1);
    const FloatState callers = enter_default_state();
    Operand list[6], none = {NULL, 0, 0};
    for (int k = 0, cores = 0; k < operands; k++) {
        const int core = k == graded || (distribution && k == graded + 1) || (graded && k == operands - 1);
        list[k] = (Operand){args[k], steps[k], core ? steps[operands + cores++] : 0};
    }
    const Losses a = {graded ? list[0] : none, list[graded], list[graded + 1], list[graded + 2],
                          what & LOSS ? list[graded + 3] : none, graded ? list[operands - 1] : none, what, distribution, n, call};
    const int along = a.logits.inner == sizeof(T) && (!graded || a.out.inner == sizeof(T));
    const int across = a.logits.outer == sizeof(T) && (!graded || a.out.outer == sizeof(T)) && n < 1 << 24; /* places are exact as floats */
    const int layout = along && (n > SHORT_ROW || LANES == 1) ? ALONG : across && !along ? ACROSS : SHORT;
    int fast = !distribution && n && (layout != SHORT || (n <= SHORT_ROW && LANES > 1));
    for (size_t row = 0; row < rows && fast; row++) {
        fast = NUMBER_AT(double, a.smoothing, row) == 0;
        if (!a.smoothing.outer) break;
    }
    if (fast)
        index_losses(layout, &a, rows, call ? (size_t)call->rows : rows);
    else
        exact_losses(&a, rows);
    restore_state(callers);
}
static void cross_entropy_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    loss_rows(0, LOSS, args, dimensions, steps, data);
}
static void cross_entropy_backward_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    loss_rows(0, GRADIENT, args, dimensions, steps, data);
}
static void cross_entropy_both_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    loss_rows(0, BOTH, args, dimensions, steps, data);
}
static void cross_entropy_distribution_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    loss_rows(1, LOSS, args, dimensions, steps, data);
}
static void cross_entropy_distribution_backward_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    loss_rows(1, GRADIENT, args, dimensions, steps, data);
}
static void cross_entropy_distribution_both_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    loss_rows(1, BOTH, args, dimensions, steps, data);
}
#undef FAR_RATIO
