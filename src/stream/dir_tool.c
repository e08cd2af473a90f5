/* SPDX-License-Identifier: MIT
 *
 * dir_tool.c: segments of a directory and their files.
 */
#include "stream/dir_tool.h"

#include "base/alloc.h"
#include "base/env.h"
#include "base/error.h"
#include "stream/index_file.h"

#include <string.h>

stele_code sti_tool_open(struct sti_tool *tool, const char *path, const stele_stream_options *opts,
        bool writes, stele_error *err)
{
    stele_code rc;

    memset(tool, 0, sizeof *tool);
    if (path == NULL) {
        return sti_fail(err, STELE_EINVAL, "no directory given");
    }
    if (opts == NULL) {
        stele_stream_options_init(&tool->opts);
        tool->opts.index_auto = true;
    } else {
        rc = sti_options_copy(&tool->opts, sizeof tool->opts, opts, "stele_stream_options", err);
        if (rc != STELE_OK) {
            return rc;
        }
    }
    tool->strict = !tool->opts.index_auto;
    rc = sti_dir_open(&tool->dir, tool->opts.env, path, STELE_OPEN_READ, err);
    if (rc == STELE_OK && writes && !tool->opts.dry_run) {
        rc = sti_lock_take(
                &tool->lock, &tool->dir, STI_LOCK_NAME, true, tool->opts.lock_wait_ms, err);
    }
    if (rc != STELE_OK) {
        sti_tool_close(tool);
    }
    return rc;
}

void sti_tool_close(struct sti_tool *tool)
{
    sti_file_close(&tool->lock);
    sti_dir_close(&tool->dir);
}

/* What a segment's index tells of its parameters. *certain is false for an
 * index of version 1 with one item: a longer item that was cut looks like it. */
static stele_code params_of(struct sti_dir *dir, int64_t base, struct sti_index_params *params,
        bool *found, bool *certain, stele_error *err)
{
    char name[STI_NAME_SIZE];
    stele_file_stat st;
    stele_code rc;

    *found = sti_index_detect(dir, base, params);
    *certain = false;
    if (!*found) {
        return STELE_OK;
    }
    sti_name_index(name, base);
    rc = sti_dir_stat(dir, name, &st, err);
    *certain = rc == STELE_OK && st.size != sti_index_item_size(*params);
    return rc == STELE_ENOTFOUND ? STELE_OK : rc;
}

stele_code sti_params_guess_of(struct sti_params_guess *out, struct sti_dir *dir,
        const struct sti_bases *bases, const stele_stream_options *opts, bool strict,
        stele_error *err)
{
    struct sti_index_params given = {.times = opts->time_index, .keys = opts->key_index};
    struct sti_params_guess guess = {.params = given, .known = strict || given.times || given.keys};
    size_t size = 0;

    for (size_t i = 0; i < bases->count; i++) {
        struct sti_index_params params;
        bool found;
        bool certain;
        stele_code rc = params_of(dir, bases->bases[i], &params, &found, &certain, err);

        if (rc != STELE_OK) {
            return rc;
        }
        if (strict && certain && (params.times != given.times || params.keys != given.keys)) {
            char name[STI_NAME_SIZE];

            sti_name_index(name, bases->bases[i]);
            return sti_fail_at(err, STELE_EMISMATCH, name, -1,
                    "the index holds %s and %s, the options say otherwise",
                    params.times ? "times" : "no times", params.keys ? "keys" : "no keys");
        }
        /* All segments have the same; damage only ever makes items look shorter. */
        if (found && !strict && sti_index_item_size(params) >= size) {
            size = sti_index_item_size(params);
            guess.params = params;
            guess.known = true;
        }
    }
    *out = guess;
    return STELE_OK;
}

stele_code sti_loaded_read(struct sti_loaded *out, struct sti_dir *dir, int64_t base,
        const struct sti_params_guess *guess, stele_error *err)
{
    struct sti_loaded files = {.base = base};
    char name[STI_NAME_SIZE];
    stele_code rc;

    sti_name_log(name, base);
    rc = sti_stream_read_file(dir, name, &files.log, &files.log_len, err);
    if (rc != STELE_OK) {
        return rc;
    }
    sti_name_index(name, base);
    rc = sti_stream_read_file(dir, name, &files.index, &files.index_len, err);
    if (rc != STELE_OK && rc != STELE_ENOTFOUND) {
        sti_loaded_free(&files);
        return rc;
    }
    files.params = guess->params;
    files.params_known = guess->known;
    *out = files;
    return STELE_OK;
}

void sti_loaded_free(struct sti_loaded *files)
{
    sti_free(files->log);
    sti_free(files->index);
    memset(files, 0, sizeof *files);
}

stele_code sti_log_replace(struct sti_dir *dir, const char *temporary, const char *name,
        stele_bytes bytes, bool sync, stele_error *err)
{
    struct sti_file f = {0};
    /* What a crash left under that name must not become a part of the log. */
    stele_code rc = sti_dir_unlink(dir, temporary, NULL, err);

    if (rc == STELE_OK) {
        rc = sti_file_open(
                &f, dir, temporary, STELE_OPEN_WRITE | STELE_OPEN_CREATE | STELE_OPEN_EXCL, err);
    }
    if (rc == STELE_OK && bytes.len > 0) {
        rc = sti_file_write(&f, 0, bytes.data, bytes.len, err);
    }
    if (rc == STELE_OK && sync) {
        rc = sti_file_sync(&f, false, err);
    }
    sti_file_close(&f);
    if (rc == STELE_OK) {
        rc = sti_dir_rename(dir, temporary, name, err);
    }
    return rc;
}

stele_code sti_segment_make_empty(struct sti_dir *dir, int64_t base, stele_stream_version version,
        const struct sti_params_guess *params, stele_error *err)
{
    uint8_t header[STI_LOG_HEADER_SIZE];
    char temporary[STI_NAME_SIZE];
    char name[STI_NAME_SIZE];
    size_t len = version == STELE_STREAM_V1 ? 0 : sizeof header;
    stele_code rc;

    sti_log_header_put(header);
    sti_name_recover(temporary, base);
    sti_name_log(name, base);
    rc = sti_log_replace(dir, temporary, name, stele_bytes_of(header, len), true, err);
    if (rc == STELE_OK && params->known) {
        rc = sti_index_write(dir, base, version, params->params, NULL, 0, err);
    }
    return rc == STELE_OK ? sti_dir_sync(dir, err) : rc;
}
