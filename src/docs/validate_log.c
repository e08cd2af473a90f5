/* SPDX-License-Identifier: MIT
 *
 * validate_log.c: the log, and what its days, hours, minutes and seconds add up to.
 *
 * Entries come in the order of their versions, and so one day, hour, minute and second at a time is
 * added up, and compared when another one begins.
 */
#include "base/coding.h"
#include "docs/aggregate.h"
#include "docs/checkpoint.h"
#include "docs/seq.h"
#include "docs/trim.h"
#include "docs/validate.h"

struct adding {
    struct sti_docs_validating *v;
    int64_t horizon;
    struct sti_sha256 sha;
    bool any;
    struct sti_docs_checkpoint checkpoint;
    struct sti_docs_aggregate aggregates[STI_DOCS_LEVELS];
    int64_t at[STI_DOCS_LEVELS];
    uint64_t checkpoints;
    uint64_t aggregate_count;
};

static stele_code compare_checkpoint(struct adding *a, stele_error *err)
{
    struct sti_docs_checkpoint there = {.epoch = 0};
    uint8_t key[STI_DOCS_CHECKPOINT_KEY_SIZE];
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc;

    sti_docs_checkpoint_key(key, a->checkpoint.epoch);
    rc = sti_docs_read(
            a->v->w.view, STI_DOCS_CHK, stele_bytes_of(key, sizeof key), &value, &found, err);
    if (rc != STELE_OK) {
        return rc;
    }
    a->checkpoints++;
    if (!found || sti_docs_checkpoint_get(&there, value, NULL) != STELE_OK ||
            there.epoch != a->checkpoint.epoch || there.count != a->checkpoint.count ||
            there.total != a->checkpoint.total ||
            memcmp(there.sum, a->checkpoint.sum, sizeof there.sum) != 0) {
        sti_docs_fault(a->v, stele_nil(), "checkpoint %lld is not what its entries add up to",
                (long long)a->checkpoint.epoch);
    }
    return STELE_OK;
}

static stele_code compare_aggregate(struct adding *a, uint8_t level, stele_error *err)
{
    struct sti_docs_aggregate there = {.count = 0};
    uint8_t key[STI_DOCS_AGGREGATE_KEY_SIZE];
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc;

    sti_docs_aggregate_key(key, level, a->at[level]);
    rc = sti_docs_read(
            a->v->w.view, STI_DOCS_AGG, stele_bytes_of(key, sizeof key), &value, &found, err);
    if (rc != STELE_OK) {
        return rc;
    }
    a->aggregate_count++;
    if (!found ||
            sti_docs_check_form(value, STI_DOCS_AGGREGATE_SIZE, "aggregate", NULL) != STELE_OK ||
            sti_docs_aggregate_get(&there, stele_bytes_of(value.data + 1, value.len - 1), NULL) !=
                    STELE_OK ||
            !sti_docs_aggregate_equal(&there, &a->aggregates[level])) {
        sti_docs_fault(a->v, stele_nil(), "an aggregate is not what its entries add up to");
    }
    return STELE_OK;
}

/* Compare what does not go on with this version, and begin anew. `last`: nothing goes on. */
static stele_code turn(
        struct adding *a, struct sti_docs_version version, bool last, stele_error *err)
{
    bool day = last || !a->any || !sti_docs_checkpoint_covers(&a->checkpoint, version);
    stele_code rc = STELE_OK;

    if (day && a->any) {
        rc = compare_checkpoint(a, err);
    }
    if (day) {
        sti_docs_checkpoint_init(&a->checkpoint, version);
    }
    for (uint8_t i = 0; i < STI_DOCS_LEVELS && rc == STELE_OK; i++) {
        int64_t at = version.seconds / sti_docs_level_seconds[i];
        bool other = last || !a->any || a->at[i] != at;

        if (other && a->any) {
            rc = compare_aggregate(a, i, err);
        }
        if (other) {
            a->aggregates[i] = (struct sti_docs_aggregate){.count = 0};
            a->at[i] = at;
        }
    }
    a->any = true;
    return rc;
}

/* The ID has it in its own log. */
static stele_code check_place(
        struct adding *a, const struct sti_docs_entry *entry, stele_error *err)
{
    stele_bytes value = stele_nil();
    bool found = false;
    stele_buf key;
    stele_code rc;

    stele_buf_init(&key, SIZE_MAX);
    rc = sti_docs_place_key(entry->id, entry->version, &key, err);
    if (rc == STELE_OK) {
        rc = sti_docs_read(a->v->w.view, STI_DOCS_LID, stele_buf_view(&key), &value, &found, err);
    }
    if (rc == STELE_OK && !found) {
        sti_docs_fault(a->v, entry->id, "an entry is missing in the log of its ID");
    } else if (rc == STELE_OK &&
               sti_docs_check_form(value, 0, "place in the log of an ID", NULL) != STELE_OK) {
        sti_docs_fault(a->v, entry->id, "a place in the log of its ID is not what it has to be");
    }
    stele_buf_free(&key);
    return rc;
}

