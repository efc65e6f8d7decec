/* Rows that lie side by side in memory, for REAL: off the last axis, neighbouring rows stand in the lanes.
 * Entry j of row i stands at p[j * step + i]. A tile is up to 256 rows: on 16384 entries 1.2 ns an element, 1.6 with 64. */

enum { FN(TILE) = 256, FN(TILE_VECTORS) = FN(TILE) / FN(lanes) };

#define SOME(p, width) FN(load_some)(p, width, C(0))
#define EACH_ENTRY(n) for (size_t j = 0; j < (n); j++)
#define EACH_VECTOR(width) for (size_t v = 0, i = 0; i < (width); v++, i += LANES)

static void FN(across_max)(const T *x, ptrdiff_t step, size_t n, size_t width, FN(Shift) *by) {
    V max[FN(TILE_VECTORS)];
    EACH_VECTOR(width) max[v] = C(MINUS_INFINITY);
    EACH_ENTRY(n) EACH_VECTOR(width) max[v] = MAX(max[v], SOME(x + (ptrdiff_t)j * step + i, width - i));
    EACH_VECTOR(width) by[v] = FN(row_shift)(max[v]);
}

static void FN(softmax_across)(const T *x, ptrdiff_t x_step, T *out, ptrdiff_t step, size_t n, size_t width) {
    FN(Shift) by[FN(TILE_VECTORS)];
    V sum[FN(TILE_VECTORS)], carry[FN(TILE_VECTORS)];
    FN(across_max)(x, x_step, n, width, by);
    EACH_VECTOR(width) sum[v] = carry[v] = C(0);
    EACH_ENTRY(n) EACH_VECTOR(width) {
        V e = FN(shifted_exp)(SOME(x + (ptrdiff_t)j * x_step + i, width - i), by[v]);
        FN(store_some)(out + (ptrdiff_t)j * step + i, e, width - i);
        sum[v] = FN(add_carried)(sum[v], e, &carry[v]);
    }
    EACH_VECTOR(width) sum[v] = C(1) / sum[v];
    EACH_ENTRY(n) EACH_VECTOR(width) {
        T *p = out + (ptrdiff_t)j * step + i;
        FN(store_some)(p, SOME(p, width - i) * sum[v], width - i);
    }
}

/* The dots, those taken again that are not finite: a sum has overflowed, or the row has a NaN. */
static V FN(finite_dots)(V dots, V inverse, FN(Shift) by, const T *grad, ptrdiff_t grad_step, const T *x, ptrdiff_t step, size_t n,
                         size_t width) {
    T dot[LANES], inverses[LANES], shift[LANES], k[LANES];
    STORE(dot, dots);
    STORE(inverses, inverse);
    STORE(shift, by.shift);
    STORE(k, by.k);
    for (size_t i = 0; i < LANES && i < width; i++) {
        if (dot[i] - dot[i] == 0) continue;
        const FN(Shift) mine = {FN(set)(shift[i]), FN(set)(k[i])};
        const FN(Row) row = {(T *)x + i, step}, gradient = {(T *)grad + i, grad_step};
        dot[i] = FN(normalized_dot)(gradient, row, mine, FN(set)(inverses[i]), n);
    }
    return LOAD(dot);
}

static ALWAYS_INLINE void FN(backward_across)(int from_output, const T *grad, ptrdiff_t grad_step, const T *y, ptrdiff_t y_step, T *out,
                                ptrdiff_t step, size_t n, size_t width) {
    FN(Shift) by[FN(TILE_VECTORS)];
    V sum[FN(TILE_VECTORS)], carry[FN(TILE_VECTORS)], dot[FN(TILE_VECTORS)], dot_carry[FN(TILE_VECTORS)];
    if (!from_output) FN(across_max)(y, y_step, n, width, by);
    EACH_VECTOR(width) sum[v] = carry[v] = dot[v] = dot_carry[v] = C(0);
    EACH_ENTRY(n) EACH_VECTOR(width) {
        V e = SOME(y + (ptrdiff_t)j * y_step + i, width - i);
        V g = SOME(grad + (ptrdiff_t)j * grad_step + i, width - i);
        if (!from_output) {
            e = FN(shifted_exp)(e, by[v]);
            sum[v] = FN(add_carried)(sum[v], e, &carry[v]);
        }
        dot[v] = FN(add_carried)(dot[v], e * g, &dot_carry[v]);
    }
    EACH_VECTOR(width) {
        sum[v] = from_output ? sum[v] + C(1) : C(1) / sum[v];
        dot[v] = dot[v] * sum[v];
        if (!from_output) dot[v] = FN(finite_dots)(dot[v], sum[v], by[v], grad + i, grad_step, y + i, y_step, n, width - i);
    }
    EACH_ENTRY(n) EACH_VECTOR(width) {
        V e = SOME(y + (ptrdiff_t)j * y_step + i, width - i);
        V g = SOME(grad + (ptrdiff_t)j * grad_step + i, width - i);
        if (!from_output) e = FN(shifted_exp)(e, by[v]) * sum[v];
        FN(store_some)(out + (ptrdiff_t)j * step + i, e * (g - dot[v]), width - i);
    }
}
