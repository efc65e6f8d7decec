/* AVX-512 (F, BW, DQ and VL, with BMI2, which every such processor has): 16 floats or 8 doubles. src_c/README.md has the table of
 * the operations. + - * / work on the vector types. */
#ifndef FASTACT_SIMD_H
#define FASTACT_SIMD_H
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define HAVE_FMA 1
#define HAVE_TABLES 1 /* look-ups in tables of 32 polynomials: fitted/ needs them */

typedef __m512 f32_v;
typedef __mmask16 f32_m;
enum { f32_lanes = 16 };
typedef __m512d f64_v;
typedef __mmask8 f64_m;
enum { f64_lanes = 8 };

static inline f32_v f32_set(float a) { return _mm512_set1_ps(a); }
static inline f64_v f64_set(double a) { return _mm512_set1_pd(a); }
static inline f32_v f32_load(const float *p) { return _mm512_loadu_ps(p); }
static inline f64_v f64_load(const double *p) { return _mm512_loadu_pd(p); }
static inline void f32_store(float *p, f32_v a) { _mm512_storeu_ps(p, a); }
static inline void f64_store(double *p, f64_v a) { _mm512_storeu_pd(p, a); }
/* a, computed before it is used: the compiler would fold a load and a selection of zero into a masked load, which waits for the
 * mask */
#define HAVE_MASKED_LOADS 1
static inline f32_v f32_unmasked(f32_v a) {
#ifdef __GNUC__
    __asm__("" : "+v"(a));
#endif
    return a;
}
static inline f64_v f64_unmasked(f64_v a) {
#ifdef __GNUC__
    __asm__("" : "+v"(a));
#endif
    return a;
}
static inline f32_v f32_fma(f32_v a, f32_v b, f32_v c) { return _mm512_fmadd_ps(a, b, c); }
static inline f64_v f64_fma(f64_v a, f64_v b, f64_v c) { return _mm512_fmadd_pd(a, b, c); }
static inline f32_v f32_min(f32_v a, f32_v b) { return _mm512_min_ps(a, b); } /* b where either is NaN */
static inline f64_v f64_min(f64_v a, f64_v b) { return _mm512_min_pd(a, b); }
static inline f32_v f32_max(f32_v a, f32_v b) { return _mm512_max_ps(a, b); }
static inline f64_v f64_max(f64_v a, f64_v b) { return _mm512_max_pd(a, b); }
static inline f32_v f32_abs(f32_v a) { return _mm512_abs_ps(a); }
static inline f64_v f64_abs(f64_v a) { return _mm512_abs_pd(a); }
/* 0xf8 is a | (b & c): a must not be negative */
static inline f32_v f32_with_sign(f32_v a, f32_v sign) {
    return _mm512_castsi512_ps(
        _mm512_ternarylogic_epi32(_mm512_castps_si512(a), _mm512_castps_si512(sign), _mm512_set1_epi32((int)0x80000000), 0xf8));
}
static inline f64_v f64_with_sign(f64_v a, f64_v sign) {
    return _mm512_castsi512_pd(_mm512_ternarylogic_epi64(_mm512_castpd_si512(a), _mm512_castpd_si512(sign),
                                                         _mm512_set1_epi64((long long)0x8000000000000000), 0xf8));
}
static inline f32_v f32_sqrt(f32_v a) { return _mm512_sqrt_ps(a); }
static inline f64_v f64_sqrt(f64_v a) { return _mm512_sqrt_pd(a); }
/* as many floats as there are doubles in a vector, as doubles */
static inline f64_v f64_load_floats(const float *p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
/* the first half of the lanes, and the second, as doubles */
static inline f64_v f32_first_half(f32_v a) { return _mm512_cvtps_pd(_mm512_castps512_ps256(a)); }
static inline f64_v f32_second_half(f32_v a) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)); }
static inline void f64_store_floats(float *p, f64_v a) { _mm256_storeu_ps(p, _mm512_cvtpd_ps(a)); }
static inline f32_m f32_gt(f32_v a, f32_v b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
static inline f64_m f64_gt(f64_v a, f64_v b) { return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ); }
static inline f32_m f32_ge(f32_v a, f32_v b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
static inline f64_m f64_ge(f64_v a, f64_v b) { return _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ); }
/* the same bits */
static inline f32_m f32_same(f32_v a, f32_v b) { return _mm512_cmpeq_epi32_mask(_mm512_castps_si512(a), _mm512_castps_si512(b)); }
static inline f32_m f32_nan(f32_v a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
static inline f64_m f64_nan(f64_v a) { return _mm512_cmp_pd_mask(a, a, _CMP_UNORD_Q); }
static inline int f32_any(f32_m m) { return m != 0; }
static inline int f64_all(f64_m m) { return m == 0xff; }
static inline int f64_any(f64_m m) { return m != 0; }
static inline f32_v f32_select(f32_m m, f32_v yes, f32_v no) { return _mm512_mask_blend_ps(m, no, yes); }
static inline f64_v f64_select(f64_m m, f64_v yes, f64_v no) { return _mm512_mask_blend_pd(m, no, yes); }

/* 2^k from z = k + 1.5 * 2^23, or 1.5 * 2^52 for doubles: the low bits of z hold k */
static inline f32_v f32_pow2(f32_v z) {
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_slli_epi32(_mm512_castps_si512(z), 23), _mm512_set1_epi32(127 << 23)));
}
static inline f64_v f64_pow2(f64_v z) {
    return _mm512_castsi512_pd(_mm512_add_epi64(_mm512_slli_epi64(_mm512_castpd_si512(z), 52), _mm512_set1_epi64(1023LL << 52)));
}
/* the k with 2^k <= a < 2^(k + 1), for a normal positive a */
static inline f64_v f64_exponent(f64_v a) { return _mm512_getexp_pd(a); }
/* a * 2^k for a whole number k of any size, rounded once even where it is subnormal */
#define HAVE_SCALE 1
static inline f32_v f32_scale(f32_v a, f32_v k) { return _mm512_scalef_ps(a, k); }
static inline f64_v f64_scale(f64_v a, f64_v k) { return _mm512_scalef_pd(a, k); }

