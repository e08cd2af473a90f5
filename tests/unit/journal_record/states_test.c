/* SPDX-License-Identifier: MIT
 *
 * states_test.c: every move between the states, legal and not, and the arguments of the calls.
 */
#include "kit.h"

#include <pthread.h>
#include <stdio.h>

static void check_state(struct kit *k, stele_journal_state state)
{
    assert_int_equal(stele_journal_get_state(k->journal), state);
    assert_int_equal(stele_journal_is_recording(k->journal), state == STELE_JOURNAL_RECORDING);
}

static stele_code nothing(void *arg, const stele_journal_op *op, stele_error *err)
{
    (void)arg;
    (void)op;
    (void)err;
    return STELE_OK;
}

static stele_code play(struct kit *k)
{
    return stele_journal_play(k->journal, nothing, NULL, NULL, &k->err);
}

static void stopped(void **state)
{
    struct kit k;
    char text[64];
    stele_journal_op op = kit_op(true, 1, 2, text);

    (void)state;
    kit_begin(&k);
    kit_open(&k);
    check_state(&k, STELE_JOURNAL_STOPPED);
    CHECK_CODE(stele_journal_dump(k.journal, &op, &k.err), STELE_ESTATE);
    CHECK_CODE(stele_journal_dump_many(k.journal, &op, 1, &k.err), STELE_ESTATE);
    CHECK_CODE(stele_journal_dump_durable(k.journal, &op, &k.err), STELE_ESTATE);
    CHECK_CODE(stele_journal_sync(k.journal, &k.err), STELE_ESTATE);
    CHECK_OK(stele_journal_stop(k.journal, &k.err), &k.err);
    CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
    CHECK_OK(stele_journal_clear(k.journal, &k.err), &k.err);
    CHECK_OK(play(&k), &k.err);
    check_state(&k, STELE_JOURNAL_STOPPED);
    assert_int_equal(kit_count_files(&k, "", ".log"), 0);
    assert_int_equal(kit_count_files(&k, "", ".snap"), 0);
    kit_end(&k);
}

static void recording(void **state)
{
    struct kit k;

    (void)state;
    kit_begin(&k);
    kit_record(&k);
    check_state(&k, STELE_JOURNAL_RECORDING);
    CHECK_CODE(stele_journal_record(k.journal, &k.err), STELE_ESTATE);
    CHECK_MESSAGE_HAS(&k.err, "recording already");
    CHECK_CODE(play(&k), STELE_ESTATE);
    check_state(&k, STELE_JOURNAL_RECORDING);
    kit_fill(&k, 1, 5);
    CHECK_OK(stele_journal_sync(k.journal, &k.err), &k.err);
    CHECK_OK(stele_journal_snapshot(k.journal, &k.err), &k.err);
    check_state(&k, STELE_JOURNAL_RECORDING);
    kit_fill(&k, 6, 9);
    kit_holds(&k);
    CHECK_OK(stele_journal_clear(k.journal, &k.err), &k.err);
    check_state(&k, STELE_JOURNAL_RECORDING);
    memset(&k.model, 0, sizeof k.model);
    k.dumped = 0;
    kit_holds(&k);
    kit_fill(&k, 3, 4);
    kit_stop(&k);
    check_state(&k, STELE_JOURNAL_STOPPED);
    kit_stop(&k);
    kit_record(&k);
    kit_fill(&k, 5, 6);
    kit_close(&k);
    kit_holds(&k);
    kit_end(&k);
}

/* ---- While playing, from another thread. ---- */

struct playing {
    struct kit *k;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool inside;
    bool leave;
    stele_code rc;
};

static stele_code pause_inside(void *arg, const stele_journal_op *op, stele_error *err)
{
    struct playing *p = arg;

    (void)op;
    (void)err;
    (void)pthread_mutex_lock(&p->mutex);
    p->inside = true;
    (void)pthread_cond_signal(&p->changed);
    while (!p->leave) {
        (void)pthread_cond_wait(&p->changed, &p->mutex);
    }
    (void)pthread_mutex_unlock(&p->mutex);
    return STELE_OK;
}

