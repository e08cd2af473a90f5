/* SPDX-License-Identifier: MIT
 *
 * cmd_stream_find.c: what rm, trim and compact would remove, for --dry-run.
 *
 * The library finds updates, and it finds deletes; a compaction finds the
 * deletes in what the removal of the updates has left. As far as updates were
 * removed, each key has one message left, and deletes are looked for in a
 * shorter part: so each of those without a value is the first of its key.
 */
#include "cli/cmd_stream.h"
#include "cli/report.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_COUNT = 256
};

static stele_time earlier(stele_time now, int64_t age_us, int times)
{
    int64_t age;
    stele_time before;

    if (__builtin_mul_overflow(age_us, times, &age) || __builtin_sub_overflow(now, age, &before)) {
        return INT64_MIN;
    }
    return before;
}

/* Call each() for messages from `from` on, until it sets *ended. */
static stele_code scan(stele_stream *s, int64_t from,
        stele_code (*each)(void *arg, const stele_message *m, bool *ended, stele_error *err),
        void *arg, stele_error *err)
{
    stele_messages *messages = NULL;
    bool ended = false;
    stele_code code = stele_messages_new(&messages, err);

    while (code == STELE_OK && !ended) {
        int64_t next = 0;

        code = stele_stream_consume(s, from, BATCH_COUNT, messages, &next, err);
        if (code != STELE_OK) {
            break;
        }
        for (size_t i = 0; i < stele_messages_count(messages) && code == STELE_OK && !ended; i++) {
            code = each(arg, stele_messages_at(messages, i), &ended, err);
        }
        ended = ended || next <= from;
        from = next;
    }
    stele_messages_free(messages);
    return code;
}

/* ---- compact ---- */

struct finding {
    const stele_offsets *updates;
    stele_offsets *deletes;
    stele_time before;
};

static stele_code find_delete(void *arg, const stele_message *m, bool *ended, stele_error *err)
{
    struct finding *f = arg;

    if (stele_offsets_has(f->updates, m->offset)) {
        return STELE_OK;
    }
    if (m->time > f->before) {
        *ended = true;
        return STELE_OK;
    }
    if (m->key.len == 0 || !stele_is_nil(m->value)) {
        return STELE_OK;
    }
    return stele_offsets_add(f->deletes, m->offset, err);
}

stele_code sti_stream_find_compact(stele_stream *s, const struct sti_stream_args *args,
        stele_time now, stele_offsets *out, stele_error *err)
{
    const stele_time before = earlier(now, args->age.value, 1);
    struct finding f = {out, NULL, earlier(now, args->age.value, 2)};
    stele_code code;

    if (args->deletes && !args->updates) {
        return stele_stream_find_deletes(s, before, NULL, out, err);
    }
    code = stele_stream_find_updates(s, before, NULL, out, err);
    if (code != STELE_OK || args->updates != args->deletes) {
        return code;
    }
    code = stele_offsets_new(&f.deletes, err);
    if (code == STELE_OK) {
        code = scan(s, STELE_OFFSET_OLDEST, find_delete, &f, err);
    }
    for (int64_t at = code == STELE_OK ? stele_offsets_next(f.deletes, 0) : -1;
            at >= 0 && code == STELE_OK; at = stele_offsets_next(f.deletes, at + 1)) {
        code = stele_offsets_add(out, at, err);
    }
    stele_offsets_free(f.deletes);
    return code;
}

/* ---- How large it is. ---- */

struct segment {
    int64_t base; /* its first offset */
    stele_stream_version version;
};

struct segments {
    struct segment *items;
    size_t count;
    size_t capacity;
};

/* The base offset of "%020d.log"; false for other names. */
static bool read_name(const char *name, int64_t *base)
{
    const size_t digits = strspn(name, "0123456789");
    int64_t value = 0;

    if (digits != 20 || strcmp(name + digits, ".log") != 0) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, name[i] - '0', &value)) {
            return false;
        }
    }
    *base = value;
    return true;
}

/* A log of version 2 begins with a magic number, one of version 1 does not.
 * One that is gone by now was removed by a writer: its messages are too. */
