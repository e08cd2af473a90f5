/* SPDX-License-Identifier: MIT
 *
 * peer_read.c: views of a database, for peers.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "docs/apply.h"
#include "docs/peer_range.h"
#include "docs/seq.h"
#include "docs/trim.h"

stele_code sti_docs_view_begin(struct sti_docs_view *out, stele_docs *db, stele_error *err)
{
    struct sti_docs_view view = {.db = db};
    stele_code rc = sti_docs_read_begin(&view.read, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = sti_docs_horizon(view.read, &view.horizon, err);
    rc = rc == STELE_OK ? sti_docs_seq_last(view.read, &view.seq, err) : rc;
    if (rc != STELE_OK) {
        stele_store_read_end(view.read);
        return rc;
    }
    *out = view;
    return STELE_OK;
}

void sti_docs_view_end(struct sti_docs_view *view)
{
    stele_store_read_end(view->read);
    view->read = NULL;
}

/* ---- Entries. ---- */

stele_code sti_docs_view_find(const struct sti_docs_view *view, stele_bytes key,
        uint8_t hash[STI_DOCS_HASH_SIZE], bool *found, stele_error *err)
{
    stele_bytes entry = stele_nil();
    stele_code rc = sti_docs_read(view->read, STI_DOCS_LOG, key, &entry, found, err);

    return rc == STELE_OK && *found ? sti_docs_hash_of(entry, hash, err) : rc;
}

stele_code sti_docs_view_entry(
        const struct sti_docs_view *view, stele_bytes key, stele_buf *out, stele_error *err)
{
    stele_bytes entry = stele_nil();
    bool found = false;
    stele_code rc = key.len == 0 || key.len > STI_DOCS_LOG_KEY_MAX
                            ? STELE_OK
                            : sti_docs_read(view->read, STI_DOCS_LOG, key, &entry, &found, err);

    if (rc == STELE_OK && !found) {
        return sti_fail(err, STELE_ENOTFOUND, "no such entry of the log");
    }
    return rc == STELE_OK ? stele_buf_append(out, entry, err) : rc;
}

struct handing {
    stele_code (*each)(
            void *arg, stele_bytes key, const uint8_t hash[STI_DOCS_HASH_SIZE], stele_error *err);
    void *arg;
};

static stele_code hand_on(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    const struct handing *h = arg;
    uint8_t hash[STI_DOCS_HASH_SIZE];
    stele_code rc = sti_docs_hash_of(value, hash, err);

    return rc == STELE_OK ? h->each(h->arg, key, hash, err) : rc;
}

stele_code sti_docs_view_keys(const struct sti_docs_view *view, stele_bytes low, stele_bytes high,
        stele_code (*each)(void *arg, stele_bytes key, const uint8_t hash[STI_DOCS_HASH_SIZE],
                stele_error *err),
        void *arg, stele_error *err)
{
    struct handing h = {.each = each, .arg = arg};
    uint8_t horizon[STI_DOCS_VERSION_SIZE];
    stele_bytes from;

    sti_docs_version_put(horizon, (struct sti_docs_version){.seconds = view->horizon});
    from = stele_bytes_of(horizon, sizeof horizon);
    if (stele_is_nil(low) || (!stele_is_nil(high) && stele_bytes_compare(low, high) >= 0)) {
        return STELE_OK;
    }
    from = stele_bytes_compare(low, from) < 0 ? from : low;
    if (!stele_is_nil(high) && stele_bytes_compare(from, high) >= 0) {
        return STELE_OK;
    }
    return sti_docs_span_pairs(view, from, high, hand_on, &h, err);
}

/* ---- Days. ---- */

struct days {
    int64_t above;
    stele_code (*each)(void *arg, const struct sti_docs_checkpoint *checkpoint, stele_error *err);
    void *arg;
};

static stele_code give_day(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    const struct days *d = arg;
    struct sti_docs_checkpoint checkpoint = {.epoch = 0};
    stele_code rc = sti_docs_checkpoint_get(&checkpoint, value, err);

    (void)key;
    return rc == STELE_OK && checkpoint.epoch > d->above ? d->each(d->arg, &checkpoint, err) : rc;
}

stele_code sti_docs_view_checkpoints(const struct sti_docs_view *view,
        stele_code (*each)(
                void *arg, const struct sti_docs_checkpoint *checkpoint, stele_error *err),
        void *arg, stele_error *err)
{
    struct days d = {.above = sti_docs_horizon_epoch(view->horizon), .each = each, .arg = arg};

    return stele_store_read_for_each(
            view->read, sti_docs_bucket_name(STI_DOCS_CHK), give_day, &d, err);
}

/* ---- What documents rest on. ---- */

