/* SPDX-License-Identifier: MIT
 *
 * torn_test.c: what a crash leaves at the end of the newest segment.
 */
#include "core.h"
#include "stream/names.h"

#define LOG "00000000000000000000.log"

enum {
    COUNT = 6
};

static int64_t size_of(stele_stream_version version)
{
    return version == STELE_STREAM_V1 ? CORE_SIZE_V1 : CORE_SIZE_V2;
}

static int64_t start_of(stele_stream_version version)
{
    return version == STELE_STREAM_V1 ? 0 : 8;
}

/* COUNT messages in one segment, as after a clean close. */
static void make(struct core *c, stele_stream_version version)
{
    core_begin(c);
    c->opts.new_segments = version;
    core_open(c);
    core_fill(c, COUNT);
    core_close(c);
}

/* A reader sees `kept` messages and changes nothing; then a writer has them,
 * goes on at `next`, and what it writes is there after a reopen. */
static void check(struct core *c, int64_t kept, int64_t next)
{
    uint64_t size = tmpdir_size(&c->dir, LOG);

    for (int live = 0; live < 2; live++) {
        c->opts.read_only = true;
        c->opts.live = live == 1;
        core_open(c);
        core_holds(c, 0, kept - 1);
        assert_int_equal(core_next(c), next);
        core_close(c);
    }
    if (tmpdir_exists(&c->dir, LOG)) {
        assert_int_equal(tmpdir_size(&c->dir, LOG), size);
    }
    c->opts.read_only = c->opts.live = false;
    core_open(c);
    core_holds(c, 0, kept - 1);
    assert_int_equal(core_next(c), next);
    core_fill(c, 2);
    core_reopen(c);
    assert_int_equal(core_next(c), next + 2);
    assert_int_equal(core_stats(c).messages, kept + 2);
    core_consume(c, next, 5, next, next + 1, next + 2);
    core_check_numbered(stele_messages_at(c->ms, 0));
    core_close(c);
    CHECK_OK(stele_stream_check_dir(c->dir.path, &c->opts, false, NULL, NULL, NULL, &c->err),
            &c->err);
}

static void zero_tails(void **state)
{
    const size_t lengths[] = {1, 2, 7, 8, 27, 28, 29, 35, 36, 37, 56, 72, 511, 512, 4096, 100000};

    (void)state;
    for (int version = STELE_STREAM_V1; version <= STELE_STREAM_V2; version++) {
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            struct core c;
            uint8_t *zeros = calloc(1, lengths[i]);

            assert_non_null(zeros);
            make(&c, (stele_stream_version)version);
            tmpdir_append(&c.dir, LOG, zeros, lengths[i]);
            check(&c, COUNT, COUNT);
            assert_int_equal(core_files(&c, ".quarantine"), 0);
            free(zeros);
            core_end(&c);
        }
    }
}

/* A segment of zeros only, of any length: none of its messages was there. */
static void nothing_but_zeros(void **state)
{
    const size_t lengths[] = {0, 1, 8, 28, 36, 4096};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct core c;
        uint8_t zeros[4096] = {0};

        core_begin(&c);
        core_open(&c);
        core_close(&c);
        tmpdir_write(&c.dir, LOG, zeros, lengths[i]);
        check(&c, 0, 0);
        core_end(&c);
    }
}

/* The quarantine files' content, which is all of what was cut. */
static void check_quarantine(struct core *c, uint64_t position, const uint8_t *cut, size_t len)
{
    char name[STI_NAME_SIZE];
    uint8_t *data;
    size_t got;

    while (len > 0 && cut[len - 1] == 0) {
        len--;
    }
    sti_name_quarantine(name, 0, position);
    assert_int_equal(tmpdir_exists(&c->dir, name), len > 0);
    if (len > 0) {
        data = tmpdir_read(&c->dir, name, &got);
        assert_int_equal(got, len);
        assert_memory_equal(data, cut, len);
        free(data);
    }
}

/* The log ends at every byte of its last two messages. The index, which is
 * whole, shows that offsets up to COUNT were given; without it, what is torn
 * shows that itself as soon as its header can be read. */
static void torn_at_every_byte(void **state)
{
    (void)state;
    for (int v = STELE_STREAM_V1; v <= STELE_STREAM_V2; v++) {
        stele_stream_version version = (stele_stream_version)v;
        int64_t size = size_of(version);
        int64_t whole = start_of(version) + COUNT * size;

        for (int64_t at = whole - 2 * size + 1; at < whole; at++) {
            struct core c;
            int64_t kept = (at - start_of(version)) / size;
            uint64_t end = (uint64_t)(start_of(version) + kept * size);
            uint8_t *log;
            size_t len;

            make(&c, version);
            log = tmpdir_read(&c.dir, LOG, &len);
            assert_int_equal(len, whole);
            tmpdir_cut(&c.dir, LOG, (uint64_t)at);
            check(&c, kept, COUNT);
            check_quarantine(&c, end, log + end, (size_t)at - end);
            free(log);
            core_end(&c);
        }
    }
}

