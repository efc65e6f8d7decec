/* What a tile is finished with */
typedef struct {
    Row x, grad, out;
    Ending all;
    Scale s; /* of the exponentials */
    Factor factor[TILE_VECTORS];
    V mean[TILE_VECTORS]; /* or the logarithms */
} TileEnd;

/* `again`: the exponentials are taken once more. */
static ALWAYS_INLINE void finish_tile_vector(int end, int again, int log, int masked, int whole,
                                             int streaming, const TileEnd *f, const Tile *t, size_t j,
                                             size_t last, size_t i, size_t v) {
    const Ending all = f->all;
    const Scale s = f->s;
    const Shift by = {t->bias[v], t->floor[v]};
    const V shift = t->shift[v];
    const Numbers n = {f->factor[v], f->mean[v], t->max[v]};
    BY_FOUR for (; j < last; j++) {
        V x = tile_load(whole, f->x, j, i, t->width), grad = C(0);
        if (again || end == SUBTRACT) x = x - shift;
        if (again) x = exp_by(x, s, by);
        if (end >= GRADIENT) grad = tile_load(whole, f->grad, j, i, t->width);
        V y = finished(end, log, x, grad, n, all);
        if (masked) y = only_kept(t, j, i, v, y, end == SUBTRACT ? NOTHING : C(0));
        tile_store(whole, streaming, f->out, j, i, t->width, y);
    }
}

static ALWAYS_INLINE void finish_masked(int end, int again, int log, int masked, int streaming,
                                        const TileEnd *f, const Tile *t) {
    const size_t block = end >= GRADIENT ? PAIR_BLOCK : tile_block(f->x);
    for (size_t j = 0, last; j < t->n; j = last) {
        last = j + block < t->n ? j + block : t->n;
        for (size_t v = 0, i = 0; i < t->width; v++, i += LANES)
            if (i + LANES <= t->width)
                finish_tile_vector(end, again, log, masked, 1, streaming, f, t, j, last, i, v);
            else
                finish_tile_vector(end, again, log, masked, 0, streaming, f, t, j, last, i, v);
    }
}
static ALWAYS_INLINE void finish_tile(int end, int again, int log, int streaming, const TileEnd *f,
                                      const Tile *t) {
    if (is_masked(t))
        finish_masked(end, again, log, 1, 0, f, t);
    else if (streaming)
        finish_masked(end, again, log, 0, 1, f, t);
    else
        finish_masked(end, again, log, 0, 0, f, t);
}
static NOINLINE void multiply_tile(const TileEnd *f, const Tile *t) { finish_tile(MULTIPLY, 0, 0, 0, f, t); }
static NOINLINE void multiply_tile_again(int streaming, const TileEnd *f, const Tile *t) {
    finish_tile(MULTIPLY, 1, 0, streaming, f, t);
}
static NOINLINE void subtract_tile(int streaming, const TileEnd *f, const Tile *t) {
    finish_tile(SUBTRACT, 0, 1, streaming, f, t);
}
static NOINLINE void gradient_tile(int what, int streaming, const TileEnd *f, const Tile *t) {
    if (what == SOFTMAX_BACKWARD)
        finish_tile(GRADIENT, 1, 0, 0, f, t);
    else if (what == LOG_SOFTMAX_BACKWARD)
        finish_tile(GRADIENT, 1, 1, 0, f, t);
    else if (what == SOFTMAX_FROM_OUTPUT)
        finish_tile(GRADIENT_OF_OUTPUT, 0, 0, streaming, f, t);
    else
        finish_tile(GRADIENT_OF_OUTPUT, 0, 1, streaming, f, t);
}

/* The sums of the gradients, or of their products with y or the exponentials, to `dot` */
static ALWAYS_INLINE void tile_dots_by(int masked, int what, Row y, Row grad, const Tile *t, Scale s,
                                       V *dot) {
    V carry[TILE_VECTORS];
    for (size_t v = 0; v * LANES < t->width; v++) dot[v] = carry[v] = C(0);
    for (size_t j = 0, end; j < t->n; j = end) {
        end = j + PAIR_BLOCK < t->n ? j + PAIR_BLOCK : t->n;
        for (size_t v = 0, i = 0; i < t->width; v++, i += LANES) {
            const int whole = i + LANES <= t->width;
            V sum = C(0);
            for (size_t k = j; k < end; k++) {
                V g = whole ? tile_load(1, grad, k, i, t->width) : tile_load(0, grad, k, i, t->width);
                if (masked) g = only_kept(t, k, i, v, g, C(0));
                if (!is_log(what)) {
                    V p = whole ? tile_load(1, y, k, i, t->width) : tile_load(0, y, k, i, t->width);
                    if (what == SOFTMAX_BACKWARD)
                        p = exp_by(p - t->shift[v], s, (Shift){t->bias[v], t->floor[v]});
                    if (masked) p = only_kept(t, k, i, v, p, C(0));
                    sum = FMA(p, g, sum);
                } else
                    sum = sum + g;
            }
            dot[v] = add_carried(dot[v], sum, carry + v);
        }
    }
}
static ALWAYS_INLINE void tile_dots_of(int masked, int what, Row y, Row grad, const Tile *t, Scale s,
                                       V *dot) {
    if (is_log(what))
        tile_dots_by(masked, LOG_SOFTMAX_BACKWARD, y, grad, t, s, dot);
    else if (what == SOFTMAX_BACKWARD)
        tile_dots_by(masked, SOFTMAX_BACKWARD, y, grad, t, s, dot);
    else
        tile_dots_by(masked, SOFTMAX_FROM_OUTPUT, y, grad, t, s, dot);
}
static NOINLINE void tile_dots(int what, Row y, Row grad, const Tile *t, Scale s, V *dot) {
    is_masked(t) ? tile_dots_of(1, what, y, grad, t, s, dot) : tile_dots_of(0, what, y, grad, t, s, dot);
}

