/* SPDX-License-Identifier: MIT
 *
 * lmdb_room.c: room on the disk and in the address space, where LMDB does not look for it.
 */
#include "base/error.h"
#include "store/lmdb_raw.h"

#include <errno.h>

enum {
    READER_SIZE = 64,   /* of an entry in the table of readers */
    HEADER_ENTRIES = 4, /* what the table's head takes, and more */
    PROBE_SIZE = 1 << 20,
    PIECE_SIZE = 4096,
    GROWTH_PARTS = 8 /* a map that cannot be doubled grows by at least so small a part of it */
};

#define GROWTH_MIN ((uint64_t)1 << 20)

#define MAP_SLACK  ((uint64_t)32 << 20) /* left for everything else */
#define DATA_FILE  "data.mdb"
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

/* ---- The map. ---- */

/* Whether so much of the address space is free. */
static bool is_free(struct sti_lmdb *env, uint64_t size)
{
    struct sti_file file = {.raw = NULL};
    void *map = NULL;
    stele_code code = size > SIZE_MAX
                              ? STELE_ENOMEM
                              : sti_file_open(&file, &env->dir, DATA_FILE, STELE_OPEN_READ, NULL);

    code = code == STELE_OK ? sti_file_map(&file, (size_t)size, false, &map, NULL) : code;
    if (code == STELE_OK) {
        sti_raw_unmap(file.raw, map, (size_t)size);
    }
    sti_file_close(&file);
    return code == STELE_OK;
}

stele_code sti_lmdb_larger(struct sti_lmdb *env, uint64_t *size, stele_error *err)
{
    MDB_envinfo info;
    int rc = mdb_env_info(env->env, &info);

    if (rc != 0) {
        return sti_lmdb_fail(err, rc, "cannot tell the size of the map");
    }
    for (unsigned part = 1; part <= GROWTH_PARTS; part *= 2) {
        uint64_t more = (uint64_t)info.me_mapsize / part;

        more = more < GROWTH_MIN ? GROWTH_MIN : more;
        if (is_free(env, more + MAP_SLACK)) {
            *size = info.me_mapsize + more;
            return STELE_OK;
        }
    }
    return sti_fail(err, STELE_ENOMEM,
            "the map of the file is full, and the process has no room for more than %llu bytes",
            (unsigned long long)info.me_mapsize);
}

stele_code sti_lmdb_resize(struct sti_lmdb *env, uint64_t size, stele_error *err)
{
    stele_code code;
    int rc;

    if (size > SIZE_MAX - STI_LMDB_MAP_UNIT) {
        return sti_fail(err, STELE_ETOOBIG, "a map of so many bytes cannot be");
    }
    size = (size + STI_LMDB_MAP_UNIT - 1) / STI_LMDB_MAP_UNIT * STI_LMDB_MAP_UNIT;
    rc = mdb_env_set_mapsize(env->env, (size_t)size);
    if (rc == 0) {
        return STELE_OK;
    }
    code = sti_lmdb_fail(err, rc, "cannot change the size of the map");
    /* It refuses before it lets the old map go, and afterwards asks for another one. */
    return rc == EINVAL ? code : sti_wrap(err, STELE_EFAILED, "the map is lost");
}
