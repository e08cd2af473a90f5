/* SPDX-License-Identifier: MIT
 *
 * log.c: durable ends of batches, through the wal; state.h says how.
 *
 * The wal is made by the first of them: most stores that are only tested with never need one.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/mutant.h"
#include "store/record.h"
#include "store/wal_open.h"

enum {
    TRIES_MAX = 8, /* appends that failed between a look and our own */
    RECORD_MIN = 64 << 10
};

#define TRIM_BYTES ((uint64_t)4 << 20) /* logged since the last trim */

/* How many bytes a record of all that is not logged has; STI_RECORD_MAX + 1 if it is more. */
static size_t measure(const struct sti_store_table *t, uint64_t seq, size_t size)
{
    struct sti_table_mark mark = t->logged;
    struct sti_write w;

    while (size <= STI_RECORD_MAX && sti_table_written(&t->table, seq, &mark, &w)) {
        size += sti_record_write_size(&w);
    }
    return size > STI_RECORD_MAX ? STI_RECORD_MAX + 1 : size;
}

static uint8_t *encode(
        uint8_t *at, const struct sti_store_table *t, uint64_t seq, struct sti_table_mark *mark)
{
    struct sti_write w;

    *mark = t->logged;
    while (sti_table_written(&t->table, seq, mark, &w)) {
        at += sti_record_write(at, &w);
    }
    return at;
}

static stele_code make_room(stele_store *s, size_t size, stele_error *err)
{
    uint8_t *room;

    if (size <= s->record_size) {
        return STELE_OK;
    }
    size = size < RECORD_MIN ? RECORD_MIN : size;
    room = sti_realloc(s->record, size, 1);
    if (room == NULL) {
        return sti_fail_memory(err, size);
    }
    s->record = room;
    s->record_size = size;
    return STELE_OK;
}

/* The id for the next record. If it is not the one that follows our last, then that one, and what
 * was pending with it, is not there: all is logged again. */
static stele_code next_id(stele_store *s, const struct sti_store_view *view, stele_wal *wal,
        uint64_t *id, stele_error *err)
{
    bool any = false;
    stele_code code = stele_wal_next_id(wal, id, &any, err);

    if (code != STELE_OK) {
        return code;
    }
    if (any && !STI_MUTANT(STORE_ID_GIVEN_TWICE)) {
        *id = atomic_load(&s->wal_committed) + 1;
    }
    if (s->wal_expected != 0 && *id != s->wal_expected && !STI_MUTANT(STORE_HOLE_NOT_FILLED)) {
        for (uint32_t i = 0; i < view->count; i++) {
            view->tables[i]->logged = (struct sti_table_mark){.last = NULL};
        }
        s->wal_expected = *id;
    }
    return STELE_OK;
}

/* Encode, and append; STELE_ECONFLICT: what was pending has failed meanwhile. */
static stele_code append(
        struct stele_store_batch *batch, stele_wal *wal, stele_wal_ticket *ticket, stele_error *err)
{
    stele_store *s = batch->s;
    const struct sti_store_view *view = batch->view.view;
    struct sti_table_mark marks[STI_STORE_TABLES];
    stele_wal_record record = {.id = 0};
    size_t size = STI_RECORD_HEAD;
    uint8_t *at;
    stele_code code;

    if (STI_MUTANT(STORE_LOG_OWN_ONLY)) {
        view->tables[0]->logged = batch->start;
    }
    code = next_id(s, view, wal, &record.id, err);

