/* SPDX-License-Identifier: MIT
 *
 * damage_test.c: every byte of every file of a store is changed, one at a time.
 *
 * Whatever a read then gives must have been put; and if check finds no fault, all that is there
 * must be given. LMDB trusts its pages, so a read may end the process: a child does it, and when it
 * ends another one goes on behind that byte. A check may not end it. What a child has done stands
 * in memory that both see.
 *
 * Files of the wal count for who opens the store to write, which changes it: that is done to a
 * copy. The others are read by a handle that reads only.
 *
 * Without STELE_FULL one byte of each seven is changed, in one way; with it every byte, those of
 * the data in three.
 */
#include "dirs.h"
#include "history.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LATEST_SECONDS = 10
};

enum stage {
    NOT_TRIED,
    CHECKING,
    READING,
    REPORTED, /* by check */
    HARMLESS, /* and nothing is missing */
    LOST,     /* something is, and check does not know */
    WRONG     /* something was given that was not put */
};

struct rig {
    struct kit *kit; /* the store that was killed */
    struct history history;
    struct dirs files;
    /* Of the file that is being damaged. */
    const char *name;
    uint8_t *bytes;
    size_t len;
    uint8_t how;     /* what a byte is changed by; 0: another bit of each */
    uint8_t *stages; /* of each byte; shared */
    size_t ended;
};

static void write_data(struct rig *r, struct kit *k)
{
    stele_store_batch *b = kit_begin(k);

    kit_create(b, "first");
    kit_create(b, "empty");
    history_put(&r->history, b, "first", 0, 30, 0);
    kit_end(b);
    history_commit(&r->history, k);
    b = kit_begin(k);
    kit_create(b, "second");
    history_put(&r->history, b, "second", 0, 10, 1000);
    history_put(&r->history, b, "first", 10, 20, 2000);
    kit_end(b);
    history_commit(&r->history, k);
}

static void end_durable(stele_store_batch *b)
{
    stele_error err;

    CHECK_OK(stele_store_batch_end_durable(b, &err), &err);
}

/* The log has what is committed, and more. */
static void write_log(struct rig *r, struct kit *k)
{
    stele_store_batch *b = kit_begin(k);

    kit_create(b, "first");
    kit_create(b, "second");
    kit_create(b, "empty");
    history_put(&r->history, b, "second", 0, 5, 0);
    end_durable(b);
    history_commit(&r->history, k);
    b = kit_begin(k);
    history_put(&r->history, b, "first", 0, 5, 3000);
    end_durable(b);
    b = kit_begin(k);
    kit_create(b, "logged");
    history_put(&r->history, b, "logged", 0, 5, 4000);
    end_durable(b);
}

/* ---- One byte. ---- */

static enum stage judge(const struct rig *r, const char *path, bool reported)
{
    stele_store_options options;
    stele_store *s = NULL;
    bool whole = false;
    bool right = true;

    stele_store_options_init(&options);
    options.read_only = !r->history.logged;
    options.must_exist = true;
    options.no_sync = true;
    options.no_background = true;
    if (stele_store_open(&s, path, &options, NULL) == STELE_OK) {
        right = history_is_right(&r->history, s, &whole);
        (void)stele_store_close(s, NULL);
    }
    if (!right) {
        return WRONG;
    }
    return reported ? REPORTED : (whole ? HARMLESS : LOST);
}

static enum stage look(struct rig *r, volatile uint8_t *stage)
{
    bool reported;
    enum stage result;

    *stage = CHECKING;
    reported = stele_store_check_dir(r->kit->tmp.path, NULL, NULL, NULL, NULL, NULL) != STELE_OK;
    *stage = READING;
    if (r->history.logged) {
        struct tmpdir copy;

        tmpdir_make(&copy);
        dirs_copy(&r->kit->tmp, &copy);
        result = judge(r, copy.path, reported);
        tmpdir_remove(&copy);
    } else {
        result = judge(r, r->kit->tmp.path, reported);
    }
    return result;
}

