/* SPDX-License-Identifier: MIT
 *
 * stress_test.c: everything at once on one handle.
 *
 * Four writers publish numbered messages; readers consume from the oldest on,
 * by key, by time, and blocking at the end; others delete, trim, compact, let
 * go, sync and back up. What must hold whatever the order:
 *
 *   - a message is what its writer made: its number tells key, time and value;
 *   - the numbers of a writer rise with the offsets;
 *   - the first writer's keys are all different, and its messages are not
 *     deleted, but for a trim: nobody who reads behind the trimmed part may
 *     miss one;
 *   - messages that were read stay as they were, whatever happens to them;
 *   - backups are whole, and what is there at the end is there after a reopen.
 *
 * STELE_FULL makes it 30 seconds a variant. The threads keep what they find in
 * a place of their own, since a test's assertions are for its own thread.
 */
#include "lib/stress.h"

#include "core.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum {
    WRITERS = 4,
    KEYS = 8,      /* of each writer but the first */
    BATCH = 5,     /* messages of a publish, at most */
    WINDOW = 3000, /* trims leave so many offsets */
    PAD_MAX = 200,
    HELD = 4 /* containers that a reader holds on to */
};

struct stress {
    struct core c;
    stele_stream *s;
    struct stress_common common;
    _Atomic int64_t floor;   /* offsets below this may have been trimmed */
    _Atomic int64_t blocked; /* messages that the blocking reader saw */
    _Atomic int64_t read;
    _Atomic int64_t deleted;
    _Atomic int64_t backups;
    uint32_t published[WRITERS]; /* by each, after the end */
};

struct member {
    struct stress *st;
    unsigned id;
    uint64_t seed;
    pthread_t thread;
};

/* ---- Messages. ---- */

struct text {
    char key[32];
    char value[32 + PAD_MAX];
};

static void make(struct text *t, stele_message *m, unsigned writer, uint32_t number)
{
    size_t pad = (number * 2654435761U >> 8) % PAD_MAX;
    int len = snprintf(t->value, sizeof t->value, "%u %08" PRIu32 " ", writer, number);

    memset(t->value + len, 'a' + (int)(number % 26), pad);
    if (writer == 0) {
        (void)snprintf(t->key, sizeof t->key, "0-%08" PRIu32, number);
    } else {
        (void)snprintf(t->key, sizeof t->key, "%u-%" PRIu32, writer, number % KEYS);
    }
    *m = stele_message_invalid();
    m->key = stele_str(t->key);
    m->value = stele_bytes_of(t->value, (size_t)len + pad);
    m->time = 1000 + (stele_time)number * 10 + writer;
}

/* Whose it is, and that it is as it was made. */
static bool judge(struct stress *st, const stele_message *m, unsigned *writer, uint32_t *number)
{
    struct text t;
    stele_message right;
    char head[16];

    if (m->value.len < 11) {
        stress_complain(
                &st->common, "offset %" PRId64 ": a value of %zu bytes", m->offset, m->value.len);
        return false;
    }
    memcpy(head, m->value.data, 11);
    head[11] = '\0';
    *writer = (unsigned)(head[0] - '0');
    *number = (uint32_t)strtoul(head + 2, NULL, 10);
    make(&t, &right, *writer % WRITERS, *number);
    if (*writer >= WRITERS || !stele_bytes_equal(right.key, m->key) ||
            !stele_bytes_equal(right.value, m->value) || right.time != m->time) {
        stress_complain(
                &st->common, "offset %" PRId64 ": not as it was made: \"%s\"", m->offset, head);
        return false;
    }
    return true;
}

/* ---- Writers. ---- */

/* The writer's own messages with one of its keys come back in order. */
static void read_own(struct member *w, stele_messages *ms, int64_t from[KEYS], uint32_t last[KEYS])
{
    struct stress *st = w->st;
    uint32_t k = (uint32_t)(stress_draw(&w->seed) % KEYS);
    struct text t;
    stele_message m;
    stele_error err;

    make(&t, &m, w->id, k);
    if (!stress_fine(&st->common,
                stele_stream_consume_by_key(
                        st->s, stele_str(t.key), from[k], 50, ms, &from[k], &err),
                &err, "consume by key")) {
        return;
    }
    for (size_t i = 0; i < stele_messages_count(ms); i++) {
        unsigned writer;
        uint32_t number;

        if (!judge(st, stele_messages_at(ms, i), &writer, &number)) {
            return;
        }
        if (writer != w->id || number % KEYS != k || (last[k] != UINT32_MAX && number <= last[k])) {
            stress_complain(&st->common, "by key %s: %" PRIu32 " of %u after %" PRIu32, t.key,
                    number, writer, last[k]);
        }
        last[k] = number;
    }
}

