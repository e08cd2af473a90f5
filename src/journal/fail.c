/* SPDX-License-Identifier: MIT
 *
 * fail.c: a handle that must not write any more, and what is to be logged.
 */
#include "base/env.h"
#include "base/error.h"
#include "base/mutant.h"
#include "journal/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Failing. ---- */

stele_code sti_journal_fail(stele_journal *j, stele_code code, const stele_error *why)
{
    sti_commit_lock(j->commit);
    if (atomic_load(&j->failed) == STELE_OK && !STI_MUTANT(JOURNAL_FAILURE_FORGOTTEN)) {
        (void)snprintf(j->failed_text, sizeof j->failed_text, "%.*s",
                (int)sizeof j->failed_text - 1,
                why != NULL && why->code == code ? why->message : stele_code_text(code));
        atomic_store(&j->failed, code);
    }
    sti_commit_unlock(j->commit);
    return code;
}

stele_code sti_journal_fail_in_doubt(stele_journal *j, stele_code rc, stele_error *err)
{
    stele_error why = {.code = rc, .position = -1};

    if (err != NULL) {
        why = *err;
    }
    if (rc == STELE_ENOSPC) {
        /* As a promise that nothing has changed, that code would be wrong. */
        rc = sti_fail_at(&why, STELE_EIO, why.file, why.position, "no space left");
    }
    if (err != NULL) {
        *err = why;
    }
    return sti_journal_fail(j, rc, &why);
}

stele_code sti_journal_check_usable(const stele_journal *j, stele_error *err)
{
    if (atomic_load(&j->failed) != STELE_OK) {
        return sti_fail(err, STELE_EFAILED, "an earlier write failed, reopen to recover: %s",
                j->failed_text);
    }
    return STELE_OK;
}

/* ---- Notes. ---- */

void sti_journal_note(stele_journal *j, const char *format, ...)
{
    va_list args;

    sti_commit_lock(j->commit);
    if (j->note_count < STI_JOURNAL_NOTES) {
        va_start(args, format);
        (void)vsnprintf(j->notes[j->note_count], STI_JOURNAL_NOTE_SIZE, format, args);
        va_end(args);
    }
    j->note_count++;
    sti_commit_unlock(j->commit);
}

void sti_journal_tell(stele_journal *j)
{
    char notes[STI_JOURNAL_NOTES][STI_JOURNAL_NOTE_SIZE];
    size_t count;
    size_t kept;

    sti_commit_lock(j->commit);
    count = j->note_count;
    kept = count < STI_JOURNAL_NOTES ? count : (size_t)STI_JOURNAL_NOTES;
    memcpy(notes, j->notes, kept * sizeof notes[0]);
    j->note_count = 0;
    sti_commit_unlock(j->commit);
    for (size_t i = 0; i < kept; i++) {
        sti_env_log(&j->env, STELE_LOG_WARN, "journal %s: %s", j->dir.path, notes[i]);
    }
    if (count > kept) {
        sti_env_log(&j->env, STELE_LOG_WARN, "journal %s: %zu more lines were not kept",
                j->dir.path, count - kept);
    }
}
