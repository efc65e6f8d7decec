/* Rows that lie side by side in memory, for functions off the last axis: neighbouring rows stand in the lanes of a vector. Entry
 * j of row i stands at p[j * step + i]. A tile is up to 256 such rows. It is read in blocks of 8 entries, vector by vector;
 * where there are two arrays, in blocks of 4, which leave room in L1. */

enum { TILE = 256, TILE_VECTORS = TILE / LANES, TILE_BLOCK = 8, PAIR_BLOCK = 4 };

/* A tile of exponentials, of this many entries, stays in or near L2 between its passes; otherwise they are taken twice. With half as many, 256
 * rows of 1024 entries took .166 ns an entry instead of .148. */
enum { TILE_ENTRIES = (1 << 20) / sizeof(T) };

/* Whether exponentials take less than memory does. AVX2 takes .51 ns an entry when each is taken once, .85 when twice; float64 .54 and .83. */
#ifdef HAVE_SHORT_TABLE
enum { FAST = sizeof(T) == sizeof(float) };
#else
enum { FAST = 0 };
#endif

/* Tiles of exponentials that are `kept`, written to be scaled, are narrower where there are many; not narrower than 8 vectors where memory is read by
 * them (AVX2, 1024 rows of 8192 entries: 2.0 ns an entry instead of 1.2), nor than 4 lines where exponentials are fast (.25 instead of .20).
 * What keeps none takes longer of narrow tiles: log_softmax of 256 rows of 4096 entries .22 instead of .18, its gradient .28 instead of .19. */
static inline size_t tile_width(int kept, int large, size_t n) {
    const size_t line = 64 / sizeof(T), width = TILE_ENTRIES / n / line * line, least = large ? 8 * LANES : FAST ? 4 * line : line;
    return !kept || width < least || width > TILE ? (size_t)TILE : width;
}

/* How many entries of each vector follow one another. Those of rows 4 KiB apart share lines of L1, which holds 12 of these: with 8 of what is read,
 * written and asked for, 256 rows of 1024 entries took .24 ns an entry instead of .21, their logarithms .29 instead of .23. */
static inline size_t tile_block(Row t) {
    return t.step % (ptrdiff_t)(4096 / sizeof(T)) ? (size_t)TILE_BLOCK : (size_t)TILE_BLOCK / 2;
}

static ALWAYS_INLINE V tile_load(int whole, Row t, size_t j, size_t i, size_t width, V fill) {
    const T *p = t.at + (ptrdiff_t)j * t.step + (ptrdiff_t)i;
    if (whole) PREFETCH(p + TILE_BLOCK * t.step); /* the next block's: processors see no stream here; .56 ns instead of 1.5 in memory */
    return whole ? LOAD(p) : LOAD_SOME(p, width - i, fill);
}

static ALWAYS_INLINE void tile_store(int whole, int streaming, Row t, size_t j, size_t i, size_t width, V value) {
    T *p = t.at + (ptrdiff_t)j * t.step + (ptrdiff_t)i;
    if (whole)
        PUT(streaming, p, value);
    else
        STORE_SOME(p, value, width - i);
}

static inline Row from_entry(Row t, size_t j) { return (Row){t.at + (ptrdiff_t)j * t.step, t.step}; }

/* `count` entries from `start` on; or the last first, where the caches hold what was read last: softmax' of 1024 entries, .182 ns instead of
 * .195. */
static inline Row entries_of(int backwards, Row t, size_t start, size_t count) {
    return backwards ? (Row){t.at + (ptrdiff_t)(start + count - 1) * t.step, -t.step} : from_entry(t, start);
}

/* n entries of `width` rows that lie close together in a buffer, to where they belong, past the caches */
static NOINLINE void stream_tile(const T *from, Row out, size_t n, size_t width) {
    for (; n; n--, from += width, out = from_entry(out, 1)) {
        size_t i = unaligned(out.at, width);
        if (i) STORE_SOME(out.at, LOAD_SOME(from, i, C(0)), i); /* that of nothing takes as long */
        for (; i + LANES <= width; i += LANES) PUT(1, out.at + i, LOAD(from + i));
        if (i < width) STORE_SOME(out.at + i, LOAD_SOME(from + i, width - i, C(0)), width - i);
    }
}

/* Whether what is written to a tile is whole lines */
static inline int is_of_lines(Row t) { return (uintptr_t)t.at % (LANES * sizeof(T)) == 0 && t.step % LANES == 0; }

/* Whether a tile's exponentials are taken once more, rather than written and scaled in place: where there is no room, and where this takes less:
 * of results that are streamed .29 ns an entry instead of .37 (128 entries), of those written over x .25 instead of .29 (512). */
static inline int tile_twice(int streaming, Row x, Row out, size_t n, size_t width) {
    if (n * width > TILE_ENTRIES) return 1;
    return FAST && (streaming ? n >= 128 && is_of_lines(out) : n >= 256 && x.at == out.at);
}

/* The last argument is done for `count` entries from `start` on, with their results to `to`: for all of them, by streaming stores where `direct`;
 * or, where these would not be whole lines, for a block at a time. So a tile is as wide as ever wherever the rows begin: another one up to
 * the first whole line took .15 ns an entry of 256 rows side by side. */
#define EACH_STREAMED(streaming, block, out, n, width, ...)                                                                     \
    for (size_t start = 0, count; start < (n); start += count) {                                                                \
        T block_[(block) * TILE];                                                                                           \
        const int direct = (streaming) && is_of_lines(out), backwards = !(streaming);                                       \
        const Row there_ = from_entry(out, start), to = direct || backwards ? there_ : (Row){block_, (ptrdiff_t)(width)}; \
        count = direct || backwards || (n) - start < (block) ? (n) - start : (size_t)(block);                                     \
        __VA_ARGS__                                                                                                             \
        if (!direct && !backwards) stream_tile(block_, there_, count, width);                                                \
    }

/* The last argument is done for each block of entries j ... end and each vector v of rows from i; `whole` is a constant in it */
#define EACH_TILE_VECTOR(n, width, ...) EACH_TILE_VECTOR_BY(TILE_BLOCK, n, width, __VA_ARGS__)
#define EACH_TILE_VECTOR_BY(block, n, width, ...)                                                                         \
    for (size_t first = 0, end; first < (n) && (end = first + (block) < (n) ? first + (block) : (n)); first = end) { \
        size_t v = 0, i = 0;                                                                                    \
        for (; i + LANES <= (width); v++, i += LANES) {                                                         \
            enum { whole = 1 };                                                                                 \
            __VA_ARGS__                                                                                         \
        }                                                                                                       \
        if (i < (width)) {                                                                                      \
            enum { whole = 0 };                                                                                 \
            __VA_ARGS__                                                                                         \
        }                                                                                                       \
    }
#define EACH_BLOCK_ENTRY BY_FOUR for (size_t j = first; j < end; j++)
#define EACH_VECTOR(width) for (size_t v = 0, i = 0; i < (width); v++, i += LANES)