static void *run_writer(void *arg)
{
    struct member *w = arg;
    struct stress *st = w->st;
    stele_messages *ms = NULL;
    int64_t from[KEYS] = {0};
    uint32_t last[KEYS];
    uint32_t number = 0;
    int64_t before = 0;
    stele_error err;

    memset(last, 0xff, sizeof last);
    if (!stress_fine(&st->common, stele_messages_new(&ms, &err), &err, "container")) {
        return NULL;
    }
    while (!atomic_load(&st->common.stop)) {
        struct text t[BATCH];
        stele_message m[BATCH];
        size_t count = 1 + stress_draw(&w->seed) % BATCH;
        int64_t next = -1;

        for (size_t i = 0; i < count; i++) {
            make(&t[i], &m[i], w->id, number + (uint32_t)i);
        }
        if (!stress_fine(&st->common, stele_stream_publish(st->s, m, count, &next, &err), &err,
                    "publish")) {
            break;
        }
        number += (uint32_t)count;
        if (next < before + (int64_t)count) {
            stress_complain(&st->common, "next offset %" PRId64 " after %" PRId64, next, before);
        }
        before = next;
        /* What was published is seen by whoever published it, at once. */
        if (stress_draw(&w->seed) % 4 == 0) {
            stele_code rc = stele_stream_get(st->s, next - 1, ms, &err);

            if (rc != STELE_OK && (rc != STELE_ENOTFOUND || w->id == 0)) {
                stress_complain(&st->common, "get what was published: %s: %s", stele_code_name(rc),
                        err.message);
            }
        }
        if (w->id > 0 && stress_draw(&w->seed) % 8 == 0) {
            read_own(w, ms, from, last);
        }
    }
    st->published[w->id] = number;
    stele_messages_free(ms);
    return NULL;
}

/* ---- Readers. ---- */

/* Follows the numbers of each writer along rising offsets. */
struct follow {
    const char *who;
    int64_t offset;        /* of the last message */
    int64_t next[WRITERS]; /* the number after the last, or -1 */
};

static void follow_begin(struct follow *f, const char *who)
{
    f->who = who;
    f->offset = -1;
    for (int i = 0; i < WRITERS; i++) {
        f->next[i] = -1;
    }
}

/* `whole`: nothing between the last message and this one was trimmed. */
static void follow_on(struct stress *st, struct follow *f, const stele_message *m, bool whole)
{
    unsigned writer;
    uint32_t number;

    if (!judge(st, m, &writer, &number)) {
        return;
    }
    if (!whole) {
        f->next[0] = -1; /* until the first writer's next one */
    }
    if (m->offset <= f->offset) {
        stress_complain(&st->common, "offset %" PRId64 " after %" PRId64, m->offset, f->offset);
    }
    if (number < f->next[writer] || (writer == 0 && f->next[0] >= 0 && number != f->next[0])) {
        stress_complain(&st->common,
                "%s: offset %" PRId64 ": %" PRIu32 " of writer %u where %" PRId64
                " was expected, after offset %" PRId64 "; trimmed up to %" PRId64,
                f->who, m->offset, number, writer, f->next[writer], f->offset,
                atomic_load(&st->floor));
    }
    f->offset = m->offset;
    f->next[writer] = (int64_t)number + 1;
}

/* Containers that are held on to, and what they held. */
struct held {
    stele_messages *ms[HELD];
    uint64_t sum[HELD];
    size_t at;
};

static uint64_t sum_of(const stele_messages *ms)
{
    uint64_t sum = stele_messages_count(ms);

    for (size_t i = 0; i < stele_messages_count(ms); i++) {
        const stele_message *m = stele_messages_at(ms, i);

        sum = sum * 31 + (uint64_t)m->offset;
        for (size_t k = 0; k < m->value.len; k++) {
            sum = (sum ^ m->value.data[k]) * 0x100000001b3ULL;
        }
    }
    return sum;
}

