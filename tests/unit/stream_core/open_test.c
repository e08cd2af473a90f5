/* SPDX-License-Identifier: MIT
 *
 * open_test.c: options, directories and locks.
 */
#include "core.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void arguments(void **state)
{
    struct core c;
    stele_stream *s = NULL;

    (void)state;
    core_begin(&c);
    CHECK_CODE(stele_stream_open(NULL, c.dir.path, &c.opts, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_open(&s, NULL, &c.opts, &c.err), STELE_EINVAL);
    CHECK_CODE(stele_stream_open(&s, "", &c.opts, &c.err), STELE_EINVAL);
    assert_null(s);
    CHECK_OK(stele_stream_close(NULL, &c.err), &c.err);
    CHECK_OK(stele_stream_open(&s, c.dir.path, NULL, &c.err), &c.err);
    assert_string_equal(stele_stream_dir(s), c.dir.path);
    assert_false(stele_stream_is_read_only(s));
    CHECK_OK(stele_stream_close(s, NULL), &c.err);
    core_end(&c);
}

static void bad_options(void **state)
{
    struct core c;
    stele_stream *s = NULL;

    struct {
        stele_stream_options known;
        uint8_t later[16];
    } newer;

    (void)state;
    core_begin(&c);
    c.opts.struct_size = 0;
    core_refused(&c, STELE_EINVAL);
    CHECK_MESSAGE_HAS(&c.err, "not initialised");
    stele_stream_options_init(&c.opts);
    c.opts.new_segments = (stele_stream_version)3;
    core_refused(&c, STELE_EINVAL);
    CHECK_MESSAGE_HAS(&c.err, "no segment format 3");
    stele_stream_options_init(&c.opts);
    c.opts.lock_wait_ms = -2;
    core_refused(&c, STELE_EINVAL);
    /* A program that was made for a later version: zeros behind are fine. */
    memset(&newer, 0, sizeof newer);
    stele_stream_options_init_sized(&newer.known, sizeof newer);
    assert_int_equal(newer.known.struct_size, sizeof newer);
    CHECK_OK(stele_stream_open(&s, c.dir.path, &newer.known, &c.err), &c.err);
    CHECK_OK(stele_stream_close(s, &c.err), &c.err);
    newer.later[sizeof newer.later - 1] = 1;
    s = NULL;
    CHECK_CODE(stele_stream_open(&s, c.dir.path, &newer.known, &c.err), STELE_EINVAL);
    CHECK_MESSAGE_HAS(&c.err, "unknown option");
    assert_null(s);
    /* And one for an earlier: what it does not know is zero. */
    stele_stream_options_init(&c.opts);
    c.opts.struct_size = offsetof(stele_stream_options, read_only);
    c.opts.read_only = true;
    CHECK_OK(stele_stream_open(&s, c.dir.path, &c.opts, &c.err), &c.err);
    assert_false(stele_stream_is_read_only(s));
    CHECK_OK(stele_stream_close(s, &c.err), &c.err);
    core_end(&c);
}

static void missing_directory(void **state)
{
    struct core c;
    struct tmpdir outer;
    char path[TMPDIR_PATH_SIZE];
    struct stat st;

    (void)state;
    core_begin(&c);
    outer = c.dir;
    tmpdir_path(&outer, "a/b/c", c.dir.path);
    core_refused(&c, STELE_ENOTFOUND);
    CHECK_MESSAGE_HAS(&c.err, "a/b/c");
    c.opts.read_only = true;
    core_refused(&c, STELE_ENOTFOUND);
    /* create_dirs is for writers. */
    c.opts.create_dirs = true;
    core_refused(&c, STELE_ENOTFOUND);
    c.opts.live = true;
    core_refused(&c, STELE_ENOTFOUND);
    assert_false(tmpdir_exists(&outer, "a"));
    c.opts.read_only = c.opts.live = false;
    core_open(&c);
    core_fill(&c, 3);
    tmpdir_path(&outer, "a/b/c", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    tmpdir_path(&outer, "a/b/c/00000000000000000000.log", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    core_reopen(&c); /* it is there by now */
    core_holds(&c, 0, 2);
    core_close(&c);
    c.dir = outer;
    core_end(&c);
}

static void directory_that_is_a_file(void **state)
{
    struct core c;
    struct tmpdir outer;

    (void)state;
    core_begin(&c);
    outer = c.dir;
    tmpdir_write(&outer, "file", "text", 4);
    tmpdir_path(&outer, "file", c.dir.path);
    core_refused(&c, STELE_EINVAL);
    CHECK_MESSAGE_HAS(&c.err, "file");
    c.opts.create_dirs = true;
    core_refused(&c, STELE_EINVAL);
    tmpdir_path(&outer, "file/sub", c.dir.path);
    core_refused(&c, STELE_EINVAL);
    assert_int_equal(tmpdir_size(&outer, "file"), 4);
    c.dir = outer;
    core_end(&c);
}

static void no_permission(void **state)
{
    struct core c;

    (void)state;
    if (geteuid() == 0) {
        skip(); /* Nothing is forbidden to root. */
    }
    core_begin(&c);
    assert_int_equal(chmod(c.dir.path, 0500), 0);
    core_refused(&c, STELE_EPERM);
    assert_int_equal(chmod(c.dir.path, 0700), 0);
    core_open(&c);
    core_end(&c);
}

static void refuse_all_writing(struct core *c)
{
    struct core_text text;
    stele_message m = core_message(&text, 0);
    stele_offsets *offsets;

    assert_true(stele_stream_is_read_only(c->s));
    CHECK_CODE(stele_stream_publish(c->s, &m, 1, NULL, &c->err), STELE_EREADONLY);
    CHECK_CODE(stele_stream_publish(c->s, NULL, 0, NULL, &c->err), STELE_EREADONLY);
    CHECK_CODE(stele_stream_publish_at(c->s, 0, &m, 1, NULL, &c->err), STELE_EREADONLY);
    CHECK_OK(stele_offsets_new(&offsets, &c->err), &c->err);
    CHECK_CODE(stele_stream_delete(c->s, offsets, NULL, &c->err), STELE_EREADONLY);
    CHECK_OK(stele_offsets_add(offsets, 0, &c->err), &c->err);
    CHECK_CODE(stele_stream_delete(c->s, offsets, NULL, &c->err), STELE_EREADONLY);
    CHECK_CODE(stele_stream_trim_by_offset(c->s, 1, NULL, NULL, &c->err), STELE_EREADONLY);
    stele_offsets_free(offsets);
}

static void read_only_on_an_empty_directory(void **state)
{
    (void)state;
    for (int live = 0; live < 2; live++) {
        struct core c;
        stele_stream_stats stats;

        core_begin(&c);
        c.opts.read_only = true;
        c.opts.live = live == 1;
        core_open(&c);
        core_consume(&c, STELE_OFFSET_OLDEST, 5, 0, -1, 0);
        core_consume(&c, STELE_OFFSET_NEWEST, 5, 0, -1, 0);
        core_consume(&c, 0, 5, 0, -1, 0);
        CHECK_CODE(stele_stream_get(c.s, STELE_OFFSET_OLDEST, c.ms, &c.err), STELE_EOFFSET);
        CHECK_CODE(stele_stream_get_by_key(c.s, stele_str("k"), c.ms, &c.err), STELE_ENOTFOUND);
        CHECK_CODE(stele_stream_get_by_time(c.s, 0, c.ms, &c.err), STELE_ENOTFOUND);
        assert_int_equal(core_next(&c), 0);
        stats = core_stats(&c);
        assert_int_equal(stats.messages, 0);
        assert_int_equal(stats.segments, 0);
        assert_int_equal(stats.size, 0);
        CHECK_OK(stele_stream_gc(c.s, 0, &c.err), &c.err);
        CHECK_OK(stele_stream_sync(c.s, NULL, &c.err), &c.err);
        refuse_all_writing(&c);
        core_end(&c);
    }
}

static void read_only_with_messages(void **state)
{
    (void)state;
    for (int live = 0; live < 2; live++) {
        struct core c;
        stele_stream_stats stats;

        core_begin(&c);
        c.opts.rollover = core_rollover(3);
        core_open(&c);
        core_fill(&c, 8);
        stats = core_stats(&c);
        core_close(&c);
        c.opts.read_only = true;
        c.opts.live = live == 1;
        core_open(&c);
        core_holds(&c, 0, 7);
        assert_int_equal(core_stats(&c).size, stats.size);
        assert_int_equal(core_stats(&c).segments, 3);
        assert_int_equal(core_next(&c), 8);
        refuse_all_writing(&c);
        core_holds(&c, 0, 7);
        core_end(&c);
    }
}

/* Try to open in a process of its own, since a lock is the process's; ends it
 * with the code, negated, and writes the message to the pipe. */
static stele_code open_elsewhere(struct core *c, stele_error *err)
{
    int pipes[2];
    int status;
    pid_t pid;

    memset(err, 0, sizeof *err);
    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        stele_stream *s = NULL;
        stele_error mine;
        stele_code rc;

        memset(&mine, 0, sizeof mine);
        rc = stele_stream_open(&s, c->dir.path, &c->opts, &mine);
        if (write(pipes[1], &mine, sizeof mine) != (ssize_t)sizeof mine) {
            _exit(99);
        }
        if (rc == STELE_OK) {
            rc = stele_stream_close(s, NULL);
        }
        _exit(-(int)rc);
    }
    (void)close(pipes[1]);
    assert_int_equal(read(pipes[0], err, sizeof *err), sizeof *err);
    (void)close(pipes[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return (stele_code)-WEXITSTATUS(status);
}

static void lock_names_the_process(void **state)
{
    struct core c;
    stele_error err;
    char text[64];

    (void)state;
    core_begin(&c);
    core_open(&c);
    (void)snprintf(text, sizeof text, "process %ld", (long)getpid());
    CHECK_CODE(open_elsewhere(&c, &err), STELE_EBUSY);
    CHECK_MESSAGE_HAS(&err, text);
    CHECK_MESSAGE_HAS(&err, c.dir.path);
    c.opts.read_only = true;
    CHECK_CODE(open_elsewhere(&c, &err), STELE_EBUSY);
    CHECK_MESSAGE_HAS(&err, text);
    c.opts.lock_wait_ms = 20;
    CHECK_CODE(open_elsewhere(&c, &err), STELE_EBUSY);
    c.opts.live = true;
    CHECK_CODE(open_elsewhere(&c, &err), STELE_OK);
    /* A second writer in this very process is refused, too. */
    c.opts.live = c.opts.read_only = false;
    core_refused(&c, STELE_EBUSY);
    core_close(&c);
    CHECK_CODE(open_elsewhere(&c, &err), STELE_OK);
    core_end(&c);
}

static void readers_share_the_lock(void **state)
{
    struct core c;
    stele_stream *second;
    stele_error err;

    (void)state;
    core_begin(&c);
    core_open(&c);
    core_fill(&c, 4);
    core_close(&c);
    c.opts.read_only = true;
    core_open(&c);
    CHECK_OK(stele_stream_open(&second, c.dir.path, &c.opts, &c.err), &c.err);
    CHECK_CODE(open_elsewhere(&c, &err), STELE_OK);
    core_holds(&c, 0, 3);
    CHECK_OK(stele_stream_close(second, &c.err), &c.err);
    c.opts.read_only = false;
    CHECK_CODE(open_elsewhere(&c, &err), STELE_EBUSY);
    CHECK_MESSAGE_HAS(&err, "reads");
    core_close(&c);
    CHECK_CODE(open_elsewhere(&c, &err), STELE_OK);
    core_end(&c);
}

/* Whoever waits for the lock gets it when the owner's process ends. */
static void waiting_for_the_lock(void **state)
{
    struct core c;
    int started[2];
    int finish[2];
    int status;
    char byte = 0;
    pid_t pid;

    (void)state;
    core_begin(&c);
    assert_int_equal(pipe(started), 0);
    assert_int_equal(pipe(finish), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        stele_stream *s = NULL;

        if (stele_stream_open(&s, c.dir.path, &c.opts, NULL) != STELE_OK ||
                write(started[1], "s", 1) != 1 || read(finish[0], &byte, 1) != 1) {
            _exit(1);
        }
        (void)usleep(50000); /* so that the other is waiting, as a rule */
        _exit(0);            /* without closing */
    }
    assert_int_equal(read(started[0], &byte, 1), 1);
    core_refused(&c, STELE_EBUSY);
    assert_int_equal(write(finish[1], "f", 1), 1);
    c.opts.lock_wait_ms = STELE_FOREVER;
    core_open(&c);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    core_end(&c);
    for (int i = 0; i < 2; i++) {
        (void)close(started[i]);
        (void)close(finish[i]);
    }
}

static void live_beside_a_writer(void **state)
{
    struct core c;
    struct core reader;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(4);
    core_open(&c);
    core_fill(&c, 3);
    core_begin(&reader);
    tmpdir_remove(&reader.dir);
    reader.dir = c.dir;
    reader.opts.live = true;
    core_open(&reader);
    assert_true(stele_stream_is_read_only(reader.s));
    for (int64_t i = 3; i < 30; i++) {
        core_holds(&reader, 0, i - 1);
        assert_int_equal(core_next(&reader), i);
        assert_int_equal(core_stats(&reader).segments, core_stats(&c).segments);
        core_fill(&c, 1);
    }
    CHECK_OK(stele_stream_get(reader.s, STELE_OFFSET_NEWEST, reader.ms, &c.err), &c.err);
    assert_int_equal(stele_messages_at(reader.ms, 0)->offset, 29);
    CHECK_OK(stele_stream_get_by_key(reader.s, stele_str("key-0003"), reader.ms, &c.err), &c.err);
    assert_int_equal(stele_messages_at(reader.ms, 0)->offset, 29);
    CHECK_OK(stele_stream_get_by_time(reader.s, 1000000 + 1000 * 28, reader.ms, &c.err), &c.err);
    assert_int_equal(stele_messages_at(reader.ms, 0)->offset, 28);
    core_close(&c);
    core_holds(&reader, 0, 29);
    core_close(&reader);
    stele_messages_free(reader.ms);
    core_end(&c);
}

static void index_options_must_fit(void **state)
{
    (void)state;
    for (int version = STELE_STREAM_V1; version <= STELE_STREAM_V2; version++) {
        for (int made = 0; made < 4; made++) {
            struct core c;

            core_begin(&c);
            c.opts.new_segments = (stele_stream_version)version;
            c.opts.rollover = 100;
            c.opts.key_index = (made & 1) != 0;
            c.opts.time_index = (made & 2) != 0;
            core_open(&c);
            core_fill(&c, 5);
            core_close(&c);
            for (int asked = 0; asked < 4; asked++) {
                c.opts.key_index = (asked & 1) != 0;
                c.opts.time_index = (asked & 2) != 0;
                if (asked == made) {
                    core_open(&c);
                    core_holds(&c, 0, 4);
                    core_close(&c);
                } else {
                    core_refused(&c, STELE_EMISMATCH);
                    c.opts.read_only = true;
                    core_refused(&c, STELE_EMISMATCH);
                    c.opts.live = true;
                    core_refused(&c, STELE_EMISMATCH);
                    c.opts.read_only = c.opts.live = false;
                }
            }
            /* Taken from the files, whatever is asked for. */
            c.opts.key_index = (made & 1) == 0;
            c.opts.time_index = (made & 2) == 0;
            c.opts.index_auto = true;
            core_open(&c);
            assert_int_equal(core_stats(&c).key_index, (made & 1) != 0);
            assert_int_equal(core_stats(&c).time_index, (made & 2) != 0);
            core_holds(&c, 0, 4);
            core_end(&c);
        }
    }
}

/* A stream that has no messages yet knows its options, in version 2. */
static void index_options_of_an_empty_stream(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.index_auto = true; /* nothing there to tell: the options count */
    core_open(&c);
    assert_true(core_stats(&c).key_index);
    assert_true(core_stats(&c).time_index);
    core_close(&c);
    c.opts.index_auto = false;
    c.opts.key_index = false;
    core_refused(&c, STELE_EMISMATCH);
    CHECK_MESSAGE_HAS(&c.err, "key index on");
    c.opts.index_auto = true;
    core_open(&c);
    assert_true(core_stats(&c).key_index);
    core_end(&c);
}

static void default_rollover(void **state)
{
    static uint8_t value[300 << 10];
    const int64_t limits[] = {0, -1, INT64_MIN};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct core c;
        stele_message m = stele_message_invalid();

        core_begin(&c);
        c.opts.rollover = limits[i];
        core_open(&c);
        m.value = stele_bytes_of(value, sizeof value);
        m.time = 1;
        for (int k = 0; k < 4; k++) {
            assert_int_equal(core_stats(&c).segments, 1);
            CHECK_OK(stele_stream_publish(c.s, &m, 1, NULL, &c.err), &c.err);
        }
        /* 1.17 MiB is above 1 MiB: the next one goes elsewhere. */
        CHECK_OK(stele_stream_publish(c.s, &m, 1, NULL, &c.err), &c.err);
        assert_int_equal(core_stats(&c).segments, 2);
        core_end(&c);
    }
}

static void foreign_names(void **state)
{
    static const char *const names[] = {"0.log", "00000000000000000003.log.bak", "notes.txt",
            "00000000000000000009.LOG", "0000000000000000000a.log", "99999999999999999999.log",
            "00000000000000000000.indexes", "-0000000000000000001.log", "lost+found.log"};
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    core_fill(&c, 3);
    core_close(&c);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tmpdir_write(&c.dir, names[i], "not ours", 8);
    }
    tmpdir_mkdir(&c.dir, "subdirectory");
    for (int how = 0; how < 3; how++) {
        c.opts.read_only = how > 0;
        c.opts.live = how > 1;
        core_open(&c);
        core_holds(&c, 0, 2);
        assert_int_equal(core_stats(&c).segments, 1);
        assert_int_equal(core_next(&c), 3);
        core_close(&c);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(tmpdir_size(&c.dir, names[i]), 8);
    }
    core_end(&c);
}

static void check_refuses_a_damaged_head(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(4);
    core_open(&c);
    core_fill(&c, 7);
    core_close(&c);
    c.opts.check = true;
    core_open(&c);
    core_holds(&c, 0, 6);
    core_close(&c);
    tmpdir_flip(&c.dir, "00000000000000000004.log", 8 * (8 + CORE_SIZE_V2 + 30));
    core_refused(&c, STELE_ECORRUPT);
    c.opts.read_only = true;
    core_refused(&c, STELE_ECORRUPT);
    /* Nothing was touched: recovery still keeps what is behind the damage. */
    c.opts.read_only = false;
    c.opts.check = false;
    c.opts.recover = true;
    core_open(&c);
    core_consume(&c, 4, 1, 4, 4, 5);
    core_consume(&c, 5, 1, 6, 6, 7);
    assert_int_equal(core_next(&c), 7);
    assert_true(core_files(&c, ".log") == 2);
    core_end(&c);
}

/* `recover` on a stream that is whole changes no byte. */
static void recover_of_a_whole_stream(void **state)
{
    struct core c;
    uint8_t *before;
    uint8_t *after;
    size_t before_len;
    size_t after_len;

    (void)state;
    core_begin(&c);
    core_open(&c);
    core_fill(&c, 7);
    core_close(&c);
    before = tmpdir_read(&c.dir, "00000000000000000000.log", &before_len);
    c.opts.recover = true;
    core_open(&c);
    core_holds(&c, 0, 6);
    core_close(&c);
    after = tmpdir_read(&c.dir, "00000000000000000000.log", &after_len);
    assert_int_equal(before_len, after_len);
    assert_memory_equal(before, after, after_len);
    free(before);
    free(after);
    core_end(&c);
}

/* Without the option, damage in the newest segment is taken for a crash: what
 * stands before it is kept, the rest put aside, and no offset given again. */
static void damaged_head_without_options(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    core_fill(&c, 7);
    core_close(&c);
    tmpdir_flip(&c.dir, "00000000000000000000.log", 8 * (8 + 3 * CORE_SIZE_V2 + 30));
    c.opts.read_only = true;
    core_open(&c);
    core_holds(&c, 0, 2);
    assert_int_equal(core_next(&c), 7);
    core_close(&c);
    assert_int_equal(core_files(&c, ".182"), 0); /* a reader changes nothing */
    c.opts.read_only = false;
    core_open(&c);
    core_holds(&c, 0, 2);
    assert_int_equal(core_next(&c), 7);
    assert_true(tmpdir_exists(&c.dir, "00000000000000000000.log.quarantine.182"));
    assert_int_equal(
            tmpdir_size(&c.dir, "00000000000000000000.log.quarantine.182"), 4 * CORE_SIZE_V2);
    core_fill(&c, 1);
    core_consume(&c, 3, 5, 7, 7, 8);
    core_end(&c);
}

static void unknown_version_and_foreign_content(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    core_open(&c);
    core_fill(&c, 2);
    core_close(&c);
    tmpdir_flip(&c.dir, "00000000000000000000.log", 8 * 6 + 3);
    core_refused(&c, STELE_EVERSION);
    assert_string_equal(c.err.file, "00000000000000000000.log");
    assert_int_equal(c.err.position, 6);
    tmpdir_write(&c.dir, "00000000000000000000.log", "This is no log of messages, is it?", 34);
    core_refused(&c, STELE_ECORRUPT);
    assert_string_equal(c.err.file, "00000000000000000000.log");
    core_end(&c);
}

/* An index that cannot be one of this log is made again; the reference gives up. */
static void index_of_garbage(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = core_rollover(2);
    core_open(&c);
    core_fill(&c, 4);
    core_close(&c);
    tmpdir_write(&c.dir, "00000000000000000002.index", "random data characters", 22);
    tmpdir_write(&c.dir, "00000000000000000000.index", "", 0);
    core_open(&c);
    core_holds(&c, 0, 3);
    CHECK_OK(stele_stream_get_by_key(c.s, stele_str("key-0001"), c.ms, &c.err), &c.err);
    assert_int_equal(stele_messages_at(c.ms, 0)->offset, 1);
    core_close(&c);
    assert_int_equal(tmpdir_size(&c.dir, "00000000000000000002.index"), 8 + 2 * CORE_ITEM);
    assert_int_equal(tmpdir_size(&c.dir, "00000000000000000000.index"), 8 + 2 * CORE_ITEM);
    core_end(&c);
}

static void eager_migrate(void **state)
{
    struct core c;

    (void)state;
    core_begin(&c);
    c.opts.rollover = 2 * CORE_SIZE_V1;
    c.opts.new_segments = STELE_STREAM_V1;
    core_open(&c);
    core_fill(&c, 8);
    assert_int_equal(core_stats(&c).segments_v1, core_stats(&c).segments);
    core_close(&c);
    c.opts.new_segments = STELE_STREAM_VERSION_DEFAULT;
    c.opts.eager_migrate = true;
    core_open(&c);
    assert_int_equal(core_stats(&c).segments_v1, 0);
    core_holds(&c, 0, 7);
    core_reopen(&c);
    core_fill(&c, 3);
    core_holds(&c, 0, 10);
    core_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(arguments),
            cmocka_unit_test(bad_options),
            cmocka_unit_test(missing_directory),
            cmocka_unit_test(directory_that_is_a_file),
            cmocka_unit_test(no_permission),
            cmocka_unit_test(read_only_on_an_empty_directory),
            cmocka_unit_test(read_only_with_messages),
            cmocka_unit_test(lock_names_the_process),
            cmocka_unit_test(readers_share_the_lock),
            cmocka_unit_test(waiting_for_the_lock),
            cmocka_unit_test(live_beside_a_writer),
            cmocka_unit_test(index_options_must_fit),
            cmocka_unit_test(index_options_of_an_empty_stream),
            cmocka_unit_test(default_rollover),
            cmocka_unit_test(foreign_names),
            cmocka_unit_test(check_refuses_a_damaged_head),
            cmocka_unit_test(recover_of_a_whole_stream),
            cmocka_unit_test(damaged_head_without_options),
            cmocka_unit_test(unknown_version_and_foreign_content),
            cmocka_unit_test(index_of_garbage),
            cmocka_unit_test(eager_migrate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