static void *play_run(void *arg)
{
    struct playing *p = arg;

    p->rc = stele_journal_play(p->k->journal, pause_inside, p, NULL, NULL);
    return NULL;
}

static void playing(void **state)
{
    struct kit k;
    struct playing p = {
            .k = &k, .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    pthread_t thread;
    char text[64];
    stele_journal_op op = kit_op(true, 1, 2, text);

    (void)state;
    kit_begin(&k);
    kit_record(&k);
    kit_fill(&k, 1, 3);
    kit_stop(&k);
    assert_int_equal(pthread_create(&thread, NULL, play_run, &p), 0);
    (void)pthread_mutex_lock(&p.mutex);
    while (!p.inside) {
        (void)pthread_cond_wait(&p.changed, &p.mutex);
    }
    (void)pthread_mutex_unlock(&p.mutex);
    check_state(&k, STELE_JOURNAL_PLAYING);
    CHECK_CODE(stele_journal_record(k.journal, &k.err), STELE_ESTATE);
    CHECK_MESSAGE_HAS(&k.err, "playing");
    CHECK_CODE(stele_journal_stop(k.journal, &k.err), STELE_ESTATE);
    CHECK_CODE(stele_journal_clear(k.journal, &k.err), STELE_ESTATE);
    CHECK_CODE(stele_journal_snapshot(k.journal, &k.err), STELE_ESTATE);
    CHECK_CODE(play(&k), STELE_ESTATE);
    CHECK_CODE(stele_journal_dump(k.journal, &op, &k.err), STELE_ESTATE);
    CHECK_CODE(stele_journal_sync(k.journal, &k.err), STELE_ESTATE);
    assert_int_equal(kit_stats(&k).count, 3);
    check_state(&k, STELE_JOURNAL_PLAYING);
    (void)pthread_mutex_lock(&p.mutex);
    p.leave = true;
    (void)pthread_cond_signal(&p.changed);
    (void)pthread_mutex_unlock(&p.mutex);
    assert_int_equal(pthread_join(thread, NULL), 0);
    CHECK_CODE(p.rc, STELE_OK);
    check_state(&k, STELE_JOURNAL_STOPPED);
    kit_record(&k);
    kit_end(&k);
}

/* A play that fails, or is ended, is over as well. */
static stele_code give(void *arg, const stele_journal_op *op, stele_error *err)
{
    (void)op;
    if (err != NULL && *(stele_code *)arg < STELE_OK) {
        err->code = *(stele_code *)arg;
        err->message[0] = '\0';
    }
    return *(stele_code *)arg;
}

static void plays_that_end_early(void **state)
{
    stele_code code = STELE_ECANCELED;
    stele_journal_played played;
    struct kit k;

    (void)state;
    kit_begin(&k);
    kit_record(&k);
    kit_fill(&k, 1, 3);
    kit_stop(&k);
    CHECK_CODE(stele_journal_play(k.journal, give, &code, &played, &k.err), STELE_ECANCELED);
    check_state(&k, STELE_JOURNAL_STOPPED);
    code = STELE_END;
    CHECK_OK(stele_journal_play(k.journal, give, &code, &played, &k.err), &k.err);
    check_state(&k, STELE_JOURNAL_STOPPED);
    kit_end(&k);
}

/* ---- Arguments. ---- */

static void options(void **state)
{
    static const struct {
        stele_journal_options opts;
        const char *text;
    } wrong[] = {
            {{.durability = (stele_journal_durability)3}, "durability"},
            {{.replay_target_ms = -1}, "replay_target_ms"},
            {{.replay_target_ms = INT64_MAX}, "replay_target_ms"},
            {{.durability = STELE_JOURNAL_INTERVAL, .interval_ms = -1}, "interval_ms"},
            {{.interval_ms = 5}, "interval_ms"},
            {{.lock_wait_ms = -2}, "lock"},
    };

    stele_journal *none = NULL;
    struct kit k;

    (void)state;
    kit_begin(&k);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        stele_journal_options opts = wrong[i].opts;

        opts.struct_size = sizeof opts;
        CHECK_CODE(stele_journal_open(&none, k.dir.path, &opts, &k.err), STELE_EINVAL);
        CHECK_MESSAGE_HAS(&k.err, wrong[i].text);
    }
    assert_null(none);
    CHECK_CODE(stele_journal_open(NULL, k.dir.path, NULL, &k.err), STELE_EINVAL);
    CHECK_CODE(stele_journal_open(&none, NULL, NULL, &k.err), STELE_EINVAL);
    CHECK_CODE(stele_journal_open(&none, "/nowhere/at/all", NULL, &k.err), STELE_ENOTFOUND);
    tmpdir_write(&k.dir, "file", "x", 1);
    (void)snprintf(k.dir.path + strlen(k.dir.path), 8, "/file");
    CHECK_CODE(stele_journal_open(&none, k.dir.path, NULL, &k.err), STELE_EINVAL);
    k.dir.path[strlen(k.dir.path) - 5] = '\0';
    kit_end(&k);
}

