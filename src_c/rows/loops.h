/* The inner loops of the softmax family, which choose the way by the layout and the length of a row, never by
 * other rows. No way copies an array: its buffers are about 64 KiB of stack. */

/* Whether the results are streamed: they are no input, whose lines are in the caches, and rows follow one
 * another. */
static int is_streamed(const Call *c, int along) {
#ifdef HAVE_STREAM
    if (c->what == LOGSUMEXP || !is_large(c->all_rows, c->n) || (uintptr_t)c->out.data % sizeof(T)) return 0;
    if (c->out.data == c->x.data || c->out.data == c->first.data) return 0;
    return !along || (c->out.inner == sizeof(T) && c->out.outer == (ptrdiff_t)(c->n * sizeof(T)) &&
                      !(c->limit.data && c->n > ROW_CHUNK));
#else
    return (void)c, (void)along, 0;
#endif
}

/* Rows of one entry, without options */
static void single_entries(const Call *c) {
    for (size_t row = 0; row < c->rows; row++) {
        const T x = *entry_at(c->x, row), nothing = 0 * (x - x); /* NaN where x is not finite */
        T value = nothing;
        if (c->what == SOFTMAX) value = 1 + nothing;
        if (c->what == LOGSUMEXP) value = x;
        if (c->what == WEIGHTED) value = *entry_at(c->first, row) + nothing;
        if (is_backward(c->what)) value = (*entry_at(c->first, row) - *entry_at(c->first, row)) + nothing;
        *entry_at(c->out, row) = value;
    }
}

static void exact_rows(const Call *c) {
    for (size_t row = 0; row < c->rows; row++) exact_row(c, row);
}

/* Rows that are short, or along memory; or of any stride, if a buffer holds one */
static NOINLINE void buffered_rows(const Call *c, int streaming) {
    Buffers f;
    ALIGNED T room[ROOM + LANES];
    Stream pending = {.room = {f.out, room}}, *stream = streaming ? &pending : NULL;
    f.mask_rows = 0;
    if (is_held(c))
        held_rows(c, stream);
    else if (c->n <= SHORT_ROW) {
        number_rows(f.row_of, c->n);
        rows_in_batches(flat_batch, c, &f, flat_batches(c->n), stream);
    } else if (is_from_output(c->what))
        rows_from_output(c, &f, stream);
    else
        rows_in_batches(along_batch, c, &f, batches_along(c, streaming), stream);
}

static void run_call(const Call *c) {
    const int has_options = c->mask.data || c->limit.data || c->sink.data || c->scale != 1;
    const int reduces = c->what == LOGSUMEXP;
    const int read_along = c->x.inner == sizeof(T) && (!is_backward(c->what) || c->first.inner == sizeof(T));
    const int along = read_along && (reduces || c->out.inner == sizeof(T));
    const int one_weight = c->what == WEIGHTED && !c->first.outer;
    const int first_across = !c->first.data || one_weight || c->first.outer == sizeof(T);
    const int across = c->x.outer == sizeof(T) && first_across && (reduces || c->out.outer == sizeof(T));
    const double size = ABS_OF(c->scale);
    Stream lines = {0}; /* of tiles, which need no room */
    const int streaming = (along || across) && is_streamed(c, along);
    if (c->n == 0 && !c->sink.data)
        for (size_t row = 0; row < c->rows && reduces; row++) *entry_at(c->out, row) = (T)-HUGE_VAL;
    else if (c->n == 1 && !has_options && !is_from_output(c->what))
        single_entries(c);
    else if (c->n < 2 || !(size >= 0x1p-60 && size <= 0x1p60))
        exact_rows(c);
    else if (across && !along && c->n < (size_t)1 << 24) /* limits are exact as floats */
        rows_in_batches(across_batch, c, NULL, tiles_of(c), streaming ? &lines : NULL);
    else if (c->n <= ROW_CHUNK || (along && has_whole_mask(c)))
        buffered_rows(c, along && streaming);
    else
        exact_rows(c);
}

/* [weight or grad,] x or y, [scale, sink, limit, mask,] -> out */
static int softmax_family_loop(char **args, const intptr_t *dimensions, const intptr_t *steps,
                               const void *data, size_t all_rows) {
    const RowKernel *kernel = data;
    const int what = kernel->what & ~OPTIONED, optioned = kernel->what != what;
    const int arrays = what < WEIGHTED ? 1 : 2, operands = arrays + (optioned ? 5 : 1);
    const FloatState callers = enter_default_state();
    const intptr_t *inner = steps + operands;
    Call c = {.what = what, .rows = (size_t)dimensions[0], .n = (size_t)dimensions[1], .scale = 1};
    c.all_rows = all_rows;
    Operand scale = {NULL, 0, 0};
    int k = 0;
    if (arrays == 2) c.first = (Operand){args[k], steps[k], what == WEIGHTED ? 0 : *inner++}, k++;
    c.x = (Operand){args[k], steps[k], *inner++}, k++;
    if (optioned) {
        scale = (Operand){args[k], steps[k], 0};
        c.sink = (Operand){args[k + 1], steps[k + 1], 0};
        c.limit = (Operand){args[k + 2], steps[k + 2], 0};
        c.mask = (Operand){args[k + 3], steps[k + 3], *inner++};
        k += 4;
    }
    c.out = (Operand){args[k], steps[k], what == LOGSUMEXP ? 0 : *inner};
    const size_t rows = c.rows;
    if (optioned && rows) {
        if (!c.sink.outer && NUMBER_AT(double, c.sink, 0) == -HUGE_VAL) c.sink.data = NULL;
        if (!c.limit.outer && NUMBER_AT(int64_t, c.limit, 0) >= (int64_t)c.n) c.limit.data = NULL;
        if (!c.mask.outer && !c.mask.inner && *c.mask.data) c.mask.data = NULL;
        if (scale.outer) c.rows = 1;
    }
    for (size_t row = 0; row < rows; row += c.rows) { /* rows with a scale of their own go one by one */
        if (optioned) c.scale = NUMBER_AT(double, scale, row);
        c.s = scale_by(c.scale);
        c.size = scale_by(ABS_OF(c.scale));
        run_call(&c);
        c.first.data += c.first.outer;
        c.x.data += c.x.outer;
        c.out.data += c.out.outer;
        if (c.sink.data) c.sink.data += c.sink.outer;
        if (c.limit.data) c.limit.data += c.limit.outer;
        if (c.mask.data) c.mask.data += c.mask.outer;
    }
    restore_state(callers);
    return 0;
}
