/* The logits of one row in double: scaled, masked, minus the largest. in_double/exact.h uses them, and
 * loss.h where a loss goes row by row. fastact/numpy_backend/logits.py has the same in NumPy. For float64
 * the rounding errors are kept, since exp would amplify them. A row comes in chunks, and may have any
 * stride. */

enum { PART = 128 }; /* entries of a chunk: 1 KiB of doubles */

typedef struct {
    Row x;
    const char *mask; /* or NULL */
    ptrdiff_t mask_step;
    size_t n, limit; /* entries from `limit` on are masked */
    double sign, size; /* of the scale */
    double base; /* the largest of the kept entries */
    size_t first; /* where it is */
    double largest, largest_low; /* of the logits, the sink among them */
    double sink, shift, shift_low; /* the sink's exponential; if it is sunk, largest - sink */
    int sunk; /* whether the sink is above all logits */
} Logits;

/* Entries start ... start + count: the logits less the largest as high + low, -inf where masked; and padding
 * up to whole vectors */
typedef struct {
    double high[PART], low[PART];
    unsigned char kept[PART];
} Part;

/* The entries as doubles, times the scale's sign, -inf where masked */
static void read_part(const Logits *l, size_t start, size_t count, double *x, unsigned char *kept) {
    const size_t limit = l->limit <= start ? 0 : l->limit - start < count ? l->limit - start : count;
    const T *p = l->x.at + (ptrdiff_t)start * l->x.step;
    if (l->x.step == 1)
        for (size_t i = 0; i < count; i++) x[i] = l->sign * p[i];
    else
        for (size_t i = 0; i < count; i++) x[i] = l->sign * p[(ptrdiff_t)i * l->x.step];
    for (size_t i = 0; i < count; i++) kept[i] = i < limit;
    if (l->mask)
        for (size_t i = 0; i < limit; i++) kept[i] = l->mask[(ptrdiff_t)(start + i) * l->mask_step] != 0;
    for (size_t i = 0; i < count; i++) x[i] = kept[i] ? x[i] : -HUGE_VAL;
    for (size_t i = count; i % f64_lanes; i++) x[i] = -HUGE_VAL;
}

static void part_from(const Logits *l, size_t start, size_t count, Part *part) {
    read_part(l, start, count, part->high, part->kept);
    const int exactly = sizeof(T) == sizeof(double);
    const double half = l->size < 1 ? 0.5 : 1; /* the difference of very large numbers would overflow */
    const f64_v base = f64_set(l->base * half), factor = f64_set(l->size / half), shift = f64_set(l->shift);
    for (size_t i = 0; i < count; i += f64_lanes) {
        const f64_v x = f64_load(part->high + i) * f64_set(half);
        const f64_v difference = x - base, scaled = difference * factor;
        f64_v high = scaled + shift, low = f64_set(l->shift_low);
        if (exactly) {
            low = low + sum_low(x, -base, difference) * factor + product_low(difference, factor, scaled);
            low = low + sum_low(scaled, shift, high);
        }
        const f64_v nothing = f64_select(f64_nan(x), x, f64_set(-HUGE_VAL));
        f64_store(part->high + i, f64_select(f64_gt(x, f64_set(-HUGE_VAL)), high, nothing));
        f64_store(part->low + i, low);
    }
}

/* Find the largest, and what the sink is beside it. */
static void find_largest(Logits *l, double sink) {
    double x[PART];
    unsigned char kept[PART];
    l->base = -HUGE_VAL;
    l->first = l->n;
    for (size_t start = 0, count; start < l->n; start += count) {
        count = at_most(PART, l->n - start);
        read_part(l, start, count, x, kept);
        f64_v top = f64_set(-HUGE_VAL), wrong = f64_set(0);
        for (size_t i = 0; i < count; i += f64_lanes) {
            top = f64_max(f64_load(x + i), top);
            wrong = f64_select(f64_nan(f64_load(x + i)), f64_set(1), wrong);
        }
        double largest = f64_largest(top);
        if (f64_largest(wrong) > 0) largest = NAN_VALUE;
        if (!(largest <= l->base) || (l->first == l->n && largest == l->base)) {
            l->base = largest;
            size_t i = 0;
            while (largest == largest && i < count && x[i] != largest) i++;
            l->first = start + (i < count ? i : 0);
        }
        if (largest != largest) break;
    }
    l->shift = l->shift_low = l->sink = 0;
    l->sunk = 0;
    const int beside_sink = l->base == -HUGE_VAL && sink > -HUGE_VAL; /* nothing but the sink counts */
    if (beside_sink) l->base = 0;
    l->largest = l->base * l->size;
    l->largest_low = first_lane(product_low(f64_set(l->base), f64_set(l->size), f64_set(l->largest)));
    if (beside_sink) l->largest = -HUGE_VAL;
    if (!(sink > -HUGE_VAL)) return;
    const double gap = l->largest - sink;
    const double gap_low =
        first_lane(sum_low(f64_set(l->largest), f64_set(-sink), f64_set(gap))) + l->largest_low;
    if (gap < 0) {
        l->sunk = 1;
        l->sink = 1;
        l->shift = beside_sink ? 0 : gap;
        l->shift_low = beside_sink ? 0 : gap_low;
        l->largest = sink;
        l->largest_low = 0;
    } else
        l->sink = first_lane(f64_exp_by(f64_set(-gap), f64_set(0))) * (1 - gap_low);
}

static inline f64_v part_exp(const Part *part, size_t i) {
    const f64_v e = f64_exp_by(f64_load(part->high + i), f64_set(0));
    return sizeof(T) == sizeof(double) ? f64_fma(e, f64_load(part->low + i), e) : e;
}

typedef struct {
    f64_v sum, carry;
} Adder;

static inline void add_term(Adder *a, f64_v term) { a->sum = f64_add_carried(a->sum, term, &a->carry); }

/* The sum of the exponentials without the largest, which is 1; NaN where the largest is not finite */
static double rest_of(const Logits *l) {
    Part part;
    Adder sum = {f64_set(0), f64_set(0)};
    double leading = 0;
    for (size_t start = 0, count; start < l->n; start += count) {
        count = at_most(PART, l->n - start);
        part_from(l, start, count, &part);
        for (size_t i = 0; i < count; i += f64_lanes) f64_store(part.high + i, part_exp(&part, i));
        if (l->first - start < count) {
            leading = part.high[l->first - start];
            part.high[l->first - start] = 0;
        }
        for (size_t i = 0; i < count; i += f64_lanes) add_term(&sum, f64_load(part.high + i));
    }
    if (!(l->base - l->base == 0)) return NAN_VALUE;
    return f64_total(sum.sum, sum.carry) + (l->sunk ? leading : l->sink);
}

static inline double log1p_number(double x) { return first_lane(log1p_of_doubles(f64_set(x))); }

static Logits logits_of(Row x, size_t n) {
    return (Logits){.x = x, .n = n, .limit = n, .sign = 1, .size = 1};
}

static double row_logsumexp(const Logits *l) {
    const double log = log1p_number(rest_of(l));
    if (l->base - l->base != 0 && l->base == l->base) return l->base; /* never beside a sink */
    return l->largest + (l->largest_low + log);
}
