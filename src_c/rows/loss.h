/* The cross entropy of rows of logits. Targets that are indices take the ways of a softmax. All others go row
 * by row in double. */

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

/* grad * (sum(t) p - t); at the largest entry by the rest, as p may be near 1. The loss is -sum(t log p). */
static void loss_exactly(const Logits *l, Target t, double grad, T *loss, const Row *out) {
    Part part;
    double target[PART];
    Adder losses = {f64_set(0), f64_set(0)}, targets = losses;
    f64_v infinite = f64_set(0); /* terms apart, which would make what a sum carries NaN */
    const double rest = rest_of(l), log_rest = log1p_number(rest);
    for (size_t start = 0, count; start < l->n; start += count) {
        count = at_most(PART, l->n - start);
        part_from(l, start, count, &part);
        read_target(t, start, count, target);
        for (size_t i = 0; i < count; i += f64_lanes) {
            const f64_v share = f64_load(target + i);
            const f64_v log = f64_load(part.high + i) + (f64_load(part.low + i) - f64_set(log_rest));
            const f64_m counts = f64_gt(f64_abs(share), f64_set(0));
            const f64_v counted = f64_select(counts, -share * log, f64_set(0));
            const f64_v term = f64_select(f64_nan(share), share, counted);
            const f64_m endless = f64_gt(f64_abs(term), f64_set(0x1.fffffffffffffp1023));
            infinite = f64_select(endless, infinite + term, infinite);
            add_term(&losses, f64_select(endless, f64_set(0), term));
        }
        if (l->first - start < count) target[l->first - start] = 0;
        for (size_t i = 0; i < count; i += f64_lanes) add_term(&targets, f64_load(target + i));
    }
    if (loss) *loss = (T)(f64_total(losses.sum, losses.carry) + f64_sum(infinite));
    if (loss && l->n && rest != rest) *loss = NAN_VALUE;
    if (!out || !l->n) return;
    double first;
    read_target(t, l->first, 1, target);
    first = target[0];
    const double others = f64_total(targets.sum, targets.carry), whole = 1 + rest, all = others + first;
    for (size_t start = 0, count; start < l->n; start += count) {
        count = at_most(PART, l->n - start);
        part_from(l, start, count, &part);
        read_target(t, start, count, target);
        for (size_t i = 0; i < count; i += f64_lanes) {
            const f64_v p = part_exp(&part, i) / f64_set(whole);
            f64_store(part.high + i, f64_set(grad) * (f64_set(all) * p - f64_load(target + i)));
        }
        if (l->first - start < count) part.high[l->first - start] = grad * ((others - first * rest) / whole);
        write_entries(*out, start, count, part.high);
    }
}

/* What a cross entropy gives, and whether its targets are distributions rather than indices */
enum { WITH_LOSS = 1, WITH_GRADIENT = 2, WITH_BOTH = 3, DISTRIBUTION = 4 };

/* A loss and its gradient: grad, logits, target, label_smoothing -> loss, gradient; those that are not there
 * have no data */
typedef struct {
    Call c; /* first, x and out are the weight, the logits and the gradient */
    Operand target, smoothing, loss;
    int distribution, wrong; /* whether a target was not in range */
} Losses;

/* Targets that are no index in range. A row that is ignored does not count: its results are 0. A wrong target
 * names no entry: its results are NaN. The callers of these loops have refused wrong targets. One that is met
 * here was written by another thread meanwhile. */
enum { IGNORED = -1, WRONG = -2 };

/* Copies and checks the targets of rows. Only this copy is used afterwards: other threads may write the
 * caller's memory. Returns whether all are indices in range. */