struct place {
    stele_bytes value;
    struct sti_docs_version version;
};

struct keeping {
    const struct sti_docs_view *view;
    stele_code (*each)(void *arg, stele_bytes id, stele_bytes entry, stele_error *err);
    void *arg;
    stele_bytes head; /* of the places of the ID */
    struct place *places;
    size_t count;
    size_t capacity;
    stele_buf entry;
};

static stele_code note_place(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct keeping *k = arg;
    struct place place = {.value = value};
    stele_code rc;

    if (key.len != k->head.len + STI_DOCS_VERSION_SIZE ||
            memcmp(key.data, k->head.data, k->head.len) != 0) {
        return STELE_END;
    }
    rc = sti_docs_version_get(&place.version, key.data + k->head.len, err);
    if (rc == STELE_OK && k->count == k->capacity) {
        size_t capacity = k->capacity == 0 ? 16 : 2 * k->capacity;
        struct place *places = sti_realloc(k->places, capacity, sizeof *places);

        if (places == NULL) {
            return sti_fail_memory(err, capacity * sizeof *places);
        }
        k->places = places;
        k->capacity = capacity;
    }
    if (rc == STELE_OK) {
        k->places[k->count++] = place;
    }
    return rc;
}

static stele_code give_place(
        struct keeping *k, stele_bytes id, const struct place *place, stele_error *err)
{
    struct sti_docs_entry entry = {.id = id, .version = place->version};
    stele_buf key;
    stele_code rc;

    stele_buf_init(&key, SIZE_MAX);
    stele_buf_clear(&k->entry);
    if (place->value.len > 1) {
        /* The document of a backup that did not have its entry. */
        entry.json = stele_bytes_of(place->value.data + 1, place->value.len - 1);
        rc = sti_docs_entry_encode(&entry, &k->entry, err);
    } else {
        rc = sti_docs_log_key_encode(entry.version, id, &key, err);
        rc = rc == STELE_OK ? sti_docs_view_entry(k->view, stele_buf_view(&key), &k->entry, err)
                            : rc;
    }
    stele_buf_free(&key);
    return rc == STELE_OK ? k->each(k->arg, id, stele_buf_view(&k->entry), err) : rc;
}

static stele_code give_kept(
        struct keeping *k, stele_bytes id, const struct sti_docs_info *info, stele_error *err)
{
    stele_code rc = STELE_OK;

    for (size_t i = 0; i < k->count && rc == STELE_OK; i++) {
        const struct sti_docs_version *next = i + 1 < k->count ? &k->places[i + 1].version : NULL;
        bool dead = false;

        if (sti_docs_trim_keeps(info, k->places[i].version, next, &dead) || dead) {
            rc = give_place(k, id, &k->places[i], err);
        }
    }
    return rc;
}

static stele_code keep(void *arg, stele_bytes id, stele_bytes value, stele_error *err)
{
    struct keeping *k = arg;
    struct sti_docs_info info = {.claims = NULL};
    stele_store_range range = {.to_end = true};
    stele_buf head;
    stele_code rc = sti_docs_info_decode(&info, value, err);

    stele_buf_init(&head, SIZE_MAX);
    rc = rc == STELE_OK ? sti_docs_place_head(id, &head, err) : rc;
    if (rc == STELE_OK) {
        range.start = k->head = stele_buf_view(&head);
        k->count = 0;
        rc = stele_store_read_range(k->view->read, sti_docs_bucket_name(STI_DOCS_LID), &range,
                note_place, k, NULL, err);
    }
    if (rc == STELE_OK) {
        rc = give_kept(k, stele_bytes_of(head.data + 2, id.len), &info, err);
    }
    sti_docs_info_free(&info);
    stele_buf_free(&head);
    return rc;
}

stele_code sti_docs_view_kept(const struct sti_docs_view *view, stele_bytes after,
        stele_code (*each)(void *arg, stele_bytes id, stele_bytes entry, stele_error *err),
        void *arg, stele_error *err)
{
    struct keeping k = {.view = view, .each = each, .arg = arg};
    stele_store_range range = {.to_end = true};
    stele_buf start;
    stele_code rc;

    stele_buf_init(&start, SIZE_MAX);
    stele_buf_init(&k.entry, SIZE_MAX);
    rc = after.len > 0 ? sti_docs_behind(&start, after, err) : STELE_OK;
    if (rc == STELE_OK) {
        range.start = stele_buf_view(&start);
        rc = stele_store_read_range(
                view->read, sti_docs_bucket_name(STI_DOCS_NFO), &range, keep, &k, NULL, err);
    }
    sti_free(k.places);
    stele_buf_free(&k.entry);
    stele_buf_free(&start);
    return rc;
}
