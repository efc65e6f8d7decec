/* The pool of threads. One job runs at a time: a caller that finds the pool busy works alone.
 *
 * A job is cut into parts, and its parts into a range for each thread. A thread takes the parts of its own range first, which
 * were in its cache at the call before, then those that others have left. The caller works too. When no part is left it closes
 * the job, and waits for those workers that have begun: never for one that has not. */
#define _GNU_SOURCE
#include "threads/pool.h"

static _Thread_local int own; /* threads of the calls of this thread, or 0 */
static atomic_int all; /* threads of the calls of all others; 0 where nothing has decided it */
static atomic_int was_set; /* whether `all` was set, and not decided */
static atomic_int spin = 100; /* microseconds */
static atomic_int workers; /* those that have been made */
static atomic_int refused; /* whether the system has refused one; it is asked again after fastact_set_threads */
int (*fastact_decide_threads)(void);
_Atomic uint64_t fastact_least_shared = LEAST_SHARED;

void fastact_set_eager(int eager) { atomic_store(&fastact_least_shared, eager ? 0 : LEAST_SHARED); }
int fastact_own_threads(void) { return own; }
void fastact_set_own_threads(int threads) { own = threads; }
int fastact_spin(void) { return atomic_load(&spin); }
void fastact_set_spin(int microseconds) { atomic_store(&spin, microseconds); }
int fastact_workers(void) { return atomic_load(&workers); }

static void prepare_forks(void);

void fastact_set_threads(int threads) {
    atomic_store(&was_set, 1);
    atomic_store(&refused, 0);
    atomic_store(&all, threads);
}

int fastact_threads(void) {
    if (own) return own;
    int threads = atomic_load(&all), none = 0;
    if (threads) return threads;
    prepare_forks();
    threads = fastact_decide_threads ? fastact_decide_threads() : 1;
    return atomic_compare_exchange_strong(&all, &none, threads) ? threads : none; /* unless it was set meanwhile */
}

#if defined(__unix__) || defined(__APPLE__)
#include "threads/wait.h"
#include <pthread.h>
#include <signal.h>

/* STACK: rows take up to 75 KiB. PARTS: how many a thread gets. CHECK: how many pauses lie between two looks at the clock. */
enum { STACK = 512 << 10, LINE = 64, PARTS = 8, CHECK = 32 };

/* Work in picoseconds. WAKING is worth one sleeping thread. COLD is, where no work came just before and the waking may be in vain.
 * SHORTEST and LONGEST are those of a part. */
#define WAKING 9500000ull
#define COLD 50000000ull
#define SHORTEST 600000ull
#define LONGEST 20000000ull

/* PATIENCE: the nanoseconds that a caller waits awake for a worker to leave. Where others compute too, that may have no core. */
enum { PATIENCE = 30000 };

/* The parts of one thread: the next one that nobody has taken, and the end */
typedef struct {
    _Alignas(LINE) atomic_size_t next;
    size_t end;
} Range;

/* The job. It is written while no worker is in it. */
static struct {
    part_work *work;
    void *job;
    size_t units, head, step; /* part i begins after head + i step units, but the first one at 0 */
    int ranges;
} now;
static Range range[MOST_THREADS];

/* `door` has the number of workers that are in the job, in units of ROOM how many more may enter, and whether the caller sleeps
 * until the last one leaves. `jobs` counts the jobs; workers wait for it to change. */
enum { INSIDE = 0xffff, ROOM = 0x10000, CALLER_SLEEPS = 0x40000000 };
static _Alignas(LINE) atomic_uint door;
static _Alignas(LINE) atomic_uint jobs;
static _Alignas(LINE) atomic_int busy;
static atomic_int sleeping;
static atomic_int inside[MOST_THREADS]; /* which threads these are, or 0 */
static atomic_int callers_core; /* where the caller of the last job ran */
static uint64_t last_job; /* for the holder of `busy`: when work that is worth waking a thread last ended, in nanoseconds */

static int at_most(int value, int most) { return value < most ? value : most; }
static int is_eager(void) { return !atomic_load_explicit(&fastact_least_shared, memory_order_relaxed); }

static size_t start_of(size_t part) { return part ? now.head + part * now.step : 0; }

