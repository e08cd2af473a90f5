/* SPDX-License-Identifier: MIT
 *
 * rot_test.c: damage in a sealed segment is an error for reads that meet it,
 * and for no others, whether its index is there or had to be made again.
 */
#include <stele/stream.h>

#include "lib/check.h"
#include "lib/tmpdir.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MESSAGES = 12,
    LOST = 2,
    VALUE = 40
};

static void make(const struct tmpdir *t, stele_stream_version version)
{
    stele_stream_options opts;
    stele_stream *s;
    stele_error err;

    stele_stream_options_init(&opts);
    opts.new_segments = version;
    opts.rollover = 300;
    CHECK_OK(stele_stream_open(&s, t->path, &opts, &err), &err);
    for (int i = 0; i < MESSAGES; i++) {
        char value[VALUE];
        stele_message m = {.time = 1000 + i};

        (void)snprintf(value, sizeof value, "%039d", i);
        m.value = stele_bytes_of(value, sizeof value);
        CHECK_OK(stele_stream_publish(s, &m, 1, NULL, &err), &err);
    }
    CHECK_OK(stele_stream_close(s, &err), &err);
}

/* A bit in the value of one message of the first segment. */
static void damage(const struct tmpdir *t, const char *log)
{
    char wanted[VALUE];
    size_t len;
    uint8_t *bytes = tmpdir_read(t, log, &len);
    uint8_t *found;

    (void)snprintf(wanted, sizeof wanted, "%039d", LOST);
    found = memmem(bytes, len, wanted, VALUE - 1);
    assert_non_null(found);
    tmpdir_flip(t, log, 8 * (uint64_t)(found - bytes));
    free(bytes);
}

static void read_all(stele_stream *s)
{
    stele_messages *ms;
    stele_error err;
    int64_t next;

    CHECK_OK(stele_messages_new(&ms, &err), &err);
    for (int64_t o = 0; o < MESSAGES; o++) {
        CHECK_CODE(stele_stream_get(s, o, ms, &err), o == LOST ? STELE_ECORRUPT : STELE_OK);
        CHECK_CODE(stele_stream_consume(s, o, 1, ms, &next, &err),
                o == LOST ? STELE_ECORRUPT : STELE_OK);
    }
    /* What comes before is given out; the damage is the next call's. */
    CHECK_OK(stele_stream_consume(s, STELE_OFFSET_OLDEST, MESSAGES, ms, &next, &err), &err);
    assert_int_equal(stele_messages_count(ms), LOST);
    assert_int_equal(next, LOST);
    CHECK_CODE(stele_stream_consume(s, next, MESSAGES, ms, &next, &err), STELE_ECORRUPT);
    assert_int_equal(err.position >= 0, true);
    assert_string_equal(err.file, "00000000000000000000.log");
    CHECK_OK(stele_stream_consume(s, LOST + 1, MESSAGES, ms, &next, &err), &err);
    assert_int_equal(stele_messages_at(ms, 0)->offset, LOST + 1);
    stele_messages_free(ms);
}

static void run(stele_stream_version version, bool index, bool read_only)
{
    static const char *const gone[] = {"00000000000000000000.index", "00000000000000000000.keys"};
    stele_stream_options opts;
    stele_stream *s;
    struct tmpdir t;
    stele_error err;

    tmpdir_make(&t);
    make(&t, version);
    damage(&t, "00000000000000000000.log");
    for (size_t i = 0; i < 2 && !index; i++) {
        char path[TMPDIR_PATH_SIZE];

        tmpdir_path(&t, gone[i], path);
        assert_int_equal(remove(path), 0);
    }
    stele_stream_options_init(&opts);
    opts.read_only = read_only;
    /* The second time as well: what a reader made again does not hide it. */
    for (int i = 0; i < 2; i++) {
        CHECK_OK(stele_stream_open(&s, t.path, &opts, &err), &err);
        read_all(s);
        CHECK_OK(stele_stream_close(s, &err), &err);
    }
    tmpdir_remove(&t);
}

static void reads_that_meet_damage_fail(void **state)
{
    (void)state;
    for (int read_only = 0; read_only < 2; read_only++) {
        run(STELE_STREAM_V1, true, read_only != 0);
        run(STELE_STREAM_V2, true, read_only != 0);
    }
}

static void also_when_the_index_is_made_again(void **state)
{
    (void)state;
    for (int read_only = 0; read_only < 2; read_only++) {
        run(STELE_STREAM_V1, false, read_only != 0);
        run(STELE_STREAM_V2, false, read_only != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(reads_that_meet_damage_fail),
            cmocka_unit_test(also_when_the_index_is_made_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
