/* The conversions of one instruction set between float32 and the types of half precision, float16 and bfloat16. They round to
 * nearest, ties to even. NaN stays NaN: its payload is cut, and narrowing makes it quiet. */
#include "unit.h"

#ifdef HAVE_HALVES
typedef f32_v load_vector(const uint16_t *p);
typedef void store_vector(uint16_t *p, f32_v a);

/* The last elements, which fill no vector, go through a buffer. */
static ALWAYS_INLINE void widen_by(load_vector *load, const uint16_t *from, float *to, size_t n) {
    uint16_t last[f32_lanes] = {0};
    float wide[f32_lanes];
    size_t i = 0;
    for (; i + f32_lanes <= n; i += f32_lanes) f32_store(to + i, load(from + i));
    if (i == n) return;
    memcpy(last, from + i, (n - i) * sizeof(*last));
    f32_store(wide, load(last));
    memcpy(to + i, wide, (n - i) * sizeof(*wide));
}
static ALWAYS_INLINE void narrow_by(store_vector *store, const float *from, uint16_t *to, size_t n) {
    float last[f32_lanes] = {0};
    uint16_t narrow[f32_lanes];
    size_t i = 0;
    for (; i + f32_lanes <= n; i += f32_lanes) store(to + i, f32_load(from + i));
    if (i == n) return;
    memcpy(last, from + i, (n - i) * sizeof(*last));
    store(narrow, f32_load(last));
    memcpy(to + i, narrow, (n - i) * sizeof(*narrow));
}
static void widen_float16(const uint16_t *from, float *to, size_t n) { widen_by(f32_load_float16, from, to, n); }
static void narrow_float16(const float *from, uint16_t *to, size_t n) { narrow_by(f32_store_float16, from, to, n); }
static void widen_bfloat16(const uint16_t *from, float *to, size_t n) { widen_by(f32_load_bfloat16, from, to, n); }
static void narrow_bfloat16(const float *from, uint16_t *to, size_t n) {
    size_t i = 0;
#ifdef HAVE_STORE_TWO_BFLOAT16
    for (; i + 2 * f32_lanes <= n; i += 2 * f32_lanes)
        f32_store_two_bfloat16(to + i, f32_load(from + i), f32_load(from + i + f32_lanes));
#endif
    narrow_by(f32_store_bfloat16, from + i, to + i, n - i);
}

#else
/* A float16 has 5 bits of exponent and 10 of mantissa. Loops without branches become vectors by the compiler. */
enum { REBIAS = (127 - 15) << 23, QUIET = 1 << 22 };

static inline uint32_t bits_of(float a) {
    uint32_t bits;
    memcpy(&bits, &a, sizeof bits);
    return bits;
}
static inline float float_of(uint32_t bits) {
    float a;
    memcpy(&a, &bits, sizeof a);
    return a;
}

static void widen_float16(const uint16_t *from, float *to, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t h = from[i], size = h & 0x7fff, sign = (h & 0x8000) << 16;
        const uint32_t small = bits_of((float)(int32_t)size * 0x1p-24f); /* exact, and no subnormal float */
        uint32_t bits = (size << 13) + REBIAS;
        bits = size >= 0x7c00 ? bits + REBIAS : bits; /* infinite, or NaN */
        bits = size > 0x7c00 ? bits | QUIET : bits;
        bits = size < 0x0400 ? small : bits;
        to[i] = float_of(bits | sign);
    }
}

static void narrow_float16(const float *from, uint16_t *to, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = bits_of(from[i]), size = bits & 0x7fffffff, sign = bits >> 16 & 0x8000;
        const uint32_t odd = size >> 13 & 1, wide = float_of(size) < 0x1p-14f ? size : 0;
        const uint32_t small = bits_of(float_of(wide) + 0.5f) - 0x3f000000; /* the unit of 0.5 is that of a subnormal float16 */
        uint32_t h = (size - REBIAS + 0xfff + odd) >> 13;
        h = size >= 0x477ff000 ? 0x7c00 : h; /* from 65520 on */
        h = size > 0x7f800000 ? 0x7e00 | (size >> 13 & 0x3ff) : h;
        h = size < 0x38800000 ? small : h;
        to[i] = (uint16_t)(h | sign);
    }
}

static void widen_bfloat16(const uint16_t *from, float *to, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)from[i] << 16;
        memcpy(to + i, &bits, sizeof bits);
    }
}

static void narrow_bfloat16(const float *from, uint16_t *to, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = bits_of(from[i]), rounded = bits + 0x7fff + (bits >> 16 & 1);
        to[i] = (uint16_t)(((bits & 0x7fffffff) > 0x7f800000 ? bits | QUIET : rounded) >> 16);
    }
}
#endif

const HalfType TABLE[] = {{widen_float16, narrow_float16}, {widen_bfloat16, narrow_bfloat16}};
