/* AVX2 and FMA: 8 floats or 4 doubles. src_c/README.md has the table of the operations, avx512.h the comments. */
#ifndef FASTACT_SIMD_H
#define FASTACT_SIMD_H
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HAVE_FMA 1
#define HAVE_TABLES 1

typedef __m256 f32_v;
typedef __m256i f32_m; /* all bits of a lane, or none. & and | work on it. */
enum { f32_lanes = 8 };
typedef __m256d f64_v;
typedef __m256d f64_m;
enum { f64_lanes = 4 };

static inline f32_v f32_set(float a) { return _mm256_set1_ps(a); }
static inline f64_v f64_set(double a) { return _mm256_set1_pd(a); }
static inline f32_v f32_load(const float *p) { return _mm256_loadu_ps(p); }
static inline f64_v f64_load(const double *p) { return _mm256_loadu_pd(p); }
static inline void f32_store(float *p, f32_v a) { _mm256_storeu_ps(p, a); }
static inline void f64_store(double *p, f64_v a) { _mm256_storeu_pd(p, a); }
static inline f32_v f32_fma(f32_v a, f32_v b, f32_v c) { return _mm256_fmadd_ps(a, b, c); }
static inline f64_v f64_fma(f64_v a, f64_v b, f64_v c) { return _mm256_fmadd_pd(a, b, c); }
static inline f32_v f32_min(f32_v a, f32_v b) { return _mm256_min_ps(a, b); } /* b where either is NaN */
static inline f64_v f64_min(f64_v a, f64_v b) { return _mm256_min_pd(a, b); }
static inline f32_v f32_max(f32_v a, f32_v b) { return _mm256_max_ps(a, b); }
static inline f64_v f64_max(f64_v a, f64_v b) { return _mm256_max_pd(a, b); }
static inline f32_v f32_abs(f32_v a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline f64_v f64_abs(f64_v a) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a); }
static inline f32_v f32_with_sign(f32_v a, f32_v sign) { return _mm256_or_ps(a, _mm256_and_ps(sign, _mm256_set1_ps(-0.0f))); }
static inline f64_v f64_with_sign(f64_v a, f64_v sign) { return _mm256_or_pd(a, _mm256_and_pd(sign, _mm256_set1_pd(-0.0))); }
static inline f32_v f32_sqrt(f32_v a) { return _mm256_sqrt_ps(a); }
static inline f64_v f64_sqrt(f64_v a) { return _mm256_sqrt_pd(a); }
static inline f64_v f64_load_floats(const float *p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
static inline f64_v f32_first_half(f32_v a) { return _mm256_cvtps_pd(_mm256_castps256_ps128(a)); }
static inline f64_v f32_second_half(f32_v a) { return _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)); }
static inline void f64_store_floats(float *p, f64_v a) { _mm_storeu_ps(p, _mm256_cvtpd_ps(a)); }
static inline f32_m f32_gt(f32_v a, f32_v b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_GT_OQ)); }
static inline f64_m f64_gt(f64_v a, f64_v b) { return _mm256_cmp_pd(a, b, _CMP_GT_OQ); }
static inline f32_m f32_ge(f32_v a, f32_v b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_GE_OQ)); }
static inline f64_m f64_ge(f64_v a, f64_v b) { return _mm256_cmp_pd(a, b, _CMP_GE_OQ); }
static inline f32_m f32_nan(f32_v a) { return _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q)); }
static inline f64_m f64_nan(f64_v a) { return _mm256_cmp_pd(a, a, _CMP_UNORD_Q); }
static inline int f32_any(f32_m m) { return _mm256_movemask_ps(_mm256_castsi256_ps(m)); }
static inline int f64_all(f64_m m) { return _mm256_movemask_pd(m) == 0xf; }
static inline int f64_any(f64_m m) { return _mm256_movemask_pd(m); }
static inline f32_v f32_select(f32_m m, f32_v yes, f32_v no) { return _mm256_blendv_ps(no, yes, _mm256_castsi256_ps(m)); }
static inline f64_v f64_select(f64_m m, f64_v yes, f64_v no) { return _mm256_blendv_pd(no, yes, m); }

static inline f32_v f32_pow2(f32_v z) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_slli_epi32(_mm256_castps_si256(z), 23), _mm256_set1_epi32(127 << 23)));
}
static inline f64_v f64_pow2(f64_v z) {
    return _mm256_castsi256_pd(_mm256_add_epi64(_mm256_slli_epi64(_mm256_castpd_si256(z), 52), _mm256_set1_epi64x(1023LL << 52)));
}

