/* SPDX-License-Identifier: MIT */
#include "sim/toy_log.h"

#include <stele/vfs.h>

#include "base/alloc.h"
#include "base/coding.h"
#include "base/crc32c.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    HEADER_SIZE = 16,
    CONTENT_MAX = 400,
    RECORDS_MAX = 64,
    FILE_MAX = 1 << 16
};

struct record {
    uint64_t value;
    uint32_t at;
    uint32_t len;
    bool right;
};

struct toy_log {
    const stele_env *env;
    enum toy_bug bug;
    stele_dir *dir;
    stele_file *file;
    uint8_t *bytes; /* the whole file */
    uint64_t end;
    size_t count;
    bool failed;
    struct record records[RECORDS_MAX];
};

const char *toy_bug_name(enum toy_bug bug)
{
    static const char *const names[] = {"correct", "no-sync", "no-dir-sync", "no-checksum",
            "sync-retried", "tail-kept", "short-write", "rename-unsynced", "stale-appended", "leak",
            "silent-cut"};

    return names[bug];
}

static stele_code code_of(int64_t rc)
{
    return rc >= 0 ? STELE_OK : rc == -ENOSPC ? STELE_ENOSPC : STELE_EIO;
}

static uint32_t content_len(uint64_t value)
{
    return (uint32_t)(40 + value * 97 % (CONTENT_MAX - 40));
}

static uint8_t content_byte(uint64_t value, uint32_t i)
{
    return (uint8_t)(1 + (value * 31 + i * 7) % 251);
}

static uint32_t encode(uint8_t *out, uint64_t value)
{
    uint32_t len = content_len(value);

    sti_put_le32(out + 4, len);
    sti_put_le64(out + 8, value);
    for (uint32_t i = 0; i < len; i++) {
        out[HEADER_SIZE + i] = content_byte(value, i);
    }
    sti_put_le32(out, sti_crc32c(0, out + 4, HEADER_SIZE - 4 + len));
    return HEADER_SIZE + len;
}

/* Find the whole records at the start of the file. */
static void scan(struct toy_log *t, uint64_t size)
{
    t->end = 0;
    t->count = 0;
    while (size - t->end >= HEADER_SIZE && t->count < RECORDS_MAX) {
        const uint8_t *in = t->bytes + t->end;
        uint32_t len = sti_get_le32(in + 4);
        struct record *r = &t->records[t->count];

        if (len == 0 || len > CONTENT_MAX || len > size - t->end - HEADER_SIZE) {
            return;
        }
        if (t->bug != TOY_NO_CHECKSUM &&
                sti_get_le32(in) != sti_crc32c(0, in + 4, HEADER_SIZE - 4 + len)) {
            return;
        }
        *r = (struct record){sti_get_le64(in + 8), (uint32_t)t->end, HEADER_SIZE + len, true};
        r->right = len == content_len(r->value);
        for (uint32_t i = 0; i < len && r->right; i++) {
            r->right = in[HEADER_SIZE + i] == content_byte(r->value, i);
        }
        t->end += HEADER_SIZE + len;
        t->count++;
    }
}

static int write_all(struct toy_log *t, stele_file *f, const uint8_t *data, size_t len, uint64_t at)
{
    while (len > 0) {
        stele_slice slice = {data, len};
        int64_t put = f->ops->pwritev(f, &slice, 1, at);

        if (put < 0) {
            return (int)put;
        }
        if (t->bug == TOY_SHORT_WRITE) {
            return 0;
        }
        data += put;
        len -= (size_t)put;
        at += (uint64_t)put;
    }
    return 0;
}

static int read_all(struct toy_log *t, uint64_t *size)
{
    *size = 0;
    for (;;) {
        int64_t got =
                t->file->ops->pread(t->file, t->bytes + *size, (size_t)(FILE_MAX - *size), *size);

        if (got <= 0) {
            return (int)got;
        }
        *size += (uint64_t)got;
    }
}

/* Replace the log by these bytes. */
static int replace(struct toy_log *t, const char *temp, const uint8_t *data, size_t len)
{
    stele_file_stat st = {0, 0, false};
    stele_file *f = NULL;
    bool append = t->bug == TOY_STALE_APPENDED && strcmp(temp, "log.recover") == 0;
    int rc = t->dir->ops->open(t->dir, temp, STELE_OPEN_WRITE | STELE_OPEN_CREATE, &f);

    if (rc != 0) {
        return rc;
    }
    rc = append ? f->ops->stat(f, &st) : f->ops->truncate(f, 0);
    rc = rc != 0 ? rc : write_all(t, f, data, len, st.size);
    if (t->bug != TOY_RENAME_UNSYNCED) {
        rc = rc != 0 ? rc : f->ops->sync(f, false);
    }
    rc = rc != 0 ? rc : t->dir->ops->rename(t->dir, temp, "log");
    rc = rc != 0 ? rc : t->dir->ops->sync(t->dir);
    if (rc != 0) {
        (void)f->ops->close(f);
        return rc;
    }
    (void)t->file->ops->close(t->file);
    t->file = f;
    rc = read_all(t, &st.size);
    if (rc == 0) {
        scan(t, st.size);
    }
    return rc;
}