    for (uint32_t i = view->count; i-- > 0;) {
        size = measure(view->tables[i], batch->seq, size);
    }
    if (code == STELE_OK && size > STI_RECORD_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "more than a record takes");
    }
    if (code == STELE_OK && size == STI_RECORD_HEAD) {
        *ticket = s->wal_ticket;
        return STELE_OK;
    }
    code = code == STELE_OK ? make_room(s, size, err) : code;
    if (code != STELE_OK) {
        return code;
    }
    sti_record_begin(s->record);
    at = s->record + STI_RECORD_HEAD;
    for (uint32_t i = view->count; i-- > 0;) {
        at = encode(at, view->tables[i], batch->seq, &marks[i]);
    }
    sti_assert(at == s->record + size);
    record.data = stele_bytes_of(s->record, size);
    code = stele_wal_append_async(wal, &record, 1, ticket, err);
    if (code != STELE_OK) {
        return code;
    }
    for (uint32_t i = 0; i < view->count; i++) {
        view->tables[i]->logged = marks[i];
    }
    s->wal_expected = record.id + 1;
    s->wal_ticket = *ticket;
    sti_store_count(&s->logged_bytes, size);
    return STELE_OK;
}

/* What the wal could not do for another reason than room leaves it in doubt. */
static stele_code judge(stele_store *s, stele_code code, stele_error *why, stele_error *err)
{
    if (code == STELE_OK || code == STELE_ENOMEM || code == STELE_ENOSPC || code == STELE_ETOOBIG) {
        if (code != STELE_OK && err != NULL) {
            *err = *why;
        }
        return code;
    }
    (void)sti_wrap(why, code, "wal");
    sti_store_poison(s, code, why);
    return sti_store_usable(s, err);
}

stele_code sti_store_log_append(
        struct stele_store_batch *batch, stele_wal_ticket *ticket, stele_error *err)
{
    stele_store *s = batch->s;
    stele_error why = {.code = STELE_OK, .position = -1};
    stele_wal *wal = NULL;
    stele_code code = sti_read_ready(&batch->view, err);

    if (code == STELE_OK) {
        code = sti_store_wal_get(s, &wal, err);
    }
    if (code != STELE_OK) {
        return code;
    }
    code = STELE_ECONFLICT;
    for (int i = 0; i < TRIES_MAX && code == STELE_ECONFLICT; i++) {
        code = append(batch, wal, ticket, &why);
    }
    return judge(s, code, &why, err);
}

stele_code sti_store_log_wait(stele_store *s, stele_wal_ticket ticket, stele_error *err)
{
    stele_error why = {.code = STELE_OK, .position = -1};
    stele_wal *wal = atomic_load(&s->wal);
    stele_code code;

    if (ticket == 0 || STI_MUTANT(STORE_ACK_BEFORE_SYNC)) {
        return STELE_OK;
    }
    code = stele_wal_wait(wal, ticket, NULL, &why);
    code = STI_MUTANT(STORE_LOG_FAILURE_IGNORED) ? STELE_OK : code;
    return judge(s, code, &why, err);
}

uint64_t sti_store_log_mark(stele_store *s, const struct sti_store_table *frozen)
{
    stele_wal *wal = atomic_load(&s->wal);
    uint64_t before = s->buckets->commit.wal_id;

    if (wal == NULL || frozen->wal_id <= before) {
        return before;
    }
    if (STI_MUTANT(STORE_MARK_AHEAD)) {
        return frozen->wal_id + 1;
    }
    /* An id that is not known to be durable may be given again, to what is not contained. */
    if (frozen->ticket != 0 && stele_wal_wait(wal, frozen->ticket, NULL, NULL) != STELE_OK) {
        return before;
    }
    return frozen->wal_id;
}

void sti_store_log_trim(stele_store *s)
{
    stele_wal *wal = atomic_load(&s->wal);

    atomic_store(&s->wal_committed, s->buckets->commit.wal_id);
    if (wal == NULL || atomic_load(&s->logged_bytes) < TRIM_BYTES) {
        return;
    }
    /* What stays is passed over by a replay. A failure is one of the wal, which the next append
     * meets. */
    if (stele_wal_trim(wal, s->buckets->commit.wal_id, NULL) == STELE_OK) {
        atomic_store(&s->logged_bytes, 0);
    }
}
