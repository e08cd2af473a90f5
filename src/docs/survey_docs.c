/* SPDX-License-Identifier: MIT
 *
 * survey_docs.c: documents, and what the buckets beside them have.
 *
 * Those whose keys are IDs are walked side by side. What documents should have in the index is
 * added up, and so is what is there.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "docs/expiry.h"
#include "docs/survey.h"

/* A bucket that is walked beside the documents. */
struct beside {
    stele_store_cursor *cursor;
    stele_bytes key; /* where it is; nil: at the end */
    stele_bytes value;
};

struct documents {
    struct sti_docs_survey *s;
    struct beside infos;
    struct beside kept;
    struct beside unreadable;
    struct beside places;
    struct sti_docs_tally index; /* as they should be */
    struct sti_docs_tally ends;
    stele_buf head; /* of the places of an ID */
    stele_buf info; /* what it should be */
    stele_buf keys; /* the same */
    stele_buf key;
};

/* ---- Walking beside. ---- */

static stele_code here(struct beside *b, stele_code rc, stele_error *err)
{
    b->key = stele_nil();
    b->value = stele_nil();
    if (rc == STELE_OK) {
        rc = stele_store_cursor_pair(b->cursor, &b->key, &b->value, err);
    }
    return rc == STELE_END ? STELE_OK : rc;
}

static stele_code open_beside(
        struct beside *b, stele_store_read *read, enum sti_docs_bucket bucket, stele_error *err)
{
    stele_code rc = stele_store_cursor_open(&b->cursor, read, sti_docs_bucket_name(bucket), err);

    return rc == STELE_OK ? here(b, stele_store_cursor_first(b->cursor, err), err) : rc;
}

static stele_code step(struct beside *b, stele_error *err)
{
    return here(b, stele_store_cursor_next(b->cursor, err), err);
}

static bool is_at(const struct beside *b, stele_bytes key)
{
    return !stele_is_nil(b->key) && stele_bytes_equal(b->key, key);
}

/* ---- One document. ---- */

static bool is_place_of(const struct beside *places, stele_bytes head)
{
    return !stele_is_nil(places->key) && places->key.len == head.len + STI_DOCS_VERSION_SIZE &&
           memcmp(places->key.data, head.data, head.len) == 0;
}

/* The only entry of an ID has its version; *one: there is just one, and it is in the log. Often the
 * places of the next document come next. */
static stele_code only_entry(struct documents *d, stele_bytes id, bool *one,
        struct sti_docs_version *version, stele_error *err)
{
    stele_bytes head;
    stele_code rc;

    *one = false;
    stele_buf_clear(&d->head);
    rc = sti_docs_place_head(id, &d->head, err);
    head = stele_buf_view(&d->head);
    if (rc == STELE_OK && !is_place_of(&d->places, head)) {
        rc = here(&d->places, stele_store_cursor_seek(d->places.cursor, head, err), err);
    }
    if (rc != STELE_OK || !is_place_of(&d->places, head) || d->places.value.len != 1) {
        return rc;
    }
    rc = sti_docs_version_get(version, d->places.key.data + head.len, err);
    if (rc == STELE_OK) {
        rc = step(&d->places, err);
    }
    *one = rc == STELE_OK && !is_place_of(&d->places, head);
    return rc;
}

/* What nfo should have; as sti_docs_reindex_one() makes it. */
static stele_code make_info(struct documents *d, const struct sti_docs_change *change,
        struct sti_docs_info *info, stele_error *err)
{
    struct sti_docs_keys keys = {.list = change->unique, .count = change->unique_count};
    struct sti_docs_version version = change->entry.version;
    bool one = keys.count == 0;
    stele_code rc = STELE_OK;

    stele_buf_clear(&d->info);
    if (keys.count > 0) {
        rc = only_entry(d, change->entry.id, &one, &version, err);
    }
    if (rc == STELE_OK && !one) {
        rc = sti_docs_claims_of_log(&d->s->w, change->entry.id, change, &d->info, err);
        if (rc == STELE_OK) {
            return sti_docs_info_decode(info, stele_buf_view(&d->info), err);
        }
    }
    if (rc == STELE_OK || rc == STELE_ENOTFOUND) {
        rc = sti_docs_info_after(info, NULL, version, false, keys, err);
    }
    return rc == STELE_OK ? sti_docs_info_encode(info, &d->info, err) : rc;
}

