/* The backward passes of the softmax family for rows that lie side by side: across.h has their forward passes. */

/* The dots, those taken again that are not finite: a sum has overflowed, or the row has a NaN. */
static V finite_dots(int of, V dots, V inverse, Shift by, Row grad, Row x, size_t n, size_t width) {
    T dot[LANES], inverses[LANES], shift[LANES], k[LANES];
    STORE(dot, dots);
    STORE(inverses, inverse);
    STORE(shift, by.shift);
    STORE(k, by.k);
    for (size_t i = 0; i < LANES && i < width; i++) {
        if (dot[i] - dot[i] == 0) continue;
        const Shift mine = {C(shift[i]), C(k[i]), C(-16384)};
        const Row row = {x.at + i, x.step}, gradient = {grad.at + i, grad.step};
        dot[i] = normalized_dot(of, gradient, row, mine, C(inverses[i]), n);
    }
    return LOAD(dot);
}

static ALWAYS_INLINE void gradient_tile(int of, int from_output, int streaming, Row grad, Row y, Row out, size_t n, size_t width,
                                            const Shift *by, const V *inverse, const V *dot) {
    EACH_TILE_VECTOR_BY(PAIR_BLOCK, n, width, {
        const Shift mine = by[v];
        const V over = inverse[v], total = dot[v];
        EACH_BLOCK_ENTRY {
            V e = tile_load(whole, y, j, i, width, C(0)), slope = tile_load(whole, grad, j, i, width, C(0));
            if (!from_output || of == OF_LOG_SOFTMAX) e = row_exp(from_output ? NEARLY : FROM_AFAR, e, mine, NULL);
            if (!from_output) e = e * over;
            tile_store(whole, streaming, out, j, i, width, gradient_of(of, e, slope, total));
        }
    })
}

static ALWAYS_INLINE void backward_tile(int of, int from_output, int streaming, Row grad, Row y, Row out, size_t n,
                                              size_t width) {
    Shift by[TILE_VECTORS];
    V max[TILE_VECTORS], sum[TILE_VECTORS], carry[TILE_VECTORS], dot[TILE_VECTORS], dot_carry[TILE_VECTORS];
    if (!from_output) {
        tile_maxima(y, n, width, max);
        tile_shifts(max, width, 1, by);
    }
    EACH_VECTOR(width) {
        if (from_output) by[v] = no_shift();
        sum[v] = carry[v] = dot[v] = dot_carry[v] = C(0);
    }
    EACH_TILE_VECTOR_BY(PAIR_BLOCK, n, width, {
        const Shift mine = by[v];
        V s = C(0), d = C(0);
        EACH_BLOCK_ENTRY {
            const V slope = tile_load(whole, grad, j, i, width, C(0));
            V e = C(1);
            if (!from_output) {
                e = row_exp(FROM_AFAR, tile_load(whole, y, j, i, width, C(0)), mine, NULL);
                s = s + e;
            }
            if (from_output && of == OF_SOFTMAX) e = tile_load(whole, y, j, i, width, C(0));
            d = add_product(of, e, slope, d);
        }
        if (!from_output) sum[v] = add_carried(sum[v], s, &carry[v]);
        dot[v] = add_carried(dot[v], d, &dot_carry[v]);
    })
    EACH_VECTOR(width) {
        if (!from_output) {
            sum[v] = C(1) / sum[v];
            if (of == OF_SOFTMAX) dot[v] = dot[v] * sum[v];
            const Row mine = {y.at + i, y.step}, gradient = {grad.at + i, grad.step};
            dot[v] = finite_dots(of, dot[v], sum[v], by[v], gradient, mine, n, width - i);
        }
    }
    EACH_STREAMED(streaming, PAIR_BLOCK, out, n, width, {
        if (direct)
            gradient_tile(of, from_output, 1, grad, y, to, n, width, by, sum, dot);
        else
            gradient_tile(of, from_output, 0, entries_of(backwards, grad, start, count), entries_of(backwards, y, start, count),
                              entries_of(backwards, to, 0, count), count, width, by, sum, dot);
    })
}

static NOINLINE void softmax_backward_across(int streaming, Row grad, Row y, Row out, size_t n, size_t width) {
    backward_tile(OF_SOFTMAX, 0, streaming, grad, y, out, n, width);
}

static NOINLINE void softmax_from_output_across(int streaming, Row grad, Row y, Row out, size_t n, size_t width) {
    backward_tile(OF_SOFTMAX, 1, streaming, grad, y, out, n, width);
}

static NOINLINE void log_softmax_backward_across(int streaming, Row grad, Row y, Row out, size_t n, size_t width) {
    backward_tile(OF_LOG_SOFTMAX, 0, streaming, grad, y, out, n, width);
}

static NOINLINE void log_softmax_from_output_across(int streaming, Row grad, Row y, Row out, size_t n, size_t width) {
    backward_tile(OF_LOG_SOFTMAX, 1, streaming, grad, y, out, n, width);
}
