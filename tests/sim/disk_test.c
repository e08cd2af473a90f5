/* SPDX-License-Identifier: MIT
 *
 * disk_test.c: what the simulated disk keeps and loses.
 */
#include "sim/disk.h"

#include "lib/check.h"
#include "sim/crash.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CREATE = STELE_OPEN_WRITE | STELE_OPEN_CREATE
};

struct fixture {
    struct sim_disk *disk;
    stele_dir *dir;
};

static struct fixture start(const struct sim_disk_options *options)
{
    struct fixture x = {sim_disk_new(options), NULL};
    const stele_vfs *v = sim_disk_vfs(x.disk);

    assert_int_equal(v->ops->open_dir(v, "/d", STELE_OPEN_CREATE, &x.dir), 0);
    return x;
}

static void finish(struct fixture *x)
{
    assert_int_equal(x->dir->ops->close(x->dir), 0);
    assert_int_equal(sim_disk_open_count(x->disk), 0);
    sim_disk_free(x->disk);
}

static stele_file *open_file(struct fixture *x, const char *name)
{
    stele_file *f = NULL;

    assert_int_equal(x->dir->ops->open(x->dir, name, CREATE, &f), 0);
    return f;
}

static int64_t put(stele_file *f, const void *data, size_t len, uint64_t at)
{
    stele_slice slice = {data, len};

    return f->ops->pwritev(f, &slice, 1, at);
}

static void fill(stele_file *f, char c, size_t len, uint64_t at)
{
    char bytes[8192];

    assert_true(len <= sizeof bytes);
    memset(bytes, c, len);
    assert_int_equal(put(f, bytes, len, at), len);
}

static void sync_all(struct fixture *x, stele_file *f)
{
    assert_int_equal(f->ops->sync(f, true), 0);
    assert_int_equal(x->dir->ops->sync(x->dir), 0);
}

/* ---- Looking at all crash states. ---- */

/* Calls look() for each subset of what is optional after the last operation. */
static unsigned every_state(
        struct sim_disk *d, void (*look)(void *arg, const struct sim_image *image), void *arg)
{
    struct sim_cursor *c = sim_cursor_new(d);
    size_t n = sim_cursor_seek(c, sim_disk_ops(d));
    uint8_t keep[16];

    assert_true(n <= 12);
    for (unsigned mask = 0; mask < 1U << n; mask++) {
        struct sim_image *image;
        uint64_t hash;

        for (size_t i = 0; i < n; i++) {
            keep[i] = (uint8_t)(mask >> i & 1);
        }
        hash = sim_cursor_choose(c, keep);
        image = sim_cursor_image(c);
        assert_int_equal(hash, image->hash);
        look(arg, image);
        sim_image_unref(image);
    }
    sim_cursor_free(c);
    return 1U << n;
}

/* The first byte of each sector of a file as a string; '0' for zeros, NULL if
 * there is no such file. Borrowed until the next call. */
static const char *sketch(const struct sim_image *image, const char *name)
{
    static char text[64];

    for (uint32_t i = 0; i < image->entry_count; i++) {
        uint64_t size;
        uint8_t *bytes;
        size_t len = 0;

        if (strcmp(image->entries[i].name, name) != 0) {
            continue;
        }
        bytes = sim_image_read(image, i, &size);
        for (uint64_t at = 0; at < size; at += image->sector_size) {
            text[len++] = bytes[at] == 0 ? '0' : (char)bytes[at];
        }
        text[len] = '\0';
        free(bytes);
        return text;
    }
    return NULL;
}

/* Counts the states of "file" that look like each of these; others fail. */
struct expected {
    const char *name;
    const char *sketches[8]; /* "-" for no file */
    unsigned counts[8];
};

static void count_state(void *arg, const struct sim_image *image)
{
    struct expected *e = arg;
    const char *got = sketch(image, e->name);

    got = got == NULL ? "-" : got;
    for (size_t i = 0; i < 8 && e->sketches[i] != NULL; i++) {
        if (strcmp(e->sketches[i], got) == 0) {
            e->counts[i]++;
            return;
        }
    }
    fail_msg("unexpected state of %s: %s", e->name, got);
}