static stele_code tally_ends(
        struct documents *d, const struct sti_docs_change *change, stele_error *err)
{
    static const uint8_t form = STI_DOCS_FORM;
    uint8_t value[STI_DOCS_EXPIRY_VALUE_SIZE];
    stele_code rc = sti_docs_expiry_key(change->entry.id, &change->end, &d->key, err);

    if (rc == STELE_OK) {
        sti_docs_tally_add(
                &d->ends, stele_buf_view(&d->key), stele_nil(), stele_bytes_of(&form, 1));
        rc = sti_docs_expiry_key(change->entry.id, NULL, &d->key, err);
    }
    if (rc == STELE_OK) {
        sti_docs_expiry_value(value, change->end);
        sti_docs_tally_add(&d->ends, stele_buf_view(&d->key), stele_nil(),
                stele_bytes_of(value, sizeof value));
    }
    return rc;
}

static stele_code tally_keys(struct documents *d, stele_bytes id, stele_error *err)
{
    struct sti_docs_kept kept = {.rest = stele_nil()};
    stele_code rc = sti_docs_kept_begin(&kept, stele_buf_view(&d->keys), err);

    while (rc == STELE_OK) {
        uint8_t value[STI_DOCS_INDEX_VALUE_SIZE];

        rc = sti_docs_kept_next(&kept, err);
        if (rc == STELE_OK) {
            rc = sti_docs_kept_key(&kept, id, &d->key, err);
        }
        if (rc == STELE_OK) {
            sti_docs_index_value_put(value, &kept);
            sti_docs_tally_add(&d->index, stele_buf_view(&d->key), stele_nil(),
                    stele_bytes_of(value, sizeof value));
        }
    }
    return rc == STELE_END ? STELE_OK : rc;
}

/* What it should have, and whether it does. */
static stele_code compare(
        struct documents *d, const struct sti_docs_change *change, bool *same, stele_error *err)
{
    stele_bytes id = change->entry.id;
    struct sti_docs_info info = {.claims = NULL};
    stele_code rc = make_info(d, change, &info, err);

    *same = rc == STELE_OK && stele_bytes_equal(stele_buf_view(&d->info), d->infos.value) &&
            sti_docs_claims_fit(&change->keys, &info) &&
            is_at(&d->unreadable, id) == (change->document == NULL);
    stele_buf_clear(&d->keys);
    if (*same) {
        rc = sti_docs_kept_encode(&change->keys, &info, &d->keys, err);
    }
    sti_docs_info_free(&info);
    if (rc != STELE_OK || !*same) {
        return rc;
    }
    *same = is_at(&d->kept, id) && stele_bytes_equal(stele_buf_view(&d->keys), d->kept.value);
    rc = *same ? tally_keys(d, id, err) : STELE_OK;
    return rc == STELE_OK && change->ends ? tally_ends(d, change, err) : rc;
}

static stele_code see_document(void *arg, stele_bytes id, stele_bytes json, stele_error *err)
{
    struct documents *d = arg;
    struct sti_docs_entry entry = {.id = id, .json = json};
    struct sti_docs_change change = {.document = NULL};
    bool same = false;
    stele_code rc = STELE_OK;

    while (rc == STELE_OK && !stele_is_nil(d->infos.key) &&
            stele_bytes_compare(d->infos.key, id) < 0) {
        rc = step(&d->infos, err); /* that of one that is deleted */
    }
    if (rc == STELE_OK && is_at(&d->infos, id) && d->infos.value.len >= STI_DOCS_VERSION_SIZE) {
        rc = sti_docs_version_get(&entry.version, d->infos.value.data, err);
        if (rc == STELE_OK) {
            rc = sti_docs_change_prepare(&change, &d->s->w, &entry, NULL, false, err);
        }
        if (rc == STELE_OK) {
            rc = compare(d, &change, &same, err);
        }
        sti_docs_change_free(&change);
    }
    if (rc == STELE_OK && !same) {
        d->s->differs = true;
        return STELE_END;
    }
    if (rc == STELE_OK && is_at(&d->unreadable, id)) {
        rc = step(&d->unreadable, err);
    }
    return rc == STELE_OK ? step(&d->kept, err) : rc;
}

/* ---- The index. ---- */

struct indexed {
    struct sti_docs_survey *s;
    struct sti_docs_tally tally;
    struct beside conflicts;
    stele_buf claim; /* of the last key, if it is unique */
    bool noted;      /* it is that of a conflict */
};

