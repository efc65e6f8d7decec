/* Made by `python src_c/fit`; do not edit. */

/* exp(r) = 1 + r + r^2 (q[0] + q[1] r + ...) */
static const float f32_exp_q[] = {0x1.fffff80000000p-2f, 0x1.55548e0000000p-3f, 0x1.555b5e0000000p-5f, 0x1.123c280000000p-7f, 0x1.687a680000000p-10f};
/* 1 / ln 2, and ln 2 as a sum of parts: two where FMA rounds once. Without it there are three, and k times the first is exact for |k| < 2^14. */
#define f32_LOG2E 0x1.7154760000000p+0f
#ifdef HAVE_FMA
#define f32_LN2_HI 0x1.62e4300000000p-1f
#define f32_LN2_LO -0x1.05c6100000000p-29f
#else
#define f32_LN2_HI 0x1.6300000000000p-1f
#define f32_LN2_MID -0x1.bd00000000000p-13f
#define f32_LN2_LO -0x1.05c6100000000p-29f
#endif

/* exp(r) = 1 + r + r^2 (q[0] + q[1] r + ...) */
static const double f64_exp_q[] = {0x1.000000000000dp-1, 0x1.555555555552ap-3, 0x1.555555554ff5ep-5, 0x1.11111111223bdp-7, 0x1.6c16c185a7328p-10, 0x1.a01a013aa0e98p-13, 0x1.a01996a70aba0p-16, 0x1.71df115277a40p-19, 0x1.28b03df5abe00p-22, 0x1.ad8e41f720800p-26};
/* 1 / ln 2, and ln 2 as a sum of parts: two where FMA rounds once. Without it there are three, and k times the first is exact for |k| < 2^14. */
#define f64_LOG2E 0x1.71547652b82fep+0
#ifdef HAVE_FMA
#define f64_LN2_HI 0x1.62e42fefa39efp-1
#define f64_LN2_LO 0x1.abc9e3b39803fp-56
#else
#define f64_LN2_HI 0x1.62e42fefa0000p-1
#define f64_LN2_MID 0x0.0p+0
#define f64_LN2_LO 0x1.cf79abc9e3b3ap-40
#endif

/* exp(r) = 1 + r + r^2 (q[0] + q[1] r + ...) */
static const double short_exp_q[] = {0x1.000000438343cp-1, 0x1.555554a786ba6p-3, 0x1.55547fae96ccep-5, 0x1.1111e1759ffb0p-7, 0x1.6d96ec84cc560p-10, 0x1.9fca7f38e8bd0p-13};

/* exp(x) = 2^(s / 8) (1 + r + r^2 (q[0] + q[1] r + ...)), where s is the whole number nearest to x * EIGHTHS and r = x - s ln 2 / 8. s times the first part of ln 2 is exact. */
static const double f64_eighths_q[] = {0x1.0000000000000p-1, 0x1.555555555559ep-3, 0x1.5555555555572p-5, 0x1.1111110c60f21p-7, 0x1.6c16c16856a9cp-10, 0x1.a01ee0121d9bcp-13, 0x1.a01de6c734237p-16};
ALIGNED static const double f64_eighths[] = {0x1.0000000000000p+0, 0x1.172b83c7d517bp+0, 0x1.306fe0a31b715p+0, 0x1.4bfdad5362a27p+0, 0x1.6a09e667f3bcdp+0, 0x1.8ace5422aa0dbp+0, 0x1.ae89f995ad3adp+0, 0x1.d5818dcfba487p+0};
/* the rounding error of each */
ALIGNED static const double f64_eighths_error[] = {0x0.0p+0, -0x1.19041b9d78a76p-55, 0x1.6f46ad23182e4p-55, 0x1.d4397afec42e2p-56, -0x1.bdd3413b26456p-54, 0x1.6e9f156864b27p-54, 0x1.7a1cd345dcc81p-54, 0x1.2ed02d75b3707p-55};
#define f64_LN2_FIRST 0x1.62e42fefa0000p-1
#define f64_LN2_LAST 0x1.cf79abc9e3b3ap-40
#define f64_EIGHTHS 0x1.71547652b82fep+3
#define f64_EIGHTH_FIRST 0x1.62e42fefa0000p-4
#define f64_EIGHTH_LAST 0x1.cf79abc9e3b3ap-43

