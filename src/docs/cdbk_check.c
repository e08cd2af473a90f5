/* SPDX-License-Identifier: MIT
 *
 * cdbk_check.c: what a backup holds, pair by pair and as a whole.
 *
 * The lists of IDs that have a version and a document come in the same order, so that comparing
 * hashes of them is enough, and no list is kept.
 */
#include "docs/cdbk_check.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"
#include "base/sha256.h"
#include "docs/checkpoint.h"
#include "docs/info.h"
#include "docs/type.h"

#include <inttypes.h>

enum {
    EPOCHS_MIN = 64,
    EPOCH_SIZE = 8,
    TIE_SIZE = 8 /* of the hash, behind the key of an entry */
};

struct epoch {
    struct sti_docs_checkpoint said;
    struct sti_docs_checkpoint found;
};

struct sti_docs_cdbk_check {
    struct epoch *epochs; /* ascending */
    size_t epoch_count;
    size_t epoch_capacity;
    uint8_t hash[STI_DOCS_HASH_SIZE]; /* of the last entry */
    struct sti_sha256 sha;            /* that makes it */
    struct sti_sha256 info_ids;
    struct sti_sha256 data_ids;
};

stele_code sti_docs_cdbk_check_new(struct sti_docs_cdbk_check **out, stele_error *err)
{
    struct sti_docs_cdbk_check *check = sti_calloc(1, sizeof *check);
    stele_code rc;

    if (check == NULL) {
        return sti_fail_memory(err, sizeof *check);
    }
    rc = sti_sha256_init(&check->info_ids, err);
    if (rc == STELE_OK) {
        rc = sti_sha256_init(&check->data_ids, err);
    }
    if (rc != STELE_OK) {
        sti_docs_cdbk_check_free(check);
        return rc;
    }
    *out = check;
    return STELE_OK;
}

void sti_docs_cdbk_check_free(struct sti_docs_cdbk_check *check)
{
    if (check != NULL) {
        sti_sha256_free(&check->sha);
        sti_sha256_free(&check->info_ids);
        sti_sha256_free(&check->data_ids);
        sti_free(check->epochs);
        sti_free(check);
    }
}

static stele_code add_type(const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct sti_docs_type *type = NULL;
    stele_code rc = sti_docs_type_read(&type, pair->value, err);

    if (rc == STELE_OK && !stele_bytes_equal(stele_str(type->name), pair->key)) {
        rc = sti_fail(err, STELE_ECORRUPT, "the type \"%.80s\" is under another name", type->name);
    }
    sti_docs_type_free(type);
    return rc;
}

static stele_code grow_epochs(struct sti_docs_cdbk_check *check, stele_error *err)
{
    size_t capacity = check->epoch_capacity == 0 ? EPOCHS_MIN : 2 * check->epoch_capacity;
    struct epoch *epochs;

    if (check->epoch_count < check->epoch_capacity) {
        return STELE_OK;
    }
    if (check->epoch_count == STI_DOCS_CDBK_EPOCH_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "more than %d checkpoints", STI_DOCS_CDBK_EPOCH_MAX);
    }
    epochs = sti_realloc(check->epochs, capacity, sizeof *epochs);
    if (epochs == NULL) {
        return sti_fail_memory(err, capacity * sizeof *epochs);
    }
    check->epochs = epochs;
    check->epoch_capacity = capacity;
    return STELE_OK;
}

