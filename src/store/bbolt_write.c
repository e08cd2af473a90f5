/* SPDX-License-Identifier: MIT
 *
 * bbolt_write.c: the buckets of a bbolt file, each as a tree of its own or inline.
 */
#include "store/bbolt_write.h"

#include "base/alloc.h"
#include "base/coding.h"
#include "base/error.h"
#include "store/bbolt_tree.h"
#include "store/sha256.h"

/* The name or key that came last. */
struct last {
    uint8_t *bytes; /* NULL: none yet */
    size_t len;
};

struct sti_bbolt_writer {
    struct sti_bbolt_output output;
    struct sti_bbolt_tree buckets;
    struct sti_bbolt_tree entries; /* of the present bucket */
    struct last name;
    struct last key;
    bool in_bucket;
    bool has_key; /* the present bucket has entries */
    bool ended;
    stele_code failed;
    uint8_t *value; /* of an inline bucket */
};

/* ---- Begin and free. ---- */

static stele_code init(
        struct sti_bbolt_writer *w, struct sti_file *file, uint32_t page_size, stele_error *err)
{
    stele_file_stat st;
    stele_code rc = sti_file_stat(file, &st, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (st.size != 0) {
        return sti_fail_at(err, STELE_EEXIST, file->name, -1, "is not empty");
    }
    w->name.bytes = sti_malloc(STI_BBOLT_KEY_MAX);
    w->key.bytes = sti_malloc(STI_BBOLT_KEY_MAX);
    w->value = sti_malloc(STI_BBOLT_BUCKET + page_size / 4);
    if (w->name.bytes == NULL || w->key.bytes == NULL || w->value == NULL) {
        return sti_fail_memory(err, STI_BBOLT_KEY_MAX);
    }
    return sti_bbolt_output_init(&w->output, file, page_size, err);
}

stele_code sti_bbolt_begin(
        struct sti_bbolt_writer **out, struct sti_file *file, uint32_t page_size, stele_error *err)
{
    struct sti_bbolt_writer *w;
    stele_code rc;

