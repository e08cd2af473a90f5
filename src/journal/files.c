/* SPDX-License-Identifier: MIT
 *
 * files.c: numbers for new files, and files that are not needed any more.
 */
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "journal/state.h"

stele_code sti_journal_new_number(
        const stele_journal *j, uint64_t highest, uint64_t room, uint64_t *out, stele_error *err)
{
    stele_time now = sti_env_now(&j->env);
    uint64_t number = now <= 0 ? 0 : (uint64_t)now * 1000;

    if (highest > STI_JOURNAL_NUMBER_MAX - room) {
        return sti_fail(err, STELE_ETOOBIG, "no number is left for a file");
    }
    *out = number > highest + room || STI_MUTANT(JOURNAL_NAME_BY_CLOCK) ? number : highest + room;
    return STELE_OK;
}

stele_code sti_journal_sync_names(stele_journal *j, stele_error *err)
{
    stele_code rc = sti_dir_sync(&j->dir, err);

    if (rc != STELE_OK) {
        atomic_store(&j->names_in_doubt, true);
    }
    return rc;
}

void sti_journal_remove(stele_journal *j, enum sti_journal_name_kind kind, uint64_t number)
{
    char name[STELE_JOURNAL_NAME_SIZE];
    stele_error err;

    sti_journal_name(name, kind, number);
    if (sti_dir_unlink(&j->dir, name, NULL, &err) != STELE_OK) {
        sti_journal_note(j, "%.*s", STI_JOURNAL_NOTE_SIZE - 1, err.message);
    }
}

void sti_journal_remove_merged(
        stele_journal *j, const struct sti_journal_chain *chain, uint64_t number)
{
    stele_error err;

    for (size_t i = 0; i < chain->old_count; i++) {
        sti_journal_remove(j, chain->old[i].kind, chain->old[i].number);
    }
    if (chain->snap.seg != NULL && chain->snap.number < number) {
        sti_journal_remove(j, STI_JOURNAL_NAME_SNAP, chain->snap.number);
    }
    for (size_t i = 0; i < chain->log_count; i++) {
        if (chain->logs[i].number < number) {
            sti_journal_remove(j, STI_JOURNAL_NAME_LOG, chain->logs[i].number);
        }
    }
    if (sti_journal_sync_names(j, &err) != STELE_OK) {
        sti_journal_note(j, "%.*s", STI_JOURNAL_NOTE_SIZE - 1, err.message);
    }
}
