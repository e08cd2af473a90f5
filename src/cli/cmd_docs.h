/* SPDX-License-Identifier: MIT
 *
 * cmd_docs.h: what the verbs of the area `docs` share.
 *
 *     cmd_docs.c          the tables of options and verbs
 *     cmd_docs_open.c     opening, IDs, versions and places, lines of documents
 *     cmd_docs_doc.c      set, get, del, has, patch
 *     cmd_docs_list.c     list, dump
 *     cmd_docs_search.c   search
 *     cmd_docs_load.c     load
 *     cmd_docs_type.c     type
 *     cmd_docs_copy.c     backup, verify-backup, restore
 *     cmd_docs_check.c    validate, reindex, conflicts
 *     cmd_docs_log.c      log, history, feed
 *     cmd_docs_stat.c     stat, checkpoints
 *     cmd_docs_nats.c     the way of serve to a server of NATS
 *     cmd_docs_serve.c    serve
 *     cmd_docs_there.c    the other verbs, while another process serves the database
 */
#ifndef STI_CLI_CMD_DOCS_H
#define STI_CLI_CMD_DOCS_H

#include <stele/docs.h>
#include <stele/fleet.h>

#include "cli/command.h"
#include "cli/login.h"

struct sti_docs_args {
    struct sti_common common;
    const char *if_version; /* set, patch, del */
    struct sti_data prefix; /* list */
    struct sti_data start;
    struct sti_data limit_key;
    struct sti_number count; /* list, search */
    const char *range;       /* search */
    const char *search_prefix;
    const char *key;
    const char *after;
    bool reverse;
    bool token;
    const char *from; /* feed */
    bool follow;
    struct sti_number zstd; /* backup */
    bool no_manifest;
    bool mend;      /* validate */
    const char *id; /* serve */
    const char *fleet;
    struct sti_login login;
};

/* The verbs. */
stele_code sti_docs_set_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_get_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_del_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_has_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_patch_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_list_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_dump_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_search_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_load_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_type_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_backup_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_verify_backup_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_restore_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_validate_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_reindex_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_conflicts_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_log_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_history_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_feed_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_checkpoints_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_stat_verb(const struct sti_run *run, stele_error *err);
stele_code sti_docs_serve_verb(const struct sti_run *run, stele_error *err);

/* ---- A process that serves. ---- */

/* What this process serves; NULL: nothing. */
stele_docs *sti_docs_served(void);
struct stele_node *sti_docs_served_node(void);

/* A peer of the fleet over NATS; what happens to its connection is told on standard error. */
stele_code sti_docs_open_nats(
        const struct sti_docs_args *args, stele_fleet **out, stele_error *err);
/* STELE_EPERM: the server refuses us for good. */
stele_code sti_docs_check_nats(stele_error *err);

/* Where a database is: for sti_remote_where(). */
struct sti_remote_place;
stele_code sti_docs_place(stele_docs *db, struct sti_remote_place *out, stele_error *err);

/* If the database is served, wait until `db`, which reads beside, has all that was acknowledged. */
void sti_docs_await_level(const char *path, stele_docs *db);

/* An sti_elsewhere for verbs whose database may be served. */
stele_code sti_docs_elsewhere(const struct sti_run *run, const char *area, const char *verb,
        int argc, char *const *argv, bool *done, int *exit_code, stele_error *err);

/* ---- Opening the database that the first operand names. ---- */

enum sti_docs_missing {
    STI_DOCS_CREATE,
    STI_DOCS_MUST_EXIST
};

stele_code sti_docs_open_writer(const struct sti_run *run, enum sti_docs_missing missing,
        stele_docs **out, stele_error *err);

/* Beside a writer, of what is committed. */
stele_code sti_docs_open_reader(const struct sti_run *run, stele_docs **out, stele_error *err);

/* Close after work that returned `code`: the first failure counts, and gets the name of the
 * database in front. */
stele_code sti_docs_done(stele_docs *db, stele_code code, stele_error *err);

/* ---- Arguments. ---- */

/* The ID that is the operand at `index`; its memory is to be freed, also after a failure. */
stele_code sti_docs_operand(
        const struct sti_run *run, size_t index, struct sti_data *out, stele_error *err);

/* Put the ID into the message of what failed; the code. */
stele_code sti_docs_name_id(stele_bytes id, stele_code code, stele_error *err);

/* STELE_EINVAL, STELE_ETOOBIG: found before anything is made. */
stele_code sti_docs_check_id(stele_bytes id, stele_error *err);

/* Room for a version as text, "seconds.nanoseconds.server". */
enum {
    STI_DOCS_VERSION_TEXT_SIZE = 64
};

void sti_docs_format_version(stele_docs_version v, char out[STI_DOCS_VERSION_TEXT_SIZE]);
stele_code sti_docs_parse_version(const char *text, stele_docs_version *out, stele_error *err);

/* A place of a search, which is base64; NULL: none. To be freed, also after a
 * failure. `option` is named in messages. */
stele_code sti_docs_parse_place(
        const char *text, const char *option, struct sti_data *out, stele_error *err);

/* ---- Output. ---- */

/* A document: {"id","doc"}, or ID and document on a line. */
void sti_docs_print(bool json, stele_bytes id, stele_bytes doc);

/* What was changed. */
void sti_docs_print_changed(const struct sti_run *run, const stele_docs_version *version);

/* A failure of standard output ends what goes on printing. */
stele_code sti_docs_printed(stele_error *err);

#endif /* STI_CLI_CMD_DOCS_H */
