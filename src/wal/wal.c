/* SPDX-License-Identifier: MIT
 *
 * wal.c: the public functions on a handle: they check the arguments, and call what the handle is.
 */
#include "wal/wal.h"

#include "base/error.h"
#include "base/mutant.h"

#include <inttypes.h>

static stele_code no_log(stele_error *err)
{
    return sti_fail(err, STELE_EINVAL, "no log, or nowhere to put the result");
}

stele_code stele_wal_close(stele_wal *wal, stele_error *err)
{
    return wal == NULL ? STELE_OK : wal->ops->close(wal, err);
}

/* ---- Writing. ---- */

static stele_code check_writable(const stele_wal *wal, stele_error *err)
{
    return wal->read_only ? sti_fail(err, STELE_EREADONLY, "the log was opened read-only")
                          : STELE_OK;
}

static stele_code check_data(const stele_wal *wal, stele_bytes data, size_t i, bool alone,
        size_t *total, stele_error *err)
{
    if (data.data == NULL && data.len > 0) {
        return sti_fail(err, STELE_EINVAL, "record %zu: bytes without data", i);
    }
    if (data.len > wal->record_max && !STI_MUTANT(WAL_SIZE_UNCHECKED)) {
        return sti_fail(err, STELE_ETOOBIG, "record %zu: %zu bytes are over the limit of %" PRIu32,
                i, data.len, wal->record_max);
    }
    *total += data.len;
    if (!alone && *total > STELE_WAL_BATCH_MAX) {
        return sti_fail(
                err, STELE_ETOOBIG, "more than %zu bytes in one append", STELE_WAL_BATCH_MAX);
    }
    return STELE_OK;
}

static stele_code check_records(
        const stele_wal *wal, const stele_wal_record *records, size_t count, stele_error *err)
{
    size_t total = 0;
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        rc = check_data(wal, records[i].data, i, count == 1, &total, err);
        if (rc == STELE_OK && i > 0 && records[i].id - records[i - 1].id != 1) {
            rc = sti_fail(err, STELE_ECONFLICT,
                    "record %zu: id %" PRIu64 " does not follow; expected %" PRIu64, i,
                    records[i].id, records[i - 1].id + 1);
        }
        if (rc == STELE_OK && records[i].id == UINT64_MAX) {
            rc = sti_fail(err, STELE_ECONFLICT,
                    "record %zu: id %" PRIu64 " is none, since no other can follow", i,
                    records[i].id);
        }
    }
    return rc;
}

static stele_code append(stele_wal *wal, const stele_wal_record *records, size_t count,
        stele_wal_ticket *ticket, stele_error *err)
{
    stele_code rc;

    if (wal == NULL || (records == NULL && count > 0)) {
        return sti_fail(err, STELE_EINVAL, "nothing to append, or nowhere");
    }
    rc = check_writable(wal, err);
    rc = rc != STELE_OK ? rc : check_records(wal, records, count, err);
    if (rc != STELE_OK || (count == 0 && ticket == NULL)) {
        return rc;
    }
    return wal->ops->append(wal, records, NULL, count, NULL, ticket, err);
}

stele_code stele_wal_append(
        stele_wal *wal, const stele_wal_record *records, size_t count, stele_error *err)
{
    return append(wal, records, count, NULL, err);
}

stele_code stele_wal_append_async(stele_wal *wal, const stele_wal_record *records, size_t count,
        stele_wal_ticket *ticket, stele_error *err)
{
    if (ticket == NULL) {
        return sti_fail(err, STELE_EINVAL, "nowhere to put the ticket");
    }
    return append(wal, records, count, ticket, err);
}

stele_code stele_wal_append_next(
        stele_wal *wal, const stele_bytes *data, size_t count, uint64_t *first_id, stele_error *err)
{
    size_t total = 0;
    stele_code rc;

    if (wal == NULL || (data == NULL && count > 0)) {
        return sti_fail(err, STELE_EINVAL, "nothing to append, or nowhere");
    }
    rc = check_writable(wal, err);
    for (size_t i = 0; i < count && rc == STELE_OK; i++) {
        rc = check_data(wal, data[i], i, count == 1, &total, err);
    }
    if (rc != STELE_OK || (count == 0 && first_id == NULL)) {
        return rc;
    }
    return wal->ops->append(wal, NULL, data, count, first_id, NULL, err);
}

stele_code stele_wal_wait(
        stele_wal *wal, stele_wal_ticket ticket, const stele_wait *wait, stele_error *err)
{
    if (wal == NULL || ticket == 0) {
        return sti_fail(err, STELE_EINVAL, "no log, or no ticket");
    }
    return wal->ops->wait(wal, ticket, wait, err);
}