static int read_indices(Losses *a, size_t row, size_t rows, int64_t *index) {
    const int64_t *at = (const int64_t *)(a->target.data + (ptrdiff_t)row * a->target.outer);
    const size_t n = a->c.n;
    int64_t all = 0;
    if (a->target.outer == sizeof(int64_t))
        memcpy(index, at, rows * sizeof(int64_t));
    else
        for (size_t i = 0; i < rows; i++) index[i] = NUMBER_AT(int64_t, a->target, row + i);
    SETTLE(index);
    for (size_t i = 0; i < rows; i++) {
        index[i] = index[i] == IGNORED || (uint64_t)index[i] < n ? index[i] : WRONG;
        all |= index[i];
    }
    for (size_t i = 0; i < rows && all < 0; i++) a->wrong |= index[i] == WRONG;
    return all >= 0;
}

/* One row, by its index, which has been checked, or its distribution */
static void exact_loss(const Losses *a, size_t row, int64_t index) {
    const Row distribution = row_of(a->target, row), out = row_of(a->c.out, row);
    const double smoothing = NUMBER_AT(double, a->smoothing, row);
    const double least = smoothing / (double)a->c.n;
    const Target t = {a->distribution ? &distribution : NULL, index, 1 - smoothing, least};
    T *loss = a->loss.data ? entry_at(a->loss, row) : NULL;
    if (index < 0) {
        const T value = index == IGNORED ? 0 : (T)NAN_VALUE;
        if (loss) *loss = value;
        if (a->c.out.data) fill_entries(out.at, out.step, 0, a->c.n, value);
        return;
    }
    Logits l = logits_of(row_of(a->c.x, row), a->c.n);
    find_largest(&l, -HUGE_VAL);
    loss_exactly(&l, t, a->c.out.data ? *entry_at(a->c.first, row) : 0, loss, a->c.out.data ? &out : NULL);
}

/* Of the rows of a vector: the logit and the exponential of the target, the sum of the other exponentials,
 * and the loss */
typedef struct {
    ALIGNED T x[LANES], mine[LANES], others[LANES], loss[LANES];
} Terms;

/* Where a target is not hopelessly small, its loss is log(1 + others / mine). Where it is, the largest entry
 * is ahead of it, and the loss is max - x + log(1 + (others - top + mine) / top), with the exponential `top`
 * of the largest. Returns whether there are rows of that kind. */
static int find_losses(Terms *t, V max, V top) {
    const V mine = LOAD(t->mine), others = LOAD(t->others), ratio = others / mine;
    const M far = GE(ratio, C((T)0x1p60));
    const V by_largest = SELECT(far, ((others - top) + mine) / top, ratio);
    STORE(t->loss, SELECT(far, max - LOAD(t->x), C(0)) + log1p_of_parts(by_largest, C(0)));
    return ANY(far);
}

/* The weight over the sum. The gradient at the target is -others times this factor. */
static Factor loss_factor(const Terms *t, const Losses *a, size_t row, size_t count) {
    return factor_of(numbers_of(a->c.first, row, count), LOAD(t->others) + LOAD(t->mine), C(0));
}

static void put_losses(const Losses *a, const Terms *t, size_t row, size_t count) {
    if (!a->loss.data) return;
    if (a->loss.outer == sizeof(T))
        STORE_SOME(entry_at(a->loss, row), LOAD(t->loss), count);
    else
        for (size_t i = 0; i < count; i++) *entry_at(a->loss, row + i) = t->loss[i];
}

/* The logits at the targets of rows, which are read before gradients go over them */
static void read_logits(const Losses *a, size_t row, const int64_t *index, size_t count, T *x) {
    const Operand logits = a->c.x;
    const char *at = logits.data + (ptrdiff_t)row * logits.outer;
    for (size_t i = 0; i < count; i++, at += logits.outer)
        x[i] = *(const T *)(at + (ptrdiff_t)index[i] * logits.inner);
    for (size_t i = count; i < LANES; i++) x[i] = 0;
}

/* Whether the gradient of a row is of a size that leaves its products normal */
static inline int has_ordinary_weight(const Call *c, size_t row) {
    return !c->out.data || is_ordinary(*entry_at(c->first, row));
}

