/* The numbers of the wide formulas in the unit of float32: a W is one double. It has 29 bits more than a float: the rounding
 * errors of a formula stay far below the last bit of the float. */
typedef f64_v W;

static inline W wide_number(double a) { return f64_set(a); }
static inline W wide_of(f64_v a) { return a; }
static inline W wide_value(f64_v a) { return a; }
static inline W wide_leading(f64_v a) { return a; }
static inline W wide_trailing(f64_v a) {
    (void)a;
    return f64_set(0);
}
static inline W wide_constant(f64_v high, f64_v low) {
    (void)low;
    return high;
}
static inline W wide_add(f64_v a, f64_v b) { return a + b; }
static inline W wide_subtract(f64_v a, f64_v b) { return a - b; }
static inline W wide_multiply(f64_v a, f64_v b) { return a * b; }
static inline W wide_divide(f64_v a, f64_v b) { return a / b; }
static inline W wide_negative(f64_v a) { return -a; }
static inline W wide_abs(f64_v a) { return f64_abs(a); }
static inline W wide_with_sign(f64_v a, f64_v sign) { return f64_with_sign(a, sign); }
static inline W wide_select(f64_m m, f64_v yes, f64_v no) { return f64_select(m, yes, no); }
static inline W wide_scaled_number(f64_v a, f64_v k) { return f64_scaled(a, k); }
static inline W wide_sqrt(f64_v a) { return f64_sqrt(a); }

/* The larger and the smaller of a and b, where b is a number in the formula and so not NaN */
static inline W wide_maximum_number(W a, W b) { return f64_max(b, a); }
static inline W wide_minimum_number(W a, W b) { return f64_min(b, a); }

static inline W wide_exp(W z) { return short_exp(z); }
static inline W wide_expm1(W z) { return short_expm1(z); }
static inline W wide_improved_log1p(W x, f64_v estimate) { return (void)x, estimate; }

/* a e^min(z, 0), from e = e^-|z| */
static inline W wide_damped(f64_v a, f64_v z, f64_v e) {
    return f64_select(f64_gt(f64_set(0), z), f64_select(f64_gt(f64_set(-745), z), f64_set(0), a * e), a);
}

/* z - k (p[0] + p[1] + p[2]), for p of which k p[0] and k p[1] are exact */
static inline W wide_without(f64_v z, f64_v k, const double *p) {
    return f64_fma(-k, f64_set(p[2]), f64_fma(-k, f64_set(p[1]), f64_fma(-k, f64_set(p[0]), z)));
}

/* a e^z. It is 0 for z < -745, however large a is. */
static inline W wide_exp_times(f64_v a, f64_v z) { return f64_select(f64_gt(f64_set(-745), z), f64_set(0), a * wide_exp(z)); }

/* The coefficients of the words, as the last arguments of wide_terms */
#define COUNT(array) (int)(sizeof array / sizeof *array)
#define ERF_TERMS COUNT(short_erf_terms), short_erf_terms, 0, NULL
#define NORMAL_TAIL_TERMS COUNT(short_normal_tail_terms), short_normal_tail_terms, 0, NULL
#define SIN_TERMS COUNT(short_sin_terms), short_sin_terms, 0, NULL
