/* SPDX-License-Identifier: MIT
 *
 * state.h: what a stream handle is made of.
 *
 *     stele_stream
 *       view ---------> sti_view: an immutable list of segments, counted
 *                         segment: a sealed one: log and index, loaded when
 *                                  first read, and immutable from then on
 *                         …
 *                         segment: the head: its index grows in memory
 *       tail: where the writer appends; the head's file and map
 *
 * A reader takes the view (view_lock, a moment), and needs no lock after
 * that. Of the head it sees the items below head->count, which the writer
 * moves with one release store after the message and its item are written:
 * that store makes a publish visible, all of it at once. Whatever changes the
 * list of segments (rollover, deletion, gc) makes a new view; the old one goes
 * when its last reader leaves, and maps go with the last segment or
 * container (stele_messages) that holds them.
 *
 * Locks, in the order they are taken (ranks in thread.h):
 *   delete_lock  one deletion, migration or backup of the list at a time
 *   write_lock   tail, and every change of the view; held over the encoding of
 *                a publish, a rollover, and the last step of a deletion in the head
 *   sync_lock    who syncs for the others (group commit)
 *   view_lock    the pointer to the view
 *   load_lock    opening a segment's files
 *   wait_lock    consumers that wait for a publish
 */
#ifndef STI_STREAM_STATE_H
#define STI_STREAM_STATE_H

#include <stele/stream.h>

#include "base/env.h"
#include "base/gather.h"
#include "base/thread.h"
#include "stream/bases.h"
#include "stream/format.h"
#include "stream/index_format.h"
#include "stream/keys.h"
#include "stream/names.h"
#include "vfs/vfs.h"

#include <stdatomic.h>

/* ---- The bytes of a log. ---- */

/* A map of a log file, or memory that holds its messages. */
struct sti_map {
    atomic_uint refs;
    stele_file *raw; /* NULL: `data` is memory */
    uint8_t *data;
    size_t len;
};

/* Map a file, or read it into memory; *out has one count. */
stele_code sti_map_file(struct sti_map **out, struct sti_file *f, size_t len, bool writable,
        bool into_memory, stele_error *err);
/* Memory (from sti_malloc()) as a map that owns it. */
stele_code sti_map_memory(struct sti_map **out, uint8_t *data, size_t len, stele_error *err);
struct sti_map *sti_map_ref(struct sti_map *map);
void sti_map_unref(struct sti_map *map); /* accepts NULL */

/* ---- The index of the head. ---- */

enum {
    STI_HEAD_CHUNKS = 28, /* chunk k has STI_HEAD_FIRST << k items */
    STI_HEAD_FIRST_LOG2 = 10,
    STI_HEAD_FIRST = 1 << STI_HEAD_FIRST_LOG2
};

/* Open addressing: 1 + the ordinal of the newest item with a hash. */
struct sti_head_table {
    struct sti_head_table *older; /* kept for readers until the head is freed */
    uint64_t mask;
    _Atomic uint32_t slots[];
};

/* One writer (under write_lock), any number of readers (without). */
struct sti_head {
    struct sti_index_params params;
    size_t item_size;
    _Atomic uint64_t count; /* items that readers may look at: pairs with sti_head_publish() */
    uint64_t written;       /* items that were added */
    uint8_t *_Atomic chunks[STI_HEAD_CHUNKS];
    /* With keys: the item before with the same hash, 1 + ordinal, and the table. */
    uint32_t *_Atomic before[STI_HEAD_CHUNKS];
    struct sti_head_table *_Atomic table;
};

stele_code sti_head_new(struct sti_head **out, struct sti_index_params params, stele_error *err);
void sti_head_free(struct sti_head *head); /* accepts NULL */
/* Make room, so that the next `count` additions cannot fail. */
stele_code sti_head_reserve(struct sti_head *head, uint64_t count, stele_error *err);
void sti_head_add(struct sti_head *head, const struct sti_index_item *item);
/* Give an item that is not published yet other bytes, with the same hash. */
void sti_head_set(struct sti_head *head, uint64_t ordinal, const uint8_t *item);

/* Let readers see the first `count` items. */
static inline void sti_head_publish(struct sti_head *head, uint64_t count)
{
    atomic_store_explicit(&head->count, count, memory_order_release);
}

