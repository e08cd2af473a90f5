/* SPDX-License-Identifier: MIT
 *
 * peers_test.c: the file of known peers: whole or refused, whatever happened while it was written.
 */
#include "nats/peers.h"

#include <stele/nats.h>

#include "lib/check.h"
#include "lib/tmpdir.h"
#include "nats/memory.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    KILLS = 40
};

static void add(struct sti_nats_peers *p, unsigned number)
{
    char name[32];

    (void)snprintf(name, sizeof name, "peer %u.\n", number);
    assert_non_null(sti_nats_peers_add(p, name));
}

static stele_dir *open_dir(const struct tmpdir *t)
{
    const stele_vfs *vfs = stele_vfs_posix();
    stele_dir *dir = NULL;

    assert_int_equal(vfs->ops->open_dir(vfs, t->path, 0, &dir), 0);
    return dir;
}

static void test_table(void **state)
{
    struct sti_nats_peers p = {.list = NULL};
    char name[32];

    (void)state;
    for (unsigned i = 0; i < STELE_NATS_PEERS_MAX; i++) {
        add(&p, i * 7919 % STELE_NATS_PEERS_MAX);
    }
    assert_int_equal(p.count, STELE_NATS_PEERS_MAX);
    add(&p, 5);
    assert_int_equal(p.count, STELE_NATS_PEERS_MAX);
    assert_null(sti_nats_peers_add(&p, "one too many"));
    for (size_t i = 1; i < p.count; i++) {
        assert_true(strcmp(p.list[i - 1]->name, p.list[i]->name) < 0);
    }
    (void)snprintf(name, sizeof name, "peer %u.\n", 17U);
    assert_non_null(sti_nats_peers_find(&p, name));
    assert_null(sti_nats_peers_find(&p, "nobody"));
    sti_nats_peers_free(&p);
}

/* Each bit flipped, and each length: never other names than those that were written. */
static void test_damage(void **state)
{
    struct sti_nats_peers p = {.list = NULL};
    stele_buf content;
    stele_error err;

    (void)state;
    stele_buf_init(&content, SIZE_MAX);
    for (unsigned i = 0; i < 5; i++) {
        add(&p, i);
    }
    CHECK_OK(sti_nats_peers_write(&p, &content, &err), &err);
    for (size_t bit = 0; bit < content.len * 8; bit++) {
        struct sti_nats_peers q = {.list = NULL};

        content.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK_CODE(sti_nats_peers_read(&q, stele_buf_view(&content), &err), STELE_ECORRUPT);
        assert_string_equal(err.file, "peers");
        content.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        sti_nats_peers_free(&q);
    }
    for (size_t len = 0; len <= content.len; len++) {
        struct sti_nats_peers q = {.list = NULL};

        CHECK_CODE(sti_nats_peers_read(&q, stele_bytes_of(content.data, len), &err),
                len == content.len ? STELE_OK : STELE_ECORRUPT);
        assert_true(len < content.len || q.count == 5);
        sti_nats_peers_free(&q);
    }
    stele_buf_free(&content);
    sti_nats_peers_free(&p);
}

static size_t load(stele_dir *dir)
{
    struct sti_nats_peers p = {.list = NULL};
    stele_buf content;
    stele_error err;
    size_t count;

    stele_buf_init(&content, SIZE_MAX);
    CHECK_OK(sti_nats_peers_load(dir, &content, &err), &err);
    if (!stele_is_nil(stele_buf_view(&content))) {
        CHECK_OK(sti_nats_peers_read(&p, stele_buf_view(&content), &err), &err);
    }
    count = p.count;
    stele_buf_free(&content);
    sti_nats_peers_free(&p);
    return count;
}

/* Saves with one more name each time, for ever, and says through the pipe how many are safe. */
static void save_for_ever(const struct tmpdir *t, unsigned known, int pipe_end)
{
    stele_dir *dir = open_dir(t);
    struct sti_nats_peers p = {.list = NULL};

    for (unsigned i = 0;; i++) {
        stele_buf content;

        if (p.count < STELE_NATS_PEERS_MAX) {
            add(&p, i);
        }
        if (i < known) {
            continue;
        }
        stele_buf_init(&content, SIZE_MAX);
        if (sti_nats_peers_write(&p, &content, NULL) != STELE_OK ||
                sti_nats_peers_save(dir, stele_buf_view(&content), NULL) != STELE_OK ||
                write(pipe_end, &p.count, sizeof p.count) != (ssize_t)sizeof p.count) {
            _exit(1);
        }
        stele_buf_free(&content);
    }
}

/* Killed at whatever moment, the file is whole, and has what was said to be safe. */
static void test_kill(void **state)
{
    struct tmpdir t;
    stele_dir *dir;
    size_t known = 0;

    (void)state;
    tmpdir_make(&t);
    dir = open_dir(&t);
    for (unsigned i = 0; i < KILLS; i++) {
        struct timespec nap = {.tv_nsec = (long)(200000 + i * 137003 % 3000000)};
        size_t said = 0;
        size_t value;
        int ends[2];
        pid_t child;

        assert_int_equal(pipe(ends), 0);
        child = fork();
        if (child == 0) {
            save_for_ever(&t, (unsigned)known, ends[1]);
        }
        close(ends[1]);
        assert_int_equal(read(ends[0], &said, sizeof said), sizeof said);
        (void)nanosleep(&nap, NULL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(ends[0], &value, sizeof value) == (ssize_t)sizeof value) {
            said = value;
        }
        close(ends[0]);
        known = load(dir);
        assert_true(known >= said);
    }
    (void)dir->ops->close(dir);
    tmpdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_damage),
            cmocka_unit_test(test_kill)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
