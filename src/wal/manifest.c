/* SPDX-License-Identifier: MIT */
#include "wal/manifest.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/mutant.h"
#include "wal/format.h"

#include <inttypes.h>

enum {
    VERSION = 1,
    FLAG_LEFTOVERS = 1,
    FLAG_CLEAN = 2,
    CRC_SIZE = 4,
    OPEN_MAX = 2 /* open segments, format stele */
};

static const uint8_t magic[4] = {'S', 'T', 'W', 'M'};

void sti_wal_manifest_free(struct sti_wal_manifest *m)
{
    sti_free(m->entries);
    memset(m, 0, sizeof *m);
}

stele_code sti_wal_manifest_add(
        struct sti_wal_manifest *m, const struct sti_wal_entry *entry, stele_error *err)
{
    if (m->count == m->capacity) {
        size_t more = m->capacity == 0 ? 8 : 2 * m->capacity;
        struct sti_wal_entry *grown = sti_realloc(m->entries, more, sizeof *grown);

        if (grown == NULL) {
            return sti_fail_memory(err, more * sizeof *grown);
        }
        m->entries = grown;
        m->capacity = more;
    }
    m->entries[m->count++] = *entry;
    return STELE_OK;
}

size_t sti_wal_manifest_size(size_t entries)
{
    return STI_WAL_MANIFEST_HEAD + STI_WAL_MANIFEST_ENTRY * entries + CRC_SIZE;
}

void sti_wal_manifest_encode(uint8_t *out, const struct sti_wal_manifest *m)
{
    size_t end = STI_WAL_MANIFEST_HEAD + STI_WAL_MANIFEST_ENTRY * m->count;

    sti_assert(m->format == STELE_WAL_STELE || m->format == STELE_WAL_BLB);
    sti_assert(m->count <= UINT32_MAX);
    memcpy(out, magic, sizeof magic);
    out[4] = VERSION;
    out[5] = (uint8_t)m->format;
    out[6] = (uint8_t)((m->leftovers ? FLAG_LEFTOVERS : 0) | (m->clean ? FLAG_CLEAN : 0));
    out[7] = 0;
    sti_put_le64(out + 8, m->generation);
    sti_put_le64(out + 16, m->next_number);
    sti_put_le32(out + 24, (uint32_t)m->count);
    for (size_t i = 0; i < m->count; i++) {
        const struct sti_wal_entry *e = &m->entries[i];
        uint8_t *at = out + STI_WAL_MANIFEST_HEAD + STI_WAL_MANIFEST_ENTRY * i;

        memset(at, 0, STI_WAL_MANIFEST_ENTRY);
        sti_put_le64(at, e->number);
        sti_put_le64(at + 8, e->first_id);
        sti_put_le64(at + 16, e->state == STI_WAL_ENTRY_SEALED ? e->last_id : e->size);
        sti_put_le64(at + 24, e->end);
        at[32] = (uint8_t)e->state;
    }
    sti_put_le32(out + end, sti_crc32c(0, out, end));
}

/* ---- Decoding. ---- */

static bool decode_entry(const uint8_t *at, struct sti_wal_entry *e)
{
    static const uint8_t zeros[7] = {0};

    if (at[32] > STI_WAL_ENTRY_REUSED || memcmp(at + 33, zeros, sizeof zeros) != 0) {
        return false;
    }
    memset(e, 0, sizeof *e);
    e->number = sti_get_le64(at);
    e->first_id = sti_get_le64(at + 8);
    e->end = sti_get_le64(at + 24);
    e->state = (enum sti_wal_entry_state)at[32];
    if (e->state == STI_WAL_ENTRY_SEALED) {
        e->last_id = sti_get_le64(at + 16);
    } else {
        e->size = sti_get_le64(at + 16);
    }
    return true;
}