/* The oldest one is looked at again, and comes back for use. */
static stele_messages *held_turn(struct stress *st, struct held *h)
{
    h->sum[h->at] = sum_of(h->ms[h->at]);
    h->at = (h->at + 1) % HELD;
    if (sum_of(h->ms[h->at]) != h->sum[h->at]) {
        stress_complain(&st->common, "messages that were held on to have changed");
    }
    return h->ms[h->at];
}

static bool held_begin(struct stress *st, struct held *h)
{
    stele_error err;

    memset(h, 0, sizeof *h);
    for (int i = 0; i < HELD; i++) {
        if (!stress_fine(&st->common, stele_messages_new(&h->ms[i], &err), &err, "container")) {
            return false;
        }
        h->sum[i] = sum_of(h->ms[i]);
    }
    return true;
}

static void held_end(struct held *h)
{
    for (int i = 0; i < HELD; i++) {
        stele_messages_free(h->ms[i]);
    }
}

/* From the oldest to the end, over and over. */
static void *run_reader(void *arg)
{
    struct member *r = arg;
    struct stress *st = r->st;
    struct held held;
    stele_error err;

    if (!held_begin(st, &held)) {
        return NULL;
    }
    while (!atomic_load(&st->common.stop)) {
        int64_t at = STELE_OFFSET_OLDEST;
        struct follow f;

        follow_begin(&f, "reader");
        for (int calls = 0; calls < 10000 && !atomic_load(&st->common.stop); calls++) {
            stele_messages *ms = held_turn(st, &held);
            int64_t from = at;

            if (!stress_fine(&st->common,
                        stele_stream_consume(st->s, at, 1 + (int64_t)(stress_draw(&r->seed) % 300),
                                ms, &at, &err),
                        &err, "consume") ||
                    stele_messages_count(ms) == 0) {
                break;
            }
            for (size_t i = 0; i < stele_messages_count(ms); i++) {
                /* A trim notes how far it goes before it begins. */
                follow_on(st, &f, stele_messages_at(ms, i),
                        i > 0 || (from >= 0 && atomic_load(&st->floor) <= from));
            }
            (void)atomic_fetch_add(&st->read, (int64_t)stele_messages_count(ms));
        }
    }
    held_end(&held);
    return NULL;
}

static void get_by_key(struct member *r, stele_messages *ms)
{
    struct stress *st = r->st;
    unsigned writer = 1 + (unsigned)(stress_draw(&r->seed) % (WRITERS - 1));
    uint32_t k = (uint32_t)(stress_draw(&r->seed) % KEYS);
    struct text t;
    stele_message m;
    unsigned got_writer;
    uint32_t number;
    stele_error err;
    stele_code rc;

    make(&t, &m, writer, k);
    rc = stele_stream_get_by_key(st->s, stele_str(t.key), ms, &err);
    if (rc == STELE_ENOTFOUND) {
        return;
    }
    if (!stress_fine(&st->common, rc, &err, "get by key") ||
            !judge(st, stele_messages_at(ms, 0), &got_writer, &number)) {
        return;
    }
    if (got_writer != writer || number % KEYS != k) {
        stress_complain(
                &st->common, "get by key %s: %" PRIu32 " of writer %u", t.key, number, got_writer);
    }
}

static void *run_finder(void *arg)
{
    struct member *r = arg;
    struct stress *st = r->st;
    stele_messages *ms = NULL;
    stele_error err;

    if (!stress_fine(&st->common, stele_messages_new(&ms, &err), &err, "container")) {
        return NULL;
    }
    while (!atomic_load(&st->common.stop)) {
        stele_time time = 1000 + (stele_time)(stress_draw(&r->seed) % 100000);
        unsigned writer;
        uint32_t number;
        stele_code rc;

        get_by_key(r, ms);
        rc = stele_stream_get_by_time(st->s, time, ms, &err);
        if (rc == STELE_OK) {
            (void)judge(st, stele_messages_at(ms, 0), &writer, &number);
        } else if (rc != STELE_ENOTFOUND) {
            (void)stress_fine(&st->common, rc, &err, "get by time");
        }
        rc = stele_stream_get(st->s, STELE_OFFSET_NEWEST, ms, &err);
        if (rc == STELE_OK) {
            (void)judge(st, stele_messages_at(ms, 0), &writer, &number);
        } else if (rc != STELE_EOFFSET) {
            (void)stress_fine(&st->common, rc, &err, "get the newest");
        }
    }
    stele_messages_free(ms);
    return NULL;
}

