/* SPDX-License-Identifier: MIT
 *
 * survey.c: the log, with the places and numbers of its entries.
 */
#include "docs/survey.h"

#include "base/error.h"
#include "base/mutant.h"
#include "docs/seq.h"
#include "docs/trim.h"

/* ---- The log. ---- */

struct logged {
    struct sti_docs_survey *s;
    struct sti_docs_tally entries;
    struct sti_docs_tally places;
    struct sti_docs_tally numbers;
};

static stele_code see_entry(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct logged *l = arg;

    (void)value;
    (void)err;
    sti_docs_tally_add(&l->entries, key, stele_nil(), stele_nil());
    return STELE_OK;
}

/* A place with a document is all that there is of it, and has no entry. */
static stele_code see_place(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct logged *l = arg;
    size_t id_len = key.len < 2 ? 0 : (size_t)key.data[0] << 8 | key.data[1];

    (void)err;
    if (value.len > 1 && value.data[0] == STI_DOCS_FORM) {
        return STELE_OK;
    }
    if (value.len != 1 || value.data[0] != STI_DOCS_FORM ||
            key.len != 2 + id_len + STI_DOCS_VERSION_SIZE) {
        l->s->differs = true;
        return STELE_END;
    }
    sti_docs_tally_add(&l->places,
            stele_bytes_of(key.data + 2 + id_len, (size_t)STI_DOCS_VERSION_SIZE),
            stele_bytes_of(key.data + 2, id_len), stele_nil());
    return STELE_OK;
}

static stele_code see_number(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct logged *l = arg;

    (void)err;
    if (key.len == STI_DOCS_SEQ_SIZE) {
        sti_docs_tally_add(&l->numbers, value, stele_nil(), stele_nil());
    }
    return STELE_OK;
}

static stele_code survey_log(struct sti_docs_survey *s, stele_error *err)
{
    struct logged l = {.s = s};
    stele_store_read *read = s->w.view;
    bool fit = true;
    stele_code rc =
            stele_store_read_for_each(read, sti_docs_bucket_name(STI_DOCS_LOG), see_entry, &l, err);

    if (rc == STELE_OK) {
        rc = stele_store_read_for_each(
                read, sti_docs_bucket_name(STI_DOCS_LID), see_place, &l, err);
    }
    if (rc == STELE_OK) {
        rc = stele_store_read_for_each(
                read, sti_docs_bucket_name(STI_DOCS_SEQ), see_number, &l, err);
    }
    if (rc == STELE_OK && !sti_docs_tally_equal(&l.entries, &l.numbers)) {
        /* Below the horizon they may differ. */
        rc = sti_docs_seq_check(read, &fit, err);
    }
    s->differs =
            s->differs || !fit ||
            (!sti_docs_tally_equal(&l.entries, &l.places) && !STI_MUTANT(DOCS_SURVEY_NO_PLACES));
    return rc;
}

stele_code sti_docs_survey(stele_docs *db, bool *whole, stele_error *err)
{
    static stele_code (*const parts[])(struct sti_docs_survey * s, stele_error * err) = {
            survey_log, sti_docs_survey_docs, sti_docs_survey_sums};

    struct sti_docs_survey s = {.w = {.db = db}};
    stele_code rc = sti_docs_read_begin(&s.w.view, db, err);

    if (rc != STELE_OK) {
        return rc;
    }
    s.w.now = sti_docs_wall(db);
    rc = sti_docs_horizon(s.w.view, &s.w.horizon, err);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && rc == STELE_OK && !s.differs; i++) {
        rc = parts[i](&s, err);
    }
    stele_store_read_end(s.w.view);
    if (rc == STELE_ECORRUPT || rc == STELE_EVERSION || rc == STELE_ENOTFOUND) {
        s.differs = true;
        rc = STELE_OK;
    }
    if (rc == STELE_OK) {
        *whole = !s.differs;
    }
    return rc;
}
