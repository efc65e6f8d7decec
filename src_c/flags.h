/* The caller's floating-point state. A kernel computes in the default state: it rounds to nearest and keeps subnormal numbers,
 * whatever the caller has set. On the way it may raise any exception flag: a branch not taken overflows, or a right result
 * underflows. It restores the state that it found, flags included; otherwise NumPy would warn. It reads and compares the state,
 * and writes it only where it differs. The functions of fenv.h are slow, and would need libm. */
#ifndef FASTACT_FLAGS_H
#define FASTACT_FLAGS_H

#if defined(__GNUC__) || defined(__clang__)
/* The compiler moves no load and no store across it, and so no arithmetic on loaded values. */
#define STAY_HERE() __asm__ volatile("" : : : "memory")
#else
#define STAY_HERE() (void)0
#endif

#if (defined(__GNUC__) && defined(__SSE__)) || defined(_M_X64)
#include <xmmintrin.h>
typedef unsigned FloatState;
enum { EXCEPTION_FLAGS = 0x3f, DEFAULT_STATE = 0x1f80 };
static inline FloatState enter_default_state(void) {
    const FloatState callers = _mm_getcsr();
    if ((callers & ~(FloatState)EXCEPTION_FLAGS) != DEFAULT_STATE) _mm_setcsr(DEFAULT_STATE | (callers & EXCEPTION_FLAGS));
    STAY_HERE();
    return callers;
}
static inline void restore_state(FloatState callers) {
    STAY_HERE();
    if (_mm_getcsr() != callers) _mm_setcsr(callers);
}
#elif defined(__GNUC__) && defined(__aarch64__)
typedef struct {
    unsigned long control, flags;
} FloatState;
static inline FloatState enter_default_state(void) {
    FloatState callers;
    __asm__ volatile("mrs %0, fpcr" : "=r"(callers.control));
    __asm__ volatile("mrs %0, fpsr" : "=r"(callers.flags));
    if (callers.control) __asm__ volatile("msr fpcr, %0" : : "r"(0ul));
    STAY_HERE();
    return callers;
}
static inline void restore_state(FloatState callers) {
    unsigned long flags;
    STAY_HERE();
    if (callers.control) __asm__ volatile("msr fpcr, %0" : : "r"(callers.control));
    __asm__ volatile("mrs %0, fpsr" : "=r"(flags));
    if (flags != callers.flags) __asm__ volatile("msr fpsr, %0" : : "r"(callers.flags));
}
#else
#include <fenv.h>
typedef fenv_t FloatState;
static inline FloatState enter_default_state(void) {
    FloatState callers;
    fegetenv(&callers);
    fesetenv(FE_DFL_ENV);
    return callers;
}
static inline void restore_state(FloatState callers) { fesetenv(&callers); }
#endif

/* The nearest float, whatever state the caller has set. The compiler keeps volatile accesses between the two changes of state. */
static inline float nearest_float(double value) {
    const FloatState callers = enter_default_state();
    volatile double given = value;
    volatile float rounded = (float)given;
    restore_state(callers);
    return rounded;
}
#endif
