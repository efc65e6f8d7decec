/* 4 floats or 2 doubles, in the vectors that GCC and clang have on every processor: they use its baseline, such as SSE2, NEON or
 * VSX. scalar.h includes this file, since some functions would be slower than the NumPy fallback with one number at a time. The
 * bits are those of sse2.h. */
typedef float f32_v __attribute__((vector_size(16)));
typedef int32_t f32_m __attribute__((vector_size(16))); /* all bits of a lane, or none */
enum { f32_lanes = 4 };
typedef double f64_v __attribute__((vector_size(16)));
typedef f32_m f64_m; /* lanes of 32 bits: with 64, GCC 12 does a select lane by lane */
enum { f64_lanes = 2 };

#define F32_SIGN ((f32_m){0} + INT32_MIN)
#define F64_SIGN ((f64_l){0} + INT64_MIN)
typedef int64_t f64_l __attribute__((vector_size(16)));

/* A cast between vectors of one size changes no bit. */
static inline f32_v f32_set(float a) { return (f32_v){a, a, a, a}; }
static inline f64_v f64_set(double a) { return (f64_v){a, a}; }
static inline f32_v f32_load(const float *p) {
    f32_v a;
    memcpy(&a, p, sizeof a);
    return a;
}
static inline f64_v f64_load(const double *p) {
    f64_v a;
    memcpy(&a, p, sizeof a);
    return a;
}
static inline void f32_store(float *p, f32_v a) { memcpy(p, &a, sizeof a); }
static inline void f64_store(double *p, f64_v a) { memcpy(p, &a, sizeof a); }
static inline f32_v f32_fma(f32_v a, f32_v b, f32_v c) { return a * b + c; }
static inline f64_v f64_fma(f64_v a, f64_v b, f64_v c) { return a * b + c; }
static inline f32_v f32_select(f32_m m, f32_v yes, f32_v no) { return (f32_v)((m & (f32_m)yes) | (~m & (f32_m)no)); }
static inline f64_v f64_select(f64_m m, f64_v yes, f64_v no) { return (f64_v)((m & (f64_m)yes) | (~m & (f64_m)no)); }
static inline f32_v f32_min(f32_v a, f32_v b) { return f32_select(a < b, a, b); } /* b where either is NaN */
static inline f64_v f64_min(f64_v a, f64_v b) { return f64_select((f64_m)(a < b), a, b); }
static inline f32_v f32_max(f32_v a, f32_v b) { return f32_select(a > b, a, b); }
static inline f64_v f64_max(f64_v a, f64_v b) { return f64_select((f64_m)(a > b), a, b); }
static inline f32_v f32_abs(f32_v a) { return (f32_v)((f32_m)a & ~F32_SIGN); }
static inline f64_v f64_abs(f64_v a) { return (f64_v)((f64_l)a & ~F64_SIGN); }
static inline f64_v f64_cut(f64_v a) { return (f64_v)((f64_l)a & ~0x7ffffffll); } /* the first 26 bits */
static inline f32_v f32_with_sign(f32_v a, f32_v sign) { return (f32_v)((f32_m)a | ((f32_m)sign & F32_SIGN)); }
static inline f64_v f64_with_sign(f64_v a, f64_v sign) { return (f64_v)((f64_l)a | ((f64_l)sign & F64_SIGN)); }
static inline f32_v f32_sqrt(f32_v a) { return (f32_v){sqrtf(a[0]), sqrtf(a[1]), sqrtf(a[2]), sqrtf(a[3])}; }
static inline f64_v f64_sqrt(f64_v a) { return (f64_v){sqrt(a[0]), sqrt(a[1])}; }
/* These convert vectors. Lane by lane, GCC 12 would take a double that was stored as a float and loaded again for the double. */
typedef float two_floats __attribute__((vector_size(8)));
static inline f64_v f64_load_floats(const float *p) {
    two_floats a;
    memcpy(&a, p, sizeof a);
    return __builtin_convertvector(a, f64_v);
}
static inline f64_v f32_first_half(f32_v a) {
    float lanes[4];
    f32_store(lanes, a);
    return f64_load_floats(lanes);
}
static inline f64_v f32_second_half(f32_v a) {
    float lanes[4];
    f32_store(lanes, a);
    return f64_load_floats(lanes + 2);
}
static inline void f64_store_floats(float *p, f64_v a) {
    const two_floats rounded = __builtin_convertvector(a, two_floats);
    memcpy(p, &rounded, sizeof rounded);
}
static inline f32_m f32_gt(f32_v a, f32_v b) { return a > b; }
static inline f64_m f64_gt(f64_v a, f64_v b) { return (f64_m)(a > b); }
static inline f32_m f32_ge(f32_v a, f32_v b) { return a >= b; }
static inline f64_m f64_ge(f64_v a, f64_v b) { return (f64_m)(a >= b); }
static inline f32_m f32_nan(f32_v a) { return a != a; }
static inline f64_m f64_nan(f64_v a) { return (f64_m)(a != a); }
static inline int f32_any(f32_m m) { return (m[0] | m[1] | m[2] | m[3]) != 0; }
static inline int f64_all(f64_m m) { return (m[0] & m[2]) != 0; }
static inline int f64_any(f64_m m) { return (m[0] | m[2]) != 0; }

/* unsigned: the shifts lose bits */
typedef uint32_t f32_u __attribute__((vector_size(16)));
typedef uint64_t f64_u __attribute__((vector_size(16)));
static inline f32_v f32_pow2(f32_v z) { return (f32_v)(((f32_u)z << 23) + (127u << 23)); }
static inline f64_v f64_pow2(f64_v z) { return (f64_v)(((f64_u)z << 52) + (1023ull << 52)); }

/* The bits of the exponent become the low bits of 2^52 + exponent. Subtracting 2^52 gives the exponent. */
static inline f64_v f64_exponent(f64_v a) { return (f64_v)((f64_u)a >> 52 | (f64_u)f64_set(0x1p52)) - f64_set(0x1p52 + 1023); }
static inline float f32_sum(f32_v a) { return (a[0] + a[2]) + (a[1] + a[3]); }
static inline double f64_sum(f64_v a) { return a[0] + a[1]; }
static inline float larger(float a, float b) { return a > b ? a : b; }
static inline float f32_largest(f32_v a) { return larger(larger(a[0], a[2]), larger(a[1], a[3])); }
static inline double f64_largest(f64_v a) { return a[0] > a[1] ? a[0] : a[1]; }
static inline f32_v f32_pick(const float *table, const int *index) {
    return (f32_v){table[index[0]], table[index[1]], table[index[2]], table[index[3]]};
}
static inline f64_v f64_pick(const double *table, const int *index) { return (f64_v){table[index[0]], table[index[1]]}; }
