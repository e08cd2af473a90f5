/* SPDX-License-Identifier: MIT
 *
 * cmd_store.h: what the verbs of the area `store` share.
 *
 *     cmd_store.c         the tables of options and verbs
 *     cmd_store_open.c    opening, names and keys as arguments
 *     cmd_store_key.c     put, get, del
 *     cmd_store_range.c   range, buckets
 *     cmd_store_load.c    load
 *     cmd_store_dump.c    dump, hash
 *     cmd_store_copy.c    snapshot, restore, defrag
 *     cmd_store_stat.c    stat, readers
 *     cmd_store_check.c   check, scrub
 */
#ifndef STI_CLI_CMD_STORE_H
#define STI_CLI_CMD_STORE_H

#include <stele/store.h>

#include "cli/command.h"

struct sti_store_args {
    struct sti_common common;
    bool prefix; /* range */
    bool keys_only;
    bool reverse;
    struct sti_number limit;
    bool atomic;       /* load */
    const char *bbolt; /* load, dump: a file */
    bool sha256;       /* dump --bbolt */
    struct sti_texts ignore;
    bool names_only;
    bool zstd;
    bool clear_stale;
};

/* The verbs. */
stele_code sti_store_put_verb(const struct sti_run *run, stele_error *err);
stele_code sti_store_get_verb(const struct sti_run *run, stele_error *err);
stele_code sti_store_del_verb(const struct sti_run *run, stele_error *err);
stele_code sti_store_range_verb(const struct sti_run *run, stele_error *err);
stele_code sti_store_buckets_verb(const struct sti_run *run, stele_error *err);
stele_code sti_store_load_verb(const struct sti_run *run, stele_error *err);
stele_code sti_store_dump_verb(const struct sti_run *run, stele_error *err);
stele_code sti_store_hash_verb(const struct sti_run *run, stele_error *err);
stele_code sti_store_snapshot_verb(const struct sti_run *run, stele_error *err);
stele_code sti_store_restore_verb(const struct sti_run *run, stele_error *err);
stele_code sti_store_defrag_verb(const struct sti_run *run, stele_error *err);
stele_code sti_store_stat_verb(const struct sti_run *run, stele_error *err);
stele_code sti_store_readers_verb(const struct sti_run *run, stele_error *err);
stele_code sti_store_check_verb(const struct sti_run *run, stele_error *err);
stele_code sti_store_scrub_verb(const struct sti_run *run, stele_error *err);

/* ---- Opening the store that the first operand names. ---- */

/* Options for a verb that changes something; `env` is theirs until close. */
void sti_store_writer_options(
        const struct sti_store_args *args, stele_env *env, stele_store_options *out);

enum sti_store_missing {
    STI_STORE_CREATE,
    STI_STORE_MUST_EXIST
};

stele_code sti_store_open_writer(const struct sti_run *run, enum sti_store_missing missing,
        stele_store **out, stele_error *err);

/* Beside a writer, of what is committed. */
stele_code sti_store_open_reader(const struct sti_run *run, stele_store **out, stele_error *err);

/* The same, and begin a read. */
stele_code sti_store_begin_reader(
        const struct sti_run *run, stele_store **s, stele_store_read **read, stele_error *err);
void sti_store_end_reader(stele_store *s, stele_store_read *read);

/* Close after work that returned `code`: the first failure counts. */
stele_code sti_store_done(stele_store *s, stele_code code, stele_error *err);

/* ---- Bytes. ---- */

/* The operand at `index`; its memory is to be freed, also after a failure. */
stele_code sti_store_operand(
        const struct sti_run *run, size_t index, struct sti_data *out, stele_error *err);

#endif /* STI_CLI_CMD_STORE_H */