static inline const uint8_t *sti_head_item(const struct sti_head *head, uint64_t ordinal)
{
    uint64_t n = ordinal + STI_HEAD_FIRST;
    unsigned k = 63U - (unsigned)__builtin_clzll(n) - STI_HEAD_FIRST_LOG2;

    return atomic_load_explicit(&head->chunks[k], memory_order_relaxed) +
           (n - ((uint64_t)STI_HEAD_FIRST << k)) * head->item_size;
}

/* The newest item below `limit` with this hash, or the next older one than
 * `ordinal`; UINT64_MAX for none. */
uint64_t sti_head_find(const struct sti_head *head, uint64_t hash, uint64_t limit);
uint64_t sti_head_before(const struct sti_head *head, uint64_t ordinal);

/* All items in one piece of memory (sti_free()). */
stele_code sti_head_copy(
        const struct sti_head *head, uint64_t count, uint8_t **out, stele_error *err);

/* ---- Segments. ---- */

struct sti_segment {
    atomic_uint refs;
    int64_t base;
    _Atomic int64_t limit; /* offsets are below it: the base of the segment behind; 0: none yet */
    uint64_t file_id;      /* of a read-only handle: tells a replaced file */
    struct sti_head *head; /* of the newest segment; NULL for a sealed one */

    atomic_bool loaded; /* the fields below are set, and stay as they are */
    stele_stream_version version;
    struct sti_map *_Atomic map; /* of the head: replaced by longer ones, all kept in `maps` */
    struct sti_map **maps;
    size_t map_count;
    uint64_t end;         /* sealed: where the last message ends */
    const uint8_t *items; /* sealed: the index */
    uint64_t count;
    struct sti_map *index_map; /* what `items` lies in */
    bool damaged;              /* … over damage: messages are missing from it */
    bool rebuilt;              /* the index was made from the log */

    /* One bit an item: its checksum was verified through this map. NULL: all were. */
    _Atomic uint64_t *verified;
    atomic_bool all_verified;

    atomic_bool keys_loaded;
    struct sti_keys keys;

    atomic_bool used; /* read since the last gc */
    int64_t used_ns;
};

stele_code sti_segment_new(struct sti_segment **out, int64_t base, stele_error *err);
struct sti_segment *sti_segment_ref(struct sti_segment *seg);
void sti_segment_unref(struct sti_segment *seg); /* accepts NULL */
stele_code sti_segment_add_map(struct sti_segment *seg, struct sti_map *map, stele_error *err);

static inline uint64_t sti_segment_count(const struct sti_segment *seg)
{
    return seg->head != NULL ? atomic_load_explicit(&seg->head->count, memory_order_acquire)
                             : seg->count;
}

/* ---- Views. ---- */

/* The filter of a segment's side file; no words: not known. */
struct sti_filter {
    const uint8_t *_Atomic words;
    _Atomic uint32_t count;
};

struct sti_view {
    atomic_uint refs;
    size_t count; /* at least one: the last is the head */
    struct sti_segment **segments;
    int64_t *_Atomic times; /* latest index time up to each segment but the last; made when asked */
    struct sti_filter
            *_Atomic filters; /* of the segments, side by side; filled as they are asked */
    int64_t bases[];
};

void sti_view_unref(struct sti_view *view); /* accepts NULL */

/* ---- The handle. ---- */

enum sti_mode {
    STI_MODE_WRITER,
    STI_MODE_READER, /* holds the shared lock */
    STI_MODE_LIVE    /* holds no lock */
};

/* Where the writer appends; under write_lock. */
struct sti_tail {
    struct sti_segment *seg; /* the head; counted */
    struct sti_file log;
    bool mapped;        /* writes go through the map */
    bool map_writable;  /* the segment's newest map is for that */
    bool reserve;       /* blocks are allocated ahead */
    uint64_t end;       /* where the next message goes */
    uint64_t allocated; /* size of the file */
    int64_t next;       /* offset of the next message */
    int64_t time;       /* of the last index item, this segment's or the one before's */
    bool dirty;         /* written since the last sync */
    bool name_pending;  /* a name was made since the last sync of the directory */
    bool changed;       /* index or size on disk are not those of a clean close */
    uint8_t *buffer;    /* for pwrite */
    size_t buffer_len;
};