/* Each of the states occurs, and no other. */
static void expect_states(struct sim_disk *d, struct expected e)
{
    (void)every_state(d, count_state, &e);
    for (size_t i = 0; i < 8 && e.sketches[i] != NULL; i++) {
        if (e.counts[i] == 0) {
            fail_msg("no state of %s is %s", e.name, e.sketches[i]);
        }
    }
}

/* ---- Tests. ---- */

static void a_name_needs_its_own_sync(void **state)
{
    struct fixture x = start(NULL);
    stele_file *f = open_file(&x, "f");

    (void)state;
    fill(f, 'a', 512, 0);
    expect_states(x.disk, (struct expected){"f", {"-", "", "0", "a"}, {0}});
    assert_int_equal(f->ops->sync(f, true), 0);
    expect_states(x.disk, (struct expected){"f", {"-", "a"}, {0}});
    assert_int_equal(x.dir->ops->sync(x.dir), 0);
    expect_states(x.disk, (struct expected){"f", {"a"}, {0}});
    assert_int_equal(f->ops->close(f), 0);
    finish(&x);
}

static void writes_are_torn_by_sectors(void **state)
{
    struct fixture x = start(NULL);
    stele_file *f = open_file(&x, "f");

    (void)state;
    fill(f, 'a', 1024, 0);
    sync_all(&x, f);
    fill(f, 'b', 1024, 0);
    expect_states(x.disk, (struct expected){"f", {"aa", "ab", "ba", "bb"}, {0}});
    fill(f, 'c', 512, 512);
    expect_states(x.disk, (struct expected){"f", {"aa", "ab", "ac", "ba", "bb", "bc"}, {0}});
    sync_all(&x, f);
    /* Bytes that share a sector with older ones go with them. */
    assert_int_equal(put(f, "dd", 2, 511), 2);
    expect_states(x.disk, (struct expected){"f", {"bc", "bd"}, {0}});
    assert_int_equal(f->ops->close(f), 0);
    finish(&x);
}

static void sizes_are_apart_from_content(void **state)
{
    struct fixture x = start(NULL);
    stele_file *f = open_file(&x, "f");

    (void)state;
    sync_all(&x, f);
    fill(f, 'a', 1024, 0);
    expect_states(x.disk, (struct expected){"f", {"", "00", "0a", "a0", "aa"}, {0}});
    sync_all(&x, f);
    assert_int_equal(f->ops->allocate(f, 0, 2048), 0);
    expect_states(x.disk, (struct expected){"f", {"aa", "aa00"}, {0}});
    assert_int_equal(f->ops->close(f), 0);
    finish(&x);
}

static void what_was_cut_is_back_only_if_the_cut_is_lost(void **state)
{
    struct fixture x = start(NULL);
    stele_file *f = open_file(&x, "f");

    (void)state;
    fill(f, 'a', 1536, 0);
    sync_all(&x, f);
    assert_int_equal(f->ops->truncate(f, 512), 0);
    expect_states(x.disk, (struct expected){"f", {"aaa", "a"}, {0}});
    assert_int_equal(f->ops->truncate(f, 1024), 0);
    expect_states(x.disk, (struct expected){"f", {"aaa", "a", "aa", "a0"}, {0}});
    assert_int_equal(f->ops->sync(f, true), 0);
    expect_states(x.disk, (struct expected){"f", {"a0"}, {0}});
    assert_int_equal(f->ops->truncate(f, 100), 0);
    assert_int_equal(f->ops->sync(f, true), 0);
    assert_int_equal(f->ops->truncate(f, 1536), 0);
    expect_states(x.disk, (struct expected){"f", {"a", "a00"}, {0}});
    assert_int_equal(f->ops->close(f), 0);
    finish(&x);
}

