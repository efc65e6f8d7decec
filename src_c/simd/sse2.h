/* SSE2, the baseline of x86-64: 4 floats or 2 doubles, no fused multiply-add. src_c/README.md has the table of the operations,
 * avx512.h the comments. */
#ifndef FASTACT_SIMD_H
#define FASTACT_SIMD_H
#include <emmintrin.h>
#include <stddef.h>

typedef __m128 f32_v;
typedef __m128 f32_m; /* all bits of a lane, or none */
enum { f32_lanes = 4 };
typedef __m128d f64_v;
typedef __m128d f64_m;
enum { f64_lanes = 2 };

static inline f32_v f32_set(float a) { return _mm_set1_ps(a); }
static inline f64_v f64_set(double a) { return _mm_set1_pd(a); }
static inline f32_v f32_load(const float *p) { return _mm_loadu_ps(p); }
static inline f64_v f64_load(const double *p) { return _mm_loadu_pd(p); }
static inline void f32_store(float *p, f32_v a) { _mm_storeu_ps(p, a); }
static inline void f64_store(double *p, f64_v a) { _mm_storeu_pd(p, a); }
static inline f32_v f32_fma(f32_v a, f32_v b, f32_v c) { return a * b + c; }
static inline f64_v f64_fma(f64_v a, f64_v b, f64_v c) { return a * b + c; }
static inline f32_v f32_min(f32_v a, f32_v b) { return _mm_min_ps(a, b); } /* b where either is NaN */
static inline f64_v f64_min(f64_v a, f64_v b) { return _mm_min_pd(a, b); }
static inline f32_v f32_max(f32_v a, f32_v b) { return _mm_max_ps(a, b); }
static inline f64_v f64_max(f64_v a, f64_v b) { return _mm_max_pd(a, b); }
static inline f32_v f32_abs(f32_v a) { return _mm_andnot_ps(_mm_set1_ps(-0.0f), a); }
static inline f64_v f64_abs(f64_v a) { return _mm_andnot_pd(_mm_set1_pd(-0.0), a); }
static inline f64_v f64_cut(f64_v a) {
    return _mm_and_pd(a, _mm_castsi128_pd(_mm_set1_epi64x(-0x8000000)));
} /* the first 26 bits */
static inline f32_v f32_with_sign(f32_v a, f32_v sign) { return _mm_or_ps(a, _mm_and_ps(sign, _mm_set1_ps(-0.0f))); }
static inline f64_v f64_with_sign(f64_v a, f64_v sign) { return _mm_or_pd(a, _mm_and_pd(sign, _mm_set1_pd(-0.0))); }
static inline f32_v f32_sqrt(f32_v a) { return _mm_sqrt_ps(a); }
static inline f64_v f64_sqrt(f64_v a) { return _mm_sqrt_pd(a); }
static inline f64_v f64_load_floats(const float *p) { return _mm_setr_pd(p[0], p[1]); }
static inline f64_v f32_first_half(f32_v a) { return _mm_cvtps_pd(a); }
static inline f64_v f32_second_half(f32_v a) { return _mm_cvtps_pd(_mm_movehl_ps(a, a)); }
static inline void f64_store_floats(float *p, f64_v a) { _mm_storel_pi((__m64 *)p, _mm_cvtpd_ps(a)); }
static inline f32_m f32_gt(f32_v a, f32_v b) { return _mm_cmpgt_ps(a, b); }
static inline f64_m f64_gt(f64_v a, f64_v b) { return _mm_cmpgt_pd(a, b); }
static inline f32_m f32_ge(f32_v a, f32_v b) { return _mm_cmpge_ps(a, b); }
static inline f64_m f64_ge(f64_v a, f64_v b) { return _mm_cmpge_pd(a, b); }
static inline f32_m f32_nan(f32_v a) { return _mm_cmpunord_ps(a, a); }
static inline f64_m f64_nan(f64_v a) { return _mm_cmpunord_pd(a, a); }
static inline int f32_any(f32_m m) { return _mm_movemask_ps(m); }
static inline int f64_all(f64_m m) { return _mm_movemask_pd(m) == 0x3; }
static inline int f64_any(f64_m m) { return _mm_movemask_pd(m); }
static inline f32_v f32_select(f32_m m, f32_v yes, f32_v no) { return _mm_or_ps(_mm_and_ps(m, yes), _mm_andnot_ps(m, no)); }
static inline f64_v f64_select(f64_m m, f64_v yes, f64_v no) { return _mm_or_pd(_mm_and_pd(m, yes), _mm_andnot_pd(m, no)); }

static inline f32_v f32_pow2(f32_v z) {
    return _mm_castsi128_ps(_mm_add_epi32(_mm_slli_epi32(_mm_castps_si128(z), 23), _mm_set1_epi32(127 << 23)));
}
static inline f64_v f64_pow2(f64_v z) {
    return _mm_castsi128_pd(_mm_add_epi64(_mm_slli_epi64(_mm_castpd_si128(z), 52), _mm_set1_epi64x(1023LL << 52)));
}

/* The bits of the exponent become the low bits of 2^52 + exponent. Subtracting 2^52 gives the exponent. */
static inline f64_v f64_exponent(f64_v a) {
    __m128i shifted = _mm_or_si128(_mm_srli_epi64(_mm_castpd_si128(a), 52), _mm_castpd_si128(_mm_set1_pd(0x1p52)));
    return _mm_castsi128_pd(shifted) - _mm_set1_pd(0x1p52 + 1023);
}
static inline float f32_sum(f32_v a) {
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_shuffle_ps(a, a, 1)));
}
static inline double f64_sum(f64_v a) { return _mm_cvtsd_f64(_mm_add_sd(a, _mm_unpackhi_pd(a, a))); }
static inline float f32_largest(f32_v a) {
    a = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_shuffle_ps(a, a, 1)));
}
static inline double f64_largest(f64_v a) { return _mm_cvtsd_f64(_mm_max_sd(a, _mm_unpackhi_pd(a, a))); }

static inline f32_v f32_pick(const float *table, const int *index) {
    return _mm_setr_ps(table[index[0]], table[index[1]], table[index[2]], table[index[3]]);
}
static inline f64_v f64_pick(const double *table, const int *index) { return _mm_setr_pd(table[index[0]], table[index[1]]); }
#endif