static inline float f32_sum(f32_v a) { return _mm512_reduce_add_ps(a); }
static inline double f64_sum(f64_v a) { return _mm512_reduce_add_pd(a); }
static inline float f32_largest(f32_v a) { return _mm512_reduce_max_ps(a); }
static inline double f64_largest(f64_v a) { return _mm512_reduce_max_pd(a); }

/* The first `count` lanes alone. Loading gives `fill` in the other lanes, and neither reads nor writes their memory. */
#define HAVE_PARTIAL 1
static inline __mmask16 float_mask(size_t count) { return (__mmask16)_bzhi_u32(0xffff, count < 16 ? (unsigned)count : 16); }
static inline __mmask8 double_mask(size_t count) { return (__mmask8)_bzhi_u32(0xff, count < 8 ? (unsigned)count : 8); }
static inline f32_v f32_load_some(const float *p, size_t count, f32_v fill) {
    return _mm512_mask_loadu_ps(fill, float_mask(count), p);
}
static inline f64_v f64_load_some(const double *p, size_t count, f64_v fill) {
    return _mm512_mask_loadu_pd(fill, double_mask(count), p);
}
static inline void f32_store_some(float *p, f32_v a, size_t count) { _mm512_mask_storeu_ps(p, float_mask(count), a); }
static inline void f64_store_some(double *p, f64_v a, size_t count) { _mm512_mask_storeu_pd(p, double_mask(count), a); }

/* Streaming stores, which bypass the caches. p is aligned to a vector, or to a line. */
#define HAVE_STREAM 1
static inline void f32_stream(float *p, f32_v a) { _mm512_stream_ps(p, a); }
static inline void f64_stream(double *p, f64_v a) { _mm512_stream_pd(p, a); }
#define HAVE_STREAM_LINE 1
static inline void stream_line(void *p, const void *from) { _mm512_stream_si512((__m512i *)p, _mm512_load_si512(from)); }
static inline void stream_end(void) { _mm_sfence(); }

/* A fold: half of the lanes of a and of b go to `first`, the others to `second`. The caller adds the two, or takes the larger.
 * log2(lanes) such steps make one vector of as many vectors as there are lanes; its lane i is the sum, or the largest, of vector
 * i. */
