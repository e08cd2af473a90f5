/* SPDX-License-Identifier: MIT
 *
 * restore_test.c: a backup that takes several batches is restored whole or not at all, whatever
 * happens on the way, and nobody sees a part of it.
 */
#include "base/alloc.h"
#include "docs/state.h"
#include "kit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define TYPE(version)                                                                                     \
    "{'name':'t','keys':[{'name':'u','fields':['u'],'method':'binary','unique':true}],'version':" version \
    "}"

enum {
    MANY = 1700
};

static stele_code write_buf(void *arg, const void *data, size_t len, stele_error *err)
{
    return stele_buf_append(arg, stele_bytes_of(data, len), err);
}

/* What is read, and what is done when so much of it has been. */
struct source {
    stele_bytes all;
    size_t at;
    size_t when;
    void (*then)(struct source *s);
    struct kit *k;
};

static stele_code read_buf(void *arg, void *out, size_t len, size_t *got, stele_error *err)
{
    struct source *s = arg;

    (void)err;
    if (s->then != NULL && s->at >= s->when) {
        void (*then)(struct source *) = s->then;

        s->then = NULL;
        then(s);
    }
    *got = len < s->all.len - s->at ? len : s->all.len - s->at;
    if (*got > 0) {
        memcpy(out, s->all.data + s->at, *got);
        s->at += *got;
    }
    return STELE_OK;
}

/* Restore begins with a database that has one type, and had a document nowhere. */
static void begin_anew(struct kit *k)
{
    kit_close(k);
    tmpdir_remove(&k->tmp);
    tmpdir_make(&k->tmp);
    kit_open(k);
    kit_register(k, TYPE("7"));
}

static void make(struct kit *k, stele_buf *stream)
{
    stele_docs_backup_options options;
    stele_error err;

    kit_register(k, TYPE("1"));
    kit_register(k, "{'name':'more','keys':[],'version':1}");
    for (int i = 0; i < MANY; i++) {
        char id[16];
        char json[64];

        (void)snprintf(id, sizeof id, "%04d", i);
        (void)snprintf(json, sizeof json, "{'@type':'t','u':%d}", i);
        kit_set(k, id, json);
        k->now += 1000000;
    }
    kit_set(k, "0000", "{'@type':'t','u':'again'}");
    kit_delete(k, "0001");
    stele_docs_backup_options_init(&options);
    stele_buf_init(stream, SIZE_MAX);
    CHECK_OK(stele_docs_backup(k->db, &options, write_buf, stream, NULL, &err), &err);
    begin_anew(k);
}

static void check_type(struct kit *k, const char *definition)
{
    stele_buf out;
    stele_error err;

    stele_buf_init(&out, SIZE_MAX);
    CHECK_OK(stele_docs_type(k->db, "t", &out, &err), &err);
    CHECK_BYTES(stele_buf_view(&out), kit_json(definition));
    stele_buf_free(&out);
}

/* As before it was tried. */
static void check_empty(struct kit *k)
{
    stele_docs_status status;
    stele_error err;

    CHECK_OK(stele_docs_get_status(k->db, &status, &err), &err);
    assert_int_equal(status.state, STELE_DOCS_READY);
    assert_int_equal(status.documents, 0);
    assert_int_equal(status.entries, 0);
    assert_int_equal(status.types, 1);
    kit_check_all(k, "");
    check_type(k, TYPE("7"));
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
}

static void check_whole(struct kit *k)
{
    stele_docs_status status;
    stele_error err;

    CHECK_OK(stele_docs_wait_ready(k->db, NULL, &err), &err);
    CHECK_OK(stele_docs_get_status(k->db, &status, &err), &err);
    assert_int_equal(status.documents, MANY - 1);
    assert_int_equal(status.entries, MANY + 2);
    assert_int_equal(status.types, 2);
    kit_check_match(k, "t", "{'u':'again'}", "0000");
    kit_check_match(k, "t", "{'u':1234}", "1234");
    kit_check_match(k, "t", "{'u':1}", "");
    check_type(k, TYPE("1"));
    CHECK_OK(stele_docs_validate(k->db, NULL, NULL, NULL, &err), &err);
}

static void test_whole(void **state)
{
    struct kit *k = *state;
    struct source source = {.k = k};
    stele_buf stream;
    stele_buf again;
    stele_error err;

    make(k, &stream);
    source.all = stele_buf_view(&stream);
    CHECK_OK(stele_docs_restore(k->db, read_buf, &source, true, NULL, &err), &err);
    check_whole(k);
    stele_buf_init(&again, SIZE_MAX);
    CHECK_OK(stele_docs_backup(k->db, NULL, write_buf, &again, NULL, &err), &err);
    CHECK_BYTES(stele_buf_view(&again), stele_buf_view(&stream));
    kit_close(k);
    kit_open(k);
    check_whole(k);
    kit_set(k, "new", "{}");
    stele_buf_free(&stream);
    stele_buf_free(&again);
}

