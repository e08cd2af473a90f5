/* SPDX-License-Identifier: MIT */
#include "crash/stream_files.h"

#include "base/coding.h"
#include "stream/format.h"
#include "stream/names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    V1_OVERHEAD = 28,
    V2_OVERHEAD = 36,
    FILE_HEADER = 8,
    DAMAGED_FROM = 5, /* what setup() changes of a value is before */
    PIECE = 8,        /* bytes that are looked for */
    PIECES_CUT = 2    /* that may lie across the ends of what was cut */
};

static bool entry_in(const struct sim_image *image, uint32_t i, const char *dir)
{
    return strcmp(image->dirs[image->entries[i].dir].path, dir) == 0;
}

static bool is_kind(
        const struct sim_image *image, uint32_t i, const char *dir, enum sti_name_kind kind)
{
    int64_t base;

    return entry_in(image, i, dir) && sti_name_parse(image->entries[i].name, &base) == kind;
}

/* The file of this name; empty if there is none. */
static uint8_t *read_named(
        const struct sim_image *image, const char *dir, const char *name, uint64_t *size)
{
    for (uint32_t i = 0; i < image->entry_count; i++) {
        if (entry_in(image, i, dir) && strcmp(image->entries[i].name, name) == 0) {
            return sim_image_read(image, i, size);
        }
    }
    *size = 0;
    return NULL;
}

static size_t item_size(const struct model_config *config)
{
    return 16 + (config->times ? 8U : 0U) + (config->keys ? 8U : 0U);
}

/* What the bytes here say that they are, as far as they go; false if they end before. */
static bool claim_here(
        const uint8_t *at, size_t left, bool v1, int64_t offset, stele_message *claim)
{
    const uint8_t *header = v1 ? at : at + 4;
    size_t overhead = v1 ? V1_OVERHEAD : V2_OVERHEAD;
    size_t key = sti_get_be32(header + 16);
    size_t value = sti_get_be32(header + 20);

    if (left < overhead + key + value) {
        return false;
    }
    claim->offset = offset;
    claim->time = (int64_t)sti_get_be64(header + 8);
    claim->key = key == 0 ? stele_nil() : stele_bytes_of(at + 28, key);
    claim->value = value == 0 ? stele_nil() : stele_bytes_of(at + 28 + key, value);
    return true;
}

/* Whether a whole message of this offset starts here, in either version. Zeros at the end of a
 * value may stand for bytes that are lost: then the checksum or what follows is not right. */
static bool message_here(
        const uint8_t *at, size_t left, bool v1, const struct model *m, int64_t offset)
{
    stele_stream_version version = v1 ? STELE_STREAM_V1 : STELE_STREAM_V2;
    stele_message claim;
    stele_message read;
    uint64_t value;
    size_t size;

    return claim_here(at, left, v1, offset, &claim) && model_finds(m, &claim, &value) &&
           sti_message_get(at, left, version, &read, &size) == STI_MESSAGE_WHOLE;
}

/* Offsets are small, so that the higher bytes of one are zero: where these are not, no message can
 * begin in either version. */
static size_t skip(const uint8_t *at)
{
    return at[6] != 0 ? 3 : at[5] != 0 ? 2 : at[4] != 0 ? 1 : 0;
}

static void find_in_log(
        struct model_found *out, const uint8_t *bytes, size_t size, const struct model *m)
{
    size_t skipped;

    _Static_assert(MODEL_OFFSETS <= 256, "an offset has one byte that is not zero");
    for (size_t at = 0; at + V1_OVERHEAD <= size; at += skipped > 0 ? skipped : 1) {
        skipped = skip(bytes + at);
        for (int v1 = 0; v1 < 2 && skipped == 0; v1++) {
            int64_t offset = (int64_t)sti_get_be64(bytes + at + (v1 != 0 ? 0 : 4));

            if (offset >= 0 && offset < m->limit && !out->whole[offset] &&
                    message_here(bytes + at, size - at, v1 != 0, m, offset)) {
                out->whole[offset] = true;
                out->highest = offset > out->highest ? offset : out->highest;
            }
        }
    }
}

