/* The instruction sets that can run here: the processor has them, and the operating system saves their registers. */
#include "api.h"

const char fastact_formulas[] = FASTACT_FORMULAS; /* setup.py */

/* The tables of one set. setup.py gives the tables these names, and defines FASTACT_AVX512 or another for each set that it
 * built. */
#define INSTRUCTION_SET(set)                                                            \
    extern const Kernels fastact_##set##_float_kernels, fastact_##set##_double_kernels; \
    extern const RowKernel fastact_##set##_float_rows[], fastact_##set##_double_rows[]; \
    extern const HalfType fastact_##set##_conversions[];                                \
    static const InstructionSet set = {                                                 \
        #set,                                                                           \
        &fastact_##set##_float_kernels,                                                 \
        &fastact_##set##_double_kernels,                                                \
        fastact_##set##_float_rows,                                                     \
        fastact_##set##_double_rows,                                                    \
        fastact_##set##_conversions,                                                    \
    };

#ifdef FASTACT_AVX512
INSTRUCTION_SET(avx512)
#endif
#ifdef FASTACT_AVX2
INSTRUCTION_SET(avx2)
#endif
#ifdef FASTACT_SSE2
INSTRUCTION_SET(sse2)
#endif
#ifdef FASTACT_SCALAR
INSTRUCTION_SET(scalar)
#endif

#if defined(FASTACT_AVX2) || defined(FASTACT_AVX512)
#include <cpuid.h>

static unsigned long long enabled_registers(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0)); /* _xgetbv would need -mxsave */
    return (unsigned long long)high << 32 | low;
}

/* By CPUID, leaves 1 and 7. In XCR0, 0x06 is for the registers of SSE and AVX, 0xe0 for the masks and registers of AVX-512. */
static void detect(int *avx2, int *avx512) {
    unsigned a, b, c, d;
    *avx2 = *avx512 = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return;
    const unsigned osxsave = 1u << 27, needed = osxsave | bit_AVX | bit_FMA | bit_F16C;
    if ((c & needed) != needed) return;
    const unsigned long long saved = enabled_registers();
    if ((saved & 0x6) != 0x6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
    *avx2 = (b & bit_AVX2) != 0;
    const unsigned wanted = bit_BMI2 | bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
    *avx512 = *avx2 && (b & wanted) == wanted && (saved & 0xe6) == 0xe6;
}
#endif

const InstructionSet *const *fastact_instruction_sets(void) {
    static const InstructionSet *found[5]; /* every call writes the same: it needs no lock */
    int n = 0;
#if defined(FASTACT_AVX2) || defined(FASTACT_AVX512)
    int has_avx2, has_avx512;
    detect(&has_avx2, &has_avx512);
#endif
#ifdef FASTACT_AVX512
    if (has_avx512) found[n++] = &avx512;
#endif
#ifdef FASTACT_AVX2
    if (has_avx2) found[n++] = &avx2;
#endif
#ifdef FASTACT_SSE2
    found[n++] = &sse2;
#endif
#ifdef FASTACT_SCALAR
    found[n++] = &scalar;
#endif
    found[n] = NULL;
    return found;
}
