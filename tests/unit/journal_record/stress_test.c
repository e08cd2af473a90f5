/* SPDX-License-Identifier: MIT
 *
 * stress_test.c: everything at once on one handle.
 *
 * Eight threads dump, each numbered puts of its own keys, one by one or several at once, some
 * waiting for durability; merges go on beside them, by the limit and when asked for; one thread
 * syncs, one looks at the figures, one changes the limit, and one plays through a handle of its
 * own. What must hold whatever the order:
 *
 *   - a play gives, of each writer, its puts in order up to one that was sent, and at least those
 *     that were durable before it began;
 *   - counts never fall;
 *   - at the end all is there, and after a reopen as well.
 *
 * STELE_FULL makes it 30 seconds a variant. The threads keep what they find in a place of their
 * own, since a test's assertions are for its own thread.
 */
#include "lib/stress.h"

#include "kit.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    WRITERS = 8,
    KEYS = 50, /* of each */
    BATCH = 5
};

struct stress {
    struct kit *k;
    struct stress_common common;
    _Atomic uint32_t sent[WRITERS];    /* puts, pending ones counted */
    _Atomic uint32_t durable[WRITERS]; /* that survive a power cut */
    _Atomic uint64_t plays;
};

struct member {
    struct stress *st;
    uint32_t id;
    uint64_t seed;
    pthread_t thread;
};

static void nap(void)
{
    const struct timespec little = {.tv_nsec = 2000000};

    (void)nanosleep(&little, NULL);
}

/* ---- Writers. ---- */

/* Put n of a writer goes to key n modulo KEYS. */
static stele_journal_op make_op(uint32_t writer, uint32_t n, char *text)
{
    return kit_op(true, writer * KEYS + n % KEYS, n, text);
}

static void *writer_run(void *arg)
{
    struct member *m = arg;
    struct stress *st = m->st;
    stele_journal *j = st->k->journal;
    bool each = st->k->opts.durability == STELE_JOURNAL_EACH;
    uint32_t n = 0;
    stele_error err;

    while (!atomic_load(&st->common.stop)) {
        char text[BATCH][64];
        stele_journal_op ops[BATCH];
        uint32_t count = stress_draw(&m->seed) % 4 == 0 ? BATCH : 1;
        bool durable = each || (count == 1 && stress_draw(&m->seed) % 256 == 0);
        stele_code rc;

        for (uint32_t i = 0; i < count; i++) {
            ops[i] = make_op(m->id, n + 1 + i, text[i]);
        }
        atomic_store(&st->sent[m->id], n + count);
        rc = count > 1          ? stele_journal_dump_many(j, ops, count, &err)
             : durable && !each ? stele_journal_dump_durable(j, ops, &err)
                                : stele_journal_dump(j, ops, &err);
        if (!stress_fine(&st->common, rc, &err, "dump")) {
            break;
        }
        n += count;
        if (durable) {
            atomic_store(&st->durable[m->id], n);
        }
    }
    return NULL;
}

/* ---- The one who plays. ---- */

struct view {
    uint32_t values[WRITERS][KEYS];
    uint32_t last[WRITERS];
};

static stele_code look(void *arg, const stele_journal_op *op, stele_error *err)
{
    struct view *v = arg;
    char text[32] = {0};
    uint32_t key;
    uint32_t n;

    (void)err;
    memcpy(text, op->key.data, op->key.len < 31 ? op->key.len : 31);
    key = (uint32_t)strtoul(text, NULL, 10);
    n = (uint32_t)op->timestamp;
    v->values[key / KEYS % WRITERS][key % KEYS] = n;
    if (n > v->last[key / KEYS % WRITERS]) {
        v->last[key / KEYS % WRITERS] = n;
    }
    return STELE_OK;
}

/* Each key of a writer has the newest put that it can have, when `last` is the last one. */
static void check_view(struct stress *st, const struct view *v)
{
    for (uint32_t w = 0; w < WRITERS; w++) {
        for (uint32_t key = 0; key < KEYS; key++) {
            uint32_t back = (v->last[w] % KEYS + KEYS - key) % KEYS;
            uint32_t want = v->last[w] > back ? v->last[w] - back : 0;

            if (v->values[w][key] != want) {
                stress_complain(&st->common,
                        "writer %" PRIu32 " has put %" PRIu32 ", and key %" PRIu32 " has %" PRIu32
                        " instead of %" PRIu32,
                        w, v->last[w], key, v->values[w][key], want);
            }
        }
    }
}

static void play_once(struct stress *st, stele_journal *j, struct view *v, uint64_t *count)
{
    uint32_t least[WRITERS];
    stele_journal_played played;
    stele_error err;

    for (int w = 0; w < WRITERS; w++) {
        least[w] = atomic_load(&st->durable[w]);
    }
    memset(v, 0, sizeof *v);
    if (!stress_fine(&st->common, stele_journal_play(j, look, v, &played, &err), &err, "play")) {
        return;
    }
    for (int w = 0; w < WRITERS; w++) {
        if (v->last[w] < least[w] || v->last[w] > atomic_load(&st->sent[w])) {
            stress_complain(&st->common,
                    "writer %d has put %" PRIu32 ", of which %" PRIu32 " are durable, and %" PRIu32
                    " are played",
                    w, atomic_load(&st->sent[w]), least[w], v->last[w]);
        }
    }
    check_view(st, v);
    if (played.count < *count) {
        stress_complain(
                &st->common, "a play ends with %" PRIu64 " after %" PRIu64, played.count, *count);
    }
    *count = played.count;
    (void)atomic_fetch_add(&st->plays, 1);
}