static void a_rename_is_whole(void **state)
{
    struct fixture x = start(NULL);
    stele_file *old = open_file(&x, "f");
    stele_file *f;

    (void)state;
    fill(old, 'a', 512, 0);
    sync_all(&x, old);
    f = open_file(&x, "f.tmp");
    fill(f, 'b', 512, 0);
    assert_int_equal(f->ops->sync(f, true), 0);
    assert_int_equal(x.dir->ops->rename(x.dir, "f.tmp", "f"), 0);
    expect_states(x.disk, (struct expected){"f", {"a", "b"}, {0}});
    expect_states(x.disk, (struct expected){"f.tmp", {"-", "b"}, {0}});
    assert_int_equal(x.dir->ops->sync(x.dir), 0);
    expect_states(x.disk, (struct expected){"f", {"b"}, {0}});
    expect_states(x.disk, (struct expected){"f.tmp", {"-"}, {0}});
    assert_int_equal(x.dir->ops->unlink(x.dir, "f"), 0);
    expect_states(x.disk, (struct expected){"f", {"b", "-"}, {0}});
    assert_int_equal(old->ops->close(old), 0);
    assert_int_equal(f->ops->close(f), 0);
    finish(&x);
}

/* The state of "b" when there is no "a": only possible without a journal. */
static void see_order(void *arg, const struct sim_image *image)
{
    unsigned *lone_b = arg;

    if (sketch(image, "a") == NULL && sketch(image, "b") != NULL) {
        (*lone_b)++;
    }
}

static void a_journal_keeps_a_prefix(void **state)
{
    struct sim_disk_options options = {.ordered = true};

    (void)state;
    for (int ordered = 0; ordered < 2; ordered++) {
        struct fixture x;
        stele_file *a;
        stele_file *b;
        unsigned lone_b = 0;

        options.ordered = ordered != 0;
        x = start(&options);
        a = open_file(&x, "a");
        b = open_file(&x, "b");
        (void)every_state(x.disk, see_order, &lone_b);
        assert_int_equal(lone_b > 0, !options.ordered);
        /* A sync of any file takes the names before it along. */
        assert_int_equal(a->ops->sync(a, true), 0);
        if (options.ordered) {
            expect_states(x.disk, (struct expected){"b", {""}, {0}});
        } else {
            expect_states(x.disk, (struct expected){"b", {"-", ""}, {0}});
        }
        assert_int_equal(a->ops->close(a), 0);
        assert_int_equal(b->ops->close(b), 0);
        finish(&x);
    }
}

static void a_failed_sync_loses_for_good(void **state)
{
    struct sim_fault fault = {.calls = SIM_CALL_SYNC, .at = 0, .error = EIO};
    struct sim_disk_options options = {.sector_size = 512};

    (void)state;
    for (int reverts = 0; reverts < 2; reverts++) {
        struct fixture x;
        stele_file *f;
        char c;

        options.sync_failure_reverts = reverts != 0;
        x = start(&options);
        f = open_file(&x, "f");
        fill(f, 'a', 512, 0);
        sync_all(&x, f);
        fill(f, 'b', 512, 0);
        sim_disk_set_fault(x.disk, &fault);
        assert_int_equal(f->ops->sync(f, true), -EIO);
        assert_int_equal(sim_disk_fault_hits(x.disk), 1);
        assert_int_equal(f->ops->sync(f, true), 0);
        assert_int_equal(f->ops->pread(f, &c, 1, 0), 1);
        assert_int_equal(c, reverts != 0 ? 'a' : 'b');
        expect_states(x.disk, (struct expected){"f", {"a"}, {0}});
        assert_int_equal(f->ops->close(f), 0);
        finish(&x);
    }
}

static void a_failed_sync_of_a_directory_loses_names(void **state)
{
    struct sim_fault fault = {.calls = SIM_CALL_DIR_SYNC, .at = 0, .error = EIO};
    struct fixture x = start(NULL);
    stele_file *f = open_file(&x, "f");

    (void)state;
    sim_disk_set_fault(x.disk, &fault);
    assert_int_equal(x.dir->ops->sync(x.dir), -EIO);
    assert_int_equal(x.dir->ops->sync(x.dir), 0);
    expect_states(x.disk, (struct expected){"f", {"-"}, {0}});
    assert_int_equal(f->ops->close(f), 0);
    finish(&x);
}