/* The bits of the exponent become the low bits of 2^52 + exponent. Subtracting 2^52 gives the exponent. */
static inline f64_v f64_exponent(f64_v a) {
    __m256i shifted = _mm256_or_si256(_mm256_srli_epi64(_mm256_castpd_si256(a), 52), _mm256_castpd_si256(_mm256_set1_pd(0x1p52)));
    return _mm256_castsi256_pd(shifted) - _mm256_set1_pd(0x1p52 + 1023);
}
static inline float f32_sum(f32_v a) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
static inline double f64_sum(f64_v a) {
    __m128d s = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}
static inline float f32_largest(f32_v a) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
static inline double f64_largest(f64_v a) {
    __m128d s = _mm_max_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_max_sd(s, _mm_unpackhi_pd(s, s)));
}

/* The first `count` lanes alone. Loading gives `fill` in the other lanes, and neither reads nor writes their memory. */
#define HAVE_PARTIAL 1
static inline __m256i float_mask(size_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count < 8 ? (int)count : 8), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline __m256i double_mask(size_t count) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count < 4 ? (long long)count : 4), _mm256_setr_epi64x(0, 1, 2, 3));
}
static inline f32_v f32_load_some(const float *p, size_t count, f32_v fill) {
    __m256i first = float_mask(count);
    return _mm256_blendv_ps(fill, _mm256_maskload_ps(p, first), _mm256_castsi256_ps(first));
}
static inline f64_v f64_load_some(const double *p, size_t count, f64_v fill) {
    __m256i first = double_mask(count);
    return _mm256_blendv_pd(fill, _mm256_maskload_pd(p, first), _mm256_castsi256_pd(first));
}
static inline void f32_store_some(float *p, f32_v a, size_t count) { _mm256_maskstore_ps(p, float_mask(count), a); }
static inline void f64_store_some(double *p, f64_v a, size_t count) { _mm256_maskstore_pd(p, double_mask(count), a); }

#define HAVE_STREAM_LINE 1
static inline void stream_line(void *p, const void *from) {
    const __m256i *line = (const __m256i *)from;
    _mm256_stream_si256((__m256i *)p, _mm256_load_si256(line));
    _mm256_stream_si256((__m256i *)p + 1, _mm256_load_si256(line + 1));
}
static inline void stream_end(void) { _mm_sfence(); }

#define HAVE_FOLDS 1
static inline void f32_fold(int step, f32_v a, f32_v b, f32_v *first, f32_v *second) {
    const f64_v c = _mm256_castps_pd(a), d = _mm256_castps_pd(b);
    *first = step == 0   ? _mm256_unpacklo_ps(a, b)
             : step == 1 ? _mm256_castpd_ps(_mm256_unpacklo_pd(c, d))
                         : _mm256_permute2f128_ps(a, b, 0x20);
    *second = step == 0   ? _mm256_unpackhi_ps(a, b)
              : step == 1 ? _mm256_castpd_ps(_mm256_unpackhi_pd(c, d))
                          : _mm256_permute2f128_ps(a, b, 0x31);
}
static inline void f64_fold(int step, f64_v a, f64_v b, f64_v *first, f64_v *second) {
    *first = step == 0 ? _mm256_unpacklo_pd(a, b) : _mm256_permute2f128_pd(a, b, 0x20);
    *second = step == 0 ? _mm256_unpackhi_pd(a, b) : _mm256_permute2f128_pd(a, b, 0x31);
}
#define TURNS_f32 1
static inline void f32_neighbours(f32_v a, f32_v b, f32_v *first, f32_v *second) {
    *first = _mm256_shuffle_ps(a, b, 0x88);
    *second = _mm256_shuffle_ps(a, b, 0xdd);
}
static inline f32_v f32_permute(f32_v a, const int32_t *from) {
    return _mm256_permutevar8x32_ps(a, _mm256_loadu_si256((const __m256i *)from));
}
static inline f64_v f64_permute(f64_v a, const int32_t *from) { /* a double is two floats: 2 i and 2 i + 1 */
    const __m256i first = _mm256_slli_epi64(_mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)from)), 1);
    const __m256i halves = _mm256_add_epi64(_mm256_or_si256(first, _mm256_slli_epi64(first, 32)), _mm256_set1_epi64x(1LL << 32));
    return _mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(a), halves));
}
static inline f32_v f32_blend(const float *negative, f32_v a, f32_v b) {
    return _mm256_blendv_ps(a, b, _mm256_loadu_ps(negative));
}