/* A segment that writing has left, and that is not sealed yet. */
struct sti_sealing {
    struct sti_sealing *next;
    struct sti_segment *seg; /* counted; readers use its index in memory until it is sealed */
    struct sti_file log;
    uint64_t end;
    uint64_t allocated;
    uint64_t count;
    int64_t next_offset; /* of the segment after it */
};

/* A segment's file made ahead of need: header, blocks, and pages in memory. */
struct sti_prepared {
    struct sti_file log;
    struct sti_map *map;
    uint64_t allocated;
};

/* Sealing and preparing segments beside the writer (work.c). */
struct sti_work {
    enum {
        STI_WORK_INLINE,   /* inside publish */
        STI_WORK_DEFERRED, /* when sti_work_once() is called: for tests */
        STI_WORK_THREAD
    } way;
    struct sti_mutex lock;
    struct sti_cond cond;
    struct sti_thread thread;
    bool started;             /* lock: there is a thread */
    bool stop;                /* lock */
    bool busy;                /* lock: something was taken from the queue and is not done */
    bool preparing;           /* lock: there has been a rollover; files are made ahead */
    unsigned prepared_first;  /* lock: a ring of files that are ready */
    unsigned prepared_number; /* lock: of the next file made */
    unsigned prepared_count;  /* lock */
    struct sti_prepared prepared[STI_PREPARED_MAX]; /* lock */
    struct sti_sealing *first;                      /* lock: the queue */
    struct sti_sealing *last;
    bool paused;              /* lock: no new segment for now: a deletion is at work */
    _Atomic uint64_t waiting; /* bytes of logs in the queue */
    _Atomic int64_t sealed;   /* messages below it are in sealed segments, or in the head */
    bool marked;              /* write_lock: the marker is on disk */
};

struct stele_stream {
    stele_env env;
    stele_stream_options opts;
    struct sti_index_params params;
    enum sti_mode mode;
    struct sti_dir dir;
    struct sti_file lock;

    struct sti_mutex delete_lock;
    struct sti_mutex write_lock;
    struct sti_tail tail;

    struct sti_mutex sync_lock;
    struct sti_cond sync_cond;
    bool syncing;         /* sync_lock: somebody syncs */
    int64_t syncing_next; /* sync_lock: what ended before this is in that sync, or in one before */
    struct sti_gather gather; /* sync_lock: those who wait for a sync */
    _Atomic int64_t durable;  /* messages below it survive a power cut */

    struct sti_mutex view_lock;
    struct sti_view *view; /* view_lock */
    _Atomic int64_t next;  /* of what readers may see */

    struct sti_mutex load_lock;

    struct sti_mutex wait_lock;
    struct sti_cond wait_cond;
    atomic_uint waiters; /* consumers inside a blocking call */
    atomic_bool closing;

    struct sti_work work;

    atomic_int failed; /* a stele_code: no more writing, and why */
    char failed_text[STELE_ERROR_MESSAGE_SIZE];

    bool on_disk; /* write_lock: there is at least one segment's file */
};

/* ---- What the files of this module share. ---- */

/* The view, counted: sti_view_unref(). */
struct sti_view *sti_stream_view(stele_stream *s);

/* Make a view of `count` segments (each is counted once more) and put it in force. */
stele_code sti_stream_set_view(
        stele_stream *s, struct sti_segment **segments, size_t count, stele_error *err);
stele_code sti_view_new(
        struct sti_view **out, struct sti_segment **segments, size_t count, stele_error *err);
void sti_stream_swap_view(stele_stream *s, struct sti_view *view); /* takes over the count */

/* The last segment whose base is not above `offset`; 0 if all are. */
size_t sti_view_find(const struct sti_view *view, int64_t offset);

/* Load a sealed segment, if it is not yet. */
stele_code sti_segment_load(stele_stream *s, struct sti_segment *seg, stele_error *err);
/* Load its side file, or build it. */
stele_code sti_segment_load_keys(stele_stream *s, struct sti_segment *seg, stele_error *err);

static inline const uint8_t *sti_segment_item(
        const struct sti_segment *seg, size_t item_size, uint64_t ordinal)
{
    return seg->head != NULL ? sti_head_item(seg->head, ordinal) : seg->items + ordinal * item_size;
}

/* Ask the processor for the place where the message of an item is if all messages are of one size,
 * while the item that tells it is still on its way. */
