/* SPDX-License-Identifier: MIT
 *
 * vfs_test.c: the suite of vfs_suite.h on the real file system and on ours.
 */
#include "lib/check.h"
#include "lib/tmpdir.h"
#include "sim/disk.h"
#include "sim/vfs_suite.h"

static void on_posix(void **state)
{
    struct tmpdir t;

    (void)state;
    tmpdir_make(&t);
    vfs_suite_run(stele_vfs_posix(), t.path);
    tmpdir_remove(&t);
}

static void on_disk(const struct sim_disk_options *options)
{
    struct sim_disk *disk = sim_disk_new(options);
    const stele_vfs *v = sim_disk_vfs(disk);
    stele_dir *d = NULL;

    assert_int_equal(v->ops->open_dir(v, "/suite", STELE_OPEN_CREATE, &d), 0);
    assert_int_equal(d->ops->close(d), 0);
    vfs_suite_run(v, "/suite");
    assert_int_equal(sim_disk_open_count(disk), 0);
    sim_disk_free(disk);
}

static void on_simulated_disk(void **state)
{
    struct sim_disk_options options = {.sector_size = 512};

    (void)state;
    on_disk(NULL);
    options.sector_size = 4096;
    on_disk(&options);
    options.capacity = (uint64_t)1 << 20;
    on_disk(&options);
    options.no_allocate = true;
    options.no_trace = true;
    on_disk(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(on_posix),
            cmocka_unit_test(on_simulated_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