/* Whether what is written to a tile is whole lines */
static inline int is_of_lines(Row t) { return (uintptr_t)t.at % 64 == 0 && t.step % LINE == 0; }

/* How many entries of each row count, as numbers of the lanes */
static void tile_limits(const Call *c, size_t first, size_t width, V *limit) {
    for (size_t v = 0, i = 0; i < width && c->limit.data; v++, i += LANES) {
        T limits[LANES] = {0};
        for (size_t k = 0; k < LANES && i + k < width; k++) limits[k] = (T)entries_of(c, first + i + k).n;
        limit[v] = LOAD(limits);
    }
}

/* What the entries of a row are finished with: factors, logarithms and means. 0 where a row is left to
 * exact_row. */
static int tile_numbers(const Call *c, size_t first, const Tile *t, TileEnd *end) {
    const int from_output = is_from_output(c->what), lowered = from_output && is_log(c->what);
    for (size_t v = 0, i = 0; i < t->width; v++, i += LANES) {
        const size_t count = at_most(LANES, t->width - i);
        if (needs_rest(c->what)) {
            if (is_wide(c, t->max[v] + end->all.sign * t->shift[v])) return 0;
            end->mean[v] =
                log_of_rest(t->sum[v], t->low[v], t->max[v], c->size, (Shift){t->bias[v], t->floor[v]});
            continue;
        }
        if (!from_output) {
            const V weight = c->what == WEIGHTED ? numbers_of(c->first, first + i, count) : C(1);
            end->factor[v] = quotient_of(weight, t->sum[v], t->low[v]);
            if (!is_backward(c->what)) end->factor[v] = power_apart(end->factor[v]);
        }
        if (!is_backward(c->what)) continue;
        if (c->what == SOFTMAX_BACKWARD) {
            if (has_lost(SELECT(FIRST(count), t->sum[v], C(1)), end->mean[v])) return 0;
            end->mean[v] = end->mean[v] * end->factor[v].scale;
        }
        end->mean[v] = SELECT(FIRST(count), end->mean[v] * c->s.factor, C(0));
        if (is_left(lowered, end->mean[v])) return 0;
        if (lowered) end->mean[v] = end->mean[v] * C(LOWER);
    }
    return 1;
}

static void put_tile_logsumexps(const Call *c, size_t first, const Tile *t, const TileEnd *end) {
    for (size_t v = 0, i = 0; i < t->width; v++, i += LANES) {
        T max[LANES], logs[LANES];
        STORE(max, t->max[v] + end->all.sign * t->shift[v]);
        STORE(logs, end->mean[v]);
        for (size_t k = 0; k < LANES && i + k < t->width; k++)
            put_logsumexp(c, first + i + k, max[k], logs[k]);
    }
}

/* A batch is one tile. It needs no buffers, and of a stream only to know that there is one. */
static NOINLINE int across_batch(const Call *c, Buffers *buffers, size_t first, size_t width,
                                 Stream *stream) {
    const Row none = {NULL, 0}, x = row_of(c->x, first);
    const Row out = c->what == LOGSUMEXP ? none : row_of(c->out, first);
    const int streaming = stream && is_of_lines(out) && !c->mask.data && !c->limit.data;
    const int keeps = (c->what == SOFTMAX || c->what == WEIGHTED) && c->n * width <= TILE_ENTRIES;
    const int what = !needs_rest(c->what) ? ALL : c->scale < 0 ? LESSER_OF_NEGATIVE : LESSER;
    Tile t = {.n = c->n, .width = width, .mask = c->mask};
    TileEnd end = {.x = x, .out = out, .all = ending_of(c), .s = c->s};
    V limit[TILE_VECTORS];
    (void)buffers;
    if (t.mask.data) t.mask.data += (ptrdiff_t)first * c->mask.outer;
    if (c->limit.data) t.limit = limit;
    tile_limits(c, first, width, limit);
    for (size_t i = 0; i < width && c->what == WEIGHTED; i++)
        if (!is_ordinary(*entry_at(c->first, first + i))) return 0;
    if (!is_from_output(c->what) && !take_tile(what, c, first, x, keeps ? out : none, &t)) return 0;
    if (is_backward(c->what)) {
        end.grad = row_of(c->first, first);
        tile_dots(c->what, x, end.grad, &t, c->s, end.mean);
    }
    if (!tile_numbers(c, first, &t, &end)) return 0;
    if (c->what == LOGSUMEXP)
        put_tile_logsumexps(c, first, &t, &end);
    else if (c->what == LOG_SOFTMAX)
        subtract_tile(streaming, &end, &t);
    else if (is_backward(c->what))
        gradient_tile(c->what, streaming, &end, &t);
    else {
        if (keeps) end.x = out;
        if (keeps)
            multiply_tile(&end, &t);
        else
            multiply_tile_again(streaming, &end, &t);
    }
    return 1;
}

/* Of many tiles, all but the first start with a whole line of the results. */
static Batches tiles_of(const Call *c) {
    const size_t head = c->all_rows >= 4 * TILE ? before_line(c->out.data) : 0;
    return (Batches){TILE, head ? TILE - LINE + head : (size_t)TILE};
}