static void take_parts(int first) {
    for (int k = 0; k < now.ranges; k++) {
        Range *const r = &range[(first + k) % now.ranges];
        while (atomic_load_explicit(&r->next, memory_order_relaxed) < r->end) {
            const size_t part = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed);
            if (part >= r->end) break;
            const size_t end = start_of(part + 1);
            now.work(now.job, start_of(part), end < now.units ? end : now.units);
            if (is_eager()) give_way();
        }
    }
}

static int enter(void) {
    unsigned seen = atomic_load(&door);
    while (seen & ~(unsigned)CALLER_SLEEPS & ~(unsigned)INSIDE)
        if (atomic_compare_exchange_weak(&door, &seen, seen - ROOM + 1)) return 1;
    return 0;
}

static void leave(void) {
    if (atomic_fetch_sub(&door, 1) == (CALLER_SLEEPS | 1)) wake(&door, 1);
}

/* The only worker that is in the job, or 0 */
static int the_last_one(void) {
    int found = 0;
    for (int i = 0, n = atomic_load(&workers); i < n; i++) {
        const int thread = atomic_load(&inside[i]);
        if (thread && found) return 0;
        if (thread) found = thread;
    }
    return found;
}

/* Close the door, and wait until nobody is inside. A worker that is late has probably lost its core to another process: it gets
 * this one, while the caller sleeps. */
static void close_job(void) {
    unsigned seen = atomic_fetch_and(&door, INSIDE) & INSIDE;
    if (!seen) return;
    const uint64_t start = nanoseconds();
    for (int i = 1; (seen = atomic_load(&door)); i++) {
        pause_briefly();
        if (i % CHECK == 0 && nanoseconds() - start > PATIENCE) break;
    }
    if (!seen) return;
    const int late = the_last_one();
    const Bound bound = late ? bind_here(late) : (Bound){0};
    seen = atomic_fetch_or(&door, CALLER_SLEEPS) | CALLER_SLEEPS;
    for (; seen & INSIDE; seen = atomic_load(&door)) sleep_while(&door, seen);
    set_free(&bound);
}

/* Whether the system has put this worker on the caller's core. There it would only keep the caller waiting. */
static int is_in_the_way(void) {
    const int core = this_core();
    return !is_eager() && core >= 0 && core == atomic_load_explicit(&callers_core, memory_order_relaxed);
}

/* Wait for another job: awake for a while, then asleep. */
static void await_job(unsigned seen) {
    const uint64_t start = nanoseconds(), longest = (uint64_t)atomic_load(&spin) * 1000;
    for (int i = 0; longest; i++) {
        if (atomic_load(&jobs) != seen) return;
        if (i % CHECK == 0 && (is_in_the_way() || nanoseconds() - start > longest)) break;
        pause_briefly();
    }
    atomic_fetch_add(&sleeping, 1);
    while (atomic_load(&jobs) == seen) sleep_while(&jobs, seen);
    atomic_fetch_sub(&sleeping, 1);
}

static void *run_worker(void *number) {
    const int worker = (int)(intptr_t)number;
#ifdef __linux__
    pthread_setname_np(pthread_self(), "fastact");
#endif
    for (;;) {
        const unsigned seen = atomic_load(&jobs);
        if (is_in_the_way()) leave_core(this_core());
        if (!is_in_the_way() && enter()) {
            atomic_store(&inside[worker - 1], this_thread());
            take_parts(worker % now.ranges);
            atomic_store(&inside[worker - 1], 0);
            leave();
        }
        await_job(seen);
    }
    return NULL;
}

/* A child has none of the threads of its parent, one of which may have been in a job. */
static void begin_afresh(void) {
    forget_sleepers();
    for (int i = 0, n = atomic_load(&workers); i < n; i++) atomic_store(&inside[i], 0);
    atomic_store(&workers, 0);
    atomic_store(&sleeping, 0);
    atomic_store(&door, 0);
    atomic_store(&busy, 0);
    atomic_store(&refused, 0);
    if (!atomic_load(&was_set)) atomic_store(&all, 0);
}

static void prepare_forks(void) {
    static atomic_int prepared;
    if (!atomic_exchange(&prepared, 1)) pthread_atfork(NULL, NULL, begin_afresh);
}

