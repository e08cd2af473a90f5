/* SPDX-License-Identifier: MIT
 *
 * cmd_wal.h: what the verbs of the area `wal` share.
 *
 *     cmd_wal.c          the tables of options and verbs; opening
 *     cmd_wal_append.c   append
 *     cmd_wal_read.c     cat, stat
 *     cmd_wal_cut.c      truncate, trim
 *     cmd_wal_repair.c   check, recover, migrate
 */
#ifndef STI_CLI_CMD_WAL_H
#define STI_CLI_CMD_WAL_H

#include <stele/wal.h>

#include "cli/command.h"

struct sti_wal_args {
    struct sti_common common;
    const char *format; /* append --format */
    const char *to;     /* migrate --to */
    const char *from;   /* cat --from */
    struct sti_number count;
    struct sti_number batch;
    struct sti_number segment_size;
    struct sti_number record_max;
};

/* The verbs. */
stele_code sti_wal_append(const struct sti_run *run, stele_error *err);
stele_code sti_wal_cat(const struct sti_run *run, stele_error *err);
stele_code sti_wal_stat(const struct sti_run *run, stele_error *err);
stele_code sti_wal_truncate(const struct sti_run *run, stele_error *err);
stele_code sti_wal_trim(const struct sti_run *run, stele_error *err);
stele_code sti_wal_check(const struct sti_run *run, stele_error *err);
stele_code sti_wal_recover(const struct sti_run *run, stele_error *err);
stele_code sti_wal_migrate(const struct sti_run *run, stele_error *err);

/* "stele" or "blb"; NULL: whatever the files have. */
stele_code sti_wal_format(const char *text, stele_wal_format *out, stele_error *err);
const char *sti_wal_format_name(stele_wal_format format);

/* The options that hold for every verb. */
stele_code sti_wal_options(
        const struct sti_wal_args *args, stele_wal_options *out, stele_error *err);

/* Open the directory that is the first operand. A reader takes no lock and
 * works beside a writer; a writer makes the log if `create`. */
stele_code sti_wal_open_reader(const struct sti_run *run, stele_wal **out, stele_error *err);
stele_code sti_wal_open_writer(
        const struct sti_run *run, bool create, stele_wal **out, stele_error *err);

/* Close after work that ended with `code`: the first failure counts. */
stele_code sti_wal_done(stele_wal *w, stele_code code, stele_error *err);

#endif /* STI_CLI_CMD_WAL_H */
