/* The forms of the tables: how the polynomial of a segment becomes the function.
 *
 * A table has a polynomial P for each segment of t = |x|, or of x. u is t, clamped to the table. A Fit has the numbers of a
 * table and three functions: `segment` finds the segment of x, `value` makes the function's value from P, and `uncovered` tells
 * the x that the table does not cover. A form is three such functions, named in a #define; fit/tables.py chooses the form of
 * each table. */

typedef struct Fit Fit;

/* The parts of P(u) = c0 + d q, where d = u - centre */
typedef struct {
    f32_v x, u, c0, d, q;
    f32_v beside; /* the factor of a QUOTIENT */
    f32_v change; /* for a GATE, the derivative of q by d */
} Found;

struct Fit {
    f32_v (*segment)(Fit fit, f32_v x, f32_v *u); /* a float whose low five bits are the number of the segment; and u */
    f32_v (*value)(Fit fit, Found found);
    f32_m (*uncovered)(Fit fit, f32_v x);
    int degree;
    float low, high, inverse_spacing, scale;
    const float *table;
};

static ALWAYS_INLINE f32_v polynomial_of(Found f) { return f32_fma(f.d, f.q, f.c0); }
static ALWAYS_INLINE f32_v polynomial_times(f32_v a, Found f) { return f32_fma(a, f.c0, a * (f.d * f.q)); }

/* The segment of x, in tables of |x|, of x, and of min(x, 1 - x). In the first two it is the multiple of the spacing nearest to
 * u: adding 0x1.8p23 rounds. x is the second operand of min, so that NaN passes. */
static ALWAYS_INLINE f32_v nearest_segment(Fit fit, f32_v u) {
    return f32_fma(u, f32_set(fit.inverse_spacing), f32_set(0x1.8p23f));
}
static ALWAYS_INLINE f32_v segment_by_size(Fit fit, f32_v x, f32_v *u) {
    *u = f32_min(f32_set(fit.high), f32_abs(x));
    return nearest_segment(fit, *u);
}
static ALWAYS_INLINE f32_v segment_by_value(Fit fit, f32_v x, f32_v *u) {
    *u = f32_max(f32_set(fit.low), f32_min(f32_set(fit.high), x));
    return nearest_segment(fit, *u);
}
/* A segment is half a binade. Its number stands in the top bits of min(x, 1 - x), which is exact. */
enum { BINADE_BITS = 10 };
static ALWAYS_INLINE f32_v segment_by_binade(Fit fit, f32_v x, f32_v *u) {
    (void)fit;
    *u = f32_min(f32_set(1) - x, x);
    return f32_top_bits(*u, BINADE_BITS);
}

/* The x that no table covers */
static ALWAYS_INLINE f32_m nowhere(Fit fit, f32_v x) { return (void)fit, (void)x, (f32_m){0}; }
static ALWAYS_INLINE f32_m left_of_minus_high(Fit fit, f32_v x) { return f32_gt(f32_set(-fit.high), x); }
static ALWAYS_INLINE f32_m right_of_high(Fit fit, f32_v x) { return f32_gt(x, f32_set(fit.high)); }
static ALWAYS_INLINE f32_m beyond_both(Fit fit, f32_v x) { return f32_gt(f32_abs(x), f32_set(fit.high)); }
static ALWAYS_INLINE f32_m left_of_low(Fit fit, f32_v x) { return f32_gt(f32_set(fit.low), x); }
static ALWAYS_INLINE f32_m left_and_right(Fit fit, f32_v x) { return f32_gt(f32_set(fit.low), x) | f32_gt(x, f32_set(fit.high)); }
static ALWAYS_INLINE f32_m near_ends(Fit fit, f32_v x) { return f32_gt(f32_set(fit.low), f32_min(f32_set(1) - x, x)); }

/* P for x < 0, 1 - P else */
static ALWAYS_INLINE f32_v complement(Fit fit, Found f) {
    const f32_v p = polynomial_of(f);
    (void)fit;
    return f32_select(f32_ge(f.x, f32_set(0)), f32_set(1) - p, p);
}
#define COMPLEMENT segment_by_size, complement, left_of_minus_high
#define STEP_BOTH segment_by_size, complement, beyond_both

