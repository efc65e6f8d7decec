/* For any processor. GCC and clang take the vectors of gnu.h, other compilers one float or double at a time, in plain C. */
#ifndef FASTACT_SIMD_H
#define FASTACT_SIMD_H
#include <math.h> /* sqrt, one instruction with -fno-math-errno */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if (defined __clang__ || (defined __GNUC__ && __GNUC__ >= 9)) && !defined PLAIN_C /* -DPLAIN_C takes the other, for tests */
#include "simd/gnu.h"
#else
typedef float f32_v;
typedef int f32_m;
enum { f32_lanes = 1 };
typedef double f64_v;
typedef int f64_m;
enum { f64_lanes = 1 };

static inline uint32_t bits_of_float(float a) {
    uint32_t b;
    memcpy(&b, &a, 4);
    return b;
}
static inline float float_of_bits(uint32_t b) {
    float a;
    memcpy(&a, &b, 4);
    return a;
}
static inline uint64_t bits_of_double(double a) {
    uint64_t b;
    memcpy(&b, &a, 8);
    return b;
}
static inline double double_of_bits(uint64_t b) {
    double a;
    memcpy(&a, &b, 8);
    return a;
}

static inline f32_v f32_set(float a) { return a; }
static inline f64_v f64_set(double a) { return a; }
static inline f32_v f32_load(const float *p) { return *p; }
static inline f64_v f64_load(const double *p) { return *p; }
static inline void f32_store(float *p, f32_v a) { *p = a; }
static inline void f64_store(double *p, f64_v a) { *p = a; }
static inline f32_v f32_fma(f32_v a, f32_v b, f32_v c) { return a * b + c; }
static inline f64_v f64_fma(f64_v a, f64_v b, f64_v c) { return a * b + c; }
static inline f32_v f32_min(f32_v a, f32_v b) { return a < b ? a : b; } /* b where either is NaN */
static inline f64_v f64_min(f64_v a, f64_v b) { return a < b ? a : b; }
static inline f32_v f32_max(f32_v a, f32_v b) { return a > b ? a : b; }
static inline f64_v f64_max(f64_v a, f64_v b) { return a > b ? a : b; }
static inline f32_v f32_abs(f32_v a) { return float_of_bits(bits_of_float(a) & 0x7fffffff); }
static inline f64_v f64_abs(f64_v a) { return double_of_bits(bits_of_double(a) & 0x7fffffffffffffff); }
static inline f64_v f64_cut(f64_v a) { return double_of_bits(bits_of_double(a) & ~0x7ffffffull); } /* the first 26 bits */
static inline f32_v f32_with_sign(f32_v a, f32_v sign) {
    return float_of_bits(bits_of_float(a) | (bits_of_float(sign) & 0x80000000));
}
static inline f64_v f64_with_sign(f64_v a, f64_v sign) {
    return double_of_bits(bits_of_double(a) | (bits_of_double(sign) & 0x8000000000000000));
}
static inline f32_v f32_sqrt(f32_v a) { return sqrtf(a); }
static inline f64_v f64_sqrt(f64_v a) { return sqrt(a); }
static inline f64_v f64_load_floats(const float *p) { return *p; }
static inline f64_v f32_first_half(f32_v a) { return a; }
static inline f64_v f32_second_half(f32_v a) { return (void)a, 0; }
static inline void f64_store_floats(float *p, f64_v a) { *p = (float)a; }
static inline f64_v f64_exponent(f64_v a) { return (double)(int)(bits_of_double(a) >> 52) - 1023; }
static inline f32_m f32_gt(f32_v a, f32_v b) { return a > b; }
static inline f64_m f64_gt(f64_v a, f64_v b) { return a > b; }
static inline f32_m f32_ge(f32_v a, f32_v b) { return a >= b; }
static inline f64_m f64_ge(f64_v a, f64_v b) { return a >= b; }
static inline f32_m f32_nan(f32_v a) { return a != a; }
static inline f64_m f64_nan(f64_v a) { return a != a; }
static inline int f32_any(f32_m m) { return m; }
static inline int f64_all(f64_m m) { return m; }
static inline int f64_any(f64_m m) { return m; }
static inline f32_v f32_select(f32_m m, f32_v yes, f32_v no) { return m ? yes : no; }
static inline f64_v f64_select(f64_m m, f64_v yes, f64_v no) { return m ? yes : no; }
static inline f32_v f32_pow2(f32_v z) { return float_of_bits((bits_of_float(z) << 23) + (127u << 23)); }
static inline f64_v f64_pow2(f64_v z) { return double_of_bits((bits_of_double(z) << 52) + (1023ull << 52)); }
static inline float f32_sum(f32_v a) { return a; }
static inline double f64_sum(f64_v a) { return a; }
static inline float f32_largest(f32_v a) { return a; }
static inline double f64_largest(f64_v a) { return a; }
static inline f32_v f32_pick(const float *table, const int *index) { return table[*index]; }
static inline f64_v f64_pick(const double *table, const int *index) { return table[*index]; }
#endif
#endif