/* Waits at the end, where nothing is trimmed: it misses none of the first writer's. */
static void *run_waiter(void *arg)
{
    struct member *r = arg;
    struct stress *st = r->st;
    int64_t at = STELE_OFFSET_NEWEST;
    stele_messages *ms = NULL;
    struct follow f;
    stele_error err;

    follow_begin(&f, "waiter");
    if (!stress_fine(&st->common, stele_messages_new(&ms, &err), &err, "container")) {
        return NULL;
    }
    while (!atomic_load(&st->common.stop)) {
        const stele_wait wait = {.timeout_ms = 50};
        int64_t from = at;
        stele_code rc = stele_stream_consume_wait(st->s, at, 1000, &wait, ms, &at, &err);

        if (rc == STELE_ETIMEDOUT) {
            continue;
        }
        if (!stress_fine(&st->common, rc, &err, "consume and wait")) {
            break;
        }
        if (stele_messages_count(ms) == 0) {
            stress_complain(&st->common, "a blocking consume gave nothing");
        }
        for (size_t i = 0; i < stele_messages_count(ms); i++) {
            follow_on(st, &f, stele_messages_at(ms, i), i > 0 || atomic_load(&st->floor) <= from);
        }
        (void)atomic_fetch_add(&st->blocked, (int64_t)stele_messages_count(ms));
    }
    stele_messages_free(ms);
    return NULL;
}

/* ---- Those who take away. ---- */

/* Delete a few neighbours that are not the first writer's. */
static void delete_some(struct member *r, stele_messages *ms)
{
    struct stress *st = r->st;
    stele_offsets *set = NULL;
    stele_deleted deleted = {0};
    int64_t next = 0;
    int64_t at;
    stele_error err;
    stele_code rc;

    if (!stress_fine(
                &st->common, stele_stream_next_offset(st->s, &next, &err), &err, "next offset") ||
            next == 0) {
        return;
    }
    /* Often close to the end, where the newest segment is. */
    at = next - 1 -
         (int64_t)(stress_draw(&r->seed) % (stress_draw(&r->seed) % 2 == 0 ? 40 : WINDOW));
    if (!stress_fine(&st->common, stele_stream_consume(st->s, at < 0 ? 0 : at, 20, ms, NULL, &err),
                &err, "consume") ||
            !stress_fine(&st->common, stele_offsets_new(&set, &err), &err, "offsets")) {
        return;
    }
    for (size_t i = 0; i < stele_messages_count(ms); i++) {
        const stele_message *m = stele_messages_at(ms, i);

        if (m->value.data[0] != '0' && stress_draw(&r->seed) % 2 == 0) {
            (void)stress_fine(&st->common, stele_offsets_add(set, m->offset, &err), &err, "add");
        }
    }
    rc = stele_stream_delete(st->s, set, &deleted, &err);
    if (rc != STELE_ENOTFOUND) { /* another one trimmed the segment */
        (void)stress_fine(&st->common, rc, &err, "delete");
    }
    (void)atomic_fetch_add(&st->deleted, deleted.count);
    stele_offsets_free(set);
}

static void trim(struct member *r)
{
    struct stress *st = r->st;
    stele_deleted deleted = {0};
    int64_t next = 0;
    stele_error err;

    if (!stress_fine(
                &st->common, stele_stream_next_offset(st->s, &next, &err), &err, "next offset") ||
            next - WINDOW <= atomic_load(&st->floor)) {
        return;
    }
    atomic_store(&st->floor, next - WINDOW);
    if (stress_draw(&r->seed) % 2 == 0) {
        stele_code rc = stele_stream_trim_by_offset(st->s, next - WINDOW, NULL, &deleted, &err);

        (void)stress_fine(&st->common, rc, &err, "trim");
    } else {
        (void)stress_fine(&st->common,
                stele_stream_trim_by_offset_multi(st->s, next - WINDOW, NULL, NULL, &deleted, &err),
                &err, "trim all");
    }
    (void)atomic_fetch_add(&st->deleted, deleted.count);
}

