/* What the two files of the half-precision loop share. */
#ifndef FASTACT_HALF_H
#define FASTACT_HALF_H
#include "api.h"
#include "flags.h"

#if defined(__GNUC__)
#define NOINLINE __attribute__((noinline)) /* its buffers take stack only while it runs */
#define PREFETCH(p) __builtin_prefetch(p)
#define PREFETCH_TO_WRITE(p) __builtin_prefetch(p, 1)
#else
#define NOINLINE
#define PREFETCH(p) (void)(p)
#define PREFETCH_TO_WRITE(p) (void)(p)
#endif

/* Read n elements of half precision as floats, and write floats as such */
void half_read(const HalfType *type, const char *from, intptr_t step, float *to, size_t n);
void half_write(const HalfType *type, const float *from, char *to, intptr_t step, size_t n);

/* A call of a gufunc */
int half_rows(const HalfLoop *h, char **args, const intptr_t *dimensions, const intptr_t *steps);
#endif