/* What does not fit the entry before it, or NULL. */
static const char *entry_fault(const struct sti_wal_manifest *m, size_t i, size_t open)
{
    const struct sti_wal_entry *e = &m->entries[i];
    const struct sti_wal_entry *before = i == 0 ? NULL : e - 1;

    if (e->number >= m->next_number || (before != NULL && e->number <= before->number)) {
        return "numbers do not ascend";
    }
    if (m->format == STELE_WAL_BLB) {
        return i > 0 || e->state != STI_WAL_ENTRY_OPEN ? "more than the last file is listed" : NULL;
    }
    if (e->state != STI_WAL_ENTRY_SEALED) {
        return open > OPEN_MAX ? "there are too many open segments" : NULL;
    }
    if (open > 0) {
        return "a sealed segment follows an open one";
    }
    if (e->last_id < e->first_id || e->last_id == UINT64_MAX || e->end <= STI_WAL_HEADER_SIZE ||
            e->end > UINT32_MAX ||
            e->last_id - e->first_id >= (e->end - STI_WAL_HEADER_SIZE) / STI_WAL_FRAME_SIZE) {
        return "a segment cannot hold its ids";
    }
    if (before != NULL && e->first_id != before->last_id + 1) {
        return "ids do not follow each other";
    }
    return NULL;
}

static stele_code decode_entries(
        const uint8_t *at, size_t count, struct sti_wal_manifest *m, stele_error *err)
{
    size_t open = 0;

    for (size_t i = 0; i < count; i++) {
        struct sti_wal_entry entry;
        const char *fault;
        stele_code rc;

        if (!decode_entry(at + STI_WAL_MANIFEST_ENTRY * i, &entry)) {
            return sti_fail(
                    err, STELE_EVERSION, "entry %zu of the manifest is of no known kind", i);
        }
        rc = sti_wal_manifest_add(m, &entry, err);
        if (rc != STELE_OK) {
            return rc;
        }
        open += entry.state != STI_WAL_ENTRY_SEALED;
        fault = entry_fault(m, i, open);
        if (fault != NULL) {
            return sti_fail(err, STELE_ECORRUPT, "entry %zu of the manifest: %s", i, fault);
        }
    }
    return STELE_OK;
}

stele_code sti_wal_manifest_decode(stele_bytes slot, struct sti_wal_manifest *m, stele_error *err)
{
    size_t count;
    size_t end;
    stele_code rc;

    memset(m, 0, sizeof *m);
    if (slot.len < sti_wal_manifest_size(0) || memcmp(slot.data, magic, sizeof magic) != 0) {
        return sti_fail(err, STELE_ECORRUPT, "is no manifest of a log");
    }
    count = sti_get_le32(slot.data + 24);
    if (count > (slot.len - sti_wal_manifest_size(0)) / STI_WAL_MANIFEST_ENTRY) {
        return sti_fail(err, STELE_ECORRUPT, "the manifest has no room for %zu entries", count);
    }
    end = STI_WAL_MANIFEST_HEAD + STI_WAL_MANIFEST_ENTRY * count;
    if (sti_get_le32(slot.data + end) != sti_crc32c(0, slot.data, end) &&
            !STI_MUTANT(WAL_CRC_IGNORED)) {
        return sti_fail(err, STELE_ECORRUPT, "the checksum of the manifest is wrong");
    }
    if (slot.data[4] != VERSION || (slot.data[6] & ~(FLAG_LEFTOVERS | FLAG_CLEAN)) != 0 ||
            slot.data[7] != 0 ||
            (slot.data[5] != STELE_WAL_STELE && slot.data[5] != STELE_WAL_BLB)) {
        return sti_fail(err, STELE_EVERSION, "version %u of the manifest, format %u, is not known",
                (unsigned)slot.data[4], (unsigned)slot.data[5]);
    }
    m->format = (stele_wal_format)slot.data[5];
    m->leftovers = (slot.data[6] & FLAG_LEFTOVERS) != 0;
    m->clean = (slot.data[6] & FLAG_CLEAN) != 0;
    m->generation = sti_get_le64(slot.data + 8);
    m->next_number = sti_get_le64(slot.data + 16);
    /* Neither was ever reached: they can be counted on. */
    if (m->generation > INT64_MAX || m->next_number > INT64_MAX) {
        memset(m, 0, sizeof *m);
        return sti_fail(err, STELE_ECORRUPT, "the manifest has a number that is too large");
    }
    rc = decode_entries(slot.data + STI_WAL_MANIFEST_HEAD, count, m, err);
    if (rc != STELE_OK) {
        sti_wal_manifest_free(m);
    }
    return rc;
}