    if (page_size < STI_BBOLT_PAGE_MIN || page_size > STI_BBOLT_PAGE_MAX ||
            (page_size & (page_size - 1)) != 0) {
        return sti_fail(
                err, STELE_EINVAL, "a bbolt file has no pages of %u bytes", (unsigned)page_size);
    }
    w = sti_calloc(1, sizeof *w);
    if (w == NULL) {
        return sti_fail_memory(err, sizeof *w);
    }
    rc = init(w, file, page_size, err);
    if (rc != STELE_OK) {
        sti_bbolt_writer_free(w);
        return rc;
    }
    *out = w;
    return STELE_OK;
}

void sti_bbolt_writer_free(struct sti_bbolt_writer *w)
{
    if (w == NULL) {
        return;
    }
    sti_bbolt_tree_free(&w->buckets);
    sti_bbolt_tree_free(&w->entries);
    sti_bbolt_output_free(&w->output);
    sti_free(w->name.bytes);
    sti_free(w->key.bytes);
    sti_free(w->value);
    sti_free(w);
}

/* ---- What comes in. ---- */

static stele_code check_state(const struct sti_bbolt_writer *w, stele_error *err)
{
    if (w->failed != STELE_OK) {
        return sti_fail_at(err, w->failed, w->output.file->name, -1, "an earlier call failed");
    }
    if (w->ended) {
        return sti_fail(err, STELE_ESTATE, "the bbolt file is finished");
    }
    return STELE_OK;
}

static stele_code check_key(
        const struct last *last, bool is_first, stele_bytes key, const char *what, stele_error *err)
{
    if (key.len > STI_BBOLT_KEY_MAX) {
        return sti_fail(err, STELE_ETOOBIG, "a %s of %zu bytes, where bbolt has at most %d", what,
                key.len, STI_BBOLT_KEY_MAX);
    }
    if (key.len == 0) {
        return sti_fail(err, STELE_ENOTSUP, "bbolt cannot have an empty %s", what);
    }
    if (!is_first && stele_bytes_compare(stele_bytes_of(last->bytes, last->len), key) >= 0) {
        return sti_fail(err, STELE_EINVAL, "the %s is not larger than the one before", what);
    }
    return STELE_OK;
}

static void remember(struct last *last, stele_bytes key)
{
    memcpy(last->bytes, key.data, key.len);
    last->len = key.len;
}

/* Add the bucket that is complete to the tree of buckets. */
static stele_code end_bucket(struct sti_bbolt_writer *w, stele_error *err)
{
    size_t len = STI_BBOLT_BUCKET;
    uint64_t root = 0;
    stele_code rc = STELE_OK;

    if (!w->in_bucket) {
        return STELE_OK;
    }
    if (sti_bbolt_tree_fits(&w->entries, w->output.page_size / 4)) {
        len += sti_bbolt_tree_take(&w->entries, w->value + STI_BBOLT_BUCKET);
    } else {
        rc = sti_bbolt_tree_finish(&w->entries, &w->output, &root, err);
    }
    if (rc != STELE_OK) {
        return rc;
    }
    sti_put_le64(w->value, root);
    sti_put_le64(w->value + 8, 0);
    w->in_bucket = false;
    return sti_bbolt_tree_put(&w->buckets, &w->output, stele_bytes_of(w->name.bytes, w->name.len),
            stele_bytes_of(w->value, len), true, err);
}

stele_code sti_bbolt_put_bucket(struct sti_bbolt_writer *w, stele_bytes name, stele_error *err)
{
    stele_code rc = check_state(w, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = check_key(&w->name, w->name.len == 0, name, "name of a bucket", err);
    if (rc == STELE_OK) {
        rc = end_bucket(w, err);
    }
    if (rc != STELE_OK) {
        w->failed = rc;
        return rc;
    }
    remember(&w->name, name);
    w->in_bucket = true;
    w->has_key = false;
    return STELE_OK;
}

stele_code sti_bbolt_put(
        struct sti_bbolt_writer *w, stele_bytes key, stele_bytes value, stele_error *err)
{
    stele_code rc = check_state(w, err);

    if (rc != STELE_OK) {
        return rc;
    }
    if (!w->in_bucket) {
        return sti_fail(err, STELE_ESTATE, "no bucket was begun");
    }
    rc = check_key(&w->key, !w->has_key, key, "key", err);
    if (rc == STELE_OK && value.len > STI_BBOLT_VALUE_MAX) {
        rc = sti_fail(err, STELE_ETOOBIG, "a value of %zu bytes, where bbolt has at most %d",
                value.len, STI_BBOLT_VALUE_MAX);
    }
    if (rc == STELE_OK) {
        rc = sti_bbolt_tree_put(&w->entries, &w->output, key, value, false, err);
    }
    if (rc != STELE_OK) {
        w->failed = rc;
        return rc;
    }
    remember(&w->key, key);
    w->has_key = true;
    return STELE_OK;
}

/* ---- The end. ---- */

/* The metas come last and stand first, so the hash is that of what is read back. It must not be
 * put behind something else than what was meant. */
static stele_code add_hash(struct sti_bbolt_writer *w, stele_error *err)
{
    struct sti_bbolt_output *o = &w->output;
    uint64_t size = sti_bbolt_output_size(o);
    struct sti_file_sums sums;
    stele_code rc = sti_sha256_file(o->file, size, sti_bbolt_output_head_size(o), &sums, err);

    if (rc == STELE_OK && (sums.head != o->head_crc || sums.rest != o->pages_crc)) {
        rc = sti_fail_at(err, STELE_EIO, o->file->name, -1, "what is read is not what was written");
    }
    if (rc == STELE_OK) {
        rc = sti_file_write(o->file, size, sums.sha256, sizeof sums.sha256, err);
    }
    return rc;
}

stele_code sti_bbolt_end(struct sti_bbolt_writer *w, bool hashed, stele_error *err)
{
    uint64_t root = 0;
    stele_code rc = check_state(w, err);

    if (rc != STELE_OK) {
        return rc;
    }
    rc = end_bucket(w, err);
    if (rc == STELE_OK) {
        rc = sti_bbolt_tree_finish(&w->buckets, &w->output, &root, err);
    }
    if (rc == STELE_OK) {
        rc = sti_bbolt_output_end(&w->output, root, err);
    }
    if (rc == STELE_OK && hashed) {
        rc = add_hash(w, err);
    }
    if (rc == STELE_OK) {
        rc = sti_file_sync(w->output.file, false, err);
    }
    if (rc != STELE_OK) {
        w->failed = rc;
        return rc;
    }
    w->ended = true;
    return STELE_OK;
}
