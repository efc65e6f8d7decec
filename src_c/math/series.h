/* c[0] + c[1] x + ...: even and odd powers have a sum each, of many terms every fourth power has one. Short chains of operations
 * run side by side. */
static ALWAYS_INLINE f64_v f64_series(const double *c, int count, f64_v x) {
    f64_v square = x * x, step = square, sums[4];
    int chains = count > 12 ? 4 : 2;
    if (chains == 4) step = square * square;
    UNROLLED for (int chain = 0; chain < chains; chain++) {
        int last = chain + (count - 1 - chain) / chains * chains;
        sums[chain] = f64_set(c[last]);
        UNROLLED for (int i = last - chains; i >= 0; i -= chains) sums[chain] = f64_fma(sums[chain], step, f64_set(c[i]));
    }
    f64_v low = f64_fma(sums[1], x, sums[0]);
    if (chains == 2) return low;
    return f64_fma(f64_fma(sums[3], x, sums[2]), square, low);
}
