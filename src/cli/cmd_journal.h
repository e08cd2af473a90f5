/* SPDX-License-Identifier: MIT
 *
 * cmd_journal.h: what the verbs of the area `journal` share.
 *
 *     cmd_journal.c          the tables of options and verbs; opening
 *     cmd_journal_op.c       an operation as a JSON line, in and out, and as text
 *     cmd_journal_record.c   record
 *     cmd_journal_play.c     play, stat
 *     cmd_journal_change.c   snapshot, clear
 *     cmd_journal_check.c    check
 */
#ifndef STI_CLI_CMD_JOURNAL_H
#define STI_CLI_CMD_JOURNAL_H

#include <stele/journal.h>

#include "cli/command.h"
#include "cli/json_in.h"

#include <stdio.h>

struct sti_journal_args {
    struct sti_common common;
    const char *durability; /* record --durability */
    struct sti_number limit;
    struct sti_number until_count;
    struct sti_number until_time;
};

/* The verbs. */
stele_code sti_journal_record_verb(const struct sti_run *run, stele_error *err);
stele_code sti_journal_play_verb(const struct sti_run *run, stele_error *err);
stele_code sti_journal_stat_verb(const struct sti_run *run, stele_error *err);
stele_code sti_journal_snapshot_verb(const struct sti_run *run, stele_error *err);
stele_code sti_journal_clear_verb(const struct sti_run *run, stele_error *err);
stele_code sti_journal_check_verb(const struct sti_run *run, stele_error *err);

/* What --durability says. Sets two options. */
stele_code sti_journal_durability(const char *text, stele_journal_options *out, stele_error *err);

/* Options for a verb that changes something; `env` is theirs until close. */
void sti_journal_writer_options(
        const struct sti_journal_args *args, stele_env *env, stele_journal_options *out);

/* ---- An operation as a line. ---- */

/* One line of input. `op` points into the rest, which does not move when the struct does. */
struct sti_journal_line {
    stele_journal_op op;
    struct sti_object object;
    struct sti_data key;
    struct sti_data subkey;
    struct sti_data value;
    struct sti_pairs config;
    stele_journal_setting *settings;
};

/* On success the operation is one that the library takes. Free it also after a failure. */
stele_code sti_journal_line_parse(stele_bytes text, struct sti_journal_line *out, stele_error *err);
void sti_journal_line_free(struct sti_journal_line *line);

void sti_journal_print_json(FILE *to, const stele_journal_op *op);
void sti_journal_print_text(const stele_journal_op *op);

#endif /* STI_CLI_CMD_JOURNAL_H */