static void write_byte(const struct rig *r, size_t at, uint8_t byte)
{
    char path[TMPDIR_PATH_SIZE];
    int fd;

    tmpdir_path(&r->kit->tmp, r->name, path);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || pwrite(fd, &byte, 1, (off_t)at) != 1) {
        abort();
    }
    (void)close(fd);
}

static void child(struct rig *r, size_t from, size_t step)
{
    for (size_t at = from; at < r->len; at += step) {
        uint8_t mask = r->how == 0 ? (uint8_t)(1U << (at / step) % 8) : r->how;

        (void)alarm(LATEST_SECONDS);
        write_byte(r, at, r->bytes[at] ^ mask);
        r->stages[at] = (uint8_t)look(r, &r->stages[at]);
        write_byte(r, at, r->bytes[at]);
    }
}

static pid_t start_child(struct rig *r, size_t at, size_t step)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        /* Not cmocka's handlers, which go on with the next test. */
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGBUS, SIG_DFL);
        (void)signal(SIGABRT, SIG_DFL);
        (void)signal(SIGFPE, SIG_DFL);
        /* What LMDB says before it ends the process is of no use to anybody. */
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(2);
        }
        child(r, at, step);
        _exit(0);
    }
    return pid;
}

static void run_children(struct rig *r, size_t step)
{
    size_t at = 0;

    while (at < r->len) {
        int status = 0;
        pid_t pid = start_child(r, at, step);

        assert_int_equal(waitpid(pid, &status, 0), pid);
        while (at < r->len && r->stages[at] > READING) {
            at += step;
        }
        if (at < r->len) {
            if (r->stages[at] != READING) {
                print_error("%s: byte %zu ended the process in stage %d, status %x\n", r->name, at,
                        r->stages[at], (unsigned)status);
                fail();
            }
            write_byte(r, at, r->bytes[at]);
            r->ended++;
            at += step;
        }
    }
}

/* ---- Every byte. ---- */

/* A segment has room for more, which is zeros: of these some are enough. */
static size_t used_of(const struct rig *r)
{
    size_t used = r->len;

    while (r->history.logged && used > 0 && r->bytes[used - 1] == 0) {
        used--;
    }
    return used + 64 < r->len ? used + 64 : r->len;
}

static void run_file(struct rig *r, const char *name, uint8_t how, size_t step)
{
    size_t n[WRONG + 1] = {0};
    size_t len = 0;
    size_t size;

    r->name = name;
    r->how = how;
    r->history.logged = strncmp(name, "wal/", 4) == 0;
    r->bytes = tmpdir_read(&r->kit->tmp, name, &len);
    r->len = len;
    r->len = used_of(r);
    size = r->len + 1;
    r->stages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(r->stages != MAP_FAILED);
    r->ended = 0;
    run_children(r, step);
    for (size_t at = 0; at < r->len; at += step) {
        n[r->stages[at]]++;
        if (r->stages[at] > HARMLESS && n[LOST] + n[WRONG] < 10) {
            print_error("%s: byte %zu: %s\n", name, at,
                    r->stages[at] == LOST ? "something is lost, and not reported"
                                          : "something was given that was not put");
        }
    }
    print_message("%s: %zu bytes: %zu reported, %zu harmless, %zu ended the process, %zu lost, "
                  "%zu wrong\n",
            name, r->len, n[REPORTED], n[HARMLESS], r->ended, n[LOST], n[WRONG]);
    assert_int_equal(n[LOST], 0);
    assert_int_equal(n[WRONG], 0);
    /* The file is as it was: LMDB's lock file excepted, which every first reader makes anew. */
    tmpdir_write(&r->kit->tmp, name, r->bytes, len);
    if (strcmp(name, "current") == 0) {
        assert_int_equal(n[HARMLESS], 0);
    }
    if (strcmp(name, "gen-1/data.mdb") == 0) {
        assert_true(n[REPORTED] * step > 5000);
    }
    (void)munmap(r->stages, size);
    free(r->bytes);
}

