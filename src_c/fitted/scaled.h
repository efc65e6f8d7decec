/* Functions whose parameter scales the argument: f(x) = s g(x / s), with the derivative g'(x / s), where g is the function of the
 * table. z = x / s is in two parts, so that its rounding does not count. The parameter is a number or an array; both give the
 * same bits, and the default gives those of the table itself.
 *
 * The elements outside are gathered, and go through the block `outside`: where the table does not reach z, and where s is far
 * from 1 or negative. */

/* The parameter p: s = 1 / p, or s = p */
enum { BY_RATE, BY_SCALE };
typedef struct {
    Scale scale, rate; /* s and 1 / s */
} Scaling;
static ALWAYS_INLINE Scaling scaling_of(int by, f32_v p) {
    const f32_v inverse = f32_set(1) / p;
    const Scale given = {p, f32_set(0)}, other = {inverse, f32_fma(-p, inverse, f32_set(1)) * inverse};
    return by == BY_RATE ? (Scaling){other, given} : (Scaling){given, other};
}
static ALWAYS_INLINE f32_m usual_scale(f32_v p) { return f32_gt(p, f32_set(0x1p-60f)) & f32_gt(f32_set(0x1p60f), p); }

/* The inputs of the elements outside, and their places in the chunk */
typedef struct {
    float in[MAX_ARRAYS][FITTED_CHUNK + f32_lanes];
    float place[FITTED_CHUNK + f32_lanes]; /* whole numbers: what selects lanes works on floats */
} Beyond;

/* Appends the lanes of `mask` of the vector at element `at`, and returns the new count. */
static ALWAYS_INLINE size_t append_outside(f32_m mask, int arrays, const float *const *in, const float *parameter, size_t at,
                                           Beyond *late, size_t count) {
#ifdef HAVE_TABLE_ROWS
    const unsigned bits = (unsigned)f32_bits(mask);
    for (size_t lane = 0; lane < f32_lanes; lane++) { /* no branch, which would be mispredicted */
        late->place[count] = (float)(at + lane);
        for (int j = 0; j < arrays; j++) late->in[j][count] = in[j][at + lane];
        late->in[arrays][count] = parameter ? *parameter : in[arrays][at + lane];
        count += bits >> lane & 1;
    }
    return count;
#else
    static const float lane_numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (int j = 0; j <= arrays; j++) {
        const f32_v given = j == arrays && parameter ? f32_set(*parameter) : f32_load(in[j] + at);
        f32_store(late->in[j] + count, f32_compress(mask, given));
    }
    f32_store(late->place + count, f32_compress(mask, f32_set((float)at) + f32_load(lane_numbers)));
    return count + (size_t)f32_count(mask);
#endif
}

/* `group` vectors from element i of a chunk: x = in[arrays - 1], the parameter in[arrays], and a gradient in[0]. Returns the
 * number of elements outside, of which there were `count` before. */
static ALWAYS_INLINE size_t scaled_group(int group, int arrays, int by, Output output, const float *const *in,
                                         const float *parameter, float *out, size_t i, Beyond *late, size_t count) {
    const Fit fit = output.fit;
    f32_v x[GROUP], z[GROUP], low[GROUP], y[GROUP];
    Scale scale[GROUP];
    f32_m any = {0}, outside[GROUP];
    for (int v = 0; v < group; v++) {
        const f32_v p = parameter ? f32_set(*parameter) : f32_load(in[arrays] + i + v * f32_lanes);
        x[v] = f32_load(in[arrays - 1] + i + v * f32_lanes);
        const Scaling scaling = scaling_of(by, p);
        scale[v] = scaling.scale;
        f32_v rest = f32_set(0);
        if (by != BY_RATE) rest = x[v] * scaling.rate.low;
        z[v] = f32_fma(x[v], scaling.rate.high, rest);
        low[v] = f32_fma(x[v], scaling.rate.high, -z[v]) + rest;
        if (fit.segment == segment_by_size) low[v] = f32_select(f32_gt(f32_set(0), z[v]), -low[v], low[v]);
        const f32_v least = f32_set(fit.segment == segment_by_size ? -fit.high : fit.low);
        outside[v] = ~(f32_ge(z[v], least) & f32_ge(f32_set(fit.high), z[v]) & usual_scale(p)); /* NaN, too */
        any |= outside[v];
    }
    fitted_values_scaled(fit, group, x, z, low, scale, y);
    if (__builtin_expect(f32_any(any), 0))
        for (int v = 0; v < group; v++)
            if (f32_any(outside[v]))
                count = append_outside(outside[v], arrays, in, parameter, i + (size_t)v * f32_lanes, late, count);
    for (int v = 0; v < group; v++) {
        if (output.factors) y[v] = y[v] * f32_load(in[0] + i + v * f32_lanes);
        f32_store(out + i + v * f32_lanes, y[v]);
    }
    return count;
}

/* `parameter` is NULL where it is the last of the inputs. */
static ALWAYS_INLINE void scaled_block(int arrays, int by, Output output, const float *const *in, const float *parameter,
                                       float *const *out, size_t n) {
    Beyond late;
    for (size_t start = 0; start < n; start += FITTED_CHUNK) {
        const size_t m = n - start < FITTED_CHUNK ? n - start : FITTED_CHUNK;
        const float *from[MAX_ARRAYS];
        for (int j = 0; j < arrays + !parameter; j++) from[j] = in[j] + start;
        float *to = out[0] + start;
        size_t i = 0, count = 0;
        for (; i + GROUP * f32_lanes <= m; i += GROUP * f32_lanes)
            count = scaled_group(GROUP, arrays, by, output, from, parameter, to, i, &late, count);
        for (; i < m; i += f32_lanes) count = scaled_group(1, arrays, by, output, from, parameter, to, i, &late, count);
        if (!count) continue;
        float computed[FITTED_CHUNK + f32_lanes];
        const size_t padded = (count + f32_lanes - 1) / f32_lanes * f32_lanes;
        for (int j = 0; j <= arrays; j++)
            for (size_t k = count; k < padded; k++) late.in[j][k] = late.in[j][count - 1];
        output.outside((const float *const[]){late.in[0], late.in[1], late.in[2]}, NULL, (float *const[]){computed}, padded);
        for (size_t k = 0; k < count; k++) to[(size_t)late.place[k]] = computed[k];
    }
}