static void stores_through_a_map_are_seen(void **state)
{
    struct fixture x = start(NULL);
    stele_file *f = open_file(&x, "f");
    void *map = NULL;
    char *bytes;
    uint64_t op;

    (void)state;
    assert_int_equal(f->ops->allocate(f, 0, 1024), 0);
    sync_all(&x, f);
    assert_int_equal(f->ops->map(f, 4096, true, &map), 0);
    bytes = map;
    op = sim_disk_ops(x.disk);
    memset(bytes, 'm', 1024);
    /* Stores are one operation, found at the next call; not twice. */
    assert_int_equal(sim_disk_settle(x.disk), op + 1);
    assert_int_equal(sim_disk_settle(x.disk), op + 1);
    expect_states(x.disk, (struct expected){"f", {"00", "0m", "m0", "mm"}, {0}});
    assert_int_equal(f->ops->sync(f, true), 0);
    expect_states(x.disk, (struct expected){"f", {"mm"}, {0}});
    bytes[512] = 'n';
    assert_int_equal(f->ops->unmap(f, map, 4096), 0);
    expect_states(x.disk, (struct expected){"f", {"mm", "mn"}, {0}});
    /* Growing does not move the map. */
    assert_int_equal(f->ops->map(f, 65536, true, &map), 0);
    bytes = map;
    fill(f, 'g', 4096, 8192);
    assert_int_equal(bytes[8192], 'g');
    bytes[9000] = 'h';
    assert_int_equal(f->ops->sync(f, true), 0);
    assert_int_equal(f->ops->unmap(f, map, 65536), 0);
    assert_int_equal(f->ops->close(f), 0);
    finish(&x);
}

/* Whether a store at this place of a map kills the process. */
static bool store_is_deadly(char *at)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit none = {0, 0};

        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGBUS, SIG_DFL);
        *(volatile char *)at = 1;
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

static void forbidden_stores_are_deadly(void **state)
{
    struct fixture x = start(NULL);
    stele_file *f = open_file(&x, "f");
    void *map = NULL;
    char *bytes;
    void *second = NULL;

    (void)state;
    fill(f, 'a', 100, 0);
    assert_int_equal(f->ops->map(f, 1 << 20, false, &map), 0);
    bytes = map;
    assert_true(store_is_deadly(bytes));
    fill(f, 'b', 100, 0);
    assert_int_equal(bytes[0], 'b');
    assert_true(store_is_deadly(bytes));
    assert_int_equal(f->ops->map(f, 1 << 19, true, &second), 0);
    assert_false(store_is_deadly(bytes));
    /* In the last page nobody notices; behind it there is nothing. */
    assert_true(store_is_deadly(bytes + 65536));
    assert_int_equal(f->ops->truncate(f, 200000), 0);
    assert_false(store_is_deadly(bytes + 65536));
    assert_int_equal(f->ops->truncate(f, 100), 0);
    assert_true(store_is_deadly(bytes + 65536));
    assert_int_equal(f->ops->unmap(f, second, 1 << 19), 0);
    assert_true(store_is_deadly(bytes));
    assert_int_equal(f->ops->unmap(f, map, 1 << 20), 0);
    assert_int_equal(f->ops->close(f), 0);
    finish(&x);
}

