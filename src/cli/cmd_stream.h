/* SPDX-License-Identifier: MIT
 *
 * cmd_stream.h: what the verbs of the area `stream` share.
 *
 *     cmd_stream.c           the tables of options and verbs; opening
 *     cmd_stream_message.c   a message as JSON and text, and its size
 *     cmd_stream_publish.c   publish
 *     cmd_stream_consume.c   consume
 *     cmd_stream_lookup.c    get, offset, next, size, stat
 *     cmd_stream_copy.c      check, recover, migrate, backup
 *     cmd_stream_delete.c    rm, trim, compact
 *     cmd_stream_find.c      what those three would remove
 */
#ifndef STI_CLI_CMD_STREAM_H
#define STI_CLI_CMD_STREAM_H

#include <stele/stream.h>

#include "cli/command.h"
#include "cli/json_in.h"

struct sti_stream_args {
    struct sti_common common;
    bool key_index;
    bool time_index;
    bool sync;
    bool no_key;
    bool end;
    bool follow;
    bool head;
    bool updates;
    bool deletes;
    const char *delimiter; /* publish -K */
    const char *from;      /* consume -o */
    const char *layout;    /* consume -f */
    const char *version;   /* --format */
    const char *to;        /* migrate --to */
    struct sti_data key;
    struct sti_number time;
    struct sti_number expect;
    struct sti_number rollover;
    struct sti_number count;
    struct sti_number offset;
    struct sti_number size;
    struct sti_number age;
    struct sti_number before;
    struct sti_number wait;
};

/* The verbs. */
stele_code sti_stream_publish(const struct sti_run *run, stele_error *err);
stele_code sti_stream_consume(const struct sti_run *run, stele_error *err);
stele_code sti_stream_get(const struct sti_run *run, stele_error *err);
stele_code sti_stream_offset(const struct sti_run *run, stele_error *err);
stele_code sti_stream_next(const struct sti_run *run, stele_error *err);
stele_code sti_stream_size(const struct sti_run *run, stele_error *err);
stele_code sti_stream_stat(const struct sti_run *run, stele_error *err);
stele_code sti_stream_check(const struct sti_run *run, stele_error *err);
stele_code sti_stream_recover(const struct sti_run *run, stele_error *err);
stele_code sti_stream_migrate(const struct sti_run *run, stele_error *err);
stele_code sti_stream_backup(const struct sti_run *run, stele_error *err);
stele_code sti_stream_rm(const struct sti_run *run, stele_error *err);
stele_code sti_stream_trim(const struct sti_run *run, stele_error *err);
stele_code sti_stream_compact(const struct sti_run *run, stele_error *err);

/* "v1" or "v2"; NULL is the default. */
stele_code sti_stream_version(const char *text, stele_stream_version *out, stele_error *err);

/* The options that hold for every verb: indexes from the files, the wait for
 * the lock, the format of new segments. */
stele_code sti_stream_options(
        const struct sti_stream_args *args, stele_stream_options *out, stele_error *err);

/* Open the directory that is the first operand. A reader takes no lock and
 * works beside a writer. Indexes that were asked for and are not there are
 * STELE_EMISMATCH. */
stele_code sti_stream_open_reader(const struct sti_run *run, stele_stream **out, stele_error *err);
stele_code sti_stream_open_writer(
        const struct sti_run *run, bool create, stele_stream **out, stele_error *err);

/* Close after work that ended with `code`: the first failure counts. */
stele_code sti_stream_done(stele_stream *s, stele_code code, stele_error *err);

/* A message that was read from a line. Free it also after a failure. */
struct sti_stream_input {
    stele_message message; /* into the fields below */
    bool has_time;
    struct sti_object object;
    struct sti_data key;
    struct sti_data value;
};

/* Read {"key","value","time"}: missing or null is nil; key_b64 and value_b64
 * in place of key and value hold base64; "offset", as consume prints it, is
 * passed over. Anything else is STELE_EINVAL. */
stele_code sti_stream_parse(stele_bytes line, struct sti_stream_input *out, stele_error *err);
void sti_stream_input_free(struct sti_stream_input *in);

/* Key and value that are too large for any stream: STELE_ETOOBIG. */
stele_code sti_stream_check_size(const stele_message *m, stele_error *err);

/* One message as consume and get print it with --json. */
void sti_stream_print_json(const stele_message *m);

/* What a message takes up in a log of a version, index item included. */
int64_t sti_stream_message_size(
        const stele_message *m, stele_stream_version version, bool key_index, bool time_index);

/* For --dry-run: the offsets that the compaction which the options ask for
 * would remove at this time. */
stele_code sti_stream_find_compact(stele_stream *s, const struct sti_stream_args *args,
        stele_time now, stele_offsets *out, stele_error *err);

/* Count those of the offsets that are there, and their bytes in the logs and
 * indexes of `dir`. */
stele_code sti_stream_measure(stele_stream *s, const char *dir, const stele_offsets *offsets,
        stele_deleted *out, stele_error *err);

#endif /* STI_CLI_CMD_STREAM_H */
