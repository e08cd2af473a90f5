/* SPDX-License-Identifier: MIT
 *
 * told.c: checks, and what they say.
 */
#include "told.h"

#include <stdio.h>

void told_fault(void *arg, const stele_store_fault *f)
{
    struct told *t = arg;

    assert_non_null(f->file);
    assert_non_null(f->text);
    if (f->code == STELE_OK) {
        t->notes++;
    } else {
        t->faults++;
    }
    (void)snprintf(t->last, sizeof t->last, "%s|%s|%.*s|%.*s|%s", f->file,
            f->position >= 0 ? "at" : "", (int)f->bucket.len, (const char *)f->bucket.data,
            (int)f->key.len, (const char *)f->key.data, f->text);
}

stele_code told_check(struct kit *k, struct told *t, stele_store_checked *out, stele_error *err)
{
    memset(t, 0, sizeof *t);
    return stele_store_check_dir(k->tmp.path, NULL, told_fault, t, out, err);
}

stele_code told_scrub(struct kit *k, struct told *t, stele_store_checked *out, stele_error *err)
{
    memset(t, 0, sizeof *t);
    return stele_store_scrub_dir(k->tmp.path, NULL, told_fault, t, out, err);
}

void told_check_whole(struct kit *k, uint64_t buckets, uint64_t keys)
{
    stele_store_checked out;
    struct told t;
    stele_error err;

    CHECK_OK(told_check(k, &t, &out, &err), &err);
    assert_int_equal(t.faults, 0);
    assert_int_equal(t.notes, 0);
    assert_int_equal(out.faults, 0);
    assert_int_equal(out.buckets, buckets);
    assert_int_equal(out.keys, keys);
    assert_true(out.pages > 2);
    CHECK_OK(told_scrub(k, &t, &out, &err), &err);
    assert_int_equal(out.keys, keys);
    assert_int_equal(out.buckets, buckets);
    assert_int_equal(out.pages, 0);
}

/* One fault, with `text` in it, and the same as the error. */
void told_check_fault(struct kit *k, const char *text)
{
    stele_store_checked out = {.faults = 0};
    struct told t;
    stele_error err;

    CHECK_CODE(told_check(k, &t, &out, &err), STELE_ECORRUPT);
    assert_true(out.faults >= 1);
    assert_int_equal(out.faults, t.faults);
    if (strstr(err.message, text) == NULL) {
        print_error("\"%s\" has no \"%s\"\n", err.message, text);
        fail();
    }
}

void told_put_durable(struct kit *k, const char *key)
{
    stele_store_batch *b = kit_begin(k);
    stele_error err;

    kit_create(b, "logged");
    kit_put(b, "logged", key, "in the log of the store");
    CHECK_OK(stele_store_batch_end_durable(b, &err), &err);
}