/* A table has a row of 8 coefficients for each segment, then the column of a ninth. f32_store_rows keeps which rows the lanes
 * want, as offsets in bytes; f32_find loads them by halves and transposes them. Right after the offsets have been computed it
 * would wait for them. */
#define HAVE_TABLE_ROWS 1
#define TABLE_SIZE(columns) ((columns) > 8 ? 288 : 256)
#define TABLE_PLACE(segment, column) ((column) < 8 ? 8 * (segment) + (column) : 256 + (segment))
typedef struct {
    f32_v column[8];
    const float *table;
    const uint32_t *rows;
} f32_segment;
static inline void f32_store_rows(uint32_t *rows, f32_v z) {
    _mm256_storeu_si256((__m256i *)rows, _mm256_srli_epi32(_mm256_slli_epi32(_mm256_castps_si256(z), 27), 22));
}
static inline __attribute__((always_inline)) f32_segment f32_find(const float *table, const uint32_t *rows) {
    f32_segment s = {.table = table, .rows = rows};
    for (int half = 0; half < 2; half++) {
        const char *first = (const char *)(table + 4 * half);
        f32_v a[4];
        for (int i = 0; i < 4; i++)
            a[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_load_ps((const float *)(first + rows[i]))),
                                        _mm_load_ps((const float *)(first + rows[i + 4])), 1);
        const f64_v b = _mm256_castps_pd(_mm256_unpacklo_ps(a[0], a[1])), c = _mm256_castps_pd(_mm256_unpacklo_ps(a[2], a[3]));
        const f64_v d = _mm256_castps_pd(_mm256_unpackhi_ps(a[0], a[1])), e = _mm256_castps_pd(_mm256_unpackhi_ps(a[2], a[3]));
        s.column[4 * half] = _mm256_castpd_ps(_mm256_unpacklo_pd(b, c));
        s.column[4 * half + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(b, c));
        s.column[4 * half + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(d, e));
        s.column[4 * half + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(d, e));
    }
    return s;
}
static inline __attribute__((always_inline)) f32_v f32_coefficient(f32_segment s, int column) {
    if (column < 8) return s.column[column];
    const __m256i rows = _mm256_loadu_si256((const __m256i *)s.rows), index = _mm256_srli_epi32(rows, 5);
    f32_v part[4];
    for (int i = 0; i < 4; i++) part[i] = _mm256_permutevar8x32_ps(_mm256_load_ps(s.table + 256 + 8 * i), index);
    const f32_v odd = _mm256_castsi256_ps(_mm256_slli_epi32(rows, 23)), upper = _mm256_castsi256_ps(_mm256_slli_epi32(rows, 22));
    return _mm256_blendv_ps(_mm256_blendv_ps(part[0], part[1], odd), _mm256_blendv_ps(part[2], part[3], odd), upper);
}
static inline f32_v f32_top_bits(f32_v a, int bits) {
    return _mm256_castsi256_ps(_mm256_srli_epi32(_mm256_castps_si256(a), 32 - bits));
}
static inline f32_m f32_same(f32_v a, f32_v b) { return _mm256_cmpeq_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)); }
static inline unsigned f32_bits(f32_m m) { return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(m)); }

/* A subnormal number is made 2^24 times larger first. */
static inline __m256i subnormal_lanes(f32_v a) {
    return _mm256_castps_si256(_mm256_cmp_ps(a, _mm256_set1_ps(0x1p-126f), _CMP_LT_OQ));
}
static inline __m256i bits_of_normal(f32_v a) {
    return _mm256_castps_si256(a * f32_select(subnormal_lanes(a), _mm256_set1_ps(0x1p24f), _mm256_set1_ps(1)));
}
static inline f32_v f32_mantissa(f32_v a) {
    const __m256i bits = _mm256_and_si256(bits_of_normal(a), _mm256_set1_epi32(0x7fffff));
    const __m256i halved = _mm256_slli_epi32(_mm256_and_si256(bits, _mm256_set1_epi32(0x400000)), 1); /* from 1.5 on */
    return _mm256_castsi256_ps(_mm256_add_epi32(bits, _mm256_sub_epi32(_mm256_set1_epi32(127 << 23), halved)));
}
static inline f32_v f32_exponent(f32_v a) {
    const __m256i biased = _mm256_and_si256(_mm256_srli_epi32(bits_of_normal(a), 23), _mm256_set1_epi32(0xff));
    return _mm256_cvtepi32_ps(biased) - f32_select(subnormal_lanes(a), _mm256_set1_ps(127 + 24), _mm256_set1_ps(127));
}

