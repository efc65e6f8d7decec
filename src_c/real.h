/* Sets the short names of the words, blocks and rows for REAL and the vectors it works on, BASE: V is the vector, T its element.
 *
 *   REAL   BASE   arrays    for
 *   f32    f32    float     formulas whose own roundings stay within the bound, and the rows
 *   f64    f64    double    the same
 *   mid    f64    float     wide formulas on float: computed in double, with words good to 2^-34, and rounded once
 *   pair   f64    double    wide formulas on double: every value is a pair of doubles (wide.h)
 *
 * FN(name) belongs to REAL, OP(name) to the vectors. No include guard: it is included once for each of them. */
#undef V
#undef M
#undef T
#undef LANES
#define CAT2(a, b) a##_##b
#define CAT(a, b) CAT2(a, b)
#define FN(name) CAT(REAL, name)
#define OP(name) CAT(BASE, name)
#define V OP(v)
#define M OP(m)
#define T OP(t)
#define LANES OP(lanes)
#define C(constant) OP(set)((T)(constant))
#define MINUS_INFINITY ((T) - HUGE_VAL)
#define LOAD OP(load)
#define STORE OP(store)
#define FMA OP(fma) /* a * b + c; with one rounding where HAVE_FMA */
#define MIN OP(min) /* the second operand where either is NaN */
#define MAX OP(max)
#define ABS OP(abs)
#define WITH_SIGN OP(with_sign)
#define GT OP(gt)
#define GE OP(ge)
#define LT(a, b) OP(gt)(b, a)
#define LE(a, b) OP(ge)(b, a)
#define SELECT OP(select)
typedef float f32_t;
typedef double f64_t;
typedef float mid_t;