stele_code stele_wal_durable(stele_wal *wal, stele_wal_ticket *ticket, stele_error *err)
{
    if (wal == NULL) {
        return no_log(err);
    }
    if (ticket != NULL) {
        *ticket = wal->ops->durable(wal);
    }
    return STELE_OK;
}

stele_code stele_wal_truncate(stele_wal *wal, uint64_t last_to_keep, stele_error *err)
{
    stele_code rc;

    if (wal == NULL) {
        return no_log(err);
    }
    rc = check_writable(wal, err);
    return rc != STELE_OK ? rc : wal->ops->truncate(wal, last_to_keep, err);
}

stele_code stele_wal_trim(stele_wal *wal, uint64_t discard_up_to, stele_error *err)
{
    stele_code rc;

    if (wal == NULL) {
        return no_log(err);
    }
    rc = check_writable(wal, err);
    return rc != STELE_OK ? rc : wal->ops->trim(wal, discard_up_to, err);
}

/* ---- Reading. ---- */

static stele_code bound(stele_wal *wal, bool last, uint64_t *id, bool *empty, stele_error *err)
{
    uint64_t first_id = 0;
    uint64_t last_id = 0;
    bool none = true;

    if (wal == NULL || id == NULL || empty == NULL) {
        return no_log(err);
    }
    wal->ops->bounds(wal, &first_id, &last_id, &none);
    *empty = none;
    if (!none) {
        *id = last ? last_id : first_id;
    }
    return STELE_OK;
}

stele_code stele_wal_first_id(stele_wal *wal, uint64_t *id, bool *empty, stele_error *err)
{
    return bound(wal, false, id, empty, err);
}

stele_code stele_wal_last_id(stele_wal *wal, uint64_t *id, bool *empty, stele_error *err)
{
    return bound(wal, true, id, empty, err);
}

stele_code stele_wal_next_id(stele_wal *wal, uint64_t *id, bool *any, stele_error *err)
{
    uint64_t next = 1;
    bool takes_any = false;

    if (wal == NULL || id == NULL) {
        return no_log(err);
    }
    wal->ops->next_id(wal, &next, &takes_any);
    *id = takes_any ? 1 : next;
    if (any != NULL) {
        *any = takes_any;
    }
    return STELE_OK;
}

stele_code stele_wal_read(stele_wal *wal, uint64_t id, stele_buf *out, stele_error *err)
{
    if (wal == NULL || out == NULL) {
        return no_log(err);
    }
    return wal->ops->read(wal, id, out, err);
}

stele_code stele_wal_iter_open(
        stele_wal_iter **out, stele_wal *wal, uint64_t start, stele_error *err)
{
    if (wal == NULL || out == NULL) {
        return no_log(err);
    }
    return wal->ops->iter_open(out, wal, start, err);
}

static stele_code tell(const stele_error *why, stele_error *err)
{
    if (why->code != STELE_OK && err != NULL) {
        *err = *why;
    }
    return why->code;
}

stele_code stele_wal_iter_next(stele_wal_iter *it, stele_wal_record *record, stele_error *err)
{
    stele_code rc;

    if (it == NULL) {
        return sti_fail(err, STELE_EINVAL, "no iterator");
    }
    it->has_record = false;
    if (it->error.code == STELE_ECORRUPT || it->error.code == STELE_ESTATE) {
        return tell(&it->error, err);
    }
    rc = it->ops->next(it, &it->record, &it->error);
    if (rc < STELE_OK) {
        it->error.code = rc;
        return tell(&it->error, err);
    }
    it->error.code = STELE_OK;
    it->has_record = rc == STELE_OK;
    if (it->has_record && record != NULL) {
        *record = it->record;
    }
    return rc;
}

stele_code stele_wal_iter_record(
        const stele_wal_iter *it, stele_wal_record *record, stele_error *err)
{
    if (it == NULL || record == NULL) {
        return sti_fail(err, STELE_EINVAL, "no iterator, or nowhere to put the record");
    }
    if (!it->has_record) {
        return sti_fail(err, STELE_ESTATE, "next() has not returned a record");
    }
    *record = it->record;
    return STELE_OK;
}

stele_code stele_wal_iter_error(const stele_wal_iter *it, stele_error *err)
{
    if (it == NULL) {
        return sti_fail(err, STELE_EINVAL, "no iterator");
    }
    return tell(&it->error, err);
}

stele_code stele_wal_iter_close(stele_wal_iter *it, stele_error *err)
{
    stele_code rc;

    if (it == NULL) {
        return STELE_OK;
    }
    rc = tell(&it->error, err);
    it->ops->close(it);
    return rc;
}

/* ---- Figures. ---- */

stele_code stele_wal_stat(stele_wal *wal, stele_wal_stats *out, stele_error *err)
{
    if (wal == NULL || out == NULL) {
        return no_log(err);
    }
    return wal->ops->stat(wal, out, err);
}