/* Cut, or with another byte, late enough for several batches to have ended. */
static void test_damaged(void **state)
{
    struct kit *k = *state;
    stele_buf stream;
    stele_error err;

    make(k, &stream);
    CHECK_OK(stele_docs_trim(k->db, 86400 * INT64_C(1000000), NULL, &err), &err);
    for (int i = 0; i < 6; i++) {
        size_t at = stream.len - 1 - (size_t)i * (size_t)i * (stream.len / 40);
        struct source source = {.k = k, .all = stele_buf_view(&stream)};
        uint8_t was = stream.data[at];

        if (i % 2 == 0) {
            stream.data[at] ^= 1;
        } else {
            source.all.len = at;
        }
        CHECK_CODE(stele_docs_restore(k->db, read_buf, &source, true, NULL, &err), STELE_ECORRUPT);
        stream.data[at] = was;
        check_empty(k);
        if (i == 3) {
            kit_close(k);
            kit_open(k);
            check_empty(k);
        }
    }
    {
        struct source source = {.k = k, .all = stele_buf_view(&stream)};
        stele_docs_status status;

        CHECK_OK(stele_docs_get_status(k->db, &status, &err), &err);
        assert_int_equal(status.horizon, 86400 * INT64_C(1000000));
        CHECK_OK(stele_docs_restore(k->db, read_buf, &source, true, NULL, &err), &err);
        check_whole(k);
    }
    stele_buf_free(&stream);
}

/* ---- What others see meanwhile. ---- */

static void look(struct source *s)
{
    struct kit *k = s->k;
    stele_wait now = {.timeout_ms = 0};
    stele_docs_iter *it = NULL;
    stele_docs_status status;
    bool has = false;
    stele_error err;

    CHECK_OK(stele_docs_get_status(k->db, &status, &err), &err);
    assert_int_equal(status.state, STELE_DOCS_INITIALISING);
    CHECK_CODE(stele_docs_wait_ready(k->db, &now, &err), STELE_ETIMEDOUT);
    CHECK_CODE(stele_docs_has(k->db, stele_str("0000"), &has, &err), STELE_ESTATE);
    CHECK_CODE(stele_docs_prefix(&it, k->db, stele_nil(), false, &err), STELE_ESTATE);
    CHECK_CODE(stele_docs_feed_wait(k->db, 0, &now, &err), STELE_ESTATE);
    CHECK_CODE(stele_docs_validate(k->db, NULL, NULL, NULL, &err), STELE_ESTATE);
}

static void test_meanwhile(void **state)
{
    struct kit *k = *state;
    struct source source = {.k = k, .then = look};
    stele_buf stream;
    stele_error err;

    make(k, &stream);
    source.all = stele_buf_view(&stream);
    source.when = stream.len * 9 / 10;
    CHECK_OK(stele_docs_restore(k->db, read_buf, &source, true, NULL, &err), &err);
    assert_null(source.then);
    check_whole(k);
    stele_buf_free(&stream);
}

/* ---- Killed, and failing. ---- */

static void die(struct source *s)
{
    (void)s;
    (void)kill(getpid(), SIGKILL);
}

static void test_killed(void **state)
{
    struct kit *k = *state;
    stele_buf stream;
    stele_error err;

    make(k, &stream);
    for (int i = 1; i < 6; i++) {
        int status = 0;
        pid_t child;

        kit_close(k);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct source source = {.k = k,
                    .all = stele_buf_view(&stream),
                    .then = die,
                    .when = stream.len * (size_t)i / 6};

            k->options.not_durable = false;
            k->options.no_background = false;
            if (stele_docs_open(&k->db, k->tmp.path, &k->options, NULL) == STELE_OK &&
                    stele_docs_restore(k->db, read_buf, &source, true, NULL, NULL) == STELE_OK) {
                _exit(1);
            }
            _exit(2);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        kit_open(k);
        check_empty(k);
    }
    {
        struct source source = {.k = k, .all = stele_buf_view(&stream)};

        CHECK_OK(stele_docs_restore(k->db, read_buf, &source, true, NULL, &err), &err);
        check_whole(k);
    }
    stele_buf_free(&stream);
}

#ifdef STI_TESTING

struct failing {
    pthread_t thread;
    int left;
};

static bool count_down(void *arg)
{
    struct failing *f = arg;

    return pthread_equal(f->thread, pthread_self()) != 0 && f->left-- == 0;
}

static void test_failing(void **state)
{
    static struct failing failing; /* a thread may look at it when the hook has gone */
    struct kit *k = *state;
    stele_code rc = STELE_ENOMEM;
    int failed = 0;
    stele_buf stream;
    stele_error err;

    make(k, &stream);
    for (int i = 0; rc != STELE_OK; i++) {
        struct source source = {.k = k, .all = stele_buf_view(&stream)};

        failing = (struct failing){.thread = pthread_self(), .left = i * i * 317};
        sti_alloc_set_hook(count_down, &failing);
        rc = stele_docs_restore(k->db, read_buf, &source, true, NULL, &err);
        sti_alloc_set_hook(NULL, &failing);
        if (rc != STELE_OK) {
            assert_int_equal(rc, STELE_ENOMEM);
            check_empty(k);
            failed++;
        }
    }
    assert_true(failed > 6);
    check_whole(k);
    stele_buf_free(&stream);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_whole, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_damaged, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_meanwhile, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_killed, kit_set_up, kit_tear_down),
#ifdef STI_TESTING
            cmocka_unit_test_setup_teardown(test_failing, kit_set_up, kit_tear_down),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
