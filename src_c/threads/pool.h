/* The threads that share the work of large calls. */
#ifndef FASTACT_POOL_H
#define FASTACT_POOL_H
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { MOST_THREADS = 256, MOST_SPIN = 200 };

/* The work from one unit of a job to another. A unit is an element, a row or a block of them. */
typedef void part_work(void *job, size_t start, size_t end);

/* How a job may be cut: after `head` units, and from there on after each `grain` units. */
typedef struct {
    size_t units, head, grain;
    uint64_t picoseconds; /* what all units take on one thread, about */
} Extent;

/* Less work than this is never shared: another thread would not begin in time. It is 16 Ki elements of sigmoid on AVX-512. The
 * eager pool of tests has 0 instead: it cuts every job as finely as may be, and wakes all threads. */
#define LEAST_SHARED 2400000ull
extern _Atomic uint64_t fastact_least_shared;
static inline int fastact_is_little(uint64_t picoseconds) {
    return picoseconds < atomic_load_explicit(&fastact_least_shared, memory_order_relaxed);
}
void fastact_set_eager(int eager);

/* Do all units, on as many threads as the caller may have and as the work is worth. The units that one thread does are in any
 * order. It returns when all are done. */
void fastact_share(part_work *work, void *job, const Extent *extent);

/* How many threads the calls of this thread may take: its own number, else that of the process. `decide` finds the latter where
 * none was set, at the first call that needs it, and again in a forked child. */
int fastact_threads(void);
void fastact_set_threads(int threads);
int fastact_own_threads(void); /* 0 where the calling thread has none */
void fastact_set_own_threads(int threads);
extern int (*fastact_decide_threads)(void);

/* How many microseconds a thread stays awake after a job; and how many threads there are beside the callers. */
int fastact_spin(void);
void fastact_set_spin(int microseconds);
int fastact_workers(void);
#endif
