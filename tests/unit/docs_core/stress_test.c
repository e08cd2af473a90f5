/* SPDX-License-Identifier: MIT
 *
 * stress_test.c: writers, readers, searches, a feed, registrations, backups and validations at
 * once.
 *
 * A batch sets two documents to one number, so that whoever sees them at one moment sees the same
 * in both. The feed has to hear of every entry.
 */
#include "lib/stress.h"

#include "kit.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define TYPE(method, version)                                                           \
    "{\"name\":\"t\",\"keys\":[{\"name\":\"u\",\"fields\":[\"u\"],\"method\":\"" method \
    "\",\"unique\":true},{\"name\":\"n\",\"fields\":[\"n\"],\"method\":\"number\"},"    \
    "{\"name\":\"tags\",\"fields\":[\"tags\"],\"method\":\"binary\",\"array\":true}],"  \
    "\"version\":" version "}"

enum {
    WRITERS = 3,
    READERS = 2,
    PAIRS = 8, /* of one writer */
    CHANGES = 120,
    FULL_CHANGES = 2000,
    TEXT_SIZE = 160,
    WAIT_MS = 1000
};

struct shared {
    struct stress_common common;
    stele_docs *db;
    uint64_t changes; /* of each writer */
    _Atomic uint64_t reads;
    _Atomic uint64_t heard;
};

struct thread {
    struct shared *s;
    pthread_t id;
    unsigned number;
};

static bool has_stopped(struct shared *s)
{
    return atomic_load(&s->common.stop) || atomic_load(&s->common.wrong) != 0;
}

/* ---- Writers. ---- */

static stele_code set_pair(struct shared *s, unsigned writer, uint64_t change, stele_error *err)
{
    stele_docs_batch *batch = NULL;
    char id[32];
    char text[TEXT_SIZE];
    stele_code rc = stele_docs_batch_begin(&batch, s->db, err);

    for (int half = 0; half < 2 && rc == STELE_OK; half++) {
        (void)snprintf(id, sizeof id, "%u-%" PRIu64 "-%d", writer, change % PAIRS, half);
        (void)snprintf(text, sizeof text,
                "{\"@type\":\"t\",\"u\":\"%s\",\"n\":%" PRIu64 ",\"tags\":[%u,\"%u\"]}", id, change,
                (unsigned)(change % 3), writer);
        rc = stele_docs_batch_set(batch, stele_str(id), stele_str(text), NULL, NULL, err);
    }
    if (rc != STELE_OK) {
        stele_docs_batch_abort(batch);
        return rc;
    }
    return stele_docs_batch_end(batch, err);
}

static void *run_writer(void *arg)
{
    struct thread *t = arg;
    stele_error err;

    for (uint64_t i = 0; i < t->s->changes && !has_stopped(t->s); i++) {
        (void)stress_fine(&t->s->common, set_pair(t->s, t->number, i, &err), &err, "set");
    }
    return NULL;
}

/* ---- Readers. ---- */

static int64_t number_of(struct shared *s, stele_bytes json)
{
    static const stele_docs_field field = {.pointer = "/n", .kind = STELE_DOCS_FIELD_INT64};
    int64_t n = -1;
    stele_error err;

    (void)stress_fine(&s->common, stele_docs_fill(json, &field, 1, &n, &err), &err, "fill");
    return n;
}

/* Both of a pair, which follow each other, say the same. */
static void read_pairs(struct shared *s)
{
    stele_docs_iter *it = NULL;
    stele_error err;
    stele_code rc = stele_docs_range(&it, s->db, stele_nil(), stele_nil(), false, &err);

    while (rc == STELE_OK) {
        stele_bytes json = stele_nil();
        int64_t first;

        rc = stele_docs_iter_next(it, NULL, &json, &err);
        if (rc != STELE_OK) {
            break;
        }
        first = number_of(s, json);
        rc = stele_docs_iter_next(it, NULL, &json, &err);
        if (rc == STELE_OK && number_of(s, json) != first) {
            stress_complain(&s->common, "a pair of %" PRId64 " and another", first);
        } else if (rc == STELE_END) {
            stress_complain(&s->common, "half of a pair");
        }
    }
    stele_docs_iter_end(it);
    if (rc != STELE_END) {
        (void)stress_fine(&s->common, rc, &err, "range");
    }
}

/* In the order of the numbers, in pairs too. */
static void search_numbers(struct shared *s)
{
    stele_docs_iter *it = NULL;
    stele_docs_search search;
    int64_t before = -1;
    uint64_t count = 0;
    stele_error err;
    stele_code rc;

    stele_docs_search_init(&search);
    search.type = "t";
    search.bound_field = "n";
    search.low = stele_str("0");
    rc = stele_docs_search_begin(&it, s->db, &search, &err);
    while (rc == STELE_OK) {
        stele_bytes json = stele_nil();

        rc = stele_docs_iter_next(it, NULL, &json, &err);
        if (rc == STELE_OK) {
            int64_t n = number_of(s, json);

            count++;
            if (n < before) {
                stress_complain(&s->common, "%" PRId64 " found behind %" PRId64, n, before);
            }
            before = n;
        }
    }
    stele_docs_iter_end(it);
    if (rc != STELE_END) {
        (void)stress_fine(&s->common, rc, &err, "search");
    } else if (count % 2 != 0) {
        stress_complain(&s->common, "%" PRIu64 " documents found", count);
    }
}