/* Tables of 8 floats; 2^shift is 2^23 / 8 */
#define LOOKUPS_f32 8
static inline f32_v f32_lookup(const float *table, f32_v z) {
    return _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), _mm256_castps_si256(z));
}
static inline f32_v f32_lookup_scaled(const uint32_t *table, f32_v z) {
    const __m256i bits = _mm256_castps_si256(z), entries = _mm256_loadu_si256((const __m256i *)table);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_permutevar8x32_epi32(entries, bits), _mm256_slli_epi32(bits, 20)));
}
static inline f32_v f32_or_different(f32_v seen, f32_v a, f32_v b) { return _mm256_or_ps(seen, _mm256_xor_ps(a, b)); }
static inline int f32_any_bit(f32_v seen, uint32_t bits) {
    return !_mm256_testz_si256(_mm256_castps_si256(seen), _mm256_set1_epi32((int)bits));
}

#define HAVE_KEPT 1
static inline f32_m f32_kept(const char *p, size_t count) {
    uint64_t bytes = 0;
    memcpy(&bytes, p, count < 8 ? count : 8);
    return _mm256_cmpgt_epi32(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bytes)), _mm256_setzero_si256());
}
static inline f64_m f64_kept(const char *p, size_t count) {
    uint32_t bytes = 0;
    memcpy(&bytes, p, count < 4 ? count : 4);
    const __m256i lanes = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128((int)bytes));
    return _mm256_castsi256_pd(_mm256_cmpgt_epi64(lanes, _mm256_setzero_si256()));
}
static inline f32_m f32_first(size_t count) { return float_mask(count); }
static inline f64_m f64_first(size_t count) { return _mm256_castsi256_pd(double_mask(count)); }

static inline f32_v f32_pick(const float *table, const int *index) {
    return _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), _mm256_loadu_si256((const __m256i *)index));
}
static inline f64_v f64_pick(const double *table, const int *index) {
    return _mm256_i32gather_pd(table, _mm_loadu_si128((const __m128i *)index), 8);
}

#define HAVE_HALVES 1
static inline f32_v f32_load_float16(const uint16_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
static inline void f32_store_float16(uint16_t *p, f32_v a) {
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline f32_v f32_load_bfloat16(const uint16_t *p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}
static inline void f32_store_bfloat16(uint16_t *p, f32_v a) {
    const __m256i bits = _mm256_castps_si256(a), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i nearest = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(1 << 22));
    const __m256i rounded = _mm256_blendv_epi8(nearest, quiet, f32_nan(a));
    /* the upper halves of each 128 bits, then of both */
    const __m256i upper = _mm256_shuffle_epi8(
        rounded, _mm256_broadcastsi128_si256(_mm_setr_epi8(2, 3, 6, 7, 10, 11, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1)));
    _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(_mm256_permute4x64_epi64(upper, 0x08)));
}
/* Two vectors of numbers in 16 lanes of 16 bits: one more where the lower half and the last place of the upper one exceed a half */
#define HAVE_STORE_TWO_BFLOAT16 1
static inline void f32_store_two_bfloat16(uint16_t *p, f32_v a, f32_v b) {
    if (_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_UNORD_Q))) {
        f32_store_bfloat16(p, a);
        f32_store_bfloat16(p + 8, b);
        return;
    }
    const __m256i x = _mm256_castps_si256(a), y = _mm256_castps_si256(b);
    const __m256i upper = _mm256_blend_epi16(_mm256_srli_epi32(x, 16), y, 0xaa),
                  lower = _mm256_blend_epi16(x, _mm256_slli_epi32(y, 16), 0xaa);
    const __m256i beyond = _mm256_xor_si256(lower, _mm256_set1_epi16(-0x8000)),
                  odd = _mm256_and_si256(upper, _mm256_set1_epi16(1));
    const __m256i up = _mm256_cmpgt_epi16(_mm256_adds_epi16(beyond, odd), _mm256_setzero_si256());
    const __m256i order = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    const __m256i mixed = _mm256_shuffle_epi8(_mm256_sub_epi16(upper, up), order);
    _mm256_storeu_si256((__m256i *)p, _mm256_permute4x64_epi64(mixed, 0xd8));
}
#endif
