/* SPDX-License-Identifier: MIT
 *
 * live_test.c: check and backup while a writer publishes, rolls over, deletes and trims.
 *
 * Nothing is wrong with the stream, so nothing may be found; and every copy
 * is a stream that holds what was there at some moment.
 */
#include "unit/stream_tools/kept.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ROUNDS = 60,    /* of the writer */
    EACH_ROUND = 40 /* messages */
};

struct shared {
    stele_stream *s;
    atomic_bool done;
};

static stele_stream_options options(stele_stream_version version)
{
    stele_stream_options opts;

    stele_stream_options_init(&opts);
    opts.create_dirs = true;
    opts.key_index = true;
    opts.time_index = true;
    opts.rollover = 2000;
    opts.new_segments = version;
    return opts;
}

static void publish_round(stele_stream *s, int round)
{
    for (int i = 0; i < EACH_ROUND; i++) {
        char value[64];
        stele_message m = stele_message_invalid();
        stele_error err;

        (void)snprintf(value, sizeof value, "value-%d-%d", round, i);
        m.time = 1700000000000000 + round * 1000 + i;
        m.key = stele_str("key");
        m.value = stele_str(value);
        CHECK_OK(stele_stream_publish(s, &m, 1, NULL, &err), &err);
    }
}

static void *write_rounds(void *arg)
{
    struct shared *shared = arg;

    for (int round = 0; round < ROUNDS; round++) {
        stele_offsets *some;
        stele_error err;

        publish_round(shared->s, round);
        CHECK_OK(stele_offsets_new(&some, &err), &err);
        for (int64_t i = 1; i < EACH_ROUND; i += 5) {
            CHECK_OK(stele_offsets_add(some, (int64_t)round * EACH_ROUND + i, &err), &err);
        }
        CHECK_OK(stele_stream_delete_multi(shared->s, some, NULL, NULL, &err), &err);
        stele_offsets_free(some);
        CHECK_OK(stele_stream_trim_by_count_multi(shared->s, 300, NULL, NULL, NULL, &err), &err);
    }
    atomic_store(&shared->done, true);
    return NULL;
}

static void print_fault(void *arg, const stele_stream_fault *fault)
{
    (void)arg;
    print_error("  %s at %lld: %s\n", fault->file, (long long)fault->position, fault->text);
}

/* A copy of which the source has trimmed everything since cannot be told from
 * another stream's, and is refused: go on with a new one. */
static void back_up(const struct shared *shared, const struct tmpdir *t, char *target, int *targets)
{
    stele_error err;
    stele_code rc = stele_stream_backup(shared->s, target, NULL, &err);

    if (rc == STELE_EEXIST) {
        char name[32];

        (void)snprintf(name, sizeof name, "target-%d", (*targets)++);
        tmpdir_path(t, name, target);
        rc = stele_stream_backup(shared->s, target, NULL, &err);
    }
    CHECK_OK(rc, &err);
}

static void run(stele_stream_version version)
{
    stele_stream_options opts = options(version);
    struct shared shared = {0};
    struct tmpdir t;
    char source[TMPDIR_PATH_SIZE];
    char target[TMPDIR_PATH_SIZE];
    pthread_t writer;
    int looks = 0;
    int targets = 0;
    stele_error err;

    tmpdir_make(&t);
    tmpdir_path(&t, "source", source);
    tmpdir_path(&t, "target", target);
    CHECK_OK(stele_stream_open(&shared.s, source, &opts, &err), &err);
    assert_int_equal(pthread_create(&writer, NULL, write_rounds, &shared), 0);
    do {
        CHECK_OK(stele_stream_check_dir(source, &opts, false, print_fault, NULL, NULL, &err), &err);
        back_up(&shared, &t, target, &targets);
        CHECK_OK(stele_stream_check_dir(target, &opts, false, print_fault, NULL, NULL, &err), &err);
        looks++;
    } while (!atomic_load(&shared.done));
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_true(looks > 0);
    CHECK_OK(stele_stream_close(shared.s, &err), &err);
    CHECK_OK(stele_stream_check_dir(source, &opts, false, print_fault, NULL, NULL, &err), &err);
    tmpdir_path(&t, "last", target);
    CHECK_OK(stele_stream_backup_dir(source, target, NULL, NULL, &err), &err);
    CHECK_OK(stele_stream_check_dir(target, &opts, false, print_fault, NULL, NULL, &err), &err);
    tmpdir_remove(&t);
}

static void beside_a_writer_v1(void **state)
{
    (void)state;
    run(STELE_STREAM_V1);
}

static void beside_a_writer_v2(void **state)
{
    (void)state;
    run(STELE_STREAM_V2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(beside_a_writer_v1),
            cmocka_unit_test(beside_a_writer_v2),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