static int recover(struct toy_log *t, uint64_t size)
{
    int rc = 0;

    if (t->end < size) {
        if (t->bug != TOY_SILENT_CUT) {
            t->env->log(t->env->arg, STELE_LOG_WARN, "the tail of the log was cut");
        }
        if (t->bug == TOY_TAIL_KEPT) {
            t->end = size;
        } else {
            rc = replace(t, "log.recover", t->bytes, (size_t)t->end);
        }
    }
    return rc;
}

static int start(struct toy_log *t)
{
    uint64_t size = 0;
    int rc = t->env->vfs->ops->open_dir(t->env->vfs, "/toy", STELE_OPEN_CREATE, &t->dir);

    if (rc == 0) {
        rc = t->dir->ops->open(t->dir, "log", STELE_OPEN_WRITE | STELE_OPEN_CREATE, &t->file);
    }
    /* What is read may be in the cache alone, after a kill. */
    rc = rc != 0 ? rc : t->file->ops->sync(t->file, true);
    if (rc == 0 && t->bug != TOY_NO_DIR_SYNC) {
        rc = t->dir->ops->sync(t->dir);
    }
    rc = rc != 0 ? rc : read_all(t, &size);
    if (rc == 0) {
        scan(t, size);
        rc = recover(t, size);
    }
    return rc;
}

stele_code toy_open(struct toy_log **out, const stele_env *env, enum toy_bug bug)
{
    struct toy_log *t = sti_calloc(1, sizeof *t);
    stele_code code;

    if (t == NULL) {
        return STELE_ENOMEM;
    }
    t->env = env;
    t->bug = bug;
    t->bytes = sti_calloc(1, FILE_MAX);
    if (t->bytes == NULL) {
        toy_close(t);
        return STELE_ENOMEM;
    }
    code = code_of(start(t));
    if (code != STELE_OK) {
        if (bug == TOY_LEAK) {
            t->file = NULL;
        }
        toy_close(t);
        return code;
    }
    *out = t;
    return STELE_OK;
}

void toy_close(struct toy_log *t)
{
    if (t != NULL) {
        if (t->file != NULL) {
            (void)t->file->ops->close(t->file);
        }
        if (t->dir != NULL) {
            (void)t->dir->ops->close(t->dir);
        }
        sti_free(t->bytes);
        sti_free(t);
    }
}

stele_code toy_append(struct toy_log *t, uint64_t value)
{
    uint8_t *out = t->bytes + t->end;
    uint32_t len;
    int rc;

    if (t->failed || t->count == RECORDS_MAX || t->end > FILE_MAX - HEADER_SIZE - CONTENT_MAX) {
        return STELE_EFAILED;
    }
    len = encode(out, value);
    rc = write_all(t, t->file, out, len, t->end);
    if (rc == 0 && t->bug != TOY_NO_SYNC) {
        rc = t->file->ops->sync(t->file, true);
        if (rc != 0 && t->bug == TOY_SYNC_RETRIED) {
            rc = t->file->ops->sync(t->file, true);
        }
    }
    if (rc != 0) {
        t->failed = true;
        return code_of(rc);
    }
    t->records[t->count++] = (struct record){value, (uint32_t)t->end, len, true};
    t->end += len;
    return STELE_OK;
}

stele_code toy_compact(struct toy_log *t, size_t keep)
{
    uint8_t *kept;
    uint32_t from;
    size_t len;
    int rc;

    if (t->failed) {
        return STELE_EFAILED;
    }
    if (t->count <= keep) {
        return STELE_OK;
    }
    from = t->records[t->count - keep].at;
    len = (size_t)(t->end - from);
    kept = sti_malloc(len);
    if (kept == NULL) {
        return STELE_ENOMEM;
    }
    memcpy(kept, t->bytes + from, len);
    rc = replace(t, "log.tmp", kept, len);
    sti_free(kept);
    t->failed = rc != 0;
    return code_of(rc);
}

size_t toy_count(const struct toy_log *t)
{
    return t->count;
}

uint64_t toy_value(const struct toy_log *t, size_t i)
{
    return t->records[i].value;
}

bool toy_content_right(const struct toy_log *t, size_t i)
{
    return t->records[i].right;
}

/* ---- The workload. ---- */

enum {
    APPEND,
    FIRST
};

enum {
    APPENDS = 7,
    COMPACT_AFTER = 5,
    KEEP = 2
};

