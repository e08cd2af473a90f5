/* SPDX-License-Identifier: MIT
 *
 * room_test.c: commits that find no room, in the map or on the disk, and later do.
 */
#include "kit.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* The map is full: the commit is as if it had not been, and succeeds in a larger map. */
static void test_a_full_map(void **state)
{
    struct kit *k = *state;
    uint32_t b = kit_bucket(k, "b");
    struct sti_apply *a;
    struct sti_commit_record before = k->buckets->commit;
    static const uint8_t value[50000];
    stele_code code = STELE_OK;
    stele_error err;

    CHECK_OK(sti_lmdb_resize(k->lmdb, 256 << 10, &err), &err);
    a = kit_begin(k);
    for (uint8_t i = 0; i < 20 && code == STELE_OK; i++) {
        code = sti_apply_put(
                a, b, stele_bytes_of(&i, 1), stele_bytes_of(value, sizeof value), &err);
    }
    CHECK_CODE(code, STELE_ETOOBIG);
    sti_apply_abort(a);
    assert_memory_equal(&before, &k->buckets->commit, sizeof before);
    CHECK_OK(sti_lmdb_resize(k->lmdb, 64 << 20, &err), &err);
    a = kit_begin(k);
    for (uint8_t i = 0; i < 20; i++) {
        CHECK_OK(sti_apply_put(
                         a, b, stele_bytes_of(&i, 1), stele_bytes_of(value, sizeof value), &err),
                &err);
    }
    kit_commit(k, a);
    assert_int_equal(kit_find(k, b)->keys, 20);
    kit_check_whole(k);
}

/* ---- A full disk, in a child with a file system of its own. ---- */

enum {
    CANNOT = 77, /* this machine does not let us have one */
    BALLAST = 1 << 20
};

static stele_code fill(struct kit *k, uint32_t b, unsigned i, stele_error *err)
{
    const struct sti_apply_mark mark = {.seq = k->seq + 1, .next_bucket = 2};
    static const uint8_t value[30000];
    struct sti_apply *a = kit_begin(k);
    char key[32];
    stele_code code = sti_apply_put(
            a, b, kit_numbered(key, "key", i), stele_bytes_of(value, sizeof value), err);

    if (code != STELE_OK) {
        sti_apply_abort(a);
        return code;
    }
    code = sti_apply_commit(a, &mark, err);
    k->seq += code == STELE_OK ? 1 : 0;
    return code;
}

/* More readers than one page of their table holds. */
static void read_from_a_full_disk(struct kit *k)
{
    struct sti_lmdb_txn *txns[300];
    stele_error err;

    for (size_t i = 0; i < 300; i++) {
        CHECK_OK(sti_lmdb_begin(&txns[i], k->lmdb, false, &err), &err);
    }
    for (size_t i = 0; i < 300; i++) {
        sti_lmdb_abort(txns[i]);
    }
    kit_close(k);
    kit_open(k);
}

static void fill_a_disk(struct kit *k)
{
    static uint8_t ballast[BALLAST];
    uint32_t b = kit_bucket(k, "b");
    char path[TMPDIR_PATH_SIZE];
    struct sti_commit_record before;
    stele_code code = STELE_OK;
    unsigned i = 0;
    stele_error err;

    tmpdir_write(&k->tmp, "ballast", ballast, sizeof ballast);
    while (code == STELE_OK && i < 1000) {
        before = k->buckets->commit;
        code = fill(k, b, i++, &err);
    }
    CHECK_CODE(code, STELE_ENOSPC);
    assert_true(i > 10);
    for (int again = 0; again < 3; again++) {
        assert_memory_equal(&before, &k->buckets->commit, sizeof before);
        kit_check_whole(k);
        CHECK_CODE(fill(k, b, i - 1, &err), STELE_ENOSPC);
        read_from_a_full_disk(k);
    }
    tmpdir_path(&k->tmp, "ballast", path);
    assert_int_equal(remove(path), 0);
    CHECK_OK(fill(k, b, i - 1, &err), &err);
    assert_int_equal(kit_find(k, b)->keys, i);
    kit_check_whole(k);
    kit_close(k);
    kit_open(k);
    kit_check_whole(k);
}

static int child_with_a_disk(void)
{
    struct tmpdir place;
    void *state = NULL;

    tmpdir_make(&place);
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        tmpdir_remove(&place);
        return CANNOT;
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("none", place.path, "tmpfs", 0, "size=3m") != 0 ||
            setenv("TMPDIR", place.path, 1) != 0) {
        tmpdir_remove(&place);
        return CANNOT;
    }
    (void)kit_set_up(&state);
    fill_a_disk(state);
    (void)kit_tear_down(&state);
    (void)umount(place.path);
    tmpdir_remove(&place);
    return 0;
}

static void test_a_full_disk(void **state)
{
    int status = 0;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(child_with_a_disk());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT) {
        print_message("SKIPPED: no file system of its own can be mounted here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(test_a_full_map),
            cmocka_unit_test(test_a_full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
