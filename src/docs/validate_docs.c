/* SPDX-License-Identifier: MIT
 *
 * validate_docs.c: versions, documents, and the keys of the index.
 */
#include "docs/expiry.h"
#include "docs/validate.h"

/* ---- One ID. ---- */

static bool same_version(const stele_buf *made, stele_bytes value)
{
    return made->len >= STI_DOCS_VERSION_SIZE && value.len >= STI_DOCS_VERSION_SIZE &&
           memcmp(made->data, value.data, STI_DOCS_VERSION_SIZE) == 0;
}

/* Version and claims are those that the log of the ID makes, if it has one; or the version alone.
 */
static stele_code check_info(struct sti_docs_validating *v, stele_bytes id,
        const struct sti_docs_change *known, stele_bytes value, bool version_only, stele_error *err)
{
    stele_buf bytes;
    stele_error why = {.code = STELE_OK};
    stele_code rc;

    stele_buf_init(&bytes, SIZE_MAX);
    rc = sti_docs_claims_of_log(&v->w, id, known, &bytes, &why);
    if (rc == STELE_OK && (version_only ? !same_version(&bytes, value)
                                        : !stele_bytes_equal(stele_buf_view(&bytes), value))) {
        sti_docs_fault(v, id, "version and claims are not those of its log");
    } else if (rc == STELE_ENOTFOUND) {
        rc = STELE_OK;
    } else if (rc != STELE_OK) {
        rc = sti_docs_fault_of(v, id, &why, err);
    }
    stele_buf_free(&bytes);
    return rc;
}

/* A deleted one has left nothing. */
static stele_code check_gone(struct sti_docs_validating *v, stele_bytes id, stele_error *err)
{
    stele_bytes value = stele_nil();
    bool document = false;
    bool keys = false;
    stele_code rc = sti_docs_read(v->w.view, STI_DOCS_DAT, id, &value, &document, err);

    if (rc == STELE_OK) {
        rc = sti_docs_read(v->w.view, STI_DOCS_KDT, id, &value, &keys, err);
    }
    if (rc == STELE_OK && (document || keys)) {
        sti_docs_fault(v, id, "it is deleted, and there are %s", document ? "a document" : "keys");
    }
    return rc;
}

/* The document is that of its entry, if the log has it. */
static stele_code check_text(
        struct sti_docs_validating *v, const struct sti_docs_entry *document, stele_error *err)
{
    struct sti_docs_entry entry = {.is_delete = false};
    stele_bytes bytes = stele_nil();
    bool found = false;
    stele_buf key;
    stele_error why = {.code = STELE_OK};
    stele_code rc;

    stele_buf_init(&key, SIZE_MAX);
    rc = sti_docs_log_key_encode(document->version, document->id, &key, err);
    if (rc == STELE_OK) {
        rc = sti_docs_read(v->w.view, STI_DOCS_LOG, stele_buf_view(&key), &bytes, &found, err);
    }
    stele_buf_free(&key);
    if (rc != STELE_OK || !found) {
        return rc;
    }
    if (sti_docs_entry_decode(&entry, bytes, &why) != STELE_OK) {
        return sti_docs_fault_of(v, document->id, &why, err);
    }
    if (entry.is_delete || !stele_bytes_equal(entry.json, document->json)) {
        sti_docs_fault(v, document->id, "the document is not that of its log");
    }
    return STELE_OK;
}

/* Each key that is kept is in the index. */
static stele_code check_index(
        struct sti_docs_validating *v, stele_bytes id, stele_bytes kept_bytes, stele_error *err)
{
    struct sti_docs_kept kept = {.rest = stele_nil()};
    stele_buf key;
    stele_code rc = sti_docs_kept_begin(&kept, kept_bytes, err);

    stele_buf_init(&key, SIZE_MAX);
    while (rc == STELE_OK) {
        uint8_t wanted[STI_DOCS_INDEX_VALUE_SIZE];
        stele_bytes value = stele_nil();
        bool found = false;

        rc = sti_docs_kept_next(&kept, err);
        if (rc == STELE_OK) {
            rc = sti_docs_kept_key(&kept, id, &key, err);
        }
        if (rc == STELE_OK) {
            rc = sti_docs_read(v->w.view, STI_DOCS_IDX, stele_buf_view(&key), &value, &found, err);
        }
        if (rc == STELE_OK) {
            v->counts.keys++;
            sti_docs_index_value_put(wanted, &kept);
            if (!found || !stele_bytes_equal(value, stele_bytes_of(wanted, sizeof wanted))) {
                sti_docs_fault(v, id, "a key is missing in the index");
            }
        }
    }
    stele_buf_free(&key);
    return rc == STELE_END ? STELE_OK : rc;
}

