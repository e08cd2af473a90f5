/* SPDX-License-Identifier: MIT
 *
 * seq.c: numbers of entries.
 */
#include "docs/seq.h"

#include "base/coding.h"
#include "base/error.h"
#include "docs/trim.h"

stele_code sti_docs_seq_trimmed(stele_store_read *read, uint64_t *seq, stele_error *err)
{
    stele_bytes value = stele_nil();
    bool found = false;
    stele_code rc = sti_docs_read(read, STI_DOCS_MET, stele_str("trimmed"), &value, &found, err);

    if (rc == STELE_OK && found) {
        rc = sti_docs_check_form(value, STI_DOCS_SEQ_SIZE, "what was trimmed of the feed", err);
    }
    if (rc == STELE_OK) {
        *seq = found ? sti_get_be64(value.data + 1) : 0;
    }
    return rc;
}

stele_code sti_docs_seq_put_trimmed(struct sti_docs_write *w, uint64_t seq, stele_error *err)
{
    uint8_t value[1 + STI_DOCS_SEQ_SIZE] = {STI_DOCS_FORM};

    sti_put_be64(value + 1, seq);
    return sti_docs_put(
            w, STI_DOCS_MET, stele_str("trimmed"), stele_bytes_of(value, sizeof value), err);
}

stele_code sti_docs_seq_last(stele_store_read *read, uint64_t *seq, stele_error *err)
{
    stele_store_cursor *cursor = NULL;
    stele_bytes key = stele_nil();
    uint64_t last = 0;
    uint64_t trimmed = 0;
    stele_code rc = stele_store_cursor_open(&cursor, read, sti_docs_bucket_name(STI_DOCS_SEQ), err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = stele_store_cursor_last(cursor, err);
    if (rc == STELE_OK) {
        rc = stele_store_cursor_pair(cursor, &key, NULL, err);
    }
    if (rc == STELE_OK && key.len != STI_DOCS_SEQ_SIZE) {
        rc = sti_fail(err, STELE_ECORRUPT, "a number of an entry that is none");
    }
    if (rc == STELE_OK) {
        last = sti_get_be64(key.data);
    }
    stele_store_cursor_close(cursor);
    if (rc == STELE_OK || rc == STELE_END) {
        rc = sti_docs_seq_trimmed(read, &trimmed, err);
    }
    if (rc == STELE_OK) {
        *seq = last > trimmed ? last : trimmed;
    }
    return rc;
}

stele_code sti_docs_seq_add(struct sti_docs_write *w, stele_bytes log_key, stele_error *err)
{
    uint8_t key[STI_DOCS_SEQ_SIZE];

    sti_put_be64(key, ++w->db->last_seq);
    return sti_docs_put(w, STI_DOCS_SEQ, stele_bytes_of(key, sizeof key), log_key, err);
}

static stele_code number(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    (void)value;
    return sti_docs_seq_add(arg, key, err);
}

stele_code sti_docs_seq_renumber(struct sti_docs_write *w, stele_error *err)
{
    stele_bytes name = sti_docs_bucket_name(STI_DOCS_SEQ);
    stele_code rc = stele_store_batch_delete_bucket(w->batch, name, err);

    if (rc == STELE_OK) {
        rc = stele_store_batch_create_bucket(w->batch, name, err);
    }
    return rc == STELE_OK ? stele_store_read_for_each(
                                    w->view, sti_docs_bucket_name(STI_DOCS_LOG), number, w, err)
                          : rc;
}

stele_code sti_docs_seq_load(struct sti_docs_write *w, stele_error *err)
{
    stele_code rc = sti_docs_seq_last(w->view, &w->db->last_seq, err);

    w->last_seq = w->db->last_seq;
    return rc == STELE_OK && w->last_seq == 0 ? sti_docs_seq_renumber(w, err) : rc;
}

struct checking {
    stele_store_read *read;
    int64_t horizon;
    uint64_t count;
    bool fit;
};

static stele_code check_number(void *arg, stele_bytes key, stele_bytes value, stele_error *err)
{
    struct checking *c = arg;
    struct sti_docs_version version = {.seconds = 0};
    stele_bytes id = stele_nil();
    stele_bytes entry = stele_nil();
    bool found = false;
    stele_code rc = STELE_OK;

    if (key.len == STI_DOCS_SEQ_SIZE) {
        rc = sti_docs_read(c->read, STI_DOCS_LOG, value, &entry, &found, err);
    }
    if (rc == STELE_OK && !found) {
        /* Where trimming was interrupted, numbers have outlived their entries. */
        c->fit = c->fit && sti_docs_log_key_decode(&version, &id, value, NULL) == STELE_OK &&
                 version.seconds < c->horizon;
    }
    c->count += found ? 1U : 0U;
    return rc;
}

stele_code sti_docs_seq_check(stele_store_read *read, bool *fit, stele_error *err)
{
    struct checking c = {.read = read, .fit = true};
    uint64_t entries = 0;
    stele_code rc = sti_docs_horizon(read, &c.horizon, err);

    if (rc == STELE_OK) {
        rc = stele_store_read_for_each(
                read, sti_docs_bucket_name(STI_DOCS_SEQ), check_number, &c, err);
    }
    if (rc == STELE_OK) {
        rc = stele_store_read_count(read, sti_docs_bucket_name(STI_DOCS_LOG), &entries, err);
    }
    if (rc == STELE_OK) {
        *fit = c.fit && c.count >= entries;
    }
    return rc;
}