/* Items whose offsets rise by one or a few, as after deletions. */
static int64_t highest_in_index(
        const uint8_t *bytes, size_t size, const struct model_config *config, const struct model *m)
{
    size_t item = item_size(config);
    size_t at = size > 0 && bytes[0] == 0xff ? FILE_HEADER : 0;
    int64_t highest = -1;

    for (; at + item <= size; at += item) {
        int64_t offset = (int64_t)sti_get_be64(bytes + at);
        uint64_t position = sti_get_be64(bytes + at + 8);

        if (offset <= highest || offset >= m->limit || m->offsets[offset].tried == 0 ||
                (position == 0 && offset == 0)) {
            break;
        }
        highest = offset;
    }
    return highest;
}

/* Names sort as their segments do. */
static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int model_check_times(const struct sim_image *image, const char *dir,
        const struct model_config *config, const struct crash_why *why)
{
    const char **names = sim_alloc((image->entry_count + 1) * sizeof *names);
    int64_t last = INT64_MIN;
    size_t count = 0;
    int result = 0;

    for (uint32_t i = 0; i < image->entry_count && config->times; i++) {
        if (is_kind(image, i, dir, STI_NAME_INDEX)) {
            names[count++] = image->entries[i].name;
        }
    }
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count && result == 0; i++) {
        uint64_t size;
        uint8_t *bytes = read_named(image, dir, names[i], &size);
        size_t at = size > 0 && bytes[0] == 0xff ? FILE_HEADER : 0;

        for (; at + item_size(config) <= size && result == 0; at += item_size(config)) {
            int64_t time = (int64_t)sti_get_be64(bytes + at + 16);

            result = time >= last ? 0 : crash_wrong(why, "times fall in %s", names[i]);
            last = time;
        }
        free(bytes);
    }
    free(names);
    return result;
}

void model_find(struct model_found *out, const struct sim_image *image, const char *dir,
        const struct model_config *config, const struct model *m)
{
    memset(out, 0, sizeof *out);
    out->highest = -1;
    for (uint32_t i = 0; i < image->entry_count; i++) {
        int64_t base;
        enum sti_name_kind kind = sti_name_parse(image->entries[i].name, &base);
        uint8_t *bytes;
        uint64_t size;

        if (!entry_in(image, i, dir) ||
                (kind != STI_NAME_LOG && kind != STI_NAME_INDEX && kind != STI_NAME_QUARANTINE)) {
            continue;
        }
        /* The offsets below a name were given out. */
        out->highest = base - 1 > out->highest ? base - 1 : out->highest;
        bytes = sim_image_read(image, i, &size);
        if (kind == STI_NAME_INDEX) {
            int64_t found = highest_in_index(bytes, (size_t)size, config, m);

            out->highest = found > out->highest ? found : out->highest;
        } else if (kind == STI_NAME_LOG) {
            find_in_log(out, bytes, (size_t)size, m);
        } else {
            /* Zeros at the very end are not put aside. */
            uint8_t *padded = sim_alloc((size_t)size + MODEL_VALUE_MAX);

            memset(padded, 0, (size_t)size + MODEL_VALUE_MAX);
            memcpy(padded, bytes, (size_t)size);
            find_in_log(out, padded, (size_t)size + MODEL_VALUE_MAX, m);
            free(padded);
        }
        free(bytes);
    }
}

uint64_t model_fingerprint(const struct sim_image *image, const char *dir)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < image->entry_count; i++) {
        const struct sim_entry *e = &image->entries[i];

        if (entry_in(image, i, dir) && strcmp(e->name, STI_LOCK_NAME) != 0) {
            sum += sim_mix(sim_hash_name(e->name) + sim_mix(e->content->hash));
        }
    }
    return sum;
}

/* A file of `a` that `b` has not, or not so; NULL for none. Side files may be missing: they are
 * made when they are first needed. */