/* The keys are those of the document. */
static stele_code check_keys(struct sti_docs_validating *v, const struct sti_docs_change *change,
        const struct sti_docs_info *info, stele_error *err)
{
    stele_bytes id = change->entry.id;
    stele_bytes value = stele_nil();
    bool found = false;
    stele_buf wanted;
    stele_code rc;

    if (!sti_docs_claims_fit(&change->keys, info)) {
        sti_docs_fault(v, id, "the claims are not those of its unique keys");
        return STELE_OK;
    }
    stele_buf_init(&wanted, SIZE_MAX);
    rc = sti_docs_kept_encode(&change->keys, info, &wanted, err);
    if (rc == STELE_OK) {
        rc = sti_docs_read(v->w.view, STI_DOCS_KDT, id, &value, &found, err);
    }
    if (rc == STELE_OK && (!found || !stele_bytes_equal(value, stele_buf_view(&wanted)))) {
        sti_docs_fault(v, id, "the keys kept are not those of the document");
    }
    if (rc == STELE_OK) {
        rc = check_index(v, id, stele_buf_view(&wanted), err);
    }
    stele_buf_free(&wanted);
    return rc;
}

/* Both keys by which its end is found, if it has one. */
static stele_code check_end(
        struct sti_docs_validating *v, const struct sti_docs_change *change, stele_error *err)
{
    uint8_t wanted[STI_DOCS_EXPIRY_VALUE_SIZE];
    stele_bytes value = stele_nil();
    bool found = false;
    bool listed = false;
    stele_buf key;
    stele_code rc;

