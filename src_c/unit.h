/* The beginning of each unit. A unit is compiled once for each instruction set. setup.py defines SIMD_HEADER, the header of the
 * set, and TABLE, the name of the table that the unit exports. */
#include "api.h"
#include SIMD_HEADER
#include <math.h> /* HUGE_VAL, NAN; no function of it is called */
#include <string.h>

#define ALIGNED _Alignas(64) /* for arrays that are loaded as vectors: no vector then lies across two cache lines */

#if defined(__GNUC__) || defined(__clang__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline)) /* one copy, however many callers */
#define UNROLLED _Pragma("GCC unroll 16")
#define BY_FOUR _Pragma("GCC unroll 4")
#define ROLLED _Pragma("GCC unroll 1")
#define PREFETCH(p) __builtin_prefetch(p)
#define PREFETCH_TO_WRITE(p) __builtin_prefetch(p, 1)
#define SETTLE(copy) __asm__ volatile("" : : "r"(copy) : "memory") /* the compiler does not read the original again */
#else
#define ALWAYS_INLINE inline
#define NOINLINE
#define UNROLLED
#define BY_FOUR
#define ROLLED
#define PREFETCH(p) (void)(p)
#define PREFETCH_TO_WRITE(p) (void)(p)
#define SETTLE(copy) (void)(copy)
#endif
#define NAN_VALUE NAN
