/* SPDX-License-Identifier: MIT
 *
 * process.c: which processes have a store open.
 *
 * Each has a locked file `.reader-PID`, by which it notices that it has the directory open already.
 * The lock ends with the process, and the file stays: who finds one that is not locked removes it.
 */
#include "base/error.h"
#include "store/open.h"

#include <inttypes.h>
#include <stdio.h>

#define READER_PREFIX ".reader-"

enum {
    WAIT_MS = 20 /* for one who looks whether we are dead, before we have the lock */
};

/* It was removed before it was locked: by one who thought that its owner is dead. */
static bool is_removed(stele_store *s)
{
    stele_file_stat ours;
    stele_file_stat there;

    return sti_file_stat(&s->process_lock, &ours, NULL) == STELE_OK &&
           (sti_dir_stat(&s->dir, s->process_name, &there, NULL) == STELE_ENOTFOUND ||
                   there.id != ours.id);
}

stele_code sti_store_note_process(stele_store *s, stele_error *err)
{
    stele_code code;

    (void)snprintf(s->process_name, sizeof s->process_name, READER_PREFIX "%" PRId64,
            sti_process_number());
    for (;;) {
        code = sti_lock_take(&s->process_lock, &s->dir, s->process_name, true, WAIT_MS, err);
        if (code != STELE_OK || !is_removed(s)) {
            break;
        }
        sti_file_close(&s->process_lock);
    }
    if (code == STELE_EBUSY) {
        return sti_fail(err, code, "this process has it open");
    }
    if (code == STELE_EPERM && s->options.read_only) {
        /* In a directory that may not be written to nothing can be noted. */
        code = STELE_OK;
    }
    return code;
}

void sti_store_forget_process(stele_store *s)
{
    if (s->process_lock.raw != NULL) {
        (void)sti_dir_unlink(&s->dir, s->process_name, NULL, NULL);
        sti_file_close(&s->process_lock);
    }
}

static stele_code on_name(void *arg, const char *name)
{
    stele_store *s = arg;
    struct sti_file file = {.raw = NULL};

    if (strncmp(name, READER_PREFIX, sizeof READER_PREFIX - 1) != 0 ||
            strcmp(name, s->process_name) == 0 ||
            sti_file_open(&file, &s->dir, name, STELE_OPEN_READ, NULL) != STELE_OK) {
        return STELE_OK;
    }
    if (sti_file_lock(&file, true, NULL) == STELE_OK) {
        (void)sti_dir_unlink(&s->dir, name, NULL, NULL);
    }
    sti_file_close(&file);
    return STELE_OK;
}

stele_code sti_store_remove_dead(stele_store *s, stele_error *err)
{
    return sti_dir_list(&s->dir, on_name, s, err);
}
