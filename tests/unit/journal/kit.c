/* SPDX-License-Identifier: MIT */
#include "kit.h"

#include "base/coding.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void add(struct kit_file *f, const void *data, size_t len)
{
    uint8_t *grown = realloc(f->bytes, f->len + len + 1);

    assert_non_null(grown);
    f->bytes = grown;
    memcpy(f->bytes + f->len, data, len);
    f->len += len;
}

static void begin(struct kit_file *f, enum sti_journal_name_kind kind, uint64_t number,
        uint64_t first, uint32_t salt)
{
    uint8_t bytes[STI_WAL_HEADER_SIZE];
    struct sti_wal_header header = {.first_id = first, .number = number, .salt = salt};

    memset(f, 0, sizeof *f);
    f->kind = kind;
    f->number = number;
    f->first = first;
    f->salt = salt;
    f->latest = INT64_MIN;
    sti_wal_header_encode(bytes, &header);
    add(f, bytes, sizeof bytes);
}

void kit_log(struct kit_file *f, uint64_t number, uint64_t first_op)
{
    begin(f, STI_JOURNAL_NAME_LOG, number, first_op, KIT_SALT + (uint32_t)number);
    f->next = first_op;
}

void kit_snap(struct kit_file *f, uint64_t number, uint64_t count)
{
    begin(f, STI_JOURNAL_NAME_SNAP, number, count + 1, STI_JOURNAL_SNAP_SALT);
    f->next = 1;
}

static void frame(struct kit_file *f, enum sti_wal_kind kind, const void *data, size_t len)
{
    uint8_t *bytes = malloc(sti_wal_frame_size(STELE_WAL_STELE, len));
    size_t size;

    assert_non_null(bytes);
    size = sti_wal_frame_encode(bytes, STELE_WAL_STELE, kind, f->next, f->salt,
            f->kind == STI_JOURNAL_NAME_LOG ? (uint32_t)f->len : 0, stele_bytes_of(data, len));
    add(f, bytes, size);
    free(bytes);
}

void kit_raw(struct kit_file *f, const void *data, size_t len)
{
    assert_true(f->frames < KIT_OPS_MAX);
    f->positions[f->frames++] = (uint32_t)f->len;
    frame(f, STI_WAL_RECORD, data, len);
    f->next++;
}

void kit_op(struct kit_file *f, const stele_journal_op *op)
{
    stele_journal_setting settings[16];
    uint8_t bytes[1024];

    assert_true(sti_journal_op_size(op) <= sizeof bytes);
    assert_true(op->setting_count <= 16);
    kit_raw(f, bytes, sti_journal_op_encode(bytes, op, settings));
    f->latest = op->timestamp > f->latest ? op->timestamp : f->latest;
}

void kit_put(struct kit_file *f, const char *key, const char *value)
{
    stele_journal_op op = {.kind = STELE_JOURNAL_PUT,
            .timestamp = (int64_t)f->next,
            .key = stele_str(key),
            .value = stele_str(value)};

    kit_op(f, &op);
}

void kit_seal(struct kit_file *f)
{
    uint8_t data[4 + 4 * KIT_OPS_MAX / STI_WAL_STRIDE + 4];
    size_t count = 0;

    for (size_t i = 0; i < f->frames; i += STI_WAL_STRIDE) {
        sti_put_le32(data + 4 + 4 * count++, f->positions[i]);
    }
    sti_put_le32(data, (uint32_t)count);
    frame(f, STI_WAL_SEAL, data, 4 + 4 * count);
}

void kit_end(struct kit_file *f)
{
    uint8_t bytes[STI_JOURNAL_END_SIZE];
    struct sti_journal_end end = {.latest = f->latest, .ops = f->next - 1, .count = f->first - 1};

    sti_journal_end_encode(bytes, &end);
    frame(f, STI_WAL_RECORD, bytes, sizeof bytes);
}

void kit_zeros(struct kit_file *f, size_t len)
{
    uint8_t *zeros = calloc(1, len);

    assert_non_null(zeros);
    add(f, zeros, len);
    free(zeros);
}

void kit_junk(struct kit_file *f, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)(i * 31 + 7);

        add(f, &byte, 1);
    }
}

void kit_name(char out[STELE_JOURNAL_NAME_SIZE], const char *suffix, uint64_t number)
{
    (void)snprintf(out, STELE_JOURNAL_NAME_SIZE, "%" PRIu64 "%s", number, suffix);
}

void kit_write(struct kit_file *f, const struct tmpdir *t)
{
    char name[STELE_JOURNAL_NAME_SIZE];

    kit_name(name, f->kind == STI_JOURNAL_NAME_LOG ? ".log" : ".snap", f->number);
    tmpdir_write(t, name, f->bytes, f->len);
    free(f->bytes);
    f->bytes = NULL;
}

static void put_numbered(struct kit_file *f, uint64_t n)
{
    char key[32];

    (void)snprintf(key, sizeof key, "k%" PRIu64, n);
    kit_put(f, key, "value");
}

void kit_whole_log(const struct tmpdir *t, uint64_t number, uint64_t first_op, uint64_t last_op)
{
    struct kit_file f;

    kit_log(&f, number, first_op);
    for (uint64_t n = first_op; n <= last_op; n++) {
        put_numbered(&f, n);
    }
    kit_seal(&f);
    kit_write(&f, t);
}

void kit_whole_snap(const struct tmpdir *t, uint64_t number, uint64_t count)
{
    struct kit_file f;

    kit_snap(&f, number, count);
    for (uint64_t n = 1; n <= count; n++) {
        put_numbered(&f, n);
    }
    kit_end(&f);
    kit_write(&f, t);
}

void kit_dir(struct sti_dir *dir, const struct tmpdir *t)
{
    stele_error err;

    memset(dir, 0, sizeof *dir);
    CHECK_OK(sti_dir_open(dir, NULL, t->path, STELE_OPEN_READ, &err), &err);
}