static void *player_run(void *arg)
{
    struct member *m = arg;
    struct stress *st = m->st;
    struct view *v = malloc(sizeof *v);
    stele_journal *j = NULL;
    uint64_t count = 0;
    stele_error err;

    if (v == NULL || !stress_fine(&st->common, stele_journal_open(&j, st->k->dir.path, NULL, &err),
                             &err, "open")) {
        free(v);
        return NULL;
    }
    while (!atomic_load(&st->common.stop)) {
        play_once(st, j, v, &count);
    }
    (void)stele_journal_close(j, NULL);
    free(v);
    return NULL;
}

/* ---- The others. ---- */

static void *syncer_run(void *arg)
{
    struct member *m = arg;
    stele_error err;

    while (!atomic_load(&m->st->common.stop)) {
        (void)stress_fine(
                &m->st->common, stele_journal_sync(m->st->k->journal, &err), &err, "sync");
        nap();
    }
    return NULL;
}

static void *merger_run(void *arg)
{
    struct member *m = arg;
    struct stress *st = m->st;
    stele_error err;

    while (!atomic_load(&st->common.stop)) {
        uint64_t limit = 1000 + stress_draw(&m->seed) % 200000;

        (void)stress_fine(
                &st->common, stele_journal_limit(st->k->journal, limit, &err), &err, "limit");
        if (stress_draw(&m->seed) % 4 == 0) {
            (void)stress_fine(
                    &st->common, stele_journal_snapshot(st->k->journal, &err), &err, "snapshot");
        }
        nap();
    }
    return NULL;
}

static void *looker_run(void *arg)
{
    struct member *m = arg;
    struct stress *st = m->st;
    uint64_t count = 0;
    stele_error err;

    while (!atomic_load(&st->common.stop)) {
        stele_journal_stats s;

        if (!stress_fine(&st->common, stele_journal_stat(st->k->journal, &s, &err), &err, "stat")) {
            break;
        }
        if (s.count < count || s.failed || s.merge_failures > 0 || s.count != s.dumps ||
                s.snapshot_count + s.log_ops != s.count) {
            stress_complain(&st->common,
                    "the figures are wrong: %" PRIu64 " after %" PRIu64 ", %" PRIu64 " failures",
                    s.count, count, s.merge_failures);
        }
        count = s.count;
        (void)stele_journal_get_state(st->k->journal);
    }
    return NULL;
}

/* ---- All of them. ---- */

static void check_end(struct stress *st)
{
    struct view *v = calloc(1, sizeof *v);
    stele_journal_played played;
    struct kit *k = st->k;
    uint64_t sent = 0;

    assert_non_null(v);
    for (int round = 0; round < 2; round++) {
        memset(v, 0, sizeof *v);
        sent = 0;
        CHECK_OK(stele_journal_play(k->journal, look, v, &played, &k->err), &k->err);
        for (int w = 0; w < WRITERS; w++) {
            assert_int_equal(v->last[w], atomic_load(&st->sent[w]));
            sent += v->last[w];
        }
        check_view(st, v);
        assert_int_equal(atomic_load(&st->common.wrong), 0);
        assert_int_equal(played.count, sent);
        kit_close(k);
        kit_open(k);
    }
    free(v);
}

static void run_all(struct stress *st)
{
    void *(*const runs[])(void *) = {player_run, syncer_run, merger_run, looker_run};

    enum {
        OTHERS = sizeof runs / sizeof runs[0]
    };
    struct member members[WRITERS + OTHERS];
    const char *full = getenv("STELE_FULL");
    const struct timespec length = {.tv_sec = full != NULL && full[0] != '\0' ? 30 : 1};

    for (uint32_t i = 0; i < WRITERS + OTHERS; i++) {
        members[i] = (struct member){.st = st, .id = i, .seed = 4711 + i};
        assert_int_equal(pthread_create(&members[i].thread, NULL,
                                 i < WRITERS ? writer_run : runs[i - WRITERS], &members[i]),
                0);
    }
    (void)nanosleep(&length, NULL);
    /* On a busy machine, as long as it takes for everything to have happened. */
    while (!atomic_load(&st->common.stop) &&
            (kit_stats(st->k).merges == 0 || atomic_load(&st->plays) == 0)) {
        nap();
    }
    atomic_store(&st->common.stop, true);
    for (int i = 0; i < WRITERS + OTHERS; i++) {
        assert_int_equal(pthread_join(members[i].thread, NULL), 0);
    }
    if (atomic_load(&st->common.wrong) > 0) {
        print_error("%s\n", st->common.why);
    }
    assert_int_equal(atomic_load(&st->common.wrong), 0);
}

static void all_at_once(void **state)
{
    (void)state;
    for (int mode = 0; mode < 3; mode++) {
        struct stress *st = calloc(1, sizeof *st);
        stele_journal_stats s;
        struct kit k;

        assert_non_null(st);
        kit_begin(&k);
        st->k = &k;
        k.opts.durability = (stele_journal_durability)mode;
        k.opts.interval_ms = mode == 1 ? 2 : 0;
        k.opts.no_background = false;
        k.opts.limit = 50000;
        kit_record(&k);
        run_all(st);
        s = kit_stats(&k);
        print_message("%" PRIu64 " operations, %" PRIu64 " syncs, %" PRIu64 " merges, %" PRIu64
                      " plays\n",
                s.dumps, s.syncs, s.merges, atomic_load(&st->plays));
        assert_true(s.merges > 0 && atomic_load(&st->plays) > 0);
        kit_stop(&k);
        check_end(st);
        kit_end(&k);
        free(st);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(all_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
