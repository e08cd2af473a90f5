/* SPDX-License-Identifier: MIT
 *
 * lmdb_room.c: room on the disk, where LMDB does not look for it.
 */
#include "base/error.h"
#include "store/lmdb_raw.h"

enum {
    READER_SIZE = 64,   /* of an entry in the table of readers */
    HEADER_ENTRIES = 4, /* what the table's head takes, and more */
    PROBE_SIZE = 1 << 20,
    PIECE_SIZE = 4096
};

#define LOCK_FILE  "lock.mdb"
#define PROBE_FILE "room.tmp"

/* LMDB takes a table that is longer than it asked for as it is, and clears it when nobody else has
 * the environment open. */
stele_code sti_lmdb_reserve_readers(struct sti_dir *dir, uint32_t readers_max, stele_error *err)
{
    uint64_t size = ((uint64_t)readers_max + HEADER_ENTRIES) * READER_SIZE;
    struct sti_file file = {.raw = NULL};
    stele_file_stat stat;
    stele_code code =
            sti_file_open(&file, dir, LOCK_FILE, STELE_OPEN_WRITE | STELE_OPEN_CREATE, err);

    if (code != STELE_OK) {
        return code;
    }
    code = sti_file_stat(&file, &stat, err);
    if (code == STELE_OK) {
        code = sti_file_allocate(&file, 0, size > stat.size ? size : stat.size, err);
        /* Where blocks cannot be reserved, LMDB is left to itself. */
        code = code == STELE_ENOTSUP ? STELE_OK : code;
    }
    sti_file_close(&file);
    return code;
}

static stele_code write_zeros(struct sti_file *file)
{
    static const uint8_t zeros[PIECE_SIZE];
    stele_code code = STELE_OK;

    for (uint64_t at = 0; at < PROBE_SIZE && code == STELE_OK; at += PIECE_SIZE) {
        code = sti_file_write(file, at, zeros, sizeof zeros, NULL);
    }
    return code;
}

bool sti_lmdb_is_full(struct sti_dir *dir)
{
    struct sti_file file = {.raw = NULL};
    stele_code code =
            sti_file_open(&file, dir, PROBE_FILE, STELE_OPEN_WRITE | STELE_OPEN_CREATE, NULL);

    if (code == STELE_OK) {
        code = sti_file_allocate(&file, 0, PROBE_SIZE, NULL);
        if (code == STELE_ENOTSUP) {
            code = write_zeros(&file);
        }
        sti_file_close(&file);
        (void)sti_dir_unlink(dir, PROBE_FILE, NULL, NULL);
    }
    return code == STELE_ENOSPC;
}
