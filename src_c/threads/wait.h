/* Waiting: until a word of memory has changed, for a moment, and how long it was. */
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

static inline uint64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void give_way(void) { sched_yield(); }

static inline void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" : : : "memory"); /* yield returns at once on most processors */
#endif
}

/* Sleep while the word has this value; it may end too early. `wake` ends it for some of the threads that sleep so. */
#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

static void sleep_while(atomic_uint *word, unsigned value) { syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0); }
static void wake(atomic_uint *word, int threads) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0); }
static void forget_sleepers(void) {}
static inline int this_core(void) { return sched_getcpu(); }

/* Move to another core, where the calling thread may then stay or go. */
static void leave_core(int core) {
    cpu_set_t allowed, others;
    if (core < 0 || core >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) || CPU_COUNT(&allowed) < 2) return;
    others = allowed;
    CPU_CLR(core, &others);
    if (!sched_setaffinity(0, sizeof others, &others)) sched_setaffinity(0, sizeof allowed, &allowed);
}

static inline int this_thread(void) { return (int)syscall(SYS_gettid); }

/* Bind another thread to this core, to which it moves; and let it go where it might go before. */
typedef struct {
    int thread; /* or 0 */
    cpu_set_t allowed;
} Bound;
static Bound bind_here(int thread) {
    Bound bound = {thread, {{0}}};
    cpu_set_t here;
    const int core = this_core();
    if (core < 0 || core >= CPU_SETSIZE || sched_getaffinity(thread, sizeof bound.allowed, &bound.allowed)) return (Bound){0};
    CPU_ZERO(&here);
    CPU_SET(core, &here);
    return CPU_ISSET(core, &bound.allowed) && !sched_setaffinity(thread, sizeof here, &here) ? bound : (Bound){0};
}
static void set_free(const Bound *bound) {
    if (bound->thread) sched_setaffinity(bound->thread, sizeof bound->allowed, &bound->allowed);
}
#else
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void sleep_while(atomic_uint *word, unsigned value) {
    pthread_mutex_lock(&lock);
    while (atomic_load(word) == value) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}
static void wake(atomic_uint *word, int threads) {
    (void)word, (void)threads; /* all wake, since they sleep on different words */
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}
static void forget_sleepers(void) {
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    changed = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}
static inline int this_core(void) { return -1; } /* unknown */
static void leave_core(int core) { (void)core; }
static inline int this_thread(void) { return 0; }
typedef struct {
    int thread;
} Bound;
static Bound bind_here(int thread) { return (Bound){thread}; }
static void set_free(const Bound *bound) { (void)bound; }
#endif
