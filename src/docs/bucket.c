/* SPDX-License-Identifier: MIT
 *
 * bucket.c: reading and writing the buckets of a database.
 */
#include "base/error.h"
#include "base/mutant.h"
#include "docs/state.h"

stele_bytes sti_docs_bucket_name(enum sti_docs_bucket bucket)
{
    static const char *const names[STI_DOCS_BUCKET_COUNT] = {
#define BUCKET_NAME(name, text) [STI_DOCS_##name] = (text),
            STI_DOCS_BUCKETS(BUCKET_NAME)
#undef BUCKET_NAME
    };

    return stele_str(names[bucket]);
}

stele_code sti_docs_read(stele_store_read *read, enum sti_docs_bucket bucket, stele_bytes key,
        stele_bytes *value, bool *found, stele_error *err)
{
    stele_bytes got = stele_nil();
    stele_bytes name = sti_docs_bucket_name(bucket);
    /* That a key is missing is no failure here, and the text of one takes its time. */
    stele_code rc = stele_store_read_get(read, name, key, &got, NULL);

    if (rc != STELE_OK && rc != STELE_ENOTFOUND) {
        rc = stele_store_read_get(read, name, key, &got, err);
    }

    if (rc != STELE_OK && rc != STELE_ENOTFOUND) {
        return rc;
    }
    *found = rc == STELE_OK;
    if (*found) {
        *value = got;
    }
    return STELE_OK;
}

/* Before what types are is changed for the first time in a batch. */
static void change_types(struct sti_docs_write *w)
{
    if (!w->types) {
        w->types = true;
        atomic_fetch_add(&w->db->types_changing, 1);
    }
}

/* Somebody puts what is remembered. Sums that were changed are put all the same. */
static void forget(struct sti_docs_write *w, enum sti_docs_bucket bucket)
{
    struct sti_docs_sums *sums = &w->memo.sums;

    if (bucket == STI_DOCS_TNO) {
        w->memo.type_number = 0;
        change_types(w);
    } else if (bucket == STI_DOCS_CHK || bucket == STI_DOCS_AGG) {
        sums->has_day = sums->has_day && sums->day_changed;
        for (size_t i = 0; i < STI_DOCS_LEVELS; i++) {
            sums->has[i] = sums->has[i] && sums->changed[i];
        }
    }
}

void sti_docs_forget(struct sti_docs_write *w)
{
    w->memo = (struct sti_docs_memo){.type_number = 0};
    change_types(w);
}

stele_code sti_docs_put_sum(struct sti_docs_write *w, enum sti_docs_bucket bucket, stele_bytes key,
        stele_bytes value, bool remove, stele_error *err)
{
    stele_bytes name = sti_docs_bucket_name(bucket);

    w->writes++;
    return remove ? stele_store_batch_delete(w->batch, name, key, err)
                  : stele_store_batch_put(w->batch, name, key, value, err);
}

stele_code sti_docs_behind(stele_buf *out, stele_bytes key, stele_error *err)
{
    stele_code rc;

    stele_buf_clear(out);
    rc = stele_buf_append(out, key, err);
    return rc == STELE_OK ? stele_buf_append(out, stele_bytes_of("", 1), err) : rc;
}

stele_code sti_docs_put(struct sti_docs_write *w, enum sti_docs_bucket bucket, stele_bytes key,
        stele_bytes value, stele_error *err)
{
    w->writes++;
    forget(w, bucket);
    if (bucket == STI_DOCS_CFL && !STI_MUTANT(DOCS_CONFLICTS_NOT_SEEN)) {
        atomic_store(&w->db->conflicts, true);
    }
    return stele_store_batch_put(w->batch, sti_docs_bucket_name(bucket), key, value, err);
}

stele_code sti_docs_remove(
        struct sti_docs_write *w, enum sti_docs_bucket bucket, stele_bytes key, stele_error *err)
{
    w->writes++;
    forget(w, bucket);
    return stele_store_batch_delete(w->batch, sti_docs_bucket_name(bucket), key, err);
}

stele_code sti_docs_check_form(stele_bytes value, size_t len, const char *what, stele_error *err)
{
    if (value.len == 0) {
        return sti_fail(err, STELE_ECORRUPT, "%s: no bytes", what);
    }
    if (value.data[0] != STI_DOCS_FORM) {
        return sti_fail(
                err, STELE_EVERSION, "%s: form %u is not known", what, (unsigned)value.data[0]);
    }
    if (value.len - 1 != len) {
        return sti_fail(
                err, STELE_ECORRUPT, "%s: %zu bytes instead of %zu", what, value.len - 1, len);
    }
    return STELE_OK;
}