static void faults_hit_the_call_that_was_named(void **state)
{
    struct sim_fault fault = {.calls = SIM_CALL_WRITE, .at = 1, .error = EIO};
    struct fixture x = start(NULL);
    stele_file *f = open_file(&x, "f");
    uint64_t calls = sim_disk_calls(x.disk, SIM_CALLS_ALL);
    char bytes[8];

    (void)state;
    sim_disk_set_fault(x.disk, &fault);
    assert_int_equal(put(f, "abcd", 4, 0), 4);
    assert_int_equal(f->ops->pread(f, bytes, 4, 0), 4);
    assert_int_equal(put(f, "efgh", 4, 0), -EIO);
    assert_int_equal(f->ops->pread(f, bytes, 4, 0), 4);
    assert_memory_equal(bytes, "abcd", 4);
    assert_int_equal(put(f, "efgh", 4, 0), 4);
    assert_int_equal(sim_disk_calls(x.disk, SIM_CALLS_ALL), calls + 5);
    assert_int_equal(sim_disk_calls(x.disk, SIM_CALL_WRITE), 3);
    fault = (struct sim_fault){.calls = SIM_CALL_WRITE | SIM_CALL_READ,
            .at = 1,
            .error = SIM_SHORT,
            .persistent = true};
    sim_disk_set_fault(x.disk, &fault);
    assert_int_equal(put(f, "ijkl", 4, 0), 4);
    assert_int_equal(put(f, "mnop", 4, 0), 2);
    assert_int_equal(f->ops->pread(f, bytes, 4, 0), 2);
    assert_int_equal(f->ops->pread(f, bytes, 1, 0), 1);
    assert_int_equal(sim_disk_fault_hits(x.disk), 3);
    fault = (struct sim_fault){.calls = SIM_CALLS_SPACE, .error = ENOSPC, .persistent = true};
    sim_disk_set_fault(x.disk, &fault);
    assert_int_equal(put(f, "x", 1, 0), -ENOSPC);
    assert_int_equal(f->ops->allocate(f, 0, 1), -ENOSPC);
    assert_int_equal(f->ops->pread(f, bytes, 4, 0), 4);
    assert_memory_equal(bytes, "mnkl", 4);
    sim_disk_power_off(x.disk);
    sim_disk_set_fault(x.disk, NULL);
    assert_int_equal(f->ops->pread(f, bytes, 4, 0), -EIO);
    assert_int_equal(f->ops->sync(f, true), -EIO);
    assert_int_equal(f->ops->close(f), 0);
    finish(&x);
}

static void a_disk_can_be_full(void **state)
{
    struct sim_disk_options options = {.capacity = 2048};
    struct fixture x = start(&options);
    stele_file *f = open_file(&x, "f");
    stele_file *g = open_file(&x, "g");

    (void)state;
    fill(f, 'a', 1000, 0);
    assert_int_equal(g->ops->allocate(g, 0, 1025), -ENOSPC);
    assert_int_equal(g->ops->allocate(g, 0, 1024), 0);
    assert_int_equal(put(f, "x", 1, 1024), -ENOSPC);
    /* What has its block can be written again, and what is cut makes room. */
    fill(f, 'b', 1024, 0);
    fill(g, 'c', 1024, 0);
    assert_int_equal(f->ops->truncate(f, 512), 0);
    assert_int_equal(put(g, "x", 1, 1024), 1);
    assert_int_equal(x.dir->ops->unlink(x.dir, "g"), 0);
    assert_int_equal(put(f, "x", 1, 512), -ENOSPC);
    assert_int_equal(g->ops->close(g), 0);
    assert_int_equal(put(f, "x", 1, 512), 1);
    assert_int_equal(f->ops->close(f), 0);
    finish(&x);
}

static void an_image_starts_another_disk(void **state)
{
    struct fixture x = start(NULL);
    stele_file *f = open_file(&x, "f");
    struct sim_image *image;
    struct sim_image *same;
    struct sim_disk *other;
    const stele_vfs *v;
    stele_dir *dir = NULL;
    char bytes[4];

    (void)state;
    fill(f, 'a', 700, 0);
    assert_int_equal(f->ops->close(f), 0);
    image = sim_disk_image(x.disk);
    other = sim_disk_of_image(image, NULL);
    same = sim_disk_image(other);
    assert_int_equal(image->hash, same->hash);
    sim_image_unref(same);
    v = sim_disk_vfs(other);
    assert_int_equal(v->ops->open_dir(v, "/d", 0, &dir), 0);
    assert_int_equal(dir->ops->open(dir, "f", STELE_OPEN_WRITE, &f), 0);
    assert_int_equal(f->ops->pread(f, bytes, 4, 698), 2);
    assert_memory_equal(bytes, "aa", 2);
    assert_int_equal(put(f, "b", 1, 600), 1);
    same = sim_disk_image(other);
    assert_int_not_equal(image->hash, same->hash);
    sim_image_unref(same);
    same = sim_crash_now(other, false);
    assert_int_equal(image->hash, same->hash);
    sim_image_unref(same);
    assert_int_equal(f->ops->close(f), 0);
    assert_int_equal(dir->ops->close(dir), 0);
    sim_disk_free(other);
    sim_image_unref(image);
    finish(&x);
}