static int run(void *arg, struct sim_world *w)
{
    const enum toy_bug *bug = arg;
    struct toy_log *t = NULL;
    stele_code first_error = toy_open(&t, &w->env, *bug);

    if (first_error != STELE_OK) {
        return first_error;
    }
    for (uint64_t i = 0; i < APPENDS; i++) {
        stele_code rc;

        if (i == COMPACT_AFTER) {
            sim_note_intent(w, FIRST, i - KEEP);
            rc = toy_compact(t, KEEP);
            if (rc == STELE_OK) {
                sim_note_ack(w, FIRST, i - KEEP);
            }
            first_error = first_error != STELE_OK ? first_error : rc;
        }
        sim_note_intent(w, APPEND, i);
        rc = toy_append(t, i);
        if (rc != STELE_OK) {
            first_error = first_error != STELE_OK ? first_error : rc;
            rc = toy_append(t, i);
        }
        if (rc != STELE_OK) {
            break;
        }
        sim_note_ack(w, APPEND, i);
    }
    toy_close(t);
    return first_error;
}

static int wrong(char *why, size_t why_len, const char *what, uint64_t a, uint64_t b)
{
    (void)snprintf(
            why, why_len, "%s: %llu, %llu", what, (unsigned long long)a, (unsigned long long)b);
    return 1;
}

/* The records are a run of values without a gap, as far as the notes say. */
static int compare(
        const struct toy_log *t, const struct sim_notes *notes, char *why, size_t why_len)
{
    size_t count = toy_count(t);
    uint64_t first = count > 0 ? toy_value(t, 0) : 0;
    uint64_t acked;

    for (size_t i = 0; i < count; i++) {
        if (!toy_content_right(t, i)) {
            return wrong(why, why_len, "wrong content of a record", i, toy_value(t, i));
        }
        if (toy_value(t, i) != first + i) {
            return wrong(why, why_len, "a hole, or twice", toy_value(t, i), first + i);
        }
        if (sim_notes_count(notes, SIM_INTENT, APPEND, first + i) == 0) {
            return wrong(why, why_len, "never appended", first + i, count);
        }
    }
    if (sim_notes_max(notes, SIM_ACK, APPEND, &acked) && first + count <= acked) {
        return wrong(why, why_len, "an acknowledged record is lost", acked, count);
    }
    if (first > 0 && sim_notes_count(notes, SIM_INTENT, FIRST, first) == 0) {
        return wrong(why, why_len, "the first records are lost", first, count);
    }
    if (sim_notes_max(notes, SIM_ACK, FIRST, &acked) && first < acked) {
        return wrong(why, why_len, "compacted records are back", first, acked);
    }
    return 0;
}

static int check(void *arg, struct sim_world *w, uint64_t at_op, const struct sim_notes *notes,
        char *why, size_t why_len)
{
    const enum toy_bug *bug = arg;
    struct toy_log *t = NULL;
    stele_code rc = toy_open(&t, &w->env, *bug);
    int result;

    (void)at_op;
    if (rc != STELE_OK) {
        (void)wrong(why, why_len, "open fails", (uint64_t)-rc, 0);
        return rc;
    }
    result = compare(t, notes, why, why_len);
    if (result == 0) {
        /* Recovery must leave something that can be appended to. */
        uint64_t next = toy_count(t) == 0 ? 0 : toy_value(t, toy_count(t) - 1) + 1;

        sim_note_intent(w, APPEND, next);
        rc = toy_append(t, next);
        if (rc == STELE_OK) {
            sim_note_ack(w, APPEND, next);
        } else {
            (void)wrong(why, why_len, "append after recovery fails", (uint64_t)-rc, next);
            result = rc;
        }
    }
    toy_close(t);
    return result;
}

static enum sim_probe probe(
        void *arg, struct sim_world *w, const struct sim_notes *notes, char *why, size_t why_len)
{
    const enum toy_bug *bug = arg;
    struct toy_log *t = NULL;
    enum sim_probe answer = SIM_PROBE_RIGHT;

    if (toy_open(&t, &w->env, *bug) != STELE_OK) {
        return SIM_PROBE_REPORTED;
    }
    if (compare(t, notes, why, why_len) != 0) {
        bool all_right = true;

        for (size_t i = 0; i < toy_count(t); i++) {
            all_right = all_right && toy_content_right(t, i);
        }
        answer = all_right && sim_world_log(w)[0] != '\0' ? SIM_PROBE_REPORTED : SIM_PROBE_SILENT;
    }
    toy_close(t);
    return answer;
}

struct sim_workload toy_workload(enum toy_bug *bug)
{
    struct sim_workload workload = {
            .name = toy_bug_name(*bug),
            .disk = {.file_max = FILE_MAX * 2},
            .run = run,
            .check = check,
            .probe = probe,
    };

    workload.arg = bug;
    return workload;
}