static void *run_deleter(void *arg)
{
    struct member *r = arg;
    struct stress *st = r->st;
    stele_messages *ms = NULL;
    stele_error err;

    if (!stress_fine(&st->common, stele_messages_new(&ms, &err), &err, "container")) {
        return NULL;
    }
    for (unsigned round = 0; !atomic_load(&st->common.stop); round++) {
        delete_some(r, ms);
        if (round % 8 == 0) {
            trim(r);
        }
        if (round % 64 == 63) {
            stele_deleted deleted = {0};
            const stele_wait wait = {.timeout_ms = 2000};
            stele_code rc =
                    stele_stream_compact_updates_multi(st->s, 100000, &wait, NULL, &deleted, &err);

            if (rc != STELE_ETIMEDOUT) {
                (void)stress_fine(&st->common, rc, &err, "compact");
            }
            (void)atomic_fetch_add(&st->deleted, deleted.count);
        }
    }
    stele_messages_free(ms);
    return NULL;
}

static void *run_keeper(void *arg)
{
    struct member *r = arg;
    struct stress *st = r->st;
    stele_error err;

    while (!atomic_load(&st->common.stop)) {
        stele_stream_stats stats;
        int64_t durable = -1;
        int64_t next = -1;

        (void)stress_fine(&st->common,
                stele_stream_gc(st->s, (int64_t)(stress_draw(&r->seed) % 3), &err), &err, "gc");
        if (stress_fine(&st->common, stele_stream_stat(st->s, &stats, &err), &err, "stat") &&
                (stats.segments < 1 || stats.messages < 0 || stats.oldest > stats.next_offset)) {
            stress_complain(&st->common,
                    "stat: %" PRId64 " segments, oldest %" PRId64 " of %" PRId64, stats.segments,
                    stats.oldest, stats.next_offset);
        }
        (void)stress_fine(
                &st->common, stele_stream_next_offset(st->s, &next, &err), &err, "next offset");
        if (stress_fine(&st->common, stele_stream_sync(st->s, &durable, &err), &err, "sync") &&
                durable < next) {
            stress_complain(&st->common, "durable up to %" PRId64 " of %" PRId64, durable, next);
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return NULL;
}

/* A copy has what was there at some moment: in order, and none of the first writer's missing. */
static void check_copy(struct stress *st, const char *path)
{
    stele_stream_options opts = st->c.opts;
    stele_stream *copy = NULL;
    stele_messages *ms = NULL;
    struct follow f;
    int64_t at = STELE_OFFSET_OLDEST;
    stele_error err;

    follow_begin(&f, "copy");
    opts.read_only = true;
    if (!stress_fine(&st->common,
                stele_stream_check_dir(path, &opts, false, NULL, NULL, NULL, &err), &err,
                "check the copy") ||
            !stress_fine(&st->common, stele_stream_open(&copy, path, &opts, &err), &err,
                    "open the copy") ||
            !stress_fine(&st->common, stele_messages_new(&ms, &err), &err, "container")) {
        (void)stele_stream_close(copy, NULL);
        return;
    }
    do {
        if (!stress_fine(&st->common, stele_stream_consume(copy, at, 1000, ms, &at, &err), &err,
                    "read the copy")) {
            break;
        }
        for (size_t i = 0; i < stele_messages_count(ms); i++) {
            follow_on(st, &f, stele_messages_at(ms, i), true);
        }
    } while (stele_messages_count(ms) > 0);
    stele_messages_free(ms);
    (void)stele_stream_close(copy, NULL);
}

static void *run_backup(void *arg)
{
    struct member *r = arg;
    struct stress *st = r->st;
    stele_error err;

    while (!atomic_load(&st->common.stop)) {
        struct tmpdir target;
        char path[TMPDIR_PATH_SIZE];

        tmpdir_make(&target);
        tmpdir_path(&target, "copy", path);
        for (int i = 0; i < 2 && !atomic_load(&st->common.stop); i++) {
            stele_code rc = stele_stream_backup(st->s, path, NULL, &err);

            /* The second time it is brought up to date, unless all that it has was trimmed since.
             */
            if (i > 0 && rc == STELE_EEXIST) {
                break;
            }
            if (stress_fine(&st->common, rc, &err, "back up")) {
                (void)atomic_fetch_add(&st->backups, 1);
                check_copy(st, path);
            }
        }
        tmpdir_remove(&target);
    }
    return NULL;
}

/* ---- The test. ---- */

typedef void *run_fn(void *arg);

static run_fn *const members[] = {run_writer, run_writer, run_writer, run_writer, run_reader,
        run_reader, run_finder, run_waiter, run_waiter, run_deleter, run_keeper, run_backup};

enum {
    MEMBERS = sizeof members / sizeof members[0]
};

/* Sum of all messages; the first writer's come to its last one. */
static uint64_t final_look(struct stress *st, struct core *c)
{
    int64_t at = STELE_OFFSET_OLDEST;
    uint64_t sum = 0;
    struct follow f;

    follow_begin(&f, "the end");
    do {
        CHECK_OK(stele_stream_consume(c->s, at, 1000, c->ms, &at, &c->err), &c->err);
        for (size_t i = 0; i < stele_messages_count(c->ms); i++) {
            follow_on(st, &f, stele_messages_at(c->ms, i), true);
        }
        sum = sum * 31 + sum_of(c->ms);
    } while (stele_messages_count(c->ms) > 0);
    if (f.next[0] != st->published[0]) {
        stress_complain(&st->common, "the first writer's last is %" PRId64 ", not %" PRIu32,
                f.next[0], st->published[0]);
    }
    return sum;
}

static void stress(const stele_stream_options *opts, const char *name)
{
    const char *full = getenv("STELE_FULL");
    int seconds = full != NULL && full[0] != '\0' ? 30 : 1;
    struct stress *st = calloc(1, sizeof *st);
    struct member m[MEMBERS];
    uint64_t sum;

    assert_non_null(st);
    core_begin(&st->c);
    st->c.opts.rollover = 64 << 10;
    st->c.opts.auto_sync = opts->auto_sync;
    st->c.opts.no_background = opts->no_background;
    st->c.opts.no_map = opts->no_map;
    st->c.opts.new_segments = opts->new_segments;
    core_open(&st->c);
    st->s = st->c.s;
    for (unsigned i = 0; i < MEMBERS; i++) {
        m[i] = (struct member){.st = st, .id = i, .seed = 0x9e3779b97f4a7c15ULL * (i + 1)};
        assert_int_equal(pthread_create(&m[i].thread, NULL, members[i], &m[i]), 0);
    }
    for (int i = 0; i < seconds * 100 && !atomic_load(&st->common.stop); i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    atomic_store(&st->common.stop, true);
    for (unsigned i = 0; i < MEMBERS; i++) {
        assert_int_equal(pthread_join(m[i].thread, NULL), 0);
    }
    sum = atomic_load(&st->common.wrong) == 0 ? final_look(st, &st->c) : 0;
    core_reopen(&st->c);
    if (atomic_load(&st->common.wrong) == 0 && final_look(st, &st->c) != sum) {
        stress_complain(&st->common, "after a reopen the messages are others");
    }
    print_message("%s: %" PRId64 " published, %" PRId64 " read, %" PRId64 " by waiting, %" PRId64
                  " deleted, %" PRId64 " backups, %" PRId64 " segments\n",
            name, core_next(&st->c), atomic_load(&st->read), atomic_load(&st->blocked),
            atomic_load(&st->deleted), atomic_load(&st->backups), core_stats(&st->c).segments);
    if (atomic_load(&st->common.wrong) != 0) {
        fail_msg("%s: %s (and %d more)", name, st->common.why, atomic_load(&st->common.wrong) - 1);
    }
    core_end(&st->c);
    free(st);
}

static void mapped(void **state)
{
    const stele_stream_options opts = {.struct_size = sizeof opts};

    (void)state;
    stress(&opts, "mapped");
}

static void auto_sync(void **state)
{
    const stele_stream_options opts = {.struct_size = sizeof opts, .auto_sync = true};

    (void)state;
    stress(&opts, "auto_sync");
}

static void no_background(void **state)
{
    const stele_stream_options opts = {.struct_size = sizeof opts, .no_background = true};

    (void)state;
    stress(&opts, "no_background");
}

static void version_1(void **state)
{
    const stele_stream_options opts = {.struct_size = sizeof opts, .new_segments = STELE_STREAM_V1};

    (void)state;
    stress(&opts, "version 1");
}

/* An argument: only the variants that match it. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(mapped),
            cmocka_unit_test(auto_sync),
            cmocka_unit_test(no_background),
            cmocka_unit_test(version_1),
    };

    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
