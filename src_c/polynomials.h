/* Made by src_c/fit.py; do not edit. */

/* exp(r) = 1 + r + r^2 (q[0] + q[1] r + ...) */
static const f32_t f32_exp_q[] = {0x1.fffff80000000p-2f, 0x1.55548e0000000p-3f, 0x1.555b5e0000000p-5f, 0x1.123c280000000p-7f, 0x1.687a680000000p-10f};
/* 1 / ln 2, and ln 2 in parts: two where the product is fused, else such that k times the first is exact for |k| < 2^14 */
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
static const f64_t f64_exp_q[] = {0x1.000000000000dp-1, 0x1.555555555552ap-3, 0x1.555555554ff5ep-5, 0x1.11111111223bdp-7, 0x1.6c16c185a7328p-10, 0x1.a01a013aa0e98p-13, 0x1.a01996a70aba0p-16, 0x1.71df115277a40p-19, 0x1.28b03df5abe00p-22, 0x1.ad8e41f720800p-26};
/* 1 / ln 2, and ln 2 in parts: two where the product is fused, else such that k times the first is exact for |k| < 2^14 */
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
static const f64_t mid_exp_q[] = {0x1.000000438343cp-1, 0x1.555554a786ba6p-3, 0x1.55547fae96ccep-5, 0x1.1111e1759ffb0p-7, 0x1.6d96ec84cc560p-10, 0x1.9fca7f38e8bd0p-13};
