/* Arithmetic of the wide formulas for float32: a value is one double. 29 bits more than the result needs leave room for
 * every rounding on the way. */
typedef f64_v mid_w;

static inline V mid_of(V a) { return a; }
static inline V mid_value(V a) { return a; }
static inline V mid_leading(V a) { return a; }
static inline V mid_trailing(V a) { (void)a; return C(0); }
static inline V mid_constant(V high, V low) { (void)low; return high; }
static inline V mid_add(V a, V b) { return a + b; }
static inline V mid_subtract(V a, V b) { return a - b; }
static inline V mid_multiply(V a, V b) { return a * b; }
static inline V mid_divide(V a, V b) { return a / b; }
static inline V mid_negative(V a) { return -a; }
static inline V mid_abs(V a) { return ABS(a); }
static inline V mid_with_sign(V a, V sign) { return WITH_SIGN(a, sign); }
static inline V mid_select(M m, V yes, V no) { return SELECT(m, yes, no); }
static inline V mid_scaled_number(V a, V k) { return f64_scaled(a, k); }
static inline V mid_sqrt(V a) { return f64_sqrt(a); }

/* a e^min(z, 0), from e = e^-|z| */
static inline V mid_damped(V a, V z, V e) { return SELECT(GT(C(0), z), SELECT(LT(z, C(-745)), C(0), a * e), a); }

/* z - k (p[0] + p[1] + p[2]), where k p[0] and k p[1] are exact */
static inline V mid_without(V z, V k, const double *p) { return FMA(-k, C(p[2]), FMA(-k, C(p[1]), FMA(-k, C(p[0]), z))); }

/* a e^z, 0 where e^z vanishes, however large a is */
static inline V mid_exp_times(V a, V z) { return SELECT(LT(z, C(-745)), C(0), a * mid_exp(z)); }