    if (!change->ends) {
        return STELE_OK;
    }
    v->ends++;
    sti_docs_expiry_value(wanted, change->end);
    stele_buf_init(&key, SIZE_MAX);
    rc = sti_docs_expiry_key(change->entry.id, &change->end, &key, err);
    if (rc == STELE_OK) {
        rc = sti_docs_read(v->w.view, STI_DOCS_EXP, stele_buf_view(&key), &value, &listed, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_expiry_key(change->entry.id, NULL, &key, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_read(v->w.view, STI_DOCS_EXP, stele_buf_view(&key), &value, &found, err);
    }
    if (rc == STELE_OK &&
            (!listed || !found ||
                    !stele_bytes_equal(value, stele_bytes_of(wanted, sizeof wanted)))) {
        sti_docs_fault(v, change->entry.id, "the time at which it ends is not kept");
    }
    stele_buf_free(&key);
    return rc;
}

/* Whether a document is on its way from one definition to the next, and has yet to get keys, or to
 * lose some. *kept are those that it has. */
static stele_code is_under_way(struct sti_docs_validating *v, const struct sti_docs_change *change,
        stele_bytes *kept, bool *under_way, stele_error *err)
{
    bool found = false;
    bool has = false;
    bool others = false;
    stele_code rc;

    *under_way = false;
    if (change->type.phase == STI_DOCS_WHOLE) {
        return STELE_OK;
    }
    rc = sti_docs_read(v->w.view, STI_DOCS_KDT, change->entry.id, kept, &found, err);
    if (rc == STELE_OK && found) {
        rc = sti_docs_kept_numbers(*kept, change->type.number, &has, &others, err);
    }
    if (rc == STELE_OK && found) {
        *under_way = !has || (others && change->type.phase != STI_DOCS_FILLING);
    }
    return rc;
}

/* The keys that it has are in the index, and it has its version. */
static stele_code check_under_way(struct sti_docs_validating *v, stele_bytes id, stele_bytes kept,
        stele_bytes value, stele_error *err)
{
    struct sti_docs_time end = {.seconds = 0};
    bool ends = false;
    stele_code rc = check_info(v, id, NULL, value, true, err);

    if (rc == STELE_OK) {
        rc = check_index(v, id, kept, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_expiry_read(v->w.view, id, &end, &ends, err);
        v->ends += ends ? 1U : 0U;
    }
    return rc;
}

static stele_code check_document(struct sti_docs_validating *v,
        const struct sti_docs_change *change, const struct sti_docs_info *info, stele_bytes value,
        stele_error *err)
{
    stele_bytes kept = stele_nil();
    bool under_way = false;
    stele_code rc = is_under_way(v, change, &kept, &under_way, err);

    if (rc != STELE_OK || under_way) {
        return rc == STELE_OK ? check_under_way(v, change->entry.id, kept, value, err) : rc;
    }
    rc = check_info(v, change->entry.id, change, value, false, err);
    if (rc == STELE_OK) {
        rc = check_keys(v, change, info, err);
    }
    return rc == STELE_OK ? check_end(v, change, err) : rc;
}

static stele_code check_live(struct sti_docs_validating *v, stele_bytes id,
        const struct sti_docs_info *info, stele_bytes value, stele_error *err)
{
    struct sti_docs_entry entry = {.version = info->version, .id = id};
    struct sti_docs_change change = {.document = NULL};
    bool found = false;
    stele_error why = {.code = STELE_OK};
    stele_code rc = sti_docs_read(v->w.view, STI_DOCS_DAT, id, &entry.json, &found, err);

    if (rc == STELE_OK && !found) {
        sti_docs_fault(v, id, "the document is missing");
        return check_info(v, id, NULL, value, false, err);
    }
    if (rc == STELE_OK) {
        rc = check_text(v, &entry, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    v->counts.documents++;
    if (sti_docs_change_prepare(&change, &v->w, &entry, NULL, false, &why) != STELE_OK) {
        return sti_docs_fault_of(v, id, &why, err);
    }
    v->counts.unreadable += change.document == NULL ? 1U : 0U;
    rc = check_document(v, &change, info, value, err);
    sti_docs_change_free(&change);
    return rc;
}

static stele_code see_info(void *arg, stele_bytes id, stele_bytes value, stele_error *err)
{
    struct sti_docs_validating *v = arg;
    struct sti_docs_info info = {.claims = NULL};
    stele_error why = {.code = STELE_OK};
    stele_code rc;

    if (sti_docs_info_decode(&info, value, &why) != STELE_OK) {
        return sti_docs_fault_of(v, id, &why, err);
    }
    if (info.deleted) {
        rc = check_info(v, id, NULL, value, false, err);
        rc = rc == STELE_OK ? check_gone(v, id, err) : rc;
    } else {
        rc = check_live(v, id, &info, value, err);
    }
    sti_docs_info_free(&info);
    return rc;
}

stele_code sti_docs_validate_documents(struct sti_docs_validating *v, stele_error *err)
{
    stele_code rc = stele_store_read_for_each(
            v->w.view, sti_docs_bucket_name(STI_DOCS_NFO), see_info, v, err);

    /* What is there and not looked for shows by the counts. */
    if (rc == STELE_OK) {
        rc = sti_docs_validate_count(v, STI_DOCS_DAT, v->counts.documents, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_validate_count(v, STI_DOCS_KDT, v->counts.documents, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_validate_count(v, STI_DOCS_EXP, 2 * v->ends, err);
    }
    if (rc == STELE_OK) {
        rc = sti_docs_validate_count(v, STI_DOCS_BAD, v->counts.unreadable, err);
    }
    return rc == STELE_OK ? sti_docs_validate_count(v, STI_DOCS_IDX, v->counts.keys, err) : rc;
}

/* ---- Keys that several documents claim. ---- */

struct claims {
    struct sti_docs_validating *v;
    stele_buf claim; /* of the unique key that was seen last */
    uint64_t claimants;
};

static stele_code see_key(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct claims *c = arg;
    struct sti_docs_index_value here = {.unique = false};
    stele_bytes noted = stele_nil();
    bool found = false;
    stele_error why = {.code = STELE_OK};
    stele_code rc;

    if (sti_docs_index_value_get(&here, key, value, &why) != STELE_OK) {
        return sti_docs_fault_of(c->v, stele_nil(), &why, err);
    }
    if (!here.unique) {
        return STELE_OK;
    }
    if (!stele_bytes_equal(here.claim, stele_buf_view(&c->claim))) {
        c->claimants = 1;
        stele_buf_clear(&c->claim);
        return stele_buf_append(&c->claim, here.claim, err);
    }
    if (++c->claimants != 2) {
        return STELE_OK;
    }
    c->v->counts.conflicts++;
    rc = sti_docs_read(c->v->w.view, STI_DOCS_CFL, here.claim, &noted, &found, err);
    if (rc == STELE_OK && (!found || sti_docs_check_form(noted, 0, "note", NULL) != STELE_OK)) {
        sti_docs_fault(c->v, here.id, "it shares a unique key, which is not noted as it has to be");
    }
    return rc;
}

stele_code sti_docs_validate_conflicts(struct sti_docs_validating *v, stele_error *err)
{
    struct claims c = {.v = v};
    stele_code rc;

    stele_buf_init(&c.claim, SIZE_MAX);
    rc = stele_store_read_for_each(v->w.view, sti_docs_bucket_name(STI_DOCS_IDX), see_key, &c, err);
    stele_buf_free(&c.claim);
    return rc == STELE_OK ? sti_docs_validate_count(v, STI_DOCS_CFL, v->counts.conflicts, err) : rc;
}