static inline void sti_segment_expect(const struct sti_segment *seg, uint64_t ordinal)
{
    const struct sti_map *map = atomic_load_explicit(&seg->map, memory_order_relaxed);

    if (seg->head == NULL && map != NULL && ordinal < seg->count) {
        const uint8_t *at = map->data + ordinal * seg->end / seg->count;

        __builtin_prefetch(at);
        __builtin_prefetch(at + STI_V2_OVERHEAD);
    }
}

/* The first item at or after an offset; the count if there is none. */
uint64_t sti_segment_lower(
        const struct sti_segment *seg, size_t item_size, uint64_t count, int64_t offset);

/* The message of an item, its checksum verified once. STELE_ECORRUPT names
 * segment and position. If the index is wrong, *unfit (not NULL) is set.
 * `map` is what sti_segment_map() gave after the item was seen: the message lies in that one. */
stele_code sti_segment_message(stele_stream *s, struct sti_segment *seg, struct sti_map *map,
        uint64_t ordinal, stele_message *out, bool *unfit, stele_error *err);

/* The segment's map, which reaches as far as the items that were seen before. A
 * head gets longer ones while it is read: pin the one that the message is read from. */
static inline struct sti_map *sti_segment_map(const struct sti_segment *seg)
{
    return atomic_load_explicit(&seg->map, memory_order_acquire);
}

/* The same for `count` messages of a sealed segment, one behind the other: how many of them,
 * from the first on, are as they should be. 0 for a head. */
uint64_t sti_segment_messages(struct sti_segment *seg, size_t item_size, uint64_t ordinal,
        uint64_t count, stele_message *out);

/* Whether damage lies between an item (or the end) and the one before it: its
 * messages could not be read when the index was made. */
bool sti_segment_gap(
        struct sti_segment *seg, size_t item_size, uint64_t ordinal, uint64_t *position);

/* A sealed segment's index turned out wrong: put a new object, whose index is
 * made from the log, in its place in the view. */
stele_code sti_stream_reindex(stele_stream *s, struct sti_segment *seg, stele_error *err);

/* Refuse to write from now on; returns `code`, which *err explains. */
stele_code sti_stream_fail(stele_stream *s, stele_code code, stele_error *err);

/* STELE_EREADONLY or STELE_EFAILED if this handle may not write. */
stele_code sti_stream_writable(stele_stream *s, stele_error *err);

/* Wake consumers that wait. */
void sti_stream_wake(stele_stream *s);

/* tail.c; under write_lock. */
stele_code sti_tail_open(stele_stream *s, struct sti_segment *seg, uint64_t end, int64_t next,
        int64_t time, stele_error *err);
/* The files of a segment without messages; nothing is synced. */
stele_code sti_tail_files(stele_stream *s, int64_t base, stele_error *err);
/* A head without messages, in memory; then its files, and the tail moves there. */
stele_code sti_tail_segment(
        stele_stream *s, int64_t base, struct sti_segment **out, stele_error *err);
stele_code sti_tail_create(
        stele_stream *s, struct sti_segment *seg, bool with_index, stele_error *err);
stele_code sti_tail_room(stele_stream *s, size_t len, stele_error *err);
/* To a new segment, named after the offset of the message that it begins with. */
stele_code sti_tail_roll(stele_stream *s, int64_t base, stele_error *err);
stele_code sti_tail_sync(stele_stream *s, stele_error *err);
/* Write index and side file of the tail's segment, cut the zero tail, and sync: as a clean close.
 */
stele_code sti_tail_finish(stele_stream *s, stele_error *err);
/* Let readers see all that was written. */
void sti_tail_publish(stele_stream *s);
/* A view in which the last segment gives way to `sealed` and then `seg`; each may be NULL. */
stele_code sti_tail_view(stele_stream *s, struct sti_segment *sealed, struct sti_segment *seg,
        struct sti_view **out, stele_error *err);
/* Keep group commit from syncing the tail's file while it changes hands. */
void sti_tail_hold(stele_stream *s);
void sti_tail_release(stele_stream *s);
void sti_tail_drop(stele_stream *s);

/* work.c. Rolling over without waiting for a sync: under write_lock. */
stele_code sti_work_init(stele_stream *s, stele_error *err);
void sti_work_destroy(stele_stream *s);
/* For tests, right after open: what the thread would do is done when somebody
 * waits for it, or sti_work_once() is called (false: there was nothing). A run
 * then depends on its input alone. */