/* A batch by each of three ways; 0 where a row is left to loss_exactly. Operands are unchanged then. */
static NOINLINE int flat_losses(const Losses *a, Buffers *f, size_t row, size_t count, const int64_t *index,
                                Stream *stream) {
    Batch batch, *b = &batch;
    const Call *c = &a->c;
    FlatFinish by;
    const int writing = c->out.data != NULL;
    b->g = group_of(count, c->n, f->row_of);
    b->mask = NULL;
    b->x = dense_rows(c->x, row, b->g, c->n, f->x);
    b->e = f->flat_e;
    if (!take_batch(c, b, row, f->x, stream)) return 0;
    T *e = b->e;
    for (size_t r = 0; r < count; r++, e += c->n) {
        b->top[r] = e[index[r]];
        e[index[r]] = 0;
    }
    row_sums(b->e, b->g, b->sum);
    int has_maxima = b->by_k;
    e = b->e;
    for (size_t r = 0; r < count; r += LANES) {
        const size_t some = at_most(LANES, count - r);
        Terms t = {0};
        STORE(t.mine, SELECT(FIRST(some), LOAD(b->top + r), C(1)));
        STORE(t.others, LOAD(b->sum + r));
        if (find_losses(&t, C(0), C(1))) {
            read_logits(a, row + r, index + r, some, t.x);
            if (!has_maxima) row_maxima(b->x, b->g, b->max);
            has_maxima = 1;
            const V shift = b->by_k ? LOAD(b->shift + r) : C(0), max = LOAD(b->max + r);
            const Shift by = b->by_k ? (Shift){LOAD(b->bias + r), C(0)} : no_shift();
            find_losses(&t, max, exp_by(max - shift, c->s, (Shift){by.bias, NOTHING}));
        }
        put_losses(a, &t, row + r, some);
        if (!writing) continue;
        const Factor factor = loss_factor(&t, a, row + r, some);
        STORE(by.scale + r, factor.scale);
        STORE(by.low + r, factor.low);
        STORE(by.power + r, factor.power);
        for (size_t i = 0; i < some; i++, e += c->n) e[index[r + i]] = -t.others[i];
    }
    if (!writing) return 1;
    T *const out = flat_results(c, f, row, count, stream);
    multiply_flat(b, out, &by, ending_of(c));
    put_flat(c, row, count, out, stream);
    return 1;
}

static NOINLINE int along_losses(const Losses *a, Buffers *f, size_t row, size_t count, const int64_t *index,
                                 Stream *stream) {
    const Call *c = &a->c;
    Rows b;
    V others, low;
    Terms t = {0};
    b.count = count;
    place_rows(c, f, row, &b, stream);
    for (size_t i = 0; i < count; i++) b.row[i].target = (size_t)index[i];
    read_logits(a, row, index, count, t.x);
    if (!sums_of_batch(BUT_ONE, c, row, &b, stream, &others, &low, NULL)) return 0;
    const Shift by_k = {LOAD(b.bias), LOAD(b.floor)};
    STORE(t.mine, SELECT(FIRST(count), exp_by(LOAD(t.x) - LOAD(b.shift), c->s, by_k), C(1)));
    STORE(t.others, others);
    if (find_losses(&t, C(0), C(1))) {
        for (size_t i = 0; i < LANES; i++)
            if (i < b.done || i >= count) b.largest[i] = i < count ? row_maximum(b.row[i], 1) : 0;
        find_losses(&t, LOAD(b.largest), exp_by(LOAD(b.largest) - LOAD(b.shift), c->s, by_k));
    }
    put_losses(a, &t, row, count);
    if (!c->out.data) return 1;
    ALIGNED T own[LANES];
    Finish by;
    const Factor factor = loss_factor(&t, a, row, count);
    STORE(by.scale, factor.scale);
    STORE(by.low, factor.low);
    STORE(by.power, factor.power);
    STORE(own, times_factor(-others, factor));
    for (size_t i = 0; i < count; i++)
        if (b.row[i].e) b.row[i].e[index[i]] = -t.others[i];
    finish_batch(c, f, &b, row, &by, stream);
    if (!b.row[0].e) row_of(c->out, row).at[index[0]] = own[0];
    return 1;
}