static bool is_wal(const char *name)
{
    return strncmp(name, "wal/", 4) == 0;
}

/* The table of readers is made anew by whoever opens it first: all of it is harmless. */
static size_t step_of(const struct rig *r, const char *name)
{
    bool full = getenv("STELE_FULL") != NULL;

    if (strcmp(name, "gen-1/lock.mdb") == 0) {
        return full ? 7 : 499;
    }
    if (strcmp(name, "wal/wal.manifest") == 0) {
        return full ? 1 : 29;
    }
    return full || tmpdir_size(&r->kit->tmp, name) < 100 ? 1 : 7;
}

static void run_files(struct rig *r, bool wal)
{
    static const uint8_t ways[] = {0, 0xff, 0x80};
    bool full = getenv("STELE_FULL") != NULL;

    for (size_t way = 0; way < (full && !wal ? sizeof ways : 1); way++) {
        for (size_t i = 0; i < r->files.count; i++) {
            const char *name = r->files.names[i];

            if (is_wal(name) == wal) {
                run_file(r, name, ways[way], step_of(r, name));
            }
        }
    }
}

static void test_data(void **state)
{
    run_files(*state, false);
}

static void test_log(void **state)
{
    run_files(*state, true);
}

/* As a kill leaves it. */
static void copy_live(struct rig *r, const struct kit *live)
{
    struct dirs d;

    r->kit = calloc(1, sizeof *r->kit);
    assert_non_null(r->kit);
    tmpdir_make(&r->kit->tmp);
    dirs_copy(&live->tmp, &r->kit->tmp);
    dirs_list(&d, &r->kit->tmp);
    for (size_t i = 0; i < d.count; i++) {
        if (strncmp(d.names[i], ".reader-", 8) == 0) {
            char path[TMPDIR_PATH_SIZE];

            tmpdir_path(&r->kit->tmp, d.names[i], path);
            assert_int_equal(unlink(path), 0);
        }
    }
    dirs_free(&d);
}

static int set_up(void **state, void (*fill)(struct rig *r, struct kit *k))
{
    struct rig *r = calloc(1, sizeof *r);
    struct kit *live;
    void *p = NULL;
    stele_error err;

    assert_non_null(r);
    (void)kit_set_up(&p);
    live = p;
    kit_close(live);
    live->options.readers_max = 16;
    kit_open(live);
    fill(r, live);
    copy_live(r, live);
    (void)kit_tear_down(&p);
    CHECK_OK(stele_store_check_dir(r->kit->tmp.path, NULL, NULL, NULL, NULL, &err), &err);
    dirs_list(&r->files, &r->kit->tmp);
    *state = r;
    return 0;
}

static int set_up_data(void **state)
{
    return set_up(state, write_data);
}

static int set_up_log(void **state)
{
    return set_up(state, write_log);
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    history_free(&r->history);
    dirs_free(&r->files);
    tmpdir_remove(&r->kit->tmp);
    free(r->kit);
    free(r);
    return 0;
}

/* Undamaged, all of it is there, in both ways. */
static void test_whole(void **state)
{
    struct rig *r = *state;
    uint8_t stage = NOT_TRIED;

    for (int wal = 0; wal < 2; wal++) {
        r->history.logged = wal == 1;
        assert_int_equal(look(r, &stage), HARMLESS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_whole, set_up_data, tear_down),
            cmocka_unit_test_setup_teardown(test_whole, set_up_log, tear_down),
            cmocka_unit_test_setup_teardown(test_data, set_up_data, tear_down),
            cmocka_unit_test_setup_teardown(test_log, set_up_log, tear_down),
    };

    /* Where files are in memory, if there is such a place: nothing here is synced. */
    if (access("/dev/shm", W_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 0);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
