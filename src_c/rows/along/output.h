/* Backward passes from y. */

#ifdef HELD_VECTORS
/* Of softmax, rows that fit the registers together with their gradients: each entry is loaded once. */
static inline int is_held(const Call *c) {
    const int fits = c->n > LANES + LANES / 2 && c->n <= HELD_VECTORS * LANES;
    const int plain = c->first.inner == sizeof(T) && c->x.inner == sizeof(T) && c->out.inner == sizeof(T);
    const int has_bytes = !c->mask.data || c->mask.inner == 1;
    return c->what == SOFTMAX_FROM_OUTPUT && fits && plain && has_bytes && !c->limit.data;
}

/* A row of so many vectors; 0 where it is left to exact_row. */
static ALWAYS_INLINE int held_row(size_t vectors, int masked, const T *grad, const T *y, const char *mask,
                                  T *out, size_t n, V scale) {
    const size_t last = (vectors - 1) * LANES;
    V p[HELD_VECTORS], slope[HELD_VECTORS], dots[2] = {C(0), C(0)};
    UNROLLED for (size_t k = 0; k < vectors; k++) {
        p[k] = load_lanes(k * LANES < last, y + k * LANES, n - k * LANES, C(0));
        slope[k] = load_lanes(k * LANES < last, grad + k * LANES, n - k * LANES, C(0));
        if (masked) {
            const M kept = KEPT(mask + k * LANES, at_most(LANES, n - k * LANES));
            p[k] = SELECT(kept, p[k], C(0));
            slope[k] = SELECT(kept, slope[k], C(0));
        }
        dots[k % 2] = FMA(p[k], slope[k], dots[k % 2]);
        PREFETCH(grad + k * LANES + AHEAD);
        PREFETCH(y + k * LANES + AHEAD);
    }
    const V mean = sum_in_every_lane(dots[0] + dots[1]) * scale;
    if (is_left(0, mean)) return 0;
    UNROLLED for (size_t k = 0; k < vectors; k++) {
        V gradient = gradient_of(0, p[k], slope[k], scale, mean);
        if (masked) gradient = SELECT(KEPT(mask + k * LANES, at_most(LANES, n - k * LANES)), gradient, C(0));
        store_lanes(k * LANES < last, out + k * LANES, gradient, n - k * LANES);
    }
    return 1;
}

static ALWAYS_INLINE void held_by(size_t vectors, int masked, const Call *c, Stream *stream) {
    const size_t n = c->n, batch = stream ? ROOM / n : c->rows;
    const V scale = c->s.factor;
    for (size_t row = 0, count; row < c->rows; row += count) {
        count = c->rows - row < batch ? c->rows - row : batch;
        for (size_t r = 0; r < count; r++) {
            T *out = stream ? stream_room(stream) + r * n : entry_at(c->out, row + r);
            const char *mask = masked ? c->mask.data + (ptrdiff_t)(row + r) * c->mask.outer : NULL;
            const T *grad = entry_at(c->first, row + r), *y = entry_at(c->x, row + r);
            if (!held_row(vectors, masked, grad, y, mask, out, n, scale)) {
                Call alone = *c;
                alone.out.data = (char *)out - (ptrdiff_t)(row + r) * c->out.outer;
                exact_row(&alone, row + r);
            }
            stream_some(stream, n / LANES * LANES);
        }
        if (stream) stream_put(stream, entry_at(c->out, row), count * n);
    }
    if (stream) stream_finish(stream);
}
static ALWAYS_INLINE void held_rows_of(int masked, const Call *c, Stream *stream) {
    switch ((c->n + LANES - 1) / LANES) {
    case 2: held_by(2, masked, c, stream); return;
    case 3: held_by(3, masked, c, stream); return;
    case 4: held_by(4, masked, c, stream); return;
    case 5: held_by(5, masked, c, stream); return;
    case 6: held_by(6, masked, c, stream); return;
    case 7: held_by(7, masked, c, stream); return;
    case 8: held_by(8, masked, c, stream); return;
    }
}
static NOINLINE void held_rows(const Call *c, Stream *stream) {
    c->mask.data ? held_rows_of(1, c, stream) : held_rows_of(0, c, stream);
}
#else
static inline int is_held(const Call *c) { return (void)c, 0; }
static inline void held_rows(const Call *c, Stream *stream) { (void)c, (void)stream; }
#endif

/* Rows of any length from y, one by one: nothing is to be shared */
static ALWAYS_INLINE int row_from_output(int log, int masked, Span row, T *to, Ending all) {
    const V mean = C(SUM_OF_LANES(dot_by(log, masked, row))) * all.scale;
    if (is_left(log, mean)) return 0;
    const Numbers n = {{C(1), C(0), C(0)}, mean * C(log ? LOWER : 1), C(0)};
    finish_row(GRADIENT_OF_OUTPUT, log, masked, row.x, row, to, n, all);
    return 1;
}
static NOINLINE int softmax_row_from_output(Span row, T *to, Ending all) {
    return row.mask ? row_from_output(0, 1, row, to, all) : row_from_output(0, 0, row, to, all);
}
static NOINLINE int log_softmax_row_from_output(Span row, T *to, Ending all) {
    return row.mask ? row_from_output(1, 1, row, to, all) : row_from_output(1, 0, row, to, all);
}

/* Rows that are contiguous, or fit the buffers */
static NOINLINE void rows_from_output(const Call *c, Buffers *f, Stream *stream) {
    const Ending all = ending_of(c);
    for (size_t r = 0; r < c->rows; r++) {
        const Row grad = row_of(c->first, r), out = row_of(c->out, r);
        const Entries e = entries_of(c, r);
        Span row = {e.x, grad.at, e.mask, NULL, e.n, 0};
        T *to = stream && c->n <= ROOM ? stream_room(stream) : out.step == 1 ? out.at : f->out;
        copy_strided(e, grad, f->e, f->grad, f->mask, &row);
        if (c->what == SOFTMAX_FROM_OUTPUT ? softmax_row_from_output(row, to, all)
                                           : log_softmax_row_from_output(row, to, all)) {
            fill_entries(to, 1, e.n, c->n, 0);
            if (stream && c->n <= ROOM) stream_put(stream, out.at, c->n);
            for (size_t j = 0; j < c->n && out.step != 1; j++) out.at[(ptrdiff_t)j * out.step] = to[j];
        } else
            exact_row(c, r);
    }
    if (stream) stream_finish(stream);
}