static const char *first_missing(
        const struct sim_image *a, const struct sim_image *b, const char *dir, bool keys)
{
    for (uint32_t i = 0; i < a->entry_count; i++) {
        const struct sim_entry *e = &a->entries[i];
        int64_t base;
        bool same = !entry_in(a, i, dir) || strcmp(e->name, STI_LOCK_NAME) == 0 ||
                    (!keys && sti_name_parse(e->name, &base) == STI_NAME_KEYS);

        for (uint32_t j = 0; j < b->entry_count && !same; j++) {
            same = entry_in(b, j, dir) && strcmp(e->name, b->entries[j].name) == 0 &&
                   e->content->size == b->entries[j].content->size &&
                   e->content->hash == b->entries[j].content->hash;
        }
        if (!same) {
            return e->name;
        }
    }
    return NULL;
}

int model_check_same(const struct sim_image *before, const struct sim_image *after, const char *dir,
        const char *who, const struct crash_why *why)
{
    const char *name = first_missing(before, after, dir, true);

    name = name != NULL ? name : first_missing(after, before, dir, false);
    return name == NULL ? 0 : crash_wrong(why, "%s changed %s", who, name);
}

int model_check_names(
        const struct sim_image *image, const char *dir, bool closed, const struct crash_why *why)
{
    for (uint32_t i = 0; i < image->entry_count; i++) {
        const char *name = image->entries[i].name;
        int64_t base;
        enum sti_name_kind kind = sti_name_parse(name, &base);
        bool own = strcmp(name, STI_LOCK_NAME) == 0 || strcmp(name, STI_TAIL_NAME) == 0 ||
                   (!closed && strstr(name, ".prepared") != NULL);

        if (entry_in(image, i, dir) && !own && kind != STI_NAME_LOG && kind != STI_NAME_INDEX &&
                kind != STI_NAME_KEYS && kind != STI_NAME_QUARANTINE) {
            return crash_wrong(why, "a leftover: %s", name);
        }
    }
    return 0;
}

int64_t model_files_size(const struct sim_image *image, const char *dir)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < image->entry_count; i++) {
        int64_t base;
        enum sti_name_kind kind = sti_name_parse(image->entries[i].name, &base);

        if (entry_in(image, i, dir) && (kind == STI_NAME_LOG || kind == STI_NAME_INDEX)) {
            sum += (int64_t)image->entries[i].content->size;
        }
    }
    return sum;
}

/* ---- Quarantine. ---- */

static uint64_t kept_hash(const struct sim_entry *e)
{
    return sim_mix(sim_hash_name(e->name) + sim_mix(e->content->hash));
}

size_t model_list_kept(const struct sim_image *image, const char *dir, uint64_t hashes[MODEL_ASIDE])
{
    size_t count = 0;

    for (uint32_t i = 0; i < image->entry_count && count < MODEL_ASIDE; i++) {
        if (is_kind(image, i, dir, STI_NAME_QUARANTINE)) {
            hashes[count++] = kept_hash(&image->entries[i]);
        }
    }
    return count;
}

int model_check_aside(const struct sim_image *image, const char *dir, const struct model *m,
        const struct crash_why *why)
{
    uint64_t hashes[MODEL_ASIDE];
    size_t count = model_list_kept(image, dir, hashes);

    for (size_t i = 0; i < m->aside_count; i++) {
        size_t at = 0;

        while (at < count && hashes[at] != m->aside[i]) {
            at++;
        }
        if (at == count) {
            return crash_wrong(why, "a quarantine file is gone, or not what it was");
        }
    }
    return 0;
}

/* Whether a file of this kind holds these bytes. */
static bool holds(const struct sim_image *image, const char *dir, enum sti_name_kind kind,
        const uint8_t *data, size_t len)
{
    bool found = false;

    for (uint32_t i = 0; i < image->entry_count && !found; i++) {
        if (is_kind(image, i, dir, kind)) {
            uint64_t size;
            uint8_t *bytes = sim_image_read(image, i, &size);

            found = memmem(bytes, (size_t)size, data, len) != NULL;
            free(bytes);
        }
    }
    return found;
}

