/* The sum along an axis, (n) -> (), in double. NumPy's own sum casts floats into a buffer first, which is
 * slower.
 *
 * The entries of 8 vectors, a row, are added to those of the next row. Columns side by side are such rows.
 * One column of n entries becomes n / SUM_WIDTH rows, and the sums of their lanes are added at the end. Each
 * half of the rows has a sum of its own, so that errors grow with log n, as in NumPy. A sum depends on its
 * entries, on n, and on whether columns lie side by side. */

enum { SUM_VECTORS = 8, SUM_WIDTH = SUM_VECTORS * f64_lanes, SUMMED = 128 };

/* sum[] = the sums of n rows, `down` bytes apart, of `width` entries, `along` bytes apart */
static void sum_rows(const char *at, ptrdiff_t down, size_t n, ptrdiff_t along, size_t width, f64_v *sum) {
    T buffer[SUM_WIDTH] = {0};
    f64_v total[SUM_VECTORS];
    const int dense = along == sizeof(T) && width == SUM_WIDTH;
    if (n > SUMMED) {
        const size_t half = n / 2;
        sum_rows(at, down, half, along, width, sum);
        sum_rows(at + (ptrdiff_t)half * down, down, n - half, along, width, total);
        for (int k = 0; k < SUM_VECTORS; k++) sum[k] = sum[k] + total[k];
        return;
    }
    for (int k = 0; k < SUM_VECTORS; k++) total[k] = f64_set(0);
    for (; n; n--, at += down) {
        for (size_t i = 0; i < width && !dense; i++) buffer[i] = *(const T *)(at + (ptrdiff_t)i * along);
        const T *row = dense ? (const T *)at : buffer;
        for (int k = 0; k < SUM_VECTORS; k++) total[k] = total[k] + LOAD_DOUBLES(row + k * f64_lanes);
    }
    for (int k = 0; k < SUM_VECTORS; k++) sum[k] = total[k];
}

static double sum_column(const char *at, ptrdiff_t step, size_t n) {
    f64_v sum[SUM_VECTORS], rest[SUM_VECTORS];
    const size_t rows = n / SUM_WIDTH, last = n % SUM_WIDTH;
    sum_rows(at, step * SUM_WIDTH, rows, step, SUM_WIDTH, sum);
    if (last) sum_rows(at + (ptrdiff_t)(n - last) * step, 0, 1, step, last, rest);
    for (int k = 0; k < SUM_VECTORS && last; k++) sum[k] = sum[k] + rest[k];
    return f64_sum(((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7])));
}

static int sum_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, const void *data,
                    size_t all_rows) {
    const size_t columns = (size_t)dimensions[0], n = (size_t)dimensions[1];
    const int side_by_side = columns > 1 && steps[0] == sizeof(T) && steps[2] != sizeof(T);
    const size_t width = side_by_side ? SUM_WIDTH : 1;
    const FloatState callers = enter_default_state();
    (void)data, (void)all_rows;
    for (size_t i = 0; i < columns; i += width) {
        const char *at = args[0] + (ptrdiff_t)i * steps[0];
        char *out = args[1] + (ptrdiff_t)i * steps[1];
        const size_t count = columns - i < width ? columns - i : width;
        f64_v sum[SUM_VECTORS];
        double sums[SUM_WIDTH];
        if (side_by_side) {
            sum_rows(at, steps[2], n, steps[0], count, sum);
            for (int k = 0; k < SUM_VECTORS; k++) f64_store(sums + k * f64_lanes, sum[k]);
        } else
            sums[0] = sum_column(at, steps[2], n);
        for (size_t k = 0; k < count; k++) *(double *)(out + (ptrdiff_t)k * steps[1]) = sums[k];
    }
    restore_state(callers);
    return 0;
}
