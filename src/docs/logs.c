/* SPDX-License-Identifier: MIT
 *
 * logs.c: reading the log, its checkpoints, and the conflicts over unique keys.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "docs/apply.h"
#include "docs/checkpoint.h"
#include "docs/expiry.h"
#include "docs/trim.h"

/* What is to be called, and for whom. */
struct listener {
    stele_docs *db;
    stele_store_read *read;
    stele_code (*entry)(void *arg, const stele_docs_entry *entry, stele_error *err);
    stele_code (*checkpoint)(void *arg, const stele_docs_checkpoint *checkpoint, stele_error *err);
    stele_code (*conflict)(void *arg, const stele_docs_conflict *conflict, stele_error *err);
    void *arg;
    struct sti_docs_time now;
    int64_t horizon;
    bool behind_first; /* of a history */
    stele_bytes head;  /* of the places of one ID */
    bool ended;        /* the listener has heard enough */
};

/* All of a bucket behind a key; nil: from its beginning. */
static stele_code walk(stele_docs *db, enum sti_docs_bucket bucket, stele_bytes after,
        struct listener *l, stele_store_pair_fn each, stele_error *err)
{
    stele_store_range range = {.to_end = true};
    stele_buf start;
    stele_code rc;

    stele_buf_init(&start, SIZE_MAX);
    rc = stele_buf_append(&start, after, err);
    if (rc == STELE_OK && !stele_is_nil(after) && !STI_MUTANT(DOCS_FEED_REPEATS)) {
        rc = stele_buf_append(&start, stele_bytes_of("", 1), err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_read_begin(&l->read, db, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_horizon(l->read, &l->horizon, err);
    }
    if (rc == STELE_OK) {
        l->db = db;
        l->now = sti_docs_wall(db);
        range.start = stele_buf_view(&start);
        rc = stele_store_read_range(
                l->read, sti_docs_bucket_name(bucket), &range, each, l, NULL, err);
    }
    stele_store_read_end(l->read);
    stele_buf_free(&start);
    return rc;
}

static stele_code give(const struct listener *l, stele_bytes log_id,
        const struct sti_docs_entry *entry, stele_error *err)
{
    const stele_docs_entry given = {
            .log_id = log_id,
            .version = sti_docs_version_public(entry->version),
            .is_delete = entry->is_delete,
            .id = entry->id,
            .json = entry->json,
            .after_gap = !stele_is_nil(l->head) && l->horizon > 0 &&
                         (entry->version.seconds < l->horizon || !l->behind_first),
    };

    return l->entry(l->arg, &given, err);
}

static stele_code give_entry(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct sti_docs_entry entry = {.is_delete = false};
    stele_code rc = sti_docs_entry_decode(&entry, value, err);

    return rc == STELE_OK ? give(arg, key, &entry, err) : rc;
}

stele_code stele_docs_log(stele_docs *db, stele_bytes after,
        stele_code (*each)(void *arg, const stele_docs_entry *entry, stele_error *err), void *arg,
        stele_error *err)
{
    struct listener l = {.entry = each, .arg = arg};

    if (db == NULL || each == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nobody to tell");
    }
    if (after.len > STI_DOCS_LOG_KEY_MAX) {
        return sti_fail(err, STELE_EINVAL, "a place of %zu bytes is none in a log", after.len);
    }
    return walk(db, STI_DOCS_LOG, after, &l, give_entry, err);
}

/* ---- The log of one ID. ---- */

static stele_code give_place(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct listener *l = arg;
    struct sti_docs_entry entry = {.is_delete = false};
    stele_buf log_key;
    stele_code rc;

    if (key.len < l->head.len || memcmp(key.data, l->head.data, l->head.len) != 0) {
        return STELE_END;
    }
    rc = sti_docs_place_entry(
            l->read, key, value, stele_bytes_of(l->head.data + 2, l->head.len - 2), &entry, err);
    if (rc != STELE_OK) {
        return rc;
    }
    stele_buf_init(&log_key, SIZE_MAX);
    rc = sti_docs_log_key_encode(entry.version, entry.id, &log_key, err);
    if (rc == STELE_OK) {
        rc = give(l, stele_buf_view(&log_key), &entry, err);
        l->behind_first = true;
    }
    stele_buf_free(&log_key);
    return rc;
}

stele_code stele_docs_history(stele_docs *db, stele_bytes id,
        stele_code (*each)(void *arg, const stele_docs_entry *entry, stele_error *err), void *arg,
        stele_error *err)
{
    struct listener l = {.entry = each, .arg = arg};
    stele_buf head;
    stele_code rc;

    if (db == NULL || each == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nobody to tell");
    }
    rc = sti_docs_id_check(id, err);
    if (rc != STELE_OK) {
        return rc;
    }
    stele_buf_init(&head, SIZE_MAX);
    rc = sti_docs_place_head(id, &head, err);
    if (rc == STELE_OK) {
        l.head = stele_buf_view(&head);
        rc = walk(db, STI_DOCS_LID, l.head, &l, give_place, err);
    }
    stele_buf_free(&head);
    return rc;
}

static stele_code give_checkpoint(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct listener *l = arg;
    struct sti_docs_checkpoint checkpoint = {.epoch = 0};
    stele_docs_checkpoint given;
    stele_code rc = sti_docs_checkpoint_get(&checkpoint, value, err);

    (void)key;
    if (rc != STELE_OK || checkpoint.epoch <= sti_docs_horizon_epoch(l->horizon)) {
        return rc;
    }
    given.epoch = checkpoint.epoch;
    given.count = checkpoint.count;
    memcpy(given.sum, checkpoint.sum, sizeof given.sum);
    sti_docs_checkpoint_put(given.encoded, &checkpoint);
    return l->checkpoint(l->arg, &given, err);
}

stele_code stele_docs_checkpoints(stele_docs *db,
        stele_code (*each)(void *arg, const stele_docs_checkpoint *checkpoint, stele_error *err),
        void *arg, stele_error *err)
{
    struct listener l = {.checkpoint = each, .arg = arg};

    if (db == NULL || each == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nobody to tell");
    }
    return walk(db, STI_DOCS_CHK, stele_nil(), &l, give_checkpoint, err);
}

/* ---- Conflicts. ---- */

/* The claimants of one key, of whom the first owns it. */
struct claimants {
    struct listener *l;
    stele_docs_conflict conflict;
    stele_bytes claim;
    stele_buf owner; /* a key is valid only until the next one */
};

static stele_code give_claimant(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct claimants *c = arg;
    struct sti_docs_index_value here = {.unique = false};
    bool expired = false;
    stele_code rc;

    if (key.len < c->claim.len || memcmp(key.data, c->claim.data, c->claim.len) != 0) {
        return STELE_END;
    }
    rc = sti_docs_index_value_get(&here, key, value, err);
    if (rc == STELE_OK) {
        rc = sti_docs_is_expired(c->l->db, c->l->read, here.id, c->l->now, &expired, err);
    }
    if (rc != STELE_OK || expired) {
        return rc;
    }
    if (stele_is_nil(c->conflict.owner)) {
        rc = stele_buf_append(&c->owner, here.id, err);
        c->conflict.owner = STI_MUTANT(DOCS_OWNER_NOT_KEPT) ? here.id : stele_buf_view(&c->owner);
        c->conflict.first = true;
        return rc;
    }
    c->conflict.id = here.id;
    rc = c->l->conflict(c->l->arg, &c->conflict, err);
    c->conflict.first = false;
    c->l->ended = rc == STELE_END;
    return rc;
}

static stele_code give_conflict(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct listener *l = arg;
    struct claimants c = {.l = l, .claim = key, .conflict = {.owner = stele_nil()}};
    stele_store_range range = {.start = key, .to_end = true};
    struct sti_docs_type_state state = {.number = 0};
    const struct sti_docs_kind *kind;
    uint16_t number = 0;
    stele_code rc;

    (void)value;
    rc = sti_docs_types_follow(l->db, l->read, err);
    if (rc != STELE_OK) {
        return rc;
    }
    kind = sti_docs_kind_of_claim(l->db, key, &number);
    if (kind == NULL) {
        return sti_fail(err, STELE_ECORRUPT, "a conflict over a key of no type");
    }
    rc = sti_docs_type_state_read(l->read, stele_str(kind->type->name), &state, err);
    if (rc != STELE_OK || kind->number != sti_docs_type_searched(&state)) {
        return rc; /* Of a definition that is not searched yet, or any more. */
    }
    c.conflict.type = kind->type->name;
    c.conflict.key = kind->type->keys[number - 1].name;
    stele_buf_init(&c.owner, SIZE_MAX);
    rc = stele_store_read_range(
            l->read, sti_docs_bucket_name(STI_DOCS_IDX), &range, give_claimant, &c, NULL, err);
    stele_buf_free(&c.owner);
    return rc == STELE_OK && l->ended ? STELE_END : rc;
}

stele_code stele_docs_conflicts(stele_docs *db,
        stele_code (*each)(void *arg, const stele_docs_conflict *conflict, stele_error *err),
        void *arg, stele_error *err)
{
    struct listener l = {.conflict = each, .arg = arg};

    if (db == NULL || each == NULL) {
        return sti_fail(err, STELE_EINVAL, "no database, or nobody to tell");
    }
    return walk(db, STI_DOCS_CFL, stele_nil(), &l, give_conflict, err);
}
