/* The caller's floating-point state. A kernel computes in the default state: it rounds to nearest and keeps subnormal numbers, whatever the
 * caller has set. It may raise any exception flag on the way (an overflow in a branch not taken, an underflow that is the right
 * result). It must hand back the state that it found, flags included, or NumPy warns. Reading and comparing the state costs nearly nothing;
 * fenv.h's functions are slow, and would import libm. */
#ifndef FASTACT_FLAGS_H
#define FASTACT_FLAGS_H

#if defined(__GNUC__) || defined(__clang__)
/* Neither loads nor stores move across it, and so no arithmetic on what is loaded. */
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

/* The nearest float, whatever state the caller has set. What is volatile stays between the changes of state. */
static inline float nearest_float(double value) {
    const FloatState callers = enter_default_state();
    volatile double given = value;
    volatile float rounded = (float)given;
    restore_state(callers);
    return rounded;
}
#endif
