/* SPDX-License-Identifier: MIT
 *
 * kit.h: logs and snapshots of a journal, made by hand.
 */
#ifndef TESTS_UNIT_JOURNAL_KIT_H
#define TESTS_UNIT_JOURNAL_KIT_H

#include "journal/file.h"
#include "lib/check.h"
#include "lib/tmpdir.h"

enum {
    KIT_SALT = 0x01020304,
    KIT_OPS_MAX = 256
};

/* A file under construction, in memory. */
struct kit_file {
    enum sti_journal_name_kind kind;
    uint64_t number;
    uint64_t first;
    uint64_t next; /* id of the next frame */
    uint32_t salt;
    uint8_t *bytes;
    size_t len;
    uint32_t positions[KIT_OPS_MAX]; /* of each frame */
    size_t frames;
    int64_t latest;
};

void kit_log(struct kit_file *f, uint64_t number, uint64_t first_op);
void kit_snap(struct kit_file *f, uint64_t number, uint64_t count);
void kit_op(struct kit_file *f, const stele_journal_op *op);
/* A put of a plain key, both C strings; the timestamp is the id. */
void kit_put(struct kit_file *f, const char *key, const char *value);
/* A record that holds these bytes. */
void kit_raw(struct kit_file *f, const void *data, size_t len);
void kit_seal(struct kit_file *f);
void kit_end(struct kit_file *f); /* of a snapshot */
void kit_zeros(struct kit_file *f, size_t len);
void kit_junk(struct kit_file *f, size_t len);
/* Write the file and free it. */
void kit_write(struct kit_file *f, const struct tmpdir *t);

/* Whole files, written: log `number` with puts of the keys k<first_op> to k<last_op>, sealed; a
 * snapshot that has one put for each operation up to `count`. */
void kit_whole_log(const struct tmpdir *t, uint64_t number, uint64_t first_op, uint64_t last_op);
void kit_whole_snap(const struct tmpdir *t, uint64_t number, uint64_t count);

/* The directory, open; closed by sti_dir_close(). */
void kit_dir(struct sti_dir *dir, const struct tmpdir *t);
void kit_name(char out[STELE_JOURNAL_NAME_SIZE], const char *suffix, uint64_t number);

#endif /* TESTS_UNIT_JOURNAL_KIT_H */
