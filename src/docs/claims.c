/* SPDX-License-Identifier: MIT
 *
 * claims.c: what the whole log of an ID makes of it.
 *
 * It is the definition of the claims applied as it stands, entry by entry. It takes a parse of each
 * of them, which is paid for entries that come late, and for documents whose type gets unique keys.
 */
#include "base/error.h"
#include "docs/apply.h"

/* One step: info and change are those of the entry before, and become those of the next. */
struct steps {
    struct sti_docs_change change;
    bool borrowed; /* it is the one that is known */
    struct sti_docs_info info;
    bool any;
};

static void steps_free(struct steps *s)
{
    sti_docs_info_free(&s->info);
    if (!s->borrowed) {
        sti_docs_change_free(&s->change);
    }
}

static stele_code step(struct steps *s, struct sti_docs_write *w,
        const struct sti_docs_change *known, stele_bytes key, stele_bytes value, stele_bytes id,
        stele_error *err)
{
    struct steps next = {.any = true};
    struct sti_docs_entry entry = {.id = id};
    struct sti_docs_keys keys;
    stele_code rc = sti_docs_place_entry(w->view, key, value, id, &entry, err);

    next.borrowed = known != NULL && !entry.is_delete && !known->entry.is_delete &&
                    sti_docs_version_compare(known->entry.version, entry.version) == 0;
    if (rc == STELE_OK && next.borrowed) {
        next.change = *known;
    } else if (rc == STELE_OK) {
        rc = sti_docs_change_prepare(&next.change, w, &entry, NULL, false, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    keys = (struct sti_docs_keys){.list = next.change.unique, .count = next.change.unique_count};
    rc = sti_docs_info_after(
            &next.info, s->any ? &s->info : NULL, entry.version, entry.is_delete, keys, err);
    if (rc != STELE_OK) {
        steps_free(&next);
        return rc;
    }
    steps_free(s);
    *s = next;
    return STELE_OK;
}

/* From where the cursor is, as long as keys begin with `head`. */
static stele_code walk(struct steps *s, struct sti_docs_write *w,
        const struct sti_docs_change *known, stele_store_cursor *cursor, stele_bytes head,
        stele_error *err)
{
    stele_bytes id = stele_bytes_of(head.data + 2, head.len - 2);
    stele_code rc = stele_store_cursor_seek(cursor, head, err);

    while (rc == STELE_OK) {
        stele_bytes key = stele_nil();
        stele_bytes value = stele_nil();

        rc = stele_store_cursor_pair(cursor, &key, &value, err);
        if (rc != STELE_OK || key.len != head.len + STI_DOCS_VERSION_SIZE ||
                memcmp(key.data, head.data, head.len) != 0) {
            break;
        }
        rc = step(s, w, known, key, value, id, err);
        if (rc == STELE_OK) {
            rc = stele_store_cursor_next(cursor, err);
        }
    }
    return rc == STELE_END ? STELE_OK : rc;
}

stele_code sti_docs_claims_of_log(struct sti_docs_write *w, stele_bytes id,
        const struct sti_docs_change *known, stele_buf *out, stele_error *err)
{
    struct steps s = {.any = false};
    stele_store_cursor *cursor = NULL;
    stele_buf head;
    stele_code rc;

    stele_buf_init(&head, SIZE_MAX);
    rc = sti_docs_place_head(id, &head, err);
    if (rc == STELE_OK) {
        rc = stele_store_cursor_open(&cursor, w->view, sti_docs_bucket_name(STI_DOCS_LID), err);
    }
    if (rc == STELE_OK) {
        rc = walk(&s, w, known, cursor, stele_buf_view(&head), err);
    }
    if (rc == STELE_OK && !s.any) {
        rc = sti_fail(err, STELE_ENOTFOUND, "no entry of the log has this ID");
    }
    if (rc == STELE_OK) {
        rc = sti_docs_info_encode(&s.info, out, err);
    }
    stele_store_cursor_close(cursor);
    steps_free(&s);
    stele_buf_free(&head);
    return rc;
}