static stele_code see_entry(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct adding *a = arg;
    struct sti_docs_entry entry = {.is_delete = false};
    struct sti_docs_version version = {.seconds = 0};
    uint8_t hash[STI_DOCS_HASH_SIZE];
    stele_bytes id = stele_nil();
    stele_error why = {.code = STELE_OK};
    stele_code rc;

    a->v->counts.entries++;
    if (sti_docs_entry_decode(&entry, value, &why) != STELE_OK ||
            sti_docs_log_key_decode(&version, &id, key, &why) != STELE_OK) {
        return sti_docs_fault_of(a->v, stele_nil(), &why, err);
    }
    if (sti_docs_version_compare(version, entry.version) != 0 || !stele_bytes_equal(id, entry.id)) {
        sti_docs_fault(a->v, id, "an entry of the log is not that of its place");
        return STELE_OK;
    }
    rc = check_place(a, &entry, err);
    if (rc != STELE_OK || version.seconds < a->horizon) {
        return rc;
    }
    if (rc == STELE_OK) {
        rc = turn(a, version, false, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_entry_hash_again(&a->sha, &entry, hash, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_checkpoint_add(&a->checkpoint, hash, err);
    }
    for (size_t i = 0; i < STI_DOCS_LEVELS && rc == STELE_OK; i++) {
        sti_docs_aggregate_add_hash(&a->aggregates[i], hash);
    }
    return rc;
}

/* What a trim that was interrupted has left of the sums. */
static stele_code see_checkpoint(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct adding *a = arg;

    (void)value;
    (void)err;
    if (key.len == STI_DOCS_CHECKPOINT_KEY_SIZE &&
            (int64_t)sti_get_be64(key.data) <= sti_docs_horizon_epoch(a->horizon)) {
        a->checkpoints++;
    }
    return STELE_OK;
}

static stele_code see_aggregate(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct adding *a = arg;

    (void)value;
    (void)err;
    if (key.len == STI_DOCS_AGGREGATE_KEY_SIZE && key.data[0] < STI_DOCS_LEVELS &&
            (int64_t)sti_get_be64(key.data + 1) <
                    a->horizon / sti_docs_level_seconds[key.data[0]]) {
        a->aggregate_count++;
    }
    return STELE_OK;
}

static stele_code count_left(struct adding *a, stele_error *err)
{
    stele_code rc = stele_store_read_for_each(
            a->v->w.view, sti_docs_bucket_name(STI_DOCS_CHK), see_checkpoint, a, err);

    return rc == STELE_OK ? stele_store_read_for_each(a->v->w.view,
                                    sti_docs_bucket_name(STI_DOCS_AGG), see_aggregate, a, err)
                          : rc;
}

/* Those whose entry is not in the log. */
static stele_code see_place(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    uint64_t *count = arg;

    (void)key;
    (void)err;
    *count += value.len > 1 ? 1U : 0U;
    return STELE_OK;
}

stele_code sti_docs_validate_log(struct sti_docs_validating *v, stele_error *err)
{
    struct adding a = {.v = v};
    uint64_t unlogged = 0;
    bool fit = true;
    stele_code rc = sti_docs_horizon(v->w.view, &a.horizon, err);

    if (rc == STELE_OK) {
        rc = stele_store_read_for_each(
                v->w.view, sti_docs_bucket_name(STI_DOCS_LOG), see_entry, &a, err);
    }
    sti_sha256_free(&a.sha);
    if (rc == STELE_OK && a.horizon > 0) {
        rc = count_left(&a, err);
    }

    if (rc == STELE_OK && a.any) {
        rc = turn(&a, (struct sti_docs_version){.seconds = 0}, true, err);
    }
    if (rc == STELE_OK) {
        rc = stele_store_read_for_each(
                v->w.view, sti_docs_bucket_name(STI_DOCS_LID), see_place, &unlogged, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_validate_count(v, STI_DOCS_LID, v->counts.entries + unlogged, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_seq_check(v->w.view, &fit, err);
    }
    if (rc == STELE_OK && !fit) {
        sti_docs_fault(v, stele_nil(), "the numbers of the feed are not those of the log");
    }
    if (rc == STELE_OK) {
        rc = sti_docs_validate_count(v, STI_DOCS_CHK, a.checkpoints, err);
    }
    return rc == STELE_OK ? sti_docs_validate_count(v, STI_DOCS_AGG, a.aggregate_count, err) : rc;
}
