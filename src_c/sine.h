/* sin(z), and sin(z) + cos(z), for wide formulas. */
static inline W FN(sin)(W z) { return z; }
static inline W FN(sin_plus_cos)(W z) { return z; }
