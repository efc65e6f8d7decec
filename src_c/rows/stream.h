/* Streaming stores, which bypass the caches, for results that are larger than these.
 *
 * Results go to a room first, and from there to memory by whole lines, while the next results are computed.
 * The entries of a line that is not whole wait at the front of the other room for those that follow. */

typedef struct {
    T *room[2];
    int in; /* where the next results go, behind `waiting` entries, which belong to `at` */
    size_t waiting;
    T *at;
    const T *from; /* whole lines on their way: `left` entries to `to` */
    T *to;
    size_t left;
} Stream;

#ifdef HAVE_STREAM
static inline T *stream_room(const Stream *s) { return s->room[s->in] + s->waiting; }

/* Write some of the lines on their way. */
static ALWAYS_INLINE void stream_some(Stream *s, size_t count) {
    if (!s) return;
    const size_t now = count < s->left ? count : s->left;
    for (size_t i = 0; i < now; i += LANES) STREAM(s->to + i, LOAD(s->from + i));
    s->from += now;
    s->to += now;
    s->left -= now;
}

static void stream_waiting(Stream *s) {
    if (s->waiting) memcpy(s->at, s->room[s->in], s->waiting * sizeof(T));
    s->waiting = 0;
}

/* `count` results, which stand in the room, belong to `to`. */
static NOINLINE void stream_put(Stream *s, T *to, size_t count) {
    const T *from = stream_room(s);
    stream_some(s, s->left);
    if (s->waiting && s->at + s->waiting == to) {
        from -= s->waiting;
        to -= s->waiting;
        count += s->waiting;
        s->waiting = 0;
    }
    stream_waiting(s);
    const size_t before = before_line(to), head = before < count ? before : count;
    const size_t whole = (count - head) / LINE * LINE, last = count - head - whole;
    memcpy(to, from, head * sizeof(T));
    s->from = from + head;
    s->to = to + head;
    s->left = whole;
    s->in ^= 1;
    s->waiting = last;
    s->at = to + head + whole;
    memcpy(s->room[s->in], from + head + whole, last * sizeof(T));
}

static void stream_flush(Stream *s) {
    stream_some(s, s->left);
    stream_waiting(s);
}

static void stream_finish(Stream *s) {
    stream_flush(s);
    stream_end();
}
#define PUT(streaming, p, value) ((streaming) ? STREAM(p, value) : STORE(p, value))
#else
#define PUT(streaming, p, value) ((void)(streaming), STORE(p, value))
static inline T *stream_room(const Stream *s) { return s->room[0]; }
static inline void stream_some(Stream *s, size_t count) { (void)s, (void)count; }
static inline void stream_put(Stream *s, T *to, size_t count) { (void)s, (void)to, (void)count; }
static inline void stream_flush(Stream *s) { (void)s; }
static inline void stream_finish(Stream *s) { (void)s; }
#endif

/* Streaming stores pay where the arrays leave the caches. `rows` are those of the whole call. */
enum { LARGE_BYTES = 16 << 20 };
static inline int is_large(size_t rows, size_t n) { return rows * n * sizeof(T) >= LARGE_BYTES; }