static void torn_without_an_index(void **state)
{
    (void)state;
    for (int v = STELE_STREAM_V1; v <= STELE_STREAM_V2; v++) {
        stele_stream_version version = (stele_stream_version)v;
        int64_t size = size_of(version);
        int64_t whole = start_of(version) + COUNT * size;
        int64_t header = version == STELE_STREAM_V1 ? 8 : 12; /* bytes up to the offset's end */

        for (int64_t at = whole - size; at < whole; at++) {
            struct core c;
            char path[TMPDIR_PATH_SIZE];
            int64_t torn = at - (whole - size);

            make(&c, version);
            tmpdir_cut(&c.dir, LOG, (uint64_t)at);
            tmpdir_path(&c.dir, "00000000000000000000.index", path);
            assert_int_equal(remove(path), 0);
            c.opts.read_only = true;
            core_open(&c);
            core_holds(&c, 0, COUNT - 2);
            /* At the least behind what is whole, at the most behind what was given. */
            assert_true(core_next(&c) == COUNT - 1 || core_next(&c) == COUNT);
            if (torn >= header + 16) {
                assert_int_equal(core_next(&c), COUNT);
            }
            core_close(&c);
            core_end(&c);
        }
    }
}

/* Garbage behind the last message, with and without zeros behind that. */
static void garbage_tails(void **state)
{
    (void)state;
    for (int v = STELE_STREAM_V1; v <= STELE_STREAM_V2; v++) {
        for (size_t len = 1; len < 200; len += 13) {
            for (size_t zeros = 0; zeros < 600; zeros += 299) {
                struct core c;
                uint8_t tail[1000] = {0};
                uint64_t end = (uint64_t)(start_of((stele_stream_version)v) +
                                          COUNT * size_of((stele_stream_version)v));
                int64_t next;

                make(&c, (stele_stream_version)v);
                for (size_t i = 0; i < len; i++) {
                    tail[i] = (uint8_t)(0xe1 + 31 * i); /* an offset that cannot be */
                }
                tmpdir_append(&c.dir, LOG, tail, len + zeros);
                c.opts.live = true;
                core_open(&c);
                next = core_next(&c);
                assert_true(next >= COUNT);
                core_close(&c);
                c.opts.live = false;
                check(&c, COUNT, next);
                check_quarantine(&c, end, tail, len + zeros);
                core_end(&c);
            }
        }
    }
}

/* Whole messages behind a torn one are not taken for the stream's: what an
 * open keeps is a prefix. Their offsets are not given again. */
static void only_a_prefix(void **state)
{
    (void)state;
    for (int v = STELE_STREAM_V1; v <= STELE_STREAM_V2; v++) {
        stele_stream_version version = (stele_stream_version)v;
        struct core c;

        make(&c, version);
        /* A bit of the value of message 2. */
        tmpdir_flip(&c.dir, LOG,
                8 * (uint64_t)(start_of(version) + 2 * size_of(version) + size_of(version) - 12));
        check(&c, 2, COUNT);
        core_end(&c);
    }
}

/* Opening twice, or ten times, changes nothing any more. */
static void cut_once(void **state)
{
    struct core c;

    (void)state;
    make(&c, STELE_STREAM_V2);
    tmpdir_append(&c.dir, LOG, "garbage", 7);
    for (int i = 0; i < 10; i++) {
        core_open(&c);
        core_holds(&c, 0, COUNT - 1);
        core_close(&c);
        assert_int_equal(core_files(&c, ".quarantine.356"), 1);
    }
    tmpdir_append(&c.dir, LOG, "another", 7);
    core_open(&c);
    core_holds(&c, 0, COUNT - 1);
    core_close(&c);
    assert_int_equal(core_files(&c, ".quarantine.356"), 1);
    assert_int_equal(core_files(&c, ".quarantine.357"), 1); /* nothing is overwritten */
    core_end(&c);
}

/* The index knows of more than the log has: those offsets were given. */
static void index_ahead_of_the_log(void **state)
{
    struct core c;

    (void)state;
    make(&c, STELE_STREAM_V2);
    tmpdir_cut(&c.dir, LOG, 8 + 2 * CORE_SIZE_V2);
    check(&c, 2, COUNT);
    core_end(&c);
    make(&c, STELE_STREAM_V2);
    tmpdir_cut(&c.dir, LOG, 8);
    check(&c, 0, COUNT);
    core_end(&c);
    make(&c, STELE_STREAM_V2);
    tmpdir_cut(&c.dir, LOG, 3);
    check(&c, 0, COUNT);
    core_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(zero_tails),
            cmocka_unit_test(nothing_but_zeros),
            cmocka_unit_test(torn_at_every_byte),
            cmocka_unit_test(torn_without_an_index),
            cmocka_unit_test(garbage_tails),
            cmocka_unit_test(only_a_prefix),
            cmocka_unit_test(cut_once),
            cmocka_unit_test(index_ahead_of_the_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