#define HAVE_FOLDS 1
static inline void f32_fold(int step, f32_v a, f32_v b, f32_v *first, f32_v *second) {
    const f64_v c = _mm512_castps_pd(a), d = _mm512_castps_pd(b);
    *first = step == 0   ? _mm512_unpacklo_ps(a, b)
             : step == 1 ? _mm512_castpd_ps(_mm512_unpacklo_pd(c, d))
                         : _mm512_shuffle_f32x4(a, b, 0x88);
    *second = step == 0   ? _mm512_unpackhi_ps(a, b)
              : step == 1 ? _mm512_castpd_ps(_mm512_unpackhi_pd(c, d))
                          : _mm512_shuffle_f32x4(a, b, 0xdd);
}
static inline void f64_fold(int step, f64_v a, f64_v b, f64_v *first, f64_v *second) {
    *first = step == 0 ? _mm512_unpacklo_pd(a, b) : _mm512_shuffle_f64x2(a, b, 0x88);
    *second = step == 0 ? _mm512_unpackhi_pd(a, b) : _mm512_shuffle_f64x2(a, b, 0xdd);
}

/* neighbours: within each 128 bits, `first` gets the even lanes of a and then of b, `second` the odd ones. permute: lane i of the
 * result is lane from[i] of a. blend: lane i is that of b where the sign of negative[i] is set, else that of a. */
#define TURNS_f32 1
static inline void f32_neighbours(f32_v a, f32_v b, f32_v *first, f32_v *second) {
    *first = _mm512_shuffle_ps(a, b, 0x88);
    *second = _mm512_shuffle_ps(a, b, 0xdd);
}
static inline f32_v f32_permute(f32_v a, const int32_t *from) { return _mm512_permutexvar_ps(_mm512_loadu_si512(from), a); }
static inline f64_v f64_permute(f64_v a, const int32_t *from) {
    return _mm512_permutexvar_pd(_mm512_cvtepi32_epi64(_mm256_loadu_si256((const __m256i *)from)), a);
}
static inline f32_v f32_blend(const float *negative, f32_v a, f32_v b) {
    return _mm512_mask_blend_ps(_mm512_movepi32_mask(_mm512_loadu_si512(negative)), a, b);
}

/* How many vectors of each of two operands the registers hold, with room for as many results */
#define HELD_f32 8

/* lookup: table[low bits of z], for a table with as many entries as lanes. lookup_scaled: the number with the bits table[low
 * bits of z] + (bits of z << shift), which multiplies an entry by a power of two. */
#define LOOKUPS_f32 16
#define LOOKUPS_f64 8
static inline f32_v f32_lookup(const float *table, f32_v z) {
    return _mm512_permutexvar_ps(_mm512_castps_si512(z), _mm512_loadu_ps(table));
}
static inline f64_v f64_lookup(const double *table, f64_v z) {
    return _mm512_permutexvar_pd(_mm512_castpd_si512(z), _mm512_load_pd(table));
}
static inline f32_v f32_lookup_scaled(const uint32_t *table, f32_v z) {
    const __m512i bits = _mm512_castps_si512(z);
    return _mm512_castsi512_ps(
        _mm512_add_epi32(_mm512_permutexvar_epi32(bits, _mm512_loadu_si512(table)), _mm512_slli_epi32(bits, 19)));
}
static inline f64_v f64_lookup_scaled(const uint64_t *table, f64_v z) {
    const __m512i bits = _mm512_castpd_si512(z);
    return _mm512_castsi512_pd(
        _mm512_add_epi64(_mm512_permutexvar_epi64(bits, _mm512_loadu_si512(table)), _mm512_slli_epi64(bits, 49)));
}

/* seen | (a ^ b), which 0xf6 stands for: the bits in which any a and b differed. any_bit: whether a lane has one of `bits` */
static inline f32_v f32_or_different(f32_v seen, f32_v a, f32_v b) {
    return _mm512_castsi512_ps(
        _mm512_ternarylogic_epi32(_mm512_castps_si512(seen), _mm512_castps_si512(a), _mm512_castps_si512(b), 0xf6));
}
static inline f64_v f64_or_different(f64_v seen, f64_v a, f64_v b) {
    return _mm512_castsi512_pd(
        _mm512_ternarylogic_epi64(_mm512_castpd_si512(seen), _mm512_castpd_si512(a), _mm512_castpd_si512(b), 0xf6));
}
static inline int f32_any_bit(f32_v seen, uint32_t bits) {
    return _mm512_test_epi32_mask(_mm512_castps_si512(seen), _mm512_set1_epi32((int)bits)) != 0;
}
static inline int f64_any_bit(f64_v seen, uint64_t bits) {
    return _mm512_test_epi64_mask(_mm512_castpd_si512(seen), _mm512_set1_epi64((long long)bits)) != 0;
}