static stele_code add_checkpoint(
        struct sti_docs_cdbk_check *check, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct epoch epoch;
    stele_code rc = sti_docs_checkpoint_get(&epoch.said, pair->value, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (pair->key.len != EPOCH_SIZE || sti_get_be64(pair->key.data) != (uint64_t)epoch.said.epoch) {
        return sti_fail(err, STELE_ECORRUPT,
                "the checkpoint of epoch %" PRId64 " is under another one", epoch.said.epoch);
    }
    rc = grow_epochs(check, err);
    if (rc == STELE_OK) {
        epoch.found = (struct sti_docs_checkpoint){.epoch = epoch.said.epoch};
        check->epochs[check->epoch_count++] = epoch;
    }
    return rc;
}

/* The checkpoint that covers a version; NULL if there is none. */
static struct sti_docs_checkpoint *find_epoch(
        struct sti_docs_cdbk_check *check, struct sti_docs_version version)
{
    int64_t wanted = sti_docs_version_epoch(version) + 1;
    size_t low = 0;
    size_t high = check->epoch_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (check->epochs[middle].said.epoch < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == check->epoch_count || check->epochs[low].said.epoch != wanted) {
        return NULL;
    }
    return &check->epochs[low].found;
}

static bool is_key_of(stele_bytes key, stele_bytes entry_bytes, const uint8_t *hash, size_t id_len)
{
    size_t len = STI_DOCS_VERSION_SIZE + id_len;

    /* In the entry the version, the length of the ID and the ID follow each other. */
    if (key.len < len ||
            memcmp(key.data, entry_bytes.data + STI_DOCS_ENTRY_HEAD - 2 - STI_DOCS_VERSION_SIZE,
                    STI_DOCS_VERSION_SIZE) != 0 ||
            memcmp(key.data + STI_DOCS_VERSION_SIZE, entry_bytes.data + STI_DOCS_ENTRY_HEAD,
                    id_len) != 0) {
        return false;
    }
    return key.len == len ||
           (key.len == len + TIE_SIZE && memcmp(key.data + len, hash, TIE_SIZE) == 0);
}

static stele_code add_entry(
        struct sti_docs_cdbk_check *check, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct sti_docs_checkpoint *found;
    struct sti_docs_entry entry;
    stele_code rc = sti_docs_entry_decode(&entry, pair->value, err);

    if (rc == STELE_OK) {
        rc = sti_sha256_again(&check->sha, &pair->value, 1, check->hash, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    if (!is_key_of(pair->key, pair->value, check->hash, entry.id.len)) {
        return sti_fail(err, STELE_ECORRUPT, "an entry is under the key of another");
    }
    found = find_epoch(check, entry.version);
    if (found == NULL) {
        return sti_fail(err, STELE_ECORRUPT,
                "an entry of epoch %" PRId64 ", which has no checkpoint",
                sti_docs_version_epoch(entry.version) + 1);
    }
    return sti_docs_checkpoint_add(found, check->hash, err);
}

static stele_code add_id(struct sti_sha256 *ids, stele_bytes id, stele_error *err)
{
    uint8_t len[4];
    stele_code rc = sti_docs_id_check(id, err);

    if (rc == STELE_OK) {
        sti_put_be32(len, (uint32_t)id.len);
        rc = sti_sha256_add(ids, len, sizeof len, err);
    }
    return rc == STELE_OK ? sti_sha256_add(ids, id.data, id.len, err) : rc;
}

static stele_code add_info(
        struct sti_docs_cdbk_check *check, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    struct sti_docs_version version;
    stele_code rc;

    if (pair->value.len != STI_DOCS_VERSION_SIZE) {
        return sti_fail(err, STELE_ECORRUPT, "a version of %zu bytes instead of %d",
                pair->value.len, STI_DOCS_VERSION_SIZE);
    }
    rc = sti_docs_version_get(&version, pair->value.data, err);
    return rc == STELE_OK ? add_id(&check->info_ids, pair->key, err) : rc;
}

static stele_code add_data(
        struct sti_docs_cdbk_check *check, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    if (pair->value.len == 0) {
        return sti_fail(err, STELE_ECORRUPT, "a document without JSON");
    }
    return add_id(&check->data_ids, pair->key, err);
}

static stele_code add(
        struct sti_docs_cdbk_check *check, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    switch (pair->section) {
    case STI_DOCS_CDBK_TYPE:
        return add_type(pair, err);
    case STI_DOCS_CDBK_CHECKPOINT:
        return add_checkpoint(check, pair, err);
    case STI_DOCS_CDBK_LOG:
        return add_entry(check, pair, err);
    case STI_DOCS_CDBK_INFO:
        return add_info(check, pair, err);
    case STI_DOCS_CDBK_DATA:
    default:
        return add_data(check, pair, err);
    }
}

stele_code sti_docs_cdbk_check_add(
        struct sti_docs_cdbk_check *check, const struct sti_docs_cdbk_pair *pair, stele_error *err)
{
    stele_code rc = add(check, pair, err);

    return rc == STELE_OK ? rc
                          : sti_wrap(err, rc, "backup: at %" PRIu64 ": %s", pair->position,
                                    sti_docs_cdbk_section_name(pair->section));
}

const uint8_t *sti_docs_cdbk_check_hash(const struct sti_docs_cdbk_check *check)
{
    return check->hash;
}

static stele_code check_epoch(const struct epoch *epoch, stele_error *err)
{
    if (epoch->said.count != epoch->found.count) {
        return sti_fail(err, STELE_ECORRUPT,
                "backup: the checkpoint of epoch %" PRId64 " counts %" PRIu64
                " entries, and there are %" PRIu64,
                epoch->said.epoch, epoch->said.count, epoch->found.count);
    }
    if (memcmp(epoch->said.sum, epoch->found.sum, sizeof epoch->said.sum) != 0) {
        return sti_fail(err, STELE_ECORRUPT,
                "backup: the checkpoint of epoch %" PRId64 " is that of other entries",
                epoch->said.epoch);
    }
    return STELE_OK;
}

stele_code sti_docs_cdbk_check_end(struct sti_docs_cdbk_check *check, stele_error *err)
{
    uint8_t info_ids[STI_SHA256_SIZE] = {0};
    uint8_t data_ids[STI_SHA256_SIZE] = {0};
    stele_code rc = sti_sha256_end(&check->info_ids, info_ids, err);

    if (rc == STELE_OK) {
        rc = sti_sha256_end(&check->data_ids, data_ids, err);
    }
    if (rc == STELE_OK && memcmp(info_ids, data_ids, sizeof info_ids) != 0) {
        rc = sti_fail(err, STELE_ECORRUPT,
                "backup: the IDs that have a version are not those that have a document");
    }
    for (size_t i = 0; i < check->epoch_count && rc == STELE_OK; i++) {
        rc = check_epoch(&check->epochs[i], err);
    }
    return rc;
}