void sti_work_defer(stele_stream *s);
bool sti_work_once(stele_stream *s);
stele_code sti_work_roll(stele_stream *s, int64_t base, stele_error *err);
/* Wait while too much is not sealed. Before write_lock is taken. */
void sti_work_throttle(stele_stream *s);
/* Do what is queued, or wait until it is done. Without write_lock. */
stele_code sti_work_drain(stele_stream *s, stele_error *err);
/* Nothing is queued, nor under way. */
bool sti_work_idle(stele_stream *s);
/* Until all segments whose messages are below `upto` are sealed. Without write_lock. */
stele_code sti_work_wait_sealed(stele_stream *s, int64_t upto, stele_error *err);
/* Let publishers that need a new segment wait, from now on or no more. */
void sti_work_pause(stele_stream *s, bool pause);
bool sti_work_may_roll(stele_stream *s);
void sti_work_wait_to_roll(stele_stream *s);
/* While paused: drain, and take the marker away: all segments but the head
 * are sealed and durable. */
stele_code sti_work_settle(stele_stream *s, stele_error *err);
/* Under write_lock, nothing being queued: take the marker away. */
stele_code sti_work_unmark(stele_stream *s, stele_error *err);

/* Write index and side file of a segment whose log is synced, as a clean close leaves them. */
stele_code sti_tail_write_index(stele_stream *s, const struct sti_segment *seg, uint64_t end,
        uint64_t count, stele_error *err);
/* How much of a file to allocate, and to map, for `upto` bytes. */
stele_code sti_tail_plan(stele_stream *s, const char *name, uint64_t allocated, uint64_t upto,
        uint64_t *allocate, uint64_t *map, stele_error *err);
/* Move the tail to a prepared file, which gets the segment's name. */
stele_code sti_tail_adopt(
        stele_stream *s, struct sti_segment *seg, struct sti_prepared *p, stele_error *err);

/* head_load.c: read the newest segment, and cut what is torn. The next offset
 * will not be below `floor`. A writer's tail is open after it. *sealed is the
 * base of a segment that has become the one before the head, else -1; *next
 * is the offset of the next message. */
stele_code sti_stream_load_head(stele_stream *s, int64_t base, int64_t floor,
        struct sti_segment **seg, int64_t *sealed, int64_t *next, stele_error *err);

/* Which segments there are, and what a crash left beside them. */
struct sti_found {
    struct sti_listing listing;
    struct sti_leftovers leftovers;
    struct sti_bases bases;
};

stele_code sti_stream_look(stele_stream *s, struct sti_found *f, bool stats, stele_error *err);
void sti_found_free(struct sti_found *f); /* and back to zeros */

/* Load the newest segment, and put the view in force. */
stele_code sti_stream_build(
        stele_stream *s, const struct sti_bases *list, int64_t floor, stele_error *err);

/* live.c: look at the files again. */
stele_code sti_live_refresh(stele_stream *s, stele_error *err);
/* A read through `view` gave this: whether that may be because the writer has
 * renamed or removed a file that was not open yet, and there is a newer view. */
bool sti_live_moved_on(stele_stream *s, const struct sti_view *view, stele_code rc);

enum {
    STI_LIVE_TRIES = 20
};

/* sync.c */
stele_code sti_stream_commit(stele_stream *s, int64_t upto, stele_error *err);

/* ---- Containers. ---- */

struct stele_messages {
    stele_message *items;
    size_t count;
    size_t capacity;
    struct sti_map **pins; /* each counted */
    size_t pin_count;
    size_t pin_capacity;
    uint8_t *own; /* bytes of stele_messages_own() */
};

/* Empty it; keeps the first pin, which the next call often wants again. */
void sti_messages_reset(stele_messages *ms);
stele_code sti_messages_reserve(stele_messages *ms, size_t count, stele_error *err);
/* Keep a map for as long as the container holds its messages. */
stele_code sti_messages_pin(stele_messages *ms, struct sti_map *map, stele_error *err);
/* Let go of kept maps if it holds no messages. */
void sti_messages_trim(stele_messages *ms);

#endif /* STI_STREAM_STATE_H */