/* The same, but 1 for x > high */
static ALWAYS_INLINE f32_v complement_cut(Fit fit, Found f) {
    return f32_select(f32_gt(f.x, f32_set(fit.high)), f32_set(1), complement(fit, f));
}
#define COMPLEMENT_CUT segment_by_size, complement_cut, left_of_minus_high

/* P for x > 0, 1 - P else */
static ALWAYS_INLINE f32_v complement_down(Fit fit, Found f) {
    const f32_v p = polynomial_of(f);
    (void)fit;
    return f32_select(f32_ge(f32_set(0), f.x), f32_set(1) - p, p);
}
#define COMPLEMENT_DOWN segment_by_size, complement_down, right_of_high

/* P */
static ALWAYS_INLINE f32_v direct(Fit fit, Found f) { return (void)fit, polynomial_of(f); }
#define EVEN segment_by_size, direct, beyond_both
#define DIRECT segment_by_value, direct, left_of_low

/* x P as u P */
static ALWAYS_INLINE f32_v odd(Fit fit, Found f) { return (void)fit, f32_with_sign(polynomial_times(f.u, f), f.x); }
#define ODD segment_by_size, odd, nowhere

/* beside P */
static ALWAYS_INLINE f32_v quotient(Fit fit, Found f) { return (void)fit, polynomial_times(f.beside, f); }
#define QUOTIENT segment_by_size, quotient, nowhere

/* x u^2 P, and x -+ 1 beyond high. Without square_low, the rounding error of u^2, it would be 2.1 ULP off. */
static ALWAYS_INLINE f32_v cubic_shifted(Fit fit, Found f) {
    const f32_v square = f.u * f.u, square_low = f32_fma(f.u, f.u, -square);
    const f32_v inside = f.x * f32_fma(square, f.c0, f32_fma(square, f.d * f.q, square_low * f.c0));
    return f32_select(f32_gt(f32_abs(f.x), f32_set(fit.high)), f.x - f32_with_sign(f32_set(1), f.x), inside);
}
#define CUBIC_SHIFTED segment_by_size, cubic_shifted, nowhere

/* u^2 P, and |x| u P, which grows beyond the table */
static ALWAYS_INLINE f32_v square(Fit fit, Found f) { return (void)fit, f.u * polynomial_times(f.u, f); }
#define SQUARE segment_by_size, square, nowhere
static ALWAYS_INLINE f32_v even_product(Fit fit, Found f) { return (void)fit, f32_abs(f.x) * polynomial_times(f.u, f); }
#define EVEN_PRODUCT segment_by_size, even_product, nowhere

/* max(x, 0) - u P */
static ALWAYS_INLINE f32_v above(Fit fit, Found f) { return (void)fit, f32_max(f32_set(0), f.x) - polynomial_times(f.u, f); }
#define ABOVE segment_by_size, above, left_of_minus_high

/* max(x, 0) - P, with its derivative (gate_slope) */
static ALWAYS_INLINE f32_v gate(Fit fit, Found f) { return (void)fit, f32_max(f32_set(0), f.x) - polynomial_of(f); }
static ALWAYS_INLINE f32_v gate_slope(Fit fit, Found f) {
    const f32_v left = f32_fma(f.change, f.d, f.q), s = f32_select(f32_ge(f.x, f32_set(0)), f32_set(1) - left, left);
    return f32_select(f32_gt(f.x, f32_set(fit.high)), f32_set(1), s);
}
#define GATE segment_by_size, gate, left_of_low
#define GATE_BOTH segment_by_size, gate, beyond_both

/* max(x, 0) + P */
static ALWAYS_INLINE f32_v above_plus(Fit fit, Found f) { return (void)fit, f32_max(f32_set(0), f.x) + polynomial_of(f); }
#define ABOVE_PLUS segment_by_size, above_plus, left_of_minus_high
#define ABOVE_BOTH segment_by_size, above_plus, beyond_both

/* min(x, 0) - P */
static ALWAYS_INLINE f32_v below(Fit fit, Found f) { return (void)fit, f32_min(f32_set(0), f.x) - polynomial_of(f); }
#define BELOW segment_by_size, below, right_of_high

/* (scale + low) x for x > 0, -u P else; `low` is the second part of the scale */
static ALWAYS_INLINE f32_v bent(Fit fit, Found f) {
    const f32_v finite = f32_min(f32_set(0x1.fffffep127f), f.x);
    const f32_v right = f32_fma(f32_set(fit.scale), f.x, f32_set(fit.low) * finite);
    return f32_select(f32_gt(f.x, f32_set(0)), right, f32_with_sign(polynomial_times(f.u, f), f.x));
}
#define BENT segment_by_size, bent, nowhere