/* For sets with look-ups: 2^(y / steps) = 2^(s / steps) (1 + r (q[0] + q[1] r + ...)), where s is the whole number nearest to y and r = y - s. powers_error[j] is the rounding error of 2^(j / steps), divided by it. powers_bits[j] are the bits of this number, less j << shift: plus (s << shift) they are those of 2^(s / steps). moderate_bits do so for s + steps * lift. */
#if LOOKUPS_f32 == 16
ALIGNED static const float f32_powers_error[] = {0x0.0p+0f, 0x1.8d96d20000000p-25f, -0x1.9c0c220000000p-27f, 0x1.9649020000000p-25f, 0x1.1250020000000p-25f, 0x1.370be40000000p-25f, -0x1.0a35520000000p-25f, -0x1.00d8ac0000000p-27f, 0x1.26055c0000000p-26f, -0x1.05cb440000000p-25f, 0x1.67a1ca0000000p-28f, 0x1.a3b5e40000000p-28f, -0x1.f9c3060000000p-27f, -0x1.6961b40000000p-28f, -0x1.a5217c0000000p-28f, 0x1.61428e0000000p-28f};
ALIGNED static const float f32_power_q[] = {0x1.62e4300000000p-5f, 0x1.ebff940000000p-11f, 0x1.c6b29a0000000p-17f};
ALIGNED static const uint32_t f32_powers_bits[] = {0x3f800000u, 0x3f7daac3u, 0x3f7b95c2u, 0x3f79c3d3u, 0x3f7837f0u, 0x3f76f532u, 0x3f75fed7u, 0x3f75583fu, 0x3f7504f3u, 0x3f7508a4u, 0x3f75672au, 0x3f76248cu, 0x3f7744fdu, 0x3f78ccdfu, 0x3f7ac0c7u, 0x3f7d257du};
ALIGNED static const uint32_t f32_moderate_bits[] = {0x1f800000u, 0x1f7daac3u, 0x1f7b95c2u, 0x1f79c3d3u, 0x1f7837f0u, 0x1f76f532u, 0x1f75fed7u, 0x1f75583fu, 0x1f7504f3u, 0x1f7508a4u, 0x1f75672au, 0x1f76248cu, 0x1f7744fdu, 0x1f78ccdfu, 0x1f7ac0c7u, 0x1f7d257du};
#endif
#if LOOKUPS_f32 == 8
ALIGNED static const float f32_powers_error[] = {0x0.0p+0f, -0x1.9c0c220000000p-27f, 0x1.1250020000000p-25f, -0x1.0a35520000000p-25f, 0x1.26055c0000000p-26f, 0x1.67a1ca0000000p-28f, -0x1.f9c3060000000p-27f, -0x1.a5217c0000000p-28f};
ALIGNED static const float f32_power_q[] = {0x1.62e4300000000p-4f, 0x1.ebfbe00000000p-9f, 0x1.c6bb800000000p-14f, 0x1.3b2fc60000000p-19f};
ALIGNED static const uint32_t f32_powers_bits[] = {0x3f800000u, 0x3f7b95c2u, 0x3f7837f0u, 0x3f75fed7u, 0x3f7504f3u, 0x3f75672au, 0x3f7744fdu, 0x3f7ac0c7u};
ALIGNED static const uint32_t f32_moderate_bits[] = {0x1f800000u, 0x1f7b95c2u, 0x1f7837f0u, 0x1f75fed7u, 0x1f7504f3u, 0x1f75672au, 0x1f7744fdu, 0x1f7ac0c7u};
#endif
#if LOOKUPS_f64 == 8
ALIGNED static const double f64_powers_error[] = {0x0.0p+0, -0x1.01b15eaa59348p-55, 0x1.34d754db0abb6p-55, 0x1.690cebb7aafb0p-56, -0x1.3b3efbf5e2229p-54, 0x1.db72fc1f0eab4p-55, 0x1.c1a7792cb3386p-55, 0x1.4a385a63d07a7p-56};
ALIGNED static const double f64_power_q[] = {0x1.62e42fefa39efp-4, 0x1.ebfbdff82c6c7p-9, 0x1.c6b08d704a120p-14, 0x1.3b2ab6f1e79e3p-19, 0x1.5d87fe72a644cp-25, 0x1.430def1d3db98p-31, 0x1.ffd1f97306055p-38};
ALIGNED static const uint64_t f64_powers_bits[] = {0x3ff0000000000000ull, 0x3fef72b83c7d517bull, 0x3fef06fe0a31b715ull, 0x3feebfdad5362a27ull, 0x3feea09e667f3bcdull, 0x3feeace5422aa0dbull, 0x3feee89f995ad3adull, 0x3fef5818dcfba487ull};
ALIGNED static const uint64_t f64_moderate_bits[] = {0x1ff0000000000000ull, 0x1fef72b83c7d517bull, 0x1fef06fe0a31b715ull, 0x1feebfdad5362a27ull, 0x1feea09e667f3bcdull, 0x1feeace5422aa0dbull, 0x1feee89f995ad3adull, 0x1fef5818dcfba487ull};
#endif
/* log(1 + f) = f + f^2 (q(f) f - 1/2), for f from -1/4 to 1/2; and ln 2, whose first part has 16 bits */
static const float f32_log_q[] = {0x1.5555aa0000000p-2f, -0x1.00002a0000000p-2f, 0x1.9966fc0000000p-3f, -0x1.54f40c0000000p-3f, 0x1.28b3fe0000000p-3f, -0x1.0d8c060000000p-3f, 0x1.aa5e580000000p-4f, -0x1.6c2fd80000000p-5f};
#define f32_LOG_HI 0x1.62e4000000000p-1f
#define f32_LOG_LO 0x1.7f7d1c0000000p-20f
