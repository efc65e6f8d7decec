/* The loop that NumPy calls, and the fast paths too. A call of little work goes to the loop inside at once. A part is a range of
 * elements, or of the rows of a gufunc. */
#include "threads/split.h"
#include "threads/pool.h"

/* LINE and PAGE are of memory. GRAIN: the elements of the least part. SHORT: rows of at most so many entries are computed
 * together, by BATCH rows; WIDE: rows that lie across memory stay so many in a part, or WIDER where FAR bytes of results stay in no
 * cache. */
enum { OPERANDS = MAX_INPUTS + MAX_OUTPUTS, LINE = 64, PAGE = 4096, GRAIN = 1024, SHORT = 256, BATCH = 16 };
enum { WIDE = 128, WIDER = 256, FAR = 32 << 20 };

void (*fastact_no_memory)(void);

typedef struct {
    const Threaded *threaded;
    char **args;
    const intptr_t *dimensions, *steps;
    atomic_int wrong;
} Job;

static void part(void *given, size_t start, size_t end) {
    Job *const job = given;
    const Threaded *const t = job->threaded;
    char *args[OPERANDS];
    const intptr_t dimensions[] = {(intptr_t)(end - start), t->rows ? job->dimensions[1] : 0};
    for (int k = 0; k < t->inputs + t->outputs; k++) args[k] = job->args[k] + (intptr_t)start * job->steps[k];
    const int wrong = t->loop(args, dimensions, job->steps, t->data, (size_t)job->dimensions[0]);
    if (wrong) atomic_fetch_or(&job->wrong, wrong);
}

/* Where an operand lies: `outer` bytes from one element or row to the next, `inner` from one entry of a row to the next. */
typedef struct {
    uintptr_t at, low, high;
    intptr_t outer, inner;
    size_t size;
} Place;

static size_t length(intptr_t step) { return step < 0 ? (size_t)-step : (size_t)step; }

static Place place_of(uintptr_t at, size_t count, intptr_t outer, size_t entries, intptr_t inner, size_t size) {
    const size_t rows = length(outer) * (count - 1), along = length(inner) * (entries - 1);
    Place place = {at, at, at + size, outer, inner, size};
    if (outer < 0)
        place.low -= rows;
    else
        place.high += rows;
    if (inner < 0)
        place.low -= along;
    else
        place.high += along;
    return place;
}

/* Whether no element or row of an output shares memory with another one */
static int is_apart(const Place *p, size_t count, size_t entries) {
    if (length(p->outer) >= length(p->inner) * (entries - 1) + p->size) return 1;
    return length(p->inner) >= length(p->outer) * (count - 1) + p->size && length(p->outer) >= p->size;
}

static int is_same(const Place *a, const Place *b) {
    return a->at == b->at && a->outer == b->outer && a->inner == b->inner && a->size == b->size;
}

/* Whether parts may be computed in any order: an output is an operand, element for element, or shares no memory with it. It is
 * not so for the loops of ufunc.reduce and accumulate. */
static int can_split(const Threaded *t, char **args, const intptr_t *dimensions, const intptr_t *steps) {
    Place places[OPERANDS];
    const int operands = t->inputs + t->outputs;
    const intptr_t *inner = steps + operands;
    for (int k = 0; k < operands; k++) {
        const int core = t->core[k];
        places[k] = place_of((uintptr_t)args[k], (size_t)dimensions[0], steps[k], core ? (size_t)dimensions[1] : 1,
                             core ? *inner++ : 0, t->size[k]);
    }
    for (int k = t->inputs; k < operands; k++) {
        const Place *const out = &places[k];
        if (!is_apart(out, (size_t)dimensions[0], t->core[k] ? (size_t)dimensions[1] : 1)) return 0;
        for (int j = 0; j < k; j++) {
            const int apart = out->low >= places[j].high || places[j].low >= out->high;
            if (!apart && !(j < t->inputs && is_same(out, &places[j]))) return 0;
        }
    }
    return 1;
}

/* How many elements of `size` bytes lie before the next multiple of `whole` bytes */
static size_t before(uintptr_t at, size_t whole, size_t size) { return at % size ? 0 : (whole - at % whole) % whole / size; }

static Extent extent_of(const Threaded *t, char **args, const intptr_t *dimensions, const intptr_t *steps) {
    const int out = t->inputs + t->outputs - 1; /* the last output is as large as any */
    const size_t units = (size_t)dimensions[0], size = t->size[out];
    const int dense = steps[out] == (intptr_t)size;
    Extent extent = {units, 0, 1, units * t->cost};
    if (!t->rows) {
        extent.grain = GRAIN;
        if (dense) extent.head = before((uintptr_t)args[out], PAGE, size);
        return extent;
    }
    extent.picoseconds *= (uint64_t)dimensions[1];
    int first = 0; /* operand that has rows */
    while (!t->core[first]) first++;
    const size_t to_next_row = length(steps[first]), to_next_entry = length(steps[t->inputs + t->outputs]);
    if (to_next_row && to_next_row < to_next_entry) { /* rows lie side by side */
        extent.grain = units * (size_t)dimensions[1] * size < FAR ? WIDE : WIDER;
        if (dense) extent.head = before((uintptr_t)args[out], LINE, size);
    } else if (dimensions[1] <= SHORT)
        extent.grain = BATCH;
    return extent;
}

void fastact_threaded_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data) {
    const Threaded *const t = data;
    const uint64_t elements = (uint64_t)dimensions[0] * (uint64_t)(t->rows ? dimensions[1] : 1);
    int wrong;
    if (fastact_is_little(elements * t->cost) || fastact_threads() == 1 || !can_split(t, args, dimensions, steps))
        wrong = t->loop(args, dimensions, steps, t->data, (size_t)dimensions[0]);
    else {
        Job job = {t, args, dimensions, steps, 0};
        const Extent extent = extent_of(t, args, dimensions, steps);
        fastact_share(part, &job, &extent);
        wrong = job.wrong;
    }
    if (wrong & NO_MEMORY) fastact_no_memory();
}

int fastact_row_loop(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data, size_t all_rows) {
    return ((const RowKernel *)data)->loop(args, dimensions, steps, data, all_rows);
}