/* scale for x > 0, P else */
static ALWAYS_INLINE f32_v bent_slope(Fit fit, Found f) {
    return f32_select(f32_gt(f.x, f32_set(0)), f32_set(fit.scale), polynomial_of(f));
}
#define BENT_SLOPE segment_by_size, bent_slope, left_of_minus_high

/* x P. Far out P is a constant, and x may be infinite. */
static ALWAYS_INLINE f32_v product(Fit fit, Found f) {
    return f32_select(f32_gt(f.x, f32_set(fit.high)), f.x * polynomial_of(f), polynomial_times(f.x, f));
}
#define PRODUCT segment_by_value, product, left_of_low
static ALWAYS_INLINE f32_v product_both(Fit fit, Found f) { return (void)fit, polynomial_times(f.x, f); }
#define PRODUCT_BOTH segment_by_value, product_both, left_and_right

/* v P with v = x - 1/2 cut to +-1/4 */
static ALWAYS_INLINE f32_v centred(Fit fit, Found f) {
    const f32_v distance = f32_min(f32_set(0.25f), f32_set(0.5f) - f.u);
    (void)fit;
    return f32_with_sign(polynomial_times(distance, f), f.x - f32_set(0.5f));
}
#define CENTRED segment_by_binade, centred, near_ends

/* s f(x / s): s is a sum of two. Only above_plus needs it: the other forms are a multiple of x or of u, and take those of x. */
typedef struct {
    f32_v high, low;
} Scale;
/* P becomes s P, rounded once: `rest` is the rounding error of P. It is cut a little, so that for s = 1 the sum rounds to P. */
static ALWAYS_INLINE Found scaled_polynomial(Found f, Scale s) {
    const f32_v p = polynomial_of(f), rest = f32_set(0.998f) * f32_fma(f.d, f.q, f.c0 - p);
    f.c0 = f32_fma(s.high, p, f32_fma(s.high, rest, s.low * p));
    f.d = f32_set(0);
    return f;
}

/* The polynomials of the vectors x[0], ... of a group, from their segments and u. The vectors share each load of the registers of a
 * coefficient, which do not stay in registers in a kernel with two tables. `beside` is the factor of a QUOTIENT; otherwise it is
 * NULL, or is added to u. */
#ifdef HAVE_TABLE_ROWS
enum { GROUP = 16 }; /* so many that the rows of the first are known when those of the last are found */
#else
enum { GROUP = 4 };
#endif
static ALWAYS_INLINE void find_polynomials(Fit fit, int group, const f32_segment *segment, const f32_v *u, const f32_v *x,
                                           const f32_v *beside, Found *found) {
    const int is_quotient = fit.value == quotient, is_gate = fit.value == gate;
    for (int v = 0; v < group; v++) {
        f32_v d = u[v] - f32_coefficient(segment[v], 0);
        if (beside && !is_quotient) d = d + beside[v];
        found[v] = (Found){x[v], u[v], f32_coefficient(segment[v], 1), d, d, is_quotient ? beside[v] : d, d};
    }
    for (int v = 0; v < group; v++) found[v].q = f32_coefficient(segment[v], fit.degree + 1);
    for (int i = fit.degree; i >= 2; i--)
        for (int v = 0; v < group; v++) {
            Found *const f = found + v;
            if (is_gate) f->change = i == fit.degree ? f->q : f32_fma(f->change, f->d, f->q);
            f->q = f32_fma(f->q, f->d, f32_coefficient(segment[v], i));
        }
}

/* The function at those vectors. `scale` is NULL, or u is that of x / s. */
static ALWAYS_INLINE void values_of_segments(Fit fit, int group, const f32_segment *segment, const f32_v *u, const f32_v *x,
                                             const f32_v *beside, const Scale *scale, f32_v *y) {
    Found found[GROUP];
    find_polynomials(fit, group, segment, u, x, beside, found);
    for (int v = 0; v < group; v++) {
        if (scale) found[v].u = f32_abs(x[v]);
        if (scale && fit.value == above_plus) found[v] = scaled_polynomial(found[v], scale[v]);
        y[v] = fit.value(fit, found[v]);
    }
}
