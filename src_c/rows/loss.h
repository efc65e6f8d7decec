/* The cross entropy of rows of logits. Targets that are indices take the ways of a softmax. All others go row by row in
 * double. */

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
            const f64_v share = f64_load(target + i);
            const f64_v log = f64_load(part.high + i) + (f64_load(part.low + i) - f64_set(log_rest));
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

/* A loss and its gradient: grad, logits, target, label_smoothing -> loss, gradient; those that are not there have no data */
typedef struct {
    Call c; /* first, x and out are the weight, the logits and the gradient */
    Operand target, smoothing, loss;
    int distribution, wrong; /* whether a target was not in range */
    size_t all_rows; /* of the whole call, of which this may be a part */
} Losses;

/* Targets that are no index in range. A row that is ignored does not count: its results are 0. A wrong target names no
 * entry: its results are NaN. The callers of these loops have refused wrong targets. One that is met here was written by
 * another thread meanwhile. */
enum { IGNORED = -1, WRONG = -2 };

/* Copies and checks the targets of rows. Only this copy is used afterwards: other threads may write the caller's memory.
 * Returns whether all are indices in range. */
static int read_indices(Losses *a, size_t row, size_t rows, int64_t *index) {
    int64_t all = 0;
    for (size_t i = 0; i < rows; i++) index[i] = NUMBER_AT(int64_t, a->target, row + i);
    SETTLE(index);
    for (size_t i = 0; i < rows; i++) {
        if (index[i] != IGNORED && (uint64_t)index[i] >= a->c.n) index[i] = WRONG;
        a->wrong |= index[i] == WRONG;
        all |= index[i];
    }
    return all >= 0;
}

