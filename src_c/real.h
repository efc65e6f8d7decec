/* Sets the short names of words.h, kernels.c and rows.c for REAL, which is f32 or f64: V is its vector, T its element.
 * No include guard: it is included once for each of the two. */
#undef V
#undef M
#undef T
#undef LANES
#define CAT2(a, b) a##_##b
#define CAT(a, b) CAT2(a, b)
#define FN(name) CAT(REAL, name)
#define V FN(v)
#define M FN(m)
#define T FN(t)
#define LANES FN(lanes)
#define C(constant) FN(set)((T)(constant))
#define LOAD FN(load)
#define STORE FN(store)
#define FMA FN(fma) /* a * b + c; with one rounding where HAVE_FMA */
#define MIN FN(min) /* the second operand where either is NaN */
#define MAX FN(max)
#define ABS FN(abs)
#define WITH_SIGN FN(with_sign)
#define GT FN(gt)
#define GE FN(ge)
#define LT(a, b) FN(gt)(b, a)
#define LE(a, b) FN(ge)(b, a)
#define SELECT FN(select)
typedef float f32_t;
typedef double f64_t;
