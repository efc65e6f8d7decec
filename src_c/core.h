/* What kernels.c and rows.c share: they are compiled once for each instruction set, with SIMD_HEADER and SET_NAME given by setup.py. */
#include "fastact.h"
#include SIMD_HEADER
#include <math.h> /* HUGE_VAL, NAN; no function of it is called */
#include <string.h>

#define ALIGNED _Alignas(64) /* arrays that are read in vectors, which otherwise lie across two lines: softmax of 10 columns, .185 ns -> .173 */

#if defined(__GNUC__) || defined(__clang__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define APART __attribute__((noinline)) /* one copy, however many callers: rows.c took 110 s to compile without, and 3.5 MB */
#define UNROLLED _Pragma("GCC unroll 16")
#define BY_FOUR _Pragma("GCC unroll 4")
#define ROLLED _Pragma("GCC unroll 1")
#define PREFETCH(p) __builtin_prefetch(p)
#define PREFETCH_TO_WRITE(p) __builtin_prefetch(p, 1)
#define SETTLE(copy) __asm__ volatile("" : : "r"(copy) : "memory") /* what was copied is not read once more where it came from */
#else
#define ALWAYS_INLINE inline
#define APART
#define UNROLLED
#define BY_FOUR
#define ROLLED
#define PREFETCH(p) (void)(p)
#define PREFETCH_TO_WRITE(p) (void)(p)
#define SETTLE(copy) (void)(copy)
#endif
#define NAN_VALUE NAN

#define STRING2(x) #x
#define STRING(x) STRING2(x)
#define SET3(name, set) name##_##set
#define SET2(name, set) SET3(name, set)
#define SET(name) SET2(name, SET_NAME)
