/* The blocks of the composed kernels: loops over whole vectors, with the formula inlined. api.h says what a block is. */
typedef void Block(const T *const *in, const T *parameter, T *const *out, size_t n);

/* A direct formula takes and gives vectors of the precision, a wide one vectors of doubles. */
typedef void DirectFormula(const V *in, V *out);
typedef void WideFormula(const f64_v *in, f64_v *out);

#ifdef HAVE_MASKED_LOADS
#define LOAD_UNMASKED(p) UNMASKED(LOAD(p))
#else
#define LOAD_UNMASKED(p) LOAD(p)
#endif

static ALWAYS_INLINE void direct_block(DirectFormula *formula, int arrays, int parameters, int outputs, const T *const *in,
                                       const T *parameter, T *const *out, size_t n) {
    V a[MAX_INPUTS], y[MAX_OUTPUTS];
    const T *from[MAX_INPUTS]; /* copies, which no store can change, stay in registers */
    T *to[MAX_OUTPUTS];
    for (int j = 0; j < arrays; j++) from[j] = in[j];
    for (int j = 0; j < outputs; j++) to[j] = out[j];
    for (int p = 0; p < parameters; p++) a[arrays + p] = C(parameter[p]);
    for (size_t i = 0; i < n; i += LANES) {
        for (int j = 0; j < arrays; j++) a[j] = LOAD_UNMASKED(from[j] + i);
        formula(a, y);
        for (int j = 0; j < outputs; j++) STORE(to[j] + i, y[j]);
    }
}

static ALWAYS_INLINE void wide_block(WideFormula *formula, int arrays, int parameters, int outputs, const T *const *in,
                                     const T *parameter, T *const *out, size_t n) {
    f64_v a[MAX_INPUTS], y[MAX_OUTPUTS];
    const T *from[MAX_INPUTS];
    T *to[MAX_OUTPUTS];
    for (int j = 0; j < arrays; j++) from[j] = in[j];
    for (int j = 0; j < outputs; j++) to[j] = out[j];
    for (int p = 0; p < parameters; p++) a[arrays + p] = f64_set(parameter[p]);
    for (size_t i = 0; i < n; i += f64_lanes) {
        for (int j = 0; j < arrays; j++) a[j] = LOAD_DOUBLES(from[j] + i);
        formula(a, y);
        for (int j = 0; j < outputs; j++) STORE_DOUBLES(to[j] + i, y[j]);
    }
}

static int out_of_range(const void *numbers, size_t n, double low, double high) {
    enum { SIDE_BY_SIDE = 4 };
    const T *const x = numbers;
    V least[SIDE_BY_SIDE], most[SIDE_BY_SIDE];
    size_t i = 0;
    int found = 0;
    for (int k = 0; k < SIDE_BY_SIDE; k++) least[k] = C(low), most[k] = C(high);
    for (; i + SIDE_BY_SIDE * LANES <= n; i += SIDE_BY_SIDE * LANES)
        for (int k = 0; k < SIDE_BY_SIDE; k++) {
            const V a = LOAD(x + i + (size_t)k * LANES);
            least[k] = MIN(a, least[k]); /* the second operand where a is NaN */
            most[k] = MAX(a, most[k]);
        }
    for (int k = 0; k < SIDE_BY_SIDE; k++) found |= ANY(GT(C(low), least[k])) | ANY(GT(most[k], C(high)));
    for (; i < n; i++) found |= (x[i] < (T)low) | (x[i] > (T)high);
    return found;
}

/* Apply a block to large arrays. Its results go to a buffer in the first cache, and from there past the caches to memory. The
 * outputs begin at the start of a line. Two buffers take turns: so a block need not wait until its results before are read. */
#ifdef HAVE_STREAM_LINE
enum { LINE = 64, STREAM_CHUNK = 256 };

static void stream_block(Block *block, int arrays, int outputs, const T *const *in, const T *parameter, T *const *out, size_t n) {
    ALIGNED T buffers[2][MAX_OUTPUTS][STREAM_CHUNK];
    const T *from[MAX_INPUTS];
    size_t i = 0;
    for (; i + STREAM_CHUNK <= n; i += STREAM_CHUNK) {
        T(*const buffer)[STREAM_CHUNK] = buffers[i / STREAM_CHUNK % 2];
        for (int j = 0; j < arrays; j++) from[j] = in[j] + i;
        block(from, parameter, (T *const[MAX_OUTPUTS]){buffer[0], buffer[1], buffer[2]}, STREAM_CHUNK);
        for (int k = 0; k < outputs; k++) {
            /* Unrolled, it would read a whole buffer before it writes, and memory would wait. */
            ROLLED
            for (size_t line = 0; line < STREAM_CHUNK; line += LINE / sizeof(T)) stream_line(out[k] + i + line, buffer[k] + line);
        }
    }
    stream_end();
    T *rest[MAX_OUTPUTS];
    for (int j = 0; j < arrays; j++) from[j] = in[j] + i;
    for (int k = 0; k < outputs; k++) rest[k] = out[k] + i;
    if (i < n) block(from, parameter, rest, n - i);
}
#define STREAM_BLOCK (any_block *)stream_block
#else
#define STREAM_BLOCK NULL
#endif
