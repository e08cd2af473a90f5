/* SPDX-License-Identifier: MIT
 *
 * dir_tool.h: what the functions that work on a stream's directory share.
 *
 * They see the directory as segments with the files that belong to each, and
 * read one segment at a time into memory. Files are read, never mapped: beside
 * a writer they may be cut at any moment.
 */
#ifndef STI_STREAM_DIR_TOOL_H
#define STI_STREAM_DIR_TOOL_H

#include "stream/bases.h"
#include "stream/format.h"
#include "stream/index_format.h"
#include "vfs/vfs.h"

struct sti_tool {
    stele_stream_options opts;
    struct sti_dir dir;
    struct sti_file lock;
    bool strict; /* the options say what indexes there are, else the files do */
};

/* Open the directory; with `writes` and without opts->dry_run, take the
 * writer's lock. `opts` NULL: the files tell what indexes there are. */
stele_code sti_tool_open(struct sti_tool *tool, const char *path, const stele_stream_options *opts,
        bool writes, stele_error *err);
void sti_tool_close(struct sti_tool *tool);

/* Below which the offsets of the i-th segment are. */
static inline int64_t sti_bases_limit(const struct sti_bases *bases, size_t i)
{
    return i + 1 < bases->count ? bases->bases[i + 1] : INT64_MAX;
}

/* The index parameters of a stream: all its segments have the same. */
struct sti_params_guess {
    struct sti_index_params params;
    bool known;
};

/* From the files, and where they do not tell, from the options. With `strict`
 * from the options: STELE_EMISMATCH if they differ from what a file tells. */
stele_code sti_params_guess_of(struct sti_params_guess *out, struct sti_dir *dir,
        const struct sti_bases *bases, const stele_stream_options *opts, bool strict,
        stele_error *err);

/* One segment's files in memory. */
struct sti_loaded {
    int64_t base;
    uint8_t *log;
    size_t log_len;
    uint8_t *index; /* NULL: there is none */
    size_t index_len;
    bool params_known;
    struct sti_index_params params;
};

/* STELE_ENOTFOUND if the log is not there. */
stele_code sti_loaded_read(struct sti_loaded *out, struct sti_dir *dir, int64_t base,
        const struct sti_params_guess *guess, stele_error *err);
void sti_loaded_free(struct sti_loaded *files); /* and back to zeros */

/* Make `name` hold these bytes: written to `temporary`, a new file, synced if
 * `sync`, and renamed. The directory is not synced. */
stele_code sti_log_replace(struct sti_dir *dir, const char *temporary, const char *name,
        stele_bytes bytes, bool sync, stele_error *err);

/* Make a segment without messages, durable when this returns. Without
 * `params` it gets no index. */
stele_code sti_segment_make_empty(struct sti_dir *dir, int64_t base, stele_stream_version version,
        const struct sti_params_guess *params, stele_error *err);

#endif /* STI_STREAM_DIR_TOOL_H */
