/* SPDX-License-Identifier: MIT
 *
 * wal_test.c: what check says of the log of durable batches.
 */
#include "dirs.h"
#include "told.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* As a kill would leave it: what is committed, and records beyond it. */
static struct kit *killed(struct kit *k)
{
    struct kit *dead = calloc(1, sizeof *dead);

    assert_non_null(dead);
    told_put_durable(k, "one");
    kit_commit(k);
    told_put_durable(k, "two");
    told_put_durable(k, "three");
    kit_commit(k);
    told_put_durable(k, "four");
    told_put_durable(k, "five");
    tmpdir_make(&dead->tmp);
    dead->options = k->options;
    dirs_copy(&k->tmp, &dead->tmp);
    return dead;
}

static void bury(struct kit *dead)
{
    void *p = dead;

    (void)kit_tear_down(&p);
}

/* The segment of the wal that has a text in it, and where. */
static size_t find_segment(const struct kit *k, const char *text, char out[TMPDIR_PATH_SIZE])
{
    struct dirs d;
    size_t found = SIZE_MAX;

    dirs_list(&d, &k->tmp);
    for (size_t i = 0; i < d.count && found == SIZE_MAX; i++) {
        size_t len = 0;
        uint8_t *bytes;

        if (strncmp(d.names[i], "wal/", 4) != 0) {
            continue;
        }
        bytes = tmpdir_read(&k->tmp, d.names[i], &len);
        for (size_t at = 0; at + strlen(text) <= len && found == SIZE_MAX; at++) {
            found = memcmp(bytes + at, text, strlen(text)) == 0 ? at : SIZE_MAX;
        }
        (void)snprintf(out, TMPDIR_PATH_SIZE, "%s", d.names[i]);
        free(bytes);
    }
    dirs_free(&d);
    assert_int_not_equal(found, SIZE_MAX);
    return found;
}

static void test_wal(void **state)
{
    struct kit *k = *state;
    struct kit *dead = killed(k);
    char name[TMPDIR_PATH_SIZE];
    char path[TMPDIR_PATH_SIZE];
    size_t len = 0;
    size_t at;
    uint8_t *bytes;
    stele_error err;
    struct told t;

    told_check_whole(dead, 1, 3);
    /* A byte of a record that a later one says was durable. */
    at = find_segment(dead, "four", name);
    bytes = tmpdir_read(&dead->tmp, name, &len);
    tmpdir_flip(&dead->tmp, name, 8 * at);
    told_check_fault(dead, "wal/");
    CHECK_OK(told_scrub(dead, &t, NULL, &err), &err);
    tmpdir_flip(&dead->tmp, name, 8 * at);
    told_check_whole(dead, 1, 3);
    tmpdir_path(&dead->tmp, name, path);
    assert_int_equal(unlink(path), 0);
    told_check_fault(dead, "wal/");
    tmpdir_write(&dead->tmp, name, bytes, len);
    told_check_whole(dead, 1, 3);
    kit_open(dead);
    kit_check_now(dead, "logged",
            "five=in the log of the store four=in the log of the store one=in the log of the store "
            "three=in the log of the store two=in the log of the store");
    kit_close(dead);
    told_check_whole(dead, 1, 5);
    free(bytes);
    bury(dead);
}

/* An older wal, or none, in the place of that which the commit knows of. */
static void test_wal_of_another_time(void **state)
{
    struct kit *k = *state;
    struct kit *dead = NULL;
    struct kit old = {.s = NULL};
    struct dirs d;
    char path[TMPDIR_PATH_SIZE];

    told_put_durable(k, "zero");
    tmpdir_make(&old.tmp);
    dirs_copy(&k->tmp, &old.tmp);
    dead = killed(k);
    dirs_list(&d, &dead->tmp);
    for (size_t i = 0; i < d.count; i++) {
        if (strncmp(d.names[i], "wal/", 4) == 0) {
            tmpdir_path(&dead->tmp, d.names[i], path);
            assert_int_equal(unlink(path), 0);
        }
    }
    dirs_free(&d);
    told_check_fault(dead, "the log of durable batches is missing");
    tmpdir_path(&dead->tmp, "wal", path);
    assert_int_equal(rmdir(path), 0);
    told_check_fault(dead, "the log of durable batches is missing");
    tmpdir_mkdir(&dead->tmp, "wal");
    dirs_list(&d, &old.tmp);
    for (size_t i = 0; i < d.count; i++) {
        if (strncmp(d.names[i], "wal/", 4) == 0) {
            size_t len = 0;
            uint8_t *bytes = tmpdir_read(&old.tmp, d.names[i], &len);

            tmpdir_write(&dead->tmp, d.names[i], bytes, len);
            free(bytes);
        }
    }
    dirs_free(&d);
    told_check_fault(dead, "is committed");
    tmpdir_remove(&old.tmp);
    bury(dead);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_wal, kit_set_up, kit_tear_down),
            cmocka_unit_test_setup_teardown(test_wal_of_another_time, kit_set_up, kit_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