/* Make workers until there are so many. A worker takes no signal but those of faults, so that Ctrl-C reaches Python. */
static void make_workers(int wanted) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    sigset_t blocked, callers;
    pthread_attr_t attributes;
    pthread_t made;
    if (atomic_load(&refused) || atomic_load(&workers) >= wanted) return;
    prepare_forks();
    if (pthread_attr_init(&attributes)) return;
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &callers);
    for (int number = atomic_load(&workers) + 1; number <= wanted; number++) {
        if (pthread_create(&made, &attributes, run_worker, (void *)(intptr_t)number)) {
            atomic_store(&refused, 1);
            break;
        }
        atomic_store(&workers, number);
    }
    pthread_sigmask(SIG_SETMASK, &callers, NULL);
    pthread_attr_destroy(&attributes);
}

/* Whether sleeping workers should be woken. Calls that follow one another closely make it worth while; otherwise the work
 * must be larger. */
static int pays_to_wake(uint64_t picoseconds) {
    return picoseconds >= COLD || nanoseconds() - last_job <= (uint64_t)atomic_load(&spin) * 1000;
}

/* How many workers may take part in this work, and how many of these must be woken */
static int helpers_for(uint64_t picoseconds, int threads, int *woken) {
    const uint64_t worth = picoseconds / LEAST_SHARED, worth_waking = picoseconds / WAKING;
    if (is_eager()) {
        make_workers(at_most(threads, MOST_THREADS) - 1);
        return *woken = at_most(threads - 1, atomic_load(&workers));
    }
    const int most = at_most(threads, MOST_THREADS) - 1, wanted = worth < (uint64_t)most ? (int)worth : most;
    const int awake = at_most(atomic_load(&workers) - atomic_load(&sleeping), wanted), asleep = wanted - awake;
    *woken = worth_waking < (uint64_t)asleep ? (int)worth_waking : asleep;
    if (*woken && !pays_to_wake(picoseconds)) *woken = 0;
    if (*woken) make_workers(awake + *woken);
    const int there = at_most(atomic_load(&workers), awake + *woken);
    *woken = there - awake;
    return there;
}

void fastact_share(part_work *work, void *job, const Extent *extent) {
    const size_t units = extent->units, grain = extent->grain;
    const int threads = fastact_is_little(extent->picoseconds) || units <= grain ? 1 : fastact_threads();
    if (threads == 1 || atomic_exchange(&busy, 1)) {
        work(job, 0, units);
        return;
    }
    int woken;
    const int helpers = helpers_for(extent->picoseconds, threads, &woken);
    if (helpers) {
        const uint64_t share = extent->picoseconds / (uint64_t)(PARTS * (helpers + 1));
        const uint64_t of_part = is_eager() ? 1 : share < SHORTEST ? SHORTEST : share < LONGEST ? share : LONGEST;
        const uint64_t parts_wanted = extent->picoseconds / of_part + 1;
        const size_t least = (size_t)(units / parts_wanted);
        now.work = work, now.job = job, now.units = units, now.head = extent->head;
        now.step = least < grain ? grain : (least + grain - 1) / grain * grain;
        now.ranges = helpers + 1;
        const size_t rest = units > now.head ? units - now.head : 0, parts = rest ? (rest + now.step - 1) / now.step : 1;
        for (int k = 0; k < now.ranges; k++) {
            range[k].end = parts * (size_t)(k + 1) / (size_t)now.ranges;
            atomic_store_explicit(&range[k].next, parts * (size_t)k / (size_t)now.ranges, memory_order_relaxed);
        }
        atomic_store_explicit(&callers_core, this_core(), memory_order_relaxed);
        atomic_store(&door, (unsigned)helpers * ROOM);
        atomic_fetch_add(&jobs, 1);
        if (woken > 0) wake(&jobs, woken);
        take_parts(0);
        close_job();
    } else
        work(job, 0, units);
    if (extent->picoseconds >= WAKING) last_job = nanoseconds();
    atomic_store(&busy, 0);
}
#else
static void prepare_forks(void) {}
void fastact_share(part_work *work, void *job, const Extent *extent) { work(job, 0, extent->units); }
#endif