/* ---- Threads. ---- */

enum {
    THREAD_ROUNDS = 300
};

struct threads {
    stele_file *file;
    uint8_t *map;
};

static void *store(void *arg)
{
    struct threads *t = arg;

    for (unsigned i = 0; i < THREAD_ROUNDS; i++) {
        memset(t->map + i % 8 * 512, (int)(1 + i % 255), 512);
    }
    return NULL;
}

static void *call(void *arg)
{
    struct threads *t = arg;
    uint8_t bytes[4096];

    for (unsigned i = 0; i < THREAD_ROUNDS; i++) {
        (void)t->file->ops->pread(t->file, bytes, sizeof bytes, 0);
        (void)put(t->file, "abc", 3, 5000 + i);
        (void)t->file->ops->sync(t->file, true);
    }
    return NULL;
}

static void threads_may_share_a_file(void **state)
{
    struct fixture x = start(NULL);
    struct threads t = {open_file(&x, "f"), NULL};
    pthread_t threads[3];
    void *map = NULL;

    (void)state;
    assert_int_equal(t.file->ops->allocate(t.file, 0, 8192), 0);
    assert_int_equal(t.file->ops->map(t.file, 8192, true, &map), 0);
    t.map = map;
    assert_int_equal(pthread_create(&threads[0], NULL, store, &t), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, call, &t), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, call, &t), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    sync_all(&x, t.file);
    assert_int_equal(t.map[512 * 3], 1 + (THREAD_ROUNDS - 1 - (THREAD_ROUNDS - 1 - 3) % 8) % 255);
    assert_int_equal(t.file->ops->unmap(t.file, map, 8192), 0);
    assert_int_equal(t.file->ops->close(t.file), 0);
    finish(&x);
}

/* ---- The cursor against a plain way to build the same states. ---- */

enum {
    MODEL_FILES = 40,
    MODEL_SIZE = 8192
};

struct model {
    uint8_t bytes[MODEL_FILES][MODEL_SIZE];
    uint64_t sizes[MODEL_FILES];
    char names[MODEL_FILES][SIM_NAME_SIZE]; /* "" for none */
};

static void model_apply(struct model *m, const struct sim_effect *e, uint32_t ss)
{
    uint8_t *bytes = m->bytes[e->file];

    switch (e->type) {
    case SIM_WRITE:
        memset(bytes + (size_t)e->sector * ss, 0, ss);
        if (e->image != NULL) {
            memcpy(bytes + (size_t)e->sector * ss, e->image->bytes, ss);
        }
        break;
    case SIM_SIZE:
        if (e->cut) {
            memset(bytes + e->size, 0, MODEL_SIZE - e->size);
        }
        m->sizes[e->file] = e->size;
        break;
    case SIM_LINK:
    case SIM_RENAME:
        for (int i = 0; i < MODEL_FILES; i++) {
            if (strcmp(m->names[i], e->name) == 0) {
                m->names[i][0] = '\0';
            }
        }
        (void)snprintf(m->names[e->file], SIM_NAME_SIZE, "%s", e->name);
        break;
    case SIM_UNLINK:
        if (strcmp(m->names[e->file], e->name) == 0) {
            m->names[e->file][0] = '\0';
        }
        break;
    }
}

static void compare_with_model(
        struct sim_disk *d, uint64_t op, const uint8_t *keep, const struct sim_image *image)
{
    struct model *m = sim_alloc(sizeof *m);
    struct sim_trace trace;
    uint32_t names = 0;
    size_t next = 0;

