/* SPDX-License-Identifier: MIT
 *
 * survey.c: tallies, and the log with the places and numbers of its entries.
 */
#include "docs/survey.h"

#include "base/coding.h"
#include "base/error.h"
#include "base/mutant.h"
#include "docs/seq.h"
#include "docs/trim.h"

/* ---- Tallies. ---- */

enum {
    WORD = 8
};

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 29;
    h *= UINT64_C(0xa0761d6478bd642f);
    return h ^ h >> 32;
}

/* Bytes that come one after the other, whatever pieces they come in. */
struct hashing {
    uint64_t h;
    uint64_t word;
    unsigned bytes; /* in the word */
};

static void take(struct hashing *s, stele_bytes piece)
{
    size_t at = 0;

    while (at < piece.len) {
        if (s->bytes == 0 && piece.len - at >= WORD) {
            s->h = mix(s->h ^ sti_get_be64(piece.data + at)) + s->h;
            at += WORD;
            continue;
        }
        s->word = s->word << 8 | piece.data[at++];
        if (++s->bytes == WORD) {
            s->h = mix(s->h ^ s->word) + s->h;
            s->word = 0;
            s->bytes = 0;
        }
    }
}

void sti_docs_tally_add(
        struct sti_docs_tally *tally, stele_bytes key, stele_bytes rest, stele_bytes value)
{
    struct hashing s = {.h = mix(key.len + rest.len) + value.len};

    take(&s, key);
    take(&s, rest);
    take(&s, value);
    tally->count++;
    tally->sum += mix(mix(s.h ^ s.word) + s.bytes);
}

bool sti_docs_tally_equal(const struct sti_docs_tally *a, const struct sti_docs_tally *b)
{
    return a->count == b->count && a->sum == b->sum;
}

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