static NOINLINE int across_losses(const Losses *a, Buffers *buffers, size_t row, size_t width,
                                  const int64_t *index, Stream *stream) {
    const Call *c = &a->c;
    const Row x = row_of(c->x, row), none = {NULL, 0}, out = c->out.data ? row_of(c->out, row) : none;
    const int streaming = stream && is_of_lines(out), keeps = out.at && c->n * width <= TILE_ENTRIES;
    ALIGNED T own[TILE];
    (void)buffers;
    Tile t = {.n = c->n, .width = width};
    TileEnd end = {.x = keeps ? out : x, .out = out, .all = ending_of(c), .s = c->s};
    Terms terms[TILE_VECTORS] = {0};
    for (size_t v = 0, i = 0; i < width; v++, i += LANES) {
        ALIGNED T place[LANES] = {0};
        for (size_t k = 0; k < LANES && i + k < width; k++) place[k] = (T)index[i + k];
        t.place[v] = LOAD(place);
        read_logits(a, row + i, index + i, at_most(LANES, width - i), terms[v].x);
    }
    if (!take_tile(BUT_ONE, c, row, x, keeps ? out : none, &t)) return 0;
    int has_maxima = t.by_k;
    for (size_t v = 0, i = 0; i < width; v++, i += LANES) {
        const size_t some = at_most(LANES, width - i);
        Terms *of = terms + v;
        const Shift by = {t.bias[v], t.floor[v]};
        STORE(of->mine, SELECT(FIRST(some), exp_by(LOAD(of->x) - t.shift[v], c->s, by), C(1)));
        STORE(of->others, t.sum[v]);
        if (find_losses(of, C(0), C(1))) {
            if (!has_maxima) tile_maxima(x, &t, C(1));
            has_maxima = 1;
            find_losses(of, t.max[v], exp_by(t.max[v] - t.shift[v], c->s, by));
        }
        put_losses(a, terms + v, row + i, some);
        if (!out.at) continue;
        end.factor[v] = loss_factor(of, a, row + i, some);
        STORE(own + i, times_factor(-t.sum[v], end.factor[v]));
    }
    if (!out.at) return 1;
    if (keeps)
        multiply_tile(&end, &t);
    else
        multiply_tile_again(streaming, &end, &t);
    for (size_t i = 0; i < width; i++) out.at[(ptrdiff_t)index[i] * out.step + (ptrdiff_t)i] = own[i];
    return 1;
}

typedef int loss_way(const Losses *a, Buffers *f, size_t row, size_t count, const int64_t *index,
                     Stream *stream);

/* Among several rows, one that is left to loss_exactly makes each go alone: no other's bits hang on it. */
static NOINLINE void index_batch(loss_way *way, Losses *a, Buffers *f, size_t row, size_t rows,
                                 Stream *stream) {
    enum { MOST = 256 }; /* rows of a tile or a batch */
    const Call *c = &a->c;
    int64_t target[MOST], index[MOST];
    const int every = read_indices(a, row, rows, target);
    int ordinary = 1;
    for (size_t i = 0; i < rows; i++)
        index[i] = target[i] < 0 ? 0 : target[i]; /* a row that does not count is computed all the same */
    for (size_t i = 0; i < (c->first.outer ? rows : 1); i++) ordinary &= has_ordinary_weight(c, row + i);
    const int done = ordinary && way(a, f, row, rows, index, stream);
    if (done && every) return;
    if (stream) stream_flush(stream); /* what follows goes past the stream, or through its room */
    for (size_t i = 0; i < rows; i++) {
        int found = done && target[i] >= 0;
        if (!done && target[i] >= 0 && has_ordinary_weight(c, row + i))
            found = way(a, f, row + i, 1, index + i, NULL);
        if (!found) exact_loss(a, row + i, target[i]);
    }
}