/* One row, by its index, which has been checked, or its distribution */
static void exact_loss(const Losses *a, size_t row, int64_t index) {
    const Row distribution = row_of(a->target, row), out = row_of(a->c.out, row);
    const double smoothing = NUMBER_AT(double, a->smoothing, row);
    const Target t = {a->distribution ? &distribution : NULL, index, 1 - smoothing, smoothing / (double)a->c.n};
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

/* Of the rows of a vector: x and e of the target, the loss, and the weight over the sum. The gradient at the target is
 * `others` times this factor: the sum of the other exponentials, negative, which is small where the target dominates. */
typedef struct {
    ALIGNED T x[LANES], loss[LANES], others[LANES], scale[LANES], low[LANES], power[LANES];
} Terms;

/* Returns whether a product with a moderate exponential might be subnormal. */
static int find_terms(Terms *t, V weight, V rest, V rest_low, V top, V max, V shift, Shift by, Scale unit, size_t count) {
    const V less = (LOAD(t->x) - shift) - max, sum = rest + top, low = rest_low - sum_excess(rest, top, sum);
    const V e = exp_by(LOAD(t->x) - shift, unit, by);
    Factor f = quotient_of(weight, sum, low);
    STORE(t->loss, log_of_rest(rest, rest_low, max, unit, by) - less);
    STORE(t->others, -SELECT(GE(less, C(0)), rest, sum - e));
    STORE(t->scale, f.scale);
    STORE(t->low, f.low);
    return has_small_factor(SELECT(FIRST(count), f.scale, C(1)));
}

/* The gradient at the target of a row */
static T own_gradient(int apart, const Terms *t, size_t i) {
    T own[LANES];
    STORE(own, times_factor(apart, C(t->others[i]), (Factor){C(t->scale[i]), C(t->low[i]), C(t->power[i])}));
    return own[0];
}

static void put_losses(const Losses *a, const Terms *t, size_t row, size_t count) {
    for (size_t i = 0; i < count && a->loss.data; i++) *entry_at(a->loss, row + i) = t->loss[i];
}

/* The logits at the targets of rows, which are read before gradients go over them */
static void read_logits(const Losses *a, size_t row, const int64_t *index, size_t count, T *x) {
    for (size_t i = 0; i < LANES; i++) x[i] = 0;
    for (size_t i = 0; i < count; i++) {
        const Row from = row_of(a->c.x, row + i);
        x[i] = from.at[(ptrdiff_t)index[i] * from.step];
    }
}

/* A batch of each way; 0 where a row is left to loss_exactly. Nothing is written then. */
static int flat_losses(Losses *a, Buffers *f, Batch *b, const int32_t *row_of, size_t row, size_t count,
                       const int64_t *index, Stream *stream) {
    const Call *c = &a->c;
    ALIGNED T scale[SHORT_ROWS], low[SHORT_ROWS], power[SHORT_ROWS];
    b->g = group_of(count, c->n, row_of);
    b->mask = NULL;
    b->x = dense_rows(c->x, row, b, 0, f->x);
    b->e = f->e;
    if (!take_batch(c, b, f->x, stream)) return 0;
    row_rests(b->e, b->g, b->sum, b->low, b->top);
    int apart = b->apart;
    for (size_t r = 0; r < count; r += LANES) {
        const size_t some = count - r < LANES ? count - r : LANES;
        const V shift = LOAD(b->shift + r);
        Terms t;
        read_logits(a, row + r, index + r, some, t.x);
        apart |= find_terms(&t, c->out.data ? numbers_of(c->first, row + r, some) : C(1), LOAD(b->sum + r),
                            LOAD(b->low + r), LOAD(b->top + r), LOAD(b->max + r) - shift, shift,
                            (Shift){LOAD(b->bias + r), LOAD(b->floor + r)}, c->s, some);
        put_losses(a, &t, row + r, some);
        memcpy(scale + r, t.scale, sizeof t.scale);
        memcpy(low + r, t.low, sizeof t.low);
        for (size_t i = 0; i < some; i++) b->e[(r + i) * c->n + (size_t)index[r + i]] = t.others[i];
    }
    if (!c->out.data) return 1;
    if (apart) powers_apart(scale, low, power, count);
    const int direct = c->out.inner == sizeof(T) && c->out.outer == (ptrdiff_t)(c->n * sizeof(T)) && count % LANES == 0;
    T *const to = entry_at(c->out, row), *out = stream ? stream_room(stream) : direct ? to : f->out;
    if (apart)
        multiply_flat(1, b, out, scale, low, power);
    else
        multiply_flat(0, b, out, scale, low, NULL);
    if (stream)
        stream_put(stream, to, count * c->n);
    else if (out != to)
        scatter_rows(c, row, count, out);
    return 1;
}

static int along_losses(Losses *a, Buffers *f, size_t row, size_t count, const int64_t *index, Stream *stream) {
    const Call *c = &a->c;
    Rows b;
    V rest, low, top, max;
    Terms t;
    b.count = count;
    place_rows(c, f, row, &b, stream);
    read_logits(a, row, index, count, t.x);
    if (!sums_of_batch(KEPT_LESSER, c, row, &b, stream, &rest, &low, &top, &max)) return 0;
    const Shift shift = {LOAD(b.bias), LOAD(b.floor)};
    const int small = find_terms(&t, c->out.data ? numbers_of(c->first, row, count) : C(1), rest, low, top, max,
                                 LOAD(b.shift), shift, c->s, count), apart = small || b.apart;
    put_losses(a, &t, row, count);
    if (!c->out.data) return 1;
    if (apart) powers_apart(t.scale, t.low, t.power, LANES);
    for (size_t i = 0; i < count; i++) {
        Finish by = {apart, {C(t.scale[i]), C(t.low[i]), C(t.power[i])}, C(0), C(0), C(0)};
        if (b.row[i].e) b.row[i].e[index[i]] = t.others[i];
        finish_row(c, f, &b, row, i, &by, stream);
        const Row out = row_of(c->out, row + i);
        if (!b.row[i].e) out.at[(ptrdiff_t)index[i] * out.step] = own_gradient(apart, &t, i);
    }
    if (stream) stream_put(stream, entry_at(c->out, row), count * c->n);
    return 1;
}

static int across_losses(Losses *a, size_t row, size_t width, const int64_t *index, int streamed) {
    const Call *c = &a->c;
    const Row x = row_of(c->x, row), none = {NULL, 0}, out = c->out.data ? row_of(c->out, row) : none;
    const int streaming = streamed && is_of_lines(out), twice = tile_twice(streaming, x, out, c->n, width);
    const int keeps = out.at && !twice;
    ALIGNED T own[TILE];
    Tile t = {.n = c->n, .width = width, .apart = 0};
    TileEnd end = {.x = keeps ? out : x, .out = out, .s = c->s};
    Terms terms[TILE_VECTORS];
    for (size_t v = 0, i = 0; i < width; v++, i += LANES)
        read_logits(a, row + i, index + i, width - i < LANES ? width - i : LANES, terms[v].x);
    if (!take_tile(KEPT_LESSER, c, row, x, keeps ? out : none, &t)) return 0;
    int apart = t.apart;
    for (size_t v = 0, i = 0; i < width; v++, i += LANES) {
        const size_t some = width - i < LANES ? width - i : LANES;
        apart |= find_terms(terms + v, out.at ? numbers_of(c->first, row + i, some) : C(1), t.sum[v], t.low[v],
                            t.top[v], t.max[v], t.shift[v], (Shift){t.bias[v], t.floor[v]}, c->s, some);
        put_losses(a, terms + v, row + i, some);
    }
    if (!out.at) return 1;
    for (size_t v = 0, i = 0; i < width; v++, i += LANES) {
        Terms *of = terms + v;
        if (apart) powers_apart(of->scale, of->low, of->power, LANES);
        end.factor[v] = (Factor){LOAD(of->scale), LOAD(of->low), LOAD(of->power)};
        for (size_t k = 0; k < LANES && i + k < width; k++) own[i + k] = own_gradient(apart, of, k);
    }
    if (keeps)
        multiply_tile(apart, &end, &t);
    else
        multiply_tile_again(apart, streaming, &end, &t);
    for (size_t i = 0; i < width; i++) out.at[(ptrdiff_t)index[i] * out.step + (ptrdiff_t)i] = own[i];
    return 1;
}

enum { ALONG, FLAT, ACROSS };

/* `rows` of them from `row` on. Among several, one that is left to loss_exactly makes each go by itself: so that no other's
 * bits depend on it. */
static void index_batch(int way, Losses *a, Buffers *f, Batch *b, const int32_t *row_of, size_t row, size_t rows,
                        Stream *stream) {
    int64_t target[TILE], index[TILE]; /* no batch has more rows than a tile */
    const int every = read_indices(a, row, rows, target);
    int ordinary = 1;
    for (size_t i = 0; i < rows; i++) {
        index[i] = target[i] & ~(target[i] >> 63); /* 0 for a row that does not count, which is computed all the same */
        if (a->c.out.data && a->c.first.outer) ordinary &= is_ordinary(*entry_at(a->c.first, row + i));
    }
    if (a->c.out.data && !a->c.first.outer) ordinary = is_ordinary(*entry_at(a->c.first, row));
    int done = ordinary && (way == FLAT    ? flat_losses(a, f, b, row_of, row, rows, index, stream)
                            : way == ALONG ? along_losses(a, f, row, rows, index, stream)
                                           : across_losses(a, row, rows, index, stream != NULL));
    for (size_t i = 0; i < rows && !done; i++) {
        const int alone = a->c.out.data == NULL || is_ordinary(*entry_at(a->c.first, row + i));
        if (!alone || !(way == FLAT    ? flat_losses(a, f, b, row_of, row + i, 1, index + i, NULL)
                        : way == ALONG ? along_losses(a, f, row + i, 1, index + i, NULL)
                                       : across_losses(a, row + i, 1, index + i, 0)))
            exact_loss(a, row + i, target[i]);
    }
    if (every) return;
    if (stream && way != ACROSS) stream_flush(stream); /* what is not written yet would go over what follows */
    for (size_t i = 0; i < rows; i++)
        if (target[i] < 0) exact_loss(a, row + i, target[i]);
}

static void index_losses(int way, Losses *a) {
    const Call *c = &a->c;
    Buffers f;
    Batch b;
    ALIGNED int32_t row_of[2 * LANES * LANES];
    ALIGNED T room[ROOM + LANES];
    const int streaming = c->out.data && is_streamed(c, way != ACROSS, a->all_rows) && (way != ALONG || c->n <= ROW_CHUNK);
    Stream pending = {{f.out, room}, 0, 0, NULL, NULL, NULL, 0}, *stream = streaming ? &pending : NULL;
    const int kept = c->out.data && !(FAST && (streaming || c->out.data == c->x.data));
    const size_t tile = tile_width(kept, is_large(2 * a->all_rows, c->n), c->n);
    const size_t pitch = (c->n + PAIR - 1) / PAIR * PAIR, fit = c->n <= ROW_CHUNK ? ROOM / pitch : 1;
    const size_t most = ROOM / (c->n * LANES) * LANES;
    const size_t batch = way == ALONG ? (fit < LANES ? fit : LANES) : most < SHORT_ROWS ? most : (size_t)SHORT_ROWS;
    if (way == FLAT) number_rows(row_of, c->n);
    for (size_t row = 0, count; row < c->rows; row += count) {
        const size_t left = c->rows - row;
        count = left < batch ? (way == FLAT && left > LANES ? left / LANES * LANES : left) : batch;
        if (way == ACROSS) count = tile_rows(tile, c->out, row, c->rows);
        index_batch(way, a, &f, &b, row_of, row, count, stream);
    }
    if (streaming) stream_finish(stream);
}

/* Returns whether a target was not in range. `all_rows` are those of the whole call. */
static int loss_rows(int distribution, int with_loss, int graded, char **args, const intptr_t *dimensions,
                     const intptr_t *steps, size_t all_rows) {
    const FloatState callers = enter_default_state();
    const int operands = graded + 3 + with_loss + graded;
    const intptr_t *inner = steps + operands;
    int wide = 0, k = 0;
    Losses a = {.distribution = distribution, .all_rows = all_rows};
    Call *c = &a.c;
    *c = (Call){.what = LOSS, .rows = (size_t)dimensions[0], .n = (size_t)dimensions[1], .scale = 1, .wide = &wide};
    c->s = c->size = scale_by(1);
    if (graded) c->first = (Operand){args[k], steps[k], 0}, k++;
    c->x = (Operand){args[k], steps[k], *inner++}, k++;
    a.target = (Operand){args[k], steps[k], distribution ? *inner++ : 0}, k++;
    a.smoothing = (Operand){args[k], steps[k], 0}, k++;
    if (with_loss) a.loss = (Operand){args[k], steps[k], 0}, k++;
    if (graded) c->out = (Operand){args[k], steps[k], *inner};
    const int along = c->x.inner == sizeof(T) && (!graded || c->out.inner == sizeof(T));
    const int across = c->x.outer == sizeof(T) && (!graded || c->out.outer == sizeof(T)) && !along;
    const int way = across ? ACROSS : c->n <= SHORT_ROW ? FLAT : ALONG;
    int fast = !distribution && c->n > 1 && (way != ALONG || along || c->n <= ROW_CHUNK);
    for (size_t row = 0; row < c->rows && fast; row++) {
        fast = NUMBER_AT(double, a.smoothing, row) == 0;
        if (!a.smoothing.outer) break;
    }
    if (fast)
        index_losses(way, &a);
    else
        for (size_t row = 0; row < c->rows; row++) {
            int64_t index = 0;
            if (!distribution) read_indices(&a, row, 1, &index);
            exact_loss(&a, row, index);
        }
    restore_state(callers);
    return a.wrong;
}
static void cross_entropy_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    loss_rows(0, 1, 0, args, dimensions, steps, (size_t)dimensions[0]);
}
static int cross_entropy_part(char **args, const intptr_t *dimensions, const intptr_t *steps, size_t all_rows) {
    return loss_rows(0, 1, 0, args, dimensions, steps, all_rows);
}
static void cross_entropy_backward_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    loss_rows(0, 0, 1, args, dimensions, steps, (size_t)dimensions[0]);
}
static int cross_entropy_backward_part(char **args, const intptr_t *dimensions, const intptr_t *steps, size_t all_rows) {
    return loss_rows(0, 0, 1, args, dimensions, steps, all_rows);
}
static void cross_entropy_both_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    loss_rows(0, 1, 1, args, dimensions, steps, (size_t)dimensions[0]);
}
static int cross_entropy_both_part(char **args, const intptr_t *dimensions, const intptr_t *steps, size_t all_rows) {
    return loss_rows(0, 1, 1, args, dimensions, steps, all_rows);
}
static void cross_entropy_distribution_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    loss_rows(1, 1, 0, args, dimensions, steps, (size_t)dimensions[0]);
}
static void cross_entropy_distribution_backward_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    loss_rows(1, 0, 1, args, dimensions, steps, (size_t)dimensions[0]);
}
static void cross_entropy_distribution_both_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    (void)data;
    loss_rows(1, 1, 1, args, dimensions, steps, (size_t)dimensions[0]);
}