    sim_disk_trace(d, &trace);
    for (size_t i = 0; i < trace.effect_count && trace.effects[i].issued <= op; i++) {
        const struct sim_effect *e = &trace.effects[i];

        if (e->dropped > op && (e->durable <= op || keep[next++] != 0)) {
            model_apply(m, e, trace.sector_size);
        }
    }
    for (uint32_t i = 0; i < MODEL_FILES; i++) {
        names += m->names[i][0] != '\0' ? 1U : 0U;
    }
    assert_int_equal(names, image->entry_count);
    for (uint32_t i = 0; i < image->entry_count; i++) {
        uint64_t size;
        uint8_t *bytes = sim_image_read(image, i, &size);
        uint32_t file = 0;

        while (file < MODEL_FILES && strcmp(m->names[file], image->entries[i].name) != 0) {
            file++;
        }
        assert_true(file < MODEL_FILES);
        assert_int_equal(size, m->sizes[file]);
        assert_memory_equal(bytes, m->bytes[file], size);
        free(bytes);
    }
    free(m);
}

static uint64_t draw(uint64_t *random, uint64_t limit)
{
    *random += 0x9e3779b97f4a7c15ULL;
    return sim_mix(*random) % limit;
}

/* One random call on one of three files. */
static void random_call(struct fixture *x, uint64_t *random)
{
    char name[2] = {(char)('a' + draw(random, 3)), '\0'};
    char to[2] = {(char)('a' + draw(random, 3)), '\0'};
    char bytes[1500];
    stele_file *f;

    switch (draw(random, 8)) {
    case 0:
        (void)x->dir->ops->rename(x->dir, name, to);
        return;
    case 1:
        (void)x->dir->ops->unlink(x->dir, name);
        return;
    case 2:
        (void)x->dir->ops->sync(x->dir);
        return;
    default:
        break;
    }
    f = open_file(x, name);
    switch (draw(random, 4)) {
    case 0:
        assert_int_equal(f->ops->truncate(f, draw(random, 4000)), 0);
        break;
    case 1:
        (void)f->ops->sync(f, true);
        break;
    default:
        memset(bytes, (int)(1 + draw(random, 255)), sizeof bytes);
        assert_true(put(f, bytes, 1 + draw(random, sizeof bytes - 1), draw(random, 3000)) > 0);
        break;
    }
    assert_int_equal(f->ops->close(f), 0);
}

static void the_cursor_agrees_with_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct sim_fault fault = {.calls = SIM_CALLS_SYNC, .at = 5, .error = EIO};
        struct fixture x = start(NULL);
        struct sim_cursor *c;
        uint64_t random = seed;

        sim_disk_set_fault(x.disk, &fault);
        for (int i = 0; i < MODEL_FILES - 4; i++) {
            random_call(&x, &random);
        }
        c = sim_cursor_new(x.disk);
        for (uint64_t op = 0; op <= sim_disk_ops(x.disk); op++) {
            size_t n = sim_cursor_seek(c, op);
            uint8_t *keep = sim_alloc(n + 1);

            for (int i = 0; i < 6; i++) {
                struct sim_image *image;
                uint64_t hash;

                for (size_t j = 0; j < n; j++) {
                    keep[j] = (uint8_t)(i < 2 ? (unsigned)i : draw(&random, 2));
                }
                hash = sim_cursor_choose(c, keep);
                image = sim_cursor_image(c);
                assert_int_equal(hash, image->hash);
                compare_with_model(x.disk, op, keep, image);
                sim_image_seal(image);
                assert_int_equal(hash, image->hash);
                sim_image_unref(image);
            }
            free(keep);
        }
        sim_cursor_free(c);
        finish(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_name_needs_its_own_sync),
            cmocka_unit_test(writes_are_torn_by_sectors),
            cmocka_unit_test(sizes_are_apart_from_content),
            cmocka_unit_test(what_was_cut_is_back_only_if_the_cut_is_lost),
            cmocka_unit_test(a_rename_is_whole),
            cmocka_unit_test(a_journal_keeps_a_prefix),
            cmocka_unit_test(a_failed_sync_loses_for_good),
            cmocka_unit_test(a_failed_sync_of_a_directory_loses_names),
            cmocka_unit_test(stores_through_a_map_are_seen),
            cmocka_unit_test(forbidden_stores_are_deadly),
            cmocka_unit_test(faults_hit_the_call_that_was_named),
            cmocka_unit_test(a_disk_can_be_full),
            cmocka_unit_test(an_image_starts_another_disk),
            cmocka_unit_test(threads_may_share_a_file),
            cmocka_unit_test(the_cursor_agrees_with_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
