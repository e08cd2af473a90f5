/* SPDX-License-Identifier: MIT
 *
 * hash.c: the hash of what a read sees, that of the reference.
 */
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/env.h"
#include "base/error.h"
#include "store/base.h"

void stele_store_hash_options_init_sized(stele_store_hash_options *opts, size_t struct_size)
{
    if (opts != NULL && struct_size >= sizeof opts->struct_size) {
        memset(opts, 0, struct_size);
        opts->struct_size = struct_size;
    }
}

static bool same(stele_bytes a, stele_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool stele_store_ignore_listed(void *arg, stele_bytes bucket, stele_bytes key)
{
    const stele_store_ignore_list *list = arg;

    for (size_t i = 0; list != NULL && i < list->count; i++) {
        if (same(list->keys[i].bucket, bucket) && same(list->keys[i].key, key)) {
            return true;
        }
    }
    return false;
}

static stele_code hash_pairs(struct stele_store_read *read, stele_bytes name, uint32_t number,
        const stele_store_hash_options *opts, uint32_t *crc, stele_error *err)
{
    struct sti_walk walk;
    stele_code code = sti_walk_begin(&walk, read, number, err);

    code = code == STELE_OK ? sti_merge_seek(&walk.merge, stele_nil(), err) : code;
    while (code == STELE_OK) {
        const struct sti_item *item = &walk.merge.item;

        if (opts->ignore == NULL || !opts->ignore(opts->ignore_arg, name, item->key)) {
            *crc = sti_crc32c(*crc, item->key.data, item->key.len);
            *crc = sti_crc32c(*crc, item->value.data, item->value.len);
        }
        code = sti_merge_next(&walk.merge, err);
    }
    sti_walk_end(&walk);
    return code == STELE_END ? STELE_OK : sti_store_wrap(err, code, name, stele_nil());
}

static stele_code hash_all(struct stele_store_read *read, const stele_store_hash_options *opts,
        uint32_t *crc, stele_error *err)
{
    struct sti_names_walk names;
    stele_code code = sti_names_walk_begin(&names, read, err);

    code = code == STELE_OK ? sti_merge_seek(&names.merge, stele_nil(), err) : code;
    while (code == STELE_OK) {
        stele_bytes name = names.merge.item.key;
        uint32_t number = sti_get_le32(names.merge.item.value.data);

        *crc = sti_crc32c(*crc, name.data, name.len);
        if (!opts->names_only) {
            code = hash_pairs(read, name, number, opts, crc, err);
        }
        code = code == STELE_OK ? sti_merge_next(&names.merge, err) : code;
    }
    sti_names_walk_end(&names);
    return code == STELE_END ? STELE_OK : code;
}

stele_code stele_store_read_hash(stele_store_read *read, const stele_store_hash_options *opts,
        uint32_t *out, stele_error *err)
{
    stele_store_hash_options options;
    uint32_t crc = 0;
    stele_code code;

    if (read == NULL || out == NULL) {
        return sti_fail(err, STELE_EINVAL, "no read, or no place for the hash");
    }
    code = sti_options_copy(&options, sizeof options, opts, "stele_store_hash_options", err);
    code = code == STELE_OK ? sti_read_ready(read, err) : code;
    code = code == STELE_OK ? hash_all(read, &options, &crc, err) : code;
    if (code == STELE_OK) {
        *out = crc;
    }
    return code;
}

stele_code stele_store_hash(
        stele_store *s, const stele_store_hash_options *opts, uint32_t *out, stele_error *err)
{
    stele_store_read *read = NULL;
    stele_code code = stele_store_read_begin(&read, s, err);

    code = code == STELE_OK ? stele_store_read_hash(read, opts, out, err) : code;
    stele_store_read_end(read);
    return code;
}