/* The lanes below `count` whose byte at p is not 0. The bytes of the others are not read. */
#define HAVE_KEPT 1
static inline f32_m f32_kept(const char *p, size_t count) {
    const __m128i bytes = _mm_maskz_loadu_epi8(float_mask(count), p);
    return _mm_test_epi8_mask(bytes, bytes);
}
static inline f64_m f64_kept(const char *p, size_t count) {
    const __m128i bytes = _mm_maskz_loadu_epi8(double_mask(count), p);
    return (f64_m)_mm_test_epi8_mask(bytes, bytes);
}
/* the lanes below `count` */
static inline f32_m f32_first(size_t count) { return float_mask(count); }
static inline f64_m f64_first(size_t count) { return double_mask(count); }

/* The segment of a table of 32 polynomials that the low 5 bits of z name, and its coefficients. A table has a column for each
 * coefficient, which stands in registers. */
#define TABLE_SIZE(columns) (32 * (columns))
#define TABLE_PLACE(segment, column) (32 * (column) + (segment))
typedef struct {
    const float *table;
    __m512i index;
} f32_segment;
static inline f32_segment f32_find(const float *table, f32_v z) { return (f32_segment){table, _mm512_castps_si512(z)}; }
static inline f32_v f32_coefficient(f32_segment s, int column) {
    const float *entries = s.table + TABLE_PLACE(0, column);
    return _mm512_permutex2var_ps(_mm512_load_ps(entries), s.index, _mm512_load_ps(entries + 16));
}

/* the first bits of a, as an index for a look-up: sign, exponent, and the top of the mantissa */
static inline f32_v f32_top_bits(f32_v a, int bits) {
    return _mm512_castsi512_ps(_mm512_srli_epi32(_mm512_castps_si512(a), 32u - (unsigned)bits));
}

/* the lanes of a that m selects, moved to the front */
static inline f32_v f32_compress(f32_m m, f32_v a) { return _mm512_maskz_compress_ps(m, a); }
/* the reverse: the numbers at p, in order, in the lanes that m selects */
static inline f32_v f32_expand(f32_m m, const float *p) { return _mm512_maskz_expand_ps(m, _mm512_loadu_ps(p)); }
static inline int f32_count(f32_m m) { return _mm_popcnt_u32(m); }

/* the mantissa of a, in [0.75, 1.5); and the k with 2^k <= |a| < 2^(k + 1) */
static inline f32_v f32_mantissa(f32_v a) { return _mm512_getmant_ps(a, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan); }
static inline f32_v f32_exponent(f32_v a) { return _mm512_getexp_ps(a); }

/* table[index[0]], table[index[1]], ... for indices below the number of lanes */
static inline f32_v f32_pick(const float *table, const int *index) {
    return _mm512_permutexvar_ps(_mm512_loadu_si512(index), _mm512_loadu_ps(table));
}
static inline f64_v f64_pick(const double *table, const int *index) {
    return _mm512_permutexvar_pd(_mm512_cvtepi32_epi64(_mm256_loadu_si256((const __m256i *)index)), _mm512_loadu_pd(table));
}

/* Types of half precision. vcvtneps2bf16 does not serve: it takes subnormal floats for 0. */
#define HAVE_HALVES 1
static inline f32_v f32_load_float16(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
static inline void f32_store_float16(uint16_t *p, f32_v a) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline f32_v f32_load_bfloat16(const uint16_t *p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}
/* For NaN the quiet bit; else, to round to nearest even, half of the last place less one, and one more where that place is odd */
static inline void f32_store_bfloat16(uint16_t *p, f32_v a) {
    const __m512i bits = _mm512_castps_si512(a), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    rounded = _mm512_mask_or_epi32(rounded, f32_nan(a), bits, _mm512_set1_epi32(1 << 22));
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
}
#endif