int model_check_cut(const struct sim_image *before, const struct sim_image *after, const char *dir,
        const struct crash_why *why)
{
    for (uint32_t i = 0; i < before->entry_count; i++) {
        const char *name = before->entries[i].name;
        uint64_t old_size;
        uint64_t new_size;
        uint8_t *old;
        uint8_t *new;
        uint64_t at;
        bool kept;

        if (!is_kind(before, i, dir, STI_NAME_LOG)) {
            continue;
        }
        old = sim_image_read(before, i, &old_size);
        new = read_named(after, dir, name, &new_size);
        /* A segment without messages may go, header and all. */
        at = old_size >= FILE_HEADER && old[0] == 0xff && new_size == 0 ? FILE_HEADER : 0;
        while (at < old_size && (at < new_size ? new[at] == old[at] : old[at] == 0)) {
            at++;
        }
        while (old_size > at && old[old_size - 1] == 0) {
            old_size--;
        }
        kept = at >= old_size ||
               holds(after, dir, STI_NAME_QUARANTINE, old + at, (size_t)(old_size - at));
        free(old);
        free(new);
        if (!kept) {
            return crash_wrong(why, "what was cut from %s at %" PRIu64 " is not kept", name, at);
        }
    }
    return 0;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* All logs and quarantine files, one behind the other with zeros between. */
static uint8_t *join_kept(const struct sim_image *image, const char *dir, size_t *len)
{
    uint8_t *all = NULL;
    size_t sum = 0;

    for (uint32_t i = 0; i < image->entry_count; i++) {
        uint64_t size;
        uint8_t *bytes;

        if (!is_kind(image, i, dir, STI_NAME_LOG) && !is_kind(image, i, dir, STI_NAME_QUARANTINE)) {
            continue;
        }
        bytes = sim_image_read(image, i, &size);
        all = sim_realloc(all, sum + (size_t)size + PIECE);
        memcpy(all + sum, bytes, (size_t)size);
        memset(all + sum + size, 0, PIECE);
        sum += (size_t)size + PIECE;
        free(bytes);
    }
    *len = sum;
    return all;
}

static bool has_pieces(const uint8_t *all, size_t len, const uint8_t *bytes, uint64_t size)
{
    unsigned missing = 0;

    for (uint64_t at = 0; at + PIECE <= size && missing <= PIECES_CUT; at += PIECE) {
        bool there = is_zero(bytes + at, PIECE) || memmem(all, len, bytes + at, PIECE) != NULL;

        missing = there ? 0 : missing + 1;
    }
    return missing <= PIECES_CUT;
}

int model_check_pieces(const struct sim_image *before, const struct sim_image *after,
        const char *dir, const struct crash_why *why)
{
    size_t len;
    uint8_t *all = join_kept(after, dir, &len);
    int result = 0;

    for (uint32_t i = 0; i < before->entry_count && result == 0; i++) {
        if (is_kind(before, i, dir, STI_NAME_LOG)) {
            uint64_t size;
            uint8_t *bytes = sim_image_read(before, i, &size);

            if (!has_pieces(all, len, bytes, size)) {
                result = crash_wrong(
                        why, "bytes of %s are nowhere any more", before->entries[i].name);
            }
            free(bytes);
        }
    }
    free(all);
    return result;
}

int model_check_damaged(const struct sim_image *image, const char *dir, const struct model *m,
        const struct crash_why *why)
{
    for (int64_t i = 0; i < m->limit; i++) {
        struct model_message made;

        if (!m->offsets[i].damaged) {
            continue;
        }
        model_make(&made, model_value(i, 0));
        if (made.message.value.len > DAMAGED_FROM) {
            const uint8_t *rest = (const uint8_t *)made.message.value.data + DAMAGED_FROM;
            size_t len = made.message.value.len - DAMAGED_FROM;

            if (!holds(image, dir, STI_NAME_LOG, rest, len) &&
                    !holds(image, dir, STI_NAME_QUARANTINE, rest, len)) {
                return crash_wrong(why, "the rest of a damaged message, %" PRId64 ", is gone", i);
            }
        }
    }
    return 0;
}
