/* Backward passes from y, of rows that fit the registers together with their gradients: each entry is loaded once. */

#ifdef HELD_VECTORS
static inline int is_held(const Call *c) {
    return is_from_output(c->what) && c->n > LANES + LANES / 2 && c->n <= HELD_VECTORS * LANES && !c->mask.data &&
           !c->limit.data && c->first.inner == sizeof(T) && c->x.inner == sizeof(T) && c->out.inner == sizeof(T);
}

/* A row of so many vectors; 0 where it is left to exact_row. */
static ALWAYS_INLINE int held_row(int log, size_t vectors, const T *grad, const T *y, T *out, size_t n, V scale) {
    const size_t last = (vectors - 1) * LANES;
    const Scale unit = scale_by(1);
    V p[HELD_VECTORS], slope[HELD_VECTORS], dots[2] = {C(0), C(0)};
    UNROLLED for (size_t k = 0; k < vectors; k++) {
        p[k] = load_lanes(k * LANES < last, y + k * LANES, n - k * LANES, log ? NOTHING : C(0));
        slope[k] = load_lanes(k * LANES < last, grad + k * LANES, n - k * LANES, C(0));
        dots[k % 2] = FMA(log ? C(1) : p[k], slope[k], dots[k % 2]);
        PREFETCH(grad + k * LANES + AHEAD);
        PREFETCH(y + k * LANES + AHEAD);
    }
    V mean = sum_in_every_lane(dots[0] + dots[1]) * scale;
    if (is_left(log, mean)) return 0;
    if (log) mean = mean * C(LOWER);
    UNROLLED for (size_t k = 0; k < vectors; k++) {
        if (log) p[k] = lifted_exp(p[k], unit);
        store_lanes(k * LANES < last, out + k * LANES, gradient_of(log, p[k], slope[k], scale, mean), n - k * LANES);
    }
    return 1;
}

static ALWAYS_INLINE void held_by(int log, size_t vectors, const Call *c, Stream *stream) {
    const size_t n = c->n, batch = stream ? ROOM / n : c->rows;
    const V scale = c->s.factor;
    for (size_t row = 0, count; row < c->rows; row += count) {
        count = c->rows - row < batch ? c->rows - row : batch;
        for (size_t r = 0; r < count; r++) {
            T *out = stream ? stream_room(stream) + r * n : entry_at(c->out, row + r);
            if (!held_row(log, vectors, entry_at(c->first, row + r), entry_at(c->x, row + r), out, n, scale)) {
                Call alone = *c;
                alone.out.data = (char *)out - (ptrdiff_t)(row + r) * c->out.outer;
                exact_row(&alone, row + r);
            }
            stream_some(stream, n / LANES * LANES);
        }
        if (stream) stream_put(stream, entry_at(c->out, row), count * n);
    }
}
static ALWAYS_INLINE void held(int log, const Call *c, Stream *stream) {
    switch ((c->n + LANES - 1) / LANES) {
        case 2: held_by(log, 2, c, stream); return;
        case 3: held_by(log, 3, c, stream); return;
        case 4: held_by(log, 4, c, stream); return;
        case 5: held_by(log, 5, c, stream); return;
        case 6: held_by(log, 6, c, stream); return;
        case 7: held_by(log, 7, c, stream); return;
        case 8: held_by(log, 8, c, stream); return;
    }
}
static NOINLINE void held_rows(const Call *c, Stream *stream) {
    if (c->what == SOFTMAX_FROM_OUTPUT)
        held(0, c, stream);
    else
        held(1, c, stream);
}
#else
static inline int is_held(const Call *c) { return (void)c, 0; }
static inline void held_rows(const Call *c, Stream *stream) { (void)c, (void)stream; }
#endif
