/* SPDX-License-Identifier: MIT
 *
 * waiting.c: a table that is probed one place after the other.
 */
#include "docs/waiting.h"

#include "base/alloc.h"
#include "base/error.h"

enum {
    CAPACITY_MIN = 1 << 10,
    CAPACITY_MAX = 1 << 20 /* 64 MiB */
};

stele_code sti_docs_waiting_hash_of(struct sti_docs_waiting *waiting, stele_bytes bytes,
        struct sti_docs_waiting_hash *out, stele_error *err)
{
    const stele_bytes pieces[] = {stele_bytes_of(waiting->seeds, sizeof waiting->seeds), bytes};
    uint8_t sum[STI_SHA256_SIZE];
    stele_code rc = sti_sha256_again(&waiting->sha256, pieces, 2, sum, err);

    if (rc == STELE_OK) {
        memcpy(out, sum, sizeof *out);
    }
    return rc;
}

static bool is_same(const struct sti_docs_waiting_hash *a, const struct sti_docs_waiting_hash *b)
{
    return a->words[0] == b->words[0] && a->words[1] == b->words[1];
}

/* Where an ID is, or would be put; there is a free place. */
static struct sti_docs_waiting_id *place_of(
        struct sti_docs_waiting_id *ids, size_t capacity, const struct sti_docs_waiting_hash *hash)
{
    size_t at = (size_t)hash->words[0] & (capacity - 1);

    while (ids[at].state != STI_DOCS_WAITING_NOT_SEEN && !is_same(&ids[at].id, hash)) {
        at = (at + 1) & (capacity - 1);
    }
    return &ids[at];
}

stele_code sti_docs_waiting_find(struct sti_docs_waiting *waiting, stele_bytes id,
        struct sti_docs_waiting_id **out, stele_error *err)
{
    struct sti_docs_waiting_hash hash;
    struct sti_docs_waiting_id *place;
    stele_code rc;

    *out = NULL;
    if (waiting->capacity == 0) {
        return STELE_OK;
    }
    rc = sti_docs_waiting_hash_of(waiting, id, &hash, err);
    if (rc != STELE_OK) {
        return rc;
    }
    place = place_of(waiting->ids, waiting->capacity, &hash);
    *out = place->state == STI_DOCS_WAITING_NOT_SEEN ? NULL : place;
    return STELE_OK;
}

/* Room for one more, three quarters of the places at most being taken; *full: there is none. */
static stele_code make_room(struct sti_docs_waiting *waiting, bool *full, stele_error *err)
{
    size_t capacity = waiting->capacity == 0 ? CAPACITY_MIN : 2 * waiting->capacity;
    struct sti_docs_waiting_id *ids;

    if (waiting->count < waiting->capacity / 4 * 3) {
        return STELE_OK;
    }
    *full = capacity > CAPACITY_MAX;
    if (*full) {
        return STELE_OK;
    }
    ids = sti_calloc(capacity, sizeof *ids);
    if (ids == NULL) {
        return sti_fail_memory(err, capacity * sizeof *ids);
    }
    for (size_t i = 0; i < waiting->capacity; i++) {
        if (waiting->ids[i].state != STI_DOCS_WAITING_NOT_SEEN) {
            *place_of(ids, capacity, &waiting->ids[i].id) = waiting->ids[i];
        }
    }
    sti_free(waiting->ids);
    waiting->ids = ids;
    waiting->capacity = capacity;
    return STELE_OK;
}

stele_code sti_docs_waiting_need(struct sti_docs_waiting *waiting, stele_bytes id,
        struct sti_docs_waiting_id **out, stele_error *err)
{
    struct sti_docs_waiting_hash hash;
    struct sti_docs_waiting_id *place = NULL;
    bool full = false;
    stele_code rc = sti_docs_waiting_hash_of(waiting, id, &hash, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (waiting->capacity > 0) {
        place = place_of(waiting->ids, waiting->capacity, &hash);
    }
    if (place != NULL && place->state != STI_DOCS_WAITING_NOT_SEEN) {
        *out = place;
        return STELE_OK;
    }
    rc = make_room(waiting, &full, err);
    if (rc != STELE_OK || full) {
        return rc;
    }
    *out = place_of(waiting->ids, waiting->capacity, &hash);
    (*out)->id = hash;
    waiting->count++;
    return STELE_OK;
}

void sti_docs_waiting_free(struct sti_docs_waiting *waiting)
{
    sti_free(waiting->ids);
    sti_sha256_free(&waiting->sha256);
    waiting->ids = NULL;
    waiting->capacity = 0;
}
