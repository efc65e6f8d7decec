/* Floating-point exception flags: a kernel may raise any on the way (an overflow in a branch not taken, an underflow that
 * is the right result), and must hand back those that it found, or NumPy warns. Reading and comparing costs nearly
 * nothing; fenv.h's feclearexcept, 160 ns on every call, and would import libm. */
#ifndef FASTACT_FLAGS_H
#define FASTACT_FLAGS_H
#if (defined(__GNUC__) && defined(__SSE__)) || defined(_M_X64)
#include <xmmintrin.h>
typedef unsigned Flags;
static inline Flags flags_get(void) { return _mm_getcsr(); }
static inline void flags_restore(Flags before) {
    if (_mm_getcsr() != before) _mm_setcsr(before);
}
#elif defined(__GNUC__) && defined(__aarch64__)
typedef unsigned long Flags;
static inline Flags flags_get(void) {
    Flags flags;
    __asm__ volatile("mrs %0, fpsr" : "=r"(flags));
    return flags;
}
static inline void flags_restore(Flags before) {
    if (flags_get() != before) __asm__ volatile("msr fpsr, %0" : : "r"(before));
}
#else
#include <fenv.h>
typedef fenv_t Flags;
static inline Flags flags_get(void) {
    Flags flags;
    fegetenv(&flags);
    return flags;
}
static inline void flags_restore(Flags before) { fesetenv(&before); }
#endif
#endif
