/* Several callers at once share jobs among the threads of the pool: tests/threads/sanitize.py compiles it with a sanitizer. */
#include "threads/pool.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { CALLERS = 4, JOBS = 400, UNITS = 5000 };
static int wrong;

static void add_one(void *job, size_t start, size_t end) {
    int *const counts = job;
    for (size_t i = start; i < end; i++) counts[i]++;
}

static void *call(void *number) {
    int *const counts = calloc(UNITS, sizeof(int));
    fastact_set_own_threads(1 + (int)(intptr_t)number);
    for (int i = 0; i < JOBS; i++) {
        const Extent extent = {UNITS, (size_t)(i % 7), (size_t)(1 + i % 300), (uint64_t)(i % 5) * 20000000};
        fastact_share(add_one, counts, &extent);
    }
    for (int i = 0; i < UNITS; i++)
        if (counts[i] != JOBS) __atomic_store_n(&wrong, 1, __ATOMIC_RELAXED);
    free(counts);
    return NULL;
}

int main(void) {
    for (int round = 0; round < 4; round++) {
        pthread_t callers[CALLERS];
        fastact_set_eager(round < 2);
        fastact_set_spin(round % 2 ? 100 : 0);
        for (int i = 0; i < CALLERS; i++) pthread_create(&callers[i], NULL, call, (void *)(intptr_t)(i + 1));
        for (int i = 0; i < CALLERS; i++) pthread_join(callers[i], NULL);
    }
    printf("%d workers\n", fastact_workers());
    return wrong || fastact_workers() == 0;
}