static void *run_reader(void *arg)
{
    struct thread *t = arg;

    do {
        read_pairs(t->s);
        search_numbers(t->s);
        atomic_fetch_add(&t->s->reads, 1);
    } while (!has_stopped(t->s));
    return NULL;
}

/* ---- The feed. ---- */

struct follower {
    struct shared *s;
    uint64_t place;
};

static stele_code on_entry(void *arg, const stele_docs_entry *entry, stele_error *err)
{
    struct follower *f = arg;

    (void)err;
    if (entry->seq <= f->place) {
        stress_complain(&f->s->common, "the feed goes back");
    }
    f->place = entry->seq;
    atomic_fetch_add(&f->s->heard, 1);
    return STELE_OK;
}

static void *run_follower(void *arg)
{
    struct thread *t = arg;
    struct shared *s = t->s;
    struct follower f = {.s = s};
    stele_wait wait = {.timeout_ms = WAIT_MS};

    while (atomic_load(&s->heard) < WRITERS * 2 * s->changes &&
            atomic_load(&s->common.wrong) == 0) {
        stele_error err;
        stele_code rc = stele_docs_feed_wait(s->db, f.place, &wait, &err);

        if (rc == STELE_OK) {
            rc = stele_docs_feed(s->db, f.place, on_entry, &f, &err);
        }
        if (rc != STELE_ETIMEDOUT) {
            (void)stress_fine(&s->common, rc, &err, "feed");
        }
    }
    return NULL;
}

/* ---- What looks at all. ---- */

static stele_code write_backup(void *arg, const void *data, size_t len, stele_error *err)
{
    return stele_buf_append(arg, stele_bytes_of(data, len), err);
}

static stele_code read_backup(void *arg, void *data, size_t len, size_t *got, stele_error *err)
{
    stele_bytes *rest = arg;

    (void)err;
    *got = len < rest->len ? len : rest->len;
    memcpy(data, rest->data, *got);
    *rest = stele_bytes_of(rest->data + *got, rest->len - *got);
    return STELE_OK;
}

static void back_up(struct shared *s)
{
    stele_bytes rest;
    stele_buf stream;
    stele_error err;

    stele_buf_init(&stream, SIZE_MAX);
    if (stress_fine(&s->common, stele_docs_backup(s->db, NULL, write_backup, &stream, NULL, &err),
                &err, "backup")) {
        rest = stele_buf_view(&stream);
        (void)stress_fine(&s->common,
                stele_docs_validate_backup(read_backup, &rest, true, NULL, &err), &err,
                "validate a backup");
    }
    stele_buf_free(&stream);
}

static void *run_keeper(void *arg)
{
    static const char *const types[] = {TYPE("utf8", "1"), TYPE("binary", "2")};
    struct thread *t = arg;
    struct shared *s = t->s;
    stele_error err;

    for (unsigned turn = 0; !has_stopped(s); turn++) {
        back_up(s);
        (void)stress_fine(&s->common, stele_docs_register(s->db, stele_str(types[turn % 2]), &err),
                &err, "register");
        (void)stress_fine(
                &s->common, stele_docs_validate(s->db, NULL, NULL, NULL, &err), &err, "validate");
        if (turn % 4 == 0) {
            (void)stress_fine(&s->common, stele_docs_reindex(s->db, &err), &err, "reindex");
        }
    }
    return NULL;
}

/* ---- All. ---- */

static void start(struct thread *t, struct shared *s, unsigned number, void *(*run)(void *arg))
{
    t->s = s;
    t->number = number;
    assert_int_equal(pthread_create(&t->id, NULL, run, t), 0);
}

static void join(struct thread *t)
{
    assert_int_equal(pthread_join(t->id, NULL), 0);
}

static void stress(struct kit *k, bool durable)
{
    struct thread writers[WRITERS];
    struct thread others[READERS + 2];
    struct shared s = {.changes = getenv("STELE_FULL") != NULL ? FULL_CHANGES : CHANGES};
    stele_error err;

    kit_close(k);
    k->options.not_durable = !durable;
    kit_open(k);
    s.db = k->db;
    CHECK_OK(stele_docs_register(k->db, stele_str(TYPE("utf8", "1")), &err), &err);
    for (unsigned i = 0; i < WRITERS; i++) {
        start(&writers[i], &s, i, run_writer);
    }
    for (unsigned i = 0; i < READERS; i++) {
        start(&others[i], &s, i, run_reader);
    }
    start(&others[READERS], &s, 0, run_follower);
    start(&others[READERS + 1], &s, 0, run_keeper);
    for (unsigned i = 0; i < WRITERS; i++) {
        join(&writers[i]);
    }
    join(&others[READERS]);
    atomic_store(&s.common.stop, true);
    for (unsigned i = 0; i < READERS; i++) {
        join(&others[i]);
    }
    join(&others[READERS + 1]);
    if (atomic_load(&s.common.wrong) != 0) {
        print_error("%s\n", s.common.why);
        fail();
    }
    assert_int_equal(atomic_load(&s.heard), WRITERS * 2 * s.changes);
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
    print_message(
            "changes %" PRIu64 ", reads %" PRIu64 "\n", WRITERS * s.changes, atomic_load(&s.reads));
}

static void test_durable(void **state)
{
    stress(*state, true);
}

static void test_not_durable(void **state)
{
    stress(*state, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_durable, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_not_durable, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