static void no_handle(void **state)
{
    stele_journal_stats stats;
    stele_journal_until until;
    stele_error err;

    (void)state;
    stele_journal_until_init(&until);
    assert_true(until.count == UINT64_MAX && until.time == INT64_MAX);
    assert_int_equal(stele_journal_get_state(NULL), STELE_JOURNAL_STOPPED);
    assert_false(stele_journal_is_recording(NULL));
    CHECK_OK(stele_journal_close(NULL, &err), &err);
    CHECK_CODE(stele_journal_record(NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_journal_stop(NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_journal_sync(NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_journal_clear(NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_journal_snapshot(NULL, &err), STELE_EINVAL);
    CHECK_CODE(stele_journal_limit(NULL, 1, &err), STELE_EINVAL);
    CHECK_CODE(stele_journal_dump_many(NULL, NULL, 0, &err), STELE_EINVAL);
    CHECK_CODE(stele_journal_stat(NULL, &stats, &err), STELE_EINVAL);
    CHECK_CODE(stele_journal_play(NULL, nothing, NULL, NULL, &err), STELE_EINVAL);
}

static void operations(void **state)
{
    stele_journal_setting setting = {stele_str("name"), stele_nil()};
    stele_journal_op op = {.kind = STELE_JOURNAL_PUT};
    stele_journal_op ops[3];
    char text[64];
    struct kit k;

    (void)state;
    kit_begin(&k);
    kit_record(&k);
    CHECK_CODE(stele_journal_dump(k.journal, NULL, &k.err), STELE_EINVAL);
    op.kind = (stele_journal_kind)9;
    CHECK_CODE(stele_journal_dump(k.journal, &op, &k.err), STELE_EINVAL);
    op = kit_op(false, 1, 0, text);
    op.value = stele_str("a delete has none");
    CHECK_CODE(stele_journal_dump(k.journal, &op, &k.err), STELE_EINVAL);
    op = (stele_journal_op){.kind = STELE_JOURNAL_CONFIG, .settings = &setting, .setting_count = 1};
    CHECK_CODE(stele_journal_dump(k.journal, &op, &k.err), STELE_EINVAL);
    op = kit_op(true, 1, 2, text);
    op.value.len = STELE_JOURNAL_OP_MAX;
    CHECK_CODE(stele_journal_dump(k.journal, &op, &k.err), STELE_ETOOBIG);
    /* All or none. */
    for (int i = 0; i < 3; i++) {
        ops[i] = kit_op(true, 1, 2, text);
    }
    ops[2].kind = (stele_journal_kind)0;
    CHECK_CODE(stele_journal_dump_many(k.journal, ops, 3, &k.err), STELE_EINVAL);
    CHECK_MESSAGE_HAS(&k.err, "operation 3 of 3");
    assert_int_equal(kit_stats(&k).count, 0);
    CHECK_OK(stele_journal_dump_many(k.journal, ops, 0, &k.err), &k.err);
    assert_int_equal(kit_stats(&k).count, 0);
    kit_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(stopped),
            cmocka_unit_test(recording),
            cmocka_unit_test(playing),
            cmocka_unit_test(plays_that_end_early),
            cmocka_unit_test(options),
            cmocka_unit_test(no_handle),
            cmocka_unit_test(operations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