static stele_code read_version(
        const char *dir, const char *name, stele_stream_version *out, stele_error *err)
{
    static const unsigned char magic[] = {0xff, 'k', 'l', 'e', 'v', 's'};
    const size_t size = strlen(dir) + strlen(name) + 2;
    unsigned char head[sizeof magic];
    char *path = malloc(size);
    FILE *file;

    if (path == NULL) {
        return sti_cli_fail(err, STELE_ENOMEM, "no memory for a path");
    }
    (void)snprintf(path, size, "%s/%s", dir, name);
    errno = 0;
    file = fopen(path, "rbe");
    free(path);
    *out = STELE_STREAM_V1;
    if (file == NULL) {
        return errno == ENOENT ? STELE_OK : sti_cli_fail_errno(err, errno, name);
    }
    if (fread(head, 1, sizeof head, file) == sizeof head &&
            memcmp(head, magic, sizeof magic) == 0) {
        *out = STELE_STREAM_V2;
    }
    (void)fclose(file); /* was only read */
    return STELE_OK;
}

static stele_code add_segment(
        struct segments *segments, const char *dir, const char *name, stele_error *err)
{
    struct segment *to;
    int64_t base = 0;

    if (!read_name(name, &base)) {
        return STELE_OK;
    }
    if (segments->count == segments->capacity) {
        const size_t capacity = segments->capacity == 0 ? 64 : segments->capacity * 2;
        struct segment *grown = capacity > SIZE_MAX / sizeof *grown
                                        ? NULL
                                        : realloc(segments->items, capacity * sizeof *grown);

        if (grown == NULL) {
            return sti_cli_fail(err, STELE_ENOMEM, "no memory for %zu segments", capacity);
        }
        segments->items = grown;
        segments->capacity = capacity;
    }
    to = &segments->items[segments->count++];
    to->base = base;
    return read_version(dir, name, &to->version, err);
}

static int compare(const void *a, const void *b)
{
    const struct segment *x = a;
    const struct segment *y = b;

    return (x->base > y->base) - (x->base < y->base);
}

static stele_code list_segments(const char *path, struct segments *out, stele_error *err)
{
    struct dirent **entries = NULL;
    stele_code code = STELE_OK;
    const int count = scandir(path, &entries, NULL, NULL);

    if (count < 0) {
        return sti_cli_fail_errno(err, errno, path);
    }
    for (int i = 0; i < count; i++) {
        if (code == STELE_OK) {
            code = add_segment(out, path, entries[i]->d_name, err);
        }
        free(entries[i]);
    }
    free(entries);
    if (code == STELE_OK && out->count > 0) {
        qsort(out->items, out->count, sizeof *out->items, compare);
    }
    return code;
}

struct measuring {
    const stele_offsets *offsets;
    struct segments segments;
    size_t at; /* the segment that the scan is in */
    bool key_index;
    bool time_index;
    stele_deleted *out;
    uint64_t left; /* offsets that were not met yet */
};

static stele_code measure(void *arg, const stele_message *m, bool *ended, stele_error *err)
{
    struct measuring *mm = arg;
    stele_stream_version version = STELE_STREAM_VLAST;

    (void)err;
    if (!stele_offsets_has(mm->offsets, m->offset)) {
        return STELE_OK;
    }
    while (mm->at + 1 < mm->segments.count && mm->segments.items[mm->at + 1].base <= m->offset) {
        mm->at++;
    }
    if (mm->at < mm->segments.count) {
        version = mm->segments.items[mm->at].version;
    }
    mm->out->count++;
    mm->out->size += sti_stream_message_size(m, version, mm->key_index, mm->time_index);
    mm->left--;
    *ended = mm->left == 0;
    return STELE_OK;
}

stele_code sti_stream_measure(stele_stream *s, const char *dir, const stele_offsets *offsets,
        stele_deleted *out, stele_error *err)
{
    const int64_t first = stele_offsets_next(offsets, 0);
    stele_stream_stats stats;
    struct measuring mm;
    stele_code code;

    if (first < 0) {
        return STELE_OK;
    }
    memset(&mm, 0, sizeof mm);
    mm.offsets = offsets;
    mm.out = out;
    mm.left = stele_offsets_count(offsets);
    code = stele_stream_stat(s, &stats, err);
    if (code == STELE_OK) {
        mm.key_index = stats.key_index;
        mm.time_index = stats.time_index;
        code = list_segments(dir, &mm.segments, err);
    }
    if (code == STELE_OK) {
        code = scan(s, first, measure, &mm, err);
    }
    free(mm.segments.items);
    return code;
}
