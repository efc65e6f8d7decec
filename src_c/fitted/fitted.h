/* The fitted float32 kernels. Within a range a table of 32 polynomials gives the result. Beyond it there is a tail, or another
 * kernel. They are right to about 1 ULP. Where registers hold a table they are nearly as fast as memory.
 *
 * forms.h has the forms of the tables, tails.h the tails, gated.h the products of gated pairs. registers.h and memory.h have the loops, for sets whose registers hold
 * a table and for others. All give the same bits. generated/tables.h has the tables and generated/kernels.h the kernels: `python
 * src_c/fit` makes both from the declarations.
 *
 * An element that the table covers has the value of the table, whatever its neighbours are: no result depends on them. */

#include "fitted/forms.h"
#include "fitted/tails.h"

/* A column of a table, a coefficient of the 32 segments, where the instruction set wants it */
#define COLUMN(c, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, a23, \
               a24, a25, a26, a27, a28, a29, a30, a31)                                                                          \
    [TABLE_PLACE(0, c)] = a0, [TABLE_PLACE(1, c)] = a1, [TABLE_PLACE(2, c)] = a2, [TABLE_PLACE(3, c)] = a3,                     \
                    [TABLE_PLACE(4, c)] = a4, [TABLE_PLACE(5, c)] = a5, [TABLE_PLACE(6, c)] = a6, [TABLE_PLACE(7, c)] = a7,     \
                    [TABLE_PLACE(8, c)] = a8, [TABLE_PLACE(9, c)] = a9, [TABLE_PLACE(10, c)] = a10, [TABLE_PLACE(11, c)] = a11, \
                    [TABLE_PLACE(12, c)] = a12, [TABLE_PLACE(13, c)] = a13, [TABLE_PLACE(14, c)] = a14,                         \
                    [TABLE_PLACE(15, c)] = a15, [TABLE_PLACE(16, c)] = a16, [TABLE_PLACE(17, c)] = a17,                         \
                    [TABLE_PLACE(18, c)] = a18, [TABLE_PLACE(19, c)] = a19, [TABLE_PLACE(20, c)] = a20,                         \
                    [TABLE_PLACE(21, c)] = a21, [TABLE_PLACE(22, c)] = a22, [TABLE_PLACE(23, c)] = a23,                         \
                    [TABLE_PLACE(24, c)] = a24, [TABLE_PLACE(25, c)] = a25, [TABLE_PLACE(26, c)] = a26,                         \
                    [TABLE_PLACE(27, c)] = a27, [TABLE_PLACE(28, c)] = a28, [TABLE_PLACE(29, c)] = a29,                         \
                    [TABLE_PLACE(30, c)] = a30, [TABLE_PLACE(31, c)] = a31
#include "fitted/generated/tables.h"

/* f(x) times the inputs in `factors` (a bit for each). `tail` continues it where the table does not cover x. Where there is no tail,
 * those elements are gathered, and the block `outside` computes them. */
typedef struct {
    Fit fit;
    Tail tail;
    Block *outside;
    int factors;
} Output;

static ALWAYS_INLINE f32_v times_factors(f32_v y, int factors, int arrays, f32_v (*const a)[GROUP], int v) {
    for (int j = 0; j < arrays; j++)
        if (factors >> j & 1) y = y * a[j][v];
    return y;
}

/* What becomes of a table: ONE function, or a gated pair. GATED_PAIR is the pair itself. The others are its backward passes, with
 * two outputs: SIGMOID_SLOPES has s = sigmoid(x) and its derivative, GATE_SLOPES the slope and the value of a GATE. */
enum { ONE, GATED_PAIR, SIGMOID_SLOPES, GATE_SLOPES };
static ALWAYS_INLINE int outputs_of(int kind) { return kind == ONE || kind == GATED_PAIR ? 1 : 2; }

/* The table of sigmoid(-|x|), for both signs of x */
static ALWAYS_INLINE Fit sigmoid_tail_fit(void) {
    Fit fit = FIT_sigmoid;
    fit.value = direct;
    fit.uncovered = beyond_both;
    return fit;
}

#include "fitted/gated.h"

/* The outputs at the v-th vectors of the inputs, from its segment and u. The caller corrects the `irregular` ones. */
static ALWAYS_INLINE void fitted_values(int kind, Output output, f32_segment segment, f32_v u, int arrays, int argument,
                                        f32_v (*const a)[GROUP], int v, f32_v *y, f32_m *irregular) {
    Found found;
    find_polynomials(output.fit, 1, &segment, &u, a[argument] + v, NULL, &found);
    if (kind == ONE) y[0] = times_factors(output.fit.value(output.fit, found), output.factors, arrays, a, v);
    if (kind == GATED_PAIR) y[0] = gated_pair(output.fit, found, a[1 - argument][v], irregular);
    if (kind == SIGMOID_SLOPES) gated_slopes(kind, output.fit, found, a[0][v], a[1][v], y, y + 1);
    if (kind == GATE_SLOPES) gated_slopes(kind, output.fit, found, a[0][v], a[2][v], y + 1, y);
}
static ALWAYS_INLINE f32_v corrected_pair(Output output, f32_segment segment, f32_v u, int argument, f32_v (*const a)[GROUP],
                                          int v) {
    Found found;
    f32_m irregular;
    find_polynomials(output.fit, 1, &segment, &u, a[argument] + v, NULL, &found);
    const f32_v y = gated_pair(output.fit, found, a[1 - argument][v], &irregular);
    return f32_select(irregular, irregular_pair(output.fit, found, a[1 - argument][v]), y);
}

/* Both have fitted_block, and fitted_halves for a gated pair of the halves of rows: in[0] and in[1] are those of the first row. */
#ifdef HAVE_TABLE_ROWS
#include "fitted/memory.h"
#else
#include "fitted/registers.h"
#endif

/* The same for a parameter in an array. An element whose parameter is the default gets the bits that the number gives. */
static ALWAYS_INLINE void fitted_general(int arrays, float standard, Block *fitted, Block *composed, const float *const *in,
                                         float *const *out, size_t n) {
    enum { CHUNK = 256 };
    float with_table[CHUNK], without[CHUNK];
    for (size_t start = 0; start < n; start += CHUNK) {
        const size_t m = n - start < CHUNK ? n - start : CHUNK;
        const float *part[MAX_INPUTS];
        for (int j = 0; j <= arrays; j++) part[j] = in[j] + start;
        f32_m usual = {0}, unusual = {0};
        for (size_t i = 0; i < m; i += f32_lanes) {
            const f32_m same = f32_same(f32_load(part[arrays] + i), f32_set(standard));
            usual |= same;
            unusual |= ~same;
        }
        if (!f32_any(usual)) {
            composed(part, NULL, (float *const[]){out[0] + start}, m);
            continue;
        }
        fitted(part, &standard, (float *const[]){with_table}, m);
        if (f32_any(unusual)) composed(part, NULL, (float *const[]){without}, m);
        for (size_t i = 0; i < m; i += f32_lanes) {
            const f32_m same = f32_same(f32_load(part[arrays] + i), f32_set(standard));
            f32_v y = f32_load(with_table + i);
            if (f32_any(unusual)) y = f32_select(same, y, f32_load(without + i));
            f32_store(out[0] + start + i, y);
        }
    }
}

#include "fitted/scaled.h"
#include "fitted/softcap.h"
#include "fitted/snake.h"
#include "fitted/cross_entropy.h"
#include "fitted/generated/kernels.h"
