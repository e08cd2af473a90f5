/* SPDX-License-Identifier: MIT
 *
 * cmd_store_copy.c: `stele store snapshot`, `restore`, `defrag`.
 */
#include "cli/cmd_store.h"
#include "cli/output.h"
#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    FILE_AT = 1 /* among the operands */
};

/* ---- snapshot ---- */

static stele_code save(
        const struct sti_run *run, stele_store *s, uint64_t *written, stele_error *err)
{
    const struct sti_store_args *args = run->args;
    stele_store_snapshot_options opts;
    stele_store_snapshot *snapshot = NULL;
    stele_code code = stele_store_snapshot_open(&snapshot, s, err);

    if (code != STELE_OK) {
        return code;
    }
    stele_store_snapshot_options_init(&opts);
    opts.zstd = args->zstd;
    code = stele_store_snapshot_save(snapshot, run->operands->items[FILE_AT], &opts, written, err);
    stele_store_snapshot_close(snapshot);
    return code;
}

stele_code sti_store_snapshot_verb(const struct sti_run *run, stele_error *err)
{
    stele_store *s = NULL;
    uint64_t written = 0;
    stele_code code = sti_store_open_reader(run, &s, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_store_done(s, save(run, s, &written, err), err);
    if (code == STELE_OK) {
        sti_store_print_ok(run);
        if (!run->json) {
            sti_row_uint("bytes", written);
        }
    }
    return code;
}

/* ---- restore ---- */

static stele_code read_file(void *arg, void *data, size_t len, size_t *got, stele_error *err)
{
    const int *fd = arg;
    ssize_t n;

    do {
        n = read(*fd, data, len);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return sti_cli_fail_errno(err, errno, "the snapshot");
    }
    *got = (size_t)n;
    return STELE_OK;
}

static stele_code open_file(const char *path, int *fd, stele_error *err)
{
    *fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 && errno == ENOENT) {
        return sti_cli_fail(err, STELE_ENOTFOUND, "%s: no such file", path);
    }
    return *fd >= 0 ? STELE_OK : sti_cli_fail_errno(err, errno, path);
}

stele_code sti_store_restore_verb(const struct sti_run *run, stele_error *err)
{
    stele_store_contents contents = {0};
    stele_store_options opts;
    stele_env env;
    int fd = -1;
    stele_code code = open_file(run->operands->items[FILE_AT], &fd, err);

    if (code != STELE_OK) {
        return code;
    }
    sti_store_writer_options(run->args, &env, &opts);
    opts.create_dirs = true;
    code = stele_store_restore(run->operands->items[0], read_file, &fd, &opts, &contents, err);
    if (fd != STDIN_FILENO) {
        (void)close(fd);
    }
    if (code == STELE_OK) {
        sti_store_print_ok(run);
        if (!run->json) {
            sti_row_uint("buckets", contents.buckets);
            sti_row_uint("keys", contents.keys);
        }
    }
    return code;
}

/* ---- defrag ---- */

/* What would be left, about. */
static stele_code try_defrag(
        const struct sti_run *run, uint64_t *before, uint64_t *after, stele_error *err)
{
    stele_store *s = NULL;
    stele_code code = sti_store_open_reader(run, &s, err);

    if (code != STELE_OK) {
        return code;
    }
    code = stele_store_size(s, before, err);
    code = code == STELE_OK ? stele_store_size_in_use(s, after, err) : code;
    return sti_store_done(s, code, err);
}

static stele_code defrag(
        const struct sti_run *run, uint64_t *before, uint64_t *after, stele_error *err)
{
    stele_store *s = NULL;
    stele_code code = sti_store_open_writer(run, STI_STORE_MUST_EXIST, &s, err);

    return code == STELE_OK
                   ? sti_store_done(s, stele_store_defrag(s, NULL, before, after, err), err)
                   : code;
}

stele_code sti_store_defrag_verb(const struct sti_run *run, stele_error *err)
{
    const struct sti_store_args *args = run->args;
    const bool dry_run = args->common.dry_run;
    uint64_t before = 0;
    uint64_t after = 0;
    struct sti_json j;
    stele_code code = (dry_run ? try_defrag : defrag)(run, &before, &after, err);

    if (code != STELE_OK) {
        return code;
    }
    if (run->json) {
        j = sti_json_begin(stdout);
        sti_json_uint(&j, "before", before);
        sti_json_uint(&j, "after", after);
        sti_json_dry_run(&j, dry_run);
        sti_json_end(&j);
    } else {
        sti_row_uint("before", before);
        sti_row_uint("after", after);
        sti_row_dry_run(dry_run);
    }
    return STELE_OK;
}