/* The conflicts are the claims that come twice, and come in the same order. */
static stele_code see_claim(struct indexed *x, stele_bytes claim, stele_error *err)
{
    if (!stele_bytes_equal(claim, stele_buf_view(&x->claim))) {
        x->noted = false;
        stele_buf_clear(&x->claim);
        return stele_buf_append(&x->claim, claim, err);
    }
    if (x->noted) {
        return STELE_OK;
    }
    x->noted = true;
    if (!is_at(&x->conflicts, claim) ||
            sti_docs_check_form(x->conflicts.value, 0, "note", NULL) != STELE_OK) {
        x->s->differs = true;
        return STELE_END;
    }
    return step(&x->conflicts, err);
}

static stele_code see_key(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct indexed *x = arg;
    struct sti_docs_index_value at = {.unique = false};
    stele_code rc = sti_docs_index_value_get(&at, key, value, err);

    if (rc != STELE_OK) {
        return rc;
    }
    sti_docs_tally_add(&x->tally, key, stele_nil(), value);
    return at.unique ? see_claim(x, at.claim, err) : STELE_OK;
}

static stele_code survey_index(
        struct sti_docs_survey *s, const struct sti_docs_tally *wanted, stele_error *err)
{
    struct indexed x = {.s = s};
    stele_code rc = open_beside(&x.conflicts, s->w.view, STI_DOCS_CFL, err);

    stele_buf_init(&x.claim, SIZE_MAX);
    if (rc == STELE_OK) {
        rc = stele_store_read_for_each(
                s->w.view, sti_docs_bucket_name(STI_DOCS_IDX), see_key, &x, err);
    }
    if (!sti_docs_tally_equal(&x.tally, wanted) && !STI_MUTANT(DOCS_SURVEY_NO_INDEX)) {
        s->differs = true;
    }
    if (!stele_is_nil(x.conflicts.key) && !STI_MUTANT(DOCS_SURVEY_NO_CONFLICTS)) {
        s->differs = true;
    }
    stele_store_cursor_close(x.conflicts.cursor);
    stele_buf_free(&x.claim);
    return rc;
}

/* ---- All. ---- */

static stele_code add_end(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    (void)err;
    sti_docs_tally_add(arg, key, stele_nil(), value);
    return STELE_OK;
}

static stele_code survey_ends(
        struct sti_docs_survey *s, const struct sti_docs_tally *wanted, stele_error *err)
{
    struct sti_docs_tally ends = {.count = 0};
    stele_code rc = stele_store_read_for_each(
            s->w.view, sti_docs_bucket_name(STI_DOCS_EXP), add_end, &ends, err);

    s->differs = s->differs || !sti_docs_tally_equal(&ends, wanted);
    return rc;
}

static void free_documents(struct documents *d)
{
    stele_store_cursor_close(d->infos.cursor);
    stele_store_cursor_close(d->kept.cursor);
    stele_store_cursor_close(d->unreadable.cursor);
    stele_store_cursor_close(d->places.cursor);
    stele_buf_free(&d->head);
    stele_buf_free(&d->info);
    stele_buf_free(&d->keys);
    stele_buf_free(&d->key);
}

stele_code sti_docs_survey_docs(struct sti_docs_survey *s, stele_error *err)
{
    struct documents d = {.s = s};
    stele_store_read *read = s->w.view;
    stele_code rc = open_beside(&d.infos, read, STI_DOCS_NFO, err);

    stele_buf_init(&d.head, SIZE_MAX);
    stele_buf_init(&d.info, SIZE_MAX);
    stele_buf_init(&d.keys, SIZE_MAX);
    stele_buf_init(&d.key, SIZE_MAX);
    if (rc == STELE_OK) {
        rc = open_beside(&d.kept, read, STI_DOCS_KDT, err);
    }
    if (rc == STELE_OK) {
        rc = open_beside(&d.unreadable, read, STI_DOCS_BAD, err);
    }
    if (rc == STELE_OK) {
        rc = open_beside(&d.places, read, STI_DOCS_LID, err);
    }
    if (rc == STELE_OK) {
        rc = stele_store_read_for_each(
                read, sti_docs_bucket_name(STI_DOCS_DAT), see_document, &d, err);
    }
    /* What is left there is nobody's. */
    s->differs = s->differs || !stele_is_nil(d.kept.key) || !stele_is_nil(d.unreadable.key);
    if (rc == STELE_OK && !s->differs) {
        rc = survey_index(s, &d.index, err);
    }
    if (rc == STELE_OK && !s->differs) {
        rc = survey_ends(s, &d.ends, err);
    }
    free_documents(&d);
    return rc;
}
