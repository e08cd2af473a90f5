/* SPDX-License-Identifier: MIT
 *
 * write.c: what group commit asks of a journal.
 *
 * A batch is written behind the published end of the newest log, synced if the durability or
 * somebody who waits asks for it, and only then published. If that fails all that was pending is
 * dropped. Where dumps have returned already what is dropped would be a gap, so then the handle
 * fails; where each waits for its own, a full disk is reported to those, and it goes on.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "journal/state.h"

static bool wants_sync(const stele_journal *j)
{
    return j->options.durability != STELE_JOURNAL_STOP ||
           atomic_load(&j->sync_upto) > j->durable_op;
}

static stele_code write_batch(void *arg, const uint8_t *data, size_t len, stele_error *err)
{
    stele_journal *j = arg;
    struct sti_segment *head = j->head;
    stele_code rc = sti_journal_check_usable(j, err);

    j->synced = false;
    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_file_write(&head->file, atomic_load(&head->end), data, len, err);
    if (rc == STELE_ENOSPC && STI_MUTANT(JOURNAL_NOT_PUT_BACK)) {
        return rc;
    }
    if (rc == STELE_ENOSPC && !STI_MUTANT(JOURNAL_FULL_DISK_POISONS) &&
            (j->options.durability == STELE_JOURNAL_EACH || STI_MUTANT(JOURNAL_LAZY_GAP)) &&
            sti_journal_log_put_back(j, head, NULL) == STELE_OK) {
        /* What a part of it left cannot come back behind what is written there next. */
        return rc;
    }
    if (rc == STELE_OK && wants_sync(j) && STI_MUTANT(JOURNAL_ACK_BEFORE_SYNC)) {
        j->synced = true;
        return rc;
    }
    if (rc == STELE_OK && wants_sync(j)) {
        rc = sti_file_sync(&head->file, true, err);
        if (rc != STELE_OK && STI_MUTANT(JOURNAL_SYNC_RETRIED)) {
            rc = sti_file_sync(&head->file, true, err);
        }
        j->synced = rc == STELE_OK;
    }
    return rc == STELE_OK ? rc : sti_journal_fail_in_doubt(j, rc, err);
}

/* Under commit's mutex, as is what follows. */
static void all_is_durable(stele_journal *j)
{
    j->durable_end = atomic_load(&j->head->end);
    j->durable_op = atomic_load(&j->head->next_id);
    j->since_open.syncs++;
}

/* Each operation was an append of its own. */
static void publish_batch(void *arg, size_t len, size_t appends)
{
    stele_journal *j = arg;
    struct sti_segment *head = j->head;

    atomic_store(&head->end, atomic_load(&head->end) + len);
    atomic_store(&head->next_id, atomic_load(&head->next_id) + appends);
    j->since_open.dumps += appends;
    if (j->synced) {
        all_is_durable(j);
    }
}

void sti_journal_rebase_locked(stele_journal *j)
{
    j->next_op = atomic_load(&j->head->next_id);
    j->tail = atomic_load(&j->head->end);
    sti_segment_index_cut(j->head, j->next_op);
}

static void drop_pending(void *arg, stele_code code)
{
    (void)code;
    if (!STI_MUTANT(JOURNAL_OPS_KEPT)) {
        sti_journal_rebase_locked(arg);
    }
}

stele_code sti_journal_sync_head(stele_journal *j, stele_error *err)
{
    stele_code rc = STELE_OK;

    if (j->durable_end < atomic_load(&j->head->end)) {
        rc = sti_file_sync(&j->head->file, true, err);
        if (rc != STELE_OK) {
            return sti_journal_fail_in_doubt(j, rc, err);
        }
        sti_commit_lock(j->commit);
        all_is_durable(j);
        sti_commit_unlock(j->commit);
    }
    return rc;
}

const struct sti_commit_ops sti_journal_commit_ops = {write_batch, publish_batch, drop_pending};