static void index_batches(loss_way *way, Losses *a, Buffers *f, Batches by, Stream *stream) {
    for (size_t row = 0, count; row < a->c.rows; row += count) {
        count = batch_rows(by, row, a->c.rows);
        index_batch(way, a, f, row, count, stream);
    }
    if (stream) stream_finish(stream);
}

/* The rows of a call, flat or along memory */
static NOINLINE void buffered_losses(Losses *a, int streaming) {
    const Call *c = &a->c;
    Buffers f;
    ALIGNED T room[ROOM + LANES];
    Stream pending = {.room = {f.out, room}}, *stream = streaming ? &pending : NULL;
    if (c->n <= SHORT_ROW) {
        number_rows(f.row_of, c->n);
        index_batches(flat_losses, a, &f, flat_batches(c->n), stream);
    } else
        index_batches(along_losses, a, &f, batches_along(c, streaming), stream);
}

static void index_losses(int across, Losses *a) {
    const Call *c = &a->c;
    Stream lines = {0};
    int streaming = c->out.data && is_streamed(c, !across);
    if (across)
        index_batches(across_losses, a, NULL, tiles_of(c), streaming ? &lines : NULL);
    else
        buffered_losses(a, streaming && c->n <= ROW_CHUNK);
}

/* Returns whether a target was not in range. `all_rows` are those of the whole call. */
static int cross_entropy_loop(char **args, const intptr_t *dimensions, const intptr_t *steps,
                              const void *data, size_t all_rows) {
    const RowKernel *kernel = data;
    const int distribution = (kernel->what & DISTRIBUTION) != 0, with_loss = (kernel->what & WITH_LOSS) != 0;
    const int graded = (kernel->what & WITH_GRADIENT) != 0;
    const FloatState callers = enter_default_state();
    const int operands = graded + 3 + with_loss + graded;
    const intptr_t *inner = steps + operands;
    int k = 0;
    Losses a = {.distribution = distribution};
    Call *c = &a.c;
    *c = (Call){.what = LOSS, .rows = (size_t)dimensions[0], .n = (size_t)dimensions[1], .scale = 1};
    c->all_rows = all_rows;
    c->s = c->size = scale_by(1);
    if (graded) c->first = (Operand){args[k], steps[k], 0}, k++;
    c->x = (Operand){args[k], steps[k], *inner++}, k++;
    a.target = (Operand){args[k], steps[k], distribution ? *inner++ : 0}, k++;
    a.smoothing = (Operand){args[k], steps[k], 0}, k++;
    if (with_loss) a.loss = (Operand){args[k], steps[k], 0}, k++;
    if (graded) c->out = (Operand){args[k], steps[k], *inner};
    const int along = c->x.inner == sizeof(T) && (!graded || c->out.inner == sizeof(T));
    const int across = c->x.outer == sizeof(T) && (!graded || c->out.outer == sizeof(T)) && !along;
    const int in_tiles = across && c->n < (size_t)1 << 24; /* places are exact as floats */
    int fast = !distribution && c->n > 1 && (in_tiles || along || c->n <= ROW_CHUNK);
    for (size_t row = 0; row < c->rows && fast; row++) {
        fast = NUMBER_AT(double, a.smoothing, row) == 0;
        if (!a.smoothing.outer) break;
    }
    if (fast)
        index_losses(in_tiles, &a);
    else
        for (size_t row = 0; row < c->rows; row++) {
            int64_t index = 0;
            if (!distribution) read_indices(&a, row, 1, &index);
            exact_loss(&a, row, index);
        }
    restore_state(callers);
    return a.wrong;
}
